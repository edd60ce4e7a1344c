//! What lockfiles list of the project itself and of its other folders.

use aiva_sca::inventory::Kind;

use super::check;

/// A package that only another project of the solution brings is asked for as well.
#[test]
fn nuget_lists_the_projects_of_the_solution() {
    check(
        Kind::NuGetLock,
        r#"{"version": 2, "dependencies": {
"net6.0": {
"A": {"type": "Direct", "requested": "[1.0.0, )", "resolved": "1.0.0", "dependencies": {"Json": "12.0.1"}},
"Json": {"type": "Transitive", "resolved": "12.0.3"},
"log4net": {"type": "CentralTransitive", "requested": "[2.0.8, )", "resolved": "2.0.8"},
"proj": {"type": "Project", "dependencies": {"Log4Net": "[2.0.8, )", "proj2": "[1.0.0, )", "left.out": "[1.0.0, )"}},
"proj2": {"type": "Project"}},
"net6.0/win-x64": {"win": {"type": "Project", "dependencies": {"Json": "[12.0.1, )"}}}
}}"#,
        "parsed
A 1.0.0 3 direct runtime
Json 12.0.3 4 direct runtime
log4net 2.0.8 5 direct runtime
A 1.0.0 -> Json 12.0.3",
    );
}

/// As `uv export --format pylock.toml` writes it.
#[test]
fn a_pylock_of_uv_lists_the_project_itself() {
    check(
        Kind::Pylock,
        r#"lock-version = "1.0"
created-by = "uv"

[[packages]]
name = "click"
version = "8.1.8"
wheels = [{ url = "https://files.pythonhosted.org/click.whl", hashes = { sha256 = "ed" } }]

[[packages]]
name = "app"
directory = { path = ".", editable = true }

[[packages]]
name = "lib"
directory = { path = "lib", editable = true }
"#,
        "parsed
click 8.1.8 5 ? runtime
? lib [lib] 14",
    );
}
