//! `cabal.project.freeze` and `stack.yaml.lock`: what Haskell's two tools have pinned.
//!
//! Stack's lockfile names what its snapshot does not have; the snapshot itself is an address, so it is listed as not judged.

use super::address::without_secret;
use super::door;
use super::graph::index;
use super::reading::{Reading, quote};
use super::yaml::{self, ITEM, Visit};
use crate::package::{Ecosystem, NotJudged, Package};

/// Reads a `cabal.project.freeze`.
pub(crate) fn read_freeze(text: &str) -> Reading {
    let mut reading = Reading::default();
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

/// `any.aeson ==1.5.6.0`, or a choice of flags (`aeson -bytestring-builder`), which pins nothing.
fn constraint_of(text: &str, line: u32, reading: &mut Reading) {
    let Some((name, version)) = text.split_once("==") else {
        let is_flags = text.split_whitespace().skip(1).all(|word| word.starts_with(['+', '-']));
        if !is_flags || text.split_whitespace().count() < 2 {
            reading.problem(line, format!("not a pin: {}", quote(text)));
        }
        return;
    };
    let name = name.trim();
    let name = name.rsplit_once('.').map_or(name, |(_, name)| name);
    let version = version.trim();
    let is_version = version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if name.is_empty() || version.is_empty() || !is_version {
        return reading.problem(line, format!("not a pin: {}", quote(text)));
    }
    reading.packages.push(Package::new(Ecosystem::Hackage, name, version, line));
}

#[derive(Default)]
struct Stack {
    hackage: Vec<(String, u32)>,
    others: Vec<(String, u32)>,
    snapshots: Vec<(String, u32)>,
    has_snapshots: bool,
}

impl<'a> Visit<'a> for Stack {
    fn key(&mut self, path: yaml::Path<'_, 'a>, _: u32) {
        self.has_snapshots |= matches!(path, [key] if key == "snapshots");
    }

    fn scalar(&mut self, path: yaml::Path<'_, 'a>, value: &str, line: u32) {
        match path {
            [section, item, outer, key] if section == "packages" && item == ITEM && outer == "completed" => {
                match key.as_ref() {
                    "hackage" => self.hackage.push((value.to_owned(), line)),
                    "git" | "hg" | "url" => self.others.push((value.to_owned(), line)),
                    _ => {}
                }
            }
            [section, item, outer, key]
                if section == "snapshots" && item == ITEM && outer == "completed" && key == "url" =>
            {
                self.snapshots.push((value.to_owned(), line));
            }
            _ => {}
        }
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
    } else if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    }
    for (text, line) in lock.hackage {
        // `acme-missiles-0.3@sha256:…,613`
        let plain = text.split('@').next().unwrap_or(&text);
        match plain.rsplit_once('-').filter(|(name, version)| !name.is_empty() && !version.is_empty()) {
            Some((name, version)) => reading.packages.push(Package::new(Ecosystem::Hackage, name, version, line)),
            None => reading.problem(line, format!("not a package with its version: {}", quote(&text))),
        }
    }
    for (address, line) in lock.others {
        let reason = "from an address, not from Hackage: it has no version";
        let name = without_secret(&address).into_owned();
        reading.not_judged.push(NotJudged::new(Ecosystem::Hackage, name, "", line, reason));
    }
    for (address, line) in lock.snapshots {
        let reason = "a snapshot is an address; the packages that it has are not in the file";
        let name = without_secret(&address).into_owned();
        reading.not_judged.push(NotJudged::new(Ecosystem::Hackage, name, "", line, reason));
    }
    reading.close()
}
