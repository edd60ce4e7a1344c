//! Results in the words of the shared story, in which every guard reports: the one place that translates them.
//!
//! Pure. A server puts them into events, the command line into the document of `aiva scan`.

use aiva_contracts::message::scan::v1 as message;

use crate::finding::{Finding, Kind};
use crate::package::{Input, Status};
use crate::scan::Unjudged;
use crate::severity::Level;

/// A finding, complete.
pub fn finding(finding: &Finding) -> message::ObservedFinding {
    let verdict = &finding.verdict;
    let kind = match verdict.kind {
        Kind::Malicious => message::FindingKind::Malicious,
        Kind::Vulnerability => message::FindingKind::Vulnerability,
        Kind::Unsound => message::FindingKind::Unsound,
        Kind::Unmaintained => message::FindingKind::Unmaintained,
        Kind::Yanked => message::FindingKind::Yanked,
        Kind::License => message::FindingKind::License,
        Kind::SupplyChain => message::FindingKind::SupplyChain,
    };
    let level = match verdict.severity.level {
        Level::Critical => message::Level::Critical,
        Level::High => message::Level::High,
        Level::Medium => message::Level::Medium,
        Level::Low => message::Level::Low,
        Level::Unknown => message::Level::Unknown,
        Level::Informational => message::Level::Informational,
    };
    message::ObservedFinding {
        id: verdict.id.clone(),
        aliases: verdict.aliases.clone(),
        kind: kind.into(),
        purl: finding.purl.clone(),
        package_name: finding.name.clone(),
        version: finding.version.clone(),
        ecosystem: finding.ecosystem.osv_name().to_owned(),
        path: finding.path.clone(),
        line: finding.line,
        severity: Some(message::Severity {
            level: level.into(),
            score: verdict.severity.score,
            vector: verdict.severity.vector.clone().unwrap_or_default(),
        }),
        fixed_versions: verdict.fixed_versions.clone(),
        summary: verdict.summary.clone(),
        description: verdict.description.clone(),
        references: verdict.references.clone(),
        reason: verdict.reason.clone(),
    }
}

/// What became of each file, with the entries of it that nobody could judge, which are in the order of the files.
pub fn inputs(inputs: &[Input], unjudged: &[Unjudged]) -> Vec<message::ObservedInput> {
    let mut unjudged = unjudged.iter().peekable();
    let mut told = Vec::with_capacity(inputs.len());
    for one in inputs {
        let mut entries = Vec::new();
        while let Some(entry) = unjudged.next_if(|entry| entry.path == one.path) {
            entries.push(not_judged(entry));
        }
        told.push(input(one, entries));
    }
    told
}

fn input(input: &Input, not_judged: Vec<message::NotJudged>) -> message::ObservedInput {
    let status = match input.status {
        Status::Parsed => message::InputStatus::Parsed,
        Status::Partial => message::InputStatus::Partial,
        Status::Unsupported => message::InputStatus::Unsupported,
        Status::Failed => message::InputStatus::Failed,
    };
    message::ObservedInput {
        path: input.path.clone(),
        kind: input.kind.to_owned(),
        status: status.into(),
        packages: input.packages.len() as u64,
        not_judged,
        problems: input
            .problems
            .iter()
            .map(|problem| message::Problem { line: problem.line, message: problem.message.clone() })
            .collect(),
    }
}

fn not_judged(entry: &Unjudged) -> message::NotJudged {
    message::NotJudged {
        ecosystem: entry.ecosystem.osv_name().to_owned(),
        name: entry.name.clone(),
        requirement: entry.requirement.clone(),
        line: entry.line,
        reason: entry.reason.clone(),
    }
}
