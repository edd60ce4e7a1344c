//! A `package.json` that deno reads, where no lockfile of another tool is: what the nearest `deno.lock` pins of it, and where the two
//! beside each other disagree.
//!
//! Start reading at [`settle`].

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use smol_str::SmolStr;

use super::beside::{Manifest, beside, compare};
use super::find::Found;
use super::graph;
use super::join::{above, folder, scopes};
use super::kind::Kind;
use super::reading::Reading;
use crate::package::{Scope, Status};

/// The folders of a tree that have a lockfile of another tool for a `package.json`; looked for once, where there is a `deno.lock`.
#[derive(Debug, Default)]
pub(super) struct Others(OnceLock<HashSet<String>>);

impl Others {
    fn of(&self, files: &[Found]) -> &HashSet<String> {
        let locks = |found: &&Found| found.kind.locks() == Some(Kind::PackageJson);
        self.0.get_or_init(|| files.iter().filter(locks).map(|found| folder(&found.path).to_owned()).collect())
    }
}

/// What the nearest `deno.lock` at or above pins is not judged again by the range of a `package.json`, which deno reads as well where
/// no lockfile of another tool is, be it read apart from these (`files` is the whole tree). Answers with the manifests that it holds for.
pub(super) fn settle(readings: &mut [(Found, Reading)], files: &[Found], others: &Others) -> Vec<usize> {
    if !readings.iter().any(|(found, _)| found.kind == Kind::DenoLock) {
        return Vec::new();
    }
    let others = others.of(files);
    note(readings, others);
    let mut locked: HashMap<String, HashSet<SmolStr>> = HashMap::new();
    for (found, reading) in readings.iter() {
        if found.kind == Kind::DenoLock && matches!(reading.status, Status::Parsed | Status::Partial) {
            let npm = reading.packages.iter().filter(|package| package.direct == Some(true));
            locked.insert(folder(&found.path).to_owned(), npm.map(|package| package.name.clone()).collect());
        }
    }
    let mut held = Vec::new();
    let manifests = readings.iter_mut().enumerate().filter(|(_, (found, _))| found.kind == Kind::PackageJson);
    for (at, (found, reading)) in manifests {
        if above(folder(&found.path)).any(|at| others.contains(at)) {
            continue;
        }
        let Some(names) = above(folder(&found.path)).find_map(|at| locked.get(at)) else { continue };
        reading.packages.retain(|package| !names.contains(package.name.as_str()));
        reading.not_judged.retain(|entry| !entry.is_range || !names.contains(entry.name.as_str()));
        held.push(at);
    }
    held
}

/// Notes where a `deno.lock` and the `package.json` beside it disagree, which deno reads where no lockfile of another tool is.
fn note(readings: &mut [(Found, Reading)], others: &HashSet<String>) {
    let mut manifests: HashMap<String, usize> = HashMap::new();
    for (at, (found, _)) in readings.iter().enumerate() {
        if found.kind == Kind::PackageJson {
            manifests.insert(folder(&found.path).to_owned(), at);
        }
    }
    for at in 0..readings.len() {
        let Some((found, _)) = readings.get(at).filter(|(found, _)| found.kind == Kind::DenoLock) else { continue };
        let own = folder(&found.path).to_owned();
        let Some(manifest) = manifests.get(&own).filter(|_| !above(&own).any(|at| others.contains(at))) else {
            continue;
        };
        beside(readings, at, |readings, kind, lock| {
            let manifest = Manifest::of(readings, *manifest, &own);
            // It keeps its entries in any case: npm's lockfile may be its other one.
            compare(kind, lock, manifest.as_slice());
            if let Some(manifest) = manifest {
                spread(lock, &manifest);
            }
        });
    }
}

/// deno does not say what a package is needed for: of what only one `package.json` asks for, that one says it.
fn spread(lock: &mut Reading, manifest: &Manifest<'_>) {
    let mut askers: HashMap<&str, Vec<&str>> = HashMap::new();
    for one in &lock.links.recorded {
        askers.entry(&one.name).or_default().push(&one.owner);
    }
    let scopes = scopes([manifest]);
    let scope = |name: &str| match askers.get(name).map(Vec::as_slice) {
        Some(["package.json"]) => scopes.get(name).copied().unwrap_or_default(),
        _ => Scope::Runtime,
    };
    let all = lock.packages.iter().enumerate().filter(|(_, package)| package.direct == Some(true));
    let roots: Vec<(u32, Scope)> = all.map(|(at, package)| (graph::index(at), scope(&package.name))).collect();
    graph::spread(&mut lock.packages, &lock.links.edges, &roots, |_| false);
}
