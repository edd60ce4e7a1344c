//! The manifests at hand while a plan is made: each read once, with what was moved in it so far.

use std::cell::{OnceCell, RefCell};
use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use super::ask::{Ask, Edited, Entry, Move, Shared, Stands, held};
use super::constraints::Constraints;
use super::edit::Seen;
use super::forced::Forced;
use super::keep::Lock;
use super::proof::{Faults, Read, faults};
use super::spans::Spans;
use super::{cargo, folder, locked, markup};
use crate::inventory::{Catalogs, Kind, PomSources, Told, Workspaces};
use crate::package::{Ecosystem, Input, Package};
use crate::scan::label;
use crate::version::Version;

/// The manifests at hand while they are edited.
pub(super) struct Desk<'r> {
    pub(super) read: &'r dyn Fn(&str) -> Option<String>,
    pub(super) texts: BTreeMap<String, Sheet>,
    /// Which `pom.xml` gives which its versions, once anybody asked.
    pub(super) poms: Option<PomSources>,
    /// Lockfiles by path, each parsed once.
    pub(super) locks: BTreeMap<String, Option<Rc<Lock>>>,
    /// The manifests of each lockfile, by its path.
    pub(super) manifests: BTreeMap<String, Rc<[(String, Kind)]>>,
    /// What the crates that are here ask for, by manifest, once their edits were made.
    pub(super) asks: RefCell<BTreeMap<String, Rc<cargo::Asks>>>,
    /// Where the crates that are here are described, by name and version, once anybody asked.
    pub(super) crates: Option<BTreeMap<String, String>>,
    /// The project's own packages, once anybody asked.
    pub(super) own: Option<Rc<BTreeSet<String>>>,
    /// What constrains the requirements files, once anybody asked.
    pub(super) constraints: Option<Rc<Constraints>>,
    /// What the folders here say of the members of their workspaces, and the catalogs that they keep.
    workspaces: Workspaces,
    catalogs: Catalogs,
}

/// A manifest that is being edited.
pub(super) struct Sheet {
    pub(super) told: Told,
    pub(super) before: String,
    /// With what was moved, once [`Desk::prove`] was called.
    pub(super) after: String,
    /// What was read of `before`, whose places serve all packages.
    seen: Option<Result<Seen, String>>,
    /// What it forces, before and after.
    forced: [OnceCell<Forced>; 2],
    /// What is put in those places; `after` has it once all is there.
    pub(super) puts: Spans,
    /// What was moved, by package.
    pub(super) bumps: BTreeMap<String, Draft>,
    /// What it was moved for, to be able to do it again.
    asks: Vec<Asked>,
    /// Why packages were not moved after all.
    faults: BTreeMap<String, String>,
}

/// An [`Ask`] that moved something.
struct Asked {
    kind: Kind,
    ecosystem: Ecosystem,
    name: String,
    moves: Vec<Move>,
    lines: BTreeSet<u32>,
    stands: Stands,
    through: Vec<String>,
    served: String,
}

/// A bump whose success is not known yet.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) entries: Vec<Entry>,
    pub(super) drops: BTreeSet<String>,
    /// Who has a version from the places of the entries.
    pub(super) shared: Shared,
    /// What turned out to have the property too when the file was read again.
    pub(super) found: Rc<[String]>,
    pub(super) ecosystem: Option<Ecosystem>,
    /// The files that have the findings, with the versions.
    pub(super) serves: BTreeSet<(String, String)>,
}

/// Why a manifest is not edited.
pub(super) const UNREADABLE: &str = "it could not be read again as UTF-8 text, so it is not edited";

impl Draft {
    /// The versions that stand in its places once all is put there, each once and the highest last.
    pub(super) fn to<'d>(&'d self, puts: &'d Spans) -> Vec<&'d str> {
        let mut all: Vec<&str> = self.entries.iter().map(|entry| entry.stands(puts)).collect();
        all.sort_unstable();
        all.dedup();
        let ecosystem = self.ecosystem;
        all.sort_by_cached_key(|to| ecosystem.and_then(|ecosystem| Version::parse(ecosystem, to)));
        all
    }
}

impl Sheet {
    fn new(text: String, told: Told) -> Self {
        Self {
            told,
            before: text.clone(),
            after: text,
            seen: None,
            forced: Default::default(),
            puts: Spans::default(),
            bumps: BTreeMap::new(),
            asks: Vec::new(),
            faults: BTreeMap::new(),
        }
    }

    /// What it forces as it was found.
    pub(super) fn forced_before(&self, kind: Kind) -> &Forced {
        let [before, _] = &self.forced;
        before.get_or_init(|| Forced::read(kind, &self.before, &self.told))
    }

