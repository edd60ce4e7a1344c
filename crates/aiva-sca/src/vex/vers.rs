//! Ranges of versions as purl-spec writes them for all ecosystems: `vers:npm/>=1.0.0|<2.0.0` (VERSION-RANGE-SPEC).
//!
//! Pure. Versions are compared as the ecosystem of the range compares them. A range of a scheme that is not known, or that breaks
//! the rules, holds nothing: it is an error that says why. Start reading at [`Range::parse`].

use crate::inventory::quote;
use crate::package::Ecosystem;
use crate::purl::decode;
use crate::version::{Order, Version};

/// A range of one scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Range {
    /// `*`.
    All,
    /// `vers:none/*`.
    None,
    /// Constraints by their version, which each has once.
    Of(Vec<(Version, Comparator)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparator {
    Is,
    IsNot,
    Below,
    UpTo,
    Above,
    From,
}

/// Why a range cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotRange {
    #[error("it does not begin with vers:SCHEME/")]
    Form,
    #[error("the order of versions of the scheme {} is not known", quote(.0))]
    Scheme(String),
    #[error("its scheme is {}, and the package is one of {}", quote(.scheme), quote(.kind))]
    Other { scheme: String, kind: String },
    #[error("{} is no version of the scheme", quote(.0))]
    Version(String),
    #[error("it names {} twice", quote(.0))]
    Twice(String),
    #[error("{} does not follow from what stands before it", quote(.0))]
    Sequence(String),
}

/// Reads a version as packages of this type of package URL have it.
pub(super) fn version(kind: &str, text: &str) -> Option<Version> {
    match kind {
        "deb" => Version::parse_in(Order::Debian, text),
        "rpm" => Version::parse_in(Order::Rpm, text),
        "apk" => Version::parse_in(Order::Alpine, text),
        _ => Version::parse(language(kind)?, text),
    }
}

fn language(kind: &str) -> Option<Ecosystem> {
    Ecosystem::LANGUAGES.into_iter().find(|known| known.purl_type() == kind)
}

impl Range {
    /// Reads a range about packages of this type of package URL.
    pub(super) fn parse(text: &str, kind: &str) -> Result<Self, NotRange> {
        let text: String = text.chars().filter(|one| !matches!(one, ' ' | '\t')).collect();
        let (scheme, constraints) =
            text.strip_prefix("vers:").and_then(|rest| rest.split_once('/')).ok_or(NotRange::Form)?;
        let constraints = constraints.trim_matches('|');
        // purl-spec's name for Alpine's scheme is not that of the package type.
        let known = if scheme == "alpine" { "apk" } else { scheme };
        match (known, constraints) {
            ("none", "*") => return Ok(Self::None),
            ("all", "*") => return Ok(Self::All),
            _ if !matches!(known, "deb" | "rpm" | "apk") && language(known).is_none() => {
                return Err(NotRange::Scheme(scheme.to_owned()));
            }
            _ if known != kind => {
                return Err(NotRange::Other { scheme: scheme.to_owned(), kind: kind.to_owned() });
            }
            (_, "*") => return Ok(Self::All),
            _ => {}
        }
        let mut all = Vec::new();
        for one in constraints.split('|').filter(|one| !one.is_empty()) {
            let (comparator, version) = constraint(one);
            let read = decode(version).and_then(|version| self::version(known, &version));
            let read = read.ok_or_else(|| NotRange::Version(version.to_owned()))?;
            all.push((read, comparator, one));
        }
        if all.is_empty() {
            return Err(NotRange::Form);
        }
        all.sort_by(|(one, ..), (other, ..)| one.key().cmp(other.key()));
        if let Some([_, (.., one)]) = all.array_windows().find(|[(one, ..), (other, ..)]| one.key() == other.key()) {
            return Err(NotRange::Twice((*one).to_owned()));
        }
        let bounds = all.iter().filter(|(_, comparator, _)| *comparator != Comparator::IsNot);
        let mut last = None;
        for (_, comparator, one) in bounds {
            if last.is_some_and(|last| !follows(last, *comparator)) {
                return Err(NotRange::Sequence((*one).to_owned()));
            }
            last = Some(*comparator);
        }
        Ok(Self::Of(all.into_iter().map(|(version, comparator, _)| (version, comparator)).collect()))
    }

    /// Whether a version is in the range.
    pub(super) fn holds(&self, version: &Version) -> bool {
        let constraints = match self {
            Self::All => return true,
            Self::None => return false,
            Self::Of(constraints) => constraints,
        };
        let mut has_bound = false;
        // Whether the versions since the last bound are in the range, as far as a bound has told.
        let mut is_in = None;
        for (bound, comparator) in constraints {
            match (comparator, version.key().cmp(bound.key())) {
                (Comparator::Is | Comparator::UpTo | Comparator::From, std::cmp::Ordering::Equal) => return true,
                (_, std::cmp::Ordering::Equal) => return false,
                (Comparator::IsNot, _) => continue,
                (Comparator::Is, _) => {}
                // Below a bound: what it ends is in, and what the last one began.
                (Comparator::Below | Comparator::UpTo, std::cmp::Ordering::Less) => return is_in.unwrap_or(true),
                (Comparator::Above | Comparator::From, std::cmp::Ordering::Less) => return false,
                (Comparator::Below | Comparator::UpTo, std::cmp::Ordering::Greater) => is_in = Some(false),
                (Comparator::Above | Comparator::From, std::cmp::Ordering::Greater) => is_in = Some(true),
            }
            has_bound = true;
        }
        // Exclusions alone leave everything else.
        is_in.unwrap_or(!has_bound)
    }
}

