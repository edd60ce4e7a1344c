//! Fetches for callers of the API, from an origin on loopback.

use std::sync::{Arc, Mutex};

use aiva_chassis::http::Principal;
use aiva_egress::audit::Recorder;
use aiva_egress::decision::{Form, Outcome, Record};
use aiva_egress::http::{mcp, routes};
use aiva_egress::service::Guard;
use aiva_egress::store::Filter;
use aiva_outbound::resolve::Fixed;
use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use super::guard::egress;
use super::records::World;

mod tools;

/// Says what each path is for; what it was asked is told back by `/echo`.
async fn serve(mut stream: TcpStream, port: u16) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let text = String::from_utf8(head).unwrap();
    let path = text.split(' ').nth(1).unwrap().to_owned();
    let whole = |kind: &str, extra: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{extra}\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let to = |status: u16, place: &str| {
        format!("HTTP/1.1 {status} Moved\r\nLocation: {place}\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n")
            .into_bytes()
    };
    let answer = match path.as_str() {
        "/hello" => whole("text/plain; charset=utf-8", "Set-Cookie: a=1\r\nETag: \"1\"\r\n", "h\u{e9}llo".as_bytes()),
        "/echo" => whole("text/plain", "", text.as_bytes()),
        "/picture" => whole("image/png", "", b"\x89PNG\xff"),
        "/bomb" => whole("text/plain", "Content-Encoding: gzip\r\n", b"\x1f\x8b\x08\x00\xff\xff"),
        "/to-hello" => to(302, "/hello"),
        "/to-echo-elsewhere" => to(307, &format!("http://other.example.com:{port}/echo")),
        "/to-metadata" => to(302, "http://169.254.169.254/latest/meta-data/"),
        "/to-inside" => to(302, "http://inside.example.com/"),
        "/to-file" => to(302, "file:///etc/passwd"),
        "/circle" => to(302, "/circle"),
        "/slow" => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nx").await);
            std::future::pending::<()>().await;
            return;
        }
        "/drip" => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n").await);
            drop(stream.write_all(&[b'x'; 128 << 10]).await);
            std::future::pending::<()>().await;
            return;
        }
        "/silent" => return std::future::pending::<()>().await,
        "/endless" => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n").await);
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
            return;
        }
        "/broken" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".to_vec(),
        _ => b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nnone".to_vec(),
    };
    drop(stream.write_all(&answer).await);
}

/// A proxy that leads wherever it is asked to, which is here, and keeps what it was asked.
async fn chain(mut stream: TcpStream, port: u16, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let line = String::from_utf8(head).unwrap().lines().next().unwrap().to_owned();
    asked.lock().unwrap().push(line);
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    serve(stream, port).await;
}

struct Rig {
    world: World,
    recorder: Recorder,
    api: Router,
    port: u16,
    /// What the upstream was asked for.
    chained: Arc<Mutex<Vec<String>>>,
}

