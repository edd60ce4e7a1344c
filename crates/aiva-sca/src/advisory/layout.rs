//! The layout of an index file, shared by its writer and its reader. All numbers are little-endian; nothing is aligned.
//!
//! ```text
//! header     64 B: magic, version, epoch, build time, file length, place of the directory, checksum of header and directory
//! blocks     documents of about 8 KiB each, LZ4; any order
//! segments   one an ecosystem: hash table and packages (the hot part), checksums of its pages, table of its blocks, table of ids
//! directory  JSON: for each segment its counts and places
//! ```
//! *Hot part*: `slots` of 8 B (32 bits of hash, 32 bits of offset + 1; open addressing, linear probing), then the packages:
//! name and records, each with its affected intervals as version keys. It is divided into pages, each with its checksum.
//! *Table of ids*: a [`Row`] for every record that was imported, by the hash of its id. No scan reads it.
//!
//! An index is a *base* and perhaps one *delta*, two files of this layout. The delta holds what has changed since, names the base
//! that it belongs to, and for each of its segments the places in the base that count no more ([`Over`]). Its counts are
//! those of base and delta together.

use std::collections::BTreeSet;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use serde::{Deserialize, Serialize};

/// Name of the base in its folder.
pub(super) const BASE: &str = "advisories.index";
/// Name of what has changed since.
pub(super) const DELTA: &str = "advisories.delta";
pub(super) const MAGIC: [u8; 8] = *b"AIVA-adv";
/// Raised whenever an older reader would misread a newer file.
pub(super) const VERSION: u32 = 5;
pub(super) const HEADER: usize = 64;
/// The unit in which the hot part is checked.
pub(super) const PAGE: usize = 16 * 1024;
/// Details are gathered up to about this size before they are compressed. Of a block nearly always one document is read: twice the
/// size packs them a little tighter, and makes each cost twice as much.
pub(super) const BLOCK: usize = 8 * 1024;
/// No record, and so no block, may be larger than this.
pub(super) const MAX_RECORD: usize = 32 * 1024 * 1024;
pub(super) const MAX_BLOCK: usize = MAX_RECORD + MAX_RECORD / 4 + BLOCK;
/// An entry of the table of blocks: offset, compressed length, length, checksum.
pub(super) const BLOCK_ENTRY: usize = 24;
pub(super) const SLOT: usize = 8;

const CHECKSUM: RapidSecrets = RapidSecrets::seed(0x4149_5641);

/// The checksum of a page, a block or the header.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    rapidhash_v3_seeded(bytes, &CHECKSUM)
}

/// The hash of a package's name under a segment's seed.
pub(super) fn name_hash(name: &str, secrets: &RapidSecrets) -> u64 {
    rapidhash_v3_seeded(name.as_bytes(), secrets)
}

/// The upper half of a slot: never the bits that choose the slot.
pub(super) const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The fixed head of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) epoch: u64,
    pub(super) built_at: i64,
    pub(super) file_length: u64,
    pub(super) directory: Place,
    pub(super) checksum: u64,
}

impl Header {
    pub(super) fn encode(&self, directory: &[u8]) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(&MAGIC);
        out[8..12].copy_from_slice(&self.version.to_le_bytes());
        out[16..24].copy_from_slice(&self.epoch.to_le_bytes());
        out[24..32].copy_from_slice(&self.built_at.to_le_bytes());
        out[32..40].copy_from_slice(&self.file_length.to_le_bytes());
        out[40..48].copy_from_slice(&self.directory.offset.to_le_bytes());
        out[48..56].copy_from_slice(&self.directory.length.to_le_bytes());
        let sum = Self::sum(&out, directory);
        out[56..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// `None` when this is no index at all.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes.get(..HEADER)?.strip_prefix(&MAGIC)?);
        let version = cursor.u32()?;
        cursor.u32()?;
        Some(Self {
            version,
            epoch: cursor.u64()?,
            built_at: cursor.u64()?.cast_signed(),
            file_length: cursor.u64()?,
            directory: Place { offset: cursor.u64()?, length: cursor.u64()? },
            checksum: cursor.u64()?,
        })
    }

    pub(super) fn sum(header: &[u8], directory: &[u8]) -> u64 {
        checksum(header.get(..HEADER - 8).unwrap_or_default()) ^ checksum(directory).rotate_left(1)
    }
}

/// A range of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Place {
    pub(super) fn of(self, file: &[u8]) -> Option<&[u8]> {
        let start = usize::try_from(self.offset).ok()?;
        let end = start.checked_add(usize::try_from(self.length).ok()?)?;
        file.get(start..end)
    }
}

/// A range of the file and the checksum of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sealed {
    pub(super) place: Place,
    pub(super) sum: u64,
}

impl Sealed {
    /// Its bytes, if they are as they were written.
    pub(super) fn of(self, file: &[u8]) -> Option<&[u8]> {
        self.place.of(file).filter(|bytes| checksum(bytes) == self.sum)
    }
}

/// The directory at the end of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Directory {
    /// Of a delta: the base that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<Bond>,
    pub(super) segments: Vec<Segment>,
}

/// What tells a base from every other: its epoch, and the checksum of its header, which covers the directory and so the digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bond {
    pub(super) epoch: u64,
    pub(super) sum: u64,
}

/// What a segment of a delta changes in that of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Over {
    /// The [`Spot`]s of the base that count no more, ascending.
    pub(super) spots: Sealed,
    /// Every package whose advisories changed since the base: the epoch that changed them last, and the name.
    pub(super) names: Sealed,
}

