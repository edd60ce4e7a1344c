//! Roles over the API on both engines: stored, versioned, in force at once.

use std::sync::Arc;

use aiva_chassis::http::Principal;
use aiva_egress::audit::Recorder;
use aiva_egress::config::{Caller, CertificateNames, Egress, Role};
use aiva_egress::http::routes;
use aiva_egress::service::Guard;
use aiva_egress::service::records::App;
use aiva_egress::service::roles::Roles;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::records::World;

on_both_engines!(
    a_stored_role_is_versioned_and_in_force_at_once,
    everything_that_is_wrong_is_said_at_once_and_nothing_is_stored,
    what_the_file_has_is_not_replaced,
    of_changes_based_on_one_version_one_succeeds,
);

/// One process over the world's store.
struct Process {
    guard: Guard,
    roles: Roles,
    api: Router,
}

impl Process {
    fn of(world: &World, egress: Egress) -> Self {
        let guard = world.guard_by(egress);
        let app: App = world.app(&guard, &Recorder::default());
        Self { guard, roles: app.roles.clone(), api: routes(app).into_router() }
    }

    /// Status, ETag and body.
    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, String, Value) {
        let mut request = Request::builder().method(method).uri(path).extension(Principal::internal("ana"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let response = self.api.clone().oneshot(request).await.unwrap();
        let tag = |headers: &HeaderMap| headers.get("etag").map_or("", |tag| tag.to_str().unwrap()).to_owned();
        let (status, tag) = (response.status().as_u16(), tag(response.headers()));
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, tag, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// What is decided for the role, in a word.
    async fn decided(&self, role: &str) -> String {
        let asked = json!({"url": "https://a.example.com", "role": role});
        let (status, _, body) = self.call("POST", "/v1/egress/decisions", &[], &asked).await;
        if status == 200 { body["reason"].as_str().unwrap().to_owned() } else { status.to_string() }
    }
}

const LAB: &str = "/v1/egress/roles/lab";

async fn a_stored_role_is_versioned_and_in_force_at_once(world: World) {
    let process = Process::of(&world, Egress::default());
    let allowed = json!({"allow_domains": ["*.example.com"]});
    // Any port: an empty list is not one that was left out.
    let other = json!({"allow_domains": ["b.example.com"], "mode": "enforce", "ports": []});
    for (method, headers, body, status, tag, decided) in [
        ("DELETE", &[("if-match", "*")][..], &Value::Null, 404, "", "404"),
        ("PUT", &[("if-match", "\"1\"")], &allowed, 412, "", "404"),
        ("PUT", &[("if-none-match", "*")], &allowed, 200, "\"1\"", "allowed"),
        ("PUT", &[("if-none-match", "*")], &other, 412, "", "allowed"),
        ("PUT", &[], &other, 428, "", "allowed"),
        ("PUT", &[("if-match", "\"7\"")], &other, 412, "", "allowed"),
        ("PUT", &[("if-match", "\"1\"")], &other, 200, "\"2\"", "name-not-allowed"),
        ("DELETE", &[], &Value::Null, 428, "", "name-not-allowed"),
        ("DELETE", &[("if-match", "\"1\"")], &Value::Null, 412, "", "name-not-allowed"),
        ("DELETE", &[("if-match", "\"2\"")], &Value::Null, 204, "", "404"),
        ("PUT", &[], &allowed, 200, "\"4\"", "allowed"),
    ] {
        let (got, its_tag, answer) = process.call(method, LAB, headers, body).await;
        assert_eq!((got, its_tag.as_str()), (status, tag), "{method} {headers:?}: {answer}");
        assert_eq!(process.decided("lab").await, decided, "after {method} {headers:?}");
    }
    let (status, tag, shown) = process.call("GET", LAB, &[], &Value::Null).await;
    assert_eq!((status, tag.as_str(), &shown["origin"], &shown["role"]), (200, "\"4\"", &json!("api"), &allowed));
    assert_eq!((&shown["changed_by"], &shown["version"]), (&json!("ana"), &json!(4)));
    assert_eq!(process.call("GET", LAB, &[("if-none-match", "\"4\"")], &Value::Null).await.0, 304);
    let (_, _, page) = process.call("GET", &format!("{LAB}/versions?limit=3"), &[], &Value::Null).await;
    let told = |page: &Value| -> Vec<(Value, Value)> {
        page["items"].as_array().unwrap().iter().map(|one| (one["version"].clone(), one["role"].clone())).collect()
    };
    assert_eq!(told(&page), [(json!(4), allowed.clone()), (json!(3), Value::Null), (json!(2), other)]);
    let next = format!("{LAB}/versions?limit=3&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(told(&process.call("GET", &next, &[], &Value::Null).await.2), [(json!(1), allowed)]);
    assert_eq!(process.call("GET", "/v1/egress/roles/none/versions", &[], &Value::Null).await.0, 404);
    assert_eq!(world.told().await, ["RoleChanged"; 4]);
    // After a restart, and in another process.
    let other = Process::of(&world, Egress::default());
    assert_eq!(other.decided("lab").await, "404");
    other.roles.follow_up().await.unwrap();
    assert_eq!(other.decided("lab").await, "allowed");
    assert_eq!(process.call("DELETE", LAB, &[("if-match", "*")], &Value::Null).await.0, 204);
    other.roles.follow_up().await.unwrap();
    assert_eq!(other.decided("lab").await, "404");
}

async fn everything_that_is_wrong_is_said_at_once_and_nothing_is_stored(world: World) {
    let process = Process::of(&world, Egress::default());
    for (body, pointers) in [
        (
            json!({"allow_domains": ["a.example", "http://b"], "ports": [0], "schemes": [], "bounds": {"idle": "soon"},
                "exceptions": {"x y": {"owner": "ana", "reason": "z", "expires": "2027-01-31"}}}),
            vec!["/bounds/idle"], // what has no type is not looked at further
        ),
        (
            json!({"allow_domains": ["a.example", "http://b"], "ports": [0], "bounds": {"idle": "0s"},
                "exceptions": {"x y": {"owner": "ana", "reason": "z", "expires": "2027-01-31"}}}),
            vec!["/allow_domains/1", "/bounds/idle", "/exceptions/x y/host", "/ports/0"],
        ),
        (
            json!({"mode": "strict", "allow_domain": ["a.example"], "ports": ["x"]}),
            vec!["/allow_domain", "/mode", "/ports/0"],
        ),
        (json!([]), vec![""]),
        (json!({"upstream": "nowhere"}), vec!["/upstream"]),
        (
            json!({"exceptions": {"x": {"host": "a.corp"}}}),
            vec!["/exceptions/x/expires", "/exceptions/x/owner", "/exceptions/x/reason"],
        ),
        (json!({"mode": null}), vec![""]),
        (json!({"allow_domains": ["x".repeat(400)]}), vec!["/allow_domains/0"]),
    ] {
        let (status, _, problem) = process.call("PUT", LAB, &[], &body).await;
        let mut got: Vec<&str> =
            problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        got.sort_unstable();
        assert_eq!((status, got), (422, pointers), "{body}: {problem}");
    }
    assert_eq!(process.call("GET", LAB, &[], &Value::Null).await.0, 404);
    assert_eq!(process.call("PUT", "/v1/egress/roles/a%20b", &[], &json!({})).await.0, 422);
    assert_eq!(world.told().await, [""; 0]);
}

async fn what_the_file_has_is_not_replaced(world: World) {
    let mut egress = Egress::default();
    egress.roles.insert("lab".into(), Role { allow_domains: vec!["a.example.com".into()], ..Role::default() });
    // A caller may have a role that is stored later.
    egress.stored_roles.push("batch".into());
    let names = CertificateNames { common_names: Vec::new(), dns_names: Vec::new(), uris: Vec::new() };
    let caller = Caller {
        role: None,
        password_sha256: Vec::new(),
        password: None,
        certificate: names,
        users: vec![7],
        sources: Vec::new(),
    };
    egress.callers.insert("batch".into(), caller);
    let process = Process::of(&world, egress.clone());
    for method in ["PUT", "DELETE"] {
        let body = if method == "PUT" { json!({"mode": "open"}) } else { Value::Null };
        for (name, code) in [("lab", "defined_in_file"), ("default", "default_role")] {
            let (status, _, problem) =
                process.call(method, &format!("/v1/egress/roles/{name}"), &[("if-match", "*")], &body).await;
            assert_eq!((status, &problem["code"]), (409, &json!(code)), "{method} {name}: {problem}");
        }
    }
    let (status, tag, shown) = process.call("GET", LAB, &[], &Value::Null).await;
    assert_eq!((status, &shown["origin"], shown.get("version")), (200, &json!("file"), None));
    assert_eq!((&shown["role"]["allow_domains"], tag.len()), (&json!(["a.example.com"]), 34));
    let closed = process.guard.role_of_caller("batch").unwrap();
    assert!(closed.policy.allow_names.is_empty() && closed.policy.mode == aiva_outbound::policy::Mode::Enforce);
    let body = json!({"allow_domains": ["*.example.com"]});
    assert_eq!(process.call("PUT", "/v1/egress/roles/batch", &[], &body).await.0, 200);
    assert!(!process.guard.role_of_caller("batch").unwrap().policy.allow_names.is_empty());
    let (_, _, list) = process.call("GET", "/v1/egress/roles", &[], &Value::Null).await;
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| (&one["name"], &one["origin"])).collect();
    let file = json!("file");
    assert_eq!(names, [(&json!("batch"), &json!("api")), (&json!("default"), &file), (&json!("lab"), &file)]);
    // Paths are judged by whether or not the question names a method, as the proxy would.
    let body = json!({"allow_domains": ["*.example.com"], "paths": ["/v1/"], "methods": ["GET"]});
    assert_eq!(process.call("PUT", "/v1/egress/roles/batch", &[("if-match", "*")], &body).await.0, 200);
    for (question, reason) in [
        (json!({"url": "http://a.example.com/v2/", "role": "batch"}), "path-not-allowed"),
        (json!({"url": "http://a.example.com/v1/", "role": "batch"}), "allowed"),
        (json!({"url": "HTTP://a.example.com/v1/", "role": "batch", "method": "POST"}), "method-not-allowed"),
        (json!({"url": "https://a.example.com/v2/", "role": "batch"}), "allowed"),
    ] {
        let (_, _, verdict) = process.call("POST", "/v1/egress/decisions", &[], &question).await;
        assert_eq!(verdict["reason"], json!(reason), "{question}");
    }
    // The role of unknown callers is shown although nobody wrote it down.
    let (_, _, anybody) = process.call("GET", "/v1/egress/roles/default", &[], &Value::Null).await;
    assert_eq!((&anybody["role"]["mode"], &anybody["role"]["ports"]), (&json!("open"), &json!([80, 443])));
    // The file comes to have it as well: it wins, whatever is stored.
    egress.stored_roles.clear();
    egress.roles.insert("batch".into(), Role::default());
    process.guard.reload(egress).unwrap();
    assert!(process.guard.role_of_caller("batch").unwrap().policy.allow_names.is_empty());
}

async fn of_changes_based_on_one_version_one_succeeds(world: World) {
    let process = Arc::new(Process::of(&world, Egress::default()));
    assert_eq!(process.call("PUT", LAB, &[], &json!({})).await.0, 200);
    let mut changes = tokio::task::JoinSet::new();
    for port in 1..=8 {
        let process = Arc::clone(&process);
        changes.spawn(
            async move { process.call("PUT", LAB, &[("if-match", "\"1\"")], &json!({"ports": [port]})).await.0 },
        );
    }
    let mut statuses = changes.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    let (_, tag, _) = process.call("GET", LAB, &[], &Value::Null).await;
    assert_eq!(tag, "\"2\"");
}
