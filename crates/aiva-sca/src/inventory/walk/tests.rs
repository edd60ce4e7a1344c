//! Files that are read group by group come out as they would if all were read and tied together at once.

use proptest::prelude::*;

use super::*;

const FOLDERS: [&str; 8] = ["", "a", "a/b", "a/b/c", "a/packages/x", "packages/x", "vendor", "a/vendor"];

/// Names with contents: whole, of another shape, and broken.
const FILES: &[(&str, &[&str])] = &[
    (
        "package.json",
        &[
            r#"{"name": "x", "version": "1.0.0", "dependencies": {"left-pad": "^1.0.0"}}"#,
            r#"{"name": "top", "workspaces": ["packages/*", "b", "b/c"], "dependencies": {"once": "1.0.0"}}"#,
            "{",
        ],
    ),
    (
        "package-lock.json",
        &[
            r#"{"lockfileVersion": 3, "packages": {"": {"workspaces": ["packages/*"]}, "packages/x": {"name": "x", "version": "1.0.0"},
            "node_modules/x": {"resolved": "packages/x", "link": true}, "node_modules/left-pad": {"version": "1.3.0"}}}"#,
            r#"{"lockfileVersion": 3, "packages": {"": {}, "b": {"name": "x"}, "node_modules/once": {"version": "1.0.0"}}}"#,
            "{",
            r#"{"lockfileVersion": 99}"#,
        ],
    ),
    (
        "yarn.lock",
        &[
            "# yarn lockfile v1\n\nleft-pad@^1.0.0:\n  version \"1.3.0\"\n\nonce@1.0.0:\n  version \"1.0.0\"\n",
            "# yarn lockfile v1\n\nleft-pad@^1.0.0:\n  ver",
            "\0",
        ],
    ),
    (
        "pnpm-lock.yaml",
        &[
            "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      once:\n        specifier: 1.0.0\n        version: 1.0.0\n  packages/x:\n    dependencies:\n      left-pad:\n        specifier: ^1.0.0\n        version: 1.3.0\npackages:\n  left-pad@1.3.0: {}\n  once@1.0.0: {}\nsnapshots:\n  left-pad@1.3.0: {}\n  once@1.0.0: {}\n",
            "lockfileVersion: [",
        ],
    ),
    (
        "Cargo.toml",
        &[
            "[package]\nname = \"x\"\nversion = \"1.0.0\"\n[dependencies]\nserde = \"1\"\n",
            "[package]\nname = \"y\"\n[dev-dependencies]\nserde = \"1\"\n[workspace]\nmembers = [\"b\"]\n",
            "[package",
        ],
    ),
    (
        "Cargo.lock",
        &[
            "version = 4\n[[package]]\nname = \"x\"\nversion = \"1.0.0\"\ndependencies = [\"serde\"]\n[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n",
            "version = 4\n[[package]]\nname = \"y\"\nversion = \"1.0.0\"\ndependencies = [\"serde\"]\n[[package]]\nname = \"serde\"\nversion = \"1.0.2\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n",
            "version = ",
        ],
    ),
    (
        "go.mod",
        &[
            "module x\n\ngo 1.16\n\nrequire golang.org/x/net v0.1.0\n",
            "module y\n\ngo 1.21\n\nrequire golang.org/x/net v0.1.0\n",
            "requ(",
        ],
    ),
    (
        "go.work",
        &[
            "go 1.22\n\nuse (\n\t.\n\t./b\n\t./a/b\n)\n\nreplace golang.org/x/net => golang.org/x/net v0.2.0\n",
            "go 1.22\nuse ../a\n",
            "use (",
        ],
    ),
    ("requirements.in", &["flask\nidna\n", "-r requirements-dev.in\nidna==3.0\n"]),
    (
        "deno.lock",
        &[
            r#"{"version": "4", "specifiers": {"npm:left-pad@1": "1.3.0"}, "npm": {"left-pad@1.3.0": {}}, "workspace": {"packageJson": {"dependencies": ["npm:left-pad@1"]}}}"#,
            "{",
        ],
    ),
    ("go.sum", &["golang.org/x/net v0.1.0 h1:a=\ngolang.org/x/text v0.3.0 h1:b=\n", "golang"]),
    ("modules.txt", &["# golang.org/x/net v0.1.0\n## explicit\ngolang.org/x/net\n# golang.org/x/text v0.3.0\n"]),
    (
        "requirements.txt",
        &[
            "flask==2.0.0\nidna\n",
            "-r base.txt\nidna==3.0\n",
            "-c ../constraints.txt\nidna\nflask\n",
            "  --requirement requirements-dev.txt\n-r gone.txt\n",
            "\u{feff}-rsetup.cfg\nidna\n",
            "-r ../requirements.txt\n-c constraints.txt\n",
        ],
    ),
    (
        "requirements-dev.txt",
        &["-r requirements.txt\npytest>=7\n", "pytest\n", "-c constraints.txt\n-r a/requirements.txt\n"],
    ),
    ("base.txt", &["idna\nclick==8.0\n", "-c constraints.txt\nclick\n"]),
    ("constraints.txt", &["idna==3.1\nflask==2.1.0\npytest==7.0\nclick==8.1\n", "-r base.txt\n"]),
    ("setup.cfg", &["[options]\ninstall_requires =\n  idna>=3\n  flask\n"]),
    (
        "pom.xml",
        &[
            "<project><groupId>g</groupId><artifactId>top</artifactId><version>1</version><properties><v>2.0</v></properties></project>",
            "<project><parent><groupId>g</groupId><artifactId>top</artifactId><version>1</version></parent><artifactId>x</artifactId><dependencies><dependency><groupId>d</groupId><artifactId>d</artifactId><version>${v}</version></dependency></dependencies></project>",
            "<project>",
        ],
    ),
    (
        "build.gradle",
        &[
            "dependencies {\n  implementation libs.once\n  implementation 'a:b:1.+'\n}\n",
            "dependencies {\n  implementation 'a:b:1.0'\n}\n",
        ],
    ),
    ("gradle.lockfile", &["a:b:1.0=runtimeClasspath\nempty=\n", "a:b\n"]),
    ("libs.versions.toml", &["[libraries]\nonce = \"c:once:1.0\"\n"]),
    (
        "pyproject.toml",
        &[
            "[project]\nname = \"x\"\ndependencies = [\"idna>=3\"]\n",
            "[tool.poetry.dependencies]\nidna = \"^3\"\n",
            "[",
        ],
    ),
    (
        "poetry.lock",
        &[
            "[[package]]\nname = \"idna\"\nversion = \"3.1\"\n\n[metadata]\nlock-version = \"2.0\"\n",
            "[[package]]\nname = ",
        ],
    ),
    (
        "uv.lock",
        &[
            "version = 1\n[[package]]\nname = \"idna\"\nversion = \"3.2\"\nsource = { registry = \"https://pypi.org/simple\" }\n",
            "version = 1\n[[pack",
        ],
    ),
    ("Gemfile", &["source 'https://rubygems.org'\ngem 'rack'\neval 'x'\n", "gem 'rack', '1.0'\n"]),
    (
        "Gemfile.lock",
        &["GEM\n  remote: https://rubygems.org/\n  specs:\n    rack (2.0.0)\n\nDEPENDENCIES\n  rack\n", "GEM\n  spe"],
    ),
    ("one.csproj", &["<Project><ItemGroup><PackageReference Include=\"N\" Version=\"[1,2)\"/></ItemGroup></Project>"]),
    (
        "two.csproj",
        &["<Project><ItemGroup><PackageReference Include=\"M\" Version=\"1.0\"/></ItemGroup></Project>", "<Proj"],
    ),
    (
        "packages.lock.json",
        &[r#"{"version": 1, "dependencies": {"net8.0": {"N": {"type": "Direct", "resolved": "1.5.0"}}}}"#, "{"],
    ),
];

