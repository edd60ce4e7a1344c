//! OpenVEX 0.2.0, and 0.0.x where a vulnerability and a product are bare strings.

use serde_json::Value;

use super::{Product, Statement, Status, Vex, list, place, reason, text, time};
use crate::inventory::quote;

pub(super) fn read(document: &Value) -> Vex {
    let mut vex = Vex { author: text(document, "/author").map(str::to_owned), statements: vec![], problems: vec![] };
    let made = time(text(document, "/last_updated").or(text(document, "/timestamp"))).unwrap_or_default();
    for (number, one) in (1..).zip(list(document, "/statements")) {
        let names = names(one);
        let place = place("statement", number, &names);
        let status = match text(one, "/status") {
            Some("not_affected") => Status::NotAffected,
            Some("fixed") => Status::Fixed,
            Some("affected") => Status::Affected,
            Some("under_investigation") => Status::UnderInvestigation,
            Some(other) => {
                vex.problems.push(format!("{place} has the status {}, which OpenVEX has not: not used", quote(other)));
                continue;
            }
            None => {
                vex.problems.push(format!("{place} has no status: not used"));
                continue;
            }
        };
        let given = text(one, "/justification");
        let impact = text(one, "/impact_statement");
        let (justification, detail) = match status {
            Status::NotAffected => {
                let (word, problem) = reason::OPENVEX.weigh(given.into_iter(), impact.is_some());
                vex.problems.extend(problem.map(|problem| format!("{place} {problem}")));
                if word.is_none() && impact.is_none() {
                    continue;
                }
                (word, impact)
            }
            Status::Affected => (given, text(one, "/action_statement")),
            Status::Fixed | Status::UnderInvestigation => (given, None),
        };
        vex.take(
            &place,
            Statement {
                names,
                products: list(one, "/products").flat_map(products).collect(),
                status,
                justification: justification.map(str::to_owned),
                detail: detail.or(text(one, "/status_notes")).map(str::to_owned),
                at: time(text(one, "/last_updated").or(text(one, "/timestamp"))).unwrap_or(made),
            },
        );
    }
    vex
}

fn names(statement: &Value) -> Vec<String> {
    let aliases = list(statement, "/vulnerability/aliases").filter_map(Value::as_str);
    let name = text(statement, "/vulnerability").or(text(statement, "/vulnerability/name"));
    name.into_iter().chain(aliases).map(str::to_owned).collect()
}

fn products(product: &Value) -> Vec<Product> {
    let own = ids(product);
    let parts: Vec<Product> = list(product, "/subcomponents")
        .flat_map(ids)
        .filter_map(|part| Product::part(part, own.iter().map(|id| (*id).to_owned()).collect()))
        .collect();
    // A product with parts speaks of the parts only.
    if list(product, "/subcomponents").next().is_some() {
        return parts;
    }
    own.into_iter().filter_map(Product::package).collect()
}

fn ids(one: &Value) -> Vec<&str> {
    let mut ids: Vec<&str> =
        [one.as_str(), text(one, "/@id"), text(one, "/identifiers/purl")].into_iter().flatten().collect();
    ids.dedup();
    ids
}
