//! What the nearest `Directory.Build.targets` does to the packages of the projects at and below its folder: MSBuild takes it in behind
//! the project, so that its `Update` and `Remove` come after all that the project asks for, and the `Directory.Build.props` before it.
//!
//! A version that it gives is judged there, where it stands. What a condition decides is judged beside it, or not at all. Props ask for
//! the packages of many projects: they are changed only where every one of those gets the same targets. What chooses the targets, or
//! none, changes nothing: that judges more than what is built, never less ([`Builds`]).
//!
//! An `Update` in a `Directory.Build.props` of what neither it nor a file that it imports may ask for is judged nowhere.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::path::Path;
use std::sync::OnceLock;

use smol_str::SmolStr;

use super::builds::{Builds, PROPS, TARGETS, is_named};
use super::find::Found;
use super::join::{above, folder, inside};
use super::kind::Kind;
use super::nuget_xml::{self, CUT, Change};
use super::reading::{Reading, Stands};
use super::walk::{Options, text_within};
use crate::package::NotJudged;

/// Why nothing is judged of what may be taken away.
const MAY_GO: &str = "a `Remove` in Directory.Build.targets that is computed or under a condition may take it away";

/// What a file changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// By the package's name in small letters.
    by_name: HashMap<String, Fate>,
    /// With what the names begin that are computed, so that any of those may go; none begins with another.
    starts: BTreeSet<String>,
}

/// What becomes of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    MayGo,
    /// There is another version in its place, which a line says; empty where it is not known.
    Moves(SmolStr, u32),
    Goes,
}

impl Changes {
    fn of(text: &str, hooks: bool) -> Self {
        let mut all = Self::default();
        nuget_xml::changes(text, hooks).into_iter().for_each(|one| all.add(one));
        all
    }

    /// The last one has its way; of what is gone none has any. An update under a condition is judged beside what it may change.
    fn add(&mut self, one: Change) {
        let Change { name, is_start, version, line, is_sure } = one;
        if is_start {
            return if version.is_none() {
                self.start(name)
            };
        }
        match (version, is_sure, self.by_name.get(&name)) {
            (_, _, Some(Fate::Goes)) | (Some(_), false, _) => {}
            (Some(version), true, _) => {
                // What is computed, or too long for a version, is declared to be anything.
                let version = if version.contains(['$', '@', CUT]) { SmolStr::default() } else { version };
                self.by_name.insert(name, Fate::Moves(version, line));
            }
            (None, true, _) => drop(self.by_name.insert(name, Fate::Goes)),
            (None, false, Some(_)) => {}
            (None, false, None) => drop(self.by_name.insert(name, Fate::MayGo)),
        }
    }

    fn start(&mut self, start: String) {
        if self.starts_one(&start) {
            return;
        }
        let longer = |known: &String| known.starts_with(&start);
        let longer: Vec<String> = self.starts.range(start.clone()..).take_while(|one| longer(one)).cloned().collect();
        longer.iter().for_each(|one| drop(self.starts.take(one)));
        self.starts.insert(start);
    }

    /// Whether a name begins with one of the starts: that stands right before it, as none begins with another.
    fn starts_one(&self, name: &str) -> bool {
        let up_to = (Bound::Unbounded, Bound::Included(name));
        self.starts.range::<str, _>(up_to).next_back().is_some_and(|start| name.starts_with(start.as_str()))
    }

    fn fate(&self, name: &str) -> Option<&Fate> {
        let name = name.to_lowercase();
        self.by_name.get(&name).or_else(|| self.starts_one(&name).then_some(&Fate::MayGo))
    }

    /// Whether anything that a file asks for is changed.
    fn reach(&self, reading: &Reading) -> bool {
        let changes = |name: &str| self.fate(name).is_some();
        (!self.starts.is_empty() || !self.by_name.is_empty())
            && (reading.packages.iter().any(|one| changes(&one.name))
                || reading.not_judged.iter().any(|one| changes(&one.name))
                || reading.links.declared.iter().any(|one| changes(&one.name)))
    }
}

/// Reads again whose targets come too late by what the file says, where a target of another file hooks into restore.
pub(super) fn settle_late(
    root: &Path,
    readings: &mut [(Found, Reading)],
    options: &Options,
    files: &[Found],
    builds: &OnceLock<Builds>,
) {
    for (found, reading) in readings.iter_mut().filter(|(_, reading)| reading.links.has_late) {
        if !builds.get_or_init(|| Builds::of(root, files, options)).hooks {
            return;
        }
        let text = root.canonicalize().ok().and_then(|real_root| text_within(&real_root, &found.file, options));
        if let Some(text) = text {
            *reading = nuget_xml::read_restoring(&text, true);
        }
    }
}

