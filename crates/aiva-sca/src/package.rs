//! The words every reader and the matcher share: an ecosystem, a package as a lockfile names it, and what became of a file.
//!
//! Pure data. Readers under [`crate::inventory`] produce it, [`crate::matching`] judges it; neither knows the other.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::system::{Distribution, System};
use crate::version::Order;

/// A package ecosystem, named as OSV names it (OSV schema, `affected[].package.ecosystem`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Ecosystem {
    /// Rust crates.
    CratesIo,
    /// Node packages.
    Npm,
    /// Python distributions.
    PyPi,
    /// Go modules, with `stdlib` and `toolchain`.
    Go,
    /// Java artifacts.
    Maven,
    /// .NET packages.
    NuGet,
    /// Ruby gems.
    RubyGems,
    /// PHP's composer packages.
    Packagist,
    /// Dart and Flutter packages.
    Pub,
    /// Erlang and Elixir packages.
    Hex,
    /// C and C++ recipes of Conan's public centre.
    ConanCenter,
    /// R packages.
    Cran,
    /// Haskell packages.
    Hackage,
    /// Swift packages, by the address of their repository.
    SwiftUrl,
    /// Steps of GitHub workflows.
    GitHubActions,
    /// Pods. OSV has no advisories by this name, so a pod is listed and never judged.
    CocoaPods,
    /// Packages of a Linux distribution, at one of its releases or at all of them.
    System(System),
}

/// What tells one ecosystem from another.
struct Traits {
    osv_name: &'static str,
    order: Order,
    purl_type: &'static str,
}

impl Ecosystem {
    /// Every ecosystem, in a stable order; of distributions, all releases together.
    pub const ALL: [Self; 36] = {
        let mut all = [Self::CocoaPods; 36];
        let mut at = 0;
        while at < Self::LANGUAGES.len() {
            all[at] = Self::LANGUAGES[at];
            at += 1;
        }
        let mut of = 0;
        while of < Distribution::ALL.len() {
            all[at + of] = Self::System(System::family(Distribution::ALL[of]));
            of += 1;
        }
        all
    };

    /// The ecosystems of programming languages, in a stable order.
    pub const LANGUAGES: [Self; 16] = [
        Self::CratesIo,
        Self::Npm,
        Self::PyPi,
        Self::Go,
        Self::Maven,
        Self::NuGet,
        Self::RubyGems,
        Self::Packagist,
        Self::Pub,
        Self::Hex,
        Self::ConanCenter,
        Self::Cran,
        Self::Hackage,
        Self::SwiftUrl,
        Self::GitHubActions,
        Self::CocoaPods,
    ];

    fn traits(self) -> Traits {
        let (osv_name, order, purl_type) = match self {
            Self::CratesIo => ("crates.io", Order::Semver, "cargo"),
            Self::Npm => ("npm", Order::Npm, "npm"),
            Self::PyPi => ("PyPI", Order::Pep440, "pypi"),
            Self::Go => ("Go", Order::Go, "golang"),
            Self::Maven => ("Maven", Order::Maven, "maven"),
            Self::NuGet => ("NuGet", Order::NuGet, "nuget"),
            Self::RubyGems => ("RubyGems", Order::RubyGems, "gem"),
            Self::Packagist => ("Packagist", Order::Packagist, "composer"),
            Self::Pub => ("Pub", Order::Pub, "pub"),
            Self::Hex => ("Hex", Order::Semver, "hex"),
            Self::ConanCenter => ("ConanCenter", Order::Conan, "conan"),
            Self::Cran => ("CRAN", Order::Cran, "cran"),
            Self::Hackage => ("Hackage", Order::Hackage, "hackage"),
            Self::SwiftUrl => ("SwiftURL", Order::Semver, "swift"),
            Self::GitHubActions => ("GitHub Actions", Order::Semver, "githubactions"),
            Self::CocoaPods => ("CocoaPods", Order::RubyGems, "cocoapods"),
            Self::System(system) => {
                let distribution = system.distribution();
                (system.osv_name(), distribution.order(), distribution.purl_type())
            }
        };
        Traits { osv_name, order, purl_type }
    }

