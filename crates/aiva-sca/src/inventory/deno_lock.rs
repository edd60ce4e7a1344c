//! `deno.lock`, formats 2 to 5: npm packages, JSR packages, and files that were imported by address.
//!
//! JSR's packages bear the names that its npm registry gives them (`@jsr/std__assert`); no public advisories name them. A
//! file that is imported by address has neither name nor version: such files are counted, not judged.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rapidhash::RapidHashMap;

use super::graph::index;
use super::json::{Json, Value};
use super::npm_source::split_name;
use super::reading::{Fault, Reading, quote};
use crate::package::{Ecosystem, NotJudged, Package, Source};

/// The newest format that deno writes.
const NEWEST: u32 = 5;

/// Where JSR serves its packages to npm clients.
const JSR: &str = "https://npm.jsr.io";

struct Entry<'a> {
    key: Cow<'a, str>,
    line: u32,
    is_jsr: bool,
    needs: Vec<(Cow<'a, str>, u32)>,
    /// What is installed where it can be: not all of it needs to be there.
    wants: Vec<Cow<'a, str>>,
}

#[derive(Default)]
struct Lock<'a> {
    version: Option<(u32, u32)>,
    entries: Vec<Entry<'a>>,
    /// What a requirement was resolved to, by the requirement (`npm:chalk@5` to `5.3.0`).
    specifiers: Vec<(Cow<'a, str>, Cow<'a, str>, u32)>,
    asked: BTreeSet<String>,
    /// Who asked for what, with its line.
    recorded: Vec<(String, Cow<'a, str>, u32)>,
    remote: Option<(u32, u32)>,
}

/// Reads a `deno.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: deno's begins with `{`");
    }
    let mut lock = Lock::default();
    let outcome = json.object(|json, key, line| lock.key(json, &key, line));
    if let Some((line, version)) = lock.version.filter(|(_, version)| *version > NEWEST) {
        let message = format!("deno.lock format {version} is newer than {NEWEST}, the newest this release reads");
        return Reading::unsupported(line, message);
    }
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if lock.version.is_none() => {
            reading.problem(1, "no version of the format: deno did not write this file")
        }
        Ok(()) => {}
    }
    lock.settle(&mut reading);
    reading.close()
}

impl<'a> Lock<'a> {
    fn key(&mut self, json: &mut Json<'a>, key: &str, line: u32) -> Result<(), Fault> {
        match key {
            "version" => {
                let version = json.string()?.and_then(|version| version.parse().ok());
                self.version = version.map(|version| (line, version));
                Ok(())
            }
            // Format 3 has all of it below `packages`.
            "packages" => json.object(|json, key, line| self.key(json, &key, line)),
            "specifiers" => json.object(|json, wanted, line| {
                if let Some(resolved) = json.string()? {
                    self.specifiers.push((wanted, resolved, line));
                }
                Ok(())
            }),
            "npm" => json.object(|json, key, line| match key.as_ref() {
                // Format 2 has `specifiers` and `packages` below `npm`.
                "specifiers" => self.key(json, "specifiers", line),
                "packages" => json.object(|json, key, line| self.entry(json, key, line, false)),
                _ => self.entry(json, key, line, false),
            }),
            "jsr" => json.object(|json, key, line| self.entry(json, key, line, true)),
            "remote" => {
                let mut count = 0;
                json.object(|json, _, _| {
                    count += 1;
                    json.skip()
                })?;
                self.remote = (count > 0).then_some((line, count));
                Ok(())
            }
            "workspace" => self.workspace(json, "", 0),
            _ => json.skip(),
        }
    }

    /// What the configurations asked for when the file was written. Of a member the owner is its folder, of a `package.json` its name.
    fn workspace(&mut self, json: &mut Json<'a>, owner: &str, depth: u32) -> Result<(), Fault> {
        if depth > 2 {
            return json.skip();
        }
        json.object(|json, key, _| match key.as_ref() {
            "dependencies" => json.array(|json| {
                json.next();
                let line = json.line();
                if let Some(wanted) = json.string()? {
                    self.recorded.push((owner.to_owned(), wanted.clone(), line));
                    self.asked.insert(wanted.into_owned());
                }
                Ok(())
            }),
            "packageJson" => self.workspace(json, "package.json", depth + 1),
            "members" => json.object(|json, member, _| self.workspace(json, &member, depth + 1)),
            _ => json.skip(),
        })
    }

    fn entry(&mut self, json: &mut Json<'a>, key: Cow<'a, str>, line: u32, is_jsr: bool) -> Result<(), Fault> {
        let mut entry = Entry { key, line, is_jsr, needs: Vec::new(), wants: Vec::new() };
        let outcome = json.object(|json, key, _| match (key.as_ref(), json.next()) {
            ("dependencies", Value::Array) => json.array(|json| {
                json.next();
                let line = json.line();
                entry.needs.extend(json.string()?.map(|need| (need, line)));
                Ok(())
            }),
            // Since format 5.
            ("optionalDependencies", Value::Array) => json.array(|json| {
                entry.wants.extend(json.string()?);
                Ok(())
            }),
            // Until format 3: the name that is imported, and what it was resolved to.
            ("dependencies", Value::Object) => json.object(|json, _, line| {
                entry.needs.extend(json.string()?.map(|need| (need, line)));
                Ok(())
            }),
            _ => json.skip(),
        });
        self.entries.push(entry);
        outcome
    }

