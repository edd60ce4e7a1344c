//! Work on many items at once, within bounds.
//!
//! Promises: queues and concurrency are bounded; a full queue refuses at once or makes the caller wait, as the caller
//! chooses; a panic costs its own item only; a failed item is tried again inside the worker that has it, never by way of the
//! queue (which could wait for itself); every failure is kept; nothing is ever sent to something that is closed.
//!
//! [`pool`] serves items that come from anywhere over time; [`pipeline`] takes a batch through stages.

pub mod pipeline;
pub mod pool;

use std::borrow::Cow;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use tokio::time::{Instant, timeout_at};

use crate::panic::Panicked;
use crate::resilience::{Backoff, Verdict};
use crate::telemetry::metrics::{Counter, Family, Gauge, metrics};

pub use pipeline::Pipeline;
pub use pool::{Pool, Ticket};

/// Why an item has no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure<E> {
    /// The work failed, at the last of so many tries.
    #[error("failed after {tries} tries")]
    Failed {
        /// How often it was tried.
        tries: u32,
        /// The last failure.
        #[source]
        error: E,
    },
    /// The work panicked; the panic is reported already, and is not tried again.
    #[error("internal error")]
    Panicked,
    /// It took longer than an item may.
    #[error("took too long")]
    TimedOut,
    /// It was cancelled before it was done.
    #[error("cancelled")]
    Cancelled,
}

/// How one kind of item is worked on.
#[derive(Debug, Clone, Copy)]
pub struct Settings<E> {
    /// How many items at once.
    pub workers: usize,
    /// How many more may wait.
    pub queue: usize,
    /// How often an item is tried.
    pub tries: u32,
    /// The waits between tries.
    pub backoff: Backoff,
    /// Whether another try may help.
    pub judge: fn(&E) -> Verdict,
    /// How long one item may take, all tries together.
    pub limit: Duration,
}

impl<E> Settings<E> {
    /// So many items at once and twice as many waiting, one try, ten minutes.
    pub fn workers(workers: usize) -> Self {
        Self {
            workers: workers.max(1),
            queue: workers.max(1) * 2,
            tries: 1,
            backoff: Backoff::default(),
            judge: |_| Verdict::Permanent,
            limit: Duration::from_secs(600),
        }
    }

    /// With another bound for what waits.
    #[must_use]
    pub fn queue(mut self, queue: usize) -> Self {
        self.queue = queue;
        self
    }

    /// Trying again where `judge` says that it may help.
    #[must_use]
    pub fn retry(mut self, tries: u32, backoff: Backoff, judge: fn(&E) -> Verdict) -> Self {
        (self.tries, self.backoff, self.judge) = (tries.max(1), backoff, judge);
        self
    }

    /// With another time limit for one item.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

/// Tries an item until it is done, is hopeless, or is out of tries or time. `work` gets the number of the try.
async fn attempt<O, E, Fut>(
    settings: &Settings<E>,
    counts: &Counts,
    mut work: impl FnMut(u32) -> Fut,
) -> Result<O, Failure<E>>
where
    Fut: Future<Output = Result<Result<O, E>, Panicked>>,
{
    let deadline = Instant::now() + settings.limit;
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match timeout_at(deadline, work(tries)).await {
            Err(_) => return Err(Failure::TimedOut),
            Ok(Err(Panicked)) => return Err(Failure::Panicked),
            Ok(Ok(Ok(output))) => return Ok(output),
            Ok(Ok(Err(error))) => error,
        };
        let wait = match (settings.judge)(&error) {
            Verdict::Transient => settings.backoff.jittered(tries),
            Verdict::After(asked) => asked,
            Verdict::Permanent => return Err(Failure::Failed { tries, error }),
        };
        if tries >= settings.tries || Instant::now() + wait >= deadline {
            return Err(Failure::Failed { tries, error });
        }
        counts.retried.inc();
        tokio::time::sleep(wait).await;
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    pool: Cow<'static, str>,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    pool: Cow<'static, str>,
}

/// The handles of one pool's or stage's counters, all at zero from the start.
#[derive(Debug, Clone)]
struct Counts {
    done: Counter,
    failed: Counter,
    panicked: Counter,
    timed_out: Counter,
    cancelled: Counter,
    retried: Counter,
    refused: Counter,
    waiting: Gauge,
    running: Gauge,
}

impl Counts {
    fn of(pool: &'static str) -> Self {
        struct Families {
            items: Family<OutcomeLabels, Counter>,
            waiting: Family<PoolLabels, Gauge>,
            running: Family<PoolLabels, Gauge>,
        }
        static FAMILIES: OnceLock<Families> = OnceLock::new();
        let families = FAMILIES.get_or_init(|| Families {
            items: metrics().register("worker_items", "Items that workers were given, by outcome", Family::default()),
            waiting: metrics().register("worker_items_waiting", "Items in a queue", Family::default()),
            running: metrics().register("worker_items_running", "Items being worked on", Family::default()),
        });
        let items = |outcome| families.items.get_or_create_owned(&OutcomeLabels { pool: Cow::Borrowed(pool), outcome });
        let labels = PoolLabels { pool: Cow::Borrowed(pool) };
        Self {
            done: items("done"),
            failed: items("failed"),
            panicked: items("panicked"),
            timed_out: items("timed_out"),
            cancelled: items("cancelled"),
            retried: items("retried"),
            refused: items("refused"),
            waiting: families.waiting.get_or_create_owned(&labels),
            running: families.running.get_or_create_owned(&labels),
        }
    }

    fn count<O, E>(&self, outcome: &Result<O, Failure<E>>) {
        match outcome {
            Ok(_) => &self.done,
            Err(Failure::Failed { .. }) => &self.failed,
            Err(Failure::Panicked) => &self.panicked,
            Err(Failure::TimedOut) => &self.timed_out,
            Err(Failure::Cancelled) => &self.cancelled,
        }
        .inc();
    }
}

/// Raises a gauge while it lives.
struct Raised(Gauge);

impl Raised {
    fn on(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.0.dec();
    }
}
