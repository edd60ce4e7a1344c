//! `pyproject.toml`, `setup.cfg` and `Pipfile`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use aiva_sca::inventory::Kind;

use super::check;

#[test]
fn pyproject_with_overrides() {
    let project = "[project]\ndependencies = [\"a>=1\"]\n";
    for (tables, want) in [
        ("[tool.uv]\noverride-dependencies = [\"A==1.5\"]", "a 1.5 4 runtime forced by override-dependencies"),
        ("[tool.uv]\noverride-dependencies = [\"a<2\"]", "? a [<2] 4 runtime forced by override-dependencies"),
        (
            "[tool.uv]\noverride-dependencies = [\"b==1.5\"]",
            "b 1.5 4 runtime ? forced by override-dependencies\n? a [>=1] 2 runtime",
        ),
        (
            "[tool.uv]\noverride-dependencies = [\"a==1.5; python_version < '3.9'\"]",
            "a 1.5 4 runtime forced by override-dependencies\n? a [>=1] 2 runtime",
        ),
        ("[tool.pdm.resolution.overrides]\na = \"1.5\"", "a 1.5 4 runtime forced by resolution.overrides"),
        ("[tool.pdm.resolution.overrides]\na = \">=1.5\"", "? a [>=1.5] 4 runtime forced by resolution.overrides"),
        (
            "[tool.pdm.resolution.overrides]\na = \"https://x/a.whl\"",
            "- a [@ https://x/a.whl] 4 runtime: from an address, not from an index: it has no version",
        ),
    ] {
        check("pyproject.toml", &format!("{project}{tables}\n"), &format!("parsed\n{want}"));
    }
    let odd = format!("{project}[tool.uv]\noverride-dependencies = [\"a=1\"]\n");
    check(
        "pyproject.toml",
        &odd,
        "partial\n? a [>=1] 2 runtime\n! 4 not a requirement, and not judged: \"a=1\"; a name and its versions belong here, as in \"name>=1.2\"",
    );
}

