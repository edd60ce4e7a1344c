//! The properties that MSBuild puts into versions (`$(JsonVersion)`): those of the project file itself, of what it imports by a literal
//! path, of the nearest `Directory.Build.props` and, for a project, of the nearest `Directory.Packages.props`; and the versions that such
//! files keep for a project beside its lockfile.
//!
//! Nothing is computed: a property that is set to several values, also where a condition chooses, or to what is no literal, is unknown,
//! and what asks for it stays *not judged*. Nothing outside of the scanned root is read.
//!
//! Start reading at [`settle`].

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use smol_str::SmolStr;

use super::find::Found;
use super::join::{above, folder, inside, named_from};
use super::kind::Kind;
use super::msbuild_hooks;
use super::nuget_xml::{self, CENTRAL, COMPUTED, KEPT_ELSEWHERE};
use super::reading::{Reading, Stands};
use super::walk::{Options, text_within};
use super::xml::{self, Visit, attribute};

/// The file that MSBuild takes into every project at and below its folder, if none is nearer.
const SHARED: &str = "Directory.Build.props";

/// The most files that one folder's properties are gathered from.
const MOST_FILES: usize = 50;

/// The most steps from a property to a literal.
const DEEPEST: usize = 8;
/// How many properties are put into one text at most: properties of many properties multiply.
const MOST_PUT_IN: usize = 1000;

/// The properties that one file sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties {
    /// By their names in small letters.
    set: HashMap<String, Property>,
    /// Files that are taken in, by literal paths.
    imports: Vec<String>,
    /// Whether the next file of the name further up is taken in.
    goes_on: bool,
    /// How deep the outermost element with a condition is, while the file is read.
    conditional: Option<usize>,
    /// Where the file is, below the root.
    path: String,
    /// The versions that it keeps for projects with their lines, by names in small letters; nothing where it is not sure which.
    versions: HashMap<String, Option<(SmolStr, u32)>>,
    /// The `PackageVersion` that is open, while the file is read.
    kept: Option<Kept>,
    /// Whether targets of the file may run before the packages are restored; what others set is of no use to that.
    restores: bool,
}

/// A `PackageVersion`.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    names: String,
    version: Option<SmolStr>,
    is_certain: bool,
    line: u32,
}

#[derive(Debug, PartialEq, Eq)]
struct Property {
    /// Nothing where it is set to several values.
    value: Option<String>,
    /// Whether it is set under conditions only, so that it may have another value.
    is_conditional: bool,
}

impl Visit for Properties {
    fn open(&mut self, path: &[String], attributes: &[(String, String)], line: u32) {
        let element = path.last().map(String::as_str).unwrap_or_default();
        if attribute(attributes, "condition").is_some() || matches!(element, "Choose" | "Target") {
            self.conditional.get_or_insert(path.len());
        }
        if element == "PackageVersion" && !self.is_late(path) {
            let include = attribute(attributes, "include");
            let names = include.or_else(|| attribute(attributes, "update")).or_else(|| attribute(attributes, "remove"));
            self.kept = names.map(|names| Kept {
                names: names.to_lowercase(),
                version: attribute(attributes, "version").map(nuget_xml::bounded),
                is_certain: include.is_some() && self.conditional.is_none(),
                line,
            });
        }
        if element == "Import"
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
        let is_conditional = self.conditional.is_some();
        if self.conditional.is_some_and(|depth| path.len() <= depth) {
            self.conditional = None;
        }
        if path.last().is_some_and(|element| element == "PackageVersion")
            && let Some(kept) = self.kept.take()
        {
            self.keep(kept);
        }
        let [.., group, name] = path else { return };
        if let Some(kept) = self.kept.as_mut().filter(|_| group == "PackageVersion" && name == "Version") {
            kept.version = Some(nuget_xml::bounded(text));
            kept.is_certain &= !is_conditional;
        }
        if group != "PropertyGroup" || self.is_late(path) {
            return;
        }
        let text = text.trim();
        match self.set.entry(name.to_ascii_lowercase()) {
            Entry::Vacant(slot) => {
                slot.insert(Property { value: Some(text.to_owned()), is_conditional });
            }
            Entry::Occupied(mut slot) => {
                let known = slot.get_mut();
                known.value.take_if(|value| value != text);
                known.is_conditional &= is_conditional;
            }
        }
    }
}

impl Properties {
    /// The properties that a file sets.
    pub(crate) fn of(text: &str) -> Self {
        let mut properties = Self { restores: msbuild_hooks::restores(text), ..Self::default() };
        // What is wrong with the file is told of where it is read.
        if xml::tell(text, &mut properties).is_err() {
            return Self::default();
        }
        properties
    }

    /// Whether it is of use only when the packages are restored already.
    fn is_late(&self, path: &[String]) -> bool {
        !self.restores && msbuild_hooks::is_in_target(path)
    }

