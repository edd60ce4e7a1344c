//! CycloneDX 1.6 as JSON (ECMA-424).

use aiva_contracts::api::{DocumentFinding, Level, StatementStatus};
use serde_json::{Map, Value, json};

use super::{Bom, Component, File, Vulnerability, address, database, number_of, web};
use crate::depth;
use crate::package::{Scope, Source};

/// The reference of what was scanned.
pub(super) const ROOT: &str = "target";

/// The bill as CycloneDX 1.6 JSON.
pub fn cyclonedx(bom: &Bom<'_>) -> Value {
    let mut document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": { "components": [{
                "type": "application", "name": "aiva", "version": bom.made.version,
            }] },
            "component": { "type": "application", "bom-ref": ROOT, "name": bom.made.target },
        },
        "components": components(bom),
        "dependencies": dependencies(bom),
        "compositions": compositions(bom),
    });
    if !bom.vulnerabilities.is_empty() {
        document["vulnerabilities"] = bom.vulnerabilities.iter().map(|one| vulnerability(bom, one)).collect();
    }
    // Made of all but the time.
    document["serialNumber"] = json!(format!("urn:uuid:{}", number_of(&document.to_string())));
    document["metadata"]["timestamp"] = json!(bom.created());
    document
}

/// The serial number, also for the other writings of CycloneDX: it is one bill.
pub(super) fn serial_number(bom: &Bom<'_>) -> String {
    cyclonedx(bom)["serialNumber"].as_str().unwrap_or_default().to_owned()
}

fn components(bom: &Bom<'_>) -> Vec<Value> {
    bom.files.iter().map(file).chain(bom.components.iter().map(component)).collect()
}

fn file(file: &File<'_>) -> Value {
    json!({
        "type": "file",
        "bom-ref": file.reference,
        "name": file.input.path,
        "properties": [
            { "name": "aiva:format", "value": file.input.kind },
            { "name": "aiva:status", "value": file.input.status.name() },
        ],
    })
}

fn component(component: &Component<'_>) -> Value {
    let mut one = json!({
        "type": if matches!(component.source, Source::Path(_)) { "application" } else { "library" },
        "bom-ref": component.reference,
        "name": component.name,
        "scope": scope(component.scope),
        "properties": properties(component)
            .into_iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect::<Vec<_>>(),
        "evidence": { "occurrences": component
            .places
            .iter()
            .map(|(path, line)| json!({ "location": path, "line": line }))
            .collect::<Vec<_>>() },
    });
    if !component.version.is_empty() {
        one["version"] = json!(component.version);
    }
    if let Some(purl) = &component.purl {
        one["purl"] = json!(purl);
    }
    match component.declared() {
        Some(expression) => one["licenses"] = json!([{ "expression": expression, "acknowledgement": "declared" }]),
        None if component.licences.is_empty() => {}
        None => {
            one["licenses"] = component.licences.iter().map(|name| json!({ "license": { "name": name } })).collect();
        }
    }
    if let Some(expression) = component.concluded() {
        one["evidence"]["licenses"] = json!([{ "expression": expression, "acknowledgement": "concluded" }]);
    }
    one
}

/// What CycloneDX has no field for, as names and values.
pub(super) fn properties(component: &Component<'_>) -> Vec<(&'static str, &'static str)> {
    let mut all = vec![("aiva:ecosystem", component.ecosystem.osv_name()), ("aiva:scope", component.scope.name())];
    all.extend(component.depth().map(|depth| (depth::PROPERTY, depth.name())));
    all
}

/// What a dependency is needed for, in CycloneDX's three words.
pub(super) fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Runtime => "required",
        Scope::Optional | Scope::Peer => "optional",
        Scope::Dev | Scope::Build => "excluded",
    }
}

