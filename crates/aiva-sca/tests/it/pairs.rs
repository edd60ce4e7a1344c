//! A manifest and a lockfile that disagree, pair by pair: agree, missing, differing, and what must be silent.

mod beyond_npm;
mod npm;

use std::fs;

use aiva_sca::inventory::{Options, walk};
use aiva_sca::supply::Rules;
use aiva_sca::supply::rule::Rule;

/// What is told of a tree, as `name:line reason`, without the manifest's line and the command that mends it.
fn told(files: &[(&str, &str)]) -> Vec<String> {
    told_of(files, true).iter().map(|said| without_line(said)).collect()
}

/// The same of a tree in which not all can be understood.
fn partial(files: &[(&str, &str)]) -> Vec<String> {
    told_of(files, false).iter().map(|said| without_line(said)).collect()
}

fn without_line(said: &str) -> String {
    let (place, rest) = said.split_once(" asks for ").unwrap();
    let (path, line) = place.rsplit_once(':').unwrap();
    assert!(line.parse::<u32>().unwrap() > 0, "{said}");
    format!("{path} asks for {rest}")
}

fn told_of(files: &[(&str, &str)], is_whole: bool) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
    for input in &inventory.inputs {
        assert!(!is_whole || input.problems.is_empty(), "{}: {:?}", input.path, input.problems);
    }
    let rules = Rules { on: [Rule::NotLocked].into(), ..Rules::default() };
    let findings = rules.judge(&inventory.inputs, None);
    let one = |one: &aiva_sca::finding::Finding| {
        let reason = one.verdict.reason.split("; `").next().unwrap_or_default();
        format!("{}:{} {reason}", one.name, one.line)
    };
    findings.iter().map(one).collect()
}

/// A manifest's text and what is told of it beside the same lockfile.
#[track_caller]
fn rows(lock: (&str, &str), manifest: &str, rows: &[(&str, &[&str])]) {
    for (text, want) in rows {
        assert_eq!(told(&[lock, (manifest, text)]), *want, "{manifest}: {text}");
    }
}

#[test]
fn the_line_that_asks_is_named() {
    let npm = r#"{"lockfileVersion":3,"packages":{"":{}}}"#;
    let cargo = "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n";
    let uv = "version = 1\nrequires-python = \">=3.10\"\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\n";
    let poetry = "[metadata]\nlock-version = \"2.0\"\npython-versions = \"*\"\ncontent-hash = \"0\"\n";
    let project = "[project]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n  \"absent==1.0.0\",\n]\n";
    for (files, want) in [
        (
            [("package.json", "{\n\"dependencies\": {\n\"absent\": \"1\"}}"), ("package-lock.json", npm)],
            "package.json:3",
        ),
        (
            [("Cargo.toml", "[package]\nname = \"app\"\n[dependencies]\nabsent = \"1\"\n"), ("Cargo.lock", cargo)],
            "Cargo.toml:4",
        ),
        (
            [
                ("Cargo.toml", "[package]\nname = \"app\"\n[dependencies.absent]\nversion = \"1\"\n"),
                ("Cargo.lock", cargo),
            ],
            "Cargo.toml:3",
        ),
        ([("pyproject.toml", project), ("uv.lock", uv)], "pyproject.toml:5"),
        (
            [
                (
                    "pyproject.toml",
                    "[tool.poetry]\nname = \"app\"\n[tool.poetry.dependencies]\npython = \"^3\"\nabsent = \"^1\"\n",
                ),
                ("poetry.lock", poetry),
            ],
            "pyproject.toml:5",
        ),
        (
            [
                ("Pipfile", "[packages]\n\nabsent = \"*\"\n"),
                ("Pipfile.lock", r#"{"_meta":{"pipfile-spec":6},"default":{},"develop":{}}"#),
            ],
            "Pipfile:3",
        ),
        (
            [
                ("composer.json", "{\n\"require\": {\n\"acme/absent\": \"^1\"}}"),
                ("composer.lock", r#"{"packages":[],"packages-dev":[]}"#),
            ],
            "composer.json:3",
        ),
        (
            [
                ("pubspec.yaml", "name: app\ndependencies:\n  absent: ^1.0.0\n"),
                ("pubspec.lock", "packages: {}\nsdks:\n  dart: \">=3.0.0 <4.0.0\"\n"),
            ],
            "pubspec.yaml:3",
        ),
    ] {
        let told = told_of(&files, true);
        assert!(matches!(&*told, [one] if one.contains(&format!("absent:1 {want} asks for "))), "{files:?}: {told:?}");
    }
}

/// A member of a workspace that takes what the workspace offers has its version there.
#[test]
fn a_cargo_workspace_is_named_where_it_has_the_version() {
    let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"00\"\n";
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"itoa\"]\n\n\
         [[package]]\nname = \"itoa\"\nversion = \"1.0.5\"\n{registry}"
    );
    let differs = |place: &str, asked: &str| format!("itoa:9 {place} asks for {asked:?}, Cargo.lock has 1.0.5");
    for (offers, takes, want) in [
        ("itoa = \"1\"", "itoa = { workspace = true }", vec![]),
        ("itoa = \"1.1\"", "itoa = { workspace = true }", vec![differs("Cargo.toml:4", "1.1")]),
        ("itoa = { version = \"1.1\" }", "itoa.workspace = true", vec![differs("Cargo.toml:4", "1.1")]),
        // Under a name of its own.
        (
            "number = { version = \"1.1\", package = \"itoa\" }",
            "number.workspace = true",
            vec![differs("Cargo.toml:4", "1.1")],
        ),
        ("number = { version = \"1\", package = \"itoa\" }", "number.workspace = true", vec![]),
        // The member's own line counts where it asks itself.
        ("itoa = \"1\"", "itoa = \"1.1\"", vec![differs("app/Cargo.toml:4", "1.1")]),
        (
            "never = \"1\"",
            "never.workspace = true",
            vec![r#"never:1 Cargo.toml:4 asks for "1", Cargo.lock does not have it"#.to_owned()],
        ),
        ("never = { path = \"never\" }", "never.workspace = true", vec![]),
        ("never = { git = \"https://example.com/never\" }", "never.workspace = true", vec![]),
        ("other = \"1\"", "never.workspace = true", vec![]), // which cargo refuses
    ] {
        let root = format!("[workspace]\nmembers = [\"app\"]\n[workspace.dependencies]\n{offers}\n");
        let member = format!("[package]\nname = \"app\"\n[dependencies]\n{takes}\n");
        let told = told_of(&[("Cargo.lock", &lock), ("Cargo.toml", &root), ("app/Cargo.toml", &member)], true);
        assert_eq!(told, want, "{offers}; {takes}");
    }
}

#[test]
fn the_command_that_mends_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("package.json"), r#"{"dependencies":{"ms":"^2"}}"#).unwrap();
    fs::write(folder.path().join("package-lock.json"), r#"{"lockfileVersion":3,"packages":{"":{}}}"#).unwrap();
    let inventory = walk(folder.path(), &Options::default(), &|_| {}).unwrap();
    let findings = Rules::default().judge(&inventory.inputs, None);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].verdict.reason.ends_with("; `npm install` mends that"), "{}", findings[0].verdict.reason);
}

