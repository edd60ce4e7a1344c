//! Judges for everybody by one role: the one that unknown callers get.
//!
//! Promises: the engine decides, on the text as it was sent and on every address of one lookup; what is allowed comes with
//! the checked addresses; every refusal is logged with the id that its caller was told. Without `[egress.roles.default]`
//! any public name may be reached on ports 80 and 443. This process's own listeners are never reachable through it.
//!
//! Start reading at [`DefaultRole::new`].

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use aiva_outbound::policy::{self, Names};
use aiva_outbound::resolve::{ResolveError, Resolver};
use aiva_outbound::{Engine, Outcome, Policy, Question, Target};
use async_trait::async_trait;
use http::Method;
use uuid::Uuid;

use crate::config::{DEFAULT as NAME, Egress, Mode};
use crate::proxy::answer::Answer;
use crate::proxy::judge::{Allowed, Ask, Bounds, Finished, Form, Judge, Permit, Presented, Ruling};
use crate::tunnel::inspect::Inspection;

/// The judge.
pub struct DefaultRole {
    policy: Policy,
    /// The same policy, once it is known where this process listens.
    settled: OnceLock<Policy>,
    engine: Engine,
    resolver: Arc<dyn Resolver>,
    role: Arc<str>,
}

impl DefaultRole {
    /// By the configuration's role `default`, where there is one.
    pub fn new(egress: &Egress, engine: Engine, resolver: Arc<dyn Resolver>) -> Self {
        Self { policy: policy(egress), settled: OnceLock::new(), engine, resolver, role: Arc::from(NAME) }
    }

    /// Says where this process listens itself, once that is known. What was said first stays.
    pub fn listens(&self, own: &[SocketAddr]) {
        self.settled.get_or_init(|| Policy { own: own.to_vec(), ..self.policy.clone() });
    }

    /// The checked addresses, or the refusal to tell.
    async fn decide(&self, target: &Target, method: Option<&Method>) -> Result<Vec<SocketAddr>, Answer> {
        let policy = self.settled.get().unwrap_or(&self.policy);
        let verdict = self.engine.decide(policy, &*self.resolver, Question { target, method }).await;
        if let Some(refusal) = &verdict.would_deny {
            let (origin, reason) = (target.origin(), refusal.denial.reason.name());
            tracing::warn!(origin, reason, "egress would be denied if the role were enforced");
        }
        match verdict.outcome {
            Outcome::Allowed => Ok(verdict.connect_to),
            Outcome::Denied(denial) => {
                let detail = format!("{} may not be called: {}", target.origin(), denial.reason);
                let rule = verdict.rule.to_string();
                let answer = Answer::denied(&rule, denial.reason.name(), &id(), detail);
                // What would allow it is for operators only.
                let (id, remedy) = (answer.id.as_deref(), verdict.remedy.as_deref());
                tracing::info!(origin = target.origin(), what = denial.what, rule, id, remedy, "egress denied");
                Err(answer)
            }
            Outcome::Unresolved(error) => Err(unresolved(&error).with_id(&id())),
        }
    }
}

