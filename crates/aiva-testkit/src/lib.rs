//! Fake clock, a name server, both databases, local broker, golden files, schemas of XML: for tests only.

pub mod clock;
pub mod dns;
pub mod postgres;
pub mod skip;
pub mod xml;
