//! What the proxy counts. Every series exists from the start, so that an alert on it can see zero.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aiva_chassis::telemetry::metrics::metrics;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::fault::Fault;
use super::http2::Abuse;
use super::judge::Form;
use super::limits::Full;
use super::stranger::Stranger;
use crate::tunnel::relay::End;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FormLabels {
    form: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabels {
    direction: &'static str,
}

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Forwarded, or the tunnel opened.
    Done,
    /// Refused by the policy or for want of credentials.
    Refused,
    /// Allowed, but failed.
    Failed,
}

const OUTCOMES: [(Became, &str); 3] =
    [(Became::Done, "done"), (Became::Refused, "refused"), (Became::Failed, "failed")];

/// The handles, resolved once.
pub struct Counters {
    /// Connections taken.
    pub connections: Counter,
    /// Connections open now.
    pub open: Gauge,
    /// Tunnels open now.
    pub tunnels: Gauge,
    /// Requests that were answered on a connection that had served the origin before.
    pub reused: Counter,
    /// Tunnels closed because a new policy no longer allows them.
    pub forbidden: Counter,
    /// Clients that left before anything was decided.
    pub left: Counter,
    /// Connections that spoke HTTP/2.
    pub http2: Counter,
    /// Connections without a whole request that were closed for a newcomer.
    pub made_way: Counter,
    /// Heads that did not come in time.
    pub slow: Counter,
    requests: [[Counter; 3]; 2],
    faults: Vec<Counter>,
    full: [Counter; 3],
    abuses: [(Abuse, Counter); 3],
    strangers: [(Stranger, Counter); 9],
    ends: Vec<(End, Counter)>,
    /// Bytes from clients, bodies and tunnels.
    pub sent: Counter,
    /// Bytes to clients.
    pub received: Counter,
}

const ENDS: [End; 6] = [End::Closed, End::Broken, End::Idle, End::TooLong, End::TooMuch, End::Ended];

