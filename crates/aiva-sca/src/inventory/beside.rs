//! A lockfile beside the manifests that it was written for.

use std::borrow::Cow;
use std::collections::HashSet;

use super::asked::Asked;
use super::find::Found;
use super::join::{below, folder};
use super::kind::Kind;
use super::reading::{Declared, Offered, Reading, Stands};
use super::recorded::ByOwner;
use super::{locked_otherwise, unlocked};
use crate::package::{Fact, Place, Scope, Status};

/// What a manifest has to say about its lockfile.
pub(super) struct Manifest<'r> {
    /// Its path.
    pub(super) path: &'r str,
    /// Its folder, from that of the lockfile on.
    pub(super) folder: &'r str,
    pub(super) name: Option<&'r str>,
    pub(super) declared: Cow<'r, [Declared]>,
    /// Globs of folders that share its lockfile.
    members: &'r [String],
    /// Names that the project itself stands for.
    pub(super) supplied: &'r [String],
    /// Names that a lockfile may do without.
    pub(super) conditional: HashSet<&'r str>,
    /// Names whose version is said elsewhere, or which come from elsewhere than a registry.
    pub(super) overridden: HashSet<&'r str>,
    /// What a workspace offers to its members.
    pub(super) offered: &'r [Offered],
    /// Whether what folders below need for development may be in no lockfile.
    pub(super) is_part: bool,
    /// Whether all of it was read.
    pub(super) is_whole: bool,
}

impl<'r> Manifest<'r> {
    /// That of a reading, for a lockfile in a folder.
    pub(super) fn of(readings: &'r [(Found, Reading)], at: usize, lock: &str) -> Option<Self> {
        let (found, reading) = readings.get(at)?;
        let Reading { links, status, .. } = reading;
        let outside = links.signs.iter().filter(|sign| matches!(sign.fact, Fact::Outside(_)));
        let overridden = outside.map(|sign| &*sign.name).chain(links.overridden.iter().map(String::as_str));
        Some(Self {
            path: &found.path,
            folder: below(lock, folder(&found.path)),
            name: links.name.as_deref(),
            declared: Cow::Borrowed(&links.declared),
            members: &links.members,
            supplied: &links.supplied,
            conditional: links.conditional.iter().map(String::as_str).collect(),
            overridden: overridden.collect(),
            offered: &links.offered,
            is_part: links.is_part,
            is_whole: *status == Status::Parsed,
        })
    }
}

impl Manifest<'_> {
    /// Where a requirement stands.
    pub(super) fn place(&self, one: &Declared) -> Place {
        let path = if let Stands::In(path) = &one.stands { path.to_string() } else { self.path.to_owned() };
        Place { path, line: one.line }
    }
}

/// npm 6 does not install what the project's folders need for development, so its lockfile may do without. Later ones do so for
/// workspaces, which npm 6 does not know.
pub(super) fn without_dev(manifests: &mut [Manifest<'_>]) {
    if manifests.iter().any(|manifest| manifest.folder.is_empty() && !manifest.members.is_empty()) {
        return;
    }
    for manifest in manifests.iter_mut().filter(|manifest| !manifest.folder.is_empty()) {
        manifest.declared.to_mut().retain(|one| one.scope != Scope::Dev);
    }
}

/// Changes one of the files beside a look at the others.
pub(super) fn beside<T>(
    readings: &mut [(Found, Reading)],
    at: usize,
    change: impl FnOnce(&[(Found, Reading)], Kind, &mut Reading) -> T,
) -> Option<T> {
    let (found, reading) = readings.get_mut(at)?;
    let (kind, mut taken) = (found.kind, std::mem::take(reading));
    let made = change(readings, kind, &mut taken);
    readings.get_mut(at)?.1 = taken;
    Some(made)
}

/// Notes where a lockfile is not what its manifests ask for; says which names it does not have.
pub(super) fn compare(kind: Kind, lock: &mut Reading, manifests: &[Manifest<'_>]) -> HashSet<String> {
    let asked = Asked::of(kind, lock, manifests);
    let recorded = ByOwner::new(&lock.links.recorded);
    let (missing, mut signs) = unlocked::missing(kind, lock, manifests, &asked, &recorded);
    signs.extend(locked_otherwise::signs(kind, lock, manifests, &asked, &recorded, &missing));
    lock.links.signs.extend(signs);
    missing
}
