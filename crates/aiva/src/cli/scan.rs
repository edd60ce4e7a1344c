//! `aiva scan`: reads what a folder is built from, judges it, says it, and exits accordingly.
//!
//! No server, no lock, no store: it reads the advisory index of the data directory and nothing else.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use aiva_chassis::clock::{Clock as _, SystemClock};
use aiva_chassis::config::services::Exception as Declared;
use aiva_contracts::api::{AdvisoryState, ExceptionMatch, Guard, Level, Origin, PackageScope};
use aiva_findings::exception::{Exception, Judge, Rule};
use aiva_findings::export::{self, Document, Standing};
use aiva_findings::observation::Observation;
use aiva_sca::advisory::{self, Index, OpenError};
use aiva_sca::inventory::{self, Expect, Inventory};
use anyhow::{Context as _, Result};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rayon::prelude::*;

use super::exit::{Gate, Outcome};
use super::progress::{Bar, Unit};
use super::terminal::{Terminal, complain, spoken_age};
use super::{Format, Global, Lowest, Scan, Stale, remote, table};
use crate::failure::Failure;
use crate::join::{self, Judged, Packages};
use crate::settings::{self, Found};

mod baseline;
mod output;
mod place;
mod priority;
mod range;
mod shown;
mod statements;

/// The parts of one run that the report needs beside the document.
struct Report {
    document: Document,
    left_out: Vec<(usize, &'static str)>,
    known: Option<usize>,
    advisories: String,
    ignored: Vec<String>,
}

impl Report {
    /// What a server is told: what VEX rules out is not there, so that the server takes it for fixed.
    fn for_upload(&self) -> Document {
        let mut document = self.document.clone();
        document.findings.retain(|finding| export::standing(finding) != Standing::Suppressed);
        document
    }
}

pub(crate) fn run(scan: &Scan, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let settings = &found.loaded.config;
    let own_index = scan.advisories.as_deref().map(import_for_one_run).transpose()?;
    let data = settings::data_directory(settings.server.data_dir.as_deref())?;
    let folder = own_index.as_ref().map_or_else(|| data.join("advisories"), |folder| folder.path().to_path_buf());
    let max_age = scan.max_age.unwrap_or(settings.sca.advisories_max_age);
    let index = open_index(&folder, scan.stale, max_age)?;
    let inventory = take_inventory(scan, settings.sca.exclude.as_slice(), terminal)?;
    let judged = match &index {
        Knowledge { index: Some(index), .. } => {
            Some(aiva_sca::scan::scan(&inventory.inputs, index).context("the scan was stopped")?)
        }
        Knowledge { index: None, .. } => None,
    };
    let facts = settings::checks(&settings.sca).run(&scan.path, &inventory.inputs, index.index.as_ref(), today());
    let judged = Judged { scan: judged, facts };
    let service = scan.service.clone().unwrap_or_else(|| service_of(&found, &scan.path));
    let report = report(scan, &found, &service, &inventory, judged, &index, &data.join("advisories"))?;
    output::write(scan, &report, &inventory, terminal)?;
    if let Some(server) = &scan.upload {
        remote::upload(server, &service, &report.for_upload(), settings, &found.base, terminal)?;
    }
    Ok(outcome(scan, &report).into())
}

/// The day by which exceptions hold.
pub(crate) fn today() -> Date {
    SystemClock.now().to_zoned(TimeZone::UTC).date()
}

/// What there is to judge by.
pub(crate) struct Knowledge {
    pub(crate) index: Option<Index>,
    pub(crate) state: AdvisoryState,
    pub(crate) sentence: String,
}

fn import_for_one_run(path: &Path) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir().context("no temporary folder for the advisories of this run")?;
    let report =
        advisory::import(&[path.to_path_buf()], folder.path(), SystemClock.now(), &|_| {}).map_err(|error| {
            Failure::new(format!("cannot use the advisories in {}", path.display()))
                .because(error)
                .hint(super::advisories::GIVE)
        })?;
    super::advisories::warn_of_bad(&report);
    Ok(folder)
}

