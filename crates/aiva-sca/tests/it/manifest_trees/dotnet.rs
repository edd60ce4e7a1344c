//! What .NET's files say of each other: properties, `Directory.Build.props` and `.targets`, what a target does.

use aiva_sca::package::Fact;

use super::check;
use crate::manifests::tree;

#[test]
fn msbuild_properties_of_the_file_and_of_those_above_are_put_in() {
    let project = |version: &str| {
        format!(
            "<Project><PropertyGroup><Own>[1.2.3]</Own></PropertyGroup><ItemGroup><PackageReference Include=\"A\" Version=\"{version}\"/></ItemGroup></Project>"
        )
    };
    let shared = "<Project><PropertyGroup><Json>12.0.1</Json><Two>1</Two><Two>2</Two></PropertyGroup><Import Project=\"eng\\Versions.props\"/></Project>";
    let imported = "<Project><PropertyGroup><Json>9</Json><Far>$(Json)-beta</Far></PropertyGroup></Project>";
    let computed = "MSBuild computes its version";
    for (version, want) in [
        ("$(Own)", "A 1.2.3".to_owned()),
        ("$(Json)", "A [12.0.1]".to_owned()), // The file's own comes before what it imports.
        ("[$(Far)]", "A 12.0.1-beta".to_owned()),
        ("$(Two)", format!("- A [$(Two)]: {computed}")),
        ("$(None)", format!("- A [$(None)]: {computed}")),
    ] {
        let files = [
            ("Directory.Build.props", shared),
            ("eng/Versions.props", imported),
            ("src/app/app.csproj", &project(version)),
        ];
        check(&files, "src/app/app.csproj", &[&want]);
    }
    let nearer = [
        ("Directory.Build.props", shared),
        ("src/Directory.Build.props", "<Project/>"),
        ("src/a.csproj", &project("$(Json)")),
    ];
    check(&nearer, "src/a.csproj", &[&format!("- A [$(Json)]: {computed}")]);
    let above = "<Project><Import Project=\"$([MSBuild]::GetPathOfFileAbove('Directory.Build.props', '$(MSBuildThisFileDirectory)../'))\"/></Project>";
    let going_on = [nearer[0], (nearer[1].0, above), nearer[2]];
    check(&going_on, "src/a.csproj", &["A [12.0.1]"]);
    // What only a condition says, and another file otherwise, nobody knows.
    let chosen = project("$(Json)").replace("<Own>", "<Json Condition=\"'$(Old)'=='1'\">9.0.1</Json><Own>");
    check(&[("src/a.csproj", &chosen)], "src/a.csproj", &["A [9.0.1]"]);
    let both = [("Directory.Build.props", shared), ("src/a.csproj", &*chosen)];
    check(&both, "src/a.csproj", &[&format!("- A [$(Json)]: {computed}")]);
    let central = "<Project><PropertyGroup><J>1.0.0</J></PropertyGroup><ItemGroup><PackageVersion Include=\"B\" Version=\"$(J)\"/></ItemGroup></Project>";
    check(&[("Directory.Packages.props", central)], "Directory.Packages.props", &["B [1.0.0]"]);
}

