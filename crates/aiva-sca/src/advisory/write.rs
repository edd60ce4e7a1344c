//! Writes an index beside the one in use and puts it in its place at the end, so that a reader sees the old or the new one whole.
//!
//! Held by a lock file: of two imports into one folder the second is refused. Nothing is kept in memory but the hot part.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use libdeflater::{CompressionLvl, Compressor};
use rapidhash::v3::RapidSecrets;

use super::index::Index;
use super::layout::{
    BLOCK, BLOCK_ENTRY, Directory, FILE, HEADER, Header, PAGE, Place, SLOT, Segment, VERSION, checksum, name_hash,
    push_bytes, push_varint, tag,
};
use crate::package::Ecosystem;

const LOCK: &str = ".lock";
const TEMPORARY: &str = ".advisories.index.new";
/// A probe longer than this makes the writer try another seed.
const MAX_PROBE: usize = 64;

/// Why an index could not be written. The old one is untouched.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another import is at work.
    #[error("another import is writing to {0}; wait for it to end")]
    Busy(String),
    /// The operating system refused.
    #[error("the index in {folder} could not be written")]
    Io {
        /// The folder.
        folder: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// More than the file format can hold.
    #[error("the advisories of {0} are more than the index can hold")]
    TooLarge(Ecosystem),
}

/// A details block, compressed, ready to be written.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) length: u32,
    pub(super) checksum: u64,
}

/// Gathers documents into blocks.
pub(super) struct Packer {
    compressor: Compressor,
    open: Vec<u8>,
    pub(super) blocks: Vec<Block>,
}

impl Packer {
    pub(super) fn new() -> Self {
        Self {
            compressor: Compressor::new(CompressionLvl::new(1).unwrap_or_default()),
            open: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// Appends a document; answers with its block (counted from this packer's first) and its offset there.
    pub(super) fn push(&mut self, document: &[u8]) -> (u32, u32) {
        let place = (self.blocks.len() as u32, self.open.len() as u32);
        push_bytes(&mut self.open, document);
        if self.open.len() >= BLOCK {
            self.close();
        }
        place
    }

    pub(super) fn close(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let mut bytes = vec![0; self.compressor.deflate_compress_bound(self.open.len())];
        let length =
            self.compressor.deflate_compress(&self.open, &mut bytes).expect("the bound is enough for any input");
        bytes.truncate(length);
        let checksum = block_checksum(&bytes, self.open.len() as u32);
        self.blocks.push(Block { bytes, length: self.open.len() as u32, checksum });
        self.open.clear();
    }
}

/// A block's checksum also covers the length that it unpacks to.
pub(super) fn block_checksum(bytes: &[u8], length: u32) -> u64 {
    checksum(bytes) ^ u64::from(length).rotate_left(17)
}

/// One package of one record on its way into a segment.
#[derive(Debug, Clone, Copy)]
struct Item {
    name: (usize, u32),
    body: (usize, u32),
    record: u32,
    block: u32,
    offset: u32,
    flags: u8,
}

/// One ecosystem's records while they are gathered.
#[derive(Debug, Default)]
pub(super) struct SegmentBuilder {
    arena: Vec<u8>,
    items: Vec<Item>,
    blocks: Vec<u8>,
    /// By hash of the id: when it was modified and which record it is. A record that comes twice counts once, the newer.
    seen: HashMap<u64, (i64, u32)>,
    dropped: Vec<u32>,
    records: u32,
    pub(super) withdrawn: u64,
    pub(super) newest_modified: i64,
    /// The releases of a distribution that records are about.
    pub(super) releases: BTreeSet<String>,
}

/// A package of a record as a batch hands it over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) name: &'a str,
    pub(super) flags: u8,
    pub(super) body: &'a [u8],
}

impl SegmentBuilder {
    /// Number of the file's blocks that this segment has so far.
    pub(super) fn block_count(&self) -> u32 {
        (self.blocks.len() / BLOCK_ENTRY) as u32
    }

    pub(super) fn add_block(&mut self, entry: [u8; BLOCK_ENTRY]) {
        self.blocks.extend_from_slice(&entry);
    }

    /// Opens a record; `None` when a newer one of the same id is there already.
    pub(super) fn open_record(&mut self, id_hash: u64, modified: i64) -> Option<u32> {
        let number = self.records;
        if let Some((before, older)) = self.seen.get(&id_hash) {
            if *before >= modified {
                return None;
            }
            self.dropped.push(*older);
        }
        self.seen.insert(id_hash, (modified, number));
        self.records += 1;
        self.newest_modified = self.newest_modified.max(modified);
        Some(number)
    }

