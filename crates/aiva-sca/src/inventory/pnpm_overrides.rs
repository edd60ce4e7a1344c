//! By which overrides pnpm goes in a workspace, and what they leave out (`"qs": "-"`).
//!
//! They may stand in the `package.json` of the workspace's folder and in its `pnpm-workspace.yaml`, and pnpm takes one table only: up
//! to 9 that of `package.json`; 10 too, and the other where that has none; from 11 on that of `pnpm-workspace.yaml`. Which pnpm it is
//! `packageManager` says. Where it does not both are judged, since either may be the one, and nothing is left out.
//!
//! What is left out nobody in the workspace gets, whoever asks for it: what its own `package.json` and those of its members ask for by
//! the name is listed and not judged. A `package.json` in another folder below is no part of the workspace, and stands as it is.

use std::collections::HashSet;
use std::sync::Arc;

use super::globs::Globs;
use super::join::{above, below, inside};
use super::overrides::{self, Override, Written};
use super::workspaces::{Known, Texts};
use super::{members, pnpm_workspace};

/// The file.
const FILE: &str = "pnpm-workspace.yaml";

/// The last pnpm that reads nothing but `package.json`.
const LAST_WITHOUT_FILE: u32 = 9;

/// The last pnpm that reads `package.json`.
const LAST_WITH_MANIFEST: u32 = 10;

/// What a `pnpm-workspace.yaml` and the `package.json` beside it say.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Names that are left out for sure.
    left_out: HashSet<String>,
    members: Globs,
    /// Of the overrides of `pnpm-workspace.yaml`.
    pub(super) taken: Taken,
}

/// Whether pnpm goes by a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// It does.
    Yes,
    /// By this one or another, as its version is.
    Perhaps,
    /// It does not; why.
    No(String),
}

impl Taken {
    /// Whether it may.
    pub(super) fn may_be(&self) -> bool {
        !matches!(self, Self::No(_))
    }
}

impl Workspace {
    fn of(text: &str, manifest: impl FnOnce() -> Option<String>) -> Self {
        let all = pnpm_workspace::overrides_of(text);
        // Which table it is, and who is a member, is of no use where there is nothing.
        if all.is_empty() {
            return Self { left_out: HashSet::new(), members: Globs::default(), taken: Taken::Yes };
        }
        let taken = manifest().map_or(Taken::Yes, |text| taken(&overrides::of_manifest(&text)));
        let left_out: HashSet<String> = match taken {
            Taken::Yes => overrides::left_out(&all).map(str::to_owned).collect(),
            Taken::Perhaps | Taken::No(_) => HashSet::new(),
        };
        let members = if left_out.is_empty() { Vec::new() } else { members::of_pnpm(text) };
        Self { left_out, members: Globs::new(&members), taken }
    }

    /// Whether the pnpm at hand may go by the overrides of `pnpm-workspace.yaml`.
    pub(crate) fn may_be_taken(&self) -> bool {
        self.taken.may_be()
    }

    /// Whether pnpm leaves a package out.
    pub(super) fn leaves_out(&self, name: &str) -> bool {
        self.left_out.contains(name)
    }
}

/// The workspace of the manifests in a folder. pnpm looks no further than the nearest, which has them among its members or not.
pub(super) fn of(
    own: &str,
    is_there: &dyn Fn(&str) -> bool,
    known: &Known<Option<Arc<Workspace>>>,
    texts: Texts<'_>,
) -> Option<Arc<Workspace>> {
    let find = |at: &str| {
        let text = texts(&inside(at, FILE))?;
        Some(Arc::new(Workspace::of(&text, || texts(&inside(at, "package.json")))))
    };
    let nearest = |at: &&str| is_there(at) && known.of(at, || find(at)).is_some();
    let at = above(own).find(nearest)?;
    let workspace = known.of(at, || find(at)).as_ref().clone()?;
    (at == own || workspace.members.matches(below(at, own))).then_some(workspace)
}

/// Whether the overrides of a `pnpm-workspace.yaml` are taken beside what a `package.json` says.
fn taken(manifest: &Written) -> Taken {
    let has_own = manifest.all.iter().any(is_read);
    let here = "pnpm takes the overrides of package.json";
    match manifest.pnpm {
        Some(version) if version <= LAST_WITHOUT_FILE => {
            Taken::No(format!("not taken: {here} alone up to 9, and this is {version}"))
        }
        Some(version) if version <= LAST_WITH_MANIFEST && has_own => {
            Taken::No(format!("not taken: {here} where it has any, and none of these, up to {LAST_WITH_MANIFEST}"))
        }
        None if has_own => Taken::Perhaps,
        _ => Taken::Yes,
    }
}

/// Whether it stands in a table of `package.json` that pnpm ever read.
fn is_read(one: &Override) -> bool {
    matches!(one.table, overrides::OF_MANIFEST | overrides::OF_YARN)
}

/// Whether a version of pnpm, where one is known, reads overrides in `package.json`.
pub(super) fn reads_manifest(pnpm: Option<u32>) -> bool {
    pnpm.is_none_or(|version| version <= LAST_WITH_MANIFEST)
}

/// Why pnpm of this version does not go by an override of `package.json`.
pub(super) fn passed_over(one: &Override, pnpm: Option<u32>) -> Option<String> {
    let version = pnpm.filter(|_| !reads_manifest(pnpm) && is_read(one))?;
    Some(format!("not taken: pnpm {version} reads no overrides in package.json, only in {FILE}"))
}

/// The version of pnpm, the first number of it, that a `packageManager` names.
pub(super) fn version_of(manager: &str) -> Option<u32> {
    manager.trim().strip_prefix("pnpm@")?.split('.').next()?.parse().ok()
}
