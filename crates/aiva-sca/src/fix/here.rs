//! Findings about what a manifest asks for: it, or the file that gives it the version, is edited, read again, and judged again.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::ask::{Ask, Edited, Move, Refused, Stands, held};
use super::compiled;
use super::constraints::Constraints;
use super::desk::Desk;
use super::forced::{Whom, has_overrides};
use super::{Case, Group, Run, Stay, folder, kind_of};
use crate::advisory::{Damage, Index};
use crate::finding::{Finding, Verdict};
use crate::inventory::{CENTRAL, Kind, Mirrors, PomSources, above, inside, single_input};
use crate::package::{Input, Scope};
use crate::scan::{Judged, Judging, Possible};
use crate::version::Version;

/// Moves the package in the manifest itself, or in the file that gives it the version.
pub(super) fn edit(group: &mut Group<'_>, inputs: &[Input], desk: &mut Desk<'_>) {
    if is_constrained(group, desk) || is_shut_out(group, inputs, desk) {
        return;
    }
    if group.kind == Kind::Requirements && compiled::move_sources(group, inputs, desk) {
        return;
    }
    let lines = group.lines();
    let ask = |stands| Ask {
        ecosystem: group.ecosystem,
        name: group.name,
        moves: &group.moves,
        lines: &lines,
        stands,
        through: &[],
        sorted: OnceCell::new(),
    };
    let mut edited = desk.edit(group.path, group.kind, &ask(Stands::Here), group.path);
    let is_nothing = |edited: &Result<Edited, String>| {
        edited.as_ref().is_ok_and(|edited| edited.entries.is_empty() && edited.refused.is_empty())
    };
    if is_nothing(&edited) {
        let through: Vec<String> =
            edited.as_ref().map(|edited| edited.lacking.iter().cloned().collect()).unwrap_or_default();
        if let Some(above) = elsewhere(group, inputs, desk, &Ask { through: &through, ..ask(Stands::Here) }) {
            let (path, above) = above;
            group.elsewhere = Some(path);
            edited = Ok(above);
        }
    }
    // A reader may have put the requirement in other words.
    let scoped: Vec<Option<String>> = {
        let sheet = desk.texts.get(group.path).filter(|_| has_overrides(group.kind));
        let said = |step| sheet.and_then(|sheet| sheet.forced_before(group.kind).scoped(group.name, step));
        group.moves.iter().map(said).collect()
    };
    if is_nothing(&edited) {
        // What only such an override says, no entry is meant by.
        let open = group.moves.iter().zip(&scoped).filter(|(_, said)| said.is_none());
        let moves: Vec<Move> = open.map(|(step, _)| step.clone()).collect();
        if !moves.is_empty() {
            let ask = Ask { moves: &moves, ..ask(Stands::HereSomehow) };
            edited = desk.edit(group.path, group.kind, &ask, group.path);
        }
    }
    let (entries, refused): (_, Vec<Refused>) = match edited {
        Ok(edited) => {
            group.refusals.at = edited.refused_at;
            let lacking = edited.lacking.iter().map(|property| not_set(property, ask(Stands::Here).highest()).into());
            (edited.entries, edited.refused.into_iter().chain(lacking).collect())
        }
        Err(reason) => (Vec::new(), vec![reason.into()]),
    };
    group.refusals.all = refused;
    if let Some(sheet) = desk.texts.get(group.path).filter(|_| has_overrides(group.kind)) {
        let forced = sheet.forced_before(group.kind);
        group.cases.iter_mut().for_each(|case| {
            case.written = forced.written(group.name, case.version).map(|(written, _)| written);
        });
    }
    let held = held(entries.iter().filter(|entry| !entry.is_kept));
    for ((case, step), scoped) in group.cases.iter_mut().zip(&group.moves).zip(scoped) {
        if !held.contains(step.from.as_str()) {
            let reason = group.refusals.of(case.version, &case.findings).map(str::to_owned).or(scoped);
            let reason = reason.unwrap_or_else(|| not_seen(&case.findings, &step.to));
            case.stays = Some((Stay::Surely, reason));
        }
    }
}

