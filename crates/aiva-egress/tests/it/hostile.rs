//! Clients and origins that mean harm: what they can make the proxy hold is bounded, and others are served meanwhile.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aiva_egress::proxy::Settings;
use aiva_egress::proxy::judge::Bounds;
use aiva_egress::proxy::limits::Most;
use aiva_outbound::policy::Policy;
use aiva_outbound::resolve::{Fixed, Lookup, ResolveError, Resolver};
use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::stage::{Client, Heard, Origin, PATIENCE, Stage};

const URL: &str = "http://origin.example.net/";

/// How long nothing must move before a side counts as stuck.
const STUCK: Duration = Duration::from_millis(300);

/// More than the sockets of both ways hold (Linux lets one grow to some 36 MiB), and less than what is sent.
const BOUNDED: usize = 160 << 20;

async fn stage(settings: Settings, origin: &Origin) -> Stage {
    let names = Fixed::new([("origin.example.net", Ipv4Addr::new(93, 184, 215, 14).into())]);
    Stage::start(Arc::new(names), Policy::public(), settings, Bounds::default(), origin.address).await
}

fn settings(connections: usize, per_source: usize, head_bytes: usize) -> Settings {
    Settings { most: Most { connections, per_source, head_bytes }, ..Settings::default() }
}

/// Connections that each begin a request and never end it.
async fn unfinished(stage: &Stage, count: usize, source: Ipv4Addr) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = stage.client_from(source).await;
        client.send("GET http://origin.example.net/ HTTP/1.1\r\nHost: o").await;
        clients.push(client);
    }
    clients
}

#[tokio::test]
async fn one_source_cannot_take_every_place() {
    let (origin, _) = Origin::keeping().await;
    let stage = stage(settings(100, 10, 1 << 20), &origin).await;
    let mut held = unfinished(&stage, 30, Ipv4Addr::new(127, 0, 0, 9)).await;
    assert_eq!(stage.get(URL).await, 200, "another source is served");
    // Those that found no place are told so and closed; the ten that did are waited for.
    let mut refused = 0;
    for client in held.iter_mut().skip(10) {
        let heard = client.answer().await;
        refused += usize::from(heard.is_none_or(|heard| heard.status == 503 || heard.status == 429));
    }
    assert_eq!(refused, 20);
    drop(held);
    assert_eq!(stage.get(URL).await, 200);
}

#[tokio::test]
async fn who_has_not_said_a_request_makes_way_for_who_does() {
    let (origin, _) = Origin::keeping().await;
    let stage = stage(settings(20, 1000, 1 << 20), &origin).await;
    // Half of them say nothing at all.
    let mut held = unfinished(&stage, 10, Ipv4Addr::LOCALHOST).await;
    for _ in 0..10 {
        held.push(stage.client().await);
    }
    for round in 0..3 {
        let mut client = stage.client().await;
        client.ask(URL).await;
        let heard = client.answer().await.unwrap();
        assert_eq!(heard.status, 200, "round {round}: {heard:?}");
        // And every place is taken again.
        held.extend(unfinished(&stage, 20, Ipv4Addr::new(127, 0, 0, 2 + round)).await);
    }
    let mut closed = 0;
    for client in &mut held {
        closed +=
            usize::from(timeout(Duration::from_millis(5), client.answer()).await.is_ok_and(|heard| heard.is_none()));
    }
    assert!(closed >= held.len() - 2 * 20, "{closed} of {}", held.len());
}

#[tokio::test]
async fn all_places_in_use_is_said_and_places_come_back() {
    let origin = Origin::start(|mut stream| async move { while stream.read_u8().await.is_ok() {} }).await;
    let stage = stage(settings(20, 1000, 1 << 20), &origin).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut client = stage.client().await;
        client.send("CONNECT origin.example.net:443 HTTP/1.1\r\nHost: origin.example.net:443\r\n\r\n").await;
        assert_eq!(client.answer().await.unwrap().status, 200);
        held.push(client);
    }
    let mut late = stage.client().await;
    late.ask("http://inside.example.net/").await;
    let heard = late.answer().await;
    assert!(heard.is_none_or(|heard| heard.status == 503), "no place is no answer, or one that says so");
    drop(held);
    // A place is given back when its client is gone, which the proxy sees in its own time.
    for _ in 0..1000 {
        let mut client = stage.client().await;
        client.ask("http://inside.example.net/").await;
        if client.answer().await.is_some_and(|heard| heard.status != 503) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("no place came back");
}

