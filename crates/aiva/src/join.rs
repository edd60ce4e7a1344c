//! Joins guard and findings: sca's own words into those of the shared story, in one place for the command line and the server.
//!
//! Pure. The two crates never see each other; only the binary knows both.

use std::collections::BTreeMap;

use aiva_contracts::api::{
    AdvisoryState, DocumentAdvisories, DocumentEcosystem, DocumentInput, DocumentNotJudged, DocumentPackage,
    DocumentProblem, FindingKind, Guard, InputStatus, Level, PackageScope, Severity,
};
use aiva_findings::export::Results;
use aiva_findings::observation::Observation;
use aiva_sca::advisory::IndexedEcosystem;
use aiva_sca::finding::{Finding, Kind};
use aiva_sca::inventory::Inventory;
use aiva_sca::package::{Input, Package, Scope, Status};
use aiva_sca::purl::purl;
use aiva_sca::scan::{ScanResult, Unjudged};
use aiva_sca::severity;

/// Whether every package is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packages {
    /// In the document.
    Listed,
    /// Only counted.
    Counted,
}

/// The results of a scan in the words of `findings`. `scan` is `None` where there were no advisories to judge by.
pub(crate) fn results(
    service: &str,
    inventory: &Inventory,
    scan: Option<ScanResult>,
    state: AdvisoryState,
    packages: Packages,
) -> Results {
    let (findings, unjudged, ecosystems) = match scan {
        Some(scan) => (scan.findings, scan.not_judged, scan.advisories.ecosystems),
        None => (Vec::new(), all_unjudged(&inventory.inputs), Vec::new()),
    };
    let mut by_path: BTreeMap<&str, Vec<DocumentNotJudged>> = BTreeMap::new();
    for entry in &unjudged {
        by_path.entry(&entry.path).or_default().push(not_judged(entry));
    }
    let inputs = inventory.inputs.iter().map(|i| input(i, by_path.remove(i.path.as_str()).unwrap_or_default()));
    Results {
        guard: Guard::Sca,
        service: service.to_owned(),
        advisories: DocumentAdvisories { state, ecosystems: ecosystems.iter().map(ecosystem).collect() },
        inputs: inputs.collect(),
        ignored: inventory.ignored_lockfiles.len() as u64,
        packages: (packages == Packages::Listed).then(|| all_packages(&inventory.inputs)),
        findings: findings.into_iter().map(observation).collect(),
    }
}

/// Without advisories nothing is judged, and every package says so.
fn all_unjudged(inputs: &[Input]) -> Vec<Unjudged> {
    let reason = "there are no advisories";
    let entry = |input: &Input, package: &Package| Unjudged {
        path: input.path.clone(),
        line: package.line,
        ecosystem: package.ecosystem,
        name: package.name.clone(),
        requirement: package.version.clone(),
        reason: reason.to_owned(),
    };
    let unpinned = |input: &Input| {
        let entries = input.not_judged.iter().map(|unpinned| Unjudged {
            path: input.path.clone(),
            line: unpinned.line,
            ecosystem: unpinned.ecosystem,
            name: unpinned.name.clone(),
            requirement: unpinned.requirement.clone(),
            reason: unpinned.reason.clone(),
        });
        entries.collect::<Vec<_>>()
    };
    inputs
        .iter()
        .flat_map(|input| input.packages.iter().map(|p| entry(input, p)).chain(unpinned(input)).collect::<Vec<_>>())
        .collect()
}

fn ecosystem(indexed: &IndexedEcosystem) -> DocumentEcosystem {
    DocumentEcosystem {
        name: indexed.ecosystem.osv_name().to_owned(),
        records: indexed.records,
        imported_at: indexed.imported_at,
    }
}

fn input(input: &Input, not_judged: Vec<DocumentNotJudged>) -> DocumentInput {
    DocumentInput {
        path: input.path.clone(),
        kind: input.kind.to_owned(),
        status: match input.status {
            Status::Parsed => InputStatus::Parsed,
            Status::Partial => InputStatus::Partial,
            Status::Unsupported => InputStatus::Unsupported,
            Status::Failed => InputStatus::Failed,
        },
        packages: input.packages.len() as u64,
        not_judged,
        problems: input
            .problems
            .iter()
            .map(|problem| DocumentProblem { line: problem.line, message: problem.message.clone() })
            .collect(),
    }
}

fn not_judged(entry: &Unjudged) -> DocumentNotJudged {
    DocumentNotJudged {
        ecosystem: entry.ecosystem.osv_name().to_owned(),
        name: entry.name.clone(),
        requirement: entry.requirement.clone(),
        line: entry.line,
        reason: entry.reason.clone(),
    }
}

fn all_packages(inputs: &[Input]) -> Vec<DocumentPackage> {
    let row = |input: &Input, package: &Package| DocumentPackage {
        purl: purl(package.ecosystem, &package.name, &package.version),
        path: input.path.clone(),
        line: package.line,
        direct: package.direct,
        scope: match package.scope {
            Scope::Runtime => PackageScope::Runtime,
            Scope::Dev => PackageScope::Dev,
            Scope::Build => PackageScope::Build,
            Scope::Optional => PackageScope::Optional,
            Scope::Peer => PackageScope::Peer,
        },
        licenses: package.licenses.clone(),
    };
    inputs.iter().flat_map(|input| input.packages.iter().map(|package| row(input, package))).collect()
}

fn observation(finding: Finding) -> Observation {
    let verdict = &finding.verdict;
    Observation {
        id: verdict.id.clone(),
        aliases: verdict.aliases.clone(),
        kind: match verdict.kind {
            Kind::Malicious => FindingKind::Malicious,
            Kind::Vulnerability => FindingKind::Vulnerability,
            Kind::Unsound => FindingKind::Unsound,
            Kind::Unmaintained => FindingKind::Unmaintained,
            Kind::Yanked => FindingKind::Yanked,
        },
        purl: finding.purl.clone(),
        name: finding.name.clone(),
        version: finding.version.clone(),
        ecosystem: finding.ecosystem.osv_name().to_owned(),
        path: finding.path.clone(),
        line: finding.line,
        severity: Severity {
            level: level(verdict.severity.level),
            score: verdict.severity.score,
            vector: verdict.severity.vector.clone(),
        },
        fixed_versions: verdict.fixed_versions.clone(),
        summary: verdict.summary.clone(),
        description: verdict.description.clone(),
        references: verdict.references.clone(),
        reason: verdict.reason.clone(),
    }
}

fn level(level: severity::Level) -> Level {
    match level {
        severity::Level::Critical => Level::Critical,
        severity::Level::High => Level::High,
        severity::Level::Medium => Level::Medium,
        severity::Level::Low => Level::Low,
        severity::Level::Unknown => Level::Unknown,
        severity::Level::Informational => Level::Informational,
    }
}
