//! The document's order, counts and round trip, and what the other forms make of it.

use aiva_contracts::api::{
    AdvisoryState, DocumentAdvisories, DocumentCanResolve, DocumentInput, DocumentMatch, DocumentPaths,
    DocumentPossible, DocumentPriority, DocumentProblem, DocumentStatement, DocumentTerm, ExceptionMatch, FindingKind,
    Guard, InputStatus, Level, Origin, PackageScope, Severity, StatementStatus,
};
use aiva_contracts::bounds::Check;
use jiff::Timestamp;
use jiff::civil::date;

use super::{Draft, Results, Standing, Teller, Tool, document, sarif};

const TOOL: Tool<'_> = Tool { version: "0.1.0", at: Timestamp::UNIX_EPOCH };
use crate::exception::{Exception, Judge, Rule};
use crate::observation::{Context, Observation};

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
        advisories: vec![advisory],
    };
    let mut results = results();
    results.findings.clear();
    results.inputs[1].can_resolve.push(entry);
    results.inputs.remove(0);
    results
}

#[test]
fn what_a_range_can_resolve_to_is_told_in_every_form() {
    let document = document(with_a_range(), &mut judge());
    assert_eq!(document.summary.can_resolve, Some(1));
    assert_eq!(document.violations(), []);
    let said = "it can resolve to a version with CVE-9 (high); from 1.3.0 on it cannot";
    let markdown = super::markdown(&document);
    assert!(markdown.starts_with("# AIVA scan\n\nNo known vulnerability in what is pinned. "), "{markdown}");
    assert!(markdown.contains(said), "{markdown}");
    let page = super::html(&document, "shop", TOOL);
    for part in ["<code>^1.2</code>", "CVE-9 (high)", "1.3.0", "No known vulnerability in what is pinned"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<b>harm"), "{page}");
    assert!(super::junit(&document).contains(&format!("<skipped message=\"line 4: {said}\"/>")));
    let notice = "::notice file=web app/package-lock.json,line=4,title=left-pad ^1.2%3A can resolve";
    assert!(super::annotations(&document).contains(notice), "{}", super::annotations(&document));
    let gitlab = super::gitlab(&document, TOOL);
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
fn what_is_written_can_be_read_back() {
    let document = document(results(), &mut judge());
    let text = serde_json::to_string(&document).unwrap();
    assert_eq!(serde_json::from_str::<super::Document>(&text).unwrap(), document);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], "aiva.scan/1");
    assert!(value.get("packages").is_none()); // only when asked for
    assert!(value["findings"][2]["severity"]["score"].is_null()); // said to be unknown, not left out
}

/// All of an observation but the words that are only read.
fn outline(seen: &Observation) -> Observation {
    let (summary, description, reason) = Default::default();
    Observation { summary, description, reason, references: vec![], ..seen.clone() }
}

/// Tells observations, and takes those for one story that say the same of what belongs to one.
struct Plain;

impl Teller<Observation> for Plain {
    type Story = String;

    fn story(&self, seen: &Observation) -> String {
        let names = (&seen.id, &seen.aliases, seen.kind, &seen.severity, &seen.fixed_versions, &seen.last_affected);
        let words = (&seen.summary, &seen.description, &seen.references, &seen.symbols, seen.more_symbols);
        format!("{:?}", (names, words, &seen.reason, &seen.context.matched, &seen.context.priority))
    }

    fn whole(&self, seen: &Observation) -> Observation {
        seen.clone()
    }

    fn own(&self, seen: &Observation) -> Observation {
        let (kind, severity) = (FindingKind::Yanked, Severity { level: Level::Unknown, score: None, vector: None });
        let (fixed_versions, last_affected, symbols, more_symbols) = Default::default();
        let context = Context { matched: vec![], priority: None, ..seen.context.clone() };
        Observation { kind, severity, fixed_versions, last_affected, symbols, more_symbols, context, ..outline(seen) }
    }
}

