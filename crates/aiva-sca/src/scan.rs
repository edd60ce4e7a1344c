//! Judges everything that was read from a target by an advisory index.
//!
//! Pure: inputs were read before, the index is open. Nothing is passed over in silence: what could not be judged is listed with
//! its reason, and packages that are deliberately not matched by name are counted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use rapidhash::RapidHashMap;
use rayon::prelude::*;

use crate::advisory::{Damage, Index, IndexedEcosystem};
use crate::finding::{Finding, Introduced, Paths, Verdict};
use crate::graph::{Graph, Walker};
use crate::matching::{Judge, Judgement};
use crate::name::behind_npm;
use crate::package::{Ecosystem, Input, NotJudged, Package, Scope, Source, not_a_mirror};
use crate::purl::purl;
use crate::system;
use crate::version::Requirement;

/// What a scan found and what it could not say.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanResult {
    /// In the order of the inputs, then by line, then worst first.
    pub findings: Vec<Finding>,
    /// In the order of the inputs, then by line.
    pub not_judged: Vec<Unjudged>,
    /// In the order of the inputs, then by line.
    pub can_resolve: Vec<Possible>,
    /// Packages that are not the public ones of their name.
    pub outside: Outside,
    /// What it was judged by.
    pub advisories: Advisories,
}

/// The state of the index that a scan was judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisories {
    /// See [`Index::epoch`].
    pub epoch: u64,
    /// When the index was built.
    pub built_at: Timestamp,
    /// What it holds.
    pub ecosystems: Vec<IndexedEcosystem>,
}

/// An entry of a file about which nothing, or not everything, can be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unjudged {
    /// The file, relative to the scan's root.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// Whose names and versions apply.
    pub ecosystem: Ecosystem,
    /// The package.
    pub name: String,
    /// Its version, or the requirement as written.
    pub requirement: String,
    /// Why, for a person.
    pub reason: String,
    /// The registry that it comes from, where that is why.
    pub registry: Option<Box<str>>,
}

/// An entry without a pin that allows affected and other versions alike. What it resolves to on the day of the installation
/// decides, so it is neither a finding nor an entry that nothing is known of.
#[derive(Debug, Clone, PartialEq)]
pub struct Possible {
    /// The file, relative to the scan's root.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// Whose names and versions apply.
    pub ecosystem: Ecosystem,
    /// The package.
    pub name: String,
    /// The range as written.
    pub requirement: String,
    /// What the package is needed for.
    pub scope: Scope,
    /// What affects some of what it allows, worst first.
    pub verdicts: Vec<Arc<Verdict>>,
    /// The first version that it allows from which on nothing that it allows is affected.
    pub safe_from: Option<String>,
    /// Where that is not known: the version that it allows after which nothing that it allows is affected.
    pub safe_after: Option<String>,
    /// Whether the least version that it allows is named and affected.
    pub is_least_affected: bool,
    /// Whether every version that it allows is affected, by one vulnerability or another.
    pub is_never_safe: bool,
}

/// Packages that share a namespace with the public registry but come from elsewhere, so that public advisories do not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outside {
    /// Folders, workspace members, local archives.
    pub path: u64,
    /// Git repositories.
    pub git: u64,
    /// Direct downloads.
    pub url: u64,
    /// Other registries.
    pub private_registry: u64,
}

/// What is said of one input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judged {
    /// By line, then worst first.
    pub findings: Vec<Finding>,
    /// By line.
    pub not_judged: Vec<Unjudged>,
    /// By line.
    pub can_resolve: Vec<Possible>,
    /// Packages that are not the public ones of their name.
    pub outside: Outside,
}

