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
    /// Whether a folder below the root is hidden, or one above it.
    hidden: HashMap<PathBuf, bool>,
    /// Whether a repository holds the root, once that was asked.
    is_held: Option<bool>,
}

struct Level {
    rules: Gitignore,
    exclude: Gitignore,
    is_repository: bool,
}

impl Rules {
    /// Rules for files below this folder, which must be absolute for rules above it to count.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), levels: HashMap::new(), hidden: HashMap::new(), is_held: None }
    }

    /// Whether the file at this path, relative to the root, or a folder above it is ignored.
    pub(crate) fn hide(&mut self, file: &Path) -> bool {
        let path = self.root.join(file);
        file.parent().is_some_and(|folder| self.hides_folder(folder)) || self.ignores(&path, false)
    }

    /// The same of a folder, in which there may be many files.
    fn hides_folder(&mut self, folder: &Path) -> bool {
        let Some(above) = folder.parent() else { return false }; // the root
        if let Some(known) = self.hidden.get(folder) {
            return *known;
        }
        let is_hidden = self.hides_folder(above) || {
            let path = self.root.join(folder);
            self.ignores(&path, true)
        };
        self.hidden.insert(folder.to_owned(), is_hidden);
        is_hidden
    }

    fn ignores(&mut self, path: &Path, is_folder: bool) -> bool {
        for folder in path.ancestors().skip(1) {
            let level = self.level(folder);
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
        if let Some(known) = self.is_held {
            return known;
        }
        let root = self.root.clone();
        let is_held = root.ancestors().any(|folder| self.level(folder).is_repository);
        *self.is_held.insert(is_held)
    }

    fn level(&mut self, folder: &Path) -> Rc<Level> {
        if let Some(level) = self.levels.get(folder) {
            return Rc::clone(level);
        }
        let is_repository = folder.join(".git").exists();
        let exclude = if is_repository { load(folder, ".git/info/exclude") } else { Gitignore::empty() };
        let level = Rc::new(Level { rules: load(folder, ".gitignore"), exclude, is_repository });
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
