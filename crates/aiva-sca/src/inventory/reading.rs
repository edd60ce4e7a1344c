//! What one reader learnt from one file.
//!
//! A reader is a pure function from text to [`Reading`]. It never panics, whatever the bytes, and it never says
//! [`Status::Parsed`] of a file in which it left something out: every such thing is a [`Problem`] with its line.

use std::collections::HashSet;

use smol_str::SmolStr;

use super::described::Descriptor;
use super::go_mod::Module;
use super::pom_xml::Pom;
use crate::package::{A_RANGE, Ask, Ecosystem, Fact, NotJudged, Package, Problem, Scope, Sign, Source, Status};

/// How many problems are kept one by one; the rest is only counted, so that a hostile file cannot fill the memory.
const KEPT_PROBLEMS: usize = 100;

/// What one reader learnt from one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// How reading ended.
    pub status: Status,
    /// Packages pinned to one version, in the order of the file.
    pub packages: Vec<Package>,
    /// Entries without a pin.
    pub not_judged: Vec<NotJudged>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// What ties this file to its neighbours.
    pub(crate) links: Links,
    dropped: u32,
}

/// What only the files beside this one can make use of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// Manifest: every requirement it states, pinned or not.
    pub(crate) declared: Vec<Declared>,
    /// Manifest: the name of the package that it describes.
    pub(crate) name: Option<String>,
    /// Manifest: globs of folders that share its lockfile. Lockfile: the very folders that it covers.
    pub(crate) members: Vec<String>,
    /// Lockfile: who needs whom, as indexes into `packages`.
    pub(crate) edges: Vec<(u32, u32)>,
    /// yarn classic: which package a `name@range` was resolved to.
    pub(crate) descriptors: Vec<Descriptor>,
    /// Lockfile: what is out of the ordinary about the way by which packages come.
    pub(crate) signs: Vec<Sign>,
    /// Who asks for what under which name, where packages and edges do not tell.
    pub(crate) asks: Vec<Ask>,
    /// Lockfile: the names under which packages ask for others, with those, where the format says what packages ask for.
    pub(crate) renames: Option<HashSet<(String, String)>>,
    /// Lockfile: what is needed, but not in it, with the line that needs it.
    pub(crate) unmet: Vec<(String, u32)>,
    /// Manifest: names that the project itself stands for, so that its lockfile has no entry for them. Lockfile: names that its
    /// packages stand for besides their own.
    pub(crate) supplied: Vec<String>,
    /// Lockfile: what the manifests asked for when it was written, where the format says so.
    pub(crate) recorded: Vec<Recorded>,
    /// Manifest: names that are asked for under a condition only, so that a lockfile may do without them.
    pub(crate) conditional: Vec<String>,
    /// Names whose version is said elsewhere than where they are asked for: overrides, resolutions, patches.
    pub(crate) overridden: Vec<String>,
    /// Lockfile: whether it may hold a part only of what the manifests ask for. Cargo.toml: whether its lockfile may do without
    /// what crates in folders below need for development.
    pub(crate) is_part: bool,
    /// yarn.lock: whether it is empty, and only marks where a project begins.
    pub(crate) is_mark: bool,
    /// package-lock.json of format 1: npm 6 wrote it, which does not install what folders (`file:`) need for development.
    pub(crate) lacks_dev: bool,
    /// Cargo.toml: what the workspace offers to its members.
    pub(crate) offered: Vec<Offered>,
    /// pyproject.toml: what it leaves to that which builds the project, where nothing here says it, with the line.
    pub(crate) dynamic: Vec<(Scope, u32)>,
    /// A file of .NET's: whether its targets do what comes too late, unless one of another file hooks into restore.
    pub(crate) has_late: bool,
    /// setup.cfg: of which scopes it has a list, were it empty.
    pub(crate) stated: Vec<Scope>,
    /// requirements.txt, and pyproject.toml for setuptools: other files it takes in.
    pub(crate) includes: Vec<Include>,
    /// package.json: what a catalog of the workspace says the version of.
    pub(crate) catalogued: Vec<Catalogued>,
    /// build.gradle: the first line that names something of the version catalog.
    pub(crate) catalog: Option<u32>,
    /// go.mod from before Go 1.17: the line that says so. What its modules need in turn is not in it.
    pub(crate) partial_graph: Option<u32>,
    /// go.mod and go.work: what it says, for the modules that are built together.
    pub(crate) module: Option<Box<Module>>,
    /// MSBuild: names in small letters that it says another version of, and that nothing in it asks for.
    pub(crate) updated: Vec<String>,
    /// pom.xml: what it says, for its children and its heirs.
    pub(crate) pom: Option<Box<Pom>>,
}

