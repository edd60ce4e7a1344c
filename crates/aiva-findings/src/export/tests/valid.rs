//! Every form is valid by its schema, whatever a file has in it.

use aiva_contracts::api::{
    DocumentPaths, DocumentPriority, DocumentStatement, DocumentTerm, Level, Severity, StatementStatus,
};

use super::super::{Results, document, sarif};
use super::{TOOL, judge, results, with_a_range};
use crate::observation::Context;

/// Text that would break out of every form if it were not escaped.
const HOSTILE: &str = "\"><script>alert(1)</script> | `x` ]]> %0A::error::x\u{1b}[2J @everyone [a](javascript:x)";

fn hostile() -> super::super::Document {
    let mut results = results();
    for finding in &mut results.findings {
        finding.name = format!("{HOSTILE}{}", finding.name);
        finding.summary = HOSTILE.into();
        finding.description = HOSTILE.into();
        finding.reason = HOSTILE.into();
        finding.symbols = vec![HOSTILE.into()];
        finding.more_symbols = 3;
        finding.references = vec!["javascript:alert(1)".into(), HOSTILE.into(), "https://example.com/ok".into()];
        finding.path = format!("{HOSTILE}/package-lock.json");
        finding.context = Context {
            paths: Some(DocumentPaths { shortest: vec![vec!["app".into(), HOSTILE.into()]], count: 3 }),
            direct: Some(false),
            ..Context::default()
        };
    }
    results.inputs[1].path = format!("{HOSTILE}/package-lock.json");
    results.inputs[0].problems[0].message = HOSTILE.into();
    document(results, &mut judge())
}

/// Reads XML to its end and gives the names of its elements with their attributes' values.
fn elements(text: &str) -> Vec<(String, Vec<String>)> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(text);
    let mut seen = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => {
                let values = tag.attributes().map(|one| one.unwrap().value.into_owned());
                seen.push((tag.name().as_ref().to_owned(), values.collect()));
            }
            Event::Eof => return seen,
            _ => {}
        }
    }
}

#[test]
fn junit_counts_what_it_lists() {
    for document in [document(results(), &mut judge()), hostile()] {
        let seen = elements(&super::super::junit(&document));
        let count = |name: &str| seen.iter().filter(|(element, _)| element == name).count();
        assert_eq!(count("testcase"), 5 + count("testsuite") - 2); // a suite without findings has one that passes
        assert_eq!((count("failure") + count("skipped"), count("error")), (4, 1));
        let (_, totals) = &seen[0];
        assert_eq!(totals[1..], [count("testcase"), count("failure"), count("error")].map(|number| number.to_string()));
    }
}

/// One document of every sort: findings with all that may be said of them, ranges, files that were not read, and nothing at all.
fn documents() -> Vec<super::super::Document> {
    let mut full = results();
    full.findings[0].context.known = Some(true);
    full.findings[1].context.known = Some(false);
    full.findings[1].context.column = Some(3);
    full.findings[2].context.statement = Some(statement(StatementStatus::NotAffected));
    full.findings[2].severity = Severity { level: Level::Unknown, score: None, vector: None };
    full.findings[0].aliases = vec![String::from("Odd id with blanks and 'quotes'")];
    full.findings[0].references = vec!["ftp://x/y".into(), "http://[broken".into(), "not an address".into()];
    full.packages = Some(vec![]);
    for (finding, path) in
        full.findings.iter_mut().zip(["\u{1b}[2J/go.mod", "a\nb/go.mod", "latin\\xE9/go.mod", "ü %41/go.mod"])
    {
        finding.path = path.into();
        finding.fixed_versions.clear();
        finding.last_affected = Some("1.1.0".into());
        finding.reason = "1.0.0 is in <= 1.1.0 (CVE-1)".into();
        finding.context.priority = Some(DocumentPriority {
            score: 61.25,
            terms: vec![DocumentTerm { name: "a".into(), value: "b".into(), points: 61.25 }],
        });
    }
    full.findings[2].description = "é".repeat(5000);
    full.findings[3].summary.clear();
    full.findings[3].description.clear();
    let empty = Results { findings: vec![], inputs: vec![], ..results() };
    let all = [results(), with_a_range(), full, empty];
    all.into_iter().map(|results| document(results, &mut judge())).chain([hostile()]).collect()
}

fn statement(status: StatementStatus) -> DocumentStatement {
    DocumentStatement {
        status,
        justification: Some("vulnerable_code_not_present".into()),
        detail: None,
        author: Some("ana".into()),
        document: "vex.json".into(),
    }
}

