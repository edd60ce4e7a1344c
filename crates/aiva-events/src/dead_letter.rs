//! Dead letters: events that a consumer could not handle, and what a person may do with them.
//!
//! Promises: while one waits, its subject waits for that consumer and nothing behind it overtakes; redriven, it is
//! delivered first; discarded, the subject goes on without it, and the log says who was left out and why.

use aiva_contracts::envelope::Envelope;
use aiva_store::{Database, Plain, StoreError};
use rusqlite::params;
use sqlx::Row;
use uuid::Uuid;

use crate::outbox::{self, columns};

/// An event that a consumer could not handle.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// Its id.
    pub id: Uuid,
    /// Who could not handle it.
    pub consumer: String,
    /// What went wrong the last time.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// In microseconds since 1970-01-01T00:00:00Z.
    pub first_failed_at: i64,
    /// In microseconds since 1970-01-01T00:00:00Z.
    pub last_failed_at: i64,
    /// Whether it waits for a person.
    pub state: State,
    /// The event.
    pub event: Envelope,
}

/// Whether a dead letter waits for a person or was sent on its way again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for a person.
    Waiting,
    /// It is being delivered again.
    Redriven,
}

/// Which dead letters.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this one.
    pub id: Option<Uuid>,
    /// Only of this consumer.
    pub consumer: Option<String>,
    /// Only about this subject.
    pub subject: Option<String>,
}

impl Filter {
    /// One dead letter.
    pub fn one(id: Uuid) -> Self {
        Self { id: Some(id), ..Self::default() }
    }
}

