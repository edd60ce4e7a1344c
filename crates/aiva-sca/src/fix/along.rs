//! What a plan says of packages that have their version from one place: a property, or an element that names several.
//!
//! The move is not blocked. That nothing here knows a version does not mean that nobody released it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// Who moves along in one file, found out once for all who have their versions from the same places.
pub(super) struct Along<'a> {
    versions: &'a Versions<'a>,
    puts: &'a Spans,
    known: HashMap<Vec<usize>, [List; 2]>,
}

/// Names, each as it is shown, of which one that asks leaves its own out.
#[derive(Default)]
struct List {
    names: Vec<(String, String)>,
    /// How many are one in the registry's spelling.
    spelled: HashMap<String, usize>,
}

impl<'a> Along<'a> {
    pub(super) fn new(versions: &'a Versions<'a>, puts: &'a Spans) -> Self {
        Self { versions, puts, known: HashMap::new() }
    }

    /// Who moves along with a package, and of whom of them neither an advisory nor a file here says that they have the version.
    pub(super) fn with(&mut self, name: &str, draft: &Draft) -> Result<[Few; 2], Damage> {
        let Some(ecosystem) = draft.ecosystem.filter(|_| !draft.shared.is_empty() || !draft.found.is_empty()) else {
            return Ok(Default::default());
        };
        let mut places: Vec<usize> = draft.entries.iter().filter_map(|entry| entry.at).collect();
        places.sort_unstable();
        places.dedup();
        if !self.known.contains_key(&places) {
            self.known.insert(places.clone(), self.lists(ecosystem, draft)?);
        }
        let few = |list: &List| list.without(ecosystem, name);
        Ok(self.known.get(&places).map(|lists| lists.each_ref().map(few)).unwrap_or_default())
    }

    fn lists(&self, ecosystem: Ecosystem, draft: &Draft) -> Result<[List; 2], Damage> {
        let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let of_property = || draft.entries.iter().filter(|entry| entry.property.is_some());
        let found = draft.found.iter().flat_map(|name| of_property().map(move |entry| (name, entry.stands(self.puts))));
        let shared = draft.shared.iter().filter_map(|(at, names)| Some((names, self.puts.to(*at)?)));
        let shared = shared.flat_map(|(names, to)| names.iter().map(move |name| (name, to)));
        for (name, to) in shared.chain(found) {
            all.entry(name).or_default().insert(to);
        }
        let mut unknown = List::default();
        for (name, to) in &all {
            for to in to {
                if !self.versions.knows(ecosystem, name, to)? {
                    unknown.add(ecosystem, name, format!("{name} {to}"));
                }
            }
        }
        let mut along = List::default();
        all.into_keys().for_each(|name| along.add(ecosystem, name, name.to_owned()));
        Ok([along, unknown])
    }
}

impl List {
    fn add(&mut self, ecosystem: Ecosystem, name: &str, shown: String) {
        self.names.push((name.to_owned(), shown));
        *self.spelled.entry(spelled(ecosystem, name).into_owned()).or_default() += 1;
    }

    fn without(&self, ecosystem: Ecosystem, name: &str) -> Few {
        let own = spelled(ecosystem, name);
        let all = self.names.len() - self.spelled.get(&*own).copied().unwrap_or_default();
        let others = self.names.iter().filter(|(other, _)| spelled(ecosystem, other) != own);
        Few::of(others.map(|(_, shown)| shown), all)
    }
}
