//! What the API asks: the records, and decisions on request.
//!
//! The store's own words are handed through, so that the API needs to know this service only. A decision that is asked for
//! here is the proxy's, word for word, whatever the protocol of the question: [`Decisions::decide`].

use std::net::SocketAddr;
use std::sync::Arc;

use aiva_chassis::clock::SharedClock;
use aiva_outbound::Target;
use http::Method;
use jiff::Timestamp;
use uuid::Uuid;

use super::roles::Roles;
use crate::audit::{NoRoom, Recorder, Stalled};
use crate::decision::{Form, MOST_ADDRESSES, Outcome, Record, Who, Word};
use crate::fetch::Fetcher;
use crate::meters::{self, Via};
use crate::ports::Decide;
use crate::store::Store;
use crate::token::Signer;

pub use crate::store::{Filter, HostCount, Hour, NewHost, Summary};

/// Everything that is asked.
#[derive(Clone)]
pub struct App {
    /// Where records are.
    pub store: Store,
    /// Who decides.
    pub decisions: Decisions,
    /// By what.
    pub roles: Roles,
    /// Fetches for callers.
    pub fetcher: Fetcher,
}

/// Decides for callers of the API.
#[derive(Clone)]
pub struct Decisions {
    /// Takes the records of what is asked here.
    pub recorder: Recorder,
    /// Who holds the roles.
    pub decide: Arc<dyn Decide>,
    /// Gives tokens out.
    pub signer: Arc<Signer>,
    /// The time of a decision.
    pub clock: SharedClock,
}

/// One question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The address as it would be called.
    pub url: &'q str,
    /// The method, where there is one to see; GET of plain HTTP without it.
    pub method: Option<&'q str>,
    /// The role to ask; the one of unknown callers without it.
    pub role: Option<&'q str>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The record's id.
    pub id: Uuid,
    /// Whether it may leave.
    pub outcome: Outcome,
    /// The role that was asked.
    pub role: Arc<str>,
    /// Which rule decided.
    pub rule: String,
    /// The stable word of why.
    pub reason: Word,
    /// What would allow it; for operators only.
    pub remedy: Option<String>,
    /// The checked addresses, no more than the contract allows.
    pub connect_to: Vec<SocketAddr>,
    /// What the proxy honours, and until when; only of what may leave.
    pub token: Option<(String, Timestamp)>,
}

/// Why nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// There is no role of that name.
    #[error("there is no such egress role")]
    NoSuchRole,
    /// There was no room for a record in time: the same question may be answered later.
    #[error("records of decisions wait for the store")]
    NoRoom,
}

impl Decisions {
    /// Decides for a caller of the API, and keeps a record of it.
    ///
    /// # Errors
    /// Nothing was decided.
    pub async fn decide(&self, caller: &str, via: Via, question: Question<'_>) -> Result<Answered, Undecided> {
        let Some(rules) = self.decide.rules(question.role) else {
            meters::asked(via, None);
            return Err(Undecided::NoSuchRole);
        };
        let who = Who { role: Arc::clone(&rules.role), caller: caller.chars().take(300).collect::<String>().into() };
        // Room for the record first: a decision that leaves none is not made.
        let slot = match self.recorder.reserve().await {
            Ok(slot) => Some(slot),
            Err(NoRoom(Stalled::Log)) => None,
            Err(NoRoom(Stalled::Deny)) => {
                meters::asked(via, None);
                return Err(Undecided::NoRoom);
            }
        };
        // Paths and methods are judged together: a plain request has a method, whether or not it was told.
        let is_plain = question.url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
        let asked = question.method.or(is_plain.then_some("GET"));
        let method = asked.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
        let (record, connect_to, token) = match Target::parse(question.url) {
            Err(reason) => (Record::unreadable(self.clock.now(), who, Form::Check, reason), Vec::new(), None),
            Ok(target) => {
                let verdict = rules.decide(&target, method.as_ref()).await;
                let now = self.clock.now();
                let record = Record::decided(now, who, Form::Check, &target, &verdict);
                let connect_to: Vec<_> = verdict.connect_to.into_iter().take(MOST_ADDRESSES).collect();
                let addresses: Vec<_> = connect_to.iter().map(SocketAddr::ip).collect();
                let token = (record.outcome == Outcome::Allow)
                    .then(|| self.signer.sign(&record.who.role, &target, &addresses, now));
                (record, connect_to, token)
            }
        };
        let record = match asked {
            Some(method) => record.method(method),
            None => record,
        };
        meters::asked(via, Some(record.outcome));
        let answered = Answered {
            id: record.id,
            outcome: record.outcome,
            role: Arc::clone(&record.who.role),
            rule: record.rule.clone(),
            reason: record.reason.clone(),
            remedy: record.remedy.clone(),
            connect_to,
            token,
        };
        match slot {
            Some(slot) => slot.write(record),
            None => {
                let (role, caller) = (&*record.who.role, &*record.who.caller);
                tracing::warn!(id = %record.id, role, caller, "egress decided without a record");
            }
        }
        Ok(answered)
    }
}
