//! Findings about what a lockfile pins: the manifests that ask for it are edited, and a command moves the lockfile.
//!
//! That it moves is only said where it must: an installer takes no version that its manifest shuts out, but a copy that another
//! package asks for may stay beside the new one.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use super::aim::Versions;
use super::ask::{Ask, Entry, Move, Refused, Stands};
use super::desk::Desk;
use super::fate::{Fate, Scene, brought_by, fate, is_compatible, is_direct, lead, parted};
use super::forced::{Whom, has_overrides};
use super::here::not_set;
use super::keep::{Keepers, Lock, Own, dependants, keepers};
use super::within::{self, Beyond};
use super::{Aims, Case, Group, Instead, Run, Stay, Step, cargo, command, edit as manifest, folder, instead, kind_of};
use crate::advisory::Damage;
use crate::inventory::{Kind, above, inside};
use crate::package::{Input, Source};
use crate::scan::{label, range_of};
use crate::version::{Requirement, Version};

/// Moves the package in the manifests of a lockfile; `None` where it is held, which is said of its versions.
pub(super) fn edit(
    group: &mut Group<'_>,
    inputs: &[Input],
    aims: &Aims,
    versions: &Versions<'_>,
    desk: &mut Desk<'_>,
) -> Result<Option<Asked>, Damage> {
    let lock = desk.lock(group.path);
    let own = desk.own.get_or_insert_with(|| Rc::new(own(inputs))).clone();
    if let Some(lock) = &lock
        && is_one_for_all(group.kind)
    {
        narrow(group, lock, aims, versions, NOBODY, &|_, _| true)?;
        if are_held(group, lock, aims, &own) {
            return Ok(None);
        }
    }
    if let Some(held) = constrained(group, desk) {
        group.cases.iter_mut().for_each(|case| case.stays = Some((Stay::Surely, held.clone())));
        return Ok(None);
    }
    if group.kind == Kind::CargoLock {
        let manifests = inputs.iter().filter(|input| kind_of(input) == Some(Kind::CargoToml));
        desk.know_crates(manifests.map(|input| input.path.as_str()));
    }
    let asked = ask(group, inputs, desk);
    if let Some(lock) = &lock
        && asked.refused.is_empty()
    {
        let folders: BTreeSet<&str> = asked.folders.iter().map(String::as_str).collect();
        let is_others = |case: &Case<'_>, step: &Move| {
            !is_direct(case) && !asked.entries.iter().any(|entry| entry.held.contains(&step.from))
        };
        narrow(group, lock, aims, versions, Own { old: &[], folders: &folders }, &is_others)?;
    }
    Ok(Some(asked))
}

/// Of a package that a lockfile has in more versions nothing less than the best is looked for, so that the work stays in proportion to it.
const MOST_COPIES: usize = 16;

/// No requirement of the project's own is left out of account.
const NOBODY: Own<'_> = Own { old: &[], folders: &BTreeSet::new() };

/// Whether every package has one version for all who ask for it.
fn is_one_for_all(kind: Kind) -> bool {
    matches!(kind, Kind::ComposerLock | Kind::PoetryLock)
}

/// Moves what the requirements of others shut out to the best that they allow, where they move nowhere themselves: nothing here says what
/// they ask for then.
fn narrow(
    group: &mut Group<'_>,
    lock: &Lock,
    aims: &Aims,
    versions: &Versions<'_>,
    own: Own<'_>,
    is_meant: &dyn Fn(&Case<'_>, &Move) -> bool,
) -> Result<(), Damage> {
    let (kind, ecosystem, input, name, path) = (group.kind, group.ecosystem, group.input, group.name, group.path);
    // Each is weighed against all who ask, for each version that it may go to.
    if group.moves.len() > MOST_COPIES {
        return Ok(());
    }
    let tells = matches!(kind, Kind::PackageLock | Kind::Shrinkwrap);
    let is_shut = |case: &Case<'_>, step: &Move| {
        if !is_meant(case, step) {
            return false;
        }
        let Keepers { sure, unknown, .. } = keepers(kind, lock, input, name, step, own);
        // Where the lockfile does not tell what others ask for, it is what their tool writes by itself.
        let is_far = !tells && !unknown.is_empty() && !is_compatible(ecosystem, step);
        let moves = |who: &String| aims.contains_key(&(path.to_owned(), who.clone()));
        (is_far || !sure.is_empty()) && !dependants(lock, input, name, case.version).iter().any(moves)
    };
    let beyond = within::narrow(group, versions, &is_shut)?;
    group.beyond.extend(beyond);
    Ok(())
}