/// Judges the packages of all inputs.
///
/// Fails only when the index is damaged: then no answer could be trusted.
pub fn scan(inputs: &[Input], index: &Index) -> Result<ScanResult, Damage> {
    let judging = Judging::new(index);
    let judged: Vec<Judged> = inputs.par_iter().map(|input| judging.judge(input)).collect::<Result<_, _>>()?;
    let mut result = ScanResult {
        findings: Vec::new(),
        not_judged: Vec::new(),
        can_resolve: Vec::new(),
        outside: Outside::default(),
        advisories: Advisories { epoch: index.epoch(), built_at: index.built_at(), ecosystems: index.ecosystems() },
    };
    for one in judged {
        result.findings.extend(one.findings);
        result.not_judged.extend(one.not_judged);
        result.can_resolve.extend(one.can_resolve);
        result.outside.add(one.outside);
    }
    Ok(result)
}

impl ScanResult {
    /// Nothing was judged, because there is nothing to judge by.
    pub fn unjudged() -> Self {
        Self {
            findings: Vec::new(),
            not_judged: Vec::new(),
            can_resolve: Vec::new(),
            outside: Outside::default(),
            advisories: Advisories { epoch: 0, built_at: Timestamp::UNIX_EPOCH, ecosystems: Vec::new() },
        }
    }
}

/// The judging of one scan, input by input, from any number of threads. What is said of a version of a package is found out once
/// for all inputs, and is the same whatever their order.
#[derive(Debug)]
pub struct Judging<'i> {
    index: &'i Index,
    judge: Judge,
}

impl<'i> Judging<'i> {
    /// By this index.
    pub fn new(index: &'i Index) -> Self {
        Self { index, judge: Judge::default() }
    }

    /// Judges the packages of one input.
    pub fn judge(&self, input: &Input) -> Result<Judged, Damage> {
        let named = self.look_up(input)?;
        let (introduced, path) = (introducers(input, &named), Arc::from(input.path.as_str()));
        let mut judged = Judged::default();
        for entry in input.not_judged.iter().filter(|entry| !entry.is_settled) {
            self.judge_open((input, &path), entry, &mut judged)?;
        }
        // The packages of a file are nearly always those of one ecosystem.
        let mut known = None;
        for package in &input.packages {
            judged.outside.count(&package.source);
            let mut is_known = || match known {
                Some((ecosystem, has)) if ecosystem == package.ecosystem => has,
                _ => known.insert((package.ecosystem, self.index.has(package.ecosystem))).1,
            };
            match &package.source {
                Source::Registry if !is_known() => {
                    let reason = format!("the advisory index has nothing on {}", package.ecosystem);
                    judged.not_judged.push(unjudged(input, package, reason));
                }
                // A mirror and a company's own registry look alike, so the public name proves nothing either way.
                Source::PrivateRegistry(registry) => {
                    let of_registry = Some(registry.as_str().into());
                    let entry = unjudged(input, package, not_a_mirror(registry));
                    judged.not_judged.push(Unjudged { registry: of_registry, ..entry });
                }
                Source::Registry | Source::Git(_) | Source::Path(_) | Source::Url(_) => {}
            }
        }
        let mut before = (usize::MAX, 0);
        for Named { at, package, judgement } in &named {
            if before.0 != *at {
                before = (*at, judged.findings.len());
            }
            // What a distribution says of the source package and of what was built from it is one thing.
            let said: HashSet<String> =
                judged.findings[before.1..].iter().map(|finding| finding.verdict.id.clone()).collect();
            let new = judgement.verdicts.iter().filter(|verdict| !said.contains(&verdict.id));
            judged.findings.extend(new.map(|verdict| Finding {
                verdict: with_origin(verdict, package),
                ecosystem: package.ecosystem,
                name: package.name.clone(),
                version: package.version.clone(),
                purl: purl(package.ecosystem, &package.name, &package.version),
                path: Arc::clone(&path),
                line: package.line,
                column: None,
                direct: package.direct,
                scope: package.scope,
                introduced: introduced.get(at).cloned(),
            }));
            if let Some(unknown) = &judgement.unknown {
                judged.not_judged.push(unjudged(input, package, unknown.reason(&package.name)));
            }
        }
        // Stable: within a line the verdicts keep their own order.
        judged.findings.sort_by(|a, b| (a.line, &a.name).cmp(&(b.line, &b.name)));
        judged.not_judged.sort_by(|a, b| (a.line, &a.name).cmp(&(b.line, &b.name)));
        judged.can_resolve.sort_by(|a, b| (a.line, &a.name).cmp(&(b.line, &b.name)));
        Ok(judged)
    }

