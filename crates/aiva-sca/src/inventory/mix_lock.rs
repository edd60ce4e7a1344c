//! `mix.lock`: one Elixir map from a name to `{:hex, :name, "version", …}` or `{:git, "address", "revision", …}`.
//!
//! Read by a small reader of Elixir terms, since entries hold nested lists and tuples. What is direct only `mix.exs` knows,
//! which is a program; a folder that it takes a package from has no entry here.

use rapidhash::RapidHashMap;

use super::address::without_secret;
use super::graph::index;
use super::reading::{Fault, Reading, quote};
use super::signs::{Archives, Listed};
use crate::package::{Ecosystem, NotJudged, Package, Source};

/// How deep terms may be nested.
const DEEPEST: u32 = 32;

/// An Elixir term, as far as a lockfile needs it.
#[derive(Debug)]
pub(super) enum Term {
    Atom(String),
    Text(String),
    Tuple(Vec<Term>, u32),
    List(Vec<Term>),
    /// `key: value` inside a list.
    Pair(String, Box<Term>),
    Other,
}

/// Reads a `mix.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut terms = Terms { text, bytes: text.as_bytes(), at: 0, line: 1, depth: 0 };
    let mut lock = Lock::default();
    if let Err(fault) = lock.read(&mut terms, &mut reading) {
        reading.fault(fault);
    }
    lock.settle(&mut reading);
    reading.close()
}

#[derive(Default)]
struct Lock {
    by_name: RapidHashMap<String, u32>,
    /// What is there without being judged: an edge to it is no missing one.
    others: Vec<String>,
    needs: Vec<(u32, String, u32)>,
    archives: Archives,
}

impl Lock {
    fn read(&mut self, terms: &mut Terms<'_>, reading: &mut Reading) -> Result<(), Fault> {
        if !terms.takes(b"%{") {
            return terms.fault("not a mix.lock: it begins with `%{`");
        }
        loop {
            if terms.takes(b"}") {
                return terms.end();
            }
            terms.gap();
            let line = terms.line;
            let Term::Text(name) = terms.term()? else { return terms.fault("expected a name in quotes") };
            if !terms.takes(b":") && !terms.takes(b"=>") {
                return terms.fault("expected `:` after a name");
            }
            match terms.term()? {
                Term::Tuple(parts, _) => self.entry(&name, parts, line, reading),
                _ => reading.problem(line, format!("the entry {} is no tuple", quote(&name))),
            }
            if !terms.takes(b",") && terms.peek() != Some(b'}') {
                return terms.fault("expected `,` or `}`");
            }
        }
    }

    fn entry(&mut self, name: &str, parts: Vec<Term>, line: u32, reading: &mut Reading) {
        let mut parts = parts.into_iter();
        let (kind, first, second) = (parts.next(), parts.next(), parts.next());
        match (kind, first, second) {
            (Some(Term::Atom(kind)), Some(Term::Atom(real)), Some(Term::Text(version))) if kind == "hex" => {
                let at = index(reading.packages.len());
                let mut source = Source::Registry;
                let mut listed = Listed::default();
                let (checksum, _builders) = (parts.next(), parts.next());
                if matches!(checksum, Some(Term::Text(hash)) if !hash.is_empty()) {
                    listed.hash("sha256:");
                }
                self.archives.add(at as usize, listed);
                if let Some(Term::List(needs)) = parts.next() {
                    self.needs.extend(needs.into_iter().filter_map(need).map(|(name, line)| (at, name, line)));
                }
                if let Some(Term::Text(repository)) = parts.next()
                    && repository != "hexpm"
                {
                    source = Source::PrivateRegistry(repository);
                }
                self.by_name.insert(name.to_owned(), at);
                reading.alias(name, &real, line);
                let package = Package::new(Ecosystem::Hex, real, version, line);
                reading.packages.push(Package { source, ..package });
            }
            (Some(Term::Atom(kind)), Some(Term::Text(address)), second) if kind == "git" => {
                let revision = match second {
                    Some(Term::Text(revision)) => revision,
                    _ => String::new(),
                };
                self.others.push(name.to_owned());
                let mut listed = Listed::default();
                listed.revision(&revision);
                let package = Package::new(Ecosystem::Hex, name, "", line);
                let package = Package { source: Source::Git(without_secret(&address).into_owned()), ..package };
                listed.tell(&package, false, &mut reading.links.signs);
                reading.outside(Ecosystem::Hex, name, package.source, line);
                let place = format!("{}#{revision}", without_secret(&address));
                let reason = "a git dependency, not a released version";
                reading.not_judged.push(NotJudged::new(Ecosystem::Hex, name, place, line, reason));
            }
            (Some(Term::Atom(kind)), ..) if kind == "path" => self.others.push(name.to_owned()),
            _ => reading.problem(line, format!("the entry {} is of an unknown kind", quote(name))),
        }
    }

    fn settle(self, reading: &mut Reading) {
        self.archives.tell(&reading.packages, &mut reading.links.signs);
        for (from, name, line) in self.needs {
            match self.by_name.get(&name) {
                Some(to) => reading.links.edges.push((from, *to)),
                None if self.others.contains(&name) => {}
                None => reading.unmet(&name, line),
            }
        }
    }
}

