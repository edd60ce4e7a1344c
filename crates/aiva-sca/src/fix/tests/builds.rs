//! Poms, projects of .NET, builds of gradle, and workflows.

use super::*;

#[test]
fn a_version_moves_in_the_pom_that_has_it() {
    let own =
        |version: &str| format!("<dependency><groupId>g</groupId><artifactId>a</artifactId>{version}</dependency>");
    let parent = "<parent><groupId>us</groupId><artifactId>top</artifactId><version>1</version></parent>";
    let child = format!(
        "<project>{parent}<artifactId>child</artifactId><dependencies>\n{}\n</dependencies></project>",
        own("")
    );
    let managed = |version: &str, more: &str| {
        format!(
            "<project><groupId>us</groupId><artifactId>top</artifactId><version>1</version>{more}<dependencyManagement>\n\
                 <dependencies>\n{}\n</dependencies></dependencyManagement></project>",
            own(version)
        )
    };
    check(
        &[("pom.xml", &managed("<version>2.14.0</version>", "")), ("child/pom.xml", &child)],
        "
pom.xml: g:a 2.14.0 -> 2.17.1: A-1
  + <dependency><groupId>g</groupId><artifactId>a</artifactId><version>2.17.1</version></dependency>",
    );
    let with_property = child.replace(&own(""), &own("<version>${a.v}</version>"));
    check(
        &[
            (
                "pom.xml",
                "<project><groupId>us</groupId><artifactId>top</artifactId><version>1</version>\n<properties><a.v>2.14.0</a.v></properties>\n</project>",
            ),
            ("child/pom.xml", &with_property),
        ],
        "
pom.xml: g:a 2.14.0 -> 2.17.1: A-1
  + <properties><a.v>2.17.1</a.v></properties>",
    );
    check(
        &[(
            "pom.xml",
            &format!("<project><dependencies>\n{}\n</dependencies></project>", own("<version>[2.0,2.15)</version>")),
        )],
        "
pom.xml: g:a [2.0,2.15) -> 2.17.1: A-1
  drops <2.15
  + <dependency><groupId>g</groupId><artifactId>a</artifactId><version>[2.17.1,)</version></dependency>",
    );
}

#[test]
fn a_version_moves_in_the_project_or_the_file_that_keeps_it() {
    let reference = |version: &str| {
        format!("<Project><ItemGroup>\n<PackageReference Include=\"N.J\"{version} />\n</ItemGroup></Project>")
    };
    check(
        &[("a.csproj", &reference(" Version=\"[12.0.1]\""))],
        "
a.csproj: N.J 12.0.1 -> 13.0.1: N-1
  + <PackageReference Include=\"N.J\" Version=\"[13.0.1]\" />",
    );
    check(
        &[
            ("src/a.csproj", &reference("")),
            (
                "Directory.Packages.props",
                "<Project><ItemGroup>\n<PackageVersion Include=\"n.j\" Version=\"[12.0.1]\" />\n</ItemGroup></Project>",
            ),
        ],
        "
Directory.Packages.props: n.j 12.0.1 -> 13.0.1: N-1
  + <PackageVersion Include=\"n.j\" Version=\"[13.0.1]\" />",
    );
    check(
        &[
            ("src/a.csproj", &reference(" Version=\"[$(V)]\"").replace("[$(V)]", "$(V)")),
            ("Directory.Build.props", "<Project><PropertyGroup>\n<V>[12.0.1]</V>\n</PropertyGroup></Project>"),
        ],
        "
Directory.Build.props: N.J 12.0.1 -> 13.0.1: N-1
  + <V>[13.0.1]</V>",
    );
    let lock = r#"{"version": 1, "dependencies": {"net8.0": {"N.J": {"type": "Direct", "requested": "[12.0.1, )", "resolved": "12.0.1"}}}}"#;
    check(
        &[("a.csproj", &reference(" Version=\"12.0.1\"")), ("packages.lock.json", lock)],
        "
a.csproj: N.J 12.0.1 -> 13.0.1: N-1
  + <PackageReference Include=\"N.J\" Version=\"13.0.1\" />
$ dotnet restore --force-evaluate:",
    );
}

