//! `pom.xml`: what a Maven project asks for, with its own properties and managed versions; `verification-metadata.xml`: the
//! artifacts whose checksums gradle knows.
//!
//! Read by itself. A version that a parent or an imported BOM manages, and a property that they set, is not in the file: the
//! entry is listed as not judged. A bare version is Maven's soft requirement, which it takes unless something nearer asks
//! for another: it counts as the version.

use std::collections::HashMap;

use super::reading::{Fault, Reading, quote};
use super::xml::{self, Visit, attribute};
use crate::package::{Ecosystem, NotJudged, Package, Scope};

/// How often a property may lead to another.
const MOST_STEPS: usize = 16;

#[derive(Default, Clone)]
struct Dependency {
    line: u32,
    group: String,
    artifact: String,
    version: String,
    scope: String,

    optional: bool,
}

#[derive(Default)]
struct Pom {
    root: Option<String>,
    properties: HashMap<String, String>,
    own: Dependency,
    parent: Dependency,
    at: Dependency,
    dependencies: Vec<Dependency>,
    managed: Vec<Dependency>,
    plugins: Vec<Dependency>,
}

/// Reads a `pom.xml`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut pom = Pom::default();
    match xml::tell(text, &mut pom) {
        Err(fault) => reading.fault(fault),
        Ok(()) if pom.root.as_deref() != Some("project") => {
            reading.problem(1, "its root is not <project>: not a pom.xml");
        }
        Ok(()) => {}
    }
    pom.settle(&mut reading);
    reading.close()
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
            ["project", "parent", key] => self.parent.set(key, text),
            ["project", key] if self.own.set_own(key, text) => {}
            ["project", "properties", key] => {
                self.properties.insert((*key).to_owned(), text.to_owned());
            }
            // A dependency of a plugin, of a profile and of the project itself have the same inside.
            [.., "dependency", key] => {
                if *key == "artifactId" {
                    self.at.line = line;
                }
                self.at.set(key, text);
            }
            [.., "plugin" | "extension", key] => self.at.set(key, text),
            ["project", "dependencies", "dependency"]
            | ["project", "profiles", "profile", "dependencies", "dependency"] => {
                self.dependencies.push(self.at.clone())
            }
            [.., "dependencyManagement", "dependencies", "dependency"] => self.managed.push(self.at.clone()),
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
    fn settle(mut self, reading: &mut Reading) {
        let inherited = |own: &str, parent: &str| if own.is_empty() { parent.to_owned() } else { own.to_owned() };
        let (version, group) =
            (inherited(&self.own.version, &self.parent.version), inherited(&self.own.group, &self.parent.group));
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
            self.properties.entry(name.to_owned()).or_insert(value);
        }
        let mut managed: HashMap<String, Dependency> = HashMap::new();
        for one in std::mem::take(&mut self.managed) {
            match (one.scope.as_str(), self.resolved(&one.version)) {
                ("import", version) => self.bom(&one, version.as_deref(), reading),
                (_, version) => {
                    let version = version.unwrap_or_else(|| one.version.clone());
                    managed.entry(self.name(&one)).or_insert(Dependency { version, ..one });
                }
            }
        }
        for one in std::mem::take(&mut self.dependencies) {
            let name = self.name(&one);
            let known = managed.get(&name);
            let scope = known.filter(|_| one.scope.is_empty()).map_or_else(|| one.scope(), Dependency::scope);
            let written = if one.version.is_empty() { known.map_or("", |known| &known.version) } else { &one.version };
            self.entry(&one, name, written, scope, reading);
        }
        for mut one in std::mem::take(&mut self.plugins) {
            if one.group.is_empty() {
                "org.apache.maven.plugins".clone_into(&mut one.group);
            }
            let (name, written) = (self.name(&one), one.version.clone());
            self.entry(&one, name, &written, Scope::Build, reading);
        }
    }

    fn name(&self, one: &Dependency) -> String {
        let resolved = |text: &str| self.resolved(text).unwrap_or_else(|| text.to_owned());
        format!("{}:{}", resolved(&one.group), resolved(&one.artifact))
    }

    fn entry(&self, one: &Dependency, name: String, written: &str, scope: Scope, reading: &mut Reading) {
        if one.group.is_empty() || one.artifact.is_empty() {
            return reading.problem(one.line, "a dependency without its group or its artifact");
        }
        let reason = match self.resolved(written) {
            None => "a property that this file does not set; a parent or a BOM may",
            Some(version) if version.is_empty() => {
                "its version is managed by a parent or a BOM, which are not in this file"
            }
            Some(version) if version.starts_with(['[', '(']) || version.contains(',') => {
                "a range, not a pinned version"
            }
            Some(version) if matches!(version.as_str(), "LATEST" | "RELEASE") => {
                "whatever is newest, not a pinned version"
            }
            Some(version) => {
                let package = Package::new(Ecosystem::Maven, name, version, one.line);
                return reading.packages.push(Package { scope, direct: Some(true), ..package });
            }
        };
        let entry = NotJudged::new(Ecosystem::Maven, name, written, one.line, reason);
        reading.not_judged.push(NotJudged { scope, ..entry });
    }

    fn bom(&self, one: &Dependency, version: Option<&str>, reading: &mut Reading) {
        let version = version.unwrap_or(&one.version);
        let reason = "an imported BOM: the versions that it manages are not in this file";
        reading.not_judged.push(NotJudged::new(Ecosystem::Maven, self.name(one), version, one.line, reason));
    }

    /// The text with its properties put in; `None` where one of them is not set here, or they go round in circles.
    fn resolved(&self, text: &str) -> Option<String> {
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

#[derive(Default)]
struct Components {
    root: Option<String>,
    found: Vec<(String, String, u32)>,
    faults: Vec<Fault>,
}

impl Visit for Components {
    fn open(&mut self, path: &[String], attributes: &[(String, String)], line: u32) {
        let Some(element) = path.last() else { return };
        self.root.get_or_insert_with(|| element.clone());
        if element != "component" {
            return;
        }
        let part = |name: &str| attribute(attributes, name).filter(|value| !value.is_empty());
        match (part("group"), part("name"), part("version")) {
            (Some(group), Some(name), Some(version)) => {
                self.found.push((format!("{group}:{name}"), version.to_owned(), line));
            }
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
    for (name, version, line) in components.found {
        reading.packages.push(Package::new(Ecosystem::Maven, name, version, line));
    }
    reading.close()
}
