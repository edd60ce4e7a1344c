//! Decision tokens from the API to the real proxy: what was checked is connected to, and nothing else is let in by them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::clock::SharedClock;
use aiva_chassis::config::{Leaf as _, Network};
use aiva_chassis::http::{Principal, Stack};
use aiva_chassis::secret::Secret;
use aiva_egress::audit::Recorder;
use aiva_egress::config::{Caller, CertificateNames, Egress, Role};
use aiva_egress::http::decisions;
use aiva_egress::proxy::Settings;
use aiva_egress::service::Guard;
use aiva_egress::service::records::Decisions;
use aiva_egress::token::Signer;
use aiva_outbound::resolve::Resolver;
use aiva_testkit::clock::FakeClock;
use aiva_testkit::dns::{NameServer, Reply};
use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::resolver::resolver;
use crate::stage::{Heard, Origin, Stage};

const NAME: &str = "pinned.example.net";
const CHECKED: Ipv4Addr = Ipv4Addr::new(93, 184, 215, 14);
const LATER: Ipv4Addr = Ipv4Addr::new(151, 101, 1, 6);
/// Where a caller of its own role calls from; the others are strangers.
const SHOP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn key(text: &str) -> Arc<Signer> {
    Arc::new(Signer::with_key(&Secret::new(format!("{text} is a key of at least 32 characters"))))
}

fn egress(lab: bool) -> Egress {
    let role =
        |names: &[&str]| Role { allow_domains: names.iter().map(|name| (*name).into()).collect(), ..Role::default() };
    let mut egress = Egress::default();
    egress.roles.insert("shop".into(), role(&[NAME]));
    if lab {
        egress.roles.insert("lab".into(), role(&[NAME, "lab.example.net"]));
    }
    let caller = Caller {
        role: None,
        password_sha256: Vec::new(),
        password: None,
        certificate: CertificateNames { common_names: Vec::new(), dns_names: Vec::new(), uris: Vec::new() },
        users: Vec::new(),
        sources: vec![Network::from_text(&SHOP.to_string()).unwrap()],
    };
    egress.callers.insert("shop".into(), caller);
    egress
}

/// One process: its guard, its proxy and, where it has one, its API.
struct Process {
    guard: Guard,
    api: Router,
    stage: Stage,
}

impl Process {
    async fn start(server: &NameServer, clock: &FakeClock, signer: &Arc<Signer>, origin: &Origin) -> Self {
        let shared: SharedClock = Arc::new(clock.clone());
        let resolver: Arc<dyn Resolver> = Arc::new(resolver(server));
        let resolvers = Box::new(move |_: &[std::net::SocketAddr]| Arc::clone(&resolver));
        let (guard, _) = Guard::with_resolvers(egress(true), Arc::clone(&shared), resolvers).unwrap();
        guard.honour(Arc::clone(signer) as Arc<_>);
        let asked = Decisions {
            recorder: Recorder::default(),
            decide: Arc::new(guard.clone()),
            signer: Arc::clone(signer),
            clock: Arc::clone(&shared),
        };
        let api = Stack::new(shared).around(decisions(asked));
        let stage = Stage::judged(Arc::new(guard.clone()), Settings::default(), origin.address).await;
        Self { guard, api, stage }
    }

    async fn token(&self, url: &str, role: Option<&str>) -> String {
        let body = match role {
            Some(role) => json!({"url": url, "role": role}),
            None => json!({"url": url}),
        };
        let request = Request::post("/v1/egress/decisions").header("content-type", "application/json");
        let request = request.extension(Principal::internal("ana")).body(Body::from(body.to_string())).unwrap();
        let answer = self.api.clone().oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        let verdict: Value = serde_json::from_slice(&answer).unwrap();
        verdict["token"].as_str().unwrap_or_else(|| panic!("{url} was not allowed: {verdict}")).to_owned()
    }

    async fn get(&self, from: Ipv4Addr, url: &str, token: &str) -> Heard {
        let mut client = self.stage.client_from(from).await;
        let host = url.split('/').nth(2).unwrap();
        client.send(format!("GET {url} HTTP/1.1\r\nHost: {host}\r\nAiva-Decision-Token: {token}\r\n\r\n")).await;
        client.answer().await.unwrap()
    }

    /// The status, and the reason of a refusal.
    async fn said(&self, from: Ipv4Addr, url: &str, token: &str) -> String {
        let heard = self.get(from, url, token).await;
        let reason = heard.field("aiva-decision").and_then(|said| said.split("reason=").nth(1)?.split(';').next());
        format!("{} {}", heard.status, reason.unwrap_or_default()).trim().to_owned()
    }
}

