//! The tables of what scans read, and the reverse index from a component to the services that have it.

use aiva_store::migrate::{MigrationSet, Phase, Step};
use aiva_store::{Database, StoreError, TxError};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::snapshot::{Component, Snapshot};

/// The steps of this crate.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    owner: "sca",
    steps: &[Step { version: 1, name: "snapshots", phase: Phase::Expand, sqlite: SQLITE_1, postgres: POSTGRES_1 }],
};

const SQLITE_1: &str = "
CREATE TABLE sca_snapshots (service TEXT PRIMARY KEY, body BLOB NOT NULL, facts BLOB NOT NULL) STRICT;
CREATE TABLE sca_components (
  ecosystem TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, pinned INTEGER NOT NULL, service TEXT NOT NULL,
  verdict INTEGER NOT NULL, PRIMARY KEY (ecosystem, name, version, pinned, service)
) STRICT, WITHOUT ROWID;
CREATE INDEX sca_components_by_service ON sca_components (service);
";

const POSTGRES_1: &str = "
CREATE TABLE sca_snapshots (service TEXT COLLATE \"C\" PRIMARY KEY, body BYTEA NOT NULL, facts BYTEA NOT NULL);
CREATE TABLE sca_components (
  ecosystem TEXT COLLATE \"C\" NOT NULL, name TEXT COLLATE \"C\" NOT NULL, version TEXT COLLATE \"C\" NOT NULL,
  pinned BOOLEAN NOT NULL, service TEXT COLLATE \"C\" NOT NULL, verdict BIGINT NOT NULL,
  PRIMARY KEY (ecosystem, name, version, pinned, service)
);
CREATE INDEX sca_components_by_service ON sca_components (service);
";

/// A component and who has it.
pub(super) type Held = (Component, String);

/// The inventory and the facts of a snapshot.
pub(super) type Bodies = (Vec<u8>, Vec<u8>);

/// Replaces what is kept of a service.
pub(super) fn put_sqlite(tx: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), StoreError> {
    tx.execute(
        "INSERT OR REPLACE INTO sca_snapshots (service, body, facts) VALUES (?1, ?2, ?3)",
        params![snapshot.service, snapshot.body, snapshot.facts],
    )?;
    tx.execute("DELETE FROM sca_components WHERE service = ?1", params![snapshot.service])?;
    let mut put = tx.prepare_cached(
        "INSERT INTO sca_components (ecosystem, name, version, pinned, service, verdict) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for one in &snapshot.components {
        put.execute(params![one.ecosystem, one.name, one.version, one.is_pinned, snapshot.service, one.verdict])?;
    }
    Ok(())
}

/// Replaces what is kept of a service.
pub(super) async fn put_postgres(tx: &mut PgConnection, snapshot: &Snapshot) -> Result<(), StoreError> {
    let put = "INSERT INTO sca_snapshots (service, body, facts) VALUES ($1, $2, $3)
               ON CONFLICT (service) DO UPDATE SET body = excluded.body, facts = excluded.facts";
    sqlx::query(put).bind(&snapshot.service).bind(&snapshot.body).bind(&snapshot.facts).execute(&mut *tx).await?;
    sqlx::query("DELETE FROM sca_components WHERE service = $1").bind(&snapshot.service).execute(&mut *tx).await?;
    let rows = &snapshot.components;
    // PostgreSQL's text holds no NUL; a name with one is no package's name.
    let texts =
        |of: fn(&Component) -> &String| -> Vec<String> { rows.iter().map(|one| of(one).replace('\0', "")).collect() };
    let put = "INSERT INTO sca_components (ecosystem, name, version, pinned, service, verdict)
               SELECT e, n, v, p, $5, d FROM UNNEST($1::text[], $2::text[], $3::text[], $4::boolean[], $6::bigint[])
               AS rows (e, n, v, p, d) ON CONFLICT DO NOTHING";
    sqlx::query(put)
        .bind(texts(|one| &one.ecosystem))
        .bind(texts(|one| &one.name))
        .bind(texts(|one| &one.version))
        .bind(rows.iter().map(|one| one.is_pinned).collect::<Vec<bool>>())
        .bind(&snapshot.service)
        .bind(rows.iter().map(|one| one.verdict).collect::<Vec<i64>>())
        .execute(tx)
        .await?;
    Ok(())
}

/// What is kept of a service.
pub(super) async fn get(database: &Database, service: &str) -> Result<Option<Bodies>, TxError<StoreError>> {
    match database {
        Database::Sqlite(sqlite) => {
            let service = service.to_owned();
            sqlite
                .read(move |tx| {
                    let query = "SELECT body, facts FROM sca_snapshots WHERE service = ?1";
                    let row = tx.query_row(query, params![service], |row| Ok((row.get(0)?, row.get(1)?)));
                    row.optional().map_err(|error| TxError::Store(error.into()))
                })
                .await
        }
        Database::Postgres(postgres) => {
            let query = sqlx::query("SELECT body, facts FROM sca_snapshots WHERE service = $1").bind(service);
            let row = query.fetch_optional(postgres.pool()).await.map_err(store)?;
            row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose().map_err(store)
        }
    }
}

/// Every service of which something is kept, in order.
pub(super) async fn services(database: &Database) -> Result<Vec<String>, TxError<StoreError>> {
    let query = "SELECT service FROM sca_snapshots ORDER BY service";
    match database {
        Database::Sqlite(sqlite) => {
            sqlite
                .read(move |tx| {
                    let rows = |tx: &Connection| -> rusqlite::Result<Vec<String>> {
                        tx.prepare_cached(query)?.query_map([], |row| row.get(0))?.collect()
                    };
                    rows(tx).map_err(|error| TxError::Store(error.into()))
                })
                .await
        }
        Database::Postgres(postgres) => sqlx::query_scalar(query).fetch_all(postgres.pool()).await.map_err(store),
    }
}

/// The next components in the order of the reverse index, at most `limit`.
pub(super) async fn page(
    database: &Database,
    after: Option<&Held>,
    limit: u32,
) -> Result<Vec<Held>, TxError<StoreError>> {
    let (after, service) = after.cloned().unwrap_or_default();
    match database {
        Database::Sqlite(sqlite) => {
            sqlite
                .read(move |tx| page_sqlite(tx, &after, &service, limit).map_err(|error| TxError::Store(error.into())))
                .await
        }
        Database::Postgres(postgres) => {
            let query = sqlx::query(
                "SELECT ecosystem, name, version, pinned, verdict, service FROM sca_components
                 WHERE (ecosystem, name, version, pinned, service) > ($1, $2, $3, $4, $5)
                 ORDER BY ecosystem, name, version, pinned, service LIMIT $6",
            );
            let query = query.bind(&after.ecosystem).bind(&after.name).bind(&after.version);
            let query = query.bind(after.is_pinned).bind(service).bind(i64::from(limit));
            let rows = query.fetch_all(postgres.pool()).await.map_err(store)?;
            rows.iter().map(held).collect::<Result<_, _>>().map_err(store)
        }
    }
}

fn page_sqlite(tx: &Connection, after: &Component, service: &str, limit: u32) -> rusqlite::Result<Vec<Held>> {
    let mut query = tx.prepare_cached(
        "SELECT ecosystem, name, version, pinned, verdict, service FROM sca_components
         WHERE (ecosystem, name, version, pinned, service) > (?1, ?2, ?3, ?4, ?5)
         ORDER BY ecosystem, name, version, pinned, service LIMIT ?6",
    )?;
    let from = params![after.ecosystem, after.name, after.version, after.is_pinned, service, limit];
    let rows = query.query_map(from, |row| {
        let component = Component {
            ecosystem: row.get(0)?,
            name: row.get(1)?,
            version: row.get(2)?,
            is_pinned: row.get(3)?,
            verdict: row.get(4)?,
        };
        Ok((component, row.get(5)?))
    })?;
    rows.collect()
}

fn held(row: &PgRow) -> Result<Held, sqlx::Error> {
    let component = Component {
        ecosystem: row.try_get(0)?,
        name: row.try_get(1)?,
        version: row.try_get(2)?,
        is_pinned: row.try_get(3)?,
        verdict: row.try_get(4)?,
    };
    Ok((component, row.try_get(5)?))
}

fn store(error: sqlx::Error) -> TxError<StoreError> {
    TxError::Store(error.into())
}
