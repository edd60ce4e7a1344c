//! What is counted of decisions: by role and outcome, and refusals by reason.
//!
//! Promises: every series of a role exists from the moment the role does; the handles are resolved once for each role.

use std::sync::OnceLock;

use aiva_chassis::telemetry::metrics::{Label, metrics};
use aiva_outbound::Reason;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use crate::budget::Over;
use crate::decision::Outcome;
use crate::tunnel::inspect;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabels {
    role: Label,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AskedLabels {
    via: &'static str,
    outcome: &'static str,
}

/// How the decision API was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// `POST /v1/egress/decisions`.
    Rest,
    /// The unary call of gRPC.
    Unary,
    /// The stream of gRPC.
    Stream,
}

impl Via {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Rest, Self::Unary, Self::Stream];

    /// The label's value.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Unary => "unary",
            Self::Stream => "stream",
        }
    }
}

/// The label of questions that got no verdict.
const REFUSED: &str = "refused";

/// The word for credentials that are wrong: no denial, but a refusal.
pub const WRONG_CREDENTIALS: &str = "credentials-wrong";

/// The word for a client certificate that was taken back while its connection stood.
pub const REVOKED: &str = "certificate-revoked";

/// The word for a client certificate whose authority's revocation list has expired.
pub const OUTDATED: &str = "revocation-list-expired";

/// The word for a decision that was not made because there is no room for its record.
pub const STALLED: &str = "records-stalled";

/// The word for what is no decision token of ours.
pub const TOKEN_INVALID: &str = "token-invalid";

/// The word for a decision token that has run out.
pub const TOKEN_EXPIRED: &str = "token-expired";

/// The word for a decision token for another place.
pub const TOKEN_MISMATCH: &str = "token-mismatch";

/// The word for a decision token of a role that is gone, or is not the known caller's.
pub const TOKEN_ROLE: &str = "token-role";

const TOKENS: [&str; 4] = [TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_MISMATCH, TOKEN_ROLE];

/// One role's counters.
#[derive(Clone)]
pub struct Meters {
    /// Allowed.
    pub allowed: Counter,
    /// Allowed, though an enforced role would have refused it.
    pub would_deny: Counter,
    /// Refused by the policy.
    pub denied: Counter,
    /// Refused because a budget is spent.
    pub limited: Counter,
    /// Not decided: the DNS gave no address.
    pub unresolved: Counter,
}

struct Families {
    roles: Family<RoleLabels, Counter>,
    reasons: Vec<(&'static str, Counter)>,
    asked: Family<AskedLabels, Counter>,
}

fn families() -> &'static Families {
    static FAMILIES: OnceLock<Families> = OnceLock::new();
    FAMILIES.get_or_init(|| {
        let roles = metrics().register(
            "egress_decisions",
            "Decisions of the egress guard, by role and outcome",
            Family::<RoleLabels, Counter>::default(),
        );
        let denials = metrics().register(
            "egress_refusals",
            "What the egress guard refused, by reason",
            Family::<ReasonLabels, Counter>::default(),
        );
        let words = Reason::ALL.iter().map(|reason| reason.name()).chain(Over::ALL.iter().map(|over| over.word()));
        let words = words.chain([WRONG_CREDENTIALS, REVOKED, OUTDATED, STALLED]).chain(TOKENS).chain(inspect::WORDS);
        let reasons = words.map(|reason| (reason, denials.get_or_create_owned(&ReasonLabels { reason }))).collect();
        let asked = metrics().register(
            "egress_asked",
            "Questions to the decision API, by how they came and what was decided",
            Family::<AskedLabels, Counter>::default(),
        );
        for via in Via::ALL.map(Via::word) {
            for outcome in Outcome::ALL.iter().map(|outcome| outcome.word()).chain([REFUSED]) {
                let _exists = asked.get_or_create_owned(&AskedLabels { via, outcome });
            }
        }
        Families { roles, reasons, asked }
    })
}

impl Meters {
    /// The role's.
    pub fn of(role: &str) -> Self {
        let of = |outcome| {
            let role = Label::Owned(role.to_owned());
            families().roles.get_or_create_owned(&RoleLabels { role, outcome })
        };
        Self {
            allowed: of("allowed"),
            would_deny: of("would_deny"),
            denied: of("denied"),
            limited: of("limited"),
            unresolved: of("unresolved"),
        }
    }
}

/// Something was refused for this reason.
pub fn refused(reason: &str) {
    if let Some((_, counter)) = families().reasons.iter().find(|(word, _)| *word == reason) {
        counter.inc();
    }
}

/// A question to the decision API; `None` for one that got no verdict.
pub fn asked(via: Via, outcome: Option<Outcome>) {
    let outcome = outcome.map_or(REFUSED, Outcome::word);
    families().asked.get_or_create_owned(&AskedLabels { via: via.word(), outcome }).inc();
}
