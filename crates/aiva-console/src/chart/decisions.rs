//! Decisions over time: one column an hour, or as many hours as it takes for columns that can be told apart.

use jiff::Timestamp;
use maud::{Markup, html};

use super::{HEIGHT, STEP, round_up, share};
use crate::link::Link;
use crate::ui::grouped;
use aiva_contracts::api::HourCount;

const HOUR: i64 = 3600;

/// The time that a chart shows: so many hours, the one that it is now included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) now: Timestamp,
    pub(crate) hours: i64,
}

/// What was decided within one column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Column {
    /// In seconds since 1970.
    from: i64,
    to: i64,
    allow: u64,
    deny: u64,
    unresolved: u64,
}

impl Column {
    fn total(&self) -> u64 {
        self.allow + self.deny + self.unresolved
    }

    /// The parts from the bottom up, refusals first: they are what people look for.
    fn parts(&self) -> [(&'static str, u64); 3] {
        [("deny", self.deny), ("unresolved", self.unresolved), ("allow", self.allow)]
    }

    fn words(&self) -> String {
        format!(
            "{} denied, {} without an address, {} allowed",
            grouped(self.deny),
            grouped(self.unresolved),
            grouped(self.allow)
        )
    }

    fn label(&self, shape: &str) -> String {
        time(self.from).strftime(shape).to_string()
    }
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The columns of a span, those without a decision included. The last one ends with the hour that it is now.
fn columns(hours: &[HourCount], span: Span) -> Vec<Column> {
    let length = span.hours.clamp(1, 744);
    let width = match length {
        ..=48 => 1,
        49..=168 => 6,
        _ => 24,
    };
    let count = (length + width - 1) / width;
    let end = (span.now.as_second().div_euclid(HOUR) + 1) * HOUR;
    let start = end - count * width * HOUR;
    let mut columns: Vec<Column> = (0..count)
        .map(|at| Column { from: start + at * width * HOUR, to: start + (at + 1) * width * HOUR, ..Column::default() })
        .collect();
    for hour in hours {
        let at = usize::try_from((hour.at.as_second() - start).div_euclid(width * HOUR));
        if let Some(column) = at.ok().and_then(|at| columns.get_mut(at)) {
            column.allow += hour.allow;
            column.deny += hour.deny;
            column.unresolved += hour.unresolved;
        }
    }
    columns
}

/// Columns stacked by verdict, each leading to its decisions; the table below says the same.
pub(crate) fn chart(hours: &[HourCount], span: Span, role: &str) -> Markup {
    let columns = columns(hours, span);
    let top = round_up(columns.iter().map(Column::total).max().unwrap_or(0));
    let shape = if span.hours <= 48 { "%-d %b %H:00" } else { "%-d %b" };
    let link = |column: &Column| {
        let time = |seconds| time(seconds).to_string();
        Link::to("/console/egress").with("role", role).with("since", &time(column.from)).with("until", &time(column.to))
    };
    let all = columns.iter().fold(Column::default(), |all, column| Column {
        allow: all.allow + column.allow,
        deny: all.deny + column.deny,
        unresolved: all.unresolved + column.unresolved,
        ..all
    });
    html! {
        figure {
            div.plot {
                div.ticks aria-hidden="true" { span { (grouped(top)) } span { (grouped(top / 2)) } span { "0" } }
                svg.chart viewBox=(format!("0 0 {} {HEIGHT}", columns.len() * STEP)) preserveAspectRatio="none" role="img" aria-label=(format!("Decisions over time: {}", all.words())) {
                    @for y in ["0", "50"] { line.grid x1="0" y1=(y) x2=(columns.len() * STEP) y2=(y) {} }
                    @for (at, column) in columns.iter().enumerate() { (drawn(at, column, top, shape)) }
                    line.base x1="0" y1="100" x2=(columns.len() * STEP) y2="100" {}
                }
                div.days aria-hidden="true" {
                    @for column in [columns.first(), columns.get(columns.len() / 2), columns.last()].into_iter().flatten() { span { (column.label(shape)) } }
                }
            }
            figcaption.legend {
                @for (class, words) in [("deny", "Denied"), ("unresolved", "Without an address"), ("allow", "Allowed")] { span { span class=(format!("pip {class}")) {} (words) } }
            }
            details {
                summary { "As a table" }
                div.scroll { table {
                    caption.sr { "Decisions over time" }
                    thead { tr { th scope="col" { "From (UTC)" } th.end scope="col" { "Denied" } th.end scope="col" { "Without an address" } th.end scope="col" { "Allowed" } } }
                    tbody { @for column in columns.iter().rev().filter(|column| column.total() > 0) {
                        tr {
                            th scope="row" { a href=(link(column)) { (column.label("%Y-%m-%d %H:%M")) } }
                            @for (_, count) in column.parts() { td.end.num { (grouped(count)) } }
                        }
                    } }
                } }
            }
        }
    }
}

fn drawn(at: usize, column: &Column, top: u64, shape: &str) -> Markup {
    let mut floor = HEIGHT;
    let parts: Vec<(&str, f64, f64)> = column
        .parts()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(class, count)| {
            let height = share(count, top) * HEIGHT;
            floor -= height;
            (class, floor, height)
        })
        .collect();
    html! {
        g.day {
            title { (column.label(shape)) ": " (column.words()) }
            rect.hit x=(at * STEP) y="0" width=(STEP) height=(HEIGHT) {}
            @for (class, y, height) in parts {
                rect class=(class) x=(format!("{}", at * STEP + 1)) y=(format!("{y:.2}")) width="8" height=(format!("{height:.2}")) {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(at: &str, deny: u64) -> HourCount {
        HourCount { at: at.parse().unwrap(), allow: 1, deny, unresolved: 0 }
    }

    #[test]
    fn hours_fall_into_columns_that_can_be_told_apart() {
        let now: Timestamp = "2027-01-31T12:34:00Z".parse().unwrap();
        let hours = [
            hour("2026-01-01T00:00:00Z", 100), // long before all
            hour("2027-01-30T13:00:00Z", 1),
            hour("2027-01-31T11:00:00Z", 2),
            hour("2027-01-31T12:00:00Z", 4),
        ];
        for (span, count, first, last) in
            [(24, 24, 1, 4), (48, 48, 0, 4), (168, 28, 0, 6), (744, 31, 0, 7), (1, 1, 4, 4), (0, 1, 4, 4)]
        {
            let columns = columns(&hours, Span { now, hours: span });
            assert_eq!(columns.len(), count, "{span}");
            assert_eq!(columns[0].deny, first, "{span}");
            assert_eq!(columns[count - 1].deny, last, "{span}");
            assert_eq!(time(columns[count - 1].to).to_string(), "2027-01-31T13:00:00Z", "{span}");
        }
    }

    #[test]
    fn no_hours_is_still_a_picture() {
        let text = chart(&[], Span { now: Timestamp::UNIX_EPOCH, hours: 24 }, "").into_string();
        assert!(text.contains("0 denied, 0 without an address, 0 allowed"), "{text}");
    }
}
