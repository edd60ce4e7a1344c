//! What a lockfile has of the names that its manifests ask for.
//!
//! A lockfile has many more entries than its manifests: each is looked up once among the names that are asked for, and passed over.

use std::borrow::Cow;

use rapidhash::RapidHashMap;

use super::beside::Manifest;
use super::kind::Kind;
use super::npm_source::split_name;
use super::reading::{Declared, Reading};
use crate::package::Package;

/// Of a name that has more than so many entries nothing is said, so that the work stays in proportion to the files.
const MOST_ENTRIES: usize = 32;

/// What a lockfile has, by the names that manifests ask for.
pub(super) struct Asked<'l>(RapidHashMap<&'l str, Has<'l>>);

#[derive(Default)]
struct Has<'l> {
    packages: Entries<'l>,
    /// Whether there is an entry that is no package of one version.
    is_open: bool,
}

/// The entries of one name: nearly always one, for which no room need be found.
#[derive(Default)]
enum Entries<'l> {
    #[default]
    None,
    One([&'l Package; 1]),
    /// One more than the most tells that there are too many.
    Several(Vec<&'l Package>),
}

impl<'l> Entries<'l> {
    fn add(&mut self, package: &'l Package) {
        match self {
            Self::None => *self = Self::One([package]),
            Self::One([first]) => *self = Self::Several(vec![*first, package]),
            Self::Several(all) if all.len() <= MOST_ENTRIES => all.push(package),
            Self::Several(_) => {}
        }
    }

    fn all(&self) -> &[&'l Package] {
        match self {
            Self::None => &[],
            Self::One(one) => one,
            Self::Several(all) => all,
        }
    }
}

impl<'l> Asked<'l> {
    pub(super) fn of(kind: Kind, lock: &'l Reading, manifests: &'l [Manifest<'l>]) -> Self {
        let mut names: RapidHashMap<&str, Has<'_>> = RapidHashMap::default();
        names.reserve(manifests.iter().map(|manifest| manifest.declared.len()).sum());
        for one in manifests.iter().flat_map(|manifest| &*manifest.declared) {
            names.entry(&one.name).or_default();
            if let Some(real) = behind_alias(one) {
                names.entry(real).or_default();
            }
        }
        for package in &lock.packages {
            if let Some(has) = names.get_mut(&*spelled(kind, &package.name)) {
                has.packages.add(package);
            }
        }
        let open = lock.not_judged.iter().map(|entry| spelled(kind, &entry.name));
        // In Elixir another name may be that of the application.
        let others = lock.links.asks.iter().filter(|_| kind == Kind::MixLock).map(|ask| Cow::Borrowed(&*ask.name));
        for name in open.chain(others) {
            if let Some(has) = names.get_mut(&*name) {
                has.is_open = true;
            }
        }
        Self(names)
    }

    /// Whether there is any entry of a name that is asked for.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|has| has.is_open || !has.packages.all().is_empty())
    }

    /// The packages of a name that is asked for; `None` where there are too many.
    pub(super) fn packages(&self, name: &str) -> Option<&[&'l Package]> {
        self.0.get(name).map(|has| has.packages.all()).filter(|all| all.len() <= MOST_ENTRIES)
    }
}

/// The package behind an alias of npm's.
pub(super) fn behind_alias(one: &Declared) -> Option<&str> {
    one.requirement.strip_prefix("npm:").and_then(split_name).map(|(real, _)| real)
}

/// How names are compared.
fn spelled(kind: Kind, name: &str) -> Cow<'_, str> {
    match kind {
        Kind::ComposerLock | Kind::NuGetLock => Cow::Owned(name.to_lowercase()),
        _ => Cow::Borrowed(name),
    }
}
