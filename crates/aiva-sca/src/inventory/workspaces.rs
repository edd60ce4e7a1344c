//! Workspaces: what a manifest is told of those that it may be in, and cannot know itself.
//!
//! A reader asks while it reads, and only for what makes a difference. What the folders of a tree say is found out once for all files
//! that ask, and only if one does.
//!
//! Start reading at [`Tell`].

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use super::find::Found;
use super::globs::Globs;
use super::join::folder;
use super::kind::Kind;
use super::npmrc::{self, Registries};
use super::{members, pnpm_overrides, uv_members};

/// Tells a reader of the workspace of what it reads. What stands alone is told nothing.
pub(crate) trait Tell: Debug {
    /// Of a `package.json`: whether it is a member's, whose overrides no tool reads.
    fn is_member(&self) -> bool {
        false
    }
    /// Of a `package.json` and a `pnpm-workspace.yaml`: by which overrides pnpm goes in its workspace.
    fn pnpm(&self) -> Option<Arc<pnpm_overrides::Workspace>> {
        None
    }
    /// Of a `package.json`: from which registries npm takes what it asks for.
    fn registries(&self) -> Registries {
        Registries::default()
    }
    /// Of a `pyproject.toml` that has no workspace itself: the one of uv's that it is a member of.
    fn uv(&self) -> Option<Arc<uv_members::Workspace>> {
        None
    }
}

/// A file that is in no workspace.
#[derive(Debug)]
pub(crate) struct Alone;

impl Tell for Alone {}

/// All that there is to tell of one file, found out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    is_member: bool,
    registries: Registries,
    pnpm: Option<Arc<pnpm_overrides::Workspace>>,
    uv: Option<Arc<uv_members::Workspace>>,
}

impl Tell for Told {
    fn is_member(&self) -> bool {
        self.is_member
    }

    fn registries(&self) -> Registries {
        self.registries.clone()
    }

    fn pnpm(&self) -> Option<Arc<pnpm_overrides::Workspace>> {
        self.pnpm.clone()
    }

    fn uv(&self) -> Option<Arc<uv_members::Workspace>> {
        self.uv.clone()
    }
}

/// The text of a file by its path below the root.
pub(crate) type Texts<'t> = &'t dyn Fn(&str) -> Option<String>;

/// Of each folder, by its path below the root.
#[derive(Debug, Default)]
pub(crate) struct Workspaces {
    /// The members by `package.json` and `pnpm-workspace.yaml`.
    node: Known<Globs>,
    /// The registries that `.npmrc` names.
    npmrc: Known<Registries>,
    /// Which overrides pnpm goes by.
    pnpm: Known<Option<Arc<pnpm_overrides::Workspace>>>,
    /// The folders with a `pnpm-workspace.yaml`, sorted; `None` where they are looked for.
    of_pnpm: Option<Vec<String>>,
    /// The workspaces by `[tool.uv.workspace]`.
    uv: Known<Option<Arc<uv_members::Workspace>>>,
}

impl Workspaces {
    /// Those of a tree with these files.
    pub(crate) fn among(files: &[Found]) -> Self {
        let all = files.iter().filter(|found| found.kind == Kind::PnpmWorkspace);
        let mut all: Vec<String> = all.map(|found| folder(&found.path).to_owned()).collect();
        all.sort_unstable();
        Self { of_pnpm: Some(all), ..Self::default() }
    }

    /// What there is to tell of a manifest, by its path below the root. Nothing outside of that is asked.
    pub(crate) fn tell<'t>(&'t self, kind: Kind, path: &'t str, texts: Texts<'t>) -> Place<'t> {
        Place { workspaces: self, kind, own: folder(path), texts }
    }
}

/// A manifest at its place in a tree.
#[derive(Clone, Copy)]
pub(crate) struct Place<'t> {
    workspaces: &'t Workspaces,
    kind: Kind,
    own: &'t str,
    texts: Texts<'t>,
}

impl Debug for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("kind", &self.kind).field("own", &self.own).finish_non_exhaustive()
    }
}

impl Place<'_> {
    /// All of it.
    pub(crate) fn told(&self) -> Told {
        Told { is_member: self.is_member(), registries: self.registries(), pnpm: self.pnpm(), uv: self.uv() }
    }
}

impl Tell for Place<'_> {
    fn is_member(&self) -> bool {
        self.kind == Kind::PackageJson && members::is_member(self.own, &self.workspaces.node, self.texts)
    }

    fn registries(&self) -> Registries {
        match self.kind {
            Kind::PackageJson => npmrc::of(self.own, &self.workspaces.npmrc, self.texts),
            _ => Registries::default(),
        }
    }

    fn pnpm(&self) -> Option<Arc<pnpm_overrides::Workspace>> {
        let Workspaces { pnpm, of_pnpm, .. } = self.workspaces;
        let is_there =
            |at: &str| of_pnpm.as_ref().is_none_or(|all| all.binary_search_by(|one| (**one).cmp(at)).is_ok());
        match self.kind {
            Kind::PackageJson | Kind::PnpmWorkspace => pnpm_overrides::of(self.own, &is_there, pnpm, self.texts),
            _ => None,
        }
    }

    fn uv(&self) -> Option<Arc<uv_members::Workspace>> {
        let is_asked = self.kind == Kind::PyProject && !self.own.is_empty();
        is_asked.then(|| uv_members::of(self.own, &self.workspaces.uv, self.texts)).flatten()
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
