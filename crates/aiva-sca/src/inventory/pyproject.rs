//! `pyproject.toml`: what a Python project asks for, as the standard (PEP 621, 735), poetry, and older pdm and uv write it.
//!
//! A file that only configures tools names no dependency and says nothing. Poetry's bare `1.2` is exact, `^` and `~` are not.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use toml_edit::{Item, TableLike};

use super::address::without_secret;
use super::dynamic;
use super::graph::stronger;
use super::manifest::Manifest;
use super::overrides::{self, Override, Reach, Scopes};
use super::python::{self, exact, normalise};
use super::reading::{Declared, Reading, quote};
use super::requirements::{Requirement, no_requirement};
use super::typed::{doubt_list, table_at, table_in, tables, wrong, wrong_source};
use super::workspaces::{Alone, Tell};
use super::{uv_constraints, uv_members};
use crate::package::{Ecosystem, NotJudged, Scope, Source};

/// Reads a `pyproject.toml`.
pub(crate) fn read(text: &str) -> Reading {
    read_as(text, &Alone)
}

/// The same; of a member of its workspace uv passes over the lists of what is forced and narrowed.
pub(super) fn read_as(text: &str, tell: &dyn Tell) -> Reading {
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(fault) => return Reading::failed(fault.line, fault.message),
    };
    let mut reading = Reading::default();
    let name = manifest.string(&["project", "name"]).or_else(|| manifest.string(&["tool", "poetry", "name"]));
    reading.links.name = name.map(|name| normalise(name).into());
    standard(&manifest, tell, &mut reading);
    poetry(&manifest, &mut reading);
    dynamic::note(&manifest, &mut reading);
    reading.close()
}

/// Where uv takes packages from, if not from the public index.
#[derive(Default)]
struct Sources {
    by_name: HashMap<String, Source>,
    /// The index of all others.
    default: Option<Source>,
}

impl Sources {
    /// `[tool.uv.sources]` and `[[tool.uv.index]]`. What a marker chooses may come from the public index elsewhere, so it stays open.
    fn of(manifest: &Manifest) -> Self {
        let mut sources = Self::default();
        let Some(uv) = manifest.table(&["tool", "uv"]) else { return sources };
        let indexes: Vec<&dyn TableLike> = uv.get("index").map(tables).unwrap_or_default();
        let text = |table: &dyn TableLike, key: &str| table.get(key).and_then(Item::as_str).map(str::to_owned);
        let default = indexes.iter().find(|one| one.get("default").and_then(Item::as_bool) == Some(true));
        let url =
            default.and_then(|one| text(*one, "url")).or_else(|| uv.get("index-url")?.as_str().map(str::to_owned));
        sources.default = url.map(|url| python::index(&url)).filter(|source| *source != Source::Registry);
        let Some(named) = uv.get("sources").and_then(Item::as_table_like) else { return sources };
        for (name, item) in named.iter() {
            let Some(table) = item.as_table_like() else { continue };
            let source = if let Some(address) = text(table, "git") {
                Source::Git(without_secret(&address).into_owned())
            } else if let Some(address) = text(table, "url") {
                Source::Url(without_secret(&address).into_owned())
            } else if let Some(index) = text(table, "index") {
                let url = indexes.iter().find(|one| text(**one, "name").as_deref() == Some(&*index));
                url.and_then(|one| text(*one, "url")).map_or(Source::PrivateRegistry(index), |url| python::index(&url))
            } else if table.get("marker").is_none() {
                Source::Path(text(table, "path").unwrap_or_default()) // Or a member of the workspace.
            } else {
                continue;
            };
            sources.by_name.insert(normalise(name).to_string(), source);
        }
        sources
    }

    fn get(&self, name: &str) -> Option<&Source> {
        self.by_name.get(name).or(self.default.as_ref()).filter(|source| **source != Source::Registry)
    }
}

