//! The one engine for outbound requests: no request reaches where it must not.
//!
//! Usable outside AIVA: it imports no other crate of ours and no database. A request passes, in this order: the text checks
//! ([`target`]), the policy on names ([`policy`], judged in [`judge`]), one lookup ([`resolve`]), the policy on every
//! address of the answer ([`address`]), and a connection to one of the checked addresses and no other ([`client`]).
//! Redirects start over. [`engine`] goes this way for whoever connects by other means.
//!
//! Nothing here reads a proxy, a hosts file or a search list from the environment.

pub mod address;
mod bounded;
pub mod client;
pub mod engine;
pub mod judge;
pub mod policy;
mod reason;
pub mod rebinding;
pub mod resolve;
pub mod target;

pub use address::{Class, Prefix, classify};

pub use client::Client;
pub use engine::{Clock, Engine, Outcome, Verdict};
pub use judge::Question;
pub use policy::{Denial, Exception, Mode, Policy, Reason, Refusal, Rule};
pub use target::{Host, Scheme, Target};
