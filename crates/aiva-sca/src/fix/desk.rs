//! The manifests at hand while a plan is made: each read once, with what was moved in it so far.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::ask::{Ask, Edited, Entry};
use super::keep::Lock;
use super::spans::Spans;
use super::{edit, markup};
use crate::inventory::{Kind, PomSources};
use crate::package::Ecosystem;
use crate::version::Version;

/// The manifests at hand while they are edited.
pub(super) struct Desk<'r> {
    pub(super) read: &'r dyn Fn(&str) -> Option<String>,
    pub(super) texts: BTreeMap<String, Sheet>,
    /// Which `pom.xml` gives which its versions, once anybody asked.
    pub(super) poms: Option<PomSources>,
    /// Lockfiles by path, each parsed once.
    pub(super) locks: BTreeMap<String, Option<Rc<Lock>>>,
    /// The project's own packages, once anybody asked.
    pub(super) own: Option<Rc<BTreeSet<String>>>,
}

/// A manifest that is being edited.
pub(super) struct Sheet {
    pub(super) before: String,
    /// With what was moved, once [`Desk::finish`] was called.
    pub(super) after: String,
    /// What was read of `before`, where its places serve all packages: XML.
    seen: Option<Result<markup::Sheet, String>>,
    /// What is put in those places; `after` has it once all is there.
    puts: Spans,
    /// What was moved, by package.
    pub(super) bumps: BTreeMap<String, Draft>,
}

/// A bump whose success is not known yet.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) entries: Vec<Entry>,
    pub(super) to: String,
    pub(super) drops: BTreeSet<String>,
    pub(super) along: BTreeSet<String>,
    pub(super) ecosystem: Option<Ecosystem>,
    /// The files that have the findings, with the versions.
    pub(super) serves: BTreeSet<(String, String)>,
}

/// Why a manifest is not edited.
pub(super) const UNREADABLE: &str = "it could not be read again as UTF-8 text, so it is not edited";

impl Sheet {
    fn new(text: String) -> Self {
        let puts = Spans::default();
        Self { before: text.clone(), after: text, seen: None, puts, bumps: BTreeMap::new() }
    }

    fn look(&mut self, kind: Kind, ask: &Ask<'_>) -> Result<Edited, String> {
        edit::bump(kind, &self.after, ask, &mut self.seen)
    }
}

impl Desk<'_> {
    /// The text of a lockfile, and what it says once anybody asks.
    pub(super) fn lock(&mut self, path: &str) -> Option<Rc<Lock>> {
        let read = self.read;
        let known = self.locks.entry(path.to_owned());
        known.or_insert_with(|| read(path).map(|text| Rc::new(Lock::new(text)))).clone()
    }

    /// An XML manifest as it was found; `None` where it is not there or cannot be read.
    pub(super) fn markup(&mut self, path: &str, kind: Kind) -> Option<&markup::Sheet> {
        let sheet = self.sheet(path).ok()?;
        let read = || markup::Sheet::read(kind, sheet.before.trim_start_matches('\u{feff}'));
        sheet.seen.get_or_insert_with(read).as_ref().ok()
    }

    fn sheet(&mut self, path: &str) -> Result<&mut Sheet, String> {
        match self.texts.entry(path.to_owned()) {
            Slot::Occupied(known) => Ok(known.into_mut()),
            Slot::Vacant(free) => {
                let text = (self.read)(path).ok_or_else(|| UNREADABLE.to_owned())?;
                Ok(free.insert(Sheet::new(text)))
            }
        }
    }

    /// What moving a package would do, and nothing done.
    pub(super) fn look(&mut self, path: &str, kind: Kind, ask: &Ask<'_>) -> Result<Edited, String> {
        self.sheet(path)?.look(kind, ask)
    }

    /// Writes what was only put so far.
    pub(super) fn finish(&mut self) {
        for sheet in self.texts.values_mut().filter(|sheet| sheet.puts != Spans::default()) {
            sheet.after = sheet.puts.applied(&sheet.before);
        }
    }

    /// Moves a package in a manifest; the entries are also those that were moved for somebody else before.
    pub(super) fn edit(&mut self, path: &str, kind: Kind, ask: &Ask<'_>, served: &str) -> Result<Edited, String> {
        let sheet = self.sheet(path)?;
        let mut edited = sheet.look(kind, ask)?;
        let known = sheet.bumps.get(ask.name).map(|draft| draft.entries.as_slice()).unwrap_or_default();
        let again: Vec<Entry> =
            known.iter().filter_map(|entry| Some(Entry { held: ask.to(&entry.old)?.1, ..entry.clone() })).collect();
        if edited.entries.is_empty() && again.is_empty() {
            return Ok(edited);
        }
        if edited.entries.iter().all(|entry| entry.is_kept) && again.is_empty() {
            return Ok(edited);
        }
        let draft = sheet.bumps.entry(ask.name.to_owned()).or_default();
        draft.ecosystem = Some(ask.ecosystem);
        draft.along.extend(edited.along.iter().cloned());
        draft.drops.extend(edited.drops.iter().cloned());
        let written = edited.entries.iter().filter(|entry| !entry.is_kept);
        let moved = written.clone().map(|entry| entry.to.as_str()).chain([draft.to.as_str()]);
        let later = moved.max_by_key(|to| Version::parse(ask.ecosystem, to)).unwrap_or_default().to_owned();
        draft.to = later;
        for entry in written {
            // Many modules may have it from one parent.
            if !draft.entries.contains(entry) {
                draft.entries.push(entry.clone());
            }
        }
        sheet.puts.merge(ask.ecosystem, std::mem::take(&mut edited.puts));
        if let Some(after) = edited.after.take() {
            sheet.after = after;
        }
        edited.entries.extend(again);
        let held = edited.entries.iter().flat_map(|entry| &entry.held);
        draft.serves.extend(held.map(|version| (served.to_owned(), version.clone())));
        Ok(edited)
    }
}
