//! Composer's order: what `composer/semver` makes uniform (`VersionParser::normalize`), compared by PHP's `version_compare` (php-src,
//! `ext/standard/versioning.c`). To Composer, `2.0`, `v2.0.0` and `2.0.0.0-stable` are one version.
//!
//! Key: the parts between dots, dashes, pluses, underscores and between digits and letters, closed by [`END`]. Words sort by what
//! they begin with (`dev`, alpha, beta, RC, the end, a number, patch level), unknown words below all; two words of one kind are
//! equal, whatever follows their beginning.
//!
//! Branches (`dev-main`) have no place among versions, those named by numbers (`1.x-dev`) have: at the end of these numbers. What
//! begins with a number and is none of Composer's forms is compared as it is written: advisories have such bounds, packages do not.

use std::borrow::Cow;

use super::key::push_number;

const UNKNOWN: u8 = 0x01;
const END: u8 = 0x06;
const NUMBER: u8 = 0x07;

/// What a word begins with, in the order in which PHP looks, and its place.
const FORMS: &[(&str, u8)] = &[("dev", 0x02), ("a", 0x03), ("b", 0x04), ("RC", 0x05), ("rc", 0x05), ("p", 0x08)];

/// How many numbers Composer gives every version.
const NUMBERS: usize = 4;
/// A longer first number is a date, which stays as it is.
const LONGEST_MAJOR: usize = 5;
/// What Composer puts in place of the numbers that a branch leaves open.
const OPEN: &str = "9999999";
/// The words of stability as Composer writes them, with what stands for them: the longer before those that they begin with.
const WORDS: &[(&str, &str)] = &[
    ("stable", ""),
    ("beta", "-beta"),
    ("alpha", "-alpha"),
    ("patch", "-patch"),
    ("rc", "-RC"),
    ("pl", "-patch"),
    ("a", "-alpha"),
    ("b", "-beta"),
    ("p", "-patch"),
];

pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    let text = bare(text);
    text.starts_with(|c: char| c.is_ascii_digit()).then(|| compared(&uniform(text)))
}

/// The key of PHP's order.
fn compared(text: &str) -> Vec<u8> {
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
    key
}

/// Without what does not count: an alias (`1.0 as 2.0`), a stability flag (`1.0@beta`), a `v` before and metadata behind it.
fn bare(text: &str) -> &str {
    let text = text.split_once(" as ").map_or(text, |(version, _)| version).trim();
    let text = text.split('@').next().unwrap_or(text);
    let text = text.split('+').next().unwrap_or(text);
    text.strip_prefix(['v', 'V']).unwrap_or(text)
}

/// A bare version as Composer compares it; the text itself where Composer knows no other form of it.
fn uniform(text: &str) -> Cow<'_, str> {
    classical(text).or_else(|| date(text)).or_else(|| branch(text)).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// `1.2-beta.3`: up to four numbers, of which the first is no date.
fn classical(text: &str) -> Option<String> {
    let (core, rest) = parted(text, |c| c == '.');
    let numbers: Vec<&str> = core.split('.').collect();
    let major = numbers.first()?.len();
    if numbers.len() > NUMBERS || major > LONGEST_MAJOR || numbers.iter().any(|number| number.is_empty()) {
        return None;
    }
    let mut uniform = numbers.join(".");
    uniform.push_str(&".0".repeat(NUMBERS - numbers.len()));
    uniform.push_str(&stability(rest)?);
    Some(uniform)
}

/// `20100102-203040-p1`: a year, one to six pairs of digits, then up to two numbers of three digits at most.
fn date(text: &str) -> Option<String> {
    let (core, rest) = parted(text, |c| matches!(c, '.' | ':' | '-'));
    let (year, left) = core.as_bytes().split_at_checked(4)?;
    let month = left.strip_prefix(b".").or_else(|| left.strip_prefix(b":")).or_else(|| left.strip_prefix(b"-"));
    let (month, left) = month.unwrap_or(left).split_at_checked(2)?;
    let is_date = [year, month].concat().iter().all(u8::is_ascii_digit) && fits(left, 5, 2);
    let stability = is_date.then(|| stability(rest)).flatten()?;
    Some(core.replace([':', '-'], ".") + &stability)
}

/// Whether digits, apart or not, can be so many pairs and then so many numbers.
fn fits(left: &[u8], pairs: usize, numbers: usize) -> bool {
    let left = match left {
        [] => return true,
        [b'.' | b':' | b'-', left @ ..] => left,
        left => left,
    };
    let then = |length, pairs, numbers| {
        let parts = left.split_at_checked(length);
        parts.is_some_and(|(part, rest)| part.iter().all(u8::is_ascii_digit) && fits(rest, pairs, numbers))
    };
    pairs > 0 && then(2, pairs - 1, numbers) || numbers > 0 && (1..=3).any(|length| then(length, 0, numbers - 1))
}

