//! The members of a workspace of uv's, in whose `pyproject.toml` uv does not read some lists of `[tool.uv]`: it goes by those of the
//! workspace's own folder.
//!
//! What such a file asks for is therefore forced and narrowed by the workspace's lists ([`super::uv_lists`]), not by its own.

use std::sync::Arc;

use super::globs::Globs;
use super::join::{above, below, inside};
use super::manifest::Manifest;
use super::uv_lists::Lists;
use super::workspaces::{Known, Texts};

/// What the folder of a workspace says of its members.
#[derive(Debug)]
pub(crate) struct Workspace {
    members: Globs,
    excluded: Globs,
    /// What its lists say to them.
    pub(crate) lists: Lists,
}

/// The workspace of which a folder without one is a member: the nearest decides.
pub(super) fn of(own: &str, known: &Known<Option<Arc<Workspace>>>, texts: Texts<'_>) -> Option<Arc<Workspace>> {
    let find = |at: &str| {
        let path = inside(at, "pyproject.toml");
        workspace(&texts(&path)?, &path).map(Arc::new)
    };
    let (at, workspace) = above(own).skip(1).find_map(|at| Some((at, known.of(at, || find(at)).as_ref().clone()?)))?;
    let path = below(at, own);
    (workspace.members.matches(path) && !workspace.excluded.matches(path)).then_some(workspace)
}

/// Where a manifest says that its folder is that of a workspace.
pub(super) const TABLE: [&str; 3] = ["tool", "uv", "workspace"];

fn workspace(text: &str, path: &str) -> Option<Workspace> {
    // Most have none.
    memchr::memmem::find(text.as_bytes(), b"workspace")?;
    let manifest = Manifest::parse(text).ok()?;
    let table = manifest.table(&TABLE)?;
    let globs = |key| {
        let all: Vec<&str> =
            table.get(key).into_iter().flat_map(|item| manifest.strings(item)).map(|one| one.0).collect();
        Globs::new(&all)
    };
    Some(Workspace { members: globs("members"), excluded: globs("exclude"), lists: Lists::of(&manifest, path) })
}
