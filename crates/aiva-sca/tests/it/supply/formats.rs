//! What the lockfiles of each package manager give away of the ways by which packages come: hashes, encryption, commits.

use std::fs;

use aiva_sca::inventory::{Options, walk};
use aiva_sca::package::{Source, Status};
use aiva_sca::supply::Rules;

use super::check;

const COMMIT: &str = "0123456789012345678901234567890123456789";

/// Checks variants of one file: what stands in it for `%`, and the findings.
#[track_caller]
fn check_each(path: &str, text: &str, rows: &[(&str, &[&str])]) {
    for (part, want) in rows {
        check(&[(path, &text.replace('%', part).replace("COMMIT", COMMIT))], want);
    }
}

#[test]
fn pipenv() {
    let lock = "{\"_meta\": {\"pipfile-spec\": 6, \"sources\": [{\"name\": \"pypi\", \"url\": \"https://pypi.org/simple\"},\n\
                {\"name\": \"old\", \"url\": \"http://pypi.python.org/simple\"}]}, \"default\": {\n\
                \"mine\": {%},\n\
                \"other\": {\"hashes\": [\"sha256:00\"], \"index\": \"pypi\", \"version\": \"==1.0\"}}, \"develop\": {}}";
    let rows: &[(&str, &[&str])] = &[
        (r#""hashes": ["sha256:00"], "version": "==1.0""#, &[]),
        (r#""version": "==1.0""#, &["supply-integrity-missing Pipfile.lock:3"]),
        (r#""hashes": ["md5:00"], "version": "==1.0""#, &["supply-integrity-weak Pipfile.lock:3"]),
        (r#""hashes": ["sha256:00"], "index": "old", "version": "==1.0""#, &["supply-plain-http-checked mine:3"]),
        (r#""git": "https://a.example/mine.git", "ref": "COMMIT""#, &["supply-not-registry mine:3"]),
        (r#""file": "https://a.example/mine-1.0.zip""#, &["supply-not-registry mine:3"]),
        (r#""file": "https://files.pythonhosted.org/p/mine-1.0.zip", "hashes": ["sha256:00"]"#, &[]),
        (r#""file": "../lib/mine-1.0.tar.gz""#, &[]),
        (r#""file": "file:../lib/mine-1.0.whl""#, &[]),
        (
            r#""git": "https://a.example/mine.git", "ref": "main""#,
            &["supply-not-registry mine:3", "supply-git-unpinned mine:3"],
        ),
    ];
    check_each("Pipfile.lock", lock, rows);
    // A name that everybody knows.
    let known =
        lock.replace("\"mine\"", "\"requests\"").replace('%', r#""git": "https://a.example/r.git", "ref": "COMMIT""#);
    let want = ["supply-not-registry requests:3", "supply-confusable-name requests:3"];
    check(&[("Pipfile.lock", &known.replace("COMMIT", COMMIT))], &want);
}

#[test]
fn pdm_and_pylock() {
    let pdm = "[metadata]\nlock_version = \"4.5.0\"\ngroups = [\"default\"]\n\n[[package]]\nname = \"mine\"\nversion = \"1.0\"\n%\n\n\
               [[package]]\nname = \"other\"\nversion = \"1.0\"\nfiles = [{file = \"other-1.0.tar.gz\", hash = \"sha256:00\"}]\n";
    let rows: &[(&str, &[&str])] = &[
        ("files = [\n  {file = \"mine-1.0.tar.gz\", hash = \"sha256:00\"},\n]", &[]),
        ("files = []", &["supply-integrity-missing pdm.lock:6"]),
        (
            "files = [{url = \"http://a.example/mine-1.0.tar.gz\", hash = \"md5:00\"}]",
            &["supply-plain-http mine:6", "supply-integrity-weak pdm.lock:6"],
        ),
        ("git = \"https://a.example/m.git\"\nrevision = \"COMMIT\"", &["supply-not-registry mine:6"]),
        (
            "git = \"https://a.example/m.git\"\nref = \"main\"",
            &["supply-not-registry mine:6", "supply-git-unpinned mine:6"],
        ),
    ];
    check_each("pdm.lock", pdm, rows);
    // Older formats keep the archives at the end.
    let old = "[[package]]\nname = \"mine\"\nversion = \"1.0\"\n\n[metadata]\nlock_version = \"4.1\"\n\n[metadata.files]\n%\n\
               \"other 1.0\" = [{file = \"o.whl\", hash = \"sha256:00\"}]\n\n";
    check_each("pdm.lock", old, &[("\"mine 1.0\" = [{file = \"m.whl\", hash = \"sha256:00\"}]", &[])]);
    let pylock = "lock-version = \"1.0\"\ncreated-by = \"pip\"\n\n[[packages]]\nname = \"mine\"\n%\n\n[[packages]]\nname = \"other\"\n\
                  version = \"1.0\"\nsdist = {url = \"https://a.example/other-1.0.tar.gz\", hashes = {sha256 = \"00\"}}\n";
    let at = "https://files.pythonhosted.org/mine-1.0.tar.gz";
    let wheel = |url: &str, hash: &str| {
        format!("version = \"1.0\"\n[[packages.wheels]]\nurl = \"{url}\"\n[packages.wheels.hashes]\n{hash} = \"00\"")
    };
    let (good, weak, other) = (wheel(at, "sha256"), wheel(at, "md5"), wheel(&at.replace("mine-", "evil-"), "sha256"));
    let rows: &[(&str, &[&str])] = &[
        (&good, &[]),
        (&weak, &["supply-integrity-weak pylock.toml:5"]),
        (&other, &["supply-resolved-elsewhere mine:5"]),
        (
            "version = \"1.0\"\nwheels = [{url = \"http://a.example/mine-1.0.whl\", hashes = {sha256 = \"00\"}}]",
            &["supply-plain-http-checked mine:5"],
        ),
        (
            "vcs = {type = \"git\", url = \"https://a.example/m.git\", commit-id = \"COMMIT\"}",
            &["supply-not-registry mine:5"],
        ),
        (
            "vcs = {type = \"git\", url = \"https://a.example/m.git\", requested-revision = \"main\"}",
            &["supply-not-registry mine:5", "supply-git-unpinned mine:5"],
        ),
        (
            "archive = {url = \"http://a.example/mine.zip\", hashes = {sha256 = \"00\"}}",
            &["supply-not-registry mine:5", "supply-plain-http-checked mine:5"],
        ),
    ];
    check_each("pylock.toml", pylock, rows);
}

#[test]
fn requirements() {
    let rows: &[(&str, &[&str])] = &[
        ("mine==1.0", &[]),
        ("mine==1.0 --hash=sha256:00 \\\n    --hash=sha256:01\nother==1.0 --hash=sha256:00", &[]),
        ("mine==1.0\nother==1.0 --hash=sha256:00", &["supply-integrity-missing requirements.txt:1"]),
        ("-i http://i.example/simple\nmine==1.0", &["supply-plain-http mine:2"]),
        ("mine @ git+https://a.example/m.git@COMMIT", &["supply-not-registry mine:1"]),
        ("mine @ git+https://a.example/m.git@main", &["supply-not-registry mine:1", "supply-git-unpinned mine:1"]),
        (
            "-e git+http://a.example/m.git@COMMIT#egg=mine",
            &["supply-not-registry mine:1", "supply-plain-http-checked mine:1"],
        ),
        ("mine @ http://a.example/mine-1.0.tar.gz", &["supply-not-registry mine:1", "supply-plain-http mine:1"]),
        (
            "mine @ http://a.example/mine-1.0.tar.gz#sha256=00",
            &["supply-not-registry mine:1", "supply-plain-http-checked mine:1"],
        ),
    ];
    check_each("requirements.txt", "%\n", rows);
}

#[test]
fn bun() {
    let lock = "{\"lockfileVersion\": 1, \"workspaces\": {\"\": {\"name\": \"app\", \"dependencies\": {\"mine\": \"1\", \"other\": \"1\"}}},\n\
                \"packages\": {\n\"mine\": [%],\n\"other\": [\"other@1.0.0\", \"\", {}, \"sha512-AA==\"],\n}}\n";
    let rows: &[(&str, &[&str])] = &[
        (r#""mine@1.0.0", "", {}, "sha512-AA==""#, &[]),
        (r#""mine@1.0.0", "", {}, "sha1-AA==""#, &["supply-integrity-weak bun.lock:3"]),
        (r#""mine@1.0.0", "", {}"#, &["supply-integrity-missing bun.lock:3"]),
        (r#""mine@git+https://a.example/m.git#COMMIT", {}, "COMMIT""#, &["supply-not-registry mine:3"]),
        (r#""mine@github:acme/mine#0123456", {}, "acme-mine-0123456""#, &["supply-not-registry mine:3"]),
        (
            r#""mine@git+https://a.example/m.git#main", {}, """#,
            &["supply-not-registry mine:3", "supply-git-unpinned mine:3"],
        ),
    ];
    check_each("bun.lock", lock, rows);
}

#[test]
fn berry() {
    let lock = "__metadata:\n  version: 8\n  cacheKey: 10c0\n\n%  languageName: node\n  linkType: hard\n\n\
                \"other@npm:^1\":\n  version: 1.0.0\n  resolution: \"other@npm:1.0.0\"\n  checksum: 10c0/00\n  languageName: node\n  linkType: hard\n";
    let entry = |place: &str, more: &str| {
        format!("\"mine@{place}\":\n  version: 1.0.0\n  resolution: \"mine@{place}\"\n{more}")
    };
    for (place, more, want) in [
        ("npm:1.0.0", "  checksum: 10c0/00\n", &[][..]),
        ("npm:1.0.0", "", &["supply-integrity-missing yarn.lock:5"]),
        ("npm:1.0.0", "  conditions: os=darwin\n", &[]),
        ("https://a.example/m.git#commit=COMMIT", "", &["supply-not-registry mine:5"]),
        ("https://a.example/m.git#main", "", &["supply-not-registry mine:5", "supply-git-unpinned mine:5"]),
        (
            "http://a.example/m.tgz",
            "  checksum: 10c0/00\n",
            &["supply-not-registry mine:5", "supply-plain-http-checked mine:5"],
        ),
    ] {
        check_each("yarn.lock", lock, &[(&entry(place, more), want)]);
    }
}

#[test]
fn composer() {
    let lock = "{\"packages\": [\n{\"name\": \"acme/mine\", %}], \"packages-dev\": []}";
    let rows: &[(&str, &[&str])] = &[
        (
            r#""version": "1.0.0", "dist": {"type": "zip", "url": "https://api.github.com/x", "reference": "COMMIT", "shasum": ""},
               "notification-url": "https://packagist.org/downloads/""#,
            &[],
        ),
        (
            r#""version": "1.0.0", "dist": {"type": "zip", "url": "http://api.example/x", "shasum": ""},
               "notification-url": "https://packagist.org/downloads/""#,
            &["supply-plain-http acme/mine:2"],
        ),
        (
            r#""version": "dev-main", "source": {"type": "git", "url": "https://a.example/m.git", "reference": "COMMIT"}"#,
            &["supply-not-registry acme/mine:2"],
        ),
        (
            r#""version": "dev-main", "source": {"type": "git", "url": "https://a.example/m.git", "reference": "main"}"#,
            &["supply-not-registry acme/mine:2", "supply-git-unpinned acme/mine:2"],
        ),
        // The number of a Subversion revision does not move.
        (
            r#""version": "1.0.0", "source": {"type": "svn", "url": "https://a.example/svn", "reference": "/trunk/@12"}"#,
            &["supply-not-registry acme/mine:2"],
        ),
        // The commit is that of the repository, not of the archive.
        (
            r#""version": "1.0.0", "source": {"type": "git", "url": "https://a.example/m.git", "reference": "COMMIT"},
               "dist": {"type": "zip", "url": "http://a.example/m.zip", "reference": "COMMIT", "shasum": ""}"#,
            &["supply-not-registry acme/mine:2", "supply-plain-http acme/mine:2"],
        ),
        (
            r#""version": "1.0.0", "source": {"type": "git", "url": "http://a.example/m.git", "reference": "COMMIT"},
               "dist": {"type": "zip", "url": "https://a.example/m.zip", "reference": "COMMIT", "shasum": ""},
               "notification-url": "https://packagist.org/downloads/""#,
            &["supply-plain-http-checked acme/mine:2"],
        ),
        // Told once, by the worse of the two.
        (
            r#""version": "1.0.0", "source": {"type": "git", "url": "http://a.example/m.git", "reference": "COMMIT"},
               "dist": {"type": "zip", "url": "http://a.example/m.zip", "reference": "COMMIT", "shasum": ""}"#,
            &["supply-not-registry acme/mine:2", "supply-plain-http acme/mine:2"],
        ),
    ];
    check_each("composer.lock", lock, rows);
    // GitHub makes the archive of the repository and of the commit that the entry names.
    let lock = lock.replace(
        '%',
        r#""version": "1.0.0", "notification-url": "https://packagist.org/downloads/",
           "source": {"type": "git", "url": "https://github.com/acme/mine.git", "reference": "COMMIT"},
           "dist": {"type": "zip", "url": "https://api.github.com/repos/%", "reference": "COMMIT", "shasum": ""}"#,
    );
    let rows: &[(&str, &[&str])] = &[
        ("Acme/mine/zipball/COMMIT", &[]),
        ("evil/mine/zipball/COMMIT", &["supply-resolved-elsewhere acme/mine:2"]),
        ("acme/mine/zipball/main", &[]),
        ("acme/mine/zipball/9999999999999999999999999999999999999999", &["supply-resolved-elsewhere acme/mine:2"]),
    ];
    check_each("composer.lock", &lock, rows);
}

#[test]
fn bundler() {
    let lock = "%GEM\n  remote: https://rubygems.org/\n  specs:\n    other (1.0)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  other\n";
    let git = |commit: &str| format!("GIT\n  remote: https://a.example/m.git\n{commit}  specs:\n    mine (1.0)\n\n");
    let (pinned, moving) = (git("  revision: COMMIT\n"), git("  branch: main\n"));
    let rows: &[(&str, &[&str])] = &[
        ("", &[]),
        (&pinned, &["supply-not-registry mine:5"]),
        (&moving, &["supply-not-registry mine:5", "supply-git-unpinned mine:5"]),
        ("GEM\n  remote: http://rubygems.org/\n  specs:\n    mine (1.0)\n\n", &["supply-plain-http mine:4"]),
    ];
    check_each("Gemfile.lock", lock, rows);
    let sums = format!("{lock}\nCHECKSUMS\n  other (1.0) sha256=00\n%\n");
    let two = sums.replace("    other (1.0)\n", "    mine (1.0-x86_64-linux)\n    other (1.0)\n").replacen('%', "", 1);
    let rows: &[(&str, &[&str])] = &[
        ("  mine (1.0-x86_64-linux) sha256=00", &[]),
        ("  mine (1.0)", &["supply-integrity-missing Gemfile.lock:4"]),
        ("", &["supply-integrity-missing Gemfile.lock:4"]),
    ];
    check_each("Gemfile.lock", &two, rows);
}

#[test]
fn pub_mix_and_cargo() {
    let hosted = |more: &str| format!("    description:\n      name: mine\n{more}    source: hosted\n");
    let lock = |package: &str| {
        format!(
            "packages:\n  mine:\n    dependency: transitive\n{package}    version: \"1.0.0\"\n  other:\n    dependency: transitive\n    \
             description:\n      name: other\n      sha256: \"00\"\n      url: \"https://pub.dev\"\n    source: hosted\n    version: \
             \"1.0.0\"\nsdks:\n  dart: \">=3.0.0 <4.0.0\"\n"
        )
    };
    for (package, want) in [
        (hosted("      sha256: \"00\"\n      url: \"https://pub.dev\"\n"), &[][..]),
        (hosted("      url: \"https://pub.dev\"\n"), &["supply-integrity-missing pubspec.lock:2"]),
        (hosted("      sha256: \"00\"\n      url: \"http://pub.dartlang.org\"\n"), &["supply-plain-http-checked mine:2"]),
        (
            "    description:\n      path: \".\"\n      resolved-ref: COMMIT\n      url: \"https://a.example/m.git\"\n    source: git\n".into(),
            &["supply-not-registry mine:2"],
        ),
    ] {
        check_each("pubspec.lock", &lock(&package), &[("", want)]);
    }
    let mix =
        "%{\n  \"mine\": {%},\n  \"other\": {:hex, :other, \"1.0.0\", \"00\", [:mix], [], \"hexpm\", \"00\"},\n}\n";
    let rows: &[(&str, &[&str])] = &[
        (":hex, :mine, \"1.0.0\", \"00\", [:mix], [], \"hexpm\", \"00\"", &[]),
        (":hex, :mine, \"1.0.0\", \"\", [:mix], [], \"hexpm\"", &["supply-integrity-missing mix.lock:2"]),
        (":git, \"https://a.example/m.git\", \"COMMIT\", []", &["supply-not-registry mine:2"]),
        (
            ":git, \"http://a.example/m.git\", \"COMMIT\", []",
            &["supply-not-registry mine:2", "supply-plain-http-checked mine:2"],
        ),
    ];
    for (part, want) in rows {
        check(&[("mix.lock", &mix.replacen("{%}", &format!("{{{part}}}"), 1).replace("COMMIT", COMMIT))], want);
    }
    let cargo =
        "version = 4\n\n[[package]]\nname = \"mine\"\nversion = \"1.0.0\"\nsource = \"git+https://a.example/m%\"\n";
    let rows: &[(&str, &[&str])] = &[
        ("#COMMIT", &["supply-not-registry mine:4"]),
        ("?branch=main#COMMIT", &["supply-not-registry mine:4"]),
        ("?branch=main", &["supply-not-registry mine:4", "supply-git-unpinned mine:4"]),
    ];
    check_each("Cargo.lock", cargo, rows);
    // The commit is the hash, whether or not packages of registries have one.
    let hashed = "version = 4\n\n[[package]]\nname = \"left\"\nversion = \"1.0.0\"\n\
        source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"\n\n\
        [[package]]\nname = \"mine\"\nversion = \"1.0.0\"\nsource = \"git+http://a.example/m.git#%\"\n\
        dependencies = [\n \"left\",\n]\n";
    let rows: &[(&str, &[&str])] = &[
        ("COMMIT", &["supply-not-registry mine:10", "supply-plain-http-checked mine:10"]),
        ("main", &["supply-not-registry mine:10", "supply-plain-http mine:10", "supply-git-unpinned mine:10"]),
    ];
    check_each("Cargo.lock", hashed, rows);
}

#[test]
fn an_archive_of_the_public_index_is_a_release_however_it_is_asked_for() {
    let at = "https://files.pythonhosted.org/packages/aa/requests-2.0.0-py3-none-any.whl";
    let uv = format!(
        "version = 1\n\n[[package]]\nname = \"requests\"\nversion = \"2.0.0\"\nsource = {{ url = \"{at}\" }}\n\
                      wheels = [\n    {{ url = \"{at}\", hash = \"sha256:00\" }},\n]\n"
    );
    let pylock = format!(
        "lock-version = \"1.0\"\n\n[[packages]]\nname = \"requests\"\narchive = {{url = \"{at}\", hashes = {{sha256 = \"00\"}}}}\n"
    );
    let poetry = format!(
        "[[package]]\nname = \"requests\"\nversion = \"2.0.0\"\nfiles = [{{file = \"r.whl\", hash = \"sha256:00\"}}]\n\n\
                          [package.source]\ntype = \"url\"\nurl = \"{at}\"\n\n[metadata]\nlock-version = \"2.1\"\n"
    );
    let direct = format!("requests @ {at}\n");
    for (path, text) in
        [("uv.lock", uv), ("pylock.toml", pylock), ("poetry.lock", poetry), ("requirements.txt", direct)]
    {
        check(&[(path, &text)], &[]);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(path), &text).unwrap();
        let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
        let input = &inventory.inputs[0];
        let got: Vec<_> =
            input.packages.iter().map(|one| (one.name.as_str(), one.version.as_str(), &one.source)).collect();
        assert_eq!((got, input.not_judged.len()), (vec![("requests", "2.0.0", &Source::Registry)], 0), "{path}");
        // Somewhere else it is not.
        let findings = ["supply-not-registry", "supply-confusable-name"].map(|rule| format!("{rule} requests"));
        let elsewhere = text.replace("files.pythonhosted.org", "a.example");
        fs::write(folder.path().join(path), elsewhere).unwrap();
        let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
        let told = Rules::default().judge(&inventory.inputs, None);
        let told: Vec<String> = told.iter().map(|one| format!("{} {}", one.verdict.id, one.name)).collect();
        assert_eq!(told, findings, "{path}");
    }
    check(&[("requirements.txt", &format!("{at}\n"))], &[]);
    check(
        &[("requirements.txt", "http://pypi.org/requests-2.0.0.zip#sha256=00\n")],
        &["supply-plain-http-checked requests:1"],
    );
    check(
        &[("requirements.txt", "requests @ http://pypi.org/requests-2.0.0.zip\n")],
        &["supply-plain-http requests:1"],
    );
    // Another version than the file says, and a name that may end at either dash.
    let other = "[[package]]\nname = \"mine\"\nversion = \"99.0\"\nfiles = []\n\n[package.source]\ntype = \"url\"\n\
                 url = \"https://files.pythonhosted.org/mine-1.0.tar.gz\"\n\n[metadata]\nlock-version = \"2.1\"\n";
    check(&[("poetry.lock", other)], &["supply-not-registry mine:2", "supply-integrity-missing poetry.lock:2"]);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("requirements.txt"), "https://files.pythonhosted.org/mine-1.0-1.tar.gz\n").unwrap();
    assert!(walk(folder.path(), &Options::default(), &|_| {}).unwrap().inputs[0].packages.is_empty());
}

#[test]
fn what_is_the_projects_own_is_no_finding() {
    let bun = "{\"lockfileVersion\": 1, \"workspaces\": {\"\": {\"name\": \"app\"}, \"a\": {\"name\": \"a\", \"dependencies\": {\"app\": \"workspace:*\"}}},\n\
               \"packages\": {\n\"a\": [\"a@workspace:a\", {}],\n\"app\": [\"app@root:\", {}],\n}}\n";
    check(&[("bun.lock", bun)], &[]);
    let pipfile = "[packages]\n\"mine[jinja2]\" = \"*\"\n";
    let lock = "{\"_meta\": {\"pipfile-spec\": 6}, \"default\": {\"mine\": {\"version\": \"==1.0\", \"hashes\": [\"sha256:00\"]}}, \"develop\": {}}";
    check(&[("Pipfile", pipfile), ("Pipfile.lock", lock)], &[]);
}

#[test]
fn an_empty_yarn_lock_is_a_mark() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("package.json"), r#"{"dependencies": {"mine": "1.0.0"}}"#).unwrap();
    fs::write(folder.path().join("yarn.lock"), "\n").unwrap();
    let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
    let got: Vec<_> = inventory.inputs.iter().map(|input| (&*input.kind, input.status, input.packages.len())).collect();
    assert_eq!(got, [("package.json", Status::Parsed, 1), ("yarn.lock", Status::Parsed, 0)]);
    check(&[("package.json", r#"{"dependencies": {"mine": "1.0.0"}}"#), ("yarn.lock", "")], &[]);
    // Alone it marks nothing.
    fs::remove_file(folder.path().join("package.json")).unwrap();
    assert_eq!(walk(folder.path(), &Options::default(), &|_| {}).unwrap().inputs[0].status, Status::Failed);
}
