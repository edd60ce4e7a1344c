//! The proxy against a name server that does not mean well: what was checked is what is connected to.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use aiva_egress::proxy::Settings;
use aiva_egress::proxy::judge::Bounds;
use aiva_outbound::policy::Policy;
use aiva_testkit::dns::{NameServer, Reply};

use crate::resolver::resolver;
use crate::stage::{Origin, Stage};

const NAME: &str = "rebind.example.net";
const URL: &str = "http://rebind.example.net/";
const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 215, 14);

async fn stage(server: &NameServer, origin: &Origin) -> Stage {
    let resolver = Arc::new(resolver(server));
    Stage::start(resolver, Policy::public(), Settings::default(), Bounds::default(), origin.address).await
}

fn ips(addresses: &[Ipv4Addr]) -> Vec<IpAddr> {
    addresses.iter().map(|address| IpAddr::V4(*address)).collect()
}

#[tokio::test]
async fn one_lookup_is_checked_pinned_and_connected_to() {
    let server = NameServer::start().await;
    server.set(NAME, [Reply::address(PUBLIC), Reply::address(Ipv4Addr::LOCALHOST)]);
    let (origin, _) = Origin::keeping().await;
    let stage = stage(&server, &origin).await;
    assert_eq!(stage.get(URL).await, 200);
    assert_eq!((stage.dialled(), server.lookups(NAME)), (ips(&[PUBLIC]), 1), "checked and connected by one lookup");
}

#[tokio::test]
async fn every_request_of_a_connection_is_looked_up_again() {
    let server = NameServer::start().await;
    server.set(NAME, [Reply::address(PUBLIC), Reply::address(Ipv4Addr::new(192, 168, 0, 10))]);
    let (origin, kept) = Origin::keeping().await;
    let stage = stage(&server, &origin).await;
    let mut client = stage.client().await;
    // Pipelined: the second is sent before the first is answered, on a connection that leads to the first's origin.
    client.ask(URL).await;
    client.ask(URL).await;
    assert_eq!(client.answer().await.unwrap().status, 200);
    let second = client.answer().await.unwrap();
    assert_eq!((second.status, second.field("aiva-decision").unwrap().starts_with("deny")), (403, true), "{second:?}");
    assert_eq!((stage.dialled(), kept.lock().unwrap().len()), (ips(&[PUBLIC]), 1));
}

#[tokio::test]
async fn a_waiting_connection_is_not_used_for_a_name_that_moved() {
    let server = NameServer::start().await;
    let moved = Ipv4Addr::new(151, 101, 1, 6);
    server.set(NAME, [Reply::address(PUBLIC), Reply::address(moved), Reply::address(PUBLIC)]);
    let (origin, _) = Origin::keeping().await;
    let stage = stage(&server, &origin).await;
    for _ in 0..3 {
        assert_eq!(stage.get(URL).await, 200);
    }
    assert_eq!(stage.dialled(), ips(&[PUBLIC, moved]), "the third found the first's connection waiting");
}

#[tokio::test]
async fn a_tunnel_goes_where_its_name_was_checked() {
    let server = NameServer::start().await;
    server.set(NAME, [Reply::address(PUBLIC), Reply::address(Ipv4Addr::LOCALHOST)]);
    let (origin, _) = Origin::keeping().await;
    let stage = stage(&server, &origin).await;
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let mut client = stage.client().await;
        client.send(format!("CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n\r\n")).await;
        statuses.push(client.answer().await.unwrap().status);
    }
    assert_eq!((statuses, stage.dialled()), (vec![200, 403], ips(&[PUBLIC])));
}

#[tokio::test]
async fn trouble_with_dns_says_dns_and_nobody_else_waits_for_it() {
    let server = NameServer::start().await;
    server.set("hangs.example.net", [Reply::Silence]);
    server.set("fails.example.net", [Reply::Code(2)]);
    server.set(NAME, [Reply::address(PUBLIC)]);
    let (origin, _) = Origin::keeping().await;
    let stage = stage(&server, &origin).await;
    let mut hanging = stage.client().await;
    hanging.ask("http://hangs.example.net/").await;
    let mut failing = stage.client().await;
    failing.ask("http://fails.example.net/").await;
    assert_eq!(stage.get(URL).await, 200);
    for mut client in [failing, hanging] {
        let heard = client.answer().await.unwrap();
        let decision = heard.field("aiva-decision").unwrap();
        assert!(heard.status == 502 && decision.starts_with("error; reason=dns"), "{heard:?}");
    }
    assert_eq!(stage.dialled(), ips(&[PUBLIC]));
}

#[tokio::test]
async fn five_hundred_addresses_are_all_judged_and_few_are_tried() {
    let server = NameServer::start().await;
    let many: Vec<IpAddr> = (0..500).map(|n: u32| Ipv4Addr::from(u32::from(PUBLIC) + n).into()).collect();
    let mut spoilt = many.clone();
    spoilt.push(Ipv4Addr::new(10, 0, 0, 5).into());
    server.set("spoilt.example.net", [Reply::Addresses(spoilt, 30)]);
    server.set(NAME, [Reply::Addresses(many, 30)]);
    // Nobody listens where this was bound: every attempt fails.
    let gone = { Origin::keeping().await.0.address };
    let resolver = Arc::new(resolver(&server));
    let stage = Stage::start(resolver, Policy::public(), Settings::default(), Bounds::default(), gone).await;
    assert_eq!(stage.get("http://spoilt.example.net/").await, 403);
    assert!(stage.dialled().is_empty());
    let status = stage.get(URL).await;
    assert!((500..600).contains(&status), "{status}");
    assert!((1..=8).contains(&stage.dialled().len()), "{:?}", stage.dialled());
}
