//! What is read of the formats that were written by hand after their documentation: one picture a file, and the rules that
//! no picture shows.

use aiva_sca::inventory::Kind;
use aiva_sca::package::Status;

use crate::inventory::{locks, picture, take};

#[test]
fn what_was_written_by_hand_is_read_as_its_documentation_says() {
    let root = locks().join("by-hand");
    for input in take(&root).inputs {
        insta::assert_snapshot!(format!("formats_{}", input.path), picture(std::slice::from_ref(&input)));
    }
}

#[track_caller]
fn check(kind: Kind, text: &str, status: Status, packages: &[&str], others: &[&str], says: &str) {
    let reading = kind.read(text.as_bytes());
    let told: Vec<String> = reading.problems.iter().map(|problem| problem.message.clone()).collect();
    assert_eq!(reading.status, status, "{text}: {told:?}");
    let found: Vec<String> = reading.packages.iter().map(|p| format!("{} {}", p.name, p.version)).collect();
    assert_eq!(found, packages, "{text}");
    let unjudged: Vec<String> = reading.not_judged.iter().map(|n| format!("{} {}", n.name, n.requirement)).collect();
    assert_eq!(unjudged, others, "{text}");
    assert!(says.is_empty() || told.iter().any(|message| message.contains(says)), "{text}: {told:?}");
}

