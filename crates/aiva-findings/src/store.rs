//! Where findings are kept: every use case is one transaction, and its events commit with it, on either engine.
//!
//! A use case is written once, over [`rows`]: what the tables hold, read and written in batches. The two engines differ
//! in their rows only ([`sqlite`], [`postgres`]), so they cannot differ in what happens to a finding. Lives, identities
//! and covers come from the pure modules; nothing here decides them.
//!
//! One use case at a time changes a service, whatever the engine: the embedded store has one writer, PostgreSQL takes a
//! lock for the transaction ([`rows::Scope`]). What loses to a deadlock or a serialization failure all the same runs again,
//! at most three times, and is counted.
//!
//! Start reading at [`Store`].

mod exceptions;
mod findings;
pub(crate) mod ingest;
mod kept;
mod lists;
mod postgres;
mod rows;
mod scans;
mod schema;
mod services;
mod sqlite;

use std::sync::Arc;

use aiva_chassis::http::context;
use aiva_chassis::telemetry::metrics::metrics;
use aiva_contracts::envelope::Envelope;
use aiva_events::publish::{Context, NewEvent};
use aiva_store::{Database, StoreError, TxError};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Serialize, de::DeserializeOwned};

pub use schema::MIGRATIONS;

use crate::exception::Exception;
use crate::ports::{Attempt, Done, Refusal};
use rows::{Rows, Scope};

/// The store of findings; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    db: Database,
    file: Arc<[Exception]>,
    cause: Option<Arc<Envelope>>,
}

/// One writing use case: its rows, its time and what its events have in common.
struct Work<'w, R> {
    rows: &'w mut R,
    now: Timestamp,
    context: Context,
    file: Arc<[Exception]>,
}

/// Who says what findings say.
const SOURCE: &str = "aiva/findings";

/// What optimistic locks and lost transactions are counted by.
const AGGREGATES: [&str; 4] = ["service", "scan", "finding", "exception"];

/// What must hold whatever happens, by aggregate.
const INVARIANTS: [(&str, &str); 4] = [CHUNKS, ACCEPTANCE, RULE, ROW];
const CHUNKS: (&str, &str) = ("scan", "no chunk is missing");
const ACCEPTANCE: (&str, &str) = ("finding", "what is accepted has an acceptance");
const RULE: (&str, &str) = ("exception", "a stored rule can be read");
const ROW: (&str, &str) = ("findings", "a stored row can be read");

/// Runs a use case, written over rows, in a transaction of the engine at hand.
macro_rules! in_tx {
    ($store:expr, $aggregate:literal, $now:expr, $use_case:expr $(, $arg:ident)* $(,)?) => {{
        let (now, file, context) = ($now, &$store.file, $store.context($now));
        let outcome = match &$store.db {
            aiva_store::Database::Sqlite(db) => {
                let file = std::sync::Arc::clone(file);
                db.write(move |tx| {
                    let mut rows = crate::store::sqlite::SqliteRows::writing(tx);
                    let mut work = crate::store::Work { rows: &mut rows, now, context, file };
                    crate::store::sqlite::at_once($use_case(&mut work $(, $arg)*))
                })
                .await
            }
            aiva_store::Database::Postgres(db) => {
                db.write_of($aggregate, |tx| {
                    // A transaction that lost against another runs again, so that each try has arguments of its own.
                    $(let $arg = Clone::clone(&$arg);)*
                    let (file, context) = (std::sync::Arc::clone(file), context.clone());
                    Box::pin(async move {
                        let mut work = crate::store::Work { rows: tx, now, context, file };
                        $use_case(&mut work $(, $arg)*).await
                    })
                })
                .await
            }
        };
        crate::store::counted($aggregate, outcome)
    }};
}
use in_tx;

/// Runs a reading use case on one snapshot of the engine at hand.
macro_rules! on_snapshot {
    ($store:expr, $use_case:expr $(, $arg:ident)* $(,)?) => {
        match &$store.db {
            aiva_store::Database::Sqlite(db) => {
                db.read(move |conn| {
                    let mut rows = crate::store::sqlite::SqliteRows::reading(conn);
                    crate::store::sqlite::at_once($use_case(&mut rows $(, $arg)*))
                })
                .await
            }
            aiva_store::Database::Postgres(db) => {
                let mut tx = db.snapshot().await?;
                $use_case(&mut *tx $(, $arg)*).await
            }
        }
    };
}
use on_snapshot;

