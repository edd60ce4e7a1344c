//! Whole trees: what is found, what is said of the rest, and how files are tied together.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use aiva_sca::inventory::{Inventory, Mirrors, Options, Progress, WalkError, walk};
use aiva_sca::package::{Fact, Input, Source, Status};
use tempfile::TempDir;

use crate::inventory::{locks, picture, take};

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";

fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = root.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    root
}

fn paths(inventory: &Inventory) -> Vec<&str> {
    inventory.inputs.iter().map(|input| input.path.as_str()).collect()
}

fn find<'i>(inventory: &'i Inventory, path: &str) -> &'i Input {
    inventory
        .inputs
        .iter()
        .find(|input| input.path == path)
        .unwrap_or_else(|| panic!("{path} in {:?}", paths(inventory)))
}

#[test]
fn ignored_lockfiles_are_counted_and_not_read() {
    let root = tree(&[
        (".gitignore", "out/\n*.lock\n!keep/Cargo.lock\nrequirements-*.txt\n"),
        ("Cargo.lock", LOCK),
        ("keep/Cargo.lock", LOCK),
        ("out/keep/Cargo.lock", LOCK),
        ("sub/.gitignore", "/go.mod\n"),
        ("sub/go.mod", "module x\n"),
        ("sub/deep/go.mod", "module x\n"),
        ("requirements-dev.txt", "a==1\n"),
        ("out/package.json", "{}"),
        ("node_modules/x/package-lock.json", "{}"),
        (".git/Cargo.lock", LOCK),
        ("target/CACHEDIR.TAG", ""),
        ("target/package/x/Cargo.lock", LOCK),
        ("venv/pyvenv.cfg", ""),
        ("venv/lib/requirements.txt", ""),
    ]);
    let inventory = take(root.path());
    assert_eq!(paths(&inventory), ["keep/Cargo.lock", "sub/deep/go.mod"]);
    let ignored = ["Cargo.lock", "out/keep/Cargo.lock", "requirements-dev.txt", "sub/go.mod"];
    assert_eq!(inventory.ignored_lockfiles, ignored); // A manifest that is ignored pins nothing and is not counted.
    // The rules of the repository above hold for a scan of a part of it.
    let part = take(&root.path().join("sub"));
    assert_eq!((paths(&part), part.ignored_lockfiles.len()), (vec!["deep/go.mod"], 1));
}

