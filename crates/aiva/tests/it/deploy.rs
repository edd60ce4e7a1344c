//! The scripts in `deploy/`, with the real binary.

use std::path::Path;
use std::process::Command;

use crate::program::{Run, World};

const CLEAN: &str = "version = 4\n\n[[package]]\nname = \"nobody-knows\"\nversion = \"1.0.0\"\nsource = \
                     \"registry+https://github.com/rust-lang/crates.io-index\"\n";
const AFFECTED: &str = "version = 4\n\n[[package]]\nname = \"rustls\"\nversion = \"0.21.10\"\nsource = \
                        \"registry+https://github.com/rust-lang/crates.io-index\"\n";

fn script(world: &World, name: &str, variables: &[(&str, &str)]) -> Run {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name);
    let mut command = Command::new("sh");
    command.arg(path).current_dir(world.path("code")).env("AIVA", env!("CARGO_BIN_EXE_aiva"));
    command.env("AIVA_DATA_DIR", world.path("data")).env("HOME", world.path("")).envs(variables.iter().copied());
    Run::new(command.output().unwrap())
}

fn git(world: &World, args: &[&str]) -> bool {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").arg("-C").arg(world.path("code")).args(identity).args(args).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn the_hook_stops_only_what_is_new() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    if !git(&world, &["init", "-q"]) {
        eprintln!("skipped: there is no git here");
        return;
    }
    let hook = |variables: &[(&str, &str)]| script(&world, "pre-commit/pre-commit", variables);
    std::fs::rename(world.path("code/Cargo.lock"), world.path("kept")).unwrap();
    let empty = hook(&[]); // a repository without any dependency
    assert_eq!((empty.code(), empty.err()), (0, String::new()));
    std::fs::rename(world.path("kept"), world.path("code/Cargo.lock")).unwrap();
    assert_eq!(hook(&[]).code(), 0); // nothing is staged
    assert!(git(&world, &["add", "."]));
    assert_eq!(hook(&[]).code(), 1); // the first commit of all
    assert!(git(&world, &["commit", "-qm", "old"]));
    assert_eq!(hook(&[]).code(), 0);
    world.write("code/new/Cargo.lock", AFFECTED);
    assert_eq!(hook(&[]).code(), 0);
    assert!(git(&world, &["add", "."]));
    let stopped = hook(&[]);
    assert_eq!(stopped.code(), 1);
    assert!(stopped.err().contains("rustls 0.21.10") && stopped.err().contains("aiva sca fix"), "{}", stopped.err());
    assert!(stopped.err().contains("new/Cargo.lock") && !stopped.err().contains("/tmp"), "{}", stopped.err());
    assert_eq!(hook(&[("AIVA_FAIL_ON", "critical")]).code(), 0);
    let nowhere = world.path("nowhere");
    let unscanned = hook(&[("AIVA_DATA_DIR", nowhere.to_str().unwrap())]);
    assert_eq!(unscanned.code(), 0);
}

#[test]
fn the_hook_judges_what_is_staged() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", CLEAN);
    world.write("code/with space/Cargo.lock", CLEAN);
    if !git(&world, &["init", "-q"]) {
        eprintln!("skipped: there is no git here");
        return;
    }
    assert!(git(&world, &["add", "."]) && git(&world, &["commit", "-qm", "old"]));
    let laid = world.path("laid");
    std::fs::create_dir(&laid).unwrap();
    let temporary = [("TMPDIR", laid.to_str().unwrap())];
    let hook =
        |variables: &[(&str, &str)]| script(&world, "pre-commit/pre-commit", &[&temporary[..], variables].concat());
    // Only in the tree: not of this commit.
    world.write("code/with space/Cargo.lock", AFFECTED);
    assert_eq!((hook(&[]).code(), hook(&[]).err()), (0, String::new()));
    // Staged, and then put back in the tree.
    assert!(git(&world, &["add", "."]));
    world.write("code/with space/Cargo.lock", CLEAN);
    let stopped = hook(&[]);
    assert_eq!(stopped.code(), 1);
    assert!(stopped.err().contains("with space/Cargo.lock"), "{}", stopped.err());
    assert_eq!(std::fs::read_dir(&laid).unwrap().count(), 0);
    // The commit of other files alone has another index.
    assert!(git(&world, &["read-tree", "--index-output=.git/other", "HEAD"]));
    let other = world.path("code/.git/other");
    assert_eq!(hook(&[("GIT_INDEX_FILE", other.to_str().unwrap())]).code(), 0);
    // The exception counts as it is staged.
    let exception = "[[exceptions]]\nguard = \"sca\"\nmatch = { package = \"rustls\" }\nowner = \"ana\"\nreason = \"not reachable\"\n\
                     expires = 2999-01-01\n";
    world.write("code/aiva.toml", exception);
    assert!(git(&world, &["add", "aiva.toml"]));
    world.write("code/aiva.toml", "");
    let accepted = hook(&[]);
    assert_eq!(accepted.code(), 0, "{}", accepted.err());
    assert!(git(&world, &["add", "aiva.toml"]));
    world.write("code/aiva.toml", exception);
    assert_eq!(hook(&[]).code(), 1);
    // A file that is only announced is not of the commit.
    assert!(git(&world, &["reset", "-q", "--hard"]));
    world.write("code/later/Cargo.lock", AFFECTED);
    assert!(git(&world, &["add", "--intent-to-add", "later/Cargo.lock"]));
    assert_eq!((hook(&[]).code(), hook(&[]).err()), (0, String::new()));
    // A link is read as what it leads to.
    assert!(git(&world, &["reset", "-q", "--hard"]));
    world.write("code/kept/lock", AFFECTED);
    std::fs::create_dir_all(world.path("code/linked")).unwrap();
    std::os::unix::fs::symlink("../kept/lock", world.path("code/linked/Cargo.lock")).unwrap();
    assert!(git(&world, &["add", "kept", "linked"]));
    let linked = hook(&[]);
    assert_eq!(linked.code(), 1, "{}", linked.err());
    assert!(linked.err().contains("linked/Cargo.lock"), "{}", linked.err());
}

