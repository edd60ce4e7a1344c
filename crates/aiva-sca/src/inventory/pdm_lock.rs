//! `pdm.lock`, and `pylock.toml` (PEP 751): TOML with a table for each package.
//!
//! pdm notes groups, of which only the `pyproject.toml` beside it says what they are for; without that their names are a guess. What is
//! direct it knows, too.

use std::borrow::Cow;

use rapidhash::RapidHashMap;
use smol_str::SmolStr;

use super::address::without_secret;
use super::door;
use super::graph::index;
use super::python::{self, normalise};
use super::reading::{Fault, Reading, quote};
use super::signs::{Archives, Listed};
use super::toml::{Item, Toml};
use crate::package::{Ecosystem, Package, Scope, Source};

#[derive(Default)]
struct Entry<'a> {
    line: u32,
    name: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    groups: Vec<Cow<'a, str>>,
    index: Option<Cow<'a, str>>,
    git: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    path: Option<Cow<'a, str>>,
    needs: Vec<(SmolStr, u32, bool)>,
    listed: Listed,
    /// Whether it says which archives there are, or where it comes from.
    has_place: bool,
    /// Whether its last archive has a table of its own and, so far, no hash in it, which PEP 751 asks for.
    is_unhashed: bool,
}

/// Keys and tables that say so.
const PLACES: [&str; 6] = ["files", "wheels", "sdist", "archive", "vcs", "directory"];

/// Those of archives that have hashes.
const ARCHIVES: [&str; 3] = ["wheels", "sdist", "archive"];

/// How one of the two is written.
struct Dialect {
    /// The list of packages.
    list: &'static str,
    /// The table and key with the format's version, and the newest major version.
    version: (&'static str, &'static str, u32),
    name: &'static str,
}

const PDM: Dialect = Dialect { list: "package", version: ("metadata", "lock_version", 4), name: "pdm.lock" };
const PYLOCK: Dialect = Dialect { list: "packages", version: ("", "lock-version", 1), name: "pylock.toml" };

/// Reads a `pdm.lock`.
pub(crate) fn read(text: &str) -> Reading {
    read_as(text, &PDM)
}

/// Reads a `pylock.toml`.
pub(crate) fn read_pylock(text: &str) -> Reading {
    read_as(text, &PYLOCK)
}

fn read_as(text: &str, dialect: &Dialect) -> Reading {
    let mut reading = Reading::default();
    let mut toml = Toml::new(text);
    let mut lock = Lock {
        dialect,
        entries: Vec::new(),
        table: String::new(),
        version: None,
        has_default: false,
        files: RapidHashMap::default(),
    };
    loop {
        match lock.step(&mut toml) {
            Ok(true) => {}
            Ok(false) => break,
            Err(fault) => {
                reading.fault(fault);
                "?".clone_into(&mut lock.table);
                toml.recover();
            }
        }
    }
    let (_, _, newest) = dialect.version;
    match lock.version {
        Some((line, version)) if version > newest => {
            let message =
                format!("{} format {version} is newer than {newest}, the newest this release reads", dialect.name);
            return Reading::unsupported(line, message);
        }
        None => reading.problem(1, format!("no version of the format: not a {}", dialect.name)),
        Some(_) if door::is_cut(text) => reading.problem(door::last_line(text), door::CUT),
        Some(_) if door::ends_with_header(text) => reading.problem(door::last_line(text), door::EMPTY_TABLE),
        Some(_) => {}
    }
    if let Some((last, others)) = lock.entries.split_last() {
        // Of pdm's files only newer ones have them here.
        let is_rule = !others.is_empty() && others.iter().all(Entry::is_placed);
        if is_rule && !last.is_placed() {
            reading.problem(door::last_line(text), door::short(last.name.as_deref().unwrap_or_default(), "archive"));
        } else if last.is_unhashed {
            reading.problem(door::last_line(text), door::short(last.name.as_deref().unwrap_or_default(), "hash"));
        }
    }
    reading.links.is_part = !lock.has_default;
    settle(lock.entries, &lock.files, &mut reading);
    reading.close()
}

struct Lock<'a, 'd> {
    dialect: &'d Dialect,
    entries: Vec<Entry<'a>>,
    /// The table that keys belong to; `*` is the last entry itself.
    table: String,
    version: Option<(u32, u32)>,
    /// Whether it says to hold what is needed at run time.
    has_default: bool,
    /// Archives by `name version`, as older formats list them at the end.
    files: RapidHashMap<String, Listed>,
}

