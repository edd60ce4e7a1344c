//! An entry of `packages` in a `pnpm-lock.yaml`, and the package that its key and its lines make.

use std::borrow::Cow;

use super::address::without_secret;
use super::npm_source::{self, split_name};
use super::signs::Archive;
use crate::package::{Ecosystem, Licenses, Package, Scope, Source};

/// An entry as it is written.
#[derive(Default)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) line: u32,
    pub(super) document: u32,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) version: Option<Cow<'a, str>>,
    pub(super) tarball: Option<Cow<'a, str>>,
    pub(super) integrity: Option<Cow<'a, str>>,
    pub(super) deprecated: Option<Cow<'a, str>>,
    pub(super) has_script: bool,
    pub(super) repository: Option<Cow<'a, str>>,
    pub(super) commit: Option<Cow<'a, str>>,
    pub(super) folder: Option<Cow<'a, str>>,
    pub(super) has_resolution: bool,
    pub(super) dev: bool,
    pub(super) optional: bool,
}

impl Entry<'_> {
    /// The package that it is of; `asked` is the name under which it is asked for.
    pub(super) fn package(&self, format: u32, asked: Option<&str>) -> Option<Package> {
        let (name, version, source) = match (asked, &self.commit) {
            (Some(asked), Some(commit)) if self.is_nameless(format) => (asked, commit.as_ref(), Source::Registry),
            _ => self.identity(format)?,
        };
        let name = self.name.as_deref().unwrap_or(name);
        let version = self.version.as_deref().unwrap_or(version);
        let source = match (&self.folder, &self.repository, &self.tarball) {
            (Some(folder), ..) => Source::Path(folder.clone().into_owned()),
            (_, Some(repository), _) => {
                let at = self.commit.as_ref().map(|commit| format!("#{commit}")).unwrap_or_default();
                Source::Git(without_secret(repository).into_owned() + &at)
            }
            (.., Some(tarball)) => npm_source::source(tarball),
            _ => source,
        };
        Some(Package {
            ecosystem: Ecosystem::Npm,
            name: name.into(),
            version: version.into(),
            line: self.line,
            direct: None,
            scope: Scope::Runtime,
            source,
            licenses: Licenses::default(),
            origin: None,
        })
    }

    /// Whether only those who ask for it have a name for it: pnpm 7 writes none of a repository on the same machine.
    pub(super) fn is_nameless(&self, format: u32) -> bool {
        format < 9 && self.repository.is_some() && self.name.is_none()
    }

    pub(super) fn archive(&self) -> Archive<'_> {
        Archive {
            resolved: self.tarball.as_deref(),
            integrity: self.integrity.as_deref(),
            is_bundled: false,
            has_script: self.has_script,
            deprecated: self.deprecated.as_deref(),
        }
    }

    fn identity(&self, format: u32) -> Option<(&str, &str, Source)> {
        let key = without_peers(&self.key);
        let (registry, path) = match key.strip_prefix('/') {
            Some(path) => (Source::Registry, path),
            None if format < 9 => prefixed(key),
            None => (Source::Registry, key),
        };
        // pnpm 8 writes no version of a folder.
        if let (Some(name), true) = (&self.name, format < 9 && path.starts_with("file:")) {
            return Some((name, self.version.as_deref().unwrap_or(path), registry));
        }
        let (name, version) = if format < 6 && matches!(registry, Source::Registry | Source::PrivateRegistry(_)) {
            let (name, version) = path.rsplit_once('/')?;
            (name, version.split_once('_').map_or(version, |(version, _)| version))
        } else {
            split_name(path).or_else(|| Some((self.name.as_deref()?, self.version.as_deref()?)))?
        };
        let address = version.contains(':') || version.contains('/');
        let source = if address { npm_source::source(version) } else { registry };
        (!name.is_empty() && !version.is_empty()).then_some((name, version, source))
    }
}

/// Before format 9 a key without a leading `/` begins with a host or a scheme.
fn prefixed(key: &str) -> (Source, &str) {
    if key.contains(':') {
        return (npm_source::source(key), key);
    }
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    match host {
        "github.com" | "gitlab.com" | "bitbucket.org" | "codeload.github.com" => (Source::Git(key.to_owned()), key),
        "registry.npmjs.org" => (Source::Registry, path),
        host if host.contains('.') && !host.starts_with('@') => {
            (Source::PrivateRegistry(format!("https://{host}")), path)
        }
        _ => (Source::Registry, key),
    }
}

/// A key without the peers behind it.
pub(super) fn without_peers(key: &str) -> &str {
    memchr::memchr(b'(', key.as_bytes()).and_then(|at| key.get(..at)).unwrap_or(key)
}
