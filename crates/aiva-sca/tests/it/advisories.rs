//! Import, index and scan together, on advisories written for these tests.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use aiva_sca::advisory::{self, ImportError, ImportReport, Index, OpenError};
use aiva_sca::finding::Kind;
use aiva_sca::package::{Ecosystem, Input, NotJudged, Package, Scope, Source, Status};
use aiva_sca::scan::{ScanResult, scan};
use aiva_sca::severity::Level;
use jiff::Timestamp;
use tempfile::TempDir;

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/osv")
}

fn import(paths: &[PathBuf], dir: &Path) -> Result<ImportReport, ImportError> {
    advisory::import(paths, dir, now(), &|_| {})
}

pub(crate) fn sample_index() -> (TempDir, Index) {
    let dir = TempDir::new().unwrap();
    import(&[samples()], dir.path()).unwrap();
    let index = Index::open(dir.path()).unwrap();
    (dir, index)
}

fn package(ecosystem: Ecosystem, name: &str, version: &str) -> Package {
    Package {
        ecosystem,
        name: name.into(),
        version: version.into(),
        line: 7,
        direct: None,
        scope: Scope::Runtime,
        source: Source::Registry,
        licenses: Default::default(),
        origin: None,
    }
}

fn input(packages: Vec<Package>) -> Input {
    Input {
        path: "app/lock".to_owned(),
        kind: "Cargo.lock".into(),
        status: Status::Parsed,
        packages,
        not_judged: Vec::new(),
        problems: Vec::new(),
        edges: Vec::new(),
        signs: Vec::new(),
        asks: Vec::new(),
    }
}

fn scan_one(index: &Index, ecosystem: Ecosystem, name: &str, version: &str) -> ScanResult {
    scan(&[input(vec![package(ecosystem, name, version)])], index).unwrap()
}

#[track_caller]
fn check(index: &Index, ecosystem: Ecosystem, name: &str, version: &str, want: &[&str]) {
    let result = scan_one(index, ecosystem, name, version);
    let ids: Vec<&str> = result.findings.iter().map(|finding| &*finding.verdict.id).collect();
    assert_eq!(ids, want, "{ecosystem} {name} {version}");
    assert_eq!(result.not_judged, [], "{ecosystem} {name} {version}");
}

#[test]
fn ranges_lists_and_withdrawn_records_are_read_as_the_schema_says() {
    let (_dir, index) = sample_index();
    let crates = |name, version, want: &[&str]| check(&index, Ecosystem::CratesIo, name, version, want);
    // Two ranges in one list of events, written out of order.
    crates("two-ranges", "0.9.9", &["SAMPLE-2"]);
    crates("two-ranges", "1.0.0", &[]);
    crates("two-ranges", "2.0.0-alpha", &[]);
    crates("two-ranges", "2.0.0", &["SAMPLE-2"]);
    crates("two-ranges", "2.3.9", &["SAMPLE-2"]);
    crates("two-ranges", "2.4.0", &[]);
    // last_affected is itself affected, what comes after it is not.
    crates("last-one", "1.5.0", &["SAMPLE-3"]);
    crates("last-one", "1.5.1-0", &[]);
    // A limit ends the range, whatever the events say; of two limits the higher counts.
    crates("limited", "2.9.9", &["SAMPLE-4"]);
    crates("limited", "3.0.0", &[]);
    // Names outside any range.
    crates("listed", "1.2.3+build", &["SAMPLE-5"]);
    crates("listed", "1.2.4", &[]);
    crates("taken-back", "1.0.0", &[]);
    crates("git-only", "1.0.0", &[]);
    crates("same-place", "1.0.0", &[]); // introduced and fixed at one version
    crates("no-such-package", "1.0.0", &[]);
}

