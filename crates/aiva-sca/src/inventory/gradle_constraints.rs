//! What the `constraints` of a gradle build make of its dependencies: one without a version takes theirs, of two versions gradle
//! chooses one, and what nothing asks for stays an entry of its own.
//!
//! A choice is only made where it is sure: both are of one project, both are single versions that are asked for and not merely
//! preferred, and the constraint holds wherever the dependency's configuration is resolved.

use std::collections::{HashMap, HashSet};

use smol_str::SmolStr;

use super::gradle_versions::MANAGED;
use super::graph::stronger;
use super::reading::Reading;
use crate::package::{Ecosystem, NotJudged, Package};
use crate::version::Version;

/// Marks by name, line, and whether it is a constraint.
pub(super) type Marks = HashMap<(String, u32, bool), Mark>;

/// What else is known of a version that is written.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    /// The block of the project that it is for; `None` where that is not sure.
    pub(super) project: Option<u32>,
    /// The block that is around all dependencies, such as a source set's, and the configuration.
    pub(super) configuration: (String, String),
    /// Whether nothing else will do.
    pub(super) is_strict: bool,
    /// Whether any other version that is asked for comes before it.
    pub(super) is_preference: bool,
}

/// Whether a constraint of one configuration holds on every classpath that takes dependencies of another (gradle, "The Java Library
/// plugin configurations").
fn holds_for(constraint: &(String, String), dependency: &(String, String)) -> bool {
    let wider: &[&str] = match dependency.1.as_str() {
        "api" => &["implementation"],
        "implementation" => &["api"],
        "compileOnly" => &["api", "implementation"],
        "runtimeOnly" => &["api", "implementation"],
        "testApi" | "testImplementation" => &["api", "implementation"],
        "testCompileOnly" => &["api", "implementation", "testImplementation"],
        "testRuntimeOnly" => &["api", "implementation", "runtimeOnly", "testImplementation"],
        _ => &[],
    };
    constraint.0 == dependency.0 && (constraint.1 == dependency.1 || wider.contains(&&*constraint.1))
}

/// More constraints of one name are no choice but an attack.
const MOST_OF_A_NAME: usize = 32;

