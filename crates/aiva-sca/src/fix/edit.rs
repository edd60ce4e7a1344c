//! One package moved in one manifest, everything else left to the byte.

use std::collections::BTreeSet;
use std::ops::Range;

use toml_edit::{Document, Table};

use super::ask::{Ask, Edited, Entry, Refused, Shared, Stands};
use super::declared::Declared;
use super::entries::{Entries, Spots};
use super::requirement::dropped;
use super::spans::{Lines, Spans, parted};
use super::{cargo, catalog, golang, gradle, markup, object, program, python};
use crate::inventory::{Kind, Tell, without_secret};
use crate::package::Ecosystem;
use crate::scan::range_of;
use crate::version::{Requirement, Version};

/// What was read of a manifest once for all packages, with the places of what it says.
pub(super) enum Seen {
    Markup(markup::Sheet),
    Entries(Entries),
    Gradle(gradle::Build),
    Workspace(program::Workspace),
    Module(golang::Module),
    Lines(Lines),
    Declared(Declared),
    /// A manifest that is not edited.
    Nothing,
}

#[cfg(test)]
thread_local! {
    /// How often a file was gone through, so that a test can tell.
    pub(super) static READS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Seen {
    /// Reads a manifest, without what nobody reads of it; an error says why it is not edited.
    pub(super) fn read(kind: Kind, text: &str, tell: &dyn Tell) -> Result<Self, String> {
        #[cfg(test)]
        READS.set(READS.get() + 1);
        let (_, text) = parted(text);
        let toml = |find: &dyn Fn(&Table, &mut Spots)| {
            let document = Document::parse(text).map_err(|error| format!("not TOML: {}", error.message()))?;
            let mut spots = Spots::default();
            find(document.as_table(), &mut spots);
            Ok::<_, String>(Self::Entries(Entries::of(spots.0)))
        };
        Ok(match kind {
            Kind::PackageJson | Kind::ComposerJson => Self::Entries(object::entries(text, kind, tell)?),
            Kind::CargoToml => toml(&cargo::cargo_toml)?,
            Kind::PyProject => toml(&|document, spots| python::pyproject(document, tell, spots))?,
            Kind::VersionCatalog => toml(&catalog::catalog)?,
            Kind::Pipfile => toml(&python::pipfile)?,
            Kind::PnpmWorkspace if tell.pnpm().is_some_and(|one| !one.may_be_taken()) => {
                Self::Workspace(program::Workspace::read(""))
            }
            Kind::PnpmWorkspace => Self::Workspace(program::Workspace::read(text)),
            Kind::Requirements | Kind::Workflow => Self::Lines(Lines::read(text)),
            Kind::Gemfile | Kind::MixExs | Kind::PubspecYaml => Self::Declared(Declared::read(kind, text)),
            Kind::GoMod => Self::Module(golang::Module::read(text)),
            Kind::PomXml | Kind::DotnetProject => Self::Markup(markup::Sheet::read(kind, text)?),
            Kind::BuildGradle => Self::Gradle(gradle::Build::read(text)),
            _ => Self::Nothing,
        })
    }

    /// What moving a package puts where in the text that was read; an error says why nothing could be.
    pub(super) fn edit(&self, kind: Kind, text: &str, ask: &Ask<'_>) -> Result<Edited, String> {
        let (_, text) = parted(text);
        Ok(match self {
            Self::Markup(sheet) => sheet.edit(ask),
            Self::Entries(entries) => entries.edit(text, ask),
            Self::Gradle(build) => build.edit(text, ask),
            Self::Workspace(workspace) => workspace.edit(text, ask),
            Self::Module(module) => golang::go_mod(text, module, ask),
            Self::Lines(lines) if kind == Kind::Workflow => program::workflow(text, lines, ask),
            Self::Lines(lines) => python::requirements(text, lines, ask),
            Self::Declared(declared) => declared.edit(ask)?,
            Self::Nothing => {
                let (name, to) = (kind.name(), ask.highest());
                return Err(format!(
                    "{} requirements are not edited in {name}; move it to {to} by hand",
                    ask.ecosystem
                ));
            }
        })
    }
}

/// Whether manifests of this kind are edited.
pub(super) const fn is_edited(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::PackageJson
            | Kind::ComposerJson
            | Kind::Gemfile
            | Kind::MixExs
            | Kind::PubspecYaml
            | Kind::PnpmWorkspace
            | Kind::CargoToml
            | Kind::PyProject
            | Kind::Requirements
            | Kind::GoMod
            | Kind::PomXml
            | Kind::DotnetProject
            | Kind::BuildGradle
            | Kind::Workflow
            | Kind::VersionCatalog
            | Kind::Pipfile
    )
}

