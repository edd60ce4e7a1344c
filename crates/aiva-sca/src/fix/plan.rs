//! What a plan says: the edits, the commands after them, and what stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::ranges::{RangeKey, Ranges};

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Manifests to rewrite, by path.
    pub edits: Vec<Edit>,
    /// Commands to run afterwards, each in a folder.
    pub commands: Vec<Run>,
    /// What is not cleared, or not known to be.
    pub remaining: Vec<Remaining>,
    /// Overrides that would clear some of that, which nobody makes but the reader.
    pub instead: Vec<Instead>,
    /// What became of the ranges that can resolve to an affected version and that could be raised.
    pub ranges: Ranges,
    /// The ranges among them all that a list of the same file narrows, each with what is written and what narrows it.
    pub narrowed: BTreeMap<RangeKey, (String, String)>,
}

/// A manifest before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Relative to the scan's root.
    pub path: String,
    /// As it is.
    pub before: String,
    /// As it should be.
    pub after: String,
    /// What changes.
    pub bumps: Vec<Bump>,
}

/// One package that moves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bump {
    /// The package.
    pub name: String,
    /// Versions that are there now, or ranges as written.
    pub from: Vec<String>,
    /// The versions to move to, the highest last: entries of a package may each have one of their own.
    pub to: Vec<String>,
    /// The findings that are gone then.
    pub clears: Vec<String>,
    /// What else the edit changes: upper bounds that go.
    pub drops: Vec<String>,
    /// Findings of which some go, and others of the same names stay.
    pub eases: Vec<String>,
    /// Findings of which nothing here proves that they go.
    pub may: Vec<String>,
    /// Packages that move along, because their version is the same property, or stands in the same element.
    pub along: Few,
    /// Those of them, each with its version, of which nothing here says that it is there.
    pub unknown: Few,
}

/// The first of many names.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Few {
    /// Some of them, or all.
    pub names: Vec<String>,
    /// How many there are besides.
    pub more: usize,
    /// Whether there may be more than that: not all were counted.
    pub is_least: bool,
}

impl Few {
    /// How many are named.
    pub(super) const MOST: usize = 5;

    /// Of so many names the first.
    pub(super) fn of(names: impl Iterator<Item = String>, all: usize) -> Self {
        let names: Vec<String> = names.take(Self::MOST).collect();
        Self { more: all.saturating_sub(names.len()), names, is_least: false }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl fmt::Display for Few {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.names.join(", "))?;
        let least = if self.is_least { "at least " } else { "" };
        if self.more > 0 { write!(f, " and {least}{} more", self.more) } else { Ok(()) }
    }
}

/// A command that moves a lockfile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The folder, relative to the scan's root; empty for the root itself.
    pub folder: String,
    /// The command line.
    pub command: String,
    /// The findings that are gone then, where no manifest changes for them.
    pub clears: Vec<String>,
    /// What the project asks for itself that brings those in, where the lockfile tells.
    pub brought_by: Vec<String>,
}

/// An override for those whose own requirement keeps a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instead {
    /// The manifest to put it into.
    pub path: String,
    /// As it stands there: `"overrides":{"x":{"a":"1.2.6"}}`.
    pub written: String,
    /// The findings that go with the old version.
    pub clears: Vec<String>,
    /// What it goes against: `x 2.0.0 asks for a ~1.1.0`.
    pub held: BTreeSet<String>,
}

/// Findings that stay, or may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remaining {
    /// The file.
    pub path: String,
    /// The package and its version.
    pub package: String,
    /// The findings.
    pub ids: Vec<String>,
    /// Where the file names them.
    pub lines: Vec<u32>,
    /// How sure that is.
    pub stay: Stay,
    /// Why they stay.
    pub reason: String,
}

/// Whether findings stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stay {
    /// They do.
    Surely,
    /// What brings them moves with a step of the plan; whether they go with it, nothing here says.
    Follows,
    /// Nothing here proves that they go.
    Perhaps,
}
