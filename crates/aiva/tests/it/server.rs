//! `aiva up --demo`: a living system within seconds, over the real sockets.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aiva_outbound::client::Client;
use aiva_outbound::policy::{Policy, Ports};
use aiva_outbound::resolve::Fixed;
use http::header::AUTHORIZATION;
use serde_json::Value;

use crate::program::{World, command};

pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) url: String,
    /// Where health and metrics are.
    pub(crate) admin: String,
    /// Where the egress proxy is: host and port.
    pub(crate) egress: String,
    pub(crate) token: String,
    pub(crate) client: Client,
}

impl Server {
    pub(crate) fn start(world: &World) -> Self {
        Self::start_on(world, None)
    }

    /// On this database, else on the embedded one.
    pub(crate) fn start_on(world: &World, database: Option<&str>) -> Self {
        Self::start_with(world, database, &[])
    }

    /// With more variables.
    pub(crate) fn start_with(world: &World, database: Option<&str>, variables: &[(&str, &str)]) -> Self {
        Self::launch(world, "--demo", database, variables)
    }

    /// By the configuration of the folder.
    pub(crate) fn start_own(world: &World) -> Self {
        Self::start_own_on(world, None)
    }

    /// The same on this database, else on the embedded one.
    pub(crate) fn start_own_on(world: &World, database: Option<&str>) -> Self {
        Self::launch(world, "--no-update", database, &[])
    }

    fn launch(world: &World, flag: &str, database: Option<&str>, variables: &[(&str, &str)]) -> Self {
        let mut command = command(world.folder.path());
        command.envs(variables.iter().copied());
        command.envs(database.map(|url| ("DATABASE_URL", url)));
        command.env("AIVA__EGRESS__LISTEN", "127.0.0.1:0");
        command.args(["up", flag, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir"]);
        let mut child = command.arg(world.path("data")).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.find_map(|line| line.ok().filter(|line| line.contains("http://"))).unwrap();
        let url = line[line.find("http://").unwrap()..].split("/console").next().unwrap().to_owned();
        let line = lines.find_map(|line| line.ok().filter(|line| line.contains("/readyz"))).unwrap();
        let admin = line[line.find("http://").unwrap()..].split("/readyz").next().unwrap().to_owned();
        let line = lines.find_map(|line| line.ok().filter(|line| line.contains("http_proxy="))).unwrap();
        let egress = line.split("http://").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        std::thread::spawn(move || lines.count());
        let file = world.path("data").join("bootstrap-token");
        let token = std::fs::read_to_string(file).expect("a server makes its token at start").trim().to_owned();
        let mut policy = Policy::public();
        policy.ports = Ports::Any;
        policy.allow_blocks.push("127.0.0.1/32".parse().unwrap());
        let client = Client::builder(policy).resolver(Arc::new(Fixed::default())).build();
        Self { child, url, admin, egress, token, client }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let bearer = format!("Bearer {}", self.token);
        let response =
            self.client.get(format!("{}{path}", self.url)).header(AUTHORIZATION, bearer).send().await.unwrap();
        assert!(response.status.is_success(), "{path}: {}", response.status);
        serde_json::from_slice(&response.bytes(1 << 20).await.unwrap()).unwrap()
    }

    /// Asks until the answer fits; gives up after a bounded number of questions.
    pub(crate) async fn until(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..200 {
            let answer = self.get(path).await;
            if fits(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} never fitted: {}", self.get(path).await);
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn stop(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn all_scanned(services: &Value) -> bool {
    let items = services["items"].as_array().unwrap();
    items.len() == 5 && items.iter().all(|service| service["last_scan"]["state"] == "completed")
}

#[tokio::test]
async fn the_demo_is_alive_and_survives_a_kill() {
    let world = World::new();
    let mut server = Server::start(&world);
    server.until("/v1/services", all_scanned).await;
    let before = server.get("/v1/findings?limit=100").await;
    let found = before["items"].as_array().unwrap().len();
    assert!(found > 15, "{found}");
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    let server = Server::start(&world);
    server.until("/v1/services", all_scanned).await;
    let after = server.get("/v1/findings?limit=100").await;
    let fingerprints = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|finding| finding["fingerprint"].to_string()).collect()
    };
    assert_eq!(fingerprints(&before), fingerprints(&after));
    assert_eq!(server.get("/v1/dead-letters").await["items"], serde_json::json!([]));
    assert_eq!(server.stop(), 0);
}

#[tokio::test]
async fn nobody_comes_in_without_the_token() {
    let world = World::new();
    let server = Server::start(&world);
    for (token, status) in [("", 401), ("Bearer wrong", 401)] {
        let request = server.client.get(format!("{}/v1/services", server.url));
        let request = if token.is_empty() { request } else { request.header(AUTHORIZATION, token) };
        let response = request.send().await.unwrap();
        assert_eq!(response.status.as_u16(), status);
        let problem: Value = serde_json::from_slice(&response.bytes(10_000).await.unwrap()).unwrap();
        assert!(problem["request_id"].is_string(), "{problem}");
    }
    let rotated = world.aiva(&["token", "rotate"]);
    assert_eq!(rotated.code(), 0);
    let old = format!("Bearer {}", server.token);
    let response =
        server.client.get(format!("{}/v1/services", server.url)).header(AUTHORIZATION, old).send().await.unwrap();
    assert_eq!(response.status.as_u16(), 401, "the old token stops at once");
}

#[tokio::test]
async fn a_fresh_link_lets_one_person_into_the_console() {
    let world = World::new();
    let server = Server::start(&world);
    let made = world.aiva(&["token", "link"]);
    assert_eq!(made.code(), 0, "{}", made.err());
    let (link, token) = (made.out().trim().to_owned(), &server.token);
    let (to, code) = link.split_once("?code=").unwrap();
    assert_eq!(to, format!("{}/console/sign-in", server.url));
    assert!(!link.contains(token.as_str()), "the link carries the token");
    for status in [303, 401] {
        let form = "application/x-www-form-urlencoded";
        let request =
            server.client.post(to).header(http::header::CONTENT_TYPE, form).header(http::header::ORIGIN, &server.url);
        let response = request.body(format!("code={code}")).redirects(0).send().await.unwrap();
        assert_eq!(response.status.as_u16(), status);
    }
}

#[tokio::test]
async fn a_second_server_is_told_who_holds_the_data() {
    let world = World::new();
    let server = Server::start(&world);
    let second = world.aiva(&["up", "--demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    assert_eq!(second.code(), 2);
    assert!(second.err().contains(&format!("process {}", server.child.id())), "{}", second.err());
}

#[tokio::test]
async fn a_scan_of_ci_is_taken_in() {
    let world = World::new();
    let server = Server::start(&world);
    server.until("/v1/services", all_scanned).await;
    world.write("ci/Cargo.lock", "version = 4\n\n[[package]]\nname = \"rustls\"\nversion = \"0.21.10\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n");
    let out = command(world.folder.path())
        .args(["scan", "ci", "--service", "ledger", "--upload", &server.url, "--fail-on", "none", "--data-dir"])
        .arg(world.path("data"))
        .env("AIVA_TOKEN", &server.token)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(String::from_utf8_lossy(&out.stderr).contains("uploaded as scan"));
}
