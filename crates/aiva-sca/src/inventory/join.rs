//! Ties the files of one tree together: manifests to their lockfiles.
//!
//! A manifest whose lockfile was read only says what is direct and what it is needed for; its own entries are then not
//! listed, because the lockfile has the versions. A manifest without one, or whose lockfile could not be read, keeps them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::OnceLock;

use rapidhash::RapidHashMap;
use smol_str::SmolStr;

use super::asked::behind_alias;
use super::beside::{Manifest, beside, compare, without_dev};
use super::builds::Builds;
use super::described::Described;
use super::find::Found;
use super::globs::Globs;
use super::graph::{self, stronger};
use super::kind::Kind;
use super::reading::Reading;
use super::walk::Options;
use super::{
    by_deno, cargo_lock, cargo_workspace, catalog, dynamic, go_locks, go_sum, go_work, include, members, msbuild,
    msbuild_targets, nuget_xml, pnpm_workspace, pom_tree, renamed, yarn_lock,
};
use crate::package::{Ecosystem, Fact, Input, Package, Scope, Status};

/// What became of a file.
pub(crate) enum Joined {
    /// All that there is to say of it.
    Input(Input),
    /// A manifest that no lockfile here holds for, while one further up may.
    Open(Found, Box<Reading>),
}

/// How the files that are tied together stand in their tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'t> {
    /// The folders that keep NuGet's versions for all projects below them.
    pub(crate) central: &'t [String],
    /// Whether there is a version catalog anywhere in the tree.
    pub(crate) has_catalog: bool,
    /// Every file of the tree, by path.
    pub(crate) files: &'t [Found],
    /// The folders of the tree with lockfiles that deno leaves to other tools.
    pub(super) other_locks: &'t by_deno::Others,
    /// Whether there are lockfiles further up that may hold for manifests here.
    pub(crate) is_below: bool,
    /// What .NET's projects take in.
    pub(super) builds: &'t OnceLock<Builds>,
}

/// Ties the readings of one group together: each in its place, and what was taken in besides behind them.
pub(crate) fn join(
    root: &Path,
    mut readings: Vec<(Found, Reading)>,
    options: &Options,
    standing: Standing<'_>,
) -> Vec<Joined> {
    dynamic::settle(root, &mut readings, options);
    include::follow(root, &mut readings, options);
    include::settle_compiled(&mut readings);
    go_work::settle(&mut readings);
    catalog::settle(root, &mut readings, options);
    msbuild_targets::settle_late(root, &mut readings, options, standing.files, standing.builds);
    msbuild::settle(root, &mut readings, options);
    msbuild_targets::settle(root, &mut readings, options, standing.files, standing.builds);
    go_locks::note(root, &mut readings, options);
    go_sum::follow(root, &mut readings, options);
    pom_tree::settle(root, &mut readings, options);
    doubt_crates(&mut readings);
    renamed::note(&mut readings);
    unmark(&mut readings);
    let mut held = BTreeSet::new();
    for (lock, manifests) in pair(&readings) {
        let own = readings.get(lock).map(|(found, _)| folder(&found.path).to_owned()).unwrap_or_default();
        let missing = beside(&mut readings, lock, |readings, kind, lock| {
            let mut declared: Vec<Manifest<'_>> =
                manifests.iter().filter_map(|at| Manifest::of(readings, *at, &own)).collect();
            cargo_workspace::hand_down(&mut declared);
            if lock.links.lacks_dev {
                without_dev(&mut declared);
            }
            enrich(kind, lock, &declared);
            compare(kind, lock, &declared)
        });
        let missing = missing.unwrap_or_default();
        for manifest in &manifests {
            if let Some((found, reading)) = readings.get_mut(*manifest) {
                // What builds a Python project is in no lockfile.
                let is_built = |scope| found.kind == Kind::PyProject && scope == Scope::Build;
                // What the lockfile does not have is installed by what the manifest says.
                let is_missing = |name: &str| {
                    !missing.is_empty() && (missing.contains(name) || missing.contains(&*name.to_lowercase()))
                };
                reading.packages.retain(|package| is_built(package.scope) || is_missing(&package.name));
                reading.not_judged.retain(|entry| is_built(entry.scope) || entry.is_range && is_missing(&entry.name));
                // The lockfile says itself where its packages come from.
                reading.links.signs.retain(|sign| !matches!(sign.fact, Fact::Outside(_)));
            }
        }
        members::note(&mut readings, lock, &manifests);
        held.extend(manifests);
    }
    pnpm_workspace::settle_locked(&mut readings);
    held.extend(by_deno::settle(&mut readings, standing.files, standing.other_locks));
    vendored(&mut readings);
    for at in covered(&readings) {
        if let Some((_, reading)) = readings.get_mut(at) {
            // What the lockfile does not have is still here.
            let mut left = Reading::default();
            std::mem::swap(&mut left.packages, &mut reading.packages);
            std::mem::swap(&mut left.not_judged, &mut reading.not_judged);
            *reading = left;
        }
    }
    let close = |(at, (found, mut reading)): (usize, (Found, Reading))| {
        if standing.is_below && found.kind.locks().is_none() && !held.contains(&at) {
            return Joined::Open(found, Box::new(reading));
        }
        if !standing.has_catalog {
            without_catalog(&mut reading);
        }
        if found.kind == Kind::PyProject && !held.contains(&at) {
            dynamic::close(&found, &mut reading, standing.files);
        }
        if found.kind == Kind::DotnetProject
            && above(folder(&found.path)).any(|at| standing.central.iter().any(|one| one == at))
        {
            // Its versions are judged where they are kept.
            reading.not_judged.retain(|entry| entry.reason != nuget_xml::KEPT_ELSEWHERE);
        }
        Joined::Input(input(found.path, found.kind, reading))
    };
    readings.into_iter().enumerate().map(close).collect()
}