#[test]
fn each_ecosystem_has_its_own_order() {
    let (_dir, index) = sample_index();
    check(&index, Ecosystem::PyPi, "Sample.Package", "1.0rc1", &["CVE-2024-10001"]);
    check(&index, Ecosystem::PyPi, "sample-package", "1.0", &[]);
    check(&index, Ecosystem::PyPi, "sample-package", "1!0.5", &["CVE-2024-10002"]);
    check(&index, Ecosystem::PyPi, "sample-package", "1!0.5+cu117", &["CVE-2024-10002"]); // built from the last affected one
    check(&index, Ecosystem::PyPi, "sample-package", "1!0.6", &[]);
    check(&index, Ecosystem::PyPi, "legacy", "2004d", &["SAMPLE-PY-3"]); // unordered, but named
    check(&index, Ecosystem::Go, "example.com/mod", "0.0.0-20190101000000-abcdefabcdef", &["GO-SAMPLE-1"]);
    check(&index, Ecosystem::Go, "example.com/mod", "0.0.0-20200202000000-abcdefabcdef", &[]);
    check(&index, Ecosystem::Go, "stdlib", "go1.21rc2", &["GO-SAMPLE-2"]);
    check(&index, Ecosystem::Go, "stdlib", "1.21.0", &[]);
    check(&index, Ecosystem::Npm, "@scope/sample", "1.2.3-beta.2", &["GHSA-samp-le00-0001"]);
    check(&index, Ecosystem::Npm, "@scope/sample", "1.2.3+x", &[]);
    check(&index, Ecosystem::Npm, "@Scope/sample", "1.0.0", &[]); // npm names keep their capitals
}

#[test]
fn aliases_are_one_finding_with_the_cve_as_its_id() {
    let (_dir, index) = sample_index();
    let result = scan_one(&index, Ecosystem::CratesIo, "aliased", "0.3.1");
    let [finding] = result.findings.as_slice() else { panic!("{:#?}", result.findings) };
    let verdict = &finding.verdict;
    assert_eq!(verdict.id, "CVE-2020-0009"); // the lower number, not the lower text
    // SAMPLE-A and SAMPLE-B share no name: the GHSA record joins them.
    assert_eq!(verdict.records, ["GHSA-samp-le00-0002", "SAMPLE-A", "SAMPLE-B"]);
    assert_eq!(verdict.aliases, ["CVE-2020-10000", "GHSA-samp-le00-0002", "SAMPLE-A", "SAMPLE-B"]);
    assert_eq!(verdict.kind, Kind::Vulnerability); // the RustSec record alone calls it unsound
    assert_eq!((verdict.severity.level, verdict.severity.score), (Level::Critical, Some(9.8)));
    // 0.3.4 and 0.3.5 are still affected by another record; 0.2.9 is below.
    assert_eq!(verdict.fixed_versions, ["0.4.0"]);
    assert_eq!(verdict.summary, "Told by the reviewed record");
    assert!(verdict.reason.contains("0.3.1 is in >= 0.3.0, < 0.3.5 (GHSA-samp-le00-0002)"), "{}", verdict.reason);
    assert_eq!(verdict.references.iter().filter(|url| *url == "https://example.com/advisory").count(), 1);
    assert_eq!((&*finding.purl, &*finding.path, finding.line), ("pkg:cargo/aliased@0.3.1", "app/lock", 7));
}

