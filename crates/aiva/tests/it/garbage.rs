//! Garbage in: every broken input ends with a clear message and the right exit code, in bounded memory and without a panic.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::program::{World, command};

/// Exit code of "done, but some inputs could not be read or judged".
const INCOMPLETE: i32 = 3;
const COULD_NOT: i32 = 2;

#[track_caller]
fn check(world: &World, args: &[&str], code: i32, said: &[&str]) {
    let run = world.aiva(args);
    let all = run.out() + &run.err();
    for part in said {
        assert!(all.contains(part), "{args:?} does not say {part:?}: {all}");
    }
    assert!(!all.contains("panicked"), "{args:?}: {all}");
    assert_eq!(run.code(), code, "{args:?}: {all}");
}

#[test]
fn broken_lockfiles_are_named_with_the_line_and_the_reason() {
    let deep = |open: &str| open.repeat(200_000);
    let rows: &[(&str, String, &str)] = &[
        ("Cargo.lock", "version = 4\n\n[[package]]\nname = \"a\"\nver".to_owned(), "Cargo.lock"),
        ("Cargo.lock", "\u{0}\u{1}\u{2}".to_owned(), "binary data"),
        ("Cargo.lock", format!("a = {}", deep("[")), "nested"),
        ("poetry.lock", format!("a = {}", deep("{ a = ")), "nested"),
        ("package-lock.json", deep("["), "npm's begins with `{`"),
        ("package-lock.json", deep("{\"a\":"), "nested"),
        ("pnpm-lock.yaml", deep("["), "recursion limit"),
        ("pnpm-lock.yaml", (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(), "nested too deeply"),
        ("package-lock.json", "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> x\n".to_owned(), "merge conflict"),
        ("yarn.lock", "\u{feff}<html>not found</html>".to_owned(), "yarn.lock"),
        ("go.mod", "module x\nrequire (\n\ta v1.0.0\n".to_owned(), "go.mod"),
    ];
    for (file, text, said) in rows {
        let world = World::new().with_advisories();
        world.write(&format!("code/{file}"), text);
        check(&world, &["scan", "code"], INCOMPLETE, &[file, said]);
    }
}

#[test]
fn circles_end() {
    let world = World::new().with_advisories();
    world.write("code/requirements.txt", "-r other.txt\nrequests==2.31.0\n");
    world.write("code/other.txt", "-r requirements.txt\nflask==3.0.0\n");
    world.write(
        "code/Cargo.lock",
        "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\"b\"]\n\n[[package]]\nname = \
         \"b\"\nversion = \"1.0.0\"\ndependencies = [\"a\"]\n",
    );
    world.write(
        "code/package-lock.json",
        r#"{"lockfileVersion": 3, "packages": {"": {}, "node_modules/a": {"resolved": "node_modules/b", "link": true},
           "node_modules/b": {"resolved": "node_modules/a", "link": true}}}"#,
    );
    symlink(".", world.path("code/again")).unwrap();
    symlink("loop", world.path("code/loop")).unwrap();
    let run = world.aiva(&["scan", "code", "--format", "json"]);
    assert!(run.out().contains("\"flask\"") || run.code() != COULD_NOT, "{}", run.err());
    let document: serde_json::Value = serde_json::from_str(&run.out()).unwrap();
    let paths: Vec<&str> = document["inputs"].as_array().unwrap().iter().filter_map(|i| i["path"].as_str()).collect();
    assert!(paths.iter().all(|path| !path.starts_with("again/")), "{paths:?}");
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let world = World::new().with_advisories();
    fs::create_dir_all(world.path("code/package.json")).unwrap();
    let fifo = world.path("code/Cargo.lock");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    symlink("/dev/zero", world.path("code/yarn.lock")).unwrap();
    symlink("/etc/passwd", world.path("code/go.mod")).unwrap();
    check(&world, &["scan", "code"], INCOMPLETE, &["Cargo.lock", "yarn.lock", "go.mod"]);
    check(&world, &["scan", "code/Cargo.lock"], COULD_NOT, &["neither a folder nor a regular file"]);
}

#[test]
fn a_folder_that_cannot_be_read_is_said() {
    let world = World::new().with_advisories();
    world.write("code/open/Cargo.lock", "version = 4\n");
    world.write("code/closed/Cargo.lock", "version = 4\n");
    world.write("code/locked/go.mod", "module x\n");
    let shut = |path: &str, mode| fs::set_permissions(world.path(path), fs::Permissions::from_mode(mode)).unwrap();
    shut("code/closed", 0o000);
    shut("code/locked/go.mod", 0o000);
    let out = as_nobody(&world);
    shut("code/closed", 0o755);
    let Some(out) = out else {
        aiva_testkit::skip::skipped("unreadable folders", "this test runs as root and cannot become somebody else");
        return;
    };
    let all = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(INCOMPLETE), "{all}");
    for part in ["closed", "locked/go.mod", "ermission"] {
        assert!(all.contains(part), "no {part:?} in {all}");
    }
}

