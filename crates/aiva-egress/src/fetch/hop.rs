//! One request of a fetch: room for its record, the decision, the budget, the connection to what was checked.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aiva_outbound::client::{Client, Connection, Dial, Error, Limits, Response, Tcp};
use aiva_outbound::resolve::{Answer, Lookup, ResolveError, Resolver};
use aiva_outbound::{Engine, Outcome as Decided, Reason, Refusal, Scheme, Target, Verdict};
use async_trait::async_trait;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{FetchError, Fetcher, Hop};
use crate::audit::{self, NoRoom, Stalled};
use crate::budget::Budget;
use crate::decision::{Ended, Form, Outcome, Record, Who, WouldDeny};
use crate::meters;
use crate::ports::Rules;
use crate::proxy::judge::{Form as Counted, Network};
use crate::proxy::upstream::Upstream;

/// The rule of methods.
const METHODS: &str = "methods";

/// Who we say that we are, where the request does not say otherwise.
const USER_AGENT: &str = concat!("aiva-fetch/", env!("CARGO_PKG_VERSION"));

/// What one request sends.
pub(super) struct Made<'r> {
    pub(super) method: &'r Method,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: &'r [u8],
}

/// The requests of one fetch, each linked to the one before.
pub(super) struct Hops<'f> {
    fetcher: &'f Fetcher,
    rules: &'f Rules,
    who: Who,
    made: Vec<Hop>,
}

/// A request that is under way.
///
/// Bytes are counted when they have come, so that whoever goes away in the middle has used them; dropped without an end, it
/// ends as `abandoned`.
pub(super) struct Open {
    record: Option<audit::Open>,
    budget: Option<Budget>,
    now: Duration,
    ended: Ended,
}

impl Open {
    /// So many bytes of the answer's body have come.
    pub(super) fn took(&mut self, bytes: u64) {
        self.ended.received += bytes;
        self.spend(bytes);
    }

    fn spend(&self, bytes: u64) {
        if let Some(budget) = &self.budget {
            budget.spend(bytes, self.now);
        }
    }

    /// It has ended; `failure` is the stable word of what went wrong.
    pub(super) fn end(mut self, status: Option<u16>, failure: Option<&str>) {
        (self.ended.status, self.ended.failure) = (status, failure.map(str::to_owned));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(record) = &self.record {
            record.end(std::mem::take(&mut self.ended));
        }
    }
}

impl<'f> Hops<'f> {
    pub(super) fn new(fetcher: &'f Fetcher, rules: &'f Rules, who: Who) -> Self {
        Self { fetcher, rules, who, made: Vec::new() }
    }

    /// All of them, when it is over.
    pub(super) fn made(self) -> Vec<Hop> {
        self.made
    }

    fn now(&self) -> Timestamp {
        self.fetcher.clock.now()
    }

    /// The record before the one that is to come.
    fn before(&self) -> Option<Uuid> {
        self.made.last().map(|hop| hop.decision)
    }

    /// The text must not be read. What it says is not kept: it may hold a secret.
    pub(super) async fn unreadable(&self, method: &Method, reason: Reason) -> FetchError {
        let slot = match self.room().await {
            Ok(slot) => slot,
            Err(error) => return error,
        };
        let record = Record::unreadable(self.now(), self.who.clone(), Form::Fetch, reason).method(method.as_str());
        self.deny(slot, record, "the address".to_owned())
    }

    /// A redirect that must not be followed.
    pub(super) async fn refused(&self, method: &Method, refusal: &Refusal) -> FetchError {
        let slot = match self.room().await {
            Ok(slot) => slot,
            Err(error) => return error,
        };
        let (rule, reason) = (refusal.rule.to_string(), refusal.denial.reason.name());
        let record = Record::refused(self.now(), self.who.clone(), Form::Fetch, rule, reason).method(method.as_str());
        self.deny(slot, Record { follows: self.before(), ..record }, "the redirect".to_owned())
    }

    /// Room for a record, before anything is decided: a decision that leaves none is not made, unless the operator would rather
    /// have it in the log only.
    async fn room(&self) -> Result<Option<audit::Slot>, FetchError> {
        match self.fetcher.recorder.reserve().await {
            Ok(slot) => Ok(Some(slot)),
            Err(NoRoom(Stalled::Log)) => Ok(None),
            Err(NoRoom(Stalled::Deny)) => Err(FetchError::NoRoom),
        }
    }

