//! PHP's `version_compare` (php-src, `ext/standard/versioning.c`) without a leading `v`.
//!
//! Key: the parts between dots, dashes, pluses, underscores and between digits and letters, closed by [`END`]. Words sort by what
//! they begin with (`dev`, alpha, beta, RC, the end, a number, patch level), unknown words below all; two words of one kind are
//! equal, whatever follows their beginning.

use super::key::push_number;

const UNKNOWN: u8 = 0x01;
const END: u8 = 0x06;
const NUMBER: u8 = 0x07;

/// What a word begins with, in the order in which PHP looks, and its place.
const FORMS: &[(&str, u8)] = &[("dev", 0x02), ("a", 0x03), ("b", 0x04), ("RC", 0x05), ("rc", 0x05), ("p", 0x08)];

pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let mut key = Vec::with_capacity(24);
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.starts_with(|c: char| c.is_ascii_digit());
        let end = rest.find(|c: char| c.is_ascii_digit() != digits || !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        if digits {
            key.push(NUMBER);
            push_number(&mut key, part);
        } else if !part.is_empty() {
            let form = FORMS.iter().find(|(start, _)| part.starts_with(start));
            key.push(form.map_or(UNKNOWN, |(_, place)| *place));
        }
        rest = after.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    }
    key.push(END);
    (!text.is_empty()).then_some(key)
}
