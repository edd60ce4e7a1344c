//! `go.mod`: the modules a Go module is built from. It is manifest and lockfile in one: the go command builds with these
//! versions or, where another module asks for more, with a later one that it then writes down here.
//!
//! `replace` is followed, `exclude` and `retract` change nothing, and the `go` or `toolchain` line names the standard
//! library's version. The `toolchain` line names the go command that builds, which has advisories of its own.

use std::collections::HashMap;

use super::door;
use super::graph::index;
use super::reading::{Reading, quote};
use crate::package::{Ecosystem, Licenses, Package, Scope, Source};

/// Reads a `go.mod`.
pub(crate) fn read(text: &str) -> Reading {
    read_as(text, File::default())
}

/// Reads a `go.work`: it names the folders of the modules that are built together, and the standard library's version.
pub(crate) fn read_work(text: &str) -> Reading {
    read_as(text, File { is_work: true, ..File::default() })
}

fn read_as(text: &str, mut file: File) -> Reading {
    for (number, line) in text.lines().enumerate() {
        file.line(line, index(number + 1));
    }
    // `go mod` and `go work` write a line break at the end. Behind a bracket nothing is lost but what a cut after the line would lose.
    if door::is_cut(text) && text.lines().last().is_none_or(|line| line.trim() != ")") {
        file.reading.problem(door::last_line(text), door::CUT);
    }
    file.close()
}

#[derive(Default)]
struct File {
    /// Whether it is a `go.work`.
    is_work: bool,
    reading: Reading,
    block: Option<(String, u32)>,
    has_module: bool,
    module: Module,
    go: Option<(String, u32)>,
    toolchain: Option<(String, u32)>,
}

/// What a `go.mod` or a `go.work` says, before any replacement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Module {
    /// The module's own path.
    pub(crate) path: Option<String>,
    /// The folders that a `go.work` uses.
    pub(crate) uses: Vec<String>,
    pub(crate) requires: Vec<Package>,
    pub(crate) replaces: Vec<Replace>,
}

/// `old [version] => new [version]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replace {
    old: String,
    old_version: Option<String>,
    new: String,
    new_version: Option<String>,
}

impl File {
    fn line(&mut self, line: &str, number: u32) {
        let (code, comment) = split_comment(line);
        let Some(mut words) = words(code) else {
            return self.reading.problem(number, "a string without its closing quote");
        };
        if let Some((verb, _)) = &self.block {
            match words.first().map(String::as_str) {
                Some(")") => self.block = None,
                Some(_) => self.directive(&verb.clone(), &words, comment, number),
                None => {}
            }
            return;
        }
        if words.is_empty() {
            return;
        }
        let mut verb = words.remove(0);
        if let Some(bare) = verb.strip_suffix('(') {
            verb = bare.to_owned();
            self.block = Some((verb, number));
        } else if words.first().is_some_and(|word| word == "(") {
            let closed = words.get(1).is_some_and(|word| word == ")");
            self.block = (!closed).then_some((verb, number));
        } else {
            self.directive(&verb, &words, comment, number);
        }
    }

    fn directive(&mut self, verb: &str, words: &[String], comment: &str, line: u32) {
        let word = |at: usize| words.get(at).map(String::as_str);
        match verb {
            "use" if self.is_work => match word(0) {
                Some(folder) if words.len() == 1 => self.module.uses.push(folder.to_owned()),
                _ => self.reading.problem(line, format!("not a folder: {}", quote(&words.join(" ")))),
            },
            "require" if self.is_work => self.reading.problem(line, "a go.work requires nothing itself"),
            "require" => match (word(0), word(1).and_then(version)) {
                (Some(path), Some(version)) if words.len() == 2 => self.require(path, version, comment, line),
                _ => self.reading.problem(line, format!("not a requirement: {}", quote(&words.join(" ")))),
            },
            "replace" => match replace(words) {
                Some(replace) => self.module.replaces.push(replace),
                None => self.reading.problem(line, format!("not a replacement: {}", quote(&words.join(" ")))),
            },
            "module" => {
                self.has_module = true;
                self.module.path = word(0).map(str::to_owned);
            }
            "go" => self.go = word(0).map(|version| (version.to_owned(), line)),
            "toolchain" => {
                let version = word(0).and_then(|name| name.strip_prefix("go"));
                self.toolchain = version.map(|version| (version.to_owned(), line));
            }
            "exclude" | "retract" | "godebug" | "tool" | "ignore" => {}
            _ => self.reading.problem(line, format!("not a line of a go.mod: {}", quote(verb))),
        }
    }

    fn require(&mut self, path: &str, version: &str, comment: &str, line: u32) {
        let indirect = comment == "indirect" || comment.starts_with("indirect;");
        self.reading.packages.push(package(path, version, Some(!indirect), line));
    }