#[test]
fn what_is_vendored_is_passed_over_by_a_sure_sign_only() {
    const CHECKSUMS: &str = r#"{"files": {"Cargo.toml": "00"}, "package": null}"#;
    const MODULES: &str = "# example.com/a v1.0.0\n## explicit\nexample.com/a\n";
    const MOD: &str = "module x\n\nrequire example.com/a v1.0.0\n";
    // What is there, and what is read of it with the sign and without.
    for (sign, files, with, without) in [
        (
            &[("third/a/.cargo-checksum.json", CHECKSUMS)][..],
            &[
                "Cargo.lock",
                "third/a/Cargo.toml",
                "third/a/fuzz/Cargo.lock",
                "third/a/web/package-lock.json",
                "third/b/Cargo.toml",
            ][..],
            &["Cargo.lock", "third/b/Cargo.toml"][..],
            &[
                "Cargo.lock",
                "third/a/Cargo.toml",
                "third/a/fuzz/Cargo.lock",
                "third/a/web/package-lock.json",
                "third/b/Cargo.toml",
            ][..],
        ),
        (
            &[("vendor/modules.txt", MODULES)],
            &["go.mod", "vendor/example.com/a/package-lock.json", "vendored/package-lock.json"],
            &["go.mod", "vendor/modules.txt", "vendored/package-lock.json"],
            &["go.mod", "vendor/example.com/a/package-lock.json", "vendored/package-lock.json"],
        ),
        (
            &[("old/Gopkg.lock", "")],
            &["old/vendor/example.com/a/package-lock.json"],
            &["old/Gopkg.lock"],
            &["old/vendor/example.com/a/package-lock.json"],
        ),
        (
            &[("vendor/composer/installed.json", "{}")],
            &["composer.lock", "vendor/acme/a/composer.lock", "vendor/acme/a/package-lock.json"],
            &["composer.lock"],
            &["composer.lock", "vendor/acme/a/composer.lock", "vendor/acme/a/package-lock.json"],
        ),
        (
            &[("vendor/bundle/ruby/3.3.0/x", "")],
            &["Gemfile.lock", "vendor/bundle/Gemfile.lock", "bundle/ruby/Gemfile.lock"],
            &["Gemfile.lock", "bundle/ruby/Gemfile.lock"],
            &["Gemfile.lock", "bundle/ruby/Gemfile.lock", "vendor/bundle/Gemfile.lock"],
        ),
        (
            &[("Pods/Manifest.lock", "")],
            &["Podfile.lock", "Pods/A/package-lock.json"],
            &["Podfile.lock"],
            &["Podfile.lock", "Pods/A/package-lock.json"],
        ),
        (
            &[("Cartfile.resolved", "")],
            &["Carthage/Checkouts/A/Package.resolved", "Checkouts/Package.resolved"],
            &["Cartfile.resolved", "Checkouts/Package.resolved"],
            &["Carthage/Checkouts/A/Package.resolved", "Checkouts/Package.resolved"],
        ),
    ] {
        let texts = files.iter().map(|path| (*path, if *path == "go.mod" { MOD } else { "x" }));
        let all: Vec<_> = texts.collect();
        for (files, want) in [([&all[..], sign].concat(), with), (all.clone(), without)] {
            let root = tree(&files);
            let mut got = paths(&take(root.path())).into_iter().map(str::to_owned).collect::<Vec<_>>();
            got.dedup();
            let mut want = want.to_vec();
            want.sort_unstable();
            assert_eq!(got, want, "{files:?}");
        }
    }
    // Who asks for the copies themselves is told of them.
    let copy = [
        ("vendor/a/Cargo.toml", "[package]\nname = \"a\"\n"),
        ("vendor/a/.cargo-checksum.json", CHECKSUMS),
        ("Cargo.lock", LOCK),
    ];
    let root = tree(&copy);
    assert_eq!(paths(&take(&root.path().join("vendor"))), ["a/Cargo.toml"]);
    assert_eq!(paths(&take(&root.path().join("vendor/a"))), ["Cargo.toml"]);
    assert_eq!(paths(&take(root.path())), ["Cargo.lock"]);
    // Without the lockfile nothing else has the packages, and what cargo did not write is no sign.
    assert_eq!(paths(&take(tree(&copy[..2]).path())), ["vendor/a/Cargo.toml"]);
    let own = tree(&[copy[0], ("vendor/a/.cargo-checksum.json", "{}"), copy[2]]);
    assert_eq!(paths(&take(own.path())), ["Cargo.lock", "vendor/a/Cargo.toml"]);
    let php = [("vendor/composer/installed.json", "{}"), ("vendor/own/package.json", "{}")];
    assert_eq!(paths(&take(tree(&php).path())), ["vendor/own/package.json"]);
}

#[test]
fn excluded_files_are_left_out_by_choice() {
    let root =
        tree(&[("a/Cargo.lock", LOCK), ("b/Cargo.lock", LOCK), ("b/c/Cargo.lock", LOCK), ("go.mod", "module x\n")]);
    let options =
        |exclude: &[&str]| Options { exclude: exclude.iter().map(|e| e.to_string()).collect(), ..Options::default() };
    let inventory = walk(root.path(), &options(&["/b", "*.mod"]), &|_| {}).unwrap();
    assert_eq!((paths(&inventory), inventory.ignored_lockfiles.len()), (vec!["a/Cargo.lock"], 0));
    let error = walk(root.path(), &options(&["a[", "{x"]), &|_| {}).unwrap_err();
    assert!(matches!(error, WalkError::Exclude { .. }), "{error}");
}

