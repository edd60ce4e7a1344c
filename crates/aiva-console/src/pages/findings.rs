//! `GET /console/findings`: every finding, filtered by what stands in the address, so that a view can be shared.

use axum::extract::State;
use axum::response::Response;
use futures_util::future::join;
use maud::{Markup, html};

use super::{Asked, value};
use crate::App;
use crate::client::Viewer;
use crate::layout::{Page, Section};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{Finding, FindingPage, ServicePage};

const STATES: [(&str, &str); 6] = [
    ("", "Open"),
    ("accepted", "Accepted"),
    ("fixed", "Fixed"),
    ("reopened", "Reopened"),
    ("open", "Open, never fixed"),
    ("all", "Any"),
];
const LEVELS: [(&str, &str); 7] = [
    ("", "Any"),
    ("critical", "Critical"),
    ("high", "High"),
    ("medium", "Medium"),
    ("low", "Low"),
    ("unknown", "Unknown"),
    ("informational", "Informational"),
];
const KINDS: [(&str, &str); 8] = [
    ("", "Any"),
    ("vulnerability", "Vulnerability"),
    ("malicious", "Malicious"),
    ("unmaintained", "Unmaintained"),
    ("unsound", "Unsound"),
    ("yanked", "Yanked"),
    ("license", "License"),
    ("supply-chain", "Supply chain"),
];
const ORDERS: [(&str, &str); 5] =
    [("", "Severity"), ("newest", "Newest"), ("oldest", "Oldest"), ("package", "Package"), ("service", "Service")];

/// What the address asks for.
#[derive(Debug, Default)]
struct Filter<'a> {
    text: &'a str,
    service: &'a str,
    level: &'a str,
    state: &'a str,
    kind: &'a str,
    order: &'a str,
}

impl<'a> Filter<'a> {
    fn read(asked: &'a Asked) -> Self {
        Self {
            text: value(asked, "q"),
            service: value(asked, "service"),
            level: value(asked, "level"),
            state: value(asked, "state"),
            kind: value(asked, "kind"),
            order: value(asked, "sort"),
        }
    }

    /// The same view, as an address of the console.
    fn here(&self) -> Link {
        self.on(Link::to("/console/findings")).with("state", self.state)
    }

    /// The same view, as a question to the API. Open means whatever wants action: open and reopened.
    fn there(&self) -> Link {
        let link = self.on(Link::to("/v1/findings"));
        match self.state {
            "" => link.with("state", "open").with("state", "reopened"),
            "all" => link,
            state => link.with("state", state),
        }
    }

    fn on(&self, link: Link) -> Link {
        link.with("q", self.text)
            .with("service", self.service)
            .with("level", self.level)
            .with("kind", self.kind)
            .with("sort", self.order)
    }

    fn is_empty(&self) -> bool {
        [self.text, self.service, self.level, self.state, self.kind].iter().all(|part| part.is_empty())
    }
}

pub(super) async fn list(State(app): State<App>, viewer: Viewer, asked: Asked) -> Response {
    let (filter, cursor) = (Filter::read(&asked), value(&asked, "cursor"));
    let page = Page::new("Findings", Section::Findings, &viewer);
    let (found, services) = join(
        app.api.get::<FindingPage>(&viewer, filter.there().with("cursor", cursor)),
        app.api.get::<ServicePage>(&viewer, Link::to("/v1/services").with("limit", "500")),
    )
    .await;
    let found = match found {
        Ok(found) => found,
        Err(failure) => return page.failed(&failure),
    };
    let names: Vec<String> =
        services.map(|page| page.items.into_iter().map(|service| service.name).collect()).unwrap_or_default();
    let first = (!cursor.is_empty()).then(|| filter.here());
    let next = found.next_cursor.as_deref().map(|next| filter.here().with("cursor", next));
    page.with(&html! {
        div.head { div {
            h1 { "Findings" }
            p.sub { span.num { (ui::grouped(found.total)) @if found.total == 1 { " finding" } @else { " findings" } @if !filter.is_empty() { " in this view" } @else { " open" } } }
        } }
        section.panel aria-label="Findings" {
            (form(&filter, &names))
            @if found.items.is_empty() {
                @if filter.is_empty() { (ui::empty("Nothing is open", "Either all is well, or nothing has been scanned yet: see Scans.")) }
                @else { (ui::empty("No finding fits", "Take a filter away to see more.")) }
            } @else { (table(&found.items, &app, Columns::AllServices)) }
            (ui::pager(found.items.len(), Some(found.total), first, next))
        }
    })
}

fn form(filter: &Filter<'_>, services: &[String]) -> Markup {
    let unlisted = !filter.service.is_empty() && !services.iter().any(|name| name == filter.service);
    html! {
        form.filters method="get" action="/console/findings" role="search" data-auto {
            div.wide {
                label for="q" { "Search" }
                input #q type="search" name="q" value=(filter.text) maxlength="100" placeholder="CVE, package, path" data-search autocomplete="off" spellcheck="false";
            }
            div { label for="service" { "Service" } select #service name="service" {
                (ui::choice("", "Any", filter.service))
                @if unlisted { (ui::choice(filter.service, filter.service, filter.service)) }
                @for name in services { (ui::choice(name, name, filter.service)) }
            } }
            (select("level", "Level", &LEVELS, filter.level))
            (select("state", "State", &STATES, filter.state))
            (select("kind", "Kind", &KINDS, filter.kind))
            (select("sort", "Order", &ORDERS, filter.order))
            div.go {
                button type="submit" { "Filter" }
                @if !filter.is_empty() { a.small href="/console/findings" { "Clear" } }
            }
        }
    }
}

fn select(name: &'static str, words: &str, choices: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        div { label for=(name) { (words) } select id=(name) name=(name) {
            @for (value, words) in choices { (ui::choice(value, words, chosen)) }
        } }
    }
}

/// Whether the rows say of which service they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    AllServices,
    OneService,
}

/// Findings, one a row.
pub(super) fn table(findings: &[Finding], app: &App, columns: Columns) -> Markup {
    let all = columns == Columns::AllServices;
    html! {
        div.scroll { table.cards {
            caption.sr { "Findings" }
            thead { tr {
                th scope="col" { "Level" } th scope="col" { "Finding" } th scope="col" { "Package" }
                @if all { th scope="col" { "Service" } }
                th scope="col" { "Fixed in" } th.end scope="col" { "First seen" }
            } }
            tbody { @for finding in findings {
                tr {
                    td { (ui::severity_badges(finding)) }
                    td {
                        a.title href=(Link::to("/console/findings").segment(&finding.fingerprint)) data-row { (finding.id) }
                        @if !matches!(finding.state, aiva_contracts::api::FindingState::Open) { " " (ui::state_badge(finding.state)) }
                        span.desc { (finding.summary) }
                    }
                    td { b.strong { (finding.name) } " " span.num.soft { (finding.version) } span.where { (place(finding)) } }
                    @if all { td data-label="Service" { a.soft href=(Link::to("/console/services").segment(&finding.service)) { (finding.service) } } }
                    td.num data-label="Fixed in" { @match finding.fixed_versions.first() {
                        Some(version) => span.nowrap { (version) },
                        None => span.muted { "no fix" },
                    } }
                    td.end data-label="First seen" { span.soft { (ui::ago(finding.first_seen, app.now())) } }
                }
            } }
        } }
    }
}

/// `path:line`, or the path where the whole file is meant.
pub(super) fn place(finding: &Finding) -> String {
    match finding.line {
        0 => finding.path.clone(),
        line => format!("{}:{line}", finding.path),
    }
}
