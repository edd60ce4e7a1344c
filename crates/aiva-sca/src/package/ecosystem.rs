//! The ecosystems, by OSV's names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
