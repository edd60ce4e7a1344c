//! The owner of every background task.
//!
//! Promises: a supervised task that fails or panics is started again after a backoff with jitter; one that keeps failing
//! makes the process not ready, with its reason, and raises an alert, instead of disappearing. Every task is counted while
//! it lives (`aiva_tasks_alive{task}`), holds up the drain of its stage, and is cut off when that stage's time is over.
//!
//! Start reading at [`Supervisor::spawn`].

use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use super::{Shutdown, Stage, Stop};
use crate::alert::{Alert, Alerts, Cause, Level};
use crate::health::{Check, Health, Impact};
use crate::panic::{self, Entry, Place};
use crate::resilience::Backoff;
use crate::telemetry::metrics::metrics;

/// A task keeps failing and is no longer started. Its page is `docs/runbooks/task-gave-up.md`.
pub const GAVE_UP: Cause = Cause::new("task-gave-up");

/// What the end of a task means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// It should run until it is told to stop: any earlier end is a failure.
    Always,
    /// It may end well by itself; only errors and panics are failures.
    OnFailure,
}

/// How one task is kept alive.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// When it stops.
    pub stage: Stage,
    /// What its end means.
    pub restart: Restart,
    /// The waits between failures.
    pub backoff: Backoff,
    /// After this many failures in a row it is given up and the process is not ready.
    pub failures: u32,
    /// A run this long wipes out earlier failures.
    pub healthy_after: Duration,
    /// Whether giving it up makes the process not ready, or only costs score.
    pub impact: Impact,
}

impl Policy {
    /// A loop that runs as long as the process: 8 failures in a row, 60 s of health wipes them out.
    pub fn service(stage: Stage) -> Self {
        Self {
            stage,
            restart: Restart::Always,
            backoff: Backoff::default(),
            failures: 8,
            healthy_after: Duration::from_secs(60),
            impact: Impact::Blocks,
        }
    }

    /// A task that has an end of its own.
    pub fn job(stage: Stage) -> Self {
        Self { restart: Restart::OnFailure, impact: Impact::Degrades, ..Self::service(stage) }
    }
}

/// Spawns tasks and answers for them; cheap to clone.
#[derive(Debug, Clone)]
pub struct Supervisor {
    shutdown: Shutdown,
    health: Health,
    alerts: Arc<OnceLock<Alerts>>,
}

/// How one run of a task ended.
enum End {
    Stopped,
    Finished,
    Failed(String),
}

impl Supervisor {
    /// Tasks stop with `shutdown` and report to `health`.
    pub fn new(shutdown: Shutdown, health: Health) -> Self {
        Self { shutdown, health, alerts: Arc::default() }
    }

    /// The shutdown that the tasks obey.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// The register that the tasks report to.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Who is told of a task that was given up, earlier tasks included; the first to be named stays.
    pub fn tell(&self, alerts: Alerts) {
        let _ = self.alerts.set(alerts);
    }

    /// Starts a task and keeps it running as `policy` says. `start` is called for every run; the task should return soon
    /// after its [`Stop`] has begun. `name` is a metric label: few values.
    pub fn spawn<F, Fut, E>(&self, name: &'static str, policy: Policy, mut start: F)
    where
        F: FnMut(Stop) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let stop = self.shutdown.stop(policy.stage);
        let work = stop.work(name);
        let check = self.health.check(format!("task:{name}"), policy.impact);
        let alerts = Arc::clone(&self.alerts);
        tokio::spawn(async move {
            let _work = work;
            tokio::select! {
                biased;
                () = stop.cut() => tracing::warn!(task = name, "cut off: it did not finish in time"),
                reason = keep(name, policy, &stop, &check, &mut start) => if let Some(reason) = reason {
                    check.down(reason.clone());
                    give_up(name, policy, reason, alerts.get());
                }
            }
        });
    }

    /// Watches that the runtime still turns: liveness fails when nothing has run for ten seconds.
    pub fn watch_runtime(&self) {
        let health = self.health.clone();
        self.spawn("heartbeat", Policy::service(Stage::Store), move |stop| {
            let beat = health.heartbeat("runtime", Duration::from_secs(10));
            async move {
                while stop.sleep(Duration::from_secs(1)).await {
                    beat.beat();
                }
                Ok::<(), std::convert::Infallible>(())
            }
        });
    }

    /// Runs one piece of detached work with a deadline of its own; the drain waits for it, a panic in it is contained.
    pub fn detach<Fut>(&self, name: &'static str, limit: Duration, work: Fut)
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        let stop = self.shutdown.stop(Stage::Work);
        let held = stop.work(name);
        tokio::spawn(async move {
            let _held = held;
            let _alive = Alive::count(name);
            let run = tokio::time::timeout(limit, panic::catch(Entry::Task, || Place::new(name), work));
            tokio::select! {
                biased;
                () = stop.cut() => tracing::warn!(task = name, "cut off: it did not finish in time"),
                outcome = run => if outcome.is_err() {
                    tracing::warn!(task = name, seconds = limit.as_secs(), "detached work did not finish in its time");
                }
            }
        });
    }
}

/// Says that a task is no longer started: nobody else will.
fn give_up(name: &'static str, policy: Policy, reason: String, alerts: Option<&Alerts>) {
    tracing::error!(task = name, reason, "given up: the task keeps failing");
    let (level, meaning) = match policy.impact {
        Impact::Blocks => (Level::Critical, "The process is not ready until it is started again."),
        Impact::Degrades => (Level::Error, "The process goes on serving without it."),
    };
    let mut alert = Alert::new(level, GAVE_UP, format!("A task was given up: {name}"));
    name.clone_into(&mut alert.about);
    alert.text = format!("{meaning} It was {reason}.");
    alert.fields.push(("task".to_owned(), name.to_owned()));
    if let Some(alerts) = alerts {
        alerts.raise(alert);
    }
}

