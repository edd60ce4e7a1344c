//! Reads and applies steps on each engine, everything in one transaction.

use std::sync::Arc;

use rusqlite::params;
use sqlx::{PgConnection, Row};

use super::plan::{Planned, plan};
use super::{Applied, MigrateError, MigrationSet, Phase, StepStatus};
use crate::{Database, Plain, Postgres, Sqlite, StoreError, TxError};

const SQLITE_TABLE: &str = "CREATE TABLE IF NOT EXISTS aiva_migrations (
    owner TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, phase TEXT NOT NULL, checksum TEXT NOT NULL,
    applied_at INTEGER NOT NULL, PRIMARY KEY (owner, version)) STRICT, WITHOUT ROWID";

const POSTGRES_TABLE: &str = "CREATE TABLE IF NOT EXISTS aiva_migrations (
    owner TEXT NOT NULL, version BIGINT NOT NULL, name TEXT NOT NULL, phase TEXT NOT NULL, checksum TEXT NOT NULL,
    applied_at BIGINT NOT NULL, PRIMARY KEY (owner, version))";

const SELECT: &str =
    "SELECT owner, version, name, phase, checksum, applied_at FROM aiva_migrations ORDER BY owner, version";

/// The key of the advisory lock: `aivamigr` in ASCII.
const ADVISORY_LOCK: i64 = 0x6169_7661_6d69_6772;

pub(super) async fn applied(database: &Database) -> Result<Vec<Applied>, StoreError> {
    match database {
        Database::Sqlite(db) => Ok(db
            .read::<_, Plain, _>(|conn| {
                let there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'aiva_migrations'";
                if conn.prepare(there)?.exists([])? { Ok(sqlite_applied(conn)?) } else { Ok(Vec::new()) }
            })
            .await?),
        Database::Postgres(db) => {
            let mut conn = db.pool().acquire().await?;
            let there = sqlx::query_scalar("SELECT to_regclass('aiva_migrations') IS NOT NULL");
            if there.fetch_one(&mut *conn).await? { postgres_applied(&mut conn).await } else { Ok(Vec::new()) }
        }
    }
}

pub(super) async fn sqlite_up(db: &Sqlite, sets: Vec<MigrationSet>, now: i64) -> Result<Vec<StepStatus>, MigrateError> {
    let applied = db.write(move |tx| {
        tx.execute_batch(SQLITE_TABLE)?;
        let rows = sqlite_applied(tx)?;
        let missing = plan(&sets, &rows, |step| step.sqlite).map_err(TxError::Refused)?.missing;
        for planned in &missing {
            tx.execute_batch(planned.sql)?;
            tx.execute(
                "INSERT INTO aiva_migrations VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    planned.owner,
                    planned.step.version,
                    planned.step.name,
                    planned.step.phase.to_string(),
                    planned.checksum,
                    now
                ],
            )?;
        }
        Ok(missing)
    });
    Ok(done(applied.await.map_err(flatten)?, now))
}

pub(super) async fn postgres_up(
    db: &Postgres,
    sets: Vec<MigrationSet>,
    now: i64,
) -> Result<Vec<StepStatus>, MigrateError> {
    let sets = Arc::new(sets);
    let applied = db.write(|tx| {
        let sets = Arc::clone(&sets);
        Box::pin(async move {
            // A step may rewrite a large table, and the other process may be at it: no deadline here.
            sqlx::raw_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").execute(&mut *tx).await?;
            sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(ADVISORY_LOCK).execute(&mut *tx).await?;
            sqlx::raw_sql(POSTGRES_TABLE).execute(&mut *tx).await?;
            let rows = postgres_applied(tx).await?;
            let missing = plan(&sets, &rows, |step| step.postgres).map_err(TxError::Refused)?.missing;
            for planned in &missing {
                sqlx::raw_sql(planned.sql).execute(&mut *tx).await?;
                sqlx::query("INSERT INTO aiva_migrations VALUES ($1, $2, $3, $4, $5, $6)")
                    .bind(planned.owner)
                    .bind(i64::from(planned.step.version))
                    .bind(planned.step.name)
                    .bind(planned.step.phase.to_string())
                    .bind(&planned.checksum)
                    .bind(now)
                    .execute(&mut *tx)
                    .await?;
            }
            Ok(missing)
        })
    });
    Ok(done(applied.await.map_err(flatten)?, now))
}

fn sqlite_applied(conn: &rusqlite::Connection) -> Result<Vec<Applied>, rusqlite::Error> {
    let mut select = conn.prepare(SELECT)?;
    let rows = select.query_map([], |row| {
        Ok(Applied {
            owner: row.get(0)?,
            version: row.get(1)?,
            name: row.get(2)?,
            phase: phase(&row.get::<_, String>(3)?),
            checksum: row.get(4)?,
            applied_at: row.get(5)?,
        })
    })?;
    rows.collect()
}

async fn postgres_applied(conn: &mut PgConnection) -> Result<Vec<Applied>, StoreError> {
    let rows = sqlx::query(SELECT).fetch_all(conn).await?;
    let read = |row: &sqlx::postgres::PgRow| {
        Ok(Applied {
            owner: row.try_get(0)?,
            version: u32::try_from(row.try_get::<i64, _>(1)?).unwrap_or(u32::MAX),
            name: row.try_get(2)?,
            phase: phase(row.try_get(3)?),
            checksum: row.try_get(4)?,
            applied_at: row.try_get(5)?,
        })
    };
    rows.iter().map(read).collect()
}

/// What a later release may call a phase we do not know is not safe for this one.
fn phase(text: &str) -> Phase {
    if text == "expand" { Phase::Expand } else { Phase::Contract }
}

fn flatten(error: TxError<MigrateError>) -> MigrateError {
    match error {
        TxError::Refused(error) => error,
        TxError::Store(error) => MigrateError::Store(error),
        TxError::Panicked => MigrateError::Store(StoreError::from(TxError::<Plain>::Panicked)),
    }
}

fn done(missing: Vec<Planned>, now: i64) -> Vec<StepStatus> {
    let status = |planned: Planned| StepStatus {
        owner: planned.owner.to_owned(),
        version: planned.step.version,
        name: planned.step.name.to_owned(),
        phase: planned.step.phase,
        applied_at: Some(now),
        known: true,
    };
    missing.into_iter().map(status).collect()
}
