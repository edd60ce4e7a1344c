//! Shapes that lockfiles of well-known projects have, each as a short file of its own: one row for each thing that was once
//! read wrongly, with its packages, lines, sources and edges.

mod bills;
mod javascript;
mod own;

use std::fmt::Write as _;
use std::fs;

use aiva_sca::inventory::{Kind, single_input};
use aiva_sca::package::{Input, Source, Status};

use crate::inventory::take;

/// `name version line direct scope source`, `? name requirement line`, `! line message`, `from -> to`.
fn lines(input: &Input) -> String {
    let mut out = format!("{}\n", input.status.name());
    for p in &input.packages {
        let direct = p.direct.map_or("?", |direct| if direct { "direct" } else { "transitive" });
        let source = match &p.source {
            Source::Registry => String::new(),
            other => format!(" {other:?}"),
        };
        writeln!(out, "{} {} {} {direct} {}{source}", p.name, p.version, p.line, p.scope.name()).unwrap();
    }
    for n in &input.not_judged {
        writeln!(out, "? {} [{}] {}", n.name, n.requirement, n.line).unwrap();
    }
    for p in &input.problems {
        writeln!(out, "! {} {}", p.line, p.message).unwrap();
    }
    for (from, to) in &input.edges {
        let name = |at: &u32| format!("{} {}", input.packages[*at as usize].name, input.packages[*at as usize].version);
        writeln!(out, "{} -> {}", name(from), name(to)).unwrap();
    }
    out
}

#[track_caller]
fn check(kind: Kind, text: &str, want: &str) {
    let got = lines(&single_input("file", kind, kind.read(text.as_bytes())));
    assert_eq!(got.trim(), want.trim(), "\n--- input\n{text}\n--- got\n{got}");
}

/// The status of a lockfile beside its manifest, and what is said of it.
#[track_caller]
fn beside(manifest: (&str, &str), lock: (&str, &str), want: &str) {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(manifest.0), manifest.1).unwrap();
    fs::write(root.path().join(lock.0), lock.1).unwrap();
    let inventory = take(root.path());
    let input = inventory.inputs.iter().find(|input| input.path == lock.0).unwrap();
    assert_eq!(lines(input).trim(), want.trim(), "{}", lock.1);
}

#[test]
fn a_runtime_of_nuget_lists_only_what_differs_from_its_framework() {
    check(
        Kind::NuGetLock,
        r#"{"version": 1, "dependencies": {
"net8.0": {
"Base": {"type": "Direct", "requested": "[1.0.0, )", "resolved": "1.0.0", "contentHash": ""},
"Central": {"type": "CentralTransitive", "requested": "[3.0.0, )", "resolved": "3.0.0"},
"lib": {"type": "Project", "dependencies": {"Central": "[3.0.0, )"}}},
"net8.0/win-x64": {
"runtime.Native": {"type": "Transitive", "resolved": "2.0.0", "dependencies": {
"base": "1.0.0", "lib": "1.0.0"}}},
"net9.0": {},
"net9.0/win-x64": {
"Base": {"type": "Direct", "resolved": "1.1.0", "dependencies": {
"Central": "3.0.0"}}}}}"#,
        r#"partial
Base 1.0.0 3 direct runtime
Central 3.0.0 4 direct runtime
runtime.Native 2.0.0 7 transitive runtime
Base 1.1.0 11 direct runtime
! 12 "Central" is needed, but not in the file
runtime.Native 2.0.0 -> Base 1.0.0"#,
    );
}

#[test]
fn a_published_program_names_the_runtime_that_it_brings_and_who_needs_whom() {
    check(
        Kind::DepsJson,
        r#"{"runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/linux-x64"}, "targets": {".NETCoreApp,Version=v8.0": {},
".NETCoreApp,Version=v8.0/linux-x64": {
"App/1.0.0": {"dependencies": {"A": "2.0.0", "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64": "8.0.1"}, "runtime": {"App.dll": {}}},
"A/2.0.0": {"dependencies": {"B": "3.0.0", "Trimmed": "1.0.0"}},
"B/3.0.0": {}}}, "libraries": {
"App/1.0.0": {"type": "project", "serviceable": false, "sha512": ""},
"runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"type": "runtimepack"},
"A/2.0.0": {"type": "package", "path": "a/2.0.0"},
"B/3.0.0": {"type": "package"},
"Loose/1.2.0.0": {"type": "reference"}}}"#,
        r#"parsed