#[tokio::test]
async fn a_request_that_trickles_in_is_given_up() {
    let (origin, kept) = Origin::keeping().await;
    let settings = Settings { head_timeout: Duration::from_millis(200), ..Settings::default() };
    let stage = stage(settings, &origin).await;
    let mut slow = unfinished(&stage, 20, Ipv4Addr::LOCALHOST).await;
    assert_eq!(stage.get(URL).await, 200);
    for client in &mut slow {
        // One byte now and then buys no time.
        let heard = loop {
            client.send("x").await;
            match timeout(Duration::from_millis(50), client.answer()).await {
                Ok(heard) => break heard,
                Err(_) => continue,
            }
        };
        assert!(heard.is_none_or(|heard| heard.status == 408));
    }
    assert_eq!(kept.lock().unwrap().len(), 1, "nothing of them reached the origin");
}

#[tokio::test]
async fn a_head_without_end_ends() {
    let (origin, kept) = Origin::keeping().await;
    let stage = stage(Settings::default(), &origin).await;
    let rows: [(&str, &[u8]); 4] = [
        ("GET http://origin.example.net/ HTTP/1.1\r\nHost: origin.example.net\r\n", b"X-A: b\r\n"),
        ("GET http://origin.example.net/ HTTP/1.1\r\nHost: origin.example.net\r\nX: ", b"aaaaaaaaaaaaaaaa"),
        ("GET http://origin.example.net/", b"aaaaaaaaaaaaaaaa"),
        ("", b"\r\n\r\n\r\n\r\n"),
    ];
    for (start, more) in rows {
        let mut client = stage.client().await;
        client.send(start).await;
        // Refused on the way: what follows the refusal is not kept, however much it is.
        client.send(more.repeat((1 << 20) / more.len())).await;
        let heard = client.answer().await;
        assert!(heard.is_none_or(|heard| (400..500).contains(&heard.status)), "{start:?}");
    }
    assert_eq!(kept.lock().unwrap().len(), 0);
    assert_eq!(stage.get(URL).await, 200);
}

#[tokio::test]
async fn long_heads_share_a_bounded_memory() {
    let (origin, _) = Origin::keeping().await;
    let stage = stage(settings(1000, 1000, 256 * 1024), &origin).await;
    let long = format!("GET {URL} HTTP/1.1\r\nHost: origin.example.net\r\nX: {}", "a".repeat(56 * 1024));
    let mut held = Vec::new();
    for _ in 0..40 {
        let mut client = stage.client().await;
        client.send(&long).await;
        held.push(client);
    }
    assert_eq!(stage.get(URL).await, 200, "an ordinary request needs no leave");
    let mut refused = 0;
    for client in &mut held {
        if let Ok(heard) = timeout(STUCK, client.answer()).await {
            assert!(heard.is_none_or(|heard| heard.status == 503 || heard.status == 431));
            refused += 1;
        }
    }
    // 48 KiB each beyond what is free: five fit.
    assert!((35..40).contains(&refused), "{refused} of 40 were refused");
}

#[tokio::test]
async fn an_origin_that_never_reads_holds_its_client_back() {
    let origin = Origin::start(|mut stream| async move {
        // The head is read, and then nothing, for as long as the proxy wants.
        let mut head = [0; 1024];
        drop(stream.read(&mut head).await);
        std::future::pending::<()>().await;
    })
    .await;
    let stage = stage(Settings::default(), &origin).await;
    let mut client = stage.client().await;
    client.send(format!("POST {URL} HTTP/1.1\r\nHost: o\r\nContent-Length: {}\r\n\r\n", 1_u64 << 40)).await;
    let piece = vec![0; 64 * 1024];
    let mut sent = 0;
    while sent < BOUNDED && matches!(timeout(STUCK, client.stream.write_all(&piece)).await, Ok(Ok(()))) {
        sent += piece.len();
    }
    assert!(sent < BOUNDED, "the proxy took {sent} bytes that nobody reads");
}

