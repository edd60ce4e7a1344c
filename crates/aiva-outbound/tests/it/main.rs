//! The engine as its users see it.

#![expect(clippy::unwrap_used, reason = "a test and its helpers stop at the first surprise")]

mod client;
mod corpus;
mod properties;
