//! `aiva egress import`: another guard's rules as roles, to be put into `aiva.toml`.

use std::path::Path;
use std::process::ExitCode;

use aiva_egress::smokescreen;
use anyhow::Result;

use crate::cli::exit::Outcome;
use crate::cli::terminal::{Terminal, complain};
use crate::failure::Failure;

pub(super) fn smokescreen(file: &Path, terminal: Terminal) -> Result<ExitCode> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(format!("cannot read {}", file.display())).because(error))?;
    let import = smokescreen::import(&text).map_err(|error| {
        Failure::new(format!("{} was not taken over", file.display()))
            .because(error)
            .hint("give the file that Smokescreen is started with as --egress-acl-file")
    })?;
    terminal.print(&format!("{}{}", import.comments(), import.toml()))?;
    for remark in &import.remarks {
        complain(&format!("warning: {remark}"));
    }
    terminal.note(&format!("{} roles; put them into aiva.toml and run `aiva config check`", import.roles.len()));
    let outcome = if import.remarks.is_empty() { Outcome::Clean } else { Outcome::Incomplete };
    Ok(outcome.into())
}
