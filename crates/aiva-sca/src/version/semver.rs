//! Semantic versions (semver.org 2.0.0, section 11) in the readings of crates.io, npm, Go, pub and NuGet.
//!
//! Key: major, minor, patch; then 0xFF for a release, or 0x01 and the pre-release identifiers (0x02 number, 0x03 text) closed by
//! 0x00. So every pre-release sorts below its release, numbers below texts, and fewer identifiers below more.

use super::key::{push_number, push_text};

const PRE_RELEASE: u8 = 0x01;
const RELEASE: u8 = 0xFF;
const NUMBER: u8 = 0x02;
const TEXT: u8 = 0x03;
const END: u8 = 0x00;

/// As the crates registry accepts it; a missing minor or patch number is zero, because advisories write such bounds.
pub(super) fn strict(text: &str) -> Option<Vec<u8>> {
    let (core, pre) = split(text.strip_prefix('v').unwrap_or(text))?;
    key(core, pre, 3)
}

/// node-semver's loose reading: leading `v`, `=` and blanks, and a pre-release without its dash (`1.2.3beta`). A fourth number is one
/// too, with the last digit of the third: `1.3.01.1` is 1.3.0 with the pre-release 1.1, and `1.3.1.1` no version.
pub(super) fn loose(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_start_matches(|c: char| c == 'v' || c == '=' || c.is_whitespace()).trim_end();
    if let Some((core, pre)) = split(text)
        && let Some(key) = key(core, pre, 3)
    {
        return Some(key);
    }
    let text = without_build(text)?;
    let patch = text.match_indices('.').nth(1)?.0 + 1;
    let digits = text.bytes().skip(patch).take_while(u8::is_ascii_digit).count();
    let glued = match text.as_bytes().get(patch + digits) {
        Some(b'.') if digits < 2 => return None,
        Some(b'.') => patch + digits - 1,
        _ => patch + digits,
    };
    let (core, pre) = text.split_at_checked(glued)?;
    key(core, Some(pre), 3)
}

/// Go modules and Go's own releases, whose tags look like `go1.21rc2`.
pub(super) fn go(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix("go").or_else(|| text.strip_prefix('v')).unwrap_or(text);
    if let Some((core, pre)) = split(text)
        && let Some(key) = key(core, pre, 3)
    {
        return Some(key);
    }
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (core, stage) = text.split_at(at);
    let digits = stage.find(|c: char| c.is_ascii_digit())?;
    let (stage, number) = stage.split_at(digits);
    if !matches!(stage, "alpha" | "beta" | "rc") || !is_number(number) {
        return None;
    }
    let mut key = numbers(core, 3)?;
    key.extend_from_slice(&[PRE_RELEASE, TEXT]);
    push_text(&mut key, stage);
    key.push(NUMBER);
    push_number(&mut key, number);
    key.push(END);
    Some(key)
}

/// Dart's `pub_semver`: build metadata counts, and sorts after none.
pub(super) fn dart(text: &str) -> Option<Vec<u8>> {
    let mut key = strict(text)?;
    if let Some((_, build)) = text.split_once('+') {
        key.push(PRE_RELEASE);
        push_identifiers(&mut key, build)?;
    } else {
        key.push(END);
    }
    Some(key)
}

/// NuGet's `NuGetVersion`: up to four numbers, and letters of a pre-release without regard to case.
pub(super) fn nuget(text: &str) -> Option<Vec<u8>> {
    let text = text.to_ascii_lowercase();
    let (core, pre) = split(text.strip_prefix('v').unwrap_or(&text))?;
    key(core, pre, 4)
}

/// The numbers and the pre-release of a version whose pre-release starts with a dash.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    let text = without_build(text)?;
    Some(match position(text, b'-') {
        Some(at) => (text.get(..at)?, text.get(at + 1..)),
        None => (text, None),
    })
}

fn without_build(text: &str) -> Option<&str> {
    let Some(at) = position(text, b'+') else { return Some(text) };
    let (version, build) = (text.get(..at)?, text.get(at + 1..)?);
    build.split('.').all(is_identifier).then_some(version)
}

fn key(core: &str, pre: Option<&str>, most: usize) -> Option<Vec<u8>> {
    let mut key = numbers(core, most)?;
    let Some(pre) = pre else {
        key.push(RELEASE);
        return Some(key);
    };
    key.push(PRE_RELEASE);
    push_identifiers(&mut key, pre)?;
    Some(key)
}

fn push_identifiers(key: &mut Vec<u8>, identifiers: &str) -> Option<()> {
    for identifier in identifiers.split('.') {
        if is_number(identifier) {
            key.push(NUMBER);
            push_number(key, identifier);
        } else if is_identifier(identifier) {
            key.push(TEXT);
            push_text(key, identifier);
        } else {
            return None;
        }
    }
    key.push(END);
    Some(())
}

/// The numbers of a version, at most so many, filled up with zeros.
fn numbers(core: &str, most: usize) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(16);
    let mut count = 0;
    let mut rest = Some(core);
    while let Some(text) = rest {
        let end = position(text, b'.');
        let part = text.get(..end.unwrap_or(text.len()))?;
        if count == most || !is_number(part) {
            return None;
        }
        push_number(&mut key, part);
        count += 1;
        rest = end.and_then(|end| text.get(end + 1..));
    }
    for _ in count..most {
        push_number(&mut key, "0");
    }
    Some(key)
}

/// Where a byte is first; for texts as short as versions are.
fn position(text: &str, wanted: u8) -> Option<usize> {
    text.bytes().position(|byte| byte == wanted)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
