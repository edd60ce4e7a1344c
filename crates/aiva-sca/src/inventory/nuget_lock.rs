//! `packages.lock.json` and `*.deps.json`: what NuGet resolved for each target framework, and what a .NET program was
//! published with.
//!
//! A lockfile lists below `framework/runtime` only what differs from the framework alone. A program that brings .NET along lists
//! it as `runtimepack.NAME`, which is NuGet's package NAME, and advisories are about it.

use std::borrow::Cow;

use rapidhash::RapidHashMap;

use super::graph::{self, index};
use super::json::{Json, Value};
use super::reading::{Fault, Reading, quote};
use crate::package::{Ecosystem, Package, Scope, Source};

/// The newest format of `packages.lock.json`.
const NEWEST: u32 = 2;

/// Names, with the lines that name them.
type Needs<'a> = Vec<(Cow<'a, str>, u32)>;

#[derive(Default)]
struct Entry<'a> {
    line: u32,
    name: Cow<'a, str>,
    kind: Cow<'a, str>,
    version: Option<Cow<'a, str>>,
    /// What the project asked for when the file was written.
    requested: Option<Cow<'a, str>>,
    needs: Needs<'a>,
}

/// Reads a `packages.lock.json`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: NuGet's begins with `{`");
    }
    let (mut version, mut has_dependencies) = (None, false);
    let mut frameworks: Vec<(Cow<'_, str>, Vec<Entry<'_>>)> = Vec::new();
    let outcome = json.object(|json, key, line| match key.as_ref() {
        "version" => {
            version = json.number()?.map(|version| (line, version));
            Ok(())
        }
        "dependencies" => {
            has_dependencies = true;
            json.object(|json, framework, _| {
                let mut entries = Vec::new();
                let outcome = json.object(|json, name, line| {
                    let mut entry = Entry { line, name, ..Entry::default() };
                    json.object(|json, key, _| entry.key(json, &key))?;
                    entries.push(entry);
                    Ok(())
                });
                frameworks.push((framework, entries));
                outcome
            })
        }
        _ => json.skip(),
    });
    if let Some((line, version)) = version.filter(|(_, version)| *version > NEWEST) {
        let message =
            format!("packages.lock.json format {version} is newer than {NEWEST}, the newest this release reads");
        return Reading::unsupported(line, message);
    }
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if version.is_none() || !has_dependencies => {
            reading.problem(1, "no version of the format or no dependencies: NuGet did not write this file");
        }
        Ok(()) => {}
    }
    let mut known = Known::default();
    for (framework, entries) in frameworks {
        known.add(framework, entries, &mut reading);
    }
    known.settle(&mut reading);
    reading.close()
}

impl<'a> Entry<'a> {
    fn key(&mut self, json: &mut Json<'a>, key: &str) -> Result<(), Fault> {
        match key {
            "type" => self.kind = json.string()?.unwrap_or_default(),
            "resolved" => self.version = json.string()?,
            "requested" => self.requested = json.string()?,
            "dependencies" => json.object(|json, name, line| {
                self.needs.push((name, line));
                json.skip()
            })?,
            _ => json.skip()?,
        }
        Ok(())
    }
}

/// What a name stands for in one framework; `None` is a project of the solution.
type Names = RapidHashMap<String, Option<u32>>;

#[derive(Default)]
struct Known<'a> {
    /// Packages by name and version: several frameworks resolve to the same.
    packages: RapidHashMap<(String, String), u32>,
    frameworks: RapidHashMap<Cow<'a, str>, Names>,
    /// In which framework which package needs what.
    needs: Vec<(Cow<'a, str>, u32, Needs<'a>)>,
    /// In which framework a project of the solution asks for what.
    asked: Vec<(Cow<'a, str>, Needs<'a>)>,
}

impl<'a> Known<'a> {
    fn add(&mut self, framework: Cow<'a, str>, entries: Vec<Entry<'a>>, reading: &mut Reading) {
        let mut names = Names::default();
        for entry in entries {
            let small = entry.name.to_lowercase();
            if entry.kind == "Project" {
                names.insert(small, None); // Of this solution: what it needs is listed itself.
                self.asked.push((framework.clone(), entry.needs));
                continue;
            }
            let Some(version) = entry.version.as_deref() else {
                reading.problem(entry.line, format!("{} has no resolved version", quote(&entry.name)));
                continue;
            };
            let direct = entry.kind == "Direct";
            if let Some(requested) = entry.requested.as_deref().filter(|_| direct) {
                reading.record("", &small, requested, entry.line);
            }
            let at = *self.packages.entry((small.clone(), version.to_owned())).or_insert_with(|| {
                let at = index(reading.packages.len());
                let package = Package::new(Ecosystem::NuGet, entry.name.as_ref(), version, entry.line);
                reading.packages.push(Package { direct: Some(direct), ..package });
                at
            });
            if let Some(package) = reading.packages.get_mut(at as usize).filter(|_| direct) {
                package.direct = Some(true);
            }
            names.insert(small, Some(at));
            self.needs.push((framework.clone(), at, entry.needs));
        }
        self.frameworks.insert(framework, names);
    }

