//! The small parts that pages are made of: badges, times, counts, pagers, forms.
//!
//! Everything that comes from outside goes through maud's escaping; the only links out are those that
//! [`external`](crate::link::external) lets through.

use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};

use crate::link::{Link, external};
use aiva_contracts::api::{
    Counts, ExceptionState, Finding, FindingKind, FindingState, InputStatus, Level, Scan, ScanState, ServiceState,
};

/// What is counted for a level.
pub(crate) fn count(counts: &Counts, level: Level) -> u64 {
    match level {
        Level::Critical => counts.critical,
        Level::High => counts.high,
        Level::Medium => counts.medium,
        Level::Low => counts.low,
        Level::Unknown => counts.unknown,
        Level::Informational => counts.informational,
    }
}

/// All levels together.
pub(crate) fn total(counts: &Counts) -> u64 {
    Level::ALL.iter().map(|level| count(counts, *level)).sum()
}

/// A word with its first letter in capitals, as labels have it.
pub(crate) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

pub(crate) fn level_badge(level: Level) -> Markup {
    let name = level.as_str();
    html! { span class=(format!("badge {name}")) { span class=(format!("pip {name}")) {} (capital(name)) } }
}

/// Level, and the kind where the kind says more than the level.
pub(crate) fn severity_badges(finding: &Finding) -> Markup {
    html! {
        span.marks {
            (level_badge(finding.severity.level))
            @match finding.kind {
                FindingKind::Vulnerability => {}
                FindingKind::Malicious => span.badge.malicious { "Malicious" },
                FindingKind::Unmaintained | FindingKind::Unsound | FindingKind::Yanked | FindingKind::License => {
                    span.badge.outline { (capital(finding.kind.as_str())) }
                }
                FindingKind::SupplyChain => span.badge.outline { "Supply chain" },
            }
        }
    }
}

pub(crate) fn state_badge(state: FindingState) -> Markup {
    let class = match state {
        FindingState::Open => "outline",
        FindingState::Reopened => "bad",
        FindingState::Accepted => "info",
        FindingState::Fixed => "good",
    };
    html! { span class=(format!("badge {class}")) { (capital(state.as_str())) } }
}

pub(crate) fn service_badge(state: ServiceState) -> Markup {
    let (class, words) = match state {
        ServiceState::Unscanned => ("outline", "Never scanned"),
        ServiceState::Scanning => ("busy", "Scanning"),
        ServiceState::Failed => ("bad", "Scan failed"),
        ServiceState::Incomplete => ("warn", "Incomplete"),
        ServiceState::Clean => ("good", "Clean"),
        ServiceState::Affected => ("high", "Affected"),
    };
    html! { span class=(format!("badge {class}")) { @if class == "busy" { span.pip {} } (words) } }
}

pub(crate) fn scan_badge(scan: &Scan) -> Markup {
    let (class, words) = match scan.state {
        ScanState::Requested => ("busy", "Waiting"),
        ScanState::Running => ("busy", "Running"),
        ScanState::Completed if scan.complete => ("good", "Completed"),
        ScanState::Completed => ("warn", "Incomplete"),
        ScanState::Failed => ("bad", "Failed"),
        ScanState::Superseded => ("outline", "Superseded"),
    };
    html! { span class=(format!("badge {class}")) { @if class == "busy" { span.pip {} } (words) } }
}

/// Whether a scan has not ended yet.
pub(crate) fn is_going(scan: &Scan) -> bool {
    matches!(scan.state, ScanState::Requested | ScanState::Running)
}

pub(crate) fn input_badge(status: InputStatus) -> Markup {
    let (class, words) = match status {
        InputStatus::Parsed => ("good", "Parsed"),
        InputStatus::Partial => ("warn", "Partial"),
        InputStatus::Unsupported => ("outline", "Unsupported"),
        InputStatus::Failed => ("bad", "Failed"),
    };
    html! { span class=(format!("badge {class}")) { (words) } }
}

pub(crate) fn exception_badge(state: ExceptionState) -> Markup {
    let (class, words) = match state {
        ExceptionState::Active => ("good", "Active"),
        ExceptionState::Unused => ("warn", "Unused"),
        ExceptionState::Expired => ("bad", "Expired"),
    };
    html! { span class=(format!("badge {class}")) { (words) } }
}

/// Counts by level, only those that are not zero; each links to its findings.
pub(crate) fn counts(counts: &Counts, service: &str) -> Markup {
    html! {
        @if total(counts) == 0 { span.muted { "None" } }
        @else { span.counts {
            @for level in Level::ALL.iter().copied() {
                @let n = count(counts, level);
                @if n > 0 {
                    @let name = level.as_str();
                    a class=(format!("badge {name}")) href=(Link::to("/console/findings").with("service", service).with("level", name)) title=(format!("{n} {name}")) {
                        (n) span.sr { " " (name) }
                    }
                }
            }
        } }
    }
}

/// How long ago an instant was (or how far ahead), with the instant itself for those who point at it.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> Markup {
    html! { time.nowrap datetime=(then) title=(then.strftime("%Y-%m-%d %H:%M:%S UTC")) { (distance(then, now)) } }
}

/// An instant to the minute.
pub(crate) fn at(then: Timestamp) -> Markup {
    html! { time.nowrap.num datetime=(then) { (then.strftime("%Y-%m-%d %H:%M UTC")) } }
}

