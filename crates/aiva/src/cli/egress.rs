//! `aiva egress`: ask what would be decided, prove the guard on a corpus, move in from another.
//!
//! All of it works offline and by the configuration; nothing is connected to but the server whose records or stored roles are
//! asked for.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};

use super::Global;
use super::terminal::Terminal;

mod check;
mod import;
mod past;
mod role;
mod selftest;
mod stored;

/// `aiva egress`
#[derive(Debug, Subcommand)]
pub(crate) enum Egress {
    /// Ask what would be decided about one address; exit 0 allowed, 1 denied, 2 nobody can say.
    Check(check::Check),
    /// Ask every form of the guard every question of a corpus; exit 1 when one is answered wrongly.
    Selftest(selftest::Selftest),
    /// Propose a role from what its callers asked for.
    Learn(past::Learn),
    /// Say what the configuration here would have decided otherwise; exit 1 when something changes, 3 when it cannot be told.
    Plan(past::Plan),
    /// Take over the rules of another guard.
    #[command(subcommand)]
    Import(Import),
}

/// `aiva egress import`
#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Print a Smokescreen ACL (v1) as roles; exit 3 when something could not be carried over.
    Smokescreen {
        /// The ACL.
        file: PathBuf,
    },
}

/// `--form`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// The engine decides.
    Engine,
    /// A proxy on loopback is asked.
    Proxy,
    /// A client of the library calls.
    Library,
    /// The decision API is asked.
    Api,
}

/// `--tier`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tier {
    /// Cases that every guard must get right.
    Core,
    /// Cases where we chose.
    Policy,
}

pub(crate) fn run(command: &Egress, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    match command {
        Egress::Check(check) => check::run(check, global, terminal),
        Egress::Selftest(selftest) => selftest::run(selftest, global, terminal),
        Egress::Learn(learn) => past::learn(learn, global, terminal),
        Egress::Plan(plan) => past::plan(plan, global, terminal),
        Egress::Import(Import::Smokescreen { file }) => import::smokescreen(file, terminal),
    }
}
