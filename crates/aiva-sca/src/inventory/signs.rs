//! Notes what a lockfile gives away of the way by which its packages come: only what is out of the ordinary.
//!
//! A reader calls this once a package; a package as it should be costs a few comparisons and no memory.

use super::address::{host, without_secret};
use super::npm_source;
use crate::package::{Fact, Package, Sign, Source};

/// What an npm-like lockfile says of one archive.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Archive<'a> {
    /// Where it was downloaded from.
    pub(crate) resolved: Option<&'a str>,
    /// Its hashes, as in `integrity` of the web (SRI).
    pub(crate) integrity: Option<&'a str>,
    /// Whether it comes inside of another package.
    pub(crate) is_bundled: bool,
    /// Whether it runs a script when it is installed.
    pub(crate) has_script: bool,
    /// What its authors say to those who still use it.
    pub(crate) deprecated: Option<&'a str>,
}

/// The most letters that are kept of what authors say.
pub(crate) const MOST_WORDS: usize = 300;

/// A sign about a package.
pub(crate) fn sign(package: &Package, fact: Fact) -> Sign {
    Sign {
        ecosystem: package.ecosystem,
        name: package.name.clone(),
        version: package.version.clone(),
        line: package.line,
        fact,
    }
}

/// What is out of the ordinary about one archive.
pub(crate) fn of_archive(package: &Package, archive: Archive<'_>, signs: &mut Vec<Sign>) {
    let mut add = |fact| signs.push(sign(package, fact));
    if archive.has_script {
        add(Fact::InstallScript);
    }
    if let Some(words) = archive.deprecated {
        add(Fact::Deprecated(words.chars().take(MOST_WORDS).collect()));
    }
    if matches!(package.source, Source::Path(_)) || archive.is_bundled {
        return;
    }
    if let Some(address) = archive.resolved {
        address_of(package, address, archive.integrity, &mut add);
    }
    if let Source::Git(_) = package.source {
        return; // The commit is the hash.
    }
    match archive.integrity.map(strength) {
        Some(Strength::Strong) => {}
        Some(Strength::Weak(algorithm)) => add(Fact::WeakIntegrity(algorithm)),
        Some(Strength::None) | None => match archive.resolved.and_then(|address| address.rsplit_once('#')) {
            // yarn classic writes the SHA-1 behind the address.
            Some((_, hash)) if is_hex(hash, 40) => add(Fact::WeakIntegrity("sha1")),
            _ => add(Fact::NoIntegrity),
        },
    }
}

fn address_of(package: &Package, address: &str, integrity: Option<&str>, add: &mut impl FnMut(Fact)) {
    let shown = || without_secret(address).into_owned();
    if is_plain(address) {
        let is_checked = integrity.is_some_and(|integrity| matches!(strength(integrity), Strength::Strong));
        add(Fact::PlainHttp { address: shown(), is_checked });
    }
    match &package.source {
        Source::Git(_) if !names_commit(address) => add(Fact::MovingGit(shown())),
        Source::Registry | Source::PrivateRegistry(_)
            if npm_source::is_of_another(address, &package.name, &package.version) =>
        {
            add(Fact::Elsewhere(shown()));
        }
        _ => {}
    }
}

/// What a lockfile says of a package that may have several archives, each with its own address and hash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    /// The first address of an archive that is not encrypted: its hash is checked.
    archive: Option<String>,
    /// That of a repository besides where the package comes from: its commit is checked.
    repository: Option<String>,
    /// The first one of an archive of another package.
    elsewhere: Option<String>,
    has_hash: bool,
    weak: Option<&'static str>,
    names_commit: bool,
}

impl Listed {
    /// Notes where an archive is.
    pub(crate) fn address(&mut self, address: &str) {
        note_plain(&mut self.archive, address);
    }

    /// Notes a repository that it may be taken from instead.
    pub(crate) fn repository(&mut self, address: &str) {
        note_plain(&mut self.repository, address);
    }

    /// Notes an archive whose address is that of another package.
    pub(crate) fn elsewhere(&mut self, address: &str) {
        self.elsewhere.get_or_insert_with(|| without_secret(address).into_owned());
    }

    /// Notes the hash of an archive: `sha256:…`, or without the name of the algorithm. One good hash of several archives says nothing of
    /// the others, so a weak one counts.
    pub(crate) fn hash(&mut self, hash: &str) {
        self.has_hash = true;
        self.weak = self.weak.or(match hash.split_once([':', '-', '=']).map_or("", |(algorithm, _)| algorithm) {
            "md5" => Some("md5"),
            "sha1" => Some("sha1"),
            _ => None,
        });
    }

