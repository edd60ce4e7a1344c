//! Walks a small folder that the bytes describe: what files say about each other, and patterns of what to leave out.
//!
//! `=== name` begins a file; what stands before the first is one exclude pattern a line.

use std::fs;
use std::path::{Component, Path};

use aiva_sca::inventory::{self, Options};
use aiva_sca::package::Status;

const MOST_FILES: usize = 12;

/// What the projects of a .NET tree take in.
pub(crate) const DOTNET: &[&str] = &[
    "src/a/a.csproj",
    "Directory.Build.targets",
    "src/Directory.Build.props",
    "Directory.Packages.props",
    "eng/Versions.props",
    "src/a/packages.lock.json",
];

/// What the members of a workspace of npm's, pnpm's, yarn's or bun's go by.
pub(crate) const NODE: &[&str] =
    &["p/a/package.json", "pnpm-workspace.yaml", "package.json", ".yarnrc.yml", "p/a/b/package.json", "yarn.lock"];

/// What the members of uv's workspace go by, and what their manifests take in.
pub(crate) const PYTHON: &[&str] = &[
    "m/a/pyproject.toml",
    "pyproject.toml",
    "m/a/setup.cfg",
    "m/a/requirements.txt",
    "m/a/requirements.in",
    "uv.lock",
];

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut parts = text.split("=== ");
    let exclude = parts.next().unwrap_or_default().lines().map(str::to_owned).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let written = parts.take(MOST_FILES).filter(|part| write(folder.path(), part)).count();
    hold(folder.path(), Options { exclude, threads: 1, ..Options::default() }, written);
}

/// The same where the files have names that mean something to each other: `===` alone on its line begins the next of them.
pub(crate) fn check_named(names: &[&str], bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in names.iter().zip(text.split("===\n")) {
        let path = folder.path().join(name);
        path.parent().and_then(|parent| fs::create_dir_all(parent).ok()).expect("a folder in a temporary one");
        fs::write(path, text).expect("a file in a temporary folder");
    }
    hold(folder.path(), Options { threads: 1, ..Options::default() }, names.len());
}

fn hold(folder: &Path, options: Options, written: usize) {
    let Ok(inventory) = inventory::walk(folder, &options, &|_| {}) else { return };
    assert!(inventory.inputs.len() <= written, "{:?}", inventory.inputs);
    assert!(inventory.inputs.is_sorted_by(|one, other| one.path < other.path), "{:?}", inventory.inputs);
    for input in &inventory.inputs {
        assert!(input.status == Status::Parsed || !input.problems.is_empty(), "{input:?}");
        assert!(input.packages.iter().all(|package| package.line > 0), "{input:?}");
    }
}

/// Whether the part names a file that could be written.
fn write(folder: &Path, part: &str) -> bool {
    let (name, text) = part.split_once('\n').unwrap_or((part, ""));
    let name = Path::new(name.trim());
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(name) if name.len() < 100);
    if name.components().count() > 4 || !name.components().all(is_plain) {
        return false;
    }
    let path = folder.join(name);
    path.parent().is_some_and(|parent| fs::create_dir_all(parent).is_ok()) && fs::write(path, text).is_ok()
}
