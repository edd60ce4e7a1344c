//! Maven versions (`org.apache.maven.artifact.versioning.ComparableVersion`; the rules are in Maven's "Version Order
//! Specification").
//!
//! The text falls into tokens at dots, dashes and between digits and letters. Nothings (`0`, `ga`, `final`, `release`) fall away at
//! the end, before a dash and before a word; a dot and a dash before a word mean the same (since Maven 3.9, MNG-7644). Where one
//! version ends, the other's token is compared with nothing. Key: one class byte a token, in the order in which the tokens sort at
//! one place, with [`END`] where nothing stands.

use super::key::{push_number, push_text};

const FIRST_WORD: u8 = 0x01;
const FIRST_NUMBER: u8 = 0x02;
const EARLY_WORD: u8 = 0x10;
const END: u8 = 0x40;
const LATE_WORD: u8 = 0x50;
const DASH_NUMBER: u8 = 0x70;
const ZEROS_NUMBER: u8 = 0x80;
const DOT_NUMBER: u8 = 0x90;

/// Words with a place of their own, in their order; the empty one is the release.
const WORDS: &[&str] = &["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const RELEASE: usize = 5;

struct Token {
    dash: bool,
    value: String,
}

impl Token {
    fn is_number(&self) -> bool {
        self.value.starts_with(|c: char| c.is_ascii_digit())
    }

    fn is_nothing(&self) -> bool {
        matches!(self.value.as_str(), "" | "0")
    }

    /// The word's place among [`WORDS`]; unknown words come after all of them.
    fn place(&self) -> usize {
        WORDS.iter().position(|word| *word == self.value).unwrap_or(WORDS.len())
    }

    fn is_early(&self) -> bool {
        !self.is_number() && self.place() <= RELEASE
    }
}

/// The key; every text has one.
pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    let tokens = tokens(text);
    let mut key = Vec::with_capacity(24);
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if at == 0 {
            key.push(if token.is_number() { FIRST_NUMBER } else { FIRST_WORD });
            push_value(&mut key, token);
            at += 1;
            continue;
        }
        let zeros = tokens[at..].iter().take_while(|token| !token.dash && token.is_nothing()).count();
        if let Some(number) = tokens.get(at + zeros).filter(|token| zeros > 0 && !token.dash && token.is_number()) {
            // A row of zeros is above the end only by the number after it, the more so the earlier that comes.
            key.extend_from_slice(&[ZEROS_NUMBER, u8::MAX - u8::try_from(zeros).unwrap_or(u8::MAX)]);
            push_value(&mut key, number);
            at += zeros + 1;
            continue;
        }
        key.push(match (token.is_number(), token.dash) {
            (true, true) => DASH_NUMBER,
            (true, false) => DOT_NUMBER,
            (false, _) if token.is_early() => EARLY_WORD,
            (false, _) => LATE_WORD,
        });
        push_value(&mut key, token);
        at += 1;
    }
    key.push(END);
    Some(key)
}

fn push_value(key: &mut Vec<u8>, token: &Token) {
    if token.is_number() {
        push_number(key, &token.value);
        return;
    }
    let place = token.place();
    key.push(1 + place as u8);
    if place == WORDS.len() {
        push_text(key, &token.value.replace('\0', "\u{1}"));
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut dash = false;
    let mut rest = text;
    loop {
        let end = rest.find(['.', '-']).unwrap_or(rest.len());
        split(&rest[..end], dash, &mut tokens);
        match rest.as_bytes().get(end) {
            Some(separator) => dash = *separator == b'-',
            None => break,
        }
        rest = &rest[end + 1..];
    }
    trim(&mut tokens);
    tokens
}

/// One part between separators: a change between digits and others counts as a dash.
fn split(part: &str, dash: bool, tokens: &mut Vec<Token>) {
    let mut dash = dash;
    let mut rest = part;
    loop {
        let digits = rest.starts_with(|c: char| c.is_ascii_digit());
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (value, after) = rest.split_at(end);
        tokens.push(Token { dash, value: meaning(value, !after.is_empty()) });
        if after.is_empty() {
            return;
        }
        dash = true;
        rest = after;
    }
}

/// What a token stands for: short and other names of the known words, numbers without leading zeros.
fn meaning(value: &str, before_digits: bool) -> String {
    let lower = value.to_lowercase();
    match lower.as_str() {
        "" => "0",
        "cr" => "rc",
        "ga" | "final" | "release" => "",
        "a" if before_digits => "alpha",
        "b" if before_digits => "beta",
        "m" if before_digits => "milestone",
        digits if digits.starts_with(|c: char| c.is_ascii_digit()) => match digits.trim_start_matches('0') {
            "" => "0",
            number => number,
        },
        word => word,
    }
    .to_owned()
}

fn trim(tokens: &mut Vec<Token>) {
    for at in (1..tokens.len()).rev() {
        let before_nothing = tokens.get(at + 1).is_none_or(|next| next.dash || !next.is_number());
        if before_nothing && tokens[at].is_nothing() {
            tokens.remove(at);
        }
    }
}
