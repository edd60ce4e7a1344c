//! `aiva scan`: what it says and how it exits.

mod forms;
mod narrowed;
mod sca;
mod staged;

use crate::program::World;

const AFFECTED: &str = "version = 4\n\n[[package]]\nname = \"rustls\"\nversion = \"0.21.10\"\nsource = \
                        \"registry+https://github.com/rust-lang/crates.io-index\"\n";

const CLEAN: &str = "version = 4\n\n[[package]]\nname = \"nobody-knows\"\nversion = \"1.0.0\"\nsource = \
                     \"registry+https://github.com/rust-lang/crates.io-index\"\n";

#[track_caller]
fn check(file: &str, text: &str, args: &[&str], code: i32, said: &[&str]) {
    let world = World::new().with_advisories();
    world.write(&format!("code/{file}"), text);
    let run = world.aiva(&[&["scan", "code"], args].concat());
    let all = run.out() + &run.err();
    assert_eq!(run.code(), code, "{file} {args:?}: {all}");
    for part in said {
        assert!(all.contains(part), "{file} {args:?} does not say {part:?}: {all}");
    }
}

#[test]
fn the_exit_code_says_what_happened() {
    check("Cargo.lock", AFFECTED, &[], 1, &["rustls 0.21.10", "fixed 0.21.11", "line 4", "1 package in 1 file"]);
    check("Cargo.lock", CLEAN, &[], 0, &["No known vulnerability."]);
    check("Cargo.lock", AFFECTED, &["--fail-on", "critical"], 0, &["1 finding"]);
    check("Cargo.lock", AFFECTED, &["--fail-on", "none"], 0, &[]);
    check("Cargo.lock", AFFECTED, &["--ignore", "CVE-2024-32650"], 0, &["1 left out (--ignore)"]);
    check("Cargo.lock", AFFECTED, &["--exclude", "Cargo.lock"], 2, &["there is no manifest", "`--exclude`"]);
    check("requirements.txt", "requests>=2\n", &[], 3, &["requests", "can resolve to an affected version"]);
    check("package-lock.json", "{\"lockfileVersion\": 3, \"packages\": {", &[], 3, &["package-lock.json"]);
    check("package-lock.json", "\u{0}\u{1}\u{2}", &[], 3, &["package-lock.json"]);
    check("paket.lock", "x", &[], 3, &["paket.lock: this release does not read paket.lock; a CycloneDX or SPDX bill"]);
}

#[test]
fn the_table_says_what_a_rule_saw_and_leaves_advisories_their_own_words() {
    let world = World::new().with_advisories();
    world.write("code/app/package.json", "{\"dependencies\": {\"color\": \"^5.0.0\", \"absent\": \"~1.2\"}}");
    let lock = "{\"lockfileVersion\": 3, \"packages\": {\"\": {}, \"node_modules/color\": {\"version\": \"4.2.3\"}}}";
    world.write("code/app/package-lock.json", lock);
    world.write("code/Cargo.lock", AFFECTED);
    let run = world.aiva(&["scan", "code"]);
    for line in [
        "    app/package.json:1 asks for \"^5.0.0\", package-lock.json has 4.2.3; `npm install` mends that",
        "    app/package.json:1 asks for \"~1.2\", package-lock.json does not have it; `npm install` mends that",
    ] {
        assert_eq!(run.out().lines().filter(|shown| *shown == line).count(), 1, "{line}: {}", run.out());
    }
    assert!(!run.out().contains("0.21.10 is in"), "{}", run.out());
}

/// Every command takes the mirrors of the configuration for what they are; a bad one is refused by its line.
#[test]
fn a_mirror_s_packages_are_judged_as_public() {
    let world = World::new().with_advisories();
    let lock = AFFECTED.replace("github.com/rust-lang/crates.io-index", "cargo.corp.example/remote/index");
    world.write("code/Cargo.lock", &lock);
    let run = world.aiva(&["scan", "code"]);
    assert_eq!(run.code(), 3, "{}", run.out());
    assert!(run.out().contains(
        "it comes from https://cargo.corp.example/remote/index, which is not known as a mirror (`sca.mirrors`"
    ));
    let toml = "[sca]\nmirrors = [\"cargo.corp.example/remote\"]\n";
    let owner = "[sca.namespaces.\"rust*\"]\necosystem = \"crates.io\"\nregistry = \"https://cargo.acme.example\"\n";
    world.write("aiva.toml", toml);
    let run = world.aiva(&["scan", "code"]);
    assert_eq!(run.code(), 1, "{}", run.out());
    assert!(!run.out().contains("confusable"), "{}", run.out());
    let uploaded = world.aiva(&["scan", "code", "--format", "json", "--packages"]).json();
    assert_eq!(uploaded["findings"].as_array().map(Vec::len), Some(1), "{uploaded}");
    world.write("aiva.toml", &format!("{toml}{owner}"));
    let run = world.aiva(&["scan", "code"]);
    assert!(run.out().contains("this one from https://cargo.corp.example/remote/index"), "{}", run.out());
    world.write("aiva.toml", "[sca]\nmirrors = [\"a.example\", \"*.example\"]\n");
    let run = world.aiva(&["scan", "code"]);
    assert_eq!(run.code(), 2, "{}", run.out());
    assert!(run.err().contains("aiva.toml:2") && run.err().contains("number 2 is no registry"), "{}", run.err());
}

