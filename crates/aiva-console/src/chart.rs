//! Counts over time and in proportion, as inline SVG without a script, each with the same figures in words.

pub(crate) mod decisions;

use maud::{Markup, html};

use crate::ui::{capital, count, total};
use aiva_contracts::api::{Counts, Level, TrendPoint};

const STEP: usize = 10;
const HEIGHT: f64 = 100.0;

/// One column a day, stacked by level, the worst at the bottom; the table below it says the same.
pub(crate) fn trend(points: &[TrendPoint]) -> Markup {
    let highest = points.iter().map(|point| total(&point.counts)).max().unwrap_or(0);
    let top = round_up(highest);
    let half = top / 2;
    html! {
        figure {
            div.plot {
                div.ticks aria-hidden="true" { span { (top) } span { (half) } span { "0" } }
                svg.chart viewBox=(format!("0 0 {} {HEIGHT}", points.len().max(1) * STEP)) preserveAspectRatio="none" role="img" aria-label=(summary(points)) {
                    @for y in ["0", "50"] { line.grid x1="0" y1=(y) x2=(points.len() * STEP) y2=(y) {} }
                    @for (at, point) in points.iter().enumerate() { (column(at, point, top)) }
                    line.base x1="0" y1="100" x2=(points.len() * STEP) y2="100" {}
                }
                div.days aria-hidden="true" {
                    @for point in [points.first(), points.get(points.len() / 2), points.last()].into_iter().flatten() { span { (point.date.strftime("%-d %b")) } }
                }
            }
            (legend())
            details {
                summary { "As a table" }
                div.scroll { table {
                    caption.sr { "Open findings by level at the end of each day" }
                    thead { tr { th scope="col" { "Day" } @for level in Level::ALL.iter().copied() { th.end scope="col" { (capital(level.as_str())) } } th.end scope="col" { "Accepted" } } }
                    tbody { @for point in points.iter().rev() {
                        tr {
                            th scope="row" { (point.date) }
                            @for level in Level::ALL.iter().copied() { td.end.num { (count(&point.counts, level)) } }
                            td.end.num { (point.accepted) }
                        }
                    } }
                } }
            }
        }
    }
}

fn column(at: usize, point: &TrendPoint, top: u64) -> Markup {
    let mut floor = HEIGHT;
    let parts: Vec<(&str, f64, f64)> = Level::ALL
        .iter()
        .copied()
        .filter(|level| count(&point.counts, *level) > 0)
        .map(|level| {
            let height = share(count(&point.counts, level), top) * HEIGHT;
            floor -= height;
            (level.as_str(), floor, height)
        })
        .collect();
    html! {
        g.day {
            title { (point.date) ": " (words(&point.counts)) }
            rect.hit x=(at * STEP) y="0" width=(STEP) height=(HEIGHT) {}
            @for (class, y, height) in parts {
                rect class=(class) x=(format!("{}", at * STEP + 1)) y=(format!("{y:.2}")) width="8" height=(format!("{height:.2}")) {}
            }
        }
    }
}

/// Levels in proportion, one thin line.
pub(crate) fn meter(counts: &Counts) -> Markup {
    let all = total(counts);
    let mut x = 0.0;
    let parts: Vec<(&str, f64, f64)> = Level::ALL
        .iter()
        .copied()
        .filter(|level| count(counts, *level) > 0)
        .map(|level| {
            let (from, width) = (x, share(count(counts, level), all) * 100.0);
            x += width;
            (level.as_str(), from, width)
        })
        .collect();
    html! {
        svg.meter viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" {
            rect.rest width="100" height="6" {}
            @for (class, x, width) in parts { rect class=(class) x=(format!("{x:.2}")) y="0" width=(format!("{width:.2}")) height="6" {} }
        }
    }
}

fn legend() -> Markup {
    html! {
        figcaption.legend {
            @for level in Level::ALL.iter().copied() { span { span class=(format!("pip {}", level.as_str())) {} (capital(level.as_str())) } }
        }
    }
}

/// `2 critical, 5 high`, or `nothing open`.
pub(crate) fn words(counts: &Counts) -> String {
    let parts: Vec<String> = Level::ALL
        .iter()
        .copied()
        .filter(|level| count(counts, *level) > 0)
        .map(|level| format!("{} {}", count(counts, level), level.as_str()))
        .collect();
    if parts.is_empty() { "nothing open".into() } else { parts.join(", ") }
}

fn summary(points: &[TrendPoint]) -> String {
    match (points.first(), points.last()) {
        (Some(first), Some(last)) => format!(
            "Open findings from {} ({}) to {} ({}): {}",
            first.date,
            total(&first.counts),
            last.date,
            total(&last.counts),
            words(&last.counts)
        ),
        _ => "No figures yet".into(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The next round number that is even, so that the middle of the scale is a whole one.
fn round_up(n: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        if let Some(top) =
            [2, 4, 6, 8, 10, 20, 30, 50].into_iter().map(|step| unit.saturating_mul(step)).find(|top| *top >= n)
        {
            return top;
        }
        unit = unit.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_round() {
        for (n, want) in [
            (0, 2),
            (1, 2),
            (2, 2),
            (3, 4),
            (7, 8),
            (9, 10),
            (11, 20),
            (21, 30),
            (31, 50),
            (51, 60),
            (81, 100),
            (101, 200),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(round_up(n), want, "{n}");
        }
    }

    #[test]
    fn no_points_is_still_a_picture() {
        let text = trend(&[]).into_string();
        assert!(text.contains("No figures yet"), "{text}");
    }
}
