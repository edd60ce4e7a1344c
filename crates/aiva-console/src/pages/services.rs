//! `GET /console/services` and `GET /console/services/{service}`: the catalogue, and one service with its whole story.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::future::join3;
use maud::{Markup, html};

use super::{Asked, done, findings, may, scans, service_form, value};
use crate::App;
use crate::chart;
use crate::client::{Failure, Viewer};
use crate::layout::{Page, Section, notice};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{
    Cloud, Exception, ExceptionPage, FindingPage, Origin, Service, ServiceDescription, ServiceDetail, ServicePage,
};

/// The most pages of a list that are read for one panel.
const MOST_PAGES: usize = 10;

const STATES: [(&str, &str); 7] = [
    ("", "Any"),
    ("affected", "Affected"),
    ("incomplete", "Incomplete"),
    ("failed", "Scan failed"),
    ("scanning", "Scanning"),
    ("unscanned", "Never scanned"),
    ("clean", "Clean"),
];

pub(super) async fn list(State(app): State<App>, viewer: Viewer, asked: Asked) -> Response {
    let page = Page::new("Services", Section::Services, &viewer).flash(done(&asked));
    let (text, state, cursor) = (value(&asked, "q"), value(&asked, "state"), value(&asked, "cursor"));
    let link = Link::to("/v1/services").with("q", text).with("state", state).with("cursor", cursor);
    let found: ServicePage = match app.api.get(&viewer, link).await {
        Ok(found) => found,
        Err(failure) => return page.failed(&failure),
    };
    let here = || Link::to("/console/services").with("q", text).with("state", state);
    let next = found.next_cursor.as_deref().map(|next| here().with("cursor", next));
    page.with(&html! {
        div.head {
            div { h1 { "Services" } p.sub { "What AIVA guards, and how each of them stands." } }
            div.do { (service_form::add_link(&viewer)) }
        }
        section.panel aria-label="Services" {
            form.filters method="get" action="/console/services" role="search" data-auto {
                div.wide { label for="q" { "Name" } input #q type="search" name="q" value=(text) placeholder="Any" data-search autocomplete="off"; }
                div { label for="state" { "State" } select #state name="state" { @for (name, words) in STATES { (ui::choice(name, words, state)) } } }
                div.go { button type="submit" { "Filter" } }
            }
            @if found.items.is_empty() { (ui::empty("No service fits", "Name services in aiva.toml, or add one here.")) }
            @else { (table(&app, &found.items)) }
            (ui::pager(found.items.len(), None, (!cursor.is_empty()).then(here), next))
        }
    })
}

/// Services with their state, one a row.
pub(super) fn table(app: &App, services: &[Service]) -> Markup {
    html! {
        div.scroll { table.cards {
            caption.sr { "Services" }
            thead { tr {
                th scope="col" { "Service" } th scope="col" { "State" } th scope="col" { "Open findings" } th.end scope="col" { "Accepted" } th.end scope="col" { "Last scan" }
            } }
            tbody { @for service in services {
                tr {
                    td {
                        a.title href=(Link::to("/console/services").segment(&service.name)) data-row { (service.name) }
                        span.where { (service.description.owners.join(", ")) }
                    }
                    td { (ui::service_badge(service.state)) }
                    td { (ui::counts(&service.counts, &service.name)) (chart::meter(&service.counts)) }
                    td.end.num data-label="Accepted" { @if service.accepted == 0 { span.muted { "0" } } @else { (service.accepted) } }
                    td.end data-label="Last scan" { @match &service.last_scan {
                        Some(scan) => a.soft href=(Link::to("/console/scans").segment(&scan.id.to_string())) { (ui::ago(scan.requested_at, app.now())) },
                        None => span.muted { "Never" },
                    } }
                }
            } }
        } }
    }
}

pub(super) async fn show(State(app): State<App>, viewer: Viewer, Path(name): Path<String>, asked: Asked) -> Response {
    let page = Page::new(&name, Section::Services, &viewer).flash(done(&asked));
    let open = Link::to("/v1/findings").with("service", &name).with("state", "open").with("state", "reopened");
    let (detail, findings, exceptions) = join3(
        app.api.get::<ServiceDetail>(&viewer, Link::to("/v1/services").segment(&name)),
        app.api.get::<FindingPage>(&viewer, open.with("limit", "25")),
        exceptions_of(&app, &viewer, &name),
    )
    .await;
    let detail = match detail {
        Ok(detail) => detail,
        Err(failure) => return page.failed(&failure),
    };
    let service = &detail.service;
    page.refresh(detail.scans.iter().any(ui::is_going)).with(&html! {
        p.crumbs { a href="/console/services" { "Services" } }
        div.head {
            div {
                h1 { (service.name) }
                p.sub {
                    (ui::service_badge(service.state))
                    span { (chart::words(&service.counts)) }
                    @if service.accepted > 0 { span.dot { (service.accepted) " accepted" } }
                }
            }
            div.do {
                (service_form::edit_link(&viewer, service))
                @if may(&viewer, "scans:write") { (scans::start_form(&service.name)) }
            }
        }
        div.aside {
            div.stack {
                (findings_panel(&name, &findings, &app))
                (scans_panel(&detail, &app))
            }
            div.stack {
                section.panel aria-labelledby="about" {
                    header { h2 #about { "About" } span.note { @match service.origin { Origin::File => "from aiva.toml", Origin::Api => "made here" } } }
                    div.body { (about(&service.description)) }
                }
                section.panel aria-labelledby="trend" {
                    header { h2 #trend { "Open findings" } span.note { "last 30 days" } }
                    div.body { (chart::trend(&detail.trend)) }
                }
                (exceptions_panel(&exceptions, &app))
            }
        }
    })
}

/// The exceptions of a service: those that name it, and those that name no service and cover a finding here.
async fn exceptions_of(app: &App, viewer: &Viewer, service: &str) -> Result<Vec<Exception>, Failure> {
    let (mut cursor, mut covering) = (String::new(), BTreeSet::new());
    for _ in 0..MOST_PAGES {
        let link = Link::to("/v1/findings").with("service", service).with("state", "accepted");
        let page: FindingPage = app.api.get(viewer, link.with("limit", "500").with("cursor", &cursor)).await?;
        covering.extend(page.items.into_iter().filter_map(|finding| finding.acceptance?.exception));
        let Some(next) = page.next_cursor else { break };
        cursor = next;
    }
    let (mut cursor, mut found) = (String::new(), Vec::new());
    for _ in 0..MOST_PAGES {
        let page: ExceptionPage =
            app.api.get(viewer, Link::to("/v1/exceptions").with("limit", "500").with("cursor", &cursor)).await?;
        found.extend(page.items.into_iter().filter(|exception| match &exception.r#match.service {
            Some(named) => named == service,
            None => covering.contains(&exception.id),
        }));
        let Some(next) = page.next_cursor else { break };
        cursor = next;
    }
    Ok(found)
}

fn about(description: &ServiceDescription) -> Markup {
    html! {
        dl.facts {
            dt { "Owners" } dd { (ui::names(&description.owners)) }
            dt { "Source" } dd {
                @if description.source.is_empty() { span.muted { "None" } }
                @for source in &description.source { code { (source) } br; }
            }
            dt { "Egress role" } dd { @match &description.egress_role {
                Some(role) => {
                    a href=(Link::to("/console/egress/summary").with("role", role)) { code { (role) } }
                    " " a.small.soft href=(Link::to("/console/egress").with("role", role)) { "decisions" }
                    " " a.small.soft href=(Link::to("/console/egress/roles").segment(role)) { "rules" }
                },
                None => span.muted { "None" },
            } }
            dt { "OAuth clients" } dd { (ui::names(&description.oauth_clients)) }
            @if let Some(cloud) = &description.cloud { (runs_on(cloud)) }
        }
    }
}

fn runs_on(cloud: &Cloud) -> Markup {
    html! {
        @if let Some(account) = &cloud.aws_account { dt { "AWS account" } dd.num { (account) } }
        @if let Some(subscription) = &cloud.azure_subscription { dt { "Azure" } dd { (subscription) } }
        @if let Some(project) = &cloud.gcp_project { dt { "GCP project" } dd { (project) } }
        @if let Some(tags) = &cloud.tags {
            dt { "Tags" } dd.tags { @for (name, value) in tags { span.badge.square.outline { (name) "=" (value) } } }
        }
    }
}

fn findings_panel(service: &str, findings: &Result<FindingPage, Failure>, app: &App) -> Markup {
    let all = || Link::to("/console/findings").with("service", service);
    html! {
        section.panel aria-labelledby="findings" {
            header { h2 #findings { "Open findings" } a.note href=(all()) { "All, with filters" } }
            @match findings {
                Err(failure) => div.body { (notice(failure)) },
                Ok(page) if page.items.is_empty() => (ui::empty("Nothing open", "What was found is fixed or accepted.")),
                Ok(page) => {
                    (findings::table(&page.items, app, findings::Columns::OneService))
                    @if page.next_cursor.is_some() { (ui::pager(page.items.len(), Some(page.total), None, Some(all()))) }
                },
            }
        }
    }
}

fn scans_panel(detail: &ServiceDetail, app: &App) -> Markup {
    html! {
        section.panel aria-labelledby="scans" {
            header { h2 #scans { "Scans" } a.note href=(Link::to("/console/scans").with("service", &detail.service.name)) { "All" } }
            @if detail.scans.is_empty() { (ui::empty("Never scanned", "Start one above.")) }
            @else { (scans::table(&detail.scans, app)) }
        }
    }
}

fn exceptions_panel(exceptions: &Result<Vec<Exception>, Failure>, app: &App) -> Markup {
    html! {
        section.panel aria-labelledby="exceptions" {
            header { h2 #exceptions { "Exceptions" } a.note href="/console/exceptions" { "All" } }
            @match exceptions {
                Err(failure) => div.body { (notice(failure)) },
                Ok(found) if found.is_empty() => (ui::empty("None", "Nobody chose not to act here.")),
                Ok(found) => ul.choices {
                    @for exception in found {
                        li {
                            p { (ui::exception_badge(exception.state)) " " b { (super::exceptions::covers(&exception.r#match)) } }
                            p.soft { (exception.reason) }
                            p.small.muted { (exception.owner) ", until " (ui::last_day(exception.expires, app.today())) }
                        }
                    }
                },
            }
        }
    }
}
