//! `GET /console/egress/decisions/{decision}`: one decision, why it was made, and what would allow it.

use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};

use super::super::may;
use super::{outcome_badge, whereto, words};
use crate::App;
use crate::client::Viewer;
use crate::layout::{Page, Section};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{Decision, DecisionEnd, DecisionOutcome};

/// Who is told what would allow a refused request.
const SEES_REMEDIES: &str = "operations.read";

pub(in crate::pages) async fn show(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Response {
    let found = app.api.get::<Decision>(&viewer, Link::to("/v1/egress/decisions").segment(&id)).await;
    let decision = match found {
        Ok(decision) => decision,
        Err(failure) => return Page::new("Decision", Section::Egress, &viewer).failed(&failure),
    };
    let title = whereto(decision.place.as_ref());
    Page::new(&title, Section::Egress, &viewer).with(&html! {
        p.crumbs { a href="/console/egress" { "Egress" } }
        div.head {
            div {
                h1 { (title) }
                p.sub {
                    (super::verdict(&decision))
                    span { "for role " a href=(Link::to("/console/egress/summary").with("role", &decision.role)) { (decision.role) } }
                    span.dot { (ui::ago(decision.at, app.now())) }
                }
            }
        }
        div.aside {
            div.stack {
                (why(&viewer, &decision))
                @if let Some(end) = &decision.ended { (ended(end)) }
            }
            div.stack { (facts(&decision)) (meant(&decision)) }
        }
    })
}

fn why(viewer: &Viewer, decision: &Decision) -> Markup {
    html! {
        section.panel aria-labelledby="why" {
            header { h2 #why { "Why" } }
            div.body {
                @if let Some(meaning) = words::meaning(&decision.reason) { p { (meaning) } }
                dl.facts {
                    dt { "Reason" } dd { code { (decision.reason) } }
                    dt { "Rule" } dd { code { (decision.rule) } }
                    @if let Some(would) = &decision.would_deny {
                        dt { "If enforced" } dd { (outcome_badge(DecisionOutcome::Deny)) " " code { (would.reason) } " by " code { (would.rule) } }
                    }
                }
                (remedy(viewer, decision))
            }
        }
    }
}

/// What would allow it, or why nobody says so.
fn remedy(viewer: &Viewer, decision: &Decision) -> Markup {
    let words = match (decision.outcome, &decision.remedy) {
        (DecisionOutcome::Allow, _) => return html! {},
        (_, Some(remedy)) => ui::capital(remedy) + ".",
        (DecisionOutcome::Unresolved, None) => {
            "The policy did not refuse it. It may leave as soon as the DNS answers.".into()
        }
        (DecisionOutcome::Deny, None) if !may(viewer, SEES_REMEDIES) => "Whoever operates AIVA is told.".into(),
        (DecisionOutcome::Deny, None) => words::way_out(&decision.reason).into(),
    };
    html! {
        div.notice.warn { b { "What would allow it" } span { (words) } }
    }
}

fn ended(end: &DecisionEnd) -> Markup {
    html! {
        section.panel aria-labelledby="end" {
            header { h2 #end { "How it ended" } }
            div.body {
                dl.facts {
                    @if let Some(address) = &end.connected { dt { "Connected to" } dd { code { (address) } } }
                    @if let Some(upstream) = &end.upstream { dt { "Through" } dd { code { (upstream) } } }
                    @if let Some(status) = end.status { dt { "Status" } dd.num { (status) } }
                    dt { "Sent" } dd.num { (ui::grouped(end.sent)) " bytes" }
                    dt { "Received" } dd.num { (ui::grouped(end.received)) " bytes" }
                    dt { "Took" } dd.num { (ui::grouped(end.duration_ms)) " ms" }
                    @if let Some(protocol) = &end.protocol { dt { "Spoken inside" } dd { (protocol) } }
                    @if let Some(sni) = &end.sni { dt { "TLS name" } dd { code { (sni) } } }
                    @if let Some(failure) = &end.failure { dt { "Failed" } dd.wrong { (failure) } }
                    @if let Some(how) = &end.how { dt { "Closed" } dd { (how) } }
                }
                @if !end.findings.is_empty() {
                    ul.bullets { @for finding in &end.findings {
                        li { code { (finding.reason) } ": " (finding.what) @if finding.enforced { ", closed for it" } @else { ", only told" } }
                    } }
                }
            }
        }
    }
}

fn facts(decision: &Decision) -> Markup {
    let others = || Link::to("/console/egress");
    html! {
        section.panel aria-labelledby="asked" {
            header { h2 #asked { "Asked" } }
            div.body { dl.facts {
                dt { "When" } dd { (ui::at(decision.at)) }
                dt { "Role" } dd { a href=(others().with("role", &decision.role)) { (decision.role) } }
                dt { "Caller" } dd { a href=(others().with("caller", &decision.caller)) { (decision.caller) } }
                @if let Some(place) = &decision.place { dt { "Host" } dd { a href=(others().with("host", &place.host)) { (place.host) } } }
                @if let Some(before) = &decision.follows { dt { "Redirected by" } dd { a href=(Link::to("/console/egress/decisions").segment(&before.to_string())) { "the hop before" } } }
                dt { "As" } dd { (super::asked_as(decision)) }
                dt { "Same reason" } dd { a href=(others().with("reason", &decision.reason)) { (decision.reason) } }
                dt { "Id" } dd { code { (decision.id) } }
            } }
        }
    }
}

fn meant(decision: &Decision) -> Markup {
    html! {
        @if !decision.addresses.is_empty() || !decision.aliases.is_empty() {
            section.panel aria-labelledby="meant" {
                header { h2 #meant { "What the name meant" } }
                div.body {
                    @if decision.rebound == Some(true) { p.wrong { "It had just turned from public to internal." } }
                    @if !decision.aliases.is_empty() { p.soft { "By way of " (decision.aliases.join(", ")) } }
                    ul.links { @for address in &decision.addresses { li { code { (address) } } } }
                }
            }
        }
    }
}
