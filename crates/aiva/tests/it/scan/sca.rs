//! `aiva sca`: why a package is there, what would mend it, what it is licensed under.

use super::{AFFECTED, TREE};
use crate::program::World;

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
    assert!(shown.err().contains("No file was changed: --apply writes these edits."), "{}", shown.err());
    let read = |name: &str| std::fs::read_to_string(world.path(name)).unwrap();
    assert!(!shown.out().contains("TOKEN"), "{}", shown.out());
    assert_eq!(read("code/Cargo.toml"), manifest); // only shown
    let applied = world.aiva(&["sca", "fix", "code", "--apply", "--exclude", "bad/"]);
    assert!(!applied.err().contains("No file was changed"), "{}", applied.err());
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
    // Where both are cut at 100 the one that was cut off more is the worse.
    world.write("aiva.toml", "[sca.priority]\nkev = 100.0\ncvss = 100.0\nscope = 100.0\n");
    let cut = scores();
    assert_eq!(
        [(&*cut[0].0, cut[0].1), (&*cut[1].0, cut[1].1)],
        [("CVE-2023-32681", 100.0), ("CVE-2024-32650", 100.0)]
    );
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
