//! What findings need from the world, and how the world says no.

use std::sync::Arc;

use aiva_contracts::api::{FindingKind, FindingOrder, FindingState, Guard, Level, ScanState};
use aiva_contracts::bounds::Violation;
use aiva_store::TxError;
use serde::{Deserialize, Serialize};

/// What a use case's transaction ends with.
pub type Done<T> = Result<T, TxError<Refusal>>;

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
pub type Expect = Arc<dyn Fn(u64) -> bool + Send + Sync>;

/// Who wants what scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The service.
    pub service: String,
    /// The guard.
    pub guard: Guard,
    /// Only these places; empty for everything.
    pub paths: Vec<String>,
    /// A principal, `schedule`, `start` or `upload`.
    pub by: String,
}

/// Which scans to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanFilter {
    /// Only of this service.
    pub service: Option<String>,
    /// Only of this guard.
    pub guard: Option<Guard>,
    /// Only in this state.
    pub state: Option<ScanState>,
}

/// Which findings to list, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingFilter {
    /// Only of this service.
    pub service: Option<String>,
    /// Only of this guard.
    pub guard: Option<Guard>,
    /// Only in one of these states; empty for all.
    pub states: Vec<FindingState>,
    /// Only of one of these levels; empty for all.
    pub levels: Vec<Level>,
    /// Only of this kind.
    pub kind: Option<FindingKind>,
    /// Only those that hold this text.
    pub text: Option<String>,
    /// Only of this package.
    pub package: Option<String>,
    /// Only of this advisory, by any name.
    pub advisory: Option<String>,
    /// The order.
    pub order: Option<FindingOrder>,
}

/// Where a page of findings ended: the sort key and the fingerprint of its last row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    pub(crate) key: Key,
    pub(crate) fingerprint: String,
}

/// The sort key of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Key {
    Number(i64),
    Text(String),
}
