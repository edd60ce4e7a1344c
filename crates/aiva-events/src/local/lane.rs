//! One consumer's lane: admits events, gives due subjects to the handler, records how it went.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::alert::{Alert, Alerts, Level};
use aiva_chassis::clock::SharedClock;
use aiva_chassis::panic::{self, Entry, Place};
use aiva_chassis::resilience::Backoff;
use aiva_chassis::shutdown::Stop;
use aiva_chassis::telemetry::metrics::{Counter, Family, Gauge, metrics};
use aiva_contracts::envelope::Envelope;
use aiva_store::lease::{self, Lease};
use aiva_store::{Database, TxError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::Options;
use super::queue::{Ending, Queue, QueueError, Subject};
use super::signal;
use crate::consume::{HandleError, Handler};

/// After this long a subject makes room for the others that are due.
const TURN: Duration = Duration::from_millis(250);

/// How often the lag is measured while there is some.
const MEASURE: Duration = Duration::from_secs(10);

pub(super) struct Lane {
    pub(super) database: Database,
    pub(super) clock: SharedClock,
    pub(super) options: Options,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) alerts: Option<Alerts>,
    pub(super) woken: watch::Receiver<u64>,
    pub(super) stop: Stop,
}

/// What a run needs of its lane.
#[derive(Clone)]
struct Runner {
    queue: Queue,
    clock: SharedClock,
    backoff: Backoff,
    attempts: u32,
    handler: Arc<dyn Handler>,
    alerts: Option<Alerts>,
    stop: Stop,
}

impl Lane {
    /// Serves until the stop; after a fault of the store it goes on with backoff.
    pub(super) async fn serve(mut self) {
        let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(10) };
        let mut failures = 0;
        while !self.stop.has_begun() {
            match self.lead().await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    let consumer = self.handler.consumer();
                    tracing::warn!(consumer, failures, cause = ?error, "events are not delivered now; trying again");
                    self.stop.sleep(backoff.jittered(failures)).await;
                }
            }
        }
    }

    /// Takes the lease where there is one, and delivers while it is held.
    async fn lead(&mut self) -> Result<(), QueueError> {
        if matches!(self.database, Database::Sqlite(_)) {
            // The data directory's lock already says that there is one server.
            return self.deliver(None).await;
        }
        let name = format!("events/{}", self.handler.consumer());
        let holder = uuid::Uuid::now_v7().to_string();
        let time = self.options.lease;
        let Some(held) = lease::take(&self.database, &*self.clock, (&name, &holder), time).await? else {
            self.stop.sleep(time / 3).await;
            return Ok(());
        };
        let (database, clock, renewed) = (self.database.clone(), Arc::clone(&self.clock), held.clone());
        let ended = tokio::select! {
            ended = self.deliver(Some(held.clone())) => ended,
            lost = keep(&database, &clock, &renewed, time) => Err(lost),
        };
        if ended.is_ok() {
            lease::release(&database, &*clock, &held).await?;
        }
        ended
    }

    async fn deliver(&mut self, lease: Option<Lease>) -> Result<(), QueueError> {
        let queue = Queue::new(&self.database, self.handler.consumer(), self.handler.types()).fenced(lease);
        let runner = Runner {
            queue: queue.clone(),
            clock: Arc::clone(&self.clock),
            backoff: self.options.backoff,
            attempts: self.options.attempts.max(1),
            handler: Arc::clone(&self.handler),
            alerts: self.alerts.clone(),
            stop: self.stop.clone(),
        };
        let most = self.handler.concurrency().max(1);
        let mut running = JoinSet::new(); // dropped with the lane: what runs without a lease is cut off
        let mut busy = HashSet::new();
        let mut look = true;
        let mut measured: Option<Instant> = None;
        while !self.stop.has_begun() {
            if look {
                self.woken.mark_unchanged();
                while queue.admit(self.now()).await? {}
            }
            let now = self.now();
            let horizon = now.saturating_add(micros(self.options.backoff.most)).saturating_add(60_000_000);
            let due = if busy.len() < most { queue.due(now, horizon, most).await? } else { Default::default() };
            let fresh = due.subjects.into_iter().filter(|subject| !busy.contains(&subject.name));
            let fresh: Vec<_> = fresh.take(most - busy.len()).collect();
            for subject in fresh {
                busy.insert(subject.name.clone());
                let name = subject.name.clone();
                let runner = runner.clone();
                running.spawn(async move {
                    runner.run(subject).await;
                    name
                });
            }
            if measured.is_none_or(|at| at.elapsed() >= MEASURE) && (look || !busy.is_empty()) {
                measured = Some(Instant::now());
                self.measure(&queue).await?;
            }
            let pause = due.next_at.map_or(self.options.poll, |at| span(at - now).min(self.options.poll));
            tokio::select! {
                () = self.stop.begun() => break,
                Some(ended) = running.join_next() => {
                    look = false;
                    match ended {
                        Ok(name) => _ = busy.remove(&name),
                        Err(error) => tracing::error!(cause = %error, "a run over a subject was lost"), // stays busy
                    }
                }
                () = signal::changed(&mut self.woken) => look = true,
                () = sleep(pause) => look = true,
            }
        }
        tokio::select! {
            () = async { while running.join_next().await.is_some() {} } => {}
            () = self.stop.cut() => running.shutdown().await,
        }
        Ok(())
    }

    async fn measure(&self, queue: &Queue) -> Result<(), QueueError> {
        let lag = queue.lag(self.now()).await?;
        let consumer = [("consumer", self.handler.consumer())];
        let gauge = |family: &Family<Labels, Gauge>, value: u64| {
            family.get_or_create(&consumer).set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        let counts = counts();
        gauge(&counts.lag, lag.events);
        gauge(&counts.lag_seconds, lag.seconds);
        gauge(&counts.dead_letters, lag.dead_letters);
        Ok(())
    }

    fn now(&self) -> i64 {
        self.clock.now().as_microsecond()
    }
}

