//! A tunnel through a proxy on the way out, to an address that was checked here.
//!
//! Promises: the upstream is asked for an address, never for a name, so that it cannot look up anything else than what was
//! judged; its answer is bounded in size and time and read no further than its end; what is wrong with it has a word of its
//! own, so that nobody takes it for the origin's or ours. Its own address is the operator's choice and is not judged.
//!
//! Start reading at [`Upstream::open`].

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aiva_chassis::secret::Secret;
use aiva_outbound::client::Tls;
use aiva_outbound::resolve::{ResolveError, Resolver};
use aiva_outbound::{Host, address};
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::connect::connect;
use super::judge::{Allowed, Dial};
use super::origin::Origin;

mod meters;

use meters::Meters;

/// The longest answer to CONNECT that is read.
const MOST_HEAD: usize = 8 * 1024;

/// More interim answers than this are no help to anybody.
const MOST_INTERIM: usize = 4;

/// How many addresses of one target the upstream is asked for.
const MOST_TRIED: usize = 4;

/// How many of its own addresses are remembered.
const MOST_KNOWN: usize = 64;

/// After so many failures in a row it counts as down.
const FAILURES_TO_TELL: u32 = 3;

/// Where it is and how it is spoken to.
pub struct Place {
    /// Its name or address.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// Whom to trust, where it takes TLS.
    pub tls: Option<Tls>,
    /// `user:password`, where it wants them.
    pub credentials: Option<Secret>,
}

/// A proxy on the way out.
pub struct Upstream {
    name: Arc<str>,
    place: Place,
    timeout: Duration,
    resolver: Arc<dyn Resolver>,
    /// The addresses that its name had lately.
    known: ArcSwap<Vec<IpAddr>>,
    failures: AtomicU32,
    meters: Meters,
}

