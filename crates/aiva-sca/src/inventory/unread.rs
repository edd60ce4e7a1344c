//! Files that say what a project is built from, by their names, and that no reader here reads: which they are, what to do about
//! each, and which other file makes it no loss.
//!
//! The one list of them. A file of the list is an input of its own that was not read, unless another file says the same or its
//! text asks for nothing. No text is understood here; a word of it is sought where the name alone says too little.
//!
//! Start reading at [`settle`].

use std::collections::HashSet;
use std::path::Path;

use super::find::Found;
use super::join::{above, folder, inside};
use super::kind::Kind;
use super::walk::{Options, read_within, text_within};
use crate::package::{Scope, Status};

/// A kind of file that is known and not read.
struct Row {
    /// The file's name; behind a `*` its end.
    name: &'static str,
    /// Files in its folder that say the same: they are read, or named here themselves.
    by: &'static [&'static str],
    /// Whether one of them further up holds for it too.
    is_wide: bool,
    /// It asks for something only if one of these is in its text; none: always.
    words: &'static [&'static str],
    /// What to do, for a person.
    advice: &'static str,
}

/// What is read of every language.
const BILL: &str = "a CycloneDX or SPDX bill of materials beside it would be read";

const JAVASCRIPT: &[&str] = &["bun.lock", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"];
const CONAN: &str = "`conan lock create` writes conan.lock, which is read";
const JULIA: &[&str] = &["Manifest.toml"];
const GO: &str = "`go mod init` takes it over into a go.mod, which is read";

/// All of them, by language.
const ROWS: &[Row] = &[
    // JavaScript
    row("bun.lockb", JAVASCRIPT, &[], "`bun install --save-text-lockfile` writes bun.lock, which is read"),
    row("shrinkwrap.yaml", JAVASCRIPT, &[], "a newer pnpm writes pnpm-lock.yaml, which is read"),
    row("bower.json", &[], &["ependencies\""], BILL),
    // Python. What more it takes is in `is_told_of_setup`.
    row("setup.py", &[], SETUP, "name what it asks for in a pyproject.toml, or give a lockfile: both are read"),
    row("pyproject.lock", &["poetry.lock"], &[], "a newer Poetry writes poetry.lock, which is read"),
    row("environment.yml", CONDA_LOCKS, &["dependencies:"], BILL),
    row("environment.yaml", CONDA_LOCKS, &["dependencies:"], BILL),
    row("conda-lock.yml", &[], &[], BILL),
    row("pixi.lock", &[], &[], BILL),
    row("pixi.toml", &["pixi.lock"], &["dependencies"], BILL),
    // C and C++
    row("conanfile.txt", &["conan.lock"], &["requires]"], CONAN),
    row(
        "conanfile.py",
        &["conan.lock"],
        &["requires", "build_requires", "tool_requires", "test_requires", "python_requires"],
        CONAN,
    ),
    row("vcpkg.json", &[], &["\"dependencies\""], BILL),
    // Swift and Objective-C
    row(
        "Package.swift",
        &["Package.resolved"],
        &[".package("],
        "`swift package resolve` writes Package.resolved, which is read",
    ),
    row("Podfile", &["Podfile.lock"], &["pod '", "pod \"", "pod("], "`pod install` writes Podfile.lock, which is read"),
    row("Cartfile", &["Cartfile.resolved"], &[], BILL),
    row("Cartfile.resolved", &[], &[], BILL),
    // Haskell
    wide(
        "*.cabal",
        HASKELL,
        &["build-depends", "Build-Depends"],
        "`cabal freeze` writes cabal.project.freeze, which is read",
    ),
    wide("stack.yaml", HASKELL, &[], "`stack build` writes stack.yaml.lock, which is read"),
    // Erlang and Gleam
    row("rebar.lock", &[], &["<<"], BILL),
    row("rebar.config", &["rebar.lock", "mix.lock"], &["{deps,"], BILL),
    row("manifest.toml", &[], &["build_tools"], BILL),
    row("gleam.toml", &["manifest.toml"], &["dependencies]"], BILL),
    // Java's machine
    row("build.sbt", &[], &["libraryDependencies", "addSbtPlugin"], BILL),
    row("plugins.sbt", &[], &["libraryDependencies", "addSbtPlugin"], BILL),
    row("build.sc", &[], &["ivy\"", "mvn\""], BILL),
    row("build.mill", &[], &["ivy\"", "mvn\""], BILL),
    row("project.clj", &[], &[":dependencies", ":plugins"], BILL),
    row("deps.edn", &[], &[":deps"], BILL),
    row("ivy.xml", &[], &["<dependency"], BILL),
    row("maven_install.json", &[], &[], BILL),
    // .NET
    row("paket.lock", &[], &[], BILL),
    row("paket.dependencies", &["paket.lock"], &[], BILL),
    // Go, before modules
    wide("Gopkg.lock", &["go.mod"], &[], GO),
    wide("Gopkg.toml", &["go.mod", "Gopkg.lock"], &["name"], GO),
    wide("glide.lock", &["go.mod"], &[], GO),
    wide("glide.yaml", &["go.mod", "glide.lock"], &["package:"], GO),
    wide("Godeps.json", &["go.mod"], &["ImportPath"], GO),
    // Ruby
    wide(
        "*.gemspec",
        &["Gemfile.lock", "gems.locked", "Gemfile", "gems.rb"],
        &["add_dependency", "add_runtime_dependency"],
        "`bundle lock` writes Gemfile.lock, which is read",
    ),
    // R and Julia
    row("packrat.lock", &["renv.lock"], &[], "renv writes renv.lock, which is read"),
    row(
        "DESCRIPTION",
        &["renv.lock", "packrat.lock"],
        &["\nImports:", "\nLinkingTo:"],
        "renv writes renv.lock, which is read",
    ),
    row("Manifest.toml", &[], &["julia_version", "[[deps.", "uuid ="], BILL),
    row("Project.toml", JULIA, &["[deps]"], BILL),
    // Others
    row("shard.lock", &[], &[], BILL),
    row("shard.yml", &["shard.lock"], &["dependencies:"], BILL),
    row("elm.json", &[], &["dependencies\""], BILL),
    row("dub.selections.json", &[], &[], BILL),
    row("cpanfile.snapshot", &[], &[], BILL),
    row("cpanfile", &["cpanfile.snapshot"], &["requires"], BILL),
    row("build.zig.zon", &[], &[".dependencies"], BILL),
];

const CONDA_LOCKS: &[&str] = &["conda-lock.yml", "pixi.lock"];
const HASKELL: &[&str] = &["cabal.project.freeze", "stack.yaml.lock"];

/// What setuptools calls what a project asks for. `python_requires` is none of it.
const SETUP: &[&str] = &["install_requires", "setup_requires", "requires", "extras_require", "tests_require"];

const fn row(
    name: &'static str,
    by: &'static [&'static str],
    words: &'static [&'static str],
    advice: &'static str,
) -> Row {
    Row { name, by, is_wide: false, words, advice }
}

