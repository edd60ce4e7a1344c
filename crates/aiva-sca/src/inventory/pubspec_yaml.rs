//! `pubspec.yaml`: what a Dart or Flutter project asks pub for.
//!
//! A version without a sign is a pin. An override takes the place of what it overrides. A folder of the project and a part of the
//! SDK are no packages; a git repository and another host are not the public package of the name.

use std::borrow::Cow;

use super::address::{host, without_secret};
use super::door;
use super::ending;
use super::reading::{Declared, Reading};
use super::yaml::{self, Visit};
use crate::package::{Ecosystem, NotJudged, Package, Scope, Source};

#[derive(Default)]
struct Entry {
    name: String,
    line: u32,
    scope: Scope,
    is_override: bool,
    version: String,
    /// `git`, `path`, `sdk` or `hosted`, where the entry is a table.
    kind: Option<&'static str>,
    address: String,
}

#[derive(Default)]
struct Pubspec {
    name: Option<String>,
    entries: Vec<Entry>,
    has_keys: bool,
    /// Whether it is a part of a workspace, whose packages are in no lockfile.
    is_shared: bool,
}

const KINDS: [&str; 4] = ["git", "path", "sdk", "hosted"];

/// The scope of a section, and whether it overrides others.
fn section(key: &str) -> Option<(Scope, bool)> {
    Some(match key {
        "dependencies" => (Scope::Runtime, false),
        "dev_dependencies" => (Scope::Dev, false),
        "dependency_overrides" => (Scope::Runtime, true),
        _ => return None,
    })
}

impl<'a> Visit<'a> for Pubspec {
    fn key(&mut self, path: yaml::Path<'_, 'a>, line: u32) {
        self.has_keys = true;
        match path {
            [key] if key == "workspace" || key == "resolution" => self.is_shared = true,
            [list, name] => {
                let Some((scope, is_override)) = section(list) else { return };
                let name = name.clone().into_owned();
                self.entries.push(Entry { name, line, scope, is_override, ..Entry::default() });
            }
            [list, _, kind] if section(list).is_some() => {
                let kind = KINDS.into_iter().find(|known| kind == known);
                if let (Some(entry), Some(kind)) = (self.entries.last_mut(), kind) {
                    entry.kind = Some(kind);
                }
            }
            _ => {}
        }
    }

    fn scalar(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, _: u32) {
        let value = &*value;
        let keys: Vec<&str> = path.iter().map(Cow::as_ref).collect();
        if keys == ["name"] {
            self.name = Some(value.to_owned());
            return;
        }
        if keys.first().is_none_or(|list| section(list).is_none()) {
            return;
        }
        let Some(entry) = self.entries.last_mut() else { return };
        match keys.as_slice() {
            [_, _] | [_, _, "version"] => value.clone_into(&mut entry.version),
            [_, _, "git" | "path" | "sdk" | "hosted"] | [_, _, "git" | "hosted", "url"] => {
                value.clone_into(&mut entry.address);
            }
            _ => {}
        }
    }
}

/// Reads a `pubspec.yaml`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let (pubspec, fault) = yaml::tell(text, Pubspec::default);
    if let Some(fault) = fault {
        // The end of the text counts as a line of its own where it is cut.
        reading.problem(fault.line.min(door::last_line(text)), fault.message);
    } else if !pubspec.has_keys {
        reading.problem(1, "no keys: not a pubspec.yaml");
    }
    // A name alone asks for any version, so with a line break behind it nothing is missing.
    if let Some(last) = ending::open_line(text)
        && let Some(entry) = pubspec.entries.last().filter(|entry| entry.line == door::last_line(text))
    {
        if entry.kind.is_none() && entry.version.is_empty() {
            let message = "the file ends with the name of a package: what is asked of it may have been cut off";
            reading.problem(entry.line, message);
        } else if entry.may_be_half(last) {
            ending::doubt(text, &mut reading);
        }
    }
    reading.links.name = pubspec.name;
    let overridden: std::collections::HashSet<String> =
        pubspec.entries.iter().filter(|entry| entry.is_override).map(|entry| entry.name.clone()).collect();
    reading.links.overridden.extend(overridden.iter().cloned());
    for entry in pubspec.entries {
        let scope = entry.scope;
        if !entry.is_override {
            let requirement = entry.version.clone();
            reading.links.declared.push(Declared::new(&entry.name, requirement, scope, entry.line));
            if pubspec.is_shared {
                reading.links.conditional.push(entry.name.clone());
            }
        }
        if entry.is_override || !overridden.contains(&entry.name) {
            entry.settle(&mut reading);
        }
    }
    reading.close()
}

impl Entry {
    /// A version of pub has three numbers.
    fn may_be_half(&self, last: &str) -> bool {
        self.kind.is_none()
            && !matches!(self.version.as_str(), "any")
            && !(ending::ends_whole(last) && ending::is_full(&self.version))
    }

    fn settle(self, reading: &mut Reading) {
        let Self { name, line, scope, version, .. } = self;
        let address = without_secret(&self.address).into_owned();
        let is_public = address.is_empty() || matches!(host(&address), "pub.dev" | "pub.dartlang.org");
        let (place, reason) = match self.kind {
            Some("path") => return reading.outside(Ecosystem::Pub, &name, Source::Path(address), line),
            Some("sdk") => (version, "a part of the SDK, not a package"),
            Some("git") => (address.clone(), "a git dependency, not a released version"),
            // `hosted: name` is another name at the public host.
            Some("hosted") if !is_public && address.contains(':') => {
                (version, "from another host, where a public name may be another package")
            }
            _ if name.is_empty() => return reading.problem(line, "a dependency without a name"),
            _ if is_pin(&version) => {
                let package = Package::new(Ecosystem::Pub, name, version, line);
                return reading.packages.push(Package { scope, direct: Some(true), ..package });
            }
            _ => return reading.range(Ecosystem::Pub, name, version, scope, line),
        };
        if name.is_empty() {
            return reading.problem(line, "a dependency without a name");
        }
        let registry = match self.kind {
            Some("hosted") => Some(address.clone()),
            _ => None,
        };
        match self.kind {
            Some("git") => reading.outside(Ecosystem::Pub, &name, Source::Git(place.clone()), line),
            Some("hosted") => reading.outside(Ecosystem::Pub, &name, Source::PrivateRegistry(address), line),
            _ => {}
        }
        let entry = NotJudged::new(Ecosystem::Pub, name, place.as_str(), line, reason);
        let entry = match registry {
            Some(registry) => entry.of_registry(&registry, place),
            None => entry,
        };
        reading.not_judged.push(NotJudged { scope, ..entry });
    }
}

fn is_pin(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit()) && !version.contains([' ', '<', '>', '^', '='])
}
