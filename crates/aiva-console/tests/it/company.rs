//! A fake API in process: a small company whose every answer is in the types of the contract.

use std::convert::Infallible;
use std::sync::Arc;

use aiva_chassis::clock::Clock;
use aiva_chassis::http::{Permissions, Principal, PrincipalKind};
use aiva_console::Console;
use aiva_contracts::api;
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const NOW: &str = "2027-01-31T12:00:00Z";
pub(crate) const LODASH: &str = "0000000000000000000000000000000a";
pub(crate) const ACCEPTED: &str = "0000000000000000000000000000000b";
pub(crate) const RUNNING: &str = "01960a3e-6f2b-7c11-9d55-3f0c5b1d2e4a";
pub(crate) const ENDED: &str = "01960a3e-6f2b-7c11-9d55-3f0c5b1d2e4b";
pub(crate) const DENIED: &str = "01960a3e-6f2b-7c11-9d55-3f0c5b1d2e51";
pub(crate) const ALLOWED: &str = "01960a3e-6f2b-7c11-9d55-3f0c5b1d2e52";
pub(crate) const METADATA: &str = "01960a3e-6f2b-7c11-9d55-3f0c5b1d2e53";
const LETTER: &str = "01960a3e-6f2b-7c11-9d55-3f0c5b1d2e4c";

/// Always the same time.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW.parse().unwrap()
    }
}

/// What people may have written into the data: shown in every free text of the company.
#[derive(Debug, Clone)]
pub(crate) struct Texts {
    pub(crate) summary: String,
    pub(crate) reason: String,
    pub(crate) path: String,
    pub(crate) reference: String,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            summary: "Template options that come from a user can run commands on the server.".into(),
            reason: "checkout never redirects to an address that a customer sends".into(),
            path: "services/checkout/package-lock.json".into(),
            reference: "https://nvd.nist.gov/vuln/detail/CVE-2021-23337".into(),
        }
    }
}

/// A person with these permissions; none means all.
pub(crate) fn person(permissions: &[&str]) -> Principal {
    let permissions = match permissions {
        [] => Permissions::All,
        some => some.iter().map(|name| (*name).to_owned()).collect(),
    };
    Principal::new("p1", "Ana Lark", permissions, PrincipalKind::Session)
}

/// The console of the company, for one signed-in person.
pub(crate) fn console(viewer: Principal, texts: &Texts) -> Router {
    anonymous(texts).layer(Extension(viewer))
}

/// The console with nobody signed in.
pub(crate) fn anonymous(texts: &Texts) -> Router {
    Console::new(fake_api(texts), Arc::new(Stopped)).routes().into_router()
}

/// A page as a browser without scripts gets it.
pub(crate) async fn open(console: &Router, address: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder().uri(address).body(Body::empty()).unwrap();
    answer(console, request).await
}

/// A form as a browser sends it.
pub(crate) async fn submit(console: &Router, address: &str, form: &'static str) -> (StatusCode, HeaderMap, String) {
    let request = Request::builder()
        .method("POST")
        .uri(address)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header("x-request-id", "request-7")
        .body(Body::from(form))
        .unwrap();
    answer(console, request).await
}

async fn answer(console: &Router, request: Request) -> (StatusCode, HeaderMap, String) {
    let response = console.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

/// JSON that really is a `T` of the contract.
fn of<T: DeserializeOwned + Serialize>(value: Value) -> Response {
    let typed: T = serde_json::from_value(value).expect("the fake API answers in the types of the contract");
    Json(typed).into_response()
}

fn refuse(status: StatusCode, code: &str, detail: &str, errors: Value, request: &HeaderMap) -> Response {
    let id = request.get("x-request-id").map_or("none", |id| id.to_str().unwrap());
    let problem = json!({
        "type": format!("urn:aiva:problem:{code}"), "title": "Refused", "status": status.as_u16(),
        "detail": detail, "code": code, "request_id": id, "errors": errors,
    });
    let problem: api::Problem = serde_json::from_value(problem).unwrap();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(problem)).into_response()
}

