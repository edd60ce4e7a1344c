//! Promises of the crate, checked through its public API.

mod severity;
