//! One self-contained page: no script, no external asset, readable in light and dark, on paper and on a phone.
//!
//! The page forbids itself to load anything (Content-Security-Policy), so that an advisory's text cannot call home from the
//! reader's browser. Filters are check boxes and CSS.

use aiva_contracts::api::{DocumentCanResolve, DocumentFinding, DocumentInput, InputStatus, Level};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    Clean, Document, Standing, Tool, clean, count_of, is_of_versions, remedy, spoken_entry, spoken_exception,
    spoken_statement, standing, wanting,
};

const STYLE: &str = include_str!("html.css");

/// From the worst to the least.
const LEVELS: [Level; 6] =
    [Level::Critical, Level::High, Level::Medium, Level::Low, Level::Unknown, Level::Informational];

/// The document as a page; `target` names what was scanned.
pub fn html(document: &Document, target: &str, tool: Tool<'_>) -> String {
    let left_out: Vec<&DocumentFinding> = document.findings.iter().filter(|f| standing(f) > Standing::Known).collect();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:";
                meta name="referrer" content="no-referrer";
                title { "AIVA scan of " (target) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p.brand { "AIVA" span { " dependency scan" } }
                    h1 { (target) }
                    (headline(document))
                }
                main {
                    @if wanting(document).next().is_some() { (findings(document)) }
                    @if !left_out.is_empty() {
                        section {
                            h2 { "Left out" span.count { (left_out.len()) } }
                            table.plain {
                                thead { tr { th { "Advisory" } th { "Package" } th { "Where" } th { "Why it does not count" } } }
                                tbody { @for finding in &left_out { (excused(finding)) } }
                            }
                        }
                    }
                    (possible(document))
                    (gaps(document))
                    (idle(document))
                    (inputs(document))
                }
                footer {
                    (advisories(document))
                    p { "Made by AIVA " (tool.version) " at " (tool.at.strftime("%Y-%m-%d %H:%M UTC")) "." }
                }
            }
        }
    };
    page.into_string()
}

fn headline(document: &Document) -> Markup {
    let summary = &document.summary;
    let mut counts = summary.findings.clone();
    let numbers: Vec<(Level, u64)> = LEVELS.iter().map(|level| (*level, *count_of(&mut counts, *level))).collect();
    let total: u64 = numbers.iter().map(|(_, count)| count).sum();
    let urgent = total - *count_of(&mut counts, Level::Informational);
    let (class, verdict) = match (urgent, total, clean(document)) {
        (_, 0, Clean::Whole) => ("good", Clean::Whole.words().to_owned()),
        (_, 0, clean) => ("unsure", clean.words().to_owned()),
        (0, 1, _) => ("unsure", "1 finding, informational".to_owned()),
        (0, total, _) => ("unsure", format!("{total} findings, all informational")),
        (1, ..) => ("bad", "1 finding wants action".to_owned()),
        (urgent, ..) => ("bad", format!("{urgent} findings want action")),
    };
    let files = summary.inputs.parsed + summary.inputs.partial;
    html! {
        p.verdict.(class) { (verdict) }
        @if total > 0 {
            div.bar role="img" aria-label="findings by level" {
                @for (level, count) in numbers.iter().filter(|(_, count)| *count > 0) {
                    span.(level.as_str()) style=(format!("flex-grow:{count}")) title=(format!("{count} {level}")) {}
                }
            }
        }
        dl.numbers {
            @for (level, count) in &numbers {
                @if *count > 0 { div.(level.as_str()) { dt { (level) } dd { (count) } } }
            }
            div { dt { "packages" } dd { (summary.packages) } }
            div { dt { "files" } dd { (files) } }
            @if summary.not_judged > 0 { div { dt { "not judged" } dd { (summary.not_judged) } } }
            @if let Some(count) = summary.can_resolve { div { dt { "can resolve" } dd { (count) } } }
            @if let Some(known) = summary.known { div { dt { "known before" } dd { (known) } } }
            @if summary.accepted > 0 { div { dt { "accepted" } dd { (summary.accepted) } } }
            @if let Some(suppressed) = summary.suppressed { div { dt { "ruled out by VEX" } dd { (suppressed) } } }
        }
    }
}