#[test]
fn no_repository_of_the_tests_disagrees_with_itself() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/locks");
    for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let inventory = walk(&folder, &Options::default(), &|_| {}).unwrap();
        let rules = Rules { on: [Rule::NotLocked].into(), ..Rules::default() };
        let findings = rules.judge(&inventory.inputs, None);
        let told: Vec<String> =
            findings.iter().map(|one| format!("{} {} {}", one.path, one.name, one.verdict.reason)).collect();
        assert!(told.is_empty(), "{}: {told:#?}", folder.display());
    }
}

/// The work grows with the files, not with their product.
#[test]
fn hostile_pairs_end() {
    let many = 20_000;
    let names: String =
        (0..many).map(|at| format!(",\"node_modules/d{at}/node_modules/a\":{{\"version\":\"1.0.{at}\"}}")).collect();
    let asks: String = (0..many).map(|at| format!(",\"a\":\"^1.0.{at}\"")).collect();
    let lock =
        format!("{{\"lockfileVersion\":3,\"packages\":{{\"\":{{\"dependencies\":{{\"a\":\"^9\"{asks}}}}}{names}}}}}");
    let manifest = format!("{{\"dependencies\":{{\"a\":\"^9\"{asks}}}}}");
    let yarn: String = (0..many).map(|at| format!("a@^1.0.{at}:\n  version \"1.0.{at}\"\n\n")).collect();
    let yarn = format!("# yarn lockfile v1\n\n\n{yarn}");
    let members: String =
        (0..many).map(|at| format!("[dependencies.a{at}]\nversion = \"2\"\npackage = \"a\"\n")).collect();
    let crates: String = (0..many).map(|at| format!("[[package]]\nname = \"a\"\nversion = \"1.0.{at}\"\n\n")).collect();
    for files in [
        [("package-lock.json", &*lock), ("package.json", &*manifest)],
        [("yarn.lock", &*yarn), ("package.json", &*manifest)],
        [
            ("Cargo.lock", &*format!("version = 4\n\n{crates}")),
            ("Cargo.toml", &*format!("[package]\nname = \"x\"\n{members}")),
        ],
    ] {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            fs::write(folder.path().join(path), text).unwrap();
        }
        assert_eq!(walk(folder.path(), &Options::default(), &|_| {}).unwrap().inputs.len(), 2);
    }
}
