//! Opens a connection to one of the checked addresses, the quickest of both families.
//!
//! Promises: only addresses of the set, each at most once, at most [`MOST_TRIED`] of them (whoever owns a name says how many
//! it has); each has a head start before the next is tried as well, which is over at once when it fails (RFC 8305).

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::judge::Dial;

/// How long one address may take before the next is tried as well (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// How many addresses of one name are tried.
pub const MOST_TRIED: usize = 8;

type Attempt<'d> = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'd>>;

/// A connection to one of `allowed`.
///
/// # Errors
/// The last failure when all of them fail; [`io::ErrorKind::TimedOut`] after `limit`.
pub async fn connect(dial: &dyn Dial, allowed: &[SocketAddr], limit: Duration) -> io::Result<(SocketAddr, TcpStream)> {
    let ends = Instant::now() + limit;
    let mut waiting = interleave(allowed).into_iter().take(MOST_TRIED).peekable();
    let mut attempts: Vec<(SocketAddr, Attempt<'_>)> = Vec::new();
    let mut timer = pin!(sleep_until(ends));
    let mut last: io::Error = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address to connect to");
    let mut start = true;
    poll_fn(move |context| {
        loop {
            if std::mem::take(&mut start) {
                if let Some(address) = waiting.next() {
                    attempts.push((address, dial.dial(address)));
                }
                let next = Instant::now() + HEAD_START;
                timer.as_mut().reset(if waiting.peek().is_some() { next.min(ends) } else { ends });
            }
            let mut index = 0;
            while let Some((address, attempt)) = attempts.get_mut(index) {
                match attempt.as_mut().poll(context) {
                    Poll::Pending => index += 1,
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok((*address, stream))),
                    Poll::Ready(Err(error)) => {
                        last = error;
                        start = true;
                        drop(attempts.swap_remove(index));
                    }
                }
            }
            if attempts.is_empty() && waiting.peek().is_none() {
                let failed = std::mem::replace(&mut last, io::ErrorKind::Other.into());
                return Poll::Ready(Err(failed));
            }
            if start && waiting.peek().is_some() {
                continue;
            }
            start = false;
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= ends {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            start = true;
        }
    })
    .await
}

/// IPv6 and IPv4 by turns (RFC 8305 section 4), each in the order of the answer.
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<&SocketAddr>, Vec<&SocketAddr>) = addresses.iter().partition(|address| address.is_ipv6());
    let longest = v6.len().max(v4.len());
    (0..longest).flat_map(|index| [v6.get(index), v4.get(index)]).flatten().copied().copied().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use tokio::net::TcpListener;

    use super::*;

    /// Fails, hangs or connects by the last octet, and notes who was asked.
    struct Script {
        asked: Mutex<Vec<u8>>,
        server: SocketAddr,
    }

    #[async_trait]
    impl Dial for Script {
        #[expect(clippy::disallowed_methods, reason = "a test's own loopback listener")]
        async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
            let SocketAddr::V4(address) = address else { return Err(io::ErrorKind::Unsupported.into()) };
            let kind = address.ip().octets()[3];
            self.asked.lock().unwrap().push(kind);
            match kind {
                0..10 => Err(io::ErrorKind::ConnectionRefused.into()),
                10..20 => std::future::pending().await,
                _ => TcpStream::connect(self.server).await,
            }
        }
    }

    async fn check(order: &[u8], want: Result<u8, io::ErrorKind>, asked: &[u8]) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let script = Script { asked: Mutex::default(), server: listener.local_addr().unwrap() };
        let allowed: Vec<SocketAddr> = order.iter().map(|last| SocketAddr::from(([192, 0, 2, *last], 80))).collect();
        let got = connect(&script, &allowed, Duration::from_secs(5)).await;
        let got = got.map(|(address, _)| address).map_err(|error| error.kind());
        assert_eq!(got, want.map(|last| SocketAddr::from(([192, 0, 2, last], 80))), "{order:?}");
        assert_eq!(*script.asked.lock().unwrap(), asked, "{order:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_that_answers_is_taken_and_no_more_are_asked_than_needed() {
        check(&[20, 21], Ok(20), &[20]).await;
        check(&[1, 20, 21], Ok(20), &[1, 20]).await;
        check(&[10, 20], Ok(20), &[10, 20]).await;
        check(&[10, 1, 20], Ok(20), &[10, 1, 20]).await;
        check(&[1, 2], Err(io::ErrorKind::ConnectionRefused), &[1, 2]).await;
        check(&[10], Err(io::ErrorKind::TimedOut), &[10]).await;
        check(&[10, 11], Err(io::ErrorKind::TimedOut), &[10, 11]).await;
        check(&[], Err(io::ErrorKind::AddrNotAvailable), &[]).await;
        check(&[1, 2, 3, 4, 5, 6, 7, 8, 20], Err(io::ErrorKind::ConnectionRefused), &[1, 2, 3, 4, 5, 6, 7, 8]).await;
    }

    #[test]
    fn families_take_turns() {
        let all: Vec<SocketAddr> =
            ["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"].iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(interleave(&all), [all[2], all[0], all[1]]);
    }
}
