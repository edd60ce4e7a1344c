//! `packages.lock.json` and `*.deps.json`: what NuGet resolved for each target framework, and what a .NET program was
//! published with.

use std::borrow::Cow;

use rapidhash::RapidHashMap;

use super::graph::index;
use super::json::{Json, Value};
use super::reading::{Fault, Reading, quote};
use crate::package::{Ecosystem, Package, Source};

/// The newest format of `packages.lock.json`.
const NEWEST: u32 = 2;

#[derive(Default)]
struct Entry<'a> {
    line: u32,
    name: Cow<'a, str>,
    kind: Cow<'a, str>,
    version: Option<Cow<'a, str>>,
    needs: Vec<(Cow<'a, str>, u32)>,
}

/// Reads a `packages.lock.json`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: NuGet's begins with `{`");
    }
    let (mut version, mut has_dependencies) = (None, false);
    let mut frameworks: Vec<Vec<Entry<'_>>> = Vec::new();
    let outcome = json.object(|json, key, line| match key.as_ref() {
        "version" => {
            version = json.number()?.map(|version| (line, version));
            Ok(())
        }
        "dependencies" => {
            has_dependencies = true;
            json.object(|json, _, _| {
                let mut entries = Vec::new();
                let outcome = json.object(|json, name, line| {
                    let mut entry = Entry { line, name, ..Entry::default() };
                    json.object(|json, key, _| entry.key(json, &key))?;
                    entries.push(entry);
                    Ok(())
                });
                frameworks.push(entries);
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
    for entries in frameworks {
        known.add(entries, &mut reading);
    }
    reading.links.edges.sort_unstable();
    reading.links.edges.dedup();
    reading.close()
}

impl<'a> Entry<'a> {
    fn key(&mut self, json: &mut Json<'a>, key: &str) -> Result<(), Fault> {
        match key {
            "type" => self.kind = json.string()?.unwrap_or_default(),
            "resolved" => self.version = json.string()?,
            "dependencies" => json.object(|json, name, line| {
                self.needs.push((name, line));
                json.skip()
            })?,
            _ => json.skip()?,
        }
        Ok(())
    }
}

/// Packages by name and version: several frameworks resolve to the same.
#[derive(Default)]
struct Known(RapidHashMap<(String, String), u32>);

impl Known {
    fn add(&mut self, entries: Vec<Entry<'_>>, reading: &mut Reading) {
        let mut by_name: RapidHashMap<String, Option<u32>> = RapidHashMap::default();
        let mut needs = Vec::new();
        for entry in entries {
            let small = entry.name.to_lowercase();
            if entry.kind == "Project" {
                by_name.insert(small, None); // Of this solution: what it needs is listed itself.
                continue;
            }
            let Some(version) = entry.version.as_deref() else {
                reading.problem(entry.line, format!("{} has no resolved version", quote(&entry.name)));
                continue;
            };
            let direct = entry.kind == "Direct";
            let at = *self.0.entry((small.clone(), version.to_owned())).or_insert_with(|| {
                let at = index(reading.packages.len());
                let package = Package::new(Ecosystem::NuGet, entry.name.as_ref(), version, entry.line);
                reading.packages.push(Package { direct: Some(direct), ..package });
                at
            });
            if let Some(package) = reading.packages.get_mut(at as usize).filter(|_| direct) {
                package.direct = Some(true);
            }
            by_name.insert(small, Some(at));
            needs.push((at, entry.needs));
        }
        for (from, needs) in needs {
            for (name, line) in needs {
                match by_name.get(&name.to_lowercase()) {
                    Some(Some(to)) => reading.links.edges.push((from, *to)),
                    Some(None) => {}
                    None => reading.problem(line, format!("{} is needed, but not in the file", quote(&name))),
                }
            }
        }
    }
}

/// Reads a `*.deps.json`.
pub(crate) fn read_deps(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a deps.json: it begins with `{`");
    }
    let mut has_libraries = false;
    let outcome = json.object(|json, key, _| {
        if key != "libraries" {
            return json.skip();
        }
        has_libraries = true;
        json.object(|json, key, line| {
            let mut kind = Cow::Borrowed("");
            json.object(|json, key, _| {
                match key.as_ref() {
                    "type" => kind = json.string()?.unwrap_or_default(),
                    _ => json.skip()?,
                }
                Ok(())
            })?;
            let Some((name, version)) = key.split_once('/') else {
                reading.problem(line, format!("not a library with its version: {}", quote(&key)));
                return Ok(());
            };
            let source = match kind.as_ref() {
                "package" => Source::Registry,
                // The program's own projects, files that were referenced, and the runtime that came along.
                other => Source::Path(other.to_owned()),
            };
            let package = Package::new(Ecosystem::NuGet, name, version, line);
            reading.packages.push(Package { source, ..package });
            Ok(())
        })
    });
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if !has_libraries => reading.problem(1, "no libraries: dotnet did not write this file"),
        Ok(()) => {}
    }
    reading.close()
}
