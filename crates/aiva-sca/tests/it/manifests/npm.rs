//! `package.json`, `pnpm-workspace.yaml` and `deno.json`.

use super::{check, recorded, tree};

#[test]
fn package_json_with_overrides() {
    for (tables, want) in [
        (r#""overrides": {"b": "2.0.0"}"#, "? a [^1] 2 runtime\nb 2.0.0 3 runtime ? forced by overrides"),
        (r#""overrides": {"a": "1.0.0"}"#, "a 1.0.0 3 runtime forced by overrides"), // in the place of `^1`
        (r#""resolutions": {"**/a": "~1.0.0"}"#, "? a [~1.0.0] 3 runtime forced by resolutions"),
        (r#""overrides": {"a": {".": "1.0.0"}}"#, "a 1.0.0 3 runtime forced by overrides"),
        (r#""pnpm": {"overrides": {"a": "npm:c@3.0.0"}}"#, "c 3.0.0 3 runtime forced by pnpm.overrides"),
        (
            r#""pnpm": {"overrides": {"a@1": "1.5.0"}}"#,
            "? a [^1] 2 runtime\na 1.5.0 3 runtime forced by pnpm.overrides",
        ),
        (
            r#""pnpm": {"overrides": {"a@>1": "1.5.0"}}"#,
            "? a [^1] 2 runtime\na 1.5.0 3 runtime forced by pnpm.overrides",
        ),
        // No version: nobody gets it.
        (r#""pnpm": {"overrides": {"a": "-"}}"#, "- a [^1] 2 runtime: pnpm leaves it out: pnpm.overrides say `-`"),
        (r#""pnpm": {"overrides": {"a@1": "-", "x>a": "-", "b": "-"}}"#, "? a [^1] 2 runtime"),
        (
            r#""overrides": {"a": "-"}"#,
            "? a [^1] 2 runtime\n- a [-] 3 runtime: an override by `-`, by which only pnpm's overrides leave a package out",
        ),
        (r#""overrides": {"a": "$a"}"#, "? a [^1] 2 runtime"),
        (
            r#""overrides": {"b": "$a"}"#,
            "? a [^1] 2 runtime\n- b [$a] 3 runtime: an override by the version of another entry, which is not followed",
        ),
        (
            r#""pnpm": {"overrides": {"x>a": "1.0.0"}}"#,
            "? a [^1] 2 runtime\n- a [1.0.0] 3 runtime: an override for what one package asks for: whether anybody gets it, a lockfile would say",
        ),
        (
            r#""pnpm": {"overrides": {"x>a": "git+https://user:secret@example.com/a.git", "b": "patch:b@https://user:secret@example.com/b.tgz"}}"#,
            "? a [^1] 2 runtime\n- a [git+https://example.com/a.git] 3 runtime: an override for what one package asks for: whether anybody gets it, a lockfile would say\n\
             - b [patch:b@https://example.com/b.tgz] 3 runtime: an override by a patched copy, not a released version",
        ),
        (
            r#""overrides": {"x": {"a": "1.0.0"}}"#,
            "? a [^1] 2 runtime\n- a [1.0.0] 3 runtime: an override for what one package asks for: whether anybody gets it, a lockfile would say",
        ),
        (
            r#""resolutions": {"x/**/b": "1.0.0", "b": "patch:b@npm%3A1.0.0#./b.patch"}"#,
            "? a [^1] 2 runtime\n- b [1.0.0] 3 runtime: an override for what one package asks for: whether anybody gets it, a lockfile would say\n\
             - b [patch:b@npm%3A1.0.0#./b.patch] 3 runtime: an override by a patched copy, not a released version",
        ),
    ] {
        check(
            "package.json",
            &format!("{{\n\"dependencies\": {{\"a\": \"^1\"}},\n{tables}}}"),
            &format!("parsed\n{}", order(want)),
        );
    }
    check(
        "package.json",
        "{\"devDependencies\": {\"a\": \"^1\"},\n\"overrides\": {\"a\": \"1.0.0\", \"b\": 1}}",
        "partial\na 1.0.0 2 dev forced by overrides\n! 2 the override of \"b\" is not a string",
    );
}

#[test]
fn what_stands_behind_npm_is_another_package_or_a_range() {
    for (requirement, want) in [
        ("npm:c@3.0.0", "c 3.0.0 1 runtime"),
        ("npm:@s/c@^3", "? @s/c [npm:@s/c@^3] 1 runtime"),
        ("npm:c", "? c [npm:c] 1 runtime"),
        ("npm:next", "? next [npm:next] 1 runtime"),
        ("npm:x", "? x [npm:x] 1 runtime"),
        ("npm:7zip-bin", "? 7zip-bin [npm:7zip-bin] 1 runtime"),
        // As yarn's berry and bun write it.
        ("npm:1.2.3", "a 1.2.3 1 runtime"),
        ("npm:^1.2", "? a [^1.2] 1 runtime"),
        (
            "npm:latest",
            "- a [latest] 1 runtime: a tag that its publisher can move; a lockfile, or a range in its place, would say which versions",
        ),
        // A patch is of the release below.
        ("patch:a@npm%3A1.2.3#./a.patch", "a 1.2.3 1 runtime"),
        ("patch:@s/b@npm%3A%5E1.2#~/.yarn/patches/b.patch", "? @s/b [^1.2] 1 runtime"),
        ("patch:a@patch%3Aa@npm%253A1.2.3%23./one.patch#./two.patch", "a 1.2.3 1 runtime"),
        ("patch:a@./a.tgz#./a.patch", "- a [./a.tgz] 1 runtime: from an address, not from a registry"),
    ] {
        let manifest = format!("{{\"dependencies\": {{\"a\": \"{requirement}\"}}}}");
        check("package.json", &manifest, &format!("parsed\n{want}"));
    }
}

/// Pins before ranges, as they are listed.
fn order(rows: &str) -> String {
    let (open, pins): (Vec<&str>, Vec<&str>) = rows.lines().partition(|row| row.starts_with(['?', '-']));
    pins.into_iter().chain(open).collect::<Vec<_>>().join("\n")
}

#[test]
fn pnpm_workspace_yaml() {
    let head = "packages:\n  - 'a/*'\noverrides:\n";
    let by = "forced by pnpm's overrides";
    for (rows, want) in [
        ("  a: 1.0.0\n", format!("parsed\na 1.0.0 4 runtime ? {by}")),
        ("  '@s/a': \"^1.0.0\"\n  \"b@2\": 2.1.0\n", format!("parsed\nb 2.1.0 5 runtime ? {by}\n? @s/a [^1.0.0] 4 runtime {by}")),
        ("  a: 'npm:c@3.0.0'\n  b: '-'\n", format!("parsed\nc 3.0.0 4 runtime ? {by}")),
        (
            "  x>a: 1.0.0\n",
            "parsed\n- a [1.0.0] 4 runtime: an override for what one package asks for: whether anybody gets it, a lockfile would say".to_owned(),
        ),
        ("  a: $a\n", "parsed\n- a [$a] 4 runtime: an override by the version of another entry, which is not followed".to_owned()),
        (
            "  a: 'catalog:'\n",
            "parsed\n- a [catalog:default] 4 runtime: an override by a catalog of the workspace, which is not followed".to_owned(),
        ),
        ("  a: 1.0.0", format!("parsed\na 1.0.0 4 runtime ? {by}")),
        ("  a: ^1.0", format!("partial\n? a [^1.0] 4 runtime {by}\n! 4 the last line has no line break and may be half of one: it may have been cut off; end it with a line break if it is whole")),
        ("  a: [\n", "failed\n! 4 not YAML: while parsing a node, did not find expected node content".to_owned()),
    ] {
        check("pnpm-workspace.yaml", &format!("{head}{rows}"), &want);
    }
    check("pnpm-workspace.yaml", "packages: [a]\ncatalog: { a: 1.0.0 }\n", "parsed");
    let alias = "catalogs:\n  one: &c\n    a: &v 1.0.0\n  two: *c\noverrides:\n  b: 1.0.0\n";
    check("pnpm-workspace.yaml", alias, &format!("parsed\nb 1.0.0 6 runtime ? {by}"));
    let forced = format!("{alias}  c: *v\n");
    check(
        "pnpm-workspace.yaml",
        &forced,
        &format!("partial\nb 1.0.0 6 runtime ? {by}\n! 7 a YAML alias among the overrides, which is not followed"),
    );
    let lock = "lockfileVersion: '9.0'\n\nimporters:\n  .: {}\n";
    let yaml = "overrides:\n  a: 1.0.0\n";
    for (lock, want) in [(vec![("pnpm-lock.yaml", lock)], 0), (vec![("b/pnpm-lock.yaml", lock)], 1)] {
        let files = [vec![("pnpm-workspace.yaml", yaml)], lock].concat();
        let inputs = tree(&files);
        let own = inputs.iter().find(|input| input.path == "pnpm-workspace.yaml").unwrap();
        assert_eq!((own.packages.len(), own.status.name()), (want, "parsed"));
    }
    // A whole lockfile has what could not be read here; half of one does not.
    let half = "lockfileVersion: '9.0'\n\nimporters:\n  .: {}\n\npackages:\n  a@1.0.0:\n    resolution: {integrity: sha512-aa==}\n  ? [x]\n";
    for (lock, want) in [(lock, "parsed 0"), (half, "partial 1")] {
        let inputs = tree(&[("pnpm-workspace.yaml", &*forced), ("pnpm-lock.yaml", lock)]);
        let own = inputs.iter().find(|input| input.path == "pnpm-workspace.yaml").unwrap();
        assert_eq!(format!("{} {}", own.status.name(), own.problems.len()), want, "{:?}", inputs[0].problems);
    }
}

#[test]
fn deno_json() {
    recorded(
        "deno.json",
        "parsed
chalk 5.3.0 5 runtime
? express [^4.17] 6 runtime
? @acme/x [] 8 runtime
- @std/assert [^1] 9 runtime: from JSR, whose packages no public advisories name
- https://deno.land/x/oak@v12/mod.ts [] 10 runtime: imported by address: it has no package and no version",
    );
    check(
        "deno.jsonc",
        "{\"importMap\": \"./map.json\"}",
        "failed\n! 1 the imports are in \"./map.json\", which is not read",
    );
}

#[test]
fn what_a_pnpm_workspace_leaves_out_is_judged_nowhere_in_it() {
    let yaml = "packages:\n  - 'p/*'\noverrides:\n  qs: '-'\n  b@1: '-'\n  x>c: '-'\ncatalog:\n  qs: 1.0.0\n";
    let manifest = r#"{"dependencies": {"qs": "6.0.0", "b": "1.0.0"}, "devDependencies": {"c": "1.0.0"}}"#;
    let catalog = r#"{"dependencies": {"qs": "catalog:"}}"#;
    let files = [
        ("pnpm-workspace.yaml", yaml),
        ("package.json", manifest),
        ("p/a/package.json", manifest),
        ("p/b/package.json", catalog),
        ("other/package.json", manifest),
        ("p/own/pnpm-workspace.yaml", "overrides: {}\n"),
        ("p/own/package.json", manifest),
    ];
    let inputs = tree(&files);
    let left_out = "- qs: pnpm leaves it out: the overrides of pnpm-workspace.yaml say `-`";
    for (path, want) in [
        ("package.json", &["b 1.0.0", "c 1.0.0", left_out][..]),
        ("p/a/package.json", &["b 1.0.0", "c 1.0.0", left_out]),
        ("p/b/package.json", &[left_out]),
        ("other/package.json", &["b 1.0.0", "c 1.0.0", "qs 6.0.0"]), // No member.
        ("p/own/package.json", &["b 1.0.0", "c 1.0.0", "qs 6.0.0"]), // Another workspace.
        ("pnpm-workspace.yaml", &[]),
    ] {
        let input = inputs.iter().find(|input| input.path == path).unwrap();
        let pins = input.packages.iter().map(|one| format!("{} {}", one.name, one.version));
        let open = input.not_judged.iter().map(|one| format!("- {}: {}", one.name, one.reason));
        let mut told: Vec<String> = pins.chain(open).collect();
        told.sort_by_key(|line| line.trim_start_matches("- ").to_owned());
        assert_eq!(told, want, "{path}");
    }
}

#[test]
fn pnpm_goes_by_one_table_of_overrides() {
    let yaml = "packages:\n  - 'p/*'\noverrides:\n  qs: 6.7.0\n  c: '-'\n";
    let table = r#""pnpm": {"overrides": {"qs": "6.5.0", "d": "-"}}"#;
    let asked = r#""dependencies": {"qs": "^6", "c": "^1", "d": "^1"}"#;
    let (pnpm, both) = ("pnpm.overrides", "pnpm's overrides");
    let old = "as far as pnpm is 10 or older";
    let new = "as far as pnpm is 11 or later";
    let left_out = "d [^1]: pnpm leaves it out: pnpm.overrides say `-`";
    let of_file = "c [^1]: pnpm leaves it out: the overrides of pnpm-workspace.yaml say `-`";
    let nine = "not taken: pnpm takes the overrides of package.json alone up to 9, and this is 9";
    let ten = "not taken: pnpm takes the overrides of package.json where it has any, and none of these, up to 10";
    let eleven = "not taken: pnpm 11 reads no overrides in package.json, only in pnpm-workspace.yaml";
    for (manager, table, own, of_yaml) in [
        ("", table, format!("qs 6.5.0 ({pnpm}, {old}); c [^1]; d [^1]"), format!("qs 6.7.0 ({both}, {new})")),
        (
            "pnpm@9.15.9",
            table,
            format!("qs 6.5.0 ({pnpm}); c [^1]; {left_out}"),
            format!("qs [6.7.0]: {nine}; c [-]: {nine}"),
        ),
        (
            "pnpm@10.34.9+sha512.ab",
            table,
            format!("qs 6.5.0 ({pnpm}); c [^1]; {left_out}"),
            format!("qs [6.7.0]: {ten}; c [-]: {ten}"),
        ),
        (
            "pnpm@11.0.0-rc.1",
            table,
            format!("qs [^6]; {of_file}; d [^1]; qs [6.5.0]: {eleven}; d [-]: {eleven}"),
            format!("qs 6.7.0 ({both})"),
        ),
        // yarn's count among pnpm's, and npm's do not.
        (
            "pnpm@10.0.0",
            r#""resolutions": {"b": "1.0.0"}"#,
            "b 1.0.0 (resolutions); qs [^6]; c [^1]; d [^1]".to_owned(),
            format!("qs [6.7.0]: {ten}; c [-]: {ten}"),
        ),
        (
            "pnpm@11.0.0",
            r#""resolutions": {"b": "1.0.0"}"#,
            format!("qs [^6]; {of_file}; d [^1]; b [1.0.0]: {eleven}"),
            format!("qs 6.7.0 ({both})"),
        ),
        (
            "",
            r#""overrides": {"b": "1.0.0"}"#,
            format!("b 1.0.0 (overrides); qs [^6]; {of_file}; d [^1]"),
            format!("qs 6.7.0 ({both})"),
        ),
        // An empty table is none.
        (
            "pnpm@10.0.0",
            r#""pnpm": {"overrides": {}}"#,
            format!("qs [^6]; {of_file}; d [^1]"),
            format!("qs 6.7.0 ({both})"),
        ),
        ("", r#""pnpm": {"overrides": {}}"#, format!("qs [^6]; {of_file}; d [^1]"), format!("qs 6.7.0 ({both})")),
        // Another tool's manifest says nothing of pnpm.
        ("yarn@4.0.0", table, format!("qs 6.5.0 ({pnpm}, {old}); c [^1]; d [^1]"), format!("qs 6.7.0 ({both}, {new})")),
    ] {
        let manifest = format!("{{\n{asked},\n{table}, \"packageManager\": \"{manager}\"}}");
        let member = r#"{"dependencies": {"c": "^1"}}"#;
        let inputs = tree(&[("package.json", &*manifest), ("pnpm-workspace.yaml", yaml), ("p/a/package.json", member)]);
        let told = |path: &str| {
            let input = inputs.iter().find(|input| input.path == path).unwrap();
            assert_eq!(input.status.name(), "parsed", "{path}: {:?}", input.problems);
            let by = |by: Option<&str>| by.map(|by| format!(" ({by})")).unwrap_or_default();
            let pins = input.packages.iter().map(|one| {
                let origin = one.origin.as_ref().and_then(|origin| origin.forced_by.as_deref());
                format!("{} {}{}", one.name, one.version, by(origin))
            });
            let open = input.not_judged.iter().map(|one| match one.is_range {
                true => format!("{} [{}]{}", one.name, one.requirement, by(one.forced_by.as_deref())),
                false => format!("{} [{}]: {}", one.name, one.requirement, one.reason),
            });
            pins.chain(open).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(told("package.json"), own, "{manager} {table}");
        assert_eq!(told("pnpm-workspace.yaml"), of_yaml, "{manager} {table}");
        let is_out = own.contains(of_file);
        assert_eq!(told("p/a/package.json"), if is_out { of_file } else { "c [^1]" }, "{manager} {table}");
    }
}
