//! `GET /console`: what needs attention first, then how it stands and where it is going.
//!
//! Every part asks for itself. A part that the viewer may not see, or that fails, says so and leaves the others alone.

use axum::extract::State;
use axum::response::Response;
use futures_util::future::join4;
use maud::{Markup, html};

use super::may;
use crate::App;
use crate::chart;
use crate::client::{Failure, Viewer};
use crate::layout::{Page, Section, notice};
use crate::link::Link;
use crate::ui::{self, capital, count};
use aiva_contracts::api::{
    AdvisoryState, AdvisoryStatus, Counts, DeadLetterPage, ExceptionPage, ExceptionState, Finding, FindingKind,
    FindingPage, Level, ScanPage, Service, ServicePage, ServiceState, Trend,
};

/// What the page is made of.
struct Parts {
    services: Result<ServicePage, Failure>,
    worst: Result<FindingPage, Failure>,
    malicious: Result<FindingPage, Failure>,
    trend: Result<Trend, Failure>,
    exceptions: Result<ExceptionPage, Failure>,
    advisories: Result<AdvisoryStatus, Failure>,
    letters: Result<DeadLetterPage, Failure>,
    scans: Result<ScanPage, Failure>,
}

pub(super) async fn show(State(app): State<App>, viewer: Viewer) -> Response {
    let parts = ask(&app, &viewer).await;
    let page = Page::new("Overview", Section::Overview, &viewer);
    if let (Err(failure), Err(_), Err(_)) = (&parts.services, &parts.trend, &parts.advisories) {
        return page.failed(failure); // one answer, with its status, says more than seven
    }
    page.with(&html! {
        (head(&app, &viewer, &parts))
        div.stack {
            @if let Ok(trend) = &parts.trend && let Some(today) = trend.points.last() { (figures(&today.counts)) }
            div.aside {
                div.stack {
                    (attention(&app, &parts))
                    (services(&app, &parts.services))
                }
                div.stack {
                    (trend_panel(&parts.trend))
                    (advisories(&app, &parts.advisories))
                    (scans(&app, &parts.scans))
                }
            }
        }
    })
}

async fn ask(app: &App, viewer: &Viewer) -> Parts {
    let open = || Link::to("/v1/findings").with("state", "open").with("state", "reopened");
    let (services, worst, malicious, trend) = join4(
        app.api.get(viewer, Link::to("/v1/services").with("limit", "200")),
        app.api.get(viewer, open().with("level", "critical").with("limit", "8")),
        app.api.get(viewer, open().with("kind", "malicious").with("limit", "8")),
        app.api.get(viewer, Link::to("/v1/trend").with("days", "30")),
    )
    .await;
    let (exceptions, advisories, letters, scans) = join4(
        app.api.get(viewer, Link::to("/v1/exceptions").with("limit", "500")),
        app.api.get(viewer, Link::to("/v1/advisories")),
        app.api.get(viewer, Link::to("/v1/dead-letters").with("limit", "100")),
        app.api.get(viewer, Link::to("/v1/scans").with("limit", "6")),
    )
    .await;
    Parts { services, worst, malicious, trend, exceptions, advisories, letters, scans }
}

fn head(app: &App, viewer: &Viewer, parts: &Parts) -> Markup {
    let latest = parts.scans.as_ref().ok().and_then(|page| page.items.first());
    html! {
        div.head {
            div {
                h1 { "Overview" }
                p.sub {
                    @if let Ok(page) = &parts.services {
                        span { (page.items.len()) @if page.next_cursor.is_some() { "+" } @if page.items.len() == 1 { " service" } @else { " services" } }
                    }
                    @if let Some(scan) = latest { span.dot { "last scan " (ui::ago(scan.requested_at, app.now())) } }
                }
            }
            @if may(viewer, "findings:read") { div.do { a.button href="/console/findings" { "All findings" } } }
        }
    }
}