    fn settle(self, reading: &mut Reading) {
        for (owner, wanted, line) in &self.recorded {
            if let Some(wanted) = wanted.strip_prefix("npm:") {
                let (name, range) = split_name(wanted).unwrap_or((wanted, ""));
                reading.record(owner, name, range, *line);
            }
        }
        let mut by_key: RapidHashMap<String, u32> = RapidHashMap::default();
        let mut by_name: RapidHashMap<String, Vec<u32>> = RapidHashMap::default();
        let mut known: RapidHashMap<(String, String), u32> = RapidHashMap::default();
        let mut needs = Vec::new();
        for entry in self.entries {
            let Some((name, version)) = split_name(&entry.key) else {
                reading.problem(entry.line, format!("the entry {} has no name and version", quote(&entry.key)));
                continue;
            };
            // `react-dom@18.2.0_react@18.2.0`: the same release, built beside that peer.
            let version = version.split('_').next().unwrap_or(version);
            let prefix = if entry.is_jsr { "jsr:" } else { "npm:" };
            let at = *known.entry((format!("{prefix}{name}"), version.to_owned())).or_insert_with(|| {
                let at = index(reading.packages.len());
                let (name, source) = match entry.is_jsr {
                    true => (jsr_name(name), Source::PrivateRegistry(JSR.to_owned())),
                    false => (name.to_owned(), Source::Registry),
                };
                let package = Package::new(Ecosystem::Npm, name, version, entry.line);
                reading.packages.push(Package { source, direct: Some(false), ..package });
                at
            });
            by_name.entry(format!("{prefix}{name}")).or_default().push(at);
            by_key.insert(format!("{prefix}{}", entry.key), at);
            needs.push((at, entry.is_jsr, entry.needs, entry.wants));
        }
        let resolved: RapidHashMap<&str, String> = self
            .specifiers
            .iter()
            .map(|(wanted, to, _)| {
                let kind = wanted.split(':').next().unwrap_or_default();
                let name = split_name(wanted.get(kind.len() + 1..).unwrap_or_default()).map_or("", |(name, _)| name);
                let whole = if to.starts_with(kind) { to.to_string() } else { format!("{kind}:{name}@{to}") };
                (wanted.as_ref(), whole)
            })
            .collect();
        let find = |need: &str, is_jsr: bool| {
            // A requirement says its kind (`npm:chalk@5`), a resolved one in the npm part does not (`ansi@1.0.0`).
            let own = if need.contains(':') {
                need.to_owned()
            } else {
                format!("{}:{need}", if is_jsr { "jsr" } else { "npm" })
            };
            let by_requirement = resolved.get(own.as_str()).and_then(|key| by_key.get(key));
            let alone = || by_name.get(&own).filter(|all| all.len() == 1).and_then(|all| all.first());
            by_requirement.or_else(|| by_key.get(&own)).or_else(alone).copied()
        };
        let answer = |need: &str, is_jsr: bool| {
            let plain = need.split_once("@npm:").map_or(need, |(_, real)| real);
            find(need, is_jsr).or_else(|| find(plain, is_jsr)).or_else(|| by_name_only(&by_name, plain, is_jsr))
        };
        for (from, is_jsr, needs, wants) in needs {
            for (need, line) in needs {
                match answer(&need, is_jsr) {
                    Some(to) => reading.links.edges.push((from, to)),
                    None => reading.problem(line, format!("{} is needed, but not in the file", quote(&need))),
                }
            }
            let wanted = wants.iter().filter_map(|want| answer(want, is_jsr));
            reading.links.edges.extend(wanted.map(|to| (from, to)));
        }
        for (wanted, _, line) in &self.specifiers {
            if answer(wanted, false).is_none() {
                reading.problem(*line, format!("{} is resolved, but not in the file", quote(wanted)));
            }
        }
        // Before format 4 nothing but the requirements themselves says what is asked for.
        let asked = self
            .asked
            .iter()
            .map(String::as_str)
            .chain(self.specifiers.iter().map(|(wanted, ..)| wanted.as_ref()).filter(|_| self.asked.is_empty()));
        for wanted in asked {
            if let Some(package) = find(wanted, false).and_then(|at| reading.packages.get_mut(at as usize)) {
                package.direct = Some(true);
            }
        }
        if let Some((line, count)) = self.remote {
            let reason = "files that are imported by address have no package and no version";
            let entry = NotJudged::new(Ecosystem::Npm, "imports by address", format!("{count} files"), line, reason);
            reading.not_judged.push(entry);
        }
    }
}

/// A resolved reference may leave the version out where the file has one of the name.
fn by_name_only(by_name: &RapidHashMap<String, Vec<u32>>, need: &str, is_jsr: bool) -> Option<u32> {
    let (kind, rest) = need.split_once(':').unwrap_or((if is_jsr { "jsr" } else { "npm" }, need));
    let name = split_name(rest).map_or(rest, |(name, _)| name);
    by_name.get(&format!("{kind}:{name}")).and_then(|all| all.first()).copied()
}

/// `@std/assert` as JSR's npm registry has it: `@jsr/std__assert`.
fn jsr_name(name: &str) -> String {
    format!("@jsr/{}", name.trim_start_matches('@').replacen('/', "__", 1))
}
