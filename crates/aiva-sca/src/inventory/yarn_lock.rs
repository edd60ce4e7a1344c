//! `yarn.lock`: classic (1.x) in its own syntax, berry (2 and newer) in YAML.
//!
//! Each entry begins with the `name@range` descriptors that it answers, which is how a `package.json` beside it is tied to
//! it. Berry also lists the project's own folders (`@workspace:`).

use std::borrow::Cow;
use std::cell::LazyCell;

use rapidhash::RapidHashMap;

use super::bytes::{entries_in, first_of, indent, lines};
use super::described::{self, Descriptor};
use super::door;
use super::graph::{self, index};
use super::npm_source::{self, split_name};
use super::reading::{Links, Reading, quote};
use super::signs::{self, Archive, Archives, Listed};
use super::yaml::{self, Visit};
use super::yarn_doubles;
use crate::package::{Ecosystem, Licenses, Package, Scope, Source};
use crate::purl;

/// The usual length of an entry.
const USUAL: usize = 320;

/// Reads a `yarn.lock` of either kind.
pub(crate) fn read(text: &str) -> Reading {
    let is_berry = text.starts_with("__metadata:") || text.contains("\n__metadata:");
    let mut reading = Reading::default();
    let entries = if is_berry { berry(text, &mut reading) } else { classic(text, &mut reading) };
    if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    } else if door::ends_open(text) {
        reading.problem(door::last_line(text), door::OPEN);
    }
    if entries.is_empty() && !text.contains("# yarn lockfile v1") && !is_berry && !text.trim().is_empty() {
        return Reading::failed(1, "not a yarn lockfile: neither classic entries nor berry's __metadata");
    }
    if !is_berry && let Some(what) = lacks(&entries) {
        let last = entries.last().and_then(|entry| entry.descriptors.first()).map(Cow::as_ref).unwrap_or_default();
        reading.problem(door::last_line(text), door::short(last, what));
    }
    settle(entries, is_berry, &mut reading);
    reading.close()
}

#[derive(Default)]
struct Entry<'a> {
    line: u32,
    descriptors: Vec<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    resolved: Option<Cow<'a, str>>,
    integrity: Option<&'a str>,
    needs: Vec<(Cow<'a, str>, Cow<'a, str>, u32)>,
    is_whole: bool,
    /// Berry's: whether it has a checksum, and whether it is for some systems only, so that it may never have been fetched.
    has_checksum: bool,
    is_conditional: bool,
}

/// What the last of classic entries has not and all others have: where its archive is, and its hash.
fn lacks(entries: &[Entry<'_>]) -> Option<&'static str> {
    // Folders and archives of the project have neither.
    let is_local = |entry: &Entry<'_>| {
        let range = entry.descriptors.first().and_then(|one| split_name(one)).map_or("", |(_, range)| range);
        range.starts_with(['.', '/']) || matches!(npm_source::source(range), Source::Path(_))
    };
    let (last, others) = entries.split_last()?;
    let others: Vec<&Entry<'_>> = others.iter().filter(|entry| !is_local(entry)).collect();
    if is_local(last) || last.version.is_none() || others.is_empty() {
        return None;
    }
    let Some(resolved) = last.resolved.as_deref() else {
        return others.iter().all(|entry| entry.resolved.is_some()).then_some("`resolved`");
    };
    // Archives of a host of git repositories have no hash.
    let of_registry = |address: &str| npm_source::source(address) == Source::Registry;
    let checked = others.iter().filter(|entry| entry.resolved.as_deref().is_some_and(of_registry));
    let (checked, whole) =
        checked.fold((0, 0), |(all, whole), entry| (all + 1, whole + u32::from(entry.integrity.is_some())));
    (of_registry(resolved) && last.integrity.is_none() && checked > 0 && checked == whole).then_some("`integrity`")
}

/// Classic: an entry a header without indent, its keys two deep, its requirements four deep.
fn classic<'a>(text: &'a str, reading: &mut Reading) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::with_capacity(entries_in(text, USUAL));
    let mut in_needs = false;
    for (number, line) in lines(text).enumerate() {
        let number = index(number + 1);
        let indent = indent(line.as_bytes());
        let content = line.get(indent..).unwrap_or_default();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let known = match (indent, entries.last_mut()) {
            (0, _) => content.strip_suffix(':').and_then(descriptors).map(|descriptors| {
                in_needs = false;
                entries.push(Entry { line: number, descriptors, is_whole: true, ..Entry::default() });
            }),
            (2, Some(entry)) => key(entry, content, &mut in_needs),
            (4, Some(entry)) => pair(content).map(|(name, range)| {
                if in_needs {
                    entry.needs.push((Cow::Borrowed(name), Cow::Borrowed(range), number));
                }
            }),
            _ => None,
        };
        if known.is_none() {
            reading.problem(number, format!("not a line of a yarn lockfile: {}", quote(content)));
        }
    }
    entries
}

