//! Contains panics: a broken invariant fails one piece of work, never the process.
//!
//! Promises, for every panic inside [`catch`] or [`catch_blocking`]: it is logged with its backtrace and the facts of the
//! place, counted in `aiva_panics_total{entry,route}`, handed to the observers (alerts), and the caller gets [`Panicked`],
//! which tells the outside nothing of the inside. A panic outside any of them is logged and counted as `uncaught`. No panic
//! message leaves without redaction. A panicking observer or destructor is contained as well.
//!
//! Tests: [`watch`] fails the test if a panic was contained while it ran, except those raised by [`provoke`].
//!
//! Start reading at [`catch`].

use std::any::Any;
use std::backtrace::Backtrace;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once, PoisonError, RwLock};
use std::task::Poll;

use crate::telemetry::{metrics::metrics, redact};

/// Where work enters the process; the first label of the panic counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// An HTTP request.
    Request,
    /// A gRPC call.
    Rpc,
    /// The handler of an event.
    EventHandler,
    /// A scheduled job.
    Job,
    /// A proxied connection.
    Tunnel,
    /// An item in a pool or pipeline.
    Worker,
    /// A supervised task.
    Task,
    /// Outside all of these; only the hook reports it.
    Uncaught,
}

impl Entry {
    /// Every entry, for tables and for counters at zero.
    pub const ALL: [Self; 8] = [
        Self::Request,
        Self::Rpc,
        Self::EventHandler,
        Self::Job,
        Self::Tunnel,
        Self::Worker,
        Self::Task,
        Self::Uncaught,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Rpc => "rpc",
            Self::EventHandler => "event_handler",
            Self::Job => "job",
            Self::Tunnel => "tunnel",
            Self::Worker => "worker",
            Self::Task => "task",
            Self::Uncaught => "uncaught",
        }
    }
}

/// What the work was: the route, as a template or fixed word, and facts such as the request id or the event's type.
#[derive(Debug, Clone, Default)]
pub struct Place {
    route: Cow<'static, str>,
    facts: Vec<(&'static str, String)>,
}

impl Place {
    /// `route` becomes a metric label, so it must have few values: `GET /v1/findings/{id}`, an event type, a job's name.
    pub fn new(route: impl Into<Cow<'static, str>>) -> Self {
        Self { route: route.into(), facts: Vec::new() }
    }

    /// Adds a fact for the log and the alert: request id, method, client address, user agent.
    #[must_use]
    pub fn with(mut self, name: &'static str, fact: impl fmt::Display) -> Self {
        self.facts.push((name, fact.to_string()));
        self
    }
}

/// One contained panic, as observers see it.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where it entered.
    pub entry: Entry,
    /// The route template, event type or name.
    pub route: Cow<'static, str>,
    /// The panic's own message, redacted.
    pub message: String,
    /// Source file, line and column, where known.
    pub location: String,
    /// The stack at the panic; empty if the hook did not see it.
    pub backtrace: String,
    /// What the place knew, redacted.
    pub facts: Vec<(&'static str, String)>,
}

impl Report {
    /// The same for panics that have one cause: the place in the source, not what the message happened to say.
    pub fn cause(&self) -> String {
        if self.location.is_empty() {
            format!("panic {} {}", self.entry.as_str(), self.route)
        } else {
            format!("panic {}", self.location)
        }
    }
}

/// Hears of every panic: raises the alert. Called on the thread that panicked, so it must only enqueue.
pub trait PanicObserver: Send + Sync {
    /// A panic was contained and logged.
    fn panicked(&self, report: &Report);
}

/// The work panicked. Says nothing of the cause: that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("internal error")]
pub struct Panicked;

static OBSERVERS: RwLock<Vec<Arc<dyn PanicObserver>>> = RwLock::new(Vec::new());
static UNPROVOKED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// How many `catch`es are on this thread's stack.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What the hook saw of the latest panic of this thread.
    static SEEN: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

struct Seen {
    location: String,
    backtrace: String,
}

/// Adds an observer for the rest of the process's life.
pub fn observe(observer: Arc<dyn PanicObserver>) {
    OBSERVERS.write().unwrap_or_else(PoisonError::into_inner).push(observer);
}

/// Installs the hook that sees the stack, and creates the counters at zero. Called by the others; `main` calls it early, so
/// that a panic before any of them is reported too.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        for entry in Entry::ALL {
            metrics().panics(entry.as_str(), "");
        }
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| on_panic(info, &usual)));
    });
}

