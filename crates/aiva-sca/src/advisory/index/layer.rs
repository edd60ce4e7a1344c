//! One file of an index, mapped: finds packages, details and rows in it, and checks what it touches page by page, once.

use std::cell::RefCell;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use rapidhash::v3::RapidSecrets;
use rayon::prelude::*;

use super::super::document;
use super::super::layout::{
    BASE, BLOCK, BLOCK_ENTRY, Bond, Cursor, Directory, HEADER, Header, MAX_BLOCK, PAGE, Place, ROW, Rows, SLOT, SPOT,
    Segment, Spot, VERSION, checksum, name_hash, tag,
};
use super::super::map::Map;
use super::super::write::block_checksum;
use super::record::{Entry, Origin};
use super::{Damage, Details, OpenError, Verified};
use crate::package;

/// Pages of the hot part that are fetched together; divides 64.
const AT_ONCE: usize = 8;

/// The room for an unpacked block that a thread keeps for the next one, in bytes: nearly all blocks are smaller.
const MOST_ROOM: usize = 4 * BLOCK;

thread_local! {
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An open file.
#[derive(Debug)]
pub(in super::super) struct Layer {
    path: PathBuf,
    bytes: Map,
    identity: Identity,
    header: Header,
    bond: Option<Bond>,
    segments: Vec<Loaded>,
}

/// One ecosystem of a file.
#[derive(Debug)]
pub(in super::super) struct Loaded {
    ecosystem: package::Ecosystem,
    segment: Segment,
    secrets: RapidSecrets,
    /// One bit a page of the hot part: checked and sound.
    sound: Box<[AtomicU64]>,
}

impl Layer {
    /// Opens the file of this name.
    pub(super) fn open(dir: &Path, name: &str) -> Result<Self, OpenError> {
        let path = dir.join(name);
        let shown = path.display().to_string();
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => OpenError::Missing(dir.display().to_string()),
            _ => OpenError::Io { path: shown.clone(), source },
        };
        let damaged = |what| OpenError::Damaged { path: shown.clone(), what };
        let file = File::open(&path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.len() < HEADER as u64 {
            return Err(damaged("it is shorter than its header"));
        }
        let bytes = Map::of(&file).map_err(io)?;
        let header = Header::decode(&bytes).ok_or_else(|| damaged("it does not begin like one"))?;
        if header.version != VERSION {
            return Err(OpenError::OtherVersion { path: shown, found: header.version });
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
        if name == BASE && directory.base.is_some() {
            return Err(damaged("it holds changes of another one"));
        }
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
        Ok(Self { path, bytes, identity: Identity::of(&metadata), header, bond: directory.base, segments })
    }

    pub(super) fn damaged(&self, what: &'static str) -> OpenError {
        OpenError::Damaged { path: self.path.display().to_string(), what }
    }

    /// Whether another file has its name now.
    pub(super) fn is_replaced(&self) -> bool {
        Identity::at(&self.path).is_some_and(|there| there != self.identity)
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(in super::super) fn epoch(&self) -> u64 {
        self.header.epoch
    }

    pub(super) fn built_at(&self) -> i64 {
        self.header.built_at
    }

    /// What a delta of this file names.
    pub(in super::super) fn own_bond(&self) -> Bond {
        Bond { epoch: self.header.epoch, sum: self.header.checksum }
    }

    /// The base of this delta.
    pub(super) fn bond(&self) -> Option<Bond> {
        self.bond
    }

    pub(in super::super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Tells the system that all of the file will be read.
    pub(in super::super) fn want_all(&self) {
        self.bytes.want_all();
    }

    pub(in super::super) fn segments(&self) -> impl Iterator<Item = &Loaded> {
        self.segments.iter()
    }

    pub(in super::super) fn loaded(&self, ecosystem: package::Ecosystem) -> Option<&Loaded> {
        self.segments.iter().find(|loaded| loaded.ecosystem == ecosystem.family())
    }

    /// The table of a segment's blocks; entries that lie outside the file are found when they are used.
    pub(in super::super) fn blocks(&self, segment: &Segment) -> impl Iterator<Item = BlockRef> {
        segment.blocks.of(&self.bytes).unwrap_or_default().chunks_exact(BLOCK_ENTRY).filter_map(BlockRef::decode)
    }

    /// The table of ids, by hash.
    pub(in super::super) fn rows(&self, loaded: &Loaded) -> Result<Rows<'_>, Damage> {
        self.bytes.want(loaded.segment.ids.place);
        loaded.segment.ids.of(&self.bytes).map(Rows::of).ok_or_else(|| loaded.damage("its ids"))
    }

    /// Whether this delta has taken the base's document at a spot out of force.
    pub(super) fn is_over(&self, loaded: &Loaded, spot: Spot) -> bool {
        let spots = loaded.segment.over.and_then(|over| over.spots.place.of(&self.bytes)).unwrap_or_default();
        let spots = spots.as_chunks::<SPOT>().0;
        spots.binary_search(&spot.encode()).is_ok()
    }

    /// The packages that this delta changed, with the epoch of the change.
    pub(in super::super) fn changed_names(&self, loaded: &Loaded) -> Result<impl Iterator<Item = (u64, &str)>, Damage> {
        let damage = || loaded.damage("its changes");
        let names = match loaded.segment.over {
            Some(over) => {
                self.bytes.want(over.names.place);
                over.names.of(&self.bytes).ok_or_else(damage)?
            }
            None => &[],
        };
        let mut cursor = Cursor(names);
        let mut found = Vec::new();
        while !cursor.0.is_empty() {
            let epoch = cursor.varint().ok_or_else(damage)?;
            let name = cursor.bytes().and_then(|name| std::str::from_utf8(name).ok()).ok_or_else(damage)?;
            found.push((epoch, name));
        }
        Ok(found.into_iter())
    }

    /// Every package of a segment, in order.
    pub(in super::super) fn packages<'a>(&'a self, loaded: &'a Loaded) -> Packages<'a> {
        Packages { layer: self, loaded, next: 0 }
    }

    /// Checks every page, block and table of a segment.
    pub(super) fn verify(&self, loaded: &Loaded) -> Result<Verified, Damage> {
        self.want_all();
        let hot = self.hot(loaded)?;
        let pages = hot.len().div_ceil(PAGE);
        (0..pages).into_par_iter().try_for_each(|page| self.check_page(loaded, hot, page))?;
        let blocks: Vec<BlockRef> = self.blocks(&loaded.segment).collect();
        let sizes = blocks
            .par_iter()
            .map(|block| self.inflate(loaded, *block).map(|_| block.place.length))
            .collect::<Result<Vec<u64>, _>>()?;
        let ids = loaded.segment.ids.of(&self.bytes).ok_or_else(|| loaded.damage("its ids"))?;
        drop(self.changed_names(loaded)?);
        if loaded.digest(&self.bytes) != loaded.segment.digest {
            return Err(loaded.damage("its checksums"));
        }
        Ok(Verified {
            parts: (pages + sizes.len() + 1) as u64,
            bytes: (hot.len() + ids.len()) as u64 + sizes.iter().sum::<u64>(),
        })
    }

    fn hot(&self, loaded: &Loaded) -> Result<&[u8], Damage> {
        loaded.segment.hot.of(&self.bytes).ok_or_else(|| loaded.damage("its packages"))
    }

    /// Walks the hash table; answers with the package's offset behind it.
    pub(super) fn find(&self, loaded: &Loaded, name: &str) -> Result<Option<u32>, Damage> {
        let hash = name_hash(name, &loaded.secrets);
        let mask = loaded.segment.slots - 1;
        let (hot, damage) = (self.hot(loaded)?, || loaded.damage("its hash table"));
        // A slot never lies in two pages, and the next one mostly in the same.
        let mut checked = usize::MAX;
        for step in 0..loaded.segment.slots {
            let at = usize::try_from((hash.wrapping_add(step) & mask) * SLOT as u64).map_err(|_| damage())?;
            if at / PAGE != checked {
                self.check_page(loaded, hot, at / PAGE)?;
                checked = at / PAGE;
            }
            let slot = hot.get(at..).and_then(|rest| rest.first_chunk::<SLOT>()).ok_or_else(damage)?;
            let slot = u64::from_le_bytes(*slot);
            if slot == 0 {
                return Ok(None);
            }
            if (slot >> 32) as u32 == tag(hash) {
                let offset = (slot as u32).checked_sub(1).ok_or_else(damage)?;
                if Entry::name_at(self, loaded, offset)? == name.as_bytes() {
                    return Ok(Some(offset));
                }
            }
        }
        Ok(None)
    }

    /// Bytes of the hot part, after their pages were checked.
    pub(super) fn sound(&self, loaded: &Loaded, at: u64, length: usize) -> Result<&[u8], Damage> {
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

    #[inline]
    fn check_page(&self, loaded: &Loaded, hot: &[u8], page: usize) -> Result<(), Damage> {
        let bit = 1_u64 << (page % 64);
        let word = loaded.sound.get(page / 64).ok_or_else(|| loaded.damage("an offset"))?;
        if word.load(Ordering::Relaxed) & bit != 0 { Ok(()) } else { self.check_anew(loaded, hot, page, word) }
    }

    #[cold]
    fn check_anew(&self, loaded: &Loaded, hot: &[u8], page: usize, word: &AtomicU64) -> Result<(), Damage> {
        let (bit, known) = (1_u64 << (page % 64), word.load(Ordering::Relaxed));
        let first = page / AT_ONCE * AT_ONCE;
        if known >> (first % 64) & ((1 << AT_ONCE) - 1) == 0 {
            // The first page of its neighbourhood: others of it will be asked for.
            let (offset, length) = ((first * PAGE) as u64, (AT_ONCE * PAGE) as u64);
            let hot = loaded.segment.hot;
            let length = length.min(hot.length.saturating_sub(offset));
            self.bytes.want(Place { offset: hot.offset.saturating_add(offset), length });
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
    pub(in super::super) fn inflate(&self, loaded: &Loaded, block: BlockRef) -> Result<Vec<u8>, Damage> {
        let mut text = Vec::new();
        self.inflate_into(loaded, block, &mut text)?;
        Ok(text)
    }

    fn inflate_into(&self, loaded: &Loaded, block: BlockRef, text: &mut Vec<u8>) -> Result<(), Damage> {
        let damage = || loaded.damage("its details");
        let packed = block.place.of(&self.bytes).ok_or_else(damage)?;
        if block_checksum(packed, block.length) != block.checksum || block.length as usize > MAX_BLOCK {
            return Err(damage());
        }
        text.resize(block.length as usize, 0);
        let length = lz4_flex::block::decompress_into(packed, text).map_err(|_| damage())?;
        if length == text.len() { Ok(()) } else { Err(damage()) }
    }

    /// The document at a spot.
    pub(super) fn details(&self, loaded: &Loaded, spot: Spot) -> Result<Details<'static>, Damage> {
        let block = self.wanted_block(loaded, spot.block)?;
        ROOM.with_borrow_mut(|text| {
            self.inflate_into(loaded, block, text)?;
            let read = document_at(text, spot.offset).and_then(document::read);
            if text.capacity() > MOST_ROOM {
                *text = Vec::new();
            }
            read.ok_or_else(|| loaded.damage("its details"))
        })
    }

    /// For each spot the names of the packages that its document is about; unpacks each block once.
    pub(in super::super) fn names_at(&self, loaded: &Loaded, mut spots: Vec<Spot>) -> Result<Vec<String>, Damage> {
        spots.sort_unstable();
        let damage = || loaded.damage("its details");
        let table = loaded.segment.blocks.of(&self.bytes).unwrap_or_default();
        for block in spots.chunk_by(|a, b| a.block == b.block).filter_map(|same| block_at(table, same.first()?.block)) {
            self.bytes.want(block.place);
        }
        let of_block = |spots: &[Spot]| {
            let text = spots.first().map(|spot| self.block(loaded, spot.block)).transpose()?.unwrap_or_default();
            let mut names = Vec::new();
            for spot in spots {
                let document = document_at(&text, spot.offset).ok_or_else(damage)?;
                let about = document::packages(&mut Cursor(document)).ok_or_else(damage)?;
                names.extend(about.into_iter().map(|package| package.name.into_owned()));
            }
            Ok(names)
        };
        let blocks: Vec<&[Spot]> = spots.chunk_by(|a, b| a.block == b.block).collect();
        let names: Vec<Vec<String>> = blocks.into_par_iter().map(of_block).collect::<Result<_, Damage>>()?;
        Ok(names.into_iter().flatten().collect())
    }

    fn block(&self, loaded: &Loaded, block: u32) -> Result<Vec<u8>, Damage> {
        self.inflate(loaded, self.wanted_block(loaded, block)?)
    }

    /// A block by its number, which the system is told will be read.
    fn wanted_block(&self, loaded: &Loaded, block: u32) -> Result<BlockRef, Damage> {
        let table = loaded.segment.blocks.of(&self.bytes).unwrap_or_default();
        let block = block_at(table, block).ok_or_else(|| loaded.damage("its details"))?;
        self.bytes.want(block.place);
        Ok(block)
    }
}

/// A block by its number, from the table of blocks.
fn block_at(table: &[u8], block: u32) -> Option<BlockRef> {
    let at = (block as usize).checked_mul(BLOCK_ENTRY)?;
    BlockRef::decode(table.get(at..at.checked_add(BLOCK_ENTRY)?)?)
}

/// The document at an offset of an unpacked block.
pub(in super::super) fn document_at(block: &[u8], offset: u32) -> Option<&[u8]> {
    Cursor(block.get(offset as usize..)?).bytes()
}

/// Goes through the packages of a segment.
pub(in super::super) struct Packages<'a> {
    layer: &'a Layer,
    loaded: &'a Loaded,
    next: u64,
}

impl<'a> Iterator for Packages<'a> {
    type Item = Result<Entry<'a>, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        let packages = self.loaded.segment.hot.length.saturating_sub(self.loaded.segment.slots * SLOT as u64);
        if self.next >= packages {
            return None;
        }
        let offset = u32::try_from(self.next).map_err(|_| self.loaded.damage("an offset"));
        let read = offset.and_then(|offset| Entry::read(self.layer, self.loaded, offset, Origin::Base));
        // After damage nothing is known of where the next one begins.
        self.next = read.as_ref().map_or(packages, |(_, next)| *next);
        Some(read.map(|(entry, _)| entry))
    }
}

impl Loaded {
    /// `None` when the directory's numbers contradict each other or the file.
    fn new(ecosystem: package::Ecosystem, segment: Segment, file: &[u8]) -> Option<Self> {
        let hot = segment.hot.of(file)?.len();
        let pages = segment.pages.of(file)?.len();
        let blocks = segment.blocks.of(file)?.len();
        let ids = segment.ids.place.of(file)?.len();
        let table = usize::try_from(segment.slots).ok()?.checked_mul(SLOT)?;
        if !segment.slots.is_power_of_two()
            || table > hot
            || pages != hot.div_ceil(PAGE) * 8
            || blocks % BLOCK_ENTRY != 0
            || ids % ROW != 0
        {
            return None;
        }
        if let Some(over) = segment.over {
            // Asked for every package of a scan, and short.
            over.spots.of(file).filter(|spots| spots.len() % SPOT == 0)?;
            over.names.place.of(file)?;
        }
        let sound = (0..hot.div_ceil(PAGE).div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let secrets = RapidSecrets::seed(segment.seed);
        Some(Self { ecosystem, segment, secrets, sound })
    }

    pub(in super::super) fn ecosystem(&self) -> package::Ecosystem {
        self.ecosystem
    }

    pub(in super::super) fn segment(&self) -> &Segment {
        &self.segment
    }

    pub(in super::super) fn damage(&self, what: &'static str) -> Damage {
        Damage { ecosystem: self.ecosystem, what }
    }

    fn digest(&self, file: &[u8]) -> u64 {
        digest(self.segment.pages.of(file).unwrap_or_default(), self.segment.blocks.of(file).unwrap_or_default())
    }
}

/// What [`Segment::digest`] is of these tables.
pub(in super::super) fn digest(pages: &[u8], blocks: &[u8]) -> u64 {
    checksum(pages) ^ checksum(blocks).rotate_left(1)
}

/// An entry of a table of blocks.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct BlockRef {
    pub(in super::super) place: Place,
    pub(in super::super) length: u32,
    pub(in super::super) checksum: u64,
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
pub(super) struct Identity {
    file: (u64, u64),
    length: u64,
    modified: Option<SystemTime>,
}

impl Identity {
    /// Of the file that has this name now.
    pub(super) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
    }

    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let file = (std::os::unix::fs::MetadataExt::dev(metadata), std::os::unix::fs::MetadataExt::ino(metadata));
        #[cfg(not(unix))]
        let file = (0, 0);
        Self { file, length: metadata.len(), modified: metadata.modified().ok() }
    }
}