/// Adds what `constraints` ask for. A dependency without a version takes the first of its name; the rest are entries of their own, of
/// which it is not known whether anything asks for them directly.
pub(super) fn constrain(reading: &mut Reading, constraints: Reading, marks: &Marks) {
    let mut by_name: HashMap<String, Vec<Asked>> = HashMap::new();
    let mut all: Vec<Asked> = constraints.packages.into_iter().map(Asked::Pin).collect();
    all.extend(constraints.not_judged.into_iter().filter(|entry| entry.reason != MANAGED).map(Asked::Open));
    all.sort_by_key(Asked::line);
    for one in &all {
        let same = by_name.entry(one.name().to_owned()).or_default();
        if same.len() <= MOST_OF_A_NAME {
            same.push(one.clone());
        }
    }
    let mut settled: HashSet<(SmolStr, u32)> = HashSet::new();
    for package in &mut reading.packages {
        let same = by_name.get(package.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        if let Some((chosen, over)) = chosen(package, same, marks) {
            settled.extend(over.into_iter().map(|line| (package.name.clone(), line)));
            if let Some(pin) = chosen {
                (package.version, package.line) = (pin.version.clone(), pin.line);
            }
        }
    }
    if !settled.is_empty() {
        merge(&mut reading.packages);
    }
    all.retain(|one| !settled.contains(&(one.name().into(), one.line())));
    let first = |name: &str| by_name.get(name).and_then(|same| same.first());
    let mut told: HashSet<(SmolStr, SmolStr)> =
        reading.packages.iter().map(|package| (package.name.clone(), package.version.clone())).collect();
    for entry in std::mem::take(&mut reading.not_judged) {
        match first(&entry.name).filter(|_| entry.reason == MANAGED) {
            Some(Asked::Pin(pin)) => {
                told.insert((pin.name.clone(), pin.version.clone()));
                let (scope, line) = (entry.scope, entry.line);
                reading.packages.push(Package { scope, line, direct: Some(true), ..pin.clone() });
            }
            Some(Asked::Open(open)) => {
                told.insert((open.name.clone(), open.requirement.clone()));
                let (scope, line) = (entry.scope, entry.line);
                reading.not_judged.push(NotJudged { scope, line, ..open.clone() });
            }
            None => reading.not_judged.push(entry),
        }
    }
    for one in all {
        if !told.insert((one.name().into(), one.version().into())) {
            continue;
        }
        match one {
            Asked::Pin(pin) => reading.packages.push(Package { direct: None, ..pin }),
            Asked::Open(open) => reading.not_judged.push(open),
        }
    }
    reading.packages.sort_by_key(|package| package.line);
    reading.not_judged.sort_by_key(|entry| entry.line);
}

/// Which version gradle chooses of a dependency's and those of the constraints that are for it: `None` in the first place where it is the
/// dependency's own; and the lines of those constraints. `None` altogether where there are none, or it is not sure.
fn chosen<'a>(own: &Package, same: &'a [Asked], marks: &Marks) -> Option<(Option<&'a Package>, Vec<u32>)> {
    let project = marks.get(&(own.name.to_string(), own.line, false))?;
    let mark = |one: &Asked| marks.get(&(own.name.to_string(), one.line(), true));
    let of_project = |one: &&Asked| mark(one).is_some_and(|mark| mark.project == project.project);
    let here: Vec<&Asked> = same.iter().filter(of_project).collect();
    if project.project.is_none() || project.is_preference || here.is_empty() || same.len() > MOST_OF_A_NAME {
        return None;
    }
    let mut all: Vec<(bool, Version, Option<&Package>)> = vec![(project.is_strict, version(own)?, None)];
    for one in &here {
        let (Asked::Pin(pin), mark) = (one, mark(one)?) else { return None };
        if mark.is_preference || !holds_for(&mark.configuration, &project.configuration) {
            return None;
        }
        all.push((mark.is_strict, version(pin)?, Some(pin)));
    }
    if all.iter().any(|(is_strict, ..)| *is_strict) {
        all.retain(|(is_strict, ..)| *is_strict);
        let first = all.first().map(|(_, version, _)| version.clone());
        if all.iter().any(|(_, version, _)| Some(version) != first.as_ref()) {
            return None;
        }
    }
    let mut best = all.first()?;
    for one in &all {
        if one.1 > best.1 {
            best = one;
        }
    }
    Some((best.2, here.iter().map(|one| one.line()).collect()))
}

/// Several dependencies that take the same constraint are one entry, of the strongest scope.
fn merge(packages: &mut Vec<Package>) {
    let mut known: HashMap<(SmolStr, SmolStr, u32), usize> = HashMap::new();
    let mut merged: Vec<Package> = Vec::with_capacity(packages.len());
    for package in packages.drain(..) {
        let key = (package.name.clone(), package.version.clone(), package.line);
        match known.get(&key).and_then(|at| merged.get_mut(*at)) {
            Some(same) => same.scope = stronger(same.scope, package.scope),
            None => {
                known.insert(key, merged.len());
                merged.push(package);
            }
        }
    }
    *packages = merged;
}

fn version(package: &Package) -> Option<Version> {
    Version::parse(Ecosystem::Maven, &package.version)
}

/// What one constraint asks for.
#[derive(Clone)]
enum Asked {
    Pin(Package),
    Open(NotJudged),
}

impl Asked {
    fn name(&self) -> &str {
        match self {
            Self::Pin(pin) => &pin.name,
            Self::Open(open) => &open.name,
        }
    }

    fn version(&self) -> &str {
        match self {
            Self::Pin(pin) => &pin.version,
            Self::Open(open) => &open.requirement,
        }
    }

    fn line(&self) -> u32 {
        match self {
            Self::Pin(pin) => pin.line,
            Self::Open(open) => open.line,
        }
    }
}