impl Counters {
    /// The process's one set.
    pub fn get() -> &'static Self {
        static COUNTERS: OnceLock<Counters> = OnceLock::new();
        COUNTERS.get_or_init(Self::register)
    }

    fn register() -> Self {
        let reasons =
            |name: &str, help: &str| metrics().register(name, help, Family::<ReasonLabels, Counter>::default());
        let requests = metrics().register(
            "egress_proxy_requests",
            "Requests to the egress proxy, by form and outcome",
            Family::<FormLabels, Counter>::default(),
        );
        let bytes = metrics().register(
            "egress_proxy_bytes",
            "Bytes of bodies and tunnels, from clients (sent) and to them (received)",
            Family::<DirectionLabels, Counter>::default(),
        );
        let faults = reasons("egress_proxy_malformed", "Messages that the egress proxy refused to read, by fault");
        let full = reasons("egress_proxy_overload", "What the egress proxy turned away for want of room, by reason");
        let abuses = reasons("egress_proxy_http2_abuse", "HTTP/2 connections that were cut off, by reason");
        let strangers = reasons(
            "egress_proxy_strangers",
            "Connections that ended before they could ask for anything, by reason: no PROXY protocol, no TLS, a certificate that does not count",
        );
        let ends = reasons("egress_proxy_tunnels_ended", "Tunnels that have ended, by how");
        let of = |family: &Family<ReasonLabels, Counter>, reason| family.get_or_create_owned(&ReasonLabels { reason });
        let direction = |direction| bytes.get_or_create_owned(&DirectionLabels { direction });
        let of_form = |form| OUTCOMES.map(|(_, outcome)| requests.get_or_create_owned(&FormLabels { form, outcome }));
        Self {
            connections: metrics().register("egress_proxy_connections", "Connections taken", Counter::default()),
            open: metrics().register("egress_proxy_connections_open", "Connections open now", Gauge::default()),
            tunnels: metrics().register("egress_proxy_tunnels_open", "Tunnels open now", Gauge::default()),
            reused: metrics().register(
                "egress_proxy_reused",
                "Requests over a connection that had served before",
                Counter::default(),
            ),
            forbidden: metrics().register(
                "egress_proxy_tunnels_forbidden",
                "Tunnels closed because a new policy no longer allows them",
                Counter::default(),
            ),
            left: metrics().register(
                "egress_proxy_left_early",
                "Clients that left while their request was being decided",
                Counter::default(),
            ),
            http2: metrics().register(
                "egress_proxy_http2_connections",
                "Connections that spoke HTTP/2 to the egress proxy",
                Counter::default(),
            ),
            made_way: metrics().register(
                "egress_proxy_made_way",
                "Connections without a whole request that were closed for a newcomer when every place was taken",
                Counter::default(),
            ),
            slow: metrics().register(
                "egress_proxy_slow_heads",
                "Connections closed because their request did not come in time",
                Counter::default(),
            ),
            requests: [of_form("request"), of_form("tunnel")],
            faults: Fault::ALL.iter().map(|fault| of(&faults, fault.word())).collect(),
            full: [of(&full, Full::Connections.word()), of(&full, Full::Source.word()), of(&full, HEAD_MEMORY)],
            abuses: Abuse::ALL.map(|abuse| (abuse, of(&abuses, abuse.word()))),
            strangers: Stranger::ALL.map(|stranger| (stranger, of(&strangers, stranger.word()))),
            ends: ENDS.iter().map(|end| (*end, of(&ends, end.name()))).collect(),
            sent: direction("sent"),
            received: direction("received"),
        }
    }

    /// A request was dealt with.
    pub fn request(&self, form: Form, became: Became) {
        let form = match form {
            Form::Request => 0,
            Form::Tunnel => 1,
        };
        if let Some(outcome) = OUTCOMES.iter().position(|(one, _)| *one == became) {
            self.requests[form][outcome].inc();
        }
    }

    /// Bytes were malformed.
    pub fn malformed(&self, fault: Fault) {
        if let Some(counter) = Fault::ALL.iter().position(|one| *one == fault).and_then(|at| self.faults.get(at)) {
            counter.inc();
        }
    }

    /// There was no room.
    pub fn full(&self, full: Full) {
        self.full[match full {
            Full::Connections => 0,
            Full::Source => 1,
        }]
        .inc();
    }

    /// There was no memory for a head.
    pub fn no_head_memory(&self) {
        self.full[2].inc();
    }

    /// An HTTP/2 connection was cut off.
    pub fn abused(&self, abuse: Abuse) {
        if let Some((_, counter)) = self.abuses.iter().find(|(one, _)| *one == abuse) {
            counter.inc();
        }
    }

    /// A connection ended before it could ask for anything. Whoever knocks without end fills no log: each reason stands there
    /// at most once a second, the counter has them all.
    pub fn stranger(&self, stranger: Stranger, client: SocketAddr) {
        static LAST: [AtomicU64; Stranger::ALL.len()] = [const { AtomicU64::new(0) }; Stranger::ALL.len()];
        let Some(at) = self.strangers.iter().position(|(one, _)| *one == stranger) else { return };
        self.strangers[at].1.inc();
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        let second = BEGAN.get_or_init(Instant::now).elapsed().as_secs() + 1;
        if LAST[at].swap(second, Ordering::Relaxed) == second {
            return;
        }
        let reason = stranger.word();
        match stranger.is_refused() {
            true => {
                tracing::warn!(%client, reason, "egress: a connection was refused before it could ask for anything")
            }
            false => tracing::debug!(%client, reason, "egress: a connection ended in its handshake"),
        }
    }

    /// A tunnel has ended.
    pub fn ended(&self, end: End) {
        if let Some((_, counter)) = self.ends.iter().find(|(one, _)| *one == end) {
            counter.inc();
        }
    }
}

/// The word for a head that there was no memory for.
pub const HEAD_MEMORY: &str = "head-memory";