/// Says of each version what becomes of it, once it is known which edits are made.
pub(super) fn settle(group: &mut Group<'_>, mut asked: Asked, aims: &Aims, desk: &mut Desk<'_>) -> Option<Run> {
    let lock = desk.lock(group.path);
    let own = desk.own.clone().unwrap_or_default();
    if asked.take_back(group.name, desk) {
        asked.force(group, desk);
    }
    let old: Vec<&str> = asked.entries.iter().map(|entry| entry.old.as_str()).collect();
    let folders: BTreeSet<&str> = asked.folders.iter().map(String::as_str).collect();
    let manifests = Own { old: &old, folders: &folders };
    let scene = Scene { asked: &asked, lock: lock.as_deref(), manifests, own: &own, aims, desk };
    let mut going: Vec<&Move> = Vec::new();
    let copies =
        lock.as_deref().map(|lock| lock.tied(group.input).versions(group.input, group.name)).unwrap_or_default();
    let meet = |case: &mut Case<'_>, step: &Move, fate: Fate| {
        let manifest =
            asked.forcing.iter().find(|(_, kind)| *kind == Kind::PackageJson).filter(|_| !fate.held.is_empty());
        case.instead = manifest.zip(lock.as_deref()).and_then(|((path, _), lock)| {
            let written = instead::written(group.kind, lock, group.name, step, copies.len(), &fate.held)?;
            Some(Instead { path: path.clone(), written, clears: Vec::new(), held: fate.held })
        });
        case.stays = fate.stays;
        case.is_asked = !asked.entries.is_empty() || !asked.refused.is_empty() || asked.overridden.is_some();
    };
    for (case, step) in group.cases.iter_mut().zip(&group.moves) {
        let fate = fate(group.kind, group.ecosystem, group.input, case, step, &scene);
        let is_asked = asked.entries.iter().any(|entry| entry.held.contains(&step.from));
        if fate.moves && (is_asked || !matches!(fate.stays, Some((Stay::Surely, _)))) {
            going.push(step);
        }
        meet(case, step, fate);
    }
    for Beyond { case, step } in &mut group.beyond {
        let mut fate = fate(group.kind, group.ecosystem, group.input, case, step, &scene);
        fate.stays
            .get_or_insert_with(|| (Stay::Perhaps, format!("nothing here says that it gets as far as {}", step.to)));
        meet(case, step, fate);
    }
    let names = command::names(group, &asked.entries, &going);
    let is_first = match group.kind {
        Kind::YarnLock => lock.as_deref().is_some_and(Lock::is_classic_of_yarn),
        Kind::PackageLock | Kind::Shrinkwrap => lock.as_deref().is_some_and(Lock::is_first_of_npm),
        _ => false,
    };
    let is_forced = going.iter().all(|step| asked.forced.contains(&step.from));
    let edits = |step: &Move| asked.entries.iter().any(|entry| !entry.is_kept && entry.held.contains(&step.from));
    let is_edited = going.iter().all(|step| edits(step));
    let command = match group.kind {
        _ if going.is_empty() => None,
        // What only an override names these two do not update by name.
        Kind::YarnLock if is_forced => Some("yarn install".to_owned()),
        // Classic upgrades nothing while package.json asks for something else than the lockfile has.
        Kind::YarnLock if is_first && is_edited => Some("yarn install".to_owned()),
        // What no manifest beside the lockfile asks for bun does not update by name, but for all folders.
        Kind::BunLock if is_forced || is_edited => Some("bun install".to_owned()),
        Kind::BunLock if asked.paths.iter().any(|path| folder(path) != folder(group.path)) => {
            Some(format!("bun update -r {}", names.join(" ")))
        }
        Kind::CargoLock => Some(cargo::update(group.name, &going, &copies)),
        kind => command::of(kind, &names, &going, is_first),
    };
    if command.is_none() {
        for (case, step) in group.cases.iter_mut().zip(&group.moves).filter(|(case, _)| case.stays.is_none()) {
            let is_asked = asked.entries.iter().any(|entry| entry.held.contains(&step.from));
            case.stays = Some(match is_asked {
                true => (Stay::Perhaps, format!("{} has to be made again by the tool that wrote it", group.path)),
                false => {
                    let reason = format!("no manifest here asks for it; it is free of this from {} on", step.to);
                    (Stay::Surely, reason)
                }
            });
        }
    }
    let is_written = |entry: &Entry, step: &Move| !entry.is_kept && entry.held.contains(&step.from);
    let is_asked = |step: &Move| asked.entries.iter().any(|entry| is_written(entry, step));
    let all = group.cases.iter().zip(&group.moves);
    let alone: Vec<&Case<'_>> =
        all.filter(|(case, step)| case.stays.is_none() && !is_asked(step)).map(|(case, _)| case).collect();
    let clears = super::ids(alone.iter().copied()).into_iter().map(str::to_owned).collect();
    let brought: BTreeSet<String> = alone.iter().flat_map(|case| brought_by(case, &own)).collect();
    let folder = folder(group.path).to_owned();
    for (case, step) in group.cases.iter_mut().zip(&group.moves).filter(|(case, _)| case.stays.is_none()) {
        case.step = command.clone().map(|command| Step { to: step.to.clone(), command });
    }
    Some(Run { folder, command: command?, clears, brought_by: brought.into_iter().collect() })
}

