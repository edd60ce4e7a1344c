//! Gives the tree of values its types, collecting everything that is wrong.
//!
//! Promises: one bad value never hides another; every value read is remembered with its origin; what is left over in a table
//! is an unknown key, reported with the nearest known one.
//!
//! Start reading at [`Field`]; a new scalar implements [`Leaf`], a section is declared by [`crate::config_section!`];
//! `value` reads each kind.

use std::collections::BTreeMap;

use super::source::{Bare, Node, Origin, Value};
use super::{Entry, Problem, Sources};

mod value;

/// Something that can be read from the tree: a scalar, a section, a list, a map, or none of them.
pub trait Field: Sized {
    /// What it looks like, for the documentation and for finding environment names.
    fn shape() -> Shape;

    /// Reads it; `None` when it is wrong or missing, which has then been reported.
    fn read(node: Option<&Node>, reader: &mut Reader<'_>) -> Option<Self>;

    /// Whether leaving it out is fine.
    fn may_be_absent() -> bool {
        false
    }
}

/// A scalar, written as one string (or bare number, boolean, date).
pub trait Leaf: Sized {
    /// Completes the sentence "expected ...": `an address and port, like 127.0.0.1:8080`.
    const WHAT: &'static str;
    /// Which bare TOML scalar it is written as, if not as a string.
    const BARE: Bare = Bare::None;

    /// Parses it.
    ///
    /// # Errors
    /// Why it is not one, or an empty string where [`Leaf::WHAT`] says it all.
    fn from_text(text: &str) -> Result<Self, String>;

    /// The value as TOML.
    fn show(&self) -> String;
}

/// The documentation of one section.
pub trait Section {
    /// The lines of its documentation.
    const DOC: &'static [&'static str];

    /// Its keys in the order of declaration.
    fn keys() -> Vec<Key>;
}

/// One key of a section.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// The lines of its documentation.
    pub doc: &'static [&'static str],
    /// The default, as in the file.
    pub default: Option<Value>,
    /// A value for the example, where there is no default.
    pub example: Option<&'static str>,
    /// The usual environment names.
    pub aliases: Vec<Alias>,
    /// What it holds.
    pub shape: Shape,
}

/// A usual environment name for a key.
#[derive(Debug, Clone, Copy)]
pub struct Alias {
    /// The variable.
    pub name: &'static str,
    /// Makes the key's value of the variable's and what the file says.
    pub merge: fn(&str, Option<&str>) -> String,
}

/// What a field looks like.
#[derive(Debug, Clone)]
pub enum Shape {
    /// One value; completes "expected ...".
    Leaf(&'static str),
    /// `{ env = "NAME" }` or `{ file = "/path" }`.
    Secret,
    /// A table with known keys.
    Section(&'static [&'static str], Vec<Key>),
    /// What may be left out.
    Optional(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// A table with keys of the user's choice.
    Map(Box<Shape>),
}

impl Shape {
    /// The paths that have usual environment names.
    pub(super) fn aliases(&self, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Alias)>) {
        let keys = match self {
            Self::Section(_, keys) => keys,
            Self::Optional(inner) => return inner.aliases(path, found),
            Self::Leaf(_) | Self::Secret | Self::List(_) | Self::Map(_) => return,
        };
        for key in keys {
            path.push(key.name.to_owned());
            found.extend(key.aliases.iter().map(|alias| (path.clone(), *alias)));
            key.shape.aliases(path, found);
            path.pop();
        }
    }
}

/// What came of reading.
pub(super) struct Finished {
    pub(super) entries: Vec<Entry>,
    pub(super) problems: Vec<Problem>,
    pub(super) hazards: Vec<Problem>,
    pub(super) advice: Vec<Problem>,
    pub(super) production: bool,
}