/// `a@^1, "b@npm:c@1 || 2"`
fn descriptors(header: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut found = Vec::new();
    let mut rest = header;
    loop {
        let (one, after) = match rest.strip_prefix('"') {
            Some(body) => split_once(body, b'"')?,
            None => {
                let comma = memchr::memchr(b',', rest.as_bytes()).and_then(|_| rest.find(", "));
                rest.split_at_checked(comma.unwrap_or(rest.len()))?
            }
        };
        split_name(one)?;
        found.push(Cow::Borrowed(one));
        if after.is_empty() {
            return Some(found);
        }
        rest = after.strip_prefix(", ")?;
    }
}

fn key<'a>(entry: &mut Entry<'a>, content: &'a str, in_needs: &mut bool) -> Option<()> {
    if let Some(table) = content.strip_suffix(':') {
        *in_needs = table == "dependencies";
        return Some(());
    }
    *in_needs = false;
    let (key, value) = pair(content)?;
    match key {
        "version" => entry.version = Some(Cow::Borrowed(value)),
        "resolved" => entry.resolved = Some(Cow::Borrowed(value)),
        "integrity" => entry.integrity = Some(value),
        _ => {}
    }
    Some(())
}

/// As that of [`str`], without what it costs to begin: most names are short.
fn split_once(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = first_of(text.as_bytes(), [byte; 3])?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// `key value`, each with or without quotes.
fn pair(content: &str) -> Option<(&str, &str)> {
    let (key, rest) = match content.strip_prefix('"') {
        Some(body) => split_once(body, b'"')?,
        None => content.split_at_checked(first_of(content.as_bytes(), [b' '; 3])?)?,
    };
    let value = rest.strip_prefix(' ')?;
    match value.strip_prefix('"') {
        Some(body) => Some((key, body.strip_suffix('"')?)),
        None => Some((key, value)),
    }
}

#[derive(Default)]
struct Berry<'a> {
    entries: Vec<Entry<'a>>,
    version: Option<u32>,
}

/// The newest `__metadata.version` that yarn 4 writes.
const NEWEST: u32 = 10;

fn berry<'a>(text: &'a str, reading: &mut Reading) -> Vec<Entry<'a>> {
    let room = || Berry { entries: Vec::with_capacity(entries_in(text, USUAL)), ..Berry::default() };
    let (berry, fault) = yaml::tell(text, room);
    if let Some(fault) = fault {
        reading.fault(fault);
    }
    match berry.version {
        Some(version) if version > NEWEST => {
            let message =
                format!("berry lockfile format {version} is newer than {NEWEST}, the newest this release knows");
            reading.problem(1, message);
        }
        Some(_) => {}
        None => reading.problem(1, "no version under __metadata: the file was damaged"),
    }
    berry.entries
}

impl<'a> Visit<'a> for Berry<'a> {
    fn key(&mut self, path: yaml::Path<'_, 'a>, line: u32) {
        if let [key] = path
            && key != "__metadata"
        {
            let descriptors = match key {
                Cow::Borrowed(key) => key.split(", ").map(Cow::Borrowed).collect(),
                Cow::Owned(key) => key.split(", ").map(|one| Cow::Owned(one.to_owned())).collect(),
            };
            self.entries.push(Entry { line, descriptors, ..Entry::default() });
        }
    }

    fn scalar(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, line: u32) {
        match path {
            [outer, key] if outer == "__metadata" && key == "version" => self.version = value.parse().ok(),
            [outer, _] if outer == "__metadata" => {}
            [_, key] => {
                let Some(entry) = self.entries.last_mut() else { return };
                match key.as_ref() {
                    "version" => entry.version = Some(value),
                    "resolution" => entry.resolved = Some(value),
                    "linkType" => entry.is_whole = true,
                    "checksum" => entry.has_checksum = true,
                    "conditions" => entry.is_conditional = true,
                    _ => {}
                }
            }
            [_, table, name] if table == "dependencies" => {
                let Some(entry) = self.entries.last_mut() else { return };
                entry.needs.push((name.clone(), value, line));
            }
            _ => {}
        }
    }
}

/// A range that no descriptor answers is taken to mean so many packages of that name, at most.
const MOST_ANSWERS: usize = 32;

