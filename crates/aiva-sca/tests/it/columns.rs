//! Every format says in which column of its line a package is named.

use aiva_sca::column::column;
use aiva_sca::inventory::Kind;
use aiva_sca::package::Ecosystem;

use crate::inventory::{locks, take};

/// The words of a line that name a package: from its column to its end.
fn words<'t>(ecosystem: Ecosystem, name: &str, line: u32, text: &'t str) -> Option<&'t str> {
    let line = text.lines().nth((line as usize).checked_sub(1)?)?;
    let before = column(ecosystem, name, "", line)? as usize - 1;
    let (at, _) = line.char_indices().nth(before)?;
    line.get(at..)
}

#[test]
fn every_package_of_every_sample_is_named_in_its_line() {
    let root = locks();
    let mut kinds = std::collections::BTreeSet::new();
    for input in take(&root).inputs {
        let text = std::fs::read_to_string(root.join(&input.path)).unwrap();
        let packages = input.packages.iter().map(|p| (p.ecosystem, &*p.name, p.line));
        let others = input.not_judged.iter().map(|n| (n.ecosystem, &*n.name, n.line));
        for (ecosystem, name, line) in packages.chain(others) {
            assert!(words(ecosystem, name, line, &text).is_some(), "{}:{line}: {name}", input.path);
            kinds.insert(input.kind.to_string());
        }
    }
    assert!(kinds.len() >= 38, "samples are missing: {kinds:?}");
}

/// What a file of this kind asks for or lists: each package, and how the words begin that name it.
#[track_caller]
fn check(kind: Kind, text: &str, want: &[(&str, &str)]) {
    let reading = kind.read(text.as_bytes());
    let told: Vec<_> = reading.problems.iter().map(|problem| &problem.message).collect();
    let packages = reading.packages.iter().map(|p| (p.ecosystem, &*p.name, p.line));
    let others = reading.not_judged.iter().map(|n| (n.ecosystem, &*n.name, n.line));
    let found: Vec<_> = packages.chain(others).collect();
    for (name, begin) in want {
        let (ecosystem, _, line) = *found.iter().find(|(_, found, _)| found == name).unwrap_or_else(|| {
            panic!("no {name} among {:?}: {told:?}", found.iter().map(|(_, name, _)| name).collect::<Vec<_>>())
        });
        let words = words(ecosystem, name, line, text);
        assert!(words.is_some_and(|words| words.starts_with(begin)), "{name} in line {line}: {words:?}\n{text}");
    }
}

