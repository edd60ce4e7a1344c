//! One row a rule: what each reader makes of the forms that real files take, beyond the recorded ones.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod npm;
mod python;

use std::fmt::Write as _;

use aiva_sca::inventory::{Kind, Reading};
use aiva_sca::package::{Source, Status};

/// A reading as one line an entry: `name version line direct scope source`, `? name requirement line`, `! line message`.
fn lines(reading: &Reading) -> String {
    let mut out = format!("{}\n", reading.status.name());
    for p in &reading.packages {
        let direct = p.direct.map_or("?", |direct| if direct { "direct" } else { "transitive" });
        let source = match &p.source {
            Source::Registry => String::new(),
            other => format!(" {other:?}"),
        };
        writeln!(out, "{} {} {} {direct} {}{source}", p.name, p.version, p.line, p.scope.name()).unwrap();
    }
    for n in &reading.not_judged {
        writeln!(out, "? {} [{}] {}", n.name, n.requirement, n.line).unwrap();
    }
    for p in &reading.problems {
        writeln!(out, "! {} {}", p.line, p.message).unwrap();
    }
    out
}

#[track_caller]
fn check(kind: Kind, text: &str, want: &str) {
    let got = lines(&kind.read(text.as_bytes()));
    assert_eq!(got.trim(), want.trim(), "\n--- input\n{text}\n--- got\n{got}");
}

#[track_caller]
fn status(kind: Kind, bytes: &[u8], want: Status, says: &str) {
    let reading = kind.read(bytes);
    assert_eq!(reading.status, want, "{kind:?} {:?}: {}", String::from_utf8_lossy(bytes), lines(&reading));
    if !says.is_empty() {
        assert!(reading.problems.iter().any(|p| p.message.contains(says)), "{kind:?}: {}", lines(&reading));
    }
}

#[test]
fn cargo_lock_tells_sources_apart() {
    check(
        Kind::CargoLock,
        r#"version = 4

[[package]]
name = "app"
version = "0.1.0"
dependencies = [
 "a 1.0.0",
 "a 2.0.0",
 "b",
 "c",
 "d",
]

[[package]]
name = "a"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "a"
version = "2.0.0"
source = "sparse+https://user:secret@crates.example.com/index/"

[[package]]
name = "b"
version = "1.0.0"
source = "git+https://token@example.com/b.git?branch=x#0123"
dependencies = ["c"]

[[package]]
name = "c"
version = "1.0.0"
source = "sparse+https://index.crates.io/"
dependencies = ["b"]

[[package]]
name = "d"
version = "1.0.0"
source = "registry+ssh://git@example.com/index"
"#,
        r#"parsed
app 0.1.0 4 direct runtime Path("")
a 1.0.0 15 direct runtime
a 2.0.0 20 direct runtime PrivateRegistry("https://crates.example.com/index/")
b 1.0.0 25 direct runtime Git("https://example.com/b.git?branch=x#0123")
c 1.0.0 31 direct runtime
d 1.0.0 37 direct runtime PrivateRegistry("ssh://git@example.com/index")"#,
    );
}

#[test]
fn cargo_lock_says_what_is_missing() {
    let text = "[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\n \"gone\",\n]\n";
    check(
        Kind::CargoLock,
        text,
        "partial\na 1 2 direct runtime Path(\"\")\n! 5 \"a\" needs \"gone\", which is not in the file",
    );
    status(
        Kind::CargoLock,
        b"version = 5\n\n[[package]]\nname = \"a\"\nversion = \"1\"\n",
        Status::Unsupported,
        "format 5",
    );
    status(
        Kind::CargoLock,
        b"[[package]]\nname = \"a\"\n\n[[package]]\nname = \"b\"\nversion = \"1\"\n",
        Status::Partial,
        "no version",
    );
    status(
        Kind::CargoLock,
        b"[[package]]\nname = \"a\"\nname = \"b\"\nversion = \"1\"\n\n[[package]]\nname = \"c\"\nversion = \"1\"\n",
        Status::Partial,
        "there twice",
    );
    status(Kind::CargoLock, b"[[package]]\nname = \"a\"\nversion = \"1\"", Status::Partial, "cut off");
    // One damaged entry costs one entry.
    let damaged = "[[package]]\nname = \"a\nversion = \"1\"\n\n[[package]]\nname = \"b\"\nversion = \"1\"\n";
    let reading = Kind::CargoLock.read(damaged.as_bytes());
    assert_eq!((reading.status, reading.packages.len()), (Status::Partial, 1), "{reading:?}");
}

