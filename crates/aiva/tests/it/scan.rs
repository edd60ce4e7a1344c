//! `aiva scan`: what it says and how it exits.

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
    check("paket.lock", "x", &[], 3, &["paket.lock is known, but this release does not read it"]);
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

/// A folder of files, what is asked of it, and how it ends.
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
        (&[("package.json", never)], &[], 0, "No known vulnerability."), // judged: never
        (&[("package.json", "{}")], &[], 0, "No known vulnerability. 0 packages in 1 file."),
        (&[("package.json", "{}"), unread], &[], 0, "No known vulnerability."),
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
fn a_result_that_cannot_be_written_is_an_error() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", CLEAN);
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else { return }; // Linux has it
    let mut command = crate::program::command(world.folder.path());
    let out = command.args(["scan", "code", "--data-dir", "data"]).stdout(full).output().unwrap();
    let run = crate::program::Run::new(out);
    assert_eq!(run.code(), 2);
    assert!(run.err().contains("cannot write the result"), "{}", run.err());
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
        (&["--fail-on-ranges", "--baseline", "before.json"], 3), // known before
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

#[test]
fn the_document_is_what_the_contract_says() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    let document = world.aiva(&["scan", "code", "--format", "json", "--packages"]).json();
    assert_eq!(document["schema"], "aiva.scan/1");
    assert_eq!(document["inputs"][0]["status"], "parsed");
    assert_eq!(document["packages"][0]["purl"], "pkg:cargo/rustls@0.21.10");
    let finding = &document["findings"][0];
    assert_eq!((finding["id"].as_str(), finding["line"].as_u64()), (Some("CVE-2024-32650"), Some(4)));
    assert_eq!(finding["severity"]["level"], "high");
    let sarif = world.aiva(&["scan", "code", "--format", "sarif"]).json();
    assert_eq!(sarif["version"], "2.1.0");
    let file = world.aiva(&["scan", "code", "--format", "json", "--output", "report.json"]);
    assert_eq!((file.code(), file.out().as_str()), (1, ""));
    assert!(world.path("report.json").is_file());
}

#[test]
fn whatever_is_kept_for_a_form_the_text_is_the_contract_s() {
    let world = World::new().with_advisories();
    for folder in ["a", "b", "a/deep"] {
        world.write(&format!("code/{folder}/Cargo.lock"), AFFECTED);
    }
    world.write("code/requirements.txt", "requests>=2\n");
    world.write("code/web/package.json", "{\"dependencies\": {\"left-pad\": \"^1\"}}");
    world.write("before.json", &world.aiva(&["scan", "code", "--exclude", "/a", "--format", "json"]).out());
    world.write("deny.toml", "[sca.licences]\ndeny = [\"GPL-3.0-only\"]\n");
    let plain = world.aiva(&["scan", "code", "--format", "json"]).json();
    assert_eq!(plain["findings"].as_array().map(Vec::len), Some(3));
    let base = ["scan", "code", "--format", "json"];
    for args in [&[][..], &["--packages"], &["--config", "deny.toml"], &["--installed"], &["--baseline", "before.json"]]
    {
        let run = world.aiva(&[&base, args].concat());
        let document: aiva_contracts::api::ScanDocument = serde_json::from_str(&run.out()).unwrap();
        assert_eq!(run.out(), serde_json::to_string(&document).unwrap() + "\n", "{args:?}");
        let mut said = run.json();
        assert_eq!(said.as_object_mut().unwrap().remove("packages").is_some(), args == ["--packages"]);
        match args {
            ["--baseline", _] => assert_eq!((&said["summary"]["known"], run.code()), (&1.into(), 1)),
            ["--config", _] => assert_eq!(said["inputs"], plain["inputs"]), // with findings about licences
            _ => assert_eq!(said, plain, "{args:?}"),
        }
    }
}

