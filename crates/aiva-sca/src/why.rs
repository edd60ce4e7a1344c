//! Why a package is in a project: every place that names it, and the shortest paths that lead to it.
//!
//! Pure. Nothing is left open in silence: where a file does not tell who needs whom, the answer says so.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use rapidhash::RapidHashMap;

use crate::finding::Introduced;
use crate::graph::{Graph, Walker, without_graph};
use crate::package::{Ecosystem, Input, NotJudged, Package, Scope};
use crate::purl::{purl, pypi_name};
use crate::scan::{introduced, label};

/// One place that names the package.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The file, relative to the scan's root.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// Whose names apply.
    pub ecosystem: Ecosystem,
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Other names that the file has for it, sorted.
    pub aliases: Vec<String>,
    /// The package URL.
    pub purl: String,
    /// Whether the project itself asks for it, where the file tells.
    pub direct: Option<bool>,
    /// What it is needed for.
    pub scope: Scope,
    /// How it comes in.
    pub ways: Ways,
}

/// How a package comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum Ways {
    /// The shortest paths.
    Known(Introduced),
    /// The file has a graph, but nothing in it leads there.
    Unreached,
    /// The file does not say who needs whom; the text says why.
    Untold(&'static str),
}

/// Every place that names a package: `name`, `name@version`, or a package URL. At most `most` paths a place.
pub fn why(inputs: &[Input], asked: &str, most: usize) -> Vec<Place> {
    let asked = Asked::new(asked);
    let mut places = Vec::new();
    for input in inputs {
        let is_alias = |package: &Package| {
            let mut asks = input.asks.iter().filter(|ask| ask.is_for(package));
            asks.any(|ask| asked.is(&Package { name: ask.name.clone().into(), ..package.clone() }))
        };
        let is_asked = |package: &Package| asked.is(package) || (!input.asks.is_empty() && is_alias(package));
        let mut named = input.packages.iter().enumerate().filter(|(_, package)| is_asked(package)).peekable();
        if named.peek().is_none() {
            continue;
        }
        let (graph, mut steps) = (Graph::of(input), RapidHashMap::default());
        let mut walker = graph.as_ref().map(Graph::walker);
        for (at, package) in named {
            let ways = match (&mut walker, without_graph(&input.kind)) {
                (Some(walker), _) => known(input, walker, at, most, &mut steps).map_or(Ways::Unreached, Ways::Known),
                (None, Some(reason)) => Ways::Untold(reason),
                (None, None) => Ways::Untold("this file names no package that needs another"),
            };
            places.push(Place {
                path: input.path.clone(),
                line: package.line,
                ecosystem: package.ecosystem,
                name: package.name.to_string(),
                aliases: aliases(input, package),
                version: package.version.to_string(),
                purl: purl(package.ecosystem, &package.name, &package.version),
                direct: package.direct,
                scope: package.scope,
                ways,
            });
        }
    }
    places
}

/// How a package comes in, from the folders that ask for what begins each path.
fn known(
    input: &Input,
    walker: &mut Walker<'_, '_>,
    at: usize,
    most: usize,
    steps: &mut RapidHashMap<usize, Arc<str>>,
) -> Option<Introduced> {
    let has_folders = input.asks.iter().any(|ask| ask.folder.as_ref().is_some_and(|folder| !folder.is_empty()));
    let told = introduced(input, walker, at, most, steps)?;
    if !has_folders {
        return Some(told);
    }
    let mut folders: HashMap<String, BTreeSet<&str>> = HashMap::new();
    for ask in &input.asks {
        let Some(folder) = ask.folder.as_deref() else { continue };
        for package in input.packages.iter().filter(|package| ask.is_for(package)) {
            folders.entry(label(package)).or_default().insert(folder);
        }
    }
    let mut paths: Vec<Vec<Arc<str>>> = Vec::new();
    for path in told.paths.iter() {
        let asking = path.first().and_then(|first| folders.get(&**first));
        for folder in asking.into_iter().flatten() {
            let from = (!folder.is_empty()).then(|| Arc::from(*folder));
            paths.push(from.into_iter().chain(path.iter().cloned()).collect());
        }
        if asking.is_none() {
            paths.push(path.to_vec());
        }
    }
    let count = told.count.saturating_add(paths.len() as u64) - told.paths.len() as u64;
    paths.truncate(most);
    Some(Introduced { paths: paths.into_iter().collect(), count, ..told })
}

