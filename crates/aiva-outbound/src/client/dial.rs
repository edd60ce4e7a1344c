//! Opens a connection to an address that was checked.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::judge::{MOST_CONNECT, by_turns};

/// How long one address may take before the next is tried as well (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection.
pub type Connection = Box<dyn Stream>;

/// Connects to addresses. TCP, unless a test or a program with sockets of its own brings another.
///
/// Every adapter promises: it connects to exactly this address. It adds no TLS: the client does.
#[async_trait]
pub trait Dial: Send + Sync + 'static {
    /// A connection to the address.
    async fn dial(&self, address: SocketAddr) -> io::Result<Connection>;
}

/// Plain TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

#[async_trait]
impl Dial for Tcp {
    #[expect(clippy::disallowed_methods, reason = "the one place that connects: the address has been checked")]
    async fn dial(&self, address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

/// Tries the addresses in turn and takes the first that answers. Each has a head start before the next, which is over at
/// once when it fails (RFC 8305 §5). Whoever owns a name says how many addresses it has, so only a few are tried.
pub(crate) async fn first(dial: &Arc<dyn Dial>, addresses: &[SocketAddr]) -> io::Result<(SocketAddr, Connection)> {
    let mut waiting = by_turns(addresses);
    waiting.truncate(MOST_CONNECT);
    let mut waiting = waiting.into_iter();
    let mut attempts = JoinSet::new();
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address to connect to");
    loop {
        if let Some(address) = waiting.next() {
            let dial = Arc::clone(dial);
            attempts.spawn(async move { dial.dial(address).await.map(|stream| (address, stream)) });
        }
        let attempt = match waiting.len() {
            0 => attempts.join_next().await,
            _ => match timeout(HEAD_START, attempts.join_next()).await {
                Ok(attempt) => attempt,
                Err(_) => continue,
            },
        };
        match attempt {
            None => return Err(last),
            Some(Ok(Ok(connected))) => return Ok(connected),
            Some(Ok(Err(error))) => last = error,
            Some(Err(error)) => last = io::Error::other(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let all: Vec<SocketAddr> =
            ["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(by_turns(&all), [all[2], all[0], all[1]]);
    }
}
