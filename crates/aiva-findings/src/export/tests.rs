//! The document's order, counts and round trip, and what SARIF makes of it.

use aiva_contracts::api::{
    AdvisoryState, DocumentAdvisories, DocumentInput, DocumentProblem, ExceptionMatch, FindingKind, Guard, InputStatus,
    Level, Origin, Severity,
};
use aiva_contracts::bounds::Check;
use jiff::civil::date;

use super::{Results, Tool, document, sarif};
use crate::exception::{Exception, Judge, Rule};
use crate::observation::Observation;

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
        summary: "does harm".into(),
        description: "It does harm.\n\nUpdate.".into(),
        references: vec!["https://example.com/a".into()],
        reason: String::new(),
    }
}

fn results() -> Results {
    let input = |path: &str, status, problems| DocumentInput {
        path: path.into(),
        kind: "package-lock.json".into(),
        status,
        packages: 3,
        not_judged: vec![],
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
    let log = sarif(&document(results(), &mut judge()), Tool { version: "0.1.0" });
    insta::assert_snapshot!(serde_json::to_string_pretty(&log).unwrap());
}
