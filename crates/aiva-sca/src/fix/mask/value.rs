//! Where the value of a setting ends, and which values may be shown.
//!
//! The end of a value is sought within a bound, and behind that all is masked, so that a line is gone through once.

use std::ops::Range;

use super::MASK;

/// Within how much of a line the end of a value is sought.
const BOUND: usize = 4096;

/// A text with everything in it masked but the white space around it.
pub(super) fn shown(text: &str) -> String {
    let value = text.trim();
    if is_said(value) { text.to_owned() } else { text.replacen(value, MASK, 1) }
}

/// Where the string that begins with a quote ends, at its closing one. A backslash takes its meaning from what follows it, and so does a
/// single quote from another.
pub(super) fn quoted(text: &str, quote: char) -> usize {
    let mut chars = within(text).char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match c {
            '\\' => drop(chars.next()),
            '\'' if quote == c && at > 1 && next == Some(c) => drop(chars.next()),
            c if c == quote => return at,
            _ => {}
        }
    }
    text.len()
}

/// The beginning of a text.
pub(super) fn within(text: &str) -> &str {
    text.get(..text.floor_char_boundary(BOUND)).unwrap_or(text)
}

/// Where a value stands, without its quotes; nowhere where it is none, or a version: packages have such names too.
pub(super) fn value(rest: &str) -> Range<usize> {
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    let start = usize::from(quote.is_some());
    let opens = quote.is_none() && rest.starts_with(['{', '|', '>', '&', '#', '^', '~', '<']);
    if opens || is_reference(rest.get(start..).unwrap_or_default()) {
        return 0..0;
    }
    let end = match quote {
        Some(quote) => quoted(rest, quote),
        None => {
            let near = within(rest);
            let comment = [" #", "\t#"].into_iter().filter_map(|sign| near.find(sign)).min();
            let end = near.find([',', ';']).into_iter().chain(comment).min().unwrap_or(rest.len());
            // What closes the place that it stands in.
            rest.get(..end).map_or(0, |value| value.trim_end_matches([' ', '\t', '}', ']', ')', '"', '\'']).len())
        }
    };
    let value = rest.get(start..end).unwrap_or_default();
    let is_none = quote.is_none() && value.starts_with('*');
    if is_said(value) || is_none { 0..0 } else { start..end }
}

fn is_reference(value: &str) -> bool {
    value.starts_with("${") || value.starts_with("$(")
}

/// Whether a value may be shown.
pub(super) fn is_said(value: &str) -> bool {
    let is_plain = matches!(value, "" | MASK | "true" | "false" | "null");
    is_plain || is_reference(value) || is_requirement(value)
}

/// Whether it is a package with its versions, as lists of them have it.
pub(super) fn is_asked(value: &str) -> bool {
    let (name, versions) =
        value.split_at_checked(value.find(['=', '<', '>', '~', '!']).unwrap_or(0)).unwrap_or_default();
    let versions = versions.split(';').next().unwrap_or_default().trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '[' | ']' | ',' | ' ');
    !name.is_empty() && name.chars().all(is_name) && is_requirement(versions)
}

/// Whether it is nothing but versions with their operators. A number of four digits or more is none.
fn is_requirement(value: &str) -> bool {
    let is_version = |one: &str| {
        let one = one.trim_start_matches(['^', '~', '<', '>', '=', '!', 'v']);
        let end = one.find(['-', '+']).unwrap_or(one.len());
        let parts = one.get(..end).unwrap_or_default();
        let is_part =
            |part: &str| part.len() < 4 && part.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'x' | b'*'));
        one.len() <= 24 && parts.split('.').all(is_part)
    };
    value.contains(|c: char| c.is_ascii_digit() || c == '*') && value.split([' ', ',', '|', '&']).all(is_version)
}
