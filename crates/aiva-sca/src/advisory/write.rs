//! Writes an index file beside the one in use and puts it in its place at the end, so that a reader sees the old or the new one
//! whole. A file that was published is never written to again.
//!
//! A [`Lock`] on the folder stands before everything: of two imports into one folder the second is refused. Nothing is kept in
//! memory but the hot part.

mod segment;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub(super) use self::segment::{Block, Counts, Packer, Piece, SegmentBuilder, block_checksum};
use super::index::{BlockRef, Layer, Loaded, digest};
use super::layout::{
    BASE, BLOCK_ENTRY, Bond, DELTA, Directory, HEADER, Header, Over, Place, Row, Sealed, Segment, VERSION, checksum,
};
use crate::package::Ecosystem;

const LOCK: &str = ".lock";

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

/// The right to write into a folder, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    folder: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes it, creating the folder (0700) if need be.
    pub(super) fn take(folder: &Path) -> Result<Self, WriteError> {
        let io = |source| WriteError::Io { folder: folder.display().to_string(), source };
        create_folder(folder).map_err(io)?;
        let file = private().create(true).truncate(false).open(folder.join(LOCK)).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), _file: file }),
            Err(TryLockError::WouldBlock) => Err(WriteError::Busy(folder.display().to_string())),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Which of the two files of an index is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The base. What a delta changed in the one before is in it, or of no use any more.
    Base,
    /// What has changed since this base.
    Delta(Bond),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Base => BASE,
            Self::Delta(_) => DELTA,
        }
    }
}

/// What the caller knows of a segment beyond its records.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) imported_at: i64,
    pub(super) mark: Option<String>,
    /// Whether only some releases' records were imported.
    pub(super) partial: bool,
}

impl From<&Segment> for Origin {
    fn from(segment: &Segment) -> Self {
        Self { imported_at: segment.imported_at, mark: segment.mark.clone(), partial: segment.partial }
    }
}

/// What a segment of a delta has beyond its records: what it changes, and what counts with the base together.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Ascending [`super::layout::Spot`]s.
    pub(super) spots: Vec<u8>,
    pub(super) names: Vec<u8>,
    pub(super) rows: Vec<Row>,
    pub(super) counts: Counts,
    pub(super) packages: u64,
}

/// An index file in the making.
pub(super) struct Writer {
    folder: PathBuf,
    kind: Kind,
    out: BufWriter<File>,
    at: u64,
    segments: Vec<Segment>,
    done: bool,
}

impl Writer {
    /// Starts a new file.
    pub(super) fn create(lock: &Lock, kind: Kind) -> Result<Self, WriteError> {
        let folder = lock.folder().to_owned();
        let io = |source| WriteError::Io { folder: folder.display().to_string(), source };
        let file = private().create(true).truncate(true).open(folder.join(temporary(kind))).map_err(io)?;
        let out = BufWriter::with_capacity(1 << 18, file);
        let mut writer = Self { folder, kind, out, at: 0, segments: Vec::new(), done: false };
        writer.put(&[0; HEADER])?;
        Ok(writer)
    }

    /// Writes a block and answers with its entry for the table of blocks.
    pub(super) fn add_block(&mut self, block: &Block) -> Result<[u8; BLOCK_ENTRY], WriteError> {
        let place = self.put(&block.bytes)?;
        Ok(block_entry(place, block.length, block.checksum))
    }

    /// Copies the blocks of another file's segment; their numbers go on from those that the builder has.
    pub(super) fn copy_blocks(
        &mut self,
        layer: &Layer,
        loaded: &Loaded,
        builder: &mut SegmentBuilder,
    ) -> Result<(), WriteError> {
        for entry in self.copied_blocks(layer, loaded)?.as_chunks::<BLOCK_ENTRY>().0 {
            builder.add_block(*entry);
        }
        Ok(())
    }

    /// Copies one block of another file and answers with its entry for the table of blocks.
    pub(super) fn copy_block(&mut self, layer: &Layer, block: BlockRef) -> Result<[u8; BLOCK_ENTRY], WriteError> {
        let place = self.put(block.place.of(layer.bytes()).unwrap_or_default())?;
        Ok(block_entry(place, block.length, block.checksum))
    }

    fn copied_blocks(&mut self, layer: &Layer, loaded: &Loaded) -> Result<Vec<u8>, WriteError> {
        layer.want_all();
        let mut table = Vec::new();
        for block in layer.blocks(loaded.segment()) {
            table.extend_from_slice(&self.copy_block(layer, block)?);
        }
        Ok(table)
    }

