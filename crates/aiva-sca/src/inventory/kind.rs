//! Which files are known, by name, and which reader each of them gets.
//!
//! To add a format: a variant, its name in [`Kind::of`], its reader in [`Kind::read`], golden files under
//! `tests/locks/`, a fuzz target.

use super::reading::Reading;
use super::workspaces::{Alone, Tell};
use super::{
    bill, build_gradle, bun_lock, cargo_lock, cargo_toml, composer_json, composer_lock, conan_lock, deno_json,
    deno_lock, door, gemfile, gemfile_lock, go_mod, go_sum, gradle_lock, haskell_lock, mix_exs, mix_lock, npm_lock,
    nuget_lock, nuget_xml, package_json, package_resolved, pdm_lock, pipfile, pipfile_lock, pnpm_lock, pnpm_workspace,
    podfile_lock, poetry_lock, pom_xml, pubspec_lock, pubspec_yaml, pyproject, renv_lock, requirements, setup_cfg,
    unread, uv_lock, vendor_modules, version_catalog, workflow, yarn_lock,
};
use crate::package::Status;

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
    /// bun's lockfile.
    BunLock,
    /// Composer's lockfile.
    ComposerLock,
    /// deno's lockfile.
    DenoLock,
    /// Bundler's lockfile.
    GemfileLock,
    /// Bundler's lockfile under its other name.
    GemsLocked,
    /// Go's list of modules that are built together.
    GoWork,
    /// Go's list of hashes; read only beside a manifest that does not name every module, never found by itself.
    GoSum,
    /// mix's lockfile.
    MixLock,
    /// The lockfile of Swift's package manager.
    PackageResolved,
    /// pdm's lockfile.
    PdmLock,
    /// CocoaPods' lockfile.
    PodfileLock,
    /// Dart's lockfile.
    PubspecLock,
    /// Python's standard lockfile (PEP 751).
    Pylock,
    /// Go's list of vendored modules.
    VendorModules,
    /// A GitHub workflow or a composite action.
    Workflow,
    /// cabal's pins.
    CabalFreeze,
    /// Conan's lockfile.
    ConanLock,
    /// What a .NET program was published with.
    DepsJson,
    /// A .NET project file, or the versions that several share.
    DotnetProject,
    /// gradle's lockfile.
    GradleLock,
    /// NuGet's lockfile.
    NuGetLock,
    /// NuGet's older list of packages.
    PackagesConfig,
    /// Maven's manifest.
    PomXml,
    /// A gradle build, in Groovy or Kotlin.
    BuildGradle,
    /// Composer's manifest.
    ComposerJson,
    /// deno's configuration.
    DenoJson,
    /// Bundler's manifest.
    Gemfile,
    /// mix's manifest.
    MixExs,
    /// Dart's manifest.
    PubspecYaml,
    /// What pnpm keeps for a workspace; its overrides are read.
    PnpmWorkspace,
    /// renv's lockfile.
    RenvLock,
    /// stack's lockfile.
    StackLock,
    /// gradle's list of checksums.
    VerificationMetadata,
    /// setuptools' older manifest.
    SetupCfg,
    /// gradle's catalog of versions.
    VersionCatalog,
    /// A bill of materials, CycloneDX or SPDX.
    Bill,
    /// A kind that this release knows by name, but does not read.
    Unread(&'static str),
}

impl Kind {
    /// Whether a lockfile of this kind, when it was read, makes it no loss that not all of this kind was: such a manifest is a
    /// program, and the lockfile has all of what it asks for.
    pub(crate) fn is_covered_by(self, lock: Self) -> bool {
        matches!(self, Self::BuildGradle | Self::Gemfile | Self::MixExs) && lock.locks() == Some(self)
    }

