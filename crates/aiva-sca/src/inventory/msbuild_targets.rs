//! What the nearest `Directory.Build.targets` does to the packages of the projects at and below its folder: MSBuild takes it in behind
//! the project, so that its `Update` and `Remove` come after all that the project asks for.
//!
//! A version that it gives is judged there, where it stands. What a condition decides is judged beside it, or not at all. A
//! `Directory.Build.props` comes before the project, and changes nothing of it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::door;
use super::find::Found;
use super::join::{above, folder, inside};
use super::kind::Kind;
use super::nuget_xml::{self, Change};
use super::reading::{Reading, Stands};
use super::walk::{Options, bytes};
use crate::package::NotJudged;

/// The file.
const TARGETS: &str = "Directory.Build.targets";

/// Why nothing is judged of what may be taken away.
const MAY_GO: &str = "a `Remove` in Directory.Build.targets that is computed or under a condition may take it away";

/// Changes by the package's name in small letters.
type Changes = HashMap<String, Vec<Change>>;

/// Makes the changes in every project. `files` are those of the tree, by path: what is not among them is judged nowhere, and not followed.
pub(super) fn settle(root: &Path, readings: &mut [(Found, Reading)], options: &Options, files: &[Found]) {
    let is_project = |found: &Found| found.kind == Kind::DotnetProject && found.path.ends_with("proj");
    let mut known: HashMap<String, Option<Arc<Changes>>> = HashMap::new();
    for (found, reading) in readings.iter_mut().filter(|(found, _)| is_project(found)) {
        let nearest = above(folder(&found.path)).map(|at| inside(at, TARGETS));
        let at = nearest.into_iter().find_map(|path| files.binary_search_by(|file| file.path.cmp(&path)).ok());
        let Some(file) = at.and_then(|at| files.get(at)) else { continue };
        let changes = known.entry(file.path.clone()).or_insert_with(|| read(root, file, options)).clone();
        if let Some(changes) = changes.filter(|changes| !changes.is_empty()) {
            change(reading, &changes, &file.path);
        }
    }
}

fn read(root: &Path, file: &Found, options: &Options) -> Option<Arc<Changes>> {
    let real_root = root.canonicalize().ok()?;
    let is_inside = file.file.canonicalize().is_ok_and(|real| real.starts_with(real_root));
    let bytes = is_inside.then(|| bytes(&file.file, options.largest_file).ok().flatten()).flatten()?;
    let mut all = Changes::new();
    for one in nuget_xml::changes(&door::open(&bytes).ok()?) {
        all.entry(one.name.clone()).or_default().push(one);
    }
    Some(Arc::new(all))
}

/// What becomes of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate<'c> {
    Stays,
    MayGo,
    /// Its version is another one, where there is one.
    Goes(Option<&'c Change>),
}

fn fate<'c>(changes: &'c Changes, name: &str) -> Fate<'c> {
    let mut fate = Fate::Stays;
    // The last one has its way.
    let named = [name.to_lowercase().as_str(), ""].map(|name| changes.get(name));
    for one in named.into_iter().flatten().flatten() {
        match (one.version.is_some(), one.is_sure) {
            (true, true) if !matches!(fate, Fate::Goes(None)) => fate = Fate::Goes(Some(one)),
            (false, true) => fate = Fate::Goes(None),
            (false, false) if fate == Fate::Stays => fate = Fate::MayGo,
            _ => {} // An update under a condition is judged beside what it may change.
        }
    }
    fate
}

fn change(reading: &mut Reading, changes: &Changes, path: &str) {
    reading.packages.retain(|one| !matches!(fate(changes, &one.name), Fate::Goes(_)));
    reading.not_judged.retain(|one| !matches!(fate(changes, &one.name), Fate::Goes(_)));
    for entry in reading.not_judged.iter_mut().filter(|one| fate(changes, &one.name) == Fate::MayGo) {
        (entry.is_range, entry.reason) = (false, MAY_GO.into());
    }
    for one in reading.packages.extract_if(.., |one| fate(changes, &one.name) == Fate::MayGo) {
        let entry = NotJudged::new(one.ecosystem, one.name, one.version, one.line, MAY_GO);
        reading.not_judged.push(NotJudged { scope: one.scope, ..entry });
    }
    reading.links.declared.retain(|one| !matches!(fate(changes, &one.name), Fate::Goes(None) | Fate::MayGo));
    for one in &mut reading.links.declared {
        if let Fate::Goes(Some(Change { version: Some(version), line, .. })) = fate(changes, &one.name) {
            let is_computed = version.contains(['$', '@']);
            one.requirement = if is_computed { "" } else { version.as_str() }.into();
            (one.stands, one.line) = (Stands::In(path.into()), *line);
        }
    }
}
