//! What keeps a locked copy of a package where it is: requirements of other packages, and overrides of the manifest.
//!
//! Only what a lockfile says is concluded from. npm's, yarn's, Composer's and Poetry's say which versions each package asks for; of the
//! others only who needs whom is known, which proves nothing.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::Value;

use super::ask::Move;
use super::edit::holds;
use super::needs;
use super::tied::Tied;
use crate::inventory::{Kind, Override, Reach, Role, overrides_of, own_folder, without_secret};
use crate::package::{Ecosystem, Input, Source};
use crate::scan::{label, range_of};
use crate::version::{Requirement, Version};

/// Who keeps a copy, or may.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Keepers {
    /// Requirements that allow what is there and not the version to move to: `x 1.0.0 asks for lodash 4.17.4`.
    pub(super) sure: BTreeSet<String>,
    /// Packages of which it is not known what they allow.
    pub(super) unknown: BTreeSet<String>,
    /// Whether packages of others need it at all.
    pub(super) is_needed: bool,
}

/// The text of a lockfile, and what is read out of it once for all packages that are asked about.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) text: String,
    json: OnceCell<Option<Value>>,
    tied: OnceCell<Tied>,
    /// What packages of npm's ask for, by name; `None` where the lockfile cannot be read.
    npm: OnceCell<Option<Wishes>>,
    /// The ranges that yarn has by each package and version.
    yarn: OnceCell<HashMap<(String, String), Vec<String>>>,
    pub(super) needs: OnceCell<Option<needs::Needs>>,
    is_classic: OnceCell<bool>,
}

impl Lock {
    pub(super) fn new(text: String) -> Self {
        let (json, tied, npm, yarn, needs, is_classic) = Default::default();
        Self { text, json, tied, npm, yarn, needs, is_classic }
    }

    /// Who needs whom in it.
    pub(super) fn tied(&self, input: &Input) -> &Tied {
        self.tied.get_or_init(|| Tied::of(input))
    }

    /// Whether it is npm's of the first format, which newer releases of npm write in the third unless they are told.
    pub(super) fn is_first_of_npm(&self) -> bool {
        let format = self.json().map(|document| document.get("lockfileVersion").and_then(Value::as_u64));
        format.is_some_and(|format| format.unwrap_or(1) == 1)
    }

    /// Whether it is yarn's of its first format, which has other commands.
    pub(super) fn is_classic_of_yarn(&self) -> bool {
        *self.is_classic.get_or_init(|| {
            #[cfg(test)]
            super::edit::READS.set(super::edit::READS.get() + 1);
            !self.text.contains("__metadata:")
        })
    }

    fn json(&self) -> Option<&Value> {
        let read = || serde_json::from_str(self.text.trim_start_matches('\u{feff}')).ok();
        self.json.get_or_init(read).as_ref()
    }
}

/// What one package asks of another one.
#[derive(Debug)]
struct Wish {
    /// `x 1.0.0`; shared, for one package may ask for thousands.
    who: Rc<str>,
    /// The folder that it is, where it is none of a registry.
    folder: Option<Rc<str>>,
    range: String,
}

/// What the packages of a lockfile of npm's ask for.
#[derive(Debug, Default)]
struct Wishes {
    by_name: HashMap<String, Vec<Wish>>,
    /// Folders of which npm writes nothing down.
    silent: Vec<String>,
}

/// What is known of the project's own manifests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    /// Their requirements before they were moved.
    pub(super) old: &'a [&'a str],
    /// Their folders, from that of the lockfile on. Other folders that it takes packages from keep what they ask for.
    pub(super) folders: &'a BTreeSet<&'a str>,
}

