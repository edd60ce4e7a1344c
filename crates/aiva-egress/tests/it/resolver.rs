//! The resolver against a name server that does not mean well: over real sockets on loopback.

use std::net::{IpAddr, Ipv4Addr};

use aiva_outbound::policy::{Policy, Reason};
use aiva_outbound::resolve::{Dns, ResolveError, Resolver as _};
use aiva_outbound::{Engine, Outcome, Question, Target};
use aiva_testkit::dns::{NameServer, Reply};

const NAME: &str = "name.example.net";
const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 215, 14);
const OTHER: Ipv4Addr = Ipv4Addr::new(151, 101, 1, 6);

/// Asks this server and no other.
pub(crate) fn resolver(server: &NameServer) -> Dns {
    Dns::with_servers([server.address()])
}

/// Why the default role refuses what this server says.
async fn refusal(server: &NameServer) -> Option<Reason> {
    let target = Target::parse(&format!("http://{NAME}/")).unwrap();
    let verdict = Engine::default().decide(&Policy::public(), &resolver(server), Question::new(&target)).await;
    match verdict.outcome {
        Outcome::Denied(denial) => Some(denial.reason),
        Outcome::Allowed | Outcome::Unresolved(_) => None,
    }
}

async fn addresses(dns: &Dns) -> Result<Vec<IpAddr>, ResolveError> {
    dns.resolve(NAME).await.map(|lookup| lookup.answer.addresses.clone())
}

#[tokio::test]
async fn an_answer_is_kept_for_its_time_and_no_longer() {
    for (ttl, asked) in [(60, 1), (0, 2)] {
        let server = NameServer::start().await;
        let first = Reply::Addresses(vec![PUBLIC.into()], ttl);
        server.set(NAME, [first, Reply::address(Ipv4Addr::LOCALHOST)]);
        let dns = resolver(&server);
        assert_eq!(addresses(&dns).await.unwrap(), [IpAddr::from(PUBLIC)]);
        let second = addresses(&dns).await.unwrap();
        assert_eq!(server.lookups(NAME), asked, "ttl {ttl}");
        let want = if asked == 1 { PUBLIC } else { Ipv4Addr::LOCALHOST };
        assert_eq!(second, [IpAddr::from(want)], "ttl {ttl}");
    }
}

#[tokio::test]
async fn many_callers_share_one_lookup() {
    let server = NameServer::start().await;
    server.set(NAME, [Reply::Held(vec![PUBLIC.into()])]);
    let dns = resolver(&server);
    let all = async { tokio::join!(addresses(&dns), addresses(&dns), addresses(&dns)) };
    let release = async {
        // Each of the callers has been polled once before this is.
        tokio::task::yield_now().await;
        server.release();
    };
    let ((a, b, c), ()) = tokio::join!(all, release);
    for got in [a, b, c] {
        assert_eq!(got.unwrap(), [IpAddr::from(PUBLIC)]);
    }
    assert_eq!(server.lookups(NAME), 1);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_its_late_answer_is_nobodys() {
    let server = NameServer::start().await;
    server.set(NAME, [Reply::Held(vec![Ipv4Addr::LOCALHOST.into()])]);
    let dns = resolver(&server);
    let error = addresses(&dns).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    server.set(NAME, [Reply::address(PUBLIC)]);
    server.release();
    // Silence is not remembered; what it said too late is believed by nobody.
    assert_eq!(addresses(&dns).await.unwrap(), [IpAddr::from(PUBLIC)]);
}

#[tokio::test]
async fn trouble_is_never_an_empty_answer() {
    let rows = [(Reply::Code(2), true), (Reply::Code(5), true), (Reply::Code(3), false)];
    for (reply, transient) in rows {
        let server = NameServer::start().await;
        server.set(NAME, [reply.clone()]);
        let error = addresses(&resolver(&server)).await.unwrap_err();
        assert_eq!(error.is_transient(), transient, "{reply:?}: {error}");
    }
}

#[tokio::test]
async fn names_are_absolute() {
    let server = NameServer::start().await;
    server.set(&format!("{NAME}.corp.example.com"), [Reply::address(Ipv4Addr::new(10, 2, 3, 4))]);
    let error = addresses(&resolver(&server)).await.unwrap_err();
    assert!(matches!(error, ResolveError::NotFound(_)), "{error}");
    assert_eq!(server.lookups(&format!("{NAME}.corp.example.com")), 0);
}

#[tokio::test]
async fn every_one_of_five_hundred_addresses_is_judged() {
    let server = NameServer::start().await;
    let mut many: Vec<IpAddr> = (0..499).map(|n: u32| Ipv4Addr::from(u32::from(OTHER) + n).into()).collect();
    many.push(Ipv4Addr::new(192, 168, 1, 1).into());
    server.set(NAME, [Reply::Addresses(many.clone(), 30)]);
    let answer = resolver(&server).resolve(NAME).await.unwrap().answer;
    assert_eq!(answer.addresses.len(), many.len());
    assert_eq!(refusal(&server).await, Some(Reason::AddressInternal));
}

#[tokio::test]
async fn an_alias_is_told() {
    let server = NameServer::start().await;
    server.set(NAME, [Reply::Alias("db.corp.internal".into(), vec![PUBLIC.into()], 30)]);
    let answer = resolver(&server).resolve(NAME).await.unwrap().answer;
    assert_eq!(answer.aliases, ["db.corp.internal"]);
    assert_eq!(refusal(&server).await, Some(Reason::NameInternal));
}
