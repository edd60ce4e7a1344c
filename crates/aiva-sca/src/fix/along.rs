//! What a plan says of packages that have their version from one place: a property, or an element that names several.
//!
//! The move is not blocked. That nothing here knows a version does not mean that nobody released it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::aim::Versions;
use super::ask::Entry;
use super::desk::{Desk, Draft};
use super::plan::Few;
use super::spans::Spans;
use super::{Case, Stay};
use crate::advisory::Damage;
use crate::name::spelled;
use crate::package::Ecosystem;

/// Says of what goes further than it has to, because another package has its version from the same place, that nothing here knows
/// whether it has that version.
pub(super) fn share(desk: &Desk<'_>, cases: &mut [Case<'_>]) {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    cases.iter().enumerate().for_each(|(at, case)| by_name.entry(case.name).or_default().push(at));
    for sheet in desk.texts.values() {
        for (name, draft) in &sheet.bumps {
            let raised: Vec<&Entry> =
                draft.entries.iter().filter(|entry| entry.stands(&sheet.puts) != entry.to).collect();
            for at in by_name.get(name.as_str()).into_iter().flatten().filter(|_| !raised.is_empty()) {
                let Some(case) = cases.get_mut(*at).filter(|case| case.stays.is_none()) else { continue };
                if !draft.serves.contains(&(case.path.to_owned(), case.version.to_owned())) {
                    continue;
                }
                let is_meant = |entry: &&&Entry| entry.held.iter().any(|held| held == case.version);
                let Some(entry) = raised.iter().find(is_meant) else { continue };
                let (to, wanted) = (entry.stands(&sheet.puts), &entry.to);
                let place = entry.property.as_deref().unwrap_or("its element");
                let reason = format!(
                    "{place} moves to {to} for another package, where {wanted} would do; whether {name} has {to}, nothing here says"
                );
                case.stays = Some((Stay::Perhaps, reason));
            }
        }
    }
}

/// Who moves along in one file: a list for each place, made once for all who have their versions from it.
pub(super) struct Along<'a> {
    versions: &'a Versions<'a>,
    puts: &'a Spans,
    by_place: HashMap<usize, [List; 2]>,
    /// Of what turned out to move along, which is the same for all in a file, by version.
    found: HashMap<String, [List; 2]>,
}

/// Names, each with its version where that is shown, in their order; one that asks leaves its own out.
#[derive(Default)]
struct List {
    names: Vec<(String, Option<String>)>,
    /// How many are one in the registry's spelling.
    spelled: HashMap<String, usize>,
}

#[cfg(test)]
thread_local! {
    /// How many names were put in lists.
    pub(super) static LISTED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many names of further lists are looked up for one package, to count each once.
const MOST: usize = 1000;

impl<'a> Along<'a> {
    pub(super) fn new(versions: &'a Versions<'a>, puts: &'a Spans) -> Self {
        Self { versions, puts, by_place: HashMap::new(), found: HashMap::new() }
    }

    /// Who moves along with a package, and of whom of them neither an advisory nor a file here says that they have the version.
    pub(super) fn with(&mut self, name: &str, draft: &Draft) -> Result<[Few; 2], Damage> {
        let Some(ecosystem) = draft.ecosystem.filter(|_| !draft.shared.is_empty() || !draft.found.is_empty()) else {
            return Ok(Default::default());
        };
        for (at, names) in draft.shared.iter().filter(|(at, _)| !self.by_place.contains_key(at)).collect::<Vec<_>>() {
            let Some(to) = self.puts.to(*at) else { continue };
            self.by_place.insert(*at, self.lists(ecosystem, names, to)?);
        }
        let of_property = draft.entries.iter().filter(|entry| entry.property.is_some());
        let stands: BTreeSet<&str> = of_property.map(|entry| entry.stands(self.puts)).collect();
        for to in stands.iter().filter(|_| !draft.found.is_empty()) {
            if !self.found.contains_key(*to) {
                self.found.insert((*to).to_owned(), self.lists(ecosystem, &draft.found, to)?);
            }
        }
        let places = draft.shared.keys().filter_map(|at| self.by_place.get(at));
        let all: Vec<&[List; 2]> = places.chain(stands.iter().filter_map(|to| self.found.get(*to))).collect();
        let own = spelled(ecosystem, name);
        let few = |which: fn(&[List; 2]) -> &List| few(all.iter().map(|lists| which(lists)), ecosystem, &own);
        Ok([few(|[along, _]| along), few(|[_, unknown]| unknown)])
    }

    /// Names that move to a version, and those of them of which it is not known.
    fn lists(&self, ecosystem: Ecosystem, names: &[String], to: &str) -> Result<[List; 2], Damage> {
        let (mut along, mut unknown) = (List::default(), List::default());
        for name in names.iter().collect::<BTreeSet<_>>() {
            along.add(ecosystem, name, None);
            if !self.versions.knows(ecosystem, name, to)? {
                unknown.add(ecosystem, name, Some(to.to_owned()));
            }
        }
        Ok([along, unknown])
    }
}

impl List {
    /// Takes the next name in their order.
    fn add(&mut self, ecosystem: Ecosystem, name: &str, to: Option<String>) {
        #[cfg(test)]
        LISTED.set(LISTED.get() + 1);
        self.names.push((name.to_owned(), to));
        *self.spelled.entry(spelled(ecosystem, name).into_owned()).or_default() += 1;
    }

    /// How many there are but for those of a spelling.
    fn without(&self, own: &str) -> usize {
        self.names.len() - self.spelled.get(own).copied().unwrap_or_default()
    }

    fn has(&self, name: &(String, Option<String>)) -> bool {
        self.names.binary_search(name).is_ok()
    }
}

/// The first of all lists, each name once, and how many there are. Only the longest list is counted without being looked through.
fn few<'l>(lists: impl Iterator<Item = &'l List>, ecosystem: Ecosystem, own: &str) -> Few {
    let mut lists: Vec<&List> = lists.filter(|list| list.without(own) > 0).collect();
    lists.sort_by_key(|list| Reverse(list.names.len()));
    let Some((longest, further)) = lists.split_first() else { return Few::default() };
    let others = |list: &'l List| list.names.iter().filter(|(name, _)| spelled(ecosystem, name) != own);
    let first: BTreeSet<_> = lists.iter().flat_map(|list| others(list).take(Few::MOST)).collect();
    let seen: HashSet<_> = further.iter().flat_map(|list| others(list)).take(MOST).collect();
    let all = longest.without(own) + seen.into_iter().filter(|name| !longest.has(name)).count();
    let shown =
        first.into_iter().map(|(name, to)| to.as_ref().map_or_else(|| name.clone(), |to| format!("{name} {to}")));
    let is_least = further.iter().map(|list| list.without(own)).sum::<usize>() > MOST;
    Few { is_least, ..Few::of(shown, all) }
}