fn findings(document: &Document) -> Markup {
    let present = |level: Level| wanting(document).any(|finding| finding.severity.level == level);
    let any = |test: fn(&DocumentFinding) -> bool| wanting(document).any(test);
    html! {
        section {
            h2 { "Findings" span.count { (wanting(document).count()) } }
            fieldset.filters {
                legend { "Hide" }
                @for level in LEVELS.into_iter().filter(|level| present(*level)) {
                    label { input type="checkbox" id=(format!("hide-{level}")); " " (level) }
                }
                @if any(|finding| finding.fixed_versions.is_empty()) {
                    label { input type="checkbox" id="hide-unfixed"; " without a fix" }
                }
                @if any(|finding| finding.known == Some(true)) {
                    label { input type="checkbox" id="hide-known"; " known before" }
                }
            }
            @for finding in wanting(document) { (card(finding)) }
        }
    }
}

fn card(finding: &DocumentFinding) -> Markup {
    let unfixed = finding.fixed_versions.is_empty().then_some("unfixed");
    let known = (finding.known == Some(true)).then_some("known");
    html! {
        details.finding.(finding.severity.level.as_str()).(unfixed.unwrap_or("fixable")).(known.unwrap_or("fresh")) {
            summary {
                span.level { (finding.severity.level) }
                span.what {
                    b { (finding.name) } " " span.version { (finding.version) }
                    span.text { (finding.summary) }
                    // The same package in another file is another finding.
                    span.place { (finding.path) @if finding.line > 0 { ":" (finding.line) } }
                }
                span.id { (finding.id) }
                span.remedy {
                    @match finding.fixed_versions.first() {
                        Some(fixed) => { "→ " (fixed) }
                        None => { @match &finding.last_affected {
                            Some(last) => { "later than " (last) }
                            None => { @if is_of_versions(finding.kind) { "no fix" } }
                        } }
                    }
                }
            }
            div.body {
                dl.facts {
                    dt { "Where" } dd { code { (finding.path) } @if finding.line > 0 { ", line " (finding.line) } @if let Some(column) = finding.column { ", column " (column) } }
                    @if let Some(reason) = &finding.reason { dt { "Why" } dd { (reason) } }
                    @if !finding.symbols.is_empty() {
                        dt { "Functions" }
                        dd {
                            @for (at, name) in finding.symbols.iter().enumerate() { @if at > 0 { ", " } code { (name) } }
                            @if let Some(more) = finding.more_symbols { " and " (more) " more" }
                        }
                    }
                    dt { "Remedy" } dd { (remedy(finding)) }
                    @if let Some(score) = finding.severity.score {
                        dt { "CVSS" } dd { (format!("{score:.1}")) @if let Some(vector) = &finding.severity.vector { " " code { (vector) } } }
                    }
                    @if finding.direct.is_some() || finding.scope.is_some() {
                        dt { "Dependency" }
                        dd {
                            @match finding.direct { Some(true) => { "direct" } Some(false) => { "transitive" } None => { "" } }
                            @if let Some(scope) = finding.scope { " " (scope) }
                        }
                    }
                    @if let Some(priority) = &finding.priority {
                        dt { "Priority" }
                        dd {
                            b { (format!("{:.1}", priority.score)) } " = "
                            @for (at, term) in priority.terms.iter().enumerate() {
                                @if at > 0 { " " }
                                span.term { (format!("{:+.1}", term.points)) " " (term.name) " " span.value { (term.value) } }
                            }
                        }
                    }
                    @if let Some(statement) = &finding.statement { dt { "VEX" } dd { (spoken_statement(statement)) } }
                    @if !finding.aliases.is_empty() { dt { "Also" } dd { (finding.aliases.join(", ")) } }
                    @if !finding.purl.is_empty() { dt { "Package URL" } dd { code { (finding.purl) } } }
                }
                @if let Some(paths) = finding.paths.as_ref().filter(|paths| !paths.shortest.is_empty()) {
                    h3 { "How it comes in" }
                    ul.paths {
                        @for path in &paths.shortest {
                            li { @for (at, step) in path.iter().enumerate() { @if at > 0 { span.arrow { " › " } } code { (step) } } }
                        }
                        @if paths.count > super::whole(paths.shortest.len()) {
                            li { "and " (paths.count - super::whole(paths.shortest.len())) " more of the same length" }
                        }
                    }
                }
                @if !finding.description.is_empty() { h3 { "The advisory" } pre.story { (finding.description) } }
                @if !finding.references.is_empty() {
                    h3 { "References" }
                    ul { @for address in &finding.references { li { (reference(address)) } } }
                }
            }
        }
    }
}

