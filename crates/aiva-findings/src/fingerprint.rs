//! Tells which finding an observation belongs to, so that its life outlasts new versions, moved lines and new aliases.
//!
//! A fingerprint is a hash over guard, service, path, package name and *one* name of the advisory: the one that is most
//! likely to have been there first. That alone is right wherever nothing is stored (`aiva scan`). Where findings are
//! stored, names decide before the hash does: an observation that shares any name with a finding known at the same place
//! is that finding, and keeps its first fingerprint for good; see [`Known`].
//!
//! Pure. Start reading at [`Known::resolve`].

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The stable identity of a finding: 128 bits, written as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

/// Where a finding is, as far as its identity goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place<'a> {
    /// The guard's word.
    pub guard: &'a str,
    /// The service; empty where there is none.
    pub service: &'a str,
    /// The input, relative to the scan's root.
    pub path: &'a str,
    /// The package's or resource's name.
    pub package: &'a str,
}

impl Fingerprint {
    /// The fingerprint of an advisory at a place, by any order of its names.
    pub fn new<'n>(place: Place<'_>, names: impl Iterator<Item = &'n str>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"aiva.fingerprint/1");
        for part in [place.guard, place.service, place.path, place.package, lead(names)] {
            // Lengths keep `ab` + `c` apart from `a` + `bc`.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(bytes)
    }
}

/// The name that is most likely to have been there first. A record's own database gives its id at once and never takes it
/// back; a CVE often comes weeks later, so it comes last although it is what people are shown.
fn lead<'n>(names: impl Iterator<Item = &'n str>) -> &'n str {
    const OLDEST_FIRST: [&str; 7] = ["RUSTSEC-", "GO-", "MAL-", "GHSA-", "PYSEC-", "OSV-", "CVE-"];
    let rank =
        |name: &str| OLDEST_FIRST.iter().position(|prefix| name.starts_with(prefix)).unwrap_or(OLDEST_FIRST.len());
    names.min_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b))).unwrap_or_default()
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let digit = |four: u8| char::from(DIGITS[usize::from(four & 0xf)]);
        let mut text = String::with_capacity(32);
        self.0.iter().for_each(|byte| text.extend([digit(byte >> 4), digit(*byte)]));
        f.write_str(&text)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Not 32 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 32 lower-case hex digits")]
pub struct MalformedFingerprint;

impl FromStr for Fingerprint {
    type Err = MalformedFingerprint;

    fn from_str(text: &str) -> Result<Self, MalformedFingerprint> {
        let digits = text.as_bytes();
        if digits.len() != 32 || !digits.iter().all(|d| d.is_ascii_digit() || (b'a'..=b'f').contains(d)) {
            return Err(MalformedFingerprint);
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| MalformedFingerprint)
    }
}

/// The findings that are known at one place, by every name that they ever had.
#[derive(Debug, Clone, Default)]
pub struct Known {
    by_name: HashMap<String, (u64, Fingerprint)>,
}

impl Known {
    /// Adds a finding under one of its names; `age` orders findings, the oldest is the smallest.
    pub fn insert(&mut self, name: impl Into<String>, age: u64, finding: Fingerprint) {
        self.by_name.insert(name.into(), (age, finding));
    }

    /// The finding that an observation with these names belongs to: the oldest that shares a name, else a new one.
    ///
    /// Every name belongs to that finding from now on, also those that another finding had: when an advisory turns out to
    /// be an alias of another, the younger finding is no longer observed and the next complete scan closes it.
    pub fn resolve<'n>(&self, place: Place<'_>, names: impl Iterator<Item = &'n str> + Clone) -> Fingerprint {
        let oldest = names.clone().filter_map(|name| self.by_name.get(name)).min();
        oldest.map_or_else(|| Fingerprint::new(place, names), |(_, finding)| *finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: Place<'_> = Place { guard: "sca", service: "pay", path: "Cargo.lock", package: "time" };

    fn of(names: &[&str]) -> Fingerprint {
        Fingerprint::new(PLACE, names.iter().copied())
    }

    #[test]
    fn a_cve_that_comes_later_changes_nothing() {
        assert_eq!(of(&["RUSTSEC-2020-0071"]), of(&["CVE-2020-26235", "RUSTSEC-2020-0071", "GHSA-wcg3-cvx6-7396"]));
        assert_eq!(of(&["GHSA-a"]), of(&["CVE-2026-1", "GHSA-a", "PYSEC-2026-1"]));
        assert_ne!(of(&["GHSA-a"]), of(&["GHSA-b"]));
    }

    #[test]
    fn a_fingerprint_is_the_same_in_every_release() {
        // Stored everywhere: whoever changes this number breaks the history of every installation.
        assert_eq!(of(&["RUSTSEC-2020-0071"]).to_string(), "efdc839502362df3fc88375f8fb8097c");
    }

    #[test]
    fn only_its_own_spelling_is_read() {
        let good = of(&["x"]).to_string();
        assert_eq!(good.parse(), Ok(of(&["x"])));
        for bad in [&good[1..], &good.to_uppercase(), "", "+0000000000000000000000000000000"] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(MalformedFingerprint), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn order_and_shown_name_do_not_matter(mut names in prop::collection::vec("(CVE|GHSA|RUSTSEC|X)-[a-c]{1,2}", 1..6)) {
            let before = Fingerprint::new(PLACE, names.iter().map(String::as_str));
            names.reverse();
            prop_assert_eq!(before, Fingerprint::new(PLACE, names.iter().map(String::as_str)));
        }

        /// Whatever names an advisory gathers over time, it stays the finding that it was, as long as it keeps one.
        #[test]
        fn a_growing_advisory_stays_one_finding(rounds in prop::collection::vec(prop::collection::vec("[A-Z]{1,2}-[0-9]", 1..4), 1..8)) {
            let mut known = Known::default();
            let mut names: Vec<String> = rounds[0].clone();
            let first = known.resolve(PLACE, names.iter().map(String::as_str));
            for more in rounds {
                names.splice(0..0, more);
                let found = known.resolve(PLACE, names.iter().map(String::as_str));
                prop_assert_eq!(found, first);
                names.iter().for_each(|name| known.insert(name.clone(), 1, found));
            }
        }

        #[test]
        fn when_two_become_one_the_older_stays(a in "[A-M]-[0-9]{1,3}", b in "[N-Z]-[0-9]{1,3}") {
            let mut known = Known::default();
            let (older, younger) = (Fingerprint::new(PLACE, [a.as_str()].into_iter()), Fingerprint::new(PLACE, [b.as_str()].into_iter()));
            known.insert(a.clone(), 1, older);
            known.insert(b.clone(), 2, younger);
            prop_assert_eq!(known.resolve(PLACE, [b.as_str(), a.as_str()].into_iter()), older);
        }

        #[test]
        fn parts_do_not_run_together(path in "[a-c]{1,3}", package in "[a-c]{1,3}", cut in 1usize..3) {
            let joined = format!("{path}{package}");
            let (other_path, other_package) = joined.split_at(cut.min(joined.len() - 1));
            prop_assume!(other_path != path);
            let at = |path, package| Fingerprint::new(Place { path, package, ..PLACE }, ["X"].into_iter());
            prop_assert_ne!(at(&path, &package), at(other_path, other_package));
        }
    }
}
