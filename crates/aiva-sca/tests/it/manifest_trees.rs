//! What the files beside and above a manifest say of it: workspaces, catalogs, shared properties, compiled requirements.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use aiva_sca::package::{Fact, NO_MIRROR, Source};
use aiva_sca::supply::Rules;

use crate::manifests::tree;

mod dotnet;
mod uv;

/// What one file of a tree lists: `name version` of a pin, with its place where that is not the registry, `name [range]` of a range,
/// `- name [requirement]: reason` of what is neither.
#[track_caller]
fn check(files: &[(&str, &str)], path: &str, want: &[&str]) {
    let inputs = tree(files);
    let input = inputs.iter().find(|input| input.path == path).unwrap();
    let pins = input.packages.iter().map(|one| match &one.source {
        Source::Registry => format!("{} {}", one.name, one.version),
        other => format!("{} {} {other:?}", one.name, one.version),
    });
    let open = input.not_judged.iter().map(|one| match one.is_range {
        true => format!("{} [{}]", one.name, one.requirement),
        false => format!("- {} [{}]: {}", one.name, one.requirement, one.reason),
    });
    let got: Vec<String> = pins.chain(open).collect();
    assert_eq!(got, want, "{:?}", input.problems);
}

#[test]
fn a_go_work_replaces_before_its_modules_and_uses_folders() {
    let work = "go 1.22.3\n\ntoolchain go1.22.5\n\nuse (\n\t./a\n\t./b\n)\n\nreplace golang.org/x/text => golang.org/x/text v0.3.0\n\
                replace golang.org/x/net v0.17.0 => ./net\n";
    let a = "module example.com/a\n\ngo 1.21\n\nrequire (\n\texample.com/b v0.0.0\n\tgolang.org/x/text v0.9.0\n\tgolang.org/x/net v0.17.0\n\
             \tgolang.org/x/crypto v0.1.0\n)\n\nreplace golang.org/x/text => golang.org/x/text v0.14.0\n\
             replace golang.org/x/crypto => golang.org/x/crypto v0.31.0\n";
    let b = "module example.com/b\n\ngo 1.21\n";
    let alone = "module example.com/c\n\ngo 1.21\n\nrequire golang.org/x/text v0.9.0\n";
    let files = [("go.work", work), ("a/go.mod", a), ("b/go.mod", b), ("c/go.mod", alone)];
    check(
        &files,
        "a/go.mod",
        &[
            "example.com/b 0.0.0 Path(\"b\")",
            "golang.org/x/text 0.3.0",
            "golang.org/x/net 0.17.0 Path(\"./net\")",
            "golang.org/x/crypto 0.31.0",
            "stdlib 1.21",
        ],
    );
    check(&files, "c/go.mod", &["golang.org/x/text 0.9.0", "stdlib 1.21"]); // It is not used.
    check(&files, "go.work", &["stdlib 1.22.5", "toolchain 1.22.5"]);
    check(
        &files[1..],
        "a/go.mod",
        &[
            "example.com/b 0.0.0",
            "golang.org/x/text 0.14.0",
            "golang.org/x/net 0.17.0",
            "golang.org/x/crypto 0.31.0",
            "stdlib 1.21",
        ],
    );
    let outside = [("w/go.work", "go 1.22\nuse ../../x\nuse /abs\nuse ./a\n"), ("w/a/go.mod", b)];
    check(&outside, "w/a/go.mod", &["stdlib 1.21"]);
}

#[test]
fn npm_installs_what_peers_are_asked_for() {
    let manifest = r#"{"peerDependencies": {"lodash": "<4.17.5", "react": "*", "vue": "2.0.0", "exact": "1.0.0"},
        "peerDependenciesMeta": {"react": {"optional": true}, "exact": {"optional": false}}, "devDependencies": {"vue": "^3"}}"#;
    check(&[("package.json", manifest)], "package.json", &["exact 1.0.0", "lodash [<4.17.5]", "vue [^3]"]);
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"peerDependencies": {"lodash": "<4.17.5"}, "devDependencies": {"vue": "^3"}},
        "node_modules/lodash": {"version": "4.17.4", "peer": true}, "node_modules/vue": {"version": "3.0.0", "dev": true}}}"#;
    check(&[("package.json", manifest), ("package-lock.json", lock)], "package.json", &[]);
}