#[tokio::test]
async fn a_client_that_never_reads_holds_its_origin_back() {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let origin = Origin::start(move |mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            let mut head = [0; 1024];
            drop(stream.read(&mut head).await);
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await);
            let piece = vec![0; 64 * 1024];
            while stream.write_all(&piece).await.is_ok() && counted.fetch_add(piece.len(), Ordering::SeqCst) < BOUNDED {
            }
            std::future::pending::<()>().await;
        }
    })
    .await;
    let stage = stage(Settings::default(), &origin).await;
    let mut client = stage.client().await;
    client.ask(URL).await;
    let mut before = usize::MAX;
    while before != written.load(Ordering::SeqCst) {
        before = written.load(Ordering::SeqCst);
        tokio::time::sleep(STUCK).await;
    }
    assert!(0 < before && before < BOUNDED, "the proxy took {before} bytes that nobody reads");
    drop(client);
}

#[tokio::test]
async fn an_answer_without_a_sane_head_is_not_passed_on() {
    let rows: [(&'static [u8], &'static [u8]); 6] = [
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"aaaaaaaaaaaaaaaa"),
        (b"", b"aaaaaaaaaaaaaaaa"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", b""),
    ];
    for (start, more) in rows {
        let origin = Origin::start(move |mut stream| async move {
            let mut head = [0; 1024];
            drop(stream.read(&mut head).await);
            drop(stream.write_all(start).await);
            let piece = more.repeat(512);
            while !piece.is_empty() && stream.write_all(&piece).await.is_ok() {}
            std::future::pending::<()>().await;
        })
        .await;
        let stage = stage(Settings::default(), &origin).await;
        let mut client = stage.client().await;
        client.ask(URL).await;
        // Hung up on, or told whose fault it is; never a word of it passed on as an answer.
        let heard = client.answer().await;
        let is_ours = |heard: &Heard| {
            heard.status == 502 && heard.field("aiva-decision").is_some_and(|decision| decision.starts_with("error"))
        };
        assert!(heard.as_ref().is_none_or(is_ours), "{:?}: {heard:?}", start.escape_ascii().to_string());
    }
}

/// Never answers; whoever asks counts as long as it is still waited for.
#[derive(Default)]
pub(crate) struct Silent(Arc<tokio::sync::watch::Sender<usize>>);

impl Silent {
    /// How many are waited for.
    pub(crate) fn waiting(&self) -> tokio::sync::watch::Receiver<usize> {
        self.0.subscribe()
    }
}

struct Waiting(Arc<tokio::sync::watch::Sender<usize>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[async_trait]
impl Resolver for Silent {
    async fn resolve(&self, _name: &str) -> Result<Lookup, ResolveError> {
        self.0.send_modify(|count| *count += 1);
        let _waiting = Waiting(Arc::clone(&self.0));
        std::future::pending().await
    }
}

#[tokio::test]
async fn nobody_waits_for_the_lookup_of_a_client_that_has_left() {
    let silent = Arc::new(Silent::default());
    let mut waiting = silent.waiting();
    let (origin, _) = Origin::keeping().await;
    let stage = Stage::start(silent, Policy::public(), Settings::default(), Bounds::default(), origin.address).await;
    for bytes in [
        &b"GET http://a.example.com/ HTTP/1.1\r\nHost: a.example.com\r\n\r\n"[..],
        b"CONNECT a.example.com:443 HTTP/1.1\r\nHost: a.example.com:443\r\n\r\nhello",
        b"\x05\x01\x00\x05\x01\x00\x03\x0da.example.com\x01\xbb",
    ] {
        let mut client = stage.client().await;
        client.send(bytes).await;
        timeout(PATIENCE, waiting.wait_for(|count| *count == 1)).await.expect("it is looked up").unwrap();
        client.stream.set_zero_linger().unwrap();
        drop(client);
        timeout(PATIENCE, waiting.wait_for(|count| *count == 0)).await.expect("nobody waits any more").unwrap();
    }
}
