//! Imports OSV records: reads them in parallel, compiles them, and replaces the ecosystems that they are about in the index.
//!
//! All or nothing: whatever is wrong with a source as a whole (a damaged zip, a folder without records) leaves the old index in
//! place. A single bad record is counted and named, and the others are imported. Memory stays bounded by the hot part.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rayon::prelude::*;

use super::amend::AmendError;
pub use super::archive::ArchiveError;
use super::batch::{Batch, NAMED, Tally};
pub use super::feed::FeedError;
use super::feed::{self, Feed};
use super::fold::fold_segment;
use super::index::{Index, OpenError, last_epoch};
use super::write::{Kind, Lock, Origin, SegmentBuilder, WriteError, Writer};
use crate::package::Ecosystem;

/// Batches that are read and compiled before their results are written.
const WINDOW: usize = 32;

/// Why nothing was imported. The index in use is untouched.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No path was given.
    #[error("no advisories to import: give at least one OSV zip or folder")]
    NoPaths,
    /// A source could not be read.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// A source without a single record about a known ecosystem (or about the one its folder is named after).
    #[error("{source_name} holds no record about {wanted}")]
    NoRecords {
        /// The zip or folder.
        source_name: String,
        /// What was looked for.
        wanted: String,
    },
    /// More than half of a source's entries are no OSV records.
    #[error("{source_name} is not an OSV export: {bad} of {total} entries are not OSV records, the first is {example}")]
    NotOsv {
        /// The zip or folder.
        source_name: String,
        /// Entries that are not records.
        bad: u64,
        /// All entries.
        total: u64,
        /// One of them, with the reason.
        example: String,
    },
    /// The new index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// What was to be kept could not be taken over.
    #[error(transparent)]
    Keep(#[from] AmendError),
}

/// A path to import, and the mark (ETag) under which its content was downloaded, if it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// A zip or folder.
    pub path: PathBuf,
    /// Kept with the ecosystem, to ask later whether the content has changed.
    pub mark: Option<String>,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The zip or folder at hand.
    pub source: &'a str,
    /// Its entries read so far.
    pub done: usize,
    /// All its entries.
    pub total: usize,
}

/// One ecosystem that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Which.
    pub ecosystem: Ecosystem,
    /// Records now in the index.
    pub records: u64,
    /// Records left out because they were withdrawn.
    pub withdrawn: u64,
}

/// An entry that is no OSV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// The zip or folder, and the entry in it.
    pub entry: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// The ecosystems that were replaced.
    pub imported: Vec<Imported>,
    /// The ecosystems that were taken over from the index before.
    pub kept: Vec<Ecosystem>,
    /// Entries that are no OSV records, all of them.
    pub bad_count: u64,
    /// The first of them by name.
    pub bad: Vec<BadRecord>,
    /// Records about other ecosystems, which were passed over.
    pub foreign: u64,
    /// Ecosystems of the index before that were lost, because it was damaged or of another release.
    pub lost: Option<String>,
}