fn constraint(text: &str) -> (Comparator, &str) {
    const WRITTEN: [(&str, Comparator); 6] = [
        (">=", Comparator::From),
        ("<=", Comparator::UpTo),
        ("!=", Comparator::IsNot),
        ("<", Comparator::Below),
        (">", Comparator::Above),
        ("=", Comparator::Is),
    ];
    let written = WRITTEN.iter().find_map(|(written, one)| Some((*one, text.strip_prefix(written)?)));
    written.unwrap_or((Comparator::Is, text))
}

/// Whether a bound may stand behind another one: anything else is redundant, or empty.
fn follows(last: Comparator, next: Comparator) -> bool {
    let is_open = matches!(last, Comparator::Above | Comparator::From);
    let closes = matches!(next, Comparator::Below | Comparator::UpTo);
    is_open == closes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, kind: &str, within: &[&str], without: &[&str]) {
        let read = Range::parse(range, kind).unwrap();
        let holds = |text: &&str| read.holds(&version(kind, text).unwrap());
        for text in within {
            assert!(holds(text), "{text} is in {range}");
        }
        for text in without {
            assert!(!holds(text), "{text} is not in {range}");
        }
    }

    #[test]
    fn a_range_holds_what_the_specification_says() {
        check(
            "vers:npm/1.2.3|>=2.0.0|<5.0.0",
            "npm",
            &["1.2.3", "2.0.0", "4.9.9", "5.0.0-rc.1"],
            &["1.2.4", "1.0.0", "5.0.0"],
        );
        check("vers:npm/ >= 2.0.0 | < 5.0.0 |", "npm", &["3.0.0"], &["1.0.0"]);
        check("vers:npm/<5.0.0|>=2.0.0", "npm", &["3.0.0"], &["1.0.0", "6.0.0"]); // sorted here
        check("vers:npm/*", "npm", &["0.0.1", "9.0.0"], &[]);
        check("vers:all/*", "npm", &["0.0.1"], &[]);
        check("vers:none/*", "npm", &[], &["0.0.1"]);
        check("vers:npm/<2.0.0", "npm", &["1.9.9", "2.0.0-rc.1"], &["2.0.0", "3.0.0"]);
        check("vers:npm/>2.0.0", "npm", &["2.0.1"], &["2.0.0", "1.0.0"]);
        check("vers:npm/<=1.0.0|>=2.0.0", "npm", &["0.1.0", "1.0.0", "2.0.0", "3.0.0"], &["1.5.0"]);
        check("vers:npm/!=1.5.0", "npm", &["1.4.0", "1.6.0"], &["1.5.0"]);
        check("vers:gem/>=2.2.0|!= 2.2.1|<2.3.0", "gem", &["2.2.0", "2.2.2"], &["2.2.1", "2.3.0"]);
        check("vers:npm/1.0.0|2.0.0", "npm", &["1.0.0", "2.0.0"], &["1.5.0", "3.0.0"]);
        check("vers:npm/1.0.0|!=2.0.0", "npm", &["1.0.0"], &["1.5.0", "2.0.0"]);
        check("vers:npm/1.0.0|>3.0.0", "npm", &["1.0.0", "4.0.0"], &["2.0.0"]);
        check("vers:npm/<1.0.0|2.0.0", "npm", &["0.1.0", "2.0.0"], &["1.5.0", "3.0.0"]);
        check(
            "vers:maven/>=1.0.0-beta1|<=1.7.5|>=7.0.0-M1|<=7.0.7",
            "maven",
            &["1.0.0-beta1", "1.7.5", "7.0.0-M2"],
            &["1.0.0-alpha1", "2.0", "7.0.8"],
        );
        // Each ecosystem by its own order.
        check("vers:pypi/<1.10", "pypi", &["1.9", "1.10rc1"], &["1.10.0", "1.11"]);
        check("vers:golang/>=v1.2.0|<1.10.0", "golang", &["v1.9.0", "1.2.0"], &["v1.10.0"]);
        check("vers:deb/<1.0-1", "deb", &["1.0~rc1-1"], &["1:0.5-1"]);
        check("vers:deb/<1%3A1.0-1", "deb", &["1:0.5-1"], &["1:1.0-1"]);
        check("vers:alpine/<1.2-r1", "apk", &["1.2-r0"], &["1.2-r1"]);
    }

    #[test]
    fn what_breaks_the_rules_is_no_range() {
        for (range, want) in [
            ("npm/>=1.0.0", "it does not begin with vers:SCHEME/"),
            ("vers:npm", "it does not begin with vers:SCHEME/"),
            ("vers:npm/|", "it does not begin with vers:SCHEME/"),
            ("vers:generic/>=1.0|<2.0", r#"the order of versions of the scheme "generic" is not known"#),
            ("vers:NPM/1.0.0", r#"the order of versions of the scheme "NPM" is not known"#),
            ("vers:pypi/>=1.0", r#"its scheme is "pypi", and the package is one of "npm""#),
            ("vers:npm/>=", r#""" is no version of the scheme"#),
            ("vers:npm/1.0.0|*", r#""*" is no version of the scheme"#),
            ("vers:npm/>=one", r#""one" is no version of the scheme"#),
            ("vers:npm/>=1.0.0|<1.0.0", r#"it names "<1.0.0" twice"#),
            ("vers:npm/<1.0.0|<2.0.0", r#""<2.0.0" does not follow from what stands before it"#),
            ("vers:npm/>=1.0.0|2.0.0|<3.0.0", r#""2.0.0" does not follow from what stands before it"#),
            ("vers:npm/1.0.0|<3.0.0", r#""<3.0.0" does not follow from what stands before it"#),
        ] {
            assert_eq!(Range::parse(range, "npm").map_err(|error| error.to_string()), Err(want.to_owned()), "{range}");
        }
    }
}
