//! What the overrides of a `pnpm-workspace.yaml` leave out (`"qs": "-"`): nobody in its workspace gets it, whoever asks for it.
//!
//! What its own folder's `package.json` and those of its members ask for by such a name is listed and not judged. A `package.json` in
//! another folder below is no part of the workspace, and stands as it is.

use std::collections::HashSet;
use std::path::Path;

use super::find::Found;
use super::globs::Globs;
use super::join::{above, below, folder, inside};
use super::kind::Kind;
use super::reading::Reading;
use super::walk::{Options, text_within};
use super::workspaces::{Known, Role};
use super::{members, overrides, package_json};

/// The file.
const FILE: &str = "pnpm-workspace.yaml";

/// What such a file says.
#[derive(Debug)]
pub(super) struct LeftOut {
    names: HashSet<String>,
    members: Globs,
}

impl LeftOut {
    fn of(text: &str) -> Self {
        let all = overrides::of_text(Kind::PnpmWorkspace, text, &|| Role::Own);
        let names: HashSet<String> = overrides::left_out(&all).map(str::to_owned).collect();
        // Who is a member is of no use where nothing is left out.
        let members = if names.is_empty() { Vec::new() } else { members::of_pnpm(text) };
        Self { names, members: Globs::new(&members) }
    }
}

/// Reads every `package.json` again that asks for what is left out. `files` are those of the tree, by path.
pub(super) fn settle(
    root: &Path,
    readings: &mut [(Found, Reading)],
    options: &Options,
    (files, known): (&[Found], &Known<Option<LeftOut>>),
) {
    let mut real_root = None;
    for (found, reading) in readings.iter_mut().filter(|(found, _)| found.kind == Kind::PackageJson) {
        let own = folder(&found.path);
        let is_there = |at: &&str| files.binary_search_by(|file| file.path.as_str().cmp(&inside(at, FILE))).is_ok();
        // pnpm looks no further than the nearest.
        let Some(at) = above(own).find(is_there).filter(|_| !reading.links.declared.is_empty()) else { continue };
        let Some(real_root) = real_root.get_or_insert_with(|| root.canonicalize().ok()) else { return };
        let read = || text_within(real_root, &root.join(inside(at, FILE)), options).map(|text| LeftOut::of(&text));
        let known = known.of(at, read);
        let Some(LeftOut { names, members }) = &*known else { continue };
        let is_asked = || reading.links.declared.iter().any(|one| names.contains(one.name.as_str()));
        let role = if at == own { Role::Own } else { Role::Member };
        if names.is_empty() || !is_asked() || role == Role::Member && !members.matches(below(at, own)) {
            continue;
        }
        if let Some(text) = text_within(real_root, &found.file, options) {
            *reading = package_json::read_without(&text, &|| role, names);
        }
    }
}
