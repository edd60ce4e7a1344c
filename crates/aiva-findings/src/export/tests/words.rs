//! What is known of a finding is told in every form.

use aiva_contracts::api::{DocumentEcosystem, DocumentNotJudged, FindingKind, InputStatus, Level};
use aiva_contracts::bounds::Check;
use jiff::Timestamp;

use super::super::{Clean, clean, document, sarif};
use super::{TOOL, judge, results, seen, with_a_range};

#[test]
fn what_a_range_can_resolve_to_is_told_in_every_form() {
    let document = document(with_a_range(), &mut judge());
    assert_eq!(document.summary.can_resolve, Some(1));
    assert_eq!(document.violations(), []);
    let said = "it can resolve to a version with CVE-9 (high); from 1.3.0 on it cannot";
    let markdown = super::super::markdown(&document);
    assert!(markdown.starts_with("# AIVA scan\n\nNo known vulnerability in what is pinned. "), "{markdown}");
    assert!(markdown.contains(said), "{markdown}");
    let page = super::super::html(&document, "shop", TOOL);
    for part in ["<code>^1.2</code>", "CVE-9 (high)", "1.3.0", "No known vulnerability in what is pinned"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<b>harm"), "{page}");
    assert!(super::super::junit(&document).contains(&format!("<skipped message=\"line 4: {said}\"/>")));
    let notice = "::notice file=web app/package-lock.json,line=4,title=left-pad ^1.2%3A can resolve";
    assert!(super::super::annotations(&document).contains(notice), "{}", super::super::annotations(&document));
    let gitlab = super::super::gitlab(&document, TOOL);
    let messages = gitlab["scan"]["messages"].as_array().unwrap();
    let told = format!("web app/package-lock.json:4: left-pad ^1.2: {said}");
    assert!(messages.iter().any(|one| one["level"] == "info" && one["value"] == *told), "{messages:#?}");
    let sarif = sarif(&document, TOOL);
    let result = &sarif["runs"][0]["results"][0];
    // A result that is not `fail` has the level `none` (SARIF 2.1.0 §3.27.10).
    assert_eq!((result["kind"].as_str(), result["level"].as_str()), (Some("review"), Some("none")));
    assert_eq!(result["ruleId"], "CVE-9");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 4);
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][0]["id"], "CVE-9");
}

#[test]
fn functions_are_named_on_one_short_line() {
    for (names, more, want) in [
        (vec![], 0, None),
        (vec!["smallvec::SmallVec::grow"], 0, Some("functions: smallvec::SmallVec::grow")),
        (vec!["golang.org/x/crypto/ssh.Dial", "m.A"], 1, Some("functions: ssh.Dial, m.A and 1 more")),
        // The last part of these paths is a version, not what code calls the package.
        (vec!["example.org/left/v2.Pad", "v2.Pad", "a/vx.Pad"], 0, Some("functions: left.Pad, v2.Pad, vx.Pad")),
        (vec!["a", "b", "c", "d", "e", "f", "g"], 12, Some("functions: a, b, c, d, e and 14 more")),
    ] {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        assert_eq!(super::super::spoken_symbols(&names, more).as_deref(), want, "{names:?}");
    }
}

