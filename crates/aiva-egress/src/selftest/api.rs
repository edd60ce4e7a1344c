//! The form that programs ask before they call by themselves: the decision API's own route, inside the middleware that a
//! server has, in the world of the case. Nothing is connected to.
//!
//! Following a redirect is the affair of whoever asks; so are the bytes on a connection, and cases of those are not for this
//! form.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use aiva_chassis::clock;
use aiva_chassis::http::{Principal, Stack};
use aiva_contracts::api;
use aiva_outbound::client::MOST_REDIRECTS;
use aiva_outbound::policy::{Policy, Reason};
use aiva_outbound::{Engine, Target};
use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode, header};
use tower::ServiceExt as _;

use super::case::{Case, Expect};
use super::engine::{class, denied};
use super::score::{Outcome, Refusal};
use super::world::World;
use crate::audit::Recorder;
use crate::http::decisions;
use crate::meters::Meters;
use crate::ports::{Decide, Rules};
use crate::proxy::judge::Bounds;
use crate::service::records::Decisions;
use crate::token::Signer;

/// The longest answer that is read.
const MOST_ANSWER: usize = 256 * 1024;

/// Asks what a case asks, as often as it asks.
pub(super) async fn run(case: &Case, policy: &Policy) -> io::Result<Outcome> {
    let world = World::of(case);
    let api = Api::new(policy, &world)?;
    if let Some(prior) = case.prior_decision
        && let Ok(target) = Target::parse(&case.input)
    {
        world.before(&target.host().to_string(), prior);
        drop(api.ask(&case.input).await?);
        world.begin();
    }
    let mut outcome = Outcome::default();
    for _ in 0..case.request_index.unwrap_or(1) {
        outcome = request(case, policy, &api).await?;
    }
    Ok(outcome)
}

/// One request and the redirects that it meets: whoever asks follows them by the library's rules, and asks again.
async fn request(case: &Case, policy: &Policy, api: &Api) -> io::Result<Outcome> {
    let mut outcome = api.ask(&case.input).await?.map_or_else(unreadable, told);
    let (Ok(first), None) = (Target::parse(&case.input), &outcome.refusal) else { return Ok(outcome) };
    let mut seen = vec![first];
    for redirect in &case.redirects {
        let next = match policy.judge_redirect(&seen, &redirect.location, MOST_REDIRECTS) {
            Ok(next) => next,
            Err(refusal) => return Ok(Outcome { refusal: Some(denied(&refusal.denial)), ..Outcome::default() }),
        };
        outcome = api.ask(&format!("{}{}", next.origin(), next.path_and_query())).await?.map_or_else(unreadable, told);
        if outcome.refusal.is_some() {
            break;
        }
        seen.push(next);
    }
    Ok(outcome)
}

/// The one role of a case.
struct Alone(Rules);

impl Decide for Alone {
    fn rules(&self, role: Option<&str>) -> Option<Rules> {
        role.is_none_or(|role| role == &*self.0.role).then(|| self.0.clone())
    }

    fn roles(&self) -> Vec<Arc<str>> {
        vec![Arc::clone(&self.0.role)]
    }
}

/// The decision API of one case.
struct Api(Router);

impl Api {
    fn new(policy: &Policy, world: &World) -> io::Result<Self> {
        let rules = Rules {
            role: Arc::from("case"),
            policy: Arc::new(policy.clone()),
            resolver: Arc::new(world.clone()),
            engine: Arc::new(Engine::default()),
            bounds: Bounds::default(),
            upstreams: Arc::default(),
            route: None,
            budget: None,
            tells: false,
            meters: Meters::of("case"),
        };
        let clock = clock::system();
        let asked = Decisions {
            recorder: Recorder::default(),
            decide: Arc::new(Alone(rules)),
            signer: Arc::new(Signer::random().map_err(io::Error::other)?),
            clock: Arc::clone(&clock),
        };
        Ok(Self(Stack::new(clock).around(decisions(asked))))
    }

    /// The verdict; `None` where the contract does not take the question.
    async fn ask(&self, url: &str) -> io::Result<Option<api::Verdict>> {
        let asked = api::AskDecision { url: url.to_owned(), method: None, role: None };
        let body = serde_json::to_vec(&asked)?;
        let request = Request::post("/v1/egress/decisions")
            .header(header::CONTENT_TYPE, "application/json")
            .extension(Principal::internal("selftest"))
            .body(Body::from(body))
            .map_err(io::Error::other)?;
        let Ok(response) = self.0.clone().oneshot(request).await;
        match response.status() {
            StatusCode::OK => {
                let body = to_bytes(response.into_body(), MOST_ANSWER).await.map_err(io::Error::other)?;
                Ok(Some(serde_json::from_slice(&body)?))
            }
            StatusCode::UNPROCESSABLE_ENTITY => Ok(None),
            // Neither a verdict nor a refusal of the question: nothing was proved.
            status => Err(io::Error::other(format!("the decision API answered {status}"))),
        }
    }
}

/// A question that the contract does not take: too long, or empty.
fn unreadable() -> Outcome {
    let refusal = Refusal { class: Expect::Error, reason: "invalid_fields".to_owned() };
    Outcome { refusal: Some(refusal), ..Outcome::default() }
}

fn told(verdict: api::Verdict) -> Outcome {
    let class = match verdict.outcome {
        api::DecisionOutcome::Allow => {
            let address = |text: &String| text.parse().ok().map(|address: SocketAddr| address.ip());
            let allowed: Vec<IpAddr> = verdict.connect_to.iter().filter_map(address).collect();
            return Outcome { allowed, ..Outcome::default() };
        }
        api::DecisionOutcome::Unresolved => Expect::Error,
        api::DecisionOutcome::Deny => Reason::ALL
            .iter()
            .find(|reason| reason.name() == verdict.reason)
            .map_or(Expect::Deny, |reason| class(*reason)),
    };
    Outcome { refusal: Some(Refusal { class, reason: verdict.reason }), ..Outcome::default() }
}

#[cfg(test)]
mod tests {
    use aiva_outbound::Question;

    use super::*;
    use crate::selftest::{carries, case, policy};

    /// The API adds nothing to the engine and takes nothing away.
    #[tokio::test]
    async fn the_api_says_word_for_word_what_the_engine_says() {
        let mut asked = 0;
        for case in case::read(case::SHIPPED).unwrap() {
            if !carries(crate::selftest::Form::Api, &case) || case.input.is_empty() || case.prior_decision.is_some() {
                continue;
            }
            let policy = policy(&case.policy);
            let got = Api::new(&policy, &World::of(&case)).unwrap().ask(&case.input).await.unwrap().unwrap();
            let want = match Target::parse(&case.input) {
                Err(reason) => (reason.name().to_owned(), Vec::new()),
                Ok(target) => {
                    let verdict = Engine::default().decide(&policy, &World::of(&case), Question::new(&target)).await;
                    let addresses = verdict.connect_to.iter().take(crate::decision::MOST_ADDRESSES);
                    (verdict.reason().to_owned(), addresses.map(ToString::to_string).collect())
                }
            };
            assert_eq!((got.reason, got.connect_to), want, "{}", case.id);
            asked += 1;
        }
        assert!(asked > 500, "{asked}");
    }
}
