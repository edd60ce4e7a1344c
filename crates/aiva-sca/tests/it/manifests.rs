//! What is read of manifests that pin little or are programs: one table a format, and what happens beside their lockfiles.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod gradle;
mod npm;
mod python;
mod workflows;

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
- acme-core [https://gems.acme.example] 28 runtime: it comes from https://gems.acme.example, which is not known as a mirror (`sca.mirrors` in aiva.toml), so a public name may be another package there",
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
        "parsed\n- a [https://gems.acme.example] 2 runtime: it comes from https://gems.acme.example, which is not known as a mirror (`sca.mirrors` in aiva.toml), so a public name may be another package there",
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
- ours [^1.0.0] 18 runtime: it comes from https://pub.acme.example, which is not known as a mirror (`sca.mirrors` in aiva.toml), so a public name may be another package there
? ranged [>=1.0.0 <2.0.0] 21 runtime
? test [^1.21.0] 25 dev",
    );
    check("pubspec.yaml", "name: a\n", "parsed");
    // A bare name asks for any version, and only without its line break something may be missing.
    check("pubspec.yaml", "name: a\ndependencies:\n  http:\n", "parsed\n? http [] 3 runtime");
    check(
        "pubspec.yaml",
        "name: a\ndependencies:\n  http:",
        "partial\n? http [] 3 runtime\n! 3 the file ends with the name of a package: what is asked of it may have been cut off",
    );
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
    let a = "[{:a, \"1.0.0\"}]";
    for (clauses, want) in [
        (format!("def deps(_) do\n{a}\nend"), "parsed\na 1.0.0 4 runtime"),
        (format!("defp deps(_env), do: {a}"), "parsed\na 1.0.0 3 runtime"),
        (format!("defp deps(env) when env in [:dev, :prod] do {a} end"), "parsed\na 1.0.0 3 runtime"),
        (
            format!("defp deps(env \\\\ :dev)\ndefp deps(:dev), do: {a}\ndefp deps(_) do\n[{{:b, \"2.0.0\"}}]\nend"),
            "parsed\na 1.0.0 4 runtime\nb 2.0.0 6 runtime",
        ),
        (
            format!("defp deps(:prod), do: {a}\ndefp deps(:test), do: deps(:prod) ++ more()"),
            "partial\na 1.0.0 3 runtime\n! 4 what this clause of `deps` lists is computed",
        ),
        (
            "defp deps(_), do: more()".to_owned(),
            "failed\n! 3 its dependencies are computed: there is no literal list of them in `deps`",
        ),
        (
            format!("defp deps_of(_), do: {a}\n"),
            "failed\n! 2 its dependencies are computed: there is no literal list of them in `deps`",
        ),
    ] {
        check(
            "mix.exs",
            &format!("defmodule A do\ndef project, do: [plt_add_deps: [], deps: deps(Mix.env())]\n{clauses}\nend\n"),
            want,
        );
    }
    check("mix.exs", "nothing\n", "failed\n! 1 no module: not a mix.exs");
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
