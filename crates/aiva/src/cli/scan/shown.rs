//! What a person is shown of a report: the rows of the table, and the gaps in words. Pure.

use aiva_contracts::api::{
    DocumentCanResolve, DocumentInput, DocumentNotJudged, DocumentPriority, FindingKind, InputStatus,
};
use aiva_findings::export::{self, Document};

use super::super::table::{Closing, Row, View};
use super::super::terminal::Terminal;
use super::super::{Scan, gaps};
use super::Report;

/// Whoever wants no summary is shown what counts, and nothing else.
pub(super) fn view(scan: &Scan, report: &Report, terminal: Terminal) -> View {
    let view = whole(report);
    if terminal.chatty {
        return view;
    }
    let possible = if scan.fail_on_ranges { view.possible } else { Vec::new() };
    View { possible, gaps: Vec::new(), idle: Vec::new(), closing: None, ..view }
}

fn whole(report: &Report) -> View {
    let document = report.document();
    let rows = export::wanting(document).map(|finding| Row {
        level: finding.severity.level.as_str().to_owned(),
        id: finding.id.clone(),
        kind: finding.kind.as_str().to_owned(),
        name: finding.name.clone(),
        version: finding.version.clone(),
        fixed: finding.fixed_versions.first().cloned(),
        is_of_versions: export::is_of_versions(finding.kind),
        last_affected: finding.last_affected.clone(),
        path: finding.path.clone(),
        line: finding.line,
        summary: finding.summary.clone(),
        reason: finding.reason.clone().filter(|_| finding.kind == FindingKind::SupplyChain),
        known: finding.known,
        priority: finding.priority.as_ref().map(|priority| priority.score),
        sum: finding.priority.as_ref().map_or(0.0, sum),
    });
    let summary = &document.summary;
    let files = summary.inputs.parsed + summary.inputs.partial;
    View {
        rows: rows.collect(),
        possible: possible(document),
        gaps: gaps(report),
        idle: idle(report),
        closing: Some(Closing {
            files: usize::try_from(files).unwrap_or(usize::MAX),
            packages: usize::try_from(summary.packages).unwrap_or(usize::MAX),
            not_judged: usize::try_from(summary.not_judged).unwrap_or(usize::MAX),
            clean: export::clean(document),
            left_out: report.left_out.clone(),
            known: report.known,
            advisories: report.advisories.clone(),
        }),
    }
}

/// The terms of a priority together, without the one that cuts them off.
fn sum(priority: &DocumentPriority) -> f64 {
    priority.terms.iter().filter(|term| term.points > 0.0).map(|term| term.points).sum()
}

/// What ranges can resolve to, one sentence each; before them those with something that the baseline has not.
fn possible(document: &Document) -> Vec<String> {
    let is_new = |entry: &DocumentCanResolve| entry.advisories.iter().any(|one| one.known == Some(false));
    let sentence = |input: &DocumentInput, entry: &DocumentCanResolve| {
        let what = export::spoken_entry(&entry.name, &entry.requirement);
        let new = if is_new(entry) { "new: " } else { "" };
        new.to_owned() + &gaps::at(&input.path, entry.line, &format!("{what}: {}", export::spoken_possibility(entry)))
    };
    let all = document.inputs.iter().flat_map(|input| input.can_resolve.iter().map(move |entry| (input, entry)));
    let (new, old): (Vec<_>, Vec<_>) = all.partition(|(_, entry)| is_new(entry));
    new.into_iter().chain(old).map(|(input, entry)| sentence(input, entry)).collect()
}

/// What was not read or judged, one sentence each, the gravest first; before them those that the baseline has not.
fn gaps(report: &Report) -> Vec<String> {
    let [mut new, old] = [true, false].map(|is_new| {
        let mut told = unread(report, is_new);
        if !is_new {
            told.extend(report.ignored.iter().map(|path| gaps::hidden(path)));
        }
        told.extend(unjudged(report, is_new));
        told
    });
    new.iter_mut().for_each(|sentence| sentence.insert_str(0, "new: "));
    new.extend(old);
    new
}

/// Files that were not read whole, those that are new or the others; without a baseline none is new.
fn unread(report: &Report, is_new: bool) -> Vec<String> {
    let mut files = Vec::new();
    for input in report.draft.inputs() {
        let is_meant =
            |message: &str| report.new_gaps.as_ref().is_some_and(|new| new.has_problem(input, message)) == is_new;
        let problems = input.problems.iter().filter(|one| is_meant(&one.message));
        let problems: Vec<(u32, &str)> = problems.map(|one| (one.line, one.message.as_str())).collect();
        let is_whole = input.problems.is_empty() && is_meant("");
        if is_whole || !problems.is_empty() {
            let kind = (input.status == InputStatus::Unsupported).then_some(input.kind.as_str());
            files.push(gaps::Unread { path: &input.path, kind, problems });
        }
    }
    gaps::unread(&files)
}

/// Entries that were not judged, in the same way.
fn unjudged(report: &Report, is_new: bool) -> Vec<String> {
    let mut open = Vec::new();
    for input in report.draft.inputs() {
        let is_meant = |entry: &&DocumentNotJudged| {
            report.new_gaps.as_ref().is_some_and(|new| new.has_entry(input, entry)) == is_new
        };
        open.extend(input.not_judged.iter().filter(is_meant).map(|entry| gaps::Open {
            path: &input.path,
            line: entry.line,
            name: &entry.name,
            requirement: &entry.requirement,
            reason: &entry.reason,
            registry: entry.registry.as_deref(),
        }));
    }
    gaps::unjudged(&open)
}

/// Choices not to act that do nothing any more, one sentence each.
fn idle(report: &Report) -> Vec<String> {
    let exceptions = report.draft.summary().exceptions.iter().map(export::spoken_exception);
    exceptions.chain(report.idle_licences.iter().cloned()).collect()
}