#[test]
fn a_finding_has_the_functions_that_its_records_name() {
    let (_dir, index) = sample_index();
    for (ecosystem, name, version, want) in [
        // Of two records, the reviewed one first; what both name once.
        (Ecosystem::CratesIo, "aliased", "0.3.1", &["aliased::pad", "aliased::Pad::grow", "aliased::Pad::shrink"][..]),
        // SAMPLE-A is not about this version.
        (Ecosystem::CratesIo, "aliased", "0.3.4", &["aliased::pad", "aliased::Pad::grow"]),
        (Ecosystem::Go, "example.com/mod", "0.0.0-20190101000000-abcdefabcdef", &["example.com/mod.F"]),
        (Ecosystem::CratesIo, "last-one", "1.5.0", &[]),
        // No function of what was published to do harm is fine.
        (Ecosystem::Npm, "evil", "1.0.0", &[]),
    ] {
        let result = scan_one(&index, ecosystem, name, version);
        let [finding] = result.findings.as_slice() else { panic!("{:#?}", result.findings) };
        assert_eq!(
            (finding.verdict.symbols.names.as_slice(), finding.verdict.symbols.more),
            (&*owned(want), 0),
            "{name}"
        );
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_a_record_says_of_malice_makes_it_malicious() {
    let check = |id: &str, specific: &str, want: (Kind, Level)| {
        let (folder, dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let record = format!(
            r#"{{"id": "{id}", "modified": "2026-01-01T00:00:00Z", "affected": [{{"package": {{"ecosystem": "npm", "name": "left"}},
            "ranges": [{{"type": "SEMVER", "events": [{{"introduced": "0"}}]}}]}}], "database_specific": {specific}}}"#
        );
        fs::write(folder.path().join("one.json"), record).unwrap();
        import(&[folder.path().to_path_buf()], dir.path()).unwrap();
        let result = scan_one(&Index::open(dir.path()).unwrap(), Ecosystem::Npm, "left", "1.0.0");
        let verdict = &result.findings[0].verdict;
        assert_eq!((verdict.kind, verdict.severity.level), want, "{id} {specific}");
    };
    let malicious = (Kind::Malicious, Level::Critical);
    check("MAL-SAMPLE-9", "{}", malicious);
    check("GHSA-samp-le00-0009", r#"{"cwe_ids": ["CWE-94", "CWE-506"], "severity": "HIGH"}"#, malicious);
    check("SAMPLE-9", r#"{"malicious-packages-origins": [{"source": "sample"}]}"#, malicious);
    // Another weakness, none, a list without anybody in it, and what is not a list.
    let vulnerable = (Kind::Vulnerability, Level::High);
    check("GHSA-samp-le00-0009", r#"{"cwe_ids": ["CWE-5060"], "severity": "HIGH"}"#, vulnerable);
    check(
        "GHSA-samp-le00-0009",
        r#"{"cwe_ids": [], "malicious-packages-origins": [], "severity": "HIGH"}"#,
        vulnerable,
    );
    check(
        "GHSA-samp-le00-0009",
        r#"{"cwe_ids": "CWE-506", "malicious-packages-origins": null, "severity": "HIGH"}"#,
        vulnerable,
    );
}

/// Records that name more functions than are kept, of which the later one is the hostile one.
#[test]
fn functions_beyond_the_most_are_counted() {
    let (folder, dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for (id, functions) in [("A-1", 0..60), ("A-2", 20..100_000)] {
        let names: Vec<String> = functions.map(|at| format!("\"left::f{at}\"")).collect();
        let record = format!(
            r#"{{"id": "{id}", "modified": "2026-01-01T00:00:00Z", "aliases": ["CVE-2026-1"], "affected": [{{"package": {{"ecosystem":
            "crates.io", "name": "left"}}, "ranges": [{{"type": "SEMVER", "events": [{{"introduced": "0"}}]}}], "ecosystem_specific":
            {{"affects": {{"functions": [{}]}}}}}}]}}"#,
            names.join(",")
        );
        fs::write(folder.path().join(format!("{id}.json")), record).unwrap();
    }
    import(&[folder.path().to_path_buf()], dir.path()).unwrap();
    let result = scan_one(&Index::open(dir.path()).unwrap(), Ecosystem::CratesIo, "left", "1.0.0");
    let symbols = &result.findings[0].verdict.symbols;
    assert_eq!((symbols.names.len(), symbols.names[49].as_str()), (50, "left::f49"));
    // 99,930 that the index left out, and of the 50 that it has of the second record those that the first does not name.
    assert_eq!(symbols.more, 99_930 + 20);
}

#[test]
fn kinds_and_levels_come_from_the_record() {
    let (_dir, index) = sample_index();
    let one = |ecosystem, name| {
        let result = scan_one(&index, ecosystem, name, "1.0.0");
        let [finding] = result.findings.as_slice() else { panic!("{name}: {:#?}", result.findings) };
        (finding.verdict.kind, finding.verdict.severity.level)
    };
    assert_eq!(one(Ecosystem::CratesIo, "forgotten"), (Kind::Unmaintained, Level::Informational));
    assert_eq!(one(Ecosystem::CratesIo, "shaky"), (Kind::Unsound, Level::Informational));
    assert_eq!(one(Ecosystem::CratesIo, "noticed"), (Kind::Vulnerability, Level::Informational));
    assert_eq!(one(Ecosystem::Npm, "evil"), (Kind::Malicious, Level::Critical));
    assert_eq!(one(Ecosystem::Npm, "worded"), (Kind::Vulnerability, Level::Medium));
    assert_eq!(one(Ecosystem::Npm, "unrated"), (Kind::Vulnerability, Level::Unknown));
}