/// Dead letters, the latest first, below the id `before`.
///
/// # Errors
/// The store's fault.
pub async fn list(
    database: &Database,
    filter: &Filter,
    before: Option<Uuid>,
    limit: usize,
) -> Result<Vec<DeadLetter>, StoreError> {
    let id = filter.id.map(|id| id.to_string());
    let before = before.map(|id| id.to_string());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match database {
        Database::Sqlite(db) => {
            let filter = filter.clone();
            let page = db.read::<_, Plain, _>(move |conn| {
                let mut select = conn.prepare_cached(SQLITE_LIST)?;
                let wanted = params![id, filter.consumer, filter.subject, before, limit];
                let rows = select.query_map(wanted, |row| {
                    Ok(DeadLetter {
                        id: Uuid::parse_str(&row.get::<_, String>(0)?).unwrap_or_default(),
                        consumer: row.get(1)?,
                        reason: row.get(2)?,
                        attempts: row.get(3)?,
                        first_failed_at: row.get(4)?,
                        last_failed_at: row.get(5)?,
                        state: state(&row.get::<_, String>(6)?),
                        event: outbox::sqlite::envelope(row, 7)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            });
            Ok(page.await?)
        }
        Database::Postgres(db) => {
            let select = sqlx::query(POSTGRES_LIST).bind(id).bind(&filter.consumer).bind(&filter.subject);
            let rows = select.bind(before).bind(limit).fetch_all(db.pool()).await?;
            let letter = |row: &sqlx::postgres::PgRow| {
                Ok(DeadLetter {
                    id: Uuid::parse_str(row.try_get(0)?).unwrap_or_default(),
                    consumer: row.try_get(1)?,
                    reason: row.try_get(2)?,
                    attempts: u32::try_from(row.try_get::<i64, _>(3)?).unwrap_or(u32::MAX),
                    first_failed_at: row.try_get(4)?,
                    last_failed_at: row.try_get(5)?,
                    state: state(row.try_get(6)?),
                    event: outbox::postgres::envelope(row, 7)?,
                })
            };
            Ok(rows.iter().map(letter).collect::<Result<_, sqlx::Error>>()?)
        }
    }
}

/// One dead letter.
///
/// # Errors
/// The store's fault.
pub async fn find(database: &Database, id: Uuid) -> Result<Option<DeadLetter>, StoreError> {
    Ok(list(database, &Filter::one(id), None, 1).await?.pop())
}

/// Delivers those that wait once more, and says how many they are.
///
/// # Errors
/// The store's fault; nothing was redriven then.
pub async fn redrive(database: &Database, filter: &Filter) -> Result<u64, StoreError> {
    let id = filter.id.map(|id| id.to_string());
    let filter = filter.clone();
    match database {
        Database::Sqlite(db) => {
            let redriven = db.write::<_, Plain, _>(move |tx| {
                let wanted = params![id, filter.consumer, filter.subject];
                tx.prepare_cached(SQLITE_WAKE)?.execute(wanted)?;
                let redriven = tx.prepare_cached(SQLITE_REDRIVE)?.execute(wanted)?;
                aiva_store::sqlite::announce(tx);
                Ok(redriven as u64)
            });
            Ok(redriven.await?)
        }
        Database::Postgres(db) => {
            let redriven = db.write::<_, Plain, _>(|tx| {
                let (id, filter) = (id.clone(), filter.clone());
                Box::pin(async move {
                    let wake = sqlx::query(POSTGRES_WAKE).bind(&id).bind(&filter.consumer).bind(&filter.subject);
                    wake.execute(&mut *tx).await?;
                    let redrive = sqlx::query(POSTGRES_REDRIVE).bind(&id).bind(&filter.consumer).bind(&filter.subject);
                    let redriven = redrive.execute(&mut *tx).await?.rows_affected();
                    outbox::postgres::notify(tx).await?;
                    Ok(redriven)
                })
            });
            Ok(redriven.await?)
        }
    }
}

/// Gives one up: its subject goes on without it. False if there is none with this id that waits.
///
/// # Errors
/// The store's fault.
pub async fn discard(database: &Database, id: Uuid, reason: &str) -> Result<bool, StoreError> {
    let text = id.to_string();
    let discarded = match database {
        Database::Sqlite(db) => {
            let discarded = db.write::<_, Plain, _>(move |tx| {
                tx.prepare_cached(SQLITE_SKIP)?.execute([&text])?;
                let gone = tx
                    .prepare_cached("DELETE FROM event_dead_letters WHERE id = ?1 AND state = 'waiting'")?
                    .execute([&text])?;
                aiva_store::sqlite::announce(tx);
                Ok(gone == 1)
            });
            discarded.await?
        }
        Database::Postgres(db) => {
            let discarded = db.write::<_, Plain, _>(|tx| {
                let text = text.clone();
                Box::pin(async move {
                    sqlx::query(POSTGRES_SKIP).bind(&text).execute(&mut *tx).await?;
                    let delete = sqlx::query("DELETE FROM event_dead_letters WHERE id = $1 AND state = 'waiting'");
                    let gone = delete.bind(&text).execute(&mut *tx).await?.rows_affected();
                    outbox::postgres::notify(tx).await?;
                    Ok(gone == 1)
                })
            });
            discarded.await?
        }
    };
    if discarded {
        tracing::warn!(dead_letter = %id, reason, "a dead letter was discarded: its consumer never handled the event");
    }
    Ok(discarded)
}

fn state(text: &str) -> State {
    if text == "waiting" { State::Waiting } else { State::Redriven }
}

macro_rules! list {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.consumer, d.reason, d.attempts, d.first_failed_at, d.last_failed_at, d.state, ",
            columns!(),
            " FROM event_dead_letters d JOIN event_outbox o ON o.position = d.position WHERE ",
            $rest
        )
    };
}

const SQLITE_LIST: &str = list!(
    "(?1 IS NULL OR d.id = ?1) AND (?2 IS NULL OR d.consumer = ?2) AND (?3 IS NULL OR d.subject = ?3)
     AND (?4 IS NULL OR d.id < ?4) ORDER BY d.id DESC LIMIT ?5"
);
const POSTGRES_LIST: &str = list!(
    "($1::text IS NULL OR d.id = $1) AND ($2::text IS NULL OR d.consumer = $2) AND ($3::text IS NULL OR d.subject = $3)
     AND ($4::text IS NULL OR d.id < $4) ORDER BY d.id DESC LIMIT $5"
);

// The subject's row is woken before the letter's state changes: it is found by the state.
const SQLITE_WAKE: &str = "
UPDATE event_subjects SET state = 'ready', due_at = 0, attempts = 0, first_failed_at = NULL
WHERE state = 'dead' AND EXISTS (
    SELECT 1 FROM event_dead_letters d
    WHERE d.consumer = event_subjects.consumer AND d.subject = event_subjects.subject AND d.state = 'waiting'
      AND (?1 IS NULL OR d.id = ?1) AND (?2 IS NULL OR d.consumer = ?2) AND (?3 IS NULL OR d.subject = ?3))";
const SQLITE_REDRIVE: &str = "
UPDATE event_dead_letters SET state = 'redriven' WHERE state = 'waiting'
    AND (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR consumer = ?2) AND (?3 IS NULL OR subject = ?3)";
const POSTGRES_WAKE: &str = "
UPDATE event_subjects s SET state = 'ready', due_at = 0, attempts = 0, first_failed_at = NULL
WHERE s.state = 'dead' AND EXISTS (
    SELECT 1 FROM event_dead_letters d WHERE d.consumer = s.consumer AND d.subject = s.subject AND d.state = 'waiting'
      AND ($1::text IS NULL OR d.id = $1) AND ($2::text IS NULL OR d.consumer = $2)
      AND ($3::text IS NULL OR d.subject = $3))";
const POSTGRES_REDRIVE: &str = "
UPDATE event_dead_letters SET state = 'redriven' WHERE state = 'waiting'
    AND ($1::text IS NULL OR id = $1) AND ($2::text IS NULL OR consumer = $2) AND ($3::text IS NULL OR subject = $3)";

const SQLITE_SKIP: &str = "
UPDATE event_subjects SET state = 'ready', due_at = 0, attempts = 0, first_failed_at = NULL,
    done = (SELECT d.position FROM event_dead_letters d WHERE d.id = ?1)
WHERE state = 'dead' AND (consumer, subject) IN (
    SELECT consumer, subject FROM event_dead_letters WHERE id = ?1 AND state = 'waiting')";
const POSTGRES_SKIP: &str = "
UPDATE event_subjects SET state = 'ready', due_at = 0, attempts = 0, first_failed_at = NULL,
    done = (SELECT d.position FROM event_dead_letters d WHERE d.id = $1)
WHERE state = 'dead' AND (consumer, subject) IN (
    SELECT consumer, subject FROM event_dead_letters WHERE id = $1 AND state = 'waiting')";