#[test]
fn an_exception_of_the_configuration_covers_until_its_day() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    let exception = |day: &str| {
        format!(
            "[[exceptions]]\nguard = \"sca\"\nmatch = {{ id = \"CVE-2024-32650\" }}\nowner = \"a\"\nreason = \"b\"\nexpires = {day}\n"
        )
    };
    world.write("aiva.toml", &exception("2999-01-01"));
    let covered = world.aiva(&["scan", "code"]);
    assert_eq!(covered.code(), 0, "{}", covered.out());
    assert!(covered.out().contains("1 left out (accepted by exceptions)"), "{}", covered.out());
    world.write("aiva.toml", &exception("2020-01-01"));
    let over = world.aiva(&["scan", "code"]);
    assert_eq!(over.code(), 1, "{}", over.out());
    assert!(over.out().contains("expired"), "{}", over.out());
}

#[test]
fn every_mistake_of_a_configuration_is_said_at_once() {
    let world = World::new();
    world.write("aiva.toml", "[server]\nlisten = \"nowhere\"\nlistn = 1\n[[services]]\nname = \"a b\"\n");
    let run = world.aiva(&["config", "check"]);
    assert_eq!(run.code(), 2);
    for part in ["aiva.toml:2", "aiva.toml:3", "aiva.toml:5"] {
        assert!(run.err().contains(part), "{part}: {}", run.err());
    }
}

const TREE: &str = "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\"client\"]\n\n\
                    [[package]]\nname = \"client\"\nversion = \"1.0.0\"\nsource = \
                    \"registry+https://github.com/rust-lang/crates.io-index\"\ndependencies = [\"rustls\"]\n\n\
                    [[package]]\nname = \"rustls\"\nversion = \"0.21.10\"\nsource = \
                    \"registry+https://github.com/rust-lang/crates.io-index\"\n";

#[test]
fn a_finding_says_why_and_where() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", TREE);
    let document = world.aiva(&["scan", "code", "--format", "json"]).json();
    let finding = &document["findings"][0];
    assert_eq!((finding["line"].as_u64(), finding["column"].as_u64()), (Some(15), Some(9)));
    assert_eq!((finding["direct"].as_bool(), finding["scope"].as_str()), (Some(false), Some("runtime")));
    let path = serde_json::json!({ "shortest": [["shop 0.1.0", "client 1.0.0", "rustls 0.21.10"]], "count": 1 });
    assert_eq!(finding["paths"], path);
    let matched = &finding["matched"][0];
    assert_eq!(matched["record"], "RUSTSEC-2024-0336");
    assert_eq!(matched["events"].as_array().unwrap().last().unwrap(), "fixed 0.21.11");
    let function = "rustls::ConnectionCommon::complete_io";
    assert_eq!(finding["symbols"], serde_json::json!([function]));
    let term = serde_json::json!({ "name": "symbols", "value": "1 function named", "points": 3.0 });
    assert_eq!(finding["priority"]["terms"].as_array().unwrap().last(), Some(&term));
    let why = world.aiva(&["sca", "why", "rustls", "code"]);
    assert_eq!(why.code(), 0, "{}", why.err());
    assert!(why.out().contains("Cargo.lock line 15  (transitive, runtime)"), "{}", why.out());
    assert!(why.out().contains("  shop 0.1.0 > client 1.0.0 > rustls 0.21.10\n"), "{}", why.out());
    assert!(why.out().ends_with(&format!("\n  CVE-2024-32650, functions: {function}\n")), "{}", why.out());
    let asked = ["sca", "why", "pkg:cargo/rustls", "code", "--format", "json"];
    let why = world.aiva(&asked).json();
    assert_eq!(why[0]["paths"]["depth"], 3);
    assert_eq!(why[0]["advisories"], serde_json::json!([{ "id": "CVE-2024-32650", "symbols": [function] }]));
    // Who brings it in is told without advisories too.
    std::fs::remove_dir_all(world.path("data")).unwrap();
    let why = world.aiva(&asked).json();
    assert_eq!((why[0]["paths"]["depth"].as_u64(), &why[0]["advisories"]), (Some(3), &serde_json::Value::Null));
    assert_eq!(world.aiva(&["sca", "why", "nothing", "code"]).code(), 1);
}

