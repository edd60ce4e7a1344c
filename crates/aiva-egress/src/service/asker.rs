//! One question: decided by the role, kept as a record, answered.
//!
//! Promises: every way out of here leaves a record where there is a recorder, and a line in the log where there is none; what
//! would allow a refused request is in the record only.

use std::borrow::Cow;
use std::sync::Arc;

use aiva_outbound::resolve::{Answer as Answered, Lookup, ResolveError};
use aiva_outbound::{Engine, Outcome, Question, Reason, Target, Verdict};
use http::Method;

use super::permit::{Granted, Proof};
use super::{Guard, since_1970};
use crate::audit::Slot;
use crate::budget::{self, Spent};
use crate::caller::Standing;
use crate::decision::{self, Record, Who, WouldDeny};
use crate::meters::{self, OUTDATED, REVOKED, STALLED, WRONG_CREDENTIALS};
use crate::ports::BadToken;
use crate::proxy::answer::Answer;
use crate::proxy::fault::Fault;
use crate::proxy::judge::{Allowed, Form, Presented, Ruling};
use crate::role::Role;

/// The rule that stands in the record of a spent budget.
const BUDGETS: &str = "budgets";

/// The rule that stands in the record of what cannot be read, or is served to nobody.
const PROTOCOL: &str = "protocol";

/// One who asks.
pub(super) struct Asker<'a> {
    pub(super) guard: &'a Guard,
    /// Room for the record.
    pub(super) slot: Option<Slot>,
    pub(super) role: Arc<Role>,
    /// Its name, where it is known.
    pub(super) caller: Option<Arc<str>>,
    /// Whether it is who it says, if it says anything.
    pub(super) is_known: bool,
    pub(super) who: Presented<'a>,
    pub(super) form: Form,
    pub(super) method: &'a str,
}

/// What is to be allowed.
struct Allowance {
    target: Target,
    method: Option<Method>,
    verdict: Verdict,
    proof: Proof,
    /// A role that only tells has used more than it may.
    over: Option<Spent>,
    place: Option<budget::Tunnel>,
}