#[test]
fn a_directory_build_targets_comes_after_the_project() {
    let items = |items: &str| format!("<Project><ItemGroup>{items}</ItemGroup></Project>");
    let project = items(
        "<PackageReference Include=\"A\" Version=\"1.0.0\"/><PackageReference Include=\"B\" Version=\"[1.0.0]\"/>",
    );
    let may_go = "a `Remove` in Directory.Build.targets that is computed or under a condition may take it away";
    let may_go = [format!("- A [1.0.0]: {may_go}"), format!("- B [1.0.0]: {may_go}")];
    let (a, b) = ("A [1.0.0]", "B 1.0.0");
    for (change, want, there) in [
        ("<PackageReference Update=\"a\" Version=\"2.0.0\"/>", &[b][..], &["a [2.0.0]"][..]),
        ("<PackageReference Update=\"A;B\" VersionOverride=\"[2.0.0]\"/>", &[], &["A 2.0.0", "B 2.0.0"]),
        ("<PackageReference Update=\"A\" PrivateAssets=\"all\"/>", &[b, a], &[]),
        ("<PackageReference Remove=\"A;b\"/>", &[], &[]),
        ("<PackageReference Update=\"A\" Version=\"2.0.0\" Condition=\"'$(X)'=='1'\"/>", &[b, a], &["A [2.0.0]"]),
        ("<PackageReference Remove=\"A\" Condition=\"'$(X)'=='1'\"/>", &[b, &may_go[0]], &[]),
        ("<PackageReference Remove=\"@(Old)\"/>", &[&may_go[0], &may_go[1]], &[]),
        ("<PackageReference Remove=\"System.*;B$(X);B1$(X)\"/>", &[a, &may_go[1]], &[]),
        ("<PackageReference Include=\"C\" Version=\"[3.0.0]\"/>", &[b, a], &["C 3.0.0"]),
    ] {
        let files = [("Directory.Build.targets", items(change)), ("src/a/a.csproj", project.clone())];
        let files = files.each_ref().map(|(path, text)| (*path, text.as_str()));
        check(&files, "src/a/a.csproj", want);
        check(&files, "Directory.Build.targets", there);
        // A nearer one is taken in its place, and what comes before the project changes nothing of it.
        let nearer = [files[0], files[1], ("src/Directory.Build.targets", "<Project/>")];
        check(&nearer, "src/a/a.csproj", &[b, a]);
        let before = [("Directory.Build.props", files[0].1), files[1]];
        check(&before, "src/a/a.csproj", &[b, a]);
        check(&before, "Directory.Build.props", if change.contains("Update") { &[] } else { there });
    }
    // Where somebody says which one is taken in, if any, nothing is changed.
    let targets = items("<PackageReference Remove=\"A\"/>");
    for property in ["ImportDirectoryBuildTargets>false</", "DirectoryBuildTargetsPath>$(Root)/b.targets</"] {
        let name = property.split_once('>').unwrap().0;
        let group = format!("<PropertyGroup><{property}{name}></PropertyGroup>");
        let chosen = project.replace("<Project>", &format!("<Project>{group}"));
        let own = [("Directory.Build.targets", &*targets), ("src/a/a.csproj", &*chosen)];
        check(&own, "src/a/a.csproj", &[b, a]);
        let props = format!("<Project>{group}</Project>");
        for path in ["Directory.Build.props", "src/Directory.Build.props", "b/Directory.Build.props"] {
            let files = [own[0], ("src/a/a.csproj", &*project), (path, &props)];
            check(&files, "src/a/a.csproj", [&[b][..], &[b, a]][usize::from(!path.starts_with("b/"))]);
        }
    }
    // Unless something may stand before it.
    let update = "<PackageReference Update=\"a\" Version=\"2.0.0\"/>";
    let import = items(update).replace("<Project>", "<Project><Import Project=\"b.props\"/>");
    let computed = items(&format!("<PackageReference Include=\"$(All)\" Version=\"1.0.0\"/>{update}"));
    let own = items(&format!("<PackageReference Include=\"A\" Version=\"1.0.0\"/>{update}"));
    for (props, want) in
        [(import, &["a [2.0.0]"][..]), (computed, &["$(All) [1.0.0]", "a [2.0.0]"]), (own, &["A [2.0.0]"])]
    {
        check(&[("Directory.Build.props", &props)], "Directory.Build.props", want);
    }
    let shared = items("<PackageReference Include=\"S\" Version=\"[1.0.0]\"/>");
    check(&[("Directory.Build.props", &shared)], "Directory.Build.props", &["S 1.0.0"]);
    // The lockfile was written for what comes after.
    let lock = r#"{"version": 1, "dependencies": {"net8.0": {"A": {"type": "Direct", "requested": "[2.0.0, )", "resolved": "2.0.0"}}}}"#;
    let one =
        items("<PackageReference Include=\"A\" Version=\"1.0.0\"/><PackageReference Include=\"B\" Version=\"1.0.0\"/>");
    let change = items("<PackageReference Update=\"A\" Version=\"2.0.0\"/><PackageReference Remove=\"B\"/>");
    for (targets, want) in [(change.as_str(), 0), ("<Project/>", 2)] {
        let files = [("Directory.Build.targets", targets), ("a/a.csproj", &one), ("a/packages.lock.json", lock)];
        let inputs = tree(&files);
        let signs = inputs.iter().flat_map(|input| &input.signs);
        let told = signs.filter(|sign| matches!(sign.fact, Fact::LockedOtherwise { .. } | Fact::NotLocked { .. }));
        assert_eq!(told.count(), want, "{targets}");
    }
}

