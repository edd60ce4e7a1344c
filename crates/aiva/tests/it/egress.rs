//! `aiva serve --guards egress`: the proxy alone, asked by clients that write bytes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::program::{World, command};
use super::server::Server;

pub(crate) struct Proxy {
    child: Child,
    pub(crate) address: String,
    admin: String,
}

impl Proxy {
    pub(crate) fn start(world: &World) -> Self {
        Self::start_with(world, &[], &[])
    }

    /// With more arguments and variables.
    fn start_with(world: &World, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_by(command(world.folder.path()), arguments, variables)
    }

    /// That may have so many files open, and no more.
    #[cfg(unix)]
    fn start_with_files(world: &World, files: u32) -> Self {
        let program = command(world.folder.path());
        let mut shell = Command::new("/bin/sh");
        shell.current_dir(world.folder.path()).env_clear().env("HOME", world.folder.path());
        shell.args(["-c", "ulimit -n \"$1\" && shift && exec \"$@\"", "sh", &files.to_string()]);
        shell.arg(program.get_program());
        Self::start_by(shell, &[], &[])
    }

    fn start_by(mut command: Command, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        command.envs(variables.iter().copied());
        command.args([
            "serve",
            "--guards",
            "egress",
            "--egress-listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ]);
        command.args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut after = |mark: &str| {
            let line = lines.find_map(|line| line.ok().filter(|line| line.contains(mark))).unwrap();
            line.rsplit("//").next().unwrap().to_owned()
        };
        let address = after("http_proxy=");
        let admin = after("/readyz").trim_end_matches("/readyz").to_owned();
        std::thread::spawn(move || lines.count());
        Self { child, address, admin }
    }

    /// Asks until the answer has this in it.
    #[track_caller]
    fn until(&self, address: &str, bytes: &str, want: &str) {
        let started = std::time::Instant::now();
        loop {
            let answer = answer(address, bytes);
            if answer.contains(want) {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{want} did not come: {answer}");
        }
    }

    /// SIGTERM, and the exit code.
    fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().unwrap().code()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// What it answers to these bytes, up to the end of the connection.
    fn ask(&self, bytes: &str) -> String {
        answer(&self.address, bytes)
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own server on loopback")]
pub(crate) fn answer(address: &str, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    // A server that is asked to close does so; to some, an end of the request's side is a client that has left.
    if !bytes.contains("Connection: close") {
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_proxy_alone_refuses_what_is_inside_and_stops_when_told() {
    let world = World::new();
    let mut proxy = Proxy::start(&world);
    let own = proxy.address.clone();
    let rows = [
        (
            "GET http://169.254.169.254/latest/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "HTTP/1.1 403",
            "address-metadata",
        ),
        (
            "GET http://metadata.google.internal/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "HTTP/1.1 403",
            "name-metadata",
        ),
        ("CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "HTTP/1.1 403", "address-internal"),
        (format!("CONNECT {own} HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 403", "address-self"),
        ("CONNECT localhost:443 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "HTTP/1.1 403", "name-local"),
        ("GET http://2130706433/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "HTTP/1.1 403", "host-number"),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(), "HTTP/1.1 400", "origin-form"),
    ];
    for (asked, status, reason) in rows {
        let answer = proxy.ask(&asked);
        assert!(answer.starts_with(status) && answer.contains(&format!("reason={reason}")), "{asked:?}: {answer}");
        assert!(answer.contains("Proxy-Status: aiva; error="), "{answer}");
    }
    let pid = proxy.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(proxy.child.wait().unwrap().code(), Some(0));
}

/// Half of the files, less those for everything else, is how many connections are taken.
#[cfg(unix)]
#[test]
#[expect(clippy::disallowed_methods, reason = "the test's own server on loopback")]
fn as_many_unfinished_requests_as_the_file_limit_allows_hinder_nobody() {
    let world = World::new();
    let proxy = Proxy::start_with_files(&world, 400);
    let mut held = Vec::new();
    for round in 0..10 {
        for _ in 0..30 {
            let mut stream = TcpStream::connect(&proxy.address).unwrap();
            // One that had to make way may be gone before it has said this.
            drop(stream.write_all(b"GET http://a.example/ HTTP/1.1\r\nHost: a"));
            held.push(stream);
        }
        let answer = proxy.ask("GET http://169.254.169.254/ HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(answer.contains("reason=address-metadata"), "round {round}: {answer:?}");
    }
    // Of the last round some may still wait to be accepted, or be on their way out.
    let counted = |name: &str| -> u64 {
        let metrics = answer(&proxy.admin, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
        line.parse().unwrap()
    };
    let settled =
        || counted("aiva_egress_proxy_made_way_total") >= 200 && counted("aiva_egress_proxy_connections_open") <= 72;
    let started = std::time::Instant::now();
    while !settled() {
        assert!(started.elapsed() < Duration::from_secs(30), "72 places and 300 that wait");
    }
    drop(held);
    assert_eq!(proxy.stop(), Some(0));
}

#[test]
fn a_taken_port_is_an_error_with_a_hint() {
    let world = World::new();
    let proxy = Proxy::start(&world);
    let second = world.aiva(&[
        "serve",
        "--guards",
        "egress",
        "--admin-listen",
        "127.0.0.1:0",
        "--egress-listen",
        &proxy.address,
    ]);
    assert_eq!(second.code(), 2);
    let told = format!("cannot listen on {} (egress.listen)", proxy.address);
    assert!(second.err().contains(&told) && second.err().contains("--egress-listen"), "{}", second.err());
}

#[test]
fn a_changed_file_counts_at_once_and_a_broken_one_not_at_all() {
    let world = World::new();
    let proxy = Proxy::start(&world);
    let asked = "CONNECT 93.184.216.34:8443 HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(proxy.ask(asked).contains("reason=port-not-allowed"));
    let file = world.folder.path().join("aiva.toml");
    std::fs::write(&file, "[egress.roles.default]\n").unwrap();
    proxy.signal("-HUP");
    proxy.until(&proxy.address, asked, "reason=name-not-allowed");
    // Nobody asks for it this time: the file is seen to have changed.
    std::fs::write(&file, "[egress.roles.default]\nmode = \"open\"\nports = [1, \"x\"]\n").unwrap();
    let metrics = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    proxy.until(&proxy.admin, metrics, "aiva_egress_policy_stale 1");
    assert!(proxy.ask(asked).contains("reason=name-not-allowed"), "the old policy is in force");
    std::fs::write(&file, "[egress.roles.default]\nmode = \"open\"\nports = [1]\n").unwrap();
    proxy.signal("-HUP");
    proxy.until(&proxy.address, asked, "reason=port-not-allowed");
    proxy.until(&proxy.admin, metrics, "aiva_egress_policy_stale 0");
}

#[tokio::test]
async fn the_proxy_alone_keeps_records_where_a_data_directory_is_named() {
    let (world, data) = (World::new(), "data");
    let proxy = Proxy::start_with(&world, &["--data-dir", data], &[]);
    assert!(proxy.ask("GET http://169.254.169.254/x HTTP/1.1\r\nHost: a\r\n\r\n").contains("reason=address-metadata"));
    let second =
        world.aiva(&["serve", "--guards", "egress", "--egress-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    assert_eq!(second.code(), 2);
    assert!(second.err().contains("another server"), "{}", second.err());
    assert_eq!(proxy.stop(), Some(0));
    let key = std::fs::metadata(world.path(data).join("egress-token-key")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&key) & 0o777, 0o600);
    let server = Server::start(&world);
    let kept = server.get("/v1/egress/decisions?reason=address-metadata").await;
    assert_eq!(kept["items"].as_array().unwrap().len(), 1, "{kept}");
    assert_eq!(server.stop(), 0);
}

#[tokio::test]
async fn a_token_of_one_process_counts_in_another_with_its_key_and_in_no_other() {
    let keys = ["a key of more than thirty-two characters", "another one of more than thirty-two"];
    let variables = |key: usize| [("AIVA__EGRESS__TOKEN_KEY", keys[key])];
    let world = World::new();
    let server = Server::start_with(&world, None, &variables(0));
    let verdict =
        server.post("/v1/egress/decisions", &serde_json::json!({"url": "http://93.184.216.34"}), "token").await;
    let token = verdict["token"].as_str().unwrap();
    // To another place than the token's: nothing is called, and the reason says whether the token was read.
    let asked = format!("GET http://93.184.216.35/ HTTP/1.1\r\nHost: a\r\nAiva-Decision-Token: {token}\r\n\r\n");
    for (variables, want) in [
        (&variables(0)[..], "reason=token-mismatch"),
        (&variables(1), "reason=token-invalid"),
        (&[], "reason=token-invalid"),
    ] {
        let answer = Proxy::start_with(&world, &[], variables).ask(&asked);
        assert!(answer.contains(want), "{want}: {answer}");
    }
    let short = world.aiva_with(&["config", "check"], &[("AIVA__EGRESS__TOKEN_KEY", "short")]);
    assert_eq!(short.code(), 2);
    assert!(short.err().contains("token_key"), "{}", short.err());
}

#[test]
fn a_check_says_what_would_be_decided() {
    let world = World::new();
    let roles = "[egress.roles.default]\nmode = \"open\"\n[egress.roles.shop]\nallow_domains = [\"a.example\"]\n\
                 dns.servers = [\"127.0.0.1:9\"]\n[egress.roles.told]\nmode = \"report\"\nports = [444]\n";
    std::fs::write(world.folder.path().join("aiva.toml"), roles).unwrap();
    for (arguments, code, want) in [
        (&["https://93.184.216.34/"][..], 0, "allowed  https://93.184.216.34 by class public (role default)"),
        (&["http://169.254.169.254/x", "--explain"], 1, "address-metadata by class metadata"),
        (&["https://10.0.0.1/", "--explain"], 1, "to allow it"),
        (&["https://b.example/", "--role", "shop"], 1, "name-not-allowed by allow_domains"),
        (&["https://a.example/", "--role", "shop"], 2, "DNS, not policy"),
        (&["https://93.184.216.34/", "--role", "told"], 0, "if enforced"),
        (&["a.example"], 1, "to write     the whole address with its scheme"),
        (&["https://a@b@c/"], 1, "denied   the address: second-at by text"),
        (&["https://127.0.0.1:4750/", "--format", "json"], 1, "\"reason\": \"address-self\""),
    ] {
        let run = world.aiva(&[&["egress", "check"], arguments].concat());
        assert_eq!(run.code(), code, "{arguments:?}: {}{}", run.out(), run.err());
        assert!(run.out().contains(want), "{arguments:?}: {}", run.out());
    }
    let run = world.aiva(&["egress", "check", "https://a.example/", "--role", "shoop"]);
    assert_eq!(run.code(), 2);
    assert!(run.err().contains("shop"), "{}", run.err());
}

#[test]
fn a_role_is_learnt_and_planned_from_past_decisions() {
    let world = World::new();
    let line = |host: &str, outcome: &str| {
        format!(
            r#"{{"role":"shop","caller":"10.1.2.3","outcome":"{outcome}","addresses":["93.184.216.34"],"place":{{"scheme":"https","host":"{host}","port":443}}}}"#
        )
    };
    let file = world.folder.path().join("past.jsonl");
    std::fs::write(
        &file,
        [line("a.example", "allow"), line("b.example", "allow"), line("b.example", "deny")].join("\n"),
    )
    .unwrap();
    let from = ["--from", file.to_str().unwrap()];
    let learnt = world.aiva(&[&["egress", "learn", "--role", "shop"], &from[..]].concat());
    assert_eq!(learnt.code(), 0, "{}", learnt.err());
    assert!(learnt.out().contains("  \"b.example\", # 1\n]"), "{}", learnt.out());
    let plan = |roles: &str| {
        std::fs::write(world.folder.path().join("aiva.toml"), roles).unwrap();
        let run = world.aiva(&[&["egress", "plan"], &from[..]].concat());
        (run.code(), run.out())
    };
    // What was learnt allows what was allowed; the one that was denied would pass as well.
    let (code, text) = plan(&learnt.out());
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("of 3 decisions 0 would be denied, 1 allowed, 0 cannot be told"), "{text}");
    let (code, text) = plan("[egress.roles.shop]\nallow_domains = [\"a.example\"]\n");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("denied         1  shop             https://b.example:443  name-not-allowed"), "{text}");
    let nobody = world.aiva(&[&["egress", "learn", "--role", "lab"], &from[..]].concat());
    assert_eq!(nobody.code(), 2);
    std::fs::write(&file, "{}").unwrap();
    let broken = world.aiva(&[&["egress", "plan"], &from[..]].concat());
    assert_eq!(broken.code(), 2);
    assert!(broken.err().contains("line 1"), "{}", broken.err());
}
