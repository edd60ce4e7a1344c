//! One thread of the proxy: its listeners, its connections, its idle connections to origins.
//!
//! Promises: connections are bounded before they cost anything, and when every place is taken, one that has not said its
//! request makes way for the next; running out of file descriptors slows accepting down and never ends it; a panic ends
//! one connection; when the process stops, waiting connections end at once, requests finish, tunnels go on until the
//! stage's time is over. Start reading at [`Worker::run`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aiva_chassis::panic::{self, Entry, Place as Site};
use aiva_chassis::shutdown::Stop;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::Settings;
use super::answer::Answer;
use super::connection::{Connection, Onward};
use super::handles::{Handles, Registration, Threads};
use super::http2;
use super::judge::{Dial, Judge, Peer};
use super::limits::{Full, Limits, Place};
use super::metrics::Counters;
use super::pool::Pool;
use super::preface;
use super::stranger::Stranger;
use super::stream::Stream;
use super::tls::Tls;
use crate::caller::Certificate;
use crate::tunnel::relay::End;

/// How often idle connections to origins are looked through.
const SWEEP: Duration = Duration::from_secs(10);

/// How long connections have to say goodbye when the stage's time is over.
const GOODBYE: Duration = Duration::from_millis(100);

/// How often, and how long after one another, it is looked for the place of one that makes way.
const MOST_LOOKS: usize = 1000;
const LOOK_AGAIN: Duration = Duration::from_millis(1);

const FIRST_WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What all threads share.
pub struct Shared {
    /// The bounds.
    pub settings: Settings,
    /// Who judges.
    pub judge: Arc<dyn Judge>,
    /// Who connects.
    pub dial: Arc<dyn Dial>,
    /// What is in use.
    pub limits: Arc<Limits>,
    /// What is counted.
    pub counters: &'static Counters,
    /// The connections of every thread.
    pub threads: Threads,
}

/// One thread's own.
pub struct Worker {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// Idle connections to origins.
    pub pool: Pool,
    handles: Arc<Handles>,
    stopping: AtomicBool,
}

/// What a thread accepts from.
pub enum Listening {
    /// TCP, with TLS where there is any.
    Tcp(TcpListener, Option<Arc<Tls>>),
    /// A socket in the file system.
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

/// A connection that was just accepted.
enum Accepted {
    Tcp(TcpStream, SocketAddr, Option<Arc<Tls>>),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Worker {
    /// Nothing is open.
    pub fn new(shared: Arc<Shared>) -> Arc<Self> {
        let (pool, handles) = (Pool::default(), shared.threads.begin());
        Arc::new(Self { shared, pool, handles, stopping: AtomicBool::new(false) })
    }

    /// Whether the process is going down: no connection is kept for another request.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Serves until the stop begins and everything has ended or was cut off.
    pub async fn run(self: Arc<Self>, listening: Vec<Listening>, stop: Stop) {
        // The drain waits for what is open, and cuts it when the stage's time is over.
        let _work = stop.work(super::NAME);
        let accepting = futures_util::future::join_all(listening.into_iter().map(|one| self.accept(one, &stop)));
        tokio::select! {
            _ = accepting => {}
            () = self.keep_house() => {}
            () = self.watch_policy() => {}
        }
        self.stopping.store(true, Ordering::Relaxed);
        self.handles.end_idle();
        tokio::select! {
            () = self.handles.closed() => {}
            // A new policy counts for the tunnels that are left.
            () = self.watch_policy() => {}
            () = stop.cut() => {
                self.handles.end_all();
                let _left = timeout(GOODBYE, self.handles.closed()).await;
            }
        }
    }

    async fn keep_house(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.pool.sweep();
        }
    }

    async fn watch_policy(&self) {
        let mut version = 0;
        loop {
            version = self.shared.judge.changed(version).await;
            self.pool.clear();
            self.shared.counters.forbidden.inc_by(self.handles.end_forbidden() as u64);
        }
    }

