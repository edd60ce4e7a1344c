//! Reads zip files that nobody vouches for: every offset and size is checked, every entry's length and CRC, nothing is unpacked
//! beyond its limit, and no more of the file is in memory than its directory and the entries at hand.
//!
//! Only what OSV's exports use: stored or deflated entries in one file, zip64 included.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use libdeflater::Decompressor;

use super::layout::{Cursor, MAX_RECORD};

/// Compressed bytes that are read at once.
const BATCH: u64 = 256 * 1024;
/// The most that room is made for before it is read: an entry that is read alone may be large.
const MOST_AT_ONCE: usize = 1 << 20;
/// Room behind an entry's text: near the end of what it may fill, libdeflate goes on byte by byte.
const SPARE: usize = 320;
/// Text of this kind shrinks 2 to 30 times; what claims more is a bomb.
const MAX_RATIO: u64 = 250;
const MAX_DIRECTORY: u64 = 1 << 30;
/// A local header without a name.
const LEAST_HEADER: u64 = 30;
/// A local header with the longest name and extra field, and a data descriptor.
const MAX_OVERHEAD: u64 = LEAST_HEADER + 2 * 65_535 + 24;

/// Why a zip is refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The operating system could not read it.
    #[error("could not be read")]
    Io(#[from] io::Error),
    /// No end-of-directory record: another kind of file, or the end is missing.
    #[error("is not a complete zip file; if it was downloaded, download it again")]
    NotZip,
    /// The directory contradicts itself or the file.
    #[error("has a damaged directory ({0}); download it again")]
    Directory(&'static str),
    /// An entry that cannot be unpacked to what the directory says.
    #[error("has a damaged entry {name:?} ({what}); download it again")]
    Entry {
        /// The entry's name.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// An entry or the whole would unpack to more than any advisory export does.
    #[error("would unpack to too much ({0}); it is not an advisory export")]
    Bomb(String),
}

/// An open zip file.
#[derive(Debug)]
pub(super) struct Archive {
    file: Mutex<File>,
    names: Vec<u8>,
    entries: Vec<Entry>,
    /// Where entries must end.
    end: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    name: Range<usize>,
    offset: u64,
    compressed: u64,
    size: usize,
    crc: u32,
    deflated: bool,
}

impl Archive {
    /// Opens a zip and reads its directory.
    pub(super) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let end = End::find(&mut file, length)?;
        if end.size > MAX_DIRECTORY || end.offset.checked_add(end.size).is_none_or(|stop| stop > length) {
            return Err(ArchiveError::Directory("it lies outside the file"));
        }
        let names = read_at(&mut file, end.offset, end.size)?;
        let mut entries = Vec::with_capacity(usize::try_from(end.count.min(end.size / 46)).unwrap_or(0));
        let mut cursor = Cursor(&names);
        while !cursor.0.is_empty() {
            let at = names.len() - cursor.0.len();
            entries.extend(entry(&mut cursor, at, &names)?);
        }
        if entries.len() as u64 != end.count {
            return Err(ArchiveError::Directory("its count of entries is wrong"));
        }
        entries.sort_by_key(|entry| entry.offset);
        let archive = Self { file: Mutex::new(file), names, entries, end: end.offset };
        archive.check_sizes()?;
        Ok(archive)
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Divides the entries into runs that are read at once.
    pub(super) fn batches(&self) -> Vec<Range<usize>> {
        let mut batches = Vec::new();
        let mut start = 0;
        for at in 1..=self.entries.len() {
            let full = match (self.entries.get(start), self.entries.get(at)) {
                (Some(first), Some(next)) => {
                    let previous = &self.entries[at - 1];
                    next.offset - first.offset > BATCH
                        || next.offset > previous.offset + previous.compressed + MAX_OVERHEAD
                }
                _ => true,
            };
            if full {
                batches.push(start..at);
                start = at;
            }
        }
        batches
    }

    /// Unpacks a run of entries and hands each over with its name.
    pub(super) fn read(&self, batch: Range<usize>, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), ArchiveError> {
        let behind = self.entries.get(batch.end..).unwrap_or_default();
        let entries = self.entries.get(batch).unwrap_or_default();
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(());
        };
        // How long its header is only the header tells, but it ends where another entry begins.
        let least = last.offset + LEAST_HEADER + last.compressed;
        let next = behind.iter().map(|entry| entry.offset).find(|offset| *offset >= least);
        let stop = (last.offset + last.compressed + MAX_OVERHEAD).min(next.unwrap_or(self.end)).min(self.end);
        let bytes = {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            read_at(&mut file, first.offset, stop.saturating_sub(first.offset))?
        };
        let mut inflate = Decompressor::new();
        let mut text = Vec::new();
        for entry in entries {
            let name = String::from_utf8_lossy(self.names.get(entry.name.clone()).unwrap_or_default());
            if name.ends_with('/') {
                continue;
            }
            let damaged = |what| ArchiveError::Entry { name: name.to_string(), what };
            let packed =
                packed(&bytes, entry, first.offset).ok_or_else(|| damaged("its data lies outside the file"))?;
            let data = if entry.deflated {
                let room = entry.size + SPARE;
                if text.len() < room {
                    text.resize(room, 0);
                }
                match inflate.deflate_decompress(packed, text.get_mut(..room).unwrap_or_default()) {
                    Ok(size) if size == entry.size => text.get(..size).unwrap_or_default(),
                    _ => return Err(damaged("its length is wrong")),
                }
            } else {
                packed
            };
            if libdeflater::crc32(data) != entry.crc {
                return Err(damaged("its checksum is wrong"));
            }
            each(&name, data);
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), ArchiveError> {
        let (mut packed, mut unpacked) = (0_u64, 0_u64);
        for entry in &self.entries {
            if entry.size > MAX_RECORD {
                let name = String::from_utf8_lossy(self.names.get(entry.name.clone()).unwrap_or_default());
                return Err(ArchiveError::Bomb(format!("{name} alone to {} bytes", entry.size)));
            }
            if entry.offset.checked_add(entry.compressed).is_none_or(|stop| stop > self.end) {
                return Err(ArchiveError::Directory("an entry lies outside the file"));
            }
            packed = packed.saturating_add(entry.compressed);
            unpacked = unpacked.saturating_add(entry.size as u64);
        }
        if packed > self.end {
            return Err(ArchiveError::Directory("entries overlap"));
        }
        if unpacked > packed.saturating_mul(MAX_RATIO).saturating_add(1 << 20) {
            return Err(ArchiveError::Bomb(format!("{unpacked} bytes from {packed}")));
        }
        Ok(())
    }
}

/// The packed data of an entry within bytes that start at `base`.
fn packed<'a>(bytes: &'a [u8], entry: &Entry, base: u64) -> Option<&'a [u8]> {
    let mut cursor = Cursor(bytes.get(usize::try_from(entry.offset.checked_sub(base)?).ok()?..)?);
    if cursor.take(4)? != b"PK\x03\x04" {
        return None;
    }
    cursor.take(22)?;
    let (name, extra) = (cursor.u16()?, cursor.u16()?);
    cursor.take(usize::from(name) + usize::from(extra))?;
    cursor.take(usize::try_from(entry.compressed).ok()?)
}

