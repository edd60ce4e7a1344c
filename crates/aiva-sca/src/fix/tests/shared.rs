//! Plans for packages that have their version from one place.

use super::*;

#[test]
fn packages_of_one_property_move_together() {
    let dependency = |name: &str| {
        format!("<dependency><groupId>g</groupId><artifactId>{name}</artifactId><version>${{v}}</version></dependency>")
    };
    let all = ["a", "b", "c"].map(dependency).join("\n");
    let pom =
        format!("<project><properties>\n<v>2.14.0</v>\n</properties><dependencies>\n{all}\n</dependencies></project>");
    check(
        &[("pom.xml", &pom)],
        "
pom.xml: g:a 2.14.0 -> 2.17.1: A-1
  along g:b
  along g:c
  unknown g:b 2.17.1
  unknown g:c 2.17.1
pom.xml: g:b 2.14.0 -> 2.17.1:
  along g:a
  along g:c
  unknown g:c 2.17.1
  + <v>2.17.1</v>
may stay pom.xml: g:b 2.14.0: B-1: v moves to 2.17.1 for another package, where 2.15.0 would do; whether g:b has 2.17.1, nothing here says",
    );
    let project = "<Project><PropertyGroup>\n<V>[2.0.5]</V>\n</PropertyGroup><ItemGroup>\n\
                   <PackageReference Include=\"L.N\" Version=\"$(V)\" />\n<PackageReference Include=\"N.J\" Version=\"$(V)\" />\n\
                   </ItemGroup></Project>";
    check(
        &[("a.csproj", project)],
        "
a.csproj: L.N 2.0.5 -> 13.0.1:
  along N.J
a.csproj: N.J 2.0.5 -> 13.0.1: N-1
  along L.N
  unknown L.N 13.0.1
  + <V>[13.0.1]</V>
may stay a.csproj: L.N 2.0.5: N-2: V moves to 13.0.1 for another package, where 2.0.10 would do; whether L.N has 13.0.1, nothing here says",
    );
}

