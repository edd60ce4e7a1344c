//! What a lockfile says that manifests asked for when it was written, by manifest and name.
//!
//! In most formats there is one manifest, which has no name: maps of pairs would compare that nothing with itself for every entry.

use std::collections::hash_map::Entry;

use rapidhash::RapidHashMap;

use super::beside::Manifest;
use super::kind::Kind;
use super::reading::Recorded;

/// Of a name no more than so many requirements are kept besides the first, so that the work stays in proportion to the files.
pub(super) const MOST_MORE: usize = 32;

/// What is recorded, by its owner.
pub(super) struct ByOwner<'l>(RapidHashMap<&'l str, ByName<'l>>);

/// What is recorded of one manifest.
pub(super) type ByName<'l> = RapidHashMap<&'l str, Same<'l>>;

/// What is recorded of one name; nearly always once.
pub(super) struct Same<'l> {
    pub(super) first: &'l Recorded,
    pub(super) more: Vec<&'l Recorded>,
}

impl<'l> ByOwner<'l> {
    pub(super) fn new(all: &'l [Recorded]) -> Self {
        let mut by_owner: RapidHashMap<&str, ByName<'_>> = RapidHashMap::default();
        for run in all.chunk_by(|one, next| is_equal(&one.owner, &next.owner)) {
            let Some(first) = run.first() else { continue };
            let by_name = by_owner.entry(&first.owner).or_default();
            by_name.reserve(run.len());
            for one in run {
                match by_name.entry(&one.name) {
                    Entry::Vacant(free) => _ = free.insert(Same { first: one, more: Vec::new() }),
                    Entry::Occupied(mut same) if same.get().more.len() < MOST_MORE => same.get_mut().more.push(one),
                    Entry::Occupied(_) => {}
                }
            }
        }
        Self(by_owner)
    }

    /// What is recorded of a manifest; `None` where nothing is.
    pub(super) fn of(&self, kind: Kind, manifest: &Manifest<'_>) -> Option<&ByName<'l>> {
        self.0.get(owner(kind, manifest))
    }
}

/// Whose requirements a manifest's are, as the lockfile records them.
fn owner<'r>(kind: Kind, manifest: &Manifest<'r>) -> &'r str {
    match kind {
        Kind::UvLock => manifest.name.unwrap_or_default(),
        Kind::DenoLock if manifest.path.ends_with("package.json") => "package.json",
        _ => manifest.folder,
    }
}

/// Nothing is equal to nothing without a look at where it is.
fn is_equal(one: &str, other: &str) -> bool {
    one.len() == other.len() && (one.is_empty() || one == other)
}