/// One for which files further up hold, as for a package among several of one repository.
const fn wide(
    name: &'static str,
    by: &'static [&'static str],
    words: &'static [&'static str],
    advice: &'static str,
) -> Row {
    Row { name, by, is_wide: true, words, advice }
}

/// The kind of the list that a file of this name is of.
pub(crate) fn kind(name: &str) -> Option<Kind> {
    let is_it = |row: &&Row| match row.name.strip_prefix('*') {
        Some(end) => name.len() > end.len() && name.ends_with(end),
        None => row.name == name,
    };
    ROWS.iter().find(is_it).map(|row| Kind::Unread(row.name))
}

/// A file that was asked for by name, and has the name of none that is known.
pub(crate) const UNKNOWN: &str = "unknown";

/// One that holds what is installed.
pub(crate) const ARCHIVE: &str = "jar";

/// What is said of a file of this kind.
pub(crate) fn said(kind: &str) -> String {
    match kind {
        UNKNOWN => {
            return "files are known by their names, and this is the name of no lockfile, manifest or bill of materials: give it \
                    the name that its tool gives it"
                .to_owned();
        }
        ARCHIVE => {
            return "an archive of Java: `aiva scan --installed` with this file, or its folder, reads it".to_owned();
        }
        _ => {}
    }
    let advice = of(kind).map_or(BILL, |row| row.advice);
    format!("this release does not read {kind}; {advice}")
}

fn of(kind: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == kind)
}

/// Takes out of the files of a tree those that are not read and that nobody misses: another file says the same, or nothing is asked for.
pub(crate) fn settle(root: &Path, files: &mut Vec<Found>, options: &Options) {
    if !files.iter().any(|found| matches!(found.kind, Kind::Unread(_))) {
        return;
    }
    let Ok(real_root) = root.canonicalize() else { return };
    let tree = Tree { real_root: &real_root, options, paths: files.iter().map(|found| found.path.as_str()).collect() };
    let lists = |found: &&Found| {
        let reading = read_within(&real_root, &found.file, Kind::Bill, options);
        reading.is_some_and(|reading| reading.status == Status::Parsed && !reading.packages.is_empty())
    };
    let bills = files.iter().filter(|found| found.kind == Kind::Bill).filter(lists);
    let bills: HashSet<&str> = bills.map(|found| folder(&found.path)).collect();
    // A bill is what is asked for where there is no lockfile that would be read.
    let has_bill = |row: &Row, found: &Found| row.advice == BILL && bills.contains(folder(&found.path));
    let is_missed = |found: &Found| match found.kind {
        Kind::Unread(kind) => of(kind).is_none_or(|row| !has_bill(row, found) && tree.misses(row, found)),
        _ => true,
    };
    let missed: Vec<bool> = files.iter().map(is_missed).collect();
    let mut missed = missed.into_iter();
    files.retain(|_| missed.next().unwrap_or(true));
}