fn on_panic(info: &PanicHookInfo<'_>, usual: &dyn Fn(&PanicHookInfo<'_>)) {
    let seen = Seen {
        location: info.location().map(ToString::to_string).unwrap_or_default(),
        backtrace: Backtrace::force_capture().to_string(),
    };
    if DEPTH.try_with(Cell::get).unwrap_or(0) > 0 {
        SEEN.with(|slot| *slot.borrow_mut() = Some(seen));
        return;
    }
    usual(info);
    let _contained = catch_unwind(AssertUnwindSafe(|| {
        publish(Entry::Uncaught, Place::default(), &message(info.payload()), Some(seen));
    }));
}

/// Runs the future; a panic in it, or in dropping it, becomes [`Panicked`]. `place` is asked only in that case.
///
/// # Errors
/// [`Panicked`] if it panicked; everything else about the panic is already reported.
pub async fn catch<F: Future>(entry: Entry, place: impl FnOnce() -> Place, work: F) -> Result<F::Output, Panicked> {
    install();
    let mut work = pin!(Some(work));
    let outcome = poll_fn(|context| match guarded(|| work.as_mut().as_pin_mut().map(|work| work.poll(context))) {
        Ok(Some(Poll::Ready(output))) => Poll::Ready(Ok(output)),
        Ok(Some(Poll::Pending)) => Poll::Pending,
        Ok(None) => Poll::Ready(Err(Box::new("the work was gone") as Box<dyn Any + Send>)),
        Err(payload) => Poll::Ready(Err(payload)),
    })
    .await;
    let dropped = guarded(|| work.set(None));
    match (outcome, dropped) {
        (Ok(output), Ok(())) => Ok(output),
        (Err(payload), _) | (Ok(_), Err(payload)) => Err(contain(entry, place, payload)),
    }
}

/// Runs the closure on this thread; a panic in it becomes [`Panicked`].
///
/// # Errors
/// [`Panicked`] if it panicked; everything else about the panic is already reported.
pub fn catch_blocking<T>(entry: Entry, place: impl FnOnce() -> Place, work: impl FnOnce() -> T) -> Result<T, Panicked> {
    install();
    guarded(work).map_err(|payload| contain(entry, place, payload))
}

/// Reports a panic that someone else caught, a `JoinError`'s for example.
pub fn contain(entry: Entry, place: impl FnOnce() -> Place, payload: Box<dyn Any + Send>) -> Panicked {
    if payload.downcast_ref::<Provoked>().is_none() {
        UNPROVOKED.fetch_add(1, Ordering::SeqCst);
    }
    let seen = SEEN.with(|slot| slot.borrow_mut().take());
    let message = message(payload.as_ref());
    let published = guarded(|| publish(entry, place(), &message, seen));
    // A payload may panic when it is dropped; two in a row are past helping and are leaked.
    let dropped = guarded(|| drop(payload));
    for payload in [published.err(), dropped.err()].into_iter().flatten() {
        std::mem::forget(payload);
        tracing::error!("a panic happened while a panic was reported");
    }
    Panicked
}

fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    struct Deeper;
    impl Drop for Deeper {
        fn drop(&mut self) {
            DEPTH.with(|depth| depth.set(depth.get() - 1));
        }
    }
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    let _deeper = Deeper;
    catch_unwind(AssertUnwindSafe(work))
}

fn publish(entry: Entry, place: Place, message: &str, seen: Option<Seen>) {
    let (location, backtrace) = seen.map(|seen| (seen.location, seen.backtrace)).unwrap_or_default();
    let facts = place.facts.into_iter().map(|(name, fact)| {
        let fact = if redact::is_telling(name) { redact::MASK.to_owned() } else { redact::text(&fact).into_owned() };
        (name, fact)
    });
    let report = Report {
        entry,
        route: place.route,
        message: redact::text(message).into_owned(),
        location,
        backtrace,
        facts: facts.collect(),
    };
    metrics().panics(entry.as_str(), report.route.clone()).inc();
    let facts = report.facts.iter().map(|(name, fact)| format!("{name}={fact}")).collect::<Vec<_>>().join(" ");
    tracing::error!(
        entry = entry.as_str(),
        route = &*report.route,
        location = report.location,
        facts,
        backtrace = report.backtrace,
        "panic: {}",
        report.message
    );
    let observers = OBSERVERS.read().unwrap_or_else(PoisonError::into_inner).clone();
    for observer in observers {
        observer.panicked(&report);
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(Provoked(text)) = payload.downcast_ref::<Provoked>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<&'static str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a text".to_owned()
    }
}

