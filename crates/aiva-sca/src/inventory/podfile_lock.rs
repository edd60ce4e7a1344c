//! `Podfile.lock`: CocoaPods' lockfile. YAML by its ending, but written in lines that are told apart by indentation.
//!
//! A subspec (`Firebase/Core`) is released with its pod, so it is the pod. `SPEC REPOS` says which index each comes from, since
//! CocoaPods 1.5. `COCOAPODS` at the end closes the file.

use rapidhash::RapidHashMap;

use super::address::{host, without_secret};
use super::door;
use super::graph::{self, index};
use super::reading::{Reading, quote};
use crate::package::{Ecosystem, Package, Scope, Source};

#[derive(Default)]
struct Lock {
    reading: Reading,
    section: String,
    by_name: RapidHashMap<String, u32>,
    at: Option<u32>,
    needs: Vec<(u32, String, u32)>,
    roots: Vec<(String, u32)>,
    /// The pod whose outside source is told, or the index whose pods are listed.
    outside: String,
    has_end: bool,
}

/// Reads a `Podfile.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut lock = Lock::default();
    for (number, line) in text.lines().enumerate() {
        lock.line(line, index(number + 1));
    }
    lock.close(text)
}

impl Lock {
    fn line(&mut self, line: &str, number: u32) {
        let content = line.trim();
        let indent = line.len() - line.trim_start().len();
        if content.is_empty() {
            return;
        }
        if indent == 0 {
            self.section = content.split(':').next().unwrap_or_default().to_owned();
            self.has_end |= self.section == "COCOAPODS";
            self.at = None;
            return;
        }
        match self.section.as_str() {
            "PODS" if indent == 2 => self.pod(content, number),
            "PODS" => match (self.at, pod_name(content)) {
                (Some(at), Some(name)) => self.needs.push((at, name.to_owned(), number)),
                _ => self.reading.problem(number, format!("not a requirement of a pod: {}", quote(content))),
            },
            "DEPENDENCIES" => match pod_name(content) {
                Some(name) => self.roots.push((name.to_owned(), number)),
                None => self.reading.problem(number, format!("not a dependency: {}", quote(content))),
            },
            "EXTERNAL SOURCES" | "CHECKOUT OPTIONS" | "SPEC REPOS" if indent == 2 => {
                let name = content.strip_suffix(':').unwrap_or(content);
                self.outside = unquoted(name).to_owned();
            }
            "EXTERNAL SOURCES" => self.source(content),
            "CHECKOUT OPTIONS" => self.commit(content),
            "SPEC REPOS" => self.indexed(content),
            _ => {}
        }
    }

    /// `- Name (1.2.3)` or `- Name (1.2.3):`
    fn pod(&mut self, content: &str, number: u32) {
        let pinned = content.strip_prefix("- ").map(|rest| unquoted(rest.trim_end_matches(':')));
        let parts = pinned.and_then(|rest| rest.strip_suffix(')')?.split_once(" ("));
        let Some((name, version)) = parts.filter(|(name, version)| !name.is_empty() && !version.is_empty()) else {
            self.at = None;
            return self.reading.problem(number, format!("not a pod with its version: {}", quote(content)));
        };
        let name = root_name(name);
        let at = self.by_name.get(name).copied().unwrap_or_else(|| {
            let at = index(self.reading.packages.len());
            self.reading.packages.push(Package::new(Ecosystem::CocoaPods, name, version, number));
            self.by_name.insert(name.to_owned(), at);
            at
        });
        self.at = Some(at);
    }

    fn source(&mut self, content: &str) {
        let Some((key, value)) = content.trim_start_matches(':').split_once(": ") else { return };
        let value = unquoted(value.trim());
        let source = match key.trim_start_matches(':') {
            "path" | "podspec" => Source::Path(value.to_owned()),
            "git" => Source::Git(without_secret(value).into_owned()),
            "http" => Source::Url(without_secret(value).into_owned()),
            _ => return,
        };
        let name = self.outside.clone();
        if let Some(package) = self.package(&name) {
            package.source = source;
        }
    }

    /// `:commit: …` of what was taken from a git repository.
    fn commit(&mut self, content: &str) {
        let Some(commit) = content.strip_prefix(":commit: ") else { return };
        let name = self.outside.clone();
        if let Some(Package { source: Source::Git(address), .. }) = self.package(&name) {
            *address = format!("{address}#{}", unquoted(commit.trim()));
        }
    }

    /// `- Name` below an index.
    fn indexed(&mut self, content: &str) {
        let repository = std::mem::take(&mut self.outside);
        if !is_public(&repository)
            && let Some(name) = content.strip_prefix("- ")
            && let Some(package) = self.package(unquoted(name.trim()))
        {
            package.source = Source::PrivateRegistry(without_secret(&repository).into_owned());
        }
        self.outside = repository;
    }

    fn package(&mut self, name: &str) -> Option<&mut Package> {
        let at = self.by_name.get(root_name(name)).copied()?;
        self.reading.packages.get_mut(at as usize)
    }

    fn close(mut self, text: &str) -> Reading {
        let mut edges = Vec::new();
        for (from, name, line) in std::mem::take(&mut self.needs) {
            match self.by_name.get(root_name(&name)) {
                Some(to) if *to == from => {} // Subspecs of one pod.
                Some(to) => edges.push((from, *to)),
                None => self.reading.problem(line, format!("{} is needed, but not in the file", quote(&name))),
            }
        }
        edges.sort_unstable();
        edges.dedup();
        let mut roots = Vec::new();
        for (name, line) in std::mem::take(&mut self.roots) {
            match self.by_name.get(root_name(&name)) {
                Some(at) => roots.push((*at, Scope::Runtime)),
                None => self.reading.problem(line, format!("{} is asked for, but not in the file", quote(&name))),
            }
        }
        graph::spread(&mut self.reading.packages, &edges, &roots, |_| false);
        self.reading.links.edges = edges;
        if !self.has_end {
            self.reading
                .problem(door::last_line(text), "no COCOAPODS at the end: not a Podfile.lock, or it was cut off");
        } else if door::is_cut(text) {
            self.reading.problem(door::last_line(text), door::CUT);
        }
        self.reading.close()
    }
}

/// Whether an index is CocoaPods' own or a mirror of it, which keep its name.
fn is_public(index: &str) -> bool {
    let plain = index.trim_end_matches('/').trim_end_matches(".git").to_ascii_lowercase();
    matches!(plain.as_str(), "trunk" | "master" | "cocoapods")
        || host(&plain) == "cdn.cocoapods.org"
        || plain.ends_with("cocoapods/specs")
}

/// The pod of a subspec.
fn root_name(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// The name in `- Name (~> 1.0)`, ``- Name (from `path`)`` or `- Name`.
fn pod_name(content: &str) -> Option<&str> {
    let rest = unquoted(content.strip_prefix("- ")?);
    let closed = rest.contains('(') == rest.ends_with(')');
    let name = rest.split(" (").next()?.trim();
    (closed && !name.is_empty()).then_some(name)
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}
