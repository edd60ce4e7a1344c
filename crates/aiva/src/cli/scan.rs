//! `aiva scan`: reads what a folder is built from, judges it, says it, and exits accordingly.
//!
//! No server, no lock, no store: it reads the advisory index of the data directory and nothing else.

use std::mem;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aiva_chassis::clock::{Clock as _, SystemClock};
use aiva_chassis::config::services::Exception as Declared;
use aiva_contracts::api::{
    AdvisoryState, DocumentContents, DocumentFinding, ExceptionMatch, Guard, Level, Origin, PackageScope,
};
use aiva_findings::exception::{Exception, Judge, Rule};
use aiva_findings::export::{self, Clean, Document, Draft, Results, Standing, Teller};
use aiva_findings::observation::Observation;
use aiva_sca::advisory::{self, Index, OpenError};
use aiva_sca::finding::Finding;
use aiva_sca::inventory::{self, Expect};
use aiva_sca::package::{Input, Scope};
use anyhow::{Context as _, Result};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::exit::{Gate, Outcome};
use super::progress::{Bar, Unit};
use super::terminal::{Terminal, complain, spoken_age};
use super::{Format, Global, Lowest, Scan, Stale, gaps, remote, table};
use crate::failure::Failure;
use crate::join;
use crate::look::{Columns, Gathered, Keep, Look, Looked};
use crate::memory;
use crate::settings::{self, Found, Settings};

mod baseline;
mod gap;
mod output;
mod priority;
mod range;
mod shown;
mod statements;
mod tree;
mod upload;

use gap::NewGaps;
use priority::Priorities;
use statements::Vex;

/// The parts of one run that the report needs.
struct Report {
    draft: Draft<Arc<Finding>>,
    priorities: Priorities,
    /// Made of the draft for who needs it whole.
    whole: OnceLock<Document>,
    left_out: Vec<(usize, &'static str)>,
    known: Option<usize>,
    /// The gaps that the baseline has not; `None` without one.
    new_gaps: Option<NewGaps>,
    advisories: String,
    lacks_advisories: bool,
    ignored: Vec<String>,
    /// Exceptions to the licence policy that let nothing through, one sentence each.
    idle_licences: Vec<String>,
    /// Where the form asks for all that was read.
    inputs: Vec<Input>,
}

impl Teller<Arc<Finding>> for Report {
    /// The verdict, which is one for all that share it, and what else a priority is made of.
    type Story = (usize, Scope, Option<usize>);

    fn story(&self, finding: &Arc<Finding>) -> Self::Story {
        (Arc::as_ptr(&finding.verdict).addr(), finding.scope, priority::depth(finding))
    }

    fn whole(&self, finding: &Arc<Finding>) -> Observation {
        let mut seen = join::observation(finding);
        seen.context.priority = Some(self.priorities.of(finding));
        seen
    }

    fn own(&self, finding: &Arc<Finding>) -> Observation {
        join::own(finding)
    }
}

impl Report {
    fn document(&self) -> &Document {
        self.whole.get_or_init(|| self.draft.document(|finding| self.whole(finding)))
    }

