//! `GET /console/findings/{finding}`: why it is a finding, what would fix it, what was decided, and the forms to decide.

use axum::extract::{Form, Path, State};
use axum::response::Response;
use http::Method;
use jiff::ToSpan;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Asked, back, done, findings, may};
use crate::App;
use crate::client::{Failure, Viewer};
use crate::layout::{Flash, Page, Section, notice};
use crate::link::{Link, external};
use crate::severity;
use crate::ui;
use aiva_contracts::api::{ChangeCause, Finding, FindingDetail, FindingState, HistoryEntry};

/// What the accept form sends; texts as they were typed, the API judges them.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    owner: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    expires: String,
    /// The finding as the viewer saw it.
    revision: Option<u64>,
}

/// What the reopen form sends.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    revision: Option<u64>,
}

/// A form that the API refused, to be shown again as it was.
struct Refused<'a> {
    failure: &'a Failure,
    choice: &'a Choice,
}

fn there(fingerprint: &str) -> Link {
    Link::to("/v1/findings").segment(fingerprint)
}

fn here(fingerprint: &str) -> Link {
    Link::to("/console/findings").segment(fingerprint)
}

pub(super) async fn show(
    State(app): State<App>,
    viewer: Viewer,
    Path(fingerprint): Path<String>,
    asked: Asked,
) -> Response {
    page(&app, &viewer, &fingerprint, done(&asked), None).await
}

pub(super) async fn accept(
    State(app): State<App>,
    viewer: Viewer,
    Path(fingerprint): Path<String>,
    Form(choice): Form<Choice>,
) -> Response {
    // Sent as typed: the API judges, and names the fields that do not fit.
    let wanted = serde_json::json!({
        "owner": choice.owner.trim(),
        "reason": choice.reason.trim(),
        "expires": choice.expires.trim(),
    });
    let answer: Result<FindingDetail, Failure> =
        app.api.post(&viewer, there(&fingerprint).then("/accept"), &wanted, choice.revision).await;
    match answer {
        Ok(_) => back(here(&fingerprint), Flash::Accepted),
        Err(failure) => {
            page(&app, &viewer, &fingerprint, None, Some(Refused { failure: &failure, choice: &choice })).await
        }
    }
}

pub(super) async fn reopen(
    State(app): State<App>,
    viewer: Viewer,
    Path(fingerprint): Path<String>,
    Form(seen): Form<Seen>,
) -> Response {
    match app.api.change_seen(&viewer, Method::POST, there(&fingerprint).then("/reopen"), seen.revision).await {
        Ok(()) => back(here(&fingerprint), Flash::Reopened),
        Err(failure) => {
            page(&app, &viewer, &fingerprint, None, Some(Refused { failure: &failure, choice: &Choice::default() }))
                .await
        }
    }
}

async fn page(
    app: &App,
    viewer: &Viewer,
    fingerprint: &str,
    done: Option<&str>,
    refused: Option<Refused<'_>>,
) -> Response {
    let detail: FindingDetail = match app.api.get(viewer, there(fingerprint)).await {
        Ok(detail) => detail,
        Err(failure) => return Page::new("Finding", Section::Findings, viewer).failed(&failure),
    };
    let title = format!("{} in {}", detail.finding.id, detail.finding.name);
    let mut page = Page::new(&title, Section::Findings, viewer).flash(done);
    if let Some(refused) = &refused {
        page = page.status(refused.failure.status());
    }
    page.with(&content(app, viewer, &detail, refused.as_ref()))
}

