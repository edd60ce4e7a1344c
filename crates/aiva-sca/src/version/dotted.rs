//! Orders that are little more than numbers between dots: Hackage, CRAN and Conan.
//!
//! Key: the parts in a row, closed by [`END`], so that more parts sort higher.

use super::key::{push_number, push_text};

const END: u8 = 0x00;
const NUMBER: u8 = 0x02;
const WORD: u8 = 0x03;
const PRE_RELEASE: u8 = 0x01;
const RELEASE: u8 = 0xFF;

/// Hackage's `Version` (`Data.Version`) and R's versions (`utils::compareVersion`), which differ in what may stand between the numbers.
pub(super) fn numbers(text: &str, separators: &[char]) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(16);
    for part in text.split(separators) {
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        key.push(NUMBER);
        push_number(&mut key, part);
    }
    key.push(END);
    Some(key)
}

/// Conan's `Version`: any count of parts with letters in them, zeros at the end for nothing, a pre-release, a build that counts.
pub(super) fn conan(text: &str) -> Option<Vec<u8>> {
    let text = text.to_ascii_lowercase();
    let (rest, build) = text.split_once('+').map_or((text.as_str(), None), |(rest, build)| (rest, Some(build)));
    let (main, pre) = rest.split_once('-').map_or((rest, None), |(main, pre)| (main, Some(pre)));
    let mut parts: Vec<&str> = main.split('.').collect();
    while parts.last().is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b == b'0')) {
        parts.pop();
    }
    let mut key = Vec::with_capacity(24);
    push_parts(&mut key, parts)?;
    match pre {
        Some(pre) => {
            key.push(PRE_RELEASE);
            push_parts(&mut key, pre.split('.'))?;
        }
        None => key.push(RELEASE),
    }
    push_parts(&mut key, build.into_iter().flat_map(|build| build.split('.')))?;
    Some(key)
}

fn push_parts<'a>(key: &mut Vec<u8>, parts: impl IntoIterator<Item = &'a str>) -> Option<()> {
    for part in parts {
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let (digits, word) = part.split_at(part.bytes().take_while(u8::is_ascii_digit).count());
        if digits.is_empty() {
            key.push(WORD);
        } else {
            key.push(NUMBER);
            push_number(key, digits);
        }
        push_text(key, word);
    }
    key.push(END);
    Some(())
}
