//! What is read of manifests that pin little or are programs: one table a format, and what happens beside their lockfiles.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fmt::Write as _;
use std::fs;

use aiva_sca::inventory::{Kind, Options, Reading, walk};
use aiva_sca::package::Input;

use crate::inventory::locks;

/// `name version line scope` of a pin, `? name [requirement] line scope` of a range, `- … reason` of what is neither.
fn lines(reading: &Reading) -> String {
    let mut out = format!("{}\n", reading.status.name());
    for one in &reading.packages {
        assert_ne!(one.direct, Some(false), "a manifest names what is direct: {one:?}");
        // Of what gradle only constrains it is not known.
        let direct = if one.direct.is_none() { " ?" } else { "" };
        let forced = forced(one.origin.as_ref().and_then(|origin| origin.forced_by.as_deref()));
        writeln!(out, "{} {} {} {}{direct}{forced}", one.name, one.version, one.line, one.scope.name()).unwrap();
    }
    for one in &reading.not_judged {
        let (name, requirement, line, scope) = (&one.name, &one.requirement, one.line, one.scope.name());
        let forced = forced(one.forced_by.as_deref());
        match one.is_range {
            true => writeln!(out, "? {name} [{requirement}] {line} {scope}{forced}").unwrap(),
            false => writeln!(out, "- {name} [{requirement}] {line} {scope}: {}", one.reason).unwrap(),
        }
    }
    for problem in &reading.problems {
        writeln!(out, "! {} {}", problem.line, problem.message).unwrap();
    }
    out
}

fn forced(by: Option<&str>) -> String {
    by.map(|table| format!(" forced by {table}")).unwrap_or_default()
}

#[track_caller]
fn check(name: &str, text: &str, want: &str) {
    let got = lines(&Kind::of("", name).unwrap().read(text.as_bytes()));
    assert_eq!(got.trim(), want.trim(), "\n--- input\n{text}\n--- got\n{got}");
}

#[track_caller]
fn recorded(name: &str, want: &str) {
    check(name, &fs::read_to_string(locks().join("manifests").join(name)).unwrap(), want);
}

#[test]
fn composer_json() {
    recorded(
        "composer.json",
        "parsed
symfony/console 5.4.1 7 runtime
? monolog/monolog [^2.0] 6 runtime
? guzzlehttp/guzzle [~6.5 || ^7.0] 8 runtime
- acme/tools [dev-main] 9 runtime: a branch, not a released version
? phpunit/phpunit [9.*] 12 dev",
    );
    check(
        "composer.json",
        "{\"repositories\": [{\"packagist.org\": false}],\n\"require\": {\"a/b\": \"^1\"}}",
        "parsed\n- a/b [^1] 2 runtime: packagist.org is switched off, so a public name may be another package",
    );
    check(
        "composer.json",
        "{\"require\": {\"a/b\": 1, \"c/d\": \"v1.2.3\"}}",
        "partial\nc/d 1.2.3 1 runtime\n! 1 the requirement of \"a/b\" is not a string",
    );
    check("composer.json", "{}", "parsed");
    check("composer.json", "[]", "failed\n! 1 not a manifest: composer.json begins with `{`");
}

