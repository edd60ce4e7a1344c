//! Finds the known files, reads them group by group, ties each group together, shows it and sorts what came of it.
//!
//! No file is held longer than its group needs it, and none larger than [`Options::largest_file`] is held at all. Start reading at
//! [`visit`].

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::buffer::spare_capacity;
use rustix::fs::OFlags;
use rustix::io::{Errno, retry_on_intr};

use super::builds::Builds;
use super::by_deno;
use super::crew;
use super::door;
use super::find::{FileId, Finds, Found, NOT_A_FILE, find};
use super::group::{self, Group};
use super::include;
use super::installed::is_archive;
use super::join::{self, Joined, Standing};
use super::kind::Kind;
use super::mirrors::Mirrors;
use super::nuget_xml;
use super::reading::Reading;
use super::unread;
use super::workspaces::{Alone, Tell, Workspaces};
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
    /// The registries that are mirrors of the public ones.
    pub mirrors: Mirrors,
    /// What the result is written to: passed over in a folder, as nothing of the project and empty until then.
    pub written: Vec<FileId>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            exclude: Vec::new(),
            threads: 0,
            largest_file: 256 * 1024 * 1024,
            mirrors: Mirrors::default(),
            written: Vec::new(),
        }
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
    /// How many archives of Java there are, by their names: only [`rootfs`](super::rootfs) reads them.
    pub archives: usize,
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

/// What came of a walk that shows its inputs one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visited<T> {
    /// What was made of each input, by the path of the input.
    pub shown: Vec<T>,
    /// See [`Inventory::ignored_lockfiles`].
    pub ignored_lockfiles: Vec<String>,
    /// See [`Inventory::archives`].
    pub archives: usize,
}

/// Finds and reads every known file under `root`, which may also be a single file.
pub fn walk(root: &Path, options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Result<Inventory, WalkError> {
    let Visited { shown, ignored_lockfiles, archives } = visit(root, options, progress, &|input, _| input)?;
    Ok(Inventory { inputs: shown, ignored_lockfiles, archives })
}

/// The most bytes of a group of files that are held until its inputs are shown.
const MOST_TEXT: u64 = 16 * 1024 * 1024;

/// As [`walk`], but shows each input once, from several threads in any order, and keeps only what `show` makes of it. No more groups
/// of files than threads are in memory. The bytes of the file come with the input unless they were too many to be held.
pub fn visit<T: Send>(
    root: &Path,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
    show: &(dyn Fn(Input, Option<&[u8]>) -> T + Sync),
) -> Result<Visited<T>, WalkError> {
    let metadata = fs::metadata(root).map_err(|source| WalkError::Root { path: root.to_owned(), source })?;
    let (folder, finds) = if metadata.is_dir() {
        let mut finds = find(root, options, progress)?;
        unread::settle(root, &mut finds.files, options);
        (root, finds)
    } else if !metadata.is_file() {
        return Err(WalkError::NotAFile { path: root.to_owned() });
    } else {
        // A bare name is one of the folder that we are in.
        let folder = root.parent().filter(|folder| !folder.as_os_str().is_empty());
        (folder.unwrap_or(Path::new(".")), Finds { files: vec![single(root)], ..Finds::default() })
    };
    let tree = Tree {
        root: folder,
        options,
        has_catalog: finds.files.iter().any(|found| found.kind == Kind::VersionCatalog),
        central: central(&finds.files),
        other_locks: by_deno::Others::default(),
        workspaces: Workspaces::among(&finds.files),
        builds: OnceLock::new(),
        done: AtomicUsize::new(0),
        files: finds.files,
        progress,
    };
    let mut shown = tree.visit(&tree.groups(), show);
    let failed = finds.failed.into_iter().map(|input| (input.path.clone(), usize::MAX, show(input, None)));
    shown.extend(failed);
    shown.sort_by(|(path, at, _), (other_path, other_at, _)| (path, at).cmp(&(other_path, other_at)));
    Ok(Visited {
        shown: shown.into_iter().map(|(_, _, one)| one).collect(),
        ignored_lockfiles: finds.ignored,
        archives: finds.archives,
    })
}

fn central(files: &[Found]) -> Vec<String> {
    let is_central = |found: &&Found| found.path.rsplit('/').next() == Some(nuget_xml::CENTRAL);
    files.iter().filter(is_central).map(|found| join::folder(&found.path).to_owned()).collect()
}

/// The files that are there to be read.
struct Tree<'w> {
    root: &'w Path,
    options: &'w Options,
    /// Sorted by path.
    files: Vec<Found>,
    has_catalog: bool,
    /// The folders that keep NuGet's versions.
    central: Vec<String>,
    other_locks: by_deno::Others,
    workspaces: Workspaces,
    builds: OnceLock<Builds>,
    done: AtomicUsize,
    progress: &'w (dyn Fn(Progress) + Sync),
}

