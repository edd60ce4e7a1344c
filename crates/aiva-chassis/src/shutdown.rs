//! Going down without losing anything.
//!
//! Promises: a request to stop (SIGTERM, SIGINT or [`Shutdown::request`]) is answered in stages: first the edge stops
//! accepting and finishes what it has, then background work, then the stores. Everything that holds a [`Work`] guard is
//! waited for; each stage has its share of one deadline, and what is not done by then is cut off and named. A second signal
//! exits at once.
//!
//! Start reading at [`Shutdown::drain`]; tasks are spawned through [`supervisor`].

pub mod supervisor;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

pub use supervisor::{Policy, Restart, Supervisor};

/// The order in which things stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Listeners and the requests they took: stop accepting, finish what is there.
    Edge,
    /// Workers, relays, schedules: finish the item in hand, take no new one.
    Work,
    /// Writers and buffers that the others need until the end: flush and close.
    Store,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Edge, Self::Work, Self::Store];

    /// The share of the whole deadline that is used up when this stage must be done. A stuck request must not cost the
    /// stores their flush.
    fn share(self) -> f64 {
        match self {
            Self::Edge => 0.7,
            Self::Work => 0.9,
            Self::Store => 1.0,
        }
    }
}

/// The process's one way down; cheap to clone, all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    requested: CancellationToken,
    stages: Arc<[StageState; 3]>,
}

#[derive(Debug, Default)]
struct StageState {
    begun: CancellationToken,
    cut: CancellationToken,
    work: Mutex<BTreeMap<String, usize>>,
    changed: Notify,
}

/// How a drain ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drained {
    /// All work was finished.
    Clean,
    /// The deadline of a stage came first.
    Cut {
        /// What was cut off, by name.
        left: Vec<String>,
        /// How long the first of it was waited for.
        after: Duration,
    },
}

impl Drained {
    /// What was cut off, by name.
    pub fn left(&self) -> &[String] {
        match self {
            Self::Clean => &[],
            Self::Cut { left, .. } => left,
        }
    }

    /// What people are told of it, if anything was cut off.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::Clean => None,
            Self::Cut { left, after } => {
                let (left, after) = (left.join(", "), after.as_secs_f64());
                Some(format!("cut off {after:.1} s after the stop was asked for: {left}"))
            }
        }
    }
}

impl Shutdown {
    /// Nothing is stopping yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the process to go down; asking twice is asking once.
    pub fn request(&self) {
        self.requested.cancel();
    }

    /// Whether someone has asked.
    pub fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }

    /// Resolves when someone has asked.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// What a part of this stage needs to stop in its turn.
    pub fn stop(&self, stage: Stage) -> Stop {
        let state = &self.stages[stage as usize];
        Stop { begun: state.begun.child_token(), cut: state.cut.child_token(), stage, root: self.clone() }
    }

    /// Stops stage after stage and waits for their work, for `limit` in all.
    pub async fn drain(&self, limit: Duration) -> Drained {
        self.request();
        let started = Instant::now();
        let (mut left, mut after) = (Vec::new(), None);
        for stage in Stage::ALL {
            let state = &self.stages[stage as usize];
            state.begun.cancel();
            if timeout_at(started + limit.mul_f64(stage.share()), state.idle()).await.is_err() {
                left.extend(state.lock().keys().cloned());
                if !left.is_empty() {
                    after.get_or_insert_with(|| started.elapsed());
                }
                state.cut.cancel();
                // What obeys the cut is gone within one poll; what does not (a blocking thread) is left behind.
                let _obeyed = timeout_at(Instant::now() + Duration::from_millis(200), state.idle()).await;
            }
        }
        match after {
            Some(after) => Drained::Cut { left, after },
            None => Drained::Clean,
        }
    }

    /// Listens for SIGTERM and SIGINT for the rest of the process's life: the first requests the shutdown, the second exits
    /// at once with 128 and the signal's number.
    ///
    /// # Errors
    /// If the handlers cannot be installed.
    pub fn on_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new()?;
        let shutdown = self.clone();
        tokio::spawn(async move {
            let name = signals.next().await.0;
            tracing::info!(signal = name, "stopping: finishing what is under way; a second signal exits at once");
            shutdown.request();
            let (name, number) = signals.next().await;
            tracing::warn!(signal = name, "second signal: exiting at once");
            std::process::exit(128 + number);
        });
        Ok(())
    }
}