#[test]
fn package_json_with_overrides() {
    for (tables, want) in [
        (r#""overrides": {"b": "2.0.0"}"#, "? a [^1] 2 runtime\nb 2.0.0 3 runtime ? forced by overrides"),
        (r#""overrides": {"a": "1.0.0"}"#, "a 1.0.0 3 runtime forced by overrides"), // in the place of `^1`
        (r#""resolutions": {"**/a": "~1.0.0"}"#, "? a [~1.0.0] 3 runtime forced by resolutions"),
        (r#""overrides": {"a": {".": "1.0.0"}}"#, "a 1.0.0 3 runtime forced by overrides"),
        (r#""pnpm": {"overrides": {"a": "npm:c@3.0.0"}}"#, "c 3.0.0 3 runtime forced by pnpm.overrides"),
        (
            r#""pnpm": {"overrides": {"a@1": "1.5.0"}}"#,
            "? a [^1] 2 runtime\na 1.5.0 3 runtime forced by pnpm.overrides",
        ),
        (
            r#""pnpm": {"overrides": {"a@>1": "1.5.0"}}"#,
            "? a [^1] 2 runtime\na 1.5.0 3 runtime forced by pnpm.overrides",
        ),
        // No version: nobody gets it.
        (r#""pnpm": {"overrides": {"a": "-"}}"#, "- a [^1] 2 runtime: pnpm leaves it out: pnpm.overrides say `-`"),
        (r#""pnpm": {"overrides": {"a@1": "-", "x>a": "-", "b": "-"}}"#, "? a [^1] 2 runtime"),
        (
            r#""overrides": {"a": "-"}"#,
            "? a [^1] 2 runtime\n- a [-] 3 runtime: an override by `-`, by which only pnpm's overrides leave a package out",
        ),
        (r#""overrides": {"a": "$a"}"#, "? a [^1] 2 runtime"),
        (
            r#""overrides": {"b": "$a"}"#,
            "? a [^1] 2 runtime\n- b [$a] 3 runtime: an override by the version of another entry, which is not followed",
        ),
        (
            r#""pnpm": {"overrides": {"x>a": "1.0.0"}}"#,
            "? a [^1] 2 runtime\n- a [1.0.0] 3 runtime: an override for what one package asks for: whether anybody gets it, a lockfile would say",
        ),
        (
            r#""pnpm": {"overrides": {"x>a": "git+https://user:secret@example.com/a.git", "b": "patch:b@https://user:secret@example.com/b.tgz"}}"#,
            "? a [^1] 2 runtime\n- a [git+https://example.com/a.git] 3 runtime: an override for what one package asks for: whether anybody gets it, a lockfile would say\n\
             - b [patch:b@https://example.com/b.tgz] 3 runtime: an override by a patched copy, not a released version",
        ),
        (
            r#""overrides": {"x": {"a": "1.0.0"}}"#,
            "? a [^1] 2 runtime\n- a [1.0.0] 3 runtime: an override for what one package asks for: whether anybody gets it, a lockfile would say",
        ),
        (
            r#""resolutions": {"x/**/b": "1.0.0", "b": "patch:b@npm%3A1.0.0#./b.patch"}"#,
            "? a [^1] 2 runtime\n- b [1.0.0] 3 runtime: an override for what one package asks for: whether anybody gets it, a lockfile would say\n\
             - b [patch:b@npm%3A1.0.0#./b.patch] 3 runtime: an override by a patched copy, not a released version",
        ),
    ] {
        check(
            "package.json",
            &format!("{{\n\"dependencies\": {{\"a\": \"^1\"}},\n{tables}}}"),
            &format!("parsed\n{}", order(want)),
        );
    }
    check(
        "package.json",
        "{\"devDependencies\": {\"a\": \"^1\"},\n\"overrides\": {\"a\": \"1.0.0\", \"b\": 1}}",
        "partial\na 1.0.0 2 dev forced by overrides\n! 2 the override of \"b\" is not a string",
    );
}

/// Pins before ranges, as they are listed.
fn order(rows: &str) -> String {
    let (open, pins): (Vec<&str>, Vec<&str>) = rows.lines().partition(|row| row.starts_with(['?', '-']));
    pins.into_iter().chain(open).collect::<Vec<_>>().join("\n")
}

#[test]
fn pyproject_with_overrides() {
    let project = "[project]\ndependencies = [\"a>=1\"]\n";
    for (tables, want) in [
        ("[tool.uv]\noverride-dependencies = [\"A==1.5\"]", "a 1.5 4 runtime forced by override-dependencies"),
        ("[tool.uv]\noverride-dependencies = [\"a<2\"]", "? a [<2] 4 runtime forced by override-dependencies"),
        (
            "[tool.uv]\noverride-dependencies = [\"b==1.5\"]",
            "b 1.5 4 runtime ? forced by override-dependencies\n? a [>=1] 2 runtime",
        ),
        (
            "[tool.uv]\noverride-dependencies = [\"a==1.5; python_version < '3.9'\"]",
            "a 1.5 4 runtime forced by override-dependencies\n? a [>=1] 2 runtime",
        ),
        ("[tool.pdm.resolution.overrides]\na = \"1.5\"", "a 1.5 4 runtime forced by resolution.overrides"),
        ("[tool.pdm.resolution.overrides]\na = \">=1.5\"", "? a [>=1.5] 4 runtime forced by resolution.overrides"),
        (
            "[tool.pdm.resolution.overrides]\na = \"https://x/a.whl\"",
            "- a [@ https://x/a.whl] 4 runtime: from an address, not from an index: it has no version",
        ),
    ] {
        check("pyproject.toml", &format!("{project}{tables}\n"), &format!("parsed\n{want}"));
    }
    let odd = format!("{project}[tool.uv]\noverride-dependencies = [\"a=1\"]\n");
    check(
        "pyproject.toml",
        &odd,
        "partial\n? a [>=1] 2 runtime\n! 4 not a requirement, and not judged: \"a=1\"; a name and its versions belong here, as in \"name>=1.2\"",
    );
}

#[test]
fn pyproject_with_what_builds_it() {
    let build = "[build-system]\nrequires = [\"setuptools>=61\", \"wheel==0.40.0\", \"x @ https://x/x.whl\"]\n";
    check(
        "pyproject.toml",
        &format!("{build}[project]\ndependencies = [\"wheel>=0.30\"]\n"),
        "parsed
wheel 0.40.0 2 build
? wheel [>=0.30] 4 runtime
? setuptools [>=61] 2 build
- x [@ https://x/x.whl] 2 build: from an address, not from an index: it has no version",
    );
    check(
        "pyproject.toml",
        "[build-system]\nrequires = [\"=1\"]\n",
        "failed\n! 2 not a requirement, and not judged: \"=1\"; a name and its versions belong here, as in \"name>=1.2\"",
    );
    for (wrong, key) in [
        ("[project]\ndependencies = \"a==1\"\n", "dependencies"),
        ("[project]\ndependencies.a = \"1\"\n", "dependencies"),
        ("[project]\ndynamic = \"dependencies\"\n", "dynamic"),
        ("[project.optional-dependencies]\nx = \"a\"\n", "x"),
        ("[build-system]\nrequires = \"a\"\n", "requires"),
        ("[dependency-groups]\ndev = \"a\"\n", "dev"),
        ("[tool.uv]\noverride-dependencies = \"a\"\n", "override-dependencies"),
        ("[tool.uv]\nexclude-dependencies = \"a\"\n", "exclude-dependencies"),
        ("[tool.uv]\nconstraint-dependencies = \"a\"\n", "constraint-dependencies"),
        ("[tool.uv]\nbuild-constraint-dependencies.a = \"1\"\n", "build-constraint-dependencies"),
        ("[tool.pdm.resolution]\nexcludes = \"a\"\n", "excludes"),
        ("[tool.uv]\ndev-dependencies = \"a\"\n", "dev-dependencies"),
    ] {
        let text = format!("{wrong}[tool.poetry.dependencies]\nb = \"1.0\"\n");
        check(
            "pyproject.toml",
            &text,
            &format!("partial\nb 1.0 4 runtime\n! 2 \"{key}\" is no list: nothing of it is read"),
        );
    }
}

#[test]
fn pyproject_with_constraints_of_uv() {
    let project =
        "[build-system]\nrequires = [\"a>=1\", \"s\"]\n[project]\ndependencies = [\"a>=1,\", \"b\"]\n[tool.uv]\n";
    let (build, plain) = ("? a [>=1] 2 build\n? s [] 2 build", "? a [>=1,] 4 runtime\n? b [] 4 runtime");
    for (constraints, want) in [
        (
            "constraint-dependencies = [\"A<2\", \"a!=1.1\", \"gone==1\"]",
            format!("? a [>=1,<2,!=1.1] 4 runtime\n? b [] 4 runtime\n{build}"),
        ),
        ("constraint-dependencies = [\"a==1.5\", \"b<3\"]", format!("a 1.5 6 runtime\n? b [<3] 4 runtime\n{build}")),
        (
            "build-constraint-dependencies = [\"a<2\", \"s==60.0\"]",
            format!("s 60.0 6 build\n{plain}\n? a [>=1,<2] 2 build"),
        ),
        // On some machines only, or of no version.
        (
            "constraint-dependencies = [\"a<2; os_name == 'nt'\", \"b\", \"b @ https://x/b.whl\"]",
            format!("{plain}\n{build}"),
        ),
    ] {
        check("pyproject.toml", &format!("{project}{constraints}\n"), &format!("parsed\n{want}"));
    }
    let odd = format!("{project}constraint-dependencies = [\"a=1\"]\n");
    check(
        "pyproject.toml",
        &odd,
        &format!(
            "partial\n{plain}\n{build}\n! 6 not a requirement, and not judged: \"a=1\"; a name and its versions belong here, as in \"name>=1.2\""
        ),
    );
    let forced = "[project]\ndependencies = [\"a\"]\n[tool.uv]\noverride-dependencies = [\"a>=2\"]\nconstraint-dependencies = [\"a<3\"]\n";
    check("pyproject.toml", forced, "parsed\n? a [>=2,<3] 4 runtime forced by override-dependencies");
}

#[test]
fn what_python_s_files_cannot_mean_is_told() {
    let table = "is no table of packages: nothing of it is read";
    let neither = "is asked for by neither a version";
    for (name, text, want) in [
        ("setup.cfg", "[options\ninstall_requires =\n  a==1\n", "failed\n! 1 a section without its closing `]`: nothing of it is read".to_owned()),
        ("setup.cfg", "[options]\ninstall_requires = a==1.0; b==2.0\n", "parsed\na 1.0 2 runtime\nb 2.0 2 runtime".to_owned()),
        ("setup.cfg", "[options]\ninstall_requires = a==1.0; python_version < '3'\n", "parsed\na 1.0 2 runtime".to_owned()),
        (
            "setup.cfg",
            "[options]\nwords\ninstall_requires =\n  a==1.0\n",
            "partial\na 1.0 4 runtime\n! 2 neither a key with its value (`key = value`) nor indented below one: \"words\" is passed over".to_owned(),
        ),
        (
            "Pipfile",
            "packages = [\"a\"]\n[dev-packages]\nb = 1\nc = \"==1.0\"\n",
            format!("partial\nc 1.0 4 dev\n! 1 \"packages\" {table}\n! 3 \"b\" {neither} (\"*\", \">=1.2\") nor a table with one, and is not judged"),
        ),
        (
            "pyproject.toml",
            "[tool.poetry]\ndependencies = [\"a\"]\n[tool.poetry.dev-dependencies]\nb = 1\nc = {}\nd = \"1.0\"\n",
            format!(
                "partial\nd 1.0 6 dev\n! 2 \"dependencies\" {table}\n! 4 \"b\" {neither} (\"^1.2\") nor a table with one, and is not judged\n\
                 ! 5 \"c\" has an empty table in the place of its version, and is not judged: the file may have been cut off"
            ),
        ),
    ] {
        check(name, text, &want);
    }
}

#[test]
fn pyproject_with_alternatives_of_poetry() {
    for (asked, want) in [
        ("\"5.1 || 5.2\"", "? a [==5.1 || ==5.2] 2 runtime"),
        ("\"^1|2.0\"", "? a [^1 || ==2.0] 2 runtime"),
        ("\">=5.1,<6 || 7.0\"", "? a [>=5.1,<6 || ==7.0] 2 runtime"),
        ("\"==5.1,<6 || ==7.0\"", "? a [==5.1,<6 || ==7.0] 2 runtime"),
        ("\"5.1 || *\"", "? a [] 2 runtime"),
        ("{ version = \"5.1 || 5.2\", extras = [\"x\"] }", "? a [==5.1 || ==5.2] 2 runtime"),
        (
            "[{ version = \"5.1 || 5.2\", python = \"<3\" }, { version = \"6.0\" }]",
            "? a [==5.1 || ==5.2 || ==6.0] 2 runtime",
        ),
        ("\"5.1\"", "a 5.1 2 runtime"),
    ] {
        check("pyproject.toml", &format!("[tool.poetry.dependencies]\na = {asked}\n"), &format!("parsed\n{want}"));
    }
}

#[test]
fn gemfile() {
    recorded(
        "Gemfile",
        "parsed
pg 1.5.3 9 runtime
rubocop 1.50.0 25 dev
? rails [~> 7.0.4, >= 7.0.4.3] 8 runtime
? puma [>= 5.0] 10 runtime
- tool [https://example.com/tool.git] 13 runtime: a git dependency, not a released version
? bootsnap [] 15 runtime
? rspec-rails [~> 6.0, < 6.2] 18 dev
? capybara [] 22 dev
- acme-core [https://gems.acme.example] 28 runtime: from another source, where a public name may be another gem",
    );
    let source = "source 'https://rubygems.org'\n";
    for (line, want) in [
        ("gemspec", "failed\n! 2 the dependencies of the gemspec are not in this file"),
        (
            "gem 'a', VERSION",
            "partial\n- a [] 2 runtime: its requirement is computed\n! 2 what is asked of \"a\" is computed",
        ),
        (
            "gem 'a', \"~> #{x}\"",
            "partial\n- a [] 2 runtime: its requirement is computed\n! 2 what is asked of \"a\" is computed",
        ),
        ("gem NAME, '1.0'", "failed\n! 2 the name of a gem is computed"),
        (
            "gem 'a', '1.0' if ENV['X']",
            "partial\na 1.0 2 runtime\n! 2 a condition decides about this gem; it is listed all the same",
        ),
        ("eval_gemfile 'x'", "failed\n! 2 not a literal dependency, so not read: \"eval_gemfile\""),
        ("%w[a b].each { |name| gem name }", "failed\n! 2 not a literal dependency, so not read: a line"),
        ("gem('a', '= 1.0', :group => :test)", "parsed\na 1.0 2 dev"),
        ("gem 'a', '1.0', :groups => [:test, :production]", "parsed\na 1.0 2 runtime"),
        ("git_source(:x) do |repo|\n  repo = \"a\"\n  \"b\"\nend\ngem 'a', '1.0'", "parsed\na 1.0 6 runtime"),
        ("gem 'a', 'x", "failed\n! 2 a string without its closing quote: the file may have been cut off"),
        (
            "group :test do\n  gem 'a', '1.0'",
            "partial\na 1.0 3 dev\n! 3 a block without its `end`: the file may have been cut off",
        ),
    ] {
        check("Gemfile", &format!("{source}{line}\n"), want);
    }
    let conditional = "if RUBY_VERSION > '3'\n  gem 'a', '1.0'\nelse\n  gem 'a', '2.0'\nend\n";
    check(
        "Gemfile",
        conditional,
        "partial\na 1.0 2 runtime\na 2.0 4 runtime\n! 1 a condition decides about what follows; it is listed all the same",
    );
    let private = "source 'https://gems.acme.example'\ngem 'a', '1.0'\n";
    check(
        "gems.rb",
        private,
        "parsed\n- a [https://gems.acme.example] 2 runtime: from another source, where a public name may be another gem",
    );
}

#[test]
fn pubspec_yaml() {
    recorded(
        "pubspec.yaml",
        "parsed
path 1.8.2 9 runtime
lints 2.1.0 29 runtime
- flutter [] 6 runtime: a part of the SDK, not a package
? http [^0.13.3] 8 runtime
? any_one [any] 10 runtime
? bare [] 11 runtime
- tool [https://example.com/tool.git] 14 runtime: a git dependency, not a released version
- ours [^1.0.0] 18 runtime: from another host, where a public name may be another package
? ranged [>=1.0.0 <2.0.0] 21 runtime
? test [^1.21.0] 25 dev",
    );
    check("pubspec.yaml", "name: a\n", "parsed");
    check("pubspec.yaml", "", "failed\n! 1 no keys: not a pubspec.yaml");
}

#[test]
fn mix_exs() {
    recorded(
        "mix.exs",
        "parsed
plug 1.13.6 16 runtime
? phoenix [~> 1.6.0] 15 runtime
? ecto [>= 3.0.0 and < 4.0.0] 17 runtime
? credo [~> 1.6] 18 dev
? ex_doc [~> 0.29] 19 dev
? other [>= 0.0.0] 20 runtime
- tool [acme/tool] 21 runtime: a git dependency, not a released version
- ours [acme] 23 runtime: from another repository, where a public name may be another package",
    );
    let deps = |list: &str| format!("defmodule A do\n  defp deps do\n    {list}\n  end\nend\n");
    for (list, want) in [
        ("[]", "parsed"),
        (
            "[{:a, \"1.0.0\"}] ++ more()",
            "partial\na 1.0.0 3 runtime\n! 3 more dependencies are computed and added to the list",
        ),
        (
            "[{:a, @version}]",
            "partial\n- a [] 3 runtime: its requirement is computed\n! 3 the requirement of \"a\" is computed",
        ),
        ("other() ++ []", "failed\n! 2 its dependencies are computed: there is no literal list of them in `deps`"),
        ("[\n{:a, v(1)},\n{:b, \"2.0.0\"}]", "partial\nb 2.0.0 5 runtime\n! 4 expected `,` or a closing bracket"),
    ] {
        check("mix.exs", &deps(list), want);
    }
    check(
        "mix.exs",
        "defmodule A do\n  def project, do: [deps: [{:a, \"== 1.0.0\"}]]\nend\n",
        "parsed\na 1.0.0 2 runtime",
    );
    check("mix.exs", "defmodule A do\n  def deps, do: [{:a, \"~> 1.0\"}]\nend\n", "parsed\n? a [~> 1.0] 2 runtime");
    check("mix.exs", "nothing\n", "failed\n! 1 no module: not a mix.exs");
}

#[test]
fn deno_json() {
    recorded(
        "deno.json",
        "parsed
chalk 5.3.0 5 runtime
? express [^4.17] 6 runtime
? @acme/x [] 8 runtime
- @std/assert [^1] 9 runtime: from JSR, whose packages no public advisories name
- https://deno.land/x/oak@v12/mod.ts [] 10 runtime: imported by address: it has no package and no version",
    );
    check(
        "deno.jsonc",
        "{\"importMap\": \"./map.json\"}",
        "failed\n! 1 the imports are in \"./map.json\", which is not read",
    );
}

#[test]
fn build_gradle() {
    recorded(
        "build.gradle",
        "parsed
org.jetbrains.kotlin:kotlin-gradle-plugin 1.8.0 4 build
org.springframework.boot:org.springframework.boot.gradle.plugin 2.7.1 10 build
org.apache.logging.log4j:log4j-core 2.14.0 18 runtime
com.fasterxml.jackson.core:jackson-databind 2.13.1 19 runtime
commons-io:commons-io 2.6 20 runtime
org.acme:bom 1.0.0 24 runtime
junit:junit 4.12 30 dev
? com.google.guava:guava [[20.0,30.0)] 21 runtime
- org.acme:managed [] 25 runtime: its version is managed by a platform or a plugin
- org.acme:unset [$elsewhere] 26 runtime: a variable that this file does not set
? org.projectlombok:lombok [1.18.+] 29 build
? org.mockito:mockito-core [(1.0,2.0)] 30 dev",
    );
    recorded(
        "build.gradle.kts",
        "parsed
org.jetbrains.kotlin.jvm:org.jetbrains.kotlin.jvm.gradle.plugin 1.8.0 3 build
com.acme.tool:com.acme.tool.gradle.plugin 3.1.0 4 build
com.squareup.okhttp3:okhttp 4.9.0 11 runtime
io.ktor:ktor-server-core 2.0.0 12 runtime
org.jetbrains.kotlin:kotlin-stdlib 1.8.0 13 runtime
commons-io:commons-io 2.6 14 runtime
org.acme:three 1.0 15 dev
org.acme:processor 1.0.0 16 build",
    );
    for (inside, want) in [
        (
            "implementation 'a:b:1'\nif (x) { api 'c:d:1' }",
            "partial\na:b 1 2 runtime\n! 3 dependencies are computed in a block here: not read",
        ),
        ("implementation lookup('x')", "failed\n! 2 a dependency is computed here: not read"),
        ("implementation 'a'", "failed\n! 2 not a coordinate: \"a\""),
        ("implementation \"$g:b:1\"", "failed\n! 2 the name of a dependency is computed: \"$g:b:1\""),
        ("implementation 'a:b:1.0!!'", "parsed\na:b 1.0 2 runtime"),
        ("implementation 'a:b:1:sources@jar'", "parsed\na:b 1 2 runtime"),
    ] {
        check("build.gradle", &format!("dependencies {{\n{inside}\n}}\n"), want);
    }
    check(
        "build.gradle",
        "dependencies {\n  api 'a:b:1'\n",
        "partial\na:b 1 2 runtime\n! 2 a block is not closed: the file may have been cut off",
    );
    check(
        "build.gradle",
        "def v = '1'\nif (x) { v = '2' }\ndependencies { api \"a:b:$v\" }\n",
        "parsed\n- a:b [$v] 3 runtime: a variable that this file does not set",
    );
    let managed =
        "dependencyManagement {\n dependencies {\n dependency 'a:b:1.5'\n }\n}\ndependencies {\n api 'a:b'\n}\n";
    check("build.gradle", managed, "parsed\na:b 1.5 7 runtime");
}

#[test]
fn gradle_says_versions_beside_the_coordinate() {
    let managed = "its version is managed by a platform or a plugin";
    let unset = "a variable that this file does not set";
    for (inside, want) in [
        // The block behind a dependency.
        ("api('a:b') { version { strictly('1.30') } }", "a:b 1.30 2 runtime".to_owned()),
        ("api('a:b') {\nversion {\nrequire '1.30'\nbecause('x')\n}\n}", "a:b 1.30 2 runtime".into()),
        ("api 'a:b', { version { prefer '1.30' } }", "a:b 1.30 2 runtime".into()),
        ("api('a:b:1') { version { strictly('2') } }", "a:b 2 2 runtime".into()),
        ("api('a:b:1') { version { prefer('2') } }", "a:b 1 2 runtime".into()),
        ("api('a:b:1') { exclude group: 'x' }\napi('c:d') { transitive = false }", {
            format!("a:b 1 2 runtime\n- c:d [] 3 runtime: {managed}")
        }),
        ("api('a:b') { version { strictly('[1, 2[')\nprefer('1.5') } }", "? a:b [[1, 2)] 2 runtime".into()),
        ("api('a:b') { version { strictly(v) } }", format!("- a:b [v] 2 runtime: {unset}")),
        ("api('a:b') { version { strictly(v.x.get()) } }", format!("- a:b [v.x.get] 2 runtime: {unset}")),
        ("api('a:b') { version { reject('1') } }", format!("- a:b [] 2 runtime: {managed}")),
        // `constraints`
        ("constraints { api('a:b:1') }", "a:b 1 2 runtime ?".into()),
        ("constraints {\napi('a:b') {\nversion { strictly('1') }\nbecause 'x'\n}\n}", "a:b 1 3 runtime ?".into()),
        ("constraints { testImplementation 'a:b:[1,2)' }", "? a:b [[1,2)] 2 dev".into()),
        ("constraints { api('a:b:1') }\napi('a:b')", "a:b 1 3 runtime".into()), // what has no version takes it
        ("api('a:b')\nconstraints { api('a:b:1') }\ntestApi('a:b')", "a:b 1 2 runtime\na:b 1 4 dev".into()),
        ("api('a:b')\nconstraints { api('a:b:1.+') }", "? a:b [1.+] 2 runtime".into()),
        // What gradle chooses is there once: the higher, or what is strict.
        ("api('a:b:1')\nconstraints { api('a:b:2') }", "a:b 2 3 runtime".into()),
        ("api('a:b:2')\nconstraints { api('a:b:1') }", "a:b 2 2 runtime".into()),
        ("api('a:b:1.10')\nconstraints { api('a:b:1.9')\napi('a:b:1.11') }", "a:b 1.11 4 runtime".into()),
        ("api('a:b:1')\nconstraints { api('a:b:1') }", "a:b 1 2 runtime".into()),
        ("api('a:b:2')\nconstraints { api('a:b') { version { strictly('1') } } }", "a:b 1 3 runtime".into()),
        ("api('a:b:2')\nconstraints { api('a:b:1!!') }", "a:b 1 3 runtime".into()),
        ("api('a:b') { version { strictly('1') } }\nconstraints { api('a:b:2') }", "a:b 1 2 runtime".into()),
        ("testApi('a:b:1')\nconstraints { api('a:b:2') }", "a:b 2 3 dev".into()),
        ("testApi('a:b:1')\napi('a:b:1')\nconstraints { api('a:b:2') }", "a:b 2 4 runtime".into()),
        // Two that are strict break the build; a test's constraint is not for what runs; of a range it is not known.
        ("api('a:b:1!!')\nconstraints { api('a:b:2!!') }", "a:b 1 2 runtime\na:b 2 3 runtime ?".into()),
        ("api('a:b:1')\nconstraints { testApi('a:b:2') }", "a:b 1 2 runtime\na:b 2 3 dev ?".into()),
        ("api('a:b:1')\nconstraints { kapt('a:b:2') }", "a:b 1 2 runtime\na:b 2 3 build ?".into()),
        ("api('a:b:1')\nconstraints { api('a:b:[2,3)') }", "a:b 1 2 runtime\n? a:b [[2,3)] 3 runtime".into()),
        ("api('a:b:1')\nconstraints { api('c:d')\napi(project(':x')) }", "a:b 1 2 runtime".into()),
        // What is only preferred gives way; a configuration that does not take the constraint has its own version.
        (
            "api('a:b:1')\nconstraints { api('a:b') { version { prefer '2' } } }",
            "a:b 1 2 runtime\na:b 2 3 runtime ?".into(),
        ),
        (
            "api('a:b') { version { prefer '1' } }\nconstraints { api('a:b:2') }",
            "a:b 1 2 runtime\na:b 2 3 runtime ?".into(),
        ),
        ("checkstyle('a:b:1')\nconstraints { api('a:b:2') }", "a:b 1 2 runtime\na:b 2 3 runtime ?".into()),
        ("api('a:b:1')\nconstraints { runtimeOnly('a:b:2') }", "a:b 1 2 runtime\na:b 2 3 runtime ?".into()),
        ("runtimeOnly('a:b:1')\nconstraints { implementation('a:b:2') }", "a:b 2 3 runtime".into()),
        ("checkstyle('a:b:1')\nconstraints { checkstyle('a:b:2') }", "a:b 2 3 runtime".into()),
        ("constraints { api(\"a:b:$v\") }", format!("- a:b [$v] 2 runtime: {unset}")),
    ] {
        check("build.gradle", &format!("dependencies {{\n{inside}\n}}\n"), &format!("parsed\n{want}"));
    }
    check(
        "build.gradle",
        "dependencies {\n  api('a:b') { version { strictly('1') }\n",
        "partial\na:b 1 2 runtime\n! 2 a block is not closed: the file may have been cut off",
    );
    check(
        "build.gradle",
        "dependencies {\nconstraints {\napi lookup('x')\n}\n}\n",
        "failed\n! 3 a dependency is computed here: not read",
    );
    check("build.gradle.kts", "dependencies.constraints {\n  api(\"a:b:1\")\n}\n", "parsed\na:b 1 2 runtime ?");
    // What is forced is another version than the one that stands there.
    let force = "`force` decides versions here: those below may be others";
    for (text, want) in [
        ("configurations.all {\n  resolutionStrategy.force 'a:b:1'\n}", format!("! 2 {force}")),
        ("configurations.all { resolutionStrategy {\n  force('a:b:1')\n} }", format!("! 2 {force}")),
        (
            "configurations.all { resolutionStrategy.eachDependency { d ->\n  d.useVersion '1'\n} }",
            "! 2 `useVersion` decides versions here: those below may be others".to_owned(),
        ),
    ] {
        let text = format!("{text}\ndependencies {{\napi 'a:b:2'\n}}\n");
        check("build.gradle", &text, &format!("partial\na:b 2 5 runtime\n{want}"));
    }
    check("build.gradle", "tasks.x {\n  force = true\n}\ndependencies {\napi 'a:b:2'\n}\n", "parsed\na:b 2 5 runtime");
    let nested = format!("dependencies {{\napi 'a:b:2'\n{}", "constraints {".repeat(1_000));
    let want = "partial\na:b 2 2 runtime\n! 3 blocks are nested too deeply: the rest is not read\n! 3 a block is not closed: the file may have been cut off";
    check("build.gradle", &nested, want);
    // A constraint is for its own project.
    check(
        "build.gradle",
        "project(':x') { dependencies {\napi 'a:b:1'\n} }\nproject(':y') { dependencies { constraints {\napi 'a:b:2'\n} } }\n",
        "parsed\na:b 1 2 runtime\na:b 2 5 runtime ?",
    );
    check(
        "build.gradle",
        "dependencies {\napi 'a:b:1'\n}\ndependencies { constraints {\napi 'a:b:2'\n} }\n",
        "parsed\na:b 2 5 runtime",
    );
    check(
        "libs.versions.toml",
        "[versions]\na = \"1\"\n[libraries]\nx = { module = \"g:x\", version.ref = \"b\" }\ny = { module = \"g:y\" }\n",
        "parsed\n- g:x [] 4 runtime: [versions] has no \"b\"\n- g:y [] 5 runtime: its version is managed by a platform",
    );
}

/// What is read of a folder with these files.
pub(crate) fn tree(files: &[(&str, &str)]) -> Vec<Input> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    walk(folder.path(), &Options::default(), &|_| {}).unwrap().inputs
}

/// What a lockfile says beside its manifest: `name direct scope`; the manifest itself lists nothing.
#[track_caller]
fn beside(manifest: (&str, &str), lock: (&str, &str), want: &[&str]) {
    let inputs = tree(&[manifest, lock]);
    let find = |name: &str| inputs.iter().find(|input| input.path == name).unwrap();
    let told: Vec<String> = find(lock.0)
        .packages
        .iter()
        .map(|one| format!("{} {:?} {}", one.name, one.direct.unwrap_or_default(), one.scope.name()))
        .collect();
    assert_eq!(told, want);
    let own = find(manifest.0);
    assert!(own.packages.is_empty() && own.not_judged.is_empty(), "{own:?}");
    assert_eq!(own.status.name(), "parsed", "{:?}", own.problems);
}

#[test]
fn a_manifest_beside_its_lockfile_adds_what_is_direct_and_its_scope() {
    beside(
        ("composer.json", r#"{"require": {"A/b": "^1"}, "require-dev": {"c/d": "^1"}}"#),
        (
            "composer.lock",
            r#"{"packages": [{"name": "a/b", "version": "1.0.0"}, {"name": "e/f", "version": "1.0.0"}],
                "packages-dev": [{"name": "c/d", "version": "1.0.0"}]}"#,
        ),
        &["a/b true runtime", "e/f false runtime", "c/d true dev"],
    );
    // A program that computes something is no gap beside a lockfile that has all of it.
    beside(
        ("Gemfile", "gemspec\ngem 'a'\ngroup(:test) do\n  gem 'b'\nend\n"),
        (
            "Gemfile.lock",
            "GEM\n  remote: https://rubygems.org/\n  specs:\n    a (1.0)\n    b (1.0)\n      c\n    c (1.0)\n\nDEPENDENCIES\n  a\n  b\n",
        ),
        &["a true runtime", "b true dev", "c false dev"],
    );
    beside(
        ("mix.exs", "defmodule A do\n defp deps do\n [{:a, \"~> 1.0\"}, {:b, \"~> 1.0\", only: :test}]\n end\nend\n"),
        (
            "mix.lock",
            "%{\n  \"a\": {:hex, :a, \"1.0.0\", \"\", [:mix], [], \"hexpm\", \"\"},\n  \"b\": {:hex, :b, \"1.0.0\", \"\", [:mix], [{:c, \"~> 1.0\", [hex: :c]}], \"hexpm\", \"\"},\n  \"c\": {:hex, :c, \"1.0.0\", \"\", [:mix], [], \"hexpm\", \"\"},\n}\n",
        ),
        &["a true runtime", "b true dev", "c false dev"],
    );
    beside(
        ("pubspec.yaml", "name: a\ndependencies:\n  http: ^0.13.0\n"),
        (
            "pubspec.lock",
            "packages:\n  http:\n    dependency: \"direct main\"\n    source: hosted\n    version: \"0.13.5\"\nsdks:\n  dart: \">=2.0.0\"\n",
        ),
        &["http true runtime"],
    );
    beside(
        ("build.gradle", "dependencies {\n  implementation 'a:b:1.+'\n  if (x) { y() }\n}\n"),
        ("gradle.lockfile", "a:b:1.5=runtimeClasspath\nc:d:1=runtimeClasspath\nempty=\n"),
        &["a:b true runtime", "c:d false runtime"],
    );
}

#[test]
fn a_version_catalog_must_be_there_to_be_relied_on() {
    let build = ("app/build.gradle.kts", "dependencies {\n  implementation(libs.okhttp)\n}\n");
    let alone = tree(&[build]);
    assert_eq!(alone[0].status.name(), "partial");
    assert!(alone[0].problems[0].message.contains("no libs.versions.toml is here"), "{:?}", alone[0].problems);
    let catalog = ("gradle/libs.versions.toml", "[libraries]\nokhttp = \"com.squareup.okhttp3:okhttp:4.9.0\"\n");
    let both = tree(&[build, catalog]);
    assert_eq!(both[0].status.name(), "parsed", "{:?}", both[0].problems);
    assert_eq!(both[1].packages.len(), 1);
}

#[test]
fn workflows_with_actions_below_their_key() {
    for (uses, want) in [
        (">-\n      o/a@v1.2.3", "o/a 1.2.3 4 runtime"),
        ("|\n      o/a@v1.2.3\n", "o/a 1.2.3 4 runtime"),
        ("\n      o/a@v1.2.3", "o/a 1.2.3 4 runtime"),
        ("&a\n      o/a@v1.2.3", "o/a 1.2.3 3 runtime"),
    ] {
        let text = format!("runs:\n  steps:\n  - uses: {uses}\n  - uses: o/b@v2.0.0\n  - run: |\n      x\n");
        let line = text.lines().position(|line| line.contains("o/b")).unwrap() + 1;
        check("action.yml", &text, &format!("parsed\n{want}\no/b 2.0.0 {line} runtime"));
    }
}

#[test]
fn workflows_with_anchors() {
    let not_step = "not a step: an alias for a word";
    for (steps, want) in [
        // What stands at an anchor is listed there, however often it is taken.
        (
            "- &a { uses: o/a@v1.2.3 }\n- *a\n- *a\n- uses: o/b@v2.0.0",
            "parsed\no/a 1.2.3 3 runtime\no/b 2.0.0 6 runtime",
        ),
        ("- uses: &a o/a@v1.2.3\n- uses: *a\n- uses: o/b@v2.0.0", "parsed\no/a 1.2.3 3 runtime\no/b 2.0.0 5 runtime"),
        ("- env: { A: &a o/a@v1.2.3 }\n- uses: *a\n- uses: *a", "parsed\no/a 1.2.3 4 runtime\no/a 1.2.3 5 runtime"),
        (
            "- run: x\n  env: &e\n    A: &a o/a@8e5e7e5ab8b370d6c329ec480221332ada57f0ab # v3.5.2\n- uses: *a\n  env: *e",
            "parsed\no/a 3.5.2 6 runtime",
        ),
        // Beside a `uses` in its line, but none itself.
        (
            "- { uses: o/b@v2.0.0, env: { A: &a o/a@v1.2.3 } }\n- uses: *a",
            "parsed\no/b 2.0.0 3 runtime\no/a 1.2.3 4 runtime",
        ),
        ("- &a { uses: o/a@v1.2.3, with: { x: *a } }\n- *a", "parsed\no/a 1.2.3 3 runtime"), // in itself
        ("- run: &r x\n- *r\n- uses: o/b@v2.0.0", &format!("partial\no/b 2.0.0 5 runtime\n! 4 {not_step}")),
        (
            "- &a { run: x }\n- uses: *a\n- uses: o/b@v2.0.0",
            "partial\no/b 2.0.0 5 runtime\n! 4 an alias for something else than the name of an action",
        ),
        (
            "- uses: o/b@v2.0.0\n- *none\n- uses: o/c@v2.0.0",
            "partial\no/b 2.0.0 3 runtime\n! 4 not YAML: while parsing node, found unknown anchor",
        ),
    ] {
        let steps: String = steps.lines().map(|line| format!("  {line}\n")).collect();
        check("action.yml", &format!("runs:\n  steps:\n{steps}"), want);
    }
    // What is put in is counted.
    let long = format!("o/{}@v1.2.3", "a".repeat(1000));
    let mut text = format!("env: {{ A: &a {long} }}\nsteps:\n");
    text.push_str(&"- uses: *a\n".repeat(1000));
    let reading = Kind::of("", "action.yml").unwrap().read(text.as_bytes());
    assert_eq!((reading.packages.len(), reading.status.name()), (64, "partial"));
    assert_eq!(reading.problems[0].line, 67);
}

#[test]
fn pnpm_workspace_yaml() {
    let head = "packages:\n  - 'a/*'\noverrides:\n";
    let by = "forced by pnpm's overrides";
    for (rows, want) in [
        ("  a: 1.0.0\n", format!("parsed\na 1.0.0 4 runtime ? {by}")),
        ("  '@s/a': \"^1.0.0\"\n  \"b@2\": 2.1.0\n", format!("parsed\nb 2.1.0 5 runtime ? {by}\n? @s/a [^1.0.0] 4 runtime {by}")),
        ("  a: 'npm:c@3.0.0'\n  b: '-'\n", format!("parsed\nc 3.0.0 4 runtime ? {by}")),
        (
            "  x>a: 1.0.0\n",
            "parsed\n- a [1.0.0] 4 runtime: an override for what one package asks for: whether anybody gets it, a lockfile would say".to_owned(),
        ),
        ("  a: $a\n", "parsed\n- a [$a] 4 runtime: an override by the version of another entry, which is not followed".to_owned()),
        (
            "  a: 'catalog:'\n",
            "parsed\n- a [catalog:default] 4 runtime: an override by a catalog of the workspace, which is not followed".to_owned(),
        ),
        ("  a: 1.0.0", format!("parsed\na 1.0.0 4 runtime ? {by}")),
        ("  a: ^1.0", format!("partial\n? a [^1.0] 4 runtime {by}\n! 4 the last line has no line break and may be half of one: it may have been cut off; end it with a line break if it is whole")),
        ("  a: [\n", "failed\n! 4 not YAML: while parsing a node, did not find expected node content".to_owned()),
    ] {
        check("pnpm-workspace.yaml", &format!("{head}{rows}"), &want);
    }
    check("pnpm-workspace.yaml", "packages: [a]\ncatalog: { a: 1.0.0 }\n", "parsed");
    let alias = "catalogs:\n  one: &c\n    a: &v 1.0.0\n  two: *c\noverrides:\n  b: 1.0.0\n";
    check("pnpm-workspace.yaml", alias, &format!("parsed\nb 1.0.0 6 runtime ? {by}"));
    let forced = format!("{alias}  c: *v\n");
    check(
        "pnpm-workspace.yaml",
        &forced,
        &format!("partial\nb 1.0.0 6 runtime ? {by}\n! 7 a YAML alias among the overrides, which is not followed"),
    );
    let lock = "lockfileVersion: '9.0'\n\nimporters:\n  .: {}\n";
    let yaml = "overrides:\n  a: 1.0.0\n";
    for (lock, want) in [(vec![("pnpm-lock.yaml", lock)], 0), (vec![("b/pnpm-lock.yaml", lock)], 1)] {
        let files = [vec![("pnpm-workspace.yaml", yaml)], lock].concat();
        let inputs = tree(&files);
        let own = inputs.iter().find(|input| input.path == "pnpm-workspace.yaml").unwrap();
        assert_eq!((own.packages.len(), own.status.name()), (want, "parsed"));
    }
    // A whole lockfile has what could not be read here; half of one does not.
    let half = "lockfileVersion: '9.0'\n\nimporters:\n  .: {}\n\npackages:\n  a@1.0.0:\n    resolution: {integrity: sha512-aa==}\n  ? [x]\n";
    for (lock, want) in [(lock, "parsed 0"), (half, "partial 1")] {
        let inputs = tree(&[("pnpm-workspace.yaml", &*forced), ("pnpm-lock.yaml", lock)]);
        let own = inputs.iter().find(|input| input.path == "pnpm-workspace.yaml").unwrap();
        assert_eq!(format!("{} {}", own.status.name(), own.problems.len()), want, "{:?}", inputs[0].problems);
    }
}

#[test]
fn a_dotnet_project_updates_and_removes() {
    let may_go = "a `Remove` that is computed or under a condition may take it away";
    for (rows, want) in [
        (r#"<PackageReference Update="a" Version="[2.0.0]" />"#, "parsed\nA 2.0.0 3 runtime".to_owned()),
        (
            r#"<PackageReference Update="A"><Version>3.0.0</Version></PackageReference>"#,
            "parsed\n? A [3.0.0] 3 runtime".to_owned(),
        ),
        (r#"<PackageReference Update="A" PrivateAssets="all" />"#, "parsed\nA 1.0.0 2 dev".to_owned()),
        (
            r#"<PackageReference Update="A" PrivateAssets="all" Condition="'$(X)'==''" />"#,
            "parsed\nA 1.0.0 2 runtime".to_owned(),
        ),
        (
            r#"<PackageReference Update="A" Version="[2.0.0]" Condition="'$(X)'==''" />"#,
            "parsed\nA 1.0.0 2 runtime\nA 2.0.0 3 runtime".to_owned(),
        ),
        (
            r#"<PackageReference Update="Other" Version="[2.0.0]" />"#,
            "parsed\nA 1.0.0 2 runtime\nOther 2.0.0 3 runtime".to_owned(),
        ),
        (
            r#"<PackageVersion Update="A" Version="[2.0.0]" />"#,
            "parsed\nA 1.0.0 2 runtime\nA 2.0.0 3 runtime".to_owned(),
        ),
        (r#"<PackageReference Remove="a" />"#, "parsed".to_owned()),
        (
            r#"<PackageReference Remove="B;A" /><PackageReference Include="A" Version="[4.0.0]" />"#,
            "parsed\nA 4.0.0 3 runtime".to_owned(),
        ),
        (
            r#"<PackageReference Remove="A" Condition="'$(X)'==''" />"#,
            format!("parsed\n- A [[1.0.0]] 2 runtime: {may_go}"),
        ),
        (r#"<PackageReference Remove="@(PackageReference)" />"#, format!("parsed\n- A [[1.0.0]] 2 runtime: {may_go}")),
        (r#"<PackageReference Remove="B" />"#, "parsed\nA 1.0.0 2 runtime".to_owned()),
    ] {
        let text = format!(
            "<Project><ItemGroup>\n<PackageReference Include=\"A\" Version=\"[1.0.0]\" />\n{rows}\n</ItemGroup></Project>\n"
        );
        check("app.csproj", &text, &want);
    }
}
