//! `GET /console/egress`: every decision on what may leave, filtered by what stands in the address, so that a view can be
//! shared.

pub(super) mod decision;
pub(super) mod roles;
pub(super) mod summary;
mod words;

use axum::extract::State;
use axum::response::Response;
use futures_util::future::join;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::{Asked, value};
use crate::App;
use crate::client::Viewer;
use crate::layout::{Page, Section};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{Decision, DecisionOutcome, DecisionPage, DecisionPlace, EgressSummary};

/// How far back roles are looked for: as far as the summary reaches.
const LONGEST: &str = "744";

const OUTCOMES: [(&str, &str); 4] =
    [("", "Any"), ("deny", "Denied"), ("unresolved", "Without an address"), ("allow", "Allowed")];
const FORMS: [(&str, &str); 5] =
    [("", "Any"), ("request", "Request"), ("tunnel", "Tunnel"), ("check", "Question"), ("fetch", "Fetch")];

/// What the address asks for.
#[derive(Debug, Default)]
struct Filter<'a> {
    host: &'a str,
    role: &'a str,
    caller: &'a str,
    outcome: &'a str,
    reason: &'a str,
    form: &'a str,
    since: &'a str,
    until: &'a str,
}

impl<'a> Filter<'a> {
    fn read(asked: &'a Asked) -> Self {
        Self {
            host: value(asked, "host"),
            role: value(asked, "role"),
            caller: value(asked, "caller"),
            outcome: value(asked, "outcome"),
            reason: value(asked, "reason"),
            form: value(asked, "form"),
            since: value(asked, "since"),
            until: value(asked, "until"),
        }
    }

    /// The same view, as an address of the console.
    fn here(&self) -> Link {
        self.on(Link::to("/console/egress")).with("since", self.since).with("until", self.until)
    }

    /// The same view, as a question to the API, which wants an instant where people write a time of day.
    fn there(&self) -> Link {
        self.on(Link::to("/v1/egress/decisions"))
            .with("since", &instant(self.since))
            .with("until", &instant(self.until))
            .with("limit", "100")
    }

    fn on(&self, link: Link) -> Link {
        link.with("host", self.host)
            .with("role", self.role)
            .with("caller", self.caller)
            .with("outcome", self.outcome)
            .with("reason", self.reason)
            .with("form", self.form)
    }

    fn is_empty(&self) -> bool {
        [self.host, self.role, self.caller, self.outcome, self.reason, self.form, self.since, self.until]
            .iter()
            .all(|part| part.is_empty())
    }
}

/// A time of day in UTC as an instant; what is neither stays as it is, and the API says what is wrong with it.
fn instant(text: &str) -> String {
    let read = text.parse::<DateTime>().ok().and_then(|civil| civil.to_zoned(TimeZone::UTC).ok());
    read.map_or_else(|| text.to_owned(), |zoned| zoned.timestamp().to_string())
}

/// An instant as a field of a form takes it: a time of day in UTC, to the minute.
fn time_of_day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M").to_string()
}

pub(super) async fn list(State(app): State<App>, viewer: Viewer, asked: Asked) -> Response {
    let (filter, cursor) = (Filter::read(&asked), value(&asked, "cursor"));
    let page = Page::new("Egress", Section::Egress, &viewer);
    let (found, known) = join(
        app.api.get::<DecisionPage>(&viewer, filter.there().with("cursor", cursor)),
        app.api.get::<EgressSummary>(&viewer, Link::to("/v1/egress/summary").with("hours", LONGEST)),
    )
    .await;
    let found = match found {
        Ok(found) => found,
        Err(failure) => return page.failed(&failure),
    };
    let roles = known.map(|summary| summary.roles).unwrap_or_default();
    let first = (!cursor.is_empty()).then(|| filter.here());
    let next = found.next_cursor.as_deref().map(|next| filter.here().with("cursor", next));
    page.with(&html! {
        div.head {
            div { h1 { "Egress" } p.sub { "What services asked to reach, the latest first, and what was decided." } }
            div.do {
                a.button href="/console/egress/roles" { "Roles" }
                a.button href=(Link::to("/console/egress/summary").with("role", filter.role)) { "Summary" }
            }
        }
        section.panel aria-label="Decisions" {
            (form(&filter, &roles))
            @if found.items.is_empty() {
                @if filter.is_empty() { (ui::empty("Nothing has been decided yet", "Point a program at the egress proxy, and every request of it is listed here.")) }
                @else { (ui::empty("No decision fits", "Take a filter away to see more.")) }
            } @else { (table(&found.items, &app)) }
            (ui::pager(found.items.len(), None, first, next))
        }
    })
}