pub(crate) fn open_index(folder: &Path, stale: Stale, max_age: Duration) -> Result<Knowledge> {
    let index = match Index::open(folder) {
        Ok(index) => index,
        Err(OpenError::Missing(_)) if stale == Stale::Warn => {
            complain("warning: there are no advisories, so nothing can be judged; run `aiva advisories update`");
            return Ok(Knowledge { index: None, state: AdvisoryState::Missing, sentence: "none".to_owned() });
        }
        Err(OpenError::Missing(_)) => {
            return Err(Failure::new(format!("there are no advisories in {}", folder.display()))
                .hint("run `aiva advisories update`, or `aiva advisories import` with a downloaded OSV export")
                .into());
        }
        Err(error) => return Err(error.into()),
    };
    let status = index.status(SystemClock.now());
    let age = spoken_age(status.age);
    let mut parts: Vec<String> = Vec::new();
    for indexed in &status.ecosystems {
        let records = usize::try_from(indexed.records).unwrap_or(usize::MAX);
        parts.push(format!("{} {}", table::grouped(records), indexed.ecosystem));
    }
    let sentence = format!("{}; imported {age} ago", parts.join(", "));
    if status.age <= max_age {
        return Ok(Knowledge { index: Some(index), state: AdvisoryState::Current, sentence });
    }
    if stale == Stale::Fail {
        let limit = spoken_age(max_age);
        return Err(Failure::new(format!("the advisories were imported {age} ago; more than {limit} is too old"))
            .hint("run `aiva advisories update`, or scan all the same with `--stale warn`")
            .into());
    }
    complain(&format!("warning: the advisories were imported {age} ago; newer vulnerabilities are not known"));
    Ok(Knowledge { index: Some(index), state: AdvisoryState::Stale, sentence })
}

fn take_inventory(scan: &Scan, configured: &[String], terminal: Terminal) -> Result<Inventory> {
    let exclude = configured.iter().chain(&scan.exclude).cloned().collect();
    let options = inventory::Options { exclude, ..inventory::Options::default() };
    let bar = Bar::new(terminal, "reading", Unit::Things("files"));
    let progress = |progress| match progress {
        inventory::Progress::Found(found) => bar.set(0, Some(found as u64)),
        inventory::Progress::Read { done, total } => bar.set(done as u64, Some(total as u64)),
    };
    let result = inventory_of(scan, &options, &progress);
    bar.done();
    result
}

fn inventory_of(
    scan: &Scan,
    options: &inventory::Options,
    progress: &(dyn Fn(inventory::Progress) + Sync),
) -> Result<Inventory> {
    if scan.image {
        let image = inventory::image(&scan.path, scan.platform.as_ref(), options, progress);
        return image.with_context(|| format!("cannot scan the image {}", scan.path.display()));
    }
    if scan.rootfs || inventory::is_root(&scan.path) {
        return Ok(inventory::rootfs(&scan.path, options, Expect::System, progress)?);
    }
    let mut inventory = inventory::walk(&scan.path, options, progress)?;
    if scan.installed {
        inventory.inputs.extend(inventory::rootfs(&scan.path, options, Expect::Packages, progress)?.inputs);
        inventory.inputs.sort_by(|one, other| one.path.cmp(&other.path));
    }
    Ok(inventory)
}

/// The service whose source holds the path that is scanned; none when several or none do.
fn service_of(found: &Found, path: &Path) -> String {
    let Ok(path) = path.canonicalize() else { return String::new() };
    let holds = |source: &String| found.base.join(source).canonicalize().is_ok_and(|source| path.starts_with(source));
    let mut holders = found.loaded.config.services.iter().filter(|service| service.source.iter().any(holds));
    match (holders.next(), holders.next()) {
        (Some(service), None) => service.name.clone(),
        _ => String::new(),
    }
}

fn report(
    scan: &Scan,
    found: &Found,
    service: &str,
    inventory: &Inventory,
    judged: Judged,
    knowledge: &Knowledge,
    lists: &Path,
) -> Result<Report> {
    let index = knowledge.index.as_ref();
    // GitLab's report lists the dependencies of every file.
    let packages = if scan.packages || scan.format == Format::Gitlab { Packages::Listed } else { Packages::Counted };
    let mut results = join::results(service, inventory, judged, knowledge.state, packages);
    if !scan.image {
        place::add_columns(&scan.path, &mut results.findings);
    }
    let findings = std::mem::take(&mut results.findings);
    results.findings = findings.into_par_iter().map(Observation::bounded).collect();
    priority::add(lists, &found.loaded.config.sca.priority.weights(), &mut results.findings);
    statements::apply(scan, &mut results.findings)?;
    let baseline = scan.baseline.as_deref();
    let known = baseline.map(|baseline| baseline::known(baseline, scan, found, service, index)).transpose()?;
    if let Some(known) = &known {
        known.mark(service, &mut results.findings);
        known.mark_ranges(service, &mut results.inputs);
    }
    let mut judge = Judge::new(exceptions(&found.loaded.config.exceptions)?, today());
    // An exception for what a flag leaves out is in use all the same.
    for finding in &results.findings {
        judge.cover(baseline::place(service, finding), finding.names());
    }
    let mut left_out = leave_out(scan, &mut results.findings);
    left_out.extend(range::leave_out(scan, service, &mut results.inputs, &mut judge));
    let document = export::document(results, &mut judge);
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    left_out.push((count(document.summary.accepted), "accepted by exceptions"));
    left_out.push((count(document.summary.suppressed.unwrap_or(0)), "ruled out by VEX"));
    Ok(Report {
        left_out: left_out.into_iter().filter(|(count, _)| *count > 0).collect(),
        known: document.summary.known.map(count),
        advisories: knowledge.sentence.clone(),
        ignored: inventory.ignored_lockfiles.clone(),
        document,
    })
}

