//! What is installed: databases of distributions, packages of languages, programs, archives.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod rpm;

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;

use aiva_sca::inventory::{Expect, Inventory, Options, What, read_installed, rootfs, what};
use aiva_sca::package::{Input, Source, Status};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub(crate) use rpm::rpmdb;

pub(crate) const STATUS: &str = "\
Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl (3.0.11-1)
Version: 3.0.11-1+b1
Description: Secure Sockets Layer toolkit
 Package: not-a-field

Package: bash
Status: install ok installed
Version: 5.2.15-2

Package: gone
Status: deinstall ok config-files
Version: 1

";

pub(crate) const APK: &str = "\
C:Q1abc=
P:libssl3
V:3.1.4-r1
A:x86_64
L:Apache-2.0
o:openssl
F:usr/lib
R:libssl.so.3
F:usr/lib/python3.11/site-packages/own-1.0.dist-info
R:METADATA

P:musl
V:1.2.4-r2
o:musl

";

pub(crate) const DEBIAN: &str = "ID=debian\nVERSION_ID=\"12\"\n";
const METADATA: &str =
    "Metadata-Version: 2.1\nName: Jinja2\nVersion: 3.1.2\nLicense: BSD-3-Clause\n\nName: no-header\n";

/// An ELF file with sections of these names and contents.
pub(crate) fn elf(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names = vec![0_u8];
    let mut body = vec![0_u8; 64];
    let mut headers = vec![[0_u8; 64]];
    let mut all: Vec<(&str, Vec<u8>)> = sections.iter().map(|(name, data)| (*name, data.to_vec())).collect();
    all.push((".shstrtab", Vec::new()));
    let last = all.len();
    for (at, (name, mut data)) in all.into_iter().enumerate() {
        let name_at = names.len() as u32;
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        if at + 1 == last {
            data = names.clone();
        }
        body.resize(body.len().next_multiple_of(16), 0);
        let mut header = [0_u8; 64];
        header[..4].copy_from_slice(&name_at.to_le_bytes());
        header[4] = if at + 1 == last { 3 } else { 1 };
        header[24..32].copy_from_slice(&(body.len() as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(data.len() as u64).to_le_bytes());
        headers.push(header);
        body.extend_from_slice(&data);
    }
    body.resize(body.len().next_multiple_of(16), 0);
    let table = body.len() as u64;
    headers.iter().for_each(|header| body.extend_from_slice(header));
    body[..16].copy_from_slice(b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    body[16..24].copy_from_slice(&[2, 0, 62, 0, 1, 0, 0, 0]);
    body[40..48].copy_from_slice(&table.to_le_bytes());
    body[52..54].copy_from_slice(&64_u16.to_le_bytes());
    body[58..60].copy_from_slice(&64_u16.to_le_bytes());
    body[60..62].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    body[62..64].copy_from_slice(&(headers.len() as u16 - 1).to_le_bytes());
    body
}

/// Go's build information as Go 1.18 and later write it.
pub(crate) fn go_info(version: &str, modules: &str) -> Vec<u8> {
    let mut info = b"\xFF Go buildinf:\x08\x02".to_vec();
    info.resize(32, 0);
    let mut text = |bytes: &[u8]| {
        let mut length = bytes.len();
        while length >= 0x80 {
            info.push(length as u8 | 0x80);
            length >>= 7;
        }
        info.push(length as u8);
        info.extend_from_slice(bytes);
    };
    text(version.as_bytes());
    let mark = [0x30_u8; 16];
    text(&[&mark, modules.as_bytes(), &mark].concat());
    info
}

const MODULES: &str = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\tgolang.org/x/net\tv0.7.0\th1:x=\n\
                       dep\texample.com/old\tv1.0.0\n=>\texample.com/new\tv1.1.0\th1:y=\ndep\texample.com/here\tv0.0.0\n\
                       =>\t../here\t\nbuild\t-compiler=gc\n";

fn auditable(json: &str) -> Vec<u8> {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::default());
    let mut packed = vec![0; compressor.zlib_compress_bound(json.len())];
    let length = compressor.zlib_compress(json.as_bytes(), &mut packed).unwrap();
    packed.truncate(length);
    packed
}

const CRATES: &str = r#"{"packages":[
    {"name":"app","version":"0.1.0","source":"local","dependencies":[1,2],"root":true},
    {"name":"time","version":"0.1.40","source":"crates.io"},
    {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"}]}"#;

pub(crate) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn fat_jar() -> Vec<u8> {
    let properties = b"#made by\ngroupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n";
    let inner = archive(&[("META-INF/maven/g/a/pom.properties", properties)]);
    let bare = archive(&[("META-INF/MANIFEST.MF", b"Implementation-Title: bare\r\nImplementation-Version: 3\r\n")]);
    archive(&[
        ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n"),
        ("BOOT-INF/lib/log4j-core-2.14.1.jar", &inner),
        ("BOOT-INF/lib/bare.jar", &bare),
    ])
}

pub(crate) fn put(root: &Path, path: &str, content: &[u8]) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, content).unwrap();
    #[cfg(unix)]
    if path.contains("bin/") {
        let run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&file, run).unwrap();
    }
}