/// Imports zips and folders into the index in `dir`, which need not exist yet.
///
/// A path may be an OSV zip, a folder of `<ecosystem>/all.zip`, a folder of OSV JSON files, or one JSON file. What stands in a
/// folder (or is a zip) named after an ecosystem is taken for that ecosystem alone. Elsewhere the records decide: the ecosystems that all of
/// them are about, else all ecosystems that occur. Each of these is replaced whole; the others stay as they are. All releases of a
/// distribution are one ecosystem: to keep two of them, import both at once, or the distribution's whole export.
pub fn import(
    paths: &[PathBuf],
    dir: &Path,
    now: Timestamp,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<ImportReport, ImportError> {
    let sources: Vec<Source> = paths.iter().map(|path| Source { path: path.clone(), mark: None }).collect();
    import_sources(&sources, dir, now, progress)
}

/// As [`import`], for content that was downloaded under a mark.
pub fn import_sources(
    sources: &[Source],
    dir: &Path,
    now: Timestamp,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<ImportReport, ImportError> {
    let mut feeds = Vec::new();
    for source in sources {
        feeds.extend(feed::discover(&source.path)?.into_iter().map(|feed| (feed, source.mark.clone())));
    }
    if feeds.is_empty() {
        return Err(ImportError::NoPaths);
    }
    let lock = Lock::take(dir)?;
    let writer = Writer::create(&lock, Kind::Base)?;
    let mut job = Job { writer, segments: BTreeMap::new(), report: ImportReport::default() };
    for (feed, mark) in &feeds {
        job.read(feed, mark.as_ref(), progress)?;
    }
    job.finish(dir, now)
}

struct Job {
    writer: Writer,
    segments: BTreeMap<Ecosystem, Gathering>,
    report: ImportReport,
}

/// An ecosystem while its feeds are read.
#[derive(Default)]
struct Gathering {
    builder: SegmentBuilder,
    feeds: usize,
    mark: Option<String>,
    partial: bool,
}

impl Job {
    fn read(
        &mut self,
        feed: &Feed,
        mark: Option<&String>,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<(), ImportError> {
        let wanted: Vec<Ecosystem> = feed.ecosystem.map_or_else(|| Ecosystem::ALL.to_vec(), |one| vec![one.family()]);
        let mut tally = Tally::default();
        // Of a feed that does not say what it is about, records are held back until all of them are seen.
        let mut gathered: BTreeMap<Ecosystem, SegmentBuilder> = BTreeMap::new();
        if let Some(&[family]) = wanted.get(..).filter(|_| feed.ecosystem.is_some()) {
            self.segments.entry(family).or_default().builder.reserve(feed.len());
        }
        let batches = feed.batches();
        progress(Progress { source: &feed.name, done: 0, total: feed.len() });
        for window in batches.chunks(WINDOW) {
            let done: Vec<Batch> =
                window.par_iter().map(|range| Batch::read(feed, range.clone(), &wanted)).collect::<Result<_, _>>()?;
            for batch in done {
                tally.add(&batch);
                for (ecosystem, part) in batch.parts {
                    let segment = match feed.ecosystem {
                        Some(_) => &mut self.segments.entry(ecosystem).or_default().builder,
                        None => gathered.entry(ecosystem).or_default(),
                    };
                    part.write(&mut self.writer, segment)?;
                }
            }
            let done = window.last().map_or(0, |range| range.end);
            progress(Progress { source: &feed.name, done, total: feed.len() });
        }
        tally.check(feed)?;
        self.report.foreign += tally.foreign;
        self.report.bad_count += tally.bad_count;
        let room = NAMED.saturating_sub(self.report.bad.len());
        self.report.bad.extend(tally.bad.iter().take(room).cloned());
        let mut touched: Vec<Ecosystem> = feed.ecosystem.map(Ecosystem::family).into_iter().collect();
        for (ecosystem, segment) in gathered {
            if tally.is_about(ecosystem) {
                touched.push(ecosystem);
                self.segments.entry(ecosystem).or_default().builder.absorb(segment);
            }
        }
        for ecosystem in touched {
            let gathering = self.segments.entry(ecosystem).or_default();
            gathering.feeds += 1;
            gathering.partial |= feed.ecosystem.is_some_and(|one| one != one.family());
            // What was put together from several downloads has no mark of its own.
            gathering.mark = mark.cloned().filter(|_| gathering.feeds == 1);
        }
        Ok(())
    }

    fn finish(mut self, dir: &Path, now: Timestamp) -> Result<ImportReport, ImportError> {
        let old = match Index::open(dir) {
            Ok(old) => Some(old),
            Err(OpenError::Missing(_)) => None,
            Err(other) => {
                self.report.lost = Some(other.to_string());
                None
            }
        };
        let replaced: Vec<Ecosystem> = self.segments.keys().copied().collect();
        for (ecosystem, Gathering { builder, mark, partial, .. }) in std::mem::take(&mut self.segments) {
            let origin = Origin { imported_at: now.as_second(), mark, partial };
            let counts = self.writer.add_segment(ecosystem, builder, origin, None)?;
            let (records, withdrawn) = (counts.records, counts.withdrawn);
            self.report.imported.push(Imported { ecosystem, records, withdrawn });
        }
        for (old, ecosystem) in old.iter().flat_map(|old| old.segments().map(move |(ecosystem, _)| (old, ecosystem))) {
            if replaced.contains(&ecosystem) {
                continue;
            }
            match old.verify_ecosystem(ecosystem) {
                Ok(_) => {
                    self.report.kept.push(ecosystem);
                    fold_segment(&mut self.writer, old, ecosystem)?;
                }
                Err(damage) => self.report.lost = Some(damage.to_string()),
            }
        }
        self.writer.finish(last_epoch(dir) + 1, now.as_second())?;
        Ok(self.report)
    }
}
