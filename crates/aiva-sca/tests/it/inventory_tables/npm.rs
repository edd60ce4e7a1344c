//! What the readers of npm's, yarn's and pnpm's files make of the forms that real files take.

use aiva_sca::inventory::Kind;
use aiva_sca::package::Status;

use super::{check, status};

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
