//! Joins guard and findings where there is no server: what sca reports, as `findings` takes it in from events.
//!
//! Pure. The two crates never see each other; only the binary knows both. What a finding and an input are called is said once,
//! by [`aiva_sca::report`]; here is only what an event does not carry.

mod contents;

use std::sync::Arc;

use aiva_contracts::api::{
    AdvisoryState, DocumentAdvisories, DocumentEcosystem, DocumentMatch, DocumentPackage, DocumentPaths, PackageScope,
};
use aiva_findings::export::Spot;
use aiva_findings::observation::{Context, Observation};
use aiva_sca::advisory::{Index, IndexedEcosystem};
use aiva_sca::finding::{Finding, Introduced};
use aiva_sca::package::{Input, Package, Scope};
use aiva_sca::purl::purl;
use aiva_sca::report;

pub(crate) use contents::listings;

/// A finding with all its words, as `findings` takes it in.
pub(crate) fn observation(finding: &Finding) -> Observation {
    let matched = finding.verdict.matched.iter().map(|one| DocumentMatch {
        record: one.record.clone(),
        interval: one.interval.clone(),
        events: one.events.clone(),
    });
    let context = Context { matched: matched.collect(), paths: paths(finding), ..context(finding) };
    Observation { context, ..Observation::as_told(report::finding(finding)) }
}

/// A finding without what its verdict says in words and matches, for who has that already.
pub(crate) fn own(finding: &Finding) -> Observation {
    let context = Context { paths: paths(finding), ..context(finding) };
    Observation { context, ..Observation::as_told(report::outline(finding)) }
}

/// A finding without the words that are only read.
pub(crate) fn outline(finding: &Finding) -> Observation {
    Observation { context: context(finding), ..Observation::as_told(report::outline(finding)) }
}

/// Where a finding is among those that are as bad.
pub(crate) fn spot(finding: &Finding) -> Spot<'_> {
    (&finding.path, &finding.name, finding.line, &finding.verdict.id, &finding.version)
}

fn paths(finding: &Finding) -> Option<DocumentPaths> {
    let path = |path: &[Arc<str>]| path.iter().map(|step| String::from(&**step)).collect();
    let paths = |known: &Arc<Introduced>| DocumentPaths {
        shortest: known.paths.iter().map(path).collect(),
        count: known.count.min(1_000_000_000),
    };
    finding.introduced.as_ref().map(paths)
}

fn context(finding: &Finding) -> Context {
    Context { column: finding.column, direct: finding.direct, scope: Some(scope(finding.scope)), ..Context::default() }
}

/// What was judged by.
pub(crate) fn advisories(state: AdvisoryState, index: Option<&Index>) -> DocumentAdvisories {
    let ecosystems = index.map(Index::ecosystems).unwrap_or_default();
    DocumentAdvisories { state, ecosystems: ecosystems.iter().map(ecosystem).collect() }
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

/// Every package, as a document lists it.
pub(crate) fn packages(inputs: &[Input]) -> Vec<DocumentPackage> {
    let row = |input: &Input, package: &Package| DocumentPackage {
        purl: purl(package.ecosystem, &package.name, &package.version),
        path: input.path.clone(),
        line: package.line,
        direct: package.direct,
        scope: scope(package.scope),
        source: contents::source(package),
        licenses: package.licenses.to_vec(),
    };
    inputs.iter().flat_map(|input| input.packages.iter().map(|package| row(input, package))).collect()
}
