//! The local dispatcher: delivers the outbox to the handlers of this process, on either engine.
//!
//! Promises, per consumer: at least once; in order per subject; a subject that fails or takes long holds up no other, nor
//! does another consumer; a failure is tried again with backoff and jitter, then becomes a dead letter behind which its
//! subject waits. It wakes on a commit and is otherwise idle. On PostgreSQL a lease lets one process at a time serve a
//! consumer, and fences off one that does not know it has lost.
//!
//! What is kept: how far each consumer has admitted events, and one row per subject that still has some to be handled.
//! Nothing is written per delivered event but its handler's own work and that row.
//!
//! Start reading at [`Dispatcher::run`]; one consumer is a `lane`, its rows are in `queue`.

mod lane;
mod prune;
pub(crate) mod queue;
pub(crate) mod signal;

use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::alert::{Alerts, Cause};
use aiva_chassis::clock::SharedClock;
use aiva_chassis::resilience::Backoff;
use aiva_chassis::shutdown::Stop;
use aiva_store::{Database, StoreError};
use tokio::task::JoinSet;

use crate::consume::Handler;
use lane::Lane;
pub use queue::{Lag, Standing};

/// A consumer could not handle an event. Its page is `docs/runbooks/dead-letter.md`.
pub const DEAD_LETTER: Cause = Cause::new("dead-letter");

/// How the dispatcher behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The waits between the tries of an event.
    pub backoff: Backoff,
    /// Tries of an event before it becomes a dead letter.
    pub attempts: u32,
    /// How long to sleep at most without being woken; a net under missed notices of PostgreSQL.
    pub poll: Duration,
    /// How long a process may serve a consumer without being heard of (PostgreSQL).
    pub lease: Duration,
    /// How long delivered events are kept for `aiva events tail` and for new consumers.
    pub retention: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            backoff: Backoff { first: Duration::from_millis(200), most: Duration::from_secs(300) },
            attempts: 12,
            poll: Duration::from_secs(5),
            lease: Duration::from_secs(10),
            retention: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// Delivers events to handlers.
pub struct Dispatcher {
    database: Database,
    clock: SharedClock,
    options: Options,
    handlers: Vec<Arc<dyn Handler>>,
    alerts: Option<Alerts>,
    brief: Vec<(&'static str, Duration)>,
}

impl Dispatcher {
    /// Without handlers yet.
    pub fn new(database: Database, clock: SharedClock, options: Options) -> Self {
        Self { database, clock, options, handlers: Vec::new(), alerts: None, brief: Vec::new() }
    }

    /// Who is told of dead letters.
    #[must_use]
    pub fn alerts(mut self, alerts: Alerts) -> Self {
        self.alerts = Some(alerts);
        self
    }

    /// Events of a type are removed earlier than others, once all consumers are done with them: for those that are large and that
    /// nobody reads later.
    #[must_use]
    pub fn brief(mut self, kind: &'static str, retention: Duration) -> Self {
        self.brief.push((kind, retention));
        self
    }

    /// Adds a consumer.
    ///
    /// # Panics
    /// If its name is taken: two handlers would share one progress.
    #[must_use]
    pub fn with(mut self, handler: Arc<dyn Handler>) -> Self {
        let name = handler.consumer();
        assert!(self.handlers.iter().all(|other| other.consumer() != name), "two handlers are called {name}");
        self.handlers.push(handler);
        self
    }

    /// Delivers until the stop begins; then ends the events in hand, and cuts them off when the stop says so.
    pub async fn run(self, stop: Stop) {
        let mut tasks = JoinSet::new();
        let (signal, woken) = signal::watch(&self.database, self.options.poll);
        let consumers: Vec<_> = self.handlers.iter().map(|handler| handler.consumer().to_owned()).collect();
        for handler in self.handlers {
            let lane = Lane {
                database: self.database.clone(),
                clock: Arc::clone(&self.clock),
                options: self.options.clone(),
                handler,
                alerts: self.alerts.clone(),
                woken: woken.clone(),
                stop: stop.clone(),
            };
            tasks.spawn(lane.serve());
        }
        let pruning = prune::Pruning { retention: self.options.retention, brief: self.brief, consumers };
        tasks.spawn(pruning.serve(self.database, self.clock, stop.clone()));
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended
                && error.is_panic()
            {
                // A lane contains its handlers' panics; one of its own is a defect, and the consumer must not stay dead.
                tracing::error!("a dispatcher lane panicked: the dispatcher stops so that its owner starts it anew");
                aiva_chassis::panic::contain(
                    aiva_chassis::panic::Entry::Task,
                    || aiva_chassis::panic::Place::new("events.dispatcher"),
                    error.into_panic(),
                );
                break;
            }
        }
        drop(signal);
    }
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let consumers: Vec<_> = self.handlers.iter().map(|handler| handler.consumer()).collect();
        f.debug_struct("Dispatcher").field("consumers", &consumers).finish_non_exhaustive()
    }
}

/// How a consumer stands with what was told about one subject.
///
/// # Errors
/// The store's fault.
pub async fn standing(
    database: &Database,
    consumer: &'static str,
    types: &'static [&'static str],
    subject: &str,
) -> Result<Standing, StoreError> {
    queue::Queue::new(database, consumer, types).standing(subject).await
}

/// How far a consumer is behind: what is not handled, dead letters and what waits behind them included.
///
/// # Errors
/// The store's fault.
pub async fn lag(
    database: &Database,
    clock: &SharedClock,
    consumer: &'static str,
    types: &'static [&'static str],
) -> Result<Lag, StoreError> {
    queue::Queue::new(database, consumer, types).lag(clock.now().as_microsecond()).await
}