/// Who keeps a copy of a package.
pub(super) fn keepers(kind: Kind, lock: &Lock, input: &Input, name: &str, step: &Move, own: Own<'_>) -> Keepers {
    match kind {
        Kind::PackageLock | Kind::Shrinkwrap => npm(lock, name, step, own.folders),
        Kind::YarnLock => yarn(lock, name, step, own.old, dependants(lock, input, name, &step.from)),
        Kind::ComposerLock | Kind::PoetryLock if let Some(keepers) = needs::keepers(kind, lock, name, step) => keepers,
        _ => {
            let dependants = dependants(lock, input, name, &step.from);
            Keepers { sure: BTreeSet::new(), is_needed: !dependants.is_empty(), unknown: dependants }
        }
    }
}

/// The packages of others that need a version of a package.
pub(super) fn dependants(lock: &Lock, input: &Input, name: &str, version: &str) -> BTreeSet<String> {
    let needing = lock.tied(input).needing(input, name, version);
    needing.filter(|package| !matches!(package.source, Source::Path(_))).map(label).collect()
}

fn npm(lock: &Lock, name: &str, step: &Move, scanned: &BTreeSet<&str>) -> Keepers {
    let mut keepers = Keepers::default();
    let Some(wishes) = lock.npm.get_or_init(|| lock.json().map(wishes)) else {
        keepers.unknown.insert("what else is in the lockfile".to_owned());
        return keepers;
    };
    let is_other = |folder: &str| !scanned.contains(folder);
    let silent = wishes.silent.iter().filter(|folder| is_other(folder));
    keepers.unknown.extend(silent.map(|folder| not_scanned(folder)));
    for Wish { who, folder, range } in wishes.by_name.get(name).into_iter().flatten() {
        if !folder.as_deref().is_none_or(is_other) || !allows(range, &step.from) {
            continue;
        }
        keepers.is_needed = true;
        if !allows(range, &step.to) {
            keepers.sure.insert(format!("{who} asks for {name} {}", range_of(range)));
        }
    }
    keepers
}

/// What the packages of a lockfile of npm's ask for, by name.
fn wishes(document: &Value) -> Wishes {
    let mut wishes = Wishes::default();
    match document.get("packages").and_then(Value::as_object) {
        Some(packages) => {
            for (place, entry) in packages.iter().filter(|(place, _)| !place.is_empty()) {
                let (who, folder) = match place.rsplit_once("node_modules/") {
                    Some((_, folder)) => (labelled(folder, entry), None),
                    None => (not_scanned(place), Some(place.as_str())),
                };
                for table in ["dependencies", "optionalDependencies", "peerDependencies", "devDependencies"] {
                    wishes.add(entry, table, &who, folder);
                }
            }
        }
        None => nested(document, &mut wishes),
    }
    wishes
}

/// Format 1 nests copies.
fn nested(above: &Value, wishes: &mut Wishes) {
    let mut open = vec![above];
    while let Some(next) = open.pop() {
        for (key, entry) in next.get("dependencies").and_then(Value::as_object).into_iter().flatten() {
            open.push(entry);
            let version = entry.get("version").and_then(Value::as_str).unwrap_or_default();
            let folder = own_folder(version);
            let who = folder.map_or_else(|| labelled(key, entry), not_scanned);
            if let Some(folder) = folder.filter(|_| entry.get("requires").is_none()) {
                wishes.silent.push(folder.to_owned());
                continue;
            }
            wishes.add(entry, "requires", &who, folder);
        }
    }
}

/// A package of the lockfile, for a person.
fn labelled(name: &str, entry: &Value) -> String {
    let version = entry.get("version").and_then(Value::as_str).unwrap_or_default();
    format!("{name} {version}").trim_end().to_owned()
}

/// A folder whose manifest stays as it is.
fn not_scanned(folder: &str) -> String {
    format!("{folder} (a folder that was not scanned)")
}