/// The files among which one stands.
struct Tree<'t> {
    real_root: &'t Path,
    options: &'t Options,
    paths: HashSet<&'t str>,
}

impl Tree<'_> {
    fn misses(&self, row: &Row, found: &Found) -> bool {
        let own = folder(&found.path);
        let reach = if row.is_wide { usize::MAX } else { 1 };
        let says = |at: &str, name: &str| self.has(at, name) && (row.name != "*.gemspec" || self.takes_gems(at, name));
        if above(own).take(reach).any(|at| row.by.iter().any(|name| says(at, name))) {
            return false;
        }
        if row.words.is_empty() {
            return true;
        }
        // What cannot be read may ask for anything.
        let text = text_within(self.real_root, &found.file, self.options);
        text.is_none_or(|text| {
            row.words.iter().any(|word| asks(&text, word))
                && !(row.name == "setup.py" && self.is_told_of_setup(own, &text))
        })
    }

    fn has(&self, folder: &str, name: &str) -> bool {
        self.paths.contains(inside(folder, name).as_str())
    }

    /// Whether a file beside a `setup.py` lists what the project asks for: a manifest that does, a lockfile, or requirements that
    /// were compiled from it.
    fn is_told_of_setup(&self, own: &str, text: &str) -> bool {
        const LOCKS: &[&str] = &["poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Pipfile.lock"];
        const MANIFESTS: &[(&str, Kind)] = &[("pyproject.toml", Kind::PyProject), ("setup.cfg", Kind::SetupCfg)];
        let file = |name: &str| self.real_root.join(inside(own, name));
        let lists = |(name, kind): &(&str, Kind)| {
            let reading = self.has(own, name).then(|| read_within(self.real_root, &file(name), *kind, self.options));
            // What is for development, or an extra, may be all that it lists.
            let is_asked = |scope| scope == Scope::Runtime;
            reading.flatten().is_some_and(|reading| {
                reading.packages.iter().any(|package| is_asked(package.scope))
                    || reading.not_judged.iter().any(|entry| is_asked(entry.scope))
            })
        };
        let compiled = "requirements.txt";
        let is_compiled =
            || text_within(self.real_root, &file(compiled), self.options).is_some_and(|text| text.contains("setup.py"));
        LOCKS.iter().any(|name| self.has(own, name))
            || MANIFESTS.iter().any(lists)
            || self.has(own, compiled) && (text.contains(compiled) || is_compiled())
    }

    /// Whether a Gemfile, or its lockfile, takes in what a gemspec asks for.
    fn takes_gems(&self, folder: &str, name: &str) -> bool {
        let text = text_within(self.real_root, &self.real_root.join(inside(folder, name)), self.options);
        text.is_some_and(|text| text.contains("gemspec") || text.contains("PATH\n"))
    }
}

