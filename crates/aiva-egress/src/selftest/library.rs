//! The form that programs use: a client of the library, which looks up, connects and follows redirects by itself.
//!
//! Its connections end in memory, at origins that a certificate authority of this run vouches for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aiva_outbound::Target;
use aiva_outbound::client::{Client, Connection, Dial, Error, Tls};
use aiva_outbound::policy::Policy;
use async_trait::async_trait;

use super::authority::Authority;
use super::case::{Case, Expect};
use super::engine::{denied, dns, unread};
use super::score::{Outcome, Refusal};
use super::world::World;

/// The most bytes of an answer: an origin says "ok".
const MOST_ANSWER: usize = 1024;

/// The origins of a case.
struct Origins {
    world: World,
    authority: Authority,
}

#[async_trait]
impl Dial for Origins {
    async fn dial(&self, address: SocketAddr) -> io::Result<Connection> {
        let tls = self.authority.origin(address.ip()).map_err(io::Error::other)?;
        Ok(Box::new(self.world.dial(address, &tls)?))
    }
}

/// Calls what a case asks for.
pub(super) async fn run(case: &Case, policy: &Policy, authority: &Authority) -> io::Result<Outcome> {
    let world = World::of(case);
    let tls = Tls::none().with_pem(authority.pem().as_bytes()).map_err(io::Error::other)?;
    let origins = Origins { world: world.clone(), authority: authority.clone() };
    let client =
        Client::builder(policy.clone()).resolver(Arc::new(world.clone())).dial(Arc::new(origins)).tls(tls).build();
    if let Some(prior) = case.prior_decision
        && let Ok(target) = Target::parse(&case.input)
    {
        world.before(&target.host().to_string(), prior);
        drop(call(&client, case).await);
        world.begin();
    }
    let mut last = Ok(());
    for _ in 0..case.request_index.unwrap_or(1) {
        last = call(&client, case).await;
    }
    Ok(Outcome {
        refusal: last.err().map(refusal),
        allowed: Vec::new(),
        dialled: Some(world.dialled()),
        arrived: world.requests().pop(),
    })
}

async fn call(client: &Client, case: &Case) -> Result<(), Error> {
    client.get(case.input.clone()).send().await?.bytes(MOST_ANSWER).await.map(drop)
}

/// A failure in the words of the corpus: what is neither policy nor text is trouble on the way.
fn refusal(error: Error) -> Refusal {
    match error {
        Error::Text { reason, .. } => unread(reason),
        Error::Denied { denial, .. } => denied(&denial),
        Error::Resolve(error) => dns(&error),
        other => Refusal { class: Expect::Error, reason: other.to_string() },
    }
}
