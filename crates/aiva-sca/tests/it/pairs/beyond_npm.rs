//! Manifests and lockfiles of all ecosystems but npm that disagree.

use super::{partial, rows, told};

#[test]
fn cargo() {
    let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"\n";
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"itoa\"]\n\n\
         [[package]]\nname = \"itoa\"\nversion = \"1.0.5\"\n{registry}\n[[package]]\nname = \"dep\"\nversion = \"0.1.0\"\n"
    );
    let of = |rest: &str| format!("[package]\nname = \"app\"\nversion = \"0.1.0\"\n{rest}");
    let differs = |asked: &str| format!("itoa:9 Cargo.toml asks for {asked:?}, Cargo.lock has 1.0.5");
    for (rest, want) in [
        ("[dependencies]\nitoa = \"1\"\n", vec![]),
        ("[dependencies]\nitoa = \"1.0.9\"\n", vec![differs("1.0.9")]),
        ("[dependencies]\nitoa = { version = \"=1.0.4\", optional = true }\n", vec![differs("=1.0.4")]),
        ("[target.'cfg(windows)'.dependencies]\nitoa = \"0.4\"\n", vec![differs("0.4")]),
        ("[dependencies]\nitoa = { version = \"2\", path = \"../itoa\" }\n", vec![]),
        ("[dependencies]\nitoa = { version = \"2\", git = \"https://example.com/itoa\" }\n", vec![]),
        ("[dependencies]\nitoa = \"2\"\n[patch.crates-io]\nitoa = { path = \"../itoa\" }\n", vec![]),
        ("[dependencies]\nitoa = { workspace = true }\n[workspace.dependencies]\nitoa = \"1.0.2\"\n", vec![]),
        ("[dependencies]\nitoa.workspace = true\n[workspace.dependencies]\nitoa = \"1.1\"\n", vec![differs("1.1")]),
        (
            "[dependencies]\nnever = \"1\"\n",
            vec![r#"never:1 Cargo.toml asks for "1", Cargo.lock does not have it"#.to_owned()],
        ),
    ] {
        let want: Vec<&str> = want.iter().map(String::as_str).collect();
        rows(("Cargo.lock", &lock), "Cargo.toml", &[(&of(rest), &want)]);
    }
    // What a crate that is no member needs for development is not locked.
    let dep = "[package]\nname = \"dep\"\nversion = \"0.1.0\"\n[dev-dependencies]\nfnv = \"1\"\n";
    let top = of("[dependencies]\ndep = { path = \"dep\" }\n");
    assert!(told(&[("Cargo.lock", &lock), ("Cargo.toml", &top), ("dep/Cargo.toml", dep)]).is_empty());
    let workspace = format!("{top}[workspace]\n");
    let want = [r#"fnv:1 dep/Cargo.toml asks for "1", Cargo.lock does not have it"#];
    assert_eq!(told(&[("Cargo.lock", &lock), ("Cargo.toml", &workspace), ("dep/Cargo.toml", dep)]), want);
    let excluded = format!("{top}[workspace]\nexclude = [\"dep\"]\n");
    assert!(told(&[("Cargo.lock", &lock), ("Cargo.toml", &excluded), ("dep/Cargo.toml", dep)]).is_empty());
}

#[test]
fn python() {
    let uv = "version = 1\nrequires-python = \">=3.10\"\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\ndependencies = [\n    { name = \"six\" },\n]\n\n\
              [package.metadata]\nrequires-dist = [\n    { name = \"six\", specifier = \">=1.15,<2\" },\n    { name = \"tomli\", marker = \"python_full_version < '3.9'\" },\n]\n\n\
              [[package]]\nname = \"six\"\nversion = \"1.16.0+local\"\nsource = { registry = \"https://pypi.org/simple\" }\nsdist = { url = \"https://files.pythonhosted.org/six.tar.gz\" }\n";
    let poetry = "[[package]]\nname = \"six\"\nversion = \"1.16.0\"\noptional = false\ngroups = [\"main\"]\n\n[metadata]\nlock-version = \"2.1\"\npython-versions = \"*\"\ncontent-hash = \"0\"\n";
    let pdm = "[metadata]\ngroups = [\"default\"]\nlock_version = \"4.5.0\"\n\n[[package]]\nname = \"six\"\nversion = \"1.16.0\"\ngroups = [\"default\"]\n";
    let pylock = "lock-version = \"1.0\"\ncreated-by = \"uv\"\n\n[[packages]]\nname = \"six\"\nversion = \"1.16.0\"\n";
    for (lock, text, line, version, holds_all) in [
        ("uv.lock", uv, 19, "1.16.0+local", true),
        ("poetry.lock", poetry, 2, "1.16.0", true),
        ("pdm.lock", pdm, 6, "1.16.0", true),
        ("pylock.toml", pylock, 5, "1.16.0", false),
    ] {
        let of = |asks: &str, more: &str| {
            format!("[project]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [{asks}]\n{more}")
        };
        let has = |asked: &str| format!("six:{line} pyproject.toml asks for {asked:?}, {lock} has {version}");
        let missing = format!(r#"absent:1 pyproject.toml asks for ">=1", {lock} does not have it"#);
        let missing: &[&str] = if holds_all { &[&missing] } else { &[] };
        rows(
            (lock, text),
            "pyproject.toml",
            &[
                (&of("\"six < 2, >= 1.15\"", ""), &[]),
                (&of("\"six>=1.17\"", ""), &[&has(">=1.17")]),
                (&of("\"six==1.15\"", ""), &[&has("==1.15")]),
                (&of("\"six>=9; python_version < '3.9'\"", ""), &[]),
                (&of("\"six<1; python_version < '3.9'\", \"six>=1; python_version >= '3.9'\"", ""), &[]),
                (&of("\"six @ https://example.com/six.whl\"", ""), &[]),
                (&of("\"absent>=1\"", ""), missing),
                (&of("\"absent>=1; sys_platform == 'win32'\"", ""), &[]),
                (&of("\"six==1.15\"", "[tool.uv]\noverride-dependencies = [\"six==1.16\"]\n"), &[]),
                (&of("\"six==1.15\"", "[tool.uv.sources]\nsix = { git = \"https://example.com/six\" }\n"), &[]),
                (&of("\"six==1.15\"", "[tool.pdm.resolution.overrides]\nsix = \"1.16\"\n"), &[]),
                (&of("", "[project.optional-dependencies]\nx = [\"absent>=1\"]\n"), &[]),
            ],
        );
    }
    // uv says what it was written for.
    rows(
        ("uv.lock", uv),
        "pyproject.toml",
        &[(
            "[project]\nname = \"App\"\ndependencies = [\"six>=1.16\"]\n",
            &[r#"six:19 pyproject.toml asks for ">=1.16", uv.lock was written for ">=1.15,<2""#],
        )],
    );
    let of = |entry: &str| {
        format!("[tool.poetry]\nname = \"app\"\n[tool.poetry.dependencies]\npython = \"^3.9\"\n{entry}\n")
    };
    rows(
        ("poetry.lock", poetry),
        "pyproject.toml",
        &[
            (&of("six = \"^1.15\""), &[]),
            (&of("six = \"~1.15\""), &[r#"six:2 pyproject.toml asks for "~1.15", poetry.lock has 1.16.0"#]),
            (&of("six = { version = \"^2\", source = \"own\" }"), &[]),
            (&of("six = { version = \"^2\", git = \"https://example.com/six\" }"), &[]),
            (&of("six = { version = \"^2\", python = \"<3.9\" }"), &[]),
            (&of("tomli = { version = \"^2\", markers = \"python_version < '3.9'\" }"), &[]),
            (&of("six = [{ version = \"^2\", python = \"<3.9\" }, { version = \"^1\", python = \">=3.9\" }]"), &[]),
        ],
    );
    // Whether pdm locked a group is a choice, and here it was told to lock another one.
    let group = "[project]\nname = \"app\"\n[dependency-groups]\ndev = [\"six<1\", \"absent\"]\n";
    rows(("pdm.lock", pdm), "pyproject.toml", &[(group, &[])]);
    let dev = pdm.replace("\"default\"", "\"dev\"");
    rows(("pdm.lock", &dev), "pyproject.toml", &[("[project]\nname = \"app\"\ndependencies = [\"six<1\"]\n", &[])]);
    rows(("pdm.lock", &dev), "pyproject.toml", &[("[project]\nname = \"app\"\ndependencies = [\"absent>=1\"]\n", &[])]);
    let pipenv = "{\n\"_meta\": {\"hash\": {\"sha256\": \"0\"}, \"pipfile-spec\": 6, \"requires\": {}, \"sources\": []},\n\"default\": {\n\"six\": {\"version\": \"==1.16.0\", \"index\": \"pypi\"}},\n\"develop\": {}\n}\n";
    rows(
        ("Pipfile.lock", pipenv),
        "Pipfile",
        &[
            ("[packages]\nsix = \"~=1.15\"\n", &[]),
            ("[packages]\nsix = \"==1.15.0\"\n", &[r#"six:4 Pipfile asks for "==1.15.0", Pipfile.lock has 1.16.0"#]),
            ("[packages]\nsix = \"*\"\nwin = {version = \"*\", sys_platform = \"== 'win32'\"}\n", &[]),
            ("[packages]\nabsent = \"*\"\n", &["absent:1 Pipfile asks for any version, Pipfile.lock does not have it"]),
        ],
    );
    // What the markers rule out has no version, and ends nothing.
    let tomli = "\"tomli\": {\"markers\": \"python_version < '3.0'\", \"version\": \"*\"},\n\"six\"";
    rows(
        ("Pipfile.lock", &pipenv.replace("\"six\"", tomli)),
        "Pipfile",
        &[
            ("[packages]\nsix = \"*\"\ntomli = {version = \"*\", markers = \"python_version<'3.0'\"}\n", &[]),
            ("[packages]\nsix = \"*\"\ntomli = \"==2\"\n", &[]), // nobody knows
            ("[packages]\nsix = \"<1\"\n", &[r#"six:5 Pipfile asks for "<1", Pipfile.lock has 1.16.0"#]),
            ("[packages]\nabsent = \"*\"\n", &["absent:1 Pipfile asks for any version, Pipfile.lock does not have it"]),
        ],
    );
}

#[test]
fn bundler() {
    let lock = "GEM\n  remote: https://rubygems.org/\n  specs:\n    rack (2.2.8)\n    rake (13.0.6)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  rack (~> 2.2, >= 2.2.4)\n  tzinfo-data\n\nBUNDLED WITH\n   2.4.10\n";
    let of = |gem: &str| format!("source \"https://rubygems.org\"\n{gem}\n");
    for (gem, want) in [
        (r#"gem "rack", ">= 2.2.4", "~> 2.2""#, vec![]),
        (r#"gem "rack", "~> 2.2.9""#, vec![r#"rack:4 Gemfile asks for "~> 2.2.9", Gemfile.lock has 2.2.8"#]),
        (
            r#"gem "rack", "~> 2.0""#,
            vec![r#"rack:4 Gemfile asks for "~> 2.0", Gemfile.lock was written for "~> 2.2, >= 2.2.4""#],
        ),
        (
            r#"gem "rake""#,
            vec!["rake:5 Gemfile asks for any version, Gemfile.lock was written when it did not ask for it"],
        ),
        (r#"gem "absent""#, vec!["absent:1 Gemfile asks for any version, Gemfile.lock does not have it"]),
        (r#"gem "tzinfo-data", platforms: %i[mingw]"#, vec![]),
        (r#"gem "rack", "~> 3", git: "https://example.com/rack""#, vec![]),
        (r#"gem "rack", "~> 3", path: "../rack""#, vec![]),
    ] {
        rows(("Gemfile.lock", lock), "Gemfile", &[(&of(gem), &want)]);
    }
    // Of a program that is not understood to the end nothing is missing for sure.
    for gem in ["if ENV[\"X\"]\n  gem \"absent\"\nend", "gem \"rake\", \"~> 9\" if ENV[\"X\"]"] {
        assert!(partial(&[("Gemfile.lock", lock), ("Gemfile", &of(gem))]).is_empty(), "{gem}");
    }
}

#[test]
fn composer() {
    let lock = "{\n\"content-hash\": \"0\",\n\"packages\": [\n{\"name\": \"Acme/one\",\n\"version\": \"v1.3.0\", \"replace\": {\"acme/part\": \"self.version\"}, \"provide\": {\"acme/face\": \"1.0\"}},\n\
        {\"name\": \"acme/branch\", \"version\": \"dev-main\"},\n{\"name\": \"acme/early\", \"version\": \"2.0.0-beta1\"}\n],\n\"packages-dev\": []\n}\n";
    let of = |asks: &str| format!(r#"{{"name":"app/app","replace":{{"app/old":"*"}},"require":{{{asks}}}}}"#);
    for (asks, want) in [
        (r#""php":">=8","ext-json":"*","acme/one":"^1.0""#, vec![]),
        (
            r#""acme/one":"^1.4 || ~2.0""#,
            vec![r#"Acme/one:4 composer.json asks for "^1.4 || ~2.0", composer.lock has 1.3.0"#],
        ),
        (
            r#""acme/absent":"^1.4""#,
            vec![r#"acme/absent:1 composer.json asks for "^1.4", composer.lock does not have it"#],
        ),
        (r#""acme/part":"^9","acme/face":"^9","app/old":"^9""#, vec![]),
        (r#""acme/branch":"^1.0@dev""#, vec![]),
        (r#""acme/one":"dev-main as 1.0.0""#, vec![]),
        (r#""acme/early":"^2.0""#, vec![]), // minimum-stability may allow it
    ] {
        rows(("composer.lock", lock), "composer.json", &[(&of(asks), &want)]);
    }
}

#[test]
fn pub_and_hex() {
    let lock = "packages:\n  http:\n    dependency: \"direct main\"\n    description:\n      name: http\n      url: \"https://pub.dev\"\n    source: hosted\n    version: \"1.1.0\"\n  \
        meta:\n    dependency: \"direct overridden\"\n    description:\n      name: meta\n      url: \"https://pub.dev\"\n    source: hosted\n    version: \"1.0.0\"\n  \
        flutter:\n    dependency: \"direct main\"\n    description: flutter\n    source: sdk\n    version: \"0.0.0\"\nsdks:\n  dart: \">=3.0.0 <4.0.0\"\n";
    let of = |asks: &str| format!("name: app\ndependencies:\n{asks}");
    for (asks, want) in [
        ("  http: ^1.0.0\n  flutter:\n    sdk: flutter\n", vec![]),
        ("  http: ^0.13.0\n", vec![r#"http:2 pubspec.yaml asks for "^0.13.0", pubspec.lock has 1.1.0"#]),
        (
            "  http: any\n  absent: ^1.0.0\n",
            vec![r#"absent:1 pubspec.yaml asks for "^1.0.0", pubspec.lock does not have it"#],
        ),
        ("  meta: ^2.0.0\n", vec![]), // pubspec_overrides.yaml has the last word
        ("  http: ^0.13.0\ndependency_overrides:\n  http: ^1.0.0\n", vec![]),
        ("  http:\n    git: https://example.com/http\n", vec![]),
        ("  shared: ^1.0.0\nworkspace:\n  - shared\n", vec![]),
    ] {
        rows(("pubspec.lock", lock), "pubspec.yaml", &[(&of(asks), &want)]);
    }
    let lock = "%{\n  \"jason\": {:hex, :jason, \"1.4.0\", \"00\", [:mix], [], \"hexpm\", \"00\"},\n  \"mine\": {:hex, :other, \"2.0.0\", \"00\", [:mix], [], \"hexpm\", \"00\"},\n}\n";
    let of = |asks: &str| {
        format!(
            "defmodule App.MixProject do\n  use Mix.Project\n\n  defp deps do\n    [\n      {asks}\n    ]\n  end\nend\n"
        )
    };
    for (asks, want) in [
        ("{:jason, \"~> 1.2\"}", vec![]),
        (
            "{:jason, \"~> 1.2 and < 1.4.0\", only: :dev}",
            vec![r#"jason:2 mix.exs asks for "~> 1.2 and < 1.4.0", mix.lock has 1.4.0"#],
        ),
        ("{:absent, \"~> 1.2\"}", vec![r#"absent:1 mix.exs asks for "~> 1.2", mix.lock does not have it"#]),
        ("{:absent, \"~> 1.2\", targets: [:rpi]}", vec![]),
        ("{:absent, in_umbrella: true}", vec![]),
        ("{:mine, \"~> 2.0\", hex: :other}", vec![]),
        ("{:jason, \"~> 9.0\", git: \"https://example.com/jason\"}", vec![]),
    ] {
        rows(("mix.lock", lock), "mix.exs", &[(&of(asks), &want)]);
    }
}

#[test]
fn nuget() {
    let lock = "{\n\"version\": 1,\n\"dependencies\": {\n\"net8.0\": {\n\"Newtonsoft.Json\": {\"type\": \"Direct\", \"requested\": \"[13.0.1, )\", \"resolved\": \"13.0.1\"},\n\
        \"Floats\": {\"type\": \"Direct\", \"requested\": \"[1.*, )\", \"resolved\": \"1.4.0\"},\n\"Deep\": {\"type\": \"Transitive\", \"resolved\": \"2.0.0\"}\n}\n}\n}\n";
    let of = |items: &str| format!("<Project Sdk=\"Microsoft.NET.Sdk\">\n<ItemGroup>{items}</ItemGroup>\n</Project>\n");
    for (items, want) in [
        (r#"<PackageReference Include="newtonsoft.json" Version="13.0.1" />"#, vec![]),
        (r#"<PackageReference Include="Floats" Version="1.*" />"#, vec![]),
        (
            r#"<PackageReference Include="Newtonsoft.Json" Version="13.0.3" />"#,
            vec![r#"Newtonsoft.Json:5 app.csproj asks for "13.0.3", packages.lock.json has 13.0.1"#],
        ),
        (
            r#"<PackageReference Include="Newtonsoft.Json" Version="12.0.1" />"#,
            vec![r#"Newtonsoft.Json:5 app.csproj asks for "12.0.1", packages.lock.json was written for "[13.0.1, )""#],
        ),
        (
            r#"<PackageReference Include="Absent" Version="1.0.0" />"#,
            vec![r#"absent:1 app.csproj asks for "1.0.0", packages.lock.json does not have it"#],
        ),
        (
            r#"<PackageReference Include="Absent" />"#,
            vec!["absent:1 app.csproj asks for any version, packages.lock.json does not have it"],
        ),
        (r#"<PackageReference Include="Absent" Version="1.0.0" Condition="'$(X)' == 'y'" />"#, vec![]),
        (r#"<PackageReference Update="Absent" Version="1.0.0" />"#, vec![]),
        (r#"<PackageDownload Include="Absent" Version="[1.0.0]" />"#, vec![]),
        (r#"</ItemGroup><ItemGroup Condition="false"><PackageReference Include="Absent" Version="1.0.0" />"#, vec![]),
    ] {
        rows(("packages.lock.json", lock), "app.csproj", &[(&of(items), &want)]);
    }
    // Versions that are kept for all projects; the nearest file counts.
    let central = |items: &str| {
        format!(
            "<Project>\n<PropertyGroup><ManagePackageVersionsCentrally>true</ManagePackageVersionsCentrally><J>13.0.3</J></PropertyGroup>\n\
             <ItemGroup>{items}</ItemGroup>\n</Project>\n"
        )
    };
    let bare = r#"<PackageReference Include="Newtonsoft.Json" />"#;
    let has = r#"Newtonsoft.Json:5 Directory.Packages.props asks for "13.0.3", packages.lock.json has 13.0.1"#;
    for (items, kept, want) in [
        (bare, r#"<PackageVersion Include="newtonsoft.json" Version="13.0.3" />"#, vec![has]),
        (bare, r#"<PackageVersion Include="Newtonsoft.Json" Version="$(J)" />"#, vec![has]),
        (bare, r#"<PackageVersion Include="Newtonsoft.Json"><Version>13.0.3</Version></PackageVersion>"#, vec![has]),
        (bare, r#"<PackageVersion Include="Newtonsoft.Json" Version="13.0.1" />"#, vec![]),
        (
            bare,
            r#"<PackageVersion Include="Newtonsoft.Json" Version="12.0.1" />"#,
            vec![
                r#"Newtonsoft.Json:5 Directory.Packages.props asks for "12.0.1", packages.lock.json was written for "[13.0.1, )""#,
            ],
        ),
        (
            r#"<PackageReference Include="Newtonsoft.Json" VersionOverride="13.0.2" />"#,
            r#"<PackageVersion Include="Newtonsoft.Json" Version="13.0.1" />"#,
            vec![r#"Newtonsoft.Json:5 a/app.csproj asks for "13.0.2", packages.lock.json has 13.0.1"#],
        ),
        // Not sure.
        (bare, r#"<PackageVersion Include="Newtonsoft.Json" Version="13.0.3" Condition="'$(X)' == ''" />"#, vec![]),
        (bare, r#"<PackageVersion Include="Newtonsoft.Json" Version="$(Unset)" />"#, vec![]),
        (
            bare,
            r#"<PackageVersion Include="Newtonsoft.Json" Version="13.0.3" /><PackageVersion Update="Newtonsoft.Json" Version="13.0.1" />"#,
            vec![],
        ),
        (
            r#"<PackageReference Include="Newtonsoft.Json" Condition="'$(X)' == ''" />"#,
            r#"<PackageVersion Include="Newtonsoft.Json" Version="13.0.3" />"#,
            vec![],
        ),
    ] {
        let tree = [
            ("Directory.Packages.props", central(kept)),
            ("a/app.csproj", of(items)),
            ("a/packages.lock.json", lock.to_owned()),
        ];
        let tree: Vec<(&str, &str)> = tree.iter().map(|(path, text)| (*path, &**text)).collect();
        assert_eq!(partial(&tree), want, "{items} {kept}");
        let nearer = central(r#"<PackageVersion Include="Newtonsoft.Json" Version="13.0.0" />"#);
        let is_bare = items == bare;
        if is_bare {
            let near = [&tree[..], &[("a/Directory.Packages.props", &nearer)]].concat();
            let before = r#"Newtonsoft.Json:5 a/Directory.Packages.props asks for "13.0.0", packages.lock.json was written for "[13.0.1, )""#;
            assert_eq!(partial(&near), [before], "{kept}");
        }
    }
}

#[test]
fn go() {
    let sum = "example.com/a v1.0.0 h1:AA=\nexample.com/a v1.0.0/go.mod h1:AA=\nexample.com/b v1.0.0/go.mod h1:AA=\n";
    let of = |rest: &str| format!("module example.com/x\n\ngo 1.21\n\n{rest}");
    let missing =
        |name: &str, asked: &str| vec![format!("{name}:5 go.mod asks for {asked:?}, go.sum does not have it")];
    for (rest, want) in [
        ("require example.com/a v1.0.0\n", vec![]),
        ("require example.com/b v1.0.0\n", vec![]),
        ("require example.com/c v1.0.0\n", missing("example.com/c", "v1.0.0")),
        ("require example.com/a v1.1.0\n", missing("example.com/a", "v1.1.0")),
        ("require example.com/c v1.0.0 // indirect\n", vec![]),
        ("require example.com/c v0.0.0-00010101000000-000000000000\n", vec![]),
        ("require example.com/c v1.0.0\n\nreplace example.com/c => ./c\n", vec![]),
    ] {
        assert_eq!(told(&[("go.mod", &of(rest)), ("go.sum", sum)]), want, "{rest}");
        assert!(told(&[("go.mod", &of(rest))]).is_empty(), "no go.sum at all");
        let work = [("go.work", "go 1.21\n\nuse .\n"), ("go.mod", &of(rest)), ("go.sum", sum)];
        assert!(told(&work).is_empty(), "a workspace");
    }
    let vendor = "# example.com/a v1.0.0\n## explicit; go 1.18\nexample.com/a/x\n# example.com/r v1.0.0 => example.com/fork v1.2.0\n## explicit\n";
    for (rest, want) in [
        ("require example.com/a v1.0.0\n", vec![]),
        (
            "require example.com/a v1.0.1\n",
            vec![r#"example.com/a:1 go.mod asks for "v1.0.1", vendor/modules.txt has v1.0.0"#],
        ),
        (
            "require example.com/c v1.0.0\n",
            vec![r#"example.com/c:1 go.mod asks for "v1.0.0", vendor/modules.txt does not have it"#],
        ),
        ("require example.com/r v1.0.0\n\nreplace example.com/r => example.com/fork v1.2.0\n", vec![]),
    ] {
        assert_eq!(told(&[("go.mod", &of(rest)), ("vendor/modules.txt", vendor)]), want, "{rest}");
    }
    // Before Go 1.14 nothing was marked.
    let old = vendor.replace("## explicit; go 1.18\n", "").replace("## explicit\n", "");
    assert!(told(&[("go.mod", &of("require example.com/c v1.0.0\n")), ("vendor/modules.txt", &old)]).is_empty());
}
