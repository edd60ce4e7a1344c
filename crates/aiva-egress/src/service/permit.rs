//! An allowed request, from the ruling to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use aiva_outbound::resolve::Lookup;
use aiva_outbound::{Engine, Question, Target};
use http::Method;
use uuid::Uuid;

use super::{Guard, since_1970};
use crate::audit::Open;
use crate::budget;
use crate::caller::Standing;
use crate::decision::Ended;
use crate::meters;
use crate::proxy::judge::{Finished, Peer, Permit};
use crate::role::Role;

/// What was allowed.
pub(super) struct Granted {
    pub(super) guard: Guard,
    pub(super) id: Uuid,
    /// Its record, which ends with it.
    pub(super) record: Option<Open>,
    pub(super) role: Arc<Role>,
    pub(super) caller: Option<Arc<str>>,
    pub(super) peer: Peer,
    pub(super) proof: Proof,
    pub(super) method: Option<Method>,
    pub(super) target: Arc<Target>,
    pub(super) lookup: Lookup,
    /// Given back when this is dropped.
    pub(super) _place: Option<budget::Tunnel>,
}

/// By what the role was had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// By what the connection shows, or by nothing.
    Connection,
    /// By a password.
    Password,
    /// By a decision token.
    Token,
}

impl Granted {
    /// The role in force of the same caller; `None` when a password is no longer known.
    fn role_now(&self) -> Option<Arc<Role>> {
        let in_force = self.guard.0.in_force.load();
        match (self.proof, &self.caller) {
            (Proof::Token, _) => self.guard.role(Some(&self.role.name)),
            (Proof::Password, Some(name)) => {
                in_force.callers.with_password(name).map(|caller| Arc::clone(&caller.role))
            }
            (Proof::Password | Proof::Connection, _) => in_force.who(&self.peer, None).map(|(role, _)| role),
        }
    }
}

impl Permit for Granted {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn holds(&self, connected: SocketAddr) -> bool {
        if self.guard.standing(&self.peer) != Standing::Good {
            return false;
        }
        let Some(role) = self.role_now() else { return false };
        let question = Question { target: &self.target, method: self.method.as_ref() };
        let verdict = Engine::replay(&role.policy, question, &self.lookup, self.guard.0.clock.now().into());
        verdict.connect_to.contains(&connected) && !role.upstreams.hold(&role.policy, &self.target, connected)
    }

    fn allows_name(&self, name: &str) -> bool {
        self.role.policy.judge_name(name).is_ok()
    }

    fn finish(&self, finished: &Finished) {
        if let Some(budget) = &self.role.budget {
            budget.spend(finished.sent.saturating_add(finished.received), since_1970(&self.guard.0.clock));
        }
        if let Some(found) = finished.findings.iter().find(|finding| finding.enforced) {
            self.role.meters.denied.inc();
            meters::refused(found.reason);
        }
        if let Some(record) = &self.record {
            return record.end(Ended::from(finished));
        }
        tracing::debug!(
            id = %self.id,
            from = ?self.peer.address,
            caller = self.caller.as_deref(),
            role = &*self.role.name,
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
