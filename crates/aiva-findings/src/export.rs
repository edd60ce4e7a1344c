//! Writes the result of a scan: the document `aiva.scan/1`, SARIF, and the forms that people and build servers read.
//!
//! Pure. Fingerprints, exceptions and order are applied once, in a [`Draft`], which holds little of each finding; it is written
//! finding by finding, or made into the whole document of which every other form is made. An upload reads that document back.

use std::borrow::Cow;

use aiva_contracts::api::{
    AdvisoryState, Counts, DocumentAdvisories, DocumentCanResolve, DocumentException, DocumentFinding, DocumentInput,
    DocumentPackage, DocumentStatement, FindingKind, Guard, InputCounts, InputStatus, Level, StatementStatus,
};
use jiff::Timestamp;

pub use aiva_contracts::api::ScanDocument as Document;

use crate::exception::Judge;
use crate::observation::Observation;

mod draft;
mod github;
mod gitlab;
mod html;
mod junit;
mod markdown;
mod sarif;
mod story;

pub use draft::{Draft, Spot, Teller};
pub use github::annotations;
pub use gitlab::gitlab;
pub use html::html;
pub use junit::junit;
pub use markdown::markdown;
pub use sarif::sarif;

/// Who made a report, and when.
#[derive(Debug, Clone, Copy)]
pub struct Tool<'a> {
    /// The release of AIVA.
    pub version: &'a str,
    /// The time that the report bears.
    pub at: Timestamp,
}

/// What one scan found out, before exceptions.
#[derive(Debug, Clone, PartialEq)]
pub struct Results<F = Observation> {
    /// The guard that ran.
    pub guard: Guard,
    /// The service it ran for; empty where there is none.
    pub service: String,
    /// What it judged by.
    pub advisories: DocumentAdvisories,
    /// Every file seen.
    pub inputs: Vec<DocumentInput>,
    /// Files that a git-ignore rule hides.
    pub ignored: u64,
    /// Every package, if asked for.
    pub packages: Option<Vec<DocumentPackage>>,
    /// What wants action.
    pub findings: Vec<F>,
}

/// The document of a scan: findings with fingerprints and acceptances, the worst first; counts; idle exceptions.
pub fn document(results: Results, judge: &mut Judge) -> Document {
    let outline = |seen: &Observation| seen.clone().bounded();
    Draft::new(results, judge, spot, outline, |_| true).document(Observation::clone)
}

fn spot(seen: &Observation) -> Spot<'_> {
    (&seen.path, &seen.name, seen.line, &seen.id, &seen.version)
}

/// What the finding asks of its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It wants action.
    Open,
    /// It wants action, and the baseline has it too.
    Known,
    /// A VEX statement rules it out.
    Suppressed,
    /// An exception covers it.
    Accepted,
}

/// How a finding stands.
pub fn standing(finding: &DocumentFinding) -> Standing {
    let DocumentFinding { acceptance, statement, known, .. } = finding;
    stands(acceptance.is_some(), statement.as_ref(), *known)
}

fn stands(is_accepted: bool, statement: Option<&DocumentStatement>, known: Option<bool>) -> Standing {
    let suppressed = |status| matches!(status, StatementStatus::NotAffected | StatementStatus::Fixed);
    match (is_accepted, statement, known) {
        (true, _, _) => Standing::Accepted,
        (_, Some(said), _) if suppressed(said.status) => Standing::Suppressed,
        (_, _, Some(true)) => Standing::Known,
        _ => Standing::Open,
    }
}

/// The document with its paths below a folder: for who knows the whole repository of which a part was scanned.
#[must_use]
pub fn below(document: &Document, folder: &str) -> Document {
    let mut document = document.clone();
    let paths = document.findings.iter_mut().map(|finding| &mut finding.path);
    for path in paths.chain(document.inputs.iter_mut().map(|input| &mut input.path)) {
        *path = format!("{folder}/{path}");
    }
    document
}

