//! The files of one export in the folder of downloads, and the notes beside them of what they are.
//!
//! A part is continued, and a whole file kept, only under a note that says from where it is and what it is (its ETag).

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::UpdateError;
use crate::package::Ecosystem;
use crate::ports::{Answer, FetchError, Wanted};

/// The files of one export.
pub(super) struct Place {
    pub(super) part: PathBuf,
    pub(super) part_note: PathBuf,
    pub(super) whole: PathBuf,
    pub(super) kept_note: PathBuf,
    /// Of the list of changes: what was read last, and what of it is in the index.
    pub(super) list_part_note: PathBuf,
    pub(super) list_note: PathBuf,
}

impl Place {
    pub(super) fn new(folder: &Path, ecosystem: Ecosystem) -> Self {
        let file = |ending: &str| folder.join(format!("{}.{ending}", ecosystem.osv_name()));
        Self {
            part: file("part"),
            part_note: file("part.json"),
            whole: file("zip"),
            kept_note: file("kept.json"),
            list_part_note: file("list.part.json"),
            list_note: file("list.json"),
        }
    }

    pub(super) fn disk<T>(&self, result: io::Result<T>) -> Result<T, UpdateError> {
        result.map_err(|source| UpdateError::Disk { path: self.part.clone(), source })
    }

    pub(super) fn part_memory(&self) -> Option<Memory> {
        read_memory(&self.part_note)
    }

    /// Whether a whole file from there waits to be imported, because another export broke or the process ended.
    pub(super) fn waits(&self, url: &str) -> bool {
        self.whole.is_file() && self.part_memory().is_some_and(|memory| memory.url == url)
    }

    pub(super) fn wanted(&self, url: &str) -> Wanted {
        let offset = fs::metadata(&self.part).map_or(0, |file| file.len());
        match self.part_memory() {
            Some(memory) if offset > 0 && memory.url == url => return Wanted::Rest { offset, etag: memory.etag },
            Some(memory) if self.waits(url) => return Wanted::IfChanged(memory.etag),
            _ => {}
        }
        match read_memory(&self.kept_note) {
            Some(memory) if memory.url == url => Wanted::IfChanged(memory.etag),
            _ => Wanted::Everything,
        }
    }

    /// The part file, positioned where the answer goes on, and how much is there.
    pub(super) fn open(&self, answer: Answer, url: &str) -> Result<(fs::File, u64), UpdateError> {
        let there = fs::metadata(&self.part).map_or(0, |file| file.len());
        if answer == Answer::From(there) && there > 0 {
            let file = self.disk(fs::OpenOptions::new().append(true).open(&self.part))?;
            return Ok((file, there));
        }
        if let Answer::From(offset) = answer
            && offset > 0
        {
            // The server answers from another place than asked: what is there cannot be continued.
            self.disk(remove(&self.part))?;
            let source = FetchError::Interrupted(format!("asked for bytes from {there}, got them from {offset}"));
            return Err(UpdateError::Fetch { url: url.to_owned(), source });
        }
        self.disk(remove(&self.whole))?;
        Ok((self.disk(fs::File::create(&self.part))?, 0))
    }

    pub(super) fn remember(&self, memory: &Memory, note: &Path) -> Result<(), UpdateError> {
        let text = serde_json::to_vec(memory).map_err(io::Error::other);
        self.disk(text.and_then(|text| fs::write(note, text)))
    }
}

pub(super) fn read_memory(path: &Path) -> Option<Memory> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// What is remembered of a file beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    pub(super) url: String,
    pub(super) etag: String,
}

/// Only a strong tag says that two files are the same byte for byte (RFC 9110 §8.8.1).
pub(super) fn is_strong(etag: &str) -> bool {
    etag.starts_with('"') && etag.len() > 2
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
