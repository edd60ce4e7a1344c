//! The guard: who calls, by which role, may they, and what is to be said of it.
//!
//! Promises: the engine decides, on the text as it was sent and on every address of one lookup; every role in force comes from
//! one configuration, swapped whole; what the new one no longer allows does not stay open; a request never waits for a lock.
//! Metadata services and this process's own listeners are never reachable through it. 407 only ever answers credentials
//! that are wrong.
//!
//! Start reading at [`Guard::new`]; a request's way is [`Judge::judge`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use aiva_chassis::clock::SharedClock;
use aiva_outbound::resolve::{Dns, Resolver};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::watch;

use crate::audit::{NoRoom, Recorder, Slot, Stalled};
use crate::caller::{Revoked, Standing};
use crate::config::{self, DEFAULT, Egress};
use crate::ports::{Decide, Rules, Tokens};
use crate::proxy::answer::Answer;
use crate::proxy::fault::Fault;
use crate::proxy::judge::{Ask, Form, Judge, Peer, Presented, Ruling};
use crate::role::{self, Role, Wrong};

mod asker;
mod permit;
pub mod records;
pub mod roles;
mod snapshot;

use asker::Asker;
use snapshot::{Snapshot, Source};

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
    /// Who keeps records; without one the log says what was decided.
    recorder: OnceLock<Recorder>,
    /// Client certificates that were taken back.
    revoked: ArcSwap<Revoked>,
    /// Who reads decision tokens.
    tokens: OnceLock<Arc<dyn Tokens>>,
    /// What the snapshot was made of; held while a new one is made, so that two are never made at once.
    source: Mutex<Source>,
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
        let source = Source { egress, stored: Arc::default(), own: Vec::new() };
        let snapshot = Snapshot::make(&source, None, &clock, &resolvers)?;
        let told = snapshot.told(clock.now().into());
        let inner = Inner {
            in_force: ArcSwap::from_pointee(snapshot),
            versions: watch::Sender::new(0),
            clock,
            resolvers,
            recorder: OnceLock::new(),
            revoked: ArcSwap::from_pointee(Revoked::default()),
            tokens: OnceLock::new(),
            source: Mutex::new(source),
        };
        Ok((Self(Arc::new(inner)), told))
    }

    /// Keeps a record of every decision from now on. What was said first stays.
    pub fn record(&self, recorder: Recorder) {
        // Two recorders for one guard would be a mistake of the composition, and the first one goes on.
        self.0.recorder.get_or_init(|| recorder);
    }

    /// Honours decision tokens from now on; without that, whoever sends one is told that it is none.
    pub fn honour(&self, tokens: Arc<dyn Tokens>) {
        self.0.tokens.get_or_init(|| tokens);
    }

    /// These certificates count no more, on whatever connection; their holders are strangers without a role.
    pub fn revoke(&self, revoked: Arc<Revoked>) {
        self.0.revoked.store(revoked);
        self.look_again();
    }

    /// Whether the certificate that the connection stands on was taken back since.
    fn standing(&self, peer: &Peer) -> Standing {
        let Some(certificate) = &peer.certificate else { return Standing::Good };
        self.0.revoked.load().standing(certificate, self.0.clock.now().into())
    }

    /// How many revocation lists are past their time.
    pub fn outdated_lists(&self) -> usize {
        self.0.revoked.load().outdated(self.0.clock.now().into())
    }

    /// Puts another configuration in force, whole or not at all. What is open and no longer allowed will be closed.
    ///
    /// # Errors
    /// Every entry that cannot be judged by; then the old one stays.
    pub fn reload(&self, egress: Egress) -> Result<InForce, NotInForce> {
        let mut source = self.source();
        let next = Source { egress, stored: Arc::clone(&source.stored), own: source.own.clone() };
        let told = self.swap(&next)?;
        *source = next;
        Ok(told)
    }

    /// Puts these roles in force beside the configuration's, instead of those that were stored before. What is open and no
    /// longer allowed will be closed.
    ///
    /// # Errors
    /// Every entry that cannot be judged by; then the old ones stay.
    pub fn store_roles(&self, roles: BTreeMap<String, config::Role>) -> Result<InForce, NotInForce> {
        let mut source = self.source();
        let next = Source { egress: source.egress.clone(), stored: Arc::new(roles), own: source.own.clone() };
        let told = self.swap(&next)?;
        *source = next;
        Ok(told)
    }

    /// The roles of the configuration in force.
    pub fn configured(&self) -> BTreeMap<String, config::Role> {
        self.source().egress.roles.clone()
    }

    /// Whether the upstream that a role names is configured.
    pub fn has_upstream(&self, role: &config::Role) -> bool {
        self.source().egress.has_upstream(role)
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

    /// The next moment at which an exception, an allowed network or a revocation list ends.
    pub fn next_end(&self) -> Option<SystemTime> {
        let now = self.0.clock.now().into();
        let of_lists = self.0.revoked.load().next_end(now);
        self.0.in_force.load().all().filter_map(|role| role::next_end(&role.policy, now)).chain(of_lists).min()
    }

    /// The role of that name, or the one that unknown callers get.
    pub fn role(&self, name: Option<&str>) -> Option<Arc<Role>> {
        let in_force = self.0.in_force.load();
        match name {
            None | Some(DEFAULT) => Some(Arc::clone(&in_force.default)),
            Some(name) => in_force.roles.get(name).cloned(),
        }
    }

    /// The role of whoever is known by such a connection; `None` for strangers.
    pub fn role_of(&self, peer: &Peer) -> Option<Arc<Role>> {
        self.0.in_force.load().callers.by_connection(peer).map(|caller| Arc::clone(&caller.role))
    }

    /// The role of the caller of this name.
    pub fn role_of_caller(&self, name: &str) -> Option<Arc<Role>> {
        self.0.in_force.load().callers.named(name).map(|caller| Arc::clone(&caller.role))
    }

    /// Upstreams that have failed every time lately, by name.
    pub fn upstreams_down(&self) -> Vec<Arc<str>> {
        self.0.in_force.load().upstreams.down()
    }

    /// The names of the roles, in order.
    pub fn roles(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.0.in_force.load().all().map(|role| Arc::clone(&role.name)).collect();
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

    /// Room for a record, where records are kept.
    async fn slot(&self) -> Result<Option<Slot>, NoRoom> {
        match self.0.recorder.get() {
            Some(recorder) => recorder.reserve().await.map(Some),
            None => Ok(None),
        }
    }

    /// Nothing of the snapshot is held while the DNS is asked: only the role.
    fn asker<'a>(&'a self, slot: Option<Slot>, who: Presented<'a>, form: Form, method: &'a str) -> Asker<'a> {
        let in_force = self.0.in_force.load();
        let known = in_force.who(who.peer, who.credentials);
        let is_known = known.is_some();
        let (role, caller) = known.unwrap_or_else(|| (Arc::clone(&in_force.default), None));
        Asker { guard: self, slot, role, caller, is_known, who, form, method }
    }

    fn source(&self) -> MutexGuard<'_, Source> {
        self.0.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name servers over the network.
