//! What is out of the ordinary about a package: signs that the rules of the supply chain go by.

use std::fmt;

use smol_str::SmolStr;

use super::{Ecosystem, Source};

/// Something out of the ordinary that a file says of one of its packages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sign {
    /// Whose names and versions apply.
    pub ecosystem: Ecosystem,
    /// The package's name.
    pub name: SmolStr,
    /// Its version; empty where the file has none.
    pub version: SmolStr,
    /// The line that names it, from 1.
    pub line: u32,
    /// What it is.
    pub fact: Fact,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file, below the scan's root.
    pub path: String,
    /// The line, from 1; 0 where it is not known.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.path),
            line => write!(f, "{}:{line}", self.path),
        }
    }
}

/// What a lockfile has where its manifest asks for something else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Locked {
    /// This version, which is not one of those that the manifest allows.
    Version(String),
    /// A version that the manifest allows, chosen when it still had this requirement.
    Requirement(String),
    /// A version that only something else needs: the manifest did not ask for it when the lockfile was written.
    Unasked,
}

/// What is out of the ordinary.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fact {
    /// Installing it runs a script of its own.
    InstallScript,
    /// Its authors tell users to stop, in these words.
    Deprecated(String),
    /// Nothing says what its archive must hash to.
    NoIntegrity,
    /// Only a broken hash function says so.
    WeakIntegrity(&'static str),
    /// It comes over a connection that anybody on the way can change.
    PlainHttp {
        /// From where, without credentials.
        address: String,
        /// Whether a good hash would notice.
        is_checked: bool,
    },
    /// It comes from a git repository without saying which commit.
    MovingGit(String),
    /// A workflow runs it by a branch or a tag, not by a commit.
    MovingAction(String),
    /// Its archive is that of another package or version of the same registry.
    Elsewhere(String),
    /// It stands in the lockfile under this name of another package, and nobody asks for that.
    Renamed(String),
    /// The manifest asks for it, and the lockfile does not have it.
    NotLocked {
        /// Where the manifest does, or the file that says it for the manifest.
        manifest: Place,
        /// What it asks for.
        asked: String,
    },
    /// The manifest asks for something else than what the lockfile has.
    LockedOtherwise {
        /// Where the manifest does, or the file that says it for the manifest.
        manifest: Place,
        /// What it asks for.
        asked: String,
        /// What the lockfile has in its place.
        has: Locked,
    },
    /// The manifest takes it from elsewhere than the public registry.
    Outside(Source),
}