#[test]
fn the_answer_does_not_depend_on_threads_and_progress_reaches_the_end() {
    let want = take(&locks());
    assert!(want.inputs.len() > 80);
    assert!(want.inputs.is_sorted_by(|a, b| a.path < b.path));
    for threads in [1, 2, 7] {
        let seen = Mutex::new((0, 0));
        let progress = |step| {
            let mut seen = seen.lock().unwrap();
            match step {
                Progress::Found(found) => seen.0 = seen.0.max(found),
                Progress::Read { done, total } => {
                    assert!(done <= total);
                    seen.1 = seen.1.max(done);
                }
            }
        };
        let got = walk(&locks(), &Options { threads, ..Options::default() }, &progress).unwrap();
        assert_eq!(got, want);
        let (found, read) = *seen.lock().unwrap();
        // What another file leads to is not found by the walk itself.
        let walked = want.inputs.iter().filter(|input| input.kind != "go.sum").count();
        assert_eq!(read, walked);
        assert!(found >= read, "what is no loss was found too: {found}");
    }
}

/// What comes from a registry that is named as a mirror is what the public registry has, pinned or not.
#[test]
fn what_comes_from_a_mirror_is_public() {
    let lock = r#"{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1.0.0",
        "resolved": "https://npm.corp.example/api/npm-remote/a/-/a-1.0.0.tgz", "integrity": "sha512-AA=="},
        "node_modules/b": {"version": "1.0.0", "resolved": "https://npm.corp.example/api/npm-own/b/-/b-1.0.0.tgz", "integrity": "sha512-AA=="}}}"#;
    let pip = "--index-url https://pypi.corp.example/simple\nc>=1\nd==1.0\n";
    let uv = "[project]\nname = \"x\"\ndependencies = [\"e>=2\"]\n[tool.uv.sources]\ne = { index = \"corp\" }\n\
              [[tool.uv.index]]\nname = \"corp\"\nurl = \"https://user:secret@pypi.corp.example/simple\"\n";
    let gems = "source 'https://gems.corp.example'\ngem 'f', '~> 1.0'\n";
    let root =
        tree(&[("package-lock.json", lock), ("requirements.txt", pip), ("uv/pyproject.toml", uv), ("Gemfile", gems)]);
    let told = |mirrors: &[&str]| {
        let mirrors = Mirrors::new(mirrors.iter().map(|one| one.parse().unwrap()).collect());
        let inventory = walk(root.path(), &Options { mirrors, ..Options::default() }, &|_| {}).unwrap();
        let mut public: Vec<String> = Vec::new();
        for input in &inventory.inputs {
            let packages = input.packages.iter().filter(|package| package.source == Source::Registry);
            public.extend(packages.map(|package| format!("{} {}", package.name, package.mirror().unwrap_or("?"))));
            let ranges = input.not_judged.iter().filter(|entry| entry.is_range);
            public.extend(ranges.map(|entry| format!("{} [{}]", entry.name, entry.requirement)));
            let outside = input.signs.iter().filter(|sign| matches!(sign.fact, Fact::Outside(_)));
            public.extend(outside.map(|sign| format!("{} outside", sign.name)));
        }
        public
    };
    assert_eq!(told(&[]), ["f outside", "e outside"]);
    let all = ["npm.corp.example/api/npm-remote", "https://pypi.corp.example/", "GEMS.corp.example"];
    let public = [
        "f [~> 1.0]",
        "a https://npm.corp.example/api/npm-remote",
        "d https://pypi.corp.example/simple",
        "c [>=1]",
        "e [>=2]",
    ];
    assert_eq!(told(&all), public);
}