fn standard(manifest: &Manifest, tell: &dyn Tell, reading: &mut Reading) {
    let sources = &Sources::of(manifest);
    list_at(manifest, (&["project"], "dependencies"), Scope::Runtime, sources, reading);
    // The last two are from before PEP 735: pdm's groups, and uv's only one.
    for (path, scope) in [
        (&["project", "optional-dependencies"][..], Scope::Optional),
        (&["dependency-groups"][..], Scope::Dev),
        (&["tool", "pdm", "dev-dependencies"][..], Scope::Dev),
    ] {
        let Some(table) = table_at(manifest, path, reading) else { continue };
        for entry in manifest.entries(table) {
            requirements(manifest, entry, scope, sources, reading);
        }
    }
    list_at(manifest, (&["tool", "uv"], "dev-dependencies"), Scope::Dev, sources, reading);
    let above = workspace_of(manifest, tell);
    let of_uv = manifest.table(&["tool", "uv"]).filter(|_| above.is_none());
    let above = above.as_ref().map(|workspace| &workspace.lists);
    if let Some(above) = above {
        above.force(reading);
    }
    forced(manifest, of_uv, sources, reading);
    overridden(manifest, of_uv, reading);
    uv_constraints::narrow(manifest, of_uv, uv_constraints::ALL, 0, reading);
    if let Some(above) = above {
        above.all.narrow_member(0, reading);
    }
    // No lockfile has what builds the project, and nobody else asks for it: nothing is declared.
    let (declared, open) = (reading.links.declared.len(), reading.not_judged.len());
    list_at(manifest, (&["build-system"], "requires"), Scope::Build, sources, reading);
    reading.links.declared.truncate(declared);
    uv_constraints::narrow(manifest, of_uv, uv_constraints::BUILD, open, reading);
    if let Some(above) = above {
        above.build.narrow_member(open, reading);
    }
    for entry in reading.not_judged.iter_mut().skip(open).filter(|entry| entry.is_range) {
        entry.reason = "a range, not a pinned version; no lockfile pins what builds a project".into();
    }
}

/// The workspace whose lists uv goes by instead of those of this manifest.
fn workspace_of(manifest: &Manifest, tell: &dyn Tell) -> Option<Arc<uv_members::Workspace>> {
    if manifest.table(&uv_members::TABLE).is_some() { None } else { tell.uv() }
}

/// The same of a text; none where it cannot be read.
pub(crate) fn workspace_of_text(text: &str, tell: &dyn Tell) -> Option<Arc<uv_members::Workspace>> {
    // Most are no members.
    tell.uv()?;
    workspace_of(&Manifest::parse(text.trim_start_matches('\u{feff}')).ok()?, tell)
}

/// What uv and pdm are to take whatever anybody asks for. `of_uv` is the table that uv reads such lists of.
fn written(manifest: &Manifest, of_uv: Option<&dyn TableLike>) -> Vec<Override> {
    let mut all = written_by_uv(manifest, of_uv);
    let pdm = manifest.table(&["tool", "pdm", "resolution", "overrides"]);
    for (name, item, line) in pdm.into_iter().flat_map(|table| manifest.entries(table)) {
        let Some(text) = item.as_str() else { continue };
        let is_plain = text.starts_with(['<', '>', '=', '!', '~']) || exact(text) || text.trim() == "*";
        let requirement = if is_plain { specifiers(text) } else { format!("@ {text}") };
        all.push(Override {
            table: "resolution.overrides",
            name: normalise(name).to_string(),
            requirement,
            line,
            reach: Reach::All,
            file: None,
        });
    }
    all
}

/// What uv's table is to take.
pub(super) fn written_by_uv(manifest: &Manifest, of_uv: Option<&dyn TableLike>) -> Vec<Override> {
    let mut all = Vec::new();
    let uv = of_uv.and_then(|uv| uv.get("override-dependencies"));
    for (text, line) in uv.into_iter().flat_map(|item| manifest.strings(item)) {
        // What is none is told of where the names are read.
        let Some(Requirement { name, specifiers, address }) = Requirement::parse(text.trim()) else { continue };
        let requirement = address.map_or_else(|| specifiers.to_owned(), |address| format!("@ {address}"));
        let reach = if text.contains(';') { Reach::Some } else { Reach::All };
        all.push(Override {
            table: "override-dependencies",
            name: normalise(name).to_string(),
            requirement,
            line,
            reach,
            file: None,
        });
    }
    all
}

