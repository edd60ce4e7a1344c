//! What is counted of an upstream. Every series exists from the moment the upstream does.

use std::sync::OnceLock;

use aiva_chassis::telemetry::metrics::{Label, metrics};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    upstream: Label,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: Label,
}

/// One upstream's.
pub(super) struct Meters {
    /// Tunnels that it opened.
    pub(super) opened: Counter,
    /// Tunnels that it refused.
    pub(super) refused: Counter,
    /// Tunnels that it could not be asked for, or gave no answer to.
    pub(super) failed: Counter,
    /// 0 while it fails every time.
    pub(super) up: Gauge,
}

struct Families {
    tunnels: Family<OutcomeLabels, Counter>,
    up: Family<UpstreamLabels, Gauge>,
}

impl Meters {
    pub(super) fn of(upstream: &str) -> Self {
        static FAMILIES: OnceLock<Families> = OnceLock::new();
        let families = FAMILIES.get_or_init(|| Families {
            tunnels: metrics().register(
                "egress_upstream_tunnels",
                "Tunnels asked of an upstream proxy, by what became of them",
                Family::default(),
            ),
            up: metrics().register(
                "egress_upstream_up",
                "0 while every tunnel that an upstream proxy is asked for fails by its own fault",
                Family::default(),
            ),
        });
        let name = || Label::Owned(upstream.to_owned());
        let of = |outcome| families.tunnels.get_or_create_owned(&OutcomeLabels { upstream: name(), outcome });
        Self {
            opened: of("opened"),
            refused: of("refused"),
            failed: of("failed"),
            up: families.up.get_or_create_owned(&UpstreamLabels { upstream: name() }),
        }
    }
}