#[test]
fn a_directory_build_targets_comes_after_what_the_props_ask_for() {
    let items = |items: &str| format!("<Project><ItemGroup>{items}</ItemGroup></Project>");
    let asked = items("<PackageReference Include=\"A\" Version=\"[1.0.0]\"/>");
    let may_go =
        "- A [1.0.0]: a `Remove` in Directory.Build.targets that is computed or under a condition may take it away";
    let (a, project) = ("A 1.0.0", ("src/a/a.csproj", "<Project/>"));
    for (change, want) in [
        ("<PackageReference Remove=\"A\"/>", &[][..]),
        ("<PackageReference Update=\"a\" Version=\"2.0.0\"/>", &[]),
        ("<PackageReference Remove=\"A\" Condition=\"'$(X)'=='1'\"/>", &[may_go]),
        ("<PackageReference Remove=\"B\"/>", &[a]),
    ] {
        let targets = items(change);
        for props in ["Directory.Build.props", "src/Directory.Build.props"] {
            let files = [("Directory.Build.targets", &*targets), (props, &*asked), project];
            check(&files, props, want);
            // Some project takes in the props and not the targets, or may.
            let choosing = "<Project><PropertyGroup><ImportDirectoryBuildTargets>false</ImportDirectoryBuildTargets></PropertyGroup></Project>";
            for other in [
                ("src/b/Directory.Build.targets", "<Project/>"),
                ("src/b/b.csproj", choosing),
                ("src/b/Directory.Build.props", choosing),
            ] {
                check(&[files[0], files[1], project, other], props, &[a]);
            }
        }
    }
    // Those further down are not behind these props, and those of another folder are taken in by name.
    let targets = items("<PackageReference Remove=\"A\"/>");
    let below = [("Directory.Build.props", &*asked), ("src/Directory.Build.targets", &targets), project];
    check(&below, "Directory.Build.props", &[a]);
    let named = |file: &str| format!("<Project><Import Project=\"{file}\"/></Project>");
    for (file, want) in [
        ("..\\src\\Directory.Build.props", &[a][..]),
        ("$(MSBuildThisFileDirectory)../src/Directory.Build.props", &[a]),
        ("$(Root)/src/Directory.Build.props", &[a]),
        ("..\\Directory.Build.props", &[]),
        ("$([MSBuild]::GetPathOfFileAbove('Directory.Build.props', '$(MSBuildThisFileDirectory)../'))", &[]),
    ] {
        let files = [
            ("src/Directory.Build.targets", &*targets),
            ("src/Directory.Build.props", &asked),
            ("tests/Directory.Build.props", &named(file)),
        ];
        check(&files, "src/Directory.Build.props", want);
    }
}

