//! A root file system in a folder: what is installed in it.
//!
//! No symbolic link is followed, so nothing outside the folder is ever read: a file counts under the path where it really is.
//! Programs are found by how they begin, among the files that may be run.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ignore::{DirEntry, WalkBuilder, WalkState};
use rayon::prelude::*;

use super::super::find::{exclusion, failed, relative};
use super::super::walk::{self, Inventory, Options, Progress, WalkError};
use super::{Expect, Piece, What, assemble, binary, jar, of_reading, read, unread, what};
use crate::package::Input;

/// Folders of a running system that hold no files.
const KERNEL: &[&str] = &["dev", "proc", "sys"];

/// Whether a folder looks like the root of a file system: it says which distribution it is, and has its packages.
pub fn is_root(folder: &Path) -> bool {
    let has = |path: &&str| folder.join(path).symlink_metadata().is_ok();
    let releases = ["etc/os-release", "usr/lib/os-release"];
    let databases =
        ["var/lib/dpkg", "lib/apk/db", "usr/lib/apk/db", "var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"];
    releases.iter().any(has) && databases.iter().any(has)
}

/// Whether it is a file of itself that holds packages: an archive of Java, or a program.
pub fn is_file(path: &Path) -> bool {
    path.is_file() && (jar::is_archive(&name_of(path)) || begins_like_a_program(path))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file that was asked for by name.
fn single(file: &Path) -> Found {
    let name = name_of(file);
    let what = if jar::is_archive(&name) { What::Jar } else { What::Program };
    (name, file.to_owned(), what)
}

/// Reads everything that is installed below `root`, which may also be a single file where no system is expected.
pub fn rootfs(
    root: &Path,
    options: &Options,
    expect: Expect,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Inventory, WalkError> {
    let metadata = fs::metadata(root).map_err(|source| WalkError::Root { path: root.to_owned(), source })?;
    let (mut files, unseen) = match (metadata.is_dir(), expect) {
        (true, _) => find(root, options, progress)?,
        (false, Expect::Packages) if is_file(root) => (vec![single(root)], Vec::new()),
        (false, _) => return Err(WalkError::NotAFolder { path: root.to_owned() }),
    };
    // In a repository the lockfiles are read as such.
    files.retain(|(_, _, what)| expect == Expect::System || !matches!(what, What::Lockfile(_)));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build().map_err(WalkError::Threads)?;
    let (done, total) = (AtomicUsize::new(0), files.len());
    let pieces: Vec<Piece> = pool.install(|| {
        let read_one = |(path, file, what): (String, PathBuf, What)| {
            let piece = take(&path, &file, what, options);
            progress(Progress::Read { done: done.fetch_add(1, Ordering::Relaxed) + 1, total });
            piece
        };
        files.into_par_iter().filter_map(read_one).collect()
    });
    let mut inputs = assemble(pieces, expect);
    inputs.iter_mut().for_each(|input| options.mirrors.settle(input));
    inputs.extend(unseen);
    inputs.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(Inventory { inputs, ..Inventory::default() })
}

type Found = (String, PathBuf, What);

/// The files that tell something, sorted, and what could not be looked at.
fn find(
    root: &Path,
    options: &Options,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(Vec<Found>, Vec<Input>), WalkError> {
    let exclude = exclusion(root, &options.exclude)?;
    let seen = Mutex::new((Vec::new(), Vec::new()));
    let walker = WalkBuilder::new(root)
        .standard_filters(false)
        .follow_links(false)
        .threads(options.threads)
        .filter_entry(move |entry| {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            let is_kernel = entry.depth() == 1 && entry.file_name().to_str().is_some_and(|name| KERNEL.contains(&name));
            entry.depth() == 0 || !(is_folder && is_kernel || exclude.matched(entry.path(), is_folder).is_ignore())
        })
        .build_parallel();
    walker.run(|| {
        Box::new(|entry| {
            let found = match entry {
                Ok(entry) => look(root, &entry).map(Ok),
                Err(error) => {
                    Some(Err(failed(".".to_owned(), "folder", format!("a folder could not be read: {error}"))))
                }
            };
            if let (Some(found), Ok(mut seen)) = (found, seen.lock()) {
                match found {
                    Ok(found) => seen.0.push(found),
                    Err(input) => seen.1.push(input),
                }
                progress(Progress::Found(seen.0.len()));
            }
            WalkState::Continue
        })
    });
    let (mut files, unseen) = seen.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    files.sort();
    Ok((files, unseen))
}

fn look(root: &Path, entry: &DirEntry) -> Option<Found> {
    if !entry.file_type().is_some_and(|kind| kind.is_file()) {
        return None;
    }
    let path = relative(root, entry.path());
    let what =
        what(&path).or_else(|| (may_run(entry) && begins_like_a_program(entry.path())).then_some(What::Program))?;
    Some((path, entry.path().to_owned(), what))
}

fn may_run(entry: &DirEntry) -> bool {
    let is_exe = entry.path().extension().is_some_and(|end| end.eq_ignore_ascii_case("exe"));
    #[cfg(unix)]
    let is_set = entry
        .metadata()
        .is_ok_and(|metadata| std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0);
    #[cfg(not(unix))]
    let is_set = false;
    is_exe || is_set
}

fn begins_like_a_program(file: &Path) -> bool {
    let mut start = Vec::with_capacity(4);
    let opened = File::open(file).and_then(|file| file.take(4).read_to_end(&mut start));
    opened.is_ok() && binary::is_program(&start)
}

fn take(path: &str, file: &Path, what: What, options: &Options) -> Option<Piece> {
    if what == What::PythonPart {
        return Some(Piece::new(path, what)); // That it is there says all.
    }
    // Programs are large, and say what they say in a few places.
    let program = (what == What::Program).then(|| File::open(file).ok().map(binary::read_file));
    if let Some(Some(Ok(reading))) = program {
        return reading.map(|reading| of_reading(path, what, reading));
    }
    match walk::bytes(file, options.largest_file) {
        Ok(Some(bytes)) => read(path, what, &bytes),
        Ok(None) => {
            let limit = options.largest_file / (1024 * 1024);
            Some(unread(path, what, format!("larger than {limit} MiB, the limit for one file: not read")))
        }
        Err(error) => Some(unread(path, what, format!("could not be read: {error}"))),
    }
}