pub(crate) fn taken(root: &Path) -> Inventory {
    rootfs(root, &Options::default(), Expect::System, &|_| {}).unwrap()
}

/// `ecosystem name version` of each package, with what it was built from.
pub(crate) fn rows(inputs: &[Input]) -> Vec<String> {
    let row = |input: &Input| {
        let packages = input.packages.iter().map(|package| {
            let from = package.built_from().map(|from| format!(" from {} {}", from.name, from.version));
            format!("{} {} {}{}", package.ecosystem, package.name, package.version, from.unwrap_or_default())
        });
        let open =
            input.not_judged.iter().map(|one| format!("{} {} {} open", one.ecosystem, one.name, one.requirement));
        packages.chain(open).collect::<Vec<_>>()
    };
    inputs.iter().flat_map(row).collect()
}

#[test]
fn a_root_file_system_says_what_is_installed_in_it() {
    let root = TempDir::new().unwrap();
    let at = root.path();
    put(at, "usr/lib/os-release", DEBIAN.as_bytes());
    put(at, "var/lib/dpkg/status", STATUS.as_bytes());
    put(at, "usr/local/lib/python3.11/site-packages/jinja2-3.1.2.dist-info/METADATA", METADATA.as_bytes());
    // The distribution's own: its advisories speak for it.
    put(at, "usr/lib/python3/dist-packages/yaml-6.0.egg-info/PKG-INFO", b"Name: PyYAML\nVersion: 6.0\n");
    put(at, "var/lib/dpkg/info/python3-yaml.list", b"/.\n/usr/lib/python3/dist-packages/yaml-6.0.egg-info/PKG-INFO\n");
    put(
        at,
        "app/node_modules/left-pad/package.json",
        br#"{"name": "left-pad", "version": "1.3.0", "license": "WTFPL"}"#,
    );
    put(at, "app/node_modules/@a/b/node_modules/c/package.json", br#"{"name": "c", "version": "2.0.0"}"#);
    put(at, "app/node_modules/left-pad/test/package.json", br#"{"type": "module"}"#); // no package of its own
    put(at, "app/app.jar", &fat_jar());
    put(at, "usr/local/bin/tool", &elf(&[(".go.buildinfo", &go_info("go1.21.3 X:boring", MODULES))]));
    put(at, "usr/local/bin/crab", &elf(&[(".dep-v0", &auditable(CRATES))]));
    put(at, "usr/bin/true", &elf(&[(".text", b"nothing")]));
    let inventory = taken(at);
    assert!(inventory.inputs.iter().all(|input| input.status == Status::Parsed), "{:#?}", inventory.inputs);
    assert_eq!(
        rows(&inventory.inputs),
        [
            "Maven bare 3 open",
            "Maven org.apache.logging.log4j:log4j-core 2.14.1",
            "npm c 2.0.0",
            "npm left-pad 1.3.0",
            "crates.io app 0.1.0",
            "crates.io time 0.1.40",
            "crates.io cc 1.0.0",
            "Go stdlib 1.21.3",
            "Go golang.org/x/net 0.7.0",
            "Go example.com/new 1.1.0",
            "Go ../here 0.0.0",
            "PyPI jinja2 3.1.2",
            "Debian:12 libssl3 3.0.11-1+b1 from openssl 3.0.11-1",
            "Debian:12 bash 5.2.15-2",
        ]
    );
    let package = |name: &str| inventory.inputs.iter().flat_map(|input| &input.packages).find(|one| one.name == name);
    assert_eq!(package("../here").unwrap().source, Source::Path("../here".to_owned()));
    assert_eq!((package("time").unwrap().direct, package("left-pad").unwrap().line), (Some(true), 1));
    assert_eq!(*package("left-pad").unwrap().licenses, ["WTFPL"]);
    let jar = inventory.inputs.iter().find(|input| input.path.contains("log4j")).unwrap();
    assert_eq!((&*jar.path, &*jar.kind), ("app/app.jar!/BOOT-INF/lib/log4j-core-2.14.1.jar", "Java archive"));
}

#[test]
fn lockfiles_of_applications_are_read() {
    let composer = r#"{"packages": [{"name": "acme/one", "version": "1.0.0"}]}"#;
    let npm = r#"{"lockfileVersion": 3, "packages": {"": {}, "node_modules/left-pad": {"version": "1.0.0"}}}"#;
    let package = r#"{"name": "left-pad", "version": "1.3.0"}"#;
    let root = TempDir::new().unwrap();
    put(root.path(), "etc/os-release", DEBIAN.as_bytes());
    put(root.path(), "var/lib/dpkg/status", b"Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2\n\n");
    put(root.path(), "srv/shop/composer.lock", composer.as_bytes());
    put(root.path(), "srv/web/package-lock.json", npm.as_bytes());
    // What is installed beside its lockfile speaks for itself; the lockfiles of what is installed are of its authors.
    put(root.path(), "srv/run/package-lock.json", npm.as_bytes());
    put(root.path(), "srv/run/node_modules/left-pad/package.json", package.as_bytes());
    put(root.path(), "srv/run/node_modules/left-pad/package-lock.json", npm.as_bytes());
    put(root.path(), "srv/shop/vendor/acme/one/composer.lock", composer.as_bytes());
    put(root.path(), "root/.cargo/registry/src/a/composer.lock", composer.as_bytes());
    put(root.path(), "root/go/pkg/mod/a@v1.0.0/composer.lock", composer.as_bytes());
    put(root.path(), "srv/broken/composer.lock", b"{");
    let inventory = taken(root.path());
    let want = [
        ("srv/broken/composer.lock", "composer.lock", Status::Failed),
        ("srv/run/node_modules/left-pad/package.json", "installed npm package", Status::Parsed),
        ("srv/shop/composer.lock", "composer.lock", Status::Parsed),
        ("srv/web/package-lock.json", "package-lock.json", Status::Parsed),
        ("var/lib/dpkg/status", "dpkg database", Status::Parsed),
    ];
    let got: Vec<_> = inventory.inputs.iter().map(|input| (&*input.path, &*input.kind, input.status)).collect();
    assert_eq!(got, want);
    assert_eq!(rows(&inventory.inputs)[..2], ["npm left-pad 1.3.0", "Packagist acme/one 1.0.0"]);
    // In a repository they are read with their manifests, and not once more.
    let again = rootfs(root.path(), &Options::default(), Expect::Packages, &|_| {}).unwrap();
    assert!(again.inputs.iter().all(|input| !input.path.ends_with("lock.json") && !input.path.ends_with(".lock")));
}

#[test]
fn where_a_distribution_of_python_comes_from_is_known() {
    let at = |folder: &str, file: &str| format!("lib/site-packages/{folder}.dist-info/{file}");
    let source = |url: &str| {
        let root = TempDir::new().unwrap();
        put(root.path(), &at("jinja2-3.1.2", "METADATA"), METADATA.as_bytes());
        put(root.path(), &at("jinja2-3.1.2", "direct_url.json"), url.as_bytes());
        let inventory = rootfs(root.path(), &Options::default(), Expect::Packages, &|_| {}).unwrap();
        let sources = inventory.inputs.iter().flat_map(|input| &input.packages).map(|package| package.source.clone());
        (sources.collect::<Vec<_>>(), inventory.inputs.iter().map(|input| input.status).max().unwrap())
    };
    let address = |text: &str| text.to_owned();
    for (text, want) in [
        (
            r#"{"url": "https://user:secret@example.com/a.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}"#,
            Source::Git(address("https://example.com/a.git")),
        ),
        (r#"{"dir_info": {"editable": true}, "url": "file:///src/a"}"#, Source::Path(address("file:///src/a"))),
        (
            r#"{"url": "https://example.com/a.whl", "archive_info": {}}"#,
            Source::Url(address("https://example.com/a.whl")),
        ),
        (r#"{"url": "file:///a.whl", "archive_info": {}}"#, Source::Path(address("file:///a.whl"))),
        (r#"{"url": "https://files.pythonhosted.org/a.whl", "archive_info": {}}"#, Source::Registry),
    ] {
        assert_eq!(source(text), (vec![want], Status::Parsed), "{text}");
    }
    for broken in ["", "[]", "{", r#"{"url": "x""#, r#"{"archive_info": {}}"#] {
        assert_eq!(source(broken), (vec![Source::Registry], Status::Failed), "{broken}");
    }
}

#[test]
fn what_pip_leaves_behind_is_no_package() {
    let root = TempDir::new().unwrap();
    let at = |path: &str| format!("lib/site-packages/{path}");
    let latin = b"Metadata-Version: 1.1\nName: Latin\nVersion: 1.0\nAuthor: Ren\xe9\n\n";
    put(root.path(), &at("latin-1.0.dist-info/METADATA"), latin);
    put(root.path(), &at("~inja2-3.1.2.dist-info/METADATA"), METADATA.as_bytes());
    put(root.path(), &at("~inja2-3.1.2.dist-info/RECORD"), b"");
    put(root.path(), &at("half-1.0.dist-info/RECORD"), b"");
    put(root.path(), &at("half-1.0.dist-info/WHEEL"), b"");
    put(root.path(), &at("whole-1.0.dist-info/RECORD"), b"");
    put(root.path(), &at("whole-1.0.dist-info/METADATA"), METADATA.as_bytes());
    let inventory = rootfs(root.path(), &Options::default(), Expect::Packages, &|_| {}).unwrap();
    assert_eq!(rows(&inventory.inputs), ["PyPI latin 1.0", "PyPI jinja2 3.1.2"]);
    let half: Vec<_> = inventory.inputs.iter().filter(|input| input.path.contains("half")).collect();
    assert_eq!((half.len(), half[0].status), (1, Status::Failed));
    assert!(half[0].problems[0].message.contains("without its METADATA"));
}

#[test]
fn what_cannot_be_judged_is_said() {
    // An unknown distribution keeps its name, and its Python packages are judged by themselves.
    let root = TempDir::new().unwrap();
    put(root.path(), "etc/os-release", b"ID=fedora\nVERSION_ID=40\n");
    put(root.path(), "var/lib/rpm/rpmdb.sqlite", &rpmdb());
    put(root.path(), "usr/lib/python3.9/site-packages/openssl-libs.dist-info/METADATA", METADATA.as_bytes());
    let rows = rows(&taken(root.path()).inputs);
    assert_eq!((rows.len(), &*rows[0]), (302, "PyPI jinja2 3.1.2"));
    assert!(rows[1].starts_with("rpm:fedora:40 openssl-libs"), "{}", rows[1]);

    for (path, content, status, said) in [
        ("var/lib/dpkg/status", STATUS.as_bytes(), Status::Partial, "no os-release file"),
        ("var/lib/rpm/Packages", b"\x00\x05".as_slice(), Status::Failed, "in none of the forms"),
        ("usr/lib/sysimage/rpm/Packages.db", b"RpmP", Status::Failed, "ends within its header"),
        ("usr/lib/sysimage/rpm/rpmdb.sqlite-wal", b"log", Status::Failed, "was in use"),
        ("etc/passwd", b"", Status::Unsupported, "no database of dpkg, apk or rpm"),
    ] {
        let root = TempDir::new().unwrap();
        put(root.path(), path, content);
        let inventory = taken(root.path());
        let input = &inventory.inputs[0];
        let problem = &input.problems[0].message;
        assert_eq!(input.status, status, "{path}");
        assert!(problem.contains(said), "{path}: {problem}");
    }
}

#[test]
fn only_what_lies_in_the_folder_is_read() {
    let outside = TempDir::new().unwrap();
    put(outside.path(), "dpkg/status", STATUS.as_bytes());
    let root = TempDir::new().unwrap();
    put(root.path(), "etc/os-release", DEBIAN.as_bytes());
    fs::create_dir_all(root.path().join("var/lib")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(outside.path().join("dpkg"), root.path().join("var/lib/dpkg")).unwrap();
    let inventory = taken(root.path());
    assert_eq!(rows(&inventory.inputs), <[String; 0]>::default());
    assert_eq!(inventory.inputs[0].status, Status::Unsupported);
}

/// Every reader with a file of its own, and whether the file has an end that a cut takes away.
fn samples() -> Vec<(&'static str, Vec<u8>, bool)> {
    let go = elf(&[(".go.buildinfo", &go_info("go1.21.3", MODULES))]);
    let crab = elf(&[(".dep-v0", &auditable(CRATES))]);
    let manifest = br#"{"name": "left-pad", "version": "1.3.0"}"#.to_vec();
    vec![
        ("var/lib/dpkg/status", STATUS.as_bytes().to_vec(), true),
        ("lib/apk/db/installed", APK.as_bytes().to_vec(), true),
        ("app/node_modules/left-pad/package.json", manifest, true),
        ("app/a.jar", fat_jar(), true),
        ("usr/bin/go", go, true),
        ("usr/bin/crab", crab, true),
        ("a.dist-info/METADATA", METADATA.as_bytes().to_vec(), false),
        ("var/lib/dpkg/status.d/base", STATUS.as_bytes().to_vec(), false),
        ("etc/os-release", DEBIAN.as_bytes().to_vec(), false),
    ]
}

#[test]
fn a_file_that_was_cut_anywhere_never_panics_and_is_never_called_parsed() {
    for (path, bytes, has_end) in samples() {
        let what = what(path).unwrap_or(What::Program);
        let whole = read_installed(path, what, &bytes).unwrap();
        assert!(whole.readings.iter().all(|(_, reading)| reading.status == Status::Parsed), "{path}");
        let count = |piece: &aiva_sca::inventory::Piece| {
            piece.readings.iter().map(|(_, reading)| reading.packages.len()).sum::<usize>()
        };
        // Programs and archives are mostly tables: a prime step meets every part of them.
        let step = if bytes.len() > 600 { 7 } else { 1 };
        for cut in (1..bytes.len()).step_by(step) {
            let Some(part) = read_installed(path, what, &bytes[..cut]) else { continue };
            let is_parsed = part.readings.iter().all(|(_, reading)| reading.status == Status::Parsed);
            // An empty line between two records looks like the end of them all.
            let at_record = bytes[..cut].ends_with(b"\n\n");
            assert!(!(has_end && is_parsed) || at_record, "{path} cut at {cut}");
            assert!(count(&part) <= count(&whole), "{path} cut at {cut}");
        }
    }
}

#[test]
fn a_list_of_crates_unpacks_within_bounds() {
    let bomb = auditable(&" ".repeat(9 * 1024 * 1024));
    let reading = read_installed("bin/a", What::Program, &elf(&[(".dep-v0", &bomb)])).unwrap().readings.remove(0).1;
    assert_eq!(reading.status, Status::Failed);
}

#[test]
fn archives_are_nested_only_so_deep() {
    let mut jar = fat_jar();
    for _ in 0..8 {
        jar = archive(&[("lib/inner.jar", &jar)]);
    }
    let piece = read_installed("a.jar", What::Jar, &jar).unwrap();
    let last = &piece.readings.last().unwrap().1;
    assert!(last.problems[0].message.contains("nested too deep"), "{last:?}");
    assert!(piece.readings.len() < 8);
}

#[test]
fn a_source_package_is_named_as_the_advisories_name_it() {
    for (source, version, want) in [
        ("", "1.0-1", "Debian:12 a 1.0-1"),
        ("Source: b\n", "1.0-1", "Debian:12 a 1.0-1 from b 1.0-1"),
        ("Source: b (2:1.0-1)\n", "1.0-1+b2", "Debian:12 a 1.0-1+b2 from b 2:1.0-1"),
        ("Source: a (1.0-1)\n", "1.0-1+b2", "Debian:12 a 1.0-1+b2 from a 1.0-1"),
        ("Source: linux-signed-amd64 (6.1.76+1)\n", "6.1.76-1", "Debian:12 a 6.1.76-1 from linux 6.1.76-1"),
    ] {
        let root = TempDir::new().unwrap();
        put(root.path(), "etc/os-release", DEBIAN.as_bytes());
        let status = format!("Package: a\nStatus: install ok installed\n{source}Version: {version}\n\n");
        put(root.path(), "var/lib/dpkg/status", status.as_bytes());
        assert_eq!(rows(&taken(root.path()).inputs), [want]);
    }
}
