//! The words every reader and the matcher share: an ecosystem, a package as a lockfile names it, and what became of a file.
//!
//! Pure data. Readers under [`crate::inventory`] produce it, [`crate::matching`] judges it; neither knows the other.

mod ecosystem;
mod not_judged;
mod sign;

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

pub use ecosystem::{Ecosystem, UnknownEcosystem};
pub(crate) use not_judged::{A_RANGE, not_a_mirror};
pub use not_judged::{Elsewhere, NO_MIRROR, NotJudged};
pub use sign::{Fact, Locked, Place, Sign};

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