impl<'a> Lock<'a, '_> {
    fn step(&mut self, toml: &mut Toml<'a>) -> Result<bool, Fault> {
        let list = self.dialect.list;
        let key = match toml.next()? {
            None => return Ok(false),
            Some(Item::Entry(path)) if path == list => {
                self.entries.push(Entry { line: toml.line(), ..Entry::default() });
                "*".clone_into(&mut self.table);
                return Ok(true);
            }
            Some(Item::Table(path) | Item::Entry(path)) => {
                let inside = path.strip_prefix(list).and_then(|rest| rest.strip_prefix('.'));
                if let (Some(inside), Some(entry)) = (inside, self.entries.last_mut()) {
                    entry.has_place |= PLACES.contains(&inside);
                    entry.is_unhashed |= ARCHIVES.contains(&inside);
                }
                self.table = inside.map_or_else(|| path.to_owned(), |inside| format!("*.{inside}"));
                return Ok(true);
            }
            Some(Item::Key(key)) => key,
        };
        let line = toml.line();
        let (table, name, _) = self.dialect.version;
        if self.table == table && key == name {
            let value = toml.string()?.unwrap_or_default();
            self.version = value.split('.').next().and_then(|major| major.parse().ok()).map(|major| (line, major));
            return Ok(true);
        }
        if self.table == "metadata" && key == "groups" {
            let mut has_default = false;
            toml.array(|toml| {
                has_default |= toml.string()?.is_some_and(|group| group == "default");
                Ok(())
            })?;
            self.has_default = has_default;
            return Ok(true);
        }
        if let Some(entry) = self.entries.last_mut()
            && entry.is_unhashed
            && (key == "hashes" || self.table.ends_with(".hashes"))
        {
            entry.is_unhashed = false;
        }
        match (self.table.as_str(), self.entries.last_mut()) {
            ("*", Some(entry)) => entry.key(toml, &key, line)?,
            ("metadata.files", _) => python::files(toml, None, self.files.entry(key.into_owned()).or_default())?,
            ("*.wheels" | "*.sdist" | "*.archive", Some(entry)) if key == "hashes" => {
                python::hashes(toml, &mut entry.listed)?
            }
            ("*.wheels" | "*.sdist", Some(entry)) if key == "url" => {
                let (url, name) = (toml.string()?.unwrap_or_default(), entry.name.as_deref());
                python::address(&url, name, &mut entry.listed);
            }
            ("*.wheels.hashes" | "*.sdist.hashes" | "*.archive.hashes", Some(entry)) => {
                python::hash(&key, toml.string()?.as_deref(), &mut entry.listed);
            }
            ("*.vcs", Some(entry)) if key == "commit-id" => {
                toml.string()?.iter().for_each(|revision| entry.listed.revision(revision));
            }
            ("*.vcs", Some(entry)) if matches!(&*key, "url" | "path") => entry.git = toml.string()?,
            ("*.directory", Some(entry)) if key == "path" => entry.path = toml.string()?,
            ("*.archive", Some(entry)) if key == "url" => entry.url = toml.string()?,
            ("*.archive", Some(entry)) if key == "path" => entry.path = toml.string()?,
            ("*.dependencies", Some(entry)) if key == "name" => {
                entry.needs.extend(toml.string()?.map(|name| (normalise(&name), line, true)));
            }
            _ => toml.skip()?,
        }
        Ok(true)
    }
}

impl<'a> Entry<'a> {
    fn is_placed(&self) -> bool {
        self.has_place || self.git.is_some() || self.url.is_some() || self.path.is_some()
    }

    fn key(&mut self, toml: &mut Toml<'a>, key: &str, line: u32) -> Result<(), Fault> {
        self.has_place |= PLACES.contains(&key);
        let slot = match key {
            "name" => {
                self.line = line;
                &mut self.name
            }
            "version" => &mut self.version,
            "index" => &mut self.index,
            "git" | "hg" | "svn" => &mut self.git,
            "url" => &mut self.url,
            "path" => &mut self.path,
            "revision" => {
                toml.string()?.iter().for_each(|revision| self.listed.revision(revision));
                return Ok(());
            }
            "files" => return python::files(toml, None, &mut self.listed),
            "wheels" => return python::files(toml, self.name.as_deref(), &mut self.listed),
            "sdist" => return python::archive(toml, self.name.as_deref(), &mut self.listed),
            "vcs" => {
                self.git = inline(toml, &["url", "path"], &mut self.listed)?;
                return Ok(());
            }
            "directory" => {
                self.path = inline(toml, &["path"], &mut self.listed)?;
                return Ok(());
            }
            "archive" => {
                self.url = inline(toml, &["url", "path"], &mut self.listed)?;
                return Ok(());
            }
            "groups" => {
                return toml.array(|toml| {
                    self.groups.extend(toml.string()?);
                    Ok(())
                });
            }
            "dependencies" => {
                return toml.array(|toml| {
                    let line = toml.line();
                    if toml.is_table() {
                        // pylock: `{name = "a", …}`. It need not list what a marker leaves out.
                        let mut name = None;
                        toml.table(|toml, key| {
                            if key == "name" {
                                name = toml.string()?;
                                return Ok(());
                            }
                            toml.skip()
                        })?;
                        self.needs.extend(name.map(|name| (normalise(&name), line, true)));
                    } else if let Some(text) = toml.string()? {
                        // pdm: a requirement (PEP 508).
                        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
                        let name = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
                        self.needs.push((normalise(name), line, text.contains(';')));
                    }
                    Ok(())
                });
            }
            _ => return toml.skip(),
        };
        let value = toml.string()?;
        if std::mem::replace(slot, value).is_some() {
            return Err(Fault::new(line, format!("the key `{key}` is there twice")));
        }
        Ok(())
    }

