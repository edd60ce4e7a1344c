//! The routes as a client sees them: permissions as the contract says, conflicts, idempotency, pages, the stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aiva_chassis::http::{AuthError, Authenticator, Permissions, Principal, PrincipalKind, Turns};
use aiva_contracts::api::{exceptions, findings, scans, services, trend};
use aiva_contracts::message::scan::v1::{ContentsUploaded, InputStatus};
use aiva_findings::http::routes;
use aiva_findings::service::Findings;
use axum::Router;
use axum::body::{Body, Bytes};
use futures_util::stream;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tower::ServiceExt;

use crate::on_both_engines;
use crate::world::World;

on_both_engines!(
    every_operation_wants_exactly_its_permission,
    an_uploaded_scan_is_found_accepted_and_reopened,
    what_an_upload_lists_is_told_in_parts,
    large_uploads_take_turns_and_strangers_get_none,
    what_does_not_fit_the_contract_is_refused_with_its_place,
    a_followed_scan_ends_with_its_end,
    the_ids_of_a_request_arrive_in_its_events,
);

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Value,
}

async fn ask(
    app: &Router,
    principal: Principal,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Value,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).extension(principal);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() {
        Body::empty()
    } else {
        request = request.header("content-type", "application/json");
        Body::from(body.to_string())
    };
    send(app, request.body(body).unwrap()).await
}

async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into()));
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn call(app: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
    ask(app, Principal::internal("ana"), method, path, headers, body).await
}

fn app(world: &World) -> Router {
    routes(Findings::new(world.store.clone(), world.clock.shared())).into_router()
}

fn document(ids: &[&str]) -> Value {
    let findings: Vec<Value> = ids
        .iter()
        .map(|id| {
            json!({
                "id": id, "aliases": [], "fingerprint": "0".repeat(32), "purl": "pkg:npm/a@1", "name": "a", "version": "1",
                "ecosystem": "npm", "path": "package-lock.json", "line": 1, "kind": "vulnerability",
                "severity": {"level": "high", "score": null, "vector": null}, "fixed_versions": [], "summary": "s",
                "description": "", "references": []
            })
        })
        .collect();
    json!({
        "schema": "aiva.scan/1",
        "advisories": {"state": "current", "ecosystems": []},
        "inputs": [{"path": "package-lock.json", "kind": "package-lock.json", "status": "parsed", "packages": 1,
                    "not_judged": [], "problems": []}],
        "findings": findings,
        "summary": {
            "findings": {"critical": 0, "high": ids.len(), "medium": 0, "low": 0, "unknown": 0, "informational": 0},
            "accepted": 0, "packages": 1, "not_judged": 0, "exceptions": [],
            "inputs": {"parsed": 1, "partial": 0, "unsupported": 0, "failed": 0, "ignored": 0}
        }
    })
}

async fn every_operation_wants_exactly_its_permission(world: World) {
    let app = app(&world);
    let mut table = Vec::new();
    macro_rules! add {
        ($($tag:ident),*) => {$(
            table.extend($tag::Operation::ALL.iter().map(|o| (o.id(), o.method(), o.path(), o.permission())));
        )*};
    }
    add!(services, scans, findings, exceptions, trend);
    let every: Vec<&str> = table.iter().map(|row| row.3).collect();
    for (id, method, path, permission) in &table {
        let path = path
            .replace("{service}", "none")
            .replace("{scan}", "00000000-0000-0000-0000-000000000000")
            .replace("{finding}", "none")
            .replace("{exception}", "none");
        let with = |permissions: Vec<&str>| {
            let permissions = permissions.into_iter().map(str::to_owned).collect::<Permissions>();
            Principal::new("p", "p", permissions, PrincipalKind::Person)
        };
        let others = every.iter().copied().filter(|other| other != permission).collect();
        let refused = ask(&app, with(others), method, &path, &[], Value::Null).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{id}");
        let let_in = ask(&app, with(vec![*permission]), method, &path, &[], Value::Null).await;
        assert_ne!(let_in.status, StatusCode::FORBIDDEN, "{id}");
    }
}

