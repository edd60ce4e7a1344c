//! What the process says about itself: is it alive, has it started, should it get traffic.
//!
//! Promises: *liveness* is only about this process (every registered loop has shown a sign of life in time), never about a
//! dependency, so that a database outage restarts nobody. *Readiness* is a score of 100 less the cost of what is impaired; a
//! blocking check that is down, a start-up step that is not done, or a drain in progress makes it not ready whatever the
//! score, each with its reason. *Startup* is done when every declared step is done, and stays done.
//!
//! Start reading at [`Health::readiness`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// The state of one named check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Works.
    Up,
    /// Works, but not as it should; the reason is shown to operators.
    Degraded(String),
    /// Does not work; the reason is shown to operators.
    Down(String),
}

/// What a check that is down does to readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impact {
    /// Without it the process cannot serve: down means not ready.
    Blocks,
    /// The process can serve without it: down only costs score.
    Degrades,
}

/// The register of checks; cheap to clone, all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Health {
    inner: Arc<Mutex<Register>>,
}

#[derive(Debug, Default)]
struct Register {
    checks: BTreeMap<String, (Impact, State)>,
    beats: BTreeMap<String, (Instant, Duration)>,
    steps: BTreeMap<String, bool>,
    draining: bool,
}

/// Reports the state of one check; dropping it leaves the last state standing.
#[derive(Debug, Clone)]
pub struct Check {
    name: String,
    health: Health,
}

/// Shows that one loop still turns; dropping it ends the watch.
#[derive(Debug)]
pub struct Beat {
    name: String,
    health: Health,
}

/// One step of starting up; it is done when [`Step::done`] is called.
#[derive(Debug)]
pub struct Step {
    name: String,
    health: Health,
}

/// The body of `/healthz`, `/readyz` and `/startupz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `ok`, or `degraded` (still 200), or `unavailable` (503).
    pub status: Status,
    /// 0 to 100.
    pub score: u8,
    /// Why it is not 100, most severe first.
    pub reasons: Vec<String>,
    /// Every check behind the answer, by name.
    pub checks: BTreeMap<String, CheckReport>,
}

/// One check in a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// `ok`, `degraded` or `unavailable`.
    pub status: Status,
    /// Whether it alone can make the process not ready.
    pub blocking: bool,
    /// Why, where there is something to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The short word for a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All well.
    Ok,
    /// Serving, with something impaired.
    Degraded,
    /// Not serving.
    Unavailable,
}

impl Report {
    /// Whether the probe should get a success status.
    pub fn is_ok(&self) -> bool {
        self.status != Status::Unavailable
    }

    /// The HTTP status of the probe's answer: 200 or 503.
    pub fn http_status(&self) -> u16 {
        if self.is_ok() { 200 } else { 503 }
    }

    fn of(checks: BTreeMap<String, CheckReport>, score: u8) -> Self {
        let mut reasons: Vec<(Status, String)> = checks
            .iter()
            .filter_map(|(name, check)| Some((check.status, format!("{name}: {}", check.reason.as_deref()?))))
            .collect();
        reasons.sort_by(|a, b| b.cmp(a));
        let blocked = checks.values().any(|c| c.blocking && c.status == Status::Unavailable);
        let impaired = checks.values().any(|c| c.status != Status::Ok);
        let status = match (blocked, impaired) {
            (true, _) => Status::Unavailable,
            (false, true) => Status::Degraded,
            (false, false) => Status::Ok,
        };
        Self { status, score, reasons: reasons.into_iter().map(|(_, text)| text).collect(), checks }
    }
}

impl Health {
    /// An empty register: alive, ready and started.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check that starts [`State::Up`]; a second check of the same name takes the first one's place.
    pub fn check(&self, name: impl Into<String>, impact: Impact) -> Check {
        let name = name.into();
        self.lock().checks.insert(name.clone(), (impact, State::Up));
        Check { name, health: self.clone() }
    }

    /// Watches a loop that promises to call [`Beat::beat`] at least once in every `silence`.
    pub fn heartbeat(&self, name: impl Into<String>, silence: Duration) -> Beat {
        let name = name.into();
        self.lock().beats.insert(name.clone(), (Instant::now(), silence));
        Beat { name, health: self.clone() }
    }

    /// Declares a step without which the process has not started.
    pub fn startup_step(&self, name: impl Into<String>) -> Step {
        let name = name.into();
        self.lock().steps.insert(name.clone(), false);
        Step { name, health: self.clone() }
    }

    /// Turns readiness off for good: the process is on its way out.
    pub fn drain(&self) {
        self.lock().draining = true;
    }

    /// `/healthz`: unavailable when a watched loop has been silent for too long.
    pub fn liveness(&self) -> Report {
        let now = Instant::now();
        let checks: BTreeMap<_, _> = self
            .lock()
            .beats
            .iter()
            .map(|(name, (last, silence))| {
                let quiet = now.saturating_duration_since(*last);
                let late = quiet > *silence;
                let reason = late.then(|| format!("silent for {} s", quiet.as_secs()));
                let status = if late { Status::Unavailable } else { Status::Ok };
                (name.clone(), CheckReport { status, blocking: true, reason })
            })
            .collect();
        let score = if checks.values().all(|c| c.status == Status::Ok) { 100 } else { 0 };
        Report::of(checks, score)
    }