/// Who needs whom, with every reference, sorted.
pub(super) fn depends<'b>(bom: &'b Bom<'_>) -> Vec<(&'b str, Vec<&'b str>)> {
    let name = |at: &usize| bom.components.get(*at).map_or("", |component| component.reference.as_str());
    let mut all = vec![(ROOT, bom.files.iter().map(|file| file.reference.as_str()).collect())];
    all.extend(bom.files.iter().map(|file| (file.reference.as_str(), file.leads_to.iter().map(name).collect())));
    all.extend(bom.components.iter().enumerate().map(|(at, component)| {
        let needs = bom.edges.get(&at).map(|needs| needs.iter().map(name).collect()).unwrap_or_default();
        (component.reference.as_str(), needs)
    }));
    all
}

fn dependencies(bom: &Bom<'_>) -> Vec<Value> {
    depends(bom).into_iter().map(|(from, to)| json!({ "ref": from, "dependsOn": to })).collect()
}

/// How much of it is there: everything, or not; and below which files nobody knows who needs whom.
fn compositions(bom: &Bom<'_>) -> Vec<Value> {
    let aggregate = if bom.is_complete() { "complete" } else { "incomplete" };
    let mut all = vec![json!({ "aggregate": aggregate, "assemblies": [ROOT] })];
    let blind: Vec<&str> =
        bom.files.iter().filter(|file| !file.has_graph).map(|file| file.reference.as_str()).collect();
    if !blind.is_empty() {
        all.push(json!({ "aggregate": "unknown", "dependencies": blind }));
    }
    all
}

fn vulnerability(bom: &Bom<'_>, one: &Vulnerability<'_>) -> Value {
    let finding = &*one.finding;
    let mut out = json!({
        "bom-ref": one.reference,
        "id": finding.id,
        "source": { "name": database(&finding.id), "url": address(&finding.id) },
        "ratings": [rating(finding)],
        "description": finding.summary,
        "recommendation": recommendation(finding),
        "affects": affects(bom, one)
            .into_iter()
            .map(|(reference, version)| json!({
                "ref": reference, "versions": [{ "version": version, "status": status(finding) }],
            }))
            .collect::<Vec<_>>(),
    });
    if !finding.aliases.is_empty() {
        let reference = |id: &String| json!({ "id": id, "source": { "name": database(id), "url": address(id) } });
        out["references"] = finding.aliases.iter().map(reference).collect();
    }
    if !finding.description.is_empty() {
        out["detail"] = json!(finding.description);
    }
    let advisories: Vec<Value> = web(finding).map(|url| json!({ "url": url })).collect();
    if !advisories.is_empty() {
        out["advisories"] = json!(advisories);
    }
    if let Some(analysis) = analysis(finding) {
        let mut said = Map::new();
        said.insert("state".to_owned(), json!(analysis.state));
        if let Some(justification) = analysis.justification {
            said.insert("justification".to_owned(), json!(justification));
        }
        if let Some(response) = analysis.response {
            said.insert("response".to_owned(), json!([response]));
        }
        said.insert("detail".to_owned(), json!(analysis.detail));
        out["analysis"] = Value::Object(said);
    }
    let properties = one.properties();
    if !properties.is_empty() {
        let property = |(name, value): (&str, String)| json!({ "name": name, "value": value });
        out["properties"] = properties.into_iter().map(property).collect();
    }
    out
}

/// The components that a vulnerability affects, with their versions.
pub(super) fn affects<'b>(bom: &'b Bom<'_>, one: &'b Vulnerability<'_>) -> Vec<(&'b str, &'b str)> {
    let found = one.affects.iter().filter_map(|at| bom.components.get(*at));
    found
        .map(|component| {
            let version = if component.version.is_empty() { one.finding.version.as_str() } else { component.version };
            (component.reference.as_str(), version)
        })
        .collect()
}

/// Whether the version at hand is affected.
pub(super) fn status(finding: &DocumentFinding) -> &'static str {
    match finding.statement.as_ref().map(|said| said.status) {
        Some(StatementStatus::NotAffected | StatementStatus::Fixed) => "unaffected",
        Some(StatementStatus::UnderInvestigation) => "unknown",
        Some(StatementStatus::Affected) | None => "affected",
    }
}