/// A requirement that a manifest states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    /// The package's name, normalised as in [`Package::name`]; for an npm alias its own name, not that behind it.
    pub(crate) name: SmolStr,
    /// The requirement as written.
    pub(crate) requirement: SmolStr,
    /// What it is needed for.
    pub(crate) scope: Scope,
    /// Where the requirement stands.
    pub(crate) stands: Stands,
    /// The line of it there, from 1; 0 where that is not known.
    pub(crate) line: u32,
}

/// Where a requirement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stands {
    /// In the manifest itself.
    Here,
    /// Cargo: in the workspace, under this name.
    Workspace,
    /// In another file, by its path below the root.
    In(Box<str>),
}

impl Declared {
    /// A requirement that stands in the manifest itself.
    pub(crate) fn new(name: impl Into<SmolStr>, requirement: impl Into<SmolStr>, scope: Scope, line: u32) -> Self {
        Self { name: name.into(), requirement: requirement.into(), scope, stands: Stands::Here, line }
    }
}

/// What a Cargo workspace offers to its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offered {
    /// Under which name members take it.
    pub(crate) key: String,
    /// The package's own name.
    pub(crate) name: String,
    /// The requirement; `None` where it does not come from the public registry.
    pub(crate) requirement: Option<String>,
    /// The line that offers it, from 1.
    pub(crate) line: u32,
}

/// What a lockfile says that a manifest asked for when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Whose manifest: its folder from that of the lockfile on, or the name of its project, as the format has it.
    pub(crate) owner: SmolStr,
    /// The package's name as the manifest has it.
    pub(crate) name: SmolStr,
    /// The requirement as the lockfile has it.
    pub(crate) requirement: SmolStr,
    /// The line that says so, from 1.
    pub(crate) line: u32,
}

/// A dependency whose range a catalog of the workspace has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Catalogued {
    /// The package's name.
    pub(crate) name: SmolStr,
    /// The catalog's name; `default` where none is given.
    pub(crate) catalog: String,
    /// What it is needed for.
    pub(crate) scope: Scope,
    /// The line that asks for it, from 1.
    pub(crate) line: u32,
}

/// A file that a requirements file takes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Include {
    /// As written.
    pub(crate) path: String,
    /// Whether it only constrains versions (`-c`).
    pub(crate) constraint: bool,
    /// The line that names it, from 1.
    pub(crate) line: u32,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            status: Status::Parsed,
            packages: Vec::new(),
            not_judged: Vec::new(),
            problems: Vec::new(),
            links: Links::default(),
            dropped: 0,
        }
    }
}

impl Reading {
    /// What an empty file says that only marks where a project begins.
    pub(crate) fn mark() -> Self {
        Self { links: Links { is_mark: true, ..Links::default() }, ..Self::default() }
    }

    /// A file of which nothing could be read.
    pub fn failed(line: u32, message: impl Into<String>) -> Self {
        let mut reading = Self::default();
        reading.problem(line, message);
        reading.status = Status::Failed;
        reading
    }

    /// A kind or a format version that this release does not read.
    pub fn unsupported(line: u32, message: impl Into<String>) -> Self {
        let mut reading = Self::default();
        reading.problem(line, message);
        reading.status = Status::Unsupported;
        reading
    }

    /// Notes what could not be read; the file is at best partial from now on.
    pub(crate) fn problem(&mut self, line: u32, message: impl Into<String>) {
        self.status = self.status.max(Status::Partial);
        if self.problems.len() < KEPT_PROBLEMS {
            self.problems.push(Problem { line, message: printable(message.into()) });
            return;
        }
        self.dropped += 1;
        let message = match self.dropped {
            1 => "one more problem in this file".to_owned(),
            count => format!("{count} more problems in this file"),
        };
        if self.dropped == 1 {
            self.problems.push(Problem { line: 0, message });
        } else if let Some(last) = self.problems.last_mut() {
            last.message = message;
        }
    }

    /// Notes what is needed, but not in the file, which a manifest beside it may still make good.
    pub(crate) fn unmet(&mut self, name: &str, line: u32) {
        self.problem(line, missing(name));
        if self.links.unmet.len() < KEPT_PROBLEMS {
            self.links.unmet.push((name.to_owned(), line));
        }
    }

