//! CycloneDX 1.4 to 1.7 JSON: the analyses of a bill's vulnerabilities, in the bill itself or in a document of its own.

use std::collections::HashMap;

use serde_json::Value;

use super::product::Versions;
use super::{Product, Statement, Status, Vex, list, place, reason, text, time};
use crate::inventory::quote;

pub(super) fn read(bill: &Value) -> Vex {
    let author = ["/metadata/authors/0/name", "/metadata/supplier/name", "/metadata/manufacturer/name"];
    let author = author.into_iter().find_map(|pointer| text(bill, pointer)).map(str::to_owned);
    let mut vex = Vex { author, statements: vec![], problems: vec![] };
    let made = time(text(bill, "/metadata/timestamp")).unwrap_or_default();
    let mut purls = HashMap::new();
    if let Some(components) = bill.get("components") {
        collect(components, &mut purls, 0);
    }
    for (number, one) in (1..).zip(list(bill, "/vulnerabilities")) {
        let Some(state) = text(one, "/analysis/state") else { continue };
        let aliases = list(one, "/references").filter_map(|reference| text(reference, "/id"));
        let names: Vec<String> = text(one, "/id").into_iter().chain(aliases).map(str::to_owned).collect();
        let place = place("vulnerability", number, &names);
        let status = match state {
            "resolved" | "resolved_with_pedigree" => Status::Fixed,
            "exploitable" => Status::Affected,
            "in_triage" => Status::UnderInvestigation,
            "false_positive" | "not_affected" => Status::NotAffected,
            other => {
                let other = quote(other);
                vex.problems.push(format!("{place} has the state {other}, which CycloneDX has not: not used"));
                continue;
            }
        };
        let detail = text(one, "/analysis/detail");
        // The state alone is a reason where it says that the scanner was wrong.
        let own = (state == "false_positive").then_some(state);
        let mut said = text(one, "/analysis/justification");
        if status == Status::NotAffected {
            let (word, problem) = reason::CYCLONEDX.weigh(said.into_iter(), detail.or(own).is_some());
            vex.problems.extend(problem.map(|problem| format!("{place} {problem}")));
            if word.or(detail).or(own).is_none() {
                continue;
            }
            said = word.or(own);
        }
        let (mut products, mut is_silent) = (Vec::new(), false);
        for affected in list(one, "/affects") {
            let Some(product) = product(affected, &purls) else { continue };
            let chosen = choose(product, affected, state, status, &mut |problem: String| {
                vex.problems.push(format!("{place} {problem}"));
            });
            is_silent |= chosen.is_none();
            products.extend(chosen);
        }
        if products.is_empty() && is_silent {
            continue; // It is said why.
        }
        vex.take(
            &place,
            Statement {
                names,
                products,
                status,
                justification: said.map(str::to_owned),
                detail: detail.map(str::to_owned),
                at: time(text(one, "/analysis/lastUpdated").or(text(one, "/updated"))).unwrap_or(made),
            },
        );
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
    purls.get(local).and_then(|purl| Product::package(purl)).or_else(|| Product::package(local))
}

/// The versions of a product that an analysis speaks of, where they are listed; nothing where it speaks of none of them.
///
/// A version without a status is one that the state is about. A version with one is ruled out only where both say so.
fn choose(
    product: Product,
    affected: &Value,
    state: &str,
    status: Status,
    complain: &mut dyn FnMut(String),
) -> Option<Product> {
    let rules_out = status.rules_out();
    let (mut only, mut but, mut contrary) = (Vec::new(), Vec::new(), None);
    for one in list(affected, "/versions") {
        let said = text(one, "/status");
        // Where it cannot be read, nobody knows what is not to be ruled out.
        let hides = rules_out && !matches!(said, None | Some("unaffected"));
        let (written, versions) = match (text(one, "/version"), text(one, "/range")) {
            (Some(version), Some(range)) if rules_out => {
                complain(format!(
                    "gives both the version {} and the range {}, where CycloneDX has one of them: not ruled out",
                    quote(version),
                    quote(range)
                ));
                return None;
            }
            (Some(version), _) => (version, Versions::One(version.to_owned())),
            (None, Some(range)) => match product.range(range) {
                Ok(versions) => (range, versions),
                Err(error) => {
                    complain(format!("is about the versions {}, and {error}: not used for them", quote(range)));
                    if hides {
                        return None;
                    }
                    continue;
                }
            },
            (None, None) if hides => {
                let said = quote(said.unwrap_or_default());
                complain(format!(
                    "gives the status {said} to neither a version nor a range of versions, so it may be any: not ruled out"
                ));
                return None;
            }
            (None, None) => {
                complain("lists neither a version nor a range of versions: not used for that".to_owned());
                continue;
            }
        };
        match said {
            None => only.push(versions),
            Some("unaffected") if rules_out => only.push(versions),
            Some("affected" | "unknown") if !rules_out => only.push(versions),
            Some("affected" | "unknown") => {
                contrary = contrary.or(said.map(|said| (written, said)));
                but.push(versions);
            }
            Some("unaffected") => {
                complain(format!(
                    "has the state {state}, which is no reason why {} is unaffected: not ruled out; give those versions an \
                     analysis of their own",
                    quote(written)
                ));
                but.push(versions);
            }
            Some(other) => {
                let (other, written) = (quote(other), quote(written));
                complain(format!("gives {written} the status {other}, which CycloneDX has not: not used for that"));
                but.push(versions);
            }
        }
    }
    if only.is_empty()
        && let Some((written, said)) = contrary
    {
        complain(format!("has the state {state}, but gives {} the status {said}: not ruled out", quote(written)));
    }
    let lists = list(affected, "/versions").next().is_some();
    match (lists, only.is_empty()) {
        (false, _) => Some(product),
        (true, true) => None,
        (true, false) => Some(product.only(only, but)),
    }
}