#[test]
fn every_form_is_written() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    for (form, part) in [
        ("junit", "<failure type=\"high\""),
        ("github", "::error file=Cargo.lock,line=4,col=9,title=rustls 0.21.10%3A CVE-2024-32650::"),
        ("gitlab", "\"severity\": \"High\""),
        ("markdown", "| high | [`CVE-2024-32650`]("),
        ("html", "<b>rustls</b>"),
    ] {
        let run = world.aiva(&["scan", "code", "--format", form]);
        assert_eq!(run.code(), 1, "{form}: {}", run.err());
        assert!(run.out().contains(part), "{form}: {}", run.out());
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(world.aiva(&["completions", shell]).out().contains("version-order"), "{shell}");
    }
    assert!(world.aiva(&["man"]).out().contains(".TH aiva 1"));
}

#[test]
fn a_bill_of_materials_has_the_tree_and_is_dated_by_the_build() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", TREE);
    for (form, part) in [
        ("cyclonedx", "\"bomFormat\": \"CycloneDX\""),
        ("cyclonedx-xml", "<bom xmlns=\"http://cyclonedx.org/schema/bom/1.6\""),
        ("spdx", "\"spdxVersion\": \"SPDX-2.3\""),
        ("spdx3", "\"security_Vulnerability\""),
    ] {
        let run = || world.aiva_with(&["scan", "code", "--format", form], &[("SOURCE_DATE_EPOCH", "1700000000")]);
        let one = run();
        assert_eq!(one.code(), 1, "{form}: {}", one.err());
        assert!(one.out().contains(part) && one.out().contains("2023-11-14T22:13:20Z"), "{form}: {}", one.out());
        assert_eq!(one.out(), run().out(), "{form}");
    }
    assert_eq!(world.aiva_with(&["scan", "code", "--format", "spdx"], &[("SOURCE_DATE_EPOCH", "now")]).code(), 2);
}

#[test]
fn a_statement_rules_a_finding_out_and_says_why() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    let vex = |status: &str, product: &str| {
        format!(
            r#"{{"@context": "https://openvex.dev/ns/v0.2.0", "author": "ana", "statements": [{{"vulnerability":
            {{"name": "RUSTSEC-2024-0336"}}, "products": [{{"@id": "{product}"}}], "status": "{status}",
            "justification": "vulnerable_code_not_in_execute_path"}}]}}"#
        )
    };
    let check = |text: &str, code: i32, said: &[&str]| {
        world.write("vex.json", text);
        let run = world.aiva(&["scan", "code", "--vex", "vex.json"]);
        let all = run.out() + &run.err();
        assert_eq!(run.code(), code, "{text}: {all}");
        said.iter().for_each(|part| assert!(all.contains(part), "{text} does not say {part:?}: {all}"));
    };
    check(
        &vex("not_affected", "pkg:cargo/rustls@0.21.10"),
        0,
        &["1 left out (ruled out by VEX)", "No known vulnerability"],
    );
    check(&vex("fixed", "pkg:cargo/rustls"), 0, &["ruled out by VEX"]);
    check(&vex("affected", "pkg:cargo/rustls"), 1, &["1 finding"]);
    check(&vex("under_investigation", "pkg:cargo/rustls"), 1, &["1 finding"]);
    check(&vex("not_affected", "pkg:cargo/rustls@0.21.9"), 1, &["1 VEX statement speaks of nothing that was found"]);
    check("{}", 2, &["is no VEX document", "hint:"]);
    world.write("vex.json", &vex("not_affected", "pkg:cargo/rustls"));
    let document = world.aiva(&["scan", "code", "--vex", "vex.json", "--format", "json"]).json();
    assert_eq!(document["findings"][0]["statement"]["justification"], "vulnerable_code_not_in_execute_path");
    assert_eq!(
        (document["summary"]["suppressed"].as_u64(), document["summary"]["findings"]["high"].as_u64()),
        (Some(1), Some(0))
    );
}

