//! GitHub workflows and actions.

use aiva_sca::inventory::Kind;

use super::check;

#[test]
fn workflows_with_actions_below_their_key() {
    for (uses, want) in [
        (">-\n      o/a@v1.2.3", "o/a 1.2.3 4 runtime"),
        ("|\n      o/a@v1.2.3\n", "o/a 1.2.3 4 runtime"),
        ("\n      o/a@v1.2.3", "o/a 1.2.3 4 runtime"),
        ("&a\n      o/a@v1.2.3", "o/a 1.2.3 3 runtime"),
    ] {
        let text = format!("runs:\n  steps:\n  - uses: {uses}\n  - uses: o/b@v2.0.0\n  - run: |\n      x\n");
        let line = text.lines().position(|line| line.contains("o/b")).unwrap() + 1;
        check("action.yml", &text, &format!("parsed\n{want}\no/b 2.0.0 {line} runtime"));
    }
}

#[test]
fn workflows_with_anchors() {
    let not_step = "not a step: an alias for a word";
    for (steps, want) in [
        // What stands at an anchor is listed there, however often it is taken.
        (
            "- &a { uses: o/a@v1.2.3 }\n- *a\n- *a\n- uses: o/b@v2.0.0",
            "parsed\no/a 1.2.3 3 runtime\no/b 2.0.0 6 runtime",
        ),
        ("- uses: &a o/a@v1.2.3\n- uses: *a\n- uses: o/b@v2.0.0", "parsed\no/a 1.2.3 3 runtime\no/b 2.0.0 5 runtime"),
        ("- env: { A: &a o/a@v1.2.3 }\n- uses: *a\n- uses: *a", "parsed\no/a 1.2.3 4 runtime\no/a 1.2.3 5 runtime"),
        (
            "- run: x\n  env: &e\n    A: &a o/a@8e5e7e5ab8b370d6c329ec480221332ada57f0ab # v3.5.2\n- uses: *a\n  env: *e",
            "parsed\no/a 3.5.2 6 runtime",
        ),
        // Beside a `uses` in its line, but none itself.
        (
            "- { uses: o/b@v2.0.0, env: { A: &a o/a@v1.2.3 } }\n- uses: *a",
            "parsed\no/b 2.0.0 3 runtime\no/a 1.2.3 4 runtime",
        ),
        ("- &a { uses: o/a@v1.2.3, with: { x: *a } }\n- *a", "parsed\no/a 1.2.3 3 runtime"), // in itself
        ("- run: &r x\n- *r\n- uses: o/b@v2.0.0", &format!("partial\no/b 2.0.0 5 runtime\n! 4 {not_step}")),
        (
            "- &a { run: x }\n- uses: *a\n- uses: o/b@v2.0.0",
            "partial\no/b 2.0.0 5 runtime\n! 4 an alias for something else than the name of an action",
        ),
        (
            "- uses: o/b@v2.0.0\n- *none\n- uses: o/c@v2.0.0",
            "partial\no/b 2.0.0 3 runtime\n! 4 not YAML: while parsing node, found unknown anchor",
        ),
    ] {
        let steps: String = steps.lines().map(|line| format!("  {line}\n")).collect();
        check("action.yml", &format!("runs:\n  steps:\n{steps}"), want);
    }
    // A template of a workflow, which is no lockfile.
    check(
        "action.yml",
        "runs:\n  steps:\n  - uses: o/b@v2.0.0\n  - {{ more }}\n",
        "partial\no/b 2.0.0 3 runtime\n! 4 a key that is not a scalar: no file of this kind has one",
    );
    // What is put in is counted.
    let long = format!("o/{}@v1.2.3", "a".repeat(1000));
    let mut text = format!("env: {{ A: &a {long} }}\nsteps:\n");
    text.push_str(&"- uses: *a\n".repeat(1000));
    let reading = Kind::of("", "action.yml").unwrap().read(text.as_bytes());
    assert_eq!((reading.packages.len(), reading.status.name()), (64, "partial"));
    assert_eq!(reading.problems[0].line, 67);
}
