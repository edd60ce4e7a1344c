//! `Gemfile.lock` and `gems.locked`: Bundler's lockfile, told apart by indentation.
//!
//! A gem that was built for several platforms is listed once for each; here it is one package. `DEPENDENCIES` names what
//! is direct, so a file without it was cut. It also names what the Gemfile asks for on platforms that the file is not locked for
//! (`tzinfo-data` in every new Rails application): those gems have no entry, and nothing is missing.

use rapidhash::RapidHashMap;

use super::address::{host, without_secret};
use super::door;
use super::graph::{self, index};
use super::reading::{Reading, quote};
use super::signs::{Archives, Listed};
use crate::package::{Ecosystem, Package, Scope, Source};

/// Which part of the file a line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Gem,
    Git,
    Path,
    Plugin,
    Dependencies,
    Checksums,
    Other,
}

struct Lock {
    reading: Reading,
    section: Section,
    /// Every remote of the section; a GEM section may have several.
    remotes: Vec<String>,
    /// The commit of the section's repository.
    revision: String,
    archives: Archives,
    by_name: RapidHashMap<String, u32>,
    seen: RapidHashMap<(String, String), u32>,
    /// The gem whose requirements are listed.
    at: Option<u32>,
    needs: Vec<(u32, String, u32)>,
    direct: Option<Vec<String>>,
}

/// Reads a `Gemfile.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut lock = Lock {
        reading: Reading::default(),
        section: Section::Other,
        remotes: Vec::new(),
        revision: String::new(),
        archives: Archives::default(),
        by_name: RapidHashMap::default(),
        seen: RapidHashMap::default(),
        at: None,
        needs: Vec::new(),
        direct: None,
    };
    for (number, line) in text.lines().enumerate() {
        lock.line(line, index(number + 1));
    }
    lock.close(text)
}

impl Lock {
    fn line(&mut self, line: &str, number: u32) {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        let content = content.trim_end();
        if content.is_empty() {
            return;
        }
        match (indent, self.section) {
            (0, _) => self.begin(content, number),
            (2, Section::Gem | Section::Git | Section::Path | Section::Plugin) => {
                if let Some(remote) = content.strip_prefix("remote: ") {
                    self.remotes.push(remote.to_owned());
                } else if let Some(revision) = content.strip_prefix("revision: ") {
                    revision.clone_into(&mut self.revision);
                }
            }
            (4, Section::Gem | Section::Git | Section::Path | Section::Plugin) => self.gem(content, number),
            (6, Section::Gem | Section::Git | Section::Path | Section::Plugin) => match (self.at, gem_name(content)) {
                (Some(at), Some(name)) => self.needs.push((at, name.to_owned(), number)),
                _ => self.reading.problem(number, format!("not a requirement of a gem: {}", quote(content))),
            },
            (2, Section::Dependencies) => match gem_name(content.trim_end_matches('!')) {
                Some(name) => {
                    let requirement = content.split_once(" (").and_then(|(_, rest)| rest.split(')').next());
                    self.reading.record("", name, requirement.unwrap_or_default(), number);
                    self.direct.get_or_insert_default().push(name.to_owned());
                }
                None => self.reading.problem(number, format!("not a dependency: {}", quote(content))),
            },
            (2, Section::Checksums) => self.checksum(content),
            (_, Section::Other | Section::Checksums) => {}
            _ => self.reading.problem(number, format!("not a line of a Gemfile.lock: {}", quote(content))),
        }
    }

    fn begin(&mut self, name: &str, number: u32) {
        self.remotes.clear();
        self.revision.clear();
        self.at = None;
        self.section = match name {
            "GEM" => Section::Gem,
            "GIT" => Section::Git,
            "PATH" => Section::Path,
            "PLUGIN SOURCE" => Section::Plugin,
            "DEPENDENCIES" => {
                self.direct.get_or_insert_default();
                Section::Dependencies
            }
            "CHECKSUMS" => Section::Checksums,
            "PLATFORMS" | "RUBY VERSION" | "BUNDLED WITH" => Section::Other,
            _ => {
                self.reading.problem(number, format!("an unknown section: {}", quote(name)));
                Section::Other
            }
        };
    }

