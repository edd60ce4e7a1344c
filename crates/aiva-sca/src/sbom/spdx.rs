//! SPDX 2.3 as JSON. Vulnerabilities are advisories among a package's external references: the format has no other place.

use std::collections::HashMap;

use aiva_contracts::api::DocumentFinding;
use serde_json::{Value, json};

use super::{Bom, Component, address, number_of, short};
use crate::package::{Scope, Source};

const ROOT: &str = "SPDXRef-Target";

/// The bill as SPDX 2.3 JSON.
pub fn spdx(bom: &Bom<'_>) -> Value {
    let mut packages = vec![json!({
        "SPDXID": ROOT,
        "name": bom.made.target,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "APPLICATION",
    })];
    packages.extend(bom.files.iter().map(|file| {
        json!({
            "SPDXID": id(&file.reference),
            "name": file.input.path,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": "NOASSERTION",
            "copyrightText": "NOASSERTION",
            "primaryPackagePurpose": "FILE",
            "comment": format!("{}, {}", file.input.kind, file.input.status.name()),
        })
    }));
    let mut known: HashMap<usize, Vec<&DocumentFinding>> = HashMap::new();
    for one in &bom.vulnerabilities {
        one.affects.iter().for_each(|at| known.entry(*at).or_default().push(&*one.finding));
    }
    packages.extend(
        bom.components
            .iter()
            .enumerate()
            .map(|(at, component)| package(component, known.get(&at).map(Vec::as_slice).unwrap_or_default())),
    );
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": bom.made.target,
        "packages": packages,
        "relationships": relationships(bom),
    });
    let number = number_of(&document.to_string());
    document["documentNamespace"] = json!(format!("https://spdx.org/spdxdocs/aiva-{number}"));
    document["creationInfo"] =
        json!({ "created": bom.created(), "creators": [format!("Tool: aiva-{}", bom.made.version)] });
    document
}

fn id(reference: &str) -> String {
    format!("SPDXRef-{}", short(reference))
}

fn package(component: &Component<'_>, findings: &[&DocumentFinding]) -> Value {
    let declared = component.declared();
    let mut one = json!({
        "SPDXID": id(&component.reference),
        "name": component.name,
        "downloadLocation": location(component),
        "filesAnalyzed": false,
        "licenseConcluded": component.concluded().as_deref().unwrap_or("NOASSERTION"),
        "licenseDeclared": declared.as_deref().unwrap_or("NOASSERTION"),
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": if matches!(component.source, Source::Path(_)) { "APPLICATION" } else { "LIBRARY" },
        "sourceInfo": component
            .places
            .iter()
            .map(|(path, line)| format!("{path}:{line}"))
            .collect::<Vec<_>>()
            .join(", "),
    });
    if !component.version.is_empty() {
        one["versionInfo"] = json!(component.version);
    }
    if let Some(depth) = component.depth() {
        one["comment"] = json!(depth.comment());
    }
    if declared.is_none() && !component.licences.is_empty() {
        let stated: Vec<&str> = component.licences.iter().copied().collect();
        one["licenseComments"] = json!(format!("the lockfile states: {}", stated.join(", ")));
    }
    let mut references = Vec::new();
    if let Some(purl) = &component.purl {
        references.push(json!({
            "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl,
        }));
    }
    for finding in findings {
        references.push(json!({
            "referenceCategory": "SECURITY",
            "referenceType": "advisory",
            "referenceLocator": address(&finding.id),
            "comment": format!("{} ({}): {}", finding.id, finding.severity.level, finding.summary),
        }));
    }
    if !references.is_empty() {
        one["externalRefs"] = json!(references);
    }
    one
}

/// Where it was downloaded from, as far as the file says; a value with a blank is no location.
fn location(component: &Component<'_>) -> String {
    let said = match &component.source {
        Source::Git(address) if address.starts_with("git+") => address.clone(),
        Source::Git(address) => format!("git+{address}"),
        Source::Url(address) => address.clone(),
        Source::Registry | Source::PrivateRegistry(_) | Source::Path(_) => return "NOASSERTION".to_owned(),
    };
    if said.bytes().all(|byte| byte.is_ascii_graphic()) { said } else { "NOASSERTION".to_owned() }
}

fn relationships(bom: &Bom<'_>) -> Vec<Value> {
    let of = |from: &str, kind: &str, to: &str| json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to });
    let name = |at: &usize| bom.components.get(*at).map(|component| (id(&component.reference), component.scope));
    let mut all = vec![of("SPDXRef-DOCUMENT", "DESCRIBES", ROOT)];
    for file in &bom.files {
        let from = id(&file.reference);
        all.push(of(ROOT, "CONTAINS", &from));
        for (to, scope) in file.leads_to.iter().filter_map(name) {
            all.push(match scope {
                _ if !file.has_graph => of(&from, "CONTAINS", &to),
                Scope::Dev => of(&to, "DEV_DEPENDENCY_OF", &from),
                Scope::Build => of(&to, "BUILD_DEPENDENCY_OF", &from),
                Scope::Optional => of(&to, "OPTIONAL_DEPENDENCY_OF", &from),
                Scope::Runtime | Scope::Peer => of(&from, "DEPENDS_ON", &to),
            });
        }
    }
    for (from, to) in &bom.edges {
        let Some((from, _)) = name(from) else { continue };
        all.extend(to.iter().filter_map(name).map(|(to, _)| of(&from, "DEPENDS_ON", &to)));
    }
    all
}