impl Rig {
    async fn new(fetch: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, port));
            }
        });
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream_port = upstream.local_addr().unwrap().port();
        let chained = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&chained);
        tokio::spawn(async move {
            while let Ok((stream, _)) = upstream.accept().await {
                tokio::spawn(chain(stream, port, Arc::clone(&asked)));
            }
        });
        let world = World::sqlite().await;
        let open = format!("{{ cidr = \"127.0.0.1/32:{port}\", owner = \"ana@example.com\", expires = 9999-01-31 }}");
        let text = format!(
            "[egress.fetch]\n{fetch}\n[egress.roles.agent]\nallow_domains = [\"*.example.com\"]\nallow_cidrs = [{open}]\n\
             [egress.roles.writer]\nmethods = [\"GET\", \"POST\"]\nallow_domains = [\"*.example.com\"]\nallow_cidrs = [{open}]\n\
             [egress.roles.small]\nallow_domains = [\"*.example.com\"]\nallow_cidrs = [{open}]\nbudgets = {{ requests = 1 }}\n\
             [egress.roles.eater]\nallow_domains = [\"*.example.com\"]\nallow_cidrs = [{open}]\nbudgets = {{ bytes = \"100KiB\" }}\n\
             [egress.roles.chained]\nallow_domains = [\"*.example.com\"]\nallow_cidrs = [{open}]\nupstream = \"corp\"\n\
             [egress.roles.told]\nmode = \"report\"\nmethods = [\"HEAD\"]\nallow_domains = [\"*.example.com\"]\nallow_cidrs = [{open}]\n\
             [egress.upstreams.corp]\nurl = \"http://127.0.0.1:{upstream_port}\"\n\
             [egress.roles.cut]\nallow_domains = [\"*.example.com\"]\nallow_cidrs = [{open}]\nupstream = \"gone\"\n\
             [egress.upstreams.gone]\nurl = \"http://127.0.0.1:1\"\n"
        );
        let config = egress(&text);
        let resolver: Arc<Fixed> = Arc::new(Fixed::new([
            ("origin.example.com", [127, 0, 0, 1].into()),
            ("other.example.com", [127, 0, 0, 1].into()),
            ("inside.example.com", [10, 0, 0, 1].into()),
        ]));
        let resolvers = Box::new(move |_: &[std::net::SocketAddr]| Arc::clone(&resolver) as Arc<_>);
        let (guard, _) = Guard::with_resolvers(config.clone(), world.shared(), resolvers).unwrap();
        let recorder = Recorder::default();
        let app = world.app_with(&guard, &recorder, config.fetch);
        let api = routes(app.clone()).merge(mcp::routes(app, [])).into_router();
        Self { world, recorder, api, port, chained }
    }

    fn at(&self, path: &str) -> String {
        format!("http://origin.example.com:{}{path}", self.port)
    }

    async fn post(
        &self,
        path: &str,
        who: Principal,
        headers: &[(&str, &str)],
        body: Value,
    ) -> (StatusCode, HeaderMap, Value) {
        let mut request = Request::builder().method("POST").uri(path).extension(who);
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let (parts, body) = self.api.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Fetches for the role `agent` unless the question says otherwise.
    async fn fetch(&self, asked: Value) -> (StatusCode, HeaderMap, Value) {
        let mut body = json!({ "role": "agent" });
        for (name, value) in asked.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.post("/v1/egress/fetches", Principal::internal("ana"), &[], body).await
    }

    /// All of them; the clock stands still, so that their order is any.
    async fn records(&self) -> Vec<Record> {
        self.world.drain(&self.recorder).await;
        self.world.store.list(Filter::default(), None, 100).await.unwrap()
    }
}

#[tokio::test]
async fn what_an_origin_says_is_told() {
    let rig = Rig::new("").await;
    let (status, _, got) = rig.fetch(json!({ "url": rig.at("/to-hello") })).await;
    assert_eq!(status, StatusCode::OK, "{got}");
    assert_eq!((&got["status"], &got["body"], &got["encoding"]), (&json!(200), &json!("h\u{e9}llo"), &json!("text")));
    assert_eq!((&got["url"], &got["truncated"], &got["bytes"]), (&json!(rig.at("/hello")), &json!(false), &json!(6)));
    assert_eq!(got["headers"]["etag"], "\"1\"");
    assert_eq!(got["headers"].get("set-cookie"), None);
    let hops = got["hops"].as_array().unwrap();
    assert_eq!(hops.iter().map(|hop| hop["status"].as_u64().unwrap()).collect::<Vec<_>>(), [302, 200]);
    let (_, _, picture) = rig.fetch(json!({ "url": rig.at("/picture") })).await;
    assert_eq!((&picture["encoding"], &picture["body"]), (&json!("base64"), &json!(STANDARD.encode(b"\x89PNG\xff"))));
    let (_, _, none) = rig.fetch(json!({ "url": rig.at("/nothing") })).await;
    assert_eq!((&none["status"], &none["body"]), (&json!(404), &json!("none")));
    let (_, _, redirect) = rig.fetch(json!({ "url": rig.at("/to-metadata"), "max_redirects": 0 })).await;
    assert_eq!(redirect["headers"]["location"], "http://169.254.169.254/latest/meta-data/");
    // Each hop is a record, linked to the one before.
    let records = rig.records().await;
    assert!(records.iter().all(|record| record.form == Form::Fetch && record.ended.is_some()));
    let of = |hop: &Value| records.iter().find(|record| json!(record.id) == hop["decision"]).unwrap();
    assert_eq!((of(&hops[0]).follows, of(&hops[1]).follows), (None, Some(of(&hops[0]).id)));
    assert_eq!(of(&hops[1]).ended.as_ref().map(|end| (end.status, end.received)), Some((Some(200), 6)));
}

