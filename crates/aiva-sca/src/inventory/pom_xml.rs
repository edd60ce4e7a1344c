//! `pom.xml`: what a Maven project asks for, with its own properties and managed versions; `verification-metadata.xml`: the
//! artifacts whose checksums gradle knows.
//!
//! Read by itself. What parents and imported BOMs in the same tree add is put in afterwards ([`super::pom_tree`]); what one adds that
//! is not there leaves an entry not judged. A bare version is Maven's soft requirement, which it takes unless something nearer asks
//! for another: it counts as the version. A profile is in force only if it is so by default; what it asks for is listed all the same.

use std::collections::HashMap;

use super::reading::{Fault, Reading, quote};
use super::xml::{self, Visit, attribute};
use crate::package::{Ecosystem, NotJudged, Package, Scope};

/// How often a property may lead to another.
const MOST_STEPS: usize = 16;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(super) line: u32,
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) version: String,
    pub(super) scope: String,
    pub(super) optional: bool,
}

/// What a file says, before anything is inherited.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Pom {
    root: Option<String>,
    fault: Option<Fault>,
    pub(super) properties: HashMap<String, String>,
    pub(super) own: Dependency,
    pub(super) parent: Dependency,
    /// Where the parent is said to be; nothing said is `../pom.xml`.
    pub(super) relative_path: Option<String>,
    at: Dependency,
    dependencies: Vec<Dependency>,
    pub(super) managed: Vec<Dependency>,
    plugins: Vec<Dependency>,
    profile: Profile,
}

/// The profile that is being read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Profile {
    is_active: bool,
    properties: Vec<(String, String)>,
    managed: Vec<Dependency>,
}

/// What a file gets from its parents and from the BOMs that they and it import.
#[derive(Debug, Default, Clone)]
pub(crate) struct Inherited {
    /// Of the parents, the nearest first come.
    pub(super) properties: HashMap<String, String>,
    /// By `group:artifact`.
    pub(super) managed: HashMap<String, Dependency>,
    /// Parents and BOMs that are not in the tree, as `group:artifact:version`.
    pub(super) missing: Vec<String>,
    /// Imported BOMs of the file itself that were found, as they are written there.
    pub(super) found: Vec<Dependency>,
    /// Whether anybody looked for them.
    pub(super) is_looked_up: bool,
}

/// Reads a `pom.xml`.
pub(crate) fn read(text: &str) -> Reading {
    let mut pom = Pom::default();
    pom.fault = match xml::tell(text, &mut pom) {
        Err(fault) => Some(fault),
        Ok(()) if pom.root.as_deref() != Some("project") => {
            Some(Fault::new(1, "its root is not <project>: not a pom.xml"))
        }
        Ok(()) => None,
    };
    let mut reading = pom.settled(&Inherited::default());
    reading.links.pom = Some(Box::new(pom));
    reading
}

impl Visit for Pom {
    fn open(&mut self, path: &[String], _: &[(String, String)], line: u32) {
        let Some(element) = path.last() else { return };
        self.root.get_or_insert_with(|| element.clone());
        if matches!(element.as_str(), "dependency" | "plugin" | "extension") {
            self.at = Dependency { line, ..Dependency::default() };
        }
    }

    fn close(&mut self, path: &[String], text: &str, line: u32) {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["project", "parent", "relativePath"] => self.relative_path = Some(text.to_owned()),
            ["project", "parent", key] => self.parent.set(key, text),
            ["project", "profiles", "profile", "activation", "activeByDefault"] => {
                self.profile.is_active = text == "true"
            }
            ["project", "profiles", "profile", "properties", key] => {
                self.profile.properties.push(((*key).to_owned(), text.to_owned()));
            }
            ["project", "profiles", "profile"] => {
                let Profile { is_active, properties, managed } = std::mem::take(&mut self.profile);
                if is_active {
                    self.properties.extend(properties);
                    self.managed.splice(0..0, managed);
                }
            }
            ["project", key] if self.own.set_own(key, text) => {}
            ["project", "properties", key] => {
                self.properties.insert((*key).to_owned(), text.to_owned());
            }
            // A dependency of a plugin, of a profile and of the project itself have the same inside.
            [.., "dependency" | "plugin" | "extension", key] => {
                if *key == "artifactId" {
                    self.at.line = line;
                }
                self.at.set(key, text);
            }
            ["project", "dependencies", "dependency"]
            | ["project", "profiles", "profile", "dependencies", "dependency"] => {
                self.dependencies.push(self.at.clone())
            }
            ["project", "profiles", "profile", "dependencyManagement", "dependencies", "dependency"] => {
                self.profile.managed.push(self.at.clone());
            }
            ["project", "dependencyManagement", "dependencies", "dependency"] => self.managed.push(self.at.clone()),
            ["project", "build", "plugins", "plugin"] | ["project", "build", "extensions", "extension"] => {
                self.plugins.push(self.at.clone());
            }
            _ => {}
        }
    }
}

