//! What a manifest asks for and its lockfile does not have: one of the two was changed without the other, or by hand.
//!
//! Such an entry is noted (`supply-not-locked`) and goes on being judged by what the manifest says, because that is what an
//! installation will go by. Said only of lockfiles that were read whole and that hold everything their manifests ask for, and only
//! of what is asked for unconditionally.

use std::collections::HashSet;

use rapidhash::RapidHashSet;
use smol_str::SmolStr;

use super::asked::{Asked, behind_alias};
use super::beside::Manifest;
use super::kind::Kind;
use super::reading::{Declared, Reading};
use super::recorded::{ByName, ByOwner};
use crate::package::{Ecosystem, Fact, Scope, Sign, Status};

/// What is missing: the names, and what is said of each.
pub(super) fn missing(
    kind: Kind,
    lock: &Reading,
    manifests: &[Manifest<'_>],
    asked: &Asked<'_>,
    recorded: &ByOwner<'_>,
) -> (HashSet<String>, Vec<Sign>) {
    let (mut missing, mut signs) = (HashSet::new(), Vec::new());
    let is_whole = lock.status == Status::Parsed && !lock.links.is_part;
    let Some(ecosystem) = holds_all(kind).filter(|_| is_whole) else { return (missing, signs) };
    // Several projects of one folder cannot share a lockfile of NuGet's: each has its own, of which one has the usual name.
    let projects = manifests.iter().filter(|manifest| !manifest.declared.is_empty()).count();
    if kind == Kind::NuGetLock && projects > 1 {
        return (missing, signs);
    }
    let places = Places::of(kind, lock, manifests, asked);
    for manifest in manifests.iter().filter(|manifest| manifest.is_whole || !is_program(kind)) {
        let before = recorded.of(kind, manifest);
        for one in manifest.declared.iter().filter(|one| places.must_have(one, manifest)) {
            let alias = behind_alias(one);
            let name = alias.unwrap_or(&one.name);
            // What is no version is a folder, an archive or a workspace: those have other names in a lockfile.
            let is_version = !one.requirement.contains([':', '/', ';']) || alias.is_some();
            // What comes from a folder or by git has no requirement in a `Cargo.toml`, and may have another name in the lockfile.
            let is_version = is_version && !(kind == Kind::CargoLock && one.requirement.is_empty());
            if is_version && !places.have(name, before) && missing.insert(name.to_owned()) {
                let name = name.to_owned();
                let fact = Fact::NotLocked { manifest: manifest.place(one), asked: one.requirement.to_string() };
                signs.push(Sign { ecosystem, name: name.into(), version: SmolStr::default(), line: 1, fact });
            }
        }
    }
    (missing, signs)
}

/// The ecosystem of lockfiles that hold all that their manifests ask for. Others hold one configuration (gradle), or what a program
/// imports.
fn holds_all(kind: Kind) -> Option<Ecosystem> {
    match kind {
        Kind::PackageLock | Kind::Shrinkwrap | Kind::YarnLock | Kind::PnpmLock | Kind::BunLock | Kind::DenoLock => {
            Some(Ecosystem::Npm)
        }
        Kind::PipfileLock | Kind::PoetryLock | Kind::UvLock | Kind::PdmLock => Some(Ecosystem::PyPi),
        Kind::CargoLock => Some(Ecosystem::CratesIo),
        Kind::GemfileLock | Kind::GemsLocked => Some(Ecosystem::RubyGems),
        Kind::ComposerLock => Some(Ecosystem::Packagist),
        Kind::PubspecLock => Some(Ecosystem::Pub),
        Kind::MixLock => Some(Ecosystem::Hex),
        Kind::NuGetLock => Some(Ecosystem::NuGet),
        _ => None,
    }
}

/// Whether the manifest is a program, in which a condition may stand around anything that is not understood.
pub(super) fn is_program(kind: Kind) -> bool {
    matches!(kind, Kind::GemfileLock | Kind::GemsLocked | Kind::MixLock)
}

/// Where what is asked for may be found.
struct Places<'l> {
    kind: Kind,
    asked: &'l Asked<'l>,
    /// Names that need no entry: the tree's own packages (yarn classic has no entry for them), and what others stand for.
    own: RapidHashSet<&'l str>,
    /// Whether what crates below the lockfile's folder need for development is locked.
    is_dev_locked: bool,
}

impl<'l> Places<'l> {
    fn of(kind: Kind, lock: &'l Reading, manifests: &'l [Manifest<'l>], asked: &'l Asked<'l>) -> Self {
        let names = manifests.iter().filter_map(|manifest| manifest.name);
        let supplied = manifests.iter().flat_map(|manifest| manifest.supplied).chain(&lock.links.supplied);
        let top = manifests.iter().find(|manifest| manifest.folder.is_empty());
        Self {
            kind,
            asked,
            own: names.chain(supplied.map(String::as_str)).collect(),
            is_dev_locked: top.is_some_and(|top| !top.is_part),
        }
    }

    /// Whether the lockfile has to have an entry.
    fn must_have(&self, one: &Declared, manifest: &Manifest<'_>) -> bool {
        let is_needed = match one.scope {
            Scope::Runtime => true,
            Scope::Dev if self.kind == Kind::CargoLock => manifest.folder.is_empty() || self.is_dev_locked,
            // Which of pdm's groups are locked is a choice.
            Scope::Dev => self.kind != Kind::PdmLock,
            // What builds a Python project is in no lockfile.
            Scope::Build => holds_all(self.kind) != Some(Ecosystem::PyPi),
            Scope::Optional | Scope::Peer => false,
        };
        is_needed && !manifest.conditional.contains(&*one.name)
    }

    /// `before` is what the lockfile was written for, as far as the manifest goes.
    fn have(&self, name: &str, before: Option<&ByName<'_>>) -> bool {
        // deno locks what is imported, and says what is asked for.
        let is_silent = self.kind == Kind::DenoLock && before.is_none();
        let is_recorded = || before.is_some_and(|before| before.contains_key(name));
        is_silent || self.asked.has(name) || self.own.contains(name) || is_recorded()
    }
}
