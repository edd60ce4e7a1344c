//! What a `go.work` says of the modules that it uses: they are built together, and its replacements come before theirs.
//!
//! A module that is used is the folder, whatever version others ask of it for. Only modules at or below the folder of the `go.work`
//! are tied to it.

use std::collections::{HashMap, HashSet};

use super::find::Found;
use super::go_mod::{self, Module, Replacements};
use super::join::{folder, named_from};
use super::kind::Kind;
use super::reading::Reading;
use crate::package::Source;

/// Gives the modules of every `go.work` what it says of them.
pub(crate) fn settle(readings: &mut [(Found, Reading)]) {
    let works: Vec<(String, Module)> = readings
        .iter_mut()
        .filter(|(found, _)| found.kind == Kind::GoWork)
        .filter_map(|(found, reading)| Some((folder(&found.path).to_owned(), *reading.links.module.take()?)))
        .collect();
    for (root, work) in works {
        let used: HashSet<String> = work.uses.iter().filter_map(|place| named_from(&root, place)).collect();
        let is_used = |found: &Found| found.kind == Kind::GoMod && used.contains(folder(&found.path));
        let of_work = Replacements::of(&work.replaces);
        let local: HashMap<String, String> = readings
            .iter()
            .filter(|(found, _)| is_used(found))
            .filter_map(|(found, reading)| {
                Some((reading.links.module.as_ref()?.path.clone()?, folder(&found.path).to_owned()))
            })
            .collect();
        for (_, reading) in readings.iter_mut().filter(|(found, _)| is_used(found)) {
            let Some(module) = reading.links.module.take() else { continue };
            let own = Replacements::of(&module.replaces);
            let mut packages = module.requires.clone();
            let go = reading.packages.iter().filter(|package| go_mod::is_go(package)).cloned();
            let go: Vec<_> = go.collect();
            for package in &mut packages {
                if let Some(place) = local.get(&package.name) {
                    package.source = Source::Path(place.clone());
                } else if !of_work.put(package) {
                    own.put(package);
                }
            }
            packages.extend(go);
            reading.packages = packages;
        }
    }
}
