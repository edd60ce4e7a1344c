//! One package moved in one manifest of each kind, with the whole text before and after.

use std::cell::OnceCell;

use super::*;
use crate::fix::ask::{Move, Stands};
use crate::inventory::Alone;

fn bumped(kind: Kind, text: &str, name: &str, moves: &[(&str, &str)], stands: Stands) -> Result<Edited, String> {
    let ecosystem = match kind {
        Kind::ComposerJson => Ecosystem::Packagist,
        Kind::CargoToml => Ecosystem::CratesIo,
        Kind::PyProject | Kind::Requirements | Kind::Pipfile => Ecosystem::PyPi,
        Kind::GoMod => Ecosystem::Go,
        _ => Ecosystem::Npm,
    };
    let moves: Vec<Move> =
        moves.iter().map(|(from, to)| Move { from: (*from).to_owned(), to: (*to).to_owned() }).collect();
    let lines = (1..20).collect();
    let ask = Ask { ecosystem, name, moves: &moves, lines: &lines, stands, through: &[], sorted: OnceCell::new() };
    Seen::read(kind, text, &Alone)?.edit(kind, text, &ask)
}

/// Every entry of the package to 1.2.6.
#[track_caller]
fn check(kind: Kind, text: &str, name: &str, want: Result<Option<&str>, &str>) {
    let got = bumped(kind, text, name, &[("1.0.0", "1.2.6")], Stands::HereSomehow);
    let got = got.and_then(|edited| match edited.refused.first() {
        Some(refused) => Err(refused.reason.clone()),
        None => Ok((!edited.entries.is_empty()).then(|| edited.puts.applied(text))),
    });
    assert_eq!(got.as_ref().map(Option::as_deref).map_err(String::as_str), want, "{text}");
}

