//! Plans over many files that share one.

use super::*;
use crate::fix::along::LISTED;
use crate::fix::edit::READS;

/// Each of many modules has its version from one parent; it is parsed once for all of them, not once for each.
#[test]
fn a_parent_of_many_modules_is_read_once() {
    const MODULES: usize = 100;
    let (_dir, index) = index();
    let root = TempDir::new().unwrap();
    let managed: String = (0..500)
        .map(|at| {
            format!(
                "<dependency><groupId>o</groupId><artifactId>m{at}</artifactId><version>1.0</version></dependency>\n"
            )
        })
        .collect();
    let parent = format!(
        "<project><groupId>us</groupId><artifactId>top</artifactId><version>1</version><properties>\n<v>2.14.0</v>\n</properties>\
         <dependencyManagement><dependencies>\n{managed}\
         <dependency><groupId>g</groupId><artifactId>a</artifactId><version>${{v}}</version></dependency>\n\
         </dependencies></dependencyManagement></project>"
    );
    let module = "<project><parent><groupId>us</groupId><artifactId>top</artifactId><version>1</version></parent>\
                  <artifactId>x</artifactId><dependencies>\n\
                  <dependency><groupId>g</groupId><artifactId>a</artifactId></dependency>\n</dependencies></project>";
    fs::write(root.path().join("pom.xml"), &parent).unwrap();
    for at in 0..MODULES {
        fs::create_dir(root.path().join(format!("x{at}"))).unwrap();
        fs::write(root.path().join(format!("x{at}/pom.xml")), module).unwrap();
    }
    let inventory = walk(root.path(), &Options::default(), &|_| {}).unwrap();
    let result = scan(&inventory.inputs, &index).unwrap();
    let findings: Vec<&Finding> = result.findings.iter().filter(|finding| &*finding.path != "pom.xml").collect();
    assert_eq!(findings.len(), MODULES);
    let reads = std::cell::Cell::new(0);
    let read = |path: &str| {
        reads.set(reads.get() + usize::from(path == "pom.xml"));
        fs::read_to_string(root.path().join(path)).ok()
    };
    let plan = plan(&inventory.inputs, &findings, &[], &index, &read).unwrap();
    assert_eq!(plan.edits.len(), 1);
    assert!(plan.edits[0].after.contains("<v>2.17.1</v>"));
    assert_eq!(plan.edits[0].bumps[0].clears, ["A-1"]);
    assert_eq!(plan.remaining, []);
    // By whoever ties the files together, by whoever looks for properties, and to be edited.
    assert!(reads.get() <= 3, "{} times", reads.get());
}

/// Each of many packages of one file is moved in what was read of it once, and written in one pass.
#[test]
fn many_packages_of_one_file_move_together() {
    const PACKAGES: usize = 1_000;
    let records: Vec<(String, String)> = (0..PACKAGES).map(|at| (format!("P.N{at}"), format!("2.0.{at}"))).collect();
    let (_dir, index) = index_of("NuGet", &records);
    let project = |version: &dyn Fn(usize) -> String| {
        let references: String = (0..PACKAGES)
            .map(|at| format!("<PackageReference Include=\"P.N{at}\" Version=\"{}\" />\r\n", version(at)))
            .collect();
        format!("\u{feff}<Project><ItemGroup>\r\n{references}</ItemGroup></Project>\r\n")
    };
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("a.csproj"), project(&|_| "[1.0.0, 2.0)".to_owned())).unwrap();
    let inventory = walk(root.path(), &Options::default(), &|_| {}).unwrap();
    let result = scan(&inventory.inputs, &index).unwrap();
    let findings: Vec<&Finding> = result.findings.iter().collect();
    assert_eq!(findings.len(), PACKAGES);
    let read = |path: &str| fs::read_to_string(root.path().join(path)).ok();
    let plan = plan(&inventory.inputs, &findings, &[], &index, &read).unwrap();
    assert_eq!(plan.edits[0].after, project(&|at| format!("[2.0.{at}, )")));
    assert!(plan.edits[0].bumps.iter().all(|bump| bump.clears.len() == 1 && bump.drops == ["<2.0"]));
    assert_eq!((plan.edits[0].bumps.len(), plan.remaining.len()), (PACKAGES, 0));
}

