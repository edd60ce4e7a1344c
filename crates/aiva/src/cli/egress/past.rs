//! `aiva egress learn` and `aiva egress plan`: decisions of the past, from a running server or a file.
//!
//! Nothing is decided here anew but by the guard's own code, and nothing is connected to but the server that is asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use aiva_chassis::clock::{self, Clock as _, SystemClock};
use aiva_egress::past::learn::Proposal;
use aiva_egress::past::plan::{self, Then};
use aiva_egress::past::{Outcome as Was, Past};
use aiva_egress::service::Guard;
use anyhow::Result;
use clap::Args;
use serde::Deserialize;

use super::stored;
use crate::cli::exit::Outcome;
use crate::cli::remote::Api;
use crate::cli::terminal::{Terminal, complain};
use crate::cli::{Global, Server};
use crate::failure::Failure;
use crate::settings::{self, Found};

/// The most that the server is asked for at once.
const PAGE: usize = 200;

/// Which decisions.
#[derive(Debug, Args)]
struct Source {
    /// How many of the last decisions.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    last: usize,
    /// Read them from a file, one JSON object a line, instead of from the server.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

/// `aiva egress learn`
#[derive(Debug, Args)]
pub(crate) struct Learn {
    /// The role that the callers had.
    #[arg(long, value_name = "ROLE")]
    role: String,
    #[command(flatten)]
    source: Source,
}

/// `aiva egress plan`
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Go by the roles that the running server keeps, too; they are asked for wherever the decisions come from the server.
    #[arg(long)]
    stored: bool,
    #[command(flatten)]
    source: Source,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Past>,
    #[serde(default)]
    next_cursor: Option<String>,
}

/// Prints a role that allows what was seen.
pub(super) fn learn(command: &Learn, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let mut proposal = Proposal::default();
    let all = decisions(&command.source, Some(&command.role), &found)?;
    all.iter().filter(|past| past.role == command.role).for_each(|past| proposal.see(past));
    if proposal.is_empty() {
        return Err(Failure::new(format!("no allowed decision of the role {:?} is known", command.role))
            .hint("give it mode = \"learn\" and let its callers work for a while; or look further back with --last")
            .into());
    }
    let configured = found.loaded.config.egress.roles.get(&command.role).cloned();
    let kept = match configured {
        None if command.source.from.is_none() => stored::roles(&command.source.server, &found)?.remove(&command.role),
        configured => configured,
    };
    let today = SystemClock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
    if kept.is_none() {
        complain(
            "warning: the role is not in this configuration: what else it says, such as exceptions, is not proposed",
        );
    }
    terminal.print(&proposal.toml(&command.role, kept.as_ref(), today))?;
    terminal.note("put it into aiva.toml and hold it against the same decisions with `aiva egress plan`");
    Ok(Outcome::Clean.into())
}

/// One change, as often as it was met.
type Changes = BTreeMap<(Then, String, String), (u64, Was)>;

/// Prints what the configuration here would have decided otherwise.
pub(super) fn plan(command: &Plan, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let all = decisions(&command.source, None, &found)?;
    let (guard, ended) = Guard::new(found.loaded.config.egress.clone(), clock::system())?;
    for what in &ended.ended {
        complain(&format!("warning: {what} has ended and opens nothing"));
    }
    if command.stored || command.source.from.is_none() {
        guard.store_roles(stored::roles(&command.source.server, &found)?)?;
    }
    guard.listens(&own(&found));
    let now: SystemTime = SystemClock.now().into();
    let mut changes = Changes::new();
    for past in &all {
        let replayed = plan::replay(&guard, past, now);
        if replayed.then != Then::Same {
            let place = format!("{}://{}:{}", past.scheme, past.host, past.port);
            let key = (replayed.then, replayed.role.to_string(), place);
            changes.entry(key).or_insert((0, past.outcome)).0 += 1;
        }
    }
    terminal.print(&text(&changes, all.len()))?;
    let known = |(then, _, _): &(Then, String, String)| *then != Then::Unknown;
    Ok(match changes.keys().any(known) {
        true => Outcome::Findings.into(),
        false if changes.is_empty() => Outcome::Clean.into(),
        false => Outcome::Incomplete.into(),
    })
}

fn own(found: &Found) -> Vec<std::net::SocketAddr> {
    let settings = &found.loaded.config;
    vec![settings.egress.listen, settings.server.listen, settings.server.admin_listen]
}

fn text(changes: &Changes, all: usize) -> String {
    let mut rows: Vec<_> = changes.iter().collect();
    // What is cut off first, and of that what is asked for most.
    let rank = |then: &Then| match then {
        Then::Denied(..) => 0,
        Then::Allowed(_) => 1,
        Then::Unknown => 2,
        Then::Same => 3,
    };
    rows.sort_by_key(|((then, ..), (count, _))| (rank(then), std::cmp::Reverse(*count)));
    let mut text = String::new();
    let mut counts = [0_u64; 3];
    for ((then, role, place), (count, was)) in rows {
        let (verdict, why) = match then {
            Then::Denied(reason, rule) => ("denied", format!("{reason} by {rule}")),
            Then::Allowed(rule) => ("allowed", format!("by {rule}")),
            Then::Unknown => ("unknown", "its addresses were not looked up".to_owned()),
            Then::Same => continue,
        };
        counts[rank(then)] += count;
        let was = was.name();
        let _cannot_fail = writeln!(text, "{verdict:<8} {count:>7}  {role:<16} {place}  {why} (was {was})");
    }
    let [denied, allowed, unknown] = counts;
    let _cannot_fail = writeln!(
        text,
        "of {all} decisions {denied} would be denied, {allowed} allowed, {unknown} cannot be told; the rest stays"
    );
    text
}

fn decisions(source: &Source, role: Option<&str>, found: &Found) -> Result<Vec<Past>> {
    match &source.from {
        Some(file) => of_file(file, source.last),
        None => of_server(source, role, found),
    }
}

/// The last of the file: what was written last is newest.
fn of_file(file: &Path, last: usize) -> Result<Vec<Past>> {
    let wrong =
        |message: String| Failure::new(message).hint("every line is a decision as GET /v1/egress/decisions tells it");
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(format!("cannot read {}", file.display())).because(error))?;
    let lines: Vec<(usize, &str)> = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
    let mut all = Vec::new();
    for (number, line) in lines.into_iter().rev().take(last) {
        let past = serde_json::from_str(line);
        all.push(past.map_err(|error| {
            wrong(format!("line {} of {} is no decision", number + 1, file.display())).because(error)
        })?);
    }
    Ok(all)
}

fn of_server(source: &Source, role: Option<&str>, found: &Found) -> Result<Vec<Past>> {
    let api = Api::of(&source.server, found)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let filter = role.map(|role| format!("&role={role}")).unwrap_or_default();
        let (mut all, mut cursor) = (Vec::new(), String::new());
        while all.len() < source.last {
            let limit = PAGE.min(source.last - all.len());
            let page: Page = api.get(&format!("/v1/egress/decisions?limit={limit}{filter}{cursor}")).await?;
            all.extend(page.items);
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        Ok(all)
    })
}
