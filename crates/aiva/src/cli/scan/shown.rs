//! What a person is shown of a report: the rows of the table, and the gaps in words. Pure.

use aiva_contracts::api::{AdvisoryState, DocumentCanResolve, DocumentInput, InputStatus};
use aiva_findings::export::{self, Document};

use super::super::table::{Row, View};
use super::Report;

pub(super) fn view(report: &Report) -> View {
    let document = report.document();
    let rows = export::wanting(document).map(|finding| Row {
        level: finding.severity.level.as_str().to_owned(),
        id: finding.id.clone(),
        kind: finding.kind.as_str().to_owned(),
        name: finding.name.clone(),
        version: finding.version.clone(),
        fixed: finding.fixed_versions.first().cloned(),
        last_affected: finding.last_affected.clone(),
        path: finding.path.clone(),
        line: finding.line,
        summary: finding.summary.clone(),
        known: finding.known,
        priority: finding.priority.as_ref().map(|priority| priority.score),
    });
    let summary = &document.summary;
    let files = summary.inputs.parsed + summary.inputs.partial;
    View {
        rows: rows.collect(),
        possible: possible(document),
        gaps: gaps(report),
        files: usize::try_from(files).unwrap_or(usize::MAX),
        packages: usize::try_from(summary.packages).unwrap_or(usize::MAX),
        not_judged: usize::try_from(summary.not_judged).unwrap_or(usize::MAX),
        has_advisories: document.advisories.state != AdvisoryState::Missing,
        left_out: report.left_out.clone(),
        known: report.known,
        advisories: report.advisories.clone(),
    }
}

/// What ranges can resolve to, one sentence each.
fn possible(document: &Document) -> Vec<String> {
    let said = |input: &DocumentInput| {
        let sentence = |entry: &DocumentCanResolve| {
            let said = export::spoken_possibility(entry);
            format!("{}:{}: {} {}: {said}", input.path, entry.line, entry.name, entry.requirement)
        };
        input.can_resolve.iter().map(sentence).collect::<Vec<_>>()
    };
    document.inputs.iter().flat_map(said).collect()
}

/// What was not read or judged, one sentence each, the gravest first.
fn gaps(report: &Report) -> Vec<String> {
    let mut failed = Vec::new();
    let mut unjudged = Vec::new();
    for input in report.draft.inputs() {
        let problem = |p: &aiva_contracts::api::DocumentProblem| match p.line {
            0 => format!("{}: {}", input.path, p.message),
            line => format!("{}:{line}: {}", input.path, p.message),
        };
        match input.status {
            InputStatus::Parsed | InputStatus::Partial | InputStatus::Failed => {
                failed.extend(input.problems.iter().map(problem));
            }
            InputStatus::Unsupported => {
                let said = input.problems.first().map_or("this release does not read it", |problem| &*problem.message);
                failed.push(format!("{}: {said}", input.path));
            }
        }
        unjudged.extend(
            input
                .not_judged
                .iter()
                .map(|e| format!("{}:{}: {} {}: {}", input.path, e.line, e.name, e.requirement, e.reason)),
        );
    }
    for ignored in &report.ignored {
        failed.push(format!("{ignored}: hidden by git's ignore rules; name it to scan it"));
    }
    for idle in &report.draft.summary().exceptions {
        let what = [&idle.id, &idle.package, &idle.path].into_iter().flatten().map(String::as_str);
        let what = what.collect::<Vec<_>>().join(", ");
        failed.push(format!(
            "exception for {what} (owner {}, until {}): {}",
            idle.owner,
            idle.expires,
            idle.state.as_str()
        ));
    }
    failed.extend(report.idle_licences.iter().cloned());
    failed.extend(unjudged);
    failed
}
