//! Which order of versions an ecosystem of the OSV schema has (OSV schema, `affected[].package.ecosystem`).
//!
//! Several ecosystems share one order: Ubuntu sorts as Debian does, Rocky Linux as RPM does. A release after a colon
//! (`Debian:12`, `Alpine:v3.20`) does not change it.

/// An order of versions, by the tool that defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    /// semver.org 2.0.0 as cargo, Hex, Swift and others read it.
    Semver,
    /// node-semver's loose reading.
    Npm,
    /// Go modules, pseudo-versions and Go's own release tags.
    Go,
    /// PEP 440, with what setuptools made of older texts below it.
    Pep440,
    /// Maven's `ComparableVersion`.
    Maven,
    /// Dart's pub: semver in which build metadata counts.
    Pub,
    /// NuGet: four numbers, a pre-release without regard to case.
    NuGet,
    /// `Gem::Version`.
    RubyGems,
    /// Composer's: `composer/semver` makes versions uniform, PHP's `version_compare` compares them.
    Packagist,
    /// Numbers between dots, more of them sort higher: Hackage.
    Hackage,
    /// R's `utils::compareVersion`: as Hackage, with dashes as well. (`package_version` pads with zeros: there `3.6` is `3.6.0`.)
    Cran,
    /// Conan's extension of semver.
    Conan,
    /// dpkg's `verrevcmp` with epoch and revision; opam's is the same.
    Debian,
    /// `rpmvercmp` with epoch and release.
    Rpm,
    /// apk-tools' `apk_version_compare`.
    Alpine,
}

/// Every name that is known, as OSV writes it, and its order.
const NAMES: &[(&str, Order)] = &[
    ("AlmaLinux", Order::Rpm),
    ("Alpaquita", Order::Alpine),
    ("Alpine", Order::Alpine),
    ("Azure Linux", Order::Rpm),
    ("BellSoft Hardened Containers", Order::Alpine),
    ("Bioconductor", Order::Cran),
    ("Bitnami", Order::Semver),
    ("CRAN", Order::Cran),
    ("Chainguard", Order::Alpine),
    ("ConanCenter", Order::Conan),
    ("Debian", Order::Debian),
    ("GHC", Order::Hackage),
    ("GitHub Actions", Order::Semver),
    ("Go", Order::Go),
    ("Hackage", Order::Hackage),
    ("Hex", Order::Semver),
    ("Julia", Order::Semver),
    ("Linux", Order::Semver),
    ("Mageia", Order::Rpm),
    ("Maven", Order::Maven),
    ("MinimOS", Order::Alpine),
    ("NuGet", Order::NuGet),
    ("Packagist", Order::Packagist),
    ("Photon OS", Order::Rpm),
    ("Pub", Order::Pub),
    ("PyPI", Order::Pep440),
    ("Red Hat", Order::Rpm),
    ("Rocky Linux", Order::Rpm),
    ("RubyGems", Order::RubyGems),
    ("SUSE", Order::Rpm),
    ("SwiftURL", Order::Semver),
    ("Ubuntu", Order::Debian),
    ("VSCode", Order::Semver),
    ("Wolfi", Order::Alpine),
    ("crates.io", Order::Semver),
    ("npm", Order::Npm),
    ("opam", Order::Debian),
    ("openEuler", Order::Rpm),
    ("openSUSE", Order::Rpm),
];

impl Order {
    /// The order of an ecosystem by OSV's name, with or without a release after a colon; `None` where we know none.
    pub fn of(osv_name: &str) -> Option<Self> {
        let family = osv_name.split(':').next().unwrap_or(osv_name);
        NAMES.iter().find(|(name, _)| *name == family).map(|(_, order)| *order)
    }

    /// The names that [`Order::of`] knows, sorted.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}