/// Each of many packages of one manifest is moved in what was read of it once, whatever its format.
#[test]
fn a_manifest_is_read_once_for_all_its_packages() {
    const PACKAGES: usize = 40;
    let joined = |line: &dyn Fn(usize) -> String, by: &str| (0..PACKAGES).map(line).collect::<Vec<_>>().join(by);
    for (ecosystem, name, path, before, line, by, after) in [
        ("npm", "p", "package.json", "{\"dependencies\": {", "\"p{}\": \"^{v}\"", ",\n", "}}"),
        ("npm", "p", "package.json", "{\"overrides\": {", "\"p{}\": \"{v}\"", ",\n", "}}"),
        ("npm", "p", "pnpm-workspace.yaml", "overrides:\n", "  p{}: {v} # why", "\r\n", "\n"),
        ("Packagist", "o/p", "composer.json", "{\"require\": {", "\"O/p{}\": \"{v}\"", ",", "}}"),
        (
            "crates.io",
            "p",
            "Cargo.toml",
            "[package]\nname = \"m\"\nversion = \"1.0.0\"\n[dependencies]\r\n",
            "p{} = { version = '={v}' } # ü",
            "\r\n",
            "",
        ),
        (
            "PyPI",
            "p",
            "pyproject.toml",
            "[project]\nname = \"m\"\nversion = \"1\"\ndependencies = [",
            "\"P{}=={v} ; os_name != 'nt'\"",
            ",\n",
            "]",
        ),
        ("PyPI", "p", "Pipfile", "[packages]\n", "p{} = \"=={v}\"", "\n", "\n"),
        ("PyPI", "p", "requirements.txt", "\u{feff}", "p{}=={v}", "\r\n", ""),
        ("Go", "x.io/p", "go.mod", "module m\n\ngo 1.99\n\nrequire (\n", "\tx.io/p{} v{v}", "\n", "\n)\n"),
        (
            "GitHub Actions",
            "o/p",
            ".github/workflows/a.yml",
            "on: push\njobs:\n  a:\n    steps:\n",
            "      - uses: o/p{}@v{v}",
            "\n",
            "",
        ),
        (
            "RubyGems",
            "p",
            "Gemfile",
            "\u{feff}source 'https://rubygems.org'\n",
            "gem 'p{}', '{v}', require: false # why",
            "\r\n",
            "",
        ),
        (
            "Hex",
            "p",
            "mix.exs",
            "defmodule M do\n  defp deps do\n    [\n",
            "      {:p{}, \"{v}\"}",
            ",\n",
            "\n    ]\n  end\nend\n",
        ),
        ("Pub", "p", "pubspec.yaml", "name: m\ndependencies:\n", "  p{}: {v} # why", "\r\n", ""),
        ("Maven", "g:p", "build.gradle", "dependencies {\n", "api 'g:p{}:{v}'", "\n", "\n}\n"),
        ("Maven", "g:p", "gradle/libs.versions.toml", "[libraries]\n", "p{} = \"g:p{}:{v}\"", "\n", ""),
    ] {
        let records: Vec<(String, String)> =
            (0..PACKAGES).map(|at| (format!("{name}{at}"), format!("2.0.{at}"))).collect();
        let (_dir, index) = index_of(ecosystem, &records);
        let text = |version: &dyn Fn(usize) -> String| {
            let line = |at: usize| line.replace("{}", &at.to_string()).replace("{v}", &version(at));
            format!("{before}{}{after}", joined(&line, by))
        };
        let root = TempDir::new().unwrap();
        fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
        fs::write(root.path().join(path), text(&|_| "1.0.0".to_owned())).unwrap();
        let inventory = walk(root.path(), &Options::default(), &|_| {}).unwrap();
        let result = scan(&inventory.inputs, &index).unwrap();
        let findings: Vec<&Finding> = result.findings.iter().collect();
        let read = |path: &str| fs::read_to_string(root.path().join(path)).ok();
        let known = READS.get();
        let plan = plan(&inventory.inputs, &findings, &result.can_resolve, &index, &read).unwrap();
        if !findings.is_empty() {
            assert_eq!(plan.edits[0].after, text(&|at| format!("2.0.{at}")), "{path}");
            assert_eq!((plan.edits[0].bumps.len(), plan.remaining.len()), (PACKAGES, 0), "{path}");
        }
        assert!(READS.get() - known <= 3, "{path}: {} times", READS.get() - known);
        assert!(!findings.is_empty(), "{path}: {:?}", result.can_resolve.len());
    }
}

/// What is known of a lockfile as a whole is found out once, not once for each of its packages.
#[test]
fn a_lockfile_is_read_once_for_all_its_packages() {
    const PACKAGES: usize = 40;
    let records: Vec<(String, String)> = (0..PACKAGES).map(|at| (format!("p{at}"), format!("2.0.{at}"))).collect();
    let (_dir, index) = index_of("npm", &records);
    let root = TempDir::new().unwrap();
    let asked: Vec<String> = (0..PACKAGES).map(|at| format!("\"p{at}\": \"1.0.0\"")).collect();
    fs::write(root.path().join("package.json"), format!("{{\"dependencies\": {{{}}}}}", asked.join(","))).unwrap();
    let locked: String = (0..PACKAGES)
        .map(|at| {
            format!(
                "p{at}@1.0.0:\n  version \"1.0.0\"\n  resolved \"https://registry.yarnpkg.com/p{at}/-/p{at}-1.0.0.tgz#aa\"\n  integrity sha512-aa\n\n"
            )
        })
        .collect();
    fs::write(root.path().join("yarn.lock"), format!("# yarn lockfile v1\n\n\n{locked}")).unwrap();
    let inventory = walk(root.path(), &Options::default(), &|_| {}).unwrap();
    let result = scan(&inventory.inputs, &index).unwrap();
    let findings: Vec<&Finding> = result.findings.iter().collect();
    let read = |path: &str| fs::read_to_string(root.path().join(path)).ok();
    let known = READS.get();
    let plan = plan(&inventory.inputs, &findings, &[], &index, &read).unwrap();
    // One command of yarn's makes all of them.
    assert_eq!((plan.commands.len(), plan.edits.len(), plan.remaining.len()), (1, 1, 0));
    assert!(READS.get() - known <= 4, "{} times", READS.get() - known);
}

