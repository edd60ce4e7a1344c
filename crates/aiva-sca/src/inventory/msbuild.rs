//! The properties that MSBuild puts into versions (`$(JsonVersion)`): those of the project file itself, of what it imports by a literal
//! path, of the nearest `Directory.Build.props` and, for a project, of the nearest `Directory.Packages.props`.
//!
//! Nothing is computed: a property that is set to several values, or to what is no literal, is unknown, and what asks for it stays *not
//! judged*. Nothing outside of the scanned root is read.
//!
//! Start reading at [`settle`].

use std::collections::HashMap;
use std::path::Path;

use super::door;
use super::find::Found;
use super::join::{above, folder, named_from};
use super::kind::Kind;
use super::nuget_xml::{self, CENTRAL, COMPUTED};
use super::reading::Reading;
use super::walk::{Options, bytes};
use super::xml::{self, Visit, attribute};

/// The file that MSBuild takes into every project at and below its folder, if none is nearer.
const SHARED: &str = "Directory.Build.props";

/// The most files that one folder's properties are gathered from.
const MOST_FILES: usize = 50;

/// The most steps from a property to a literal.
const DEEPEST: usize = 8;
/// How many properties are put into one text at most: properties of many properties multiply.
const MOST_PUT_IN: usize = 1000;

/// Properties by their names in small letters; nothing where they are set to several values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    set: HashMap<String, Option<String>>,
    /// Files that are taken in, by literal paths.
    imports: Vec<String>,
    /// Whether the next file of the name further up is taken in.
    goes_on: bool,
}

impl Visit for Properties {
    fn open(&mut self, path: &[String], attributes: &[(String, String)], _: u32) {
        if path.last().is_some_and(|element| element == "Import")
            && let Some(file) = attribute(attributes, "project")
        {
            self.goes_on |= file.contains("GetPathOfFileAbove") || file.contains("GetDirectoryNameOfFileAbove");
            let file = file.strip_prefix("$(MSBuildThisFileDirectory)").unwrap_or(file);
            if !file.contains(['$', '*']) {
                self.imports.push(file.replace('\\', "/"));
            }
        }
    }

    fn close(&mut self, path: &[String], text: &str, _: u32) {
        let [.., group, name] = path else { return };
        if group != "PropertyGroup" {
            return;
        }
        let (name, text) = (name.to_ascii_lowercase(), text.trim());
        let again = self.set.get(&name).is_some_and(|known| known.as_deref() != Some(text));
        self.set.insert(name, (!again).then(|| text.to_owned()));
    }
}

impl Properties {
    /// The properties that a file sets.
    pub(crate) fn of(text: &str) -> Self {
        let mut properties = Self::default();
        // What is wrong with the file is told of where it is read.
        if xml::tell(text, &mut properties).is_err() {
            return Self::default();
        }
        properties
    }

    /// A text with its properties put in; `None` where one of them is unknown.
    pub(crate) fn resolved(&self, text: &str) -> Option<String> {
        self.put(text, DEEPEST, &mut { MOST_PUT_IN })
    }

    fn put(&self, text: &str, steps: usize, left: &mut usize) -> Option<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("$(") {
            let (name, tail) = after.split_once(')')?;
            let value = self.set.get(&name.trim().to_ascii_lowercase())?.as_deref()?;
            out.push_str(before);
            *left = left.checked_sub(1)?;
            out.push_str(&self.put(value, steps.checked_sub(1)?, left)?);
            if out.len() > 1024 {
                return None;
            }
            rest = tail;
        }
        out.push_str(rest);
        (!out.contains("@(") && !out.contains("%(")).then_some(out)
    }

    /// Adds what is not set yet.
    fn inherit(&mut self, other: Self) {
        for (name, value) in other.set {
            self.set.entry(name).or_insert(value);
        }
    }
}

