//! Requests in plain HTTP: what reaches the origin, what comes back, and how what went wrong is told.

use aiva_chassis::shutdown::Drained;
use tokio::io::AsyncWriteExt as _;

use super::scene::{GET, Scene};

#[tokio::test]
async fn a_request_goes_on_clean_and_both_connections_serve_the_next() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say("GET http://A.example/x?y HTTP/1.1\r\nHost: evil\r\nVia: 1.1 x\r\nConnection: X-Role\r\nX-Role: a\r\nProxy-Authorization: Basic eDp5\r\nAccept: */*\r\n\r\n").await;
    let mut origin = scene.accept().await;
    origin.hears("GET /x?y HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n").await;
    origin.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAiva-Decision: deny\r\nConnection: keep-alive\r\n\r\nhi").await;
    client.hears("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    // Pipelined, and over the same connection to the origin.
    client.say(&GET.repeat(2)).await;
    for body in ["1", "2"] {
        origin.hears("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
        origin
            .say(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\n{body}\r\n0\r\nX: y\r\n\r\n"))
            .await;
        client.hears(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{body}\r\n0\r\n\r\n")).await;
    }
    let ends = scene.ends(3).await;
    assert!(ends.iter().all(|end| end.status == Some(200) && end.failure.is_none()));
    assert_eq!((ends[0].sent, ends[0].received), (0, 2));
    assert_eq!(scene.close().await, Drained::Clean);
}

#[tokio::test]
async fn bodies_are_framed_anew_in_both_directions() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client
        .say("POST http://a.example/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        .await;
    let mut origin = scene.accept().await;
    origin
        .hears("POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        .await;
    origin.say("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.hears("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.say("3\r\nabc\r\n0\r\n\r\n").await;
    origin.hears("3\r\nabc\r\n0\r\n\r\n").await;
    // An answer without a length ends with its connection, and the client's with it.
    origin.say("HTTP/1.0 200 OK\r\n\r\nsome").await;
    client.hears("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome").await;
    drop(origin);
    assert_eq!(client.rest().await, "");
    let mut client = scene.client().await;
    client.say("HEAD http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\nPOST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
    let mut origin = scene.accept().await;
    origin.hears("HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    origin.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").await;
    client.hears("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").await;
    origin.hears("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc").await;
    origin.say("HTTP/1.1 204 No Content\r\n\r\n").await;
    client.hears("HTTP/1.1 204 No Content\r\n\r\n").await;
    drop(client);
    assert_eq!(scene.close().await, Drained::Clean);
}

#[tokio::test]
async fn an_interim_answer_is_no_end() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say("POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n").await;
    let mut origin = scene.accept().await;
    origin.head().await;
    origin.say("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.hears("HTTP/1.1 100 Continue\r\n\r\n").await;
    client.say("x").await;
    origin.hears("x").await;
    drop(origin);
    let (status, decision, _) = client.refusal().await;
    assert_eq!(
        (status.as_str(), decision.as_str()),
        ("HTTP/1.1 502 Bad Gateway", "error; reason=origin-closed; id=0199")
    );
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_what_it_can_read() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say("GET http://a.example/ HTTP/1.0\r\n\r\n").await;
    let mut origin = scene.accept().await;
    origin.head().await;
    origin.say("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").await;
    assert_eq!(client.rest().await, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
    scene.close().await;
}

#[tokio::test]
async fn a_client_that_has_said_all_still_hears_its_answer() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say(GET).await;
    client.0.shutdown().await.unwrap();
    let mut origin = scene.accept().await;
    origin.hears("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    origin.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    client.hears("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    assert_eq!(client.rest().await, "");
    assert_eq!(scene.ends(1).await[0].failure, None);
}

#[tokio::test]
async fn a_stale_connection_costs_a_safe_request_nothing() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say(GET).await;
    let mut first = scene.accept().await;
    first.head().await;
    first.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    client.head().await;
    client.say(GET).await;
    // It closes with the request in its hands.
    first.head().await;
    drop(first);
    let mut second = scene.accept().await;
    second.head().await;
    second.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    assert!(client.head().await.starts_with("HTTP/1.1 200"));
    // What is not safe is not sent twice.
    client.say("POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").await;
    second.head().await;
    second.hears("x").await;
    drop(second);
    assert!(client.refusal().await.1.contains("origin-closed"));
    drop(client);
    scene.close().await;
}

#[tokio::test]
async fn a_refusal_is_legible_and_the_connection_goes_on() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    for (url, reason) in [
        ("http://denied.example/", "name-denied"),
        ("https://a.example/", "scheme"),
        ("http://user@a.example/", "credentials"),
        ("http://127.1/", "host-number"),
    ] {
        client.say(&format!("GET {url} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let (status, decision, body) = client.refusal().await;
        assert_eq!(status, "HTTP/1.1 403 Forbidden", "{url}");
        assert_eq!(decision, format!("deny; rule=test; reason={reason}; id=0199"));
        assert_eq!(body["code"], "egress_denied");
    }
    // A body that nobody will read is no next request.
    client.say("POST http://denied.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\n").await;
    client.say(GET).await;
    assert_eq!(client.refusal().await.0, "HTTP/1.1 403 Forbidden");
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "");
    // Nor is what follows a refused CONNECT.
    let mut client = scene.client().await;
    client.say(&format!("CONNECT denied.example:443 HTTP/1.1\r\nHost: a\r\n\r\n{GET}")).await;
    assert_eq!(client.refusal().await.0, "HTTP/1.1 403 Forbidden");
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "");
    assert_eq!(scene.finished().len(), 0);
    assert_eq!(scene.close().await, Drained::Clean);
}

#[tokio::test]
async fn malformed_bytes_end_the_connection_with_a_reason() {
    let scene = Scene::new().await;
    let rows = [
        ("GET http://a.example/ HTTP/1.1\nHost: a\n\n", "400", "bare-lf"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400", "origin-form"),
        (
            "POST http://a.example/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400",
            "length-and-encoding",
        ),
        (
            "POST http://a.example/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            "400",
            "chunk-size",
        ),
        (
            "GET http://a.example/ HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "403",
            "upgrade",
        ),
        ("\u{16}\u{3}\u{1}", "400", "tls-to-plain-port"),
    ];
    for (text, status, reason) in rows {
        let mut client = scene.client().await;
        client.say(text).await;
        client.0.shutdown().await.unwrap();
        let (line, decision, _) = client.refusal().await;
        assert!(
            line.contains(status) && decision.contains(&format!("reason={reason}")),
            "{line} {decision} for {text:?}"
        );
        assert_eq!(client.rest().await, "", "{text:?}");
    }
    let mut client = scene.client().await;
    client.say(&format!("GET http://a.example/ HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(70_000))).await;
    assert!(client.refusal().await.0.contains("431"));
    drop(client);
    scene.close().await;
}

#[tokio::test]
async fn the_origins_failures_are_told_apart_from_its_answers() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.say("GET http://a.example:81/ HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (status, decision, body) = client.refusal().await;
    assert_eq!(
        (status.as_str(), decision.as_str()),
        ("HTTP/1.1 502 Bad Gateway", "error; reason=connection-refused; id=0199")
    );
    assert!(body["detail"].as_str().unwrap().contains("http://a.example:81"), "{body}");
    let rows = [
        ("", "origin-closed"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "origin-length-and-encoding"),
        ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "origin-obs-fold"),
        ("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "origin-asked-for-proxy-credentials"),
        ("SSH-2.0-x\r\n\r\n", "origin-status-line"),
    ];
    for (answer, reason) in rows {
        let mut client = scene.client().await;
        client.say(GET).await;
        let mut origin = scene.accept().await;
        origin.head().await;
        origin.say(answer).await;
        drop(origin);
        let (status, decision, _) = client.refusal().await;
        assert_eq!(status, "HTTP/1.1 502 Bad Gateway");
        assert!(decision.contains(&format!("reason={reason}")), "{decision} for {answer:?}");
    }
    // An answer that breaks off must not look whole.
    let mut client = scene.client().await;
    client.say(GET).await;
    let mut origin = scene.accept().await;
    origin.head().await;
    origin.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
    client.hears("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
    drop(origin);
    assert_eq!(client.rest().await, "");
    let last = scene.ends(7).await.pop().unwrap();
    assert_eq!((last.status, last.failure.as_deref()), (Some(200), Some("origin-truncated")));
    scene.close().await;
}
