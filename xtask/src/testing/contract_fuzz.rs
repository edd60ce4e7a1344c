//! Attacks a live server by its own contract: every operation of `api/openapi.yaml`, bounded and seeded.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

/// Endless streams, a download from the Internet, and the contract itself, whose YAML no schema describes.
const UNFIT: &str = "/events/tail$|/scans/[^/]+/events$|/advisories/updates$|/openapi.yaml$";

/// Starts the product on the demo in a folder of its own, attacks it, and stops it.
pub(super) fn run(schemathesis: &str, target: &Path, work: &Path) -> Result<()> {
    let binary = super::product(target)?;
    let data = tempfile::Builder::new().prefix("contract-fuzz").tempdir_in(work)?;
    let server = Server::start(&binary, data.path())?;
    let token = process::output(
        &binary.display().to_string(),
        &["token", "show", "--data-dir", &data.path().display().to_string()],
    )?;
    let authorization = format!("Authorization: Bearer {}", token.trim());
    let outcome = process::run(
        schemathesis,
        &[
            "run",
            "api/openapi.yaml",
            "--url",
            &server.url,
            "--header",
            &authorization,
            "--seed",
            "20261121",
            "--max-examples",
            "25",
            // One worker: CPython 3.11 parses source text wrongly from two threads at once ("AST constructor recursion
            // depth mismatch"), and a crash of the attacker is no verdict on the server.
            "--workers",
            "1",
            "--phases",
            "examples,coverage,fuzzing",
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
            "--exclude-path-regex",
            UNFIT,
            "--no-color",
        ],
        &[],
    );
    server.stop()?;
    outcome
}

/// The product as a child of ours.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(binary: &Path, data: &Path) -> Result<Self> {
        let mut child = Command::new(binary)
            .args(["up", "--demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .env("AIVA__SERVER__RATE_LIMIT__PER_CLIENT", "0")
            .env("AIVA__SERVER__RATE_LIMIT__WHOLE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("the server's output")?);
        let mut line = String::new();
        loop {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                bail!("the server ended before it was ready");
            }
            if let Some(start) = line.find("http://127.0.0.1:") {
                let url: String = line[start..].split(['/', ' ', '\n']).take(3).collect::<Vec<_>>().join("/");
                std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
                return Ok(Self { child, url });
            }
        }
    }

    /// Asks it to drain and expects a clean end.
    fn stop(mut self) -> Result<()> {
        process::run("kill", &["-TERM", &self.child.id().to_string()], &[])?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server did not end cleanly ({status})");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only reached with a running child when something failed before `stop`.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
