//! `aiva egress check`: what the guard would say to one request, by the configuration here, and where it is asked for by the
//! roles that a running server keeps; nothing else is connected to.
//!
//! Exit codes: 0 it may leave, 1 the policy refuses it, 2 nobody can say (the DNS gave no address).

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use aiva_chassis::clock;
use aiva_egress::role::Role;
use aiva_egress::service::Guard;
use aiva_outbound::{Outcome as Decided, Question, Reason, Target, Verdict, classify};
use anyhow::Result;
use clap::{Args, ValueEnum};
use http::Method;
use serde_json::json;

use super::role::unknown;
use super::stored;
use crate::cli::exit::{Outcome, could_not};
use crate::cli::terminal::Terminal;
use crate::cli::{Global, Server};
use crate::failure::Failure;
use crate::settings::{self, Found};

/// `aiva egress check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The address, as a program would ask for it: https://api.example.com/v1
    url: String,
    /// By which role [default: the one of callers that nobody knows].
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// With which method, for http.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// Say what was looked up, what every address is, and what would allow it.
    #[arg(long)]
    explain: bool,
    /// Go by the roles that the running server keeps, too; --server implies it.
    #[arg(long)]
    stored: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    server: Server,
}

/// `--format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

pub(super) fn run(check: &Check, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let role = role(check, &found)?;
    let method = Method::from_bytes(check.method.as_bytes())
        .map_err(|_| Failure::new(format!("{:?} is no method", check.method)).hint("write GET, POST, ..."))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let verdict = runtime.block_on(async {
        match Target::parse(&check.url) {
            Ok(target) => role.decide(Question { target: &target, method: Some(&method) }).await,
            Err(reason) => Verdict::unreadable(reason),
        }
    });
    match check.format {
        Format::Text => terminal.print(&text(&role, &check.url, &verdict, check.explain))?,
        Format::Json => terminal.print(&format!("{:#}\n", json(&role, &check.url, &verdict)))?,
    }
    Ok(match verdict.outcome {
        Decided::Allowed => Outcome::Clean.into(),
        Decided::Denied(_) => Outcome::Findings.into(),
        Decided::Unresolved(_) => could_not(),
    })
}

/// The role as the running guard would have it.
fn role(check: &Check, found: &Found) -> Result<Arc<Role>> {
    let (settings, name) = (&found.loaded.config, check.role.as_deref());
    let (guard, _) = Guard::new(settings.egress.clone(), clock::system())?;
    if check.stored || check.server.server.is_some() {
        guard.store_roles(stored::roles(&check.server, found)?)?;
    }
    let tls = settings.egress.tls.as_ref().map(|tls| tls.listen);
    let own = [settings.egress.listen, settings.server.listen, settings.server.admin_listen];
    guard.listens(&own.into_iter().chain(tls).collect::<Vec<_>>());
    let role = guard.role(name);
    Ok(role.ok_or_else(|| unknown(guard.roles(), name.unwrap_or_default()))?)
}

/// What may be shown of an address: no path, no credentials.
fn origin(url: &str) -> String {
    Target::parse(url).map_or_else(|_| "the address".to_owned(), |target| target.origin())
}

fn text(role: &Role, url: &str, verdict: &Verdict, explain: bool) -> String {
    let (origin, name) = (origin(url), &role.name);
    let mut text = match &verdict.outcome {
        Decided::Allowed => format!("allowed  {origin} by {} (role {name})\n", verdict.rule),
        Decided::Denied(denial) => format!("denied   {origin}: {} by {} (role {name})\n", denial.reason, verdict.rule),
        Decided::Unresolved(error) => format!("no answer  {origin}: {error} (DNS, not policy)\n"),
    };
    if verdict.denial().is_some_and(|denial| denial.reason == Reason::NotUrl) {
        line(&mut text, "to write", format_args!("the whole address with its scheme: https://host:port/path"));
    }
    if let Some(refusal) = &verdict.would_deny {
        line(&mut text, "if enforced", format_args!("denied: {} by {}", refusal.denial, refusal.rule));
    }
    if !explain {
        return text;
    }
    line(&mut text, "mode", format_args!("{}", role.policy.mode.name()));
    if let Some(denial) = verdict.denial() {
        line(&mut text, "about", format_args!("{}", denial.what));
    }
    for alias in verdict.answer.iter().flat_map(|answer| &answer.aliases) {
        line(&mut text, "alias", format_args!("{alias}"));
    }
    for address in verdict.answer.iter().flat_map(|answer| &answer.addresses) {
        line(&mut text, "address", format_args!("{address} is {}", classify(*address, &role.policy.nat64).name()));
    }
    for address in &verdict.connect_to {
        line(&mut text, "connects to", format_args!("{address}"));
    }
    if verdict.is_allowed() {
        match upstream(role, url, verdict) {
            Some(name) => line(&mut text, "through", format_args!("the upstream {name}")),
            None if role.route.is_some() => line(&mut text, "through", format_args!("no upstream: it goes direct")),
            None => {}
        }
    }
    if let Some(remedy) = &verdict.remedy {
        line(&mut text, "to allow it", format_args!("{remedy}"));
    }
    text
}

/// The name of the upstream that an allowed request goes through.
fn upstream(role: &Role, url: &str, verdict: &Verdict) -> Option<Arc<str>> {
    let target = Target::parse(url).ok()?;
    let upstream = role.route.as_ref()?.through(&target, &verdict.connect_to)?;
    verdict.is_allowed().then(|| Arc::clone(upstream.name()))
}

fn line(text: &mut String, name: &str, value: std::fmt::Arguments<'_>) {
    let _cannot_fail = writeln!(text, "  {name:<12} {value}");
}

fn json(role: &Role, url: &str, verdict: &Verdict) -> serde_json::Value {
    let outcome = match &verdict.outcome {
        Decided::Allowed => "allow",
        Decided::Denied(_) => "deny",
        Decided::Unresolved(_) => "unresolved",
    };
    let would_deny = verdict.would_deny.as_ref().map(|refusal| {
        json!({ "rule": refusal.rule.to_string(), "reason": refusal.denial.reason.name(), "about": refusal.denial.what })
    });
    let addresses: Vec<serde_json::Value> = verdict
        .answer
        .iter()
        .flat_map(|answer| &answer.addresses)
        .map(|address| json!({ "address": address, "class": classify(*address, &role.policy.nat64).name() }))
        .collect();
    json!({
        "outcome": outcome,
        "origin": origin(url),
        "role": &*role.name,
        "mode": role.policy.mode.name(),
        "rule": verdict.rule.to_string(),
        "reason": verdict.reason(),
        "about": verdict.denial().map(|denial| &denial.what),
        "dns": verdict.dns_error().map(ToString::to_string),
        "aliases": verdict.answer.as_ref().map(|answer| answer.aliases.clone()).unwrap_or_default(),
        "addresses": addresses,
        "connect_to": verdict.connect_to,
        "upstream": upstream(role, url, verdict).as_deref(),
        "would_deny": would_deny,
        "remedy": verdict.remedy,
    })
}