async fn an_uploaded_scan_is_found_accepted_and_reopened(world: World) {
    let app = app(&world);
    let key = [("idempotency-key", "k1")];
    let first = call(&app, "POST", "/v1/services/pay/uploads", &key, document(&["CVE-1", "CVE-2"])).await;
    assert_eq!((first.status, &first.body["changes"]["opened"]), (StatusCode::CREATED, &json!(2)), "{}", first.body);
    let again = call(&app, "POST", "/v1/services/pay/uploads", &key, document(&["CVE-1", "CVE-2"])).await;
    assert_eq!(again.body["id"], first.body["id"]);
    let reused = call(&app, "POST", "/v1/services/pay/uploads", &key, document(&[])).await;
    assert_eq!(reused.status, StatusCode::UNPROCESSABLE_ENTITY);

    let page = call(&app, "GET", "/v1/findings?limit=1&state=open&state=reopened&sort=package", &[], Value::Null).await;
    assert_eq!((&page.body["total"], page.body["items"].as_array().unwrap().len()), (&json!(2), 1), "{}", page.body);
    let next = page.body["next_cursor"].as_str().unwrap();
    let rest = call(&app, "GET", &format!("/v1/findings?limit=1&sort=package&cursor={next}"), &[], Value::Null).await;
    assert!(rest.body.get("next_cursor").is_none(), "{}", rest.body);

    let finding = format!("/v1/findings/{}", page.body["items"][0]["fingerprint"].as_str().unwrap());
    let shown = call(&app, "GET", &finding, &[], Value::Null).await;
    let tag = shown.headers["etag"].to_str().unwrap().to_owned();
    let body = json!({"owner": "ana", "reason": "r", "expires": "2026-12-01"});
    let accept = format!("{finding}/accept");
    let stale = call(&app, "POST", &accept, &[("if-match", "\"99\"")], body.clone()).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    let accepted = call(&app, "POST", &accept, &[("if-match", &tag)], body).await;
    assert_eq!(accepted.body["finding"]["state"], "accepted", "{}", accepted.body);
    assert_ne!(accepted.headers["etag"].to_str().unwrap(), tag);
    let listed = call(&app, "GET", "/v1/exceptions?source=api&state=active", &[], Value::Null).await;
    assert_eq!(listed.body["items"][0]["matched"], 1, "{}", listed.body);
    let reopened = call(&app, "POST", &format!("{finding}/reopen"), &[], Value::Null).await;
    assert_eq!(reopened.body["finding"]["state"], "open");
    let service = call(&app, "GET", "/v1/services/pay", &[], Value::Null).await;
    assert_eq!(service.body["service"]["state"], "affected", "{}", service.body);
}

/// A document of these findings that lists its packages.
fn listing(ids: &[&str], packages: usize) -> Value {
    let mut document = document(ids);
    let packages: Vec<Value> =
        (0..packages).map(|at| json!({"name": format!("p{at}"), "version": "1", "line": at})).collect();
    let entry =
        json!({"name": "open", "requirement": "^2", "line": 4, "reason": "a range", "range": true, "scope": "dev"});
    let file = |packages: Value| json!({"path": "package-lock.json", "kind": "package-lock.json", "ecosystem": "npm", "packages": packages, "entries": [entry]});
    let ruled_out = json!([{"purl": "pkg:npm/a@1", "names": ["CVE-9"]}]);
    document["contents"] = json!({"files": [file(json!(packages))], "left_out": {"dev": true, "ruled_out": ruled_out}});
    document
}

async fn what_an_upload_lists_is_told_in_parts(world: World) {
    let app = app(&world);
    world.told().await;
    let mut many = listing(&["CVE-1", "rule"], 1203);
    many["findings"][0]["matched"] = json!([{"record": "CVE-1", "interval": "listed", "events": []}]);
    let key = [("idempotency-key", "k2")];
    let scan = call(&app, "POST", "/v1/services/pay/uploads", &key, many.clone()).await;
    assert_eq!((scan.status, &scan.body["watched"]), (StatusCode::CREATED, &json!(true)), "{}", scan.body);
    call(&app, "POST", "/v1/services/pay/uploads", &key, many).await;
    let events = world.events().await;
    let parts: Vec<ContentsUploaded> =
        events.iter().filter(|event| event.is::<ContentsUploaded>()).map(|event| event.decode().unwrap()).collect();
    assert_eq!(
        parts.iter().map(|part| (part.chunk, part.chunks)).collect::<Vec<_>>(),
        [(0, 3), (1, 3), (2, 3)],
        "once"
    );
    assert!(parts.iter().all(|part| scan.body["id"] == part.scan_id && part.service == "pay" && part.guard == "sca"));
    let files: Vec<_> = parts.iter().flat_map(|part| &part.files).collect();
    assert!(files.iter().all(|file| file.path == "package-lock.json" && file.status() == InputStatus::Parsed));
    let names: Vec<&str> = files.iter().flat_map(|file| &file.packages).map(|package| package.name.as_str()).collect();
    assert_eq!((names.len(), names[0], names[1202]), (1203, "p0", "p1202"));
    let entries: Vec<_> = files.iter().flat_map(|file| &file.entries).collect();
    assert_eq!((entries.len(), entries[0].is_range, &*entries[0].scope), (1, true, "dev"));
    let facts: Vec<&str> = parts.iter().flat_map(|part| &part.facts).map(|fact| fact.id.as_str()).collect();
    assert_eq!(facts, ["rule"], "what an advisory tells is judged anew");
    let left_out = parts[2].left_out.clone().unwrap();
    assert_eq!((left_out.dev, left_out.unfixed, left_out.ruled_out.len()), (true, false, 1));

    // A document of before lists nothing, and that is told too.
    let scan = call(&app, "POST", "/v1/services/pay/uploads", &[], document(&["CVE-1"])).await;
    assert_eq!(scan.body["watched"], false, "{}", scan.body);
    let events = world.events().await;
    let told: Vec<ContentsUploaded> =
        events.iter().filter(|event| event.is::<ContentsUploaded>()).map(|event| event.decode().unwrap()).collect();
    assert_eq!(
        told.iter().map(|part| (&*part.scan_id, part.chunks)).collect::<Vec<_>>(),
        [(scan.body["id"].as_str().unwrap(), 0)]
    );
}

