//! CVSS 2.0 base scores (first.org/cvss/v2/guide, section 3.2.1).

use super::{Metrics, Score};

pub(super) fn score(metrics: &Metrics<'_>) -> Option<Score> {
    let access = match metrics.get("AV")? {
        "L" => 0.395,
        "A" => 0.646,
        "N" => 1.0,
        _ => return None,
    };
    let complexity = match metrics.get("AC")? {
        "H" => 0.35,
        "M" => 0.61,
        "L" => 0.71,
        _ => return None,
    };
    let authentication = match metrics.get("Au")? {
        "M" => 0.45,
        "S" => 0.56,
        "N" => 0.704,
        _ => return None,
    };
    let (c, i, a) = (loss(metrics.get("C")?)?, loss(metrics.get("I")?)?, loss(metrics.get("A")?)?);
    let impact = 10.41 * (1.0 - (1.0 - c) * (1.0 - i) * (1.0 - a));
    let exploitability = 20.0 * access * complexity * authentication;
    let damp = if impact == 0.0 { 0.0 } else { 1.176 };
    let exact = (0.6 * impact + 0.4 * exploitability - 1.5) * damp;
    Some(Score::of_tenths((exact * 10.0 + 0.5 + 1e-9).floor()))
}

fn loss(value: &str) -> Option<f64> {
    match value {
        "N" => Some(0.0),
        "P" => Some(0.275),
        "C" => Some(0.660),
        _ => None,
    }
}
