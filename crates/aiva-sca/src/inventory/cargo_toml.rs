//! `Cargo.toml`: what a crate or a workspace asks for.
//!
//! `=1.2.3` is a package, any other requirement a range: `"1.2.3"` means `^1.2.3` to cargo. Entries by path are the project's
//! own, entries of the workspace are listed where the workspace defines them.

use toml_edit::Item;

use super::address::without_secret;
use super::manifest::Manifest;
use super::reading::{Declared, Offered, Reading, Stands, quote};
use crate::package::{Ecosystem, Licenses, NotJudged, Package, Scope, Source};

/// Reads a `Cargo.toml`.
pub(crate) fn read(text: &str) -> Reading {
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(fault) => return Reading::failed(fault.line, fault.message),
    };
    let mut reading = Reading::default();
    reading.links.name = manifest.string(&["package", "name"]).map(str::to_owned);
    if let Some(members) = manifest.table(&["workspace"]).and_then(|workspace| workspace.get("members")) {
        reading.links.members = manifest.strings(members).map(|(member, _)| member.to_owned()).collect();
    }
    tables(&manifest, &[], &mut reading);
    let declared = reading.links.declared.len();
    list(&manifest, &["workspace", "dependencies"], Scope::Runtime, &mut reading);
    offered(&manifest, &mut reading);
    // What the workspace offers is needed only where a member takes it, and stands in the lockfile only then.
    reading.links.declared.truncate(declared);
    let targets: Vec<&str> =
        manifest.table(&["target"]).map(|t| t.iter().map(|(key, _)| key).collect()).unwrap_or_default();
    for target in targets {
        tables(&manifest, &["target", target], &mut reading);
    }
    reading.close()
}

/// What members may take, and which names are patched.
fn offered(manifest: &Manifest, reading: &mut Reading) {
    // Every folder below that is needed belongs to the workspace, but for those that it excludes.
    let workspace = manifest.table(&["workspace"]);
    reading.links.is_part = workspace.is_none_or(|workspace| workspace.contains_key("exclude"));
    if let Some(table) = manifest.table(&["workspace", "dependencies"]) {
        for (key, item, line) in manifest.entries(table) {
            let field = |name: &str| item.as_table_like().and_then(|table| table.get(name));
            let is_elsewhere = ["path", "git", "registry", "registry-index"].iter().any(|key| field(key).is_some());
            let requirement = item.as_str().or_else(|| field("version").and_then(Item::as_str));
            let requirement = requirement.filter(|_| !is_elsewhere).map(|text| text.trim().to_owned());
            let name = field("package").and_then(Item::as_str).unwrap_or(key).to_owned();
            reading.links.offered.push(Offered { key: key.to_owned(), name, requirement, line });
        }
    }
    let mut patched = |table: &dyn toml_edit::TableLike| {
        for (key, item) in table.iter() {
            let real = item.as_table_like().and_then(|table| table.get("package")).and_then(Item::as_str);
            let name = real.unwrap_or(key).split([':', '@']).next().unwrap_or_default();
            reading.links.overridden.push(name.to_owned());
        }
    };
    if let Some(registries) = manifest.table(&["patch"]) {
        registries.iter().filter_map(|(_, item)| item.as_table_like()).for_each(&mut patched);
    }
    if let Some(table) = manifest.table(&["replace"]) {
        patched(table);
    }
}

fn tables(manifest: &Manifest, above: &[&str], reading: &mut Reading) {
    const TABLES: [(&str, Scope); 5] = [
        ("dependencies", Scope::Runtime),
        ("dev-dependencies", Scope::Dev),
        ("dev_dependencies", Scope::Dev),
        ("build-dependencies", Scope::Build),
        ("build_dependencies", Scope::Build),
    ];
    for (name, scope) in TABLES {
        list(manifest, &[above, &[name]].concat(), scope, reading);
    }
}

fn list(manifest: &Manifest, path: &[&str], scope: Scope, reading: &mut Reading) {
    let Some(table) = manifest.table(path) else { return };
    for (key, item, line) in manifest.entries(table) {
        entry(key, item, scope, line, reading);
    }
}

fn entry(key: &str, item: &Item, scope: Scope, line: u32, reading: &mut Reading) {
    let field = |name: &str| item.as_table_like().and_then(|table| table.get(name));
    let text = |name: &str| field(name).and_then(Item::as_str);
    let is_set = |name: &str| field(name).and_then(Item::as_bool) == Some(true);
    let requirement = item.as_str().or_else(|| text("version"));
    if requirement.is_none() && item.as_table_like().is_none() {
        return reading.problem(line, format!("{} is neither a requirement nor a table", quote(key)));
    }
    if item.as_table_like().is_some_and(toml_edit::TableLike::is_empty) {
        return reading.problem(line, format!("{} asks for no version: the file may have been cut off", quote(key)));
    }
    let name = text("package").unwrap_or(key).to_owned();
    let scope = if is_set("optional") && scope == Scope::Runtime { Scope::Optional } else { scope };
    let requirement = requirement.unwrap_or_default().trim().to_owned();
    let stands = if is_set("workspace") { Stands::Workspace } else { Stands::Here };
    let declared = Declared::new(&name, &requirement, scope, line);
    reading.links.declared.push(Declared { stands, ..declared });
    if is_set("workspace") {
        return; // Told of where the workspace defines it.
    }
    if let Some(path) = text("path") {
        return reading.outside(Ecosystem::CratesIo, &name, Source::Path(path.to_owned()), line);
    }
    if let Some(git) = text("git") {
        reading.outside(Ecosystem::CratesIo, &name, Source::Git(without_secret(git).into_owned()), line);
        let (requirement, reason) = (without_secret(git), "from a git repository, not from a registry");
        let entry = NotJudged::new(Ecosystem::CratesIo, name, requirement, line, reason);
        reading.not_judged.push(NotJudged { scope, ..entry });
        return;
    }
    let source = match text("registry").or_else(|| text("registry-index")) {
        None | Some("crates-io") => Source::Registry,
        Some(registry) => Source::PrivateRegistry(without_secret(registry).into_owned()),
    };
    match pin(&requirement) {
        Some(version) => {
            reading.alias(key, &name, line);
            reading.packages.push(Package {
                ecosystem: Ecosystem::CratesIo,
                name: name.into(),
                version: version.into(),
                line,
                direct: Some(true),
                scope,
                source,
                licenses: Licenses::default(),
                origin: None,
            })
        }
        None => {
            reading.range(Ecosystem::CratesIo, name, requirement, scope, line);
            if let (Some(entry), Source::PrivateRegistry(registry)) = (reading.not_judged.last_mut(), &source) {
                entry.ask_of(registry);
            }
        }
    }
}

/// `=1.2.3`: all three numbers, nothing else.
fn pin(requirement: &str) -> Option<&str> {
    super::npm_source::exact(requirement.strip_prefix('=')?.trim_start()).filter(|version| !version.starts_with('v'))
}
