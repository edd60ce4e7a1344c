//! `aiva sca licences` and `aiva sca notice`: under which licences the packages of a folder, a root file system or an image are, and the texts to ship.

use std::process::ExitCode;

use aiva_sca::inventory::{self, Expect, Inventory};
use aiva_sca::licence::policy::Idle;
use aiva_sca::licence::report::{self, Format};
use aiva_sca::licence::survey::{self, Depth, survey};
use aiva_sca::package::Scope;
use anyhow::{Context as _, Result};

use super::exit::Outcome;
use super::gaps::{self, Gaps};
use super::scan::today;
use super::terminal::{Terminal, complain, printable};
use super::{Asked, Global, LicenceFormat};
use crate::settings;

pub(crate) fn licences(asked: &Asked, format: LicenceFormat, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let sca = &found.loaded.config.sca;
    let inventory = inventory(asked, sca.options(&[]))?;
    let licensed = survey(&asked.path, &inventory.inputs, &settings::caches(), Depth::Licences);
    let mut policy = sca.licences.policy();
    policy.today = Some(today());
    let report = report::report(&policy, &licensed);
    let text = match format {
        LicenceFormat::Table => {
            let table = if terminal.chatty { report.write(Format::Table) } else { report.table() };
            table.lines().map(|line| printable(line) + "\n").collect()
        }
        LicenceFormat::Json => report.write(Format::Json),
        LicenceFormat::Csv => report.write(Format::Csv),
        LicenceFormat::Markdown => report.write(Format::Markdown),
    };
    terminal.print(&text)?;
    // Where packages are left out, an exception may be for one of them.
    let idle = survey::idle(&policy, &licensed).into_iter().filter(|(_, why)| !asked.no_dev || *why == Idle::Expired);
    idle.for_each(|(one, why)| terminal.note(&format!("note: {}", one.spoken(&why))));
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

pub(crate) fn notice(asked: &Asked, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let inventory = inventory(asked, found.loaded.config.sca.options(&[]))?;
    let licensed = survey(&asked.path, &inventory.inputs, &settings::caches(), Depth::Texts);
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

fn inventory(asked: &Asked, options: inventory::Options) -> Result<Inventory> {
    let mut inventory = read(asked, &options)?;
    if inventory.inputs.is_empty() {
        return Err(gaps::nothing(&asked.path, !options.exclude.is_empty(), &inventory.ignored_lockfiles).into());
    }
    if asked.no_dev {
        for input in &mut inventory.inputs {
            input.packages.retain(|package| package.scope != Scope::Dev);
            input.not_judged.retain(|entry| entry.scope != Scope::Dev);
        }
    }
    Ok(inventory)
}

/// As `aiva scan` reads the same path with the same flags.
fn read(asked: &Asked, options: &inventory::Options) -> Result<Inventory> {
    let Asked { path, .. } = asked;
    if asked.image {
        let image = inventory::image(path, asked.platform.as_ref(), options, &|_| {});
        return image.with_context(|| format!("cannot read the image {}", path.display()));
    }
    if asked.rootfs || inventory::is_root(path) {
        return Ok(inventory::rootfs(path, options, Expect::System, &|_| {})?);
    }
    if asked.installed && inventory::is_installed(path) {
        return Ok(inventory::rootfs(path, options, Expect::Packages, &|_| {})?);
    }
    let mut inventory = inventory::walk(path, options, &|_| {})?;
    if asked.installed && !path.is_file() {
        inventory.inputs.extend(inventory::rootfs(path, options, Expect::Packages, &|_| {})?.inputs);
        inventory.inputs.sort_by(|one, other| one.path.cmp(&other.path));
    }
    Ok(inventory)
}
