//! Judges everything that was read from a target by an advisory index.
//!
//! Pure: inputs were read before, the index is open. Nothing is passed over in silence: what could not be judged is listed with
//! its reason, and packages that are deliberately not matched by name are counted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use rayon::prelude::*;

use crate::advisory::{Damage, Entry, EntryId, Index, IndexedEcosystem};
use crate::finding::{Finding, Introduced, Verdict};
use crate::graph::Graph;
use crate::matching::{Judge, Judgement};
use crate::package::{Ecosystem, Input, NotJudged, Package, Scope, Source};
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

/// Judges the packages of all inputs.
///
/// Fails only when the index is damaged: then no answer could be trusted.
pub fn scan(inputs: &[Input], index: &Index) -> Result<ScanResult, Damage> {
    let looked_up: Vec<Vec<Named<'_>>> =
        inputs.par_iter().map(|input| look_up(input, index)).collect::<Result<_, _>>()?;
    let judge = Judge::default();
    let judgements = judge_all(&judge, &looked_up)?;
    let introduced: Vec<HashMap<usize, Arc<Introduced>>> =
        inputs.par_iter().zip(&looked_up).map(|(input, named)| introducers(input, named, &judgements)).collect();
    let mut result = ScanResult {
        findings: Vec::new(),
        not_judged: Vec::new(),
        can_resolve: Vec::new(),
        outside: Outside::default(),
        advisories: Advisories { epoch: index.epoch(), built_at: index.built_at(), ecosystems: index.ecosystems() },
    };
    for ((input, named), introduced) in inputs.iter().zip(&looked_up).zip(&introduced) {
        let first_finding = result.findings.len();
        let first_unjudged = result.not_judged.len();
        let first_possible = result.can_resolve.len();
        for entry in &input.not_judged {
            judge_open(input, entry, index, &judge, &mut result)?;
        }
        for package in &input.packages {
            result.outside.count(&package.source);
            match &package.source {
                Source::Registry if !index.has(package.ecosystem) => {
                    let reason = format!("the advisory index has nothing on {}", package.ecosystem);
                    result.not_judged.push(unjudged(input, package, reason));
                }
                // A mirror and a company's own registry look alike, so the public name proves nothing either way.
                Source::PrivateRegistry(registry) => {
                    let reason = format!("it comes from {registry}, where a public name may be another package");
                    result.not_judged.push(unjudged(input, package, reason));
                }
                Source::Registry | Source::Git(_) | Source::Path(_) | Source::Url(_) => {}
            }
        }
        let mut before = (usize::MAX, 0);
        for Named { at, package, entry, version } in named {
            let Some(judgement) = judgements.get(&(entry.id(), *version)) else { continue };
            if before.0 != *at {
                before = (*at, result.findings.len());
            }
            // What a distribution says of the source package and of what was built from it is one thing.
            let said: HashSet<String> =
                result.findings[before.1..].iter().map(|finding| finding.verdict.id.clone()).collect();
            let new = judgement.verdicts.iter().filter(|verdict| !said.contains(&verdict.id));
            result.findings.extend(new.map(|verdict| Finding {
                verdict: with_origin(verdict, package),
                ecosystem: package.ecosystem,
                name: package.name.clone(),
                version: package.version.clone(),
                purl: purl(package.ecosystem, &package.name, &package.version),
                path: input.path.clone(),
                line: package.line,
                direct: package.direct,
                scope: package.scope,
                introduced: introduced.get(at).cloned(),
            }));
            if let Some(reason) = &judgement.not_judged {
                result.not_judged.push(unjudged(input, package, reason.clone()));
            }
        }
        // Stable: within a line the verdicts keep their own order.
        result.findings[first_finding..].sort_by(|a, b| (a.line, &a.name).cmp(&(b.line, &b.name)));
        result.not_judged[first_unjudged..].sort_by(|a, b| (a.line, &a.name).cmp(&(b.line, &b.name)));
        result.can_resolve[first_possible..].sort_by(|a, b| (a.line, &a.name).cmp(&(b.line, &b.name)));
    }
    Ok(result)
}

