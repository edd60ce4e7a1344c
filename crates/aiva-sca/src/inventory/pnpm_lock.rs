//! `pnpm-lock.yaml`, format versions 5 to 9.
//!
//! A key of `packages` names a package: `/name/1.0.0_peers` in 5, `/name@1.0.0(peers)` in 6, `name@1.0.0` in 9, where
//! `snapshots` holds who needs whom. What the project asks for stands under `importers`, or at the top in a project of one
//! package. Format 9 does not mark development dependencies: their scope follows from the graph. A second document in the
//! same file (pnpm's own tools) is read like the first.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::hash_map::Entry as Slot;
use std::hash::BuildHasher as _;

use rapidhash::RapidHashMap;

use super::bytes::entries_in;
use super::door;
use super::graph::{self, index};
use super::npm_source::table;
use super::overrides::{Reach, overridden, reach};
use super::pnpm_entry::{Entry, without_peers};
use super::reading::{Reading, quote};
use super::signs;
use super::yaml::{self, Visit};
use crate::package::{Ask, Scope};

/// The usual length of a package and what it needs.
const USUAL: usize = 320;

const OLDEST: u32 = 5;
const NEWEST: u32 = 9;

/// Reads a `pnpm-lock.yaml`.
pub(crate) fn read(text: &str) -> Reading {
    let (lock, fault) = yaml::tell(text, || Lock::with_room(entries_in(text, USUAL)));
    let mut reading = Reading::default();
    match lock.version {
        Some((line, version)) if !(OLDEST..=NEWEST).contains(&version) => {
            let message = format!("pnpm lockfile format {version}; this release reads {OLDEST} to {NEWEST}");
            return Reading::unsupported(line, message);
        }
        Some(_) => {}
        None => reading.problem(1, "no lockfileVersion: pnpm did not write this file, or it was damaged"),
    }
    let cut = fault.is_some();
    if let Some(fault) = fault {
        reading.fault(fault);
    }
    if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    } else if door::ends_open(text) {
        reading.problem(door::last_line(text), door::OPEN);
    }
    if !cut && let Some(message) = lock.lacks() {
        reading.problem(door::last_line(text), message);
    }
    lock.settle(&mut reading, cut);
    reading.close()
}

#[derive(Default)]
struct Lock<'a> {
    version: Option<(u32, u32)>,
    entries: Vec<Entry<'a>>,
    /// Node keys (a package with its peers) in the order of the file, with the entry that each belongs to in format 9.
    nodes: RapidHashMap<Cow<'a, str>, u32>,
    node_keys: Vec<Cow<'a, str>>,
    needs: Vec<Need<'a>>,
    roots: Vec<Root<'a>>,
    /// How many requirements are written with what they resolve to, and how many of those say it.
    specifiers: u32,
    resolved: u32,
    members: Vec<String>,
    /// What each importer asked for when the file was written.
    recorded: Vec<Specifier<'a>>,
    overridden: Vec<String>,
    /// What an override leaves out.
    left_out: Vec<String>,
    /// Whether a program of the project may have changed what its manifests ask for.
    has_hooks: bool,
    twice: Vec<u32>,
    document: u32,
    first_node: u32,
}

/// A requirement of one node.
struct Need<'a> {
    from: u32,
    name: Cow<'a, str>,
    version: Cow<'a, str>,
    optional: bool,
    line: u32,
}

/// A requirement as a manifest had it.
struct Specifier<'a> {
    name: Cow<'a, str>,
    range: Cow<'a, str>,
    line: u32,
    /// Whose it is, by its place among the importers.
    importer: Option<usize>,
}

/// A requirement of the project itself.
struct Root<'a> {
    name: Cow<'a, str>,
    version: Cow<'a, str>,
    scope: Scope,
    line: u32,
    /// Whose it is, by its place among the importers; `None` in a file that has none.
    importer: Option<usize>,
}

