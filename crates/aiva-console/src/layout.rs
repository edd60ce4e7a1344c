//! The frame around every page: head, navigation, the person who is signed in, flash messages and error pages.
//!
//! No inline style and no inline script: the content security policy forbids both.

use axum::response::{Html, IntoResponse, Response};
use http::StatusCode;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::assets;
use crate::client::{Failure, Viewer};

/// Where in the navigation a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Services,
    Findings,
    Scans,
    Exceptions,
    Egress,
    Advisories,
    Events,
}

impl Section {
    const ALL: [Self; 8] = [
        Self::Overview,
        Self::Services,
        Self::Findings,
        Self::Scans,
        Self::Exceptions,
        Self::Egress,
        Self::Advisories,
        Self::Events,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Services => "Services",
            Self::Findings => "Findings",
            Self::Scans => "Scans",
            Self::Exceptions => "Exceptions",
            Self::Egress => "Egress",
            Self::Advisories => "Advisories",
            Self::Events => "Events",
        }
    }

    fn href(self) -> &'static str {
        match self {
            Self::Overview => "/console",
            Self::Services => "/console/services",
            Self::Findings => "/console/findings",
            Self::Scans => "/console/scans",
            Self::Exceptions => "/console/exceptions",
            Self::Egress => "/console/egress",
            Self::Advisories => "/console/advisories",
            Self::Events => "/console/events",
        }
    }

    /// The strokes of its icon, on a 16 by 16 grid.
    fn icon(self) -> &'static str {
        match self {
            Self::Overview => "M2.5 2.5h4.5v5h-4.5zM9 2.5h4.5v3H9zM2.5 9.5h4.5v4h-4.5zM9 7.5h4.5v6H9z",
            Self::Services => "M8 1.8 13.8 5 8 8.2 2.2 5zM2.2 8 8 11.2 13.8 8M2.2 11 8 14.2 13.8 11",
            Self::Findings => "M8 2 14.3 13.2H1.7zM8 6.4v3.2M8 11.3v.4",
            Self::Scans => "M7 2.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6zM10.5 10.5 14 14",
            Self::Exceptions => "M8 1.8 13.2 4v4c0 3.2-2.2 5.2-5.2 6.2C5 13.2 2.8 11.2 2.8 8V4zM5.8 8l1.6 1.6L10.4 6.6",
            Self::Egress => "M6.5 2.5H3a.5.5 0 0 0-.5.5v10a.5.5 0 0 0 .5.5h3.5M6 8h7.5M10.5 5l3 3-3 3",
            Self::Advisories => "M3 2.5h8a2 2 0 0 1 2 2v9H5a2 2 0 0 1-2-2zM5.7 5.7h4.6M5.7 8.3h4.6",
            Self::Events => "M2 8h3l1.8-5 2.8 10L11.3 8H14",
        }
    }
}

/// A page before its content is put in.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    title: &'a str,
    here: Option<Section>,
    viewer: &'a Viewer,
    refresh: bool,
    flash: Option<Flash>,
    status: StatusCode,
}

impl<'a> Page<'a> {
    /// A page of a section, or of none.
    pub(crate) fn new(title: &'a str, here: impl Into<Option<Section>>, viewer: &'a Viewer) -> Self {
        Self { title, here: here.into(), viewer, refresh: false, flash: None, status: StatusCode::OK }
    }

    /// Reads itself again every few seconds where no script runs.
    pub(crate) fn refresh(mut self, on: bool) -> Self {
        self.refresh = on;
        self
    }

    /// Tells what the change before it did.
    pub(crate) fn flash(mut self, done: Option<&str>) -> Self {
        self.flash = done.and_then(Flash::from_code);
        self
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The finished page.
    pub(crate) fn with(self, content: &Markup) -> Response {
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                (head(self.title, self.refresh.then_some(3)))
                body {
                    a.skip href="#main" { "Skip to content" }
                    div.shell {
                        header.side {
                            (brand("/console"))
                            (navigation(self.here))
                            div.who {
                                span title=(self.viewer.principal.display) { (self.viewer.principal.display) }
                                form.inline method="post" action="/console/sign-out" {
                                    button.quiet type="submit" { "Sign out" }
                                }
                            }
                        }
                        main #main tabindex="-1" {
                            @if let Some(flash) = self.flash { div.flash { div.notice.good role="status" { b { (flash.words()) } } } }
                            (content)
                            @if content.0.contains(" data-row") {
                                p.keys {
                                    span { kbd { "/" } " search" }
                                    span { kbd { "j" } " " kbd { "k" } " next and previous row" }
                                    span { kbd { "Enter" } " open" }
                                }
                            }
                        }
                    }
                    script src=(assets::SCRIPT.url()) defer {}
                }
            }
        };
        (self.status, Html(markup.into_string())).into_response()
    }

    /// A page that says why there is none.
    pub(crate) fn failed(self, failure: &Failure) -> Response {
        let status = failure.status();
        tracing::debug!(error = %failure, "console page has no content");
        let content = html! {
            div.head { div { h1 { (self.title) } } }
            (notice(failure))
        };
        self.status(status).with(&content)
    }
}

