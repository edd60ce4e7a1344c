//! Versions as order-preserving byte keys: comparing two keys byte by byte is comparing the versions.
//!
//! One total order per ecosystem: semver for crates.io and Go, node-semver's loose reading for npm, PEP 440 for PyPI. The index
//! stores keys, so that a match is a memory comparison. A text that an ecosystem's rules cannot order is `None`, never a guess.
//! Keys of different ecosystems must not be compared. Numbers may be of any size.
//!
//! Start reading at [`Version::parse`].

mod key;
mod pep440;
mod semver;

use crate::package::Ecosystem;

/// Longer texts are no versions; the limit is node-semver's and keeps a hostile file from making large keys.
pub const MAX_LENGTH: usize = 256;

/// A version that its ecosystem can order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    key: Vec<u8>,
    /// The key without the local part (`+cu117`) of a PyPI version that has one.
    public: Option<Vec<u8>>,
}

impl Version {
    /// Reads a version as a lockfile or an advisory writes it; `None` where the ecosystem's rules do not order it.
    ///
    /// A leading `v` or `=` is passed over, missing minor and patch numbers are zero, build metadata does not count. Go also
    /// knows its release tags: `go1.21rc2` is `1.21.0-rc.2`.
    pub fn parse(ecosystem: Ecosystem, text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_LENGTH {
            return None;
        }
        match ecosystem {
            Ecosystem::CratesIo => semver::strict(text).map(Self::of_key),
            Ecosystem::Npm => semver::loose(text).map(Self::of_key),
            Ecosystem::Go => semver::go(text).map(Self::of_key),
            Ecosystem::PyPi => pep440::parse(text).map(|(key, public)| Self { key, public }),
        }
    }

    /// The bytes that order this version among its ecosystem's.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The key of the version without its local part, if it has one. `1.2+cu117` comes after `1.2`, yet is built from it: where
    /// an advisory names `1.2` itself, both are meant (PEP 440, "Version matching").
    pub fn public_key(&self) -> Option<&[u8]> {
        self.public.as_deref()
    }

    fn of_key(key: Vec<u8>) -> Self {
        Self { key, public: None }
    }
}

#[cfg(test)]
mod tests;