impl Wishes {
    fn add(&mut self, entry: &Value, table: &str, who: &str, folder: Option<&str>) {
        let (who, folder): (Rc<str>, Option<Rc<str>>) = (who.into(), folder.map(Rc::from));
        for (key, range) in entry.get(table).and_then(Value::as_object).into_iter().flatten() {
            let Some(range) = range.as_str() else { continue };
            let real = range.strip_prefix("npm:").map_or(key.as_str(), |alias| {
                alias.rsplit_once('@').filter(|(name, _)| !name.is_empty()).map_or(alias, |(name, _)| name)
            });
            let wish = Wish { who: Rc::clone(&who), folder: folder.clone(), range: range.to_owned() };
            self.by_name.entry(real.to_owned()).or_default().push(wish);
        }
    }
}

fn allows(range: &str, version: &str) -> bool {
    holds(Ecosystem::Npm, range, version)
}

/// yarn writes every range beside the version that answers it, but not whose range it is.
fn yarn(lock: &Lock, name: &str, step: &Move, old: &[&str], dependants: BTreeSet<String>) -> Keepers {
    let mut keepers = Keepers { is_needed: !dependants.is_empty(), ..Keepers::default() };
    let answered = lock.yarn.get_or_init(|| answered(&lock.text));
    for range in answered.get(&(name.to_owned(), step.from.clone())).into_iter().flatten() {
        let plain = range.strip_prefix("npm:").filter(|range| !range.contains('@')).unwrap_or(range);
        if allows(plain, &step.to) {
            continue;
        }
        let is_own = old.iter().any(|old| *old == plain || *old == *range);
        match (is_own, dependants.is_empty()) {
            (true, true) => {}
            // The same range may be asked for by others too.
            (true, false) => keepers.unknown.extend(dependants.iter().cloned()),
            (false, _) => {
                let who = if dependants.is_empty() { "something here".to_owned() } else { spoken(&dependants) };
                keepers.sure.insert(format!("{who} asks for {name} {}", without_secret(range_of(plain))));
            }
        }
    }
    keepers
}

/// The ranges of a yarn.lock by what answers them.
fn answered(lock: &str) -> HashMap<(String, String), Vec<String>> {
    let reading = Kind::YarnLock.read(lock.as_bytes());
    let mut answered: HashMap<_, Vec<String>> = HashMap::new();
    for (descriptor, at) in &reading.links.descriptors {
        let range = descriptor.get(1..).and_then(|rest| rest.split_once('@'));
        if let Some(((_, range), package)) = range.zip(reading.packages.get(*at as usize)) {
            let key = (package.name.to_string(), package.version.to_string());
            answered.entry(key).or_default().push(range.to_owned());
        }
    }
    answered
}

/// A few of many.
pub(super) fn spoken(names: &BTreeSet<String>) -> String {
    let first: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    match names.len() {
        0..=3 => first.join(", "),
        many => format!("{} and {} more", first.join(", "), many - 3),
    }
}

/// What a manifest forces over everybody's head, read once for all packages.
#[derive(Debug)]
pub(super) struct Forced {
    ecosystem: Ecosystem,
    by_name: HashMap<String, Vec<Override>>,
}

impl Forced {
    pub(super) fn read(kind: Kind, manifest: &str, role: Role) -> Self {
        #[cfg(test)]
        super::edit::READS.set(super::edit::READS.get() + 1);
        // Most have none.
        let may_have = ["override", "resolutions", "constraint"].iter().any(|word| manifest.contains(word));
        let ecosystem = if kind == Kind::PyProject { Ecosystem::PyPi } else { Ecosystem::Npm };
        let mut forced = Self { ecosystem, by_name: HashMap::new() };
        for one in if may_have && has_overrides(kind) { overrides_of(kind, manifest, &|| role) } else { Vec::new() } {
            // pnpm leaves out what is to be `-`.
            if one.requirement != "-" {
                forced.by_name.entry(one.name.clone()).or_default().push(one);
            }
        }
        forced
    }

