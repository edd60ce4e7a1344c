//! Leases: at most one leader for a job, and a token that fences off a leader that does not know it has lost.
//!
//! Promises: of any number of callers at most one holds a name's lease; each taking has a higher token than all before; a
//! transaction guarded by a lease ([`sqlite::guard`], [`postgres::guard`]) commits only if nobody took the lease since.
//! Time is the server's own on PostgreSQL, so skewed machines agree, and the given clock's on SQLite.

pub mod postgres;
pub mod sqlite;

use std::time::Duration;

use aiva_chassis::clock::Clock;

use crate::{Database, StoreError};

/// A lease that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it is about: the job's name.
    pub name: String,
    /// Who took it.
    pub holder: String,
    /// Higher than the token of every earlier taking.
    pub token: i64,
}

/// The lease is another's by now: stop the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease was lost to another holder")]
pub struct Lost;

/// Takes the lease if it is free, has run out, or is `holder`'s own from before; `None` while another has it.
///
/// # Errors
/// The store's fault.
pub async fn take(
    database: &Database,
    clock: &dyn Clock,
    (name, holder): (&str, &str),
    time: Duration,
) -> Result<Option<Lease>, StoreError> {
    let token = match database {
        Database::Sqlite(db) => sqlite::take(db, now(clock), (name, holder), micros(time)).await?,
        Database::Postgres(db) => postgres::take(db, (name, holder), micros(time)).await?,
    };
    Ok(token.map(|token| Lease { name: name.to_owned(), holder: holder.to_owned(), token }))
}

/// Holds it for `time` from now; false if it was lost.
///
/// # Errors
/// The store's fault. Until the lease runs out it is still held.
pub async fn renew(database: &Database, clock: &dyn Clock, lease: &Lease, time: Duration) -> Result<bool, StoreError> {
    match database {
        Database::Sqlite(db) => sqlite::extend(db, now(clock), lease, micros(time)).await,
        Database::Postgres(db) => postgres::extend(db, lease, micros(time)).await,
    }
}

/// Gives it up so that another can have it at once.
///
/// # Errors
/// The store's fault; the lease then runs out by itself.
pub async fn release(database: &Database, clock: &dyn Clock, lease: &Lease) -> Result<(), StoreError> {
    renew(database, clock, lease, Duration::ZERO).await.map(drop)
}

fn now(clock: &dyn Clock) -> i64 {
    clock.now().as_microsecond()
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}
