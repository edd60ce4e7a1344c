//! `requirements.txt` as pip reads it, and requirement lines (PEP 508) wherever they stand.
//!
//! `==` pins are packages; ranges, bare names and addresses are not judged. `-r` and `-c` are noted for the tree walk to
//! follow. The comments of pip-compile and uv (`# via`) tell what is direct; without them the file cannot tell.

use super::address::without_secret;
use super::graph::index;
use super::python::{self, exact, normalise};
use super::reading::{Include, Reading, quote};
use crate::package::{Ecosystem, NotJudged, Package, Scope, Source};

/// Reads a requirements file.
pub(crate) fn read(text: &str) -> Reading {
    let mut file = File::default();
    let mut lines = text.lines().enumerate().peekable();
    let mut joined = String::new();
    while let Some((number, line)) = lines.next() {
        let number = index(number + 1);
        joined.clear();
        let mut part = line;
        while let Some(open) = part.strip_suffix('\\').filter(|open| !is_comment(open)) {
            joined.push_str(open);
            joined.push(' ');
            let Some((_, next)) = lines.next() else { break };
            part = next;
            if lines.peek().is_none() && part.ends_with('\\') {
                part = part.trim_end_matches('\\');
            }
        }
        if joined.is_empty() {
            file.line(line, number);
        } else {
            joined.push_str(part.trim_end_matches('\\'));
            file.line(&joined, number);
        }
    }
    file.close()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

#[derive(Default)]
struct File {
    reading: Reading,
    index: Option<String>,
    has_more_indexes: bool,
    /// The package that a `# via` comment on its own lines is about.
    last: Option<usize>,
    in_via: bool,
}

impl File {
    fn line(&mut self, line: &str, number: u32) {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            return self.comment(comment);
        }
        let (code, comment) = match line.find(" #").or_else(|| line.find("\t#")) {
            Some(at) => (line.get(..at).unwrap_or(line), line.get(at + 2..)),
            None => (line, None),
        };
        let code = code.trim();
        if code.is_empty() {
            return;
        }
        (self.last, self.in_via) = (None, false);
        if code.starts_with('-') {
            self.option(code, number);
        } else {
            self.entry(code, number);
        }
        if let Some(comment) = comment {
            self.comment(comment);
        }
    }

    /// `# via flask`, `# via -r requirements.in`, or `# via` with one a line below.
    fn comment(&mut self, comment: &str) {
        let Some(package) = self.last.and_then(|at| self.reading.packages.get_mut(at)) else { return };
        let comment = comment.trim();
        let reasons = match comment.strip_prefix("via") {
            Some(reasons) if reasons.is_empty() || reasons.starts_with([' ', '\t']) => {
                self.in_via = true;
                reasons.trim()
            }
            _ if self.in_via => comment,
            _ => return,
        };
        for reason in reasons.split(',').map(str::trim).filter(|reason| !reason.is_empty()) {
            let is_file =
                reason.starts_with("-r") || reason.ends_with(".in") || reason.contains(".toml") || reason.contains("(");
            let direct = is_file && !reason.starts_with("-c");
            package.direct = Some(direct || package.direct == Some(true));
        }
    }

    fn option(&mut self, code: &str, line: u32) {
        let end = code.find(['=', ' ', '\t']).unwrap_or(code.len());
        let (mut name, mut value) = code.split_at_checked(end).unwrap_or((code, ""));
        // `-rbase.txt` is as good as `-r base.txt`.
        if !name.starts_with("--") && name.len() > 2 {
            (name, value) = code.split_at_checked(2).unwrap_or((code, ""));
        }
        let value = value.trim_start_matches('=').trim();
        match name {
            "-r" | "--requirement" | "-c" | "--constraint" if !value.is_empty() => {
                let constraint = matches!(name, "-c" | "--constraint");
                self.reading.links.includes.push(Include { path: value.to_owned(), constraint, line });
            }
            "-e" | "--editable" => self.address(value, line),
            "-i" | "--index-url" | "--pypi-url" => self.index = Some(value.to_owned()),
            "--extra-index-url" => self.has_more_indexes = true,
            "-f" | "--find-links" | "--no-index" | "--pre" | "--prefer-binary" | "--require-hashes"
            | "--trusted-host" | "--no-binary" | "--only-binary" | "--use-feature" | "--no-deps" => {}
            _ => self.reading.problem(line, format!("an option that pip does not take here: {}", quote(code))),
        }
    }

    fn entry(&mut self, code: &str, line: u32) {
        let code = code.split(" --").next().unwrap_or(code).trim();
        if is_place(code) {
            return self.address(code, line);
        }
        let Some(requirement) = Requirement::parse(code) else {
            return self.reading.problem(line, format!("not a requirement: {}", quote(code)));
        };
        if requirement.pin().is_some() {
            self.last = Some(self.reading.packages.len());
        }
        requirement.note(&mut self.reading, Scope::Runtime, None, line);
    }

    /// A folder or an archive, from here or from elsewhere. The project's own folders need no judging.
    fn address(&mut self, code: &str, line: u32) {
        let code = code.split(';').next().unwrap_or(code).trim();
        let is_remote = code.contains("://") || code.starts_with("git@");
        if code.is_empty() {
            return self.reading.problem(line, "an option without its value");
        }
        if is_remote || code.ends_with(".whl") || code.ends_with(".gz") || code.ends_with(".zip") {
            let egg = code.split_once("#egg=").or_else(|| code.split_once("&egg=")).map(|(_, name)| name);
            let name = egg.map_or_else(|| file_name(code), |egg| egg.split(['&', '[']).next().unwrap_or(egg));
            self.reading.not_judged.push(python::unversioned(name, code, line));
        }
    }

    fn close(mut self) -> Reading {
        // Packages of an index beside others may come from any of them.
        if let Some(address) = self.index.filter(|_| !self.has_more_indexes) {
            let source = python::index(&address);
            for package in self.reading.packages.iter_mut().filter(|package| package.source == Source::Registry) {
                package.source = source.clone();
            }
            if source != Source::Registry {
                for entry in self.reading.not_judged.iter_mut().filter(|entry| entry.is_range) {
                    entry.is_range = false;
                    entry.reason = "it comes from another index, where a public name may be another package".to_owned();
                }
            }
        }
        self.reading.close()
    }
}

