//! What a file names without pinning it to a version of a public package, and why it is not judged by itself.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Ecosystem, Scope};

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
