//! The web console: server-rendered pages under `/console` (`/` leads there), and the API documentation at `/docs`.
//!
//! An ordinary client of the API, called in process: it shows what the signed-in person may see over `/v1`, changes what
//! they may change, and nothing else. It promises pages that work without scripts, load nothing from anywhere else, run
//! under `default-src 'none'`, and escape whatever comes from outside. Signing in is not here; a request without a
//! principal is sent to `/console/sign-in`.
//!
//! Start reading at [`Console`].

mod assets;
mod chart;
mod client;
mod docs;
mod layout;
mod link;
pub mod meta;
mod pages;
mod severity;
mod ui;

use std::sync::LazyLock;

use aiva_chassis::clock::SharedClock;
use aiva_chassis::http::{Public, Routes, on};
use axum::Router;
use axum::handler::Handler;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::MethodRouter;
use http::{HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use client::Api;

/// What a page may load: its own style sheet, script, images and answers, and nothing else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

static DOCS: LazyLock<Result<String, docs::ReadError>> = LazyLock::new(|| docs::page(aiva_contracts::OPENAPI));

/// The console over one API.
#[derive(Debug, Clone)]
pub struct Console {
    state: App,
}

/// What every page gets.
#[derive(Debug, Clone)]
pub(crate) struct App {
    api: Api,
    clock: SharedClock,
}

impl App {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The day that choices are counted from: UTC, as the API counts.
    fn today(&self) -> Date {
        self.now().to_zoned(TimeZone::UTC).date()
    }
}

impl Console {
    /// `api` answers `/v1`; it is called in process with the viewer's [`Principal`](aiva_chassis::http::Principal) as an
    /// extension, so it needs permission checks but no authentication of its own.
    pub fn new(api: Router, clock: SharedClock) -> Self {
        Self { state: App { api: Api::new(api), clock } }
    }

    /// Every route of the console, each with its headers; all but the static files and `/docs` want a signed-in person.
    pub fn routes(self) -> Routes {
        pages::routes()
            .route("GET", "/console/static/{name}", hardened("GET", statics))
            .route("GET", "/docs", hardened("GET", documentation))
            .route("GET", "/", hardened("GET", home))
            .with_state(self.state)
    }
}

/// A handler whose answers carry the console's headers.
pub(crate) fn hardened<H, T, S>(method: &'static str, handler: H) -> MethodRouter<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    on(method, handler).layer(axum::middleware::map_response(harden))
}

/// `GET /`: people who type the bare address want the console.
async fn home(_: Public) -> Redirect {
    Redirect::to("/console")
}

async fn statics(_: Public, name: axum::extract::Path<String>) -> Response {
    assets::serve(name).await
}

async fn documentation(_: Public) -> Response {
    match &*DOCS {
        Ok(page) => Html(page.as_str()).into_response(),
        Err(error) => {
            tracing::error!(%error, "the contract cannot be shown");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "the documentation cannot be shown; the contract is at /v1/openapi.yaml\n",
            )
                .into_response()
        }
    }
}

async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What a page shows is for one person; static files say otherwise for themselves.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
