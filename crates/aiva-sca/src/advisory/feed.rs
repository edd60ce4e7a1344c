//! Where records come from: finds the zips and JSON files behind the paths that a person names, and reads them in batches.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::archive::{Archive, ArchiveError};
use super::layout::MAX_RECORD;
use crate::package::Ecosystem;

const FILES_AT_ONCE: usize = 64;
const MAX_DEPTH: usize = 16;

/// Why a path cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The operating system could not read it.
    #[error("{path} could not be read")]
    Io {
        /// The file or folder.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A zip that is refused as a whole.
    #[error("{path} {source}")]
    Archive {
        /// The zip.
        path: String,
        /// Why.
        source: ArchiveError,
    },
    /// A folder without any `all.zip` or JSON file, or a file that is neither.
    #[error("{0} holds no advisories; give an OSV zip, a folder of <ecosystem>/all.zip, or a folder of OSV JSON files")]
    Nothing(String),
    /// More than a record may be.
    #[error("{path} has {bytes} bytes, more than any advisory")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        bytes: u64,
    },
}

/// Records of one origin.
#[derive(Debug)]
pub(super) struct Feed {
    /// How messages call it.
    pub(super) name: String,
    /// The ecosystem that its folder is named after.
    pub(super) ecosystem: Option<Ecosystem>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Zip(Archive),
    Files(Vec<PathBuf>),
}

impl Feed {
    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        match &self.content {
            Content::Zip(archive) => archive.len(),
            Content::Files(files) => files.len(),
        }
    }

    /// Runs of entries, to be read each by one thread.
    pub(super) fn batches(&self) -> Vec<Range<usize>> {
        match &self.content {
            Content::Zip(archive) => archive.batches(),
            Content::Files(files) => {
                (0..files.len()).step_by(FILES_AT_ONCE).map(|at| at..files.len().min(at + FILES_AT_ONCE)).collect()
            }
        }
    }

    /// Hands over each entry of a run with its name.
    pub(super) fn read(&self, batch: Range<usize>, each: &mut dyn FnMut(&str, &[u8])) -> Result<(), FeedError> {
        match &self.content {
            Content::Zip(archive) => {
                archive.read(batch, each).map_err(|source| FeedError::Archive { path: self.name.clone(), source })
            }
            Content::Files(files) => {
                for path in files.get(batch).unwrap_or_default() {
                    let name = path.display().to_string();
                    let io = |source| FeedError::Io { path: name.clone(), source };
                    let bytes = fs::metadata(path).map_err(io)?.len();
                    if bytes > MAX_RECORD as u64 {
                        return Err(FeedError::TooLarge { path: name, bytes });
                    }
                    each(&name, &fs::read(path).map_err(io)?);
                }
                Ok(())
            }
        }
    }
}

/// Finds the feeds behind a path. Hidden folders and symbolic links inside a folder are not followed.
pub(super) fn discover(path: &Path) -> Result<Vec<Feed>, FeedError> {
    let io = |source| FeedError::Io { path: path.display().to_string(), source };
    let path = fs::canonicalize(path).map_err(io)?;
    let metadata = fs::metadata(&path).map_err(io)?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(FeedError::Nothing(path.display().to_string())); // a pipe or a device may never end
    }
    if metadata.is_file() {
        return match extension(&path).as_deref() {
            Some("json") => Ok(vec![files(parent_ecosystem(&path), vec![path])]),
            _ => Ok(vec![zip(&path)?]),
        };
    }
    let mut zips = Vec::new();
    let mut json: Vec<(Option<Ecosystem>, Vec<PathBuf>)> = Vec::new();
    walk(&path, named(&path), 0, &mut |file, ecosystem| {
        if file.file_name().is_some_and(|name| name == "all.zip") {
            zips.push(file);
        } else if extension(&file).as_deref() == Some("json") {
            match json.iter_mut().find(|(of, _)| *of == ecosystem) {
                Some((_, files)) => files.push(file),
                None => json.push((ecosystem, vec![file])),
            }
        }
    })?;
    let mut feeds = zips.iter().map(|path| zip(path)).collect::<Result<Vec<_>, _>>()?;
    feeds.extend(json.into_iter().map(|(ecosystem, paths)| files(ecosystem, paths)));
    if feeds.is_empty() {
        return Err(FeedError::Nothing(path.display().to_string()));
    }
    Ok(feeds)
}

fn zip(path: &Path) -> Result<Feed, FeedError> {
    let name = path.display().to_string();
    let archive = Archive::open(path).map_err(|source| FeedError::Archive { path: name.clone(), source })?;
    // `npm/all.zip`, or `npm.zip`.
    let stem = || path.file_stem()?.to_str()?.parse().ok();
    Ok(Feed { name, ecosystem: parent_ecosystem(path).or_else(stem), content: Content::Zip(archive) })
}

fn files(ecosystem: Option<Ecosystem>, files: Vec<PathBuf>) -> Feed {
    let name = files.first().and_then(|file| file.parent()).map(|folder| folder.display().to_string());
    Feed { name: name.unwrap_or_default(), ecosystem, content: Content::Files(files) }
}

fn walk(
    folder: &Path,
    ecosystem: Option<Ecosystem>,
    depth: usize,
    found: &mut dyn FnMut(PathBuf, Option<Ecosystem>),
) -> Result<(), FeedError> {
    let io = |source| FeedError::Io { path: folder.display().to_string(), source };
    let mut entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(io)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(io)?;
        let path = entry.path();
        if kind.is_file() {
            found(path, ecosystem);
        } else if kind.is_dir() && depth < MAX_DEPTH && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            walk(&path, named(&path).or(ecosystem), depth + 1, found)?;
        }
    }
    Ok(())
}

fn named(folder: &Path) -> Option<Ecosystem> {
    folder.file_name()?.to_str()?.parse().ok()
}

fn parent_ecosystem(file: &Path) -> Option<Ecosystem> {
    named(file.parent()?)
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}
