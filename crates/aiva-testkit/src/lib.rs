//! Fake clock, both databases, local broker, golden files: for tests only.

pub mod clock;
pub mod postgres;
pub mod skip;
