//! Python versions (PEP 440), every spelling that normalises, with epochs and local parts.
//!
//! Key: epoch; release numbers without trailing zeros; then one group each for pre, post, dev and local, in the order in which
//! `packaging` compares them. Texts from before PEP 440 (`2004d`, `1.0-SNAPSHOT-x`) all sort below, among themselves as setuptools
//! had them (`pkg_resources`, later `packaging.version.LegacyVersion`); OSV's own records rely on that.

use std::borrow::Cow;

use super::key::{push_number, push_text};

const LEGACY: u8 = 0x00;
const PROPER: u8 = 0x01;
const END: u8 = 0x00;
const MORE: u8 = 0x02;

/// The key, and the key without the local part where there is one.
pub(super) fn parse(text: &str) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    // A number takes three bytes and its dot two, as a rule.
    let mut key = Vec::with_capacity(16 + text.len() * 2);
    let public = push(&mut key, text)?;
    let without = public.map(|end| key.iter().copied().take(end).chain([END]).collect());
    Some((key, without))
}

/// Appends the key; answers where its local part begins, if there is one. What it appended of a text that is no version is to be
/// taken away again.
pub(super) fn push(key: &mut Vec<u8>, text: &str) -> Option<Option<usize>> {
    if push_release(key, text) {
        return Some(None);
    }
    let text = if text.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    };
    let mut rest = Cursor(text.strip_prefix('v').unwrap_or(&text));
    key.push(PROPER);

    let mut first = rest.digits()?;
    if rest.eat("!") {
        push_number(key, first);
        first = rest.digits()?;
    } else {
        push_number(key, "0");
    }
    // Zeros at the end do not count.
    let mut end = key.len();
    let mut next = Some(first);
    while let Some(number) = next {
        key.push(MORE);
        push_number(key, number);
        if number.bytes().any(|b| b != b'0') {
            end = key.len();
        }
        next = rest.dotted_number();
    }
    key.truncate(end);
    key.push(END);

    let pre = rest.stage(&["alpha", "a", "beta", "b", "preview", "pre", "c", "rc"]);
    let post = rest.implicit_post().or_else(|| rest.stage(&["post", "rev", "r"]).map(|(_, number)| number));
    let dev = rest.stage(&["dev"]).map(|(_, number)| number);
    match pre {
        Some((word, number)) => {
            key.push(match word {
                "alpha" | "a" => 0x02,
                "beta" | "b" => 0x03,
                _ => 0x04,
            });
            push_number(key, number);
        }
        None if post.is_none() && dev.is_some() => key.push(0x01),
        None => key.push(0xFF),
    }
    match post {
        Some(number) => {
            key.push(0x02);
            push_number(key, number);
        }
        None => key.push(0x01),
    }
    match dev {
        Some(number) => {
            key.push(0x01);
            push_number(key, number);
        }
        None => key.push(0xFF),
    }
    let public = key.len();
    if !rest.eat("+") {
        key.push(END);
        return rest.0.is_empty().then_some(None);
    }
    key.push(0x01);
    for segment in rest.0.split(['.', '-', '_']) {
        if segment.is_empty() || !segment.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        if segment.bytes().all(|b| b.is_ascii_digit()) {
            key.push(0x03);
            push_number(key, segment);
        } else {
            key.push(0x02);
            push_text(key, segment);
        }
    }
    key.push(END);
    Some(Some(public))
}