/// Takes out what flags leave out; says how many for which reason.
fn leave_out(scan: &Scan, findings: &mut Vec<Observation>) -> Vec<(usize, &'static str)> {
    let mut left_out = Vec::new();
    let mut keep = |reason: &'static str, keep: &dyn Fn(&Observation) -> bool| {
        let before = findings.len();
        findings.retain(keep);
        left_out.push((before - findings.len(), reason));
    };
    keep("--ignore", &|finding| !finding.names().any(|name| scan.ignore.iter().any(|id| id == name)));
    keep("--ignore-unfixed", &|finding| !scan.ignore_unfixed || !finding.fixed_versions.is_empty());
    keep("--severity", &|finding| scan.severity.is_none_or(|lowest| reaches(finding.severity.level, lowest)));
    let is_dev = |scope| matches!(scope, Some(PackageScope::Dev | PackageScope::Build));
    keep("--no-dev", &|finding| !scan.no_dev || !is_dev(finding.context.scope));
    left_out
}

/// Nobody has said of an unknown level that it is a low one.
fn reaches(level: Level, lowest: Lowest) -> bool {
    match level {
        Level::Critical | Level::Unknown => true,
        Level::High => lowest != Lowest::Critical,
        Level::Medium => matches!(lowest, Lowest::Low | Lowest::Medium),
        Level::Low => lowest == Lowest::Low,
        Level::Informational => false,
    }
}

/// The exceptions of the configuration in the words of `findings`.
pub(crate) fn exceptions(declared: &[Declared]) -> Result<Vec<Exception>> {
    let convert = |(position, declared): (usize, &Declared)| {
        let parts = ExceptionMatch {
            id: declared.r#match.id.clone(),
            package: declared.r#match.package.clone(),
            path: declared.r#match.path.clone(),
            service: declared.r#match.service.clone(),
        };
        let rule = Rule::new(parts)
            .map_err(|error| Failure::new(format!("exceptions[{position}] of the configuration")).because(error))?;
        Ok(Exception {
            id: format!("file-{position}"),
            origin: Origin::File,
            guard: match declared.guard {
                aiva_chassis::config::services::Guard::Authn => Guard::Authn,
                aiva_chassis::config::services::Guard::Egress => Guard::Egress,
                aiva_chassis::config::services::Guard::Sca => Guard::Sca,
                aiva_chassis::config::services::Guard::Cspm => Guard::Cspm,
            },
            rule,
            owner: declared.owner.clone(),
            reason: declared.reason.clone(),
            expires: declared.expires,
        })
    };
    declared.iter().enumerate().map(convert).collect()
}

fn outcome(scan: &Scan, report: &Report) -> Outcome {
    let gate = Gate { fail_on: scan.fail_on, unknown: scan.unknown_severity };
    let mut new = report.document.findings.iter().filter(|finding| export::standing(finding) == Standing::Open);
    if new.any(|finding| gate.counts(finding.severity.level.as_str())) {
        return Outcome::Findings;
    }
    if scan.fail_on_ranges && range::any_counts(&report.document, gate) {
        return Outcome::Findings;
    }
    let summary = &report.document.summary;
    let unread = summary.inputs.partial + summary.inputs.failed;
    // A manifest that nobody reads beside a lockfile that was read is no gap; nothing read at all is one.
    let nothing_read = summary.inputs.parsed == 0 && summary.inputs.unsupported > 0;
    // What a range resolves to is settled by whoever installs.
    let is_open = summary.not_judged > 0 || summary.can_resolve.is_some();
    if unread > 0 || is_open || nothing_read { Outcome::Incomplete } else { Outcome::Clean }
}
