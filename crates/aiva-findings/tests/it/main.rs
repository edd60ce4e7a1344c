//! The life of services, scans and findings in the embedded store, through the crate's own API.

mod store;
mod world;
