//! The three forms say the same, and what cannot be matched surely does not speak.

mod csaf;
mod reasons;
mod versions;

use super::*;

const OPENVEX: &str = r#"{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex", "author": "ana",
  "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": [
  {"vulnerability": {"name": "CVE-2026-1", "aliases": ["GHSA-1"]}, "products": [{"@id": "pkg:npm/%40s/a@1.0.0"}],
   "status": "not_affected", "justification": "vulnerable_code_not_present"},
  {"vulnerability": {"name": "CVE-2026-2"}, "products": [{"@id": "pkg:oci/shop", "subcomponents": [{"@id": "pkg:pypi/Py_Yaml"}]}],
   "status": "fixed", "timestamp": "2026-02-01T00:00:00Z"},
  {"vulnerability": {"name": "CVE-2026-3"}, "products": [{"@id": "x", "identifiers": {"purl": "pkg:golang/golang.org/x/net@v0.1.0"}}],
   "status": "under_investigation"},
  {"vulnerability": {"name": "CVE-2026-4"}, "products": [{"@id": "pkg:npm/a"}], "status": "not_affected"},
  {"vulnerability": {"name": "CVE-2026-5"}, "products": [{"@id": "the-app"}], "status": "fixed"},
  {"vulnerability": {"name": "CVE-2026-6"}, "products": [{"@id": "pkg:npm/a"}], "status": "well"}]}"#;

const CYCLONEDX: &str = r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "metadata": {"authors": [{"name": "ana"}]},
  "components": [{"type": "library", "name": "a", "bom-ref": "c1", "purl": "pkg:npm/%40s/a@1.0.0",
    "components": [{"type": "library", "name": "y", "bom-ref": "c2", "purl": "pkg:pypi/py-yaml"}]}],
  "vulnerabilities": [
   {"id": "CVE-2026-1", "references": [{"id": "GHSA-1", "source": {"name": "g"}}], "affects": [{"ref": "c1"}],
    "analysis": {"state": "not_affected", "justification": "code_not_present"}},
   {"id": "CVE-2026-2", "affects": [{"ref": "urn:cdx:1/1#c2", "versions": [{"version": "5.0", "status": "unaffected"}]}],
    "analysis": {"state": "resolved"}},
   {"id": "CVE-2026-3", "affects": [{"ref": "pkg:golang/golang.org/x/net@v0.1.0"}], "analysis": {"state": "in_triage"}},
   {"id": "CVE-2026-4", "affects": [{"ref": "c1", "versions": [{"range": "vers:generic/<2"}]}], "analysis": {"state": "false_positive"}},
   {"id": "CVE-2026-5", "affects": [{"ref": "c1"}]}]}"#;

const CSAF: &str = r#"{"document": {"category": "csaf_vex", "csaf_version": "2.0", "publisher": {"name": "ana"},
   "tracking": {"current_release_date": "2026-01-01T00:00:00Z"}},
  "product_tree": {
   "branches": [{"category": "vendor", "name": "v", "branches": [
     {"category": "product_version", "name": "1", "product": {"name": "a", "product_id": "P1",
       "product_identification_helper": {"purl": "pkg:npm/%40s/a@1.0.0"}}}]}],
   "full_product_names": [
     {"name": "y", "product_id": "P2", "product_identification_helper": {"purl": "pkg:pypi/py-yaml"}},
     {"name": "n", "product_id": "P3", "product_identification_helper": {"purl": "pkg:golang/golang.org/x/net@v0.1.0"}},
     {"name": "shop", "product_id": "SHOP", "product_identification_helper": {"purl": "pkg:oci/shop"}}],
   "product_groups": [{"group_id": "G", "product_ids": ["P1"]}],
   "relationships": [{"category": "installed_with", "product_reference": "P2", "relates_to_product_reference": "SHOP",
     "full_product_name": {"name": "y in shop", "product_id": "SHOP:P2"}}]},
  "vulnerabilities": [
   {"cve": "CVE-2026-1", "ids": [{"system_name": "g", "text": "GHSA-1"}], "product_status": {"known_not_affected": ["P1"]},
    "flags": [{"label": "vulnerable_code_not_present", "group_ids": ["G"]}]},
   {"cve": "CVE-2026-2", "product_status": {"fixed": ["SHOP:P2"]}},
   {"cve": "CVE-2026-3", "product_status": {"under_investigation": ["P3"]}}]}"#;

fn statements(text: &str) -> Statements {
    let mut statements = Statements::default();
    statements.add("vex.json", read(text.as_bytes()).unwrap());
    statements
}

#[track_caller]
fn check(text: &str, names: &[&str], purl: &str, product: Option<&str>, want: Option<Status>) {
    let mut statements = statements(text);
    let said = statements.of(names.iter().copied(), purl, product);
    assert_eq!(said.map(|said| said.statement.status), want, "{names:?} {purl} {product:?}");
}

#[test]
fn the_three_forms_say_the_same() {
    for text in [OPENVEX, CYCLONEDX, CSAF] {
        check(text, &["CVE-2026-1"], "pkg:npm/%40s/a@1.0.0", None, Some(Status::NotAffected));
        check(text, &["X", "GHSA-1"], "pkg:npm/%40s/a@1.0.0", None, Some(Status::NotAffected)); // by alias
        check(text, &["CVE-2026-1"], "pkg:npm/%40s/a@1.0.1", None, None); // another version
        check(text, &["CVE-2026-1"], "pkg:npm/a@1.0.0", None, None); // another package
        check(text, &["CVE-2026-2"], "pkg:npm/%40s/a@1.0.0", None, None); // another advisory
        check(text, &["CVE-2026-2"], "pkg:pypi/py-yaml@5.0", None, Some(Status::Fixed));
        check(text, &["CVE-2026-3"], "pkg:golang/golang.org/x/net@v0.1.0", None, Some(Status::UnderInvestigation));
        check(text, &["CVE-2026-4"], "pkg:npm/a@1.0.0", None, None);
        check(text, &["CVE-2026-5"], "pkg:npm/a@1.0.0", None, None);
        let vex = read(text.as_bytes()).unwrap();
        assert_eq!(vex.author.as_deref(), Some("ana"));
    }
    assert_eq!(statements(OPENVEX).all[0].2.justification.as_deref(), Some("vulnerable_code_not_present"));
    assert_eq!(statements(CSAF).all[0].2.justification.as_deref(), Some("vulnerable_code_not_present"));
}

