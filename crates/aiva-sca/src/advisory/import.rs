//! Imports OSV records: reads them in parallel, compiles them, and replaces the ecosystems that they are about in the index.
//!
//! All or nothing: whatever is wrong with a source as a whole (a damaged zip, a folder without records) leaves the old index in
//! place. A single bad record is counted and named, and the others are imported. Memory stays bounded by the hot part.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rayon::prelude::*;

pub use super::archive::ArchiveError;
use super::compile::{self, HotPackage};
pub use super::feed::FeedError;
use super::feed::{self, Feed};
use super::index::{Index, OpenError};
use super::layout::{MAX_BLOCK, checksum};
use super::osv;
use super::write::{Block, Origin, Packer, Piece, SegmentBuilder, WriteError, Writer};
use crate::package::Ecosystem;
use crate::system::System;

/// Batches that are read and compiled before their results are written.
const WINDOW: usize = 32;
/// Bad records that the report names; the others are counted.
const NAMED: usize = 50;

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

/// Notes that the ecosystems were compared with their sources and found unchanged, so that they count as fresh. Those that the
/// index lacks are passed over.
pub fn confirm(dir: &Path, ecosystems: &[Ecosystem], now: Timestamp) -> Result<(), ConfirmError> {
    let mut writer = Writer::create(dir)?;
    let old = Index::open(dir)?;
    for (ecosystem, segment) in old.segments() {
        old.verify_ecosystem(ecosystem)?;
        let mut segment = segment.clone();
        if ecosystems.contains(&ecosystem) {
            segment.imported_at = now.as_second();
        }
        writer.copy_segment(&old, &segment)?;
    }
    Ok(writer.finish(old.epoch() + 1, now.as_second())?)
}

/// Why an index could not be noted as fresh. It stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// There is none to note it in.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A part of it is damaged.
    #[error(transparent)]
    Damage(#[from] super::index::Damage),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
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
    let mut job = Job { writer: Writer::create(dir)?, segments: BTreeMap::new(), report: ImportReport::default() };
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
        for (ecosystem, Gathering { builder, mark, .. }) in std::mem::take(&mut self.segments) {
            self.report.imported.push(Imported { ecosystem, records: builder.records(), withdrawn: builder.withdrawn });
            self.writer.add_segment(ecosystem, builder, Origin { imported_at: now.as_second(), mark })?;
        }
        for (ecosystem, segment) in old.iter().flat_map(Index::segments) {
            if replaced.contains(&ecosystem) {
                continue;
            }
            match old.as_ref().map(|old| old.verify_ecosystem(ecosystem)) {
                Some(Ok(_)) | None => {
                    self.report.kept.push(ecosystem);
                    if let Some(old) = &old {
                        self.writer.copy_segment(old, segment)?;
                    }
                }
                Some(Err(damage)) => self.report.lost = Some(damage.to_string()),
            }
        }
        let epoch = old.as_ref().map_or(0, Index::epoch) + 1;
        self.writer.finish(epoch, now.as_second())?;
        Ok(self.report)
    }
}

/// What the batches of a feed add up to.
#[derive(Debug)]
struct Tally {
    entries: u64,
    records: u64,
    foreign: u64,
    bad_count: u64,
    bad: Vec<BadRecord>,
    /// The ecosystems that every record is about, and those that any record is about, as bits.
    all: u64,
    any: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self { entries: 0, records: 0, foreign: 0, bad_count: 0, bad: Vec::new(), all: u64::MAX, any: 0 }
    }
}

impl Tally {
    fn add(&mut self, batch: &Batch) {
        self.entries += batch.tally.entries;
        self.records += batch.tally.records;
        self.foreign += batch.tally.foreign;
        self.bad_count += batch.tally.bad_count;
        let room = NAMED.saturating_sub(self.bad.len());
        self.bad.extend(batch.tally.bad.iter().take(room).cloned());
        self.all &= batch.tally.all;
        self.any |= batch.tally.any;
    }

    fn is_about(&self, ecosystem: Ecosystem) -> bool {
        let common = if self.any & self.all == 0 { self.any } else { self.any & self.all };
        common & bit(ecosystem) != 0
    }

    fn check(&self, feed: &Feed) -> Result<(), ImportError> {
        if let Some(first) = self.bad.first()
            && self.bad_count * 2 > self.entries
        {
            return Err(ImportError::NotOsv {
                source_name: feed.name.clone(),
                bad: self.bad_count,
                total: self.entries,
                example: format!("{} ({})", first.entry, first.reason),
            });
        }
        if self.records == 0 {
            let known = || Ecosystem::ALL.map(Ecosystem::osv_name).join(", ");
            let wanted = feed.ecosystem.map_or_else(known, |one| one.osv_name().to_owned());
            return Err(ImportError::NoRecords { source_name: feed.name.clone(), wanted });
        }
        Ok(())
    }
}

