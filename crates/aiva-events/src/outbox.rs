//! The outbox: events written in the transaction of the state that they tell of.
//!
//! Promises: they are there if and only if that transaction commits, in the order given; whoever waits for events is woken
//! by the commit, not by a timer.

pub mod postgres;
pub mod sqlite;

/// The columns of an envelope, in the order in which both engines read them.
macro_rules! columns {
    () => {
        "o.id, o.kind, o.source, o.subject, o.time, o.correlation_id, o.causation_id, o.schema_id, o.traceparent, o.data"
    };
}
pub(crate) use columns;