    pub(super) fn add_package(&mut self, record: u32, (block, offset): (u32, u32), piece: Piece<'_>) {
        let mut keep = |bytes: &[u8]| {
            let at = self.arena.len();
            self.arena.extend_from_slice(bytes);
            (at, bytes.len() as u32)
        };
        let (name, body) = (keep(piece.name.as_bytes()), keep(piece.body));
        self.items.push(Item { name, body, record, block, offset, flags: piece.flags });
    }

    /// Takes over another builder's records, under the same rule for records that come twice.
    pub(super) fn absorb(&mut self, other: Self) {
        let first = self.block_count();
        self.blocks.extend_from_slice(&other.blocks);
        self.withdrawn += other.withdrawn;
        self.releases.extend(other.releases.iter().cloned());
        let mut numbers: HashMap<u32, Option<u32>> = HashMap::new();
        let mut records: Vec<_> = other.seen.iter().collect();
        records.sort_unstable_by_key(|(_, (_, record))| *record);
        for (id_hash, (modified, record)) in records {
            numbers.insert(*record, self.open_record(*id_hash, *modified));
        }
        for item in &other.items {
            if let Some(Some(record)) = numbers.get(&item.record).copied() {
                let name = String::from_utf8_lossy(other.bytes(item.name));
                let piece = Piece { name: &name, flags: item.flags, body: other.bytes(item.body) };
                self.add_package(record, (first + item.block, item.offset), piece);
            }
        }
    }

    /// How many records count.
    pub(super) fn records(&self) -> u64 {
        self.seen.len() as u64
    }

    fn bytes(&self, (at, length): (usize, u32)) -> &[u8] {
        &self.arena[at..at + length as usize]
    }

    /// Lays the packages out by name and makes the hash table before them.
    fn hot(&mut self) -> Option<Hot> {
        self.dropped.sort_unstable();
        let dropped = std::mem::take(&mut self.dropped);
        self.items.retain(|item| dropped.binary_search(&item.record).is_err());
        let mut items = std::mem::take(&mut self.items);
        items.sort_by(|a, b| self.bytes(a.name).cmp(self.bytes(b.name)).then(a.record.cmp(&b.record)));
        let mut packages = Vec::with_capacity(self.arena.len() + items.len() * 8);
        let mut names: Vec<((usize, u32), u32)> = Vec::new();
        for group in items.chunk_by(|a, b| self.bytes(a.name) == self.bytes(b.name)) {
            let name = group.first()?.name;
            names.push((name, u32::try_from(packages.len()).ok().filter(|offset| *offset < u32::MAX)?));
            push_bytes(&mut packages, self.bytes(name));
            push_varint(&mut packages, group.len() as u64);
            for item in group {
                packages.push(item.flags);
                push_varint(&mut packages, item.block.into());
                push_varint(&mut packages, item.offset.into());
                push_bytes(&mut packages, self.bytes(item.body));
            }
        }
        let slots = (names.len() * 3 / 2 + 1).next_power_of_two();
        let (seed, table) = (1..).find_map(|seed| Some((seed, self.table(&names, slots, seed)?)))?;
        let mut bytes = table;
        bytes.extend_from_slice(&packages);
        Some(Hot { bytes, seed, slots: slots as u64, packages: names.len() as u64 })
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

struct Hot {
    bytes: Vec<u8>,
    seed: u64,
    slots: u64,
    packages: u64,
}

/// What the caller knows of a segment beyond its records.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) imported_at: i64,
    pub(super) mark: Option<String>,
}

/// An index file in the making.
pub(super) struct Writer {
    folder: PathBuf,
    out: BufWriter<File>,
    at: u64,
    segments: Vec<Segment>,
    done: bool,
    /// Held until the writer is gone.
    _lock: File,
}

impl Writer {
    /// Locks the folder, creating it (0700) if need be, and starts a new file.
    pub(super) fn create(folder: &Path) -> Result<Self, WriteError> {
        let io = |source| WriteError::Io { folder: folder.display().to_string(), source };
        create_folder(folder).map_err(io)?;
        let lock = private().create(true).truncate(false).open(folder.join(LOCK)).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WriteError::Busy(folder.display().to_string())),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let file = private().create(true).truncate(true).open(folder.join(TEMPORARY)).map_err(io)?;
        let mut writer = Self {
            folder: folder.to_owned(),
            out: BufWriter::with_capacity(1 << 18, file),
            at: 0,
            segments: Vec::new(),
            done: false,
            _lock: lock,
        };
        writer.put(&[0; HEADER])?;
        Ok(writer)
    }

