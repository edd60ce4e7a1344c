//! RubyGems' requirements (`Gem::Requirement`): comparisons that must all hold, and `~>`.

use super::Span;
use super::written::{before, between, compared, key, signed};
use crate::package::Ecosystem::RubyGems;

const SIGNS: [&str; 7] = ["~>", ">=", "<=", "!=", "=", ">", "<"];

pub(super) fn parse(text: &str) -> Option<Vec<Vec<Span>>> {
    let pairs = signed(text, &SIGNS)?;
    pairs
        .into_iter()
        .map(
            |(sign, version)| {
                if sign == "~>" { close_to(version) } else { Some(compared(sign, key(RubyGems, version)?)) }
            },
        )
        .collect()
}

/// `~> 2.2.0` is 2.2.0 and above, below 2.3: the last number of the release may grow (`Gem::Version#bump`).
fn close_to(version: &str) -> Option<Vec<Span>> {
    let release: Vec<u64> = version.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
    let kept = release.len().saturating_sub(1).max(1);
    let mut bumped: Vec<String> = release.iter().take(kept).map(u64::to_string).collect();
    let last = release.get(kept - 1)?.checked_add(1)?;
    *bumped.last_mut()? = last.to_string();
    // Pre-releases of the next release are beyond it: letters sort below every number, `A` below all of them.
    let beyond = before(RubyGems, &format!("{}.A.A.A", bumped.join(".")))?;
    Some(between(before(RubyGems, version)?, Some(beyond)))
}