    /// What a server is told: what VEX rules out is not there, so that the server takes it for fixed. What the files list is, with
    /// all that this run leaves out, so that the server can judge it again.
    fn for_upload(&self, scan: &Scan) -> Document {
        let mut document = self.document().clone();
        let is_suppressed = |finding: &mut DocumentFinding| export::standing(finding) == Standing::Suppressed;
        let suppressed = document.findings.extract_if(.., is_suppressed);
        let left_out = upload::left_out(scan, suppressed);
        document.contents = Some(DocumentContents { files: join::listings(&self.inputs), left_out });
        document
    }
}

pub(crate) fn run(scan: &Scan, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings(scan, global)?;
    let settings = &found.loaded.config;
    let own_index = scan.advisories.as_deref().map(import_for_one_run).transpose()?;
    let data = settings::data_directory(settings.server.data_dir.as_deref())?;
    let folder = own_index.as_ref().map_or_else(|| data.join("advisories"), |folder| folder.path().to_path_buf());
    let max_age = scan.max_age.unwrap_or(settings.sca.advisories_max_age);
    let index = open_index(&folder, scan.stale, max_age)?;
    let gathered = gather(scan, settings, index.index.as_ref(), terminal)?;
    if gathered.inputs.is_empty() && !scan.allow_empty {
        let excludes = !(settings.sca.exclude.is_empty() && scan.exclude.is_empty());
        return Err(gaps::nothing(&scan.path, excludes, &gathered.ignored).into());
    }
    if !scan.image && is_archive(&scan.path) {
        terminal.note("hint: a container image is read with `aiva scan --image`; unpack any other archive first");
    }
    if !scan.installed && gathered.archives > 0 {
        let files = if gathered.archives == 1 { "file was" } else { "files were" };
        terminal.note(&format!(
            "hint: {} {files} passed over (.jar, .war, .ear); `aiva scan --installed` reads them",
            gathered.archives
        ));
    }
    if gathered.findings.len() > MANY {
        memory::give_back();
    }
    let service = scan.service.clone().unwrap_or_else(|| service_of(&found, &scan.path));
    let report = report(scan, &found, &service, gathered, &index, data.join("advisories"))?;
    output::write(scan, &report, terminal)?;
    if let Some(server) = &scan.upload {
        remote::upload(server, &service, &report.for_upload(scan), settings, &found.base, terminal)?;
    }
    let outcome = outcome(scan, &report);
    // The program ends here: the system takes a hundred thousand small pieces of memory back at once.
    mem::forget(report);
    Ok(outcome.into())
}

/// The configuration; of what is staged the staged one, if git has one there.
fn settings(scan: &Scan, global: &Global) -> Result<Found> {
    let is_staged = scan.staged && global.config.is_none();
    let own = if is_staged { tree::staged_text("aiva.toml")? } else { None };
    Ok(settings::find_as(global, Vec::new(), own.map(|text| ("aiva.toml".to_owned(), text)))?)
}

/// A report of more findings needs memory of its own.
const MANY: usize = 1_000;

/// Whether a file that was named is one that holds others.
fn is_archive(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    path.is_file() && [".tar", ".tgz", ".tar.gz", ".tar.zst"].iter().any(|end| name.ends_with(end))
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

/// Reads everything and judges it.
fn gather(scan: &Scan, settings: &Settings, index: Option<&Index>, terminal: Terminal) -> Result<Gathered> {
    let written = output::file(scan).into_iter().collect();
    let options = inventory::Options { written, ..settings.sca.options(&scan.exclude) };
    let checks = settings::checks(&settings.sca);
    let staged = scan.staged.then(|| tree::staged(&scan.path)).transpose()?;
    let root = staged.as_ref().map_or(&scan.path, |staged| &staged.root);
    let folder = if root.is_file() { root.parent().unwrap_or(Path::new("")) } else { root };
    let columns = if scan.image { Columns::Unsought } else { Columns::Below(folder) };
    let is_bill = matches!(scan.format, Format::Cyclonedx | Format::CyclonedxXml | Format::Spdx | Format::Spdx3);
    let keep = if is_bill || lists_packages(scan) || scan.upload.is_some() { Keep::Inputs } else { Keep::Report };
    let look = Look::new(index, &checks, keep, columns);
    let bar = Bar::new(terminal, "reading", Unit::Things("file"));
    let progress = |progress| match progress {
        inventory::Progress::Found(found) => bar.set(found as u64, None),
        inventory::Progress::Read { done, total } => bar.set(done as u64, Some(total as u64)),
    };
    let result = look_at(scan, root, &look, &options, &progress);
    bar.done();
    let looked = result?;
    // Licences are looked up where packages are installed, which is in the working tree.
    Ok(look.gather(looked, &scan.path, today()))
}

/// Whether the document has every package. GitLab's report lists the dependencies of every file.
fn lists_packages(scan: &Scan) -> bool {
    scan.packages || scan.format == Format::Gitlab
}

fn look_at(
    scan: &Scan,
    path: &Path,
    look: &Look<'_>,
    options: &inventory::Options,
    progress: &(dyn Fn(inventory::Progress) + Sync),
) -> Result<Looked> {
    if scan.image {
        let image = inventory::image(path, scan.platform.as_ref(), options, progress);
        let image = image.with_context(|| format!("cannot scan the image {}", path.display()))?;
        return Ok(look.over(image)?);
    }
    if scan.rootfs || inventory::is_root(path) {
        return Ok(look.over(inventory::rootfs(path, options, Expect::System, progress)?)?);
    }
    if scan.installed && inventory::is_installed(path) {
        return Ok(look.over(inventory::rootfs(path, options, Expect::Packages, progress)?)?);
    }
    let looked = look.walk(path, options, progress)?;
    // A single file is no tree of what is installed.
    if !scan.installed || path.is_file() {
        return Ok(looked);
    }
    Ok(looked.with(look.over(inventory::rootfs(path, options, Expect::Packages, progress)?)?))
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
    gathered: Gathered,
    knowledge: &Knowledge,
    lists: PathBuf,
) -> Result<Report> {
    let index = knowledge.index.as_ref();
    let Gathered { inputs, findings, kept, ignored, idle_licences, .. } = gathered;
    let mut results = Results {
        guard: Guard::Sca,
        service: service.to_owned(),
        advisories: join::advisories(knowledge.state, index),
        inputs,
        ignored: ignored.len() as u64,
        packages: lists_packages(scan).then(|| join::packages(&kept)),
        findings,
    };
    let priorities = Priorities::new(lists, found.loaded.config.sca.priority.weights());
    let mut statements = Vex::read(scan)?;
    let baseline = scan.baseline.as_deref();
    let before = baseline.map(|baseline| baseline::before(baseline, scan, found, service, index)).transpose()?;
    let known = before.map(|before| {
        let now = results.findings.iter().map(|finding| join::outline(finding).bounded());
        before.against(service, now, &results.inputs)
    });
    if let Some(known) = &known {
        known.mark_ranges(service, &mut results.inputs);
    }
    let mut judge = Judge::new(exceptions(&found.loaded.config.exceptions)?, today());
    let ranges_left_out = range::leave_out(scan, service, &mut results.inputs, &mut judge);
    let outline = |finding: &Arc<Finding>| {
        let mut seen = join::outline(finding).bounded();
        seen.context.priority = Some(priorities.outline(finding));
        seen.context.statement = statements.of(&seen);
        seen.context.known = known.as_ref().map(|known| known.has(service, &seen));
        seen
    };
    let mut left = LeftOut::default();
    let draft = Draft::new(results, &mut judge, |finding| join::spot(finding), outline, |seen| left.wants(scan, seen));
    statements.close();
    let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let summary = draft.summary();
    let mut left_out = left.counts();
    left_out.extend(ranges_left_out);
    left_out.push((count(summary.accepted), "accepted by exceptions"));
    left_out.push((count(summary.suppressed.unwrap_or(0)), "ruled out by VEX"));
    Ok(Report {
        left_out: left_out.into_iter().filter(|(count, _)| *count > 0).collect(),
        known: summary.known.map(count),
        new_gaps: known.map(|known| known.new_gaps),
        lacks_advisories: knowledge.state == AdvisoryState::Missing,
        advisories: knowledge.sentence.clone(),
        whole: OnceLock::new(),
        inputs: kept,
        draft,
        priorities,
        ignored,
        idle_licences,
    })
}

/// How many findings flags left out, for which reason.
#[derive(Debug, Default)]
struct LeftOut {
    ignored: usize,
    unfixed: usize,
    low: usize,
    dev: usize,
}

impl LeftOut {
    /// Whether no flag leaves a finding out; counts it for the first that does.
    fn wants(&mut self, scan: &Scan, finding: &Observation) -> bool {
        let is_ignored = finding.names().any(|name| scan.ignore.iter().any(|id| id == name));
        let is_unfixed = scan.ignore_unfixed && finding.fixed_versions.is_empty();
        let is_low = scan.severity.is_some_and(|lowest| !reaches(finding.severity.level, lowest));
        let is_dev = scan.no_dev && matches!(finding.context.scope, Some(PackageScope::Dev | PackageScope::Build));
        let counter = match (is_ignored, is_unfixed, is_low, is_dev) {
            (true, ..) => &mut self.ignored,
            (_, true, ..) => &mut self.unfixed,
            (_, _, true, _) => &mut self.low,
            (_, _, _, true) => &mut self.dev,
            _ => return true,
        };
        *counter += 1;
        false
    }

    fn counts(self) -> Vec<(usize, &'static str)> {
        let Self { ignored, unfixed, low, dev } = self;
        vec![(ignored, "--ignore"), (unfixed, "--ignore-unfixed"), (low, "--severity"), (dev, "--no-dev")]
    }
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
    let mut new = report.draft.standings().filter(|(standing, _)| *standing == Standing::Open);
    if new.any(|(_, level)| gate.counts(level.as_str())) {
        return Outcome::Findings;
    }
    if scan.fail_on_ranges && range::any_counts(report.draft.inputs(), gate) {
        return Outcome::Findings;
    }
    let summary = report.draft.summary();
    // What a range resolves to is settled by whoever installs.
    let is_open = match &report.new_gaps {
        Some(new) => !new.is_empty() || report.lacks_advisories || range::any_new(report.draft.inputs()),
        None => {
            let has_gaps = export::unread(&summary.inputs) + summary.not_judged > 0;
            has_gaps || summary.can_resolve.is_some() || report.draft.clean() == Clean::Unjudged
        }
    };
    if is_open { Outcome::Incomplete } else { Outcome::Clean }
}
