//! The smallest set of bumps that clears the findings: which version, in which manifest, and what to run afterwards.
//!
//! Pure: files come in as text and go out as text. A package gets one bump, to the lowest version that no advisory of the
//! index affects; the manifest keeps its formatting and the operator of its requirement. What no manifest asks for is the
//! lockfile's business: then the plan names the command that moves it, which works as far as the ranges of those who need it
//! allow. Nothing is passed over: what cannot be cleared is listed with its reason.
//!
//! Start reading at [`plan`].

mod edit;
mod program;
mod requirement;

use std::collections::{BTreeMap, BTreeSet};

use crate::advisory::{Damage, Index};
use crate::finding::Finding;
use crate::inventory::Kind;
use crate::matching::{Judge, Judgement};
use crate::package::{Ecosystem, Input};
use crate::version::Version;

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Manifests to rewrite, by path.
    pub edits: Vec<Edit>,
    /// Commands to run afterwards, each in a folder.
    pub commands: Vec<Run>,
    /// What cannot be cleared.
    pub remaining: Vec<Remaining>,
}

/// A manifest before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Relative to the scan's root.
    pub path: String,
    /// As it is.
    pub before: String,
    /// As it should be.
    pub after: String,
    /// What changes.
    pub bumps: Vec<Bump>,
}

/// One package that moves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bump {
    /// The package.
    pub name: String,
    /// Versions that are there now.
    pub from: Vec<String>,
    /// The version to move to.
    pub to: String,
    /// The findings that it clears.
    pub clears: Vec<String>,
}

/// A command that moves a lockfile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// The folder, relative to the scan's root; empty for the root itself.
    pub folder: String,
    /// The command line.
    pub command: String,
    /// The findings that it clears, where no manifest changes for them.
    pub clears: Vec<String>,
}

/// Findings that stay.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remaining {
    /// The file.
    pub path: String,
    /// The package and its version.
    pub package: String,
    /// The findings.
    pub ids: Vec<String>,
    /// Why they stay.
    pub reason: String,
}

/// All findings about one package in one file.
struct Wanted<'a> {
    ecosystem: Ecosystem,
    name: &'a str,
    versions: BTreeSet<&'a str>,
    ids: BTreeSet<&'a str>,
    lines: BTreeSet<u32>,
}

impl Wanted<'_> {
    fn bump(&self, to: &str) -> Bump {
        let owned = |set: &BTreeSet<&str>| set.iter().map(|one| (*one).to_owned()).collect();
        Bump { name: self.name.to_owned(), from: owned(&self.versions), to: to.to_owned(), clears: owned(&self.ids) }
    }

    fn remains(&self, path: &str, reason: String) -> Remaining {
        let versions: Vec<&str> = self.versions.iter().copied().collect();
        Remaining {
            path: path.to_owned(),
            package: format!("{} {}", self.name, versions.join(", ")),
            ids: self.ids.iter().map(|id| (*id).to_owned()).collect(),
            reason,
        }
    }
}

/// Plans the bumps that clear `findings`; `read` gives a file's text by its path below the root.
pub fn plan(
    inputs: &[Input],
    findings: &[&Finding],
    index: &Index,
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<Plan, Damage> {
    let mut grouped: BTreeMap<(&str, &str), Wanted<'_>> = BTreeMap::new();
    for finding in findings {
        let wanted = grouped.entry((&finding.path, &finding.name)).or_insert_with(|| Wanted {
            ecosystem: finding.ecosystem,
            name: &finding.name,
            versions: BTreeSet::new(),
            ids: BTreeSet::new(),
            lines: BTreeSet::new(),
        });
        wanted.versions.insert(&finding.version);
        wanted.ids.insert(&finding.verdict.id);
        wanted.lines.insert(finding.line);
    }
    let mut plan = Plan::default();
    let mut texts: BTreeMap<String, Edit> = BTreeMap::new();
    let judge = Judge::default();
    for ((path, name), wanted) in &grouped {
        let Some(kind) = inputs.iter().find(|input| input.path == *path).and_then(kind_of) else { continue };
        let of_package = findings.iter().filter(|finding| finding.path == *path && finding.name == *name);
        let Some(to) = target(wanted, of_package.copied(), index, &judge)? else {
            plan.remaining.push(wanted.remains(path, "no version is known that is free of all of it".to_owned()));
            continue;
        };
        let manifests = manifests(inputs, path, kind);
        let mut asked = false;
        let mut refused = None;
        for (manifest, manifest_kind) in manifests {
            let edit = texts.entry(manifest.clone());
            let edit = match edit {
                std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::btree_map::Entry::Vacant(free) => {
                    let Some(text) = read(&manifest) else { continue };
                    free.insert(Edit { path: manifest, before: text.clone(), after: text, bumps: Vec::new() })
                }
            };
            match edit::bump(manifest_kind, &edit.after, wanted.ecosystem, name, &to, &wanted.lines) {
                Ok(Some(after)) => {
                    asked = true;
                    if after != edit.after {
                        edit.after = after;
                        edit.bumps.push(wanted.bump(&to));
                    }
                }
                Ok(None) => {}
                Err(reason) => refused = Some(reason),
            }
        }
        match (command(kind, wanted, &to), asked, refused) {
            (_, false, Some(reason)) => plan.remaining.push(wanted.remains(path, reason)),
            (Some(command), asked, _) => plan.commands.push(Run {
                folder: folder(path).to_owned(),
                command,
                clears: if asked { Vec::new() } else { wanted.bump(&to).clears },
            }),
            (None, true, _) => {}
            (None, false, None) => {
                let reason = format!("no manifest here asks for it; it is free of this from {to} on");
                plan.remaining.push(wanted.remains(path, reason));
            }
        }
    }
    plan.edits = texts.into_values().filter(|edit| !edit.bumps.is_empty()).collect();
    plan.edits.iter_mut().for_each(|edit| edit.bumps.sort());
    plan.commands.sort();
    plan.commands.dedup_by(|a, b| {
        let same = a.folder == b.folder && a.command == b.command;
        if same {
            b.clears.append(&mut a.clears);
        }
        same
    });
    Ok(plan)
}

/// The lowest fixed version above all that are there which no advisory affects.
fn target<'f>(
    wanted: &Wanted<'_>,
    findings: impl Iterator<Item = &'f Finding>,
    index: &Index,
    judge: &Judge,
) -> Result<Option<String>, Damage> {
    let ecosystem = wanted.ecosystem;
    let mut candidates: Vec<(Version, &str)> = findings
        .flat_map(|finding| &finding.verdict.fixed_versions)
        .filter_map(|text| Some((Version::parse(ecosystem, text)?, text.as_str())))
        .collect();
    candidates.sort();
    candidates.dedup();
    // A finding of a range has the range in the version's place: its fixes are above its floor already.
    let highest = wanted.versions.iter().filter_map(|text| Version::parse(ecosystem, text)).max();
    let Some(entry) = index.entry(ecosystem, wanted.name)? else { return Ok(None) };
    for (version, text) in candidates {
        if highest.as_ref().is_some_and(|highest| version <= *highest) {
            continue;
        }
        let Judgement { verdicts, unknown } = judge.judge(ecosystem, &entry, text)?;
        if verdicts.is_empty() && unknown.is_none() {
            return Ok(Some(text.trim_start_matches('v').to_owned()));
        }
    }
    Ok(None)
}

