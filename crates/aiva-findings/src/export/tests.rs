//! The document's order, counts and round trip, and what the other forms look like.

use aiva_contracts::api::{
    AdvisoryState, DocumentAdvisories, DocumentCanResolve, DocumentInput, DocumentPaths, DocumentPossible,
    DocumentProblem, DocumentStatement, ExceptionMatch, FindingKind, Guard, InputStatus, Level, Origin, PackageScope,
    Severity, StatementStatus,
};
use aiva_contracts::bounds::Check;
use jiff::Timestamp;
use jiff::civil::date;

use super::{Results, Standing, Tool, document, sarif};
use crate::exception::{Exception, Judge, Rule};
use crate::observation::{Context, Observation};

mod draft;
mod valid;
mod words;

const TOOL: Tool<'_> = Tool { version: "0.1.0", at: Timestamp::UNIX_EPOCH };

fn seen(id: &str, name: &str, level: Level, score: Option<f64>) -> Observation {
    Observation {
        id: id.into(),
        aliases: vec![format!("GHSA-{id}")],
        kind: FindingKind::Vulnerability,
        purl: format!("pkg:npm/{name}@1.0.0"),
        name: name.into(),
        version: "1.0.0".into(),
        ecosystem: "npm".into(),
        path: "web app/package-lock.json".into(),
        line: 7,
        severity: Severity { level, score, vector: None },
        fixed_versions: vec!["1.0.1".into()],
        last_affected: None,
        summary: "does harm".into(),
        description: "It does harm.\n\nUpdate.".into(),
        references: vec!["https://example.com/a".into()],
        symbols: vec![],
        more_symbols: 0,
        reason: String::new(),
        context: Context::default(),
    }
}

fn results() -> Results {
    let input = |path: &str, status, problems| DocumentInput {
        path: path.into(),
        kind: "package-lock.json".into(),
        status,
        packages: 3,
        not_judged: vec![],
        can_resolve: vec![],
        problems,
    };
    Results {
        guard: Guard::Sca,
        service: "shop".into(),
        advisories: DocumentAdvisories { state: AdvisoryState::Current, ecosystems: vec![] },
        inputs: vec![
            input("z.json", InputStatus::Failed, vec![DocumentProblem { line: 2, message: "not JSON".into() }]),
            input("web app/package-lock.json", InputStatus::Parsed, vec![]),
        ],
        ignored: 1,
        packages: None,
        findings: vec![
            seen("CVE-1", "c", Level::Medium, None),
            seen("CVE-2", "b", Level::High, Some(7.1)),
            seen("CVE-3", "a", Level::High, Some(8.9)),
            seen("CVE-4", "left-pad", Level::Critical, Some(9.8)),
        ],
    }
}

fn judge() -> Judge {
    let exception = |id: &str, package: &str| Exception {
        id: id.into(),
        origin: Origin::File,
        guard: Guard::Sca,
        rule: Rule::new(ExceptionMatch { package: Some(package.into()), ..ExceptionMatch::default() }).unwrap(),
        owner: "ana@example.com".into(),
        reason: "build-time only".into(),
        expires: date(2027, 1, 31),
    };
    Judge::new([exception("file-1", "left-pad"), exception("file-2", "gone")], date(2026, 11, 21))
}

#[test]
fn the_worst_come_first_and_the_accepted_last() {
    let document = document(results(), &mut judge());
    let order: Vec<&str> = document.findings.iter().map(|f| f.id.as_str()).collect();
    assert_eq!(order, ["CVE-3", "CVE-2", "CVE-1", "CVE-4"]);
    assert_eq!((document.summary.findings.high, document.summary.findings.critical), (2, 0));
    assert_eq!((document.summary.accepted, document.summary.packages), (1, 6));
    assert_eq!((document.summary.inputs.failed, document.summary.inputs.ignored), (1, 1));
    assert_eq!(document.summary.exceptions[0].package.as_deref(), Some("gone")); // it covers nothing: said
    assert_eq!(document.violations(), []);
}

