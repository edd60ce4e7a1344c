//! `aiva events`: tail, dead letters, redrive, through a running server.

use std::process::ExitCode;

use aiva_contracts::api::{DeadLetterPage, Event};
use anyhow::Result;

use super::remote::Api;
use super::terminal::Terminal;
use super::{Events, Global};
use crate::settings;

pub(crate) fn run(command: &Events, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let (Events::Tail { server, .. } | Events::DeadLetters { server } | Events::Redrive { server, .. }) = command;
    let api = Api::of(server, &found)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Events::Tail { kind, .. } => tail(&api, kind.as_deref(), terminal).await,
            Events::DeadLetters { .. } => dead_letters(&api, terminal).await,
            Events::Redrive { ids, .. } => {
                for id in ids {
                    api.post_only(&format!("/v1/dead-letters/{id}/redrive")).await?;
                    terminal.note(&format!("{id} is tried again"));
                }
                Ok(())
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn dead_letters(api: &Api, terminal: Terminal) -> Result<()> {
    let mut path = "/v1/dead-letters".to_owned();
    loop {
        let page: DeadLetterPage = api.get(&path).await?;
        let mut text = String::new();
        for letter in &page.items {
            let event = &letter.event;
            let (id, consumer) = (letter.id, &letter.consumer);
            text.push_str(&format!("{id}  {consumer}  {}  {}\n  {}\n", event.r#type, event.subject, letter.reason));
        }
        terminal.print(&text)?;
        match page.next_cursor {
            Some(cursor) => path = format!("/v1/dead-letters?cursor={cursor}"),
            None => return Ok(()),
        }
    }
}

/// Prints one line an event until the server goes away.
async fn tail(api: &Api, kind: Option<&str>, terminal: Terminal) -> Result<()> {
    let query = kind.map(|kind| format!("?type={kind}")).unwrap_or_default();
    let mut stream = api.stream(&format!("/v1/events/tail{query}")).await?;
    let mut pending = Vec::new();
    while let Some(bytes) = stream.chunk().await? {
        pending.extend_from_slice(&bytes);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let Some(data) = line.strip_prefix(b"data:") else { continue };
            let Ok(event) = serde_json::from_slice::<Event>(data) else { continue };
            terminal.print(&format!("{}  {:<36} {}  {}\n", event.time, event.r#type, event.subject, event.source))?;
        }
    }
    Ok(())
}