#[test]
fn archives_that_are_passed_over_are_counted() {
    let files =
        ["lib/a.jar", "b.WAR", "c.ear", "gradle/wrapper/gradle-wrapper.jar", "build/d.jar", "node_modules/e.jar"];
    let mut all: Vec<(&str, &str)> = files.iter().map(|path| (*path, "x")).collect();
    all.extend([(".gitignore", "build/\n"), ("Cargo.lock", LOCK)]);
    assert_eq!(take(tree(&all).path()).archives, 3);
    let options = Options { exclude: vec!["lib/".to_owned()], ..Options::default() };
    assert_eq!(walk(tree(&all).path(), &options, &|_| {}).unwrap().archives, 2);
}

#[test]
fn a_single_file_is_read_whatever_its_name() {
    let root = tree(&[("Cargo.lock", LOCK), (".gitignore", "*\n"), ("notes.txt", "hello")]);
    let inventory = take(&root.path().join("Cargo.lock"));
    assert_eq!((paths(&inventory), inventory.inputs[0].packages.len()), (vec!["Cargo.lock"], 1));
    let inventory = take(&root.path().join("notes.txt"));
    assert_eq!(inventory.inputs[0].status, Status::Unsupported);
    let error = walk(&root.path().join("gone"), &Options::default(), &|_| {}).unwrap_err();
    assert!(matches!(error, WalkError::Root { .. }), "{error}");
}

#[test]
fn what_the_result_is_written_to_is_not_read() {
    let root = tree(&[("Cargo.lock", LOCK), ("bom.json", ""), ("a/bom.json", "{}")]);
    let written = |path: &str| aiva_sca::inventory::FileId::of(&std::fs::metadata(root.path().join(path)).unwrap());
    let with = |written| Options { written, ..Options::default() };
    for (written, want) in [
        (vec![], vec!["Cargo.lock", "a/bom.json", "bom.json"]),
        (vec![written("bom.json")], vec!["Cargo.lock", "a/bom.json"]),
        (vec![written("bom.json"), written("a/bom.json")], vec!["Cargo.lock"]),
    ] {
        assert_eq!(paths(&walk(root.path(), &with(written), &|_| {}).unwrap()), want);
    }
    // Named, it is read.
    let named = walk(&root.path().join("Cargo.lock"), &with(vec![written("Cargo.lock")]), &|_| {}).unwrap();
    assert_eq!(paths(&named), ["Cargo.lock"]);
}

#[test]
fn files_that_are_too_large_are_failed_not_read() {
    let root = tree(&[("Cargo.lock", LOCK)]);
    let options = Options { largest_file: LOCK.len() as u64 - 1, ..Options::default() };
    let inventory = walk(root.path(), &options, &|_| {}).unwrap();
    assert_eq!(inventory.inputs[0].status, Status::Failed);
    assert!(inventory.inputs[0].problems[0].message.contains("the limit for one file"));
    let options = Options { largest_file: LOCK.len() as u64, ..Options::default() };
    assert_eq!(walk(root.path(), &options, &|_| {}).unwrap().inputs[0].status, Status::Parsed);
}

#[cfg(unix)]
#[test]
fn links_never_lead_out_and_loops_end() {
    use std::os::unix::fs::symlink;
    let outside = tree(&[("Cargo.lock", LOCK)]);
    let root = tree(&[("a/Cargo.lock", LOCK), ("a/locked", LOCK)]);
    let link = |target: &Path, name: &str| {
        fs::create_dir_all(root.path().join(name).parent().unwrap()).unwrap();
        symlink(target, root.path().join(name)).unwrap();
    };
    link(&outside.path().join("Cargo.lock"), "out/Cargo.lock");
    link(&root.path().join("a/Cargo.lock"), "same/Cargo.lock"); // Read where it is.
    link(&root.path().join("a/locked"), "named/Cargo.lock"); // Only the link has a known name.
    link(Path::new("nowhere"), "dangling/go.mod");
    link(root.path(), "loop/again");
    let inventory = take(root.path());
    let seen: Vec<_> = inventory.inputs.iter().map(|i| (i.path.as_str(), i.status)).collect();
    let want = [
        ("a/Cargo.lock", Status::Parsed),
        ("dangling/go.mod", Status::Failed),
        ("named/Cargo.lock", Status::Parsed),
        ("out/Cargo.lock", Status::Failed),
    ];
    assert_eq!(seen, want);
    assert!(find(&inventory, "out/Cargo.lock").problems[0].message.contains("out of the scanned folder"));
}

