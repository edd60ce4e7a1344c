//! `cabal.project.freeze` and `stack.yaml.lock`: what Haskell's two tools have pinned.
//!
//! Stack's lockfile names what its snapshot does not have; the snapshot itself is an address, so it is listed as not judged.

use std::borrow::Cow;

use super::address::without_secret;
use super::door;
use super::graph::index;
use super::reading::{Reading, quote};
use super::yaml::{self, ITEM, Visit};
use crate::package::{Ecosystem, NotJudged, Package, Source};

/// Reads a `cabal.project.freeze`.
pub(crate) fn read_freeze(text: &str) -> Reading {
    let mut reading = Reading::default();
    // cabal closes the file with the state of its index; a file that has only that pins nothing.
    let (mut field, mut has_constraints) = (String::new(), false);
    for (number, line) in text.lines().enumerate() {
        let number = index(number + 1);
        let mut content = line.trim();
        if content.is_empty() || content.starts_with("--") {
            continue;
        }
        if !line.starts_with([' ', '\t'])
            && let Some((name, rest)) = content.split_once(':')
        {
            name.trim().to_ascii_lowercase().clone_into(&mut field);
            content = rest.trim();
        }
        if field != "constraints" {
            has_constraints |= field == "index-state";
            continue;
        }
        has_constraints = true;
        for constraint in content.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            constraint_of(constraint, number, &mut reading);
        }
    }
    if !has_constraints {
        reading.problem(door::last_line(text), "no constraints: not a cabal.project.freeze, or it was cut off");
    } else if door::is_cut(text) || text.trim_end().ends_with(',') {
        reading.problem(door::last_line(text), door::CUT);
    }
    reading.close()
}

/// `any.aeson ==1.5.6.0`, or a choice of flags (`aeson -bytestring-builder`), which pins nothing. A package that is built in
/// two versions, one of them for setup scripts, is pinned to both: `any.text ==1.2.3.2 || ==1.2.4.1`.
fn constraint_of(text: &str, line: u32, reading: &mut Reading) {
    let Some(at) = text.find("==") else {
        let is_choice = |word: &str| word.starts_with(['+', '-']) || matches!(word, "installed" | "source");
        let is_flags = text.split_whitespace().skip(1).all(is_choice);
        if !is_flags || text.split_whitespace().count() < 2 {
            reading.problem(line, format!("not a pin: {}", quote(text)));
        }
        return;
    };
    let (name, versions) = text.split_at_checked(at).unwrap_or((text, ""));
    let name = name.trim();
    let name = name.rsplit_once(['.', ':']).map_or(name, |(_, name)| name);
    for version in versions.split("||") {
        let version = version.trim().strip_prefix("==").unwrap_or_default().trim();
        let is_version = version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if name.is_empty() || version.is_empty() || !is_version {
            return reading.problem(line, format!("not a pin: {}", quote(text)));
        }
        reading.packages.push(Package::new(Ecosystem::Hackage, name, version, line));
    }
}

#[derive(Default)]
struct Stack {
    entries: Vec<Entry>,
    snapshots: Vec<(String, u32)>,
    has_snapshots: bool,
    /// Snapshots that were completed, and what they were completed from.
    completed: u32,
    originals: u32,
}

/// One package, with what it was completed to.
#[derive(Default)]
struct Entry {
    line: u32,
    hackage: String,
    name: String,
    version: String,
    git: String,
    url: String,
    commit: String,
}

impl<'a> Visit<'a> for Stack {
    fn key(&mut self, path: yaml::Path<'_, 'a>, line: u32) {
        self.has_snapshots |= matches!(path, [key] if key == "snapshots");
        if let [section, item, outer] = path
            && section == "snapshots"
            && item == ITEM
        {
            self.completed += u32::from(outer == "completed");
            self.originals += u32::from(outer == "original");
        }
        if matches!(path, [section, item, outer] if section == "packages" && item == ITEM && outer == "completed") {
            self.entries.push(Entry { line, ..Entry::default() });
        }
    }

    fn scalar(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, line: u32) {
        let value = &*value;
        let [section, item, outer, key] = path else { return };
        if item != ITEM || outer != "completed" {
            return;
        }
        if section == "snapshots" && key == "url" {
            return self.snapshots.push((value.to_owned(), line));
        }
        let Some(entry) = self.entries.last_mut().filter(|_| section == "packages") else { return };
        let slot = match key.as_ref() {
            "hackage" => &mut entry.hackage,
            "name" => &mut entry.name,
            "version" => &mut entry.version,
            "git" | "hg" => &mut entry.git,
            "url" => &mut entry.url,
            "commit" => &mut entry.commit,
            _ => return,
        };
        value.clone_into(slot);
        if matches!(key.as_ref(), "hackage" | "name") {
            entry.line = line;
        }
    }
}

impl Entry {
    fn settle(self, reading: &mut Reading) {
        if !self.hackage.is_empty() {
            // `acme-missiles-0.3@sha256:…,613`
            let plain = self.hackage.split('@').next().unwrap_or(&self.hackage);
            let parts = plain.rsplit_once('-').filter(|(name, version)| !name.is_empty() && !version.is_empty());
            return match parts {
                Some((name, version)) => {
                    reading.packages.push(Package::new(Ecosystem::Hackage, name, version, self.line))
                }
                None => {
                    let message = format!("not a package with its version: {}", quote(&self.hackage));
                    reading.problem(self.line, message)
                }
            };
        }
        let address = without_secret(if self.git.is_empty() { &self.url } else { &self.git }).into_owned();
        if address.is_empty() {
            return reading.problem(self.line, "a package that is neither from Hackage nor from an address");
        }
        if self.name.is_empty() || self.version.is_empty() {
            let reason = "from an address, not from Hackage: it has no version";
            return reading.not_judged.push(NotJudged::new(Ecosystem::Hackage, address, "", self.line, reason));
        }
        let source = match (self.git.is_empty(), self.commit.is_empty()) {
            (true, _) => Source::Url(address),
            (false, true) => Source::Git(address),
            (false, false) => Source::Git(format!("{address}#{}", self.commit)),
        };
        let package = Package::new(Ecosystem::Hackage, self.name, self.version, self.line);
        reading.packages.push(Package { source, ..package });
    }
}

/// Reads a `stack.yaml.lock`.
pub(crate) fn read_stack(text: &str) -> Reading {
    let mut reading = Reading::default();
    let (lock, fault) = yaml::tell(text, Stack::default);
    if let Some(fault) = fault {
        reading.fault(fault);
    } else if !lock.has_snapshots {
        reading.problem(door::last_line(text), "no `snapshots` at the end: not a stack.yaml.lock, or it was cut off");
    } else if lock.completed != lock.originals || door::ends_open(text) {
        let message = "a snapshot is completed, but not said from what: the file may have been cut off";
        reading.problem(door::last_line(text), message);
    } else if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    }
    for entry in lock.entries {
        entry.settle(&mut reading);
    }
    for (address, line) in lock.snapshots {
        let reason = "a snapshot is an address; the packages that it has are not in the file";
        let name = without_secret(&address).into_owned();
        reading.not_judged.push(NotJudged::new(Ecosystem::Hackage, name, "", line, reason));
    }
    reading.close()
}
