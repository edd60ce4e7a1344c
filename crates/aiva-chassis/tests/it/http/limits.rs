//! What strangers cannot use up.

use std::{net::SocketAddr, time::Duration};

use aiva_chassis::{
    config::{Leaf, types::Network},
    http::{ListenLimits, Listener, Rate, Rates, Routes, on},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Server, stack};

fn hello() -> Routes {
    Routes::new().route("GET", "/hello", on("GET", || async { "hello" }))
}

async fn hurried(limits: ListenLimits) -> Server {
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    Server::run(Listener::bind(any).await.unwrap().limits(limits), stack(), hello())
}

#[tokio::test]
async fn a_client_that_stalls_is_cut_off() {
    let server = hurried(ListenLimits { header_timeout: Duration::from_millis(50), ..ListenLimits::default() }).await;
    for start in ["", "G", "GET /hello HTTP/1.1\r\nHost: t\r\nX-Slow: ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _closed_or_reset = stream.read_to_end(&mut rest).await; // ends only because the server ends it
        assert!(!String::from_utf8_lossy(&rest).contains("hello"), "{start}");
    }
    assert_eq!(server.ask("GET /hello HTTP/1.1\r\n{close}\r\n").await.body, "hello");
}

#[tokio::test]
async fn more_connections_than_seats_wait_for_one() {
    let server = hurried(ListenLimits { connections: 1, ..ListenLimits::default() }).await;
    let mut first = server.connect().await;
    first.write_all(b"GET /hello HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap(); // the only seat is taken, and kept alive
    let mut second = server.connect().await;
    second.write_all(b"GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut early = [0];
    let early = futures_util::FutureExt::now_or_never(second.read(&mut early));
    assert!(early.is_none(), "answered without a seat");
    drop(first);
    let mut rest = String::new();
    second.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with("hello"), "{rest}");
}

#[tokio::test]
async fn a_client_over_its_rate_is_told_when_to_come_back() {
    let rates = Rates { client: Rate::new(1, 2), ..Rates::default() };
    let trusted = Network::from_text("127.0.0.1").unwrap();
    let server = Server::start(stack().rates(rates).trusted_proxies([trusted]), hello()).await;
    let from = |client: &str| format!("GET /hello HTTP/1.1\r\n{{close}}X-Forwarded-For: {client}\r\n\r\n");
    for (client, status) in [("192.0.2.1", 200), ("192.0.2.1", 200), ("192.0.2.1", 429), ("192.0.2.2", 200)] {
        let answer = server.ask(&from(client)).await;
        assert_eq!(answer.status, status, "{client}");
        if status == 429 {
            assert_eq!(answer.problem().code, "too_many_requests");
            assert_eq!(answer.header("retry-after"), "1");
        }
    }
}

#[tokio::test]
async fn odd_bytes_are_refused_or_carried_and_never_a_panic() {
    let _watch = aiva_chassis::panic::watch();
    let server = hurried(ListenLimits::default()).await;
    let big = format!("GET /hello HTTP/1.1\r\n{{close}}X-Big: {}\r\n\r\n", "a".repeat(200_000));
    assert_eq!(server.ask(&big).await.status, 431);
    for (request, status) in [
        (&b"GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\nUser-Agent: \xff\xfe\r\nX-Request-Id: \xff\r\n\r\n"[..], 200),
        (b"GET /hello?q=%ff%fe HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", 200),
        (b"GET /%ff HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", 404),
        (b"GET /hello HTTP/1.1\r\nHost: t\r\nBad Header\x00: x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS on a plain port\r\n\r\n", 400),
    ] {
        assert_eq!(server.ask_bytes(request).await.status, status, "{}", String::from_utf8_lossy(request));
    }
}