#[test]
fn a_baseline_lets_only_what_is_new_fail() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", CLEAN);
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        let folder = world.path("code");
        let output = std::process::Command::new("git").arg("-C").arg(folder).args(identity).args(args).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !git(&["init", "-q"]) {
        eprintln!("skipped: there is no git here");
        return;
    }
    assert!(git(&["add", "."]) && git(&["commit", "-qm", "clean"]) && git(&["tag", "clean"]));
    world.write("code/Cargo.lock", AFFECTED);
    world.write("code/deep/Cargo.lock", TREE);
    let scan = |args: &[&str]| world.aiva(&[&["scan", "code"], args].concat());
    assert_eq!(scan(&["--format", "json", "--output", "before.json"]).code(), 1);
    let new = scan(&["--baseline", "clean"]);
    assert_eq!(new.code(), 1, "{}", new.err());
    assert!(new.out().contains("new: ") && new.out().contains("0 known from the baseline"), "{}", new.out());
    assert!(git(&["add", "."]) && git(&["commit", "-qm", "affected"]));
    for baseline in ["HEAD", "before.json"] {
        let same = scan(&["--baseline", baseline]);
        assert_eq!(same.code(), 0, "{baseline}: {}{}", same.out(), same.err());
        assert!(same.out().contains("2 known from the baseline"), "{baseline}: {}", same.out());
    }
    // Whoever has the whole repository finds the file by these, though only a part was scanned.
    for (format, want) in [
        ("github", "file=deep/Cargo.lock,"),
        ("sarif", "\"uri\": \"deep/Cargo.lock\""),
        ("gitlab", "\"deep/Cargo.lock\""),
        ("json", "\"path\":\"Cargo.lock\""),
    ] {
        let part = world.aiva(&["scan", "code/deep", "--format", format]);
        assert!(part.out().contains(want), "{format}: {}", part.out());
    }
    // What was moved is no news; what was copied is.
    assert!(git(&["mv", "deep", "there"]));
    for baseline in ["HEAD", "before.json"] {
        let moved = scan(&["--baseline", baseline]);
        assert_eq!(moved.code(), 0, "{baseline}: {}{}", moved.out(), moved.err());
        assert!(moved.out().contains("2 known from the baseline"), "{baseline}: {}", moved.out());
        world.write("code/copy/Cargo.lock", TREE);
        let copied = scan(&["--baseline", baseline]);
        assert_eq!(copied.code(), 1, "{baseline}: {}{}", copied.out(), copied.err());
        assert!(copied.out().contains("2 known from the baseline"), "{baseline}: {}", copied.out());
        std::fs::remove_dir_all(world.path("code/copy")).unwrap();
    }
    assert!(git(&["mv", "there", "deep"]));
    let known = scan(&["--baseline", "HEAD", "--format", "junit"]);
    assert!(
        known.out().contains("failures=\"0\"") && known.out().contains("known from the baseline"),
        "{}",
        known.out()
    );
    let known = scan(&["--baseline", "HEAD", "--format", "github"]);
    assert!(known.out().contains("::notice ") && !known.out().contains("::error "), "{}", known.out());
    let below = world.aiva(&["scan", "code/deep", "--baseline", "HEAD"]); // names are relative to what is scanned
    assert_eq!(below.code(), 0, "{}{}", below.out(), below.err());
    let one = world.aiva(&["scan", "code/Cargo.lock", "--baseline", "HEAD~1"]);
    assert_eq!(one.code(), 1, "{}{}", one.out(), one.err());
    for nonsense in ["nowhere", "--help", "HEAD:Cargo.lock"] {
        let run = scan(&[&format!("--baseline={nonsense}")]);
        assert_eq!(run.code(), 2, "{nonsense}: {}", run.out());
        assert!(run.err().contains("neither a file nor a revision"), "{nonsense}: {}", run.err());
    }
    let from = format!("file://{}", world.path("code").display());
    assert!(git(&["clone", "-q", "--depth", "1", &from, world.path("shallow").to_str().unwrap()]));
    let shallow = world.aiva(&["scan", "shallow", "--baseline", "HEAD~1"]);
    assert_eq!(shallow.code(), 2, "{}", shallow.out());
    for part in ["this clone is shallow", "git fetch --unshallow", "fetch-depth: 0"] {
        assert!(shallow.err().contains(part), "{part}: {}", shallow.err());
    }
}

