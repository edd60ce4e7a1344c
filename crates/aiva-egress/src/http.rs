//! The `egress` part of the API: records, a summary of them, decisions on request, and roles.
//!
//! Extract, convert, call, answer. What is shown is on the disk. What would allow a refused request is shown to operators
//! only.

mod fetch;
pub mod mcp;
mod roles;
mod told;

use aiva_chassis::http::auth::SEE_HINTS;
use aiva_chassis::http::{
    Allowed, ApiError, Cursor, FieldError, Json, Need, Path, Permission, Principal, Query, Routes, mount, on,
};
use aiva_contracts::api;
use aiva_contracts::api::egress::{GetDecisionPath, GetEgressSummaryQuery, ListDecisionsQuery, Operation};
use aiva_contracts::bounds::Check;
use aiva_store::StoreError;
use axum::extract::{FromRef, State};
use serde::de::DeserializeOwned;
use std::time::Duration;
use uuid::Uuid;

use crate::meters::{self, Via};
use crate::service::records::{Answered, App, Decisions, Filter, Question, Undecided};
use crate::service::roles::Roles;

/// May read records.
struct Read;

impl Need for Read {
    const PERMISSION: Permission = Permission("egress:read");
}

/// May ask for decisions.
pub(crate) struct Ask;

impl Need for Ask {
    const PERMISSION: Permission = Permission("egress:decide");
}

/// May have something fetched.
pub(crate) struct Fetch;

impl Need for Fetch {
    const PERMISSION: Permission = Permission("egress:fetch");
}

/// The route of questions alone, for whoever keeps no records.
pub fn decisions(decisions: Decisions) -> Routes {
    let operation = Operation::Decide;
    mount([(operation.method(), operation.path(), on(operation.method(), decide))]).with_state(decisions)
}

impl FromRef<App> for Decisions {
    fn from_ref(app: &App) -> Self {
        app.decisions.clone()
    }
}

impl FromRef<App> for Roles {
    fn from_ref(app: &App) -> Self {
        app.roles.clone()
    }
}

/// All routes of the contract that are this crate's.
pub fn routes(app: App) -> Routes {
    let handler = |operation: Operation| match operation {
        Operation::ListDecisions => on(operation.method(), list_decisions),
        Operation::Decide => on(operation.method(), decide),
        Operation::Fetch => on(operation.method(), fetch::fetch),
        Operation::GetDecision => on(operation.method(), get_decision),
        Operation::GetEgressSummary => on(operation.method(), get_egress_summary),
        Operation::ListEgressRoles => on(operation.method(), roles::list_egress_roles),
        Operation::GetEgressRole => on(operation.method(), roles::get_egress_role),
        Operation::PutEgressRole => on(operation.method(), roles::put_egress_role),
        Operation::DeleteEgressRole => on(operation.method(), roles::delete_egress_role),
        Operation::ListEgressRoleVersions => on(operation.method(), roles::list_egress_role_versions),
    };
    mount(Operation::ALL.iter().map(|o| (o.method(), o.path(), handler(*o)))).with_state(app)
}

type Answer<T> = Result<T, ApiError>;

async fn list_decisions(
    caller: Allowed<Read>,
    State(app): State<App>,
    Query(query): Query<ListDecisionsQuery>,
) -> Answer<Json<api::DecisionPage>> {
    let query = within_bounds(query)?;
    let limit = query.limit.unwrap_or(50).clamp(1, 500);
    let before: Option<Uuid> = after(query.cursor)?;
    let filter = Filter {
        role: query.role,
        caller: query.caller,
        host: query.host.map(|host| host.to_ascii_lowercase()),
        outcome: query.outcome.map(told::outcome_of),
        reason: query.reason,
        form: query.form.map(told::form_of),
        since: query.since,
        until: query.until,
    };
    let mut records = app.store.list(filter, before, limit + 1).await.map_err(store_error)?;
    let more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next_cursor = match records.last() {
        Some(last) if more => Some(Cursor::after(&last.id)?.as_str().to_owned()),
        _ => None,
    };
    let sees_remedy = caller.may(SEE_HINTS);
    let items = records.into_iter().map(|record| told::decision(record, sees_remedy)).collect();
    Ok(Json(api::DecisionPage { items, next_cursor }))
}

async fn get_decision(
    caller: Allowed<Read>,
    State(app): State<App>,
    Path(path): Path<GetDecisionPath>,
) -> Answer<Json<api::Decision>> {
    let found = app.store.get(path.decision).await.map_err(store_error)?;
    let record = found.ok_or_else(|| ApiError::not_found("not_found", "there is no such decision, or not any more"))?;
    Ok(Json(told::decision(record, caller.may(SEE_HINTS))))
}

async fn get_egress_summary(
    _: Allowed<Read>,
    State(app): State<App>,
    Query(query): Query<GetEgressSummaryQuery>,
) -> Answer<Json<api::EgressSummary>> {
    let query = within_bounds(query)?;
    let summary = app.store.summary(query.role, query.hours.unwrap_or(24)).await.map_err(store_error)?;
    Ok(Json(told::summary(summary)))
}

async fn decide(
    caller: Allowed<Ask>,
    State(decisions): State<Decisions>,
    Json(body): Json<api::AskDecision>,
) -> Answer<Json<api::Verdict>> {
    answer(&decisions, &caller, Via::Rest, body).await.map(told::verdict).map(Json)
}

/// One decision, for REST and gRPC alike: the same bounds, the same refusals.
pub(crate) async fn answer(
    decisions: &Decisions,
    caller: &Principal,
    via: Via,
    asked: api::AskDecision,
) -> Answer<Answered> {
    let asked = within_bounds(asked).inspect_err(|_| meters::asked(via, None))?;
    let question = Question { url: &asked.url, method: asked.method.as_deref(), role: asked.role.as_deref() };
    let answered = decisions.decide(&caller.display, via, question).await;
    answered.map_err(|undecided| match undecided {
        Undecided::NoSuchRole => ApiError::not_found("role_unknown", undecided.to_string()),
        Undecided::NoRoom => ApiError::unavailable(Duration::from_secs(5)),
    })
}

fn store_error(error: StoreError) -> ApiError {
    if error.is_transient() {
        tracing::warn!(error = %error, "the store cannot answer now");
        return ApiError::unavailable(Duration::from_secs(1));
    }
    ApiError::internal(error)
}

/// Refuses a value that breaks a bound of the contract.
fn within_bounds<T: Check>(value: T) -> Answer<T> {
    let violations = value.violations();
    if violations.is_empty() {
        return Ok(value);
    }
    Err(ApiError::unprocessable(violations.into_iter().map(|v| FieldError::new(v.pointer, v.message)).collect()))
}

fn after<K: DeserializeOwned>(cursor: Option<String>) -> Answer<Option<K>> {
    let bad = || ApiError::bad_request("cursor_invalid", "the cursor is not one that this list gave");
    let cursor = cursor.map(|cursor| serde_json::from_value::<Cursor>(cursor.into())).transpose().map_err(|_| bad())?;
    cursor.map(|cursor| cursor.key()).transpose()
}
