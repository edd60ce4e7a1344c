//! What the middleware costs: serves N requests of a bare axum route, or of the same route inside the whole stack.
//!
//! Without arguments (`cargo xtask bench`): CPU time per request of each. `http_stack bare|full|full-log N` is for callgrind
//! (`cargo xtask callgrind`): the difference between two runs with different N, over the difference in N, is the instructions
//! per request, free of start-up. The load comes from a child process, which callgrind does not follow unless told to, so
//! the client costs nothing here.

use std::{
    error::Error,
    io::{self, Read, Write},
    net::SocketAddr,
    process::Command,
    sync::Arc,
    time::Duration,
};

use aiva_chassis::{
    clock,
    config::{Leaf, types::Network},
    http::{
        AccessLog, Allowed, AuthError, Authenticator, Cors, Listener, Need, Path, Permission, Permissions, Principal,
        PrincipalKind, Rate, Rates, Routes, Stack, access::Format, on,
    },
    shutdown::{Shutdown, Stage},
};
use async_trait::async_trait;
use axum::{Router, routing::get};
use http::request::Parts;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const REQUEST: &[u8] = b"GET /hello/7 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench/1\r\n\
    Authorization: Bearer something\r\nAccept: */*\r\n\r\n";

fn main() -> Outcome {
    let (flags, arguments): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["drive", address, n] => drive(address.parse()?, n.parse()?),
        [variant @ ("bare" | "full" | "full-log"), n] => serve(variant, n),
        // `cargo bench` says `--bench`; `cargo test --benches` only wants to see it work.
        [] => compare(if flags.iter().any(|flag| flag == "--bench") { 50_000 } else { 100 }),
        _ => Err("usage: http_stack bare|full|full-log N".into()),
    }
}

/// CPU time of this process, which is the server's, and the ratio to the bare route. The first requests warm it up.
fn compare(n: u32) -> Outcome {
    let mut bare = None;
    for variant in ["bare", "full", "full-log"] {
        serve(variant, &(n / 10).to_string())?;
        let before = cpu_time();
        serve(variant, &n.to_string())?;
        let micros = (cpu_time() - before).as_secs_f64() * 1e6 / f64::from(n);
        let ratio = micros / *bare.get_or_insert(micros);
        writeln!(io::stdout(), "{variant:>10} {micros:>8.1} us of CPU a request, {ratio:.2} times bare")?;
    }
    Ok(())
}

/// User and system time of all threads, from the kernel's count in ticks of 10 ms.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        |field: usize| after.split_whitespace().nth(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

fn serve(variant: &str, n: &str) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let any: SocketAddr = "127.0.0.1:0".parse()?;
        let shutdown = Shutdown::new();
        let address = if variant == "bare" {
            let listener = tokio::net::TcpListener::bind(any).await?;
            let address = listener.local_addr()?;
            tokio::spawn(async move { axum::serve(listener, bare()).await });
            address
        } else {
            let listener = Listener::bind(any).await?;
            let address = listener.address()?;
            tokio::spawn(listener.serve(full(variant == "full-log")?, shutdown.stop(Stage::Edge)));
            address
        };
        let mut child = Command::new(std::env::current_exe()?).args(["drive", &address.to_string(), n]).spawn()?;
        let ended = tokio::task::spawn_blocking(move || child.wait()).await??;
        if ended.success() { Ok(()) } else { Err("the client failed".into()) }
    })
}

fn bare() -> Router {
    let hello = |axum::extract::Path(id): axum::extract::Path<u32>| async move { format!("hello {id}") };
    Router::new().route("/hello/{id}", get(hello))
}

struct Greet;
impl Need for Greet {
    const PERMISSION: Permission = Permission("greetings.read");
}

struct Everybody(Principal);

#[async_trait]
impl Authenticator for Everybody {
    async fn authenticate(&self, _: &Parts) -> Result<Option<Principal>, AuthError> {
        Ok(Some(self.0.clone()))
    }
}

fn full(log: bool) -> Outcome<Router> {
    let hello = |_: Allowed<Greet>, Path(id): Path<u32>| async move { format!("hello {id}") };
    let routes = Routes::new().route("GET", "/hello/{id}", on("GET", hello));
    let known = Principal::new("bench", "bench", Permissions::All, PrincipalKind::Service);
    let plenty = Rate::new(1_000_000, 1_000_000);
    let stack = Stack::new(clock::system())
        .rates(Rates { client: plenty, service: plenty, ..Rates::default() })
        .cors(Cors::allow(["https://console.example.com"])?)
        .trusted_proxies([Network::from_text("10.0.0.0/8")?])
        .authenticator(Arc::new(Everybody(known)));
    let stack = if log { stack.access_log(AccessLog::start(Format::Json, io::sink())?) } else { stack };
    Ok(stack.around(routes))
}

/// The client: one kept-alive connection, one request after the other.
#[expect(clippy::disallowed_methods, reason = "the bench's own loopback connection")]
fn drive(address: SocketAddr, n: usize) -> Outcome {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answer = Vec::new();
    let mut bytes = [0; 4096];
    for _ in 0..n {
        stream.write_all(REQUEST)?;
        answer.clear();
        while !answer.ends_with(b"\r\n\r\nhello 7") {
            let length = stream.read(&mut bytes)?;
            if length == 0 {
                return Err(String::from_utf8_lossy(&answer).into_owned().into());
            }
            answer.extend_from_slice(&bytes[..length]);
        }
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(&answer).into_owned().into());
        }
    }
    Ok(())
}