/// An upload to a service by somebody with a permission.
fn upload(service: &str, permission: &str, body: Body) -> Request<Body> {
    let permissions = [permission.to_owned()].into_iter().collect::<Permissions>();
    let path = format!("/v1/services/{service}/uploads");
    let request = Request::post(path).extension(Principal::new("p", "p", permissions, PrincipalKind::Service));
    request.header("content-type", "application/json").body(body).unwrap()
}

async fn large_uploads_take_turns_and_strangers_get_none(world: World) {
    let turns = Turns::new(1, 10_000, Duration::from_millis(50));
    let app = routes(Findings::new(world.store.clone(), world.clock.shared()).with_turns(turns)).into_router();
    // A body that nobody may read: only a caller who may write costs memory.
    let unread = || Body::from_stream(stream::once(async { panic!("it was read") as Result<Bytes, Infallible> }));
    let refused = send(&app, upload("pay", "scans:read", unread())).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    // Of a service that is not there it is passed over, without a turn: who is still sending would not see the answer.
    let (sent, counted) = (Arc::new(AtomicUsize::new(0)), 50);
    let counting = Arc::clone(&sent);
    let long = (0..counted).map(move |_| {
        counting.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(Bytes::from(vec![b' '; 20_000]))
    });
    let refused = send(&app, upload("none", "scans:write", Body::from_stream(stream::iter(long)))).await;
    assert_eq!((refused.status.as_u16(), sent.load(Ordering::Relaxed)), (404, counted));
    let mut untyped = upload("pay", "scans:write", unread());
    untyped.headers_mut().remove("content-type");
    assert_eq!(send(&app, untyped).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);

    // One that begins and does not end has the turn, whether it says how long it is or not.
    let large = || Body::from(listing(&[], 1000).to_string());
    let (more, mut rest) = mpsc::unbounded_channel::<Result<Bytes, Infallible>>();
    let begun = Arc::new(Notify::new());
    let told = Arc::clone(&begun);
    let rest = stream::poll_fn(move |poller| {
        let more = rest.poll_recv(poller);
        if more.is_pending() {
            told.notify_one(); // what is long was read, and more is asked for: it has the turn
        }
        more
    });
    more.send(Ok(Bytes::from(vec![b' '; 20_000]))).unwrap();
    let under_way = tokio::spawn({
        let app = app.clone();
        async move { send(&app, upload("pay", "scans:write", Body::from_stream(rest))).await }
    });
    begun.notified().await;
    let busy = send(&app, upload("pay", "scans:write", large())).await;
    assert_eq!((busy.status.as_u16(), &busy.body["code"]), (503, &json!("busy")), "{}", busy.body);
    assert!(busy.headers.contains_key("retry-after"));
    let small = send(&app, upload("pay", "scans:write", Body::from(document(&[]).to_string()))).await;
    assert_eq!(small.status, StatusCode::CREATED, "a small one never waits: {}", small.body);
    more.send(Ok(Bytes::from(listing(&[], 1000).to_string()))).unwrap();
    drop(more);
    let first = under_way.await.unwrap();
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.body);
    let next = send(&app, upload("pay", "scans:write", large())).await;
    assert_eq!(next.status, StatusCode::CREATED, "{}", next.body);
}

