//! What `-c` of requirements files lets nobody go beyond: pip finds no solution where a requirement asks for more.
//!
//! pip holds every constraint of a run against everything, wherever its `-c` stands. Which file it is started with nobody knows, so files
//! that take each other in are one run. A constraint behind a marker holds on some machines only, and shuts nothing out here.

use std::collections::{BTreeMap, BTreeSet};

use super::edit::holds;
use super::{Group, folder, kind_of};
use crate::inventory::{Kind, place};
use crate::name::spelled;
use crate::package::{Ecosystem, Input};
use crate::version::Version;

/// The requirements files of a tree that take each other in.
#[derive(Debug, Default)]
pub(super) struct Constraints {
    files: BTreeMap<String, File>,
}

#[derive(Debug, Default)]
struct File {
    /// The files that it takes in, and whether they only constrain.
    includes: Vec<(String, bool)>,
    /// Who takes it in.
    above: Vec<String>,
    /// What it says of packages.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    /// A version, a range, or what is neither.
    said: String,
    form: Form,
    line: u32,
    /// Whether it holds on all machines.
    is_for_all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Pin,
    Range,
    /// An address, or what is no range of versions.
    Other,
}

impl Entry {
    fn shuts_out(&self, to: &str) -> bool {
        match self.form {
            Form::Pin => !is_same(&self.said, to),
            Form::Range => !holds(Ecosystem::PyPi, &self.said, to),
            Form::Other => true,
        }
    }
}

/// What a file that another one is made from says of a package.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The lines that shut the version out, by file: those of what it takes in with `-r` too.
    pub(super) lines: BTreeMap<String, BTreeSet<u32>>,
    /// The constraint that does.
    pub(super) held: Option<String>,
    /// Whether it asks for the package at all.
    pub(super) asks: bool,
}

impl Constraints {
    /// Those of these inputs, whose texts `read` gives.
    pub(super) fn of(inputs: &[Input], read: &dyn Fn(&str) -> Option<String>) -> Self {
        let lists = inputs.iter().filter(|input| kind_of(input) == Some(Kind::Requirements));
        let mut open: Vec<String> = lists.map(|input| input.path.clone()).collect();
        let mut files: BTreeMap<String, File> = BTreeMap::new();
        while let Some(path) = open.pop() {
            if files.contains_key(&path) {
                continue;
            }
            let file = read(&path).map(|text| File::of(&path, &text)).unwrap_or_default();
            open.extend(file.includes.iter().map(|(to, _)| to.clone()));
            files.insert(path, file);
        }
        let links: Vec<(String, String)> = files
            .iter()
            .flat_map(|(path, file)| file.includes.iter().map(move |(to, _)| (to.clone(), path.clone())))
            .collect();
        for (to, from) in links {
            files.entry(to).or_default().above.push(from);
        }
        Self { files }
    }

    /// The constraint of another file that shuts out the version to move to and does not move itself.
    pub(super) fn shut_out(&self, group: &Group<'_>, inputs: &[Input], to: &str) -> Option<String> {
        let constraining = self.constraining(group.path);
        constraining
            .into_iter()
            .filter(|path| *path != group.path)
            .find_map(|path| self.held_by(path, group, inputs, to))
    }

    /// The constraint of a file that shuts the version to move to out and does not move itself.
    pub(super) fn held_by(&self, path: &str, group: &Group<'_>, inputs: &[Input], to: &str) -> Option<String> {
        let name = spelled(Ecosystem::PyPi, group.name);
        let mut all = self.files.get(path)?.entries.iter().filter(|entry| entry.name == *name && entry.is_for_all);
        let shuts_out = |entry: &&Entry| match entry.form {
            Form::Pin => entry.shuts_out(to) && !moves(inputs, path, entry.line, group, &entry.said),
            Form::Range => entry.shuts_out(to),
            Form::Other => false,
        };
        let Entry { said, form, line, .. } = all.find(shuts_out)?;
        let sign = if *form == Form::Pin { "==" } else { "" };
        Some(format!("{path}:{line} (-c) holds {} at {sign}{said}, which {to} is not; move that by hand", group.name))
    }

