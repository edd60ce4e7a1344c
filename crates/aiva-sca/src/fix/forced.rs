//! What a manifest says over everybody's head, and so holds a package where it is: overrides, and uv's constraints.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::ask::Move;
use super::edit::holds;
use crate::inventory::{Kind, Override, Reach, Tell, UvWorkspace, overrides_of, uv_workspace_of, without_secret};
use crate::package::Ecosystem;
use crate::scan::range_of;
use crate::version::{Requirement, Version};

/// What a manifest forces over everybody's head, read once for all packages.
#[derive(Debug)]
pub(super) struct Forced {
    ecosystem: Ecosystem,
    by_name: HashMap<String, Vec<Override>>,
    /// The workspace of uv's whose lists hold for what this manifest asks for.
    above: Option<Arc<UvWorkspace>>,
}

impl Forced {
    pub(super) fn read(kind: Kind, manifest: &str, tell: &dyn Tell) -> Self {
        #[cfg(test)]
        super::edit::READS.set(super::edit::READS.get() + 1);
        // Most have none.
        let may_have = ["override", "resolutions", "constraint"].iter().any(|word| manifest.contains(word));
        let ecosystem = if kind == Kind::PyProject { Ecosystem::PyPi } else { Ecosystem::Npm };
        let above = uv_workspace_of(manifest, tell);
        let mut forced = Self { ecosystem, by_name: HashMap::new(), above };
        for one in if may_have && has_overrides(kind) { overrides_of(kind, manifest, tell) } else { Vec::new() } {
            // pnpm leaves out what is to be `-`.
            if one.requirement != "-" {
                forced.by_name.entry(one.name.clone()).or_default().push(one);
            }
        }
        forced
    }

    /// What is said of a package and shuts a version out of what is to move there.
    pub(super) fn overridden(&self, whom: Whom, name: &str, to: &str) -> Option<String> {
        let own = format!("${name}");
        let mut all = self.all(name).filter(|one| whom.is_held(one));
        // What refers to the entry of the same name moves with it.
        Some(self.held(all.find(|one| one.requirement != own && !self.allows(one, to))?, to))
    }

    /// The constraint that shuts a version out of what is to move there, which nothing moves.
    pub(super) fn constrained(&self, whom: Whom, name: &str, to: &str) -> Option<String> {
        let mut all = self.all(name).filter(|one| one.is_constraint() && whom.is_held(one));
        Some(self.held(all.find(|one| !self.allows(one, to))?, to))
    }

    /// What is said of an override that is in the way of a version.
    fn held(&self, by: &Override, to: &str) -> String {
        let Override { name, requirement, .. } = by;
        let table = called(by);
        let (shown, range) = (without_secret(requirement), Requirement::parse(self.ecosystem, range_of(requirement)));
        // Nobody is told to go down.
        let is_above =
            range.zip(Version::parse(self.ecosystem, to)).is_some_and(|(range, to)| range.floor() > to.key());
        match is_above {
            true => format!("{table} hold {name} at {shown}, above {to}; say the same in all places by hand"),
            false => format!("{table} hold {name} at {shown}; move that to {to} by hand"),
        }
    }

    /// The override that has a version in store for some of those who ask for the package only, which nothing moves.
    pub(super) fn scoped(&self, name: &str, step: &Move) -> Option<String> {
        let is_meant = |one: &Override| {
            let said = [one.requirement.as_str(), range_of(&one.requirement)];
            one.reach == Reach::Some && (said.contains(&step.from.as_str()) || self.allows(one, &step.from))
        };
        let mut all = self.all(name).filter(|one| is_meant(one));
        let by = all.find(|one| !self.allows(one, &step.to))?;
        let (to, requirement, table) = (&step.to, without_secret(&by.requirement), called(by));
        Some(format!("{table} hold {name} at {requirement}, an override for some versions; move it to {to} by hand"))
    }

    /// Whether the version to move to is forced upon everybody, so that nothing keeps the old one.
    pub(super) fn forces(&self, lock: Kind, name: &str, step: &Move) -> bool {
        let is_sure =
            |one: &Override| one.reach == Reach::All && self.allows(one, &step.to) && !self.allows(one, &step.from);
        self.all(name).any(|one| is_read_by(lock, one.table) && is_sure(one))
    }