/// Judges an entry without a pin by all that it allows: always affected, can resolve to an affected version, or never.
fn judge_open(
    input: &Input,
    entry: &NotJudged,
    index: &Index,
    judge: &Judge,
    result: &mut ScanResult,
) -> Result<(), Damage> {
    let open = |reason: String| Unjudged {
        path: input.path.clone(),
        line: entry.line,
        ecosystem: entry.ecosystem,
        name: entry.name.clone(),
        requirement: entry.requirement.clone(),
        reason,
    };
    let requirement =
        if entry.is_range { Requirement::parse(entry.ecosystem, range_of(&entry.requirement)) } else { None };
    let Some(requirement) = requirement.filter(|_| index.has(entry.ecosystem)) else {
        result.not_judged.push(open(entry.reason.clone()));
        return Ok(());
    };
    let Some(known) = index.entry(entry.ecosystem, &entry.name)? else { return Ok(()) };
    let judgement = judge.judge_range(entry.ecosystem, &known, &entry.requirement, &requirement)?;
    result.findings.extend(judgement.always.into_iter().map(|verdict| Finding {
        verdict,
        ecosystem: entry.ecosystem,
        name: entry.name.clone(),
        version: entry.requirement.clone(),
        purl: purl(entry.ecosystem, &entry.name, ""),
        path: input.path.clone(),
        line: entry.line,
        direct: Some(true),
        scope: entry.scope,
        introduced: None,
    }));
    if !judgement.possible.is_empty() {
        result.can_resolve.push(Possible {
            path: input.path.clone(),
            line: entry.line,
            ecosystem: entry.ecosystem,
            name: entry.name.clone(),
            requirement: entry.requirement.clone(),
            scope: entry.scope,
            verdicts: judgement.possible,
            safe_from: judgement.safe_from,
        });
    }
    result.not_judged.extend(judgement.unknown.map(open));
    Ok(())
}

/// The range behind an npm alias (`npm:left-pad@^1`).
fn range_of(requirement: &str) -> &str {
    match requirement.strip_prefix("npm:") {
        Some(alias) => alias.rsplit_once('@').filter(|(name, _)| !name.is_empty()).map_or("", |(_, range)| range),
        None => requirement,
    }
}

/// A package that some advisory is about.
struct Named<'a> {
    /// Its place among the input's packages.
    at: usize,
    package: &'a Package,
    entry: Entry<'a>,
    /// The version that the advisories are asked about: that of the package, or of its source package.
    version: &'a str,
}

fn look_up<'a>(input: &'a Input, index: &'a Index) -> Result<Vec<Named<'a>>, Damage> {
    let mut named = Vec::new();
    let public = |package: &&Package| package.source == Source::Registry;
    for (at, package) in input.packages.iter().enumerate().filter(|(_, package)| public(package)) {
        let (first, second) = asked(package);
        for (name, version) in std::iter::once(first).chain(second) {
            if let Some(entry) = index.entry(package.ecosystem, name)? {
                named.push(Named { at, package, entry, version });
            }
        }
    }
    Ok(named)
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
    Arc::new(told)
}

/// Judges each distinct package version once, however many files name it.
fn judge_all<'a>(
    judge: &Judge,
    inputs: &'a [Vec<Named<'a>>],
) -> Result<HashMap<(EntryId, &'a str), Judgement>, Damage> {
    let mut distinct: HashMap<(EntryId, &str), &Named<'_>> = HashMap::new();
    for named in inputs.iter().flatten() {
        distinct.entry((named.entry.id(), named.version)).or_insert(named);
    }
    distinct
        .into_par_iter()
        .map(|(key, Named { package, entry, version, .. })| {
            Ok((key, judge.judge(package.ecosystem, entry, &package.name, version)?))
        })
        .collect()
}

/// The most paths that a finding lists.
const MOST_PATHS: usize = 20;

/// The most packages of one file whose ways in are looked for: each costs a walk over what leads to it.
const MOST_WALKS: usize = 2_000;

/// How the affected packages of an input come in, by their place in it.
fn introducers(
    input: &Input,
    named: &[Named<'_>],
    judgements: &HashMap<(EntryId, &str), Judgement>,
) -> HashMap<usize, Arc<Introduced>> {
    let is_affected = |named: &&Named<'_>| {
        judgements.get(&(named.entry.id(), named.version)).is_some_and(|known| !known.verdicts.is_empty())
    };
    let affected: Vec<usize> = named.iter().filter(is_affected).map(|named| named.at).take(MOST_WALKS).collect();
    if affected.is_empty() {
        return HashMap::new();
    }
    let Some(graph) = Graph::of(input) else { return HashMap::new() };
    affected.into_iter().filter_map(|at| Some((at, Arc::new(introduced(input, &graph, at, MOST_PATHS)?)))).collect()
}

/// How one package of an input comes in.
pub fn introduced(input: &Input, graph: &Graph<'_>, at: usize, most: usize) -> Option<Introduced> {
    let paths = graph.paths(at, most)?;
    let name = |at: usize| input.packages.get(at).map_or_else(String::new, label);
    let named = paths.shortest.into_iter().map(|path| path.into_iter().map(name).collect()).collect();
    Some(Introduced { paths: named, count: paths.count, depth: paths.depth })
}

/// A package as a step of a path: `name version`.
pub fn label(package: &Package) -> String {
    format!("{} {}", package.name, package.version).trim_end().to_owned()
}

fn unjudged(input: &Input, package: &Package, reason: String) -> Unjudged {
    Unjudged {
        path: input.path.clone(),
        line: package.line,
        ecosystem: package.ecosystem,
        name: package.name.clone(),
        requirement: package.version.clone(),
        reason,
    }
}

impl Outside {
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