App 1.0.0 6 direct runtime Path("project")
Microsoft.NETCore.App.Runtime.linux-x64 8.0.1 7 direct runtime
A 2.0.0 8 direct runtime
B 3.0.0 9 transitive runtime
Loose 1.2.0.0 10 transitive runtime Path("reference")
App 1.0.0 -> Microsoft.NETCore.App.Runtime.linux-x64 8.0.1
App 1.0.0 -> A 2.0.0
A 2.0.0 -> B 3.0.0"#,
    );
}

#[test]
fn a_dotnet_project_may_name_several_packages_at_once() {
    check(
        Kind::DotnetProject,
        r#"<Project Sdk="Microsoft.NET.Sdk">
<PropertyGroup><PackageVersion>9.9.9</PackageVersion></PropertyGroup>
<ItemGroup>
<PackageReference Include="A; B" Version="[1.0.0]" />
<PackageReference Include="C;D">
<Version>2.0.0</Version><PrivateAssets>all</PrivateAssets></PackageReference>
<PackageReference Remove="E" />
<PackageDownload Include="F" Version="[1.0.0];[2.0.0]" />
<DotNetCliToolReference Include="G" Version="3.0.0" />
</ItemGroup></Project>"#,
        "parsed
A 1.0.0 4 direct runtime
B 1.0.0 4 direct runtime
F 1.0.0 8 direct runtime
F 2.0.0 8 direct runtime
? C [2.0.0] 5
? D [2.0.0] 5
? G [3.0.0] 9",
    );
}

#[test]
fn cabal_may_pin_two_versions_of_a_package_or_none() {
    check(
        Kind::CabalFreeze,
        "active-repositories: hackage.haskell.org:merge
constraints: any.text ==1.2.3.2 || ==1.2.4.1,
             text -developer +simdutf,
             any.base installed,
             foo:setup.Cabal ==3.2.1.0,
             any.ranged ==1.2.*
index-state: hackage.haskell.org 2024-05-17T23:41:49Z
",
        "partial
text 1.2.3.2 2 ? runtime
text 1.2.4.1 2 ? runtime
Cabal 3.2.1.0 5 ? runtime
! 6 not a pin: \"any.ranged ==1.2.*\"",
    );
    check(Kind::CabalFreeze, "index-state: hackage.haskell.org 2024-05-17T23:41:49Z\n", "parsed");
    check(
        Kind::CabalFreeze,
        "active-repositories: hackage.haskell.org:merge\n",
        "failed\n! 1 no constraints: not a cabal.project.freeze, or it was cut off",
    );
}

#[test]
fn stack_names_what_comes_from_an_archive_or_a_repository() {
    check(
        Kind::StackLock,
        "packages:
- completed:
    hackage: acme-0.3@sha256:00,613
    pantry-tree:
      sha256: '00'
      size: 1
  original:
    hackage: acme-0.3
- completed:
    name: hs-sdk
    pantry-tree:
      sha256: '00'
      size: 2037
    sha256: '00'
    subdir: sdk
    url: https://github.com/acme/hs/archive/adc464.tar.gz
    version: 0.1.0.1
  original:
    url: https://github.com/acme/hs/archive/adc464.tar.gz
- original:
    git: https://u:p@git.example.com/own.git
    commit: 0123abc
  completed:
    git: https://u:p@git.example.com/own.git
    name: own
    version: '2.0'
    commit: 0123abc
- completed:
    git: https://git.example.com/old.git
snapshots:
- completed:
    sha256: '00'
    size: 721141
    url: https://example.com/lts/22/44.yaml
  original: lts-22.44
",
        r#"parsed
acme 0.3 3 ? runtime
hs-sdk 0.1.0.1 10 ? runtime Url("https://github.com/acme/hs/archive/adc464.tar.gz")
own 2.0 25 ? runtime Git("https://git.example.com/own.git#0123abc")
? https://git.example.com/old.git [] 28
? https://example.com/lts/22/44.yaml [] 34"#,
    );
}

