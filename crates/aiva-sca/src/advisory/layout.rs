//! The index file's layout, shared by its writer and its reader. All numbers are little-endian; nothing is aligned.
//!
//! ```text
//! header     64 B: magic, version, epoch, build time, file length, place of the directory, checksum of header and directory
//! blocks     details of about 16 KiB each, deflate; any order
//! segments   one an ecosystem: hash table and packages (the hot part), checksums of its pages, table of its blocks
//! directory  JSON: for each segment its counts and places
//! ```
//! *Hot part*: `slots` of 8 B (32 bits of hash, 32 bits of offset + 1; open addressing, linear probing), then the packages:
//! name and records, each with its affected intervals as version keys. It is divided into pages, each with its checksum.

use std::collections::BTreeSet;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};
use serde::{Deserialize, Serialize};

/// Name of the index file in its folder.
pub(super) const FILE: &str = "advisories.index";
pub(super) const MAGIC: [u8; 8] = *b"AIVA-adv";
/// Raised whenever an older reader would misread a newer file.
pub(super) const VERSION: u32 = 2;
pub(super) const HEADER: usize = 64;
/// The unit in which the hot part is checked.
pub(super) const PAGE: usize = 16 * 1024;
/// Details are gathered up to about this size before they are compressed.
pub(super) const BLOCK: usize = 16 * 1024;
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

/// The directory at the end of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Directory {
    pub(super) segments: Vec<Segment>,
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
    /// Seed of the name hash, chosen so that no probe is long.
    pub(super) seed: u64,
    /// Number of slots at the start of the hot part, a power of two.
    pub(super) slots: u64,
    pub(super) hot: Place,
    pub(super) pages: Place,
    pub(super) blocks: Place,
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
    /// Whether a version is inside. `public` is its key without a local part: it counts where the interval names its last
    /// affected version.
    pub(super) fn contains(&self, key: &[u8], public: Option<&[u8]>) -> bool {
        self.lower.as_ref() <= key
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
