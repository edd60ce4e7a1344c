//! `Cargo.lock`, format versions 1 to 4.
//!
//! A package without a `source` is the project's own (a member or a path dependency); what those need is direct. Format 1
//! writes `name version (source)` for every dependency, later ones only as much as tells packages apart.

use std::borrow::Cow;
use std::collections::HashSet;

use rapidhash::RapidHashMap;

use super::address::without_secret;
use super::bytes::entries_in;
use super::door;
use super::graph::{self, index};
use super::reading::{Reading, quote};
use super::signs;
use super::toml::{Item, Toml};
use crate::package::{Ecosystem, Fact, Licenses, Package, Scope, Source};

/// The usual length of an entry.
const USUAL: usize = 280;

/// The newest format that cargo writes.
const NEWEST: u32 = 4;

#[derive(Default)]
struct Entry<'a> {
    line: u32,
    name: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    checksum: Option<Cow<'a, str>>,
    needs: Vec<(Cow<'a, str>, u32)>,
}

/// Reads a `Cargo.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut toml = Toml::new(text);
    let mut entries: Vec<Entry<'_>> = Vec::with_capacity(entries_in(text, USUAL));
    let mut open = false;
    loop {
        match step(&mut toml, &mut entries, &mut open) {
            Ok(true) => {}
            Ok(false) => break,
            Err(Stop::Version(line, version)) => {
                let message =
                    format!("Cargo.lock format {version} is newer than {NEWEST}, the newest this release reads");
                return Reading::unsupported(line, message);
            }
            Err(Stop::Fault(fault)) => {
                reading.fault(fault);
                open = false;
                toml.recover();
            }
        }
    }
    if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    }
    let entries = complete(entries, &mut reading);
    connect(&entries, &mut reading);
    if let Some(message) = lacks(&entries, &reading) {
        reading.problem(door::last_line(text), message);
    }
    reading.packages.reserve(entries.len());
    // Format 1 keeps the checksums in a table of their own at the end, which is not read.
    let has_checksums = entries.iter().any(|entry| entry.checksum.is_some());
    for entry in entries {
        let (unchecked, plain, moving) = (has_checksums && entry.checksum.is_none(), entry.plain(), entry.moving());
        let package = package(entry);
        if unchecked && matches!(package.source, Source::Registry | Source::PrivateRegistry(_)) {
            reading.links.signs.push(signs::sign(&package, Fact::NoIntegrity));
        }
        if let Some(address) = plain {
            // The commit is the hash.
            let is_checked = if let Source::Git(_) = package.source { moving.is_none() } else { !unchecked };
            let fact = Fact::PlainHttp { address, is_checked };
            reading.links.signs.push(signs::sign(&package, fact));
        }
        if let Some(address) = moving {
            reading.links.signs.push(signs::sign(&package, Fact::MovingGit(address)));
        }
        reading.packages.push(package);
    }
    settle(&mut reading);
    reading.close()
}

impl Entry<'_> {
    /// The address, if anybody on the way can change what comes from it.
    fn plain(&self) -> Option<String> {
        let (_, address) = self.source.as_deref()?.split_once('+')?;
        signs::is_plain(address).then(|| without_secret(address).into_owned())
    }

    /// The address of a git repository without its commit, which cargo always writes behind it.
    fn moving(&self) -> Option<String> {
        let address = self.source.as_deref()?.strip_prefix("git+")?;
        let commit = address.rsplit_once('#').map_or("", |(_, commit)| commit);
        (!signs::names_commit(commit)).then(|| without_secret(address).into_owned())
    }
}

enum Stop {
    Version(u32, u32),
    Fault(super::reading::Fault),
}