#[test]
fn filters_leave_out_and_say_so() {
    let lock = "{\"lockfileVersion\": 3, \"packages\": {\"\": {\"devDependencies\": {\"minimist\": \"0.0.10\"}}, \
                \"node_modules/minimist\": {\"version\": \"0.0.10\", \"dev\": true}}}";
    check("package-lock.json", lock, &[], 1, &["minimist 0.0.10"]);
    check("package-lock.json", lock, &["--no-dev"], 0, &["1 left out (--no-dev)"]);
    check("Cargo.lock", AFFECTED, &["--no-dev"], 1, &[]);
    check("Cargo.lock", AFFECTED, &["--severity", "high"], 1, &[]);
    check("Cargo.lock", AFFECTED, &["--severity", "critical"], 0, &["1 left out (--severity)"]);
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    world.write("aiva.toml", "[[exceptions]]\nguard = \"sca\"\nmatch = { package = \"rustls\" }\nowner = \"a\"\nreason = \"b\"\nexpires = 2999-01-01\n");
    let run = world.aiva(&["scan", "code", "--severity", "critical"]);
    assert!(!run.out().contains("unused"), "{}", run.out()); // it covers what the flag leaves out
    let exception = |package: &str, expires: &str| {
        format!(
            "[[sca.licences.exceptions]]\npackage = \"{package}\"\nowner = \"a\"\nreason = \"b\"\nexpires = {expires}\n"
        )
    };
    let (old, gone) = (exception("rustls", "2020-01-01"), exception("gone", "2999-01-01"));
    world.write("aiva.toml", &format!("[sca.licences]\nallow = [\"MIT\"]\n{old}{gone}"));
    let run = world.aiva(&["scan", "code"]);
    for want in [
        "licence exception for rustls (until 2020-01-01): expired",
        "licence exception for gone (until 2999-01-01): unused",
    ] {
        assert!(run.out().contains(want), "{want}: {}", run.out());
    }
}

#[test]
fn a_fix_is_shown_first_and_applied_when_asked() {
    let world = World::new().with_advisories();
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n[dependencies]\n# https://me:TOKEN@h.example/\nrustls = \"0.21\" # tls\n";
    world.write("code/Cargo.toml", manifest);
    world.write("code/Cargo.lock", &TREE.replace("\"client\"]", "\"client\", \"rustls\"]"));
    world.write("code/py/requirements.txt", "requests==2.28.2  # web\n");
    world.write("code/bad/Cargo.lock", &AFFECTED.replace("rustls", "rustdecimal").replace("0.21.10", "1.23.1"));
    let shown = world.aiva(&["sca", "fix", "code"]);
    assert_eq!(shown.code(), 1, "{}", shown.err());
    for part in [
        "# Cargo.toml: move rustls from 0.21.10 to 0.21.11; clears CVE-2024-32650",
        "\n # https://***@h.example/\n",
        "\n# credentials are shown as ***",
        "-rustls = \"0.21\" # tls\n+rustls = \"0.21.11\" # tls\n",
        "cargo update -p rustls --precise 0.21.11\n",
        "-requests==2.28.2  # web\n+requests==2.31.0  # web\n",
        "# bad/Cargo.lock:4: rustdecimal 1.23.1: GHSA-7pwq-f4pq-78gm: no version is known that ends it",
    ] {
        assert!(shown.out().contains(part), "{part:?}: {}", shown.out());
    }
    let read = |name: &str| std::fs::read_to_string(world.path(name)).unwrap();
    assert!(!shown.out().contains("TOKEN"), "{}", shown.out());
    assert_eq!(read("code/Cargo.toml"), manifest); // only shown
    let applied = world.aiva(&["sca", "fix", "code", "--apply", "--exclude", "bad/"]);
    assert_eq!(applied.code(), 0, "{}{}", applied.out(), applied.err());
    assert_eq!(read("code/Cargo.toml"), manifest.replace("\"0.21\"", "\"0.21.11\""));
    assert_eq!(read("code/py/requirements.txt"), "requests==2.31.0  # web\n");
    assert_eq!(world.aiva(&["scan", "code/py"]).code(), 0);
}

