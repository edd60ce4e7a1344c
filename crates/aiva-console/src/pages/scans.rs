//! `GET /console/scans`, `GET /console/scans/{scan}` and the button that starts one: what was read, and how far it is.

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::future::join;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Asked, value};
use crate::App;
use crate::client::{Failure, Viewer};
use crate::layout::{Page, Section, notice};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{DocumentCanResolve, DocumentInput, InputPage, Scan, ScanPage, ScanState, StartScan};

const STATES: [(&str, &str); 6] = [
    ("", "Any"),
    ("requested", "Waiting"),
    ("running", "Running"),
    ("completed", "Completed"),
    ("failed", "Failed"),
    ("superseded", "Superseded"),
];
const STATUSES: [(&str, &str); 5] =
    [("", "Any"), ("parsed", "Parsed"), ("partial", "Partial"), ("unsupported", "Unsupported"), ("failed", "Failed")];

pub(super) async fn list(State(app): State<App>, viewer: Viewer, asked: Asked) -> Response {
    let page = Page::new("Scans", Section::Scans, &viewer);
    let (service, state, cursor) = (value(&asked, "service"), value(&asked, "state"), value(&asked, "cursor"));
    let link = Link::to("/v1/scans").with("service", service).with("state", state).with("cursor", cursor);
    let found: ScanPage = match app.api.get(&viewer, link).await {
        Ok(found) => found,
        Err(failure) => return page.failed(&failure),
    };
    let here = || Link::to("/console/scans").with("service", service).with("state", state);
    let next = found.next_cursor.as_deref().map(|next| here().with("cursor", next));
    page.refresh(found.items.iter().any(ui::is_going)).with(&html! {
        div.head { div { h1 { "Scans" } p.sub { "Every run of a guard, the latest first." } } }
        section.panel aria-label="Scans" {
            form.filters method="get" action="/console/scans" role="search" data-auto {
                div.wide { label for="service" { "Service" } input #service type="search" name="service" value=(service) placeholder="Any" data-search autocomplete="off"; }
                div { label for="state" { "State" } select #state name="state" { @for (name, words) in STATES { (ui::choice(name, words, state)) } } }
                div.go { button type="submit" { "Filter" } }
            }
            @if found.items.is_empty() { (ui::empty("No scan fits", "The first runs when the server starts; start one on the page of a service.")) }
            @else { (table(&found.items, &app)) }
            (ui::pager(found.items.len(), None, (!cursor.is_empty()).then(here), next))
        }
    })
}

/// Scans, one a row.
pub(super) fn table(scans: &[Scan], app: &App) -> Markup {
    html! {
        div.scroll { table.cards {
            caption.sr { "Scans" }
            thead { tr {
                th scope="col" { "Scan" } th scope="col" { "State" } th.end scope="col" { "Files" } th.end scope="col" { "Packages" }
                th scope="col" { "Changed" } th.end scope="col" { "Took" } th.end scope="col" { "Asked for" }
            } }
            tbody { @for scan in scans {
                tr {
                    td {
                        a.title href=(Link::to("/console/scans").segment(&scan.id.to_string())) data-row { (scan.service) }
                        span.where { "by " (scan.requested_by) }
                    }
                    td { (ui::scan_badge(scan)) }
                    td.end.num data-label="Files" { (ui::grouped(scan.progress.done)) }
                    td.end.num data-label="Packages" { (ui::grouped(scan.progress.packages)) }
                    td data-label="Changed" { (changes(scan)) }
                    td.end.num data-label="Took" { span.soft { (took(scan).unwrap_or_default()) } }
                    td.end { span.soft { (ui::ago(scan.requested_at, app.now())) } }
                }
            } }
        } }
    }
}

fn changes(scan: &Scan) -> Markup {
    html! {
        @match &scan.changes {
            Some(changes) if changes.opened + changes.reopened + changes.fixed == 0 => span.muted { "nothing" },
            Some(changes) => span.tags {
                @if changes.opened > 0 { span.badge.square.warn { (changes.opened) " new" } }
                @if changes.reopened > 0 { span.badge.square.bad { (changes.reopened) " back" } }
                @if changes.fixed > 0 { span.badge.square.good { (changes.fixed) " fixed" } }
            },
            None => {}
        }
    }
}

fn took(scan: &Scan) -> Option<String> {
    ui::lasted(scan.started_at?, scan.finished_at?)
}

pub(super) async fn show(State(app): State<App>, viewer: Viewer, Path(id): Path<String>, asked: Asked) -> Response {
    let (status, cursor) = (value(&asked, "status"), value(&asked, "cursor"));
    let there = || Link::to("/v1/scans").segment(&id);
    let (scan, inputs) = join(
        app.api.get::<Scan>(&viewer, there()),
        app.api.get::<InputPage>(&viewer, there().then("/inputs").with("status", status).with("cursor", cursor)),
    )
    .await;
    let scan = match scan {
        Ok(scan) => scan,
        Err(failure) => return Page::new("Scan", Section::Scans, &viewer).failed(&failure),
    };
    let title = format!("Scan of {}", scan.service);
    Page::new(&title, Section::Scans, &viewer).refresh(ui::is_going(&scan)).with(&html! {
        p.crumbs { a href="/console/scans" { "Scans" } " / " a href=(Link::to("/console/services").segment(&scan.service)) { (scan.service) } }
        div.head {
            div {
                h1 { (title) }
                p.sub { (ui::scan_badge(&scan)) span { "asked for by " (scan.requested_by) " " (ui::ago(scan.requested_at, app.now())) } }
            }
            @if !ui::is_going(&scan) && super::may(&viewer, "scans:write") { div.do { (start_form(&scan.service)) } }
        }
        div.stack {
            @if let Some(failure) = &scan.failure {
                div.notice.bad { b { "The scan failed" } span { (failure.message) } span.small.muted { "Code " code { (failure.code) } } }
            }
            @if scan.state == ScanState::Superseded { div.notice { b { "Superseded" } span { "A later scan of the same service took its place." } } }
            @if ui::is_going(&scan) { (live(&scan)) }
            div.aside {
                (inputs_panel(&id, status, cursor, &inputs))
                div.stack { (outcome(&scan)) }
            }
        }
    })
}

/// How far a scan is. The script follows it; without one the page reads itself again.
fn live(scan: &Scan) -> Markup {
    let progress = &scan.progress;
    html! {
        section.panel aria-labelledby="progress" data-follow=(Link::to("/console/scans").segment(&scan.id.to_string()).then("/events")) {
            header { h2 #progress { "Progress" } span.note role="status" data-progress { (scan.phase.as_str()) } }
            div.body {
                @if progress.total > 0 { progress max=(progress.total) value=(progress.done) aria-labelledby="progress" {} }
                @else { progress aria-labelledby="progress" {} }
                ol.feed data-feed tabindex="0" aria-label="Files read" { @if let Some(current) = &progress.current { li { (current) } } }
            }
        }
    }
}

fn outcome(scan: &Scan) -> Markup {
    html! {
        section.panel aria-labelledby="outcome" {
            header { h2 #outcome { "Outcome" } }
            div.body { dl.facts {
                dt { "Findings" } dd.num { (ui::grouped(scan.progress.findings)) }
                dt { "Packages" } dd.num { (ui::grouped(scan.progress.packages)) }
                dt { "Changed" } dd { (changes(scan)) }
                @if let Some(inputs) = &scan.inputs {
                    @for (words, n) in [("Parsed", inputs.parsed), ("Partial", inputs.partial), ("Unsupported", inputs.unsupported), ("Failed", inputs.failed), ("Ignored by git", inputs.ignored)] {
                        dt { (words) } dd.num { (ui::grouped(n)) }
                    }
                }
                @if let Some(started) = &scan.started_at { dt { "Started" } dd { (ui::at(*started)) } }
                @if let Some(finished) = &scan.finished_at { dt { "Ended" } dd { (ui::at(*finished)) } }
                @if let Some(took) = took(scan) { dt { "Took" } dd.num { (took) } }
                @if !scan.paths.is_empty() { dt { "Only" } dd { @for path in &scan.paths { code { (path) } br; } } }
                dt { "Id" } dd { code { (scan.id) } }
            } }
        }
    }
}

fn inputs_panel(id: &str, status: &str, cursor: &str, inputs: &Result<InputPage, Failure>) -> Markup {
    let here = || Link::to("/console/scans").segment(id).with("status", status);
    html! {
        section.panel aria-labelledby="inputs" {
            header { h2 #inputs { "Files" } span.note { "what became of each" } }
            @match inputs {
                Err(failure) => div.body { (notice(failure)) },
                Ok(page) => {
                    form.filters method="get" action=(Link::to("/console/scans").segment(id)) data-auto {
                        div { label for="status" { "Status" } select #status name="status" { @for (name, words) in STATUSES { (ui::choice(name, words, status)) } } }
                        div.go { button type="submit" { "Filter" } }
                    }
                    @if page.items.is_empty() { (ui::empty("No file", "Nothing that this release reads was seen, or not yet.")) }
                    @else { (files(&page.items)) }
                    (ui::pager(page.items.len(), None, (!cursor.is_empty()).then(here), page.next_cursor.as_deref().map(|next| here().with("cursor", next))))
                }
            }
        }
    }
}

/// How many lines of trouble a row shows.
const SHOWN: usize = 20;

fn files(inputs: &[DocumentInput]) -> Markup {
    html! {
        div.scroll { table.cards {
            caption.sr { "Files" }
            thead { tr { th scope="col" { "File" } th scope="col" { "Status" } th.end scope="col" { "Packages" } } }
            tbody { @for input in inputs {
                tr {
                    td {
                        code { (input.path) } span.where { (input.kind) }
                        @if !input.problems.is_empty() {
                            ul.bullets.small { @for problem in input.problems.iter().take(SHOWN) {
                                li { @if problem.line > 0 { "line " (problem.line) ": " } (problem.message) }
                            } (more(input.problems.len())) }
                        }
                        @if !input.can_resolve.is_empty() {
                            details { summary { (input.can_resolve.len()) " can resolve to an affected version" } ul.bullets.small { @for entry in input.can_resolve.iter().take(SHOWN) {
                                li { code { (entry.name) " " (entry.requirement) } " " span.soft { (spoken(entry)) } }
                            } (more(input.can_resolve.len())) } }
                        }
                        @if !input.not_judged.is_empty() {
                            details { summary { (input.not_judged.len()) " not judged" } ul.bullets.small { @for entry in input.not_judged.iter().take(SHOWN) {
                                li { code { (entry.name) " " (entry.requirement) } " " span.soft { (entry.reason) } }
                            } (more(input.not_judged.len())) } }
                        }
                    }
                    td { (ui::input_badge(input.status)) }
                    td.end.num data-label="Packages" { (ui::grouped(input.packages)) }
                }
            } }
        } }
    }
}

/// What a range can resolve to, and from where on it cannot.
fn spoken(entry: &DocumentCanResolve) -> String {
    let ids: Vec<&str> = entry.advisories.iter().take(SHOWN).map(|one| one.id.as_str()).collect();
    let safe = match (&entry.safe_from, &entry.safe_after) {
        (Some(version), _) => format!("; safe from {version} on"),
        (None, Some(version)) => format!("; later than {version} it is safe"),
        (None, None) if entry.never_safe == Some(true) => "; no version that it allows is safe".to_owned(),
        (None, None) => String::new(),
    };
    format!("{}{safe}", ids.join(", "))
}

fn more(all: usize) -> Markup {
    html! { @if all > SHOWN { li.muted { "and " (all - SHOWN) " more" } } }
}

/// The button that asks for a scan of a service.
pub(super) fn start_form(service: &str) -> Markup {
    html! {
        form.inline method="post" action="/console/scans" {
            input type="hidden" name="service" value=(service);
            button.primary type="submit" { "Scan now" }
        }
    }
}

/// What the button sends.
#[derive(Debug, Deserialize)]
pub(super) struct Start {
    service: String,
}

pub(super) async fn start(State(app): State<App>, viewer: Viewer, Form(start): Form<Start>) -> Response {
    let wanted = StartScan { service: start.service, guard: None, paths: Vec::new() };
    let answer: Result<Scan, Failure> = app.api.post(&viewer, Link::to("/v1/scans"), &wanted, None).await;
    match answer {
        Ok(scan) => {
            Redirect::to(&Link::to("/console/scans").segment(&scan.id.to_string()).into_string()).into_response()
        }
        Err(failure) => Page::new("Scan", Section::Scans, &viewer).failed(&failure),
    }
}

pub(super) async fn follow(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Response {
    app.api.stream(&viewer, Link::to("/v1/scans").segment(&id).then("/events")).await
}