#[test]
fn a_version_moves_in_what_comes_after_the_project() {
    let project = "<Project><ItemGroup>\n<PackageReference Include=\"N.J\" />\n</ItemGroup></Project>";
    let targets =
        "<Project><ItemGroup>\n<PackageReference Update=\"N.J\" Version=\"12.0.1\" />\n</ItemGroup></Project>";
    let files = [("Directory.Build.targets", targets), ("src/a.csproj", project)];
    let moved = "\nDirectory.Build.targets: N.J 12.0.1 -> 13.0.1: N-1\n  + <PackageReference Update=\"N.J\" Version=\"13.0.1\" />";
    check(&files, moved);
    let lock = r#"{"version": 1, "dependencies": {"net8.0": {"N.J": {"type": "Direct", "requested": "[12.0.1, )", "resolved": "12.0.1"}}}}"#;
    let locked = [files[0], files[1], ("src/packages.lock.json", lock)];
    check(&locked, &format!("{moved}\n$ dotnet restore --force-evaluate:"));
}

#[test]
fn a_version_moves_in_the_build_or_its_catalog() {
    check(
        &[("build.gradle", "dependencies {\n  implementation 'g:a:2.14.0'\n}\n")],
        "
build.gradle: g:a 2.14.0 -> 2.17.1: A-1
  + implementation 'g:a:2.17.1'",
    );
    // A rich version beside another entry of the package, as the reader puts it in other words.
    check(
        &[(
            "build.gradle",
            "dependencies {\n  api('g:a') { version { strictly '[2.0, 2.17[' } }\n  testApi 'g:a:2.14.0'\n}\n",
        )],
        "
build.gradle: g:a 2.14.0 & [2.0, 2.17) -> 2.17.1: A-1
  drops <2.17
  + api('g:a') { version { strictly '[2.17.1, )' } }
  + testApi 'g:a:2.17.1'",
    );
    check(
        &[("build.gradle", "dependencies {\n  api('g:a') { version { strictly '2.14.0'; prefer '2.14.0' } }\n}\n")],
        "stays build.gradle: g:a 2.14.0: A-1: the version of g:a is said by strictly and prefer; move it to 2.17.1 by hand",
    );
    // One module has one version: what cannot be moved keeps the rest where it is.
    let both = "dependencies {\n  api('g:a') { version { strictly '2.14.0' } }\n  constraints {\n    api('g:a') { version { strictly '2.14.0'; prefer '2.14.0' } }\n  }\n}\n";
    check(
        &[("build.gradle", both)],
        "stays build.gradle: g:a 2.14.0: A-1: build.gradle:4 would still ask for g:a 2.14.0, so nothing else of it is moved to 2.17.1 (the version of g:a is said by strictly and prefer; move it to 2.17.1 by hand)",
    );
    let rich = "[libraries]\na = { module = 'g:a', version = { strictly = '2.14.0' } }\n";
    check(
        &[("gradle/libs.versions.toml", rich)],
        "
gradle/libs.versions.toml: g:a 2.14.0 -> 2.17.1: A-1
  + a = { module = 'g:a', version = { strictly = '2.17.1' } }",
    );
    check(
        &[("gradle/libs.versions.toml", &rich.replacen("' }", "', prefer = '2.14.0' }", 1))],
        "stays gradle/libs.versions.toml: g:a 2.14.0: A-1: the version of a is said by strictly and prefer; move it to 2.17.1 by hand",
    );
    let catalog = "[versions]\na = \"2.14.0\" # x\n[libraries]\na = { module = \"g:a\", version.ref = \"a\" }\n";
    check(
        &[("gradle/libs.versions.toml", catalog)],
        "
gradle/libs.versions.toml: g:a 2.14.0 -> 2.17.1: A-1
  + a = \"2.17.1\" # x",
    );
    check(
        &[
            ("build.gradle.kts", "dependencies {\n  implementation(\"g:a:2.14.0\")\n}\n"),
            ("gradle.lockfile", "g:a:2.14.0=runtimeClasspath\nempty=\n"),
        ],
        "
build.gradle.kts: g:a 2.14.0 -> 2.17.1: A-1
  + implementation(\"g:a:2.17.1\")
$ gradle dependencies --update-locks 'g:a':",
    );
}

#[test]
fn an_action_moves_where_it_is_used_by_release() {
    let workflow = |uses: &str| format!("on: push\njobs:\n  x:\n    steps:\n      - uses: {uses}\n");
    check(
        &[(".github/workflows/a.yml", &workflow("\"O/a/sub@v4.1.0\" # why"))],
        "
.github/workflows/a.yml: O/a 4.1.0 -> 4.2.0: W-1
  + - uses: \"O/a/sub@v4.2.0\" # why",
    );
    // What an anchor stands before moves for all that take it.
    check(
        &[(".github/workflows/a.yml", &workflow("&co o/a@v4.1.0\n      - uses: *co"))],
        r#"
.github/workflows/a.yml: o/a 4.1.0 -> 4.2.0: W-1
  + - uses: &co o/a@v4.2.0"#,
    );
    check(
        &[(".github/workflows/a.yml", &workflow("o/a@v4.1.0  #  v4.1.0"))],
        "
.github/workflows/a.yml: o/a 4.1.0 -> 4.2.0: W-1
  + - uses: o/a@v4.2.0  #  v4.2.0",
    );
    // The action may stand below its key.
    for sign in [">-", "|", "", "&x", "# why"] {
        check(
            &[(
                ".github/workflows/a.yml",
                &workflow(&format!("{sign}\n          o/a@v4.1.0\n      - uses: >-\n          o/b@v4.1.0")),
            )],
            ".github/workflows/a.yml: o/a 4.1.0 -> 4.2.0: W-1\n  + o/a@v4.2.0",
        );
    }
    for key in ["\"uses\":", "'uses' :", "uses :"] {
        let text = workflow("o/a@v4.1.0 # v4.1.0").replace("uses:", key);
        check(
            &[(".github/workflows/a.yml", &text)],
            &format!(".github/workflows/a.yml: o/a 4.1.0 -> 4.2.0: W-1\n  + - {key} o/a@v4.2.0 # v4.2.0"),
        );
        let below = workflow("\n          o/a@v4.1.0").replace("uses:", key);
        check(
            &[(".github/workflows/a.yml", &below)],
            ".github/workflows/a.yml: o/a 4.1.0 -> 4.2.0: W-1\n  + o/a@v4.2.0",
        );
    }
    // A step may stand in braces.
    let braces = "on: push\njobs: {x: {steps: [\n{name: d, uses: o/a@v4.1.0},\n{uses: o/a@v4.1.0, id: d}]}}\n";
    check(
        &[(".github/workflows/a.yml", braces)],
        "
.github/workflows/a.yml: o/a 4.1.0 -> 4.2.0: W-1
  + {name: d, uses: o/a@v4.2.0},
  + {uses: o/a@v4.2.0, id: d}]}}",
    );
    check(
        &[(".github/workflows/a.yml", &workflow("o/a@8e5e7e5ab8b370d6c329ec480221332ada57f0ab # v4.1.0"))],
        "stays .github/workflows/a.yml: o/a 4.1.0: W-1: o/a is pinned by a commit; pin that of its release 4.2.0",
    );
}

