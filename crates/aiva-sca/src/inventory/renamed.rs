//! Packages that stand in a JavaScript lockfile under the name of another, though nobody asks for that.
//!
//! `npm ci` and its like install what the lockfile says. Whoever writes `"name": "evil"` into the entry of `lodash` changes what is
//! installed, and neither the manifest nor the address of the archive tells. A real alias is asked for: `"lodash": "npm:evil@1"`.
//! What is judged is the package that the lockfile installs. Where the address of the archive tells of it as well, that is said instead.
//! Said only where the requirement is known and not overridden: of npm's lockfile, which does not keep overrides, beside its manifest.
//!
//! Start reading at [`note`].

use std::collections::{HashMap, HashSet};

use super::find::Found;
use super::join::folder;
use super::kind::Kind;
use super::npm_source::split_name;
use super::reading::Reading;
use super::signs::sign;
use crate::package::{Ask, Fact, Sign, Source};

/// Notes such packages in the lockfiles of a group.
pub(super) fn note(readings: &mut [(Found, Reading)]) {
    let has_aliases =
        |(found, reading): &(Found, Reading)| is_read(found.kind) && reading.links.asks.iter().any(is_alias);
    if !readings.iter().any(has_aliases) {
        return;
    }
    let overridden: HashSet<String> =
        readings.iter().flat_map(|(_, reading)| &reading.links.overridden).cloned().collect();
    // npm's lockfile does not keep the overrides of its manifest.
    let manifests = readings.iter().filter(|(found, _)| found.kind == Kind::PackageJson);
    let manifests: HashSet<String> = manifests.map(|(found, _)| folder(&found.path).to_owned()).collect();
    let is_told = |found: &Found| match found.kind {
        Kind::PackageLock | Kind::Shrinkwrap => manifests.contains(folder(&found.path)),
        _ => true,
    };
    for (found, lock) in readings.iter_mut().filter(|one| has_aliases(one) && is_told(&one.0)) {
        let signs = Names::of(lock).signs(found.kind, &overridden);
        lock.links.signs.extend(signs);
    }
}