#[test]
fn a_range_is_raised_and_then_no_longer_listed() {
    let world = World::new();
    let record = r#"{"id": "N-1", "modified": "2026-01-01T00:00:00Z", "affected": [{"package": {"ecosystem": "NuGet", "name": "N.J"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "13.0.1"}]}]}]}"#;
    world.write("advisories/N-1.json", record);
    assert_eq!(world.aiva(&["advisories", "import", "advisories"]).code(), 0);
    let project = |version: &str| {
        format!(
            "<Project><ItemGroup><PackageReference Include=\"N.J\" Version=\"{version}\" /></ItemGroup></Project>\n"
        )
    };
    world.write("code/a.csproj", &project("12.0.1"));
    world.write("code/b/b.csproj", &project("13.*"));
    let listed =
        "# can resolve to an affected version as it is now\n# b/b.csproj:1: N.J 13.*: N-1: safe from 13.0.1 on\n";
    let shown = world.aiva(&["sca", "fix", "code"]);
    assert_eq!(shown.code(), 1, "{}", shown.err());
    assert!(shown.out().starts_with("# a.csproj: move N.J from 12.0.1 to 13.0.1; clears N-1\n"), "{}", shown.out());
    assert!(shown.out().ends_with(listed), "{}", shown.out());
    let applied = world.aiva(&["sca", "fix", "code", "--apply"]);
    assert_eq!(applied.code(), 3, "{}", applied.err()); // for what floats
    assert_eq!(std::fs::read_to_string(world.path("code/a.csproj")).unwrap(), project("13.0.1"));
    assert_eq!(world.aiva(&["sca", "fix", "code"]).out(), listed);
    assert_eq!(world.aiva(&["scan", "code/a.csproj"]).code(), 0);
}

#[test]
fn questions_say_what_was_not_read() {
    let cut = "{\"lockfileVersion\": 3, \"packages\": {\"node_modules/minimist\": {\"version\": \"1.2.8\"}, ";
    let unread = "package-lock.json:1: the file ends in the middle of JSON";
    let unpinned = "requirements.txt:1: requests >=2";
    for (file, text, command, code, part) in [
        ("package-lock.json", cut, &["sca", "fix", "code"][..], 3, unread),
        ("package-lock.json", cut, &["sca", "why", "lodash", "code"], 3, unread),
        ("package-lock.json", cut, &["sca", "licences", "code"], 3, unread),
        ("package-lock.json", cut, &["sca", "notice", "code"], 3, unread),
        ("requirements.txt", "requests>=2\n", &["sca", "why", "requests", "code"], 3, unpinned),
        ("requirements.txt", "requests>=2\n", &["sca", "licences", "code"], 3, unpinned),
        (
            "requirements.txt",
            "requests>=2\n",
            &["sca", "fix", "code"],
            3,
            "requests >=2: CVE-2023-32681: safe from 2.31.0 on",
        ),
        ("requirements.txt", "flask==99\n", &["sca", "fix", "code"], 0, "Nothing to mend."),
    ] {
        let world = World::new().with_advisories();
        world.write(&format!("code/{file}"), text);
        let run = world.aiva(command);
        assert_eq!(run.code(), code, "{command:?}: {}{}", run.out(), run.err());
        let said = run.out() + &run.err();
        assert!(said.contains(part), "{command:?}: {part:?}: {said}");
        assert!(code == 0 || !said.contains("Nothing to mend"), "{said}");
    }
}

