//! Lockfiles of JavaScript's tools: who needs whom, and what is direct.

use aiva_sca::inventory::Kind;

use super::{beside, check};

/// As npm 11 writes it with `--lockfile-version=1`: an entry requires the nearest copy on the way up, as node finds it.
#[test]
fn npm_format_1_says_who_needs_whom() {
    let lock = r#"{"lockfileVersion": 1, "requires": true, "dependencies": {
"ajv": {"version": "6.5.3", "requires": {
  "uri-js": "^4.2.1",
  "alias": "npm:real@^1"
}},
"alias": {"version": "npm:real@1.0.0"},
"execa": {"version": "0.8.0", "dev": true},
"punycode": {"version": "1.4.1"},
"serve": {"version": "10.1.1", "requires": {"ajv": "6.5.3", "term-size": "^1"}},
"term-size": {"version": "1.2.0", "requires": {"execa": "^0.7.0"}, "dependencies": {
  "cross": {"version": "5.0.0", "requires": {"execa": "*", "punycode": "*"}},
  "execa": {"version": "0.7.0", "requires": {"cross": "5", "serve": "*"}}}},
"uri-js": {"version": "4.4.1", "dependencies": {
  "punycode": {"version": "2.3.1"}}, "requires": {"punycode": "^2.1.0"}}
}}"#;
    beside(
        ("package.json", r#"{"dependencies": {"serve": "10.1.1"}, "devDependencies": {"execa": "0.8.0"}}"#),
        ("package-lock.json", lock),
        "parsed
ajv 6.5.3 2 transitive runtime
real 1.0.0 6 transitive runtime
execa 0.8.0 7 direct dev
punycode 1.4.1 8 transitive runtime
serve 10.1.1 9 direct runtime
term-size 1.2.0 10 transitive runtime
cross 5.0.0 11 transitive runtime
execa 0.7.0 12 transitive runtime
uri-js 4.4.1 13 transitive runtime
punycode 2.3.1 14 transitive runtime
ajv 6.5.3 -> uri-js 4.4.1
ajv 6.5.3 -> real 1.0.0
serve 10.1.1 -> ajv 6.5.3
serve 10.1.1 -> term-size 1.2.0
term-size 1.2.0 -> execa 0.7.0
cross 5.0.0 -> execa 0.7.0
cross 5.0.0 -> punycode 1.4.1
execa 0.7.0 -> cross 5.0.0
execa 0.7.0 -> serve 10.1.1
uri-js 4.4.1 -> punycode 2.3.1",
    );
}

#[test]
fn npm_format_1_says_what_is_missing() {
    // What is below another package is not there for all; what a folder above needs, npm does not install.
    check(
        Kind::PackageLock,
        r#"{"lockfileVersion": 1, "dependencies": {
"a": {"version": "1.0.0", "requires": {
  "b": "1",
  "c": "1"
}},
"c": {"version": "1.0.0", "dependencies": {"b": {"version": "1.0.0"}}},
"d": {"version": "file:../d", "requires": {"e": "1"}},
"f": {"version": "file:f", "requires": {"g": "1"}}
}}"#,
        r#"partial
a 1.0.0 2 ? runtime
c 1.0.0 6 ? runtime
b 1.0.0 6 transitive runtime
d file:../d 7 direct runtime Path("../d")
f file:f 8 direct runtime Path("f")
! 3 "a" needs "b", which is not in the file
! 8 "f" needs "g", which is not in the file
a 1.0.0 -> c 1.0.0"#,
    );
}

/// As yarn 4 writes it: who asks for a folder stands behind it in the entry, and not where it is asked for.
#[test]
fn berry_binds_folders_to_who_asks_for_them() {
    let lock = r#"__metadata:
  version: 8
  cacheKey: 10c0

"@zz/lib@workspace:lib":
  version: 0.0.0-use.local
  resolution: "@zz/lib@workspace:lib"
  dependencies:
    minimist: "file:./own"
    zz-app: "workspace:^"
  languageName: unknown
  linkType: soft

"minimist@file:./own::locator=%40zz%2Flib%40workspace%3Alib":
  version: 6.0.0
  resolution: "minimist@file:./own#./own::hash=26ecb9&locator=%40zz%2Flib%40workspace%3Alib"
  languageName: node
  linkType: hard

"minimist@file:./own::locator=zz-app%40workspace%3A.":
  version: 5.0.0
  resolution: "minimist@file:./own#./own::hash=26ecb9&locator=zz-app%40workspace%3A."
  languageName: node
  linkType: hard

"minimist@npm:0.0.8":
  version: 0.0.8
  resolution: "minimist@npm:0.0.8"
  languageName: node
  linkType: hard

"mkdirp@npm:0.5.1":
  version: 0.5.1
  resolution: "mkdirp@npm:0.5.1"
  dependencies:
    minimist: "npm:0.0.8"
  languageName: node
  linkType: hard

"zz-app@workspace:^, zz-app@workspace:.":
  version: 0.0.0-use.local
  resolution: "zz-app@workspace:."
  dependencies:
    minimist: "file:./own"
    mkdirp: "npm:0.5.1"
  languageName: unknown
  linkType: soft
"#;
    // The project itself is no package of its own.
    let want = |mkdirp: &str| {
        format!(
            r#"parsed
@zz/lib 0.0.0-use.local 5 direct runtime Path("lib")
minimist 6.0.0 14 direct runtime Path("./own")
minimist 5.0.0 20 direct runtime Path("./own")
minimist 0.0.8 26 transitive {mkdirp}
mkdirp 0.5.1 32 direct {mkdirp}
@zz/lib 0.0.0-use.local -> minimist 6.0.0
mkdirp 0.5.1 -> minimist 0.0.8"#
        )
    };
    check(Kind::YarnLock, lock, &want("runtime"));
    let manifest =
        r#"{"name": "zz-app", "dependencies": {"minimist": "file:./own"}, "devDependencies": {"mkdirp": "0.5.1"}}"#;
    beside(("package.json", manifest), ("yarn.lock", lock), &want("dev"));
    let patched = lock.replace("file:./own", "patch:minimist@npm%3A6.0.0#./l.patch");
    check(Kind::YarnLock, &patched, &want("runtime").replace(" Path(\"./own\")", ""));
}