/// Whether a word stands in a text, not as the end of a longer one, and before something else than an empty list.
fn asks(text: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let stands =
        |at: usize| !word.starts_with(is_letter) || !text.get(..at).is_some_and(|before| before.ends_with(is_letter));
    let is_empty = |behind: &str| {
        let list = behind.trim_start_matches(|c: char| c.is_whitespace() || "\"'=:.".contains(c));
        let ends = [('[', ']'), ('{', '}'), ('(', ')')];
        ends.iter()
            .filter_map(|(open, close)| list.strip_prefix(*open)?.trim_start().strip_prefix(*close))
            .any(|after| !after.trim_start().starts_with('+'))
    };
    text.match_indices(word).any(|(at, _)| stands(at) && !text.get(at + word.len()..).is_some_and(is_empty))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A tree of files, and those of them that are named as not read.
    #[track_caller]
    fn check(files: &[(&str, &str)], want: &[&str]) {
        let root = tempfile::tempdir().unwrap();
        let mut found = Vec::new();
        for (path, text) in files {
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            let name = path.rsplit('/').next().unwrap();
            if let Some(kind) = Kind::of(folder(path), name) {
                found.push(Found { path: (*path).to_owned(), file, kind });
            }
        }
        settle(root.path(), &mut found, &Options::default());
        let unread = found.iter().filter(|one| matches!(one.kind, Kind::Unread(_)));
        assert_eq!(unread.map(|one| one.path.as_str()).collect::<Vec<_>>(), want, "{files:?}");
    }

    const LISTS: &str = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
        {"type": "library", "name": "a", "version": "1.0.0", "purl": "pkg:npm/a@1.0.0"}]}"#;

    #[test]
    fn each_kind_is_named_alone_and_not_beside_what_says_the_same() {
        for row in ROWS {
            let name = row.name.replace('*', "app");
            let text = format!("x {}", row.words.first().unwrap_or(&""));
            check(&[(&name, &text)], &[&name]);
            let settled: &[&str] = if row.advice == BILL { &[] } else { &[&name] };
            check(&[(&name, &text), ("bom.json", LISTS)], settled);
            check(&[(&name, &text), ("bom.json", "{}")], &[&name]);
            for by in row.by {
                // Which may be one of the list itself.
                let named = of(by).is_some_and(|by| by.words.is_empty());
                let want: &[&str] = if named { &[by] } else { &[] };
                check(&[(&name, &text), (by, "x gemspec")], want);
            }
            if !row.words.is_empty() {
                check(&[(&name, "nothing")], &[]);
            }
        }
    }

    #[test]
    fn what_asks_for_nothing_is_not_missed() {
        const ASKS: &str = "setup(install_requires=['a==1'])";
        check(&[("setup.py", "setup(name='a', python_requires='>=3')")], &[]);
        check(&[("setup.py", "setup(setup_requires=['a'])")], &["setup.py"]);
        check(&[("setup.py", "setup(install_requires=[], extras_require = {\n})")], &[]);
        check(&[("setup.py", "setup(install_requires=[], extras_require={'x': ['a']})")], &["setup.py"]);
        check(&[("setup.py", "install_requires = []\ninstall_requires += ['a']\n")], &["setup.py"]);
        check(&[("setup.py", "options={'install_requires': []}")], &[]);
        check(&[("setup.py", "setup(install_requires=[] + more())")], &["setup.py"]);
        check(&[("vcpkg.json", r#"{"name": "a", "dependencies": [ ]}"#)], &[]);
        check(&[("vcpkg.json", r#"{"name": "a", "dependencies": ["fmt"]}"#)], &["vcpkg.json"]);
        check(&[("build.zig.zon", ".{ .name = .a, .dependencies = .{} }")], &[]);
        check(&[("pixi.toml", "[dependencies]\npython = \"*\"\n")], &["pixi.toml"]);
        check(&[("setup.py", ASKS), ("requirements.txt", "a==1\n")], &["setup.py"]);
        check(&[("setup.py", ASKS), ("requirements.txt", "a==1 # via pkg (setup.py)\n")], &[]);
        let reads = "setup(install_requires=open('requirements.txt').read())";
        check(&[("setup.py", reads), ("requirements.txt", "a==1\n")], &[]);
        let dev = "[project]\nname = \"a\"\n[dependency-groups]\ndev = [\"b==1\"]\n";
        check(&[("setup.py", ASKS), ("pyproject.toml", dev)], &["setup.py"]);
        check(&[("setup.py", ASKS), ("setup.cfg", "[options.extras_require]\nx =\n    b==1\n")], &["setup.py"]);
        let gem = ("gems/a/a.gemspec", "add_dependency 'b'");
        check(&[gem, ("Gemfile", "gem 'c'\n")], &["gems/a/a.gemspec"]);
        check(&[gem, ("Gemfile", "gem 'c'\n"), ("Gemfile.lock", "PATH\n  remote: gems/a\n")], &[]);
        check(&[("setup.py", ASKS), ("poetry.lock", "")], &[]);
        check(
            &[("setup.py", ASKS), ("pyproject.toml", "[build-system]\nrequires = [\"setuptools\"]\n")],
            &["setup.py"],
        );
        check(&[("setup.py", ASKS), ("pyproject.toml", "[project]\nname = \"a\"\ndependencies = [\"a==1\"]\n")], &[]);
        check(&[("setup.py", ASKS), ("setup.cfg", "[options]\ninstall_requires =\n    a==1\n")], &[]);
        check(&[("Package.swift", "let package = Package(name: \"a\")")], &[]);
        check(&[("a/b.cabal", "build-depends: base"), ("cabal.project.freeze", "")], &[]);
        check(&[("ios/Podfile", "pod 'A'"), ("Podfile.lock", "")], &["ios/Podfile"]);
        check(&[(".cabal", "build-depends: base")], &[]);
    }
}