/// Reads values and keeps account of what was found.
pub struct Reader<'a> {
    sources: &'a Sources<'a>,
    path: Vec<String>,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
    hazards: Vec<Problem>,
    advice: Vec<Problem>,
    production: bool,
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: &'a Sources<'a>, problems: Vec<Problem>) -> Self {
        Self {
            sources,
            path: Vec::new(),
            entries: Vec::new(),
            problems,
            hazards: Vec::new(),
            advice: Vec::new(),
            production: false,
        }
    }

    pub(super) fn finish(self) -> Finished {
        let Self { entries, problems, hazards, advice, production, .. } = self;
        Finished { entries, problems, hazards, advice, production }
    }

    /// For the checks of a section: the value of `key` (relative to the section) is wrong.
    pub fn refuse(&mut self, key: &str, message: impl Into<String>) {
        let problem = self.about(key, message.into());
        self.problems.push(problem);
    }

    /// For the checks of a section: the value of `key` is unsafe; a warning in development, refused in production.
    pub fn hazard(&mut self, key: &str, message: impl Into<String>) {
        let problem = self.about(key, message.into());
        self.hazards.push(problem);
    }

    /// For the checks of a section: what `key` says holds, but is hardly what was meant. A warning, in production too.
    pub fn advise(&mut self, key: &str, message: impl Into<String>) {
        let problem = self.about(key, message.into());
        self.advice.push(problem);
    }

    /// Turns every hazard into a problem.
    pub fn production(&mut self) {
        self.production = true;
    }

    fn about(&self, key: &str, message: String) -> Problem {
        let mut at = self.at();
        if !key.is_empty() {
            at = if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
        }
        let inside = |entry: &&Entry| {
            entry.key.strip_prefix(&at).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let origin = self.entries.iter().find(inside).map_or(Origin::Default, |entry| entry.source.clone());
        Problem { origin, key: at, message }
    }

    fn at(&self) -> String {
        let mut out = String::new();
        for part in &self.path {
            if !out.is_empty() && !part.starts_with('[') {
                out.push('.');
            }
            out.push_str(part);
        }
        out
    }

    fn wrong(&mut self, origin: &Origin, message: impl Into<String>) {
        self.problems.push(Problem { origin: origin.clone(), key: self.at(), message: message.into() });
    }

    fn record(&mut self, origin: &Origin, value: String) {
        self.entries.push(Entry { key: self.at(), value, source: origin.clone() });
    }

    fn inside<T>(&mut self, step: String, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let outcome = read(self);
        self.path.pop();
        outcome
    }

    /// Opens a section: reports unknown keys and returns its table. Called by the macro.
    #[doc(hidden)]
    pub fn open<'n>(&mut self, node: Option<&'n Node>, keys: &[&str]) -> Option<Opened<'n>> {
        let Some(node) = node else { return Some(Opened { table: None, origin: &Origin::Default }) };
        let Value::Table(table) = &node.value else {
            self.wrong(&node.origin, format!("expected a table, found {}", node.value.kind()));
            return None;
        };
        for (name, unknown) in table.iter().filter(|(name, _)| !keys.contains(&name.as_str())) {
            let hint = match nearest(name, keys) {
                Some(known) => format!("unknown key; did you mean `{known}`?"),
                None if keys.is_empty() => "unknown key".to_owned(),
                None => format!("unknown key; known here: {}", keys.join(", ")),
            };
            self.inside(show_key(name), |reader| reader.wrong(&unknown.origin, hint));
        }
        Some(Opened { table: Some(table), origin: &node.origin })
    }

    /// Reads one key of a section. Called by the macro.
    #[doc(hidden)]
    pub fn key<T: Field>(&mut self, section: &Opened<'_>, name: &'static str, default: Option<Value>) -> Option<T> {
        let default = default.map(|value| Node { value, origin: Origin::Default });
        let node = section.table.and_then(|table| table.get(name)).or(default.as_ref());
        self.inside(name.to_owned(), |reader| {
            if node.is_none() && !T::may_be_absent() {
                reader.wrong(section.origin, "is required");
                return None;
            }
            T::read(node, reader)
        })
    }
}

/// A section whose keys are about to be read.
#[doc(hidden)]
#[derive(Debug)]
pub struct Opened<'n> {
    table: Option<&'n BTreeMap<String, Node>>,
    origin: &'n Origin,
}

/// The known key that the user probably meant.
fn nearest<'k>(name: &str, keys: &[&'k str]) -> Option<&'k str> {
    let allowed = (name.chars().count() / 3).max(1);
    keys.iter().map(|key| (distance(name, key), *key)).filter(|(far, _)| *far <= allowed).min().map(|(_, key)| key)
}

/// How many insertions, deletions, replacements and swaps of neighbours lie between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

/// A name as TOML wants it in a key, quoted only where it must be.
fn show_key(name: &str) -> String {
    toml_edit::Key::new(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found_and_a_far_one_is_not_guessed() {
        let keys = ["listen", "admin_listen", "data_dir"];
        assert_eq!(nearest("lisen", &keys), Some("listen"));
        assert_eq!(nearest("lsiten", &keys), Some("listen"));
        assert_eq!(nearest("data-dir", &keys), Some("data_dir"));
        assert_eq!(nearest("colour", &keys), None);
    }
}
