//! The rules about the supply chain: their stable names, levels and words. `docs/supply-chain.md` explains each.

use crate::severity::Level;

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// A name with letters of another alphabet that reads like a well-known one.
    Homoglyph,
    /// A name one mistake away from a well-known one.
    Typosquat,
    /// An archive that is that of another package or version.
    ResolvedElsewhere,
    /// A download that anybody on the way can change.
    PlainHttp,
    /// A download that anybody on the way can change, with a hash that would notice.
    PlainHttpChecked,
    /// No hash to hold a download to.
    IntegrityMissing,
    /// Only a broken hash function.
    IntegrityWeak,
    /// A git repository without a commit.
    GitUnpinned,
    /// A workflow's action without a commit.
    ActionUnpinned,
    /// The manifest asks for what the lockfile does not have, or has otherwise.
    NotLocked,
    /// A package from elsewhere than a registry.
    NotRegistry,
    /// A script that runs at installation.
    InstallScript,
    /// A package that its authors tell users to leave.
    Deprecated,
    /// A package of somebody's namespace from another place than theirs.
    DependencyConfusion,
    /// A package of somebody's namespace of which the file does not say where it comes from.
    NamespaceUnproven,
    /// A package from elsewhere with the name of a public one.
    ConfusableName,
}

impl Rule {
    /// Every rule, the gravest first.
    pub const ALL: [Self; 16] = [
        Self::DependencyConfusion,
        Self::Homoglyph,
        Self::Typosquat,
        Self::ResolvedElsewhere,
        Self::PlainHttp,
        Self::PlainHttpChecked,
        Self::IntegrityMissing,
        Self::IntegrityWeak,
        Self::GitUnpinned,
        Self::ActionUnpinned,
        Self::NotLocked,
        Self::NotRegistry,
        Self::InstallScript,
        Self::Deprecated,
        Self::ConfusableName,
        Self::NamespaceUnproven,
    ];

    /// The name in reports and exceptions; part of a finding's identity, never changed.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Homoglyph => "supply-homoglyph",
            Self::Typosquat => "supply-typosquat",
            Self::ResolvedElsewhere => "supply-resolved-elsewhere",
            Self::PlainHttp => "supply-plain-http",
            Self::PlainHttpChecked => "supply-plain-http-checked",
            Self::IntegrityMissing => "supply-integrity-missing",
            Self::IntegrityWeak => "supply-integrity-weak",
            Self::GitUnpinned => "supply-git-unpinned",
            Self::ActionUnpinned => "supply-action-unpinned",
            Self::NotLocked => "supply-not-locked",
            Self::NotRegistry => "supply-not-registry",
            Self::InstallScript => "supply-install-script",
            Self::Deprecated => "supply-deprecated",
            Self::DependencyConfusion => "supply-dependency-confusion",
            Self::NamespaceUnproven => "supply-namespace-unproven",
            Self::ConfusableName => "supply-confusable-name",
        }
    }

    /// How bad, in general.
    pub const fn level(self) -> Level {
        match self {
            Self::Homoglyph | Self::ResolvedElsewhere | Self::DependencyConfusion => Level::High,
            Self::PlainHttp => Level::Medium,
            Self::Typosquat | Self::GitUnpinned => Level::Low,
            Self::PlainHttpChecked
            | Self::IntegrityMissing
            | Self::IntegrityWeak
            | Self::ActionUnpinned
            | Self::NotLocked
            | Self::NotRegistry
            | Self::InstallScript
            | Self::Deprecated
            | Self::NamespaceUnproven
            | Self::ConfusableName => Level::Informational,
        }
    }

    /// One line.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Homoglyph => "name imitates a well-known package with letters of another alphabet",
            Self::Typosquat => "name is one mistake away from a well-known package",
            Self::ResolvedElsewhere => "lockfile downloads another package's archive",
            Self::PlainHttp => "downloaded without encryption and without a good hash",
            Self::PlainHttpChecked => "downloaded without encryption",
            Self::IntegrityMissing => "lockfile has packages without a hash",
            Self::IntegrityWeak => "lockfile has packages with a broken hash function only",
            Self::GitUnpinned => "git dependency without a commit",
            Self::ActionUnpinned => "workflow runs an action without a commit",
            Self::NotLocked => "manifest and lockfile disagree",
            Self::NotRegistry => "comes from outside of a registry",
            Self::InstallScript => "runs a script at installation",
            Self::Deprecated => "deprecated by its authors",
            Self::DependencyConfusion => "comes from another place than its namespace",
            Self::NamespaceUnproven => "nothing says that it comes from the registry of its namespace",
            Self::ConfusableName => "bears the name of a public package",
        }
    }

    /// What to do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Homoglyph | Self::Typosquat => {
                "Look at who publishes it. If it is the package that you meant, put its name into `trusted_names` of \
                 `[sca.supply]`; if not, remove it and treat the machines that installed it as breached."
            }
            Self::ResolvedElsewhere => {
                "Somebody or some tool edited the lockfile: the named package is not what will be installed. Restore the \
                 lockfile from a version that you trust, or write it anew from the manifest, and look at who changed it."
            }
            Self::PlainHttp | Self::PlainHttpChecked => {
                "Use the registry's `https` address and write the lockfile anew."
            }
            Self::IntegrityMissing | Self::IntegrityWeak => {
                "Let a current release of the package manager write the lockfile anew; it will take the hashes from the \
                 registry."
            }
            Self::GitUnpinned => "Name a full commit: a branch or a tag can be moved to other code at any time.",
            Self::ActionUnpinned => {
                "Whoever controls the action's repository can move a tag or a branch to other code, which then runs with the \
                 workflow's secrets. Name a full commit with the release behind it: `@8e5e7e5... # v4.1.0`."
            }
            Self::NotLocked => {
                "The installation will not be the locked one, or not what the manifest asks for. Look at who changed which of \
                 the two, write the lockfile anew, and install with the command that refuses to change it (`npm ci`, \
                 `pipenv sync`)."
            }
            Self::NotRegistry => {
                "Public advisories do not apply to it, and nobody keeps its old versions for you. Nothing is wrong if that \
                 is what you want."
            }
            Self::InstallScript => {
                "The script runs with your rights on every machine that installs. Where it is not needed, install with \
                 scripts off (`npm install --ignore-scripts`, pnpm's `onlyBuiltDependencies`)."
            }
            Self::DependencyConfusion => {
                "Whoever publishes the name there decides what is installed. If it is not yours, treat the machines that \
                 installed it as breached. Bind the names to their registry in the package manager's own settings (a scope in \
                 `.npmrc`, an explicit index of uv, Poetry or Pipenv, a source mapping of NuGet), write the lockfile anew, and \
                 take the name at the public registry for yourself."
            }
            Self::NamespaceUnproven => {
                "This format does not record registries, so the package manager's settings decide on every machine anew. Bind \
                 the names to their registry there, and have the mirror refuse them from anywhere else."
            }
            Self::ConfusableName => {
                "Public advisories about the name are not about this package, so they are not applied to it. Whoever installs \
                 without its source gets the public one; another name ends that. If the public one is yours too, say so: put the \
                 name, or the beginning of your names with `*`, into `[sca.namespaces]` with `registry = \"public\"`. If it is \
                 fine for another reason, put the name into `trusted_names` of `[sca.supply]`."
            }
            Self::Deprecated => "Plan to replace it; its authors will not mend it.",
        }
    }
}