#[test]
fn renv_tells_hosts_repositories_and_needs() {
    check(
        Kind::RenvLock,
        r#"{"R": {"Version": "4.4.1", "Repositories": [
{"Name": "CRAN", "URL": "https://cloud.r-project.org"}, {"Name": "PUB", "URL": "https://packagemanager.posit.co/cran/latest"},
{"Name": "acme", "URL": "https://u:p@r.example.com/acme"}]},
"Bioconductor": {"Version": "3.18"}, "Packages": {
"DBI": {"Package": "DBI", "Version": "1.2.3", "Source": "Repository", "Repository": "CRAN", "Requirements": [
"R", "methods", "gone"]},
"MASS": {"Version": "7.3-60.2", "Source": "Repository", "Repository": "PUB", "Imports": ["DBI (>= 1.0)", "stats"],
"Depends": "R (>= 4.4.0)", "Suggests": ["nowhere"]},
"corp": {"Version": "0.1.0", "Source": "Repository", "Repository": "acme", "LinkingTo": ["Matrix"]},
"Matrix": {"Version": "1.7-0", "Source": "Repository", "Repository": "https://acme.r-universe.dev", "RemoteUrl": "https://github.com/acme/Matrix"},
"emo": {"Version": "0.0.0.9000", "Source": "GitHub", "RemoteType": "github", "RemoteHost": "api.github.com", "RemoteRepo": "emo",
"RemoteUsername": "hadley", "RemoteRef": "master", "RemoteSha": "3f03b1"},
"lab": {"Version": "1.0", "Source": "GitLab", "RemoteHost": "git.example.com", "RemoteRepo": "lab", "RemoteUsername": "acme"},
"limma": {"Version": "3.58.1", "Source": "Bioconductor", "Repository": "Bioconductor 3.18"},
"mine": {"Version": "0.1", "Source": "Local", "RemoteUrl": "./mine"}}}"#,
        r#"partial
DBI 1.2.3 5 ? runtime
MASS 7.3-60.2 7 ? runtime
corp 0.1.0 9 ? runtime PrivateRegistry("https://r.example.com/acme")
Matrix 1.7-0 10 ? runtime PrivateRegistry("https://acme.r-universe.dev")
emo 0.0.0.9000 11 ? runtime Git("https://github.com/hadley/emo#3f03b1")
lab 1.0 13 ? runtime Git("https://git.example.com/acme/lab")
limma 3.58.1 14 ? runtime PrivateRegistry("Bioconductor")
mine 0.1 15 ? runtime Path("./mine")
! 6 "gone" is needed, but not in the file
MASS 7.3-60.2 -> DBI 1.2.3
corp 0.1.0 -> Matrix 1.7-0"#,
    );
}

#[test]
fn conan_1_keeps_a_graph_whose_nodes_may_share_a_recipe() {
    check(
        Kind::ConanLock,
        r#"{"graph_lock": {"nodes": {
"0": {"options": "", "requires": ["1"], "build_requires": ["3"], "path": "conanfile.txt", "context": "host"},
"1": {"ref": "libcurl/8.4.0", "requires": ["2"], "context": "host"},
"2": {"ref": "zlib/1.2.13", "context": "host"},
"3": {"ref": "cmake/3.27.0", "requires": ["4", "9"], "context": "build"},
"4": {"ref": "zlib/1.2.13", "context": "build"}}, "revisions_enabled": false}, "version": "0.4"}"#,
        r#"partial
libcurl 8.4.0 3 direct runtime
zlib 1.2.13 4 transitive runtime
cmake 3.27.0 5 direct build
! 5 the node "9" is needed, but not in the file
libcurl 8.4.0 -> zlib 1.2.13
cmake 3.27.0 -> zlib 1.2.13"#,
    );
    // The first formats: nodes by random ids, and a reference with the package's revision behind it.
    check(
        Kind::ConanLock,
        r#"{"profile": "", "graph_lock": {"nodes": {
"8e12-a": {"pref": "OpenSSL/1.1.1c@conan/stable#0:b781af#0", "requires": {"zlib/1.2.11#0": "8e12-b"}},
"8e12-b": {"pref": "zlib/1.2.11#0:d50a0d#0"},
"8e12-c": {"pref": null, "requires": {"OpenSSL/1.1.1c@conan/stable#0": "8e12-a"}}}}, "version": "0.1"}"#,
        r#"parsed
