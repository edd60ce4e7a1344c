//! `GET /console/events`: what could not be delivered, with the buttons to try again or give up, and what happened.

use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::future::join;
use http::Method;
use maud::{Markup, html};

use super::{Asked, back, done, may, value};
use crate::App;
use crate::client::{Failure, Viewer};
use crate::layout::{Flash, Page, Section, notice};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{DeadLetter, DeadLetterPage, DeadLetterState, EventPage};

pub(super) async fn list(State(app): State<App>, viewer: Viewer, asked: Asked) -> Response {
    let page = Page::new("Events", Section::Events, &viewer).flash(done(&asked));
    let (kind, subject, cursor) = (value(&asked, "type"), value(&asked, "subject"), value(&asked, "cursor"));
    let letters = value(&asked, "letters");
    let on = |link: Link| link.with("type", kind).with("subject", subject);
    let (events, dead) = join(
        app.api.get::<EventPage>(&viewer, on(Link::to("/v1/events")).with("cursor", cursor)),
        app.api.get::<DeadLetterPage>(&viewer, Link::to("/v1/dead-letters").with("cursor", letters)),
    )
    .await;
    if let (Err(failure), Err(_)) = (&events, &dead) {
        return page.failed(failure);
    }
    let here = || on(Link::to("/console/events"));
    page.with(&html! {
        div.head { div { h1 { "Events" } p.sub { "What happened, and what could not be delivered." } } }
        div.stack {
            (dead_letters(&app, &viewer, &dead))
            section.panel aria-labelledby="log" {
                header { h2 #log { "Log" } span.note { "the latest first" } }
                form.filters method="get" action="/console/events" role="search" data-auto {
                    div.wide { label for="type" { "Type" } input #type type="search" name="type" value=(kind) placeholder="Any, by its full name" data-search autocomplete="off" spellcheck="false"; }
                    div.wide { label for="subject" { "Subject" } input #subject type="search" name="subject" value=(subject) placeholder="Any" autocomplete="off" spellcheck="false"; }
                    div.go { button type="submit" { "Filter" } }
                }
                @match &events {
                    Err(failure) => div.body { (notice(failure)) },
                    Ok(events) => {
                        (log(&app, events))
                        (ui::pager(events.items.len(), None, (!cursor.is_empty()).then(here), events.next_cursor.as_deref().map(|next| here().with("cursor", next))))
                    }
                }
            }
        }
    })
}

fn dead_letters(app: &App, viewer: &Viewer, letters: &Result<DeadLetterPage, Failure>) -> Markup {
    html! {
        section.panel aria-labelledby="letters" {
            header { h2 #letters { "Dead letters" } span.note { "their subjects wait, others go on" } }
            @match letters {
                Err(failure) => div.body { (notice(failure)) },
                Ok(page) if page.items.is_empty() => (ui::empty("None", "Every event was handled.")),
                Ok(page) => {
                    ul.choices { @for letter in &page.items { li { (one(app, viewer, letter)) } } }
                    (ui::pager(page.items.len(), None, None, page.next_cursor.as_deref().map(|next| Link::to("/console/events").with("letters", next))))
                },
            }
        }
    }
}

fn one(app: &App, viewer: &Viewer, letter: &DeadLetter) -> Markup {
    let here = || Link::to("/console/dead-letters").segment(&letter.id.to_string());
    let waits = letter.state == DeadLetterState::Waiting;
    html! {
        div.letter {
            div {
                p { (state(letter.state)) " " b.strong { (short(&letter.event.r#type)) } " for " code { (letter.event.subject) } }
                p.soft { (letter.reason) }
                p.small.muted {
                    (letter.consumer) ", tried " (letter.attempts) @if letter.attempts == 1 { " time" } @else { " times" } ", last "
                    (ui::ago(letter.last_failed_at, app.now()))
                }
            }
            @if waits && may(viewer, "events:write") {
                div.do {
                    form.inline method="post" action=(here().then("/redrive")) { button.small type="submit" { "Redrive" } }
                    form.inline method="post" action=(here().then("/discard")) { button.small.quiet type="submit" { "Give up" } }
                }
            }
        }
    }
}

fn state(state: DeadLetterState) -> Markup {
    match state {
        DeadLetterState::Waiting => html! { span.badge.bad { "Waiting" } },
        DeadLetterState::Redriven => html! { span.badge.info { "Redriven" } },
    }
}

fn log(app: &App, events: &EventPage) -> Markup {
    html! {
        @if events.items.is_empty() { (ui::empty("No event fits", "Events appear as soon as something happens.")) }
        @else {
            div.scroll { table.cards {
                caption.sr { "Events" }
                thead { tr { th scope="col" { "Type" } th scope="col" { "Subject" } th scope="col" { "Belongs to" } th.end scope="col" { "When" } } }
                tbody { @for event in &events.items {
                    tr {
                        td { b.strong title=(event.r#type) { (short(&event.r#type)) } span.where { (event.source) } }
                        td { a.soft href=(Link::to("/console/events").with("subject", &event.subject)) data-row { code { (event.subject) } } }
                        td { code.small.muted { (event.correlation_id) } }
                        td.end { span.soft { (ui::ago(event.time, app.now())) } }
                    }
                } }
            } }
        }
    }
}

/// The last part of a message's full name.
fn short(full: &str) -> &str {
    full.rsplit('.').next().unwrap_or(full)
}

pub(super) async fn redrive(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Response {
    let link = Link::to("/v1/dead-letters").segment(&id).then("/redrive");
    after(app.api.change(&viewer, Method::POST, link).await, Flash::Redriven, &viewer)
}

pub(super) async fn discard(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Response {
    let link = Link::to("/v1/dead-letters").segment(&id);
    after(app.api.change(&viewer, Method::DELETE, link).await, Flash::Discarded, &viewer)
}

fn after(answer: Result<(), Failure>, flash: Flash, viewer: &Viewer) -> Response {
    match answer {
        Ok(()) => back(Link::to("/console/events"), flash),
        Err(failure) => Page::new("Events", Section::Events, viewer).failed(&failure),
    }
}