    fn deny(&self, slot: Option<audit::Slot>, record: Record, what: String) -> FetchError {
        self.rules.meters.denied.inc();
        meters::refused(&record.reason);
        let (id, rule, reason) = (record.id, record.rule.clone(), record.reason.to_string());
        write(slot, record);
        FetchError::Denied { id, rule, reason, what }
    }

    /// One request, decided on and answered.
    pub(super) async fn go(
        &mut self,
        target: &Target,
        request: Made<'_>,
        deadline: Instant,
        late: &FetchError,
    ) -> Result<(Response, Open), FetchError> {
        let slot = self.room().await?;
        let rules = self.rules;
        let unnamed = !names(rules, target, request.method);
        if unnamed && (request.method == Method::POST || !rules.tells) {
            let record =
                Record::refused(self.now(), self.who.clone(), Form::Fetch, METHODS, Reason::MethodNotAllowed.name());
            let record = Record { follows: self.before(), ..record.to(target).method(request.method.as_str()) };
            return Err(self.deny(slot, record, target.origin()));
        }
        let deciding = rules.decide(target, Some(request.method));
        let verdict = timeout_at(deadline, deciding).await.map_err(|_| late.clone())?;
        let mut record = Record::decided(self.now(), self.who.clone(), Form::Fetch, target, &verdict);
        record = Record { follows: self.before(), ..record.method(request.method.as_str()) };
        if unnamed {
            let would = WouldDeny { rule: METHODS.to_owned(), reason: Cow::Borrowed(Reason::MethodNotAllowed.name()) };
            record.would_deny = record.would_deny.or(Some(would));
        }
        match &verdict.outcome {
            Decided::Allowed => {}
            Decided::Denied(_) => return Err(self.deny(slot, record, target.origin())),
            Decided::Unresolved(error) => {
                rules.meters.unresolved.inc();
                let error =
                    FetchError::Unresolved { id: record.id, reason: error.name().to_owned(), what: target.origin() };
                write(slot, record);
                return Err(error);
            }
        }
        if let Some(Err(spent)) =
            rules.budget.as_ref().map(|budget| budget.take(Counted::Request, since_1970(self.now())))
        {
            let reason = spent.over.word();
            if rules.tells {
                let over = WouldDeny { rule: "budgets".to_owned(), reason: Cow::Borrowed(reason) };
                record.would_deny = record.would_deny.or(Some(over));
            } else {
                rules.meters.limited.inc();
                meters::refused(reason);
                record = Record {
                    outcome: Outcome::Deny,
                    rule: "budgets".to_owned(),
                    reason: Cow::Borrowed(reason),
                    ..record
                };
                let retry_after = Duration::from_secs(spent.retry_after.into());
                let error = FetchError::Spent { id: record.id, reason, retry_after };
                write(slot, record);
                return Err(error);
            }
        }
        rules.meters.allowed.inc();
        if record.would_deny.is_some() {
            rules.meters.would_deny.inc();
        }
        self.made.push(Hop {
            decision: record.id,
            origin: target.origin(),
            outcome: record.outcome,
            address: None,
            status: None,
        });
        let through = rules.route.as_ref().and_then(|route| route.through(target, &verdict.connect_to).cloned());
        let mut open = Open {
            record: match slot {
                Some(slot) => Some(slot.open(record)),
                None => {
                    unrecorded(&record);
                    None
                }
            },
            budget: rules.budget.clone(),
            now: since_1970(self.now()),
            ended: Ended {
                upstream: through.as_ref().map(|upstream| upstream.name().to_string()),
                sent: request.body.len() as u64,
                failure: Some("abandoned".to_owned()),
                ..Ended::default()
            },
        };
        open.spend(open.ended.sent);
        let through =
            through.map(|upstream| Through { upstream, limit: rules.bounds.connect, trouble: Arc::default() });
        let trouble = through.as_ref().map(|through| Arc::clone(&through.trouble));
        match self.send(target, verdict, through, &request, deadline).await {
            Ok(response) => {
                let connected = SocketAddr::new(response.address, target.port());
                open.ended.connected = Some(connected);
                if let Some(hop) = self.made.last_mut() {
                    (hop.address, hop.status) = (Some(connected.to_string()), Some(response.status.as_u16()));
                }
                Ok((response, open))
            }
            Err(error) => {
                let is_unreached = matches!(error, Error::Connect { .. });
                let upstream = trouble.filter(|_| is_unreached).and_then(|trouble| trouble.get().copied());
                open.end(None, Some(upstream.unwrap_or_else(|| word(&error))));
                Err(failed(&error, late))
            }
        }
    }