fn distance(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    let (past, size) = (seconds >= 0, seconds.unsigned_abs());
    let words = match size {
        0..=44 => return if past { "just now".into() } else { "in a moment".into() },
        45..=5_399 => format!("{} min", (size + 30) / 60),
        5_400..=129_599 => format!("{} h", (size + 1_800) / 3_600),
        _ => format!("{} days", (size + 43_200) / 86_400),
    };
    if past { format!("{words} ago") } else { format!("in {words}") }
}

/// How long something took; nothing if the clock went back meanwhile.
pub(crate) fn lasted(from: Timestamp, to: Timestamp) -> Option<String> {
    let millis = u64::try_from(to.as_millisecond() - from.as_millisecond()).ok()?;
    Some(match millis {
        0..=999 => format!("{millis} ms"),
        1_000..=59_999 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    })
}

/// The last day of a choice, and how far away it is.
pub(crate) fn last_day(day: Date, today: Date) -> Markup {
    let left = today.until(day).map_or(0, |span| span.get_days());
    html! {
        time.nowrap.num datetime=(day) { (day) }
        " "
        span.small.muted.nowrap {
            @match left {
                0 => "ends today",
                1 => "one day left",
                -1 => "ended yesterday",
                n if n > 1 => { (n) " days left" },
                n => { "ended " (n.unsigned_abs()) " days ago" },
            }
        }
    }
}

/// A link out, or plain text if the address is not one of the web.
pub(crate) fn reference(url: &str) -> Markup {
    html! {
        @match external(url) {
            Some(url) => a href=(url) rel="noopener noreferrer nofollow" { (url) },
            None => { (url) },
        }
    }
}

/// Nothing here, and why that is.
pub(crate) fn empty(title: &str, words: &str) -> Markup {
    html! { div.empty { strong { (title) } (words) } }
}

/// The way to the next page of a list.
pub(crate) fn pager(shown: usize, total: Option<u64>, first: Option<Link>, next: Option<Link>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() || total.is_some() {
            div.pager {
                span.num {
                    (shown)
                    @if let Some(total) = total { " of " (grouped(total)) }
                    @if shown == 1 && total.is_none() { " row" } @else if total.is_none() { " rows" }
                }
                nav aria-label="Pages" {
                    @if let Some(first) = first { a.button href=(first) { "First page" } }
                    @if let Some(next) = next { a.button href=(next) rel="next" { "Next page" } }
                }
            }
        }
    }
}

/// One choice of a filter.
pub(crate) fn choice(value: &str, words: &str, chosen: &str) -> Markup {
    html! { option value=(value) selected[value == chosen] { (words) } }
}

/// A list of names, or a dash.
pub(crate) fn names(names: &[String]) -> Markup {
    html! {
        @if names.is_empty() { span.muted { "None" } }
        @else { span.tags { @for name in names { span.badge.square.outline { (name) } } } }
    }
}

/// A number with thin groups of three.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + 8);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A field of a form: its label, the input, and a hint or what is wrong with it.
pub(crate) fn field(name: &str, words: &str, hint: &str, wrong: Option<String>, input: &Markup) -> Markup {
    html! {
        div {
            label for=(name) { (words) }
            (input)
            p.hint.wrong[wrong.is_some()] id=(format!("{name}-hint")) { @match wrong { Some(wrong) => { (wrong) }, None => { (hint) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_words() {
        let now: Timestamp = "2027-01-31T12:00:00Z".parse().unwrap();
        for (then, want) in [
            ("2027-01-31T11:59:50Z", "just now"),
            ("2027-01-31T12:00:10Z", "in a moment"),
            ("2027-01-31T11:59:00Z", "1 min ago"),
            ("2027-01-31T10:00:00Z", "2 h ago"),
            ("2027-01-01T12:00:00Z", "30 days ago"),
            ("2027-02-03T12:00:00Z", "in 3 days"),
        ] {
            assert_eq!(distance(then.parse().unwrap(), now), want, "{then}");
        }
    }

    #[test]
    fn durations_are_short() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(lasted(at("2027-01-31T12:00:00Z"), at("2027-01-31T11:00:00Z")), None);
        assert_eq!(lasted(at("2027-01-31T12:00:00Z"), at("2027-01-31T12:00:01.25Z")).as_deref(), Some("1.2 s"));
        assert_eq!(lasted(at("2027-01-31T12:00:00Z"), at("2027-01-31T12:02:05Z")).as_deref(), Some("2 min 5 s"));
    }

    #[test]
    fn numbers_are_grouped() {
        for (n, want) in [(0, "0"), (999, "999"), (1_000, "1\u{202f}000"), (1_234_567, "1\u{202f}234\u{202f}567")] {
            assert_eq!(grouped(n), want);
        }
    }

    #[test]
    fn the_last_day_counts() {
        let today: Date = "2027-01-31".parse().unwrap();
        for (day, want) in [
            ("2027-01-31", "ends today"),
            ("2027-02-01", "one day left"),
            ("2028-01-31", "365 days left"),
            ("2027-01-30", "ended yesterday"),
            ("2026-12-31", "ended 31 days ago"),
        ] {
            assert!(last_day(day.parse().unwrap(), today).into_string().contains(want), "{day}");
        }
    }
}
