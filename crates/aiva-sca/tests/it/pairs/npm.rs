//! Manifests and lockfiles of npm, pnpm, yarn, bun and deno that disagree.

use super::{rows, told};

#[test]
fn npm() {
    let lock = |asks: &str, more: &str| {
        format!(
            "{{\"name\":\"app\",\"lockfileVersion\":3,\"packages\":{{\"\":{{\"name\":\"app\",\"dependencies\":{{{asks}}}}},\n\
             \"node_modules/left-pad\":{{\"version\":\"1.3.0\"}},\n\"node_modules/ms\":{{\"version\":\"2.1.3\"}}{more}}}}}"
        )
    };
    let text = lock(
        r#""left-pad":"^1.0.0","two":"npm:ms@^2","ms":"^2.1.0""#,
        r#","node_modules/two":{"name":"ms","version":"2.0.0"}"#,
    );
    let of = |asks: &str| format!(r#"{{"name":"app","dependencies":{{{asks}}}}}"#);
    for (asks, want) in [
        (r#""left-pad":"^1.0.0""#, vec![]),
        (r#""left-pad":"1.x""#, vec![]), // the same range in other words
        (r#""left-pad":"1.0.0""#, vec![r#"left-pad:2 package.json asks for "1.0.0", package-lock.json has 1.3.0"#]),
        (
            r#""left-pad":"^1.1.0""#,
            vec![r#"left-pad:2 package.json asks for "^1.1.0", package-lock.json was written for "^1.0.0""#],
        ),
        (
            r#""absent":"^1.1.0""#,
            vec![r#"absent:1 package.json asks for "^1.1.0", package-lock.json does not have it"#],
        ),
        (r#""left-pad":"latest""#, vec![]),
        (r#""left-pad":"git+https://example.com/left-pad.git""#, vec![]),
        (r#""left-pad":"file:../left-pad""#, vec![]),
        (r#""left-pad":"workspace:^2""#, vec![]),
        (r#""left-pad":"catalog:""#, vec![]),
        (r#""left-pad":"https://example.com/left-pad-2.0.0.tgz""#, vec![]),
        (r#""two":"npm:ms@^1""#, vec![]), // an alias
        (r#""app":"^9""#, vec![]),        // the project itself
    ] {
        rows(("package-lock.json", &text), "package.json", &[(&of(asks), &want)]);
    }
    // Overrides have the last word, wherever they stand.
    for more in [
        r#""overrides":{"left-pad":"1.3.0"}"#,
        r#""overrides":{"ms":{"left-pad@1":"1.3.0"}}"#,
        r#""resolutions":{"**/left-pad":"1.3.0"}"#,
        r#""pnpm":{"overrides":{"ms>left-pad@1":"1.3.0"}}"#,
    ] {
        let manifest = format!(r#"{{"name":"app",{more},"dependencies":{{"left-pad":"1.0.0"}}}}"#);
        rows(("package-lock.json", &text), "package.json", &[(&manifest, &[])]);
    }
    // Only something else needs it; two tables of which one counts; peers.
    let text = lock(r#""ms":"^2""#, "");
    rows(
        ("package-lock.json", &text),
        "package.json",
        &[
            (
                r#"{"dependencies":{"left-pad":"^1"}}"#,
                &[r#"left-pad:2 package.json asks for "^1", package-lock.json was written when it did not ask for it"#],
            ),
            (r#"{"dependencies":{"ms":"^1"},"optionalDependencies":{"ms":"^2"}}"#, &[]),
            (r#"{"peerDependencies":{"left-pad":"^7"}}"#, &[]),
        ],
    );
    // Format 1 does not say what it was written for.
    let old = r#"{"lockfileVersion":1,"dependencies":{"left-pad":{"version":"1.3.0","dependencies":{"ms":{"version":"2.0.0"}}}}}"#;
    rows(
        ("package-lock.json", old),
        "package.json",
        &[
            (r#"{"dependencies":{"left-pad":"^1.1"}}"#, &[]),
            (
                r#"{"dependencies":{"left-pad":"~1.2"}}"#,
                &[r#"left-pad:1 package.json asks for "~1.2", package-lock.json has 1.3.0"#],
            ),
        ],
    );
}

#[test]
fn a_workspace_of_npm() {
    let lock = "{\"lockfileVersion\":3,\"packages\":{\"\":{\"workspaces\":[\"a\",\"b\"]},\n\"a\":{\"name\":\"a\",\"version\":\"1.0.0\",\"dependencies\":{\"ms\":\"^1\",\"b\":\"^3\"}},\n\
        \"b\":{\"name\":\"b\",\"version\":\"3.0.0\",\"dependencies\":{\"ms\":\"^2\"}},\n\"node_modules/a\":{\"link\":true,\"resolved\":\"a\"},\"node_modules/b\":{\"link\":true,\"resolved\":\"b\"},\n\
        \"node_modules/ms\":{\"version\":\"1.0.0\"},\n\"b/node_modules/ms\":{\"version\":\"2.0.0\"}}}";
    let of = |a: &str, b: &str| {
        let a = format!(r#"{{"name":"a","dependencies":{{{a}}}}}"#);
        let b = format!(r#"{{"name":"b","dependencies":{{{b}}}}}"#);
        told(&[
            ("package-lock.json", lock),
            ("package.json", r#"{"workspaces":["a","b"]}"#),
            ("a/package.json", &a),
            ("b/package.json", &b),
        ])
    };
    assert!(of(r#""ms":"^1","b":"^3""#, r#""ms":"^2""#).is_empty());
    assert_eq!(
        of(r#""ms":"^1""#, r#""ms":"^2.0.1""#),
        [r#"ms:5 b/package.json asks for "^2.0.1", package-lock.json has 1.0.0"#]
    );
    assert_eq!(
        of(r#""ms":"^2""#, r#""ms":"^2""#),
        [r#"ms:5 a/package.json asks for "^2", package-lock.json was written for "^1""#]
    );
}

#[test]
fn pnpm_yarn_and_bun() {
    let pnpm = "lockfileVersion: '9.0'\n\nimporters:\n  .:\n    dependencies:\n      left-pad:\n        specifier: ^1.0.0\n        version: 1.3.0\n      linked:\n        specifier: ^1.0.0\n        version: link:../linked\n\n\
                packages:\n\n  left-pad@1.3.0:\n    resolution: {integrity: sha512-AA==}\n\nsnapshots:\n\n  left-pad@1.3.0: {}\n";
    let older = "lockfileVersion: 5.4\n\nspecifiers:\n  left-pad: ^1.0.0\n\ndependencies:\n  left-pad: 1.3.0\n\npackages:\n\n  /left-pad/1.3.0:\n    resolution: {integrity: sha512-AA==}\n";
    let yarn = "# yarn lockfile v1\n\n\nleft-pad@^1.0.0:\n  version \"1.3.0\"\n  resolved \"https://registry.yarnpkg.com/left-pad/-/left-pad-1.3.0.tgz#00\"\n  integrity sha512-AA==\n";
    let berry = "__metadata:\n  version: 8\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"app@workspace:.\"\n  dependencies:\n    left-pad: \"npm:^1.0.0\"\n  languageName: unknown\n  linkType: soft\n\n\
                 \"left-pad@npm:^1.0.0\":\n  version: 1.3.0\n  resolution: \"left-pad@npm:1.3.0\"\n  checksum: 00\n  languageName: node\n  linkType: hard\n";
    // What an override leaves out is missing nowhere.
    let without = pnpm.replacen("\n\n", "\n\noverrides:\n  gone: '-'\n\n", 1);
    rows(
        ("pnpm-lock.yaml", &without),
        "package.json",
        &[(r#"{"dependencies":{"left-pad":"^1.0.0","gone":"^1.0.0"}}"#, &[])],
    );
    // Of one package's only it says nothing of the others.
    rows(
        ("pnpm-lock.yaml", &without.replace("gone:", "'x>gone':")),
        "package.json",
        &[(
            r#"{"dependencies":{"left-pad":"^1.0.0","gone":"^1.0.0"}}"#,
            &[r#"gone:1 package.json asks for "^1.0.0", pnpm-lock.yaml does not have it"#],
        )],
    );
    let bun = "{\n  \"lockfileVersion\": 1,\n  \"workspaces\": {\n    \"\": {\n      \"name\": \"app\",\n      \"dependencies\": {\n        \"left-pad\": \"^1.0.0\",\n      },\n    },\n  },\n  \"packages\": {\n    \"left-pad\": [\"left-pad@1.3.0\", \"\", {}, \"sha512-AA==\"],\n  }\n}\n";
    for (lock, text, line, is_recorded) in [
        ("pnpm-lock.yaml", pnpm, 15, true),
        ("pnpm-lock.yaml", older, 11, true),
        ("yarn.lock", yarn, 4, false),
        ("yarn.lock", berry, 12, false),
        ("bun.lock", bun, 12, true),
        ("bun.lock", &bun.replace("\"lockfileVersion\": 1", "\"lockfileVersion\": 3"), 12, true),
    ] {
        let of = |asks: &str| format!(r#"{{"name":"app","dependencies":{{{asks}}}}}"#);
        let has = format!(r#"left-pad:{line} package.json asks for "1.0.0", {lock} has 1.3.0"#);
        let before = if is_recorded { "was written for \"^1.0.0\"" } else { "was written when it did not ask for it" };
        let written = format!(r#"left-pad:{line} package.json asks for "^1.2.0", {lock} {before}"#);
        let missing = format!(r#"absent:1 package.json asks for "^1", {lock} does not have it"#);
        rows(
            (lock, text),
            "package.json",
            &[
                (&of(r#""left-pad":"^1.0.0""#), &[]),
                (&of(r#""left-pad":"1""#), &[]),
                (&of(r#""left-pad":"1.0.0""#), &[&has]),
                (&of(r#""left-pad":"^1.2.0""#), &[&written]),
                (&of(r#""absent":"^1""#), &[&missing]),
                (&of(r#""left-pad":"next""#), &[]),
                (r#"{"resolutions":{"left-pad":"1.3.0"},"dependencies":{"left-pad":"1.0.0"}}"#, &[]),
            ],
        );
    }
    // A folder of the workspace that is not in the tree.
    rows(("pnpm-lock.yaml", pnpm), "package.json", &[(r#"{"dependencies":{"linked":"^1.0.0"}}"#, &[])]);
    // What the lockfile says of overrides, and of a program that changes manifests.
    let overridden = pnpm.replace("importers:", "overrides:\n  left-pad@1: 1.3.0\n\nimporters:");
    rows(("pnpm-lock.yaml", &overridden), "package.json", &[(r#"{"dependencies":{"left-pad":"1.0.0"}}"#, &[])]);
    let hooked = pnpm.replace("importers:", "pnpmfileChecksum: abc\n\nimporters:");
    rows(("pnpm-lock.yaml", &hooked), "package.json", &[(r#"{"dependencies":{"left-pad":"^1.2"}}"#, &[])]);
    let overridden = bun.replace("  \"packages\"", "  \"overrides\": {\"left-pad\": \"1.3.0\"},\n  \"packages\"");
    rows(("bun.lock", &overridden), "package.json", &[(r#"{"dependencies":{"left-pad":"1.0.0"}}"#, &[])]);
}

#[test]
fn deno() {
    let lock = "{\n  \"version\": \"5\",\n  \"specifiers\": {\n    \"npm:ms@^2.1.0\": \"2.1.3\",\n    \"npm:wrappy@1\": \"1.0.2\"\n  },\n  \"npm\": {\n    \"ms@2.1.3\": {\"integrity\": \"sha512-AA==\"},\n    \
        \"wrappy@1.0.2\": {\"integrity\": \"sha512-AA==\"}\n  },\n  \"workspace\": {\n    \"dependencies\": [\n      \"npm:ms@^2.1.0\"\n    ],\n    \"packageJson\": {\n      \"dependencies\": [\n        \"npm:wrappy@1\"\n      ]\n    }\n  }\n}\n";
    rows(
        ("deno.lock", lock),
        "deno.json",
        &[
            (r#"{"imports":{"ms":"npm:ms@^2.1.0","@std/a":"jsr:@std/a@^9"}}"#, &[]),
            (r#"{"imports":{"ms":"npm:ms@>=2.1 <3"}}"#, &[]), // deno writes it its own way
            (r#"{"imports":{"ms":"npm:ms@^2.2"}}"#, &[r#"ms:8 deno.json asks for "^2.2", deno.lock has 2.1.3"#]),
            (
                r#"{"imports":{"ms":"npm:ms@^2.1.0","x":"npm:once@1"}}"#,
                &[r#"once:1 deno.json asks for "1", deno.lock does not have it"#],
            ),
        ],
    );
    rows(
        ("deno.lock", lock),
        "package.json",
        &[
            (r#"{"dependencies":{"wrappy":"^1.0.0"}}"#, &[]),
            (
                r#"{"dependencies":{"wrappy":"~1.1"}}"#,
                &[r#"wrappy:9 package.json asks for "~1.1", deno.lock has 1.0.2"#],
            ),
            (
                r#"{"devDependencies":{"once":"~1.1"}}"#,
                &[r#"once:1 package.json asks for "~1.1", deno.lock does not have it"#],
            ),
        ],
    );
    // A lockfile of a program alone holds what that imports.
    let bare = lock.split("  \"workspace\"").next().unwrap().trim_end().trim_end_matches(',').to_owned() + "\n}\n";
    rows(("deno.lock", &bare), "deno.json", &[(r#"{"imports":{"x":"npm:once@1"}}"#, &[])]);
}

#[test]
fn bun_may_override_for_one_package_only() {
    let bun = "{\n\"lockfileVersion\": 3,\n\"workspaces\": {\"\": {\"dependencies\": {\"once\": \"1.4.0\", \"wrappy\": \"1.0.2\"}}},\n\
               \"overrides\": {\"x\": {\"wrappy\": \"1.0.2\"}},\n\"packages\": {\n\"once\": [\"once@1.4.0\", \"\", {\"dependencies\": {\"wrappy\": \"1\"}}, \"\"],\n\
               \"wrappy\": [\"wrappy@1.0.2\", \"\", {}, \"\"],\n}}\n";
    rows(
        ("bun.lock", bun),
        "package.json",
        &[
            (
                r#"{"dependencies":{"once":"1.3.0","wrappy":"1.0.1"}}"#, // of wrappy nothing is said
                &[r#"once:6 package.json asks for "1.3.0", bun.lock has 1.4.0"#],
            ),
            (r#"{"dependencies":{"once":"1.4.0","wrappy":"1.0.2"}}"#, &[]),
        ],
    );
}
