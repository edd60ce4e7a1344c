//! Who needs whom in a lockfile, sorted once for all packages that are asked about.

use std::collections::{BTreeSet, HashMap};

use crate::package::{Input, Package};

/// The packages of one lockfile by name, and who needs each.
#[derive(Debug)]
pub(super) struct Tied {
    by_name: HashMap<String, Vec<u32>>,
    needed_by: HashMap<u32, Vec<u32>>,
}

impl Tied {
    pub(super) fn of(input: &Input) -> Self {
        let (mut by_name, mut needed_by): (HashMap<String, Vec<u32>>, HashMap<u32, Vec<u32>>) = Default::default();
        for (package, at) in input.packages.iter().zip(0..) {
            by_name.entry(package.name.to_string()).or_default().push(at);
        }
        for (from, to) in &input.edges {
            needed_by.entry(*to).or_default().push(*from);
        }
        Self { by_name, needed_by }
    }

    /// The versions of a package, with their places.
    fn copies<'i>(&'i self, input: &'i Input, name: &str) -> impl Iterator<Item = (u32, &'i Package)> {
        let places = self.by_name.get(name).into_iter().flatten().copied();
        places.filter_map(|at| Some((at, input.packages.get(at as usize)?)))
    }

    /// The versions of a package.
    pub(super) fn versions<'i>(&'i self, input: &'i Input, name: &str) -> BTreeSet<&'i str> {
        self.copies(input, name).map(|(_, package)| package.version.as_str()).collect()
    }

    /// All packages that need a version of a package.
    pub(super) fn needing<'i>(
        &'i self,
        input: &'i Input,
        name: &str,
        version: &'i str,
    ) -> impl Iterator<Item = &'i Package> {
        let meant = self.copies(input, name).filter(move |(_, package)| package.version == version);
        let from = meant.filter_map(|(at, _)| self.needed_by.get(&at)).flatten();
        from.filter_map(|from| input.packages.get(*from as usize))
    }
}
