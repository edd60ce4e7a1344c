//! One package moved in a manifest that is XML: a `pom.xml`, a project file of .NET, a `Directory.Packages.props`.
//!
//! A version is replaced where it stands, also where that is a property which is the whole version; all else is left to the byte.
//! A property that the file does not set is named, for whoever knows the files above it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::ask::{Ask, Edited};
use super::edit::Pen;
use super::requirement::moved;
use crate::inventory::Kind;
use crate::name::spelled;
use crate::package::Ecosystem;

/// How deep elements may be nested; the readers of these files stop there as well.
const DEEPEST: usize = 64;

/// A version as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    text: String,
    /// Where it stands, in bytes; `None` where entities or comments are in it.
    at: Option<Range<usize>>,
}

/// What a file says of versions.
#[derive(Debug, Default)]
struct Markup {
    /// Packages by name, with the version that is asked for.
    asked: Vec<(String, Written)>,
    /// Places in it whose version one further down says again for sure.
    replaced: HashSet<usize>,
    /// By their names in small letters; a property may be set again under a condition or in a profile.
    properties: HashMap<String, Vec<Written>>,
}

/// How a property is written where its value is to stand: `${x}` in Maven, `$(x)` in MSBuild.
#[derive(Debug, Clone, Copy)]
struct Marks {
    open: &'static str,
    close: &'static str,
}

impl Marks {
    /// The property that is the whole of a version.
    fn property(self, text: &str) -> Option<&str> {
        let inner = text.strip_prefix(self.open)?.strip_suffix(self.close)?.trim();
        (!inner.contains(['$', '(', ')', '{', '}'])).then_some(inner)
    }
}

/// A file that was read once for all packages that are looked for in it.
#[derive(Debug)]
pub(super) struct Sheet {
    markup: Markup,
    marks: Marks,
    /// The places in [`Markup::asked`], by the registry's spelling of a name.
    by_name: HashMap<String, Vec<usize>>,
    /// Who has a version from where: who moves with whom.
    by_start: HashMap<usize, Rc<[String]>>,
}

/// How many properties are looked at for the version of one package: one may be another one.
const MOST_PROPERTIES: usize = 64;

impl Sheet {
    /// Reads a `pom.xml` or a project file of .NET.
    pub(super) fn read(kind: Kind, text: &str) -> Result<Self, String> {
        let (ecosystem, markup, marks) = if kind == Kind::PomXml {
            let mut pom = PomVisit::default();
            tell(text, &mut pom)?;
            (Ecosystem::Maven, pom.markup(), Marks { open: "${", close: "}" })
        } else {
            let mut project = ProjectVisit::of(text);
            tell(text, &mut project)?;
            (Ecosystem::NuGet, project.markup, Marks { open: "$(", close: ")" })
        };
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, (own, _)) in markup.asked.iter().enumerate() {
            by_name.entry(spelled(ecosystem, own).into_owned()).or_default().push(at);
        }
        let by_start = markup.by_start(marks);
        Ok(Self { markup, marks, by_name, by_start })
    }

    /// What the file asks for of a package, and does not say again further down.
    fn asked(&self, ecosystem: Ecosystem, name: &str) -> impl Iterator<Item = &(String, Written)> {
        let places = self.by_name.get(&*spelled(ecosystem, name)).map(Vec::as_slice).unwrap_or_default();
        let last = places.iter().filter(|at| !self.markup.replaced.contains(at));
        last.filter_map(|at| self.markup.asked.get(*at))
    }

    /// The properties that are the version of a package in the file.
    pub(super) fn properties_of(&self, ecosystem: Ecosystem, name: &str) -> Vec<String> {
        let all = self.asked(ecosystem, name).filter_map(|(_, version)| self.marks.property(&version.text));
        all.map(str::to_owned).collect()
    }

    /// Moves a package.
    pub(super) fn edit(&self, ask: &Ask<'_>) -> Edited {
        let Self { markup, marks, .. } = self;
        let mut work = Work { pen: Pen::new(ask), ask, by_start: &self.by_start };
        let mut lacking = BTreeSet::new();
        let mut through: Vec<String> = ask.through.to_vec();
        for (own, version) in self.asked(ask.ecosystem, ask.name) {
            match marks.property(&version.text) {
                Some(property) => through.push(property.to_owned()),
                None if version.text.contains(marks.open) => {
                    let (to, text) = (ask.highest(), &version.text);
                    let reason = format!("the version of {own} is put together ({text}); move it to {to} by hand");
                    work.pen.refuse(reason);
                }
                None => work.put(own, version, false),
            }
        }
        markup.follow(*marks, through, |property, set| match set {
            Some(version) => work.put(property, version, true),
            None => drop(lacking.insert(property.to_owned())),
        });
        Edited { lacking, ..work.pen.edited() }
    }
}

