//! The one way to a verdict: judge the name, look it up once, judge every address, say why.
//!
//! Every form of the guard (proxy, decision API, [`crate::Client`]) asks [`Engine::decide`], so that all say the same with
//! the same words. A verdict hands back the checked addresses: whoever connects to anything else has not asked. A failing
//! DNS is an outcome of its own and never looks like policy. Start reading at [`Engine::decide`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use http::Method;

use crate::judge::{Case, Question};
use crate::policy::{Denial, Policy, Refusal, Rule};
use crate::reason::Reason;
use crate::rebinding::{Rebinding, Watch};
use crate::resolve::{Answer, Lookup, ResolveError, Resolver};
use crate::target::{Host, Target};

/// Tells the time; only exceptions and allowed blocks that end ask for it.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It may leave, to [`Verdict::connect_to`] and nowhere else.
    Allowed,
    /// The policy refuses it.
    Denied(Denial),
    /// The DNS gave no address: not a refusal, and not a permission either.
    Unresolved(ResolveError),
}

/// What was decided, and why.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// What decided.
    pub rule: Rule,
    /// In report mode: what would have refused it.
    pub would_deny: Option<Refusal>,
    /// The checked addresses, in the answer's order; empty unless allowed.
    pub connect_to: Vec<SocketAddr>,
    /// What the name meant; `None` for a literal address and where it did not come to a lookup.
    pub answer: Option<Arc<Answer>>,
    /// Whether the answer came from memory.
    pub cached: bool,
    /// The name was public a while ago and is not any more.
    pub rebinding: Option<Rebinding>,
    /// What would allow it. For operators: a caller that reads it learns the policy.
    pub remedy: Option<String>,
}

impl Verdict {
    /// Whether it may leave.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allowed
    }

    /// The refusal, where the policy refused.
    pub fn denial(&self) -> Option<&Denial> {
        match &self.outcome {
            Outcome::Denied(denial) => Some(denial),
            Outcome::Allowed | Outcome::Unresolved(_) => None,
        }
    }

    /// What the DNS did, where it gave no address.
    pub fn dns_error(&self) -> Option<&ResolveError> {
        match &self.outcome {
            Outcome::Unresolved(error) => Some(error),
            Outcome::Allowed | Outcome::Denied(_) => None,
        }
    }

    /// The stable word for the outcome: that of the denial, `dns-…` for the DNS, or `allowed`.
    pub fn reason(&self) -> &'static str {
        match &self.outcome {
            Outcome::Allowed => "allowed",
            Outcome::Denied(denial) => denial.reason.name(),
            Outcome::Unresolved(error) => error.name(),
        }
    }

    /// A refusal before or without a lookup. `host` is what a remedy would name.
    pub fn refused(refusal: Refusal, host: &str) -> Self {
        let remedy = refusal.remedy(host);
        let Refusal { rule, denial, mixed: _ } = refusal;
        Self { remedy, rule, ..Self::of(Outcome::Denied(denial)) }
    }

    /// A text that two parsers would not read alike.
    pub fn unreadable(reason: Reason) -> Self {
        Self::refused(Refusal::new(Rule::Text, reason, "the address"), "")
    }

    fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            rule: Rule::Dns,
            would_deny: None,
            connect_to: Vec::new(),
            answer: None,
            cached: false,
            rebinding: None,
            remedy: None,
        }
    }
}

/// Decides. One for a process: it remembers what names meant, whoever asks.
pub struct Engine {
    clock: Clock,
    watch: Watch,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(Arc::new(system_time))
    }
}

#[expect(clippy::disallowed_methods, reason = "the default for programs that bring no clock; tests bring one")]
fn system_time() -> SystemTime {
    SystemTime::now()
}

impl Engine {
    /// With a clock.
    pub fn new(clock: Clock) -> Self {
        Self { clock, watch: Watch::default() }
    }

    /// The same with another watch for names that turn from public to internal.
    #[must_use]
    pub fn watch(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    /// Decides on a target that was read. The lookup is bounded by the resolver; nothing else waits.
    pub async fn decide(&self, policy: &Policy, resolver: &dyn Resolver, question: Question<'_>) -> Verdict {
        let host = question.target.host();
        let now = (self.clock)();
        let case = match policy.judge(question, now) {
            Ok(case) => case,
            Err(refusal) => return Verdict::refused(refusal, &host.text()),
        };
        let name = match host {
            Host::Address(address) => return literal(case, *address),
            Host::Name(name) => name,
        };
        match resolver.resolve(name).await {
            Ok(lookup) => {
                let mut verdict = conclude(case, &lookup.answer, host);
                verdict.rebinding = self.watch.see(name, &lookup, &verdict, policy, now);
                verdict.answer = Some(lookup.answer);
                verdict.cached = lookup.cached;
                verdict
            }
            Err(error) => Verdict::of(Outcome::Unresolved(error)),
        }
    }

    /// Decides on a text: what cannot be read alike by everybody is refused with a reason of its own.
    pub async fn decide_text(
        &self,
        policy: &Policy,
        resolver: &dyn Resolver,
        text: &str,
        method: Option<&Method>,
    ) -> Verdict {
        match Target::parse(text) {
            Ok(target) => self.decide(policy, resolver, Question { target: &target, method }).await,
            Err(reason) => Verdict::unreadable(reason),
        }
    }

    /// What a policy says of an answer that is already known, without a lookup: for trying a policy on past decisions.
    pub fn replay(policy: &Policy, question: Question<'_>, answer: &Lookup, now: SystemTime) -> Verdict {
        let host = question.target.host();
        match policy.judge(question, now) {
            Ok(case) => match host {
                Host::Address(address) => literal(case, *address),
                Host::Name(_) => conclude(case, &answer.answer, host),
            },
            Err(refusal) => Verdict::refused(refusal, &host.text()),
        }
    }
}

fn literal(case: Case<'_, '_>, address: IpAddr) -> Verdict {
    let answer = Answer { addresses: vec![address], ..Answer::default() };
    conclude(case, &answer, &Host::Address(address))
}

fn conclude(case: Case<'_, '_>, answer: &Answer, host: &Host) -> Verdict {
    match case.answered(answer) {
        Ok(passed) => Verdict {
            rule: passed.rule,
            would_deny: passed.would_deny,
            connect_to: passed.connect_to,
            ..Verdict::of(Outcome::Allowed)
        },
        Err(refusal) => Verdict::refused(refusal, &host.text()),
    }
}
