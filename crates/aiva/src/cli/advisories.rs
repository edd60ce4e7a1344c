//! `aiva advisories`: import, update, status.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use aiva_chassis::clock::{Clock as _, SystemClock};
use aiva_sca::advisory::update::{self, ReplaceError, UpdateError};
use aiva_sca::advisory::{self, Amended, BadRecord, ImportReport, Index};
use aiva_sca::package::Ecosystem;
use aiva_sca::ports::FetchError;
use aiva_sca::score::signals::Feed;
use aiva_sca::system::Distribution;
use anyhow::{Context as _, Result};
use serde_json::json;

use super::progress::{Bar, Unit};
use super::table::{counted, grouped};
use super::terminal::{Terminal, complain, spoken_age};
use super::{Advisories, Global};
use crate::calls::{self, Downloads};
use crate::failure::Failure;
use crate::settings::{self, Found};

mod lists;

/// What an import takes.
pub(crate) const GIVE: &str = "give OSV zips (<ecosystem>/all.zip), a folder that holds them, or folders of OSV JSON";

pub(crate) fn run(command: &Advisories, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let data = settings::data_directory(found.loaded.config.server.data_dir.as_deref())?;
    let folder = data.join("advisories");
    match command {
        Advisories::Import { paths } => import(paths, &data, &folder, terminal),
        Advisories::Update { from, distribution } => {
            update(from.as_deref(), distribution, &found, (&data, &folder), terminal)
        }
        Advisories::Status { verify, json } => status(&folder, *verify, *json, terminal),
    }
}

fn import(paths: &[PathBuf], data: &Path, folder: &Path, terminal: Terminal) -> Result<ExitCode> {
    let (lists, paths): (Vec<PathBuf>, Vec<PathBuf>) = paths.iter().cloned().partition(|path| lists::is_list(path));
    if !lists.is_empty() {
        make_folder(data, folder)?;
        lists.iter().try_for_each(|path| lists::import(path, folder, terminal))?;
        if paths.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
    }
    let paths = paths.as_slice();
    let bar = Bar::new(terminal, "importing", Unit::Things("record"));
    let report = make_folder(data, folder).and_then(|()| import_into(paths, folder, &bar));
    bar.done();
    let report = report?;
    warn_of_bad(&report);
    terminal.note(&columns(&said_of_import(&report)));
    tell_foreign(&report, terminal);
    Ok(ExitCode::SUCCESS)
}

fn make_folder(data: &Path, folder: &Path) -> Result<()> {
    aiva_store::directory::DataDirectory::open(data)?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn import_into(paths: &[PathBuf], folder: &Path, bar: &Bar) -> Result<ImportReport> {
    let progress = |p: advisory::Progress<'_>| {
        bar.say(&format!("importing {}", p.source));
        bar.set(p.done as u64, Some(p.total as u64));
    };
    advisory::import(paths, folder, SystemClock.now(), &progress).map_err(|error| {
        Failure::new("nothing was imported; the advisories are as they were").because(error).hint(GIVE).into()
    })
}

/// Says which entries were no records: they are missing from the index.
pub(crate) fn warn_of_bad(report: &ImportReport) {
    warn_of_entries(&report.bad, report.bad_count);
    if let Some(lost) = &report.lost {
        complain(&format!("warning: the index before could not be taken over: {lost}"));
    }
}

fn warn_of_entries(named: &[BadRecord], all: u64) {
    for bad in named {
        complain(&format!("warning: {}: {}", bad.entry, bad.reason));
    }
    if all > named.len() as u64 {
        complain(&format!("warning: and {} more entries that are no OSV records", all - named.len() as u64));
    }
}

fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Rows of a name and what is said of it, below each other.
fn columns(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().map(|(name, said)| format!("{name:<width$}  {said}")).collect::<Vec<_>>().join("\n")
}

fn said_of_changes(amended: &Amended) -> (&str, String) {
    let ended = if amended.ended > 0 {
        format!(", {} withdrawn or gone", grouped(number(amended.ended)))
    } else {
        String::new()
    };
    let (changed, records) = (grouped(number(amended.changed)), counted(number(amended.records), "record"));
    (amended.ecosystem.osv_name(), format!("{changed} changed{ended}, {records}"))
}

fn said_of_import(report: &ImportReport) -> Vec<(&str, String)> {
    let told = |imported: &advisory::Imported| {
        let records = counted(number(imported.records), "record");
        let withdrawn =
            if imported.withdrawn > 0 { format!(", {} withdrawn left out", imported.withdrawn) } else { String::new() };
        (imported.ecosystem.osv_name(), format!("{records}{withdrawn}"))
    };
    let kept = report.kept.iter().map(|kept| (kept.osv_name(), "as before".to_owned()));
    report.imported.iter().map(told).chain(kept).collect()
}

fn tell_foreign(report: &ImportReport, terminal: Terminal) {
    if report.foreign > 0 {
        terminal.note(&format!("{} of other ecosystems passed over", counted(number(report.foreign), "record")));
    }
}

