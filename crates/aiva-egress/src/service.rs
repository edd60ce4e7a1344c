//! The guard: who calls, by which role, may they, and what is to be said of it.
//!
//! Promises: the engine decides, on the text as it was sent and on every address of one lookup; every role in force comes from
//! one configuration, swapped whole; what the new one no longer allows does not stay open; a request never waits for a lock.
//! Metadata services and this process's own listeners are never reachable through it. 407 only ever answers credentials
//! that are wrong.
//!
//! Start reading at [`Guard::new`]; a request's way is [`Judge::judge`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aiva_chassis::clock::SharedClock;
use aiva_outbound::policy::Policy;
use aiva_outbound::resolve::{Dns, Lookup, ResolveError, Resolver};
use aiva_outbound::{Engine, Outcome, Question, Target, Verdict};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::Method;
use tokio::sync::watch;
use uuid::Uuid;

use crate::budget::{self, Budget, Spent};
use crate::caller::{Callers, Who};
use crate::config::{self, DEFAULT, Egress, Mode};
use crate::meters::{self, Meters, WRONG_CREDENTIALS};
use crate::proxy::answer::Answer;
use crate::proxy::judge::{Allowed, Ask, Bounds, Finished, Form, Judge, Peer, Permit, Presented, Ruling};
use crate::role::{self, Lookups, Role, Wrong};
use crate::tunnel::inspect::Inspection;

/// Makes the resolver for a set of name servers; none means the system's.
pub type Resolvers = Box<dyn Fn(&[SocketAddr]) -> Arc<dyn Resolver> + Send + Sync>;

/// The guard. Clones are one.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    in_force: ArcSwap<Snapshot>,
    versions: watch::Sender<u64>,
    clock: SharedClock,
    resolvers: Resolvers,
    /// What the snapshot was made of; held while a new one is made, so that two are never made at once.
    source: Mutex<Source>,
}

struct Source {
    egress: Egress,
    own: Vec<SocketAddr>,
}

/// Everything that is in force at one time.
struct Snapshot {
    roles: HashMap<Arc<str>, Arc<Role>>,
    default: Arc<Role>,
    callers: Callers,
    lookups: HashMap<Vec<SocketAddr>, Lookups>,
}

/// A configuration that was put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// How many roles there are.
    pub roles: usize,
    /// How many callers are known.
    pub callers: usize,
    /// Exceptions and allowed networks that have ended, with their roles: they open nothing.
    pub ended: Vec<String>,
}

/// Why a configuration was not put in force: what holds stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct NotInForce(pub Vec<Wrong>);

impl Guard {
    /// By this configuration, over the network.
    ///
    /// # Errors
    /// Every entry that cannot be judged by.
    pub fn new(egress: Egress, clock: SharedClock) -> Result<(Self, InForce), NotInForce> {
        Self::with_resolvers(egress, clock, Box::new(system))
    }

    /// By this configuration, with other resolvers: for tests, and for asking what would be decided.
    ///
    /// # Errors
    /// Every entry that cannot be judged by.
    pub fn with_resolvers(
        egress: Egress,
        clock: SharedClock,
        resolvers: Resolvers,
    ) -> Result<(Self, InForce), NotInForce> {
        let source = Source { egress, own: Vec::new() };
        let snapshot = Snapshot::make(&source, None, &clock, &resolvers)?;
        let told = snapshot.told(clock.now().into());
        let inner = Inner {
            in_force: ArcSwap::from_pointee(snapshot),
            versions: watch::Sender::new(0),
            clock,
            resolvers,
            source: Mutex::new(source),
        };
        Ok((Self(Arc::new(inner)), told))
    }

    /// Puts another configuration in force, whole or not at all. What is open and no longer allowed will be closed.
    ///
    /// # Errors
    /// Every entry that cannot be judged by; then the old one stays.
    pub fn reload(&self, egress: Egress) -> Result<InForce, NotInForce> {
        let mut source = self.source();
        let next = Source { egress, own: source.own.clone() };
        let told = self.swap(&next)?;
        *source = next;
        Ok(told)
    }

