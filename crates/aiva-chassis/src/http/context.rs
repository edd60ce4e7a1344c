//! What is known of the request that is being answered: its ids, its trace, its caller's address, its deadline.
//!
//! Handlers take [`Context`] as an extractor; code further in asks [`current`]. Both see the same value, for the whole call
//! tree of the request, but not in tasks that it spawns: work that outlives its request has a deadline of its own.

use std::{
    cell::RefCell,
    future::Future,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{problem::ApiError, trace::TraceContext};

/// The header of the request id, in and out.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header of the correlation id: one business action over many requests.
pub const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// The W3C trace context of a request.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

tokio::task_local! { static CURRENT: Arc<RequestContext>; }

/// The other end of the connection; the listener puts it into each request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Who is connected: the caller, or a proxy.
    pub address: SocketAddr,
    /// Whether this connection is encrypted.
    pub tls: bool,
}

/// What is known of one request.
#[derive(Debug)]
pub struct RequestContext {
    pub(crate) request_id: HeaderValue,
    pub(crate) correlation_id: Option<HeaderValue>,
    pub(crate) trace: TraceContext,
    pub(crate) client: Option<IpAddr>,
    pub(crate) tls: bool,
    pub(crate) method: Method,
    pub(crate) route: Arc<str>,
    pub(crate) user_agent: Option<HeaderValue>,
    pub(crate) deadline: Instant,
    pub(crate) principal: OnceLock<Arc<str>>,
}

/// The context of the request, as an extractor.
#[derive(Debug, Clone)]
pub struct Context(pub Arc<RequestContext>);

/// The context of the request that this code runs for, if it runs for one.
pub fn current() -> Option<Arc<RequestContext>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Runs `work` as part of a request.
pub(crate) fn within<F: Future>(context: Arc<RequestContext>, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, work)
}

impl RequestContext {
    /// Names this request in logs, answers and support tickets.
    pub fn request_id(&self) -> &str {
        text(&self.request_id)
    }

    /// Names the business action that the request is part of; the request id where the caller gave none.
    pub fn correlation_id(&self) -> &str {
        text(self.correlation_id.as_ref().unwrap_or(&self.request_id))
    }

    /// Where the request stands in its distributed trace.
    pub fn trace(&self) -> &TraceContext {
        &self.trace
    }

    /// The caller's address, past trusted proxies only; none for calls inside the process.
    pub fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// Whether the connection to us is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The route's template.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// What is left of the request's time.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// When the answer must be there.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Adds the trace context and the correlation id to an outgoing call.
    pub fn propagate(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.trace.to_value());
        headers.insert(X_CORRELATION_ID, self.correlation_id.as_ref().unwrap_or(&self.request_id).clone());
    }

    /// The user agent as it was sent, cut to 200 characters.
    pub(crate) fn user_agent(&self) -> &str {
        let agent = self.user_agent.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default();
        agent.get(..200).unwrap_or(agent)
    }
}

impl<S: Sync> FromRequestParts<S> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let here = parts.extensions.get::<Arc<RequestContext>>().cloned();
        here.map(Self).ok_or_else(|| ApiError::internal("the route is served without the middleware stack"))
    }
}

/// The caller's own id if it is sane (1 to 128 letters, digits, `-_.:`), so that nothing odd gets into logs.
pub(crate) fn sane_id(headers: &HeaderMap, name: HeaderName) -> Option<HeaderValue> {
    let value = headers.get(name)?;
    let fits = (1..=128).contains(&value.len())
        && value.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(b));
    fits.then(|| value.clone())
}

/// A new UUIDv7.
pub(crate) fn new_id(now: Timestamp) -> HeaderValue {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random()).into_uuid();
    let mut text = [0; 36];
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)).expect("a UUID is ASCII")
}

/// The user agent of a request.
pub(crate) fn user_agent(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::USER_AGENT).cloned()
}

fn text(id: &HeaderValue) -> &str {
    id.to_str().expect("ids are checked to be ASCII when they are taken in")
}

/// Random bytes for ids, fetched from the system 4 KiB at a time. Not for secrets.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    struct Pool {
        bytes: [u8; 4096],
        used: usize,
    }
    thread_local! { static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; 4096], used: 4096 }) }; }
    const { assert!(N <= 64) };
    POOL.with_borrow_mut(|pool| {
        if pool.used + N > pool.bytes.len() {
            getrandom::fill(&mut pool.bytes).expect("the operating system gives random bytes");
            pool.used = 0;
        }
        let mut out = [0; N];
        out.copy_from_slice(&pool.bytes[pool.used..pool.used + N]);
        pool.used += N;
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_ids_are_taken_from_outside() {
        let long = "a".repeat(129);
        for (sent, taken) in [
            ("018f3c9e-7b1a-7000-8000-0123456789ab", true),
            ("trace:1.2_3", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("<script>", false),
            (long.as_str(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_str(sent).unwrap());
            assert_eq!(sane_id(&headers, X_REQUEST_ID).is_some(), taken, "{sent:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(b"\xff\xfe").unwrap());
        assert_eq!(sane_id(&headers, X_REQUEST_ID), None);
    }

    #[test]
    fn new_ids_are_version_seven_ordered_by_time_and_distinct() {
        let at = |seconds| new_id(Timestamp::from_second(seconds).unwrap()).to_str().unwrap().to_owned();
        let (first, second) = (at(1_700_000_000), at(1_700_000_001));
        assert!(first < second && first.as_bytes()[14] == b'7');
        let many: std::collections::HashSet<_> = (0..2000).map(|_| at(1_700_000_000)).collect();
        assert_eq!(many.len(), 2000);
    }
}