/// Of many packages that have one property for their version each names a few of the others, and says how many there are.
#[test]
fn who_shares_a_property_is_not_listed_for_each_who_does() {
    const PACKAGES: usize = 200;
    let records: Vec<(String, String)> = (0..PACKAGES).map(|at| (format!("g:p{at}"), "1.2.6".to_owned())).collect();
    let (_dir, index) = index_of("Maven", &records);
    let root = TempDir::new().unwrap();
    let asked: String = (0..PACKAGES)
        .map(|at| {
            format!(
                "<dependency><groupId>g</groupId><artifactId>p{at}</artifactId><version>${{v}}</version></dependency>\n"
            )
        })
        .collect();
    let pom = format!("<project><properties><v>1.0.0</v></properties><dependencies>\n{asked}</dependencies></project>");
    fs::write(root.path().join("pom.xml"), pom).unwrap();
    let inventory = walk(root.path(), &Options::default(), &|_| {}).unwrap();
    let result = scan(&inventory.inputs, &index).unwrap();
    let findings: Vec<&Finding> = result.findings.iter().collect();
    let read = |path: &str| fs::read_to_string(root.path().join(path)).ok();
    let plan = plan(&inventory.inputs, &findings, &[], &index, &read).unwrap();
    let bumps = &plan.edits[0].bumps;
    assert_eq!((bumps.len(), plan.remaining.len()), (PACKAGES, 0));
    for bump in bumps {
        assert_eq!((bump.along.names.len(), bump.along.more), (5, PACKAGES - 6), "{}", bump.name);
        assert!(!bump.along.names.contains(&bump.name) && bump.unknown.is_empty(), "{}", bump.name);
    }
}

/// The same where each has a place of its own besides: one list is kept for a place, not one for every package.
#[test]
fn who_has_a_place_of_its_own_too_makes_no_list_of_all() {
    const PACKAGES: usize = 200;
    let records: Vec<(String, String)> = (0..PACKAGES).map(|at| (format!("g:p{at}"), "1.2.6".to_owned())).collect();
    let (_dir, index) = index_of("Maven", &records);
    let root = TempDir::new().unwrap();
    let artifact = |at: usize, version: &str| {
        format!(
            "<dependency><groupId>g</groupId><artifactId>p{at}</artifactId><version>{version}</version></dependency>\n"
        )
    };
    let asked: String = (0..PACKAGES).map(|at| artifact(at, &format!("${{p{at}}}"))).collect();
    let of = |value: &str| (0..PACKAGES).map(|at| format!("<p{at}>{value}</p{at}>\n")).collect::<String>();
    let (shared, own) = (of("${v}"), of("1.0.0"));
    let pom = format!(
        "<project><properties><v>1.0.0</v>\n{shared}</properties><dependencies>\n{asked}</dependencies>
        <profiles><profile><properties>{own}</properties></profile></profiles></project>"
    );
    fs::write(root.path().join("pom.xml"), pom).unwrap();
    let inventory = walk(root.path(), &Options::default(), &|_| {}).unwrap();
    let result = scan(&inventory.inputs, &index).unwrap();
    let findings: Vec<&Finding> = result.findings.iter().collect();
    let read = |path: &str| fs::read_to_string(root.path().join(path)).ok();
    let known = LISTED.get();
    let plan = plan(&inventory.inputs, &findings, &[], &index, &read).unwrap();
    let bumps = &plan.edits[0].bumps;
    assert_eq!((bumps.len(), plan.remaining.len()), (PACKAGES, 0));
    for bump in bumps {
        assert_eq!((bump.along.names.len(), bump.along.more), (5, PACKAGES - 6), "{}", bump.name);
        assert!(!bump.along.names.contains(&bump.name) && bump.unknown.is_empty(), "{}", bump.name);
    }
    assert!(LISTED.get() - known <= 2 * PACKAGES, "{} names", LISTED.get() - known);
}

/// Advisories about packages of an ecosystem, each ended by a version.
fn index_of(ecosystem: &str, fixed: &[(String, String)]) -> (TempDir, Index) {
    let source = TempDir::new().unwrap();
    fs::create_dir(source.path().join(ecosystem)).unwrap();
    for (at, (name, version)) in fixed.iter().enumerate() {
        let record = format!(
            r#"{{"id": "P-{at}", "modified": "2026-01-01T00:00:00Z", "affected": [{{"package": {{"ecosystem": "{ecosystem}", "name": "{name}"}},
            "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}, {{"fixed": "{version}"}}]}}]}}]}}"#
        );
        fs::write(source.path().join(format!("{ecosystem}/P-{at}.json")), record).unwrap();
    }
    let dir = TempDir::new().unwrap();
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    advisory::import(&[source.path().to_owned()], dir.path(), now, &|_| {}).unwrap();
    let index = Index::open(dir.path()).unwrap();
    (dir, index)
}
