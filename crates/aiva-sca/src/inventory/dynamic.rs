//! What a `pyproject.toml` leaves to the tool that builds it (`dynamic = ["dependencies"]`).
//!
//! setuptools can be told to take it from requirements files, which are followed as if they were included. Where Poetry's tables or a
//! `setup.cfg` have it, it is read there. Anything else only a build would tell, and nothing is run: the manifest is partial then,
//! unless a lockfile holds for it.

use std::path::Path;

use toml_edit::TableLike;

use super::find::Found;
use super::join::{folder, inside};
use super::kind::Kind;
use super::manifest::Manifest;
use super::reading::{Include, Reading, quote};
use super::walk::{Options, read_file};

/// What may be dynamic, and which table of Poetry's has it then.
const FIELDS: [(&str, &str); 2] = [("dependencies", "dependencies"), ("optional-dependencies", "extras")];

/// Notes where what is dynamic comes from, or that nothing says so.
pub(super) fn note(manifest: &Manifest, reading: &mut Reading) {
    let Some(list) = manifest.table(&["project"]).and_then(|project| project.get("dynamic")) else { return };
    for (field, of_poetry) in FIELDS {
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
        let poetry = manifest.table(&["tool", "poetry"]).is_some_and(|poetry| poetry.contains_key(of_poetry));
        if !is_told && !poetry {
            reading.links.dynamic.get_or_insert(line);
        }
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

/// Forgets what a `setup.cfg` beside the manifest says: it is an input of its own.
pub(super) fn settle(root: &Path, readings: &mut [(Found, Reading)], options: &Options) {
    let asks = |found: &Found, reading: &Reading| found.kind == Kind::PyProject && reading.links.dynamic.is_some();
    let Ok(real_root) = root.canonicalize() else { return };
    for (found, reading) in readings.iter_mut().filter(|(found, reading)| asks(found, reading)) {
        let file = root.join(inside(folder(&found.path), "setup.cfg"));
        if file.canonicalize().is_ok_and(|real| real.starts_with(&real_root)) {
            let said = read_file(&file, Kind::SetupCfg, options);
            if !said.links.declared.is_empty() || !said.not_judged.is_empty() {
                reading.links.dynamic = None;
            }
        }
    }
}

/// Says what is not known of a manifest for which no lockfile holds.
pub(super) fn close(reading: &mut Reading) {
    if let Some(line) = reading.links.dynamic.take() {
        let message = "what is dynamic, whatever builds the project says (setup.py, or its backend), and nothing is run here: a lockfile \
                       would list it";
        reading.problem(line, message);
    }
    for Include { path, line, .. } in std::mem::take(&mut reading.links.includes) {
        let message =
            format!("what {} asks for is not read: the lockfiles at or above are of other projects", quote(&path));
        reading.problem(line, message);
    }
}
