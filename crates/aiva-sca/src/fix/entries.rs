//! The entries of a JSON or TOML manifest, read once for all packages that are looked for in it, and where each of them stands.
//!
//! A value is replaced where it stands, in the quotes that it has; all else is left to the byte.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::rc::Rc;

use toml_edit::{Item, Value};

use super::ask::{Ask, Edited, Refused, Stands};
use super::edit::{Pen, holds};
use super::requirement::moved;
use super::{object, python};
use crate::package::Ecosystem;

/// What a requirement is when it is moved to a version.
pub(super) type Rule = fn(&str, &str) -> Option<String>;

/// How a version is put into an entry.
#[derive(Debug)]
pub(super) enum Form {
    /// The value is the requirement, in JSON. What the dependant has to bring stays as wide as it is where it allows the version.
    Json { is_peer: bool },
    /// The value is the requirement, in TOML.
    Toml(Rule),
    /// A line of PEP 508, which may be about what builds the project.
    Line { is_build: bool },
    /// The value is the requirement behind `group:name:`.
    Behind(String),
    /// These words say the version together.
    Words(String),
}

/// An entry.
#[derive(Debug)]
pub(super) struct Spot {
    /// The package, as it is asked for.
    pub(super) name: String,
    /// Under which name the manifest has it.
    pub(super) key: String,
    /// What it says, where that is a string.
    pub(super) said: Option<String>,
    /// That as its reader puts it, where that may be something else.
    pub(super) read: Option<String>,
    /// The file with the catalog that has its version.
    pub(super) kept_in: Option<String>,
    /// Where that stands, with its quotes.
    pub(super) at: Range<usize>,
    pub(super) form: Form,
    /// The version of the catalog that it refers to.
    pub(super) property: Option<String>,
}

/// The entries of a manifest.
#[derive(Debug, Default)]
pub(super) struct Entries {
    spots: Vec<Spot>,
    by_name: HashMap<String, Vec<usize>>,
    by_property: HashMap<String, Rc<[String]>>,
}

impl Entries {
    pub(super) fn of(spots: Vec<Spot>) -> Self {
        let mut entries = Self::default();
        let mut by_property: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for (at, spot) in spots.iter().enumerate() {
            entries.by_name.entry(spot.name.clone()).or_default().push(at);
            if let Some(property) = &spot.property {
                by_property.entry(property).or_default().insert(&spot.name);
            }
        }
        let listed = |(property, names): (&str, BTreeSet<&str>)| {
            (property.to_owned(), names.into_iter().map(str::to_owned).collect())
        };
        entries.by_property = by_property.into_iter().map(listed).collect();
        Self { spots, ..entries }
    }

    /// Learns what the catalogs of a workspace have: by the name of a catalog and the key of an entry the file and the range.
    pub(super) fn look_up(&mut self, mut find: impl FnMut(&str, &str) -> Option<(String, String)>) {
        for (at, spot) in self.spots.iter_mut().enumerate() {
            let catalog = spot.said.as_deref().and_then(|said| said.trim().strip_prefix("catalog:"));
            if let Some((file, range)) = catalog.and_then(|catalog| find(catalog, &spot.key)) {
                if let Some(real) = object::behind_alias(&range) {
                    self.by_name.entry(real.to_owned()).or_default().push(at);
                }
                (spot.kept_in, spot.read) = (Some(file), Some(range));
            }
        }
    }

    /// Moves a package in the text that was read.
    pub(super) fn edit(&self, text: &str, ask: &Ask<'_>) -> Edited {
        let mut pen = Pen::new(ask);
        let mut seen = BTreeSet::new();
        let name = match ask.ecosystem {
            Ecosystem::Packagist => ask.name.to_ascii_lowercase(),
            _ => ask.name.to_owned(),
        };
        let places = self.by_name.get(&name).map(Vec::as_slice).unwrap_or_default();
        for spot in places.iter().filter_map(|at| self.spots.get(*at)) {
            // Two may refer to one version of a catalog.
            if !seen.insert(spot.at.start) {
                continue;
            }
            let known = pen.entries.len();
            pen.said.clone_from(&spot.read);
            if let Some(new) = spot.moved(&mut pen) {
                let raw = text.get(spot.at.clone()).unwrap_or_default();
                pen.put(spot.at.clone(), spot.quoted(raw, new));
            }
            if let Some(property) = &spot.property {
                let mut new = pen.entries.iter_mut().skip(known).peekable();
                if new.peek().is_some() {
                    let names = self.by_property.get(property);
                    pen.shared.extend(names.map(|names| (spot.at.start, Rc::clone(names))));
                }
                new.for_each(|entry| entry.property = Some(property.clone()));
            }
        }
        pen.edited()
    }
}

