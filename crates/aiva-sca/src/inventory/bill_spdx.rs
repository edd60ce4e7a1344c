//! SPDX 2.2 and 2.3 in JSON: packages, and what ties them together.

use super::bill::{Bill, Component, text, texts};
use super::bill_needs::{How, Need};
use super::json::Json;
use super::reading::Fault;
use crate::depth::Depth;
use crate::package::Scope;

/// Takes one of the `packages` into the bill.
pub(super) fn package(json: &mut Json<'_>, bill: &mut Bill) -> Result<(), Fault> {
    json.next();
    let mut own = Component { line: json.line(), ..Component::default() };
    let mut concluded = Vec::new();
    json.object(|json, key, line| {
        match &*key {
            "SPDXID" => own.id = text(json)?,
            "name" => (own.name, own.line) = (text(json)?, line),
            "versionInfo" => own.version = text(json)?,
            "comment" => own.depth = Depth::of_comment(&text(json)?),
            "licenseDeclared" => texts(json, &mut own.licenses)?,
            "licenseConcluded" => texts(json, &mut concluded)?,
            "primaryPackagePurpose" => {
                own.is_other = matches!(
                    &*text(json)?,
                    "FILE" | "DEVICE" | "FIRMWARE" | "OPERATING-SYSTEM" | "APPLICATION" | "CONTAINER"
                );
            }
            "externalRefs" => json.array(|json| {
                let (mut kind, mut locator) = (String::new(), String::new());
                json.object(|json, key, _| {
                    match &*key {
                        "referenceType" => kind = text(json)?,
                        "referenceLocator" => locator = text(json)?,
                        _ => json.skip()?,
                    }
                    Ok(())
                })?;
                if kind == "purl" || kind.ends_with("/purl") {
                    own.purl = Some(locator);
                }
                Ok(())
            })?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    let says_nothing = |license: &String| matches!(license.as_str(), "" | "NOASSERTION" | "NONE");
    own.licenses.retain(|license| !says_nothing(license));
    if own.licenses.is_empty() {
        own.licenses = concluded.into_iter().filter(|license| !says_nothing(license)).collect();
    }
    bill.components.push(own);
    Ok(())
}

/// Takes one of the `relationships` into the bill.
pub(super) fn relationship(json: &mut Json<'_>, bill: &mut Bill) -> Result<(), Fault> {
    json.next();
    let line = json.line();
    let (mut one, mut other, mut kind) = (String::new(), String::new(), String::new());
    json.object(|json, key, _| {
        match &*key {
            "spdxElementId" => one = text(json)?,
            "relatedSpdxElement" => other = text(json)?,
            "relationshipType" => kind = text(json)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    let part = |from, to| Need { how: How::Contains, ..Need::new(from, to, line) };
    let scope = match kind.as_str() {
        "DEV_DEPENDENCY_OF" | "TEST_DEPENDENCY_OF" => Some(Scope::Dev),
        "BUILD_DEPENDENCY_OF" => Some(Scope::Build),
        "OPTIONAL_DEPENDENCY_OF" => Some(Scope::Optional),
        "PROVIDED_DEPENDENCY_OF" => Some(Scope::Peer),
        _ => None,
    };
    match kind.as_str() {
        "DESCRIBES" => bill.subjects.push(other),
        "DESCRIBED_BY" => bill.subjects.push(one),
        "DEPENDS_ON" => bill.needs.push(Need::new(one, other, line)),
        "CONTAINS" => bill.needs.push(part(one, other)),
        "CONTAINED_BY" => bill.needs.push(part(other, one)),
        "DEPENDENCY_OF" | "RUNTIME_DEPENDENCY_OF" => bill.needs.push(Need::new(other, one, line)),
        _ if scope.is_some() => bill.needs.push(Need { scope, ..Need::new(other, one, line) }),
        _ => {}
    }
    Ok(())
}
