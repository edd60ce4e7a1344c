//! One function an operation.

use aiva_chassis::http::{Allowed, ApiError, IdempotencyKey, Json, Path, Query};
use aiva_contracts::api::{
    AcceptFinding, CreateService, ExceptionPage, FindingDetail, FindingPage, Guard, InputPage, Scan, ScanGuard,
    ScanPage, ServiceDescription, ServiceDetail, ServicePage, StartScan, Trend, exceptions, findings, scans, services,
    trend,
};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use uuid::Uuid;

use super::answer::{
    ReadExceptions, ReadFindings, ReadScans, ReadServices, WriteExceptions, WriteFindings, WriteScans, WriteServices,
    after, attempt, cut, expect, expect_said, limit, made, told, versioned, within_bounds,
};
use crate::fingerprint::Fingerprint;
use crate::ports::{After, FindingFilter, Refusal, Request, ScanFilter};
use crate::service::Findings;

type Answer<T> = Result<T, ApiError>;

pub(super) async fn list_services(
    _: Allowed<ReadServices>,
    State(app): State<Findings>,
    Query(query): Query<services::ListServicesQuery>,
) -> Answer<Json<ServicePage>> {
    let query = within_bounds(query)?;
    let limit = limit(query.limit);
    let mut items = told(app.store.services(after(query.cursor)?, query.q).await)?;
    items.retain(|service| query.state.is_none_or(|state| service.state == state));
    let (items, next_cursor) = cut(items, limit, |last| last.name.clone())?;
    Ok(Json(ServicePage { items, next_cursor }))
}

pub(super) async fn create_service(
    caller: Allowed<WriteServices>,
    State(app): State<Findings>,
    key: Option<IdempotencyKey>,
    Json(body): Json<CreateService>,
) -> Answer<Response> {
    let body = within_bounds(body)?;
    relative(&body.description.source, "/description/source")?;
    let attempt = attempt(key, &caller, services::Operation::CreateService.id(), &body)?;
    let service = told(app.store.create_service(app.now(), body, attempt).await)?;
    let at = format!("/v1/services/{}", service.name);
    made(StatusCode::CREATED, &at, versioned(service.version, Json(service)))
}

pub(super) async fn get_service(
    _: Allowed<ReadServices>,
    State(app): State<Findings>,
    Path(path): Path<services::GetServicePath>,
) -> Answer<Response> {
    let service = told(app.store.service(path.service.clone()).await)?;
    let filter = ScanFilter { service: Some(path.service.clone()), ..ScanFilter::default() };
    let scans = told(app.store.scans(filter, None, 20).await)?;
    let trend = told(app.store.trend(app.now(), Some(path.service), None, 30).await)?;
    Ok(versioned(service.version, Json(ServiceDetail { service, trend, scans })))
}

pub(super) async fn update_service(
    _: Allowed<WriteServices>,
    State(app): State<Findings>,
    Path(path): Path<services::UpdateServicePath>,
    headers: HeaderMap,
    Json(body): Json<ServiceDescription>,
) -> Answer<Response> {
    let body = within_bounds(body)?;
    relative(&body.source, "/source")?;
    let expect = expect_said(&headers)?;
    let service = told(app.store.update_service(app.now(), path.service, body, expect).await)?;
    Ok(versioned(service.version, Json(service)))
}

