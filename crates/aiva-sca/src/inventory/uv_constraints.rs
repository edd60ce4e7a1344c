//! What `[tool.uv]` lets nobody go beyond: `constraint-dependencies`, and `build-constraint-dependencies` for what builds projects.
//!
//! A constraint asks for nothing: it narrows what is asked for by its name. A pin among them is the version that is installed, so it is
//! judged in the place of the range; a range is put beside it. One behind a marker holds on some machines only, and narrows nothing.

use std::collections::HashMap;

use smol_str::SmolStr;

use super::manifest::Manifest;
use super::overrides::{Override, Reach};
use super::pyproject::doubt_list;
use super::python::normalise;
use super::reading::Reading;
use super::requirements::{Requirement, no_requirement};
use crate::package::NotJudged;

/// For all that is asked for.
pub(super) const ALL: &str = "constraint-dependencies";

/// For what builds a project.
pub(super) const BUILD: &str = "build-constraint-dependencies";

/// The constraints of one list, each with its line; of what is no requirement is told where one is needed.
fn written(manifest: &Manifest, key: &str, mut doubt: impl FnMut(u32, &str)) -> Vec<(SmolStr, String, u32)> {
    let item = manifest.table(&["tool", "uv"]).and_then(|uv| uv.get(key));
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

/// Narrows the ranges from a place on by one of the lists.
pub(super) fn narrow(manifest: &Manifest, key: &str, from: usize, reading: &mut Reading) {
    let uv = manifest.table(&["tool", "uv"]);
    if let Some(entry) = uv.and_then(|uv| manifest.entries(uv).find(|(name, ..)| *name == key)) {
        doubt_list(entry, reading);
    }
    let all = written(manifest, key, |line, text| reading.problem(line, no_requirement(text)));
    let mut by_name: HashMap<SmolStr, Vec<(String, u32)>> = HashMap::new();
    for (name, specifiers, line) in all {
        by_name.entry(name).or_default().push((specifiers, line));
    }
    if by_name.is_empty() {
        return;
    }
    for entry in reading.not_judged.split_off(from.min(reading.not_judged.len())) {
        match by_name.get(entry.name.as_str()).filter(|_| entry.is_range) {
            Some(constraints) => constrained(entry, constraints, reading),
            None => reading.not_judged.push(entry),
        }
    }
}

fn constrained(entry: NotJudged, constraints: &[(String, u32)], reading: &mut Reading) {
    let of = |specifiers| Requirement { name: &entry.name, specifiers, address: None };
    if let Some((pin, line)) = constraints.iter().find(|(specifiers, _)| of(specifiers).pin().is_some()) {
        return of(pin).note(reading, entry.scope, Some(true), *line);
    }
    let own = entry.requirement.trim().trim_end_matches(',');
    let all = [own].into_iter().chain(constraints.iter().map(|(specifiers, _)| specifiers.as_str()));
    let requirement = all.filter(|one| !one.is_empty()).collect::<Vec<_>>().join(",");
    reading.not_judged.push(NotJudged { requirement: requirement.into(), ..entry });
}

/// The same as what holds a package where it is.
pub(super) fn holding(manifest: &Manifest) -> impl Iterator<Item = Override> {
    let of = |table: &'static str| {
        let all = written(manifest, table, |_, _| {}).into_iter();
        all.map(move |(name, requirement, line)| Override {
            table,
            name: name.to_string(),
            requirement,
            line,
            reach: Reach::All,
        })
    };
    of(ALL).chain(of(BUILD))
}
