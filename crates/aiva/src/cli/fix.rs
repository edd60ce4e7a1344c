//! `aiva sca fix`: the bumps that clear the findings, as a difference to read or applied.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use aiva_findings::exception::Judge;
use aiva_findings::fingerprint::Place;
use aiva_sca::finding::{Finding, Kind};
use aiva_sca::fix::{self, Bump, Plan, Stay};
use aiva_sca::inventory::is_within;
use aiva_sca::scan::Possible;
use anyhow::{Context as _, Result};
use similar::TextDiff;

use super::exit::Outcome;
use super::gaps::Gaps;
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
    let real_root = root.canonicalize().with_context(|| format!("cannot look at {}", root.display()))?;
    let read = |path: &str| text_within(&real_root, path);
    let possible: Vec<Possible> = result.can_resolve.iter().filter_map(|one| open(one, &mut judge)).collect();
    let plan = fix::plan(&inventory.inputs, &findings, &possible, &index, &read).context("the plan was stopped")?;
    if command.apply {
        for edit in &plan.edits {
            rewrite(&root.join(&edit.path), &edit.before, &edit.after)?;
        }
    }
    let gaps = Gaps::of(&inventory).with_unjudged(&result);
    let nothing = findings.is_empty() && possible.is_empty() && gaps.lines.is_empty();
    let possible: Vec<String> = possible.iter().filter_map(|one| spoken(one, &plan)).collect();
    terminal.print(&(told(&plan, command.apply, nothing) + &listed(&possible, &gaps)))?;
    if !command.apply && !plan.edits.is_empty() {
        terminal.note("No file was changed: --apply writes these edits. Commands are never run.");
    }
    let nothing_to_do = plan.edits.is_empty() && plan.commands.is_empty();
    let open = !plan.remaining.is_empty() || !(command.apply || nothing_to_do);
    // What a range resolves to is settled by whoever installs.
    let is_incomplete = gaps.is_incomplete || !possible.is_empty();
    Ok(match (open, is_incomplete) {
        (true, _) => Outcome::Findings,
        (false, true) => Outcome::Incomplete,
        (false, false) => Outcome::Clean,
    }
    .into())
}

/// What a range can resolve to without what is accepted; `None` where that is all of it.
fn open(possible: &Possible, judge: &mut Judge) -> Option<Possible> {
    let place = Place { guard: "sca", service: "", path: &possible.path, package: &possible.name };
    let is_open = |verdict: &std::sync::Arc<aiva_sca::finding::Verdict>| {
        let names = std::iter::once(verdict.id.as_str()).chain(verdict.aliases.iter().map(String::as_str));
        judge.cover(place, names).is_none()
    };
    let mut possible = possible.clone();
    let all = possible.verdicts.len();
    possible.verdicts.retain(is_open);
    // The safe version is one that clears what is accepted as well, so it is told and not gone to.
    possible.is_least_affected &= possible.verdicts.len() == all;
    (!possible.verdicts.is_empty()).then_some(possible)
}

/// What a range can resolve to, and the version from which on it cannot; `None` where the plan raises it to that.
fn spoken(possible: &Possible, plan: &Plan) -> Option<String> {
    let Possible { path, line, name, requirement, .. } = possible;
    let key = (path.clone(), *line, name.clone(), requirement.clone());
    let why_not = match plan.ranges.get(&key) {
        Some(None) => return None,
        Some(Some(reason)) => format!("; {reason}"),
        None => String::new(),
    };
    let floor = match (&possible.safe_from, &possible.safe_after) {
        (Some(version), _) => format!("safe from {version} on"),
        (None, Some(version)) => format!("later than {version} it is safe"),
        (None, None) if possible.is_never_safe => {
            "no version that it allows is free of known vulnerabilities".to_owned()
        }
        (None, None) => "no version that it allows is known from which on all are safe".to_owned(),
    };
    let ids: Vec<&str> = possible.verdicts.iter().map(|verdict| verdict.id.as_str()).collect();
    let what = match plan.narrowed.get(&key) {
        Some((written, by)) => format!("{} (narrowed to {by})", format!("{name} {written}").trim_end()),
        None => format!("{name} {requirement}").trim_end().to_owned(),
    };
    Some(format!("{path}:{line}: {what}: {}: {floor}{why_not}", ids.join(", ")))
}

