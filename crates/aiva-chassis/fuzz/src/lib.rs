//! What every fuzz target does: feeds bytes to one parser of outside text and holds it to what it promises.
//!
//! The fuzzer runs these under its own runtime; `tests/it/fuzz_corpus.rs` includes this file and replays every corpus with
//! the ordinary test binary, so that a target and its replay can never say different things. Start reading at [`TARGETS`].

use std::collections::BTreeMap;
use std::net::IpAddr;

use aiva_chassis::config::server::{Alerts, Outbound, Server, Store, Telemetry};
use aiva_chassis::config::services::{Exception, Service, check_catalogue};
use aiva_chassis::config::{self, Leaf as _, Network, Reader, Sources};
use aiva_chassis::http::context::TRACEPARENT;
use aiva_chassis::http::idempotency::IdempotencyKey;
use aiva_chassis::http::trace::TraceContext;
use aiva_chassis::http::{Cursor, ETag, PageQuery, Preconditions, client};
use http::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};

/// A check: panics where a promise is broken.
pub type Check = fn(&[u8]);

/// Every target by name. Each has a binary in `fuzz_targets/` and a folder in `corpus/`.
pub const TARGETS: &[(&str, Check)] = &[
    ("config", config),
    ("cursor", cursor),
    ("forwarded", forwarded),
    ("idempotency_key", idempotency_key),
    ("preconditions", preconditions),
    ("traceparent", traceparent),
];

/// Feeds bytes to a target.
pub fn feed(target: &str, bytes: &[u8]) {
    let (_, check) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target has a check");
    check(bytes);
}

/// Headers of one name, a line each; what no header can hold is left out, as the HTTP parser would.
fn headers(name: &HeaderName, bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    headers
}

/// What is handed on is the caller's trace with a span of our own, and is read again as what it is.
fn traceparent(bytes: &[u8]) {
    let ours = TraceContext::continue_from(&headers(&TRACEPARENT, bytes));
    assert!(ours.trace_id != [0; 16] && ours.span_id != [0; 8], "{ours:?}");
    let mut onward = HeaderMap::new();
    onward.insert(TRACEPARENT, ours.to_value());
    let next = TraceContext::continue_from(&onward);
    assert_eq!((next.trace_id, next.parent_id, next.sampled), (ours.trace_id, Some(ours.span_id), ours.sampled));
    assert!(ours.parent_id.is_none() || bytes.len() >= 55, "{ours:?}");
}

/// A peer that is not trusted is the caller, whatever the headers say; nobody but a named or connected address ever is.
fn forwarded(bytes: &[u8]) {
    let headers = headers(&HeaderName::from_static("x-forwarded-for"), bytes);
    let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| Network::from_text(network).expect("a network"));
    let (stranger, proxy): (IpAddr, IpAddr) = ([203, 0, 113, 9].into(), [10, 0, 0, 1].into());
    assert_eq!(client::address(stranger, &headers, &trusted), stranger);
    assert_eq!(client::address(proxy, &headers, &[]), proxy);
    let caller = client::address(proxy, &headers, &trusted);
    let is_trusted = trusted.iter().any(|network| network.contains(caller));
    assert!(caller == proxy || !headers.is_empty(), "{caller}");
    assert!(caller == caller.to_canonical(), "{caller} is a v4 address in v6 clothing");
    // What a stranger writes further left changes nothing.
    let mut longer = HeaderMap::new();
    longer.append("x-forwarded-for", HeaderValue::from_static("198.51.100.77"));
    for value in headers.values() {
        longer.append("x-forwarded-for", value.clone());
    }
    assert!(is_trusted || client::address(proxy, &longer, &trusted) == caller, "{caller}");
}

/// A cursor is refused or gives a key that makes the same page start.
fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let quoted = format!("\"{}\"", text.replace(['"', '\\'], "").replace(char::is_control, ""));
    let Ok(cursor) = serde_json::from_str::<Cursor>(&quoted) else { return };
    type Key = (i64, String);
    let query = PageQuery { limit: None, cursor: Some(cursor.clone()) };
    match (cursor.key::<Key>(), query.start::<Key>()) {
        (Ok(key), Ok(Some(start))) => {
            assert_eq!(key, start);
            let again = Cursor::after(&key).expect("a key can be written");
            assert_eq!(again.key::<Key>().ok(), Some(key), "{text}");
        }
        (Err(error), Err(_)) => assert_eq!(error.code(), "cursor_invalid"),
        other => panic!("{text}: {other:?}"),
    }
}

/// A key is bounded, visible and reads as itself.
fn idempotency_key(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(key) = IdempotencyKey::parse(text) else { return };
    assert!((1..=255).contains(&key.as_str().len()) && key.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(IdempotencyKey::parse(key.as_str()), Some(key));
}

/// A change is let through only to who names the current version, or `*`.
fn preconditions(bytes: &[u8]) {
    let current = ETag::of_version(7);
    let (matching, not) = (headers(&IF_MATCH, bytes), headers(&IF_NONE_MATCH, bytes));
    let asks = Preconditions::of(&matching);
    let named = matching.values().any(|value| {
        let text = value.as_bytes();
        text.windows(3).any(|part| part == b"\"7\"") || text.trim_ascii() == b"*"
    });
    assert!(asks.require(&current).is_err() || named, "{matching:?}");
    assert!(asks.allow(&current).is_ok() == (matching.is_empty() || asks.require(&current).is_ok()), "{matching:?}");
    let reads = Preconditions::of(&not);
    assert!(!reads.has(&current) || named, "{not:?}");
    let _ = (reads.allow_create(true), reads.allow_create(false), asks.allow_create(true), asks.allow_create(false));
}

aiva_chassis::config_section! {
    /// The sections that this crate knows.
    pub struct Tree checks check {
        /// Where to listen.
        pub server: Server;
        /// Logs and traces.
        pub telemetry: Telemetry;
        /// Whom to tell.
        pub alerts: Alerts;
        /// Our own calls.
        pub outbound: Outbound;
        /// Where state is kept.
        pub store: Store;
        /// The catalogue.
        pub services: Vec<Service>;
        /// Choices not to act.
        pub exceptions: Vec<Exception>;
    }
}

fn check(tree: &Tree, reader: &mut Reader<'_>) {
    check_catalogue(&tree.services, &tree.exceptions, reader);
}

/// A file, and after a line `===` variables, one a line. Every mistake is told in one line that a terminal may show.
fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (file, variables) = text.split_once("\n===\n").unwrap_or((text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let env: BTreeMap<String, String> = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let open = |_: &str| -> std::io::Result<String> { Ok("opened-secret".to_owned()) };
    let sources = Sources { file: Some(("aiva.toml", file)), env, flags: Vec::new(), open: &open };
    match config::load::<Tree>(&sources) {
        Ok(loaded) => assert!(!loaded.print().contains("opened-secret"), "a secret was printed"),
        Err(error) => {
            assert!(!error.problems.is_empty());
            for problem in &error.problems {
                assert!(!problem.message.is_empty(), "{problem:?}");
            }
        }
    }
}