OpenSSL 1.1.1c 2 direct runtime PrivateRegistry("conan/stable")
zlib 1.2.11 3 transitive runtime
OpenSSL 1.1.1c -> zlib 1.2.11"#,
    );
}

#[test]
fn older_gradles_write_a_file_for_each_configuration() {
    let text = "# This is a Gradle generated file for dependency locking.\ncom.a:b:1.0\norg.c:d:2.0-jre\n";
    check(Kind::GradleLock, text, "parsed\ncom.a:b 1.0 2 ? runtime\norg.c:d 2.0-jre 3 ? runtime");
    check(
        Kind::GradleLock,
        text.trim_end(),
        "partial\ncom.a:b 1.0 2 ? runtime\norg.c:d 2.0-jre 3 ? runtime\n! 3 the file does not end with a line break: it may \
         have been cut off",
    );
    let failed = "failed\n! 1 no `empty=` at the end: not a gradle.lockfile, or it was cut off";
    check(Kind::GradleLock, "# only a comment\n", failed);
    for (folder, name) in [
        ("app", "gradle.lockfile"),
        ("", "buildscript-gradle.lockfile"),
        ("", "settings-gradle.lockfile"),
        ("gradle/dependency-locks", "compileClasspath.lockfile"),
        ("app/gradle/dependency-locks", "buildscript-classpath.lockfile"),
    ] {
        assert_eq!(Kind::of(folder, name), Some(Kind::GradleLock), "{folder}/{name}");
    }
    assert_eq!(Kind::of("app", "compileClasspath.lockfile"), None);
    assert_eq!(Kind::of("gradle", "deps.versions.toml"), Some(Kind::VersionCatalog));
    check(Kind::VersionCatalog, "[versions]\na = \"1\"\n", "parsed");
}

#[test]
fn pods_say_which_index_and_commit_they_come_from() {
    check(
        Kind::PodfileLock,
        "PODS:
  - \"Artsy+UIColors (3.1.0)\":
    - Own
  - Inner (1.0.0)
  - Moya/Core (8.0.1):
    - Inner (< 2, >= 1)
  - Moya/RxSwift (8.0.1):
    - Moya/Core
  - Own (0.1.0-beta.2)

DEPENDENCIES:
  - \"Artsy+UIColors\"
  - Moya/RxSwift (from `https://git.example.com/moya.git`, branch `main`)

SPEC REPOS:
  \"https://u:p@git.example.com/specs.git\":
    - Inner
  https://mirrors.example.com/git/CocoaPods/Specs.git:
    - \"Artsy+UIColors\"
  trunk:
    - Own

EXTERNAL SOURCES:
  Moya:
    :branch: main
    :git: https://git.example.com/moya.git

CHECKOUT OPTIONS:
  Moya:
    :commit: 9121386
    :git: https://git.example.com/moya.git

COCOAPODS: 1.15.2
",
        r#"parsed
Artsy+UIColors 3.1.0 2 direct runtime
Inner 1.0.0 4 transitive runtime PrivateRegistry("https://git.example.com/specs.git")
Moya 8.0.1 5 direct runtime Git("https://git.example.com/moya.git#9121386")
Own 0.1.0-beta.2 9 transitive runtime
Artsy+UIColors 3.1.0 -> Own 0.1.0-beta.2
Moya 8.0.1 -> Inner 1.0.0"#,
    );
}