/// Why there is no tunnel through it.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The DNS does not know it.
    #[error("the upstream's own name cannot be looked up")]
    Unresolved(#[source] ResolveError),
    /// Nothing takes the connection.
    #[error("the upstream takes no connection")]
    Connect(#[source] io::Error),
    /// TLS to it fails.
    #[error("TLS to the upstream fails")]
    Tls(#[source] io::Error),
    /// It said nothing in time.
    #[error("the upstream did not answer in time")]
    Slow,
    /// It closed without an answer.
    #[error("the upstream closed without an answer")]
    Closed(#[source] io::Error),
    /// What it answered is no answer to CONNECT.
    #[error("the upstream's answer cannot be understood")]
    Malformed,
    /// It wants other credentials.
    #[error("the upstream does not take our credentials")]
    Credentials,
    /// It refuses this tunnel, with this status.
    #[error("the upstream refused the tunnel with {0}")]
    Refused(u16),
}

impl Trouble {
    /// The stable word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unresolved(_) | Self::Connect(_) => "upstream-unreachable",
            Self::Tls(_) => "upstream-tls",
            Self::Slow => "upstream-timeout",
            Self::Closed(_) => "upstream-closed",
            Self::Malformed => "upstream-malformed",
            Self::Credentials => "upstream-credentials",
            Self::Refused(_) => "upstream-refused",
        }
    }

    /// Whether the upstream itself is at fault, whatever it was asked for.
    const fn is_its_own(&self) -> bool {
        match self {
            Self::Unresolved(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::Closed(_)
            | Self::Malformed
            | Self::Credentials => true,
            // It may only wait for a destination that does not answer, or does not like it.
            Self::Slow | Self::Refused(_) => false,
        }
    }

    /// Whether another address of the same target may go better.
    const fn is_of_address(&self) -> bool {
        matches!(self, Self::Slow | Self::Refused(500..))
    }
}

/// Why there is no connection to an origin.
#[derive(Debug)]
pub enum Unreached {
    /// We could not connect.
    Direct(io::Error),
    /// The upstream could not, or would not.
    Through(Arc<Upstream>, Trouble),
}

/// A connection to one of the checked addresses of what was allowed, directly or through the upstream of its ruling.
///
/// # Errors
/// When there is none within the ruling's time.
pub async fn reach(dial: &dyn Dial, allowed: &Allowed) -> Result<(SocketAddr, Origin), Unreached> {
    let limit = allowed.bounds.connect;
    match &allowed.upstream {
        None => match connect(dial, &allowed.connect_to, limit).await {
            Ok((address, stream)) => Ok((address, Origin::Tcp(stream))),
            Err(error) => Err(Unreached::Direct(error)),
        },
        Some(upstream) => upstream
            .first(dial, &allowed.connect_to, limit)
            .await
            .map_err(|trouble| Unreached::Through(Arc::clone(upstream), trouble)),
    }
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upstream({})", self.name)
    }
}

impl Upstream {
    /// Nothing is known of it yet. `resolver` looks its own name up.
    pub fn new(name: &str, place: Place, timeout: Duration, resolver: Arc<dyn Resolver>) -> Self {
        let meters = Meters::of(name);
        meters.up.set(1);
        let (known, failures) = (ArcSwap::default(), AtomicU32::new(0));
        Self { name: Arc::from(name), place, timeout, resolver, known, failures, meters }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether the last tries have all failed, by a fault of its own.
    pub fn is_down(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= FAILURES_TO_TELL
    }

    /// Whether one of these addresses is the upstream itself. It is looked up where its port is asked for; where that cannot
    /// be done and never could, every address at its port may be.
    pub async fn is_at(
        &self,
        host: &Host,
        port: u16,
        addresses: &[SocketAddr],
        nat64: &[aiva_outbound::Prefix],
    ) -> bool {
        if port != self.place.port {
            return false;
        }
        // A lookup that fails leaves what was known.
        let looked_up = self.addresses().await.is_ok();
        if !looked_up && self.known.load().is_empty() {
            return true;
        }
        self.was_at(host, port, addresses, nat64)
    }

    /// The same by what is known now.
    pub fn was_at(&self, host: &Host, port: u16, addresses: &[SocketAddr], nat64: &[aiva_outbound::Prefix]) -> bool {
        if port != self.place.port {
            return false;
        }
        let known = self.known.load();
        let is_own = |address: &SocketAddr| {
            let carried = address::embedded(address.ip(), nat64).into_iter().map(IpAddr::V4);
            std::iter::once(address::canonical(address.ip())).chain(carried).any(|form| known.contains(&form))
        };
        *host == self.place.host || addresses.iter().any(is_own)
    }

    /// Where it is now.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Trouble> {
        let found = match &self.place.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let lookup = self.resolver.resolve(name).await.map_err(Trouble::Unresolved)?;
                lookup.answer.addresses.clone()
            }
        };
        let known = self.known.load();
        if !found.iter().all(|address| known.contains(&address::canonical(*address))) {
            let mut all: Vec<IpAddr> = found.iter().map(|address| address::canonical(*address)).collect();
            all.extend(known.iter().copied().filter(|old| !found.contains(old)));
            all.truncate(MOST_KNOWN);
            self.known.store(Arc::new(all));
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, self.place.port)).collect())
    }

    /// A tunnel to the first of these addresses that it leads to.
    ///
    /// # Errors
    /// Why it leads to none of them in time.
    pub async fn first(
        &self,
        dial: &dyn Dial,
        allowed: &[SocketAddr],
        limit: Duration,
    ) -> Result<(SocketAddr, Origin), Trouble> {
        let ends = Instant::now() + limit;
        let mut last = Trouble::Slow;
        for address in allowed.iter().take(MOST_TRIED) {
            let until = ends.min(Instant::now() + self.timeout);
            match timeout_at(until, self.open(dial, *address)).await.unwrap_or(Err(Trouble::Slow)) {
                Ok(origin) => {
                    self.failures.store(0, Ordering::Relaxed);
                    self.meters.up.set(1);
                    self.meters.opened.inc();
                    return Ok((*address, origin));
                }
                Err(trouble) => last = trouble,
            }
            if !last.is_of_address() || Instant::now() >= ends {
                break;
            }
        }
        self.note(&last);
        Err(last)
    }

    fn note(&self, trouble: &Trouble) {
        match trouble {
            Trouble::Refused(_) => self.meters.refused.inc(),
            _ => self.meters.failed.inc(),
        };
        if !trouble.is_its_own() {
            // Whoever refuses is there.
            if matches!(trouble, Trouble::Refused(_)) {
                self.failures.store(0, Ordering::Relaxed);
                self.meters.up.set(1);
            }
            return;
        }
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 == FAILURES_TO_TELL {
            self.meters.up.set(0);
            let error = trouble as &dyn std::error::Error;
            tracing::error!(upstream = &*self.name, error, "an upstream proxy fails every time");
        }
    }

    /// A tunnel to this address. The caller bounds the time.
    async fn open(&self, dial: &dyn Dial, address: SocketAddr) -> Result<Origin, Trouble> {
        let own = self.addresses().await?;
        let (_, stream) = connect(dial, &own, self.timeout / 2).await.map_err(Trouble::Connect)?;
        let mut origin = match &self.place.tls {
            None => Origin::Tcp(stream),
            Some(tls) => {
                let config = tls.config().map_err(|error| Trouble::Tls(io::Error::other(error)))?;
                let name = self.server_name().map_err(Trouble::Tls)?;
                TlsConnector::from(config).connect(name, stream).await.map_err(Trouble::Tls)?.into()
            }
        };
        origin.write_all(&self.request(address)).await.map_err(Trouble::Closed)?;
        origin.flush().await.map_err(Trouble::Closed)?;
        for _ in 0..=MOST_INTERIM {
            match status(&head(&mut origin).await?).ok_or(Trouble::Malformed)? {
                100..=199 => {}
                200..=299 => return Ok(origin),
                407 => return Err(Trouble::Credentials),
                status => return Err(Trouble::Refused(status)),
            }
        }
        Err(Trouble::Malformed)
    }

    fn server_name(&self) -> io::Result<ServerName<'static>> {
        match &self.place.host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(io::Error::other),
            Host::Address(address) => Ok(ServerName::IpAddress((*address).into())),
        }
    }

    /// `SocketAddr` writes IPv6 in brackets, as an authority has it.
    fn request(&self, address: SocketAddr) -> Vec<u8> {
        let mut head = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n");
        if let Some(credentials) = &self.place.credentials {
            head.push_str("Proxy-Authorization: Basic ");
            head.push_str(&STANDARD.encode(credentials.expose()));
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// Reads one head and nothing of what follows it: that belongs to the tunnel.
async fn head(origin: &mut Origin) -> Result<Vec<u8>, Trouble> {
    let mut head = Vec::new();
    let mut peeked = [0; 1024];
    loop {
        let mut into = ReadBuf::new(&mut peeked);
        let count = poll_fn(|context| origin.poll_peek(context, &mut into)).await.map_err(Trouble::Closed)?;
        if count == 0 {
            return Err(Trouble::Closed(io::ErrorKind::UnexpectedEof.into()));
        }
        let before = head.len();
        head.extend_from_slice(&peeked[..count]);
        let end = memchr::memmem::find(&head, b"\r\n\r\n").map(|at| at + 4);
        head.truncate(end.unwrap_or(head.len()));
        let taken = head.len() - before;
        origin.read_exact(&mut peeked[..taken]).await.map_err(Trouble::Closed)?;
        if !is_http(&head) || head.len() > MOST_HEAD {
            return Err(Trouble::Malformed);
        }
        if end.is_some() {
            return Ok(head);
        }
    }
}

/// Whether this may still become an answer: somebody else's protocol is not waited for.
fn is_http(head: &[u8]) -> bool {
    const START: &[u8] = b"HTTP/1.";
    let known = head.len().min(START.len());
    head[..known] == START[..known]
}

/// The status of an answer's first line.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?.get(1..)?.strip_prefix(b" ")?;
    let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
    let ends = matches!(rest.get(3), Some(b' ' | b'\r'));
    digits.parse().ok().filter(|status| ends && (100..1000).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_three_digits_of_http_1() {
        for (line, want) in [
            (&b"HTTP/1.1 200 Connection established\r\n\r\n"[..], Some(200)),
            (b"HTTP/1.0 502\r\n\r\n", Some(502)),
            (b"HTTP/1.1 20\r\n\r\n", None),
            (b"HTTP/1.1 2000 \r\n\r\n", None),
            (b"HTTP/1.1 +20 x\r\n\r\n", None),
            (b"HTTP/2 200 OK\r\n\r\n", None),
            (b"", None),
        ] {
            assert_eq!(status(line), want, "{:?}", String::from_utf8_lossy(line));
        }
    }
}