/// Appends the key of a version of release numbers alone, as most are; nothing where it is another, or long.
fn push_release(key: &mut Vec<u8>, text: &str) -> bool {
    /// More numbers than this are no version that anybody gave.
    const ROOM: usize = 64;
    // It is put together apart, because a vector asks at each byte whether it has to grow.
    let mut out = [0_u8; ROOM];
    out[0] = PROPER;
    let (mut at, mut end) = (2, 2);
    let (mut number, mut digits) = (0_u32, 0);
    // The dot that closes the last number makes its end no case of its own.
    for byte in text.bytes().chain([b'.']) {
        match byte {
            b'0'..=b'9' if digits < 9 => {
                number = number * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && at + 6 <= ROOM => {
                let bytes = number.to_be_bytes();
                let zeros = number.leading_zeros() as usize / 8;
                out[at] = MORE;
                out[at + 1] = 4 - zeros as u8;
                at += 2;
                for byte in &bytes[zeros..] {
                    out[at] = *byte;
                    at += 1;
                }
                // Zeros at the end do not count.
                if number > 0 {
                    end = at;
                }
                (number, digits) = (0, 0);
            }
            _ => return false,
        }
    }
    key.extend_from_slice(&out[..end]);
    key.extend_from_slice(&[END, 0xFF, 0x01, 0xFF, END]);
    true
}

/// The key of a text that is no PEP 440 version; `None` for what never was a version either: a requirement, a word without digits.
pub(super) fn legacy(text: &str) -> Option<Vec<u8>> {
    let text = text.to_ascii_lowercase();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+' | b'!');
    if !text.bytes().all(allowed) || !text.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut parts: Vec<String> = Vec::new();
    for part in legacy_parts(&text).chain(["final"]) {
        let part = match part {
            "pre" | "preview" | "rc" => "*c".to_owned(),
            "-" => "*final-".to_owned(),
            "dev" => "*@".to_owned(),
            digits if digits.starts_with(|c: char| c.is_ascii_digit()) => format!("{digits:0>8}"),
            word => format!("*{word}"),
        };
        if part.starts_with('*') {
            // A pre-release word takes the dash before it away, and every word the zeros.
            if part.as_str() < "*final" {
                while parts.last().is_some_and(|last| last == "*final-") {
                    parts.pop();
                }
            }
            while parts.last().is_some_and(|last| last == "00000000") {
                parts.pop();
            }
        }
        parts.push(part);
    }
    let mut key = vec![LEGACY];
    for part in &parts {
        key.push(MORE);
        push_text(&mut key, part);
    }
    key.push(END);
    Some(key)
}

/// Rows of digits, rows of letters and dashes; everything else only separates.
fn legacy_parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let first = rest.chars().next()?;
        let end = match first {
            '-' => 1,
            _ => rest
                .find(|c: char| !c.is_ascii_alphanumeric() || c.is_ascii_digit() != first.is_ascii_digit())
                .unwrap_or(rest.len()),
        };
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

/// What is left to read.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn eat(&mut self, token: &str) -> bool {
        match self.0.strip_prefix(token) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn digits(&mut self) -> Option<&'a str> {
        let end = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if end == 0 {
            return None;
        }
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(digits)
    }

    fn dotted_number(&mut self) -> Option<&'a str> {
        let mut ahead = Cursor(self.0.strip_prefix('.')?);
        let digits = ahead.digits()?;
        self.0 = ahead.0;
        Some(digits)
    }

    /// `-1`, the old spelling of `.post1`.
    fn implicit_post(&mut self) -> Option<&'a str> {
        let mut ahead = Cursor(self.0.strip_prefix('-')?);
        let digits = ahead.digits()?;
        self.0 = ahead.0;
        Some(digits)
    }

    /// An optional separator, one of the words, an optional separator, an optional number (zero when absent).
    fn stage(&mut self, words: &[&'static str]) -> Option<(&'static str, &'a str)> {
        if self.0.is_empty() {
            return None;
        }
        let mut ahead = Cursor(self.0.strip_prefix(['.', '-', '_']).unwrap_or(self.0));
        let word = words.iter().copied().find(|word| ahead.eat(word))?;
        // The separator may stand without a number: `1.0a_` is `1.0a0`.
        ahead.0 = ahead.0.strip_prefix(['.', '-', '_']).unwrap_or(ahead.0);
        let number = ahead.digits().unwrap_or("0");
        self.0 = ahead.0;
        Some((word, number))
    }
}
