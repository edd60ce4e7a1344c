//! The engine as its users see it.

mod client;
mod corpus;
mod properties;