/// Renews the lease until it is lost.
async fn keep(database: &Database, clock: &SharedClock, lease: &Lease, time: Duration) -> QueueError {
    let mut renewed = Instant::now();
    loop {
        sleep(time / 3).await;
        match lease::renew(database, &**clock, lease, time).await {
            Ok(true) => renewed = Instant::now(),
            Ok(false) => return TxError::Refused(lease::Lost),
            Err(error) if renewed.elapsed() >= time => return error.into(),
            Err(_) => {} // still held: try again before it runs out
        }
    }
}

impl Runner {
    /// Handles the subject's next events in order and records how far it came. What could not be recorded is delivered
    /// again.
    async fn run(&self, subject: Subject) {
        let _work = self.stop.work(format!("events for {}", self.handler.consumer()));
        let events = match self.queue.events(&subject).await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(consumer = self.handler.consumer(), cause = ?error, "events could not be read");
                sleep(self.backoff.jittered(1)).await;
                return;
            }
        };
        let started = Instant::now();
        let (mut done, mut ending) = (subject.done, Ending::Handled);
        for (position, event) in &events {
            match self.handle(event).await {
                Ok(()) => done = *position,
                Err(error) => {
                    let tried = if done == subject.done { subject.attempts } else { 0 };
                    let first = subject.first_failed_at.filter(|_| tried > 0);
                    ending = self.failed((*position, event), &error, tried + 1, first);
                    break;
                }
            }
            if self.stop.has_begun() || started.elapsed() >= TURN {
                break;
            }
        }
        self.record(&subject.name, done, ending).await;
    }

    async fn handle(&self, event: &Envelope) -> Result<(), HandleError> {
        let consumer = self.handler.consumer();
        let place = || {
            Place::new(event.kind.clone())
                .with("consumer", consumer)
                .with("event", event.id)
                .with("subject", &event.subject)
        };
        let handling = timeout(self.handler.deadline(), self.handler.handle(event));
        let outcome = match panic::catch(Entry::EventHandler, place, handling).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(HandleError::transient("the handler did not end within its deadline")),
            Err(panicked) => Err(HandleError::transient(panicked)),
        };
        let label = if outcome.is_ok() { "handled" } else { "failed" };
        counts().deliveries.get_or_create(&[("consumer", consumer), ("outcome", label)]).inc();
        outcome
    }

    fn failed(
        &self,
        (position, event): (i64, &Envelope),
        error: &HandleError,
        attempts: u32,
        first: Option<i64>,
    ) -> Ending {
        let now = self.clock.now().as_microsecond();
        let reason = error.reason();
        let (consumer, kind) = (self.handler.consumer(), event.kind.as_str());
        let first_failed_at = first.unwrap_or(now);
        if matches!(error, HandleError::Transient(_)) && attempts < self.attempts {
            tracing::warn!(consumer, kind, event = %event.id, attempts, reason, "an event was not handled; it is tried again");
            let due_at = now.saturating_add(micros(self.backoff.jittered(attempts)));
            return Ending::Retry { due_at, attempts, first_failed_at };
        }
        tracing::error!(consumer, kind, event = %event.id, subject = event.subject, attempts, reason, "an event became a dead letter");
        counts().buried.get_or_create(&[("consumer", consumer)]).inc();
        if let Some(alerts) = &self.alerts {
            alerts.raise(dead_letter(consumer, event, attempts, &reason));
        }
        Ending::Dead { position, reason, attempts, first_failed_at, now }
    }

    async fn record(&self, subject: &str, done: i64, ending: Ending) {
        for failure in 1.. {
            let now = self.clock.now().as_microsecond();
            match self.queue.finish(subject, done, ending.clone(), now).await {
                Ok(()) => return,
                Err(error) if error.is_transient() && failure < 4 => sleep(self.backoff.jittered(failure)).await,
                Err(error) => {
                    let consumer = self.handler.consumer();
                    tracing::warn!(consumer, subject, cause = ?error, "progress was not recorded: events come again");
                    return;
                }
            }
        }
    }
}

