//! A pull cursor over TOML that borrows from the text and knows its line: the hot path for lockfiles.
//!
//! It reads all of TOML's values, but builds nothing: the caller takes what it wants and skips the rest. After a fault
//! [`Toml::recover`] goes on with the next table, so that one damaged entry costs one entry. Manifests, which people
//! write, go through `toml_edit` instead.

use std::borrow::Cow;

use super::bytes::first_of;
use super::reading::Fault;

/// How deep arrays and inline tables may be nested.
const DEEPEST: u32 = 64;

/// What the cursor stands before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// `[path]`, as written between the brackets.
    Table(&'a str),
    /// `[[path]]`.
    Entry(&'a str),
    /// `key =`; the value comes next. Dotted keys are given as written.
    Key(Cow<'a, str>),
}

/// The cursor.
pub(crate) struct Toml<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
    depth: u32,
    fresh: bool,
}

impl<'a> Toml<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, bytes: text.as_bytes(), at: 0, line: 1, depth: 0, fresh: true }
    }

    /// The line of the cursor, from 1.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn fault<T>(&self, message: impl Into<String>) -> Result<T, Fault> {
        let message = if self.at >= self.bytes.len() {
            format!("{}: the file ends here, it may have been cut off", message.into())
        } else {
            message.into()
        };
        Err(Fault::new(self.line, message))
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// White space, line ends and comments.
    fn gap(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                }
                Some(b'#') => self.at = self.line_end(),
                _ => return,
            }
        }
    }

    fn line_end(&self) -> usize {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        memchr::memchr(b'\n', rest).map_or(self.bytes.len(), |found| self.at + found)
    }

    /// The next table or key; `None` at the end of the file.
    pub(crate) fn next(&mut self) -> Result<Option<Item<'a>>, Fault> {
        let before = self.line;
        let started = self.fresh;
        self.gap();
        let Some(byte) = self.peek() else { return Ok(None) };
        if !started && before == self.line {
            return self.fault("expected the end of the line");
        }
        self.fresh = false;
        if byte == b'[' {
            return self.header().map(Some);
        }
        let key = self.key()?;
        self.blanks();
        if self.peek() != Some(b'=') {
            return self.fault("expected `=` after a key");
        }
        self.at += 1;
        Ok(Some(Item::Key(key)))
    }

    fn header(&mut self) -> Result<Item<'a>, Fault> {
        let end = self.line_end();
        let line = self.slice(self.at, end);
        let line = match memchr::memchr(b'#', line.as_bytes()) {
            Some(_) => line.split_once(" #").map_or(line, |(code, _)| code),
            None => line,
        }
        .trim_end();
        let item = match line.strip_prefix("[[") {
            Some(rest) => rest.strip_suffix("]]").map(Item::Entry),
            None => line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(Item::Table),
        };
        self.at = end;
        match item {
            Some(item) => Ok(item),
            None => self.fault("a table header without its closing bracket"),
        }
    }

    /// A key, with its parts as written where it is dotted.
    fn key(&mut self) -> Result<Cow<'a, str>, Fault> {
        if matches!(self.peek(), Some(b'"' | b'\'')) {
            return self.text_value();
        }
        let from = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.') || b >= 0x80) {
            self.at += 1;
        }
        if self.at == from {
            return self.fault("expected a key or a table");
        }
        Ok(Cow::Borrowed(self.slice(from, self.at)))
    }

    /// The value, if it is a string; any other value is skipped.
    pub(crate) fn string(&mut self) -> Result<Option<Cow<'a, str>>, Fault> {
        self.blanks();
        if matches!(self.peek(), Some(b'"' | b'\'')) {
            return self.text_value().map(Some);
        }
        self.skip()?;
        Ok(None)
    }

    fn text_value(&mut self) -> Result<Cow<'a, str>, Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(b"\"\"\"") {
            return self.long(b"\"\"\"", true);
        }
        if rest.starts_with(b"'''") {
            return self.long(b"'''", false);
        }
        let quote = rest.first().copied().unwrap_or(b'"');
        self.at += 1;
        let from = self.at;
        // Only between double quotes is there anything that needs to be escaped.
        let escape = if quote == b'"' { b'\\' } else { quote };
        let found = self.bytes.get(from..).and_then(|rest| first_of(rest, [quote, escape, b'\n']));
        self.at = found.map_or(self.bytes.len(), |found| from + found);
        match self.peek() {
            Some(byte) if byte == quote => {
                self.at += 1;
                Ok(Cow::Borrowed(self.slice(from, self.at - 1)))
            }
            Some(b'\\') => self.escaped(from),
            _ => self.fault("a string without its closing quote"),
        }
    }

    fn escaped(&mut self, from: usize) -> Result<Cow<'a, str>, Fault> {
        let mut text = self.slice(from, self.at).to_owned();
        let mut plain = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    text.push_str(self.slice(plain, self.at));
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    text.push_str(self.slice(plain, self.at));
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
        let digits = match byte {
            b'b' => return Ok('\u{8}'),
            b't' => return Ok('\t'),
            b'n' => return Ok('\n'),
            b'f' => return Ok('\u{c}'),
            b'r' => return Ok('\r'),
            b'e' => return Ok('\u{1b}'),
            b'"' => return Ok('"'),
            b'\\' => return Ok('\\'),
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            _ => return self.fault("an unknown escape in a string"),
        };
        let hex = self.slice(self.at, self.at + digits);
        match u32::from_str_radix(hex, 16).ok().and_then(char::from_u32) {
            Some(char) => {
                self.at += digits;
                Ok(char)
            }
            None => self.fault("an escape that is no character"),
        }
    }

    /// A multi-line string. Its escapes are left as they are: no lockfile keeps a name or a version in one.
    fn long(&mut self, quotes: &[u8], escapes: bool) -> Result<Cow<'a, str>, Fault> {
        self.at += 3;
        let from = self.at;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            match rest.first() {
                None => return self.fault("a multi-line string without its closing quotes"),
                Some(b'\\') if escapes => self.at = (self.at + 2).min(self.bytes.len()),
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                }
                Some(_) if rest.starts_with(quotes) => {
                    let text = self.slice(from, self.at);
                    self.at += 3;
                    return Ok(Cow::Borrowed(text));
                }
                Some(_) => self.at += 1,
            }
        }
    }

    fn deeper(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEEPEST { self.fault("nested too deeply") } else { Ok(()) }
    }

    /// Goes through an array; `each` must take exactly one value. Any other value is skipped.
    pub(crate) fn array<F>(&mut self, mut each: F) -> Result<(), Fault>
    where
        F: FnMut(&mut Self) -> Result<(), Fault>,
    {
        self.blanks();
        if self.peek() != Some(b'[') {
            return self.skip();
        }
        self.deeper()?;
        self.at += 1;
        loop {
            self.gap();
            if self.peek() == Some(b']') {
                self.at += 1;
                self.depth -= 1;
                return Ok(());
            }
            each(self)?;
            self.gap();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {}
                _ => return self.fault("an array without its closing bracket"),
            }
        }
    }

    /// Goes through an inline table; `each` must take exactly one value. Any other value is skipped.
    pub(crate) fn table<F>(&mut self, mut each: F) -> Result<(), Fault>
    where
        F: FnMut(&mut Self, &str) -> Result<(), Fault>,
    {
        self.blanks();
        if self.peek() != Some(b'{') {
            return self.skip();
        }
        self.deeper()?;
        self.at += 1;
        loop {
            self.gap();
            if self.peek() == Some(b'}') {
                self.at += 1;
                self.depth -= 1;
                return Ok(());
            }
            let key = self.key()?;
            self.blanks();
            if self.peek() != Some(b'=') {
                return self.fault("expected `=` after a key");
            }
            self.at += 1;
            each(self, &key)?;
            self.gap();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {}
                _ => return self.fault("an inline table without its closing brace"),
            }
        }
    }

    /// Whether the value is an inline table.
    pub(crate) fn is_table(&mut self) -> bool {
        self.blanks();
        self.peek() == Some(b'{')
    }

    /// Whether the value is an array.
    pub(crate) fn is_array(&mut self) -> bool {
        self.blanks();
        self.peek() == Some(b'[')
    }

    /// The value as written, if it is neither a string nor nested.
    pub(crate) fn bare(&mut self) -> Result<&'a str, Fault> {
        self.blanks();
        let from = self.at;
        while self.peek().is_some_and(|b| !matches!(b, b',' | b']' | b'}' | b'#' | b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        let value = self.slice(from, self.at);
        let known = value.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'))
            || matches!(value, "true" | "false" | "inf" | "nan");
        if known { Ok(value) } else { self.fault("expected a value") }
    }

    /// Passes over one value of any kind.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        self.blanks();
        match self.peek() {
            Some(b'"' | b'\'') => self.text_value().map(drop),
            Some(b'[') => self.array(Self::skip),
            Some(b'{') => self.table(|toml, _| toml.skip()),
            _ => self.bare().map(drop),
        }
    }

    /// After a fault: goes on with the next line that opens a table.
    pub(crate) fn recover(&mut self) {
        self.depth = 0;
        self.fresh = true;
        loop {
            self.at = self.line_end();
            if self.at >= self.bytes.len() {
                return;
            }
            self.at += 1;
            self.line += 1;
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            if rest.starts_with(b"[[") || (rest.starts_with(b"[") && rest.get(1).is_some_and(u8::is_ascii_alphabetic)) {
                return;
            }
        }
    }
}
