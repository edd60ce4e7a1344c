//! A proxy on loopback in front of one origin, under a judge whose rules a test sets, and connections that speak in text.
//!
//! Whatever waits here fails instead of hanging. Start reading at [`Scene`].

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aiva_chassis::shutdown::{Drained, Shutdown, Stage};
use aiva_egress::proxy::answer::Answer;
use aiva_egress::proxy::judge::{Allowed, Ask, Bounds, Dial, Finished, Judge, Permit, Presented, Ruling};
use aiva_egress::proxy::{Listen, Proxy, Settings};
use aiva_egress::tunnel::inspect::Inspection;
use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Allows every host that does not start with `denied`, notes who asked and how it ended.
#[derive(Default)]
pub(super) struct Rules {
    pub(super) forbidden: std::sync::atomic::AtomicBool,
    pub(super) changed: Notify,
    pub(super) finished: Mutex<Vec<Finished>>,
    pub(super) sources: Mutex<Vec<Option<SocketAddr>>>,
    pub(super) inspection: Inspection,
    pub(super) bounds: Option<Bounds>,
    pub(super) panics: bool,
}

pub(super) struct Judged(pub(super) Arc<Rules>);

struct Allowance(Arc<Rules>);

#[async_trait]
impl Judge for Judged {
    async fn judge(&self, who: Presented<'_>, ask: Ask<'_>) -> Ruling {
        assert!(!self.0.panics || !ask.text.contains("panic"), "the judge was asked to panic");
        self.0.sources.lock().unwrap().push(who.peer.address);
        let refuse =
            |reason: &str| Ruling::Refuse(Box::new(Answer::denied("test", reason, "0199", "not allowed".to_owned())));
        let target = match ask.target {
            Ok(target) => target,
            Err(reason) => return refuse(reason.name()),
        };
        if target.host().to_string().starts_with("denied") {
            return refuse("name-denied");
        }
        Ruling::Allow(Box::new(Allowed {
            role: Arc::from("test"),
            connect_to: vec![SocketAddr::from(([192, 0, 2, 1], target.port()))],
            upstream: None,
            target: Arc::new(target),
            bounds: self.0.bounds.unwrap_or_default(),
            inspection: self.0.inspection,
            permit: Arc::new(Allowance(Arc::clone(&self.0))),
        }))
    }

    async fn changed(&self, since: u64) -> u64 {
        self.0.changed.notified().await;
        since + 1
    }
}

impl Permit for Allowance {
    fn id(&self) -> String {
        "0199".to_owned()
    }

    fn holds(&self, _connected: SocketAddr) -> bool {
        !self.0.forbidden.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn allows_name(&self, _name: &str) -> bool {
        true
    }

    fn finish(&self, finished: &Finished) {
        self.0.finished.lock().unwrap().push(finished.clone());
    }
}

/// Connects everybody to one origin on loopback; port 81 refuses, port 82 never answers.
pub(super) struct ToOrigin(pub(super) SocketAddr);

#[async_trait]
impl Dial for ToOrigin {
    #[expect(clippy::disallowed_methods, reason = "the test's own origin on loopback")]
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        if address.port() == 81 {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if address.port() == 82 {
            std::future::pending::<()>().await;
        }
        TcpStream::connect(self.0).await
    }
}

/// A proxy in front of one origin.
pub(super) struct Scene {
    pub(super) proxy: SocketAddr,
    pub(super) origin: TcpListener,
    pub(super) rules: Arc<Rules>,
    pub(super) shutdown: Shutdown,
    pub(super) serving: JoinHandle<io::Result<()>>,
}

impl Scene {
    pub(super) async fn new() -> Self {
        Self::with(Rules::default(), Settings::default()).await
    }

    pub(super) async fn with(rules: Rules, settings: Settings) -> Self {
        let origin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rules = Arc::new(rules);
        let dial = Arc::new(ToOrigin(origin.local_addr().unwrap()));
        let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls: None };
        let proxy = Proxy::bind(settings, vec![listen], Arc::new(Judged(Arc::clone(&rules))), dial).unwrap();
        let (address, shutdown) = (proxy.addresses()[0], Shutdown::new());
        let serving = tokio::spawn(proxy.serve(shutdown.stop(Stage::Edge)));
        // The listener is there from the first poll of the server.
        tokio::task::yield_now().await;
        Self { proxy: address, origin, rules, shutdown, serving }
    }

    #[expect(clippy::disallowed_methods, reason = "the test's own proxy on loopback")]
    pub(super) async fn client(&self) -> Wire {
        Wire(TcpStream::connect(self.proxy).await.unwrap())
    }

    pub(super) async fn accept(&self) -> Wire {
        Wire(within(self.origin.accept()).await.unwrap().0)
    }

    pub(super) fn finished(&self) -> Vec<Finished> {
        self.rules.finished.lock().unwrap().clone()
    }

    /// Waits until so many have finished.
    pub(super) async fn ends(&self, count: usize) -> Vec<Finished> {
        within(async {
            while self.finished().len() < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
        self.finished()
    }

    pub(super) async fn close(self) -> Drained {
        let drained = self.shutdown.drain(Duration::from_secs(20)).await;
        self.serving.await.unwrap().unwrap();
        drained
    }
}

/// Fails instead of hanging.
pub(super) async fn within<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it hangs")
}

/// One end of a connection that speaks in text.
pub(super) struct Wire(pub(super) TcpStream);

impl Wire {
    pub(super) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads exactly this.
    #[track_caller]
    pub(super) fn hears(&mut self, text: &str) -> impl Future<Output = ()> {
        let want = text.to_owned();
        async move {
            let mut got = vec![0; want.len()];
            if within(self.0.read_exact(&mut got)).await.is_err() {
                panic!("the connection ended before {want:?}");
            }
            assert_eq!(String::from_utf8_lossy(&got), want);
        }
    }

    /// Reads a head.
    pub(super) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(self.0.read_u8()).await.expect("the connection ended within a head"));
        }
        String::from_utf8(head).unwrap()
    }

    /// Reads all there is.
    pub(super) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _end = within(self.0.read_to_end(&mut rest)).await;
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Reads one of the proxy's own answers: its status line, decision and body.
    pub(super) async fn refusal(&mut self) -> (String, String, serde_json::Value) {
        let head = self.head().await;
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        let mut body = vec![0; field("Content-Length: ").parse().unwrap()];
        within(self.0.read_exact(&mut body)).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap();
        (head.lines().next().unwrap().to_owned(), field("Aiva-Decision: "), body)
    }
}

pub(super) const GET: &str = "GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n";
