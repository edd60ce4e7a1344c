//! The index as a scan sees it: mapped, never parsed, every byte of it distrusted.
//!
//! [`Index::open`] reads the header and the directory; [`Index::entry`] finds a package; what it touches is checked page by page,
//! once. A damaged file gives [`Damage`], never a panic, a read outside the file, or a missing answer.

mod record;

use std::borrow::Cow;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use libdeflater::Decompressor;
use memmap2::Mmap;
use rapidhash::v3::RapidSecrets;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::record::{Advisory, Affects, Covers, Entry};
use super::Status;
use super::layout::{
    BLOCK_ENTRY, Cursor, Directory, FILE, HEADER, Header, MAX_BLOCK, PAGE, Place, SLOT, Segment, VERSION, checksum,
    name_hash, tag,
};
use super::map::map;
use super::write::block_checksum;
use crate::name::spelled;
use crate::package;

/// Why there is no index to ask.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No file.
    #[error(
        "there are no advisories in {0}; run `aiva advisories update`, or `aiva advisories import` with a downloaded export"
    )]
    Missing(String),
    /// The operating system could not read it.
    #[error("the advisory index {path} could not be read")]
    Io {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Written by another release.
    #[error("the advisory index {path} has format {found}, this release reads {VERSION}; import the advisories again")]
    OtherVersion {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
    },
    /// Not an index, cut short or changed.
    #[error("the advisory index {path} is damaged ({what}); import the advisories again")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// A part of the index that is not as it was written. Nothing may be concluded from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the advisory index is damaged ({what} of {ecosystem}); import the advisories again")]
pub struct Damage {
    /// Which ecosystem.
    pub ecosystem: package::Ecosystem,
    /// Which part.
    pub what: &'static str,
}

/// What a whole check has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Pages and blocks.
    pub parts: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// One ecosystem of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ecosystem {
    /// Which.
    pub ecosystem: package::Ecosystem,
    /// Advisories.
    pub records: u64,
    /// Packages that they are about.
    pub packages: u64,
    /// Withdrawn advisories that were left out.
    pub withdrawn: u64,
    /// The last change of any advisory.
    pub newest_modified: Timestamp,
    /// When they were imported.
    pub imported_at: Timestamp,
    /// The mark (ETag) under which they were downloaded.
    pub mark: Option<String>,
}

/// What the index says of an advisory beyond what is needed to match it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details<'a> {
    /// The record's own id.
    pub id: Cow<'a, str>,
    /// Other names of the same thing.
    pub aliases: Vec<Cow<'a, str>>,
    /// Names of similar things.
    pub related: Vec<Cow<'a, str>>,
    /// One line; may be empty.
    pub summary: Cow<'a, str>,
    /// The long text; may be empty.
    pub description: Cow<'a, str>,
    /// Addresses, advisories and fixes first.
    pub references: Vec<Cow<'a, str>>,
    /// RFC 3339.
    pub published: Option<Cow<'a, str>>,
    /// RFC 3339.
    pub modified: Cow<'a, str>,
    /// What it says of each package.
    pub packages: Vec<PackageDetails<'a>>,
}

/// What an advisory says of one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageDetails<'a> {
    /// The name as the index spells it.
    pub name: Cow<'a, str>,
    /// Its affected intervals as text, in the order in which [`Affects::Interval`] counts them.
    pub ranges: Vec<Cow<'a, str>>,
    /// Versions that end it.
    pub fixed: Vec<Cow<'a, str>>,
    /// CVSS vectors.
    pub vectors: Vec<Cow<'a, str>>,
    /// A level as a word, where the database gives one.
    pub word: Option<Cow<'a, str>>,
    /// Bounds of ranges that could not be ordered.
    pub undecidable: Vec<Cow<'a, str>>,
}

/// An open index. Cheap to share behind an `Arc`; goes on answering after the file was replaced.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    bytes: Mmap,
    identity: Identity,
    header: Header,
    segments: Vec<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    ecosystem: package::Ecosystem,
    segment: Segment,
    secrets: RapidSecrets,
    /// One bit a page of the hot part: checked and sound.
    sound: Box<[AtomicU64]>,
}

