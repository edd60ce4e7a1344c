//! `package-lock.json` and `npm-shrinkwrap.json`, format versions 1 to 3.
//!
//! Versions 2 and 3 list every installed place under `packages`, with the project's own folders beside them: those tell
//! what is direct. Version 1 nests copies under `dependencies`, which [`npm_nested`](super::npm_nested) reads.

use std::borrow::Cow;

use rapidhash::{RapidHashMap, RapidHashSet};

use super::bytes::entries_in;
use super::graph::{index, stronger};
use super::json::{Json, Value};
use super::npm_license::{self, Shared, Stated};
use super::npm_nested::Tree;
use super::npm_source::{self, split_name, table};
use super::reading::{Fault, Reading, quote};
use super::signs::{self, Archive};
use crate::package::{Ecosystem, Licenses, Package, Scope, Source};

/// The usual length of a package, in format 2 with what older releases read.
const USUAL: usize = 600;

/// The newest format that npm writes.
const NEWEST: u32 = 3;

/// Reads a `package-lock.json` or `npm-shrinkwrap.json`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut lock = Lock::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: npm's begins with `{`");
    }
    let mut version = None;
    let (mut nested, mut tree) = (None, Tree::default());
    let outcome = json
        .object(|json, key, line| match key.as_ref() {
            "lockfileVersion" => {
                version = json.number()?.map(|version| (line, version));
                Ok(())
            }
            "packages" => {
                let packages = entries_in(text, USUAL);
                lock.top.reserve(packages);
                lock.needs.reserve(packages);
                reading.packages.reserve(packages);
                lock.packages(json, &mut reading)
            }
            "dependencies" if version.is_some_and(|(_, version)| version == 1) => tree.read(json, &mut reading),
            "dependencies" => {
                nested = Some(*json);
                json.skip()
            }
            _ => json.skip(),
        })
        .and_then(|()| json.end());
    if let Some((line, version)) = version.filter(|(_, version)| *version > NEWEST) {
        let message = format!("lockfile format {version} is newer than {NEWEST}, the newest this release reads");
        return Reading::unsupported(line, message);
    }
    if let Some(mut json) = nested.filter(|_| lock.is_empty())
        && let Err(fault) = tree.read(&mut json, &mut reading)
        && outcome.is_ok()
    {
        reading.fault(fault);
    }
    reading.links.members = tree.settle(outcome.is_ok(), &mut reading);
    reading.links.lacks_dev = version.is_some_and(|(_, version)| version == 1);
    lock.direct(&mut reading);
    lock.connect(&mut reading);
    if outcome.is_ok() {
        lock.missing(&mut reading);
        if version.is_none() {
            reading.problem(1, "no lockfileVersion: npm did not write this file, or it was damaged");
        }
    }
    if let Err(fault) = outcome {
        reading.fault(fault);
    }
    reading.links.members.extend(lock.importers.into_iter().map(|importer| importer.path.into_owned()));
    reading.close()
}

/// `packages` of format 2 and 3: where each thing is installed.
#[derive(Default)]
struct Lock<'a> {
    /// What is installed at [`TOP`], by what follows it.
    top: RapidHashMap<Cow<'a, str>, Option<u32>>,
    /// What is anywhere else, by its place.
    places: RapidHashMap<Cow<'a, str>, Option<u32>>,
    /// The names under which something is installed elsewhere than right at the top. Of other names there is one copy at most,
    /// so that nobody need look for theirs on the way up.
    deep: RapidHashSet<Cow<'a, str>>,
    importers: Vec<Importer<'a>>,
    needs: Vec<Need<'a>>,
    licenses: Shared<'a>,
    /// Kept for what the next package needs.
    room: Vec<(Cow<'a, str>, Scope)>,
}

/// Where nearly everything is installed.
const TOP: &str = "node_modules/";

