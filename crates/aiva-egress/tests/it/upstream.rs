//! The guard behind a scripted proxy on the way out: what it is asked for, and what its failures look like to callers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use aiva_chassis::clock;
use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_egress::config::Egress;
use aiva_egress::proxy::judge::Dial;
use aiva_egress::proxy::{Listen, Proxy, Settings};
use aiva_egress::selftest::authority::Authority;
use aiva_egress::service::Guard;
use aiva_outbound::resolve::{Fixed, Resolver};
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::guard::{ask, client, egress_with};
use super::stage::{Origin, PATIENCE};

const UPSTREAM: &str = "10.0.0.9";

/// The upstream by address, with credentials.
const BY_ADDRESS: &str = "upstream = \"corp\"
[upstreams.corp]
url = \"http://10.0.0.9:3128\"
credentials = { env = \"UPSTREAM\" }
direct_domains = [\"b.example.com\"]
timeout = \"5s\"
";

/// The upstream by name. A role that allows what the upstream is at does not open it.
const BY_NAME: &str = "upstream = \"corp\"
[upstreams.corp]
url = \"http://proxy.corp.example:3128\"
[roles.default]
mode = \"open\"
ports = [443, 3128]
allow_cidrs = [{ cidr = \"10.0.0.0/8:3128\", owner = \"ana\", expires = 2099-01-31 }]
[roles.default.exceptions.proxy]
host = \"proxy.corp.example\"
owner = \"ana\"
reason = \"by mistake\"
expires = 2099-01-31
";

/// Everybody is connected to the script, by whatever address.
struct ToScript {
    script: SocketAddr,
    dialled: Arc<Mutex<Vec<IpAddr>>>,
}

#[async_trait]
impl Dial for ToScript {
    #[expect(clippy::disallowed_methods, reason = "the test's own server on loopback, whatever the address")]
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.dialled.lock().unwrap().push(address.ip());
        TcpStream::connect(self.script).await
    }
}

struct Scene {
    proxy: SocketAddr,
    guard: Guard,
    dialled: Arc<Mutex<Vec<IpAddr>>>,
    shutdown: Shutdown,
    _script: Origin,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.shutdown.stop(Stage::Edge).begin();
    }
}

/// `[egress]` with its tables where a file has them, and this authority in the environment.
fn section(keys: &str, ca: &str) -> Egress {
    let text = format!("[egress]\n{}", keys.replace("\n[", "\n[egress."));
    egress_with(&text, &[("UPSTREAM", "us:secret"), ("CA", ca)])
}

async fn scene(keys: &str, script: Origin) -> Scene {
    scene_with(section(keys, ""), script).await
}

async fn scene_with(egress: Egress, script: Origin) -> Scene {
    let resolvers = |_: &[SocketAddr]| {
        let names: [(&str, IpAddr); 4] = [
            ("a.example.com", [93, 184, 216, 34].into()),
            ("b.example.com", [93, 184, 216, 35].into()),
            ("proxy.corp.example", [10, 0, 0, 9].into()),
            ("alias.example.com", [10, 0, 0, 9].into()),
        ];
        Arc::new(Fixed::new(names)) as Arc<dyn Resolver>
    };
    let (guard, _) = Guard::with_resolvers(egress, clock::system(), Box::new(resolvers)).unwrap();
    let dialled = Arc::new(Mutex::new(Vec::new()));
    let dial = ToScript { script: script.address, dialled: Arc::clone(&dialled) };
    let listen = Listen { address: (Ipv4Addr::LOCALHOST, 0).into(), tls: None };
    let settings = Settings { threads: 1, ..Settings::default() };
    let proxy = Proxy::bind(settings, vec![listen], Arc::new(guard.clone()), Arc::new(dial)).unwrap();
    let address = proxy.addresses()[0];
    let shutdown = Shutdown::new();
    tokio::spawn(proxy.serve(shutdown.stop(Stage::Edge)));
    tokio::task::yield_now().await;
    Scene { proxy: address, guard, dialled, shutdown, _script: script }
}

impl Scene {
    /// The head of the answer to this, by a new client, and the client.
    async fn ask(&self, request: &str) -> (String, TcpStream) {
        let mut client = client(self.proxy).await;
        let head = ask(&mut client, request).await;
        (head, client)
    }
}

fn connect_to(authority: &str) -> String {
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
}

async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Opens every tunnel, with something said inside at once, and is the origin of what is asked in it.
async fn obliging<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, kept: Arc<Mutex<Vec<String>>>) {
    let asked = head(&mut stream).await;
    let is_tunnel = asked.ends_with(":443\r\n\r\n") || asked.contains(":443\r\nProxy-");
    kept.lock().unwrap().push(asked);
    let hello = if is_tunnel { "hello" } else { "" };
    drop(stream.write_all(format!("HTTP/1.1 200 fine\r\nX-Proxy: 1\r\n\r\n{hello}").as_bytes()).await);
    loop {
        let inside = head(&mut stream).await;
        if inside.is_empty() {
            return;
        }
        kept.lock().unwrap().push(inside);
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await);
    }
}