/// Nobody gets past without a principal, as in the real API.
async fn guarded(request: Request, next: Next) -> Response {
    if request.extensions().get::<Principal>().is_none() {
        return refuse(StatusCode::UNAUTHORIZED, "unauthenticated", "sign in", json!([]), request.headers());
    }
    next.run(request).await
}

fn counts(critical: u64, high: u64, medium: u64) -> Value {
    json!({ "critical": critical, "high": high, "medium": medium, "low": 1, "unknown": 1, "informational": 0 })
}

fn finding(fingerprint: &str, texts: &Texts, change: Value) -> Value {
    let mut finding = json!({
        "fingerprint": fingerprint, "guard": "sca", "service": "checkout", "state": "open", "kind": "vulnerability",
        "severity": { "level": "high", "score": 7.2, "vector": "CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H" },
        "id": "CVE-2021-23337", "aliases": ["GHSA-35jh-r3h4-6jhm"], "purl": "pkg:npm/lodash@4.17.20", "name": "lodash",
        "version": "4.17.20", "ecosystem": "npm", "path": texts.path, "line": 412, "fixed_versions": ["4.17.21"],
        "summary": texts.summary, "first_seen": "2027-01-28T09:00:00Z", "last_seen": "2027-01-31T11:58:00Z", "revision": 1,
    });
    for (name, value) in change.as_object().unwrap() {
        finding[name] = value.clone();
    }
    finding
}

