//! PHP's `version_compare` (php-src, `ext/standard/versioning.c`) without a leading `v`.
//!
//! Key: the parts between dots, dashes, pluses, underscores and between digits and letters, closed by [`END`]. Words sort by what
//! they begin with (`dev`, alpha, beta, RC, the end, a number, patch level), unknown words below all; two words of one kind are
//! equal, whatever follows their beginning.
//!
//! Composer compares by that order what it has made uniform before (`composer/semver`, `VersionParser::normalize`): to Composer,
//! `2.0`, `v2.0.0` and `2.0.0.0-stable` are one version. [`uniform`] does the same, for what is installed and for what advisories
//! name; the order itself, as OSV's own tools have it, tells them apart.

use std::borrow::Cow;

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

/// How many numbers Composer gives every version.
const NUMBERS: usize = 4;
/// A longer first number is a date, which stays as it is.
const LONGEST_MAJOR: usize = 5;
/// The words of stability as Composer writes them, with what stands for them.
const WORDS: &[(&str, &[&str])] =
    &[("alpha", &["alpha", "a"]), ("beta", &["beta", "b"]), ("RC", &["rc"]), ("patch", &["patch", "pl", "p"])];

/// A version as Composer compares it; the text itself where Composer knows no other form of it.
pub(super) fn uniform(text: &str) -> Cow<'_, str> {
    rewritten(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn rewritten(text: &str) -> Option<String> {
    let text = text.trim().strip_prefix(['v', 'V']).unwrap_or(text.trim());
    // Build metadata does not count.
    let text = text.split('+').next().unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (core, rest) = text.split_at(end);
    let core = core.strip_suffix('.').unwrap_or(core);
    let numbers: Vec<&str> = core.split('.').collect();
    let major = numbers.first()?.len();
    if numbers.len() > NUMBERS || major > LONGEST_MAJOR || numbers.iter().any(|number| number.is_empty()) {
        return None;
    }
    let mut uniform = numbers.join(".");
    uniform.push_str(&".0".repeat(NUMBERS - numbers.len()));
    uniform.push_str(&stability(&rest.to_ascii_lowercase())?);
    Some(uniform)
}

/// `-beta.1` is `-beta1`, `-stable` is nothing, and `-dev` may follow either; `None` for what is none of it.
fn stability(rest: &str) -> Option<String> {
    let parted = |text: &str| text.trim_start_matches(['.', '_', '-']).to_owned();
    let rest = parted(rest);
    let (rest, dev) = match rest.strip_suffix("dev") {
        Some(rest) => (rest.trim_end_matches(['.', '_', '-']).to_owned(), "-dev"),
        None => (rest, ""),
    };
    if rest.is_empty() || rest == "stable" {
        return Some(dev.to_owned());
    }
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (word, number) = rest.split_at(letters);
    let number: String = number.chars().filter(char::is_ascii_digit).collect();
    let is_known =
        rest.get(letters..).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-')));
    let (word, _) = WORDS.iter().find(|(_, forms)| forms.contains(&word))?;
    is_known.then(|| format!("-{word}{number}{dev}"))
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
            ("1.0.0.0", "1.0.0.0"),
            ("00.01.03.04", "00.01.03.04"),
            ("1.2.3-stable", "1.2.3.0"),
            ("1.2.3+build", "1.2.3.0"),
            ("1.0.0-alpha11+cs-1.1.0", "1.0.0.0-alpha11"),
            ("1.0.0-rC15-dev", "1.0.0.0-RC15-dev"),
            ("1.0.0.RC.15-dev", "1.0.0.0-RC15-dev"),
            ("1.0.0.pl3-dev", "1.0.0.0-patch3-dev"),
            ("1.0-b5", "1.0.0.0-beta5"),
            ("10.4.13-b", "10.4.13.0-beta"),
            ("1.0-dev", "1.0.0.0-dev"),
            ("20100102", "20100102"),
            ("dev-main", "dev-main"),
            ("1.0.0-whatever", "1.0.0-whatever"),
            ("1.2.3.4.5", "1.2.3.4.5"),
            ("", ""),
        ] {
            assert_eq!(uniform(text), want, "{text}");
        }
    }
}