/// All that a text forces or holds; nothing where it cannot be read.
pub(super) fn overrides_of(text: &str, tell: &dyn Tell) -> Vec<Override> {
    let Ok(manifest) = Manifest::parse(text.trim_start_matches('\u{feff}')) else { return Vec::new() };
    let of_uv = manifest.table(&["tool", "uv"]).filter(|_| workspace_of(&manifest, tell).is_none());
    let mut all = written(&manifest, of_uv);
    all.extend(uv_constraints::holding(&manifest, of_uv));
    all
}

/// Judges what is forced, in the place of what is asked for.
fn forced(manifest: &Manifest, of_uv: Option<&dyn TableLike>, sources: &Sources, reading: &mut Reading) {
    let all = written(manifest, of_uv);
    let whole: HashSet<&str> = overrides::replaced(&all).collect();
    if !whole.is_empty() {
        reading.packages.retain(|package| !whole.contains(&*package.name));
        reading.not_judged.retain(|entry| !whole.contains(&*entry.name));
    }
    let mut scopes = Scopes::new();
    for one in &reading.links.declared {
        scopes.entry(one.name.clone()).and_modify(|known| *known = stronger(*known, one.scope)).or_insert(one.scope);
    }
    for one in &all {
        let scope = scopes.get(one.name.as_str()).copied();
        let before = (reading.packages.len(), reading.not_judged.len());
        let address = one.requirement.strip_prefix("@ ");
        let specifiers = if address.is_some() { "" } else { &*one.requirement };
        let requirement = Requirement { name: &one.name, specifiers, address };
        let asked = scope.unwrap_or_default();
        match sources.get(&one.name).filter(|_| address.is_none()) {
            Some(source) => elsewhere(&requirement, source, asked, one.line, reading),
            None => requirement.note(reading, asked, None, one.line),
        }
        overrides::mark(reading, before, one.table, scope.is_some());
    }
}

/// Names of which uv or pdm say elsewhere which version it is to be, or that there is to be none.
fn overridden(manifest: &Manifest, of_uv: Option<&dyn TableLike>, reading: &mut Reading) {
    let named = |text: &str| {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
        normalise(text.get(..end.unwrap_or(text.len())).unwrap_or_default())
    };
    let of_pdm = manifest.table(&["tool", "pdm", "resolution"]);
    for (table, key) in [(of_uv, "override-dependencies"), (of_uv, "exclude-dependencies"), (of_pdm, "excludes")] {
        if let Some(entry) = table.and_then(|table| manifest.entries(table).find(|(name, ..)| *name == key)) {
            doubt_list(manifest, entry, reading);
            for (text, line) in manifest.strings(entry.1) {
                reading.links.overridden.push(named(text).to_string());
                if Requirement::parse(text.trim()).is_none() {
                    reading.problem(line, no_requirement(text));
                }
            }
        }
    }
    let forced = table_at(manifest, &["tool", "pdm", "resolution", "overrides"], reading);
    for (name, _, line) in
        forced.into_iter().flat_map(|all| manifest.entries(all)).filter(|(_, item, _)| !item.is_str())
    {
        reading.problem(line, format!("the override of {} is not a string", quote(name)));
    }
    let sources = table_at(manifest, &["tool", "uv", "sources"], reading);
    for (name, item, line) in sources.into_iter().flat_map(|all| manifest.entries(all)) {
        if let Some(wrong) = wrong_source(item) {
            reading.problem(line, format!("the source of {} {wrong} and is not read", quote(name)));
        }
    }
    for path in [&["tool", "uv", "sources"][..], &["tool", "pdm", "resolution", "overrides"][..]] {
        let names = manifest.table(path).into_iter().flat_map(TableLike::iter);
        reading.links.overridden.extend(names.map(|(name, _)| named(name).into()));
    }
}

/// The requirements of one key of a table.
fn list_at(manifest: &Manifest, (table, key): (&[&str], &str), scope: Scope, sources: &Sources, reading: &mut Reading) {
    let table = table_at(manifest, table, reading);
    if let Some(entry) = table.and_then(|table| manifest.entries(table).find(|(name, ..)| *name == key)) {
        requirements(manifest, entry, scope, sources, reading);
    }
}