/// What a gradle build takes from a catalog that is nowhere in the tree is lost, which is said.
fn without_catalog(reading: &mut Reading) {
    if let Some(line) = reading.links.catalog.take() {
        reading.problem(line, "what it takes from the version catalog is not known: no libs.versions.toml is here");
    }
}

/// What a `go.mod` lists is not listed again by the folder of copies beside it.
fn vendored(readings: &mut [(Found, Reading)]) {
    let listed: HashMap<String, BTreeSet<(SmolStr, SmolStr)>> = readings
        .iter()
        .filter(|(found, _)| found.kind == Kind::GoMod)
        .map(|(found, reading)| {
            let modules = reading.packages.iter().map(|package| (package.name.clone(), package.version.clone()));
            (folder(&found.path).to_owned(), modules.collect())
        })
        .collect();
    for (found, reading) in readings.iter_mut().filter(|(found, _)| found.kind == Kind::VendorModules) {
        let Some(modules) = listed.get(folder(folder(&found.path))) else { continue };
        reading.packages.retain(|package| !modules.contains(&(package.name.clone(), package.version.clone())));
    }
}

/// Manifests that are programs, and whose lockfile beside them was read to the end.
fn covered(readings: &[(Found, Reading)]) -> Vec<usize> {
    let mut locks: HashMap<&str, Vec<Kind>> = HashMap::new();
    for (found, reading) in readings {
        if reading.status == Status::Parsed && found.kind.is_lockfile() {
            locks.entry(folder(&found.path)).or_default().push(found.kind);
        }
    }
    let is_covered = |found: &Found| {
        let beside = locks.get(folder(&found.path)).map(Vec::as_slice).unwrap_or_default();
        beside.iter().any(|lock| found.kind.is_covered_by(*lock))
    };
    let all = readings.iter().enumerate();
    all.filter(|(_, (found, _))| is_covered(found)).map(|(at, _)| at).collect()
}

/// What a reading says of a file.
pub(crate) fn input(path: String, kind: Kind, reading: Reading) -> Input {
    let Reading { status, packages, not_judged, problems, mut links, .. } = reading;
    links.edges.shrink_to_fit();
    let edges = if packages.is_empty() { Vec::new() } else { links.edges };
    Input {
        path,
        kind: kind.name().into(),
        status,
        packages,
        not_judged,
        problems,
        edges,
        signs: links.signs,
        asks: links.asks,
    }
}

