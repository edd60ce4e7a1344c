//! `aiva sca licences` and `aiva sca notice`: under which licences a folder's packages are, and the texts to ship.

use std::path::Path;
use std::process::ExitCode;

use aiva_sca::inventory::{self, Inventory};
use aiva_sca::licence::report::{self, Format};
use aiva_sca::licence::survey::{Depth, survey};
use aiva_sca::package::Scope;
use anyhow::Result;

use super::exit::Outcome;
use super::gaps::{self, Gaps};
use super::scan::today;
use super::terminal::{Terminal, complain, printable};
use super::{Global, LicenceFormat};
use crate::settings;

/// Whose licences are wanted.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) path: &'a Path,
    pub(crate) no_dev: bool,
}

pub(crate) fn licences(
    asked: Asked<'_>,
    format: LicenceFormat,
    global: &Global,
    terminal: Terminal,
) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let sca = &found.loaded.config.sca;
    let inventory = inventory(asked, &sca.exclude)?;
    let licensed = survey(asked.path, &inventory.inputs, &settings::caches(), Depth::Licences);
    let mut policy = sca.licences.policy();
    policy.today = Some(today());
    let report = report::report(&policy, &licensed);
    let text = match format {
        LicenceFormat::Table => report.write(Format::Table).lines().map(|line| printable(line) + "\n").collect(),
        LicenceFormat::Json => report.write(Format::Json),
        LicenceFormat::Csv => report.write(Format::Csv),
        LicenceFormat::Markdown => report.write(Format::Markdown),
    };
    terminal.print(&text)?;
    let is_incomplete = tell_gaps(&inventory);
    let says = |verdict: &str| report.packages.iter().any(|row| row.verdict == verdict);
    let is_settled = report.packages.iter().all(|row| row.evidence == "stated" || row.evidence == "recognised");
    Ok(match (says("denied"), is_settled && !is_incomplete) {
        (true, _) => Outcome::Findings,
        (false, false) => Outcome::Incomplete,
        (false, true) => Outcome::Clean,
    }
    .into())
}

pub(crate) fn notice(asked: Asked<'_>, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let inventory = inventory(asked, &found.loaded.config.sca.exclude)?;
    let licensed = survey(asked.path, &inventory.inputs, &settings::caches(), Depth::Texts);
    terminal.print(&report::notice(&licensed))?;
    let is_whole = !tell_gaps(&inventory) && licensed.iter().all(|one| !one.texts.is_empty());
    Ok(if is_whole { Outcome::Clean } else { Outcome::Incomplete }.into())
}

/// Says what is not among the packages; whether there is such.
fn tell_gaps(inventory: &Inventory) -> bool {
    let gaps = Gaps::of(inventory).with_unpinned(inventory);
    gaps.lines.iter().for_each(|line| complain(&format!("not listed: {line}")));
    gaps.is_incomplete
}

fn inventory(asked: Asked<'_>, exclude: &[String]) -> Result<Inventory> {
    let options = inventory::Options { exclude: exclude.to_vec(), ..inventory::Options::default() };
    let mut inventory = inventory::walk(asked.path, &options, &|_| {})?;
    if inventory.inputs.is_empty() {
        return Err(gaps::nothing(asked.path, !exclude.is_empty(), &inventory.ignored_lockfiles).into());
    }
    if asked.no_dev {
        for input in &mut inventory.inputs {
            input.packages.retain(|package| package.scope != Scope::Dev);
            input.not_judged.retain(|entry| entry.scope != Scope::Dev);
        }
    }
    Ok(inventory)
}
