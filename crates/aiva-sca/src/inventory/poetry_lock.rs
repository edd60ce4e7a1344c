//! `poetry.lock`, format versions 0 to 2.
//!
//! Only format 2 and `category` in old files tell development dependencies apart; what is direct only the `pyproject.toml`
//! beside it knows. Poetry ends the file with `[metadata]`: a file without it was cut.

use std::borrow::Cow;

use rapidhash::RapidHashMap;
use smol_str::SmolStr;

use super::address::without_secret;
use super::door;
use super::graph::index;
use super::python::{self, normalise};
use super::reading::{Fault, Reading, quote};
use super::signs::Listed;
use super::toml::{Item, Toml};
use crate::package::{Ecosystem, Licenses, Package, Scope, Source};

/// The newest major format that poetry writes.
const NEWEST: u32 = 2;

/// What the header of a table about one requirement of a package begins with.
const DEPENDENCY: &str = "package.dependencies.";

#[derive(Default)]
struct Entry<'a> {
    line: u32,
    name: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    groups: Vec<Cow<'a, str>>,
    category: Option<Cow<'a, str>>,
    optional: bool,
    kind: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    needs: Vec<Need>,
    listed: Listed,
}

struct Need {
    name: SmolStr,
    /// With a marker or as an extra it may be left out of the file.
    may_be_absent: bool,
    line: u32,
}

/// Which table the keys belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Package,
    Dependencies,
    Source,
    Metadata,
    /// The archives of all packages, by name, as before format 2.
    Files,
    Other,
}

struct Lock<'a> {
    entries: Vec<Entry<'a>>,
    table: Table,
    has_metadata: bool,
    version: Option<(u32, u32)>,
    /// The archives that do not stand with their packages.
    files: RapidHashMap<SmolStr, Listed>,
}

/// Reads a `poetry.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut toml = Toml::new(text);
    let mut lock = Lock {
        entries: Vec::new(),
        table: Table::Other,
        has_metadata: false,
        version: None,
        files: RapidHashMap::default(),
    };
    loop {
        match lock.step(&mut toml) {
            Ok(true) => {}
            Ok(false) => break,
            Err(fault) => {
                reading.fault(fault);
                lock.table = Table::Other;
                toml.recover();
            }
        }
    }
    if let Some((line, version)) = lock.version.filter(|(_, version)| *version > NEWEST) {
        let message = format!("poetry.lock format {version} is newer than {NEWEST}, the newest this release reads");
        return Reading::unsupported(line, message);
    }
    if !lock.has_metadata {
        reading
            .problem(door::last_line(text), "no [metadata], with which Poetry ends the file: it may have been cut off");
    } else if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    }
    settle(lock, &mut reading);
    reading.close()
}

impl<'a> Lock<'a> {
    fn step(&mut self, toml: &mut Toml<'a>) -> Result<bool, Fault> {
        let key = match toml.next()? {
            None => return Ok(false),
            Some(Item::Entry("package")) => {
                self.entries.push(Entry { line: toml.line(), ..Entry::default() });
                self.table = Table::Package;
                return Ok(true);
            }
            // What one name is asked for with: `[package.dependencies.name]`, or `[[…]]` for each marker.
            Some(Item::Table(path) | Item::Entry(path)) if path.starts_with(DEPENDENCY) => {
                let name = normalise(path.strip_prefix(DEPENDENCY).unwrap_or_default().trim_matches(['"', '\'']));
                if let Some(entry) = self.entries.last_mut()
                    && entry.needs.last().is_none_or(|need| need.name != name)
                {
                    entry.needs.push(Need { name, may_be_absent: true, line: toml.line() });
                }
                self.table = Table::Other;
                return Ok(true);
            }
            Some(Item::Table(path)) => {
                self.table = match path {
                    "package.dependencies" => Table::Dependencies,
                    "package.source" => Table::Source,
                    "metadata" => Table::Metadata,
                    "metadata.files" | "metadata.hashes" => Table::Files,
                    _ => Table::Other,
                };
                self.has_metadata |= self.table == Table::Metadata;
                return Ok(true);
            }
            Some(Item::Entry(_)) => {
                self.table = Table::Other;
                return Ok(true);
            }
            Some(Item::Key(key)) => key,
        };
        let line = toml.line();
        if self.table == Table::Metadata && key == "lock-version" {
            let value = toml.string()?.unwrap_or_default();
            self.version = value.split('.').next().and_then(|major| major.parse().ok()).map(|major| (line, major));
            return Ok(true);
        }
        match (self.table, self.entries.last_mut()) {
            (Table::Package, Some(entry)) => entry.key(toml, &key, line)?,
            (Table::Source, Some(entry)) if key == "type" => entry.kind = toml.string()?,
            (Table::Source, Some(entry)) if key == "reference" || key == "resolved_reference" => {
                toml.string()?.iter().for_each(|revision| entry.listed.revision(revision));
            }
            (Table::Files, _) => python::files(toml, None, self.files.entry(normalise(&key)).or_default())?,
            (Table::Source, Some(entry)) if key == "url" => entry.url = toml.string()?,
            (Table::Dependencies, Some(entry)) => {
                let may_be_absent = toml.is_table() || toml.is_array();
                toml.skip()?;
                entry.needs.push(Need { name: normalise(&key), may_be_absent, line });
            }
            _ => toml.skip()?,
        }
        Ok(true)
    }
}

