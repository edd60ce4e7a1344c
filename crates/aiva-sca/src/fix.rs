//! The smallest set of bumps that clears the findings: which version, in which manifest, and what to run afterwards.
//!
//! Pure: files come in as text and go out as text. A version gets one bump, to the least one that ends most of what affects it;
//! the manifest keeps its formatting and the operator of its requirement. Nothing is claimed: what is said to be cleared was
//! judged again as it will be after the edit, and of a locked copy it is known that nothing keeps it. What is not known to go
//! is listed with its reason, and so is what stays. Nothing is passed over.
//!
//! Start reading at [`plan`].

mod aim;
mod along;
mod ask;
mod cargo;
mod catalog;
mod command;
mod compiled;
mod constraints;
mod declared;
mod desk;
mod edit;
mod entries;
mod fate;
mod follow;
mod forced;
mod golang;
mod gradle;
mod here;
mod instead;
mod keep;
mod locked;
mod markup;
mod mask;
mod needs;
mod object;
mod plan;
mod program;
mod proof;
mod python;
mod ranges;
mod ranked;
mod requirement;
mod rich;
mod spans;
mod tied;
mod within;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::advisory::{Damage, Index};
use crate::finding::Finding;
use crate::inventory::Kind;
use crate::package::{Ecosystem, Input};
use crate::scan::Possible;
use aim::Versions;
use along::Along;
use ask::{Move, Refused};
use desk::{Desk, Draft};
pub use mask::{Secrets, masked, masked_addresses};
pub use plan::{Bump, Edit, Few, Instead, Plan, Remaining, Run, Stay};
use ranges::Range;
pub use ranges::{RangeKey, Ranges};
use within::Beyond;

/// One version of a package in one file, and what becomes of it.
#[derive(Debug)]
struct Case<'a> {
    path: &'a str,
    name: &'a str,
    version: &'a str,
    /// That as it is written, where a list of the file narrows it.
    written: Option<String>,
    /// What the move would end.
    findings: Vec<&'a Finding>,
    /// Why that stays; `None` once it is known to go.
    stays: Option<(Stay, String)>,
    /// What moves it, once it is known to go.
    step: Option<Step>,
    /// Whether a manifest of the lockfile asks for the package.
    is_asked: bool,
    /// Whether only some of what is asked for is affected: it is a range, and what it resolves to nobody knows.
    is_range: bool,
    /// What a range that was raised still allows.
    still: Option<String>,
    /// The override that would end what stays.
    instead: Option<Instead>,
}

impl<'a> Case<'a> {
    /// One of which nothing is known yet.
    fn new(path: &'a str, name: &'a str, version: &'a str, findings: Vec<&'a Finding>) -> Self {
        Self {
            path,
            name,
            version,
            written: None,
            findings,
            stays: None,
            step: None,
            is_asked: false,
            is_range: false,
            still: None,
            instead: None,
        }
    }

    /// The same version, for others of its findings.
    fn of(&self, findings: Vec<&'a Finding>) -> Self {
        Self::new(self.path, self.name, self.version, findings)
    }

    fn staying(self, stay: Stay, reason: String) -> Self {
        Self { stays: Some((stay, reason)), ..self }
    }

    /// The version, or the range as written.
    fn shown(&self) -> &str {
        self.written.as_deref().unwrap_or(self.version)
    }
}

/// What moves a locked version.
#[derive(Debug, Clone)]
struct Step {
    to: String,
    command: String,
}

/// The locked versions that have somewhere to go, as `name version` by file, with where: what asks for another of them at its old
/// version may ask for something else at its new one.
type Aims = BTreeMap<(String, String), String>;

/// All cases of one package in one file that have somewhere to go.
struct Group<'a> {
    ecosystem: Ecosystem,
    path: &'a str,
    name: &'a str,
    input: &'a Input,
    kind: Kind,
    moves: Vec<Move>,
    cases: Vec<Case<'a>>,
    /// Of the same versions what only one would end that others shut out.
    beyond: Vec<Beyond<'a>>,
    /// The file that was edited, where that is another than the one that was judged.
    elsewhere: Option<String>,
    /// What makes the file again that was judged.
    again: Option<Run>,
    /// Why what is edited in it may not last.
    doubt: Option<String>,
    refusals: Refusals,
}

/// Why entries of a package could not be moved.
#[derive(Default)]
struct Refusals {
    all: Vec<Refused>,
    /// By line, where only that line is meant.
    at: BTreeMap<u32, String>,
}

impl Refusals {
    /// Why those of a version with these findings could not be.
    fn of(&self, version: &str, findings: &[&Finding]) -> Option<&str> {
        let here = findings.iter().find_map(|finding| self.at.get(&finding.line)).map(String::as_str);
        here.or_else(|| Refused::of(&self.all, version).filter(|_| self.at.is_empty()))
    }
}

