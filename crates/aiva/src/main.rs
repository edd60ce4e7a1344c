//! AIVA: guards a company's services on four sides and tells one story about each.
//!
//! The composition root. `cli` is what scripts and people rely on, `wiring` puts the guards together for a server, `look` and
//! `join` tie guard and findings where there is none. Start reading at [`main`].

use std::process::ExitCode;

use clap::Parser as _;

mod calls;
mod cli;
mod demo;
mod failure;
mod join;
mod look;
mod memory;
mod settings;
mod wiring;

use cli::terminal::{Terminal, complain};
use cli::{Cli, Command, exit};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let Cli { command, global } = Cli::parse();
    let terminal = Terminal::detect(&global);
    let outcome = match &command {
        Command::Scan(scan) => cli::scan::run(scan, &global, terminal),
        Command::Advisories(command) => cli::advisories::run(command, &global, terminal),
        Command::Sca(command) => cli::sca::run(command, &global, terminal),
        Command::Up(up) => cli::up::run(up, &global, terminal),
        Command::Serve(serve) => cli::serve::run(serve, &global, terminal),
        Command::Config(command) => cli::config::run(command, &global, terminal),
        Command::Token(command) => cli::token::run(command, &global, terminal),
        Command::Migrate(command) => cli::migrate::run(command, &global, terminal),
        Command::Events(command) => cli::events::run(command, &global, terminal),
        Command::Egress(command) => cli::egress::run(command, &global, terminal),
        Command::Mcp(server) => cli::mcp::run(server, &global, terminal),
        Command::Completions { shell } => cli::handbook::completions(*shell, terminal),
        Command::Man { folder } => cli::handbook::man(folder.as_deref(), terminal),
    };
    outcome.unwrap_or_else(|error| {
        complain(&failure::explain(&error));
        exit::could_not()
    })
}