impl<'a> Entry<'a> {
    fn key(&mut self, toml: &mut Toml<'a>, key: &str, line: u32) -> Result<(), Fault> {
        let slot = match key {
            "name" => {
                self.line = line;
                &mut self.name
            }
            "version" => &mut self.version,
            "category" => &mut self.category,
            "optional" => {
                self.optional = toml.bare()? == "true";
                return Ok(());
            }
            "groups" => {
                return toml.array(|toml| {
                    self.groups.extend(toml.string()?);
                    Ok(())
                });
            }
            "files" => return python::files(toml, None, &mut self.listed),
            _ => return toml.skip(),
        };
        let value = toml.string()?;
        if std::mem::replace(slot, value).is_some() {
            return Err(Fault::new(line, format!("the key `{key}` is there twice")));
        }
        Ok(())
    }

    fn scope(&self) -> Scope {
        let only_other_groups = !self.groups.is_empty() && !self.groups.iter().any(|group| group == "main");
        if only_other_groups || self.category.as_deref() == Some("dev") {
            return Scope::Dev;
        }
        if self.optional { Scope::Optional } else { Scope::Runtime }
    }

    fn source(&self) -> Source {
        let url = self.url.as_deref().unwrap_or_default();
        match self.kind.as_deref() {
            None | Some("pypi") => Source::Registry,
            Some("legacy") => python::index(url),
            Some("git") => Source::Git(without_secret(url).into_owned()),
            Some("directory" | "file") => Source::Path(url.to_owned()),
            Some(_) => Source::Url(without_secret(url).into_owned()),
        }
    }
}

fn settle(lock: Lock<'_>, reading: &mut Reading) {
    // Markers may choose between several versions of one name, so a need leads to each of them.
    let mut by_name: RapidHashMap<SmolStr, Vec<u32>> = RapidHashMap::default();
    let mut needs = Vec::new();
    for entry in lock.entries {
        let (Some(name), Some(version)) = (entry.name.as_deref(), entry.version.as_deref()) else {
            let name = entry.name.as_deref().unwrap_or_default();
            let message = match name {
                "" => "a package without a name is not judged".to_owned(),
                name => format!("{} has no version, and is not judged", quote(name)),
            };
            reading.problem(entry.line, message);
            continue;
        };
        let at = index(reading.packages.len());
        let package = Package {
            ecosystem: Ecosystem::PyPi,
            name: normalise(name),
            version: version.into(),
            line: entry.line,
            direct: None,
            scope: entry.scope(),
            source: python::or_released(entry.source(), name, Some(version)),
            licenses: Licenses::default(),
            origin: None,
        };
        let is_git = matches!(package.source, Source::Git(_)); // Its commit stands with the package.
        let apart = lock.files.get(&package.name).filter(|_| !is_git && !entry.listed.has_hash());
        // The hashes of old files stand at the end: one that was cut lacks them.
        apart.unwrap_or(&entry.listed).tell(&package, lock.has_metadata, &mut reading.links.signs);
        by_name.entry(package.name.clone()).or_default().push(at);
        reading.packages.push(package);
        needs.push((at, entry.needs));
    }
    for (from, needs) in needs {
        for need in needs {
            match by_name.get(&need.name) {
                Some(all) => reading.links.edges.extend(all.iter().map(|to| (from, *to))),
                None if need.may_be_absent => {}
                None => reading.problem(need.line, format!("{} is needed, but not in the file", quote(&need.name))),
            }
        }
    }
}
