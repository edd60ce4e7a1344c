//! The README's second command: everything CI runs, from a cold machine, closing with what was skipped.
//!
//! A test that needs a real part gets it here: what is missing is installed where that is possible (see [`services`]), and
//! what cannot be had is named in the closing lines. With `CI=true` a skipped service is a failure: a green run that
//! quietly tested less is worth nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;

mod contract_fuzz;
mod services;
mod tally;

use services::Services;
use tally::Tally;

/// The short form of the kill test; `cargo xtask kill-test` does the long one.
const KILLS: u32 = 3;

/// How much of the run is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What CI runs.
    Everything,
    /// Only what needs no installation.
    Quick,
}

/// Runs every step, goes on after a failure, and closes with the counts and the skips.
pub(crate) fn run(extent: Extent) -> Result<()> {
    let target = target_directory()?;
    let work = target.join("xtask-test");
    std::fs::create_dir_all(&work)?;
    let skips = work.join("skips");
    drop(std::fs::remove_file(&skips));

    let services = match extent {
        Extent::Everything => Services::provide(&work),
        Extent::Quick => Services::found(&work),
    };
    let mut tally = Tally::default();
    tally.step("format", || process::run("cargo", &["fmt", "--all", "--check"], &[]));
    tally.step("lints", || {
        process::run("cargo", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"], &[])
    });
    tally.tool("spelling", services.typos.as_ref(), |typos| process::run(typos, &["--quiet"], &[]));
    tally.tool("dependency policy", services.cargo_deny.as_ref(), |deny| {
        process::run(deny, &["check", "bans", "licenses", "sources"], &[])
    });
    tally.tests("workspace tests", &["test", "--workspace", "--no-fail-fast"], &services.environment(&skips));
    tally.step("kill test", || crate::kill_test::short(KILLS));
    tally.tool("contract fuzzing", services.schemathesis.as_ref(), |schemathesis| {
        contract_fuzz::run(schemathesis, &target, &work)
    });
    tally.read_skips(&skips);
    tally.close(std::env::var_os("CI").is_some() && extent == Extent::Everything)
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(process::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    Ok(metadata.target_directory.into_std_path_buf())
}

/// Builds the product's binary in the same profile as the tests and says where it lies.
pub(crate) fn product(target: &Path) -> Result<PathBuf> {
    process::run("cargo", &["build", "--quiet", "--package", "aiva"], &[])?;
    let binary = target.join("debug").join("aiva");
    if !binary.is_file() {
        bail!("cargo built no {}", binary.display());
    }
    Ok(binary)
}