    /// What is written of a range that a list narrows, and the list; `None` where it is written as it is.
    pub(super) fn written(&self, name: &str, range: &str) -> Option<(String, String)> {
        let narrows = |reach: Reach| {
            let all = self.all(name).filter(|one| one.is_constraint() && one.reach == reach);
            all.map(|one| one.requirement.as_str()).collect::<Vec<_>>().join(",")
        };
        let mut lists = [Reach::All, Reach::Build].map(narrows).into_iter().filter(|list| !list.is_empty());
        lists.find_map(|list| Some((range.strip_suffix(&list)?.trim_end_matches(',').to_owned(), list)))
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &Override> {
        let above = self.above.iter().flat_map(|workspace| workspace.lists.held(name));
        self.by_name.get(name).into_iter().flatten().chain(above)
    }

    fn allows(&self, one: &Override, version: &str) -> bool {
        holds(self.ecosystem, &one.requirement, version)
    }
}

/// A table, with its file where that is another one.
fn called(by: &Override) -> Cow<'static, str> {
    by.file.as_ref().map_or(Cow::Borrowed(by.table), |file| Cow::Owned(format!("{} of {file}", by.table)))
}

/// Of what it is asked what holds it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whom {
    /// What a lockfile beside the manifest has, whose tool reads some of the tables only.
    Locked(Kind),
    /// The manifest's own entry, over which only what is said for everybody has a say.
    Runs,
    /// The same for what builds the project.
    Builds,
}

impl Whom {
    fn is_held(self, by: &Override) -> bool {
        match self {
            Self::Locked(lock) => is_read_by(lock, by.table),
            Self::Runs => by.reach == Reach::All,
            Self::Builds => matches!(by.reach, Reach::All | Reach::Build),
        }
    }
}

/// Whether manifests of this kind may force versions.
pub(super) const fn has_overrides(kind: Kind) -> bool {
    matches!(kind, Kind::PackageJson | Kind::PnpmWorkspace | Kind::PyProject)
}

/// Whether the tool that writes a lockfile goes by a table.
fn is_read_by(lock: Kind, table: &str) -> bool {
    match lock {
        Kind::PackageLock | Kind::Shrinkwrap => table == "overrides",
        Kind::YarnLock => table == "resolutions",
        Kind::PnpmLock => matches!(table, "pnpm.overrides" | "pnpm's overrides" | "resolutions"),
        Kind::BunLock => matches!(table, "overrides" | "resolutions"),
        Kind::UvLock => matches!(table, "override-dependencies" | "constraint-dependencies"),
        Kind::PdmLock => table == "resolution.overrides",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Alone;

    #[test]
    fn an_override_keeps_every_copy() {
        let said = |text: &str| {
            let lock = if text.contains("pnpm") { Kind::PnpmLock } else { Kind::BunLock };
            Forced::read(Kind::PackageJson, text, &Alone)
                .overridden(Whom::Locked(lock), "a", "1.2.6")
                .unwrap_or_default()
        };
        for (text, want) in [
            (r#"{"overrides": {"a": "1.0.0"}}"#, "overrides hold a at 1.0.0; move that to 1.2.6 by hand"),
            (r#"{"overrides": {"x": {"a": "1.0.0"}}}"#, "overrides hold a at 1.0.0; move that to 1.2.6 by hand"),
            (r#"{"overrides": {"a": {".": "1.0.0"}}}"#, "overrides hold a at 1.0.0; move that to 1.2.6 by hand"),
            (r#"{"resolutions": {"**/a": "1.0.0"}}"#, "resolutions hold a at 1.0.0; move that to 1.2.6 by hand"),
            (
                r#"{"overrides": {"a": "^2.0.0"}}"#,
                "overrides hold a at ^2.0.0, above 1.2.6; say the same in all places by hand",
            ),
            (
                r#"{"pnpm": {"overrides": {"x>a@1": "1.0.0"}}}"#,
                "pnpm.overrides hold a at 1.0.0; move that to 1.2.6 by hand",
            ),
            (
                r#"{"overrides": {"x": {"a": "git+https://u:SECRET@h.example/a.git"}}}"#,
                "overrides hold a at git+https://h.example/a.git; move that to 1.2.6 by hand",
            ),
            (r#"{"overrides": {"a": "^1.0.0"}}"#, ""),
            (r#"{"pnpm": {"overrides": {"a": "-"}}}"#, ""),
            (r#"{"packageManager": "pnpm@11.0.0", "pnpm": {"overrides": {"a": "1.0.0"}}}"#, ""), // It reads none here.
            (r#"{"overrides": {"a": "$a"}}"#, ""),
            (r#"{"overrides": {"a": "$b"}}"#, "overrides hold a at $b; move that to 1.2.6 by hand"),
            (r#"{"overrides": {"a@1": "1.0.0"}}"#, "overrides hold a at 1.0.0; move that to 1.2.6 by hand"),
            (r#"{"resolutions": {"@types/a": "1.0.0"}}"#, ""),
            (r#"{"dependencies": {"a": "1.0.0"}}"#, ""),
        ] {
            assert_eq!(said(text), want, "{text}");
        }
    }
}