/// Why nothing was edited where no entry was seen: the reader, which knows more spellings, may know its line.
fn not_seen(findings: &[&Finding], to: &str) -> String {
    if findings.iter().any(|finding| finding.line > 0) {
        return format!("it is written there in a way that is not edited; move it to {to} by hand");
    }
    format!("its entry was not found; it is free of this from {to} on")
}

/// Whether constraints of uv's shut the version to move to out, of which is told: no requirement helps then, and one that is above them
/// finds no solution.
fn is_constrained(group: &mut Group<'_>, desk: &mut Desk<'_>) -> bool {
    let Some(sheet) = desk.sheet(group.path, group.kind).ok().filter(|_| group.kind == Kind::PyProject) else {
        return false;
    };
    let forced = sheet.forced_before(group.kind);
    let to = highest(group);
    let [runs, builds] = [Whom::Runs, Whom::Builds].map(|whom| forced.constrained(whom, group.name, to));
    let held = |case: &Case<'_>| if is_build(case) { builds.clone() } else { runs.clone() };
    if group.cases.is_empty() || group.cases.iter().any(|case| held(case).is_none()) {
        return false;
    }
    for case in &mut group.cases {
        case.stays = held(case).map(|held| (Stay::Surely, held));
        case.written = forced.written(group.name, case.version).map(|(written, _)| written);
    }
    true
}

/// Whether a file that is taken in with `-c` shuts the version to move to out, of which is told: pip finds no solution for an edit.
fn is_shut_out(group: &mut Group<'_>, inputs: &[Input], desk: &mut Desk<'_>) -> bool {
    if group.kind != Kind::Requirements {
        return false;
    }
    let read = desk.read;
    let constraints = desk.constraints.get_or_insert_with(|| Rc::new(Constraints::of(inputs, read))).clone();
    let held = constraints.shut_out(group, inputs, highest(group));
    for case in group.cases.iter_mut().filter(|_| held.is_some()) {
        case.stays = held.clone().map(|held| (Stay::Surely, held));
    }
    held.is_some()
}

/// The version to move to, the highest of all.
pub(super) fn highest<'g>(group: &'g Group<'_>) -> &'g str {
    let to = group.moves.iter().map(|step| step.to.as_str());
    to.max_by_key(|to| Version::parse(group.ecosystem, to)).unwrap_or_default()
}

/// Whether it is about what builds the project alone.
fn is_build(case: &Case<'_>) -> bool {
    case.findings.iter().all(|finding| finding.scope == Scope::Build)
}

/// Says of what was taken back why, and of the rest what is to be run.
pub(super) fn settle(group: &mut Group<'_>, desk: &Desk<'_>) -> Option<Run> {
    let to = highest(group).to_owned();
    if let Some(sheet) = desk.texts.get(group.path).filter(|_| has_overrides(group.kind)) {
        let forced = sheet.forced_after(group.kind);
        let [runs, builds] = [Whom::Runs, Whom::Builds].map(|whom| forced.overridden(whom, group.name, &to));
        for case in group.cases.iter_mut().filter(|case| case.stays.is_none()) {
            let held = if is_build(case) { &builds } else { &runs };
            case.stays = held.clone().map(|held| (Stay::Surely, held));
        }
    }
    let path = group.elsewhere.as_deref().unwrap_or(group.path);
    if let Some(fault) = desk.fault(path, group.name) {
        for case in group.cases.iter_mut().filter(|case| case.stays.is_none()) {
            let refused = Refused::of(&group.refusals.all, case.version);
            let refused = refused.map(|reason| format!(" ({reason})")).unwrap_or_default();
            case.stays = Some((Stay::Surely, format!("{fault}{refused}")));
        }
    }
    let is_moved = group.cases.iter().any(|case| case.stays.is_none());
    for case in group.cases.iter_mut().filter(|case| case.stays.is_none()) {
        case.stays = group.doubt.clone().map(|doubt| (Stay::Perhaps, doubt));
    }
    if let Some(again) = group.again.take_if(|again| is_moved || again.command.contains(compiled::UPGRADE)) {
        return Some(again);
    }
    let is_module = group.kind == Kind::GoMod && !matches!(group.name, "stdlib" | "toolchain");
    (is_module && is_moved).then(|| Run {
        folder: folder(group.path).to_owned(),
        command: "go mod tidy".to_owned(),
        clears: Vec::new(),
        brought_by: Vec::new(),
    })
}