    /// The kind of the file with this name in this folder, if it is known.
    pub fn of(folder: &str, name: &str) -> Option<Self> {
        Some(match name {
            "build.gradle" | "build.gradle.kts" => Self::BuildGradle,
            "composer.json" => Self::ComposerJson,
            "deno.json" | "deno.jsonc" => Self::DenoJson,
            "Gemfile" | "gems.rb" => Self::Gemfile,
            "mix.exs" => Self::MixExs,
            "pubspec.yaml" => Self::PubspecYaml,
            "pnpm-workspace.yaml" => Self::PnpmWorkspace,
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
            "bun.lock" => Self::BunLock,
            "composer.lock" => Self::ComposerLock,
            "deno.lock" => Self::DenoLock,
            "Gemfile.lock" => Self::GemfileLock,
            "gems.locked" => Self::GemsLocked,
            "go.work" => Self::GoWork,
            "mix.lock" => Self::MixLock,
            "Package.resolved" => Self::PackageResolved,
            "pdm.lock" => Self::PdmLock,
            "Podfile.lock" => Self::PodfileLock,
            "pubspec.lock" => Self::PubspecLock,
            "pylock.toml" => Self::Pylock,
            "cabal.project.freeze" => Self::CabalFreeze,
            "conan.lock" => Self::ConanLock,
            "packages.lock.json" => Self::NuGetLock,
            "packages.config" => Self::PackagesConfig,
            "pom.xml" => Self::PomXml,
            "renv.lock" => Self::RenvLock,
            "stack.yaml.lock" => Self::StackLock,
            "verification-metadata.xml" => Self::VerificationMetadata,
            "Directory.Packages.props" | "Directory.Build.props" | "Directory.Build.targets" => Self::DotnetProject,
            name if is_project(name) => Self::DotnetProject,
            name if name.ends_with(".deps.json") => Self::DepsJson,
            "setup.cfg" => Self::SetupCfg,
            name if name.ends_with(".versions.toml") => Self::VersionCatalog,
            "modules.txt" if folder == "vendor" || folder.ends_with("/vendor") => Self::VendorModules,
            name if is_gradle_lock(folder, name) => Self::GradleLock,
            name if is_bill(name) => Self::Bill,
            name if is_workflow(folder, name) => Self::Workflow,
            name if is_requirements(folder, name) => Self::Requirements,
            _ => return unread::kind(name),
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
            Self::BunLock => "bun.lock",
            Self::ComposerLock => "composer.lock",
            Self::DenoLock => "deno.lock",
            Self::GemfileLock => "Gemfile.lock",
            Self::GemsLocked => "gems.locked",
            Self::GoWork => "go.work",
            Self::GoSum => "go.sum",
            Self::MixLock => "mix.lock",
            Self::PackageResolved => "Package.resolved",
            Self::PdmLock => "pdm.lock",
            Self::PodfileLock => "Podfile.lock",
            Self::PubspecLock => "pubspec.lock",
            Self::Pylock => "pylock.toml",
            Self::VendorModules => "vendor/modules.txt",
            Self::Workflow => "GitHub workflow",
            Self::CabalFreeze => "cabal.project.freeze",
            Self::ConanLock => "conan.lock",
            Self::DepsJson => "deps.json",
            Self::DotnetProject => "csproj",
            Self::GradleLock => "gradle.lockfile",
            Self::NuGetLock => "packages.lock.json",
            Self::PackagesConfig => "packages.config",
            Self::PomXml => "pom.xml",
            Self::RenvLock => "renv.lock",
            Self::StackLock => "stack.yaml.lock",
            Self::VerificationMetadata => "verification-metadata.xml",
            Self::SetupCfg => "setup.cfg",
            Self::VersionCatalog => "libs.versions.toml",
            Self::BuildGradle => "build.gradle",
            Self::ComposerJson => "composer.json",
            Self::DenoJson => "deno.json",
            Self::Gemfile => "Gemfile",
            Self::MixExs => "mix.exs",
            Self::PubspecYaml => "pubspec.yaml",
            Self::PnpmWorkspace => "pnpm-workspace.yaml",
            Self::Bill => "bill of materials",
            Self::Unread(name) => name,
        }
    }

    /// Whether it pins versions, so that leaving it out leaves packages out.
    pub fn is_lockfile(self) -> bool {
        match self {
            Self::GoMod
            | Self::Requirements
            | Self::ComposerLock
            | Self::DenoLock
            | Self::GemfileLock
            | Self::GemsLocked
            | Self::GoSum
            | Self::MixLock
            | Self::PackageResolved
            | Self::PodfileLock
            | Self::PubspecLock
            | Self::VendorModules
            | Self::CabalFreeze
            | Self::ConanLock
            | Self::GradleLock
            | Self::PackagesConfig
            | Self::RenvLock
            | Self::StackLock
            | Self::VerificationMetadata
            | Self::DepsJson
            | Self::Bill => true,
            Self::Unread(name) => ["lock", ".resolved", ".snapshot"].iter().any(|part| name.contains(part)),
            kind => kind.locks().is_some(),
        }
    }

    /// The manifest whose versions a lockfile of this kind pins.
    pub(crate) const fn locks(self) -> Option<Self> {
        match self {
            Self::CargoLock => Some(Self::CargoToml),
            Self::PackageLock | Self::Shrinkwrap | Self::YarnLock | Self::PnpmLock | Self::BunLock => {
                Some(Self::PackageJson)
            }
            Self::PipfileLock => Some(Self::Pipfile),
            Self::NuGetLock => Some(Self::DotnetProject),
            Self::ComposerLock => Some(Self::ComposerJson),
            Self::DenoLock => Some(Self::DenoJson),
            Self::GemfileLock | Self::GemsLocked => Some(Self::Gemfile),
            Self::MixLock => Some(Self::MixExs),
            Self::PubspecLock => Some(Self::PubspecYaml),
            Self::GradleLock => Some(Self::BuildGradle),
            Self::PoetryLock | Self::UvLock | Self::PdmLock | Self::Pylock => Some(Self::PyProject),
            Self::CargoToml
            | Self::GoMod
            | Self::PackageJson
            | Self::Pipfile
            | Self::PyProject
            | Self::Requirements
            | Self::GoWork
            | Self::GoSum
            | Self::PackageResolved
            | Self::PodfileLock
            | Self::VendorModules
            | Self::Workflow
            | Self::CabalFreeze
            | Self::ConanLock
            | Self::PackagesConfig
            | Self::RenvLock
            | Self::StackLock
            | Self::VerificationMetadata
            | Self::DepsJson
            | Self::DotnetProject
            | Self::PomXml
            | Self::SetupCfg
            | Self::VersionCatalog
            | Self::Bill
            | Self::BuildGradle
            | Self::ComposerJson
            | Self::DenoJson
            | Self::Gemfile
            | Self::MixExs
            | Self::PubspecYaml
            | Self::PnpmWorkspace
            | Self::Unread(_) => None,
        }
    }

    /// Whether the tool that writes it writes something even where there is nothing to lock.
    fn is_never_empty(self) -> bool {
        // `pip freeze` and `go mod vendor` may have nothing to say, a `go.sum` may have no line.
        self.is_lockfile() && !matches!(self, Self::Requirements | Self::VendorModules | Self::GoSum)
    }

    /// Reads a file of this kind that stands alone.
    pub fn read(self, bytes: &[u8]) -> Reading {
        self.read_as(bytes, &Alone)
    }

    /// Reads a file of this kind, which is told of its workspace where that makes a difference.
    pub(crate) fn read_as(self, bytes: &[u8], tell: &dyn Tell) -> Reading {
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
            Self::SetupCfg => setup_cfg::read,
            Self::VersionCatalog => version_catalog::read,
            Self::CabalFreeze => haskell_lock::read_freeze,
            Self::ConanLock => conan_lock::read,
            Self::DepsJson => nuget_lock::read_deps,
            Self::DotnetProject => nuget_xml::read_project,
            Self::GradleLock => gradle_lock::read,
            Self::NuGetLock => nuget_lock::read,
            Self::PackagesConfig => nuget_xml::read_config,
            Self::PomXml => pom_xml::read,
            Self::RenvLock => renv_lock::read,
            Self::StackLock => haskell_lock::read_stack,
            Self::VerificationMetadata => pom_xml::read_verification,
            Self::BunLock => bun_lock::read,
            Self::ComposerLock => composer_lock::read,
            Self::DenoLock => deno_lock::read,
            Self::GemfileLock | Self::GemsLocked => gemfile_lock::read,
            Self::GoWork => go_mod::read_work,
            Self::GoSum => go_sum::read,
            Self::MixLock => mix_lock::read,
            Self::PackageResolved => package_resolved::read,
            Self::PdmLock => pdm_lock::read,
            Self::PodfileLock => podfile_lock::read,
            Self::PubspecLock => pubspec_lock::read,
            Self::Pylock => pdm_lock::read_pylock,
            Self::VendorModules => vendor_modules::read,
            Self::Workflow => workflow::read,
            Self::BuildGradle => build_gradle::read,
            Self::ComposerJson => composer_json::read,
            Self::DenoJson => deno_json::read,
            Self::Gemfile => gemfile::read,
            Self::MixExs => mix_exs::read,
            Self::PubspecYaml => pubspec_yaml::read,
            Self::PnpmWorkspace => |text: &str| pnpm_workspace::read(text, &Alone),
            Self::Bill => bill::read,
            Self::Unread(name) => {
                return Reading::unsupported(0, unread::said(name));
            }
        };
        // The largest of all files. No line of JSON begins with what marks a conflict, so there is none in what is read to its end.
        let is_json = matches!(self, Self::PackageLock | Self::Shrinkwrap);
        let reading = match if is_json { door::text(bytes) } else { door::open(bytes) } {
            // Yarn takes an empty file for the mark of a project of its own.
            Ok(text) if self == Self::YarnLock && text.trim().is_empty() => Reading::mark(),
            Ok(text) if self.is_never_empty() && text.trim().is_empty() => {
                Reading::failed(0, format!("an empty file: what writes {} never leaves it empty", self.name()))
            }
            Ok(text) => match self {
                Self::PackageJson => package_json::read_as(&text, tell),
                Self::PyProject => pyproject::read_as(&text, tell),
                Self::PnpmWorkspace => pnpm_workspace::read(&text, tell),
                _ => reader(&text),
            },
            Err(fault) => Reading::failed(fault.line, fault.message),
        };
        if is_json
            && reading.status != Status::Parsed
            && let Err(fault) = door::open(bytes)
        {
            return Reading::failed(fault.line, fault.message);
        }
        reading
    }
}

