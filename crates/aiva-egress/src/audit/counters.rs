//! What is counted of records: written, refused by the store, waited for, missing.

use std::sync::OnceLock;

use aiva_chassis::telemetry::metrics::metrics;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

pub(super) struct Counters {
    pub(super) written: Counter,
    pub(super) failures: Counter,
    pub(super) stalled: Counter,
    pub(super) denied: Counter,
    pub(super) unrecorded: Counter,
    pub(super) waiting: Gauge,
}

impl Counters {
    pub(super) fn get() -> &'static Self {
        static COUNTERS: OnceLock<Counters> = OnceLock::new();
        COUNTERS.get_or_init(|| Self {
            written: metrics().register(
                "egress_records_written",
                "Rows written for records of egress decisions, their ends included",
                Counter::default(),
            ),
            failures: metrics().register(
                "egress_records_failures",
                "Groups of records that the store did not take, each try counted",
                Counter::default(),
            ),
            stalled: metrics().register(
                "egress_records_stalled",
                "Requests that had to wait because records wait for the store",
                Counter::default(),
            ),
            denied: metrics().register(
                "egress_records_denied",
                "Requests that were refused because there was no room for their record in time",
                Counter::default(),
            ),
            unrecorded: metrics().register(
                "egress_records_missing",
                "Decisions that stand in the log only, because there was no room for their record in time",
                Counter::default(),
            ),
            waiting: metrics().register(
                "egress_records_waiting",
                "Records in memory at the last look that are not on the disk yet",
                Gauge::default(),
            ),
        })
    }
}
