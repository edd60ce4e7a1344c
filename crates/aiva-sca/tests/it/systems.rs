//! Advisories of Linux distributions: each release by itself, source packages, orders of versions.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs;
use std::path::Path;

use aiva_sca::advisory::{self, Index};
use aiva_sca::inventory::{Inventory, Kind, single_input};
use aiva_sca::package::{BuiltFrom, Ecosystem, Input, Origin, Package, Status};
use aiva_sca::sbom::{self, Bom};
use aiva_sca::scan::{ScanResult, scan};
use tempfile::TempDir;

use crate::installed::{APK, DEBIAN, STATUS, put as put_file, rpmdb, taken};
use crate::sbom::{MADE, document_of};

/// A record about packages of releases: release, name, event that ends it.
pub(crate) fn record(id: &str, upstream: &str, affected: &[(&str, &str, &str)]) -> String {
    let affected: Vec<String> = affected
        .iter()
        .map(|(release, name, fixed)| {
            let end = if fixed.is_empty() { String::new() } else { format!(r#", {{"fixed": "{fixed}"}}"#) };
            format!(
                r#"{{"package": {{"ecosystem": "{release}", "name": "{name}"}},
                    "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}{end}]}}]}}"#
            )
        })
        .collect();
    let affected = affected.join(",");
    format!(
        r#"{{"id": "{id}", "modified": "2026-01-01T00:00:00Z", "upstream": [{upstream}], "affected": [{affected}]}}"#
    )
}

pub(crate) fn put(folder: &Path, name: &str, records: &[String]) {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    for (at, record) in records.iter().enumerate() {
        fs::write(folder.join(format!("{at}.json")), record).unwrap();
    }
}

pub(crate) fn index_of(source: &Path) -> (TempDir, Index) {
    let dir = TempDir::new().unwrap();
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    advisory::import(&[source.to_owned()], dir.path(), now, &|_| {}).unwrap();
    let index = Index::open(dir.path()).unwrap();
    (dir, index)
}

fn sample() -> (TempDir, Index) {
    let source = TempDir::new().unwrap();
    let debian = [
        record(
            "DEBIAN-CVE-2024-0001",
            r#""CVE-2024-0001""#,
            &[("Debian:11", "openssl", "1.1.1w-0+deb11u1"), ("Debian:12", "openssl", "3.0.13-1~deb12u1")],
        ),
        record("DEBIAN-CVE-2024-0002", r#""CVE-2024-0002""#, &[("Debian:12", "openssl", "")]),
        record("DSA-1-1", r#""CVE-2024-0003", "CVE-2024-0004""#, &[("Debian:12", "curl", "7.88.1-10+deb12u5")]),
    ];
    let alpine = [record("ALPINE-CVE-2024-0001", "", &[("Alpine:v3.19", "openssl", "3.1.4-r5")])];
    let wolfi = [record("CVE-2024-0009", "", &[("Wolfi", "openssl", "3.3.0-r1"), ("Wolfi", "libssl3", "3.3.0-r1")])];
    let redhat = [record(
        "RHSA-2024:1",
        "",
        &[
            ("Red Hat:enterprise_linux:9::appstream", "openssl-libs", "1:3.0.7-25.el9_3"),
            ("Red Hat:enterprise_linux:9::baseos", "openssl-libs", "1:3.0.7-25.el9_3"),
            ("Red Hat:enterprise_linux:8::baseos", "openssl-libs", "1:1.1.1k-12.el8_9"),
        ],
    )];
    put(source.path(), "Debian", &debian);
    put(source.path(), "Alpine", &alpine);
    put(source.path(), "Wolfi", &wolfi);
    put(source.path(), "Red Hat", &redhat);
    index_of(source.path())
}

fn installed(system: &str, name: &str, version: &str, source: Option<(&str, &str)>) -> Package {
    let built_from = source.map(|(name, version)| BuiltFrom { name: name.to_owned(), version: version.to_owned() });
    let origin = built_from.map(|built_from| Box::new(Origin { built_from: Some(built_from), ..Origin::default() }));
    Package { origin, ..Package::new(system.parse().unwrap(), name, version, 1) }
}

fn judged(index: &Index, package: Package) -> ScanResult {
    let input = Input {
        path: "var/lib/dpkg/status".to_owned(),
        kind: "dpkg".into(),
        status: Status::Parsed,
        packages: vec![package],
        not_judged: Vec::new(),
        problems: Vec::new(),
        edges: Vec::new(),
        signs: Vec::new(),
        asks: Vec::new(),
    };
    scan(&[input], index).unwrap()
}

#[track_caller]
fn check(index: &Index, package: Package, want: &[&str]) {
    let result = judged(index, package);
    let ids: Vec<&str> = result.findings.iter().map(|finding| &*finding.verdict.id).collect();
    assert_eq!((ids.as_slice(), result.not_judged.len()), (want, 0), "{:#?}", result.not_judged);
}

#[test]
fn a_release_is_judged_by_its_own_advisories() {
    let (_dir, index) = sample();
    let source = |version| Some(("openssl", version));
    let both = ["CVE-2024-0001", "CVE-2024-0002"];
    check(&index, installed("Debian:12", "libssl3", "3.0.11-1", source("3.0.11-1")), &both);
    check(&index, installed("Debian:12", "openssl", "3.0.11-1", None), &both);
    check(&index, installed("Debian:12", "openssl", "3.0.13-1", None), &["CVE-2024-0002"]); // 3.0.13-1~deb12u1 is before it
    check(
        &index,
        installed("Debian:11", "libssl1.1", "1.1.1n-0+deb11u5", source("1.1.1n-0+deb11u5")),
        &["CVE-2024-0001"],
    );
    check(&index, installed("Debian:11", "libssl1.1", "1.1.1w-0+deb11u1", source("1.1.1w-0+deb11u1")), &[]);
    check(&index, installed("Debian:12", "libcurl4", "7.88.1-10", Some(("curl", "7.88.1-10"))), &["DSA-1-1"]);
    // Of Debian only source packages have advisories: what was built from another one is not `curl`.
    check(&index, installed("Debian:12", "curl", "1", Some(("curl-ng", "1"))), &[]);
    check(&index, installed("Alpine:v3.19", "libssl3", "3.1.4-r1", source("3.1.4-r1")), &["ALPINE-CVE-2024-0001"]);
    check(&index, installed("Alpine:v3.19", "libssl3", "3.1.4-r5", source("3.1.4-r5")), &[]);
    // Both names are known; it is said once.
    check(&index, installed("Wolfi", "libssl3", "3.2.1-r0", source("3.2.1-r0")), &["CVE-2024-0009"]);
    check(&index, installed("Red Hat:enterprise_linux:9", "openssl-libs", "1:3.0.7-24.el9", None), &["RHSA-2024:1"]);
    check(&index, installed("Red Hat:enterprise_linux:9", "openssl-libs", "1:3.0.7-27.el9", None), &[]);
    check(&index, installed("Red Hat:enterprise_linux:8", "openssl-libs", "1:1.1.1k-9.el8", None), &["RHSA-2024:1"]);
}

#[test]
fn a_release_without_advisories_is_not_judged() {
    let (_dir, index) = sample();
    for system in ["Debian:13", "Alpine:v3.20", "Ubuntu:22.04:LTS", "rpm:fedora:40", "Red Hat:enterprise_linux:7"] {
        let result = judged(&index, installed(system, "openssl", "1.0-1", None));
        assert_eq!(result.findings, [], "{system}");
        let reasons: Vec<&str> = result.not_judged.iter().map(|one| &*one.reason).collect();
        assert_eq!(reasons, [format!("the advisory index has nothing on {system}")], "{system}");
    }
}

#[test]
fn a_finding_names_package_source_and_versions() {
    let (_dir, index) = sample();
    let result = judged(&index, installed("Debian:12", "libssl3", "3.0.11-1+b1", Some(("openssl", "3.0.11-1"))));
    let finding = &result.findings[0];
    assert_eq!((&*finding.name, &*finding.version), ("libssl3", "3.0.11-1+b1"));
    assert_eq!(finding.purl, "pkg:deb/debian/libssl3@3.0.11-1%2Bb1?distro=debian-12");
    assert_eq!(finding.ecosystem.osv_name(), "Debian:12");
    assert_eq!(finding.verdict.fixed_versions, ["3.0.13-1~deb12u1"]);
    assert_eq!(
        finding.verdict.reason,
        "built from openssl 3.0.11-1; 3.0.11-1 is in < 3.0.13-1~deb12u1 (DEBIAN-CVE-2024-0001)"
    );
    assert_eq!(finding.verdict.aliases, ["DEBIAN-CVE-2024-0001"]);
}

#[test]
fn exports_of_single_releases_add_up() {
    let source = TempDir::new().unwrap();
    let both = record("DSA-2-1", "", &[("Debian:11", "bash", "5.1-2"), ("Debian:12", "bash", "5.2-2")]);
    put(source.path(), "Debian:12", std::slice::from_ref(&both));
    let (_dir, index) = index_of(source.path());
    check(&index, installed("Debian:12", "bash", "5.2-1", None), &["DSA-2-1"]);
    // A record that came with the export of 12 does not make 11 known.
    assert!(!index.has("Debian:11".parse().unwrap()) && index.has("Debian:12".parse().unwrap()));
    put(source.path(), "Debian:11", std::slice::from_ref(&both));
    let (_dir, index) = index_of(source.path());
    check(&index, installed("Debian:12", "bash", "5.2-1", None), &["DSA-2-1"]);
    check(&index, installed("Debian:11", "bash", "5.1-1", None), &["DSA-2-1"]);
    check(&index, installed("Debian:11", "bash", "5.2-1", None), &[]);
    assert!(Ecosystem::ALL.contains(&index.ecosystems()[0].ecosystem)); // one place for all releases
}

/// The systems whose databases of packages the other tests read.
fn roots() -> Vec<(&'static str, Inventory)> {
    let files: [(&str, &[u8], &str, &[u8]); 3] = [
        ("Debian:12", DEBIAN.as_bytes(), "var/lib/dpkg/status", STATUS.as_bytes()),
        ("Alpine:v3.19", b"ID=alpine\nVERSION_ID=3.19.1\n", "lib/apk/db/installed", APK.as_bytes()),
        ("Red Hat:enterprise_linux:9", b"ID=rhel\nVERSION_ID=9.3\n", "usr/lib/sysimage/rpm/rpmdb.sqlite", &rpmdb()),
    ];
    let take = |(system, release, path, database): (&'static str, &[u8], &str, &[u8])| {
        let root = TempDir::new().unwrap();
        put_file(root.path(), "etc/os-release", release);
        put_file(root.path(), path, database);
        (system, taken(root.path()))
    };
    files.map(take).into()
}

/// What was found, without the place.
fn found(result: &ScanResult) -> Vec<(String, String, String, String, String)> {
    let row = |finding: &aiva_sca::finding::Finding| {
        let verdict = &finding.verdict;
        let system = finding.ecosystem.osv_name().to_owned();
        (verdict.id.clone(), system, finding.name.to_string(), finding.version.to_string(), verdict.reason.clone())
    };
    let mut rows: Vec<_> = result.findings.iter().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn a_bill_of_a_root_is_judged_as_the_root_itself() {
    let (_dir, index) = sample();
    for (system, inventory) in roots() {
        let direct = scan(&inventory.inputs, &index).unwrap();
        assert!(!direct.findings.is_empty(), "{system} has nothing to find: {:#?}", inventory.inputs);
        let document = document_of(Vec::new());
        let bom = Bom::new(&inventory.inputs, &document, MADE);
        let bills = [
            ("bom.json", sbom::cyclonedx(&bom).to_string()),
            ("bom.xml", sbom::cyclonedx_xml(&bom)),
            ("a.spdx.json", sbom::spdx(&bom).to_string()),
            ("a.spdx3.json", sbom::spdx3(&bom).to_string()),
        ];
        for (name, bill) in bills {
            let input = single_input(name, Kind::Bill, Kind::Bill.read(bill.as_bytes()));
            assert_eq!((input.status, input.problems.as_slice()), (Status::Parsed, [].as_slice()), "{system} {name}");
            let again = scan(&[input], &index).unwrap();
            assert_eq!(found(&again), found(&direct), "{system} {name}");
            assert_eq!(again.not_judged.len(), direct.not_judged.len(), "{system} {name}");
        }
    }
}
