//! Alpine versions (apk-tools, `apk-package(5)`: `number{.number}...{letter}{_suffix{number}}...{~hash}{-r#}`).
//!
//! Key: the tokens in a row, closed by [`END`]. Where two versions go on differently, apk's order of token kinds decides: a
//! pre-release suffix below the end, the end below a build number, then a hash, other suffixes, a letter, a further number. A
//! number after the first that starts with a zero is read as decimal places (`1.05` is below `1.1`). What apk cannot read it
//! still orders, after what it could; only a version that begins with such text has no place.

use super::key::{push_number, push_text};

const PRE_SUFFIX: u8 = 0x01;
const END: u8 = 0x02;
const BUILD: u8 = 0x03;
const HASH: u8 = 0x04;
const SUFFIX: u8 = 0x05;
const LETTER: u8 = 0x06;
const UNREADABLE: u8 = 0x07;
const NUMBER: u8 = 0x08;
const SUFFIX_NUMBER: u8 = 0x09;

const PRE_SUFFIXES: &[&str] = &["alpha", "beta", "pre", "rc"];
const SUFFIXES: &[&str] = &["cvs", "svn", "git", "hg", "p"];

pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(24);
    let mut rest = numbers(&mut key, text)?;
    if let Some(letter) = rest.bytes().next().filter(u8::is_ascii_lowercase) {
        key.extend_from_slice(&[LETTER, letter]);
        rest = &rest[1..];
    }
    while let Some(after) = rest.strip_prefix('_') {
        let length = after.bytes().take_while(u8::is_ascii_lowercase).count();
        let (word, after) = after.split_at(length);
        if let Some(place) = PRE_SUFFIXES.iter().position(|known| *known == word) {
            key.extend_from_slice(&[PRE_SUFFIX, 1 + place as u8]);
        } else if let Some(place) = SUFFIXES.iter().position(|known| *known == word) {
            key.extend_from_slice(&[SUFFIX, place as u8]);
        } else if word.is_empty() {
            break;
        } else {
            // apk takes an unknown suffix for a pre-release below the known ones.
            key.extend_from_slice(&[PRE_SUFFIX, 0]);
        }
        let (digits, after) = after.split_at(after.bytes().take_while(u8::is_ascii_digit).count());
        if !digits.is_empty() {
            key.push(SUFFIX_NUMBER);
            push_number(&mut key, digits);
        }
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('~') {
        let length = after.bytes().take_while(u8::is_ascii_hexdigit).count();
        key.push(HASH);
        rest = &after[length..];
    }
    if let Some(after) = rest.strip_prefix("-r") {
        let (digits, after) = after.split_at(after.bytes().take_while(u8::is_ascii_digit).count());
        key.push(BUILD);
        push_number(&mut key, digits);
        if !after.is_empty() {
            key.push(UNREADABLE);
        }
        rest = "";
    }
    if !rest.is_empty() {
        key.push(UNREADABLE);
        push_text(&mut key, rest);
    }
    key.push(END);
    Some(key)
}

/// The numbers between dots; `None` where the text does not begin with one.
fn numbers<'a>(key: &mut Vec<u8>, text: &'a str) -> Option<&'a str> {
    let mut rest = text;
    let mut first = true;
    loop {
        let (digits, after) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
        if first && digits.is_empty() {
            return None;
        }
        key.push(NUMBER);
        if !first && digits.starts_with('0') {
            key.push(0x01);
            push_text(key, digits);
        } else if !first && digits.is_empty() {
            key.push(0x00);
        } else {
            key.push(0x02);
            push_number(key, digits);
        }
        first = false;
        match after.strip_prefix('.') {
            Some(after) => rest = after,
            None => return Some(after),
        }
    }
}
