//! Finds the known files under a folder.
//!
//! One pass, parallel where there is much to see. Ignore rules do not prune it but are asked for the few known files, because a lockfile that they
//! hide must at least be counted. Folders that package managers and build tools own are not entered.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{DirEntry, WalkBuilder, WalkState};

use super::installed::is_archive;
use super::kind::Kind;
use super::rules::Rules;
use super::vendored::{is_sign, is_vendored, leave_out};
use super::walk::{Options, Progress, WalkError};
use crate::package::{Input, Problem, Status};

/// A known file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    /// Relative to the root, with `/` between parts.
    pub(crate) path: String,
    /// Where it is.
    pub(crate) file: PathBuf,
    /// What it is.
    pub(crate) kind: Kind,
}

/// Which file one is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that this was asked of.
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// What one pass over a folder found.
#[derive(Debug, Default)]
pub(crate) struct Finds {
    /// Sorted by path.
    pub(crate) files: Vec<Found>,
    /// What could not be looked at.
    pub(crate) failed: Vec<Input>,
    /// Sorted.
    pub(crate) ignored: Vec<String>,
    /// See [`Inventory::archives`](super::walk::Inventory::archives).
    pub(crate) archives: usize,
}

/// Folders of package managers and build tools, by their names.
const OWNED: &[&str] = &[
    ".git",
    ".hg",
    ".jj",
    ".svn",
    ".bundle",
    ".gradle",
    ".mypy_cache",
    ".nox",
    ".pnpm-store",
    ".pytest_cache",
    ".ruff_cache",
    ".terraform",
    ".tox",
    "__pycache__",
    "__pypackages__",
    "bower_components",
    "node_modules",
    "site-packages",
];

/// Folders that are owned by a tool if this file is in them.
const MARKED: &[(&[&str], &str)] = &[
    (&["target"], "CACHEDIR.TAG"),
    (&["target"], ".rustc_info.json"),
    (&[".venv", "venv", "env", ".env", "virtualenv", ".virtualenv"], "pyvenv.cfg"),
];

/// Entries that are looked at before threads are started for the rest, and the whole.
const FEW: usize = 256;

/// Finds the known files under a folder.
pub(crate) fn find(root: &Path, options: &Options, progress: &(dyn Fn(Progress) + Sync)) -> Result<Finds, WalkError> {
    let exclude = exclusion(root, &options.exclude)?;
    let real_root = root.canonicalize().map_err(|source| WalkError::Root { path: root.to_owned(), source })?;
    let seen = Mutex::new((Vec::new(), Vec::new(), Vec::new()));
    let see = |entry| {
        let outcome = look(root, &real_root, entry).but(&options.written);
        if let Ok(mut seen) = seen.lock() {
            match outcome {
                Look::Nothing => {}
                Look::File(found) => {
                    seen.0.push(found);
                    progress(Progress::Found(seen.0.len()));
                }
                Look::Failed(input) => seen.1.push(input),
                Look::Archive(path) => seen.2.push(path),
            }
        }
    };
    let mut builder = WalkBuilder::new(root);
    builder
        .standard_filters(false)
        .follow_links(false)
        .threads(options.threads)
        .filter_entry(move |entry| wanted(entry, &exclude));
    // Threads cost more than a small folder does.
    let first: Vec<_> = builder.build().take(FEW).collect();
    if first.len() < FEW {
        first.into_iter().for_each(see);
    } else {
        drop(first);
        builder.build_parallel().run(|| {
            Box::new(|entry| {
                see(entry);
                WalkState::Continue
            })
        });
    }
    let (mut files, failed, archives) = seen.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    files.sort();
    leave_out(root, &mut files);
    let mut rules = Rules::new(&real_root);
    let ignored = take_ignored(&mut rules, &mut files);
    let archives = archives.iter().filter(|path| !rules.hide(Path::new(path))).count();
    Ok(Finds { files, failed, ignored, archives })
}

/// The patterns to leave out, in the syntax of `.gitignore`.
pub(crate) fn exclusion(root: &Path, patterns: &[String]) -> Result<Gitignore, WalkError> {
    let mut builder = GitignoreBuilder::new(root);
    // By default a class that is never closed is a bracket, and then nobody learns that nothing was left out.
    builder.allow_unclosed_class(false);
    for pattern in patterns {
        let malformed = |source| WalkError::Exclude { pattern: pattern.clone(), source };
        builder.add_line(None, pattern).map_err(malformed)?;
    }
    builder.build().map_err(|source| WalkError::Exclude { pattern: patterns.join(" "), source })
}

fn wanted(entry: &DirEntry, exclude: &Gitignore) -> bool {
    if entry.depth() == 0 {
        return true;
    }
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    if exclude.matched(entry.path(), is_folder).is_ignore() {
        return false;
    }
    !is_folder || !is_owned(entry)
}

/// Whether a file of this path may tell that a folder is passed over: who lays a tree down lays it down too.
pub fn is_mark(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let own = folder.rsplit('/').next().unwrap_or(folder);
    MARKED.iter().any(|(names, file)| *file == name && names.contains(&own)) || is_sign(path)
}

