//! Packages that stand in a JavaScript lockfile under the name of another, though nobody asks for that.
//!
//! `npm ci` and its like install what the lockfile says. Whoever writes `"name": "evil"` into the entry of `lodash` changes what is
//! installed, and neither the manifest nor the address of the archive tells. A real alias is asked for: `"lodash": "npm:evil@1"`.
//! Said only where the requirement is known and not overridden.
//!
//! Start reading at [`note`].

use std::collections::{HashMap, HashSet};

use super::described::Described;
use super::find::Found;
use super::kind::Kind;
use super::npm_source::split_name;
use super::reading::Reading;
use super::signs::sign;
use crate::package::{Ask, Fact, Package, Sign, Source};

/// Notes such packages in the lockfiles of a group.
pub(super) fn note(readings: &mut [(Found, Reading)]) {
    let has_aliases =
        |(found, reading): &(Found, Reading)| is_read(found.kind) && reading.links.asks.iter().any(is_alias);
    if !readings.iter().any(has_aliases) {
        return;
    }
    let overridden: HashSet<String> =
        readings.iter().flat_map(|(_, reading)| &reading.links.overridden).cloned().collect();
    for (found, lock) in readings.iter_mut().filter(|one| has_aliases(one)) {
        let signs = signs(found.kind, lock, &overridden);
        lock.links.signs.extend(signs);
    }
}

fn signs(kind: Kind, lock: &Reading, overridden: &HashSet<String>) -> Vec<Sign> {
    let packages: HashMap<(u32, &str), &Package> =
        lock.packages.iter().map(|package| ((package.line, package.name.as_str()), package)).collect();
    let mut recorded: HashMap<&str, Vec<&str>> = HashMap::new();
    for one in &lock.links.recorded {
        recorded.entry(&one.name).or_default().push(&one.requirement);
    }
    let mut told = HashSet::new();
    let asks = lock.links.asks.iter().filter(|ask| is_alias(ask) && !overridden.contains(&ask.name));
    asks.filter_map(|ask| {
        let package = *packages.get(&(ask.line, ask.package.as_str()))?;
        let is_asked = match kind {
            Kind::YarnLock => is_described(lock, ask),
            _ => is_recorded(lock, recorded.get(ask.name.as_str()), ask),
        };
        let is_renamed = package.source == Source::Registry && !is_asked && told.insert((ask.line, &ask.name));
        is_renamed.then(|| sign(package, Fact::Renamed(ask.name.clone())))
    })
    .collect()
}

fn is_read(kind: Kind) -> bool {
    matches!(kind, Kind::PackageLock | Kind::Shrinkwrap | Kind::PnpmLock | Kind::BunLock | Kind::YarnLock)
}

fn is_alias(ask: &Ask) -> bool {
    ask.name != ask.package
}

/// Whether what yarn's entry answers is for the package.
fn is_described(lock: &Reading, ask: &Ask) -> bool {
    let there = |at: u32| lock.packages.get(at as usize).is_some_and(|package| ask.is_for(package));
    let mut ranges = Described(&lock.links.descriptors).of_name(&ask.name).filter(|(_, at)| there(*at));
    ranges.all(|(range, _)| may_mean(range, &ask.package))
}

/// Whether somebody asks for the package under this name, or may.
fn is_recorded(lock: &Reading, recorded: Option<&Vec<&str>>, ask: &Ask) -> bool {
    let renames = &lock.links.renames;
    if renames.as_ref().is_some_and(|all| all.contains(&(ask.name.clone(), ask.package.clone()))) {
        return true;
    }
    // What only other packages ask for is known where the format says it.
    recorded.map_or(renames.is_none(), |all| all.iter().any(|requirement| may_mean(requirement, &ask.package)))
}

/// Whether a requirement is for this package, whatever name it stands under. What comes from an address has the name that it has there,
/// and what a catalog means is said there.
fn may_mean(requirement: &str, package: &str) -> bool {
    match requirement.strip_prefix("npm:") {
        Some(alias) => split_name(alias).map_or(alias, |(name, _)| name) == package,
        None => requirement.contains([':', '/']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, lock: &str, want: &[&str]) {
        let found = |path: &str, kind| Found { path: path.into(), file: path.into(), kind };
        let mut readings = vec![(found("lock", kind), kind.read(lock.as_bytes()))];
        note(&mut readings);
        let signs = readings[0].1.links.signs.iter();
        let got: Vec<String> = signs
            .filter_map(|sign| match &sign.fact {
                Fact::Renamed(under) => Some(format!("{under} is {}", sign.name)),
                _ => None,
            })
            .collect();
        assert_eq!(got, want, "{lock}");
    }

    #[test]
    fn an_entry_of_npm_that_is_renamed_by_itself_is_told() {
        let lock = |asked: &str, needs: &str| {
            format!(
                r#"{{"lockfileVersion": 3, "packages": {{
                "": {{"name": "n", "dependencies": {{"isarray": "{asked}", "a": "1"}}}},
                "node_modules/a": {{"version": "1.0.0", "dependencies": {{{needs}}}}},
                "node_modules/isarray": {{"name": "ms", "version": "2.0.0"}},
                "node_modules/deep": {{"name": "evil", "version": "2.0.0"}}}}}}"#
            )
        };
        check(Kind::PackageLock, &lock("^2.0.0", r#""deep": "npm:evil@2""#), &["isarray is ms"]);
        check(Kind::PackageLock, &lock("npm:ms@^2", r#""deep": "npm:evil@2""#), &[]);
        check(Kind::PackageLock, &lock("npm:ms", r#""deep": "^2""#), &["deep is evil"]);
        check(Kind::PackageLock, &lock("npm:other@1", r#""deep": "npm:evil""#), &["isarray is ms"]);
        check(Kind::PackageLock, &lock("https://example.com/ms.tgz", r#""deep": "npm:evil""#), &[]);
    }

    #[test]
    fn what_pnpm_resolved_to_another_package_is_told() {
        let lock = |specifier: &str, above: &str| {
            format!(
                "lockfileVersion: '9.0'\n{above}importers:\n  .:\n    dependencies:\n      isarray:\n        \
                 specifier: {specifier}\n        version: ms@2.0.0\npackages:\n  ms@2.0.0:\n    \
                 resolution: {{integrity: sha512-x}}\nsnapshots:\n  ms@2.0.0: {{}}\n"
            )
        };
        check(Kind::PnpmLock, &lock("^2.0.0", ""), &["isarray is ms"]);
        check(Kind::PnpmLock, &lock("npm:ms@^2.0.0", ""), &[]);
        check(Kind::PnpmLock, &lock("'catalog:'", ""), &[]);
        check(Kind::PnpmLock, &lock("^2.0.0", "overrides:\n  isarray: npm:ms@2.0.0\n"), &[]);
    }

    #[test]
    fn what_berry_resolved_to_another_package_is_told() {
        let lock = |descriptor: &str| {
            format!(
                "__metadata:\n  version: 8\n\n\"{descriptor}\":\n  version: 4.17.15\n  \
                 resolution: \"evil@npm:4.17.15\"\n  languageName: node\n  linkType: hard\n"
            )
        };
        check(Kind::YarnLock, &lock("lodash@npm:4.17.15"), &["lodash is evil"]);
        check(Kind::YarnLock, &lock("lodash@npm:evil@4.17.15"), &[]);
        check(Kind::YarnLock, &lock("evil@npm:^4.17.15"), &[]);
        check(Kind::YarnLock, &lock("lodash@patch:lodash@npm%3A4#x"), &[]);
    }
}
