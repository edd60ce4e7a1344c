//! What a `go.mod` asks for and its `go.sum` or its `vendor/modules.txt` does not have, or has in another version.
//!
//! Where `vendor` is, the go command builds from it and compares both files; else it refuses a module without a hash in `go.sum`.
//! Replaced modules go by other names, and in a workspace (`go.work`) other files may have the rest: of those nothing is said. No
//! `go.sum` at all is no disagreement.
//!
//! Start reading at [`note`].

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::find::Found;
use super::go_mod::Module;
use super::join::folder;
use super::kind::Kind;
use super::reading::Reading;
use super::walk::{Options, text_within};
use crate::package::{Ecosystem, Fact, Locked, Package, Place, Sign, Status};

/// Notes where they disagree: on the `go.mod` what has no hash, on the `modules.txt` what it lacks.
pub(crate) fn note(root: &Path, readings: &mut [(Found, Reading)], options: &Options) {
    if readings.iter().any(|(found, _)| found.kind == Kind::GoWork) {
        return;
    }
    let vendored: HashMap<String, usize> = readings
        .iter()
        .enumerate()
        .filter(|(_, (found, _))| found.kind == Kind::VendorModules)
        .map(|(at, (found, _))| (folder(folder(&found.path)).to_owned(), at))
        .collect();
    let mut real_root = None;
    for at in 0..readings.len() {
        let Some((found, reading)) = readings.get(at) else { continue };
        let Some(module) = reading.links.module.as_deref() else { continue };
        if found.kind != Kind::GoMod || reading.status != Status::Parsed || module.requires.is_empty() {
            continue;
        }
        if let Some(vendor) = vendored.get(folder(&found.path)) {
            let signs = readings.get(*vendor).map(|(_, copies)| not_vendored(module, &found.path, copies));
            if let Some((_, copies)) = readings.get_mut(*vendor) {
                copies.links.signs.extend(signs.unwrap_or_default());
            }
            continue;
        }
        let Some(real_root) = real_root.get_or_insert_with(|| root.canonicalize().ok()) else { return };
        let sum = text_within(real_root, &found.file.with_file_name("go.sum"), options);
        let signs = sum.map(|sum| not_summed(module, &found.path, &sum)).unwrap_or_default();
        if let Some((_, reading)) = readings.get_mut(at) {
            reading.links.signs.extend(signs);
        }
    }
}

/// What is asked for by its own name.
fn asked(module: &Module) -> impl Iterator<Item = &Package> {
    let replaced: HashSet<&str> = module.replaces.iter().map(|replace| replace.old()).collect();
    module.requires.iter().filter(move |package| !replaced.contains(package.name.as_str()))
}

fn sign(package: &Package, line: u32, fact: Fact) -> Sign {
    Sign { ecosystem: Ecosystem::Go, name: package.name.clone(), version: package.version.clone(), line, fact }
}

fn place(path: &str, package: &Package) -> Place {
    Place { path: path.to_owned(), line: package.line }
}

fn not_locked(path: &str, package: &Package) -> Fact {
    Fact::NotLocked { manifest: place(path, package), asked: format!("v{}", package.version) }
}

/// Direct modules without a hash. What is indirect may be needed by nothing that is built.
fn not_summed(module: &Module, path: &str, sum: &str) -> Vec<Sign> {
    // A version of nothing but zeros stands for a module that a workspace outside of the tree has.
    let is_real = |package: &&Package| package.version != "0.0.0" && !package.version.starts_with("0.0.0-0001");
    let wanted = asked(module).filter(|package| package.direct == Some(true)).filter(is_real);
    let mut open: HashMap<(&str, &str), &Package> =
        wanted.map(|package| ((&*package.name, &*package.version), package)).collect();
    for line in sum.lines() {
        let mut words = line.split_ascii_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            let version = version.strip_prefix('v').unwrap_or(version);
            open.remove(&(name, version.strip_suffix("/go.mod").unwrap_or(version)));
        }
    }
    let mut open: Vec<&Package> = open.into_values().collect();
    open.sort_by_key(|package| package.line);
    open.into_iter().map(|package| sign(package, package.line, not_locked(path, package))).collect()
}

/// What the folder of copies lacks or has in another version. From Go 1.14 on its list marks what is asked for.
fn not_vendored(module: &Module, path: &str, copies: &Reading) -> Vec<Sign> {
    let is_marked = copies.packages.iter().any(|package| package.direct == Some(true));
    if copies.status != Status::Parsed || !is_marked {
        return Vec::new();
    }
    let there: HashMap<&str, &Package> = copies.packages.iter().map(|package| (&*package.name, package)).collect();
    let disagreement = |package: &Package| match there.get(&*package.name) {
        None => Some(sign(package, 1, not_locked(path, package))),
        Some(copy) if copy.version != package.version => {
            let (manifest, asked) = (place(path, package), format!("v{}", package.version));
            let has = Locked::Version(format!("v{}", copy.version));
            Some(sign(copy, copy.line, Fact::LockedOtherwise { manifest, asked, has }))
        }
        Some(_) => None,
    };
    asked(module).filter_map(disagreement).collect()
}
