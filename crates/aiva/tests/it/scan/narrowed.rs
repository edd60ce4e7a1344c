//! What a scan leaves out and says so: exceptions, statements, baselines and filters.

use super::{AFFECTED, CLEAN, TREE, check};
use crate::program::World;

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
    let invented =
        vex("not_affected", "pkg:cargo/rustls").replace("vulnerable_code_not_in_execute_path", "because_i_said_so");
    let said = [
        "warning: vex.json: statement 1, on RUSTSEC-2024-0336, has the justification \"because_i_said_so\"",
        "not used",
    ];
    check(&invented, 1, &["1 finding", said[0], said[1]]);
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
    // As a shell makes a pipe of `<(aiva scan --format json)`.
    assert!(std::process::Command::new("mkfifo").arg(world.path("pipe")).status().unwrap().success());
    let result = std::fs::read(world.path("before.json")).unwrap();
    let writer = std::thread::spawn({
        let pipe = world.path("pipe");
        move || std::fs::write(pipe, result)
    });
    let piped = scan(&["--baseline", "pipe"]);
    assert_eq!(piped.code(), 0, "{}{}", piped.out(), piped.err());
    assert!(piped.out().contains("2 known from the baseline"), "{}", piped.out());
    writer.join().unwrap().unwrap();
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
    // What could not be judged before is no news either; more of it is.
    world
        .write("code/requirements.txt", "a @ git+https://example.com/a.git@8e5e7e5ab8b370d6c329ec480221332ada57f0ab\n");
    assert_eq!(scan(&["--baseline", "HEAD"]).code(), 3);
    assert!(git(&["add", "."]) && git(&["commit", "-qm", "a gap"]));
    assert_eq!(scan(&["--baseline", "HEAD"]).code(), 0);
    world.write("code/requirements.txt", "a @ git+https://example.com/a.git@8e5e7e5ab8b370d6c329ec480221332ada57f0ab\nb @ git+https://example.com/b.git@8e5e7e5ab8b370d6c329ec480221332ada57f0ab\n");
    let more = scan(&["--baseline", "HEAD"]);
    assert_eq!(more.code(), 3);
    // It comes first, and is marked.
    let places = ["new: requirements.txt:2: b", "  requirements.txt:1: a"].map(|part| more.out().find(part));
    assert!(places[0].is_some() && places.is_sorted(), "{places:?} {}", more.out());
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
    let [expired, unused, unneeded] = [
        "licence exception for rustls (until 2020-01-01): expired",
        "licence exception for gone (until 2999-01-01): unused: there is no such package",
        "licence exception for rustls (until 2999-01-01): unused",
    ];
    // The licence of rustls is not known here.
    let for_unknown = exception("rustls", "2999-01-01");
    let for_another = for_unknown.replace("owner", "licences = [\"ISC\"]\nowner");
    for (exceptions, want, not) in [
        (old.clone() + &gone, &[expired, unused][..], ""),
        (for_unknown + &gone, &[unused], unneeded),
        (for_another, &[unneeded], ""),
    ] {
        world.write("aiva.toml", &format!("[sca.licences]\nallow = [\"MIT\"]\n{exceptions}"));
        for (run, what) in
            [(world.aiva(&["scan", "code"]), "scan"), (world.aiva(&["sca", "licences", "code"]), "licences")]
        {
            let said = run.out() + &run.err();
            want.iter().for_each(|one| assert!(said.contains(one), "{what}: {one}: {said}"));
            assert!(not.is_empty() || !said.contains(not), "{what}: {not}: {said}");
        }
        let quiet = world.aiva(&["-q", "sca", "licences", "code"]);
        let said = quiet.out() + &quiet.err();
        assert!(said.contains("rustls 0.21.10") && !said.contains("exception"), "{said}");
        assert!(!said.contains("with a known licence"), "{said}");
    }
}