impl From<super::reading::Fault> for Stop {
    fn from(fault: super::reading::Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Takes one table header or one key with its value; `open` tells whether the keys belong to a package.
fn step<'a>(toml: &mut Toml<'a>, entries: &mut Vec<Entry<'a>>, open: &mut bool) -> Result<bool, Stop> {
    let key = match toml.next()? {
        None => return Ok(false),
        Some(Item::Entry("package") | Item::Table("root")) => {
            entries.push(Entry { line: toml.line(), ..Entry::default() });
            *open = true;
            return Ok(true);
        }
        Some(Item::Entry(_) | Item::Table(_)) => {
            *open = false;
            return Ok(true);
        }
        Some(Item::Key(key)) => key,
    };
    let Some(entry) = entries.last_mut().filter(|_| *open) else {
        if key == "version" && entries.is_empty() {
            let version = toml.bare()?.parse().unwrap_or(u32::MAX);
            return if version > NEWEST { Err(Stop::Version(toml.line(), version)) } else { Ok(true) };
        }
        toml.skip()?;
        return Ok(true);
    };
    let slot = match key.as_ref() {
        "name" => {
            entry.line = toml.line();
            &mut entry.name
        }
        "version" => &mut entry.version,
        "source" => &mut entry.source,
        "checksum" => &mut entry.checksum,
        "dependencies" => {
            toml.array(|toml| {
                let line = toml.line();
                entry.needs.extend(toml.string()?.map(|need| (need, line)));
                Ok(())
            })?;
            return Ok(true);
        }
        _ => {
            toml.skip()?;
            return Ok(true);
        }
    };
    let line = toml.line();
    let value = toml.string()?;
    let twice = std::mem::replace(slot, value).is_some();
    if twice {
        return Err(super::reading::Fault::new(line, format!("the key `{key}` is there twice")).into());
    }
    Ok(true)
}

/// What the last entry has not, and should: a checksum where all others of its registry have one, a source where a package of a
/// registry needs it.
fn lacks(entries: &[Entry<'_>], reading: &Reading) -> Option<String> {
    let (last, others) = entries.split_last()?;
    let name = last.name.as_deref().unwrap_or_default();
    let of_registry = |entry: &Entry<'_>| entry.source.as_deref().is_some_and(|source| !source.starts_with("git+"));
    let mut alike = others.iter().filter(|entry| entry.source == last.source).peekable();
    let is_rule = alike.peek().is_some() && alike.all(|entry| entry.checksum.is_some());
    if of_registry(last) && last.checksum.is_none() && is_rule {
        return Some(door::short(name, "checksum"));
    }
    let from_registry = |edge: &&(u32, u32)| entries.get(edge.0 as usize).is_some_and(of_registry);
    let mut to_last = reading.links.edges.iter().filter(|edge| edge.1 as usize == others.len());
    // What it needs stands behind its source; a patched package has none, and then is seldom the only one.
    let is_open = last.source.is_none() && last.needs.is_empty();
    (is_open && to_last.any(|edge| from_registry(&edge))).then(|| door::short(name, "source"))
}

/// Tells where the last entry has no source although it is none of the project's own crates, whose names these are: what is needed,
/// needs nothing itself and has no folder is cut off before its source.
pub(super) fn doubt_last(reading: &mut Reading, own: &HashSet<&str>) {
    let Some((last, others)) = reading.packages.split_last() else { return };
    let at = index(others.len());
    let is_needed = reading.links.edges.iter().any(|(_, to)| *to == at);
    let needs = reading.links.edges.iter().any(|(from, _)| *from == at);
    if is_own(last) && is_needed && !needs && !own.contains(last.name.as_str()) {
        let (line, message) =
            (last.line, format!("{}, or its folder is not part of this scan", door::short(&last.name, "source")));
        reading.problem(line, message);
    }
}

/// Keeps the entries that have a name and a version, and tells of the others.
fn complete<'a>(entries: Vec<Entry<'a>>, reading: &mut Reading) -> Vec<Entry<'a>> {
    let whole = |entry: &Entry<'_>| match (&entry.name, &entry.version) {
        (Some(name), Some(version)) if !name.is_empty() && !version.is_empty() => true,
        (Some(name), _) => {
            reading.problem(entry.line, format!("the package {} has no version", quote(name)));
            false
        }
        (None, _) => {
            reading.problem(entry.line, "a package without a name");
            false
        }
    };
    let mut whole = whole;
    entries.into_iter().filter(|entry| whole(entry)).collect()
}