    /// Says where this process listens itself, once that is known: nothing reaches it there.
    pub fn listens(&self, own: &[SocketAddr]) {
        let mut source = self.source();
        source.own = own.to_vec();
        // What was in force can be judged by, wherever this process listens.
        let _told = self.swap(&source);
    }

    /// Holds what is open against the policy again: something of it has ended with time.
    pub fn look_again(&self) {
        self.0.versions.send_modify(|version| *version += 1);
    }

    /// The next moment at which an exception or an allowed network ends.
    pub fn next_end(&self) -> Option<SystemTime> {
        let now = self.0.clock.now().into();
        self.0.in_force.load().roles().filter_map(|role| role::next_end(&role.policy, now)).min()
    }

    /// The role of that name, or the one that unknown callers get.
    pub fn role(&self, name: Option<&str>) -> Option<Arc<Role>> {
        let in_force = self.0.in_force.load();
        match name {
            None | Some(DEFAULT) => Some(Arc::clone(&in_force.default)),
            Some(name) => in_force.roles.get(name).cloned(),
        }
    }

    /// The names of the roles, in order.
    pub fn roles(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.0.in_force.load().roles().map(|role| Arc::clone(&role.name)).collect();
        names.sort();
        names
    }

    fn swap(&self, source: &Source) -> Result<InForce, NotInForce> {
        let snapshot = {
            let before = self.0.in_force.load();
            Snapshot::make(source, Some(&before), &self.0.clock, &self.0.resolvers)?
        };
        let told = snapshot.told(self.0.clock.now().into());
        self.0.in_force.store(Arc::new(snapshot));
        self.look_again();
        Ok(told)
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.0.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name servers over the network.
fn system(servers: &[SocketAddr]) -> Arc<dyn Resolver> {
    Arc::new(if servers.is_empty() { Dns::system() } else { Dns::with_servers(servers.iter().copied()) })
}

impl Snapshot {
    /// All roles and callers of a configuration. Resolvers and what was used of budgets are taken over.
    fn make(
        source: &Source,
        before: Option<&Self>,
        clock: &SharedClock,
        resolvers: &Resolvers,
    ) -> Result<Self, NotInForce> {
        let mut maker =
            Maker { before, clock, resolvers, own: &source.own, lookups: HashMap::new(), wrong: Vec::new() };
        let mut roles = HashMap::with_capacity(source.egress.roles.len());
        for (name, config) in &source.egress.roles {
            if let Some(role) = maker.role(name, config) {
                roles.insert(Arc::clone(&role.name), role);
            }
        }
        let default = roles.get(DEFAULT).cloned().unwrap_or_else(|| maker.anybody());
        let mut callers = Callers::default();
        for (name, config) in &source.egress.callers {
            match config.role.as_deref().unwrap_or(name) {
                DEFAULT => callers.add(name, config, Arc::clone(&default)),
                role => match roles.get(role) {
                    Some(role) => callers.add(name, config, Arc::clone(role)),
                    None => maker.refuse("callers", name, format!("there is no role {role:?}")),
                },
            }
        }
        if maker.wrong.is_empty() {
            Ok(Self { roles, default, callers, lookups: maker.lookups })
        } else {
            Err(NotInForce(maker.wrong))
        }
    }

    /// Every role once.
    fn roles(&self) -> impl Iterator<Item = &Arc<Role>> {
        let implied = (!self.roles.contains_key(DEFAULT)).then_some(&self.default);
        self.roles.values().chain(implied)
    }

    fn told(&self, now: SystemTime) -> InForce {
        let mut ended: Vec<String> = self
            .roles()
            .flat_map(|role| {
                role::ended(&role.policy, now).into_iter().map(|what| format!("role {}: {what}", role.name))
            })
            .collect();
        ended.sort();
        InForce { roles: self.roles().count(), callers: self.callers.len(), ended }
    }

    /// The role of whoever presents this, and the caller's name where it has one.
    fn who(&self, peer: &Peer, credentials: Option<&[u8]>) -> Option<(Arc<Role>, Option<Arc<str>>)> {
        match self.callers.who(peer, credentials) {
            Who::Caller(caller) => Some((Arc::clone(&caller.role), Some(Arc::clone(&caller.name)))),
            Who::Nobody => Some((Arc::clone(&self.default), None)),
            Who::Wrong => None,
        }
    }
}

/// A snapshot in the making.
struct Maker<'m> {
    before: Option<&'m Snapshot>,
    clock: &'m SharedClock,
    resolvers: &'m Resolvers,
    own: &'m [SocketAddr],
    lookups: HashMap<Vec<SocketAddr>, Lookups>,
    wrong: Vec<Wrong>,
}

impl Maker<'_> {
    fn refuse(&mut self, list: &str, name: &str, message: String) {
        self.wrong.push(Wrong { key: format!("egress.{list}.{name}"), message });
    }

