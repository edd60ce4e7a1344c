//! Plans from end to end: files and advisories in, what is edited, run and left out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use tempfile::TempDir;

mod builds;
mod compiled;
mod many;
mod overrides;
mod ranges;
mod shared;
mod steps;
mod within;

use super::{Stay, plan};
use crate::advisory::{self, Index};
use crate::finding::Finding;
use crate::inventory::{Options, walk};
use crate::scan::scan;

/// An advisory: ecosystem, package, id, and the events of its range.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str);

const ADVISORIES: &[Row<'_>] = &[
    ("npm", "handlebars", "H-1", r#"{"introduced": "0"}, {"fixed": "4.5.3"}"#),
    (
        "npm",
        "lodash",
        "L-3",
        r#"{"introduced": "0"}, {"fixed": "3.10.2"}, {"introduced": "4.0.0"}, {"fixed": "4.17.21"}"#,
    ),
    ("npm", "ms", "M-1", r#"{"introduced": "0"}, {"last_affected": "0.7.0"}"#),
    ("npm", "gone", "G-1", r#"{"introduced": "0"}, {"last_affected": "1.1.0"}"#),
    ("PyPI", "requests", "R-1", r#"{"introduced": "0"}, {"fixed": "2.20.0"}"#),
    ("PyPI", "requests", "R-2", r#"{"introduced": "0"}, {"fixed": "2.31.0"}"#),
    ("PyPI", "jinja2", "J-1", r#"{"introduced": "0"}, {"fixed": "2.11.3"}"#),
    ("PyPI", "two", "T-2", r#"{"introduced": "0"}, {"fixed": "2.0"}"#),
    ("PyPI", "two", "T-3", r#"{"introduced": "0"}, {"fixed": "1.5"}, {"introduced": "3.0"}, {"fixed": "3.5"}"#),
    ("Go", "x/crypto", "C-1", r#"{"introduced": "0"}, {"fixed": "0.17.0"}"#),
    ("Go", "x/crypto", "C-2", r#"{"introduced": "0"}, {"fixed": "0.31.0"}"#),
    ("Go", "x/crypto", "C-3", r#"{"introduced": "0"}"#),
    ("Go", "stdlib", "S-1", r#"{"introduced": "0"}, {"fixed": "1.25.13"}"#),
    ("crates.io", "time", "T-1", r#"{"introduced": "0"}, {"fixed": "0.2.23"}"#),
    ("Maven", "g:a", "A-1", r#"{"introduced": "0"}, {"fixed": "2.17.1"}"#),
    ("GitHub Actions", "o/a", "W-1", r#"{"introduced": "0"}, {"fixed": "4.2.0"}"#),
    ("Maven", "g:b", "B-1", r#"{"introduced": "0"}, {"fixed": "2.15.0"}"#),
    ("Maven", "g:guava", "G-2", r#"{"introduced": "0"}, {"fixed": "32.0.0-android"}"#),
    ("NuGet", "L.N", "N-2", r#"{"introduced": "0"}, {"fixed": "2.0.10"}"#),
    ("NuGet", "L.P", "N-3", r#"{"introduced": "8.0.0"}, {"fixed": "8.0.4"}"#),
    (
        "NuGet",
        "M.D",
        "N-4",
        r#"{"introduced": "6.0.0"}, {"fixed": "6.0.10"}, {"introduced": "8.0.0"}, {"fixed": "8.0.5"}"#,
    ),
    ("Maven", "g:droid", "G-3", r#"{"introduced": "0"}, {"fixed": "32.0.0-jre"}"#),
    ("Maven", "g:plain", "G-4", r#"{"introduced": "0"}, {"fixed": "2.0"}"#),
    (
        "Maven",
        "g:two",
        "W-1",
        r#"{"introduced": "0"}, {"fixed": "1.2.6"}, {"introduced": "2.0.0"}, {"fixed": "2.6.1"}"#,
    ),
    ("NuGet", "N.J", "N-1", r#"{"introduced": "0"}, {"fixed": "13.0.1"}"#),
    ("crates.io", "hyper", "B-2", r#"{"introduced": "0"}, {"fixed": "1.1.0"}"#),
    ("npm", "bringer", "B-1", r#"{"introduced": "0"}, {"fixed": "1.1.0"}"#),
    ("PyPI", "flask", "F-1", r#"{"introduced": "0"}, {"fixed": "1.1.4"}"#),
    ("Packagist", "acme/log", "P-1", r#"{"introduced": "0"}, {"fixed": "1.2.6"}"#),
    ("Packagist", "acme/web", "P-2", r#"{"introduced": "0"}, {"fixed": "1.3.0"}"#),
    (
        "crates.io",
        "pin",
        "I-1",
        r#"{"introduced": "0"}, {"fixed": "1.2.6"}, {"introduced": "2.0.0"}, {"fixed": "2.0.1"}"#,
    ),
    ("npm", "inner", "I-2", r#"{"introduced": "0"}, {"fixed": "1.1.3"}"#),
    ("npm", "inner", "I-3", r#"{"introduced": "0"}, {"fixed": "1.2.6"}"#),
    ("crates.io", "frame", "E-1", r#"{"introduced": "0"}, {"fixed": "0.3.17"}"#),
    ("crates.io", "frame", "E-2", r#"{"introduced": "0"}, {"fixed": "0.3.24"}"#),
    ("crates.io", "frame", "E-3", r#"{"introduced": "0"}, {"fixed": "0.4.16"}"#),
    ("Packagist", "acme/inner", "P-3", r#"{"introduced": "0"}, {"fixed": "1.1.3"}"#),
    ("Packagist", "acme/inner", "P-4", r#"{"introduced": "0"}, {"fixed": "1.2.6"}"#),
    ("PyPI", "inner", "Y-1", r#"{"introduced": "0"}, {"fixed": "1.1.3"}"#),
    ("PyPI", "inner", "Y-2", r#"{"introduced": "0"}, {"fixed": "1.2.6"}"#),
    ("crates.io", "rustls", "U-1", r#"{"introduced": "0"}, {"fixed": "0.21.11"}"#),
];

fn index() -> (TempDir, Index) {
    let source = TempDir::new().unwrap();
    for (ecosystem, name, id, events) in ADVISORIES {
        let folder = source.path().join(ecosystem);
        fs::create_dir_all(&folder).unwrap();
        let record = format!(
            r#"{{"id": "{id}", "modified": "2026-01-01T00:00:00Z", "affected": [{{"package": {{"ecosystem": "{ecosystem}", "name": "{name}"}},
            "ranges": [{{"type": "ECOSYSTEM", "events": [{events}]}}]}}]}}"#
        );
        fs::write(folder.join(format!("{id}.json")), record).unwrap();
    }
    let dir = TempDir::new().unwrap();
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    advisory::import(&[source.path().to_owned()], dir.path(), now, &|_| {}).unwrap();
    let index = Index::open(dir.path()).unwrap();
    (dir, index)
}

/// What a plan says, and what a scan finds after its edits were made.
#[track_caller]
fn check(files: &[(&str, &str)], want: &str) {
    check_some(files, |_| true, want);
}

/// What comes from a mirror is mended as what the public registry has, and what is not free of it afterwards stays.
#[test]
fn what_comes_from_a_mirror_is_judged_again_as_public() {
    let of = |index: &str| format!("{index}requests==2.19.0\n");
    let want = "requirements.txt: requests 2.19.0 -> 2.31.0: R-1 R-2\n  + requests==2.31.0\n";
    check(&[("requirements.txt", &of(""))], want);
    check(&[("requirements.txt", &of("--index-url https://mirrors.aliyun.com/pypi/simple\n"))], want);
}

/// As [`check`], for some of the findings.
#[track_caller]
fn check_some(files: &[(&str, &str)], is_meant: impl Fn(&Finding) -> bool, want: &str) {
    let (_dir, index) = index();
    let root = TempDir::new().unwrap();
    for (path, text) in files {
        let file = root.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let inventory = walk(root.path(), &Options::default(), &|_| {}).unwrap();
    let result = scan(&inventory.inputs, &index).unwrap();
    let findings: Vec<&Finding> = result.findings.iter().filter(|finding| is_meant(finding)).collect();
    assert!(!findings.is_empty() || !result.can_resolve.is_empty(), "nothing is found");
    let read = |path: &str| fs::read_to_string(root.path().join(path)).ok();
    let plan = plan(&inventory.inputs, &findings, &result.can_resolve, &index, &read).unwrap();
    let mut got = String::new();
    let originals: BTreeMap<&str, &str> = files.iter().copied().collect();
    for edit in &plan.edits {
        for bump in &edit.bumps {
            let (from, to, clears) = (bump.from.join(" & "), bump.to.join(" & "), bump.clears.join(" "));
            writeln!(got, "{}: {} {from} -> {to}: {clears}", edit.path, bump.name).unwrap();
            bump.eases.iter().for_each(|id| writeln!(got, "  eases {id}").unwrap());
            bump.along.names.iter().for_each(|name| writeln!(got, "  along {name}").unwrap());
            bump.unknown.names.iter().for_each(|name| writeln!(got, "  unknown {name}").unwrap());
            bump.drops.iter().for_each(|bound| writeln!(got, "  drops {bound}").unwrap());
        }
        let old: Vec<&str> = originals[edit.path.as_str()].lines().collect();
        let new = edit.after.lines().filter(|line| !old.contains(line));
        new.for_each(|line| writeln!(got, "  + {}", line.trim()).unwrap());
    }
    for run in &plan.commands {
        let by = run.brought_by.iter().map(|by| format!(" by {by}")).collect::<String>();
        writeln!(got, "$ {}: {}{by}", run.command, run.clears.join(" ")).unwrap();
    }
    for one in &plan.remaining {
        let word = match one.stay {
            Stay::Surely => "stays",
            Stay::Follows => "follows",
            Stay::Perhaps => "may stay",
        };
        assert!(!one.lines.is_empty(), "{one:?} has no line");
        writeln!(got, "{word} {}: {}: {}: {}", one.path, one.package, one.ids.join(" "), one.reason).unwrap();
    }
    for one in &plan.instead {
        let held: Vec<&str> = one.held.iter().map(String::as_str).collect();
        writeln!(got, "or {}: {}: {} though {}", one.path, one.written, one.clears.join(" "), held.join(", ")).unwrap();
    }
    for ((path, line, name, requirement), why_not) in &plan.ranges {
        if let Some(reason) = why_not {
            writeln!(got, "not raised {path}:{line}: {name} {requirement}: {reason}").unwrap();
        }
    }
    for ((path, line, name, requirement), (written, by)) in &plan.narrowed {
        writeln!(got, "narrowed {path}:{line}: {name} {requirement}: {written} by {by}").unwrap();
    }
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n");
    assert_eq!(lines(got.trim()), lines(want.trim()), "\n--- got\n{got}");
}

#[test]
fn aliases_and_several_entries_are_each_judged() {
    check(
        &[("package.json", r#"{"dependencies": {"hb": "npm:handlebars@4.0.0", "handlebars": "<4.5"}}"#)],
        r#"
package.json: handlebars 4.0.0 & <4.5 -> 4.5.3: H-1
  drops <4.5
  + {"dependencies": {"hb": "npm:handlebars@4.5.3", "handlebars": "^4.5.3"}}"#,
    );
    check(
        &[("package.json", r#"{"dependencies": {"hb": "npm:handlebars@4.0.0", "handlebars": "^4.6.0"}}"#)],
        r#"
package.json: handlebars 4.0.0 -> 4.5.3: H-1
  + {"dependencies": {"hb": "npm:handlebars@4.5.3", "handlebars": "^4.6.0"}}"#,
    );
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"hb": "npm:handlebars@4.0.0"}},
        "node_modules/hb": {"name": "handlebars", "version": "4.0.0"}}}"#;
    check(
        &[("package.json", r#"{"dependencies": {"hb": "npm:handlebars@4.0.0"}}"#), ("package-lock.json", lock)],
        r#"
package.json: handlebars 4.0.0 -> 4.5.3: H-1
  + {"dependencies": {"hb": "npm:handlebars@4.5.3"}}
$ npm update hb:"#,
    );
    // A range behind `npm:` is no alias.
    let berry = "__metadata:\n  version: 8\n\n\"handlebars@npm:4.0.0\":\n  version: 4.0.0\n  resolution: \"handlebars@npm:4.0.0\"\n  languageName: node\n  linkType: hard\n\n\"m@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"m@workspace:.\"\n  dependencies:\n    handlebars: \"npm:4.0.0\"\n  languageName: unknown\n  linkType: soft\n";
    let own = r#"{"name": "m", "dependencies": {"handlebars": "npm:4.0.0"}}"#;
    let edited = r#"
package.json: handlebars 4.0.0 -> 4.5.3: H-1
  + {"name": "m", "dependencies": {"handlebars": "npm:4.5.3"}}"#;
    check(&[("package.json", own)], edited);
    check(&[("package.json", own), ("yarn.lock", berry)], &format!("{edited}\n$ yarn up -R handlebars:"));
    // Who asks for it by an alias may be a package of somebody else.
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"x": "1.0.0"}},
        "node_modules/hb": {"name": "handlebars", "version": "4.0.0"},
        "node_modules/x": {"version": "1.0.0", "dependencies": {"hb": "npm:handlebars@^4.0.0"}}}}"#;
    check(
        &[("package.json", r#"{"dependencies": {"x": "1.0.0"}}"#), ("package-lock.json", lock)],
        "$ npm update hb: H-1 by x 1.0.0",
    );
}

#[test]
fn a_copy_that_another_package_holds_is_not_claimed() {
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"lodash": "^3.0.0", "x": "1.0.0"}},
        "node_modules/lodash": {"version": "3.10.1"},
        "node_modules/x": {"version": "1.0.0", "dependencies": {"lodash": "4.17.4"}},
        "node_modules/x/node_modules/lodash": {"version": "4.17.4"}}}"#;
    let manifest = r#"{"dependencies": {"lodash": "^3.0.0", "x": "1.0.0"}}"#;
    check(
        &[("package.json", manifest), ("package-lock.json", lock)],
        r#"
package.json: lodash 3.10.1 -> 3.10.2:
  eases L-3
  + {"dependencies": {"lodash": "^3.10.2", "x": "1.0.0"}}
$ npm update lodash:
stays package-lock.json: lodash 4.17.4: L-3: brought by x 1.0.0; x 1.0.0 asks for lodash 4.17.4
or package.json: "overrides":{"x":{"lodash":"4.17.21"}}: L-3 though x 1.0.0 asks for lodash 4.17.4"#,
    );
    check(
        &[
            ("package.json", r#"{"dependencies": {"x": "1.0.0"}}"#),
            (
                "package-lock.json",
                &lock
                    .replace("{\"lodash\": \"4.17.4\"}", "{\"lodash\": \"^4.17.4\"}")
                    .replace("\"lodash\": \"^3.0.0\", ", "")
                    .replace("\"node_modules/lodash\": {\"version\": \"3.10.1\"},", ""),
            ),
        ],
        "$ npm update lodash: L-3 by x 1.0.0",
    );
}

#[test]
fn cargo_moves_within_a_line_of_versions() {
    let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let lock = |name: &str, version: &str, root: &str| {
        format!(
            "version = 4\n\n[[package]]\nname = \"client\"\nversion = \"1.0.0\"\n{registry}\ndependencies = [\"{name}\"]\n\n\
             [[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [{root}]\n\n\
             [[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{registry}\n"
        )
    };
    let manifest = |line: &str| {
        format!("[package]\nname = \"shop\"\nversion = \"0.1.0\"\n[dependencies]\nclient = \"1\"\n{line}\n")
    };
    for (name, version, line, root, want) in [
        (
            "rustls",
            "0.21.10",
            "tls = { package = \"rustls\", version = \"0.21\" }",
            "\"client\", \"rustls\"",
            "Cargo.toml: rustls 0.21.10 -> 0.21.11: U-1\n  + tls = { package = \"rustls\", version = \"0.21.11\" }\n$ cargo update -p rustls --precise 0.21.11:",
        ),
        (
            "rustls",
            "0.21.10",
            "",
            "\"client\"",
            "$ cargo update -p rustls --precise 0.21.11:\nmay stay Cargo.lock: rustls 0.21.10: U-1: brought by client 1.0.0; nothing here says whether client 1.0.0 allows 0.21.11",
        ),
        (
            "time",
            "0.1.40",
            "",
            "\"client\"",
            "may stay Cargo.lock: time 0.1.40: T-1: brought by client 1.0.0; 0.2.23 is not compatible with it, and nothing here says whether client 1.0.0 allows it",
        ),
        (
            "time",
            "0.1.40",
            "time = \"0.1\"",
            "\"client\", \"time\"",
            "Cargo.toml: time 0.1.40 -> 0.2.23:\n  + time = \"0.2.23\"\n$ cargo update --workspace:\nmay stay Cargo.lock: time 0.1.40: T-1: 0.2.23 is not compatible with it, and nothing here says whether client 1.0.0 allows it",
        ),
    ] {
        check(&[("Cargo.toml", &manifest(line)), ("Cargo.lock", &lock(name, version, root))], want);
    }
}

#[test]
fn two_majors_of_a_crate_are_told_apart() {
    let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"client\"\nversion = \"1.0.0\"\ndependencies = [\"pin 1.2.3\"]\n\n\
         [[package]]\nname = \"pin\"\nversion = \"1.2.3\"\n{registry}\n\n[[package]]\nname = \"pin\"\nversion = \"2.0.0\"\n{registry}\n\n\
         [[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\"client\", \"pin 2.0.0\"]\n"
    );
    let manifest = |name: &str, version: &str, lines: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\n[dependencies]\n{lines}\n")
    };
    let shop = |path: &str| manifest("shop", "0.1.0", &format!("client = {{ path = \"{path}\" }}\npin = \"=2.0.0\""));
    let client = |range: &str| manifest("client", "1.0.0", &format!("pin = \"{range}\""));
    // Both manifests are the project's own.
    check(
        &[("Cargo.toml", &shop("client")), ("Cargo.lock", &lock), ("client/Cargo.toml", &client("=1.2.3"))],
        "
Cargo.toml: pin 2.0.0 -> 2.0.1: I-1
  + pin = \"=2.0.1\"
client/Cargo.toml: pin 1.2.3 -> 1.2.6: I-1
  + pin = \"=1.2.6\"
$ cargo update -p pin@1 --precise 1.2.6 && cargo update -p pin@2 --precise 2.0.1:",
    );
    // What is beside the project is not edited for its lockfile; it may have been accepted there.
    for (range, want) in [
        (
            "=1.2.3",
            "shop/Cargo.toml: pin 2.0.0 -> 2.0.1:\n  eases I-1\n  + pin = \"=2.0.1\"\n$ cargo update -p pin@2 --precise 2.0.1:\n\
             stays shop/Cargo.lock: pin 1.2.3: I-1: client 1.0.0 asks for pin =1.2.3 in client/Cargo.toml",
        ),
        (
            "1.2",
            "shop/Cargo.toml: pin 2.0.0 -> 2.0.1: I-1\n  + pin = \"=2.0.1\"\n\
             $ cargo update -p pin@1 --precise 1.2.6 && cargo update -p pin@2 --precise 2.0.1: I-1",
        ),
    ] {
        let (shop, client) = (shop("../client"), client(range));
        let files = [("shop/Cargo.toml", &*shop), ("shop/Cargo.lock", &lock), ("client/Cargo.toml", &client)];
        check_some(&files, |finding| finding.path.starts_with("shop"), want);
    }
}

#[test]
fn yarn_has_two_sets_of_commands() {
    let classic = "# yarn lockfile v1\n\n\nlodash@^4.0.0:\n  version \"4.17.4\"\n  resolved \"https://registry.yarnpkg.com/lodash/-/lodash-4.17.4.tgz#aa\"\n  integrity sha512-aa\n";
    let berry = "__metadata:\n  version: 8\n\n\"lodash@npm:^4.0.0\":\n  version: 4.17.4\n  resolution: \"lodash@npm:4.17.4\"\n  languageName: node\n  linkType: hard\n\n\"m@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"m@workspace:.\"\n  dependencies:\n    lodash: \"npm:^4.0.0\"\n  languageName: unknown\n  linkType: soft\n";
    for (lock, command) in [(classic, "yarn install"), (berry, "yarn up -R lodash")] {
        check(
            &[("package.json", "{\"name\": \"m\", \"dependencies\": {\"lodash\": \"^4.0.0\"}}"), ("yarn.lock", lock)],
            &format!(
                "package.json: lodash 4.17.4 -> 4.17.21: L-3\n  + {{\"name\": \"m\", \"dependencies\": {{\"lodash\": \"^4.17.21\"}}}}\n$ {command}:"
            ),
        );
    }
    let below = format!("{classic}\nx@^1.0.0:\n  version \"1.0.0\"\n  dependencies:\n    lodash \"^4.0.0\"\n");
    check(
        &[("package.json", "{\"dependencies\": {\"x\": \"^1.0.0\"}}"), ("yarn.lock", &below)],
        "may stay yarn.lock: lodash 4.17.4: L-3: brought by x 1.0.0; yarn classic moves only what a manifest asks for: take it out of yarn.lock and run `yarn install`",
    );
}

#[test]
fn files_that_are_taken_in_are_edited_where_the_finding_is() {
    check(
        &[
            ("requirements.txt", "-r a/base\n-c pins\njinja2\n"),
            ("a/base", "# base\nrequests>=2.0,<2.20 # web\n"),
            ("pins", "jinja2==2.10\n"),
        ],
        "
a/base: requests >=2.0,<2.20 -> 2.31.0: R-1 R-2
  drops <2.20
  + requests>=2.31.0 # web
pins: jinja2 2.10 -> 2.11.3: J-1
  + jinja2==2.11.3",
    );
}

#[test]
fn the_least_version_that_ends_most_is_taken() {
    check(
        &[("go.mod", "module m\n\ngo 1.26\n\nrequire x/crypto v0.1.0\n")],
        "
go.mod: x/crypto 0.1.0 -> 0.31.0: C-1 C-2
  + require x/crypto v0.31.0
$ go mod tidy:
stays go.mod: x/crypto 0.1.0: C-3: no version is known that ends it; 0.31.0 has it too",
    );
    check(&[("go.mod", "module m\n\ngo 1.21\n")], "go.mod: stdlib 1.21 -> 1.25.13: S-1\n  + toolchain go1.25.13");
    // A path may stand in either of two kinds of quotes.
    check(
        &[("go.mod", "module m\n\ngo 1.26\n\nrequire `x/crypto` v0.1.0\n")],
        "
go.mod: x/crypto 0.1.0 -> 0.31.0: C-1 C-2
  + require `x/crypto` v0.31.0
$ go mod tidy:
stays go.mod: x/crypto 0.1.0: C-3: no version is known that ends it; 0.31.0 has it too",
    );
    // What stands between the line that comes in and the one that changes is still the same.
    check(
        &[("go.mod", "module m\n\ngo 1.21\n\nrequire (\n\tx/uuid v1.6.0\n\tx/crypto v0.1.0\n)\n")],
        "
go.mod: stdlib 1.21 -> 1.25.13: S-1
go.mod: x/crypto 0.1.0 -> 0.31.0: C-1 C-2
  + toolchain go1.25.13
  + x/crypto v0.31.0
$ go mod tidy:
stays go.mod: x/crypto 0.1.0: C-3: no version is known that ends it; 0.31.0 has it too",
    );
    check(
        &[("requirements.txt", "requests==2.19.*\n")],
        "requirements.txt: requests ==2.19.* -> 2.31.0: R-1 R-2\n  + requests==2.31.*,>=2.31.0",
    );
}

#[test]
fn what_comes_after_the_last_affected_version_is_a_fix_if_it_is_known() {
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"ms": "0.7.0", "gone": "1.0.0"}},
        "node_modules/ms": {"version": "0.7.0"}, "node_modules/gone": {"version": "1.0.0"},
        "node_modules/y": {"version": "1.0.0", "dependencies": {"ms": "0.7.1"}},
        "node_modules/y/node_modules/ms": {"version": "0.7.1"}}}"#;
    check(
        &[("package.json", r#"{"dependencies": {"ms": "0.7.0", "gone": "1.0.0"}}"#), ("package-lock.json", lock)],
        r#"
package.json: ms 0.7.0 -> 0.7.1: M-1
  + {"dependencies": {"ms": "0.7.1", "gone": "1.0.0"}}
$ npm update ms:
stays package-lock.json: gone 1.0.0: G-1: what comes after 1.1.0 is free of it, but which version that is, the advisories do not say"#,
    );
}

#[test]
fn what_is_not_edited_is_said() {
    check(
        &[("setup.cfg", "[options]\ninstall_requires =\n    jinja2==2.10\n")],
        "stays setup.cfg: jinja2 2.10: J-1: PyPI requirements are not edited in setup.cfg; move it to 2.11.3 by hand",
    );
}

#[test]
fn a_pipfile_and_its_lock_move_together() {
    check(
        &[(
            "Pipfile",
            "[packages]\njinja2 = \"==2.10\" # pinned\n[dev-packages]\nrequests = {version = \"<2.20\", extras = [\"x\"]}\n",
        )],
        r#"
Pipfile: jinja2 2.10 -> 2.11.3: J-1
Pipfile: requests <2.20 -> 2.31.0: R-1 R-2
  drops <2.20
  + jinja2 = "==2.11.3" # pinned
  + requests = {version = ">=2.31.0", extras = ["x"]}"#,
    );
    let lock =
        r#"{"_meta": {"hash": {}, "pipfile-spec": 6}, "default": {"jinja2": {"version": "==2.10"}}, "develop": {}}"#;
    check(
        &[("Pipfile", "[packages]\njinja2 = \"*\"\n"), ("Pipfile.lock", lock)],
        r#"
Pipfile: jinja2 2.10 -> 2.11.3: J-1
  + jinja2 = ">=2.11.3"
$ pipenv update jinja2:"#,
    );
}

#[test]
fn a_lockfile_keeps_its_format() {
    for (format, command) in [
        (r#""lockfileVersion": 1, "#, "npm update --lockfile-version 1 lodash"),
        ("", "npm update --lockfile-version 1 lodash"),
        (r#""lockfileVersion": 2, "#, "npm update lodash"),
    ] {
        let lock = match format.contains('2') {
            true => {
                r#""packages": {"": {"dependencies": {"lodash": "^4.17.4"}}, "node_modules/lodash": {"version": "4.17.4"}}"#
            }
            false => r#""requires": true, "dependencies": {"lodash": {"version": "4.17.4"}}"#,
        };
        check(
            &[
                ("package.json", r#"{"dependencies": {"lodash": "^4.17.4"}}"#),
                ("package-lock.json", &format!("{{{format}{lock}}}")),
            ],
            &format!(
                "package.json: lodash 4.17.4 -> 4.17.21: L-3\n  + {{\"dependencies\": {{\"lodash\": \"^4.17.21\"}}}}\n$ {command}:"
            ),
        );
    }
}

#[test]
fn a_lockfile_older_than_its_manifest_is_made_again() {
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"lodash": "^4.17.4"}},
        "node_modules/lodash": {"version": "4.17.4"}}}"#;
    check(
        &[("package.json", r#"{"dependencies": {"lodash": "^4.17.21"}}"#), ("package-lock.json", lock)],
        "$ npm update lodash: L-3",
    );
}
