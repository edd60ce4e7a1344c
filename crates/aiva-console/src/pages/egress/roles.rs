//! `GET /console/egress/roles` and `GET /console/egress/roles/{role}`: what may leave by which role, who answers for the ways
//! inside, who uses it, and what a stored one was before.
//!
//! Shown only: a role of the file changes with the file, a stored one over the API.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::future::{join, join3};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde_json::Value;

use super::summary::{by_role, used_by};
use crate::App;
use crate::client::{Failure, Viewer};
use crate::layout::{Page, Section};
use crate::link::Link;
use crate::ui;
use aiva_contracts::api::{
    EgressMode, EgressRole, EgressRoleList, EgressRoleVersionPage, Origin, ServicePage, StoredEgressRole,
};

/// How many entries of one list are shown; the rest is counted.
const MOST_SHOWN: usize = 200;

/// How many versions of a stored role are shown.
const VERSIONS: &str = "20";

fn services() -> Link {
    Link::to("/v1/services").with("limit", "500")
}

pub(in crate::pages) async fn list(State(app): State<App>, viewer: Viewer) -> Response {
    let page = Page::new("Egress roles", Section::Egress, &viewer);
    let (found, services) = join(
        app.api.get::<EgressRoleList>(&viewer, Link::to("/v1/egress/roles")),
        app.api.get::<ServicePage>(&viewer, services()),
    )
    .await;
    let roles = match found {
        Ok(found) => found.items,
        Err(failure) => return page.failed(&failure),
    };
    let services = services.map(by_role).unwrap_or_default();
    let today = today(&app);
    page.with(&html! {
        p.crumbs { a href="/console/egress" { "Egress" } }
        div.head { div {
            h1 { "Egress roles" }
            p.sub { "What services may reach. Roles of the file change with it, stored ones over the API." }
        } }
        section.panel aria-label="Roles" {
            @if roles.is_empty() {
                (ui::empty("No role is configured", "Everybody has the default one: any public name on ports 80 and 443."))
            } @else { (table(&roles, &services, today)) }
        }
    })
}

fn table(roles: &[StoredEgressRole], services: &BTreeMap<String, Vec<String>>, today: Date) -> Markup {
    html! {
        div.scroll { table.cards {
            caption.sr { "Roles" }
            thead { tr {
                th scope="col" { "Role" } th scope="col" { "Mode" } th scope="col" { "May reach" }
                th scope="col" { "Ways inside" } th scope="col" { "Used by" }
            } }
            tbody { @for role in roles { tr {
                td {
                    a.title href=(Link::to("/console/egress/roles").segment(&role.name)) data-row { (role.name) }
                    span.where { (kept(role)) }
                }
                td { (mode_badge(role.role.mode)) }
                td data-label="May reach" { (reach(&role.role)) }
                td data-label="Ways inside" { (ways(&role.role, today)) }
                td data-label="Used by" { (used_by(services, &role.name)) }
            } } }
        } }
    }
}

pub(in crate::pages) async fn show(State(app): State<App>, viewer: Viewer, Path(name): Path<String>) -> Response {
    let there = || Link::to("/v1/egress/roles").segment(&name);
    let (found, services, versions) = join3(
        app.api.get::<Value>(&viewer, there()),
        app.api.get::<ServicePage>(&viewer, services()),
        app.api.get::<EgressRoleVersionPage>(&viewer, there().segment("versions").with("limit", VERSIONS)),
    )
    .await;
    let found = found.and_then(|said| {
        let ports = ports(&said);
        serde_json::from_value::<StoredEgressRole>(said).map(|role| (role, ports)).map_err(Failure::not_in_contract)
    });
    let (role, ports) = match found {
        Ok(found) => found,
        Err(failure) => return Page::new("Egress role", Section::Egress, &viewer).failed(&failure),
    };
    let services = services.map(by_role).unwrap_or_default();
    // A role of the file has none, and that is said by its origin.
    let versions = versions.ok().filter(|_| role.origin == Origin::Api);
    let title = format!("Role {}", role.name);
    Page::new(&title, Section::Egress, &viewer).with(&html! {
        p.crumbs { a href="/console/egress" { "Egress" } " / " a href="/console/egress/roles" { "Roles" } }
        div.head {
            div {
                h1 { (title) }
                p.sub { (mode_badge(role.role.mode)) span { (kept(&role)) } span.dot { "of " (used_by(&services, &role.name)) } }
            }
            div.do {
                a.button href=(Link::to("/console/egress/summary").with("role", &role.name)) { "Summary" }
                a.button href=(Link::to("/console/egress").with("role", &role.name)) { "Decisions" }
            }
        }
        div.aside {
            div.stack {
                (reached(&role.role, &ports))
                (inside(&role.role, today(&app)))
                @if let Some(versions) = &versions { (history(versions, &app)) }
            }
            div.stack { (limits(&role.role)) }
        }
    })
}