/// Runs the scan as a user whom file modes bind; `None` where that cannot be.
fn as_nobody(world: &World) -> Option<Output> {
    let scan = ["scan", "code", "--data-dir"];
    let probe = fs::read_dir(world.path("code/closed"));
    if probe.is_err() {
        return Some(command(world.folder.path()).args(scan).arg(world.path("data")).output().unwrap());
    }
    for path in [world.folder.path(), &world.path("data"), &world.path("data/advisories")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let index = world.path("data/advisories/advisories.index");
    fs::set_permissions(index, fs::Permissions::from_mode(0o644)).unwrap();
    // A copy, because the folder of the build may be closed to others.
    let binary = world.path("aiva");
    fs::copy(env!("CARGO_BIN_EXE_aiva"), &binary).unwrap();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut command = Command::new("setpriv");
    command.current_dir(world.folder.path()).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent");
    command.args(nobody).arg(binary).args(scan).arg(world.path("data"));
    command.output().ok().filter(|out| out.status.code() != Some(127))
}

#[test]
fn a_lockfile_of_a_hundred_megabytes_is_read_in_bounded_memory() {
    let world = World::new().with_advisories();
    fs::create_dir_all(world.path("good")).unwrap();
    fs::create_dir_all(world.path("bad")).unwrap();
    write_large(&world.path("good/package-lock.json"));
    fs::write(world.path("bad/package-lock.json"), "{\"a\":".repeat(20 << 20)).unwrap();
    for (folder, code, said) in [("good", 0, "packages in 1 file"), ("bad", INCOMPLETE, "nested")] {
        let script = format!(
            "ulimit -v 1048576; exec '{}' scan {folder} --data-dir '{}'",
            env!("CARGO_BIN_EXE_aiva"),
            world.path("data").display()
        );
        let out = Command::new("sh").current_dir(world.folder.path()).args(["-c", &script]).output().unwrap();
        let all = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{folder}: {all}");
        assert!(all.contains(said), "{folder}: {all}");
    }
}

fn write_large(path: &Path) {
    let mut file = std::io::BufWriter::new(fs::File::create(path).unwrap());
    file.write_all(br#"{"name":"large","lockfileVersion":3,"packages":{"":{"name":"large"}"#).unwrap();
    let integrity = "a".repeat(1_000);
    let mut written = 0;
    let mut count = 0;
    while written < 100 << 20 {
        let entry = format!(
            r#","node_modules/p{count}":{{"version":"1.0.{count}","resolved":"https://registry.npmjs.org/p{count}/-/p.tgz","integrity":"sha512-{integrity}"}}"#
        );
        file.write_all(entry.as_bytes()).unwrap();
        written += entry.len();
        count += 1;
    }
    file.write_all(b"}}").unwrap();
    file.flush().unwrap();
}

#[test]
fn wrong_advisories_change_nothing_and_say_why() {
    let world = World::new().with_advisories();
    let before = fs::read(world.path("data/advisories/advisories.index")).unwrap();
    let good = zip(&[("A.json", RECORD.as_bytes())]);
    let mut wrong_sum = good.clone();
    let at = wrong_sum.windows(6).position(|window| window == b"\"npm\",").unwrap();
    wrong_sum[at + 1] = b'N';
    let rows: &[(&str, Vec<u8>, i32, &str)] = &[
        ("not a zip", b"<html>404</html>".to_vec(), COULD_NOT, "zip"),
        ("empty", Vec::new(), COULD_NOT, "zip"),
        ("cut", good[..good.len() - 40].to_vec(), COULD_NOT, "zip"),
        ("wrong checksum", wrong_sum, COULD_NOT, "nothing was imported"),
        ("no records", zip(&[]), COULD_NOT, "nothing was imported"),
        ("no record in it", zip(&[("A.json", b"[1, 2]")]), COULD_NOT, "nothing was imported"),
        ("a bomb", zip(&[("A.json", &vec![b' '; 64 << 20])]), COULD_NOT, "nothing was imported"),
    ];
    for (what, bytes, code, said) in rows {
        fs::create_dir_all(world.path("npm")).unwrap();
        fs::write(world.path("npm/all.zip"), bytes).unwrap();
        let run = world.aiva(&["advisories", "import", "npm/all.zip"]);
        let all = run.out() + &run.err();
        assert_eq!(run.code(), *code, "{what}: {all}");
        assert!(all.contains(said) && all.contains("all.zip"), "{what} does not say {said:?}: {all}");
        assert!(!all.contains("panicked"), "{what}: {all}");
        assert!(
            fs::read(world.path("data/advisories/advisories.index")).unwrap() == before,
            "{what} changed the index"
        );
    }
    fs::write(world.path("npm/all.zip"), zip(&[("../../evil.json", RECORD.as_bytes()), ("B.json", b"{")])).unwrap();
    check(&world, &["advisories", "import", "npm/all.zip"], 0, &["B.json"]);
    assert!(!world.path("../evil.json").exists() && !world.path("evil.json").exists());
}

pub(crate) const RECORD: &str = r#"{"id":"A-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}"#;

pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in entries {
        let method =
            if text.len() > 1 << 20 { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
        archive.start_file(*name, zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(text).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