    /// The packages of an input of which an advisory says something, in the order of the file.
    fn look_up<'a>(&self, input: &'a Input) -> Result<Vec<Named<'a>>, Damage> {
        let mut named = Vec::new();
        let public = |package: &&Package| package.source == Source::Registry;
        for (at, package) in input.packages.iter().enumerate().filter(|(_, package)| public(package)) {
            let (first, second) = asked(package);
            for (name, version) in std::iter::once(first).chain(second) {
                let Some(entry) = self.index.entry(package.ecosystem, name)? else { continue };
                if let Some(judgement) = self.judge.judged(package.ecosystem, &entry, version)? {
                    named.push(Named { at, package, judgement });
                }
            }
        }
        Ok(named)
    }

    /// Judges an entry without a pin by all that it allows: always affected, can resolve to an affected version, or never.
    fn judge_open(
        &self,
        (input, path): (&Input, &Arc<str>),
        entry: &NotJudged,
        judged: &mut Judged,
    ) -> Result<(), Damage> {
        let open = |reason: String| Unjudged {
            path: input.path.clone(),
            line: entry.line,
            ecosystem: entry.ecosystem,
            name: entry.name.to_string(),
            requirement: entry.requirement.to_string(),
            reason,
            registry: entry.registry().map(Into::into),
        };
        let requirement =
            if entry.is_range { Requirement::parse(entry.ecosystem, range_of(&entry.requirement)) } else { None };
        let Some(requirement) = requirement.filter(|_| self.index.has(entry.ecosystem)) else {
            judged.not_judged.push(open(entry.reason.clone().into_owned()));
            return Ok(());
        };
        let Some(known) = self.index.entry(entry.ecosystem, &entry.name)? else { return Ok(()) };
        let judgement = self.judge.judge_range(entry.ecosystem, &known, &entry.requirement, &requirement)?;
        judged.findings.extend(judgement.always.into_iter().map(|verdict| Finding {
            verdict: with_force(verdict, entry),
            ecosystem: entry.ecosystem,
            name: entry.name.clone(),
            version: entry.requirement.clone(),
            purl: purl(entry.ecosystem, &entry.name, ""),
            path: Arc::clone(path),
            line: entry.line,
            column: None,
            direct: Some(true),
            scope: entry.scope,
            introduced: None,
        }));
        if !judgement.possible.is_empty() {
            judged.can_resolve.push(Possible {
                path: input.path.clone(),
                line: entry.line,
                ecosystem: entry.ecosystem,
                name: entry.name.to_string(),
                requirement: entry.requirement.to_string(),
                scope: entry.scope,
                verdicts: judgement.possible.into_iter().map(|verdict| with_force(verdict, entry)).collect(),
                safe_from: judgement.safe_from,
                safe_after: judgement.safe_after,
                is_least_affected: judgement.is_least_affected,
                is_never_safe: judgement.is_never_safe,
            });
        }
        judged.not_judged.extend(judgement.unknown.map(open));
        Ok(())
    }
}

/// The range behind an npm alias (`npm:left-pad@^1`), or behind `npm:` alone.
pub(crate) fn range_of(requirement: &str) -> &str {
    match requirement.strip_prefix("npm:") {
        Some(alias) => behind_npm(alias).1,
        None => requirement,
    }
}

/// A package of which some advisory says something.
struct Named<'a> {
    /// Its place among the input's packages.
    at: usize,
    package: &'a Package,
    /// On its version, or on that of its source package.
    judgement: Arc<Judgement>,
}

/// Under which names, and at which versions, advisories may speak of a package.
fn asked(package: &Package) -> ((&str, &str), Option<(&str, &str)>) {
    let own = (&*package.name, &*package.version);
    let source = package.built_from().map(|source| (&*source.name, &*source.version));
    match package.ecosystem.system().map(|system| system.distribution().named()) {
        Some(system::Named::Source) => (source.unwrap_or(own), None),
        Some(system::Named::Either) => (own, source.filter(|source| source.0 != own.0)),
        None => (own, None),
    }
}