#[tokio::test]
async fn what_the_policy_refuses_is_refused_at_every_hop() {
    let rig = Rig::new("").await;
    for (asked, reason) in [
        (json!({ "url": "http://169.254.169.254/" }), "address-metadata"),
        (json!({ "url": "http://inside.example.com/" }), "address-internal"),
        (json!({ "url": "http://elsewhere.example/" }), "name-not-allowed"),
        (json!({ "url": format!("http://origin.example.com:{}/", rig.port + 1) }), "port-not-allowed"),
        (json!({ "url": "http://a\\b.example.com" }), "backslash"),
        (json!({ "url": "file:///etc/passwd" }), "scheme"),
        (json!({ "url": rig.at("/to-metadata") }), "address-metadata"),
        (json!({ "url": rig.at("/to-inside") }), "address-internal"),
        (json!({ "url": rig.at("/to-file") }), "scheme"),
        (json!({ "url": rig.at("/circle") }), "redirects"),
        (json!({ "url": rig.at("/hello"), "method": "POST" }), "method-not-allowed"),
        (json!({ "url": rig.at("/hello"), "role": "default" }), "port-not-allowed"),
    ] {
        let (status, headers, problem) = rig.fetch(asked.clone()).await;
        assert_eq!((status, &problem["code"]), (StatusCode::FORBIDDEN, &json!("egress_denied")), "{asked}: {problem}");
        let decision = headers["aiva-decision"].to_str().unwrap();
        assert!(decision.contains(&format!("reason={reason};")), "{asked}: {decision}");
        assert_eq!(headers["content-type"], "application/problem+json");
    }
    let records = rig.records().await;
    let last = records.iter().filter(|record| record.outcome == Outcome::Deny && record.follows.is_some()).count();
    assert_eq!(last, 4, "the refused redirects follow what redirected");
}