#[test]
fn what_cannot_be_judged_is_said() {
    let (_dir, index) = sample_index();
    let legacy = scan_one(&index, Ecosystem::PyPi, "sample-package", "2004d");
    assert_eq!(legacy.findings, []);
    let [entry] = legacy.not_judged.as_slice() else { panic!("{:?}", legacy.not_judged) };
    assert!(entry.reason.contains("2004d") && entry.reason.contains("PYSEC-SAMPLE-1"), "{}", entry.reason);
    let bounds = scan_one(&index, Ecosystem::CratesIo, "odd-bounds", "5.0.0");
    assert!(bounds.not_judged[0].reason.contains("SAMPLE-6"), "{:?}", bounds.not_judged);
    // A version that cannot be ordered matters only where there is an advisory.
    assert_eq!(scan_one(&index, Ecosystem::PyPi, "unheard-of", "2004d").not_judged, []);

    let mut unread = input(Vec::new());
    unread.not_judged.push(NotJudged {
        ecosystem: Ecosystem::Npm,
        name: "ranged".into(),
        requirement: "^1.2".into(),
        line: 3,
        reason: "from an address, not from a registry".into(),
        is_range: false,
        scope: Scope::default(),
        is_settled: false,
        forced_by: None,
        elsewhere: None,
    });
    let carried = scan(&[unread], &index).unwrap().not_judged;
    assert_eq!((&*carried[0].name, &*carried[0].requirement, carried[0].line), ("ranged", "^1.2", 3));
}

#[test]
fn a_range_is_judged_by_all_that_it_allows() {
    let (_dir, index) = sample_index();
    // What is always affected; what it can resolve to, with the floor from which it is safe; what was not judged.
    enum Open {
        No,
        Possible(&'static str, &'static str),
        Unjudged(&'static str),
    }
    use Open::{No, Possible, Unjudged};
    type Row = (&'static str, &'static str, &'static [&'static str], Open);
    let rows: &[Row] = &[
        ("two-ranges", "0.9", &["SAMPLE-2"], No),
        ("two-ranges", ">=0.5, <2", &[], Possible("SAMPLE-2", "1.0.0")),
        ("two-ranges", "^1.2", &[], No),
        ("two-ranges", "^2", &[], Possible("SAMPLE-2", "2.4.0")),
        ("two-ranges", "2.4.1", &[], No),
        ("two-ranges", ">=0.1, <0.9", &["SAMPLE-2"], No),
        ("two-ranges", "*", &[], Possible("SAMPLE-2", "2.4.0")),
        ("two-ranges", "~2.3", &["SAMPLE-2"], No),
        ("unheard-of", "*", &[], No),
        ("odd-bounds", "5", &[], Unjudged("SAMPLE-6 has a range whose bounds crates.io cannot order")),
        ("two-ranges", "what is this", &[], Unjudged("a lockfile would pin it")),
    ];
    for (name, requirement, always, open) in rows {
        let mut manifest = input(Vec::new());
        manifest.not_judged.push(NotJudged {
            ecosystem: Ecosystem::CratesIo,
            name: (*name).into(),
            requirement: (*requirement).into(),
            line: 3,
            reason: "a range, not a pinned version; a lockfile would pin it".into(),
            is_range: true,
            scope: Scope::Dev,
            is_settled: false,
            forced_by: None,
            elsewhere: None,
        });
        let result = scan(&[manifest], &index).unwrap();
        let ids: Vec<&str> = result.findings.iter().map(|finding| finding.verdict.id.as_str()).collect();
        assert_eq!(ids, *always, "{name} {requirement}");
        for finding in &result.findings {
            assert_eq!((&*finding.version, finding.line, finding.scope), (*requirement, 3, Scope::Dev));
            assert!(finding.verdict.reason.starts_with("every version that"), "{}", finding.verdict.reason);
        }
        let reasons: Vec<&str> = result.not_judged.iter().map(|entry| entry.reason.as_str()).collect();
        let possible: Vec<(&str, &str, u32, Option<&str>)> = result
            .can_resolve
            .iter()
            .flat_map(|one| one.verdicts.iter().map(move |verdict| (one, verdict)))
            .map(|(one, verdict)| (&*verdict.id, &*one.requirement, one.line, one.safe_from.as_deref()))
            .collect();
        match open {
            No => assert_eq!((reasons.len(), possible.len()), (0, 0), "{name} {requirement}"),
            Possible(id, safe_from) => {
                assert_eq!(possible, [(*id, *requirement, 3, Some(*safe_from))], "{name} {requirement}");
                assert_eq!(reasons, [""; 0], "{name} {requirement}");
            }
            Unjudged(says) => {
                assert!(reasons.len() == 1 && reasons[0].contains(says), "{name} {requirement}: {reasons:?}");
                assert_eq!(possible, [], "{name} {requirement}");
            }
        }
    }
}

