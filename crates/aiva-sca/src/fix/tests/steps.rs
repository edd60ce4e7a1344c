//! Locked versions that a step of the plan moves with what brings them, and requirements that shut the step out.

use super::check;

#[test]
fn what_a_step_may_take_along_does_not_stay() {
    let npm = |other: &str| {
        format!(
            r#"{{"lockfileVersion": 3, "packages": {{"": {{"dependencies": {{"bringer": "^1.0.0", "y": "^1.0.0"}}}},
            "node_modules/bringer": {{"version": "1.0.0", "dependencies": {{"lodash": "4.17.4", "gone": "^1.0.0"}}}},
            "node_modules/gone": {{"version": "1.0.0"}}, "node_modules/lodash": {{"version": "4.17.4"}},
            "node_modules/y": {{"version": "1.0.0"{other}}}}}}}"#
        )
    };
    let manifest = r#"{"dependencies": {"bringer": "^1.0.0", "y": "^1.0.0"}}"#;
    let moved = r#"
package.json: bringer 1.0.0 -> 1.1.0: B-1
  + {"dependencies": {"bringer": "^1.1.0", "y": "^1.0.0"}}
$ npm update bringer:
"#;
    check(
        &[("package.json", manifest), ("package-lock.json", &npm(""))],
        &format!(
            "{moved}follows package-lock.json: gone 1.0.0: G-1: what comes after 1.1.0 is free of it, but which version that is, the advisories do not \
             say; but bringer 1.0.0, which brings it, moves to 1.1.0 with `npm update bringer`\n\
             follows package-lock.json: lodash 4.17.4: L-3: bringer 1.0.0, which brings it, moves to 1.1.0 with `npm update bringer`; what comes with \
             that, nothing here says"
        ),
    );
    // What else asks for it keeps it, whatever becomes of the one.
    check(
        &[
            ("package.json", manifest),
            ("package-lock.json", &npm(r#", "dependencies": {"lodash": "4.17.4", "gone": "*"}"#)),
        ],
        &format!(
            "{moved}stays package-lock.json: gone 1.0.0: G-1: what comes after 1.1.0 is free of it, but which version that is, the advisories do not \
             say\nstays package-lock.json: lodash 4.17.4: L-3: brought by bringer 1.0.0, y 1.0.0; y 1.0.0 asks for lodash 4.17.4\nor package.json: \"overrides\":{{\"bringer\":{{\"lodash\":\"4.17.21\"}},\"y\":{{\"lodash\":\"4.17.21\"}}}}: L-3 \
             though bringer 1.0.0 asks for lodash 4.17.4, y 1.0.0 asks for lodash 4.17.4"
        ),
    );
    let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"hyper\"\nversion = \"1.0.0\"\n{registry}\ndependencies = [\"rustls\"]\n\n[[package]]\nname = \
         \"rustls\"\nversion = \"0.21.10\"\n{registry}\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\"hyper\"]\n"
    );
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n[dependencies]\nhyper = \"1\"\n";
    check(
        &[("Cargo.toml", manifest), ("Cargo.lock", &lock)],
        "
Cargo.toml: hyper 1.0.0 -> 1.1.0: B-2
  + hyper = \"1.1.0\"
$ cargo update -p hyper --precise 1.1.0:
$ cargo update -p rustls --precise 0.21.11:
follows Cargo.lock: rustls 0.21.10: U-1: hyper 1.0.0, which brings it, moves to 1.1.0 with `cargo update -p hyper --precise 1.1.0`; what comes with that, nothing here says",
    );
}

/// A `composer.lock` with `acme/log` and what another package asks of it.
fn composer(web: &str, asks: &str) -> String {
    let place = "\"notification-url\": \"https://packagist.org/downloads/\"";
    format!(
        "{{\"packages\": [{{\"name\": \"acme/log\", \"version\": \"1.1.0\", {place}}}, {{\"name\": \"acme/{web}\", \"version\": \"1.2.0\", \
         \"require\": {{\"acme/log\": \"{asks}\"}}, {place}}}], \"packages-dev\": []}}"
    )
}