const SETUP: &str = "setup(install_requires=['requests==2.20.0'])\n";

/// A folder of files, what is asked of it, and how it ends.
/// pnpm 9, which leaves out what it is asked for.
const PNPM: &str =
    r#"{"packageManager": "pnpm@9.0.0", "dependencies": {"a": "^1"}, "pnpm": {"overrides": {"a": "-"}}}"#;

#[test]
fn what_was_not_there_or_not_judged_is_never_called_clean() {
    let never = "{\"dependencies\": {\"nobody-knows\": \"^1\"}}";
    let unread = ("bun.lockb", "x");
    for (files, args, code, said) in [
        (&[("README.md", "x")][..], &[][..], 2, "there is no manifest, lockfile or bill of materials in code"),
        (&[("README.md", "x")], &["--allow-empty"], 0, "No manifest or lockfile found."),
        (&[("oci-layout", "{}")], &[], 2, "scan it with `aiva scan --image`"),
        (&[("Cargo.lock", CLEAN)], &["--exclude", "*.lock"], 2, "look at what `--exclude`"),
        (&[("Cargo.lock", CLEAN)], &["--exclude", "["], 2, "the exclude pattern \"[\" is malformed"),
        (
            &[("Cargo.lock", CLEAN), ("lib/a.jar", "x")],
            &[],
            0,
            "hint: 1 file was passed over (.jar, .war, .ear); `aiva scan --installed` reads",
        ),
        (&[("package.json", never)], &[], 0, "No known vulnerability."), // judged: never
        (&[("package.json", "{}")], &[], 0, "No known vulnerability. 0 packages in 1 file."),
        // What pnpm does not take, or leaves out, is open to nobody; what it takes may be.
        (
            &[("package.json", PNPM), ("pnpm-workspace.yaml", "packages: []\noverrides:\n  b: 6.7.0\n")],
            &[],
            0,
            "No known vulnerability. 0 packages in 2 files.",
        ),
        (&[("package.json", &PNPM.replace("-\"", "latest\""))], &[], 3, "1 entry not judged"),
        // What it says another file says too, or nobody does.
        (
            &[("package.json", "{}"), unread, ("bun.lock", "{\"lockfileVersion\": 1, \"packages\": {}}")],
            &[],
            0,
            "No known vulnerability.",
        ),
        (&[("package.json", "{}"), unread], &["--exclude", "*.lockb"], 0, "No known vulnerability."),
        (
            &[("package.json", "{}"), unread],
            &[],
            3,
            "bun.lockb: this release does not read bun.lockb; `bun install --save-text-lockfile`",
        ),
        (&[("a/Cargo.lock", CLEAN), ("setup.py", SETUP)], &[], 3, "No known vulnerability in what could be judged."),
        (&[unread], &[], 3, "Nothing could be judged."),
        (&[("package.json", "{}"), ("Cargo.lock", "[[")], &[], 3, "Nothing could be judged."),
        (&[("a/Cargo.lock", CLEAN), ("Cargo.lock", "[[")], &[], 3, "No known vulnerability in what could be judged."),
    ] {
        let world = World::new().with_advisories();
        files.iter().for_each(|(name, text)| world.write(&format!("code/{name}"), text));
        let run = world.aiva(&[&["scan", "code"], args].concat());
        let all = run.out() + &run.err();
        assert_eq!(run.code(), code, "{files:?} {args:?}: {all}");
        assert!(all.contains(said), "{files:?} {args:?} does not say {said:?}: {all}");
    }
    let world = World::new().with_advisories();
    world.write("code/README.md", "x");
    world.write("code/image.tar", "x");
    let archive = world.aiva(&["scan", "code/image.tar"]);
    assert_eq!(archive.code(), 3, "{}", archive.out());
    assert!(archive.err().contains("aiva scan --image"), "{}", archive.err());
    world.write("code/a.jar", "x");
    for (args, said) in [
        (&["scan", "code/a.jar"][..], "an archive of Java: `aiva scan --installed` with this file"),
        (&["scan", "--installed", "code/a.jar"], "a.jar: no archive that can be read"),
    ] {
        let run = world.aiva(args);
        assert_eq!(run.code(), 3, "{}", run.err());
        assert!(run.out().contains(said), "{}", run.out());
    }
    std::fs::remove_file(world.path("code/a.jar")).unwrap();
    for command in [&["sca", "fix", "code"][..], &["sca", "licences", "code"], &["sca", "notice", "code"]] {
        assert_eq!(world.aiva(command).code(), 2, "{command:?}");
    }
}