/// One entry of the central directory.
fn entry(cursor: &mut Cursor<'_>, at: usize, names: &[u8]) -> Result<Option<Entry>, ArchiveError> {
    let cut = || ArchiveError::Directory("it ends in the middle of an entry");
    let fields = cursor.take(46).ok_or_else(cut)?;
    let mut field = Cursor(fields);
    if field.take(4) != Some(b"PK\x01\x02") {
        return Err(ArchiveError::Directory("an entry has no signature"));
    }
    let mut read = || -> Option<_> {
        field.take(4)?;
        let flags = field.u16()?;
        let method = field.u16()?;
        field.take(4)?;
        let crc = field.u32()?;
        let sizes = [field.u32()?, field.u32()?];
        let lengths = [field.u16()?, field.u16()?, field.u16()?];
        field.take(8)?;
        Some((flags, method, crc, sizes, lengths, field.u32()?))
    };
    let (flags, method, crc, [compressed, size], [name, extra, comment], offset) = read().ok_or_else(cut)?;
    let start = at + 46;
    let name = start..start + usize::from(name);
    let text = cursor.take(name.len()).ok_or_else(cut)?;
    let extra = cursor.take(usize::from(extra)).ok_or_else(cut)?;
    cursor.take(usize::from(comment)).ok_or_else(cut)?;
    let damaged = |what| ArchiveError::Entry { name: String::from_utf8_lossy(text).into_owned(), what };
    debug_assert!(names.get(name.clone()).is_some());
    let (size, compressed, offset) =
        wide(extra, size, compressed, offset).ok_or_else(|| damaged("its zip64 field is cut short"))?;
    if flags & 1 != 0 {
        return Err(damaged("it is encrypted"));
    }
    let deflated = match method {
        0 if size == compressed => false,
        8 => true,
        0 => return Err(damaged("its length is wrong")),
        _ => return Err(damaged("it is packed by an unusual method")),
    };
    let size = usize::try_from(size).map_err(|_| damaged("its length is wrong"))?;
    Ok(Some(Entry { name, offset, compressed, size, crc, deflated }))
}

