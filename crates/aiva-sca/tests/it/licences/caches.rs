//! What other managers leave on the machine: NuGet, RubyGems, Composer, Dart, mix, Yarn.

use std::fs;
use std::io::Write as _;

use aiva_sca::inventory::{Options, walk};
use aiva_sca::licence::locate::Caches;
use aiva_sca::licence::survey::{Depth, survey};
use zip::write::SimpleFileOptions;

use super::{check, text, write};

const NUGET_LOCK: &str = r#"{"version":1,"dependencies":{"net8.0":{
    "Acme.Json":{"type":"Direct","requested":"[13.0.1, )","resolved":"13.0.1","contentHash":""}}}}"#;

#[test]
fn a_nuget_package_is_looked_up_in_the_global_packages() {
    let nuspec = |inner: &str| {
        format!(
            "\u{feff}<?xml version=\"1.0\"?><package><metadata><id>Acme.Json</id><version>13.0.1</version>{inner}</metadata></package>"
        )
    };
    let at = "~/nuget/acme.json/13.0.1/acme.json.nuspec";
    let unknown =
        "unknown: the lockfile does not say, and the package is in no local cache: not in NuGet's global packages";
    check(&[("packages.lock.json", NUGET_LOCK)], &[&format!("Acme.Json 13.0.1: {unknown}")]);
    for (inner, want) in [
        ("<license type=\"expression\">MIT OR Apache-2.0</license>", "MIT OR Apache-2.0"),
        ("<license type=\"expression\">MIT</license><licenseUrl>https://licenses.nuget.org/ISC</licenseUrl>", "MIT"),
        ("<licenseUrl>https://licenses.nuget.org/MIT%20OR%20GPL-2.0%2B</licenseUrl>", "MIT OR GPL-2.0-or-later"),
        ("<licenseUrl>https://www.apache.org/licenses/LICENSE-2.0</licenseUrl>", "Apache-2.0"),
        // The page that NuGet puts there for a file says nothing.
        (
            "<license type=\"file\">docs\\TERMS.txt</license><licenseUrl>https://aka.ms/deprecateLicenseUrl</licenseUrl>",
            "BSD-3-Clause",
        ),
        ("<license type=\"file\">../../TERMS.txt</license>", "unknown: the package does not say"),
        ("<licenseUrl>https://example.com/terms</licenseUrl>", "unknown: the package does not say"),
    ] {
        let nuspec = nuspec(inner);
        let files = [
            ("packages.lock.json", NUGET_LOCK),
            (at, &nuspec),
            ("~/nuget/acme.json/13.0.1/docs/TERMS.txt", text("BSD-3-Clause")),
            ("~/nuget/TERMS.txt", text("ISC")),
        ];
        check(&files, &[&format!("Acme.Json 13.0.1: {want}")]);
    }
    // The folder has the version as NuGet writes it.
    let short = NUGET_LOCK.replace("\"13.0.1\"", "\"13.0.1.0+build\"");
    let mit = nuspec("<license type=\"expression\">MIT</license>");
    check(&[("packages.lock.json", &short), (at, &mit)], &["Acme.Json 13.0.1.0+build: MIT"]);
    let outside = NUGET_LOCK.replace("Acme.Json", "../acme.json");
    check(&[("packages.lock.json", &outside), (at, &mit)], &[&format!("../acme.json 13.0.1: {unknown}")]);
}

#[test]
fn a_gem_is_looked_up_where_it_is_installed() {
    let lock = "GEM\n  remote: https://rubygems.org/\n  specs:\n    left (1.0.0)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  left\n";
    let spec = |licences: &str| {
        format!(
            "# stub: left 1.0.0 ruby lib\nGem::Specification.new do |s|\n  s.name = \"left\".freeze\n{licences}  s.summary = \"licenses = \\\"GPL-3.0\\\"\"\nend\n"
        )
    };
    let one = spec("  s.licenses = [\"MIT\".freeze]\n");
    let two = spec("  s.licenses = [\"Ruby\", \"BSD-2-Clause\"]\n");
    let none = spec("");
    let bundle = "vendor/bundle/ruby/3.3.0";
    let own = format!("{bundle}/specifications/left-1.0.0.gemspec");
    let platform = "~/gem/ruby/3.2.0/specifications/left-1.0.0-x86_64-linux.gemspec";
    let home = "~/gem/specifications/left-1.0.0.gemspec";
    let unknown = "unknown: the lockfile does not say, and the package is in no local cache: not in vendor/bundle/ or the homes of RubyGems";
    let licence = format!("{bundle}/gems/left-1.0.0/MIT-LICENSE");
    check(&[("Gemfile.lock", lock)], &[&format!("left 1.0.0: {unknown}")]);
    check(&[("Gemfile.lock", lock), (&own, &one)], &["left 1.0.0: MIT"]);
    check(&[("app/Gemfile.lock", lock), (&own, &two)], &["left 1.0.0: Ruby AND BSD-2-Clause"]);
    check(&[("Gemfile.lock", lock), (&own, &none), (&licence, text("ISC"))], &["left 1.0.0: ISC"]);
    check(&[("Gemfile.lock", lock), (platform, &one)], &["left 1.0.0: MIT"]);
    check(&[("Gemfile.lock", lock), (home, &one)], &["left 1.0.0: MIT"]);
    // Another version, another gem.
    for other in ["left-1.0.0.1", "left-1.0", "left-1.0.01"] {
        let other = format!("~/gem/specifications/{other}.gemspec");
        check(&[("Gemfile.lock", lock), (&other, &one)], &[&format!("left 1.0.0: {unknown}")]);
    }
}