    fn keep(&mut self, kept: Kept) {
        let is_known = |version: &SmolStr| kept.is_certain && !version.is_empty() && !version.ends_with(nuget_xml::CUT);
        let version = kept.version.filter(is_known);
        for name in kept.names.split(';').map(str::trim).filter(|name| !name.is_empty()) {
            match self.versions.entry(name.to_owned()) {
                Entry::Vacant(slot) => {
                    slot.insert(version.clone().map(|version| (version, kept.line)));
                }
                Entry::Occupied(mut slot) => {
                    slot.get_mut().take_if(|(known, _)| Some(&*known) != version.as_ref());
                }
            }
        }
    }

    /// Those that no other file can set otherwise, as far as this file says.
    pub(crate) fn certain(mut self) -> Self {
        self.set.retain(|_, property| !property.is_conditional);
        self
    }
}

/// The properties of several files; what the first says counts.
#[derive(Debug, Default)]
pub(crate) struct Layers(Vec<Arc<Properties>>);

impl Layers {
    /// The properties of one file.
    pub(crate) fn of(properties: Properties) -> Self {
        Self(vec![Arc::new(properties)])
    }

    /// The value of a property; nothing where it may be one of several.
    fn get(&self, name: &str) -> Option<&str> {
        let mut found: Option<&str> = None;
        for property in self.0.iter().filter_map(|layer| layer.set.get(name)) {
            let value = property.value.as_deref()?;
            if found.is_some_and(|found| found != value) {
                return None;
            }
            found = Some(value);
            if !property.is_conditional {
                break;
            }
        }
        found
    }

    /// The version that is kept for a package, and the file and the line that have it; nothing where it may be one of several.
    fn kept(&self, name: &str) -> Option<(&SmolStr, &str, u32)> {
        let mut all = self.0.iter().filter_map(|layer| Some((layer.versions.get(name)?.as_ref(), &*layer.path)));
        let (first, path) = all.next()?;
        let version = |kept: Option<&'_ (SmolStr, u32)>| kept.map(|(version, _)| version.clone());
        let is_one = all.all(|(other, _)| version(other) == version(first));
        let (version, line) = first.filter(|_| is_one)?;
        Some((version, path, *line))
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
            let value = self.get(&name.trim().to_ascii_lowercase())?;
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
}

/// Texts with their properties put in, each of which is put together once.
#[derive(Default)]
pub(super) struct Resolved(HashMap<SmolStr, Option<SmolStr>>);

impl Resolved {
    /// See [`Layers::resolved`]; always of the same layers.
    pub(super) fn of(&mut self, layers: &Layers, text: &SmolStr) -> Option<SmolStr> {
        if !text.contains('(') {
            return Some(text.clone());
        }
        let found = self.0.entry(text.clone()).or_insert_with(|| layers.resolved(text).map(SmolStr::from));
        found.clone()
    }
}

/// Gives every project file the versions that properties of other files say.
pub(crate) fn settle(root: &Path, readings: &mut [(Found, Reading)], options: &Options) {
    let is_computed = |reading: &Reading| reading.not_judged.iter().any(|entry| entry.reason == COMPUTED);
    // Only beside a lockfile does it matter to the project what is kept for it elsewhere.
    let is_locked = readings.iter().any(|(found, _)| found.kind == Kind::NuGetLock);
    let is_kept = |reading: &Reading| reading.not_judged.iter().any(|entry| entry.reason == KEPT_ELSEWHERE);
    let mut disk = None;
    for (found, reading) in readings.iter_mut().filter(|(found, _)| found.kind == Kind::DotnetProject) {
        let takes = is_locked && is_kept(reading) && !found.path.ends_with(CENTRAL);
        if !takes && !is_computed(reading) {
            continue;
        }
        let Ok(real_root) = root.canonicalize() else { return };
        let disk = disk.get_or_insert_with(|| Disk { root, real_root, options, known: HashMap::new() });
        let own = folder(&found.path);
        let mut properties = disk.with_imports(&found.path);
        if found.path.rsplit('/').next() != Some(CENTRAL) {
            properties.extend(disk.nearest(own, CENTRAL));
        }
        properties.extend(disk.nearest(own, SHARED));
        let properties = Layers(properties);
        if takes {
            take(reading, &properties);
        }
        let (computed, rest) =
            std::mem::take(&mut reading.not_judged).into_iter().partition(|entry| entry.reason == COMPUTED);
        reading.not_judged = rest;
        let computed: Vec<crate::package::NotJudged> = computed;
        let mut known = Resolved::default();
        for entry in computed {
            match known.of(&properties, &entry.requirement).filter(|version| !version.is_empty()) {
                Some(version) => nuget_xml::ask(reading, &entry.name, &version, entry.scope, entry.line),
                None => reading.not_judged.push(entry),
            }
        }
        reading.packages.sort_by_key(|package| package.line);
        reading.not_judged.sort_by_key(|entry| entry.line);
    }
}

/// Gives what a project asks for without a version the one that is kept for it, if it is sure which.
fn take(reading: &mut Reading, layers: &Layers) {
    let is_central = layers.resolved("$(ManagePackageVersionsCentrally)");
    if is_central.is_some_and(|value| !value.eq_ignore_ascii_case("true")) {
        return;
    }
    let bare = reading.not_judged.iter().filter(|entry| entry.reason == KEPT_ELSEWHERE);
    let bare: HashSet<String> = bare.map(|entry| entry.name.to_lowercase()).collect();
    let mut known = Resolved::default();
    for one in reading.links.declared.iter_mut().filter(|one| bare.contains(one.name.as_str())) {
        let kept = layers.kept(&one.name);
        if let Some((version, path, line)) =
            kept.and_then(|(text, path, line)| Some((known.of(layers, text)?, path, line)))
        {
            (one.requirement, one.stands, one.line) = (version, Stands::In(path.into()), line);
        }
    }
}

/// What is read besides, once a file.
struct Disk<'w> {
    root: &'w Path,
    real_root: std::path::PathBuf,
    options: &'w Options,
    known: HashMap<String, Option<Arc<Properties>>>,
}