impl<'a> Visit<'a> for Lock<'a> {
    fn document(&mut self) {
        self.document += 1;
        self.first_node = index(self.node_keys.len());
    }

    fn key(&mut self, path: yaml::Path<'_, 'a>, line: u32) {
        match path {
            [section, key] if section == "packages" => {
                if self.format() < 9 {
                    self.node(key.clone(), line);
                }
                self.entries.push(Entry { key: key.clone(), line, document: self.document, ..Entry::default() });
            }
            [section, key] if section == "snapshots" => self.node(key.clone(), line),
            [section, member] if section == "importers" => self.members.push(member.clone().into_owned()),
            [section, _, key] if section == "packages" && key == "resolution" => {
                if let Some(entry) = self.entries.last_mut() {
                    entry.has_resolution = true;
                }
            }
            _ => {}
        }
    }

    fn scalar(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, line: u32) {
        match path {
            [key] if key == "lockfileVersion" => {
                let major = value.split(['.', '-']).next().and_then(|major| major.parse().ok());
                self.version.get_or_insert((line, major.unwrap_or(0)));
            }
            [key] if key == "pnpmfileChecksum" => self.has_hooks = true,
            [section, name] if section == "overrides" => {
                let is_for_all = reach(name) == Reach::All;
                let name = overridden(name).to_owned();
                // Nobody gets it.
                if value == "-" && is_for_all {
                    self.left_out.push(name.clone());
                }
                self.overridden.push(name);
            }
            [section, rest @ ..] if section == "packages" => self.entry(rest, value, line),
            [section, _, key, name] if section == "snapshots" => self.need(key, name.clone(), value, line),
            [section, _, rest @ ..] if section == "importers" => {
                self.root(rest, value, line, self.members.len().checked_sub(1));
            }
            _ => self.root(path, value, line, None),
        }
    }
}

impl<'a> Lock<'a> {
    /// Nothing yet, with room for so many packages.
    fn with_room(packages: usize) -> Self {
        let mut lock = Self {
            entries: Vec::with_capacity(packages),
            node_keys: Vec::with_capacity(packages),
            needs: Vec::with_capacity(packages),
            ..Self::default()
        };
        lock.nodes.reserve(packages);
        lock
    }

    fn format(&self) -> u32 {
        self.version.map_or(NEWEST, |(_, version)| version)
    }

    /// What the last entry has not, and should: from format 9 on a snapshot.
    fn lacks(&self) -> Option<String> {
        if self.specifiers > self.resolved {
            return Some("a requirement without what it resolves to: the file may have been cut off".to_owned());
        }
        let last = self.entries.last()?;
        if self.format() < 9 {
            return None;
        }
        let nodes = self.node_keys.get(self.first_node as usize..).unwrap_or_default();
        let has_node = nodes.iter().rev().any(|node| without_peers(node) == last.key);
        (!has_node).then(|| door::short(&last.key, "snapshot"))
    }

    fn node(&mut self, key: Cow<'a, str>, line: u32) {
        match self.nodes.entry(key.clone()) {
            Slot::Occupied(slot) if *slot.get() >= self.first_node => self.twice.push(line),
            Slot::Occupied(_) => {}
            Slot::Vacant(slot) => {
                slot.insert(index(self.node_keys.len()));
            }
        }
        self.node_keys.push(key);
    }

    fn entry(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, line: u32) {
        let Some(entry) = self.entries.last_mut() else { return };
        match path {
            [_, key] => match key.as_ref() {
                "name" => entry.name = Some(value),
                "version" => entry.version = Some(value),
                "deprecated" => entry.deprecated = Some(value),
                "requiresBuild" => entry.has_script = value == "true",
                "dev" => entry.dev = value == "true",
                "optional" => entry.optional = value == "true",
                _ => {}
            },
            [_, outer, key] if outer == "resolution" => match key.as_ref() {
                "integrity" => entry.integrity = Some(value),
                "tarball" => entry.tarball = Some(value),
                "repo" => entry.repository = Some(value),
                "commit" => entry.commit = Some(value),
                "directory" => entry.folder = Some(value),
                _ => {}
            },
            [_, key, name] if self.format() < 9 => self.need(key, name.clone(), value, line),
            _ => {}
        }
    }