#[test]
fn what_composer_installed_says_its_licence() {
    let lock = |licence: &str| {
        format!("{{\"packages\":[{{\"name\":\"acme/left\",\"version\":\"v1.0.0\"{licence}}}],\"packages-dev\":[]}}")
    };
    let installed = r#"[{"name":"acme/left","version":"v1.0.0","license":["MIT","GPL-3.0-only"]}]"#;
    let object = format!("{{\"packages\":{installed},\"dev\":true}}");
    let silent = r#"{"packages":[{"name":"acme/left","version":"1.0.0"}]}"#;
    let other = installed.replace("1.0.0", "2.0.0");
    let none = lock("");
    let file = "vendor/composer/installed.json";
    let unknown = "unknown: the lockfile does not say, and the package is in no local cache: not in vendor/";
    check(&[("composer.lock", &none), (file, installed)], &["acme/left 1.0.0: MIT OR GPL-3.0-only"]);
    check(&[("composer.lock", &none), (file, &object)], &["acme/left 1.0.0: MIT OR GPL-3.0-only"]);
    check(&[("composer.lock", &none), (file, &other)], &[&format!("acme/left 1.0.0: {unknown}")]);
    check(&[("composer.lock", &none), (file, "{\"packages\": [")], &[&format!("acme/left 1.0.0: {unknown}")]);
    let licence = ("vendor/acme/left/LICENSE", text("ISC"));
    check(&[("composer.lock", &none), (file, silent), licence], &["acme/left 1.0.0: ISC"]);
    // A list in the lockfile is a choice, not its first entry.
    let stated = lock(r#","license":["MIT","GPL-3.0-only"]"#);
    check(&[("composer.lock", &stated)], &["acme/left 1.0.0: MIT OR GPL-3.0-only"]);
}

#[test]
fn all_licences_of_a_bill_hold() {
    let bill = r#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"type":"library","name":"left","version":"1.0.0",
        "purl":"pkg:npm/left@1.0.0","licenses":[{"license":{"id":"MIT"}},{"license":{"name":"Apache License 2.0"}}]}]}"#;
    check(&[("bom.cdx.json", bill)], &["left 1.0.0: MIT AND Apache-2.0"]);
}

#[test]
fn a_dart_package_is_known_by_its_text_alone() {
    let lock = "packages:\n  left:\n    dependency: \"direct main\"\n    description:\n      name: left\n      url: \"https://pub.dev\"\n    \
                source: hosted\n    version: \"1.0.0\"\nsdks:\n  dart: \">=3.0.0 <4.0.0\"\n";
    let unknown = "unknown: the lockfile does not say, and the package is in no local cache: not in Dart's cache";
    check(&[("pubspec.lock", lock)], &[&format!("left 1.0.0: {unknown}")]);
    let cached = "~/pub-cache/hosted/pub.dev/left-1.0.0/LICENSE";
    check(&[("pubspec.lock", lock), (cached, text("BSD-3-Clause"))], &["left 1.0.0: BSD-3-Clause"]);
    let other = "~/pub-cache/hosted/pub.dev/left-1.0.1/LICENSE";
    check(&[("pubspec.lock", lock), (other, text("BSD-3-Clause"))], &[&format!("left 1.0.0: {unknown}")]);
}

