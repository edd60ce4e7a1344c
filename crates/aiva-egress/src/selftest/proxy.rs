//! The form that listens: a real proxy on loopback, asked by the bytes of a case.
//!
//! Whoever attacks writes bytes by hand, so what must be refused is sent as it stands; what must pass is sent as a
//! well-behaved client would (names in A-labels, no fragment). The proxy connects every checked address to one origin on
//! loopback, which keeps what it receives. A redirect is the client's business and is not carried.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_outbound::Target;
use aiva_outbound::policy::Policy;
use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::case::{Case, Expect, First, Via};
use super::score::{Outcome, Refusal};
use super::world::{ORIGIN, World};
use crate::proxy::judge::Dial;
use crate::proxy::{Listen, Proxy, Settings};
use crate::tunnel::hello;

/// How long nothing may happen before a request counts as not answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer that is read.
const MOST_ANSWER: usize = 64 * 1024;

/// What a client sends for a case.
struct Script {
    /// On the connection to the proxy; several are sent one after the other's answer.
    requests: Vec<Vec<u8>>,
    /// How many answers there are to those bytes, pipelined ones included.
    answers: usize,
    /// Whether it asks for a tunnel.
    tunnel: bool,
}

/// The bytes of a case, `None` when a proxy is never sent such.
fn script(case: &Case) -> Option<Script> {
    let index = case.request_index.unwrap_or(1);
    if case.via == Via::Raw {
        let tunnel = case.input.starts_with("CONNECT ");
        return Some(Script { requests: vec![case.bytes()], answers: index, tunnel });
    }
    if !case.redirects.is_empty() || case.tunnel_first.is_some() {
        return None;
    }
    let (scheme, rest) = case.input.split_once(':')?;
    let polite = (case.expect == Expect::Allow).then(|| Target::parse(&case.input).ok()).flatten();
    let (request, tunnel) = match scheme.to_ascii_lowercase().as_str() {
        "http" => {
            // An attacker's Host names somebody else: the URL alone must be what is judged.
            let (url, host) = match polite {
                Some(target) => (target.to_string(), target.authority()),
                None => (case.input.clone(), "example.com".to_owned()),
            };
            (format!("GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n"), false)
        }
        "https" => {
            let (authority, path) = authority(rest)?;
            if authority.contains('@') || path.contains(|c: char| c.is_control() || c == '\\' || c == ' ') {
                return None;
            }
            let place = match polite {
                Some(target) => format!("{}:{}", target.host(), target.port()),
                None => with_port(authority),
            };
            (format!("CONNECT {place} HTTP/1.1\r\nHost: example.com:443\r\n\r\n"), true)
        }
        _ => return None,
    };
    Some(Script { requests: vec![request.into_bytes(); index], answers: index, tunnel })
}

/// Authority and path of what follows `https:`; `None` where there is no authority.
fn authority(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.strip_prefix("//")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    (!authority.is_empty()).then_some((authority, path))
}

/// A CONNECT line always names its port.
fn with_port(authority: &str) -> String {
    let after_address = authority.rfind(']').map_or(authority, |end| &authority[end..]);
    if after_address.contains(':') { authority.to_owned() } else { format!("{authority}:443") }
}

/// Connects every address to the one origin, and keeps which were asked for.
struct OneOrigin {
    world: World,
    origin: SocketAddr,
}

#[async_trait]
impl Dial for OneOrigin {
    #[expect(clippy::disallowed_methods, reason = "to the self-test's own origin on loopback, whatever the address")]
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.world.note(address)?;
        TcpStream::connect(self.origin).await
    }
}

/// Asks a proxy of its own for a case; `None` when it is never sent such.
pub(super) async fn run(case: &Case, policy: &Policy) -> io::Result<Option<Outcome>> {
    let Some(script) = script(case) else { return Ok(None) };
    let world = World::of(case);
    let origin = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let dial = OneOrigin { world: world.clone(), origin: origin.local_addr()? };
    let judge = super::judge::CaseJudge::new(case, policy.clone(), world.clone());
    let listen = Listen { address: (Ipv4Addr::LOCALHOST, 0).into(), tls: None };
    let proxy =
        Proxy::bind(Settings::default(), vec![listen], Arc::new(judge), Arc::new(dial)).map_err(io::Error::other)?;
    let Some(address) = proxy.addresses().first().copied() else { return Err(io::ErrorKind::AddrNotAvailable.into()) };
    let shutdown = Shutdown::new();
    let asked = async {
        if let Some(prior) = case.prior_decision
            && let Ok(target) = Target::parse(&case.input)
        {
            world.before(&target.host().to_string(), prior);
            drop(ask(address, &script, None).await);
            world.begin();
        }
        let refusal = ask(address, &script, case.tunnel_first.as_ref()).await?;
        let arrived = world.requests().pop();
        Ok(Outcome { refusal, allowed: Vec::new(), dialled: Some(world.dialled()), arrived })
    };
    // The proxy and the origin end with the client: they are polled here and owned by nobody else. The proxy listens from
    // its first poll, so it comes first.
    tokio::select! {
        biased;
        served = proxy.serve(shutdown.stop(Stage::Edge)) => served.map(|()| None),
        () = origins(&origin, &world, case.tunnel_first.as_ref()) => Ok(None),
        outcome = asked => outcome.map(Some),
    }
}

/// Serves everybody who comes to the origin.
async fn origins(listener: &TcpListener, world: &World, tunnel: Option<&First>) {
    let mut served = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (world, expected) = (world.clone(), tunnel.map(|first| opening(first).len()));
        served.spawn(async move {
            match expected {
                Some(length) => world.listen(stream, length).await,
                None => world.answer(stream).await,
            }
        });
    }
}

