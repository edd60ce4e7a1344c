//! Joins guard and findings where there is no server: what sca reports, as `findings` takes it in from events.
//!
//! Pure. The two crates never see each other; only the binary knows both. What a finding and an input are called is said once,
//! by [`aiva_sca::report`]; here is only what an event does not carry.

use aiva_contracts::api::{
    AdvisoryState, DocumentAdvisories, DocumentEcosystem, DocumentMatch, DocumentPackage, DocumentPaths, Guard,
    PackageScope,
};
use aiva_findings::export::Results;
use aiva_findings::observation::{self, Context, Observation};
use aiva_sca::advisory::IndexedEcosystem;
use aiva_sca::finding::Finding;
use aiva_sca::inventory::Inventory;
use aiva_sca::package::{Input, Package, Scope};
use aiva_sca::purl::purl;
use aiva_sca::report;
use aiva_sca::scan::{ScanResult, Unjudged};

/// Whether every package is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packages {
    /// In the document.
    Listed,
    /// Only counted.
    Counted,
}

/// What there is to say of an inventory.
pub(crate) struct Judged {
    /// By the advisories; `None` where there were none.
    pub(crate) scan: Option<ScanResult>,
    /// What no advisory tells.
    pub(crate) facts: Vec<Finding>,
}

/// The results of a scan in the words of `findings`.
pub(crate) fn results(
    service: &str,
    inventory: &Inventory,
    judged: Judged,
    state: AdvisoryState,
    packages: Packages,
) -> Results {
    let (findings, unjudged, can_resolve, ecosystems) = match judged.scan {
        Some(scan) => {
            let scan = scan.with(judged.facts);
            (scan.findings, scan.not_judged, scan.can_resolve, scan.advisories.ecosystems)
        }
        None => (judged.facts, all_unjudged(&inventory.inputs), Vec::new(), Vec::new()),
    };
    let inputs = report::inputs(&inventory.inputs, &unjudged, &can_resolve).into_iter().map(observation::input);
    Results {
        guard: Guard::Sca,
        service: service.to_owned(),
        advisories: DocumentAdvisories { state, ecosystems: ecosystems.iter().map(ecosystem).collect() },
        inputs: inputs.collect(),
        ignored: inventory.ignored_lockfiles.len() as u64,
        packages: (packages == Packages::Listed).then(|| all_packages(&inventory.inputs)),
        findings: findings.iter().map(observation).collect(),
    }
}

fn observation(finding: &Finding) -> Observation {
    let matched = finding.verdict.matched.iter().map(|one| DocumentMatch {
        record: one.record.clone(),
        interval: one.interval.clone(),
        events: one.events.clone(),
    });
    let paths = finding
        .introduced
        .as_ref()
        .map(|known| DocumentPaths { shortest: known.paths.clone(), count: known.count.min(1_000_000_000) });
    let context = Context {
        direct: finding.direct,
        scope: Some(scope(finding.scope)),
        matched: matched.collect(),
        paths,
        ..Context::default()
    };
    Observation { context, ..Observation::from(report::finding(finding)) }
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

fn scope(scope: Scope) -> PackageScope {
    match scope {
        Scope::Runtime => PackageScope::Runtime,
        Scope::Dev => PackageScope::Dev,
        Scope::Build => PackageScope::Build,
        Scope::Optional => PackageScope::Optional,
        Scope::Peer => PackageScope::Peer,
    }
}

fn all_packages(inputs: &[Input]) -> Vec<DocumentPackage> {
    let row = |input: &Input, package: &Package| DocumentPackage {
        purl: purl(package.ecosystem, &package.name, &package.version),
        path: input.path.clone(),
        line: package.line,
        direct: package.direct,
        scope: scope(package.scope),
        licenses: package.licenses.clone(),
    };
    inputs.iter().flat_map(|input| input.packages.iter().map(|package| row(input, package))).collect()
}