/// Gives every project file the versions that properties of other files say.
pub(crate) fn settle(root: &Path, readings: &mut [(Found, Reading)], options: &Options) {
    let is_computed = |reading: &Reading| reading.not_judged.iter().any(|entry| entry.reason == COMPUTED);
    let mut disk = None;
    for (found, reading) in readings.iter_mut().filter(|(found, _)| found.kind == Kind::DotnetProject) {
        if !is_computed(reading) {
            continue;
        }
        let Ok(real_root) = root.canonicalize() else { return };
        let disk = disk.get_or_insert_with(|| Disk { root, real_root, options, known: HashMap::new() });
        let own = folder(&found.path);
        let mut properties = disk.with_imports(&found.path);
        if found.path.rsplit('/').next() != Some(CENTRAL) {
            properties.inherit(disk.nearest(own, CENTRAL));
        }
        properties.inherit(disk.nearest(own, SHARED));
        let (computed, rest) =
            std::mem::take(&mut reading.not_judged).into_iter().partition(|entry| entry.reason == COMPUTED);
        reading.not_judged = rest;
        let computed: Vec<crate::package::NotJudged> = computed;
        for entry in computed {
            match properties.resolved(&entry.requirement).filter(|version| !version.is_empty()) {
                Some(version) => nuget_xml::ask(reading, &entry.name, &version, entry.scope, entry.line),
                None => reading.not_judged.push(entry),
            }
        }
        reading.packages.sort_by_key(|package| package.line);
        reading.not_judged.sort_by_key(|entry| entry.line);
    }
}

/// What is read besides, once a file.
struct Disk<'w> {
    root: &'w Path,
    real_root: std::path::PathBuf,
    options: &'w Options,
    known: HashMap<String, Option<Properties>>,
}

impl Disk<'_> {
    fn file(&mut self, path: &str) -> Option<Properties> {
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let file = self.root.join(path);
        let is_inside = file.canonicalize().is_ok_and(|real| real.starts_with(&self.real_root));
        let bytes = is_inside.then(|| bytes(&file, self.options.largest_file).ok().flatten()).flatten();
        let read = bytes.and_then(|bytes| door::open(&bytes).ok().map(|text| Properties::of(&text)));
        self.known.insert(path.to_owned(), read.clone());
        read
    }

    /// What a file and those that it imports set; the file's own comes first.
    fn with_imports(&mut self, path: &str) -> Properties {
        let mut all = Properties::default();
        let (mut open, mut seen) = (vec![path.to_owned()], Vec::new());
        while let Some(path) = open.pop().filter(|_| seen.len() < MOST_FILES) {
            if seen.contains(&path) {
                continue;
            }
            if let Some(found) = self.file(&path) {
                open.extend(found.imports.iter().filter_map(|import| named_from(folder(&path), import)));
                all.goes_on |= found.goes_on;
                all.inherit(found);
            }
            seen.push(path);
        }
        all
    }

    /// What the nearest file of a name at or above a folder sets, and those above it that it takes in.
    fn nearest(&mut self, own: &str, name: &str) -> Properties {
        let mut all = Properties::default();
        for at in above(own) {
            let path = if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
            if self.file(&path).is_none() {
                continue;
            }
            let found = self.with_imports(&path);
            let goes_on = found.goes_on;
            all.inherit(found);
            if !goes_on {
                break;
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_many_properties_end() {
        let many = |of: usize| format!("<P{}>{}</P{}>", of - 1, format!("$(P{of})").repeat(60), of - 1);
        let groups: String = (2..=8).map(many).collect();
        let rest = "<P8></P8><A>$(B).1</A><B>2</B>";
        let properties = Properties::of(&format!("<Project><PropertyGroup>{groups}{rest}</PropertyGroup></Project>"));
        assert_eq!(properties.resolved("$(P1)"), None);
        assert_eq!(properties.resolved("$(A).0").as_deref(), Some("2.1.0"));
    }

    #[test]
    fn a_property_is_known_if_it_is_set_to_one_literal() {
        let text = "<Project><PropertyGroup><A>1.2</A><B>$(a).3</B><C>1</C><C>2</C><D>$(D)</D><E/></PropertyGroup>\
                    <ItemGroup><F>9</F></ItemGroup></Project>";
        let properties = Properties::of(text);
        for (asked, want) in [
            ("$(A)", Some("1.2")),
            ("[$(B)]", Some("[1.2.3]")),
            ("$(C)", None), // Two values.
            ("$(D)", None), // Itself.
            ("$(E)", Some("")),
            ("$(F)", None),
            ("$(A", None),
            ("@(A)", None),
            ("3.0", Some("3.0")),
        ] {
            assert_eq!(properties.resolved(asked).as_deref(), want, "{asked}");
        }
    }
}
