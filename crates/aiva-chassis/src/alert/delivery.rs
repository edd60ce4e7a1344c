//! Brings messages to one sink: try after try, and the rest of the queue on the way down.
//!
//! Promises: one task a sink; a panic or a failure costs one message, counted and logged; when the process stops, what waits
//! is tried once more, quickly.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

use super::{AlertSink, Alerts, Message, SinkError};
use crate::health::Impact;
use crate::panic::{self, Entry, Place};
use crate::resilience::{Backoff, Retry, retry};
use crate::shutdown::supervisor::Policy;
use crate::shutdown::{Stage, Stop, Supervisor};
use crate::telemetry::metrics::{Counter, Family, Label, metrics};

/// How long one message is tried while the process runs.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long one message is tried when the process stops.
const LAST_TRY: Duration = Duration::from_secs(3);

/// How often windows are looked at.
const TICK: Duration = Duration::from_secs(1);

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Failed,
    Dropped,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    sink: Label,
    outcome: Label,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Delivered, Self::Failed, Self::Dropped];

    const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

pub(super) fn count(sink: &'static str, outcome: Outcome) {
    counter(sink, outcome).inc();
}

fn counter(sink: &'static str, outcome: Outcome) -> Counter {
    static ALERTS: OnceLock<Family<Labels, Counter>> = OnceLock::new();
    let family = ALERTS.get_or_init(|| metrics().register("alerts", "Alerts by sink and outcome", Family::default()));
    family.get_or_create_owned(&Labels { sink: sink.into(), outcome: outcome.name().into() })
}

/// The task of one sink.
pub(super) fn spawn(
    supervisor: &Supervisor,
    alerts: &Alerts,
    sink: Arc<dyn AlertSink>,
    waiting: mpsc::Receiver<Message>,
) {
    // At zero from the start: a rise from nothing is what people watch.
    for outcome in Outcome::ALL {
        counter(sink.name(), outcome);
    }
    let (alerts, waiting) = (alerts.clone(), Arc::new(Mutex::new(waiting)));
    supervisor.spawn("alerts", policy(), move |stop| {
        let (alerts, sink, waiting) = (alerts.clone(), Arc::clone(&sink), Arc::clone(&waiting));
        async move {
            let mut waiting = waiting.lock().await;
            while let Some(Some(message)) = stop.until(waiting.recv()).await {
                deliver(sink.as_ref(), &message, &stop).await;
            }
            // Whichever sink stops first puts the last summaries into all queues.
            alerts.summarise(true);
            waiting.close();
            while let Ok(message) = waiting.try_recv() {
                deliver(sink.as_ref(), &message, &stop).await;
            }
            Ok::<(), Infallible>(())
        }
    });
}

/// The task that ends windows.
pub(super) fn spawn_summaries(supervisor: &Supervisor, alerts: &Alerts) {
    let alerts = alerts.clone();
    supervisor.spawn("alert-windows", policy(), move |stop| {
        let alerts = alerts.clone();
        async move {
            while stop.sleep(TICK).await {
                alerts.summarise(false);
            }
            Ok::<(), Infallible>(())
        }
    });
}

/// Last of all, and never a reason not to serve.
fn policy() -> Policy {
    Policy { impact: Impact::Degrades, ..Policy::service(Stage::Store) }
}

async fn deliver(sink: &dyn AlertSink, message: &Message, stop: &Stop) {
    let patient = Retry {
        tries: 8,
        backoff: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) },
        deadline: Instant::now() + PATIENCE,
    };
    let trying = async {
        let verdict = |error: &SinkError| error.verdict;
        match stop.until(retry(patient, verdict, |_| sink.deliver(message))).await {
            Some(outcome) => outcome,
            None => retry(Retry::within(LAST_TRY), verdict, |_| sink.deliver(message)).await,
        }
    };
    let reason = match panic::catch(Entry::Worker, || Place::new("alert"), trying).await {
        Ok(Ok(())) => return count(sink.name(), Outcome::Delivered),
        Ok(Err(error)) => {
            let why = error.to_string();
            error.into_last().map_or(why.clone(), |last| format!("{why}: {last}"))
        }
        Err(panicked) => panicked.to_string(),
    };
    count(sink.name(), Outcome::Failed);
    let (cause, title) = (message.alert.cause.slug(), &message.alert.title);
    tracing::error!(sink = sink.name(), cause, title, reason, "an alert could not be delivered");
}
