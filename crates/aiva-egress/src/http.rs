//! The `egress` part of the API: records, a summary of them, and decisions on request.
//!
//! Extract, convert, call, answer. What is shown is on the disk. What would allow a refused request is shown to operators
//! only.

mod told;

use std::sync::Arc;

use aiva_chassis::http::auth::SEE_HINTS;
use aiva_chassis::http::{
    Allowed, ApiError, Cursor, FieldError, Json, Need, Path, Permission, Query, Routes, mount, on,
};
use aiva_contracts::api;
use aiva_contracts::api::egress::{GetDecisionPath, GetEgressSummaryQuery, ListDecisionsQuery, Operation};
use aiva_contracts::bounds::Check;
use aiva_outbound::Target;
use aiva_store::StoreError;
use axum::extract::State;
use http::Method;
use std::time::Duration;
use uuid::Uuid;

use crate::decision::{Form, Outcome, Record, Who};
use crate::service::records::{App, Filter};

/// May read records.
struct Read;

impl Need for Read {
    const PERMISSION: Permission = Permission("egress:read");
}

/// May ask for decisions.
struct Ask;

impl Need for Ask {
    const PERMISSION: Permission = Permission("egress:decide");
}

/// All routes of this crate.
pub fn routes(app: App) -> Routes {
    let handler = |operation: Operation| match operation {
        Operation::ListDecisions => on(operation.method(), list_decisions),
        Operation::Decide => on(operation.method(), decide),
        Operation::GetDecision => on(operation.method(), get_decision),
        Operation::GetEgressSummary => on(operation.method(), get_egress_summary),
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
    State(app): State<App>,
    Json(body): Json<api::AskDecision>,
) -> Answer<Json<api::Verdict>> {
    let body = within_bounds(body)?;
    let rules = app.decide.rules(body.role.as_deref());
    let rules = rules.ok_or_else(|| ApiError::not_found("role_unknown", "there is no such egress role"))?;
    let who =
        Who { role: Arc::clone(&rules.role), caller: caller.display.chars().take(300).collect::<String>().into() };
    // Room for the record first: a decision that leaves none is not made.
    let slot = app.recorder.reserve().await;
    let method = body.method.as_deref().and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let (record, connect_to, token) = match Target::parse(&body.url) {
        Err(reason) => (Record::unreadable(app.clock.now(), who, Form::Check, reason), Vec::new(), None),
        Ok(target) => {
            let verdict = rules.decide(&target, method.as_ref()).await;
            let now = app.clock.now();
            let record = Record::decided(now, who, Form::Check, &target, &verdict);
            let connect_to: Vec<_> = verdict.connect_to.into_iter().take(told::MOST_ADDRESSES).collect();
            let addresses: Vec<_> = connect_to.iter().map(std::net::SocketAddr::ip).collect();
            let token =
                (record.outcome == Outcome::Allow).then(|| app.signer.sign(&record.who.role, &target, &addresses, now));
            (record, connect_to, token)
        }
    };
    let record = match &body.method {
        Some(method) => record.method(method),
        None => record,
    };
    let (token, expires_at) = token.unzip();
    let verdict = api::Verdict {
        id: record.id,
        outcome: told::outcome(record.outcome),
        role: record.who.role.to_string(),
        rule: record.rule.clone(),
        reason: record.reason.to_string(),
        connect_to: connect_to.iter().map(ToString::to_string).collect(),
        token,
        expires_at,
    };
    slot.write(record);
    Ok(Json(verdict))
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

fn after(cursor: Option<String>) -> Answer<Option<Uuid>> {
    let bad = || ApiError::bad_request("cursor_invalid", "the cursor is not one that this list gave");
    let cursor = cursor.map(|cursor| serde_json::from_value::<Cursor>(cursor.into())).transpose().map_err(|_| bad())?;
    cursor.map(|cursor| cursor.key()).transpose()
}
