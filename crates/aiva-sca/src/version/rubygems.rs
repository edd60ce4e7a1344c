//! Ruby gems' versions (`Gem::Version`): segments of digits or letters, a word below every number, zeros at the end for nothing.
//!
//! Key: the segments closed by [`END`], which stands for endless zeros. A row of zeros inside is one group whose class says
//! whether a word (below the end) or a number (above it) follows.

use super::key::{push_number, push_text};

const WORD: u8 = 0x01;
const ZEROS_WORD: u8 = 0x02;
const END: u8 = 0x03;
const ZEROS_NUMBER: u8 = 0x04;
const NUMBER: u8 = 0x05;

pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    let text = text.replace('-', ".pre.");
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
    {
        return None;
    }
    let segments = canonical(&text);
    let mut key = Vec::with_capacity(24);
    let mut zeros = 0u8;
    for segment in segments {
        let is_number = segment.starts_with(|c: char| c.is_ascii_digit());
        if is_number && segment.bytes().all(|b| b == b'0') {
            zeros = zeros.saturating_add(1);
            continue;
        }
        match (zeros, is_number) {
            (0, true) => key.push(NUMBER),
            (0, false) => key.push(WORD),
            (run, true) => key.extend_from_slice(&[ZEROS_NUMBER, u8::MAX - run]),
            (run, false) => key.extend_from_slice(&[ZEROS_WORD, run]),
        }
        zeros = 0;
        if is_number {
            push_number(&mut key, segment);
        } else {
            push_text(&mut key, segment);
        }
    }
    key.push(END);
    Some(key)
}

/// The segments without the zeros that stand at the end of the release or of the whole.
fn canonical(text: &str) -> Vec<&str> {
    let mut segments: Vec<&str> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        rest = rest.trim_start_matches('.');
        let digits = rest.starts_with(|c: char| c.is_ascii_digit());
        let end = rest.find(|c: char| c == '.' || c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (segment, after) = rest.split_at(end);
        if !segment.is_empty() {
            segments.push(segment);
        }
        rest = after;
    }
    let is_zero = |segment: &&str| segment.bytes().all(|b| b == b'0');
    let is_word = |segment: &&str| !segment.starts_with(|c: char| c.is_ascii_digit());
    while segments.last().is_some_and(is_zero) {
        segments.pop();
    }
    if let Some(first_word) = segments.iter().position(is_word) {
        let release = segments[..first_word].iter().rposition(|segment| !is_zero(segment)).map_or(0, |last| last + 1);
        segments.drain(release..first_word);
    }
    segments
}
