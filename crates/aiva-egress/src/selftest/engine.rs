//! The form that only decides: every hop of a case through the engine, nothing connected.

use std::net::SocketAddr;

use aiva_outbound::client::MOST_REDIRECTS;
use aiva_outbound::policy::{Policy, Reason};
use aiva_outbound::resolve::ResolveError;
use aiva_outbound::{Denial, Engine, Outcome as Verdict, Question, Target};

use super::case::{Case, Expect};
use super::score::{Outcome, Refusal};
use super::world::World;

/// Decides a case.
pub(super) async fn run(case: &Case, policy: &Policy) -> Outcome {
    let (world, engine) = (World::of(case), Engine::default());
    if let Some(prior) = case.prior_decision
        && let Ok(target) = Target::parse(&case.input)
    {
        world.before(&target.host().to_string(), prior);
        drop(decide(policy, &target, &world, &engine).await);
        world.begin();
    }
    let mut outcome = Outcome::default();
    for _ in 0..case.request_index.unwrap_or(1) {
        outcome = request(case, policy, &world, &engine).await;
    }
    outcome
}

/// One request and the redirects that it meets.
async fn request(case: &Case, policy: &Policy, world: &World, engine: &Engine) -> Outcome {
    let mut seen = match Target::parse(&case.input) {
        Ok(target) => vec![target],
        Err(reason) => return refused(unread(reason)),
    };
    let mut redirects = case.redirects.iter();
    loop {
        let Some(target) = seen.last() else { return Outcome::default() };
        let allowed = match decide(policy, target, world, engine).await {
            Ok(allowed) => allowed,
            Err(refusal) => return refused(refusal),
        };
        let Some(redirect) = redirects.next() else {
            let allowed = allowed.iter().map(|address| address.ip()).collect();
            return Outcome { allowed, ..Outcome::default() };
        };
        match policy.judge_redirect(&seen, &redirect.location, MOST_REDIRECTS) {
            Ok(next) => seen.push(next),
            Err(refusal) => return refused(denied(&refusal.denial)),
        }
    }
}

/// One decision.
pub(super) async fn decide(
    policy: &Policy,
    target: &Target,
    world: &World,
    engine: &Engine,
) -> Result<Vec<SocketAddr>, Refusal> {
    let verdict = engine.decide(policy, world, Question::new(target)).await;
    match verdict.outcome {
        Verdict::Allowed => Ok(verdict.connect_to),
        Verdict::Denied(denial) => Err(denied(&denial)),
        Verdict::Unresolved(error) => Err(dns(&error)),
    }
}

/// What cannot be read.
pub(super) fn unread(reason: Reason) -> Refusal {
    Refusal { class: class(reason), reason: reason.to_string() }
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome { refusal: Some(refusal), ..Outcome::default() }
}

/// What the policy refuses.
pub(super) fn denied(denial: &Denial) -> Refusal {
    Refusal { class: class(denial.reason), reason: denial.to_string() }
}

/// Trouble with the name system.
pub(super) fn dns(error: &ResolveError) -> Refusal {
    Refusal { class: Expect::Error, reason: error.to_string() }
}

/// Whether a reason speaks of the policy or of a text that cannot be understood.
pub(super) fn class(reason: Reason) -> Expect {
    match reason {
        Reason::NotUrl
        | Reason::ControlCharacter
        | Reason::WhiteSpace
        | Reason::Backslash
        | Reason::Credentials
        | Reason::SecondAt
        | Reason::HostEncoded
        | Reason::HostUnicode
        | Reason::HostNumber
        | Reason::HostAddress
        | Reason::HostName
        | Reason::Port
        | Reason::Redirects => Expect::Error,
        _ => Expect::Deny,
    }
}