    /// What it forces with everything moved, once [`Desk::prove`] was called.
    pub(super) fn forced_after(&self, kind: Kind) -> &Forced {
        let [_, after] = &self.forced;
        after.get_or_init(|| Forced::read(kind, &self.after, &self.told))
    }

    fn look(&mut self, kind: Kind, ask: &Ask<'_>) -> Result<Edited, String> {
        let seen = self.seen.get_or_insert_with(|| Seen::read(kind, &self.before, &self.told));
        seen.as_ref().map_err(String::clone)?.edit(kind, &self.before, ask)
    }

    /// Moves a package; the entries are also those that were moved for somebody else before.
    fn edit(&mut self, ask: &Ask<'_>, kind: Kind, served: &str) -> Result<Edited, String> {
        let mut edited = self.look(kind, ask)?;
        let known = self.bumps.get(ask.name).map(|draft| draft.entries.as_slice()).unwrap_or_default();
        let again: Vec<Entry> =
            known.iter().filter_map(|entry| Some(Entry { held: ask.to(&entry.old)?.1, ..entry.clone() })).collect();
        if edited.entries.iter().all(|entry| entry.is_kept) && again.is_empty() {
            return Ok(edited);
        }
        let draft = self.bumps.entry(ask.name.to_owned()).or_default();
        draft.ecosystem = Some(ask.ecosystem);
        draft.shared.append(&mut edited.shared);
        draft.drops.extend(edited.drops.iter().cloned());
        let written = edited.entries.iter().filter(|entry| !entry.is_kept);
        // Many modules may have it from one parent.
        let known: HashSet<Entry> = draft.entries.iter().cloned().collect();
        draft.entries.extend(written.filter(|entry| !known.contains(entry)).cloned());
        self.puts.merge(ask.ecosystem, std::mem::take(&mut edited.puts));
        edited.entries.extend(again);
        let held = held(edited.entries.iter()).into_iter();
        draft.serves.extend(held.map(|version| (served.to_owned(), version.to_owned())));
        self.asks.push(Asked::of(ask, kind, served));
        Ok(edited)
    }

    /// Writes what was put and reads it again. Packages at fault are taken back, and all of them where that does not help.
    fn prove(&mut self, path: &str) {
        let Some(kind) = self.asks.first().map(|asked| asked.kind) else { return };
        let text = self.before.clone();
        let before = Read::of(kind, &text, &self.told);
        for is_first in [true, false] {
            self.after = self.puts.applied(&self.before);
            let found = faults(path, (&before, &Read::of(kind, &self.after, &self.told)), &mut self.bumps, &self.puts);
            if found.is_empty() {
                return;
            }
            let Faults { by_name, whole } = found;
            self.faults.extend(by_name);
            if let Some(reason) = whole.or_else(|| self.faults.values().next().cloned().filter(|_| !is_first)) {
                for name in self.bumps.keys() {
                    self.faults.entry(name.clone()).or_insert_with(|| reason.clone());
                }
            }
            self.again();
        }
    }

    /// Moves once more what is not at fault.
    fn again(&mut self) {
        self.after.clone_from(&self.before);
        self.puts = Spans::default();
        self.bumps.clear();
        for asked in std::mem::take(&mut self.asks) {
            if !self.faults.contains_key(&asked.name) {
                // It went before.
                let _ = self.edit(&asked.ask(), asked.kind, &asked.served);
            }
        }
    }
}

impl Asked {
    fn of(ask: &Ask<'_>, kind: Kind, served: &str) -> Self {
        let Ask { ecosystem, stands, .. } = *ask;
        let (name, moves, lines) = (ask.name.to_owned(), ask.moves.to_vec(), ask.lines.clone());
        let (through, served) = (ask.through.to_vec(), served.to_owned());
        Self { kind, ecosystem, name, moves, lines, stands, through, served }
    }

    fn ask(&self) -> Ask<'_> {
        let Self { ecosystem, name, moves, lines, stands, through, .. } = self;
        Ask { ecosystem: *ecosystem, name, moves, lines, stands: *stands, through, sorted: OnceCell::new() }
    }
}

impl<'r> Desk<'r> {
    pub(super) fn new(read: &'r dyn Fn(&str) -> Option<String>) -> Self {
        let (texts, locks, manifests, asks) = Default::default();
        let (workspaces, catalogs) = Default::default();
        let constraints = None;
        Self {
            read,
            texts,
            locks,
            manifests,
            asks,
            poms: None,
            crates: None,
            own: None,
            constraints,
            workspaces,
            catalogs,
        }
    }
}