    /// OSV's name, also the folder name in the public export.
    pub fn osv_name(self) -> &'static str {
        self.traits().osv_name
    }

    /// The order of its versions.
    pub fn order(self) -> Order {
        self.traits().order
    }

    /// The package URL type (purl-spec, `PURL-TYPES`).
    pub fn purl_type(self) -> &'static str {
        self.traits().purl_type
    }

    /// Whether OSV publishes advisories under this name.
    pub fn has_advisories(self) -> bool {
        match self {
            Self::CocoaPods => false,
            Self::System(system) => system.distribution().has_advisories(),
            _ => true,
        }
    }

    /// The distribution and release, where it is one.
    pub const fn system(self) -> Option<System> {
        match self {
            Self::System(system) => Some(system),
            _ => None,
        }
    }

    /// All releases together, which is what the index has in one place.
    #[must_use]
    pub const fn family(self) -> Self {
        match self {
            Self::System(system) => Self::System(System::family(system.distribution())),
            other => other,
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.osv_name())
    }
}

impl FromStr for Ecosystem {
    type Err = UnknownEcosystem;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let language = || Self::LANGUAGES.into_iter().find(|e| e.osv_name() == name);
        let system = || System::of(name).map(Self::System);
        language().or_else(system).ok_or_else(|| UnknownEcosystem(name.to_owned()))
    }
}

/// A name that is none of [`Ecosystem::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown ecosystem {0:?}; known are {known}", known = Ecosystem::ALL.map(Ecosystem::osv_name).join(", "))]
pub struct UnknownEcosystem(pub String);

/// What a dependency is needed for, as far as the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Scope {
    /// Needed at run time, or the file does not tell scopes apart.
    #[default]
    Runtime,
    /// Only for developing or testing.
    Dev,
    /// Only for building.
    Build,
    /// Installed only if wanted or possible.
    Optional,
    /// Expected to be supplied by the dependant.
    Peer,
}

impl Scope {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Dev => "dev",
            Self::Build => "build",
            Self::Optional => "optional",
            Self::Peer => "peer",
        }
    }
}

/// Where the file says that the package comes from. Only [`Source::Registry`] is matched against public advisories by
/// name: a workspace member or a git dependency that happens to share a public name is another package.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Source {
    /// The ecosystem's public registry, or the file does not say otherwise.
    #[default]
    Registry,
    /// Another registry or index, by address.
    PrivateRegistry(String),
    /// A git repository, by address.
    Git(String),
    /// A folder, a workspace member or a local archive.
    Path(String),
    /// A direct download, by address.
    Url(String),
}

/// One package at one exact version, as one place in one file names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Which ecosystem's names and version order apply.
    pub ecosystem: Ecosystem,
    /// The name as the advisories spell it (PyPI: PEP 503 normalised; Go: the module path; npm: with scope).
    pub name: SmolStr,
    /// The exact version as the file has it, without a leading `=` or Go's leading `v`.
    pub version: SmolStr,
    /// The line that names it, from 1.
    pub line: u32,
    /// Whether the project itself asks for it; `None` where the file alone cannot tell.
    pub direct: Option<bool>,
    /// What it is needed for.
    pub scope: Scope,
    /// Where it comes from.
    pub source: Source,
    /// Licence expressions that the file itself states, verbatim.
    pub licenses: Licenses,
    /// What an installed package was built from and came with; what forces a version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Box<Origin>>,
}

/// Licence expressions as a file states them, verbatim. Many packages state the same few, and share them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Licenses(Option<Arc<[String]>>);

impl Deref for Licenses {
    type Target = [String];

    fn deref(&self) -> &Self::Target {
        self.0.as_deref().unwrap_or_default()
    }
}

impl From<Vec<String>> for Licenses {
    fn from(all: Vec<String>) -> Self {
        Self((!all.is_empty()).then(|| all.into()))
    }
}

impl From<Licenses> for Vec<String> {
    fn from(all: Licenses) -> Self {
        all.to_vec()
    }
}

impl FromIterator<String> for Licenses {
    fn from_iter<T: IntoIterator<Item = String>>(all: T) -> Self {
        all.into_iter().collect::<Vec<_>>().into()
    }
}

/// Where an installed package is from, or who says its version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Origin {
    /// The source package that it was built from, where that has another name or version: most distributions' advisories are
    /// about source packages.
    pub built_from: Option<BuiltFrom>,
    /// The layer of the image that brought it: `layer 2 of 5 (sha256:0123456789ab)`.
    pub layer: Option<String>,
    /// The table of a manifest that forces the version upon everybody who asks for the package: `pnpm.overrides`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced_by: Option<Box<str>>,
    /// The mirror of the public registry that it comes from, by address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Box<str>>,
}

