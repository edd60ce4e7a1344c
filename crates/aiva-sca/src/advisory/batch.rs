//! Reads a run of records and compiles them, on one thread, into what a segment takes in.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::compile::{self, HotPackage};
use super::document;
use super::feed::{Feed, FeedError};
use super::import::{BadRecord, ImportError};
use super::layout::{BLOCK, MAX_BLOCK, Row, Spot, State, checksum, id_hash};
use super::osv;
use super::write::{Block, Packer, Piece, SegmentBuilder, WriteError, Writer};
use crate::package::Ecosystem;
use crate::system::System;

/// Bad records that a report names; the others are counted.
pub(super) const NAMED: usize = 50;

/// What the batches of a feed add up to.
#[derive(Debug)]
pub(super) struct Tally {
    entries: u64,
    records: u64,
    pub(super) foreign: u64,
    pub(super) bad_count: u64,
    pub(super) bad: Vec<BadRecord>,
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
    pub(super) fn add(&mut self, batch: &Batch) {
        self.entries += batch.tally.entries;
        self.records += batch.tally.records;
        self.foreign += batch.tally.foreign;
        self.bad_count += batch.tally.bad_count;
        let room = NAMED.saturating_sub(self.bad.len());
        self.bad.extend(batch.tally.bad.iter().take(room).cloned());
        self.all &= batch.tally.all;
        self.any |= batch.tally.any;
    }

    pub(super) fn is_about(&self, ecosystem: Ecosystem) -> bool {
        let common = if self.any & self.all == 0 { self.any } else { self.any & self.all };
        common & bit(ecosystem) != 0
    }

    pub(super) fn check(&self, feed: &Feed) -> Result<(), ImportError> {
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

fn is_json(name: &str) -> bool {
    const ENDING: &[u8] = b".json";
    let name = name.as_bytes();
    name.len()
        .checked_sub(ENDING.len())
        .and_then(|at| name.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(ENDING))
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
pub(super) struct Batch {
    tally: Tally,
    pub(super) parts: BTreeMap<Ecosystem, Part>,
    /// Where each document is written before it goes into a block.
    document: Vec<u8>,
}

/// What a batch has of one ecosystem.
pub(super) struct Part {
    packer: Packer,
    records: Vec<Compiled>,
    releases: BTreeSet<&'static str>,
}

struct Compiled {
    /// Tells it from others: see [`SegmentBuilder::open_record`].
    key: u64,
    row: Row,
    packages: Vec<HotPackage>,
}

/// What the source's list says of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed<'a> {
    pub(super) id: &'a str,
    pub(super) modified: u32,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { tally: Tally::default(), parts: BTreeMap::new(), document: Vec::new() }
    }

    pub(super) fn read(feed: &Feed, range: Range<usize>, wanted: &[Ecosystem]) -> Result<Self, FeedError> {
        let mut batch = Self::new();
        feed.read(range, &mut |name, text| {
            if is_json(name) {
                batch.take(|| format!("{}: {name}", feed.name), text, wanted, feed.ecosystem, None);
            }
        })?;
        batch.close();
        Ok(batch)
    }

    /// Takes in one record, or counts it as bad under its name.
    pub(super) fn take(
        &mut self,
        name: impl Fn() -> String,
        text: &[u8],
        wanted: &[Ecosystem],
        only: Option<Ecosystem>,
        listed: Option<Listed<'_>>,
    ) {
        self.tally.entries += 1;
        if let Err(reason) = self.add(text, wanted, only, listed) {
            self.tally.bad_count += 1;
            if self.tally.bad.len() < NAMED {
                self.tally.bad.push(BadRecord { entry: name(), reason });
            }
        }
    }

    /// Ends the blocks that are begun; nothing is added after it.
    pub(super) fn close(&mut self) {
        self.parts.values_mut().for_each(|part| part.packer.close());
    }

    fn add(
        &mut self,
        text: &[u8],
        wanted: &[Ecosystem],
        only: Option<Ecosystem>,
        listed: Option<Listed<'_>>,
    ) -> Result<(), String> {
        let record = osv::parse(text).map_err(|error| error.to_string())?;
        if let Some(listed) = listed.filter(|listed| *listed.id != *record.id) {
            return Err(format!("it is {}, where {} was asked for", &*record.id, listed.id));
        }
        let about: Vec<Ecosystem> = compile::ecosystems(&record, wanted).collect();
        if about.is_empty() {
            self.tally.foreign += 1;
            return Ok(());
        }
        self.tally.records += 1;
        let bits = about.iter().fold(0, |bits, one| bits | bit(*one));
        self.tally.all &= bits;
        self.tally.any |= bits;
        let id = id_hash(&record.id);
        let modified = compile::modified(&record).max(listed.map_or(0, |listed| listed.modified));
        for ecosystem in about {
            let part = self.parts.entry(ecosystem).or_insert_with(|| Part {
                packer: Packer::new(),
                records: Vec::new(),
                releases: BTreeSet::new(),
            });
            // The exports of two releases both have a record that is about both: each brings its own part.
            let key = id ^ only.and_then(Ecosystem::system).map_or(0, mark_of);
            let line = |state| Row { id, modified, state };
            if record.withdrawn.is_some() {
                part.records.push(Compiled { key, row: line(State::Withdrawn), packages: Vec::new() });
                continue;
            }
            let compiled = compile::compile(&record, only.unwrap_or(ecosystem));
            if compiled.packages.is_empty() {
                // All of it is about other releases than the feed is.
                part.records.push(Compiled { key, row: line(State::Nothing), packages: Vec::new() });
                continue;
            }
            self.document.clear();
            document::write(&mut self.document, &compiled.details);
            if self.document.len() > MAX_BLOCK - BLOCK {
                return Err(format!("its details are {} bytes, more than any advisory", self.document.len()));
            }
            let row = line(State::At(part.packer.push(&self.document)));
            part.records.push(Compiled { key, row, packages: compiled.packages });
            part.releases.extend(compiled.releases);
        }
        Ok(())
    }
}

impl Part {
    /// The packages that its records are about.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.records.iter().flat_map(|record| &record.packages).map(|package| &*package.name)
    }

    pub(super) fn write(self, writer: &mut Writer, segment: &mut SegmentBuilder) -> Result<(), WriteError> {
        let first = segment.block_count();
        for block in &self.packer.blocks {
            let block: &Block = block;
            segment.add_block(writer.add_block(block)?);
        }
        segment.add_releases(self.releases);
        for Compiled { key, row, packages } in &self.records {
            let moved = row.spot().map(|spot| State::At(Spot { block: first + spot.block, ..spot }));
            let row = Row { state: moved.unwrap_or(row.state), ..*row };
            let Some(record) = segment.open_record(*key, row) else { continue };
            for HotPackage { name, flags, body } in packages {
                segment.add_package(record, Piece { name, flags: *flags, body });
            }
        }
        Ok(())
    }
}