impl Desk<'_> {
    /// The text of a lockfile, and what it says once anybody asks.
    pub(super) fn lock(&mut self, path: &str) -> Option<Rc<Lock>> {
        let read = self.read;
        let known = self.locks.entry(path.to_owned());
        known.or_insert_with(|| read(path).map(|text| Rc::new(Lock::new(text)))).clone()
    }

    /// The manifests that may ask for what a lockfile pins.
    pub(super) fn manifests(&mut self, inputs: &[Input], path: &str, kind: Kind) -> Rc<[(String, Kind)]> {
        let known = self.manifests.entry(path.to_owned());
        known.or_insert_with(|| locked::manifests(inputs, path, kind).into()).clone()
    }

    /// An XML manifest as it was found; `None` where it is not there or cannot be read.
    pub(super) fn markup(&mut self, path: &str, kind: Kind) -> Option<&markup::Sheet> {
        let sheet = self.sheet(path, kind).ok()?;
        match sheet.seen.get_or_insert_with(|| Seen::read(kind, &sheet.before, &sheet.told)) {
            Ok(Seen::Markup(markup)) => Some(markup),
            _ => None,
        }
    }

    /// A manifest, read when it is first asked for; an error says why it is not edited.
    pub(super) fn sheet(&mut self, path: &str, kind: Kind) -> Result<&mut Sheet, String> {
        match self.texts.entry(path.to_owned()) {
            Slot::Occupied(known) => Ok(known.into_mut()),
            Slot::Vacant(free) => {
                let text = (self.read)(path).ok_or_else(|| UNREADABLE.to_owned())?;
                let told = self.workspaces.tell(kind, path, self.read).told();
                let mut sheet = Sheet::new(text, told);
                if kind == Kind::PackageJson && sheet.before.contains("catalog:") {
                    let mut seen = Seen::read(kind, &sheet.before, &sheet.told);
                    if let Ok(Seen::Entries(entries)) = &mut seen {
                        entries.look_up(|catalog, name| {
                            let (file, range) = self.catalogs.find(folder(path), catalog, name, self.read)?;
                            Some((file.to_owned(), range.to_owned()))
                        });
                    }
                    sheet.seen = Some(seen);
                }
                Ok(free.insert(sheet))
            }
        }
    }

    /// What is written of a range that a list of its file narrows, and the list.
    pub(super) fn written(&mut self, path: &str, name: &str, range: &str) -> Option<(String, String)> {
        self.sheet(path, Kind::PyProject).ok()?.forced_before(Kind::PyProject).written(name, range)
    }

    /// What moving a package would do, and nothing done.
    pub(super) fn look(&mut self, path: &str, kind: Kind, ask: &Ask<'_>) -> Result<Edited, String> {
        self.sheet(path, kind)?.look(kind, ask)
    }

    /// Learns which crates these manifests describe.
    pub(super) fn know_crates<'p>(&mut self, manifests: impl Iterator<Item = &'p str>) {
        if self.crates.is_none() {
            let own = |path: &str| Some((cargo::crate_of(&(self.read)(path)?)?, path.to_owned()));
            self.crates = Some(manifests.filter_map(own).collect());
        }
    }

    /// What those of these crates that are here ask for: which of them shut the version to move to out, and which allow it.
    pub(super) fn said_by<'p>(
        &self,
        crates: impl Iterator<Item = &'p Package>,
        name: &str,
        step: &Move,
    ) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut shut, mut open) = (BTreeSet::new(), BTreeSet::new());
        for who in crates.map(label) {
            let Some(path) = self.crates.as_ref().and_then(|crates| crates.get(&who)) else { continue };
            match cargo::shut_out(&self.asks(path), name, step) {
                Some(Some(range)) => drop(shut.insert(format!("{who} asks for {name} {range} in {path}"))),
                Some(None) => drop(open.insert(who)),
                None => {}
            }
        }
        (shut, open)
    }

    /// What a crate that is here asks for.
    fn asks(&self, path: &str) -> Rc<cargo::Asks> {
        let read = || {
            let edited = self.texts.get(path).map(|sheet| sheet.after.clone());
            Rc::new(edited.or_else(|| (self.read)(path)).map(|text| cargo::asks(&text)).unwrap_or_default())
        };
        self.asks.borrow_mut().entry(path.to_owned()).or_insert_with(read).clone()
    }

    /// Writes what was put, reads it again, and takes back what is not what it should be.
    pub(super) fn prove(&mut self) {
        for (path, sheet) in &mut self.texts {
            sheet.prove(path);
        }
    }

    /// Why a package was not moved in a manifest after all.
    pub(super) fn fault(&self, path: &str, name: &str) -> Option<&str> {
        self.texts.get(path)?.faults.get(name).map(String::as_str)
    }

    /// Moves a package in a manifest; the entries are also those that were moved for somebody else before.
    pub(super) fn edit(&mut self, path: &str, kind: Kind, ask: &Ask<'_>, served: &str) -> Result<Edited, String> {
        self.sheet(path, kind)?.edit(ask, kind, served)
    }
}