/// Where a package has one version for all: whether another one shuts the version to move to out. No requirement of the project's own
/// changes that, so none is edited.
fn are_held(group: &mut Group<'_>, lock: &Lock, aims: &Aims, own: &BTreeSet<String>) -> bool {
    let mut is_held = false;
    for (case, step) in group.cases.iter_mut().zip(&group.moves) {
        let found = keepers(group.kind, lock, group.input, group.name, step, NOBODY);
        let (_, held) = parted(found.sure, group.path, aims);
        if !held.is_empty() {
            let held = held.into_iter().collect::<Vec<_>>().join(", ");
            let lead = lead(&brought_by(case, own));
            case.stays = Some((Stay::Surely, format!("{lead}{held}, which {} is not", step.to)));
            is_held = true;
        }
    }
    let whole = "another version of it here is held";
    if is_held {
        let others = group.cases.iter_mut().filter(|case| case.stays.is_none());
        others.for_each(|case| case.stays = Some((Stay::Perhaps, whole.to_owned())));
    }
    is_held
}

/// What the constraints of uv's beside a lockfile say, where they shut the version to move to out: no requirement helps then, and one that is
/// above them finds no solution.
fn constrained(group: &Group<'_>, desk: &mut Desk<'_>) -> Option<String> {
    let path = inside(folder(group.path), "pyproject.toml");
    let sheet = desk.sheet(&path, Kind::PyProject).ok().filter(|_| group.kind == Kind::UvLock)?;
    let to = group.moves.iter().map(|step| step.to.as_str());
    let to = to.max_by_key(|to| Version::parse(group.ecosystem, to))?;
    let said = sheet.forced_before(Kind::PyProject).constrained(Whom::Runs, group.name, to)?;
    Some(format!("{path}: {said}"))
}

/// What the manifests of a lockfile say of a package.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) entries: Vec<Entry>,
    /// In which manifest each of them is.
    pub(super) paths: Vec<String>,
    /// Where these manifests are, from the lockfile's folder on.
    pub(super) folders: Vec<String>,
    pub(super) refused: Vec<Refused>,
    /// Overrides that shut the version out, by the version.
    pub(super) overridden: Option<String>,
    /// Versions in whose place an override puts the one to move to.
    pub(super) forced: BTreeSet<String>,
    /// The manifests that may force versions.
    pub(super) forcing: Vec<(String, Kind)>,
    /// A manifest of a kind that is not edited.
    pub(super) unedited: Option<String>,
}

impl Asked {
    /// Whether a manifest in this folder asks for something that was at a version, and moves.
    pub(super) fn moves_in(&self, own: &str, from: &str) -> bool {
        let here = self.entries.iter().zip(&self.paths).filter(|(_, path)| folder(path) == own);
        here.flat_map(|(entry, _)| entry.held.iter()).any(|held| held == from)
    }

    /// Leaves out what the desk took back; whether that was nothing.
    fn take_back(&mut self, name: &str, desk: &Desk<'_>) -> bool {
        let mut is_whole = true;
        let all = std::mem::take(&mut self.entries).into_iter().zip(std::mem::take(&mut self.paths));
        for (entry, path) in all {
            match desk.fault(&path, name).filter(|_| !entry.is_kept) {
                Some(fault) => {
                    self.refused.push(fault.to_owned().into());
                    is_whole = false;
                }
                None => {
                    self.entries.push(entry);
                    self.paths.push(path);
                }
            }
        }
        is_whole
    }

    /// Learns what the manifests force once they are edited.
    fn force(&mut self, group: &Group<'_>, desk: &Desk<'_>) {
        for (path, kind) in &self.forcing {
            let Some(sheet) = desk.texts.get(path) else { continue };
            let forced = sheet.forced_after(*kind);
            let to = group.moves.iter().map(|step| step.to.as_str());
            let to = to.max_by_key(|to| Version::parse(group.ecosystem, to)).unwrap_or_default();
            if let Some(said) = forced.overridden(Whom::Locked(group.kind), group.name, to) {
                self.overridden = Some(format!("{path}: {said}"));
            }
            let all = group.moves.iter().filter(|step| forced.forces(group.kind, group.name, step));
            self.forced.extend(all.map(|step| step.from.clone()));
        }
    }
}

