//! What the lists of `[tool.uv]` in the folder of a workspace say to its members: uv resolves all of them together, by these.
//!
//! A constraint narrows what a member asks for, at the line that this has in the member's file. What is forced upon everybody is judged
//! where it is forced; what a member asks for by its name is listed and not judged.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::manifest::Manifest;
use super::overrides::{self, Override};
use super::pyproject;
use super::reading::Reading;
use super::uv_constraints::{self, Constraints};
use crate::package::{Ecosystem, NotJudged};

/// What the lists of one workspace say.
#[derive(Debug)]
pub(crate) struct Lists {
    /// The file that they are in.
    path: Arc<str>,
    /// Names that are forced upon everybody.
    forced: HashSet<String>,
    /// What holds a package, by its name.
    held: HashMap<String, Vec<Override>>,
    pub(super) all: Constraints,
    pub(super) build: Constraints,
}

impl Lists {
    /// Those of the manifest with this path.
    pub(super) fn of(manifest: &Manifest, path: &str) -> Self {
        let (uv, path) = (manifest.table(&["tool", "uv"]), Arc::<str>::from(path));
        let forced = pyproject::written_by_uv(manifest, uv);
        let mut held: HashMap<String, Vec<Override>> = HashMap::new();
        for one in uv_constraints::holding(manifest, uv) {
            let one = Override { file: Some(Arc::clone(&path)), ..one };
            held.entry(one.name.clone()).or_default().push(one);
        }
        let constraints = |key| Constraints::of(manifest, uv, key);
        let (all, build) = (constraints(uv_constraints::ALL), constraints(uv_constraints::BUILD));
        Self { forced: overrides::replaced(&forced).map(str::to_owned).collect(), path, held, all, build }
    }

    /// The constraints of a package.
    pub(crate) fn held(&self, name: &str) -> &[Override] {
        self.held.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Lists what is asked for and forced by the workspace. What builds a member is not read yet.
    pub(super) fn force(&self, reading: &mut Reading) {
        if self.forced.is_empty() {
            return;
        }
        let is_forced = |name: &str| self.forced.contains(name);
        reading.packages.retain(|one| !is_forced(&one.name));
        reading.not_judged.retain(|one| !is_forced(&one.name));
        let path = &self.path;
        for one in reading.links.declared.iter().filter(|one| is_forced(&one.name)) {
            let reason =
                format!("not taken: override-dependencies of {path} say which version it is, and that is judged there");
            let entry = NotJudged::new(Ecosystem::PyPi, one.name.clone(), one.requirement.clone(), one.line, reason);
            reading.not_judged.push(NotJudged { scope: one.scope, ..entry.settled() });
        }
    }
}