fn names(server: &NameServer) {
    server.set(NAME, [Reply::address(CHECKED)]);
    server.set("lab.example.net", [Reply::address(CHECKED)]);
}

#[tokio::test]
async fn what_the_api_checked_is_connected_to_whatever_the_name_means_by_then() {
    let (server, clock) = (NameServer::start().await, FakeClock::at("2026-11-21T12:00:00Z"));
    names(&server);
    let (origin, kept) = Origin::keeping().await;
    let process = Process::start(&server, &clock, &key("one"), &origin).await;
    let url = format!("http://{NAME}/x");
    let token = process.token(&url, Some("shop")).await;
    for moved in [LATER, Ipv4Addr::LOCALHOST, Ipv4Addr::new(169, 254, 169, 254)] {
        server.set(NAME, [Reply::address(moved)]);
        assert_eq!(process.said(Ipv4Addr::LOCALHOST, &url, &token).await, "200");
        assert_eq!(process.said(SHOP, &url, &token).await, "200", "the role's own caller");
        assert_eq!(server.lookups(NAME), 0, "the API asked; the proxy did not ask again");
    }
    let dialled = process.stage.dialled();
    assert!(dialled.iter().all(|address| *address == IpAddr::V4(CHECKED)), "{dialled:?}");
    let heads = kept.lock().unwrap().join("");
    assert!(!heads.to_ascii_lowercase().contains("decision-token"), "the origin was shown the token: {heads}");
}

#[tokio::test]
async fn a_tunnel_is_pinned_by_its_token_too() {
    let (server, clock) = (NameServer::start().await, FakeClock::at("2026-11-21T12:00:00Z"));
    names(&server);
    let (origin, _) = Origin::keeping().await;
    let process = Process::start(&server, &clock, &key("one"), &origin).await;
    let token = process.token(&format!("https://{NAME}"), Some("shop")).await;
    server.set(NAME, [Reply::address(LATER)]);
    let (mut client, place) = (process.stage.client().await, format!("{NAME}:443"));
    client.send(format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nAiva-Decision-Token: {token}\r\n\r\n")).await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    assert_eq!(process.stage.dialled(), [IpAddr::V4(CHECKED)]);
}

#[tokio::test]
async fn what_is_no_good_token_for_this_is_refused_for_its_own_reason() {
    let (server, clock) = (NameServer::start().await, FakeClock::at("2026-11-21T12:00:00Z"));
    names(&server);
    let (origin, _) = Origin::keeping().await;
    let process = Process::start(&server, &clock, &key("one"), &origin).await;
    let url = format!("http://{NAME}/");
    let (shop, lab) = (process.token(&url, Some("shop")).await, process.token(&url, Some("lab")).await);
    let mut altered = shop.clone().into_bytes();
    altered[10] = if altered[10] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    let foreign = Process::start(&server, &clock, &key("two"), &origin).await;
    let stranger = Ipv4Addr::LOCALHOST;
    for (from, url, token, want) in [
        (stranger, url.as_str(), shop.as_str(), "200"),
        (stranger, &url, &lab, "200"),
        (SHOP, &url, &lab, "403 token-role"),
        (stranger, "http://lab.example.net/", &lab, "403 token-mismatch"),
        (stranger, &format!("http://{NAME}:8080/"), &shop, "403 token-mismatch"),
        (stranger, &url, &altered, "403 token-invalid"),
        (stranger, &url, "x", "403 token-invalid"),
    ] {
        assert_eq!(process.said(from, url, token).await, want, "{url} from {from}");
    }
    assert_eq!(foreign.said(stranger, &url, &shop).await, "403 token-invalid", "another key");
    clock.advance(Duration::from_secs(61));
    assert_eq!(process.said(stranger, &url, &shop).await, "403 token-expired");
    // The policy in force has the last word, and a role that is gone gives nobody anything.
    let token = process.token(&url, Some("lab")).await;
    process.guard.reload(egress(false)).unwrap();
    assert_eq!(process.said(stranger, &url, &token).await, "403 token-role");
}

#[tokio::test]
async fn processes_with_one_key_honour_each_others_tokens() {
    let (server, clock) = (NameServer::start().await, FakeClock::at("2026-11-21T12:00:00Z"));
    names(&server);
    let (origin, _) = Origin::keeping().await;
    let api = Process::start(&server, &clock, &key("one"), &origin).await;
    let proxy = Process::start(&server, &clock, &key("one"), &origin).await;
    let url = format!("http://{NAME}/");
    let token = api.token(&url, Some("shop")).await;
    server.set(NAME, [Reply::address(LATER)]);
    assert_eq!(proxy.said(Ipv4Addr::LOCALHOST, &url, &token).await, "200");
    assert_eq!(proxy.stage.dialled(), [IpAddr::V4(CHECKED)]);
}