/// Makes the changes in every project, and in props whose every project gets them. `files` are those of the tree, by path: what is not
/// among them is judged nowhere, and not followed.
pub(super) fn settle(
    root: &Path,
    readings: &mut [(Found, Reading)],
    options: &Options,
    files: &[Found],
    builds: &OnceLock<Builds>,
) {
    let is_props = |found: &Found| found.kind == Kind::DotnetProject && is_named(&found.path, PROPS);
    let is_project = |found: &Found| found.kind == Kind::DotnetProject && found.path.ends_with("proj");
    readings.iter_mut().filter(|(found, _)| is_props(found)).for_each(|(_, reading)| forget_updates(reading));
    for (found, reading) in readings.iter_mut().filter(|(found, _)| is_project(found) || is_props(found)) {
        let mut all = above(folder(&found.path)).filter_map(|at| named(files, at, TARGETS));
        let Some(file) = all.next() else { continue };
        let builds = builds.get_or_init(|| Builds::of(root, files, options));
        let changes = builds.changes.of(&file.path, || tell(root, file, options, builds.hooks));
        let Some(changes) = changes.as_ref().as_ref().filter(|changes| changes.reach(reading)) else { continue };
        let is_sure =
            if is_props(found) { builds.reaches_all(&file.path, &found.path) } else { !builds.chooses(&found.path) };
        if is_sure {
            change(reading, changes, &file.path);
        }
    }
}

/// Nothing stands before what it updates, so there is nothing of another version.
fn forget_updates(reading: &mut Reading) {
    let updated: HashSet<String> = std::mem::take(&mut reading.links.updated).into_iter().collect();
    if updated.is_empty() {
        return;
    }
    reading.packages.retain(|one| !updated.contains(&one.name.to_lowercase()));
    reading.not_judged.retain(|one| !updated.contains(&one.name.to_lowercase()));
}

/// The file of this name in a folder.
fn named<'f>(files: &'f [Found], folder: &str, name: &str) -> Option<&'f Found> {
    let path = inside(folder, name);
    files.binary_search_by(|file| file.path.cmp(&path)).ok().and_then(|at| files.get(at))
}

/// What a file changes; nothing where it cannot be read, or leads out of the root.
fn tell(root: &Path, file: &Found, options: &Options, hooks: bool) -> Option<Changes> {
    let real_root = root.canonicalize().ok()?;
    text_within(&real_root, &file.file, options).map(|text| Changes::of(&text, hooks))
}

fn change(reading: &mut Reading, changes: &Changes, path: &str) {
    let is_gone = |name: &str| matches!(changes.fate(name), Some(Fate::Goes | Fate::Moves(..)));
    let may_go = |name: &str| changes.fate(name) == Some(&Fate::MayGo);
    reading.packages.retain(|one| !is_gone(&one.name));
    reading.not_judged.retain(|one| !is_gone(&one.name));
    for entry in reading.not_judged.iter_mut().filter(|one| may_go(&one.name)) {
        (entry.is_range, entry.reason) = (false, MAY_GO.into());
    }
    for one in reading.packages.extract_if(.., |one| may_go(&one.name)) {
        let entry = NotJudged::new(one.ecosystem, one.name, one.version, one.line, MAY_GO);
        reading.not_judged.push(NotJudged { scope: one.scope, ..entry });
    }
    reading.links.declared.retain(|one| !matches!(changes.fate(&one.name), Some(Fate::Goes | Fate::MayGo)));
    for one in &mut reading.links.declared {
        if let Some(Fate::Moves(version, line)) = changes.fate(&one.name) {
            one.requirement = version.clone();
            (one.stands, one.line) = (Stands::In(path.into()), *line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_computed_or_too_long_is_not_told_to_the_projects() {
        let long = format!("[1.{}]", "1".repeat(1024));
        for (version, want) in [("[1.0]", "[1.0]"), ("$(V)", ""), ("@(V)", ""), (long.as_str(), "")] {
            let text = format!(
                "<Project><ItemGroup><PackageReference Update=\"a\" Version=\"{version}\"/></ItemGroup></Project>"
            );
            assert_eq!(Changes::of(&text, false).fate("A"), Some(&Fate::Moves(want.into(), 1)), "{version}");
        }
    }
}
