//! Which versions a CycloneDX analysis speaks of.

use super::*;

fn bill(state: &str, versions: &str) -> String {
    format!(
        r#"{{"bomFormat": "CycloneDX", "specVersion": "1.6", "vulnerabilities": [{{"id": "CVE-1",
        "affects": [{{"ref": "pkg:npm/a", "versions": {versions}}}],
        "analysis": {{"state": "{state}", "detail": "said"}}}}]}}"#
    )
}

/// The versions of `a` that the analysis speaks of, and the problems.
#[track_caller]
fn check(state: &str, versions: &str, want: &[&str], problems: &[&str]) {
    let text = bill(state, versions);
    assert_eq!(read(text.as_bytes()).unwrap().problems, problems, "{text}");
    for version in ["0.9.0", "1.0.0", "1.5.0", "2.0.0", "3.0.0"] {
        let mut statements = statements(&text);
        let said = statements.of(["CVE-1"].into_iter(), &format!("pkg:npm/a@{version}"), None).is_some();
        assert_eq!(said, want.contains(&version), "{version} of {text}");
    }
}

#[test]
fn versions_and_ranges_say_what_is_meant() {
    let range = r#"[{"range": "vers:npm/>=1.0.0|<2.0.0", "status": "unaffected"}]"#;
    for state in ["not_affected", "false_positive", "resolved", "resolved_with_pedigree"] {
        check(state, range, &["1.0.0", "1.5.0"], &[]);
        check(
            state,
            r#"[{"range": "vers:npm/>=1.0.0|<2.0.0"}, {"version": "3.0.0"}]"#,
            &["1.0.0", "1.5.0", "3.0.0"],
            &[],
        );
        // What is said to be affected is never ruled out, also within a range that is not.
        check(
            state,
            r#"[{"range": "vers:npm/*", "status": "unaffected"}, {"version": "1.5.0", "status": "affected"},
                {"range": "vers:npm/<1.0.0", "status": "unknown"}]"#,
            &["1.0.0", "2.0.0", "3.0.0"],
            &[],
        );
        check(
            state,
            r#"[{"version": "1.0.0", "status": "affected"}]"#,
            &[],
            &[&format!(
                r#"vulnerability 1, on CVE-1, has the state {state}, but gives "1.0.0" the status affected: not ruled out"#
            )],
        );
    }
    for state in ["exploitable", "in_triage"] {
        check(state, r#"[{"range": "vers:npm/<1.5.0", "status": "affected"}]"#, &["0.9.0", "1.0.0"], &[]);
        check(state, r#"[{"version": "1.0.0", "status": "unknown"}]"#, &["1.0.0"], &[]);
        check(
            state,
            r#"[{"version": "1.0.0", "status": "affected"}, {"version": "2.0.0", "status": "unaffected"}]"#,
            &["1.0.0"],
            &[&format!(
                r#"vulnerability 1, on CVE-1, has the state {state}, which is no reason why "2.0.0" is unaffected: not ruled out; give those versions an analysis of their own"#
            )],
        );
    }
    check("not_affected", "[]", &["0.9.0", "1.0.0", "1.5.0", "2.0.0", "3.0.0"], &[]);
}

#[test]
fn what_cannot_be_read_rules_nothing_out() {
    let of = |versions: &str, rest: &str| {
        format!(r#"vulnerability 1, on CVE-1, is about the versions "{versions}", and {rest}: not used for them"#)
    };
    let unknown = of("vers:generic/*", r#"the order of versions of the scheme "generic" is not known"#);
    check("not_affected", r#"[{"range": "vers:generic/*", "status": "unaffected"}]"#, &[], &[&unknown]);
    check(
        "not_affected",
        r#"[{"range": "vers:generic/*"}, {"version": "1.0.0", "status": "unaffected"}]"#,
        &["1.0.0"],
        &[&unknown],
    );
    // Some version of these is affected, and nobody can tell which.
    check(
        "not_affected",
        r#"[{"range": "vers:npm/*", "status": "unaffected"}, {"range": "vers:generic/*", "status": "affected"}]"#,
        &[],
        &[&unknown],
    );
    for status in ["affected", "unknown"] {
        check(
            "not_affected",
            &format!(r#"[{{"range": "vers:npm/*"}}, {{"status": "{status}"}}]"#),
            &[],
            &[&format!(
                r#"vulnerability 1, on CVE-1, gives the status "{status}" to neither a version nor a range of versions, so it may be any: not ruled out"#
            )],
        );
    }
    let both = r#"{"version": "1.0.0", "range": "vers:npm/<2.0.0", "status""#;
    for status in ["affected", "unaffected"] {
        check(
            "not_affected",
            &format!(r#"[{{"range": "vers:npm/*"}}, {both}: "{status}"}}]"#),
            &[],
            &[
                r#"vulnerability 1, on CVE-1, gives both the version "1.0.0" and the range "vers:npm/<2.0.0", where CycloneDX has one of them: not ruled out"#,
            ],
        );
    }
    check("exploitable", &format!(r#"[{both}: "affected"}}]"#), &["1.0.0"], &[]);
    let other = of("vers:pypi/<2", r#"its scheme is "pypi", and the package is one of "npm""#);
    check("resolved", r#"[{"range": "vers:pypi/<2"}]"#, &[], &[&other]);
    check(
        "resolved",
        r#"[{"version": "1.0.0", "status": "well"}, {"status": "unaffected"}]"#,
        &[],
        &[
            r#"vulnerability 1, on CVE-1, gives "1.0.0" the status "well", which CycloneDX has not: not used for that"#,
            "vulnerability 1, on CVE-1, lists neither a version nor a range of versions: not used for that",
        ],
    );
}

#[test]
fn an_epoch_counts_in_a_range() {
    let text = bill("not_affected", r#"[{"range": "vers:rpm/>=1:2.0-1"}]"#).replace("pkg:npm/a", "pkg:rpm/redhat/a");
    super::check(&text, &["CVE-1"], "pkg:rpm/redhat/a@3.0-1?epoch=1", None, Some(Status::NotAffected));
    super::check(&text, &["CVE-1"], "pkg:rpm/redhat/a@3.0-1", None, None);
}

#[test]
fn a_version_is_compared_by_the_order_of_its_ecosystem() {
    for (package, affected, at, is_affected) in [
        ("pkg:pypi/a", "2.19", "2.19.0", true),
        ("pkg:pypi/a", "2.19", "2.19.1", false),
        ("pkg:maven/g/a", "1.0", "1.0.0", true),
        ("pkg:rpm/redhat/a", "1:3.0-1", "3.0-1?epoch=1", true),
        ("pkg:rpm/redhat/a", "1:3.0-1", "3.0-1", false),
        ("pkg:rpm/redhat/a", "3.0-1", "3.0-1?epoch=1", true), // as the package URL has it
        ("pkg:generic/a", "one", "one", true),                // nobody knows the order
        ("pkg:generic/a", "1.0", "1.0.0", false),
    ] {
        let listed = at.split('?').next().unwrap();
        let versions = format!(r#"[{{"version": "{listed}"}}, {{"version": "{affected}", "status": "affected"}}]"#);
        let text = bill("not_affected", &versions);
        let text = text.replace("pkg:npm/a", package);
        let want = (!is_affected).then_some(Status::NotAffected);
        super::check(&text, &["CVE-1"], &format!("{package}@{at}"), None, want);
    }
}
