//! The promises of `aiva_chassis::http`, held over real sockets.

mod drain;
mod grpc;
mod limits;
mod operator;
mod problems;
mod tls;
mod wire;

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use aiva_chassis::{
    clock,
    http::{
        Allowed, AuthError, Authenticator, Limits, Listener, Need, Permission, Permissions, Principal, PrincipalKind,
        Problem, Routes, Stack,
    },
    shutdown::{Shutdown, Stage},
};
use async_trait::async_trait;
use http::request::Parts;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A server on a free port of the loopback.
struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
}

impl Server {
    async fn start(stack: Stack, routes: impl Into<Routes>) -> Self {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self::run(listener, stack, routes)
    }

    fn run(listener: Listener, stack: Stack, routes: impl Into<Routes>) -> Self {
        let (address, shutdown) = (listener.address().unwrap(), Shutdown::new());
        tokio::spawn(listener.serve(stack.around(routes), shutdown.stop(Stage::Edge)));
        Self { address, shutdown }
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own loopback connection")]
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `request` (`{close}` stands for the usual headers) and reads to the end of the connection.
    async fn ask(&self, request: &str) -> Answer {
        self.ask_bytes(request.replace("{close}", "Host: t\r\nConnection: close\r\n").as_bytes()).await
    }

    async fn ask_bytes(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        // A server that has refused already may have closed its side; its answer is still there to read.
        let _refused = stream.write_all(request).await;
        let mut bytes = Vec::new();
        let _reset = stream.read_to_end(&mut bytes).await;
        Answer::parse(&bytes)
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
        Self { status, headers, body: body.to_owned() }
    }

    #[track_caller]
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    #[track_caller]
    fn problem(&self) -> Problem {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem: Problem = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        assert_eq!(problem.request_id.as_deref(), Some(self.header("x-request-id")));
        problem
    }
}

fn stack() -> Stack {
    Stack::new(clock::system())
}

fn impatient(timeout: Duration) -> Limits {
    Limits { timeout, ..Limits::default() }
}

struct ReadThings;
impl Need for ReadThings {
    const PERMISSION: Permission = Permission("things.read");
}

async fn guarded(caller: Allowed<ReadThings>) -> String {
    caller.id.to_string()
}

/// Knows `Bearer all`, `Bearer things` and `Bearer nothing`.
struct Guests;

#[async_trait]
impl Authenticator for Guests {
    async fn authenticate(&self, request: &Parts) -> Result<Option<Principal>, AuthError> {
        let Some(value) = request.headers.get("authorization") else { return Ok(None) };
        let permissions = match value.to_str().unwrap_or_default() {
            "Bearer all" => Permissions::All,
            "Bearer things" => ["things.read".to_owned()].into_iter().collect(),
            "Bearer nothing" => [].into_iter().collect(),
            _ => return Err(AuthError::Invalid),
        };
        Ok(Some(Principal::new("guest-1", "Guest", permissions, PrincipalKind::Service)))
    }
}

fn guests() -> Arc<dyn Authenticator> {
    Arc::new(Guests)
}
