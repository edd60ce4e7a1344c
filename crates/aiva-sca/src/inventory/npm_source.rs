//! Where an npm package comes from, as npm, yarn and pnpm write it down.

use std::borrow::Cow;

use super::address::{host, without_secret};
pub(crate) use crate::name::split_name;
use crate::package::{Scope, Source};
use crate::purl::decode;

/// Hosts that serve the public npm registry, whole mirrors included.
const PUBLIC: &[&str] = &[
    "registry.npmjs.org",
    "registry.npmjs.com",
    "registry.yarnpkg.com",
    "registry.npmmirror.com",
    "registry.npm.taobao.org",
];

/// How nearly every address begins.
const USUAL: &[&str] = &["https://registry.npmjs.org/", "https://registry.yarnpkg.com/"];

/// Hosts whose `https` archives are snapshots of git repositories.
const GIT_HOSTS: &[&str] = &["codeload.github.com", "api.github.com"];

/// The source behind a `resolved` address or a version that is an address.
pub(crate) fn source(address: &str) -> Source {
    if usual(address).is_some() {
        return Source::Registry;
    }
    let address = &*without_secret(address);
    if address.starts_with("file:") || address.starts_with("link:") || address.starts_with("portal:") {
        let path = address.split_once(':').map_or(address, |(_, path)| path);
        return Source::Path(path.split('#').next().unwrap_or(path).to_owned());
    }
    if is_git(address) {
        return Source::Git(address.to_owned());
    }
    let Some(rest) = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://")) else {
        // `~1.4.0` is a range, and begins no folder.
        return if address.starts_with(['.', '/']) || address.starts_with("~/") {
            Source::Path(address.to_owned())
        } else {
            Source::Url(address.to_owned())
        };
    };
    let host = host(address);
    if PUBLIC.contains(&host) {
        return Source::Registry;
    }
    if GIT_HOSTS.contains(&host) || rest.split(['#', '?']).next().is_some_and(|path| path.ends_with(".git")) {
        return Source::Git(address.to_owned());
    }
    match rest.find("/-/").or_else(|| rest.find("/download/")) {
        Some(at) => Source::PrivateRegistry(registry(address, address.len() - rest.len() + at)),
        None => Source::Url(address.to_owned()),
    }
}

/// Whether a host serves the public registry.
pub(super) fn is_public(host: &str) -> bool {
    PUBLIC.iter().any(|public| host.eq_ignore_ascii_case(public))
}

/// What follows the address of the public registry.
fn usual(address: &str) -> Option<&str> {
    USUAL.iter().find_map(|start| address.strip_prefix(start))
}

/// The registry's own address: that of the archive without the package's name and file.
fn registry(address: &str, end: usize) -> String {
    let base = address.get(..end).unwrap_or(address);
    let mut parts: Vec<&str> = base.split('/').collect();
    if address.get(end..).is_some_and(|rest| rest.starts_with("/-/")) && parts.len() > 3 {
        parts.pop();
        if parts.len() > 3 && parts.last().is_some_and(|part| part.starts_with('@')) {
            parts.pop();
        }
    }
    parts.join("/")
}

/// Whether an archive of the public registry, by its address, is that of another package or version.
///
/// `https://registry.npmjs.org/@babel/core/-/core-7.0.0.tgz`; an address in another form says nothing.
pub(crate) fn is_of_another(address: &str, name: &str, version: &str) -> bool {
    if is_its_usual(address, name, version) {
        return false;
    }
    let Some((_, rest)) = address.split_once("://") else { return false };
    let Some((_, path)) = rest.split_once('/') else { return false };
    let Some((place, file)) = path.split_once("/-/") else { return false };
    let file = file.split(['#', '?']).next().unwrap_or(file);
    let place = match place.contains('%') {
        true => Cow::Owned(place.replace("%2f", "/").replace("%2F", "/").replace("%40", "@")),
        false => Cow::Borrowed(place),
    };
    // A mirror may serve the registry below a folder of its own.
    if place != name && !place.strip_suffix(name).is_some_and(|before| before.ends_with('/')) {
        return true;
    }
    let own = name.rsplit('/').next().unwrap_or(name);
    let (file, version) = (file.rsplit('/').next().unwrap_or(file), version.split('+').next().unwrap_or(version));
    let Some(rest) = file.strip_suffix(".tgz").and_then(|stem| stem.strip_prefix(own)) else { return true };
    rest.strip_prefix('-').is_none_or(|of| of.split('+').next().unwrap_or(of) != version)
}

