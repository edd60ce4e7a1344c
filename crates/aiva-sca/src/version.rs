//! Versions as order-preserving byte keys: comparing two keys byte by byte is comparing the versions.
//!
//! One total order per ecosystem, that of the tool that installs from it ([`Order`]). The index stores keys, so that a match is a
//! memory comparison. A text that an ecosystem's rules cannot order is `None`, never a guess. Keys of different orders must not
//! be compared. Numbers may be of any size.
//!
//! Start reading at [`Version::parse`].

mod alpine;
mod debian;
mod dotted;
mod key;
mod listing;
mod maven;
mod order;
mod packagist;
mod pep440;
mod requirement;
mod rpm;
mod rubygems;
mod semver;

use crate::package::Ecosystem;

pub use listing::{Checked, Miss};
pub use order::Order;
pub use requirement::{Place, Requirement, Span};

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
    /// knows its release tags: `go1.21rc2` is `1.21.0-rc.2`. Of Packagist all spellings that Composer takes for one version are one.
    pub fn parse(ecosystem: Ecosystem, text: &str) -> Option<Self> {
        let text = text.trim();
        if ecosystem == Ecosystem::PyPi && text.len() <= MAX_LENGTH {
            // Texts from before PEP 440 can be ordered, but no installer of today takes one, so nothing is concluded from it.
            return pep440::parse(text).map(|(key, public)| Self { key, public });
        }
        Self::parse_in(ecosystem.order(), text)
    }

    /// Reads a version in this order; see [`Version::parse`].
    pub fn parse_in(order: Order, text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_LENGTH {
            return None;
        }
        match order {
            Order::Semver => semver::strict(text),
            Order::Npm => semver::loose(text),
            Order::Go => semver::go(text),
            Order::Pep440 => {
                return match pep440::parse(text) {
                    Some((key, public)) => Some(Self { key, public }),
                    None => pep440::legacy(text).map(Self::of_key),
                };
            }
            Order::Maven => maven::parse(text),
            Order::Pub => semver::dart(text),
            Order::NuGet => semver::nuget(text),
            Order::RubyGems => rubygems::parse(text),
            Order::Packagist => packagist::parse(text),
            Order::Hackage => dotted::numbers(text, &['.']),
            Order::Cran => dotted::numbers(text, &['.', '-']),
            Order::Conan => dotted::conan(text),
            Order::Debian => debian::parse(text),
            Order::Rpm => rpm::parse(text),
            Order::Alpine => alpine::parse(text),
        }
        .map(Self::of_key)
    }

    /// Appends the bytes that order a version, as [`Version::parse`] makes them, to some that are there already: for long lists,
    /// most of which need not be kept. `false`, and nothing appended, where it makes none.
    pub(crate) fn push_key(ecosystem: Ecosystem, text: &str, key: &mut Vec<u8>) -> bool {
        // Nearly none has blanks around it, and Unicode has many kinds of them.
        let is_bare =
            [text.as_bytes().first(), text.as_bytes().last()].iter().all(|end| end.is_some_and(u8::is_ascii_graphic));
        let text = if is_bare { text } else { text.trim() };
        if ecosystem != Ecosystem::PyPi || text.len() > MAX_LENGTH {
            return Self::parse(ecosystem, text).map(|version| key.extend_from_slice(&version.key)).is_some();
        }
        let start = key.len();
        let is_version = pep440::push(key, text).is_some();
        if !is_version {
            key.truncate(start);
        }
        is_version
    }

    /// The bytes that order this version among its ecosystem's.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// [`Self::key`], to keep.
    pub(crate) fn into_key(self) -> Vec<u8> {
        self.key
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