impl Markup {
    /// Shows what is set for properties, and for those that they are in turn; nothing where that is none here.
    fn follow(&self, marks: Marks, mut open: Vec<String>, mut show: impl FnMut(&str, Option<&Written>)) {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        while let Some(property) = open.pop().filter(|_| seen.len() < MOST_PROPERTIES) {
            let key = property.to_ascii_lowercase();
            let Some(set) = self.properties.get(&key) else {
                show(&property, None);
                continue;
            };
            if seen.insert(key) {
                for version in set {
                    match marks.property(&version.text) {
                        Some(next) => open.push(next.to_owned()),
                        None => show(&property, Some(version)),
                    }
                }
            }
        }
    }

    /// Who has a version from where, each name once.
    fn by_start(&self, marks: Marks) -> HashMap<usize, Rc<[String]>> {
        let mut all: HashMap<usize, BTreeSet<&str>> = HashMap::new();
        let mut by_property: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for (_, (own, version)) in self.asked.iter().enumerate().filter(|(at, _)| !self.replaced.contains(at)) {
            match marks.property(&version.text) {
                Some(property) => by_property.entry(property).or_default().extend([own.as_str()]),
                None => {
                    let start = version.at.as_ref().map(|at| at.start);
                    start.into_iter().for_each(|start| all.entry(start).or_default().extend([own.as_str()]));
                }
            }
        }
        for (property, names) in by_property {
            let mut left = MOST_PROPERTIES;
            self.follow(marks, vec![property.to_owned()], |_, version| {
                if let Some(at) = version.and_then(|version| version.at.as_ref()).filter(|_| left > 0) {
                    left -= 1;
                    all.entry(at.start).or_default().extend(&names);
                }
            });
        }
        let several = all.into_iter().filter(|(_, names)| names.len() > 1);
        several.map(|(start, names)| (start, names.into_iter().map(str::to_owned).collect())).collect()
    }

    fn add(&mut self, property: &str, version: Written) {
        self.properties.entry(property.to_ascii_lowercase()).or_default().push(version);
    }
}

/// An edit on its way.
struct Work<'a> {
    pen: Pen<'a>,
    ask: &'a Ask<'a>,
    by_start: &'a HashMap<usize, Rc<[String]>>,
}

impl Work<'_> {
    fn put(&mut self, key: &str, version: &Written, is_property: bool) {
        let Some(at) = &version.at else {
            let to = self.ask.highest();
            self.pen.refuse(format!("{key} is not written in plain text; move it to {to} by hand"));
            return;
        };
        let ecosystem = self.ask.ecosystem;
        let rule = |old: &str, to: &str| moved(ecosystem, old, to);
        let new = match is_property {
            true => self.pen.write_property(key, &version.text, rule),
            false => self.pen.write(key, &version.text, rule),
        };
        if let Some(new) = new {
            self.pen.shared.extend(self.by_start.get(&at.start).map(|names| (at.start, Rc::clone(names))));
            self.pen.put(at.clone(), new);
        }
    }
}

/// An element that is open.
#[derive(Default)]
struct Open {
    name: String,
    text: String,
    /// Where its text stands, as long as that is in one piece.
    at: Option<Range<usize>>,
    is_whole: bool,
}

trait Visit {
    /// An element begins; `tag` is where its `<` and its `>` are.
    fn open(&mut self, _path: &[&str], _tag: Range<usize>) {}
    fn close(&mut self, path: &[&str], text: Written);
}

