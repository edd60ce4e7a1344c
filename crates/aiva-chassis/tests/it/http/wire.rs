//! Ids, traces, headers, other sites, the access log and the metrics.

use std::{
    io,
    sync::{Arc, Mutex},
};

use aiva_chassis::{
    config::{Leaf, types::Network},
    http::{
        AccessLog, Context, Cors, Principal, Routes,
        access::Format,
        context::{self, TRACEPARENT},
        on,
    },
    telemetry::metrics::metrics,
};
use axum::body::Body;
use futures_util::FutureExt;
use http::{HeaderMap, Request};
use tower::ServiceExt;

use super::{Server, guarded, guests, stack};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn read(&self, log: &AccessLog) -> Vec<serde_json::Value> {
        log.flush();
        let bytes = self.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Says what it knows of its request, and that code further in knows the same.
async fn whoami(Context(given): Context) -> String {
    let found = context::current().unwrap();
    assert!(Arc::ptr_eq(&given, &found));
    let mut headers = HeaderMap::new();
    found.propagate(&mut headers);
    format!("{} {} {}", found.request_id(), found.correlation_id(), headers[TRACEPARENT].to_str().unwrap())
}

fn routes() -> Routes {
    Routes::new()
        .route("GET", "/wire/{name}", on("GET", whoami))
        .route("GET", "/wire-guarded", on("GET", guarded))
        .route("GET", "/wire-stuck", on("GET", std::future::pending::<()>))
}

#[tokio::test]
async fn ids_and_traces_come_in_and_go_out() {
    let server = Server::start(stack(), routes()).await;
    let sent = "X-Request-Id: mine-1\r\nX-Correlation-Id: order-7\r\n\
        traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let answer = server.ask(&format!("GET /wire/a HTTP/1.1\r\n{{close}}{sent}\r\n")).await;
    assert_eq!((answer.header("x-request-id"), answer.header("x-correlation-id")), ("mine-1", "order-7"));
    assert!(answer.body.starts_with("mine-1 order-7 00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{}", answer.body);
    assert!(!answer.body.contains("00f067aa0ba902b7") && answer.body.ends_with("-01"), "{}", answer.body);
    assert!(answer.body.ends_with(answer.header("traceresponse")));

    for odd in ["", "X-Request-Id: a b\r\n", "X-Request-Id: <script>\r\n"] {
        let answer = server.ask(&format!("GET /wire/a HTTP/1.1\r\n{{close}}{odd}\r\n")).await;
        let id = answer.header("x-request-id");
        assert!(uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 7), "{id}");
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let server = Server::start(stack(), routes()).await;
    let answer = server.ask("GET /wire/a HTTP/1.1\r\n{close}\r\n").await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("x-xss-protection", "0"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    ] {
        assert_eq!(answer.header(name), value);
    }
    assert!(!answer.headers.contains_key("strict-transport-security"), "HSTS over plain HTTP");
}

#[tokio::test]
async fn only_listed_sites_may_read_answers() {
    let cors = Cors::allow(["https://console.example.com"]).unwrap();
    let server = Server::start(stack().cors(cors).authenticator(guests()), routes()).await;
    for (origin, granted) in
        [("https://console.example.com", true), ("https://evil.example.com", false), ("null", false)]
    {
        let plain = server.ask(&format!("GET /wire/a HTTP/1.1\r\n{{close}}Origin: {origin}\r\n\r\n")).await;
        let asks = format!(
            "OPTIONS /wire-guarded HTTP/1.1\r\n{{close}}Origin: {origin}\r\nAccess-Control-Request-Method: GET\r\n\r\n"
        );
        let preflight = server.ask(&asks).await;
        assert_eq!(preflight.status, 204);
        for answer in [&plain, &preflight] {
            let allowed = answer.headers.get("access-control-allow-origin").map(String::as_str);
            assert_eq!(allowed, granted.then_some(origin), "{answer:?}");
            assert_eq!(answer.header("vary"), "origin");
            assert!(!answer.headers.contains_key("access-control-allow-credentials"));
        }
        assert_eq!(preflight.headers.contains_key("access-control-allow-methods"), granted);
    }
}

#[tokio::test]
async fn the_access_log_names_the_template_and_the_real_caller_and_no_secret() {
    let lines = Lines::default();
    let log = AccessLog::start(Format::Json, lines.clone()).unwrap();
    let trusted = Network::from_text("127.0.0.0/8").unwrap();
    let stack = stack().access_log(log.clone()).trusted_proxies([trusted]).authenticator(guests());
    let server = Server::start(stack, routes()).await;
    let headers = "X-Forwarded-For: 198.51.100.1, 203.0.113.7\r\nUser-Agent: quo\"te\\ ana@example.com\r\nCookie: sid=hidden\r\n\
        Authorization: Bearer things\r\n";
    server.ask(&format!("GET /wire/ana@example.com?token=hidden HTTP/1.1\r\n{{close}}{headers}\r\n")).await;
    server.ask("GET /no/such/path HTTP/1.1\r\n{close}\r\n").await;
    let lines = lines.read(&log);
    assert_eq!(lines.len(), 2, "{lines:?}");
    let (first, second) = (&lines[0], &lines[1]);
    assert_eq!((&first["route"], &first["status"]), (&"/wire/{name}".into(), &200.into()));
    assert_eq!((&first["client"], &first["principal"]), (&"203.0.113.7".into(), &"guest-1".into()));
    assert_eq!(first["user_agent"], "quo\"te\\ [redacted]");
    assert_eq!((&second["route"], &second["status"]), (&"unmatched".into(), &404.into()));
    let all = format!("{lines:?}");
    assert!(!all.contains("hidden") && !all.contains("ana@") && !all.contains("no/such"), "{all}");
}

#[tokio::test]
async fn a_caller_that_goes_away_is_counted_and_logged_once() {
    let lines = Lines::default();
    let log = AccessLog::start(Format::Json, lines.clone()).unwrap();
    let router = stack().access_log(log.clone()).around(routes());
    let request = Request::get("/wire-stuck").body(Body::empty()).unwrap();
    let mut waiting = Box::pin(router.oneshot(request));
    assert!((&mut waiting).now_or_never().is_none());
    drop(waiting);
    let lines = lines.read(&log);
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["status"], &lines[0]["route"]), (&499.into(), &"/wire-stuck".into()));
}

#[tokio::test]
async fn metrics_are_by_template() {
    let server = Server::start(stack(), routes()).await;
    server.ask("GET /wire/metric-1 HTTP/1.1\r\n{close}\r\n").await;
    server.ask("GET /wire-metric-2 HTTP/1.1\r\n{close}\r\n").await;
    let text = metrics().encode().unwrap();
    assert!(text.contains("aiva_http_requests_total{method=\"GET\",route=\"/wire/{name}\",status=\"2xx\"}"), "{text}");
    assert!(text.contains("route=\"unmatched\",status=\"4xx\"") && !text.contains("metric-"), "{text}");
}

#[tokio::test]
async fn a_call_inside_the_process_keeps_its_principal() {
    let router = stack().authenticator(guests()).around(routes());
    let mut request = Request::get("/wire-guarded").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Principal::internal("console"));
    assert_eq!(router.clone().oneshot(request).await.unwrap().status(), 200);
    let nobody = Request::get("/wire-guarded").body(Body::empty()).unwrap();
    assert_eq!(router.oneshot(nobody).await.unwrap().status(), 401);
}