#[test]
fn pyproject_with_what_builds_it() {
    let build = "[build-system]\nrequires = [\"setuptools>=61\", \"wheel==0.40.0\", \"x @ https://x/x.whl\"]\n";
    check(
        "pyproject.toml",
        &format!("{build}[project]\ndependencies = [\"wheel>=0.30\"]\n"),
        "parsed
wheel 0.40.0 2 build
? wheel [>=0.30] 4 runtime
? setuptools [>=61] 2 build
- x [@ https://x/x.whl] 2 build: from an address, not from an index: it has no version",
    );
    check(
        "pyproject.toml",
        "[build-system]\nrequires = [\"=1\"]\n",
        "failed\n! 2 not a requirement, and not judged: \"=1\"; a name and its versions belong here, as in \"name>=1.2\"",
    );
    for (wrong, key) in [
        ("[project]\ndependencies = \"a==1\"\n", "dependencies"),
        ("[project]\ndependencies.a = \"1\"\n", "dependencies"),
        ("[project]\ndynamic = \"dependencies\"\n", "dynamic"),
        ("[project.optional-dependencies]\nx = \"a\"\n", "x"),
        ("[build-system]\nrequires = \"a\"\n", "requires"),
        ("[dependency-groups]\ndev = \"a\"\n", "dev"),
        ("[tool.uv]\noverride-dependencies = \"a\"\n", "override-dependencies"),
        ("[tool.uv]\nexclude-dependencies = \"a\"\n", "exclude-dependencies"),
        ("[tool.uv]\nconstraint-dependencies = \"a\"\n", "constraint-dependencies"),
        ("[tool.uv]\nbuild-constraint-dependencies.a = \"1\"\n", "build-constraint-dependencies"),
        ("[tool.pdm.resolution]\nexcludes = \"a\"\n", "excludes"),
        ("[tool.uv]\ndev-dependencies = \"a\"\n", "dev-dependencies"),
    ] {
        let text = format!("{wrong}[tool.poetry.dependencies]\nb = \"1.0\"\n");
        check(
            "pyproject.toml",
            &text,
            &format!("partial\nb 1.0 4 runtime\n! 2 \"{key}\" is no list: nothing of it is read"),
        );
    }
}

#[test]
fn pyproject_with_constraints_of_uv() {
    let project =
        "[build-system]\nrequires = [\"a>=1\", \"s\"]\n[project]\ndependencies = [\"a>=1,\", \"b\"]\n[tool.uv]\n";
    let (build, plain) = ("? a [>=1] 2 build\n? s [] 2 build", "? a [>=1,] 4 runtime\n? b [] 4 runtime");
    for (constraints, want) in [
        (
            "constraint-dependencies = [\"A<2\", \"a!=1.1\", \"gone==1\"]",
            format!("? a [>=1,<2,!=1.1] 4 runtime\n? b [] 4 runtime\n{build}"),
        ),
        ("constraint-dependencies = [\"a==1.5\", \"b<3\"]", format!("a 1.5 6 runtime\n? b [<3] 4 runtime\n{build}")),
        (
            "build-constraint-dependencies = [\"a<2\", \"s==60.0\"]",
            format!("s 60.0 6 build\n{plain}\n? a [>=1,<2] 2 build"),
        ),
        // On some machines only, or of no version.
        (
            "constraint-dependencies = [\"a<2; os_name == 'nt'\", \"b\", \"b @ https://x/b.whl\"]",
            format!("{plain}\n{build}"),
        ),
    ] {
        check("pyproject.toml", &format!("{project}{constraints}\n"), &format!("parsed\n{want}"));
    }
    let odd = format!("{project}constraint-dependencies = [\"a=1\"]\n");
    check(
        "pyproject.toml",
        &odd,
        &format!(
            "partial\n{plain}\n{build}\n! 6 not a requirement, and not judged: \"a=1\"; a name and its versions belong here, as in \"name>=1.2\""
        ),
    );
    // However much there is of one name, what is put beside each range of it is bounded.
    let (many, asked) = ("\"a!=1.1.1\",".repeat(5000), "\"a>=1\",".repeat(5000));
    let text = format!("[project]\ndependencies = [{asked}]\n[tool.uv]\nconstraint-dependencies = [{many}]\n");
    let reading = Kind::PyProject.read(text.as_bytes());
    assert!(reading.not_judged.len() == 5000 && reading.not_judged.iter().all(|one| one.requirement.len() < 1100));
    let long = format!(
        "[project]\ndependencies = [\"a>=1\"]\n[tool.uv]\nconstraint-dependencies = [\"a=={}\"]\n",
        "1".repeat(1100)
    );
    check("pyproject.toml", &long, "parsed\n? a [>=1] 2 runtime");
    let forced = "[project]\ndependencies = [\"a\"]\n[tool.uv]\noverride-dependencies = [\"a>=2\"]\nconstraint-dependencies = [\"a<3\"]\n";
    check("pyproject.toml", forced, "parsed\n? a [>=2,<3] 4 runtime forced by override-dependencies");
}

#[test]
fn what_python_s_files_cannot_mean_is_told() {
    let table = "is no table of packages: nothing of it is read";
    let neither = "is asked for by neither a version";
    for (name, text, want) in [
        ("setup.cfg", "[options\ninstall_requires =\n  a==1\n", "failed\n! 1 a section without its closing `]`: nothing of it is read".to_owned()),
        ("setup.cfg", "[options]\ninstall_requires = a==1.0; b==2.0\n", "parsed\na 1.0 2 runtime\nb 2.0 2 runtime".to_owned()),
        ("setup.cfg", "[options]\ninstall_requires = a==1.0; python_version < '3'\n", "parsed\na 1.0 2 runtime".to_owned()),
        (
            "setup.cfg",
            "[options]\ninstall_requires = a==1.0; extra == \"98\"; b==2.0; python_implementation == 'CPython'; extra==3.0; extras==4.0\n",
            "parsed\na 1.0 2 runtime\nb 2.0 2 runtime\nextra 3.0 2 runtime\nextras 4.0 2 runtime".to_owned(),
        ),
        (
            "setup.cfg",
            "[options]\nwords\ninstall_requires =\n  a==1.0\n",
            "partial\na 1.0 4 runtime\n! 2 neither a key with its value (`key = value`) nor indented below one: \"words\" is passed over".to_owned(),
        ),
        (
            "Pipfile",
            "packages = [\"a\"]\n[dev-packages]\nb = 1\nc = \"==1.0\"\n",
            format!("partial\nc 1.0 4 dev\n! 1 \"packages\" {table}\n! 3 \"b\" {neither} (\"*\", \">=1.2\") nor a table with one, and is not judged"),
        ),
        (
            "pyproject.toml",
            "[tool.poetry]\ndependencies = [\"a\"]\n[tool.poetry.dev-dependencies]\nb = 1\nc = {}\nd = \"1.0\"\n",
            format!(
                "partial\nd 1.0 6 dev\n! 2 \"dependencies\" {table}\n! 4 \"b\" {neither} (\"^1.2\") nor a table with one, and is not judged\n\
                 ! 5 \"c\" has an empty table in the place of its version, and is not judged: the file may have been cut off"
            ),
        ),
    ] {
        check(name, text, &want);
    }
}

#[test]
fn a_file_of_a_thousand_groups_is_read_in_one_go() {
    let mut text = String::new();
    for group in 0..20_000 {
        writeln!(text, "[tool.poetry.group.g{group}.dependencies]\nb{group} = \"^1.2\"").unwrap();
    }
    let begun = Instant::now();
    assert_eq!(Kind::PyProject.read(text.as_bytes()).not_judged.len(), 20_000);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    check(
        "pyproject.toml",
        "[tool.poetry.group]\na = 3\nb = {dependencies = 4}\n[tool.poetry.group.c.dependencies]\nd = \"1.0\"\n",
        "partial\nd 1.0 5 dev\n! 2 \"a\" is no table of packages: nothing of it is read\n! 3 \"dependencies\" is no table of packages: nothing of it is read",
    );
}

#[test]
fn pyproject_with_alternatives_of_poetry() {
    for (asked, want) in [
        ("\"5.1 || 5.2\"", "? a [==5.1 || ==5.2] 2 runtime"),
        ("\"^1|2.0\"", "? a [^1 || ==2.0] 2 runtime"),
        ("\">=5.1,<6 || 7.0\"", "? a [>=5.1,<6 || ==7.0] 2 runtime"),
        ("\"==5.1,<6 || ==7.0\"", "? a [==5.1,<6 || ==7.0] 2 runtime"),
        ("\"5.1 || *\"", "? a [] 2 runtime"),
        ("{ version = \"5.1 || 5.2\", extras = [\"x\"] }", "? a [==5.1 || ==5.2] 2 runtime"),
        (
            "[{ version = \"5.1 || 5.2\", python = \"<3\" }, { version = \"6.0\" }]",
            "? a [==5.1 || ==5.2 || ==6.0] 2 runtime",
        ),
        ("\"5.1\"", "a 5.1 2 runtime"),
        ("\">=1 <2\"", "? a [>=1,<2] 2 runtime"),
        ("\">= 1 !=1.5, <2 | ^3\"", "? a [>= 1,!=1.5, <2 || ^3] 2 runtime"),
        ("\"\"\">=3.0,\n<4\"\"\"", "? a [>=3.0, <4] 2 runtime"),
        ("\"1.0 - 2.0\"", "? a [1.0 - 2.0] 2 runtime"),
    ] {
        check("pyproject.toml", &format!("[tool.poetry.dependencies]\na = {asked}\n"), &format!("parsed\n{want}"));
    }
}

#[test]
fn what_says_no_version_is_never_taken_for_any() {
    let and = "and is not judged";
    let no_version = |text: &str, example: &str| {
        format!("! 3 \"a\" is asked for by {text:?}, which is no version ({example:?}), {and}")
    };
    let field = |key: &str, kind: &str, example: &str| {
        let of = if key == "version" { format!("a text ({example:?})") } else { "a text".to_owned() };
        format!("! 3 \"a\" is asked for by a `{key}` of the type {kind}, where {of} belongs, {and}")
    };
    for (file, head, example, whole) in [
        ("Pipfile", "[packages]", ">=1.2", "(\"*\", \">=1.2\")"),
        ("pyproject.toml", "[tool.poetry.dependencies]", "^1.2", "(\"^1.2\")"),
        ("pyproject.toml", "[tool.poetry.group.x.dependencies]", "^1.2", "(\"^1.2\")"),
    ] {
        let neither = format!("! 3 \"a\" is asked for by neither a version {whole} nor a table with one, {and}");
        for (asked, want) in [
            ("4.2", neither.clone()),
            ("3", neither.clone()),
            ("true", neither),
            ("\"nonsense\"", no_version("nonsense", example)),
            ("\"==\"", no_version("==", example)),
            ("{ version = \"latest\", extras = [\"x\"] }", no_version("latest", example)),
            ("{ version = [\"==\"] }", field("version", "array", example)),
            ("{ version = 3 }", field("version", "integer", example)),
            ("{ version = { min = \"1\" } }", field("version", "inline table", example)),
            ("{ git = 3 }", field("git", "integer", example)),
            ("{ path = [\"x\"] }", field("path", "array", example)),
        ] {
            let text = format!("{head}\nb = \"==1.0\"\na = {asked}\n");
            let scope = if head.contains("group") { "dev" } else { "runtime" };
            check(file, &text, &format!("partial\nb 1.0 2 {scope}\n{want}"));
        }
    }
    let poetry = "[tool.poetry.dependencies]\nb = \"1.0\"\na = ";
    for (asked, want) in [
        (
            "[\"1.0\", 4.2]",
            format!(
                "! 3 \"a\" is asked for by an entry of the type float in its list, where \"^1.2\" or a table belongs, {and}"
            ),
        ),
        ("[\"1.0\", \"x\"]", no_version("x", "^1.2")),
        ("[{ version = \"1.0\" }, { version = 2 }]", field("version", "integer", "^1.2")),
    ] {
        check("pyproject.toml", &format!("{poetry}{asked}\n"), &format!("partial\nb 1.0 2 runtime\n{want}"));
    }
    let text = |kind: &str, list: &str| {
        format!(
            "an entry of the type {kind} in the list {list:?}, where a text such as \"name>=1.2\" belongs: it is not judged"
        )
    };
    for (tables, want) in [
        ("dependencies = [\n\"b==1.0\",\n3]\n", format!("partial\nb 1.0 3 runtime\n! 4 {}", text("integer", "dependencies"))),
        ("dependencies = [\"b==1.0\", [\"c\"]]\n", format!("partial\nb 1.0 2 runtime\n! 2 {}", text("array", "dependencies"))),
        (
            "dependencies = [\"b==1.0\", \"c>=nonsense\"]\n",
            "partial\nb 1.0 2 runtime\n! 2 not a requirement, and not judged: \"c>=nonsense\"; a name and its versions belong here, as in \"name>=1.2\"".to_owned(),
        ),
        (
            "[dependency-groups]\na = [\"b==1.0\", {include-group = \"c\"}, {include = \"c\"}]\nc = []\n",
            format!("partial\nb 1.0 3 dev\n! 3 {}", text("inline table", "a")),
        ),
        (
            "dependencies = [\"b==1.0\", \"a\"]\n[tool.uv.sources]\na = {git = 3}\nb = 3\n",
            "partial\nb 1.0 2 runtime\n! 4 the source of \"a\" has a `git` of the type integer, where a text belongs, and is not read\n\
             ! 5 the source of \"b\" is of the type integer, where a table belongs, and is not read"
                .to_owned(),
        ),
        ("optional-dependencies = 3\n", "failed\n! 2 \"optional-dependencies\" is no table of packages: nothing of it is read".to_owned()),
        ("[tool]\npoetry = 3\n", "failed\n! 3 \"poetry\" is no table of packages: nothing of it is read".to_owned()),
        (
            "[tool.pdm.resolution.overrides]\na = 1.2\nb = \"1.0\"\n",
            "partial\nb 1.0 4 runtime ? forced by resolution.overrides\n! 3 the override of \"a\" is not a string".to_owned(),
        ),
        (
            "[tool.uv]\noverride-dependencies = [\"b==1.0\", 3]\nconstraint-dependencies = [3]\n",
            format!(
                "partial\nb 1.0 3 runtime ? forced by override-dependencies\n! 3 {}\n! 4 {}",
                text("integer", "override-dependencies"),
                text("integer", "constraint-dependencies")
            ),
        ),
    ] {
        check("pyproject.toml", &format!("[project]\n{tables}"), &want);
    }
    // What it looks like where it is right.
    let fine = "[packages]\na = \"==1.0; python_version < '3'\"\nb = {version = \"*\", index = \"pypi\"}\nc = {extras = [\"x\"]}\nd = \">= 1.0, <2\"\n";
    let reading = Kind::Pipfile.read(fine.as_bytes());
    assert_eq!((reading.problems.len(), reading.packages.len() + reading.not_judged.len()), (0, 4));
}