/// Size, compressed size and offset, each taken from the zip64 field where the narrow one is full.
fn wide(extra: &[u8], size: u32, compressed: u32, offset: u32) -> Option<(u64, u64, u64)> {
    if ![size, compressed, offset].contains(&u32::MAX) {
        return Some((size.into(), compressed.into(), offset.into()));
    }
    let mut fields = Cursor(extra);
    loop {
        let (id, length) = (fields.u16()?, fields.u16()?);
        let mut field = Cursor(fields.take(usize::from(length))?);
        if id == 1 {
            let mut next = |narrow: u32| if narrow == u32::MAX { field.u64() } else { Some(narrow.into()) };
            return Some((next(size)?, next(compressed)?, next(offset)?));
        }
    }
}

/// The end-of-directory record: where the directory is.
struct End {
    count: u64,
    size: u64,
    offset: u64,
}

impl End {
    fn find(file: &mut File, length: u64) -> Result<Self, ArchiveError> {
        let tail_length = length.min(22 + 65_535);
        let tail_start = length - tail_length;
        let tail = read_at(file, tail_start, tail_length)?;
        let at = (0..tail.len().saturating_sub(21)).rev().find(|at| {
            let mut cursor = Cursor(&tail[*at..]);
            cursor.take(4) == Some(b"PK\x05\x06")
                && cursor.take(16).is_some()
                && cursor.u16().is_some_and(|comment| usize::from(comment) == cursor.0.len())
        });
        let at = at.ok_or(ArchiveError::NotZip)?;
        let mut cursor = Cursor(&tail[at + 8..]);
        let mut read = || -> Option<_> { Some((cursor.u16()?, cursor.u16()?, cursor.u32()?, cursor.u32()?)) };
        let (here, count, size, offset) = read().ok_or(ArchiveError::NotZip)?;
        if count == u16::MAX || size == u32::MAX || offset == u32::MAX {
            return Self::find_wide(file, tail_start + at as u64);
        }
        if here != count {
            return Err(ArchiveError::Directory("it is spread over several files"));
        }
        Ok(Self { count: count.into(), size: size.into(), offset: offset.into() })
    }

    fn find_wide(file: &mut File, end: u64) -> Result<Self, ArchiveError> {
        let wrong = ArchiveError::Directory("its zip64 end is missing");
        let Some(at) = end.checked_sub(20) else { return Err(wrong) };
        let locator = read_at(file, at, 20)?;
        let mut cursor = Cursor(&locator);
        if cursor.take(4) != Some(b"PK\x06\x07") {
            return Err(wrong);
        }
        cursor.take(4);
        let Some(at) = cursor.u64().filter(|record| record.checked_add(56).is_some_and(|stop| stop <= at)) else {
            return Err(wrong);
        };
        let record = read_at(file, at, 56)?;
        let mut cursor = Cursor(&record);
        if cursor.take(4) != Some(b"PK\x06\x06") {
            return Err(wrong);
        }
        cursor.take(28);
        let mut read =
            || -> Option<_> { Some(Self { count: cursor.u64()?, size: cursor.u64()?, offset: cursor.u64()? }) };
        read().ok_or(wrong)
    }
}

fn read_at(file: &mut File, offset: u64, length: u64) -> Result<Vec<u8>, ArchiveError> {
    file.seek(SeekFrom::Start(offset))?;
    // The length is that of a part of the file, as far as anybody has looked.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).min(MOST_AT_ONCE));
    let read = file.take(length).read_to_end(&mut bytes)?;
    if read as u64 != length {
        return Err(ArchiveError::NotZip);
    }
    Ok(bytes)
}