/// What an installed package needs.
struct Need<'a> {
    from: Option<u32>,
    place: Cow<'a, str>,
    line: u32,
    name: Cow<'a, str>,
    scope: Scope,
}

/// One of the project's own folders and what it asks for.
struct Importer<'a> {
    path: Cow<'a, str>,
    line: u32,
    needs: Vec<(Cow<'a, str>, Scope)>,
}

#[derive(Default)]
pub(super) struct Entry<'a> {
    name: Option<Cow<'a, str>>,
    pub(super) version: Option<Cow<'a, str>>,
    resolved: Option<Cow<'a, str>>,
    integrity: Option<Cow<'a, str>>,
    deprecated: Option<Cow<'a, str>>,
    has_script: bool,
    is_bundled: bool,
    pub(super) licenses: Stated<'a>,
    link: bool,
    dev: bool,
    optional: bool,
    dev_optional: bool,
    peer: bool,
    twice: bool,
    needs: Vec<(Cow<'a, str>, Scope)>,
    /// Whether it is a folder of the project, of which what it asks for is kept.
    is_own: bool,
    asks: Vec<(Cow<'a, str>, Cow<'a, str>, u32)>,
    /// What it asks for under another name than the package's own.
    renames: Vec<(String, String)>,
}

/// The name and the package behind it, where a requirement has both; nothing for what may be any.
fn renamed(name: Cow<'_, str>, requirement: &str) -> Option<(String, String)> {
    let package = match requirement.strip_prefix("npm:") {
        Some(alias) => split_name(alias).map_or(alias, |(package, _)| package),
        // What an address brings may have any name.
        None if requirement.contains([':', '/']) => "",
        None => return None,
    };
    Some((name.into_owned(), package.to_owned()))
}

/// Where each `node_modules/` of a place ends, the last one first.
fn ends_of_top(place: &str) -> impl Iterator<Item = usize> {
    let slashes = memchr::memrchr_iter(b'/', place.as_bytes()).map(|at| at + 1);
    slashes.filter(|end| place.get(..*end).is_some_and(|begin| begin.ends_with(TOP)))
}

/// What follows a byte of a text.
fn behind<'a>(text: &Cow<'a, str>, at: usize) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(at..).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(at..).unwrap_or_default().to_owned()),
    }
}

impl<'a> Lock<'a> {
    /// Whether there was no `packages` with anything in it.
    fn is_empty(&self) -> bool {
        self.top.is_empty() && self.places.is_empty()
    }

    /// What is at a place: a package by its index, or something that is none.
    fn place(&self, place: &str) -> Option<Option<u32>> {
        match place.strip_prefix(TOP) {
            Some(rest) => self.top.get(rest),
            None => self.places.get(place),
        }
        .copied()
    }

    /// Notes what is at a place; whether something was there.
    fn insert(&mut self, place: Cow<'a, str>, at: Option<u32>) -> bool {
        for end in ends_of_top(&place).take_while(|end| *end > TOP.len()) {
            self.deep.insert(behind(&place, end));
        }
        match place.starts_with(TOP) {
            true => self.top.insert(behind(&place, TOP.len()), at),
            false => self.places.insert(place, at),
        }
        .is_some()
    }

    fn packages(&mut self, json: &mut Json<'a>, reading: &mut Reading) -> Result<(), Fault> {
        json.object(|json, place, line| {
            let (name_at, needs) = (ends_of_top(&place).next(), std::mem::take(&mut self.room));
            let mut entry = Entry { is_own: name_at.is_none(), needs, ..Entry::default() };
            let outcome = json.object(|json, key, _| entry.key(json, &key));
            for (name, requirement, line) in std::mem::take(&mut entry.asks) {
                reading.record(&place, &name, &requirement, line);
            }
            reading.links.renames.get_or_insert_default().extend(std::mem::take(&mut entry.renames));
            self.add((place, name_at), line, entry, outcome.is_ok(), reading);
            outcome
        })
    }

