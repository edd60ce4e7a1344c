//! What a service is built from: inventory, advisory index, matching.

pub mod advisory;
pub mod finding;
pub mod inventory;
pub mod matching;
pub mod package;
pub mod ports;
pub mod purl;
pub mod scan;
pub mod severity;
pub mod version;