fn requirements(
    manifest: &Manifest,
    entry: (&str, &Item, u32),
    scope: Scope,
    sources: &Sources,
    reading: &mut Reading,
) {
    doubt_list(manifest, entry, reading);
    for (text, line) in manifest.strings(entry.1) {
        // pdm: a folder of the project, `-e file:///${PROJECT_ROOT}/own#egg=own`.
        if let Some(folder) = text.trim().strip_prefix("-e ") {
            let name = folder.split_once("#egg=").and_then(|(_, name)| name.split(['[', '&']).next());
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                declare(name, "", scope, line, reading);
                reading.outside(Ecosystem::PyPi, &normalise(name), Source::Path(String::new()), line);
            }
            continue;
        }
        match Requirement::parse(text.trim()) {
            Some(requirement) => {
                if text.contains(';') {
                    reading.links.conditional.push(normalise(requirement.name).to_string());
                }
                declare(requirement.name, requirement.specifiers, scope, line, reading);
                match sources.get(&normalise(requirement.name)).filter(|_| requirement.address.is_none()) {
                    Some(source) => elsewhere(&requirement, source, scope, line, reading),
                    None => requirement.note(reading, scope, Some(true), line),
                }
            }
            None => reading.problem(line, no_requirement(text)),
        }
    }
}

/// A requirement that does not come from the public index.
fn elsewhere(requirement: &Requirement<'_>, source: &Source, scope: Scope, line: u32, reading: &mut Reading) {
    let name = normalise(requirement.name);
    let (place, reason) = match source {
        // Of the project itself.
        Source::Path(_) | Source::Registry => {
            return reading.outside(Ecosystem::PyPi, &name, source.clone(), line);
        }
        Source::Git(address) => (address, "a git dependency, not a released version"),
        Source::Url(address) => (address, "from an address, not from an index: it has no version"),
        Source::PrivateRegistry(index) => {
            (index, "it comes from another index, where a public name may be another package")
        }
    };
    reading.outside(Ecosystem::PyPi, &name, source.clone(), line);
    let asked = if requirement.specifiers.is_empty() { place.as_str() } else { requirement.specifiers };
    let entry = NotJudged::new(Ecosystem::PyPi, name, asked, line, reason);
    let entry = match source {
        Source::PrivateRegistry(index) => entry.of_registry(index, requirement.specifiers),
        _ => entry,
    };
    reading.not_judged.push(NotJudged { scope, ..entry });
}

fn declare(name: &str, requirement: &str, scope: Scope, line: u32, reading: &mut Reading) {
    reading.links.declared.push(Declared::new(normalise(name), requirement, scope, line));
}

fn poetry(manifest: &Manifest, reading: &mut Reading) {
    for (key, scope) in [("dependencies", Scope::Runtime), ("dev-dependencies", Scope::Dev)] {
        if let Some(table) = table_at(manifest, &["tool", "poetry", key], reading) {
            list(manifest, table, scope, reading);
        }
    }
    let Some(groups) = table_at(manifest, &["tool", "poetry", "group"], reading) else { return };
    for (group, _) in groups.iter() {
        let scope = if group == "main" { Scope::Runtime } else { Scope::Dev };
        let Some(table) = table_in(manifest, groups, group, reading) else { continue };
        if let Some(table) = table_in(manifest, table, "dependencies", reading) {
            list(manifest, table, scope, reading);
        }
    }
}

fn list(manifest: &Manifest, table: &dyn TableLike, scope: Scope, reading: &mut Reading) {
    for (name, item, line) in manifest.entries(table).filter(|(name, _, _)| *name != "python") {
        entry(name, item, scope, line, reading);
    }
}