async fn what_does_not_fit_the_contract_is_refused_with_its_place(world: World) {
    let app = app(&world);
    #[track_caller]
    fn check(answer: &Answer, status: u16, pointer: &str) {
        let first = answer.body["errors"][0]["pointer"].as_str().unwrap_or_default();
        assert_eq!((answer.status.as_u16(), first), (status, pointer), "{}", answer.body);
    }
    let new = |name: &str, source: &str| json!({"name": name, "description": {"owners": [], "source": [source]}});
    check(&call(&app, "POST", "/v1/services", &[], new("Bad Name", ".")).await, 422, "/name");
    check(&call(&app, "POST", "/v1/services", &[], new("a", "../etc")).await, 422, "/description/source/0");
    check(&call(&app, "POST", "/v1/services", &[], new("a", "/etc")).await, 422, "/description/source/0");
    check(&call(&app, "POST", "/v1/services", &[], new("pay", ".")).await, 409, "");
    let elsewhere = json!({"service": "pay", "paths": ["services/mail"]});
    check(&call(&app, "POST", "/v1/scans", &[], elsewhere).await, 422, "/paths/0");
    check(&call(&app, "POST", "/v1/scans", &[], json!({"service": "none"})).await, 404, "");
    check(&call(&app, "GET", "/v1/findings?limit=0", &[], Value::Null).await, 422, "/limit");
    check(&call(&app, "GET", "/v1/findings?cursor=bm9wZQ", &[], Value::Null).await, 400, "/cursor");
    let mut stray = listing(&[], 1);
    stray["contents"]["files"][0]["path"] = json!("yarn.lock");
    check(&call(&app, "POST", "/v1/services/pay/uploads", &[], stray).await, 422, "/contents/files/0/path");
    let mut long = listing(&[], 1);
    long["contents"]["files"][0]["packages"][0]["name"] = json!("x".repeat(1001));
    let long = call(&app, "POST", "/v1/services/pay/uploads", &[], long).await;
    check(&long, 422, "/contents/files/0/packages/0/name");
    let mut unknown = listing(&[], 1);
    unknown["contents"]["files"][0]["packages"][0]["extra"] = json!("x");
    let unknown = call(&app, "POST", "/v1/services/pay/uploads", &[], unknown).await;
    check(&unknown, 422, "/contents/files/0/packages/0/extra");
    for contents in [json!(null), json!({"files": [], "file": []}), json!({"left_out": {}}), json!([])] {
        let mut none = listing(&[], 0);
        none["contents"] = contents;
        let told = call(&app, "POST", "/v1/services/pay/uploads", &[], none).await;
        assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", told.body);
    }
    let unsaid = json!({"owners": [], "source": []});
    check(&call(&app, "PUT", "/v1/services/pay", &[], unsaid).await, 428, "");
}

async fn a_followed_scan_ends_with_its_end(world: World) {
    let app = app(&world);
    let scan = call(&app, "POST", "/v1/services/pay/uploads", &[], document(&["CVE-1"])).await;
    let stream =
        call(&app, "GET", &format!("/v1/scans/{}/events", scan.body["id"].as_str().unwrap()), &[], Value::Null).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    let text = stream.body.as_str().unwrap();
    assert!(text.starts_with("event: end\ndata: {") && text.contains("\"state\":\"completed\""), "{text}");
}

/// A write through the whole stack, with these headers; the envelope of the event that it told.
async fn told_by(world: &World, headers: &[(&str, &str)], name: &str) -> aiva_contracts::envelope::Envelope {
    let stack = aiva_chassis::http::Stack::new(world.clock.shared()).authenticator(Arc::new(Anyone));
    let app = stack.around(routes(Findings::new(world.store.clone(), world.clock.shared())));
    let body = json!({"name": name, "description": {"owners": [], "source": ["."]}});
    let answer = call(&app, "POST", "/v1/services", headers, body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let mut told = world.events().await;
    assert_eq!(told.len(), 1);
    told.remove(0)
}

/// Lets everybody in.
struct Anyone;

#[async_trait::async_trait]
impl Authenticator for Anyone {
    async fn authenticate(&self, _: &http::request::Parts) -> Result<Option<Principal>, AuthError> {
        Ok(Some(Principal::internal("ana")))
    }
}

async fn the_ids_of_a_request_arrive_in_its_events(world: World) {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let told = told_by(&world, &[("x-correlation-id", "order-7"), ("traceparent", PARENT)], "a").await;
    assert_eq!((told.correlation_id.as_str(), told.causation_id), ("order-7", None));
    assert_eq!(told.traceparent[3..35], PARENT[3..35]); // the same trace,
    assert_ne!(told.traceparent[36..52], PARENT[36..52]); // with our span as the parent
    let told = told_by(&world, &[("x-request-id", "mine-1")], "b").await;
    assert_eq!(told.correlation_id, "mine-1"); // a request is a chain of its own
    let outside = world.store.create_service(world.now(), crate::world::service("c"), None).await.unwrap();
    let told = world.events().await.remove(0);
    assert_eq!((told.subject, told.traceparent.as_str()), (format!("service/{}", outside.name), ""));
    assert!(told.correlation_id.parse::<uuid::Uuid>().is_ok());
}