/// A source package.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BuiltFrom {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Package {
    /// A package of the public registry that is needed at run time; whether it is direct is open.
    pub fn new(ecosystem: Ecosystem, name: impl Into<SmolStr>, version: impl Into<SmolStr>, line: u32) -> Self {
        Self {
            ecosystem,
            name: name.into(),
            version: version.into(),
            line,
            direct: None,
            scope: Scope::Runtime,
            source: Source::Registry,
            licenses: Licenses::default(),
            origin: None,
        }
    }

    /// The mirror of the public registry that it comes from, by address.
    pub fn mirror(&self) -> Option<&str> {
        self.origin.as_ref()?.mirror.as_deref()
    }

    /// The source package that it was built from, where that has another name or version.
    pub fn built_from(&self) -> Option<&BuiltFrom> {
        self.origin.as_ref()?.built_from.as_ref()
    }
}

impl NotJudged {
    /// An entry that is no version of a public package.
    pub fn new(
        ecosystem: Ecosystem,
        name: impl Into<SmolStr>,
        requirement: impl Into<SmolStr>,
        line: u32,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            ecosystem,
            name: name.into(),
            requirement: requirement.into(),
            line,
            reason: reason.into(),
            is_range: false,
            is_settled: false,
            scope: Scope::Runtime,
            forced_by: None,
            elsewhere: None,
        }
    }

    /// The same, where the reason settles it: see [`Self::is_settled`].
    #[must_use]
    pub(crate) fn settled(self) -> Self {
        Self { is_settled: true, ..self }
    }

    /// The same, as a range that is asked of another registry than the public one.
    #[must_use]
    pub(crate) fn of_registry(mut self, registry: &str, requirement: impl Into<SmolStr>) -> Self {
        self.is_range = false;
        self.reason = not_a_mirror(registry).into();
        self.elsewhere = Some(Box::new(Elsewhere { registry: registry.into(), requirement: Some(requirement.into()) }));
        self
    }

    /// What is asked for is asked of another registry than the public one.
    pub(crate) fn ask_of(&mut self, registry: &str) {
        let requirement = std::mem::take(&mut self.is_range).then(|| self.requirement.clone());
        self.reason = not_a_mirror(registry).into();
        self.elsewhere = Some(Box::new(Elsewhere { registry: registry.into(), requirement }));
    }

    /// The registry for which it is not judged.
    pub fn registry(&self) -> Option<&str> {
        self.elsewhere.as_ref().filter(|_| !self.is_range).map(|elsewhere| &*elsewhere.registry)
    }

    /// A range that the registry is asked for is one of the public package, because it is a mirror.
    pub(crate) fn make_public(&mut self) {
        let Some(requirement) = self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.requirement.clone()) else {
            return;
        };
        self.requirement = requirement;
        self.is_range = true;
        self.reason = A_RANGE.into();
    }
}

/// Why what comes from another registry is not judged.
pub(crate) fn not_a_mirror(registry: &str) -> String {
    format!("it comes from {registry}{NO_MIRROR}")
}

/// What stands behind the address of a registry that is not known.
pub const NO_MIRROR: &str =
    ", which is not known as a mirror (`sca.mirrors` in aiva.toml), so a public name may be another package there";

/// Why what is no pin is not judged by itself.
pub(crate) const A_RANGE: &str = "a range, not a pinned version; a lockfile would pin it";

/// Another registry than the public one, and what it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Elsewhere {
    /// By address, or by the name that a tool has for it.
    pub registry: Box<str>,
    /// The range of versions, if it is one.
    pub requirement: Option<SmolStr>,
}

/// An entry that names a package without pinning it to one version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NotJudged {
    /// Which ecosystem the name belongs to.
    pub ecosystem: Ecosystem,
    /// The package's name.
    pub name: SmolStr,
    /// The requirement as written (`^1.2`, `>=2,<3`, empty for none).
    pub requirement: SmolStr,
    /// The line that names it, from 1.
    pub line: u32,
    /// Why it was not judged, for a person: "a range, not a pinned version".
    pub reason: Cow<'static, str>,
    /// Whether the requirement is a range of the public package, in the ecosystem's own syntax, that can be judged as such.
    pub is_range: bool,
    /// Whether nothing is open about it: no tool goes by it, or what another entry says is judged in its place. `why` shows it, and it
    /// is no gap.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_settled: bool,
    /// What the package is needed for.
    pub scope: Scope,
    /// The table of the manifest that forces it upon everybody who asks for the package: `pnpm.overrides`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced_by: Option<Box<str>>,
    /// Where it is asked for, if not of the public registry; where it is judged, that is a mirror.
    #[serde(skip)]
    pub elsewhere: Option<Box<Elsewhere>>,
}