#[test]
fn composer_takes_no_version_that_a_package_shuts_out() {
    let update = "$ composer update --with-all-dependencies acme/log:";
    let edited = |new: &str| {
        format!(
            "composer.json: acme/log 1.1.0 -> 1.2.6: P-1\n  + {{\"require\": {{\"acme/log\": \"{new}\", \"acme/other\": \"^1.0\"}}}}\n{update}"
        )
    };
    for (requirement, asks, want) in [
        ("^1.0 || ^2.0", "^1.0 || ^2.0", edited("^1.2.6")),
        ("^1.0 || dev-main", "^1.0", edited("^1.2.6 || dev-main")),
        // Nothing can be put into it, and nothing need be.
        ("^1.0@beta", "*", format!("{update} P-1 by acme/other 1.2.0")),
        ("~1.1.0@beta", "*", "stays composer.lock: acme/log 1.1.0: P-1: composer.json: acme/log is asked for as \"~1.1.0@beta\", which no version can be put into".to_owned()),
        ("^1.0", "~1.1.0 || ^2.0", "stays composer.lock: acme/log 1.1.0: P-1: brought by acme/other 1.2.0; acme/other 1.2.0 asks for acme/log ~1.1.0 || ^2.0, which 1.2.6 is not".to_owned()),
    ] {
        let manifest = format!("{{\"require\": {{\"acme/log\": \"{requirement}\", \"acme/other\": \"^1.0\"}}}}");
        check(&[("composer.json", &manifest), ("composer.lock", &composer("other", asks))], &want);
    }
    for (asks, want) in [
        ("^1.0 || ^2.0", format!("{update} P-1 by acme/other 1.2.0")),
        ("~1.1.0", "stays composer.lock: acme/log 1.1.0: P-1: brought by acme/other 1.2.0; acme/other 1.2.0 asks for acme/log ~1.1.0, which 1.2.6 is not".to_owned()),
    ] {
        let manifest = "{\"require\": {\"acme/other\": \"^1.0\"}}";
        check(&[("composer.json", manifest), ("composer.lock", &composer("other", asks))], &want);
    }
    // What shuts it out has to move itself, but the project asks for it, too.
    let manifest = "{\"require\": {\"acme/log\": \"~1.1.0@beta\", \"acme/web\": \"1.2.0\"}}";
    check(
        &[("composer.json", manifest), ("composer.lock", &composer("web", "*"))],
        "
composer.json: acme/web 1.2.0 -> 1.3.0: P-2
  + {\"require\": {\"acme/log\": \"~1.1.0@beta\", \"acme/web\": \"1.3.0\"}}
$ composer update --with-all-dependencies acme/web:
stays composer.lock: acme/log 1.1.0: P-1: composer.json: acme/log is asked for as \"~1.1.0@beta\", which no version can be put into",
    );
    // What shuts it out has to move itself.
    check(
        &[("composer.json", "{\"require\": {\"acme/web\": \"^1.0\"}}"), ("composer.lock", &composer("web", "~1.1.0"))],
        "
composer.json: acme/web 1.2.0 -> 1.3.0: P-2
  + {\"require\": {\"acme/web\": \"^1.3.0\"}}
$ composer update --with-all-dependencies acme/web:
follows composer.lock: acme/log 1.1.0: P-1: acme/web 1.2.0, which brings it, moves to 1.3.0 with `composer update --with-all-dependencies acme/web`; what comes with that, nothing here says",
    );
}

#[test]
fn poetry_takes_no_version_that_a_package_shuts_out() {
    let end = "[metadata]\nlock-version = \"2.0\"\npython-versions = \"^3.7\"\ncontent-hash = \"ab\"\n";
    let project = |lines: &str| {
        format!(
            "[tool.poetry]\nname = \"m\"\nversion = \"1\"\n[tool.poetry.dependencies]\npython = \"^3.7\"\n{lines}\n"
        )
    };
    let alone = format!("[[package]]\nname = \"requests\"\nversion = \"2.20.0\"\n\n{end}");
    let moved = "pyproject.toml: requests 2.20.0 -> 2.31.0: R-2\n";
    for (line, want) in [
        ("requests = \"^1.0 || ^2.0\"", "  + requests = \"^2.31.0\""),
        ("requests = \">=1.0,<2.0 || >=2.10,<2.30\"", "  drops <2.0\n  drops <2.30\n  + requests = \">=2.31.0\""),
        (
            "requests = [{version = \"^2.19\", python = \"<3.8\"}, {version = \">=2.20,<2.30\", python = \">=3.8\"}]",
            "  drops <2.30\n  + requests = [{version = \"^2.31.0\", python = \"<3.8\"}, {version = \">=2.31.0\", python = \">=3.8\"}]",
        ),
    ] {
        check(
            &[("pyproject.toml", &project(line)), ("poetry.lock", &alone)],
            &format!("{moved}{want}\n$ poetry update requests:"),
        );
    }
    let lock = |name: &str, asks: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n\n[package.dependencies]\nJinja2 = {asks}\n\n[[package]]\nname = \
             \"jinja2\"\nversion = \"2.10\"\n\n{end}"
        )
    };
    let follows = "\
pyproject.toml: flask 1.0.0 -> 1.1.4: F-1
  + flask = \"^1.1.4\"
$ poetry update flask:
follows poetry.lock: jinja2 2.10: J-1: flask 1.0.0, which brings it, moves to 1.1.4 with `poetry update flask`; what comes with that, nothing here says";
    for (line, name, asks, want) in [
        ("web = \"^1.0\"", "web", "\">=2.10\"", "$ poetry update jinja2: J-1 by web 1.0.0"),
        (
            "web = \"^1.0\"",
            "web",
            "\">=2.10,<2.11\"",
            "stays poetry.lock: jinja2 2.10: J-1: brought by web 1.0.0; web 1.0.0 asks for jinja2 >=2.10,<2.11, which 2.11.3 is not",
        ),
        (
            "web = \"^1.0\"\njinja2 = \"^2.10\"",
            "web",
            "\">=2.10,<2.11\"",
            "stays poetry.lock: jinja2 2.10: J-1: brought by web 1.0.0; web 1.0.0 asks for jinja2 >=2.10,<2.11, which 2.11.3 is not",
        ),
        ("flask = \"^1.0\"", "flask", "\">=2.10,<2.11\"", follows),
        // It allows the version now; what it asks for after its own move is another question.
        ("flask = \"^1.0\"", "flask", "\">=2.10\"", &follows.replace("follows", "$ poetry update jinja2:\nfollows")),
    ] {
        check(&[("pyproject.toml", &project(line)), ("poetry.lock", &lock(name, asks))], want);
    }
}

