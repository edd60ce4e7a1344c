//! `aiva token`: show and rotate the bootstrap token; print a one-time link into the console.

use std::process::ExitCode;

use aiva_authn::bootstrap::TokenFile;
use aiva_contracts::api::ConsoleLink;
use aiva_store::directory::DataDirectory;
use anyhow::Result;

use super::remote::Api;
use super::terminal::Terminal;
use super::{Global, Token};
use crate::settings;

pub(crate) fn run(command: &Token, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    if let Token::Link { server } = command {
        let api = Api::of(server, &found)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let link: ConsoleLink = runtime.block_on(api.make("/v1/console-links"))?;
        terminal.note("good for ten minutes and one sign-in");
        terminal.print(&format!("{}\n", api.url(&link.path)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let data = settings::data_directory(found.loaded.config.server.data_dir.as_deref())?;
    DataDirectory::open(&data)?;
    let file = TokenFile::within(&data);
    let token = match command {
        Token::Show | Token::Link { .. } => file.ensure()?,
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
