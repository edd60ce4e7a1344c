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
    /// What it says of packages, without what holds on some machines only: name, version or range, whether it is a pin, line.
    entries: Vec<(String, String, bool, u32)>,
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
        let name = spelled(Ecosystem::PyPi, group.name);
        let constraining = self.constraining(group.path);
        let mut all = constraining.into_iter().filter(|path| *path != group.path).flat_map(|path| {
            let entries = self.files.get(path).map(|file| file.entries.as_slice()).unwrap_or_default();
            entries.iter().filter(|entry| entry.0 == *name).map(move |entry| (path, entry))
        });
        let shuts_out = |(path, (_, said, is_pin, line)): &(&str, &(String, String, bool, u32))| match is_pin {
            true => !is_same(said, to) && !moves(inputs, path, *line, group, said),
            false => !holds(Ecosystem::PyPi, said, to),
        };
        let (path, (_, said, is_pin, line)) = all.find(shuts_out)?;
        let sign = if *is_pin { "==" } else { "" };
        Some(format!("{path}:{line} (-c) holds {} at {sign}{said}, which {to} is not; move that by hand", group.name))
    }

    /// The lines of a file, and of those that it takes in with `-r`, that shut a version of a package out; by file.
    pub(super) fn shutting(&self, path: &str, name: &str, to: &str) -> BTreeMap<&str, BTreeSet<u32>> {
        let (mut seen, mut lines) = (BTreeSet::new(), BTreeMap::<&str, BTreeSet<u32>>::new());
        let mut open: Vec<&str> = self.files.get_key_value(path).map(|(path, _)| path.as_str()).into_iter().collect();
        while let Some(path) = open.pop() {
            let Some(file) = self.files.get(path).filter(|_| seen.insert(path)) else { continue };
            open.extend(file.includes.iter().filter(|(_, only)| !only).map(|(path, _)| path.as_str()));
            for (_, said, is_pin, line) in file.entries.iter().filter(|entry| entry.0 == name) {
                if if *is_pin { !is_same(said, to) } else { !holds(Ecosystem::PyPi, said, to) } {
                    lines.entry(path).or_default().insert(*line);
                }
            }
        }
        lines
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
        let pins = reading.packages.iter().map(|one| (one.name.to_string(), one.version.to_string(), true, one.line));
        let open = reading.not_judged.iter().filter(|one| one.is_range);
        let open = open.map(|one| (one.name.to_string(), one.requirement.to_string(), false, one.line));
        let includes = &reading.links.includes;
        let includes = includes.iter().filter_map(|one| Some((place(folder(path), &one.path)?, one.constraint)));
        Self {
            includes: includes.collect(),
            above: Vec::new(),
            entries: pins.chain(open).filter(|entry| is_for_all(entry.3)).collect(),
        }
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
