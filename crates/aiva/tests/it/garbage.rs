//! Garbage in: what is damaged, hostile or out of reach is named with what to do, within bounded memory, never a panic.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::program::{Run, World, zip};

const RUSTLS: &str = "[[package]]\nname = \"rustls\"\nversion = \"0.21.10\"\nsource = \
                      \"registry+https://github.com/rust-lang/crates.io-index\"\n";

/// A run that ended as it should and says all of this, without a trace of our own insides.
#[track_caller]
fn said(run: &Run, code: i32, parts: &[&str]) {
    let all = run.out() + &run.err();
    assert_eq!(run.code(), code, "{all}");
    for part in parts {
        assert!(all.contains(part), "nothing of {part:?} in: {all}");
    }
    for inside in ["panicked", "RUST_BACKTRACE", ".rs:", "Os {", "Custom {"] {
        assert!(!all.contains(inside), "{inside:?} in: {all}");
    }
}

#[track_caller]
fn check(file: &str, text: impl AsRef<[u8]>, code: i32, parts: &[&str]) {
    let world = World::new().with_advisories();
    fs::create_dir(world.path("code")).unwrap();
    fs::write(world.path("code").join(file), text).unwrap();
    said(&world.watched(&["scan", "code"]).0, code, &[&[file], parts].concat());
}

#[test]
fn what_is_cut_or_no_text_is_said_with_its_line() {
    check(
        "package-lock.json",
        "{\"lockfileVersion\": 3,\n\"packages\": {\n\"node_modules/a\": {\"vers",
        3,
        &["json:3: "],
    );
    check("Cargo.lock", "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1", 3, &["Cargo.lock:5: "]);
    check("pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  a@1.0", 3, &["yaml:3: "]);
    check("poetry.lock", "[[package]]\nname = \"a\"\nversion = \"1.0\"\n", 3, &["cut off"]);
    check("go.mod", "module a\nrequire (\n\tb v1.0.0\n", 3, &["go.mod:"]);
    check("yarn.lock", b"\x7fELF\x02\x01\x01\x00\x00", 3, &["yarn.lock:1: ", "NUL", "binary"]);
    check("uv.lock", b"version = 1\n\xff\xfe", 3, &["uv.lock:2: ", "not UTF-8"]);
    check("Pipfile.lock", "", 3, &["Pipfile.lock"]);
    check("requirements.txt", "a==1\n<<<<<<< HEAD\n", 3, &["txt:2: ", "resolve the conflict"]);
}

#[test]
fn what_is_nested_without_end_is_refused() {
    let deep = |open: &str| open.repeat(200_000);
    check("package-lock.json", format!("{{\"lockfileVersion\": 3, \"x\": {}", deep("[")), 3, &["nested"]);
    check("package.json", deep("{\"a\":"), 3, &["nested"]);
    check("Pipfile.lock", format!("{{\"default\": {}", deep("{\"a\":")), 3, &["nested"]);
    check("pnpm-lock.yaml", format!("lockfileVersion: '9.0'\nx: {}", deep("[")), 3, &["recursion limit"]);
    check("Cargo.lock", format!("version = 4\n[metadata]\nx = {}", deep("[")), 3, &["nested"]);
    check("pyproject.toml", format!("[project]\nx = {}", deep("{a=")), 3, &["recursion depth"]);
}

#[test]
fn circles_end() {
    let cargo = |name: &str, needs: &str| {
        format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\ndependencies = [\"{needs}\"]\n\n")
    };
    check(
        "Cargo.lock",
        format!("version = 4\n\n{}{}{RUSTLS}", cargo("a", "b"), cargo("b", "a")),
        1,
        &["rustls 0.21.10"],
    );
    let npm = "{\"lockfileVersion\":3,\"packages\":{\"\":{\"dependencies\":{\"a\":\"1\"}},\"node_modules/a\":{\"version\":\
               \"1.0.0\",\"dependencies\":{\"b\":\"1\"}},\"node_modules/b\":{\"version\":\"1.0.0\",\"dependencies\":{\"a\":\
               \"1\"}},\"node_modules/l\":{\"resolved\":\"node_modules/l\",\"link\":true}}}\n";
    let world = World::new().with_advisories();
    world.write("code/package-lock.json", npm);
    world.write("code/requirements.txt", "-r deps/a.txt\n-r requirements.txt\n-c deps/b.txt\n");
    world.write("code/deps/a.txt", "-r b.txt\n-r ../requirements.txt\n");
    world.write("code/deps/b.txt", "-c a.txt\n-r a.txt\nflask==0.1\n");
    world.write("code/Cargo.lock", &format!("version = 4\n\n{RUSTLS}"));
    symlink(".", world.path("code/again")).unwrap();
    symlink("..", world.path("code/deps/up")).unwrap();
    symlink("yarn.lock", world.path("code/yarn.lock")).unwrap();
    let (run, _) = world.watched(&["scan", "code"]);
    said(&run, 1, &["rustls 0.21.10", "yarn.lock: a symbolic link that leads nowhere"]);
    assert!(!run.out().contains("again/"), "a folder was read through a link: {}", run.out());
}