#[track_caller]
fn check_written(results: Results) {
    let whole = document(results.clone(), &mut judge());
    let draft = Draft::new(results, &mut judge(), super::spot, outline, |_| true);
    let mut text = Vec::new();
    draft.write(&mut text, &Plain).unwrap();
    assert!(String::from_utf8(text).unwrap() == serde_json::to_string(&whole).unwrap());
    assert_eq!((draft.summary(), draft.inputs()), (&whole.summary, whole.inputs.as_slice()));
    let stand: Vec<_> = whole.findings.iter().map(|one| (super::standing(one), one.severity.level)).collect();
    assert_eq!(draft.standings().collect::<Vec<_>>(), stand);
}

/// Many findings of few advisories, some of them long, with and without each thing that may be left out.
#[test]
fn findings_of_one_story_are_written_as_if_each_were_told() {
    let mut results = results();
    results.findings = (0..1200_u32)
        .map(|number| {
            let story = number * 7 % 150;
            let mut one = seen(&format!("CVE-{story}"), &format!("p{}", number % 13), Level::High, Some(7.5));
            one.line = number;
            one.description = "a \"word\"\n".repeat(if story % 3 == 0 { 9_000 } else { 2 });
            one.last_affected = (story % 2 == 0).then(|| "1.2.3".to_owned());
            one.symbols = vec!["f::g".to_owned(); (story % 4) as usize];
            one.more_symbols = u64::from(story % 5);
            one.reason = "because".repeat((story % 3) as usize);
            let event = DocumentMatch { record: "R".into(), interval: "< 2".into(), events: vec!["fixed 2".into()] };
            one.context.matched = vec![event; (story % 3) as usize];
            one.context.column = (number % 4 > 0).then_some(number % 4);
            one.context.direct = (number % 3 > 0).then_some(number % 3 == 1);
            one.context.scope = (number % 5 > 0).then_some(PackageScope::Dev);
            let term = DocumentTerm { name: "depth".into(), value: (number % 2).to_string(), points: 1.5 };
            one.context.priority =
                (story % 7 > 0).then(|| DocumentPriority { score: f64::from(story % 90), terms: vec![term] });
            let paths = DocumentPaths { shortest: vec![vec![format!("root {number}")]], count: 1 };
            one.context.paths = (number % 6 > 0).then_some(paths);
            one
        })
        .collect();
    check_written(results);
}

#[test]
fn a_draft_writes_the_document_that_it_would_make() {
    let mut noted = results();
    noted.packages = Some(vec![]);
    noted.findings[0].context.known = Some(true);
    noted.findings[1].context.known = Some(false);
    noted.findings[2].context.statement = Some(DocumentStatement {
        status: StatementStatus::NotAffected,
        justification: None,
        detail: None,
        author: Some("ana".into()),
        document: "vex.json".into(),
    });
    let mut empty = results();
    empty.findings.clear();
    for results in [results(), noted, empty, with_a_range()] {
        check_written(results);
    }
}

#[test]
fn an_exception_for_what_is_left_out_is_in_use() {
    let draft = Draft::new(results(), &mut judge(), super::spot, outline, |seen| seen.name != "left-pad");
    assert_eq!(draft.standings().count(), 3);
    let idle: Vec<_> = draft.summary().exceptions.iter().map(|one| one.package.as_deref()).collect();
    assert_eq!((draft.summary().accepted, idle), (0, vec![Some("gone")]));
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

/// Text that would break out of every form if it were not escaped.
const HOSTILE: &str = "\"><script>alert(1)</script> | `x` ]]> %0A::error::x\u{1b}[2J @everyone [a](javascript:x)";

fn hostile() -> super::Document {
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
        let seen = elements(&super::junit(&document));
        let count = |name: &str| seen.iter().filter(|(element, _)| element == name).count();
        assert_eq!(count("testcase"), 5 + count("testsuite") - 2); // a suite without findings has one that passes
        assert_eq!((count("failure") + count("skipped"), count("error")), (4, 1));
        let (_, totals) = &seen[0];
        assert_eq!(totals[1..], [count("testcase"), count("failure"), count("error")].map(|number| number.to_string()));
    }
}

