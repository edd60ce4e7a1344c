//! Bills of materials in which something that is no package stands between the project and its packages.

use aiva_sca::inventory::Kind;

use super::check;

/// What each of the bills below says: a needs b, and the project asks for a.
const WANT: &str = "parsed
a 1.0.0 LINE_A direct runtime
b 1.0.0 LINE_B transitive runtime
a 1.0.0 -> b 1.0.0";

#[track_caller]
fn says(bill: &str, lines: [u32; 2]) {
    let [a, b] = lines.map(|line| line.to_string());
    check(Kind::Bill, bill, &WANT.replace("LINE_A", &a).replace("LINE_B", &b));
}

#[test]
fn the_project_asks_for_what_its_lockfiles_ask_for() {
    // As Trivy and AIVA write CycloneDX: a lockfile has no package URL.
    says(
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.6",
"metadata": {"component": {"bom-ref": "root", "type": "application", "name": "app"}},
"components": [
{"bom-ref": "lock", "type": "application", "name": "package-lock.json"},
{"bom-ref": "a", "type": "library", "name": "a", "version": "1.0.0", "purl": "pkg:npm/a@1.0.0"},
{"bom-ref": "b", "type": "library", "name": "b", "version": "1.0.0", "purl": "pkg:npm/b@1.0.0"}],
"dependencies": [{"ref": "root", "dependsOn": ["lock"]}, {"ref": "lock", "dependsOn": ["a", "root", "lock"]},
{"ref": "a", "dependsOn": ["b"]}]}"#,
        [5, 6],
    );
    // As Trivy writes SPDX: it contains what it asks for. What the bill is about contains everything, as others write it.
    says(
        r#"{"spdxVersion": "SPDX-2.3", "packages": [
{"SPDXID": "SPDXRef-root", "name": "app", "primaryPackagePurpose": "SOURCE"},
{"SPDXID": "SPDXRef-lock", "name": "package-lock.json", "primaryPackagePurpose": "APPLICATION"},
{"SPDXID": "SPDXRef-a", "name": "a", "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:npm/a@1.0.0"}]},
{"SPDXID": "SPDXRef-b", "name": "b", "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:npm/b@1.0.0"}]}],
"relationships": [
{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-root"},
{"spdxElementId": "SPDXRef-root", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-lock"},
{"spdxElementId": "SPDXRef-root", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-b"},
{"spdxElementId": "SPDXRef-a", "relationshipType": "CONTAINED_BY", "relatedSpdxElement": "SPDXRef-lock"},
{"spdxElementId": "SPDXRef-root", "relationshipType": "CONTAINS", "relatedSpdxElement": "SPDXRef-nowhere"},
{"spdxElementId": "SPDXRef-b", "relationshipType": "DEPENDENCY_OF", "relatedSpdxElement": "SPDXRef-a"}]}"#,
        [4, 5],
    );
    // As AIVA writes SPDX 3.0.
    says(
        r#"{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [
{"type": "software_Sbom", "spdxId": "s", "rootElement": ["root"]},
{"type": "software_Package", "spdxId": "root", "name": "app", "software_primaryPurpose": "application"},
{"type": "software_Package", "spdxId": "lock", "name": "yarn.lock", "software_primaryPurpose": "manifest"},
{"type": "software_Package", "spdxId": "a", "name": "a", "software_packageUrl": "pkg:npm/a@1.0.0"},
{"type": "software_Package", "spdxId": "b", "name": "b", "software_packageUrl": "pkg:npm/b@1.0.0"},
{"type": "Relationship", "spdxId": "1", "relationshipType": "contains", "from": "root", "to": ["lock", "b"]},
{"type": "Relationship", "spdxId": "2", "relationshipType": "dependsOn", "from": "lock", "to": ["a"]},
{"type": "Relationship", "spdxId": "3", "relationshipType": "dependsOn", "from": "a", "to": ["b"]}]}"#,
        [5, 6],
    );
}

#[test]
fn a_package_needs_what_is_needed_by_what_it_needs_without_a_package_url() {
    says(
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.6",
"metadata": {"component": {"bom-ref": "root", "type": "application", "name": "app"}},
"components": [
{"bom-ref": "a", "type": "library", "name": "a", "version": "1.0.0", "purl": "pkg:npm/a@1.0.0"},
{"bom-ref": "b", "type": "library", "name": "b", "version": "1.0.0", "purl": "pkg:npm/b@1.0.0"},
{"bom-ref": "own", "type": "application", "name": "own"}, {"bom-ref": "file", "type": "file", "name": "own.js"}],
"dependencies": [{"ref": "root", "dependsOn": ["a"]}, {"ref": "a", "dependsOn": ["own", "b"]},
{"ref": "own", "dependsOn": ["file", "root"]}, {"ref": "file", "dependsOn": ["b", "own"]}]}"#,
        [4, 5],
    );
}

