//! One row a rule: what each reader makes of the forms that real files take, beyond the recorded ones.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

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
fn npm_tells_sources_and_scopes_apart() {
    check(
        Kind::PackageLock,
        r#"{"lockfileVersion": 3, "packages": {
"": {"dependencies": {"a": "1", "local": "file:local", "@corp/b": "1"}, "devDependencies": {"g": "x"}},
"local": {"version": "1.0.0", "dependencies": {"a": "2"}},
"node_modules/local": {"resolved": "local", "link": true},
"node_modules/a": {"version": "1.0.0", "resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz", "license": "MIT"},
"local/node_modules/a": {"version": "2.0.0", "dev": true},
"node_modules/@corp/b": {"version": "1.0.0", "resolved": "https://u:p@npm.example.com/repo/@corp/b/-/b-1.0.0.tgz"},
"node_modules/g": {"version": "1.0.0", "resolved": "git+ssh://git@github.com/o/g.git#abc", "dev": true},
"node_modules/u": {"version": "1.0.0", "resolved": "https://example.com/u.tgz", "optional": true},
"node_modules/alias": {"name": "real", "version": "3.0.0", "peer": true, "licenses": [{"type": "ISC"}, "X"]}
}}"#,
        r#"parsed
local 1.0.0 3 direct runtime Path("")
a 1.0.0 5 direct runtime
a 2.0.0 6 direct runtime
@corp/b 1.0.0 7 direct runtime PrivateRegistry("https://npm.example.com/repo")
g 1.0.0 8 direct dev Git("git+ssh://git@github.com/o/g.git#abc")
u 1.0.0 9 transitive optional Url("https://example.com/u.tgz")
real 3.0.0 10 transitive peer"#,
    );
}

#[test]
fn npm_format_1_nests_copies_and_hides_addresses_in_versions() {
    check(
        Kind::Shrinkwrap,
        r#"{"lockfileVersion": 1, "dependencies": {
"a": {"version": "1.0.0", "dependencies": {
  "b": {"version": "2.0.0", "dev": true}}},
"b": {"version": "npm:real@1.0.0"},
"c": {"version": "github:o/c#abc", "from": "c@o/c"},
"d": {"version": "file:../d"}
}}"#,
        r#"parsed
a 1.0.0 2 ? runtime
b 2.0.0 3 transitive dev
real 1.0.0 4 ? runtime
c github:o/c#abc 5 ? runtime Git("github:o/c#abc")
d file:../d 6 direct runtime Path("../d")"#,
    );
}

/// As npm 11 writes it with `--lockfile-version=1` of two folders that ask for different releases of one package.
#[test]
fn npm_format_1_says_what_the_folders_of_a_workspace_ask_for() {
    let lock = r#"{"lockfileVersion": 1, "requires": true, "dependencies": {
"a": {"version": "file:packages/a", "requires": {"b": "^1.0.0", "x": "2.0.0"}},
"b": {"version": "file:packages/b", "requires": {"debug": "2.6.9", "ms": "2.1.3"}, "dependencies": {
  "ms": {"version": "2.1.3", "requires": {"deep": "1"}, "dependencies": {
    "deep": {"version": "1.0.0"}}},
  "deep": {"version": "1.0.1"}}},
"debug": {"version": "2.6.9", "dev": true, "requires": {"ms": "2.0.0"}},
"ms": {"version": "2.0.0", "dev": true},
"x": {"version": "2.0.0"},
"y": {"version": "file:y-1.0.0.tgz", "requires": {"z": "1"}},
"z": {"version": "1.0.0"}
}}"#;
    let want = r#"parsed
a file:packages/a 2 direct runtime Path("packages/a")
b file:packages/b 3 direct runtime Path("packages/b")
ms 2.1.3 4 direct runtime
deep 1.0.0 5 transitive runtime
deep 1.0.1 6 transitive runtime
debug 2.6.9 7 direct dev
ms 2.0.0 8 ? dev
x 2.0.0 9 direct runtime
y file:y-1.0.0.tgz 10 ? runtime Path("y-1.0.0.tgz")
z 1.0.0 11 ? runtime"#;
    check(Kind::PackageLock, lock, want);
}

