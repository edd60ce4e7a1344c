//! The `meta` part of the API: which build answers, and the contract itself.

use aiva_chassis::http::{Allowed, Json, Need, Permission, Public, Routes, mount, on};
use aiva_contracts::api::Version;
use aiva_contracts::api::meta::Operation;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

/// May ask which build answers.
#[derive(Debug)]
pub struct Read;

impl Need for Read {
    const PERMISSION: Permission = Permission("meta:read");
}

/// The routes. `version` is what `getVersion` answers.
pub fn routes(version: Version) -> Routes {
    let handler = |operation: Operation| match operation {
        Operation::GetVersion => on(operation.method(), get_version),
        Operation::GetContract => on(operation.method(), get_contract),
    };
    mount(Operation::ALL.iter().map(|o| (o.method(), o.path(), handler(*o)))).with_state(version)
}

/// `GET /v1/version`
async fn get_version(State(version): State<Version>, _: Allowed<Read>) -> Json<Version> {
    Json(version)
}

/// `GET /v1/openapi.yaml`
async fn get_contract(_: Public) -> Response {
    ([(CONTENT_TYPE, "application/yaml")], aiva_contracts::OPENAPI).into_response()
}
