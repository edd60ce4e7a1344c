//! What the policy in force would have said to decisions of the past.
//!
//! Promises: nothing is looked up; the answer of that time counts. Where none was kept, because the old policy refused before
//! it asked, it is said that nobody can tell, unless the new policy refuses before it asks as well.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aiva_outbound::policy::Policy;
use aiva_outbound::resolve::{Answer, Lookup};
use aiva_outbound::{Engine, Host, Question};
use http::Method;

use super::{Outcome, Past};
use crate::proxy::judge::Peer;
use crate::role::Role;
use crate::service::Guard;

/// What another policy says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Then {
    /// The same as before.
    Same,
    /// Allowed, by this rule.
    Allowed(String),
    /// Refused: reason and rule.
    Denied(String, String),
    /// It would be looked up, and nobody knows what the answer would have been.
    Unknown,
}

/// What would be decided, and by which role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The role that the caller has now.
    pub role: Arc<str>,
    /// What it says.
    pub then: Then,
}

/// Decides a past decision again.
pub fn replay(guard: &Guard, past: &Past, now: SystemTime) -> Replayed {
    let role = role_of(guard, past);
    let then = again(&role, past, now);
    Replayed { role: Arc::clone(&role.name), then }
}

/// The role that the same caller has now: by its name or address, else the role of the same name, else the default.
fn role_of(guard: &Guard, past: &Past) -> Arc<Role> {
    let address = past.caller.parse().ok().map(|address| SocketAddr::new(address, 0));
    let known = match address {
        Some(_) => guard.role_of(&Peer { address, ..Peer::default() }),
        None => guard.role_of_caller(&past.caller),
    };
    let named = || guard.role(Some(&past.role)).or_else(|| guard.role(None));
    known.or_else(named).expect("there is always a default role")
}

fn again(role: &Role, past: &Past, now: SystemTime) -> Then {
    // What could not be read then cannot be read now.
    let Some(target) = past.target() else { return Then::Same };
    let method = past.method.as_deref().and_then(|text| Method::from_bytes(text.as_bytes()).ok());
    let question = Question { target: &target, method: method.as_ref() };
    // Paths were not kept: they are left out of what is asked.
    let without_paths;
    let policy = match role.policy.paths.is_empty() {
        true => &*role.policy,
        false => {
            without_paths = Policy { paths: Vec::new(), ..Policy::clone(&role.policy) };
            &without_paths
        }
    };
    let is_name = matches!(target.host(), Host::Name(_));
    if is_name && past.addresses.is_empty() {
        return match policy.judge(question, now) {
            Ok(_) if past.outcome == Outcome::Unresolved => Then::Same,
            Ok(_) => Then::Unknown,
            Err(refusal) => changed(past, Outcome::Deny, refusal.denial.reason.name(), &refusal.rule.to_string()),
        };
    }
    let answer = Answer { addresses: past.addresses.clone(), aliases: past.aliases.clone(), ttl: Duration::ZERO };
    let verdict = Engine::replay(policy, question, &Lookup::from(answer), now);
    let outcome = if verdict.is_allowed() { Outcome::Allow } else { Outcome::Deny };
    changed(past, outcome, verdict.reason(), &verdict.rule.to_string())
}

/// Another reason for the same outcome is no change.
fn changed(past: &Past, outcome: Outcome, reason: &str, rule: &str) -> Then {
    match outcome {
        same if same == past.outcome => Then::Same,
        Outcome::Allow => Then::Allowed(rule.to_owned()),
        Outcome::Deny | Outcome::Unresolved => Then::Denied(reason.to_owned(), rule.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use aiva_chassis::clock;

    use super::super::tests::past;
    use super::*;
    use crate::service::tests::egress;

    #[test]
    fn a_new_policy_is_held_against_what_was_decided() {
        let roles = [
            ("default", "mode = \"open\"\nports = [443]"),
            ("shop", "allow_domains = [\"a.example\"]\npaths = [\"/v1\"]"),
            ("lab", "deny_cidrs = [\"93.184.216.0/24\"]\nmode = \"open\""),
        ];
        let callers = [("shop", "shop", "10.1.0.0/16"), ("lab", "lab", "10.2.0.0/16")];
        let (guard, _) = Guard::new(egress(&roles, &callers), clock::system()).unwrap();
        let denied = |reason: &str, rule: &str| Then::Denied(reason.to_owned(), rule.to_owned());
        for (caller, scheme, host, addresses, outcome, role, want) in [
            ("shop", "https", "a.example", &["93.184.216.34"][..], Outcome::Allow, "shop", Then::Same),
            ("shop", "http", "a.example", &["93.184.216.34"], Outcome::Allow, "shop", Then::Same), // no path is known
            (
                "10.1.2.3",
                "https",
                "b.example",
                &["93.184.216.34"],
                Outcome::Allow,
                "shop",
                denied("name-not-allowed", "allow_domains"),
            ),
            ("shop", "https", "b.example", &[], Outcome::Deny, "shop", Then::Same),
            ("shop", "https", "a.example", &[], Outcome::Deny, "shop", Then::Unknown),
            ("shop", "https", "a.example", &["10.0.0.1"], Outcome::Deny, "shop", Then::Same),
            (
                "lab",
                "https",
                "b.example",
                &["93.184.216.34"],
                Outcome::Allow,
                "lab",
                denied("address-denied", "deny_cidrs[0] 93.184.216.0/24"),
            ),
            ("lab", "https", "93.184.217.34", &[], Outcome::Deny, "lab", Then::Allowed("class public".to_owned())),
            ("lab", "https", "gone.example", &[], Outcome::Unresolved, "lab", Then::Same),
            ("gone", "https", "b.example", &["93.184.216.34"], Outcome::Allow, "default", Then::Same),
            (
                "192.0.2.1",
                "http",
                "b.example",
                &["93.184.216.34"],
                Outcome::Allow,
                "default",
                denied("port-not-allowed", "ports"),
            ),
        ] {
            let port = if scheme == "http" { 80 } else { 443 };
            let mut one = past(scheme, host, port, outcome);
            one.caller = caller.to_owned();
            one.addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
            let got = replay(&guard, &one, SystemTime::UNIX_EPOCH);
            assert_eq!((&*got.role, got.then), (role, want), "{one:?}");
        }
    }
}
