//! A consumer's rows: how far it has admitted events, and which subjects have some to be handled.
//!
//! A subject's row says up to which position it is done and when it is due. Admission and completion of one consumer
//! exclude each other, so that a row is never removed while an event is admitted to it.

mod postgres;
mod sqlite;

use aiva_contracts::envelope::Envelope;
use aiva_store::lease::Lease;
use aiva_store::{Database, StoreError, TxError};

/// Most events of one subject in one go.
pub(super) const RUN: usize = 16;

/// Most events looked at in one admission.
const ADMIT: usize = 1000;

/// One consumer's rows.
#[derive(Clone)]
pub(crate) struct Queue {
    database: Database,
    consumer: &'static str,
    types: &'static [&'static str],
    lease: Option<Lease>,
}

/// A subject whose turn it is.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) done: i64,
    pub(super) attempts: u32,
    pub(super) first_failed_at: Option<i64>,
}

/// The subjects whose turn it is, and when the next one's is.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) subjects: Vec<Subject>,
    pub(super) next_at: Option<i64>,
}

/// How a run over a subject ended.
#[derive(Debug, Clone)]
pub(super) enum Ending {
    /// All that was tried is handled.
    Handled,
    /// The event after `done` failed; it is due again then.
    Retry { due_at: i64, attempts: u32, first_failed_at: i64 },
    /// The event at `position` is given up.
    Dead { position: i64, reason: String, attempts: u32, first_failed_at: i64, now: i64 },
}

/// How far a consumer is behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Events that are not handled.
    pub events: u64,
    /// Age of the oldest of them.
    pub seconds: u64,
    /// Dead letters that wait for a person.
    pub dead_letters: u64,
}

/// How a consumer stands with one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// All that was told is handled, or was given up; nothing may have been told either.
    Done,
    /// Something is still to be handled.
    Coming,
    /// A dead letter waits for a person.
    Stuck,
}

/// Another process serves the consumer by now, or the store failed.
pub(super) type QueueError = TxError<aiva_store::lease::Lost>;

impl Queue {
    pub(crate) fn new(database: &Database, consumer: &'static str, types: &'static [&'static str]) -> Self {
        Self { database: database.clone(), consumer, types, lease: None }
    }

    /// Every write commits only while the lease is held.
    pub(super) fn fenced(mut self, lease: Option<Lease>) -> Self {
        self.lease = lease;
        self
    }

    /// Gives new events to their subjects; true if there may be more.
    pub(super) async fn admit(&self, now: i64) -> Result<bool, QueueError> {
        match &self.database {
            Database::Sqlite(db) => sqlite::admit(db, self.clone(), now).await,
            Database::Postgres(db) => postgres::admit(db, self.clone(), now).await,
        }
    }

    /// The subjects whose turn it is. One whose time is further off than `horizon` is due as well: the clock was set back.
    pub(super) async fn due(&self, now: i64, horizon: i64, limit: usize) -> Result<Due, QueueError> {
        match &self.database {
            Database::Sqlite(db) => sqlite::due(db, self.clone(), (now, horizon), limit).await,
            Database::Postgres(db) => postgres::due(db, self, (now, horizon), limit).await,
        }
    }

    /// The next events of a subject.
    pub(super) async fn events(&self, subject: &Subject) -> Result<Vec<(i64, Envelope)>, QueueError> {
        match &self.database {
            Database::Sqlite(db) => sqlite::events(db, self.clone(), subject.clone()).await,
            Database::Postgres(db) => postgres::events(db, self, subject).await,
        }
    }

    /// Records that a subject is done up to `done`, and how the run ended.
    pub(super) async fn finish(&self, subject: &str, done: i64, ending: Ending, now: i64) -> Result<(), QueueError> {
        match &self.database {
            Database::Sqlite(db) => sqlite::finish(db, self.clone(), (subject.to_owned(), done), ending, now).await,
            Database::Postgres(db) => postgres::finish(db, self.clone(), (subject.to_owned(), done), ending, now).await,
        }
    }

    pub(crate) async fn standing(&self, subject: &str) -> Result<Standing, StoreError> {
        let (is_stuck, is_coming) = match &self.database {
            Database::Sqlite(db) => sqlite::standing(db, self.clone(), subject.to_owned()).await?,
            Database::Postgres(db) => postgres::standing(db, self, subject).await?,
        };
        Ok(match (is_stuck, is_coming) {
            (true, _) => Standing::Stuck,
            (false, true) => Standing::Coming,
            (false, false) => Standing::Done,
        })
    }

    pub(crate) async fn lag(&self, now: i64) -> Result<Lag, StoreError> {
        let (events, oldest, dead) = match &self.database {
            Database::Sqlite(db) => sqlite::lag(db, self.clone()).await?,
            Database::Postgres(db) => postgres::lag(db, self).await?,
        };
        let age = oldest.map_or(0, |oldest| now.saturating_sub(oldest).max(0) / 1_000_000);
        Ok(Lag { events: events.unsigned_abs(), seconds: age.unsigned_abs(), dead_letters: dead.unsigned_abs() })
    }
}

/// Gives a position to every event that is visible and has none. Nothing to do on SQLite.
pub(crate) async fn place(database: &Database) -> Result<(), StoreError> {
    match database {
        Database::Sqlite(_) => Ok(()),
        Database::Postgres(db) => postgres::place(db).await,
    }
}

/// Among the events looked at, the first of each subject that the consumer wants: `(subject, position)`.
fn firsts<'a>(seen: impl Iterator<Item = (i64, &'a str, &'a str)>, types: &[&str]) -> Vec<(String, i64)> {
    let mut firsts: Vec<(String, i64)> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for (position, subject, kind) in seen {
        if types.contains(&kind) && known.insert(subject) {
            firsts.push((subject.to_owned(), position));
        }
    }
    firsts
}