/// `{:name, "~> 1.0", [hex: :name, optional: false]}`: what must be there.
fn need(term: Term) -> Option<(String, u32)> {
    let Term::Tuple(parts, line) = term else { return None };
    let mut parts = parts.into_iter();
    let Some(Term::Atom(name)) = parts.next() else { return None };
    let options = parts.find_map(|part| if let Term::List(options) = part { Some(options) } else { None });
    let optional = options.into_iter().flatten().any(
        |option| matches!(option, Term::Pair(key, value) if key == "optional" && matches!(&*value, Term::Atom(word) if word == "true")),
    );
    (!optional).then_some((name, line))
}

/// A cursor over Elixir terms.
pub(super) struct Terms<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
    depth: u32,
}

impl<'a> Terms<'a> {
    /// A cursor at a place of a text, which is on this line.
    pub(super) fn at(text: &'a str, at: usize, line: u32) -> Self {
        Self { text, bytes: text.as_bytes(), at, line, depth: 0 }
    }

    /// Where the cursor is, in bytes.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// The line of the cursor, from 1.
    pub(super) fn line(&self) -> u32 {
        self.line
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn gap(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                b'#' => {
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                    continue;
                }
                _ => return,
            }
            self.at += 1;
        }
    }

    fn fault<T>(&self, message: &str) -> Result<T, Fault> {
        if self.at >= self.bytes.len() {
            return Err(Fault::new(self.line, "the file ends in the middle of a term: it was cut off"));
        }
        Err(Fault::new(self.line, message))
    }

    /// Takes these bytes, if they come next.
    pub(super) fn takes(&mut self, wanted: &[u8]) -> bool {
        self.gap();
        let is_next = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(wanted));
        if is_next {
            self.at += wanted.len();
        }
        is_next
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.gap();
        if self.at >= self.bytes.len() { Ok(()) } else { self.fault("something follows the end") }
    }

    pub(super) fn term(&mut self) -> Result<Term, Fault> {
        self.gap();
        match self.peek() {
            Some(b'{') => {
                let line = self.line;
                self.at += 1;
                Ok(Term::Tuple(self.items(b'}')?, line))
            }
            Some(b'[') => {
                self.at += 1;
                self.items(b']').map(Term::List)
            }
            Some(b'"') => self.quoted().map(Term::Text),
            Some(b':') => {
                self.at += 1;
                match self.peek() {
                    Some(b'"') => self.quoted().map(Term::Atom),
                    _ => self.word().map(|word| Term::Atom(word.to_owned())),
                }
            }
            Some(b'~') => self.sigil(),
            _ => self.bare(),
        }
    }

    /// `~w(dev test)a`: words on one line, as atoms.
    fn sigil(&mut self) -> Result<Term, Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(body) = rest.strip_prefix("~w") else { return self.fault("a sigil that is no list of words") };
        let close = match body.chars().next() {
            Some('(') => ')',
            Some('[') => ']',
            Some('{') => '}',
            _ => return self.fault("a list of words without its bracket"),
        };
        let line = body.split('\n').next().unwrap_or_default();
        let Some(end) = line.find(close) else { return self.fault("a list of words without its closing bracket") };
        let words = line.get(1..end).unwrap_or_default().split_whitespace();
        let words = words.map(|word| Term::Atom(word.to_owned())).collect();
        self.at += 2 + end + 1;
        if matches!(self.peek(), Some(b'a' | b's' | b'c')) {
            self.at += 1;
        }
        Ok(Term::List(words))
    }

    /// A word (`true`), a number, or `key: value`.
    fn bare(&mut self) -> Result<Term, Fault> {
        let word = self.word()?.to_owned();
        if self.peek() == Some(b':') {
            self.at += 1;
            return Ok(Term::Pair(word, Box::new(self.term()?)));
        }
        Ok(if word.starts_with(|c: char| c.is_ascii_digit()) { Term::Other } else { Term::Atom(word) })
    }

    fn word(&mut self) -> Result<&str, Fault> {
        let from = self.at;
        let is_part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'@' | b'?' | b'!' | b'.' | b'-');
        while self.peek().is_some_and(is_part) {
            self.at += 1;
        }
        if self.at == from {
            return self.fault("expected a term");
        }
        Ok(self.text.get(from..self.at).unwrap_or_default())
    }

    fn quoted(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let from = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(self.text.get(from..self.at - 1).unwrap_or_default().to_owned());
                }
                Some(b'\\') => self.at = (self.at + 2).min(self.bytes.len()),
                None | Some(b'\n') => return self.fault("a string without its closing quote"),
                Some(_) => self.at += 1,
            }
        }
    }

    fn items(&mut self, close: u8) -> Result<Vec<Term>, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.fault("nested too deeply");
        }
        let mut items = Vec::new();
        loop {
            if self.takes(&[close]) {
                self.depth -= 1;
                return Ok(items);
            }
            items.push(self.term()?);
            self.gap();
            if !self.takes(b",") && self.peek() != Some(close) {
                return self.fault("expected `,` or a closing bracket");
            }
        }
    }
}