    fn settle(self, reading: &mut Reading) {
        let find = |framework: &str, name: &str| {
            let small = name.to_lowercase();
            // `net8.0/win-x64` has only what differs from `net8.0`.
            let base = framework.split_once('/').map_or("", |(base, _)| base);
            [framework, base].iter().find_map(|framework| self.frameworks.get(*framework)?.get(&small))
        };
        for (framework, needs) in &self.asked {
            for at in needs.iter().filter_map(|(name, _)| *find(framework, name)?) {
                if let Some(package) = reading.packages.get_mut(at as usize) {
                    package.direct = Some(true);
                }
            }
        }
        for (framework, from, needs) in self.needs {
            for (name, line) in needs {
                match find(&framework, &name) {
                    Some(Some(to)) => reading.links.edges.push((from, *to)),
                    Some(None) => {}
                    None => reading.problem(line, format!("{} is needed, but not in the file", quote(&name))),
                }
            }
        }
        reading.links.edges.sort_unstable();
        reading.links.edges.dedup();
    }
}

/// What a `*.deps.json` calls the parts of .NET itself that a program brings along, before the package's own name.
const RUNTIME: &str = "runtimepack.";

#[derive(Default)]
struct Deps<'a> {
    /// `name/version`, its type, its line.
    libraries: Vec<(Cow<'a, str>, Cow<'a, str>, u32)>,
    /// Of every target: a library and the name and version of what it needs.
    needs: Vec<(Cow<'a, str>, Cow<'a, str>, Cow<'a, str>)>,
    has_libraries: bool,
}

/// Reads a `*.deps.json`.
pub(crate) fn read_deps(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a deps.json: it begins with `{`");
    }
    let mut deps = Deps::default();
    let outcome = json.object(|json, key, _| deps.key(json, &key));
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if !deps.has_libraries => reading.problem(1, "no libraries: dotnet did not write this file"),
        Ok(()) => {}
    }
    deps.settle(&mut reading);
    reading.close()
}

impl<'a> Deps<'a> {
    fn key(&mut self, json: &mut Json<'a>, key: &str) -> Result<(), Fault> {
        match key {
            "libraries" => {
                self.has_libraries = true;
                json.object(|json, library, line| {
                    let mut kind = Cow::Borrowed("");
                    json.object(|json, key, _| match key.as_ref() {
                        "type" => {
                            kind = json.string()?.unwrap_or_default();
                            Ok(())
                        }
                        _ => json.skip(),
                    })?;
                    self.libraries.push((library, kind, line));
                    Ok(())
                })
            }
            "targets" => json.object(|json, _, _| {
                json.object(|json, library, _| {
                    json.object(|json, key, _| match key.as_ref() {
                        "dependencies" => json.object(|json, name, _| {
                            if let Some(version) = json.string()? {
                                self.needs.push((library.clone(), name, version));
                            }
                            Ok(())
                        }),
                        _ => json.skip(),
                    })
                })
            }),
            _ => json.skip(),
        }
    }

    fn settle(self, reading: &mut Reading) {
        let mut known: RapidHashMap<String, u32> = RapidHashMap::default();
        let mut own = Vec::new();
        for (library, kind, line) in self.libraries {
            let Some((name, version)) = library.split_once('/') else {
                reading.problem(line, format!("not a library with its version: {}", quote(&library)));
                continue;
            };
            let at = index(reading.packages.len());
            let (name, source) = match kind.as_ref() {
                "package" => (name, Source::Registry),
                "runtimepack" => (name.strip_prefix(RUNTIME).unwrap_or(name), Source::Registry),
                // The program's own projects, and files that were referenced.
                other => (name, Source::Path(other.to_owned())),
            };
            if kind == "project" {
                own.push(at);
            }
            known.insert(library.to_lowercase(), at);
            let package = Package::new(Ecosystem::NuGet, name, version, line);
            reading.packages.push(Package { source, ..package });
        }
        for (library, name, version) in self.needs {
            let ends = (known.get(&library.to_lowercase()), known.get(&format!("{name}/{version}").to_lowercase()));
            if let (Some(from), Some(to)) = ends {
                reading.links.edges.push((*from, *to));
            }
        }
        reading.links.edges.sort_unstable();
        reading.links.edges.dedup();
        if own.is_empty() || reading.links.edges.is_empty() {
            return; // A program that was published without its graph.
        }
        let is_own = |at: &u32| own.binary_search(at).is_ok();
        let asked = reading.links.edges.iter().filter(|(from, _)| is_own(from)).map(|(_, to)| *to);
        let roots: Vec<(u32, Scope)> = asked.chain(own.iter().copied()).map(|at| (at, Scope::Runtime)).collect();
        graph::spread(&mut reading.packages, &reading.links.edges, &roots, |_| false);
    }
}