/// The role `default`, or any public name.
fn policy(egress: &Egress) -> Policy {
    let Some(role) = egress.roles.get(NAME) else { return Policy::public() };
    let allow_names = role.allow_domains.iter().filter_map(|entry| Names::new(entry)).collect();
    let mode = match role.mode {
        Mode::Enforce => policy::Mode::Enforce,
        Mode::Report => policy::Mode::Report,
        Mode::Open => policy::Mode::Open,
    };
    Policy { mode, allow_names, ..Policy::public() }
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

#[async_trait]
impl Judge for DefaultRole {
    async fn judge(&self, who: Presented<'_>, ask: Ask<'_>) -> Ruling {
        let decided = match ask.target {
            Ok(target) => {
                // Nobody sees the methods inside a tunnel; what is no method that the list could hold is on no list.
                let method = match ask.form {
                    Form::Request => Method::from_bytes(ask.method.as_bytes()).ok(),
                    Form::Tunnel => None,
                };
                self.decide(&target, method.as_ref()).await.map(|connect_to| (target, connect_to))
            }
            Err(reason) => {
                // The text may hold a secret, and nobody knows where in it.
                let detail = format!("the address cannot be used: {reason}");
                Err(Answer::denied("text", reason.name(), &id(), detail))
            }
        };
        match decided {
            Ok((target, connect_to)) => Ruling::Allow(Box::new(Allowed {
                role: Arc::clone(&self.role),
                permit: Arc::new(Granted { id: id(), from: who.peer.address, form: ask.form, origin: target.origin() }),
                target,
                connect_to,
                bounds: Bounds::default(),
                inspection: Inspection::default(),
            })),
            Err(answer) => {
                let (reason, id, detail) = (&*answer.reason, answer.id.as_deref(), &*answer.detail);
                tracing::info!(from = ?who.peer.address, reason, id, detail, "egress refused");
                Ruling::Refuse(Box::new(answer))
            }
        }
    }

    async fn changed(&self) {
        // The configuration is read once.
        std::future::pending().await
    }
}

/// What was allowed; it is logged when it ends.
struct Granted {
    id: String,
    from: Option<SocketAddr>,
    form: Form,
    origin: String,
}

impl Permit for Granted {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn holds(&self) -> bool {
        true
    }

    fn allows_name(&self, _name: &str) -> bool {
        true
    }

    fn finish(&self, finished: &Finished) {
        tracing::debug!(
            id = self.id,
            from = ?self.from,
            form = ?self.form,
            origin = self.origin,
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
mod tests {
    use std::net::IpAddr;

    use aiva_outbound::resolve::Fixed;

    use super::*;
    use crate::config::Role;

    async fn reason(role: Option<(Mode, &[&str])>, url: &str) -> String {
        let names: [(&str, IpAddr); 3] = [
            ("a.example.com", [93, 184, 216, 34].into()),
            ("inside.example.com", [10, 0, 0, 1].into()),
            ("me.example.com", [93, 184, 216, 35].into()),
        ];
        let listen = "127.0.0.1:4750".parse().unwrap();
        let mut egress = Egress { listen, roles: std::collections::BTreeMap::new() };
        if let Some((mode, allow)) = role {
            let allow_domains = allow.iter().map(|name| (*name).to_owned()).collect();
            egress.roles.insert(NAME.to_owned(), Role { mode, allow_domains });
        }
        let judge = DefaultRole::new(&egress, Engine::default(), Arc::new(Fixed::new(names)));
        judge.listens(&["93.184.216.35:443".parse().unwrap()]);
        let target = Target::parse(url).unwrap();
        judge.decide(&target, None).await.map_or_else(|answer| answer.reason, |_| "allowed".to_owned())
    }

    #[tokio::test]
    async fn the_role_is_what_the_configuration_says() {
        let strict: Option<(Mode, &[&str])> = Some((Mode::Enforce, &["*.example.com"]));
        let rows = [
            (None, "https://a.example.com/", "allowed"),
            (None, "https://inside.example.com/", "address-internal"),
            (None, "https://me.example.com/", "address-self"),
            (None, "http://me.example.com/", "allowed"),
            (None, "https://gone.example.com/", "dns-not-found"),
            (None, "https://a.example.com:8443/", "port-not-allowed"),
            (strict, "https://a.example.com/", "allowed"),
            (strict, "https://a.example.org/", "name-not-allowed"),
            (Some((Mode::Report, &[])), "https://a.example.com/", "allowed"),
            (Some((Mode::Report, &[])), "https://inside.example.com/", "address-internal"),
            (Some((Mode::Open, &[])), "https://a.example.com/", "allowed"),
        ];
        for (role, url, want) in rows {
            assert_eq!(reason(role, url).await, want, "{role:?} {url}");
        }
    }
}
