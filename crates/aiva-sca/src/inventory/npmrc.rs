//! `.npmrc`: the registries from which npm and its like take what a manifest asks for.
//!
//! Only the addresses of registries are read, and shown without credentials. One that takes its parts from the environment says
//! nothing. The nearest file that names one wins, as the lines of one file that come later do.

use super::address::{host, without_secret};
use super::join::{above, inside};
use super::npm_source::is_public;
use super::reading::Reading;
use super::workspaces::{Known, Texts};
use crate::package::{Ecosystem, Source};

/// What one or more of the files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Registries {
    /// The one of all that has none of its own; empty where that is the public one.
    all: Option<String>,
    /// Those of scopes (`@acme`).
    scopes: Vec<(String, String)>,
}

/// What holds in a folder.
pub(super) fn of(own: &str, known: &Known<Registries>, texts: Texts<'_>) -> Registries {
    let mut here = Registries::default();
    for at in above(own) {
        let further = known.of(at, || texts(&inside(at, ".npmrc")).map(|text| read(&text)).unwrap_or_default());
        here.all = here.all.or_else(|| further.all.clone());
        // The first of a scope is asked.
        here.scopes.extend(further.scopes.iter().cloned());
    }
    here
}

/// Reads one file.
fn read(text: &str) -> Registries {
    let mut read = Registries::default();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = unquoted(value);
        let is_address = value.starts_with("https://") || value.starts_with("http://");
        if !is_address || value.contains("${") {
            continue;
        }
        let address = if is_public(host(value)) { "" } else { value.trim_end_matches('/') };
        let address = without_secret(address).into_owned();
        match key.trim() {
            "registry" => read.all = Some(address),
            key => {
                if let Some(scope) = key.strip_suffix(":registry").filter(|scope| scope.starts_with('@')) {
                    read.scopes.push((scope.to_owned(), address));
                }
            }
        }
    }
    // The later line wins, and the first of a scope is asked.
    read.scopes.reverse();
    read
}

/// What stands behind the sign, without its quotes and without a comment.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let quoted = value.strip_prefix('"').map(|rest| (rest, '"')).or(value.strip_prefix('\'').map(|rest| (rest, '\'')));
    match quoted {
        Some((rest, quote)) => rest.split(quote).next().unwrap_or_default(),
        None => value.split([';', '#']).next().unwrap_or_default().trim_end(),
    }
}

impl Registries {
    /// The registry that a package comes from, if it is another than the public one.
    fn of(&self, name: &str) -> Option<&str> {
        let scope = name.split_once('/').map_or("", |(scope, _)| scope);
        let own = self.scopes.iter().find(|(known, _)| known == scope).map(|(_, address)| address);
        own.or(self.all.as_ref()).map(String::as_str).filter(|address| !address.is_empty())
    }

    /// Says of what a manifest asks for where it comes from.
    pub(crate) fn settle(&self, reading: &mut Reading) {
        if *self == Self::default() {
            return;
        }
        for package in &mut reading.packages {
            if package.ecosystem == Ecosystem::Npm
                && package.source == Source::Registry
                && let Some(address) = self.of(&package.name)
            {
                package.source = Source::PrivateRegistry(address.to_owned());
            }
        }
        for entry in reading.not_judged.iter_mut().filter(|entry| entry.is_range && entry.ecosystem == Ecosystem::Npm) {
            if let Some(address) = self.of(&entry.name) {
                entry.ask_of(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_line_wins_and_comments_are_none_of_it() {
        let text = "registry=https://a.example/\nregistry=\"https://npm.corp.example/x/\" ; comment\n\
                    @s:registry=https://one.example/\n@s:registry=https://two.example/ # why\n@t:registry=https://registry.npmjs.org/\n";
        let read = read(text);
        assert_eq!(read.of("lodash"), Some("https://npm.corp.example/x"));
        assert_eq!(read.of("@s/a"), Some("https://two.example"));
        assert_eq!(read.of("@t/a"), None);
    }
}
