//! `composer.lock`: JSON with the packages for run time and those for development.
//!
//! Composer notes a `notification-url` on what comes from a composer repository; without one a package was taken straight
//! from version control. What is direct only the `composer.json` beside it knows, and what the project itself stands for.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rapidhash::RapidHashMap;

use super::address::{host, without_secret};
use super::graph::index;
use super::json::{Json, Value};
use super::reading::{Fault, Reading, quote};
use super::signs::{Listed, MOST_WORDS, names_commit, sign};
use crate::package::{Ecosystem, Fact, NotJudged, Package, Scope, Sign, Source};

/// Hosts that are told of installations of public packages. OSV has the advisories of Drupal's for `Packagist`, too.
const PUBLIC: &[&str] = &["packagist.org", "packages.drupal.org"];

#[derive(Default)]
struct Entry<'a> {
    line: u32,
    name: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    notified: Option<Cow<'a, str>>,
    source: Address<'a>,
    dist: Address<'a>,
    licenses: Vec<String>,
    /// That nobody looks after it any more, in words.
    abandoned: Option<String>,
    needs: Vec<(Cow<'a, str>, u32)>,
    /// Names that it stands for: `replace` and `provide`.
    provides: Vec<String>,
}

#[derive(Default)]
struct Address<'a> {
    kind: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    reference: Option<Cow<'a, str>>,
}

/// A version without the `v` that tags have.
pub(crate) fn plain(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

/// Reads a `composer.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: composer's begins with `{`");
    }
    let mut entries = Vec::new();
    let mut has_packages = false;
    let outcome = json.object(|json, key, _| match key.as_ref() {
        "packages" => {
            has_packages = true;
            json.array(|json| entry(json, Scope::Runtime, &mut entries))
        }
        "packages-dev" => json.array(|json| entry(json, Scope::Dev, &mut entries)),
        _ => json.skip(),
    });
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if !has_packages => reading.problem(1, "no list of packages: composer did not write this file"),
        Ok(()) => {}
    }
    settle(entries, &mut reading);
    reading.close()
}

fn entry<'a>(json: &mut Json<'a>, scope: Scope, entries: &mut Vec<(Entry<'a>, Scope)>) -> Result<(), Fault> {
    json.next();
    let mut entry = Entry { line: json.line(), ..Entry::default() };
    let outcome = json.object(|json, key, line| entry.key(json, &key, line));
    entries.push((entry, scope));
    outcome
}

impl<'a> Entry<'a> {
    fn key(&mut self, json: &mut Json<'a>, key: &str, line: u32) -> Result<(), Fault> {
        match key {
            "name" => {
                self.line = line;
                self.name = json.string()?;
            }
            "version" => self.version = json.string()?,
            "notification-url" => self.notified = json.string()?,
            "source" => self.source = Address::read(json)?,
            "dist" => self.dist = Address::read(json)?,
            "license" => match json.next() {
                Value::Array => json.array(|json| {
                    self.licenses.extend(json.string()?.map(Cow::into_owned));
                    Ok(())
                })?,
                _ => self.licenses.extend(json.string()?.map(Cow::into_owned)),
            },
            "abandoned" => {
                self.abandoned = match json.next() {
                    Value::Text => json.string()?.map(|other| format!("abandoned; use {other} instead")),
                    _ => json.is_true()?.then(|| "abandoned, and no other package is named".to_owned()),
                };
            }
            "require" => json.object(|json, name, line| {
                self.needs.push((name, line));
                json.skip()
            })?,
            "replace" | "provide" => json.object(|json, name, _| {
                self.provides.push(name.to_lowercase());
                json.skip()
            })?,
            _ => json.skip()?,
        }
        Ok(())
    }

    fn source(&self) -> Source {
        let address = |url: &Option<Cow<'_, str>>| without_secret(url.as_deref().unwrap_or_default()).into_owned();
        if self.dist.kind.as_deref() == Some("path") {
            return Source::Path(address(&self.dist.url));
        }
        match self.notified.as_deref() {
            Some(url) if PUBLIC.contains(&host(url)) => Source::Registry,
            Some(url) => Source::PrivateRegistry(without_secret(url).into_owned()),
            None if self.source.url.is_some() => Source::Git(address(&self.source.url)),
            None if self.dist.url.is_some() => Source::Url(address(&self.dist.url)),
            None => Source::Registry,
        }
    }

