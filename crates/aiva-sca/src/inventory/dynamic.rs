//! What a `pyproject.toml` leaves to the tool that builds it (`dynamic = ["dependencies"]`).
//!
//! setuptools can be told to take it from requirements files, which are followed as if they were included. Where Poetry's tables or a
//! `setup.cfg` have it, it is read there. Anything else only a build would tell, and nothing is run: the manifest is partial then,
//! unless a lockfile holds for it.

use std::path::Path;

use toml_edit::{Item, TableLike};

use super::find::Found;
use super::join::{folder, inside, place};
use super::kind::Kind;
use super::manifest::Manifest;
use super::reading::{Include, Reading, quote};
use super::setup_cfg;
use super::typed::doubt_list;
use super::walk::{Options, text_within};
use crate::package::Scope;

/// What may be dynamic, and whose requirements it has.
const FIELDS: [(&str, Scope); 2] = [("dependencies", Scope::Runtime), ("optional-dependencies", Scope::Optional)];

/// Notes where what is dynamic comes from, or that nothing says so.
pub(super) fn note(manifest: &Manifest, reading: &mut Reading) {
    let project = manifest.table(&["project"]);
    let entry = project.and_then(|project| manifest.entries(project).find(|(key, ..)| *key == "dynamic"));
    let Some(entry @ (_, list, _)) = entry else { return };
    doubt_list(manifest, entry, reading);
    for (field, scope) in FIELDS {
        let Some((_, line)) = manifest.strings(list).find(|(name, _)| *name == field) else { continue };
        let before = reading.links.includes.len();
        let told = manifest.table(&["tool", "setuptools", "dynamic"]);
        let found = told.and_then(|table| manifest.entries(table).find(|(key, ..)| *key == field));
        match found.and_then(|(_, item, line)| Some((field, item.as_table_like()?, line))) {
            Some(("optional-dependencies", extras, _)) => {
                for (_, item, line) in manifest.entries(extras) {
                    item.as_table_like().into_iter().for_each(|table| files(manifest, table, line, reading));
                }
            }
            Some((_, table, line)) => files(manifest, table, line, reading),
            None => {}
        }
        let is_told = reading.links.includes.len() > before;
        if !is_told && !is_poetrys(manifest, scope) {
            reading.links.dynamic.push((scope, line));
        }
    }
}

/// Whether Poetry's tables say it. Which Python it is for is often all that they have, and no answer unless Poetry builds the project.
fn is_poetrys(manifest: &Manifest, scope: Scope) -> bool {
    let backend = manifest.string(&["build-system", "build-backend"]);
    let Some(poetry) = manifest.table(&["tool", "poetry"]) else { return false };
    let says = |item: &Item| item.as_table_like().is_some_and(|table| table.iter().any(|(name, _)| name != "python"));
    backend.is_some_and(|backend| backend.starts_with("poetry"))
        || match scope {
            Scope::Optional => poetry.contains_key("extras"),
            _ => poetry.get("dependencies").is_some_and(says),
        }
}

/// `{ file = "a.txt" }`, `{ file = ["a.txt", "b.txt"] }`.
fn files(manifest: &Manifest, table: &dyn TableLike, line: u32, reading: &mut Reading) {
    let Some(item) = table.get("file") else { return };
    let one = item.as_str().map(|path| (path, line));
    for (path, line) in one.into_iter().chain(manifest.strings(item)) {
        reading.links.includes.push(Include { path: path.to_owned(), constraint: false, line });
    }
}

/// Forgets that for which a `setup.cfg` beside the manifest has a list: it is an input of its own.
pub(super) fn settle(root: &Path, readings: &mut [(Found, Reading)], options: &Options) {
    let asks = |found: &Found, reading: &Reading| found.kind == Kind::PyProject && !reading.links.dynamic.is_empty();
    if !readings.iter().any(|(found, reading)| asks(found, reading)) {
        return;
    }
    let Ok(real_root) = root.canonicalize() else { return };
    for (found, reading) in readings.iter_mut().filter(|(found, reading)| asks(found, reading)) {
        let file = root.join(inside(folder(&found.path), "setup.cfg"));
        let stated = text_within(&real_root, &file, options).map(|text| setup_cfg::read(&text).links.stated);
        let stated = stated.unwrap_or_default();
        reading.links.dynamic.retain(|(scope, _)| !stated.contains(scope));
    }
}

/// Says what is not known of a manifest for which no lockfile holds. `files` are those of the tree, by path: a list that is one of them
/// is judged there.
pub(super) fn close(found: &Found, reading: &mut Reading, files: &[Found]) {
    if let Some((_, line)) = std::mem::take(&mut reading.links.dynamic).into_iter().next() {
        let message = "what is `dynamic` only a build would tell (setup.py, or the build backend), and nothing is run here: make a \
                       lockfile (uv lock, pip-compile), and it is read instead";
        reading.problem(line, message);
    }
    let is_input = |asked: &str| {
        let path = place(folder(&found.path), asked);
        let at = path.and_then(|path| files.binary_search_by(|file| file.path.cmp(&path)).ok());
        at.and_then(|at| files.get(at)).is_some_and(|file| file.kind == Kind::Requirements)
    };
    let includes = std::mem::take(&mut reading.links.includes);
    for Include { path, line, .. } in includes.into_iter().filter(|include| !is_input(&include.path)) {
        let message =
            format!("what {} asks for is not read: the lockfiles at or above are of other projects", quote(&path));
        reading.problem(line, message);
    }
}