#[test]
fn what_targets_change_is_found_out_once_a_tree() {
    let update = |at| format!("<PackageReference Update=\"b{at}\" Version=\"2.0.0\"/>");
    let targets: String = (0..5000).map(update).collect();
    let targets = format!("<Project><ItemGroup>{targets}</ItemGroup></Project>");
    let one = "<Project><ItemGroup><PackageReference Include=\"A\" Version=\"[1.0.0]\"/></ItemGroup></Project>";
    let paths: Vec<String> = (0..1000).map(|at| format!("p{at}/p.csproj")).collect();
    let mut files = vec![("Directory.Build.targets", targets.as_str())];
    files.extend(paths.iter().map(|path| (path.as_str(), one)));
    let begun = std::time::Instant::now();
    assert_eq!(tree(&files).iter().map(|input| input.packages.len()).sum::<usize>(), 1000);
    assert!(begun.elapsed().as_secs() < 8, "{:?}", begun.elapsed());
}

#[test]
fn targets_reach_a_project_only_if_no_file_may_say_otherwise() {
    let items = |items: &str| format!("<Project><ItemGroup>{items}</ItemGroup></Project>");
    let asked = items("<PackageReference Include=\"A\" Version=\"[1.0.0]\"/>");
    let targets = items("<PackageReference Update=\"A\" Version=\"2.0.0\"/>");
    let choosing = "<Project><PropertyGroup><ImportDirectoryBuildTargets>false</ImportDirectoryBuildTargets></PropertyGroup></Project>";
    let import = |file: &str| format!("<Project><Import Project=\"{file}\"/></Project>");
    let a = &["A 1.0.0"][..];
    for (file, (path, text), want) in [
        ("..\\custom.props", ("custom.props", choosing), a),
        ("..\\custom.props", ("custom.props", &*import("more.props")), a),
        ("..\\custom.props", ("custom.props", "<Project/>"), &[]),
        ("..\\custom.props", ("other.props", "<Project/>"), a),
        ("../../custom.props", ("custom.props", "<Project/>"), a),
        ("$(Mine)/custom.props", ("custom.props", "<Project/>"), a),
        ("$(MSBuildThisFileDirectory)../custom.props", ("custom.props", "<Project/>"), &[]),
        ("$(MSBuildToolsPath)\\Microsoft.CSharp.targets", ("custom.props", choosing), &[]),
        ("../custom.props", ("Directory.Build.rsp", "-p:ImportDirectoryBuildTargets=false"), a),
        ("$(MSBuildToolsPath)\\x", ("Directory.Build.rsp", "-p:ImportDirectoryBuildTargets=false"), a),
        ("$(MSBuildToolsPath)\\x", ("p/Directory.Build.rsp", "@more.rsp"), a),
        ("$(MSBuildToolsPath)\\x", ("Directory.Build.rsp", "-maxcpucount"), &[]),
    ] {
        let import = import(file);
        let files = [
            ("Directory.Build.props", &*asked),
            ("Directory.Build.targets", &targets),
            ("p/p.csproj", &import),
            (path, text),
        ];
        check(&files, "Directory.Build.props", want);
        let own = import.replace("</Project>", asked.strip_prefix("<Project>").unwrap());
        check(&[files[1], ("p/p.csproj", &own), files[3]], "p/p.csproj", want);
    }
}

