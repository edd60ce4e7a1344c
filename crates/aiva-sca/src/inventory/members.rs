//! The members of a workspace of npm's, pnpm's, yarn's or bun's, in whose `package.json` nobody reads the overrides: all four go by
//! those of the workspace's own folder. What such a file asks for is therefore judged as it stands.

use std::borrow::Cow;

use super::globs::Globs;
use super::join::{above, below, inside};
use super::package_json;
use super::workspaces::{Known, Texts};
use super::yaml::{self, Visit};

/// Whether a folder is a member by what a folder further up says.
pub(super) fn is_member(own: &str, known: &Known<Globs>, texts: Texts<'_>) -> bool {
    above(own).skip(1).any(|at| known.of(at, || globs(at, texts)).matches(below(at, own)))
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
