//! The folders that a workspace calls its members, as patterns that are put together once for all who ask.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Patterns of folders; of those that cannot be read no folder is one.
#[derive(Debug, Default)]
pub(super) struct Globs(Option<Gitignore>);

#[cfg(test)]
thread_local! {
    /// How often patterns were put together.
    pub(super) static BUILT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Globs {
    pub(super) fn new<S: AsRef<str>>(globs: &[S]) -> Self {
        #[cfg(test)]
        BUILT.set(BUILT.get() + 1);
        if globs.is_empty() {
            return Self::default();
        }
        let mut builder = GitignoreBuilder::new("");
        for glob in globs.iter().map(AsRef::as_ref) {
            let (not, glob) = glob.strip_prefix('!').map_or(("", glob), |glob| ("!", glob));
            let glob = glob.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
            if builder.add_line(None, &format!("{not}/{glob}")).is_err() {
                return Self::default();
            }
        }
        Self(builder.build().ok())
    }

    /// Whether a folder is one of them.
    pub(super) fn matches(&self, folder: &str) -> bool {
        self.0.as_ref().is_some_and(|rules| rules.matched(folder, true).is_ignore())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_member_by_the_last_pattern_that_means_it() {
        for (globs, folder, want) in [
            (&["p/*"][..], "p/a", true),
            (&["./p/*/"], "p/a", true),
            (&["p/*"], "p/a/b", false),
            (&["p/*"], "q/p/a", false),
            (&["p/**"], "p/a/b", true),
            (&["p/*", "!p/a"], "p/a", false),
            (&[], "a", false),
            (&["p/*", "[z-a]"], "p/a", false),
        ] {
            assert_eq!(Globs::new(globs).matches(folder), want, "{globs:?} {folder}");
        }
    }
}