#[test]
fn bundler_lists_gems_of_plugins_and_of_other_platforms() {
    check(
        Kind::GemfileLock,
        "PLUGIN SOURCE
  remote: https://svn.example.com/gem
  type: svn
  specs:
    odd (1.0)
      rack

GEM
  remote: https://rubygems.org/
  specs:
    nokogiri (1.16.7)
      racc (~> 1.4)
    nokogiri (1.16.7-x86_64-linux)
      racc (~> 1.4)
    racc (1.8.1)
    rack (3.1.7)

PLATFORMS
  ruby
  x86_64-linux

DEPENDENCIES
  nokogiri (>= 1.8.1, != 1.11.0)
  odd!
  tzinfo-data
  wdm (>= 0.1.0)

BUNDLED WITH
   2.5.16
",
        r#"parsed
odd 1.0 5 direct runtime Url("https://svn.example.com/gem")
nokogiri 1.16.7 11 direct runtime
racc 1.8.1 15 transitive runtime
rack 3.1.7 16 transitive runtime
odd 1.0 -> rack 3.1.7
nokogiri 1.16.7 -> racc 1.8.1"#,
    );
}

#[test]
fn what_the_project_itself_stands_for_is_not_missing() {
    let lock = r#"{"packages": [
{"name": "acme/a", "version": "v1.0.0", "notification-url": "https://packagist.org/downloads/", "require": {
"symfony/polyfill-php72": "*", "acme/app": "*"}},
{"name": "drupal/token", "version": "1.13.0", "notification-url": "https://packages.drupal.org/8/downloads", "require": {
"acme/a": "*"}}], "packages-dev": null}"#;
    let packages = "acme/a 1.0.0 2 direct runtime\ndrupal/token 1.13.0 4 transitive runtime";
    let edge = "drupal/token 1.13.0 -> acme/a 1.0.0";
    beside(
        (
            "composer.json",
            r#"{"name": "Acme/App", "require": {"acme/a": "^1"}, "replace": {"Symfony/polyfill-php72": "*"}}"#,
        ),
        ("composer.lock", lock),
        &format!("parsed\n{packages}\n{edge}"),
    );
    beside(
        ("composer.json", r#"{"name": "acme/other", "require": {"acme/a": "^1"}, "provide": {"acme/app": "*"}}"#),
        ("composer.lock", lock),
        &format!("partial\n{packages}\n! 3 \"symfony/polyfill-php72\" is needed, but not in the file\n{edge}"),
    );
    let lock = "%{\n  \"board\": {:hex, :board, \"0.8.0\", \"\", [:mix], [{:phoenix, \"~> 1.7\", [hex: :phoenix, repo: \"hexpm\"]}], \
                \"hexpm\", \"\"},\n}\n";
    let manifest = |options: &str| {
        format!(
            "defmodule App.MixProject do\n  defp deps do\n    [{{:board, \"~> 0.8\"}}, {{:phoenix, {options}}}]\n  end\nend\n"
        )
    };
    let with = |options: &str, want: &str| beside(("mix.exs", &manifest(options)), ("mix.lock", lock), want);
    with("path: \"../..\", override: true", "parsed\nboard 0.8.0 2 direct runtime");
    with("\"~> 1.7\"", "partial\nboard 0.8.0 2 direct runtime\n! 2 \"phoenix\" is needed, but not in the file");
}

#[test]
fn poetry_asks_in_tables_of_their_own_too() {
    let entry = |name: &str, more: &str| {
        format!("[[package]]\nname = \"{name}\"\nversion = \"1.0\"\ngroups = [\"main\"]\n{more}\n")
    };
    let alpha = "\n[package.dependencies.beta]\nversion = \"*\"\nmarkers = \"os_name == 'nt'\"\n\n\
                 [[package.dependencies.gamma]]\nversion = \"<2\"\n\n[[package.dependencies.gamma]]\nversion = \">=1\"\n\n\
                 [package.dependencies.absent]\nversion = \"*\"\noptional = true\n";
    let end = "[metadata]\nlock-version = \"2.0\"\n";
    let lock = entry("alpha", alpha) + &entry("beta", "") + &entry("gamma", "") + end;
    let want = "parsed\nalpha 1.0 2 ? runtime\nbeta 1.0 21 ? runtime\ngamma 1.0 26 ? runtime\n\
                alpha 1.0 -> beta 1.0\nalpha 1.0 -> gamma 1.0";
    check(Kind::PoetryLock, &lock, want);
}