/// An ecosystem as a bit, by its place among all of them.
fn bit(ecosystem: Ecosystem) -> u64 {
    Ecosystem::ALL.iter().position(|one| *one == ecosystem).map_or(0, |place| 1 << place)
}

/// Tells the export of one release from that of another; 0 for that of all.
fn mark_of(system: System) -> u64 {
    system.release().map_or(0, |release| checksum(release.as_bytes()))
}

/// What one thread makes of a run of entries.
struct Batch {
    tally: Tally,
    parts: BTreeMap<Ecosystem, Part>,
}

struct Part {
    packer: Packer,
    records: Vec<Compiled>,
    withdrawn: u64,
    releases: BTreeSet<&'static str>,
}

struct Compiled {
    id_hash: u64,
    modified: i64,
    place: (u32, u32),
    packages: Vec<HotPackage>,
}

impl Batch {
    fn read(feed: &Feed, range: Range<usize>, wanted: &[Ecosystem]) -> Result<Self, FeedError> {
        let mut batch = Self { tally: Tally::default(), parts: BTreeMap::new() };
        feed.read(range, &mut |name, text| {
            if name.to_ascii_lowercase().ends_with(".json") {
                batch.tally.entries += 1;
                if let Err(reason) = batch.add(text, wanted, feed.ecosystem) {
                    batch.tally.bad_count += 1;
                    if batch.tally.bad.len() < NAMED {
                        batch.tally.bad.push(BadRecord { entry: format!("{}: {name}", feed.name), reason });
                    }
                }
            }
        })?;
        batch.parts.values_mut().for_each(|part| part.packer.close());
        Ok(batch)
    }

    fn add(&mut self, text: &[u8], wanted: &[Ecosystem], only: Option<Ecosystem>) -> Result<(), String> {
        let record = osv::parse(text).map_err(|error| error.to_string())?;
        let about: Vec<Ecosystem> = compile::ecosystems(&record).filter(|one| wanted.contains(one)).collect();
        if about.is_empty() {
            self.tally.foreign += 1;
            return Ok(());
        }
        self.tally.records += 1;
        let bits = about.iter().fold(0, |bits, one| bits | bit(*one));
        self.tally.all &= bits;
        self.tally.any |= bits;
        for ecosystem in about {
            let part = self.parts.entry(ecosystem).or_insert_with(|| Part {
                packer: Packer::new(),
                records: Vec::new(),
                withdrawn: 0,
                releases: BTreeSet::new(),
            });
            if record.withdrawn.is_some() {
                part.withdrawn += 1;
                continue;
            }
            let compiled = compile::compile(&record, only.unwrap_or(ecosystem));
            if compiled.packages.is_empty() {
                continue; // All of it is about other releases than the feed is.
            }
            part.releases.extend(compiled.releases);
            let document = serde_json::to_vec(&compiled.details).map_err(|error| error.to_string())?;
            if document.len() > MAX_BLOCK - super::layout::BLOCK {
                return Err(format!("its details are {} bytes, more than any advisory", document.len()));
            }
            let place = part.packer.push(&document);
            part.records.push(Compiled {
                // The exports of two releases both have a record that is about both: each brings its own part.
                id_hash: checksum(record.id.as_bytes()) ^ only.and_then(Ecosystem::system).map_or(0, mark_of),
                modified: compile::modified(&record),
                place,
                packages: compiled.packages,
            });
        }
        Ok(())
    }
}

impl Part {
    fn write(self, writer: &mut Writer, segment: &mut SegmentBuilder) -> Result<(), WriteError> {
        let first = segment.block_count();
        for block in &self.packer.blocks {
            let block: &Block = block;
            segment.add_block(writer.add_block(block)?);
        }
        segment.withdrawn += self.withdrawn;
        segment.releases.extend(self.releases.into_iter().map(str::to_owned));
        for compiled in &self.records {
            let Some(record) = segment.open_record(compiled.id_hash, compiled.modified) else { continue };
            let (block, offset) = compiled.place;
            for HotPackage { name, flags, body } in &compiled.packages {
                segment.add_package(record, (first + block, offset), Piece { name, flags: *flags, body });
            }
        }
        Ok(())
    }
}