/// Runs the task until it is told to stop or has finished; else the reason why it is given up.
async fn keep<F, Fut, E>(
    name: &'static str,
    policy: Policy,
    stop: &Stop,
    check: &Check,
    start: &mut F,
) -> Option<String>
where
    F: FnMut(Stop) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Display,
{
    let restarts = metrics().task_restarts(name);
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let reason = match run(name, policy, stop, start).await {
            End::Stopped => return None,
            End::Finished => {
                check.up();
                return None;
            }
            End::Failed(reason) => reason,
        };
        failures = if began.elapsed() >= policy.healthy_after { 1 } else { failures + 1 };
        if failures >= policy.failures {
            return Some(format!("given up after {failures} failures: {reason}"));
        }
        let wait = policy.backoff.jittered(failures);
        tracing::warn!(task = name, failures, reason, wait_ms = wait.as_millis(), "task failed, will start again");
        check.degraded(format!("failed, starting again: {reason}"));
        if !stop.sleep(wait).await {
            return None;
        }
        restarts.inc();
        if policy.restart == Restart::Always {
            check.up();
        }
    }
}

async fn run<F, Fut, E>(name: &'static str, policy: Policy, stop: &Stop, start: &mut F) -> End
where
    F: FnMut(Stop) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Display,
{
    let _alive = Alive::count(name);
    let outcome = panic::catch(Entry::Task, || Place::new(name), async { start(stop.clone()).await }).await;
    match outcome {
        Ok(Ok(())) if stop.has_begun() => End::Stopped,
        Ok(Ok(())) if policy.restart == Restart::OnFailure => End::Finished,
        Ok(Ok(())) => End::Failed("it ended without being told to".into()),
        Ok(Err(error)) if stop.has_begun() => {
            tracing::warn!(task = name, %error, "failed while stopping");
            End::Stopped
        }
        Ok(Err(error)) => End::Failed(error.to_string()),
        Err(_) if stop.has_begun() => End::Stopped,
        Err(_) => End::Failed("it panicked".into()),
    }
}

/// Counts a task while it lives.
struct Alive(prometheus_client::metrics::gauge::Gauge);

impl Alive {
    fn count(name: &'static str) -> Self {
        let gauge = metrics().tasks_alive(name);
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::health::Status;
    use crate::shutdown::Drained;

    fn supervisor() -> Supervisor {
        Supervisor::new(Shutdown::new(), Health::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_or_fails_is_started_again() {
        let supervisor = supervisor();
        let runs = Arc::new(AtomicU32::new(0));
        let (counted, (up, mut is_up)) = (runs.clone(), tokio::sync::watch::channel(false));
        supervisor.spawn("test-restarted", Policy::service(Stage::Work), move |stop| {
            let (run, up) = (counted.fetch_add(1, Ordering::SeqCst), up.clone());
            async move {
                match run {
                    0 => panic::provoke("first run"),
                    1 => return Err("second run"),
                    _ => up.send_replace(true),
                };
                stop.begun().await;
                Ok(())
            }
        });
        is_up.wait_for(|up| *up).await.unwrap();
        assert_eq!(supervisor.health().readiness().status, Status::Ok);
        assert_eq!(metrics().tasks_alive("test-restarted").get(), 1);
        assert_eq!(metrics().task_restarts("test-restarted").get(), 2);
        assert_eq!(supervisor.shutdown().drain(Duration::from_secs(30)).await, Drained::Clean);
        assert_eq!(metrics().tasks_alive("test-restarted").get(), 0);
        assert_eq!(runs.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_keeps_failing_makes_the_process_not_ready() {
        let supervisor = supervisor();
        let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
        supervisor.spawn("test-hopeless", Policy { failures: 3, ..Policy::service(Stage::Work) }, move |_| {
            ended.send(()).unwrap();
            async { Ok::<(), String>(()) } // ends too early
        });
        while ends.recv().await.is_some() {}
        let report = supervisor.health().readiness();
        assert_eq!(report.status, Status::Unavailable);
        assert_eq!(report.reasons, ["task:test-hopeless: given up after 3 failures: it ended without being told to"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ignores_the_stop_is_cut_off() {
        let supervisor = supervisor();
        supervisor.spawn("test-deaf", Policy::service(Stage::Work), |_| std::future::pending::<Result<(), String>>());
        supervisor.detach("test-stuck", Duration::from_secs(3600), std::future::pending());
        let drained = supervisor.shutdown().drain(Duration::from_secs(10)).await;
        assert_eq!(drained.left(), ["test-deaf", "test-stuck"]);
        assert_eq!(metrics().tasks_alive("test-deaf").get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_runtime_is_alive_while_it_turns() {
        let supervisor = supervisor();
        supervisor.watch_runtime();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(supervisor.health().liveness().checks["runtime"].status, Status::Ok);
        assert_eq!(supervisor.shutdown().drain(Duration::from_secs(10)).await, Drained::Clean);
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_may_end_by_itself() {
        let supervisor = supervisor();
        supervisor.spawn("test-job", Policy::job(Stage::Work), |_| async { Ok::<(), String>(()) });
        supervisor.detach("test-detached", Duration::from_secs(1), async { panic::provoke("detached") });
        assert_eq!(supervisor.shutdown().drain(Duration::from_secs(10)).await, Drained::Clean);
        assert_eq!(supervisor.health().readiness().reasons, ["shutdown: draining"; 0]);
    }
}