/// The folder of a path, without the last `/`.
pub(crate) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The path of a file in a folder.
pub(crate) fn inside(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { [folder, "/", name].concat() }
}

/// The folder itself and those that hold it, up to the root.
pub(crate) fn above(start: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(start), |below| if below.is_empty() { None } else { Some(folder(below)) })
}

/// The path, below the scan's root, that a file in a folder names; `None` where it leads out of the root or is no relative path.
pub(crate) fn named_from(folder: &str, path: &str) -> Option<String> {
    if path.contains(':') { None } else { place(folder, path) }
}

/// The same where a colon is a letter like any other.
pub(crate) fn place(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Each lockfile that was read with the manifests that it covers.
fn pair(readings: &[(Found, Reading)]) -> BTreeMap<usize, Vec<usize>> {
    let mut locks: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut manifests: HashMap<(&str, Kind), usize> = HashMap::new();
    for (at, (found, reading)) in readings.iter().enumerate() {
        let is_read = matches!(reading.status, Status::Parsed | Status::Partial) && !reading.links.is_mark;
        if found.kind.locks().is_some() && is_read {
            locks.entry(folder(&found.path)).or_default().push(at);
        }
        manifests.insert((folder(&found.path), found.kind), at);
    }
    let mut pairs: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut known: HashMap<usize, Globs> = HashMap::new();
    for (at, (found, reading)) in readings.iter().enumerate() {
        let own = folder(&found.path);
        for above in above(own) {
            let beside = locks.get(above).map(Vec::as_slice).unwrap_or_default();
            let top = manifests.get(&(above, found.kind)).copied();
            let mut is_named = || {
                let Some((at, (_, top))) = top.and_then(|at| Some((at, readings.get(at)?))) else { return false };
                known.entry(at).or_insert_with(|| Globs::new(&top.links.members)).matches(below(above, own))
            };
            let covers = |lock: &&usize| {
                let Some((file, lock)) = readings.get(**lock) else { return false };
                file.kind.locks() == Some(found.kind)
                    && (above == own || covers(file.kind, lock, reading, below(above, own), &mut is_named))
            };
            let covering: Vec<usize> = beside.iter().filter(covers).copied().collect();
            for lock in &covering {
                pairs.entry(*lock).or_default().push(at);
            }
            if !covering.is_empty() {
                break;
            }
        }
    }
    pairs
}

/// An empty yarn.lock marks nothing where no package.json is beside it.
fn unmark(readings: &mut [(Found, Reading)]) {
    let own = |found: &Found| folder(&found.path).to_owned();
    let manifests = readings.iter().filter(|(found, _)| found.kind == Kind::PackageJson);
    let manifests: BTreeSet<String> = manifests.map(|(found, _)| own(found)).collect();
    for (found, reading) in readings.iter_mut().filter(|(_, reading)| reading.links.is_mark) {
        if !manifests.contains(&own(found)) {
            *reading = Reading::failed(0, "an empty file, and no package.json beside it");
        }
    }
}

/// The part of `folder` below `above`.
pub(super) fn below<'p>(above: &str, folder: &'p str) -> &'p str {
    folder.strip_prefix(above).unwrap_or(folder).trim_start_matches('/')
}

/// Whether a lockfile further up holds for the manifest in this folder, which the manifest beside that one may name.
fn covers(kind: Kind, lock: &Reading, manifest: &Reading, folder: &str, mut is_named: impl FnMut() -> bool) -> bool {
    if kind == Kind::CargoLock {
        let name = manifest.links.name.as_deref();
        return lock.packages.iter().any(|package| Some(package.name.as_str()) == name && cargo_lock::is_own(package));
    }
    if lock.links.members.iter().any(|member| member.trim_end_matches('/') == folder) {
        return true;
    }
    // yarn classic does not list the folders; the manifest beside it does.
    kind == Kind::YarnLock && is_named()
}

