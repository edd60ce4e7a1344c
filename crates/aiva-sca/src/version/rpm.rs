//! RPM versions (`rpmvercmp`; rpm's "Dependencies" manual): epoch, version, release.
//!
//! Key: the epoch; then version and release as segments closed by [`END`]. Separators do not count. `~` sorts below the end,
//! `^` above the end but below everything else, letters below numbers. A version without a release sorts below all that have one.

use super::key::{push_number, push_text};

const TILDE: u8 = 0x01;
const END: u8 = 0x02;
const CARET: u8 = 0x03;
const LETTERS: u8 = 0x04;
const NUMBER: u8 = 0x05;

pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch, rest),
        _ => ("0", text),
    };
    let (version, release) = match rest.split_once('-') {
        Some((version, release)) => (version, Some(release)),
        None => (rest, None),
    };
    let mut key = Vec::with_capacity(24);
    push_number(&mut key, epoch);
    push_part(&mut key, version);
    match release {
        None => key.push(0),
        Some(release) => {
            key.push(1);
            push_part(&mut key, release);
        }
    }
    Some(key)
}

fn push_part(key: &mut Vec<u8>, part: &str) {
    let mut rest = part;
    while let Some(first) = rest.chars().next() {
        let run = |like: fn(&char) -> bool| rest.chars().take_while(like).count();
        let length = match first {
            '~' => {
                key.push(TILDE);
                1
            }
            '^' => {
                key.push(CARET);
                1
            }
            digit if digit.is_ascii_digit() => {
                let length = run(char::is_ascii_digit);
                key.push(NUMBER);
                push_number(key, &rest[..length]);
                length
            }
            letter if letter.is_ascii_alphabetic() => {
                let length = run(char::is_ascii_alphabetic);
                key.push(LETTERS);
                push_text(key, &rest[..length]);
                length
            }
            separator => separator.len_utf8(),
        };
        rest = &rest[length..];
    }
    key.push(END);
}