/// What to do.
pub(super) fn recommendation(finding: &DocumentFinding) -> String {
    // What a range can resolve to may be fixed in a version that the range does not allow.
    let is_possible = status(finding) == "unknown" && !finding.purl.contains('@');
    match (finding.fixed_versions.as_slice(), &finding.last_affected) {
        ([], Some(last)) => format!("Update {} to a version later than {last}.", finding.name),
        ([], None) if is_possible => {
            format!("No version that {} allows is known from which on all are safe.", finding.version)
        }
        ([], None) => "No fixed version is known.".to_owned(),
        (versions, _) => format!("Update {} to {}.", finding.name, versions.join(" or ")),
    }
}

/// Score, severity, method, vector.
pub(super) struct Rating<'f> {
    pub(super) severity: &'static str,
    pub(super) score: Option<f64>,
    pub(super) method: Option<&'static str>,
    pub(super) vector: Option<&'f str>,
}

pub(super) fn rated(finding: &DocumentFinding) -> Rating<'_> {
    let severity = match finding.severity.level {
        Level::Critical => "critical",
        Level::High => "high",
        Level::Medium => "medium",
        Level::Low => "low",
        Level::Unknown => "unknown",
        Level::Informational => "info",
    };
    let vector = finding.severity.vector.as_deref();
    let method = vector.map(|vector| match vector {
        v if v.starts_with("CVSS:4.0/") => "CVSSv4",
        v if v.starts_with("CVSS:3.1/") => "CVSSv31",
        v if v.starts_with("CVSS:3.0/") => "CVSSv3",
        _ => "CVSSv2",
    });
    Rating { severity, score: finding.severity.score, method, vector }
}

fn rating(finding: &DocumentFinding) -> Value {
    let rated = rated(finding);
    let mut rating = json!({ "severity": rated.severity });
    if let Some(score) = rated.score {
        rating["score"] = json!(score);
    }
    if let (Some(method), Some(vector)) = (rated.method, rated.vector) {
        rating["method"] = json!(method);
        rating["vector"] = json!(vector);
    }
    rating
}

/// What somebody made of it.
pub(super) struct Analysis {
    pub(super) state: &'static str,
    pub(super) justification: Option<&'static str>,
    pub(super) response: Option<&'static str>,
    pub(super) detail: String,
}

pub(super) fn analysis(finding: &DocumentFinding) -> Option<Analysis> {
    if let Some(by) = &finding.acceptance {
        let detail = format!("Accepted until {} by {}: {}", by.expires, by.owner, by.reason);
        return Some(Analysis { state: "exploitable", justification: None, response: Some("will_not_fix"), detail });
    }
    let said = finding.statement.as_ref()?;
    let state = match said.status {
        StatementStatus::NotAffected => "not_affected",
        StatementStatus::Fixed => "resolved",
        StatementStatus::Affected => "exploitable",
        StatementStatus::UnderInvestigation => "in_triage",
    };
    let words = [said.justification.as_deref(), said.detail.as_deref(), said.author.as_deref(), Some(&said.document)];
    let detail = words.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let justification = said.justification.as_deref().filter(|_| state == "not_affected").and_then(justification);
    Some(Analysis { state, justification, response: None, detail })
}

/// A justification of OpenVEX, CSAF or CycloneDX in CycloneDX's words; what has no word there stays in the detail.
fn justification(said: &str) -> Option<&'static str> {
    const OWN: [&str; 9] = [
        "code_not_present",
        "code_not_reachable",
        "requires_configuration",
        "requires_dependency",
        "requires_environment",
        "protected_by_compiler",
        "protected_at_runtime",
        "protected_at_perimeter",
        "protected_by_mitigating_control",
    ];
    Some(match said {
        "component_not_present" | "vulnerable_code_not_present" => "code_not_present",
        "vulnerable_code_not_in_execute_path" => "code_not_reachable",
        "inline_mitigations_already_exist" => "protected_by_mitigating_control",
        said => return OWN.into_iter().find(|own| *own == said),
    })
}