async fn willing() -> (Origin, Arc<Mutex<Vec<String>>>) {
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let shared = Arc::clone(&kept);
    (Origin::start(move |stream| obliging(stream, Arc::clone(&shared))).await, kept)
}

#[tokio::test]
async fn an_upstream_is_asked_for_addresses_and_never_for_names() {
    let (script, kept) = willing().await;
    let scene = scene(BY_ADDRESS, script).await;
    let (answer, mut client) = scene.ask(&connect_to("a.example.com:443")).await;
    assert!(answer.starts_with("HTTP/1.1 200 Connection established"), "{answer}");
    let mut hello = [0; 5];
    timeout(PATIENCE, client.read_exact(&mut hello)).await.unwrap().unwrap();
    assert_eq!(&hello, b"hello", "what follows the upstream's answer belongs to the tunnel");
    let get = "GET http://a.example.com/x HTTP/1.1\r\nHost: a.example.com\r\n\r\n";
    let (answer, mut client) = scene.ask(get).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    timeout(PATIENCE, client.read_exact(&mut [0; 2])).await.unwrap().unwrap();
    // The tunnel that waits serves the next request of the role.
    assert!(ask(&mut client, get).await.starts_with("HTTP/1.1 200 OK"));
    let (asked, credentials) = (kept.lock().unwrap().clone(), "Proxy-Authorization: Basic dXM6c2VjcmV0\r\n\r\n");
    let connect = |place: &str| format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{credentials}");
    let inside = "GET /x HTTP/1.1\r\nHost: a.example.com\r\n\r\n".to_owned();
    assert_eq!(asked, [connect("93.184.216.34:443"), connect("93.184.216.34:80"), inside.clone(), inside]);
    assert_eq!(*scene.dialled.lock().unwrap(), [UPSTREAM.parse::<IpAddr>().unwrap(); 2]);
}

