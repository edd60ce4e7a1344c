//! Finds every manifest and lockfile under a folder and says which packages they name.
//!
//! It promises: the same tree gives the same answer, in the same order, whatever the number of threads; every known file
//! that is seen ends as an [`Input`] with a status, but for those that are not read and that another file makes no loss, and what the ignore rules hide is counted; no symbolic link leads out
//! of the root; memory is bounded by the file size limit, and by as many groups of files as there are threads. It never runs a package manager, never asks the network and
//! never guesses a version: an entry that is not pinned is *not judged*.
//!
//! Start reading at [`visit`]; the formats are in the modules below, each a pure `read(text)` that returns a [`Reading`]. What is
//! installed in a root file system or an image is another walk with its own readers: [`rootfs`], [`image`].

mod address;
mod asked;
mod beside;
mod bill;
mod bill_needs;
mod bill_spdx;
mod bill_spdx3;
mod bill_xml;
mod build_gradle;
mod builds;
mod bun_lock;
mod by_deno;
mod bytes;
mod cargo_lock;
mod cargo_toml;
mod cargo_workspace;
mod catalog;
mod composer_json;
pub(crate) mod composer_lock;
mod conan_lock;
mod crew;
mod deno_json;
mod deno_lock;
mod described;
mod door;
mod dynamic;
mod ending;
mod find;
mod gemfile;
mod gemfile_lock;
mod globs;
mod go_locks;
mod go_mod;
mod go_sum;
mod go_work;
mod gradle_constraints;
mod gradle_lock;
mod gradle_versions;
mod graph;
mod group;
mod haskell_lock;
mod include;
mod installed;
mod join;
mod json;
mod kind;
pub(crate) mod literal;
mod locked_otherwise;
mod manifest;
mod members;
mod mirrors;
mod mix_exs;
mod mix_lock;
mod msbuild;
mod msbuild_hooks;
mod msbuild_targets;
mod npm_license;
mod npm_lock;
mod npm_nested;
mod npm_source;
mod npmrc;
mod nuget_lock;
mod nuget_xml;
mod overrides;
mod package_json;
mod package_resolved;
mod pdm_lock;
mod pipfile;
mod pipfile_lock;
mod pnpm_entry;
mod pnpm_lock;
mod pnpm_overrides;
mod pnpm_workspace;
mod podfile_lock;
mod poetry_lock;
mod pom_tree;
mod pom_xml;
mod pubspec_lock;
mod pubspec_yaml;
mod pyproject;
mod python;
mod reading;
mod recorded;
mod renamed;
mod renv_lock;
mod requirements;
mod rules;
mod setup_cfg;
mod signs;
mod toml;
mod typed;
mod unlocked;
mod unread;
mod uv_constraints;
mod uv_lists;
mod uv_lock;
mod uv_members;
mod vendor_modules;
mod vendored;
mod version_catalog;
mod walk;
mod workflow;
mod workspaces;
pub(crate) mod xml;
mod yaml;
mod yarn_doubles;
mod yarn_lock;

pub(crate) use address::{MASK, host, masked_query, user, without_secret};
pub(crate) use catalog::Kept as Catalogs;
pub(crate) use door::western;
pub use find::{FileId, is_mark};
pub(crate) use graph::stronger;
pub use include::taken_in;
pub use installed::{
    Expect, ImageError, Piece, Platform, What, image, is_file as is_installed, is_root, read as read_installed, rootfs,
    what,
};
pub(crate) use join::{above, inside, place};
pub use kind::Kind;
pub use mirrors::{Mirror, MirrorError, Mirrors};
pub(crate) use npm_source::own_folder;
pub(crate) use nuget_xml::CENTRAL;
pub(crate) use overrides::{Override, Reach, is_read_table, of_text as overrides_of};
pub(crate) use pom_tree::Sources as PomSources;
pub(crate) use pyproject::{poetry_requirement, workspace_of_text as uv_workspace_of};
pub use reading::Reading;
pub(crate) use reading::quote;
pub(crate) use uv_members::Workspace as UvWorkspace;
pub(crate) use version_catalog::{in_brackets, marker as plugin_marker};
pub use walk::{Inventory, Options, Progress, Visited, WalkError, is_within, visit, walk};
#[cfg(test)]
pub(crate) use workspaces::Alone;
pub(crate) use workspaces::{Tell, Told, Workspaces};

use crate::package::Input;

/// One file alone as an input, without what only the files beside it can tell.
pub fn single_input(path: &str, kind: Kind, reading: Reading) -> Input {
    join::input(path.to_owned(), kind, reading)
}
