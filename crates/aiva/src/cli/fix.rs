//! `aiva sca fix`: the bumps that clear the findings, as a difference to read or applied.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aiva_findings::exception::Judge;
use aiva_findings::fingerprint::Place;
use aiva_sca::finding::{Finding, Kind};
use aiva_sca::fix::{self, Plan};
use anyhow::{Context as _, Result};
use similar::TextDiff;

use super::exit::Outcome;
use super::terminal::{Terminal, printable};
use super::{Fix, Global, sca, scan};
use crate::failure::Failure;
use crate::settings;

pub(crate) fn run(command: &Fix, global: &Global, terminal: Terminal) -> Result<ExitCode> {
    let found = settings::find(global, Vec::new())?;
    let settings = &found.loaded.config;
    let folder = settings::data_directory(settings.server.data_dir.as_deref())?.join("advisories");
    let knowledge = scan::open_index(&folder, command.stale, settings.sca.advisories_max_age)?;
    let Some(index) = knowledge.index else {
        return Err(Failure::new("without advisories there is nothing to mend").into());
    };
    let inventory = sca::inventory(&command.path, &command.exclude, global, terminal)?;
    let result = aiva_sca::scan::scan(&inventory.inputs, &index).context("the scan was stopped")?;
    let mut judge = Judge::new(scan::exceptions(&settings.exceptions)?, scan::today());
    let findings: Vec<&Finding> =
        result.findings.iter().filter(|finding| is_bump(finding) && !is_accepted(finding, &mut judge)).collect();
    let root = root(&command.path);
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    let plan = fix::plan(&inventory.inputs, &findings, &index, &read).context("the plan was stopped")?;
    if command.apply {
        for edit in &plan.edits {
            rewrite(&root.join(&edit.path), &edit.before, &edit.after)?;
        }
    }
    terminal.print(&told(&plan, command.apply, findings.is_empty()))?;
    let nothing_to_do = plan.edits.is_empty() && plan.commands.is_empty();
    let open = !plan.remaining.is_empty() || !(command.apply || nothing_to_do);
    Ok(if open { Outcome::Findings } else { Outcome::Clean }.into())
}

/// What a newer version may end. That nobody looks after a package ends with no version.
fn is_bump(finding: &Finding) -> bool {
    matches!(finding.verdict.kind, Kind::Vulnerability | Kind::Malicious | Kind::Unsound)
}

fn is_accepted(finding: &Finding, judge: &mut Judge) -> bool {
    let place = Place { guard: "sca", service: "", path: &finding.path, package: &finding.name };
    let verdict = &finding.verdict;
    judge.cover(place, std::iter::once(verdict.id.as_str()).chain(verdict.aliases.iter().map(String::as_str))).is_some()
}

fn root(path: &Path) -> PathBuf {
    if path.is_file() { path.parent().unwrap_or(Path::new("")).to_path_buf() } else { path.to_path_buf() }
}

/// All of the file or none of it, with the rights that it has; not over what somebody changed meanwhile.
fn rewrite(path: &Path, before: &str, after: &str) -> Result<()> {
    let cannot = |error: std::io::Error| Failure::new(format!("cannot rewrite {}", path.display())).because(error);
    let path = path.canonicalize().map_err(cannot)?;
    if fs::read_to_string(&path).map_err(cannot)? != before {
        return Err(Failure::new(format!("{} was changed meanwhile", path.display())).hint("run it again").into());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(cannot)?;
    file.write_all(after.as_bytes()).map_err(cannot)?;
    fs::set_permissions(file.path(), fs::metadata(&path).map_err(cannot)?.permissions()).map_err(cannot)?;
    file.persist(&path).map_err(|error| cannot(error.error))?;
    Ok(())
}

fn told(plan: &Plan, applied: bool, nothing: bool) -> String {
    let mut out = String::new();
    let mut say = |line: String| writeln!(out, "{line}").expect("writing to a String cannot fail");
    if nothing {
        say("Nothing to mend.".to_owned());
    }
    for edit in &plan.edits {
        for bump in &edit.bumps {
            let verb = if applied { "moved" } else { "move" };
            say(printable(&format!(
                "# {}: {verb} {} from {} to {}; clears {}",
                edit.path,
                bump.name,
                bump.from.join(", "),
                bump.to,
                bump.clears.join(", ")
            )));
        }
        if !applied {
            let diff = TextDiff::from_lines(&edit.before, &edit.after);
            let (old, new) = (format!("a/{}", edit.path), format!("b/{}", edit.path));
            // As a patch reads it, but for what would drive the terminal.
            let text = diff.unified_diff().header(&old, &new).to_string();
            text.lines().for_each(|line| say(line.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}")));
        }
    }
    if !plan.commands.is_empty() {
        say("# then run".to_owned());
    }
    for run in &plan.commands {
        let folder =
            if run.folder.is_empty() { String::new() } else { format!("(cd {} && ", fix::quoted(&run.folder)) };
        let close = if run.folder.is_empty() { "" } else { ")" };
        let clears = if run.clears.is_empty() {
            String::new()
        } else {
            format!("  # clears {}, as far as ranges allow", run.clears.join(", "))
        };
        say(printable(&format!("{folder}{}{close}{clears}", run.command)));
    }
    if !plan.remaining.is_empty() {
        say("# stays".to_owned());
    }
    for one in &plan.remaining {
        say(printable(&format!("# {}: {}: {}: {}", one.path, one.package, one.ids.join(", "), one.reason)));
    }
    out
}
