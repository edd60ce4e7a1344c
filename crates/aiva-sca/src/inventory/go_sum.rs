//! `go.sum`: what stands in for the module graph of a `go.mod` from before Go 1.17.
//!
//! Such a `go.mod` names only what the module itself asks for, and not what that needs in turn. The `go.sum` beside it has a hash
//! for each module whose code was needed, so its highest versions are taken for those that the `go.mod` does not name: that is
//! what minimal version selection builds with. From Go 1.17 on the `go.mod` has all, and no `go.sum` is read.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::door;
use super::find::Found;
use super::graph::index;
use super::join::{folder, inside};
use super::kind::Kind;
use super::reading::{Reading, quote};
use super::walk::{Options, read_within};
use crate::package::{Ecosystem, NotJudged, Package};
use crate::version::Version;

/// Reads a `go.sum`: every module whose code, and not only its `go.mod`, has a hash.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    for (number, line) in text.lines().enumerate() {
        let number = index(number + 1);
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, version) = match words.as_slice() {
            [] => continue,
            [name, version, hash] if hash.starts_with("h1:") => (*name, *version),
            _ => {
                reading.problem(number, format!("not a module with its version and hash: {}", quote(line)));
                continue;
            }
        };
        match version.strip_prefix('v') {
            Some(version) if version.ends_with("/go.mod") => {}
            Some(version) if version.starts_with(|c: char| c.is_ascii_digit()) => {
                reading
                    .packages
                    .push(Package { direct: Some(false), ..Package::new(Ecosystem::Go, name, version, number) });
            }
            _ => reading.problem(number, format!("not a version of a module: {}", quote(version))),
        }
    }
    if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    }
    reading.close()
}

/// Gives every older `go.mod` the modules that it does not name, or says that they are not known.
pub(crate) fn follow(root: &Path, readings: &mut Vec<(Found, Reading)>, options: &Options) {
    // Asked for each group of the tree, of which few have one.
    if !readings.iter().any(|(found, reading)| found.kind == Kind::GoMod && reading.links.partial_graph.is_some()) {
        return;
    }
    let vendored: HashSet<String> = readings
        .iter()
        .filter(|(found, _)| found.kind == Kind::VendorModules)
        .map(|(found, _)| folder(folder(&found.path)).to_owned())
        .collect();
    let Ok(real_root) = root.canonicalize() else { return };
    let mut added = Vec::new();
    for (found, reading) in readings.iter_mut().filter(|(found, _)| found.kind == Kind::GoMod) {
        let Some(line) = reading.links.partial_graph.take() else { continue };
        let own = folder(&found.path);
        if vendored.contains(own) {
            continue; // Its list of modules is whole.
        }
        let path = inside(own, "go.sum");
        let file = found.file.with_file_name("go.sum");
        if let Some(mut sum) = read_within(&real_root, &file, Kind::GoSum, options) {
            sum.packages = selected(std::mem::take(&mut sum.packages), &reading.packages);
            added.push((Found { path, file, kind: Kind::GoSum }, sum));
        } else {
            let reason = "a go.mod from before Go 1.17 does not name them, and no go.sum is beside it";
            let what = "modules that these need";
            reading.not_judged.push(NotJudged::new(Ecosystem::Go, what, "", line, reason));
        }
    }
    readings.extend(added);
}

/// The highest version of each module that the `go.mod` does not name.
fn selected(modules: Vec<Package>, named: &[Package]) -> Vec<Package> {
    let named: HashSet<&str> = named.iter().map(|package| package.name.as_str()).collect();
    let mut highest: HashMap<String, (Option<Version>, Package)> = HashMap::new();
    for module in modules.into_iter().filter(|module| !named.contains(module.name.as_str())) {
        let version = Version::parse(Ecosystem::Go, &module.version);
        match highest.get(module.name.as_str()) {
            Some((known, _)) if *known >= version => {}
            _ => {
                highest.insert(module.name.to_string(), (version, module));
            }
        }
    }
    let mut selected: Vec<Package> = highest.into_values().map(|(_, module)| module).collect();
    selected.sort_by_key(|module| module.line);
    selected
}
