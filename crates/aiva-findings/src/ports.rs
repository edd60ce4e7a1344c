//! What findings need from the world, and how the world says no.

use aiva_contracts::bounds::Violation;

/// Why a use case was refused. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A file defines it.
    #[error("a file defines this {0}; change it there")]
    ReadOnly(&'static str),
    /// There is one already.
    #[error("there is a {0} of this name already")]
    Exists(&'static str),
    /// The state of the thing does not allow it.
    #[error("{0}")]
    NotNow(&'static str),
    /// Somebody else changed it.
    #[error("it was changed in the meantime")]
    Stale,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Fields of the request do not fit.
    #[error("fields of the request do not fit")]
    Invalid(Vec<Violation>),
    /// The list never gave this cursor.
    #[error("the cursor is not one that this list gave")]
    BadCursor,
    /// Chunks of the scan are missing: its events were lost or came in another order.
    #[error("chunks of the scan are missing")]
    Missing,
}

impl Refusal {
    /// One field that does not fit.
    pub fn field(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation { pointer: pointer.into(), message: message.into() }])
    }
}

/// The key of an idempotent request and the fingerprint of what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The caller's key, made unique per caller.
    pub key: String,
    /// What was asked.
    pub request: [u8; 32],
}

/// Whether the version that is there is one that the caller may change.
pub type Expect = Box<dyn Fn(u64) -> bool + Send>;
