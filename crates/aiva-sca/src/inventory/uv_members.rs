//! Lists of `[tool.uv]` in the `pyproject.toml` of a member of a workspace, which uv does not read: it goes by those of the workspace's
//! own folder.
//!
//! What such a file asks for is therefore judged as it stands, not narrowed by the workspace's either: that is more than what may be
//! installed, never less. Nothing outside of the scanned root is read.

use std::path::Path;

use super::find::Found;
use super::globs::Globs;
use super::join::{above, below, folder, inside};
use super::kind::Kind;
use super::manifest::Manifest;
use super::pyproject;
use super::reading::Reading;
use super::walk::{Options, text_within};
use super::workspaces::{Known, Role};

/// What the folder of a workspace says of its members.
#[derive(Debug)]
pub(super) struct Workspace {
    members: Globs,
    excluded: Globs,
}

/// Reads the members of workspaces that have such lists again, without them.
pub(super) fn settle(
    root: &Path,
    readings: &mut [(Found, Reading)],
    options: &Options,
    known: &Known<Option<Workspace>>,
) {
    let has_lists = |found: &Found, reading: &Reading| {
        found.kind == Kind::PyProject && !folder(&found.path).is_empty() && reading.links.is_for_workspace
    };
    if !readings.iter().any(|(found, reading)| has_lists(found, reading)) {
        return;
    }
    let Ok(real_root) = root.canonicalize() else { return };
    let text = |file: &Path| text_within(&real_root, file, options);
    for (found, reading) in readings.iter_mut().filter(|(found, reading)| has_lists(found, reading)) {
        let own = folder(&found.path);
        // The nearest workspace further up decides.
        let is_member = above(own).skip(1).find_map(|at| {
            let file = || text(&root.join(inside(at, "pyproject.toml")));
            let workspace = known.of(at, || workspace(&file()?));
            let workspace = workspace.as_ref().as_ref()?;
            let path = below(at, own);
            Some(workspace.members.matches(path) && !workspace.excluded.matches(path))
        });
        if is_member == Some(true)
            && let Some(text) = text(&found.file)
        {
            *reading = pyproject::read_as(&text, Role::Member);
        }
    }
}

fn workspace(text: &str) -> Option<Workspace> {
    let manifest = Manifest::parse(text).ok()?;
    let table = manifest.table(&["tool", "uv", "workspace"])?;
    let globs = |key| {
        let all: Vec<&str> =
            table.get(key).into_iter().flat_map(|item| manifest.strings(item)).map(|one| one.0).collect();
        Globs::new(&all)
    };
    Some(Workspace { members: globs("members"), excluded: globs("exclude") })
}