/// Why a version that a property gives is not moved.
pub(super) fn not_set(property: &str, to: &str) -> String {
    format!("its version is the property {property}, which is not set in plain text here; set it to {to} by hand")
}

/// What Maven and MSBuild take in where a file does not say a version itself: the first file, the nearest first, that has the version
/// which has to go. Nothing that comes after it has a say.
fn elsewhere(group: &Group<'_>, inputs: &[Input], desk: &mut Desk<'_>, ask: &Ask<'_>) -> Option<(String, Edited)> {
    let sources: Vec<String> = match group.kind {
        Kind::PomXml => {
            let poms = || inputs.iter().filter(|input| kind_of(input) == Some(Kind::PomXml)).map(|input| &*input.path);
            desk.poms.get_or_insert_with(|| PomSources::of(poms(), desk.read)).of_file(group.path)
        }
        Kind::DotnetProject if !ask.through.is_empty() => above(folder(group.path))
            .flat_map(|at| [CENTRAL, "Directory.Build.props"].map(|name| inside(at, name)))
            .filter(|path| path != group.path && desk.markup(path, group.kind).is_some())
            .collect(),
        _ => Vec::new(),
    };
    // What a parent manages by a property, the file itself may set otherwise.
    let mut through: BTreeSet<String> = ask.through.iter().cloned().collect();
    for path in &sources {
        let markup = desk.markup(path, group.kind);
        through.extend(markup.map(|markup| markup.properties_of(group.ecosystem, group.name)).unwrap_or_default());
    }
    let through: Vec<String> = through.into_iter().collect();
    let ask = Ask { through: &through, ..ask.clone() };
    let own = (!through.is_empty()).then(|| group.path.to_owned());
    let all = own.into_iter().chain(sources);
    let mut edited = all.filter_map(|path| Some((desk.edit(&path, group.kind, &ask, group.path).ok()?, path)));
    let (edited, path) = edited.find(|(edited, _)| !edited.entries.is_empty())?;
    Some((path, edited))
}

/// What is said of a manifest before and after everything in it was moved.
pub(super) struct Both {
    path: String,
    before: Told,
    after: Told,
}

/// What is said of a manifest, by place and package.
struct Told {
    findings: HashMap<(u32, String), Vec<Finding>>,
    can_resolve: HashMap<(u32, String), Vec<Possible>>,
}

impl Told {
    fn of(judged: Judged, kind: Kind) -> Self {
        let mut told = Self { findings: HashMap::new(), can_resolve: HashMap::new() };
        for one in judged.findings {
            told.findings.entry((place(kind, one.line), one.name.to_string())).or_default().push(one);
        }
        for one in judged.can_resolve {
            told.can_resolve.entry((place(kind, one.line), one.name.to_string())).or_default().push(one);
        }
        told
    }

    fn found(&self, one: &Finding, kind: Kind) -> bool {
        let here = self.findings.get(&(place(kind, one.line), one.name.to_string()));
        here.into_iter().flatten().any(|other| shares_name(&other.verdict, &one.verdict))
    }

    fn possible(&self, one: &Finding, kind: Kind) -> Option<&Possible> {
        let here = self.can_resolve.get(&(place(kind, one.line), one.name.to_string()));
        let is_same = |other: &&Possible| other.verdicts.iter().any(|verdict| shares_name(verdict, &one.verdict));
        here.into_iter().flatten().find(is_same)
    }
}

/// A module stands once in a go.mod, whose lines an edit may move.
fn place(kind: Kind, line: u32) -> u32 {
    if kind == Kind::GoMod { 0 } else { line }
}

