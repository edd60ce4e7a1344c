//! Results in the words of the shared story, in which every guard reports: the one place that translates them.
//!
//! Pure. A server puts them into events, the command line into the document of `aiva scan`.

use aiva_contracts::message::scan::v1 as message;

use crate::finding::{Finding, Kind, Verdict};
use crate::package::{Input, Problem, Status};
use crate::scan::{Possible, Unjudged};
use crate::severity::Level;

/// A finding, complete.
pub fn finding(finding: &Finding) -> message::ObservedFinding {
    let verdict = &finding.verdict;
    message::ObservedFinding {
        summary: verdict.summary.clone(),
        description: String::from(&*verdict.description),
        references: verdict.references.to_vec(),
        reason: verdict.reason.clone(),
        symbols: verdict.symbols.names.clone(),
        more_symbols: verdict.symbols.more,
        ..outline(finding)
    }
}

/// A finding without the words that are only read: all that it is found, counted and sorted by.
pub fn outline(finding: &Finding) -> message::ObservedFinding {
    let verdict = &finding.verdict;
    message::ObservedFinding {
        id: verdict.id.clone(),
        aliases: verdict.aliases.clone(),
        kind: kind(verdict).into(),
        purl: finding.purl.clone(),
        package_name: finding.name.as_str().to_owned(),
        version: finding.version.as_str().to_owned(),
        ecosystem: finding.ecosystem.osv_name().to_owned(),
        path: String::from(&*finding.path),
        line: finding.line,
        severity: Some(message::Severity {
            level: level(verdict).into(),
            score: verdict.severity.score,
            vector: verdict.severity.vector.clone().unwrap_or_default(),
        }),
        fixed_versions: verdict.fixed_versions.clone(),
        last_affected: verdict.last_affected.clone().unwrap_or_default(),
        summary: String::new(),
        description: String::new(),
        references: Vec::new(),
        reason: String::new(),
        symbols: Vec::new(),
        more_symbols: 0,
    }
}

fn kind(verdict: &Verdict) -> message::FindingKind {
    match verdict.kind {
        Kind::Malicious => message::FindingKind::Malicious,
        Kind::Vulnerability => message::FindingKind::Vulnerability,
        Kind::Unsound => message::FindingKind::Unsound,
        Kind::Unmaintained => message::FindingKind::Unmaintained,
        Kind::Yanked => message::FindingKind::Yanked,
        Kind::License => message::FindingKind::License,
        Kind::SupplyChain => message::FindingKind::SupplyChain,
    }
}

fn level(verdict: &Verdict) -> message::Level {
    match verdict.severity.level {
        Level::Critical => message::Level::Critical,
        Level::High => message::Level::High,
        Level::Medium => message::Level::Medium,
        Level::Low => message::Level::Low,
        Level::Unknown => message::Level::Unknown,
        Level::Informational => message::Level::Informational,
    }
}

/// What became of each file, with the entries of it that nobody could judge and those that can resolve to an affected version,
/// which are both in the order of the files.
pub fn inputs(inputs: &[Input], unjudged: &[Unjudged], can_resolve: &[Possible]) -> Vec<message::ObservedInput> {
    let (mut unjudged, mut possible) = (unjudged, can_resolve);
    let tell = |one: &Input| {
        let (own, rest) = unjudged.split_at(unjudged.iter().take_while(|entry| entry.path == one.path).count());
        unjudged = rest;
        let (open, rest) = possible.split_at(possible.iter().take_while(|entry| entry.path == one.path).count());
        possible = rest;
        input(one, own, open)
    };
    inputs.iter().map(tell).collect()
}

/// What became of one file, with its entries of both sorts.
pub fn input(input: &Input, unjudged: &[Unjudged], can_resolve: &[Possible]) -> message::ObservedInput {
    let status = match input.status {
        Status::Parsed => message::InputStatus::Parsed,
        Status::Partial => message::InputStatus::Partial,
        Status::Unsupported => message::InputStatus::Unsupported,
        Status::Failed => message::InputStatus::Failed,
    };
    let problem = |problem: &Problem| message::Problem { line: problem.line, message: problem.message.clone() };
    message::ObservedInput {
        path: input.path.clone(),
        kind: input.kind.clone().into_owned(),
        status: status.into(),
        packages: input.packages.len() as u64,
        not_judged: unjudged.iter().map(not_judged).collect(),
        problems: input.problems.iter().map(problem).collect(),
        can_resolve: can_resolve.iter().map(resolvable).collect(),
    }
}

fn resolvable(entry: &Possible) -> message::CanResolve {
    let advisory = |verdict: &Verdict| message::PossibleAdvisory {
        id: verdict.id.clone(),
        aliases: verdict.aliases.clone(),
        kind: kind(verdict).into(),
        level: level(verdict).into(),
        summary: verdict.summary.clone(),
    };
    message::CanResolve {
        ecosystem: entry.ecosystem.osv_name().to_owned(),
        name: entry.name.clone(),
        requirement: entry.requirement.clone(),
        line: entry.line,
        scope: entry.scope.name().to_owned(),
        safe_from: entry.safe_from.clone().unwrap_or_default(),
        safe_after: entry.safe_after.clone().unwrap_or_default(),
        never_safe: entry.is_never_safe,
        advisories: entry.verdicts.iter().map(|verdict| advisory(verdict)).collect(),
    }
}

fn not_judged(entry: &Unjudged) -> message::NotJudged {
    message::NotJudged {
        ecosystem: entry.ecosystem.osv_name().to_owned(),
        name: entry.name.clone(),
        requirement: entry.requirement.clone(),
        line: entry.line,
        reason: entry.reason.clone(),
        registry: entry.registry.as_deref().unwrap_or_default().to_owned(),
    }
}
