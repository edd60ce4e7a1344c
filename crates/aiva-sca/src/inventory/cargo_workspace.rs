//! What the members of a Cargo workspace take from it: name, requirement and line are those of `[workspace.dependencies]`.
//!
//! The workspace is described by the manifest beside the lockfile. What it does not offer stays as the member has it.

use std::collections::HashMap;

use super::beside::Manifest;
use super::reading::{Offered, Stands};

/// Puts into each entry that says `workspace = true` what the workspace says.
pub(super) fn hand_down(manifests: &mut [Manifest<'_>]) {
    let top = manifests.iter().find(|manifest| manifest.folder.is_empty() && !manifest.offered.is_empty());
    let Some((path, offered)) = top.map(|top| (top.path, top.offered)) else { return };
    let offered: HashMap<&str, &Offered> = offered.iter().map(|one| (&*one.key, one)).collect();
    for one in manifests.iter_mut().flat_map(|manifest| manifest.declared.to_mut()) {
        let Some(found) = offered.get(&*one.name).filter(|_| one.stands == Stands::Workspace) else { continue };
        one.name = found.name.as_str().into();
        one.requirement = found.requirement.clone().unwrap_or_default().into();
        (one.stands, one.line) = (Stands::In(path.into()), found.line);
    }
}
