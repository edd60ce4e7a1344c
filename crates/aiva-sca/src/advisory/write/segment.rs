//! One ecosystem's records while they are gathered, and how they are laid out at the end.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use rapidhash::v3::RapidSecrets;

use super::super::layout::{
    BLOCK, BLOCK_ENTRY, PAGE, ROW, Row, SLOT, Spot, State, checksum, name_hash, push_bytes, push_varint, tag,
};

/// A probe longer than this makes the writer try another seed.
const MAX_PROBE: usize = 64;

/// A details block, compressed, ready to be written.
#[derive(Debug)]
pub(in super::super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) length: u32,
    pub(super) checksum: u64,
}

/// Gathers documents into blocks.
pub(in super::super) struct Packer {
    table: CompressTable,
    open: Vec<u8>,
    /// Room for the largest that a block may become.
    packed: Vec<u8>,
    pub(in super::super) blocks: Vec<Block>,
}

impl Packer {
    pub(in super::super) fn new() -> Self {
        Self { table: CompressTable::default(), open: Vec::new(), packed: Vec::new(), blocks: Vec::new() }
    }

    /// Appends a document; answers with its block (counted from this packer's first) and its offset there.
    pub(in super::super) fn push(&mut self, document: &[u8]) -> Spot {
        let place = Spot { block: self.blocks.len() as u32, offset: self.open.len() as u32 };
        push_bytes(&mut self.open, document);
        if self.open.len() >= BLOCK {
            self.close();
        }
        place
    }

    pub(in super::super) fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let room = get_maximum_output_size(self.open.len());
        if self.packed.len() < room {
            self.packed.resize(room, 0);
        }
        let length = compress_into_with_table(&self.open, &mut self.packed, &mut self.table)
            .expect("the room is enough for any input");
        let bytes = self.packed.get(..length).unwrap_or_default().to_vec();
        let checksum = block_checksum(&bytes, self.open.len() as u32);
        self.blocks.push(Block { bytes, length: self.open.len() as u32, checksum });
        self.open.clear();
    }
}

/// A block's checksum also covers the length that it unpacks to.
pub(in super::super) fn block_checksum(bytes: &[u8], length: u32) -> u64 {
    checksum(bytes) ^ u64::from(length).rotate_left(17)
}

/// One package of one record on its way into a segment.
#[derive(Debug, Clone, Copy)]
struct Item {
    name: (usize, u32),
    body: (usize, u32),
    record: u32,
    flags: u8,
}

/// Hashes what is a hash already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// One ecosystem's records while they are gathered.
#[derive(Debug, Default)]
pub(in super::super) struct SegmentBuilder {
    arena: Vec<u8>,
    items: Vec<Item>,
    blocks: Vec<u8>,
    /// By key: which record it is. A record that comes twice counts once, the newer.
    seen: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    rows: Vec<Row>,
    dropped: Vec<u32>,
    /// The releases of a distribution that records are about.
    releases: BTreeSet<String>,
}

/// A package of a record as a batch hands it over.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Piece<'a> {
    pub(in super::super) name: &'a str,
    pub(in super::super) flags: u8,
    pub(in super::super) body: &'a [u8],
}

/// How many records of each kind there are, and the newest change of one that counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Counts {
    pub(in super::super) records: u64,
    pub(in super::super) withdrawn: u64,
    pub(in super::super) newest: u32,
}

impl Counts {
    pub(in super::super) fn of<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Self {
        rows.into_iter().fold(Self::default(), |sum, row| match row.state {
            State::At(_) => Self { records: sum.records + 1, newest: sum.newest.max(row.modified), ..sum },
            State::Withdrawn => Self { withdrawn: sum.withdrawn + 1, ..sum },
            State::Nothing | State::Gone => sum,
        })
    }
}

impl SegmentBuilder {
    /// An empty one that knows of these releases.
    pub(in super::super) fn of_releases(releases: &BTreeSet<String>) -> Self {
        Self { releases: releases.clone(), ..Self::default() }
    }

