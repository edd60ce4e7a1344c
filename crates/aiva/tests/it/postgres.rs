//! The real program on PostgreSQL: the same as on SQLite, and what only a server can do, which is to be away.

use aiva_testkit::postgres;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::program::{World, command};
use crate::server::{Server, all_scanned};

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"rustls\"\nversion = \"0.21.10\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";

impl Server {
    pub(crate) async fn post(&self, path: &str, body: &Value, correlation: &'static str) -> Value {
        let request = self.client.post(format!("{}{path}", self.url)).header(CONTENT_TYPE, "application/json");
        let request = request.header(http::HeaderName::from_static("x-correlation-id"), correlation);
        let request = request.header(AUTHORIZATION, format!("Bearer {}", self.token)).body(body.to_string());
        let response = request.send().await.unwrap();
        let status = response.status;
        let answer = response.bytes(1 << 20).await.unwrap();
        assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap()
    }

    /// Asks for readiness until it is so; gives up after a bounded number of questions.
    async fn until_ready(&self, ready: bool) {
        for _ in 0..400 {
            let answer = self.client.get(format!("{}/readyz", self.admin)).send().await.unwrap();
            if answer.status.is_success() == ready {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("readiness never became {ready}");
    }

    async fn text(&self, url: String) -> String {
        let answer = self.client.get(url).send().await.unwrap();
        String::from_utf8(answer.bytes(4 << 20).await.unwrap().to_vec()).unwrap()
    }
}

#[tokio::test]
async fn what_was_accepted_outlives_the_process_and_the_databases_absence() {
    let Some(url) = postgres::database().await else { return };
    let world = World::new();
    let server = Server::start_on(&world, Some(&url));
    server.until("/v1/services", all_scanned).await;
    // Of a service without sources nothing is scanned here: what its CI uploads is all that is known of it.
    let service = json!({"name": "elsewhere", "description": {"owners": [], "source": []}});
    server.post("/v1/services", &service, "order-6").await;
    world.write("ci/Cargo.lock", LOCK);
    let uploaded = command(world.folder.path())
        .args(["scan", "ci", "--service", "elsewhere", "--upload", &server.url, "--fail-on", "none", "--data-dir"])
        .arg(world.path("data"))
        .env("AIVA_TOKEN", &server.token)
        .output()
        .unwrap();
    assert!(uploaded.status.success(), "{}", String::from_utf8_lossy(&uploaded.stderr));
    let page = server.get("/v1/findings?service=elsewhere&package=rustls&state=open&state=reopened").await;
    let found = format!("/v1/findings/{}", page["items"][0]["fingerprint"].as_str().unwrap());
    let expires = jiff::Zoned::now().date().saturating_add(jiff::ToSpan::days(30)).to_string();
    let accept = json!({"owner": "ana@example.com", "reason": "not reachable", "expires": expires});
    let accepted = server.post(&format!("{found}/accept"), &accept, "order-7").await;
    assert_eq!(accepted["finding"]["state"], "accepted", "{accepted}");
    let told = server.get("/v1/events?type=aiva.findings.v1.FindingAccepted&limit=1").await;
    assert_eq!(told["items"][0]["correlation_id"], "order-7", "{told}");
    let metrics = server.text(format!("{}/metrics", server.admin)).await;
    assert!(metrics.contains("aiva_concurrency_conflicts_total{aggregate=\"finding\"} 0"), "{metrics}");
    assert_eq!(server.stop(), 0);

    let server = Server::start_on(&world, Some(&url));
    assert_eq!(server.get(&found).await["finding"]["acceptance"]["reason"], "not reachable");
    assert_eq!(server.get("/v1/exceptions?source=api").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(server.get("/v1/dead-letters").await["items"], json!([]));

    server.until_ready(true).await;
    postgres::open(&url, false).await;
    server.until_ready(false).await;
    postgres::open(&url, true).await;
    server.until_ready(true).await;
    assert_eq!(server.get(&found).await["finding"]["state"], "accepted");
    assert_eq!(server.stop(), 0);
}

#[tokio::test]
async fn two_migrations_at_once_apply_each_step_once() {
    let Some(url) = postgres::database().await else { return };
    let world = World::new();
    let aiva = |args: [&str; 2]| {
        let mut command = command(world.folder.path());
        command.args(args).arg("--data-dir").arg(world.path("data")).env("DATABASE_URL", &url);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let text = |child: std::process::Child| {
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    let before = text(aiva(["migrate", "status"]));
    assert!(before.contains("findings") && before.contains("are missing: run `aiva migrate up`"), "{before}");
    let both = [aiva(["migrate", "up"]), aiva(["migrate", "up"])].map(text);
    let applied = both.iter().filter(|out| out.contains("first_tables")).count();
    assert_eq!((applied, both.iter().filter(|out| out.contains("Nothing was missing")).count()), (1, 1), "{both:?}");
    assert!(text(aiva(["migrate", "status"])).contains("Nothing is missing"));
}

#[test]
fn a_database_that_cannot_be_used_says_what_to_do_and_no_secret() {
    let world = World::new();
    for (url, wanted) in [
        ("postgres://aiva:hunter2@127.0.0.1:1/aiva", ["PostgreSQL does not answer", "see that it runs"]),
        ("postgres://aiva:hunter2@127.0.0.1:nonsense/aiva", ["cannot be used as configured", "DATABASE_URL"]),
    ] {
        for args in [&["migrate", "status"][..], &["up", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]] {
            let mut command = command(world.folder.path());
            let out = command.args(args).arg("--data-dir").arg(world.path("data")).env("DATABASE_URL", url).output();
            let out = out.unwrap();
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(2), "{args:?}: {said}");
            assert!(wanted.iter().all(|part| said.contains(part)) && !said.contains("hunter2"), "{args:?}: {said}");
        }
    }
}