    /// `/readyz`: every check, the start-up steps that are missing, and whether a drain has begun.
    pub fn readiness(&self) -> Report {
        let register = self.lock();
        let mut checks: BTreeMap<_, _> =
            register.checks.iter().map(|(name, (impact, state))| (name.clone(), report(*impact, state))).collect();
        for name in register.steps.iter().filter(|(_, done)| !**done).map(|(name, _)| name) {
            checks.insert(format!("startup:{name}"), report(Impact::Blocks, &State::Down("not done yet".into())));
        }
        if register.draining {
            checks.insert("shutdown".into(), report(Impact::Blocks, &State::Down("draining".into())));
        }
        drop(register);
        let cost: u32 = checks.values().map(cost).sum();
        Report::of(checks, u8::try_from(100 - cost.min(100)).unwrap_or(0))
    }

    /// `/startupz`: unavailable until every declared step is done.
    pub fn startup(&self) -> Report {
        let register = self.lock();
        let done = register.steps.values().filter(|done| **done).count();
        let score = (done * 100).checked_div(register.steps.len()).unwrap_or(100);
        let checks = register
            .steps
            .iter()
            .map(|(name, done)| {
                let state = if *done { State::Up } else { State::Down("not done yet".into()) };
                (name.clone(), report(Impact::Blocks, &state))
            })
            .collect();
        Report::of(checks, u8::try_from(score).unwrap_or(100))
    }

    fn lock(&self) -> MutexGuard<'_, Register> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// Reports the state the checked part is in now.
    pub fn set(&self, state: State) {
        if let Some((_, current)) = self.health.lock().checks.get_mut(&self.name) {
            *current = state;
        }
    }

    /// Works.
    pub fn up(&self) {
        self.set(State::Up);
    }

    /// Works badly, because of `reason`.
    pub fn degraded(&self, reason: impl Into<String>) {
        self.set(State::Degraded(reason.into()));
    }

    /// Does not work, because of `reason`.
    pub fn down(&self, reason: impl Into<String>) {
        self.set(State::Down(reason.into()));
    }
}

impl Beat {
    /// The loop has turned once more.
    pub fn beat(&self) {
        if let Some((last, _)) = self.health.lock().beats.get_mut(&self.name) {
            *last = Instant::now();
        }
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        self.health.lock().beats.remove(&self.name);
    }
}

impl Step {
    /// The step is done.
    pub fn done(self) {
        if let Some(done) = self.health.lock().steps.get_mut(&self.name) {
            *done = true;
        }
    }
}

fn report(impact: Impact, state: &State) -> CheckReport {
    let (status, reason) = match state {
        State::Up => (Status::Ok, None),
        State::Degraded(reason) => (Status::Degraded, Some(reason.clone())),
        State::Down(reason) => (Status::Unavailable, Some(reason.clone())),
    };
    CheckReport { status, blocking: impact == Impact::Blocks, reason }
}

/// What a check takes off the score.
fn cost(check: &CheckReport) -> u32 {
    match (check.status, check.blocking) {
        (Status::Ok, _) => 0,
        (Status::Degraded, _) => 10,
        (Status::Unavailable, false) => 25,
        (Status::Unavailable, true) => 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_scores_what_is_impaired_and_says_why() {
        let health = Health::new();
        let store = health.check("store", Impact::Blocks);
        let mail = health.check("mail", Impact::Degrades);
        assert_eq!((health.readiness().status, health.readiness().score), (Status::Ok, 100));

        mail.down("connection refused");
        let report = health.readiness();
        assert_eq!((report.status, report.score), (Status::Degraded, 75));
        assert_eq!(report.reasons, ["mail: connection refused"]);

        store.degraded("slow disk");
        assert_eq!((health.readiness().status, health.readiness().score), (Status::Degraded, 65));
        store.down("disk full");
        let report = health.readiness();
        assert_eq!((report.status, report.score, report.http_status()), (Status::Unavailable, 0, 503));
        store.up();
        mail.up();
        assert_eq!(health.readiness().score, 100);
    }

    #[test]
    fn a_drain_and_a_missing_step_are_not_ready() {
        let health = Health::new();
        let migrations = health.startup_step("migrations");
        assert_eq!(health.readiness().reasons, ["startup:migrations: not done yet"]);
        assert_eq!((health.startup().status, health.startup().score), (Status::Unavailable, 0));
        let index = health.startup_step("index");
        migrations.done();
        assert_eq!(health.startup().score, 50);
        index.done();
        assert_eq!((health.startup().status, health.startup().score), (Status::Ok, 100));
        assert!(health.readiness().is_ok());
        health.drain();
        assert_eq!(health.readiness().reasons, ["shutdown: draining"]);
        assert!(health.liveness().is_ok(), "a draining process is alive");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_loop_is_not_alive() {
        let health = Health::new();
        let beat = health.heartbeat("main loop", Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(health.liveness().is_ok());
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(health.liveness().reasons, ["main loop: silent for 12 s"]);
        beat.beat();
        assert!(health.liveness().is_ok());
        drop(beat);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(health.liveness().is_ok(), "a loop that ended on purpose is not watched");
    }
}