/// `name` is for the message of a failure.
#[track_caller]
fn check_schema((name, text): (&str, &str), written: &[serde_json::Value], broken: &serde_json::Value) {
    // The pattern of a language, which we do not write, has a `]` too many: the validator does not take it.
    let text: serde_json::Value = serde_json::from_str(&text.replace("|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "")).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&text).unwrap();
    for document in written {
        let faults: Vec<String> =
            validator.iter_errors(document).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert_eq!(faults, Vec::<String>::new(), "{name}: {document:#}");
    }
    assert!(!validator.is_valid(broken), "{name} does not look");
}

#[test]
fn reports_are_valid_by_their_schemas() {
    let documents = documents();
    let logs: Vec<_> = documents.iter().map(|one| sarif(one, TOOL)).collect();
    for rule in logs.iter().flat_map(|log| log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap()) {
        // As GitHub wants it of code scanning: all three, the descriptions of at most 1,024 characters.
        for part in ["shortDescription", "fullDescription", "help"] {
            let length = rule[part]["text"].as_str().unwrap().chars().count();
            assert!(length > 0 && (length <= 1024 || part == "help"), "{part} of {}: {length}", rule["id"]);
        }
    }
    let mut broken = logs[0].clone();
    broken["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] = "a b".into();
    check_schema(("SARIF", include_str!("../../../tests/schemas/sarif-2.1.0.schema.json")), &logs, &broken);
    let reports: Vec<_> = documents.iter().map(|one| super::super::gitlab(one, TOOL)).collect();
    let mut broken = reports[0].clone();
    broken["vulnerabilities"][0]["severity"] = "high".into();
    check_schema(("GitLab", include_str!("../../../tests/schemas/gitlab-15.2.1.rules.json")), &reports, &broken);
    let xsd = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemas/junit-10.xsd"));
    for one in &documents {
        let report = super::super::junit(one);
        let Some(faults) = aiva_testkit::xml::faults(xsd, &report) else { return };
        assert_eq!(faults, Vec::<String>::new(), "{report}");
        let broken = aiva_testkit::xml::faults(xsd, &report.replace("testsuites", "suites"));
        assert_ne!(broken, Some(Vec::new()));
    }
}

#[test]
fn sarif_says_why_and_names_the_file_byte_for_byte() {
    let mut results = results();
    results.findings.truncate(1);
    let finding = &mut results.findings[0];
    finding.reason = "1.0.0 is in >= 0.1.0, < 1.0.1 (CVE-1)".into();
    finding.context.paths = Some(DocumentPaths { shortest: vec![vec!["app".into(), "c 1.0.0".into()]], count: 1 });
    for (path, uri) in [
        ("web app/go.mod", "web%20app/go.mod"),
        ("latin\\xE9/go.mod", "latin%E9/go.mod"), // so the walk writes the byte 0xE9
        ("b\\x41/go.mod", "b%5Cx41/go.mod"),      // a name with a backslash
        ("a\nb/\u{1b}go.mod", "a%0Ab/%1Bgo.mod"),
        ("ü/100%/go.mod", "%C3%BC/100%25/go.mod"),
    ] {
        results.findings[0].path = path.into();
        let log = sarif(&document(results.clone(), &mut judge()), TOOL);
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], uri, "{path:?}");
        let said = "c 1.0.0: does harm (fixed in 1.0.1).\n1.0.0 is in >= 0.1.0, < 1.0.1 (CVE-1)\nvia app > c 1.0.0";
        assert_eq!(result["message"]["text"], said);
        assert!(log["runs"][0]["originalUriBaseIds"]["%SRCROOT%"].is_object());
    }
}

#[test]
fn no_form_lets_a_file_speak_for_itself() {
    let document = hostile();
    let page = super::super::html(&document, HOSTILE, TOOL);
    assert!(!page.contains("<script") && !page.contains("href=\"javascript"), "{page}");
    let markdown = super::super::markdown(&document);
    let prose: String = markdown.split("``").step_by(2).collect(); // between two fences is code
    assert!(!prose.contains("<script") && !prose.contains(" @everyone") && !prose.contains("[a]("), "{prose}");
    let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with("| ")).collect();
    for row in &rows {
        let bars = row.char_indices().filter(|(at, c)| *c == '|' && !row[..*at].ends_with('\\')).count();
        assert_eq!(bars, 7, "{row}"); // six cells
    }
    assert_eq!(rows.len(), 1 + 4, "{markdown}");
    let annotations = super::super::annotations(&document);
    for line in annotations.lines() {
        let (place, _) = line[2..].split_once("::").unwrap();
        assert!(["error ", "warning ", "notice "].iter().any(|word| place.starts_with(word)), "{line}");
    }
    assert_eq!(annotations.lines().count(), 4 + 1);
}
