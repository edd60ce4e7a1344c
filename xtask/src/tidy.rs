//! Holds the architecture: DESIGN's "walls before code", as a check that runs with the tests.
//!
//! Each rule is a function from the tree to a list of complaints; a complaint says where, what and what to do instead.
//! Start reading at [`complaints`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::process;

mod contracts;
mod graph;
mod sources;

/// Prints every complaint; an error when there is one.
pub(crate) fn run() -> Result<()> {
    let found = complaints(&process::root())?;
    for complaint in &found {
        process::say(complaint);
    }
    if !found.is_empty() {
        bail!("{} places are not tidy", found.len());
    }
    process::say("tidy: the walls hold");
    Ok(())
}

/// Everything in the tree that breaks a rule, in a stable order.
pub(crate) fn complaints(root: &Path) -> Result<Vec<String>> {
    let sources = rust_sources(root)?;
    let mut found = BTreeSet::new();
    found.extend(graph::complaints(root)?);
    found.extend(sources::complaints(root, &sources)?);
    found.extend(contracts::complaints(root, &sources)?);
    Ok(found.into_iter().collect())
}

/// One Rust file of the repository.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// Its whole text.
    pub(crate) text: String,
}

impl Source {
    /// The crate's folder name, where the file belongs to one: `aiva-sca`.
    pub(crate) fn package(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// The path below the crate's `src`: `store/sqlite.rs`; `None` for tests and benches.
    pub(crate) fn module(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split_once("/src/").map(|(_, module)| module)
    }

    /// The lines that ship: everything before the file's unit tests.
    pub(crate) fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("\n#[cfg(test)]\nmod ").unwrap_or(self.text.len());
        self.text[..end].lines().enumerate().map(|(i, line)| (i + 1, line))
    }
}

/// Every Rust file that git knows or would know.
fn rust_sources(root: &Path) -> Result<Vec<Source>> {
    let listed = process::output("git", &["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.rs"])?;
    let paths: BTreeSet<&str> = listed.lines().collect();
    let mut sources = Vec::new();
    for path in paths {
        let full: PathBuf = root.join(path);
        if full.is_file() {
            sources.push(Source { path: path.to_owned(), text: std::fs::read_to_string(full)? });
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        let found = super::complaints(&crate::process::root()).expect("the tree can be read");
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}
