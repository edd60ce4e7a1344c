//! What CI uploads is judged again when advisories change, as what the server reads is: the last scan of a service counts, whoever
//! ran it.

use aiva_testkit::postgres;
use serde_json::{Value, json};

use crate::program::World;
use crate::server::Server;

/// A lockfile with `left` at a version, whose hash is weak: a finding that no advisory tells.
fn lock(version: &str) -> String {
    let resolved = format!("https://registry.npmjs.org/left/-/left-{version}.tgz");
    let left = json!({"version": version, "resolved": resolved, "integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="});
    json!({"lockfileVersion": 3, "packages": {"": {"name": "x"}, "node_modules/left": left}}).to_string()
}

/// Makes these the advisories, each about versions of `left`.
fn advise(world: &World, records: &[(&str, &[&str])]) {
    drop(std::fs::remove_dir_all(world.path("osv")));
    for (id, versions) in records {
        let affected = json!([{"package": {"ecosystem": "npm", "name": "left"}, "versions": versions}]);
        let record = json!({"id": id, "modified": "2024-01-01T00:00:00Z", "affected": affected});
        world.write(&format!("osv/npm/{id}.json"), &record.to_string());
    }
    let run = world.aiva(&["advisories", "import", "osv"]);
    assert_eq!(run.code(), 0, "{}", run.err());
}

fn upload(world: &World, server: &Server, service: &str, more: &[&str]) {
    let args = ["scan", "ci", "--service", service, "--upload", &server.url, "--fail-on", "none"];
    let run = world.aiva_with(&[&args[..], more].concat(), &[("AIVA_TOKEN", &server.token)]);
    assert_eq!(run.code(), 0, "{}", run.err());
}

/// Each finding of a service: its advisory or rule, its file, its state.
fn told(findings: &Value) -> Vec<[String; 3]> {
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let items = findings["items"].as_array().unwrap();
    let mut told: Vec<_> = items.iter().map(|one| ["id", "path", "state"].map(|name| word(one, name))).collect();
    told.sort();
    told
}

/// Waits until the findings of a service are these.
async fn until(server: &Server, service: &str, want: &[[&str; 3]]) {
    server.until(&format!("/v1/findings?service={service}&limit=100"), |page| told(page) == want).await;
}

async fn story(world: World, database: Option<&str>) {
    world.write("own/package-lock.json", &lock("1.0.0"));
    world.write("ci/package-lock.json", &lock("1.6.0"));
    world.write(
        "aiva.toml",
        "[[services]]\nname = \"both\"\nowners = [\"#pay\"]\nsource = [\"own\"]\n\n[[services]]\nname = \"elsewhere\"\n",
    );
    advise(&world, &[("X-1", &["1.0.0"])]);
    let server = Server::start_own_on(&world, database);
    let (own, ci) = ("own/package-lock.json", "package-lock.json");
    let weak = |path, state| ["supply-integrity-weak", path, state];
    until(&server, "both", &[["X-1", own, "open"], weak(own, "open")]).await;

    // What CI has is the last word on both, also where the server has read something itself.
    upload(&world, &server, "both", &[]);
    upload(&world, &server, "elsewhere", &[]);
    let mended = [["X-1", own, "fixed"], weak(own, "fixed"), weak(ci, "open")];
    until(&server, "both", &mended).await;
    let scans = server.get("/v1/scans?service=elsewhere").await;
    let uploaded = scans["items"].as_array().unwrap().iter().filter(|scan| scan["requested_by"] == "upload");
    assert_eq!(uploaded.map(|scan| &scan["watched"]).collect::<Vec<_>>(), [&json!(true)], "{scans}");

    // An advisory about it opens a finding without another scan of CI; what CI mended stays mended.
    advise(&world, &[("X-1", &["1.0.0"]), ("X-2", &["1.0.0", "1.6.0"])]);
    let opened = ["X-2", ci, "open"];
    until(&server, "elsewhere", &[opened, weak(ci, "open")]).await;
    until(&server, "both", &[&mended[..1], &[opened], &mended[1..]].concat()).await;
    for service in ["both", "elsewhere"] {
        let scans = format!("/v1/scans?service={service}&limit=1");
        let ended = |page: &Value| page["items"][0]["state"] == "completed";
        let scan = &server.until(&scans, ended).await["items"][0];
        assert_eq!((&scan["requested_by"], &scan["changes"]["fixed"]), (&json!("advisories"), &json!(0)), "{scan}");
        let page = server.get(&format!("/v1/findings?service={service}&id=X-2")).await;
        let subject = format!("finding/{}", page["items"][0]["fingerprint"].as_str().unwrap());
        let events = server.get("/v1/events?type=aiva.findings.v1.FindingOpened&limit=20").await;
        let mut told = events["items"].as_array().unwrap().iter();
        assert!(told.any(|event| event["subject"] == *subject), "{service}: {events}");
    }

    // What VEX rules out in CI stays ruled out here, whatever becomes of the record.
    let vex = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "author": "ana", "timestamp": "2026-01-01T00:00:00Z", "version": 1,
        "statements": [{
            "vulnerability": {"name": "X-2"}, "products": [{"@id": "pkg:npm/left@1.6.0"}], "status": "not_affected",
            "justification": "vulnerable_code_not_present"
        }]
    });
    world.write("vex.json", &vex.to_string());
    upload(&world, &server, "elsewhere", &["--vex", "vex.json"]);
    until(&server, "elsewhere", &[["X-2", ci, "fixed"], weak(ci, "open")]).await;
    advise(&world, &[("X-2", &["1.0.0", "1.6.0", "1.7.0"]), ("X-3", &["1.6.0"])]);
    until(&server, "elsewhere", &[["X-2", ci, "fixed"], ["X-3", ci, "open"], weak(ci, "open")]).await;

    // A document of before lists nothing: it is the last word all the same, and nobody judges what is older.
    let run = world.aiva(&["scan", "ci", "--format", "json", "--fail-on", "none"]);
    let scan = server.post("/v1/services/both/uploads", &run.json(), "before").await;
    assert_eq!((&scan["watched"], &scan["changes"]["fixed"]), (&json!(false), &json!(0)), "{scan}");
    let before = told(&server.get("/v1/findings?service=both&limit=100").await);
    advise(&world, &[("X-1", &["1.0.0"]), ("X-4", &["1.0.0", "1.6.0"])]);
    server.until("/v1/findings?service=elsewhere&limit=100", |page| told(page).iter().any(|one| one[0] == "X-4")).await;
    assert_eq!(told(&server.get("/v1/findings?service=both&limit=100").await), before);
    let last = &server.get("/v1/scans?service=both&limit=1").await["items"][0];
    assert_eq!(last["requested_by"], "upload", "{last}");
    assert_eq!(server.get("/v1/dead-letters").await["items"], json!([]));
    assert_eq!(server.stop(), 0);
}

#[tokio::test]
async fn what_ci_uploads_is_judged_again_when_advisories_change() {
    story(World::new(), None).await;
}

#[tokio::test]
async fn what_ci_uploads_is_judged_again_when_advisories_change_on_postgres() {
    let Some(url) = postgres::database().await else { return };
    story(World::new(), Some(&url)).await;
}
