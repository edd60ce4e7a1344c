//! The commonest requirements answered by their numbers alone: `^1.2.3` of npm, `1.2` of Cargo, `>=1.2,<2` of Python, held against a
//! version that is nothing but numbers.
//!
//! It says what the spans say (a property holds the two against each other) at a small part of the cost, and says nothing where
//! either is more than that.

use std::cmp::Ordering;

use crate::package::Ecosystem;

/// The most digits of a number that surely fits.
const MOST_DIGITS: usize = 15;

/// Whether a version is allowed; `None` where that is for the spans to tell.
pub(super) fn holds(ecosystem: Ecosystem, requirement: &str, version: &str) -> Option<bool> {
    match ecosystem {
        Ecosystem::Npm | Ecosystem::CratesIo => semver(ecosystem, requirement.trim(), version),
        Ecosystem::PyPi => {
            // Every part is read, so that none of them can be malformed.
            let parts = requirement.split(',').map(|part| specifier(part.trim(), version));
            parts.reduce(|all, one| Some(all? & one?))?
        }
        _ => None,
    }
}

/// Numbers with dots between, and how many there are; those left out are zero.
fn numbers(text: &str) -> Option<([u64; 3], usize)> {
    let (mut numbers, mut given, mut number, mut digits) = ([0; 3], 0, 0_u64, 0);
    for byte in text.bytes().chain([b'.']) {
        match byte {
            b'0'..=b'9' if digits < MOST_DIGITS => {
                number = number * 10 + u64::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 => {
                *numbers.get_mut(given)? = number;
                given += 1;
                (number, digits) = (0, 0);
            }
            _ => return None,
        }
    }
    Some((numbers, given))
}

fn semver(ecosystem: Ecosystem, requirement: &str, version: &str) -> Option<bool> {
    let (sign, rest) = match requirement.as_bytes().first()? {
        sign @ (b'^' | b'~' | b'=') => (*sign, requirement.get(1..)?),
        _ if ecosystem == Ecosystem::CratesIo => (b'^', requirement),
        _ => (b'=', requirement),
    };
    let (asked, given) = numbers(rest)?;
    let (version, 3) = numbers(version)? else { return None };
    // The numbers that must stay as they are.
    let fixed = match sign {
        b'^' => asked.iter().position(|number| *number != 0).unwrap_or(given - 1).min(given - 1) + 1,
        b'~' => given.min(2),
        _ => given,
    };
    Some(version >= asked && version.iter().zip(&asked).take(fixed).all(|(one, other)| one == other))
}

/// One of PEP 440's comparisons.
fn specifier(part: &str, version: &str) -> Option<bool> {
    let sign = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|sign| part.starts_with(sign))?;
    let (asked, _) = numbers(part.get(sign.len()..)?.trim_start())?;
    let (version, _) = numbers(version)?;
    let order = version.cmp(&asked);
    Some(match sign {
        "==" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        "<=" => order != Ordering::Greater,
        ">=" => order != Ordering::Less,
        "<" => order == Ordering::Less,
        _ => order == Ordering::Greater,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::version::{Requirement, Version};

    fn agrees(ecosystem: Ecosystem, requirement: &str, version: &str) -> Result<bool, TestCaseError> {
        let Some(plain) = holds(ecosystem, requirement, version) else { return Ok(false) };
        let spans = Requirement::parse(ecosystem, requirement);
        let key = Version::parse(ecosystem, version);
        prop_assert!(key.is_some(), "{version} is a version");
        // A requirement that nothing can satisfy has no spans.
        let theirs = spans.is_some_and(|spans| key.is_some_and(|key| spans.holds(key.key())));
        prop_assert_eq!(plain, theirs, "{} in {}", version, requirement);
        Ok(true)
    }

    #[test]
    fn what_is_plain_is_answered_here() {
        for (ecosystem, requirement, version, want) in [
            (Ecosystem::Npm, "^1.2.3", "1.4.0", Some(true)),
            (Ecosystem::Npm, "^0.0", "0.0.7", Some(true)),
            (Ecosystem::Npm, "1.2.3", "1.4.0", Some(false)),
            (Ecosystem::Npm, "^1.2.3", "1.4.0-rc.1", None),
            (Ecosystem::Npm, "^1.2.3 || ^2", "1.4.0", None),
            (Ecosystem::Npm, "latest", "1.4.0", None),
            (Ecosystem::Npm, "", "1.4.0", None),
            (Ecosystem::CratesIo, "1.2", "1.4.0", Some(true)),
            (Ecosystem::CratesIo, "0.2", "0.4.0", Some(false)),
            (Ecosystem::PyPi, ">=1.2, <2", "1.10", Some(true)),
            (Ecosystem::PyPi, "==1.0", "1.0.0", Some(true)),
            (Ecosystem::PyPi, ">=1.2,x", "1.10", None),
            (Ecosystem::PyPi, "==1.*", "1.10", None),
            (Ecosystem::Maven, "1", "1", None),
        ] {
            assert_eq!(holds(ecosystem, requirement, version), want, "{version} in {requirement}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_says_what_the_spans_say(
            start in "[\\^~=]? ?0?[0-2](\\.[0-2]){0,3}",
            python in "(==|!=|<=|>=|<|>) ?[0-2](\\.[0-2]){0,2}(,(!=|<|>=)[0-2]\\.[0-2])?",
            version in "[0-2](\\.[0-2]){0,3}",
        ) {
            agrees(Ecosystem::Npm, &start, &version)?;
            agrees(Ecosystem::CratesIo, &start, &version)?;
            agrees(Ecosystem::PyPi, &python, &version)?;
        }

        #[test]
        fn whatever_is_written(
            start in "[\\^~=<> v0-9.x*,|+a-]{0,8}",
            version in "[0-9.a+-]{1,6}",
        ) {
            for ecosystem in [Ecosystem::Npm, Ecosystem::CratesIo, Ecosystem::PyPi] {
                agrees(ecosystem, &start, &version)?;
            }
        }
    }
}
