//! What ends a connection before its time: bounds, a drain, a panic, and a client that leaves.

use std::time::Duration;

use aiva_chassis::shutdown::Drained;
use aiva_egress::proxy::Settings;
use aiva_egress::proxy::judge::Bounds;
use aiva_egress::proxy::limits::Most;
use tokio::io::AsyncWriteExt as _;

use super::scene::{GET, Rules, Scene, within};

#[tokio::test]
async fn connections_are_bounded_in_number_and_time() {
    let most = Most { connections: 2, per_source: 1, head_bytes: 0 };
    let settings = Settings { most, head_timeout: Duration::from_millis(500), ..Settings::default() };
    let scene = Scene::with(Rules::default(), settings).await;
    let mut slow = scene.client().await;
    slow.say("GET http://a.example/ HTT").await;
    let mut second = scene.client().await;
    assert!(second.refusal().await.1.contains("reason=source-limit"));
    let (status, decision, _) = slow.refusal().await;
    assert_eq!((status.as_str(), decision.as_str()), ("HTTP/1.1 408 Request Timeout", "error; reason=head-timeout"));
    slow.0.shutdown().await.unwrap();
    assert_eq!(slow.rest().await, "");
    drop((slow, second));
    scene.close().await;
}

#[tokio::test]
async fn time_and_size_of_answers_are_bounded() {
    let bounds = Bounds { first_byte: Duration::from_millis(20), ..Bounds::default() };
    let scene = Scene::with(Rules { bounds: Some(bounds), ..Rules::default() }, Settings::default()).await;
    let mut client = scene.client().await;
    client.say(GET).await;
    let mut origin = scene.accept().await;
    origin.head().await;
    let (status, decision, _) = client.refusal().await;
    assert_eq!(
        (status.as_str(), decision.as_str()),
        ("HTTP/1.1 504 Gateway Timeout", "error; reason=origin-timeout; id=0199")
    );
    drop((client, origin));
    scene.close().await;
    let bounds = Bounds { bytes: 10, ..Bounds::default() };
    let scene = Scene::with(Rules { bounds: Some(bounds), ..Rules::default() }, Settings::default()).await;
    let mut client = scene.client().await;
    client.say(GET).await;
    let mut origin = scene.accept().await;
    origin.head().await;
    origin.say("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n").await;
    client.head().await;
    origin.say("12345678").await;
    client.hears("12345678").await;
    client.say(GET).await;
    origin.head().await;
    origin.say("HTTP/1.1 200 OK\r\n\r\n").await;
    client.head().await;
    origin.say("12345678901").await;
    assert_ne!(client.rest().await.len(), 11);
    // What is known when the head comes is said in a word: with the whole body behind it, or announced.
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n12345678901",
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n12345678901",
    ] {
        let mut client = scene.client().await;
        client.say(GET).await;
        let mut origin = scene.accept().await;
        origin.head().await;
        origin.say(answer).await;
        let (status, decision, _) = client.refusal().await;
        assert!(status.contains("502") && decision.contains("answer-too-large"), "{answer}: {status} {decision}");
    }
    for ended in scene.ends(5).await.drain(1..) {
        assert_eq!(ended.failure.as_deref(), Some("answer-too-large"));
    }
    scene.close().await;
}

#[tokio::test]
async fn a_drain_ends_the_waiting_at_once_and_lets_the_busy_finish() {
    let scene = Scene::new().await;
    let (mut waiting, mut busy) = (scene.client().await, scene.client().await);
    busy.say(GET).await;
    let mut origin = scene.accept().await;
    origin.head().await;
    let shutdown = scene.shutdown.clone();
    let draining = tokio::spawn(async move { shutdown.drain(Duration::from_secs(20)).await });
    assert_eq!(waiting.rest().await, "");
    origin.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    assert!(busy.rest().await.ends_with("\r\n\r\nhi"));
    assert_eq!(draining.await.unwrap(), Drained::Clean);
    within(scene.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_panic_ends_one_connection() {
    let scene = Scene::with(Rules { panics: true, ..Rules::default() }, Settings::default()).await;
    let (mut good, mut bad) = (scene.client().await, scene.client().await);
    bad.say("GET http://panic.example/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(bad.rest().await, "");
    good.say("GET http://denied.example/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(good.refusal().await.0.contains("403"));
    drop(good);
    scene.close().await;
}

#[tokio::test]
async fn a_client_that_has_left_is_not_waited_for() {
    let scene = Scene::new().await;
    let client = scene.client().await;
    let mut left = client;
    left.say(GET).await;
    let mut origin = scene.accept().await;
    origin.hears("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    // Unread bytes make the close a reset: the client is gone for certain.
    left.0.set_zero_linger().unwrap();
    drop(left);
    assert_eq!(origin.rest().await, "", "the request to the origin is given up");
    let ends = scene.ends(1).await;
    assert_eq!((ends[0].failure.as_deref(), ends[0].status), (Some("client-gone"), None));
}

#[tokio::test]
async fn a_client_that_leaves_before_there_is_a_connection_is_not_waited_for() {
    let scene = Scene::new().await;
    for asked in
        ["GET http://a.example:82/ HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a.example:82 HTTP/1.1\r\nHost: a\r\n\r\n"]
    {
        let before = scene.rules.sources.lock().unwrap().len();
        let mut left = scene.client().await;
        left.say(asked).await;
        within(async {
            while scene.rules.sources.lock().unwrap().len() == before {
                tokio::task::yield_now().await;
            }
        })
        .await;
        left.0.set_zero_linger().unwrap();
    }
    let ends = scene.ends(2).await;
    assert!(ends.iter().all(|end| end.failure.as_deref() == Some("client-gone")), "{ends:?}");
}
