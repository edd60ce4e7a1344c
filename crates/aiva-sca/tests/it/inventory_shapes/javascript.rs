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
