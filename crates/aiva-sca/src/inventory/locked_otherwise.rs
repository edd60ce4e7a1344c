//! What a lockfile has in another version than its manifest allows, or chose for another requirement: one of the two was changed
//! without the other, or by hand.
//!
//! Said only where it is sure: both files were read, the requirement is one of a registry and is understood, it is asked for once and
//! without a condition, nothing overrides it, and no version that the project itself may get satisfies it. What is locked goes on
//! being judged, because the lockfile is what a careful installation goes by.
//!
//! Start reading at [`signs`].

use std::cell::OnceCell;
use std::collections::HashSet;

use rapidhash::{RapidHashMap, RapidHashSet};

use super::asked::Asked;
use super::beside::Manifest;
use super::described::Described;
use super::kind::Kind;
use super::reading::{Declared, Reading, Recorded};
use super::recorded::{ByName, ByOwner, MOST_MORE, Same};
use super::unlocked::is_program;
use crate::package::{Ecosystem, Fact, Locked, Package, Scope, Sign, Source, Status};
use crate::version::{Requirement, Version};

/// Of yarn's entries for one name no more than so many are looked at, so that the work stays in proportion to the files.
const MOST_DESCRIPTORS: usize = 32;

/// Where the two disagree, once a name. `missing` is told of already.
pub(super) fn signs(
    kind: Kind,
    lock: &Reading,
    manifests: &[Manifest<'_>],
    asked: &Asked<'_>,
    recorded: &ByOwner<'_>,
    missing: &HashSet<String>,
) -> Vec<Sign> {
    let is_whole = lock.status == Status::Parsed && (kind != Kind::PdmLock || !lock.links.is_part);
    let Some(ecosystem) = compared(kind).filter(|_| is_whole) else { return Vec::new() };
    let names = manifests.iter().filter_map(|manifest| manifest.name);
    let apart = manifests.iter().flat_map(|manifest| &manifest.overridden).copied();
    let own = lock.links.overridden.iter().chain(&lock.links.supplied).map(String::as_str);
    let apart = apart.chain(own).chain(names);
    let view = View {
        kind,
        ecosystem,
        asked,
        descriptors: Described(&lock.links.descriptors),
        apart: apart.chain(missing.iter().map(String::as_str)).collect(),
    };
    let mut told: HashSet<&str> = HashSet::new();
    let mut signs = Vec::new();
    for manifest in manifests.iter().filter(|manifest| manifest.is_whole || !is_program(kind)) {
        let mut count: RapidHashMap<&str, usize> = RapidHashMap::default();
        count.reserve(manifest.declared.len());
        manifest.declared.iter().for_each(|one| *count.entry(&one.name).or_default() += 1);
        let before = recorded.of(kind, manifest);
        for one in &*manifest.declared {
            // Several requirements of one name are for several conditions, or tables of which one counts.
            let is_one = kind == Kind::CargoLock || count.get(&*one.name) == Some(&1);
            if is_one
                && !manifest.conditional.contains(&*one.name)
                && !told.contains(&*one.name)
                && let Some(sign) = view.disagreement(one, manifest, before)
            {
                told.insert(&one.name);
                signs.push(sign);
            }
        }
    }
    signs
}

/// The ecosystem of lockfiles whose versions must satisfy their manifests. In those of gradle another artifact may ask for more.
fn compared(kind: Kind) -> Option<Ecosystem> {
    match kind {
        Kind::PackageLock | Kind::Shrinkwrap | Kind::YarnLock | Kind::PnpmLock | Kind::BunLock | Kind::DenoLock => {
            Some(Ecosystem::Npm)
        }
        Kind::PipfileLock | Kind::PoetryLock | Kind::UvLock | Kind::PdmLock | Kind::Pylock => Some(Ecosystem::PyPi),
        Kind::CargoLock => Some(Ecosystem::CratesIo),
        Kind::GemfileLock | Kind::GemsLocked => Some(Ecosystem::RubyGems),
        Kind::ComposerLock => Some(Ecosystem::Packagist),
        Kind::PubspecLock => Some(Ecosystem::Pub),
        Kind::MixLock => Some(Ecosystem::Hex),
        Kind::NuGetLock => Some(Ecosystem::NuGet),
        _ => None,
    }
}

/// A lockfile as its manifests look at it.
struct View<'l> {
    kind: Kind,
    ecosystem: Ecosystem,
    asked: &'l Asked<'l>,
    /// yarn's `name@range`, sorted.
    descriptors: Described<'l>,
    /// Names of which nothing is said.
    apart: RapidHashSet<&'l str>,
}

/// A requirement, read once and only where its text does not tell.
struct Wanted<'a> {
    ecosystem: Ecosystem,
    text: &'a str,
    read: OnceCell<Option<Requirement>>,
}