#[test]
fn a_tag_and_a_catalog_are_told_for_what_they_are() {
    let tag = "a tag that its publisher can move; a lockfile, or a range in its place, would say which versions";
    let manifest = r#"{"dependencies": {"a": "latest", "b": "x", "c": "catalog:", "d": "catalog:old", "e": "catalog:", "f": "v1.2.3"}}"#;
    let tagged = format!("- a [latest]: {tag}");
    let unknown = "its range is kept in a catalog of the workspace, and no pnpm-workspace.yaml, .yarnrc.yml or package.json at or above has \
                   it: scan the folder of the workspace";
    let missing = |name: &str, catalog: &str| format!("- {name} [catalog:{catalog}]: {unknown}");
    let (c, d, e) = (missing("c", "default"), missing("d", "old"), missing("e", "default"));
    check(&[("package.json", manifest)], "package.json", &["f 1.2.3", &tagged, "b [x]", &c, &d, &e]);
    let yaml = "packages:\n  - 'p/*'\ncatalog:\n  c: ^4.17.0\ncatalogs:\n  old:\n    d: 1.0.0\n";
    let bun =
        r#"{"workspaces": {"packages": ["p/*"], "catalog": {"c": "^4.17.0"}, "catalogs": {"old": {"d": "1.0.0"}}}}"#;
    for holder in [("pnpm-workspace.yaml", yaml), (".yarnrc.yml", yaml), ("package.json", bun)] {
        let want = ["f 1.2.3", "d 1.0.0", &tagged, "b [x]", "c [^4.17.0]", &e];
        check(&[holder, ("p/a/package.json", manifest)], "p/a/package.json", &want);
    }
}

#[test]
fn a_catalog_may_be_an_alias() {
    let manifest = r#"{"dependencies": {"a": "catalog:two", "b": "catalog:two", "c": "catalog:", "d": "catalog:one"}}"#;
    for yaml in [
        "catalogs: {one: &c {a: ^18, b: 1.0.0, d: ^1}, two: *c}\ncatalog: {c: ^3}\n",
        "catalogs:\n  one: &c\n    a: &a ^18\n    b: 1.0.0\n    d: ^1\n  two: *c\ncatalog:\n  c: ^3\n",
        // What the map says itself counts.
        "catalog: &c {c: ^3, b: 9.0.0}\ncatalogs: {two: {b: 1.0.0, <<: *c, a: &a ^18}, one: {d: &d ^1, a: *a}}\n",
        "catalogs: {one: &o {d: ^1, a: ^18}, three: &t {a: ^9, b: 1.0.0}, two: {<<: [*o, *t]}}\ncatalog: {c: ^3}\n",
        "catalogs:\n  one: &o\n    d: ^1\n    a: ^18\n  three: &t\n    a: ^9\n    b: 1.0.0\n  two:\n    <<:\n      - *o\n      - *t\ncatalog:\n  c: ^3\n",
        "catalog: &c {c: &c3 ^3, b: 9.0.0}\ncatalogs: {two: {<<: *c, b: 1.0.0, a: ^18}, one: {d: ^1, a: *c3}}\n",
    ] {
        let files = [("pnpm-workspace.yaml", yaml), ("p/a/package.json", manifest)];
        check(&files, "p/a/package.json", &["b 1.0.0", "a [^18]", "c [^3]", "d [^1]"]);
    }
    // What aliases stand for is bounded, and everything else is read on.
    let many: String = (0..400).map(|at| format!("k{at}: \"^1.0.0\", ")).collect();
    let more: String = (0..2000).map(|at| format!("  a{at}: *c\n")).collect();
    let yaml =
        format!("catalogs:\n  one: &c {{{many} d: ^1}}\n{more}  two: {{a: ^18, b: 1.0.0}}\ncatalog: {{c: ^3}}\n");
    let files = [("pnpm-workspace.yaml", yaml.as_str()), ("p/a/package.json", manifest)];
    check(&files, "p/a/package.json", &["b 1.0.0", "a [^18]", "c [^3]", "d [^1]"]);
    let last = r#"{"dependencies": {"k0": "catalog:a1999"}}"#;
    let too_much = "- k0 [catalog:a1999]: line 2002 of pnpm-workspace.yaml has a YAML alias, which is not followed after 64 KiB of text of \
                    others, in the place of the catalog";
    check(&[files[0], ("p/a/package.json", last)], "p/a/package.json", &[too_much]);
}

