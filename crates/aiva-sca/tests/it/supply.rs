//! What lockfiles give away of the ways by which packages come, rule by rule.

mod formats;

use std::fs;

use aiva_sca::inventory::{Options, walk};
use aiva_sca::package::{Ecosystem, Fact, Scope};
use aiva_sca::severity::Level;
use aiva_sca::supply::Rules;
use aiva_sca::supply::namespace::Namespace;
use aiva_sca::supply::rule::Rule;

/// The findings of a tree, as `rule name:line`, with all rules in force.
#[track_caller]
fn check(files: &[(&str, &str)], want: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
    let findings = Rules::default().judge(&inventory.inputs, None);
    let got: Vec<String> = findings.iter().map(|one| format!("{} {}:{}", one.verdict.id, one.name, one.line)).collect();
    assert_eq!(got, want);
    let off = Rules { on: [].into(), ..Rules::default() };
    assert!(off.judge(&inventory.inputs, None).is_empty());
}

/// A package-lock.json of one package.
fn npm(entry: &str) -> String {
    let root = r#""":{"name":"app","dependencies":{"lodash":"^4"}}"#;
    format!("{{\"name\":\"app\",\"lockfileVersion\":3,\"packages\":{{{root},\n\"node_modules/lodash\":{{{entry}}}}}}}")
}

#[track_caller]
fn check_npm(entry: &str, want: &[&str]) {
    check(&[("package-lock.json", &npm(entry))], want);
}

const GOOD: &str = r#""version":"4.17.21","resolved":"https://registry.npmjs.org/lodash/-/lodash-4.17.21.tgz","integrity":"sha512-AA==""#;

