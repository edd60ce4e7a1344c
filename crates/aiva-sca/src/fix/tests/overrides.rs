//! Plans around what a manifest forces: a plain pin moves along, anything else is told to stand in the way.

use super::check;

/// A lockfile in which `x` asks for lodash 4.17.4 and nobody else does.
const NPM: &str = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"x": "1.0.0"}},
    "node_modules/lodash": {"version": "4.17.4"},
    "node_modules/x": {"version": "1.0.0", "dependencies": {"lodash": "4.17.4"}}}}"#;

#[track_caller]
fn npm(manifest: &str, want: &str) {
    check(&[("package.json", manifest), ("package-lock.json", NPM)], want);
}

#[test]
fn an_override_of_every_copy_moves_and_nothing_keeps_the_old_one() {
    npm(
        r#"{"dependencies": {"x": "1.0.0"}, "overrides": {"lodash": "4.17.4"}}"#,
        r#"
package.json: lodash 4.17.4 -> 4.17.21: L-3
  + {"dependencies": {"x": "1.0.0"}, "overrides": {"lodash": "4.17.21"}}
$ npm update lodash:"#,
    );
    let direct = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"lodash": "^3.0.0"}}, "node_modules/lodash": {"version": "3.10.1"}}}"#;
    check(
        &[
            ("package.json", r#"{"dependencies": {"lodash": "^3.0.0"}, "overrides": {"lodash": "3.10.1"}}"#),
            ("package-lock.json", direct),
        ],
        r#"
package.json: lodash 3.10.1 -> 3.10.2: L-3
  + {"dependencies": {"lodash": "^3.10.2"}, "overrides": {"lodash": "3.10.2"}}
$ npm update lodash:"#,
    );
    // npm does not read yarn's, so `x` has its way.
    npm(
        r#"{"dependencies": {"x": "1.0.0"}, "resolutions": {"lodash": "4.17.4"}}"#,
        r#"
package.json: lodash 4.17.4 -> 4.17.21:
  + {"dependencies": {"x": "1.0.0"}, "resolutions": {"lodash": "4.17.21"}}
$ npm update lodash:
stays package-lock.json: lodash 4.17.4: L-3: brought by x 1.0.0; x 1.0.0 asks for lodash 4.17.4
or package.json: "overrides":{"x":{"lodash":"4.17.21"}}: L-3 though x 1.0.0 asks for lodash 4.17.4"#,
    );
    let yarn = "# yarn lockfile v1\n\n\nlodash@4.17.4:\n  version \"4.17.4\"\n  resolved \"https://registry.yarnpkg.com/lodash/-/lodash-4.17.4.tgz#aa\"\n  integrity sha512-aa\n\nx@1.0.0:\n  version \"1.0.0\"\n  resolved \"https://registry.yarnpkg.com/x/-/x-1.0.0.tgz#aa\"\n  integrity sha512-aa\n  dependencies:\n    lodash \"4.17.4\"\n";
    check(
        &[
            ("package.json", r#"{"dependencies": {"x": "1.0.0"}, "resolutions": {"**/lodash": "4.17.4"}}"#),
            ("yarn.lock", yarn),
        ],
        r#"
package.json: lodash 4.17.4 -> 4.17.21: L-3
  + {"dependencies": {"x": "1.0.0"}, "resolutions": {"**/lodash": "4.17.21"}}
$ yarn install:"#,
    );
    // Nothing of the project's own helps but an override, which nobody makes by himself.
    check(
        &[("package.json", r#"{"dependencies": {"x": "1.0.0"}}"#), ("yarn.lock", yarn)],
        r#"
stays yarn.lock: lodash 4.17.4: L-3: brought by x 1.0.0; x 1.0.0 asks for lodash 4.17.4
or package.json: "resolutions":{"lodash":"4.17.21"}: L-3 though x 1.0.0 asks for lodash 4.17.4"#,
    );
    // What a range allows needs none.
    check(
        &[
            ("package.json", r#"{"dependencies": {"x": "1.0.0"}}"#),
            ("package-lock.json", &NPM.replace("{\"lodash\": \"4.17.4\"}", "{\"lodash\": \"^4.17.4\"}")),
        ],
        "$ npm update lodash: L-3 by x 1.0.0",
    );
    let uv = "version = 1\nrequires-python = \">=3.9\"\n\n[manifest]\noverrides = [{ name = \"jinja2\", specifier = \"==2.10\" }]\n\n\
              [[package]]\nname = \"flask\"\nversion = \"2.0.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n\
              dependencies = [{ name = \"jinja2\" }]\nsdist = { url = \"https://x/f.tar.gz\", hash = \"sha256:aa\" }\n\n\
              [[package]]\nname = \"jinja2\"\nversion = \"2.10\"\nsource = { registry = \"https://pypi.org/simple\" }\n\
              sdist = { url = \"https://x/j.tar.gz\", hash = \"sha256:aa\" }\n\n\
              [[package]]\nname = \"shop\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"flask\" }]\n";
    let project = "[project]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\"flask\"]\n";
    check(
        &[
            ("pyproject.toml", &format!("{project}[tool.uv]\noverride-dependencies = [\"jinja2==2.10\"]\n")),
            ("uv.lock", uv),
        ],
        "
pyproject.toml: jinja2 2.10 -> 2.11.3: J-1
  + override-dependencies = [\"jinja2==2.11.3\"]
$ uv lock --upgrade-package jinja2==2.11.3:",
    );
    // A marker forces it on some machines only.
    check(
        &[
            (
                "pyproject.toml",
                &format!("{project}[tool.uv]\noverride-dependencies = [\"jinja2==2.10; os_name == 'nt'\"]\n"),
            ),
            ("uv.lock", uv),
        ],
        "
pyproject.toml: jinja2 2.10 -> 2.11.3: J-1
  + override-dependencies = [\"jinja2==2.11.3; os_name == 'nt'\"]
$ uv lock --upgrade-package jinja2==2.11.3:",
    );
}

#[test]
fn an_override_that_is_not_moved_is_in_the_way() {
    for (overrides, said) in [
        (r#""x": {"lodash": "4.17.4"}"#, "overrides hold lodash at 4.17.4"),
        (r#""lodash@4": "4.17.4""#, "overrides hold lodash at 4.17.4"),
        (r#""x>lodash": "4.17.4""#, "overrides hold lodash at 4.17.4"),
        (r#""lodash": "$x""#, "overrides hold lodash at $x"),
    ] {
        npm(
            &format!(r#"{{"dependencies": {{"x": "1.0.0"}}, "overrides": {{{overrides}}}}}"#),
            &format!("stays package-lock.json: lodash 4.17.4: L-3: package.json: {said}; move that to 4.17.21 by hand"),
        );
    }
}

/// No requirement of a member finds a solution above what constrains the whole workspace.
#[test]
fn a_constraint_of_a_workspace_keeps_its_members_from_being_edited() {
    let lock = "version = 1\nrequires-python = \">=3.9\"\n\n[[package]]\nname = \"jinja2\"\nversion = \"2.10\"\n\
                source = { registry = \"https://pypi.org/simple\" }\nsdist = { url = \"https://x/j.tar.gz\", hash = \"sha256:aa\" }\n\n\
                [[package]]\nname = \"m\"\nversion = \"0.1.0\"\nsource = { editable = \"m\" }\ndependencies = [{ name = \"jinja2\" }]\n";
    let member = "[project]\nname = \"m\"\nversion = \"0.1.0\"\ndependencies = [\"jinja2>=2.10\"]\n";
    let root = |constraint: &str| {
        format!(
            "[tool.uv]\nconstraint-dependencies = [\"jinja2{constraint}\"]\n[tool.uv.workspace]\nmembers = [\"m\"]\n"
        )
    };
    for (constraint, want) in [
        (
            "<2.11",
            "stays uv.lock: jinja2 2.10: J-1: pyproject.toml: constraint-dependencies hold jinja2 at <2.11; move that to 2.11.3 by hand",
        ),
        (
            "<3",
            "
m/pyproject.toml: jinja2 2.10 -> 2.11.3: J-1
  + dependencies = [\"jinja2>=2.11.3\"]
$ uv lock --upgrade-package jinja2==2.11.3:",
        ),
    ] {
        check(&[("pyproject.toml", &root(constraint)), ("m/pyproject.toml", member), ("uv.lock", lock)], want);
    }
}

/// What pnpm made again by itself it would write into the manifest, below what that asks for.
#[test]
fn nothing_is_run_where_only_what_is_moved_by_hand_helps() {
    let lock = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      lodash:\n        specifier: 4.17.4\n        version: 4.17.4\n\n\
                packages:\n\n  lodash@4.17.4:\n    resolution: {integrity: sha512-aa}\n\nsnapshots:\n\n  lodash@4.17.4: {}\n";
    check(
        &[
            ("package.json", r#"{"dependencies": {"lodash": "4.17.21"}}"#),
            ("pnpm-workspace.yaml", "overrides:\n  \"lodash@<5\": 4.17.4\n"),
            ("pnpm-lock.yaml", lock),
        ],
        "stays pnpm-lock.yaml: lodash 4.17.4: L-3: pnpm-workspace.yaml: pnpm's overrides hold lodash at 4.17.4; move that to 4.17.21 by hand",
    );
}

#[test]
fn only_the_manifest_beside_the_lockfile_holds_what_it_pins() {
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"lodash": "4.17.4"}, "workspaces": ["m"]},
        "m": {}, "node_modules/m": {"resolved": "m", "link": true}, "node_modules/lodash": {"version": "4.17.4"}}}"#;
    check(
        &[
            ("package.json", "{\"dependencies\": {\"lodash\": \"4.17.4\"},\n\"workspaces\": [\"m\"]}"),
            ("m/package.json", r#"{"overrides": {"x": {"lodash": "4.17.4"}}}"#),
            ("package-lock.json", lock),
        ],
        r#"
package.json: lodash 4.17.4 -> 4.17.21: L-3
  + {"dependencies": {"lodash": "4.17.21"},
$ npm update lodash:"#,
    );
}

#[test]
fn what_a_member_of_a_workspace_forces_nobody_reads() {
    let member = "{\"dependencies\": {\"lodash\": \"4.17.4\"},\n";
    let want = r#"
m/package.json: lodash 4.17.4 -> 4.17.21: L-3
  + {"dependencies": {"lodash": "4.17.21"},"#;
    for root in [("package.json", r#"{"workspaces": ["m"]}"#), ("pnpm-workspace.yaml", "packages: [m]\n")] {
        for forced in [
            r#""overrides": {"lodash": "4.17.4"}"#,
            r#""overrides": {"lodash": "$x"}"#,
            r#""resolutions": {"lodash": "4.17.4"}"#,
            r#""pnpm": {"overrides": {"lodash": "3.10.1"}}"#,
        ] {
            check(&[root, ("m/package.json", &format!("{member}{forced}}}"))], want);
        }
    }
    // One that stands alone forces it.
    check(
        &[
            ("package.json", r#"{"workspaces": ["other"]}"#),
            ("m/package.json", &format!("{member}\"overrides\": {{\"lodash\": \"4.17.4\"}}}}")),
        ],
        &format!("{want}\n  + \"overrides\": {{\"lodash\": \"4.17.21\"}}}}"),
    );
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"workspaces": ["m"]}, "m": {"dependencies": {"lodash": "4.17.4"}},
        "node_modules/m": {"resolved": "m", "link": true}, "node_modules/lodash": {"version": "4.17.4"}}}"#;
    check(
        &[
            ("package.json", r#"{"workspaces": ["m"]}"#),
            ("m/package.json", &format!("{member}\"overrides\": {{\"lodash\": \"4.17.4\"}}}}")),
            ("package-lock.json", lock),
        ],
        &format!("{want}\n$ npm update lodash:"),
    );
}

#[test]
fn lists_of_a_member_of_uv_s_workspace_hold_nothing() {
    let root = "[tool.uv.workspace]\nmembers = [\"m\"]\n";
    let member = "[project]\ndependencies = [\"jinja2==2.10\"]\n[build-system]\nrequires = [\"two==1.0\"]\n[tool.uv]\n";
    for lists in [
        "constraint-dependencies = [\"jinja2<2.11\"]\nbuild-constraint-dependencies = [\"two<1.5\"]\n",
        "override-dependencies = [\"jinja2==2.10\"]\nbuild-constraint-dependencies = [\"two==1.0\"]\n",
    ] {
        check(
            &[("pyproject.toml", root), ("m/pyproject.toml", &format!("{member}{lists}"))],
            "
m/pyproject.toml: jinja2 2.10 -> 2.11.3: J-1
m/pyproject.toml: two 1.0 -> 2.0: T-2 T-3
  + dependencies = [\"jinja2==2.11.3\"]
  + requires = [\"two==2.0\"]",
        );
    }
}

#[test]
fn lists_of_uv_s_workspace_hold_what_its_members_ask_for() {
    for (list, range, version) in [
        ("constraint-dependencies = [\"jinja2<2.11\"]", "==2.10", "2.10"),
        ("constraint-dependencies = [\"jinja2<2.11\"]", "<2.10.5", "<2.10.5"),
        ("constraint-dependencies = [\"jinja2==2.10\"]", ">=2.0", "2.10"),
    ] {
        let root = format!("[tool.uv]\n{list}\n[tool.uv.workspace]\nmembers = [\"m\"]\n");
        let member = format!("[project]\ndependencies = [\"jinja2{range}\"]\n");
        let at = list.trim_start_matches("constraint-dependencies = [\"jinja2").trim_end_matches("\"]");
        check(
            &[("pyproject.toml", &root), ("m/pyproject.toml", &member)],
            &format!(
                "stays m/pyproject.toml: jinja2 {version}: J-1: constraint-dependencies of pyproject.toml hold jinja2 at {at}; move that to 2.11.3 by hand"
            ),
        );
    }
    // The one place that forces it is the one that moves.
    let root = "[tool.uv]\noverride-dependencies = [\"jinja2==2.10\"]\n[tool.uv.workspace]\nmembers = [\"m\"]\n";
    check(
        &[("pyproject.toml", root), ("m/pyproject.toml", "[project]\ndependencies = [\"jinja2==2.9\"]\n")],
        "
pyproject.toml: jinja2 2.10 -> 2.11.3: J-1
  + override-dependencies = [\"jinja2==2.11.3\"]",
    );
}

#[test]
fn a_constraint_of_uv_holds_what_it_shuts_out() {
    check(
        &[(
            "pyproject.toml",
            "[project]\ndependencies = [\"jinja2==2.10\"]\n[tool.uv]\nconstraint-dependencies = [\"jinja2<2.11\"]\n",
        )],
        "stays pyproject.toml: jinja2 2.10: J-1: constraint-dependencies hold jinja2 at <2.11; move that to 2.11.3 by hand",
    );
    for (constraint, said) in [("<2.11", "<2.11"), ("==2.10", "==2.10")] {
        let text = format!(
            "[project]\ndependencies = [\"jinja2<2.10.5\"]\n[tool.uv]\nconstraint-dependencies = [\"jinja2{constraint}\"]\n"
        );
        // Of a range it is said what stands there.
        let version = if constraint == "==2.10" { "2.10" } else { "<2.10.5" };
        check(
            &[("pyproject.toml", &text)],
            &format!(
                "stays pyproject.toml: jinja2 {version}: J-1: constraint-dependencies hold jinja2 at {said}; move that to 2.11.3 by hand"
            ),
        );
    }
}

#[test]
fn what_is_for_building_is_held_by_what_constrains_builds() {
    for (constraint, version) in [("==1.0", "1.0"), ("<1.5", ">=0.5")] {
        check(
            &[(
                "pyproject.toml",
                &format!(
                    "[project]\ndependencies = [\"two==4.0\"]\n[build-system]\nrequires = [\"two>=0.5\"]\n[tool.uv]\nbuild-constraint-dependencies = [\"two{constraint}\"]\n"
                ),
            )],
            &format!(
                "stays pyproject.toml: two {version}: T-2 T-3: build-constraint-dependencies hold two at {constraint}; move that to 2.0 by hand"
            ),
        );
    }
    // What runs they do not hold.
    check(
        &[(
            "pyproject.toml",
            "[project]\ndependencies = [\"two==1.0\"]\n[tool.uv]\nbuild-constraint-dependencies = [\"two<1.5\"]\n",
        )],
        "
pyproject.toml: two 1.0 -> 2.0: T-2 T-3
  + dependencies = [\"two==2.0\"]",
    );
}

#[test]
fn of_a_range_that_is_narrowed_it_is_said_what_is_written() {
    let project = |range: &str| {
        format!("[project]\ndependencies = [\"jinja2{range}\"]\n[tool.uv]\nconstraint-dependencies = [\"jinja2<3\"]\n")
    };
    check(
        &[("pyproject.toml", &project("<2.5"))],
        "
pyproject.toml: jinja2 <2.5 -> 2.11.3: J-1
  drops <2.5
  + dependencies = [\"jinja2>=2.11.3\"]",
    );
    for (range, written) in [(">=2.0", ">=2.0"), ("", "")] {
        let read = if range.is_empty() { "<3" } else { ">=2.0,<3" };
        check(
            &[("pyproject.toml", &project(range))],
            &format!("narrowed pyproject.toml:2: jinja2 {read}: {written} by <3"),
        );
    }
}

#[test]
fn what_a_catalog_has_is_named_with_its_file() {
    let yaml = "packages: [m]\ncatalog:\n  lodash: 4.17.4\n  alias: npm:lodash@^3.10.0\ncatalogs:\n  old:\n    lodash: 3.10.1\n";
    let one = |name: &str, of: &str, range: &str, file: &str, to: &str| {
        format!("{name} is asked for as \"catalog:{of}\", for which {file} has {range}; move that to {to} by hand")
    };
    let workspace = "pnpm-workspace.yaml";
    check(
        &[
            (workspace, yaml),
            (
                "m/package.json",
                "{\"dependencies\": {\"lodash\": \"catalog:\", \"x\": \"npm:lodash@3.10.0\"},\n\"peerDependencies\": {\"lodash\": \"catalog:old\"}}",
            ),
            ("n/package.json", "{\"peerDependencies\": {\"lodash\": \"catalog:old\"}}"),
        ],
        &format!(
            "
m/package.json: lodash 3.10.0 -> 3.10.2:
  eases L-3
  + {{\"dependencies\": {{\"lodash\": \"catalog:\", \"x\": \"npm:lodash@3.10.2\"}},
stays m/package.json: lodash 4.17.4: L-3: {}
stays n/package.json: lodash 3.10.1: L-3: {}",
            one("lodash", "", "4.17.4", workspace, "4.17.21"),
            one("lodash", "old", "3.10.1", workspace, "3.10.2"),
        ),
    );
    let bun = "{\"workspaces\": {\"catalog\": {\"lodash\": \"4.17.4\"}},\n\"dependencies\": {\"lodash\": \"catalog:\"},\n\"devDependencies\": {\"ms\": \"catalog:\"}}";
    check(
        &[("package.json", bun)],
        &format!("stays package.json: lodash 4.17.4: L-3: {}", one("lodash", "", "4.17.4", "package.json", "4.17.21")),
    );
    let lock = "lockfileVersion: '9.0'\n\nimporters:\n  .: {}\n  m:\n    dependencies:\n      lodash:\n        specifier: 'catalog:'\n        version: 4.17.4\n  n:\n    dependencies:\n      lodash:\n        specifier: catalog:old\n        version: 3.10.1\n\n\
                packages:\n  lodash@3.10.1:\n    resolution: {integrity: sha512-aa}\n  lodash@4.17.4:\n    resolution: {integrity: sha512-aa}\n\nsnapshots:\n  lodash@3.10.1: {}\n  lodash@4.17.4: {}\n";
    check(
        &[
            (workspace, yaml),
            ("package.json", "{}"),
            ("m/package.json", "{\"dependencies\": {\"lodash\": \"catalog:\"}}"),
            ("n/package.json", "{\"dependencies\": {\"lodash\": \"catalog:old\"}}"),
            ("pnpm-lock.yaml", lock),
        ],
        &format!(
            "stays pnpm-lock.yaml: lodash 4.17.4: L-3: m/package.json: {}\nstays pnpm-lock.yaml: lodash 3.10.1: L-3: n/package.json: {}",
            one("lodash", "", "4.17.4", workspace, "4.17.21"),
            one("lodash", "old", "3.10.1", workspace, "3.10.2"),
        ),
    );
}

#[test]
fn without_a_lockfile_the_override_is_what_is_judged() {
    check(
        &[(
            "package.json",
            "{\"dependencies\": {\"lodash\": \"^4.17.0\"},\n\"pnpm\": {\"overrides\": {\"lodash\": \"4.17.4\"}}}",
        )],
        r#"
package.json: lodash 4.17.4 -> 4.17.21: L-3
  + "pnpm": {"overrides": {"lodash": "4.17.21"}}}"#,
    );
    // npm refuses a requirement of its own that contradicts it.
    check(
        &[(
            "package.json",
            "{\"dependencies\": {\"lodash\": \"4.17.4\"},\n\"overrides\": {\"lodash\": {\"x\": \"1.0.0\", \".\": \"4.17.4\"}}}",
        )],
        r#"
package.json: lodash 4.17.4 -> 4.17.21: L-3
  + {"dependencies": {"lodash": "4.17.21"},
  + "overrides": {"lodash": {"x": "1.0.0", ".": "4.17.21"}}}"#,
    );
    // What others ask for is nothing that was found here.
    check(
        &[(
            "package.json",
            "{\"dependencies\": {\"lodash\": \"4.17.4\"},\n\"overrides\": {\"x\": {\"lodash\": \"4.17.4\"}}}",
        )],
        r#"
package.json: lodash 4.17.4 -> 4.17.21: L-3
  + {"dependencies": {"lodash": "4.17.21"},"#,
    );
    check(
        &[(
            "package.json",
            "{\"dependencies\": {\"lodash\": \"4.17.4\"},\n\"pnpm\": {\"overrides\": {\"lodash@3\": \"-\"}}}",
        )],
        r#"
package.json: lodash 4.17.4 -> 4.17.21: L-3
  + {"dependencies": {"lodash": "4.17.21"},"#,
    );
    check(
        &[("package.json", "{\"dependencies\": {\"lodash\": \"4.17.4\"},\n\"overrides\": {\"lodash\": \"$x\"}}")],
        r#"
package.json: lodash 4.17.4 -> 4.17.21:
  + {"dependencies": {"lodash": "4.17.21"},
stays package.json: lodash 4.17.4: L-3: overrides hold lodash at $x; move that to 4.17.21 by hand"#,
    );
}

#[test]
fn what_a_workspace_of_pnpm_forces_moves_as_well() {
    let lock = "lockfileVersion: '9.0'\n\noverrides:\n  lodash: 4.17.4\n\nimporters:\n  .:\n    dependencies:\n      x:\n        specifier: 1.0.0\n        version: 1.0.0\n\n\
                packages:\n  lodash@4.17.4:\n    resolution: {integrity: sha512-aa}\n  x@1.0.0:\n    resolution: {integrity: sha512-aa}\n\n\
                snapshots:\n  lodash@4.17.4: {}\n  x@1.0.0:\n    dependencies:\n      lodash: 4.17.4\n";
    let manifest = ("package.json", r#"{"dependencies": {"x": "1.0.0"}}"#);
    let workspace = "packages:\n  - a\noverrides:\n  'lodash': \"4.17.4\" # old\n";
    check(
        &[manifest, ("pnpm-workspace.yaml", workspace), ("pnpm-lock.yaml", lock)],
        r#"
pnpm-workspace.yaml: lodash 4.17.4 -> 4.17.21: L-3
  + 'lodash': "4.17.21" # old
$ pnpm update -r --depth Infinity lodash:"#,
    );
    check(
        &[manifest, ("pnpm-workspace.yaml", "overrides:\n  x>lodash: 4.17.4\n"), ("pnpm-lock.yaml", lock)],
        "stays pnpm-lock.yaml: lodash 4.17.4: L-3: pnpm-workspace.yaml: pnpm's overrides hold lodash at 4.17.4; move that to 4.17.21 by hand",
    );
    check(
        &[("pnpm-workspace.yaml", workspace)],
        r#"
pnpm-workspace.yaml: lodash 4.17.4 -> 4.17.21: L-3
  + 'lodash': "4.17.21" # old"#,
    );
}

#[test]
fn a_safe_requirement_is_not_lowered_for_an_override_of_other_versions() {
    for (direct, key, held) in [
        ("^4.17.21", "lodash@^3", "3.10.1"),
        ("^4.18.0", "lodash@<4.5", "4.1.0"),
        ("^4.17.0", "lodash@^3", "3.10.1"), // raising it would clear nothing
    ] {
        let text = format!(
            "{{\"dependencies\": {{\"lodash\": \"{direct}\"}},\n\"pnpm\": {{\"overrides\": {{\"{key}\": \"{held}\"}}}}}}"
        );
        let to = if held.starts_with('3') { "3.10.2" } else { "4.17.21" };
        let why =
            format!("pnpm.overrides hold lodash at {held}, an override for some versions; move it to {to} by hand");
        check(&[("package.json", &text)], &format!("stays package.json: lodash {held}: L-3: {why}"));
    }
}

#[test]
fn an_anchor_stays_and_what_only_refers_to_one_is_not_moved() {
    check(
        &[("pnpm-workspace.yaml", "overrides:\n  lodash: &v \"4.17.4\" # old\ncatalog:\n  lodash: *v\n")],
        "
pnpm-workspace.yaml: lodash 4.17.4 -> 4.17.21: L-3
  + lodash: &v \"4.17.21\" # old",
    );
    // Others get what the anchor has.
    check(
        &[("pnpm-workspace.yaml", "overrides:\n  lodash: &v 4.17.4\n  other: *v\n")],
        "stays pnpm-workspace.yaml: lodash 4.17.4: L-3: lodash is asked for as \"&v 4.17.4\", which no version can be put into",
    );
}
