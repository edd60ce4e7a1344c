//! Licences are found where package managers leave them, for the very version, and judged by the policy.

use std::fs;
use std::path::Path;

use aiva_sca::checks::Checks;
use aiva_sca::finding::Kind;
use aiva_sca::inventory::{Options, walk};
use aiva_sca::licence::locate::Caches;
use aiva_sca::licence::policy::Policy;
use aiva_sca::licence::recognise::recognise;
use aiva_sca::licence::report::{Format, notice, report};
use aiva_sca::licence::survey::{Depth, survey};
use jiff::civil::date;

mod caches;

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

pub(super) fn text(licence: &str) -> &'static str {
    spdx::license_id(licence).unwrap().text()
}

/// The licence of each package of a tree, as `name version: licence`.
#[track_caller]
pub(super) fn check(files: &[(&str, &str)], want: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (root, home) = (folder.path().join("project"), folder.path().join("home"));
    fs::create_dir_all(&root).unwrap();
    let (ours, shared): (Vec<_>, Vec<_>) = files.iter().copied().partition(|(path, _)| !path.starts_with("~/"));
    write(&root, &ours);
    write(&home, &shared.iter().map(|(path, text)| (&path[2..], *text)).collect::<Vec<_>>());
    let caches = Caches {
        cargo: Some(home.join("cargo")),
        go: Some(home.join("gomod")),
        maven: Some(home.join("m2")),
        nuget: Some(home.join("nuget")),
        gems: vec![home.join("gem")],
        dart: Some(home.join("pub-cache")),
        yarn: Some(home.join("yarn/cache")),
    };
    let inventory = walk(&root, &Options::default(), &|_| {}).unwrap();
    let licensed = survey(&root, &inventory.inputs, &caches, Depth::Licences);
    let got: Vec<String> =
        licensed.iter().map(|one| format!("{} {}: {}", one.package.name, one.package.version, one.licence)).collect();
    assert_eq!(got, want);
}

const CARGO_LOCK: &str = "version = 4\n\n[[package]]\nname = \"left\"\nversion = \"1.0.0\"\n\
    source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"\n";
const NOT_INSTALLED: &str = "unknown: the lockfile does not say, and the package is in no local cache: not in vendor/ or Cargo's \
    registry/src";

#[test]
fn a_crate_is_looked_up_in_vendor_and_in_cargos_own_cache() {
    let manifest = "[package]\nname = \"left\"\nversion = \"1.0.0\"\nlicense = \"MIT/Apache-2.0\"\n";
    check(&[("Cargo.lock", CARGO_LOCK)], &[&format!("left 1.0.0: {NOT_INSTALLED}")]);
    check(&[("Cargo.lock", CARGO_LOCK), ("vendor/left/Cargo.toml", manifest)], &["left 1.0.0: MIT OR Apache-2.0"]);
    let cached = "~/cargo/registry/src/index.crates.io-1/left-1.0.0/Cargo.toml";
    check(&[("Cargo.lock", CARGO_LOCK), (cached, manifest)], &["left 1.0.0: MIT OR Apache-2.0"]);
    // Another version says nothing of this one.
    let other = manifest.replace("1.0.0", "2.0.0");
    check(
        &[("Cargo.lock", CARGO_LOCK), ("vendor/left/Cargo.toml", &other)],
        &[&format!("left 1.0.0: {NOT_INSTALLED}")],
    );
    // Only a file instead of a name.
    let by_file = "[package]\nname = \"left\"\nversion = \"1.0.0\"\nlicense-file = \"TERMS\"\n";
    let files =
        [("Cargo.lock", CARGO_LOCK), ("vendor/left/Cargo.toml", by_file), ("vendor/left/TERMS", text("MPL-2.0"))];
    check(&files, &["left 1.0.0: MPL-2.0"]);
}