#[test]
fn what_a_system_consists_of_the_project_does_not_ask_for() {
    check(
        Kind::Bill,
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.6",
"metadata": {"component": {"bom-ref": "root", "type": "container", "name": "image"}},
"components": [
{"bom-ref": "os", "type": "operating-system", "name": "debian", "version": "12"},
{"bom-ref": "lock", "type": "application", "name": "Gemfile.lock"},
{"bom-ref": "bash", "type": "library", "name": "bash", "version": "5.2", "purl": "pkg:deb/debian/bash@5.2?distro=debian-12"},
{"bom-ref": "rack", "type": "library", "name": "rack", "version": "2.0.0", "purl": "pkg:gem/rack@2.0.0"}],
"dependencies": [{"ref": "root", "dependsOn": ["os", "lock"]}, {"ref": "os", "dependsOn": ["bash"]},
{"ref": "lock", "dependsOn": ["rack"]}]}"#,
        "parsed
bash 5.2 6 ? runtime
rack 2.0.0 7 direct runtime",
    );
}

/// A few that all need, and that need all: who needs whom is told as far as the work stays in proportion to the file.
#[test]
fn what_is_needed_through_what_is_no_package_has_a_bound() {
    let count = 600;
    let all: Vec<String> = (0..count).map(|at| format!("\"p{at}\"")).collect();
    let component =
        |at: usize| format!(r#"{{"bom-ref": "p{at}", "name": "p{at}", "version": "1", "purl": "pkg:npm/p{at}@1"}}"#);
    let components: Vec<String> = (0..count).map(component).collect();
    let needs: Vec<String> = (0..count).map(|at| format!(r#"{{"ref": "p{at}", "dependsOn": ["lock"]}}"#)).collect();
    let bill = format!(
        r#"{{"specVersion": "1.6", "components": [{{"bom-ref": "lock", "type": "file", "name": "lock"}}, {}],
"dependencies": [{{"ref": "lock", "dependsOn": [{}]}}, {}]}}"#,
        components.join(","),
        all.join(","),
        needs.join(",")
    );
    let reading = Kind::Bill.read(bill.as_bytes());
    assert_eq!(reading.problems.len(), 1, "{:?}", reading.problems);
    assert!(reading.problems[0].message.contains("not all known"), "{:?}", reading.problems);
    assert_eq!(reading.packages.len(), count);
}

/// A bill that names what the project asks for may still have packages of which it says nothing.
#[test]
fn what_nobody_is_said_to_need_is_of_unknown_depth() {
    let bill = |property: &str| {
        format!(
            r#"{{"bomFormat": "CycloneDX", "specVersion": "1.6",
"metadata": {{"component": {{"bom-ref": "root", "type": "application", "name": "app"}}}},
"components": [
{{"bom-ref": "a", "type": "library", "name": "a", "version": "1.0.0", "purl": "pkg:npm/a@1.0.0"}},
{{"bom-ref": "b", "type": "library", "name": "b", "version": "1.0.0", "purl": "pkg:npm/b@1.0.0"}},
{{"bom-ref": "c", "type": "library", "name": "c", "version": "1.0.0", "purl": "pkg:npm/c@1.0.0"{property}}}],
"dependencies": [{{"ref": "root", "dependsOn": ["a"]}}, {{"ref": "a", "dependsOn": ["b"]}}, {{"ref": "c", "dependsOn": ["c"]}}]}}"#
        )
    };
    for (property, depth) in [
        ("", "?"),
        (r#", "properties": [{"name": "aiva:depth", "value": "direct"}]"#, "direct"),
        (r#", "properties": [{"name": "aiva:depth", "value": "transitive"}]"#, "transitive"),
        (r#", "properties": [{"name": "aiva:depth", "value": "deep"}]"#, "?"),
    ] {
        let want = format!(
            "parsed\na 1.0.0 4 direct runtime\nb 1.0.0 5 transitive runtime\nc 1.0.0 6 {depth} runtime\n\
             a 1.0.0 -> b 1.0.0\nc 1.0.0 -> c 1.0.0"
        );
        check(Kind::Bill, &bill(property), &want);
    }
}
