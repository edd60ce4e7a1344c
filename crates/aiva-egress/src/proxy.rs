//! The forward proxy: HTTP/1.1 in absolute form, CONNECT (HTTP/2 too) and SOCKS5, in front of a judge.
//!
//! Promises: what is forwarded was judged, and goes to an address of its ruling and to no other; every message is read
//! strictly and written anew; a refusal is legible and cannot be mistaken for the origin's; memory, connections and time
//! are bounded. It knows no policy: see [`judge`].
//!
//! - [`head`], [`body`], [`preface`], [`fault`]: pure readers of bytes; [`write`] and [`answer`]: pure writers;
//! - [`pump`], [`exchange`], [`connect`], [`upstream`], [`pool`], [`buffer`]: bytes on their way;
//! - [`connection`], [`http2`], [`worker`]: a client's connection, and a thread of them.
//!
//! Start reading at [`Proxy::bind`]; a request's way begins in [`connection`].

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aiva_chassis::shutdown::supervisor::{Policy, Supervisor};
use aiva_chassis::shutdown::{Stage, Stop};
use aiva_outbound::Prefix;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

pub mod ahead;
pub mod answer;
pub mod body;
pub mod buffer;
pub mod connect;
pub mod connection;
pub mod exchange;
pub mod fault;
pub mod files;
pub mod handles;
pub mod head;
pub mod http2;
pub mod interfaces;
pub mod judge;
pub mod limits;
pub mod metrics;
pub mod origin;
pub mod pool;
pub mod preface;
pub mod pump;
pub mod socks;
pub mod stranger;
pub mod stream;
pub mod tls;
pub mod upstream;
pub mod worker;
pub mod write;

use handles::Threads;
use judge::{Dial, Judge};
use limits::{Limits, Most};
use metrics::Counters;
use tls::Tls;
use worker::{Listening, Shared, Worker};

/// An address that the proxy cannot listen on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct NotBound {
    /// Which one.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// What a drain that had to cut it off calls it.
const NAME: &str = "egress-proxy";

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// The bounds of the proxy itself; those of a request come with its ruling.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a client may take for a request's head, a TLS handshake or a balancer's preface.
    pub head_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub keep_alive: Duration,
    /// What the clients together may hold.
    pub most: Most,
    /// Who must say by the PROXY protocol for whom it calls.
    pub balancers: Balancers,
    /// How many threads; each has a listener of its own on the same port.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
            most: Most { connections: 16_384, per_source: 4096, head_bytes: 32 << 20 },
            balancers: Balancers::default(),
            threads: std::thread::available_parallelism().map_or(1, usize::from).min(16),
        }
    }
}

impl Settings {
    /// The default, with as many connections as this process may have file descriptors for, and no more: a client that opens
    /// too many is told so, instead of leaving none for the others' origins and for the rest of the process.
    pub fn system() -> Self {
        let mut settings = Self::default();
        if let Some(files) = files::raise() {
            settings.most.connections = settings.most.connections.min(connections(files));
        }
        settings
    }
}

/// File descriptors for everything but connections and their origins.
const RESERVED_FILES: usize = 256;

/// How many connections these files are enough for: each has its origin's as well.
const fn connections(files: usize) -> usize {
    let most = files.saturating_sub(RESERVED_FILES) / 2;
    if most < 16 { 16 } else { most }
}

/// The balancers in front of the proxy.
#[derive(Debug, Clone, Default)]
pub struct Balancers(pub Vec<Prefix>);

impl Balancers {
    /// Whether this address is one of them.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.0.iter().any(|block| block.contains(address))
    }
}

/// One address to listen on.
#[derive(Clone)]
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// With TLS, where there is any.
    pub tls: Option<Arc<Tls>>,
}

/// A proxy whose ports are bound and not yet served.
pub struct Proxy {
    shared: Arc<Shared>,
    listens: Vec<Listen>,
    #[cfg(unix)]
    local: Option<std::path::PathBuf>,
    /// The first thread's, listening from the start: whoever is told the address can connect to it.
    first: Mutex<Vec<std::net::TcpListener>>,
}

