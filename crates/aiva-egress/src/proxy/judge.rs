//! What the proxy needs from outside: somebody who judges, and somebody who opens connections.
//!
//! The proxy reads bytes and moves bytes; whether and where to is not its business. It hands the judge every request with
//! the text as it was sent, connects to addresses of the ruling and to no others, and says how it ended, once for each
//! permit. Both are ports because the tests and the self-test answer in their own way.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aiva_outbound::{Reason, Target};
use async_trait::async_trait;
use tokio::net::TcpStream;

use super::answer::Answer;
use super::fault::Fault;
use super::upstream::Upstream;
use crate::caller::Certificate;
use crate::ports;
use crate::tunnel::inspect::Inspection;
use crate::tunnel::relay::End;
use crate::tunnel::sniff::Protocol;

/// How a client is connected.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// Its address, as the balancer said where one did; `None` over a socket in the file system.
    pub address: Option<SocketAddr>,
    /// The user on the other end of a socket in the file system.
    pub user: Option<u32>,
    /// Its certificate, verified by TLS.
    pub certificate: Option<Arc<Certificate>>,
    /// How its address is told in records: the same for all that it asks.
    pub told: OnceLock<Arc<str>>,
}

impl Peer {
    /// How its address is told in records.
    pub fn told(&self) -> Arc<str> {
        let tell = || Arc::from(&*ports::caller(self.address.map(|address| address.ip())));
        Arc::clone(self.told.get_or_init(tell))
    }
}

/// Who asks: the connection, and what the request itself says.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The connection.
    pub peer: &'a Peer,
    /// `Proxy-Authorization`, as sent.
    pub credentials: Option<&'a [u8]>,
    /// `Aiva-Decision-Token`, as sent.
    pub token: Option<&'a [u8]>,
}

/// How it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// An HTTP request for a URL.
    Request,
    /// A tunnel.
    Tunnel,
}

/// What is asked.
#[derive(Debug)]
pub struct Ask<'a> {
    /// How.
    pub form: Form,
    /// The request's method.
    pub method: &'a str,
    /// The URL or authority as it was sent; it may hold secrets.
    pub text: &'a str,
    /// What the text means (a tunnel as `https`), or why it must not be read.
    pub target: Result<Target, Reason>,
}

/// The bounds that a role sets.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// To have a connection.
    pub connect: Duration,
    /// From a request to its answer's head.
    pub first_byte: Duration,
    /// How long nothing may stir.
    pub idle: Duration,
    /// How long a request may take in all.
    pub request: Duration,
    /// How long a tunnel may be open.
    pub tunnel: Option<Duration>,
    /// The most bytes of an answer's body, and of each direction of a tunnel.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(300),
            request: Duration::from_secs(3600),
            tunnel: None,
            bytes: u64::MAX,
        }
    }
}

/// The judge's answer.
pub enum Ruling {
    /// Go on, within this.
    Allow(Box<Allowed>),
    /// Say this. It has been recorded.
    Refuse(Box<Answer>),
}

/// What a request may do.
pub struct Allowed {
    /// The role under which it was allowed: connections are shared within a role only.
    pub role: Arc<str>,
    /// What was judged.
    pub target: Arc<Target>,
    /// The checked addresses, never none. No other may be connected to.
    pub connect_to: Vec<SocketAddr>,
    /// The proxy on the way out; without one, connections are our own.
    pub upstream: Option<Arc<Upstream>>,
    /// Bounds in time and size.
    pub bounds: Bounds,
    /// What is looked at inside a tunnel.
    pub inspection: Inspection,
    /// To say how it ended.
    pub permit: Arc<dyn Permit>,
}

/// An allowed request, from the ruling to its end.
pub trait Permit: Send + Sync {
    /// The record's id.
    fn id(&self) -> String;

    /// Whether the policy in force now would still allow it, at the address that was connected to.
    fn holds(&self, connected: SocketAddr) -> bool;

    /// Whether the role allows this name: a tunnel to an address asks for one inside.
    fn allows_name(&self, name: &str) -> bool;

    /// It has ended. Called exactly once.
    fn finish(&self, finished: &Finished);
}

/// How an allowed request ended.
#[derive(Debug, Clone, Default)]
pub struct Finished {
    /// The address that was connected to.
    pub connected: Option<SocketAddr>,
    /// The proxy on the way out, and the status by which it refused, where it did.
    pub upstream: Option<String>,
    /// The status that the client got.
    pub status: Option<u16>,
    /// Bytes from the client, bodies only.
    pub sent: u64,
    /// Bytes to the client, bodies only.
    pub received: u64,
    /// How the tunnel ended.
    pub end: Option<End>,
    /// What failed, where something did: the reason that the client was told.
    pub failure: Option<String>,
    /// What was spoken inside.
    pub protocol: Option<Protocol>,
    /// The name that the ClientHello asked for.
    pub name: Option<String>,
    /// What the inspection found wrong; refused or only reported.
    pub findings: Vec<crate::tunnel::inspect::Finding>,
}

/// Judges requests.
///
/// Every adapter promises: an answer within the resolver's time, a record of every refusal, never a panic on any text.
#[async_trait]
pub trait Judge: Send + Sync + 'static {
    /// Whether and where to.
    async fn judge(&self, who: Presented<'_>, ask: Ask<'_>) -> Ruling;

    /// What a request is answered that cannot be read, or that nobody is served. It has been recorded.
    async fn malformed(&self, _peer: &Peer, _form: Form, fault: Fault) -> Answer {
        Answer::malformed(fault)
    }

    /// What is answered to a client that says who it is before it asks for anything, and is not who it says. It has been
    /// recorded.
    async fn stranger(&self, _who: Presented<'_>, _form: Form) -> Option<Answer> {
        None
    }

    /// Resolves with the policy's version once that is not `since` any more: open tunnels are then held against it. The
    /// first version is 0.
    async fn changed(&self, since: u64) -> u64;
}

/// Opens connections to addresses that were checked.
///
/// Every adapter promises: exactly this address, or an error.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// A connection to this address.
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// Opens them over the network.
#[derive(Debug, Clone, Copy, Default)]
pub struct Network;

#[async_trait]
impl Dial for Network {
    #[expect(clippy::disallowed_methods, reason = "the one place of the guard that connects: the address was checked")]
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