/// What an entry of Poetry's allows of the public index, and what it takes from elsewhere. A list has a constraint for each marker: all
/// that any of them allows may be installed somewhere.
fn parts(item: &Item) -> (Vec<String>, Vec<(String, Source)>) {
    let mut allowed: Vec<String> = item.as_str().map(specifiers).into_iter().collect();
    let mut from = Vec::new();
    for table in tables(item) {
        let field = |key: &str| table.get(key).and_then(Item::as_str);
        let version = field("version").unwrap_or_default();
        let source = if let Some(path) = field("path") {
            Some(Source::Path(path.to_owned()))
        } else if let Some(address) = field("git") {
            Some(Source::Git(without_secret(address).into_owned()))
        } else if let Some(address) = field("url") {
            Some(Source::Url(without_secret(address).into_owned()))
        } else {
            let named = field("source").filter(|name| !name.eq_ignore_ascii_case("pypi"));
            named.map(|name| Source::PrivateRegistry(name.to_owned()))
        };
        match source {
            Some(source) => from.push((specifiers(version), source)),
            None => allowed.push(specifiers(version)),
        }
    }
    let strings = item.as_array().into_iter().flat_map(toml_edit::Array::iter).filter_map(toml_edit::Value::as_str);
    allowed.extend(strings.map(specifiers));
    (allowed, from)
}

/// All of it as one requirement; one that allows everything makes the rest say nothing.
fn joined(allowed: &[String]) -> String {
    if allowed.iter().any(String::is_empty) { String::new() } else { allowed.join(" || ") }
}

/// An entry of Poetry's in the words in which it is judged.
pub(crate) fn poetry_requirement(item: &Item) -> Option<String> {
    let (allowed, _) = parts(item);
    (!allowed.is_empty()).then(|| joined(&allowed))
}

fn entry(name: &str, item: &Item, scope: Scope, line: u32, reading: &mut Reading) {
    let tables = tables(item);
    let asked = item.as_str().map(specifiers).unwrap_or_default();
    let (allowed, from) = parts(item);
    if tables.iter().any(|table| table.is_empty()) {
        let message =
            "has an empty table in the place of its version, and is not judged: the file may have been cut off";
        return reading.problem(line, format!("{} {message}", quote(name)));
    }
    if allowed.is_empty() && from.is_empty() {
        let message = "is asked for by neither a version (\"^1.2\") nor a table with one, and is not judged";
        return reading.problem(line, format!("{} {message}", quote(name)));
    }
    if let Some(wrong) = wrong(item, "^1.2") {
        return reading.problem(line, format!("{} is asked for by {wrong} and is not judged", quote(name)));
    }
    let has_marker =
        |table: &&dyn TableLike| ["markers", "python", "platform"].iter().any(|key| table.contains_key(key));
    if allowed.len() + from.len() > 1 || tables.iter().any(has_marker) {
        reading.links.conditional.push(normalise(name).to_string());
    }
    declare(name, if allowed.len() > 1 { "" } else { &asked }, scope, line, reading);
    for (specifiers, source) in from {
        elsewhere(&Requirement { name, specifiers: &specifiers, address: None }, &source, scope, line, reading);
    }
    if allowed.is_empty() {
        return;
    }
    let all = joined(&allowed);
    if all.contains("||") {
        return reading.range(Ecosystem::PyPi, normalise(name), all, scope, line);
    }
    Requirement { name, specifiers: &all, address: None }.note(reading, scope, Some(true), line);
}

/// Poetry's `1.2` is exact, `*` is everything, and `|` or `||` stands between alternatives.
fn specifiers(version: &str) -> String {
    let alternatives = version.split('|').map(str::trim).filter(|one| !one.is_empty());
    let all: Vec<String> = alternatives.map(constraint).collect();
    if all.iter().any(String::is_empty) { String::new() } else { all.join(" || ") }
}

fn constraint(version: &str) -> String {
    match version.trim() {
        "*" => String::new(),
        version if exact(version) => format!("=={version}"),
        version => both(version),
    }
}

/// A blank says "and" as a comma does, but not the one behind an operator.
fn both(version: &str) -> String {
    if version.split_whitespace().any(|word| word == "-") {
        return version.to_owned(); // `1.0 - 2.0`
    }
    let mut all = String::new();
    for word in version.split_whitespace() {
        if !all.is_empty() {
            let goes_on = all.ends_with([',', '<', '>', '=', '!', '~', '^']) || word.starts_with(',');
            all.push(if goes_on { ' ' } else { ',' });
        }
        all.push_str(word);
    }
    all
}
