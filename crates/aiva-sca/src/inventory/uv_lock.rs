//! `uv.lock`, format version 1 with any revision.
//!
//! The project's own folders are in the file (`editable`, `virtual`, `directory`), so it tells alone what is direct and what
//! only extras or development groups need.

use std::borrow::Cow;

use rapidhash::RapidHashMap;
use smol_str::SmolStr;

use super::address::without_secret;
use super::door;
use super::graph::{self, index};
use super::python::{self, normalise};
use super::reading::{Fault, Reading, quote};
use super::signs::Listed;
use super::toml::{Item, Toml};
use crate::package::{Ecosystem, Licenses, Package, Scope, Source};

/// The newest format that uv writes.
const NEWEST: u32 = 1;

#[derive(Default)]
struct Entry<'a> {
    line: u32,
    name: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    source: Option<Source>,
    needs: Vec<Need<'a>>,
    /// Whether it says which archives there are.
    has_archive: bool,
    listed: Listed,
    /// What its project asked for: names and specifiers.
    asks: Vec<(Cow<'a, str>, Cow<'a, str>, u32)>,
}

struct Need<'a> {
    name: Cow<'a, str>,
    version: Option<Cow<'a, str>>,
    scope: Scope,
    line: u32,
}

struct Lock<'a> {
    entries: Vec<Entry<'a>>,
    /// The table that keys belong to; `None` outside of packages.
    table: Option<&'a str>,
    version: Option<(u32, u32)>,
    overridden: Vec<String>,
}

/// Reads a `uv.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut toml = Toml::new(text);
    let mut lock = Lock { entries: Vec::new(), table: Some(""), version: None, overridden: Vec::new() };
    loop {
        match lock.step(&mut toml) {
            Ok(true) => {}
            Ok(false) => break,
            Err(fault) => {
                reading.fault(fault);
                lock.table = None;
                toml.recover();
            }
        }
    }
    match lock.version {
        Some((line, version)) if version > NEWEST => {
            let message = format!("uv.lock format {version} is newer than {NEWEST}, the newest this release reads");
            return Reading::unsupported(line, message);
        }
        Some(_) => {}
        None => reading.problem(1, "no version line: uv did not write this file, or it was damaged"),
    }
    if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    } else if door::ends_with_header(text) {
        reading.problem(door::last_line(text), door::EMPTY_TABLE);
    }
    if let Some((last, others)) = lock.entries.split_last() {
        let of_registry = |entry: &&Entry<'_>| entry.source == Some(Source::Registry);
        let mut alike = others.iter().filter(of_registry).peekable();
        let is_rule = of_registry(&last) && alike.peek().is_some() && alike.all(|entry| entry.has_archive);
        if is_rule && !last.has_archive {
            reading.problem(door::last_line(text), door::short(last.name.as_deref().unwrap_or_default(), "archive"));
        }
    }
    reading.links.overridden = lock.overridden;
    settle(lock.entries, &mut reading);
    reading.close()
}

impl<'a> Lock<'a> {
    fn step(&mut self, toml: &mut Toml<'a>) -> Result<bool, Fault> {
        let key = match toml.next()? {
            None => return Ok(false),
            Some(Item::Entry("package")) => {
                self.entries.push(Entry { line: toml.line(), ..Entry::default() });
                self.table = Some("package");
                return Ok(true);
            }
            Some(Item::Table(path)) => {
                self.table = Some(path);
                return Ok(true);
            }
            Some(Item::Entry(_)) => {
                self.table = None;
                return Ok(true);
            }
            Some(Item::Key(key)) => key,
        };
        let line = toml.line();
        match (self.table, key.as_ref(), self.entries.last_mut()) {
            (Some(""), "version", _) => self.version = toml.bare()?.parse().ok().map(|version| (line, version)),
            (Some("package"), _, Some(entry)) => entry.key(toml, &key, line)?,
            (Some("package.optional-dependencies"), _, Some(entry)) => entry.needs(toml, Scope::Optional)?,
            (Some("package.dev-dependencies"), _, Some(entry)) => entry.needs(toml, Scope::Dev)?,
            (Some("package.metadata"), "requires-dist", Some(entry)) => entry.asks(toml)?,
            (Some("package.metadata.requires-dev"), _, Some(entry)) => entry.asks(toml)?,
            (Some("manifest"), "overrides", _) => toml.array(|toml| {
                toml.table(|toml, key| {
                    if key != "name" {
                        return toml.skip();
                    }
                    self.overridden.extend(toml.string()?.map(|name| normalise(&name).to_string()));
                    Ok(())
                })
            })?,
            _ => toml.skip()?,
        }
        Ok(true)
    }
}

impl<'a> Entry<'a> {
    fn key(&mut self, toml: &mut Toml<'a>, key: &str, line: u32) -> Result<(), Fault> {
        let twice = match key {
            "name" => {
                self.line = line;
                std::mem::replace(&mut self.name, toml.string()?).is_some()
            }
            "version" => std::mem::replace(&mut self.version, toml.string()?).is_some(),
            "source" => {
                let mut source = Source::Registry;
                toml.table(|toml, key| {
                    match toml.string()? {
                        Some(value) => {
                            self.listed.revision(&value);
                            source = place(key, &value).unwrap_or(std::mem::take(&mut source));
                        }
                        None => return Ok(()),
                    }
                    Ok(())
                })?;
                self.source.replace(source).is_some()
            }
            "dependencies" => return self.needs(toml, Scope::Runtime),
            "sdist" | "wheels" => {
                let (name, listed) = (self.name.as_deref(), &mut self.listed);
                if toml.is_array() {
                    toml.array(|toml| python::archive(toml, name, listed))?;
                } else {
                    python::archive(toml, name, listed)?;
                }
                self.has_archive = true;
                false
            }
            _ => {
                toml.skip()?;
                false
            }
        };
        if twice { Err(Fault::new(line, format!("the key `{key}` is there twice"))) } else { Ok(()) }
    }