#[test]
fn whoever_wants_it_quiet_is_told_of_findings_alone() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    world.write("code/requirements.txt", "requests>=2\n");
    let quiet = world.aiva(&["scan", "code", "--quiet"]);
    assert_eq!(quiet.code(), 1);
    assert!(quiet.out().contains("rustls 0.21.10"), "{}", quiet.out());
    for part in ["requests", "packages in", "Advisories:"] {
        assert!(!quiet.out().contains(part), "{part}: {}", quiet.out());
    }
    let counted = world.aiva(&["scan", "code", "--quiet", "--fail-on-ranges"]);
    assert!(counted.out().contains("requests >=2: it can resolve"), "{}", counted.out());
    world.write("code/Cargo.lock", CLEAN);
    let silent = world.aiva(&["scan", "code", "--quiet"]);
    assert_eq!((silent.code(), silent.out()), (3, String::new()));
}

#[test]
fn a_range_that_can_resolve_to_an_affected_version_is_neither_a_finding_nor_unjudged() {
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n[dependencies]\nrustls = \"0.21.3\"\n";
    let world = World::new().with_advisories();
    world.write("code/Cargo.toml", manifest);
    let run = world.aiva(&["scan", "code"]);
    assert_eq!(run.code(), 3, "{}", run.out());
    let said = "Cargo.toml:5: rustls 0.21.3: it can resolve to a version with CVE-2024-32650 (high); from 0.21.11 on it cannot";
    assert!(run.out().contains(said), "{}", run.out());
    assert!(run.out().contains("1 entry can resolve to an affected version"), "{}", run.out());
    assert!(!run.out().contains("not judged"), "{}", run.out());
    let document = world.aiva(&["scan", "code", "--format", "json"]).json();
    let entry = &document["inputs"][0]["can_resolve"][0];
    assert_eq!((entry["requirement"].as_str(), entry["safe_from"].as_str()), (Some("0.21.3"), Some("0.21.11")));
    assert_eq!((entry["line"].as_u64(), entry["scope"].as_str()), (Some(5), Some("runtime")));
    assert_eq!(entry["advisories"][0]["id"], "CVE-2024-32650");
    assert_eq!((&document["summary"]["can_resolve"], &document["summary"]["not_judged"]), (&1.into(), &0.into()));
    assert_eq!(document["findings"], serde_json::json!([]));
    world.write("before.json", &document.to_string());
    for (args, code) in [
        (&["--fail-on-ranges"][..], 1),
        (&["--fail-on-ranges", "--fail-on", "high"], 1),
        (&["--fail-on-ranges", "--fail-on", "critical"], 3),
        (&["--fail-on-ranges", "--baseline", "before.json"], 0), // known before
        (&["--fail-on-ranges", "--ignore", "CVE-2024-32650"], 0),
        (&["--fail-on-ranges", "--severity", "critical"], 0),
    ] {
        let run = world.aiva(&[&["scan", "code"], args].concat());
        assert_eq!(run.code(), code, "{args:?}: {}", run.out());
    }
    world.write(
        "aiva.toml",
        "[[exceptions]]\nguard = \"sca\"\nmatch = { id = \"CVE-2024-32650\", package = \"rustls\" }\nowner = \"a\"\nreason = \"b\"\nexpires = 2999-01-01\n",
    );
    let run = world.aiva(&["scan", "code", "--fail-on-ranges"]);
    assert_eq!(run.code(), 0, "{}", run.out());
    assert!(run.out().contains("1 left out (possible, accepted by exceptions)"), "{}", run.out());
}