fn tell(text: &str, visit: &mut impl Visit) -> Result<(), String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let place = |reader: &Reader<&[u8]>| usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
    loop {
        let start = place(&reader);
        let event = reader.read_event().map_err(|error| format!("not XML: {error}"))?;
        let range = start..place(&reader);
        match event {
            Event::Start(_) | Event::Empty(_) if open.len() >= DEEPEST => return Err("nested too deeply".to_owned()),
            Event::Start(tag) => {
                open.push(Open { name: local(&tag), is_whole: true, ..Open::default() });
                visit.open(&names(&open), range);
            }
            Event::Empty(tag) => {
                open.push(Open { name: local(&tag), ..Open::default() });
                visit.open(&names(&open), range);
                visit.close(&names(&open), Written { text: String::new(), at: None });
                open.pop();
            }
            Event::Text(_) => {
                let Some(last) = open.last_mut() else { continue };
                let more = text.get(range.clone()).unwrap_or_default();
                last.is_whole &= last.at.is_none();
                last.at = Some(inner(more, range.start));
                last.text.push_str(more.trim());
            }
            Event::End(_) => {
                let path = names(&open);
                if let Some(last) = open.last() {
                    let at = last.at.clone().filter(|_| last.is_whole);
                    visit.close(&path, Written { text: last.text.clone(), at });
                }
                open.pop();
            }
            Event::CData(_) | Event::GeneralRef(_) | Event::Comment(_) | Event::PI(_) => {
                if let Some(last) = open.last_mut() {
                    last.is_whole = false;
                }
            }
            Event::Eof => return Ok(()),
            Event::Decl(_) | Event::DocType(_) => {}
        }
    }
}

fn names(open: &[Open]) -> Vec<&str> {
    open.iter().map(|open| open.name.as_str()).collect()
}

fn local(tag: &BytesStart<'_>) -> String {
    tag.local_name().as_ref().to_owned()
}

/// Where a text stands without the blanks around it.
fn inner(text: &str, start: usize) -> Range<usize> {
    let from = start + text.len() - text.trim_start().len();
    from..from + text.trim().len()
}

/// A dependency, a plugin or an extension that is being read.
#[derive(Debug, Default)]
struct Coordinates {
    group: String,
    artifact: String,
    version: Option<Written>,
}

#[derive(Default)]
struct PomVisit {
    open: Vec<Coordinates>,
    found: Vec<Coordinates>,
    markup: Markup,
}

const MODULES: [&str; 3] = ["dependency", "plugin", "extension"];

impl Visit for PomVisit {
    fn open(&mut self, path: &[&str], _: Range<usize>) {
        if path.last().is_some_and(|name| MODULES.contains(name)) {
            self.open.push(Coordinates::default());
        }
    }

    fn close(&mut self, path: &[&str], text: Written) {
        match path {
            ["project", "properties", key] | ["project", "profiles", "profile", "properties", key] => {
                self.markup.add(key, text);
            }
            [.., own, key] if MODULES.contains(own) => {
                let Some(last) = self.open.last_mut() else { return };
                match *key {
                    "groupId" => last.group = text.text,
                    "artifactId" => last.artifact = text.text,
                    "version" => last.version = Some(text),
                    _ => {}
                }
            }
            [.., own] if MODULES.contains(own) => {
                if let Some(mut ended) = self.open.pop() {
                    if *own == "plugin" && ended.group.is_empty() {
                        "org.apache.maven.plugins".clone_into(&mut ended.group);
                    }
                    self.found.push(ended);
                }
            }
            _ => {}
        }
    }
}

impl PomVisit {
    fn markup(self) -> Markup {
        let mut markup = self.markup;
        let plain = |text: &str| {
            let property = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            let set = property.and_then(|name| markup.properties.get(&name.to_ascii_lowercase())?.first());
            set.map_or(text, |set| set.text.as_str()).to_owned()
        };
        let named = |one: Coordinates| Some((format!("{}:{}", plain(&one.group), plain(&one.artifact)), one.version?));
        let asked = self.found.into_iter().filter_map(named).collect();
        markup.asked = asked;
        markup
    }
}

