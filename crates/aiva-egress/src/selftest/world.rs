//! The world of one case: its name system and its origins, in memory. Nothing is looked up and nothing is dialled.
//!
//! An origin answers with the case's redirects in turn and then with 200, on plain connections and inside TLS with a
//! certificate for whatever name it is asked for. It remembers every address that was connected to and every request.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aiva_outbound::resolve::{Answer, Lookup, ResolveError, Resolver};
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};

use super::case::{Case, Expect, Redirect};
use super::score::Arrived;
use super::zone::Zone;

/// An address that everybody may call: what a name had when an earlier decision allowed it.
const PUBLIC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(93, 184, 215, 14));

/// An address that nobody may call.
const INTERNAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

/// The largest head and body that an origin reads.
const MOST_HEAD: usize = 256 * 1024;
const MOST_BODY: usize = 256 * 1024;

/// One case's world. Clones are the same world.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    zones: Vec<Zone>,
    redirects: Vec<Redirect>,
    fail_first: bool,
    greeting: Option<Vec<u8>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lookups: usize,
    answered: usize,
    dialled: Vec<IpAddr>,
    requests: Vec<Arrived>,
    /// The name system before the case begins.
    before: Option<Zone>,
}

impl World {
    /// The world that a case describes.
    pub fn of(case: &Case) -> Self {
        let zones = if case.dns_sequence.is_empty() { vec![case.dns.clone()] } else { case.dns_sequence.clone() };
        let first = case.tunnel_first.as_ref();
        let greeting = first.and_then(|first| first.server_first.as_deref()).map(super::case::latin1);
        let redirects = case.redirects.clone();
        let fail_first = case.fail_first_connect;
        Self(Arc::new(Inner { zones, redirects, fail_first, greeting, state: Mutex::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the name what it was when an earlier decision said this, until [`World::begin`].
    pub fn before(&self, name: &str, decision: Expect) {
        let zone = match decision {
            Expect::Allow => Zone::of(name, PUBLIC),
            Expect::Deny => Zone::of(name, INTERNAL),
            Expect::Error => Zone::default(),
        };
        self.state().before = Some(zone);
    }

    /// Forgets what was before the case.
    pub fn begin(&self) {
        *self.state() = State::default();
    }

    /// What an absolute name means now.
    pub fn look_up(&self, name: &str) -> Result<Answer, ResolveError> {
        let mut state = self.state();
        if let Some(before) = &state.before {
            return before.look_up(name);
        }
        let index = state.lookups.min(self.0.zones.len().saturating_sub(1));
        state.lookups += 1;
        drop(state);
        match self.0.zones.get(index) {
            Some(zone) => zone.look_up(name),
            None => Err(ResolveError::NotFound(name.to_owned())),
        }
    }

    /// Keeps that this address is connected to; an error where the case lets it refuse.
    pub fn note(&self, address: SocketAddr) -> io::Result<()> {
        let mut state = self.state();
        state.dialled.push(address.ip());
        let refuses = self.0.fail_first && state.dialled.len() == 1;
        if refuses { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(()) }
    }

    /// Connects to an origin at this address, whichever it is.
    pub fn dial(&self, address: SocketAddr, tls: &Arc<rustls::ServerConfig>) -> io::Result<DuplexStream> {
        self.note(address)?;
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (world, tls) = (self.clone(), Arc::clone(tls));
        // Ends when the other half is dropped; the world of a case does not outlive it.
        tokio::spawn(async move { world.serve(far, tls).await });
        Ok(near)
    }

    /// The addresses that were connected to, in turn.
    pub fn dialled(&self) -> Vec<IpAddr> {
        self.state().dialled.clone()
    }

    /// Every request that reached an origin.
    pub fn requests(&self) -> Vec<Arrived> {
        self.state().requests.clone()
    }

    /// Serves one connection. It ends with the first thing that cannot be read.
    pub async fn serve<S>(&self, mut stream: S, tls: Arc<rustls::ServerConfig>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let Ok(first) = stream.read_u8().await else { return };
        let (read, write) = tokio::io::split(stream);
        let stream = tokio::io::join(io::Cursor::new([first]).chain(read), write);
        // The first byte of a TLS handshake record (RFC 8446 §5.1); no HTTP method begins with it.
        if first == 0x16 {
            if let Ok(stream) = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await {
                self.answer(stream).await;
            }
        } else {
            self.answer(stream).await;
        }
    }

    /// The far end of a tunnel: greets where the case says so, and says that it was reached when it has as many bytes as
    /// the client sends first.
    pub async fn listen<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S, expected: usize) {
        if let Some(greeting) = &self.0.greeting
            && stream.write_all(greeting).await.is_err()
        {
            return;
        }
        let mut first = vec![0; expected];
        if stream.read_exact(&mut first).await.is_ok() && expected > 0 {
            let told = stream.write_all(ORIGIN.1.as_bytes()).await;
            // Held open until the client goes: an end would look like a refusal.
            drop(stream.read_u8().await.and(told));
        } else {
            drop(stream.read_u8().await);
        }
    }

    /// Answers every request on a plain connection.
    pub async fn answer<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) {
        while let Some(request) = read_request(&mut stream).await {
            let redirect = {
                let mut state = self.state();
                state.requests.push(request);
                let index = state.answered;
                // What came before the case was not the case's to answer.
                if state.before.is_none() {
                    state.answered += 1;
                }
                self.0.redirects.get(index).filter(|_| state.before.is_none())
            };
            if stream.write_all(&response(redirect)).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }
}

#[async_trait]
impl Resolver for World {
    async fn resolve(&self, name: &str) -> Result<Lookup, ResolveError> {
        self.look_up(name).map(Lookup::from)
    }
}

/// A field that no guard sends: whoever reads it has heard the origin.
pub const ORIGIN: (&str, &str) = ("x-selftest-origin", "reached");

fn response(redirect: Option<&Redirect>) -> Vec<u8> {
    let (name, value) = ORIGIN;
    match redirect {
        None => format!("HTTP/1.1 200 OK\r\n{name}: {value}\r\ncontent-length: 2\r\n\r\nok").into_bytes(),
        Some(Redirect { status, location }) => {
            // A line break in a value has one way to travel: folded (RFC 9112 §5.2).
            let location = location.replace("\r\n", "\r\n ");
            format!("HTTP/1.1 {status} -\r\n{name}: {value}\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
                .into_bytes()
        }
    }
}

/// Reads a request to its end: `None` when there is none, or one that has no end.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Arrived> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MOST_HEAD {
            return None;
        }
        head.push(stream.read_u8().await.ok()?);
    }
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let mut fields = Vec::new();
    for line in text.split("\r\n").skip(1).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let request = Arrived { fields };
    let chunked = request.values("transfer-encoding").any(|value| value.to_ascii_lowercase().contains("chunked"));
    let length = request.values("content-length").next().map_or(Some(0), |value| value.parse().ok());
    if chunked {
        read_chunks(stream).await?;
    } else {
        skip(stream, length?).await?;
    }
    Some(request)
}

async fn skip(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Option<()> {
    if length > MOST_BODY {
        return None;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok().map(drop)
}

async fn read_chunks(stream: &mut (impl AsyncRead + Unpin)) -> Option<()> {
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() >= MOST_HEAD {
                return None;
            }
            line.push(stream.read_u8().await.ok()?);
        }
        let text = String::from_utf8(line).ok()?;
        let size = usize::from_str_radix(text.split(';').next()?.trim(), 16).ok()?;
        skip(stream, size.checked_add(2)?).await?;
        if size == 0 {
            return Some(());
        }
    }
}
