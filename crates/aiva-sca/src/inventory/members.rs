//! The members of a workspace of npm's, pnpm's, yarn's or bun's, in whose `package.json` nobody reads the overrides: all four go by
//! those of the workspace's own folder. What such a file asks for is therefore judged as it stands. Their names are noted where the
//! lockfile has none.

use std::borrow::Cow;
use std::collections::HashSet;

use smol_str::SmolStr;

use super::find::Found;
use super::globs::Globs;
use super::join::{above, below, folder, inside};
use super::kind::Kind;
use super::package_json;
use super::reading::Reading;
use super::workspaces::{Known, Texts};
use super::yaml::{self, Visit};
use crate::package::{Ecosystem, Source};

/// Whether a folder is a member by what a folder further up says.
pub(super) fn is_member(own: &str, known: &Known<Globs>, texts: Texts<'_>) -> bool {
    above(own).skip(1).any(|at| known.of(at, || globs(at, texts)).matches(below(at, own)))
}

/// Notes the names of members that their lockfile does not list, as npm's does: they may be those of public packages. pnpm's and yarn
/// classic's know the folders only.
pub(super) fn note(readings: &mut [(Found, Reading)], lock: usize, manifests: &[usize]) {
    let Some((found, lock)) = readings.get(lock).filter(|(found, _)| found.kind.locks() == Some(Kind::PackageJson))
    else {
        return;
    };
    let top = folder(&found.path).to_owned();
    let own = lock.packages.iter().filter(|package| matches!(package.source, Source::Path(_)));
    let listed: HashSet<SmolStr> = own.map(|package| package.name.clone()).collect();
    for manifest in manifests {
        let Some((found, reading)) = readings.get_mut(*manifest) else { continue };
        let at = folder(&found.path);
        let name = reading.links.name.clone().filter(|name| at != top && !listed.contains(name.as_str()));
        if let (Kind::PackageJson, Some(name)) = (found.kind, name) {
            reading.outside(Ecosystem::Npm, &name, Source::Path(below(&top, at).to_owned()), 1);
        }
    }
}

/// The folders that a folder's manifests call members of its workspace, as patterns.
fn globs(at: &str, texts: Texts<'_>) -> Globs {
    let mut all = texts(&inside(at, "package.json")).map(|text| package_json::members_of(&text)).unwrap_or_default();
    if let Some(text) = texts(&inside(at, "pnpm-workspace.yaml")) {
        all.extend(of_pnpm(&text));
    }
    Globs::new(&all)
}

/// The folders that a `pnpm-workspace.yaml` calls members, as patterns.
pub(super) fn of_pnpm(text: &str) -> Vec<String> {
    yaml::tell(text, Packages::default).0.0
}

/// `packages` of a `pnpm-workspace.yaml`.
#[derive(Default)]
struct Packages(Vec<String>);

impl<'a> Visit<'a> for Packages {
    fn key(&mut self, _: yaml::Path<'_, 'a>, _: u32) {}

    fn scalar(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, _: u32) {
        if let [section, item] = path
            && section == "packages"
            && item == yaml::ITEM
        {
            self.0.push(value.into_owned());
        }
    }

    fn alias(&mut self, _: yaml::Path<'_, 'a>, _: Option<&yaml::Anchored<'a>>, _: u32) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::globs::BUILT;
    use super::super::kind::Kind;
    use super::super::workspaces::{Tell, Workspaces};

    #[test]
    fn the_patterns_of_a_folder_are_put_together_once_for_all_its_members() {
        let text = |path: &str| (path == "package.json").then(|| r#"{"workspaces": ["p/*"]}"#.to_owned());
        let (before, workspaces) = (BUILT.get(), Workspaces::default());
        for path in (0..20).map(|at| format!("p/{at}/package.json")) {
            assert!(workspaces.tell(Kind::PackageJson, &path, &text).is_member());
        }
        // Those of `p`, each member's own folder not being asked, and those of the root.
        assert_eq!(BUILT.get() - before, 2);
    }
}
