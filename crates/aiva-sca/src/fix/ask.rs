//! What is asked of a manifest: which versions of a package have to go, and to which each of them moves.

use std::collections::{BTreeMap, BTreeSet};

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
#[derive(Debug)]
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
}

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Under which name the manifest has it.
    pub(super) key: String,
    /// Its requirement as it was, where the format has one in one piece.
    pub(super) old: String,
    /// The version that it moved to.
    pub(super) to: String,
    /// The versions that it allowed and that have to go.
    pub(super) held: Vec<String>,
    /// Whether it stays as it is written: nothing can be put into it, but it allows the version.
    pub(super) is_kept: bool,
    /// The property that is its version, which may be that of others as well.
    pub(super) property: Option<String>,
}

/// A manifest after a package was moved in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edited {
    /// The whole text; `None` where `puts` says what changes.
    pub(super) after: Option<String>,
    /// What is written where in the text that was read.
    pub(super) puts: Spans,
    /// What was moved; empty where the manifest asks for nothing of it.
    pub(super) entries: Vec<Entry>,
    /// Why entries could not be moved.
    pub(super) refused: Vec<String>,
    /// The same by line, where only that line is meant.
    pub(super) refused_at: BTreeMap<u32, String>,
    /// Properties that are its version and that the file does not set.
    pub(super) lacking: BTreeSet<String>,
    /// Other packages that the file gives the same version by a property which was moved.
    pub(super) along: BTreeSet<String>,
    /// Upper bounds that go.
    pub(super) drops: BTreeSet<String>,
}

impl Ask<'_> {
    /// Where an entry with this requirement has to move; `None` where it may stay.
    pub(super) fn to(&self, requirement: &str) -> Option<(&str, Vec<String>)> {
        let requirement = requirement.trim();
        let range = range_of(requirement);
        let meant: Vec<&Move> = match self.stands {
            Stands::Here => {
                let pin = range.trim_start_matches(['=', ' ', 'v', '[']).trim_end_matches([']', '!']);
                // As gradle's readers put it.
                let closed = in_brackets(range.split("!!").next().unwrap_or_default());
                let is_meant =
                    |one: &&Move| [requirement, range, pin, &closed].iter().any(|written| one.from == **written);
                self.moves.iter().filter(is_meant).collect()
            }
            Stands::HereSomehow => self.moves.iter().collect(),
            Stands::Locked => match Requirement::parse(self.ecosystem, range) {
                Some(allowed) => {
                    let key = |text: &str| Version::parse(self.ecosystem, text);
                    let is_held = |one: &&Move| key(&one.from).is_none_or(|version| allowed.holds(version.key()));
                    self.moves.iter().filter(is_held).collect()
                }
                None => self.moves.iter().collect(),
            },
        };
        let to = highest(self.ecosystem, meant.iter().copied())?;
        Some((to, meant.iter().map(|one| one.from.clone()).collect()))
    }

    /// The highest of all versions to move to.
    pub(super) fn highest(&self) -> &str {
        highest(self.ecosystem, self.moves.iter()).unwrap_or_default()
    }

    /// The entry of a format in which every entry of the package is meant.
    pub(super) fn whole(&self) -> Entry {
        Entry {
            key: self.name.to_owned(),
            old: String::new(),
            to: self.highest().to_owned(),
            held: self.moves.iter().map(|one| one.from.clone()).collect(),
            is_kept: false,
            property: None,
        }
    }
}

fn highest<'m>(ecosystem: Ecosystem, moves: impl Iterator<Item = &'m Move>) -> Option<&'m str> {
    moves.map(|one| one.to.as_str()).max_by_key(|to| Version::parse(ecosystem, to))
}
