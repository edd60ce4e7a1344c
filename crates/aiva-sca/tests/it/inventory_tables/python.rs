//! What the readers of Python's files make of the forms that real files take.

use aiva_sca::inventory::Kind;
use aiva_sca::package::Status;

use super::{check, status};

#[test]
fn requirements_are_read_as_pip_reads_them() {
    check(
        Kind::Requirements,
        "# comment
Flask_Login[async]==1.2.3 ; python_version > '3'  # why
a==1.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
b===2.0rc1
c>=1,<2
d
e==1.*
f == 1.0 , != 2
g @ https://user:secret@example.com/g.zip
git+https://example.com/h.git@v1#egg=H_h
-e .
-e git+ssh://git@example.com/i.git#egg=i
./local
./wheels/j-1.0-py3-none-any.whl
--no-binary :all:
k (>=1.0)
l~=1.4.2
",
        "parsed
flask-login 1.2.3 2 ? runtime
a 1.0 3 ? runtime
b 2.0rc1 6 ? runtime
f 1.0 10 ? runtime
? c [>=1,<2] 7
? d [] 8
? e [==1.*] 9
? g [@ https://example.com/g.zip] 11
? h-h [git+https://example.com/h.git@v1#egg=H_h] 12
? i [git+ssh://git@example.com/i.git#egg=i] 14
? j-1-0-py3-none-any-whl [./wheels/j-1.0-py3-none-any.whl] 16
? k [>=1.0] 18
? l [~=1.4.2] 19",
    );
    status(Kind::Requirements, b"a==1\n!!!\n", Status::Partial, "not a requirement");
    status(Kind::Requirements, b"a==1\n--frobnicate\n", Status::Partial, "an option that pip");
    status(Kind::Requirements, b"", Status::Parsed, "");
    status(Kind::Requirements, b"a==1 \\", Status::Partial, "nothing follows");
    let private = "-i https://user:secret@pypi.example.com/simple\na==1\n";
    check(Kind::Requirements, private, "parsed\na 1 2 ? runtime PrivateRegistry(\"https://pypi.example.com/simple\")");
    check(Kind::Requirements, "-i https://pypi.org/simple\na==1\n", "parsed\na 1 2 ? runtime");
}

#[test]
fn pipenv_is_read_with_its_indexes() {
    check(
        Kind::PipfileLock,
        r#"{"_meta": {"pipfile-spec": 6, "sources": [{"name": "corp", "url": "https://pypi.example.com/simple"}]},
"default": {
"A_b": {"version": "==1.0", "index": "corp"},
"g": {"git": "https://example.com/g.git", "ref": "abc"}},
"develop": {"c": {"version": "==2.0"}},
"docs": {"d": {"version": "==3.0"}}}"#,
        "parsed
a-b 1.0 3 ? runtime PrivateRegistry(\"https://pypi.example.com/simple\")
c 2.0 5 ? dev
d 3.0 6 ? optional
? g [https://example.com/g.git] 4",
    );
    status(
        Kind::PipfileLock,
        br#"{"_meta": {"pipfile-spec": 6}, "default": {"a": {"version": ">=1"}}}"#,
        Status::Failed,
        "has no version as pipenv locks it",
    );
    // So pipenv writes what does not apply.
    let marked = r#"{"_meta": {"pipfile-spec": 6}, "default": {"b": {"version": "==1"},
"T_o": {"markers": "python_version < '3.0'", "version": "*"}},
"develop": {"u": {"version": "*"}}}"#;
    check(Kind::PipfileLock, marked, "parsed\nb 1 1 ? runtime\n? t-o [] 2\n? u [] 3");
    let reasons: Vec<_> =
        Kind::PipfileLock.read(marked.as_bytes()).not_judged.into_iter().map(|one| one.reason).collect();
    let marker = "pipenv locked no version: it is needed only where \"python_version < '3.0'\"";
    assert_eq!(reasons, [marker, "pipenv locked no version"]);
    // Any version of the public package, but not of a company's own.
    let is_range = |text: &str| -> Vec<bool> {
        Kind::PipfileLock.read(text.as_bytes()).not_judged.into_iter().map(|one| one.is_range).collect()
    };
    assert_eq!(is_range(marked), [true, true]);
    let indexed = r#"{"_meta": {"pipfile-spec": 6, "sources": [{"name": "pypi", "url": "https://pypi.org/simple"},
{"name": "own", "url": "https://pypi.example.com/simple"}]},
"default": {"a": {"version": "*", "index": "pypi"}, "b": {"version": "*", "index": "own"}}, "develop": {}}"#;
    assert_eq!(is_range(indexed), [true, false]);
    status(Kind::PipfileLock, br#"{"_meta": {"pipfile-spec": 7}, "default": {}}"#, Status::Unsupported, "7");
    check(
        Kind::Pipfile,
        "[[source]]\nurl = \"x\"\n[packages]\na = \"==1.0\"\nb = \"*\"\nc = {version = \">=1\", extras = [\"x\"]}\nd = {path = \".\"}\ne = {git = \"https://example.com/e.git\"}\n[dev-packages]\nF = \"==2.0\"\n",
        "parsed
a 1.0 4 direct runtime
f 2.0 10 direct dev
? b [] 5
? c [>=1] 6
? e [https://example.com/e.git] 8",
    );
}

#[test]
fn poetry_and_uv_tell_sources_apart() {
    check(
        Kind::PoetryLock,
        r#"[[package]]
name = "A.b"
version = "1.0"
category = "dev"
optional = false

[package.dependencies]
c = ">=1"
gone = {version = "*", markers = "python_version < '3'"}

[[package]]
name = "c"
version = "2.0"
optional = true

[package.source]
type = "git"
url = "https://example.com/c.git"
resolved_reference = "abc"

[metadata]
lock-version = "1.1"
content-hash = "x"

[metadata.files]
c = []
"#,
        "parsed\na-b 1.0 2 ? dev\nc 2.0 12 ? optional Git(\"https://example.com/c.git\")",
    );
    status(Kind::PoetryLock, b"[[package]]\nname = \"a\"\nversion = \"1\"\n", Status::Partial, "[metadata]");
    status(Kind::PoetryLock, b"[metadata]\nlock-version = \"3.0\"\n", Status::Unsupported, "format 3");
    check(
        Kind::UvLock,
        r#"version = 1
revision = 3

[[package]]
name = "app"
source = { editable = "." }
dependencies = [{ name = "a" }, { name = "b", version = "2.0", marker = "x" }]

[package.optional-dependencies]
cli = [{ name = "c" }]

[package.dev-dependencies]
dev = [{ name = "d" }]

[[package]]
name = "a"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.pythonhosted.org/a.tar.gz", hash = "sha256:0" }

[[package]]
name = "b"
version = "1.0"
source = { registry = "https://pypi.example.com/simple" }

[[package]]
name = "b"
version = "2.0"
source = { git = "https://example.com/b.git?rev=x#abc" }

[[package]]
name = "c"
version = "1.0"
source = { url = "https://example.com/c.whl" }

[[package]]
name = "d"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.pythonhosted.org/d.tar.gz", hash = "sha256:0" }
dependencies = [{ name = "a" }]
"#,
        r#"parsed
a 1.0 16 direct runtime
b 1.0 22 transitive runtime PrivateRegistry("https://pypi.example.com/simple")
b 2.0 27 direct runtime Git("https://example.com/b.git?rev=x#abc")
c 1.0 32 direct optional Url("https://example.com/c.whl")
d 1.0 37 direct dev"#,
    );
    status(Kind::UvLock, b"version = 2\n", Status::Unsupported, "format 2");
    status(Kind::UvLock, b"version = 1\n[[package]]\nname = \"a\"\nversion = \"1\"\n\n", Status::Failed, "no source");
}

#[test]
fn pyproject_reads_both_ways_to_write_it() {
    check(
        Kind::PyProject,
        r#"[project]
name = "x"
dependencies = [
  "a==1.0",
  "b>=2; python_version > '3'",
]
[project.optional-dependencies]
cli = ["c==3"]
[dependency-groups]
dev = ["d", {include-group = "x"}]
[tool.poetry.dependencies]
python = "^3.8"
e = "1.2.3"
f = {version = "^1", optional = true}
g = {git = "https://example.com/g.git"}
[tool.poetry.group.dev.dependencies]
h = "*"
"#,
        "parsed
a 1.0 4 direct runtime
c 3 8 direct optional
e 1.2.3 13 direct runtime
? b [>=2] 5
? d [] 10
? f [^1] 14
? g [https://example.com/g.git] 15
? h [] 17",
    );
    check(
        Kind::PyProject,
        r#"[tool.pdm.dev-dependencies]
dev = ["-e file:///${PROJECT_ROOT}/own#egg=own", "a==1.0"]
[tool.uv]
dev-dependencies = ["b==2.0"]
"#,
        "parsed\na 1.0 2 direct dev\nb 2.0 4 direct dev",
    );
    status(Kind::PyProject, b"[tool.black]\nline-length = 100\n", Status::Parsed, "");
    status(Kind::PyProject, b"[project\n", Status::Failed, "not TOML");
}