fn kind_of(input: &Input) -> Option<Kind> {
    if input.kind == Kind::GoSum.name() {
        return Some(Kind::GoSum); // nobody's manifest: what it stands for is moved by the go command
    }
    let (folder, name) = input.path.rsplit_once('/').unwrap_or(("", &input.path));
    Kind::of(folder, name)
}

/// The manifests that may ask for what a file pins: the file itself, else those beside and below it.
fn manifests(inputs: &[Input], path: &str, kind: Kind) -> Vec<(String, Kind)> {
    let Some(manifest) = kind.locks() else {
        // A lockfile whose manifest is not edited is moved by its own tool.
        let is_manifest = !kind.is_lockfile() || matches!(kind, Kind::GoMod | Kind::Requirements);
        return if is_manifest { vec![(path.to_owned(), kind)] } else { Vec::new() };
    };
    let top = folder(path);
    let below = |path: &str| top.is_empty() || folder(path) == top || folder(path).starts_with(&format!("{top}/"));
    // A folder with a lockfile of its own is another project.
    let own_lock = |path: &str| {
        folder(path) != top
            && inputs.iter().any(|input| {
                folder(&input.path) == folder(path) && kind_of(input).is_some_and(|kind| kind.locks() == Some(manifest))
            })
    };
    let found = inputs.iter().filter(|input| kind_of(input) == Some(manifest) && below(&input.path));
    found.filter(|input| !own_lock(&input.path)).map(|input| (input.path.clone(), manifest)).collect()
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What moves the lockfile to a version, or brings it in line with its manifest.
fn command(kind: Kind, wanted: &Wanted<'_>, to: &str) -> Option<String> {
    let (name, to) = (quoted(wanted.name), quoted(to));
    Some(match kind {
        Kind::CargoLock => match wanted.versions.len() {
            1 => format!("cargo update -p {name} --precise {to}"),
            // Each line of versions moves within its own.
            _ => wanted
                .versions
                .iter()
                .map(|one| format!("cargo update -p {name}@{one}"))
                .collect::<Vec<_>>()
                .join(" && "),
        },
        Kind::PackageLock | Kind::Shrinkwrap => format!("npm update {name}"),
        Kind::PnpmLock => format!("pnpm update -r --depth Infinity {name}"),
        Kind::YarnLock => format!("yarn up -R {name}"),
        Kind::PoetryLock => format!("poetry update {name}"),
        Kind::UvLock => format!("uv lock --upgrade-package {name}=={to}"),
        Kind::PipfileLock => format!("pipenv update {name}"),
        Kind::BunLock => format!("bun update {name}"),
        Kind::ComposerLock => format!("composer update --with-all-dependencies {name}"),
        Kind::GemfileLock | Kind::GemsLocked => format!("bundle update --conservative {name}"),
        Kind::MixLock => format!("mix deps.update {name}"),
        Kind::PdmLock => format!("pdm update {name}"),
        Kind::PodfileLock => format!("pod update {name}"),
        Kind::PubspecLock => format!("dart pub upgrade {name}"),
        Kind::GoMod => "go mod tidy".to_owned(),
        Kind::GoSum => format!("go get {name}@v{to}"),
        _ => return None,
    })
}

/// A word as a shell takes it: names come out of files that anybody may have written.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '@' | '+');
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