/// One document of every sort: findings with all that may be said of them, ranges, files that were not read, and nothing at all.
fn documents() -> Vec<super::Document> {
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
    check_schema(("SARIF", include_str!("../../tests/schemas/sarif-2.1.0.schema.json")), &logs, &broken);
    let reports: Vec<_> = documents.iter().map(|one| super::gitlab(one, TOOL)).collect();
    let mut broken = reports[0].clone();
    broken["vulnerabilities"][0]["severity"] = "high".into();
    check_schema(("GitLab", include_str!("../../tests/schemas/gitlab-15.2.1.rules.json")), &reports, &broken);
    let xsd = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemas/junit-10.xsd"));
    for one in &documents {
        let report = super::junit(one);
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
        assert_eq!(super::spoken_symbols(&names, more).as_deref(), want, "{names:?}");
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
        ("gitlab", super::gitlab(&document, TOOL).to_string(), r"\n\nFunctions: left.Pad and 2 more"),
        ("junit", super::junit(&document), "&#10;functions: left.Pad and 2 more&#10;"),
        ("github", super::annotations(&document), "%0Afunctions: left.Pad and 2 more"),
        ("markdown", super::markdown(&document), "<br>functions: left.Pad and 2 more"),
        ("html", super::html(&document, "shop", TOOL), "<code>example.org/left.Pad</code> and 2 more"),
        ("json", serde_json::to_string(&document).unwrap(), r#""symbols":["example.org/left.Pad"],"more_symbols":2"#),
    ] {
        assert!(text.contains(said), "{form}: {text}");
    }
    let none = super::html(&super::document(results(), &mut judge()), "shop", TOOL);
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
            ("gitlab", super::gitlab(&document, TOOL).to_string()),
            ("junit", super::junit(&document)),
            ("github", super::annotations(&document)),
            ("markdown", super::markdown(&document)),
        ] {
            assert!(text.contains(said), "{form}: {text}");
        }
        assert!(super::html(&document, "shop", TOOL).contains("later than 1.1.0"));
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
        let written = super::annotations(&document(results, &mut judge()));
        assert!(written.contains(said), "{written}");
    }
}

#[test]
fn gitlab_tells_what_the_baseline_has() {
    let mut results = results();
    for (finding, known) in results.findings.iter_mut().zip([true, false, true, false]) {
        finding.context.known = Some(known);
    }
    let report = super::gitlab(&document(results, &mut judge()), TOOL);
    let said = |at: usize| report["vulnerabilities"][at]["details"]["baseline"]["value"].as_str().unwrap().to_owned();
    let order: Vec<String> = (0..3).map(said).collect();
    assert_eq!(order, ["new since the baseline", "known from the baseline", "known from the baseline"]);
    assert_eq!(report["scan"]["messages"][0]["value"], "2 of 3 vulnerabilities are known from the baseline");
}

#[test]
fn no_form_lets_a_file_speak_for_itself() {
    let document = hostile();
    let page = super::html(&document, HOSTILE, TOOL);
    assert!(!page.contains("<script") && !page.contains("href=\"javascript"), "{page}");
    let markdown = super::markdown(&document);
    let prose: String = markdown.split("``").step_by(2).collect(); // between two fences is code
    assert!(!prose.contains("<script") && !prose.contains(" @everyone") && !prose.contains("[a]("), "{prose}");
    let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with("| ")).collect();
    for row in &rows {
        let bars = row.char_indices().filter(|(at, c)| *c == '|' && !row[..*at].ends_with('\\')).count();
        assert_eq!(bars, 7, "{row}"); // six cells
    }
    assert_eq!(rows.len(), 1 + 4, "{markdown}");
    let annotations = super::annotations(&document);
    for line in annotations.lines() {
        let (place, _) = line[2..].split_once("::").unwrap();
        assert!(["error ", "warning ", "notice "].iter().any(|word| place.starts_with(word)), "{line}");
    }
    assert_eq!(annotations.lines().count(), 4 + 1);
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
