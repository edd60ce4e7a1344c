//! `aiva sca`: what a developer asks of the dependency guard besides a scan.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use aiva_sca::version::Order;
use anyhow::{Context as _, Result};

use super::Sca;
use super::exit::Outcome;
use super::terminal::Terminal;
use crate::failure::Failure;

pub(crate) fn run(command: &Sca, terminal: Terminal) -> Result<ExitCode> {
    match command {
        Sca::VersionOrder { ecosystem, file } => version_order(ecosystem, file, terminal),
    }
}

fn version_order(ecosystem: &str, file: &Path, terminal: Terminal) -> Result<ExitCode> {
    let order = Order::of(ecosystem).ok_or_else(|| {
        let known: Vec<&str> = Order::names().collect();
        Failure::new(format!("no order of versions is known for {ecosystem:?}"))
            .hint(format!("write the ecosystem as OSV does: {}", known.join(", ")))
    })?;
    let list = read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let checked = order.check(&list);
    let mut said = String::new();
    for miss in &checked.missed {
        said.push_str(&format!("{}:{}: {} does not hold: {}\n", file.display(), miss.line, miss.text, miss.instead));
    }
    said.push_str(&format!("{} passed, {} failed\n", checked.passed, checked.missed.len()));
    terminal.print(&said)?;
    Ok(if checked.missed.is_empty() { Outcome::Clean } else { Outcome::Findings }.into())
}

/// `-` is the standard input.
fn read(file: &Path) -> std::io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file)
}