impl Index {
    /// Opens the index in `dir` (the `advisories` folder of the data directory).
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(FILE);
        let name = path.display().to_string();
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => OpenError::Missing(dir.display().to_string()),
            _ => OpenError::Io { path: name.clone(), source },
        };
        let damaged = |what| OpenError::Damaged { path: name.clone(), what };
        let file = File::open(&path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.len() < HEADER as u64 {
            return Err(damaged("it is shorter than its header"));
        }
        let bytes = map(&file).map_err(io)?;
        let header = Header::decode(&bytes).ok_or_else(|| damaged("it does not begin like one"))?;
        if header.version != VERSION {
            return Err(OpenError::OtherVersion { path: name, found: header.version });
        }
        if header.file_length != bytes.len() as u64 {
            return Err(damaged("its length is wrong"));
        }
        let directory = header.directory.of(&bytes).ok_or_else(|| damaged("its directory lies outside the file"))?;
        if header.checksum != Header::sum(&bytes, directory) {
            return Err(damaged("the checksum of its header is wrong"));
        }
        let directory: Directory =
            serde_json::from_slice(directory).map_err(|_| damaged("its directory cannot be read"))?;
        let mut segments: Vec<Loaded> = Vec::new();
        for segment in directory.segments {
            // An ecosystem of a later release is none of ours.
            let Ok(ecosystem) = segment.ecosystem.parse() else { continue };
            let loaded =
                Loaded::new(ecosystem, segment, &bytes).ok_or_else(|| damaged("its directory contradicts itself"))?;
            if segments.iter().any(|other| other.ecosystem == ecosystem) {
                return Err(damaged("its directory names an ecosystem twice"));
            }
            segments.push(loaded);
        }
        Ok(Self { path, bytes, identity: Identity::of(&metadata), header, segments })
    }

    /// Whether another file has taken the place of this one, so that it should be opened again. An index that has vanished has
    /// not changed: the open one still answers.
    pub fn changed(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| Identity::of(&metadata) != self.identity)
    }

    /// Rises by one with every replacement.
    pub fn epoch(&self) -> u64 {
        self.header.epoch
    }

    /// When the file was written.
    pub fn built_at(&self) -> Timestamp {
        Timestamp::from_second(self.header.built_at).unwrap_or_default()
    }

    /// The ecosystems that it can judge.
    pub fn ecosystems(&self) -> Vec<Ecosystem> {
        let time = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
        self.segments
            .iter()
            .map(|Loaded { ecosystem, segment, .. }| Ecosystem {
                ecosystem: *ecosystem,
                records: segment.records,
                packages: segment.packages,
                withdrawn: segment.withdrawn,
                newest_modified: time(segment.newest_modified),
                imported_at: time(segment.imported_at),
                mark: segment.mark.clone(),
            })
            .collect()
    }

    /// Whether it can judge packages of an ecosystem; of a distribution, those of the very release.
    pub fn has(&self, ecosystem: package::Ecosystem) -> bool {
        self.loaded(ecosystem).is_some_and(|loaded| {
            ecosystem == loaded.ecosystem || loaded.segment.releases.contains(ecosystem.osv_name())
        })
    }

    /// Its age and counts.
    pub fn status(&self, now: Timestamp) -> Status {
        let ecosystems = self.ecosystems();
        let oldest = ecosystems.iter().map(|one| one.imported_at).min().unwrap_or_else(|| self.built_at());
        Status {
            epoch: self.epoch(),
            built_at: self.built_at(),
            age: Duration::try_from(now.duration_since(oldest)).unwrap_or_default(),
            bytes: self.bytes.len() as u64,
            ecosystems,
        }
    }

    /// The advisories about a package; `None` where there are none, or none of its ecosystem.
    pub fn entry(&self, ecosystem: package::Ecosystem, name: &str) -> Result<Option<Entry<'_>>, Damage> {
        let Some(loaded) = self.loaded(ecosystem) else { return Ok(None) };
        let name = spelled(ecosystem, name);
        let Some(offset) = self.find(loaded, &name)? else { return Ok(None) };
        Entry::read(self, loaded, offset)
    }

    /// Checks every page and block.
    pub fn verify(&self) -> Result<Verified, Damage> {
        let mut sum = Verified::default();
        for loaded in &self.segments {
            let one = self.verify_ecosystem(loaded.ecosystem)?;
            sum.parts += one.parts;
            sum.bytes += one.bytes;
        }
        Ok(sum)
    }

    /// Checks every page and block of one ecosystem.
    pub(super) fn verify_ecosystem(&self, ecosystem: package::Ecosystem) -> Result<Verified, Damage> {
        let Some(loaded) = self.loaded(ecosystem) else { return Ok(Verified::default()) };
        let hot = self.hot(loaded)?;
        let pages = hot.len().div_ceil(PAGE);
        (0..pages).into_par_iter().try_for_each(|page| self.check_page(loaded, hot, page))?;
        let blocks: Vec<BlockRef> = self.blocks(&loaded.segment).collect();
        let sizes = blocks
            .par_iter()
            .map(|block| self.inflate(loaded, *block).map(|_| block.place.length))
            .collect::<Result<Vec<u64>, _>>()?;
        Ok(Verified { parts: (pages + sizes.len()) as u64, bytes: hot.len() as u64 + sizes.iter().sum::<u64>() })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = (package::Ecosystem, &Segment)> {
        self.segments.iter().map(|loaded| (loaded.ecosystem, &loaded.segment))
    }

    /// The table of a segment's blocks; entries that lie outside the file are found when they are used.
    pub(super) fn blocks(&self, segment: &Segment) -> impl Iterator<Item = BlockRef> {
        segment.blocks.of(&self.bytes).unwrap_or_default().chunks_exact(BLOCK_ENTRY).filter_map(BlockRef::decode)
    }

    fn loaded(&self, ecosystem: package::Ecosystem) -> Option<&Loaded> {
        self.segments.iter().find(|loaded| loaded.ecosystem == ecosystem.family())
    }

    fn hot(&self, loaded: &Loaded) -> Result<&[u8], Damage> {
        loaded.segment.hot.of(&self.bytes).ok_or_else(|| loaded.damage("its packages"))
    }

    /// Walks the hash table; answers with the package's offset behind it.
    fn find(&self, loaded: &Loaded, name: &str) -> Result<Option<u32>, Damage> {
        let hash = name_hash(name, &loaded.secrets);
        let mask = loaded.segment.slots - 1;
        for step in 0..loaded.segment.slots {
            let at = (hash.wrapping_add(step) & mask) * SLOT as u64;
            let slot = self.sound(loaded, at, SLOT)?;
            let slot = u64::from_le_bytes(slot.try_into().map_err(|_| loaded.damage("its hash table"))?);
            if slot == 0 {
                return Ok(None);
            }
            if (slot >> 32) as u32 == tag(hash) {
                let offset = (slot as u32).checked_sub(1).ok_or_else(|| loaded.damage("its hash table"))?;
                if Entry::name_at(self, loaded, offset)? == name.as_bytes() {
                    return Ok(Some(offset));
                }
            }
        }
        Ok(None)
    }

    /// Bytes of the hot part, after their pages were checked.
    fn sound(&self, loaded: &Loaded, at: u64, length: usize) -> Result<&[u8], Damage> {
        let hot = self.hot(loaded)?;
        let outside = || loaded.damage("an offset");
        let start = usize::try_from(at).map_err(|_| outside())?;
        let end = start.checked_add(length).ok_or_else(outside)?;
        let bytes = hot.get(start..end).ok_or_else(outside)?;
        for page in start / PAGE..end.div_ceil(PAGE) {
            self.check_page(loaded, hot, page)?;
        }
        Ok(bytes)
    }

    fn check_page(&self, loaded: &Loaded, hot: &[u8], page: usize) -> Result<(), Damage> {
        let bit = 1_u64 << (page % 64);
        let word = loaded.sound.get(page / 64).ok_or_else(|| loaded.damage("an offset"))?;
        if word.load(Ordering::Relaxed) & bit != 0 {
            return Ok(());
        }
        let bytes = hot.get(page * PAGE..hot.len().min((page + 1) * PAGE)).ok_or_else(|| loaded.damage("an offset"))?;
        let sums = loaded.segment.pages.of(&self.bytes).unwrap_or_default();
        let sum = sums.get(page * 8..page * 8 + 8).and_then(|sum| Cursor(sum).u64());
        if sum != Some(checksum(bytes)) {
            return Err(loaded.damage("its packages"));
        }
        word.fetch_or(bit, Ordering::Relaxed);
        Ok(())
    }

    /// A details block, checked and unpacked.
    fn inflate(&self, loaded: &Loaded, block: BlockRef) -> Result<Vec<u8>, Damage> {
        let damage = || loaded.damage("its details");
        let packed = block.place.of(&self.bytes).ok_or_else(damage)?;
        if block_checksum(packed, block.length) != block.checksum || block.length as usize > MAX_BLOCK {
            return Err(damage());
        }
        let mut text = vec![0; block.length as usize];
        let length = Decompressor::new().deflate_decompress(packed, &mut text).map_err(|_| damage())?;
        if length == text.len() { Ok(text) } else { Err(damage()) }
    }

    /// The details of an advisory, by its block and offset.
    fn details(&self, loaded: &Loaded, block: u64, offset: usize) -> Result<Details<'static>, Damage> {
        let damage = || loaded.damage("its details");
        let table = loaded.segment.blocks.of(&self.bytes).unwrap_or_default();
        let at = usize::try_from(block).ok().and_then(|block| block.checked_mul(BLOCK_ENTRY)).ok_or_else(damage)?;
        let entry = at.checked_add(BLOCK_ENTRY).and_then(|end| table.get(at..end)).and_then(BlockRef::decode);
        let text = self.inflate(loaded, entry.ok_or_else(damage)?)?;
        let document = text.get(offset..).and_then(|text| Cursor(text).bytes()).ok_or_else(damage)?;
        serde_json::from_slice::<Details<'_>>(document).map_err(|_| damage())
    }
}

