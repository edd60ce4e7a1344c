//! The embedded store: every use case is one transaction on the single writer, and its events commit with it.
//!
//! Functions below take a transaction and decide nothing themselves: lives, identities and covers come from the pure
//! modules.

mod exceptions;
mod findings;
mod ingest;
mod lists;
mod scans;
mod schema;
mod services;

use std::sync::Arc;

use aiva_contracts::envelope::Envelope;
use aiva_events::outbox;
use aiva_events::publish::{Context, NewEvent};
use aiva_store::{Sqlite, StoreError, TxError};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use ingest::input;
pub use schema::MIGRATIONS;

use crate::exception::Exception;
use crate::ports::{Attempt, Done, Refusal};

/// The embedded store of findings.
#[derive(Debug, Clone)]
pub struct Store {
    db: Sqlite,
    file: Arc<[Exception]>,
    cause: Option<Arc<Envelope>>,
}

/// One writing use case: its transaction, its time and what its events have in common.
struct Work<'t> {
    tx: &'t Transaction<'t>,
    now: Timestamp,
    context: Context,
    file: &'t [Exception],
}

/// Who says what findings say.
const SOURCE: &str = "aiva/findings";

impl Store {
    /// A store with the exceptions that the configuration defines.
    pub fn new(db: Sqlite, file: Vec<Exception>) -> Self {
        Self { db, file: file.into(), cause: None }
    }

    /// The same store, whose events follow from `cause`.
    #[must_use]
    pub fn following(&self, cause: &Envelope) -> Self {
        let cause = Envelope { data: Vec::new(), ..cause.clone() };
        Self { cause: Some(Arc::new(cause)), ..self.clone() }
    }

    async fn write<T, F>(&self, now: Timestamp, work: F) -> Done<T>
    where
        T: Send + 'static,
        F: FnOnce(&Work<'_>) -> Done<T> + Send + 'static,
    {
        let file = Arc::clone(&self.file);
        let context = match &self.cause {
            Some(cause) => Context::following(cause, SOURCE, now),
            None => Context::new(SOURCE, now, uuid::Uuid::now_v7().to_string()),
        };
        self.db.write(move |tx| work(&Work { tx, now, context, file: &file })).await
    }

    async fn read<T, F>(&self, work: F) -> Done<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Done<T> + Send + 'static,
    {
        self.db.read(work).await
    }
}

impl Work<'_> {
    fn emit(&self, event: NewEvent) -> Done<()> {
        outbox::sqlite::append(self.tx, &[event], &self.context)?;
        Ok(())
    }

    fn today(&self) -> Date {
        day(self.now)
    }

    fn micros(&self) -> i64 {
        self.now.as_microsecond()
    }

    /// Does the work once for a key; a repetition gets the first answer.
    fn once<T: Serialize + DeserializeOwned>(
        &self,
        attempt: Option<&Attempt>,
        work: impl FnOnce() -> Done<T>,
    ) -> Done<T> {
        let Some(attempt) = attempt else { return work() };
        let a_day = 86_400_000_000;
        self.tx.execute("DELETE FROM findings_attempts WHERE at < ?1", [self.micros() - a_day])?;
        let known: Option<(Vec<u8>, String)> = self
            .tx
            .query_row("SELECT request, answer FROM findings_attempts WHERE key = ?1", [&attempt.key], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((request, answer)) = known {
            return if request == attempt.request { from_json(&answer) } else { refuse(Refusal::KeyReused) };
        }
        let answer = work()?;
        self.tx.execute(
            "INSERT INTO findings_attempts (key, request, answer, at) VALUES (?1, ?2, ?3, ?4)",
            params![attempt.key, attempt.request, to_json(&answer)?, self.micros()],
        )?;
        Ok(answer)
    }
}

fn refuse<T>(refusal: Refusal) -> Done<T> {
    Err(TxError::Refused(refusal))
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Rejected(Arc::new(error)))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Done<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Rejected(Arc::new(error)).into())
}

/// A word of the contract as it is stored.
fn word<T: std::str::FromStr>(text: &str) -> Done<T> {
    text.parse().map_err(|_| StoreError::Rejected(Arc::new(UnknownStoredWord(text.to_owned()))).into())
}

/// A row written by a release with more words than this one.
#[derive(Debug, thiserror::Error)]
#[error("the stored word {0:?} is not known to this release")]
struct UnknownStoredWord(String);

fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