    fn role(&mut self, name: &str, config: &config::Role) -> Option<Arc<Role>> {
        let policy = match role::policy(config) {
            Ok(policy) => policy,
            Err(wrong) => {
                let inside = |entry: Wrong| Wrong { key: format!("egress.roles.{name}.{}", entry.key), ..entry };
                self.wrong.extend(wrong.into_iter().map(inside));
                return None;
            }
        };
        let used = self.before.and_then(|before| before.roles.get(name)?.budget.as_ref().map(Budget::used));
        let tells = matches!(config.mode, Mode::Report | Mode::Learn);
        Some(Arc::new(Role {
            name: Arc::from(name),
            policy: role::with_own(policy, self.own),
            bounds: role::bounds(&config.bounds),
            inspection: role::inspection(&config.inspection, tells),
            budget: Budget::new(&config.budgets, used),
            tells,
            lookups: self.lookups(&config.dns.servers),
            meters: Meters::of(name),
        }))
    }

    /// The default role where none is configured: any public name.
    fn anybody(&mut self) -> Arc<Role> {
        Arc::new(Role {
            name: Arc::from(DEFAULT),
            policy: role::with_own(Policy::public(), self.own),
            bounds: Bounds::default(),
            inspection: Inspection::default(),
            budget: None,
            tells: false,
            lookups: self.lookups(&[]),
            meters: Meters::of(DEFAULT),
        })
    }

    /// One for each set of name servers, with what it remembers.
    fn lookups(&mut self, servers: &[SocketAddr]) -> Lookups {
        if let Some(known) = self.lookups.get(servers) {
            return known.clone();
        }
        let kept = self.before.and_then(|before| before.lookups.get(servers).cloned());
        let made = kept.unwrap_or_else(|| {
            let clock = Arc::clone(self.clock);
            let engine = Arc::new(Engine::new(Arc::new(move || clock.now().into())));
            Lookups { resolver: (self.resolvers)(servers), engine }
        });
        self.lookups.insert(servers.to_vec(), made.clone());
        made
    }
}

#[async_trait]
impl Judge for Guard {
    async fn judge(&self, who: Presented<'_>, ask: Ask<'_>) -> Ruling {
        // Nothing of the snapshot is held while the DNS is asked: only the role.
        let known = self.0.in_force.load().who(who.peer, who.credentials);
        let Some((role, caller)) = known else { return wrong_credentials(who.peer) };
        let asker = Asker { guard: self, role, caller, peer: who.peer, has_password: who.credentials.is_some() };
        let target = match ask.target {
            Ok(target) => target,
            // The text may hold a secret, and nobody knows where in it.
            Err(reason) => return asker.unreadable(reason),
        };
        // Nobody sees the methods inside a tunnel; what is no method that the list could hold is on no list.
        let method = match ask.form {
            Form::Request => Method::from_bytes(ask.method.as_bytes()).ok(),
            Form::Tunnel => None,
        };
        asker.decide(ask.form, target, method).await
    }

