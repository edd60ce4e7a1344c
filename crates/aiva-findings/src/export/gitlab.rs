//! GitLab's dependency scanning report, version 15 (gitlab-org/security-products/security-report-schemas).
//!
//! Accepted and ruled-out findings are no vulnerabilities of the report: the format has no word for them, and GitLab would open them
//! again. They are told in the scan's messages with who says so, as is what a range can resolve to. What the baseline has too stays a
//! vulnerability, marked in its details: GitLab compares the reports of two branches by itself, and would take for mended what is left out.

use std::collections::BTreeMap;

use aiva_contracts::api::{DocumentFinding, InputStatus, Level};
use serde_json::{Value, json};

use super::{
    Document, Standing, Tool, introducers, remedy, spoken_entry, spoken_possibility, standing, symbols, wanting,
};

/// The version of the schema that the report follows.
const SCHEMA: &str = "15.2.1";

/// The document as a report. It lists the dependencies that the document lists (`packages`).
pub fn gitlab(document: &Document, tool: Tool<'_>) -> Value {
    let program = json!({
        "id": "aiva",
        "name": "AIVA",
        "version": tool.version,
        "vendor": { "name": "AIVA" },
    });
    let time = tool.at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let complete = document.inputs.iter().all(|input| input.status != InputStatus::Failed);
    json!({
        "version": SCHEMA,
        "scan": {
            "analyzer": program,
            "scanner": program,
            "type": "dependency_scanning",
            "start_time": time,
            "end_time": time,
            "status": if complete { "success" } else { "failure" },
            "messages": messages(document),
        },
        "vulnerabilities": wanting(document).map(vulnerability).collect::<Vec<_>>(),
        "dependency_files": files(document),
    })
}

fn messages(document: &Document) -> Vec<Value> {
    let said = |level: &str, text: String| json!({ "level": level, "value": text });
    let mut all = Vec::new();
    if let Some(known) = document.summary.known {
        let all_of_them = wanting(document).count();
        all.push(said("info", format!("{known} of {all_of_them} vulnerabilities are known from the baseline")));
    }
    for input in &document.inputs {
        let level = match input.status {
            InputStatus::Failed => "fatal",
            InputStatus::Parsed | InputStatus::Partial | InputStatus::Unsupported => "warn",
        };
        all.extend(input.can_resolve.iter().map(|one| {
            let told = spoken_possibility(one);
            let what = spoken_entry(&one.name, &one.requirement);
            said("info", format!("{}:{}: {what}: {told}", input.path, one.line))
        }));
        all.extend(input.problems.iter().map(|p| said(level, format!("{}:{}: {}", input.path, p.line, p.message))));
    }
    let silent = document.findings.iter().filter(|finding| standing(finding) > Standing::Known);
    all.extend(silent.map(|finding| {
        let place =
            format!("{}:{}: {} in {} {}", finding.path, finding.line, finding.id, finding.name, finding.version);
        said("info", cut(format!("{place}: {}", silenced(finding)), 7000))
    }));
    all
}

