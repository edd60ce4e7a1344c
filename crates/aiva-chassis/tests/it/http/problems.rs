//! Every refusal is a problem, whoever refuses.

use std::{io, time::Duration};

use aiva_chassis::{
    http::{ApiError, Json, Limits, Routes, on},
    panic,
    telemetry::metrics::metrics,
};
use axum::body::Body;
use futures_util::stream;
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Server, guarded, guests, impatient, stack};

fn routes() -> Routes {
    Routes::new()
        .route("GET", "/v1/things/{id}", on("GET", guarded))
        .route("GET", "/broken", on("GET", || async { broken() }))
        .route("GET", "/stuck", on("GET", std::future::pending::<()>))
        .route("GET", "/broken-body", on("GET", broken_body))
        .route("POST", "/slow", on("POST", |Json(n): Json<Vec<u8>>| async move { n.len().to_string() }))
        .route("GET", "/bare", on("GET", || async { StatusCode::CONFLICT }))
        .route(
            "GET",
            "/hint",
            on("GET", || async { ApiError::conflict("no_index", "no index").with_hint("import one") }),
        )
        .route("GET", "/inner", on("GET", || async { ApiError::internal("secret database name") }))
        .route("POST", "/json", on("POST", |Json(n): Json<Vec<u8>>| async move { n.len().to_string() }))
}

async fn broken_body() -> Body {
    Body::from_stream(stream::once(async { Ok::<_, io::Error>(broken()) }))
}

fn broken() -> &'static str {
    panic::provoke("the invariant that must not be seen")
}

async fn server() -> Server {
    let stack = stack()
        .authenticator(guests())
        .limits(Limits { timeout: Duration::from_secs(60), body: 1000 })
        .limits_for("/stuck", impatient(Duration::from_millis(20)))
        .limits_for("/slow", impatient(Duration::from_millis(20)));
    Server::start(stack, routes()).await
}

#[tokio::test]
async fn every_refusal_is_a_problem_with_a_code_and_the_request_id() {
    let server = server().await;
    let chunked = format!("{:x}\r\n{}\r\n0\r\n\r\n", 2000, " ".repeat(2000));
    let json = "Content-Type: application/json\r\n";
    let gzip = "Content-Encoding: gzip\r\n";
    let rows: Vec<(String, u16, &str)> = vec![
        ("GET /nowhere HTTP/1.1\r\n{close}\r\n".into(), 404, "no_such_route"),
        ("PUT /broken HTTP/1.1\r\n{close}\r\n".into(), 405, "method_not_allowed"),
        ("BREW /broken HTTP/1.1\r\n{close}\r\n".into(), 405, "method_not_allowed"),
        ("GET /broken HTTP/1.1\r\n{close}\r\n".into(), 500, "internal"),
        ("GET /inner HTTP/1.1\r\n{close}\r\n".into(), 500, "internal"),
        ("GET /stuck HTTP/1.1\r\n{close}\r\n".into(), 504, "timed_out"),
        // a client that promises a body and keeps it back
        (format!("POST /slow HTTP/1.1\r\n{{close}}{json}Content-Length: 9\r\n\r\n[1,"), 504, "timed_out"),
        ("GET /bare HTTP/1.1\r\n{close}\r\n".into(), 409, "refused"),
        ("GET /v1/things/7 HTTP/1.1\r\n{close}\r\n".into(), 401, "unauthenticated"),
        ("GET /v1/things/7 HTTP/1.1\r\n{close}Authorization: Bearer forged\r\n\r\n".into(), 401, "invalid_credentials"),
        ("GET /v1/things/7 HTTP/1.1\r\n{close}Authorization: Bearer nothing\r\n\r\n".into(), 403, "forbidden"),
        (format!("POST /json HTTP/1.1\r\n{{close}}{json}Content-Length: 99999999999\r\n\r\n"), 413, "body_too_large"),
        (
            format!("POST /json HTTP/1.1\r\n{{close}}{json}Transfer-Encoding: chunked\r\n\r\n{chunked}"),
            413,
            "body_too_large",
        ),
        (format!("POST /json HTTP/1.1\r\n{{close}}{json}Content-Length: 7\r\n\r\n[1,300]"), 422, "body_invalid"),
        ("POST /json HTTP/1.1\r\n{close}Content-Length: 2\r\n\r\n[]".into(), 415, "unsupported_media_type"),
        (format!("POST /json HTTP/1.1\r\n{{close}}{json}{gzip}Content-Length: 2\r\n\r\n[]"), 400, "body_not_gzip"),
        (
            format!("POST /json HTTP/1.1\r\n{{close}}{json}Content-Encoding: br\r\nContent-Length: 2\r\n\r\n[]"),
            415,
            "unsupported_coding",
        ),
    ];
    for (request, status, code) in rows {
        let answer = server.ask(&request).await;
        assert_eq!((answer.status, answer.problem().code.as_str()), (status, code), "{request}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{request}");
        for inner in ["invariant", "secret database"] {
            assert!(!answer.body.contains(inner), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_panic_is_counted_by_route_and_the_next_request_is_served() {
    let server = server().await;
    let count = || metrics().panics("request", "GET /broken").get();
    let before = count();
    assert_eq!(server.ask("GET /broken HTTP/1.1\r\n{close}\r\n").await.status, 500);
    assert!(count() > before);
    let allowed = "GET /v1/things/7 HTTP/1.1\r\n{close}Authorization: Bearer things\r\n\r\n";
    let answer = server.ask(allowed).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "guest-1"));
}

#[tokio::test]
async fn a_body_that_panics_while_it_is_sent_ends_its_connection_only() {
    let server = server().await;
    let count = || metrics().panics("request", "body").get();
    let before = count();
    let mut stream = server.connect().await;
    stream.write_all(b"GET /broken-body HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _closed_or_reset = stream.read_to_end(&mut rest).await;
    assert!(count() > before);
    assert_eq!(server.ask("GET /bare HTTP/1.1\r\n{close}\r\n").await.status, 409);
}

#[tokio::test]
async fn refusals_carry_the_headers_that_their_status_asks_for() {
    let server = server().await;
    assert_eq!(server.ask("PUT /broken HTTP/1.1\r\n{close}\r\n").await.header("allow"), "GET,HEAD");
    let unknown = server.ask("GET /v1/things/7 HTTP/1.1\r\n{close}\r\n").await;
    assert_eq!(unknown.header("www-authenticate"), "Bearer realm=\"aiva\"");
}

#[tokio::test]
async fn hints_are_for_operators() {
    let server = server().await;
    for (header, seen) in
        [("", false), ("Authorization: Bearer things\r\n", false), ("Authorization: Bearer all\r\n", true)]
    {
        let answer = server.ask(&format!("GET /hint HTTP/1.1\r\n{{close}}{header}\r\n")).await;
        assert_eq!(answer.problem().hint.is_some(), seen, "{header}");
    }
}