impl Wanted<'_> {
    fn requirement(&self) -> Option<&Requirement> {
        self.read.get_or_init(|| Requirement::parse(self.ecosystem, self.text)).as_ref()
    }
}

impl View<'_> {
    /// `before` is what the lockfile was written for, as far as this manifest goes.
    fn disagreement(&self, one: &Declared, manifest: &Manifest<'_>, before: Option<&ByName<'_>>) -> Option<Sign> {
        if self.apart.contains(&*one.name) || !self.is_chosen(one.scope) {
            return None;
        }
        let all = self.asked.packages(&one.name)?;
        // The project itself may get those that are known to be direct, else all of the name.
        let has_direct = all.iter().any(|package| package.direct == Some(true));
        let candidates = all.iter().filter(|package| !has_direct || package.direct == Some(true));
        let is_plain = |package: &&Package| matches!(package.source, Source::Registry | Source::PrivateRegistry(_));
        if !candidates.clone().all(is_plain) {
            return None;
        }
        let wanted = Wanted { ecosystem: self.ecosystem, text: &one.requirement, read: OnceCell::new() };
        let mut is_allowed = false;
        for package in candidates.clone() {
            is_allowed |= self.allows(&wanted, package)?;
        }
        let first = candidates.clone().next()?;
        let has = if is_allowed {
            self.chosen_for(one, &wanted, before)?
        } else {
            // What no version satisfies is not understood.
            wanted.requirement()?;
            Locked::Version(first.version.to_string())
        };
        let (manifest, asked) = (manifest.place(one), one.requirement.clone());
        let fact = Fact::LockedOtherwise { manifest, asked: asked.to_string(), has };
        let (name, version) = (first.name.clone(), first.version.clone());
        Some(Sign { ecosystem: self.ecosystem, name, version, line: first.line, fact })
    }

    /// Whether what is needed for this had a say in the versions. Of groups it is a choice in some formats.
    fn is_chosen(&self, scope: Scope) -> bool {
        match self.kind {
            Kind::PdmLock | Kind::Pylock => scope == Scope::Runtime,
            Kind::PipfileLock => matches!(scope, Scope::Runtime | Scope::Dev),
            _ => scope != Scope::Peer,
        }
    }

    /// Whether a version is allowed; `None` where that is not sure.
    fn allows(&self, wanted: &Wanted<'_>, package: &Package) -> Option<bool> {
        let version = &*package.version;
        if let Some(holds) = Requirement::plainly_holds(self.ecosystem, wanted.text, version) {
            return Some(holds);
        }
        let wanted = wanted.requirement()?;
        // A local version (PEP 440) and the number of a build are of the version before them.
        let plain = version.split('+').next().unwrap_or(version);
        // The whole project may allow what comes before a release.
        if self.ecosystem == Ecosystem::Packagist && plain.contains(|c: char| c == '-' || c.is_ascii_alphabetic()) {
            return None;
        }
        let holds = |text: &str| Some(wanted.holds(Version::parse(self.ecosystem, text)?.key()));
        Some(holds(version)? || holds(plain)?)
    }

    /// What the lockfile was written for, if that is not what is asked for.
    fn chosen_for(&self, one: &Declared, wanted: &Wanted<'_>, before: Option<&ByName<'_>>) -> Option<Locked> {
        if self.kind == Kind::YarnLock {
            return (!self.is_described(one, wanted)?).then_some(Locked::Unasked);
        }
        let Some(Same { first, more }) = before?.get(&*one.name) else { return Some(Locked::Unasked) };
        let is_same =
            |before: &&Recorded| before.requirement == one.requirement || self.is_equal(&before.requirement, wanted);
        // deno writes ranges its own way, NuGet those that float.
        let is_rewritten =
            self.kind == Kind::DenoLock || (self.kind == Kind::NuGetLock && one.requirement.contains('*'));
        if is_rewritten || more.len() >= MOST_MORE || is_same(first) || more.iter().any(is_same) {
            return None;
        }
        Some(Locked::Requirement(first.requirement.to_string()))
    }

    /// Whether what another text asks for is the same. Of what is not understood nothing is sure.
    fn is_equal(&self, other: &str, wanted: &Wanted<'_>) -> bool {
        let Some(wanted) = wanted.requirement() else { return true };
        Requirement::parse(self.ecosystem, other).is_none_or(|other| other == *wanted)
    }

    /// Whether one of yarn's entries is for the requirement; `None` where there are too many of the name.
    fn is_described(&self, one: &Declared, wanted: &Wanted<'_>) -> Option<bool> {
        for (seen, (range, _)) in self.descriptors.of_name(&one.name).enumerate() {
            if seen == MOST_DESCRIPTORS {
                return None;
            }
            let range = range.strip_prefix("npm:").unwrap_or(range);
            if range == one.requirement || self.is_equal(range, wanted) {
                return Some(true);
            }
        }
        Some(false)
    }
}