/// The findings that want action.
pub fn wanting(document: &Document) -> impl Iterator<Item = &DocumentFinding> {
    document.findings.iter().filter(|finding| standing(finding) <= Standing::Known)
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// What a VEX statement says, in one line for a person.
pub fn spoken_statement(statement: &DocumentStatement) -> String {
    let mut text = statement.status.as_str().replace('_', " ");
    for part in [&statement.justification, &statement.detail].into_iter().flatten() {
        text.push_str(": ");
        text.push_str(part);
    }
    let by = statement.author.as_deref().map(|author| format!("{author}, ")).unwrap_or_default();
    format!("{text} ({by}{})", statement.document)
}

/// What may be said of a scan without findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clean {
    /// There was nothing to read.
    Empty,
    /// What was read could not be judged.
    #[default]
    Unjudged,
    /// Something was not read to its end, or not judged.
    InPart,
    /// Ranges without a pin may lead elsewhere.
    Pinned,
    /// All of it was read and judged.
    Whole,
}

impl Clean {
    /// What is said of it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Empty => "No manifest or lockfile found",
            Self::Unjudged => "Nothing could be judged",
            Self::InPart => "No known vulnerability in what could be judged",
            Self::Pinned => "No known vulnerability in what is pinned",
            Self::Whole => "No known vulnerability",
        }
    }
}

/// How many files were not read to their end, or not at all.
pub fn unread(inputs: &InputCounts) -> u64 {
    inputs.partial + inputs.unsupported + inputs.failed
}

/// What may be said of a scan if it has no findings. Files that were read to their end and name no package are clean: there is nothing
/// in them to judge.
pub fn clean(document: &Document) -> Clean {
    let Document { summary, inputs: files, advisories, .. } = document;
    let inputs = &summary.inputs;
    let unread = unread(inputs);
    let judged: u64 = files.iter().map(|input| judged(input, advisories)).sum();
    let seen = judged + summary.can_resolve.unwrap_or(0);
    let is_open = summary.not_judged + unread > 0;
    match (inputs.parsed + unread, seen) {
        (0, 0) => Clean::Empty,
        _ if advisories.state == AdvisoryState::Missing => Clean::Unjudged,
        (_, 0) if is_open || inputs.parsed == 0 => Clean::Unjudged,
        _ if is_open => Clean::InPart,
        _ if summary.can_resolve.is_some() => Clean::Pinned,
        _ => Clean::Whole,
    }
}

/// How many packages of a file can have been judged: not those of an ecosystem that the index has nothing on.
fn judged(input: &DocumentInput, advisories: &DocumentAdvisories) -> u64 {
    let is_known = |name: &str| advisories.ecosystems.iter().any(|known| known.name == name);
    let outside = input.not_judged.iter().filter(|entry| !is_known(&entry.ecosystem)).count();
    input.packages.saturating_sub(whole(outside))
}

/// An exception that does nothing, in one line for a person.
pub fn spoken_exception(idle: &DocumentException) -> String {
    let what = [&idle.id, &idle.package, &idle.path].into_iter().flatten().map(String::as_str);
    let what = what.collect::<Vec<_>>().join(", ");
    format!("exception for {what} (owner {}, until {}): {}", idle.owner, idle.expires, idle.state)
}

/// What a manifest asks for: `left-pad ^1.2`.
pub fn spoken_entry(name: &str, requirement: &str) -> String {
    if requirement.is_empty() { name.to_owned() } else { format!("{name} {requirement}") }
}

/// Whether another version of the package can end it: licences and the ways in which packages come have little to do with versions.
pub fn is_of_versions(kind: FindingKind) -> bool {
    !matches!(kind, FindingKind::License | FindingKind::SupplyChain)
}

/// What would end a finding, for a person.
fn remedy(finding: &DocumentFinding) -> String {
    match (finding.fixed_versions.as_slice(), &finding.last_affected) {
        _ if !is_of_versions(finding.kind) => "no matter of versions".to_owned(),
        ([], Some(last)) => format!("later than {last} is not affected"),
        ([], None) => "no fixed version is known".to_owned(),
        (versions, _) => format!("fixed in {}", versions.join(", ")),
    }
}