#[cfg(unix)]
#[test]
fn a_crate_without_a_source_has_a_folder_or_was_cut_off() {
    let manifest = |name: &str, asks: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n\n[dependencies]\n{asks}\n")
    };
    let lock = "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"yaml-rust\",\n]\n\n\
                [[package]]\nname = \"yaml-rust\"\nversion = \"0.3.5\"\n";
    let app = manifest("app", "yaml-rust = \"=0.3.5\"");
    let cut = tree(&[("Cargo.lock", lock), ("Cargo.toml", &app)]);
    let inventory = take(cut.path());
    let input = find(&inventory, "Cargo.lock");
    assert_eq!(input.status, Status::Partial);
    assert!(input.problems[0].message.contains("\"yaml-rust\" is the last in the file"), "{:?}", input.problems);
    let own = manifest("app", "yaml-rust = { path = \"yaml-rust\" }");
    let folder = manifest("yaml-rust", "");
    let whole = tree(&[("Cargo.lock", lock), ("Cargo.toml", &own), ("yaml-rust/Cargo.toml", &folder)]);
    assert_eq!(find(&take(whole.path()), "Cargo.lock").status, Status::Parsed);
}

#[test]
fn what_a_manifest_names_never_leads_out_either() {
    let go = |version: &str| format!("module example.com/a\n\ngo {version}\n\nrequire example.com/b v1.0.0\n");
    let sum = "example.com/c v1.0.0 h1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=\n";
    let parent = "<project><groupId>g</groupId><artifactId>p</artifactId><version>1</version><properties><v>2.0</v></properties></project>";
    let child = |at: &str| {
        format!(
            "<project><parent><groupId>g</groupId><artifactId>p</artifactId><version>1</version><relativePath>{at}</relativePath></parent>\
             <artifactId>c</artifactId><dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId><version>${{v}}</version></dependency></dependencies></project>"
        )
    };
    let setup = "[options]\ninstall_requires =\n  a==1.0\n";
    let named = [("setup.txt", setup), ("go.txt", sum), ("base.txt", "z==1.0\n"), ("parent.xml", parent)];
    // Each file that is named is a link, out of the folder or to another place in it, or has a path out of it.
    let (outside, inside) = (tree(&named), tree(&named));
    for (place, is_inside) in [(&outside, false), (&inside, true)] {
        let root = inside.path();
        let files = [
            ("py/pyproject.toml", "[project]\ndynamic = [\"dependencies\"]\n".to_owned()),
            ("new/go.mod", go("1.21")),
            ("old/go.mod", go("1.16")),
            ("req/requirements.txt", "-r link.txt\n".to_owned()),
            ("pom/pom.xml", child("link.xml")),
        ];
        for (path, text) in &files {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        for (to, name) in [
            ("setup.txt", "py/setup.cfg"),
            ("go.txt", "new/go.sum"),
            ("go.txt", "old/go.sum"),
            ("base.txt", "req/link.txt"),
            ("parent.xml", "pom/link.xml"),
        ] {
            drop(fs::remove_file(root.join(name)));
            std::os::unix::fs::symlink(place.path().join(to), root.join(name)).unwrap();
        }
        let inventory = take(root);
        assert_eq!(find(&inventory, "py/pyproject.toml").problems.is_empty(), is_inside, "what is dynamic");
        assert_eq!(find(&inventory, "new/go.mod").signs.is_empty(), !is_inside, "what has no hash");
        let has_sum = paths(&inventory).contains(&"old/go.sum");
        assert_eq!((has_sum, find(&inventory, "old/go.mod").not_judged.is_empty()), (is_inside, is_inside));
        let asked = find(&inventory, "req/requirements.txt");
        assert_eq!((asked.problems.is_empty(), paths(&inventory).contains(&"req/link.txt")), (is_inside, is_inside));
        let pins = find(&inventory, "pom/pom.xml").packages.iter().map(|one| one.version.to_string());
        assert_eq!(pins.collect::<Vec<_>>(), if is_inside { vec!["2.0"] } else { vec![] });
    }
    let parent = outside.path().file_name().unwrap().to_str().unwrap();
    let up = tree(&[
        ("requirements.txt", &format!("-r ../{parent}/base.txt\n")),
        ("pom.xml", &child(&format!("../{parent}/parent.xml"))),
    ]);
    let inventory = take(up.path());
    assert_eq!(paths(&inventory), ["pom.xml", "requirements.txt"]);
    assert!(inventory.inputs.iter().all(|input| input.packages.is_empty()));
    assert!(find(&inventory, "requirements.txt").problems[0].message.contains("outside of the scanned folder"));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_or_may_not_be_read_is_said() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;
    let root = tree(&[("closed/Cargo.lock", LOCK), ("secret/go.mod", "module x\n")]);
    let _socket = UnixListener::bind(root.path().join("Pipfile.lock")).unwrap();
    let mode = |path: &str, mode: u32| {
        fs::set_permissions(root.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("closed", 0);
    mode("secret/go.mod", 0);
    let inventory = take(root.path());
    let readable = fs::read_dir(root.path().join("closed")).is_ok(); // The superuser may read everything.
    mode("closed", 0o755);
    assert!(find(&inventory, "Pipfile.lock").problems[0].message.contains("not a regular file"));
    if readable {
        assert_eq!(find(&inventory, "closed/Cargo.lock").status, Status::Parsed);
        return;
    }
    let closed = find(&inventory, "closed");
    assert_eq!((&*closed.kind, closed.status), ("folder", Status::Failed));
    assert_eq!(find(&inventory, "secret/go.mod").status, Status::Failed);
}

#[test]
fn includes_are_followed_inside_the_root_once() {
    let root = tree(&[
        ("requirements.txt", "-r deps/base.txt\n-r requirements.txt\n-c deps/pins.txt\nb>=1\nfree\n"),
        (
            "deps/base.txt",
            "a==1.0\n-r ../requirements.txt\n-r gone.txt\n-r https://example.com/x.txt\n-r ../../out.txt\n",
        ),
        ("deps/pins.txt", "b==2.0\nc==3.0\nd<9\n"),
    ]);
    assert_eq!(
        picture(&take(root.path()).inputs).replace(&root.path().display().to_string(), "ROOT"),
        "deps/base.txt (requirements.txt): partial
     1 a 1.0 unknown runtime registry
     3 problem: \"gone.txt\" is included, but could not be read: No such file or directory (os error 2)
     4 problem: \"https://example.com/x.txt\" is not fetched: save it beside this file to have it read
     5 problem: \"../../out.txt\" is outside of the scanned folder: not read
deps/pins.txt (requirements.txt): parsed
     1 b 2.0 direct runtime registry
     2 c 3.0 unknown runtime registry
requirements.txt (requirements.txt): parsed
     5 free \"\" not judged: a range, not a pinned version; a lockfile would pin it
"
    );
}

#[test]
fn a_manifest_beside_its_lockfile_only_says_what_is_direct() {
    let manifest = r#"{"dependencies": {"a": "^1"}, "devDependencies": {"b": "2.0.0"}}"#;
    let lock = r#"{"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.0"}, "c": {"version": "3.0.0"}}}"#;
    let with = tree(&[("package.json", manifest), ("package-lock.json", lock), ("other/package.json", manifest)]);
    assert_eq!(
        picture(&take(with.path()).inputs),
        "other/package.json (package.json): parsed
     1 b 2.0.0 direct dev registry
     1 a \"^1\" not judged: a range, not a pinned version; a lockfile would pin it
package-lock.json (package-lock.json): parsed
     1 a 1.0.0 direct runtime registry
     1 c 3.0.0 transitive runtime registry
package.json (package.json): parsed
     1 b 2.0.0 direct dev registry
",
        "what the lockfile does not have is judged by the manifest"
    );
    // A lockfile that could not be read covers nothing.
    let broken = tree(&[("package.json", manifest), ("package-lock.json", "binary\0")]);
    let inventory = take(broken.path());
    assert_eq!(find(&inventory, "package.json").not_judged.len(), 1);
}

#[test]
fn a_workspace_in_format_1_of_npm_is_read_as_in_the_later_ones() {
    let lock = r#"{"lockfileVersion": 1, "dependencies": {
"b": {"version": "file:packages/b", "requires": {"ms": "2.1.3"}, "dependencies": {"ms": {"version": "2.1.3"}}},
"debug": {"version": "2.6.9", "requires": {"ms": "2.0.0"}},
"ms": {"version": "2.0.0"}}}"#;
    let tree = tree(&[
        ("package.json", r#"{"workspaces": ["packages/*"], "dependencies": {"debug": "2.6.9"}}"#),
        ("packages/b/package.json", r#"{"name": "b", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}}"#),
        ("package-lock.json", lock),
    ]);
    assert_eq!(
        picture(&take(tree.path()).inputs),
        "package-lock.json (package-lock.json): parsed
     2 b file:packages/b direct runtime Path(\"packages/b\")
     2 ms 2.1.3 direct runtime registry
     3 debug 2.6.9 direct runtime registry
     4 ms 2.0.0 transitive runtime registry
package.json (package.json): parsed
packages/b/package.json (package.json): parsed
"
    );
}

#[test]
fn npm_6_does_not_lock_what_folders_need_for_development() {
    let folder = r#"{"name": "b", "dependencies": {"ms": "2.1.3"}, "devDependencies": {"mocha": "^1", "debug": "^4"}}"#;
    let lock = r#"{"lockfileVersion": 1, "dependencies": {
"b": {"version": "file:b", "requires": {"ms": "2.1.3"}, "dependencies": {"ms": {"version": "2.1.3"}}},
"debug": {"version": "2.6.9", "requires": {"ms": "2.0.0"}}, "ms": {"version": "2.0.0"}}}"#;
    for (root, lock, want) in [
        (r#"{"dependencies": {"b": "file:b", "debug": "2.6.9"}}"#, lock.to_owned(), ""),
        // What the topmost needs for development is locked.
        (r#"{"dependencies": {"b": "file:b"}, "devDependencies": {"mocha": "^1"}}"#, lock.to_owned(), "mocha"),
        (
            r#"{"dependencies": {"b": "file:b"}}"#,
            lock.replace(
                "\"requires\": {\"ms\": \"2.1.3\"}, \"dependencies\": {\"ms\": {\"version\": \"2.1.3\"}}",
                "\"requires\": {}",
            ),
            "ms",
        ),
        // A later npm, told to write the old format.
        (r#"{"workspaces": ["b"], "dependencies": {"debug": "2.6.9"}}"#, lock.to_owned(), "mocha debug"),
    ] {
        let tree = tree(&[("package.json", root), ("b/package.json", folder), ("package-lock.json", &lock)]);
        let inventory = take(tree.path());
        let signs = find(&inventory, "package-lock.json").signs.iter();
        let signs = signs.filter(|sign| matches!(sign.fact, Fact::NotLocked { .. } | Fact::LockedOtherwise { .. }));
        let signs: Vec<&str> = signs.map(|sign| sign.name.as_str()).collect();
        assert_eq!(signs.join(" "), want, "{root}");
    }
}

#[test]
fn workspaces_share_the_lockfile_above() {
    let member = "[package]\nname = \"member\"\nversion = \"0.1.0\"\n[dev-dependencies]\na = \"1\"\n";
    let lock = format!("{LOCK}\n[[package]]\nname = \"member\"\nversion = \"0.1.0\"\ndependencies = [\n \"a\",\n]\n");
    let root = tree(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"member\"]\n"),
        ("Cargo.lock", &lock),
        ("member/Cargo.toml", member),
        ("stranger/Cargo.toml", "[package]\nname = \"stranger\"\n[dependencies]\nz = \"1\"\n"),
    ]);
    let inventory = take(root.path());
    let lock = find(&inventory, "Cargo.lock");
    assert_eq!((lock.packages[0].direct, lock.packages[0].scope.name()), (Some(true), "dev"));
    assert!(find(&inventory, "member/Cargo.toml").not_judged.is_empty());
    assert_eq!(find(&inventory, "stranger/Cargo.toml").not_judged.len(), 1);
}

#[test]
fn a_lockfile_of_many_megabytes_is_read_in_one_pass() {
    let mut text = String::from("version = 4\n");
    for number in 0..60_000 {
        text.push_str(&format!(
            "\n[[package]]\nname = \"crate-{number:06}\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\ndependencies = [\n \"crate-{:06}\",\n]\n",
            (number + 1) % 60_000 // One circle through everything.
        ));
    }
    let root = tree(&[("Cargo.lock", &text)]);
    let inventory = take(root.path());
    assert_eq!((inventory.inputs[0].status, inventory.inputs[0].packages.len()), (Status::Parsed, 60_000));
}

#[test]
fn an_old_go_mod_is_completed_by_its_go_sum() {
    let sum = "example.com/a v1.0.0 h1:x=\nexample.com/a v1.0.0/go.mod h1:x=\nexample.com/b v1.9.0 h1:x=\n\
               example.com/b v1.10.0 h1:x=\nexample.com/c v1.0.0/go.mod h1:x=\n";
    let module = |line: &str| format!("module x\n\n{line}\nrequire example.com/a v1.0.0\n");
    let rows = |files: &[(&str, &str)]| {
        let inventory = take(tree(files).path());
        let inputs = inventory.inputs.iter();
        let packages = |input: &Input| {
            let pinned =
                input.packages.iter().map(|one| format!("{}:{} {} {}", input.path, one.line, one.name, one.version));
            let open = input.not_judged.iter().map(|one| format!("{}:{} {}", input.path, one.line, one.name));
            pinned.chain(open).filter(|row| !row.contains("stdlib")).collect::<Vec<_>>()
        };
        (inputs.clone().flat_map(packages).collect::<Vec<_>>(), inputs.map(|input| input.status).max())
    };
    let old = module("go 1.16\n");
    let (own, added) = ("go.mod:5 example.com/a 1.0.0", "go.sum:4 example.com/b 1.10.0");
    // The highest version of what has code of its own; `c` was only looked at.
    assert_eq!(rows(&[("go.mod", &old), ("go.sum", sum)]).0, [own, added]);
    assert_eq!(rows(&[("go.mod", &module("")), ("go.sum", sum)]).0, ["go.mod:4 example.com/a 1.0.0", added]);
    // From Go 1.17 on the go.mod has all of them.
    for line in ["go 1.17\n", "go 1.21rc2\n", "go 2\n"] {
        assert_eq!(rows(&[("go.mod", &module(line)), ("go.sum", sum)]).0, [own], "{line}");
    }
    assert_eq!(rows(&[("go.mod", &old)]).0, [own, "go.mod:3 modules that these need"]);
    let vendored = "# example.com/a v1.0.0\n## explicit\nexample.com/a\n# example.com/b v1.10.0\nexample.com/b\n";
    assert_eq!(
        rows(&[("go.mod", &old), ("go.sum", sum), ("vendor/modules.txt", vendored)]).0,
        [own, "vendor/modules.txt:4 example.com/b 1.10.0"]
    );
    assert_eq!(rows(&[("go.mod", &old), ("go.sum", "example.com/b v1.0.0\n")]).1, Some(Status::Failed));
    assert_eq!(rows(&[("go.mod", &old), ("go.sum", &sum[..sum.len() - 1])]).1, Some(Status::Partial)); // cut
}
