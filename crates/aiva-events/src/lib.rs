//! Outbox, inbox, local dispatcher, dead letters.
//!
//! Promises: an event is written in the transaction of the state that it tells of; every consumer of its type gets it at
//! least once, in order per subject; a handler that claims it in the [`inbox`] applies it once. What keeps failing becomes
//! a dead letter: its subject waits for a person, all others go on.
//!
//! Start reading at [`NewEvent`] and [`outbox`] to write, at [`Handler`] and [`local::Dispatcher`] to read.

pub mod consume;
pub mod dead_letter;
pub mod http;
pub mod inbox;
pub mod local;
pub mod log;
pub mod outbox;
pub mod publish;
pub mod schema;

pub use consume::{HandleError, Handler};
pub use local::Dispatcher;
pub use publish::{Context, NewEvent};
pub use schema::MIGRATIONS;