impl Dependency {
    fn set(&mut self, key: &str, text: &str) {
        let slot = match key {
            "groupId" => &mut self.group,
            "artifactId" => &mut self.artifact,
            "version" => &mut self.version,
            "scope" => &mut self.scope,
            "optional" => {
                self.optional = text == "true";
                return;
            }
            _ => return,
        };
        text.clone_into(slot);
    }

    fn set_own(&mut self, key: &str, text: &str) -> bool {
        let is_own = matches!(key, "groupId" | "artifactId" | "version");
        if is_own {
            self.set(key, text);
        }
        is_own
    }

    fn scope(&self) -> Scope {
        match self.scope.as_str() {
            "test" => Scope::Dev,
            "provided" | "system" => Scope::Build,
            _ if self.optional => Scope::Optional,
            _ => Scope::Runtime,
        }
    }
}

impl Pom {
    /// The group and the version, which a parent may give.
    pub(super) fn coordinates(&self) -> (String, String) {
        let inherited = |own: &str, parent: &str| if own.is_empty() { parent.to_owned() } else { own.to_owned() };
        (inherited(&self.own.group, &self.parent.group), inherited(&self.own.version, &self.parent.version))
    }

    /// What the file asks for, with what it inherits.
    pub(super) fn settled(&self, inherited: &Inherited) -> Reading {
        let mut reading = Reading::default();
        if let Some(fault) = &self.fault {
            reading.fault(fault.clone());
        }
        self.with(&inherited.properties).settle(inherited, &mut reading);
        reading.close()
    }

