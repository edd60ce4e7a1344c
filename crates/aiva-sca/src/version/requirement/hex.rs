//! Hex's requirements (Elixir's `Version` module): comparisons joined by `and` and `or`, of which `and` binds closer, and `~>`,
//! after which alone the last number may be left out.

use super::written::{before, between, compared, key, signed};
use super::{Span, all_of};
use crate::package::Ecosystem::Hex;

const SIGNS: [&str; 7] = ["~>", ">=", "<=", "==", "!=", ">", "<"];

/// The alternatives, of which one must hold.
pub(super) fn parse(text: &str) -> Option<Vec<Span>> {
    if text.trim().is_empty() {
        return Some(vec![super::everything()]);
    }
    let mut spans = Vec::new();
    for alternative in joined_by(text, "or") {
        let all: Option<Vec<Vec<Span>>> = joined_by(&alternative, "and").iter().map(|part| one(part)).collect();
        spans.extend(all_of(all?));
    }
    Some(spans)
}

/// The parts between a word.
fn joined_by(text: &str, word: &str) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.split(|one| *one == word).map(|part| part.join(" ")).collect()
}

fn one(text: &str) -> Option<Vec<Span>> {
    let pairs = signed(text, &SIGNS)?;
    let [(sign, version)] = pairs.as_slice() else { return None };
    let core = version.split(['-', '+']).next()?;
    let numbers: Vec<u64> = core.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match (*sign, numbers.as_slice()) {
        ("~>", [major, minor, _]) => close_to(version, &format!("{major}.{}.0-0", minor.checked_add(1)?)),
        ("~>", [major, minor]) => {
            let whole = version.replacen(core, &format!("{major}.{minor}.0"), 1);
            close_to(&whole, &format!("{}.0.0-0", major.checked_add(1)?))
        }
        ("~>", _) => None,
        (sign, [_, _, _]) => Some(compared(sign, key(Hex, version)?)),
        _ => None,
    }
}

fn close_to(from: &str, to: &str) -> Option<Vec<Span>> {
    Some(between(before(Hex, from)?, Some(before(Hex, to)?)))
}