    async fn accept(self: &Arc<Self>, listening: Listening, stop: &Stop) {
        let mut wait = FIRST_WAIT;
        loop {
            let Some(accepted) = stop.until(listening.accept()).await else { return };
            match accepted {
                Ok(accepted) => {
                    wait = FIRST_WAIT;
                    self.take(accepted, stop).await;
                }
                Err(error) => wait = recover(&error, wait, stop).await,
            }
        }
    }

    /// Gives a connection its place and its task.
    async fn take(self: &Arc<Self>, accepted: Accepted, stop: &Stop) {
        let counters = self.shared.counters;
        counters.connections.inc();
        let from = accepted.source();
        let place = match self.place(from, stop).await {
            Ok(place) => place,
            Err(full) => {
                counters.full(full);
                accepted.turn_away(&full_answer(full));
                return;
            }
        };
        // Before the task runs: the next newcomer may need its place.
        let registration = self.handles.register();
        let worker = Arc::clone(self);
        tokio::spawn(async move {
            let site = || {
                Site::new("egress").with("client", from.map_or_else(|| "local".to_owned(), |at| at.ip().to_string()))
            };
            // What is contained has been logged and counted.
            let _contained = panic::catch(Entry::Tunnel, site, worker.serve(accepted, place, registration)).await;
        });
    }

    /// A place, if need be that of a connection that has not said its request yet: it makes way for one that may have something
    /// to say.
    async fn place(&self, from: Option<SocketAddr>, stop: &Stop) -> Result<Place, Full> {
        let limits = &self.shared.limits;
        let full = match limits.enter() {
            Ok(place) => return Ok(place),
            Err(full) => full,
        };
        // A source that has all its places must not have others thrown out.
        if !from.is_none_or(|from| limits.has_room_for(from.ip())) || !self.shared.threads.make_way() {
            return Err(full);
        }
        self.shared.counters.made_way.inc();
        // Whoever makes way may be another thread's, and that one busy: the others wait in the system's queue meanwhile.
        for _ in 0..MOST_LOOKS {
            if let Ok(place) = limits.enter_instead() {
                return Ok(place);
            }
            if !stop.sleep(LOOK_AGAIN).await {
                break;
            }
        }
        Err(full)
    }

    async fn serve(self: Arc<Self>, accepted: Accepted, place: Place, registration: Registration) {
        let counters = self.shared.counters;
        counters.open.inc();
        let _open = Open(counters);
        // Boxed, so that nothing of the requests is left in memory while a tunnel is carried.
        let served = Box::pin(self.requests(accepted, &registration, place)).await;
        let handle = &registration.handle;
        match served {
            Some((mut stream, Onward::Tunnel(tunnel), _, _place)) => {
                let ended = async {
                    handle.ended().await;
                    End::Ended
                };
                tunnel.carry(&mut stream, handle, counters, ended).await;
            }
            Some((stream, Onward::Http2(inbox), peer, _place)) => {
                // Boxed for the same reason.
                Box::pin(http2::serve(&self, stream, inbox, &peer, handle)).await;
            }
            None => {}
        }
    }

    /// One more thing of this thread that can be told to end.
    pub fn register(&self) -> Registration {
        self.handles.register()
    }

    async fn requests(
        &self,
        accepted: Accepted,
        registration: &Registration,
        mut place: Place,
    ) -> Option<(Stream, Onward, Peer, Place)> {
        let limit = self.shared.settings.head_timeout;
        let (mut stream, peer) = tokio::select! {
            greeted = timeout(limit, self.greet(accepted)) => match greeted {
                Ok(greeted) => greeted?,
                Err(_) => {
                    self.shared.counters.slow.inc();
                    return None;
                }
            },
            () = registration.handle.ended() => return None,
        };
        if let Some(Err(full)) = peer.address.map(|source| place.name(source.ip())) {
            self.shared.counters.full(full);
            // A client that does not hear it has gone.
            let _sent = timeout(limit, tokio::io::AsyncWriteExt::write_all(&mut stream, &full_answer(full))).await;
            return None;
        }
        let handle = &registration.handle;
        let connection = Connection { worker: self, peer: &peer, handle, stream: &mut stream, inbox: Vec::new() };
        let onward = connection.serve().await?;
        Some((stream, onward, peer, place))
    }

