//! SARIF 2.1.0 (OASIS), as code scanning services read it: one rule an advisory, one result a finding.

use std::collections::BTreeMap;

use aiva_contracts::api::{
    DocumentCanResolve, DocumentFinding, DocumentInput, DocumentPossible, FindingKind, InputStatus, Level,
};
use serde_json::{Value, json};

use super::{Document, Standing, Tool, introducers, remedy, safe, spoken_statement, standing, symbols};

/// The document as a SARIF log. An accepted finding is a suppressed result; an input that could not be read to its end is
/// a notification, so that no viewer takes silence for safety.
pub fn sarif(document: &Document, tool: Tool<'_>) -> Value {
    let mut rules: BTreeMap<&str, &DocumentFinding> = BTreeMap::new();
    for finding in &document.findings {
        rules.entry(&finding.id).or_insert(finding);
    }
    let mut rules: BTreeMap<&str, Value> = rules.into_iter().map(|(id, finding)| (id, rule(finding))).collect();
    let possible = || document.inputs.iter().flat_map(|input| input.can_resolve.iter().map(move |one| (input, one)));
    for advisory in possible().flat_map(|(_, entry)| &entry.advisories) {
        rules.entry(&advisory.id).or_insert_with(|| rule_of_possible(advisory));
    }
    let index: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(index, id)| (*id, index)).collect();
    let found = document.findings.iter().map(|finding| result(finding, index[finding.id.as_str()]));
    let to_review = possible().flat_map(|(input, entry)| {
        entry.advisories.iter().map(|one| review(input, entry, one, index[one.id.as_str()])).collect::<Vec<_>>()
    });
    let results: Vec<Value> = found.chain(to_review).collect();
    let complete = document.inputs.iter().all(|input| input.status == InputStatus::Parsed);
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "AIVA",
                "version": tool.version,
                "rules": rules.into_values().collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            // Without an address: where the tree lies is for whoever reads the log to say (SARIF 2.1.0 §3.14.14).
            "originalUriBaseIds": {
                "%SRCROOT%": { "description": { "text": "The root of the repository, or of what was scanned." } },
            },
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notifications(document),
                "properties": { "complete": complete },
            }],
            "results": results,
        }],
    })
}

/// GitHub reads no more of a rule's descriptions.
const DESCRIPTION: usize = 1024;

/// A message of a rule; its id where there is nothing to say.
fn text(id: &str, said: &str) -> Value {
    let said = if said.is_empty() { id } else { said };
    match said.char_indices().nth(DESCRIPTION) {
        Some(_) => json!({ "text": format!("{}…", said.chars().take(DESCRIPTION - 1).collect::<String>()) }),
        None => json!({ "text": said }),
    }
}

fn rule(finding: &DocumentFinding) -> Value {
    // Advisories are written in Markdown (OSV, `details`).
    let help = if finding.description.is_empty() { &finding.summary } else { &finding.description };
    let help = if help.is_empty() { &finding.id } else { help };
    // The rule is of the advisory, the functions are those of a package that it is about.
    let help = match symbols(finding) {
        Some(functions) => format!("{help}\n\n{}, {functions}", finding.name),
        None => help.clone(),
    };
    let mut rule = json!({
        "id": finding.id,
        "name": "KnownAdvisory",
        "shortDescription": text(&finding.id, &finding.summary),
        "fullDescription": text(&finding.id, &finding.description),
        "help": { "text": help, "markdown": help },
        "defaultConfiguration": { "level": level(finding) },
        "properties": {
            "tags": ["security", finding.kind.as_str()],
            "aliases": finding.aliases,
        },
    });
    // Viewers sort by this text, which must be a number.
    if let Some(severity) = finding.severity.score.or(stand_in(finding.severity.level)) {
        rule["properties"]["security-severity"] = json!(format!("{severity:.1}"));
    }
    if let Some(address) = finding.references.iter().find(|address| address.starts_with("https://")) {
        rule["helpUri"] = json!(address);
    }
    rule
}

/// A score in the middle of a level that came without one.
fn stand_in(level: Level) -> Option<f64> {
    match level {
        Level::Critical => Some(9.5),
        Level::High => Some(8.0),
        Level::Medium => Some(5.5),
        Level::Low => Some(2.0),
        Level::Unknown | Level::Informational => None,
    }
}

fn level(finding: &DocumentFinding) -> &'static str {
    match (finding.kind, finding.severity.level) {
        (FindingKind::Malicious, _) | (_, Level::Critical | Level::High) => "error",
        (_, Level::Medium | Level::Unknown) => "warning",
        (_, Level::Low | Level::Informational) => "note",
    }
}

