//! Ranges of .NET, whose least version is what is installed.

use super::*;

fn project(version: &str) -> String {
    format!("<Project><ItemGroup>\n<PackageReference Include=\"N.J\" Version=\"{version}\" />\n</ItemGroup></Project>")
}

#[test]
fn the_least_version_is_raised_below_the_same_ceiling() {
    for (version, want) in [("12.0.1", "13.0.1"), ("[12.0.1,)", "[13.0.1,)"), ("[12.0.1, 14.0)", "[13.0.1, 14.0)")] {
        let want = format!(
            "a.csproj: N.J {version} -> 13.0.1: N-1\n  + <PackageReference Include=\"N.J\" Version=\"{want}\" />"
        );
        check(&[("a.csproj", &project(version))], &want);
    }
    // A list of names has one version.
    check(
        &[("a.csproj", &project("12.0.1").replace("N.J", "N.J;Other"))],
        "
a.csproj: N.J 12.0.1 -> 13.0.1: N-1
  along Other
  unknown Other 13.0.1
  + <PackageReference Include=\"N.J;Other\" Version=\"13.0.1\" />",
    );
    // What floats is the newest anyway; and of some the least version is not named.
    for version in ["13.*", "*", "(12.0,13.0.2]", "(,14)"] {
        check(&[("a.csproj", &project(version))], "");
    }
    // What is installed is safe, and stays.
    for version in ["6.0.0", "[6.0.0,9.0)"] {
        check(&[("a.csproj", &project(version).replace("N.J", "L.P"))], "");
    }
    check(
        &[("a.csproj", &project("[8.0.1,9.0)").replace("N.J", "L.P"))],
        "
a.csproj: L.P [8.0.1,9.0) -> 8.0.4: N-3
  + <PackageReference Include=\"L.P\" Version=\"[8.0.4,9.0)\" />",
    );
    // Nothing that is allowed is safe: no range to raise, but a finding.
    check(
        &[("a.csproj", &project("[12.0.1,13.0.0]"))],
        "
a.csproj: N.J [12.0.1,13.0.0] -> 13.0.1: N-1
  drops <=13.0.0
  + <PackageReference Include=\"N.J\" Version=\"[13.0.1,)\" />",
    );
}

#[test]
fn the_least_safe_version_is_enough() {
    let still = "not raised a.csproj:2: M.D 6.0.1: raised to 6.0.10, which is what is installed then; what it allows above that is affected in part";
    check(
        &[("a.csproj", &project("6.0.1").replace("N.J", "M.D").replace("Version=", "VersionOverride="))],
        &format!(
            "a.csproj: M.D 6.0.1 -> 6.0.10: N-4\n  + <PackageReference Include=\"M.D\" VersionOverride=\"6.0.10\" />\n{still}"
        ),
    );
    check(
        &[("a.csproj", &project("[6.0.1,7.0)").replace("N.J", "M.D"))],
        "a.csproj: M.D [6.0.1,7.0) -> 6.0.10: N-4\n  + <PackageReference Include=\"M.D\" Version=\"[6.0.10,7.0)\" />",
    );
    let bare = "<Project><ItemGroup>\n<PackageReference Include=\"M.D\" /></ItemGroup></Project>";
    let central = "<Project><ItemGroup>\n<PackageVersion Include=\"M.D\" Version=\"7.0.0\" />\n</ItemGroup></Project>";
    // A major between is safe from the beginning.
    check(&[("src/a.csproj", bare), ("Directory.Packages.props", central)], "");
    check(
        &[("src/a.csproj", bare), ("Directory.Packages.props", &central.replace("7.0.0", "6.0.1"))],
        &format!(
            "Directory.Packages.props: M.D 6.0.1 -> 6.0.10: N-4\n  + <PackageVersion Include=\"M.D\" Version=\"6.0.10\" />\n{}",
            still.replace("a.csproj", "Directory.Packages.props")
        ),
    );
}

#[test]
fn an_entry_of_poetry_is_found_beside_others_of_its_name() {
    for (asked, new) in [
        ("\"2.8 || 2.9\"", "\"2.11.3\""),
        ("\"~2.8|~2.9\"", "\"~2.11.3\""),
        (
            "[{version = \"2.9\", python = \"<3\"}, {version = \"2.8\"}]",
            "[{version = \"2.11.3\", python = \"<3\"}, {version = \"2.11.3\"}]",
        ),
    ] {
        let range = match asked {
            "\"2.8 || 2.9\"" => "==2.8 || ==2.9",
            "\"~2.8|~2.9\"" => "~2.8 || ~2.9",
            _ => "==2.9 || ==2.8",
        };
        let text =
            format!("[tool.poetry.dependencies]\njinja2 = {asked}\n[build-system]\nrequires = [\"jinja2==2.10\"]\n");
        check(
            &[("pyproject.toml", &text)],
            &format!(
                "pyproject.toml: jinja2 2.10 & {range} -> 2.11.3: J-1\n  + jinja2 = {new}\n  + requires = [\"jinja2==2.11.3\"]"
            ),
        );
    }
}

#[test]
fn a_version_is_raised_where_it_is_kept() {
    let bare = "<Project><ItemGroup><PackageReference Include=\"N.J\" /></ItemGroup></Project>";
    let central = "<Project><ItemGroup>\n<PackageVersion Include=\"n.j\" Version=\"12.0.1\" />\n</ItemGroup></Project>";
    check(
        &[("src/a.csproj", bare), ("Directory.Packages.props", central)],
        "
Directory.Packages.props: n.j 12.0.1 -> 13.0.1: N-1
  + <PackageVersion Include=\"n.j\" Version=\"13.0.1\" />",
    );
    let shared = "<Project><PropertyGroup>\n<V>12.0.1</V>\n</PropertyGroup></Project>";
    check(
        &[("src/a.csproj", &project("$(V)")), ("Directory.Build.props", shared)],
        "
Directory.Build.props: N.J 12.0.1 -> 13.0.1: N-1
  + <V>13.0.1</V>",
    );
    // Written in pieces.
    check(
        &[(
            "a.csproj",
            "<Project><PropertyGroup><M>12</M></PropertyGroup><ItemGroup>\n\
             <PackageReference Include=\"N.J\" Version=\"$(M).0.1\" />\n</ItemGroup></Project>",
        )],
        "not raised a.csproj:2: N.J 12.0.1: the version of N.J is put together ($(M).0.1); move it to 13.0.1 by hand",
    );
}