/// The ports in force: an empty list means any, and what is not said means those of the web.
fn ports(said: &Value) -> Vec<String> {
    match said.pointer("/role/ports") {
        Some(ports) => ports.as_array().into_iter().flatten().map(ToString::to_string).collect(),
        None => vec!["80".to_owned(), "443".to_owned()],
    }
}

/// What its lists say; a list that is empty is left out where that means "any".
fn reached(role: &EgressRole, ports: &[String]) -> Markup {
    let schemes: Vec<String> = role.schemes.iter().map(ToString::to_string).collect();
    html! {
        section.panel aria-labelledby="reach" {
            header { h2 #reach { "What it may reach" } span.note { (meaning(role.mode)) } }
            div.body { dl.facts {
                dt { "Names" } dd { @if role.allow_domains.is_empty() { (none_named(role.mode)) } @else { (entries(&role.allow_domains)) } }
                @if !role.deny_domains.is_empty() { dt { "Never" } dd { (entries(&role.deny_domains)) } }
                @if !role.deny_cidrs.is_empty() { dt { "Never, by address" } dd { (entries(&role.deny_cidrs)) } }
                dt { "Ports" } dd { @if ports.is_empty() { span.muted { "Any" } } @else { (entries(ports)) } }
                @if !schemes.is_empty() { dt { "Schemes" } dd { (entries(&schemes)) } }
                @if !role.methods.is_empty() { dt { "Methods of plain HTTP" } dd { (entries(&role.methods)) } }
                @if !role.paths.is_empty() { dt { "Paths of plain HTTP" } dd { (entries(&role.paths)) } }
                @if let Some(upstream) = &role.upstream { dt { "Through" } dd { code { (upstream) } } }
            } }
        }
    }
}

/// The only ways to what is not public, and who answers for each.
fn inside(role: &EgressRole, today: Date) -> Markup {
    let exceptions = role.exceptions.iter().flatten();
    html! {
        section.panel aria-labelledby="inside" {
            header { h2 #inside { "Ways to internal places" } span.note { "each with an owner and an end" } }
            @if role.allow_cidrs.is_empty() && role.exceptions.iter().flatten().next().is_none() {
                (ui::empty("None", "Nothing internal can be reached by this role."))
            } @else {
                div.scroll { table.cards {
                    caption.sr { "Ways to internal places" }
                    thead { tr { th scope="col" { "Opens" } th scope="col" { "Owner" } th scope="col" { "Until" } th scope="col" { "Why" } } }
                    tbody {
                        @for (name, exception) in exceptions { tr {
                            td {
                                span.title { (name) }
                                span.where {
                                    @if let Some(host) = &exception.host { code { (host) } }
                                    @if exception.host.is_some() && exception.address.is_some() { " at " }
                                    @if let Some(address) = &exception.address { code { (address) } }
                                    @for port in &exception.ports { " :" (port) }
                                }
                            }
                            td data-label="Owner" { (exception.owner) }
                            td data-label="Until" { (ui::last_day(exception.expires, today)) }
                            td data-label="Why" { (exception.reason) }
                        } }
                        @for network in &role.allow_cidrs { tr {
                            td { code { (network.cidr) } }
                            td data-label="Owner" { (network.owner) }
                            td data-label="Until" { (ui::last_day(network.expires, today)) }
                            td data-label="Why" { span.muted { "an allowed network" } }
                        } }
                    }
                } }
            }
        }
    }
}

/// Bounds, budgets and what is looked at, where the role sets them itself.
fn limits(role: &EgressRole) -> Markup {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut row = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
    if let Some(bounds) = &role.bounds {
        row("To connect", bounds.connect.clone());
        row("To the answer's head", bounds.first_byte.clone());
        row("Nothing stirs", bounds.idle.clone());
        row("One request", bounds.request.clone());
        row("One tunnel", bounds.tunnel.clone());
        row("Bytes of one", bounds.max_bytes.clone());
    }
    if let Some(budgets) = &role.budgets {
        row("Budget's window", budgets.window.clone());
        row("Requests in it", budgets.requests.map(ui::grouped));
        row("Bytes in it", budgets.bytes.clone());
        row("Tunnels at once", budgets.tunnels.map(ui::grouped));
    }
    if let Some(inspection) = &role.inspection {
        row("SNI", inspection.sni.map(|level| level.to_string()));
        row("Missing SNI", inspection.missing_sni.map(|level| level.to_string()));
        row("ECH", inspection.ech.map(|level| level.to_string()));
        row("Protocols", inspection.protocols.map(|level| level.to_string()));
    }
    if let Some(dns) = &role.dns {
        row("Name servers", (!dns.servers.is_empty()).then(|| dns.servers.join(", ")));
        row("Mixed answers", dns.mixed.map(|mixed| mixed.to_string()));
    }
    html! {
        section.panel aria-labelledby="limits" {
            header { h2 #limits { "Limits" } }
            @if rows.is_empty() { (ui::empty("None of its own", "The defaults hold.")) }
            @else { div.body { dl.facts { @for (name, value) in &rows { dt { (name) } dd { (value) } } } } }
        }
    }
}

fn history(versions: &EgressRoleVersionPage, app: &App) -> Markup {
    html! {
        section.panel aria-labelledby="history" {
            header { h2 #history { "Changes" } span.note { "the latest first" } }
            div.scroll { table.cards {
                caption.sr { "Changes" }
                thead { tr { th scope="col" { "Version" } th scope="col" { "By" } th.end scope="col" { "When" } } }
                tbody { @for version in &versions.items { tr {
                    td { span.num { (version.version) } @if version.role.is_none() { " " span.badge.warn { "Deleted" } } }
                    td data-label="By" { (version.changed_by) }
                    td.end data-label="When" { span.soft { (ui::ago(version.changed_at, app.now())) } }
                } } }
            } }
            (ui::pager(versions.items.len(), None, None, None))
        }
    }
}

/// Where it is kept.
fn kept(role: &StoredEgressRole) -> String {
    match (role.origin, role.version) {
        _ if role.built_in == Some(true) => "built in".to_owned(),
        (Origin::File, _) => "in aiva.toml".to_owned(),
        (Origin::Api, Some(version)) => format!("stored, version {version}"),
        (Origin::Api, None) => "stored".to_owned(),
    }
}

/// Without a mode of its own a role enforces.
fn mode_badge(mode: Option<EgressMode>) -> Markup {
    let (class, words) = match mode.unwrap_or(EgressMode::Enforce) {
        EgressMode::Enforce => ("good", "Enforces"),
        EgressMode::Report => ("warn", "Only reports"),
        EgressMode::Open => ("outline", "Open"),
        EgressMode::Learn => ("busy", "Learns"),
    };
    html! { span class=(format!("badge {class}")) { (words) } }
}

fn meaning(mode: Option<EgressMode>) -> &'static str {
    match mode.unwrap_or(EgressMode::Enforce) {
        EgressMode::Enforce => "what is not listed is refused",
        EgressMode::Report => "what is not listed passes and is told of",
        EgressMode::Open => "every public name passes",
        EgressMode::Learn => "what is asked for is learnt; public names pass",
    }
}

fn none_named(mode: Option<EgressMode>) -> Markup {
    html! { span.muted { @match mode {
        Some(EgressMode::Open | EgressMode::Report | EgressMode::Learn) => "Any public name",
        Some(EgressMode::Enforce) | None => "None: it names nothing",
    } } }
}

/// The first names, and how many more there are.
fn reach(role: &EgressRole) -> Markup {
    const FIRST: usize = 3;
    html! {
        @match role.allow_domains.get(..FIRST) {
            _ if role.allow_domains.is_empty() => { (none_named(role.mode)) },
            Some(first) if role.allow_domains.len() > FIRST => {
                (ui::names(first)) " " span.small.muted { "and " (role.allow_domains.len() - FIRST) " more" }
            },
            _ => { (ui::names(&role.allow_domains)) },
        }
    }
}

/// How many ways inside there are, and how many of them have ended.
fn ways(role: &EgressRole, today: Date) -> Markup {
    let ends = role.exceptions.iter().flatten().map(|(_, exception)| exception.expires);
    let ends: Vec<Date> = ends.chain(role.allow_cidrs.iter().map(|network| network.expires)).collect();
    let ended = ends.iter().filter(|end| **end < today).count();
    html! {
        @if ends.is_empty() { span.muted { "None" } } @else { (ends.len()) }
        @if ended > 0 { " " span.badge.warn { (ended) " ended" } }
    }
}

fn entries(all: &[String]) -> Markup {
    let shown = all.get(..MOST_SHOWN).unwrap_or(all);
    html! {
        (ui::names(shown))
        @if all.len() > shown.len() { " " span.small.muted { "and " (all.len() - shown.len()) " more" } }
    }
}

fn today(app: &App) -> Date {
    app.now().to_zoned(TimeZone::UTC).date()
}
