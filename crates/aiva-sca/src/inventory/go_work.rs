//! What a `go.work` says of the modules that it uses: they are built together, and its replacements come before theirs.
//!
//! A module that is used is the folder, whatever version others ask of it for. Only modules at or below the folder of the `go.work`
//! are tied to it, and only to the nearest: that is the one that Go goes by there.

use std::collections::{HashMap, HashSet};

use super::find::Found;
use super::go_mod::{self, Module, Replacements};
use super::join::{above, folder, named_from};
use super::kind::Kind;
use super::reading::Reading;
use crate::package::Source;

/// Gives the modules of every `go.work` what it says of them.
pub(crate) fn settle(readings: &mut [(Found, Reading)]) {
    let work_files = readings.iter().filter(|(found, _)| found.kind == Kind::GoWork);
    let roots: HashSet<String> = work_files.map(|(found, _)| folder(&found.path).to_owned()).collect();
    let works: Vec<(String, Module)> = readings
        .iter_mut()
        .filter(|(found, _)| found.kind == Kind::GoWork)
        .filter_map(|(found, reading)| Some((folder(&found.path).to_owned(), *reading.links.module.take()?)))
        .collect();
    for (root, work) in works {
        let used: HashSet<String> = work.uses.iter().filter_map(|place| named_from(&root, place)).collect();
        let is_nearest = |own: &str| above(own).find(|above| roots.contains(*above)) == Some(&root);
        let is_used = |found: &Found| {
            let own = folder(&found.path);
            found.kind == Kind::GoMod && used.contains(own) && is_nearest(own)
        };
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
                if let Some(place) = local.get(package.name.as_str()) {
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
