//! Parts the files of one tree into groups that nothing ties to each other, so that each can be read, tied together and judged
//! while the others are not in memory.
//!
//! Pure: it looks at names and places only. A manifest belongs to the nearest lockfiles at or above its folder that may lock it.
//! When those are read and do not hold for it, it is handed on to the group [`above`](Group::above), which waits for it. Tying all
//! groups together therefore gives what tying all files together would give.
//!
//! Start reading at [`groups`].

use std::collections::{BTreeMap, HashMap};

use super::find::Found;
use super::join::{above, folder};
use super::kind::Kind;

/// Files that are read and tied together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Group {
    /// Places among the files of the tree, ascending.
    pub(crate) files: Vec<usize>,
    /// The group, by its place, that takes the manifests which no lockfile of this one holds for.
    pub(crate) above: Option<usize>,
    /// How many groups may hand on to this one in a row: those of a smaller number come first.
    pub(crate) height: usize,
}

/// What the files of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Bond<'f> {
    /// Lockfiles of one folder, for manifests of one kind.
    Locks(&'f str, Kind),
    /// Go's files of one module.
    Module(&'f str),
    /// Go's modules at and below the folder of a `go.work`.
    Workspace(&'f str),
    /// All of Maven's: a parent may be anywhere.
    Poms,
    /// Those that [`ties`](super::include::ties) names, by the first of them.
    Tied(usize),
}

/// The groups of these files, which are in the order of their paths. `ties` are pairs of places that belong together.
pub(crate) fn groups(files: &[Found], ties: &[(usize, usize)]) -> Vec<Group> {
    let tied = tied(files.len(), ties);
    let mut places: HashMap<Bond<'_>, usize> = HashMap::new();
    // Before all else: a manifest may come before its lockfile.
    for found in files {
        if let Some(manifest) = found.kind.locks() {
            let next = places.len();
            places.entry(Bond::Locks(folder(&found.path), manifest)).or_insert(next);
        }
    }
    for found in files.iter().filter(|found| found.kind == Kind::GoWork) {
        let next = places.len();
        places.entry(Bond::Workspace(folder(&found.path))).or_insert(next);
    }
    let mut groups = vec![Group::default(); places.len()];
    let chain = chain(&places);
    for (at, above, height) in chain {
        if let Some(group) = groups.get_mut(at) {
            (group.above, group.height) = (above, height);
        }
    }
    for (at, found) in files.iter().enumerate() {
        let bond = bond(found, &places).or_else(|| tied.get(&at).map(|first| Bond::Tied(*first)));
        let next = groups.len();
        let place = bond.map_or(next, |bond| *places.entry(bond).or_insert(next));
        match groups.get_mut(place) {
            Some(group) => group.files.push(at),
            None => groups.push(Group { files: vec![at], ..Group::default() }),
        }
    }
    groups
}

/// What a file has in common with others, if it may have anything.
fn bond<'f>(found: &'f Found, places: &HashMap<Bond<'f>, usize>) -> Option<Bond<'f>> {
    let own = folder(&found.path);
    let workspace = |own: &'f str| above(own).map(Bond::Workspace).find(|bond| places.contains_key(bond));
    match found.kind {
        Kind::GoMod | Kind::GoWork => Some(workspace(own).unwrap_or(Bond::Module(own))),
        Kind::VendorModules => Some(workspace(folder(own)).unwrap_or(Bond::Module(folder(own)))),
        Kind::PomXml => Some(Bond::Poms),
        // What it forces the lockfile beside it has.
        Kind::PnpmWorkspace => Some(Bond::Locks(own, Kind::PackageJson)).filter(|bond| places.contains_key(bond)),
        kind => match kind.locks() {
            Some(manifest) => Some(Bond::Locks(own, manifest)),
            None => {
                let lock =
                    |kind| above(own).map(move |at| Bond::Locks(at, kind)).find(|bond| places.contains_key(bond));
                // deno pins what a package.json asks for as well.
                lock(kind).or_else(|| if kind == Kind::PackageJson { lock(Kind::DenoJson) } else { None })
            }
        },
    }
}

/// Every group of lockfiles with the next one further up, and how many may hand on to it in a row.
fn chain(places: &HashMap<Bond<'_>, usize>) -> Vec<(usize, Option<usize>, usize)> {
    let next = |bond: &Bond<'_>| match *bond {
        Bond::Locks(own, kind) => above(own).skip(1).find_map(|above| places.get(&Bond::Locks(above, kind)).copied()),
        Bond::Module(_) | Bond::Workspace(_) | Bond::Poms | Bond::Tied(_) => None,
    };
    let links: HashMap<usize, Option<usize>> = places.iter().map(|(bond, at)| (*at, next(bond))).collect();
    let mut heights: HashMap<usize, usize> = HashMap::new();
    for start in links.keys() {
        let (mut at, mut height) = (*start, 0);
        while let Some(above) = links.get(&at).copied().flatten() {
            height += 1;
            let known = heights.entry(above).or_default();
            if *known >= height {
                break; // Whatever is further up knows it already.
            }
            *known = height;
            at = above;
        }
    }
    links.into_iter().map(|(at, above)| (at, above, heights.get(&at).copied().unwrap_or(0))).collect()
}

/// The first of those that each file is tied to, directly or through others; files without ties are not in it.
fn tied(count: usize, ties: &[(usize, usize)]) -> BTreeMap<usize, usize> {
    let mut first: Vec<usize> = (0..count).collect();
    for (one, other) in ties {
        let (one, other) = (find(&mut first, *one), find(&mut first, *other));
        if let Some(slot) = first.get_mut(one.max(other)) {
            *slot = one.min(other);
        }
    }
    let all = ties.iter().flat_map(|(one, other)| [*one, *other]);
    all.map(|at| (at, find(&mut first, at))).collect()
}

/// The first of a file's kin; makes the way to it shorter for those who ask next.
fn find(first: &mut [usize], mut at: usize) -> usize {
    while let Some(next) = first.get(at).copied().filter(|next| *next != at) {
        let after = first.get(next).copied().unwrap_or(next);
        if let Some(slot) = first.get_mut(at) {
            *slot = after;
        }
        at = after;
    }
    at
}