/// `1.x-dev`, the branch of all that is 1.
fn branch(text: &str) -> Option<String> {
    let (name, dev) = text.split_at_checked(text.len().checked_sub(3)?)?;
    let name = name.strip_suffix(['.', '-']).unwrap_or(name);
    let parts: Vec<&str> = name.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_open = |part: &&str| matches!(*part, "x" | "X" | "*");
    let (first, more) = parts.split_first().filter(|(first, more)| is_number(first) && more.len() < NUMBERS)?;
    let is_branch = dev.eq_ignore_ascii_case("dev") && more.iter().all(|part| is_number(part) || is_open(part));
    let missing = std::iter::repeat_n(&OPEN, NUMBERS - parts.len());
    let more = more.iter().map(|part| if is_open(part) { &OPEN } else { part });
    let all: Vec<&str> = std::iter::once(first).chain(more).chain(missing).copied().collect();
    is_branch.then(|| all.join(".") + "-dev")
}

/// Numbers with what may part them, and what follows.
fn parted(text: &str, parts: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && !parts(c)).unwrap_or(text.len());
    let core = text.get(..end).unwrap_or(text).trim_end_matches(parts);
    text.split_at(core.len())
}

/// `-beta.1` is `-beta1`, `-stable` is nothing, and `-dev` may follow either; `None` for what is none of it.
fn stability(rest: &str) -> Option<String> {
    let small = rest.to_ascii_lowercase();
    let rest = small.strip_prefix(['.', '_', '-']).unwrap_or(&small);
    let word = WORDS.iter().find_map(|(word, written)| Some((*written, rest.strip_prefix(word)?)));
    let (written, rest) = word.unwrap_or(("", rest));
    let numbers = if word.is_some() { numbers(rest) } else { 0 };
    let (number, rest) = rest.split_at(numbers);
    let dev = match rest.strip_prefix(['.', '-']).unwrap_or(rest) {
        "dev" => "-dev",
        _ if rest.is_empty() => "",
        _ => return None,
    };
    let is_stable = word.is_some() && written.is_empty();
    Some(if is_stable { String::new() } else { [written, number.trim_start_matches(['.', '-']), dev].concat() })
}

/// How long the numbers are that a word of stability has: `.3.1`, `-2.1-3`.
fn numbers(text: &str) -> usize {
    let (mut length, mut rest) = (0, text);
    loop {
        let part = rest.strip_prefix(['.', '-']).unwrap_or(rest);
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        if digits == 0 {
            return length;
        }
        length += rest.len() - part.len() + digits;
        rest = text.get(length..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_made_uniform_as_composer_does() {
        // Right of what `Composer\Semver\VersionParser::normalize` answers.
        for (text, want) in [
            ("1.0", "1.0.0.0"),
            ("v2.0", "2.0.0.0"),
            ("V1.2", "1.2.0.0"),
            ("0", "0.0.0.0"),
            ("99999", "99999.0.0.0"),
            ("1.0.0.0", "1.0.0.0"),
            ("00.01.03.04", "00.01.03.04"),
            ("0700", "0700.0.0.0"),
            ("1.2.3-stable", "1.2.3.0"),
            ("1.2.3+build", "1.2.3.0"),
            ("1.0.0+foo as 2.0", "1.0.0.0"),
            ("1.0.0@dev", "1.0.0.0"),
            ("1.0.0RC1dev", "1.0.0.0-RC1-dev"),
            ("1.0.0-alpha11+cs-1.1.0", "1.0.0.0-alpha11"),
            ("1.0.0-rC15-dev", "1.0.0.0-RC15-dev"),
            ("1.0.0.RC.15-dev", "1.0.0.0-RC15-dev"),
            ("1.0.0.pl3-dev", "1.0.0.0-patch3-dev"),
            ("10.4.13beta.2", "10.4.13.0-beta2"),
            ("1.13.11.0-beta.0", "1.13.11.0-beta0"),
            ("1.0-b5", "1.0.0.0-beta5"),
            ("10.4.13-b", "10.4.13.0-beta"),
            ("1.0.0-alpha.3.1+foo", "1.0.0.0-alpha3.1"),
            ("1.0.0-alpha-2.1-3+foo", "1.0.0.0-alpha2.1-3"),
            ("1.0-dev", "1.0.0.0-dev"),
            ("2010.01.02", "2010.01.02.0"),
            ("2010.1.555", "2010.1.555.0"),
            ("v20100102", "20100102"),
            ("20100102.0.3", "20100102.0.3"),
            ("20230131.0.0", "20230131.0.0"),
            ("2010-01-02", "2010.01.02"),
            ("2010-01-02.5", "2010.01.02.5"),
            ("20100102-203040", "20100102.203040"),
            ("20100102203040-10", "20100102203040.10"),
            ("20100102-203040-p1", "20100102.203040-patch1"),
            ("201903.0-p2", "201903.0-patch2"),
            ("1.x-dev", "1.9999999.9999999.9999999-dev"),
            ("041.x-dev", "041.9999999.9999999.9999999-dev"),
            ("20100102.x-dev", "20100102.9999999.9999999.9999999-dev"),
            ("20100102.203040.x-dev", "20100102.203040.9999999.9999999-dev"),
            // These Composer does not know.
            ("1.0.0-meh", "1.0.0-meh"),
            ("1.0.0.0.0", "1.0.0.0.0"),
            ("1.0.0..beta", "1.0.0..beta"),
            ("201001022030405060708090", "201001022030405060708090"),
            ("", ""),
        ] {
            assert_eq!(uniform(bare(text)), want, "{text}");
        }
    }
}
