//! Roles that are stored over the API, through the real program: in force at once, versioned, and asked about from here.

use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH};
use serde_json::{Value, json};

use crate::egress::answer;
use crate::program::World;
use crate::server::Server;

/// A caller of the file with a role that is stored, and nothing to scan.
const FILE: &str = "[[services]]\nname = \"shop\"\negress_role = \"batch\"\n[egress]\nstored_roles = [\"batch\"]\n\
    [egress.callers.shop]\nrole = \"batch\"\nsources = [\"127.0.0.0/8\"]\n[egress.roles.fixed]\nallow_domains = [\"a.example\"]\n";

struct Put {
    status: u16,
    tag: Option<String>,
    body: Value,
}

async fn put(server: &Server, name: &str, role: &Value, seen: Option<&str>) -> Put {
    let url = format!("{}/v1/egress/roles/{name}", server.url);
    let mut request = server.client.request(Method::PUT, url).header(CONTENT_TYPE, "application/json");
    request = request.header(AUTHORIZATION, format!("Bearer {}", server.token)).body(role.to_string());
    if let Some(tag) = seen {
        request = request.header(IF_MATCH, tag);
    }
    let response = request.send().await.unwrap();
    let tag = response.headers.get(ETAG).map(|tag| tag.to_str().unwrap().to_owned());
    let status = response.status.as_u16();
    let body = serde_json::from_slice(&response.bytes(1 << 20).await.unwrap()).unwrap();
    Put { status, tag, body }
}

/// Why the proxy refuses a tunnel to a place whose address stands there: nothing is looked up or called.
fn refused(server: &Server) -> String {
    let told = answer(&server.egress, "CONNECT 93.184.216.34:8443 HTTP/1.1\r\nHost: a\r\n\r\n");
    told.split("reason=").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or(&told).to_owned()
}

#[tokio::test]
async fn a_stored_role_is_in_force_at_once_and_stays_over_reload_and_restart() {
    let world = World::new();
    world.write("aiva.toml", FILE);
    let server = Server::start_own(&world);
    assert_eq!(refused(&server), "name-not-allowed", "a role that is not stored yet reaches nothing");

    let made = put(&server, "batch", &json!({"mode": "open", "ports": [443]}), None).await;
    assert_eq!(
        (made.status, &made.body["version"], &made.body["origin"]),
        (200, &json!(1), &json!("api")),
        "{}",
        made.body
    );
    assert_eq!(refused(&server), "port-not-allowed", "it is in force when it is answered");

    // Who changes it says which version was seen, and one that is gone is refused.
    let narrow = json!({"allow_domains": ["a.example"]});
    let tag = made.tag.unwrap();
    for (name, seen, status, code) in [
        ("batch", None, 428, "if_match_required"),
        ("batch", Some("\"7\""), 412, "version_mismatch"),
        ("fixed", None, 409, "defined_in_file"),
        ("default", None, 409, "default_role"),
    ] {
        let told = put(&server, name, &narrow, seen).await;
        assert_eq!((told.status, &told.body["code"]), (status, &json!(code)), "{name} {seen:?}: {}", told.body);
    }
    let changed = put(&server, "batch", &narrow, Some(&tag)).await;
    assert_eq!((changed.status, &changed.body["version"]), (200, &json!(2)));
    assert_eq!(put(&server, "batch", &narrow, Some(&tag)).await.status, 412, "two did not see the same version");
    assert_eq!(refused(&server), "name-not-allowed");

    // The file changes: what is stored stays in force beside it.
    assert_eq!(
        put(&server, "batch", &json!({"mode": "open", "ports": [444]}), changed.tag.as_deref()).await.status,
        200
    );
    world.write("aiva.toml", &FILE.replace("a.example", "b.example"));
    let pid = server.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let is_read = |roles: &Value| roles.to_string().contains("b.example");
    let roles = server.until("/v1/egress/roles", is_read).await;
    let names: Vec<&Value> = roles["items"].as_array().unwrap().iter().map(|role| &role["name"]).collect();
    assert_eq!(names, ["batch", "default", "fixed"], "{roles}");
    assert_eq!(refused(&server), "port-not-allowed");

    // And so it does in the next process.
    assert_eq!(server.stop(), 0);
    let server = Server::start_own(&world);
    assert_eq!(refused(&server), "port-not-allowed");
    let versions = server.get("/v1/egress/roles/batch/versions").await;
    let versions: Vec<u64> =
        versions["items"].as_array().unwrap().iter().map(|v| v["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, [3, 2, 1]);
}

#[tokio::test]
async fn what_a_server_has_stored_is_asked_about_from_here() {
    let world = World::new();
    world.write("aiva.toml", FILE);
    let server = Server::start_own(&world);
    assert_eq!(put(&server, "batch", &json!({"mode": "open", "ports": [443]}), None).await.status, 200);
    assert_eq!(refused(&server), "port-not-allowed");
    let place = "https://93.184.216.34:8443/";
    for (arguments, code, want) in [
        (&["https://93.184.216.34/", "--role", "batch", "--stored"][..], 0, "allowed"),
        (&[place, "--role", "batch", "--stored"], 1, "port-not-allowed"),
        (&[place, "--role", "batch", "--server", &server.url], 1, "port-not-allowed"),
        // By the file alone nobody has stored it.
        (&[place, "--role", "batch"], 2, ""),
        (&[place, "--role", "nobody", "--stored"], 2, ""),
    ] {
        let run = world.aiva(&[&["egress", "check"], arguments].concat());
        assert_eq!(run.code(), code, "{arguments:?}: {}{}", run.out(), run.err());
        assert!(run.out().contains(want), "{arguments:?}: {}", run.out());
    }
    // The plan goes by them as well: with them nothing changes, and the file alone would refuse for another reason.
    server
        .until("/v1/egress/decisions?role=batch", |page| page["items"].as_array().is_some_and(|all| !all.is_empty()))
        .await;
    let plan = world.aiva(&["egress", "plan"]);
    assert_eq!(plan.code(), 0, "{}{}", plan.out(), plan.err());
    assert!(plan.out().contains("of 1 decisions 0 would be denied, 0 allowed"), "{}", plan.out());
}