    fn gem(&mut self, content: &str, number: u32) {
        let parts = content.strip_suffix(')').and_then(|rest| rest.split_once(" ("));
        let Some((name, version)) = parts.filter(|(name, version)| !name.is_empty() && !version.is_empty()) else {
            self.at = None;
            return self.reading.problem(number, format!("not a gem with its version: {}", quote(content)));
        };
        // What follows the dash is the platform: a gem's own version has none (Gem::Version).
        let version = version.split('-').next().unwrap_or(version);
        let known = self.seen.get(&(name.to_owned(), version.to_owned())).copied();
        let at = known.unwrap_or_else(|| {
            let at = index(self.reading.packages.len());
            let package = Package::new(Ecosystem::RubyGems, name, version, number);
            self.reading.packages.push(Package { source: self.source(), ..package });
            let mut listed = Listed::default();
            listed.revision(&self.revision);
            if self.section == Section::Gem {
                self.remotes.iter().for_each(|remote| listed.address(remote));
            }
            self.archives.add(at as usize, listed);
            self.seen.insert((name.to_owned(), version.to_owned()), at);
            self.by_name.insert(name.to_owned(), at);
            at
        });
        self.at = Some(at);
    }

    /// `rack (3.0.0) sha256=…`; of a gem that Bundler did not fetch, it has no hash.
    fn checksum(&mut self, content: &str) {
        let Some(((name, version), hashes)) =
            content.split_once(") ").and_then(|(gem, hashes)| Some((gem.split_once(" (")?, hashes)))
        else {
            return;
        };
        let version = version.split('-').next().unwrap_or(version);
        if let Some(at) = self.seen.get(&(name.to_owned(), version.to_owned()))
            && let Some(listed) = self.archives.of(*at as usize)
        {
            hashes.split(',').for_each(|hash| listed.hash(hash));
        }
    }

    fn source(&self) -> Source {
        let remote = || without_secret(self.remotes.first().map_or("", String::as_str)).into_owned();
        let is_public = |remote: &String| {
            // The last is a mirror of all of it.
            matches!(host(remote), "rubygems.org" | "index.rubygems.org" | "gems.ruby-china.com")
        };
        match self.section {
            Section::Git => Source::Git(remote()),
            Section::Path => Source::Path(remote()),
            Section::Plugin => Source::Url(remote()),
            _ if self.remotes.is_empty() || self.remotes.iter().any(is_public) => Source::Registry,
            _ => Source::PrivateRegistry(remote()),
        }
    }

    fn close(mut self, text: &str) -> Reading {
        let mut edges = Vec::new();
        for (from, name, line) in std::mem::take(&mut self.needs) {
            match self.by_name.get(&name) {
                Some(to) => edges.push((from, *to)),
                None if name == "bundler" => {} // It is never listed.
                None => self.reading.problem(line, format!("{} is needed, but not in the file", quote(&name))),
            }
        }
        edges.sort_unstable();
        edges.dedup();
        match self.direct.take() {
            None => {
                let message = "no DEPENDENCIES: not a Gemfile.lock, or it was cut off";
                self.reading.problem(door::last_line(text), message);
            }
            Some(direct) => {
                let locked = direct.iter().filter_map(|name| self.by_name.get(name));
                let roots: Vec<(u32, Scope)> = locked.map(|at| (*at, Scope::Runtime)).collect();
                graph::spread(&mut self.reading.packages, &edges, &roots, |_| false);
            }
        }
        if door::is_cut(text) {
            self.reading.problem(door::last_line(text), door::CUT);
        }
        self.archives.tell(&self.reading.packages, &mut self.reading.links.signs);
        self.reading.links.edges = edges;
        self.reading.close()
    }
}

/// The name before a requirement in brackets.
fn gem_name(content: &str) -> Option<&str> {
    let name = content.split_once(" (").map_or(content, |(name, _)| name).trim();
    let closed = content.contains('(') == content.ends_with(')');
    (closed && !name.is_empty() && !name.contains(' ')).then_some(name)
}