type Chosen = Vec<(usize, usize, usize)>;

fn chosen() -> impl Strategy<Value = Chosen> {
    // Few kinds at a time, so that they meet.
    let kinds = prop::collection::vec(0..FILES.len(), 1..5);
    kinds.prop_flat_map(|kinds| {
        let file = (0..FOLDERS.len(), prop::sample::select(kinds), 0..8_usize);
        prop::collection::vec(file, 1..18)
    })
}

fn lay_down(root: &Path, chosen: &Chosen) {
    for (folder, file, content) in chosen {
        let (name, contents) = FILES[*file];
        let folder = root.join(FOLDERS[*folder]);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), contents[content % contents.len()]).unwrap();
    }
}

/// The inputs of a tree, read in its groups or in one; and how many groups there are.
fn inputs(root: &Path, apart: bool) -> (Vec<Input>, usize) {
    let options = Options { threads: 2, ..Options::default() };
    let files = find(root, &options, &|_| {}).unwrap().files;
    let has_catalog = files.iter().any(|found| found.kind == Kind::VersionCatalog);
    let one = Group { files: (0..files.len()).collect(), ..Group::default() };
    let (done, progress) = (AtomicUsize::new(0), &|_| {});
    let central = central(&files);
    let workspaces = Workspaces::among(&files);
    let (builds, other_locks) = (OnceLock::new(), by_deno::Others::default());
    let options = &options;
    let tree = Tree { root, options, files, has_catalog, central, other_locks, workspaces, builds, done, progress };
    let groups = if apart { tree.groups() } else { vec![one] };
    let mut shown = tree.visit(&groups, &|input, _| input);
    shown.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    (shown.into_iter().map(|(_, _, input)| input).collect(), groups.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn groups_say_what_the_whole_tree_says(chosen in chosen()) {
        let root = tempfile::tempdir().unwrap();
        lay_down(root.path(), &chosen);
        let ((apart, _), (together, _)) = (inputs(root.path(), true), inputs(root.path(), false));
        prop_assert_eq!(apart, together);
    }
}

/// The packages and open entries of each input, after checking that they are the same when all is read at once.
#[track_caller]
fn check(files: &[(&str, &str)], groups: usize, want: &[(&str, usize, usize)]) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = root.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let (got, parts) = inputs(root.path(), true);
    assert_eq!((&got, parts), (&inputs(root.path(), false).0, groups));
    let said: Vec<(&str, usize, usize)> =
        got.iter().map(|input| (input.path.as_str(), input.packages.len(), input.not_judged.len())).collect();
    assert_eq!(said, want);
}

