//! We fetch something for somebody: an agent, a link preview.
//!
//! Promises: every hop is decided on by the guard's rules, recorded, and connected to a checked address only; the name is not
//! looked up twice. Methods and paths are seen here even under `https`, so the role's methods hold there as well. Size, time,
//! redirects and content types are bounded by the configuration, and a request can only lower the bounds. Nothing is ever
//! decompressed: `identity` is asked for, and what comes encoded all the same is handed over as it is.
//!
//! Start reading at [`Fetcher::fetch`].

mod headers;
mod hop;

use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::clock::SharedClock;
use aiva_outbound::Target;
use aiva_outbound::client::{Response, Tls};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::audit::Recorder;
use crate::config;
use crate::decision::{Outcome, Who};
use crate::ports::Rules;
use hop::{Hops, Made};

pub use headers::{WrongHeader, answered, asked};

/// Bounds of one fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    /// The most bytes of the body; what is more is cut off.
    pub bytes: u64,
    /// In all, redirects included.
    pub time: Duration,
    /// How many redirects are followed; with 0 a redirect is the answer.
    pub redirects: usize,
    /// Content types that are taken (`text/html`, `image/*`), list by list: a type must be in each. An empty list takes any.
    pub content_types: [Vec<String>; 2],
}

impl Caps {
    /// What the configuration says, and the role where it is stricter.
    pub fn of(fetch: &config::Fetch, rules: &Rules) -> Self {
        Self {
            bytes: fetch.max_bytes.0.min(rules.bounds.bytes),
            time: fetch.timeout.min(rules.bounds.request),
            redirects: fetch.max_redirects,
            content_types: [fetch.content_types.clone(), Vec::new()],
        }
    }

    /// Narrower, never wider.
    #[must_use]
    pub fn lowered(
        self,
        bytes: Option<u64>,
        time: Option<Duration>,
        redirects: Option<usize>,
        types: Vec<String>,
    ) -> Self {
        let [configured, _] = self.content_types;
        Self {
            bytes: bytes.unwrap_or(self.bytes).min(self.bytes),
            time: time.unwrap_or(self.time).min(self.time),
            redirects: redirects.unwrap_or(self.redirects).min(self.redirects),
            content_types: [configured, types],
        }
    }

    fn takes(&self, got: &str) -> bool {
        self.content_types.iter().all(|types| types.is_empty() || types.iter().any(|wanted| is_type(wanted, got)))
    }
}

/// Whether a content type is the wanted one, or of the wanted kind (`image/*`).
fn is_type(wanted: &str, got: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(kind) => {
            kind.ends_with('/') && got.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind))
        }
        None => wanted.eq_ignore_ascii_case(got),
    }
}

/// What to fetch.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The address as it was given; it may hold secrets.
    pub url: String,
    /// How to ask.
    pub method: Method,
    /// What to send along, from [`asked`].
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// Its bounds.
    pub caps: Caps,
}

/// What was answered.
#[derive(Debug)]
pub struct Fetched {
    /// The status.
    pub status: u16,
    /// Who answered at last, without credentials.
    pub url: String,
    /// Its header fields.
    pub headers: HeaderMap,
    /// The body, as far as it was taken.
    pub body: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
    /// Every request that was made.
    pub hops: Vec<Hop>,
}

/// One request of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The record.
    pub decision: Uuid,
    /// Scheme, host and port.
    pub origin: String,
    /// What was decided.
    pub outcome: Outcome,
    /// The address that was connected to.
    pub address: Option<String>,
    /// What was answered.
    pub status: Option<u16>,
}

/// A rule that says no more than its reason is not said.
fn because(reason: &str, rule: &str) -> String {
    if reason == rule { reason.to_owned() } else { format!("{reason} by {rule}") }
}

/// Why nothing was fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The policy refuses it; asking again does not help.
    #[error("{what} may not be called: {}", because(.reason, .rule))]
    Denied {
        /// The record.
        id: Uuid,
        /// By which rule.
        rule: String,
        /// The stable word.
        reason: String,
        /// Scheme, host and port, or that it could not be read.
        what: String,
    },
    /// The role's budget is spent.
    #[error("the budget of the role is spent: {reason}")]
    Spent {
        /// The record.
        id: Uuid,
        /// The stable word.
        reason: &'static str,
        /// When it makes sense to try again.
        retry_after: Duration,
    },
    /// The DNS gave no address.
    #[error("{what}: {reason}")]
    Unresolved {
        /// The record.
        id: Uuid,
        /// The stable word.
        reason: String,
        /// Scheme, host and port.
        what: String,
    },
    /// It took too long.
    #[error("it took longer than {0:?}")]
    Timeout(Duration),
    /// Its content type is not taken.
    #[error("the answer is {0:?}, which is not among the content types that are taken")]
    ContentType(String),
    /// No connection, no trust, or an answer that breaks off; the other side's or the network's doing.
    #[error("{0}")]
    Failed(String),
    /// As many as may be are under way; try again soon.
    #[error("too many fetches are under way")]
    Busy,
    /// There was no room for a record in time; try again later.
    #[error("records of decisions wait for the store")]
    NoRoom,
}

/// Fetches. Clones share the bound of how many at once.
#[derive(Clone)]
pub struct Fetcher {
    settings: Arc<config::Fetch>,
    tls: Tls,
    room: Arc<Semaphore>,
    recorder: Recorder,
    clock: SharedClock,
}

