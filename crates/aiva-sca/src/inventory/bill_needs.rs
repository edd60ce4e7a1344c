//! Who needs whom in a bill of materials, and what the project itself asks for.
//!
//! Between what a bill is about and its packages there is often a lockfile, an application, or a package of the project, which has no
//! package URL: needs are followed through those. Start reading at [`connect`].

use std::collections::{HashMap, HashSet};

use super::graph::stronger;
use super::reading::{Reading, quote};
use crate::package::{Package, Scope};

/// What one component says of another.
pub(super) struct Need {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) how: How,
    pub(super) scope: Option<Scope>,
    pub(super) line: u32,
}

/// How one component leads to another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Needs,
    /// Trivy says so of a lockfile and what is direct in it; others say so of what a bill is about and each of its packages.
    Contains,
}

impl Need {
    pub(super) fn new(from: String, to: String, line: u32) -> Self {
        Self { from, to, how: How::Needs, scope: None, line }
    }
}

/// How many steps are taken through components that are no packages, for each thing that is said: a few lockfiles that all packages
/// need would cost the one times the other.
const MOST_STEPS: usize = 16;

/// Ties packages to each other. `places` has every component: a package by its index, or something that is none.
pub(super) fn connect(
    needs: &[Need],
    places: &HashMap<String, Option<u32>>,
    subject: Option<&str>,
    reading: &mut Reading,
) {
    let mut scopes: HashMap<u32, Scope> = HashMap::new();
    let mut through = Through { next: HashMap::new(), subject, left: needs.len().saturating_mul(MOST_STEPS) };
    for need in needs {
        let Some(to) = places.get(&need.to).copied() else {
            if need.how == How::Needs && !is_elsewhere(&need.to) {
                reading.problem(need.line, format!("{} is needed, but not in the file", quote(&need.to)));
            }
            continue;
        };
        let from = places.get(&need.from).copied().flatten();
        if let (How::Needs, Some(to)) = (need.how, to) {
            let scope = need.scope.unwrap_or_default();
            scopes.entry(to).and_modify(|known| *known = stronger(*known, scope)).or_insert(scope);
            reading.links.edges.extend(from.map(|from| (from, to)));
        }
        let is_list = need.how == How::Contains && to.is_some() && subject == Some(&need.from);
        if from.is_none() && !is_list {
            through.next.entry(&need.from).or_default().push((&need.to, to));
        }
    }
    let direct = subject.and_then(|subject| through.packages(subject)).unwrap_or_default();
    let between = needs.iter().filter(|need| matches!(places.get(&need.to), Some(None)));
    let before = reading.links.edges.len();
    for need in between.filter(|need| need.how == How::Needs) {
        let Some(from) = places.get(&need.from).copied().flatten() else { continue };
        let Some(found) = through.packages(&need.to) else {
            reading
                .problem(need.line, "too much is needed through what is no package: who needs whom is not all known");
            break;
        };
        reading.links.edges.extend(found.into_iter().map(|to| (from, to)));
    }
    if reading.links.edges.len() > before {
        reading.links.edges.sort_unstable();
        reading.links.edges.dedup();
    }
    for (at, scope) in scopes.into_iter().filter(|(_, scope)| *scope != Scope::Runtime) {
        if let Some(package) = reading.packages.get_mut(at as usize) {
            package.scope = scope; // Nobody needs it for more.
        }
    }
    mark(&direct, needs, places, subject, reading);
}

/// Marks what the project asks for. The packages of a system, of which there are many, are so only where the bill says so itself.
fn mark(
    direct: &[u32],
    needs: &[Need],
    places: &HashMap<String, Option<u32>>,
    subject: Option<&str>,
    reading: &mut Reading,
) {
    let of_subject = needs.iter().filter(|need| need.how == How::Needs && subject == Some(&need.from));
    let named: HashSet<u32> = of_subject.filter_map(|need| places.get(&need.to).copied().flatten()).collect();
    let is_system = |package: &Package| package.ecosystem.system().is_some();
    let needed: Vec<u32> = reading.links.edges.iter().filter(|(from, to)| from != to).map(|(_, to)| *to).collect();
    let packages = &mut reading.packages;
    let get = |at: &u32| packages.get(*at as usize);
    let is_asked = |at: &u32| named.contains(at) || get(at).is_some_and(|package| !is_system(package));
    let asked: Vec<u32> = direct.iter().copied().filter(is_asked).collect();
    let has_system = named.iter().any(|at| get(at).is_some_and(is_system));
    if asked.is_empty() {
        return;
    }
    // What nobody is said to need came in somehow all the same: nobody knows how.
    for to in needed {
        if let Some(package) = packages.get_mut(to as usize)
            && (has_system || !is_system(package))
        {
            package.direct = Some(false);
        }
    }
    for at in asked {
        if let Some(package) = packages.get_mut(at as usize) {
            package.direct = Some(true);
        }
    }
}

/// SPDX's words for nothing, and what another document holds.
fn is_elsewhere(id: &str) -> bool {
    id.is_empty()
        || matches!(id, "NONE" | "NOASSERTION")
        || id.starts_with("DocumentRef-")
        || id.starts_with("urn:cdx:")
}

/// Ways through what is no package.
struct Through<'n> {
    /// What each of them leads to, by its id.
    next: HashMap<&'n str, Vec<(&'n str, Option<u32>)>>,
    subject: Option<&'n str>,
    /// How many steps may still be taken.
    left: usize,
}

impl Through<'_> {
    /// The packages that something which is none leads to, in the order of the file; `None` where that costs too much.
    fn packages(&mut self, start: &str) -> Option<Vec<u32>> {
        let (mut found, mut seen) = (Vec::new(), HashSet::from([start]));
        let mut stack: Vec<&str> = vec![start];
        while let Some(at) = stack.pop() {
            for (to, package) in self.next.get(at).map(Vec::as_slice).unwrap_or_default() {
                self.left = self.left.checked_sub(1)?;
                match package {
                    Some(package) => found.push(*package),
                    None if self.subject != Some(to) && seen.insert(to) => stack.push(to),
                    None => {}
                }
            }
        }
        Some(found)
    }
}