fn settle(entries: Vec<Entry<'_>>, is_berry: bool, reading: &mut Reading) {
    let mut by_descriptor: RapidHashMap<Cow<'_, str>, u32> = RapidHashMap::default();
    by_descriptor.reserve(entries.len());
    reading.packages.reserve(entries.len());
    reading.links.descriptors.reserve(entries.len());
    let mut twice = false;
    let mut needs = Vec::with_capacity(entries.len());
    let (mut patches, mut root, mut archives) = (Vec::new(), None, Archives::default());
    for entry in entries {
        let Some(found) = (if is_berry { berry_package(&entry) } else { classic_package(&entry) }) else {
            let what = entry.descriptors.first().map(|one| quote(one)).unwrap_or_default();
            reading.problem(entry.line, format!("{what} has no version"));
            continue;
        };
        if !entry.is_whole {
            reading.problem(entry.line, format!("the entry of {} is incomplete", quote(&found.package.name)));
        }
        let at = index(reading.packages.len());
        if let Some(member) = found.member {
            reading.links.members.push(member);
        }
        if found.is_patch {
            patches.push(at);
        }
        // Berry's checksums are those of what it made of archives for its cache, so they are as good as a hash.
        if is_berry && !entry.is_conditional && !found.is_patch {
            let mut listed = Listed::default();
            if entry.has_checksum {
                listed.hash("sha512:");
            }
            if let (Source::Git(_), Some(place)) = (&found.package.source, &entry.resolved) {
                listed.revision(place);
            }
            archives.add(at as usize, listed);
        } else if !is_berry {
            let (resolved, integrity) = (entry.resolved.as_deref(), entry.integrity);
            let archive = Archive { resolved, integrity, ..Archive::default() };
            signs::of_archive(&found.package, archive, &mut reading.links.signs);
        }
        if found.is_root {
            root = Some(found.package.line);
        }
        needs.push((at, entry.resolved, entry.needs));
        for descriptor in entry.descriptors {
            if let Some((name, _)) = split_name(&descriptor) {
                reading.alias(name, &found.package.name, found.package.line);
            }
            reading.links.descriptors.push(Descriptor::new(&descriptor, at));
            if by_descriptor.insert(descriptor, at).is_some() {
                twice = true;
                reading.problem(found.package.line, format!("{} is there twice", quote(&found.package.name)));
            }
        }
        reading.packages.push(found.package);
    }
    archives.tell(&reading.packages, &mut reading.links.signs);
    let Reading { links: Links { descriptors, edges, .. }, .. } = reading;
    // Nearly every range is answered by its very words.
    let by_name = LazyCell::new(|| by_name(descriptors));
    let by_place = LazyCell::new(|| by_place(descriptors));
    let (mut sought, mut unanswered) = (String::new(), Vec::new());
    for (from, place, needs) in needs {
        let placed = |name: &str, range: &str| by_place.get(&format!("{name}@{range}::{}", place.as_deref()?)).copied();
        for (name, range, line) in needs {
            let answer = find(&by_descriptor, &name, &range, &mut sought);
            if let Some(to) = answer.or_else(|| placed(&name, &range)) {
                edges.push((from, to));
            } else if let Some(same) = by_name.get(&*name) {
                // A `resolutions` field may answer a range with another one.
                edges.extend(same.iter().take(MOST_ANSWERS).map(|to| (from, *to)));
            } else if !range.starts_with("link:") && !range.starts_with("portal:") {
                unanswered.push((name, line));
            }
        }
    }
    for (name, line) in unanswered {
        reading.problem(line, format!("{} is needed, but not in the file", quote(&name)));
    }
    if twice {
        reading.links.descriptors = by_descriptor.into_iter().map(|(text, at)| Descriptor::new(&text, at)).collect();
    }
    described::sort(&mut reading.links.descriptors);
    yarn_doubles::drop_patches(&patches, reading);
    direct(reading);
    if let Some(line) = root {
        yarn_doubles::drop_root(line, reading);
    }
}

/// The package that answers a range; `sought` is room for what is looked for.
fn find(known: &RapidHashMap<Cow<'_, str>, u32>, name: &str, range: &str, sought: &mut String) -> Option<u32> {
    ["@", "@npm:"].into_iter().find_map(|between| {
        sought.clear();
        [name, between, range].into_iter().for_each(|part| sought.push_str(part));
        known.get(sought.as_str()).copied()
    })
}