/// A name without a version is taken to mean so many packages, at most; cargo writes the version where there are two.
const MOST_ANSWERS: usize = 32;

fn connect(entries: &[Entry<'_>], reading: &mut Reading) {
    let mut names: Vec<(&str, u32)> = Vec::with_capacity(entries.len());
    names.extend(entries.iter().enumerate().filter_map(|(at, entry)| Some((entry.name.as_deref()?, index(at)))));
    names.sort_unstable();
    let mut firsts: RapidHashMap<&str, usize> = RapidHashMap::default();
    firsts.reserve(names.len());
    for (first, (name, _)) in names.iter().enumerate() {
        firsts.entry(name).or_insert(first);
    }
    for (from, entry) in entries.iter().enumerate() {
        for (need, line) in &entry.needs {
            let mut parts = need.splitn(3, ' ');
            let (name, version) = (parts.next().unwrap_or_default(), parts.next());
            let first = firsts.get(name).copied().unwrap_or(names.len());
            let same = names.iter().skip(first).take_while(|(known, _)| *known == name);
            let version_of = |at: u32| entries.get(at as usize).and_then(|entry| entry.version.as_deref());
            let found = same.filter(|(_, at)| version.is_none() || version == version_of(*at));
            let before = reading.links.edges.len();
            reading.links.edges.extend(found.take(MOST_ANSWERS).map(|(_, at)| (index(from), *at)));
            if reading.links.edges.len() == before {
                let who = entry.name.as_deref().unwrap_or_default();
                reading.problem(*line, format!("{} needs {}, which is not in the file", quote(who), quote(need)));
            }
        }
    }
}

fn package(entry: Entry<'_>) -> Package {
    let source = source(entry.source.as_deref());
    Package {
        ecosystem: Ecosystem::CratesIo,
        name: entry.name.unwrap_or_default().into(),
        version: entry.version.unwrap_or_default().into(),
        line: entry.line,
        direct: None,
        scope: Scope::Runtime,
        source,
        licenses: Licenses::default(),
        origin: None,
    }
}

fn source(source: Option<&str>) -> Source {
    const PUBLIC: [&str; 3] = [
        "registry+https://github.com/rust-lang/crates.io-index",
        "sparse+https://index.crates.io/",
        "registry+https://index.crates.io/",
    ];
    let Some(source) = source else { return Source::Path(String::new()) };
    if PUBLIC.contains(&source) {
        return Source::Registry;
    }
    let source = &*without_secret(source);
    match source.split_once('+') {
        Some(("registry" | "sparse", address)) => Source::PrivateRegistry(address.to_owned()),
        Some(("git", address)) => Source::Git(address.to_owned()),
        Some(("path", address)) => Source::Path(address.to_owned()),
        _ => Source::Url(source.to_owned()),
    }
}

/// Whether a package is the project's own.
pub(crate) fn is_own(package: &Package) -> bool {
    matches!(package.source, Source::Path(_))
}

/// Without manifests everything that an own package needs counts as needed at run time.
fn settle(reading: &mut Reading) {
    let own: Vec<bool> = reading.packages.iter().map(is_own).collect();
    if !own.contains(&true) {
        return;
    }
    let edges = &reading.links.edges;
    let of_own = edges.iter().filter(|edge| own.get(edge.0 as usize) == Some(&true));
    let roots: Vec<(u32, Scope)> = of_own.map(|edge| (edge.1, Scope::Runtime)).collect();
    graph::spread(&mut reading.packages, edges, &roots, is_own);
    for package in reading.packages.iter_mut().filter(|package| is_own(package)) {
        package.direct = Some(true);
    }
}