    /// Whether it was read.
    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// What a file, which another one is made from, says of a package that moves.
    pub(super) fn said(&self, path: &str, group: &Group<'_>, inputs: &[Input], to: &str) -> Said {
        let name = spelled(Ecosystem::PyPi, group.name);
        let (mut seen, mut said) = (BTreeSet::new(), Said::default());
        let mut open = vec![(path, false)];
        while let Some((path, only)) = open.pop() {
            let Some(file) = self.files.get(path).filter(|_| path != group.path && seen.insert((path, only))) else {
                continue;
            };
            open.extend(file.includes.iter().map(|(path, below)| (path.as_str(), only || *below)));
            if only {
                said.held = said.held.or_else(|| self.held_by(path, group, inputs, to));
                continue;
            }
            for entry in file.entries.iter().filter(|entry| entry.name == *name) {
                said.asks = true;
                if entry.shuts_out(to) {
                    said.lines.entry(path.to_owned()).or_default().insert(entry.line);
                }
            }
        }
        said
    }

    /// The files that constrain the runs in which a file may be.
    fn constraining(&self, path: &str) -> BTreeSet<&str> {
        let mut run = BTreeSet::new();
        let mut open: Vec<&str> = self.files.get_key_value(path).map(|(path, _)| path.as_str()).into_iter().collect();
        while let Some(path) = open.pop() {
            if run.insert(path) {
                let file = self.files.get(path);
                open.extend(
                    file.into_iter()
                        .flat_map(|file| file.above.iter().chain(file.includes.iter().map(|one| &one.0)))
                        .map(String::as_str),
                );
            }
        }
        let of_run = run.iter().filter_map(|path| self.files.get(*path)).flat_map(|file| &file.includes);
        let mut open: Vec<&str> = of_run.filter(|(_, only)| *only).map(|(path, _)| path.as_str()).collect();
        let mut constraining = BTreeSet::new();
        while let Some(path) = open.pop() {
            if constraining.insert(path) {
                let includes = self.files.get(path).map(|file| file.includes.as_slice()).unwrap_or_default();
                open.extend(includes.iter().map(|(path, _)| path.as_str()));
            }
        }
        constraining
    }
}

impl File {
    fn of(path: &str, text: &str) -> Self {
        let reading = Kind::Requirements.read(text.as_bytes());
        let lines: Vec<&str> = text.lines().collect();
        let is_for_all = |line: u32| {
            let text = (line as usize).checked_sub(1).and_then(|at| lines.get(at)).copied().unwrap_or_default();
            !text.contains(';')
        };
        let entry = |name: &str, said: &str, form, line| Entry {
            name: name.to_owned(),
            said: said.to_owned(),
            form,
            line,
            is_for_all: is_for_all(line),
        };
        let pins = reading.packages.iter().map(|one| entry(&one.name, &one.version, Form::Pin, one.line));
        let open = reading.not_judged.iter().map(|one| {
            let form = if one.is_range { Form::Range } else { Form::Other };
            entry(&one.name, &one.requirement, form, one.line)
        });
        let includes = &reading.links.includes;
        let includes = includes.iter().filter_map(|one| Some((place(folder(path), &one.path)?, one.constraint)));
        Self { includes: includes.collect(), above: Vec::new(), entries: pins.chain(open).collect() }
    }
}

fn is_same(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|text| Version::parse(Ecosystem::PyPi, text));
    one.is_some() && one == other
}

/// Whether a pin is judged where it stands, and goes the same way.
fn moves(inputs: &[Input], path: &str, line: u32, group: &Group<'_>, said: &str) -> bool {
    let is_judged = |input: &Input| input.path == path && input.packages.iter().any(|one| one.line == line);
    group.moves.iter().any(|step| is_same(&step.from, said)) && inputs.iter().any(is_judged)
}
