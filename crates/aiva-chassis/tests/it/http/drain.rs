//! Going down: busy requests finish, idle connections and event streams do not hold it up.

use std::{sync::Arc, time::Duration};

use aiva_chassis::{
    http::{Routes, on, sse},
    shutdown::{Drained, Shutdown, Stage},
};
use axum::response::sse::Event;
use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

use super::{Server, stack};

const LONG: Duration = Duration::from_secs(600);

async fn until(stream: &mut TcpStream, mark: &str) -> String {
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(mark) {
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).await.unwrap();
        assert_ne!(length, 0, "closed before {mark}: {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&bytes[..length]);
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_drain() {
    let server = Server::start(stack(), Routes::new().route("GET", "/a", on("GET", || async { "a" }))).await;
    let mut used = server.connect().await;
    used.write_all(b"GET /a HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
    until(&mut used, "\r\n\r\na").await;
    let mut silent = server.connect().await; // has not even said which protocol it speaks
    assert_eq!(server.shutdown.drain(LONG).await, Drained::Clean);
    for stream in [&mut used, &mut silent] {
        let mut rest = Vec::new();
        let _closed_or_reset = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty());
    }
}

#[tokio::test]
async fn a_busy_request_is_answered_and_nobody_new_gets_in() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (their_entered, their_release) = (Arc::clone(&entered), Arc::clone(&release));
    let handler = move || {
        let (entered, release) = (Arc::clone(&their_entered), Arc::clone(&their_release));
        async move {
            entered.notify_one();
            release.notified().await;
            "finished"
        }
    };
    let server = Server::start(stack(), Routes::new().route("GET", "/busy", on("GET", handler))).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /busy HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
    entered.notified().await;
    let shutdown = server.shutdown.clone();
    let drain = tokio::spawn(async move { shutdown.drain(LONG).await });
    server.shutdown.stop(Stage::Edge).begun().await;
    release.notify_one();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap(); // and the connection is closed after it
    assert!(answer.ends_with("finished"), "{answer}");
    assert_eq!(drain.await.unwrap(), Drained::Clean);
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_at_the_deadline() {
    let entered = Arc::new(Notify::new());
    let theirs = Arc::clone(&entered);
    let handler = move || {
        theirs.notify_one();
        std::future::pending::<()>()
    };
    let server = Server::start(stack(), Routes::new().route("GET", "/stuck", on("GET", handler))).await;
    let mut stuck = server.connect().await;
    stuck.write_all(b"GET /stuck HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
    entered.notified().await;
    let drained = server.shutdown.drain(Duration::from_millis(100)).await;
    assert_eq!(drained.left(), ["connection"]);
    let mut rest = Vec::new();
    let _closed_or_reset = stuck.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn event_streams_end_with_the_process() {
    let shutdown = Shutdown::new();
    let stop = shutdown.stop(Stage::Edge);
    let events = move || {
        let stop = stop.clone();
        async move { sse::stream(&stop, stream::iter([Event::default().data("first")]).chain(stream::pending())) }
    };
    let server = Server::start(stack(), Routes::new().route("GET", "/events", on("GET", events))).await;
    let mut reader = server.connect().await;
    reader.write_all(b"GET /events HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
    let head = until(&mut reader, "data: first").await;
    assert!(head.contains("text/event-stream") && head.contains("x-accel-buffering: no"), "{head}");
    assert_eq!(shutdown.drain(LONG).await, Drained::Clean);
    assert_eq!(server.shutdown.drain(LONG).await, Drained::Clean);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("0\r\n\r\n"), "the stream was cut, not ended: {rest:?}");
}
