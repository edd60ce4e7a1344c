//! What to do first: the priority of each finding from what the scan and the imported lists say.

use std::path::PathBuf;
use std::sync::OnceLock;

use aiva_contracts::api::{DocumentPriority, DocumentTerm};
use aiva_sca::finding::{Finding, Kind};
use aiva_sca::score::signals::{Signal, Signals};
use aiva_sca::score::{self, Facts, Weights};

/// What priorities are made of.
pub(super) struct Priorities {
    /// Read when the first finding is there.
    signals: OnceLock<Option<Signals>>,
    advisories: PathBuf,
    weights: Weights,
}

impl Priorities {
    /// `advisories` is the folder of the imported lists.
    pub(super) fn new(advisories: PathBuf, weights: Weights) -> Self {
        Self { signals: OnceLock::new(), advisories, weights }
    }

    /// The priority of a finding, with its arithmetic.
    pub(super) fn of(&self, finding: &Finding) -> DocumentPriority {
        let priority = score::priority(&self.facts(finding), &self.weights);
        let term = |term: score::Term| DocumentTerm {
            name: term.name.to_owned(),
            value: term.value.into_owned(),
            points: term.points,
        };
        DocumentPriority { score: priority.score, terms: priority.terms.into_iter().map(term).collect() }
    }

    /// The same for an outline, which is put in order and not shown: no more than the sum, before it is cut at 100.
    pub(super) fn outline(&self, finding: &Finding) -> DocumentPriority {
        DocumentPriority { score: score::sum(&self.facts(finding), &self.weights), terms: Vec::new() }
    }

    fn facts(&self, finding: &Finding) -> Facts {
        let severity = &finding.verdict.severity;
        Facts {
            level: severity.level,
            score: severity.score,
            malicious: finding.verdict.kind == Kind::Malicious,
            signal: self
                .signals
                .get_or_init(|| Signals::open(&self.advisories))
                .as_ref()
                .map(|signals| worst(signals, finding)),
            scope: finding.scope,
            depth: depth(finding),
            symbols: finding.verdict.symbols.count(),
        }
    }
}

/// How many packages the shortest way to the finding's names; `None` where that is not known. With its verdict and its scope it decides
/// the priority.
pub(super) fn depth(finding: &Finding) -> Option<usize> {
    match (finding.direct, &finding.introduced) {
        (Some(true), _) => Some(1),
        (_, Some(known)) => known.paths.iter().next().map(<[_]>::len),
        (_, None) => None,
    }
}

/// The worst that is said of any of the advisory's names.
fn worst(signals: &Signals, finding: &Finding) -> Signal {
    let names = std::iter::once(&finding.verdict.id).chain(&finding.verdict.aliases);
    names.map(|name| signals.of(name)).fold(Signal::default(), |worst, one| {
        let probability = |signal: &Signal| signal.epss.map_or(-1.0, |epss| epss.probability);
        Signal {
            epss: if probability(&one) > probability(&worst) { one.epss } else { worst.epss },
            kev: worst.kev.or(one.kev),
        }
    })
}