#[test]
fn pip_takes_no_version_that_a_constraint_shuts_out() {
    let top = "-r base.txt\n";
    let edited = "base.txt: jinja2 2.10 -> 2.11.3: J-1\n  + jinja2==2.11.3";
    let held = |by: &str| {
        format!(
            "stays base.txt: jinja2 2.10: J-1: pins:1 (-c) holds jinja2 at {by}, which 2.11.3 is not; move that by hand"
        )
    };
    for (constraint, want) in [
        ("jinja2<3", edited.to_owned()),
        ("other<1", edited.to_owned()),
        ("jinja2<2.11; os_name == 'nt'", edited.to_owned()), // perhaps not here
        ("jinja2==2.11.3", edited.to_owned()),
        ("Jinja2<2.11", held("<2.11")),
        ("jinja2==2.11.2; os_name == 'nt'", edited.to_owned()),
    ] {
        let pins = format!("{constraint}\n");
        // Wherever in the run it stands.
        for (top, base) in [(top, "-c pins\njinja2==2.10\n"), ("-r base.txt\n-c pins\n", "jinja2==2.10\n")] {
            let files = [("requirements.txt", top), ("base.txt", base), ("pins", &pins)];
            // Its own findings are told by themselves.
            super::check_some(&files, |finding| &*finding.path == "base.txt", &want);
        }
    }
}

