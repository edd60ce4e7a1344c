//! Calls out over HTTP/1.1, to checked addresses only.
//!
//! Each request, and each hop of a redirect, goes the whole way: text checks, policy, one lookup, policy on every address,
//! a connection within the checked set. An idle connection is used again only if its address is in the set that this
//! request was allowed. Answers are bounded in size and time. No proxy, hosts file or credential of the environment is
//! used. Start reading at [`Client::send`], which goes
//! along with redirects; `hop` is one step of the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, PROXY_AUTHORIZATION};
use http::{HeaderValue, Method};
use tokio::time::Instant;

use crate::engine::{Engine, Verdict};
use crate::policy::{Policy, Refusal};
use crate::resolve::Resolver;
use crate::target::Target;

mod builder;
mod connect;
mod dial;
mod error;
mod hop;
#[cfg(feature = "hyper-connector")]
mod hyper_connector;
mod pool;
mod request;
mod response;
mod tls;

pub use builder::Builder;
pub use connect::Upstream;
pub use dial::{Connection, Dial, Stream, Tcp};
pub use error::Error;
#[cfg(feature = "hyper-connector")]
pub use hyper_connector::{HyperConnector, HyperStream};
pub use request::Request;
pub use response::Response;
pub use tls::{Tls, TlsError};

pub(crate) use connect::Connector;
use error::text_error;
use pool::Pool;

/// How many redirects are followed.
pub const MOST_REDIRECTS: usize = 5;

/// Bounds in time of one request.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To have a connection, TLS included.
    pub connect: Duration,
    /// From the request's end to the answer's head.
    pub first_byte: Duration,
    /// Between two parts of the answer's body.
    pub idle: Duration,
    /// From the start to the answer's head, over all redirects; to its last byte where it is read by
    /// [`Response::bytes`]. A body that is read by [`Response::chunk`] may take longer.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(60),
        }
    }
}

/// Makes calls under one policy. Clones share connections and policy.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    policy: Arc<Policy>,
    resolver: Arc<dyn Resolver>,
    connector: Connector,
    pool: Pool,
    limits: Limits,
    caps: Caps,
    observer: Option<Observer>,
    user_agent: HeaderValue,
}

/// Bounds of what an answer may be.
#[derive(Clone)]
struct Caps {
    body: usize,
    redirects: usize,
    content_types: Vec<String>,
}

/// Hears of every verdict, that of each hop of a redirect too.
pub type Observer = Arc<dyn Fn(&Target, &Verdict) + Send + Sync>;

impl Client {
    /// Sends a request and goes along with its redirects, each judged like a first address.
    async fn send(&self, request: Request) -> Result<Response, Error> {
        if let Some(name) = request.wrong_header {
            return Err(Error::Header(name));
        }
        let deadline = after(request.total);
        let mut target = Target::parse(&request.url).map_err(|reason| text_error(&request.url, reason))?;
        let Request { mut method, mut headers, mut body, redirects, .. } = request;
        let mut seen = vec![target.clone()];
        loop {
            let response = self.hop(&target, &method, &headers, &body, deadline).await?;
            let Some(location) = redirect(&response, redirects) else { return self.taken(response) };
            let denied = |refusal: Refusal| Error::Denied { url: target.origin(), denial: refusal.denial };
            let next = self.0.policy.judge_redirect(&seen, location, redirects).map_err(denied)?;
            if !target.same_origin(&next) {
                for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                    headers.remove(secret);
                }
            }
            // RFC 9110 §15.4: 303 always becomes GET, 301 and 302 do for POST, 307 and 308 never.
            let status = response.status.as_u16();
            if (status == 303 && method != Method::HEAD) || (matches!(status, 301 | 302) && method == Method::POST) {
                method = Method::GET;
                body = Bytes::new();
                headers.remove(CONTENT_TYPE);
            }
            seen.push(next.clone());
            target = next;
        }
    }

    /// The answer, if it is of a kind that is taken.
    fn taken(&self, response: Response) -> Result<Response, Error> {
        let caps = &self.0.caps;
        if response.length().is_some_and(|length| length > caps.body as u64) {
            return Err(Error::TooLarge { limit: caps.body });
        }
        let got = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let got = got.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if caps.content_types.is_empty() || caps.content_types.iter().any(|wanted| is_type(wanted, &got)) {
            return Ok(response);
        }
        Err(Error::ContentType { got: got.chars().take(80).collect() })
    }
}

/// Whether a content type is the wanted one, or of the wanted kind (`image/*`).
fn is_type(wanted: &str, got: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(kind) => kind.ends_with('/') && got.starts_with(kind),
        None => wanted == got,
    }
}

/// Where in time that is; far away where the clock cannot count so far.
fn after(wait: Duration) -> Instant {
    const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + wait.min(A_YEAR)
}

fn redirect(response: &Response, followed: usize) -> Option<&str> {
    if followed == 0 || !matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    // Many servers send UTF-8 here, which `to_str` would refuse; the text checks see to the rest.
    Some(std::str::from_utf8(response.headers.get(LOCATION)?.as_bytes()).unwrap_or_default())
}
