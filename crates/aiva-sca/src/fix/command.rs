//! The commands that move lockfiles once their manifests are edited.

use std::collections::BTreeSet;

use super::ask::{Entry, Move};
use super::{Case, Group, Run, compiled, folder, quoted};
use crate::inventory::Kind;
use crate::package::{Ecosystem, Package};

/// Under which names an installer knows what is to be moved: an alias has its own, whoever asks for it.
pub(super) fn names(group: &Group<'_>, entries: &[Entry], going: &[&Move]) -> Vec<String> {
    if group.ecosystem != Ecosystem::Npm {
        return vec![quoted(group.name)];
    }
    let mut names: BTreeSet<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let others = going.iter().filter(|step| !entries.iter().any(|entry| entry.held.contains(&step.from)));
    let others: BTreeSet<&str> = others.map(|step| step.from.as_str()).collect();
    let is_meant = |one: &&Package| one.name == group.name && others.contains(&*one.version);
    for package in group.input.packages.iter().filter(is_meant) {
        let before = names.len();
        let aliases = group.input.asks.iter().filter(|ask| ask.is_for(package)).map(|ask| ask.name.as_str());
        names.extend(aliases);
        if names.len() == before {
            names.insert(group.name);
        }
    }
    names.into_iter().map(quoted).collect()
}

/// How Composer's command begins; the names of packages follow.
const COMPOSER_UPDATE: &str = "composer update --with-all-dependencies ";

/// What moves a lockfile, which may be of its first format, or brings it in line with its manifest.
pub(super) fn of(kind: Kind, names: &[String], going: &[&Move], is_first: bool) -> Option<String> {
    let first = going.first()?;
    let (name, to) = (names.join(" "), quoted(&first.to));
    Some(match kind {
        Kind::PackageLock | Kind::Shrinkwrap if is_first => format!("npm update --lockfile-version 1 {name}"),
        Kind::PackageLock | Kind::Shrinkwrap => format!("npm update {name}"),
        Kind::PnpmLock => format!("pnpm update -r --depth Infinity {name}"),
        Kind::YarnLock if is_first => format!("yarn upgrade {name}"),
        Kind::YarnLock => format!("yarn up -R {name}"),
        Kind::PoetryLock => format!("poetry update {name}"),
        Kind::UvLock if going.len() == 1 => format!("uv lock --upgrade-package {name}=={to}"),
        Kind::UvLock => format!("uv lock --upgrade-package {name}"),
        Kind::PipfileLock => format!("pipenv update {name}"),
        Kind::BunLock => format!("bun update {name}"),
        Kind::ComposerLock => format!("{COMPOSER_UPDATE}{name}"),
        Kind::GemfileLock | Kind::GemsLocked => format!("bundle update --conservative {name}"),
        Kind::MixLock => format!("mix deps.update {name}"),
        Kind::PdmLock => format!("pdm update {name}"),
        Kind::PodfileLock => format!("pod update {name}"),
        Kind::PubspecLock => format!("dart pub upgrade {name}"),
        Kind::GoSum => format!("go get {name}@v{to}"),
        Kind::GradleLock => format!("gradle dependencies --update-locks {}", name.replace(' ', ",")),
        Kind::NuGetLock => "dotnet restore --force-evaluate".to_owned(),
        _ => return None,
    })
}

/// The commands, each once.
pub(super) fn told(mut commands: Vec<Run>, cases: &[Case<'_>]) -> Vec<Run> {
    commands.sort();
    commands.dedup_by(|a, b| {
        let same = a.folder == b.folder && (a.command == b.command || goes_with(&mut b.command, &a.command));
        if same {
            b.clears.append(&mut a.clears);
            b.brought_by.append(&mut a.brought_by);
        }
        same
    });
    let stays: BTreeSet<(&str, &str)> = cases
        .iter()
        .filter(|case| case.stays.is_some())
        .flat_map(|case| case.findings.iter().map(|finding| (folder(case.path), finding.verdict.id.as_str())))
        .collect();
    for run in &mut commands {
        run.clears.sort();
        run.clears.dedup();
        run.brought_by.sort();
        run.brought_by.dedup();
        let folder = run.folder.clone();
        run.clears.retain(|id| !stays.contains(&(folder.as_str(), id.as_str())));
    }
    commands
}

/// Whether a command was taken into the one before it. Composer holds what it is not told of at the locked version, which a manifest that
/// was changed for two packages contradicts: it must be told of all at once.
fn goes_with(before: &mut String, command: &str) -> bool {
    let Some(names) = command.strip_prefix(COMPOSER_UPDATE).filter(|_| before.starts_with(COMPOSER_UPDATE)) else {
        return compiled::goes_with(before, command);
    };
    before.push(' ');
    before.push_str(names);
    true
}