#[test]
fn a_file_by_its_bare_name_is_read_with_what_stands_beside_it() {
    let world = World::new().with_advisories();
    world.write("package.json", "{\"dependencies\": {\"nobody-knows\": \"catalog:\"}}");
    assert_eq!(world.aiva(&["scan", "package.json"]).code(), 3);
    world.write("pnpm-workspace.yaml", "catalog:\n  nobody-knows: 1.0.0\n");
    let run = world.aiva(&["scan", "package.json"]);
    assert_eq!(run.code(), 0, "{}", run.out());
}

#[test]
fn without_advisories_nothing_is_ever_clean() {
    let world = World::new();
    world.write("code/Cargo.lock", CLEAN);
    let run = world.aiva(&["scan", "code"]);
    assert_eq!(run.code(), 2, "{}", run.out());
    assert!(run.err().contains("hint: run `aiva advisories update`"), "{}", run.err());
    let run = world.aiva(&["scan", "code", "--stale", "warn"]);
    assert_eq!(run.code(), 3, "{}", run.out());
    assert!(run.out().contains("there are no advisories") && !run.out().contains("No known"), "{}", run.out());
}

#[test]
fn a_missing_folder_and_a_wrong_flag_are_errors() {
    let world = World::new().with_advisories();
    for args in [&["scan", "nowhere"][..], &["scan", ".", "--max-age", "soon"], &["scan", ".", "--format", "xml"]] {
        let run = world.aiva(args);
        assert_eq!(run.code(), 2, "{args:?}: {}", run.err());
        assert!(run.err().contains("error:"), "{}", run.err());
    }
}

const TREE: &str = "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\"client\"]\n\n\
                    [[package]]\nname = \"client\"\nversion = \"1.0.0\"\nsource = \
                    \"registry+https://github.com/rust-lang/crates.io-index\"\ndependencies = [\"rustls\"]\n\n\
                    [[package]]\nname = \"rustls\"\nversion = \"0.21.10\"\nsource = \
                    \"registry+https://github.com/rust-lang/crates.io-index\"\n";

#[test]
fn a_root_file_system_is_judged_by_the_advisories_of_its_release() {
    const RECORD: &str = r#"{"id": "DEBIAN-CVE-2024-1", "modified": "2026-01-01T00:00:00Z", "upstream": ["CVE-2024-1"],
        "affected": [{"package": {"ecosystem": "Debian:12", "name": "openssl"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.13-1"}]}]}]}"#;
    let world = World::new();
    world.write("osv/Debian/1.json", RECORD);
    world.write("root/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    world.write("root/srv/Cargo.lock", AFFECTED); // of an application
    world.write("root/srv/Cargo.toml", "[package]\nname = \"x\"\n"); // a root is no repository
    let package = "Package: libssl3\nStatus: install ok installed\nSource: openssl\nVersion: 3.0.11-1\n\n";
    world.write("root/var/lib/dpkg/status", package);
    for args in [&["scan", "root"][..], &["scan", "--rootfs", "root"]] {
        let run = world.aiva(&[args, &["--advisories", "osv", "--format", "json", "--packages"]].concat());
        assert_eq!(run.code(), 1, "{}", run.err());
        let document = run.json();
        let finding = &document["findings"][0];
        assert_eq!((&finding["id"], &finding["path"]), (&"CVE-2024-1".into(), &"var/lib/dpkg/status".into()));
        assert_eq!(finding["ecosystem"], "Debian:12", "{finding}");
        let inputs: Vec<_> = document["inputs"].as_array().unwrap().iter().map(|input| &input["path"]).collect();
        assert_eq!(inputs, ["srv/Cargo.lock", "var/lib/dpkg/status"]);
        let packages = document["packages"].as_array().unwrap();
        let libssl = "pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12";
        assert!(packages.iter().any(|package| package["purl"] == libssl), "{packages:?}");
        assert!(run.out().contains("built from openssl 3.0.11-1"), "{}", run.out());
        assert_eq!(document["findings"].as_array().map(Vec::len), Some(1), "{document}");
    }
    world.write("root/etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n");
    let run = world.aiva(&["scan", "--rootfs", "root", "--advisories", "osv"]);
    assert_eq!(run.code(), 3, "{}", run.out());
    assert!(run.out().contains("the advisory index has nothing on Debian:13"), "{}", run.out());
    for image in ["nowhere", "root", "osv/Debian/1.json"] {
        let run = world.aiva(&["scan", "--image", image, "--advisories", "osv"]);
        assert_eq!(run.code(), 2, "{image}: {}", run.out());
        assert!(run.err().contains("cannot scan the image"), "{}", run.err());
    }
}
