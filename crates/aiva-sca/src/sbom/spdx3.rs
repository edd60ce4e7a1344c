//! SPDX 3.0.1 as JSON-LD, with the profiles core, software, simple licensing and security.

use std::collections::BTreeMap;

use aiva_contracts::api::{DocumentFinding, Level, StatementStatus};
use serde_json::{Value, json};

use super::{Bom, Component, Vulnerability, address, number_of, short, web};
use crate::depth::Depth;
use crate::package::{Scope, Source};

const CREATION: &str = "_:creation";

/// The bill as SPDX 3.0.1 JSON-LD.
pub fn spdx3(bom: &Bom<'_>) -> Value {
    // The number is made of the elements under a name that says nothing, then takes its place.
    let number = number_of(&json!(elements(bom, "urn:aiva")).to_string());
    let base = format!("https://spdx.org/spdxdocs/aiva-{number}");
    let elements = elements(bom, &base);
    let ids: Vec<&Value> = elements.iter().filter_map(|element| element.get("spdxId")).collect();
    let ids = json!(ids);
    let root = format!("{base}#target");
    let mut graph = vec![
        json!({
            "type": "CreationInfo", "@id": CREATION, "specVersion": "3.0.1", "created": bom.created(),
            "createdBy": [format!("{base}#aiva")],
        }),
        json!({
            "type": "SoftwareAgent", "spdxId": format!("{base}#aiva"), "creationInfo": CREATION,
            "name": format!("aiva {}", bom.made.version),
        }),
        json!({
            "type": "SpdxDocument", "spdxId": format!("{base}#document"), "creationInfo": CREATION,
            "name": bom.made.target, "profileConformance": ["core", "software", "simpleLicensing", "security"],
            "rootElement": [format!("{base}#sbom")],
        }),
        json!({
            "type": "software_Sbom", "spdxId": format!("{base}#sbom"), "creationInfo": CREATION,
            "name": bom.made.target, "software_sbomType": ["source"], "rootElement": [root], "element": ids,
        }),
    ];
    graph.extend(elements);
    json!({ "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": graph })
}

fn elements(bom: &Bom<'_>, base: &str) -> Vec<Value> {
    let mut all = vec![json!({
        "type": "software_Package", "spdxId": format!("{base}#target"), "creationInfo": CREATION,
        "name": bom.made.target, "software_primaryPurpose": "application",
    })];
    for file in &bom.files {
        all.push(json!({
            "type": "software_Package", "spdxId": id(base, &file.reference), "creationInfo": CREATION,
            "name": file.input.path, "software_primaryPurpose": "manifest",
            "comment": format!("{}, {}", file.input.kind, file.input.status.name()),
        }));
    }
    all.extend(bom.components.iter().map(|component| package(base, component)));
    all.extend(licences(bom, base));
    all.extend(relationships(bom, base));
    for vulnerability in &bom.vulnerabilities {
        all.extend(security(bom, base, vulnerability));
    }
    all
}

fn id(base: &str, reference: &str) -> String {
    format!("{base}#{}", short(reference))
}

fn package(base: &str, component: &Component<'_>) -> Value {
    let own = matches!(component.source, Source::Path(_));
    let places: Vec<String> = component.places.iter().map(|(path, line)| format!("{path}:{line}")).collect();
    let mut one = json!({
        "type": "software_Package", "spdxId": id(base, &component.reference), "creationInfo": CREATION,
        "name": component.name, "software_primaryPurpose": if own { "application" } else { "library" },
        "software_sourceInfo": places.join(", "),
    });
    if !component.version.is_empty() {
        one["software_packageVersion"] = json!(component.version);
    }
    if let Some(purl) = &component.purl {
        one["software_packageUrl"] = json!(purl);
    }
    let mut comments: Vec<String> = component.depth().map(Depth::comment).into_iter().collect();
    if component.declared().is_none() && !component.licences.is_empty() {
        let stated: Vec<&str> = component.licences.iter().copied().collect();
        comments.push(format!("the lockfile states the licence {}", stated.join(", ")));
    }
    if !comments.is_empty() {
        one["comment"] = json!(comments.join("; "));
    }
    one
}