impl Spot {
    /// What it says after the move; `None` where it stays.
    fn moved(&self, pen: &mut Pen<'_>) -> Option<String> {
        let Self { key, form, .. } = self;
        let Some(said) = &self.said else {
            pen.refuse(format!("the requirement of {key} is not a string"));
            return None;
        };
        let ecosystem = pen.ask.ecosystem;
        if let Some((file, range)) = self.kept_in.as_ref().zip(self.read.as_ref()) {
            let (to, held) = pen.ask.to(range)?;
            let reason =
                format!("{key} is asked for as {said:?}, for which {file} has {range}; move that to {to} by hand");
            pen.refused.push(Refused { reason, held: Some(held) });
            return None;
        }
        match form {
            Form::Json { is_peer: true } if holds(ecosystem, said, pen.ask.highest()) => None,
            Form::Json { .. } => pen.write(key, said, |old, to| moved(ecosystem, old, to)),
            Form::Toml(rule) => pen.write(key, said.trim(), rule).filter(|new| new != said.trim()),
            // Of what a lockfile pins nothing builds the project.
            Form::Line { is_build: true } if pen.ask.stands == Stands::Locked => None,
            Form::Line { .. } => python::line(said, pen),
            Form::Behind(_) => pen.write(key, said, |old, to| moved(ecosystem, old, to)),
            Form::Words(words) => {
                let to = pen.ask.highest();
                pen.refuse(format!("the version of {key} is said by {words}; move it to {to} by hand"));
                None
            }
        }
    }

    /// That as the file writes it.
    fn quoted(&self, raw: &str, new: String) -> String {
        match &self.form {
            Form::Json { .. } => serde_json::Value::from(new).to_string(),
            Form::Behind(module) => requoted(raw, format!("{module}:{new}")),
            _ => requoted(raw, new),
        }
    }
}

/// A new string of TOML in the quotes of an old one.
fn requoted(raw: &str, new: String) -> String {
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| raw.starts_with(quotes));
    let same = quotes.map(|quotes| format!("{quotes}{new}{quotes}"));
    // What does not read as the same string in those quotes gets others.
    let reads = |text: &String| text.parse::<Value>().is_ok_and(|value| value.as_str() == Some(&new));
    same.filter(reads).unwrap_or_else(|| Value::from(new).to_string())
}

/// Collects the entries of a TOML manifest.
#[derive(Debug, Default)]
pub(super) struct Spots(pub(super) Vec<Spot>);

impl Spots {
    /// `x = "1"`, `x = { version = "1" }` and `[dependencies.x]`. What is by path, by git or from the workspace has no version here.
    pub(super) fn item(&mut self, name: &str, key: &str, item: &Item, rule: Rule) {
        let value = match item {
            Item::Value(value) if value.is_str() => Some(value),
            item => {
                let version = item.as_table_like().and_then(|table| table.get("version"));
                version.and_then(Item::as_value)
            }
        };
        if let Some(value) = value {
            self.value(name, key, value, Form::Toml(rule));
        }
    }

    /// An entry whose value is the string itself.
    pub(super) fn value(&mut self, name: &str, key: &str, value: &Value, form: Form) {
        let Some((said, at)) = value.as_str().zip(value.span()) else { return };
        let (name, key, said) = (name.to_owned(), key.to_owned(), Some(said.to_owned()));
        self.0.push(Spot { name, key, said, read: None, kept_in: None, at, form, property: None });
    }
}