    /// The way by which it comes. Packagist has no hashes, and those of other repositories are SHA-1: no hash is missed here.
    fn tell(&self, package: &Package, signs: &mut Vec<Sign>) {
        if let Source::Path(_) = package.source {
            return;
        }
        let mut listed = Listed::default();
        let references = [&self.dist, &self.source].into_iter().filter_map(|address| address.reference.as_deref());
        references.for_each(|reference| listed.revision(reference));
        // Only git's references can be moved: those of Subversion are numbers.
        if matches!(package.source, Source::Git(_)) && self.source.kind.as_deref().is_some_and(|kind| kind != "git") {
            listed.pinned();
        }
        // Nothing says what the archive must be: the commit is that of the repository.
        self.dist.url.iter().for_each(|archive| listed.address(archive));
        self.source.url.iter().for_each(|repository| listed.repository(repository));
        if let Some(archive) = self.dist.url.as_deref().filter(|archive| self.is_of_another(archive)) {
            listed.elsewhere(archive);
        }
        listed.tell(package, false, signs);
    }

    /// Whether the archive is one that GitHub makes of another repository or of another commit than the entry names.
    fn is_of_another(&self, archive: &str) -> bool {
        let parts = archive.strip_prefix("https://api.github.com/repos/").and_then(|rest| rest.split_once("/zipball/"));
        let Some((repository, commit)) = parts else { return false };
        let named = self.source.url.as_deref().unwrap_or_default();
        let own = ["https://github.com/", "git@github.com:"].iter().find_map(|begin| named.strip_prefix(begin));
        let own = own.map(|own| own.trim_end_matches('/')).map(|own| own.strip_suffix(".git").unwrap_or(own));
        // A tag is no commit, and may be this one.
        let is_commit = |one: &&str| names_commit(one) && names_commit(commit);
        let reference = self.dist.reference.as_deref().filter(is_commit);
        own.is_some_and(|own| !own.eq_ignore_ascii_case(repository)) || reference.is_some_and(|one| one != commit)
    }
}

impl<'a> Address<'a> {
    fn read(json: &mut Json<'a>) -> Result<Self, Fault> {
        let mut address = Self::default();
        json.object(|json, key, _| {
            match key.as_ref() {
                "type" => address.kind = json.string()?,
                "url" => address.url = json.string()?,
                "reference" => address.reference = json.string()?,
                _ => json.skip()?,
            }
            Ok(())
        })?;
        Ok(address)
    }
}

fn settle(entries: Vec<(Entry<'_>, Scope)>, reading: &mut Reading) {
    let mut by_name: RapidHashMap<String, u32> = RapidHashMap::default();
    let mut provided: BTreeSet<String> = BTreeSet::new();
    let mut needs = Vec::new();
    for (entry, scope) in entries {
        let (Some(name), Some(version)) = (entry.name.as_deref(), entry.version.as_deref()) else {
            let name = entry.name.as_deref().unwrap_or_default();
            reading.problem(entry.line, format!("the package {} has no name or no version", quote(name)));
            continue;
        };
        let package = Package::new(Ecosystem::Packagist, name, plain(version), entry.line);
        let package = Package { scope, source: entry.source(), ..package };
        entry.tell(&package, &mut reading.links.signs);
        provided.extend(entry.provides);
        if version.starts_with("dev-") || version.ends_with("-dev") {
            provided.insert(name.to_lowercase());
            let reason = "a branch, not a released version";
            if package.source != Source::Registry {
                reading.outside(Ecosystem::Packagist, name, package.source, entry.line);
            }
            let entry = NotJudged::new(Ecosystem::Packagist, name, version, entry.line, reason);
            reading.not_judged.push(NotJudged { scope, ..entry });
            continue;
        }
        by_name.insert(name.to_lowercase(), index(reading.packages.len()));
        needs.push((index(reading.packages.len()), entry.needs));
        let package = Package { licenses: entry.licenses.into(), ..package };
        if let Some(words) = entry.abandoned {
            reading.links.signs.push(sign(&package, Fact::Deprecated(words.chars().take(MOST_WORDS).collect())));
        }
        reading.packages.push(package);
    }
    reading.links.supplied = provided.iter().cloned().collect();
    for (from, needs) in needs {
        for (name, line) in needs {
            let small = name.to_lowercase();
            match by_name.get(&small) {
                Some(to) => reading.links.edges.push((from, *to)),
                None if is_platform(&small) || provided.contains(&small) => {}
                None => reading.unmet(&small, line),
            }
        }
    }
}

/// PHP itself, its extensions and libraries, and composer are no packages: their names have no vendor.
fn is_platform(name: &str) -> bool {
    !name.contains('/')
}