#[test]
fn poetry_and_pdm_lead_to_each_version_that_a_marker_may_choose() {
    check(
        Kind::PoetryLock,
        r#"[[package]]
name = "frame"
version = "2.0"
groups = ["main"]

[package.dependencies]
numpy = [
    {version = ">=1.24", markers = "python_version < \"3.11\""},
    {version = ">=1.26", markers = "python_version >= \"3.11\""},
]

[[package]]
name = "numpy"
version = "1.24.4"
groups = ["main"]

[[package]]
name = "numpy"
version = "1.26.4"
groups = ["main"]

[package.source]
type = "legacy"
url = "https://pypi.example.com/simple"
reference = "corp"

[[package]]
name = "own"
version = "0.1"
groups = ["dev"]
develop = true

[package.source]
type = "directory"
url = "own"

[[package]]
name = "wheel-of-own"
version = "0.2"
groups = ["main"]

[package.source]
type = "file"
url = "dist/own.whl"

[[package]]
name = "far"
version = "0.3"
groups = ["main"]

[package.source]
type = "url"
url = "https://u:p@example.com/far.whl"

[metadata]
lock-version = "2.1"
"#,
        r#"parsed
frame 2.0 2 ? runtime
numpy 1.24.4 13 ? runtime
numpy 1.26.4 18 ? runtime PrivateRegistry("https://pypi.example.com/simple")
own 0.1 28 ? dev Path("own")
wheel-of-own 0.2 38 ? runtime Path("dist/own.whl")
far 0.3 47 ? runtime Url("https://example.com/far.whl")
frame 2.0 -> numpy 1.24.4
frame 2.0 -> numpy 1.26.4"#,
    );
}

#[test]
fn bun_may_take_a_release_by_its_address_and_deno_what_is_optional() {
    check(
        Kind::BunLock,
        r#"{"lockfileVersion": 1, "workspaces": {"": {"dependencies": {"a": "https://registry.npmjs.org/@s/a/-/a-1.2.0.tgz"}}}, "packages": {
"a": ["@s/a@https://registry.npmjs.org/@s/a/-/a-1.2.0.tgz", {}, "sha512-"],
"b": ["b@https://registry.npmjs.org/b/archive.tgz", {}, ""],
}}"#,
        r#"parsed
@s/a 1.2.0 2 direct runtime
b 0.0.0 3 transitive runtime Url("https://registry.npmjs.org/b/archive.tgz")"#,
    );
    check(
        Kind::DenoLock,
        r#"{"version": "5", "specifiers": {"npm:esbuild@0.19": "0.19.12"}, "npm": {
"@esbuild/linux-x64@0.19.12": {"os": ["linux"]},
"esbuild@0.19.12": {"optionalDependencies": ["@esbuild/linux-x64", "@esbuild/gone"], "bin": true}},
"workspace": {"dependencies": ["npm:esbuild@0.19"]}}"#,
        "parsed
@esbuild/linux-x64 0.19.12 2 transitive runtime
esbuild 0.19.12 3 direct runtime
esbuild 0.19.12 -> @esbuild/linux-x64 0.19.12",
    );
}

#[test]
fn mirrors_of_all_of_a_registry_are_that_registry() {
    let reading = Kind::PubspecLock.read(
        b"packages:\n  a:\n    dependency: transitive\n    description:\n      name: a\n      url: \"https://pub.flutter-io.cn\"\n    \
          source: hosted\n    version: \"1.0.0+2\"\nsdks:\n  dart: \">=2\"\n",
    );
    assert_eq!((reading.status, &reading.packages[0].source), (Status::Parsed, &Source::Registry));
}