fn content(app: &App, viewer: &Viewer, detail: &FindingDetail, refused: Option<&Refused<'_>>) -> Markup {
    let finding = &detail.finding;
    html! {
        p.crumbs { a href="/console/findings" { "Findings" } " / " a href=(Link::to("/console/services").segment(&finding.service)) { (finding.service) } }
        div.head { div {
            h1 { (finding.id) }
            p.sub {
                (ui::severity_badges(finding)) (ui::state_badge(finding.state))
                @if !finding.summary.is_empty() { span { (finding.summary) } }
            }
        } }
        div.stack {
            @if let Some(refused) = refused { (notice(refused.failure)) }
            div.aside {
                div.stack {
                    (what_to_do(finding))
                    (why(detail))
                    @if !detail.description.is_empty() && detail.description != finding.summary {
                        section.panel aria-labelledby="story" {
                            header { h2 #story { "The story" } span.note { "from the advisory" } }
                            div.body { p.prose { (detail.description) } }
                        }
                    }
                    (severity_panel(finding))
                    (references(&detail.references))
                }
                div.stack {
                    (decision(app, viewer, finding, refused))
                    (history(app, &detail.history))
                }
            }
        }
    }
}

fn what_to_do(finding: &Finding) -> Markup {
    let (title, words) = match (finding.state, finding.fixed_versions.as_slice()) {
        (FindingState::Fixed, _) => ("Fixed", "The last complete scan no longer sees it.".to_owned()),
        (_, _) if finding.kind == aiva_contracts::api::FindingKind::Malicious => (
            "Remove it",
            format!(
                "{} is malicious. Take it out, and treat the machines that built or ran it as compromised.",
                finding.name
            ),
        ),
        (_, []) => match &finding.last_affected {
            Some(last) => ("Upgrade", format!("{} later than {last} is free of it.", finding.name)),
            None => (
                "No fixed version",
                format!(
                    "No release of {} is known to be free of it. Replace the package, or accept the risk below.",
                    finding.name
                ),
            ),
        },
        (_, [only]) => ("Upgrade", format!("{} {only} is free of it.", finding.name)),
        (_, many) => ("Upgrade", format!("{} is free of it in {}.", finding.name, many.join(", "))),
    };
    let class = match finding.state {
        FindingState::Fixed => "good",
        FindingState::Accepted => "",
        FindingState::Open | FindingState::Reopened => "warn",
    };
    html! { div class=(format!("notice {class}")) { b { (title) } span { (words) } } }
}

fn why(detail: &FindingDetail) -> Markup {
    let finding = &detail.finding;
    html! {
        section.panel aria-labelledby="why" {
            header { h2 #why { "Why it is here" } span.note { (finding.ecosystem) } }
            div.body { dl.facts {
                dt { "Package" } dd { b.strong { (finding.name) } " " span.num { (finding.version) } }
                dt { "Found in" } dd { code { (findings::place(finding)) } }
                dt { "Fixed in" } dd.num { @if finding.fixed_versions.is_empty() { span.muted { "No version" } } @else { (finding.fixed_versions.join(", ")) } }
                @if let Some(symbols) = &detail.symbols {
                    dt { "Functions" }
                    dd {
                        @for (at, name) in symbols.iter().enumerate() { @if at > 0 { ", " } code { (name) } }
                        @if let Some(more) = detail.more_symbols { " and " (more) " more" }
                    }
                }
                dt { "Service" } dd { a href=(Link::to("/console/services").segment(&finding.service)) { (finding.service) } }
                dt { "Also known as" } dd { (ui::names(&finding.aliases)) }
                dt { "Package URL" } dd { code { (finding.purl) } }
                dt { "Fingerprint" } dd { code { (finding.fingerprint) } }
            } }
        }
    }
}

fn severity_panel(finding: &Finding) -> Markup {
    let vector = finding.severity.vector.as_deref().unwrap_or_default();
    let metrics = severity::explain(vector);
    html! {
        section.panel aria-labelledby="severity" {
            header {
                h2 #severity { "Severity" }
                @if let Some(score) = finding.severity.score { span.note { "CVSS " (format!("{score:.1}")) } }
            }
            div.body {
                @if vector.is_empty() {
                    p.soft { "The advisory gives no severity vector." }
                } @else {
                    @if !metrics.is_empty() {
                        ul.vector { @for metric in &metrics {
                            li class=(format!("weight-{}", metric.weight)) { code { (metric.code) } span.soft { (metric.name) } b { (metric.meaning) } }
                        } }
                    }
                    p.small.muted { code { (vector) } }
                }
            }
        }
    }
}

fn references(references: &[String]) -> Markup {
    html! {
        @if !references.is_empty() {
            section.panel aria-labelledby="references" {
                header { h2 #references { "Read more" } span.note { "leaves AIVA" } }
                div.body { ul.links { @for url in references { li { (ui::reference(url)) @if external(url).is_none() { span.muted { " (not a web address)" } } } } } }
            }
        }
    }
}

fn decision(app: &App, viewer: &Viewer, finding: &Finding, refused: Option<&Refused<'_>>) -> Markup {
    let writes = may(viewer, "findings:write");
    html! {
        @match (finding.state, &finding.acceptance) {
            (FindingState::Fixed, _) => {}
            (FindingState::Accepted, acceptance) => section.panel aria-labelledby="decision" {
                header { h2 #decision { "Accepted" } }
                div.body {
                    @if let Some(acceptance) = acceptance {
                        p.prose { (acceptance.reason) }
                        dl.facts {
                            dt { "Owner" } dd { (acceptance.owner) }
                            dt { "Holds until" } dd { (ui::last_day(acceptance.expires, app.today())) }
                        }
                    }
                    @if writes { form method="post" action=(here(&finding.fingerprint).then("/reopen")) { input type="hidden" name="revision" value=(finding.revision); button type="submit" { "Reopen" } } }
                }
            },
            (FindingState::Open | FindingState::Reopened, _) => {
                @if writes { (accept_form(app, viewer, finding, refused)) }
            }
        }
    }
}

fn accept_form(app: &App, viewer: &Viewer, finding: &Finding, refused: Option<&Refused<'_>>) -> Markup {
    let today = app.today();
    let in_90_days = today.checked_add(90.days()).map_or_else(|_| String::new(), |day| day.to_string());
    let fresh = Choice {
        owner: viewer.principal.display.to_string(),
        reason: String::new(),
        expires: in_90_days,
        revision: None,
    };
    let choice = refused.map_or(&fresh, |refused| refused.choice);
    let wrong = |name: &str| {
        let fields = refused.map_or(&[][..], |refused| refused.failure.fields());
        fields.iter().find(|field| field.pointer.trim_start_matches('/') == name).map(|field| field.message.clone())
    };
    html! {
        section.panel aria-labelledby="decision" {
            header { h2 #decision { "Accept the risk" } }
            div.body {
                form.fields method="post" action=(here(&finding.fingerprint).then("/accept")) {
                    input type="hidden" name="revision" value=(finding.revision);
                    (ui::field("owner", "Owner", "Who answers for the choice.", wrong("owner"), &html! {
                        input #owner name="owner" required maxlength="200" value=(choice.owner) aria-describedby="owner-hint" aria-invalid=[wrong("owner").map(|_| "true")];
                    }))
                    (ui::field("reason", "Reason", "What makes it harmless here, or bearable.", wrong("reason"), &html! {
                        textarea #reason name="reason" required maxlength="2000" aria-describedby="reason-hint" aria-invalid=[wrong("reason").map(|_| "true")] { (choice.reason) }
                    }))
                    (ui::field("expires", "Until", "The last day. After it the finding is open again.", wrong("expires"), &html! {
                        input #expires type="date" name="expires" required min=(today) value=(choice.expires) aria-describedby="expires-hint" aria-invalid=[wrong("expires").map(|_| "true")];
                    }))
                    div { button.primary type="submit" { "Accept" } }
                }
            }
        }
    }
}

fn history(app: &App, history: &[HistoryEntry]) -> Markup {
    html! {
        section.panel aria-labelledby="history" {
            header { h2 #history { "History" } }
            div.body {
                @if history.is_empty() { p.soft { "Nothing is recorded." } }
                ol.history { @for entry in history.iter().rev() {
                    li class=(entry.to.as_str()) {
                        p { b.strong { (ui::capital(entry.to.as_str())) } " " span.soft { (cause(entry.cause)) } }
                        @if let Some(note) = &entry.note { p.soft { (note) } }
                        p.small.muted {
                            @if let Some(by) = &entry.by { (by) ", " }
                            (ui::ago(entry.at, app.now()))
                            @if let Some(scan) = &entry.scan { ", " a href=(Link::to("/console/scans").segment(&scan.to_string())) { "scan" } }
                        }
                    }
                } }
            }
        }
    }
}

fn cause(cause: ChangeCause) -> &'static str {
    match cause {
        ChangeCause::Observed => "a scan saw it",
        ChangeCause::Absent => "a complete scan no longer saw it",
        ChangeCause::Accepted => "an exception covers it",
        ChangeCause::Withdrawn => "the exception was withdrawn",
        ChangeCause::Expired => "the exception ran out",
    }
}
