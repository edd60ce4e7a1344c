//! YAML as lockfiles use it, told to a visitor key by key: nothing is built, so memory does not grow with the file.
//!
//! The fast path reads the subset that pnpm and yarn write: block maps and lists, quoted and plain scalars on one line,
//! flow values on one line, block scalars (passed over). Anything else is read again from the start by `saphyr-parser`.
//! Anchors are never expanded, so a file cannot grow while it is read: what stands at an anchor is told once, where it stands. Of an
//! alias is told what it is for.

use std::borrow::Cow;

mod events;

use super::bytes::{first_of, indent, lines};
use super::reading::Fault;

/// How deep values may be nested.
const DEEPEST: usize = 64;

/// The name of a list's items in a path.
pub(crate) const ITEM: &str = "-";

/// A place in the document: the keys from the top.
pub(crate) type Path<'p, 'a> = &'p [Cow<'a, str>];

/// What is told about a document.
pub(crate) trait Visit<'a> {
    /// A new document begins.
    fn document(&mut self) {}
    /// A key, before its value; the last part of the path is the key itself.
    fn key(&mut self, path: Path<'_, 'a>, line: u32);
    /// A scalar value.
    fn scalar(&mut self, path: Path<'_, 'a>, value: Cow<'a, str>, line: u32);
    /// Whether a block scalar (`|`, `>-`) at this place has to be read: it is passed over where it need not be.
    fn reads_block(&self, _path: Path<'_, 'a>) -> bool {
        false
    }
    /// Whether aliases for the map at this place are told with the place.
    fn keeps_map(&self, _path: Path<'_, 'a>) -> bool {
        false
    }
    /// An alias for a map that was [kept](Self::keeps_map), by the place where that stands.
    fn alias_of_map(&mut self, path: Path<'_, 'a>, _meant: Path<'_, 'a>, line: u32) -> bool {
        self.alias(path, None, line)
    }
    /// An alias for a list.
    fn alias_of_list(&mut self, path: Path<'_, 'a>, line: u32) -> bool {
        self.alias(path, None, line)
    }
    /// An alias in the place of a value; `false` where files of this kind have none.
    fn alias(&mut self, _path: Path<'_, 'a>, _meant: Option<&Anchored<'a>>, _line: u32) -> bool {
        false
    }
}

/// A scalar that aliases may stand for.
pub(crate) struct Anchored<'a> {
    /// What it says.
    pub(crate) value: Cow<'a, str>,
    /// The last part of the path that it stands at.
    pub(crate) key: Option<Cow<'a, str>>,
    /// The line that it stands in.
    pub(crate) line: u32,
}

/// Tells a document to a new visitor, which is returned with the fault that ended it, if any.
pub(crate) fn tell<'a, V: Visit<'a>>(text: &'a str, new: impl Fn() -> V) -> (V, Option<Fault>) {
    let mut visitor = new();
    if Scanner::default().run(text, &mut visitor).is_ok() {
        return (visitor, None);
    }
    let mut visitor = new();
    let fault = events::tell(text, &mut visitor).err();
    (visitor, fault)
}

/// The fast path met something it does not know.
struct Unknown;

#[derive(Default)]
struct Scanner<'a> {
    path: Vec<Cow<'a, str>>,
    levels: Vec<Level>,
}

#[derive(Clone, Copy)]
struct Level {
    indent: usize,
    is_item: bool,
    has_value: bool,
    /// Where this level's children begin, once there is one.
    inner: Option<usize>,
}

