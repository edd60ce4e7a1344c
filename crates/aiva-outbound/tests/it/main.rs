//! The engine as its users see it.

#![expect(clippy::unwrap_used, reason = "a test and its helpers stop at the first surprise")]

mod client;
#[cfg(feature = "hyper-connector")]
mod connector;
mod corpus;
mod dns;
mod engine;
mod origin;
mod properties;