    /// Takes back what was [unmet](Self::unmet) and the project itself stands for.
    pub(crate) fn supply(&mut self, names: &[&str]) {
        if self.dropped > 0 || names.is_empty() {
            return;
        }
        let unmet = std::mem::take(&mut self.links.unmet);
        let (met, unmet) = unmet.into_iter().partition(|(name, _)| names.contains(&name.as_str()));
        self.links.unmet = unmet;
        for (name, line) in met {
            let message = missing(&name);
            self.problems.retain(|problem| problem.line != line || problem.message != message);
        }
        if self.problems.is_empty() && self.status == Status::Partial {
            self.status = Status::Parsed;
        }
    }

    /// Notes a fault after which nothing more could be read.
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.problem(fault.line, fault.message);
    }

    /// Closes the reading: a file with problems and without a single entry has failed.
    pub(crate) fn close(mut self) -> Self {
        let nameless = |package: &Package| package.name.is_empty() || package.version.is_empty();
        let lines: Vec<u32> =
            self.packages.iter().filter(|package| nameless(package)).map(|package| package.line).collect();
        if !lines.is_empty() {
            self.packages.retain(|package| !nameless(package));
            (self.links.edges, self.links.descriptors) = (Vec::new(), Vec::new()); // Their indexes hold no more.
        }
        for line in lines {
            self.problem(line, "a package with an empty name or version");
        }
        let nameless: Vec<NotJudged> = self.not_judged.extract_if(.., |entry| entry.name.is_empty()).collect();
        for entry in nameless {
            self.problem(entry.line, format!("an entry without a name: {}", quote(&entry.requirement)));
        }
        let empty = self.packages.is_empty() && self.not_judged.is_empty() && self.links.declared.is_empty();
        if self.status == Status::Partial && empty && self.links.includes.is_empty() {
            self.status = Status::Failed;
        }
        self
    }

    /// Notes that a manifest takes a package from elsewhere than the public registry, where its name may be that of another.
    pub(crate) fn outside(&mut self, ecosystem: Ecosystem, name: &str, source: Source, line: u32) {
        if !name.is_empty() {
            let (name, version) = (name.to_owned(), String::new());
            self.links.signs.push(Sign {
                ecosystem,
                name: name.into(),
                version: version.into(),
                line,
                fact: Fact::Outside(source),
            });
        }
    }

    /// Notes that a package has another name here than its own.
    pub(crate) fn alias(&mut self, name: &str, package: &str, line: u32) {
        if name != package {
            let (name, package) = (name.to_owned(), package.to_owned());
            self.links.asks.push(Ask { folder: None, name, package, line });
        }
    }

    /// Notes what a manifest asked for when this lockfile was written.
    pub(crate) fn record(&mut self, owner: &str, name: &str, requirement: &str, line: u32) {
        let (owner, name, requirement) = (owner.into(), name.into(), requirement.trim().into());
        self.links.recorded.push(Recorded { owner, name, requirement, line });
    }

    /// Adds an entry that is not pinned.
    pub(crate) fn range(
        &mut self,
        ecosystem: Ecosystem,
        name: impl Into<SmolStr>,
        requirement: impl Into<SmolStr>,
        scope: Scope,
        line: u32,
    ) {
        let entry = NotJudged::new(ecosystem, name, requirement, line, A_RANGE);
        self.not_judged.push(NotJudged { is_range: true, scope, ..entry });
    }
}

/// The longest message, in bytes: it may quote the file.
const LONGEST_MESSAGE: usize = 500;

/// What a library says of a file may quote any amount of it: a terminal would obey what must only be shown. Cut before and after control
/// signs are spelled out, which are longer then.
fn printable(message: String) -> String {
    let message = cut(message);
    if !message.contains(char::is_control) {
        return message;
    }
    let spelled = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    cut(message.chars().map(spelled).collect())
}

fn cut(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        message.truncate((0..=LONGEST_MESSAGE).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0));
        message.push('…');
    }
    message
}

fn missing(name: &str) -> String {
    format!("{} is needed, but not in the file", quote(name))
}

/// Where and why a file could not be read any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The line, from 1.
    pub(crate) line: u32,
    /// What is wrong, for a person.
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(line: u32, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// Shortens what a file says before it is quoted in a message.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.len() <= LONGEST {
        return format!("{text:?}");
    }
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{:?}…", text.get(..end).unwrap_or_default())
}