    /// What is said of a package and shuts a version out of what is to move there.
    pub(super) fn overridden(&self, whom: Whom, name: &str, to: &str) -> Option<String> {
        let own = format!("${name}");
        let mut all = self.all(name).filter(|one| whom.is_held(one));
        // What refers to the entry of the same name moves with it.
        let Override { table, requirement, .. } = all.find(|one| one.requirement != own && !self.allows(one, to))?;
        let (shown, range) = (without_secret(requirement), Requirement::parse(self.ecosystem, range_of(requirement)));
        // Nobody is told to go down.
        let is_above =
            range.zip(Version::parse(self.ecosystem, to)).is_some_and(|(range, to)| range.floor() > to.key());
        Some(match is_above {
            true => format!("{table} hold {name} at {shown}, above {to}; say the same in all places by hand"),
            false => format!("{table} hold {name} at {shown}; move that to {to} by hand"),
        })
    }

    /// The override that has a version in store for some of those who ask for the package only, which nothing moves.
    pub(super) fn scoped(&self, name: &str, step: &Move) -> Option<String> {
        let is_meant = |one: &Override| {
            let said = [one.requirement.as_str(), range_of(&one.requirement)];
            one.reach == Reach::Some && (said.contains(&step.from.as_str()) || self.allows(one, &step.from))
        };
        let mut all = self.all(name).filter(|one| is_meant(one));
        let Override { table, requirement, .. } = all.find(|one| !self.allows(one, &step.to))?;
        let (to, requirement) = (&step.to, without_secret(requirement));
        Some(format!("{table} hold {name} at {requirement}, an override for some versions; move it to {to} by hand"))
    }

    /// Whether the version to move to is forced upon everybody, so that nothing keeps the old one.
    pub(super) fn forces(&self, lock: Kind, name: &str, step: &Move) -> bool {
        let is_sure =
            |one: &Override| one.reach == Reach::All && self.allows(one, &step.to) && !self.allows(one, &step.from);
        self.all(name).any(|one| is_read_by(lock, one.table) && is_sure(one))
    }

    /// What is written of a range that a list narrows, and the list; `None` where it is written as it is.
    pub(super) fn written(&self, name: &str, range: &str) -> Option<(String, String)> {
        let narrows = |reach: Reach| {
            let all = self.all(name).filter(|one| one.is_constraint() && one.reach == reach);
            all.map(|one| one.requirement.as_str()).collect::<Vec<_>>().join(",")
        };
        let mut lists = [Reach::All, Reach::Build].map(narrows).into_iter().filter(|list| !list.is_empty());
        lists.find_map(|list| Some((range.strip_suffix(&list)?.trim_end_matches(',').to_owned(), list)))
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &Override> {
        self.by_name.get(name).into_iter().flatten()
    }

    fn allows(&self, one: &Override, version: &str) -> bool {
        holds(self.ecosystem, &one.requirement, version)
    }
}

/// Of what it is asked what holds it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whom {
    /// What a lockfile beside the manifest has, whose tool reads some of the tables only.
    Locked(Kind),
    /// The manifest's own entry, over which only what is said for everybody has a say.
    Runs,
    /// The same for what builds the project.
    Builds,
}

impl Whom {
    fn is_held(self, by: &Override) -> bool {
        match self {
            Self::Locked(lock) => is_read_by(lock, by.table),
            Self::Runs => by.reach == Reach::All,
            Self::Builds => matches!(by.reach, Reach::All | Reach::Build),
        }
    }
}

/// Whether manifests of this kind may force versions.
pub(super) const fn has_overrides(kind: Kind) -> bool {
    matches!(kind, Kind::PackageJson | Kind::PnpmWorkspace | Kind::PyProject)
}