#[test]
fn what_moves_along_is_known_to_have_the_version_where_a_file_here_has_it() {
    let dependency = |name: &str, version: &str| {
        format!(
            "<dependency><groupId>g</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        )
    };
    let (a, b) = (dependency("a", "${v}"), dependency("c", "${v}"));
    let pom = format!(
        "<project><properties>\n<v>2.14.0</v>\n</properties><dependencies>\n{a}\n{b}\n</dependencies></project>"
    );
    for (version, unknown) in [("2.17.1", ""), ("2.17.0", "\n  unknown g:c 2.17.1")] {
        let other = format!("<project><dependencies>\n{}\n</dependencies></project>", dependency("c", version));
        check(
            &[("pom.xml", &pom), ("other/pom.xml", &other)],
            &format!("pom.xml: g:a 2.14.0 -> 2.17.1: A-1\n  along g:c{unknown}\n  + <v>2.17.1</v>"),
        );
    }
}

#[test]
fn what_stands_in_one_element_moves_to_the_highest_that_is_needed() {
    check(
        &[("a.csproj", "<Project><ItemGroup>\n<PackageReference Include=\"L.N;N.J\" Version=\"[2.0.5]\" />\n</ItemGroup></Project>")],
        "
a.csproj: L.N 2.0.5 -> 13.0.1:
  along N.J
a.csproj: N.J 2.0.5 -> 13.0.1: N-1
  along L.N
  unknown L.N 13.0.1
  + <PackageReference Include=\"L.N;N.J\" Version=\"[13.0.1]\" />
may stay a.csproj: L.N 2.0.5: N-2: its element moves to 13.0.1 for another package, where 2.0.10 would do; whether L.N has 13.0.1, nothing here says",
    );
}

#[test]
fn what_an_update_says_again_does_not_move_with_its_element() {
    let project = |second: &str| {
        format!(
            "<Project><ItemGroup>\n<PackageReference Include=\"L.N;N.J\" Version=\"[2.0.5]\" />\n{second}\n</ItemGroup></Project>"
        )
    };
    check(
        &[("a.csproj", &project("<PackageReference Update=\"L.N\" Version=\"[2.0.6]\" />"))],
        "
a.csproj: L.N 2.0.6 -> 2.0.10: N-2
a.csproj: N.J 2.0.5 -> 13.0.1: N-1
  + <PackageReference Include=\"L.N;N.J\" Version=\"[13.0.1]\" />
  + <PackageReference Update=\"L.N\" Version=\"[2.0.10]\" />",
    );
    check(
        &[("a.csproj", &project("<PackageReference Update=\"N.J\"><Version>[2.0.6]</Version></PackageReference>"))],
        "
a.csproj: L.N 2.0.5 -> 2.0.10: N-2
a.csproj: N.J 2.0.6 -> 13.0.1: N-1
  + <PackageReference Include=\"L.N;N.J\" Version=\"[2.0.10]\" />
  + <PackageReference Update=\"N.J\"><Version>[13.0.1]</Version></PackageReference>",
    );
    // Also where it says the same.
    check(
        &[("a.csproj", &project("<PackageReference Update=\"L.N\" Version=\"[2.0.5]\" />"))],
        "
a.csproj: L.N 2.0.5 -> 2.0.10: N-2
a.csproj: N.J 2.0.5 -> 13.0.1: N-1
  + <PackageReference Include=\"L.N;N.J\" Version=\"[13.0.1]\" />
  + <PackageReference Update=\"L.N\" Version=\"[2.0.10]\" />",
    );
    // Under a condition it may be the list's.
    check(
        &[(
            "a.csproj",
            &project("<PackageReference Update=\"L.N\" Version=\"[2.0.6]\" Condition=\"'$(X)' &gt; '1'\" />"),
        )],
        "
a.csproj: L.N 2.0.5 & 2.0.6 -> 2.0.10 & 13.0.1:
  eases N-2
  along N.J
a.csproj: N.J 2.0.5 -> 13.0.1: N-1
  along L.N
  unknown L.N 13.0.1
  + <PackageReference Include=\"L.N;N.J\" Version=\"[13.0.1]\" />
  + <PackageReference Update=\"L.N\" Version=\"[2.0.10]\" Condition=\"'$(X)' &gt; '1'\" />
may stay a.csproj: L.N 2.0.5: N-2: its element moves to 13.0.1 for another package, where 2.0.10 would do; whether L.N has 13.0.1, nothing here says",
    );
    // Each entry has a version of its own.
    check(
        &[("a.csproj", &project("<PackageReference Include=\"L.N\" Version=\"[2.0.6]\" />"))],
        "
a.csproj: L.N 2.0.5 & 2.0.6 -> 2.0.10 & 13.0.1:
  eases N-2
  along N.J
a.csproj: N.J 2.0.5 -> 13.0.1: N-1
  along L.N
  unknown L.N 13.0.1
  + <PackageReference Include=\"L.N;N.J\" Version=\"[13.0.1]\" />
  + <PackageReference Include=\"L.N\" Version=\"[2.0.10]\" />
may stay a.csproj: L.N 2.0.5: N-2: its element moves to 13.0.1 for another package, where 2.0.10 would do; whether L.N has 13.0.1, nothing here says",
    );
}

#[test]
fn a_variable_goes_where_its_own_entry_has_to_and_not_where_another_has_to() {
    check(
        &[(
            "build.gradle",
            "ext.v = '1.0'\ndependencies {\n  api \"g:two:$v\"\n  api \"g:plain:$v\"\n  api 'g:two:2.0.0'\n}\n",
        )],
        "
build.gradle: g:plain 1.0 -> 2.0: G-4
  along g:two
build.gradle: g:two 1.0 & 2.0.0 -> 2.0 & 2.6.1:
  eases W-1
  along g:plain
  + ext.v = '2.0'
  + api 'g:two:2.6.1'
stays build.gradle: g:two 1.0: W-1: it is still affected after the edit",
    );
}