fn findings(texts: &Texts) -> Vec<Value> {
    let more = |n: u8, change: Value| finding(&format!("{n:032x}"), texts, change);
    vec![
        more(
            1,
            json!({ "service": "ledger", "kind": "malicious", "id": "MAL-2022-1", "name": "rustdecimal", "version": "1.23.1", "ecosystem": "crates.io",
            "severity": { "level": "critical", "score": null, "vector": null }, "fixed_versions": [], "path": "services/ledger/Cargo.lock", "line": 190 }),
        ),
        more(
            2,
            json!({ "id": "CVE-2021-44906", "name": "minimist", "version": "1.2.5", "fixed_versions": ["0.2.4", "1.2.6"],
            "severity": { "level": "critical", "score": 9.8, "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" } }),
        ),
        more(
            3,
            json!({ "service": "recommender", "id": "CVE-2020-14343", "name": "pyyaml", "version": "5.3.1", "ecosystem": "PyPI", "fixed_versions": ["5.4"],
            "severity": { "level": "critical", "score": 9.8, "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }, "state": "reopened" }),
        ),
        finding(LODASH, texts, json!({})),
        more(
            5,
            json!({ "service": "catalog", "id": "CVE-2023-39325", "name": "golang.org/x/net", "version": "0.15.0", "ecosystem": "Go", "fixed_versions": ["0.17.0"] }),
        ),
        more(
            6,
            json!({ "service": "ledger", "id": "CVE-2026-25727", "name": "time", "version": "0.3.36", "ecosystem": "crates.io", "fixed_versions": ["0.3.47"],
            "severity": { "level": "medium", "score": 6.8, "vector": "CVSS:4.0/AV:N/AC:H/AT:N/PR:L/UI:A/VC:N/VI:N/VA:H/SC:N/SI:N/SA:H" } }),
        ),
        more(
            7,
            json!({ "service": "storefront", "id": "CVE-2025-5889", "name": "brace-expansion", "version": "2.0.1", "fixed_versions": ["2.0.2"],
            "severity": { "level": "low", "score": 3.1, "vector": null } }),
        ),
        more(
            8,
            json!({ "service": "ledger", "kind": "unmaintained", "id": "RUSTSEC-2024-0375", "name": "atty", "version": "0.2.14", "ecosystem": "crates.io",
            "severity": { "level": "informational", "score": null, "vector": null }, "fixed_versions": [] }),
        ),
        accepted(texts),
    ]
}

fn accepted(texts: &Texts) -> Value {
    finding(
        ACCEPTED,
        texts,
        json!({
            "state": "accepted", "id": "CVE-2024-29041", "name": "express",
            "acceptance": { "owner": "ana@larkspur.example", "reason": texts.reason, "expires": "2027-06-30", "exception": "file-1" },
        }),
    )
}

fn scan(id: &str, state: &str, phase: &str) -> Value {
    json!({
        "id": id, "service": "checkout", "guard": "sca", "state": state, "phase": phase, "paths": [], "requested_by": "schedule",
        "requested_at": "2027-01-31T11:58:00Z", "started_at": "2027-01-31T11:58:00.2Z",
        "progress": { "done": 2, "total": 5, "packages": 84, "findings": 5, "current": "services/checkout/package-lock.json" },
        "complete": state == "completed",
    })
}

fn ended() -> Value {
    let mut scan = scan(ENDED, "completed", "done");
    scan["finished_at"] = json!("2027-01-31T11:58:01.65Z");
    scan["changes"] = json!({ "opened": 5, "reopened": 1, "fixed": 2 });
    scan["inputs"] = json!({ "parsed": 4, "partial": 1, "unsupported": 0, "failed": 0, "ignored": 3 });
    scan
}

fn service(name: &str, state: &str, counts: Value, texts: &Texts) -> Value {
    json!({
        "name": name,
        "description": { "owners": ["#team-pay", "ana@larkspur.example"], "source": [texts.path], "egress_role": "checkout", "oauth_clients": ["checkout-web"],
            "cloud": { "aws_account": "111122223333", "tags": { "service": name } } },
        "origin": "file", "version": 1, "state": state, "counts": counts, "accepted": 1, "last_scan": ended(),
        "created_at": "2027-01-01T00:00:00Z", "updated_at": "2027-01-01T00:00:00Z",
    })
}

/// The one that was made over the API.
fn pilot(texts: &Texts) -> Value {
    let mut pilot = service("pilot", "unscanned", counts(0, 0, 0), texts);
    pilot["origin"] = json!("api");
    pilot["version"] = json!(3);
    pilot
}

async fn add(headers: HeaderMap, Json(wanted): Json<api::CreateService>) -> Response {
    if wanted.name == "pilot" {
        let errors = json!([{ "pointer": "/name", "message": "is taken" }]);
        return refuse(StatusCode::CONFLICT, "service_exists", "there is one of this name", errors, &headers);
    }
    let mut made = pilot(&Texts::default());
    made["name"] = json!(wanted.name);
    made["description"] = serde_json::to_value(wanted.description).unwrap();
    (StatusCode::CREATED, of::<api::Service>(made)).into_response()
}

/// What the console sends for a service whose every field was filled.
pub(crate) fn described() -> Value {
    json!({ "owners": ["#pay", "ana@example.com"], "source": ["services/pilot"], "egress_role": "pilot", "oauth_clients": ["web"],
        "cloud": { "aws_account": "111122223333", "tags": { "service": "pilot", "alone": "" } } })
}

async fn save(method: axum::http::Method, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    if headers.get(header::IF_MATCH).is_none_or(|tag| tag != "\"3\"") {
        return refuse(StatusCode::PRECONDITION_FAILED, "changed", "somebody changed it", json!([]), &headers);
    }
    if method == axum::http::Method::DELETE {
        return StatusCode::NO_CONTENT.into_response();
    }
    let sent: Value = serde_json::from_slice(&body).unwrap();
    if sent != described() {
        let errors = json!([{ "pointer": "/owners/1", "message": "is no owner" }]);
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", "not as described", errors, &headers);
    }
    of::<api::Service>(pilot(&Texts::default()))
}

fn services(texts: &Texts) -> Value {
    let none = json!({ "critical": 0, "high": 0, "medium": 0, "low": 0, "unknown": 0, "informational": 0 });
    json!([
        service("catalog", "affected", counts(1, 3, 1), texts),
        service("checkout", "affected", counts(1, 1, 2), texts),
        service("ledger", "affected", counts(1, 1, 1), texts),
        service("recommender", "incomplete", counts(1, 2, 3), texts),
        service("storefront", "affected", counts(1, 0, 2), texts),
        service("website", "clean", none, texts),
    ])
}

fn trend() -> Value {
    let points = (1..=30).map(|day: u64| {
        json!({ "date": format!("2027-01-{:02}", day), "accepted": 1,
            "counts": { "critical": 1 + day % 5, "high": 3 + day / 6, "medium": 12 - day / 4, "low": 2, "unknown": 1, "informational": 2 } })
    });
    Value::Array(points.collect())
}

fn exceptions(texts: &Texts) -> Value {
    json!([
        { "id": "file-1", "origin": "file", "state": "active", "guard": "sca", "match": { "id": "CVE-2024-29041", "package": "express" },
          "owner": "ana@larkspur.example", "reason": texts.reason, "expires": "2027-06-30", "matched": 1 },
        { "id": "file-2", "origin": "file", "state": "expired", "guard": "sca", "match": { "id": "CVE-2023-45803", "package": "urllib3" },
          "owner": "noor@larkspur.example", "reason": texts.reason, "expires": "2026-03-31", "matched": 0 },
        { "id": "made-3", "origin": "api", "state": "unused", "guard": "sca", "match": { "path": texts.path, "service": "checkout" },
          "owner": texts.summary, "reason": texts.reason, "expires": "2027-02-01", "matched": 0, "created_at": "2027-01-01T00:00:00Z" },
    ])
}

fn event(texts: &Texts) -> Value {
    json!({ "id": LETTER, "type": "aiva.scan.v1.ScanCompleted", "source": "sca", "subject": texts.path, "time": "2027-01-31T11:58:01Z",
        "correlation_id": ENDED, "data": "AA==" })
}

/// What the guard said to three callers.
fn decisions(texts: &Texts) -> Value {
    let decision = |id: &str, change: Value| {
        let mut decision = json!({ "id": id, "at": "2027-01-31T11:58:01Z", "role": "checkout", "caller": texts.path, "form": "request",
            "method": "GET", "place": { "scheme": "http", "host": "169.254.169.254", "port": 80 }, "outcome": "deny", "rule": "class metadata",
            "reason": "address-metadata", "addresses": ["169.254.169.254"], "aliases": [], "open": false });
        for (name, value) in change.as_object().unwrap() {
            decision[name] = value.clone();
        }
        decision
    };
    json!([
        decision(
            DENIED,
            json!({ "place": { "scheme": "https", "host": "new.example.net", "port": 443 }, "form": "tunnel", "method": "CONNECT",
            "rule": "allow_domains", "reason": "name-not-allowed", "addresses": [], "remedy": format!("add \"new.example.net\" to {}", texts.reason) })
        ),
        decision(
            ALLOWED,
            json!({ "place": { "scheme": "https", "host": "api.example.com", "port": 443 }, "outcome": "allow",
            "would_deny": { "rule": "allow_domains", "reason": "name-not-allowed" }, "rule": "class public", "reason": "allowed", "rebound": true,
            "addresses": ["203.0.113.7"], "aliases": [texts.path], "ended": { "connected": "203.0.113.7:443", "upstream": texts.path, "status": 200, "sent": 12, "received": 34567,
            "duration_ms": 1204, "protocol": "tls", "sni": texts.path, "failure": texts.reason, "how": "closed",
            "findings": [{ "reason": "sni-mismatch", "what": texts.summary, "enforced": false }] } })
        ),
        decision(METADATA, json!({})),
    ])
}

fn egress_summary(texts: &Texts) -> Value {
    let count = |host: &str, reason: &str, count: u64| json!({ "role": "checkout", "host": host, "reason": reason, "count": count });
    json!({
        "roles": ["checkout", "default"],
        "hours": [{ "at": "2027-01-31T10:00:00Z", "allow": 1200, "deny": 3, "unresolved": 1 }, { "at": "2027-01-31T12:00:00Z", "allow": 40, "deny": 60, "unresolved": 0 }],
        "destinations": [count("api.example.com", "allowed", 1240), count(&texts.path, "allowed", 2)],
        "denials": [count("new.example.net", "name-not-allowed", 59), count("", "backslash", 3), count("other.example.net", "name-not-allowed", 1)],
        "first_seen": [{ "role": "checkout", "host": texts.path, "at": "2027-01-31T11:00:00Z", "decision": ALLOWED }],
    })
}

fn roles(texts: &Texts) -> Value {
    let exception = |expires: &str| json!({ "host": "billing.corp.example", "address": "10.20.1.0/24", "ports": [8443], "owner": texts.path, "reason": texts.reason, "expires": expires });
    json!([
        { "name": "batch", "origin": "api", "version": 3, "changed_at": "2027-01-30T12:00:00Z", "changed_by": texts.path, "role": {
            "mode": "report", "allow_domains": ["a.example", "b.example", "c.example", texts.path], "methods": ["GET"], "upstream": "corp",
            "exceptions": { "billing": exception("2027-02-28"), "old": exception("2027-01-01") },
            "allow_cidrs": [{ "cidr": "10.30.0.0/16:443", "owner": "ana@example.com", "expires": "2027-01-31" }],
            "budgets": { "window": "1m", "requests": 12000 }, "bounds": { "connect": texts.path }, "inspection": { "sni": "enforce" },
            "dns": { "servers": ["10.0.0.53:53"], "mixed": "filter" } } },
        { "name": "checkout", "origin": "file", "role": { "deny_domains": ["*.ads.example"], "ports": [443] } },
    ])
}

fn letter(texts: &Texts) -> Value {
    json!({ "id": LETTER, "consumer": "findings.ingest", "event": event(texts), "reason": texts.summary, "attempts": 5,
        "first_failed_at": "2027-01-31T11:00:00Z", "last_failed_at": "2027-01-31T11:58:01Z", "state": "waiting" })
}

fn detail(finding: Value, texts: &Texts) -> Value {
    json!({
        "finding": finding, "description": format!("More of it.\n\n{}", texts.summary), "references": [texts.reference, "javascript:alert(1)"],
        "symbols": ["lodash.template", texts.reason], "more_symbols": 2,
        "history": [
            { "at": "2027-01-28T09:00:00Z", "to": "open", "cause": "observed", "scan": ENDED },
            { "at": "2027-01-29T09:00:00Z", "from": "open", "to": "fixed", "cause": "absent", "scan": ENDED },
            { "at": "2027-01-30T09:00:00Z", "from": "fixed", "to": "reopened", "cause": "observed", "by": texts.summary, "note": texts.reason },
        ],
    })
}

fn fake_api(texts: &Texts) -> Router {
    let texts = Arc::new(texts.clone());
    let with = move |answer: fn(&Texts) -> Response| {
        let texts = Arc::clone(&texts);
        get(move || async move { answer(&texts) })
    };
    Router::new()
        .route("/v1/services", with(|t| of::<api::ServicePage>(json!({ "items": services(t), "next_cursor": "bmV4dA" }))).post(add))
        .route("/v1/services/pilot", with(|t| {
            of::<api::ServiceDetail>(json!({ "service": pilot(t), "trend": [], "scans": [] }))
        }).put(save).delete(save))
        .route("/v1/services/checkout", with(|t| {
            let scans = json!([scan(RUNNING, "running", "reading"), ended()]);
            of::<api::ServiceDetail>(json!({ "service": service("checkout", "affected", counts(1, 1, 2), t), "trend": trend(), "scans": scans }))
        }))
        .route("/v1/services/{name}", get(async |headers: HeaderMap| {
            refuse(StatusCode::NOT_FOUND, "service_not_found", "there is no such service", json!([]), &headers)
        }))
        .route("/v1/findings", with(|t| of::<api::FindingPage>(json!({ "items": findings(t), "total": 4321 }))).layer(from_fn(filtered)))
        .route("/v1/findings/0000000000000000000000000000000a", with(|t| of::<api::FindingDetail>(detail(finding(LODASH, t, json!({})), t))))
        .route("/v1/findings/0000000000000000000000000000000b", with(|t| of::<api::FindingDetail>(detail(accepted(t), t))))
        .route("/v1/findings/{finding}/accept", post(accept))
        .route("/v1/findings/{finding}/reopen", post(async || of::<api::FindingDetail>(detail(finding(ACCEPTED, &Texts::default(), json!({})), &Texts::default()))))
        .route("/v1/scans", with(|_| of::<api::ScanPage>(json!({ "items": [scan(RUNNING, "running", "reading"), ended()] })))
            .post(async || (StatusCode::ACCEPTED, of::<api::Scan>(scan(RUNNING, "requested", "waiting"))).into_response()))
        .route("/v1/scans/{scan}", get(async |Path(id): Path<String>| {
            of::<api::Scan>(if id == RUNNING { scan(RUNNING, "running", "reading") } else { ended() })
        }))
        .route("/v1/scans/{scan}/inputs", with(|t| of::<api::InputPage>(json!({ "items": [
            { "path": t.path, "kind": "package-lock.json", "status": "parsed", "packages": 82, "not_judged": [], "problems": [] },
            { "path": "services/checkout/requirements.txt", "kind": "requirements.txt", "status": "partial", "packages": 2,
              "not_judged": [{ "ecosystem": "PyPI", "name": "flask", "requirement": ">=2", "line": 3, "reason": t.summary }],
              "problems": [{ "line": 7, "message": t.reason }] },
        ] }))))
        .route("/v1/scans/{scan}/events", get(async || {
            let event = format!("event: progress\ndata: {}\n\n", scan(RUNNING, "running", "matching"));
            let first = futures_util::stream::once(async move { Ok::<_, Infallible>(event) });
            let stream = futures_util::StreamExt::chain(first, futures_util::stream::pending());
            ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
        }))
        .route("/v1/exceptions", with(|t| of::<api::ExceptionPage>(json!({ "items": exceptions(t) }))))
        .route("/v1/exceptions/{exception}", delete(async || StatusCode::NO_CONTENT))
        .route("/v1/trend", with(|_| of::<api::Trend>(json!({ "points": trend() }))))
        .route("/v1/advisories", with(|_| of::<api::AdvisoryStatus>(json!({ "state": "stale", "updating": false, "index_version": 12,
            "ecosystems": [
                { "name": "Go", "records": 4291, "withdrawn": 17, "imported_at": "2027-01-01T00:00:00Z", "newest": "2026-12-31T00:00:00Z", "origin": "demo" },
                { "name": "npm", "records": 12467, "withdrawn": 0, "imported_at": "2027-01-01T00:00:00Z", "origin": "demo" },
            ] }))))
        .route("/v1/advisories/updates", post(async || (StatusCode::ACCEPTED, of::<api::AdvisoryStatus>(json!({ "state": "stale", "updating": true, "ecosystems": [] })))))
        .route("/v1/egress/decisions", with(|t| of::<api::DecisionPage>(json!({ "items": decisions(t) }))).layer(from_fn(asked)))
        .route("/v1/egress/decisions/01960a3e-6f2b-7c11-9d55-3f0c5b1d2e51", with(|t| of::<api::Decision>(decisions(t)[0].clone())))
        .route("/v1/egress/decisions/01960a3e-6f2b-7c11-9d55-3f0c5b1d2e52", with(|t| of::<api::Decision>(decisions(t)[1].clone())))
        .route("/v1/egress/decisions/01960a3e-6f2b-7c11-9d55-3f0c5b1d2e53", with(|t| of::<api::Decision>(decisions(t)[2].clone())))
        .route("/v1/egress/summary", with(|t| of::<api::EgressSummary>(egress_summary(t))))
        .route("/v1/egress/roles", with(|t| of::<api::EgressRoleList>(json!({ "items": roles(t) }))))
        .route("/v1/egress/roles/batch", with(|t| of::<api::StoredEgressRole>(roles(t)[0].clone())))
        .route("/v1/egress/roles/checkout", with(|t| of::<api::StoredEgressRole>(roles(t)[1].clone())))
        .route("/v1/egress/roles/batch/versions", with(|t| of::<api::EgressRoleVersionPage>(json!({ "items": [
            { "version": 3, "changed_at": "2027-01-30T12:00:00Z", "changed_by": t.path, "role": {} },
            { "version": 2, "changed_at": "2027-01-29T12:00:00Z", "changed_by": "ana" },
        ] }))))
        .route("/v1/egress/roles/{name}", get(async |headers: HeaderMap| {
            refuse(StatusCode::NOT_FOUND, "role_unknown", "there is no such role", json!([]), &headers)
        }))
        .route("/v1/egress/roles/{name}/versions", get(async |headers: HeaderMap| {
            refuse(StatusCode::NOT_FOUND, "role_unknown", "there is no such role", json!([]), &headers)
        }))
        .route("/v1/events", with(|t| of::<api::EventPage>(json!({ "items": [event(t)] }))))
        .route("/v1/dead-letters", with(|t| of::<api::DeadLetterPage>(json!({ "items": [letter(t)] }))))
        .route("/v1/dead-letters/{letter}", delete(async || StatusCode::NO_CONTENT))
        .route("/v1/dead-letters/{letter}/redrive", post(async || {
            (StatusCode::ACCEPTED, of::<api::DeadLetter>(letter(&Texts::default()))).into_response()
        }))
        .layer(from_fn(guarded))
}

/// Refuses a filter that the contract does not know, and keeps only the level or kind asked for, as the API does.
async fn filtered(RawQuery(query): RawQuery, headers: HeaderMap, request: Request, next: Next) -> Response {
    let query = query.unwrap_or_default();
    let asked =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
    if asked("level").is_some_and(|level| level.parse::<api::Level>().is_err()) {
        let errors = json!([{ "pointer": "/level", "message": "is none of the levels" }]);
        return refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "validation_failed",
            "the query is not valid",
            errors,
            &headers,
        );
    }
    let body = next.run(request).await.into_body().collect().await.unwrap().to_bytes();
    let mut page: api::FindingPage = serde_json::from_slice(&body).unwrap();
    page.items.retain(|f| asked("level").is_none_or(|level| f.severity.level.as_str() == level));
    let states: Vec<&str> = query.split('&').filter_map(|pair| pair.strip_prefix("state=")).collect();
    page.items.retain(|f| states.is_empty() || states.contains(&f.state.as_str()));
    page.items.retain(|f| asked("kind").is_none_or(|kind| f.kind.as_str() == kind));
    page.next_cursor = asked("cursor").is_none().then(|| "bmV4dA".to_owned());
    Json(page).into_response()
}

/// Refuses a time that is none, and keeps only the outcome and the reason asked for, as the API does.
async fn asked(RawQuery(query): RawQuery, headers: HeaderMap, request: Request, next: Next) -> Response {
    let query = query.unwrap_or_default();
    let asked =
        |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
    let time = |name: &str| asked(name).map(|time| time.replace("%3A", ":").parse::<Timestamp>());
    if [time("since"), time("until")].into_iter().flatten().any(|time| time.is_err()) {
        return refuse(StatusCode::BAD_REQUEST, "query_invalid", "since is no time", json!([]), &headers);
    }
    let body = next.run(request).await.into_body().collect().await.unwrap().to_bytes();
    let mut page: api::DecisionPage = serde_json::from_slice(&body).unwrap();
    page.items.retain(|d| asked("outcome").is_none_or(|outcome| d.outcome.as_str() == outcome));
    page.items.retain(|d| asked("reason").is_none_or(|reason| d.reason == reason));
    page.items.retain(|d| time("since").is_none_or(|since| d.at >= since.unwrap()));
    page.next_cursor = asked("cursor").is_none().then(|| "bmV4dA".to_owned());
    Json(page).into_response()
}

async fn accept(headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if headers.get(header::IF_MATCH).is_some_and(|seen| seen != "\"1\"") {
        return refuse(StatusCode::PRECONDITION_FAILED, "version_mismatch", "read it again", json!([]), &headers);
    }
    match serde_json::from_value::<api::AcceptFinding>(body) {
        Ok(_) => of::<api::FindingDetail>(detail(accepted(&Texts::default()), &Texts::default())),
        Err(_) => {
            let errors = json!([{ "pointer": "/expires", "message": "must be a day that comes" }]);
            refuse(
                StatusCode::UNPROCESSABLE_ENTITY,
                "validation_failed",
                "the body is not valid; see errors",
                errors,
                &headers,
            )
        }
    }
}
