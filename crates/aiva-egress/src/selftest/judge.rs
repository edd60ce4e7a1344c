//! Who judges behind the self-test's proxy: the engine under the policy of the case, in the case's world.

use std::net::SocketAddr;
use std::sync::Arc;

use aiva_outbound::Engine;
use aiva_outbound::policy::Policy;
use async_trait::async_trait;

use super::case::{Case, Expect, Sni, Sniff};
use super::score::Refusal;
use super::world::World;
use crate::proxy::answer::Answer;
use crate::proxy::judge::{Allowed, Ask, Bounds, Finished, Judge, Permit, Presented, Ruling};
use crate::tunnel::inspect::{Inspection, Level};

/// Judges for one case.
pub(super) struct CaseJudge {
    policy: Policy,
    world: World,
    engine: Engine,
    inspection: Inspection,
}

impl CaseJudge {
    pub(super) fn new(case: &Case, policy: Policy, world: World) -> Self {
        let level = |wanted: bool| if wanted { Level::Enforce } else { Level::Off };
        let tls = case.policy.sniff == Some(Sniff::Tls);
        let name = level(case.policy.sni == Some(Sni::Match));
        let inspection = Inspection { tls_only: level(tls), name, no_name: name, ech: name };
        Self { policy, world, engine: Engine::default(), inspection }
    }
}

#[async_trait]
impl Judge for CaseJudge {
    async fn judge(&self, _who: Presented<'_>, ask: Ask<'_>) -> Ruling {
        let target = match ask.target {
            Ok(target) => target,
            Err(reason) => return refuse(&super::engine::unread(reason)),
        };
        match super::engine::decide(&self.policy, &target, &self.world, &self.engine).await {
            Ok(connect_to) => Ruling::Allow(Box::new(Allowed {
                role: Arc::from("selftest"),
                target: Arc::new(target),
                connect_to,
                upstream: None,
                bounds: Bounds::default(),
                inspection: self.inspection,
                permit: Arc::new(Nobody(self.policy.clone())),
            })),
            Err(refusal) => refuse(&refusal),
        }
    }

    async fn changed(&self, _since: u64) -> u64 {
        // One case, one policy.
        std::future::pending().await
    }
}

fn refuse(refusal: &Refusal) -> Ruling {
    let answer = match refusal.class {
        Expect::Error => Answer::failed(400, &refusal.reason, "not understood", "http_request_error"),
        Expect::Deny | Expect::Allow => Answer::denied("selftest", &refusal.reason, "selftest", "denied".to_owned()),
    };
    Ruling::Refuse(Box::new(answer))
}

/// Nothing is recorded.
struct Nobody(Policy);

impl Permit for Nobody {
    fn id(&self) -> String {
        "selftest".to_owned()
    }

    fn holds(&self, _connected: SocketAddr) -> bool {
        true
    }

    fn allows_name(&self, name: &str) -> bool {
        self.0.judge_name(name).is_ok()
    }

    fn finish(&self, _finished: &Finished) {}
}
