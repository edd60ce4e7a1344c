//! Fake clock, a name server, both databases, local broker, golden files: for tests only.

pub mod clock;
pub mod dns;
pub mod postgres;
pub mod skip;
