//! A real proxy on loopback between a client that a test plays and an origin that it scripts.
//!
//! The judge is the engine over a resolver of the test's choice. Every checked address is connected to the one origin, and
//! kept: a test asks which addresses were dialled.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aiva_chassis::shutdown::{Shutdown, Stage as Stopping};
use aiva_egress::proxy::answer::Answer;
use aiva_egress::proxy::judge::{Allowed, Ask, Bounds, Dial, Finished, Judge, Permit, Presented, Ruling};
use aiva_egress::proxy::{Listen, Proxy, Settings};
use aiva_egress::tunnel::inspect::Inspection;
use aiva_outbound::policy::Policy;
use aiva_outbound::resolve::Resolver;
use aiva_outbound::{Engine, Outcome, Question, Target};
use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a test waits for what must come; nothing is measured with it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Everything of one test.
pub(crate) struct Stage {
    pub(crate) proxy: SocketAddr,
    dialled: Arc<Mutex<Vec<IpAddr>>>,
    shutdown: Shutdown,
}

impl Stage {
    /// A proxy with these bounds under this policy, in front of this origin.
    pub(crate) async fn start(
        resolver: Arc<dyn Resolver>,
        policy: Policy,
        settings: Settings,
        bounds: Bounds,
        origin: SocketAddr,
    ) -> Self {
        let judge = Judging { engine: Engine::default(), resolver, policy, bounds };
        Self::judged(Arc::new(judge), settings, origin).await
    }

    /// A proxy that asks this judge.
    pub(crate) async fn judged(judge: Arc<dyn Judge>, settings: Settings, origin: SocketAddr) -> Self {
        let dialled = Arc::new(Mutex::new(Vec::new()));
        let dial = OneOrigin { origin, dialled: Arc::clone(&dialled) };
        let listen = Listen { address: (Ipv4Addr::LOCALHOST, 0).into(), tls: None };
        let proxy = Proxy::bind(settings, vec![listen], judge, Arc::new(dial)).unwrap();
        let address = proxy.addresses()[0];
        let shutdown = Shutdown::new();
        let stop = shutdown.stop(Stopping::Edge);
        let (listening, listens) = tokio::sync::oneshot::channel();
        // The proxy's futures stay on their thread, as in the program; it goes with the test's process.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let served = proxy.serve(stop);
                tokio::pin!(served);
                // Its first poll listens.
                tokio::select! { biased; _ = &mut served => return, () = async {} => {} }
                let _heard = listening.send(());
                served.await.unwrap();
            });
        });
        listens.await.unwrap();
        Self { proxy: address, dialled, shutdown }
    }

    /// The addresses that were connected to.
    pub(crate) fn dialled(&self) -> Vec<IpAddr> {
        self.dialled.lock().unwrap().clone()
    }

    /// The process goes down.
    pub(crate) fn stop(&self) {
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move { drop(shutdown.drain(PATIENCE).await) });
    }

    /// A client of the proxy.
    pub(crate) async fn client(&self) -> Client {
        self.client_from(Ipv4Addr::LOCALHOST).await
    }

    /// A client at one of loopback's other addresses.
    pub(crate) async fn client_from(&self, source: Ipv4Addr) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((source, 0).into()).unwrap();
        let stream = socket.connect(self.proxy).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, read: Vec::new() }
    }

    /// The status of one GET by a new client.
    pub(crate) async fn get(&self, url: &str) -> u16 {
        let mut client = self.client().await;
        client.ask(url).await;
        client.answer().await.map_or(0, |answer| answer.status)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.stop(Stopping::Edge).begin();
    }
}

struct Judging {
    engine: Engine,
    resolver: Arc<dyn Resolver>,
    policy: Policy,
    bounds: Bounds,
}