/// The payload of a panic that a test raised on purpose.
#[derive(Debug)]
struct Provoked(&'static str);

/// Panics on purpose, in a test: contained, logged, counted and observed like any other, but [`watch`] lets it pass.
pub fn provoke(text: &'static str) -> ! {
    std::panic::panic_any(Provoked(text))
}

/// Fails the test (panics) on drop if an unprovoked panic was contained anywhere in the process since [`watch`].
#[derive(Debug)]
#[must_use = "the watch ends when it is dropped"]
pub struct Watch {
    before: u64,
}

/// Watches for contained panics until the guard is dropped.
pub fn watch() -> Watch {
    install();
    Watch { before: UNPROVOKED.load(Ordering::SeqCst) }
}

impl Watch {
    /// How many unprovoked panics were contained so far.
    pub fn rise(&self) -> u64 {
        UNPROVOKED.load(Ordering::SeqCst) - self.before
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let rise = self.rise();
        assert!(
            rise == 0 || std::thread::panicking(),
            "{rise} panic(s) were contained while the test ran; see the log"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Seen(Mutex<Vec<Report>>);

    impl PanicObserver for Seen {
        fn panicked(&self, report: &Report) {
            self.0.lock().unwrap().push(report.clone());
        }
    }

    impl Seen {
        fn of(&self, route: &str) -> Vec<Report> {
            self.0.lock().unwrap().iter().filter(|r| r.route == route).cloned().collect()
        }
    }

    #[tokio::test]
    async fn a_panic_is_counted_observed_and_answered_without_detail() {
        let seen = Arc::new(Seen::default());
        observe(seen.clone());
        for round in 1..=2 {
            let place = || Place::new("GET /test/panic").with("request_id", "r-1").with("cookie", "sid=abc");
            let outcome: Result<(), _> = catch(Entry::Request, place, async {
                tokio::task::yield_now().await; // the panic is in a later poll than the first
                provoke("mail ana@example.com broke the invariant")
            })
            .await;
            assert_eq!(outcome, Err(Panicked));
            assert_eq!(Panicked.to_string(), "internal error");
            assert_eq!(metrics().panics("request", "GET /test/panic").get(), round);
        }
        let reports = seen.of("GET /test/panic");
        assert_eq!(reports.len(), 2);
        assert_eq!(reports[0].message, "mail [redacted] broke the invariant");
        assert_eq!(reports[0].facts, [("request_id", "r-1".to_owned()), ("cookie", "[redacted]".to_owned())]);
        assert!(reports[0].backtrace.contains("panic"), "{}", reports[0].backtrace);
        assert_eq!(reports[0].cause(), reports[1].cause());
    }

    #[tokio::test]
    async fn panics_in_destructors_observers_and_threads_are_contained() {
        struct Bomb(&'static str);
        impl Drop for Bomb {
            fn drop(&mut self) {
                provoke(self.0)
            }
        }
        struct Bad;
        impl PanicObserver for Bad {
            fn panicked(&self, report: &Report) {
                if report.route == "test-bomb" {
                    provoke("observer");
                }
            }
        }
        observe(Arc::new(Bad));
        let bomb = Bomb("dropped");
        let outcome = catch(Entry::Job, || Place::new("test-bomb"), async move {
            let _held = &bomb;
            tokio::task::yield_now().await;
        })
        .await;
        assert_eq!(outcome, Err(Panicked));
        let joined =
            std::thread::spawn(|| catch_blocking(Entry::Worker, || Place::new("test-thread"), || provoke("thread")));
        assert_eq!(joined.join().unwrap(), Err::<(), _>(Panicked));
        assert_eq!(metrics().panics("worker", "test-thread").get(), 1);
    }

    #[test]
    fn a_watch_lets_provoked_panics_pass() {
        let watch = watch();
        let outcome: Result<(), _> =
            catch_blocking(Entry::Worker, || Place::new("test-watch"), || provoke("on purpose"));
        assert_eq!(outcome, Err(Panicked));
        drop(watch);
    }

    #[test]
    fn work_that_does_not_panic_is_untouched() {
        assert_eq!(catch_blocking(Entry::Worker, || unreachable!("only asked on a panic"), || 7), Ok(7));
    }
}
