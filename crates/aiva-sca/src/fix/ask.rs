//! What is asked of a manifest: which versions of a package have to go, and to which each of them moves.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use super::spans::Spans;
use crate::inventory::in_brackets;
use crate::package::Ecosystem;
use crate::scan::range_of;
use crate::version::{Requirement, Version};

/// A version, or a range as written, that has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    /// What is there.
    pub(super) from: String,
    /// The version to move to.
    pub(super) to: String,
}

/// One package to be moved in one manifest.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) ecosystem: Ecosystem,
    /// The package's own name, not an alias.
    pub(super) name: &'a str,
    /// Never empty.
    pub(super) moves: &'a [Move],
    /// The lines of the findings, where the manifest is what was judged.
    pub(super) lines: &'a BTreeSet<u32>,
    /// Where the findings are.
    pub(super) stands: Stands,
    /// Properties that are the package's version in files which take this one in.
    pub(super) through: &'a [String],
    /// What is worked out of the moves once; empty to begin with.
    pub(super) sorted: OnceCell<Sorted>,
}

/// The moves of a package, sorted for its entries.
#[derive(Debug, Clone)]
pub(super) struct Sorted {
    highest: String,
    /// Everything that has to go.
    all: Held,
    by_from: HashMap<String, Vec<usize>>,
}

/// Versions that an entry allowed; entries share them.
pub(super) type Held = Rc<[String]>;

/// Where the findings about the package are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// In the manifest itself: an entry is meant by what is written in it.
    Here,
    /// In the manifest itself, in words that the format's reader puts in another way: every entry of the package is meant.
    HereSomehow,
    /// In a lockfile: an entry is meant if it allows a version that has to go.
    Locked,
}

/// An entry that was moved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    /// Under which name the manifest has it.
    pub(super) key: String,
    /// Its requirement as it was, where the format has one in one piece.
    pub(super) old: String,
    /// The version that it moved to.
    pub(super) to: String,
    /// The versions that it allowed and that have to go.
    pub(super) held: Held,
    /// Whether it stays as it is written: nothing can be put into it, but it allows the version.
    pub(super) is_kept: bool,
    /// The property that is its version, which may be that of others as well.
    pub(super) property: Option<String>,
    /// Where its version was put, the first of its places: what stands there in the end may be for another package.
    pub(super) at: Option<usize>,
}

/// Why an entry could not be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) reason: String,
    /// The versions that it allows and that have to go, where that is known.
    pub(super) held: Option<Held>,
}

impl Refused {
    /// The first reason why a version stays where it is.
    pub(super) fn of<'r>(all: &'r [Self], version: &str) -> Option<&'r str> {
        let is_meant = |one: &&Self| one.held.as_ref().is_none_or(|held| held.iter().any(|held| held == version));
        all.iter().find(is_meant).map(|one| one.reason.as_str())
    }
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self { reason, held: None }
    }
}

impl Entry {
    /// The version that stands in its place once all is put there: the highest that one of those needs who share it.
    pub(super) fn stands<'e>(&'e self, puts: &'e Spans) -> &'e str {
        self.at.and_then(|at| puts.to(at)).unwrap_or(&self.to)
    }
}

/// By place, the packages that have their version from it; those who move what stands there share the list.
pub(super) type Shared = BTreeMap<usize, Rc<[String]>>;

/// A manifest after a package was moved in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edited {
    /// What is written where in the text that was read.
    pub(super) puts: Spans,
    /// What was moved; empty where the manifest asks for nothing of it.
    pub(super) entries: Vec<Entry>,
    /// Why entries could not be moved.
    pub(super) refused: Vec<Refused>,
    /// The same by line, where only that line is meant.
    pub(super) refused_at: BTreeMap<u32, String>,
    /// Properties that are its version and that the file does not set.
    pub(super) lacking: BTreeSet<String>,
    /// Who has a version from the places where one was put, with the package itself.
    pub(super) shared: Shared,
    /// Upper bounds that go.
    pub(super) drops: BTreeSet<String>,
}

impl Ask<'_> {
    /// Where an entry with this requirement has to move; `None` where it may stay.
    pub(super) fn to(&self, requirement: &str) -> Option<(&str, Held)> {
        let requirement = requirement.trim();
        let range = range_of(requirement);
        let meant: Vec<&Move> = match self.stands {
            Stands::Here => {
                let pin = range.trim_start_matches(['=', ' ', 'v', '[']).trim_end_matches([']', '!']);
                // As gradle's readers put it.
                let closed = in_brackets(range.split("!!").next().unwrap_or_default());
                let by_from = &self.sorted().by_from;
                let places = [requirement, range, pin, &closed].into_iter().filter_map(|said| by_from.get(said));
                let places: BTreeSet<usize> = places.flatten().copied().collect();
                places.into_iter().filter_map(|at| self.moves.get(at)).collect()
            }
            Stands::HereSomehow => return Some((self.highest(), self.sorted().all.clone())),
            Stands::Locked => match Requirement::parse(self.ecosystem, range) {
                Some(allowed) => {
                    let key = |text: &str| Version::parse(self.ecosystem, text);
                    let is_held = |one: &&Move| key(&one.from).is_none_or(|version| allowed.holds(version.key()));
                    self.moves.iter().filter(is_held).collect()
                }
                None => return Some((self.highest(), self.sorted().all.clone())),
            },
        };
        let to = highest(self.ecosystem, meant.iter().copied())?;
        Some((to, meant.iter().map(|one| one.from.clone()).collect()))
    }

    /// The highest of all versions to move to.
    pub(super) fn highest(&self) -> &str {
        &self.sorted().highest
    }

    /// The entry of a format in which every entry of the package is meant.
    pub(super) fn whole(&self) -> Entry {
        Entry {
            key: self.name.to_owned(),
            old: String::new(),
            to: self.highest().to_owned(),
            held: self.sorted().all.clone(),
            is_kept: false,
            property: None,
            at: None,
        }
    }

    fn sorted(&self) -> &Sorted {
        self.sorted.get_or_init(|| {
            let mut by_from: HashMap<String, Vec<usize>> = HashMap::new();
            for (at, one) in self.moves.iter().enumerate() {
                by_from.entry(one.from.clone()).or_default().push(at);
            }
            let all = self.moves.iter().map(|one| one.from.clone()).collect();
            let highest = highest(self.ecosystem, self.moves.iter()).unwrap_or_default().to_owned();
            Sorted { highest, all, by_from }
        })
    }
}

/// Every version that entries allowed, each list that they share looked at once.
pub(super) fn held<'e>(entries: impl Iterator<Item = &'e Entry>) -> HashSet<&'e str> {
    let mut last: Option<&Held> = None;
    let mut all = HashSet::new();
    for entry in entries {
        if last.is_none_or(|last| !Rc::ptr_eq(last, &entry.held)) {
            all.extend(entry.held.iter().map(String::as_str));
        }
        last = Some(&entry.held);
    }
    all
}

fn highest<'m>(ecosystem: Ecosystem, moves: impl Iterator<Item = &'m Move>) -> Option<&'m str> {
    moves.map(|one| one.to.as_str()).max_by_key(|to| Version::parse(ecosystem, to))
}
