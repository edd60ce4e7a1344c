//! The outbox read as a log: pages for people, and following it as it grows.

use aiva_contracts::envelope::Envelope;
use aiva_store::{Database, Plain, StoreError};
use rusqlite::params;
use sqlx::Row;
use uuid::Uuid;

use crate::local::queue::place;
use crate::outbox::{self, columns};

/// Which events.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this type.
    pub kind: Option<String>,
    /// Only about this subject.
    pub subject: Option<String>,
}

/// An event with its place in the log.
pub type Placed = (i64, Envelope);

/// Which way to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The latest first, before this position.
    Before(i64),
    /// The earliest first, after this position.
    After(i64),
}

/// The events of a page. New ones are given their positions first, so that a reader sees them without a dispatcher.
///
/// # Errors
/// The store's fault.
pub async fn read(
    database: &Database,
    filter: &Filter,
    direction: Direction,
    limit: usize,
) -> Result<Vec<Placed>, StoreError> {
    place(database).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (from, sqlite, postgres) = match direction {
        Direction::Before(position) => (position, SQLITE_BEFORE, POSTGRES_BEFORE),
        Direction::After(position) => (position, SQLITE_AFTER, POSTGRES_AFTER),
    };
    match database {
        Database::Sqlite(db) => {
            let filter = filter.clone();
            let page = db.read::<_, Plain, _>(move |conn| {
                let mut select = conn.prepare_cached(sqlite)?;
                let rows = select.query_map(params![from, filter.kind, filter.subject, limit], |row| {
                    Ok((row.get(0)?, outbox::sqlite::envelope(row, 1)?))
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            });
            Ok(page.await?)
        }
        Database::Postgres(db) => {
            let select = sqlx::query(postgres).bind(from).bind(&filter.kind).bind(&filter.subject).bind(limit);
            let rows = select.fetch_all(db.pool()).await?;
            let page = rows.iter().map(|row| Ok((row.try_get(0)?, outbox::postgres::envelope(row, 1)?)));
            Ok(page.collect::<Result<_, sqlx::Error>>()?)
        }
    }
}

/// The place of an event; `None` if it is not kept any more.
///
/// # Errors
/// The store's fault.
pub async fn position(database: &Database, event: Uuid) -> Result<Option<i64>, StoreError> {
    place(database).await?;
    let id = event.to_string();
    match database {
        Database::Sqlite(db) => {
            let find = db.read::<_, Plain, _>(move |conn| {
                let mut find = conn.prepare_cached("SELECT position FROM event_outbox WHERE id = ?1")?;
                let mut rows = find.query([id])?;
                Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
            });
            Ok(find.await?)
        }
        Database::Postgres(db) => {
            let find = sqlx::query_scalar("SELECT position FROM event_outbox WHERE id = $1 AND position IS NOT NULL");
            Ok(find.bind(id).fetch_optional(db.pool()).await?)
        }
    }
}

/// The place of the last event; 0 if there is none.
///
/// # Errors
/// The store's fault.
pub async fn end(database: &Database) -> Result<i64, StoreError> {
    let last = read(database, &Filter::default(), Direction::Before(i64::MAX), 1).await?;
    Ok(last.first().map_or(0, |placed| placed.0))
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT o.position, ", columns!(), " FROM event_outbox o WHERE ", $rest)
    };
}

const SQLITE_BEFORE: &str = select!(
    "o.position < ?1 AND (?2 IS NULL OR o.kind = ?2) AND (?3 IS NULL OR o.subject = ?3) ORDER BY o.position DESC LIMIT ?4"
);
const SQLITE_AFTER: &str = select!(
    "o.position > ?1 AND (?2 IS NULL OR o.kind = ?2) AND (?3 IS NULL OR o.subject = ?3) ORDER BY o.position LIMIT ?4"
);
const POSTGRES_BEFORE: &str = select!(
    "o.position < $1 AND ($2::text IS NULL OR o.kind = $2) AND ($3::text IS NULL OR o.subject = $3)
     ORDER BY o.position DESC LIMIT $4"
);
const POSTGRES_AFTER: &str = select!(
    "o.position > $1 AND ($2::text IS NULL OR o.kind = $2) AND ($3::text IS NULL OR o.subject = $3)
     ORDER BY o.position LIMIT $4"
);
