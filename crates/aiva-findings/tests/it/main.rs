//! The life of services, scans and findings in the embedded store, through the crate's own API.

#![expect(clippy::unwrap_used, reason = "a test may fail at any line")]
mod events;
mod http;
mod store;
mod world;
