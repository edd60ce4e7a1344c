//! One line per request, written off the request path.
//!
//! Promises: a request never waits for the disk or the terminal; memory is bounded (what does not fit is dropped and counted
//! in `aiva_access_log_dropped_total`); a line names the route's template and never the path, the query or a header that
//! could hold a secret. Its own writer, because one line of a tracing subscriber costs as much as three bare requests.

use std::{
    fmt, io,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

use super::context::RequestContext;
use crate::telemetry::{
    metrics::{Counter, metrics},
    redact,
};

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Pretty,
}

/// Memory for lines that are not written yet.
const PENDING: usize = 1 << 20;
/// Lines are collected this long before they are written.
const GATHER: Duration = Duration::from_millis(25);

/// The access log; all clones are one. When the last is dropped, what is pending is written and the thread ends.
#[derive(Clone)]
pub struct AccessLog {
    writer: Arc<Writer>,
}

struct Writer {
    format: Format,
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pending: Vec<u8>,
    writing: bool,
    hurry: bool,
    closed: bool,
}

/// How the request ended.
pub(crate) struct Ending<'a> {
    pub(crate) at: Timestamp,
    pub(crate) took: Duration,
    pub(crate) status: u16,
    pub(crate) bytes: Option<u64>,
    pub(crate) context: &'a RequestContext,
}

impl AccessLog {
    /// Starts the thread that writes to `sink`.
    pub fn start(format: Format, sink: impl io::Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("access-log".into()).spawn(move || write_all(&theirs, sink))?;
        Ok(Self { writer: Arc::new(Writer { format, shared, thread: Some(thread) }) })
    }

    /// Waits until everything logged so far is written. Blocks.
    pub fn flush(&self) {
        let shared = &self.writer.shared;
        let mut state = shared.lock();
        state.hurry = true;
        shared.changed.notify_all();
        while !state.pending.is_empty() || state.writing {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn record(&self, ending: &Ending<'_>) {
        let shared = &self.writer.shared;
        let mut state = shared.lock();
        if state.pending.len() > PENDING {
            drop(state);
            dropped().inc();
            return;
        }
        let was_empty = state.pending.is_empty();
        match self.writer.format {
            Format::Json => json(&mut state.pending, ending),
            Format::Pretty => pretty(&mut state.pending, ending),
        }
        drop(state);
        if was_empty {
            shared.changed.notify_all();
        }
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("format", &self.writer.format).finish_non_exhaustive()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn dropped() -> &'static Counter {
    static DROPPED: OnceLock<Counter> = OnceLock::new();
    DROPPED.get_or_init(|| {
        metrics().register("access_log_dropped", "Access log lines that did not fit into memory", Counter::default())
    })
}

/// Writes until the log is closed and empty. A sink that fails loses the lines it was given, and they are counted.
fn write_all(shared: &Shared, mut sink: impl io::Write) {
    let mut batch = Vec::new();
    loop {
        let mut state = shared.lock();
        while state.pending.is_empty() && !state.closed {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.closed && !state.hurry {
            state = shared.changed.wait_timeout(state, GATHER).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.pending.is_empty() && state.closed {
            return;
        }
        std::mem::swap(&mut state.pending, &mut batch);
        state.writing = true;
        drop(state);
        if sink.write_all(&batch).and_then(|()| sink.flush()).is_err() {
            let lines = batch.iter().filter(|byte| **byte == b'\n').count();
            dropped().inc_by(lines as u64);
        }
        batch.clear();
        let mut state = shared.lock();
        state.writing = false;
        state.hurry &= !state.pending.is_empty();
        drop(state);
        shared.changed.notify_all();
    }
}

fn json(out: &mut Vec<u8>, ending: &Ending<'_>) {
    let context = ending.context;
    out.extend_from_slice(b"{\"time\":\"");
    timestamp(out, ending.at);
    out.extend_from_slice(b"\",\"level\":\"INFO\",\"target\":\"access\",\"method\":");
    string(out, context.method.as_str());
    out.extend_from_slice(b",\"route\":");
    string(out, &context.route);
    out.extend_from_slice(b",\"status\":");
    number(out, u64::from(ending.status));
    out.extend_from_slice(b",\"duration_us\":");
    number(out, u64::try_from(ending.took.as_micros()).unwrap_or(u64::MAX));
    if let Some(bytes) = ending.bytes {
        out.extend_from_slice(b",\"bytes\":");
        number(out, bytes);
    }
    out.extend_from_slice(b",\"request_id\":");
    string(out, context.request_id());
    if context.correlation_id.is_some() {
        out.extend_from_slice(b",\"correlation_id\":");
        string(out, context.correlation_id());
    }
    out.extend_from_slice(b",\"trace_id\":\"");
    out.extend_from_slice(&context.trace.trace_hex());
    out.push(b'"');
    if let Some(client) = context.client {
        out.extend_from_slice(b",\"client\":\"");
        address(out, client);
        out.push(b'"');
    }
    if let Some(principal) = context.principal.get() {
        out.extend_from_slice(b",\"principal\":");
        string(out, principal);
    }
    if context.user_agent.is_some() {
        out.extend_from_slice(b",\"user_agent\":");
        string(out, &redact::text(context.user_agent()));
    }
    out.extend_from_slice(b"}\n");
}

fn pretty(out: &mut Vec<u8>, ending: &Ending<'_>) {
    let context = ending.context;
    timestamp(out, ending.at);
    let line = format!(
        " {} {} {} {:.1?} {}\n",
        ending.status,
        context.method,
        context.route,
        ending.took,
        context.request_id()
    );
    out.extend_from_slice(line.as_bytes());
}

fn timestamp(out: &mut Vec<u8>, at: Timestamp) {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    PRINTER.print_timestamp(&at, out).expect("writing to memory");
}

fn number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

fn address(out: &mut Vec<u8>, address: std::net::IpAddr) {
    use io::Write as _;
    match address {
        std::net::IpAddr::V4(v4) => {
            for (position, octet) in v4.octets().into_iter().enumerate() {
                if position > 0 {
                    out.push(b'.');
                }
                number(out, u64::from(octet));
            }
        }
        std::net::IpAddr::V6(v6) => write!(out, "{v6}").expect("writing to memory"),
    }
}

/// A JSON string; the fast way for what needs no escape, which is nearly all of it.
fn string(out: &mut Vec<u8>, text: &str) {
    let plain = text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\' && b != 0x7f);
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, text).expect("writing to memory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_written_json_agrees_with_serde() {
        for text in ["", "plain", "qu\"ote", "back\\slash", "line\nbreak", "tab\t\u{7f}", "grün 🦀"] {
            let mut out = Vec::new();
            string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
        for n in [0, 7, 10, 4096, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, n);
            assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
        }
    }
}
