//! What a manifest asks for and its lockfile does not have: one of the two was changed without the other, or by hand.
//!
//! Such an entry is noted (`supply-not-locked`) and goes on being judged by what the manifest says, because that is what an
//! installation will go by. Said only of lockfiles that were read whole and that hold everything their manifests ask for.

use std::collections::HashSet;

use super::join::Manifest;
use super::kind::Kind;
use super::npm_source::split_name;
use super::reading::Reading;
use crate::package::{Ecosystem, Fact, Scope, Sign, Status};

/// Notes what is missing, and says which names.
pub(super) fn note(kind: Kind, lock: &mut Reading, manifests: &[Manifest]) -> HashSet<String> {
    let mut missing = HashSet::new();
    let Some(ecosystem) = holds_all(kind).filter(|_| lock.status == Status::Parsed) else { return missing };
    // Names of the tree's own packages: yarn classic has no entry for them.
    let own: HashSet<&str> = manifests.iter().filter_map(|manifest| manifest.name.as_deref()).collect();
    let pinned = lock.packages.iter().map(|package| package.name.as_str());
    let locked: HashSet<&str> = pinned.chain(lock.not_judged.iter().map(|entry| entry.name.as_str())).collect();
    let mut signs = Vec::new();
    for one in manifests.iter().flat_map(|manifest| &manifest.declared) {
        let alias = one.requirement.strip_prefix("npm:").and_then(split_name).map(|(real, _)| real);
        let name = alias.unwrap_or(&one.name);
        // What builds a Python project is in no lockfile.
        let must = matches!(one.scope, Scope::Runtime | Scope::Dev)
            || (one.scope == Scope::Build && ecosystem != Ecosystem::PyPi);
        // What is no version is a folder, an archive or a workspace: those have other names in a lockfile.
        let is_version = !one.requirement.contains([':', '/', ';']) || alias.is_some();
        // What a Cargo workspace hands down may have another name there.
        let is_version = is_version && !(kind == Kind::CargoLock && one.requirement.is_empty());
        if must && is_version && !locked.contains(name) && !own.contains(name) && missing.insert(name.to_owned()) {
            let name = name.to_owned();
            signs.push(Sign { ecosystem, name, version: String::new(), line: 1, fact: Fact::NotLocked });
        }
    }
    lock.links.signs.extend(signs);
    missing
}

/// The ecosystem of lockfiles that hold all that their manifests ask for. Others hold one configuration or some groups only
/// (gradle, pdm, pylock), or may be satisfied by packages of other names (composer).
fn holds_all(kind: Kind) -> Option<Ecosystem> {
    match kind {
        Kind::PackageLock | Kind::Shrinkwrap | Kind::YarnLock | Kind::PnpmLock => Some(Ecosystem::Npm),
        Kind::PipfileLock | Kind::PoetryLock | Kind::UvLock => Some(Ecosystem::PyPi),
        Kind::CargoLock => Some(Ecosystem::CratesIo),
        _ => None,
    }
}
