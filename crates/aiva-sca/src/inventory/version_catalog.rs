//! `libs.versions.toml`: gradle's catalog of versions. It names libraries and plugins with the versions that are asked for;
//! what is built with says the lockfile.
//!
//! A version with `strictly` or a bare one is what gradle takes unless something asks for more; a range, a dynamic version
//! and a library without one are listed as not judged.

use toml_edit::Item;

use super::manifest::Manifest;
use super::reading::{Reading, quote};
use crate::package::{Ecosystem, NotJudged, Package, Scope};

/// Reads a `libs.versions.toml`.
pub(crate) fn read(text: &str) -> Reading {
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(fault) => return Reading::failed(fault.line, fault.message),
    };
    let mut reading = Reading::default();
    for (table, scope) in [("libraries", Scope::Runtime), ("plugins", Scope::Build)] {
        let Some(entries) = manifest.table(&[table]) else { continue };
        for (alias, item, line) in manifest.entries(entries) {
            entry(&manifest, alias, item, scope, line, &mut reading);
        }
    }
    // A catalog may be there for its versions alone.
    if ["libraries", "plugins", "versions", "bundles"].iter().all(|table| manifest.table(&[table]).is_none()) {
        reading.problem(1, "no libraries and no plugins: not a version catalog");
    }
    reading.close()
}

fn entry(manifest: &Manifest, alias: &str, item: &Item, scope: Scope, line: u32, reading: &mut Reading) {
    let field = |key: &str| item.as_table_like().and_then(|table| table.get(key)).and_then(Item::as_str);
    // `"group:name:version"`, `{ module = "group:name", … }`, `{ group = …, name = …, … }`, and plugins by their id.
    let parts: Vec<&str> = item.as_str().map(|text| text.split(':').collect()).unwrap_or_default();
    let name = match (parts.as_slice(), scope) {
        ([group, name, ..], Scope::Runtime) => Some(format!("{group}:{name}")),
        ([id, ..], _) => Some(marker(id)),
        ([], Scope::Runtime) => {
            field("module").map(str::to_owned).or_else(|| Some(format!("{}:{}", field("group")?, field("name")?)))
        }
        ([], _) => field("id").map(marker),
    };
    let Some(name) = name.filter(|name| name.contains(':')) else {
        return reading.problem(line, format!("{} names no module", quote(alias)));
    };
    let version = match parts.as_slice() {
        [] => match versioned(manifest, item) {
            Ok(version) => version,
            Err(missing) => {
                let reason = format!("[versions] has no {}", quote(missing));
                let entry = NotJudged::new(Ecosystem::Maven, name, "", line, reason);
                return reading.not_judged.push(NotJudged { scope, ..entry });
            }
        },
        parts => parts.get(if scope == Scope::Runtime { 2 } else { 1 }).map(|version| (*version).to_owned()),
    };
    // `1.2!!` and `[1, 2[!!1.5` say `strictly`, and what is best of it.
    let version = version.map(|version| in_brackets(version.split("!!").next().unwrap_or_default().trim()));
    match version {
        Some(version) if is_fixed(&version) => {
            let package = Package::new(Ecosystem::Maven, name, version, line);
            reading.packages.push(Package { scope, direct: Some(true), ..package });
        }
        version => {
            let (is_range, reason) = match version {
                Some(_) => (true, "a range or a dynamic version, not a pinned one; gradle.lockfile would pin it"),
                None => (false, "its version is managed by a platform"),
            };
            let version = version.unwrap_or_default();
            let entry = NotJudged::new(Ecosystem::Maven, name, version, line, reason);
            reading.not_judged.push(NotJudged { scope, is_range, ..entry });
        }
    }
}

/// The artifact that gradle looks up for a plugin's id (gradle, "Plugin Marker Artifacts").
pub(crate) fn marker(id: &str) -> String {
    format!("{id}:{id}.gradle.plugin")
}

/// `version = "1"`, `version.ref = "a"`, `version = { strictly = "1" }`; the name of a `ref` that leads to nothing.
fn versioned<'i>(manifest: &Manifest, item: &'i Item) -> Result<Option<String>, &'i str> {
    let Some(version) = item.as_table_like().and_then(|table| table.get("version")) else { return Ok(None) };
    if let Some(text) = version.as_str() {
        return Ok(Some(text.to_owned()));
    }
    let Some(name) = version.as_table_like().and_then(|table| table.get("ref")).and_then(Item::as_str) else {
        return Ok(rich(version));
    };
    let named = manifest.table(&["versions"]).and_then(|versions| versions.get(name)).ok_or(name)?;
    Ok(named.as_str().map(str::to_owned).or_else(|| rich(named)))
}

/// `{ strictly = "1" }`
fn rich(item: &Item) -> Option<String> {
    let table = item.as_table_like()?;
    ["strictly", "require", "prefer"].into_iter().find_map(|key| table.get(key)?.as_str()).map(str::to_owned)
}

pub(super) fn is_fixed(version: &str) -> bool {
    !version.is_empty() && !version.contains(['[', '(', ',', '+', ']', ')']) && !version.starts_with("latest.")
}

/// `]1.0,2.0[` as Maven writes it.
pub(crate) fn in_brackets(range: &str) -> String {
    let range = range.strip_prefix(']').map_or_else(|| range.to_owned(), |rest| format!("({rest}"));
    range.strip_suffix('[').map_or_else(|| range.clone(), |rest| format!("{rest})"))
}