fn file_name(address: &str) -> &str {
    let path = address.split(['#', '?']).next().unwrap_or(address).trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('@').next().unwrap_or(name).trim_end_matches(".git")
}

fn is_place(code: &str) -> bool {
    let first = code.split([' ', '@', '[', ';']).next().unwrap_or(code);
    first.contains("://")
        || first.contains('/')
        || first.contains('\\')
        || code.starts_with(['.', '~'])
        || { [".whl", ".tar.gz", ".zip"].iter().any(|end| first.ends_with(end)) }
        || (first.starts_with("git+") || first.starts_with("file:"))
}

/// One requirement line: a name, extras, and either specifiers or an address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Requirement<'a> {
    /// The name as written.
    pub(crate) name: &'a str,
    /// `>=1,<2`, without markers; empty for none.
    pub(crate) specifiers: &'a str,
    /// What follows `@`.
    pub(crate) address: Option<&'a str>,
}

impl<'a> Requirement<'a> {
    /// Reads a requirement; `None` if it is none.
    pub(crate) fn parse(code: &'a str) -> Option<Self> {
        let name_end = code.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'));
        let (name, rest) = code.split_at_checked(name_end.unwrap_or(code.len()))?;
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
            || !name.ends_with(|c: char| c.is_ascii_alphanumeric())
        {
            return None;
        }
        let mut rest = rest.trim_start();
        if let Some(extras) = rest.strip_prefix('[') {
            rest = extras.split_once(']')?.1.trim_start();
        }
        if let Some(address) = rest.strip_prefix('@') {
            let address = address.trim();
            let address = address.split_once(" ;").map_or(address, |(address, _)| address).trim();
            return (!address.is_empty()).then_some(Self { name, specifiers: "", address: Some(address) });
        }
        let specifiers = rest.split(';').next().unwrap_or(rest).trim();
        let inner = specifiers.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
        let specifiers = inner.unwrap_or(specifiers).trim();
        let known = |one: &str| {
            let one = one.trim();
            ["==", ">=", "<=", "!=", "~=", ">", "<"].iter().any(|op| one.starts_with(op) && one.len() > op.len())
        };
        let good = specifiers.is_empty() || specifiers.trim_end_matches(',').split(',').all(known);
        good.then_some(Self { name, specifiers, address: None })
    }

    /// The exact version, if one of the specifiers is `==` or `===` without a wildcard.
    pub(crate) fn pin(&self) -> Option<&'a str> {
        let exactly = |one: &'a str| one.trim().strip_prefix("==").map(|rest| rest.trim_start_matches('=').trim());
        self.specifiers.split(',').filter_map(exactly).find(|version| exact(version))
    }

    /// Adds the requirement to a reading.
    pub(crate) fn note(&self, reading: &mut Reading, scope: Scope, direct: Option<bool>, line: u32) {
        let name = normalise(self.name);
        if let Some(address) = self.address {
            let requirement = format!("@ {}", without_secret(address));
            let reason = "from an address, not from an index: it has no version".to_owned();
            let ecosystem = Ecosystem::PyPi;
            reading.not_judged.push(NotJudged { ecosystem, name, requirement, line, reason, is_range: false, scope });
        } else if let Some(version) = self.pin() {
            reading.packages.push(Package {
                ecosystem: Ecosystem::PyPi,
                name,
                version: version.to_owned(),
                line,
                direct,
                scope,
                source: Source::Registry,
                licenses: Vec::new(),
                origin: None,
            });
        } else {
            reading.range(Ecosystem::PyPi, name, self.specifiers.to_owned(), scope, line);
        }
    }
}