fn listed(possible: &[String], gaps: &Gaps) -> String {
    let mut out = String::new();
    for (title, lines) in [
        ("# can resolve to an affected version as it is now", possible),
        ("# not read or not judged, so nothing is said of it", &gaps.lines),
    ] {
        if !lines.is_empty() {
            out.push_str(&format!("{title}\n"));
            lines.iter().for_each(|line| out.push_str(&format!("# {}\n", printable(&fix::masked_addresses(line)))));
        }
    }
    out
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
    let folder = if path.is_file() { path.parent().unwrap_or(Path::new("")) } else { path };
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_path_buf() }
}

/// The text of a file by its path below the root, which no link leads out of.
fn text_within(real_root: &Path, path: &str) -> Option<String> {
    let file = real_root.join(path);
    is_within(real_root, &file).ok().filter(|is_within| *is_within)?;
    fs::read_to_string(file).ok()
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

/// `pom.xml:12`; of many lines the first three.
fn spoken_place(path: &str, lines: &[u32]) -> String {
    let named: Vec<String> = lines.iter().filter(|line| **line > 0).take(3).map(u32::to_string).collect();
    let more = if lines.len() > 3 { ",…" } else { "" };
    if named.is_empty() { path.to_owned() } else { format!("{path}:{}{more}", named.join(",")) }
}

fn told(plan: &Plan, applied: bool, nothing: bool) -> String {
    let mut out = String::new();
    let mut is_masked = false;
    let mut say = |line: String| writeln!(out, "{line}").expect("writing to a String cannot fail");
    if nothing {
        say("Nothing to mend.".to_owned());
    }
    for edit in &plan.edits {
        for bump in &edit.bumps {
            let verb = if applied { "moved" } else { "move" };
            let clears = cleared(bump);
            let (from, to, along) = (bump.from.join(", "), bump.to.join(", "), &bump.along);
            say(printable(&format!("# {}: {verb} {} from {from} to {to}; {clears}", edit.path, bump.name)));
            if !along.is_empty() {
                say(printable(&format!(
                    "#   the same property or element is the version of these, which move along: {along}"
                )));
            }
            if !bump.unknown.is_empty() {
                let unknown = &bump.unknown;
                say(printable(&format!(
                    "#   nothing here says that these versions are there: {unknown}; look before you build"
                )));
            }
            if !bump.drops.is_empty() {
                let drops = bump.drops.join(", ");
                say(printable(&format!("#   the upper bound {drops} would shut {to} out, so it goes")));
            }
        }
        if !applied {
            let secrets = fix::Secrets::of(&[&edit.before, &edit.after]);
            // After that time the difference is no longer the smallest one, but still a true one.
            let mut differ = TextDiff::configure();
            let diff = differ.timeout(Duration::from_millis(300)).diff_lines(&edit.before, &edit.after);
            let (old, new) = (format!("a/{}", edit.path), format!("b/{}", edit.path));
            // As a patch reads it, but for what would drive the terminal.
            let text = diff.unified_diff().header(&old, &new).to_string();
            for line in text.split_terminator('\n') {
                // Without it no patch would fit a file whose lines end so.
                let (line, end) = line.strip_suffix('\r').map_or((line, ""), |line| (line, "\r"));
                let shown = secrets.masked(line);
                is_masked |= *shown != *line;
                say(shown.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}") + end);
            }
        }
    }
    if is_masked {
        say("# credentials are shown as ***, so the difference cannot be applied as a patch; --apply keeps them"
            .to_owned());
    }
    if !plan.commands.is_empty() {
        say("# then run".to_owned());
    }
    for run in &plan.commands {
        let folder =
            if run.folder.is_empty() { String::new() } else { format!("(cd {} && ", fix::quoted(&run.folder)) };
        let close = if run.folder.is_empty() { "" } else { ")" };
        let brought = match run.brought_by.as_slice() {
            [] => String::new(),
            by => format!(", brought by {}", by.join(", ")),
        };
        let clears = match run.clears.as_slice() {
            [] => String::new(),
            clears => format!("  # clears {}{brought}", clears.join(", ")),
        };
        say(printable(&format!("{folder}{}{close}{clears}", run.command)));
    }
    for (stay, title) in [
        (Stay::Follows, "# may go with what brings it: run this again after the steps above"),
        (Stay::Surely, "# stays"),
        (Stay::Perhaps, "# may stay: nothing here proves that it goes"),
    ] {
        let mut lines = plan.remaining.iter().filter(|one| one.stay == stay).peekable();
        if lines.peek().is_some() {
            say(title.to_owned());
        }
        for one in lines {
            let place = spoken_place(&one.path, &one.lines);
            let line = format!("# {place}: {}: {}: {}", one.package, one.ids.join(", "), one.reason);
            say(printable(&fix::masked_addresses(&line)));
        }
    }
    if !plan.instead.is_empty() {
        say("# or override: forces a version that those who ask for the package do not allow, so test it".to_owned());
    }
    for one in &plan.instead {
        let held: Vec<&str> = one.held.iter().map(String::as_str).collect();
        let (clears, held) = (one.clears.join(", "), held.join(", "));
        let line = format!("# {}: {}  clears {clears}, though {held}", one.path, one.written);
        say(printable(&fix::masked_addresses(&line)));
    }
    out
}

/// What a bump does to the findings.
fn cleared(bump: &Bump) -> String {
    let Bump { clears, eases, .. } = bump;
    // Of what goes in part that is said already.
    let may: Vec<&str> = bump.may.iter().filter(|id| !eases.contains(id)).map(String::as_str).collect();
    let mut said = Vec::new();
    if !clears.is_empty() {
        said.push(format!("clears {}", clears.join(", ")));
    }
    if !eases.is_empty() {
        let eases = eases.join(", ");
        let is_first = said.is_empty();
        said.push(if is_first {
            format!("clears {eases} here, but not everywhere")
        } else {
            format!("{eases} not everywhere")
        });
    }
    if !may.is_empty() {
        said.push(format!("may clear {}", may.join(", ")));
    }
    if said.is_empty() {
        said.push("alone that clears nothing".to_owned());
    }
    let is_all = eases.is_empty() && may.is_empty() && !clears.is_empty();
    said.join("; ") + if is_all { "" } else { ", see below" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_what_is_known_to_go_and_what_may() {
        for (clears, eases, may, want) in [
            (&["A", "B"][..], &[][..], &[][..], "clears A, B"),
            (&[], &["A"], &["A"], "clears A here, but not everywhere, see below"),
            (&["B"], &["A"], &[], "clears B; A not everywhere, see below"),
            (&["B"], &[], &["C"], "clears B; may clear C, see below"),
            (&[], &[], &["C", "D"], "may clear C, D, see below"),
            (&[], &[], &[], "alone that clears nothing, see below"),
        ] {
            let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
            let (clears, eases, may) = (ids(clears), ids(eases), ids(may));
            let (name, from, to, drops) = Default::default();
            let (along, unknown) = Default::default();
            assert_eq!(cleared(&Bump { name, from, to, clears, drops, eases, may, along, unknown }), want);
        }
    }

    #[cfg(unix)]
    #[test]
    fn no_link_leads_out_of_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(folder.path().join("out"), "out").unwrap();
        fs::write(root.join("in"), "in").unwrap();
        for (name, to) in [("far", "../out"), ("near", "in")] {
            std::os::unix::fs::symlink(to, root.join(name)).unwrap();
        }
        for (path, want) in [("in", Some("in")), ("near", Some("in")), ("far", None), ("../out", None), ("no", None)] {
            assert_eq!(text_within(&root, path).as_deref(), want, "{path}");
        }
    }
}