    fn need(&mut self, table: &str, name: Cow<'a, str>, version: Cow<'a, str>, line: u32) {
        let optional = table == "optionalDependencies";
        if (optional || table == "dependencies") && !self.node_keys.is_empty() {
            let from = index(self.node_keys.len() - 1);
            self.needs.push(Need { from, name, version, optional, line });
        }
    }

    /// `dependencies: {name: version}` or `dependencies: {name: {specifier, version}}`.
    fn root(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, line: u32, importer: Option<usize>) {
        let (outer, name) = match path {
            // Until format 5 in a table of their own.
            [outer, name] if outer == "specifiers" => {
                return self.recorded.push(Specifier { name: name.clone(), range: value, line, importer });
            }
            [outer, name] => (outer, name),
            [_, name, key] if key == "specifier" => {
                self.recorded.push(Specifier { name: name.clone(), range: value, line, importer });
                return self.specifiers += 1;
            }
            [outer, name, key] if key == "version" => {
                self.resolved += 1;
                (outer, name)
            }
            _ => return,
        };
        let scope = match outer.as_ref() {
            "configDependencies" | "packageManagerDependencies" => Scope::Dev,
            outer => match table(outer) {
                Some(scope) if scope != Scope::Peer => scope,
                _ => return,
            },
        };
        self.roots.push(Root { name: name.clone(), version: value, scope, line, importer });
    }

    /// The node that a reference leads to; `Ok(None)` for the project's own folders.
    /// `sought` is room for what is looked for.
    fn resolve(&self, name: &str, version: &str, sought: &mut String) -> Result<Option<u32>, ()> {
        if version.starts_with("link:") || version.starts_with("workspace:") {
            return Ok(None);
        }
        let usual: &[&str] = match self.format() {
            9.. => &[name, "@", version],
            6.. => &["/", name, "@", version],
            _ => &["/", name, "/", version],
        };
        let found = [usual, &[version], &["/", version], &[name, "@", version]].into_iter().find_map(|parts| {
            sought.clear();
            parts.iter().for_each(|part| sought.push_str(part));
            self.nodes.get(sought.as_str())
        });
        found.map(|at| Some(*at)).ok_or(())
    }

    /// Who asks for a package, where that is not the only project, and under which name, where that is not its own.
    fn ask(&self, root: &Root<'_>, at: u32, reading: &mut Reading) {
        let Some(package) = reading.packages.get(at as usize) else { return };
        let folder = root.importer.filter(|_| self.members.len() > 1).and_then(|at| self.members.get(at));
        let (package, line) = (package.name.clone(), package.line);
        match folder {
            Some(folder) => {
                let folder = Some(if folder == "." { String::new() } else { folder.clone() });
                reading.links.asks.push(Ask {
                    folder,
                    name: root.name.to_string(),
                    package: package.to_string(),
                    line,
                });
            }
            None => reading.alias(&root.name, &package, line),
        }
    }