    /// Makes room for so many records more, about a package each.
    pub(in super::super) fn reserve(&mut self, records: usize) {
        /// What names and bodies are together, as a rule.
        const BYTES: usize = 64;
        self.arena.reserve(records.saturating_mul(BYTES));
        self.items.reserve(records);
        self.seen.reserve(records);
        self.rows.reserve(records);
    }

    /// Number of the file's blocks that this segment has so far.
    pub(in super::super) fn block_count(&self) -> u32 {
        (self.blocks.len() / BLOCK_ENTRY) as u32
    }

    pub(in super::super) fn add_block(&mut self, entry: [u8; BLOCK_ENTRY]) {
        self.blocks.extend_from_slice(&entry);
    }

    /// The table of the blocks so far.
    pub(super) fn blocks(&self) -> &[u8] {
        &self.blocks
    }

    pub(in super::super) fn add_releases(&mut self, releases: impl IntoIterator<Item = &'static str>) {
        self.releases.extend(releases.into_iter().map(str::to_owned));
    }

    pub(super) fn take_releases(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.releases)
    }

    /// Opens a record; `None` when a newer one is there already. `key` tells it from every other: its id's hash, and something
    /// else where two records of one id both count.
    pub(in super::super) fn open_record(&mut self, key: u64, row: Row) -> Option<u32> {
        let number = self.rows.len() as u32;
        if let Some(older) = self.seen.get(&key) {
            if self.rows.get(*older as usize).is_some_and(|older| older.modified >= row.modified) {
                return None;
            }
            self.dropped.push(*older);
        }
        self.seen.insert(key, number);
        self.rows.push(row);
        Some(number)
    }

    /// Whether there is a record of this key.
    pub(in super::super) fn has(&self, key: u64) -> bool {
        self.seen.contains_key(&key)
    }

    pub(in super::super) fn add_package(&mut self, record: u32, piece: Piece<'_>) {
        let mut keep = |bytes: &[u8]| {
            let at = self.arena.len();
            self.arena.extend_from_slice(bytes);
            (at, bytes.len() as u32)
        };
        let (name, body) = (keep(piece.name.as_bytes()), keep(piece.body));
        self.items.push(Item { name, body, record, flags: piece.flags });
    }

    /// Takes over another builder's records, under the same rule for records that come twice.
    pub(in super::super) fn absorb(&mut self, other: Self) {
        let first = self.block_count();
        self.blocks.extend_from_slice(&other.blocks);
        self.releases.extend(other.releases.iter().cloned());
        let mut records: Vec<(u64, u32)> = other.seen.iter().map(|(key, record)| (*key, *record)).collect();
        records.sort_unstable_by_key(|(_, record)| *record);
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        for (key, record) in records {
            let Some(row) = other.rows.get(record as usize) else { continue };
            let moved = |spot: Spot| Spot { block: first + spot.block, ..spot };
            let state = row.spot().map_or(row.state, |spot| State::At(moved(spot)));
            if let Some(number) = self.open_record(key, Row { state, ..*row }) {
                numbers.insert(record, number);
            }
        }
        for item in &other.items {
            if let Some(record) = numbers.get(&item.record).copied() {
                let name = String::from_utf8_lossy(other.bytes(item.name));
                self.add_package(record, Piece { name: &name, flags: item.flags, body: other.bytes(item.body) });
            }
        }
    }

    /// What there is of each record that counts as imported, by the hash of its id.
    pub(in super::super) fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> =
            self.seen.values().filter_map(|record| self.rows.get(*record as usize)).copied().collect();
        rows.sort_unstable();
        rows
    }

    /// The names of the packages of the records that count.
    pub(in super::super) fn names(&mut self) -> BTreeSet<String> {
        self.drop_older();
        self.items.iter().map(|item| String::from_utf8_lossy(self.bytes(item.name)).into_owned()).collect()
    }

    fn bytes(&self, (at, length): (usize, u32)) -> &[u8] {
        &self.arena[at..at + length as usize]
    }

    fn drop_older(&mut self) {
        let mut dropped = std::mem::take(&mut self.dropped);
        dropped.sort_unstable();
        if !dropped.is_empty() {
            self.items.retain(|item| dropped.binary_search(&item.record).is_err());
        }
    }

    /// Lays the packages out by name and makes the hash table before them; `None` when they are too many for the format.
    pub(super) fn hot(&mut self) -> Option<Hot> {
        self.drop_older();
        let items = self.items_by_name();
        let mut packages = Vec::with_capacity(self.arena.len() + items.len() * 8);
        let mut names: Vec<((usize, u32), u32)> = Vec::new();
        for group in items.chunk_by(|a, b| self.bytes(a.name) == self.bytes(b.name)) {
            let name = group.first()?.name;
            names.push((name, u32::try_from(packages.len()).ok().filter(|offset| *offset < u32::MAX)?));
            push_bytes(&mut packages, self.bytes(name));
            push_varint(&mut packages, group.len() as u64);
            for item in group {
                let spot = self.rows.get(item.record as usize).and_then(Row::spot)?;
                packages.push(item.flags);
                push_varint(&mut packages, spot.block.into());
                push_varint(&mut packages, spot.offset.into());
                push_bytes(&mut packages, self.bytes(item.body));
            }
        }
        let slots = (names.len() * 3 / 2 + 1).next_power_of_two();
        let (seed, table) = (1..).find_map(|seed| Some((seed, self.table(&names, slots, seed)?)))?;
        let mut bytes = table;
        bytes.extend_from_slice(&packages);
        Some(Hot { bytes, seed, slots: slots as u64, packages: names.len() as u64 })
    }

    /// The first bytes of a name as a number decide nearly every comparison without a look at the name.
    fn items_by_name(&mut self) -> Vec<Item> {
        let items = std::mem::take(&mut self.items);
        let start = |item: &Item| {
            let name = self.bytes(item.name);
            let mut first = [0; 16];
            first.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
            u128::from_be_bytes(first)
        };
        let mut keyed: Vec<(u128, Item)> = items.into_iter().map(|item| (start(&item), item)).collect();
        keyed.sort_unstable_by(|(first, a), (second, b)| {
            let by_name = || self.bytes(a.name).cmp(self.bytes(b.name));
            first.cmp(second).then_with(by_name).then(a.record.cmp(&b.record))
        });
        keyed.into_iter().map(|(_, item)| item).collect()
    }

    /// The hash table under one seed; `None` when a probe grows too long.
    fn table(&self, names: &[((usize, u32), u32)], slots: usize, seed: u64) -> Option<Vec<u8>> {
        let secrets = RapidSecrets::seed(seed);
        let mut table = vec![0_u8; slots * SLOT];
        for (name, offset) in names {
            let name = std::str::from_utf8(self.bytes(*name)).ok()?;
            let hash = name_hash(name, &secrets);
            let free = (0..MAX_PROBE.min(slots)).find_map(|step| {
                let at = (hash as usize).wrapping_add(step) & (slots - 1);
                let slot = at * SLOT..(at + 1) * SLOT;
                table[slot.clone()].iter().all(|byte| *byte == 0).then_some(slot)
            })?;
            let value = u64::from(tag(hash)) << 32 | u64::from(offset + 1);
            table[free].copy_from_slice(&value.to_le_bytes());
        }
        Some(table)
    }
}

/// The hot part of a segment.
pub(super) struct Hot {
    pub(super) bytes: Vec<u8>,
    pub(super) seed: u64,
    pub(super) slots: u64,
    pub(super) packages: u64,
}

impl Hot {
    /// The checksums of its pages.
    pub(super) fn sums(&self) -> Vec<u8> {
        self.bytes.chunks(PAGE).flat_map(|page| checksum(page).to_le_bytes()).collect()
    }
}

/// The table of ids.
pub(super) fn encode_rows(rows: &[Row]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len() * ROW);
    rows.iter().for_each(|row| bytes.extend_from_slice(&row.encode()));
    bytes
}