    /// With properties of its parents, and those that every project has.
    pub(super) fn with(&self, properties: &HashMap<String, String>) -> Self {
        let mut pom = self.clone();
        for (name, value) in properties {
            pom.properties.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let (group, version) = self.coordinates();
        for (name, value) in [
            ("project.version", version.clone()),
            ("pom.version", version.clone()),
            ("version", version),
            ("project.groupId", group.clone()),
            ("pom.groupId", group.clone()),
            ("groupId", group),
            ("project.artifactId", self.own.artifact.clone()),
            ("project.parent.version", self.parent.version.clone()),
            ("project.parent.groupId", self.parent.group.clone()),
        ] {
            pom.properties.entry(name.to_owned()).or_insert(value);
        }
        pom
    }

    fn settle(mut self, inherited: &Inherited, reading: &mut Reading) {
        let mut managed: HashMap<String, Dependency> = HashMap::new();
        for one in std::mem::take(&mut self.managed) {
            match (one.scope.as_str(), self.resolved(&one.version)) {
                ("import", _) if inherited.found.contains(&one) => {}
                ("import", version) => self.bom(&one, version.as_deref(), inherited, reading),
                (_, version) => {
                    let version = version.unwrap_or_else(|| one.version.clone());
                    managed.entry(self.name(&one)).or_insert(Dependency { version, ..one });
                }
            }
        }
        for (name, one) in &inherited.managed {
            managed.entry(name.clone()).or_insert_with(|| one.clone());
        }
        for one in std::mem::take(&mut self.dependencies) {
            let name = self.name(&one);
            let known = managed.get(&name);
            let scope = known.filter(|_| one.scope.is_empty()).map_or_else(|| one.scope(), Dependency::scope);
            let written = if one.version.is_empty() { known.map_or("", |known| &known.version) } else { &one.version };
            self.entry(&one, name, written, (scope, inherited), reading);
        }
        for mut one in std::mem::take(&mut self.plugins) {
            if one.group.is_empty() {
                "org.apache.maven.plugins".clone_into(&mut one.group);
            }
            let (name, written) = (self.name(&one), one.version.clone());
            self.entry(&one, name, &written, (Scope::Build, inherited), reading);
        }
    }

    /// `group:artifact`, with properties put in.
    pub(super) fn name(&self, one: &Dependency) -> String {
        let resolved = |text: &str| self.resolved(text).unwrap_or_else(|| text.to_owned());
        format!("{}:{}", resolved(&one.group), resolved(&one.artifact))
    }

    fn entry(
        &self,
        one: &Dependency,
        name: String,
        written: &str,
        (scope, inherited): (Scope, &Inherited),
        reading: &mut Reading,
    ) {
        if one.group.is_empty() || one.artifact.is_empty() {
            return reading.problem(one.line, "a dependency without its group or its artifact");
        }
        let reason = match self.resolved(written) {
            None if inherited.is_looked_up => inherited.explain("a property that is not set here"),
            None => "a property that this file does not set; a parent or a BOM may".to_owned(),
            Some(version) if version.is_empty() && inherited.is_looked_up => {
                inherited.explain("nothing here manages its version")
            }
            Some(version) if version.is_empty() => {
                "its version is managed by a parent or a BOM, which are not in this file".to_owned()
            }
            Some(version) if version.starts_with(['[', '(']) || version.contains(',') => {
                return reading.range(Ecosystem::Maven, name, version, scope, one.line);
            }
            Some(version) if matches!(version.as_str(), "LATEST" | "RELEASE") => {
                "whatever is newest, not a pinned version".to_owned()
            }
            Some(version) => {
                let package = Package::new(Ecosystem::Maven, name, version, one.line);
                return reading.packages.push(Package { scope, direct: Some(true), ..package });
            }
        };
        let entry = NotJudged::new(Ecosystem::Maven, name, written, one.line, reason);
        reading.not_judged.push(NotJudged { scope, ..entry });
    }

    fn bom(&self, one: &Dependency, version: Option<&str>, inherited: &Inherited, reading: &mut Reading) {
        let version = version.unwrap_or(&one.version);
        let reason = match inherited.is_looked_up {
            true => "an imported BOM that is not in this tree: the versions that it manages are not known",
            false => "an imported BOM: the versions that it manages are not in this file",
        };
        reading.not_judged.push(NotJudged::new(Ecosystem::Maven, self.name(one), version, one.line, reason));
    }

    /// The text with its properties put in; `None` where one of them is not set here, or they go round in circles.
    pub(super) fn resolved(&self, text: &str) -> Option<String> {
        let mut text = text.to_owned();
        for _ in 0..MOST_STEPS {
            let Some(start) = text.find("${") else { return Some(text) };
            let end = start + text.get(start..)?.find('}')?;
            let value = self.properties.get(text.get(start + 2..end)?)?;
            if text.len() + value.len() > 1024 {
                return None;
            }
            text.replace_range(start..=end, value);
        }
        None
    }
}

impl Inherited {
    /// What is lacking, with the parents and BOMs that might have had it.
    fn explain(&self, what: &str) -> String {
        match self.missing.as_slice() {
            [] => what.to_owned(),
            [one] => format!("{what}; {one} may, which is not in this tree"),
            [first, second] => format!("{what}; {first} or {second} may, which are not in this tree"),
            [first, second, more @ ..] => {
                format!("{what}; {first}, {second} or {} more may, which are not in this tree", more.len())
            }
        }
    }
}

#[derive(Default)]
struct Components {
    root: Option<String>,
    found: Vec<Component>,
    faults: Vec<Fault>,
}

/// One version of a module that gradle has looked at.
struct Component {
    group: String,
    name: String,
    version: String,
    line: u32,
    /// Whether it has artifacts, and whether they are nothing but descriptions: gradle read them and took another version.
    has_artifacts: bool,
    is_described_only: bool,
}

impl Visit for Components {
    fn open(&mut self, path: &[String], attributes: &[(String, String)], line: u32) {
        let Some(element) = path.last() else { return };
        self.root.get_or_insert_with(|| element.clone());
        if element == "artifact" {
            let file = attribute(attributes, "name").unwrap_or_default();
            if let Some(component) = self.found.last_mut() {
                let is_description = file.ends_with(".pom") || file.ends_with(".module");
                component.is_described_only =
                    is_description && (component.is_described_only || !component.has_artifacts);
                component.has_artifacts = true;
            }
        }
        if element != "component" {
            return;
        }
        let part = |name: &str| attribute(attributes, name).filter(|value| !value.is_empty());
        match (part("group"), part("name"), part("version")) {
            (group, Some(name), Some(version)) => self.found.push(Component {
                group: group.unwrap_or_default().to_owned(),
                name: name.to_owned(),
                version: version.to_owned(),
                line,
                has_artifacts: false,
                is_described_only: false,
            }),
            (group, name, _) => {
                let text = format!("{}:{}", group.unwrap_or_default(), name.unwrap_or_default());
                self.faults.push(Fault::new(line, format!("the component {} is not whole", quote(&text))));
            }
        }
    }

    fn close(&mut self, _: &[String], _: &str, _: u32) {}
}

/// Reads gradle's `verification-metadata.xml`.
pub(crate) fn read_verification(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut components = Components::default();
    match xml::tell(text, &mut components) {
        Err(fault) => reading.fault(fault),
        Ok(()) if components.root.as_deref() != Some("verification-metadata") => {
            reading.problem(1, "its root is not <verification-metadata>: gradle did not write this file");
        }
        Ok(()) => {}
    }
    for fault in components.faults {
        reading.fault(fault);
    }
    for Component { group, name, version, line, .. } in
        components.found.into_iter().filter(|one| !one.is_described_only)
    {
        if group.is_empty() {
            let reason = "it has no group, so it does not come from a Maven repository";
            reading.not_judged.push(NotJudged::new(Ecosystem::Maven, name, version, line, reason));
        } else {
            reading.packages.push(Package::new(Ecosystem::Maven, format!("{group}:{name}"), version, line));
        }
    }
    reading.close()
}
