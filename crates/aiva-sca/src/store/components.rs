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
    steps: &[
        Step { version: 1, name: "snapshots", phase: Phase::Expand, sqlite: SQLITE_1, postgres: POSTGRES_1 },
        Step { version: 2, name: "uploads", phase: Phase::Expand, sqlite: SQLITE_2, postgres: POSTGRES_2 },
    ],
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

// A snapshot of before is older than any scan.
const SQLITE_2: &str = "
ALTER TABLE sca_snapshots ADD COLUMN scan TEXT NOT NULL DEFAULT '';
ALTER TABLE sca_snapshots ADD COLUMN left_out BLOB NOT NULL DEFAULT x'';
CREATE TABLE sca_uploads (
  service TEXT NOT NULL, scan TEXT NOT NULL, chunk INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (service, scan, chunk)
) STRICT, WITHOUT ROWID;
";

const POSTGRES_2: &str = "
ALTER TABLE sca_snapshots ADD COLUMN scan TEXT COLLATE \"C\" NOT NULL DEFAULT '';
ALTER TABLE sca_snapshots ADD COLUMN left_out BYTEA NOT NULL DEFAULT '';
CREATE TABLE sca_uploads (
  service TEXT COLLATE \"C\" NOT NULL, scan TEXT COLLATE \"C\" NOT NULL, chunk BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (service, scan, chunk)
);
";

/// A component and who has it.
pub(super) type Held = (Component, String);

/// A snapshot without its components.
pub(super) struct Bodies {
    pub(super) scan: String,
    pub(super) body: Vec<u8>,
    pub(super) facts: Vec<u8>,
    pub(super) left_out: Vec<u8>,
}

/// Replaces what is kept of a service, and forgets what came of uploads that are not later. Does nothing, and says so, where a later
/// scan is kept.
pub(super) fn put_sqlite(tx: &Transaction<'_>, snapshot: &Snapshot) -> Result<bool, StoreError> {
    let put = tx.execute(
        "INSERT INTO sca_snapshots (service, scan, body, facts, left_out) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (service) DO UPDATE SET
           scan = excluded.scan, body = excluded.body, facts = excluded.facts, left_out = excluded.left_out
         WHERE excluded.scan > sca_snapshots.scan",
        params![snapshot.service, snapshot.scan, snapshot.body, snapshot.facts, snapshot.left_out],
    )?;
    if put == 0 {
        return Ok(false);
    }
    let forget = "DELETE FROM sca_uploads WHERE service = ?1 AND scan <= ?2";
    tx.execute(forget, params![snapshot.service, snapshot.scan])?;
    tx.execute("DELETE FROM sca_components WHERE service = ?1", params![snapshot.service])?;
    let mut put = tx.prepare_cached(
        "INSERT INTO sca_components (ecosystem, name, version, pinned, service, verdict) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for one in &snapshot.components {
        put.execute(params![one.ecosystem, one.name, one.version, one.is_pinned, snapshot.service, one.verdict])?;
    }
    Ok(true)
}

/// The same on PostgreSQL; who loses against another process waits for it and sees what it kept.
pub(super) async fn put_postgres(tx: &mut PgConnection, snapshot: &Snapshot) -> Result<bool, StoreError> {
    let put = sqlx::query(
        "INSERT INTO sca_snapshots (service, scan, body, facts, left_out) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (service) DO UPDATE SET
           scan = excluded.scan, body = excluded.body, facts = excluded.facts, left_out = excluded.left_out
         WHERE excluded.scan > sca_snapshots.scan",
    );
    let put = put.bind(&snapshot.service).bind(&snapshot.scan).bind(&snapshot.body).bind(&snapshot.facts);
    if put.bind(&snapshot.left_out).execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let forget = "DELETE FROM sca_uploads WHERE service = $1 AND scan <= $2";
    sqlx::query(forget).bind(&snapshot.service).bind(&snapshot.scan).execute(&mut *tx).await?;
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
    Ok(true)
}

/// What is kept of a service.
pub(super) async fn get(database: &Database, service: &str) -> Result<Option<Bodies>, TxError<StoreError>> {
    match database {
        Database::Sqlite(sqlite) => {
            let service = service.to_owned();
            sqlite
                .read(move |tx| {
                    let query = "SELECT scan, body, facts, left_out FROM sca_snapshots WHERE service = ?1";
                    let bodies = |row: &rusqlite::Row<'_>| {
                        let (scan, body) = (row.get(0)?, row.get(1)?);
                        Ok(Bodies { scan, body, facts: row.get(2)?, left_out: row.get(3)? })
                    };
                    let row = tx.query_row(query, params![service], bodies);
                    row.optional().map_err(|error| TxError::Store(error.into()))
                })
                .await
        }
        Database::Postgres(postgres) => {
            let query = sqlx::query("SELECT scan, body, facts, left_out FROM sca_snapshots WHERE service = $1");
            let row = query.bind(service).fetch_optional(postgres.pool()).await.map_err(store)?;
            let bodies = |row: PgRow| {
                let (scan, body) = (row.try_get(0)?, row.try_get(1)?);
                Ok(Bodies { scan, body, facts: row.try_get(2)?, left_out: row.try_get(3)? })
            };
            row.map(bodies).transpose().map_err(store)
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

pub(super) fn store(error: sqlx::Error) -> TxError<StoreError> {
    TxError::Store(error.into())
}
