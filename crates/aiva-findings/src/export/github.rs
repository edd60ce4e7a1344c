//! Workflow commands of GitHub Actions: one annotation a finding, at its line of the pull request.
//!
//! GitHub shows the first ten errors, warnings and notices of a step; the rest is in the log. For all of them in one place
//! upload SARIF. What a file says cannot become a command of its own: values are escaped as the runner unescapes them.

use aiva_contracts::api::{DocumentFinding, FindingKind, InputStatus, Level};

use super::{Document, Standing, introducers, remedy, spoken_entry, spoken_possibility, standing, symbols, wanting};

/// The document as workflow commands, one a line.
pub fn annotations(document: &Document) -> String {
    let mut out = String::new();
    for finding in wanting(document) {
        // What was there before must not push what is new out of the ten that are shown.
        let known = standing(finding) == Standing::Known;
        let mut title = format!("{} {}: {}", finding.name, finding.version, finding.id);
        if known {
            title.push_str(" (known from the baseline)");
        }
        let mut message = format!("{} ({})", finding.summary, remedy(finding));
        if let Some(reason) = &finding.reason {
            message.push_str(&format!("\n{reason}"));
        }
        if let Some(functions) = symbols(finding) {
            message.push_str(&format!("\n{functions}"));
        }
        for path in introducers(finding) {
            message.push_str(&format!("\nvia {path}"));
        }
        let at = (finding.line, finding.column);
        let word = if known { "notice" } else { word(finding) };
        out.push_str(&command(word, &finding.path, at, &title, &message));
    }
    for input in &document.inputs {
        for entry in &input.can_resolve {
            let title =
                format!("{}: can resolve to an affected version", spoken_entry(&entry.name, &entry.requirement));
            out.push_str(&command("notice", &input.path, (entry.line, None), &title, &spoken_possibility(entry)));
        }
    }
    for input in document.inputs.iter().filter(|input| input.status != InputStatus::Parsed) {
        let said = |line, message: &str| command("warning", &input.path, (line, None), "not read to its end", message);
        if input.problems.is_empty() {
            out.push_str(&said(0, &format!("{} is {}", input.kind, input.status)));
        }
        for problem in &input.problems {
            out.push_str(&said(problem.line, &problem.message));
        }
    }
    out
}

fn word(finding: &DocumentFinding) -> &'static str {
    match (finding.kind, finding.severity.level) {
        (FindingKind::Malicious, _) | (_, Level::Critical | Level::High) => "error",
        (_, Level::Medium | Level::Unknown) => "warning",
        (_, Level::Low | Level::Informational) => "notice",
    }
}

fn command(word: &str, path: &str, (line, column): (u32, Option<u32>), title: &str, message: &str) -> String {
    let mut place = format!("file={}", property(path));
    if line > 0 {
        place.push_str(&format!(",line={line}"));
    }
    if let Some(column) = column {
        place.push_str(&format!(",col={column}"));
    }
    format!("::{word} {place},title={}::{}\n", property(title), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