#[test]
fn a_missing_entry_makes_a_file_partial() {
    use Status::{Failed, Parsed, Partial};
    let composer = |packages: &str| format!("{{\"packages\": [{packages}]}}");
    let needing = r#"{"name":"a/a","version":"1.0.0","require":{"php":"*","b/b":"*"}}"#;
    check(Kind::ComposerLock, &composer(needing), Partial, &["a/a 1.0.0"], &[], "\"b/b\" is needed");
    check(Kind::ComposerLock, &composer(r#"{"name":"a/a"}"#), Failed, &[], &[], "no name or no version");
    check(Kind::ComposerLock, "{}", Failed, &[], &[], "no list of packages");
    let gem = "GEM\n  remote: https://rubygems.org/\n  specs:\n    a (1.0)\n      b\n";
    check(Kind::GemfileLock, gem, Partial, &["a 1.0"], &[], "no DEPENDENCIES");
    // What is asked for on other platforms only has no entry: every new Rails application is like that.
    let whole = gem.replace("      b\n", "") + "\nDEPENDENCIES\n  a\n  tzinfo-data\n";
    check(Kind::GemfileLock, &whole, Parsed, &["a 1.0"], &[], "");
    check(Kind::GemfileLock, "GEM\n  specs:\n    a\n\nDEPENDENCIES\n", Failed, &[], &[], "not a gem with its version");
    let mix = "%{\n  \"a\": {:hex, :a, \"1.0.0\", \"\", [:mix], [{:b, \"~> 1.0\", [hex: :b]}], \"hexpm\", \"\"},\n}\n";
    check(Kind::MixLock, mix, Partial, &["a 1.0.0"], &[], "\"b\" is needed");
    check(Kind::MixLock, "%{}\n", Parsed, &[], &[], "");
    check(Kind::MixLock, "%{\"a\": {:svn, \"x\"}}", Failed, &[], &[], "unknown kind");
    check(
        Kind::PodfileLock,
        "PODS:\n  - A (1.0):\n    - B\n\nCOCOAPODS: 1.0\n",
        Partial,
        &["A 1.0"],
        &[],
        "\"B\" is needed",
    );
    check(
        Kind::PubspecLock,
        "packages:\n  a:\n    source: hosted\n    version: \"1.0.0\"\n",
        Partial,
        &["a 1.0.0"],
        &[],
        "sdks",
    );
    check(Kind::PackageResolved, r#"{"version":4,"pins":[]}"#, Status::Unsupported, &[], &[], "format 4");
    check(Kind::BunLock, "{\"lockfileVersion\": 9,}", Status::Unsupported, &[], &[], "format 9");
    let bun = r#"{"lockfileVersion":1,"workspaces":{"":{"dependencies":{"a":"1","z":"1"},},}, // comment
        "packages":{"a":["a@1.0.0","",{"dependencies":{"b":"1"}},"sha512-"],"a/b":["b@2.0.0","https://npm.example.com",{},""],}}"#;
    check(Kind::BunLock, bun, Partial, &["a 1.0.0", "b 2.0.0"], &[], "\"z\" is asked for");
    let deno = r#"{"version":"4","specifiers":{"jsr:@std/path@1":"1.0.2","npm:a@1":"1.0.0_p@2.0.0"},
        "jsr":{"@std/path@1.0.2":{"integrity":"","dependencies":["jsr:@std/internal"]}},
        "npm":{"a@1.0.0_p@2.0.0":{"integrity":"","dependencies":["p"]},"p@2.0.0":{"integrity":""}},
        "remote":{"https://deno.land/x/a.ts":""}}"#;
    check(
        Kind::DenoLock,
        deno,
        Partial,
        &["@jsr/std__path 1.0.2", "a 1.0.0", "p 2.0.0"],
        &["imports by address 1 files"],
        "\"jsr:@std/internal\" is needed",
    );
    check(Kind::Pylock, "lock-version = \"2.0\"\n", Status::Unsupported, &[], &[], "format 2");
    check(
        Kind::PdmLock,
        "[[package]]\nname = \"a\"\nversion = \"1\"\n",
        Partial,
        &["a 1"],
        &[],
        "no version of the format",
    );
    check(Kind::GoWork, "go 1.21\n\nuse (\n\t./a\n\t./b\n)\n", Parsed, &["stdlib 1.21"], &[], "");
    check(Kind::GoWork, "module a\n", Failed, &[], &[], "no go and no use line");
    check(
        Kind::VendorModules,
        "# a.example/a v1.0.0\n## explicit; go 1.17\na.example/a\n# b.example/b v1.0.0 => ./b\n# c.example/c v1.0.0 => d.example/d v2.0.0\n\
         # c.example/c => d.example/d v2.0.0\n",
        Parsed,
        &["a.example/a 1.0.0", "b.example/b 1.0.0", "d.example/d 2.0.0"],
        &[],
        "",
    );
}

#[test]
fn an_action_is_pinned_by_a_release_only() {
    let text = "jobs:\n  a:\n    steps:\n      - uses: actions/checkout@v4.1.0\n      - uses: actions/setup-node@v4\n      \
                - uses: tj-actions/changed-files@0e58ed8671d6b60d0890c21b07f8835ace038e67 # v45.0.7\n      \
                - uses: github/codeql-action/init@0e58ed8671d6b60d0890c21b07f8835ace038e67\n      - uses: ./own\n      \
                - uses: docker://alpine:3\n  b:\n    uses: acme/flows/.github/workflows/x.yml@main\n";
    check(
        Kind::Workflow,
        text,
        Status::Parsed,
        &["actions/checkout 4.1.0", "tj-actions/changed-files 45.0.7"],
        &["actions/setup-node v4", "github/codeql-action 0e58ed8671d6b60d0890c21b07f8835ace038e67", "acme/flows main"],
        "",
    );
    check(Kind::Workflow, "steps:\n  - uses: alone\n", Status::Failed, &[], &[], "names no version");
}

#[test]
fn java_dotnet_and_others_say_what_they_cannot_pin() {
    use Status::{Failed, Parsed, Partial, Unsupported};
    check(Kind::GradleLock, "a:b:1=runtimeClasspath\n", Partial, &["a:b 1"], &[], "empty=");
    check(Kind::GradleLock, "a:b=x\nempty=\n", Failed, &[], &[], "not an artifact");
    check(Kind::NuGetLock, r#"{"version":3,"dependencies":{}}"#, Unsupported, &[], &[], "format 3");
    let nuget = r#"{"version":1,"dependencies":{"net6.0":{"A":{"type":"Direct","resolved":"1.0.0","dependencies":{"B":"1"}}}}}"#;
    check(Kind::NuGetLock, nuget, Partial, &["A 1.0.0"], &[], "\"B\" is needed");
    check(Kind::PackagesConfig, "<packages><package id='A'/></packages>", Failed, &[], &[], "no version");
    check(Kind::PackagesConfig, "<packages><package id='A' version='1'/>", Partial, &["A 1"], &[], "not closed");
    check(Kind::PackagesConfig, "<other/>", Failed, &[], &[], "not <packages>");
    let project = std::fs::read_to_string(locks().join("by-hand/app.csproj")).unwrap();
    let others = ["Lowest 4.0.0", "Central ", "Computed $(Shared)"];
    // Visual Studio before 2010 knows no NuGet.
    let old = "<VisualStudioProject><CSHARP ProductVersion=\"7.10\"/></VisualStudioProject>";
    check(Kind::DotnetProject, old, Parsed, &[], &[], "");
    check(Kind::DotnetProject, &old.replace("Visual", "Other"), Failed, &[], &[], "its root is not <Project>");
    check(Kind::DotnetProject, &project, Parsed, &["Exact 1.2.3", "Inner 2.0.0"], &others, "");
    check(Kind::PomXml, "<project><dependencies/></project>", Parsed, &[], &[], "");
    check(Kind::PomXml, "<!DOCTYPE p [<!ENTITY x 'y'>]><project>&x;</project>", Failed, &[], &[], "not XML's own");
    let round = "<project><properties><a>${b}</a><b>${a}</b></properties><dependencies><dependency><groupId>g</groupId>\
                 <artifactId>x</artifactId><version>${a}</version></dependency></dependencies></project>";
    check(Kind::PomXml, round, Parsed, &[], &["g:x ${a}"], "");
    check(Kind::ConanLock, r#"{"version":"0.9"}"#, Unsupported, &[], &[], "0.9");
    let graph = r#"{"version":"0.4","graph_lock":{"nodes":{"0":{"ref":"app/1"},"1":{"ref":"zlib/1.2.11#a","context":"host"}}}}"#;
    check(Kind::ConanLock, graph, Parsed, &["zlib 1.2.11"], &[], "");
    check(Kind::RenvLock, r#"{"Packages":{"a":{}}}"#, Failed, &[], &[], "no version");
    check(Kind::CabalFreeze, "constraints: any.a ==1.0,\n", Partial, &["a 1.0"], &[], "cut off");
    check(Kind::CabalFreeze, "constraints: any.a >1.0\n", Failed, &[], &[], "not a pin");
    check(Kind::StackLock, "packages: []\n", Failed, &[], &[], "snapshots");
}

#[test]
fn older_manifests_list_what_they_ask_for() {
    use Status::{Failed, Parsed, Partial};
    let setup = "[metadata]\nname = app\n\n[options]\ninstall_requires =\n    requests==2.20.0\n    # why\n    \
                 jinja2>=2; python_version<'3'\nsetup_requires = wheel==0.30.0\n\n[options.extras_require]\ntest =\n    \
                 pytest\n\n[flake8]\nignore =\n    E1\n";
    check(Kind::SetupCfg, setup, Parsed, &["requests 2.20.0", "wheel 0.30.0"], &["jinja2 >=2", "pytest "], "");
    check(Kind::SetupCfg, "[flake8]\nmax-line-length = 100\n", Parsed, &[], &[], "");
    check(
        Kind::SetupCfg,
        "[options]\ninstall_requires = file: req.txt\n",
        Parsed,
        &[],
        &["requirements file: req.txt"],
        "",
    );
    check(
        Kind::SetupCfg,
        "[options]\ninstall_requires =\n    ==1\n    a==1\n",
        Partial,
        &["a 1"],
        &[],
        "not a requirement",
    );
    let catalog = "[versions]\nguava = \"28.0-jre\"\nrich = { strictly = \"1.2\" }\n[libraries]\na = \"g:a:1.0\"\n\
                   b = { module = \"com.google.guava:guava\", version.ref = \"guava\" }\n\
                   c = { group = \"g\", name = \"c\", version = \"[1,2)\" }\nd = { module = \"g:d\" }\n\
                   e = { module = \"g:e\", version.ref = \"rich\" }\n[plugins]\np = { id = \"org.x\", version = \"3\" }\n";
    let pinned = ["g:a 1.0", "com.google.guava:guava 28.0-jre", "g:e 1.2", "org.x:org.x.gradle.plugin 3"];
    check(Kind::VersionCatalog, catalog, Parsed, &pinned, &["g:c [1,2)", "g:d "], "");
    // What is strict is a range where it is written as one, also in gradle's own brackets.
    let strict = "[versions]\nr = { strictly = \"[2.0, 2.15[\", prefer = \"2.14\" }\n[libraries]\na = { module = \"g:a\", version.ref = \"r\" }\n\
                  b = \"g:b:1.2!!\"\nc = \"g:c:]1.0, 2.0]!!1.5\"\nd = { module = \"g:d\", version = { strictly = \"1.3\" } }\n";
    let ranges = ["g:a [2.0, 2.15)", "g:c (1.0, 2.0]"];
    check(Kind::VersionCatalog, strict, Parsed, &["g:b 1.2", "g:d 1.3"], &ranges, "");
    check(Kind::VersionCatalog, "[libraries]\na = 1\n", Failed, &[], &[], "names no module");
    check(Kind::VersionCatalog, "[other]\n", Failed, &[], &[], "no libraries");
}

#[test]
fn a_bill_of_materials_is_read_by_its_package_urls() {
    use Status::{Failed, Parsed, Partial, Unsupported};
    let bill = |components: &str, rest: &str| {
        format!("{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":[{components}]{rest}}}")
    };
    let one = r#"{"type":"library","name":"a","bom-ref":"a","purl":"pkg:npm/a@1.0.0"}"#;
    check(Kind::Bill, &bill(one, ""), Parsed, &["a 1.0.0"], &[], "");
    // The same package found twice is one.
    check(Kind::Bill, &bill(&format!("{one},{one}"), ""), Parsed, &["a 1.0.0"], &[], "");
    let nested =
        r#"{"type":"framework","group":"@g","name":"b","version":"2","purl":"pkg:npm/%40g/b","components":[XX]}"#;
    check(Kind::Bill, &bill(&nested.replace("XX", one), ""), Parsed, &["@g/b 2", "a 1.0.0"], &[], "");
    let moving = r#"{"type":"library","name":"b","purl":"pkg:npm/b"}"#;
    check(Kind::Bill, &bill(&format!("{one},{moving}"), ""), Parsed, &["a 1.0.0"], &["b "], "");
    let nameless = r#"{"type":"library","name":"b","version":"1"}"#;
    check(Kind::Bill, &bill(&format!("{one},{nameless}"), ""), Partial, &["a 1.0.0"], &[], "\"b\" has no package URL");
    for (purl, says) in
        [("pkg:oci/curl@1", "of this type are not judged"), ("pkg:deb/debian/curl@1", "names no release")]
    {
        let other = format!("{{\"type\":\"library\",\"name\":\"curl\",\"version\":\"1\",\"purl\":\"{purl}\"}}");
        check(Kind::Bill, &bill(&format!("{one},{other}"), ""), Partial, &["a 1.0.0"], &[], says);
    }
    // Trivy names the source package in properties.
    let trivy = r#"{"type":"library","name":"libssl3","version":"3.0.11-1","purl":"pkg:deb/debian/libssl3@3.0.11-1?distro=debian-12.4",
        "properties":[{"name":"aquasecurity:trivy:SrcName","value":"openssl"},{"name":"aquasecurity:trivy:SrcVersion","value":"3.0.11"},
        {"name":"aquasecurity:trivy:SrcRelease","value":"1"},{"name":"aquasecurity:trivy:PkgType","value":"debian"}]}"#;
    let reading = Kind::Bill.read(bill(trivy, "").as_bytes());
    let from = reading.packages[0].built_from().unwrap();
    assert_eq!((&*reading.packages[0].version, &*from.name, &*from.version), ("3.0.11-1", "openssl", "3.0.11-1"));
    // What stands for a lockfile (Trivy) or is a package of the workspace (our own bills) is no package.
    for kind in ["file", "application", "container"] {
        let file = format!(r#"{{"type":"{kind}","name":"go.sum","bom-ref":"f"}}"#);
        let needs = r#","dependencies":[{"ref":"f","dependsOn":["a"]}]"#;
        check(Kind::Bill, &bill(&format!("{one},{file}"), needs), Parsed, &["a 1.0.0"], &[], "");
    }
    let spdx = |purpose: &str| {
        format!(
            "{{\"spdxVersion\":\"SPDX-2.3\",\"packages\":[{{\"SPDXID\":\"a\",\"name\":\"a\",\"versionInfo\":\"1.0.0\",\"externalRefs\":\
             [{{\"referenceType\":\"purl\",\"referenceLocator\":\"pkg:npm/a@1.0.0\"}}]}},\
             {{\"SPDXID\":\"f\",\"name\":\"Gemfile.lock\",\"primaryPackagePurpose\":\"{purpose}\"}}]}}"
        )
    };
    check(Kind::Bill, &spdx("APPLICATION"), Parsed, &["a 1.0.0"], &[], "");
    check(Kind::Bill, &spdx("LIBRARY"), Partial, &["a 1.0.0"], &[], "has no package URL");
    // With a package URL an application is the package that it names.
    let program = r#"{"type":"application","name":"npm","purl":"pkg:npm/npm@9.0.0"}"#;
    check(Kind::Bill, &bill(program, ""), Parsed, &["npm 9.0.0"], &[], "");
    // A repository of GitHub is the action that it holds.
    for (purl, packages, open) in [
        ("pkg:github/actions/checkout@v4.1.0", vec!["actions/checkout 4.1.0"], vec![]),
        ("pkg:githubactions/actions/checkout@v4.1.0", vec!["actions/checkout 4.1.0"], vec![]),
        ("pkg:github/actions/checkout@v4", vec![], vec!["actions/checkout 4"]),
        ("pkg:github/actions/checkout@main", vec![], vec!["actions/checkout main"]),
        ("pkg:github/actions/checkout", vec![], vec!["actions/checkout "]),
    ] {
        let action = format!(r#"{{"type":"library","name":"checkout","purl":"{purl}"}}"#);
        check(Kind::Bill, &bill(&action, ""), Parsed, &packages, &open, "");
    }
    let needs = r#","dependencies":[{"ref":"a","dependsOn":["b"]}]"#;
    check(Kind::Bill, &bill(one, needs), Partial, &["a 1.0.0"], &[], "\"b\" is needed, but not in the file");
    check(Kind::Bill, &bill(one, "").replace("1.6", "9.9"), Unsupported, &[], &[], "CycloneDX \"9.9\" is not read");
    check(Kind::Bill, r#"{"spdxVersion":"SPDX-1.2"}"#, Unsupported, &[], &[], "SPDX \"SPDX-1.2\" is not read");
    check(Kind::Bill, "{}", Failed, &[], &[], "neither CycloneDX nor SPDX");
    // What bills look like is no bill.
    let schema = r#"{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"bomFormat": {}}}"#;
    check(Kind::Bill, schema, Parsed, &[], &[], "");
    check(Kind::Bill, &schema[..schema.len() - 1], Failed, &[], &[], "cut off");
    check(Kind::Bill, &schema.replace("json-schema", "cyclonedx"), Failed, &[], &[], "neither CycloneDX nor SPDX");
    check(Kind::Bill, &schema.replace("properties", "bomFormat"), Failed, &[], &[], "neither CycloneDX nor SPDX");
    check(Kind::Bill, "[]", Failed, &[], &[], "not a bill of materials");
    let xml = "<bom xmlns=\"http://cyclonedx.org/schema/bom/1.5\"><components><component type=\"library\"><name>a</name>\
               <version>1</version><purl>pkg:pypi/A_b@1</purl><pedigree><ancestors><component type=\"library\"><name>old\
               </name><purl>pkg:pypi/old@0</purl></component></ancestors></pedigree></component></components></bom>";
    check(Kind::Bill, xml, Parsed, &["a-b 1"], &[], "");
    check(Kind::Bill, &xml[..xml.len() - 6], Partial, &["a-b 1"], &[], "cut off");
    check(Kind::Bill, "<project/>", Failed, &[], &[], "neither CycloneDX nor SPDX");
    // What a bill is about is no part of it, unless it is about each of its parts.
    let spdx = |about: &str| {
        let package = |id: &str| {
            format!(
                "{{\"SPDXID\":\"{id}\",\"name\":\"{id}\",\"externalRefs\":[{{\"referenceType\":\"purl\",\
                 \"referenceLocator\":\"pkg:gem/{id}@1\"}}]}}"
            )
        };
        let (a, b) = (package("a"), package("b"));
        format!("{{\"spdxVersion\":\"SPDX-2.3\",\"packages\":[{a},{b}],\"documentDescribes\":[{about}]}}")
    };
    check(Kind::Bill, &spdx("\"a\""), Parsed, &["b 1"], &[], "");
    check(Kind::Bill, &spdx("\"a\",\"b\""), Parsed, &["a 1", "b 1"], &[], "");
}

/// A file that is cut inside an entry, or between two, with its last line or what is said of it.
#[track_caller]
fn cut(kind: Kind, text: &str, status: Status) {
    let reading = kind.read(text.as_bytes());
    assert_eq!(reading.status, status, "{kind:?} {text:?}: {:?}", reading.problems);
}

#[test]
fn what_only_looks_like_a_cut_or_a_gap_is_none() {
    for (kind, text) in [
        // A folder above that is linked to: what it needs is not installed here.
        (
            Kind::PackageLock,
            r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"shared": "file:../shared"}},
                "../shared": {"version": "1.0.0", "dependencies": {"ms": "^2"}},
                "node_modules/shared": {"resolved": "../shared", "link": true}}}"#,
        ),
        (Kind::Gemfile, "gem 'bootsnap', '1.4.4', require: false"),
        (Kind::Workflow, "jobs:\n  a:\n    strategy:\n      matrix:\n        steps: [one, two]\n"),
        // A patched crate that one of a registry needs.
        (
            Kind::CargoLock,
            "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
             checksum = \"00\"\ndependencies = [\n \"z\",\n]\n\n[[package]]\nname = \"z\"\nversion = \"1.0.0\"\ndependencies = [\n \"a\",\n]\n",
        ),
    ] {
        cut(kind, text, Status::Parsed);
    }
}

#[test]
fn a_last_line_that_may_be_half_of_one_makes_a_file_partial() {
    use Status::{Failed, Parsed, Partial};
    // The go command writes a line break at the end, and so do pip-compile, uv and `pip freeze`.
    for (text, status) in [
        ("module a\nrequire golang.org/x/net v0.17.10\n", Parsed),
        ("module a\nrequire golang.org/x/net v0.17.1", Partial),
        ("module a\nrequire golang.org/x/net v0", Partial),
        ("module a\nrequire (\n\tgolang.org/x/net v0.17.1\n)", Parsed),
    ] {
        cut(Kind::GoMod, text, status);
    }
    cut(Kind::GoWork, "go 1.21\nuse ./ap", Partial);
    for (text, status) in [
        ("jinja2==2.10.1\n", Parsed),
        ("jinja2==2.10.1", Parsed), // People leave the break out.
        ("jinja2==2.1", Partial),   // Of 2.10.1?
        ("jinja2==2.", Partial),
        ("flask\njinja2==", Partial),
        ("flask>=2.0.1\njin", Partial), // The others name versions.
        ("requests\njinja", Parsed),    // None does: nothing tells a cut from a habit.
        ("flask>=2", Partial),
        ("flask==2.*", Parsed),
        ("flask>=2,", Partial),
        ("flask==1.0.0; python_version < '3", Partial),
        ("flask==1.0.0; python_version < '3'", Parsed),
        ("flask==1.0.0 # why", Parsed),
        ("zope==1.0.0\nflask==1.0.0", Parsed),
        ("flask==1.0.0\nzope==1.0.0", Parsed),
        // Many pins in the order of their names: `pip freeze`.
        ("a==1.0.0\nb==1.0.0\nc==1.0.0\nd==1.0.0\ne==1.0.0\nf==1.0.0\ng==1.0.0\nh==1.0.0\ni==1.0.0\nj==1.0.0", Partial),
        ("numpy # see https://numpy.org\nrequests", Parsed),
        ("# This file is autogenerated by pip-compile\nzope==1.0.0", Partial),
        ("flask==1.0.0 \\\n  --hash=sha256:00", Partial),
        ("flask==1.0.0 \\\n", Partial),
        ("flask==1.0.0 \\\n  --hash=sha256:00 \\\n", Partial),
        ("flask==1.0.0 \\\n\nzope==1.0.0\n", Parsed),
    ] {
        cut(Kind::Requirements, text, status);
    }
    let setup = |last: &str| format!("[options]\ninstall_requires =\n    flask==1.0.0\n    {last}");
    cut(Kind::SetupCfg, &setup("jinja2==2.10.1"), Parsed);
    cut(Kind::SetupCfg, &setup("jinja2==2.1"), Partial);
    cut(Kind::SetupCfg, &setup("jin"), Partial);
    cut(Kind::SetupCfg, &(setup("jinja2==2.10.1") + "\n[flake8]\nmax = 1"), Parsed);
    let flow = |last: &str| format!("jobs:\n  a:\n    steps:\n      - uses: a/b@v1.0.0\n      - {last}");
    for (last, status) in [
        ("uses: actions/checkout@v4.1.0", Parsed),
        ("uses: actions/checkout@v4.1", Partial),
        ("uses: actions/checkout@", Partial),
        ("uses: actions/che", Partial),
        ("us", Partial),
        ("uses: actions/checkout@v4\n", Parsed),
        ("uses: ./own", Parsed),
        ("uses: tj-actions/changed-files@0e58ed8671d6b60d0890c21b07f8835ace038e67 # v45.0.7", Parsed),
        ("uses: tj-actions/changed-files@0e58ed8671d6b60d0890c21b07f8835ace038e67 # v45.0", Partial),
        ("uses: tj-actions/changed-files@0e58ed8671d6b60d", Partial),
        ("run: make", Parsed),
    ] {
        cut(Kind::Workflow, &flow(last), status);
    }
    let pub_yaml = |last: &str| format!("name: a\ndependencies:\n  http: ^0.13.3\n  {last}");
    for (last, status) in [
        ("path: 1.8.2", Parsed),
        ("path: 1.8", Partial),
        ("path: ^1", Partial),
        ("path: any", Parsed),
        ("path:", Partial),
        ("path:\n", Parsed), // Any version.
        ("path: '>=1.0.0 <2.0.0", Partial),
        ("path: 1.8\n", Parsed),
    ] {
        cut(Kind::PubspecYaml, &pub_yaml(last), status);
    }
    let gems = |last: &str| format!("source \"https://rubygems.org\"\ngem \"rack\", \"2.2.3\"\n{last}");
    for (last, status) in [
        ("gem \"rails\", \"7.0.4\"", Parsed),
        ("gem \"rails\", \"7.0", Partial),
        ("gem \"rails\",\n", Partial),
        ("gem \"rails\", \"7.0.4\", group: :de", Partial),
        ("gem \"rails\", [\"7.0.4\",", Partial),
        ("group :test do\n  gem \"rspec\"\n", Partial),
        ("group :test do\n  gem \"rspec\"\nend", Parsed),
    ] {
        cut(Kind::Gemfile, &gems(last), status);
    }
    let mix = |rest: &str| format!("defmodule A do\n  defp deps do\n    [{{:b, \"== 1.0.0\"}}]\n{rest}");
    for (rest, status) in [
        ("  end\nend\n", Parsed),
        ("  end\nend", Parsed),
        ("  end\nen", Partial),
        ("  end\n", Partial),
        ("", Partial),
        ("  end\n  defp x, do: fn -> 1 end\nend\n", Parsed),
    ] {
        cut(Kind::MixExs, &mix(rest), status);
    }
    cut(Kind::CargoToml, "[dependencies.smallvec]\n", Failed);
    cut(Kind::CargoToml, "[dependencies]\na = \"1\"\n[dependencies.smallvec]\n", Partial);
    cut(Kind::CargoToml, "[dependencies.smallvec]\nversion = \"1\"\n", Parsed);
}

#[test]
fn a_last_entry_without_what_all_have_makes_a_lockfile_partial() {
    use Status::{Failed, Parsed, Partial};
    let yarn = "# yarn lockfile v1\n\n\na@^1:\n  version \"1.0.0\"\n  resolved \"https://registry.yarnpkg.com/a/-/a-1.0.0.tgz#00\"\n  \
                integrity sha512-x\n  dependencies:\n    b \"^1\"\n\nb@^1:\n  version \"1.0.0\"\n  resolved \
                \"https://registry.yarnpkg.com/b/-/b-1.0.0.tgz#00\"\n  integrity sha512-x\n";
    let cargo = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \
                 \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"\ndependencies = [\n \"b\",\n]\n\n[[package]]\n\
                 name = \"b\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"\n";
    let uv = "version = 1\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n\
              wheels = [\n    { url = \"https://files.pythonhosted.org/a.whl\", hash = \"sha256:00\" },\n]\n\n\
              [[package]]\nname = \"b\"\nversion = \"1.0.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n\
              wheels = [\n    { url = \"https://files.pythonhosted.org/b.whl\", hash = \"sha256:00\" },\n]\n";
    let pdm = "[metadata]\nlock_version = \"4.5.0\"\n\n[[package]]\nname = \"a\"\nversion = \"1\"\nfiles = []\n\n[[package]]\n\
               name = \"b\"\nversion = \"1\"\nfiles = []\n";
    let pylock = "lock-version = \"1.0\"\n\n[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [{ name = \"a.whl\" }]\n\n\
                  [[packages]]\nname = \"b\"\nversion = \"1\"\nwheels = [{ name = \"b.whl\" }]\n";
    let pnpm = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      a:\n        specifier: ^1\n        \
                version: 1.0.0\n\npackages:\n\n  a@1.0.0:\n    resolution: {integrity: sha512-x}\n\nsnapshots:\n\n  a@1.0.0: {}\n";
    let stack = "packages: []\nsnapshots:\n- completed:\n    sha256: 00\n    url: https://example.com/0.yaml\n  original: lts-19.0\n";
    for (kind, text, ends) in [
        (Kind::YarnLock, yarn, &["\n  integrity sha512-x\n", "\n  resolved", "\n  version"][..]),
        (Kind::CargoLock, cargo, &["checksum = \"00\"\n", "source = ", "version = \"1.0.0\""]),
        (Kind::UvLock, uv, &["wheels = ", "    {"]),
        (Kind::PdmLock, pdm, &["files", "version"]),
        (Kind::Pylock, pylock, &["wheels", "version"]),
        (Kind::PnpmLock, pnpm, &["  a@1.0.0: {}", "snapshots:", "    resolution", "        version"]),
        (Kind::StackLock, stack, &["  original", "    url", "    sha256", "- completed", "snapshots"]),
    ] {
        cut(kind, text, Parsed);
        for end in ends {
            let at = text.rfind(end).unwrap_or_else(|| panic!("{end:?} is not in it"));
            let reading = kind.read(text[..at].trim_start_matches('\n').as_bytes());
            assert!(matches!(reading.status, Partial | Failed), "{kind:?} before {end:?}: {:?}", reading.packages);
            let reading = kind.read(format!("{}\n", text[..at].trim_end()).as_bytes());
            assert!(matches!(reading.status, Partial | Failed), "{kind:?} before {end:?}: {:?}", reading.packages);
        }
    }
    // What is the project's own, or a folder of it, has neither.
    cut(Kind::YarnLock, "# yarn lockfile v1\n\n\n\"a@file:./a\":\n  version \"1.0.0\"\n", Parsed);
    cut(Kind::CargoLock, "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n", Parsed);
    cut(Kind::YarnLock, "# yarn lockfile v1\n\n\n", Parsed);
    cut(Kind::YarnLock, "", Parsed); // the mark of a project
    for kind in [Kind::CargoLock, Kind::PnpmLock, Kind::GoMod, Kind::MixLock, Kind::CabalFreeze] {
        cut(kind, "", Failed);
        cut(kind, "\n\n", Failed);
    }
    cut(Kind::Requirements, "", Parsed);
}

/// A `*.deps.json` leaves out what the framework brings itself, and format 1 of npm what another platform needs: there nothing is missed.
#[test]
fn a_need_that_the_file_does_not_have_makes_it_partial() {
    let rows: [(Kind, &str); 20] = [
        (
            Kind::PackageLock,
            r#"{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"version":"1.0.0","dependencies":{"gone":"1"}}}}"#,
        ),
        (
            Kind::PackageLock,
            r#"{"lockfileVersion":3,"packages":{"":{"dependencies":{"gone":"1"}},"node_modules/a":{"version":"1.0.0"}}}"#,
        ),
        (
            Kind::YarnLock,
            "# yarn lockfile v1\n\na@^1:\n  version \"1.0.0\"\n  resolved \"https://registry.yarnpkg.com/a/-/a-1.0.0.tgz#00\"\n  dependencies:\n    gone \"^1\"\n",
        ),
        (
            Kind::YarnLock,
            "__metadata:\n  version: 8\n\n\"a@npm:^1\":\n  version: 1.0.0\n  resolution: \"a@npm:1.0.0\"\n  dependencies:\n    gone: \"npm:^1\"\n  linkType: hard\n",
        ),
        (
            Kind::PnpmLock,
            "lockfileVersion: '9.0'\n\npackages:\n\n  a@1.0.0:\n    resolution: {integrity: sha512-x}\n\nsnapshots:\n\n  a@1.0.0:\n    dependencies:\n      gone: 1.0.0\n",
        ),
        (
            Kind::PnpmLock,
            "lockfileVersion: '6.0'\n\npackages:\n\n  /a@1.0.0:\n    resolution: {integrity: sha512-x}\n    dependencies:\n      gone: 1.0.0\n    dev: false\n",
        ),
        (
            Kind::BunLock,
            r#"{"lockfileVersion":1,"workspaces":{"":{"dependencies":{"a":"1"}}},"packages":{"a":["a@1.0.0","",{"dependencies":{"gone":"1"}},"sha512-"]}}"#,
        ),
        (
            Kind::DenoLock,
            r#"{"version":"4","specifiers":{"npm:a@1":"1.0.0"},"npm":{"a@1.0.0":{"integrity":"","dependencies":["gone"]}}}"#,
        ),
        (
            Kind::DenoLock,
            r#"{"version":"4","specifiers":{"npm:gone@1":"1.0.0","npm:a@1":"1.0.0"},"npm":{"a@1.0.0":{"integrity":""}}}"#,
        ),
        (
            Kind::PoetryLock,
            "[[package]]\nname = \"a\"\nversion = \"1\"\n\n[package.dependencies]\ngone = \">=1\"\n\n[metadata]\nlock-version = \"2.0\"\ncontent-hash = \"0\"\n",
        ),
        (
            Kind::PdmLock,
            "[metadata]\nlock_version = \"4.5.0\"\n\n[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\n    \"gone>=1\",\n]\nfiles = []\n",
        ),
        (
            Kind::UvLock,
            "version = 1\n\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { registry = \"https://pypi.org/simple\" }\ndependencies = [\n    { name = \"gone\" },\n]\nwheels = [\n]\n",
        ),
        (
            Kind::CargoLock,
            "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\n \"gone\",\n]\n",
        ),
        (
            Kind::GemfileLock,
            "GEM\n  remote: https://rubygems.org/\n  specs:\n    a (1.0)\n      gone\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  a\n",
        ),
        (Kind::ComposerLock, r#"{"packages": [{"name":"a/a","version":"1.0.0","require":{"gone/gone":"*"}}]}"#),
        (
            Kind::MixLock,
            "%{\n  \"a\": {:hex, :a, \"1.0.0\", \"\", [:mix], [{:gone, \"~> 1.0\", [hex: :gone]}], \"hexpm\", \"\"},\n}\n",
        ),
        (
            Kind::NuGetLock,
            r#"{"version":1,"dependencies":{"net6.0":{"A":{"type":"Direct","resolved":"1.0.0","dependencies":{"gone":"1"}}}}}"#,
        ),
        (
            Kind::ConanLock,
            r#"{"version":"0.4","graph_lock":{"nodes":{"0":{"ref":"app/1","requires":["1"]},"1":{"ref":"zlib/1.2.11#a","context":"host","requires":["9"]}}}}"#,
        ),
        (
            Kind::PodfileLock,
            "PODS:\n  - A (1.0):\n    - gone\n\nDEPENDENCIES:\n  - A\n\nSPEC CHECKSUMS:\n  A: 00\n\nPODFILE CHECKSUM: 00\n\nCOCOAPODS: 1.0\n",
        ),
        (
            Kind::RenvLock,
            r#"{"R":{"Version":"4.3.0","Repositories":[]},"Packages":{"a":{"Package":"a","Version":"1","Source":"Repository","Repository":"CRAN","Requirements":["gone"]}}}"#,
        ),
    ];
    for (kind, text) in rows {
        let reading = kind.read(text.as_bytes());
        let told: Vec<&str> = reading.problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(reading.status, Status::Partial, "{kind:?} {text}: {told:?}");
        assert!(told.iter().any(|message| message.contains("gone") || message.contains("\"9\"")), "{kind:?}: {told:?}");
        assert!(!reading.packages.is_empty(), "{kind:?}: what is there is judged");
    }
    let needs = |to: &str| {
        format!(
            "{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\"components\":[{{\"type\":\"library\",\"name\":\"a\",\
             \"bom-ref\":\"a\",\"purl\":\"pkg:npm/a@1.0.0\"}}],\"dependencies\":[{{\"ref\":\"a\",\"dependsOn\":[\"{to}\"]}}]}}"
        )
    };
    cut(Kind::Bill, &needs("gone"), Status::Partial);
    let spdx = |to: &str| {
        format!(
            "{{\"spdxVersion\":\"SPDX-2.3\",\"packages\":[{{\"SPDXID\":\"SPDXRef-a\",\"name\":\"a\",\"externalRefs\":[{{\
             \"referenceType\":\"purl\",\"referenceLocator\":\"pkg:gem/a@1\"}}]}}],\"relationships\":[{{\"spdxElementId\":\
             \"SPDXRef-a\",\"relationshipType\":\"DEPENDS_ON\",\"relatedSpdxElement\":\"{to}\"}}]}}"
        )
    };
    cut(Kind::Bill, &spdx("SPDXRef-gone"), Status::Partial);
    cut(Kind::Bill, &spdx("NONE"), Status::Parsed);
}