#[test]
fn go_mod_follows_replacements() {
    check(
        Kind::GoMod,
        r#"module example.com/x // comment

go 1.21
toolchain go1.22.3

require example.com/a v1.0.0
require (
	example.com/b v2.0.0+incompatible // indirect
	"example.com/c" v0.0.0-20200101000000-abcdefabcdef // indirect; why
	example.com/d v1.0.0
	example.com/e v1.0.0
)

replace (
	example.com/d => ../d
	example.com/e v1.0.0 => example.com/fork v1.5.0
	example.com/a v9.9.9 => example.com/other v1.0.0
)
exclude example.com/a v0.9.0
retract [v1.0.0, v1.9.9]
tool example.com/a/cmd
"#,
        r#"parsed
example.com/a 1.0.0 6 direct runtime
example.com/b 2.0.0+incompatible 8 transitive runtime
example.com/c 0.0.0-20200101000000-abcdefabcdef 9 transitive runtime
example.com/d 1.0.0 10 direct runtime Path("../d")
example.com/fork 1.5.0 11 direct runtime
stdlib 1.22.3 4 direct runtime
toolchain 1.22.3 4 direct build"#,
    );
    status(Kind::GoMod, b"module x\nrequire (\n\ta v1.0.0\n", Status::Partial, "not closed");
    status(Kind::GoMod, b"module x\nrequire a\nrequire b v1.0.0\n", Status::Partial, "not a requirement");
    status(Kind::GoMod, b"module x\nfrobnicate y\ngo 1.2\n", Status::Partial, "not a line");
    status(Kind::GoMod, b"hello\n", Status::Failed, "");
}

#[test]
fn cargo_toml_judges_only_exact_versions() {
    check(
        Kind::CargoToml,
        r#"[package]
name = "x"
[dependencies]
exact = "=1.2.3"
caret = "1.2.3"
table = { version = "=2.0.0", package = "real", optional = true }
git = { git = "https://example.com/g.git" }
path = { path = "../p", version = "1" }
ws.workspace = true
corp = { version = "=1.0.0", registry = "corp" }
[dev-dependencies.sub]
version = "=3.0.0"
[target.'cfg(unix)'.build-dependencies]
unix = "=4.0.0"
[workspace.dependencies]
shared = "5"
"#,
        r#"parsed
exact 1.2.3 4 direct runtime
real 2.0.0 6 direct optional
corp 1.0.0 10 direct runtime PrivateRegistry("corp")
sub 3.0.0 11 direct dev
unix 4.0.0 14 direct build
? caret [1.2.3] 5
? git [https://example.com/g.git] 7
? shared [5] 16"#,
    );
    status(Kind::CargoToml, b"[dependencies]\na = 1\nb = \"1\"\n", Status::Partial, "neither");
    status(Kind::CargoToml, b"[dependencies]\na = \"1\"\na = \"2\"\n", Status::Failed, "not TOML");
}

#[test]
fn unread_kinds_are_named() {
    for name in ["bun.lockb", "conda-lock.yml", "rebar.lock", "paket.lock", "setup.py"] {
        let kind = Kind::of("", name).unwrap();
        status(kind, b"anything", Status::Unsupported, name);
    }
    assert_eq!(Kind::of("", "main.rs"), None);
    assert_eq!(Kind::of("app/requirements", "dev.txt"), Some(Kind::Requirements));
    assert_eq!(Kind::of("", "dev-requirements.txt"), Some(Kind::Requirements));
    assert_eq!(Kind::of("", "notes.txt"), None);
}
