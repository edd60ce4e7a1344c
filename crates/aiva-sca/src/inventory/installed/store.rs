//! Where an image's blobs are: the files of a folder, or the entries of a tar, found once and read in place.
//!
//! A name is looked up as it is written and never leads out: in a folder only plain names below it are opened, and links are not
//! followed; in a tar nothing but its own entries can be meant.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use tar::EntryType;

use super::image::ImageError;
use super::layer::plain;

const MOST_ENTRIES: usize = 100_000;
/// Links within a tar lead to entries, in older `docker save` through one another.
const MOST_LINKS: usize = 4;

/// The blobs and descriptions of an image.
pub(super) enum Store {
    Folder(PathBuf),
    Tar(PathBuf, HashMap<String, Entry>),
}

pub(super) enum Entry {
    /// Where its content is, and how long.
    File(u64, u64),
    /// As what else it is there.
    Link(String),
}

impl Store {
    pub(super) fn open(path: &Path) -> Result<Self, ImageError> {
        let metadata = fs::metadata(path)?;
        if metadata.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        if !metadata.is_file() {
            return Err(ImageError::NotAnImage("it is neither a folder nor a file"));
        }
        let mut file = File::open(path)?;
        let mut start = [0; 2];
        if file.read(&mut start)? == 2 && start == [0x1F, 0x8B] {
            return Err(ImageError::NotAnImage("it is compressed as a whole: unpack it with gunzip first"));
        }
        if !is_closed(&mut file)? {
            return Err(ImageError::NotAnImage("it does not end as a tar does: it may have been cut off"));
        }
        file.seek(SeekFrom::Start(0))?;
        let mut archive = tar::Archive::new(file);
        let mut entries = HashMap::new();
        let mut extended = Extended::default();
        for entry in archive.entries_with_seek()?.raw(true) {
            let mut entry = entry?;
            if entries.len() >= MOST_ENTRIES {
                return Err(ImageError::TooMuch("a hundred thousand blobs"));
            }
            let kind = entry.header().entry_type();
            if extended.take(&mut entry, kind)? {
                continue;
            }
            let (name, target) = extended.names(&entry);
            let Some(name) = plain(&name) else { continue };
            match kind {
                EntryType::Regular | EntryType::Continuous => {
                    entries.insert(name, Entry::File(entry.raw_file_position(), entry.size()));
                }
                EntryType::Symlink | EntryType::Link => {
                    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let folder = if kind == EntryType::Link { "" } else { folder };
                    if let Some(target) = joined(folder, &String::from_utf8_lossy(&target)) {
                        entries.insert(name, Entry::Link(target));
                    }
                }
                _ => {}
            }
        }
        Ok(Self::Tar(path.to_owned(), entries))
    }

    /// A description, if it is there.
    pub(super) fn text(&self, name: &str, largest: u64) -> Result<Option<Vec<u8>>, ImageError> {
        let reader = match self.open_blob(name) {
            Ok(reader) => reader,
            Err(ImageError::Missing(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        reader.take(largest + 1).read_to_end(&mut text)?;
        if text.len() as u64 > largest { Err(ImageError::TooMuch("8 MiB of description")) } else { Ok(Some(text)) }
    }

    pub(super) fn open_blob(&self, name: &str) -> Result<BufReader<io::Take<File>>, ImageError> {
        let missing = || ImageError::Missing(name.chars().filter(|c| !c.is_control()).take(120).collect());
        let plain = plain(name.as_bytes()).ok_or_else(missing)?;
        let (file, length) = match self {
            Self::Folder(folder) => {
                // Each step is looked at before it is taken: none may be a link.
                let mut path = folder.clone();
                for part in plain.split('/') {
                    path.push(part);
                    let metadata = fs::symlink_metadata(&path).map_err(|_| missing())?;
                    if metadata.is_symlink() {
                        return Err(missing());
                    }
                }
                if !fs::symlink_metadata(&path)?.is_file() {
                    return Err(missing());
                }
                (File::open(&path)?, u64::MAX)
            }
            Self::Tar(path, entries) => {
                let mut name = plain.as_str();
                let mut steps = 0;
                let (start, length) = loop {
                    match entries.get(name) {
                        Some(Entry::File(start, length)) => break (*start, *length),
                        Some(Entry::Link(target)) if steps < MOST_LINKS => name = target,
                        _ => return Err(missing()),
                    }
                    steps += 1;
                };
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(start))?;
                (file, length)
            }
        };
        Ok(BufReader::with_capacity(1 << 16, file.take(length)))
    }
}

/// Whether a file ends with the two empty blocks that close a tar.
fn is_closed(file: &mut File) -> io::Result<bool> {
    const END: u64 = 1024;
    let length = file.metadata()?.len();
    if length < END {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(length - END))?;
    let mut end = Vec::with_capacity(1024);
    file.take(END).read_to_end(&mut end)?;
    Ok(end.iter().all(|byte| *byte == 0))
}

/// A path relative to a folder of the tar.
fn joined(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What entries of their own say of the one after them: GNU's long names and pax headers.
#[derive(Default)]
pub(super) struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Extended {
    /// Takes an entry in, if it is one of these.
    pub(super) fn take<R: Read>(&mut self, entry: &mut tar::Entry<'_, R>, kind: EntryType) -> io::Result<bool> {
        const LONGEST: u64 = 1 << 20;
        let is_pax = matches!(kind, EntryType::XHeader | EntryType::XGlobalHeader);
        if !is_pax && !matches!(kind, EntryType::GNULongName | EntryType::GNULongLink) {
            return Ok(false);
        }
        if entry.size() > LONGEST {
            return Err(io::Error::other("a name longer than a mebibyte"));
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text)?;
        if !is_pax {
            text.truncate(memchr::memchr(0, &text).unwrap_or(text.len()));
        }
        match kind {
            EntryType::GNULongName => self.name = Some(text),
            EntryType::GNULongLink => self.link = Some(text),
            EntryType::XHeader => {
                for extension in tar::PaxExtensions::new(&text) {
                    let extension = extension?;
                    let value = || Some(extension.value_bytes().to_vec());
                    match extension.key_bytes() {
                        b"path" => self.name = value(),
                        b"linkpath" => self.link = value(),
                        // What is made of such an entry depends on the reader, and one of them would be shown another content.
                        b"size" => return Err(io::Error::other("an entry whose size is in an extended header")),
                        _ => {}
                    }
                }
            }
            _ => {} // A global header is about times and comments.
        }
        Ok(true)
    }

    /// The name of an entry and what it links to; the next one begins anew.
    pub(super) fn names<R: Read>(&mut self, entry: &tar::Entry<'_, R>) -> (Vec<u8>, Vec<u8>) {
        let Self { name, link } = std::mem::take(self);
        let own_link = || entry.link_name_bytes().unwrap_or_default().into_owned();
        (name.unwrap_or_else(|| entry.path_bytes().into_owned()), link.unwrap_or_else(own_link))
    }
}