    /// Writes a block and answers with its entry for the table of blocks.
    pub(super) fn add_block(&mut self, block: &Block) -> Result<[u8; BLOCK_ENTRY], WriteError> {
        let place = self.put(&block.bytes)?;
        Ok(block_entry(place, block.length, block.checksum))
    }

    /// Ends an ecosystem's segment.
    pub(super) fn add_segment(
        &mut self,
        ecosystem: Ecosystem,
        mut builder: SegmentBuilder,
        origin: Origin,
    ) -> Result<(), WriteError> {
        let hot = builder.hot().ok_or(WriteError::TooLarge(ecosystem))?;
        let sums: Vec<u8> = hot.bytes.chunks(PAGE).flat_map(|page| checksum(page).to_le_bytes()).collect();
        let segment = Segment {
            ecosystem: ecosystem.osv_name().to_owned(),
            records: builder.records(),
            packages: hot.packages,
            withdrawn: builder.withdrawn,
            newest_modified: builder.newest_modified,
            imported_at: origin.imported_at,
            mark: origin.mark,
            releases: std::mem::take(&mut builder.releases),
            seed: hot.seed,
            slots: hot.slots,
            hot: self.put(&hot.bytes)?,
            pages: self.put(&sums)?,
            blocks: self.put(&builder.blocks)?,
        };
        self.segments.push(segment);
        Ok(())
    }

    /// Copies an ecosystem from another index, which the caller has verified.
    pub(super) fn copy_segment(&mut self, from: &Index, segment: &Segment) -> Result<(), WriteError> {
        let file = from.bytes();
        let mut table = Vec::new();
        for mut entry in from.blocks(segment) {
            entry.place = self.put(entry.place.of(file).unwrap_or_default())?;
            table.extend_from_slice(&block_entry(entry.place, entry.length, entry.checksum));
        }
        let copied = Segment {
            hot: self.put(segment.hot.of(file).unwrap_or_default())?,
            pages: self.put(segment.pages.of(file).unwrap_or_default())?,
            blocks: self.put(&table)?,
            ..segment.clone()
        };
        self.segments.push(copied);
        Ok(())
    }

    /// Completes the file, makes it durable and puts it in the place of the old one.
    pub(super) fn finish(mut self, epoch: u64, built_at: i64) -> Result<(), WriteError> {
        self.segments.sort_by(|a, b| a.ecosystem.cmp(&b.ecosystem));
        let directory = Directory { segments: std::mem::take(&mut self.segments) };
        let directory = serde_json::to_vec(&directory).expect("a directory is plain data");
        let place = self.put(&directory)?;
        let header = Header { version: VERSION, epoch, built_at, file_length: self.at, directory: place, checksum: 0 }
            .encode(&directory);
        let folder = self.folder.clone();
        let mut replace = || -> io::Result<()> {
            self.out.flush()?;
            let file = self.out.get_mut();
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header)?;
            file.sync_all()?;
            fs::rename(folder.join(TEMPORARY), folder.join(FILE))?;
            File::open(&folder)?.sync_all()
        };
        replace().map_err(|source| WriteError::Io { folder: folder.display().to_string(), source })?;
        self.done = true;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<Place, WriteError> {
        let io = |source| WriteError::Io { folder: self.folder.display().to_string(), source };
        self.out.write_all(bytes).map_err(io)?;
        let place = Place { offset: self.at, length: bytes.len() as u64 };
        self.at += place.length;
        Ok(place)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.done {
            // What was begun is of no use to anybody; the next import would overwrite it anyway.
            let _ = fs::remove_file(self.folder.join(TEMPORARY));
        }
    }
}

fn block_entry(place: Place, length: u32, checksum: u64) -> [u8; BLOCK_ENTRY] {
    let mut entry = [0; BLOCK_ENTRY];
    entry[..8].copy_from_slice(&place.offset.to_le_bytes());
    entry[8..12].copy_from_slice(&(place.length as u32).to_le_bytes());
    entry[12..16].copy_from_slice(&length.to_le_bytes());
    entry[16..].copy_from_slice(&checksum.to_le_bytes());
    entry
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