/// What the directory says of one ecosystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    /// OSV's name.
    pub(super) ecosystem: String,
    pub(super) records: u64,
    pub(super) packages: u64,
    pub(super) withdrawn: u64,
    /// Unix seconds.
    pub(super) newest_modified: i64,
    /// Unix seconds.
    pub(super) imported_at: i64,
    /// The source's own mark of this version of its data (an ETag), to ask later whether it has changed.
    #[serde(default)]
    pub(super) mark: Option<String>,
    /// Of a distribution: the releases that the records are about, as OSV names them. Nothing is known of any other.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) releases: BTreeSet<String>,
    /// Of a distribution: whether only some releases' records were imported. Single records cannot be taken in then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) partial: bool,
    /// Seed of the name hash, chosen so that no probe is long.
    pub(super) seed: u64,
    /// Number of slots at the start of the hot part, a power of two.
    pub(super) slots: u64,
    pub(super) hot: Place,
    pub(super) pages: Place,
    pub(super) blocks: Place,
    pub(super) ids: Sealed,
    /// Checksum of the checksums of pages and blocks, for [`Bond`].
    pub(super) digest: u64,
    /// Of a delta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) over: Option<Over>,
}

impl Segment {
    /// Lines of the table of ids.
    pub(super) fn row_count(&self) -> u64 {
        self.ids.place.length / ROW as u64
    }
}

/// Where a document is: its block in the segment's table, and the offset in the unpacked block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Spot {
    pub(super) block: u32,
    pub(super) offset: u32,
}

/// Bytes of a [`Spot`].
pub(super) const SPOT: usize = 8;

impl Spot {
    pub(super) fn encode(self) -> [u8; SPOT] {
        (u64::from(self.block) << 32 | u64::from(self.offset)).to_be_bytes()
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// It counts, and this is where its details are.
    At(Spot),
    /// It was withdrawn.
    Withdrawn,
    /// It says nothing of the ecosystem, or is no record.
    Nothing,
    /// Its source has it no more. Only in a delta.
    Gone,
}

/// The line of the table of ids about one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    /// [`id_hash`] of its id.
    pub(super) id: u64,
    /// Seconds since 1970.
    pub(super) modified: u32,
    pub(super) state: State,
}

/// Bytes of a [`Row`].
pub(super) const ROW: usize = 20;
/// The block of a record that is nowhere; its offset tells why.
const NOWHERE: u32 = u32::MAX;

impl Row {
    pub(super) fn encode(&self) -> [u8; ROW] {
        let (block, offset) = match self.state {
            State::At(spot) => (spot.block, spot.offset),
            State::Withdrawn => (NOWHERE, 0),
            State::Nothing => (NOWHERE, 1),
            State::Gone => (NOWHERE, 2),
        };
        let mut out = [0; ROW];
        out[..8].copy_from_slice(&self.id.to_le_bytes());
        out[8..12].copy_from_slice(&self.modified.to_le_bytes());
        out[12..16].copy_from_slice(&block.to_le_bytes());
        out[16..].copy_from_slice(&offset.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let (id, modified, block, offset) = (cursor.u64()?, cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let state = match (block, offset) {
            (NOWHERE, 0) => State::Withdrawn,
            (NOWHERE, 1) => State::Nothing,
            (NOWHERE, _) => State::Gone,
            _ => State::At(Spot { block, offset }),
        };
        Some(Self { id, modified, state })
    }

    /// Where it is, if it counts.
    pub(super) fn spot(&self) -> Option<Spot> {
        match self.state {
            State::At(spot) => Some(spot),
            State::Withdrawn | State::Nothing | State::Gone => None,
        }
    }
}

/// A table of ids, ascending by hash, as it stands in the file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rows<'a>(&'a [[u8; ROW]]);

impl<'a> Rows<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self(bytes.as_chunks().0)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Row> + 'a {
        self.0.iter().filter_map(|row| Row::decode(row))
    }

    /// The rows of one id: more than one where several releases of a distribution were imported apart.
    pub(super) fn about(self, id: u64) -> impl Iterator<Item = Row> + 'a {
        let hash = |row: &[u8; ROW]| Cursor(row).u64().unwrap_or_default();
        let start = self.0.partition_point(|row| hash(row) < id);
        let rest = Self(self.0.get(start..).unwrap_or_default());
        rest.iter().take_while(move |row| row.id == id)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(self, id: u64) -> bool {
        self.about(id).next().is_some()
    }
}

/// The hash of a record's id.
pub(super) fn id_hash(id: &str) -> u64 {
    checksum(id.as_bytes())
}

/// How an affected interval of versions ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upper<K> {
    Open,
    Before(K),
    UpTo(K),
}

/// An interval of version keys; an empty lower key is the very beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval<K> {
    pub(super) lower: K,
    pub(super) upper: Upper<K>,
}

impl<K: AsRef<[u8]>> Interval<K> {
    /// Whether a version is not below it.
    pub(super) fn has_begun(&self, key: &[u8]) -> bool {
        let lower = self.lower.as_ref();
        // The beginning is asked for first because an empty vector points nowhere: comparing with what is there by masked vector
        // instructions is a fault that the processor suppresses, which takes longer than everything else here.
        lower.is_empty() || lower <= key
    }

    /// Whether a version is inside. `public` is its key without a local part: it counts where the interval names its last
    /// affected version.
    pub(super) fn contains(&self, key: &[u8], public: Option<&[u8]>) -> bool {
        self.has_begun(key)
            && match &self.upper {
                Upper::Open => true,
                Upper::Before(end) => key < end.as_ref(),
                Upper::UpTo(end) => key <= end.as_ref() || public.is_some_and(|public| public <= end.as_ref()),
            }
    }
}

pub(super) const KIND_MASK: u8 = 0x0F;
pub(super) const UNDECIDABLE: u8 = 0x10;

pub(super) fn push_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the `push` functions wrote; every step is checked against the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn length(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }
}