#[test]
fn what_a_target_does_comes_after_packages_are_restored() {
    let target = |hook: &str, items: &str| {
        format!(
            "<Project><ItemGroup><PackageReference Include=\"A\" Version=\"[1.0.0]\"/></ItemGroup>\
             <Target Name=\"X\"{hook}><PropertyGroup><V>[2.0.0]</V></PropertyGroup><ItemGroup>{items}</ItemGroup></Target>\
             <ItemGroup><PackageReference Include=\"V\" Version=\"$(V)\"/></ItemGroup></Project>"
        )
    };
    let late =
        "- C [[3.0.0]]: a <Target> asks for it while the project is built, and packages are restored before that";
    let may_go = "- A [[1.0.0]]: a `Remove` in a <Target> may take it away, and a target here hooks into restore";
    let (a, v) = ("A 1.0.0", "- V [$(V)]: MSBuild computes its version");
    let before = " BeforeTargets=\"CollectPackageReferences\"";
    for (hook, change, want) in [
        ("", "<PackageReference Remove=\"A\"/>", &[a, v][..]),
        ("", "<PackageReference Remove=\"@(PackageReference)\"/>", &[a, v]),
        (" AfterTargets=\"Build\"", "<PackageReference Update=\"A\" Version=\"[2.0.0]\"/>", &[a, v]),
        ("", "<PackageReference Include=\"C\" Version=\"[3.0.0]\"/>", &[a, late, v]),
        ("", "<PackageReference Include=\"C\"><Version>[3.0.0]</Version></PackageReference>", &[a, late, v]),
        (" AfterTargets=\"Restore\"", "<PackageReference Remove=\"A\"/>", &[a, v]),
        (" BeforeTargets=\"RestoreTools\"", "<PackageReference Remove=\"A\"/>", &[a, v]),
        ("/><Target Name=\"Prestored\"", "<PackageReference Remove=\"A\"/>", &[a, v]),
        // One that runs before that, or may.
        (" BeforeTargets=\"X; _GenerateRestoreGraph\"", "<PackageReference Remove=\"A\"/>", &["V 2.0.0", may_go]),
        ("/><Target Name=\"Restore\"", "<PackageReference Remove=\"A\"/>", &["V 2.0.0", may_go]),
        (before, "<PackageReference Remove=\"A\"/>", &["V 2.0.0", may_go]),
        (before, "<PackageReference Update=\"A\" Version=\"[2.0.0]\"/>", &[a, "A 2.0.0", "V 2.0.0"]),
        (
            " BeforeTargets=\"$(First)\"",
            "<PackageReference Include=\"C\" Version=\"[3.0.0]\"/>",
            &[a, "C 3.0.0", "V 2.0.0"],
        ),
    ] {
        check(&[("a.csproj", &target(hook, change))], "a.csproj", want);
    }
    // Whoever depends on it takes it along.
    let depends = target("", "<PackageReference Remove=\"A\"/>")
        .replace("</Project>", "<Target Name=\"Y\" DependsOnTargets=\"X\" BeforeTargets=\"Restore\"/></Project>");
    check(&[("a.csproj", &depends)], "a.csproj", &["V 2.0.0", may_go]);
    let first = target("", "").replace("<Project>", "<Project InitialTargets=\"X\">");
    check(&[("a.csproj", &first)], "a.csproj", &[a, "V 2.0.0"]);
    // One of another file may.
    let late = "<Project><Target Name=\"Add\"><ItemGroup><PackageReference Include=\"C\" Version=\"[3.0.0]\"/></ItemGroup></Target></Project>";
    for (hook, want) in [
        ("BeforeTargets=\"CollectPackageReferences\"", "C 3.0.0"),
        (
            "BeforeTargets=\"Build\"",
            "- C [[3.0.0]]: a <Target> asks for it while the project is built, and packages are restored before that",
        ),
    ] {
        let hook = format!("<Project><Target Name=\"H\" DependsOnTargets=\"Add\" {hook}/></Project>");
        for path in ["Directory.Build.targets", "x/b.csproj"] {
            check(&[(path, late), ("p/a.csproj", &hook)], path, &[want]);
        }
    }
    // Nor does it change a project from elsewhere, or the version that is kept for it.
    let one = "<Project><ItemGroup><PackageReference Include=\"A\" Version=\"[1.0.0]\"/></ItemGroup></Project>";
    let targets =
        "<Project><Target Name=\"X\"><ItemGroup><PackageReference Remove=\"A\"/></ItemGroup></Target></Project>";
    check(&[("Directory.Build.targets", targets), ("a.csproj", one)], "a.csproj", &[a]);
    let hooking = "<Project><Target Name=\"H\" BeforeTargets=\"CollectPackageReferences\"/></Project>";
    let may_go =
        "- A [1.0.0]: a `Remove` in Directory.Build.targets that is computed or under a condition may take it away";
    check(&[("Directory.Build.targets", targets), ("a.csproj", one), ("b/b.csproj", hooking)], "a.csproj", &[may_go]);
}