/// Whether the tool that writes a lockfile goes by a table.
fn is_read_by(lock: Kind, table: &str) -> bool {
    match lock {
        Kind::PackageLock | Kind::Shrinkwrap => table == "overrides",
        Kind::YarnLock => table == "resolutions",
        Kind::PnpmLock => matches!(table, "pnpm.overrides" | "pnpm's overrides" | "resolutions"),
        Kind::BunLock => matches!(table, "overrides" | "resolutions"),
        Kind::UvLock => matches!(table, "override-dependencies" | "constraint-dependencies"),
        Kind::PdmLock => table == "resolution.overrides",
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: &str, to: &str) -> Move {
        Move { from: from.to_owned(), to: to.to_owned() }
    }

    #[track_caller]
    fn check(kind: Kind, lock: &str, step: &Move, old: &[&str], want: (&str, &str)) {
        check_own(kind, lock, step, Own { old, folders: &["", "packages/x"].into() }, want);
    }

    #[track_caller]
    fn check_own(kind: Kind, lock: &str, step: &Move, own: Own<'_>, want: (&str, &str)) {
        let input = crate::inventory::single_input("lock", kind, kind.read(lock.as_bytes()));
        let got = keepers(kind, &Lock::new(lock.to_owned()), &input, "a", step, own);
        assert_eq!((spoken(&got.sure).as_str(), spoken(&got.unknown).as_str()), want, "{lock}");
    }

    #[test]
    fn an_exact_requirement_of_another_package_keeps_its_copy() {
        let npm = |range: &str| {
            format!(
                r#"{{"lockfileVersion": 3, "packages": {{"": {{"dependencies": {{"a": "1.0.0"}}}}, "node_modules/a": {{"version": "1.0.0"}},
                "node_modules/x": {{"version": "2.0.0", "dependencies": {{"a": "{range}"}}}}}}}}"#
            )
        };
        let move_on = step("1.0.0", "1.2.6");
        for (range, want) in [
            ("1.0.0", "x 2.0.0 asks for a 1.0.0"),
            ("~1.0.0", "x 2.0.0 asks for a ~1.0.0"),
            ("npm:a@1.0.0", "x 2.0.0 asks for a 1.0.0"),
            ("npm:b@1.0.0", ""),
            ("^1.0.0", ""),
            ("^1.1.0", ""), // another copy answers that
        ] {
            check(Kind::PackageLock, &npm(range), &move_on, &[], (want, ""));
        }
        let first = r#"{"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.0"}, "y": {"version": "1.0.0", "dependencies":
            {"x": {"version": "2.0.0", "requires": {"a": "1.0.0"}}}}}}"#;
        check(Kind::PackageLock, first, &move_on, &[], ("x 2.0.0 asks for a 1.0.0", ""));
        // The project's own folder asks in its manifest.
        let own = r#"{"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.0"}, "x": {"version": "file:packages/x",
            "requires": {"a": "1.0.0"}}}}"#;
        check(Kind::PackageLock, own, &move_on, &[], ("", ""));
    }

    #[test]
    fn a_folder_that_is_not_scanned_keeps_what_it_asks_for() {
        let first = |x: &str| {
            format!(
                r#"{{"lockfileVersion": 1, "dependencies": {{"a": {{"version": "1.0.0"}}, "x": {{"version": "file:../x"{x}}}}}}}"#
            )
        };
        let third = |x: &str| {
            format!(
                r#"{{"lockfileVersion": 3, "packages": {{"": {{}}, "node_modules/a": {{"version": "1.0.0"}},
                "node_modules/x": {{"resolved": "../x", "link": true}}, "../x": {{"version": "1.0.0"{x}}}}}}}"#
            )
        };
        let move_on = step("1.0.0", "1.2.6");
        let asks = "../x (a folder that was not scanned) asks for a 1.0.0";
        for (lock, folders, want) in [
            (first(""), [""].as_slice(), ("", "../x (a folder that was not scanned)")),
            (first(""), &["", "../x"], ("", "")),
            (first(r#", "requires": {"a": "1.0.0"}"#), &[""], (asks, "")),
            (first(r#", "requires": {"a": "^1.0.0"}"#), &[""], ("", "")),
            (third(""), &[""], ("", "")),
            (third(r#", "dependencies": {"a": "1.0.0"}"#), &[""], (asks, "")),
            (third(r#", "devDependencies": {"a": "1.0.0"}"#), &[""], (asks, "")),
            (third(r#", "dependencies": {"a": "1.0.0"}"#), &["", "../x"], ("", "")),
        ] {
            check_own(
                Kind::PackageLock,
                &lock,
                &move_on,
                Own { old: &[], folders: &folders.iter().copied().collect() },
                want,
            );
        }
    }

    #[test]
    fn yarn_tells_ranges_but_not_whose() {
        let lock = |ranges: &str, x: &str| {
            format!("# yarn lockfile v1\n\n\n{ranges}:\n  version \"1.0.0\"\n\nx@^2.0.0:\n  version \"2.0.0\"\n{x}")
        };
        let needs = "  dependencies:\n    a \"^1.0.0\"\n";
        let move_on = step("1.0.0", "1.2.6");
        check(Kind::YarnLock, &lock("a@^1.0.0", needs), &move_on, &["^1.0.0"], ("", ""));
        check(Kind::YarnLock, &lock("a@1.0.0", ""), &move_on, &["1.0.0"], ("", ""));
        let exact = "  dependencies:\n    a \"1.0.0\"\n";
        check(Kind::YarnLock, &lock("a@1.0.0", exact), &move_on, &["1.0.0"], ("", "x 2.0.0"));
        check(Kind::YarnLock, &lock("a@1.0.0", exact), &move_on, &[], ("x 2.0.0 asks for a 1.0.0", ""));
    }

    #[test]
    fn an_override_keeps_every_copy() {
        let said = |text: &str| {
            let lock = if text.contains("pnpm") { Kind::PnpmLock } else { Kind::BunLock };
            Forced::read(Kind::PackageJson, text, Role::Own)
                .overridden(Whom::Locked(lock), "a", "1.2.6")
                .unwrap_or_default()
        };
        for (text, want) in [
            (r#"{"overrides": {"a": "1.0.0"}}"#, "overrides hold a at 1.0.0; move that to 1.2.6 by hand"),
            (r#"{"overrides": {"x": {"a": "1.0.0"}}}"#, "overrides hold a at 1.0.0; move that to 1.2.6 by hand"),
            (r#"{"overrides": {"a": {".": "1.0.0"}}}"#, "overrides hold a at 1.0.0; move that to 1.2.6 by hand"),
            (r#"{"resolutions": {"**/a": "1.0.0"}}"#, "resolutions hold a at 1.0.0; move that to 1.2.6 by hand"),
            (
                r#"{"overrides": {"a": "^2.0.0"}}"#,
                "overrides hold a at ^2.0.0, above 1.2.6; say the same in all places by hand",
            ),
            (
                r#"{"pnpm": {"overrides": {"x>a@1": "1.0.0"}}}"#,
                "pnpm.overrides hold a at 1.0.0; move that to 1.2.6 by hand",
            ),
            (
                r#"{"overrides": {"x": {"a": "git+https://u:SECRET@h.example/a.git"}}}"#,
                "overrides hold a at git+https://h.example/a.git; move that to 1.2.6 by hand",
            ),
            (r#"{"overrides": {"a": "^1.0.0"}}"#, ""),
            (r#"{"pnpm": {"overrides": {"a": "-"}}}"#, ""),
            (r#"{"overrides": {"a": "$a"}}"#, ""),
            (r#"{"overrides": {"a": "$b"}}"#, "overrides hold a at $b; move that to 1.2.6 by hand"),
            (r#"{"overrides": {"a@1": "1.0.0"}}"#, "overrides hold a at 1.0.0; move that to 1.2.6 by hand"),
            (r#"{"resolutions": {"@types/a": "1.0.0"}}"#, ""),
            (r#"{"dependencies": {"a": "1.0.0"}}"#, ""),
        ] {
            assert_eq!(said(text), want, "{text}");
        }
    }
}