#[test]
fn a_part_of_a_name_or_another_name_is_pointed_at() {
    let one = "<project><dependencies><dependency><groupId>commons-io</groupId><artifactId>commons-io</artifactId>\
               <version>1</version></dependency></dependencies></project>";
    check(Kind::PomXml, one, &[("commons-io:commons-io", "commons-io</artifactId>")]);
    let lines = "<project><dependencies>\n<dependency>\n<groupId>a.b</groupId>\n<artifactId>b</artifactId>\n\
                 <version>1</version></dependency></dependencies></project>";
    check(Kind::PomXml, lines, &[("a.b:b", "b</artifactId>")]);
    let computed = "<project><properties><s>2.12</s></properties><dependencies>\n<dependency><groupId>g</groupId>\n\
                    <artifactId>spark_${s}</artifactId><version>1</version></dependency></dependencies></project>";
    check(Kind::PomXml, computed, &[("g:spark_2.12", "spark_${s}<")]);
    let build = "plugins {\n  id 'com.acme.tool' version '1'\n  kotlin(\"jvm\") version \"2\"\n}\ndependencies {\n  \
                 api group: 'commons-io', name: 'commons-io', version: '2.6'\n  implementation 'g:a:1'\n  \
                 implementation(kotlin(\"stdlib\", \"1.8.0\"))\n}\n";
    check(
        Kind::BuildGradle,
        build,
        &[
            ("com.acme.tool:com.acme.tool.gradle.plugin", "com.acme.tool' v"),
            ("org.jetbrains.kotlin.jvm:org.jetbrains.kotlin.jvm.gradle.plugin", "jvm\")"),
            ("commons-io:commons-io", "commons-io', version"),
            ("g:a", "g:a:1"),
            ("org.jetbrains.kotlin:kotlin-stdlib", "stdlib\", "),
        ],
    );
    let catalog = "[versions]\nv = \"1\"\n[libraries]\na = \"g:a:1\"\nb = { module = \"g:b\", version.ref = \"v\" }\n\
                   c = { group = \"g\", name = \"cc\", version = \"1\" }\n[plugins]\np = { id = \"x.y\", version = \"1\" }\n";
    let want = [("g:a", "g:a:1"), ("g:b", "g:b\""), ("g:cc", "cc\", v"), ("x.y:x.y.gradle.plugin", "x.y\"")];
    check(Kind::VersionCatalog, catalog, &want);
    let metadata = "<verification-metadata><components>\n<component group=\"guava\" name=\"guava\" version=\"1\">\
                    <artifact name=\"guava-1.jar\"/></component></components></verification-metadata>";
    check(Kind::VerificationMetadata, metadata, &[("guava:guava", "guava\" version")]);
    check(
        Kind::CabalFreeze,
        "constraints: any.aeson ==1.5.6.0,\n             base ==4.14\n",
        &[("aeson", "aeson ="), ("base", "base =")],
    );
    let stack = "packages:\n- completed:\n    hackage: acme-missiles-0.3@sha256:2b,613\n  original:\n    \
                 hackage: acme-missiles-0.3\nsnapshots: []\n";
    check(Kind::StackLock, stack, &[("acme-missiles", "acme-missiles-0.3")]);
    let swift = "{\"version\": 2, \"pins\": [{\n\"identity\": \"alamofire\",\n\"kind\": \"remoteSourceControl\",\n\
                 \"location\": \"https://github.com/Alamofire/Alamofire.git\",\n\"state\": {\"version\": \"5.4.0\"}}]}";
    check(Kind::PackageResolved, swift, &[("github.com/Alamofire/Alamofire", "alamofire\"")]);
    let old = "{\"version\": 1, \"object\": {\"pins\": [{\n\"package\": \"Alamofire\",\n\
               \"repositoryURL\": \"https://github.com/Alamofire/Alamofire.git\",\n\"state\": {\"version\": \"5.4.0\"}}]}}";
    check(Kind::PackageResolved, old, &[("github.com/Alamofire/Alamofire", "Alamofire\"")]);
    let pods = "PODS:\n  - Firebase/CoreOnly (8.0.0)\n  - \"GoogleUtilities/NSData+zlib (7.5.2)\"\n\nCOCOAPODS: 1.0\n";
    check(Kind::PodfileLock, pods, &[("Firebase", "Firebase/C"), ("GoogleUtilities", "GoogleUtilities/N")]);
    check(Kind::ComposerJson, "{\"require\": {\n\"Symfony/Console\": \"5.4.1\"}}", &[("symfony/console", "Symfony/C")]);
    let project = "<Project><ItemGroup>\n<PackageReference Include=\"Newtonsoft.Json\" Version=\"[13.0.1]\" />\n\
                   </ItemGroup></Project>";
    check(Kind::DotnetProject, project, &[("Newtonsoft.Json", "Newtonsoft.Json\" V")]);
    let workflow = "jobs:\n  a:\n    steps:\n      - uses: GitHub/codeql-action/init@v3.1.0\n";
    check(Kind::Workflow, workflow, &[("GitHub/codeql-action", "GitHub/codeql-action/init@")]);
    let conan = "{\"version\": \"0.5\", \"requires\": [\n\"abseil/cci.2020#1%2\"]}";
    check(Kind::ConanLock, conan, &[("abseil", "abseil/")]);
    check(Kind::GoMod, "module m\n\ngo 1.21\n", &[("stdlib", "go 1.21")]);
    check(Kind::GoMod, "module m\n\ngo 1.21\n\ntoolchain go1.22.1\n", &[("stdlib", "toolchain go1.22.1")]);
    check(Kind::GoWork, "go 1.21\n\nuse ./a\n", &[("stdlib", "go 1.21")]);
    let modules = "# example.com/a v1.0.0\n## explicit\nexample.com/a/b\n";
    check(Kind::VendorModules, modules, &[("example.com/a", "example.com/a v1")]);
    check(
        Kind::CargoToml,
        "[package]\nname = \"m\"\n[dependencies]\nx = { package = \"rustls\", version = \"=0.1.0\" }\n",
        &[("rustls", "rustls\"")],
    );
    check(Kind::Pipfile, "[packages]\nFlask = \"==1.0\"\n", &[("flask", "Flask =")]);
    let setup = "[metadata]\nname = app\n[options]\ninstall_requires =\n    Zope.Interface==5.0\n";
    check(Kind::SetupCfg, setup, &[("zope-interface", "Zope.Interface==")]);
}

