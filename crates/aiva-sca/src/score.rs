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

/// What is looked at, in the order in which it is shown.
const NAMES: [&str; 6] = ["cvss", "epss", "kev", "scope", "depth", "symbols"];

/// What is cut off where the others add up to more than 100.
const LIMIT: &str = "limit";

/// The priority of a finding.
pub fn priority(facts: &Facts, weights: &Weights) -> Priority {
    let points = points(facts, weights);
    let seen = NAMES.into_iter().zip(values(facts)).zip(points);
    let mut terms: Vec<Term> = seen.map(|((name, value), points)| Term { name, value, points }).collect();
    let sum: f64 = points.iter().sum();
    // Weights that add up to more than 100 are the operator's; what is cut off is a term too.
    if sum > 100.0 {
        terms.push(Term { name: LIMIT, value: "100 is the most".into(), points: tenths(100.0 - sum) });
    }
    Priority { score: within(sum), terms }
}

/// The sum of the terms, for who only puts findings in order: where weights add up to more than 100, what would be cut off still tells
/// the worse from the bad.
pub fn sum(facts: &Facts, weights: &Weights) -> f64 {
    tenths(points(facts, weights).iter().sum())
}

fn within(sum: f64) -> f64 {
    tenths(sum.clamp(0.0, 100.0))
}

/// Rounded, so that the terms that are shown add up to the score that is shown.
fn tenths(points: f64) -> f64 {
    (points * 10.0).round() / 10.0
}

/// What each term adds.
fn points(facts: &Facts, weights: &Weights) -> [f64; 6] {
    let Weights { cvss, epss, kev, scope, depth, symbols } = weights;
    let likely =
        facts.signal.and_then(|signal| signal.epss).map_or(0.0, |epss| epss.probability.clamp(0.0, 1.0).sqrt());
    let is_exploited = facts.malicious || facts.signal.is_some_and(|signal| signal.kev.is_some());
    let needed = match facts.scope {
        Scope::Runtime => 1.0,
        Scope::Optional | Scope::Peer => 0.5,
        Scope::Build => 0.3,
        Scope::Dev => 0.0,
    };
    let near = facts.depth.map_or(0.5, |depth| 1.0 / depth.max(1) as f64);
    [
        cvss * (facts.score.unwrap_or(taken(facts.level).0) / 10.0),
        epss * likely,
        kev * f64::from(u8::from(is_exploited)),
        scope * needed,
        depth * near,
        symbols * f64::from(u8::from(facts.symbols > 0)),
    ]
    .map(tenths)
}

/// What a level without a score is taken as.
const fn taken(level: Level) -> (f64, &'static str) {
    match level {
        Level::Critical => (9.5, "critical, taken as 9.5"),
        Level::High => (8.0, "high, taken as 8.0"),
        Level::Medium => (5.5, "medium, taken as 5.5"),
        Level::Low => (2.0, "low, taken as 2.0"),
        Level::Unknown => (5.0, "unknown, taken as 5.0"),
        Level::Informational => (0.0, "informational"),
    }
}

/// What was seen of each.
fn values(facts: &Facts) -> [Cow<'static, str>; 6] {
    let score = facts.score.map(|score| Cow::Owned(format!("{score:.1}")));
    let depth = match facts.depth {
        Some(0) => "own".into(),
        Some(1) => "direct".into(),
        Some(depth) => format!("{depth} from the root").into(),
        None => "not known".into(),
    };
    let symbols = match facts.symbols {
        0 => "no function named".into(),
        1 => "1 function named".into(),
        count => format!("{count} functions named").into(),
    };
    [
        score.unwrap_or(Cow::Borrowed(taken(facts.level).1)),
        likely(facts.signal),
        exploited(facts),
        facts.scope.name().into(),
        depth,
        symbols,
    ]
}

fn likely(signal: Option<Signal>) -> Cow<'static, str> {
    match signal.map(|signal| signal.epss) {
        Some(Some(epss)) => {
            let above = (epss.percentile * 1000.0).floor() / 10.0;
            format!("{:.4}, more than {above:.1} % of all", epss.probability).into()
        }
        Some(None) => "not scored".into(),
        None => "no scores imported".into(),
    }
}

fn exploited(facts: &Facts) -> Cow<'static, str> {
    match (facts.malicious, facts.signal.map(|signal| signal.kev)) {
        (true, _) => "published to do harm".into(),
        (false, Some(Some(kev))) => {
            let ransom = if kev.ransomware { ", in ransomware" } else { "" };
            format!("exploited, listed {}{ransom}", kev.added).into()
        }
        (false, Some(None)) => "not listed".into(),
        (false, None) => "no list imported".into(),
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
        assert_eq!(sum(&facts, &Weights::default()), want);
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
        let worse = Facts { symbols: 2, ..PLAIN };
        assert_eq!([sum(&worse, &all(100.0)), sum(&PLAIN, &all(100.0))], [375.0, 275.0]); // in order all the same
        assert_eq!(priority(&PLAIN, &all(0.0)).score, 0.0);
    }
}