/// What a change did, as a word in the address of the page that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flash {
    Accepted,
    Reopened,
    Removed,
    Redriven,
    Discarded,
    Updating,
    Added,
    Saved,
    ServiceRemoved,
}

impl Flash {
    const ALL: [Self; 9] = [
        Self::Accepted,
        Self::Reopened,
        Self::Removed,
        Self::Redriven,
        Self::Discarded,
        Self::Updating,
        Self::Added,
        Self::Saved,
        Self::ServiceRemoved,
    ];

    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Reopened => "reopened",
            Self::Removed => "removed",
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
            Self::Updating => "updating",
            Self::Added => "added",
            Self::Saved => "saved",
            Self::ServiceRemoved => "service-removed",
        }
    }

    fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flash| flash.code() == code)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted. It counts again on the day after the choice ends.",
            Self::Reopened => "Open again.",
            Self::Removed => "Exception removed. What it covered is open again.",
            Self::Redriven => "Sent on its way again.",
            Self::Discarded => "Given up. Its subject goes on without it.",
            Self::Updating => "Update started. Scans go on with what is there until it is done.",
            Self::Added => "Added. Its first scan starts within a minute.",
            Self::Saved => "Saved.",
            Self::ServiceRemoved => "Service removed, with its scans and findings.",
        }
    }
}

/// The head of a document; `refresh` in seconds, for browsers without scripts.
pub(crate) fn head(title: &str, refresh: Option<u32>) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            @if let Some(seconds) = refresh { noscript { meta http-equiv="refresh" content=(seconds); } }
            title { (title) " · AIVA" }
            link rel="icon" type="image/svg+xml" href=(assets::ICON.url());
            link rel="stylesheet" href=(assets::STYLE.url());
        }
    }
}

/// The mark, linked to the start.
pub(crate) fn brand(href: &str) -> Markup {
    html! {
        a.brand href=(href) {
            (PreEscaped(r#"<svg viewBox="0 0 24 24" aria-hidden="true"><rect width="24" height="24" rx="5.5" fill="currentColor" opacity=".14"/><path d="M12 4.5 18.8 18.2h-3.2L12 10.4l-3.6 7.8H5.2z" fill="currentColor"/></svg>"#))
            "AIVA"
        }
    }
}

fn navigation(here: Option<Section>) -> Markup {
    html! {
        nav.nav aria-label="Main" {
            @for section in Section::ALL {
                a href=(section.href()) aria-current=[(Some(section) == here).then_some("page")] { (icon(section.icon())) (section.name()) }
            }
            span.rule {}
            a href="/docs" { (icon("M6 4.5 2.5 8 6 11.5M10 4.5 13.5 8 10 11.5")) "API" }
        }
    }
}

fn icon(strokes: &str) -> Markup {
    html! {
        svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" {
            path d=(strokes) {}
        }
    }
}

/// Why something could not be shown or done, with what to quote when asking for help.
pub(crate) fn notice(failure: &Failure) -> Markup {
    match failure {
        Failure::Refused(problem) => html! {
            div.notice.bad role="alert" {
                b { (heading(problem.status)) }
                span { (problem.detail) }
                @if !failure.fields().is_empty() {
                    ul { @for field in failure.fields() { li { code { (field.pointer) } " " (field.message) } } }
                }
                @if let Some(hint) = &problem.hint { span.soft { (hint) } }
                span.small.muted {
                    "Code " code { (problem.code) }
                    @if let Some(id) = &problem.request_id { ", request " code { (id) } }
                }
            }
        },
        Failure::Unreadable { status, .. } => html! {
            div.notice.bad role="alert" {
                b { "The answer makes no sense" }
                span { "The API answered " (status.as_u16()) " with something that is not in its contract. Server and console may be of different releases." }
            }
        },
    }
}

fn heading(status: u32) -> &'static str {
    match status {
        401 => "Not signed in",
        403 => "Not allowed",
        404 => "There is no such thing",
        409 => "That is not possible now",
        412 => "It has changed since you looked",
        400 | 422 => "That does not fit",
        429 => "Too many requests",
        503 => "Not available right now",
        _ => "Something went wrong",
    }
}
