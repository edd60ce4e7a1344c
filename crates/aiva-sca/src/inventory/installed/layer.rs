//! One layer of an image: a tar, plain or compressed with gzip or zstd, of which only the files that tell something are kept.
//!
//! It is read once, from its first byte to its last, and hashed on the way. Entries are names and bytes here: no link is followed,
//! nothing is written.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use sha2::{Digest as _, Sha256};
use tar::EntryType;

use super::image::{ImageError, hex};
use super::store::long_name_of;
use super::{Piece, What, binary, read as read_file, unread, what};

/// What all layers together may come to.
pub(super) struct Bounds {
    entries: u64,
    bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: 5_000_000, bytes: 32 << 30 }
    }
}

/// What a layer brings and takes away; paths are plain.
#[derive(Default)]
pub(super) struct Found {
    pub(super) pieces: BTreeMap<String, Piece>,
    /// Folders of which nothing from below shows.
    pub(super) opaque: Vec<String>,
    /// What is gone.
    pub(super) hidden: Vec<String>,
    /// Folders, which end a file of that name.
    pub(super) folders: Vec<String>,
    /// Links, devices and files of no interest, which end whatever had that name.
    pub(super) others: Vec<String>,
}

/// Reads a layer; answers also with the digest of its content.
pub(super) fn read(
    blob: BufReader<io::Take<std::fs::File>>,
    largest: u64,
    bounds: &mut Bounds,
) -> Result<(Found, String), ImageError> {
    let mut content = Counted { inner: unpacked(blob)?, sum: Sha256::new(), left: bounds.bytes };
    let mut archive = tar::Archive::new(&mut content);
    let mut found = Found::default();
    let mut long_name: Option<Vec<u8>> = None;
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        bounds.entries = bounds.entries.checked_sub(1).ok_or(ImageError::TooMuch("five million files"))?;
        let kind = entry.header().entry_type();
        if let Some(name) = long_name_of(&mut entry, kind)? {
            // A long link's name or a global header says nothing of the next entry's own.
            if !name.is_empty() {
                long_name = Some(name);
            }
            continue;
        }
        let name = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let Some(path) = plain(&name) else {
            continue; // Above the root there is nothing; an unpacker that went there would be the one that is broken.
        };
        take(&mut found, &mut entry, kind, path, largest)?;
    }
    io::copy(&mut content, &mut io::sink())?;
    bounds.bytes = content.left;
    Ok((found, hex(&content.sum.finalize())))
}

/// Sorts one entry in.
fn take<R: Read>(
    found: &mut Found,
    entry: &mut tar::Entry<'_, R>,
    kind: EntryType,
    path: String,
    largest: u64,
) -> io::Result<()> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    if name == ".wh..wh..opq" {
        found.opaque.push(folder.to_owned());
        return Ok(());
    }
    if let Some(hidden) = name.strip_prefix(".wh.") {
        let hidden = if folder.is_empty() { hidden.to_owned() } else { format!("{folder}/{hidden}") };
        found.hidden.push(hidden);
        return Ok(());
    }
    // Of two entries of one name the later counts.
    found.pieces.remove(&path);
    if kind == EntryType::Directory {
        found.folders.push(path);
        return Ok(());
    }
    if matches!(kind, EntryType::Regular | EntryType::Continuous)
        && let Some(piece) = piece(entry, &path, largest)?
    {
        found.pieces.insert(path, piece);
    } else {
        found.others.push(path);
    }
    Ok(())
}

fn piece<R: Read>(entry: &mut tar::Entry<'_, R>, path: &str, largest: u64) -> io::Result<Option<Piece>> {
    let known = what(path);
    let may_run = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0) || path.ends_with(".exe");
    if known.is_none() && !may_run {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    entry.take(4).read_to_end(&mut bytes)?;
    let what = match known {
        Some(what) => what,
        None if binary::is_program(&bytes) => What::Program,
        None => return Ok(None),
    };
    if entry.size() > largest {
        let limit = largest / (1024 * 1024);
        return Ok(Some(unread(path, what, format!("larger than {limit} MiB, the limit for one file: not read"))));
    }
    entry.read_to_end(&mut bytes)?;
    if bytes.len() as u64 != entry.size() {
        return Err(io::Error::other("the layer ends within a file"));
    }
    Ok(read_file(path, what, &bytes))
}

/// A name below the root without `.` and `/` at its start; `None` for the root itself and what leads out of it.
pub(super) fn plain(name: &[u8]) -> Option<String> {
    let name = String::from_utf8_lossy(name);
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let is_out = parts.contains(&"..") || name.contains(char::is_control);
    (!parts.is_empty() && !is_out).then(|| parts.join("/"))
}

/// By how it begins; what the manifest calls it is not asked.
fn unpacked(mut blob: BufReader<io::Take<std::fs::File>>) -> io::Result<Box<dyn Read>> {
    let start = blob.fill_buf()?;
    Ok(match start {
        [0x1F, 0x8B, ..] => Box::new(MultiGzDecoder::new(blob)),
        [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => {
            Box::new(Zstd { source: blob, decoder: FrameDecoder::new(), is_open: false })
        }
        _ => Box::new(blob),
    })
}

/// Counts and hashes what passes.
struct Counted {
    inner: Box<dyn Read>,
    sum: Sha256,
    left: u64,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(into)?;
        self.sum.update(into.get(..length).unwrap_or_default());
        let more = || io::Error::other("the layers unpack to more than 32 GiB: not read");
        self.left = self.left.checked_sub(length as u64).ok_or_else(more)?;
        Ok(length)
    }
}

/// Frames of zstd in a row (RFC 8878), with the skippable ones between them that some builders put there.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    is_open: bool,
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.is_open {
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder.decode_blocks(&mut self.source, one).map_err(io::Error::other)?;
                }
                if self.decoder.can_collect() > 0 {
                    return self.decoder.read(into);
                }
                self.is_open = false;
            }
            if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.decoder.init(&mut self.source) {
                Ok(()) => self.is_open = true,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut (&mut self.source).take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }
}