    /// Over a client of its own that knows nothing but the answer that was decided on. It judges again, by the same policy,
    /// and so connects to what was checked and to nothing else.
    async fn send(
        &self,
        target: &Target,
        verdict: Verdict,
        through: Option<Through>,
        request: &Made<'_>,
        deadline: Instant,
    ) -> Result<Response, Error> {
        let bounds = self.rules.bounds;
        let limits = Limits {
            connect: bounds.connect,
            first_byte: bounds.first_byte,
            idle: bounds.idle,
            total: deadline.saturating_duration_since(Instant::now()),
        };
        let clock = Arc::clone(&self.fetcher.clock);
        let dial: Arc<dyn Dial> = match through {
            Some(through) => Arc::new(through),
            None => Arc::new(Tcp),
        };
        let client = Client::builder(Arc::clone(&self.rules.policy))
            .engine(Arc::new(Engine::new(Arc::new(move || SystemTime::from(clock.now())))))
            .resolver(Arc::new(Known(verdict.answer)))
            .dial(dial)
            .tls(self.fetcher.tls.clone())
            .limits(limits)
            .user_agent(USER_AGENT)
            .build();
        let mut sent =
            client.request(request.method.clone(), as_given(target)).redirects(0).body(request.body.to_vec());
        sent = sent.header(ACCEPT_ENCODING, "identity");
        for (name, value) in request.headers {
            sent = sent.header(name.clone(), value);
        }
        sent.send().await
    }
}

/// Whether the role names this method. One that names none lets everybody read; writing must be named. What is asked for in
/// plain HTTP the engine judges as it does the proxy's requests.
fn names(rules: &Rules, target: &Target, method: &Method) -> bool {
    let methods = &rules.policy.methods;
    methods.contains(method) || (method != Method::POST && (methods.is_empty() || target.scheme() == Scheme::Http))
}

fn write(slot: Option<audit::Slot>, record: Record) {
    match slot {
        Some(slot) => slot.write(record),
        None => unrecorded(&record),
    }
}

/// The operator would rather have it so than not at all.
fn unrecorded(record: &Record) {
    let (role, caller, outcome) = (&*record.who.role, &*record.who.caller, record.outcome.word());
    tracing::warn!(id = %record.id, role, caller, outcome, "egress decided on a fetch without a record");
}

/// Connects through the role's upstream, which is asked for the checked address.
struct Through {
    upstream: Arc<Upstream>,
    limit: Duration,
    /// The stable word of what was wrong with it, where it led to no address.
    trouble: Arc<OnceLock<&'static str>>,
}

#[async_trait]
impl Dial for Through {
    async fn dial(&self, address: SocketAddr) -> io::Result<Connection> {
        match self.upstream.first(&Network, &[address], self.limit).await {
            Ok((_, origin)) => Ok(Box::new(origin)),
            Err(trouble) => {
                self.trouble.get_or_init(|| trouble.word());
                Err(io::Error::other(format!("{trouble} ({})", trouble.word())))
            }
        }
    }
}

/// The address with its credentials, which its `Display` leaves out.
fn as_given(target: &Target) -> String {
    let credentials = target.credentials().map(|credentials| format!("{credentials}@")).unwrap_or_default();
    format!("{}://{credentials}{}{}", target.scheme().name(), target.authority(), target.path_and_query())
}

/// The answer that was decided on.
struct Known(Option<Arc<Answer>>);

#[async_trait]
impl Resolver for Known {
    async fn resolve(&self, name: &str) -> Result<Lookup, ResolveError> {
        let answer = self.0.clone().ok_or_else(|| ResolveError::NotFound(name.to_owned()))?;
        Ok(Lookup { answer, cached: true })
    }
}

fn since_1970(now: Timestamp) -> Duration {
    SystemTime::from(now).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The stable word of what failed.
fn word(error: &Error) -> &'static str {
    match error {
        Error::Text { .. } | Error::Denied { .. } => "denied",
        Error::Resolve(_) => "dns",
        Error::Connect { .. } => "connect",
        Error::Tls { .. } => "tls",
        Error::Broken { .. } => "broken",
        Error::Timeout { .. } => "timeout",
        Error::TooLarge { .. } => "too-large",
        Error::ContentType { .. } => "content-type",
        Error::Header(_) => "header",
    }
}

pub(super) fn failed(error: &Error, late: &FetchError) -> FetchError {
    match error {
        Error::Timeout { .. } => late.clone(),
        error => FetchError::Failed(error.to_string()),
    }
}