#[test]
fn the_hook_runs_within_a_commit_in_any_worktree() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", CLEAN);
    let hook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/pre-commit/pre-commit");
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.arg("-C").arg(world.path("code")).args(identity).args(args).env("AIVA", env!("CARGO_BIN_EXE_aiva"));
        command.env("AIVA_DATA_DIR", world.path("data")).env("HOME", world.path(""));
        command.output().is_ok_and(|output| output.status.success())
    };
    if !git(&["init", "-q"]) {
        eprintln!("skipped: there is no git here");
        return;
    }
    assert!(git(&["add", "."]) && git(&["commit", "-qm", "old"]));
    let installed = world.path("code/.git/hooks/pre-commit");
    std::fs::create_dir_all(installed.parent().unwrap()).unwrap();
    std::fs::copy(hook, installed).unwrap();
    let tree = world.path("tree");
    let tree = tree.to_str().unwrap();
    assert!(git(&["worktree", "add", "-q", "-b", "other", tree]));
    for place in [world.path("code").to_str().unwrap(), tree] {
        world.write(&format!("{}/Cargo.lock", place.rsplit('/').next().unwrap()), AFFECTED);
        assert!(git(&["-C", place, "add", "."]) && !git(&["-C", place, "commit", "-qm", "new"]), "{place}");
        // `git commit PATH` makes an index of its own.
        world.write(&format!("{}/README", place.rsplit('/').next().unwrap()), "words\n");
        assert!(
            git(&["-C", place, "add", "README"]) && git(&["-C", place, "commit", "-qm", "new", "README"]),
            "{place}"
        );
    }
}

#[test]
fn the_action_annotates_summarises_and_fails() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", AFFECTED);
    let summary = world.path("summary.md");
    let action = |variables: &[(&str, &str)]| {
        let always = [
            ("AIVA_SCAN_OFFLINE", "1"),
            ("AIVA_SCAN_SARIF", "out.sarif"),
            ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
        ];
        script(&world, "github-action/scan.sh", &[&always[..], variables].concat())
    };
    let run = action(&[]);
    assert_eq!(run.code(), 1, "{}", run.err());
    assert!(run.out().contains("::error file=Cargo.lock,line=4"), "{}", run.out());
    assert!(std::fs::read_to_string(&summary).unwrap().contains("# AIVA scan"));
    assert!(std::fs::read_to_string(world.path("code/out.sarif")).unwrap().contains("\"2.1.0\""));
    assert_eq!(action(&[("AIVA_SCAN_FAIL_ON", "critical")]).code(), 0);
    assert_eq!(action(&[("AIVA_SCAN_PATH", "nowhere")]).code(), 2);
    std::fs::create_dir(world.path("code/empty")).unwrap();
    assert_eq!(action(&[("AIVA_SCAN_PATH", "empty")]).code(), 2); // most likely the wrong path
    world.write("code/Cargo.lock", CLEAN);
    assert_eq!(action(&[]).code(), 0);
    world.write("code/requirements.txt", "requests>=2\n");
    assert_eq!(action(&[]).code(), 0); // not judged: said, no reason to fail
}
