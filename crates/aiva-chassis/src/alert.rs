//! Messages to people: something is wrong, or will be.
//!
//! Promises: raising an alert never blocks and never fails the work that raises it. Alerts of one cause within the window
//! are one message, and how often it happened again is told when the window ends. Every sink has a bounded queue and a task
//! of its own, so that a slow or broken one costs the others nothing; what a sink loses is counted
//! (`aiva_alerts_total{sink,outcome}`) and logged. Nothing leaves without redaction. On shutdown the queues are emptied
//! within the last stage's time.
//!
//! Start reading at [`Alerts::raise`]; a sink implements [`AlertSink`].

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiva_outbound::Client;
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::Instant;
use uuid::Uuid;

use crate::clock::SharedClock;
use crate::config::server::{self, AlertLevel};
use crate::panic::{PanicObserver, Report};
use crate::resilience::Verdict;
use crate::shutdown::Supervisor;
use crate::telemetry::redact;

mod delivery;
mod log;
mod post;
mod slack;
mod webhook;

pub use log::Log;
pub use slack::Slack;
pub use webhook::Webhook;

use delivery::{Outcome, count};

/// How many messages wait for one sink.
const QUEUE: usize = 256;

/// How many causes are remembered; beyond them alerts are sent without being joined.
const MOST_REMEMBERED: usize = 1024;

/// A panic was contained. Its page is `docs/runbooks/panic.md`.
pub const PANIC: Cause = Cause::new("panic");

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For the record.
    Info,
    /// Look at it today.
    Warning,
    /// Look at it now.
    Error,
    /// Wake somebody.
    Critical,
}

impl Level {
    /// A stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

impl From<AlertLevel> for Level {
    fn from(level: AlertLevel) -> Self {
        match level {
            AlertLevel::Info => Self::Info,
            AlertLevel::Warning => Self::Warning,
            AlertLevel::Error => Self::Error,
            AlertLevel::Critical => Self::Critical,
        }
    }
}

/// What kind of trouble it is: the name of its page in `docs/runbooks/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cause(&'static str);

impl Cause {
    /// Declared as a constant beside what raises it; `cargo xtask tidy` wants its page.
    pub const fn new(slug: &'static str) -> Self {
        Self(slug)
    }

    /// The slug.
    pub const fn slug(self) -> &'static str {
        self.0
    }

    /// The page that says what to do, from the repository's root.
    pub fn runbook(self) -> String {
        format!("docs/runbooks/{}.md", self.0)
    }
}

/// One alert, as it is raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// How grave.
    pub level: Level,
    /// What kind of trouble.
    pub cause: Cause,
    /// Tells troubles of one cause apart: a place in the source, a dependency's name. With cause and service it is what
    /// alerts are joined by, so nothing that differs each time.
    pub about: String,
    /// One line.
    pub title: String,
    /// What happened and what it means.
    pub text: String,
    /// The service of the catalogue that it concerns.
    pub service: Option<String>,
    /// Further facts by name.
    pub fields: Vec<(String, String)>,
    /// The stack, where there is one.
    pub trace: Option<String>,
}

impl Alert {
    /// An alert with what every one has; the rest is empty.
    pub fn new(level: Level, cause: Cause, title: impl Into<String>) -> Self {
        Self {
            level,
            cause,
            about: String::new(),
            title: title.into(),
            text: String::new(),
            service: None,
            fields: Vec::new(),
            trace: None,
        }
    }

    fn redacted(mut self) -> Self {
        let texts = [&mut self.title, &mut self.text].into_iter().chain(self.trace.as_mut());
        for text in texts.chain(self.fields.iter_mut().map(|(_, value)| value)) {
            *text = redact::text(text).into_owned();
        }
        for (name, value) in &mut self.fields {
            if redact::is_telling(name) {
                "[redacted]".clone_into(value);
            }
        }
        self
    }
}

/// What a sink delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for every try and every sink, so that a receiver can drop what it has.
    pub id: Uuid,
    /// When it was raised, or when the window ended.
    pub at: Timestamp,
    /// The alert, redacted; of a summary, the latest one.
    pub alert: Alert,
    /// How often it happened again within the window; not 0 only in the summary at its end.
    pub suppressed: u64,
}

/// Brings messages to people.
///
/// Every adapter promises: `deliver` is one try, bounded in time; it may be called again with the same message; its errors
/// hold no secret.
#[async_trait]
pub trait AlertSink: Send + Sync + 'static {
    /// A metric label and a word for the log.
    fn name(&self) -> &'static str;

    /// One try.
    async fn deliver(&self, message: &Message) -> Result<(), SinkError>;
}

/// Why a message was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SinkError {
    /// For the log.
    pub reason: String,
    /// Whether to try again.
    pub verdict: Verdict,
}

/// Raises alerts; cheap to clone.
#[derive(Clone)]
pub struct Alerts(Arc<Inner>);

struct Inner {
    clock: SharedClock,
    window: Duration,
    seen: Mutex<HashMap<Key, Seen>>,
    routes: Vec<Route>,
}

/// What alerts are joined by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    cause: Cause,
    service: Option<String>,
    about: String,
}

/// A cause within its window.
struct Seen {
    until: Instant,
    level: Level,
    /// How often it was not sent, and the latest of those.
    again: Option<(u64, Alert)>,
}

/// The way to one sink.
struct Route {
    name: &'static str,
    least: Level,
    queue: mpsc::Sender<Message>,
}