#[test]
fn functions_are_named_in_every_form() {
    let mut named = results();
    named.findings.truncate(1);
    named.findings[0].symbols = vec!["example.org/left.Pad".into()];
    named.findings[0].more_symbols = 2;
    let document = document(named, &mut judge());
    assert_eq!(document.violations(), []);
    for (form, text, said) in [
        ("sarif", sarif(&document, TOOL).to_string(), r"\nfunctions: left.Pad and 2 more"),
        ("sarif's help", sarif(&document, TOOL).to_string(), r"Update.\n\nc, functions: left.Pad and 2 more"),
        ("gitlab", super::super::gitlab(&document, TOOL).to_string(), r"\n\nFunctions: left.Pad and 2 more"),
        ("junit", super::super::junit(&document), "&#10;functions: left.Pad and 2 more&#10;"),
        ("github", super::super::annotations(&document), "%0Afunctions: left.Pad and 2 more"),
        ("markdown", super::super::markdown(&document), "<br>functions: left.Pad and 2 more"),
        ("html", super::super::html(&document, "shop", TOOL), "<code>example.org/left.Pad</code> and 2 more"),
        ("json", serde_json::to_string(&document).unwrap(), r#""symbols":["example.org/left.Pad"],"more_symbols":2"#),
    ] {
        assert!(text.contains(said), "{form}: {text}");
    }
    let none = super::super::html(&super::super::document(results(), &mut judge()), "shop", TOOL);
    assert!(!none.contains("Functions"));
}

#[test]
fn functions_beyond_the_contract_are_counted() {
    let mut one = seen("CVE-1", "c", Level::High, None);
    one.symbols = (0..130).map(|at| format!("f{at}")).collect();
    one.more_symbols = 5;
    let bounded = one.bounded();
    assert_eq!((bounded.symbols.len(), bounded.more_symbols), (100, 35));
}

#[test]
fn what_is_later_than_the_last_affected_is_said_to_be_free_of_it() {
    let mut pinned = results();
    pinned.findings.truncate(1);
    pinned.findings[0].fixed_versions.clear();
    pinned.findings[0].last_affected = Some("1.1.0".into());
    let mut open = with_a_range();
    open.inputs[0].can_resolve[0].safe_from = None;
    open.inputs[0].can_resolve[0].safe_after = Some("1.1.0".into());
    for (results, said) in [(pinned, "later than 1.1.0 is not affected"), (open, "later than 1.1.0 it cannot")] {
        let document = document(results, &mut judge());
        assert_eq!(document.violations(), []);
        for (form, text) in [
            ("sarif", sarif(&document, TOOL).to_string()),
            ("gitlab", super::super::gitlab(&document, TOOL).to_string()),
            ("junit", super::super::junit(&document)),
            ("github", super::super::annotations(&document)),
            ("markdown", super::super::markdown(&document)),
        ] {
            assert!(text.contains(said), "{form}: {text}");
        }
        assert!(super::super::html(&document, "shop", TOOL).contains("later than 1.1.0"));
    }
}

#[test]
fn nobody_looks_for_a_version_that_mends_a_licence() {
    for (kind, said) in [
        (FindingKind::License, "(no matter of versions)"),
        (FindingKind::SupplyChain, "(no matter of versions)"),
        (FindingKind::Unmaintained, "(no fixed version is known)"),
    ] {
        let mut results = results();
        results.findings.truncate(1);
        results.findings[0].fixed_versions.clear();
        results.findings[0].kind = kind;
        let written = super::super::annotations(&document(results, &mut judge()));
        assert!(written.contains(said), "{written}");
    }
}

#[test]
fn gitlab_tells_what_the_baseline_has() {
    let mut results = results();
    for (finding, known) in results.findings.iter_mut().zip([true, false, true, false]) {
        finding.context.known = Some(known);
    }
    let report = super::super::gitlab(&document(results, &mut judge()), TOOL);
    let said = |at: usize| report["vulnerabilities"][at]["details"]["baseline"]["value"].as_str().unwrap().to_owned();
    let order: Vec<String> = (0..3).map(said).collect();
    assert_eq!(order, ["new since the baseline", "known from the baseline", "known from the baseline"]);
    assert_eq!(report["scan"]["messages"][0]["value"], "2 of 3 vulnerabilities are known from the baseline");
}

#[test]
fn packages_of_an_ecosystem_without_advisories_are_not_called_clean() {
    let entry = |ecosystem: &str| DocumentNotJudged {
        ecosystem: ecosystem.into(),
        name: "g:a".into(),
        requirement: "1.0".into(),
        line: 1,
        reason: "why".into(),
        registry: None,
    };
    // Three packages in each file.
    for (here, there, want) in [
        (vec!["Maven"; 3], vec!["Maven"; 3], Clean::Unjudged),
        (vec!["Maven"; 3], vec!["Maven"; 2], Clean::InPart),
        (vec!["Maven"; 9], vec![], Clean::InPart), // what has no pin is no package
        (vec!["npm"; 3], vec!["npm"; 3], Clean::InPart),
        (vec![], vec![], Clean::Whole),
    ] {
        let mut results = results();
        results.findings.clear();
        results.advisories.ecosystems =
            vec![DocumentEcosystem { name: "npm".into(), records: 1, imported_at: Timestamp::UNIX_EPOCH }];
        results.inputs[0].status = InputStatus::Parsed;
        results.inputs[0].problems.clear();
        for (input, entries) in results.inputs.iter_mut().zip([here, there]) {
            input.not_judged = entries.into_iter().map(entry).collect();
        }
        let document = document(results, &mut judge());
        assert_eq!(clean(&document), want, "{:?}", document.inputs);
        assert!(super::super::markdown(&document).contains(want.words()));
    }
}

#[test]
fn what_is_informational_fails_no_test_and_wants_no_action() {
    let mut known = results();
    known.findings = vec![seen("N-1", "pad", Level::Informational, None)];
    known.inputs.truncate(1);
    let report = document(known.clone(), &mut judge());
    let junit = super::super::junit(&report);
    assert!(junit.contains("<skipped message=\"informational: does harm\"/>"), "{junit}");
    assert!(!junit.contains("<failure"), "{junit}");
    assert!(super::super::html(&report, "shop", TOOL).contains("1 finding, informational"));
    known.findings.push(seen("N-2", "pad", Level::Low, None));
    let report = document(known, &mut judge());
    assert_eq!(super::super::junit(&report).matches("<failure").count(), 1);
    assert!(super::super::html(&report, "shop", TOOL).contains("1 finding wants action"));
}