#[test]
fn a_part_of_another_product_is_none_of_ours() {
    for text in [OPENVEX, CSAF] {
        check(text, &["CVE-2026-2"], "pkg:pypi/py-yaml@5.0", Some("pkg:oci/shop"), Some(Status::Fixed));
        check(text, &["CVE-2026-2"], "pkg:pypi/py-yaml@5.0", Some("pkg:oci/other"), None);
        check(text, &["CVE-2026-1"], "pkg:npm/%40s/a@1.0.0", Some("pkg:oci/other"), Some(Status::NotAffected));
    }
    check(CYCLONEDX, &["CVE-2026-2"], "pkg:pypi/py-yaml@5.1", None, None); // not the version that is listed
}

#[test]
fn what_cannot_be_used_is_said() {
    let vex = read(OPENVEX.as_bytes()).unwrap();
    assert_eq!(
        vex.problems,
        [
            "statement 4, on CVE-2026-4, says not affected without a reason: not used; give a justification \
             (component_not_present, vulnerable_code_not_present, vulnerable_code_not_in_execute_path, \
             vulnerable_code_cannot_be_controlled_by_adversary, inline_mitigations_already_exist) or an impact_statement",
            "statement 5, on CVE-2026-5, names no product by a package URL: not used",
            r#"statement 6, on CVE-2026-6, has the status "well", which OpenVEX has not: not used"#,
        ]
    );
    assert!(matches!(read(b"{}"), Err(NotVex::Unknown)));
    assert!(matches!(read(b"{"), Err(NotVex::Json(_))));
    assert!(matches!(read(b"{\"@context\": [\"openvex\"], \"statements\": 7}"), Ok(vex) if vex.statements.is_empty()));
}

#[test]
fn the_latest_statement_counts() {
    let one = |status: &str, day: &str| {
        format!(
            r#"{{"@context": "https://openvex.dev/ns/v0.2.0", "statements": [{{"vulnerability": {{"name": "CVE-1"}},
            "products": [{{"@id": "pkg:npm/a"}}], "status": "{status}", "timestamp": "2026-01-{day}T00:00:00Z"}}]}}"#
        )
    };
    let (early, late) = (one("affected", "01"), one("fixed", "02"));
    for documents in [[&early, &late], [&late, &early]] {
        let mut statements = Statements::default();
        documents.into_iter().for_each(|text| statements.add("x", read(text.as_bytes()).unwrap()));
        assert_eq!(statements.idle(), 2);
        let said = statements.of(["CVE-1"].into_iter(), "pkg:npm/a@1", None).unwrap();
        assert_eq!(said.statement.status, Status::Fixed);
        assert_eq!(statements.idle(), 0);
    }
}

#[test]
fn of_one_document_at_one_instant_what_does_not_rule_out_counts() {
    let fixed_then = |status: &str, second: &str| {
        let one = |status: &str, day: &str| {
            format!(
                r#"{{"vulnerability": "CVE-1", "products": ["pkg:npm/a"], "status": "{status}", "timestamp": "2026-01-{day}T00:00:00Z"}}"#
            )
        };
        let (fixed, other) = (one("fixed", "02"), one(status, second));
        [[&fixed, &other], [&other, &fixed]]
            .map(|[one, two]| format!(r#"{{"@context": "openvex", "statements": [{one}, {two}]}}"#))
    };
    for (status, day, want) in [
        ("affected", "02", Status::Affected),
        ("under_investigation", "02", Status::UnderInvestigation),
        ("affected", "01", Status::Fixed), // earlier
    ] {
        for text in fixed_then(status, day) {
            check(&text, &["CVE-1"], "pkg:npm/a@1", None, Some(want));
        }
    }
    // Another document: the later given counts.
    let fixed = r#"{"@context": "openvex", "statements": [{"vulnerability": "CVE-1", "products": ["pkg:npm/a"], "status": "fixed"}]}"#;
    let affected = fixed.replace("fixed", "affected");
    let mut statements = Statements::default();
    statements.add("theirs", read(affected.as_bytes()).unwrap());
    statements.add("ours", read(fixed.as_bytes()).unwrap());
    let said = statements.of(["CVE-1"].into_iter(), "pkg:npm/a@1", None).unwrap();
    assert_eq!((said.document, said.statement.status), ("ours", Status::Fixed));
}

#[test]
fn a_qualifier_that_is_given_must_be_there() {
    let with = |product: &str| {
        format!(
            r#"{{"@context": "openvex", "statements": [{{"vulnerability": "CVE-1", "products": ["{product}"], "status": "fixed"}}]}}"#
        )
    };
    let debian = "pkg:deb/debian/curl@8.0?arch=amd64&distro=debian-12";
    check(&with("pkg:deb/debian/curl?distro=debian-12"), &["CVE-1"], debian, None, Some(Status::Fixed));
    check(&with("pkg:deb/debian/curl?distro=debian-11"), &["CVE-1"], debian, None, None);
    check(&with("pkg:npm/@s/a@1"), &["CVE-1"], "pkg:npm/%40s/a@1", None, Some(Status::Fixed)); // written as people do
}