/// Sets [`Alerts`] up.
pub struct Builder {
    clock: SharedClock,
    window: Duration,
    sinks: Vec<(Arc<dyn AlertSink>, Level)>,
}

impl Builder {
    /// Alerts of one cause within this time are one message.
    #[must_use]
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// A receiver of all alerts that are at least so grave.
    #[must_use]
    pub fn sink(mut self, sink: impl AlertSink, least: Level) -> Self {
        self.sinks.push((Arc::new(sink), least));
        self
    }

    /// The window and receivers of `[alerts]`; the log hears of every alert.
    #[must_use]
    pub fn configured(self, config: &server::Alerts, client: &Client) -> Self {
        let (least, clock) = (Level::from(config.level), Arc::clone(&self.clock));
        let mut builder = self.window(config.window).sink(Log, Level::Info);
        if let Some(webhook) = &config.slack_webhook {
            builder = builder.sink(Slack::new(client.clone(), webhook.clone()), least);
        }
        if let Some(url) = &config.webhook_url {
            let key = config.webhook_key.clone();
            builder = builder.sink(Webhook::new(client.clone(), url.as_uri().to_string(), key, clock), least);
        }
        builder
    }

    /// Starts the sinks' tasks. The supervisor's tasks that are given up are told of here too.
    pub fn start(self, supervisor: &Supervisor) -> Alerts {
        let (mut routes, mut tasks) = (Vec::new(), Vec::new());
        for (sink, least) in self.sinks {
            let (queue, waiting) = mpsc::channel(QUEUE);
            routes.push(Route { name: sink.name(), least, queue });
            tasks.push((sink, waiting));
        }
        let seen = Mutex::default();
        let alerts = Alerts(Arc::new(Inner { clock: self.clock, window: self.window, seen, routes }));
        for (sink, waiting) in tasks {
            delivery::spawn(supervisor, &alerts, sink, waiting);
        }
        delivery::spawn_summaries(supervisor, &alerts);
        supervisor.tell(alerts.clone());
        alerts
    }
}

impl Alerts {
    /// Starts to set alerts up, with a window of ten minutes.
    pub fn builder(clock: SharedClock) -> Builder {
        Builder { clock, window: Duration::from_secs(600), sinks: Vec::new() }
    }

    /// Tells people, unless they were told of the same within the window and it has not become graver. Never blocks.
    pub fn raise(&self, alert: Alert) {
        if let Some(alert) = self.first_in_window(alert) {
            self.send(alert, 0);
        }
    }

    /// The alert if it is to be sent now.
    fn first_in_window(&self, alert: Alert) -> Option<Alert> {
        let now = Instant::now();
        let key = Key { cause: alert.cause, service: alert.service.clone(), about: alert.about.clone() };
        let mut seen = self.seen();
        if let Some(known) = seen.get_mut(&key).filter(|known| known.until > now || known.again.is_some()) {
            if alert.level <= known.level {
                let times = known.again.take().map_or(0, |(times, _)| times);
                known.again = Some((times + 1, alert));
                return None;
            }
            known.level = alert.level;
            return Some(alert);
        }
        if seen.len() >= MOST_REMEMBERED {
            seen.retain(|_, known| known.until > now || known.again.is_some());
        }
        if seen.len() < MOST_REMEMBERED || seen.contains_key(&key) {
            seen.insert(key, Seen { until: now + self.0.window, level: alert.level, again: None });
        }
        Some(alert)
    }

    /// Tells how often it happened again, of each cause whose window is over, or of all.
    fn summarise(&self, all: bool) {
        let now = Instant::now();
        let mut over = Vec::new();
        self.seen().retain(|_, known| {
            if !all && known.until > now {
                return true;
            }
            let Some(again) = known.again.take() else { return false };
            over.push(again);
            // The trouble goes on: the next window starts here, without another first message.
            known.until = now + self.0.window;
            true
        });
        for (times, alert) in over {
            self.send(alert, times);
        }
    }

    fn send(&self, alert: Alert, suppressed: u64) {
        let alert = alert.redacted();
        let at = self.0.clock.now();
        let message = Message { id: id(at), at, alert, suppressed };
        for route in self.0.routes.iter().filter(|route| route.least <= message.alert.level) {
            let Err(lost) = route.queue.try_send(message.clone()) else { continue };
            count(route.name, Outcome::Dropped);
            let why = match lost {
                TrySendError::Full(_) => "its queue is full",
                TrySendError::Closed(_) => "it has stopped",
            };
            let Alert { cause, title, .. } = &message.alert;
            tracing::error!(sink = route.name, cause = cause.slug(), title, why, "an alert was dropped");
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Key, Seen>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A UUIDv7 of that time.
fn id(at: Timestamp) -> Uuid {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let nanoseconds = u32::try_from(at.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds))
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.routes.iter().map(|route| (route.name, route.least))).finish()
    }
}

/// One alert per place in the source: see [`Report::cause`].
impl PanicObserver for Alerts {
    fn panicked(&self, report: &Report) {
        let mut alert = Alert::new(Level::Error, PANIC, format!("A panic was contained: {}", report.entry.as_str()));
        alert.about = report.cause();
        alert.text.clone_from(&report.message);
        alert.fields.push(("route".to_owned(), report.route.to_string()));
        alert.fields.push(("location".to_owned(), report.location.clone()));
        alert.fields.extend(report.facts.iter().map(|(name, fact)| ((*name).to_owned(), fact.clone())));
        alert.trace = Some(report.backtrace.clone()).filter(|trace| !trace.is_empty());
        self.raise(alert);
    }
}
