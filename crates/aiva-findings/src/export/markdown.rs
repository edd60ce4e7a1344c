//! Markdown, as a comment of a pull request or the summary of a job shows it (GitHub Flavored Markdown).
//!
//! Whatever a file or an advisory says stays text: it cannot open a tag, a link, a table cell or a mention.

use std::fmt::Write as _;

use aiva_contracts::api::{DocumentFinding, InputStatus, Level};

use super::{
    Document, Standing, clean, count_of, introducers, remedy, spoken_entry, spoken_exception, spoken_possibility,
    spoken_statement, standing, symbols, wanting,
};

/// Findings and gaps beyond these are counted, not listed: comments have a size limit.
const MOST_ROWS: usize = 200;

/// The document as Markdown.
pub fn markdown(document: &Document) -> String {
    let mut out = String::from("# AIVA scan\n\n");
    headline(&mut out, document);
    table(&mut out, document);
    let mut known = String::new();
    for finding in document.findings.iter().filter(|finding| standing(finding) > Standing::Known).take(MOST_ROWS) {
        let reason = match (&finding.acceptance, &finding.statement) {
            (Some(by), _) => format!("accepted until {} by {}: {}", by.expires, by.owner, by.reason),
            (None, Some(statement)) => spoken_statement(statement),
            (None, None) => continue,
        };
        push(&mut known, &format!("- {} in {}: {}", code(&finding.id), package(finding), plain(&reason)));
    }
    section(&mut out, "Left out", &known);
    section(&mut out, "Can resolve to an affected version", &possible(document));
    section(&mut out, "Not judged", &gaps(document));
    let idle = document.summary.exceptions.iter().map(|idle| format!("- {}", plain(&spoken_exception(idle))));
    section(&mut out, "Exceptions that do nothing", &listed(idle.collect()));
    out
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

fn headline(out: &mut String, document: &Document) {
    let mut counts = document.summary.findings.clone();
    let levels =
        [Level::Critical, Level::High, Level::Medium, Level::Low, Level::Unknown, Level::Informational].into_iter();
    let said: Vec<String> = levels
        .filter_map(|level| match *count_of(&mut counts, level) {
            0 => None,
            count => Some(format!("**{count} {level}**")),
        })
        .collect();
    let summary = &document.summary;
    let files = summary.inputs.parsed + summary.inputs.partial;
    let verdict = match said.as_slice() {
        [] => clean(document).words().to_owned(),
        said => said.join(", "),
    };
    let mut line = format!("{verdict}. {} in {}", counted(summary.packages, "package"), counted(files, "file"));
    if summary.not_judged > 0 {
        write!(line, ", {} not judged", counted(summary.not_judged, "entry")).expect("writing to a String cannot fail");
    }
    if let Some(count) = summary.can_resolve {
        write!(line, ", {count} can resolve to an affected version").expect("writing to a String cannot fail");
    }
    if let Some(known) = summary.known {
        write!(line, ", {known} known from the baseline").expect("writing to a String cannot fail");
    }
    push(out, &format!("{line}.\n"));
}

fn counted(count: u64, word: &str) -> String {
    match word.strip_suffix('y') {
        _ if count == 1 => format!("1 {word}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {word}s"),
    }
}

fn table(out: &mut String, document: &Document) {
    let rows: Vec<&DocumentFinding> = wanting(document).collect();
    if rows.is_empty() {
        return;
    }
    push(out, "| level | advisory | package | remedy | where | what |");
    push(out, "|---|---|---|---|---|---|");
    for finding in rows.iter().take(MOST_ROWS) {
        let link = finding.references.iter().find_map(|address| link(address));
        let id = link.map_or_else(|| code(&finding.id), |link| format!("[{}]({link})", code(&finding.id)));
        let new = if finding.known == Some(false) { " (new)" } else { "" };
        let mut what = plain(&finding.summary);
        if let Some(reason) = &finding.reason {
            what.push_str(&format!("<br>{}", plain(reason)));
        }
        if let Some(functions) = symbols(finding) {
            what.push_str(&format!("<br>{}", plain(&functions)));
        }
        if let Some(path) = introducers(finding).first() {
            what.push_str(&format!("<br>via {}", code(path)));
        }
        push(
            out,
            &format!(
                "| {}{new} | {id} | {} | {} | {} line {} | {what} |",
                finding.severity.level,
                package(finding),
                plain(&remedy(finding)),
                code(&finding.path),
                finding.line,
            ),
        );
    }
    if rows.len() > MOST_ROWS {
        push(out, &format!("\nand {} more", rows.len() - MOST_ROWS));
    }
    out.push('\n');
}

fn section(out: &mut String, title: &str, body: &str) {
    if !body.is_empty() {
        push(out, &format!("<details><summary>{title}</summary>\n\n{body}\n</details>\n"));
    }
}

/// Ranges that allow affected and other versions alike.
fn possible(document: &Document) -> String {
    let entries = document.inputs.iter().flat_map(|input| input.can_resolve.iter().map(move |entry| (input, entry)));
    let lines: Vec<String> = entries
        .map(|(input, entry)| {
            let what = code(&spoken_entry(&entry.name, &entry.requirement));
            let said = plain(&spoken_possibility(entry));
            format!("- {} line {}: {what}: {said}", code(&input.path), entry.line)
        })
        .collect();
    listed(lines)
}

fn gaps(document: &Document) -> String {
    let mut lines = Vec::new();
    for input in &document.inputs {
        let file = code(&input.path);
        if input.status != InputStatus::Parsed && input.problems.is_empty() {
            lines.push(format!("- {file}: {}", input.status));
        }
        lines.extend(input.problems.iter().map(|p| format!("- {file} line {}: {}", p.line, plain(&p.message))));
        lines.extend(input.not_judged.iter().map(|entry| {
            let what = code(&spoken_entry(&entry.name, &entry.requirement));
            format!("- {file} line {}: {what}: {}", entry.line, plain(&entry.reason))
        }));
    }
    listed(lines)
}

/// Lines of a list, the first of them where there are too many.
fn listed(mut lines: Vec<String>) -> String {
    let more = lines.len().saturating_sub(MOST_ROWS);
    lines.truncate(MOST_ROWS);
    if more > 0 {
        lines.push(format!("- and {more} more"));
    }
    lines.iter().fold(String::new(), |mut out, line| {
        push(&mut out, line);
        out
    })
}

fn package(finding: &DocumentFinding) -> String {
    code(&format!("{} {}", finding.name, finding.version))
}

/// An address that ends neither the link nor the table cell that it stands in.
fn link(address: &str) -> Option<String> {
    let safe = |c: char| c.is_ascii_graphic() && !matches!(c, '(' | ')' | '<' | '>' | '|' | '\\' | '"' | '`');
    (address.starts_with("https://") && address.chars().all(safe)).then(|| address.to_owned())
}

/// A code span: fenced by more backticks than the text has in a row. A bar would end the table cell even there.
fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let room = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{room}{}{room}{fence}", text.replace('|', "\\|"))
}

/// Prose in which nothing is markup: punctuation is escaped, and a mention is broken by an empty comment.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '@' => out.push_str("@<!-- -->"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
