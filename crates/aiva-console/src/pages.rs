//! The pages, one module a noun. A handler asks the API, and renders; what it may ask is decided there.

mod advisories;
mod egress;
mod events;
mod exceptions;
mod finding;
mod findings;
mod nowhere;
mod overview;
mod scans;
mod service_form;
mod services;

use std::collections::BTreeMap;

use aiva_chassis::http::{Permission, Routes};
use axum::response::{IntoResponse, Redirect, Response};

use crate::client::Viewer;
use crate::layout::Flash;
use crate::link::Link;
use crate::{App, hardened};

/// The query of a page; a name that is given twice counts once.
type Asked = axum::extract::Query<BTreeMap<String, String>>;

/// Every page and every form.
pub(crate) fn routes() -> Routes<App> {
    Routes::new()
        .route("GET", "/console", hardened("GET", overview::show))
        .route("GET", "/console/services", hardened("GET", services::list))
        .route("POST", "/console/services", hardened("POST", service_form::create))
        .route("GET", "/console/add-service", hardened("GET", service_form::new))
        .route("GET", "/console/services/{service}", hardened("GET", services::show))
        .route("POST", "/console/services/{service}", hardened("POST", service_form::update))
        .route("GET", "/console/services/{service}/edit", hardened("GET", service_form::edit))
        .route("POST", "/console/services/{service}/remove", hardened("POST", service_form::remove))
        .route("GET", "/console/findings", hardened("GET", findings::list))
        .route("GET", "/console/findings/{finding}", hardened("GET", finding::show))
        .route("POST", "/console/findings/{finding}/accept", hardened("POST", finding::accept))
        .route("POST", "/console/findings/{finding}/reopen", hardened("POST", finding::reopen))
        .route("GET", "/console/scans", hardened("GET", scans::list))
        .route("POST", "/console/scans", hardened("POST", scans::start))
        .route("GET", "/console/scans/{scan}", hardened("GET", scans::show))
        .route("GET", "/console/scans/{scan}/events", hardened("GET", scans::follow))
        .route("GET", "/console/exceptions", hardened("GET", exceptions::list))
        .route("POST", "/console/exceptions/{exception}/remove", hardened("POST", exceptions::remove))
        .route("GET", "/console/advisories", hardened("GET", advisories::show))
        .route("POST", "/console/advisories/update", hardened("POST", advisories::update))
        .route("GET", "/console/egress", hardened("GET", egress::list))
        .route("GET", "/console/egress/summary", hardened("GET", egress::summary::show))
        .route("GET", "/console/egress/roles", hardened("GET", egress::roles::list))
        .route("GET", "/console/egress/roles/{role}", hardened("GET", egress::roles::show))
        .route("GET", "/console/egress/decisions/{decision}", hardened("GET", egress::decision::show))
        .route("GET", "/console/events", hardened("GET", events::list))
        .route("POST", "/console/dead-letters/{letter}/redrive", hardened("POST", events::redrive))
        .route("POST", "/console/dead-letters/{letter}/discard", hardened("POST", events::discard))
        .route("GET", "/console/{*rest}", hardened("GET", nowhere::show))
}

/// One value of a query; empty if it is not there.
fn value<'a>(asked: &'a Asked, name: &str) -> &'a str {
    asked.get(name).map_or("", |value| value.trim())
}

/// What the change before this page did.
fn done(asked: &Asked) -> Option<&str> {
    asked.get("done").map(String::as_str)
}

/// To the page that shows what was changed.
fn back(link: Link, flash: Flash) -> Response {
    Redirect::to(&link.with("done", flash.code()).into_string()).into_response()
}

/// Whether to offer a change at all; the API decides again.
fn may(viewer: &Viewer, permission: &'static str) -> bool {
    viewer.principal.may(Permission(permission))
}