/// A manifest whose range allows affected and other versions.
fn with_a_range() -> Results {
    let advisory = DocumentPossible {
        id: "CVE-9".into(),
        aliases: vec!["GHSA-9".into()],
        kind: FindingKind::Vulnerability,
        severity: Level::High,
        summary: "does <b>harm</b>".into(),
        known: None,
    };
    let entry = DocumentCanResolve {
        ecosystem: "npm".into(),
        name: "left-pad".into(),
        requirement: "^1.2".into(),
        line: 4,
        scope: PackageScope::Runtime,
        safe_from: Some("1.3.0".into()),
        safe_after: None,
        never_safe: None,
        advisories: vec![advisory],
    };
    let mut results = results();
    results.findings.clear();
    results.inputs[1].can_resolve.push(entry);
    results.inputs.remove(0);
    results
}

#[test]
fn what_is_written_can_be_read_back() {
    let document = document(results(), &mut judge());
    let text = serde_json::to_string(&document).unwrap();
    assert_eq!(serde_json::from_str::<super::Document>(&text).unwrap(), document);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], "aiva.scan/1");
    assert!(value.get("packages").is_none()); // only when asked for
    assert!(value["findings"][2]["severity"]["score"].is_null()); // said to be unknown, not left out
}

#[test]
fn a_hostile_finding_is_cut_to_the_contract() {
    let mut results = results();
    let bad = &mut results.findings[0];
    bad.summary = "a\0b\nc".repeat(1000);
    bad.description = "\0é".repeat(200_000);
    bad.aliases = vec!["x".repeat(500); 500];
    bad.severity.score = Some(f64::NAN);
    let document = document(results, &mut judge());
    assert_eq!(document.violations(), []);
}

#[test]
fn sarif_says_what_was_accepted_and_what_was_not_read() {
    let log = sarif(&document(results(), &mut judge()), TOOL);
    insta::assert_snapshot!(serde_json::to_string_pretty(&log).unwrap());
}

#[test]
fn a_statement_takes_a_finding_out_and_a_baseline_keeps_it_in() {
    let mut results = results();
    let said = |status| {
        Some(DocumentStatement {
            status,
            justification: Some("vulnerable_code_not_present".into()),
            detail: None,
            author: Some("ana".into()),
            document: "vex.json".into(),
        })
    };
    results.findings[0].context.statement = said(StatementStatus::NotAffected);
    results.findings[1].context.statement = said(StatementStatus::UnderInvestigation);
    results.findings[1].context.known = Some(true);
    results.findings[2].context.known = Some(false);
    let document = document(results, &mut judge());
    let standings: Vec<(&str, Standing)> =
        document.findings.iter().map(|finding| (finding.id.as_str(), super::standing(finding))).collect();
    assert_eq!(
        standings,
        [
            ("CVE-3", Standing::Open),
            ("CVE-2", Standing::Known),
            ("CVE-1", Standing::Suppressed),
            ("CVE-4", Standing::Accepted)
        ]
    );
    assert_eq!(
        (document.summary.suppressed, document.summary.known, document.summary.findings.high),
        (Some(1), Some(1), 2)
    );
    assert_eq!(document.violations(), []);
    let log = sarif(&document, TOOL);
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results[1]["baselineState"], "unchanged");
    assert_eq!(
        results[2]["suppressions"][0]["justification"],
        "not affected: vulnerable_code_not_present (ana, vex.json)"
    );
}

#[test]
fn the_forms_for_people_and_build_servers_look_like_this() {
    let mut results = results();
    results.findings[2].reason = "1.0.0 is in >= 0.1.0, < 1.0.1 (GHSA-CVE-3)".into();
    results.findings[2].context.paths =
        Some(DocumentPaths { shortest: vec![vec!["b 2.0.0".into(), "a 1.0.0".into()]], count: 1 });
    let document = document(results, &mut judge());
    insta::assert_snapshot!("junit", super::junit(&document));
    insta::assert_snapshot!("markdown", super::markdown(&document));
    insta::assert_snapshot!("annotations", super::annotations(&document));
    insta::assert_snapshot!("gitlab", serde_json::to_string_pretty(&super::gitlab(&document, TOOL)).unwrap());
}
