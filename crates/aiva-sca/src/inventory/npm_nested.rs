//! `dependencies` of format 1 of npm's lockfile: a package, and under it the copies that only it uses.
//!
//! Which of the topmost are direct, the `package.json` beside the file knows. What a folder of the project asks for (a workspace, or a
//! dependency by `file:`) stands in its own entry, as it was when the lockfile was written.

use std::borrow::Cow;
use std::collections::HashMap;

use super::json::{Json, Value};
use super::npm_license::Shared;
use super::npm_lock::Entry;
use super::npm_source::{self, own_folder, split_name};
use super::reading::{Fault, Reading, quote};
use super::signs;
use crate::package::Package;

/// The packages of one level by the names under which they are required, as indexes.
type Level<'a> = HashMap<Cow<'a, str>, usize>;

/// What is learnt of the tree besides its packages.
#[derive(Default)]
pub(super) struct Tree<'a> {
    top: Level<'a>,
    folders: Vec<Folder<'a>>,
}

/// A folder of the project.
struct Folder<'a> {
    at: usize,
    path: String,
    requires: Vec<Cow<'a, str>>,
    /// The copies that only it uses.
    own: Level<'a>,
}

impl<'a> Tree<'a> {
    /// Reads the topmost table and all below it.
    pub(super) fn read(&mut self, json: &mut Json<'a>, reading: &mut Reading) -> Result<(), Fault> {
        let mut top = Level::new();
        let outcome = copies(json, reading, &mut top, Some(&mut self.folders));
        self.top = top;
        outcome
    }

    /// Marks what the project's own folders ask for, and says which folders those are.
    pub(super) fn settle(self, reading: &mut Reading) -> Vec<String> {
        let mut members = Vec::new();
        for folder in self.folders {
            let asked = folder.requires.iter().filter_map(|name| folder.own.get(name).or_else(|| self.top.get(name)));
            for at in asked.chain([&folder.at]) {
                if let Some(package) = reading.packages.get_mut(*at) {
                    package.direct = Some(true);
                }
            }
            members.push(folder.path);
        }
        members
    }
}

/// One table; `folders` takes those of the project in, where it is the topmost.
fn copies<'a>(
    json: &mut Json<'a>,
    reading: &mut Reading,
    level: &mut Level<'a>,
    mut folders: Option<&mut Vec<Folder<'a>>>,
) -> Result<(), Fault> {
    json.object(|json, name, line| {
        let (mut entry, mut own, mut requires) = (Entry::default(), Level::new(), Vec::new());
        json.object(|json, key, _| match key.as_ref() {
            "dependencies" => copies(json, reading, &mut own, None),
            "requires" if folders.is_some() && json.next() == Value::Object => json.object(|json, name, _| {
                requires.push(name);
                json.skip()
            }),
            key => entry.key(json, key),
        })?;
        match entry.version.take() {
            Some(version) if !version.is_empty() => {
                let mut package = copy(&entry, &name, &version, line);
                // npm writes none into this format, so there are none to share.
                package.licenses = Shared::default().share(std::mem::take(&mut entry.licenses));
                package.direct = if folders.is_some() { None } else { Some(false) };
                signs::of_archive(&package, entry.archive(), &mut reading.links.signs);
                reading.alias(&name, &package.name, line);
                let at = reading.packages.len();
                if let (Some(folders), Some(path)) = (&mut folders, own_folder(&version)) {
                    folders.push(Folder { at, path: path.to_owned(), requires, own });
                }
                level.insert(name, at);
                reading.packages.push(package);
            }
            _ => reading.problem(line, format!("{} has no version", quote(&name))),
        }
        Ok(())
    })
}

/// Format 1 keeps everything in `version`: a number, an alias, an address or a path.
fn copy(entry: &Entry<'_>, name: &str, version: &str, line: u32) -> Package {
    if let Some((real, version)) = version.strip_prefix("npm:").and_then(split_name) {
        return entry.package(real, version, line, false);
    }
    let mut package = entry.package(name, version, line, false);
    if version.contains(':') || version.contains('/') {
        package.source = npm_source::source(version);
    }
    package
}
