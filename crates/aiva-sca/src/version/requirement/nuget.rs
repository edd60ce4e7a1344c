//! NuGet's version ranges (learn.microsoft.com/nuget/concepts/package-versioning): intervals in brackets, a bare version as the
//! lowest that will do, and floating versions (`1.*`, `1.0.0-*`, `*-*`).

use super::Span;
use super::written::{before, between, bracketed, key};
use crate::package::Ecosystem::NuGet;

pub(super) fn parse(text: &str) -> Option<Vec<Span>> {
    let text = text.trim();
    if text.starts_with(['[', '(']) {
        // Only the lower end may float; it stands for the lowest that it matches.
        return bracketed(
            NuGet,
            text,
            |text| if text.contains('*') { floating(text)?.0.0.into() } else { key(NuGet, text) },
        );
    }
    if text.contains('*') {
        return Some(vec![floating(text)?]);
    }
    Some(vec![((key(NuGet, text)?, false), None)])
}

/// What a floating version matches.
fn floating(text: &str) -> Option<Span> {
    let (core, pre) = text.split_once('-').map_or((text, None), |(core, pre)| (core, Some(pre)));
    let Some(prefix) = core.strip_suffix('*') else {
        // `1.0.0-rc*`: the pre-releases that begin so, and the release behind them.
        let start = pre?.strip_suffix('*')?;
        let start = start.trim_end_matches(['.', '-']);
        let first = if start.is_empty() || start.contains('*') { "0" } else { start };
        let from = before(NuGet, &format!("{core}-{first}"))?;
        return between(from, Some((key(NuGet, core)?, true))).pop();
    };
    if pre.is_some_and(|pre| !pre.ends_with('*')) {
        return None;
    }
    // With `-*` pre-releases count as well; what a range holds too much does no harm.
    let lowest = |numbers: &str| before(NuGet, &format!("{numbers}{}", if pre.is_some() { "-0" } else { "" }));
    if prefix.is_empty() {
        return between(lowest("0.0.0")?, None).pop();
    }
    let numbers = prefix.strip_suffix('.')?;
    let (head, last) = numbers.rsplit_once('.').map_or(("", numbers), |(head, last)| (head, last));
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    let dot = if head.is_empty() { "" } else { "." };
    let after = before(NuGet, &format!("{head}{dot}{next}-0"))?;
    between(lowest(numbers)?, Some(after)).pop()
}