/// A file of a hundred megabytes; what repeats is written once a megabyte.
fn large(path: &Path, head: &str, unit: &str) {
    let mut file = File::create(path).unwrap();
    file.write_all(head.as_bytes()).unwrap();
    let block = unit.repeat((1 << 20) / unit.len());
    (0..100).for_each(|_| file.write_all(block.as_bytes()).unwrap());
}

#[test]
fn a_hundred_megabytes_are_read_or_refused_within_bounds() {
    let world = World::new().with_advisories();
    for (file, head, unit, says) in [
        ("package-lock.json", "{\"lockfileVersion\": 3, \"x\": ", "[", "nested"),
        ("Cargo.lock", "version = 4\nx = \"", "long ", "Cargo.lock:2: "),
        ("requirements.txt", "", "a==1\n", "more entries than any project has"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\nx: ", "[", "recursion limit"),
        ("yarn.lock", "# yarn lockfile v1\n\n", "\u{e9}", "yarn.lock:3: "),
        ("package-lock.json", "", "{\"a\":", "more entries than any project has"),
    ] {
        let path = world.path("code").join(file);
        fs::create_dir_all(world.path("code")).unwrap();
        large(&path, head, unit);
        let (run, peak) = world.watched(&["scan", "code"]);
        said(&run, 3, &[file, says]);
        assert!(run.out().len() < 5_000, "a message as long as the file: {file}");
        assert!(peak.0 < 300 << 20, "{file}: {} MiB", peak.0 >> 20);
        fs::remove_file(path).unwrap();
    }
    // A whole one is read.
    let path = world.path("code/package-lock.json");
    let mut file = std::io::BufWriter::new(File::create(&path).unwrap());
    file.write_all(b"{\"lockfileVersion\":3,\"packages\":{\"\":{}").unwrap();
    let integrity = "a".repeat(1_000);
    for count in 0..100_000 {
        let package = format!("\"version\":\"1.0.{count}\",\"integrity\":\"sha512-{integrity}\"");
        write!(file, ",\n\"node_modules/p{count}\":{{{package}}}").unwrap();
    }
    file.write_all(b"}}\n").unwrap();
    drop(file);
    let (run, peak) = world.watched(&["scan", "code"]);
    said(&run, 0, &["100,000 packages in 1 file"]);
    assert!(peak.0 < 400 << 20, "{} MiB", peak.0 >> 20);
    fs::remove_file(path).unwrap();
    // Holes take no room on the disk: what is not read costs nothing, whatever its length.
    for (file, length, most, says) in
        [("poetry.lock", 100 << 20, 300 << 20, "NUL"), ("uv.lock", 1 << 40, 100 << 20, "larger than 256 MiB")]
    {
        let path = world.path("code").join(file);
        File::create(&path).unwrap().set_len(length).unwrap();
        let (run, peak) = world.watched(&["scan", "code"]);
        said(&run, 3, &[file, says]);
        assert!(peak.0 < most, "{file}: {} MiB", peak.0 >> 20);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn pipes_devices_and_sockets_are_not_waited_for() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", &format!("version = 4\n\n{RUSTLS}"));
    world.write("code/requirements.txt", "-r more.txt\n");
    for pipe in ["code/package-lock.json", "code/more.txt", "code/pipe", "code/.gitignore"] {
        assert!(Command::new("mkfifo").arg(world.path(pipe)).status().unwrap().success());
    }
    let _socket = UnixListener::bind(world.path("code/uv.lock")).unwrap();
    symlink("/dev/zero", world.path("code/poetry.lock")).unwrap();
    symlink("pipe", world.path("code/yarn.lock")).unwrap();
    symlink("/etc/passwd", world.path("code/package.json")).unwrap();
    fs::create_dir(world.path("code/go.mod")).unwrap();
    let (run, _) = world.watched(&["scan", "code", "--fail-on", "none"]);
    said(
        &run,
        3,
        &[
            "package-lock.json: not a regular file",
            "uv.lock: not a regular file",
            "yarn.lock: not a regular file",
            "package.json: a symbolic link that leads out of the scanned folder",
            "poetry.lock: not a regular file",
            "requirements.txt:1: \"more.txt\" is included, but is not a file",
        ],
    );
    for path in ["code/package-lock.json", "/dev/zero"] {
        said(&world.watched(&["scan", path]).0, 2, &[path, "neither a folder nor a regular file"]);
    }
    said(&world.watched(&["scan", "code", "--advisories", "code/pipe"]).0, 2, &["pipe", "hint: "]);
}

#[test]
fn a_name_that_is_no_text_is_read_like_any_other() {
    let world = World::new().with_advisories();
    let folder = world.path("code").join(OsStr::from_bytes(b"kaf\xe9"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("Cargo.lock"), format!("version = 4\n\n{RUSTLS}")).unwrap();
    fs::write(folder.join(OsStr::from_bytes(b"requirements-\xff.txt")), "-r gone.txt\n").unwrap();
    fs::write(folder.join("requirements-\u{1b}[2J.txt"), "flask\n").unwrap();
    let (run, _) = world.watched(&["scan", "code"]);
    said(&run, 1, &["kaf\\xE9/Cargo.lock", "kaf\\xE9/requirements-\\xFF.txt:1: \"gone.txt\" is included"]);
    assert!(!run.out().contains('\u{1b}'), "a file name moves the cursor: {:?}", run.out());
    let document = world.aiva(&["scan", "code", "--format", "json"]).json();
    assert_eq!(document["findings"][0]["path"], "kaf\\xE9/Cargo.lock");
    assert_eq!(document["inputs"].as_array().unwrap().len(), 3);
}

#[test]
fn an_empty_folder_is_an_error_unless_it_may_be_empty() {
    let world = World::new().with_advisories();
    fs::create_dir(world.path("code")).unwrap();
    said(&world.aiva(&["scan", "code"]), 2, &["there is no manifest, lockfile or bill of materials in code", "hint:"]);
    said(&world.aiva(&["scan", "code", "--allow-empty"]), 0, &["No manifest or lockfile found."]);
}

/// A scan as a user whom file modes bind; `None` where nobody can become such a one.
fn as_nobody(world: &World, args: &[&str]) -> Option<Run> {
    // A copy, because the folder of the build may be closed to others.
    let (binary, bound) = (world.path("aiva"), fs::read_dir(world.path("code/closed")).is_err());
    if !binary.exists() {
        fs::copy(env!("CARGO_BIN_EXE_aiva"), &binary).unwrap();
    }
    let mut run = Command::new(if bound { binary.as_os_str() } else { OsStr::new("setpriv") });
    run.current_dir(world.folder.path()).env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "dumb");
    if !bound {
        run.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(binary);
    }
    let out = run.args(args).arg("--data-dir").arg(world.path("data")).output().ok()?;
    // setpriv ends with 127 where it may not.
    out.status.code().filter(|code| *code != 127).map(|_| Run::new(out))
}

#[test]
fn what_may_not_be_read_is_named() {
    let world = World::new().with_advisories();
    for file in ["code/Cargo.lock", "code/secret/Cargo.lock", "code/closed/Cargo.lock"] {
        world.write(file, &format!("version = 4\n\n{RUSTLS}"));
    }
    world.write("osv/npm/X-1.json", RECORD);
    let mode = |path: &str, mode| fs::set_permissions(world.path(path), Permissions::from_mode(mode)).unwrap();
    for folder in [".", "code", "code/secret", "data", "data/advisories"] {
        mode(folder, 0o755);
    }
    mode("data/advisories/advisories.index", 0o644);
    for shut in ["code/secret/Cargo.lock", "code/closed", "osv"] {
        mode(shut, 0o000);
    }
    let scans = [&["scan", "code"][..], &["scan", "code/closed"], &["scan", "code", "--advisories", "osv"]];
    let runs: Vec<Option<Run>> = scans.iter().map(|args| as_nobody(&world, args)).collect();
    mode("code/closed", 0o700);
    mode("osv", 0o700);
    let denied = "Permission denied";
    let [Some(all), Some(root), Some(advisories)] = &runs[..] else {
        return aiva_testkit::skip::skipped("unreadable folders", "root cannot become somebody else here (setpriv)");
    };
    said(all, 1, &["closed: this folder could not be read", "secret/Cargo.lock: could not be read", denied, "rustls"]);
    said(root, 3, &["this folder could not be read", denied]);
    said(advisories, 2, &["cannot use the advisories in", "osv", denied, "hint: "]);
}

const RECORD: &str = "{\"id\":\"X-1\",\"modified\":\"2024-01-01T00:00:00Z\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\
                      \"name\":\"a\"},\"versions\":[\"1.0.0\"]}]}";

#[test]
fn a_wrong_export_changes_nothing_and_says_what_is_wrong() {
    let sound = zip(&[("X-1.json", RECORD.as_bytes())]);
    let at = sound.windows(4).position(|bytes| bytes == b"X-1\"").unwrap();
    let mut flipped = sound.clone();
    flipped[at] = b'Y';
    // A directory that claims four gigabytes for a few bytes.
    let mut bomb = sound.clone();
    let entry = bomb.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    bomb[entry + 10] = 8;
    bomb[entry + 24..entry + 28].copy_from_slice(&0xF000_0000_u32.to_le_bytes());
    for (bytes, says) in [
        (&b"<html>not found</html>"[..], "is not a complete zip file"),
        (b"", "is not a complete zip file"),
        (&sound[..sound.len() - 9], "is not a complete zip file"),
        (&flipped, "has a damaged entry \"X-1.json\" (its checksum is wrong)"),
        (&bomb, "would unpack to too much"),
        (&zip(&[("X-1.json", &vec![b' '; 64 << 20])]), "would unpack to too much"),
        (&zip(&[]), "holds no record"),
        (&zip(&[("X-1.json", b"{\"id\":")]), "is not an OSV export"),
        (&zip(&[("X-1.json", b"[1,2,3]")]), "is not an OSV export"),
        (&zip(&[("readme.txt", b"nothing")]), "holds no record"),
        (&zip(&[("X-1.json", b"{\"id\":\"X-1\",\"modified\":\"2024-01-01T00:00:00Z\"}")]), "holds no record"),
    ] {
        let world = World::new().with_advisories();
        let before = fs::read(world.path("data/advisories/advisories.index")).unwrap();
        fs::create_dir(world.path("npm")).unwrap();
        fs::write(world.path("npm/all.zip"), bytes).unwrap();
        let (run, peak) = world.watched(&["advisories", "import", "npm/all.zip"]);
        said(&run, 2, &["error: ", "npm/all.zip", says, "hint: "]);
        assert!(peak.0 < 200 << 20, "{says}: {} MiB", peak.0 >> 20);
        assert!(
            fs::read(world.path("data/advisories/advisories.index")).unwrap() == before,
            "{says}: the index changed"
        );
        said(&world.watched(&["scan", ".", "--advisories", "npm/all.zip"]).0, 2, &["npm/all.zip", says]);
    }
}

#[test]
fn names_in_a_zip_lead_nowhere() {
    for name in ["../../outside.json", "/outside.json", "a/../../outside.json", "\u{1b}]0;x\u{7}.json"] {
        let world = World::new();
        fs::create_dir(world.path("npm")).unwrap();
        fs::write(world.path("npm/all.zip"), zip(&[(name, RECORD.as_bytes())])).unwrap();
        let run = world.aiva(&["advisories", "import", "npm/all.zip"]);
        said(&run, 0, &["1 record"]);
        let kept: Vec<_> =
            fs::read_dir(world.path("data/advisories")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(kept.iter().all(|kept| kept == "advisories.index" || kept == ".lock"), "{name:?}: {kept:?}");
        assert!(!world.path("outside.json").exists() && !world.path("data/outside.json").exists(), "{name:?}");
        assert!(!run.err().contains('\u{1b}'), "{:?}", run.err());
    }
}

#[test]
fn a_damaged_index_is_never_called_clean() {
    let world = World::new().with_advisories();
    world.write("code/Cargo.lock", &format!("version = 4\n\n{RUSTLS}"));
    let path = world.path("data/advisories/advisories.index");
    let sound = fs::read(&path).unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sound.clone();
        change(&mut bytes);
        bytes
    };
    for bytes in [
        Vec::new(),
        sound[..sound.len() / 2].to_vec(),
        b"not an index".repeat(100),
        with(&|bytes| bytes[20] ^= 1),
        with(&|bytes| bytes[8] = 99),
        // Everything but the head, so that it opens or not, but never answers.
        with(&|bytes| bytes[64..].iter_mut().for_each(|byte| *byte ^= 0x55)),
    ] {
        fs::write(&path, bytes).unwrap();
        said(&world.aiva(&["scan", "code"]), 2, &["error: ", "import the advisories again"]);
        said(&world.aiva(&["advisories", "status", "--verify"]), 2, &["error: "]);
    }
}