fn ask(group: &Group<'_>, inputs: &[Input], desk: &mut Desk<'_>) -> Asked {
    let lines = BTreeSet::new();
    let ask = Ask {
        ecosystem: group.ecosystem,
        name: group.name,
        moves: &group.moves,
        lines: &lines,
        stands: Stands::Locked,
        through: &[],
        sorted: OnceCell::new(),
    };
    let mut asked = Asked::default();
    let top = folder(group.path);
    for (path, kind) in desk.manifests(inputs, group.path, group.kind).iter().cloned() {
        let below = folder(&path).strip_prefix(top).map(|below| below.trim_start_matches('/').to_owned());
        asked.folders.extend(below);
        if !manifest::is_edited(kind) {
            asked.unedited = Some(path);
            continue;
        }
        match desk.edit(&path, kind, &ask, group.path) {
            Ok(edited) => {
                let mut entries = edited.entries;
                if entries.is_empty() {
                    entries = already(&path, kind, &ask, group, desk);
                }
                asked.paths.extend(entries.iter().map(|_| path.clone()));
                asked.entries.extend(entries);
                let lacking = edited.lacking.iter().map(|property| not_set(property, ask.highest()).into());
                let refused = edited.refused.into_iter().chain(lacking);
                let of_file = |one: Refused| Refused { reason: format!("{path}: {}", one.reason), ..one };
                asked.refused.extend(refused.map(of_file));
            }
            Err(reason) => asked.refused.push(format!("{path}: {reason}").into()),
        }
        // Only the manifest beside the lockfile has a say over all.
        if has_overrides(kind) && folder(&path) == top {
            asked.forcing.push((path, kind));
        }
    }
    asked
}

/// Entries of a manifest that shut out what has to go, while the lockfile has nothing that they allow: it was not made again since they were
/// written. Nothing is to be edited, but the command is to be run.
fn already(path: &str, kind: Kind, ask: &Ask<'_>, group: &Group<'_>, desk: &mut Desk<'_>) -> Vec<Entry> {
    let Some(lock) = desk.lock(group.path) else { return Vec::new() };
    let versions = lock.tied(group.input).versions(group.input, ask.name);
    let whole = Ask { stands: Stands::HereSomehow, ..ask.clone() };
    let Ok(edited) = desk.look(path, kind, &whole) else { return Vec::new() };
    let mut entries = edited.entries;
    for entry in &mut entries {
        entry.is_kept = true;
        let holds = |version: &str| manifest::holds(ask.ecosystem, &entry.old, version);
        let is_stale = !entry.old.is_empty()
            && Requirement::parse(ask.ecosystem, range_of(&entry.old)).is_some()
            && !versions.iter().any(|version| holds(version));
        if !is_stale {
            entry.held = [].into();
        }
    }
    entries.retain(|entry| !entry.held.is_empty());
    entries
}

fn own(inputs: &[Input]) -> BTreeSet<String> {
    let all = inputs.iter().flat_map(|input| &input.packages);
    all.filter(|package| matches!(package.source, Source::Path(_))).map(label).collect()
}

/// The manifests beside and below a lockfile that may ask for what it pins.
pub(super) fn manifests(inputs: &[Input], path: &str, kind: Kind) -> Vec<(String, Kind)> {
    // A lockfile whose manifest is not known is moved by its own tool.
    let Some(manifest) = kind.locks() else { return Vec::new() };
    let top = folder(path);
    let below = |path: &str| top.is_empty() || folder(path) == top || folder(path).starts_with(&format!("{top}/"));
    // A folder with a lockfile of its own is another project.
    let is_lock = |input: &&Input| kind_of(input).is_some_and(|kind| kind.locks() == Some(manifest));
    let locked: HashSet<&str> = inputs.iter().filter(is_lock).map(|input| folder(&input.path)).collect();
    let own_lock = |path: &str| folder(path) != top && locked.contains(folder(path));
    let found = inputs.iter().filter(|input| kind_of(input) == Some(manifest) && below(&input.path));
    let found = found.filter(|input| !own_lock(&input.path)).map(|input| (input.path.clone(), manifest));
    // What all projects of a build share stands beside or above them.
    let shared = inputs.iter().filter_map(|input| match (kind, kind_of(input)?) {
        (Kind::PnpmLock, kind @ Kind::PnpmWorkspace) => {
            (folder(&input.path) == top).then(|| (input.path.clone(), kind))
        }
        (Kind::GradleLock, kind @ Kind::VersionCatalog) => Some((input.path.clone(), kind)),
        (Kind::NuGetLock, kind @ Kind::DotnetProject) => {
            let is_shared = !input.path.ends_with("proj") && above(top).any(|at| at == folder(&input.path));
            is_shared.then(|| (input.path.clone(), kind))
        }
        _ => None,
    });
    let mut all: Vec<(String, Kind)> = found.chain(shared).collect();
    all.sort();
    all.dedup();
    all
}