#[test]
fn what_stands_in_the_place_of_a_catalog_is_told() {
    let manifest = r#"{"dependencies": {"a": "catalog:two"}}"#;
    let (list, text) = ("a YAML alias for a list", "a YAML alias for a text");
    let elsewhere = "a YAML alias for what is written elsewhere and is not followed";
    for (yaml, line, what, of) in [
        ("x: &x ^18\ncatalogs:\n  two: *x\n", 3, text, "catalog"),
        ("x: &x [^18]\ncatalogs:\n  two: *x\n", 3, list, "catalog"),
        ("x: &x {a: ^18}\ncatalogs:\n  two: *x\n", 3, elsewhere, "catalog"),
        ("catalogs:\n  two: text\n", 2, "a text", "catalog"),
        ("x: &x ^18\ncatalogs:\n  two:\n    <<: *x\n    b: ^1\n", 4, text, "catalog"),
        ("x: &x [a]\ncatalogs:\n  two:\n    <<: [*x]\n    b: ^1\n", 4, list, "catalog"),
        ("x: &x [a]\ncatalogs: {two: {a: *x}}\n", 2, list, "range"),
        ("x: &x {y: a}\ncatalogs: {two: {a: *x}}\n", 2, elsewhere, "range"),
        ("catalog: &x {b: ^1}\ncatalogs: {two: {a: *x}}\n", 2, "a YAML alias for a catalog", "range"),
        ("catalogs:\n  two:\n    a: [1, 2]\n", 3, "a list", "range"),
        ("catalogs:\n  two:\n    a: {version: 1.1.0}\n", 3, "a map", "range"),
        ("catalogs:\n  two:\n    a:\n    b: ^1\n", 3, "nothing", "range"),
        ("catalogs:\n  two: [a]\n", 2, "a list", "catalog"),
    ] {
        for holder in ["pnpm-workspace.yaml", ".yarnrc.yml"] {
            let want = format!("- a [catalog:two]: line {line} of {holder} has {what} in the place of the {of}");
            check(&[(holder, yaml), ("p/a/package.json", manifest)], "p/a/package.json", &[&want]);
        }
    }
    for (odd, what, of) in [
        (r#""two": {"a": ["^1"]}"#, "a list", "range"),
        (r#""two": {"a": {}}"#, "a map", "range"),
        (r#""two": {"a": null}"#, "no text", "range"),
        (r#""two": []"#, "a list", "catalog"),
    ] {
        let json = format!("{{\n\"catalogs\": {{{odd}}}}}");
        let want = format!("- a [catalog:two]: line 2 of package.json has {what} in the place of the {of}");
        check(&[("package.json", &json), ("p/a/package.json", manifest)], "p/a/package.json", &[&want]);
    }
    // What is known is known, and an empty catalog has nothing.
    let known = "x: &x [a]\ncatalogs: {two: {a: ^18, <<: *x}}\n";
    check(&[("pnpm-workspace.yaml", known), ("package.json", manifest)], "package.json", &["a [^18]"]);
    for empty in ["catalogs: {two: &x {}, one: *x}\n", "catalogs:\n  two:\ncatalog: {c: ^1}\n"] {
        let inputs = tree(&[("pnpm-workspace.yaml", empty), ("p/package.json", manifest)]);
        let told = inputs.iter().flat_map(|input| &input.not_judged).map(|one| &*one.reason);
        assert!(told.clone().count() == 1 && told.clone().all(|reason| reason.contains("scan the folder")), "{empty}");
    }
}

#[test]
fn members_of_a_workspace_force_nothing() {
    let member = r#"{"dependencies": {"a": "^1"}, "overrides": {"a": "1.0.0"}, "resolutions": {"b": "1.0.0"}, "pnpm": {"overrides": {"a": "-"}}}"#;
    let globs = r#"{"workspaces": ["p/*", "!p/not"]}"#;
    for (root, path, want) in [
        (("package.json", globs), "p/a/package.json", &["a [^1]"][..]),
        (("package.json", r#"{"workspaces": {"packages": ["p/**"]}}"#), "p/a/b/package.json", &["a [^1]"]),
        (("pnpm-workspace.yaml", "packages:\n  - 'p/*'\n"), "p/a/package.json", &["a [^1]"]),
        // None of its members.
        (("package.json", globs), "p/not/package.json", &["a 1.0.0", "b 1.0.0"]),
        (("package.json", globs), "q/a/package.json", &["a 1.0.0", "b 1.0.0"]),
        (("package.json", "{}"), "p/a/package.json", &["a 1.0.0", "b 1.0.0"]),
    ] {
        let member = if want.len() == 1 { member.to_owned() } else { member.replace("\"-\"", "\"$a\"") };
        check(&[root, (path, &member)], path, want);
    }
}

#[test]
fn compiled_requirements_say_what_their_source_asks_for() {
    let source = ("requirements.in", "flask\ndjango==3.2.0\n");
    check(&[source], "requirements.in", &["django 3.2.0", "flask []"]);
    let compiled = ("requirements.txt", "django==3.2.0\nflask==2.0.0\nwerkzeug==2.0.0\n");
    check(&[source, compiled], "requirements.in", &[]);
    let inputs = tree(&[source, compiled]);
    let direct = |name: &str| inputs[1].packages.iter().find(|one| one.name == name).unwrap().direct;
    assert_eq!((direct("flask"), direct("werkzeug")), (Some(true), None));
    let quoted = [
        ("requirements.txt", "-r \"a/quo ted.txt\"\n-r 'b.txt'\n-r c\\ d.txt\n"),
        ("a/quo ted.txt", "a==1.0.0\n"),
        ("b.txt", "b==1.0.0\n"),
        ("c d.txt", "c==1.0.0\n"),
    ];
    for (path, want) in [("a/quo ted.txt", "a 1.0.0"), ("b.txt", "b 1.0.0"), ("c d.txt", "c 1.0.0")] {
        check(&quoted, path, &[want]);
    }
}

#[test]
fn what_a_deno_lock_pins_is_not_judged_by_ranges_again() {
    let manifest = ("package.json", r#"{"dependencies": {"chalk": "^5", "gone": "^1"}}"#);
    let lock = (
        "deno.lock",
        r#"{"version": "4", "specifiers": {"npm:chalk@5": "5.3.0"}, "npm": {"chalk@5.3.0": {"integrity": "sha512-x"}},
            "workspace": {"packageJson": {"dependencies": ["npm:chalk@5"]}}}"#,
    );
    check(&[manifest, lock], "package.json", &["gone [^1]"]);
    check(&[manifest], "package.json", &["chalk [^5]", "gone [^1]"]);
}

/// Of several files that name one the nearest counts, for a scope as for the rest; nobody is shown a password.
#[test]
fn npmrc_says_where_packages_come_from() {
    let json = r#"{"dependencies": {"lodash": "^4.17.0", "@acme/core": "^1.0.0", "@open/it": "^1.0.0"}}"#;
    let from =
        |registry: &str, name: &str, range: &str| format!("- {name} [{range}]: it comes from {registry}{NO_MIRROR}");
    let corp =
        "# ours\nregistry = \"https://me:secret@npm.corp.example/all/\"\n//npm.corp.example/:_authToken=secret\n";
    let scoped =
        "registry=https://registry.npmjs.org/\n@acme:registry=https://npm.acme.example\n@open:registry=${OPEN}\n";
    let (lodash, acme) = (from("https://npm.corp.example/all", "lodash", "^4.17.0"), "https://npm.acme.example");
    let (core, it) = (
        from("https://npm.corp.example/all", "@acme/core", "^1.0.0"),
        from("https://npm.corp.example/all", "@open/it", "^1.0.0"),
    );
    let ours = [lodash.as_str(), core.as_str(), it.as_str()];
    check(&[(".npmrc", corp), ("package.json", json)], "package.json", &ours);
    check(&[(".npmrc", corp), ("web/package.json", json)], "web/package.json", &ours);
    let own = from(acme, "@acme/core", "^1.0.0");
    let public = ["lodash [^4.17.0]", own.as_str(), "@open/it [^1.0.0]"];
    check(&[("package.json", json), (".npmrc", scoped)], "package.json", &public);
    check(&[(".npmrc", corp), ("web/.npmrc", scoped), ("web/package.json", json)], "web/package.json", &public);
    check(
        &[("web/.npmrc", corp), ("package.json", json)],
        "package.json",
        &["lodash [^4.17.0]", "@acme/core [^1.0.0]", "@open/it [^1.0.0]"],
    );
    let pinned = r#"{"dependencies": {"lodash": "4.17.0"}}"#;
    let pin = "lodash 4.17.0 PrivateRegistry(\"https://npm.corp.example/all\")";
    check(&[(".npmrc", corp), ("package.json", pinned)], "package.json", &[pin]);
}

#[test]
fn poetry_and_uv_say_where_packages_come_from() {
    let poetry = "[tool.poetry.dependencies]\njinja2 = [\n  {version = \"^2.10\", python = \"<3.8\"},\n  {version = \"3.1.4\", python = \">=3.8\"},\n]\n\
                  mine = {version = \"^1\", source = \"corp\"}\nforked = {git = \"https://example.com/forked.git\"}\nany = {extras = [\"x\"]}\n\
                  mixed = [{path = \"./mixed\", platform = \"linux\"}, {version = \"^2\", platform = \"win32\"}]\n";
    check(
        &[("pyproject.toml", poetry)],
        "pyproject.toml",
        &[
            "jinja2 [^2.10 || ==3.1.4]",
            &format!("- mine [^1]: it comes from corp{NO_MIRROR}"),
            "- forked [https://example.com/forked.git]: a git dependency, not a released version",
            "any []",
            "mixed [^2]",
        ],
    );
    let uv = "[project]\nname = \"app\"\ndependencies = [\"flask>=1\", \"django==3.2.0\", \"lib\", \"torch==2.0.0\", \"requests\"]\n\
              [tool.uv.sources]\nflask = { git = \"https://example.com/flask.git\" }\nlib = { workspace = true }\n\
              torch = { index = \"pytorch\" }\nrequests = { index = \"main\" }\n\
              [[tool.uv.index]]\nname = \"pytorch\"\nurl = \"https://download.pytorch.org/whl/cpu\"\n\
              [[tool.uv.index]]\nname = \"main\"\nurl = \"https://pypi.org/simple\"\n";
    check(
        &[("pyproject.toml", uv)],
        "pyproject.toml",
        &[
            "django 3.2.0",
            "- flask [>=1]: a git dependency, not a released version",
            &format!("- torch [==2.0.0]: it comes from https://download.pytorch.org/whl/cpu{NO_MIRROR}"),
            "requests []",
        ],
    );
}

/// The packages of a manifest that are told to bear public names.
#[track_caller]
fn confusable(files: &[(&str, &str)], want: &[&str]) {
    let findings = Rules::default().judge(&tree(files), None);
    let told = findings.iter().filter(|one| one.verdict.id == "supply-confusable-name");
    let got: Vec<String> = told.map(|one| format!("{}:{} {}", one.path, one.line, one.name)).collect();
    assert_eq!(got, want, "{files:?}");
}

#[test]
fn a_manifest_that_takes_a_public_name_from_elsewhere_is_told() {
    let npm = "{\"dependencies\": {\n\"lodash\": \"git+https://example.com/lodash.git\",\n\"express\": \"file:./express\",\n\"react\": \"workspace:*\",\n\
               \"axios\": \"acme/axios\",\n\"mine\": \"file:./mine\",\n\"chalk\": \"^5\"}}";
    let told = ["package.json:2 lodash", "package.json:3 express", "package.json:4 react", "package.json:5 axios"];
    confusable(&[("package.json", npm)], &told);
    confusable(
        &[(
            "Cargo.toml",
            "[package]\nname = \"app\"\n[dependencies]\nserde = { path = \"serde\" }\ntokio = { git = \"https://example.com/t\" }\nrand = \"0.8\"\n",
        )],
        &["Cargo.toml:4 serde", "Cargo.toml:5 tokio"],
    );
    confusable(
        &[(
            "requirements.txt",
            "django @ git+https://example.com/django.git@main\n-e git+https://example.com/f.git#egg=flask\nrequests==2.31.0\n./numpy\n",
        )],
        &["requirements.txt:1 django", "requirements.txt:2 flask"],
    );
    let python = "[project]\nname = \"app\"\ndependencies = [\n\"flask\",\n\"django @ https://example.com/django.zip\",\n]\n[tool.uv.sources]\n\
                  flask = { workspace = true }\n[tool.poetry.dependencies]\nrequests = { path = \"../requests\" }\n";
    let told = ["pyproject.toml:4 flask", "pyproject.toml:5 django", "pyproject.toml:10 requests"];
    confusable(&[("pyproject.toml", python)], &told);
    confusable(
        &[("Pipfile", "[packages]\nflask = {path = \"./flask\"}\ndjango = {git = \"https://example.com/d.git\"}\n")],
        &["Pipfile:2 flask", "Pipfile:3 django"],
    );
    let composer = "{\"repositories\": [{\"type\": \"vcs\", \"url\": \"https://github.com/acme/monolog.git\"}, {\"type\": \"path\", \"url\": \"../guzzle\"}],\n\
                    \"require\": {\n\"monolog/monolog\": \"^2.0\",\n\"guzzlehttp/guzzle\": \"*\",\n\"symfony/console\": \"^5\"}}";
    // Of these no list of well-known names is kept: what the index knows is told.
    let outside = |files: &[(&str, &str)], want: &[&str]| {
        let signs = tree(files).remove(0).signs;
        let noted = signs.into_iter().filter(|sign| matches!(sign.fact, Fact::Outside(_)));
        let got: Vec<String> = noted.map(|sign| format!("{}:{} {}", files[0].0, sign.line, sign.name)).collect();
        assert_eq!(got, want);
    };
    outside(&[("composer.json", composer)], &["composer.json:3 monolog/monolog", "composer.json:4 guzzlehttp/guzzle"]);
    outside(
        &[(
            "Gemfile",
            "source 'https://rubygems.org'\ngem 'rails', git: 'https://example.com/rails.git'\ngem 'rack', path: 'rack'\ngem 'puma'\n",
        )],
        &["Gemfile:2 rails", "Gemfile:3 rack"],
    );
    outside(
        &[(
            "mix.exs",
            "defmodule A do\n defp deps do\n [{:phoenix, path: \"../phoenix\"},\n {:ecto, git: \"https://example.com/ecto.git\"}]\n end\nend\n",
        )],
        &["mix.exs:3 phoenix", "mix.exs:4 ecto"],
    );
    outside(
        &[(
            "pubspec.yaml",
            "name: a\ndependencies:\n  http:\n    path: ../http\n  path:\n    git: https://example.com/path.git\n",
        )],
        &["pubspec.yaml:3 http", "pubspec.yaml:5 path"],
    );
    // The lockfile says it once.
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"lodash": "file:lodash"}}, "node_modules/lodash": {"resolved": "lodash", "link": true},
        "lodash": {"version": "1.0.0"}}}"#;
    let manifest = r#"{"dependencies": {"lodash": "file:lodash"}}"#;
    confusable(&[("package.json", manifest), ("package-lock.json", lock)], &["package-lock.json:2 lodash"]);
}

#[test]
fn a_member_with_a_public_name_is_told_whichever_tool_locks_it() {
    let top = ("package.json", r#"{"name": "our-top", "private": true, "workspaces": ["p/*"]}"#);
    let members = [("p/a/package.json", r#"{"name": "lodash"}"#), ("p/b/package.json", r#"{"name": "our-own"}"#)];
    let pnpm = "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n\n  p/a: {}\n\n  p/b: {}\n";
    let npm = r#"{"lockfileVersion": 3, "packages": {"": {"name": "our-top", "workspaces": ["p/*"]}, "node_modules/lodash": {"resolved": "p/a",
        "link": true}, "p/a": {"name": "lodash", "version": "1.0.0"}, "node_modules/our-own": {"resolved": "p/b", "link": true}, "p/b": {"name": "our-own"}}}"#;
    let berry = "__metadata:\n  version: 8\n\n\"our-top@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"our-top@workspace:.\"\n  \
                 languageName: unknown\n  linkType: soft\n\n\"lodash@workspace:p/a\":\n  version: 0.0.0-use.local\n  resolution: \
                 \"lodash@workspace:p/a\"\n  languageName: unknown\n  linkType: soft\n";
    for (lock, want) in [
        (("pnpm-lock.yaml", pnpm), "p/a/package.json:1 lodash"),
        (("yarn.lock", "# yarn lockfile v1\n\n\nreact@^18:\n  version \"18.2.0\"\n"), "p/a/package.json:1 lodash"),
        (("package-lock.json", npm), "package-lock.json:2 lodash"),
        (("yarn.lock", berry), "yarn.lock:10 lodash"),
    ] {
        confusable(&[top, lock, members[0], members[1]], &[want]);
    }
}

#[test]
fn no_lockfile_has_what_builds_a_python_project() {
    let manifest = "[build-system]\nrequires = [\"six>=1.10\", \"hatchling==1.0\"]\n[project]\nname = \"app\"\ndependencies = [\"six>=1.16\"]\n";
    let uv = "version = 1\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { editable = \".\" }\ndependencies = [{ name = \"six\" }]\n\n\
              [[package]]\nname = \"six\"\nversion = \"1.16.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n\
              sdist = { url = \"https://files.pythonhosted.org/six.tar.gz\", hash = \"sha256:aa\" }\n";
    let files = [("pyproject.toml", manifest), ("uv.lock", uv)];
    check(&files, "pyproject.toml", &["hatchling 1.0", "six [>=1.10]"]);
    let lock = tree(&files).into_iter().find(|input| input.path == "uv.lock").unwrap();
    assert!(lock.signs.is_empty(), "{:?}", lock.signs);
}

#[test]
fn what_is_dynamic_is_looked_for_where_the_manifest_says() {
    let head = "[project]\nname = \"app\"\ndynamic = [\"version\", \"dependencies\", \"optional-dependencies\"]\n";
    let setuptools = "[tool.setuptools.dynamic]\ndependencies = { file = [\"base.list\", \"requirements.txt\"] }\n\
                      optional-dependencies.dev = { file = \"dev.list\" }\n";
    let manifest = format!("{head}{setuptools}");
    let lists = [
        ("base.list", "a==1\n-r more.list\n"),
        ("dev.list", "b==2\n"),
        ("more.list", "c\n"),
        ("requirements.txt", "d==4\n"),
    ];
    let files: Vec<(&str, &str)> = [("pyproject.toml", &*manifest)].into_iter().chain(lists).collect();
    let told = |files: &[(&str, &str)]| {
        tree(files)
            .into_iter()
            .map(|input| {
                let packages =
                    input.packages.iter().map(|one| &*one.name).chain(input.not_judged.iter().map(|one| &*one.name));
                let problems = input.problems.iter().map(|one| format!(" {}: {}", one.line, one.message));
                format!(
                    "{} {} [{}]{}",
                    input.path,
                    input.status.name(),
                    packages.collect::<Vec<_>>().join(" "),
                    problems.collect::<String>()
                )
            })
            .collect::<Vec<_>>()
    };
    let want = [
        "base.list parsed [a]",
        "dev.list parsed [b]",
        "more.list parsed [c]",
        "pyproject.toml parsed []",
        "requirements.txt parsed [d]",
    ];
    assert_eq!(told(&files), want);
    // Two projects that take in one file read it once.
    let below = ["base", "dev", "req"]
        .iter()
        .fold(manifest.clone(), |text, name| text.replace(&format!("\"{name}"), &format!("\"../{name}")));
    let twice = [("a/pyproject.toml", &*below), ("pyproject.toml", &*manifest)].into_iter().chain(lists);
    let twice = twice.collect::<Vec<_>>();
    assert_eq!(told(&twice)[1..], want);
    let build = "partial [] 3: what is `dynamic` only a build would tell (setup.py, or the build backend), and nothing is run here: make a \
                 lockfile (uv lock, pip-compile), and it is read instead";
    // However it is written, the file is one input.
    for told_by in [
        "[tool.setuptools]\ndynamic = { dependencies = { file = \"req/requirements.txt\" } }\n",
        "[tool.setuptools]\ndynamic.dependencies.file = \"req/requirements.txt\"\n",
        "[tool.setuptools.dynamic]\ndependencies = { file = \"req/requirements.txt\" }\n",
    ] {
        let manifest = format!("[project]\nname = \"app\"\ndynamic = [\"dependencies\"]\n{told_by}");
        let files = [("pyproject.toml", &*manifest), ("req/requirements.txt", "a==1\n")];
        assert_eq!(told(&files), ["pyproject.toml parsed []", "req/requirements.txt parsed [a]"], "{told_by}");
    }
    for (tables, beside, want) in [
        ("", "", build),
        ("[tool.setuptools.dynamic]\nversion = { attr = \"app.version\" }\n", "", build),
        ("[tool.poetry]\nextras = {}\n[tool.poetry.dependencies]\na = \"^1\"\n", "", "parsed [a]"),
        ("[tool.poetry]\nextras = {}\n[tool.poetry.dependencies]\npython = \"^3\"\n", "", build),
        (
            "[build-system]\nbuild-backend = \"poetry.core.masonry.api\"\n[tool.poetry.dependencies]\npython = \"^3\"\n",
            "",
            "parsed []",
        ),
        // Each for itself.
        ("", "[options]\ninstall_requires = a==1\n", build),
        ("", "[options.extras_require]\nx = a==1\n", build),
        ("", "[options]\nsetup_requires = a==1\n[options.extras_require]\nx = a==1\n", build),
        ("", "[options]\ninstall_requires =\n    a==1\n[options.extras_require]\nx =\n", "parsed []"),
        (
            "[tool.setuptools.dynamic]\ndependencies = { file = \"../x\" }\noptional-dependencies.x = { file = [\"setup.cfg\", \"none\"] }\n",
            "[a]\n",
            "partial [] 5: \"../x\" is outside of the scanned folder: not read 6: \"setup.cfg\" is a file of another kind: not read as requirements 6: \"none\" is included, but could not be read: No such file or directory (os error 2)",
        ),
    ] {
        let manifest = format!("{head}{tables}");
        let mut files = vec![("pyproject.toml", &*manifest)];
        files.extend((!beside.is_empty()).then_some(("setup.cfg", beside)));
        assert_eq!(told(&files)[0], format!("pyproject.toml {want}"), "{tables}");
    }
    // A lockfile lists all of it.
    let uv = "version = 1\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { editable = \".\" }\n";
    for text in [&manifest, head] {
        assert_eq!(
            told(&[("pyproject.toml", text), ("uv.lock", uv)]),
            ["pyproject.toml parsed []", "uv.lock parsed [app]"]
        );
    }
    let other = [("p/pyproject.toml", &*manifest), ("p/base.list", "a==1\n"), ("uv.lock", uv)];
    assert_eq!(told(&other)[0].split(" 5").next().unwrap(), "p/pyproject.toml partial []");
    // What is an input is judged, whatever project the lockfile above is of.
    let list = "[tool.setuptools.dynamic]\ndependencies = { file = [\"./requirements.txt\", \"base.list\"] }\n";
    let manifest = format!("[project]\nname = \"p\"\ndynamic = [\"dependencies\"]\n{list}");
    let uv = format!(
        "{uv}\n[[package]]\nname = \"b\"\nversion = \"1.0\"\nsource = {{ registry = \"https://pypi.org/simple\" }}\n"
    );
    let other = [
        ("p/pyproject.toml", &*manifest),
        ("p/base.list", "a==1\n"),
        ("p/requirements.txt", "a==1\n"),
        ("pyproject.toml", "[project]\nname = \"app\"\n"),
        ("uv.lock", &*uv),
    ];
    assert_eq!(
        told(&other)[..2],
        [
            "p/pyproject.toml partial [] 5: what \"base.list\" asks for is not read: the lockfiles at or above are of other projects",
            "p/requirements.txt parsed [a]",
        ]
    );
}
