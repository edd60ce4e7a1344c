//! Who may import whom (DESIGN section 4). The table is the architecture; Cargo's own metadata is the fact.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand};

/// A crate, the crates of ours that it may use, and the foreign ones that it must not.
struct Wall {
    name: &'static str,
    may: &'static [&'static str],
    never: &'static [&'static str],
}

const DATABASES: &[&str] = &["sqlx", "rusqlite", "redis", "rdkafka"];
const GUARD_MAY: &[&str] = &["aiva-outbound", "aiva-contracts", "aiva-chassis", "aiva-store", "aiva-events"];

const WALLS: &[Wall] = &[
    Wall { name: "aiva-outbound", may: &[], never: DATABASES },
    Wall {
        name: "aiva-contracts",
        may: &[],
        never: &["tokio", "axum", "hyper", "tonic", "reqwest", "sqlx", "rusqlite", "redis", "rdkafka"],
    },
    Wall { name: "aiva-chassis", may: &["aiva-outbound"], never: DATABASES },
    Wall { name: "aiva-store", may: &["aiva-outbound", "aiva-chassis"], never: &["rdkafka", "axum"] },
    Wall { name: "aiva-events", may: &["aiva-outbound", "aiva-contracts", "aiva-chassis", "aiva-store"], never: &[] },
    Wall { name: "aiva-authn", may: GUARD_MAY, never: &[] },
    Wall { name: "aiva-egress", may: GUARD_MAY, never: &[] },
    Wall { name: "aiva-sca", may: GUARD_MAY, never: &[] },
    Wall { name: "aiva-cspm", may: GUARD_MAY, never: &[] },
    Wall { name: "aiva-findings", may: GUARD_MAY, never: &[] },
    Wall { name: "aiva-console", may: &["aiva-chassis", "aiva-contracts"], never: DATABASES },
    Wall {
        name: "aiva-testkit",
        may: &["aiva-outbound", "aiva-contracts", "aiva-chassis", "aiva-store", "aiva-events"],
        never: &[],
    },
    Wall {
        name: "aiva",
        may: &[
            "aiva-authn",
            "aiva-chassis",
            "aiva-console",
            "aiva-contracts",
            "aiva-cspm",
            "aiva-egress",
            "aiva-events",
            "aiva-findings",
            "aiva-outbound",
            "aiva-sca",
            "aiva-store",
        ],
        never: DATABASES,
    },
    Wall { name: "xtask", may: &[], never: DATABASES },
];

/// Crates that nothing may use, and what to use instead.
const RETIRED: &[(&str, &str)] = &[
    ("openssl", "rustls with aws-lc-rs"),
    ("native-tls", "rustls with aws-lc-rs"),
    ("reqwest", "aiva-outbound, so that every call of ours is checked"),
    ("serde_yaml", "saphyr-parser, or serde-saphyr in developer tools"),
    ("chrono", "jiff"),
    ("lazy_static", "std::sync::LazyLock"),
    ("once_cell", "std::sync::OnceLock"),
];

pub(super) fn complaints(root: &Path) -> Result<Vec<String>> {
    let metadata =
        MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec().context("cargo metadata")?;
    let walls: BTreeMap<&str, &Wall> = WALLS.iter().map(|wall| (wall.name, wall)).collect();
    let mut found = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some(wall) = walls.get(name) else {
            found.push(format!("{name}: not in the table of walls; DESIGN section 4 names the fourteen crates"));
            continue;
        };
        let inherits = std::fs::read_to_string(&package.manifest_path)?.contains("[lints]\nworkspace = true");
        if !inherits {
            found.push(format!(
                "{name}: its manifest does not inherit the workspace's lints; add `[lints] workspace = true`"
            ));
        }
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            let shipped = dependency.kind != DependencyKind::Development;
            if used == "aiva-testkit" && shipped {
                found.push(format!("{name} -> {used}: the test kit is never a normal dependency"));
            } else if used.starts_with("aiva") && shipped && !wall.may.contains(&used) {
                found.push(format!("{name} -> {used}: this import crosses a wall; it may use {:?}", wall.may));
            } else if shipped && wall.never.contains(&used) {
                found.push(format!("{name} -> {used}: this crate must not know of it (DESIGN section 4)"));
            }
            if let Some((_, instead)) = RETIRED.iter().find(|(retired, _)| *retired == used) {
                found.push(format!("{name} -> {used}: use {instead}"));
            }
            if dependency.path.is_none() && !declared_in_workspace(root, used)? {
                found.push(format!("{name} -> {used}: versions live once, in the workspace manifest"));
            }
        }
    }
    for wall in WALLS {
        if !metadata.workspace_packages().iter().any(|package| package.name.as_str() == wall.name) {
            found.push(format!("{}: the crate is missing", wall.name));
        }
    }
    Ok(found)
}

fn declared_in_workspace(root: &Path, name: &str) -> Result<bool> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    Ok(manifest.lines().any(|line| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='))))
}
