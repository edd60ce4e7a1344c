//! Not affected needs a reason that the format knows.

use super::*;

const PURL: &str = "pkg:npm/a@1.0.0";

fn openvex(fields: &str) -> String {
    format!(
        r#"{{"@context": "https://openvex.dev/ns/v0.2.0", "statements": [{{"vulnerability": {{"name": "CVE-1"}},
        "products": [{{"@id": "{PURL}"}}], "status": "not_affected"{fields}}}]}}"#
    )
}

fn cyclonedx(state: &str, fields: &str) -> String {
    format!(
        r#"{{"bomFormat": "CycloneDX", "specVersion": "1.6", "vulnerabilities": [{{"id": "CVE-1",
        "affects": [{{"ref": "{PURL}"}}], "analysis": {{"state": "{state}"{fields}}}}}]}}"#
    )
}

fn csaf(fields: &str) -> String {
    format!(
        r#"{{"document": {{"category": "csaf_vex", "csaf_version": "2.0"}}, "product_tree": {{"full_product_names":
        [{{"product_id": "P1", "product_identification_helper": {{"purl": "{PURL}"}}}}]}},
        "vulnerabilities": [{{"cve": "CVE-1", "product_status": {{"known_not_affected": ["P1"]}}{fields}}}]}}"#
    )
}

/// Whether the statement is used and with which word, and what is said of it: a part of each problem.
#[track_caller]
fn check(text: &str, want: Option<Option<&str>>, problems: &[&str]) {
    let vex = read(text.as_bytes()).unwrap();
    let used = vex.statements.first().map(|statement| statement.justification.as_deref());
    assert_eq!(used, want, "{text}: {:?}", vex.problems);
    assert_eq!(vex.problems.len(), problems.len(), "{text}: {:?}", vex.problems);
    for (problem, part) in vex.problems.iter().zip(problems) {
        assert!(problem.contains(part), "{text}: {problem}");
    }
}

#[test]
fn only_a_word_of_the_format_is_a_reason() {
    const FIVE: [&str; 5] = [
        "component_not_present",
        "vulnerable_code_not_present",
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_cannot_be_controlled_by_adversary",
        "inline_mitigations_already_exist",
    ];
    const NINE: [&str; 9] = [
        "code_not_present",
        "code_not_reachable",
        "requires_configuration",
        "requires_dependency",
        "requires_environment",
        "protected_by_compiler",
        "protected_at_runtime",
        "protected_at_perimeter",
        "protected_by_mitigating_control",
    ];
    let justified = |word: &str| openvex(&format!(r#", "justification": "{word}""#));
    let analysed = |word: &str| cyclonedx("not_affected", &format!(r#", "justification": "{word}""#));
    let flagged = |word: &str| csaf(&format!(r#", "flags": [{{"label": "{word}", "product_ids": ["P1"]}}]"#));
    for word in FIVE {
        check(&justified(word), Some(Some(word)), &[]);
        check(&flagged(word), Some(Some(word)), &[]);
        check(&analysed(word), None, &["is none of code_not_present, code_not_reachable,"]); // the words of another format
    }
    for word in NINE {
        check(&analysed(word), Some(Some(word)), &[]);
        check(&justified(word), None, &["is none of component_not_present, vulnerable_code_not_present,"]);
    }
    let all = FIVE.join(", ");
    for (text, want) in [
        (
            justified("because_i_said_so"),
            format!(
                r#"statement 1, on CVE-1, has the justification "because_i_said_so", which is none of {all}, and not an impact_statement: not used"#
            ),
        ),
        (
            flagged("because_i_said_so"),
            format!(
                r#"vulnerability 1, on CVE-1, product "P1": has the flag "because_i_said_so", which is none of {all}, and not a threat of category impact: not used"#
            ),
        ),
        (
            analysed("because_i_said_so"),
            format!(
                r#"vulnerability 1, on CVE-1, has the justification "because_i_said_so", which is none of {}, and not a detail: not used"#,
                NINE.join(", ")
            ),
        ),
    ] {
        check(&text, None, &[&want]);
    }
    check(&justified("Component_Not_Present"), None, &["is none of"]);
}

#[test]
fn prose_is_a_reason_where_the_format_says_so() {
    check(&openvex(r#", "impact_statement": "never called""#), Some(None), &[]);
    check(&openvex(r#", "status_notes": "never called""#), None, &["without a reason"]); // OpenVEX asks for the other field
    check(&openvex(r#", "impact_statement": " ""#), None, &["without a reason"]);
    check(
        &openvex(r#", "justification": "mine", "impact_statement": "never called""#),
        Some(None),
        &[r#"has the justification "mine""#],
    );
    check(&cyclonedx("not_affected", r#", "detail": "never called""#), Some(None), &[]);
    check(&cyclonedx("not_affected", ""), None, &["without a reason"]);
    check(&cyclonedx("not_affected", r#", "response": ["will_not_fix"]"#), None, &["without a reason"]);
    check(&cyclonedx("false_positive", ""), Some(Some("false_positive")), &[]);
    check(&cyclonedx("false_positive", r#", "justification": "mine""#), Some(Some("false_positive")), &["passed over"]);
    check(&cyclonedx("well", ""), None, &[r#"has the state "well""#]);
    check(&csaf(""), None, &["without a reason"]);
    let impact = |category: &str| {
        format!(r#", "threats": [{{"category": "{category}", "details": "never called", "product_ids": ["P1"]}}]"#)
    };
    check(&csaf(&impact("impact")), Some(None), &[]);
    check(&csaf(&impact("exploit_status")), None, &["without a reason"]); // says how it is exploited
    let two = r#", "flags": [{"label": "mine", "product_ids": ["P1"]},
        {"label": "component_not_present", "product_ids": ["P1"]}]"#;
    check(&csaf(two), Some(Some("component_not_present")), &[]);
    check(&csaf(r#", "flags": [{"label": "component_not_present", "product_ids": ["P2"]}]"#), None, &["without"]);
}
