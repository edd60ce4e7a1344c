//! Everything that is in force at one time, made of one configuration.
//!
//! Promises: whole or not at all; what does not change (resolvers with what they remember, engines, what was used of
//! budgets) is taken over from the snapshot before.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use aiva_chassis::clock::SharedClock;
use aiva_outbound::Engine;
use aiva_outbound::policy::Policy;

use super::{InForce, NotInForce, Resolvers};
use crate::budget::Budget;
use crate::caller::{Callers, Who};
use crate::config::{self, DEFAULT, DIRECT, Egress, Mode};
use crate::meters::Meters;
use crate::proxy::judge::{Bounds, Peer};
use crate::role::upstream::{Route, Upstreams};
use crate::role::{self, Lookups, Role, Wrong};
use crate::tunnel::inspect::Inspection;

/// What a snapshot is made of.
pub(super) struct Source {
    pub(super) egress: Egress,
    /// Roles that are kept over the API; those of the configuration win.
    pub(super) stored: Arc<BTreeMap<String, config::Role>>,
    pub(super) own: Vec<SocketAddr>,
}

impl Source {
    /// Whether a stored role is gone by: the configuration's of that name wins, and one whose upstream is gone must not go out
    /// another way.
    fn uses(&self, name: &str, role: &config::Role) -> bool {
        let reached = self.egress.has_upstream(role);
        if !reached {
            tracing::error!(
                role = name,
                "the upstream of a stored egress role is not configured: the role is not in force"
            );
        }
        reached && !self.egress.roles.contains_key(name)
    }
}

/// Everything that is in force at one time.
pub(super) struct Snapshot {
    pub(super) roles: HashMap<Arc<str>, Arc<Role>>,
    pub(super) default: Arc<Role>,
    pub(super) callers: Callers,
    pub(super) upstreams: Arc<Upstreams>,
    routes: HashMap<String, (config::Upstream, Arc<Route>)>,
    lookups: HashMap<Vec<SocketAddr>, Lookups>,
}

impl Snapshot {
    /// All roles and callers of a configuration. Resolvers and what was used of budgets are taken over.
    pub(super) fn make(
        source: &Source,
        before: Option<&Self>,
        clock: &SharedClock,
        resolvers: &Resolvers,
    ) -> Result<Self, NotInForce> {
        let mut maker = Maker {
            before,
            clock,
            resolvers,
            own: &source.own,
            upstream: source.egress.upstream.as_deref(),
            upstreams: Arc::default(),
            routes: HashMap::new(),
            lookups: HashMap::new(),
            wrong: Vec::new(),
        };
        maker.routes(&source.egress.upstreams);
        let mut roles = HashMap::with_capacity(source.egress.roles.len());
        let stored = source.stored.iter().filter(|(name, role)| source.uses(name, role));
        for (name, config) in source.egress.roles.iter().chain(stored) {
            if let Some(role) = maker.role(name, config, false) {
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
                    // Not stored yet, or not any more: the caller is known and reaches nothing.
                    None if source.egress.knows(role) => {
                        if let Some(closed) = maker.role(role, &config::Role::default(), true) {
                            callers.add(name, config, closed);
                        }
                    }
                    None => maker.refuse("callers", name, format!("there is no role {role:?}")),
                },
            }
        }
        if maker.wrong.is_empty() {
            let Maker { upstreams, routes, lookups, .. } = maker;
            Ok(Self { roles, default, callers, upstreams, routes, lookups })
        } else {
            Err(NotInForce(maker.wrong))
        }
    }

    /// Every role once.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Role>> {
        let implied = (!self.roles.contains_key(DEFAULT)).then_some(&self.default);
        self.roles.values().chain(implied)
    }

    pub(super) fn told(&self, now: SystemTime) -> InForce {
        let mut ended: Vec<String> = self
            .all()
            .flat_map(|role| {
                role::ended(&role.policy, now).into_iter().map(|what| format!("role {}: {what}", role.name))
            })
            .collect();
        ended.sort();
        InForce { roles: self.all().count(), callers: self.callers.len(), ended }
    }

    /// The role of whoever presents this, and the caller's name where it has one.
    pub(super) fn who(&self, peer: &Peer, credentials: Option<&[u8]>) -> Option<(Arc<Role>, Option<Arc<str>>)> {
        match self.callers.who(peer, credentials) {
            Who::Caller(caller) => Some((Arc::clone(&caller.role), Some(Arc::clone(&caller.name)))),
            Who::Nobody => Some((Arc::clone(&self.default), None)),
            Who::Wrong => None,
        }
    }
}