#[test]
fn bun_updates_by_name_only_what_a_folder_asks_for() {
    let lock = |version: &str, range: &str| {
        format!(
            "{{\n  \"lockfileVersion\": 1,\n  \"workspaces\": {{\n    \"\": {{ \"name\": \"r\" }},\n    \"pk/a\": {{ \"name\": \"a\", \"dependencies\": {{ \"lodash\": \"{range}\" }} }},\n  }},\n  \
             \"packages\": {{\n    \"a\": [\"a@workspace:pk/a\"],\n    \"lodash\": [\"lodash@{version}\", \"\", {{}}, \"sha512-aa\"],\n  }}\n}}\n"
        )
    };
    let root = r#"{"name": "r", "workspaces": ["pk/*"]}"#;
    let member = |range: &str| format!(r#"{{"name": "a", "dependencies": {{"lodash": "{range}"}}}}"#);
    let files = |own: &str, locked: &str| [member(own), lock("4.17.4", locked)];
    for (own, locked, want) in [
        (
            "4.17.4",
            "4.17.4",
            "pk/a/package.json: lodash 4.17.4 -> 4.17.21: L-3\n  + {\"name\": \"a\", \"dependencies\": {\"lodash\": \"4.17.21\"}}\n$ bun install:",
        ),
        // It was edited already, and the lockfile was not made again.
        ("4.17.21", "4.17.4", "$ bun update -r lodash: L-3"),
    ] {
        let [member, lock] = files(own, locked);
        check(&[("package.json", root), ("pk/a/package.json", &member), ("bun.lock", &lock)], want);
    }
}

#[test]
fn pnpm_leaves_what_a_folder_has_as_a_peer() {
    let lock = |specifier: &str| {
        format!(
            "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {{}}\n\n  pk/a:\n    dependencies:\n      lodash:\n        specifier: ^4.17.0\n        version: \
             4.17.4\n\n  pk/b:\n    dependencies:\n      lodash:\n        specifier: '{specifier}'\n        version: 4.17.4\n\npackages:\n\n  \
             lodash@4.17.4:\n    resolution: {{integrity: sha512-aa}}\n\nsnapshots:\n\n  lodash@4.17.4: {{}}\n"
        )
    };
    let member =
        |name: &str, table: &str, range: &str| format!(r#"{{"name": "{name}", "{table}": {{"lodash": "{range}"}}}}"#);
    let plan = |other: &str, range: &str, want: &str| {
        check(
            &[
                ("package.json", r#"{"name": "r"}"#),
                ("pnpm-workspace.yaml", "packages:\n  - 'pk/*'\n"),
                ("pk/a/package.json", &member("a", "dependencies", "^4.17.0")),
                ("pk/b/package.json", &member("b", other, range)),
                ("pnpm-lock.yaml", &lock(range)),
            ],
            want,
        );
    };
    plan(
        "dependencies",
        "^4.17.1",
        r#"
pk/a/package.json: lodash 4.17.4 -> 4.17.21: L-3
  + {"name": "a", "dependencies": {"lodash": "^4.17.21"}}
pk/b/package.json: lodash 4.17.4 -> 4.17.21: L-3
  + {"name": "b", "dependencies": {"lodash": "^4.17.21"}}
$ pnpm update -r --depth Infinity lodash:"#,
    );
    plan(
        "peerDependencies",
        "*",
        r#"
pk/a/package.json: lodash 4.17.4 -> 4.17.21:
  + {"name": "a", "dependencies": {"lodash": "^4.17.21"}}
$ pnpm update -r --depth Infinity lodash:
may stay pnpm-lock.yaml: lodash 4.17.4: L-3: pk/b has it too, by nothing that is edited, as a peer: pnpm leaves it there until `pnpm dedupe` is run"#,
    );
}
