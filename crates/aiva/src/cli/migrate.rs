//! `aiva migrate`: the schema's steps.

use std::process::ExitCode;

use aiva_chassis::clock::SystemClock;
use aiva_store::migrate;
use anyhow::Result;
use jiff::Timestamp;

use super::terminal::Terminal;
use super::{Global, Migrate};
use crate::{settings, wiring};

pub(crate) fn run(command: &Migrate, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let data = settings::data_directory(found.loaded.config.server.data_dir.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let database = wiring::database(&found.loaded.config, &data).await?;
        let statuses = match command {
            Migrate::Status => migrate::status(&database, wiring::MIGRATIONS).await?,
            Migrate::Up => migrate::up(&database, wiring::MIGRATIONS, &SystemClock).await?,
        };
        let mut text = String::new();
        for step in &statuses {
            let applied = step.applied_at.map(Timestamp::from_microsecond).transpose()?;
            let state = match (applied, step.known) {
                (Some(at), true) => format!("applied {at}"),
                (Some(at), false) => format!("applied {at} by a newer release"),
                (None, _) => "missing".to_owned(),
            };
            text.push_str(&format!("{:<10} {:>3} {:<24} {state}\n", step.owner, step.version, step.name));
        }
        let missing = statuses.iter().filter(|step| step.applied_at.is_none()).count();
        match (command, missing) {
            (Migrate::Status, 0) => text.push_str("Nothing is missing.\n"),
            (Migrate::Status, 1) => text.push_str("1 step is missing: run `aiva migrate up`.\n"),
            (Migrate::Status, _) => text.push_str(&format!("{missing} steps are missing: run `aiva migrate up`.\n")),
            (Migrate::Up, _) if statuses.is_empty() => text.push_str("Nothing was missing.\n"),
            (Migrate::Up, _) => {}
        }
        terminal.print(&text)?;
        Ok(ExitCode::SUCCESS)
    })
}