/// What an edit of one entry learns and leaves behind.
pub(super) struct Pen<'a> {
    pub(super) ask: &'a Ask<'a>,
    pub(super) entries: Vec<Entry>,
    pub(super) refused: Vec<Refused>,
    /// Who has a version from the places where one was put.
    pub(super) shared: Shared,
    puts: Spans,
    /// The entry at hand as its reader puts it, where that may be something else than what is written.
    pub(super) said: Option<String>,
    drops: BTreeSet<String>,
}

impl<'a> Pen<'a> {
    pub(super) fn new(ask: &'a Ask<'a>) -> Self {
        Self {
            ask,
            entries: Vec::new(),
            refused: Vec::new(),
            shared: Shared::new(),
            puts: Spans::default(),
            said: None,
            drops: BTreeSet::new(),
        }
    }

    /// The requirement of an entry after the move, by these rules; `None` where it stays as it is.
    pub(super) fn write(
        &mut self,
        key: &str,
        old: &str,
        rule: impl FnOnce(&str, &str) -> Option<String>,
    ) -> Option<String> {
        let Ask { ecosystem, stands, .. } = *self.ask;
        let said = self.said.as_deref().filter(|_| stands == Stands::Here).unwrap_or(old);
        let (to, held) = self.ask.to(said)?;
        let new = rule(old, to);
        let is_enough = stands == Stands::Locked && takes_newest(ecosystem) && holds(ecosystem, old, to);
        if new.is_none() && !is_enough {
            self.refused.push(Refused { reason: refusal(key, old), held: Some(held) });
            return None;
        }
        // What is safe as it is was not meant.
        let new = new.filter(|new| stands != Stands::HereSomehow || !takes_newest(ecosystem) || new != old);
        self.drops.extend(new.iter().flat_map(|new| dropped(old, new)));
        let (key, old, to, is_kept) = (key.to_owned(), old.to_owned(), to.to_owned(), new.is_none());
        self.entries.push(Entry { key, old, to, held, is_kept, property: None, at: None });
        new
    }

    /// As [`Pen::write`], where the version is that of a property.
    pub(super) fn write_property(
        &mut self,
        property: &str,
        old: &str,
        rule: impl FnOnce(&str, &str) -> Option<String>,
    ) -> Option<String> {
        let new = self.write(property, old, rule)?;
        if let Some(last) = self.entries.last_mut() {
            last.property = Some(property.to_owned());
        }
        Some(new)
    }

    /// Notes why an entry cannot be moved.
    pub(super) fn refuse(&mut self, reason: String) {
        self.refused.push(reason.into());
    }

    /// Puts what was written last in its place.
    pub(super) fn put(&mut self, place: Range<usize>, new: String) {
        if let Some(last) = self.entries.last_mut() {
            last.at.get_or_insert(place.start);
            self.puts.put(place, new, &last.to);
        }
    }

    /// What was learnt, with what is put where.
    pub(super) fn edited(self) -> Edited {
        let Self { entries, refused, shared, puts, drops, .. } = self;
        Edited { puts, entries, refused, shared, drops, ..Edited::default() }
    }
}

/// Whether the tools of an ecosystem take the newest version that a requirement allows when a lockfile is to move.
const fn takes_newest(ecosystem: Ecosystem) -> bool {
    use Ecosystem::{CratesIo, Hex, Npm, Packagist, Pub, PyPi, RubyGems};
    matches!(ecosystem, CratesIo | Hex | Npm | Packagist | Pub | PyPi | RubyGems)
}

/// Why a requirement is not moved.
pub(super) fn refusal(name: &str, requirement: &str) -> String {
    format!("{name} is asked for as {:?}, which no version can be put into", without_secret(requirement))
}

/// Whether a requirement allows a version.
pub(super) fn holds(ecosystem: Ecosystem, requirement: &str, version: &str) -> bool {
    let allowed = Requirement::parse(ecosystem, range_of(requirement.trim()));
    allowed.zip(Version::parse(ecosystem, version)).is_some_and(|(allowed, version)| allowed.holds(version.key()))
}

#[cfg(test)]
mod tests;