/// A verdict in the words of the package at hand: what it was built from, and what brought it.
fn with_origin(verdict: &Arc<Verdict>, package: &Package) -> Arc<Verdict> {
    let Some(origin) = &package.origin else { return Arc::clone(verdict) };
    let mut told = Verdict::clone(verdict);
    if let Some(source) = &origin.built_from {
        told.reason = format!("built from {} {}; {}", source.name, source.version, told.reason);
    }
    if let Some(layer) = &origin.layer {
        told.reason = format!("{}; it came with {layer}", told.reason);
    }
    if let Some(table) = &origin.forced_by {
        told.reason = format!("forced by {table}; {}", told.reason);
    }
    Arc::new(told)
}

/// A verdict in the words of the entry at hand: what forces it.
fn with_force(verdict: Arc<Verdict>, entry: &NotJudged) -> Arc<Verdict> {
    let Some(table) = &entry.forced_by else { return verdict };
    let reason = format!("forced by {table}; {}", verdict.reason);
    Arc::new(Verdict { reason, ..Verdict::clone(&verdict) })
}

/// The most paths that a finding lists.
const MOST_PATHS: usize = 20;

/// The most packages of one file whose ways in are looked for: each costs a walk over what leads to it.
const MOST_WALKS: usize = 2_000;

/// How the affected packages of an input come in, by their place in it.
fn introducers(input: &Input, named: &[Named<'_>]) -> HashMap<usize, Arc<Introduced>> {
    let affected = named.iter().filter(|named| !named.judgement.verdicts.is_empty());
    let affected: Vec<usize> = affected.map(|named| named.at).take(MOST_WALKS).collect();
    if affected.is_empty() {
        return HashMap::new();
    }
    let Some(graph) = Graph::of(input) else { return HashMap::new() };
    let (mut walker, mut steps) = (graph.walker(), RapidHashMap::default());
    let way = |at: usize| Some((at, Arc::new(introduced(input, &mut walker, at, MOST_PATHS, &mut steps)?)));
    affected.into_iter().filter_map(way).collect()
}

/// How one package of an input comes in; `steps` has the packages that were named on the way to others.
pub fn introduced(
    input: &Input,
    walker: &mut Walker<'_, '_>,
    at: usize,
    most: usize,
    steps: &mut RapidHashMap<usize, Arc<str>>,
) -> Option<Introduced> {
    let paths = walker.paths(at, most)?;
    let mut step = |at: usize| {
        let name = || input.packages.get(at).map_or_else(String::new, label).into();
        Arc::clone(steps.entry(at).or_insert_with(name))
    };
    let lengths = paths.shortest.iter().map(Vec::len);
    let named = Paths::of(paths.shortest.iter().flatten().map(|at| step(*at)), lengths);
    Some(Introduced { paths: named, count: paths.count, depth: paths.depth })
}

/// A package as a step of a path: `name version`.
pub fn label(package: &Package) -> String {
    let (name, version) = (package.name.as_str(), package.version.trim_end());
    if version.is_empty() { name.trim_end().to_owned() } else { [name, " ", version].concat() }
}

fn unjudged(input: &Input, package: &Package, reason: String) -> Unjudged {
    Unjudged {
        path: input.path.clone(),
        line: package.line,
        ecosystem: package.ecosystem,
        name: package.name.to_string(),
        requirement: package.version.to_string(),
        reason,
        registry: None,
    }
}

impl Outside {
    /// Adds the counts of another input.
    fn add(&mut self, more: Self) {
        let Self { path, git, url, private_registry } = more;
        self.path += path;
        self.git += git;
        self.url += url;
        self.private_registry += private_registry;
    }

    fn count(&mut self, source: &Source) {
        match source {
            Source::Registry => {}
            Source::PrivateRegistry(_) => self.private_registry += 1,
            Source::Git(_) => self.git += 1,
            Source::Path(_) => self.path += 1,
            Source::Url(_) => self.url += 1,
        }
    }
}