    /// `name_at` is where the name begins under which something is installed; `None` for a folder of the project.
    fn add(
        &mut self,
        (place, name_at): (Cow<'a, str>, Option<usize>),
        line: u32,
        mut entry: Entry<'a>,
        whole: bool,
        reading: &mut Reading,
    ) {
        let installed = name_at.and_then(|at| place.get(at..));
        let mut at = None;
        if !entry.link && whole && !place.is_empty() {
            // npm leaves the name out where it is that of the folder.
            let name = entry.name.as_deref().or(installed).or_else(|| place.rsplit('/').next());
            match (name, entry.version.as_deref()) {
                (Some(name), Some(version)) if !name.is_empty() && !version.is_empty() => {
                    at = Some(index(reading.packages.len()));
                    let mut package = entry.package(name, version, line, installed.is_none());
                    package.licenses = self.licenses.share(std::mem::take(&mut entry.licenses));
                    signs::of_archive(&package, entry.archive(), &mut reading.links.signs);
                    if let Some(installed) = installed {
                        reading.alias(installed, name, line);
                    }
                    reading.packages.push(package);
                }
                (_, None) if installed.is_some() => {
                    reading.problem(line, format!("{} has no version", quote(&place)));
                }
                _ => {} // An own folder without a name or a version is not a package, only a reason for packages.
            }
        }
        if installed.is_none() {
            self.importers.push(Importer { path: place.clone(), line, needs: entry.needs });
        } else {
            let wanted = entry.needs.drain(..).filter(|need| need.1 != Scope::Dev);
            self.needs.extend(wanted.map(|(name, scope)| Need { from: at, place: place.clone(), line, name, scope }));
            self.room = entry.needs;
        }
        if self.insert(place.clone(), at) || entry.twice {
            reading.problem(line, format!("{} is there twice, or one of its keys is", quote(&place)));
        }
    }

    /// The place where a folder's requirement is installed: the nearest `node_modules` on the way up.
    fn resolve(&self, from: &str, name: &str) -> Option<Option<u32>> {
        if !self.deep.contains(name) {
            return self.top.get(name).copied();
        }
        let mut folder = from;
        let mut place = String::with_capacity(folder.len() + 1 + TOP.len() + name.len());
        loop {
            place.clear();
            if !folder.is_empty() {
                place.push_str(folder);
                place.push('/');
            }
            place.push_str(TOP);
            place.push_str(name);
            if let Some(found) = self.place(&place) {
                return Some(found);
            }
            if folder.is_empty() {
                return None;
            }
            folder = folder.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }

    fn direct(&self, reading: &mut Reading) {
        if self.importers.is_empty() {
            return;
        }
        for package in &mut reading.packages {
            package.direct = Some(matches!(package.source, Source::Path(_)));
        }
        let mut direct: Vec<Option<Scope>> = vec![None; reading.packages.len()];
        for importer in &self.importers {
            for (name, scope) in &importer.needs {
                if let Some(Some(at)) = self.resolve(&importer.path, name)
                    && let Some(known) = direct.get_mut(at as usize)
                {
                    *known = Some(known.map_or(*scope, |known| stronger(known, *scope)));
                }
            }
        }
        for (package, scope) in reading.packages.iter_mut().zip(direct) {
            if let Some(scope) = scope {
                package.direct = Some(true);
                package.scope = if scope == Scope::Peer { package.scope } else { stronger(scope, package.scope) };
            }
        }
    }

    /// Who needs whom, also by choice: what is not installed has no edge.
    fn connect(&self, reading: &mut Reading) {
        reading.links.edges.reserve(self.needs.len());
        for need in &self.needs {
            if let (Some(from), Some(Some(to))) = (need.from, self.resolve(&need.place, &need.name)) {
                reading.links.edges.push((from, to));
            }
        }
        for importer in &self.importers {
            let Some(from) = self.place(&importer.path).flatten() else { continue };
            let wanted = importer.needs.iter().filter_map(|(name, _)| self.resolve(&importer.path, name).flatten());
            reading.links.edges.extend(wanted.map(|to| (from, to)));
        }
    }

    /// Tells of requirements that are installed nowhere: a part of the file is gone.
    fn missing(&self, reading: &mut Reading) {
        let must = self.needs.iter().filter(|need| need.scope == Scope::Runtime);
        for Need { place, line, name, .. } in must {
            if !self.top.contains_key(name) && self.resolve(place, name).is_none() {
                reading.problem(*line, format!("{} needs {}, which is not in the file", quote(place), quote(name)));
            }
        }
        // Of a folder above, which is only linked to, npm writes what it needs and does not install it.
        let own = self.importers.iter().filter(|one| one.path != ".." && !one.path.starts_with("../"));
        for Importer { path, line, needs } in own {
            let must = needs.iter().filter(|(_, scope)| matches!(scope, Scope::Runtime | Scope::Dev));
            for (name, _) in must.filter(|(name, _)| self.resolve(path, name).is_none()) {
                let who = if path.is_empty() { "the project".to_owned() } else { quote(path) };
                reading.problem(*line, format!("{who} needs {}, which is not in the file", quote(name)));
            }
        }
    }
}

impl<'a> Entry<'a> {
    pub(super) fn key(&mut self, json: &mut Json<'a>, key: &str) -> Result<(), Fault> {
        // By bytes, which are compared in place.
        match key.as_bytes() {
            b"name" => self.name = json.string()?,
            b"version" => {
                self.twice |= self.version.is_some();
                self.version = json.string()?;
            }
            b"resolved" => self.resolved = json.string()?,
            b"integrity" => self.integrity = json.string()?,
            b"deprecated" => self.deprecated = json.string()?,
            b"hasInstallScript" => self.has_script = json.is_true()?,
            b"inBundle" | b"bundled" => self.is_bundled = json.is_true()?,
            b"link" => self.link = json.is_true()?,
            b"dev" => self.dev = json.is_true()?,
            b"optional" => self.optional = json.is_true()?,
            b"devOptional" => self.dev_optional = json.is_true()?,
            b"peer" => self.peer = json.is_true()?,
            b"license" | b"licenses" => npm_license::read(json, &mut self.licenses)?,
            _ => match table(key) {
                Some(scope) => {
                    return json.object(|json, name, line| {
                        self.needs.push((name.clone(), scope));
                        match json.string()? {
                            Some(requirement) if self.is_own => self.asks.push((name, requirement, line)),
                            Some(requirement) => self.renames.extend(renamed(name, &requirement)),
                            None => {}
                        }
                        Ok(())
                    });
                }
                None => return json.skip(),
            },
        }
        Ok(())
    }

    /// All but its licences.
    pub(super) fn package(&self, name: &str, version: &str, line: u32, own: bool) -> Package {
        let source = match &self.resolved {
            _ if own => Source::Path(String::new()),
            Some(address) => npm_source::source(address),
            None => Source::Registry,
        };
        Package {
            ecosystem: Ecosystem::Npm,
            name: name.into(),
            version: version.into(),
            line,
            direct: None,
            scope: self.scope(),
            source,
            licenses: Licenses::default(),
            origin: None,
        }
    }

    pub(super) fn archive(&self) -> Archive<'_> {
        Archive {
            resolved: self.resolved.as_deref(),
            integrity: self.integrity.as_deref(),
            is_bundled: self.is_bundled,
            has_script: self.has_script,
            deprecated: self.deprecated.as_deref(),
        }
    }

    /// npm marks what would not be installed without development, optional or peer dependencies.
    fn scope(&self) -> Scope {
        match self {
            Self { dev: true, .. } => Scope::Dev,
            Self { optional: true, .. } | Self { dev_optional: true, .. } => Scope::Optional,
            Self { peer: true, .. } => Scope::Peer,
            _ => Scope::Runtime,
        }
    }
}