    async fn changed(&self, since: u64) -> u64 {
        let mut versions = self.0.versions.subscribe();
        loop {
            let version = *versions.borrow_and_update();
            if version != since {
                return version;
            }
            if versions.changed().await.is_err() {
                // The sender is ours: it outlives every caller.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// One who asks.
struct Asker<'a> {
    guard: &'a Guard,
    role: Arc<Role>,
    caller: Option<Arc<str>>,
    peer: &'a Peer,
    has_password: bool,
}

impl Asker<'_> {
    async fn decide(self, form: Form, target: Target, method: Option<Method>) -> Ruling {
        let question = Question { target: &target, method: method.as_ref() };
        let Lookups { resolver, engine } = &self.role.lookups;
        let verdict = engine.decide(&self.role.policy, &**resolver, question).await;
        match &verdict.outcome {
            Outcome::Allowed => {}
            Outcome::Denied(denial) => {
                self.role.meters.denied.inc();
                meters::refused(denial.reason.name());
                return self.denied(&target, &verdict, denial);
            }
            Outcome::Unresolved(error) => {
                self.role.meters.unresolved.inc();
                return self.unresolved(&target, error);
            }
        }
        let place = match self.budget(form) {
            Ok(place) => place,
            Err(spent) if self.role.tells => {
                tracing::info!(role = &*self.role.name, reason = spent.over.word(), "egress would be denied");
                None
            }
            Err(spent) => return self.spent(&target, spent),
        };
        self.role.meters.allowed.inc();
        if let Some(refusal) = &verdict.would_deny {
            self.role.meters.would_deny.inc();
            let (origin, reason) = (target.origin(), refusal.denial.reason.name());
            tracing::info!(role = &*self.role.name, origin, reason, "egress would be denied");
        }
        self.granted(form, target, method, verdict, place)
    }

    fn granted(
        self,
        form: Form,
        target: Target,
        method: Option<Method>,
        verdict: Verdict,
        place: Option<budget::Tunnel>,
    ) -> Ruling {
        let target = Arc::new(target);
        let (bounds, inspection, role) = (self.role.bounds, self.role.inspection, Arc::clone(&self.role.name));
        let permit = Granted {
            guard: self.guard.clone(),
            id: Uuid::now_v7(),
            role: self.role,
            caller: self.caller,
            peer: self.peer.clone(),
            has_password: self.has_password,
            form,
            method,
            target: Arc::clone(&target),
            lookup: verdict.answer.map(|answer| Lookup { answer, cached: true }).unwrap_or_default(),
            _place: place,
        };
        let (permit, connect_to) = (Arc::new(permit), verdict.connect_to);
        Ruling::Allow(Box::new(Allowed { role, permit, target, connect_to, bounds, inspection }))
    }

    fn budget(&self, form: Form) -> Result<Option<budget::Tunnel>, Spent> {
        match &self.role.budget {
            None => Ok(None),
            Some(budget) => budget.take(form, since_1970(&self.guard.0.clock)),
        }
    }

    fn denied(&self, target: &Target, verdict: &Verdict, denial: &aiva_outbound::Denial) -> Ruling {
        let detail = format!("{} may not be called: {}", target.origin(), denial.reason);
        let answer = Answer::denied(&verdict.rule.to_string(), denial.reason.name(), &id(), detail);
        // What would allow it is for operators only.
        self.tell(&answer, Some(target), &denial.what, verdict.remedy.as_deref())
    }

    fn unreadable(&self, reason: aiva_outbound::Reason) -> Ruling {
        self.role.meters.denied.inc();
        meters::refused(reason.name());
        let detail = format!("the address cannot be used: {reason}");
        self.tell(&Answer::denied("text", reason.name(), &id(), detail), None, "", None)
    }

    fn unresolved(&self, target: &Target, error: &ResolveError) -> Ruling {
        self.tell(&unresolved(error).with_id(&id()), Some(target), "", None)
    }

    fn spent(&self, target: &Target, spent: Spent) -> Ruling {
        self.role.meters.limited.inc();
        let reason = spent.over.word();
        meters::refused(reason);
        let detail = format!("the budget of the role {} is spent: try again later", self.role.name);
        let answer = Answer::denied("budgets", reason, &id(), detail).retry_after(spent.retry_after);
        self.tell(&Answer { status: 429, ..answer }, Some(target), "", None)
    }

    fn tell(&self, answer: &Answer, target: Option<&Target>, what: &str, remedy: Option<&str>) -> Ruling {
        let (from, caller, role) = (self.peer.address, self.caller.as_deref(), &*self.role.name);
        let (origin, reason, rule) = (target.map(Target::origin), &*answer.reason, answer.rule.as_deref());
        let id = answer.id.as_deref();
        tracing::info!(?from, caller, role, origin, reason, rule, what, id, remedy, "egress refused");
        Ruling::Refuse(Box::new(answer.clone()))
    }
}

fn wrong_credentials(peer: &Peer) -> Ruling {
    meters::refused(WRONG_CREDENTIALS);
    tracing::info!(from = ?peer.address, "egress: credentials are wrong");
    let detail = "these credentials belong to no caller: send the caller's name and password, or none";
    Ruling::Refuse(Box::new(Answer::failed(407, WRONG_CREDENTIALS, detail, "http_request_denied")))
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

fn id() -> String {
    Uuid::now_v7().to_string()
}

fn since_1970(clock: &SharedClock) -> Duration {
    SystemTime::from(clock.now()).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// What was allowed.
struct Granted {
    guard: Guard,
    id: Uuid,
    role: Arc<Role>,
    caller: Option<Arc<str>>,
    peer: Peer,
    has_password: bool,
    form: Form,
    method: Option<Method>,
    target: Arc<Target>,
    lookup: Lookup,
    /// Given back when this is dropped.
    _place: Option<budget::Tunnel>,
}

impl Granted {
    /// The role in force of the same caller; `None` when a password is no longer known.
    fn role_now(&self) -> Option<Arc<Role>> {
        let in_force = self.guard.0.in_force.load();
        match &self.caller {
            Some(name) if self.has_password => {
                in_force.callers.with_password(name).map(|caller| Arc::clone(&caller.role))
            }
            _ => in_force.who(&self.peer, None).map(|(role, _)| role),
        }
    }
}

impl Permit for Granted {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn holds(&self, connected: SocketAddr) -> bool {
        let Some(role) = self.role_now() else { return false };
        let question = Question { target: &self.target, method: self.method.as_ref() };
        let verdict = Engine::replay(&role.policy, question, &self.lookup, self.guard.0.clock.now().into());
        verdict.connect_to.contains(&connected)
    }

    fn allows_name(&self, name: &str) -> bool {
        self.role.policy.judge_name(name).is_ok()
    }

    fn finish(&self, finished: &Finished) {
        if let Some(budget) = &self.role.budget {
            budget.spend(finished.sent.saturating_add(finished.received), since_1970(&self.guard.0.clock));
        }
        tracing::debug!(
            id = %self.id,
            from = ?self.peer.address,
            caller = self.caller.as_deref(),
            role = &*self.role.name,
            form = ?self.form,
            origin = self.target.origin(),
            connected = ?finished.connected,
            status = finished.status,
            sent = finished.sent,
            received = finished.received,
            end = finished.end.map(crate::tunnel::relay::End::name),
            failure = finished.failure,
            "egress ended"
        );
    }
}

#[cfg(test)]
pub(crate) mod tests;