const LOCK: &str = r#"{"lockfileVersion": 3, "packages": {"": {}, "b": {"name": "x"}, "node_modules/left-pad": {"version": "1.3.0"}}}"#;
const MANIFEST: &str = r#"{"name": "x", "dependencies": {"left-pad": "^1.0.0"}}"#;

#[test]
fn a_manifest_goes_up_to_the_lockfile_that_was_read() {
    // Its own lockfile is broken and the one above holds for it.
    check(
        &[("package-lock.json", LOCK), ("package.json", MANIFEST), ("b/package.json", MANIFEST), ("b/yarn.lock", "\0")],
        2,
        &[("b/package.json", 0, 0), ("b/yarn.lock", 0, 0), ("package-lock.json", 1, 0), ("package.json", 0, 0)],
    );
    // The one above does not hold for it.
    check(
        &[("package-lock.json", LOCK), ("c/package.json", MANIFEST), ("c/yarn.lock", "\0")],
        2,
        &[("c/package.json", 0, 1), ("c/yarn.lock", 0, 0), ("package-lock.json", 1, 0)],
    );
}

#[test]
fn a_project_whose_versions_are_kept_above_it_leaves_nothing_open() {
    let project = "<Project><ItemGroup><PackageReference Include=\"A\" /><PackageReference Include=\"B\" Version=\"1.*\" /></ItemGroup></Project>";
    let central = "<Project><ItemGroup><PackageVersion Include=\"A\" Version=\"[1.2.3]\" /></ItemGroup></Project>";
    check(
        &[("a/Directory.Packages.props", central), ("a/b/x.csproj", project), ("c/x.csproj", project)],
        3,
        &[("a/Directory.Packages.props", 1, 0), ("a/b/x.csproj", 0, 1), ("c/x.csproj", 0, 2)],
    );
}

#[test]
fn of_two_workspaces_the_nearest_holds_for_a_module() {
    let module = "module b\n\ngo 1.21\n\nrequire golang.org/x/net v0.1.0\n";
    let work = "go 1.22\n\nuse ./b\n\nreplace golang.org/x/net => golang.org/x/net v0.2.0\n";
    let nearer = ("b/go.work", "go 1.22\n");
    for (files, want) in [
        (&[("b/go.mod", module), ("go.work", work)][..], "0.2.0"),
        (&[("b/go.mod", module), nearer, ("go.work", work)], "0.1.0"),
    ] {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("b")).unwrap();
        files.iter().for_each(|(path, text)| fs::write(root.path().join(path), text).unwrap());
        for apart in [true, false] {
            let (got, _) = inputs(root.path(), apart);
            let net = got[0].packages.iter().find(|package| package.name == "golang.org/x/net").unwrap();
            assert_eq!(net.version, want, "{} files, apart: {apart}", files.len());
        }
    }
}

#[test]
fn files_without_ties_are_read_apart() {
    let two = "-r common.txt\nflask==1\n";
    check(
        &[
            ("a/requirements.txt", "flask==1\n"),
            ("b/requirements.txt", "-r ../common.txt\nidna\n"),
            ("c/requirements.txt", "-r ../common.txt\n"),
            ("common.txt", "idna==3\n"),
            ("d/pom.xml", "<project><artifactId>x</artifactId></project>"),
            ("e/pom.xml", "<project><artifactId>y</artifactId></project>"),
            ("f/requirements-x.txt", two),
            ("f/common.txt", "x==1\n"),
        ],
        4, // a; b and c, which take in the same; the poms; f.
        &[
            ("a/requirements.txt", 1, 0),
            ("b/requirements.txt", 0, 1),
            ("c/requirements.txt", 0, 0),
            ("common.txt", 1, 0),
            ("d/pom.xml", 0, 0),
            ("e/pom.xml", 0, 0),
            ("f/common.txt", 1, 0),
            ("f/requirements-x.txt", 1, 0),
        ],
    );
}
