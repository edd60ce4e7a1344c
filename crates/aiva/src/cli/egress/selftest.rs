//! `aiva egress selftest`: every form of the guard on every case of a corpus, in a world that each case brings.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aiva_egress::selftest::{self, Plan, Report, case};
use anyhow::Result;
use clap::Args;

use super::{Form, Tier, role};
use crate::cli::Global;
use crate::cli::exit::Outcome;
use crate::cli::progress::{Bar, Unit};
use crate::cli::terminal::Terminal;
use crate::failure::Failure;
use crate::settings;

/// `aiva egress selftest`
#[derive(Debug, Args)]
pub(crate) struct Selftest {
    /// Run these cases instead of those that ship with the program (one JSON object a line).
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// Ask only this form [default: all].
    #[arg(long, value_enum)]
    form: Vec<Form>,
    /// Run only the cases of this tier.
    #[arg(long, value_enum)]
    tier: Option<Tier>,
    /// Ask this role what every role must refuse, instead of what the cases say.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
}

pub(super) fn run(command: &Selftest, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let plan = plan(command, global)?;
    let bar = Bar::new(terminal, "asking", Unit::Things("questions"));
    let all = plan.questions() as u64;
    let progress = |done: usize| bar.set(done as u64, Some(all));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(plan.run(&progress));
    bar.done();
    let report = report.map_err(|error| Failure::new("nothing was proved").because(error))?;
    terminal.print(&text(&report))?;
    Ok(if report.holds() { Outcome::Clean } else { Outcome::Findings }.into())
}

fn plan(command: &Selftest, global: &Global) -> Result<Plan> {
    let cases = match &command.cases {
        None => case::read(case::SHIPPED)?,
        Some(file) => read(file)?,
    };
    // Without a role the configuration has no say: the cases bring their own policies.
    let role = match &command.role {
        None => None,
        Some(name) => Some(role::policy(&settings::find(global, Vec::new())?.loaded.config, name)?),
    };
    let forms = if command.form.is_empty() {
        selftest::Form::ALL.to_vec()
    } else {
        command.form.iter().map(|form| (*form).into()).collect()
    };
    Ok(Plan { cases, forms, tier: command.tier.map(Into::into), role })
}

fn read(file: &Path) -> Result<Vec<case::Case>> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::new(format!("cannot read the cases in {}", file.display())).because(error))?;
    let cases = case::read(&bytes).map_err(|error| {
        Failure::new(format!("{} holds no cases", file.display()))
            .because(error)
            .hint("every line is one case in JSON: {\"id\", \"input\", \"kind\", \"expect\", \"tier\", \"why\"}; the README beside the cases, crates/aiva-outbound/data/ssrf/README.md, has every key")
    })?;
    Ok(cases)
}

/// Failures first, then mismatches, then what was skipped, then the counts.
fn text(report: &Report) -> String {
    let mut text = String::new();
    for (form, tally) in &report.forms {
        for failure in &tally.failures {
            line(&mut text, format_args!("FAILED   {:<8} {failure}", form.name()));
        }
    }
    for (form, tally) in &report.forms {
        // One line for all that were refused alike.
        let mut alike: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for mismatch in &tally.mismatches {
            alike.entry((&mismatch.kind, &mismatch.what)).or_default().push(&mismatch.id);
        }
        for ((kind, what), ids) in alike {
            line(&mut text, format_args!("mismatch {:<8} {kind}: {what}: {}", form.name(), ids.join(" ")));
        }
    }
    for (form, tally) in &report.forms {
        let skipped: Vec<String> = tally.skipped.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        if !skipped.is_empty() {
            line(&mut text, format_args!("skipped  {:<8} {}", form.name(), skipped.join(", ")));
        }
    }
    if report.forms.len() > 1 {
        for (form, tally) in &report.forms {
            let (passed, failed, skipped) = (tally.passed, tally.failures.len(), tally.skipped());
            let name = form.name();
            line(&mut text, format_args!("{name:<8} passed {passed}, failed {failed}, skipped {skipped}"));
        }
    }
    line(&mut text, format_args!("{report}"));
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _cannot_fail = writeln!(text, "{arguments}");
}

impl From<Form> for selftest::Form {
    fn from(form: Form) -> Self {
        match form {
            Form::Engine => Self::Engine,
            Form::Proxy => Self::Proxy,
            Form::Library => Self::Library,
            Form::Api => Self::Api,
        }
    }
}

impl From<Tier> for case::Tier {
    fn from(tier: Tier) -> Self {
        match tier {
            Tier::Core => Self::Core,
            Tier::Policy => Self::Policy,
        }
    }
}