/// The names of a lockfile: everything is looked up once, however many aliases there are.
struct Names<'l> {
    lock: &'l Reading,
    packages: HashMap<(u32, &'l str), u32>,
    /// What the requirements of a name are for.
    recorded: HashMap<&'l str, HashSet<Meant<'l>>>,
    /// Of each of yarn's packages and a name that it answers, whether all ranges of that name may be for it.
    described: HashMap<(u32, &'l str), bool>,
}

impl<'l> Names<'l> {
    fn of(lock: &'l Reading) -> Self {
        let places = lock.packages.iter().zip(0..);
        let packages = places.map(|(package, at)| ((package.line, package.name.as_str()), at)).collect();
        let mut recorded: HashMap<&str, HashSet<_>> = HashMap::new();
        for one in &lock.links.recorded {
            recorded.entry(&one.name).or_default().insert(Meant::of(&one.requirement));
        }
        let mut described = HashMap::new();
        for one in &lock.links.descriptors {
            let Some((name, range)) = split_name(&one.text) else { continue };
            let Some(package) = lock.packages.get(one.package as usize) else { continue };
            *described.entry((one.package, name)).or_insert(true) &= Meant::of(range).may_be(&package.name);
        }
        Self { lock, packages, recorded, described }
    }

    fn signs(&self, kind: Kind, overridden: &HashSet<String>) -> Vec<Sign> {
        // One entry is told of once.
        let elsewhere = self.lock.links.signs.iter().filter(|sign| matches!(sign.fact, Fact::Elsewhere(_)));
        let elsewhere: HashSet<(u32, &str)> = elsewhere.map(|sign| (sign.line, sign.name.as_str())).collect();
        let mut told = HashSet::new();
        let asks = self.lock.links.asks.iter().filter(|ask| is_alias(ask) && !overridden.contains(&ask.name));
        asks.filter_map(|ask| {
            let at = *self.packages.get(&(ask.line, ask.package.as_str()))?;
            let package = self.lock.packages.get(at as usize)?;
            let is_listed = matches!(package.source, Source::Registry | Source::PrivateRegistry(_));
            let is_asked = match kind {
                Kind::YarnLock => self.described.get(&(at, ask.name.as_str())).copied().unwrap_or(true),
                _ => self.is_recorded(ask),
            };
            let is_new = !elsewhere.contains(&(ask.line, ask.package.as_str())) && told.insert((ask.line, &ask.name));
            let is_renamed = is_listed && !is_asked && is_new;
            is_renamed.then(|| sign(package, Fact::Renamed(ask.name.clone())))
        })
        .collect()
    }

    /// Whether somebody asks for the package under this name, or may.
    fn is_recorded(&self, ask: &Ask) -> bool {
        let renames = self.lock.links.renames.as_ref();
        let of_packages =
            |package: &str| renames.is_some_and(|all| all.contains(&(ask.name.clone(), package.to_owned())));
        if of_packages(&ask.package) || of_packages("") {
            return true;
        }
        // What only other packages ask for is known where the format says it.
        let Some(meant) = self.recorded.get(ask.name.as_str()) else { return renames.is_none() };
        meant.contains(&Meant::Any) || meant.contains(&Meant::Package(&ask.package))
    }
}

fn is_read(kind: Kind) -> bool {
    matches!(kind, Kind::PackageLock | Kind::Shrinkwrap | Kind::PnpmLock | Kind::BunLock | Kind::YarnLock)
}

fn is_alias(ask: &Ask) -> bool {
    ask.name != ask.package
}

/// The package that a requirement is for, whatever name it stands under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Meant<'r> {
    /// That of the name itself.
    Own,
    /// This one.
    Package(&'r str),
    /// What comes from an address has the name that it has there, and what a catalog means is said there.
    Any,
}

impl<'r> Meant<'r> {
    fn of(requirement: &'r str) -> Self {
        match requirement.strip_prefix("npm:") {
            // Berry writes `npm:^1` for a plain range, which is no package's name.
            Some(alias) => Self::Package(split_name(alias).map_or(alias, |(name, _)| name)),
            None if requirement.contains([':', '/']) => Self::Any,
            None => Self::Own,
        }
    }

    fn may_be(self, package: &str) -> bool {
        match self {
            Self::Own => false,
            Self::Package(name) => name == package,
            Self::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, lock: &str, want: &[&str]) {
        let found = |path: &str, kind| Found { path: path.into(), file: path.into(), kind };
        let manifest = Kind::PackageJson.read(br#"{"name": "n"}"#);
        let mut readings = vec![
            (found("lock", kind), kind.read(lock.as_bytes())),
            (found("package.json", Kind::PackageJson), manifest),
        ];
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
        // Of whose archive it is the address tells already.
        let registry = "https://registry.npmjs.org";
        for (resolved, want) in [("ms/-/ms-2.0.0.tgz", &["isarray is ms"][..]), ("isarray/-/isarray-2.0.0.tgz", &[])] {
            let resolved = format!(r#""name": "ms", "resolved": "{registry}/{resolved}""#);
            check(
                Kind::PackageLock,
                &lock("^2.0.0", r#""deep": "npm:evil@2""#).replace(r#""name": "ms""#, &resolved),
                want,
            );
        }
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

    #[test]
    fn many_aliases_of_one_name_are_looked_up_once() {
        let entry = |at: usize| {
            format!(
                "\"foo@npm:bar@1.0.{at}\":\n  version: 1.0.{at}\n  resolution: \"bar@npm:1.0.{at}\"\n  linkType: hard\n\n"
            )
        };
        let lock = ["__metadata:\n  version: 8\n\n".to_owned()].into_iter().chain((0..20_000).map(entry));
        check(Kind::YarnLock, &lock.collect::<String>(), &[]);
        let header: Vec<String> = (0..20_000).map(|at| format!("foo{at}@npm:bar@1")).collect();
        let one = format!(
            "__metadata:\n  version: 8\n\n\"{}\":\n  version: 1.0.0\n  resolution: \"bar@npm:1.0.0\"\n  linkType: hard\n",
            header.join(", ")
        );
        check(Kind::YarnLock, &one, &[]);
    }
}
