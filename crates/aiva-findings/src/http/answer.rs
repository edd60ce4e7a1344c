//! What handlers share: permissions, refusals as problems, bounds, pages and preconditions.

use aiva_chassis::http::{
    ApiError, Cursor, ETag, FieldError, IdempotencyKey, Need, Permission, Preconditions, Principal, idempotency,
};
use aiva_contracts::bounds::Check;
use aiva_store::TxError;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;
use std::time::Duration;

use crate::ports::{Attempt, Done, Expect, Refusal};

macro_rules! permissions {
    ($($name:ident = $permission:literal),* $(,)?) => {$(
        #[doc = concat!("Needs `", $permission, "`.")]
        pub(crate) struct $name;
        impl Need for $name {
            const PERMISSION: Permission = Permission($permission);
        }
    )*};
}

permissions! {
    ReadServices = "services:read",
    WriteServices = "services:write",
    ReadScans = "scans:read",
    WriteScans = "scans:write",
    ReadFindings = "findings:read",
    WriteFindings = "findings:write",
    ReadExceptions = "exceptions:read",
    WriteExceptions = "exceptions:write",
}

/// A use case's outcome as the API tells it.
pub(crate) fn told<T>(outcome: Done<T>) -> Result<T, ApiError> {
    outcome.map_err(|error| match error {
        TxError::Refused(refusal) => refused(refusal),
        TxError::Store(error) if error.is_transient() => {
            tracing::warn!(error = %error, "the store cannot answer now");
            ApiError::unavailable(Duration::from_secs(1))
        }
        TxError::Store(error) => ApiError::internal(error),
        TxError::Panicked => ApiError::internal(TxError::<Refusal>::Panicked),
    })
}

pub(crate) fn refused(refusal: Refusal) -> ApiError {
    let detail = refusal.to_string();
    match refusal {
        Refusal::NotFound(_) => ApiError::not_found("not_found", detail),
        Refusal::ReadOnly(_) => ApiError::conflict("defined_by_file", detail),
        Refusal::Exists(_) => ApiError::conflict("already_exists", detail),
        Refusal::NotNow(_) | Refusal::Missing => ApiError::conflict("wrong_state", detail),
        Refusal::Stale => ApiError::precondition_failed(),
        Refusal::KeyReused => ApiError::key_reused(),
        Refusal::BadCursor => ApiError::bad_request("cursor_invalid", detail),
        Refusal::Invalid(violations) => {
            ApiError::unprocessable(violations.into_iter().map(|v| FieldError::new(v.pointer, v.message)).collect())
        }
    }
}

/// Refuses a value that breaks a bound of the contract.
pub(crate) fn within_bounds<T: Check>(value: T) -> Result<T, ApiError> {
    match value.violations() {
        violations if violations.is_empty() => Ok(value),
        violations => Err(refused(Refusal::Invalid(violations))),
    }
}

/// The caller's key, theirs alone, and what it asks for.
pub(crate) fn attempt<T: Serialize>(
    key: Option<IdempotencyKey>,
    caller: &Principal,
    operation: &str,
    body: &T,
) -> Result<Option<Attempt>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    let body = serde_json::to_vec(body).map_err(ApiError::internal)?;
    let request = idempotency::fingerprint(&caller.id, operation, &body);
    Ok(Some(Attempt { key: format!("{}/{}", caller.id, key.as_str()), request }))
}

/// Lets a change go ahead if the caller saw the current version, or did not say what they saw.
pub(crate) fn expect(headers: &HeaderMap) -> Expect {
    let preconditions = Preconditions::of(headers);
    Arc::new(move |version| preconditions.allow(&ETag::of_version(version)).is_ok())
}

/// The same for a change that must say what it is based on.
pub(crate) fn expect_said(headers: &HeaderMap) -> Result<Expect, ApiError> {
    if headers.contains_key(header::IF_MATCH) { Ok(expect(headers)) } else { Err(ApiError::precondition_required()) }
}

/// How many rows a page holds; the bounds of the contract were checked before.
pub(crate) fn limit(limit: Option<u32>) -> u32 {
    limit.unwrap_or(50).clamp(1, 500)
}

/// What a cursor of ours holds.
pub(crate) fn after<K: DeserializeOwned>(cursor: Option<String>) -> Result<Option<K>, ApiError> {
    let bad = || refused(Refusal::BadCursor);
    let cursor = cursor.map(|cursor| serde_json::from_value::<Cursor>(cursor.into())).transpose().map_err(|_| bad())?;
    cursor.map(|cursor| cursor.key()).transpose()
}

/// Cuts the one row too many off, and says where the next page begins.
pub(crate) fn cut<T, K: Serialize>(
    mut items: Vec<T>,
    limit: u32,
    key: impl FnOnce(&T) -> K,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = match items.last() {
        Some(last) if more => Some(Cursor::after(&key(last))?.as_str().to_owned()),
        _ => None,
    };
    Ok((items, next))
}

/// An answer with the version of what it shows.
pub(crate) fn versioned(version: u64, body: impl IntoResponse) -> Response {
    ([(header::ETAG, ETag::of_version(version).to_value())], body).into_response()
}

/// An answer that says where the new thing is. Names and ids hold no character that a header cannot.
pub(crate) fn made(status: StatusCode, at: &str, body: impl IntoResponse) -> Result<Response, ApiError> {
    let location = HeaderValue::from_str(at).map_err(ApiError::internal)?;
    Ok((status, [(header::LOCATION, location)], body).into_response())
}