/// Shapes of well-known projects: a compiler of Kotlin without a group, and versions that gradle read the description of and did not take.
#[test]
fn gradle_verifies_more_than_it_builds_with() {
    check(
        Kind::VerificationMetadata,
        r#"<?xml version="1.0" encoding="UTF-8"?>
<verification-metadata xmlns="https://schema.gradle.org/dependency-verification">
<configuration><verify-metadata>true</verify-metadata><trusted-artifacts><trust file=".*[.]pom" regex="true"/></trusted-artifacts></configuration>
<components>
<component group="" name="kotlin-native-prebuilt" version="1.9.23"><artifact name="kotlin-native-prebuilt-1.9.23.tar.gz"><sha512 value="00"/></artifact></component>
<component group="androidx.activity" name="activity" version="1.6.0"><artifact name="activity-1.6.0.module"><sha256 value="00"/></artifact></component>
<component group="androidx.activity" name="activity" version="1.8.1"><artifact name="activity-1.8.1.aar"><sha256 value="00"/></artifact>
<artifact name="activity-1.8.1.module"><sha256 value="00"/></artifact></component>
<component group="com.fasterxml" name="oss-parent" version="38"><artifact name="oss-parent-38.pom"><sha256 value="00"/></artifact></component>
<component group="org.example" name="bare" version="1"/>
<component group="org.example" name="late" version="2"><artifact name="late-2.pom"><sha256 value="00"/></artifact><artifact name="late-2.jar"><sha256 value="00"/></artifact></component>
</components></verification-metadata>
"#,
        "parsed
androidx.activity:activity 1.8.1 7 ? runtime
org.example:bare 1 10 ? runtime
org.example:late 2 11 ? runtime
? kotlin-native-prebuilt [1.9.23] 5",
    );
}

/// Before cabal 2.0 names stood alone, and a package of the project itself had nothing but its flags.
#[test]
fn cabal_froze_names_alone_once() {
    check(
        Kind::CabalFreeze,
        "constraints: Cabal ==1.24.2.0 || ==2.0.1.0,
             Cabal -bundled-binary-generic,
             aig -enable-hpc,
             lens ==4.16,
             lens +trustworthy -j +inlining,
             zlib-bindings ==0.1.1.5
",
        "parsed
Cabal 1.24.2.0 1 ? runtime
Cabal 2.0.1.0 1 ? runtime
lens 4.16 4 ? runtime
zlib-bindings 0.1.1.5 6 ? runtime",
    );
}

/// Pods by parts, in parts of parts, from a repository by its short address, and of folders.
#[test]
fn pods_come_in_parts_and_from_places() {
    check(
        Kind::PodfileLock,
        "PODS:
  - AFNetworking (3.1.0):
    - AFNetworking/NSURLSession (= 3.1.0)
  - AFNetworking/NSURLSession (3.1.0)
  - hermes-engine (0.74.0-rc.1):
    - hermes-engine/Pre-built (= 0.74.0-rc.1)
  - hermes-engine/Pre-built (0.74.0-rc.1)
  - NSDate-Extensions (0.0.1)
  - YapDatabase (2.9.1):
    - YapDatabase/Standard/Core (= 2.9.1)
  - YapDatabase/Standard/Core (2.9.1)

DEPENDENCIES:
  - AFNetworking (from `https://github.com/acme/AFNetworking.git`, branch `release/3.1.1`)
  - hermes-engine (from `../hermes-engine.podspec`)
  - NSDate-Extensions (from `git@github.com:acme/NSDate-Extensions.git`)
  - YapDatabase

EXTERNAL SOURCES:
  AFNetworking:
    :branch: release/3.1.1
    :git: https://github.com/acme/AFNetworking.git
  hermes-engine:
    :podspec: \"../hermes-engine.podspec\"
    :tag: ''
  NSDate-Extensions:
    :git: git@github.com:acme/NSDate-Extensions.git

CHECKOUT OPTIONS:
  AFNetworking:
    :commit: b3599dc9793478ae6faff6bc20f398d9fb199067
    :git: https://github.com/acme/AFNetworking.git

SPEC CHECKSUMS:
  AFNetworking: 5e0e199f73d8626b11e79750991f5d173d1f8b67

PODFILE CHECKSUM: 93dc2382997a30806d6c3e39950b2b0d73944af9

COCOAPODS: 1.0.1
",
        r#"parsed
AFNetworking 3.1.0 2 direct runtime Git("https://github.com/acme/AFNetworking.git#b3599dc9793478ae6faff6bc20f398d9fb199067")
hermes-engine 0.74.0-rc.1 5 direct runtime Path("../hermes-engine.podspec")
NSDate-Extensions 0.0.1 8 direct runtime Git("git@github.com:acme/NSDate-Extensions.git")
YapDatabase 2.9.1 9 direct runtime"#,
    );
}
