//! Finds the known files, reads them in parallel, ties them together and sorts the result.
//!
//! No file is held longer than its own reader needs it, and none larger than [`Options::largest_file`] is held at all.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::find::{Finds, Found, NOT_A_FILE, find};
use super::join;
use super::kind::Kind;
use super::reading::Reading;
use crate::package::Input;

/// How to walk.
#[derive(Debug, Clone)]
pub struct Options {
    /// Patterns of what to leave out, in the syntax of `.gitignore`, relative to the root.
    pub exclude: Vec<String>,
    /// How many threads to use; 0 for one a core.
    pub threads: usize,
    /// Larger files, in bytes, are not read but reported as failed.
    pub largest_file: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { exclude: Vec::new(), threads: 0, largest_file: 256 * 1024 * 1024 }
    }
}

/// How far the walk is; sent from several threads, not always in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many known files have been found so far.
    Found(usize),
    /// So many of them have been read.
    Read {
        /// Files read.
        done: usize,
        /// Files to read.
        total: usize,
    },
}

/// Everything that was found under one root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Every known file, and every folder that could not be read, sorted by path.
    pub inputs: Vec<Input>,
    /// Lockfiles that git's ignore rules hide; they were not read. Sorted.
    pub ignored_lockfiles: Vec<String>,
}

/// Why there is no inventory at all.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The root is not there or may not be looked at.
    #[error("cannot look at {path}; check the path and its permissions")]
    Root {
        /// The root as given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A root file system is a folder.
    #[error("{path} is no folder; give the root of a file system, such as the folder that an image was unpacked to")]
    NotAFolder {
        /// The root as given.
        path: PathBuf,
    },
    /// The root is a pipe, a device or a socket, on which reading might never end.
    #[error("{path} is neither a folder nor a regular file; copy what it holds into a file")]
    NotAFile {
        /// The root as given.
        path: PathBuf,
    },
    /// A pattern of [`Options::exclude`] is malformed.
    #[error("the exclude pattern {pattern:?} is malformed; it takes the syntax of .gitignore")]
    Exclude {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: ignore::Error,
    },
    /// No threads could be started.
    #[error("cannot start reader threads")]
    Threads(#[source] rayon::ThreadPoolBuildError),
}

/// Finds and reads every known file under `root`, which may also be a single file.
pub fn walk(root: &Path, options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Result<Inventory, WalkError> {
    let metadata = fs::metadata(root).map_err(|source| WalkError::Root { path: root.to_owned(), source })?;
    let (folder, finds) = if metadata.is_dir() {
        (root, find(root, options, progress)?)
    } else if !metadata.is_file() {
        return Err(WalkError::NotAFile { path: root.to_owned() });
    } else {
        (root.parent().unwrap_or(Path::new("")), Finds { files: vec![single(root)], ..Finds::default() })
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build().map_err(WalkError::Threads)?;
    let readings = pool.install(|| read_all(finds.files, options, progress));
    let mut inputs = join::join(folder, readings, options);
    inputs.extend(finds.failed);
    inputs.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Inventory { inputs, ignored_lockfiles: finds.ignored })
}

/// A file that was asked for by name, whatever its name.
fn single(file: &Path) -> Found {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let kind = Kind::of(&folder, &name).unwrap_or(Kind::Unread("unknown"));
    Found { path: name, file: file.to_owned(), kind }
}

fn read_all(files: Vec<Found>, options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Vec<(Found, Reading)> {
    let (done, total) = (AtomicUsize::new(0), files.len());
    let read_one = |found: Found| {
        let reading = read_file(&found.file, found.kind, options);
        progress(Progress::Read { done: done.fetch_add(1, Ordering::Relaxed) + 1, total });
        (found, reading)
    };
    files.into_par_iter().map(read_one).collect()
}

/// Reads one file with its kind's reader.
pub(crate) fn read_file(file: &Path, kind: Kind, options: &Options) -> Reading {
    if let Kind::Unread(_) = kind {
        return kind.read(&[]);
    }
    match bytes(file, options.largest_file) {
        Ok(Some(bytes)) => kind.read(&bytes),
        Ok(None) => {
            let limit = options.largest_file / (1024 * 1024);
            Reading::failed(0, format!("larger than {limit} MiB, the limit for one file: not read"))
        }
        Err(error) => Reading::failed(0, format!("could not be read: {error}")),
    }
}

/// The content of a file; `None` if there is too much of it. Trusts no length that was asked for beforehand.
pub(crate) fn bytes(file: &Path, largest: u64) -> std::io::Result<Option<Vec<u8>>> {
    // To open a pipe is to wait for a writer, and a device may never end.
    if !fs::metadata(file)?.is_file() {
        return Err(std::io::Error::other(NOT_A_FILE));
    }
    let file = File::open(file)?;
    let length = file.metadata()?.len();
    if length > largest {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    file.take(largest.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= largest).then_some(bytes))
}
