//! `conan.lock`, formats 0.1 to 0.4 (Conan 1, a graph) and 0.5 (Conan 2, lists): recipes of C and C++ libraries.
//!
//! A reference is `name/version@user/channel#revision`; one with user and channel is not Conan's public centre's. A node of the
//! graph without a reference is the project itself: what it requires is direct.

use std::borrow::Cow;

use rapidhash::RapidHashMap;

use super::graph::{self, index};
use super::json::{Json, Value};
use super::reading::{Fault, Reading, quote};
use crate::package::{Ecosystem, Package, Scope, Source};

/// The formats that there have been.
const FORMATS: &[&str] = &["0.1", "0.2", "0.3", "0.4", "0.5"];

#[derive(Default)]
struct Node<'a> {
    id: Cow<'a, str>,
    line: u32,
    /// `ref`, until format 0.3 `pref` with the package's own revision behind it.
    reference: Cow<'a, str>,
    context: Cow<'a, str>,
    /// The file of the project itself.
    has_path: bool,
    /// Ids of other nodes; whether they are only for building; the line.
    needs: Vec<(Cow<'a, str>, bool, u32)>,
}

/// Reads a `conan.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: Conan's begins with `{`");
    }
    let (mut version, mut nodes) = (None, Vec::new());
    let outcome = json.object(|json, key, line| match key.as_ref() {
        "version" => {
            version = json.string()?.map(|version| (line, version));
            Ok(())
        }
        "requires" | "python_requires" | "config_requires" => references(json, Scope::Runtime, &mut reading),
        "build_requires" => references(json, Scope::Build, &mut reading),
        "graph_lock" => graph(json, &mut nodes),
        _ => json.skip(),
    });
    if let Some((line, version)) = version.as_ref().filter(|(_, version)| !FORMATS.contains(&version.as_ref())) {
        let message = format!("conan.lock format {} is not one that this release reads (0.1 to 0.5)", quote(version));
        return Reading::unsupported(*line, message);
    }
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if version.is_none() => reading.problem(1, "no version of the format: Conan did not write this file"),
        Ok(()) => {}
    }
    settle(nodes, &mut reading);
    reading.close()
}

fn references(json: &mut Json<'_>, scope: Scope, reading: &mut Reading) -> Result<(), Fault> {
    json.array(|json| {
        json.next();
        let line = json.line();
        if let Some(reference) = json.string()? {
            add(&reference, scope, line, reading);
        }
        Ok(())
    })
}

fn graph<'a>(json: &mut Json<'a>, nodes: &mut Vec<Node<'a>>) -> Result<(), Fault> {
    json.object(|json, key, _| {
        if key != "nodes" {
            return json.skip();
        }
        json.object(|json, id, line| {
            let mut node = Node { id, line, ..Node::default() };
            let outcome = json.object(|json, key, line| node.key(json, &key, line));
            nodes.push(node);
            outcome
        })
    })
}

impl<'a> Node<'a> {
    fn key(&mut self, json: &mut Json<'a>, key: &str, line: u32) -> Result<(), Fault> {
        match key {
            "ref" | "pref" => {
                if let Some(reference) = json.string()? {
                    (self.reference, self.line) = (reference, line);
                }
            }
            "context" => self.context = json.string()?.unwrap_or_default(),
            "path" => self.has_path = json.string()?.is_some(),
            "requires" | "build_requires" => {
                let is_build = key == "build_requires";
                if json.next() != Value::Object {
                    return json.array(|json| {
                        json.next();
                        let line = json.line();
                        self.needs.extend(json.string()?.map(|id| (id, is_build, line)));
                        Ok(())
                    });
                }
                // Until format 0.2: the reference that is asked for, and the node that answers it.
                json.object(|json, _, line| {
                    self.needs.extend(json.string()?.map(|id| (id, is_build, line)));
                    Ok(())
                })?;
            }
            _ => json.skip()?,
        }
        Ok(())
    }

    /// The project itself: it has a path or no reference, and node 0 stands for it.
    fn is_own(&self) -> bool {
        self.id == "0" || self.has_path || self.reference.is_empty()
    }
}

fn settle(nodes: Vec<Node<'_>>, reading: &mut Reading) {
    let mut by_id: RapidHashMap<&str, Option<u32>> = RapidHashMap::default();
    let mut known: RapidHashMap<&str, u32> = RapidHashMap::default();
    for node in &nodes {
        let mut at = None;
        if !node.is_own() {
            let scope = if node.context == "build" { Scope::Build } else { Scope::Runtime };
            at = known.get(node.reference.as_ref()).copied();
            // One recipe may be built in several ways, for building and for running: it is one package.
            if let Some(package) = at.and_then(|at| reading.packages.get_mut(at as usize)) {
                package.scope = graph::stronger(package.scope, scope);
            } else if add(&node.reference, scope, node.line, reading) {
                let new = index(reading.packages.len() - 1);
                known.insert(&node.reference, new);
                at = Some(new);
            }
        }
        by_id.insert(&node.id, at);
    }
    let mut has_own = false;
    for node in &nodes {
        let from = by_id.get(node.id.as_ref()).copied().flatten();
        has_own |= from.is_none() && !node.needs.is_empty();
        for (id, is_build, line) in &node.needs {
            match (from, by_id.get(id.as_ref())) {
                (Some(from), Some(Some(to))) if from != *to => reading.links.edges.push((from, *to)),
                (None, Some(Some(to))) => {
                    if let Some(package) = reading.packages.get_mut(*to as usize) {
                        // What is asked for twice is named for running first.
                        if *is_build && package.direct.is_none() {
                            package.scope = Scope::Build;
                        }
                        package.direct = Some(true);
                    }
                }
                (_, Some(_)) => {}
                (_, None) => reading.problem(*line, format!("the node {} is needed, but not in the file", quote(id))),
            }
        }
    }
    if has_own {
        for package in reading.packages.iter_mut().filter(|package| package.direct.is_none()) {
            package.direct = Some(false);
        }
    }
    reading.links.edges.sort_unstable();
    reading.links.edges.dedup();
}

/// Adds the recipe that a reference names; whether it names one.
fn add(reference: &str, scope: Scope, line: u32, reading: &mut Reading) -> bool {
    let plain = reference.split(['#', '%', ':']).next().unwrap_or(reference);
    let (recipe, channel) = plain.split_once('@').unwrap_or((plain, ""));
    let Some((name, version)) =
        recipe.split_once('/').filter(|(name, version)| !name.is_empty() && !version.is_empty())
    else {
        reading.problem(line, format!("not a reference to a recipe: {}", quote(reference)));
        return false;
    };
    let source = match channel {
        "" | "_/_" => Source::Registry,
        channel => Source::PrivateRegistry(channel.to_owned()),
    };
    let package = Package::new(Ecosystem::ConanCenter, name, version, line);
    reading.packages.push(Package { scope, source, ..package });
    true
}
