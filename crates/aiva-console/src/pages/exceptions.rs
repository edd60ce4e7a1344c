//! `GET /console/exceptions`: every choice not to act, and whether it still does anything.

use axum::extract::{Path, State};
use axum::response::Response;
use http::Method;
use maud::{Markup, html};

use super::{Asked, back, done, may, value};
use crate::App;
use crate::client::Viewer;
use crate::layout::{Flash, Page, Section};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{Exception, ExceptionMatch, ExceptionPage, Origin};

const STATES: [(&str, &str); 4] = [("", "Any"), ("active", "Active"), ("unused", "Unused"), ("expired", "Expired")];
const SOURCES: [(&str, &str); 3] = [("", "Any"), ("file", "aiva.toml"), ("api", "Made here")];

pub(super) async fn list(State(app): State<App>, viewer: Viewer, asked: Asked) -> Response {
    let page = Page::new("Exceptions", Section::Exceptions, &viewer).flash(done(&asked));
    let (state, source, service) = (value(&asked, "state"), value(&asked, "source"), value(&asked, "service"));
    let cursor = value(&asked, "cursor");
    let on = |link: Link| link.with("state", state).with("source", source).with("service", service);
    let found: ExceptionPage = match app.api.get(&viewer, on(Link::to("/v1/exceptions")).with("cursor", cursor)).await {
        Ok(found) => found,
        Err(failure) => return page.failed(&failure),
    };
    let here = || on(Link::to("/console/exceptions"));
    let next = found.next_cursor.as_deref().map(|next| here().with("cursor", next));
    page.with(&html! {
        div.head { div {
            h1 { "Exceptions" }
            p.sub { "Named, owned, expiring choices not to act. One that has run out or covers nothing is worth removing." }
        } }
        section.panel aria-label="Exceptions" {
            form.filters method="get" action="/console/exceptions" role="search" data-auto {
                div.wide { label for="service" { "Service" } input #service type="search" name="service" value=(service) placeholder="Any" data-search autocomplete="off"; }
                div { label for="state" { "State" } select #state name="state" { @for (name, words) in STATES { (ui::choice(name, words, state)) } } }
                div { label for="source" { "Defined in" } select #source name="source" { @for (name, words) in SOURCES { (ui::choice(name, words, source)) } } }
                div.go { button type="submit" { "Filter" } }
            }
            @if found.items.is_empty() { (ui::empty("No exception fits", "Accept a finding, or write [[exceptions]] in aiva.toml.")) }
            @else { (table(&app, &viewer, &found.items)) }
            (ui::pager(found.items.len(), None, (!cursor.is_empty()).then(here), next))
        }
    })
}

fn table(app: &App, viewer: &Viewer, exceptions: &[Exception]) -> Markup {
    let writes = may(viewer, "exceptions:write");
    html! {
        div.scroll { table.cards {
            caption.sr { "Exceptions" }
            thead { tr {
                th scope="col" { "State" } th scope="col" { "Covers" } th scope="col" { "Why" } th scope="col" { "Until" }
                th.end scope="col" { "Findings" } th scope="col" { "Defined in" } th { span.sr { "Change" } }
            } }
            tbody { @for exception in exceptions {
                tr {
                    td { (ui::exception_badge(exception.state)) }
                    td { b.strong { (covers(&exception.r#match)) } span.where { (where_else(&exception.r#match)) } }
                    td { span.desc { (exception.reason) } span.where { (exception.owner) } }
                    td { (ui::last_day(exception.expires, app.today())) }
                    td.end.num data-label="Findings" { (exception.matched) }
                    td data-label="Defined in" { @match exception.origin { Origin::File => span.soft { "aiva.toml" }, Origin::Api => span.soft { "AIVA" } } }
                    td.end { @if writes && exception.origin == Origin::Api {
                        form.inline method="post" action=(Link::to("/console/exceptions").segment(&exception.id).then("/remove")) {
                            button.small type="submit" { "Remove" span.sr { " " (covers(&exception.r#match)) } }
                        }
                    } }
                }
            } }
        } }
    }
}

/// What an exception names first.
pub(super) fn covers(matched: &ExceptionMatch) -> String {
    match (&matched.id, &matched.package) {
        (Some(id), Some(package)) => format!("{id} in {package}"),
        (Some(id), None) => id.clone(),
        (None, Some(package)) => format!("everything in {package}"),
        (None, None) => matched.path.clone().unwrap_or_else(|| "everything".into()),
    }
}

fn where_else(matched: &ExceptionMatch) -> String {
    let path = matched.path.as_ref().map(|path| format!("only {path}"));
    let service = matched.service.as_ref().map(|service| format!("in {service}"));
    path.into_iter().chain(service).collect::<Vec<_>>().join(" ")
}

pub(super) async fn remove(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Response {
    match app.api.change(&viewer, Method::DELETE, Link::to("/v1/exceptions").segment(&id)).await {
        Ok(()) => back(Link::to("/console/exceptions"), Flash::Removed),
        Err(failure) => Page::new("Exceptions", Section::Exceptions, &viewer).failed(&failure),
    }
}