    fn settle(self, reading: &mut Reading, cut: bool) {
        let new_format = self.format() >= 9;
        let mut by_key: RapidHashMap<&str, (u32, u32)> = RapidHashMap::default();
        // By the hash of name, version and source: before format 9 a package has an entry for each choice of its peers.
        let mut by_package: RapidHashMap<u64, u32> = RapidHashMap::default();
        let mut weak: Vec<(bool, bool)> = Vec::with_capacity(self.entries.len());
        by_key.reserve(self.entries.len());
        by_package.reserve(self.entries.len());
        reading.packages.reserve(self.entries.len());
        reading.links.edges.reserve(self.needs.len());
        for line in &self.twice {
            reading.problem(*line, "the same key is there twice");
        }
        let askers = LazyCell::new(|| {
            let needs = self.needs.iter().map(|need| (&*need.version, &*need.name));
            let roots = self.roots.iter().map(|root| (&*root.version, &*root.name));
            needs.chain(roots).collect::<RapidHashMap<_, _>>()
        });
        for entry in &self.entries {
            let asked = if entry.is_nameless(self.format()) { askers.get(&*entry.key).copied() } else { None };
            let Some(package) = entry.package(self.format(), asked) else {
                reading.problem(entry.line, format!("{} names no version", quote(&entry.key)));
                continue;
            };
            if !entry.has_resolution {
                reading.problem(entry.line, format!("{} has no resolution", quote(&entry.key)));
            }
            let slot = by_package.entry(by_key.hasher().hash_one((&package.name, &package.version, &package.source)));
            let is_same = |at: &u32| {
                let known = reading.packages.get(*at as usize);
                known.is_some_and(|known| {
                    (&known.name, &known.version, &known.source) == (&package.name, &package.version, &package.source)
                })
            };
            let at = match slot {
                Slot::Occupied(slot) if is_same(slot.get()) => *slot.get(),
                slot => {
                    if entry.has_resolution {
                        signs::of_archive(&package, entry.archive(), &mut reading.links.signs);
                    }
                    let at = index(reading.packages.len());
                    reading.packages.push(package);
                    weak.push((true, true));
                    slot.insert_entry(at);
                    at
                }
            };
            if let Some(flags) = weak.get_mut(at as usize) {
                *flags = (flags.0 && entry.dev, flags.1 && entry.optional);
            }
            let before = by_key.insert(&entry.key, (at, entry.document));
            if new_format && before.is_some_and(|(_, document)| document == entry.document) {
                reading.problem(entry.line, "the same key is there twice");
            }
        }
        let package_of = |node: u32| {
            let key = self.node_keys.get(node as usize)?;
            let key = if new_format { without_peers(key) } else { key };
            by_key.get(key).map(|(at, _)| *at)
        };
        let mut sought = String::new();
        for need in &self.needs {
            match (self.resolve(&need.name, &need.version, &mut sought), package_of(need.from)) {
                (Ok(Some(to)), Some(from)) => reading.links.edges.extend(package_of(to).map(|to| (from, to))),
                (Err(()), _) if !need.optional && !cut => {
                    reading.problem(need.line, missing(&need.name, &need.version))
                }
                _ => {}
            }
        }
        let mut roots = Vec::new();
        for root in &self.roots {
            match self.resolve(&root.name, &root.version, &mut sought).map(|node| node.map(&package_of)) {
                Ok(Some(Some(at))) => {
                    roots.push((at, root.scope));
                    self.ask(root, at, reading);
                }
                Ok(None) => {}
                Ok(Some(None)) | Err(()) if cut => {}
                Ok(Some(None)) | Err(()) => reading.problem(root.line, missing(&root.name, &root.version)),
            }
        }
        graph::spread(&mut reading.packages, &reading.links.edges, &roots, |_| false);
        for (package, (dev, optional)) in reading.packages.iter_mut().zip(weak) {
            let scope = if dev { Scope::Dev } else { Scope::Optional };
            if dev || (optional && package.scope == Scope::Runtime) {
                package.scope = scope;
            }
        }
        for one in self.recorded.iter().filter(|_| !self.has_hooks) {
            let folder = one.importer.and_then(|at| self.members.get(at)).map_or("", String::as_str);
            reading.record(if folder == "." { "" } else { folder }, &one.name, &one.range, one.line);
        }
        reading.links.overridden = self.overridden;
        reading.links.supplied = self.left_out;
        reading.links.members = self.members;
    }
}

fn missing(name: &str, version: &str) -> String {
    format!("{} {} is needed, but not in the file", quote(name), quote(version))
}
