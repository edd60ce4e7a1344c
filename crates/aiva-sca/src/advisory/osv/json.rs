//! Reads JSON from front to back, without a tree and without a word about what is wrong: `None` is all that it says then.
//!
//! Strict: what it takes, [`serde_json`] takes too.

use std::borrow::Cow;

use memchr::memchr2;

/// Deeper than any member that a record has.
const DEEPEST: u32 = 32;

/// JSON text, and how far it is read.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Whether there is a control character anywhere: none may stand in a string.
    has_controls: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // All bytes are looked at, which is faster than to stop at the first.
        let has_controls = text.bytes().fold(false, |any, byte| any | (byte < 0x20));
        Self { text, at: 0, has_controls }
    }

    /// The next byte that is no blank; `None` at the end.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += 1;
        byte
    }

    fn eat(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    /// Goes over this very text.
    pub(super) fn literal(&mut self, wanted: &str) -> Option<()> {
        let found = self.text.get(self.at..)?.starts_with(wanted);
        self.at += wanted.len();
        found.then_some(())
    }

    /// Whether a value starts so; another one, but for a number, is passed over.
    pub(super) fn has(&mut self, start: u8) -> Option<bool> {
        match self.peek()? {
            byte if byte == start => Some(true),
            // Read as a number it could be too large.
            b'-' | b'0'..=b'9' => None,
            _ => self.skip().map(|()| false),
        }
    }

    /// Hands over the name of each member; the value is to be read.
    pub(super) fn object(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.eat(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let Cow::Borrowed(name) = self.string()? else { return None };
            self.eat(b':')?;
            member(self, name)?;
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Has each element read.
    pub(super) fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.eat(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            element(self)?;
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A string, copied only if something in it is escaped.
    pub(super) fn string(&mut self) -> Option<Cow<'a, str>> {
        self.eat(b'"')?;
        let start = self.at;
        if self.stop()? == b'"' {
            return self.text.get(start..self.at - 1).map(Cow::Borrowed);
        }
        // Up to the next quote, which is the end or escaped as well: never more than there is text.
        let left = self.text.as_bytes().get(self.at..).and_then(|rest| memchr::memchr(b'"', rest)).unwrap_or(0);
        let mut unescaped = String::with_capacity(self.at - start + left);
        let mut from = start;
        loop {
            unescaped.push_str(self.text.get(from..self.at - 1)?);
            unescaped.push(self.escape()?);
            from = self.at;
            if self.stop()? == b'"' {
                unescaped.push_str(self.text.get(from..self.at - 1)?);
                return Some(Cow::Owned(unescaped));
            }
        }
    }

    /// Goes behind the next quote or backslash of a string and answers which it was.
    fn stop(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let end = memchr2(b'"', b'\\', rest)?;
        if self.has_controls && rest.iter().take(end).any(|byte| *byte < 0x20) {
            return None;
        }
        self.at += end + 1;
        rest.get(end).copied()
    }

    /// What an escape stands for, its backslash being read.
    fn escape(&mut self) -> Option<char> {
        let kind = *self.text.as_bytes().get(self.at)?;
        self.at += 1;
        Some(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\x08',
            b'f' => '\x0C',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.four_digits()?;
                if !(0xD800..0xDC00).contains(&first) {
                    return char::from_u32(first);
                }
                self.literal("\\u")?;
                let second = self.four_digits()?.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
                return char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + second);
            }
            _ => return None,
        })
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self) -> Option<()> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: u32) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match self.peek()? {
            b'"' => {
                self.at += 1;
                while self.stop()? != b'"' {
                    self.escape()?;
                }
                Some(())
            }
            b'{' => self.object(|reader, _| reader.skip_at(depth + 1)),
            b'[' => self.array(|reader| reader.skip_at(depth + 1)),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.text.as_bytes().get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let start = self.at;
        let digits = self.digits()?;
        if digits > 1 && self.text.as_bytes().get(start) == Some(&b'0') {
            return None;
        }
        if self.text.as_bytes().get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.as_bytes().get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.as_bytes().get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// How many digits it went over, at least one.
    fn digits(&mut self) -> Option<usize> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(count)
    }
}
