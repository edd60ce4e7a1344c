//! CSAF 2.0 (OASIS), profile VEX: statuses by product id, ids by package URL, reasons by flag and by threat.
//!
//! A status is that of its group (§6.1.6). A product in two groups is contradictory: then nothing is ruled out. What is only
//! recommended may be of any group, so it says nothing of a finding.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::{Product, Statement, Status, Vex, list, place, reason, text, time};
use crate::inventory::quote;

/// The fields of §3.2.3.9, but `recommended`.
const STATUSES: [(&str, Status); 7] = [
    ("first_affected", Status::Affected),
    ("known_affected", Status::Affected),
    ("last_affected", Status::Affected),
    ("under_investigation", Status::UnderInvestigation),
    ("known_not_affected", Status::NotAffected),
    ("first_fixed", Status::Fixed),
    ("fixed", Status::Fixed),
];

pub(super) fn read(document: &Value) -> Vex {
    let author = text(document, "/document/publisher/name").map(str::to_owned);
    let mut vex = Vex { author, statements: Vec::new(), problems: Vec::new() };
    if text(document, "/document/tracking/status") == Some("draft") {
        vex.problems.push("the document is a draft, what it says may change: used all the same".to_owned());
    }
    let made = time(text(document, "/document/tracking/current_release_date")).unwrap_or_default();
    let tree = Tree::read(document);
    for (number, one) in (1..).zip(list(document, "/vulnerabilities")) {
        let ids = list(one, "/ids").filter_map(|id| text(id, "/text"));
        let names: Vec<String> = text(one, "/cve").into_iter().chain(ids).map(str::to_owned).collect();
        let place = place("vulnerability", number, &names);
        if names.is_empty() {
            vex.problems.push(format!("{place} has no name: not used"));
            continue;
        }
        let vulnerability = Vulnerability { names, made, tree: &tree, words: Words::read(one) };
        let mut problems = BTreeMap::new();
        vulnerability.tell(one, &mut vex.statements, &mut problems);
        vex.problems.extend(problems.into_iter().map(|(problem, ids)| {
            let more = if ids.len() > 1 { format!(" and {} more", ids.len() - 1) } else { String::new() };
            let first = ids.first().map(|id| quote(id)).unwrap_or_default();
            format!("{place} product {first}{more}: {problem}")
        }));
    }
    vex
}

/// One vulnerability of the document.
struct Vulnerability<'v> {
    names: Vec<String>,
    made: jiff::Timestamp,
    tree: &'v Tree<'v>,
    words: Words<'v>,
}

impl<'v> Vulnerability<'v> {
    /// Makes a statement of each status of each product, and tells which products what is wrong with.
    fn tell(&self, one: &'v Value, statements: &mut Vec<Statement>, problems: &mut BTreeMap<String, Vec<&'v str>>) {
        let mut fields: BTreeMap<&str, Vec<(&str, Status)>> = BTreeMap::new();
        for (field, status) in STATUSES {
            for id in list(one, &format!("/product_status/{field}")).filter_map(Value::as_str) {
                fields.entry(id).or_default().push((field, status));
            }
        }
        for (id, said) in &fields {
            let mut told = Vec::new();
            for (_, status) in said {
                if !told.contains(status) {
                    told.push(*status);
                }
            }
            if let [_, _, ..] = told.as_slice() {
                let fields: BTreeSet<&str> = said.iter().map(|(field, _)| *field).collect();
                let fields = fields.into_iter().collect::<Vec<_>>().join(" and ");
                problems.entry(format!("is both {fields}: not ruled out")).or_default().push(id);
                told.retain(|status| !matches!(status, Status::NotAffected | Status::Fixed));
            }
            for status in told {
                match self.statement(id, status) {
                    Ok((statement, problem)) => {
                        statements.push(statement);
                        problem.into_iter().for_each(|problem| problems.entry(problem).or_default().push(id));
                    }
                    Err(problem) => problems.entry(problem).or_default().push(id),
                }
            }
        }
        for (field, value) in one.get("product_status").and_then(Value::as_object).into_iter().flatten() {
            let ids = || value.as_array().into_iter().flatten().filter_map(Value::as_str);
            let problem = match field.as_str() {
                "recommended" => {
                    "is recommended, which does not say whether it is affected: not used, give its status too"
                        .to_owned()
                }
                field if STATUSES.iter().any(|(known, _)| *known == field) => continue,
                field => format!("has the status {}, which CSAF 2.0 has not: not used", quote(field)),
            };
            let silent: Vec<&str> = ids().filter(|id| field != "recommended" || !fields.contains_key(id)).collect();
            if !silent.is_empty() {
                problems.entry(problem).or_default().extend(silent);
            }
        }
    }