/// Records of one package that end with what they last affect, and what is then said of a pin and of a range.
#[test]
fn what_comes_after_the_last_affected_version_is_told_where_it_is_sure() {
    let last = |id: &str, events: &str| {
        format!(
            r#"{{"id": "{id}", "modified": "2026-01-01T00:00:00Z", "affected": [{{"package": {{"ecosystem": "npm", "name": "ends"}},
            "ranges": [{{"type": "SEMVER", "events": [{events}]}}]}}]}}"#
        )
    };
    let one = r#"{"introduced": "0"}, {"last_affected": "1.1.0"}"#;
    let later = r#"{"introduced": "1.0.0"}, {"last_affected": "1.5.0"}"#;
    let again = r#"{"introduced": "0"}, {"last_affected": "1.1.0"}, {"introduced": "2.0.0"}"#;
    let fixed = r#"{"introduced": "0"}, {"fixed": "1.2.0"}"#;
    for (events, pin, range, of_pin, of_range) in [
        (&[one][..], "1.0.0", "*", Some("1.1.0"), Some("1.1.0")),
        (&[one], "1.1.0", "^1.1.0", Some("1.1.0"), Some("1.1.0")),
        (&[one], "1.1.0", "^1.1.1", Some("1.1.0"), None), // never affected
        (&[one, later], "0.9.0", ">=1", Some("1.1.0"), Some("1.5.0")),
        (&[again], "1.0.0", "*", None, None), // what is later is affected again
        (&[fixed], "1.0.0", "*", None, None), // the fixed version says more
    ] {
        let (dir, records) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        std::fs::create_dir(records.path().join("npm")).unwrap();
        for (at, events) in events.iter().enumerate() {
            let id = format!("LAST-{at}");
            std::fs::write(records.path().join(format!("npm/{id}.json")), last(&id, events)).unwrap();
        }
        import(&[records.path().join("npm")], dir.path()).unwrap();
        let index = Index::open(dir.path()).unwrap();
        let pinned = scan_one(&index, Ecosystem::Npm, "ends", pin);
        assert_eq!(pinned.findings[0].verdict.last_affected.as_deref(), of_pin, "{events:?} {pin}");
        let mut manifest = input(Vec::new());
        manifest.not_judged.push(open(Ecosystem::Npm, "ends", range));
        let open = scan(&[manifest], &index).unwrap();
        let after = open.can_resolve.first().and_then(|entry| entry.safe_after.as_deref());
        assert_eq!(after, of_range, "{events:?} {range}");
    }
}

