//! What to do first: 0 to 100 out of CVSS, EPSS, KEV, scope, depth and symbols, with the arithmetic beside it.
//!
//! Pure. Every term says what was looked at, what was seen and what it adds; the weights are the operator's ([`Weights`]). The
//! score orders findings, it never hides one. What nobody knows counts as the middle, not as nothing: a missing fact is no
//! good news. EPSS, KEV and symbols add only what a list or an advisory says; the first two come from [`signals`].

pub mod signals;

use std::borrow::Cow;

use jiff::civil::Date;

use crate::package::Scope;
use crate::severity::Level;
use signals::Signal;

/// The most that each term can add.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// How bad it is at worst: the CVSS score, or the middle of the level.
    pub cvss: f64,
    /// How likely it is to be exploited within thirty days: the square root of the EPSS probability.
    pub epss: f64,
    /// Whether it is known to be exploited (CISA KEV) or was published to do harm.
    pub kev: f64,
    /// Whether it is needed at run time.
    pub scope: f64,
    /// How near it is to what the project itself asks for.
    pub depth: f64,
    /// Whether an advisory names the affected functions, so that somebody can look whether they are called.
    pub symbols: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { cvss: 40.0, epss: 20.0, kev: 25.0, scope: 8.0, depth: 4.0, symbols: 3.0 }
    }
}

/// What is known of a finding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// The level.
    pub level: Level,
    /// The CVSS score.
    pub score: Option<f64>,
    /// Whether the package was published to do harm.
    pub malicious: bool,
    /// What EPSS and KEV say; `None` where neither was ever imported.
    pub signal: Option<Signal>,
    /// What the package is needed for.
    pub scope: Scope,
    /// How many packages the shortest path names; 1 for what the project itself asks for.
    pub depth: Option<usize>,
    /// How many affected functions the advisory names.
    pub symbols: u64,
}

/// A score with its terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Priority {
    /// The sum of the terms, within 0 and 100.
    pub score: f64,
    /// What it is made of.
    pub terms: Vec<Term>,
}

/// A term.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// What was looked at.
    pub name: &'static str,
    /// What was seen.
    pub value: Cow<'static, str>,
    /// What it adds, in tenths.
    pub points: f64,
}

/// The priority of a finding.
pub fn priority(facts: &Facts, weights: &Weights) -> Priority {
    let mut terms = vec![
        cvss(facts, weights.cvss),
        epss(facts, weights.epss),
        kev(facts, weights.kev),
        scope(facts.scope, weights.scope),
        depth(facts.depth, weights.depth),
        symbols(facts.symbols, weights.symbols),
    ];
    let sum: f64 = terms.iter().map(|term| term.points).sum();
    // Weights that add up to more than 100 are the operator's; what is cut off is a term too.
    if sum > 100.0 {
        terms.push(Term { name: "limit", value: "100 is the most".into(), points: tenths(100.0 - sum) });
    }
    Priority { score: tenths(sum.clamp(0.0, 100.0)), terms }
}

fn term(name: &'static str, value: impl Into<Cow<'static, str>>, weight: f64, share: f64) -> Term {
    Term { name, value: value.into(), points: tenths(weight * share) }
}

/// Rounded, so that the terms that are shown add up to the score that is shown.
fn tenths(points: f64) -> f64 {
    (points * 10.0).round() / 10.0
}

fn cvss(facts: &Facts, weight: f64) -> Term {
    let (value, score) = match (facts.score, facts.level) {
        (Some(score), _) => (Cow::Owned(format!("{score:.1}")), score),
        (None, Level::Critical) => (Cow::Borrowed("critical, taken as 9.5"), 9.5),
        (None, Level::High) => (Cow::Borrowed("high, taken as 8.0"), 8.0),
        (None, Level::Medium) => (Cow::Borrowed("medium, taken as 5.5"), 5.5),
        (None, Level::Low) => (Cow::Borrowed("low, taken as 2.0"), 2.0),
        (None, Level::Unknown) => (Cow::Borrowed("unknown, taken as 5.0"), 5.0),
        (None, Level::Informational) => (Cow::Borrowed("informational"), 0.0),
    };
    term("cvss", value, weight, score / 10.0)
}

fn epss(facts: &Facts, weight: f64) -> Term {
    match facts.signal.map(|signal| signal.epss) {
        Some(Some(epss)) => {
            let value =
                format!("{:.4}, more than {:.1} % of all", epss.probability, (epss.percentile * 1000.0).floor() / 10.0);
            term("epss", value, weight, epss.probability.clamp(0.0, 1.0).sqrt())
        }
        Some(None) => term("epss", "not scored", weight, 0.0),
        None => term("epss", "no scores imported", weight, 0.0),
    }
}

