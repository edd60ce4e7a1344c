//! Tunnels: what they carry, which openings are let through, and what closes them.

use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::shutdown::Drained;
use aiva_egress::proxy::Settings;
use aiva_egress::tunnel::hello;
use aiva_egress::tunnel::inspect::{Inspection, Level};
use aiva_egress::tunnel::relay::End;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::scene::{Rules, Scene, within};

#[tokio::test]
async fn a_tunnel_carries_both_ways_and_closes_by_halves() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\nearly").await;
    let mut origin = scene.accept().await;
    client.hears("HTTP/1.1 200 Connection established\r\n\r\n").await;
    origin.hears("early").await;
    origin.say("hello").await;
    client.hears("hello").await;
    client.0.shutdown().await.unwrap();
    assert_eq!(origin.rest().await, "");
    let much = "x".repeat(1 << 20);
    let sending = tokio::spawn(async move {
        origin.say(&much).await;
        drop(origin);
    });
    assert_eq!(client.rest().await.len(), 1 << 20);
    sending.await.unwrap();
    let end = scene.ends(1).await.remove(0);
    assert_eq!((end.end, end.sent, end.received), (Some(End::Closed), 5, (1 << 20) + 5));
    assert_eq!(end.connected, Some("192.0.2.1:443".parse().unwrap()));
    assert_eq!(scene.close().await, Drained::Clean);
}

const TLS_ONLY: Inspection =
    Inspection { tls_only: Level::Enforce, name: Level::Enforce, no_name: Level::Enforce, ech: Level::Report };

#[tokio::test]
async fn a_refused_opening_never_reaches_the_origin() {
    let scene = Scene::with(Rules { inspection: TLS_ONLY, ..Rules::default() }, Settings::default()).await;
    let rows: [(Vec<u8>, &str, bool); 4] = [
        (hello::sample(Some("b.example"), &[], 3), "sni-mismatch", true),
        (hello::sample(None, &[], 5000), "sni-missing", true),
        (b"SSH-2.0-x\r\n".to_vec(), "not-tls", false),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "not-tls", false),
    ];
    for (index, (opening, reason, alert)) in rows.into_iter().enumerate() {
        let mut client = scene.client().await;
        client.say("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut origin = scene.accept().await;
        client.head().await;
        client.0.write_all(&opening).await.unwrap();
        let last = scene.ends(index + 1).await.pop().unwrap();
        assert_eq!(last.failure.as_deref(), Some(reason));
        client.0.shutdown().await.unwrap();
        let heard = client.rest().await;
        assert!(!alert || heard.as_bytes().starts_with(&[0x15, 3, 3]), "{heard:?}");
        assert_eq!(origin.rest().await, "", "{reason}");
    }
    // The right opening goes on unchanged, however slowly it comes.
    let good = hello::sample(Some("A.example"), &[(0xfe0d, &[0])], 7);
    let mut client = scene.client().await;
    client.say("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut origin = scene.accept().await;
    client.head().await;
    for byte in &good {
        client.0.write_all(&[*byte]).await.unwrap();
    }
    let mut heard = vec![0; good.len()];
    within(origin.0.read_exact(&mut heard)).await.unwrap();
    assert_eq!(heard, good);
    drop((client, origin));
    let last = scene.ends(5).await.pop().unwrap();
    assert_eq!((last.name.as_deref(), last.findings.len()), (Some("a.example"), 1));
    scene.close().await;
}

#[tokio::test]
async fn a_server_that_speaks_first_is_not_heard() {
    let scene = Scene::with(Rules { inspection: TLS_ONLY, ..Rules::default() }, Settings::default()).await;
    let mut client = scene.client().await;
    client.say("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut origin = scene.accept().await;
    origin.say("220 mail\r\n").await;
    client.head().await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "");
    assert_eq!(scene.ends(1).await[0].failure.as_deref(), Some("server-spoke-first"));
    drop(origin);
    scene.close().await;
}

#[tokio::test]
async fn a_new_policy_closes_the_tunnels_that_it_forbids() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut origin = scene.accept().await;
    client.head().await;
    origin.say("a").await;
    client.hears("a").await;
    scene.rules.changed.notify_one(); // still allowed
    origin.say("b").await;
    client.hears("b").await;
    scene.rules.forbidden.store(true, std::sync::atomic::Ordering::Relaxed);
    scene.rules.changed.notify_one();
    assert_eq!(client.rest().await, "");
    assert_eq!(scene.ends(1).await[0].end, Some(End::Ended));
    scene.close().await;
}

#[tokio::test]
async fn a_drain_cuts_tunnels_when_its_time_is_over_and_records_them() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say("CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let _origin = scene.accept().await;
    client.head().await;
    let rules = Arc::clone(&scene.rules);
    scene.shutdown.drain(Duration::ZERO).await;
    assert_eq!(client.rest().await, "");
    within(scene.serving).await.unwrap().unwrap();
    assert_eq!(rules.finished.lock().unwrap()[0].end, Some(End::Ended));
}
