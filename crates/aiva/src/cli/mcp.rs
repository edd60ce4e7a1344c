//! `aiva mcp`: the Model Context Protocol over stdin and stdout, answered by a running server.
//!
//! One line is one message. Nothing but answers is ever written to stdout; what goes wrong is an answer with an error for a
//! request, and a line on stderr for a notification. The server keeps no sessions: which version was agreed on is remembered
//! here and told it with every message. Ends when stdin does, once every answer is written.

use std::collections::HashMap;
use std::io::{BufRead as _, Read as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinError, JoinSet};

use super::remote::Api;
use super::terminal::{Terminal, complain};
use super::{Global, Server};
use crate::settings;

/// The longest message.
const LONGEST: u64 = 1 << 20;

/// How many are answered at once; a slow fetch must not keep a ping waiting.
const AT_ONCE: usize = 16;

/// The error of JSON-RPC for what is not the request's fault.
const INTERNAL: i64 = -32_603;

pub(crate) fn run(server: &Server, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let api = Arc::new(Api::of(server, &found)?);
    let (lines, incoming) = mpsc::channel(AT_ONCE);
    // Reading stdin blocks: it has a thread, which ends with stdin or with us.
    std::thread::spawn(move || read(&lines));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Bridge { api, terminal, version: None, under_way: HashMap::new() }.run(incoming))?;
    Ok(ExitCode::SUCCESS)
}

/// Hands the lines of stdin on, until it ends or nobody listens. A line that is too long ends it as well.
fn read(lines: &mpsc::Sender<String>) {
    let mut stdin = std::io::stdin().lock();
    loop {
        let mut line = String::new();
        match stdin.by_ref().take(LONGEST).read_line(&mut line) {
            Ok(0) => return,
            Ok(_) if line.len() as u64 >= LONGEST => return complain("aiva mcp: a message of more than 1 MiB"),
            Ok(_) if line.trim().is_empty() => {}
            Ok(_) => {
                if lines.blocking_send(line).is_err() {
                    return;
                }
            }
            Err(error) => return complain(&format!("aiva mcp: cannot read stdin: {error}")),
        }
    }
}

/// Between stdin and the server.
struct Bridge {
    api: Arc<Api>,
    terminal: Terminal,
    /// What was agreed on.
    version: Option<Arc<str>>,
    /// Requests that are being answered, by their ids as JSON.
    under_way: HashMap<String, AbortHandle>,
}

impl Bridge {
    async fn run(mut self, mut incoming: mpsc::Receiver<String>) -> Result<()> {
        let (room, mut answers) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
        while let Some(line) = incoming.recv().await {
            let message: Value = serde_json::from_str(&line).unwrap_or_default();
            match message.get("method").and_then(Value::as_str) {
                Some("notifications/cancelled") => {
                    self.cancel(&message);
                    continue;
                }
                // Nothing may be asked before it is answered, and its answer says how to ask.
                Some("initialize") => {
                    self.initialize(line, &message).await?;
                    continue;
                }
                _ => {}
            }
            let place = Arc::clone(&room).acquire_owned().await?;
            let (api, version, terminal) = (Arc::clone(&self.api), self.version.clone(), self.terminal);
            let id = message.get("id").map(Value::to_string);
            let answering = answers.spawn(async move {
                let _place = place;
                print(terminal, answer(&api, version.as_deref(), line, &message).await)
            });
            self.under_way.retain(|_, answering| !answering.is_finished());
            self.under_way.extend(id.map(|id| (id, answering)));
            while let Some(written) = answers.try_join_next() {
                done(written)?;
            }
        }
        while let Some(written) = answers.join_next().await {
            done(written)?;
        }
        Ok(())
    }

    async fn initialize(&mut self, line: String, message: &Value) -> Result<()> {
        let answered = answer(&self.api, None, line, message).await;
        let agreed = answered.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let agreed =
            agreed.as_ref().and_then(|answer| answer.pointer("/result/protocolVersion")).and_then(Value::as_str);
        self.version = agreed.map(Arc::from);
        print(self.terminal, answered)
    }

    /// The server hears of it by our hanging up: it stops fetching.
    fn cancel(&mut self, message: &Value) {
        let id = message.pointer("/params/requestId").map(Value::to_string);
        if let Some(answering) = id.and_then(|id| self.under_way.remove(&id)) {
            answering.abort();
        }
    }
}

/// A request that was cancelled is not answered.
fn done(written: Result<Result<()>, JoinError>) -> Result<()> {
    match written {
        Err(error) if error.is_cancelled() => Ok(()),
        written => written?,
    }
}

fn print(terminal: Terminal, answered: Option<String>) -> Result<()> {
    Ok(answered.map_or(Ok(()), |text| terminal.print(&format!("{text}\n")))?)
}

/// One line of answer, or nothing for a notification.
async fn answer(api: &Api, version: Option<&str>, line: String, message: &Value) -> Option<String> {
    let answered = match api.exchange("/mcp", version, line).await {
        Ok(other) if !other.trim().is_empty() && !other.contains("\"jsonrpc\"") => {
            Err(anyhow::anyhow!("the server answered with something that is no message of JSON-RPC"))
        }
        answered => answered,
    };
    match answered {
        Ok(answer) if answer.trim().is_empty() => None,
        // The server writes JSON without line breaks; one that a proxy has put in would end the message.
        Ok(answer) => Some(answer.trim().replace(['\r', '\n'], " ")),
        Err(error) => {
            let text = format!("{error:#}");
            let Some(id) = message.get("id") else {
                complain(&format!("aiva mcp: {text}"));
                return None;
            };
            Some(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": INTERNAL, "message": text } }).to_string())
        }
    }
}