/// The names that CycloneDX and SPDX ask for, and that tools use.
fn is_bill(name: &str) -> bool {
    let ends = [".cdx.json", ".cdx.xml", ".cyclonedx.json", ".cyclonedx.xml", ".spdx.json", ".spdx3.json"];
    matches!(name, "bom.json" | "bom.xml" | "sbom.json" | "cyclonedx.json" | "spdx.json")
        || ends.iter().any(|end| name.ends_with(end))
}

/// `gradle.lockfile`, with a prefix for what the build itself is made of, and the files of older gradles and of own names.
fn is_gradle_lock(folder: &str, name: &str) -> bool {
    let in_folder = folder == "gradle/dependency-locks" || folder.ends_with("/gradle/dependency-locks");
    name == "gradle.lockfile" || name.ends_with("-gradle.lockfile") || (in_folder && name.ends_with(".lockfile"))
}

/// A project file of one of .NET's languages.
fn is_project(name: &str) -> bool {
    [".csproj", ".fsproj", ".vbproj"].iter().any(|end| name.ends_with(end))
}

/// A file of `.github/workflows`, or the description of an action.
fn is_workflow(folder: &str, name: &str) -> bool {
    let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    let in_folder = folder == ".github/workflows" || folder.ends_with("/.github/workflows");
    is_yaml && (in_folder || matches!(name, "action.yml" | "action.yaml"))
}

/// `requirements.txt`, `requirements-dev.txt`, `dev-requirements.txt`, `requirements/dev.txt` and their like, and with `.in` what they
/// are compiled from.
fn is_requirements(folder: &str, name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".txt").or_else(|| name.strip_suffix(".in")) else { return false };
    let in_folder = folder == "requirements" || folder.ends_with("/requirements");
    in_folder || stem.starts_with("requirements") || stem.ends_with("requirements")
}
