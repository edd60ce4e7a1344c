//! Overrides in the `package.json` of a member of a workspace, which nobody reads: npm, pnpm, yarn and bun go by those of the workspace's
//! own folder.
//!
//! What such a file asks for is therefore judged as it stands. Nothing outside of the scanned root is read.

use std::borrow::Cow;
use std::path::Path;

use super::find::Found;
use super::globs::Globs;
use super::join::{above, below, folder, inside};
use super::kind::Kind;
use super::package_json;
use super::reading::Reading;
use super::walk::{Options, text_within};
use super::workspaces::{Known, Role};
use super::yaml::{self, Visit};

/// Reads the members of workspaces that force something again, without that.
pub(super) fn settle(root: &Path, readings: &mut [(Found, Reading)], options: &Options, known: &Known<Globs>) {
    let forces = |found: &Found, reading: &Reading| {
        found.kind == Kind::PackageJson && !folder(&found.path).is_empty() && !reading.links.overridden.is_empty()
    };
    if !readings.iter().any(|(found, reading)| forces(found, reading)) {
        return;
    }
    let Ok(real_root) = root.canonicalize() else { return };
    for (found, reading) in readings.iter_mut().filter(|(found, reading)| forces(found, reading)) {
        let own = folder(&found.path);
        let is_member =
            above(own).skip(1).any(|at| known.of(at, || globs(root, &real_root, at, options)).matches(below(at, own)));
        if is_member && let Some(text) = text_within(&real_root, &found.file, options) {
            *reading = package_json::read_as(&text, Role::Member);
        }
    }
}

/// The folders that a folder's manifests call members of its workspace, as patterns.
fn globs(root: &Path, real_root: &Path, at: &str, options: &Options) -> Globs {
    let text = |name: &str| text_within(real_root, &root.join(inside(at, name)), options);
    let manifest = text("package.json").map(|text| package_json::read(&text).links.members);
    let mut all = manifest.unwrap_or_default();
    if let Some(text) = text("pnpm-workspace.yaml") {
        all.extend(yaml::tell(&text, Packages::default).0.0);
    }
    Globs::new(&all)
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
    use super::*;

    #[test]
    fn the_patterns_of_a_folder_are_put_together_once_for_all_its_members() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("package.json"), r#"{"workspaces": ["p/*"]}"#).unwrap();
        let member = r#"{"dependencies": {"a": "^1"}, "overrides": {"a": "1.0.0"}}"#;
        let mut readings = Vec::new();
        for path in (0..20).map(|at| format!("p/{at}/package.json")) {
            let file = folder.path().join(&path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, member).unwrap();
            readings.push((Found { path, file, kind: Kind::PackageJson }, Kind::PackageJson.read(member.as_bytes())));
        }
        let before = BUILT.get();
        // Without a lockfile each of them is a group by itself.
        let known = Known::default();
        for one in readings.chunks_mut(1) {
            settle(folder.path(), one, &Options::default(), &known);
        }
        assert!(readings.iter().all(|(_, reading)| reading.packages.is_empty() && reading.not_judged.len() == 1));
        // Those of `p`, each member's own folder not being asked, and those of the root.
        assert_eq!(BUILT.get() - before, 2);
    }
}