fn update(
    from: Option<&str>,
    also: &[Distribution],
    found: &Found,
    (data, folder): (&Path, &Path),
    terminal: Terminal,
) -> Result<ExitCode> {
    let settings = &found.loaded.config;
    let configured = settings.sca.advisories_from.to_string();
    let base = from.unwrap_or(&configured);
    let mut policy = calls::policy(&settings.outbound);
    if let Some(from) = from {
        calls::admit(&mut policy, from);
    }
    let downloads = Downloads(calls::client(&settings.outbound, policy, &found.base)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    make_folder(data, folder)?;
    let bar = Bar::new(terminal, "downloading", Unit::Bytes);
    let progress = |p: update::Progress| {
        bar.say(&format!("downloading {}", p.ecosystem));
        bar.set(p.done, p.total);
    };
    let replaced = runtime.block_on(update::replace(&downloads, base, (folder, also), SystemClock.now(), &progress));
    bar.done();
    let replaced = replaced.map_err(|error| {
        let hint = help(&error);
        Failure::new("no new advisories; those from before stay in use").because(error).hint(hint)
    })?;
    if !replaced.missing.is_empty() {
        let names: Vec<&str> = replaced.missing.iter().map(|ecosystem| ecosystem.osv_name()).collect();
        complain(&format!("warning: {base} has no advisories of {}", names.join(", ")));
    }
    let unchanged = |ecosystem: &Ecosystem| (ecosystem.osv_name(), "unchanged".to_owned());
    let mut rows: Vec<(&str, String)> = replaced.unchanged.iter().map(unchanged).collect();
    if let Some(report) = &replaced.report {
        warn_of_bad(report);
        // What is unchanged was kept too.
        let told: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
        rows.extend(said_of_import(report).into_iter().filter(|(name, _)| !told.contains(name)));
    }
    if let Some(report) = &replaced.amended {
        warn_of_entries(&report.bad, report.bad_count);
        rows.extend(report.amended.iter().map(said_of_changes));
    }
    if !rows.is_empty() {
        terminal.note(&columns(&rows));
    }
    if let Some(report) = &replaced.report {
        tell_foreign(report, terminal);
    }
    // A mirror of the exports has no other lists; without them only the order of findings is poorer.
    if from.is_none() {
        for address in [&settings.sca.epss_from, &settings.sca.kev_from] {
            runtime.block_on(lists::fetch(&downloads, &address.to_string(), folder, terminal));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What helps, by what went wrong.
fn help(error: &ReplaceError) -> &'static str {
    match error {
        ReplaceError::Download(UpdateError::Fetch { source, .. }) => match source {
            FetchError::Offline { .. } => {
                "this machine seems to be offline; import a downloaded export with `aiva advisories import PATH`, or name a \
                 mirror with --from"
            }
            FetchError::Interrupted(_) => "what arrived is kept; run it again to go on from there",
            FetchError::Status { .. } => {
                "check the address (--from, or sca.advisories_from); if it is right, the server may recover: try again later"
            }
            FetchError::Refused(_) => {
                "let the mirror be called with [[outbound.exceptions]], or trust its authority with outbound.extra_ca_files"
            }
        },
        ReplaceError::Download(UpdateError::Length { .. }) | ReplaceError::Import(_) => {
            "what the server has is damaged or no export; try again later, or name another mirror with --from"
        }
        ReplaceError::Download(UpdateError::Disk { .. }) | ReplaceError::Amend(_) => {
            "check that the data directory may be written to and has room"
        }
        ReplaceError::Cancelled => "run it again",
    }
}

fn status(folder: &Path, verify: bool, as_json: bool, terminal: Terminal) -> Result<ExitCode> {
    let index = Index::open(folder)?;
    let status = index.status(SystemClock.now());
    let verified = verify.then(|| index.verify()).transpose()?;
    if as_json {
        let ecosystems: Vec<_> = status
            .ecosystems
            .iter()
            .map(|e| {
                json!({
                    "name": e.ecosystem.osv_name(), "records": e.records, "packages": e.packages,
                    "withdrawn": e.withdrawn, "newest_modified": e.newest_modified, "imported_at": e.imported_at,
                })
            })
            .collect();
        let document = json!({
            "epoch": status.epoch, "built_at": status.built_at, "age_seconds": status.age.as_secs(),
            "bytes": status.bytes, "ecosystems": ecosystems, "verified": verified.map(|v| v.parts),
            "epss": lists::as_json(folder, Feed::Epss), "kev": lists::as_json(folder, Feed::Kev),
        });
        terminal.print(&format!("{document}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = status.ecosystems.iter().map(|e| e.ecosystem.osv_name().len()).max().unwrap_or(0);
    let mut text = format!("{:<width$} {:>9} {:>9}  {:<12} imported\n", "", "records", "packages", "newest");
    for e in &status.ecosystems {
        let age = SystemClock.now().duration_since(e.imported_at);
        let age = spoken_age(Duration::try_from(age).unwrap_or_default());
        let newest = e.newest_modified.to_string();
        text.push_str(&format!(
            "{:<width$} {:>9} {:>9}  {:<12} {age} ago\n",
            e.ecosystem.osv_name(),
            grouped(number(e.records)),
            grouped(number(e.packages)),
            newest.get(..10).unwrap_or(&newest),
        ));
    }
    text.push_str(&lists::status(folder, width));
    if let Some(verified) = verified {
        text.push_str(&format!("verified: {} blocks, {} bytes\n", verified.parts, verified.bytes));
    }
    terminal.print(&text)?;
    Ok(ExitCode::SUCCESS)
}