impl Group<'_> {
    fn lines(&self) -> BTreeSet<u32> {
        self.cases.iter().flat_map(|case| &case.findings).map(|finding| finding.line).collect()
    }
}

/// What is said of one package in one file.
#[derive(Default)]
struct Said<'a> {
    findings: BTreeMap<&'a str, Vec<&'a Finding>>,
    ranges: Vec<&'a Range>,
}

/// Plans the bumps that clear `findings` and raises what of `possible` can be; `read` gives a file's text by its path below the root.
pub fn plan(
    inputs: &[Input],
    findings: &[&Finding],
    possible: &[Possible],
    index: &Index,
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<Plan, Damage> {
    let versions = Versions::new(inputs, index);
    let raisable = ranges::raisable(possible, &versions)?;
    let mut grouped: BTreeMap<(&str, &str), Said<'_>> = BTreeMap::new();
    for finding in findings {
        let said = grouped.entry((&finding.path, &finding.name)).or_default();
        said.findings.entry(&finding.version).or_default().push(finding);
    }
    for range in &raisable {
        grouped.entry((&range.path, &range.name)).or_default().ranges.push(range);
    }
    let by_path: HashMap<&str, &Input> = inputs.iter().rev().map(|input| (input.path.as_str(), input)).collect();
    let mut desk = Desk::new(read);
    let (mut cases, mut commands): (Vec<Case<'_>>, Vec<Run>) = (Vec::new(), Vec::new());
    let (mut manifests, mut locked): (Vec<Group<'_>>, Vec<Group<'_>>) = (Vec::new(), Vec::new());
    for ((path, name), said) in grouped {
        let input = by_path.get(path).copied();
        let kind = input.and_then(kind_of);
        let (mut moves, mut going) = (Vec::new(), Vec::new());
        for (version, findings) in said.findings {
            let case = |findings| Case::new(path, name, version, findings);
            if kind.is_none() {
                cases.push(case(findings).staying(Stay::Surely, "a file of this kind is not edited".to_owned()));
                continue;
            }
            let Some(aim) = versions.aim(&findings)? else { continue };
            let (stay, go): (Vec<_>, Vec<_>) =
                findings.into_iter().partition(|finding| aim.stays.contains(&finding.verdict.id));
            if !stay.is_empty() {
                cases.push(case(stay).staying(Stay::Surely, aim.reason));
            }
            if let Some(to) = aim.to.filter(|_| !go.is_empty()) {
                moves.push(Move { from: version.to_owned(), to });
                going.push(case(go));
            }
        }
        for range in said.ranges.into_iter().filter(|_| kind == Some(Kind::DotnetProject)) {
            moves.push(Move { from: range.requirement.clone(), to: range.to.clone() });
            let raised = Case::new(path, name, &range.requirement, range.findings.iter().collect());
            going.push(Case { is_range: true, still: range.still.clone(), ..raised });
        }
        let (Some(input), Some(kind), Some(first)) =
            (input, kind, going.first().and_then(|case| case.findings.first()))
        else {
            continue;
        };
        let mut group = Group {
            ecosystem: first.ecosystem,
            path,
            name,
            input,
            kind,
            moves,
            cases: going,
            beyond: Vec::new(),
            elsewhere: None,
            again: None,
            doubt: None,
            refusals: Refusals::default(),
        };
        if is_manifest(kind) {
            here::edit(&mut group, inputs, &mut desk);
            manifests.push(group);
        } else {
            locked.push(group);
        }
    }
    let aims = aims(&locked);
    let mut asked = Vec::with_capacity(locked.len());
    for group in &mut locked {
        asked.push(locked::edit(group, inputs, &aims, &versions, &mut desk)?);
    }
    let aims = self::aims(&locked);
    // What is said from here on is said of the edits that are made.
    desk.prove();
    for (mut group, asked) in locked.into_iter().zip(asked) {
        commands.extend(asked.and_then(|asked| locked::settle(&mut group, asked, &aims, &mut desk)));
        cases.extend(group.cases);
        cases.extend(group.beyond.into_iter().map(|beyond| beyond.case));
    }
    follow::mark(&mut cases);
    let mut judged = None;
    for group in &mut manifests {
        commands.extend(here::settle(group, &desk));
        here::judge_again(group, &desk, index, &mut judged)?;
    }
    cases.extend(manifests.into_iter().flat_map(|group| group.cases));
    along::share(&desk, &mut cases);
    let narrowed = ranges::narrowed(possible, &by_path, &mut desk);
    let ranges = ranges::settled(&cases);
    let (edits, commands) = (edits(desk, &cases, &versions)?, command::told(commands, &cases));
    let instead = instead::told(&cases);
    Ok(Plan { edits, commands, remaining: remaining(&cases), instead, ranges, narrowed })
}

fn aims(locked: &[Group<'_>]) -> Aims {
    let all = locked.iter().flat_map(|group| group.moves.iter().map(move |step| (group, step)));
    all.map(|(group, step)| ((group.path.to_owned(), format!("{} {}", group.name, step.from)), step.to.clone()))
        .collect()
}

/// Whether the manifest is what was judged.
fn is_manifest(kind: Kind) -> bool {
    kind.locks().is_none() && (!kind.is_lockfile() || matches!(kind, Kind::GoMod | Kind::Requirements))
}

/// The manifests that changed, with what is known to be cleared.
fn edits(desk: Desk<'_>, cases: &[Case<'_>], versions: &Versions<'_>) -> Result<Vec<Edit>, Damage> {
    let mut by_name: HashMap<&str, Vec<&Case<'_>>> = HashMap::new();
    cases.iter().for_each(|case| by_name.entry(case.name).or_default().push(case));
    let mut edits = Vec::new();
    for (path, sheet) in desk.texts {
        if sheet.before == sheet.after {
            continue;
        }
        let mut shared = Along::new(versions, &sheet.puts);
        let bump = |(name, draft): (String, Draft)| {
            let [along, unknown] = shared.with(&name, &draft)?;
            let to = draft.to(&sheet.puts).into_iter().map(str::to_owned).collect();
            let files: BTreeSet<&str> = draft.serves.iter().map(|(file, _)| file.as_str()).collect();
            let own = by_name.get(name.as_str()).into_iter().flatten().copied();
            let is_served = |case: &&Case<'_>| draft.serves.contains(&(case.path.to_owned(), case.version.to_owned()));
            let from: BTreeSet<&str> = own.clone().filter(is_served).map(Case::shown).collect();
            let from = from.into_iter().map(str::to_owned).collect();
            let is_open = |case: &&Case<'_>| matches!(case.stays, Some((Stay::Perhaps | Stay::Follows, _)));
            let may = ids(own.clone().filter(is_served).filter(is_open)).into_iter().map(str::to_owned).collect();
            let mut clears: BTreeSet<&str> = ids(own.clone().filter(is_served).filter(|case| case.stays.is_none()));
            let stays = own.filter(|case| files.contains(case.path));
            let staying = ids(stays.filter(|case| case.stays.is_some()));
            let eases = clears.intersection(&staying).map(|id| (*id).to_owned()).collect();
            clears.retain(|id| !staying.contains(id));
            let clears = clears.into_iter().map(str::to_owned).collect();
            let drops = draft.drops.into_iter().collect();
            Ok(Bump { name, from, to, clears, drops, eases, may, along, unknown })
        };
        let bumps = sheet.bumps.into_iter().map(bump).collect::<Result<_, Damage>>()?;
        edits.push(Edit { path, before: sheet.before, after: sheet.after, bumps });
    }
    Ok(edits)
}

/// What stays, the versions of a package that stay for the same reason together.
fn remaining(cases: &[Case<'_>]) -> Vec<Remaining> {
    let mut stays: BTreeMap<(&str, &str, Stay, &str), Vec<&Case<'_>>> = BTreeMap::new();
    // Of a range nothing was found that could stay.
    for case in cases.iter().filter(|case| !case.is_range) {
        if let Some((stay, reason)) = &case.stays {
            stays.entry((case.path, case.name, *stay, reason)).or_default().push(case);
        }
    }
    let told = |((path, name, stay, reason), cases): ((&str, &str, Stay, &str), Vec<&Case<'_>>)| {
        let versions: BTreeSet<&str> = cases.iter().map(|case| case.shown()).collect();
        let versions: Vec<&str> = versions.into_iter().collect();
        let lines: BTreeSet<u32> = cases.iter().flat_map(|case| &case.findings).map(|finding| finding.line).collect();
        Remaining {
            lines: lines.into_iter().collect(),
            path: path.to_owned(),
            package: format!("{name} {}", versions.join(", ")).trim_end().to_owned(),
            ids: ids(cases.iter().copied()).into_iter().map(str::to_owned).collect(),
            stay,
            reason: reason.to_owned(),
        }
    };
    stays.into_iter().map(told).collect()
}

fn ids<'c>(cases: impl Iterator<Item = &'c Case<'c>>) -> BTreeSet<&'c str> {
    cases.flat_map(|case| &case.findings).map(|finding| finding.verdict.id.as_str()).collect()
}

/// The format of an input. A file that another one takes in may have any name.
fn kind_of(input: &Input) -> Option<Kind> {
    if let Some(kind) = [Kind::GoSum, Kind::Requirements].into_iter().find(|kind| kind.name() == input.kind) {
        return Some(kind);
    }
    let (folder, name) = input.path.rsplit_once('/').unwrap_or(("", &input.path));
    Kind::of(folder, name)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A word as a shell takes it: names come out of files that anybody may have written.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '@' | '+');
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests;