    /// Notes that the commit of a git repository is named, if not in full.
    pub(crate) fn pinned(&mut self) {
        self.names_commit = true;
    }

    /// Notes what may name the commit of a git repository.
    pub(crate) fn revision(&mut self, revision: &str) {
        self.names_commit |= names_commit(revision);
    }

    /// Whether there is a hash at all.
    pub(crate) fn has_hash(&self) -> bool {
        self.has_hash
    }

    /// What is out of the ordinary. A hash is missed only where one is `due`.
    pub(crate) fn tell(&self, package: &Package, due: bool, signs: &mut Vec<Sign>) {
        let mut add = |fact| signs.push(sign(package, fact));
        let (archive, repository) = match &package.source {
            Source::Path(_) => return,
            Source::Registry => (None, None),
            Source::PrivateRegistry(address) | Source::Url(address) => (Some(address), None),
            Source::Git(address) => (None, Some(address)),
        };
        let of_archive = archive.filter(|address| is_plain(address)).or(self.archive.as_ref());
        let of_repository = repository.filter(|address| is_plain(address)).or(self.repository.as_ref());
        let is_hashed = self.has_hash && self.weak.is_none();
        let plain = of_archive.map(|address| (address, is_hashed));
        if let Some((address, is_checked)) = plain.or(of_repository.map(|address| (address, self.names_commit))) {
            add(Fact::PlainHttp { address: address.clone(), is_checked });
        }
        if let Some(address) = repository.filter(|_| !self.names_commit) {
            add(Fact::MovingGit(address.clone()));
        }
        if let (Source::Registry, Some(address)) = (&package.source, &self.elsewhere) {
            add(Fact::Elsewhere(address.clone()));
        }
        match self.weak {
            _ if repository.is_some() => {} // The commit is the hash.
            Some(algorithm) => add(Fact::WeakIntegrity(algorithm)),
            None if due && !self.has_hash => add(Fact::NoIntegrity),
            None => {}
        }
    }
}

/// Keeps the first address that is not encrypted.
fn note_plain(first: &mut Option<String>, address: &str) {
    if first.is_none() && is_plain(address) {
        *first = Some(without_secret(address).into_owned());
    }
}

/// What a file says of the archives of its packages, by their places among them. A hash is missed where others of the file have one.
#[derive(Debug, Default)]
pub(crate) struct Archives(Vec<(usize, Listed)>);

impl Archives {
    /// Notes those of the package at a place.
    pub(crate) fn add(&mut self, at: usize, listed: Listed) {
        self.0.push((at, listed));
    }

    /// Those of the package at a place; places were noted in their order.
    pub(crate) fn of(&mut self, at: usize) -> Option<&mut Listed> {
        let place = self.0.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        self.0.get_mut(place).map(|(_, listed)| listed)
    }

    /// What is out of the ordinary about them.
    pub(crate) fn tell(&self, packages: &[Package], signs: &mut Vec<Sign>) {
        let due = self.0.iter().any(|(_, listed)| listed.has_hash);
        for (at, listed) in &self.0 {
            if let Some(package) = packages.get(*at) {
                listed.tell(package, due, signs);
            }
        }
    }
}

/// Whether whoever is on the way can change what arrives.
pub(crate) fn is_plain(address: &str) -> bool {
    if address.starts_with("https://") {
        return false;
    }
    let plain = ["http://", "git://", "git+http://", "svn://", "ftp://"].iter().any(|begin| address.starts_with(begin));
    plain && !matches!(host(address), "localhost" | "127.0.0.1" | "[::1]")
}

/// Whether the address of a git repository says which commit: 40 or 64 hex digits, in full.
pub(crate) fn names_commit(address: &str) -> bool {
    let parts = address.split(|c: char| !c.is_ascii_alphanumeric());
    parts.into_iter().any(|part| is_hex(part, 40) || is_hex(part, 64))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

enum Strength {
    Strong,
    Weak(&'static str),
    None,
}

/// Of several hashes the strongest counts, as package managers check that one.
fn strength(integrity: &str) -> Strength {
    // Nearly every package has this one and no other.
    if integrity.starts_with("sha512-") {
        return Strength::Strong;
    }
    let has = |name: &str| integrity.split_whitespace().any(|one| one.starts_with(name));
    match integrity {
        _ if has("sha512-") || has("sha384-") || has("sha256-") => Strength::Strong,
        _ if has("sha1-") => Strength::Weak("sha1"),
        _ if has("md5-") => Strength::Weak("md5"),
        _ => Strength::None,
    }
}
