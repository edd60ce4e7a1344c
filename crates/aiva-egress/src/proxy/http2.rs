//! A client that speaks HTTP/2: many tunnels over one connection (RFC 9113 section 8.5).
//!
//! Promises: each stream is judged, recorded and bounded like a connection of its own, and takes a place like one; a refusal
//! is said on its stream and disturbs no other; what waits to be written is bounded for each stream, and nothing is read for
//! a stream that nobody takes; who resets streams or sends control frames for their own sake is cut off and counted. Only
//! CONNECT is served; extended CONNECT (RFC 8441) is not offered, and a stream that asks for it is reset. The protocol itself is
//! read by the `h2` crate.
//!
//! Start reading at [`serve`]; one stream's way is in [`tunnel`].

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use aiva_chassis::panic::{self, Entry, Place as Site};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Error, Reason, RecvStream};
use http::Request;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use super::handles::Handle;
use super::judge::Peer;
use super::stream::Stream;
use super::worker::Worker;

pub mod frames;
mod link;
mod tunnel;

use frames::{Flood, Watched};
use tunnel::Ended;

/// The first line of a client's preface, which looks like a head.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// How many tunnels a connection carries at once.
const MOST_STREAMS: u32 = 128;

/// What a client may send ahead on one stream, and on all of them.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What may wait to be written on one stream.
const STREAM_BUFFER: usize = 32 * 1024;

/// A CONNECT has few fields.
const MOST_HEADERS: u32 = 16 * 1024;

/// Streams that a client resets before they were accepted, and streams that we reset for its mistakes.
const MOST_RESETS: usize = 32;

/// So many streams may be left before they were answered, besides half of all.
const EARLY_RESETS: u64 = 64;

/// How long the other side has to take the last words.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long the connection of somebody who was cut off stays open after the last word. Closed with bytes unread it is reset, and the client
/// may fail on that before it has read why.
const HEARD: Duration = Duration::from_millis(100);

/// Why a connection was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abuse {
    /// Streams were begun and reset, again and again (CVE-2023-44487).
    RapidReset,
    /// Frames that ask for an answer and for nothing else.
    ControlFrames,
    /// What the protocol's own limits forbid: endless header blocks, empty frames, resets that pile up.
    Protocol,
}

impl Abuse {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::RapidReset, Self::ControlFrames, Self::Protocol];

    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RapidReset => "rapid-reset",
            Self::ControlFrames => "control-frames",
            Self::Protocol => "protocol",
        }
    }
}

type Streams<'w> = FuturesUnordered<BoxFuture<'w, Ended>>;
type Served = Connection<Watched, Bytes>;

/// Serves a connection until it ends. `inbox` is what was read of it.
pub async fn serve(worker: &Worker, stream: Stream, inbox: Vec<u8>, peer: &Peer, handle: &Handle) {
    let counters = worker.shared.counters;
    counters.http2.inc();
    let (io, flood) = Watched::new(stream, inbox);
    let shaken = timeout(worker.shared.settings.head_timeout, builder().handshake(io)).await;
    let Ok(Ok(connection)) = shaken else { return };
    let session = Session { worker, peer, handle, flood, streams: FuturesUnordered::new(), begun: 0, left: 0 };
    if let Some(abuse) = session.run(connection).await {
        counters.abused(abuse);
        tracing::debug!(client = ?peer.address, reason = abuse.word(), "an HTTP/2 connection was cut off");
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MOST_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(STREAM_BUFFER)
        .max_header_list_size(MOST_HEADERS)
        .max_concurrent_reset_streams(MOST_RESETS)
        .max_pending_accept_reset_streams(MOST_RESETS)
        .max_local_error_reset_streams(Some(MOST_RESETS));
    builder
}

struct Session<'w> {
    worker: &'w Worker,
    peer: &'w Peer,
    handle: &'w Handle,
    flood: Flood,
    streams: Streams<'w>,
    begun: u64,
    left: u64,
}

