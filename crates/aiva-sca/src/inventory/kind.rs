//! Which files are known, by name, and which reader each of them gets.
//!
//! To add a format: a variant, its name in [`Kind::of`], its reader in [`Kind::read`], golden files under
//! `tests/locks/`, a fuzz target.

use super::reading::Reading;
use super::{
    cargo_lock, cargo_toml, door, go_mod, npm_lock, package_json, pipfile, pipfile_lock, pnpm_lock, poetry_lock,
    pyproject, requirements, uv_lock, yarn_lock,
};

/// A kind of file that the inventory knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Cargo's lockfile.
    CargoLock,
    /// Cargo's manifest.
    CargoToml,
    /// Go's manifest, which is its lockfile too.
    GoMod,
    /// Node's manifest.
    PackageJson,
    /// npm's lockfile.
    PackageLock,
    /// npm's lockfile as it is published.
    Shrinkwrap,
    /// pipenv's manifest.
    Pipfile,
    /// pipenv's lockfile.
    PipfileLock,
    /// pnpm's lockfile.
    PnpmLock,
    /// poetry's lockfile.
    PoetryLock,
    /// Python's standard manifest, poetry's tables included.
    PyProject,
    /// pip's requirements.
    Requirements,
    /// uv's lockfile.
    UvLock,
    /// yarn's lockfile, classic or berry.
    YarnLock,
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
    "rebar.lock",
    "renv.lock",
    "setup.py",
    "stack.yaml.lock",
    "verification-metadata.xml",
];

impl Kind {
    /// The kind of the file with this name in this folder, if it is known.
    pub fn of(folder: &str, name: &str) -> Option<Self> {
        Some(match name {
            "Cargo.lock" => Self::CargoLock,
            "Cargo.toml" => Self::CargoToml,
            "go.mod" => Self::GoMod,
            "package.json" => Self::PackageJson,
            "package-lock.json" => Self::PackageLock,
            "npm-shrinkwrap.json" => Self::Shrinkwrap,
            "Pipfile" => Self::Pipfile,
            "Pipfile.lock" => Self::PipfileLock,
            "pnpm-lock.yaml" => Self::PnpmLock,
            "poetry.lock" => Self::PoetryLock,
            "pyproject.toml" => Self::PyProject,
            "uv.lock" => Self::UvLock,
            "yarn.lock" => Self::YarnLock,
            name if is_requirements(folder, name) => Self::Requirements,
            _ => Self::Unread(UNREAD.iter().find(|known| **known == name)?),
        })
    }

    /// The name in reports: that of the format's usual file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CargoLock => "Cargo.lock",
            Self::CargoToml => "Cargo.toml",
            Self::GoMod => "go.mod",
            Self::PackageJson => "package.json",
            Self::PackageLock => "package-lock.json",
            Self::Shrinkwrap => "npm-shrinkwrap.json",
            Self::Pipfile => "Pipfile",
            Self::PipfileLock => "Pipfile.lock",
            Self::PnpmLock => "pnpm-lock.yaml",
            Self::PoetryLock => "poetry.lock",
            Self::PyProject => "pyproject.toml",
            Self::Requirements => "requirements.txt",
            Self::UvLock => "uv.lock",
            Self::YarnLock => "yarn.lock",
            Self::Unread(name) => name,
        }
    }

    /// Whether it pins versions, so that leaving it out leaves packages out.
    pub fn is_lockfile(self) -> bool {
        match self {
            Self::GoMod | Self::Requirements => true,
            Self::Unread(name) => name.contains("lock") || matches!(name, "Package.resolved" | "cabal.project.freeze"),
            kind => kind.locks().is_some(),
        }
    }

    /// The manifest whose versions a lockfile of this kind pins.
    pub(crate) const fn locks(self) -> Option<Self> {
        match self {
            Self::CargoLock => Some(Self::CargoToml),
            Self::PackageLock | Self::Shrinkwrap | Self::YarnLock | Self::PnpmLock => Some(Self::PackageJson),
            Self::PipfileLock => Some(Self::Pipfile),
            Self::PoetryLock | Self::UvLock => Some(Self::PyProject),
            Self::CargoToml
            | Self::GoMod
            | Self::PackageJson
            | Self::Pipfile
            | Self::PyProject
            | Self::Requirements
            | Self::Unread(_) => None,
        }
    }

    /// Reads a file of this kind.
    pub fn read(self, bytes: &[u8]) -> Reading {
        let reader = match self {
            Self::CargoLock => cargo_lock::read,
            Self::CargoToml => cargo_toml::read,
            Self::GoMod => go_mod::read,
            Self::PackageJson => package_json::read,
            Self::PackageLock | Self::Shrinkwrap => npm_lock::read,
            Self::Pipfile => pipfile::read,
            Self::PipfileLock => pipfile_lock::read,
            Self::PnpmLock => pnpm_lock::read,
            Self::PoetryLock => poetry_lock::read,
            Self::PyProject => pyproject::read,
            Self::Requirements => requirements::read,
            Self::UvLock => uv_lock::read,
            Self::YarnLock => yarn_lock::read,
            Self::Unread(name) => {
                return Reading::unsupported(0, format!("{name} is known, but this release does not read it"));
            }
        };
        match door::open(bytes) {
            Ok(text) => reader(&text),
            Err(fault) => Reading::failed(fault.line, fault.message),
        }
    }
}

/// `requirements.txt`, `requirements-dev.txt`, `dev-requirements.txt`, `requirements/dev.txt` and their like.
fn is_requirements(folder: &str, name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".txt") else { return false };
    let in_folder = folder == "requirements" || folder.ends_with("/requirements");
    in_folder || stem.starts_with("requirements") || stem.ends_with("requirements")
}