#[test]
fn a_commit_is_the_reason_of_its_own_line_only() {
    // The second is put together of two lines.
    let text = "on: push\njobs:\n  x:\n    steps:\n      - uses: o/a@8e5e7e5ab8b370d6c329ec480221332ada57f0ab # v4.1.0\n      - ? uses\n        : o/a@v4.0.0\n";
    check(
        &[(".github/workflows/a.yml", text)],
        "
stays .github/workflows/a.yml: o/a 4.0.0: W-1: it is written there in a way that is not edited; move it to 4.2.0 by hand
stays .github/workflows/a.yml: o/a 4.1.0: W-1: o/a is pinned by a commit; pin that of its release 4.2.0",
    );
}

#[test]
fn a_property_moves_where_it_is_set_for_the_file() {
    let dependency = "<dependency><groupId>g</groupId><artifactId>a</artifactId><version>${a.v}</version></dependency>";
    let parent = format!(
        "<project><groupId>us</groupId><artifactId>top</artifactId><version>1</version><properties><a.v>9.0</a.v></properties>\
         <dependencyManagement><dependencies>\n{dependency}\n</dependencies></dependencyManagement></project>"
    );
    let child = "<project><parent><groupId>us</groupId><artifactId>top</artifactId><version>1</version></parent>\
                 <artifactId>child</artifactId><properties>\n<a.v>${base}</a.v>\n<base>2.14.0</base>\n</properties><dependencies>\n\
                 <dependency><groupId>g</groupId><artifactId>a</artifactId></dependency>\n</dependencies></project>";
    check(
        &[("pom.xml", &parent), ("child/pom.xml", child)],
        "
child/pom.xml: g:a 2.14.0 -> 2.17.1: A-1
  + <base>2.17.1</base>",
    );
}