#[test]
fn an_alias_is_pointed_at_where_it_stands_for_the_name() {
    let manifest = "{\"name\": \"app\", \"dependencies\": {\n\"left\": \"npm:left-pad@1.3.0\"}}";
    check(Kind::PackageJson, manifest, &[("left-pad", "left-pad@1.3.0")]);
    let new = "{\"name\": \"app\", \"lockfileVersion\": 3, \"packages\": {\n\"\": {\"dependencies\": {\"left\": \"npm:left-pad@1\"}},\n  \
               \"node_modules/left\": {\n\"name\": \"left-pad\", \"version\": \"1.3.0\"}}}";
    check(Kind::PackageLock, new, &[("left-pad", "left\": {")]);
    let old = "{\"name\": \"app\", \"lockfileVersion\": 1, \"dependencies\": {\n  \"left\": {\n\
               \"version\": \"npm:left-pad@1.3.0\"}}}";
    check(Kind::PackageLock, old, &[("left-pad", "left\": {")]);
    check(Kind::Shrinkwrap, old, &[("left-pad", "left\": {")]);
    let deno = "{\"version\": \"4\", \"specifiers\": {}, \"jsr\": {\n\"@std/path@1.0.2\": {\"integrity\": \"\"}}}";
    check(Kind::DenoLock, deno, &[("@jsr/std__path", "@std/path@1")]);
}

#[test]
fn a_bill_of_materials_names_groups_apart() {
    let all = [
        ("g.h:art", "art"),
        ("@s/c", "c"),
        ("symfony/console", "console"),
        ("golang.org/x/net", "golang.org/x/net"),
        ("zope-interface", "zope.interface"),
        ("github.com/Alamofire/Alamofire", "Alamofire"),
    ];
    let parts = [
        ("g.h", "art", "maven/g.h/art@1"),
        ("@s", "c", "npm/%40s/c@1"),
        ("symfony", "console", "composer/symfony/console@1"),
        ("", "golang.org/x/net", "golang/golang.org/x/net@v1"),
        ("", "zope.interface", "pypi/zope.interface@1"),
        ("github.com/Alamofire", "Alamofire", "swift/github.com/Alamofire/Alamofire@1"),
    ];
    for version in ["1.4", "1.5", "1.6", "1.7"] {
        for end in ["\n", ""] {
            let json = parts.map(|(group, name, purl)| {
                format!("{{\"type\": \"library\",{end}\"group\": \"{group}\",{end}\"name\": \"{name}\",{end}\"version\": \"1\",{end}\"purl\": \"pkg:{purl}\"}}")
            });
            let json = format!(
                "{{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"{version}\", \"components\": [\n{}]}}",
                json.join(",\n")
            );
            check(Kind::Bill, &json, &all);
            let xml = parts.map(|(group, name, purl)| {
                format!("<component type=\"library\">{end}<group>{group}</group>{end}<name>{name}</name>{end}<version>1</version>{end}<purl>pkg:{purl}</purl></component>")
            });
            let xml = format!(
                "<?xml version=\"1.0\"?>\n<bom xmlns=\"http://cyclonedx.org/schema/bom/{version}\" version=\"1\"><components>\n{}</components></bom>",
                xml.join("\n")
            );
            check(Kind::Bill, &xml, &all);
        }
    }
    // SPDX has one name, and each tool its own: here without the group, or with.
    for (scope, group) in [("", ""), ("@s/", "g.h:")] {
        for end in ["\n", ""] {
            let one = |id: usize, name: &str, purl: &str| {
                format!(
                    "{{\"SPDXID\": \"SPDXRef-{id}\",{end}\"name\": \"{name}\",{end}\"versionInfo\": \"1\",{end}\"externalRefs\": [{{\"referenceType\": \"purl\", \"referenceLocator\": \"pkg:{purl}\"}}]}}"
                )
            };
            let list =
                [one(1, &format!("{group}art"), "maven/g.h/art@1"), one(2, &format!("{scope}c"), "npm/%40s/c@1")];
            let spdx = format!(
                "{{\"spdxVersion\": \"SPDX-2.3\", \"SPDXID\": \"SPDXRef-DOCUMENT\", \"packages\": [\n{}]}}",
                list.join(",\n")
            );
            let want = [("g.h:art", &*format!("{group}art\"")), ("@s/c", &format!("{scope}c\""))];
            check(Kind::Bill, &spdx, &want);
            let one = |id: usize, name: &str, purl: &str| {
                format!(
                    "{{\"type\": \"software_Package\",{end}\"spdxId\": \"x{id}\",{end}\"name\": \"{name}\",{end}\"software_packageUrl\": \"pkg:{purl}\"}}"
                )
            };
            let list =
                [one(1, &format!("{group}art"), "maven/g.h/art@1"), one(2, &format!("{scope}c"), "npm/%40s/c@1")];
            let spdx = format!(
                "{{\"@context\": \"https://spdx.org/rdf/3.0.1/spdx-context.jsonld\", \"@graph\": [\n{}]}}",
                list.join(",\n")
            );
            check(Kind::Bill, &spdx, &want);
        }
    }
}