#[test]
fn npm_says_what_is_missing() {
    let lock = |body: &str| format!("{{\"lockfileVersion\": 3, \"packages\": {{{body}}}}}");
    let gone = lock(
        r#""": {}, "node_modules/a": {"version": "1", "dependencies": {"b": "1"}, "optionalDependencies": {"c": "1"}}"#,
    );
    status(Kind::PackageLock, gone.as_bytes(), Status::Partial, "needs \"b\", which is not in the file");
    status(
        Kind::PackageLock,
        lock(r#""node_modules/a": {}, "node_modules/b": {"version": "1"}"#).as_bytes(),
        Status::Partial,
        "no version",
    );
    let twice = lock(r#""node_modules/a": {"version": "1"}, "node_modules/a": {"version": "2"}"#);
    status(Kind::PackageLock, twice.as_bytes(), Status::Partial, "twice");
    status(Kind::PackageLock, br#"{"lockfileVersion": 4, "packages": {}}"#, Status::Unsupported, "format 4");
    status(
        Kind::PackageLock,
        br#"{"packages": {"node_modules/a": {"version": "1"}}}"#,
        Status::Partial,
        "no lockfileVersion",
    );
    status(Kind::PackageLock, b"[]", Status::Failed, "begins with `{`");
    status(Kind::PackageLock, b"{\"lockfileVersion\": 3} x", Status::Failed, "follows the end");
    // An edge that loops is no reason to loop.
    let loops =
        lock(r#""": {"dependencies": {"a": "1"}}, "node_modules/a": {"version": "1", "dependencies": {"a": "1"}}"#);
    status(Kind::PackageLock, loops.as_bytes(), Status::Parsed, "");
}

#[test]
fn yarn_classic_reads_aliases_addresses_and_quotes() {
    check(
        Kind::YarnLock,
        r##"# yarn lockfile v1


"@s/a@^1.0.0", "@s/a@~1.0.1":
  version "1.0.1"
  resolved "https://registry.yarnpkg.com/@s/a/-/a-1.0.1.tgz#00"
  dependencies:
    b ">= 1 < 3"

b@*, "b@>= 1 < 3":
  version "2.0.0"
  resolved "https://codeload.github.com/o/b/tar.gz/abc"
  optionalDependencies:
    gone "1"

"c@npm:real@1.0.0":
  version "1.0.0"
  resolved "https://npm.example.com/real/-/real-1.0.0.tgz"

"d@file:./d":
  version "0.0.0"
"##,
        r#"parsed
@s/a 1.0.1 4 ? runtime
b 2.0.0 10 ? runtime Git("https://codeload.github.com/o/b/tar.gz/abc")
real 1.0.0 16 ? runtime PrivateRegistry("https://npm.example.com")
d 0.0.0 20 ? runtime Path("./d")"#,
    );
    status(Kind::YarnLock, b"# yarn lockfile v1\n", Status::Parsed, "");
    status(
        Kind::YarnLock,
        b"a@1:\n  version \"1\"\n  dependencies:\n    b \"1\"\n",
        Status::Partial,
        "needed, but not",
    );
    status(Kind::YarnLock, b"a@1:\n  resolved \"x\"\n\nb@1:\n  version \"1\"\n", Status::Partial, "no version");
    status(Kind::YarnLock, b"hello\n", Status::Failed, "not a");
    status(Kind::YarnLock, b"a@1:\n  version \"1\"\n\na@1:\n  version \"2\"\n", Status::Partial, "twice");
}

#[test]
fn yarn_berry_reads_workspaces_patches_and_archives() {
    check(
        Kind::YarnLock,
        r#"__metadata:
  version: 8
  cacheKey: 10

"app@workspace:packages/app":
  version: 0.0.0-use.local
  resolution: "app@workspace:packages/app"
  dependencies:
    a: "npm:^1.0.0"
    p: "patch:p@npm%3A1.0.0#./p.patch"
  languageName: unknown
  linkType: soft

"a@npm:^1.0.0":
  version: 1.0.0
  resolution: "a@npm:1.0.0::__archiveUrl=https%3A%2F%2Fnpm.example.com%2Fa%2F-%2Fa-1.0.0.tgz"
  dependencies:
    old: ^2.0.0
  languageName: node
  linkType: hard

"old@npm:^2.0.0":
  version: 2.0.0
  resolution: "old@npm:2.0.0"
  languageName: node
  linkType: hard

"p@npm:1.0.0":
  version: 1.0.0
  resolution: "p@npm:1.0.0"
  languageName: node
  linkType: hard

"p@patch:p@npm%3A1.0.0#./p.patch":
  version: 1.0.0
  resolution: "p@patch:p@npm%3A1.0.0#./p.patch::version=1.0.0&hash=0"
  languageName: node
  linkType: hard

"g@https://github.com/o/g.git#commit=abc":
  version: 3.0.0
  resolution: "g@https://github.com/o/g.git#commit=abc"
  languageName: node
  linkType: hard
"#,
        r#"parsed
app 0.0.0-use.local 5 direct runtime Path("packages/app")
a 1.0.0 14 direct runtime PrivateRegistry("https://npm.example.com")
old 2.0.0 22 transitive runtime
p 1.0.0 28 direct runtime
g 3.0.0 40 transitive runtime Git("https://github.com/o/g.git#commit=abc")"#,
    );
    let cut = "__metadata:\n  version: 8\n\n\"a@npm:1\":\n  version: 1.0.0\n  resolution: \"a@npm:1.0.0\"\n";
    status(Kind::YarnLock, cut.as_bytes(), Status::Partial, "incomplete");
}

#[test]
fn pnpm_reads_every_way_to_spell_a_key() {
    check(
        Kind::PnpmLock,
        r#"lockfileVersion: 5.4
importers:
  .:
    specifiers:
      a: ^1
    dependencies:
      a: 1.0.0_peer@2.0.0
      git: github.com/o/git/abc
      own: link:../own
    devDependencies:
      '@corp/b': npm.example.com/@corp/b/2.0.0
packages:
  /a/1.0.0_peer@2.0.0:
    resolution: {integrity: sha512-x}
    dependencies:
      peer: 2.0.0
    dev: false
  /peer/2.0.0:
    resolution: {integrity: sha512-x}
    dev: false
  npm.example.com/@corp/b/2.0.0:
    resolution: {integrity: sha512-x}
    dev: true
  github.com/o/git/abc:
    resolution: {tarball: https://codeload.github.com/o/git/tar.gz/abc}
    name: git
    version: 0.1.0
"#,
        r#"parsed
a 1.0.0 13 direct runtime
peer 2.0.0 18 transitive runtime
@corp/b 2.0.0 21 direct dev PrivateRegistry("https://npm.example.com")
git 0.1.0 24 direct runtime Git("https://codeload.github.com/o/git/tar.gz/abc")"#,
    );
    check(
        Kind::PnpmLock,
        r#"---
lockfileVersion: '9.0'
importers:
  .:
    configDependencies: {}
---
lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      '@s/a':
        specifier: 'catalog:'
        version: 1.0.0(peer@2.0.0)
    devDependencies:
      zip:
        specifier: https://example.com/zip.tgz
        version: https://example.com/zip.tgz
packages:
  '@s/a@1.0.0':
    resolution: {integrity: sha512-x}
    deprecated: |-
      do not: use
      this
  peer@2.0.0:
    resolution: {integrity: sha512-x, tarball: https://npm.example.com/peer/-/peer-2.0.0.tgz}
  zip@https://example.com/zip.tgz:
    resolution: {tarball: https://example.com/zip.tgz}
    version: 4.0.0
snapshots:
  '@s/a@1.0.0(peer@2.0.0)':
    dependencies:
      peer: 2.0.0
    transitivePeerDependencies:
      - supports-color
  peer@2.0.0: {}
  zip@https://example.com/zip.tgz: {}
"#,
        r#"parsed
@s/a 1.0.0 19 direct runtime
peer 2.0.0 24 transitive runtime PrivateRegistry("https://npm.example.com")
zip 4.0.0 26 direct dev Url("https://example.com/zip.tgz")"#,
    );
}

#[test]
fn pnpm_falls_back_to_full_yaml_and_says_what_is_missing() {
    let long = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies: {a: {specifier: '1',\n      version: 1.0.0}}\npackages:\n  ? a@1.0.0\n  : resolution: {integrity: \"x\\u0041\"}\nsnapshots:\n  a@1.0.0: {}\n";
    check(Kind::PnpmLock, long, "parsed\na 1.0.0 7 direct runtime");
    let gone = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: '1'\n        version: 1.0.0\n";
    status(Kind::PnpmLock, gone.as_bytes(), Status::Failed, "needed, but not in the file");
    status(Kind::PnpmLock, b"lockfileVersion: '10.0'\n", Status::Unsupported, "format 10");
    status(Kind::PnpmLock, b"shrinkwrapVersion: 3\n", Status::Failed, "no lockfileVersion");
    let alias = "lockfileVersion: '9.0'\npackages: &x\n  a@1.0.0:\n    resolution: *x\n";
    status(Kind::PnpmLock, alias.as_bytes(), Status::Partial, "alias");
    status(Kind::PnpmLock, b"lockfileVersion: '9.0'\n  bad: [\n", Status::Failed, "YAML");
}

#[test]
fn package_json_judges_only_exact_versions() {
    check(
        Kind::PackageJson,
        r#"{"name": "x", "dependencies": {
"exact": "1.2.3",
"equal": "=v1.2.3-rc.1+b",
"caret": "^1.2.3",
"latest": "latest",
"partial": "1.2",
"alias": "npm:@s/real@1.0.0",
"git": "git+https://token@example.com/g.git",
"short": "owner/repo",
"own": "workspace:*",
"folder": "file:../x"},
"peerDependencies": {"peer": "1.0.0"}, "devDependencies": {
"dev": "1.0.0"}}"#,
        "parsed
exact 1.2.3 2 direct runtime
equal 1.2.3-rc.1+b 3 direct runtime
@s/real 1.0.0 7 direct runtime
peer 1.0.0 12 direct peer
dev 1.0.0 13 direct dev
? caret [^1.2.3] 4
? latest [latest] 5
? partial [1.2] 6
? git [git+https://example.com/g.git] 8
? short [owner/repo] 9",
    );
}

#[test]
fn requirements_are_read_as_pip_reads_them() {
    check(
        Kind::Requirements,
        "# comment
Flask_Login[async]==1.2.3 ; python_version > '3'  # why
a==1.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
b===2.0rc1
c>=1,<2
d
e==1.*
f == 1.0 , != 2
g @ https://user:secret@example.com/g.zip
git+https://example.com/h.git@v1#egg=H_h
-e .
-e git+ssh://git@example.com/i.git#egg=i
./local
./wheels/j-1.0-py3-none-any.whl
--no-binary :all:
k (>=1.0)
l~=1.4.2
",
        "parsed
flask-login 1.2.3 2 ? runtime
a 1.0 3 ? runtime
b 2.0rc1 6 ? runtime
f 1.0 10 ? runtime
? c [>=1,<2] 7
? d [] 8
? e [==1.*] 9
? g [@ https://example.com/g.zip] 11
? h-h [git+https://example.com/h.git@v1#egg=H_h] 12
? i [git+ssh://git@example.com/i.git#egg=i] 14
? j-1-0-py3-none-any-whl [./wheels/j-1.0-py3-none-any.whl] 16
? k [>=1.0] 18
? l [~=1.4.2] 19",
    );
    status(Kind::Requirements, b"a==1\n!!!\n", Status::Partial, "not a requirement");
    status(Kind::Requirements, b"a==1\n--frobnicate\n", Status::Partial, "an option that pip");
    status(Kind::Requirements, b"", Status::Parsed, "");
    status(Kind::Requirements, b"a==1 \\", Status::Partial, "nothing follows");
    let private = "-i https://user:secret@pypi.example.com/simple\na==1\n";
    check(Kind::Requirements, private, "parsed\na 1 2 ? runtime PrivateRegistry(\"https://pypi.example.com/simple\")");
    check(Kind::Requirements, "-i https://pypi.org/simple\na==1\n", "parsed\na 1 2 ? runtime");
}

#[test]
fn pipenv_is_read_with_its_indexes() {
    check(
        Kind::PipfileLock,
        r#"{"_meta": {"pipfile-spec": 6, "sources": [{"name": "corp", "url": "https://pypi.example.com/simple"}]},
"default": {
"A_b": {"version": "==1.0", "index": "corp"},
"g": {"git": "https://example.com/g.git", "ref": "abc"}},
"develop": {"c": {"version": "==2.0"}},
"docs": {"d": {"version": "==3.0"}}}"#,
        "parsed
a-b 1.0 3 ? runtime PrivateRegistry(\"https://pypi.example.com/simple\")
c 2.0 5 ? dev
d 3.0 6 ? optional
? g [https://example.com/g.git] 4",
    );
    status(
        Kind::PipfileLock,
        br#"{"_meta": {"pipfile-spec": 6}, "default": {"a": {"version": ">=1"}}}"#,
        Status::Failed,
        "has no version as pipenv locks it",
    );
    // So pipenv writes what does not apply.
    let marked = r#"{"_meta": {"pipfile-spec": 6}, "default": {"b": {"version": "==1"},
"T_o": {"markers": "python_version < '3.0'", "version": "*"}},
"develop": {"u": {"version": "*"}}}"#;
    check(Kind::PipfileLock, marked, "parsed\nb 1 1 ? runtime\n? t-o [] 2\n? u [] 3");
    let reasons: Vec<_> =
        Kind::PipfileLock.read(marked.as_bytes()).not_judged.into_iter().map(|one| one.reason).collect();
    let marker = "pipenv locked no version: it is needed only where \"python_version < '3.0'\"";
    assert_eq!(reasons, [marker, "pipenv locked no version"]);
    // Any version of the public package, but not of a company's own.
    let is_range = |text: &str| -> Vec<bool> {
        Kind::PipfileLock.read(text.as_bytes()).not_judged.into_iter().map(|one| one.is_range).collect()
    };
    assert_eq!(is_range(marked), [true, true]);
    let indexed = r#"{"_meta": {"pipfile-spec": 6, "sources": [{"name": "pypi", "url": "https://pypi.org/simple"},
{"name": "own", "url": "https://pypi.example.com/simple"}]},
"default": {"a": {"version": "*", "index": "pypi"}, "b": {"version": "*", "index": "own"}}, "develop": {}}"#;
    assert_eq!(is_range(indexed), [true, false]);
    status(Kind::PipfileLock, br#"{"_meta": {"pipfile-spec": 7}, "default": {}}"#, Status::Unsupported, "7");
    check(
        Kind::Pipfile,
        "[[source]]\nurl = \"x\"\n[packages]\na = \"==1.0\"\nb = \"*\"\nc = {version = \">=1\", extras = [\"x\"]}\nd = {path = \".\"}\ne = {git = \"https://example.com/e.git\"}\n[dev-packages]\nF = \"==2.0\"\n",
        "parsed
a 1.0 4 direct runtime
f 2.0 10 direct dev
? b [] 5
? c [>=1] 6
? e [https://example.com/e.git] 8",
    );
}

#[test]
fn poetry_and_uv_tell_sources_apart() {
    check(
        Kind::PoetryLock,
        r#"[[package]]
name = "A.b"
version = "1.0"
category = "dev"
optional = false

[package.dependencies]
c = ">=1"
gone = {version = "*", markers = "python_version < '3'"}

[[package]]
name = "c"
version = "2.0"
optional = true

[package.source]
type = "git"
url = "https://example.com/c.git"
resolved_reference = "abc"

[metadata]
lock-version = "1.1"
content-hash = "x"

[metadata.files]
c = []
"#,
        "parsed\na-b 1.0 2 ? dev\nc 2.0 12 ? optional Git(\"https://example.com/c.git\")",
    );
    status(Kind::PoetryLock, b"[[package]]\nname = \"a\"\nversion = \"1\"\n", Status::Partial, "[metadata]");
    status(Kind::PoetryLock, b"[metadata]\nlock-version = \"3.0\"\n", Status::Unsupported, "format 3");
    check(
        Kind::UvLock,
        r#"version = 1
revision = 3

[[package]]
name = "app"
source = { editable = "." }
dependencies = [{ name = "a" }, { name = "b", version = "2.0", marker = "x" }]

[package.optional-dependencies]
cli = [{ name = "c" }]

[package.dev-dependencies]
dev = [{ name = "d" }]

[[package]]
name = "a"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.pythonhosted.org/a.tar.gz", hash = "sha256:0" }

[[package]]
name = "b"
version = "1.0"
source = { registry = "https://pypi.example.com/simple" }

[[package]]
name = "b"
version = "2.0"
source = { git = "https://example.com/b.git?rev=x#abc" }

[[package]]
name = "c"
version = "1.0"
source = { url = "https://example.com/c.whl" }

[[package]]
name = "d"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.pythonhosted.org/d.tar.gz", hash = "sha256:0" }
dependencies = [{ name = "a" }]
"#,
        r#"parsed
a 1.0 16 direct runtime
b 1.0 22 transitive runtime PrivateRegistry("https://pypi.example.com/simple")
b 2.0 27 direct runtime Git("https://example.com/b.git?rev=x#abc")
c 1.0 32 direct optional Url("https://example.com/c.whl")
d 1.0 37 direct dev"#,
    );
    status(Kind::UvLock, b"version = 2\n", Status::Unsupported, "format 2");
    status(Kind::UvLock, b"version = 1\n[[package]]\nname = \"a\"\nversion = \"1\"\n\n", Status::Failed, "no source");
}

#[test]
fn pyproject_reads_both_ways_to_write_it() {
    check(
        Kind::PyProject,
        r#"[project]
name = "x"
dependencies = [
  "a==1.0",
  "b>=2; python_version > '3'",
]
[project.optional-dependencies]
cli = ["c==3"]
[dependency-groups]
dev = ["d", {include-group = "x"}]
[tool.poetry.dependencies]
python = "^3.8"
e = "1.2.3"
f = {version = "^1", optional = true}
g = {git = "https://example.com/g.git"}
[tool.poetry.group.dev.dependencies]
h = "*"
"#,
        "parsed
a 1.0 4 direct runtime
c 3 8 direct optional
e 1.2.3 13 direct runtime
? b [>=2] 5
? d [] 10
? f [^1] 14
? g [https://example.com/g.git] 15
? h [] 17",
    );
    check(
        Kind::PyProject,
        r#"[tool.pdm.dev-dependencies]
dev = ["-e file:///${PROJECT_ROOT}/own#egg=own", "a==1.0"]
[tool.uv]
dev-dependencies = ["b==2.0"]
"#,
        "parsed\na 1.0 2 direct dev\nb 2.0 4 direct dev",
    );
    status(Kind::PyProject, b"[tool.black]\nline-length = 100\n", Status::Parsed, "");
    status(Kind::PyProject, b"[project\n", Status::Failed, "not TOML");
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