impl Disk<'_> {
    fn file(&mut self, path: &str) -> Option<Arc<Properties>> {
        if let Some(known) = self.known.get(path) {
            return known.clone();
        }
        let file = self.root.join(path);
        let text = text_within(&self.real_root, &file, self.options);
        let read = text.map(|text| Arc::new(Properties { path: path.to_owned(), ..Properties::of(&text) }));
        self.known.insert(path.to_owned(), read.clone());
        read
    }

    /// What a file and those that it imports set; the file's own comes first.
    fn with_imports(&mut self, path: &str) -> Vec<Arc<Properties>> {
        let mut all = Vec::new();
        let (mut open, mut seen) = (vec![path.to_owned()], Vec::new());
        while let Some(path) = open.pop().filter(|_| seen.len() < MOST_FILES) {
            if seen.contains(&path) {
                continue;
            }
            if let Some(found) = self.file(&path) {
                open.extend(found.imports.iter().filter_map(|import| named_from(folder(&path), import)));
                all.push(found);
            }
            seen.push(path);
        }
        all
    }

    /// What the nearest file of a name at or above a folder sets, and those above it that it takes in.
    fn nearest(&mut self, own: &str, name: &str) -> Vec<Arc<Properties>> {
        let mut all = Vec::new();
        for at in above(own) {
            let path = inside(at, name);
            if self.file(&path).is_none() {
                continue;
            }
            let found = self.with_imports(&path);
            let goes_on = found.iter().any(|one| one.goes_on);
            all.extend(found);
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

    fn of(text: &str) -> Layers {
        Layers::of(Properties::of(text))
    }

    #[test]
    fn under_a_condition_a_property_is_known_if_nothing_says_otherwise() {
        let project = "<Project><PropertyGroup><A Condition=\"'$(X)'==''\">1</A><B>1</B></PropertyGroup>\
                       <PropertyGroup Condition=\"'$(X)'==''\"><C>1</C><D>1</D></PropertyGroup>\
                       <Choose><When Condition=\"true\"><PropertyGroup><E>1</E></PropertyGroup></When></Choose>\
                       <PropertyGroup><F>1</F></PropertyGroup></Project>";
        let shared =
            "<Project><PropertyGroup><A>2</A><B>2</B><C>2</C><D>1</D><E>2</E><F>2</F></PropertyGroup></Project>";
        let both = Layers([project, shared].map(|text| Arc::new(Properties::of(text))).to_vec());
        for (asked, alone, with_shared) in [
            ("$(A)", Some("1"), None),
            ("$(B)", Some("1"), Some("1")),
            ("$(C)", Some("1"), None),
            ("$(D)", Some("1"), Some("1")), // the same value
            ("$(E)", Some("1"), None),
            ("$(F)", Some("1"), Some("1")),
        ] {
            assert_eq!(of(project).resolved(asked).as_deref(), alone, "{asked}");
            assert_eq!(both.resolved(asked).as_deref(), with_shared, "{asked}");
        }
    }

    #[test]
    fn properties_of_many_properties_end() {
        let many = |of: usize| format!("<P{}>{}</P{}>", of - 1, format!("$(P{of})").repeat(60), of - 1);
        let groups: String = (2..=8).map(many).collect();
        let rest = "<P8></P8><A>$(B).1</A><B>2</B>";
        let properties = of(&format!("<Project><PropertyGroup>{groups}{rest}</PropertyGroup></Project>"));
        assert_eq!(properties.resolved("$(P1)"), None);
        assert_eq!(properties.resolved("$(A).0").as_deref(), Some("2.1.0"));
    }

    #[test]
    fn a_property_is_known_if_it_is_set_to_one_literal() {
        let text = "<Project><PropertyGroup><A>1.2</A><B>$(a).3</B><C>1</C><C>2</C><D>$(D)</D><E/></PropertyGroup>\
                    <ItemGroup><F>9</F></ItemGroup></Project>";
        let properties = of(text);
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
