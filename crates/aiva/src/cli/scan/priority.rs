//! What to do first: sets the priority of each finding from what the scan and the imported lists say.

use std::path::Path;

use aiva_contracts::api::{DocumentPriority, DocumentTerm, FindingKind, Level, PackageScope};
use aiva_findings::observation::Observation;
use aiva_sca::package::Scope;
use aiva_sca::score::signals::{Signal, Signals};
use aiva_sca::score::{self, Facts, Weights};
use aiva_sca::severity;

/// Sets the priorities; `advisories` is the folder of the imported lists.
pub(super) fn add(advisories: &Path, weights: &Weights, findings: &mut [Observation]) {
    if findings.is_empty() {
        return;
    }
    let signals = Signals::open(advisories);
    for finding in findings {
        let facts = Facts {
            level: level(finding.severity.level),
            score: finding.severity.score,
            malicious: finding.kind == FindingKind::Malicious,
            signal: signals.as_ref().map(|signals| worst(signals, finding)),
            scope: finding.context.scope.map(scope).unwrap_or_default(),
            depth: match (
                finding.context.paths.as_ref().and_then(|paths| paths.shortest.first()),
                finding.context.direct,
            ) {
                (_, Some(true)) => Some(1),
                (Some(path), _) => Some(path.len()),
                (None, _) => None,
            },
        };
        let priority = score::priority(&facts, weights);
        let term =
            |term: score::Term| DocumentTerm { name: term.name.to_owned(), value: term.value, points: term.points };
        finding.context.priority =
            Some(DocumentPriority { score: priority.score, terms: priority.terms.into_iter().map(term).collect() });
    }
}

/// The worst that is said of any of the advisory's names.
fn worst(signals: &Signals, finding: &Observation) -> Signal {
    finding.names().map(|name| signals.of(name)).fold(Signal::default(), |worst, one| {
        let probability = |signal: &Signal| signal.epss.map_or(-1.0, |epss| epss.probability);
        Signal {
            epss: if probability(&one) > probability(&worst) { one.epss } else { worst.epss },
            kev: worst.kev.or(one.kev),
        }
    })
}

fn level(level: Level) -> severity::Level {
    match level {
        Level::Critical => severity::Level::Critical,
        Level::High => severity::Level::High,
        Level::Medium => severity::Level::Medium,
        Level::Low => severity::Level::Low,
        Level::Unknown => severity::Level::Unknown,
        Level::Informational => severity::Level::Informational,
    }
}

fn scope(scope: PackageScope) -> Scope {
    match scope {
        PackageScope::Runtime => Scope::Runtime,
        PackageScope::Dev => Scope::Dev,
        PackageScope::Build => Scope::Build,
        PackageScope::Optional => Scope::Optional,
        PackageScope::Peer => Scope::Peer,
    }
}
