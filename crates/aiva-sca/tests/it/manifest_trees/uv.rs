//! What the folder of a workspace of uv's says to its members.

use aiva_sca::package::Input;

use super::{check, tree};

#[test]
fn members_of_uv_s_workspace_force_and_narrow_nothing() {
    let member = "[project]\ndependencies = [\"aa==1.2.*,<1.2.4\", \"b\"]\n[build-system]\nrequires = [\"s\"]\n[tool.uv]\nconstraint-dependencies = [\"aa==1.2.7\"]\nbuild-constraint-dependencies = [\"s==2.0\"]\noverride-dependencies = [\"b==3.0\"]\n";
    let (wide, narrow) = (&["aa [==1.2.*,<1.2.4]", "b []", "s []"][..], &["b 3.0", "aa 1.2.7", "s 2.0"][..]);
    let root = "[tool.uv.workspace]\nmembers = [\"m/*\"]\nexclude = [\"m/not\"]\n";
    for (top, path, want) in [
        (root, "m/a/pyproject.toml", wide),
        (root, "m/not/pyproject.toml", narrow),
        (root, "q/pyproject.toml", narrow),
        ("[project]\n", "m/a/pyproject.toml", narrow),
        ("not TOML", "m/a/pyproject.toml", narrow),
    ] {
        check(&[("pyproject.toml", top), (path, member)], path, want);
    }
    // The nearest workspace decides, and its own folder is no member.
    let nearer =
        [("pyproject.toml", root), ("m/pyproject.toml", "[tool.uv.workspace]\n"), ("m/a/pyproject.toml", member)];
    check(&nearer, "m/a/pyproject.toml", narrow);
    let own = format!("{member}[tool.uv.workspace]\n");
    check(&[("pyproject.toml", root), ("m/a/pyproject.toml", &own)], "m/a/pyproject.toml", narrow);
}

#[test]
fn the_lists_of_uv_s_workspace_hold_for_its_members() {
    let member = "[project]\ndependencies = [\"six>=1.10\", \"b\"]\n[build-system]\nrequires = [\"six\"]\n[dependency-groups]\ndev = [\"six==1.9\"]\n";
    let forced = "not taken: override-dependencies of pyproject.toml say which version it is, and that is judged there";
    let plain = ["six 1.9", "six [>=1.10]", "b []", "six []"];
    for (lists, want) in [
        ("constraint-dependencies = [\"six<1.16\"]", &["six 1.9", "six [>=1.10,<1.16]", "b []", "six []"][..]),
        ("constraint-dependencies = [\"six==1.15.0\"]", &["six 1.9", "six 1.15.0", "b []", "six []"]),
        ("build-constraint-dependencies = [\"six<1.5\"]", &["six 1.9", "six [>=1.10]", "b []", "six [<1.5]"]),
        (
            "override-dependencies = [\"six==1.14.0\"]\nconstraint-dependencies = [\"six<2\"]",
            &["b []", &*format!("- six [>=1.10]: {forced}"), &*format!("- six [==1.9]: {forced}"), "six []"],
        ),
        // On some machines only, or of what nobody here asks for.
        ("override-dependencies = [\"six==1.14.0; os_name == 'nt'\", \"gone==1\"]", &plain),
        ("constraint-dependencies = [3, \"six=1\"]", &plain),
    ] {
        let root = format!("[tool.uv]\n{lists}\n[tool.uv.workspace]\nmembers = [\"m/*\"]\n");
        check(&[("pyproject.toml", &root), ("m/a/pyproject.toml", member)], "m/a/pyproject.toml", want);
        check(&[("pyproject.toml", &root), ("q/pyproject.toml", member)], "q/pyproject.toml", &plain);
    }
    // Each at its own line, and what is forced where it is forced.
    let root = "[tool.uv]\noverride-dependencies = [\"six==1.14.0\"]\nconstraint-dependencies = [\"b==2\"]\n[tool.uv.workspace]\nmembers = [\"m/*\"]\n";
    let inputs = tree(&[("pyproject.toml", root), ("m/a/pyproject.toml", member)]);
    let pins = |input: &Input| {
        let pins = input.packages.iter().map(|one| format!("{} {} {}", one.name, one.version, one.line));
        format!("{}: {}", input.path, pins.collect::<Vec<_>>().join(", "))
    };
    assert_eq!(
        inputs.iter().map(pins).collect::<Vec<_>>(),
        ["m/a/pyproject.toml: b 2 2", "pyproject.toml: six 1.14.0 2"]
    );
    let settled = |input: &Input| input.not_judged.iter().filter(|one| one.is_settled).count();
    assert_eq!(inputs.iter().map(settled).collect::<Vec<_>>(), [2, 0]); // not what builds the member
}
