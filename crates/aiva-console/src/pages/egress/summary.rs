//! `GET /console/egress/summary`: what was called most, what was refused and why, what is new, and how much over time.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use futures_util::future::join3;
use maud::{Markup, html};

use super::super::{Asked, value};
use super::{LONGEST, role_choice, select, words};
use crate::App;
use crate::chart::decisions::{self, Span};
use crate::client::Viewer;
use crate::layout::{Page, Section};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{EgressSummary, HostCount, NewName, ServicePage};

const SPANS: [(&str, &str); 4] =
    [("", "Last 24 hours"), ("48", "Last 2 days"), ("168", "Last 7 days"), ("744", "Last 31 days")];

pub(in crate::pages) async fn show(State(app): State<App>, viewer: Viewer, asked: Asked) -> Response {
    let page = Page::new("Egress summary", Section::Egress, &viewer);
    let (role, hours) = (value(&asked, "role"), value(&asked, "hours"));
    let there = || Link::to("/v1/egress/summary");
    let (found, known, services) = join3(
        app.api.get::<EgressSummary>(&viewer, there().with("role", role).with("hours", hours)),
        app.api.get::<EgressSummary>(&viewer, there().with("hours", LONGEST)),
        app.api.get::<ServicePage>(&viewer, Link::to("/v1/services").with("limit", "500")),
    )
    .await;
    let summary = match found {
        Ok(found) => found,
        Err(failure) => return page.failed(&failure),
    };
    let roles = known.map(|summary| summary.roles).unwrap_or_default();
    let services = services.map(by_role).unwrap_or_default();
    let span = Span { now: app.now(), hours: hours.parse().unwrap_or(24) };
    page.with(&html! {
        p.crumbs { a href="/console/egress" { "Egress" } }
        div.head {
            div {
                h1 { "Egress summary" }
                p.sub { @match role {
                    "" => span { "All roles" },
                    role => { span { "Role " a href=(Link::to("/console/egress/roles").segment(role)) { (role) } } span.dot { "of " (used_by(&services, role)) } },
                } }
            }
            div.do { a.button href=(Link::to("/console/egress").with("role", role)) { "Decisions" } }
        }
        div.stack {
            section.panel aria-labelledby="over-time" {
                header { h2 #over-time { "Decisions over time" } span.note { (total(&summary)) } }
                form.filters method="get" action="/console/egress/summary" role="search" data-auto {
                    (role_choice(role, &roles))
                    (select("hours", "Time", &SPANS, hours))
                    div.go { button type="submit" { "Show" } }
                }
                div.body { (decisions::chart(&summary.hours, span, role)) }
            }
            div.split {
                (counted("destinations", "Most called", &summary.destinations, "Nothing was allowed in this time.", &services))
                (denials(&summary.denials, &services))
            }
            (first_seen(&app, &summary.first_seen, &services))
        }
    })
}

/// Which services a role is of.
pub(super) fn by_role(page: ServicePage) -> BTreeMap<String, Vec<String>> {
    let mut roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for service in page.items {
        if let Some(role) = service.description.egress_role {
            roles.entry(role).or_default().push(service.name);
        }
    }
    roles
}

/// The role of callers that nobody knows.
const UNKNOWN_CALLERS: &str = "default";

/// The services of a role, each linked.
pub(super) fn used_by(services: &BTreeMap<String, Vec<String>>, role: &str) -> Markup {
    let names = services.get(role).map_or(&[][..], Vec::as_slice);
    html! {
        // Whoever is not known is of this role, beside the services that say so.
        @if role == UNKNOWN_CALLERS { "unknown callers" @if !names.is_empty() { ", " } }
        @else if names.is_empty() { "no service" }
        @for (at, name) in names.iter().enumerate() {
            @if at > 0 { ", " }
            a href=(Link::to("/console/services").segment(name)) { (name) }
        }
    }
}

fn total(summary: &EgressSummary) -> String {
    let sum = |of: fn(&aiva_contracts::api::HourCount) -> u64| summary.hours.iter().map(of).sum::<u64>();
    let (allowed, denied, lost) = (sum(|hour| hour.allow), sum(|hour| hour.deny), sum(|hour| hour.unresolved));
    format!(
        "{} allowed, {} denied, {} without an address",
        ui::grouped(allowed),
        ui::grouped(denied),
        ui::grouped(lost)
    )
}

/// Hosts with how often; each leads to its decisions.
fn counted(
    id: &'static str,
    title: &str,
    hosts: &[HostCount],
    none: &str,
    services: &BTreeMap<String, Vec<String>>,
) -> Markup {
    html! {
        section.panel aria-labelledby=(id) {
            header { h2 id=(id) { (title) } span.note { "the 20 most" } }
            @if hosts.is_empty() { (ui::empty("None", none)) } @else {
                div.scroll { table.cards {
                    caption.sr { (title) }
                    thead { tr { th scope="col" { "Host" } th scope="col" { "Role" } th.end scope="col" { "Times" } } }
                    tbody { @for host in hosts { tr {
                        td { a.title href=(Link::to("/console/egress").with("host", &host.host).with("role", &host.role).with("outcome", "allow")) data-row { (name(&host.host)) } }
                        td data-label="Role" { (of_role(&host.role, services)) }
                        td.end.num data-label="Times" { (ui::grouped(host.count)) }
                    } } }
                } }
            }
        }
    }
}

/// What was refused, by reason and host, with how often each reason came up in all.
fn denials(hosts: &[HostCount], services: &BTreeMap<String, Vec<String>>) -> Markup {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for host in hosts {
        *reasons.entry(&host.reason).or_default() += host.count;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    html! {
        section.panel aria-labelledby="denials" {
            header { h2 #denials { "Most denied" } span.note { "the 20 most" } }
            @if hosts.is_empty() { (ui::empty("None", "Nothing was refused in this time.")) } @else {
                div.body { div.tags { @for (reason, count) in &reasons {
                    a.badge.square.outline href=(Link::to("/console/egress").with("reason", reason)) title=[words::meaning(reason)] { (reason) " " (ui::grouped(*count)) }
                } } }
                div.scroll { table.cards {
                    caption.sr { "Most denied" }
                    thead { tr { th scope="col" { "Host" } th scope="col" { "Reason" } th scope="col" { "Role" } th.end scope="col" { "Times" } } }
                    tbody { @for host in hosts { tr {
                        td { a.title href=(Link::to("/console/egress").with("host", &host.host).with("role", &host.role).with("reason", &host.reason)) data-row { (name(&host.host)) } }
                        td data-label="Reason" { (host.reason) }
                        td data-label="Role" { (of_role(&host.role, services)) }
                        td.end.num data-label="Times" { (ui::grouped(host.count)) }
                    } } }
                } }
            }
        }
    }
}

fn first_seen(app: &App, names: &[NewName], services: &BTreeMap<String, Vec<String>>) -> Markup {
    html! {
        section.panel aria-labelledby="new" {
            header { h2 #new { "Called for the first time" } span.note { "the latest 20" } }
            @if names.is_empty() { (ui::empty("None", "No role called a host that it had not called before.")) } @else {
                div.scroll { table.cards {
                    caption.sr { "Hosts that a role called for the first time" }
                    thead { tr { th scope="col" { "Host" } th scope="col" { "Role" } th.end scope="col" { "When" } } }
                    tbody { @for new in names { tr {
                        td { a.title href=(Link::to("/console/egress/decisions").segment(&new.decision.to_string())) data-row { (name(&new.host)) } }
                        td data-label="Role" { (of_role(&new.role, services)) }
                        td.end data-label="When" { span.soft { (ui::ago(new.at, app.now())) } }
                    } } }
                } }
            }
        }
    }
}

fn name(host: &str) -> &str {
    if host.is_empty() { "an address that cannot be read" } else { host }
}

/// A role, and below it whose it is.
fn of_role(role: &str, services: &BTreeMap<String, Vec<String>>) -> Markup {
    html! {
        a.soft href=(Link::to("/console/egress/summary").with("role", role)) { (role) }
        @if services.contains_key(role) { span.where { "used by " (used_by(services, role)) } }
    }
}
