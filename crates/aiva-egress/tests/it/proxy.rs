//! The proxy over real sockets on loopback: what goes through, what does not, and what is left afterwards.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aiva_chassis::shutdown::{Drained, Shutdown, Stage};
use aiva_egress::proxy::answer::Answer;
use aiva_egress::proxy::judge::{Allowed, Ask, Bounds, Dial, Finished, Judge, Permit, Presented, Ruling};
use aiva_egress::proxy::limits::Most;
use aiva_egress::proxy::{Balancers, Listen, Proxy, Settings};
use aiva_egress::tunnel::hello;
use aiva_egress::tunnel::inspect::{Inspection, Level};
use aiva_egress::tunnel::relay::End;
use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Allows every host that does not start with `denied`, notes who asked and how it ended.
#[derive(Default)]
struct Rules {
    forbidden: std::sync::atomic::AtomicBool,
    changed: Notify,
    finished: Mutex<Vec<Finished>>,
    sources: Mutex<Vec<Option<SocketAddr>>>,
    inspection: Inspection,
    bounds: Option<Bounds>,
    panics: bool,
}

struct Judged(Arc<Rules>);

struct Allowance(Arc<Rules>);

#[async_trait]
impl Judge for Judged {
    async fn judge(&self, who: Presented<'_>, ask: Ask<'_>) -> Ruling {
        assert!(!self.0.panics || !ask.text.contains("panic"), "the judge was asked to panic");
        self.0.sources.lock().unwrap().push(who.peer.address);
        let refuse =
            |reason: &str| Ruling::Refuse(Box::new(Answer::denied("test", reason, "0199", "not allowed".to_owned())));
        let target = match ask.target {
            Ok(target) => target,
            Err(reason) => return refuse(reason.name()),
        };
        if target.host().to_string().starts_with("denied") {
            return refuse("name-denied");
        }
        Ruling::Allow(Box::new(Allowed {
            role: Arc::from("test"),
            connect_to: vec![SocketAddr::from(([192, 0, 2, 1], target.port()))],
            upstream: None,
            target: Arc::new(target),
            bounds: self.0.bounds.unwrap_or_default(),
            inspection: self.0.inspection,
            permit: Arc::new(Allowance(Arc::clone(&self.0))),
        }))
    }

    async fn changed(&self, since: u64) -> u64 {
        self.0.changed.notified().await;
        since + 1
    }
}

impl Permit for Allowance {
    fn id(&self) -> String {
        "0199".to_owned()
    }

    fn holds(&self, _connected: SocketAddr) -> bool {
        !self.0.forbidden.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn allows_name(&self, _name: &str) -> bool {
        true
    }

    fn finish(&self, finished: &Finished) {
        self.0.finished.lock().unwrap().push(finished.clone());
    }
}

/// Connects everybody to one origin on loopback; port 81 refuses, port 82 never answers.
struct ToOrigin(SocketAddr);

#[async_trait]
impl Dial for ToOrigin {
    #[expect(clippy::disallowed_methods, reason = "the test's own origin on loopback")]
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        if address.port() == 81 {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if address.port() == 82 {
            std::future::pending::<()>().await;
        }
        TcpStream::connect(self.0).await
    }
}

/// A proxy in front of one origin.
struct Scene {
    proxy: SocketAddr,
    origin: TcpListener,
    rules: Arc<Rules>,
    shutdown: Shutdown,
    serving: JoinHandle<io::Result<()>>,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Rules::default(), Settings::default()).await
    }

    async fn with(rules: Rules, settings: Settings) -> Self {
        let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rules = Arc::new(rules);
        let dial = Arc::new(ToOrigin(origin.local_addr().unwrap()));
        let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls: None };
        let proxy = Proxy::bind(settings, vec![listen], Arc::new(Judged(Arc::clone(&rules))), dial).unwrap();
        let (address, shutdown) = (proxy.addresses()[0], Shutdown::new());
        let serving = tokio::spawn(proxy.serve(shutdown.stop(Stage::Edge)));
        // The listener is there from the first poll of the server.
        tokio::task::yield_now().await;
        Self { proxy: address, origin, rules, shutdown, serving }
    }

    #[expect(clippy::disallowed_methods, reason = "the test's own proxy on loopback")]
    async fn client(&self) -> Wire {
        Wire(TcpStream::connect(self.proxy).await.unwrap())
    }

    async fn accept(&self) -> Wire {
        Wire(within(self.origin.accept()).await.unwrap().0)
    }

    fn finished(&self) -> Vec<Finished> {
        self.rules.finished.lock().unwrap().clone()
    }

    /// Waits until so many have finished.
    async fn ends(&self, count: usize) -> Vec<Finished> {
        within(async {
            while self.finished().len() < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
        self.finished()
    }

    async fn close(self) -> Drained {
        let drained = self.shutdown.drain(Duration::from_secs(20)).await;
        self.serving.await.unwrap().unwrap();
        drained
    }
}

/// Fails instead of hanging.
async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it hangs")
}

