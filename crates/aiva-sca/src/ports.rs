//! All that sca needs from the world and does not do itself.

use async_trait::async_trait;

/// Fetches a file over HTTP.
///
/// Every adapter promises: redirects are followed with each hop checked; what arrives is bounded in time between two
/// chunks; a validator that does not match gives [`Answer::Whole`], never the rest of another file.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// Asks once; trying again is the caller's business.
    async fn fetch(&self, request: &Request) -> Result<Fetched, FetchError>;
}

/// What to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// An absolute `https:` (or, where the policy allows it, `http:`) address.
    pub url: String,
    /// What is wanted, given what is already there.
    pub wanted: Wanted,
}

/// What is already there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: send all of it.
    Everything,
    /// The whole file of this entity tag: send it only if it has changed (`If-None-Match`, RFC 9110 §13.1.2).
    IfChanged(String),
    /// The first `offset` bytes of the file of this strong entity tag (`Range` with `If-Range`, RFC 9110 §13.1.5).
    Rest {
        /// Bytes that are there.
        offset: u64,
        /// The strong entity tag that they came with.
        etag: String,
    },
}

/// What came back.
pub struct Fetched {
    /// Which part of the file it is.
    pub answer: Answer,
    /// Bytes that will follow, where the server says so.
    pub length: Option<u64>,
    /// The entity tag, where the server gives one.
    pub etag: Option<String>,
    /// The bytes.
    pub body: Box<dyn Body>,
}

/// Which part of the file the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// All of it.
    Whole,
    /// From this offset to the end.
    From(u64),
    /// Nothing: it has not changed.
    Unchanged,
}

/// Bytes as they arrive.
#[async_trait]
pub trait Body: Send {
    /// The next bytes, `None` at the end.
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError>;
}

/// Why a file did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nobody could be reached at all: no network, no such name.
    #[error("cannot reach {host}: {reason}")]
    Offline {
        /// Who was asked for.
        host: String,
        /// What the network said.
        reason: String,
    },
    /// The connection broke or stalled; what arrived is kept.
    #[error("the connection broke: {0}")]
    Interrupted(String),
    /// The server answered, but not with the file.
    #[error("the server answered {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// Our own policy does not let the request leave; the text says which rule.
    #[error("not allowed to call out: {0}")]
    Refused(String),
}

impl FetchError {
    /// Whether asking again soon may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Interrupted(_) => true,
            Self::Status { status } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            Self::Offline { .. } | Self::Refused(_) => false,
        }
    }
}