/// Of a range the advisories are taken together: what one of them calls fixed another one may affect.
#[test]
fn what_no_version_of_a_range_is_free_of_is_told() {
    let below = r#"{"introduced": "0"}, {"fixed": "2.0.0"}"#;
    let above = r#"{"introduced": "2.0.0"}"#;
    let part = r#"{"introduced": "2.0.0"}, {"fixed": "2.5.0"}"#;
    for (events, database, range, never_safe, safe_from) in [
        (&[below, above][..], "{}", ">=1", true, None),
        (&[below, above], "{}", "^1.0.0", true, Some(())), // by one alone, which is a finding
        (&[below, above], r#"{"informational": "unmaintained"}"#, ">=1", false, None), // no vulnerability
        (&[below], "{}", ">=1", false, Some(())),
        (&[below, part], "{}", ">=1", false, Some(())),
    ] {
        let (dir, records) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        std::fs::create_dir(records.path().join("crates.io")).unwrap();
        for (at, events) in events.iter().enumerate() {
            let (id, database) = (format!("TOGETHER-{at}"), if at == 1 { database } else { "{}" });
            let record = format!(
                r#"{{"id": "{id}", "modified": "2026-01-01T00:00:00Z", "affected": [{{"package": {{"ecosystem": "crates.io", "name": "ends"}},
                "database_specific": {database}, "ranges": [{{"type": "SEMVER", "events": [{events}]}}]}}]}}"#
            );
            std::fs::write(records.path().join(format!("crates.io/{id}.json")), record).unwrap();
        }
        import(&[records.path().join("crates.io")], dir.path()).unwrap();
        let index = Index::open(dir.path()).unwrap();
        let mut manifest = input(Vec::new());
        let entry = open(Ecosystem::CratesIo, "ends", range);
        manifest.not_judged.push(entry);
        let said = scan(&[manifest], &index).unwrap();
        match said.can_resolve.as_slice() {
            [one] => assert_eq!(
                (one.is_never_safe, one.safe_from.as_ref().map(|_| ())),
                (never_safe, safe_from),
                "{events:?} {range}"
            ),
            _ => assert_eq!((said.findings.len(), range), (1, "^1.0.0"), "{events:?}"),
        }
    }
}

fn open(ecosystem: Ecosystem, name: &str, requirement: &str) -> NotJudged {
    NotJudged {
        ecosystem,
        name: name.into(),
        requirement: requirement.into(),
        line: 1,
        reason: "a range".into(),
        is_range: true,
        is_settled: false,
        scope: Scope::Runtime,
        forced_by: None,
        elsewhere: None,
    }
}

#[test]
fn an_ecosystem_that_the_index_lacks_is_not_judged() {
    let dir = TempDir::new().unwrap();
    import(&[samples().join("npm")], dir.path()).unwrap();
    let index = Index::open(dir.path()).unwrap();
    let result = scan_one(&index, Ecosystem::CratesIo, "aliased", "0.3.1");
    assert_eq!(result.findings, []);
    assert_eq!(result.not_judged[0].reason, "the advisory index has nothing on crates.io");
}

#[test]
fn only_packages_of_the_public_registry_are_matched_by_name() {
    let (_dir, index) = sample_index();
    let elsewhere = [
        Source::Path("../aliased".to_owned()),
        Source::Git("https://git.example/aliased".to_owned()),
        Source::Url("https://example.com/aliased.tgz".to_owned()),
        Source::PrivateRegistry("https://registry.example".to_owned()),
    ];
    let packages = elsewhere.map(|source| Package { source, ..package(Ecosystem::CratesIo, "aliased", "0.3.1") });
    let result = scan(&[input(packages.to_vec())], &index).unwrap();
    assert_eq!(result.findings, []);
    let outside = result.outside;
    assert_eq!((outside.path, outside.git, outside.url, outside.private_registry), (1, 1, 1, 1));
}

#[test]
fn importing_one_ecosystem_keeps_the_others() {
    let (dir, old) = sample_index();
    let folder = TempDir::new().unwrap();
    let npm = folder.path().join("npm");
    fs::create_dir(&npm).unwrap();
    fs::write(npm.join("x.json"), record("NEW-1", "npm", "fresh", "2026-01-01T00:00:00Z", "2.0.0")).unwrap();
    assert!(!old.changed());
    let report = import(&[npm], dir.path()).unwrap();
    assert_eq!(report.imported.len(), 1);
    let mut kept = report.kept;
    kept.sort();
    assert_eq!(kept, [Ecosystem::CratesIo, Ecosystem::PyPi, Ecosystem::Go]);
    assert!(old.changed());
    check(&old, Ecosystem::Npm, "worded", "1.0.0", &["GHSA-samp-le00-0003"]); // the open index still answers
    let new = Index::open(dir.path()).unwrap();
    assert_eq!(new.epoch(), old.epoch() + 1);
    check(&new, Ecosystem::Npm, "worded", "1.0.0", &[]);
    check(&new, Ecosystem::Npm, "fresh", "1.0.0", &["NEW-1"]);
    check(&new, Ecosystem::PyPi, "sample-package", "1.0rc1", &["CVE-2024-10001"]);
    new.verify().unwrap();
}