/// Says of each case what the edited manifest makes of it, once everything in it was moved; `known` is what was said for the group
/// before, which is mostly one of the same file.
pub(super) fn judge_again(
    group: &mut Group<'_>,
    desk: &Desk<'_>,
    index: &Index,
    known: &mut Option<Both>,
) -> Result<(), Damage> {
    // What another file gives cannot be seen in this one; the version that it moved to was judged when it was chosen.
    if group.elsewhere.is_some() {
        return Ok(());
    }
    // What a command makes again is not judged here.
    let is_edited = |case: &Case<'_>| case.stays.is_none() && case.step.is_none();
    let Some(sheet) = desk.texts.get(group.path).filter(|_| group.cases.iter().any(is_edited)) else { return Ok(()) };
    let judging = Judging::new(index);
    let mirrors = Mirrors::of(group.input);
    let judge = |text: &str| {
        let reading = group.kind.read_as(text.as_bytes(), &sheet.told);
        let mut input = single_input(group.path, group.kind, reading);
        mirrors.settle(&mut input);
        let judged = judging.judge(&input)?;
        Ok(Told::of(judged, group.kind))
    };
    let both = match known.take().filter(|known| known.path == group.path) {
        Some(both) => both,
        None => Both { path: group.path.to_owned(), before: judge(&sheet.before)?, after: judge(&sheet.after)? },
    };
    let both = &*known.insert(both);
    let mut parts = Vec::new();
    for case in group.cases.iter_mut().filter(|case| is_edited(case)) {
        // Of several advisories, and of several entries of one version, some may be gone and others not.
        let mut fates: Vec<(Fate, Vec<&Finding>)> = Vec::new();
        for one in std::mem::take(&mut case.findings) {
            let fate = stays(one, case.is_range, group.kind, both);
            match fates.iter_mut().find(|(known, _)| *known == fate) {
                Some((_, findings)) => findings.push(one),
                None => fates.push((fate, vec![one])),
            }
        }
        if case.is_range {
            // A range was raised to where nothing is left, or it was not.
            let worst = fates.iter().filter_map(|(fate, _)| fate.clone()).min();
            fates = vec![(worst, fates.into_iter().flat_map(|(_, findings)| findings).collect())];
        }
        for (fate, findings) in fates {
            let refused = group.refusals.of(case.version, &findings);
            let refused = refused.filter(|_| matches!(fate, Some((Stay::Surely, _)))).map(str::to_owned);
            let stays = fate.map(|(stay, reason)| (stay, refused.unwrap_or(reason)));
            if case.findings.is_empty() {
                (case.stays, case.findings) = (stays, findings);
                continue;
            }
            let (written, is_asked, is_range) = (case.written.clone(), case.is_asked, case.is_range);
            parts.push(Case { written, stays, is_asked, is_range, ..case.of(findings) });
        }
    }
    group.cases.extend(parts);
    Ok(())
}

/// Why a finding stays, or may; `None` where it is gone.
type Fate = Option<(Stay, String)>;

fn stays(one: &Finding, is_range: bool, kind: Kind, both: &Both) -> Fate {
    let Both { before, after, .. } = both;
    if after.found(one, kind) {
        return Some((Stay::Surely, "it is still affected after the edit".to_owned()));
    }
    // Of a range that was raised the least version is what is installed.
    if after.possible(one, kind).is_some_and(|left| !is_range || left.is_least_affected) {
        return Some((Stay::Perhaps, "what is asked for after the edit still allows affected versions".to_owned()));
    }
    let was_there = before.found(one, kind) || is_range && before.possible(one, kind).is_some();
    if !was_there {
        let reason = "other files here have a say in its version; scan again after the edit".to_owned();
        return Some((Stay::Perhaps, reason));
    }
    None
}

fn shares_name(one: &Verdict, other: &Verdict) -> bool {
    let names = |verdict: &'_ Verdict| -> Vec<String> {
        std::iter::once(&verdict.id).chain(&verdict.aliases).cloned().collect()
    };
    let known = names(other);
    names(one).iter().any(|name| known.contains(name))
}