fn figures(counts: &Counts) -> Markup {
    html! {
        nav.figures aria-label="Open findings by level" {
            @for level in Level::ALL.iter().copied() {
                @let (n, name) = (count(counts, level), level.as_str());
                a.zero[n == 0] href=(Link::to("/console/findings").with("level", name)) {
                    span.n { (n) }
                    span.k { span class=(format!("pip {name}")) {} (capital(name)) }
                }
            }
        }
    }
}

/// One thing that somebody should look at.
struct Need {
    badge: (&'static str, &'static str),
    what: String,
    why: String,
    link: Link,
    when: Markup,
}

fn attention(app: &App, parts: &Parts) -> Markup {
    let needs = needs(app, parts);
    html! {
        section.panel aria-labelledby="attention" {
            header { h2 #attention { "Needs attention" } @if !needs.is_empty() { span.note { (needs.len()) } } }
            @if needs.is_empty() {
                (ui::empty("Nothing right now", "No malicious package, nothing critical, and every part works."))
            } @else {
                ul.needs {
                    @for need in &needs {
                        li { a href=(need.link) data-row {
                            span.badge-cell { span class=(format!("badge {}", need.badge.0)) { (need.badge.1) } }
                            span.what { b { (need.what) } span { (need.why) } }
                            span.when { (need.when) }
                        } }
                    }
                }
            }
        }
    }
}

/// The worst first: what makes every answer doubtful, then findings, then housekeeping.
fn needs(app: &App, parts: &Parts) -> Vec<Need> {
    let mut needs = Vec::new();
    if let Ok(advisories) = &parts.advisories {
        needs.extend(of_advisories(advisories));
    }
    let malicious = parts.malicious.as_ref().map_or(&[][..], |page| &page.items);
    let worst = parts.worst.as_ref().map_or(&[][..], |page| &page.items);
    needs.extend(malicious.iter().map(|finding| of_finding(app, finding)));
    needs.extend(
        worst.iter().filter(|finding| finding.kind != FindingKind::Malicious).map(|finding| of_finding(app, finding)),
    );
    if let Ok(services) = &parts.services {
        needs.extend(services.items.iter().filter_map(of_service));
    }
    if let Ok(letters) = &parts.letters {
        needs.extend(of_letters(letters));
    }
    if let Ok(exceptions) = &parts.exceptions {
        needs.extend(exceptions.items.iter().filter_map(of_exception));
    }
    needs
}

fn of_advisories(advisories: &AdvisoryStatus) -> Option<Need> {
    let (what, why) = match advisories.state {
        AdvisoryState::Current if advisories.problem.is_none() => return None,
        AdvisoryState::Current => ("The last update of the advisories failed", "scans go on with what is there"),
        AdvisoryState::Missing => {
            ("There are no advisories", "nothing can be judged until they are fetched or imported")
        }
        AdvisoryState::Stale => ("The advisories are old", "what was published since is not found"),
    };
    let why = advisories.problem.clone().unwrap_or_else(|| why.to_owned());
    Some(Need {
        badge: ("warn", "Advisories"),
        what: what.into(),
        why,
        link: Link::to("/console/advisories"),
        when: html! {},
    })
}

fn of_finding(app: &App, finding: &Finding) -> Need {
    let badge = match finding.kind {
        FindingKind::Malicious => ("malicious", "Malicious"),
        _ => ("critical", "Critical"),
    };
    Need {
        badge,
        what: format!("{} {} in {}", finding.name, finding.version, finding.service),
        why: if finding.summary.is_empty() { finding.id.clone() } else { finding.summary.clone() },
        link: Link::to("/console/findings").segment(&finding.fingerprint),
        when: ui::ago(finding.first_seen, app.now()),
    }
}

fn of_service(service: &Service) -> Option<Need> {
    let (class, word, why) = match service.state {
        ServiceState::Failed => ("bad", "Scan failed", "its findings are those of the scan before"),
        ServiceState::Incomplete => ("warn", "Incomplete", "the last scan could not read or judge everything"),
        ServiceState::Unscanned => ("outline", "Never scanned", "nothing is known of it yet"),
        ServiceState::Scanning | ServiceState::Clean | ServiceState::Affected => return None,
    };
    let failure = service.last_scan.as_ref().and_then(|scan| scan.failure.as_ref());
    let why = failure.map_or_else(|| why.to_owned(), |failure| failure.message.clone());
    let link = Link::to("/console/services").segment(&service.name);
    Some(Need { badge: (class, word), what: service.name.clone(), why, link, when: html! {} })
}

fn of_letters(letters: &DeadLetterPage) -> Option<Need> {
    let what = match letters.items.len() {
        0 => return None,
        1 => "One event could not be handled".into(),
        n => format!("{n} events could not be handled"),
    };
    let why = "what they tell is missing until they are redriven".into();
    Some(Need { badge: ("bad", "Undelivered"), what, why, link: Link::to("/console/events"), when: html! {} })
}

fn of_exception(exception: &aiva_contracts::api::Exception) -> Option<Need> {
    let badge = match exception.state {
        ExceptionState::Active => return None,
        ExceptionState::Expired => ("bad", "Expired"),
        ExceptionState::Unused => ("warn", "Unused"),
    };
    Some(Need {
        badge,
        what: format!("Exception for {}", super::exceptions::covers(&exception.r#match)),
        why: format!("{}: {}", exception.owner, exception.reason),
        link: Link::to("/console/exceptions"),
        when: html! { (exception.expires) },
    })
}

fn services(app: &App, services: &Result<ServicePage, Failure>) -> Markup {
    html! {
        section.panel aria-labelledby="services" {
            header { h2 #services { "Services" } a.note href="/console/services" { "All" } }
            @match services {
                Err(failure) => div.body { (notice(failure)) },
                Ok(page) if page.items.is_empty() => (ui::empty("No services yet", "Name them in aiva.toml, or add one over the API.")),
                Ok(page) => (super::services::table(app, &page.items)),
            }
        }
    }
}

fn trend_panel(trend: &Result<Trend, Failure>) -> Markup {
    html! {
        section.panel aria-labelledby="trend" {
            header { h2 #trend { "Open findings" } span.note { "last 30 days" } }
            div.body {
                @match trend { Ok(trend) => (chart::trend(&trend.points)), Err(failure) => (notice(failure)) }
            }
        }
    }
}

fn advisories(app: &App, status: &Result<AdvisoryStatus, Failure>) -> Markup {
    html! {
        section.panel aria-labelledby="advisories" {
            header { h2 #advisories { "Advisories" } a.note href="/console/advisories" { "Details" } }
            div.body {
                @match status {
                    Err(failure) => (notice(failure)),
                    Ok(status) => dl.facts {
                        dt { "State" } dd { (super::advisories::badge(status)) }
                        @if let Some(imported) = status.ecosystems.iter().map(|e| &e.imported_at).max() {
                            dt { "Imported" } dd { (ui::ago(*imported, app.now())) }
                        }
                        @for ecosystem in &status.ecosystems {
                            dt { (ecosystem.name) } dd.num { (ui::grouped(ecosystem.records)) }
                        }
                    },
                }
            }
        }
    }
}

fn scans(app: &App, scans: &Result<ScanPage, Failure>) -> Markup {
    html! {
        section.panel aria-labelledby="scans" {
            header { h2 #scans { "Latest scans" } a.note href="/console/scans" { "All" } }
            @match scans {
                Err(failure) => div.body { (notice(failure)) },
                Ok(page) if page.items.is_empty() => (ui::empty("No scans yet", "The first runs when the server starts.")),
                Ok(page) => ul.needs {
                    @for scan in &page.items {
                        li { a href=(Link::to("/console/scans").segment(&scan.id.to_string())) {
                            span.badge-cell { (ui::scan_badge(scan)) }
                            span.what { b { (scan.service) } }
                            span.when { (ui::ago(scan.requested_at, app.now())) }
                        } }
                    }
                },
            }
        }
    }
}
