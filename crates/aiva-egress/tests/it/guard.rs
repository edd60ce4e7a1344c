//! The guard behind a real proxy: who calls, by which role, and what a changed configuration does to what is open.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use aiva_chassis::clock;
use aiva_chassis::config::{self, Sources};
use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_egress::config::Egress;
use aiva_egress::proxy::judge::Dial;
use aiva_egress::proxy::tls::Tls;
use aiva_egress::proxy::{Balancers, Listen, Proxy, Settings};
use aiva_egress::service::Guard;
use aiva_egress::tunnel::open;
use aiva_outbound::resolve::Fixed;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::stage::{Origin, PATIENCE};

mod certificates;
mod file;

aiva_chassis::config_section! {
    /// As in the program.
    struct Root {
        /// The section.
        egress: Egress;
    }
}

/// `[egress]` as it stands in a file.
pub(crate) fn egress(text: &str) -> Egress {
    egress_with(text, &[])
}

/// The same with an environment.
pub(crate) fn egress_with(text: &str, env: &[(&str, &str)]) -> Egress {
    let sources = Sources {
        file: Some(("aiva.toml", text)),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        flags: Vec::new(),
        open: &|_| Err(io::ErrorKind::NotFound.into()),
    };
    config::load::<Root>(&sources).unwrap_or_else(|error| panic!("{error}\n{text}")).config.egress
}

struct ToOrigin(SocketAddr);

#[async_trait]
impl Dial for ToOrigin {
    #[expect(clippy::disallowed_methods, reason = "the test's own origin on loopback, whatever the address")]
    async fn dial(&self, _address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(self.0).await
    }
}

struct Scene {
    guard: Guard,
    addresses: Vec<SocketAddr>,
    shutdown: Shutdown,
    _origin: Origin,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.shutdown.stop(Stage::Edge).begin();
    }
}

#[derive(Default)]
struct Extra<'e> {
    tls: Option<Arc<Tls>>,
    socket: Option<&'e Path>,
    balancers: Balancers,
}

async fn scene(text: &str, extra: Extra<'_>) -> Scene {
    let resolvers = |_: &[SocketAddr]| {
        let names: [(&str, IpAddr); 3] = [
            ("a.example.com", [93, 184, 216, 34].into()),
            ("b.example.com", [93, 184, 216, 35].into()),
            ("c.example.org", [93, 184, 216, 36].into()),
        ];
        Arc::new(Fixed::new(names)) as Arc<dyn aiva_outbound::resolve::Resolver>
    };
    let (guard, _) = Guard::with_resolvers(egress(text), clock::system(), Box::new(resolvers)).unwrap();
    let (origin, _) = Origin::keeping().await;
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let mut listens = vec![Listen { address: any, tls: None }];
    listens.extend(extra.tls.map(|tls| Listen { address: any, tls: Some(tls) }));
    let settings = Settings { balancers: extra.balancers, threads: 1, ..Settings::default() };
    let dial = Arc::new(ToOrigin(origin.address));
    let mut proxy = Proxy::bind(settings, listens, Arc::new(guard.clone()), dial).unwrap();
    if let Some(socket) = extra.socket {
        proxy = proxy.local(socket.to_path_buf());
    }
    let addresses = proxy.addresses();
    guard.listens(&addresses);
    let shutdown = Shutdown::new();
    let stop = shutdown.stop(Stage::Edge);
    tokio::spawn(proxy.serve(stop));
    tokio::task::yield_now().await;
    Scene { guard, addresses, shutdown, _origin: origin }
}

#[expect(clippy::disallowed_methods, reason = "the test's own proxy on loopback")]
pub(crate) async fn client(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// The head of the answer to a request for a tunnel.
async fn connect<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, fields: &str) -> String {
    ask(stream, &format!("CONNECT a.example.com:443 HTTP/1.1\r\nHost: a.example.com:443\r\n{fields}\r\n")).await
}

pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, bytes: &str) -> String {
    // A proxy that has hung up shows when its answer is read.
    drop(stream.write_all(bytes.as_bytes()).await);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match timeout(PATIENCE, stream.read_u8()).await.expect("the proxy answers or hangs up") {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

fn says(answer: &str, want: &str) -> bool {
    let status = answer.split(' ').nth(1).unwrap_or("hung");
    match want.split_once(' ') {
        Some((code, reason)) => status == code && answer.contains(&format!("reason={reason}")),
        None => status == want,
    }
}

const CALLERS: &str = r#"
[egress.roles.default]
[egress.roles.shop]
allow_domains = ["*.example.com"]
[egress.callers.shop]
# "open sesame"
password_sha256 = ["41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb"]
"#;

#[tokio::test]
async fn a_password_opens_its_role_and_a_wrong_one_only_says_407() {
    let scene = scene(CALLERS, Extra::default()).await;
    let basic = |pair: &str| format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(pair));
    for (fields, want) in [
        (basic("shop:open sesame"), "200"),
        (String::new(), "403 name-not-allowed"),
        (basic("shop:close sesame"), "407 credentials-wrong"),
        (basic("nobody:open sesame"), "407 credentials-wrong"),
    ] {
        let answer = connect(&mut client(scene.addresses[0]).await, &fields).await;
        assert!(says(&answer, want), "{fields:?}: {answer}");
        assert_eq!(answer.contains("Proxy-Authenticate: Basic"), want.starts_with("407"), "{answer}");
    }
    // Which of two would count?
    let two = basic("shop:open sesame") + &basic("shop:close sesame");
    let answer = connect(&mut client(scene.addresses[0]).await, &two).await;
    assert!(says(&answer, "400 credentials-repeated"), "{answer}");
    // The same over SOCKS5, where the password has a step of its own, at which a wrong one ends.
    for (password, want) in [("open sesame", &[5, 2, 1, 0, 5, 0][..]), ("x", &[5, 2, 1, 1])] {
        let mut socks = client(scene.addresses[0]).await;
        let mut bytes = vec![5, 1, 2, 1, 4];
        bytes.extend_from_slice(b"shop");
        bytes.push(password.len() as u8);
        bytes.extend_from_slice(password.as_bytes());
        bytes.extend_from_slice(&[5, 1, 0, 3, 13]);
        bytes.extend_from_slice(b"a.example.com\x01\xbb");
        socks.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        while answer.len() < 6 {
            match timeout(PATIENCE, socks.read_u8()).await.unwrap() {
                Ok(byte) => answer.push(byte),
                Err(_) => break,
            }
        }
        assert_eq!(answer, want, "{password}");
    }
}

#[tokio::test]
async fn a_tunnel_whose_opening_is_awaited_is_closed_as_any_other() {
    let look = "[egress.roles.default.inspection]\nprotocols = \"enforce\"\n[egress.roles.default]\nallow_domains = ";
    let scene = scene(&format!("{look}[\"*.example.com\"]"), Extra::default()).await;
    let mut silent = client(scene.addresses[0]).await;
    assert!(says(&connect(&mut silent, "").await, "200"));
    scene.guard.reload(egress(&format!("{look}[\"b.example.com\"]"))).unwrap();
    let mut rest = Vec::new();
    // Sooner than an opening is given up.
    let _end = timeout(open::PATIENCE / 2, silent.read_to_end(&mut rest)).await.expect("what is forbidden is closed");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_tunnel_that_stays_allowed_stays_and_the_others_are_closed() {
    let open = "[egress.roles.default]\nallow_domains = [\"*.example.com\"]";
    let scene = scene(open, Extra::default()).await;
    let (mut a, mut b) = (client(scene.addresses[0]).await, client(scene.addresses[0]).await);
    assert!(says(&connect(&mut a, "").await, "200"));
    assert!(says(&ask(&mut b, "CONNECT b.example.com:443 HTTP/1.1\r\nHost: b\r\n\r\n").await, "200"));
    // Both carry: the origin answers every head.
    for tunnel in [&mut a, &mut b] {
        assert!(says(&ask(tunnel, "GET / HTTP/1.1\r\n\r\n").await, "200"));
        tunnel.read_exact(&mut [0; 2]).await.unwrap();
    }
    scene.guard.reload(egress("[egress.roles.default]\nallow_domains = [\"a.example.com\"]")).unwrap();
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _end = timeout(PATIENCE, b.read_to_end(&mut rest)).await.expect("what is forbidden is closed");
    assert!(rest.is_empty());
    assert!(says(&ask(&mut a, "GET / HTTP/1.1\r\n\r\n").await, "200"), "what stays allowed stays open");
    let mut again = client(scene.addresses[0]).await;
    let answer = ask(&mut again, "CONNECT b.example.com:443 HTTP/1.1\r\nHost: b\r\n\r\n").await;
    assert!(says(&answer, "403 name-not-allowed"), "{answer}");
}

#[tokio::test]
async fn a_balancer_says_for_whom_it_calls() {
    let text = "[egress.roles.default]\n[egress.roles.shop]\nmode = \"open\"\n\
                [egress.callers.shop]\nsources = [\"10.1.0.0/16\"]";
    let balancers = Balancers(vec!["127.0.0.1".parse().unwrap()]);
    let scene = scene(text, Extra { balancers, ..Extra::default() }).await;
    for (from, want) in [("10.1.2.3", "200"), ("10.2.2.3", "403 name-not-allowed")] {
        let mut stream = client(scene.addresses[0]).await;
        stream.write_all(format!("PROXY TCP4 {from} 127.0.0.1 5000 4750\r\n").as_bytes()).await.unwrap();
        let answer = connect(&mut stream, "").await;
        assert!(says(&answer, want), "{from}: {answer}");
    }
    // Whom it calls for is not guessed.
    let counted = strangers("no-proxy-protocol");
    let answer = connect(&mut client(scene.addresses[0]).await, "").await;
    assert!(says(&answer, "hung"), "{answer}");
    assert_eq!(strangers("no-proxy-protocol"), counted + 1);
}

/// How many connections ended for that reason before they could ask for anything.
fn strangers(reason: &str) -> u64 {
    let text = aiva_chassis::telemetry::metrics::metrics().encode().unwrap();
    let line = format!("egress_proxy_strangers_total{{reason=\"{reason}\"}} ");
    text.lines().find_map(|text| text.split_once(&line)).unwrap().1.parse().unwrap()
}

#[tokio::test]
async fn a_user_of_this_machine_is_known_over_the_socket() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (path, user) = (folder.path().join("egress.sock"), std::fs::metadata(folder.path()).unwrap().uid());
    for (user, want) in [(user, "200"), (user + 1, "403 name-not-allowed")] {
        let text = format!(
            "[egress.roles.default]\n[egress.roles.me]\nmode = \"open\"\n[egress.callers.me]\nusers = [{user}]"
        );
        let scene = scene(&text, Extra { socket: Some(&path), ..Extra::default() }).await;
        let mut stream = UnixStream::connect(&path).await.unwrap();
        let answer = connect(&mut stream, "").await;
        assert!(says(&answer, want), "{user}: {answer}");
        drop(scene);
    }
}

#[tokio::test]
async fn a_spent_budget_says_when_to_come_back() {
    let text = "[egress.roles.default]\nmode = \"open\"\n[egress.roles.default.budgets]\ntunnels = 1\n";
    let scene = scene(text, Extra::default()).await;
    let mut first = client(scene.addresses[0]).await;
    assert!(says(&connect(&mut first, "").await, "200"));
    let answer = connect(&mut client(scene.addresses[0]).await, "").await;
    assert!(says(&answer, "429 budget-tunnels") && answer.contains("Retry-After: 1"), "{answer}");
    assert!(answer.contains("Aiva-Decision: deny; rule=budgets"), "{answer}");
    drop(first);
    // The place is given back when the proxy has seen the end.
    let again = async {
        loop {
            let answer = connect(&mut client(scene.addresses[0]).await, "").await;
            if says(&answer, "200") {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.expect("the place comes back");
}