/// Whether it is the archive of a package as the public registry names it.
fn is_its_usual(address: &str, name: &str, version: &str) -> bool {
    let file = usual(address).and_then(|path| path.strip_prefix(name)?.strip_prefix("/-/"));
    let own = memchr::memrchr(b'/', name.as_bytes()).and_then(|at| name.get(at + 1..)).unwrap_or(name);
    let end = file.and_then(|file| file.strip_prefix(own)?.strip_prefix('-')?.strip_prefix(version));
    end.is_some_and(|end| end.strip_prefix(".tgz").is_some_and(|rest| rest.is_empty() || rest.starts_with(['#', '?'])))
}

/// The folder of the project that a version of format 1 names: `file:packages/a`. An archive is none.
pub(crate) fn own_folder(version: &str) -> Option<&str> {
    let path = version.strip_prefix("file:")?;
    let is_archive = [".tgz", ".tar.gz", ".tar"].iter().any(|end| path.ends_with(end));
    (!is_archive).then(|| path.trim_start_matches("./").trim_end_matches('/'))
}

/// Whether this is the address of a git repository, with its shorthands.
pub(crate) fn is_git(address: &str) -> bool {
    const STARTS: &[&str] = &["git+", "git:", "git@", "github:", "gitlab:", "bitbucket:", "gist:", "ssh:"];
    STARTS.iter().any(|start| address.starts_with(start))
}

/// Whether a requirement in a manifest is one exact version.
pub(crate) fn exact(requirement: &str) -> Option<&str> {
    // Most are ranges, and those begin otherwise.
    if requirement.starts_with(['^', '~']) {
        return None;
    }
    let version = requirement.trim();
    let version = version.strip_prefix('=').unwrap_or(version).trim();
    let version = version.strip_prefix('v').unwrap_or(version);
    if !version.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let is_number = |number: &[u8]| !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let mut numbers = core.as_bytes().split(|byte| *byte == b'.');
    let whole = [numbers.next(), numbers.next(), numbers.next()].iter().all(|number| number.is_some_and(is_number))
        && numbers.next().is_none();
    let clean = version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'));
    (whole && clean).then_some(version)
}

/// The version in `https://registry.npmjs.org/a/-/a-1.0.0.tgz`.
pub(super) fn released<'a>(name: &str, address: &'a str) -> Option<&'a str> {
    let (_, file) = address.split_once("/-/")?;
    let own = name.rsplit('/').next().unwrap_or(name);
    let version = file.split(['?', '#']).next()?.strip_suffix(".tgz")?.strip_prefix(own)?.strip_prefix('-')?;
    exact(version)
}

/// The package that berry patches, with its range: `patch:a@npm%3A1.0.0#./a.patch`.
pub(super) fn patched(requirement: &str) -> Option<(String, String)> {
    let source = requirement.strip_prefix("patch:")?.split('#').next()?;
    let source = decode(source)?;
    split_name(&source).map(|(name, range)| (name.to_owned(), range.to_owned()))
}

/// The scope of a dependency table of `package.json`.
pub(crate) fn table(name: &str) -> Option<Scope> {
    Some(match name {
        "dependencies" => Scope::Runtime,
        "devDependencies" => Scope::Dev,
        "optionalDependencies" => Scope::Optional,
        "peerDependencies" => Scope::Peer,
        _ => return None,
    })
}