struct ProjectVisit<'a> {
    text: &'a str,
    /// What kind of reference is open.
    own: String,
    /// Its names: MSBuild takes a list wherever it takes a name.
    names: Vec<String>,
    /// Whether that says another version of what was asked for before.
    is_update: bool,
    /// How deep the outermost open element with a condition is.
    condition: Option<usize>,
    /// The places in [`Markup::asked`] of each kind of reference and name, in small letters, whose version may still be said again.
    open: HashMap<(String, String), Vec<usize>>,
    markup: Markup,
}

const REFERENCES: [&str; 5] =
    ["PackageReference", "PackageVersion", "GlobalPackageReference", "PackageDownload", "DotNetCliToolReference"];

impl<'a> ProjectVisit<'a> {
    fn of(text: &'a str) -> Self {
        let (own, names, open, markup) = Default::default();
        Self { text, own, names, is_update: false, condition: None, open, markup }
    }

    fn ask(&mut self, version: &Written) {
        for name in &self.names {
            let before = self.open.entry((self.own.clone(), name.to_ascii_lowercase())).or_default();
            if self.is_update && self.condition.is_none() {
                self.markup.replaced.extend(before.drain(..));
            }
            before.push(self.markup.asked.len());
            self.markup.asked.push((name.clone(), version.clone()));
        }
    }
}

impl Visit for ProjectVisit<'_> {
    fn open(&mut self, path: &[&str], tag: Range<usize>) {
        let words = self.text.get(tag.clone()).unwrap_or_default().to_ascii_lowercase();
        if ["condition", "otherwise"].iter().any(|word| words.contains(word)) {
            self.condition.get_or_insert(path.len());
        }
        let Some(own) = path.last().filter(|name| REFERENCES.contains(name)) else { return };
        (*own).clone_into(&mut self.own);
        let attributes = attributes(self.text, tag);
        let value = |keys: &[&str]| {
            let key = keys.iter().find_map(|key| attributes.iter().find(|(own, _)| own.eq_ignore_ascii_case(key)));
            key.map(|(_, at)| Written {
                text: self.text.get(at.clone()).unwrap_or_default().to_owned(),
                at: Some(at.clone()),
            })
        };
        let names = value(&["Include", "Update"]).map(|names| names.text).unwrap_or_default();
        let names = names.split(';').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        let version = value(&["VersionOverride", "Version"]);
        self.names = names.collect();
        self.is_update = value(&["Include"]).is_none();
        if let Some(version) = version {
            self.ask(&version);
        }
    }

    fn close(&mut self, path: &[&str], text: Written) {
        self.condition = self.condition.filter(|depth| *depth < path.len());
        match path {
            [.., own, "Version" | "VersionOverride"] if REFERENCES.contains(own) => self.ask(&text),
            [.., "PropertyGroup", name] => self.markup.add(name, text),
            [.., own] if REFERENCES.contains(own) => self.names.clear(),
            _ => {}
        }
    }
}

/// The attributes of a tag, with where their values stand, without blanks around them. A value with an entity in it is left out.
fn attributes(text: &str, tag: Range<usize>) -> Vec<(&str, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = tag.start;
    while let Some(rest) = text.get(at..tag.end) {
        let Some(equals) = rest.find('=') else { break };
        let name = rest.get(..equals).unwrap_or_default().trim_end();
        let name = name.rsplit(|c: char| c.is_whitespace() || c == ':').next().unwrap_or_default();
        let after = rest.get(equals + 1..).unwrap_or_default();
        let value = after.trim_start();
        let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { break };
        let start = at + equals + 1 + (after.len() - value.len()) + 1;
        let Some(length) = value.get(1..).and_then(|value| value.find(quote)) else { break };
        let written = text.get(start..start + length).unwrap_or_default();
        if !written.contains('&') {
            found.push((name, inner(written, start)));
        }
        at = start + length + 1;
    }
    found
}

#[cfg(test)]
mod tests;