enum Event {
    Begun(Box<Request<RecvStream>>, SendResponse<Bytes>),
    Ended(Ended),
    /// It broke, or ended in order.
    Closed(Option<Error>),
    /// Somebody wants it to end.
    Told,
    /// No stream was open for long.
    Idle,
    Flooded,
}

impl<'w> Session<'w> {
    /// Runs to the end; why it was cut off, where it was.
    async fn run(mut self, mut connection: Served) -> Option<Abuse> {
        let keep_alive = self.worker.shared.settings.keep_alive;
        let mut idle = pin!(sleep_until(Instant::now() + keep_alive));
        let (mut told, mut abuse) = (false, None);
        self.handle.waits();
        loop {
            match self.next(&mut connection, idle.as_mut(), told).await {
                Event::Begun(request, respond) => self.begin(*request, respond, &mut connection),
                Event::Ended(ended) => {
                    self.left += u64::from(ended == Ended::LeftEarly);
                    if self.left > EARLY_RESETS + self.begun / 2 {
                        abuse = Some(Abuse::RapidReset);
                    }
                    if self.streams.is_empty() {
                        idle.as_mut().reset(Instant::now() + keep_alive);
                        self.handle.waits();
                    }
                }
                Event::Flooded => abuse = Some(Abuse::ControlFrames),
                // What is open goes on until it ends or is told to.
                Event::Told | Event::Idle => {
                    told = true;
                    connection.graceful_shutdown();
                }
                Event::Closed(error) => {
                    let ours = error.as_ref().is_some_and(|error| {
                        error.is_library() && error.reason().is_some_and(|reason| reason != Reason::NO_ERROR)
                    });
                    abuse = abuse.or(ours.then_some(Abuse::Protocol));
                    break;
                }
            }
            let over = told && self.streams.is_empty();
            if abuse.is_some() || over {
                connection.abrupt_shutdown(if over { Reason::NO_ERROR } else { Reason::ENHANCE_YOUR_CALM });
                let closed = poll_fn(|context| connection.poll_closed(context));
                let _said = timeout(GOODBYE, closed).await;
                if abuse.is_some() {
                    sleep(HEARD).await;
                }
                break;
            }
        }
        // Every stream sees that its connection is gone, and says how it ended.
        drop(connection);
        let _all = timeout(GOODBYE, async { while self.streams.next().await.is_some() {} }).await;
        abuse
    }

    async fn next(&mut self, connection: &mut Served, mut idle: std::pin::Pin<&mut Sleep>, told: bool) -> Event {
        poll_fn(|context| {
            match connection.poll_accept(context) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    return Poll::Ready(Event::Begun(Box::new(request), respond));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Event::Closed(Some(error))),
                Poll::Ready(None) => return Poll::Ready(Event::Closed(None)),
                Poll::Pending => {}
            }
            if self.flood.is_flooded() {
                return Poll::Ready(Event::Flooded);
            }
            if let Poll::Ready(Some(ended)) = self.streams.poll_next_unpin(context) {
                return Poll::Ready(Event::Ended(ended));
            }
            if !told && self.handle.poll_ended(context).is_ready() {
                return Poll::Ready(Event::Told);
            }
            if !told && self.streams.is_empty() && idle.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Idle);
            }
            Poll::Pending
        })
        .await
    }

    fn begin(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>, connection: &mut Served) {
        self.begun += 1;
        // If it was told to end, this is one of its last streams.
        let _goes_on = self.handle.is_busy();
        if self.worker.is_stopping() {
            // This one is still served; the client learns to begin no more.
            connection.graceful_shutdown();
        }
        let (worker, peer) = (self.worker, self.peer);
        let site = move || {
            Site::new("egress")
                .with("client", peer.address.map_or_else(|| "local".to_owned(), |at| at.ip().to_string()))
        };
        self.streams.push(Box::pin(async move {
            let serving = tunnel::serve(worker, peer, request, respond);
            // What is contained has been logged and counted.
            panic::catch(Entry::Tunnel, site, serving).await.unwrap_or(Ended::Done)
        }));
    }
}