/// A link only where it leads to the web: an advisory must not offer `javascript:`.
fn reference(address: &str) -> Markup {
    let web = address.starts_with("https://") || address.starts_with("http://");
    html! { @if web { a href=(address) rel="noopener noreferrer" { (address) } } @else { (address) } }
}

fn excused(finding: &DocumentFinding) -> Markup {
    html! {
        tr {
            td { (finding.id) }
            td { (finding.name) " " (finding.version) }
            td { code { (finding.path) } }
            td {
                @if let Some(by) = &finding.acceptance { "accepted until " (by.expires) " by " (by.owner) ": " (by.reason) }
                @else if let Some(statement) = &finding.statement { (spoken_statement(statement)) }
            }
        }
    }
}

/// Ranges that allow affected and other versions alike.
fn possible(document: &Document) -> Markup {
    let count = document.inputs.iter().map(|input| input.can_resolve.len()).sum::<usize>();
    html! {
        @if count > 0 {
            section {
                h2 { "Can resolve to an affected version" span.count { (count) } }
                p.hint { "Nothing pins these. What the range resolves to on the day of the installation decides." }
                table.plain {
                    thead { tr { th { "Package" } th { "Range" } th { "Where" } th { "Advisories" } th { "Safe from" } } }
                    tbody {
                        @for input in &document.inputs {
                            @for entry in &input.can_resolve { (possibility(&input.path, entry)) }
                        }
                    }
                }
            }
        }
    }
}

fn possibility(path: &str, entry: &DocumentCanResolve) -> Markup {
    html! {
        tr {
            td { (entry.name) }
            td { code { @if entry.requirement.is_empty() { "*" } @else { (entry.requirement) } } }
            td { code { (path) } ", line " (entry.line) }
            td { @for (at, one) in entry.advisories.iter().enumerate() { @if at > 0 { ", " } span title=(one.summary) { (one.id) " (" (one.severity) ")" } } }
            td { @match (&entry.safe_from, &entry.safe_after) {
                (Some(version), _) => { (version) }
                (None, Some(version)) => { "later than " (version) }
                (None, None) if entry.never_safe == Some(true) => { "none that it allows" }
                (None, None) => { "none known" }
            } }
        }
    }
}

fn gaps(document: &Document) -> Markup {
    let has_gap = |input: &&DocumentInput| {
        input.status != InputStatus::Parsed || !input.problems.is_empty() || !input.not_judged.is_empty()
    };
    let any = document.inputs.iter().any(|input| has_gap(&input));
    html! {
        @if any {
            section {
                h2 { "Not judged" }
                p.hint { "A finding may hide in what is listed here." }
                @for input in document.inputs.iter().filter(has_gap) {
                    details.gap open[input.status == InputStatus::Failed] {
                        summary { code { (input.path) } " " span.status.(input.status.as_str()) { (input.status) } " " span.count { (input.problems.len() + input.not_judged.len()) } }
                        ul {
                            @for problem in &input.problems { li { "line " (problem.line) ": " (problem.message) } }
                            @for entry in &input.not_judged {
                                li { "line " (entry.line) ": " code { (spoken_entry(&entry.name, &entry.requirement)) } ": " (entry.reason) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Choices not to act that have run out or cover nothing.
fn idle(document: &Document) -> Markup {
    let idle = &document.summary.exceptions;
    html! {
        @if !idle.is_empty() {
            section {
                h2 { "Exceptions that do nothing" span.count { (idle.len()) } }
                ul { @for exception in idle { li { (spoken_exception(exception)) } } }
            }
        }
    }
}

fn inputs(document: &Document) -> Markup {
    html! {
        section {
            h2 { "Files" span.count { (document.inputs.len()) } }
            table.plain {
                thead { tr { th { "File" } th { "Format" } th { "Read" } th.number { "Packages" } } }
                tbody {
                    @for input in &document.inputs {
                        tr {
                            td { code { (input.path) } }
                            td { (input.kind) }
                            td { span.status.(input.status.as_str()) { (input.status) } }
                            td.number { (input.packages) }
                        }
                    }
                }
            }
        }
    }
}

fn advisories(document: &Document) -> Markup {
    html! {
        p {
            "Judged by " (document.advisories.state) " advisories"
            @for (at, known) in document.advisories.ecosystems.iter().enumerate() {
                @if at == 0 { ": " } @else { ", " }
                (known.records) " " (known.name) " (imported " (known.imported_at.strftime("%Y-%m-%d")) ")"
            }
            "."
        }
    }
}
