//! Workspaces: what the folders of a tree say of their members, found out once for all groups of files that ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::globs::Globs;
use super::uv_members::Workspace;

/// Whether a manifest is that of a member of a workspace, some of whose tables its tool passes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It stands alone, or is the workspace's own.
    Own,
    Member,
}

/// Of each folder, by its path below the root.
#[derive(Debug, Default)]
pub(super) struct Workspaces {
    /// The members by `package.json` and `pnpm-workspace.yaml`.
    pub(super) node: Known<Globs>,
    /// Those by `[tool.uv.workspace]`.
    pub(super) uv: Known<Option<Workspace>>,
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
