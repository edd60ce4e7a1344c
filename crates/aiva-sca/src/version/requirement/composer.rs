//! Composer's constraints (getcomposer.org/doc/articles/versions.md, `composer/semver`): `^`, `~`, wildcards, hyphens, `||`, and
//! stability flags, which say what may be chosen and not what lies in the range.
//!
//! A lower end without a stability begins at the release: what comes before it, Composer only takes where the constraint says so
//! (`@beta`, `^2.0-RC`) or the whole project allows it. Branches (`dev-main`, `1.x-dev`) are no versions.

use super::written::{before, between, compared, key, signed};
use super::{Place, Span, all_of, everything};
use crate::package::Ecosystem::Packagist;

const SIGNS: [&str; 10] = ["<>", "!=", ">=", "<=", "==", "=", ">", "<", "^", "~"];

/// The alternatives, of which one must hold.
pub(super) fn parse(text: &str) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    for alternative in text.split('|').filter(|part| !part.is_empty()) {
        spans.extend(all_of(all(alternative)?));
    }
    Some(spans)
}

fn all(text: &str) -> Option<Vec<Vec<Span>>> {
    if text.trim().is_empty() || text.contains(" as ") || text.contains("dev-") || text.contains("-dev") {
        return None;
    }
    if let Some((from, to)) = text.split_once(" - ") {
        return Some(vec![hyphen(from.trim(), to.trim())?]);
    }
    signed(text, &SIGNS)?.into_iter().map(|(sign, version)| one(sign, version)).collect()
}

fn one(sign: &str, written: &str) -> Option<Vec<Span>> {
    let (text, flag) = written.split_once('@').unwrap_or((written, ""));
    // `@dev` alone: any version, of that stability at least.
    if text.is_empty() && written.starts_with('@') {
        return Some(vec![everything()]);
    }
    let version = Written { flag: stability(flag), ..Written::parse(text)? };
    if version.is_wild {
        return (sign.is_empty() || sign == "=" || sign == "==").then(|| version.any()).flatten();
    }
    Some(match sign {
        "^" => between(version.lowest()?, Some(version.next(version.caret())?)),
        "~" => between(version.lowest()?, Some(version.next(version.numbers.len().saturating_sub(2))?)),
        "<" if version.suffix.is_empty() => between(everything().0, Some(before(Packagist, &version.with("dev"))?)),
        ">=" => between(version.lowest()?, None),
        "<>" => compared("!=", version.key()?),
        sign => compared(sign, version.key()?),
    })
}

/// The stability that a flag allows, as it is written behind a version; without one, and for one that nobody knows, none but a release's.
fn stability(flag: &str) -> &'static str {
    ["dev", "alpha", "beta", "RC"].into_iter().find(|word| word.eq_ignore_ascii_case(flag)).unwrap_or("")
}

/// `1.0 - 2.0`: the right end means all that it can stand for.
fn hyphen(from: &str, to: &str) -> Option<Vec<Span>> {
    let (from, to) = (Written::parse(from)?, Written::parse(to)?);
    if from.is_wild || to.is_wild {
        return None;
    }
    let end = match to.numbers.len() {
        given @ 1..3 if to.suffix.is_empty() => to.next(given - 1)?,
        _ => (to.key()?, true),
    };
    Some(between(from.lowest()?, Some(end)))
}

/// A version as it is written: up to four numbers, then a stability.
struct Written {
    numbers: Vec<u64>,
    suffix: String,
    is_wild: bool,
    /// What may come before it, if that is said apart from it.
    flag: &'static str,
}

impl Written {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        let text = text.split('+').next().unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (core, rest) = text.split_at(end);
        let is_wild = matches!(rest, "*" | "x" | "X") || rest.split('.').all(|part| matches!(part, "*" | "x" | "X"));
        let core = core.trim_end_matches('.');
        let numbers: Option<Vec<u64>> =
            core.split('.').filter(|part| !(part.is_empty() && is_wild)).map(|part| part.parse().ok()).collect();
        let suffix = if is_wild { "" } else { rest.trim_start_matches(['-', '_', '.']) };
        let is_known = suffix.is_empty()
            || ["stable", "beta", "b", "rc", "alpha", "a", "patch", "pl", "p"]
                .iter()
                .any(|word| suffix.to_lowercase().starts_with(word));
        let numbers = numbers.filter(|numbers| numbers.len() <= 4 && is_known && (is_wild || !numbers.is_empty()))?;
        let suffix = if suffix.eq_ignore_ascii_case("stable") { String::new() } else { suffix.to_owned() };
        Some(Self { numbers, suffix, is_wild, flag: "" })
    }

    fn with(&self, suffix: &str) -> String {
        written(&self.numbers, suffix)
    }

    fn key(&self) -> Option<Vec<u8>> {
        key(Packagist, &self.with(&self.suffix))
    }

    fn padded(&self, count: usize) -> Vec<u64> {
        let zeros = std::iter::repeat(&0);
        self.numbers.iter().chain(zeros).take(count.max(self.numbers.len())).copied().collect()
    }

    /// Just before the version, or before what of it a flag allows.
    fn lowest(&self) -> Option<Place> {
        let suffix = if self.suffix.is_empty() { self.flag } else { &self.suffix };
        before(Packagist, &self.with(suffix))
    }

    /// Just before the version with the number at this place one higher.
    fn next(&self, place: usize) -> Option<Place> {
        let mut numbers: Vec<u64> = self.padded(place + 1).into_iter().take(place + 1).collect();
        let last = numbers.last_mut()?;
        *last = last.checked_add(1)?;
        before(Packagist, &written(&numbers, "dev"))
    }

    /// The place of the number that `^` holds on to.
    fn caret(&self) -> usize {
        let given = self.numbers.len().min(3);
        let first = self.numbers.iter().take(3).position(|number| *number != 0);
        first.unwrap_or(given.saturating_sub(1))
    }

    fn any(&self) -> Option<Vec<Span>> {
        let Some(place) = self.numbers.len().checked_sub(1) else { return Some(vec![everything()]) };
        Some(between(self.lowest()?, Some(self.next(place)?)))
    }
}

fn written(numbers: &[u64], suffix: &str) -> String {
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    let dash = if suffix.is_empty() { "" } else { "-" };
    format!("{}{dash}{suffix}", numbers.join("."))
}
