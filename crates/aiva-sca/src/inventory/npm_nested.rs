//! `dependencies` of format 1 of npm's lockfile: a package, and under it the copies that only it uses.
//!
//! Which of the topmost are direct, the `package.json` beside the file knows. What a folder of the project asks for (a workspace, or a
//! dependency by `file:`) stands in its own entry, as it was when the lockfile was written. What an entry requires is the nearest
//! copy on the way up, as node finds it.
//!
//! Start reading at [`Tree::settle`].

use std::borrow::Cow;

use rapidhash::RapidHashMap;

use super::graph::index;
use super::json::{Json, Value};
use super::npm_license::Shared;
use super::npm_lock::Entry;
use super::npm_source::{self, is_of_another, own_folder, released, split_name};
use super::reading::{Fault, Reading, quote};
use super::signs;
use crate::package::{Package, Source};

/// What is learnt of the tree, in the order of the file.
#[derive(Default)]
pub(super) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    /// The packages of the topmost table.
    top: Level<'a>,
}

/// The packages of one table by the names under which they are required, as places among the nodes.
type Level<'a> = RapidHashMap<Cow<'a, str>, usize>;

/// An entry.
struct Node<'a> {
    name: Cow<'a, str>,
    line: u32,
    /// The entry that this one is a copy for; `None` at the top.
    above: Option<usize>,
    /// `None` of an entry that was cut off, or has no version.
    found: Option<Found<'a>>,
    requires: Vec<(Cow<'a, str>, u32)>,
    /// The copies that only it uses.
    own: Level<'a>,
}

struct Found<'a> {
    entry: Entry<'a>,
    version: Cow<'a, str>,
}

impl Node<'_> {
    /// The folder of the project that it is.
    fn folder(&self) -> Option<&str> {
        let version = &self.found.as_ref()?.version;
        if self.above.is_none() { own_folder(version) } else { None }
    }
}

impl<'a> Tree<'a> {
    /// Reads the topmost table and all below it.
    pub(super) fn read(&mut self, json: &mut Json<'a>, reading: &mut Reading) -> Result<(), Fault> {
        self.table(json, None, reading)
    }

    /// One table, of the topmost packages or of the copies for one.
    fn table(&mut self, json: &mut Json<'a>, above: Option<usize>, reading: &mut Reading) -> Result<(), Fault> {
        json.object(|json, name, line| {
            let at = self.nodes.len();
            let (requires, own) = (Vec::new(), Level::default());
            self.nodes.push(Node { name: name.clone(), line, above, found: None, requires, own });
            let (mut entry, mut requires) = (Entry::default(), Vec::new());
            json.object(|json, key, _| match key.as_ref() {
                "dependencies" => self.table(json, Some(at), reading),
                "requires" if json.next() == Value::Object => json.object(|json, name, line| {
                    requires.push((name, line));
                    json.skip()
                }),
                key => entry.key(json, key),
            })?;
            let version = entry.version.take().filter(|version| !version.is_empty());
            let Some(version) = version else {
                reading.problem(line, format!("{} has no version", quote(&name)));
                return Ok(());
            };
            if let Some(node) = self.nodes.get_mut(at) {
                (node.found, node.requires) = (Some(Found { entry, version }), requires);
            }
            let level = match above {
                Some(above) => self.nodes.get_mut(above).map(|node| &mut node.own),
                None => Some(&mut self.top),
            };
            if let Some(level) = level {
                level.insert(name, at);
            }
            Ok(())
        })
    }

    /// Makes packages of the entries, ties each to what it requires, and says which folders of the project are among them. A file
    /// that was not read to its end misses more than it can be blamed for.
    pub(super) fn settle(mut self, is_whole: bool, reading: &mut Reading) -> Vec<String> {
        let mut places = Vec::with_capacity(self.nodes.len());
        let mut members = Vec::new();
        for node in &mut self.nodes {
            let folder = node.folder().map(str::to_owned);
            let Some(Found { entry, version }) = &mut node.found else {
                places.push(None);
                continue;
            };
            let mut package = copy(entry, &node.name, version, node.line);
            // npm writes none into this format, so there are none to share.
            package.licenses = Shared::default().share(std::mem::take(&mut entry.licenses));
            package.direct = node.above.map(|_| false).or(folder.is_some().then_some(true));
            signs::of_archive(&package, entry.archive(), &mut reading.links.signs);
            reading.alias(&node.name, &package.name, node.line);
            members.extend(folder);
            places.push(Some(index(reading.packages.len())));
            reading.packages.push(package);
        }
        self.connect(&places, is_whole, reading);
        members
    }

    fn connect(&self, places: &[Option<u32>], is_whole: bool, reading: &mut Reading) {
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(from) = places.get(at).copied().flatten() else { continue };
            let folder = node.folder();
            // Of a folder above, which is only linked to, npm writes what it needs and does not install it.
            let must = is_whole && folder.is_none_or(|path| path != ".." && !path.starts_with("../"));
            for (name, line) in &node.requires {
                let Some(to) = self.resolve(at, name).and_then(|to| places.get(to).copied().flatten()) else {
                    if must {
                        let message = format!("{} needs {}, which is not in the file", quote(&node.name), quote(name));
                        reading.problem(*line, message);
                    }
                    continue;
                };
                reading.links.edges.push((from, to));
                // What a folder of the project asks for.
                if folder.is_some()
                    && let Some(package) = reading.packages.get_mut(to as usize)
                {
                    package.direct = Some(true);
                }
            }
        }
    }

    /// What an entry gets of a name: a copy of its own, or the nearest on the way up.
    fn resolve(&self, from: usize, name: &str) -> Option<usize> {
        let up = std::iter::successors(self.nodes.get(from), |node| self.nodes.get(node.above?));
        up.map(|node| &node.own).chain([&self.top]).find_map(|level| level.get(name).copied())
    }
}

/// Format 1 keeps everything in `version`: a number, an alias, an address or a path.
fn copy(entry: &Entry<'_>, name: &str, version: &str, line: u32) -> Package {
    if let Some((real, version)) = version.strip_prefix("npm:").and_then(split_name) {
        return entry.package(real, version, line, false);
    }
    let mut package = entry.package(name, version, line, false);
    if version.contains(':') || version.contains('/') {
        package.source = npm_source::source(version);
        // Of an archive of the registry the address names the release.
        if let (Source::Registry, Some(released)) = (&package.source, released(name, version))
            && !is_of_another(version, name, released)
        {
            package.version = released.into();
        }
    }
    package
}