    fn source(&self) -> Source {
        let address = |url: &Option<Cow<'_, str>>| without_secret(url.as_deref().unwrap_or_default()).into_owned();
        match () {
            () if self.git.is_some() => Source::Git(address(&self.git)),
            () if self.path.is_some() => Source::Path(address(&self.path)),
            () if self.url.is_some() => Source::Url(address(&self.url)),
            () => python::index(self.index.as_deref().unwrap_or_default()),
        }
    }

    fn scope(&self) -> Scope {
        if self.groups.is_empty() || self.groups.iter().any(|group| group == "default") {
            return Scope::Runtime;
        }
        let is_dev = |group: &str| group.starts_with("dev") || group.starts_with("test") || group.starts_with("lint");
        if self.groups.iter().all(|group| is_dev(group)) { Scope::Dev } else { Scope::Optional }
    }
}

/// Takes an address from an inline table: the first of these keys that is there. What it says of the archive or the commit is noted.
fn inline<'a>(toml: &mut Toml<'a>, keys: &[&str], listed: &mut Listed) -> Result<Option<Cow<'a, str>>, Fault> {
    let mut found = None;
    toml.table(|toml, key| {
        match key {
            _ if found.is_none() && keys.contains(&key) => found = toml.string()?,
            "hashes" => python::hashes(toml, listed)?,
            "commit-id" => toml.string()?.iter().for_each(|revision| listed.revision(revision)),
            _ => toml.skip()?,
        }
        Ok(())
    })?;
    Ok(found)
}

fn settle(entries: Vec<Entry<'_>>, files: &RapidHashMap<String, Listed>, reading: &mut Reading) {
    let mut archives = Archives::default();
    // Markers may choose between several versions of one name, so a need leads to each of them.
    let mut by_name: RapidHashMap<SmolStr, Vec<u32>> = RapidHashMap::default();
    let mut known: RapidHashMap<(SmolStr, SmolStr), u32> = RapidHashMap::default();
    let mut needs = Vec::new();
    for entry in entries {
        let Some(name) = entry.name.as_deref() else {
            reading.problem(entry.line, "a package without a name");
            continue;
        };
        // An archive of PyPI's may leave out what its name says.
        let released = entry.url.as_deref().and_then(|url| python::released(url, name));
        let Some(version) = entry.version.as_deref().or(released) else {
            let address = [&entry.git, &entry.url, &entry.path].into_iter().find_map(|one| one.as_deref());
            match address {
                // uv lists the project itself, which is no package of its own.
                Some(".") if entry.path.is_some() => {}
                // PEP 751: what comes from an address may leave its version out.
                Some(address) => {
                    let open = python::unversioned(name, address, entry.line);
                    let package = Package::new(Ecosystem::PyPi, open.name.clone(), "", entry.line);
                    let package = Package { source: entry.source(), ..package };
                    entry.listed.tell(&package, false, &mut reading.links.signs);
                    reading.outside(Ecosystem::PyPi, &open.name, package.source, entry.line);
                    reading.not_judged.push(open);
                }
                None => reading.problem(entry.line, format!("the package {} has no version", quote(name))),
            }
            by_name.entry(normalise(name)).or_default();
            continue;
        };
        let name = normalise(name);
        // pdm lists a package once more for each set of extras.
        let at = *known.entry((name.clone(), version.into())).or_insert_with(|| {
            let at = index(reading.packages.len());
            let package = Package::new(Ecosystem::PyPi, name.clone(), version, entry.line);
            reading.packages.push(Package {
                scope: entry.scope(),
                source: python::or_released(entry.source(), &name, Some(version)),
                ..package
            });
            let apart = (!files.is_empty()).then(|| files.get(&format!("{name} {version}"))).flatten();
            archives.add(at as usize, apart.unwrap_or(&entry.listed).clone());
            at
        });
        by_name.entry(name).or_default().push(at);
        needs.push((at, entry.needs));
    }
    archives.tell(&reading.packages, &mut reading.links.signs);
    for (from, needs) in needs {
        for (name, line, may_be_absent) in needs {
            match by_name.get(&name) {
                Some(all) => {
                    reading.links.edges.extend(all.iter().filter(|to| **to != from).map(|to| (from, *to)));
                }
                None if may_be_absent => {}
                None => reading.problem(line, format!("{} is needed, but not in the file", quote(&name))),
            }
        }
    }
    reading.links.edges.sort_unstable();
    reading.links.edges.dedup();
}
