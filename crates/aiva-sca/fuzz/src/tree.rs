//! Walks a small folder that the bytes describe: what files say about each other, and patterns of what to leave out.
//!
//! `=== name` begins a file; what stands before the first is one exclude pattern a line.

use std::fs;
use std::path::{Component, Path};

use aiva_sca::inventory::{self, Options};
use aiva_sca::package::Status;

const MOST_FILES: usize = 12;

pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut parts = text.split("=== ");
    let exclude = parts.next().unwrap_or_default().lines().map(str::to_owned).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let written = parts.take(MOST_FILES).filter(|part| write(folder.path(), part)).count();
    let options = Options { exclude, threads: 1, ..Options::default() };
    let Ok(inventory) = inventory::walk(folder.path(), &options, &|_| {}) else { return };
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
