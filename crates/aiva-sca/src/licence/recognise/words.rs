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
            let (before, own) = rest.split_at(notice.start);
            push(before, &mut words);
            (rest, broken) = behind_notice(&rest[notice.end..]);
            let before = before.trim_end();
            if !before.is_empty() && !before.ends_with('.') && rest.split_whitespace().take(OF_THE_LINE).any(restricts)
            {
                // A sentence that restricts something is no notice: all its words count, or they are too few to be told.
                push(&own[..own.len() - rest.len()], &mut words);
            }
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

/// Fewer words behind a notice on its line are of it, or nothing that matters, unless one of them restricts something.
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
        let is_restriction = bracket.is_none() && restricts(word);
        if word.is_empty() || !is_name || is_restriction || starts_with(rest, RESERVED) {
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
    let mut first = rest.split_whitespace().take(OF_THE_LINE);
    let is_text = first.clone().count() == OF_THE_LINE || first.any(restricts);
    (if is_text { rest } else { &rest[rest.len()..] }, broken)
}

/// Whether a word forbids, demands or allows something, which is no part of a notice: `super::super::rider` must see it. `May` and
/// `Will` are names too.
fn restricts(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let lower = word.to_ascii_lowercase();
    let stems = ["require", "forbid", "prohibit", "restrict", "oblige", "commercial", "noncommercial", "military"];
    matches!(&*lower, "not" | "no" | "non" | "cannot" | "never" | "only" | "must" | "shall")
        || matches!(word, "may" | "can" | "will" | "should")
        || lower.starts_with("non-")
        || stems.iter().any(|stem| lower.starts_with(stem))
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
            // What restricts something is of no notice.
            ("It is copyright 2020 Acme and may not be sold.", "it is copyright 2020 acme and may not be sold"),
            ("It, Copyright (c) 2020 Acme, may not be sold", "it copyright 2020 acme may not be sold"),
            ("Copyright (c) 2020\nNOT FOR COMMERCIAL USE", "not for commercial use"),
            (
                "Copyright (c) 2020\nUse Requires A Licence. Army Use Is Forbidden.",
                "requires a license army use is forbidden",
            ),
            ("Copyright (c) 2020 Will May\nThe terms", "the terms"),
        ] {
            assert_eq!(words(text).join(" "), want, "{text}");
        }
        for long in ["© 2 ", "©2-", "© 2 you may use it as you like ", "(c) ", "c"] {
            words(&long.repeat(100_000)); // in a second, not in an hour
        }
    }
}
