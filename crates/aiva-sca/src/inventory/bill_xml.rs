//! CycloneDX in XML.

use super::bill::{Bill, Component, Form, is_no_package, scope, settle};
use super::bill_needs::Need;
use super::reading::Reading;
use super::xml::{Visit, attribute, tell};
use crate::depth::{self, Depth};

#[derive(Default)]
struct Reader {
    bill: Bill,
    /// The components that are open, innermost last.
    open: Vec<Open>,
    /// The entry of `dependencies` that is open.
    needing: String,
}

struct Open {
    own: Component,
    group: String,
    /// How deep it stands: what is further down than its own fields (its pedigree, say) is about others.
    depth: usize,
    /// The name of the property that is open.
    property: String,
}

/// Reads a bill of materials in XML.
pub(super) fn read(text: &str) -> Reading {
    let mut reader = Reader::default();
    let outcome = tell(text, &mut reader);
    settle(reader.bill, outcome)
}

/// The last two names of a path.
fn tail(path: &[String]) -> (&str, &str) {
    let name = |back: usize| path.len().checked_sub(back).and_then(|at| path.get(at)).map_or("", String::as_str);
    (name(2), name(1))
}

/// Whether this is a component of the bill itself: the tools that wrote it and the steps that built it have some too.
fn is_component(path: &[String]) -> bool {
    let first = |at: usize| path.get(at).map(String::as_str);
    let top = first(1) == Some("components") || (first(1) == Some("metadata") && first(2) == Some("component"));
    top && matches!(tail(path), ("components" | "metadata", "component"))
}

impl Visit for Reader {
    fn open(&mut self, path: &[String], attributes: &[(String, String)], line: u32) {
        let value = |name: &str| attribute(attributes, name).unwrap_or_default().to_owned();
        match tail(path) {
            ("", "bom") => {
                let spaces = attributes.iter().filter_map(|(_, value)| value.rsplit_once("cyclonedx.org/schema/bom/"));
                self.bill.form = spaces.map(|(_, version)| Form::CycloneDx(version.to_owned())).next();
            }
            _ if is_component(path) => {
                let is_other = is_no_package(&value("type"));
                let own = Component { line, id: value("bom-ref"), is_other, ..Component::default() };
                self.open.push(Open { own, group: String::new(), depth: path.len(), property: String::new() });
            }
            ("services", "service") => {
                self.bill.others.insert(value("bom-ref"));
            }
            ("properties", "property") => {
                if let Some(open) = self.open.last_mut() {
                    open.property = value("name");
                }
            }
            ("dependencies", "dependency") => self.needing = value("ref"),
            ("dependency", "dependency") => {
                let need = Need::new(self.needing.clone(), value("ref"), line);
                self.bill.needs.push(need);
            }
            _ => {}
        }
    }

    fn close(&mut self, path: &[String], text: &str, line: u32) {
        let (above, name) = tail(path);
        if is_component(path) {
            let Some(Open { mut own, group, .. }) = self.open.pop() else { return };
            own.finish(&group);
            if above == "metadata" {
                self.bill.subjects.push(own.id);
            } else {
                self.bill.components.push(own);
            }
            return;
        }
        let Some(Open { own, group, depth, property }) = self.open.last_mut() else { return };
        match (path.len().saturating_sub(*depth), above, name) {
            (1, _, "group") => text.clone_into(group),
            (1, _, "name") => (own.name, own.line) = (text.to_owned(), line),
            (1, _, "version") => text.clone_into(&mut own.version),
            (1, _, "purl") => own.purl = Some(text.to_owned()),
            (1, _, "scope") => own.scope = scope(text),
            (2, "properties", "property") if property == depth::PROPERTY => own.depth = Depth::read(text),
            (2, "licenses", "expression") | (3, "license", "id" | "name") => own.licenses.push(text.to_owned()),
            _ => {}
        }
    }
}