impl Asker<'_> {
    /// Decides on a target that was read.
    pub(super) async fn decide(self, target: Target) -> Ruling {
        let method = self.judged_method();
        let question = Question { target: &target, method: method.as_ref() };
        let verdict = self.role.decide(question).await;
        let proof = if self.who.credentials.is_some() { Proof::Password } else { Proof::Connection };
        self.conclude(target, method, verdict, proof)
    }

    /// Holds a decision token against the policy in force, with the addresses that were checked when it was given out: the
    /// name is not looked up again, so that it cannot mean something else by now.
    pub(super) async fn redeem(mut self, target: Target, token: &[u8]) -> Ruling {
        let now = self.guard.0.clock.now();
        let read = self.guard.0.tokens.get().map_or(Err(BadToken::Invalid), |tokens| tokens.read(token, now));
        let pinned = match read {
            Ok(pinned) => pinned,
            Err(BadToken::Invalid) => return self.bad_token(&target, meters::TOKEN_INVALID),
            Err(BadToken::Expired) => return self.bad_token(&target, meters::TOKEN_EXPIRED),
        };
        if (&pinned.host, pinned.port) != (target.host(), target.port()) {
            return self.bad_token(&target, meters::TOKEN_MISMATCH);
        }
        // A stranger is whoever the token says; a caller that is known has a role of its own, and no other is lent to it.
        if self.caller.is_some() && self.role.name != pinned.role {
            return self.bad_token(&target, meters::TOKEN_ROLE);
        }
        match self.guard.role(Some(&pinned.role)) {
            Some(role) => self.role = role,
            None => return self.bad_token(&target, meters::TOKEN_ROLE),
        }
        let method = self.judged_method();
        let question = Question { target: &target, method: method.as_ref() };
        let answer = Lookup::from(Answered { addresses: pinned.addresses, ..Answered::default() });
        let mut verdict = Engine::replay(&self.role.policy, question, &answer, now.into());
        verdict.answer = Some(answer.answer);
        let verdict = self.role.upstreams.shut(&self.role.policy, &target, verdict).await;
        self.conclude(target, method, verdict, Proof::Token)
    }

    /// Nobody sees the methods inside a tunnel; what is no method that the list could hold is on no list.
    fn judged_method(&self) -> Option<Method> {
        match self.form {
            Form::Request => Method::from_bytes(self.method.as_bytes()).ok(),
            Form::Tunnel => None,
        }
    }

    fn conclude(self, target: Target, method: Option<Method>, verdict: Verdict, proof: Proof) -> Ruling {
        let meters = &self.role.meters;
        match &verdict.outcome {
            Outcome::Allowed => {}
            Outcome::Denied(denial) => {
                meters.denied.inc();
                meters::refused(denial.reason.name());
                let detail = format!("{} may not be called: {}", target.origin(), denial.reason);
                let (rule, reason) = (verdict.rule.to_string(), denial.reason.name());
                let record = self.decided(&target, &verdict);
                return self.refuse(record, |id| Answer::denied(&rule, reason, id, detail));
            }
            Outcome::Unresolved(error) => {
                meters.unresolved.inc();
                let record = self.decided(&target, &verdict);
                return self.refuse(record, |id| unresolved(error).with_id(id));
            }
        }
        match self.budget() {
            Ok(place) => self.allow(Allowance { target, method, verdict, proof, over: None, place }),
            Err(spent) if self.role.tells => {
                self.allow(Allowance { target, method, verdict, proof, over: Some(spent), place: None })
            }
            Err(spent) => self.spent(&target, spent),
        }
    }

    /// The text must not be read. What it says is not kept: it may hold a secret.
    pub(super) fn unreadable(self, reason: Reason) -> Ruling {
        self.role.meters.denied.inc();
        meters::refused(reason.name());
        let record = Record::unreadable(self.guard.0.clock.now(), self.on_behalf(), self.record_form(), reason);
        let detail = format!("the address cannot be used: {reason}");
        self.refuse(record, |id| Answer::denied("text", reason.name(), id, detail))
    }

    /// The certificate was taken back after the handshake, or nobody knows whether it was.
    pub(super) fn revoked(self, standing: Standing) -> Ruling {
        let (reason, detail) = match standing {
            Standing::Revoked | Standing::Good => {
                (REVOKED, "the client's certificate was revoked: connect again with another")
            }
            Standing::Unknown => {
                (OUTDATED, "the revocation list of the client's authority has expired: it must be renewed at the proxy")
            }
        };
        self.role.meters.denied.inc();
        meters::refused(reason);
        let (at, who) = (self.guard.0.clock.now(), self.on_behalf());
        let record = Record::refused(at, who, self.record_form(), "certificate", reason);
        self.refuse(record, |id| Answer::denied("certificate", reason, id, detail.to_owned()))
    }

    /// Whoever it is, it is not who it says. The only 407.
    pub(super) fn wrong_credentials(self) -> Answer {
        meters::refused(WRONG_CREDENTIALS);
        let (at, who) = (self.guard.0.clock.now(), self.on_behalf());
        let record = Record::refused(at, who, self.record_form(), "credentials", WRONG_CREDENTIALS);
        let detail = "these credentials belong to no caller: send the caller's name and password, or none";
        let answer = Answer::failed(407, WRONG_CREDENTIALS, detail, "http_request_denied");
        self.keep(record, |id| answer.with_id(id))
    }

    /// It cannot be read, or nobody is served such a thing. What it says is not kept.
    pub(super) fn malformed(self, fault: Fault) -> Answer {
        self.role.meters.denied.inc();
        let (at, who) = (self.guard.0.clock.now(), self.on_behalf());
        let record = Record::refused(at, who, self.record_form(), PROTOCOL, fault.word());
        self.keep(record, |id| Answer::malformed(fault).with_id(id))
    }

    fn bad_token(self, target: &Target, reason: &'static str) -> Ruling {
        self.role.meters.denied.inc();
        meters::refused(reason);
        let (at, who) = (self.guard.0.clock.now(), self.on_behalf());
        let record = Record::refused(at, who, self.record_form(), "token", reason).to(target).method(self.method);
        let detail = "the decision token is not good for this: ask for a new decision";
        self.refuse(record, |id| Answer::denied("token", reason, id, detail.to_owned()))
    }

    fn allow(mut self, allowance: Allowance) -> Ruling {
        let Allowance { target, method, verdict, proof, over, place } = allowance;
        self.role.meters.allowed.inc();
        let over = over.map(|spent| WouldDeny { rule: BUDGETS.to_owned(), reason: Cow::Borrowed(spent.over.word()) });
        if verdict.would_deny.is_some() || over.is_some() {
            self.role.meters.would_deny.inc();
        }
        let (id, record) = match self.slot.take() {
            Some(slot) => {
                let mut record = self.decided(&target, &verdict);
                record.would_deny = record.would_deny.or(over);
                (record.id, Some(slot.open(record)))
            }
            None => {
                let reason = verdict.would_deny.as_ref().map(|refusal| refusal.denial.reason.name());
                if let Some(reason) = reason.or(over.as_ref().map(|_| BUDGETS)) {
                    tracing::info!(role = &*self.role.name, origin = target.origin(), reason, "egress would be denied");
                }
                let id = decision::id(self.guard.0.clock.now());
                if self.guard.0.recorder.get().is_some() {
                    let (role, caller) = (&*self.role.name, self.caller.as_deref());
                    tracing::warn!(%id, role, caller, from = ?self.who.peer.address, origin = target.origin(), "egress allowed without a record");
                }
                (id, None)
            }
        };
        let target = Arc::new(target);
        let connect_to = verdict.connect_to;
        let upstream = self.role.route.as_ref().and_then(|route| route.through(&target, &connect_to).cloned());
        let (bounds, inspection, role) = (self.role.bounds, self.role.inspection, Arc::clone(&self.role.name));
        let permit = Arc::new(Granted {
            guard: self.guard.clone(),
            id,
            record,
            role: self.role,
            caller: self.caller,
            peer: self.who.peer.clone(),
            proof,
            method,
            target: Arc::clone(&target),
            lookup: verdict.answer.map(|answer| Lookup { answer, cached: true }).unwrap_or_default(),
            _place: place,
        });
        Ruling::Allow(Box::new(Allowed { role, permit, target, connect_to, upstream, bounds, inspection }))
    }

    fn budget(&self) -> Result<Option<budget::Tunnel>, Spent> {
        match &self.role.budget {
            None => Ok(None),
            Some(budget) => budget.take(self.form, since_1970(&self.guard.0.clock)),
        }
    }

    fn spent(self, target: &Target, spent: Spent) -> Ruling {
        self.role.meters.limited.inc();
        let reason = spent.over.word();
        meters::refused(reason);
        let (at, who) = (self.guard.0.clock.now(), self.on_behalf());
        let record = Record::refused(at, who, self.record_form(), BUDGETS, reason);
        let record = record.to(target).method(self.method);
        let detail = format!("the budget of the role {} is spent: try again later", self.role.name);
        self.refuse(record, |id| {
            let answer = Answer::denied(BUDGETS, reason, id, detail).retry_after(spent.retry_after);
            Answer { status: 429, ..answer }
        })
    }

    fn refuse(self, record: Record, answer: impl FnOnce(&str) -> Answer) -> Ruling {
        refuse(self.keep(record, answer))
    }

    /// Keeps the record and answers with its id.
    fn keep(self, record: Record, answer: impl FnOnce(&str) -> Answer) -> Answer {
        let answer = answer(&record.id.to_string());
        match self.slot {
            Some(slot) => slot.write(record),
            None => {
                let place = record.place.as_ref().map(|place| format!("{}:{}", place.host, place.port));
                let (id, role, caller) = (record.id, &*record.who.role, &*record.who.caller);
                let (rule, reason, remedy) = (&*record.rule, &*record.reason, record.remedy.as_deref());
                tracing::info!(%id, role, caller, place, rule, reason, remedy, "egress refused");
            }
        }
        answer
    }

    fn decided(&self, target: &Target, verdict: &Verdict) -> Record {
        let at = self.guard.0.clock.now();
        let mut record = Record::decided(at, self.on_behalf(), self.record_form(), target, verdict).method(self.method);
        if self.role.is_missing {
            let role = &*self.role.name;
            record.remedy =
                Some(format!("the role {role} is not in force: store it, or see in the log why it cannot be read"));
        }
        record
    }

    fn on_behalf(&self) -> Who {
        let caller = self.caller.clone().unwrap_or_else(|| self.who.peer.told());
        Who { role: Arc::clone(&self.role.name), caller }
    }

    const fn record_form(&self) -> decision::Form {
        match self.form {
            Form::Request => decision::Form::Request,
            Form::Tunnel => decision::Form::Tunnel,
        }
    }
}

/// There is no room for a record: nothing is decided. It stands in the log and is counted by whoever said so.
pub(super) fn stalled() -> Answer {
    let detail = "records of decisions wait for the store, and none is made without one: try again later";
    tracing::warn!(reason = STALLED, "egress refused: there is no room for a record");
    meters::refused(STALLED);
    Answer::failed(503, STALLED, detail, "proxy_internal_error").retry_after(5)
}

/// With this answer.
pub(super) fn refuse(answer: Answer) -> Ruling {
    Ruling::Refuse(Box::new(answer))
}

fn unresolved(error: &ResolveError) -> Answer {
    let reason = error.name();
    match error {
        ResolveError::NotFound(name) => {
            Answer::failed(502, reason, format!("the DNS knows no address of {name}"), "dns_error")
        }
        ResolveError::Timeout(name) => {
            Answer::failed(504, reason, format!("the DNS did not answer for {name} in time"), "dns_timeout")
        }
        ResolveError::Failed { name, .. } => {
            Answer::failed(502, reason, format!("the DNS could not answer for {name}: try again"), "dns_error")
        }
    }
}
