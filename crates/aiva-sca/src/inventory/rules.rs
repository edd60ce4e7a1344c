//! Answers whether git's ignore rules hide a file: `.gitignore` from the file up to the repository, then
//! `.git/info/exclude`.
//!
//! The rules hold without a repository too, so that a clone and an archive of it give the same answer. The user's own
//! global rules are left out for the same reason.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The rules of the folders seen so far.
pub(crate) struct Rules {
    root: PathBuf,
    levels: HashMap<PathBuf, Rc<Level>>,
}

struct Level {
    rules: Gitignore,
    exclude: Gitignore,
    is_repository: bool,
}

impl Rules {
    /// Rules for files below this folder, which must be absolute for rules above it to count.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), levels: HashMap::new() }
    }

    /// Whether the file at this path, relative to the root, or a folder above it is ignored.
    pub(crate) fn hide(&mut self, file: &Path) -> bool {
        let mut path = self.root.clone();
        let mut parts = file.components().peekable();
        while let Some(part) = parts.next() {
            path.push(part);
            if self.ignores(&path, parts.peek().is_some()) {
                return true;
            }
        }
        false
    }

    fn ignores(&mut self, path: &Path, is_folder: bool) -> bool {
        let above: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_owned).collect();
        for folder in above {
            let level = self.level(&folder);
            for rules in [&level.rules, &level.exclude] {
                match rules.matched(path, is_folder) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
            if level.is_repository || (folder == self.root && !self.in_repository()) {
                return false;
            }
        }
        false
    }

    /// Whether a repository holds the root; if not, rules above the root are none of ours.
    fn in_repository(&mut self) -> bool {
        let above: Vec<PathBuf> = self.root.ancestors().map(Path::to_owned).collect();
        above.iter().any(|folder| self.level(folder).is_repository)
    }

    fn level(&mut self, folder: &Path) -> Rc<Level> {
        if let Some(level) = self.levels.get(folder) {
            return Rc::clone(level);
        }
        let level = Rc::new(Level {
            rules: load(folder, ".gitignore"),
            exclude: load(folder, ".git/info/exclude"),
            is_repository: folder.join(".git").exists(),
        });
        self.levels.insert(folder.to_owned(), Rc::clone(&level));
        level
    }
}

/// A line that git itself could not read is no rule.
fn load(folder: &Path, name: &str) -> Gitignore {
    let file = folder.join(name);
    if !file.is_file() {
        return Gitignore::empty();
    }
    let mut builder = GitignoreBuilder::new(folder);
    let _malformed_lines = builder.add(file);
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}
