//! What a writer says about an event before it is in the outbox.

use aiva_contracts::envelope::{Envelope, EventMessage};
use jiff::Timestamp;
use uuid::{NoContext, Uuid};

/// A fact to be told.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) data: Vec<u8>,
    pub(crate) schema_id: u32,
}

impl NewEvent {
    /// The message is what happened; events of one `subject` are delivered in order.
    pub fn of<M: EventMessage>(message: &M, subject: impl Into<String>) -> Self {
        Self { kind: M::TYPE, subject: subject.into(), data: message.encode_to_vec(), schema_id: 0 }
    }

    /// The same of a message that is encoded already.
    pub fn encoded<M: EventMessage>(data: Vec<u8>, subject: impl Into<String>) -> Self {
        Self { kind: M::TYPE, subject: subject.into(), data, schema_id: 0 }
    }

    /// Names the registered schema.
    #[must_use]
    pub fn with_schema(mut self, id: u32) -> Self {
        self.schema_id = id;
        self
    }
}

/// What the events of one transaction have in common.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who says so, such as `aiva/findings`.
    pub source: &'static str,
    /// When it happened.
    pub now: Timestamp,
    /// What the whole chain belongs to.
    pub correlation_id: String,
    /// The event that this follows from.
    pub causation_id: Option<Uuid>,
    /// W3C trace context; may be empty.
    pub traceparent: String,
}

impl Context {
    /// The first events of a chain.
    pub fn new(source: &'static str, now: Timestamp, correlation_id: impl Into<String>) -> Self {
        Self { source, now, correlation_id: correlation_id.into(), causation_id: None, traceparent: String::new() }
    }

    /// Events that follow from another.
    pub fn following(cause: &Envelope, source: &'static str, now: Timestamp) -> Self {
        Self {
            source,
            now,
            correlation_id: cause.correlation_id.clone(),
            causation_id: Some(cause.id),
            traceparent: cause.traceparent.clone(),
        }
    }

    /// A new id in the order of time.
    pub(crate) fn id(&self) -> Uuid {
        let seconds = u64::try_from(self.now.as_second()).unwrap_or_default();
        let nanos = u32::try_from(self.now.subsec_nanosecond()).unwrap_or_default();
        Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanos))
    }
}
