//! What a service is built from: which of its parts are vulnerable, malicious or unmaintained.
//!
//! Promises: every file that is seen ends in a status, every package in a verdict or a reason why there is none; nothing
//! is guessed. Readers ([`inventory`]) never know advisories, [`matching`] never reads a file, and a scan never parses the
//! advisory corpus: it asks a memory-mapped index ([`advisory`]).
//!
//! Start reading at [`scan::scan`]; on a server, at [`service::Service`].

pub mod advisory;
pub mod checks;
pub mod column;
pub mod config;
pub mod contents;
mod depth;
pub mod events;
pub mod finding;
pub mod fix;
pub mod graph;
pub mod http;
pub mod inventory;
pub mod left_out;
pub mod licence;
pub mod matching;
pub mod name;
pub mod package;
pub mod ports;
pub mod purl;
pub mod report;
pub mod sbom;
pub mod scan;
pub mod score;
pub mod service;
pub mod severity;
pub mod snapshot;
pub mod store;
pub mod supply;
pub mod system;
pub mod version;
pub mod vex;
pub mod why;
pub mod workers;
