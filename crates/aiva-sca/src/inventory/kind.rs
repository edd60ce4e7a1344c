//! Which files are known, by name, and which reader each of them gets.
//!
//! To add a format: a variant, its name in [`Kind::of`], its reader in [`Kind::read`], golden files under
//! `tests/locks/`, a fuzz target.

use super::reading::Reading;
use super::{cargo_lock, door};

/// A kind of file that the inventory knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Cargo's lockfile.
    CargoLock,
    /// A kind that this release knows by name, but does not read.
    Unread(&'static str),
}

/// Kinds that are named in the result, so that nobody takes them for read.
const UNREAD: &[&str] = &[
    "Gemfile",
    "Gemfile.lock",
    "Gopkg.lock",
    "Package.resolved",
    "Podfile.lock",
    "build.gradle",
    "build.gradle.kts",
    "buildscript-gradle.lockfile",
    "bun.lock",
    "bun.lockb",
    "cabal.project.freeze",
    "composer.json",
    "composer.lock",
    "conan.lock",
    "conda-lock.yml",
    "deno.json",
    "deno.lock",
    "environment.yml",
    "gems.locked",
    "gradle.lockfile",
    "libs.versions.toml",
    "mix.exs",
    "mix.lock",
    "packages.config",
    "packages.lock.json",
    "paket.lock",
    "pdm.lock",
    "pom.xml",
    "pubspec.lock",
    "pubspec.yaml",
    "pylock.toml",
    "pyproject.toml",
    "rebar.lock",
    "renv.lock",
    "setup.py",
    "stack.yaml.lock",
    "verification-metadata.xml",
];

impl Kind {
    /// The kind of the file with this name in this folder, if it is known.
    pub fn of(folder: &str, name: &str) -> Option<Self> {
        let _ = folder;
        Some(match name {
            "Cargo.lock" => Self::CargoLock,
            _ => Self::Unread(UNREAD.iter().find(|known| **known == name)?),
        })
    }

    /// The name in reports: that of the format's usual file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CargoLock => "Cargo.lock",
            Self::Unread(name) => name,
        }
    }

    /// Whether it pins versions, so that leaving it out leaves packages out.
    pub fn is_lockfile(self) -> bool {
        match self {
            Self::CargoLock => true,
            Self::Unread(name) => name.contains("lock") || matches!(name, "Package.resolved" | "cabal.project.freeze"),
        }
    }

    /// Reads a file of this kind.
    pub fn read(self, bytes: &[u8]) -> Reading {
        let reader = match self {
            Self::CargoLock => cargo_lock::read,
            Self::Unread(name) => {
                return Reading::unsupported(0, format!("{name} is known, but this release does not read it"));
            }
        };
        match door::open(bytes) {
            Ok(text) => reader(&text),
            Err(reading) => reading,
        }
    }
}
