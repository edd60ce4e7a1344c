//! `Pipfile`: what a pipenv project asks for, in `packages`, `dev-packages` and tables of its own.

use toml_edit::Item;

use super::address::without_secret;
use super::manifest::Manifest;
use super::python::{self, normalise};
use super::reading::{Declared, Reading, quote};
use super::requirements::Requirement;
use super::typed;
use crate::package::{Ecosystem, Scope, Source};

/// Reads a `Pipfile`.
pub(crate) fn read(text: &str) -> Reading {
    const OTHER: [&str; 5] = ["source", "requires", "scripts", "pipenv", "pipfile"];
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(fault) => return Reading::failed(fault.line, fault.message),
    };
    let mut reading = Reading::default();
    let Some(top) = manifest.table(&[]) else { return reading };
    for (table, _, line) in manifest.entries(top).filter(|(table, _, _)| !OTHER.contains(table)) {
        let scope = match table {
            "packages" => Scope::Runtime,
            "dev-packages" => Scope::Dev,
            _ => Scope::Optional,
        };
        if let Some(packages) = manifest.table(&[table]) {
            for (name, item, line) in manifest.entries(packages) {
                entry(name, item, scope, line, &mut reading);
            }
        } else {
            reading.problem(line, format!("{} is no table of packages: nothing of it is read", quote(table)));
        }
    }
    reading.close()
}

fn entry(name: &str, item: &Item, scope: Scope, line: u32, reading: &mut Reading) {
    // pipenv takes extras behind the name as well as in the table.
    let name = name.split('[').next().unwrap_or(name).trim();
    let field = |key: &str| item.as_table_like().and_then(|table| table.get(key)).and_then(Item::as_str);
    let requirement = item.as_str().or_else(|| field("version")).unwrap_or_default().trim();
    if item.as_str().is_none() && item.as_table_like().is_none() {
        return reading.problem(
            line,
            format!(
                "{} is asked for by neither a version (\"*\", \">=1.2\") nor a table with one, and is not judged",
                quote(name)
            ),
        );
    }
    if let Some(wrong) = typed::wrong(item, ">=1.2") {
        return reading.problem(line, format!("{} is asked for by {wrong} and is not judged", quote(name)));
    }
    const MARKERS: [&str; 12] = [
        "markers",
        "os_name",
        "sys_platform",
        "platform_machine",
        "platform_python_implementation",
        "platform_release",
        "platform_system",
        "platform_version",
        "python_version",
        "python_full_version",
        "implementation_name",
        "implementation_version",
    ];
    if item.as_table_like().is_some_and(|table| MARKERS.iter().any(|key| table.contains_key(key))) {
        reading.links.conditional.push(normalise(name).to_string());
    }
    let specifiers = if requirement == "*" { "" } else { requirement };
    reading.links.declared.push(Declared::new(normalise(name), specifiers, scope, line));
    if let Some(path) = field("path") {
        return reading.outside(Ecosystem::PyPi, &normalise(name), Source::Path(path.to_owned()), line);
    }
    if let Some(address) = ["git", "hg", "svn", "bzr"].into_iter().find_map(field) {
        reading.outside(Ecosystem::PyPi, &normalise(name), Source::Git(without_secret(address).into_owned()), line);
        return reading.not_judged.push(python::unversioned(name, address, line));
    }
    if let Some(address) = ["file", "uri"].into_iter().find_map(field) {
        return python::outside(name, address, line, reading);
    }
    let before = reading.packages.len();
    Requirement { name, specifiers, address: None }.note(reading, scope, Some(true), line);
    let Some(index) = field("index").filter(|index| *index != "pypi") else { return };
    if let Some(package) = reading.packages.get_mut(before) {
        package.source = Source::PrivateRegistry(index.to_owned());
    } else if let Some(entry) = reading.not_judged.last_mut() {
        entry.ask_of(index);
    }
}