/// Each licence once, and who is under it: by what is stated, or by what a text is.
fn licences(bom: &Bom<'_>, base: &str) -> Vec<Value> {
    let mut under: BTreeMap<String, Vec<(&str, String)>> = BTreeMap::new();
    for component in &bom.components {
        let declared = component.declared().map(|expression| ("hasDeclaredLicense", expression));
        let concluded = component.concluded().map(|expression| ("hasConcludedLicense", expression));
        for (kind, expression) in declared.into_iter().chain(concluded) {
            under.entry(expression).or_default().push((kind, id(base, &component.reference)));
        }
    }
    let mut all = Vec::new();
    for (expression, components) in under {
        let licence = id(base, &format!("licence:{expression}"));
        all.push(json!({
            "type": "simplelicensing_LicenseExpression", "spdxId": licence, "creationInfo": CREATION,
            "simplelicensing_licenseExpression": expression,
        }));
        let of = |(kind, from): &(&str, String)| {
            relationship(base, "Relationship", from, kind, std::slice::from_ref(&licence))
        };
        all.extend(components.iter().map(of));
    }
    all
}

fn relationships(bom: &Bom<'_>, base: &str) -> Vec<Value> {
    let name = |at: &usize| bom.components.get(*at).map(|component| (id(base, &component.reference), component.scope));
    let mut all = Vec::new();
    if !bom.files.is_empty() {
        let files: Vec<String> = bom.files.iter().map(|file| id(base, &file.reference)).collect();
        all.push(relationship(base, "Relationship", &format!("{base}#target"), "contains", &files));
    }
    for file in &bom.files {
        let from = id(base, &file.reference);
        let leads: Vec<(String, Scope)> = file.leads_to.iter().filter_map(name).collect();
        if !file.has_graph {
            let to: Vec<String> = leads.into_iter().map(|(to, _)| to).collect();
            all.extend((!to.is_empty()).then(|| relationship(base, "Relationship", &from, "contains", &to)));
            continue;
        }
        for (word, scopes) in [
            ("runtime", &[Scope::Runtime, Scope::Optional, Scope::Peer][..]),
            ("development", &[Scope::Dev]),
            ("build", &[Scope::Build]),
        ] {
            let to: Vec<String> =
                leads.iter().filter(|(_, scope)| scopes.contains(scope)).map(|(to, _)| to.clone()).collect();
            if !to.is_empty() {
                let mut one = relationship(base, "LifecycleScopedRelationship", &from, "dependsOn", &to);
                one["spdxId"] = json!(format!("{}-{word}", one["spdxId"].as_str().unwrap_or_default()));
                one["scope"] = json!(word);
                all.push(one);
            }
        }
    }
    for (from, to) in &bom.edges {
        let Some((from, _)) = name(from) else { continue };
        let to: Vec<String> = to.iter().filter_map(name).map(|(to, _)| to).collect();
        all.push(relationship(base, "Relationship", &from, "dependsOn", &to));
    }
    all
}

fn relationship(base: &str, class: &str, from: &str, kind: &str, to: &[String]) -> Value {
    json!({
        "type": class, "spdxId": id(base, &format!("{}|{kind}|{class}", from.trim_start_matches(base))),
        "creationInfo": CREATION, "from": from, "relationshipType": kind, "to": to,
    })
}

