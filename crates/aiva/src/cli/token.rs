//! `aiva token`: show and rotate the bootstrap token.

use std::process::ExitCode;

use aiva_authn::bootstrap::TokenFile;
use aiva_store::directory::DataDirectory;
use anyhow::Result;

use super::terminal::Terminal;
use super::{Global, Token};
use crate::settings;

pub(crate) fn run(command: &Token, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let data = settings::data_directory(found.loaded.config.server.data_dir.as_deref())?;
    DataDirectory::open(&data)?;
    let file = TokenFile::within(&data);
    let token = match command {
        Token::Show => file.ensure()?,
        Token::Rotate => {
            file.ensure()?;
            let token = file.rotate()?;
            terminal.note("the old token and every console session stopped working");
            token
        }
    };
    terminal.print(&format!("{}\n", token.expose()))?;
    Ok(ExitCode::SUCCESS)
}
