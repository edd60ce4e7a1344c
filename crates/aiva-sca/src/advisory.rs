//! Public advisories: OSV records in, one memory-mapped index out, which a scan asks without ever parsing a record.
//!
//! [`import`] compiles zips and folders of OSV JSON into the index, [`Index`] answers from it, [`status`] tells its age, [`update`] downloads the public exports.
//! Everything lives in one folder (`advisories/` of the data directory), which every function here takes as `dir`.

mod amend;
mod archive;
mod batch;
mod compile;
mod document;
mod evaluate;
mod feed;
mod fold;
mod import;
mod index;
mod layout;
mod map;
pub mod osv;
mod symbols;
pub mod update;
mod write;

pub use amend::{AmendError, AmendReport, Amended, Change, amend, confirm};
pub use fold::{Fold, fold};
pub use import::{
    ArchiveError, BadRecord, FeedError, ImportError, ImportReport, Imported, Progress, Source, import, import_sources,
};
pub use index::{
    Advisory, Affects, Covers, Damage, Details, Ecosystem as IndexedEcosystem, Entry, Index, OpenError, PackageDetails,
    Verified,
};
pub(crate) use index::{AdvisoryId, EntryId};
pub(crate) use symbols::MOST as MOST_SYMBOLS;
pub use write::WriteError;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

/// What an index holds and how old it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Rises by one with every replacement.
    pub epoch: u64,
    /// When the file was written.
    pub built_at: Timestamp,
    /// Time since the ecosystem that was imported longest ago was imported; zero if the clock went back.
    pub age: Duration,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// One row for each ecosystem present.
    pub ecosystems: Vec<IndexedEcosystem>,
}

/// Reads the head of the index in `dir`; as cheap as opening it.
pub fn status(dir: &Path, now: Timestamp) -> Result<Status, OpenError> {
    Ok(Index::open(dir)?.status(now))
}