/// Whether it is the same proxy, spoken to in the same way.
fn is_same(one: &config::Upstream, other: &config::Upstream) -> bool {
    (one.url.to_string(), &one.credentials, &one.ca, one.timeout)
        == (other.url.to_string(), &other.credentials, &other.ca, other.timeout)
}

/// A snapshot in the making.
struct Maker<'m> {
    before: Option<&'m Snapshot>,
    clock: &'m SharedClock,
    resolvers: &'m Resolvers,
    own: &'m [SocketAddr],
    /// The upstream of roles that name none.
    upstream: Option<&'m str>,
    upstreams: Arc<Upstreams>,
    routes: HashMap<String, (config::Upstream, Arc<Route>)>,
    lookups: HashMap<Vec<SocketAddr>, Lookups>,
    wrong: Vec<Wrong>,
}

impl Maker<'_> {
    fn refuse(&mut self, list: &str, name: &str, message: String) {
        self.wrong.push(Wrong { key: format!("egress.{list}.{name}"), message });
    }

    /// All upstreams; one that is as it was goes on with what is known of it.
    fn routes(&mut self, configs: &BTreeMap<String, config::Upstream>) {
        for (name, config) in configs {
            let before = self.before.and_then(|before| before.routes.get(name));
            let kept = before.filter(|(was, _)| is_same(was, config)).map(|(_, route)| Arc::clone(&route.upstream));
            match Route::new(name, config, self.lookups(&[]).resolver, kept) {
                Ok(route) => drop(self.routes.insert(name.clone(), (config.clone(), Arc::new(route)))),
                Err(wrong) => {
                    let inside =
                        |entry: Wrong| Wrong { key: format!("egress.upstreams.{name}.{}", entry.key), ..entry };
                    self.wrong.extend(wrong.into_iter().map(inside));
                }
            }
        }
        let all = self.routes.values().map(|(_, route)| Arc::clone(&route.upstream)).collect();
        self.upstreams = Arc::new(Upstreams::new(all));
    }

    /// The upstream of a role that names this one, or none.
    fn route(&mut self, named: Option<&str>, role: &str) -> Option<Arc<Route>> {
        let name = named.or(self.upstream).filter(|name| *name != DIRECT)?;
        let found = self.routes.get(name).map(|(_, route)| Arc::clone(route));
        if found.is_none() {
            self.refuse("roles", role, format!("there is no upstream {name:?}"));
        }
        found
    }

    fn role(&mut self, name: &str, config: &config::Role, is_missing: bool) -> Option<Arc<Role>> {
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
            policy: Arc::new(role::with_own(policy, self.own)),
            bounds: role::bounds(&config.bounds),
            inspection: role::inspection(&config.inspection, tells),
            budget: Budget::new(&config.budgets, used),
            tells,
            lookups: self.lookups(&config.dns.servers),
            route: self.route(config.upstream.as_deref(), name),
            upstreams: Arc::clone(&self.upstreams),
            meters: Meters::of(name),
            is_missing,
        }))
    }

    /// The default role where none is configured: any public name.
    fn anybody(&mut self) -> Arc<Role> {
        Arc::new(Role {
            name: Arc::from(DEFAULT),
            policy: Arc::new(role::with_own(Policy::public(), self.own)),
            bounds: Bounds::default(),
            inspection: Inspection::default(),
            budget: None,
            tells: false,
            lookups: self.lookups(&[]),
            route: self.route(None, DEFAULT),
            upstreams: Arc::clone(&self.upstreams),
            meters: Meters::of(DEFAULT),
            is_missing: false,
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