impl Store {
    /// A store with the exceptions that the configuration defines. Its counters exist from now on.
    pub fn new(db: Database, file: Vec<Exception>) -> Self {
        for aggregate in AGGREGATES {
            metrics().conflict(aggregate);
        }
        for (aggregate, invariant) in INVARIANTS {
            metrics().invariant(aggregate, invariant);
        }
        Self { db, file: file.into(), cause: None }
    }

    /// The same store, whose events follow from `cause`.
    #[must_use]
    pub fn following(&self, cause: &Envelope) -> Self {
        let cause = Envelope { data: Vec::new(), ..cause.clone() };
        Self { cause: Some(Arc::new(cause)), ..self.clone() }
    }

    /// What the events of a use case have in common: they follow from an event, else from the request that is being
    /// answered, else from nothing but themselves.
    fn context(&self, now: Timestamp) -> Context {
        if let Some(cause) = &self.cause {
            return Context::following(cause, SOURCE, now);
        }
        let Some(request) = context::current() else {
            return Context::new(SOURCE, now, uuid::Uuid::now_v7().to_string());
        };
        let traceparent = request.trace().to_value().to_str().unwrap_or_default().to_owned();
        Context { traceparent, ..Context::new(SOURCE, now, request.correlation_id()) }
    }
}

impl<R: Rows> Work<'_, R> {
    async fn emit(&mut self, events: &[NewEvent]) -> Done<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.rows.emit(events, &self.context).await
    }

    async fn lock_service(&mut self, name: &str) -> Done<()> {
        self.rows.lock(Scope::Service(name)).await
    }

    fn today(&self) -> Date {
        day(self.now)
    }

    fn micros(&self) -> i64 {
        self.now.as_microsecond()
    }

    /// The first answer to an attempt that is repeated within a day.
    async fn answered<T: DeserializeOwned>(&mut self, attempt: Option<&Attempt>) -> Done<Option<T>> {
        let Some(attempt) = attempt else { return Ok(None) };
        self.rows.lock(Scope::Key(&attempt.key)).await?;
        let a_day = 86_400_000_000;
        self.rows.forget_attempts(self.micros() - a_day).await?;
        match self.rows.attempt(&attempt.key).await? {
            None => Ok(None),
            Some((request, answer)) if request == attempt.request => Ok(Some(from_json(&answer)?)),
            Some(_) => refuse(Refusal::KeyReused),
        }
    }

    /// Keeps the answer to an attempt, for who asks again.
    async fn answer<T: Serialize + Sync>(&mut self, attempt: Option<&Attempt>, answer: &T) -> Done<()> {
        let Some(attempt) = attempt else { return Ok(()) };
        self.rows.keep_attempt(attempt, &to_json(answer)?, self.micros()).await
    }
}

/// Counts what the caller, or another transaction, changed in the meantime.
fn counted<T>(aggregate: &'static str, outcome: Done<T>) -> Done<T> {
    match &outcome {
        Err(TxError::Refused(Refusal::Stale)) => {
            metrics().conflict(aggregate).inc();
        }
        Err(TxError::Refused(Refusal::Missing)) => broken(CHUNKS),
        _ => {}
    }
    outcome
}

fn broken((aggregate, invariant): (&'static str, &'static str)) {
    metrics().invariant(aggregate, invariant).inc();
    tracing::error!(aggregate, invariant, "an invariant is broken");
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
    serde_json::from_str(text).map_err(|error| {
        broken(ROW);
        StoreError::Rejected(Arc::new(error)).into()
    })
}

fn all_from_json<T: DeserializeOwned>(texts: &[String]) -> Done<Vec<T>> {
    texts.iter().map(|text| from_json(text)).collect()
}

/// A word of the contract as it is stored.
fn word<T: std::str::FromStr>(text: &str) -> Done<T> {
    text.parse().map_err(|_| {
        broken(ROW);
        StoreError::Rejected(Arc::new(UnknownStoredWord(text.to_owned()))).into()
    })
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
