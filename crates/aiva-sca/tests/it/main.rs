//! Promises of the crate, checked through its public API.

#![expect(clippy::unwrap_used, reason = "in a test a failed step is a failed test")]

mod advisories;
#[expect(unreachable_pub, reason = "public to the fuzz targets")]
#[path = "../../fuzz/src/lib.rs"]
mod checks;
mod columns;
mod deltas;
mod fixes;
mod fuzz_corpus;
mod hostile;
mod image;
mod installed;
mod inventory;
mod inventory_damage;
mod inventory_formats;
mod inventory_shapes;
mod inventory_tables;
mod inventory_walk;
mod licences;
mod manifest_trees;
mod manifests;
mod pairs;
mod pom_tree;
mod sbom;
mod severity;
mod supply;
mod systems;
mod uploads;
mod watch;
