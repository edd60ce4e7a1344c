//! The `advisories` part of the API.

use std::sync::Arc;

use aiva_chassis::http::{Allowed, ApiError, Json, Need, Permission, Routes, mount, on};
use aiva_contracts::api::AdvisoryStatus;
use aiva_contracts::api::advisories::Operation;
use axum::extract::State;
use http::StatusCode;

use crate::advisory::OpenError;
use crate::service::Service;
use crate::workers::Updates;

/// May look at the advisories.
#[derive(Debug)]
pub struct Read;

impl Need for Read {
    const PERMISSION: Permission = Permission("advisories:read");
}

/// May fetch new ones.
#[derive(Debug)]
pub struct Write;

impl Need for Write {
    const PERMISSION: Permission = Permission("advisories:write");
}

#[derive(Clone)]
struct App {
    service: Arc<Service>,
    updates: Updates,
}

/// The routes.
pub fn routes(service: Arc<Service>, updates: Updates) -> Routes {
    let handler = |operation: Operation| match operation {
        Operation::GetAdvisories => on(operation.method(), get_advisories),
        Operation::UpdateAdvisories => on(operation.method(), update_advisories),
    };
    mount(Operation::ALL.iter().map(|o| (o.method(), o.path(), handler(*o)))).with_state(App { service, updates })
}

/// `GET /v1/advisories`
async fn get_advisories(State(app): State<App>, _: Allowed<Read>) -> Result<Json<AdvisoryStatus>, ApiError> {
    app.service.status().map(Json).map_err(unusable)
}

/// `POST /v1/advisories/updates`
async fn update_advisories(
    State(app): State<App>,
    _: Allowed<Write>,
) -> Result<(StatusCode, Json<AdvisoryStatus>), ApiError> {
    let mut status = app.service.status().map_err(unusable)?;
    if status.updating || !app.updates.ask() {
        return Err(ApiError::conflict("update_running", "an update of the advisories runs already"));
    }
    status.updating = true;
    Ok((StatusCode::ACCEPTED, Json(status)))
}

fn unusable(error: OpenError) -> ApiError {
    ApiError::internal(error)
}
