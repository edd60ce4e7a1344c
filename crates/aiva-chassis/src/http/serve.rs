//! The listener: HTTP/1.1, HTTP/2 with and without TLS, on one port, under one set of limits.
//!
//! Promises: a client that sends nothing, or its headers a byte at a time, is cut off; connections are bounded; running out of
//! file descriptors slows accepting down and never ends it. On stop, no new connection is taken, idle ones are closed at
//! once, busy ones finish what they have, and what is left when the stage's time is over is cut.
//!
//! Start reading at [`Listener::serve`].

use std::{
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body};
use http::{Request, Response};
use hyper::{body::Incoming, rt, service::Service as HyperService};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::{context::Peer, tls};
use crate::{
    config::server::Server,
    panic::{self, Entry, Place},
    shutdown::Stop,
};

/// The limits of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenLimits {
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
    /// For the TLS handshake, the head of a request, and the silence between two requests.
    pub header_timeout: Duration,
    /// Streams at once on one HTTP/2 connection.
    pub streams: u32,
    /// Bytes of a request's head.
    pub head_bytes: usize,
}

impl ListenLimits {
    /// What `[server]` says.
    pub fn configured(server: &Server) -> Self {
        Self { connections: server.connections, header_timeout: server.header_timeout, ..Self::default() }
    }
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self { connections: 4096, header_timeout: Duration::from_secs(30), streams: 128, head_bytes: 64 * 1024 }
    }
}

/// A bound port, not yet served.
pub struct Listener {
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: ListenLimits,
}

impl Listener {
    /// Binds; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, tls: None, limits: ListenLimits::default() })
    }

    /// Speaks TLS only.
    #[must_use]
    pub fn tls(mut self, acceptor: TlsAcceptor) -> Self {
        self.tls = Some(acceptor);
        self
    }

    /// Other limits than the default.
    #[must_use]
    pub fn limits(mut self, limits: ListenLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The address that was bound.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the stop begins; the connections that are left register themselves with `stop` and end in their turn.
    pub async fn serve(self, router: Router, stop: Stop) {
        let _accepting = stop.work("listener");
        let seats = Arc::new(Semaphore::new(self.limits.connections));
        let server = Arc::new(builder(self.limits));
        let mut wait = FIRST_WAIT;
        loop {
            let Some(Ok(seat)) = stop.until(Arc::clone(&seats).acquire_owned()).await else { return };
            let Some(accepted) = stop.until(self.socket.accept()).await else { return };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    wait = recover(&error, wait, &stop).await;
                    continue;
                }
            };
            wait = FIRST_WAIT;
            let _refused = stream.set_nodelay(true); // a platform that cannot is slower, not wrong
            let connection = Connection {
                server: Arc::clone(&server),
                router: router.clone(),
                peer: Peer { address, tls: self.tls.is_some() },
                limits: self.limits,
                stop: stop.clone(),
            };
            let (tls, work) = (self.tls.clone(), stop.work("connection"));
            tokio::spawn(async move {
                // A handler's panic is contained further in; this is for bodies that panic while they are sent.
                let _contained =
                    panic::catch(Entry::Request, || sending(Some(address)), connection.run(stream, tls)).await;
                drop((work, seat));
            });
        }
    }
}

const FIRST_WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Waits after a failed accept; how long to wait next time. A client that gave up early is no reason to wait.
async fn recover(error: &io::Error, wait: Duration, stop: &Stop) -> Duration {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return FIRST_WAIT;
    }
    tracing::warn!(%error, wait_ms = wait.as_millis(), "cannot accept connections");
    stop.sleep(wait).await;
    (wait * 2).min(LONGEST_WAIT)
}

/// Where a body panics, whose request is over for the middleware.
fn sending(client: Option<SocketAddr>) -> Place {
    let place = Place::new("body");
    match client {
        Some(client) => place.with("client", client.ip()),
        None => place,
    }
}

/// Runs the streams of HTTP/2 connections; one that panics ends alone.
#[derive(Debug, Clone, Copy)]
struct Streams;

impl<F> rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(panic::catch(Entry::Request, || sending(None), stream));
    }
}

fn builder(limits: ListenLimits) -> auto::Builder<Streams> {
    let mut server = auto::Builder::new(Streams);
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.head_bytes.max(8192));
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    server
}

/// One connection from accept to close.
struct Connection {
    server: Arc<auto::Builder<Streams>>,
    router: Router,
    peer: Peer,
    limits: ListenLimits,
    stop: Stop,
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let Some(tls) = tls else { return self.talk(TokioIo::new(stream)).await };
        let handshake = tokio::time::timeout(self.limits.header_timeout, tls.accept(stream));
        match self.stop.until(handshake).await {
            Some(Ok(Ok(stream))) => self.talk(TokioIo::new(stream)).await,
            Some(Ok(Err(error))) => tls::log_handshake(&error),
            Some(Err(_)) | None => {}
        }
    }

    async fn talk<I>(self, stream: I)
    where
        I: rt::Read + rt::Write + Unpin + Send + 'static,
    {
        let asked = Arc::new(AtomicBool::new(false));
        let requests = Requests { router: self.router, peer: self.peer, asked: Arc::clone(&asked) };
        let mut connection = pin!(self.server.serve_connection(stream, requests));
        let mut silent = pin!(tokio::time::sleep(self.limits.header_timeout));
        let mut watching_silence = true;
        let mut stopping = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error = %super::problem::Chain(error.as_ref()), "connection ended");
                    }
                    return;
                }
                () = self.stop.cut() => return,
                () = self.stop.begun(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                // The first bytes decide between HTTP/1 and 2; hyper itself would wait for them for ever.
                () = silent.as_mut(), if watching_silence => {
                    watching_silence = false;
                    if !asked.load(Ordering::Relaxed) {
                        return;
                    }
                }
            }
        }
    }
}

/// Hands the requests of one connection to the router.
struct Requests {
    router: Router,
    peer: Peer,
    asked: Arc<AtomicBool>,
}

impl HyperService<Request<Incoming>> for Requests {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        self.asked.store(true, Ordering::Relaxed);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer);
        Answer(self.router.clone().call(request))
    }
}

/// The answer to one request; a name for the router's future.
struct Answer(<Router as Service<Request<Body>>>::Future);

impl Future for Answer {
    type Output = Result<Response<Body>, std::convert::Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}
