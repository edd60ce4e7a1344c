//! Judges a request: its name first, then every address of the answer.
//!
//! Pure: no lookup, no socket, and the time is handed in. Metadata services and this process itself beat every allow; after
//! them deny beats allow; an internal address passes only by an allowed block or a named exception. One bad address spoils
//! the whole answer unless the policy says that the good ones may be used. In report mode what only the role's own lists
//! refuse passes and is told. Start reading at [`Policy::judge`]; `name`, `request` and `opening` (addresses) judge a part
//! each, and what they find is put together here.

use std::net::SocketAddr;
use std::time::SystemTime;

use http::Method;

use crate::address::{self, Class};
use crate::policy::{Denial, Exception, Mixed, Mode, Policy, Reason, Refusal, Rule};
use crate::resolve::Answer;
use crate::target::{Host, Scheme, Target};

mod name;
mod opening;
mod redirect;
mod request;

/// How many addresses may be connected to; every address of the answer is judged.
pub const MOST_CONNECT: usize = 16;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// Where to.
    pub target: &'q Target,
    /// With which method; `None` inside a tunnel, where nobody sees it.
    pub method: Option<&'q Method>,
}

impl<'q> Question<'q> {
    /// Whether a tunnel or a connection to there may be opened.
    pub fn new(target: &'q Target) -> Self {
        Self { target, method: None }
    }

    /// Whether a request with this method may be sent.
    #[must_use]
    pub fn method(mut self, method: &'q Method) -> Self {
        self.method = Some(method);
        self
    }
}

/// What may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// What let it pass.
    pub rule: Rule,
    /// What would have refused it if the role were enforced.
    pub would_deny: Option<Refusal>,
    /// The checked addresses, in the answer's order; at least one, at most [`MOST_CONNECT`].
    pub connect_to: Vec<SocketAddr>,
}

/// A question whose name may be looked up.
#[derive(Debug)]
pub struct Case<'p, 'q> {
    policy: &'p Policy,
    question: Question<'q>,
    now: SystemTime,
    rule: Rule,
    would_deny: Option<Refusal>,
    /// Those for the name, live and past.
    named: Vec<&'p Exception>,
    /// What a named exception lifted: it comes back for an address that no exception opens.
    lifted: Option<Refusal>,
    /// The port is open only where what opens the address says so.
    port_by_opening: bool,
}

impl Policy {
    /// Judges all that can be judged before a lookup.
    pub fn judge<'p, 'q>(&'p self, question: Question<'q>, now: SystemTime) -> Result<Case<'p, 'q>, Refusal> {
        let mut case = Case::new(self, question, now);
        match question.target.host() {
            Host::Name(name) => case.name(name)?,
            // Again after the lookup that it does not need; here so that the worst is said first.
            Host::Address(address) => drop(case.address(*address)?),
        }
        case.request()?;
        case.port()?;
        Ok(case)
    }

    /// Judges a name alone, wherever it points and on whichever port; exceptions count as if none had ended.
    pub fn judge_name(&self, name: &str) -> Result<(), Denial> {
        let target = Target::place(Scheme::Http, Host::Name(name.to_owned()), Scheme::Http.default_port());
        let (question, now) = (Question::new(&target), SystemTime::UNIX_EPOCH);
        let mut case = Case::new(self, question, now);
        case.name(name).map_err(|refusal| refusal.denial)
    }
}

impl<'p, 'q> Case<'p, 'q> {
    fn new(policy: &'p Policy, question: Question<'q>, now: SystemTime) -> Self {
        let rule = Rule::Class(Class::Public);
        Self { policy, question, now, rule, would_deny: None, named: Vec::new(), lifted: None, port_by_opening: false }
    }

    /// Judges a whole answer and says which addresses may be connected to.
    pub fn answered(mut self, answer: &Answer) -> Result<Passed, Refusal> {
        for alias in &answer.aliases {
            self.alias(alias)?;
        }
        let port = self.question.target.port();
        let mut good = Vec::with_capacity(answer.addresses.len().min(MOST_CONNECT));
        let mut worst: Option<Refusal> = None;
        for address in &answer.addresses {
            match self.address(*address) {
                Ok(rule) => {
                    if let Some(rule) = rule {
                        self.rule = rule;
                    }
                    good.push(SocketAddr::new(address::canonical(*address), port));
                }
                Err(refusal) => {
                    if worst.as_ref().is_none_or(|known| weight(&refusal) > weight(known)) {
                        worst = Some(refusal);
                    }
                }
            }
        }
        match worst {
            Some(refusal) if good.is_empty() => Err(refusal),
            Some(refusal) if self.policy.mixed == Mixed::Deny => Err(Refusal { mixed: true, ..refusal }),
            None if good.is_empty() => Err(Refusal::new(Rule::Dns, Reason::AddressInternal, "no address")),
            _ => Ok(Passed { rule: self.rule, would_deny: self.would_deny, connect_to: some(good) }),
        }
    }

    /// Refuses; in report mode what comes of the role's own lists is kept for later.
    fn refuse(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        if self.policy.mode == Mode::Report && refusal.is_of_lists() {
            self.would_deny.get_or_insert(refusal);
            return Ok(());
        }
        Err(refusal)
    }
}

fn expired(exception: &Exception, what: impl std::fmt::Display, refusal: Refusal) -> Refusal {
    let Some(end) = exception.expires else { return refusal };
    let what = format!("{what}, and the exception {} ended on {}", exception.name, crate::reason::Day::before(end));
    Refusal::new(Rule::Expired(exception.name.clone(), end), Reason::ExceptionExpired, what)
}

/// An attempt at a metadata service is what an operator wants to hear of first.
fn weight(refusal: &Refusal) -> u8 {
    match refusal.denial.reason {
        Reason::AddressMetadata => 2,
        Reason::AddressSelf => 1,
        _ => 0,
    }
}

/// As many as may be connected to; of more, the families by turns.
fn some(mut good: Vec<SocketAddr>) -> Vec<SocketAddr> {
    if good.len() > MOST_CONNECT {
        good = by_turns(&good);
        good.truncate(MOST_CONNECT);
    }
    good
}

/// IPv6 and IPv4 by turns (RFC 8305 §4), each in the order of the answer.
pub(crate) fn by_turns(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<&SocketAddr>, Vec<&SocketAddr>) = addresses.iter().partition(|address| address.is_ipv6());
    let longest = v6.len().max(v4.len());
    (0..longest).flat_map(|index| [v6.get(index), v4.get(index)]).flatten().copied().copied().collect()
}

#[cfg(test)]
mod tests;