/// Joined by consumer and type: a handler that fails at everything is one message.
fn dead_letter(consumer: &str, event: &Envelope, attempts: u32, reason: &str) -> Alert {
    let mut alert = Alert::new(Level::Error, super::DEAD_LETTER, format!("{consumer} could not handle an event"));
    alert.about = format!("{consumer} {}", event.kind);
    alert.text = format!("After {attempts} tries: {reason}. What else happens to {} waits behind it.", event.subject);
    for (name, value) in [("type", &event.kind), ("event", &event.id.to_string()), ("subject", &event.subject)] {
        alert.fields.push((name.to_owned(), value.clone()));
    }
    alert
}

type Labels = [(&'static str, &'static str); 1];

struct Counts {
    deliveries: Family<[(&'static str, &'static str); 2], Counter>,
    buried: Family<Labels, Counter>,
    lag: Family<Labels, Gauge>,
    lag_seconds: Family<Labels, Gauge>,
    dead_letters: Family<Labels, Gauge>,
}

fn counts() -> &'static Counts {
    static COUNTS: std::sync::OnceLock<Counts> = std::sync::OnceLock::new();
    COUNTS.get_or_init(|| {
        let metrics = metrics();
        Counts {
            deliveries: metrics.register("event_deliveries", "Events given to handlers, by outcome", Family::default()),
            buried: metrics.register("event_dead_lettered", "Events that became dead letters", Family::default()),
            lag: metrics.register("event_lag", "Events that a consumer has not handled", Family::default()),
            lag_seconds: metrics.register("event_lag_seconds", "Age of the oldest of them", Family::default()),
            dead_letters: metrics.register(
                "event_dead_letters",
                "Dead letters that wait for a person",
                Family::default(),
            ),
        }
    })
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 4)
}

fn span(micros: i64) -> Duration {
    Duration::from_micros(micros.max(0).unsigned_abs())
}