impl Judging {
    async fn decide(&self, target: &Target) -> Result<Vec<SocketAddr>, Box<Answer>> {
        let verdict = self.engine.decide(&self.policy, &*self.resolver, Question::new(target)).await;
        Err(Box::new(match verdict.outcome {
            Outcome::Allowed => return Ok(verdict.connect_to),
            Outcome::Denied(denial) => Answer::denied("test", denial.reason.name(), "test", denial.to_string()),
            Outcome::Unresolved(error) => Answer::failed(502, "dns", error.to_string(), "dns_error"),
        }))
    }
}

#[async_trait]
impl Judge for Judging {
    async fn judge(&self, _who: Presented<'_>, ask: Ask<'_>) -> Ruling {
        let target = match ask.target {
            Ok(target) => target,
            Err(reason) => {
                let answer = Answer::failed(400, reason.name(), "unreadable", "http_request_error");
                return Ruling::Refuse(Box::new(answer));
            }
        };
        match self.decide(&target).await {
            Ok(connect_to) => Ruling::Allow(Box::new(Allowed {
                role: Arc::from("test"),
                target: Arc::new(target),
                connect_to,
                upstream: None,
                bounds: self.bounds,
                inspection: Inspection::default(),
                permit: Arc::new(Nobody),
            })),
            Err(answer) => Ruling::Refuse(answer),
        }
    }

    async fn changed(&self, _since: u64) -> u64 {
        std::future::pending().await
    }
}

struct Nobody;

impl Permit for Nobody {
    fn id(&self) -> String {
        "test".to_owned()
    }

    fn holds(&self, _connected: SocketAddr) -> bool {
        true
    }

    fn allows_name(&self, _name: &str) -> bool {
        true
    }

    fn finish(&self, _finished: &Finished) {}
}

struct OneOrigin {
    origin: SocketAddr,
    dialled: Arc<Mutex<Vec<IpAddr>>>,
}

#[async_trait]
impl Dial for OneOrigin {
    #[expect(clippy::disallowed_methods, reason = "to the test's own origin on loopback, whatever the address")]
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.dialled.lock().unwrap().push(address.ip());
        TcpStream::connect(self.origin).await
    }
}

/// A client that says what a test wants it to.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

/// What a client was answered.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    /// A field of the head.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Client {
    /// Sends bytes; a proxy that has hung up shows when its answer is read.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.stream.write_all(bytes.as_ref()).await);
    }

    /// Sends a GET.
    pub(crate) async fn ask(&mut self, url: &str) {
        let host = url.split('/').nth(2).unwrap();
        self.send(format!("GET {url} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    }

    async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        matches!(read.expect("the proxy answers or hangs up"), Ok(1..))
    }

    /// The next answer with its body; `None` when the proxy hung up.
    pub(crate) async fn answer(&mut self) -> Option<Heard> {
        let end = loop {
            match self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if self.more().await => {}
                None => return None,
            }
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap();
        let mut heard = Heard { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body: Vec::new() };
        let length = heard.field("content-length").map_or(0, |length| length.parse().unwrap());
        while self.read.len() < length {
            if !self.more().await {
                return None;
            }
        }
        heard.body = self.read.drain(..length).collect();
        Some(heard)
    }
}

/// An origin that does with each connection what it is told; it ends when it is dropped.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Origin {
    /// Serves every connection so.
    pub(crate) async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                served.spawn(serve(stream));
            }
        });
        Self { address, _tasks: tasks }
    }

    /// Answers every request head with `ok` and keeps what it got.
    pub(crate) async fn keeping() -> (Self, Arc<Mutex<Vec<String>>>) {
        let kept: Arc<Mutex<Vec<String>>> = Arc::default();
        let shared = Arc::clone(&kept);
        let origin = Self::start(move |stream| answer_all(stream, Arc::clone(&shared))).await;
        (origin, kept)
    }
}

async fn answer_all(mut stream: TcpStream, kept: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            kept.lock().unwrap().push(String::from_utf8_lossy(&std::mem::take(&mut head)).into_owned());
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
                return;
            }
        }
    }
}
