//! CVSS 3.0 and 3.1 base scores (first.org/cvss/v3.1/specification-document, section 7.1 and appendix A).
//!
//! The editions share the formula and differ in how they round up: 3.1 defines it over five decimals, 3.0 over the exact value.

use super::{Metrics, Score};

pub(super) fn score_31(metrics: &Metrics<'_>) -> Option<Score> {
    let hundred_thousandths = (base(metrics)? * 100_000.0).round();
    Some(Score::of_tenths((hundred_thousandths / 10_000.0).ceil()))
}

pub(super) fn score_30(metrics: &Metrics<'_>) -> Option<Score> {
    // The slack is far above what f64 loses and far below the smallest step between two exact values.
    Some(Score::of_tenths((base(metrics)? * 10.0 - 1e-9).ceil()))
}

fn base(metrics: &Metrics<'_>) -> Option<f64> {
    let vector = match metrics.get("AV")? {
        "N" => 0.85,
        "A" => 0.62,
        "L" => 0.55,
        "P" => 0.2,
        _ => return None,
    };
    let complexity = match metrics.get("AC")? {
        "L" => 0.77,
        "H" => 0.44,
        _ => return None,
    };
    let changed = match metrics.get("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let privileges = match (metrics.get("PR")?, changed) {
        ("N", _) => 0.85,
        ("L", false) => 0.62,
        ("L", true) => 0.68,
        ("H", false) => 0.27,
        ("H", true) => 0.5,
        _ => return None,
    };
    let interaction = match metrics.get("UI")? {
        "N" => 0.85,
        "R" => 0.62,
        _ => return None,
    };
    let (c, i, a) = (loss(metrics.get("C")?)?, loss(metrics.get("I")?)?, loss(metrics.get("A")?)?);
    let iss: f64 = 1.0 - (1.0 - c) * (1.0 - i) * (1.0 - a);
    let impact = if changed { 7.52 * (iss - 0.029) - 3.25 * (iss - 0.02).powi(15) } else { 6.42 * iss };
    if impact <= 0.0 {
        return Some(0.0);
    }
    let exploitability = 8.22 * vector * complexity * privileges * interaction;
    let sum = impact + exploitability;
    Some(if changed { 1.08 * sum } else { sum }.min(10.0))
}

fn loss(value: &str) -> Option<f64> {
    match value {
        "H" => Some(0.56),
        "L" => Some(0.22),
        "N" => Some(0.0),
        _ => None,
    }
}