impl Proxy {
    /// Binds the ports and listens; port 0 takes a free one. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When one cannot be bound.
    pub fn bind(
        settings: Settings,
        listens: Vec<Listen>,
        judge: Arc<dyn Judge>,
        dial: Arc<dyn Dial>,
    ) -> Result<Self, NotBound> {
        let mut bound = Vec::with_capacity(listens.len());
        let mut first = Vec::with_capacity(listens.len());
        for listen in listens {
            let listening = || {
                // Sharing a port is for our own threads: somebody else who listens there must be an error, not a rival.
                plain(listen.address)?.bind(listen.address)?;
                let socket = socket(listen.address)?;
                Ok((socket.local_addr()?, socket.listen(BACKLOG)?.into_std()?))
            };
            let (address, listener) = listening().map_err(|source| NotBound { address: listen.address, source })?;
            bound.push(Listen { address, ..listen });
            first.push(listener);
        }
        let limits = Limits::new(settings.most);
        let (counters, threads) = (Counters::get(), Threads::default());
        let shared = Arc::new(Shared { settings, judge, dial, limits, counters, threads });
        Ok(Self {
            shared,
            listens: bound,
            #[cfg(unix)]
            local: None,
            first: Mutex::new(first),
        })
    }

    /// Listens on a socket in the file system as well; its peers are known by their user id.
    #[cfg(unix)]
    #[must_use]
    pub fn local(mut self, path: std::path::PathBuf) -> Self {
        self.local = Some(path);
        self
    }

    /// The addresses that were bound, in the order in which they were asked for.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listens.iter().map(|listen| listen.address).collect()
    }

    /// Serves on threads of its own, until the shutdown's first stage.
    pub fn start(self, supervisor: &Supervisor) {
        let this = Arc::new(self);
        supervisor.spawn(NAME, Policy::service(Stage::Edge), move |stop| {
            let this = Arc::clone(&this);
            async move { this.threads(stop).await }
        });
    }

    /// Serves on the caller's runtime: for tests, and for a program that brings its own.
    ///
    /// # Errors
    /// When the sockets cannot listen.
    pub async fn serve(self, stop: Stop) -> io::Result<()> {
        let listening = self.listening(0)?;
        Worker::new(self.shared).run(listening, stop).await;
        Ok(())
    }

    async fn threads(self: Arc<Self>, stop: Stop) -> io::Result<()> {
        let mut ends = Vec::new();
        for index in 0..self.shared.settings.threads.max(1) {
            let (this, stop) = (Arc::clone(&self), stop.clone());
            let (done, end) = oneshot::channel();
            std::thread::Builder::new().name(format!("egress-{index}")).spawn(move || {
                // The other side only goes away when the stage's time is over.
                let _told = done.send(this.thread(index, stop));
            })?;
            ends.push(end);
        }
        for end in ends {
            // A thread that is gone without a word has panicked outside of every connection.
            end.await.unwrap_or_else(|_| Err(io::Error::other("a thread of the egress proxy panicked")))?;
        }
        Ok(())
    }

    fn thread(&self, index: usize, stop: Stop) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = runtime.block_on(async {
            let listening = self.listening(index)?;
            Worker::new(Arc::clone(&self.shared)).run(listening, stop).await;
            Ok(())
        });
        runtime.shutdown_background();
        served
    }

    /// The listeners of one thread.
    fn listening(&self, index: usize) -> io::Result<Vec<Listening>> {
        let mut listening = Vec::new();
        // Once only: a thread that is started again needs sockets of its own.
        let mut first = match index {
            0 => std::mem::take(&mut *self.first.lock().unwrap_or_else(PoisonError::into_inner)),
            _ => Vec::new(),
        }
        .into_iter();
        for listen in &self.listens {
            let listener = match first.next() {
                Some(listener) => TcpListener::from_std(listener)?,
                None => socket(listen.address)?.listen(BACKLOG)?,
            };
            listening.push(Listening::Tcp(listener, listen.tls.clone()));
        }
        #[cfg(unix)]
        if let Some(path) = self.local.as_ref().filter(|_| index == 0) {
            listening.push(Listening::Unix(local(path)?));
        }
        Ok(listening)
    }
}

fn plain(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // On Linux what is accepted from it has it too.
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// A socket that shares its port with those of the other threads.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = plain(address)?;
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Replaces the socket that an earlier process left behind.
#[cfg(unix)]
fn local(path: &std::path::Path) -> io::Result<tokio::net::UnixListener> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "is there and is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = tokio::net::UnixListener::bind(path)?;
    // Who may connect is decided by user, by the judge.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_has_a_file_for_its_origin_and_some_are_left() {
        for (files, want) in [(1024, 384), (20_256, 10_000), (256, 16), (0, 16)] {
            assert_eq!(connections(files), want, "{files}");
        }
    }
}