fn record(id: &str, ecosystem: &str, name: &str, modified: &str, fixed: &str) -> String {
    format!(
        r#"{{"id":"{id}","modified":"{modified}","affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},
        "ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}},{{"fixed":"{fixed}"}}]}}]}}]}}"#
    )
}

/// Writes a zip of the given entries.
fn zip(path: &Path, entries: &[(&str, &[u8])]) {
    let mut writer = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, content) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn a_zip_says_by_its_records_what_it_is_about() {
    let folder = TempDir::new().unwrap();
    let (path, named) = (folder.path().join("all.zip"), folder.path().join("crates.io.zip"));
    let shared = r#"{"id":"S-1","modified":"2026-01-01T00:00:00Z","affected":[
        {"package":{"ecosystem":"npm","name":"both"},"versions":["1.0.0"]},
        {"package":{"ecosystem":"crates.io","name":"both"},"versions":["1.0.0"]},
        {"package":{"ecosystem":"Linux","name":"a:b"},"versions":["1.0.0"]}]}"#;
    let own = record("S-2", "npm", "own", "2026-01-01T00:00:00Z", "2.0.0");
    let foreign = record("S-3", "Linux", "a:b", "2026-01-01T00:00:00Z", "2.0.0");
    zip(&path, &[("S-1.json", shared.as_bytes()), ("S-2.json", own.as_bytes()), ("S-3.json", foreign.as_bytes())]);
    let dir = TempDir::new().unwrap();
    let report = import(&[path], dir.path()).unwrap();
    // Every record is about npm; crates.io must not be replaced by the one that also names it.
    let imported: Vec<_> = report.imported.iter().map(|one| (one.ecosystem, one.records)).collect();
    assert_eq!(imported, [(Ecosystem::Npm, 2)]);
    assert_eq!(report.foreign, 1);
    check(&Index::open(dir.path()).unwrap(), Ecosystem::Npm, "both", "1.0.0", &["S-1"]);

    // A name that says it spares the guess.
    zip(&named, &[("S-1.json", shared.as_bytes())]);
    let imported: Vec<_> = import(&[named], dir.path()).unwrap().imported;
    assert_eq!(imported.iter().map(|one| one.ecosystem).collect::<Vec<_>>(), [Ecosystem::CratesIo]);
}

#[test]
fn the_newer_of_two_records_with_one_id_counts() {
    let dir = TempDir::new().unwrap();
    let folder = TempDir::new().unwrap();
    let old = record("D-1", "npm", "twice", "2025-01-01T00:00:00Z", "9.0.0");
    let new = record("D-1", "npm", "twice", "2026-01-01T00:00:00Z", "2.0.0");
    for (order, files) in [("ab", [&old, &new]), ("ba", [&new, &old])] {
        let path = folder.path().join(order);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("1.json"), files[0]).unwrap();
        fs::write(path.join("2.json"), files[1]).unwrap();
        let report = import(&[path], dir.path()).unwrap();
        assert_eq!(report.imported[0].records, 1);
        check(&Index::open(dir.path()).unwrap(), Ecosystem::Npm, "twice", "3.0.0", &[]);
    }
}

#[test]
fn a_bad_record_is_named_and_the_others_are_imported() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("all.zip");
    let good = record("B-1", "npm", "good", "2026-01-01T00:00:00Z", "2.0.0");
    let more = record("B-2", "npm", "more", "2026-01-01T00:00:00Z", "2.0.0");
    let bad: &[u8] = b"{\"id\":\"\xFF\xFE\",\"modified\":\"x\"}";
    zip(
        &path,
        &[("good.json", good.as_bytes()), ("bad.json", bad), ("more.json", more.as_bytes()), ("README.md", b"x")],
    );
    let dir = TempDir::new().unwrap();
    let report = import(&[path], dir.path()).unwrap();
    assert_eq!((report.imported[0].records, report.bad_count), (2, 1));
    assert!(report.bad[0].entry.ends_with("all.zip: bad.json"), "{}", report.bad[0].entry);
}