impl Loaded {
    /// `None` when the directory's numbers contradict each other or the file.
    fn new(ecosystem: package::Ecosystem, segment: Segment, file: &[u8]) -> Option<Self> {
        let hot = segment.hot.of(file)?.len();
        let pages = segment.pages.of(file)?.len();
        let blocks = segment.blocks.of(file)?.len();
        let table = usize::try_from(segment.slots).ok()?.checked_mul(SLOT)?;
        if !segment.slots.is_power_of_two()
            || table > hot
            || pages != hot.div_ceil(PAGE) * 8
            || blocks % BLOCK_ENTRY != 0
        {
            return None;
        }
        let sound = (0..hot.div_ceil(PAGE).div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let secrets = RapidSecrets::seed(segment.seed);
        Some(Self { ecosystem, segment, secrets, sound })
    }

    fn damage(&self, what: &'static str) -> Damage {
        Damage { ecosystem: self.ecosystem, what }
    }
}

/// An entry of a table of blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockRef {
    pub(super) place: Place,
    pub(super) length: u32,
    pub(super) checksum: u64,
}

impl BlockRef {
    fn decode(entry: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(entry);
        let place = Place { offset: cursor.u64()?, length: cursor.u32()?.into() };
        Some(Self { place, length: cursor.u32()?, checksum: cursor.u64()? })
    }
}

/// What tells one file from another under the same name. An inode stays taken as long as the file is mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    file: (u64, u64),
    length: u64,
    modified: Option<SystemTime>,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let file = (std::os::unix::fs::MetadataExt::dev(metadata), std::os::unix::fs::MetadataExt::ino(metadata));
        #[cfg(not(unix))]
        let file = (0, 0);
        Self { file, length: metadata.len(), modified: metadata.modified().ok() }
    }
}