pub(super) async fn delete_service(
    _: Allowed<WriteServices>,
    State(app): State<Findings>,
    Path(path): Path<services::DeleteServicePath>,
    headers: HeaderMap,
) -> Answer<StatusCode> {
    told(app.store.delete_service(app.now(), path.service, expect(&headers)).await)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_scans(
    _: Allowed<ReadScans>,
    State(app): State<Findings>,
    Query(query): Query<scans::ListScansQuery>,
) -> Answer<Json<ScanPage>> {
    let query = within_bounds(query)?;
    let limit = limit(query.limit);
    let filter = ScanFilter { service: query.service, guard: query.guard, state: query.state };
    let scans = told(app.store.scans(filter, after::<Uuid>(query.cursor)?, limit + 1).await)?;
    let (items, next_cursor) = cut(scans, limit, |last| last.id)?;
    Ok(Json(ScanPage { items, next_cursor }))
}

pub(super) async fn start_scan(
    caller: Allowed<WriteScans>,
    State(app): State<Findings>,
    key: Option<IdempotencyKey>,
    Json(body): Json<StartScan>,
) -> Answer<Response> {
    let body = within_bounds(body)?;
    let attempt = attempt(key, &caller, scans::Operation::StartScan.id(), &body)?;
    let guard = match body.guard {
        None | Some(ScanGuard::Sca) => Guard::Sca,
    };
    let by = caller.display.chars().take(300).collect();
    let request = Request { service: body.service, guard, paths: body.paths, by };
    let scan = told(app.store.request_scan(app.now(), request, attempt).await)?;
    app.wake();
    made(StatusCode::ACCEPTED, &format!("/v1/scans/{}", scan.id), Json(scan))
}

pub(super) async fn get_scan(
    _: Allowed<ReadScans>,
    State(app): State<Findings>,
    Path(path): Path<scans::GetScanPath>,
) -> Answer<Json<Scan>> {
    told(app.store.scan(path.scan).await).map(Json)
}

pub(super) async fn list_scan_inputs(
    _: Allowed<ReadScans>,
    State(app): State<Findings>,
    Path(path): Path<scans::ListScanInputsPath>,
    Query(query): Query<scans::ListScanInputsQuery>,
) -> Answer<Json<InputPage>> {
    let query = within_bounds(query)?;
    let limit = limit(query.limit);
    let inputs = told(app.store.inputs(path.scan, query.status, after(query.cursor)?, limit + 1).await)?;
    let (items, next_cursor) = cut(inputs, limit, |last| (last.path.clone(), last.kind.clone()))?;
    Ok(Json(InputPage { items, next_cursor }))
}

pub(super) async fn list_findings(
    _: Allowed<ReadFindings>,
    State(app): State<Findings>,
    Query(query): Query<findings::ListFindingsQuery>,
) -> Answer<Json<FindingPage>> {
    let query = within_bounds(query)?;
    let (limit, order) = (limit(query.limit), query.sort);
    let filter = FindingFilter {
        service: query.service,
        guard: query.guard,
        states: query.state,
        levels: query.level,
        kind: query.kind,
        text: query.q,
        package: query.package,
        advisory: query.id,
        order,
    };
    let (found, total) = told(app.store.findings(filter, after(query.cursor)?, limit + 1).await)?;
    let (items, next_cursor) = cut(found, limit, |last| After::new(last, order))?;
    Ok(Json(FindingPage { items, total, next_cursor }))
}

pub(super) async fn get_finding(
    _: Allowed<ReadFindings>,
    State(app): State<Findings>,
    Path(path): Path<findings::GetFindingPath>,
) -> Answer<Response> {
    told(app.store.finding(fingerprint(&path.finding)?).await).map(shown)
}

pub(super) async fn accept_finding(
    caller: Allowed<WriteFindings>,
    State(app): State<Findings>,
    Path(path): Path<findings::AcceptFindingPath>,
    key: Option<IdempotencyKey>,
    headers: HeaderMap,
    Json(body): Json<AcceptFinding>,
) -> Answer<Response> {
    let body = within_bounds(body)?;
    let fingerprint = fingerprint(&path.finding)?;
    let attempt = attempt(key, &caller, findings::Operation::AcceptFinding.id(), &(&path.finding, &body))?;
    told(app.store.accept(app.now(), fingerprint, body, expect(&headers), attempt).await).map(shown)
}

pub(super) async fn reopen_finding(
    _: Allowed<WriteFindings>,
    State(app): State<Findings>,
    Path(path): Path<findings::ReopenFindingPath>,
    headers: HeaderMap,
) -> Answer<Response> {
    told(app.store.reopen(app.now(), fingerprint(&path.finding)?, expect(&headers)).await).map(shown)
}

pub(super) async fn list_exceptions(
    _: Allowed<ReadExceptions>,
    State(app): State<Findings>,
    Query(query): Query<exceptions::ListExceptionsQuery>,
) -> Answer<Json<ExceptionPage>> {
    let query = within_bounds(query)?;
    let (limit, start) = (limit(query.limit), after::<String>(query.cursor)?);
    let mut items = told(app.store.exceptions(app.now()).await)?;
    items.retain(|exception| {
        start.as_ref().is_none_or(|start| exception.id > *start)
            && query.source.is_none_or(|source| exception.origin == source)
            && query.state.is_none_or(|state| exception.state == state)
            && query.service.as_ref().is_none_or(|service| exception.r#match.service.as_ref() == Some(service))
    });
    let (items, next_cursor) = cut(items, limit, |last| last.id.clone())?;
    Ok(Json(ExceptionPage { items, next_cursor }))
}

pub(super) async fn delete_exception(
    _: Allowed<WriteExceptions>,
    State(app): State<Findings>,
    Path(path): Path<exceptions::DeleteExceptionPath>,
) -> Answer<StatusCode> {
    told(app.store.delete_exception(app.now(), path.exception).await)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn get_trend(
    _: Allowed<ReadFindings>,
    State(app): State<Findings>,
    Query(query): Query<trend::GetTrendQuery>,
) -> Answer<Json<Trend>> {
    let query = within_bounds(query)?;
    let points = told(app.store.trend(app.now(), query.service, query.guard, query.days.unwrap_or(30)).await)?;
    Ok(Json(Trend { points }))
}

fn shown(detail: FindingDetail) -> Response {
    versioned(detail.finding.revision, Json(detail)).into_response()
}

/// What is no fingerprint is no finding.
fn fingerprint(text: &str) -> Answer<Fingerprint> {
    text.parse().or_else(|_| told(Err(aiva_store::TxError::Refused(Refusal::NotFound("finding")))))
}

/// Sources stay below the folder of the configuration.
fn relative(sources: &[String], pointer: &str) -> Answer<()> {
    let leaves = |source: &str| source.starts_with('/') || source.contains(':') || source.split('/').any(|p| p == "..");
    match sources.iter().position(|source| leaves(source)) {
        None => Ok(()),
        Some(index) => {
            let message = "must be a relative path that does not lead outside";
            told(Err(aiva_store::TxError::Refused(Refusal::field(format!("{pointer}/{index}"), message))))
        }
    }
}