impl<'a> Scanner<'a> {
    fn run<V: Visit<'a>>(&mut self, text: &'a str, visitor: &mut V) -> Result<(), Unknown> {
        let mut literal: Option<usize> = None;
        let mut top: Option<usize> = None;
        for (number, line) in lines(text).enumerate() {
            let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
            let indent = indent(line.as_bytes());
            let content = line.get(indent..).unwrap_or_default();
            if content.is_empty() || literal.is_some_and(|outer| indent > outer) {
                continue;
            }
            literal = None;
            match content.as_bytes().first() {
                Some(b'#') => continue,
                Some(b'\t' | b'%') => return Err(Unknown),
                _ => {}
            }
            if indent == 0 && content.starts_with("---") {
                if content.trim_end() != "---" {
                    return Err(Unknown);
                }
                (self.path, self.levels, top) = (Vec::new(), Vec::new(), None);
                visitor.document();
                continue;
            }
            if *top.get_or_insert(indent) > indent || (indent == 0 && content.starts_with("...")) {
                return Err(Unknown);
            }
            if self.line(content, indent, number, visitor)? {
                literal = Some(indent);
            }
        }
        Ok(())
    }

    /// One line; whether it opens a block scalar.
    fn line<V: Visit<'a>>(
        &mut self,
        mut content: &'a str,
        mut indent: usize,
        number: u32,
        visitor: &mut V,
    ) -> Result<bool, Unknown> {
        while let Some(rest) = content.strip_prefix("- ").or(if content == "-" { Some("") } else { None }) {
            self.enter(indent, true)?;
            self.path.push(Cow::Borrowed(ITEM));
            let inner = rest.trim_start_matches(' ');
            indent += content.len() - inner.len();
            content = inner;
            if content.is_empty() {
                return Ok(false);
            }
            if key_of(content)?.is_none() && !content.starts_with("- ") {
                return self.value(content, number, visitor);
            }
        }
        let Some((key, rest)) = key_of(content)? else { return Err(Unknown) };
        self.enter(indent, false)?;
        self.path.push(key);
        visitor.key(&self.path, number);
        let rest = rest.trim_ascii();
        if rest.is_empty() || rest.starts_with('#') {
            return Ok(false);
        }
        self.value(rest, number, visitor)
    }

    /// Leaves what is deeper and enters a level at this indent; children of one parent stand in one column.
    fn enter(&mut self, indent: usize, is_item: bool) -> Result<(), Unknown> {
        while let Some(level) = self.levels.last() {
            let beside = level.indent == indent && (!is_item || level.is_item);
            if level.indent > indent || beside {
                self.levels.pop();
                self.path.pop();
            } else {
                break;
            }
        }
        if self.levels.len() >= DEEPEST {
            return Err(Unknown);
        }
        let parent = self.levels.last_mut();
        if parent.is_some_and(|parent| parent.has_value || *parent.inner.get_or_insert(indent) != indent) {
            return Err(Unknown);
        }
        self.levels.push(Level { indent, is_item, has_value: false, inner: None });
        Ok(())
    }

    fn value<V: Visit<'a>>(&mut self, value: &'a str, line: u32, visitor: &mut V) -> Result<bool, Unknown> {
        if let Some(level) = self.levels.last_mut() {
            level.has_value = true;
        }
        match value.as_bytes().first() {
            Some(b'|' | b'>') => {
                let known = value.bytes().skip(1).all(|b| matches!(b, b'-' | b'+'));
                if known && !visitor.reads_block(&self.path) { Ok(true) } else { Err(Unknown) }
            }
            Some(b'{' | b'[') => {
                let rest = self.flow(value, line, visitor)?;
                if is_end(rest) { Ok(false) } else { Err(Unknown) }
            }
            Some(b'"' | b'\'') => {
                let (text, rest) = quoted(value)?;
                visitor.scalar(&self.path, text, line);
                if is_end(rest) { Ok(false) } else { Err(Unknown) }
            }
            Some(b'&' | b'*' | b'!' | b'%' | b'@' | b'`' | b'?') | None => Err(Unknown),
            Some(_) => {
                let text = match memchr::memchr(b'#', value.as_bytes()) {
                    Some(_) => value.split_once(" #").map_or(value, |(text, _)| text),
                    None => value,
                }
                .trim_ascii_end();
                if memchr::memchr(b':', text.as_bytes()).is_some() && (text.contains(": ") || text.ends_with(':')) {
                    return Err(Unknown);
                }
                visitor.scalar(&self.path, Cow::Borrowed(text), line);
                Ok(false)
            }
        }
    }

    /// A flow map or list that ends on its line; returns what follows it.
    fn flow<V: Visit<'a>>(&mut self, text: &'a str, line: u32, visitor: &mut V) -> Result<&'a str, Unknown> {
        if self.path.len() >= DEEPEST {
            return Err(Unknown);
        }
        let is_map = text.starts_with('{');
        let close = if is_map { '}' } else { ']' };
        let mut rest = text.get(1..).ok_or(Unknown)?.trim_start();
        loop {
            if let Some(after) = rest.strip_prefix(close) {
                return Ok(after);
            }
            if is_map {
                let (key, after) = if rest.starts_with(['"', '\'']) {
                    quoted(rest)?
                } else {
                    let at = colon(rest.as_bytes()).ok_or(Unknown)?;
                    let key = rest.get(..at).ok_or(Unknown)?;
                    if key.bytes().any(|byte| matches!(byte, b',' | b'{' | b'}' | b'[' | b']' | b'&' | b'*' | b'!')) {
                        return Err(Unknown);
                    }
                    (Cow::Borrowed(key), rest.get(at..).ok_or(Unknown)?)
                };
                self.path.push(key);
                visitor.key(&self.path, line);
                rest = after.trim_start().strip_prefix(':').ok_or(Unknown)?.trim_start();
            } else {
                self.path.push(Cow::Borrowed(ITEM));
            }
            rest = self.flow_value(rest, line, visitor)?.trim_start();
            self.path.pop();
            match rest.strip_prefix(',') {
                Some(after) => rest = after.trim_start(),
                None if rest.starts_with(close) => {}
                None => return Err(Unknown),
            }
        }
    }

    fn flow_value<V: Visit<'a>>(&mut self, text: &'a str, line: u32, visitor: &mut V) -> Result<&'a str, Unknown> {
        match text.as_bytes().first() {
            Some(b'{' | b'[') => self.flow(text, line, visitor),
            Some(b'"' | b'\'') => {
                let (value, rest) = quoted(text)?;
                visitor.scalar(&self.path, value, line);
                Ok(rest)
            }
            Some(b'&' | b'*' | b'!' | b'|' | b'>' | b'#') | None => Err(Unknown),
            Some(_) => {
                let end = first_of(text.as_bytes(), *b",}]").ok_or(Unknown)?;
                let value = text.get(..end).ok_or(Unknown)?.trim_end();
                let may_end = memchr::memchr2(b':', b'#', value.as_bytes()).is_some();
                if (may_end && (value.contains(": ") || value.contains(" #")))
                    || memchr::memchr2(b'{', b'[', value.as_bytes()).is_some()
                {
                    return Err(Unknown);
                }
                visitor.scalar(&self.path, Cow::Borrowed(value), line);
                text.get(end..).ok_or(Unknown)
            }
        }
    }
}

