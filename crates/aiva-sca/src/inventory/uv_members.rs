//! The members of a workspace of uv's, in whose `pyproject.toml` uv does not read some lists of `[tool.uv]`: it goes by those of the
//! workspace's own folder.
//!
//! What such a file asks for is therefore judged as it stands, not narrowed by the workspace's either: that is more than what may be
//! installed, never less.

use super::globs::Globs;
use super::join::{above, below, inside};
use super::manifest::Manifest;
use super::workspaces::{Known, Texts};

/// What the folder of a workspace says of its members.
#[derive(Debug)]
pub(super) struct Workspace {
    members: Globs,
    excluded: Globs,
}

/// Whether a folder is a member: the nearest workspace decides, whose own folder is nobody's.
pub(super) fn is_member(own: &str, known: &Known<Option<Workspace>>, texts: Texts<'_>) -> bool {
    let nearest = above(own).find_map(|at| {
        let workspace = known.of(at, || workspace(&texts(&inside(at, "pyproject.toml"))?));
        let workspace = workspace.as_ref().as_ref()?;
        let path = below(at, own);
        Some(at != own && workspace.members.matches(path) && !workspace.excluded.matches(path))
    });
    nearest == Some(true)
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