impl StageState {
    async fn idle(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When and how one part has to stop. Clones and children share the stage; stopping a child stops only its own children.
#[derive(Debug, Clone)]
pub struct Stop {
    begun: CancellationToken,
    cut: CancellationToken,
    stage: Stage,
    root: Shutdown,
}

impl Stop {
    /// A branch of its own: it stops with this one, and can be stopped alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { begun: self.begun.child_token(), cut: self.cut.child_token(), ..self.clone() }
    }

    /// Stops this branch: no new work.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    /// Whether to take no new work.
    pub fn has_begun(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Resolves when no new work should be taken.
    pub async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// Resolves when the time for finishing is over.
    pub async fn cut(&self) {
        self.cut.cancelled().await;
    }

    /// The token behind [`Stop::begun`], for code that wants one.
    pub fn token(&self) -> CancellationToken {
        self.begun.clone()
    }

    /// Registers a piece of work that the drain waits for, until the guard is dropped. `name` is what the log says if it
    /// has to be cut off.
    pub fn work(&self, name: impl Into<String>) -> Work {
        let name = name.into();
        *self.state().lock().entry(name.clone()).or_default() += 1;
        Work { name, stop: self.clone() }
    }

    /// Runs the future until it is done or no new work should be taken, whichever is first.
    pub async fn until<F: Future>(&self, work: F) -> Option<F::Output> {
        self.begun.run_until_cancelled(work).await
    }

    /// Sleeps; false if the stop came first.
    pub async fn sleep(&self, time: Duration) -> bool {
        self.until(tokio::time::sleep(time)).await.is_some()
    }

    fn state(&self) -> &StageState {
        &self.root.stages[self.stage as usize]
    }
}

/// A piece of work that the drain waits for.
#[derive(Debug)]
pub struct Work {
    name: String,
    stop: Stop,
}

impl Drop for Work {
    fn drop(&mut self) {
        let state = self.stop.state();
        let mut work = state.lock();
        if let Some(count) = work.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                work.remove(&self.name);
            }
        }
        if work.is_empty() {
            state.changed.notify_waiters();
        }
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", 15),
            _ = self.interrupt.recv() => ("SIGINT", 2),
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> (&'static str, i32) {
        match tokio::signal::ctrl_c().await {
            Ok(()) => ("SIGINT", 2),
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn stages_stop_in_order_and_work_is_waited_for() {
        let shutdown = Shutdown::new();
        let (order, mut seen) = tokio::sync::mpsc::unbounded_channel();
        for (stage, seconds) in [(Stage::Store, 1), (Stage::Edge, 3), (Stage::Work, 2)] {
            let (stop, order) = (shutdown.stop(stage), order.clone());
            let work = stop.work(format!("{stage:?}"));
            tokio::spawn(async move {
                stop.begun().await;
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                order.send(stage).unwrap();
                drop(work);
            });
        }
        assert_eq!(shutdown.drain(Duration::from_secs(30)).await, Drained::Clean);
        drop(order);
        let mut got = Vec::new();
        while let Some(stage) = seen.recv().await {
            got.push(stage);
        }
        assert_eq!(got, [Stage::Edge, Stage::Work, Stage::Store]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_stuck_is_cut_and_named_and_the_stores_still_flush() {
        let shutdown = Shutdown::new();
        let (edge, store) = (shutdown.stop(Stage::Edge), shutdown.stop(Stage::Store));
        let (stuck, writer) = (edge.work("GET /slow"), store.work("writer"));
        let flushed = tokio::spawn(async move {
            store.begun().await;
            drop(writer);
        });
        let cut = tokio::spawn(async move {
            edge.cut().await;
            drop(stuck);
        });
        let started = Instant::now();
        let drained = shutdown.drain(Duration::from_secs(10)).await;
        assert_eq!(drained.warning().unwrap(), "cut off 7.0 s after the stop was asked for: GET /slow");
        assert!(started.elapsed() <= Duration::from_secs(10));
        flushed.await.unwrap();
        cut.await.unwrap();
    }

    #[tokio::test]
    async fn a_child_stops_alone_or_with_its_parent() {
        let shutdown = Shutdown::new();
        let parent = shutdown.stop(Stage::Work);
        let (one, two) = (parent.child(), parent.child());
        one.begin();
        assert!(one.has_begun() && !two.has_begun() && !parent.has_begun());
        assert_eq!(shutdown.drain(Duration::from_secs(1)).await, Drained::Clean);
        assert!(two.has_begun() && shutdown.is_requested());
    }
}
