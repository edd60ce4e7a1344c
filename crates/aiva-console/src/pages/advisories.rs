//! `GET /console/advisories`: what findings are judged by, how old it is, and the button that fetches it anew.

use axum::extract::State;
use axum::response::Response;
use http::Method;
use maud::{Markup, html};

use super::{Asked, back, done, may};
use crate::App;
use crate::client::Viewer;
use crate::layout::{Flash, Page, Section};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{AdvisoryState, AdvisoryStatus};

pub(super) async fn show(State(app): State<App>, viewer: Viewer, asked: Asked) -> Response {
    let page = Page::new("Advisories", Section::Advisories, &viewer).flash(done(&asked));
    let status: AdvisoryStatus = match app.api.get(&viewer, Link::to("/v1/advisories")).await {
        Ok(status) => status,
        Err(failure) => return page.failed(&failure),
    };
    page.refresh(status.updating).with(&html! {
        div.head {
            div {
                h1 { "Advisories" }
                p.sub { (badge(&status)) span { "What the sca guard judges by." } @if let Some(version) = status.index_version { span.dot.num { "index " (version) } } }
            }
            @if may(&viewer, "advisories:write") && !status.updating {
                div.do { form.inline method="post" action="/console/advisories/update" { button.primary type="submit" { "Update now" } } }
            }
        }
        div.stack {
            (trouble(&status))
            @if status.updating { (progress(&status)) }
            section.panel aria-labelledby="ecosystems" {
                header { h2 #ecosystems { "Ecosystems" } }
                @if status.ecosystems.is_empty() { (ui::empty("Nothing is here yet", "Fetch the public data, or import files with aiva advisories import.")) }
                @else { (table(&app, &status)) }
            }
        }
    })
}

fn trouble(status: &AdvisoryStatus) -> Markup {
    html! {
        @if let Some(problem) = &status.problem { div.notice.bad role="alert" { b { "The last update failed" } span { (problem) } } }
        @match status.state {
            AdvisoryState::Current => {}
            AdvisoryState::Stale => div.notice.warn { b { "These advisories are old" } span { "What was published since is not found. Update, or import newer files." } },
            AdvisoryState::Missing => div.notice.warn { b { "There are no advisories" } span { "Nothing can be judged until they are fetched or imported; scans say so." } },
        }
    }
}

fn progress(status: &AdvisoryStatus) -> Markup {
    html! {
        section.panel aria-labelledby="updating" {
            header {
                h2 #updating { "Updating" }
                @if let Some(progress) = &status.progress { span.note { (progress.ecosystem.as_deref().unwrap_or_default()) } }
            }
            div.body {
                @match &status.progress {
                    Some(progress) if progress.total > 0 => progress max=(progress.total) value=(progress.done) aria-labelledby="updating" {},
                    _ => progress aria-labelledby="updating" {},
                }
                p.soft { "Scans go on with what is there. " a href="/console/advisories" { "Look again" } }
            }
        }
    }
}

/// The state of the index in one badge.
pub(super) fn badge(status: &AdvisoryStatus) -> Markup {
    let (class, words) = match status.state {
        _ if status.updating => ("busy", "Updating"),
        AdvisoryState::Current => ("good", "Current"),
        AdvisoryState::Stale => ("warn", "Stale"),
        AdvisoryState::Missing => ("bad", "Missing"),
    };
    html! { span class=(format!("badge {class}")) { @if status.updating { span.pip {} } (words) } }
}

fn table(app: &App, status: &AdvisoryStatus) -> Markup {
    html! {
        div.scroll { table.cards {
            caption.sr { "Advisories by ecosystem" }
            thead { tr {
                th scope="col" { "Ecosystem" } th.end scope="col" { "In force" } th.end scope="col" { "Withdrawn" }
                th scope="col" { "Newest" } th scope="col" { "Imported" } th scope="col" { "From" }
            } }
            tbody { @for ecosystem in &status.ecosystems {
                tr {
                    td { b.strong { (ecosystem.name) } }
                    td.end.num data-label="In force" { (ui::grouped(ecosystem.records)) }
                    td.end.num data-label="Withdrawn" { (ui::grouped(ecosystem.withdrawn)) }
                    td data-label="Newest" { @if let Some(newest) = &ecosystem.newest { (ui::ago(*newest, app.now())) } }
                    td data-label="Imported" { (ui::ago(ecosystem.imported_at, app.now())) }
                    td { span.where { (ecosystem.origin) } }
                }
            } }
        } }
    }
}

pub(super) async fn update(State(app): State<App>, viewer: Viewer) -> Response {
    match app.api.change(&viewer, Method::POST, Link::to("/v1/advisories/updates")).await {
        Ok(()) => back(Link::to("/console/advisories"), Flash::Updating),
        Err(failure) => Page::new("Advisories", Section::Advisories, &viewer).failed(&failure),
    }
}