fn kev(facts: &Facts, weight: f64) -> Term {
    let listed = facts.signal.and_then(|signal| signal.kev);
    match (facts.malicious, listed) {
        (true, _) => term("kev", "published to do harm", weight, 1.0),
        (false, Some(kev)) => {
            let ransom = if kev.ransomware { ", in ransomware" } else { "" };
            term("kev", format!("exploited, listed {}{ransom}", kev.added), weight, 1.0)
        }
        (false, None) if facts.signal.is_none() => term("kev", "no list imported", weight, 0.0),
        (false, None) => term("kev", "not listed", weight, 0.0),
    }
}

fn scope(scope: Scope, weight: f64) -> Term {
    let share = match scope {
        Scope::Runtime => 1.0,
        Scope::Optional | Scope::Peer => 0.5,
        Scope::Build => 0.3,
        Scope::Dev => 0.0,
    };
    term("scope", scope.name(), weight, share)
}

fn depth(depth: Option<usize>, weight: f64) -> Term {
    match depth {
        Some(depth @ 0..=1) => term("depth", if depth == 1 { "direct" } else { "own" }, weight, 1.0),
        Some(depth) => term("depth", format!("{depth} from the root"), weight, 1.0 / depth as f64),
        None => term("depth", "not known", weight, 0.5),
    }
}

fn symbols(count: u64, weight: f64) -> Term {
    match count {
        0 => term("symbols", "no function named", weight, 0.0),
        1 => term("symbols", "1 function named", weight, 1.0),
        _ => term("symbols", format!("{count} functions named"), weight, 1.0),
    }
}

/// What the exploit prediction says of a CVE (FIRST, EPSS).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epss {
    /// The probability of exploitation within thirty days, 0 to 1.
    pub probability: f64,
    /// The share of all CVEs with a lower probability, 0 to 1.
    pub percentile: f64,
}

/// That a CVE is known to be exploited (CISA, KEV).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kev {
    /// When it was listed.
    pub added: Date,
    /// Whether it is used in ransomware campaigns.
    pub ransomware: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const PLAIN: Facts = Facts {
        level: Level::High,
        score: Some(7.5),
        malicious: false,
        signal: None,
        scope: Scope::Runtime,
        depth: Some(1),
        symbols: 0,
    };

    #[track_caller]
    fn check(facts: Facts, want: f64, points: [f64; 6]) {
        let priority = priority(&facts, &Weights::default());
        let got: Vec<f64> = priority.terms.iter().map(|term| term.points).collect();
        assert_eq!((priority.score, got.as_slice()), (want, points.as_slice()), "{:?}", priority.terms);
    }

    #[test]
    fn the_terms_add_up() {
        let epss = Some(Epss { probability: 0.25, percentile: 0.97 });
        let kev = Some(Kev { added: date(2024, 1, 2), ransomware: true });
        check(PLAIN, 42.0, [30.0, 0.0, 0.0, 8.0, 4.0, 0.0]);
        check(Facts { scope: Scope::Dev, depth: Some(4), ..PLAIN }, 31.0, [30.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        check(Facts { signal: Some(Signal { epss, kev: None }), ..PLAIN }, 52.0, [30.0, 10.0, 0.0, 8.0, 4.0, 0.0]);
        check(Facts { signal: Some(Signal { epss, kev }), ..PLAIN }, 77.0, [30.0, 10.0, 25.0, 8.0, 4.0, 0.0]);
        check(
            Facts { malicious: true, score: None, level: Level::Critical, ..PLAIN },
            75.0,
            [38.0, 0.0, 25.0, 8.0, 4.0, 0.0],
        );
        check(
            Facts { score: None, level: Level::Unknown, depth: None, ..PLAIN },
            30.0,
            [20.0, 0.0, 0.0, 8.0, 2.0, 0.0],
        );
        check(Facts { symbols: 1, ..PLAIN }, 45.0, [30.0, 0.0, 0.0, 8.0, 4.0, 3.0]);
        check(Facts { symbols: 100_000, ..PLAIN }, 45.0, [30.0, 0.0, 0.0, 8.0, 4.0, 3.0]); // many are no worse than one
    }

    #[test]
    fn the_weights_that_nobody_set_add_up_to_the_scale() {
        let Weights { cvss, epss, kev, scope, depth, symbols } = Weights::default();
        assert_eq!(cvss + epss + kev + scope + depth + symbols, 100.0);
    }

    #[test]
    fn no_weights_lead_out_of_the_scale() {
        let all =
            |weight| Weights { cvss: weight, epss: weight, kev: weight, scope: weight, depth: weight, symbols: weight };
        let cut = priority(&Facts { symbols: 2, ..PLAIN }, &all(100.0));
        assert_eq!((cut.score, cut.terms.iter().map(|term| term.points).sum()), (100.0, 100.0)); // and says so
        assert_eq!(cut.terms.last().map(|term| (term.name, term.points)), Some(("limit", -275.0)));
        assert_eq!(priority(&PLAIN, &all(0.0)).score, 0.0);
    }
}
