//! The process-wide metrics and their text exposition.
//!
//! Promises: labels have few values (route templates, fixed words); counters that alerts watch exist at zero from the start;
//! handles are resolved once and kept, so that counting is an atomic add. Names start with `aiva_`.
//!
//! Start reading at [`metrics`]; a crate with metrics of its own calls [`Metrics::register`] once.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Metric, Registry};

pub use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds, in seconds, for the time a request or a job takes: 1 ms to 60 s.
pub const DURATION_BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// A label value.
pub type Label = Cow<'static, str>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PanicLabels {
    entry: &'static str,
    route: Label,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InvariantLabels {
    aggregate: &'static str,
    invariant: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConflictLabels {
    aggregate: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: Label,
    route: Label,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    method: Label,
    route: Label,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TaskLabels {
    task: Label,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: Label,
    commit: Label,
}

/// Everything the process counts.
pub struct Metrics {
    registry: Mutex<Registry>,
    panics: Family<PanicLabels, Counter>,
    invariants: Family<InvariantLabels, Counter>,
    conflicts: Family<ConflictLabels, Counter>,
    requests: Family<StatusLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    tasks: Family<TaskLabels, Gauge>,
    restarts: Family<TaskLabels, Counter>,
    build: Family<BuildLabels, Gauge>,
}

/// The one register of the process.
pub fn metrics() -> &'static Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(Metrics::new)
}

impl Metrics {
    fn new() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("aiva")),
            panics: Family::default(),
            invariants: Family::default(),
            conflicts: Family::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(durations),
            in_flight: Gauge::default(),
            tasks: Family::default(),
            restarts: Family::default(),
            build: Family::default(),
        };
        let mut registry = metrics.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register("panics", "Panics that were contained, by entry and route", metrics.panics.clone());
        registry.register("invariant_violations", "Broken invariants of an aggregate", metrics.invariants.clone());
        registry.register("concurrency_conflicts", "Optimistic-lock conflicts", metrics.conflicts.clone());
        registry.register("http_requests", "Requests answered, by route template", metrics.requests.clone());
        registry.register("http_request_duration_seconds", "Time to the answer", metrics.durations.clone());
        registry.register("http_requests_in_flight", "Requests being answered now", metrics.in_flight.clone());
        registry.register("tasks_alive", "Supervised tasks that run now", metrics.tasks.clone());
        registry.register("task_restarts", "Supervised tasks started again", metrics.restarts.clone());
        registry.register("build_info", "What is running", metrics.build.clone());
        registry.register_collector(Box::new(Allocator));
        drop(registry);
        metrics
    }

    /// Adds a metric; the returned clone is the handle. A counter's name is given without `_total`. Call it once per
    /// metric: a second registration under the same name shows up twice.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        self.lock().register(name, help, metric.clone());
        metric
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// Only if a registered metric refuses to encode itself.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(16 * 1024);
        prometheus_client::encoding::text::encode(&mut text, &self.lock())?;
        Ok(text)
    }

    /// Names what is running; called once at start.
    pub fn set_build(&self, version: impl Into<Label>, commit: impl Into<Label>) {
        self.build.get_or_create(&BuildLabels { version: version.into(), commit: commit.into() }).set(1);
    }

    /// `aiva_panics_total{entry,route}`; asking creates it at zero.
    pub fn panics(&self, entry: &'static str, route: impl Into<Label>) -> Counter {
        self.panics.get_or_create_owned(&PanicLabels { entry, route: route.into() })
    }

    /// `aiva_invariant_violations_total{aggregate,invariant}`; asking creates it at zero, so its owner asks at start.
    pub fn invariant(&self, aggregate: &'static str, invariant: &'static str) -> Counter {
        self.invariants.get_or_create_owned(&InvariantLabels { aggregate, invariant })
    }

    /// `aiva_concurrency_conflicts_total{aggregate}`; asking creates it at zero, so its owner asks at start.
    pub fn conflict(&self, aggregate: &'static str) -> Counter {
        self.conflicts.get_or_create_owned(&ConflictLabels { aggregate })
    }

    /// The handles of one route, to be resolved once and kept beside it. `route` is the template.
    pub fn route(&self, method: impl Into<Label>, route: impl Into<Label>) -> RouteMetrics {
        let labels = RouteLabels { method: method.into(), route: route.into() };
        let answers = STATUS_CLASSES.map(|status| {
            let RouteLabels { method, route } = labels.clone();
            self.requests.get_or_create_owned(&StatusLabels { method, route, status })
        });
        RouteMetrics {
            answers,
            duration: self.durations.get_or_create_owned(&labels),
            in_flight: self.in_flight.clone(),
        }
    }

    /// `aiva_tasks_alive{task}`.
    pub fn tasks_alive(&self, task: impl Into<Label>) -> Gauge {
        self.tasks.get_or_create_owned(&TaskLabels { task: task.into() })
    }

    /// `aiva_task_restarts_total{task}`.
    pub fn task_restarts(&self, task: impl Into<Label>) -> Counter {
        self.restarts.get_or_create_owned(&TaskLabels { task: task.into() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Rate, errors and duration of one route.
#[derive(Debug, Clone)]
pub struct RouteMetrics {
    answers: [Counter; 5],
    duration: Histogram,
    in_flight: Gauge,
}

impl RouteMetrics {
    /// A request begins; it is in flight until the guard is dropped, answered or not.
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// A request was answered with `status` after `took`.
    pub fn answered(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).clamp(1, STATUS_CLASSES.len()) - 1;
        self.answers[class].inc();
        self.duration.observe(took.as_secs_f64());
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A histogram of seconds with the usual buckets.
pub fn durations() -> Histogram {
    Histogram::new(DURATION_BUCKETS)
}

/// Reads the allocator's own figures at each exposition; zero where the binary does not run on jemalloc.
#[derive(Debug)]
struct Allocator;

impl Collector for Allocator {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        use tikv_jemalloc_ctl::{epoch, stats};
        let fresh = epoch::advance().is_ok();
        let figure = |read: Result<usize, tikv_jemalloc_ctl::Error>| {
            let bytes = read.ok().filter(|_| fresh).unwrap_or(0);
            prometheus_client::metrics::gauge::ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX))
        };
        for (name, help, value) in [
            ("allocator_allocated_bytes", "Bytes the program holds", figure(stats::allocated::read())),
            ("allocator_resident_bytes", "Bytes the allocator keeps in memory", figure(stats::resident::read())),
        ] {
            value.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alerts_watch_exists_at_zero() {
        metrics().invariant("test-session", "single use");
        metrics().conflict("test-finding");
        metrics().panics("test", "");
        let text = metrics().encode().unwrap();
        for line in [
            "aiva_invariant_violations_total{aggregate=\"test-session\",invariant=\"single use\"} 0",
            "aiva_concurrency_conflicts_total{aggregate=\"test-finding\"} 0",
            "aiva_panics_total{entry=\"test\",route=\"\"} 0",
            "aiva_allocator_resident_bytes ",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_route_counts_its_answers_by_class() {
        let route = metrics().route("GET", "/test/metrics/{id}");
        {
            let _in_flight = route.begin();
            route.answered(204, Duration::from_millis(3));
            route.answered(503, Duration::from_millis(3));
            route.answered(999, Duration::from_millis(3)); // no such status: counted, not a panic
        }
        let text = metrics().encode().unwrap();
        for (status, count) in [("2xx", 1), ("4xx", 0), ("5xx", 2)] {
            let line =
                format!("requests_total{{method=\"GET\",route=\"/test/metrics/{{id}}\",status=\"{status}\"}} {count}");
            assert!(text.contains(&line), "{line}\n{text}");
        }
    }
}