#[test]
fn what_is_exploited_comes_first_with_its_arithmetic() {
    let world = World::new().with_advisories();
    world.write("code/requirements.txt", "requests==2.28.2\n");
    world.write("code/Cargo.lock", AFFECTED);
    let scores = || {
        let document = world.aiva(&["scan", "code", "--format", "json"]).json();
        let findings = document["findings"].as_array().unwrap().clone();
        let score = |finding: &serde_json::Value| {
            let priority = &finding["priority"];
            let terms: f64 =
                priority["terms"].as_array().unwrap().iter().map(|term| term["points"].as_f64().unwrap()).sum();
            assert!((terms - priority["score"].as_f64().unwrap()).abs() < 1e-6, "{priority}");
            (finding["id"].as_str().unwrap().to_owned(), priority["score"].as_f64().unwrap())
        };
        findings.iter().map(score).collect::<Vec<_>>()
    };
    let before = scores();
    assert_eq!(before[0].0, "CVE-2024-32650", "{before:?}"); // high before medium
    world.write(
        "kev.json",
        r#"{"catalogVersion": "1", "vulnerabilities": [{"cveID": "CVE-2023-32681", "dateAdded": "2026-01-02"}]}"#,
    );
    world.write("epss.csv", "#x\ncve,epss,percentile\nCVE-2023-32681,0.25,0.97\n");
    let import = world.aiva(&["advisories", "import", "kev.json", "epss.csv"]);
    assert_eq!(import.code(), 0, "{}", import.err());
    assert!(import.err().contains("KEV  1 row\n") && import.err().contains("EPSS  1 row\n"), "{}", import.err());
    let after = scores();
    assert_eq!((after[0].0.as_str(), after[0].1), ("CVE-2023-32681", before[1].1 + 25.0 + 10.0), "{after:?}");
    world.write("aiva.toml", "[sca.priority]\nkev = 0.0\nepss = 0.0\n");
    assert_eq!(scores(), before);
    world.write("aiva.toml", "[sca.priority]\nkev = -1.0\n");
    assert_eq!(world.aiva(&["scan", "code"]).code(), 2);
}

#[test]
fn licences_are_told_of_what_is_installed() {
    let world = World::new();
    world.write("code/requirements.txt", "flask==2.0.0\n");
    world.write("code/node_modules/left/package.json", r#"{"name": "left", "version": "1.0.0", "license": "MIT"}"#);
    for (args, listed) in [
        (&["sca", "licences", "--format", "csv", "code"][..], false),
        (&["sca", "licences", "--format", "csv", "--installed", "code"], true),
        (&["sca", "licences", "--format", "csv", "--rootfs", "code"], true),
        (&["sca", "notice", "code"], false),
        (&["sca", "notice", "--installed", "code"], true),
        (&["sca", "notice", "--rootfs", "code"], true),
    ] {
        let run = world.aiva(args);
        assert_eq!(run.out().contains("left"), listed, "{args:?}: {}{}", run.out(), run.err());
        assert_eq!(run.out().contains("flask"), !args.contains(&"--rootfs"), "{args:?}: {}", run.out());
    }
    for command in ["licences", "notice"] {
        let run = world.aiva(&["sca", command, "--image", "code"]);
        assert_eq!(run.code(), 2, "{}", run.out());
        assert!(run.err().contains("cannot read the image"), "{}", run.err());
        assert_eq!(world.aiva(&["sca", command, "--image", "--rootfs", "code"]).code(), 2);
    }
}

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
