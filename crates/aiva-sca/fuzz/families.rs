// Which readers each fuzz target feeds. Shared with the replay test (`tests/it/inventory_corpus.rs`), so that no target
// exists without its corpus being replayed. Included as an expression: target name, names of the files it stands for.
[
    ("cargo_lock", &["Cargo.lock"]),
    ("python_lock", &["poetry.lock", "uv.lock"]),
    ("manifest", &["Cargo.toml", "Pipfile", "pyproject.toml"]),
    ("npm_lock", &["package-lock.json", "package.json"]),
    ("pipfile_lock", &["Pipfile.lock"]),
    ("yarn_lock", &["yarn.lock"]),
    ("pnpm_lock", &["pnpm-lock.yaml"]),
    ("requirements", &["requirements.txt"]),
    ("go_mod", &["go.mod"]),
]
