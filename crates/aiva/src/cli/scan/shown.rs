//! What a person is shown of a report: the rows of the table, and the gaps in words. Pure.

use aiva_contracts::api::{DocumentCanResolve, DocumentInput, DocumentPriority, FindingKind, InputStatus};
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

/// What ranges can resolve to, one sentence each.
fn possible(document: &Document) -> Vec<String> {
    let said = |input: &DocumentInput| {
        let sentence = |entry: &DocumentCanResolve| {
            let what = export::spoken_entry(&entry.name, &entry.requirement);
            gaps::at(&input.path, entry.line, &format!("{what}: {}", export::spoken_possibility(entry)))
        };
        input.can_resolve.iter().map(sentence).collect::<Vec<_>>()
    };
    document.inputs.iter().flat_map(said).collect()
}

/// What was not read or judged, one sentence each, the gravest first.
fn gaps(report: &Report) -> Vec<String> {
    let (mut files, mut unjudged) = (Vec::new(), Vec::new());
    for input in report.draft.inputs() {
        files.push(gaps::Unread {
            path: &input.path,
            kind: (input.status == InputStatus::Unsupported).then_some(input.kind.as_str()),
            problems: input.problems.iter().map(|one| (one.line, one.message.as_str())).collect(),
        });
        unjudged.extend(input.not_judged.iter().map(|entry| gaps::Open {
            path: &input.path,
            line: entry.line,
            name: &entry.name,
            requirement: &entry.requirement,
            reason: &entry.reason,
        }));
    }
    let mut unread = gaps::unread(&files);
    unread.extend(report.ignored.iter().map(|path| gaps::hidden(path)));
    unread.extend(gaps::unjudged(&unjudged));
    unread
}

/// Choices not to act that do nothing any more, one sentence each.
fn idle(report: &Report) -> Vec<String> {
    let exceptions = report.draft.summary().exceptions.iter().map(export::spoken_exception);
    exceptions.chain(report.idle_licences.iter().cloned()).collect()
}
