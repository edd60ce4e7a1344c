//! Plans for what others shut the best version of out: what they allow ends some of it.

use super::check;

/// A lockfile of npm's in which `x` asks for `inner`, which is at 1.1.0.
fn npm(range: &str, root: &str) -> String {
    format!(
        r#"{{"lockfileVersion": 3, "packages": {{"": {{"dependencies": {{"x": "1.0.0"{root}}}}},
    "node_modules/inner": {{"version": "1.1.0"}},
    "node_modules/x": {{"version": "1.0.0", "dependencies": {{"inner": "{range}"}}}}}}}}"#
    )
}

#[test]
fn what_others_allow_ends_some_of_it() {
    let manifest = r#"{"dependencies": {"x": "1.0.0"}}"#;
    for (range, want) in [
        ("^1.1.0", "$ npm update inner: I-2 I-3 by x 1.0.0"),
        (
            "~1.1.0",
            r#"
$ npm update inner: I-2 by x 1.0.0
stays package-lock.json: inner 1.1.0: I-3: brought by x 1.0.0; x 1.0.0 asks for inner ~1.1.0
or package.json: "overrides":{"x":{"inner":"1.2.6"}}: I-3 though x 1.0.0 asks for inner ~1.1.0"#,
        ),
        (
            "1.1.0",
            r#"
stays package-lock.json: inner 1.1.0: I-2 I-3: brought by x 1.0.0; x 1.0.0 asks for inner 1.1.0
or package.json: "overrides":{"x":{"inner":"1.2.6"}}: I-2 I-3 though x 1.0.0 asks for inner 1.1.0"#,
        ),
    ] {
        check(&[("package.json", manifest), ("package-lock.json", &npm(range, ""))], want);
    }
    // What the project asks for itself moves as far as it can.
    check(
        &[
            ("package.json", r#"{"dependencies": {"x": "1.0.0", "inner": "^1.0.0"}}"#),
            ("package-lock.json", &npm("~1.1.0", r#", "inner": "^1.0.0""#)),
        ],
        r#"
package.json: inner 1.1.0 -> 1.2.6:
  + {"dependencies": {"x": "1.0.0", "inner": "^1.2.6"}}
$ npm update inner:
stays package-lock.json: inner 1.1.0: I-2 I-3: brought by x 1.0.0; x 1.0.0 asks for inner ~1.1.0
or package.json: "overrides":{"x":{"inner":"1.2.6"}}: I-2 I-3 though x 1.0.0 asks for inner ~1.1.0"#,
    );
}

#[test]
fn cargo_takes_what_is_compatible() {
    let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"client\"\nversion = \"1.0.0\"\n{registry}\ndependencies = [\"frame\"]\n\n\
         [[package]]\nname = \"frame\"\nversion = \"0.3.15\"\n{registry}\n\n\
         [[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\"client\"]\n"
    );
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n[dependencies]\nclient = \"1\"\n";
    check(
        &[("Cargo.toml", manifest), ("Cargo.lock", &lock)],
        "
$ cargo update -p frame --precise 0.3.24:
may stay Cargo.lock: frame 0.3.15: E-3: brought by client 1.0.0; 0.4.16 is not compatible with it, and nothing here says whether client 1.0.0 allows it
may stay Cargo.lock: frame 0.3.15: E-1 E-2: brought by client 1.0.0; nothing here says whether client 1.0.0 allows 0.3.24",
    );
    // Who asks for it moves, and may ask for something else then: a command by the old version might find none.
    let moving = lock.replace("client", "hyper");
    check(
        &[("Cargo.toml", &manifest.replace("client", "hyper")), ("Cargo.lock", &moving)],
        "
Cargo.toml: hyper 1.0.0 -> 1.1.0: B-2
  + hyper = \"1.1.0\"
$ cargo update -p hyper --precise 1.1.0:
follows Cargo.lock: frame 0.3.15: E-1 E-2 E-3: hyper 1.0.0, which brings it, moves to 1.1.0 with `cargo update -p hyper --precise 1.1.0`; what comes with that, nothing here says",
    );
}

#[test]
fn of_one_version_for_all_others_are_asked_before_a_manifest_is_edited() {
    let lock = r#"{"packages": [{"name": "acme/inner", "version": "1.1.0"},
        {"name": "acme/x", "version": "1.0.0", "require": {"acme/inner": "~1.1.0"}}], "packages-dev": []}"#;
    let manifest = r#"{"require": {"acme/x": "^1.0", "acme/inner": "^1.0"}}"#;
    check(
        &[("composer.json", manifest), ("composer.lock", lock)],
        r#"
composer.json: acme/inner 1.1.0 -> 1.1.3: P-3
  + {"require": {"acme/x": "^1.0", "acme/inner": "^1.1.3"}}
$ composer update --with-all-dependencies acme/inner:
stays composer.lock: acme/inner 1.1.0: P-4: brought by acme/x 1.0.0; acme/x 1.0.0 asks for acme/inner ~1.1.0"#,
    );
    let lock = "[[package]]\nname = \"inner\"\nversion = \"1.1.0\"\noptional = false\npython-versions = \"*\"\nfiles = []\n\n\
             [[package]]\nname = \"x\"\nversion = \"1.0.0\"\noptional = false\npython-versions = \"*\"\nfiles = []\n\n\
             [package.dependencies]\ninner = \">=1.1,<1.2\"\n\n[metadata]\nlock-version = \"2.1\"\npython-versions = \"^3.9\"\ncontent-hash = \"aa\"\n";
    let manifest = "[tool.poetry]\nname = \"shop\"\nversion = \"1\"\n[tool.poetry.dependencies]\npython = \"^3.9\"\nx = \"^1.0\"\n";
    check(
        &[("pyproject.toml", manifest), ("poetry.lock", lock)],
        "
$ poetry update inner: Y-1 by x 1.0.0
stays poetry.lock: inner 1.1.0: Y-2: brought by x 1.0.0; x 1.0.0 asks for inner >=1.1,<1.2",
    );
}