/// Where a colon is that a blank follows.
fn colon(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b':', text).find(|at| text.get(at + 1) == Some(&b' '))
}

fn is_end(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

/// The key that a line begins with and what follows its colon.
fn key_of(content: &str) -> Result<Option<(Cow<'_, str>, &str)>, Unknown> {
    if content.starts_with(['"', '\'']) {
        let (key, rest) = quoted(content)?;
        let Some(rest) = rest.trim_start().strip_prefix(':') else { return Ok(None) };
        return if rest.is_empty() || rest.starts_with(' ') { Ok(Some((key, rest))) } else { Err(Unknown) };
    }
    if content.starts_with(['?', '&', '*', '!', '|', '>', '%', '`']) {
        return Err(Unknown);
    }
    if content.starts_with(['{', '[']) {
        return Ok(None);
    }
    let bytes = content.as_bytes();
    let ends = |at: usize| matches!(bytes.get(at + 1), None | Some(b' '));
    // Nearly every line begins with a short key.
    let is_plain = |at: &usize| bytes.get(*at) == Some(&b':') && ends(*at);
    let at = match first_of(bytes, *b"::#") {
        None => return Ok(None),
        Some(at) if is_plain(&at) => at,
        Some(_) => match memchr::memchr_iter(b':', bytes).find(is_plain) {
            None => return Ok(None),
            Some(at) if content.get(..at).is_some_and(|key| key.contains(" #")) => return Err(Unknown),
            Some(at) => at,
        },
    };
    let (key, rest) = content.split_at_checked(at).ok_or(Unknown)?;
    Ok(Some((Cow::Borrowed(key.trim_end()), rest.get(1..).unwrap_or_default())))
}

/// A quoted scalar that ends on its line, and what follows it.
fn quoted(text: &str) -> Result<(Cow<'_, str>, &str), Unknown> {
    let body = text.get(1..).ok_or(Unknown)?;
    if text.starts_with('"') {
        let end = memchr::memchr(b'"', body.as_bytes()).ok_or(Unknown)?;
        let value = body.get(..end).ok_or(Unknown)?;
        if memchr::memchr(b'\\', value.as_bytes()).is_some() {
            return Err(Unknown);
        }
        return Ok((Cow::Borrowed(value), body.get(end + 1..).unwrap_or_default()));
    }
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(b'\'', body.as_bytes().get(from..).ok_or(Unknown)?).ok_or(Unknown)?;
        if body.as_bytes().get(at + 1) == Some(&b'\'') {
            from = at + 2;
            continue;
        }
        let value = body.get(..at).ok_or(Unknown)?;
        let value = if from == 0 { Cow::Borrowed(value) } else { Cow::Owned(value.replace("''", "'")) };
        return Ok((value, body.get(at + 1..).unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Told(Vec<(String, u32)>);

    impl<'a> Visit<'a> for Told {
        fn key(&mut self, path: Path<'_, 'a>, line: u32) {
            self.0.push((path.last().map(ToString::to_string).unwrap_or_default(), line));
        }

        fn scalar(&mut self, _: Path<'_, 'a>, value: Cow<'a, str>, line: u32) {
            self.0.push((value.into_owned(), line));
        }
    }

    #[test]
    fn both_ways_of_reading_count_lines_alike() {
        // An anchor is nothing for the fast path.
        for (text, want) in [
            ("a: 1\nb: 2\r\nc: 3\n", &[("a", 1), ("1", 1), ("b", 2), ("2", 2), ("c", 3), ("3", 3)][..]),
            ("\u{e9}: &x 1\rb: 2\r\nc: 3\n", &[("\u{e9}", 1), ("1", 1), ("b", 1), ("2", 1), ("c", 2), ("3", 2)]),
            ("a: &x 1\r\r\rb:\n  - \"\u{e9}\"\n", &[("a", 1), ("1", 1), ("b", 1), ("\u{e9}", 2)]),
        ] {
            let (told, fault) = tell(text, Told::default);
            let told: Vec<(&str, u32)> = told.0.iter().map(|(word, line)| (word.as_str(), *line)).collect();
            assert_eq!((&*told, fault), (want, None), "{text:?}");
        }
        let (_, fault) = tell("a: &x 1\r\rb: [\n", Told::default);
        assert_eq!(fault.map(|fault| fault.line), Some(2));
    }
}
