//! What each product status of CSAF says, and that none is passed over in silence.

use super::*;

fn document(tracking: &str, product_status: &str) -> String {
    let product = |id: &str| {
        format!(r#"{{"product_id": "{id}", "product_identification_helper": {{"purl": "pkg:npm/{id}@1.0.0"}}}}"#)
    };
    format!(
        r#"{{"document": {{"category": "csaf_vex", "csaf_version": "2.0", "tracking": {{"status": "{tracking}"}}}},
        "product_tree": {{"full_product_names": [{}, {}, {{"product_id": "bare"}}]}},
        "vulnerabilities": [{{"cve": "CVE-1", "product_status": {product_status},
        "flags": [{{"label": "component_not_present", "product_ids": ["a", "b"]}}]}}]}}"#,
        product("a"),
        product("b")
    )
}

/// What is said of `pkg:npm/a@1.0.0`, and the problems.
#[track_caller]
fn check(text: &str, want: Option<Status>, problems: &[&str]) {
    assert_eq!(read(text.as_bytes()).unwrap().problems, problems, "{text}");
    super::check(text, &["CVE-1"], "pkg:npm/a@1.0.0", None, want);
}

#[test]
fn every_product_status_is_read_or_said() {
    for (field, want) in [
        ("first_affected", Status::Affected),
        ("known_affected", Status::Affected),
        ("last_affected", Status::Affected),
        ("first_fixed", Status::Fixed),
        ("fixed", Status::Fixed),
        ("known_not_affected", Status::NotAffected),
        ("under_investigation", Status::UnderInvestigation),
    ] {
        let text = document("final", &format!(r#"{{"{field}": ["a"]}}"#));
        check(&text, Some(want), &[]);
        assert_eq!(read(text.as_bytes()).unwrap().statements.len(), 1);
    }
    check(
        &document("final", r#"{"recommended": ["a", "b"]}"#),
        None,
        &[
            r#"vulnerability 1, on CVE-1, product "a" and 1 more: is recommended, which does not say whether it is affected: not used, give its status too"#,
        ],
    );
    check(&document("final", r#"{"recommended": ["a"], "fixed": ["a"]}"#), Some(Status::Fixed), &[]);
    check(
        &document("final", r#"{"unknown": ["a"]}"#),
        None,
        &[r#"vulnerability 1, on CVE-1, product "a": has the status "unknown", which CSAF 2.0 has not: not used"#],
    );
    check(
        &document("final", r#"{"fixed": ["bare", "nowhere", "a"]}"#),
        Some(Status::Fixed),
        &[r#"vulnerability 1, on CVE-1, product "bare" and 1 more: has no package URL: not used"#],
    );
    check(&document("final", r#"{"first_fixed": ["a"], "fixed": ["a"]}"#), Some(Status::Fixed), &[]); // one group
}

#[test]
fn what_contradicts_itself_rules_nothing_out() {
    for (product_status, fields, want) in [
        (r#"{"known_affected": ["a"], "fixed": ["a"]}"#, "fixed and known_affected", Some(Status::Affected)),
        (
            r#"{"under_investigation": ["a"], "fixed": ["a"]}"#,
            "fixed and under_investigation",
            Some(Status::UnderInvestigation),
        ),
        (r#"{"known_not_affected": ["a"], "fixed": ["a"]}"#, "fixed and known_not_affected", None),
    ] {
        let problem = format!(r#"vulnerability 1, on CVE-1, product "a": is both {fields}: not ruled out"#);
        check(&document("final", product_status), want, &[&problem]);
    }
}

#[test]
fn two_products_with_one_package_that_contradict_each_other_rule_nothing_out() {
    let part = |id: &str, whole: &str| {
        format!(
            r#"{{"product_reference": "a", "relates_to_product_reference": "{whole}", "full_product_name": {{"product_id": "{id}"}}}}"#
        )
    };
    for (good, bad) in [("first", "second"), ("second", "first")] {
        for (field, want) in [("known_affected", Status::Affected), ("under_investigation", Status::UnderInvestigation)]
        {
            let text = document("final", &format!(r#"{{"fixed": ["{good}"], "{field}": ["{bad}"]}}"#)).replace(
                r#""product_tree": {"#,
                &format!(r#""product_tree": {{"relationships": [{}, {}],"#, part(good, "shop 1"), part(bad, "shop 2")),
            );
            check(&text, Some(want), &[]);
            super::check(&text, &["CVE-1"], "pkg:npm/a@1.0.0", Some("shop 1"), Some(Status::Fixed));
            super::check(&text, &["CVE-1"], "pkg:npm/a@1.0.0", Some("shop 2"), Some(want));
        }
    }
}

#[test]
fn a_draft_is_read_and_said() {
    let text = document("draft", r#"{"fixed": ["a"]}"#);
    check(&text, Some(Status::Fixed), &["the document is a draft, what it says may change: used all the same"]);
    check(&document("interim", r#"{"fixed": ["a"]}"#), Some(Status::Fixed), &[]);
}
