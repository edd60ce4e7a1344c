//! What a consumer of events promises and how it fails.

use std::error::Error;
use std::time::Duration;

use aiva_contracts::envelope::{DecodeError, Envelope};
use aiva_store::{StoreError, TxError};
use async_trait::async_trait;

/// Reacts to events.
///
/// Delivered at least once and in order per subject: a handler with effects of its own claims the event in the
/// [`inbox`](crate::inbox), in the transaction of those effects, and does nothing where the claim says that it was done.
/// A handler that returns an error or panics has not handled.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// The name that its progress is kept under; never changed.
    fn consumer(&self) -> &'static str;

    /// The types it wants, by full message name.
    fn types(&self) -> &'static [&'static str];

    /// How many subjects it handles at once.
    fn concurrency(&self) -> usize {
        4
    }

    /// How long one event may take before it counts as failed.
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// Reacts to one event.
    ///
    /// # Errors
    /// [`HandleError::Transient`] to have it again later, [`HandleError::Permanent`] to make it a dead letter at once.
    async fn handle(&self, event: &Envelope) -> Result<(), HandleError>;
}

/// Why an event was not handled.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// It may work later.
    #[error("the event was not handled this time")]
    Transient(#[source] Box<dyn Error + Send + Sync>),
    /// It will never work as it is.
    #[error("the event cannot be handled")]
    Permanent(#[source] Box<dyn Error + Send + Sync>),
}

impl HandleError {
    /// It may work later.
    pub fn transient(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Transient(cause.into())
    }

    /// It will never work as it is.
    pub fn permanent(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Permanent(cause.into())
    }

    /// The whole chain in one line, for the dead letter; at most 4,000 characters.
    pub(crate) fn reason(&self) -> String {
        let mut reason = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            reason.push_str(": ");
            reason.push_str(&error.to_string());
            cause = error.source();
        }
        reason.chars().take(4000).collect()
    }
}

impl From<StoreError> for HandleError {
    fn from(error: StoreError) -> Self {
        if error.is_transient() { Self::transient(error) } else { Self::permanent(error) }
    }
}

impl<E: Error + Send + Sync + 'static> From<TxError<E>> for HandleError {
    /// A panic counts as transient: a retry shows whether it was.
    fn from(error: TxError<E>) -> Self {
        match error {
            TxError::Store(error) => error.into(),
            TxError::Panicked => Self::transient("the transaction panicked"),
            TxError::Refused(error) => Self::permanent(error),
        }
    }
}

impl From<DecodeError> for HandleError {
    fn from(error: DecodeError) -> Self {
        Self::permanent(error)
    }
}
