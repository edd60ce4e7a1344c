//! Why there is no answer, said without a secret, and whether trying again may help.
//!
//! An address that was refused is told by as much of it as cannot be a password or a webhook's key. Start reading at
//! [`Error`].

use crate::policy::{Denial, Reason};
use crate::resolve::ResolveError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no address that may be called.
    #[error("refused to call {url}: {reason}")]
    Text {
        /// As much of the text as holds no secret.
        url: String,
        /// What is wrong with it.
        reason: Reason,
    },
    /// The policy does not let it leave.
    #[error("refused to call {url}: {denial}")]
    Denied {
        /// Scheme, host and port: the rest may be a secret.
        url: String,
        /// Why.
        denial: Denial,
    },
    /// No address for the name.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// None of the addresses took the connection.
    #[error("cannot connect to {to}: {reason}")]
    Connect {
        /// Host and port.
        to: String,
        /// What the system said of the last address.
        reason: String,
    },
    /// The other side is not who it should be, or speaks no TLS that we accept.
    #[error("no trusted TLS connection to {to}: {reason}")]
    Tls {
        /// Host and port.
        to: String,
        /// What is wrong.
        reason: String,
    },
    /// It broke while the request or the answer was under way.
    #[error("the connection to {to} broke: {reason}")]
    Broken {
        /// Host and port.
        to: String,
        /// What happened.
        reason: String,
    },
    /// A bound in time.
    #[error("{to} took too long ({stage})")]
    Timeout {
        /// Host and port.
        to: String,
        /// Waiting for what.
        stage: &'static str,
    },
    /// A bound in size.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// A content type that the client does not take.
    #[error("the answer is {got:?}, which is not among the content types that are taken")]
    ContentType {
        /// What it is, without parameters.
        got: String,
    },
    /// A header that cannot be sent.
    #[error("not a header that can be sent: {0}")]
    Header(String),
}

impl Error {
    /// Whether the same call may succeed soon.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Resolve(error) => error.is_transient(),
            Self::Connect { .. } | Self::Broken { .. } | Self::Timeout { .. } => true,
            Self::Text { .. }
            | Self::Denied { .. }
            | Self::Tls { .. }
            | Self::TooLarge { .. }
            | Self::ContentType { .. }
            | Self::Header(_) => false,
        }
    }

    /// The reason of a refusal of ours, where it is one.
    pub fn refusal(&self) -> Option<Reason> {
        match self {
            Self::Text { reason, .. } => Some(*reason),
            Self::Denied { denial, .. } => Some(denial.reason),
            _ => None,
        }
    }
}

/// What was refused may hold a password, in the path or before an `@`, wherever a parser would see that.
pub(super) fn text_error(text: &str, reason: Reason) -> Error {
    let place = text.split_once("://").filter(|_| !text.contains('@'));
    let url = match place {
        Some((scheme, rest)) => {
            let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
            format!("{scheme:.10}://{host:.80}").escape_debug().to_string()
        }
        None => format!("a text of {} bytes", text.len()),
    };
    Error::Text { url, reason }
}
