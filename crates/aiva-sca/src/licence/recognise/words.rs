//! The words of a licence's text that count, in one spelling, and the runs of them by which texts are compared.
//!
//! Pure. Line breaks, capitals, punctuation, list markers, comment signs and copyright lines do not count. Start reading at
//! [`words`].

use std::ops::Range;

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

/// How many words make a run.
pub(in super::super) const RUN: usize = 3;

/// The runs in a text; sorted, once each.
pub(super) fn runs(text: &str) -> Vec<u32> {
    sorted(in_order(&words(text)))
}

/// The runs of three words, hashed.
pub(super) fn in_order(words: &[String]) -> Vec<u32> {
    let run = |run: &[String]| {
        // The hash is on disk: fixed seed, and the function never changes within its major version.
        let hash = rapidhash_v3_seeded(run.join(" ").as_bytes(), &RapidSecrets::seed(0x61_69_76_61));
        (hash >> 32) as u32
    };
    words.windows(RUN.min(words.len().max(1))).map(run).collect()
}

pub(super) fn sorted(mut runs: Vec<u32>) -> Vec<u32> {
    runs.sort_unstable();
    runs.dedup();
    runs
}

/// The words that count, in one spelling.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    // Where the last line broke off within a notice.
    let mut broken: Option<Broken> = None;
    for line in text.lines() {
        let lower = line.to_ascii_lowercase();
        if lower.trim_matches(is_sign) == RESERVED {
            continue;
        }
        let goes_on = broken.take().is_some_and(|broken| broken == Broken::BeforeName || begins_with_year(line));
        let mut rest = line;
        if goes_on && !line.trim().is_empty() {
            (rest, broken) = behind_notice(line);
        }
        while let Some(notice) = notice(rest, &lower[lower.len() - rest.len()..]) {
            push(&rest[..notice.start], &mut words);
            (rest, broken) = behind_notice(&rest[notice.end..]);
        }
        push(rest, &mut words);
    }
    words
}

fn push(line: &str, words: &mut Vec<String>) {
    for raw in line.split_whitespace().filter(|raw| !is_marker(raw)) {
        let parts = raw.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        words.extend(parts.map(|part| spelling(&part.to_lowercase()).to_owned()));
    }
}

/// Fewer words behind a notice on its line are of it, or nothing that matters.
const OF_THE_LINE: usize = 5;

/// The most words of a holder's name.
const LONGEST_NAME: usize = 16;

const RESERVED: &str = "all rights reserved";

/// How a line ends within a notice.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Broken {
    /// Whose it is stands on the next line.
    BeforeName,
    /// More years may follow.
    InName,
}

/// Where somebody's copyright notice begins, which is another one in every package, and where its sign ends: on a line of its own, or
/// within one where the text was rewrapped. `lower` is the line in small letters, byte for byte.
fn notice(line: &str, lower: &str) -> Option<Range<usize>> {
    // As the first of the line `(c)` is enough.
    let start = line.len() - line.trim_start_matches(|c| is_sign(c) && c != '(').len();
    let holder = |at: usize, word: &str| {
        let after = at + word.len();
        let rest = lower.get(after..)?.trim_start();
        let begins =
            ["(c)", "©", "&copy;", "<", "[", "{", "by ", "year", ":"].iter().any(|begin| rest.starts_with(begin));
        (begins || rest.starts_with(|c: char| c.is_ascii_digit())).then_some(at..after)
    };
    let first = lower.get(start..).filter(|line| line.starts_with("(c)")).and_then(|_| holder(start, "(c)"));
    let inside = || {
        let is_word = |at: usize| !lower[..at].ends_with(char::is_alphanumeric);
        let mut all = lower.match_indices(['c', '©']).filter(|(at, _)| is_word(*at));
        all.find_map(|(at, _)| {
            let word = ["copyright", "©"].into_iter().find(|word| lower[at..].starts_with(word))?;
            holder(at, word)
        })
    };
    first.or_else(inside)
}

