//! Writes the result of a scan: the document `aiva.scan/1`, SARIF, and the forms that people and build servers read.
//!
//! Pure. A document is made once, by [`document`], with fingerprints, exceptions and order applied; every other form is
//! made of the document. An upload reads the same document back.

use aiva_contracts::api::{
    Counts, DocumentAdvisories, DocumentCanResolve, DocumentFinding, DocumentInput, DocumentPackage, DocumentSchema,
    DocumentStatement, DocumentSummary, Guard, InputCounts, InputStatus, Level, StatementStatus,
};
use jiff::Timestamp;

pub use aiva_contracts::api::ScanDocument as Document;

use crate::exception::Judge;
use crate::fingerprint::{Fingerprint, Place};
use crate::observation::Observation;

mod github;
mod gitlab;
mod html;
mod junit;
mod markdown;
mod sarif;

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
pub struct Results {
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
    pub findings: Vec<Observation>,
}

/// The document of a scan: findings with fingerprints and acceptances, the worst first; counts; idle exceptions.
pub fn document(results: Results, judge: &mut Judge) -> Document {
    let Results { guard, service, advisories, mut inputs, ignored, packages, findings } = results;
    let mut findings: Vec<DocumentFinding> =
        findings.into_iter().map(|seen| finding(guard, &service, seen.bounded(), judge)).collect();
    findings.sort_by(|a, b| {
        rank(a).cmp(&rank(b)).then_with(|| score(b).total_cmp(&score(a))).then_with(|| at(a).cmp(&at(b)))
    });
    inputs.sort_by(|a, b| a.path.cmp(&b.path).then_with(|| a.kind.cmp(&b.kind)));
    let mut summary = DocumentSummary {
        findings: no_findings(),
        accepted: 0,
        suppressed: None,
        known: None,
        packages: inputs.iter().map(|input| input.packages).sum(),
        not_judged: inputs.iter().map(|input| whole(input.not_judged.len())).sum(),
        can_resolve: Some(inputs.iter().map(|input| whole(input.can_resolve.len())).sum()).filter(|count| *count > 0),
        inputs: count_inputs(&inputs, ignored),
        exceptions: judge.idle(),
    };
    count(&findings, &mut summary);
    Document { schema: DocumentSchema::AivaScan1, advisories, inputs, packages, findings, summary }
}

fn finding(guard: Guard, service: &str, seen: Observation, judge: &mut Judge) -> DocumentFinding {
    let place = Place { guard: guard.as_str(), service, path: &seen.path, package: &seen.name };
    let fingerprint = Fingerprint::new(place, seen.names()).to_string();
    let acceptance = judge.cover(place, seen.names()).map(crate::exception::Exception::acceptance);
    seen.document(fingerprint, acceptance)
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
    let suppressed = |status| matches!(status, StatementStatus::NotAffected | StatementStatus::Fixed);
    match finding {
        DocumentFinding { acceptance: Some(_), .. } => Standing::Accepted,
        DocumentFinding { statement: Some(said), .. } if suppressed(said.status) => Standing::Suppressed,
        DocumentFinding { known: Some(true), .. } => Standing::Known,
        _ => Standing::Open,
    }
}

/// The findings that want action.
pub fn wanting(document: &Document) -> impl Iterator<Item = &DocumentFinding> {
    document.findings.iter().filter(|finding| standing(finding) <= Standing::Known)
}

fn rank(finding: &DocumentFinding) -> (Standing, std::cmp::Reverse<u64>, Level) {
    // In thousandths, so that equal priorities compare equal.
    let priority = finding.priority.as_ref().map_or(0.0, |priority| priority.score * 1000.0);
    (standing(finding), std::cmp::Reverse(priority as u64), finding.severity.level)
}

fn score(finding: &DocumentFinding) -> f64 {
    finding.severity.score.unwrap_or(0.0)
}

fn at(finding: &DocumentFinding) -> (&str, &str, u32, &str, &str) {
    (&finding.path, &finding.name, finding.line, &finding.id, &finding.version)
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn count(findings: &[DocumentFinding], summary: &mut DocumentSummary) {
    for finding in findings {
        match standing(finding) {
            Standing::Accepted => summary.accepted += 1,
            Standing::Suppressed => *summary.suppressed.get_or_insert(0) += 1,
            Standing::Known => {
                *summary.known.get_or_insert(0) += 1;
                *count_of(&mut summary.findings, finding.severity.level) += 1;
            }
            Standing::Open => {
                // A baseline was given, and this is new.
                if finding.known.is_some() {
                    summary.known.get_or_insert(0);
                }
                *count_of(&mut summary.findings, finding.severity.level) += 1;
            }
        }
    }
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

/// What would end a finding, for a person.
fn remedy(finding: &DocumentFinding) -> String {
    match finding.fixed_versions.as_slice() {
        [] => "no fixed version is known".to_owned(),
        versions => format!("fixed in {}", versions.join(", ")),
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
    match &entry.safe_from {
        Some(version) => format!("it can resolve to a version with {ids}; from {version} on it cannot"),
        None => format!("it can resolve to a version with {ids}; no version that it allows is known to be safe"),
    }
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