#[tokio::test]
async fn what_is_named_goes_past_the_upstream() {
    let (script, kept) = Origin::keeping().await;
    let scene = scene(BY_ADDRESS, script).await;
    let (answer, _) = scene.ask("GET http://b.example.com/x HTTP/1.1\r\nHost: b.example.com\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(*scene.dialled.lock().unwrap(), [IpAddr::from([93, 184, 216, 35])]);
    assert!(kept.lock().unwrap()[0].starts_with("GET /x "));
}

#[tokio::test]
async fn no_caller_reaches_the_upstream_as_a_destination() {
    let (script, kept) = willing().await;
    let scene = scene(BY_NAME, script).await;
    for (place, want) in [
        ("10.0.0.9:3128", "reason=address-upstream"),
        ("proxy.corp.example:3128", "reason=address-upstream"),
        ("alias.example.com:3128", "reason=address-upstream"),
        ("[::ffff:10.0.0.9]:3128", "reason=address-upstream"),
        ("10.0.0.8:3128", "200 Connection established"), // its neighbour
        ("a.example.com:443", "200 Connection established"),
    ] {
        let (answer, _) = scene.ask(&connect_to(place)).await;
        assert!(answer.contains(want), "{place}: {answer}");
    }
    assert!(kept.lock().unwrap().iter().all(|asked| !asked.contains("10.0.0.9")));
}

/// What the upstream does with a request for a tunnel.
#[derive(Debug, Clone, Copy)]
enum Manners {
    Says(&'static str),
    Hangs,
    Endless,
}

async fn misbehave(mut stream: TcpStream, manners: Manners) {
    head(&mut stream).await;
    match manners {
        Manners::Says(words) => drop(stream.write_all(words.as_bytes()).await),
        Manners::Hangs => std::future::pending().await,
        Manners::Endless => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\n").await);
            while stream.write_all(b"X-More: and more and more and more and more\r\n").await.is_ok() {}
        }
    }
}

#[tokio::test]
async fn a_failing_upstream_has_words_of_its_own_and_says_no_status_to_callers() {
    for (manners, want) in [
        (Manners::Says("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "502 upstream-refused"),
        (Manners::Says("HTTP/1.1 503 Unavailable\r\n\r\n"), "502 upstream-refused"),
        (Manners::Says("HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\n\r\n"), "502 upstream-credentials"),
        (Manners::Says("SSH-2.0-OpenSSH_9.2\r\n"), "502 upstream-malformed"),
        (Manners::Says("HTTP/1.1 2x0 OK\r\n\r\n"), "502 upstream-malformed"),
        (Manners::Says("HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), "200"),
        (Manners::Says("HTTP/1.1 200 O"), "502 upstream-closed"),
        (Manners::Says(""), "502 upstream-closed"),
        (Manners::Endless, "502 upstream-malformed"),
        (Manners::Hangs, "504 upstream-timeout"),
    ] {
        let script = Origin::start(move |stream| misbehave(stream, manners)).await;
        let scene = scene(&BY_ADDRESS.replace("5s", "200ms"), script).await;
        for request in
            [&*connect_to("a.example.com:443"), "GET http://a.example.com/ HTTP/1.1\r\nHost: a.example.com\r\n\r\n"]
        {
            let (answer, mut client) = scene.ask(request).await;
            let (status, reason) = want.split_once(' ').unwrap_or((want, ""));
            let is_plain = request.starts_with("GET");
            if reason.is_empty() && is_plain {
                continue;
            }
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{manners:?}: {answer}");
            assert_eq!(answer.contains("Aiva-Decision: error; "), !reason.is_empty(), "{manners:?}: {answer}");
            assert!(answer.contains(&format!("reason={reason}")) || reason.is_empty(), "{manners:?}: {answer}");
            if reason == "upstream-refused" {
                let mut body = vec![0; 1000];
                let length = timeout(PATIENCE, client.read(&mut body)).await.unwrap().unwrap();
                let problem: serde_json::Value = serde_json::from_slice(&body[..length]).unwrap();
                // With which status is for operators.
                assert!(
                    !["403", "503"].iter().any(|status| problem["detail"].as_str().unwrap().contains(status)),
                    "{problem}"
                );
            }
        }
    }
}

#[tokio::test]
async fn one_that_fails_every_time_counts_as_down_until_it_opens_a_tunnel() {
    let says = Arc::new(Mutex::new(Manners::Says("SSH-2.0-x\r\n")));
    let shared = Arc::clone(&says);
    let script = Origin::start(move |stream| misbehave(stream, *shared.lock().unwrap())).await;
    let scene = scene(BY_ADDRESS, script).await;
    for (words, tries, down) in [
        ("SSH-2.0-x\r\n", 2, false),
        ("HTTP/1.1 403 No\r\n\r\n", 1, false), // whoever refuses is there
        ("SSH-2.0-x\r\n", 3, true),
        ("HTTP/1.1 200 OK\r\n\r\n", 1, false),
    ] {
        *says.lock().unwrap() = Manners::Says(words);
        for _ in 0..tries {
            scene.ask(&connect_to("a.example.com:443")).await;
        }
        assert_eq!(!scene.guard.upstreams_down().is_empty(), down, "{tries} times {words:?}");
    }
}

#[tokio::test]
async fn an_upstream_may_take_tls() {
    let authority = Authority::new().unwrap();
    let config = authority.origin(IpAddr::from([10, 0, 0, 9])).unwrap();
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let shared = Arc::clone(&kept);
    let script = Origin::start(move |stream| {
        let (acceptor, kept) = (tokio_rustls::TlsAcceptor::from(Arc::clone(&config)), Arc::clone(&shared));
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                obliging(stream, kept).await;
            }
        }
    })
    .await;
    let trusting = BY_ADDRESS.replace("http://", "https://").replace("timeout", "ca = { env = \"CA\" }\ntimeout");
    let strange = Authority::new().unwrap();
    let scene = scene_with(section(&trusting, &authority.pem()), script).await;
    let (answer, mut client) = scene.ask(&connect_to("a.example.com:443")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut hello = [0; 5];
    timeout(PATIENCE, client.read_exact(&mut hello)).await.unwrap().unwrap();
    assert_eq!(&hello, b"hello");
    assert!(kept.lock().unwrap()[0].starts_with("CONNECT 93.184.216.34:443 "));
    let (get, mut client) = scene.ask("GET http://a.example.com/ HTTP/1.1\r\nHost: a.example.com\r\n\r\n").await;
    assert!(get.starts_with("HTTP/1.1 200"), "{get}");
    drop(client.shutdown().await);
    // Another authority's certificate is not believed.
    scene.guard.reload(section(&trusting, &strange.pem())).unwrap();
    let (answer, _) = scene.ask(&connect_to("a.example.com:443")).await;
    assert!(answer.contains("reason=upstream-tls"), "{answer}");
}