    fn close(mut self) -> Reading {
        if let Some((verb, line)) = &self.block {
            let message = format!("the block of {} is not closed: the file may have been cut off", quote(verb));
            self.reading.problem(*line, message);
        }
        if self.is_work {
            if self.module.uses.is_empty() && self.go.is_none() {
                self.reading.problem(1, "no go and no use line: not a go.work, or it was damaged");
            }
        } else if !self.has_module {
            self.reading.problem(1, "no module line: not a go.mod, or it was damaged");
        }
        if !self.is_work && !self.reading.packages.is_empty() && !self.names_all() {
            self.reading.links.partial_graph = Some(self.go.as_ref().map_or(1, |(_, line)| *line));
        }
        self.standard_library();
        let mut reading = self.reading.close();
        self.module.requires = reading.packages.iter().filter(|package| !is_go(package)).cloned().collect();
        apply(&self.module.replaces, &mut reading);
        reading.links.module = Some(Box::new(self.module));
        reading
    }

    /// Whether it has all modules of the build: the go command writes them from Go 1.17 on, and takes a missing line for 1.16.
    fn names_all(&self) -> bool {
        let Some((version, _)) = &self.go else { return false };
        let mut numbers = version.split(['.', '-', 'r', 'b']).map(|part| part.parse::<u32>().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (1, 17)
    }

    /// The toolchain that builds the module, else the language version, is the standard library's.
    fn standard_library(&mut self) {
        let is_named = self.toolchain.is_some();
        let Some((version, line)) = self.toolchain.take().or(self.go.take()) else { return };
        let plain = version.split('-').next().unwrap_or(&version);
        if plain.starts_with(|c: char| c.is_ascii_digit()) {
            self.reading.packages.push(package("stdlib", plain, Some(true), line));
            // The go line is only the least that builds it; the toolchain line names the go command itself.
            if is_named {
                let toolchain = package("toolchain", plain, Some(true), line);
                self.reading.packages.push(Package { scope: Scope::Build, ..toolchain });
            }
        } else {
            self.reading.problem(line, format!("not a Go version: {}", quote(&version)));
        }
    }
}

fn package(path: &str, version: &str, direct: Option<bool>, line: u32) -> Package {
    Package {
        ecosystem: Ecosystem::Go,
        name: path.into(),
        version: version.into(),
        line,
        direct,
        scope: Scope::Runtime,
        source: Source::Registry,
        licenses: Licenses::default(),
        origin: None,
    }
}

/// What stands before `//`, and the comment itself.
fn split_comment(line: &str) -> (&str, &str) {
    match line.find("//") {
        Some(at) if at == 0 || line.as_bytes().get(at - 1).is_some_and(u8::is_ascii_whitespace) => {
            (line.get(..at).unwrap_or_default(), line.get(at + 2..).unwrap_or_default().trim())
        }
        _ => (line, ""),
    }
}

/// Words, quoted ones without their quotes; `None` if a quote is not closed.
fn words(code: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = code.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix(['"', '`']) {
            Some(body) => body.split_once(['"', '`'])?,
            None => rest.split_at_checked(rest.find(char::is_whitespace).unwrap_or(rest.len()))?,
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}

fn version(word: &str) -> Option<&str> {
    word.strip_prefix('v').filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

fn replace(words: &[String]) -> Option<Replace> {
    let arrow = words.iter().position(|word| word == "=>")?;
    let (old, new) = (words.get(..arrow)?, words.get(arrow + 1..)?);
    if old.len() > 2 || new.len() > 2 || new.first()?.is_empty() {
        return None;
    }
    Some(Replace {
        old: old.first()?.clone(),
        old_version: old.get(1).and_then(|word| version(word)).map(str::to_owned),
        new: new.first()?.clone(),
        new_version: new.get(1).and_then(|word| version(word)).map(str::to_owned),
    })
}

/// The standard library and the go command, which nothing replaces.
pub(crate) fn is_go(package: &Package) -> bool {
    matches!(package.name.as_str(), "stdlib" | "toolchain")
}

/// Replaces what is to be replaced.
fn apply(replaces: &[Replace], reading: &mut Reading) {
    let replaces = Replacements::of(replaces);
    for package in reading.packages.iter_mut().filter(|package| !is_go(package)) {
        replaces.put(package);
    }
}

/// Replacements by what they replace; of several for the same the last counts.
pub(crate) struct Replacements<'r>(HashMap<(&'r str, Option<&'r str>), &'r Replace>);

impl<'r> Replacements<'r> {
    pub(crate) fn of(replaces: &'r [Replace]) -> Self {
        let key = |replace: &'r Replace| (replace.old.as_str(), replace.old_version.as_deref());
        Self(replaces.iter().map(|replace| (key(replace), replace)).collect())
    }

    /// Replaces a module, if one of these does; says whether one did. That for this very version comes before the one for all.
    pub(crate) fn put(&self, package: &mut Package) -> bool {
        let exact = self.0.get(&(package.name.as_str(), Some(package.version.as_str())));
        let found = exact.or_else(|| self.0.get(&(package.name.as_str(), None))).copied();
        found.inspect(|replace| replace.put(package)).is_some()
    }
}

impl Replace {
    /// The module that is replaced.
    pub(crate) fn old(&self) -> &str {
        &self.old
    }

    fn put(&self, package: &mut Package) {
        match &self.new_version {
            Some(version) => (package.name, package.version) = (self.new.as_str().into(), version.as_str().into()),
            None => package.source = Source::Path(self.new.clone()),
        }
    }
}