/// A file that was read.
struct Read {
    /// Its place among the files of the tree.
    at: usize,
    found: Found,
    reading: Reading,
    text: Option<Vec<u8>>,
}

/// A file of which all is known that its group tells.
struct Settled {
    at: usize,
    input: Input,
    text: Option<Vec<u8>>,
}

impl Tree<'_> {
    /// What can be read apart from the rest.
    fn groups(&self) -> Vec<Group> {
        match include::ties(self.root, &self.files, self.options) {
            Some(ties) => group::groups(&self.files, &ties),
            None => vec![Group { files: (0..self.files.len()).collect(), ..Group::default() }],
        }
    }

    /// Reads and shows every group, those first that may hand something on, and of those the largest.
    fn visit<T: Send>(
        &self,
        groups: &[Group],
        show: &(dyn Fn(Input, Option<&[u8]>) -> T + Sync),
    ) -> Vec<(String, usize, T)> {
        let length = |found: &Found| fs::metadata(&found.file).map_or(0, |metadata| metadata.len());
        let lengths: Vec<u64> = self.files.iter().map(length).collect();
        let size = |group: &Group| group.files.iter().filter_map(|at| lengths.get(*at)).sum::<u64>();
        let mut order: Vec<(usize, &Group, u64)> =
            groups.iter().enumerate().map(|(at, group)| (at, group, size(group))).collect();
        order.sort_by_key(|(_, group, size)| (group.height, Reverse(*size)));
        let shown = Mutex::new(Vec::with_capacity(self.files.len()));
        let open: Mutex<HashMap<usize, Vec<Read>>> = Mutex::default();
        for wave in order.chunk_by(|(_, one, _), (_, other, _)| one.height == other.height) {
            crew::share(self.options.threads, wave, &|(at, group, size)| {
                let handed = lock(&open).remove(at).unwrap_or_default();
                let (inputs, left) = self.settle(group, *size, handed);
                if let Some(above) = group.above.filter(|_| !left.is_empty()) {
                    lock(&open).entry(above).or_default().extend(left);
                }
                let shows =
                    |Settled { at, input, text }: Settled| (input.path.clone(), at, show(input, text.as_deref()));
                let made: Vec<_> = inputs.into_iter().map(shows).collect();
                lock(&shown).extend(made);
            });
        }
        shown.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the files of a group and ties them together, with what the groups below left open; answers with what is left open here.
    fn settle(&self, group: &Group, size: u64, handed: Vec<Read>) -> (Vec<Settled>, Vec<Read>) {
        let total = self.files.len();
        let mut files = handed;
        for at in &group.files {
            let Some(found) = self.files.get(*at).cloned() else { continue };
            let texts = |path: &str| self.text(path);
            let place = self.workspaces.tell(found.kind, &found.path, &texts);
            let (reading, text) = read_with_text(&found.file, found.kind, self.options, &place);
            files.push(Read { at: *at, found, reading, text: text.filter(|_| size <= MOST_TEXT) });
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            (self.progress)(Progress::Read { done, total });
        }
        files.sort_by_key(|file| file.at);
        let mut texts: Vec<(usize, Option<Vec<u8>>)> = Vec::with_capacity(files.len());
        let mut readings = Vec::with_capacity(files.len());
        for Read { at, found, reading, text } in files {
            texts.push((at, text));
            readings.push((found, reading));
        }
        let standing = Standing {
            central: &self.central,
            has_catalog: self.has_catalog,
            files: &self.files,
            other_locks: &self.other_locks,
            is_below: group.above.is_some(),
            builds: &self.builds,
        };
        let joined = join::join(self.root, readings, self.options, standing);
        let (mut inputs, mut left) = (Vec::with_capacity(joined.len()), Vec::new());
        // What was taken in besides comes behind all files of its group.
        let texts = texts.into_iter().chain(std::iter::repeat_with(|| (total, None)));
        for (joined, (at, text)) in joined.into_iter().zip(texts) {
            match joined {
                Joined::Input(mut input) => {
                    self.options.mirrors.settle(&mut input);
                    inputs.push(Settled { at, input, text });
                }
                Joined::Open(found, reading) => left.push(Read { at, found, reading: *reading, text: None }),
            }
        }
        (inputs, left)
    }

    /// The text of a file, by its path below the root, which it does not lead out of.
    fn text(&self, path: &str) -> Option<String> {
        text_within(&self.root.canonicalize().ok()?, &self.root.join(path), self.options)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that was asked for by name, whatever its name.
fn single(file: &Path) -> Found {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let kind = Kind::of(&folder, &name).unwrap_or(Kind::Unread(if is_archive(&name) {
        unread::ARCHIVE
    } else {
        unread::UNKNOWN
    }));
    Found { path: name, file: file.to_owned(), kind }
}

/// Reads one file with its kind's reader, as one that stands alone.
pub(crate) fn read_file(file: &Path, kind: Kind, options: &Options) -> Reading {
    read_with_text(file, kind, options, &Alone).0
}

/// The same, with what was read.
fn read_with_text(file: &Path, kind: Kind, options: &Options, tell: &dyn Tell) -> (Reading, Option<Vec<u8>>) {
    if let Kind::Unread(_) = kind {
        return (kind.read(&[]), None);
    }
    match bytes(file, options.largest_file) {
        Ok(Some(bytes)) => (kind.read_as(&bytes, tell), Some(bytes)),
        Ok(None) => {
            let limit = options.largest_file / (1024 * 1024);
            (Reading::failed(0, format!("larger than {limit} MiB, the limit for one file: not read")), None)
        }
        Err(error) => (Reading::failed(0, format!("could not be read: {error}")), None),
    }
}

/// Opens what nobody writes to at once, and no terminal as one's own.
const NO_WAITING: i32 = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed();

/// How much more is read at once of a file that has grown since its length was asked for.
const MORE: usize = 64 * 1024;

/// The content of a file; `None` if there is too much of it. Trusts no length that was asked for beforehand.
pub(crate) fn bytes(file: &Path, largest: u64) -> std::io::Result<Option<Vec<u8>>> {
    // To open a pipe is to wait for a writer, and a device may never end. What takes the place of a file afterwards is not waited for
    // either, and a socket cannot be opened.
    if !fs::metadata(file)?.is_file() {
        return Err(std::io::Error::other(NOT_A_FILE));
    }
    let file = match File::options().read(true).custom_flags(NO_WAITING).open(file) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) => Err(std::io::Error::other(NOT_A_FILE)),
        opened => opened,
    }?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other(NOT_A_FILE));
    }
    if metadata.len() > largest {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    // Into all the room that there is: a reader that must not read too much begins with a little.
    while bytes.len() as u64 <= largest {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(MORE);
        }
        if retry_on_intr(|| rustix::io::read(&file, spare_capacity(&mut bytes)))? == 0 {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// Whether a file is within the root, wherever links lead to; an error where there is none. The root is one without links, as
/// [`Path::canonicalize`] gives it.
///
/// # Errors
/// There is no such file, or it cannot be looked at.
pub fn is_within(real_root: &Path, file: &Path) -> std::io::Result<bool> {
    file.canonicalize().map(|real| real.starts_with(real_root))
}

/// Reads a file as [`read_file`] does; `None` where there is none, or it leads out of the root.
pub(crate) fn read_within(real_root: &Path, file: &Path, kind: Kind, options: &Options) -> Option<Reading> {
    is_within(real_root, file).ok().filter(|is_within| *is_within)?;
    Some(read_file(file, kind, options))
}

/// The text of a file that is within the root; `None` where it leads out of it, is too long, or is no text.
pub(crate) fn text_within(real_root: &Path, file: &Path, options: &Options) -> Option<String> {
    is_within(real_root, file).ok().filter(|is_within| *is_within)?;
    let bytes = bytes(file, options.largest_file).ok().flatten()?;
    door::open(&bytes).ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests;