fn form(filter: &Filter<'_>, roles: &[String]) -> Markup {
    html! {
        form.filters.many method="get" action="/console/egress" role="search" data-auto {
            div.wide {
                label for="host" { "Host" }
                input #host type="search" name="host" value=(filter.host) maxlength="300" placeholder="a.example or *.example" data-search autocomplete="off" spellcheck="false";
            }
            (role_choice(filter.role, roles))
            (select("outcome", "Verdict", &OUTCOMES, filter.outcome))
            (select("form", "Asked as", &FORMS, filter.form))
            (text("caller", "Caller", filter.caller))
            (text("reason", "Reason", filter.reason))
            (time("since", "From (UTC)", filter.since))
            (time("until", "Before (UTC)", filter.until))
            div.go {
                button type="submit" { "Filter" }
                @if !filter.is_empty() { a.small href="/console/egress" { "Clear" } }
            }
        }
    }
}

/// The roles that have decided something, and the chosen one even if it has not.
fn role_choice(chosen: &str, roles: &[String]) -> Markup {
    let unlisted = !chosen.is_empty() && !roles.iter().any(|name| name == chosen);
    html! {
        div { label for="role" { "Role" } select #role name="role" {
            (ui::choice("", "Any", chosen))
            @if unlisted { (ui::choice(chosen, chosen, chosen)) }
            @for name in roles { (ui::choice(name, name, chosen)) }
        } }
    }
}

fn select(name: &'static str, words: &str, choices: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        div { label for=(name) { (words) } select id=(name) name=(name) {
            @for (value, words) in choices { (ui::choice(value, words, chosen)) }
        } }
    }
}

fn text(name: &'static str, words: &str, value: &str) -> Markup {
    html! {
        div { label for=(name) { (words) } input id=(name) type="search" name=(name) value=(value) maxlength="300" placeholder="Any" autocomplete="off" spellcheck="false"; }
    }
}

/// Links carry instants; the field shows them as a time of day.
fn time(name: &'static str, words: &str, value: &str) -> Markup {
    let value = value.parse::<Timestamp>().map_or_else(|_| value.to_owned(), time_of_day);
    html! {
        div.whole { label for=(name) { (words) } input id=(name) type="datetime-local" name=(name) value=(value); }
    }
}

/// Decisions, one a row.
fn table(decisions: &[Decision], app: &App) -> Markup {
    html! {
        div.scroll { table.cards {
            caption.sr { "Decisions" }
            thead { tr {
                th scope="col" { "Verdict" } th scope="col" { "Where to" } th scope="col" { "Why" }
                th scope="col" { "Role" } th scope="col" { "Caller" } th.end scope="col" { "When" }
            } }
            tbody { @for decision in decisions {
                tr {
                    td { (verdict(decision)) }
                    td {
                        a.title href=(Link::to("/console/egress/decisions").segment(&decision.id.to_string())) data-row { (whereto(decision.place.as_ref())) }
                        span.where { (asked_as(decision)) }
                    }
                    td { (decision.reason) span.where { "by " (decision.rule) } }
                    td data-label="Role" { a.soft href=(Link::to("/console/egress").with("role", &decision.role)) { (decision.role) } }
                    td data-label="Caller" { span.soft.clip { (decision.caller) } }
                    td.end data-label="When" { span.soft { (ui::ago(decision.at, app.now())) } }
                }
            } }
        } }
    }
}

/// What was decided, and what an enforced role would have said.
fn verdict(decision: &Decision) -> Markup {
    html! {
        span.marks {
            (outcome_badge(decision.outcome))
            @if decision.would_deny.is_some() { span.badge.warn { "Would deny" } }
            @if decision.rebound == Some(true) { span.badge.critical { "Rebound" } }
            @if decision.open { span.badge.busy { span.pip {} "Open" } }
        }
    }
}

fn outcome_badge(outcome: DecisionOutcome) -> Markup {
    let (class, words) = match outcome {
        DecisionOutcome::Allow => ("good", "Allowed"),
        DecisionOutcome::Deny => ("bad", "Denied"),
        DecisionOutcome::Unresolved => ("warn", "No address"),
    };
    html! { span class=(format!("badge {class}")) { (words) } }
}

/// Host and port; what could not be read leaves no text behind.
fn whereto(place: Option<&DecisionPlace>) -> String {
    place.map_or_else(|| "an address that cannot be read".to_owned(), |place| format!("{}:{}", place.host, place.port))
}

/// How it was asked, in words.
fn asked_as(decision: &Decision) -> String {
    let form = FORMS.iter().find(|(value, _)| *value == decision.form.as_str()).map_or("", |(_, words)| *words);
    match (&decision.place, &decision.method) {
        (Some(place), Some(method)) => format!("{form}, {method} over {}", place.scheme),
        (Some(place), None) => format!("{form}, {}", place.scheme),
        (None, _) => form.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_in_utc() {
        for (text, want) in [
            ("2027-01-31T12:00", "2027-01-31T12:00:00Z"),
            ("2027-01-31T12:00:30", "2027-01-31T12:00:30Z"),
            ("2027-01-31", "2027-01-31T00:00:00Z"),
            ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"), // as links have it
            ("yesterday", "yesterday"),
            ("", ""),
        ] {
            assert_eq!(instant(text), want, "{text}");
        }
        assert_eq!(time_of_day("2027-01-31T12:34:56Z".parse().unwrap()), "2027-01-31T12:34");
    }
}
