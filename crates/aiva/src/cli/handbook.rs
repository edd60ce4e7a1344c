//! `aiva completions` and `aiva man`: made of the command line's own declaration, so that they never lag behind it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;
use super::terminal::Terminal;

/// The name under which people call it.
const NAME: &str = "aiva";

/// `aiva completions SHELL`
pub(crate) fn completions(shell: Shell, terminal: Terminal) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    terminal.print(&String::from_utf8(script)?)?;
    Ok(ExitCode::SUCCESS)
}

/// `aiva man [FOLDER]`
pub(crate) fn man(folder: Option<&Path>, terminal: Terminal) -> Result<ExitCode> {
    let command = Cli::command();
    match folder {
        Some(folder) => clap_mangen::generate_to(command, folder)
            .with_context(|| format!("cannot write manual pages into {}", folder.display()))?,
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page)?;
            terminal.print(&String::from_utf8(page)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
