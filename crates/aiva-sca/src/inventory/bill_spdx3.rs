//! SPDX 3.0 in JSON: a flat list of elements, packages and what ties them together.

use super::bill::{Bill, Component, text, texts};
use super::bill_needs::{How, Need};
use super::json::Json;
use super::reading::Fault;
use crate::depth::Depth;
use crate::package::Scope;

#[derive(Default)]
struct Element {
    kind: String,
    relationship: String,
    scope: String,
    from: Vec<String>,
    to: Vec<String>,
    roots: Vec<String>,
    own: Component,
}

/// Takes one element of the graph into the bill.
pub(super) fn element(json: &mut Json<'_>, bill: &mut Bill) -> Result<(), Fault> {
    json.next();
    let mut element = Element { own: Component { line: json.line(), ..Component::default() }, ..Element::default() };
    let line = element.own.line;
    json.object(|json, key, line| {
        match &*key {
            "type" | "@type" => element.kind = text(json)?,
            "spdxId" | "@id" => element.own.id = text(json)?,
            "name" => (element.own.name, element.own.line) = (text(json)?, line),
            "comment" => element.own.depth = Depth::of_comment(&text(json)?),
            "software_packageVersion" => element.own.version = text(json)?,
            "software_packageUrl" => element.own.purl = Some(text(json)?),
            "software_primaryPurpose" => {
                let purpose = text(json)?;
                element.own.is_other = matches!(
                    &*purpose,
                    "file" | "manifest" | "device" | "firmware" | "operatingSystem" | "application" | "container"
                );
            }
            "externalIdentifier" => json.array(|json| {
                let (mut kind, mut identifier) = (String::new(), String::new());
                json.object(|json, key, _| {
                    match &*key {
                        "externalIdentifierType" => kind = text(json)?,
                        "identifier" => identifier = text(json)?,
                        _ => json.skip()?,
                    }
                    Ok(())
                })?;
                if kind == "packageUrl" && element.own.purl.is_none() {
                    element.own.purl = Some(identifier);
                }
                Ok(())
            })?,
            "relationshipType" => element.relationship = text(json)?,
            "scope" => element.scope = text(json)?,
            "from" => texts(json, &mut element.from)?,
            "to" => texts(json, &mut element.to)?,
            "rootElement" => texts(json, &mut element.roots)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    element.settle(line, bill);
    Ok(())
}

impl Element {
    fn settle(self, line: u32, bill: &mut Bill) {
        let Self { kind, relationship, scope, from, to, roots, own } = self;
        match kind.as_str() {
            "software_Package" | "ai_AIPackage" | "dataset_DatasetPackage" => bill.components.push(own),
            "SpdxDocument" | "software_Sbom" | "Bom" | "Bundle" => {
                bill.others.insert(own.id);
                // A document's root is often the list of packages, which has a root of its own.
                bill.subjects.extend(roots);
                bill.subjects.retain(|subject| !bill.others.contains(subject));
            }
            "Relationship" | "LifecycleScopedRelationship" if matches!(&*relationship, "dependsOn" | "contains") => {
                let how = if relationship == "contains" { How::Contains } else { How::Needs };
                let scope = match scope.as_str() {
                    "development" | "test" => Some(Scope::Dev),
                    "build" => Some(Scope::Build),
                    _ => None,
                };
                for from in from {
                    let need = |to: String| Need { from: from.clone(), to, how, scope, line };
                    bill.needs.extend(to.iter().cloned().map(need));
                }
            }
            _ => {
                bill.others.insert(own.id);
            }
        }
    }
}
