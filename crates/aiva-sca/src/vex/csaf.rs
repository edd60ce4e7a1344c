//! CSAF 2.0 (OASIS), profile VEX: statuses by product id, ids by package URL, reasons by flag and by threat.

use std::collections::HashMap;

use serde_json::Value;

use super::{Product, Statement, Status, Vex, list, text, time};

const STATUSES: [(&str, Status); 6] = [
    ("known_affected", Status::Affected),
    ("last_affected", Status::Affected),
    ("under_investigation", Status::UnderInvestigation),
    ("known_not_affected", Status::NotAffected),
    ("first_fixed", Status::Fixed),
    ("fixed", Status::Fixed),
];

pub(super) fn read(document: &Value) -> Vex {
    let author = text(document, "/document/publisher/name").map(str::to_owned);
    let made = time(text(document, "/document/tracking/current_release_date")).unwrap_or_default();
    let tree = Tree::read(document);
    let mut statements = Vec::new();
    for one in list(document, "/vulnerabilities") {
        let ids = list(one, "/ids").filter_map(|id| text(id, "/text"));
        let names: Vec<String> = text(one, "/cve").into_iter().chain(ids).map(str::to_owned).collect();
        for (word, status) in STATUSES {
            for id in list(one, &format!("/product_status/{word}")).filter_map(Value::as_str) {
                let justification = said(one, "/flags", "label", id, &tree, |_| true);
                let detail = match status {
                    Status::NotAffected => said(one, "/threats", "details", id, &tree, |threat| {
                        text(threat, "/category") == Some("impact")
                    }),
                    Status::Affected => said(one, "/remediations", "details", id, &tree, |_| true),
                    Status::Fixed | Status::UnderInvestigation => None,
                };
                statements.push(Statement {
                    names: names.clone(),
                    products: tree.products.get(id).cloned().unwrap_or_default(),
                    status,
                    justification,
                    detail,
                    at: made,
                });
            }
        }
    }
    Vex { author, statements, problems: Vec::new() }
}

/// The first word of a list whose entry is about this product.
fn said(
    vulnerability: &Value,
    at: &str,
    word: &str,
    id: &str,
    tree: &Tree<'_>,
    fits: impl Fn(&Value) -> bool,
) -> Option<String> {
    let about = |entry: &&Value| {
        let mut ids = list(entry, "/product_ids").filter_map(Value::as_str);
        let mut groups = list(entry, "/group_ids").filter_map(Value::as_str);
        let in_group = |group: &str| tree.groups.get(group).is_some_and(|members| members.contains(&id));
        ids.any(|one| one == id) || groups.any(in_group)
    };
    let entry = list(vulnerability, at).filter(|entry| fits(entry)).find(about)?;
    text(entry, &format!("/{word}")).map(str::to_owned)
}

/// Products by id.
#[derive(Default)]
struct Tree<'v> {
    products: HashMap<&'v str, Vec<Product>>,
    purls: HashMap<&'v str, Vec<&'v str>>,
    groups: HashMap<&'v str, Vec<&'v str>>,
}

impl<'v> Tree<'v> {
    fn read(document: &'v Value) -> Self {
        let mut tree = Self::default();
        list(document, "/product_tree/full_product_names").for_each(|product| tree.add(product));
        list(document, "/product_tree/branches").for_each(|branch| tree.branch(branch, 0));
        for group in list(document, "/product_tree/product_groups") {
            let members = list(group, "/product_ids").filter_map(Value::as_str).collect();
            tree.groups.extend(text(group, "/group_id").map(|id| (id, members)));
        }
        for relation in list(document, "/product_tree/relationships") {
            tree.relate(relation);
        }
        tree
    }

    fn branch(&mut self, branch: &'v Value, depth: usize) {
        const DEEPEST: usize = 64;
        if let Some(product) = branch.get("product") {
            self.add(product);
        }
        if depth < DEEPEST {
            list(branch, "/branches").for_each(|branch| self.branch(branch, depth + 1));
        }
    }

    fn add(&mut self, product: &'v Value) {
        let Some(id) = text(product, "/product_id") else { return };
        let one = text(product, "/product_identification_helper/purl");
        let several = list(product, "/product_identification_helper/purls").filter_map(Value::as_str); // CSAF 2.1
        let purls: Vec<&str> = one.into_iter().chain(several).collect();
        self.products.insert(id, purls.iter().filter_map(|purl| Product::package(purl)).collect());
        self.purls.insert(id, purls);
    }

    /// A part within a product has an id of its own.
    fn relate(&mut self, relation: &'v Value) {
        let ends = text(relation, "/product_reference").zip(text(relation, "/relates_to_product_reference"));
        let (Some((part, whole)), Some(id)) = (ends, text(relation, "/full_product_name/product_id")) else { return };
        let own = text(relation, "/full_product_name/product_identification_helper/purl");
        let mut names = vec![whole.to_owned()];
        names.extend(self.purls.get(whole).into_iter().flatten().map(|purl| (*purl).to_owned()));
        let parts = self.purls.get(part).into_iter().flatten().copied().chain(own);
        let products = parts.filter_map(|purl| Product::part(purl, names.clone())).collect();
        self.products.insert(id, products);
    }
}
