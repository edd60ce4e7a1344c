//! Which elements of NuGet's and MSBuild's files name packages, and what each does to the list of them.

use std::collections::HashSet;

use smol_str::SmolStr;

use super::COMPUTING;
use crate::inventory::msbuild_hooks::is_in_target;
use crate::inventory::reading::Reading;
use crate::inventory::xml::{self, Visit, attribute};

/// What an element says of one package.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) line: u32,
    pub(super) element: &'static str,
    pub(super) name: String,
    pub(super) does: Does,
    /// Whether it does so in every build, to the package of this very name.
    pub(super) is_sure: bool,
    /// Why something may take it away.
    pub(super) may_go: Option<&'static str>,
    /// Whether a target does it.
    pub(super) is_in_target: bool,
    /// One text for all that an element names.
    pub(super) version: Option<SmolStr>,
    pub(super) is_dev: bool,
    /// How many its element names.
    pub(super) of: usize,
    /// Whether its element is not closed yet.
    pub(super) open: bool,
    /// Whether it is asked for in every build, by this very element.
    pub(super) is_certain: bool,
    /// Whether it is asked for when the packages are restored already.
    pub(super) is_late: bool,
}

/// What an element does to the list of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Include,
    Update,
    Remove,
}

/// Which elements name a package, and under which attribute.
struct Elements {
    found: Vec<Found>,
    root: Option<String>,
    names: &'static [&'static str],
    /// How deep the outermost element with a condition is.
    conditional: Option<usize>,
    /// Whether it takes in another file, which may ask for anything.
    imports: bool,
    /// Whether targets of the file may run before the packages are restored.
    restores: bool,
    /// Whether a target does something that comes too late, unless one of another file hooks into restore.
    has_late: bool,
}

impl Visit for Elements {
    fn open(&mut self, path: &[String], attributes: &[(String, String)], line: u32) {
        let Some(element) = path.last() else { return };
        self.root.get_or_insert_with(|| element.clone());
        if attribute(attributes, "condition").is_some() || matches!(element.as_str(), "Choose" | "Target") {
            self.conditional.get_or_insert(path.len());
        }
        let Some(element) = self.names.iter().copied().find(|name| name == element) else { return };
        let keys =
            [("include", Does::Include), ("update", Does::Update), ("id", Does::Include), ("remove", Does::Remove)];
        let found = keys.into_iter().find_map(|(key, does)| Some((attribute(attributes, key)?, does)));
        let Some((name, does)) = found.filter(|(name, _)| !name.is_empty()) else { return };
        let is_in_target = is_in_target(path);
        let is_late = !self.restores && is_in_target;
        self.has_late |= is_late;
        if is_late && does != Does::Include {
            return;
        }
        let version =
            ["versionoverride", "version"].into_iter().find_map(|key| attribute(attributes, key)).map(bounded);
        let is_dev = attribute(attributes, "developmentDependency") == Some("true")
            || element == "DotNetCliToolReference"
            || attribute(attributes, "privateassets").is_some_and(|assets| assets.eq_ignore_ascii_case("all"));
        let is_certain = element == "PackageReference"
            && self.conditional.is_none()
            && attribute(attributes, "include").is_some()
            && !name.contains(['$', '@', '*']);
        // MSBuild takes a list wherever it takes a name.
        let names = || name.split(';').map(str::trim).filter(|name| !name.is_empty());
        let of = names().count();
        for name in names() {
            self.found.push(Found {
                line,
                element,
                name: name.to_owned(),
                does,
                is_sure: self.conditional.is_none() && !name.contains(COMPUTING),
                may_go: None,
                is_in_target,
                version: version.clone(),
                is_dev,
                of,
                open: true,
                is_certain,
                is_late,
            });
        }
    }

    fn close(&mut self, path: &[String], text: &str, _: u32) {
        // `<PackageReference Include="A"><Version>1.0.0</Version></PackageReference>`
        let Some(element) = path.last() else { return };
        self.imports |= element == "Import";
        if self.conditional.is_some_and(|depth| path.len() <= depth) {
            self.conditional = None;
        }
        if self.names.contains(&element.as_str()) {
            self.found.iter_mut().rev().take_while(|found| found.open).for_each(|found| found.open = false);
            return;
        }
        let [.., outer, _] = path else { return };
        if !self.names.contains(&outer.as_str()) {
            return;
        }
        let version = bounded(text);
        for last in self.found.iter_mut().rev().take_while(|found| found.open) {
            match element.as_str() {
                "Version" | "VersionOverride" => last.version = Some(version.clone()),
                "PrivateAssets" => last.is_dev |= text.eq_ignore_ascii_case("all"),
                _ => {}
            }
        }
    }
}

/// The elements with these names, in the order of the file; what they settle beside packages is noted.
pub(super) fn elements(
    text: &str,
    names: &'static [&'static str],
    root: &str,
    restores: bool,
    reading: &mut Reading,
) -> Vec<Found> {
    let mut elements =
        Elements { found: Vec::new(), root: None, names, conditional: None, imports: false, restores, has_late: false };
    match xml::tell(text, &mut elements) {
        Err(fault) => reading.fault(fault),
        // A project of Visual Studio before 2010, which knows no NuGet.
        Ok(()) if root == "Project" && elements.root.as_deref() == Some("VisualStudioProject") => {}
        Ok(()) if elements.root.as_deref() != Some(root) => {
            reading.problem(1, format!("its root is not <{root}>: not a file of this kind"));
        }
        Ok(()) => {}
    }
    reading.links.has_late = elements.has_late;
    if !elements.imports {
        reading.links.updated = updated(&elements.found);
    }
    elements.found
}

/// The names that a file says another version of, and that nothing in it asks for.
fn updated(found: &[Found]) -> Vec<String> {
    let may_be_any = |one: &Found| one.does == Does::Include && !one.is_late && one.name.contains(COMPUTING);
    if found.iter().all(|one| one.does != Does::Update) || found.iter().any(may_be_any) {
        return Vec::new();
    }
    let is = |one: &&Found, does| one.does == does && !one.is_late;
    let named = |does| found.iter().filter(move |one| is(one, does)).map(|one| one.name.to_lowercase());
    let asked: HashSet<String> = named(Does::Include).collect();
    named(Does::Update).filter(|name| !asked.contains(name)).collect()
}

/// More text than any version has, were it a list of them; each name of an element gets the version again.
pub(super) const LONGEST: usize = 1024;

/// Stands at the end of a version that was cut because it was longer than that.
pub(in crate::inventory) const CUT: char = '…';

/// A version, of which not more than that is kept.
pub(in crate::inventory) fn bounded(version: &str) -> SmolStr {
    if version.len() <= LONGEST {
        return version.into();
    }
    version.chars().take(30).chain([CUT]).collect()
}
