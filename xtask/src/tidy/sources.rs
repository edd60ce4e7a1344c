//! How every file reads: a header that says what it promises, names from the domain, and inside a guard the edges on the
//! outside (DESIGN section 4: pure nouns import no edge, `http` never sees `store`).

use std::path::Path;

use anyhow::Result;

use super::Source;

/// File names that say nothing about the domain.
const NAMELESS: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "misc", "mod"];

/// Where a guard touches the world; everything else in a guard is a pure noun.
const EDGES: &[&str] = &["http", "grpc", "store", "events", "workers", "service", "ports", "lib", "config"];

/// The guards, whose inside is all alike.
const GUARDS: &[&str] = &["aiva-authn", "aiva-egress", "aiva-sca", "aiva-cspm", "aiva-findings"];

/// Modules of a guard beyond [`EDGES`] that do I/O on purpose, with the reason.
const DECLARED_EDGES: &[(&str, &str, &str)] = &[
    ("aiva-sca", "advisory", "reads and replaces the index file, fetches the exports through its port"),
    ("aiva-sca", "inventory", "walks the folder that is scanned"),
    ("aiva-authn", "bootstrap", "keeps the bootstrap token's file"),
    ("aiva-egress", "proxy", "moves bytes between clients and origins; its readers and writers are pure"),
    ("aiva-egress", "selftest", "plays the origins that its cases describe"),
    ("aiva-egress", "tunnel", "carries a tunnel's bytes; its readers are pure"),
    ("aiva-egress", "audit", "gathers records from the proxy's threads and writes them in groups"),
    ("aiva-egress", "fetch", "asks origins on behalf of callers of the API; what it reads of headers is pure"),
];

/// What a pure noun has no business with.
const IMPURE: &[&str] = &["tokio::", "axum::", "hyper::", "sqlx::", "rusqlite::", "std::fs::", "std::net::TcpStream"];

pub(super) fn complaints(_root: &Path, sources: &[Source]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for source in sources {
        let generated = source.path.contains("/generated/") || source.path.contains("/fuzz/");
        if !generated && !source.text.starts_with("//!") && !source.text.starts_with("#![") {
            found.push(format!("{}: open the file by saying what it promises (`//! ...`)", source.path));
        }
        let stem = source.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
        if NAMELESS.contains(&stem) {
            found.push(format!("{}: name the file after a noun of the domain", source.path));
        }
        if let (Some(package), Some(module)) = (source.package(), source.module())
            && GUARDS.contains(&package)
        {
            found.extend(inside_a_guard(source, package, module));
        }
    }
    Ok(found)
}

fn inside_a_guard(source: &Source, package: &str, module: &str) -> Vec<String> {
    let mut found = Vec::new();
    let top = module.split('/').next().unwrap_or(module).trim_end_matches(".rs");
    if top == "http" || top == "grpc" {
        for (line, text) in source.shipped() {
            if text.contains("crate::store") {
                found.push(format!("{}:{line}: `{top}` never sees `store`; ask the service", source.path));
            }
        }
    }
    let declared = DECLARED_EDGES.iter().any(|(owner, edge, _)| *owner == package && *edge == top);
    if EDGES.contains(&top) || declared {
        return found;
    }
    for (line, text) in source.shipped() {
        if text.trim_start().starts_with("//") {
            continue;
        }
        for impure in IMPURE {
            if text.contains(impure) {
                found.push(format!("{}:{line}: a pure noun does not use `{impure}`; pass the value in", source.path));
            }
        }
    }
    found
}