#[test]
fn a_node_package_is_looked_up_in_every_node_modules_above_it() {
    let lock = r#"{"name":"app","lockfileVersion":3,"packages":{"":{"name":"app"},
        "node_modules/locked":{"version":"1.0.0","license":"ISC"},
        "node_modules/own":{"version":"1.0.0"},
        "node_modules/own/node_modules/nested":{"version":"2.0.0"},
        "node_modules/nested":{"version":"1.0.0"},
        "node_modules/old":{"version":"0.1.0"},
        "node_modules/elsewhere":{"version":"3.0.0"}}}"#;
    let package =
        |name: &str, version: &str, more: &str| format!("{{\"name\":{name:?},\"version\":{version:?}{more}}}");
    check(
        &[
            ("web/package-lock.json", lock),
            ("node_modules/own/package.json", &package("own", "1.0.0", r#","license":"(MIT OR CC0-1.0)""#)),
            ("node_modules/own/node_modules/nested/package.json", &package("nested", "2.0.0", r#","license":"0BSD""#)),
            ("node_modules/nested/package.json", &package("nested", "1.0.0", r#","license":"BSD""#)),
            (
                "node_modules/old/package.json",
                &package("old", "0.1.0", r#","licenses":[{"type":"MIT"},{"type":"GPL-2.0"}]"#),
            ),
            (
                "node_modules/elsewhere/package.json",
                &package("elsewhere", "3.0.0", r#","license":"SEE LICENSE IN x.md""#),
            ),
            ("node_modules/elsewhere/LICENSE.md", text("BUSL-1.1")),
        ],
        &[
            "locked 1.0.0: ISC",
            "own 1.0.0: MIT OR CC0-1.0",
            "nested 2.0.0: 0BSD",
            r#"nested 1.0.0: unclear: "BSD" is one of BSD-2-Clause, BSD-3-Clause, BSD-4-Clause, 0BSD, BSD-1-Clause"#,
            "old 0.1.0: MIT OR GPL-2.0-only",
            "elsewhere 3.0.0: BUSL-1.1",
        ],
    );
}

#[test]
fn a_distribution_is_looked_up_in_the_virtual_environment() {
    let lock = "attrs==23.1.0\nflask==2.3.3\nold_one==1.0\nvague==2.0\n";
    let site = ".venv/lib/python3.12/site-packages";
    let at = |folder: &str, file: &str| format!("{site}/{folder}.dist-info/{file}");
    check(
        &[
            ("requirements.txt", lock),
            (
                &at("attrs-23.1.0", "METADATA"),
                "Metadata-Version: 2.4\nName: attrs\nVersion: 23.1.0\nLicense-Expression: MIT\n\ntext",
            ),
            (
                &at("flask-2.3.3", "METADATA"),
                "Name: Flask\nVersion: 2.3.3\nLicense: BSD\nClassifier: License :: OSI Approved :: BSD License\n\n",
            ),
            (&at("flask-2.3.3", "licenses/LICENSE.rst"), text("BSD-3-Clause")), // the text decides what `BSD` means
            (&at("old_one-1.0", "METADATA"), "Name: old-one\nVersion: 1.0\nLicense: UNKNOWN\n\nLicense: MIT\n"),
            (&at("vague-2.0", "METADATA"), "Name: vague\nVersion: 2.0\nLicense: Whatever you like\n\n"),
        ],
        &[
            "attrs 23.1.0: MIT",
            "flask 2.3.3: BSD-3-Clause",
            "old-one 1.0: unknown: the package does not say",
            r#"vague 2.0: unknown: "Whatever you like" is no licence on the SPDX list"#,
        ],
    );
}

#[test]
fn a_pom_is_looked_up_in_mavens_repository_and_its_parents_there() {
    let project = "<project><dependencies>\
        <dependency><groupId>org.a</groupId><artifactId>own</artifactId><version>1.0</version></dependency>\
        <dependency><groupId>org.a</groupId><artifactId>child</artifactId><version>2.0</version></dependency>\
        <dependency><groupId>org.a</groupId><artifactId>silent</artifactId><version>1.0</version></dependency>\
        <dependency><groupId>org.a</groupId><artifactId>gone</artifactId><version>1.0</version></dependency>\
        </dependencies></project>";
    let licensed = |name: &str, more: &str| {
        format!("<project>{more}<licenses><license><name>{name}</name></license></licenses></project>")
    };
    let child = "<project><parent><groupId>org.a</groupId><artifactId>parent</artifactId><version>7</version></parent></project>";
    check(
        &[
            ("pom.xml", project),
            ("~/m2/org/a/own/1.0/own-1.0.pom", &licensed("Apache License, Version 2.0", "")),
            ("~/m2/org/a/own/2.0/own-2.0.pom", &licensed("MIT", "")), // another version
            ("~/m2/org/a/child/2.0/child-2.0.pom", child),
            ("~/m2/org/a/parent/7/parent-7.pom", &licensed("Eclipse Public License - v 1.0", "")),
            ("~/m2/org/a/silent/1.0/silent-1.0.pom", "<project></project>"),
        ],
        &[
            "org.a:own 1.0: Apache-2.0",
            "org.a:child 2.0: EPL-1.0",
            "org.a:silent 1.0: unknown: the package does not say",
            "org.a:gone 1.0: unknown: the lockfile does not say, and the package is in no local cache: not in Maven's local repository",
        ],
    );
}

#[test]
fn a_licence_file_is_found_by_other_names_in_other_places_and_in_utf_16() {
    let wide = |text: &str, of: fn(u16) -> [u8; 2]| {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(of).collect::<Vec<u8>>()
    };
    let (mit, isc) = (text("MIT").as_bytes().to_vec(), text("ISC").as_bytes().to_vec());
    let see = |file: &str| format!(r#","license":"SEE LICENSE IN {file}""#);
    for (stated, files, want) in [
        (String::new(), &[("MIT-LICENSE.txt", mit.clone())][..], "MIT"),
        (String::new(), &[("LICENSES/MIT.txt", mit.clone()), ("LICENSES/ISC.txt", isc.clone())], "ISC AND MIT"),
        (String::new(), &[("LICENSE", mit.clone()), ("LICENSES/ISC.txt", isc.clone())], "MIT"),
        (String::new(), &[("LICENSE", wide(text("MIT"), u16::to_le_bytes))], "MIT"),
        (String::new(), &[("LICENSE", wide(text("MIT"), u16::to_be_bytes))], "MIT"),
        (see("docs/TERMS.txt"), &[("docs/TERMS.txt", isc.clone())], "ISC"),
        (see("./docs/TERMS.txt"), &[("docs/TERMS.txt", isc.clone()), ("LICENSE", mit.clone())], "ISC AND MIT"),
        (see("../l2/LICENSE"), &[("../l2/LICENSE", isc.clone())], "unknown: the package does not say"), // not its own
        (see("docs/GONE.txt"), &[("LICENSE", mit.clone())], "MIT"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let lock = r#"{"name":"app","lockfileVersion":3,"packages":{"":{},"node_modules/l":{"version":"1.0.0"}}}"#;
        let package = format!(r#"{{"name":"l","version":"1.0.0"{stated}}}"#);
        write(folder.path(), &[("package-lock.json", lock), ("node_modules/l/package.json", &package)]);
        for (name, bytes) in files {
            let file = folder.path().join("node_modules/l").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
        let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
        let licensed = survey(folder.path(), &inventory.inputs, &Caches::default(), Depth::Licences);
        assert_eq!(
            licensed[0].licence.to_string(),
            want,
            "{stated} {:?}",
            files.iter().map(|one| one.0).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_go_module_is_known_by_its_text_alone() {
    let lock = "module example.com/app\n\ngo 1.22\n\nrequire github.com/BurntSushi/toml v1.3.2\n";
    let cached = "~/gomod/github.com/!burnt!sushi/toml@v1.3.2/COPYING";
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("go.mod", lock), ("home/gomod/github.com/!burnt!sushi/toml@v1.3.2/COPYING", text("MIT"))]);
    let caches = Caches { go: Some(folder.path().join("home/gomod")), ..Caches::default() };
    let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
    let licensed = survey(folder.path(), &inventory.inputs, &caches, Depth::Licences);
    let toml = licensed.iter().find(|one| one.package.name == "github.com/BurntSushi/toml").unwrap();
    assert_eq!(toml.licence.to_string(), "MIT", "{cached}");
    let licensed = survey(folder.path(), &inventory.inputs, &caches, Depth::Texts);
    let stdlib = licensed.iter().find(|one| one.package.name == "stdlib").unwrap();
    assert_eq!((&*stdlib.licence.to_string(), stdlib.texts.len()), ("BSD-3-Clause", 1));
    assert_eq!(recognise(&stdlib.texts[0].text).unwrap().licences, ["BSD-3-Clause"]);
}

#[test]
fn licence_files_mean_what_they_say_together() {
    let gpl = text("GPL-3.0-only");
    let lesser = text("LGPL-3.0-only");
    let lesser = &lesser[..lesser.rfind("GNU GENERAL PUBLIC LICENSE").unwrap()];
    let mit = text("MIT");
    let enterprise = "Files under ee/ may be used only with a paid subscription. You may not copy them.\n";
    let military = format!("{mit}\n\nThe Software may not be used by any military organisation.\n");
    let with =
        |base: &str| format!("unknown: {base} with terms of its own: \"may not be used by any military organization\"");
    let lock =
        r#"{"name":"app","lockfileVersion":3,"packages":{"":{"name":"app"},"node_modules/l":{"version":"1.0.0"}}}"#;
    let package = r#"{"name":"l","version":"1.0.0"}"#;
    for (files, want) in [
        (&[("COPYING.LESSER", lesser)][..], "LGPL-3.0-only".to_owned()),
        (&[("COPYING", gpl), ("COPYING.LESSER", lesser)], "LGPL-3.0-only".to_owned()),
        (&[("LICENSE.GPL", gpl), ("LICENSE.LGPL", lesser)], "LGPL-3.0-only".to_owned()),
        (&[("COPYING", gpl), ("LICENSE.LGPL", text("LGPL-2.1-only"))], "GPL-3.0-only AND LGPL-2.1-only".to_owned()),
        (&[("COPYING", gpl), ("COPYING.LESSER", lesser), ("LICENSE", mit)], "LGPL-3.0-only AND MIT".to_owned()),
        (&[("COPYING", gpl)], "GPL-3.0-only".to_owned()),
        (
            &[("COPYING", gpl), ("COPYING.RUNTIME", text("GPL-3.0-with-GCC-exception"))],
            "GPL-3.0-only WITH GCC-exception-3.1".to_owned(),
        ),
        (&[("LICENSE", text("eCos-2.0"))], "GPL-2.0-or-later WITH eCos-exception-2.0".to_owned()),
        (
            &[("LICENSE", mit), ("LICENSE.enterprise", enterprise)],
            "unknown: MIT and what node_modules/l/LICENSE.enterprise says, a text that is no licence on the SPDX list"
                .to_owned(),
        ),
        (&[("LICENSE", mit), ("LICENSE-NOTICES", enterprise)], "MIT".to_owned()), // by its name no licence
        (&[("LICENSE", mit), ("COPYING", "Under the terms in LICENSE, at your option.")], "MIT".to_owned()),
        (&[("LICENSE", &military)], with("MIT")),
        (&[("LICENSE", &military), ("LICENSE-APACHE", text("Apache-2.0"))], with("MIT AND Apache-2.0")),
    ] {
        let paths: Vec<String> = files.iter().map(|(name, _)| format!("node_modules/l/{name}")).collect();
        let mut all = vec![("package-lock.json", lock), ("node_modules/l/package.json", package)];
        all.extend(paths.iter().zip(files).map(|(path, (_, text))| (path.as_str(), *text)));
        check(&all, &[&format!("l 1.0.0: {want}")]);
    }
}

#[test]
fn what_the_policy_refuses_is_a_finding_and_no_policy_is_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    let lock = r#"{"name":"app","lockfileVersion":3,"packages":{"":{"name":"app"},
        "node_modules/a":{"version":"1.0.0","license":"AGPL-3.0"},
        "node_modules/b":{"version":"1.0.0","license":"MIT"},
        "node_modules/c":{"version":"1.0.0"}}}"#;
    write(folder.path(), &[("package-lock.json", lock)]);
    let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
    let ids = |licences: Policy| {
        let checks = Checks { licences, ..Checks::default() };
        let mut findings = checks.run(folder.path(), &inventory.inputs, None, date(2026, 11, 21));
        findings.retain(|finding| finding.verdict.kind == Kind::License); // the supply chain has rules of its own
        findings.iter().map(|one| format!("{} {}:{}", one.verdict.id, one.name, one.line)).collect::<Vec<_>>()
    };
    assert!(ids(Policy::default()).is_empty());
    let policy = Policy { deny: vec!["AGPL-*".parse().unwrap()], ..Policy::default() };
    assert_eq!(ids(policy), ["license-denied:AGPL-3.0-only a:2", "license-unknown c:4"]);
}

#[test]
fn the_reports_say_every_package_once() {
    let folder = tempfile::tempdir().unwrap();
    let lock = r#"{"name":"app","lockfileVersion":3,"packages":{"":{"name":"app"},
        "node_modules/a":{"version":"1.0.0","license":"MIT OR GPL-3.0-only"},
        "node_modules/=evil,":{"version":"1.0.0","license":"MPL-2.0"},
        "node_modules/c":{"version":"1.0.0"}}}"#;
    let shipped = "Copyright 2026 Ana\n\nDo as you like.\n";
    let files = [
        ("package-lock.json", lock),
        ("web/package-lock.json", lock),
        ("node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#),
        ("node_modules/a/LICENSE", shipped),
        ("node_modules/a/Notice.TXT", "Made by Ana.\n"),
        ("node_modules/a/NOTICE.js", "no notice"),
    ];
    write(folder.path(), &files);
    let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
    let licensed = survey(folder.path(), &inventory.inputs, &Caches::default(), Depth::Texts);
    let said = report(&Policy::default(), &licensed);
    insta::assert_snapshot!("licences_table", said.write(Format::Table));
    insta::assert_snapshot!("licences_markdown", said.write(Format::Markdown));
    insta::assert_snapshot!("licences_csv", said.write(Format::Csv));
    let json: serde_json::Value = serde_json::from_str(&said.write(Format::Json)).unwrap();
    assert_eq!(json["packages"].as_array().unwrap().len(), 3);
    insta::assert_snapshot!("notice", notice(&licensed));
}