/// What a range without a pin can lead to, for a person: the advisories, the worst first, and from where on it is safe.
pub fn spoken_possibility(entry: &DocumentCanResolve) -> String {
    const LISTED: usize = 3;
    let named = entry.advisories.iter().take(LISTED).map(|one| format!("{} ({})", one.id, one.severity));
    let mut ids = named.collect::<Vec<_>>().join(", ");
    if entry.advisories.len() > LISTED {
        ids.push_str(&format!(" and {} more", entry.advisories.len() - LISTED));
    }
    format!("it can resolve to a version with {ids}; {}", safe(entry))
}

/// From where on a range cannot resolve to an affected version.
fn safe(entry: &DocumentCanResolve) -> String {
    if entry.never_safe == Some(true) {
        return "no version that it allows is free of known vulnerabilities".to_owned();
    }
    match (&entry.safe_from, &entry.safe_after) {
        (Some(version), _) => format!("from {version} on it cannot"),
        (None, Some(version)) => format!("later than {version} it cannot"),
        (None, None) => "no version that it allows is known from which on all are safe".to_owned(),
    }
}

/// The functions that an advisory names as affected, on one short line: `functions: ssh.Dial, ssh.NewServerConn and 12 more`. A Go
/// package is called as code calls it, by the end of its path. Nothing where none are named.
pub fn spoken_symbols(names: &[String], more: u64) -> Option<String> {
    const LISTED: usize = 5;
    let listed = names.iter().take(LISTED).map(|name| called(name)).collect::<Vec<_>>().join(", ");
    let more = more.saturating_add(whole(names.len().saturating_sub(LISTED)));
    match (listed.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(format!("functions: {listed}")),
        (false, more) => Some(format!("functions: {listed} and {more} more")),
    }
}

/// `golang.org/x/crypto/ssh.Dial` is `ssh.Dial` in code, and `example.org/left/v2.Pad` is `left.Pad`.
fn called(name: &str) -> Cow<'_, str> {
    let Some((path, end)) = name.rsplit_once('/') else { return Cow::Borrowed(name) };
    let major = end.split_once('.').filter(|(major, _)| {
        major
            .strip_prefix('v')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    });
    match major {
        Some((_, function)) => format!("{}.{function}", path.rsplit('/').next().unwrap_or(path)).into(),
        None => Cow::Borrowed(end),
    }
}

/// Those of a finding.
fn symbols(finding: &DocumentFinding) -> Option<String> {
    spoken_symbols(&finding.symbols, finding.more_symbols.unwrap_or_default())
}

/// How the package comes in: `app > express > qs`, one line a path.
fn introducers(finding: &DocumentFinding) -> Vec<String> {
    let Some(paths) = &finding.paths else { return Vec::new() };
    let mut lines: Vec<String> = paths.shortest.iter().map(|path| path.join(" > ")).collect();
    let shown = whole(lines.len());
    if paths.count > shown {
        lines.push(format!("and {} more of the same length", paths.count - shown));
    }
    lines
}

/// Zero of every level.
pub fn no_findings() -> Counts {
    Counts { critical: 0, high: 0, medium: 0, low: 0, unknown: 0, informational: 0 }
}

/// The counter of one level.
pub fn count_of(counts: &mut Counts, level: Level) -> &mut u64 {
    match level {
        Level::Critical => &mut counts.critical,
        Level::High => &mut counts.high,
        Level::Medium => &mut counts.medium,
        Level::Low => &mut counts.low,
        Level::Unknown => &mut counts.unknown,
        Level::Informational => &mut counts.informational,
    }
}

/// How many inputs ended how.
pub fn count_inputs(inputs: &[DocumentInput], ignored: u64) -> InputCounts {
    let mut counts = InputCounts { parsed: 0, partial: 0, unsupported: 0, failed: 0, ignored };
    for input in inputs {
        match input.status {
            InputStatus::Parsed => counts.parsed += 1,
            InputStatus::Partial => counts.partial += 1,
            InputStatus::Unsupported => counts.unsupported += 1,
            InputStatus::Failed => counts.failed += 1,
        }
    }
    counts
}

#[cfg(test)]
mod tests;
