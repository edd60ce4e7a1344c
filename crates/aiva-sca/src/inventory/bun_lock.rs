//! `bun.lock`: bun's lockfile since 1.2, JSON with commas at the end.
//!
//! Keys of `packages` are paths as in `node_modules` (`a/b` is the `b` that only `a` sees). An entry is a list whose first
//! item is `name@version`, or `name@workspace:folder` and the like. What is direct, the workspaces say.

use std::borrow::Cow;

use rapidhash::RapidHashMap;

use super::address::without_secret;
use super::graph::{self, index};
use super::json::{Json, Value};
use super::npm_source::{self, released, split_name, table};
use super::overrides;
use super::reading::{Fault, Reading, quote};
use super::signs::{Archives, Listed};
use crate::package::{Ecosystem, Package, Scope, Source};

/// The newest format that is known.
const NEWEST: u32 = 3;

/// A requirement: its name, whether it may be left out, its line.
struct Need<'a> {
    name: Cow<'a, str>,
    optional: bool,
    line: u32,
}

struct Entry<'a> {
    key: Cow<'a, str>,
    line: u32,
    identity: Cow<'a, str>,
    registry: String,
    needs: Vec<Need<'a>>,
    listed: Listed,
}

#[derive(Default)]
struct Lock<'a> {
    version: Option<(u32, u32)>,
    /// Workspace folder, its package's name, what it asks for.
    workspaces: Vec<Workspace<'a>>,
    entries: Vec<Entry<'a>>,
    overridden: Vec<String>,
    has_packages: bool,
}

#[derive(Default)]
struct Workspace<'a> {
    folder: Cow<'a, str>,
    name: Cow<'a, str>,
    asks: Vec<(Need<'a>, Scope)>,
    /// The requirement of each of those.
    requirements: Vec<Cow<'a, str>>,
}

/// Reads a `bun.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::relaxed(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: bun's begins with `{`");
    }
    let mut lock = Lock::default();
    let outcome = json.object(|json, key, line| lock.key(json, &key, line));
    if let Some((line, version)) = lock.version.filter(|(_, version)| *version > NEWEST) {
        let message = format!("bun.lock format {version} is newer than {NEWEST}, the newest this release reads");
        return Reading::unsupported(line, message);
    }
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if lock.version.is_none() || !lock.has_packages => {
            reading.problem(1, "no lockfileVersion or no packages: bun did not write this file");
        }
        Ok(()) => {}
    }
    lock.settle(&mut reading);
    reading.close()
}

impl<'a> Lock<'a> {
    fn key(&mut self, json: &mut Json<'a>, key: &str, line: u32) -> Result<(), Fault> {
        match key {
            "lockfileVersion" => {
                self.version = json.number()?.map(|version| (line, version));
                Ok(())
            }
            "workspaces" => json.object(|json, folder, _| {
                let mut workspace = Workspace { folder, ..Workspace::default() };
                json.object(|json, key, _| {
                    if key == "name" {
                        workspace.name = json.string()?.unwrap_or_default();
                        return Ok(());
                    }
                    let Some(scope) = table(&key) else { return json.skip() };
                    json.object(|json, name, line| {
                        let optional = matches!(scope, Scope::Optional | Scope::Peer);
                        workspace.asks.push((Need { name, optional, line }, scope));
                        workspace.requirements.push(json.string()?.unwrap_or_default());
                        Ok(())
                    })
                })?;
                self.workspaces.push(workspace);
                Ok(())
            }),
            "packages" => {
                self.has_packages = true;
                json.object(|json, key, line| self.entry(json, key, line))
            }
            // From format 3 on they may be nested.
            "overrides" => overrides::names(json, &mut self.overridden),
            _ => json.skip(),
        }
    }

    fn entry(&mut self, json: &mut Json<'a>, key: Cow<'a, str>, line: u32) -> Result<(), Fault> {
        let mut entry = Entry {
            key,
            line,
            identity: Cow::Borrowed(""),
            registry: String::new(),
            needs: Vec::new(),
            listed: Listed::default(),
        };
        let mut place = 0;
        let outcome = json.array(|json| {
            place += 1;
            match (place, json.next()) {
                (1, Value::Text) => entry.identity = json.string()?.unwrap_or_default(),
                // Only what a registry has names it here; everything else goes on with its table.
                (2, Value::Text) => entry.registry = json.string()?.unwrap_or_default().into_owned(),
                (_, Value::Text) => {
                    let hash = json.string()?.filter(|text| text.starts_with("sha"));
                    hash.iter().for_each(|hash| entry.listed.hash(hash));
                }
                (_, Value::Object) => entry.table(json)?,
                _ => json.skip()?,
            }
            Ok(())
        });
        self.entries.push(entry);
        outcome
    }