fn result(finding: &DocumentFinding, rule: usize) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(&finding.path), "uriBaseId": "%SRCROOT%" } });
    if finding.line > 0 {
        physical["region"] = json!({ "startLine": finding.line });
        if let Some(column) = finding.column {
            physical["region"]["startColumn"] = json!(column);
        }
    }
    let mut result = json!({
        "ruleId": finding.id,
        "ruleIndex": rule,
        "level": level(finding),
        "message": { "text": message(finding) },
        "locations": [{ "physicalLocation": physical }],
        "partialFingerprints": { "aivaFingerprint/v1": finding.fingerprint },
        "properties": { "purl": finding.purl, "kind": finding.kind.as_str() },
    });
    if let Some(acceptance) = &finding.acceptance {
        result["suppressions"] = json!([{
            "kind": "external",
            "status": "accepted",
            "justification": format!("{} ({}, until {})", acceptance.reason, acceptance.owner, acceptance.expires),
        }]);
    } else if let Some(statement) = finding.statement.as_ref().filter(|_| standing(finding) == Standing::Suppressed) {
        result["suppressions"] =
            json!([{ "kind": "external", "status": "accepted", "justification": spoken_statement(statement) }]);
    }
    if let Some(known) = finding.known {
        result["baselineState"] = json!(if known { "unchanged" } else { "new" });
    }
    if let Some(priority) = &finding.priority {
        result["rank"] = json!(priority.score);
    }
    result
}

/// What and why. The first line stands alone where a viewer shows one (SARIF 2.1.0 §3.11.3).
fn message(finding: &DocumentFinding) -> String {
    let fixed = remedy(finding);
    let mut text =
        format!("{} {}: {} ({fixed}).", finding.name, finding.version, finding.summary.trim_end_matches('.'));
    if let Some(reason) = &finding.reason {
        text.push_str(&format!("\n{reason}"));
    }
    if let Some(functions) = symbols(finding) {
        text.push_str(&format!("\n{functions}"));
    }
    for path in introducers(finding) {
        text.push_str(&format!("\nvia {path}"));
    }
    text
}

/// The rule of an advisory that no finding is about.
fn rule_of_possible(advisory: &DocumentPossible) -> Value {
    let said = text(&advisory.id, &advisory.summary);
    let mut rule = json!({
        "id": advisory.id,
        "name": "KnownAdvisory",
        "shortDescription": said,
        "fullDescription": said,
        "help": said,
        "defaultConfiguration": { "level": "none" },
        "properties": { "tags": ["security", advisory.kind.as_str()], "aliases": advisory.aliases },
    });
    if let Some(severity) = stand_in(advisory.severity) {
        rule["properties"]["security-severity"] = json!(format!("{severity:.1}"));
    }
    rule
}

/// A range that can resolve to an affected version: for somebody to look at, no failure (SARIF 2.1.0 §3.27.9, `review`).
fn review(input: &DocumentInput, entry: &DocumentCanResolve, advisory: &DocumentPossible, rule: usize) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(&input.path), "uriBaseId": "%SRCROOT%" } });
    if entry.line > 0 {
        physical["region"] = json!({ "startLine": entry.line });
    }
    let (name, range, safe) = (&entry.name, &entry.requirement, safe(entry));
    let text = format!("{name} {range} can resolve to an affected version: {} ({safe})", advisory.summary);
    let mut result = json!({
        "ruleId": advisory.id,
        "ruleIndex": rule,
        "kind": "review",
        "level": "none",
        "message": { "text": text },
        "locations": [{ "physicalLocation": physical }],
        "properties": { "kind": advisory.kind.as_str(), "range": range, "safeFrom": entry.safe_from },
    });
    if let Some(known) = advisory.known {
        result["baselineState"] = json!(if known { "unchanged" } else { "new" });
    }
    result
}

fn notifications(document: &Document) -> Vec<Value> {
    let mut all = Vec::new();
    for input in &document.inputs {
        let level = match input.status {
            InputStatus::Parsed => continue,
            InputStatus::Partial | InputStatus::Unsupported => "warning",
            InputStatus::Failed => "error",
        };
        let notify = |line: u32, message: &str| {
            let mut physical = json!({ "artifactLocation": { "uri": uri(&input.path), "uriBaseId": "%SRCROOT%" } });
            if line > 0 {
                physical["region"] = json!({ "startLine": line });
            }
            json!({ "level": level, "message": { "text": message }, "locations": [{ "physicalLocation": physical }] })
        };
        if input.problems.is_empty() {
            all.push(notify(0, &format!("{} is {}", input.kind, input.status)));
        }
        all.extend(input.problems.iter().map(|problem| notify(problem.line, &problem.message)));
    }
    all
}

/// A relative path as a URI reference (RFC 3986): everything but unreserved characters and `/` as percent escapes. A byte that was no
/// UTF-8 stands in a path as `\xE9` (always above 0x7F) and is the byte again in the URI.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    let mut rest = path;
    while let Some(c) = rest.chars().next() {
        let odd = rest.strip_prefix("\\x").and_then(|after| after.get(..2)).filter(|hex| {
            u8::from_str_radix(hex, 16).is_ok_and(|byte| byte >= 0x80)
                && !hex.contains(|c: char| c.is_ascii_lowercase())
        });
        if let Some(hex) = odd {
            uri.push_str(&format!("%{hex}"));
            rest = rest.get(4..).unwrap_or_default();
            continue;
        }
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~' | '/' | '@' | '+' => uri.push(c),
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| uri.push_str(&format!("%{byte:02X}"))),
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    uri
}