    /// Ends an ecosystem's segment.
    pub(super) fn add_segment(
        &mut self,
        ecosystem: Ecosystem,
        mut builder: SegmentBuilder,
        origin: Origin,
        change: Option<Change>,
    ) -> Result<Counts, WriteError> {
        let hot = builder.hot().ok_or(WriteError::TooLarge(ecosystem))?;
        let sums = hot.sums();
        let (rows, over) = match &change {
            Some(change) => {
                (change.rows.clone(), Some(Over { spots: self.seal(&change.spots)?, names: self.seal(&change.names)? }))
            }
            None => (builder.rows(), None),
        };
        let (counts, packages) = match change {
            Some(change) => (change.counts, change.packages),
            None => (Counts::of(&rows), hot.packages),
        };
        let segment = Segment {
            ecosystem: ecosystem.osv_name().to_owned(),
            records: counts.records,
            packages,
            withdrawn: counts.withdrawn,
            newest_modified: counts.newest.into(),
            imported_at: origin.imported_at,
            mark: origin.mark,
            partial: origin.partial,
            releases: builder.take_releases(),
            seed: hot.seed,
            slots: hot.slots,
            digest: digest(&sums, builder.blocks()),
            hot: self.put(&hot.bytes)?,
            pages: self.put(&sums)?,
            blocks: self.put(builder.blocks())?,
            ids: self.seal(&segment::encode_rows(&rows))?,
            over,
        };
        self.segments.push(segment);
        Ok(counts)
    }

    /// Copies an ecosystem from another file, which the caller has verified, under what is known of it by now.
    pub(super) fn copy_segment(&mut self, layer: &Layer, loaded: &Loaded, origin: Origin) -> Result<(), WriteError> {
        let (file, segment) = (layer.bytes(), loaded.segment());
        let table = self.copied_blocks(layer, loaded)?;
        let pages = segment.pages.of(file).unwrap_or_default();
        // The checksums come along, so that damage stays damage.
        let mut sealed = |part: Sealed| -> Result<Sealed, WriteError> {
            Ok(Sealed { place: self.put(part.place.of(file).unwrap_or_default())?, ..part })
        };
        let over = match segment.over {
            Some(over) => Some(Over { spots: sealed(over.spots)?, names: sealed(over.names)? }),
            None => None,
        };
        let copied = Segment {
            imported_at: origin.imported_at,
            mark: origin.mark,
            partial: origin.partial,
            ids: sealed(segment.ids)?,
            hot: self.put(segment.hot.of(file).unwrap_or_default())?,
            pages: self.put(pages)?,
            blocks: self.put(&table)?,
            digest: digest(pages, &table),
            over,
            ..segment.clone()
        };
        self.segments.push(copied);
        Ok(())
    }

    /// Completes the file, makes it durable and puts it in the place of the old one.
    pub(super) fn finish(mut self, epoch: u64, built_at: i64) -> Result<(), WriteError> {
        self.segments.sort_by(|a, b| a.ecosystem.cmp(&b.ecosystem));
        let base = match self.kind {
            Kind::Base => None,
            Kind::Delta(bond) => Some(bond),
        };
        let directory = Directory { base, segments: std::mem::take(&mut self.segments) };
        let directory = serde_json::to_vec(&directory).expect("a directory is plain data");
        let place = self.put(&directory)?;
        let header = Header { version: VERSION, epoch, built_at, file_length: self.at, directory: place, checksum: 0 }
            .encode(&directory);
        let folder = self.folder.clone();
        self.publish(&header).map_err(|source| WriteError::Io { folder: folder.display().to_string(), source })?;
        self.done = true;
        Ok(())
    }

    /// Each step leaves what readers see as it was, or whole and new.
    fn publish(&mut self, header: &[u8]) -> io::Result<()> {
        step()?;
        self.out.flush()?;
        step()?;
        let file = self.out.get_mut();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(header)?;
        step()?;
        file.sync_all()?;
        step()?;
        fs::rename(self.folder.join(temporary(self.kind)), self.folder.join(self.kind.name()))?;
        step()?;
        File::open(&self.folder)?.sync_all()?;
        step()?;
        if self.kind == Kind::Base {
            // It belongs to the base before, so that readers pass over it already.
            match fs::remove_file(self.folder.join(DELTA)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        step()
    }

    fn put(&mut self, bytes: &[u8]) -> Result<Place, WriteError> {
        let io = |source| WriteError::Io { folder: self.folder.display().to_string(), source };
        self.out.write_all(bytes).map_err(io)?;
        let place = Place { offset: self.at, length: bytes.len() as u64 };
        self.at += place.length;
        Ok(place)
    }

    fn seal(&mut self, bytes: &[u8]) -> Result<Sealed, WriteError> {
        Ok(Sealed { place: self.put(bytes)?, sum: checksum(bytes) })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.done && !is_cut() {
            // What was begun is of no use to anybody; the next import would overwrite it anyway.
            let _ = fs::remove_file(self.folder.join(temporary(self.kind)));
        }
    }
}

fn temporary(kind: Kind) -> String {
    format!(".{}.new", kind.name())
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

/// Between two effects on the folder; where a test has the process end.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "it fails in tests")]
fn step() -> io::Result<()> {
    Ok(())
}

#[cfg(not(test))]
fn is_cut() -> bool {
    false
}

#[cfg(test)]
use self::cut::step;
#[cfg(test)]
pub(super) use self::cut::{LEFT, is_cut};

#[cfg(test)]
mod cut {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        /// How many steps this thread may still take, if it is to be cut.
        pub(in super::super) static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    pub(in super::super) fn step() -> io::Result<()> {
        match LEFT.get() {
            Some(0) => Err(io::Error::other("cut")),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether the process has ended, for all that it could do about it.
    pub(in super::super) fn is_cut() -> bool {
        LEFT.get() == Some(0)
    }
}