/// The names that a file has for a package besides its own.
fn aliases(input: &Input, package: &Package) -> Vec<String> {
    let names = input.asks.iter().filter(|ask| ask.is_for(package)).map(|ask| ask.name.as_str());
    let names: BTreeSet<&str> = names.filter(|name| *name != package.name).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Every entry that names a package without saying which version, one sentence each.
pub fn unpinned(inputs: &[Input], asked: &str) -> Vec<String> {
    let asked = Asked::new(asked);
    let all = inputs.iter().flat_map(|input| input.not_judged.iter().map(move |entry| (input, entry)));
    let named = all.filter(|(_, entry)| asked.is(&Package::new(entry.ecosystem, &*entry.name, "", entry.line)));
    let said = |(input, entry): (&Input, &NotJudged)| {
        let what = format!("{} {}", entry.name, entry.requirement);
        format!("{}:{}: {}: {}", input.path, entry.line, what.trim_end(), entry.reason)
    };
    named.map(said).collect()
}

/// What was asked for, in the spellings that people use.
struct Asked<'a> {
    text: &'a str,
    name: &'a str,
    version: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn new(text: &'a str) -> Self {
        // `@scope/name` begins with the sign that also parts name and version.
        match text.rsplit_once('@').filter(|(name, _)| !name.is_empty()) {
            Some((name, version)) => Self { text, name, version: Some(version.trim_start_matches('v')) },
            None => Self { text, name: text, version: None },
        }
    }

    fn is(&self, package: &Package) -> bool {
        if self.text.starts_with("pkg:") {
            let whole = purl(package.ecosystem, &package.name, &package.version);
            return whole == self.text
                || whole.split('@').next() == Some(self.text)
                || whole.rsplit_once('@').map(|(name, _)| name) == Some(self.text);
        }
        let version = package.version.trim_start_matches('v');
        let same = |name: &str| match package.ecosystem {
            Ecosystem::PyPi => pypi_name(name) == package.name,
            _ => name == package.name,
        };
        same(self.text) || (same(self.name) && self.version == Some(version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Kind;
    use crate::package::{Source, Status};

    const LOCK: &str = r#"{"lockfileVersion": 3, "packages": {
        "": {"dependencies": {"a": "^1", "b": "^1"}},
        "node_modules/a": {"version": "1.0.0", "dependencies": {"@s/c": "^1"}},
        "node_modules/b": {"version": "1.0.0", "dependencies": {"@s/c": "^2"}},
        "node_modules/@s/c": {"version": "1.0.0"},
        "node_modules/b/node_modules/@s/c": {"version": "2.0.0"}
    }}"#;

    fn input(kind: Kind, text: &str) -> Input {
        let reading = kind.read(text.as_bytes());
        crate::inventory::single_input("lock", kind, reading)
    }

    #[test]
    fn an_entry_without_a_version_is_named_too() {
        let inputs = [input(Kind::Requirements, "Flask>=1\nflask-login==1.0\n")];
        for (asked, want) in [
            ("flask", vec!["lock:1: flask >=1: a range, not a pinned version; a lockfile would pin it"]),
            ("flask-login", vec![]),
            ("fla", vec![]),
        ] {
            assert_eq!(unpinned(&inputs, asked), want, "{asked}");
        }
    }

    #[track_caller]
    fn check(kind: Kind, text: &str, asked: &str, want: &[(&str, &[&str])]) {
        let got: Vec<(String, Vec<String>)> = why(&[input(kind, text)], asked, 10)
            .into_iter()
            .map(|place| match place.ways {
                Ways::Known(known) => (place.version, known.paths.iter().map(|path| path.join(" > ")).collect()),
                Ways::Unreached => (place.version, vec!["unreached".to_owned()]),
                Ways::Untold(reason) => (place.version, vec![reason.to_owned()]),
            })
            .collect();
        let want: Vec<(String, Vec<String>)> = want
            .iter()
            .map(|(version, paths)| ((*version).to_owned(), paths.iter().map(|path| (*path).to_owned()).collect()))
            .collect();
        assert_eq!(got, want, "{asked}");
    }

    #[test]
    fn npm_copies_are_told_apart() {
        let one = ("1.0.0", &["a 1.0.0 > @s/c 1.0.0"][..]);
        let two = ("2.0.0", &["b 1.0.0 > @s/c 2.0.0"][..]);
        check(Kind::PackageLock, LOCK, "@s/c", &[one, two]);
        check(Kind::PackageLock, LOCK, "@s/c@2.0.0", &[two]);
        check(Kind::PackageLock, LOCK, "pkg:npm/%40s/c@1.0.0", &[one]);
        check(Kind::PackageLock, LOCK, "pkg:npm/%40s/c", &[one, two]);
        check(Kind::PackageLock, LOCK, "c", &[]);
    }

    #[test]
    fn an_importer_begins_its_paths_and_an_alias_is_a_name() {
        let lock = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      b:\n        specifier: ^1\n        version: 1.0.0\n\n  \
                    packages/x:\n    dependencies:\n      left:\n        specifier: npm:b@^1\n        version: b@1.0.0\n\n  packages/y:\n    \
                    dependencies:\n      c:\n        specifier: ^1\n        version: 1.0.0\n\npackages:\n\n  b@1.0.0:\n    resolution: {integrity: \
                    sha512-x}\n\n  c@1.0.0:\n    resolution: {integrity: sha512-x}\n\nsnapshots:\n\n  b@1.0.0:\n    dependencies:\n      c: 1.0.0\n\n  \
                    c@1.0.0: {}\n";
        let c = ["packages/y > c 1.0.0", "b 1.0.0 > c 1.0.0", "packages/x > b 1.0.0 > c 1.0.0"];
        check(Kind::PnpmLock, lock, "c", &[("1.0.0", &c)]);
        let b = ["b 1.0.0", "packages/x > b 1.0.0"];
        check(Kind::PnpmLock, lock, "left", &[("1.0.0", &b)]);
        check(Kind::PnpmLock, lock, "left@1.0.0", &[("1.0.0", &b)]);
        let npm = r#"{"lockfileVersion": 3, "packages": {"": {"dependencies": {"left": "npm:a@^1"}},
            "node_modules/left": {"name": "a", "version": "1.0.0", "dependencies": {"b": "^1"}}, "node_modules/b": {"version": "1.0.0"}}}"#;
        for asked in ["left", "a", "a@1.0.0"] {
            check(Kind::PackageLock, npm, asked, &[("1.0.0", &["a 1.0.0"])]);
            assert_eq!(why(&[input(Kind::PackageLock, npm)], asked, 10)[0].aliases, ["left"]);
        }
    }

    #[test]
    fn a_file_without_a_graph_says_so() {
        let go = "module m\nrequire golang.org/x/net v0.1.0\n";
        let reason = without_graph("go.mod").unwrap();
        check(Kind::GoMod, go, "golang.org/x/net", &[("0.1.0", &[reason])]);
        check(Kind::GoMod, go, "golang.org/x/net@v0.1.0", &[("0.1.0", &[reason])]);
        check(Kind::Requirements, "Django==4.0\n", "django", &[("4.0", &[without_graph("requirements.txt").unwrap()])]);
        // Its format has one, but of a single package there is nothing to say.
        let renv = r#"{"R": {"Version": "4.3.0"}, "Packages": {"A": {"Package": "A", "Version": "1.0", "Source": "Repository"}}}"#;
        check(Kind::RenvLock, renv, "A", &[("1.0", &["this file names no package that needs another"])]);
    }

    #[test]
    fn own_packages_are_the_roots() {
        let lock = "version = 4\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"x\"]\n\
                    [[package]]\nname = \"x\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        check(Kind::CargoLock, lock, "x", &[("1.0.0", &["app 0.1.0 > x 1.0.0"])]);
        let read = input(Kind::CargoLock, lock);
        assert_eq!((read.status, read.packages[0].source.clone()), (Status::Parsed, Source::Path(String::new())));
    }
}