/// What is left of a line behind the years and the holder's name of a notice: that ends with its sentence, or before a word that no
/// name has.
fn behind_notice(notice: &str) -> (&str, Option<Broken>) {
    let mut rest = notice;
    let mut bracket = None;
    let mut broken = Broken::BeforeName;
    for _ in 0..LONGEST_NAME {
        rest = rest.trim_start();
        let (word, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
        let begin = word.trim_start_matches(|c: char| !c.is_alphanumeric());
        let is_between = matches!(begin.trim_end_matches(','), "by" | "and" | "of" | "the" | "year");
        let is_name = bracket.is_some()
            || is_between
            || begin.is_empty()
            || begin.len() < word.len()
            || !begin.starts_with(|c: char| c.is_ascii_lowercase())
            || word.contains('@');
        if word.is_empty() || !is_name || starts_with(rest, RESERVED) {
            break;
        }
        rest = after;
        if !is_between && !word.eq_ignore_ascii_case("(c)") && begin.starts_with(char::is_alphabetic) {
            broken = Broken::InName;
        }
        let closes = |open: char| match open {
            '<' => '>',
            '[' => ']',
            _ => '}',
        };
        bracket = bracket.or_else(|| word.chars().find(|c| matches!(c, '<' | '[' | '{')).map(closes));
        bracket = bracket.filter(|close| !word.contains(*close));
        let letters = word.trim_matches(|c: char| !c.is_alphanumeric());
        if bracket.is_none() && word.ends_with('.') && letters.len() > 3 && !letters.contains('.') {
            break;
        }
    }
    rest = rest.trim_start();
    if starts_with(rest, RESERVED) {
        rest = rest.split_at(RESERVED.len()).1.trim_start_matches(['.', ' ']);
    }
    let broken = Some(broken).filter(|_| rest.is_empty());
    let is_text = rest.split_whitespace().take(OF_THE_LINE).count() == OF_THE_LINE;
    (if is_text { rest } else { &rest[rest.len()..] }, broken)
}

/// As the next line of a notice does whose years did not fit; `1.` begins a list.
fn begins_with_year(line: &str) -> bool {
    let year = line.trim_start_matches(is_sign);
    year.bytes().take_while(u8::is_ascii_digit).count() == 4
}

fn is_sign(c: char) -> bool {
    !c.is_alphanumeric() && c != '©'
}

/// Whatever the capitals.
fn starts_with(text: &str, words: &str) -> bool {
    text.get(..words.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(words))
}

/// `1.`, `(a)`, `iv)`: what counts the points of a list.
fn is_marker(raw: &str) -> bool {
    let inner = raw.strip_prefix('(').unwrap_or(raw);
    let Some(inner) = inner.strip_suffix(['.', ')']) else { return false };
    let inner = inner.trim_end_matches('.');
    let digits = !inner.is_empty() && inner.len() <= 2 && inner.bytes().all(|b| b.is_ascii_digit());
    let roman = (2..=4).contains(&inner.len()) && inner.bytes().all(|b| matches!(b, b'i' | b'v' | b'x'));
    let letter = inner.len() == 1 && inner.bytes().all(|b| b.is_ascii_alphabetic());
    digits || roman || letter
}

/// Spellings that the SPDX matching guidelines take for the same word (section B.8), and one author as several.
fn spelling(word: &str) -> &str {
    match word {
        "licence" => "license",
        "licences" => "licenses",
        "licenced" => "licensed",
        "sublicence" => "sublicense",
        "organisation" => "organization",
        "authorised" => "authorized",
        "acknowledgement" => "acknowledgment",
        "analogue" => "analog",
        "artefact" => "artifact",
        "favour" => "favor",
        "favourite" => "favorite",
        "fulfil" => "fulfill",
        "fulfilment" => "fulfillment",
        "initialise" => "initialize",
        "judgment" => "judgement",
        "labour" => "labor",
        "modelled" => "modeled",
        "authors" => "author",
        "contributors" => "contributor",
        "disclaim" => "disclaims",
        "holders" | "owner" | "owners" => "holder",
        "practise" => "practice",
        "programme" => "program",
        "realise" => "realize",
        "recognise" => "recognize",
        "whilst" => "while",
        "wilful" => "willful",
        word => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_does_not_count_wherever_its_line_is_broken() {
        for (text, want) in [
            ("Copyright (c) 2020 Jane Doe\nThe terms", "the terms"),
            ("// (c) 2020-2024, jane doe and others\nThe terms", "the terms"),
            ("© 2020 Jane Doe <jane@example.org>. All rights reserved.\nThe terms", "the terms"),
            ("All rights reserved.\nThe terms", "the terms"),
            ("(\"ISC\") Copyright (c) 1995-2003 by Internet Software\nThe terms", "isc the terms"),
            ("Good luck. Copyright (c) Everyone, except Author\nThe terms", "good luck the terms"),
            (
                "Copyright (c) 2020 The Foundation, Inc. All rights reserved. You may use it for whatever you like",
                "you may use it for whatever you like",
            ),
            (
                "Copyright (c) <year> by <author's name or designee>. This material may be used by all",
                "this material may be used by all",
            ),
            (
                "Copyright [yyyy] [name of copyright owner] Copyright and other rights are licensed here",
                "other rights are licensed here",
            ),
            ("Copyright(c) 2001 by David Kastrup; whoever likes to may use it", "whoever likes to may use it"),
            ("the above copyright notice and this notice", "the above copyright notice and this notice"),
            ("the copyright\n1. holder", "the copyright holder"),
            (&"copyright (c) ".repeat(2), ""),
            ("©", ""),
            ("c) ©1 (c", ""),
            ("by a, copyright 1994, 1995,\n1996 by Cold Spring\n1. Terms", "by a terms"),
            ("Good luck Copyright (c)\nEveryone, except Author\nThe terms", "good luck the terms"),
            ("Copyright (c) 2020\n\nThe terms", "the terms"),
            ("Copyright (c) 2020 Jane Doe\n2 terms", "2 terms"),
        ] {
            assert_eq!(words(text).join(" "), want, "{text}");
        }
        for long in ["© 2 ", "©2-", "© 2 you may use it as you like ", "(c) ", "c"] {
            words(&long.repeat(100_000)); // in a second, not in an hour
        }
    }
}
