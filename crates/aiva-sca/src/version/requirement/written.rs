//! What the syntaxes of ranges share: a comparison as spans, signs before versions, and ranges in brackets.

use super::super::Version;
use super::{Place, Span, everything};
use crate::package::Ecosystem;

/// The key of a version.
pub(super) fn key(ecosystem: Ecosystem, text: &str) -> Option<Vec<u8>> {
    Version::parse(ecosystem, text).map(|version| version.key().to_vec())
}

/// Just before a version.
pub(super) fn before(ecosystem: Ecosystem, text: &str) -> Option<Place> {
    Some((key(ecosystem, text)?, false))
}

/// From one place up to another; nothing where they are the wrong way round.
pub(super) fn between(from: Place, to: Option<Place>) -> Vec<Span> {
    if to.as_ref().is_none_or(|to| from < *to) { vec![(from, to)] } else { Vec::new() }
}

/// `<`, `<=`, `>`, `>=`, `!=` and, with any other sign, the version itself.
pub(super) fn compared(sign: &str, key: Vec<u8>) -> Vec<Span> {
    let start = || (Vec::new(), false);
    match sign {
        "<" => between(start(), Some((key, false))),
        "<=" => between(start(), Some((key, true))),
        ">" => vec![((key, true), None)],
        ">=" => vec![((key, false), None)],
        "!=" => {
            let mut around = between(start(), Some((key.clone(), false)));
            around.push(((key, true), None));
            around
        }
        _ => vec![((key.clone(), false), Some((key, true)))],
    }
}

/// `>= 1.0, <2` as pairs of a sign and a version; `None` where a version is missing. Longer signs come first in `signs`.
pub(super) fn signed<'t>(text: &'t str, signs: &[&'static str]) -> Option<Vec<(&'static str, &'t str)>> {
    let is_gap = |c: char| c.is_whitespace() || c == ',';
    let mut pairs = Vec::new();
    let mut rest = text.trim_matches(is_gap);
    while !rest.is_empty() {
        let sign = signs.iter().find(|sign| rest.starts_with(**sign)).copied().unwrap_or_default();
        rest = rest.get(sign.len()..)?.trim_start();
        let end = rest.find(|c: char| is_gap(c) || "<>=!^~".contains(c)).unwrap_or(rest.len());
        let (version, after) = rest.split_at(end);
        if version.is_empty() {
            return None;
        }
        pairs.push((sign, version));
        rest = after.trim_start_matches(is_gap);
    }
    Some(pairs)
}

/// `[1.0,2.0)`, `[1.0]`, `(,1.0]`, and several of them with commas between. `floor` reads what stands for the lower end.
pub(super) fn bracketed(ecosystem: Ecosystem, text: &str, floor: fn(&str) -> Option<Vec<u8>>) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let opens = rest.starts_with('[');
        let body = rest.strip_prefix(['[', '('])?;
        let end = body.find([']', ')'])?;
        let (inner, after) = body.split_at(end);
        let closes = after.starts_with(']');
        spans.extend(one_bracket(ecosystem, inner, (opens, closes), floor)?);
        rest = after.get(1..)?.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) if !more.trim().is_empty() => more.trim_start(),
            Some(_) => return None,
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(spans)
}

fn one_bracket(
    ecosystem: Ecosystem,
    inner: &str,
    (opens, closes): (bool, bool),
    floor: fn(&str) -> Option<Vec<u8>>,
) -> Option<Vec<Span>> {
    let Some((from, to)) = inner.split_once(',') else {
        // One version in brackets is that version; in parentheses it is nothing at all.
        let key = key(ecosystem, inner.trim()).filter(|_| opens && closes && !inner.trim().is_empty())?;
        return Some(compared("=", key));
    };
    let (from, to) = (from.trim(), to.trim());
    if to.contains(',') {
        return None;
    }
    let from = if from.is_empty() { everything().0 } else { (floor(from)?, !opens) };
    let to = if to.is_empty() { None } else { Some((key(ecosystem, to)?, closes)) };
    Some(between(from, to))
}
