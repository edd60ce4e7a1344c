//! `aiva config`: check, print, example.

use std::process::ExitCode;

use aiva_chassis::clock;
use aiva_egress::service::Guard;
use anyhow::Result;

use super::terminal::{self, Terminal};
use super::{Config, Global};
use crate::settings::{self, EXAMPLE_INTRO, Settings};

pub(crate) fn run(command: &Config, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    if let Config::Example = command {
        terminal.print(&aiva_chassis::config::example::<Settings>(EXAMPLE_INTRO))?;
        return Ok(ExitCode::SUCCESS);
    }
    let found = settings::find(global, Vec::new())?;
    for warning in &found.loaded.warnings {
        terminal::complain(&format!("warning: {warning}"));
    }
    let (_, egress) = Guard::new(found.loaded.config.egress.clone(), clock::system())?;
    for ended in &egress.ended {
        terminal::complain(&format!("warning: {ended} has ended and opens nothing any more: renew it or take it out"));
    }
    match command {
        Config::Print => terminal.print(&found.loaded.print())?,
        Config::Check | Config::Example => {
            let from = found.file.map_or_else(|| "no file, all defaults".to_owned(), |file| file.display().to_string());
            terminal.note(&format!("the configuration holds ({from})"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