/// Something in a file that could not be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// The line, from 1; 0 when the whole file is meant.
    pub line: u32,
    /// What is wrong and what to do, for a person.
    pub message: String,
}

/// What became of a file. Every file that is seen ends in exactly one of these; none is passed over in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// Read to the end, everything understood.
    Parsed,
    /// Some entries could not be understood; [`Problem`]s say which lines.
    Partial,
    /// A kind or a format version that this release does not read.
    Unsupported,
    /// Could not be read at all.
    Failed,
}

impl Status {
    /// The word used in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parsed => "parsed",
            Self::Partial => "partial",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
        }
    }
}

/// The name of a format: one of ours, or what another release calls one.
pub type KindName = Cow<'static, str>;

/// One file and everything that was learnt from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Relative to the scan's root, with `/` between parts.
    pub path: String,
    /// The format, by the name of its usual file: `package-lock.json`, `Cargo.lock`.
    #[serde(deserialize_with = "crate::snapshot::kind")]
    pub kind: KindName,
    /// How reading ended.
    pub status: Status,
    /// Packages pinned to one version.
    pub packages: Vec<Package>,
    /// Entries without a pin.
    pub not_judged: Vec<NotJudged>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Who needs whom, as indexes into `packages`; empty where the format does not say.
    pub edges: Vec<(u32, u32)>,
    /// What is out of the ordinary about the way by which packages come.
    #[serde(skip)]
    pub signs: Vec<Sign>,
    /// Who of the project asks for what, and under which name, where the packages and their edges do not tell.
    #[serde(skip)]
    pub asks: Vec<Ask>,
}

/// A folder of the project that asks for a package, or another name that a package has in the file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The folder, where the file has no package of its own for it; empty for the topmost.
    pub folder: Option<String>,
    /// The name under which it is asked for: an alias, or the package's own.
    pub name: String,
    /// The package's own name.
    pub package: String,
    /// The line that names the package, from 1.
    pub line: u32,
}

impl Ask {
    /// Whether it is about this package.
    pub fn is_for(&self, package: &Package) -> bool {
        self.line == package.line && self.package == package.name
    }
}

/// Something out of the ordinary that a file says of one of its packages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sign {
    /// Whose names and versions apply.
    pub ecosystem: Ecosystem,
    /// The package's name.
    pub name: SmolStr,
    /// Its version; empty where the file has none.
    pub version: SmolStr,
    /// The line that names it, from 1.
    pub line: u32,
    /// What it is.
    pub fact: Fact,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file, below the scan's root.
    pub path: String,
    /// The line, from 1; 0 where it is not known.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.path),
            line => write!(f, "{}:{line}", self.path),
        }
    }
}

/// What a lockfile has where its manifest asks for something else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Locked {
    /// This version, which is not one of those that the manifest allows.
    Version(String),
    /// A version that the manifest allows, chosen when it still had this requirement.
    Requirement(String),
    /// A version that only something else needs: the manifest did not ask for it when the lockfile was written.
    Unasked,
}

/// What is out of the ordinary.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Fact {
    /// Installing it runs a script of its own.
    InstallScript,
    /// Its authors tell users to stop, in these words.
    Deprecated(String),
    /// Nothing says what its archive must hash to.
    NoIntegrity,
    /// Only a broken hash function says so.
    WeakIntegrity(&'static str),
    /// It comes over a connection that anybody on the way can change.
    PlainHttp {
        /// From where, without credentials.
        address: String,
        /// Whether a good hash would notice.
        is_checked: bool,
    },
    /// It comes from a git repository without saying which commit.
    MovingGit(String),
    /// A workflow runs it by a branch or a tag, not by a commit.
    MovingAction(String),
    /// Its archive is that of another package or version of the same registry.
    Elsewhere(String),
    /// It stands in the lockfile under this name of another package, and nobody asks for that.
    Renamed(String),
    /// The manifest asks for it, and the lockfile does not have it.
    NotLocked {
        /// Where the manifest does, or the file that says it for the manifest.
        manifest: Place,
        /// What it asks for.
        asked: String,
    },
    /// The manifest asks for something else than what the lockfile has.
    LockedOtherwise {
        /// Where the manifest does, or the file that says it for the manifest.
        manifest: Place,
        /// What it asks for.
        asked: String,
        /// What the lockfile has in its place.
        has: Locked,
    },
    /// The manifest takes it from elsewhere than the public registry.
    Outside(Source),
}