#[test]
fn a_table_that_pnpm_does_not_read_stays() {
    let text = |version: &str, at: &str| {
        format!(r#"{{"packageManager": "pnpm@{version}", "pnpm": {{"overrides": {{"a": "{at}"}}}}}}"#)
    };
    check(Kind::PackageJson, &text("11.0.0", "1.0.0"), "a", Ok(None));
    check(Kind::PackageJson, &text("10.0.0", "1.0.0"), "a", Ok(Some(&text("10.0.0", "1.2.6"))));
}

#[test]
fn each_entry_of_a_package_is_judged_by_itself() {
    use Stands::{Here, Locked};
    let text = r#"{"dependencies": {"a": "<2.5", "old": "npm:a@1.0.0", "b": "^3"}, "devDependencies": {"a": "^2.6.0"}, "peerDependencies": {"a": ">=1"}}"#;
    for (stands, moves, want, keys) in [
        (Here, vec![("1.0.0", "1.2.6")], vec![("npm:a@1.0.0", "npm:a@1.2.6")], "old"),
        (Here, vec![("<2.5", "2.6.1")], vec![("<2.5", "^2.6.1")], "a"),
        (Here, vec![("npm:a@1.0.0", "1.2.6")], vec![("npm:a@1.0.0", "npm:a@1.2.6")], "old"),
        (Locked, vec![("1.0.0", "1.2.6")], vec![("<2.5", "^1.2.6"), ("npm:a@1.0.0", "npm:a@1.2.6")], "a old"),
        (Locked, vec![("2.6.0", "2.6.1")], vec![("^2.6.0", "^2.6.1")], "a"),
        (Locked, vec![("5.0.0", "5.0.1")], vec![], ""), // only the peer allows it, and the later one too
        (
            Locked,
            vec![("1.0.0", "1.2.6"), ("2.6.0", "2.6.1")],
            vec![("<2.5", "^1.2.6"), ("npm:a@1.0.0", "npm:a@1.2.6"), ("^2.6.0", "^2.6.1")],
            "a old a",
        ),
    ] {
        let got = bumped(Kind::PackageJson, text, "a", &moves, stands).unwrap();
        let want = want
            .iter()
            .fold(text.to_owned(), |text, (old, new)| text.replacen(&format!("\"{old}\""), &format!("\"{new}\""), 1));
        assert_eq!(got.puts.applied(text), want, "{stands:?} {moves:?}");
        let got: Vec<&str> = got.entries.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(got.join(" "), keys, "{stands:?} {moves:?}");
    }
}

#[test]
fn line_ends_stay_as_they_are() {
    for (kind, text) in [
        (Kind::CargoToml, "[dependencies]\r\na = \"1.0.0\"\r\nb = \"2\"\n# c\r\n"),
        (Kind::PyProject, "[project]\r\ndependencies = [\r\n  \"a==1.0.0\", # x\r\n]\r\n"),
        (Kind::Pipfile, "[packages]\r\na = \"==1.0.0\"\r\nb = '*'"),
        (Kind::Pipfile, "[packages]\na = \"==1.0.0\""),
    ] {
        check(kind, text, "a", Ok(Some(&text.replace("1.0.0", "1.2.6"))));
    }
}

#[test]
fn quotes_stay_as_they_are() {
    for text in [
        "[packages]\na = '==1.0.0'\nb = \"==1.0.0\"\n",
        "[packages]\na = \"==1.0.0\" # 'x'\n",
        "[packages]\na = {version = '==1.0.0', extras = [\"x\"]}\n",
        "[packages.a]\nversion = '''==1.0.0'''\n",
        "[packages.a]\nversion = \"\"\"==1.0.0\"\"\"\n",
    ] {
        check(Kind::Pipfile, text, "a", Ok(Some(&text.replacen("1.0.0", "1.2.6", 1))));
    }
    let text = "[project]\ndependencies = ['a==1.0.0; os_name != \"nt\"', \"b==1.0.0; os_name != 'nt'\"]\n";
    check(Kind::PyProject, text, "a", Ok(Some(&text.replacen("1.0.0", "1.2.6", 1))));
    check(Kind::PyProject, text, "b", Ok(Some(&text.replace("b==1.0.0", "b==1.2.6"))));
    // A quote that was spelled out would end the string.
    check(
        Kind::PyProject,
        "[project]\ndependencies = [\"a==1.0.0; os_name != \\\"nt\\\"\"]\n",
        "a",
        Ok(Some("[project]\ndependencies = ['a==1.2.6; os_name != \"nt\"']\n")),
    );
}

#[test]
fn a_byte_order_mark_stays_in_front() {
    check(
        Kind::PackageJson,
        "\u{feff}{\"dependencies\": {\"a\": \"^1\"}}",
        "a",
        Ok(Some("\u{feff}{\"dependencies\": {\"a\": \"^1.2.6\"}}")),
    );
    check(Kind::Requirements, "\u{feff}a==1\n", "a", Ok(Some("\u{feff}a==1.2.6\n")));
    check(
        Kind::CargoToml,
        "\u{feff}[dependencies]\na = \"1\"\n",
        "a",
        Ok(Some("\u{feff}[dependencies]\na = \"1.2.6\"\n")),
    );
}

#[test]
fn a_pnpm_workspace_is_moved_where_a_version_stands_in_it() {
    let of = |value: &str| format!("overrides:\n  a: {value}\n");
    for (value, want) in
        [("&v 1.0.0 # x", "&v 1.2.6 # x"), ("&1.0.0 '1.0.0'", "&1.0.0 '1.2.6'"), ("'>=1.0.0'", "'>=1.2.6'")]
    {
        check(Kind::PnpmWorkspace, &of(value), "a", Ok(Some(&of(want))));
    }
    for value in ["*v", "!!str 1.0.0", "|", ">-"] {
        let want = format!("a is asked for as {value:?}, which no version can be put into");
        check(Kind::PnpmWorkspace, &of(value), "a", Err(&want));
    }
}

#[test]
fn package_json_keeps_everything_else() {
    let text = "{\n\t\"name\": \"minimist\",  \"x\": [1, {\"minimist\": \"^0\"}],\n\t\"dependencies\" : { \"minimist\":\"^1.0.0\" , \"b\": \"1\" },\n\t\"devDependencies\": {\"minimist\": \"~1.0\"}\n}\r\n";
    let want = text.replace("\"^1.0.0\"", "\"^1.2.6\"").replace("\"~1.0\"", "\"~1.2.6\"");
    check(Kind::PackageJson, text, "minimist", Ok(Some(&want)));
    check(Kind::PackageJson, text, "nobody", Ok(None));
    let git = r#"{"dependencies": {"a": "github:x/a"}}"#;
    check(Kind::PackageJson, git, "a", Err("a is asked for as \"github:x/a\", which no version can be put into"));
    let secret = r#"{"dependencies": {"a": "git+https://u:SECRET@h.example/a"}}"#;
    let said = "a is asked for as \"git+https://h.example/a\", which no version can be put into";
    check(Kind::PackageJson, secret, "a", Err(said));
    check(Kind::PackageJson, "{\"dependencies\": {\"a\": 1}}", "a", Err("the requirement of a is not a string"));
}

#[test]
fn composer_json_is_edited_as_package_json_is() {
    let text = "{\n    \"require\": {\"php\": \">=8\", \"Symfony/Console\": \"^1.0\"},\n    \"require-dev\": {\"symfony/console\": \"1.0.0\"}\n}\n";
    let want = text.replace("\"^1.0\"", "\"^1.2.6\"").replace("\"1.0.0\"", "\"1.2.6\"");
    check(Kind::ComposerJson, text, "symfony/console", Ok(Some(&want)));
    check(Kind::ComposerJson, text, "symfony/yaml", Ok(None));
    let branch = r#"{"require": {"a/b": "dev-main"}}"#;
    check(Kind::ComposerJson, branch, "a/b", Err("a/b is asked for as \"dev-main\", which no version can be put into"));
}

#[test]
fn cargo_toml_keeps_comments_and_forms() {
    let text = "[dependencies]\ntime = \"1.0\" # why\nother = { version = \"1.0\", package = \"time\", features = [\"x\"] }\n\n[workspace.dependencies.time]\nversion  =  '1.0'\n\n[target.'cfg(unix)'.dev-dependencies]\ntime = { path = \"../time\" }\n";
    let want = text
        .replace("time = \"1.0\"", "time = \"1.2.6\"")
        .replace("version = \"1.0\", package", "version = \"1.2.6\", package")
        .replace("'1.0'", "'1.2.6'");
    check(Kind::CargoToml, text, "time", Ok(Some(&want)));
    check(Kind::CargoToml, "[dependencies]\ntime.workspace = true\n", "time", Ok(None)); // moved where it is defined
}

#[test]
fn pyproject_keeps_extras_and_markers() {
    let text = "[project]\ndependencies = [\n  \"Flask[async]>=1.0,<2 ; python_version > '3.8'\", # web\n  \"flask-login\",\n]\n[tool.poetry.group.dev.dependencies]\nflask = \"^1.0\"\n";
    let want = text.replace(">=1.0,<2 ;", ">=1.2.6,<2 ;").replace("\"^1.0\"", "\"^1.2.6\"");
    check(Kind::PyProject, text, "flask", Ok(Some(&want)));
    for of_tool in ["[tool.uv]\ndev-dependencies", "[tool.pdm.dev-dependencies]\nold"] {
        let text = format!("{of_tool} = [\n  \"b\",\n  'flask == 1.0', # old\n]\n");
        check(Kind::PyProject, &text, "flask", Ok(Some(&text.replace("== 1.0", "== 1.2.6"))));
    }
    for (old, new) in [
        ("flask (>=1.0,<2)", "flask (>=1.2.6,<2)"),
        ("flask[async] (>=1.0,<1.1) ; python_version < '4'", "flask[async] (>=1.2.6) ; python_version < '4'"),
        ("flask(==1.0)", "flask(==1.2.6)"),
        ("flask ( ~= 1.0 )", "flask ( ~= 1.2.6 )"),
    ] {
        let text = |said: &str| format!("[project]\ndependencies = [\"{said}\"]\n");
        check(Kind::PyProject, &text(old), "flask", Ok(Some(&text(new))));
        check(Kind::Requirements, old, "flask", Ok(Some(new)));
    }
    check(
        Kind::PyProject,
        "[project]\ndependencies = [\"flask @ https://x/y\"]\n",
        "flask",
        Err("flask comes from an address"),
    );
}

#[test]
fn requirements_keep_comments_and_refuse_hashes() {
    check(
        Kind::Requirements,
        "# x\nFlask==1.0  # web\r\nflask-login==1\n",
        "flask",
        Ok(Some("# x\nFlask==1.2.6  # web\r\nflask-login==1\n")),
    );
    check(Kind::Requirements, "flask", "flask", Ok(Some("flask>=1.2.6")));
    check(Kind::Requirements, "flask >= 1.0 ; x", "flask", Ok(Some("flask >= 1.2.6 ; x")));
    let hashed = "flask==1.0 --hash=sha256:aa\n";
    check(
        Kind::Requirements,
        hashed,
        "flask",
        Err("flask is pinned with hashes; compile the requirements again with flask>=1.2.6"),
    );
    check(
        Kind::Requirements,
        "flask==1.0 \\\n  --hash=sha256:aa\n",
        "flask",
        Err("flask goes on over several lines; move it to 1.2.6 by hand"),
    );
}

#[test]
fn go_mod_moves_only_its_line() {
    let text =
        "module m\n\ngo 1.0\n\nrequire (\n\tx/net v1.0.0 // indirect\n\tx/net/http v1.0.0\n)\nrequire x/net v1.0.0\n";
    let want = text.replace("\tx/net v1.0.0", "\tx/net v1.2.6").replace("require x/net v1.0.0", "require x/net v1.2.6");
    check(Kind::GoMod, text, "x/net", Ok(Some(&want)));
    check(Kind::GoMod, "go 1.0\ntoolchain go1.0.1\n", "stdlib", Ok(Some("go 1.0\ntoolchain go1.2.6\n")));
    check(
        Kind::GoMod,
        "go 1.0 // ours\n\nrequire a v1\n",
        "stdlib",
        Ok(Some("go 1.0 // ours\n\ntoolchain go1.2.6\n\nrequire a v1\n")),
    );
    let replaced = "require x/net v1.0.0\nreplace x/net => x/net v1.0.1\n";
    check(Kind::GoMod, replaced, "x/net", Err("x/net is replaced; move the replacement to v1.2.6 by hand"));
    check(Kind::GoMod, replaced, "x/netmore", Ok(None));
    for block in ["replace (", "replace("] {
        let replaced = format!(
            "{block} // ours\n\tx/net => x/net v1.0.1 // x\n)\nrequire (\n\tx/net v1.0.0\n\tx/text v1.0.0\n)\n"
        );
        let held = "x/net is replaced; move the replacement to v1.2.6 by hand";
        check(Kind::GoMod, &replaced, "x/net", Err(held));
        let moved = replaced.replace("x/text v1.0.0", "x/text v1.2.6");
        check(Kind::GoMod, &replaced, "x/text", Ok(Some(&moved)));
    }
}
