//! `pubspec.lock`: Dart's lockfile, YAML. It says of each package how it is needed, where it comes from, and has no graph.
//!
//! The `sdks` at the end close it: a file without them was cut.

use std::borrow::Cow;

use super::address::{host, without_secret};
use super::door;
use super::reading::{Reading, quote};
use super::signs::{Archives, Listed};
use super::yaml::{self, Visit};
use crate::package::{Ecosystem, NotJudged, Package, Scope, Source};

/// Hosts that serve pub's public packages; the last is the mirror that Flutter's own documentation names.
const PUBLIC: &[&str] = &["pub.dev", "pub.dartlang.org", "pub.flutter-io.cn"];

#[derive(Default)]
struct Entry {
    name: String,
    line: u32,
    dependency: String,
    source: String,
    url: String,
    path: String,
    version: String,
    sha256: String,
    commit: String,
}

#[derive(Default)]
struct Lock {
    entries: Vec<Entry>,
    has_packages: bool,
    has_sdks: bool,
}

impl<'a> Visit<'a> for Lock {
    fn key(&mut self, path: yaml::Path<'_, 'a>, line: u32) {
        match path {
            [section] if section == "packages" => self.has_packages = true,
            [section] if section == "sdks" => self.has_sdks = true,
            [section, name] if section == "packages" => {
                self.entries.push(Entry { name: name.clone().into_owned(), line, ..Entry::default() });
            }
            _ => {}
        }
    }

    fn scalar(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, _: u32) {
        let value = &*value;
        let Some(entry) = self.entries.last_mut() else { return };
        let keys: Vec<&str> = path.iter().map(Cow::as_ref).collect();
        let slot = match keys.as_slice() {
            ["packages", _, "dependency"] => &mut entry.dependency,
            ["packages", _, "source"] => &mut entry.source,
            ["packages", _, "version"] => &mut entry.version,
            ["packages", _, "description", "url"] => &mut entry.url,
            ["packages", _, "description", "path"] => &mut entry.path,
            ["packages", _, "description", "sha256"] => &mut entry.sha256,
            ["packages", _, "description", "resolved-ref"] => &mut entry.commit,
            _ => return,
        };
        value.clone_into(slot);
    }
}

/// Reads a `pubspec.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let (lock, fault) = yaml::tell(text, Lock::default);
    if let Some(fault) = fault {
        reading.fault(fault);
    } else if !lock.has_packages {
        reading.problem(1, "no packages: pub did not write this file");
    } else if !lock.has_sdks {
        reading.problem(door::last_line(text), "no `sdks` at the end: the file may have been cut off");
    } else if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    }
    let mut archives = Archives::default();
    for entry in lock.entries {
        entry.settle(&mut archives, &mut reading);
    }
    archives.tell(&reading.packages, &mut reading.links.signs);
    reading.close()
}

impl Entry {
    fn settle(self, archives: &mut Archives, reading: &mut Reading) {
        // `direct dev`, `direct main`, `direct overridden`, `transitive`.
        let direct = self.dependency.starts_with("direct");
        if self.dependency == "direct overridden" {
            reading.links.overridden.push(self.name.clone());
        }
        let scope = if self.dependency == "direct dev" { Scope::Dev } else { Scope::Runtime };
        let address = || without_secret(&self.url).into_owned();
        let source = match self.source.as_str() {
            "hosted" if self.url.is_empty() || PUBLIC.contains(&host(&self.url)) => Source::Registry,
            "hosted" => Source::PrivateRegistry(address()),
            "git" => Source::Git(address()),
            "path" => Source::Path(self.path.clone()),
            // Flutter's and Dart's own packages have the version of the SDK and no release of their own.
            "sdk" => {
                let entry = NotJudged::new(
                    Ecosystem::Pub,
                    self.name,
                    self.version,
                    self.line,
                    "a part of the SDK, not a package",
                );
                return reading.not_judged.push(NotJudged { scope, ..entry });
            }
            other => {
                return reading
                    .problem(self.line, format!("{} is from {}, which is no source", quote(&self.name), quote(other)));
            }
        };
        if self.version.is_empty() {
            return reading.problem(self.line, format!("{} has no version", quote(&self.name)));
        }
        let mut listed = Listed::default();
        if !matches!(source, Source::Git(_)) {
            listed.address(&self.url);
        }
        listed.revision(&self.commit);
        if !self.sha256.is_empty() {
            listed.hash("sha256:");
        }
        archives.add(reading.packages.len(), listed);
        let package = Package::new(Ecosystem::Pub, self.name, self.version, self.line);
        reading.packages.push(Package { source, scope, direct: Some(direct), ..package });
    }
}
