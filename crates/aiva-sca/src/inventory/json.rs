//! A pull cursor over JSON that borrows from the text and knows its line: the hot path for lockfiles.
//!
//! Strict: what it accepts is JSON, and a file that was cut anywhere ends in a fault. It builds nothing; the caller takes
//! what it wants and skips the rest.

use std::borrow::Cow;

use super::bytes::{end_of_plain, indent};
use super::reading::Fault;

/// How deep values may be nested. Old npm lockfiles nest a level for each copy of a package.
const DEEPEST: u32 = 192;

/// What the next value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// `{`
    Object,
    /// `[`
    Array,
    /// `"`
    Text,
    /// A number, `true`, `false`, `null` or nothing at all.
    Other,
}

/// The cursor. A copy is a bookmark: going on with it reads the same again.
#[derive(Clone, Copy)]
pub(crate) struct Json<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
    depth: u32,
    /// Whether a comma may stand before a closing bracket, and comments anywhere.
    relaxed: bool,
}

impl<'a> Json<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, line: 1, depth: 0, relaxed: false }
    }

    /// JSON with comments and commas at the end, as some tools write it.
    pub(crate) fn relaxed(text: &'a str) -> Self {
        Self { relaxed: true, ..Self::new(text) }
    }

    /// The line of the cursor, from 1.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn gap(&mut self) {
        // What is no blank, and begins no comment, is left at once, and so is a single blank before it.
        let is_solid = |byte: u8| byte > b' ' && byte != b'/';
        match self.peek() {
            Some(byte) if is_solid(byte) => {}
            Some(b' ') if self.bytes.get(self.at + 1).copied().is_some_and(is_solid) => self.at += 1,
            _ => self.blanks(),
        }
    }

    #[inline(never)]
    fn blanks(&mut self) {
        let (mut at, mut lines) = (self.at, 0);
        while let Some(byte) = self.bytes.get(at) {
            match byte {
                b'\n' => {
                    lines += 1;
                    at += 1;
                    // Those who indent do so by blanks, and by many.
                    at += self.bytes.get(at..).map_or(0, indent);
                }
                b' ' | b'\t' | b'\r' => at += 1,
                b'/' if self.relaxed => {
                    self.at = at;
                    if !self.comment() {
                        break;
                    }
                    at = self.at;
                }
                _ => break,
            }
        }
        self.at = at;
        self.line = self.line.saturating_add(lines);
    }

    /// Passes over a comment; `false` where there is none, or one without an end.
    fn comment(&mut self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = match rest.get(1) {
            Some(b'/') => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            Some(b'*') => match memchr::memmem::find(rest, b"*/") {
                Some(end) if end > 1 => end + 2,
                _ => return false,
            },
            _ => return false,
        };
        let lines = memchr::memchr_iter(b'\n', rest.get(..length).unwrap_or_default()).count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.at += length;
        true
    }

    /// Takes a comma; whether the bracket follows it at once.
    fn ends_with_comma(&mut self, bracket: u8) -> bool {
        self.at += 1;
        if !self.relaxed {
            return false;
        }
        self.gap();
        self.peek() == Some(bracket)
    }

    fn fault<T>(&self, message: &str) -> Result<T, Fault> {
        if self.at >= self.bytes.len() {
            return Err(Fault::new(self.line, "the file ends in the middle of JSON: it was cut off"));
        }
        Err(Fault::new(self.line, format!("not JSON: {message}")))
    }

    /// What the next value is.
    pub(crate) fn next(&mut self) -> Value {
        self.gap();
        match self.peek() {
            Some(b'{') => Value::Object,
            Some(b'[') => Value::Array,
            Some(b'"') => Value::Text,
            _ => Value::Other,
        }
    }

    /// Goes through an object; `each` must take exactly one value and gets the key with its line. Any other value is
    /// skipped.
    pub(crate) fn object<F>(&mut self, mut each: F) -> Result<(), Fault>
    where
        F: FnMut(&mut Self, Cow<'a, str>, u32) -> Result<(), Fault>,
    {
        if self.next() != Value::Object {
            return self.skip();
        }
        self.open()?;
        self.gap();
        if self.peek() == Some(b'}') {
            return self.close();
        }
        loop {
            self.key_follows()?;
            let line = self.line;
            let key = self.quoted()?;
            self.colon()?;
            each(self, key, line)?;
            self.gap();
            match self.peek() {
                Some(b',') if self.ends_with_comma(b'}') => return self.close(),
                Some(b',') => {}
                Some(b'}') => return self.close(),
                _ => return self.fault("expected `,` or `}`"),
            }
        }
    }

    /// Goes through an array; `each` must take exactly one value. Any other value is skipped.
    pub(crate) fn array<F>(&mut self, mut each: F) -> Result<(), Fault>
    where
        F: FnMut(&mut Self) -> Result<(), Fault>,
    {
        if self.next() != Value::Array {
            return self.skip();
        }
        self.open()?;
        self.gap();
        if self.peek() == Some(b']') {
            return self.close();
        }
        loop {
            each(self)?;
            self.gap();
            match self.peek() {
                Some(b',') if self.ends_with_comma(b']') => return self.close(),
                Some(b',') => {}
                Some(b']') => return self.close(),
                _ => return self.fault("expected `,` or `]`"),
            }
        }
    }

    #[inline]
    fn key_follows(&mut self) -> Result<(), Fault> {
        self.gap();
        if self.peek() == Some(b'"') { Ok(()) } else { self.fault("expected a key in quotes") }
    }

    #[inline]
    fn colon(&mut self) -> Result<(), Fault> {
        self.gap();
        if self.peek() != Some(b':') {
            return self.fault("expected `:` after a key");
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self) -> Result<(), Fault> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEEPEST { self.fault("nested too deeply") } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// The value, if it is a string; any other value is skipped.
    pub(crate) fn string(&mut self) -> Result<Option<Cow<'a, str>>, Fault> {
        if self.next() == Value::Text {
            return self.quoted().map(Some);
        }
        self.skip()?;
        Ok(None)
    }

    /// The value, if it is `true`; any other value is skipped.
    pub(crate) fn is_true(&mut self) -> Result<bool, Fault> {
        self.gap();
        let from = self.at;
        self.skip()?;
        Ok(self.text.get(from..self.at) == Some("true"))
    }

    /// The value, if it is a whole number; any other value is skipped.
    pub(crate) fn number(&mut self) -> Result<Option<u32>, Fault> {
        self.gap();
        let from = self.at;
        self.skip()?;
        Ok(self.text.get(from..self.at).and_then(|digits| digits.parse().ok()))
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let from = self.at;
        let rest = self.bytes.get(from..).unwrap_or_default();
        self.at = end_of_plain(rest).map_or(self.bytes.len(), |found| from + found);
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Cow::Borrowed(self.text.get(from..self.at - 1).unwrap_or_default()))
            }
            Some(b'\\') => self.escaped(from),
            _ => self.fault("a string without its closing quote"),
        }
    }

    fn escaped(&mut self, from: usize) -> Result<Cow<'a, str>, Fault> {
        let mut text = self.text.get(from..self.at).unwrap_or_default().to_owned();
        let mut plain = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    text.push_str(self.text.get(plain..self.at).unwrap_or_default());
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    text.push_str(self.text.get(plain..self.at).unwrap_or_default());
                    text.push(self.escape()?);
                    plain = self.at;
                }
                None | Some(b'\n') => return self.fault("a string without its closing quote"),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        self.at += 1;
        let Some(byte) = self.peek() else { return self.fault("a string without its closing quote") };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return self.fault("an unknown escape in a string"),
        })
    }

    fn unicode(&mut self) -> Result<char, Fault> {
        let high = self.hex()?;
        if !(0xd800..0xdc00).contains(&high) {
            return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        self.at += 2;
        let low = self.hex()?;
        let joined = 0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff);
        Ok(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        match self.text.get(self.at..self.at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok()) {
            Some(code) => {
                self.at += 4;
                Ok(code)
            }
            None => self.fault("an escape that is no character"),
        }
    }

    /// Passes over one value of any kind.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        match self.next() {
            Value::Object | Value::Array => self.skip_nested(),
            Value::Text => self.skip_text(),
            Value::Other => self.plain(),
        }
    }

    fn skip_text(&mut self) -> Result<(), Fault> {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        match end_of_plain(rest) {
            Some(end) if rest.get(end) == Some(&b'"') => {
                self.at += end + 2;
                Ok(())
            }
            _ => self.quoted().map(drop),
        }
    }

    fn skip_key(&mut self) -> Result<(), Fault> {
        self.key_follows()?;
        self.skip_text()?;
        self.colon()
    }

    /// Passes over an object or an array, holding to the same rules as a walk through it, without a call for each value.
    fn skip_nested(&mut self) -> Result<(), Fault> {
        let outside = self.depth;
        // What closes each level.
        let mut closes = [0; DEEPEST as usize + 1];
        loop {
            let bracket = match self.next() {
                Value::Object => Some(b'}'),
                Value::Array => Some(b']'),
                Value::Text => self.skip_text().map(|()| None)?,
                Value::Other => self.plain().map(|()| None)?,
            };
            if let Some(bracket) = bracket {
                self.open()?;
                if let Some(level) = closes.get_mut(self.depth as usize) {
                    *level = bracket;
                }
                self.gap();
                if self.peek() != Some(bracket) {
                    if bracket == b'}' {
                        self.skip_key()?;
                    }
                    continue;
                }
                self.close()?;
            }
            // What follows a value.
            loop {
                if self.depth == outside {
                    return Ok(());
                }
                let bracket = closes.get(self.depth as usize).copied().unwrap_or_default();
                self.gap();
                match self.peek() {
                    Some(b',') if !self.ends_with_comma(bracket) => {
                        if bracket == b'}' {
                            self.skip_key()?;
                        }
                        break;
                    }
                    Some(b',') => self.close()?,
                    Some(byte) if byte == bracket => self.close()?,
                    _ if bracket == b'}' => return self.fault("expected `,` or `}`"),
                    _ => return self.fault("expected `,` or `]`"),
                }
            }
        }
    }

    fn plain(&mut self) -> Result<(), Fault> {
        let from = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) {
            self.at += 1;
        }
        let word = self.text.get(from..self.at).unwrap_or_default();
        let is_number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && word.parse::<f64>().is_ok();
        if is_number || matches!(word, "true" | "false" | "null") { Ok(()) } else { self.fault("expected a value") }
    }

    /// Holds only if nothing but white space is left.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.gap();
        if self.at >= self.bytes.len() { Ok(()) } else { self.fault("something follows the end") }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As those go who take what they want.
    fn walk(json: &mut Json<'_>) -> Result<(), Fault> {
        match json.next() {
            Value::Object => json.object(|json, _, _| walk(json)),
            Value::Array => json.array(walk),
            Value::Text => json.quoted().map(drop),
            Value::Other => json.plain(),
        }
    }

    #[track_caller]
    fn is_the_same(text: &str) {
        for mut skipped in [Json::new(text), Json::relaxed(text)] {
            let mut walked = skipped;
            let (skip, walk) = (skipped.skip(), walk(&mut walked));
            assert_eq!(skip, walk, "{text}");
            if skip.is_ok() {
                let end = |json: &Json<'_>| (json.at, json.line, json.depth);
                assert_eq!(end(&skipped), end(&walked), "{text}");
            }
        }
    }

    #[test]
    fn what_is_skipped_is_held_to_the_same_rules() {
        for text in [
            r#"{"a": {}, "b": [], "c": [1, {"d": "e\"f"}]} rest"#,
            "[\n1,\n[\n2,],\n]",
            r#"{"a": 1,}"#,
            r#"{"a": 1 "b": 2}"#,
            r#"{"a": [1}]"#,
            r#"{"a"#,
            r#"["\x"]"#,
            "{1: 2}",
            "// a\n[ /* b */ 1 ]",
            "",
        ] {
            is_the_same(text);
        }
        for depth in [1, DEEPEST as usize, DEEPEST as usize + 1, 5_000] {
            is_the_same(&["[".repeat(depth), "]".repeat(depth)].concat());
            is_the_same(&[r#"{"a":"#.repeat(depth), "1".to_owned(), "}".repeat(depth)].concat());
        }
    }

    proptest! {
        #[test]
        fn whatever_is_skipped_is_held_to_the_same_rules(text in r#"([\[\]{},: \n]|"a\\?"|1|"[a\\"]{0,3}|/[/*]|null){0,24}"#) {
            is_the_same(&text);
        }
    }
}