#[test]
fn pnpm_names_folders_and_repositories_as_each_of_its_releases_does() {
    // pnpm 8 writes no version of a folder.
    check(
        Kind::PnpmLock,
        "lockfileVersion: '6.0'
dependencies:
  minimist:
    specifier: file:./own
    version: file:own
packages:
  file:own:
    resolution: {directory: own, type: directory}
    name: minimist
    dev: false
",
        r#"parsed
minimist file:own 7 direct runtime Path("own")"#,
    );
    // pnpm 7: the same name and version from the registry is another package; a repository on the same machine has no name.
    check(
        Kind::PnpmLock,
        "lockfileVersion: 5.4
dependencies:
  minimist: file:own
  mkdirp: 0.5.1
  ms: /srv/ms/ba2df83ce730d20d92281bc4ce5af2d75fb89153
packages:
  /minimist/0.0.8:
    resolution: {integrity: sha512-x}
    dev: false
  /mkdirp/0.5.1_peer@1.0.0:
    resolution: {integrity: sha512-x}
  /mkdirp/0.5.1:
    resolution: {integrity: sha512-x}
    dependencies:
      minimist: 0.0.8
  /srv/ms/ba2df83ce730d20d92281bc4ce5af2d75fb89153:
    resolution: {commit: ba2df83ce730d20d92281bc4ce5af2d75fb89153, repo: file:///srv/ms, type: git}
    dev: false
  file:own:
    resolution: {directory: own, type: directory}
    name: minimist
    version: 0.0.8
    dev: false
",
        r#"parsed
minimist 0.0.8 7 transitive runtime
mkdirp 0.5.1 10 direct runtime
ms ba2df83ce730d20d92281bc4ce5af2d75fb89153 16 direct runtime Git("file:///srv/ms#ba2df83ce730d20d92281bc4ce5af2d75fb89153")
minimist 0.0.8 19 direct runtime Path("own")
mkdirp 0.5.1 -> minimist 0.0.8"#,
    );
}

#[test]
fn npm_format_1_has_the_release_in_the_address_that_is_asked_for() {
    check(
        Kind::PackageLock,
        r#"{"lockfileVersion": 1, "dependencies": {
"@s/a": {"version": "https://registry.npmjs.org/@s/a/-/a-1.3.0.tgz", "integrity": "sha512-x"},
"b": {"version": "https://registry.npmjs.org/c/-/b-1.3.0.tgz"},
"d": {"version": "https://registry.npmjs.org/c/-/c-1.3.0.tgz"},
"e": {"version": "https://example.com/e/-/e-1.3.0.tgz"}
}}"#,
        r#"parsed
@s/a 1.3.0 2 ? runtime
b https://registry.npmjs.org/c/-/b-1.3.0.tgz 3 ? runtime
d https://registry.npmjs.org/c/-/c-1.3.0.tgz 4 ? runtime
e https://example.com/e/-/e-1.3.0.tgz 5 ? runtime PrivateRegistry("https://example.com")"#,
    );
}

/// deno says who asks for what, and not what for.
#[test]
fn deno_locks_what_a_package_json_needs_for_development() {
    let lock = r#"{"version": "5",
"specifiers": {"npm:mkdirp@0.5.1": "0.5.1", "npm:once@1": "1.4.0", "npm:ms@2": "2.0.0", "npm:old@1": "1.0.0"},
"npm": {
"minimist@0.0.8": {"integrity": "sha512-AA=="},
"mkdirp@0.5.1": {"integrity": "sha512-AA==", "dependencies": ["minimist"]},
"ms@2.0.0": {"integrity": "sha512-AA=="},
"old@1.0.0": {"integrity": "sha512-AA=="},
"once@1.4.0": {"integrity": "sha512-AA=="}
},
"workspace": {"dependencies": ["npm:once@1"],
"packageJson": {"dependencies": ["npm:mkdirp@0.5.1", "npm:ms@2", "npm:old@1", "npm:once@1"]}}}"#;
    let manifest = r#"{"dependencies": {"ms": "2"},
"devDependencies": {"mkdirp": "0.5.1", "once": "1", "alias": "npm:old@1"}}"#;
    // What a `deno.json` asks for as well is imported.
    beside(
        ("package.json", manifest),
        ("deno.lock", lock),
        "parsed
minimist 0.0.8 4 transitive dev
mkdirp 0.5.1 5 direct dev
ms 2.0.0 6 direct runtime
old 1.0.0 7 direct dev
once 1.4.0 8 direct runtime
mkdirp 0.5.1 -> minimist 0.0.8",
    );
}