/// The packages by the names under which they are asked for.
fn by_name(descriptors: &[Descriptor]) -> RapidHashMap<&str, Vec<u32>> {
    let mut by_name: RapidHashMap<&str, Vec<u32>> = RapidHashMap::default();
    for Descriptor { text, package: at, .. } in descriptors {
        let Some((name, _)) = split_name(text) else { continue };
        let same = by_name.entry(name).or_default();
        if same.last() != Some(at) {
            same.push(*at);
        }
    }
    by_name
}

/// Berry binds what is taken from a folder, and a patch, to who asks for it: `a@file:./a::locator=app%40workspace%3A.`. Those by range
/// and asker, `a@file:./a::app@workspace:.`.
fn by_place(descriptors: &[Descriptor]) -> RapidHashMap<String, u32> {
    let bound = descriptors.iter().filter_map(|one| {
        let (plain, bindings) = one.text.split_once("::")?;
        let place = bindings.split('&').find_map(|binding| binding.strip_prefix("locator="))?;
        Some((format!("{plain}::{}", purl::decode(place)?), one.package))
    });
    bound.collect()
}

struct FoundPackage {
    package: Package,
    member: Option<String>,
    is_patch: bool,
    /// Whether it is the project itself.
    is_root: bool,
}

fn classic_package(entry: &Entry<'_>) -> Option<FoundPackage> {
    let (name, range) = split_name(entry.descriptors.first()?)?;
    let version = entry.version.as_deref().filter(|version| !version.is_empty())?;
    let alias = range.strip_prefix("npm:").and_then(split_name);
    let source = match entry.resolved.as_deref() {
        Some(address) => npm_source::source(address),
        None if range.contains(':') && alias.is_none() => npm_source::source(range),
        None => Source::Registry,
    };
    Some(FoundPackage {
        package: package(alias.map_or(name, |(real, _)| real), version, entry.line, source),
        member: None,
        is_patch: false,
        is_root: false,
    })
}

/// `name@npm:1.0.0`, `name@workspace:folder`, `name@patch:name@npm%3A1.0.0#...`, `name@https://...`
fn berry_package(entry: &Entry<'_>) -> Option<FoundPackage> {
    let (name, place) = split_name(entry.resolved.as_deref()?)?;
    let version = entry.version.as_deref().filter(|version| !version.is_empty())?;
    let (scheme, rest) = place.split_once(':').unwrap_or(("", place));
    let source = match scheme {
        "npm" => archive(rest).unwrap_or(Source::Registry),
        "patch" => Source::Registry,
        // `file:./own#./own::hash=0&locator=...`
        "workspace" | "portal" | "link" | "file" => {
            let folder = rest.split("::").next().and_then(|rest| rest.split('#').next());
            Source::Path(folder.unwrap_or(rest).to_owned())
        }
        _ => npm_source::source(place),
    };
    let member = (scheme == "workspace").then(|| rest.to_owned());
    Some(FoundPackage {
        package: package(name, version, entry.line, source),
        is_patch: scheme == "patch",
        is_root: member.as_deref() == Some("."),
        member,
    })
}

/// Berry binds the archive's address where it is not the registry's usual one.
fn archive(rest: &str) -> Option<Source> {
    // Most are a version, and nothing is bound.
    memchr::memchr(b'=', rest.as_bytes())?;
    let bound = rest.split_once("__archiveUrl=")?.1;
    let bound = bound.split('&').next().unwrap_or(bound);
    Some(npm_source::source(&bound.replace("%3A", ":").replace("%2F", "/").replace("%40", "@")))
}

fn package(name: &str, version: &str, line: u32, source: Source) -> Package {
    Package {
        ecosystem: Ecosystem::Npm,
        name: name.into(),
        version: version.into(),
        line,
        direct: None,
        scope: Scope::Runtime,
        source,
        licenses: Licenses::default(),
        origin: None,
    }
}

/// Whether a package is one of the project's own folders.
pub(crate) fn is_own(package: &Package) -> bool {
    matches!(package.source, Source::Path(_))
}

/// Berry lists the project's own folders: what those need is direct.
fn direct(reading: &mut Reading) {
    if reading.links.members.is_empty() {
        return;
    }
    let own: Vec<bool> = reading.packages.iter().map(is_own).collect();
    let edges = &reading.links.edges;
    let of_own = edges.iter().filter(|edge| own.get(edge.0 as usize) == Some(&true));
    let roots: Vec<(u32, Scope)> = of_own.map(|edge| (edge.1, Scope::Runtime)).collect();
    graph::spread(&mut reading.packages, edges, &roots, is_own);
    for package in reading.packages.iter_mut().filter(|package| is_own(package)) {
        package.direct = Some(true);
    }
}