#[test]
fn a_release_keeps_its_flavour() {
    let build = "dependencies {\n  implementation 'g:guava:30.0-jre'\n}\n";
    check(
        &[("build.gradle", build)],
        "
build.gradle: g:guava 30.0-jre -> 32.0.0-jre: G-2
  + implementation 'g:guava:32.0.0-jre'",
    );
    check(
        &[("build.gradle", &build.replace("30.0-jre", "[30.0-jre,31.0-jre]"))],
        "
build.gradle: g:guava [30.0-jre,31.0-jre] -> 32.0.0-jre: G-2
  drops <=31.0-jre
  + implementation 'g:guava:[32.0.0-jre,)'",
    );
    // Android's is below the one that is fixed; and what is of no flavour may be built for anything.
    for (name, version, want) in [
        (
            "g:droid",
            "30.0-android",
            "no version in the flavour -android is known that ends it; 32.0.0-jre does, but is of another one",
        ),
        (
            "g:droid",
            "[30.0-android,31.0-android]",
            "no version in the flavour -android is known that ends it; 32.0.0-jre does, but is of another one",
        ),
        (
            "g:plain",
            "1.0.jre8",
            "no version in the flavour .jre8 is known that ends it; 2.0 does, but is of another one",
        ),
    ] {
        let id = if name == "g:plain" { "G-4" } else { "G-3" };
        check(
            &[("build.gradle", &build.replace("g:guava:30.0-jre", &format!("{name}:{version}")))],
            &format!("stays build.gradle: {name} {version}: {id}: {want}"),
        );
    }
}

#[test]
fn what_moves_here_and_stays_there_is_told_so() {
    let workflow = "on: push\njobs:\n  x:\n    steps:\n      - uses: o/a@v4.1.0\n      - uses: o/a@8e5e7e5ab8b370d6c329ec480221332ada57f0ab # v4.1.0\n";
    check(
        &[(".github/workflows/a.yml", workflow)],
        "
.github/workflows/a.yml: o/a 4.1.0 -> 4.2.0:
  eases W-1
  + - uses: o/a@v4.2.0
stays .github/workflows/a.yml: o/a 4.1.0: W-1: o/a is pinned by a commit; pin that of its release 4.2.0",
    );
}

#[test]
fn of_several_advisories_those_that_go_are_told() {
    check(
        &[("requirements.txt", "two<1.2\n")],
        "
requirements.txt: two <1.2 -> 2.0: T-2
  drops <1.2
  + two>=2.0
may stay requirements.txt: two <1.2: T-3: what is asked for after the edit still allows affected versions",
    );
}
