//! What becomes of one locked version, by all that is known around it: who asks for it, what they allow, and what a command moves.

use std::collections::BTreeSet;

use super::ask::{Entry, Move, Refused};
use super::desk::{Desk, UNREADABLE};
use super::keep::{Keepers, Lock, Own, dependants, keepers, spoken, who};
use super::locked::Asked;
use super::{Aims, Case, Stay, folder};
use crate::inventory::{Kind, place};
use crate::package::{Ecosystem, Input};
use crate::scan::label;
use crate::version::{Requirement, Version};

/// What is known around one version.
pub(super) struct Scene<'a> {
    pub(super) asked: &'a Asked,
    pub(super) lock: Option<&'a Lock>,
    pub(super) manifests: Own<'a>,
    /// The project's own packages, as steps of a path.
    pub(super) own: &'a BTreeSet<String>,
    pub(super) aims: &'a Aims,
    pub(super) desk: &'a Desk<'a>,
}

/// What becomes of one version.
pub(super) struct Fate {
    pub(super) stays: Option<(Stay, String)>,
    /// Where somebody keeps it for sure, all who ask for it by a range that shuts the new version out, in sentences.
    pub(super) held: BTreeSet<String>,
    /// Whether a command may move it.
    pub(super) moves: bool,
}

impl Fate {
    /// It goes.
    const MOVES: Self = Self { stays: None, held: BTreeSet::new(), moves: true };

    /// It stays, and no command is for it.
    fn of(stay: Stay, reason: String) -> Self {
        Self { stays: Some((stay, reason)), held: BTreeSet::new(), moves: false }
    }
}

/// Whether a locked version goes, and what may keep it.
pub(super) fn fate(
    kind: Kind,
    ecosystem: Ecosystem,
    input: &Input,
    case: &Case<'_>,
    step: &Move,
    scene: &Scene<'_>,
) -> Fate {
    let asked = scene.asked;
    let is_asked = asked.entries.iter().any(|entry| entry.held.contains(&step.from));
    let brought = brought_by(case, scene.own);
    let lead = lead(&brought);
    let surely = |reason: String| Fate { moves: is_asked, ..Fate::of(Stay::Surely, reason) };
    let Some(lock) = scene.lock else { return surely(UNREADABLE.to_owned()) };
    if let Some(reason) = asked.overridden.clone() {
        // A command would bring what is held again, and may write that into the manifest.
        let is_written = |entry: &Entry| !entry.is_kept && entry.held.contains(&step.from);
        return Fate { moves: asked.entries.iter().any(is_written), ..surely(reason) };
    }
    if let Some(reason) = Refused::of(&asked.refused, &step.from) {
        return surely(reason.to_owned());
    }
    if asked.forced.contains(&step.from) {
        return Fate::MOVES;
    }
    let Keepers { mut sure, mut unknown, is_needed } = keepers(kind, lock, input, case.name, step, scene.manifests);
    // Whether all that need it are here and allow it.
    let mut is_open = false;
    if kind == Kind::CargoLock {
        let (shut, open) =
            scene.desk.said_by(lock.tied(input).needing(input, case.name, case.version), case.name, step);
        sure.extend(shut);
        unknown.retain(|who| !open.contains(who));
        let mut needing = lock.tied(input).needing(input, case.name, case.version).map(label);
        is_open = !open.is_empty() && needing.all(|who| open.contains(&who));
    }
    // An override has to be for all of them, also for those who move.
    let held = if unknown.is_empty() { sure.clone() } else { BTreeSet::new() };
    let (moving, sure) = parted(sure, case.path, scene.aims);
    if !sure.is_empty() {
        let said = sure.into_iter().collect::<Vec<_>>().join(", ");
        return Fate { held, ..surely(format!("{lead}{said}")) };
    }
    if !moving.is_empty() {
        return Fate { moves: is_asked, ..Fate::of(Stay::Perhaps, format!("{lead}{}", moving.join(", "))) };
    }
    if let Some(path) = asked.unedited.as_ref().filter(|_| is_direct(case)) {
        return surely(format!("{path} is not edited; move it there to {} by hand", step.to));
    }
    let moves_in = |own: &&String| place(folder(case.path), own).is_none_or(|own| asked.moves_in(&own, &step.from));
    if let Some(own) = lock.importers(case.name, &step.from).iter().find(|own| !moves_in(own)) {
        let reason = format!(
            "{lead}{} has it too, by nothing that is edited, as a peer: pnpm leaves it there until `pnpm dedupe` is run",
            if own == "." { "the folder of the lockfile" } else { own }
        );
        return Fate { moves: is_asked, ..Fate::of(Stay::Perhaps, reason) };
    }
    if kind == Kind::YarnLock && lock.is_classic_of_yarn() && !is_asked {
        let stays = format!(
            "{lead}yarn classic moves only what a manifest asks for: take it out of {} and run `yarn install`",
            case.path
        );
        return Fate::of(Stay::Perhaps, stays);
    }
    let is_close = is_compatible(ecosystem, step);
    let is_sure = match ecosystem {
        // The go command raises a module for whoever needs it.
        Ecosystem::Go => true,
        // Versions that differ beyond what is compatible stand side by side.
        Ecosystem::CratesIo => is_asked && (is_close || unknown.is_empty()) || is_open && is_close,
        Ecosystem::Npm => unknown.is_empty() && (is_asked || is_needed),
        // One version for all: it moves, or the installer says that it cannot.
        _ => is_asked || (is_needed && unknown.is_empty()),
    };
    // What asks for it now may ask for something else once it has moved itself.
    let has_aim = |who: String| scene.aims.contains_key(&(case.path.to_owned(), who));
    if is_sure && !is_asked && dependants(lock, input, case.name, case.version).into_iter().any(has_aim) {
        let reason = format!("{lead}what asks for it moves itself, and nothing here says what it asks for then");
        return Fate { moves: true, ..Fate::of(Stay::Perhaps, reason) };
    }
    if is_sure {
        return Fate::MOVES;
    }
    let reason = match (unknown.is_empty(), is_close) {
        (true, _) if brought.is_empty() => {
            format!("no manifest here asks for it; it is free of this from {} on", step.to)
        }
        (true, _) => format!("{lead}nothing here says whether that allows {}", step.to),
        (false, true) => format!("{lead}nothing here says whether {} allows {}", spoken(&unknown), step.to),
        (false, false) => {
            format!(
                "{lead}{} is not compatible with it, and nothing here says whether {} allows it",
                step.to,
                spoken(&unknown)
            )
        }
    };
    // Gradle and NuGet take what is asked for, nothing newer by itself.
    let may_come = is_close && !matches!(kind, Kind::GradleLock | Kind::NuGetLock);
    Fate { moves: is_asked || may_come, ..Fate::of(Stay::Perhaps, reason) }
}