#[test]
fn wrong_sources_are_refused_whole_and_the_old_index_stays() {
    let (dir, _) = sample_index();
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let refused = |path: PathBuf, want: &str| {
        let error = import(&[path], dir.path()).unwrap_err();
        let text = format!("{error}");
        assert!(text.contains(want), "{text}");
        check(&Index::open(dir.path()).unwrap(), Ecosystem::Npm, "worded", "1.0.0", &["GHSA-samp-le00-0003"]);
    };
    let good = record("G-1", "npm", "good", "2026-01-01T00:00:00Z", "2.0.0");
    zip(&at("whole.zip"), &[("a.json", good.as_bytes()), ("b.json", good.as_bytes())]);
    let whole = fs::read(at("whole.zip")).unwrap();

    fs::write(at("text.zip"), "not a zip").unwrap();
    refused(at("text.zip"), "is not a complete zip file");
    fs::write(at("cut.zip"), &whole[..whole.len() - 30]).unwrap();
    refused(at("cut.zip"), "is not a complete zip file");
    let mut flipped = whole.clone();
    flipped[60] ^= 0x10;
    fs::write(at("flipped.zip"), &flipped).unwrap();
    refused(at("flipped.zip"), "has a damaged entry \"a.json\"");
    zip(&at("empty.zip"), &[]);
    refused(at("empty.zip"), "holds no record about");
    zip(&at("other.zip"), &[("x.json", b"{\"name\":\"left-pad\"}")]);
    refused(at("other.zip"), "is not an OSV export: 1 of 1 entries");
    zip(&at("maven.zip"), &[("x.json", record("M-1", "Linux", "a:b", "2026-01-01T00:00:00Z", "2").as_bytes())]);
    refused(at("maven.zip"), "holds no record about crates.io, npm, PyPI, Go");
    zip(&at("bomb.zip"), &[("a.json", &vec![b' '; 20 << 20])]);
    refused(at("bomb.zip"), "would unpack to too much");
    zip(&at("giant.zip"), &[("a.json", &vec![b' '; 33 << 20])]);
    refused(at("giant.zip"), "a.json alone to");
    fs::create_dir(at("nothing")).unwrap();
    refused(at("nothing"), "holds no advisories");
    refused(at("missing"), "could not be read");
    // A good source beside a wrong one does not help.
    assert!(import(&[at("whole.zip"), at("cut.zip")], dir.path()).is_err());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "only the index and its lock: {left:?}");
}

#[test]
fn the_status_tells_age_and_counts() {
    let (dir, index) = sample_index();
    let later = now() + jiff::Span::new().hours(30);
    let status = advisory::status(dir.path(), later).unwrap();
    assert_eq!(status.age.as_secs(), 30 * 3600);
    assert_eq!(status.ecosystems.len(), 4);
    let npm = status.ecosystems.iter().find(|one| one.ecosystem == Ecosystem::Npm).unwrap();
    assert_eq!((npm.records, npm.packages), (4, 4));
    assert_eq!(npm.newest_modified.to_string(), "2026-02-01T00:00:00Z");
    assert!(index.verify().unwrap().parts >= 8);
    assert!(matches!(advisory::status(&dir.path().join("none"), later), Err(OpenError::Missing(_))));
}

#[test]
fn a_confirmed_ecosystem_is_fresh_and_unchanged() {
    let (dir, _) = sample_index();
    let later = now() + jiff::Span::new().hours(30);
    advisory::confirm(dir.path(), &Ecosystem::ALL, later).unwrap();
    let index = Index::open(dir.path()).unwrap();
    assert_eq!((index.status(later).age.as_secs(), index.epoch()), (0, 2));
    check(&index, Ecosystem::Npm, "worded", "1.0.0", &["GHSA-samp-le00-0003"]);
    index.verify().unwrap();
}

#[test]
fn the_same_sources_give_the_same_file() {
    let (one, two) = (sample_index(), sample_index());
    let read = |dir: &TempDir| fs::read(dir.path().join("advisories.index")).unwrap();
    assert_eq!(read(&one.0), read(&two.0));
}