impl Fetcher {
    /// By these settings; `tls` says whom to trust.
    pub fn new(settings: config::Fetch, tls: Tls, recorder: Recorder, clock: SharedClock) -> Self {
        let room = Arc::new(Semaphore::new(settings.concurrent.clamp(1, Semaphore::MAX_PERMITS)));
        Self { settings: Arc::new(settings), tls, room, recorder, clock }
    }

    /// The bounds that hold for these rules.
    pub fn caps(&self, rules: &Rules) -> Caps {
        Caps::of(&self.settings, rules)
    }

    /// Whether a fetch may go by this role.
    pub fn serves(&self, role: &str) -> bool {
        self.settings.roles.is_empty() || self.settings.roles.iter().any(|one| one == role)
    }

    /// Fetches it.
    ///
    /// # Errors
    /// See [`FetchError`]; whatever was decided until then is on record.
    pub async fn fetch(&self, rules: &Rules, who: Who, wanted: Wanted) -> Result<Fetched, FetchError> {
        let _room = self.room.try_acquire().map_err(|_| FetchError::Busy)?;
        let Wanted { url, mut method, mut headers, mut body, caps } = wanted;
        let late = FetchError::Timeout(caps.time);
        let deadline = Instant::now() + caps.time;
        let mut hops = Hops::new(self, rules, who);
        let mut target = match Target::parse(&url) {
            Ok(target) => target,
            Err(reason) => return Err(hops.unreadable(&method, reason).await),
        };
        let mut seen = vec![target.clone()];
        loop {
            let request = Made { method: &method, headers: &headers, body: &body };
            let (response, mut open) = hops.go(&target, request, deadline, &late).await?;
            let status = response.status.as_u16();
            let location = match status {
                301 | 302 | 303 | 307 | 308 if caps.redirects > 0 => response.headers.get(LOCATION),
                _ => None,
            };
            let Some(location) = location else {
                let kind = kind(&response);
                if method != Method::HEAD && !caps.takes(&kind) {
                    open.end(Some(status), Some("content-type"));
                    return Err(FetchError::ContentType(kind));
                }
                let (url, headers) = (response.url.clone(), response.headers.clone());
                let took = |bytes: usize| open.took(bytes as u64);
                return match read(response, caps.bytes, took, deadline, &late).await {
                    Ok((body, truncated)) => {
                        open.end(Some(status), None);
                        Ok(Fetched { status, url, headers, body, truncated, hops: hops.made() })
                    }
                    Err(error) => {
                        open.end(Some(status), Some(if error == late { "timeout" } else { "broken" }));
                        Err(error)
                    }
                };
            };
            // Many servers send UTF-8 here, which `to_str` would refuse; the text checks see to the rest.
            let location = String::from_utf8(location.as_bytes().to_vec()).unwrap_or_default();
            open.end(Some(status), None);
            let next = match rules.policy.judge_redirect(&seen, &location, caps.redirects) {
                Ok(next) => next,
                Err(refusal) => return Err(hops.refused(&method, &refusal).await),
            };
            if !target.same_origin(&next) {
                // Whatever else was given may be a secret, and it was given for the place before.
                headers = headers::harmless(headers);
            }
            // RFC 9110 §15.4: 303 always becomes GET, 301 and 302 do for POST, 307 and 308 never.
            if (status == 303 && method != Method::HEAD) || (matches!(status, 301 | 302) && method == Method::POST) {
                method = Method::GET;
                body.clear();
                headers.remove(CONTENT_TYPE);
            }
            seen.push(next.clone());
            target = next;
        }
    }
}

/// The content type of an answer without its parameters; empty where there is none.
fn kind(response: &Response) -> String {
    let got = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    got.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().chars().take(80).collect()
}

/// The body up to `most` bytes, and whether there was more.
async fn read(
    mut response: Response,
    most: u64,
    mut took: impl FnMut(usize),
    deadline: Instant,
    late: &FetchError,
) -> Result<(Vec<u8>, bool), FetchError> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut body = Vec::new();
    loop {
        let chunk = timeout_at(deadline, response.chunk()).await.map_err(|_| late.clone())?;
        let Some(chunk) = chunk.map_err(|error| hop::failed(&error, late))? else { return Ok((body, false)) };
        let left = most - body.len();
        let kept = chunk.get(..left).unwrap_or(&chunk);
        body.extend_from_slice(kept);
        took(kept.len());
        if chunk.len() > left {
            return Ok((body, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_can_only_lower_the_bounds() {
        let caps = Caps {
            bytes: 100,
            time: Duration::from_secs(10),
            redirects: 3,
            content_types: [vec!["text/*".to_owned()], Vec::new()],
        };
        let lower = caps.clone().lowered(Some(10), Some(Duration::from_secs(1)), Some(0), vec!["text/html".into()]);
        assert_eq!((lower.bytes, lower.time, lower.redirects), (10, Duration::from_secs(1), 0));
        let wider =
            caps.lowered(Some(1000), Some(Duration::from_secs(99)), Some(20), vec!["*/*".into(), "image/png".into()]);
        assert_eq!((wider.bytes, wider.time, wider.redirects), (100, Duration::from_secs(10), 3));
        for (caps, got, want) in [
            (&lower, "text/html", true),
            (&lower, "TEXT/HTML", true),
            (&lower, "text/plain", false), // the request does not take it
            (&wider, "image/png", false),  // the configuration does not
            (&wider, "", false),
        ] {
            assert_eq!(caps.takes(got), want, "{got}");
        }
    }
}
