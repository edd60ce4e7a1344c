//! The operator's own listener: probes and metrics. Keep it off the public network; nothing here asks who is calling.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};

use super::{
    auth::Public,
    contract::{Routes, on},
    problem::ApiError,
};
use crate::{
    health::{Health, Report},
    telemetry::metrics::{CONTENT_TYPE, metrics},
};

/// `/healthz`, `/readyz`, `/startupz`, the aliases `/health` and `/ready`, and `/metrics`.
pub fn routes(health: Health) -> Routes {
    Routes::new()
        .route("GET", "/healthz", on("GET", live))
        .route("GET", "/health", on("GET", live))
        .route("GET", "/readyz", on("GET", ready))
        .route("GET", "/ready", on("GET", ready))
        .route("GET", "/startupz", on("GET", started))
        .route("GET", "/metrics", on("GET", exposition))
        .with_state(health)
}

async fn live(_: Public, State(health): State<Health>) -> Response {
    probe(&health.liveness())
}

async fn ready(_: Public, State(health): State<Health>) -> Response {
    probe(&health.readiness())
}

async fn started(_: Public, State(health): State<Health>) -> Response {
    probe(&health.startup())
}

async fn exposition(_: Public) -> Result<Response, ApiError> {
    let text = metrics().encode().map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

fn probe(report: &Report) -> Response {
    let status = StatusCode::from_u16(report.http_status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}