    /// `[{ name = "a", specifier = ">=1", marker = "..." }, ...]`
    fn asks(&mut self, toml: &mut Toml<'a>) -> Result<(), Fault> {
        toml.array(|toml| {
            let line = toml.line();
            let (mut name, mut specifier) = (None, None);
            toml.table(|toml, key| {
                match key {
                    "name" => name = toml.string()?,
                    "specifier" => specifier = toml.string()?,
                    _ => toml.skip()?,
                }
                Ok(())
            })?;
            self.asks.extend(name.map(|name| (name, specifier.unwrap_or_default(), line)));
            Ok(())
        })
    }

    /// `[{ name = "a", version = "1", marker = "..." }, ...]`
    fn needs(&mut self, toml: &mut Toml<'a>, scope: Scope) -> Result<(), Fault> {
        toml.array(|toml| {
            let line = toml.line();
            let (mut name, mut version) = (None, None);
            toml.table(|toml, key| {
                match key {
                    "name" => name = toml.string()?,
                    "version" => version = toml.string()?,
                    _ => toml.skip()?,
                }
                Ok(())
            })?;
            self.needs.extend(name.map(|name| Need { name, version, scope, line }));
            Ok(())
        })
    }
}

fn place(key: &str, value: &str) -> Option<Source> {
    Some(match key {
        "registry" => python::index(value),
        "git" => Source::Git(without_secret(value).into_owned()),
        "url" => Source::Url(without_secret(value).into_owned()),
        "path" | "directory" | "editable" | "virtual" => Source::Path(value.to_owned()),
        _ => return None,
    })
}

/// Whether a package is the project's own.
pub(crate) fn is_own(package: &Package) -> bool {
    matches!(package.source, Source::Path(_))
}

fn settle(entries: Vec<Entry<'_>>, reading: &mut Reading) {
    let mut by_name: RapidHashMap<SmolStr, Vec<u32>> = RapidHashMap::default();
    let mut needs = Vec::new();
    for entry in entries {
        let Some(name) = entry.name.as_deref() else {
            reading.problem(entry.line, "a package without a name");
            continue;
        };
        let Some(source) = entry.source.map(|source| python::or_released(source, name, entry.version.as_deref()))
        else {
            reading.problem(entry.line, format!("the package {} has no source", quote(name)));
            continue;
        };
        let own = matches!(source, Source::Path(_));
        for (asked, specifier, line) in &entry.asks {
            reading.record(&normalise(name), &normalise(asked), specifier, *line);
        }
        // A project with a dynamic version has none in the file.
        let version = match entry.version.as_deref() {
            Some(version) => version,
            None if own => "",
            None => {
                reading.problem(entry.line, format!("the package {} has no version", quote(name)));
                continue;
            }
        };
        if let (true, Source::Path(path)) = (own, &source) {
            reading.links.members.push(path.clone());
        }
        let at = index(reading.packages.len());
        by_name.entry(normalise(name)).or_default().push(at);
        let package = Package {
            ecosystem: Ecosystem::PyPi,
            name: normalise(name),
            version: version.into(),
            line: entry.line,
            direct: None,
            scope: Scope::Runtime,
            source,
            licenses: Licenses::default(),
            origin: None,
        };
        let due = entry.has_archive || matches!(package.source, Source::Url(_));
        entry.listed.tell(&package, due, &mut reading.links.signs);
        reading.packages.push(package);
        needs.push((at, own, entry.needs));
    }
    connect(&by_name, needs, reading);
}

fn connect(by_name: &RapidHashMap<SmolStr, Vec<u32>>, needs: Vec<(u32, bool, Vec<Need<'_>>)>, reading: &mut Reading) {
    let mut roots = Vec::new();
    let mut missing = Vec::new();
    for (from, own, needs) in needs {
        for need in needs {
            let name = normalise(&need.name);
            let same = by_name.get(&name).map(Vec::as_slice).unwrap_or_default();
            let fits = |at: &u32| {
                let version = reading.packages.get(*at as usize).map(|package| package.version.as_str());
                need.version.is_none() || need.version.as_deref() == version
            };
            let before = reading.links.edges.len();
            // uv writes the version where a name has several; without one there are few.
            let found: Vec<u32> = same.iter().copied().filter(fits).take(32).collect();
            reading.links.edges.extend(found.iter().map(|to| (from, *to)));
            if own {
                roots.extend(found.iter().map(|to| (*to, need.scope)));
            }
            if reading.links.edges.len() == before {
                missing.push((need.line, format!("{} is needed, but not in the file", quote(&name))));
            }
        }
    }
    for (line, message) in missing {
        reading.problem(line, message);
    }
    if roots.is_empty() && reading.links.members.is_empty() {
        return;
    }
    graph::spread(&mut reading.packages, &reading.links.edges, &roots, is_own);
    for package in reading.packages.iter_mut().filter(|package| is_own(package)) {
        package.direct = Some(true);
    }
    reading.packages.retain(|package| !package.version.is_empty());
}