fn system(servers: &[SocketAddr]) -> Arc<dyn Resolver> {
    Arc::new(if servers.is_empty() { Dns::system() } else { Dns::with_servers(servers.iter().copied()) })
}

#[async_trait]
impl Judge for Guard {
    async fn judge(&self, who: Presented<'_>, ask: Ask<'_>) -> Ruling {
        // Room first: who waits for the disk has not decided anything yet.
        let slot = match self.slot().await {
            Ok(slot) => slot,
            Err(NoRoom(Stalled::Log)) => None,
            Err(NoRoom(Stalled::Deny)) => return asker::refuse(asker::stalled()),
        };
        let asker = self.asker(slot, who, ask.form, ask.method);
        let standing = self.standing(who.peer);
        match (ask.target, who.token) {
            _ if !asker.is_known => asker::refuse(asker.wrong_credentials()),
            _ if standing != Standing::Good => asker.revoked(standing),
            // The text may hold a secret, and nobody knows where in it.
            (Err(reason), _) => asker.unreadable(reason),
            (Ok(target), None) => asker.decide(target).await,
            (Ok(target), Some(token)) => asker.redeem(target, token).await,
        }
    }

    async fn malformed(&self, peer: &Peer, form: Form, fault: Fault) -> Answer {
        // Without room for a record it is refused all the same; what is missing is counted.
        let slot = self.slot().await.ok().flatten();
        let who = Presented { peer, credentials: None, token: None };
        self.asker(slot, who, form, "").malformed(fault)
    }

    async fn stranger(&self, who: Presented<'_>, form: Form) -> Option<Answer> {
        if self.0.in_force.load().who(who.peer, who.credentials).is_some() {
            return None;
        }
        let slot = match self.slot().await {
            Ok(slot) => slot,
            Err(NoRoom(Stalled::Log)) => None,
            Err(NoRoom(Stalled::Deny)) => return Some(asker::stalled()),
        };
        Some(self.asker(slot, who, form, "").wrong_credentials())
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

impl Decide for Guard {
    fn rules(&self, role: Option<&str>) -> Option<Rules> {
        let role = self.role(role)?;
        Some(Rules {
            role: Arc::clone(&role.name),
            policy: Arc::clone(&role.policy),
            resolver: Arc::clone(&role.lookups.resolver),
            engine: Arc::clone(&role.lookups.engine),
            bounds: role.bounds,
            upstreams: Arc::clone(&role.upstreams),
            route: role.route.clone(),
            budget: role.budget.clone(),
            tells: role.tells,
            meters: role.meters.clone(),
        })
    }

    fn roles(&self) -> Vec<Arc<str>> {
        Self::roles(self)
    }
}

fn since_1970(clock: &SharedClock) -> Duration {
    SystemTime::from(clock.now()).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
