//! Installed gems: `specifications/NAME-VERSION.gemspec` as RubyGems writes it, and `gems/NAME-VERSION`, in `vendor/bundle` and in
//! the homes of RubyGems. The platform of a gem follows its version.

use std::path::{Path, PathBuf};

use super::{Finder, Own, is_part, joined};
use crate::package::Package;

impl Finder<'_> {
    pub(super) fn gem(&mut self, input: &str, package: &Package) -> Option<Own> {
        let full = format!("{}-{}", package.name, package.version);
        if !is_part(&full) {
            return None;
        }
        let vendored = self.above(input).into_iter().map(|dir| dir.join("vendor/bundle"));
        let bases: Vec<PathBuf> = vendored.chain(self.caches.gems.clone()).collect();
        bases.iter().find_map(|base| self.gem_below(base, &full))
    }

    fn gem_below(&mut self, base: &Path, full: &str) -> Option<Own> {
        let homes = std::iter::once(base.to_owned()).chain(self.gem_homes(base));
        let homes: Vec<PathBuf> = homes.collect();
        homes.iter().find_map(|home| self.gem_in(home, full))
    }

    /// The homes for each Ruby; they are asked for with every gem.
    fn gem_homes(&mut self, base: &Path) -> Vec<PathBuf> {
        let below = base.join("ruby");
        self.beginning(&below, "")
    }

    fn gem_in(&mut self, home: &Path, full: &str) -> Option<Own> {
        let files = self.beginning(&home.join("specifications"), full);
        let of_gem = |file: &PathBuf| {
            let stem = file.file_name()?.to_str()?.strip_suffix(".gemspec")?;
            let is_it = stem.strip_prefix(full)?;
            (is_it.is_empty() || is_it.starts_with('-')).then(|| stem.to_owned())
        };
        files.iter().find_map(|file| {
            let stem = of_gem(file)?;
            let text = self.read(file)?;
            let folder = home.join("gems").join(stem);
            // Which of several licences holds the field does not say: then all of them do.
            let stated = joined(&licences(&text), " AND ").map(|words| (words, self.shown(file)));
            Some(Own { stated, texts: self.texts(&folder, None), notices: self.notices(&folder) })
        })
    }
}

/// The strings of `s.licenses = ["MIT".freeze, "Ruby".freeze]` or `s.license = "MIT"`.
fn licences(spec: &str) -> Vec<String> {
    let field = |line: &str| {
        let (field, value) = line.trim().split_once('=')?;
        matches!(field.trim().rsplit('.').next()?, "licenses" | "license").then(|| value.to_owned())
    };
    let value = spec.lines().find_map(field).unwrap_or_default();
    value.split('"').skip(1).step_by(2).filter(|words| !words.is_empty()).map(str::to_owned).collect()
}