fn is_owned(entry: &DirEntry) -> bool {
    let Some(name) = entry.file_name().to_str() else { return false };
    let marked = |(names, file): &(&[&str], &str)| names.contains(&name) && entry.path().join(file).is_file();
    OWNED.contains(&name) || MARKED.iter().any(marked) || is_vendored(entry.path(), name)
}

/// What is said of pipes, devices and sockets: to open one may wait for ever.
pub(crate) const NOT_A_FILE: &str = "not a regular file: not opened";

enum Look {
    Nothing,
    File(Found),
    Failed(Input),
    /// An archive of Java, of which nothing is read.
    Archive(String),
}

impl Look {
    /// Nothing where it is one of these files.
    fn but(self, written: &[FileId]) -> Self {
        match &self {
            // To ask costs, and mostly nothing is written to a file.
            Self::File(found) if !written.is_empty() => {
                let is_written = |metadata| written.contains(&FileId::of(&metadata));
                if fs::metadata(&found.file).is_ok_and(is_written) { Self::Nothing } else { self }
            }
            _ => self,
        }
    }
}

fn look(root: &Path, real_root: &Path, entry: Result<DirEntry, ignore::Error>) -> Look {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => {
            let path = path_of(&error).unwrap_or(root).to_owned();
            let message = format!("this folder could not be read, so what is in it is unknown: {error}");
            return Look::Failed(failed(relative(root, &path), "folder", message));
        }
    };
    let Some(file_type) = entry.file_type() else { return Look::Nothing };
    let name = text(entry.file_name());
    if file_type.is_dir() {
        return Look::Nothing;
    }
    let path = relative(root, entry.path());
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let Some(kind) = Kind::of(folder, &name) else {
        // What starts a build brings nothing else along.
        let is_starter = matches!(&*name, "gradle-wrapper.jar" | "maven-wrapper.jar");
        let is_passed_over = file_type.is_file() && is_archive(&name) && !is_starter;
        return if is_passed_over { Look::Archive(path) } else { Look::Nothing };
    };
    let file = entry.path().to_owned();
    if file_type.is_symlink() {
        return follow(real_root, Found { path, file, kind });
    }
    if !file_type.is_file() {
        return Look::Failed(failed(path, kind.name(), NOT_A_FILE.to_owned()));
    }
    Look::File(Found { path, file, kind })
}

/// A link to a known file inside the root is read there, under its own name; a link that leads out is not followed.
fn follow(real_root: &Path, found: Found) -> Look {
    let target = match found.file.canonicalize() {
        Ok(target) if target.is_file() => target,
        // A linked folder is no input, as a folder of that name is none.
        Ok(target) if target.is_dir() => return Look::Nothing,
        Ok(_) => return Look::Failed(failed(found.path, found.kind.name(), NOT_A_FILE.to_owned())),
        Err(error) => {
            return Look::Failed(failed(
                found.path,
                found.kind.name(),
                format!("a symbolic link that leads nowhere: {error}"),
            ));
        }
    };
    let Ok(inside) = target.strip_prefix(real_root) else {
        let message = "a symbolic link that leads out of the scanned folder: not followed".to_owned();
        return Look::Failed(failed(found.path, found.kind.name(), message));
    };
    let inside = slashes(inside);
    let (folder, name) = inside.rsplit_once('/').unwrap_or(("", &inside));
    if Kind::of(folder, name) == Some(found.kind) { Look::Nothing } else { Look::File(found) }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        ignore::Error::Partial(errors) => errors.iter().find_map(path_of),
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

/// An input that could not be read.
pub(crate) fn failed(path: String, kind: &'static str, message: String) -> Input {
    let problems = vec![Problem { line: 0, message }];
    Input {
        path,
        kind: kind.into(),
        status: Status::Failed,
        packages: Vec::new(),
        not_judged: Vec::new(),
        problems,
        edges: Vec::new(),
        signs: Vec::new(),
        asks: Vec::new(),
    }
}

/// A path below the root, with `/` between its parts; `.` for the root itself.
pub(crate) fn relative(root: &Path, path: &Path) -> String {
    let below = slashes(path.strip_prefix(root).unwrap_or(path));
    if below.is_empty() { ".".to_owned() } else { below }
}

fn slashes(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| text(part.as_os_str())).collect();
    parts.join("/")
}

/// A name for people and reports. Bytes that are no UTF-8 are written `\xE9`, so that two names never become one.
fn text(name: &OsStr) -> Cow<'_, str> {
    if let Some(text) = name.to_str() {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02X}")));
    }
    Cow::Owned(out)
}

fn take_ignored(rules: &mut Rules, files: &mut Vec<Found>) -> Vec<String> {
    let mut ignored = Vec::new();
    files.retain(|found| {
        let hidden = rules.hide(Path::new(&found.path));
        if hidden && found.kind.is_lockfile() {
            ignored.push(found.path.clone());
        }
        !hidden
    });
    ignored
}