/// What the lockfile alone could not tell.
fn enrich(kind: Kind, lock: &mut Reading, manifests: &[Manifest<'_>]) {
    let supplied = manifests.iter().flat_map(|manifest| manifest.supplied).map(String::as_str);
    lock.supply(&supplied.collect::<Vec<_>>());
    match kind {
        Kind::CargoLock => cargo(lock, manifests),
        Kind::YarnLock => yarn(lock, manifests),
        Kind::PoetryLock => poetry(lock, manifests),
        Kind::PdmLock => by_graph(lock, manifests),
        Kind::GemfileLock | Kind::GemsLocked | Kind::MixLock => by_program(lock, manifests),
        Kind::ComposerLock => by_name(lock, &manifests.iter().collect::<Vec<_>>()),
        Kind::GradleLock => {
            // What its catalog and its plugins ask for is not in the build itself, so only what is named is known.
            let scopes = scopes(manifests);
            let named = |package: &&mut Package| scopes.contains_key(package.name.as_str());
            lock.packages.iter_mut().filter(named).for_each(|package| package.direct = Some(true));
        }
        Kind::PackageLock | Kind::Shrinkwrap => {
            // Format 1: what the folders of a workspace ask for, the lockfile says itself.
            let top: Vec<&Manifest<'_>> = manifests.iter().filter(|manifest| manifest.folder.is_empty()).collect();
            by_name(lock, &top);
        }
        Kind::PipfileLock | Kind::Pylock => by_name(lock, &manifests.iter().collect::<Vec<_>>()),
        _ => {} // pnpm, uv, pub, deno and the others tell all themselves.
    }
}

/// Ruby's and Elixir's manifests are programs: what they name gives scopes, what a lockfile calls direct stays so.
fn by_program(lock: &mut Reading, manifests: &[Manifest<'_>]) {
    let scopes = scopes(manifests);
    let is_whole = manifests.iter().all(|manifest| manifest.is_whole);
    let all = lock.packages.iter().enumerate();
    let found = all.filter_map(|(at, package)| {
        let named = scopes.get(package.name.as_str()).copied();
        let scope = named.or((package.direct == Some(true)).then_some(Scope::Runtime))?;
        Some((graph::index(at), scope))
    });
    let roots: Vec<(u32, Scope)> = found.collect();
    if is_whole || lock.packages.iter().any(|package| package.direct.is_some()) {
        return graph::spread(&mut lock.packages, &lock.links.edges, &roots, |_| false);
    }
    for (at, _) in roots {
        if let Some(package) = lock.packages.get_mut(at as usize) {
            package.direct = Some(true);
        }
    }
}

/// The strongest scope under which each name is asked for.
pub(super) fn scopes<'m>(manifests: impl IntoIterator<Item = &'m Manifest<'m>>) -> RapidHashMap<&'m str, Scope> {
    let mut scopes: RapidHashMap<&str, Scope> = RapidHashMap::default();
    for one in manifests.into_iter().flat_map(|manifest| &*manifest.declared) {
        let name = behind_alias(one).unwrap_or(&one.name);
        scopes.entry(name).and_modify(|known| *known = stronger(*known, one.scope)).or_insert(one.scope);
    }
    scopes
}

/// Sets `direct` where the file left it open; the file's own scopes stay.
fn by_name(lock: &mut Reading, manifests: &[&Manifest<'_>]) {
    let scopes = scopes(manifests.iter().copied());
    for package in lock.packages.iter_mut().filter(|package| package.direct.is_none()) {
        let small = || package.ecosystem == Ecosystem::Packagist && scopes.contains_key(&*package.name.to_lowercase());
        package.direct = Some(scopes.contains_key(package.name.as_str()) || small());
    }
}

/// Holds the ends of Cargo's lockfiles against the crates that are here.
fn doubt_crates(readings: &mut [(Found, Reading)]) {
    let is_lock =
        |(found, reading): &(Found, Reading)| found.kind == Kind::CargoLock && reading.status == Status::Parsed;
    if !readings.iter().any(is_lock) {
        return;
    }
    let manifests = readings.iter().filter(|(found, _)| found.kind == Kind::CargoToml);
    let names: Vec<String> = manifests.filter_map(|(_, reading)| reading.links.name.clone()).collect();
    if names.is_empty() {
        return; // Nothing tells which crates are the project's own.
    }
    let names = names.iter().map(String::as_str).collect();
    for (_, lock) in readings.iter_mut().filter(|one| is_lock(one)) {
        cargo_lock::doubt_last(lock, &names);
    }
}

fn cargo(lock: &mut Reading, manifests: &[Manifest<'_>]) {
    let by_crate: HashMap<&str, RapidHashMap<&str, Scope>> = manifests
        .iter()
        .filter_map(|manifest| Some((manifest.name?, scopes(std::slice::from_ref(manifest)))))
        .collect();
    let root = |(from, to): &(u32, u32)| {
        let (from, package) = (lock.packages.get(*from as usize)?, lock.packages.get(*to as usize)?);
        let scope = by_crate.get(from.name.as_str()).and_then(|scopes| scopes.get(package.name.as_str()));
        cargo_lock::is_own(from).then_some((*to, scope.copied().unwrap_or_default()))
    };
    let roots: Vec<(u32, Scope)> = lock.links.edges.iter().filter_map(root).collect();
    if roots.is_empty() {
        return;
    }
    graph::spread(&mut lock.packages, &lock.links.edges, &roots, cargo_lock::is_own);
    for package in lock.packages.iter_mut().filter(|package| cargo_lock::is_own(package)) {
        package.direct = Some(true);
    }
}

fn yarn(lock: &mut Reading, manifests: &[Manifest<'_>]) {
    let known = Described(&lock.links.descriptors);
    let mut roots = Vec::new();
    for one in manifests.iter().flat_map(|manifest| &*manifest.declared).filter(|one| one.scope != Scope::Peer) {
        let find = |scheme| known.find(&one.name, scheme, &one.requirement);
        match find("").or_else(|| find("npm:")) {
            Some(at) => roots.push((at, one.scope)),
            None => {
                // Berry writes behind a folder or a patch who asks for it; a `resolutions` field may answer with another range.
                let is_bound = |range: &str| range.split_once("::").is_some_and(|(plain, _)| plain == one.requirement);
                let has_bound = known.of_name(&one.name).any(|(range, _)| is_bound(range));
                let answers = known.of_name(&one.name).filter(|(range, _)| !has_bound || is_bound(range));
                roots.extend(answers.map(|(_, at)| (at, one.scope)));
            }
        }
    }
    graph::spread(&mut lock.packages, &lock.links.edges, &roots, yarn_lock::is_own);
    for package in lock.packages.iter_mut().filter(|package| yarn_lock::is_own(package)) {
        package.direct = Some(true);
    }
}

/// Poetry before format 2 tells no scope: it follows from the graph. From 2 on the file's own groups stay.
fn poetry(lock: &mut Reading, manifests: &[Manifest<'_>]) {
    let has_scopes = lock.packages.iter().any(|package| package.scope != Scope::Runtime);
    if has_scopes { by_name(lock, &manifests.iter().collect::<Vec<_>>()) } else { by_graph(lock, manifests) }
}

/// pdm names groups, and only its manifest says what a group is for; the graph carries that on.
fn by_graph(lock: &mut Reading, manifests: &[Manifest<'_>]) {
    let scopes = scopes(manifests);
    let wanted = |package: &Package| scopes.get(package.name.as_str()).copied();
    let found = lock.packages.iter().enumerate().filter_map(|(at, package)| Some((graph::index(at), wanted(package)?)));
    let roots: Vec<(u32, Scope)> = found.collect();
    graph::spread(&mut lock.packages, &lock.links.edges, &roots, |_| false);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_named_path_leads_out_of_the_root() {
        for (folder, path, want) in [
            ("", "./a", Some("a")),
            ("a/b", "../c/pom.xml", Some("a/c/pom.xml")),
            ("a/b", "..\\..\\x.props", Some("x.props")),
            ("a", "..", Some("")),
            ("a", "../..", None),
            ("", "../a", None),
            ("a", "/etc/passwd", None),
            ("a", "C:\\x.props", None),
        ] {
            assert_eq!(named_from(folder, path).as_deref(), want, "{folder} {path}");
        }
    }
}
