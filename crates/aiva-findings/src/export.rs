//! Writes the result of a scan: the document `aiva.scan/1` and SARIF.
//!
//! Pure. A document is made once, by [`document`], with fingerprints, exceptions and order applied; every other form is
//! made of the document. An upload reads the same document back.

use aiva_contracts::api::{
    Counts, DocumentAdvisories, DocumentFinding, DocumentInput, DocumentPackage, DocumentSchema, DocumentSummary,
    Guard, InputCounts, InputStatus, Level,
};

pub use aiva_contracts::api::ScanDocument as Document;

use crate::exception::Judge;
use crate::fingerprint::{Fingerprint, Place};
use crate::observation::Observation;

mod sarif;

pub use sarif::{Tool, sarif};

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
    let (accepted, counts) = count(&findings);
    let summary = DocumentSummary {
        findings: counts,
        accepted,
        packages: inputs.iter().map(|input| input.packages).sum(),
        not_judged: inputs.iter().map(|input| whole(input.not_judged.len())).sum(),
        inputs: count_inputs(&inputs, ignored),
        exceptions: judge.idle(),
    };
    Document { schema: DocumentSchema::AivaScan1, advisories, inputs, packages, findings, summary }
}

fn finding(guard: Guard, service: &str, seen: Observation, judge: &mut Judge) -> DocumentFinding {
    let place = Place { guard: guard.as_str(), service, path: &seen.path, package: &seen.name };
    let fingerprint = Fingerprint::new(place, seen.names()).to_string();
    let acceptance = judge.cover(place, seen.names()).map(crate::exception::Exception::acceptance);
    seen.document(fingerprint, acceptance)
}

fn rank(finding: &DocumentFinding) -> (bool, Level) {
    (finding.acceptance.is_some(), finding.severity.level)
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

fn count(findings: &[DocumentFinding]) -> (u64, Counts) {
    let mut counts = no_findings();
    let mut accepted = 0;
    for finding in findings {
        match finding.acceptance {
            Some(_) => accepted += 1,
            None => *count_of(&mut counts, finding.severity.level) += 1,
        }
    }
    (accepted, counts)
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