    fn settle(self, reading: &mut Reading) {
        let own: RapidHashMap<&str, &str> =
            self.workspaces.iter().map(|workspace| (workspace.folder.as_ref(), workspace.name.as_ref())).collect();
        let mut by_key: RapidHashMap<&str, u32> = RapidHashMap::default();
        let mut known: RapidHashMap<(&str, &str), u32> = RapidHashMap::default();
        let (mut needs, mut archives) = (Vec::new(), Archives::default());
        for entry in &self.entries {
            let Some((name, rest)) = split_name(&entry.identity) else {
                reading.problem(entry.line, format!("the entry {} has no name and version", quote(&entry.key)));
                continue;
            };
            let at = index(reading.packages.len());
            let (version, source) = match rest.strip_prefix("workspace:") {
                // The project's own folders have no version here.
                Some(folder) => ("0.0.0", Source::Path(folder.to_owned())),
                // The project itself, where a member asks for it.
                None if rest == "root:" => ("0.0.0", Source::Path(String::new())),
                None if rest.contains(':') => match npm_source::source(rest) {
                    // The archive of a release, which names its version.
                    Source::Registry => match released(name, rest) {
                        Some(version) => (version, Source::Registry),
                        None => ("0.0.0", Source::Url(without_secret(rest).into_owned())),
                    },
                    source => ("0.0.0", source),
                },
                None if entry.registry.is_empty() => (rest, Source::Registry),
                None => (rest, npm_source::source(&format!("{}/-/", entry.registry.trim_end_matches('/')))),
            };
            // A copy that lies in another place is the same package.
            let at = *known.entry((&entry.identity, &entry.registry)).or_insert(at);
            by_key.insert(&entry.key, at);
            // `a/b` is the copy of `b` below `a`; a scope has a slash of its own.
            let is_copy = entry.key.ends_with(name) && entry.key.len() > name.len();
            if !is_copy && !entry.key.trim_start_matches('@').contains('/') {
                reading.alias(&entry.key, name, entry.line);
            }
            needs.push((at, entry));
            if at as usize == reading.packages.len() {
                let mut listed = entry.listed.clone();
                listed.address(&entry.registry);
                if names_commit(rest) {
                    listed.pinned();
                }
                archives.add(at as usize, listed);
                let package = Package::new(Ecosystem::Npm, name, version, entry.line);
                reading.packages.push(Package { source, ..package });
            }
        }
        archives.tell(&reading.packages, &mut reading.links.signs);
        let mut edges = Vec::new();
        for (from, entry) in needs {
            for need in &entry.needs {
                match seen_from(&by_key, &entry.key, &need.name) {
                    Some(to) => edges.push((from, to)),
                    None if need.optional => {}
                    None => reading.problem(need.line, format!("{} is needed, but not in the file", quote(&need.name))),
                }
            }
        }
        edges.sort_unstable();
        edges.dedup();
        let mut roots = Vec::new();
        reading.links.overridden = self.overridden;
        for workspace in &self.workspaces {
            for ((need, _), requirement) in workspace.asks.iter().zip(&workspace.requirements) {
                reading.record(&workspace.folder, &need.name, requirement, need.line);
            }
            let above = own.get(workspace.folder.as_ref()).copied().filter(|_| !workspace.folder.is_empty());
            for (need, scope) in &workspace.asks {
                match seen_from(&by_key, above.unwrap_or_default(), &need.name) {
                    Some(at) => roots.push((at, *scope)),
                    None if need.optional => {}
                    None => {
                        reading.problem(need.line, format!("{} is asked for, but not in the file", quote(&need.name)))
                    }
                }
            }
        }
        let is_own = |package: &Package| matches!(package.source, Source::Path(_));
        graph::spread(&mut reading.packages, &edges, &roots, is_own);
        for package in reading.packages.iter_mut().filter(|package| is_own(package)) {
            package.direct = Some(true);
        }
        reading.links.members = self
            .workspaces
            .iter()
            .map(|workspace| workspace.folder.clone().into_owned())
            .filter(|f| !f.is_empty())
            .collect();
        reading.links.edges = edges;
    }
}

impl<'a> Entry<'a> {
    fn table(&mut self, json: &mut Json<'a>) -> Result<(), Fault> {
        let mut optional_peers = Vec::new();
        let from = self.needs.len();
        json.object(|json, key, _| match key.as_ref() {
            "dependencies" | "optionalDependencies" | "peerDependencies" => {
                let optional = key != "dependencies";
                json.object(|json, name, line| {
                    self.needs.push(Need { name, optional, line });
                    json.skip()
                })
            }
            "optionalPeers" => json.array(|json| {
                optional_peers.extend(json.string()?);
                Ok(())
            }),
            _ => json.skip(),
        })?;
        for need in self.needs.iter_mut().skip(from) {
            need.optional |= optional_peers.contains(&need.name);
        }
        Ok(())
    }
}

/// Whether the place of a git repository ends in a commit; of GitHub's bun keeps seven digits of it.
fn names_commit(place: &str) -> bool {
    let commit = place.rsplit_once('#').map_or("", |(_, commit)| commit);
    commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Which package of this name is seen from a place: the innermost one, as node looks for it.
fn seen_from(by_key: &RapidHashMap<&str, u32>, place: &str, name: &str) -> Option<u32> {
    let mut above = place;
    while !above.is_empty() {
        if let Some(at) = by_key.get(format!("{above}/{name}").as_str()) {
            return Some(*at);
        }
        above = parent(above);
    }
    by_key.get(name).copied()
}

/// The place that holds this one: `a/@s/b` is in `a`.
fn parent(place: &str) -> &str {
    let Some((rest, _)) = place.rsplit_once('/') else { return "" };
    match rest.rsplit_once('/') {
        Some((above, scope)) if scope.starts_with('@') => above,
        None if rest.starts_with('@') => "",
        _ => rest,
    }
}