/// Whether a requirement as the ecosystem's tool writes it by itself, made for the one, allows the other.
pub(super) fn is_compatible(ecosystem: Ecosystem, step: &Move) -> bool {
    let range = match ecosystem {
        Ecosystem::Npm => format!("^{}", step.from),
        Ecosystem::CratesIo => step.from.clone(),
        _ => return true, // Nobody writes upper bounds by habit there.
    };
    let allowed = Requirement::parse(ecosystem, &range);
    allowed.zip(Version::parse(ecosystem, &step.to)).is_some_and(|(allowed, to)| allowed.holds(to.key()))
}

/// What the project asks for itself that leads to a version; empty where that is the package, or nothing is known.
pub(super) fn brought_by(case: &Case<'_>, own: &BTreeSet<String>) -> BTreeSet<String> {
    let itself = format!("{} {}", case.name, case.version);
    let introduced = case.findings.iter().filter_map(|finding| finding.introduced.as_ref());
    let first = introduced
        .flat_map(|introduced| introduced.paths.iter())
        .filter_map(|path| path.iter().find(|step| !own.contains(&***step)));
    first.filter(|step| ***step != itself).map(|step| step.to_string()).collect()
}

/// Who asks for what is there and has somewhere to go itself, with where; and who keeps it.
pub(super) fn parted(sure: BTreeSet<String>, path: &str, aims: &Aims) -> (Vec<String>, BTreeSet<String>) {
    let (mut moving, mut held) = (Vec::new(), BTreeSet::new());
    for said in sure {
        match aims.get(&(path.to_owned(), who(&said).to_owned())) {
            Some(to) => moving.push(format!("{said}, but has to move to {to} itself")),
            None => drop(held.insert(said)),
        }
    }
    (moving, held)
}

pub(super) fn lead(brought: &BTreeSet<String>) -> String {
    if brought.is_empty() { String::new() } else { format!("brought by {}; ", spoken(brought)) }
}

pub(super) fn is_direct(case: &Case<'_>) -> bool {
    case.findings.iter().any(|finding| finding.direct == Some(true))
}
