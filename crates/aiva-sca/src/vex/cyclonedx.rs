//! CycloneDX 1.4 to 1.7 JSON: the analyses of a bill's vulnerabilities, in the bill itself or in a document of its own.

use std::collections::HashMap;

use serde_json::Value;

use super::{Product, Statement, Status, Vex, list, text, time};

pub(super) fn read(bill: &Value) -> Vex {
    let author = ["/metadata/authors/0/name", "/metadata/supplier/name", "/metadata/manufacturer/name"];
    let author = author.into_iter().find_map(|pointer| text(bill, pointer)).map(str::to_owned);
    let mut vex = Vex { author, statements: vec![], problems: vec![] };
    let made = time(text(bill, "/metadata/timestamp")).unwrap_or_default();
    let mut purls = HashMap::new();
    if let Some(components) = bill.get("components") {
        collect(components, &mut purls, 0);
    }
    for one in list(bill, "/vulnerabilities") {
        let Some(state) = text(one, "/analysis/state") else { continue };
        let aliases = list(one, "/references").filter_map(|reference| text(reference, "/id"));
        let names: Vec<String> = text(one, "/id").into_iter().chain(aliases).map(str::to_owned).collect();
        let status = match state {
            "resolved" | "resolved_with_pedigree" => Status::Fixed,
            "exploitable" => Status::Affected,
            "in_triage" => Status::UnderInvestigation,
            "false_positive" | "not_affected" => Status::NotAffected,
            other => {
                vex.problems.push(format!("an analysis of {} has the state {other}: not used", names.join(", ")));
                continue;
            }
        };
        // The state alone is a reason where it says that the scanner was wrong.
        let said = text(one, "/analysis/justification").or((state == "false_positive").then_some(state));
        vex.statements.push(Statement {
            names,
            products: list(one, "/affects").filter_map(|affected| product(affected, &purls)).collect(),
            status,
            justification: said.map(str::to_owned),
            detail: text(one, "/analysis/detail").map(str::to_owned),
            at: time(text(one, "/analysis/lastUpdated").or(text(one, "/updated"))).unwrap_or(made),
        });
    }
    vex
}

/// Package URLs by reference, also of components within components.
fn collect<'v>(components: &'v Value, purls: &mut HashMap<&'v str, &'v str>, depth: usize) {
    const DEEPEST: usize = 64;
    for one in components.as_array().into_iter().flatten() {
        if let (Some(reference), Some(purl)) = (text(one, "/bom-ref"), text(one, "/purl")) {
            purls.insert(reference, purl);
        }
        if let Some(within) = one.get("components").filter(|_| depth < DEEPEST) {
            collect(within, purls, depth + 1);
        }
    }
}

/// A reference into this bill, a link into another (`urn:cdx:serial/version#reference`), or a package URL itself.
fn product(affected: &Value, purls: &HashMap<&str, &str>) -> Option<Product> {
    let reference = text(affected, "/ref")?;
    let local = match reference.strip_prefix("urn:cdx:") {
        Some(link) => link.split_once('#')?.1,
        None => reference,
    };
    let product = purls.get(local).and_then(|purl| Product::package(purl)).or_else(|| Product::package(local))?;
    let versions: Vec<String> =
        list(affected, "/versions").filter_map(|one| text(one, "/version")).map(str::to_owned).collect();
    // A range is no list of versions: what it means is not decided here.
    let has_range = list(affected, "/versions").any(|one| one.get("range").is_some());
    if has_range && versions.is_empty() { None } else { Some(product.only(versions)) }
}
