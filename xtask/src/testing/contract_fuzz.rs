//! Attacks a live server by its own contract: every operation of `api/openapi.yaml`, bounded and seeded.
//!
//! `contract_fuzz/known.py` tells the attacker what exists, so that it meets more than 404.

use std::path::Path;

use anyhow::Result;

use crate::process;
use crate::product::{self, Server};

/// Endless streams, a download from the Internet, and the contract itself, whose YAML no schema describes.
const UNFIT: &str = "/events/tail$|/scans/[^/]+/events$|/advisories/updates$|/openapi.yaml$";

/// The attacker asks for fetches of whatever it thinks of: none may reach anybody, not even through the DNS. The default role
/// names nothing that may be reached, and no role that the attacker makes itself is fetched by; that it decides by none of
/// them either, which would ask the DNS, is seen to by `known.py`.
const NOBODY_LEAVES: [(&str, &str); 2] =
    [("AIVA__EGRESS__ROLES__DEFAULT__MODE", "enforce"), ("AIVA__EGRESS__FETCH__ROLES", "default")];

/// Starts the product on the demo in a folder of its own, attacks it, and stops it.
pub(super) fn run(schemathesis: &str, target: &Path, work: &Path) -> Result<()> {
    let binary = super::product(target)?;
    let data = tempfile::Builder::new().prefix("contract-fuzz").tempdir_in(work)?;
    let server = Server::start_with(&binary, data.path(), &["--demo"], &NOBODY_LEAVES)?;
    let token = product::token(&binary, data.path())?;
    let authorization = format!("Authorization: Bearer {token}");
    let (database, program) = (data.path().join("aiva.db").display().to_string(), binary.display().to_string());
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
            // How fast the attacker makes things up depends on the machine and says nothing of the server.
            "--suppress-health-check",
            "too_slow",
            "--exclude-path-regex",
            UNFIT,
            "--no-color",
        ],
        &[
            ("SCHEMATHESIS_HOOKS", "xtask/src/testing/contract_fuzz/known.py"),
            ("AIVA_URL", &server.url),
            ("AIVA_TOKEN", &token),
            ("AIVA_DATABASE", &database),
            ("AIVA_BINARY", &program),
        ],
    );
    server.stop()?;
    outcome
}