    /// What is said of a product, with what is wrong with it; or why it is not used.
    fn statement(&self, id: &str, status: Status) -> Result<(Statement, Option<String>), String> {
        let products = self.tree.products.get(id).cloned().unwrap_or_default();
        if products.is_empty() {
            return Err("has no package URL: not used".to_owned());
        }
        let mut flags = self.words.about(&self.words.flags, id, self.tree);
        let mut problem = None;
        let (justification, detail) = match status {
            Status::NotAffected => {
                let impact = self.words.about(&self.words.impacts, id, self.tree).next();
                let (word, said) = reason::CSAF.weigh(flags, impact.is_some());
                if word.is_none() && impact.is_none() {
                    return Err(said.unwrap_or_default());
                }
                problem = said;
                (word, impact)
            }
            Status::Affected => (flags.next(), self.words.about(&self.words.remedies, id, self.tree).next()),
            Status::Fixed | Status::UnderInvestigation => (flags.next(), None),
        };
        let statement = Statement {
            names: self.names.clone(),
            products,
            status,
            justification: justification.map(str::to_owned),
            detail: detail.map(str::to_owned),
            at: self.made,
        };
        Ok((statement, problem))
    }
}

/// Words about products, by the product or by a group of products.
type About<'v> = HashMap<Whom<'v>, Vec<&'v str>>;

#[derive(PartialEq, Eq, Hash)]
enum Whom<'v> {
    Product(&'v str),
    Group(&'v str),
}

/// What a vulnerability says of products besides their statuses.
struct Words<'v> {
    flags: About<'v>,
    impacts: About<'v>,
    remedies: About<'v>,
}

impl<'v> Words<'v> {
    fn read(vulnerability: &'v Value) -> Self {
        let is_impact = |threat: &Value| text(threat, "/category") == Some("impact");
        Self {
            flags: Self::of(vulnerability, "/flags", "/label", |_| true),
            impacts: Self::of(vulnerability, "/threats", "/details", is_impact),
            remedies: Self::of(vulnerability, "/remediations", "/details", |_| true),
        }
    }

    fn of(vulnerability: &'v Value, at: &str, word: &str, fits: impl Fn(&Value) -> bool) -> About<'v> {
        let mut about = About::new();
        for entry in list(vulnerability, at).filter(|entry| fits(entry)) {
            let Some(word) = text(entry, word) else { continue };
            let products = list(entry, "/product_ids").filter_map(Value::as_str).map(Whom::Product);
            let groups = list(entry, "/group_ids").filter_map(Value::as_str).map(Whom::Group);
            products.chain(groups).for_each(|whom| about.entry(whom).or_default().push(word));
        }
        about
    }

    /// The words about a product, its own first.
    fn about<'w>(&self, words: &'w About<'v>, id: &'w str, tree: &'w Tree<'v>) -> impl Iterator<Item = &'v str> + 'w {
        let groups = tree.groups.get(id).into_iter().flatten().map(|group| Whom::Group(group));
        std::iter::once(Whom::Product(id)).chain(groups).filter_map(|whom| words.get(&whom)).flatten().copied()
    }
}

/// Products by id.
#[derive(Default)]
struct Tree<'v> {
    products: HashMap<&'v str, Vec<Product>>,
    purls: HashMap<&'v str, Vec<&'v str>>,
    /// By product: the groups that it is in.
    groups: HashMap<&'v str, Vec<&'v str>>,
}

impl<'v> Tree<'v> {
    fn read(document: &'v Value) -> Self {
        let mut tree = Self::default();
        list(document, "/product_tree/full_product_names").for_each(|product| tree.add(product));
        list(document, "/product_tree/branches").for_each(|branch| tree.branch(branch, 0));
        for group in list(document, "/product_tree/product_groups") {
            let Some(id) = text(group, "/group_id") else { continue };
            let members = list(group, "/product_ids").filter_map(Value::as_str);
            members.for_each(|member| tree.groups.entry(member).or_default().push(id));
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