/// Why a finding is no vulnerability of the report.
fn silenced(finding: &DocumentFinding) -> String {
    if let Some(by) = &finding.acceptance {
        return format!("accepted until {} by {}: {}", by.expires, by.owner, by.reason);
    }
    let Some(said) = &finding.statement else { return "ruled out".to_owned() };
    let reasons =
        [said.justification.as_deref(), said.detail.as_deref(), said.author.as_deref(), Some(&*said.document)];
    format!("{}: {}", said.status, reasons.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

fn vulnerability(finding: &DocumentFinding) -> Value {
    let mut details = vec![finding.description.clone()];
    details.extend(finding.reason.iter().map(|reason| format!("Why: {reason}")));
    details.extend(symbols(finding).map(|functions| functions.replacen('f', "F", 1)));
    details.extend(introducers(finding).iter().map(|path| format!("Via: {path}")));
    let links =
        finding.references.iter().filter(|address| address.starts_with("https://") || address.starts_with("http://"));
    let mut dependency = json!({ "package": { "name": finding.name }, "version": finding.version });
    if let Some(direct) = finding.direct {
        dependency["direct"] = json!(direct);
    }
    let mut one = json!({
        "id": finding.fingerprint,
        // A name is of the vulnerability: GitLab joins by it what it found in several places.
        "name": cut(if finding.summary.is_empty() { finding.id.clone() } else { finding.summary.clone() }, 255),
        "description": details.join("\n\n"),
        "severity": severity(finding.severity.level),
        "solution": cut(remedy(finding), 7000),
        "identifiers": identifiers(finding),
        "links": links.map(|url| json!({ "url": url })).collect::<Vec<_>>(),
        "location": { "file": finding.path, "dependency": dependency },
    });
    if let Some(known) = finding.known {
        let said = if known { "known from the baseline" } else { "new since the baseline" };
        one["details"] = json!({ "baseline": { "name": "Baseline", "type": "text", "value": said } });
    }
    one
}

/// The schema's limits.
fn cut(mut text: String, most: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
    }
    text
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::Critical => "Critical",
        Level::High => "High",
        Level::Medium => "Medium",
        Level::Low => "Low",
        Level::Unknown => "Unknown",
        Level::Informational => "Info",
    }
}

fn identifiers(finding: &DocumentFinding) -> Vec<Value> {
    let names = std::iter::once(&finding.id).chain(&finding.aliases);
    names
        .map(|name| {
            let kind = name.split('-').next().unwrap_or_default().to_ascii_lowercase();
            let mut one = json!({ "type": if kind.is_empty() { "aiva" } else { &kind }, "name": name, "value": name });
            if let Some(address) = address(&kind, name) {
                one["url"] = json!(address);
            }
            one
        })
        .collect()
}

fn address(kind: &str, name: &str) -> Option<String> {
    Some(match kind {
        "cve" => format!("https://nvd.nist.gov/vuln/detail/{name}"),
        "ghsa" => format!("https://github.com/advisories/{name}"),
        "rustsec" => format!("https://rustsec.org/advisories/{name}.html"),
        "go" => format!("https://pkg.go.dev/vuln/{name}"),
        "pysec" | "mal" | "osv" => format!("https://osv.dev/vulnerability/{name}"),
        _ => return None,
    })
}

/// Every file with its dependencies, in the order of the document.
fn files(document: &Document) -> Vec<Value> {
    let mut listed: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for package in document.packages.iter().flatten() {
        let (name, version) = parts(&package.purl);
        let mut one = json!({ "package": { "name": name }, "version": version });
        if let Some(direct) = package.direct {
            one["direct"] = json!(direct);
        }
        listed.entry(&package.path).or_default().push(one);
    }
    let read =
        document.inputs.iter().filter(|input| matches!(input.status, InputStatus::Parsed | InputStatus::Partial));
    read.map(|input| {
        json!({
            "path": input.path,
            "package_manager": manager(&input.kind),
            "dependencies": listed.remove(input.path.as_str()).unwrap_or_default(),
        })
    })
    .collect()
}

/// Name and version of a package URL, as a person writes them.
fn parts(purl: &str) -> (String, String) {
    let rest = purl.split_once('/').map_or(purl, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (name, version) = rest.rsplit_once('@').unwrap_or((rest, ""));
    (decoded(name), decoded(version))
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let hex = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = tail.get(2..).unwrap_or_default();
            }
            (byte, _, _) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn manager(kind: &str) -> &str {
    match kind {
        "Cargo.lock" | "Cargo.toml" => "cargo",
        "package-lock.json" | "npm-shrinkwrap.json" | "package.json" => "npm",
        "pnpm-lock.yaml" => "pnpm",
        "yarn.lock" => "yarn",
        "bun.lock" => "bun",
        "go.mod" => "go",
        "Pipfile" | "Pipfile.lock" => "pipenv",
        "poetry.lock" => "poetry",
        "pdm.lock" => "pdm",
        "uv.lock" => "uv",
        "requirements.txt" | "pyproject.toml" | "pylock.toml" => "pip",
        "pom.xml" => "maven",
        "gradle.lockfile" => "gradle",
        "composer.lock" => "composer",
        "Gemfile.lock" => "bundler",
        other => other,
    }
}