#[test]
fn a_package_of_hex_is_looked_up_in_deps() {
    let lock = "%{\n  \"left\": {:hex, :left, \"1.0.0\", \"aa\", [:mix], [], \"hexpm\", \"bb\"},\n}\n";
    let metadata = "{<<\"links\">>,[{<<\"licenses\">>,<<\"x\">>}]}.\n{<<\"name\">>,<<\"left\">>}.\n{<<\"version\">>,<<\"1.0.0\">>}.\n\
                    {<<\"requirements\">>,\n [[{<<\"version\">>,<<\"2.0.0\">>}]]}.\n{<<\"licenses\">>,\n [<<\"Apache-2.0\">>,<<\"MIT\">>]}.\n";
    let thrice = metadata.replace(",<<\"MIT\">>", ",<<\"MIT\">>,<<\"Apache-2.0\">>,<<\"MIT\">>");
    let unknown = "unknown: the lockfile does not say, and the package is in no local cache: not in deps/";
    let file = "deps/left/hex_metadata.config";
    check(&[("mix.lock", lock)], &[&format!("left 1.0.0: {unknown}")]);
    check(&[("mix.lock", lock), (file, metadata)], &["left 1.0.0: Apache-2.0 AND MIT"]);
    check(&[("mix.lock", lock), (file, &thrice)], &["left 1.0.0: Apache-2.0 AND MIT"]);
    let other = metadata.replace("1.0.0", "1.0.1");
    check(&[("mix.lock", lock), (file, &other)], &[&format!("left 1.0.0: {unknown}")]);
    let silent = metadata.replace("<<\"Apache-2.0\">>,<<\"MIT\">>", "");
    check(&[("mix.lock", lock), (file, &silent), ("deps/left/LICENSE", text("ISC"))], &["left 1.0.0: ISC"]);
}

#[test]
fn a_package_of_yarn_is_looked_up_in_its_archives() {
    let lock = "__metadata:\n  version: 8\n  cacheKey: 10\n\n\"@s/left@npm:^1.0.0\":\n  version: 1.0.0\n  resolution: \"@s/left@npm:1.0.0\"\n  \
                checksum: aa\n  languageName: node\n  linkType: hard\n";
    let package = r#"{"name":"@s/left","version":"1.0.0","license":"SEE LICENSE IN docs/TERMS"}"#;
    let archive = |name: &str, bytes: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        let (root, home) = (folder.path().join("project"), folder.path().join("home"));
        write(&root, &[("yarn.lock", lock)]);
        let file = if name.starts_with('~') { home.join(&name[2..]) } else { root.join(name) };
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut zip = zip::ZipWriter::new(fs::File::create(file).unwrap());
        for (name, text) in bytes {
            zip.start_file(format!("node_modules/@s/left/{name}"), SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        let caches = Caches { yarn: Some(home.join("cache")), ..Caches::default() };
        let inventory = walk(&root, &Options::default(), &|_| {}).unwrap();
        let licensed = survey(&root, &inventory.inputs, &caches, Depth::Texts);
        let one = &licensed[0];
        let from: Vec<&str> = one.texts.iter().chain(&*one.notices).map(|text| text.from.as_str()).collect();
        format!("{} {from:?}", one.licence)
    };
    let at = ".yarn/cache/@s-left-npm-1.0.0-0123456789-aa.zip";
    let terms =
        [("package.json", package), ("docs/TERMS", text("MIT")), ("NOTICE", "By Ana.\n"), ("lib/LICENSE", text("ISC"))];
    let inner = format!("{at}!/node_modules/@s/left");
    assert_eq!(archive(at, &terms), format!("MIT [\"{inner}/docs/TERMS\", \"{inner}/NOTICE\"]"));
    let isc = package.replace("SEE LICENSE IN docs/TERMS", "ISC");
    assert_eq!(archive("~/cache/@s-left-npm-1.0.0-0123456789-10.zip", &[("package.json", &isc)]), "ISC []");
    let unknown = "unknown: the lockfile does not say, and the package is in no local cache: not in node_modules/ or Yarn's cache []";
    let other = isc.replace("1.0.0", "1.0.1");
    assert_eq!(archive(at, &[("package.json", &other)]), unknown);
    assert_eq!(archive(at, &[]), unknown);
    assert_eq!(archive(".yarn/cache/@s-left-npm-1.0.0-beta-0123456789-aa.zip", &[("package.json", &other)]), unknown);
    // What has to be on the disk, such as programs.
    let unplugged = ".yarn/unplugged/@s-left-npm-1.0.0-0123456789/node_modules/@s/left/package.json";
    check(&[("yarn.lock", lock), (unplugged, &isc)], &["@s/left 1.0.0: ISC"]);
}
