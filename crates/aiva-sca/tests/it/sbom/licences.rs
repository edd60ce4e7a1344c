//! Licences that only the packages themselves give are in a bill: declared where they state one, concluded from their texts.

use std::fs;
use std::path::Path;

use aiva_sca::inventory::{Kind, Options, walk};
use aiva_sca::licence::locate::Caches;
use aiva_sca::licence::survey::{Depth, survey};
use aiva_sca::sbom::{self, Bom};
use serde_json::Value;

use super::{MADE, check, cyclonedx_schema, document_of, hold_to_schema, schema};

const LOCK: &str = r#"{"name": "app", "lockfileVersion": 3, "packages": {
"": {"name": "app", "dependencies": {"locked": "1", "stated": "1", "text": "1", "none": "1"}},
"node_modules/locked": {"version": "1.0.0", "license": "MIT"},
"node_modules/stated": {"version": "1.0.0"},
"node_modules/text": {"version": "1.0.0"},
"node_modules/none": {"version": "1.0.0"}}}"#;

fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[test]
fn what_packages_state_is_declared_and_what_texts_are_is_concluded() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "package-lock.json", LOCK);
    for (name, fields) in
        [("locked", r#", "license": "ISC""#), ("stated", r#", "license": "Apache-2.0""#), ("text", "")]
    {
        let manifest = format!(r#"{{"name": "{name}", "version": "1.0.0"{fields}}}"#);
        write(root, &format!("node_modules/{name}/package.json"), &manifest);
    }
    write(root, "node_modules/text/LICENSE", spdx::license_id("ISC").unwrap().text());
    let inventory = walk(root, &Options::default(), &|_| {}).unwrap();
    let licensed = survey(root, &inventory.inputs, &Caches::default(), Depth::Licences);
    let document = document_of(Vec::new());
    let bom = Bom::new(&inventory.inputs, &document, MADE).with_licences(&licensed);

    let bill = sbom::cyclonedx(&bom);
    check(&cyclonedx_schema(), &bill);
    let named = |name: &str| bill["components"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    let said = |licences: &Value| {
        let one = &licences[0];
        one["expression"]
            .as_str()
            .map(|expression| format!("{expression} {}", one["acknowledgement"].as_str().unwrap()))
    };
    for (name, declared, concluded) in [
        ("locked", Some("MIT declared"), None), // the lockfile says it
        ("stated", Some("Apache-2.0 declared"), None),
        ("text", None, Some("ISC concluded")),
        ("none", None, None),
    ] {
        let one = named(name);
        assert_eq!(said(&one["licenses"]).as_deref(), declared, "{one:#}");
        assert_eq!(said(&one["evidence"]["licenses"]).as_deref(), concluded, "{one:#}");
    }

    let xml = sbom::cyclonedx_xml(&bom);
    hold_to_schema(&xml);
    assert!(xml.contains(r#"<expression acknowledgement="declared">Apache-2.0</expression>"#), "{xml}");
    assert!(xml.contains(r#"<expression acknowledgement="concluded">ISC</expression>"#), "{xml}");

    let spdx = sbom::spdx(&bom);
    check(&jsonschema::validator_for(&schema("spdx-2.3.schema.json")).unwrap(), &spdx);
    for (name, declared, concluded) in [
        ("locked", "MIT", "NOASSERTION"),
        ("stated", "Apache-2.0", "NOASSERTION"),
        ("text", "NOASSERTION", "ISC"),
        ("none", "NOASSERTION", "NOASSERTION"),
    ] {
        let one = spdx["packages"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
        assert_eq!(
            (&one["licenseDeclared"], &one["licenseConcluded"]),
            (&declared.into(), &concluded.into()),
            "{one:#}"
        );
    }

    let spdx3 = sbom::spdx3(&bom);
    let validator = jsonschema::validator_for(&schema("spdx-3.0.1.schema.json")).unwrap();
    let graph = spdx3["@graph"].as_array().unwrap();
    for element in graph {
        let alone = serde_json::json!({ "@context": spdx3["@context"], "@graph": [element] });
        assert!(validator.is_valid(&alone), "{element:#}");
    }
    let count = |kind: &str| graph.iter().filter(|one| one["relationshipType"] == kind).count();
    assert_eq!((count("hasDeclaredLicense"), count("hasConcludedLicense")), (2, 1));

    // What is read back is what a licence policy judges.
    for text in [xml, bill.to_string()] {
        let reading = Kind::Bill.read(text.as_bytes());
        let stated = reading.packages.iter().find(|package| package.name == "stated").unwrap();
        assert_eq!(&stated.licenses[..], ["Apache-2.0"]);
    }
}
