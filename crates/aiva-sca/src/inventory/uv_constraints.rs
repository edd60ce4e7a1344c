//! What `[tool.uv]` lets nobody go beyond: `constraint-dependencies`, and `build-constraint-dependencies` for what builds projects.
//!
//! A constraint asks for nothing: it narrows what is asked for by its name. A pin among them is the version that is installed, so it is
//! judged in the place of the range; a range is put beside it. One behind a marker holds on some machines only, and narrows nothing.

use std::collections::HashMap;

use smol_str::SmolStr;
use toml_edit::TableLike;

use super::manifest::Manifest;
use super::overrides::{Override, Reach};
use super::python::normalise;
use super::reading::Reading;
use super::requirements::{Requirement, no_requirement};
use super::typed::doubt_list;
use crate::package::{NotJudged, Package};

/// For all that is asked for.
pub(super) const ALL: &str = "constraint-dependencies";

/// For what builds a project.
pub(super) const BUILD: &str = "build-constraint-dependencies";

/// The constraints of one list, each with its line; of what is no requirement is told where one is needed.
fn written(
    manifest: &Manifest,
    uv: Option<&dyn TableLike>,
    key: &str,
    mut doubt: impl FnMut(u32, &str),
) -> Vec<(SmolStr, String, u32)> {
    let item = uv.and_then(|uv| uv.get(key));
    let mut all = Vec::new();
    for (text, line) in item.into_iter().flat_map(|item| manifest.strings(item)) {
        match Requirement::parse(text.trim()) {
            Some(one) if one.address.is_none() && !one.specifiers.is_empty() && !text.contains(';') => {
                all.push((normalise(one.name), one.specifiers.trim_end_matches(',').to_owned(), line));
            }
            Some(_) => {}
            None => doubt(line, text),
        }
    }
    all
}

/// Narrows the ranges from a place on by one of the lists of a table of uv's, where it reads one.
pub(super) fn narrow(manifest: &Manifest, uv: Option<&dyn TableLike>, key: &str, from: usize, reading: &mut Reading) {
    if let Some(entry) = uv.and_then(|uv| manifest.entries(uv).find(|(name, ..)| *name == key)) {
        doubt_list(manifest, entry, reading);
    }
    let all = written(manifest, uv, key, |line, text| reading.problem(line, no_requirement(text)));
    Constraints::new(all).narrow(from, reading, |_, line| line);
}

/// All that a list says, by package.
#[derive(Debug)]
pub(super) struct Constraints(HashMap<SmolStr, Constraint>);

impl Constraints {
    /// Those of a list of a table of uv's, for the members of its workspace: of what is none its own file tells.
    pub(super) fn of(manifest: &Manifest, uv: Option<&dyn TableLike>, key: &str) -> Self {
        Self::new(written(manifest, uv, key, |_, _| {}))
    }

    fn new(all: Vec<(SmolStr, String, u32)>) -> Self {
        let mut by_name: HashMap<SmolStr, Constraint> = HashMap::new();
        for (name, specifiers, line) in all {
            by_name.entry(name).or_default().add(specifiers, line);
        }
        Self(by_name)
    }

    /// The same in the file of a member, where each entry keeps its line.
    pub(super) fn narrow_member(&self, from: usize, reading: &mut Reading) {
        self.narrow(from, reading, |entry, _| entry);
    }

    /// `place` has the line of a pin, from that of the entry and that of the constraint.
    fn narrow(&self, from: usize, reading: &mut Reading, place: fn(u32, u32) -> u32) {
        if self.0.is_empty() {
            return;
        }
        for entry in reading.not_judged.split_off(from.min(reading.not_judged.len())) {
            match self.0.get(entry.name.as_str()).filter(|_| entry.is_range) {
                Some(constraint) => constraint.put(entry, reading, place),
                None => reading.not_judged.push(entry),
            }
        }
    }
}

/// The most bytes of constraints that are put beside one range, or in its place: many entries may have one name.
const LONGEST: usize = 1024;

/// All that a list says of one package.
#[derive(Debug, Default)]
struct Constraint {
    /// The version and its line; one text for all who have the name.
    pin: Option<(SmolStr, u32)>,
    /// What fits of it, as one: the less, the wider is what is judged.
    specifiers: String,
}

impl Constraint {
    fn add(&mut self, specifiers: String, line: u32) {
        if specifiers.len() > LONGEST {
            return;
        }
        if self.specifiers.len() + specifiers.len() <= LONGEST {
            let comma = if self.specifiers.is_empty() { "" } else { "," };
            self.specifiers.extend([comma, &specifiers]);
        }
        let pin = Requirement { name: "", specifiers: &specifiers, address: None }.pin().map(SmolStr::new);
        self.pin = self.pin.take().or(pin.zip(Some(line)));
    }

    fn put(&self, entry: NotJudged, reading: &mut Reading, place: fn(u32, u32) -> u32) {
        if let Some((pin, line)) = &self.pin {
            let package = Package::new(entry.ecosystem, entry.name, pin.clone(), place(entry.line, *line));
            return reading.packages.push(Package { scope: entry.scope, direct: Some(true), ..package });
        }
        let own = entry.requirement.trim().trim_end_matches(',');
        let parts = [own, &self.specifiers].into_iter().filter(|one| !one.is_empty());
        let requirement = parts.collect::<Vec<_>>().join(",");
        reading.not_judged.push(NotJudged { requirement: requirement.into(), ..entry });
    }
}

/// The same as what holds a package where it is.
pub(super) fn holding(manifest: &Manifest, uv: Option<&dyn TableLike>) -> impl Iterator<Item = Override> {
    [(ALL, Reach::All), (BUILD, Reach::Build)].into_iter().flat_map(move |(table, reach)| {
        let all = written(manifest, uv, table, |_, _| {}).into_iter();
        all.map(move |(name, requirement, line)| Override {
            table,
            name: name.to_string(),
            requirement,
            line,
            reach,
            file: None,
        })
    })
}
