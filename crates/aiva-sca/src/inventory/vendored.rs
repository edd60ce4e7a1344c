//! Which folders hold copies that a package manager made: the manifests in them are their authors', and the lockfile of the project
//! has the packages. A name alone is no sign; what the manager leaves beside its copies is, where there is that lockfile.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::find::Found;
use super::join::{above, folder};
use super::kind::Kind;

/// What cargo leaves in each crate that it vendors.
const CRATE: &str = ".cargo-checksum.json";
/// The most of it that is read, in bytes: a line a file of the crate.
const LARGEST: u64 = 16 * 1024 * 1024;
/// What Composer leaves in `vendor`.
const COMPOSER: &str = "composer/installed.json";
/// What CocoaPods leaves in `Pods`.
const PODS: &str = "Manifest.lock";

/// Whether a folder need not be entered, by what is in it or beside it.
pub(crate) fn is_vendored(path: &Path, name: &str) -> bool {
    let above = path.parent();
    let is_beside = |folder: Option<&Path>, lock: &str| folder.is_some_and(|folder| folder.join(lock).is_file());
    let is_in = |name: &str| above.and_then(Path::file_name).is_some_and(|above| above == name);
    match name {
        "vendor" => is_beside(above, "composer.lock") && path.join(COMPOSER).is_file(),
        "Pods" => is_beside(above, "Podfile.lock") && path.join(PODS).is_file(),
        // Bundler's gems by the version of Ruby.
        "bundle" => {
            let project = above.and_then(Path::parent);
            let is_locked = is_beside(project, "Gemfile.lock") || is_beside(project, "gems.locked");
            is_in("vendor") && is_locked && path.join("ruby").is_dir()
        }
        "Checkouts" => {
            let project = above.and_then(Path::parent);
            is_in("Carthage") && project.is_some_and(|project| project.join("Cartfile.resolved").is_file())
        }
        _ => false,
    }
}

/// Whether a file of this path may be such a sign.
pub(crate) fn is_sign(path: &str) -> bool {
    let is = |name: &str| path == name || path.strip_suffix(name).is_some_and(|above| above.ends_with('/'));
    [CRATE, COMPOSER, PODS, "Cartfile.resolved"].into_iter().any(is)
}

/// Whether a file is what cargo writes of a crate: the hash of its archive, if it had one, and those of its files.
fn is_checksums(file: &Path) -> bool {
    // To open a pipe may wait for ever, and a device need not end.
    if !file.is_file() {
        return false;
    }
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
    read.is_ok() && [&b"\"files\""[..], b"\"package\""].iter().all(|key| memchr::memmem::find(&bytes, key).is_some())
}

/// Leaves out the files in folders that can only be told by the files that were found: the crates that cargo vendored, and the
/// `vendor` of Go. What was asked for by name, the root itself and the folders in it, is read all the same.
pub(crate) fn leave_out(root: &Path, files: &mut Vec<Found>) {
    let mut owned: HashSet<String> = HashSet::new();
    let of_cargo = files.iter().filter(|found| found.kind == Kind::CargoLock);
    let locked: HashSet<&str> = of_cargo.map(|found| folder(&found.path)).collect();
    let is_locked = |own: &str| above(own).skip(1).any(|at| locked.contains(at));
    for found in files.iter() {
        let own = folder(&found.path);
        match found.kind {
            Kind::CargoToml if own.contains('/') && is_locked(own) && is_checksums(&root.join(own).join(CRATE)) => {
                owned.insert(own.to_owned());
            }
            // `go mod vendor` writes the folder anew each time; so did dep and glide, beside their lockfiles.
            Kind::VendorModules => drop(owned.insert(own.to_owned())),
            Kind::Unread("Gopkg.lock" | "glide.lock") if own.is_empty() => drop(owned.insert("vendor".to_owned())),
            Kind::Unread("Gopkg.lock" | "glide.lock") => drop(owned.insert(format!("{own}/vendor"))),
            _ => {}
        }
    }
    if owned.is_empty() {
        return;
    }
    let is_owned = |path: &str| {
        let ends = path.match_indices('/').map(|(at, _)| at);
        ends.filter_map(|at| path.get(..at)).any(|above| owned.contains(above))
    };
    files.retain(|found| {
        let is_list = found.kind == Kind::VendorModules;
        // Its own list is in the folder that it tells of.
        let path = if is_list { folder(folder(&found.path)) } else { &*found.path };
        !(is_owned(path) || is_list && owned.contains(path))
    });
}