    /// Finds out who is there: the balancer's preface, the TLS handshake, the user behind a local socket.
    async fn greet(&self, accepted: Accepted) -> Option<(Stream, Peer)> {
        let (mut stream, address, tls) = match accepted {
            Accepted::Tcp(stream, address, tls) => (stream, address, tls),
            #[cfg(unix)]
            Accepted::Unix(stream) => {
                let user = stream.peer_cred().ok().map(|credentials| credentials.uid());
                return Some((Stream::Unix(stream), Peer { user, ..Peer::default() }));
            }
        };
        let address = match self.shared.settings.balancers.holds(address.ip()) {
            true => match prefaced(&mut stream).await {
                Ok(source) => source.unwrap_or(address),
                Err(stranger) => {
                    self.shared.counters.stranger(stranger, address);
                    return None;
                }
            },
            false => address,
        };
        let mut peer = Peer { address: Some(address), ..Peer::default() };
        let Some(tls) = tls else { return Some((Stream::Tcp(stream), peer)) };
        let stream = match tls.acceptor().accept(stream).await {
            Ok(stream) => stream,
            Err(error) => {
                self.shared.counters.stranger(Stranger::of(&error), address);
                return None;
            }
        };
        let certificates = stream.get_ref().1.peer_certificates();
        peer.certificate =
            certificates.and_then(<[_]>::first).map(|certificate| Arc::new(Certificate::read(certificate)));
        Some((Stream::Tls(Box::new(stream)), peer))
    }
}

/// Whom the balancer speaks for; `None` when it speaks for itself. Whoever only looks whether somebody listens has not refused
/// to say it.
async fn prefaced(stream: &mut TcpStream) -> Result<Option<SocketAddr>, Stranger> {
    let mut bytes = Vec::new();
    loop {
        match preface::read(&bytes) {
            preface::Reading::Complete { source, .. } => return Ok(source),
            preface::Reading::Malformed => return Err(Stranger::NoPreface),
            preface::Reading::Incomplete => {}
        }
        // Byte by byte up to its end: what follows belongs to the request or to TLS.
        bytes.push(stream.read_u8().await.map_err(|_| Stranger::Broken)?);
    }
}

struct Open(&'static Counters);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}

/// What is said when there is no place.
pub fn full(full: Full) -> Answer {
    let detail = "the egress proxy has no place for another connection: try again";
    Answer::failed(503, full.word(), detail, "connection_limit_reached").retry_after(1)
}

fn full_answer(reason: Full) -> Vec<u8> {
    full(reason).bytes(false, false)
}

impl Listening {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener, tls) => {
                let (stream, address) = listener.accept().await?;
                #[cfg(not(target_os = "linux"))]
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream, address, tls.clone()))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

impl Accepted {
    fn source(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, address, _) => Some(*address),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// Says this and closes, as far as it goes without waiting: there is no place for a task either.
    fn turn_away(self, bytes: &[u8]) {
        match self {
            // Nothing readable can be said before the handshake.
            Self::Tcp(_, _, Some(_)) => {}
            Self::Tcp(stream, _, None) => {
                let _sent = stream.try_write(bytes);
                unread(|buffer| stream.try_read(buffer));
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                let _sent = stream.try_write(bytes);
                unread(|buffer| stream.try_read(buffer));
            }
        }
    }
}

/// Reads what has come, as long as it is not more than a request: closing before would make the system throw the answer away.
fn unread(read: impl Fn(&mut [u8]) -> io::Result<usize>) {
    let mut buffer = [0; 4096];
    for _ in 0..4 {
        if !read(&mut buffer).is_ok_and(|length| length == buffer.len()) {
            return;
        }
    }
}

/// Waits after a failed accept; how long to wait next time. A client that gave up early is no reason to wait.
async fn recover(error: &io::Error, wait: Duration, stop: &Stop) -> Duration {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, InvalidInput, NotConnected};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | NotConnected | InvalidInput) {
        return FIRST_WAIT;
    }
    tracing::warn!(%error, wait_ms = wait.as_millis(), "the egress proxy cannot accept connections");
    stop.sleep(wait).await;
    (wait * 2).min(LONGEST_WAIT)
}