#[test]
fn an_ordinary_npm_lockfile_has_nothing_to_tell() {
    check_npm(GOOD, &[]);
    check_npm(r#""version":"4.17.21","integrity":"sha512-AA==""#, &[]); // omit-lockfile-registry-resolved
    check_npm(r#""version":"4.17.21","inBundle":true"#, &[]);
    check_npm(r#""version":"4.17.21","resolved":"../lodash","link":true"#, &[]);
    let mirrored = GOOD.replace("https://registry.npmjs.org/", "https://registry.npmmirror.com/");
    check_npm(&mirrored, &[]);
    // A mirror and a registry of one's own look alike: told once a file.
    check_npm(
        &GOOD.replace("https://registry.npmjs.org/lodash", "https://npm.corp.example/api/npm/all/lodash"),
        &["supply-confusable-name package-lock.json:2"],
    );
}

#[test]
fn an_edited_npm_lockfile_is_told() {
    let other = GOOD.replace("/lodash/-/lodash-", "/evil/-/evil-");
    check_npm(&other, &["supply-resolved-elsewhere lodash:2"]);
    let older = GOOD.replace("lodash-4.17.21.tgz", "lodash-4.17.4.tgz");
    check_npm(&older, &["supply-resolved-elsewhere lodash:2"]);
    check_npm(&GOOD.replace("https://", "http://"), &["supply-plain-http-checked lodash:2"]);
    let bare = GOOD.replace("https://", "http://").replace(r#","integrity":"sha512-AA==""#, "");
    check_npm(&bare, &["supply-plain-http lodash:2", "supply-integrity-missing package-lock.json:2"]);
    check_npm(&GOOD.replace("sha512", "sha1"), &["supply-integrity-weak package-lock.json:2"]);
    check_npm(&GOOD.replace("sha512-AA==", "sha1-AA= sha512-AA=="), &[]); // the strongest is checked
    let more = format!(r#"{GOOD},"hasInstallScript":true,"deprecated":"use another""#);
    check_npm(&more, &["supply-install-script lodash:2", "supply-deprecated lodash:2"]);
}

#[test]
fn what_comes_from_elsewhere_is_told() {
    let commit = "0123456789012345678901234567890123456789";
    let git = |reference: &str| {
        format!(r#""version":"4.17.21","resolved":"git+ssh://git@github.com/lodash/lodash.git#{reference}""#)
    };
    check_npm(&git(commit), &["supply-not-registry lodash:2", "supply-confusable-name lodash:2"]);
    check_npm(
        &git("main"),
        &["supply-not-registry lodash:2", "supply-confusable-name lodash:2", "supply-git-unpinned lodash:2"],
    );
}

#[test]
fn a_manifest_and_a_lockfile_that_disagree_are_told() {
    let lock = npm(GOOD);
    let manifest = |more: &str| format!(r#"{{"name":"app","dependencies":{{"lodash":"^4"{more}}}}}"#);
    check(&[("package.json", &manifest("")), ("package-lock.json", &lock)], &[]);
    let with = |more: &str| [("package.json", manifest(more)), ("package-lock.json", lock.clone())];
    let refs = |files: &[(&'static str, String); 2]| files.clone();
    for (more, want) in [
        (r#","express":"^4.18.0""#, vec!["supply-not-locked express:1"]),
        (r#","express":"file:../express""#, vec![]),
        (r#","app2":"workspace:*""#, vec![]),
        (r#","mine":"npm:lodash@^4""#, vec![]),
    ] {
        let files = refs(&with(more));
        check(&files.each_ref().map(|(path, text)| (*path, text.as_str())), &want);
    }
}

#[test]
fn what_a_lockfile_lacks_is_judged_by_its_manifest() {
    let npm_manifest = r#"{"name":"app","dependencies":{"left":"1.0.0"}}"#;
    let pnpm = "lockfileVersion: '9.0'\n\nimporters:\n  .:\n    dependencies: {}\n";
    let yarn = "# yarn lockfile v1\n\n\nother@^4:\n  version \"4.17.21\"\n";
    let cargo = "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n";
    let crate_of = "[package]\nname = \"app\"\nversion = \"0.1.0\"\n[dependencies]\nleft = \"=1.0.0\"\n";
    let poetry = "[metadata]\nlock-version = \"2.0\"\npython-versions = \"*\"\ncontent-hash = \"0\"\n";
    let uv = "version = 1\nrequires-python = \">=3.10\"\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\n";
    let project = "[project]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"left==1.0.0\"]\n\
                   [build-system]\nrequires = [\"setuptools==70.0.0\"]\n";
    for (manifest, text, lock, locked) in [
        ("package.json", npm_manifest, "package-lock.json", r#"{"lockfileVersion":3,"packages":{"":{}}}"#),
        ("package.json", npm_manifest, "pnpm-lock.yaml", pnpm),
        ("package.json", npm_manifest, "yarn.lock", yarn),
        ("Cargo.toml", crate_of, "Cargo.lock", cargo),
        ("pyproject.toml", project, "poetry.lock", poetry),
        ("pyproject.toml", project, "uv.lock", uv),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(manifest), text).unwrap();
        std::fs::write(folder.path().join(lock), locked).unwrap();
        let read = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
        let of = |path: &str| read.inputs.iter().find(|input| input.path == path).unwrap();
        // What builds it no lockfile has, so nothing lacks it.
        let needed = of(manifest).packages.iter().filter(|package| package.scope != Scope::Build);
        let pinned = needed.map(|package| package.name.as_str());
        let ranged = of(manifest).not_judged.iter().map(|entry| entry.name.as_str());
        assert_eq!(pinned.chain(ranged).collect::<Vec<_>>(), ["left"], "{lock}");
        let signs = of(lock)
            .signs
            .iter()
            .filter(|sign| matches!(&sign.fact, Fact::NotLocked { manifest: of, .. } if of.path == manifest));
        let signs: Vec<&str> = signs.map(|sign| sign.name.as_str()).collect();
        assert_eq!(signs, ["left"], "{lock}");
    }
}

#[test]
fn what_a_workspace_offers_and_nobody_takes_is_not_missing() {
    let root = "[workspace]\nmembers = [\"m\"]\n[workspace.dependencies]\ntime = \"=0.1.40\"\nold = { package = \"left\", version = \"1\" }\n";
    let member = "[package]\nname = \"m\"\nversion = \"0.1.0\"\n[dependencies]\nold.workspace = true\n";
    let lock = "version = 4\n\n[[package]]\nname = \"left\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"\n\n\
                [[package]]\nname = \"m\"\nversion = \"0.1.0\"\ndependencies = [\"left\"]\n";
    check(&[("Cargo.toml", root), ("Cargo.lock", lock), ("m/Cargo.toml", member)], &[]);
}

#[test]
fn yarn_pnpm_and_cargo_say_so_too() {
    let yarn = "# yarn lockfile v1\n\n\nlodash@^4:\n  version \"4.17.21\"\n  resolved \"https://registry.yarnpkg.com/lodash/-/lodash-4.17.21.tgz#679591c564c3bffaae8454cf0b3df370c3d6911c\"\n";
    check(&[("yarn.lock", yarn)], &["supply-integrity-weak yarn.lock:4"]);
    check(&[("yarn.lock", &format!("{yarn}  integrity sha512-AA==\n"))], &[]);
    let pnpm = "lockfileVersion: '9.0'\n\nimporters:\n  .:\n    dependencies:\n      esbuild:\n        specifier: ^0.21.0\n        version: 0.21.5\n\n\
        packages:\n\n  esbuild@0.21.5:\n    resolution: {integrity: sha512-AA==}\n    deprecated: gone\n    requiresBuild: true\n\nsnapshots:\n\n  esbuild@0.21.5: {}\n";
    check(&[("pnpm-lock.yaml", pnpm)], &["supply-install-script esbuild:12", "supply-deprecated esbuild:12"]);
    let cargo = |more: &str| {
        let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        format!(
            "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"left\", \"rustdecimal\"]\n\n\
             [[package]]\nname = \"left\"\nversion = \"1.0.0\"\n{registry}checksum = \"00\"\n\n\
             [[package]]\nname = \"rustdecimal\"\nversion = \"1.0.0\"\n{registry}{more}"
        )
    };
    check(&[("Cargo.lock", &cargo("checksum = \"00\"\n"))], &["supply-typosquat rustdecimal:15"]);
    let both = ["supply-typosquat rustdecimal:15", "supply-integrity-missing Cargo.lock:15"];
    check(&[("Cargo.lock", &cargo(""))], &both);
}

#[test]
fn poetry_says_so_too() {
    let commit = "0123456789012345678901234567890123456789";
    let lock = |files: &str, source: &str| {
        let source = if source.is_empty() { String::new() } else { format!("\n[package.source]\n{source}\n") };
        format!(
            "[[package]]\nname = \"mine\"\nversion = \"1.0\"\n{files}\n{source}\n[metadata]\nlock-version = \"2.0\"\n"
        )
    };
    let git = |resolved: &str, scheme: &str| {
        format!(
            "type = \"git\"\nurl = \"{scheme}://a.example/m.git\"\nreference = \"main\"\nresolved_reference = \"{resolved}\""
        )
    };
    let legacy = |scheme: &str| format!("type = \"legacy\"\nurl = \"{scheme}://i.example/simple\"\nreference = \"i\"");
    let good = r#"files = [{file = "mine-1.0.tar.gz", hash = "sha256:00"}]"#;
    let md5 = r#"files = [{file = "a.whl", hash = "sha256:00"}, {file = "b.whl", hash = "md5:00"}]"#;
    let empty = "files = []";
    let moved = ["supply-not-registry mine:2", "supply-plain-http mine:2", "supply-git-unpinned mine:2"];
    for (files, source, want) in [
        (good, String::new(), &[][..]),
        (empty, String::new(), &["supply-integrity-missing poetry.lock:2"]),
        (md5, String::new(), &["supply-integrity-weak poetry.lock:2"]),
        (empty, git(commit, "https"), &["supply-not-registry mine:2"]),
        (empty, git("main", "https"), &["supply-not-registry mine:2", "supply-git-unpinned mine:2"]),
        (empty, git("main", "http"), &moved),
        (empty, git(commit, "http"), &["supply-not-registry mine:2", "supply-plain-http-checked mine:2"]),
        (good, legacy("https"), &[]),
        (good, legacy("http"), &["supply-plain-http-checked mine:2"]),
        (empty, legacy("http"), &["supply-plain-http mine:2", "supply-integrity-missing poetry.lock:2"]),
        (empty, "type = \"directory\"\nurl = \"../mine\"".to_owned(), &[]),
    ] {
        check(&[("poetry.lock", &lock(files, &source))], want);
    }
    // Older formats keep the archives of all packages at the end.
    for (end, want) in [
        ("[metadata.files]\nMine = [{file = \"mine-1.0.tar.gz\", hash = \"sha256:00\"}]\n", &[][..]),
        ("[metadata.hashes]\nmine = [\"00\"]\n", &[]),
        ("[metadata.files]\nmine = []\n", &["supply-integrity-missing poetry.lock:2"]),
    ] {
        check(&[("poetry.lock", &format!("{}\n{end}", lock("", "")))], want);
    }
}

#[test]
fn uv_says_so_too() {
    let lock = |source: &str, archives: &str| {
        format!("version = 1\n\n[[package]]\nname = \"mine\"\nversion = \"1.0\"\nsource = {{ {source} }}\n{archives}\n")
    };
    let sdist = |url: &str, hash: &str| format!("sdist = {{ url = \"{url}\", hash = \"{hash}\" }}");
    let pypi = "registry = \"https://pypi.org/simple\"";
    let at = "https://files.pythonhosted.org/packages/m/mine-1.0.tar.gz";
    let bare = format!("wheels = [\n    {{ url = \"{at}\" }},\n]");
    for (source, archives, want) in [
        (pypi, sdist(at, "sha256:00"), &[][..]),
        (pypi, sdist(at, "md5:00"), &["supply-integrity-weak uv.lock:4"]),
        (pypi, bare, &["supply-integrity-missing uv.lock:4"]),
        (pypi, sdist(&at.replace("mine", "other"), "sha256:00"), &["supply-resolved-elsewhere mine:4"]),
        (pypi, sdist(&at.replace("https", "http"), "sha256:00"), &["supply-plain-http-checked mine:4"]),
        (
            pypi,
            sdist(&at.replace("https", "http"), "md5:00"),
            &["supply-plain-http mine:4", "supply-integrity-weak uv.lock:4"],
        ),
        ("registry = \"http://i.example/simple\"", sdist(at, "sha256:00"), &["supply-plain-http-checked mine:4"]),
        (
            "git = \"https://a.example/m.git?rev=main#0123456789012345678901234567890123456789\"",
            String::new(),
            &["supply-not-registry mine:4"],
        ),
        (
            "git = \"https://a.example/m.git?branch=main#main\"",
            String::new(),
            &["supply-not-registry mine:4", "supply-git-unpinned mine:4"],
        ),
        (
            "url = \"http://a.example/mine-1.0.tar.gz\"",
            String::new(),
            &["supply-not-registry mine:4", "supply-plain-http mine:4", "supply-integrity-missing uv.lock:4"],
        ),
        ("editable = \".\"", String::new(), &[]),
    ] {
        check(&[("uv.lock", &lock(source, &archives))], want);
    }
}

#[test]
fn a_name_is_mistyped_with_a_range_too() {
    let manifest = "{\n\"dependencies\": {\"webpakc\": \"^1.0.0\",\n\"axois\": \"1.0.0\",\n\"lodash\": \"^4\",\n\"l\u{43e}dash\": \"*\"}}\n";
    let want = ["supply-typosquat axois:3", "supply-typosquat webpakc:2", "supply-homoglyph l\u{43e}dash:5"];
    check(&[("package.json", manifest)], &want);
    check(
        &[("requirements.txt", "numpyy>=2.0\nurlib3\n")],
        &["supply-typosquat numpyy:1", "supply-typosquat urlib3:2"],
    );
    check(&[("Cargo.toml", "[dependencies]\nserde_jsn = \"1\"\n")], &["supply-typosquat serde_jsn:2"]);
}

#[test]
fn what_composer_calls_abandoned_is_deprecated() {
    let lock = |more: &str| {
        let notified = "\"notification-url\": \"https://packagist.org/downloads/\"";
        format!(
            "{{\"packages\": [\n{{\"name\": \"acme/old\", \"version\": \"v1.0.0\", {notified}{more}}}], \"packages-dev\": []}}"
        )
    };
    let told = ["supply-deprecated acme/old:2"];
    for (more, want) in [
        ("", &[][..]),
        (", \"abandoned\": false", &[]),
        (", \"abandoned\": true", &told),
        (", \"abandoned\": \"acme/new\"", &told),
    ] {
        check(&[("composer.lock", &lock(more))], want);
    }
}

#[test]
fn a_workflow_is_pinned_by_commits_only() {
    let workflow = "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4.1.0\n      \
        - uses: actions/cache@8e5e7e5ab8b370d6c329ec480221332ada57f0ab # v3.5.2\n      - uses: ./local\n      - uses: some/one@main\n";
    let want = ["supply-action-unpinned actions/checkout:6", "supply-action-unpinned some/one:9"];
    check(&[(".github/workflows/ci.yml", workflow)], &want);
    for (image, want) in [
        ("alpine:3.20", &["supply-action-unpinned docker://alpine:4"][..]),
        ("localhost:5000/tool", &["supply-action-unpinned docker://localhost:5000/tool:4"]),
        ("ghcr.io/acme/tool:1@sha256:0f3e", &[]),
    ] {
        let action = format!("name: a\nruns:\n  using: docker\n  image: docker://{image}\n");
        check(&[("action.yml", &action)], want);
        let workflow = format!("jobs:\n  a:\n    steps:\n      - uses: docker://{image}\n");
        check(&[(".github/workflows/ci.yml", &workflow)], want);
    }
    check(&[("action.yml", "runs:\n  using: docker\n  image: Dockerfile\n")], &[]);
}

#[test]
fn a_name_of_a_public_package_from_elsewhere_is_noted() {
    let git = r#""version":"4.17.21","resolved":"git+ssh://git@github.com/acme/lodash.git#0123456789012345678901234567890123456789""#;
    check_npm(git, &["supply-not-registry lodash:2", "supply-confusable-name lodash:2"]);
    let private = GOOD.replace("https://registry.npmjs.org/lodash", "https://npm.corp.example/lodash");
    check_npm(&private, &["supply-confusable-name package-lock.json:2"]);
    let own = "version = 4\n\n[[package]]\nname = \"serde\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"our-own\"\nversion = \"0.1.0\"\n";
    check(&[("Cargo.lock", own)], &["supply-confusable-name serde:4"]);
    // Nothing well-known, but advisories are about it.
    let folder = tempfile::tempdir().unwrap();
    let lock = own.replace("serde", "two-ranges");
    fs::write(folder.path().join("Cargo.lock"), lock).unwrap();
    let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
    let (_dir, index) = crate::advisories::sample_index();
    let rules = Rules::default();
    assert!(rules.judge(&inventory.inputs, None).is_empty());
    let noted = rules.judge(&inventory.inputs, Some(&index));
    assert_eq!(noted.len(), 1);
    assert_eq!((noted[0].verdict.id.as_str(), noted[0].name.as_str()), ("supply-confusable-name", "two-ranges"));
    assert!(noted[0].verdict.reason.contains("that advisories are about"), "{}", noted[0].verdict.reason);
    assert!(noted[0].verdict.reason.contains("[sca.namespaces]"), "the way out: {}", noted[0].verdict.reason);
    let trusted = Rules { trusted_names: ["two-ranges".to_owned()].into(), ..Rules::default() };
    assert!(trusted.judge(&inventory.inputs, Some(&index)).is_empty());
    // Whoever has the names in public too says so; that they come from somewhere of one's own is not enough.
    for (registry, noted) in [("public", 0), ("https://crates.acme.example", 1)] {
        let (pattern, at) = ("two-*".to_owned(), registry.to_owned());
        let owner = Namespace { ecosystem: Ecosystem::CratesIo, pattern, registry: at, level: Level::High };
        let rules = Rules { namespaces: vec![owner], ..Rules::default() };
        let findings = rules.judge(&inventory.inputs, Some(&index));
        assert_eq!(findings.len(), noted, "{registry}: {findings:?}");
    }
}

#[test]
fn a_package_of_a_namespace_must_come_from_its_registry() {
    let owner = |ecosystem, pattern: &str| Namespace {
        ecosystem,
        pattern: pattern.to_owned(),
        registry: "https://npm.acme.example".to_owned(),
        level: Level::Critical,
    };
    let rules = Rules {
        namespaces: vec![owner(Ecosystem::Npm, "@acme/*"), owner(Ecosystem::Go, "acme.example/*")],
        ..Rules { on: [].into(), ..Rules::default() }
    };
    let judge = |path: &str, text: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(path), text).unwrap();
        let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
        let told = rules.judge(&inventory.inputs, None).into_iter();
        told.map(|one| format!("{} {}:{} {:?}", one.verdict.id, one.name, one.line, one.verdict.severity.level))
            .collect::<Vec<_>>()
    };
    let from = |host: &str| {
        format!(
            "{{\"lockfileVersion\":3,\"packages\":{{\"\":{{\"name\":\"app\"}},\n\"node_modules/@acme/core\":{{\"version\":\"1.0.0\",\
             \"resolved\":\"https://{host}/@acme/core/-/core-1.0.0.tgz\"}}}}}}"
        )
    };
    assert_eq!(judge("package-lock.json", &from("npm.acme.example")), [""; 0]);
    let confusion = ["supply-dependency-confusion @acme/core:2 Critical"];
    assert_eq!(judge("package-lock.json", &from("registry.npmjs.org")), confusion);
    assert_eq!(judge("package-lock.json", &from("npm.acme.example.evil.example")), confusion);
    let module = "module x\n\nrequire acme.example/core v1.0.0\n";
    assert_eq!(judge("go.mod", module), ["supply-namespace-unproven acme.example/core:3 Informational"]);
}

#[test]
fn every_rule_is_explained() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/supply-chain.md")).unwrap();
    for rule in Rule::ALL {
        let row = format!("| `{}` | {} |", rule.id(), format!("{:?}", rule.level()).to_lowercase());
        assert!(page.contains(&row), "docs/supply-chain.md lacks {row}");
    }
}
