//! Ranges of .NET, whose least version is what is installed.

use super::*;

fn project(version: &str) -> String {
    format!("<Project><ItemGroup>\n<PackageReference Include=\"N.J\" Version=\"{version}\" />\n</ItemGroup></Project>")
}

#[test]
fn the_least_version_is_raised_below_the_same_ceiling() {
    for (version, want) in [
        ("12.0.1", "13.0.1"),
        ("[12.0.1,)", "[13.0.1,)"),
        ("[12.0.1, 14.0)", "[13.0.1,14.0)"),
        ("(12.0,13.0.2]", "[13.0.1,13.0.2]"),
        ("(,14)", "[13.0.1,14)"),
    ] {
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
  + <PackageReference Include=\"N.J;Other\" Version=\"13.0.1\" />",
    );
    // What floats is the newest anyway.
    for version in ["13.*", "*"] {
        check(&[("a.csproj", &project(version))], "");
    }
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
