//! One layer of an image: a tar, plain or compressed with gzip or zstd, of which only the files that tell something are kept.
//!
//! It is read from its first byte to its last, and hashed on the way. Entries are names and bytes here: nothing is written, and a hard
//! link means another entry of the same layer or nothing.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use sha2::{Digest as _, Sha256};
use tar::EntryType;

use super::super::reading::quote;
use super::image::{ImageError, hex};
use super::store::{Extended, Store};
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
    /// Hard links with what they link to.
    links: BTreeMap<String, String>,
}

/// Reads a layer; answers also with the digest of its content.
pub(super) fn read(
    store: &Store,
    blob: &str,
    largest: u64,
    bounds: &mut Bounds,
) -> Result<(Found, String), ImageError> {
    let mut found = Found::default();
    let digest = each(store, blob, bounds, &mut |entry, kind, path, target| {
        take(&mut found, entry, kind, path, &target, largest)
    })?;
    found.links.retain(|link, _| what(link).is_some());
    if !found.links.is_empty() {
        follow(store, blob, largest, bounds, &mut found)?;
    }
    Ok((found, digest))
}

/// Package managers that link files from a store of their own (pnpm, uv) make tars in which the file that tells is a hard link to
/// one of no name: those are looked up in a second pass, by the names in the layer itself.
fn follow(store: &Store, blob: &str, largest: u64, bounds: &mut Bounds, found: &mut Found) -> Result<(), ImageError> {
    let mut wanted: HashMap<String, Vec<String>> = HashMap::new();
    for (link, target) in std::mem::take(&mut found.links) {
        wanted.entry(target).or_default().push(link);
    }
    each(store, blob, bounds, &mut |entry, kind, path, _| {
        let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous);
        let Some(links) = wanted.get(&path).filter(|_| is_file) else { return Ok(()) };
        let content = content(entry, Vec::new(), largest)?;
        for link in links {
            let Some(what) = what(link) else { continue };
            found.pieces.remove(link);
            let piece = match &content {
                Some(content) => read_file(link, what, content),
                None => Some(too_large(link, what, largest)),
            };
            found.pieces.extend(piece.map(|piece| (link.clone(), piece)));
        }
        Ok(())
    })?;
    for (target, links) in wanted {
        for link in links {
            if let Some(what) = what(&link).filter(|_| !found.pieces.contains_key(&link)) {
                let why = format!("a hard link to {}, which is not in its layer: not read", quote(&target));
                found.pieces.insert(link.clone(), unread(&link, what, why));
            }
        }
    }
    Ok(())
}

type Each<'e> = dyn FnMut(&mut tar::Entry<'_, Counted>, EntryType, String, Vec<u8>) -> io::Result<()> + 'e;

/// Hands over each entry with its plain name and what it links to; answers with the digest of the whole.
fn each(store: &Store, blob: &str, bounds: &mut Bounds, hand: &mut Each<'_>) -> Result<String, ImageError> {
    let content = Counted { inner: unpacked(store.open_blob(blob)?)?, sum: Sha256::new(), left: bounds.bytes };
    let mut archive = tar::Archive::new(content);
    let mut extended = Extended::default();
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        bounds.entries = bounds.entries.checked_sub(1).ok_or(ImageError::TooMuch("five million files"))?;
        let kind = entry.header().entry_type();
        if extended.take(&mut entry, kind)? {
            continue;
        }
        let (name, target) = extended.names(&entry);
        // Above the root there is nothing; an unpacker that went there would be the one that is broken.
        if let Some(path) = plain(&name) {
            hand(&mut entry, kind, path, target)?;
        }
    }
    let mut content = archive.into_inner();
    io::copy(&mut content, &mut io::sink())?;
    bounds.bytes = content.left;
    Ok(hex(&content.sum.finalize()))
}

/// Sorts one entry in.
fn take<R: Read>(
    found: &mut Found,
    entry: &mut tar::Entry<'_, R>,
    kind: EntryType,
    path: String,
    target: &[u8],
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
    found.links.remove(&path);
    let piece = match kind {
        EntryType::Directory => {
            found.folders.push(path);
            return Ok(());
        }
        EntryType::Regular | EntryType::Continuous => piece(entry, &path, largest)?,
        EntryType::GNUSparse => what(&path).map(|what| unread(&path, what, "a file with holes: not read".to_owned())),
        EntryType::Link => match plain(target) {
            Some(target) => {
                found.links.insert(path.clone(), target);
                None
            }
            None => {
                what(&path).map(|what| unread(&path, what, "a hard link out of the image: not followed".to_owned()))
            }
        },
        _ => None,
    };
    match piece {
        Some(piece) => drop(found.pieces.insert(path, piece)),
        None => found.others.push(path),
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
    Ok(match content(entry, bytes, largest)? {
        Some(content) => read_file(path, what, &content),
        None => Some(too_large(path, what, largest)),
    })
}

fn too_large(path: &str, what: What, largest: u64) -> Piece {
    let limit = largest / (1024 * 1024);
    unread(path, what, format!("larger than {limit} MiB, the limit for one file: not read"))
}

/// All of a file, of which the start may have been read already; `None` where that is too much.
fn content<R: Read>(entry: &mut tar::Entry<'_, R>, start: Vec<u8>, largest: u64) -> io::Result<Option<Vec<u8>>> {
    let size = entry.size();
    if size > largest {
        return Ok(None);
    }
    let mut bytes = start;
    entry.read_to_end(&mut bytes)?;
    if bytes.len() as u64 == size { Ok(Some(bytes)) } else { Err(io::Error::other("the layer ends within a file")) }
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
