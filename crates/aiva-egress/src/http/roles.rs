//! Roles over the API.

use std::sync::Arc;

use aiva_chassis::http::{
    Allowed, ApiError, Cursor, ETag, FieldError, Json, Need, Path, Permission, Preconditions, Query,
};
use aiva_contracts::api;
use aiva_contracts::api::egress::{
    DeleteEgressRolePath, GetEgressRolePath, ListEgressRoleVersionsPath, ListEgressRoleVersionsQuery, PutEgressRolePath,
};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{Answer, Read, after, store_error, within_bounds};
use crate::config::stored;
use crate::service::roles::{Expect, Past, RoleError, Roles, Shown, Stamp};

/// May change roles.
pub(super) struct Write;

impl Need for Write {
    const PERMISSION: Permission = Permission("egress:write");
}

pub(super) async fn list_egress_roles(_: Allowed<Read>, State(roles): State<Roles>) -> Answer<Json<Value>> {
    let all = roles.all().await.map_err(store_error)?;
    Ok(Json(json!({"items": all.into_iter().map(told).collect::<Vec<_>>()})))
}

pub(super) async fn get_egress_role(
    _: Allowed<Read>,
    State(roles): State<Roles>,
    Path(path): Path<GetEgressRolePath>,
    preconditions: Preconditions,
) -> Answer<Response> {
    let path = within_bounds(path)?;
    let found = roles.get(&path.role).await.map_err(store_error)?;
    let shown = found.ok_or_else(|| refused(RoleError::Missing, &HeaderMap::new()))?;
    let tag = tag(&shown);
    let body = Json(told(shown));
    Ok(preconditions.answer(&tag, || body.into_response()))
}

pub(super) async fn put_egress_role(
    caller: Allowed<Write>,
    State(roles): State<Roles>,
    Path(path): Path<PutEgressRolePath>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer<Response> {
    let path = within_bounds(path)?;
    // The reader of the file complains first: it says everything at once, in its own words.
    let wrong: Vec<FieldError> = stored::read(&body).err().into_iter().flatten().map(field).collect();
    if !wrong.is_empty() {
        return Err(ApiError::unprocessable(wrong));
    }
    let said: api::EgressRole = serde_json::from_value(body.clone())
        .map_err(|error| ApiError::unprocessable(vec![FieldError::new("", error.to_string())]))?;
    within_bounds(said)?;
    // As it was said: an empty list is not one that was left out.
    let changed = roles.change(&path.role, Some(body), expect(&headers), &caller.display).await;
    let shown = changed.map_err(|error| refused(error, &headers))?;
    let tag = tag(&shown);
    Ok(([(header::ETAG, tag.to_value())], Json(told(shown))).into_response())
}

pub(super) async fn delete_egress_role(
    caller: Allowed<Write>,
    State(roles): State<Roles>,
    Path(path): Path<DeleteEgressRolePath>,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    let path = within_bounds(path)?;
    let changed = roles.change(&path.role, None, expect(&headers), &caller.display).await;
    changed.map_err(|error| refused(error, &headers))?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_egress_role_versions(
    _: Allowed<Read>,
    State(roles): State<Roles>,
    Path(path): Path<ListEgressRoleVersionsPath>,
    Query(query): Query<ListEgressRoleVersionsQuery>,
) -> Answer<Json<Value>> {
    let (path, query) = (within_bounds(path)?, within_bounds(query)?);
    let limit = query.limit.unwrap_or(50).clamp(1, 500);
    let before: Option<u64> = after(query.cursor)?;
    let mut versions = roles.versions(&path.role, before, limit + 1).await.map_err(store_error)?;
    if versions.is_empty() && before.is_none() {
        return Err(refused(RoleError::Missing, &HeaderMap::new()));
    }
    let more = versions.len() > limit as usize;
    versions.truncate(limit as usize);
    let next_cursor = match versions.last() {
        Some((last, _)) if more => Some(Cursor::after(&last.version)?.as_str().to_owned()),
        _ => None,
    };
    let mut page = Map::from_iter([("items".to_owned(), versions.into_iter().map(past).collect())]);
    page.extend(next_cursor.map(|next| ("next_cursor".to_owned(), Value::from(next))));
    Ok(Json(page.into()))
}

/// A new role needs no precondition; whoever changes one says which version was seen.
fn expect(headers: &HeaderMap) -> Expect {
    let preconditions = Preconditions::of(headers);
    Arc::new(move |current| match current {
        Some(version) => {
            preconditions.allow_create(true).is_ok() && preconditions.require(&ETag::of_version(version)).is_ok()
        }
        None => preconditions.allow_create(false).is_ok(),
    })
}

fn refused(error: RoleError, headers: &HeaderMap) -> ApiError {
    let said = headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH);
    let detail = error.to_string();
    match error {
        RoleError::InFile => ApiError::conflict("defined_in_file", detail),
        RoleError::Default => ApiError::conflict("default_role", detail),
        RoleError::Invalid(wrong) => ApiError::unprocessable(wrong.into_iter().map(field).collect()),
        RoleError::Stale if said => ApiError::precondition_failed(),
        RoleError::Stale => ApiError::precondition_required(),
        RoleError::Missing => ApiError::not_found("role_unknown", detail),
        RoleError::Full => ApiError::conflict("too_many_roles", detail),
        RoleError::Store(error) => store_error(error),
    }
}

fn field(wrong: crate::role::Wrong) -> FieldError {
    FieldError::new(stored::pointer(&wrong.key), wrong.message)
}

/// The version of what is stored; the content of what the file says.
fn tag(shown: &Shown) -> ETag {
    match &shown.change {
        Some(change) => ETag::of_version(change.version),
        None => ETag::of_bytes(shown.role.to_string().as_bytes()),
    }
}

/// A `StoredEgressRole` of the contract; the role as it was said, empty lists among it.
fn told(shown: Shown) -> Value {
    let mut told = match shown.change {
        Some(change) => stamped(&change),
        None => Map::new(),
    };
    let origin = if told.is_empty() { api::Origin::File } else { api::Origin::Api };
    told.insert("name".to_owned(), shown.name.into());
    told.insert("origin".to_owned(), json!(origin));
    told.insert("role".to_owned(), shown.role);
    told.extend(shown.built_in.then(|| ("built_in".to_owned(), true.into())));
    told.into()
}

/// An `EgressRoleVersion` of the contract.
fn past((stamp, role): Past) -> Value {
    let mut told = stamped(&stamp);
    told.extend(role.map(|role| ("role".to_owned(), role)));
    told.into()
}

fn stamped(stamp: &Stamp) -> Map<String, Value> {
    let Stamp { version, at, by } = stamp;
    let told = [("version", json!(version)), ("changed_at", json!(at)), ("changed_by", json!(by))];
    told.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
