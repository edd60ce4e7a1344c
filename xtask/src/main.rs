//! The developer's tool: `cargo xtask <verb>`.
//!
//! Alone in the import graph: nothing depends on it and it depends on no crate of AIVA. `tidy` holds the walls, `test` is
//! the second command of the README, the rest keeps generated files true or measures things outside CI.

use std::process::ExitCode;

mod addresses;
mod cargo_audit;
mod codegen;
mod fuzz;
mod kill_test;
mod measure;
mod process;
mod product;
mod testing;
mod tidy;

const HELP: &str = "\
usage: cargo xtask <verb>

  test [--quick]   everything CI runs: format, lints, walls, unit and integration tests, real services, kill test;
                   --quick leaves out what needs an installation
  tidy             hold the architecture: import graph, headers, alert to runbook, route to permission, event to schema
  compare-cargo-audit ALL_ZIP LOCK...
                   our findings on Cargo.lock files against cargo-audit's, by the same advisories
  codegen [--check]
                   make code of the contracts in api/, or only compare
  kill-test [ROUNDS] [SEED]
                   kill the product at random moments (20 without ROUNDS) during scans and API writes: nothing that it
                   acknowledged may be missing, nothing undelivered, nothing done twice; then broken builds of it, each of
                   which must be caught
  fuzz [TARGET] [--minutes N]
                   run the fuzz targets of every crate, or one, for a minute each or so long
  bench            release benchmarks: durable events per second, CPU time per request
  callgrind        instructions per request of the whole HTTP stack against a bare axum route
  measure          all figures: start until ready, memory while idle, bench, callgrind
  addresses [--check]
                   make the address table of aiva-outbound from its data
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => testing::run(testing::Extent::Everything),
        ["test", "--quick"] => testing::run(testing::Extent::Quick),
        ["tidy"] => tidy::run(),
        ["compare-cargo-audit", advisories, locks @ ..] if !locks.is_empty() => cargo_audit::run(advisories, locks),
        ["addresses"] => addresses::run(false),
        ["addresses", "--check"] => addresses::run(true),
        ["codegen"] => codegen::run(false),
        ["codegen", "--check"] => codegen::run(true),
        ["kill-test", arguments @ ..] => kill_test::verb(arguments),
        ["fuzz", arguments @ ..] => fuzz::verb(arguments),
        ["bench"] => measure::bench(),
        ["callgrind"] => measure::callgrind(),
        ["measure"] => measure::run(),
        [] | ["help" | "--help" | "-h"] => {
            process::say(HELP);
            return ExitCode::SUCCESS;
        }
        other => Err(anyhow::anyhow!("unknown verb {:?}\n\n{HELP}", other.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
