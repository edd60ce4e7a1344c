//! Every other address under `/console`: a page that says so, and where to go instead.

use axum::response::Response;
use http::StatusCode;
use maud::html;

use crate::client::Viewer;
use crate::layout::Page;

pub(super) async fn show(viewer: Viewer) -> Response {
    Page::new("No such page", None, &viewer).status(StatusCode::NOT_FOUND).with(&html! {
        div.head { div { h1 { "No such page" } p.sub { "The address may be mistyped, or what it showed may be gone." } } }
        p { a href="/console" { "Overview" } ", " a href="/console/services" { "services" } ", " a href="/console/findings" { "findings" } }
    })
}
