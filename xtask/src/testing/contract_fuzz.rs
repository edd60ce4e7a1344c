//! Attacks a live server by its own contract: every operation of `api/openapi.yaml`, bounded and seeded.

use std::path::Path;

use anyhow::Result;

use crate::process;
use crate::product::{self, Server};

/// Endless streams, a download from the Internet, and the contract itself, whose YAML no schema describes.
const UNFIT: &str = "/events/tail$|/scans/[^/]+/events$|/advisories/updates$|/openapi.yaml$";

/// Starts the product on the demo in a folder of its own, attacks it, and stops it.
pub(super) fn run(schemathesis: &str, target: &Path, work: &Path) -> Result<()> {
    let binary = super::product(target)?;
    let data = tempfile::Builder::new().prefix("contract-fuzz").tempdir_in(work)?;
    let server = Server::start(&binary, data.path(), &["--demo"])?;
    let authorization = format!("Authorization: Bearer {}", product::token(&binary, data.path())?);
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
