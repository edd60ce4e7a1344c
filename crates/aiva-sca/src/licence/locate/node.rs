//! Packages of npm and its kin: `node_modules` of the lockfile's folder and of those above it, pnpm's store in it included.

use std::path::Path;

use super::installed::Installed;
use super::{Finder, Own, inside};
use crate::package::Package;

impl Finder<'_> {
    pub(super) fn npm(&mut self, input: &str, package: &Package) -> Option<Own> {
        let name = &package.name;
        for dir in self.above(input) {
            let modules = dir.join("node_modules");
            let direct = modules.join(name);
            if let Some(own) = self.npm_folder(&direct, package) {
                return Some(own);
            }
            let below = self.installed.entry(modules.clone()).or_insert_with(|| Installed::npm(&modules));
            let others = below.folders.get(name.as_str()).cloned().unwrap_or_default();
            if let Some(own) = others.iter().find_map(|folder| self.npm_folder(folder, package)) {
                return Some(own);
            }
        }
        self.yarn(input, package)
    }

    pub(super) fn npm_folder(&self, folder: &Path, package: &Package) -> Option<Own> {
        let manifest = folder.join("package.json");
        let words = npm_words(&self.read(&manifest)?, package)?;
        let named = words.as_deref().and_then(elsewhere).and_then(|file| inside(folder, file));
        let stated = words.map(|words| (words, self.shown(&manifest)));
        Some(Own { stated, texts: self.texts(folder, named.as_deref()), notices: self.notices(folder) })
    }
}

/// What a `package.json` states, if it is this package's; `None` inside where it states nothing.
pub(super) fn npm_words(manifest: &str, package: &Package) -> Option<Option<String>> {
    let told: serde_json::Value = serde_json::from_str(manifest).ok()?;
    let word = |key: &str| told.get(key).and_then(serde_json::Value::as_str);
    if word("name") != Some(&package.name) || word("version") != Some(&package.version) {
        return None;
    }
    let kind = |value: &serde_json::Value| match value {
        serde_json::Value::String(words) => Some(words.clone()),
        value => value.get("type").and_then(serde_json::Value::as_str).map(str::to_owned),
    };
    // Before 2015 packages wrote `licenses: [{type, url}]`, to choose from.
    let several = told.get("licenses").and_then(serde_json::Value::as_array);
    let several = several.map(|all| all.iter().filter_map(kind).collect::<Vec<_>>().join(" OR "));
    Some(told.get("license").and_then(kind).or(several.filter(|words| !words.is_empty())))
}

/// The file of `SEE LICENSE IN docs/TERMS.txt`.
pub(super) fn elsewhere(stated: &str) -> Option<&str> {
    let begin = "see license in ";
    let is_so = stated.get(..begin.len())?.eq_ignore_ascii_case(begin);
    stated.get(begin.len()..).filter(|_| is_so).map(|file| file.trim().trim_matches(['<', '>', '"']))
}
