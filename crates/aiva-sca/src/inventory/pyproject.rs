//! `pyproject.toml`: what a Python project asks for, as the standard (PEP 621, 735), poetry, and older pdm and uv write it.
//!
//! A file that only configures tools names no dependency and says nothing. Poetry's bare `1.2` is exact, `^` and `~` are not.

use toml_edit::Item;

use super::manifest::Manifest;
use super::python::{self, exact, normalise};
use super::reading::{Declared, Reading, quote};
use super::requirements::Requirement;
use crate::package::Scope;

/// Reads a `pyproject.toml`.
pub(crate) fn read(text: &str) -> Reading {
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(fault) => return Reading::failed(fault.line, fault.message),
    };
    let mut reading = Reading::default();
    let name = manifest.string(&["project", "name"]).or_else(|| manifest.string(&["tool", "poetry", "name"]));
    reading.links.name = name.map(normalise);
    standard(&manifest, &mut reading);
    poetry(&manifest, &mut reading);
    reading.close()
}

fn standard(manifest: &Manifest, reading: &mut Reading) {
    if let Some(item) = manifest.table(&["project"]).and_then(|project| project.get("dependencies")) {
        requirements(manifest, item, Scope::Runtime, reading);
    }
    // The last two are from before PEP 735: pdm's groups, and uv's only one.
    for (path, scope) in [
        (&["project", "optional-dependencies"][..], Scope::Optional),
        (&["dependency-groups"][..], Scope::Dev),
        (&["tool", "pdm", "dev-dependencies"][..], Scope::Dev),
    ] {
        let Some(table) = manifest.table(path) else { continue };
        for (_, item, _) in manifest.entries(table) {
            requirements(manifest, item, scope, reading);
        }
    }
    if let Some(item) = manifest.table(&["tool", "uv"]).and_then(|uv| uv.get("dev-dependencies")) {
        requirements(manifest, item, Scope::Dev, reading);
    }
}

fn requirements(manifest: &Manifest, item: &Item, scope: Scope, reading: &mut Reading) {
    for (text, line) in manifest.strings(item) {
        // pdm: a folder of the project, `-e file:///${PROJECT_ROOT}/own#egg=own`.
        if let Some(folder) = text.trim().strip_prefix("-e ") {
            let name = folder.split_once("#egg=").and_then(|(_, name)| name.split(['[', '&']).next());
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                declare(name, "", scope, reading);
            }
            continue;
        }
        match Requirement::parse(text.trim()) {
            Some(requirement) => {
                declare(requirement.name, requirement.specifiers, scope, reading);
                requirement.note(reading, scope, Some(true), line);
            }
            None => reading.problem(line, format!("not a requirement: {}", quote(text))),
        }
    }
}

fn declare(name: &str, requirement: &str, scope: Scope, reading: &mut Reading) {
    reading.links.declared.push(Declared { name: normalise(name), requirement: requirement.to_owned(), scope });
}

fn poetry(manifest: &Manifest, reading: &mut Reading) {
    let root = ["tool", "poetry"];
    list(manifest, &[&root[..], &["dependencies"]].concat(), Scope::Runtime, reading);
    list(manifest, &[&root[..], &["dev-dependencies"]].concat(), Scope::Dev, reading);
    let Some(groups) = manifest.table(&["tool", "poetry", "group"]) else { return };
    for (group, _) in groups.iter() {
        let scope = if group == "main" { Scope::Runtime } else { Scope::Dev };
        list(manifest, &["tool", "poetry", "group", group, "dependencies"], scope, reading);
    }
}

fn list(manifest: &Manifest, path: &[&str], scope: Scope, reading: &mut Reading) {
    let Some(table) = manifest.table(path) else { return };
    for (name, item, line) in manifest.entries(table).filter(|(name, _, _)| *name != "python") {
        entry(name, item, scope, line, reading);
    }
}

fn entry(name: &str, item: &Item, scope: Scope, line: u32, reading: &mut Reading) {
    let field = |key: &str| item.as_table_like().and_then(|table| table.get(key)).and_then(Item::as_str);
    let version = item.as_str().or_else(|| field("version")).unwrap_or_default().trim();
    declare(name, version, scope, reading);
    if field("path").is_some() {
        return;
    }
    if let Some(address) = ["git", "url"].into_iter().find_map(field) {
        return reading.not_judged.push(python::unversioned(name, address, line));
    }
    let pinned = format!("=={version}");
    let specifiers = match version {
        "*" => "",
        version if exact(version) => pinned.as_str(),
        version => version,
    };
    Requirement { name, specifiers, address: None }.note(reading, scope, Some(true), line);
}