fn security(bom: &Bom<'_>, base: &str, one: &Vulnerability<'_>) -> Vec<Value> {
    let finding = &*one.finding;
    let vulnerability = id(base, &one.reference);
    let affected: Vec<String> =
        one.affects.iter().filter_map(|at| Some(id(base, &bom.components.get(*at)?.reference))).collect();
    let names = std::iter::once(&finding.id).chain(&finding.aliases);
    let mut element = json!({
        "type": "security_Vulnerability", "spdxId": vulnerability, "creationInfo": CREATION,
        "name": finding.id, "summary": finding.summary,
        "externalIdentifier": names
            .map(|name| json!({
                "type": "ExternalIdentifier",
                "externalIdentifierType": if name.starts_with("CVE-") { "cve" } else { "securityOther" },
                "identifier": name,
                "identifierLocator": [address(name)],
            }))
            .collect::<Vec<_>>(),
    });
    if !finding.description.is_empty() {
        element["description"] = json!(finding.description);
    }
    let references: Vec<Value> = web(finding)
        .map(|url| json!({ "type": "ExternalRef", "externalRefType": "securityAdvisory", "locator": [url] }))
        .collect();
    if !references.is_empty() {
        element["externalRef"] = json!(references);
    }
    let mut all = vec![element];
    if affected.is_empty() {
        return all;
    }
    for at in &affected {
        let mut found =
            relationship(base, "Relationship", at, "hasAssociatedVulnerability", std::slice::from_ref(&vulnerability));
        found["spdxId"] = json!(id(base, &format!("{}|{}", at.trim_start_matches(base), one.reference)));
        all.push(found);
    }
    let mut assess = |class: &str, kind: &str, fill: &dyn Fn(&mut Value)| {
        let mut one = relationship(base, class, &vulnerability, kind, &affected);
        fill(&mut one);
        all.push(one);
    };
    if let (Some(class), Some(score), Some(vector)) = (class(finding), finding.severity.score, &finding.severity.vector)
    {
        assess(class, "hasAssessmentFor", &|one| {
            one["security_score"] = json!(score);
            one["security_vectorString"] = json!(vector);
            if class != V2 {
                one["security_severity"] = json!(severity(finding.severity.level));
            }
        });
    }
    if let Some(said) = &finding.statement {
        let (class, kind) = match said.status {
            StatementStatus::NotAffected => ("security_VexNotAffectedVulnAssessmentRelationship", "doesNotAffect"),
            StatementStatus::Fixed => ("security_VexFixedVulnAssessmentRelationship", "fixedIn"),
            StatementStatus::Affected => ("security_VexAffectedVulnAssessmentRelationship", "affects"),
            StatementStatus::UnderInvestigation => {
                ("security_VexUnderInvestigationVulnAssessmentRelationship", "underInvestigationFor")
            }
        };
        assess(class, kind, &|one| match said.status {
            StatementStatus::NotAffected => {
                let words = [said.justification.as_deref(), said.detail.as_deref()];
                one["security_impactStatement"] = json!(words.into_iter().flatten().collect::<Vec<_>>().join("; "));
                if let Some(word) = said.justification.as_deref().and_then(justification) {
                    one["security_justificationType"] = json!(word);
                }
            }
            StatementStatus::Affected => {
                let words = said.detail.as_deref().or(said.justification.as_deref());
                one["security_actionStatement"] = json!(words.unwrap_or("see the advisory"));
            }
            StatementStatus::Fixed | StatementStatus::UnderInvestigation => {}
        });
    }
    all
}

const V2: &str = "security_CvssV2VulnAssessmentRelationship";

fn class(finding: &DocumentFinding) -> Option<&'static str> {
    Some(match finding.severity.vector.as_deref()? {
        vector if vector.starts_with("CVSS:4.0/") => "security_CvssV4VulnAssessmentRelationship",
        vector if vector.starts_with("CVSS:3.") => "security_CvssV3VulnAssessmentRelationship",
        _ => V2,
    })
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::Critical => "critical",
        Level::High => "high",
        Level::Medium => "medium",
        Level::Low => "low",
        Level::Unknown | Level::Informational => "none",
    }
}

/// OpenVEX's words in SPDX's spelling.
fn justification(said: &str) -> Option<&'static str> {
    Some(match said {
        "component_not_present" => "componentNotPresent",
        "vulnerable_code_not_present" | "code_not_present" => "vulnerableCodeNotPresent",
        "vulnerable_code_not_in_execute_path" | "code_not_reachable" => "vulnerableCodeNotInExecutePath",
        "vulnerable_code_cannot_be_controlled_by_adversary" => "vulnerableCodeCannotBeControlledByAdversary",
        "inline_mitigations_already_exist" | "protected_by_mitigating_control" => "inlineMitigationsAlreadyExist",
        _ => return None,
    })
}