/// One end of a connection that speaks in text.
struct Wire(TcpStream);

impl Wire {
    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads exactly this.
    #[track_caller]
    fn hears(&mut self, text: &str) -> impl Future<Output = ()> {
        let want = text.to_owned();
        async move {
            let mut got = vec![0; want.len()];
            if within(self.0.read_exact(&mut got)).await.is_err() {
                panic!("the connection ended before {want:?}");
            }
            assert_eq!(String::from_utf8_lossy(&got), want);
        }
    }

    /// Reads a head.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(self.0.read_u8()).await.expect("the connection ended within a head"));
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads all there is.
    async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _end = within(self.0.read_to_end(&mut rest)).await;
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Reads one of the proxy's own answers: its status line, decision and body.
    async fn refusal(&mut self) -> (String, String, serde_json::Value) {
        let head = self.head().await;
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        let mut body = vec![0; field("Content-Length: ").parse().unwrap()];
        within(self.0.read_exact(&mut body)).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap();
        (head.lines().next().unwrap().to_owned(), field("Aiva-Decision: "), body)
    }
}

const GET: &str = "GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n";

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
async fn a_balancer_says_for_whom_it_calls_and_must_say_so() {
    let balancers = Balancers(vec!["127.0.0.0/8".parse().unwrap()]);
    let scene = Scene::with(Rules::default(), Settings { balancers, ..Settings::default() }).await;
    let mut client = scene.client().await;
    client
        .say("PROXY TCP4 198.51.100.7 127.0.0.1 5000 4750\r\nGET http://denied.example/ HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert!(client.refusal().await.0.contains("403"));
    assert_eq!(*scene.rules.sources.lock().unwrap(), [Some("198.51.100.7:5000".parse().unwrap())]);
    let mut bare = scene.client().await;
    bare.say(GET).await;
    assert_eq!(bare.rest().await, "");
    assert_eq!(scene.rules.sources.lock().unwrap().len(), 1);
    drop(client);
    scene.close().await;
}

#[tokio::test]
async fn socks_is_served_with_names_that_are_judged_here() {
    let scene = Scene::new().await;
    let ask = |name: &str| [&[5, 1, 0, 5, 1, 0, 3, name.len() as u8][..], name.as_bytes(), &[1, 187]].concat();
    let mut client = scene.client().await;
    client.0.write_all(&ask("a.example")).await.unwrap();
    client.0.write_all(b"early").await.unwrap();
    let mut origin = scene.accept().await;
    let mut heard = [0; 12];
    within(client.0.read_exact(&mut heard)).await.unwrap();
    assert_eq!(heard, [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    origin.hears("early").await;
    origin.say("hello").await;
    client.hears("hello").await;
    drop((client, origin));
    assert_eq!(scene.ends(1).await[0].sent, 5);
    for name in ["denied.example", "a.example\0.b.example", "127.1"] {
        let mut client = scene.client().await;
        client.0.write_all(&ask(name)).await.unwrap();
        client.0.shutdown().await.unwrap();
        let mut heard = Vec::new();
        within(client.0.read_to_end(&mut heard)).await.unwrap();
        assert_eq!(heard, [5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0], "{name}");
    }
    let mut client = scene.client().await;
    // A password is heard out, UDP is not served.
    client.0.write_all(&[5, 2, 0, 2, 1, 1, b'a', 1, b'b', 5, 3, 0, 1, 10, 0, 0, 1, 0, 53]).await.unwrap();
    client.0.shutdown().await.unwrap();
    let mut heard = Vec::new();
    within(client.0.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(heard, [5, 2, 1, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0]);
    scene.close().await;
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

#[cfg(unix)]
#[tokio::test]
async fn a_local_socket_serves_and_replaces_only_a_socket() {
    use tokio::net::UnixStream;
    let folder = std::env::temp_dir().join(format!("aiva-egress-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("proxy.sock");
    let rules = Arc::new(Rules::default());
    let bind = || {
        let judge = Arc::new(Judged(Arc::clone(&rules)));
        let dial = Arc::new(ToOrigin("127.0.0.1:1".parse().unwrap()));
        Proxy::bind(Settings::default(), Vec::new(), judge, dial).unwrap().local(path.clone())
    };
    // One after the other: the second finds the first one's socket.
    for _ in 0..2 {
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(bind().serve(shutdown.stop(Stage::Edge)));
        let mut stream = within(async {
            loop {
                match UnixStream::connect(&path).await {
                    Ok(stream) => return stream,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
        .await;
        stream.write_all(b"GET http://denied.example/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut text = String::new();
        within(stream.read_to_string(&mut text)).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 403"), "{text}");
        shutdown.drain(Duration::from_secs(5)).await;
        serving.await.unwrap().unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert_eq!(bind().serve(Shutdown::new().stop(Stage::Edge)).await.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    std::fs::remove_dir_all(&folder).unwrap();
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