#[tokio::test]
async fn bounds_hold_and_requests_only_lower_them() {
    let rig = Rig::new(
        "max_bytes = \"64KiB\"\ntimeout = \"5s\"\ncontent_types = [\"text/*\", \"image/*\"]\nmax_redirects = 2",
    )
    .await;
    for (asked, bytes) in [
        (json!({ "url": rig.at("/endless") }), 65_536),
        (json!({ "url": rig.at("/endless"), "max_bytes": 10_000_000 }), 65_536),
        (json!({ "url": rig.at("/endless"), "max_bytes": 10 }), 10),
    ] {
        let (status, _, got) = rig.fetch(asked.clone()).await;
        assert_eq!(
            (status, &got["bytes"], &got["truncated"]),
            (StatusCode::OK, &json!(bytes), &json!(true)),
            "{asked}"
        );
    }
    // The cut goes through a character, which is left out.
    let (_, _, got) = rig.fetch(json!({ "url": rig.at("/hello"), "max_bytes": 2 })).await;
    assert_eq!((&got["body"], &got["encoding"], &got["bytes"]), (&json!("h"), &json!("text"), &json!(2)));
    // What comes compressed stays as it is: nothing is unpacked here.
    let (_, _, bomb) = rig.fetch(json!({ "url": rig.at("/bomb") })).await;
    assert_eq!(
        (&bomb["bytes"], &bomb["encoding"], &bomb["headers"]["content-encoding"]),
        (&json!(6), &json!("base64"), &json!("gzip"))
    );
    for (asked, status, code) in [
        (json!({ "url": rig.at("/slow"), "timeout_ms": 200 }), StatusCode::GATEWAY_TIMEOUT, "fetch_timeout"),
        (json!({ "url": rig.at("/silent"), "timeout_ms": 200 }), StatusCode::GATEWAY_TIMEOUT, "fetch_timeout"),
        (
            json!({ "url": rig.at("/picture"), "content_types": ["text/html"] }),
            StatusCode::BAD_GATEWAY,
            "fetch_content_type",
        ),
        (json!({ "url": rig.at("/broken"), "content_types": [] }), StatusCode::BAD_GATEWAY, "fetch_content_type"),
        (json!({ "url": rig.at("/hello"), "role": "none" }), StatusCode::NOT_FOUND, "role_unknown"),
        (
            json!({ "url": rig.at("/hello"), "headers": { "Host": "a" } }),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_fields",
        ),
        (json!({ "url": rig.at("/hello"), "body": "x" }), StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields"),
        (json!({ "url": rig.at("/hello"), "max_redirects": 21 }), StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields"),
    ] {
        let (got, _, problem) = rig.fetch(asked.clone()).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{asked}: {problem}");
    }
    let mut failures: Vec<String> =
        rig.records().await.into_iter().filter_map(|record| record.ended?.failure).collect();
    failures.sort();
    assert_eq!(failures, ["content-type", "content-type", "timeout", "timeout"]);
}

#[tokio::test]
async fn only_what_describes_the_request_reaches_the_origin() {
    let rig = Rig::new("").await;
    let secret = json!({ "Authorization": "Bearer secret", "X-Mine": "1", "User-Agent": "agent/1" });
    let (_, _, got) = rig.fetch(json!({ "url": rig.at("/echo"), "headers": secret })).await;
    let sent = got["body"].as_str().unwrap().to_ascii_lowercase();
    for part in [
        "authorization: bearer secret",
        "x-mine: 1",
        "user-agent: agent/1",
        "accept-encoding: identity",
        "host: origin.example.com",
    ] {
        assert!(sent.contains(part), "{part} is not in {sent}");
    }
    // Secrets are for the place that they were given for.
    let (_, _, got) = rig.fetch(json!({ "url": rig.at("/to-echo-elsewhere"), "headers": secret })).await;
    let sent = got["body"].as_str().unwrap().to_ascii_lowercase();
    assert!(sent.contains("user-agent: agent/1") && !sent.contains("x-mine") && !sent.contains("secret"), "{sent}");
    let (status, _, got) =
        rig.fetch(json!({ "url": rig.at("/echo"), "method": "POST", "body": "hi", "role": "writer" })).await;
    assert_eq!(status, StatusCode::OK, "{got}");
    assert!(got["body"].as_str().unwrap().starts_with("POST /echo"), "{got}");
}

#[tokio::test]
async fn budgets_and_the_roles_of_fetches_are_kept() {
    let rig = Rig::new("roles = [\"agent\", \"small\"]").await;
    for (role, status) in [("small", 200), ("small", 429), ("agent", 200), ("default", 404)] {
        let (got, headers, problem) = rig.fetch(json!({ "url": rig.at("/hello"), "role": role })).await;
        assert_eq!(got.as_u16(), status, "{role}: {problem}");
        assert_eq!(headers.contains_key("retry-after"), status == 429, "{role}");
    }
}

#[tokio::test]
async fn who_goes_away_in_the_middle_has_used_what_came() {
    let rig = Rig::new("max_bytes = \"1MiB\"").await;
    // It takes longer than it may: what came until then counts.
    let slow = json!({ "url": rig.at("/drip"), "role": "eater", "timeout_ms": 2000 });
    assert_eq!(rig.fetch(slow).await.0, StatusCode::GATEWAY_TIMEOUT);
    let (status, headers, _) = rig.fetch(json!({ "url": rig.at("/hello"), "role": "eater" })).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(headers["aiva-decision"].to_str().unwrap().contains("reason=budget-bytes"));
    let ended = rig.records().await.into_iter().find_map(|record| record.ended).unwrap();
    assert_eq!((ended.failure.as_deref(), ended.received), (Some("timeout"), 128 << 10));
}

#[tokio::test]
async fn no_more_are_under_way_than_may_be_and_who_leaves_makes_room() {
    let rig = Rig::new("concurrent = 1").await;
    let hello = json!({ "url": rig.at("/hello") });
    {
        let mut silent = std::pin::pin!(rig.fetch(json!({ "url": rig.at("/silent") })));
        assert!(futures_util::poll!(silent.as_mut()).is_pending());
        let (status, headers, problem) = rig.fetch(hello.clone()).await;
        assert_eq!((status, headers.contains_key("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, true), "{problem}");
    }
    assert_eq!(rig.fetch(hello).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_role_with_an_upstream_goes_through_it_to_the_checked_address() {
    let rig = Rig::new("").await;
    let (status, _, got) = rig.fetch(json!({ "url": rig.at("/to-hello"), "role": "chained" })).await;
    assert_eq!((status, &got["body"]), (StatusCode::OK, &json!("h\u{e9}llo")), "{got}");
    let line = format!("CONNECT 127.0.0.1:{} HTTP/1.1", rig.port);
    assert_eq!(*rig.chained.lock().unwrap(), [line.clone(), line]);
    let ended: Vec<_> = rig.records().await.into_iter().map(|record| record.ended.unwrap().upstream).collect();
    assert_eq!(ended, [Some("corp".to_owned()), Some("corp".to_owned())]);
    // One that is not there is not taken for the origin.
    let (status, _, problem) = rig.fetch(json!({ "url": rig.at("/hello"), "role": "cut" })).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_GATEWAY, &json!("fetch_failed")), "{problem}");
    let failures: Vec<_> = rig.records().await.into_iter().filter_map(|record| record.ended?.failure).collect();
    assert_eq!(failures, ["upstream-unreachable"]);
}

#[tokio::test]
async fn a_role_that_only_tells_lets_reading_pass_and_writing_not() {
    let rig = Rig::new("").await;
    for (method, status) in [("GET", 200), ("HEAD", 200), ("POST", 403)] {
        let (got, _, answer) = rig.fetch(json!({ "url": rig.at("/hello"), "role": "told", "method": method })).await;
        assert_eq!(got.as_u16(), status, "{method}: {answer}");
    }
    let mut told: Vec<_> =
        rig.records().await.into_iter().map(|record| record.would_deny.map(|would| would.rule)).collect();
    told.sort();
    assert_eq!(told, [None, None, Some("methods".to_owned())]);
}
