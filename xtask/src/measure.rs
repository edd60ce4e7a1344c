//! Measures what we promise of size and speed, in release builds and by one command each. Never part of CI: figures of a
//! busy machine are no verdict. CPU time and instructions come first, wall clock second.
//!
//! `bench`: durable events per second, CPU time per request. `callgrind`: instructions per request of the whole HTTP stack
//! against a bare axum route. `measure`: both, and what `aiva up` takes to start and to idle.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::process::{self, say};
use crate::product::{self, Client, Server};
use crate::testing;

/// How often the start is measured.
const STARTS: usize = 9;

/// How long the server idles before its memory is read.
const IDLE: Duration = Duration::from_secs(60);

/// Requests of the shorter and the longer run under callgrind.
const REQUESTS: [u64; 2] = [500, 2500];

/// `cargo xtask bench`.
pub(crate) fn bench() -> Result<()> {
    let folder = testing::target_directory()?.display().to_string();
    process::run(
        "cargo",
        &["bench", "--quiet", "-p", "aiva-events", "--bench", "events"],
        &[("AIVA_BENCH_DIR", &folder)],
    )?;
    process::run("cargo", &["bench", "--quiet", "-p", "aiva-chassis", "--bench", "http_stack"], &[])
}

/// `cargo xtask callgrind`.
pub(crate) fn callgrind() -> Result<()> {
    ensure!(
        process::has("valgrind"),
        "callgrind is part of valgrind, which is not installed: apt-get install valgrind"
    );
    let program = http_stack()?;
    say("instructions per request");
    let bare = per_request(&program, "bare")?;
    say(&format!("{bare:>10}  bare axum route"));
    for (variant, meaning) in [("full", "whole stack"), ("full-log", "whole stack with access log")] {
        let whole = per_request(&program, variant)?;
        say(&format!("{whole:>10}  {meaning}: {:.2} times the bare route", whole as f64 / bare as f64));
    }
    Ok(())
}

/// `cargo xtask measure`.
pub(crate) fn run() -> Result<()> {
    process::run("cargo", &["build", "--release", "--quiet", "--package", "aiva"], &[])?;
    let target = testing::target_directory()?;
    let binary = target.join("release").join("aiva");
    let size = std::fs::metadata(&binary)?.len();
    say(&format!("binary: {:.1} MiB", size as f64 / 1_048_576.0));
    start(&binary)?;
    idle(&binary)?;
    bench()?;
    if process::has("valgrind") {
        return callgrind();
    }
    say("callgrind: skipped, valgrind is not installed");
    Ok(())
}

/// From the process's start until it is ready, and until the demo's findings are there.
fn start(binary: &Path) -> Result<()> {
    let (mut fresh, mut again, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let data = tempfile::tempdir()?;
        let begun = Instant::now();
        let server = Server::start(binary, data.path(), &["--demo"])?;
        ready(&server)?;
        fresh.push(begun.elapsed());
        scanned(&server, &product::token(binary, data.path())?)?;
        findings.push(begun.elapsed());
        server.stop()?;
        let begun = Instant::now();
        let server = Server::start(binary, data.path(), &["--demo"])?;
        ready(&server)?;
        again.push(begun.elapsed());
        server.stop()?;
    }
    for (what, times) in [
        ("ready, new data directory", fresh),
        ("ready, second start", again),
        ("the demo's findings are there", findings),
    ] {
        say(&format!("start until {what}: median {} ms of {STARTS}", median(times).as_millis()));
    }
    Ok(())
}

fn ready(server: &Server) -> Result<()> {
    let mut client = Client::new(&server.admin, "");
    for _ in 0..10_000 {
        if client.get("/readyz").is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    bail!("the server was not ready in time")
}

fn scanned(server: &Server, token: &str) -> Result<()> {
    let mut client = Client::new(&server.url, token);
    for _ in 0..10_000 {
        let services = client.get("/v1/services")?;
        let items = services["items"].as_array().context("a list of services")?;
        if items.iter().all(|service| service["last_scan"]["state"] == "completed") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    bail!("the demo was not scanned in time")
}

/// The memory of a server that has scanned the demo and then had nothing to do.
fn idle(binary: &Path) -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = Server::start(binary, data.path(), &["--demo"])?;
    scanned(&server, &product::token(binary, data.path())?)?;
    std::thread::sleep(IDLE);
    let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", server.id()))?;
    let mebibytes = |name: &str| {
        let line =
            rollup.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok());
        line.map_or(f64::NAN, |kibibytes| kibibytes / 1024.0)
    };
    let seconds = IDLE.as_secs();
    let [rss, pss, anonymous] = ["Rss:", "Pss:", "Anonymous:"].map(mebibytes);
    say(&format!(
        "memory after {seconds} s idle: {rss:.1} MiB resident, {pss:.1} proportional, {anonymous:.1} anonymous"
    ));
    server.stop()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The benchmark's program, built in release.
fn http_stack() -> Result<PathBuf> {
    let build =
        ["bench", "--quiet", "-p", "aiva-chassis", "--bench", "http_stack", "--no-run", "--message-format=json"];
    let out = process::output("cargo", &build)?;
    let programs = cargo_metadata::Message::parse_stream(out.as_bytes()).filter_map(|message| match message {
        Ok(cargo_metadata::Message::CompilerArtifact(built)) if built.target.name == "http_stack" => built.executable,
        _ => None,
    });
    Ok(programs.last().context("cargo names no executable")?.into())
}

/// The difference of two runs over the difference of their requests: free of start-up.
fn per_request(program: &Path, variant: &str) -> Result<u64> {
    let [few, many] = REQUESTS;
    let counted = |requests| instructions(program, variant, requests);
    Ok(counted(many)?.saturating_sub(counted(few)?) / (many - few))
}

fn instructions(program: &Path, variant: &str, requests: u64) -> Result<u64> {
    let out = std::process::Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([variant, &requests.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "callgrind failed: {text}");
    collected(&text).with_context(|| format!("callgrind counted nothing: {text}"))
}

/// `==123== Collected : 456` as 456.
fn collected(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callgrind_s_count_is_read() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 123456\n==7== \n"), Some(123_456));
        assert_eq!(collected("==7== no counts"), None);
    }

    #[test]
    fn a_median_is_in_the_middle() {
        let times = [9, 1, 5].map(Duration::from_millis).to_vec();
        assert_eq!(median(times), Duration::from_millis(5));
        assert_eq!(median(Vec::new()), Duration::ZERO);
    }
}
