//! Workspaces: which manifests are those of members, some of whose tables no tool reads.
//!
//! A reader is told once, when it reads. What the folders of a tree say of their members is found out once for all files that ask, and
//! only if one does.
//!
//! Start reading at [`Workspaces::role`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::globs::Globs;
use super::join::folder;
use super::kind::Kind;
use super::uv_members::Workspace;
use super::{members, uv_members};

/// What a manifest is to its workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It stands alone, or is the workspace's own.
    Own,
    /// That of a member, some of whose tables its tool passes over.
    Member,
}

/// Tells a reader the role of what it reads, where that makes a difference.
pub(crate) type Tell<'t> = &'t dyn Fn() -> Role;

/// The text of a file by its path below the root.
pub(crate) type Texts<'t> = &'t dyn Fn(&str) -> Option<String>;

/// Of each folder, by its path below the root.
#[derive(Debug, Default)]
pub(crate) struct Workspaces {
    /// The members by `package.json` and `pnpm-workspace.yaml`.
    node: Known<Globs>,
    /// Those by `[tool.uv.workspace]`.
    uv: Known<Option<Workspace>>,
}

impl Workspaces {
    /// The role of a manifest, by its path below the root. Nothing outside of that is asked.
    pub(crate) fn role(&self, kind: Kind, path: &str, texts: Texts<'_>) -> Role {
        let own = folder(path);
        let is_member = match kind {
            _ if own.is_empty() => false,
            Kind::PackageJson => members::is_member(own, &self.node, texts),
            Kind::PyProject => uv_members::is_member(own, &self.uv, texts),
            _ => false,
        };
        if is_member { Role::Member } else { Role::Own }
    }
}

/// What is known of folders.
#[derive(Debug)]
pub(super) struct Known<T>(Mutex<HashMap<String, Arc<T>>>);

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Known<T> {
    /// What is known of a folder; who asks first finds it out, and the others wait.
    pub(super) fn of(&self, folder: &str, find: impl FnOnce() -> T) -> Arc<T> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(folder) {
            return Arc::clone(found);
        }
        let found = Arc::new(find());
        known.insert(folder.to_owned(), Arc::clone(&found));
        found
    }
}