/// Asks and reads until the answer that the case is about; `None` when the origin was heard.
async fn ask(address: SocketAddr, script: &Script, first: Option<&First>) -> io::Result<Option<Refusal>> {
    let mut client = Client::connect(address).await?;
    let mut refusal = None;
    let mut sent = 0;
    for answer in 0..script.answers {
        // Those that are pipelined came in one piece.
        if answer < script.requests.len() {
            client.write(&script.requests[answer], usize::MAX).await;
            sent += 1;
        }
        refusal = client.answer(script.tunnel).await;
        if refusal.is_some() && sent == script.requests.len() && answer + 1 < script.answers {
            // Whoever is refused before its turn is refused.
            break;
        }
    }
    if let (None, Some(first)) = (&refusal, first) {
        return Ok(client.open(first).await);
    }
    Ok(refusal)
}

struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    #[expect(clippy::disallowed_methods, reason = "to the self-test's own proxy on loopback")]
    async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Writes in pieces. Whoever was refused in between sees that when it reads.
    async fn write(&mut self, bytes: &[u8], piece: usize) {
        for piece in bytes.chunks(piece.min(bytes.len()).max(1)) {
            if self.stream.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Reads on; the reason when there is nothing more.
    async fn more(&mut self) -> Result<(), &'static str> {
        if self.read.len() >= MOST_ANSWER {
            return Err("the answer has no end");
        }
        match timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await {
            Err(_) => Err("no answer"),
            Ok(Err(_) | Ok(0)) => Err("the connection was closed"),
            Ok(Ok(_)) => Ok(()),
        }
    }

    /// Reads one answer with its body.
    async fn answer(&mut self, tunnel: bool) -> Option<Refusal> {
        let head = loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                break self.read.drain(..end + 4).collect::<Vec<u8>>();
            }
            if let Err(reason) = self.more().await {
                return Some(Refusal { class: Expect::Error, reason: reason.to_owned() });
            }
        };
        let head = String::from_utf8_lossy(&head).into_owned();
        let field = |name: &str| {
            let fields = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
            fields.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
        };
        let established = tunnel && head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
        let length: usize = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while !established && self.read.len() < length {
            if let Err(reason) = self.more().await {
                return Some(Refusal { class: Expect::Error, reason: reason.to_owned() });
            }
        }
        self.read.drain(..if established { 0 } else { length });
        if established || field(ORIGIN.0).is_some() {
            return None;
        }
        let status = head.split(' ').nth(1).unwrap_or("no status");
        let decision = field("aiva-decision").unwrap_or_default();
        let class = if decision.starts_with("deny") { Expect::Deny } else { Expect::Error };
        Some(Refusal { class, reason: format!("{status} {decision}") })
    }

    /// Speaks inside the tunnel, or waits for the server to; `None` when the origin heard, or was heard.
    async fn open(&mut self, first: &First) -> Option<Refusal> {
        let bytes = opening(first);
        self.write(&bytes, first.split_bytes.unwrap_or(usize::MAX)).await;
        let mark = match &first.server_first {
            Some(greeting) => super::case::latin1(greeting),
            None => ORIGIN.1.as_bytes().to_vec(),
        };
        loop {
            if find(&self.read, &mark).is_some() {
                return None;
            }
            if let Err(reason) = self.more().await {
                // What is refused inside a tunnel has no other sign.
                return Some(Refusal { class: Expect::Deny, reason: format!("in the tunnel: {reason}") });
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len().max(1)).position(|window| window == what)
}

/// Encrypted ClientHello (RFC 9849).
const ECH: u16 = 0xfe0d;

/// The first bytes of a tunnel.
fn opening(first: &First) -> Vec<u8> {
    if let Some(bytes) = &first.bytes {
        return super::case::latin1(bytes);
    }
    let Some(name) = &first.tls_sni else { return Vec::new() };
    let outside = if first.ech { first.outer_sni.as_deref().or(name.as_deref()) } else { name.as_deref() };
    let extensions: &[(u16, &[u8])] = if first.ech { &[(ECH, &[0; 32])] } else { &[] };
    hello::sample(outside, extensions, if first.tls_record_frag { 5 } else { 16 * 1024 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::case;

    #[track_caller]
    fn check(input: &str, expect: &str, want: Option<&str>) {
        let line = serde_json::json!({"id": "a", "input": input, "kind": "k", "tier": "core", "expect": expect});
        let case = case::read(line.to_string().as_bytes()).unwrap().remove(0);
        let line = script(&case).map(|script| String::from_utf8(script.requests[0].clone()).unwrap());
        assert_eq!(line.as_deref().map(|text| text.split("\r\n").next().unwrap()), want, "{input}");
    }

    #[test]
    fn a_url_is_asked_for_as_a_client_would_or_an_attacker() {
        check("http://a.example/b#c", "allow", Some("GET http://a.example/b HTTP/1.1"));
        check("http://a.example/b#c", "deny", Some("GET http://a.example/b#c HTTP/1.1"));
        check("http:10.0.0.1", "deny", Some("GET http:10.0.0.1 HTTP/1.1"));
        check("https://b\u{fc}cher.example/", "allow", Some("CONNECT xn--bcher-kva.example:443 HTTP/1.1"));
        check("HTTPS://[::1]/", "deny", Some("CONNECT [::1]:443 HTTP/1.1"));
        check("https://[::1]:25/", "deny", Some("CONNECT [::1]:25 HTTP/1.1"));
        check("https://a.example:/x", "error", Some("CONNECT a.example: HTTP/1.1"));
        check("https://a@b.example/", "deny", None);
        check("https:/a.example/", "deny", None);
        check("gopher://a.example/", "deny", None);
    }
}
