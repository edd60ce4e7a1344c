//! What keeps a locked copy of a package where it is: requirements of other packages.
//!
//! Only what a lockfile says is concluded from. npm's, yarn's, Composer's and Poetry's say which versions each package asks for; of the
//! others only who needs whom is known, which proves nothing.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use serde_json::Value;

use super::ask::Move;
use super::edit::holds;
use super::needs;
use super::tied::Tied;
use crate::inventory::{Kind, own_folder, without_secret};
use crate::package::{Ecosystem, Input, Source};
use crate::scan::{label, range_of};

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

/// Who one of the sentences of [`Keepers::sure`] is about, with the version.
pub(super) fn who(said: &str) -> &str {
    said.split(" asks for ").next().unwrap_or_default()
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
    /// Packages of pnpm's with their peers: `x 1.0.0` and `lodash`.
    peers: OnceCell<HashSet<(String, String)>>,
    /// The project's own folders that have a version, by the package: `lodash 4.17.4`.
    importers: OnceCell<HashMap<String, Vec<String>>>,
}

impl Lock {
    pub(super) fn new(text: String) -> Self {
        let (json, tied, npm, yarn, needs, is_classic, peers, importers) = Default::default();
        Self { text, json, tied, npm, yarn, needs, is_classic, peers, importers }
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

    /// The project's own folders that have a version of a package, where it is pnpm's of a workspace.
    pub(super) fn importers(&self, name: &str, version: &str) -> &[String] {
        let known = self.importers.get_or_init(|| importers(&self.text));
        known.get(&format!("{name} {version}")).map(Vec::as_slice).unwrap_or_default()
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
            let mut dependants = dependants(lock, input, name, &step.from);
            if kind == Kind::PnpmLock {
                // Who has it as a peer takes what the others bring.
                let peers = lock.peers.get_or_init(|| peers(&lock.text));
                dependants.retain(|who| !peers.contains(&(who.clone(), name.to_owned())));
            }
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
        let plain = unpatched(range);
        let plain = plain.strip_prefix("npm:").filter(|range| !range.contains('@')).unwrap_or(&plain);
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

/// What berry patches by itself (`patch:resolve@npm%3A^1.0.0#optional!builtin<compat/resolve>`) is asked for by the range below.
fn unpatched(range: &str) -> Cow<'_, str> {
    const SIGNS: [(&str, &str); 7] =
        [("%3A", ":"), ("%20", " "), ("%7C", "|"), ("%5E", "^"), ("%3C", "<"), ("%3E", ">"), ("%3D", "=")];
    let below = || {
        let (source, patch) = range.strip_prefix("patch:")?.split_once('#')?;
        // The first sign may be that of a scope.
        let (_, below) = source.get(1..)?.split_once('@').filter(|_| patch.contains("!builtin<"))?;
        Some(SIGNS.iter().fold(below.to_owned(), |text, (code, sign)| text.replace(code, sign)))
    };
    below().map_or(Cow::Borrowed(range), Cow::Owned)
}

/// The peers of the packages of a `pnpm-lock.yaml`. pnpm writes each key in a line of its own, deeper by two blanks.
fn peers(lock: &str) -> HashSet<(String, String)> {
    let (mut peers, mut who, mut is_peer, mut is_package) = (HashSet::new(), String::new(), false, false);
    for line in lock.lines().filter(|line| !line.trim().is_empty()) {
        let key = line.trim_start_matches(' ');
        let depth = line.len() - key.len();
        let key = key.split_once(": ").map_or(key.trim_end_matches(':'), |(key, _)| key).trim_matches(['\'', '"']);
        match depth {
            0 => is_package = key == "packages",
            2 => who = labelled_by_pnpm(key),
            4 => is_peer = key == "peerDependencies",
            6 if is_package && is_peer => drop(peers.insert((who.clone(), key.to_owned()))),
            _ => {}
        }
    }
    peers
}

/// The folders of a workspace of pnpm's by what each has.
fn importers(lock: &str) -> HashMap<String, Vec<String>> {
    let mut importers: HashMap<String, Vec<String>> = HashMap::new();
    let (mut is_importer, mut folder, mut is_wanted, mut name) = (false, String::new(), false, String::new());
    for line in lock.lines().filter(|line| !line.trim().is_empty()) {
        let key = line.trim_start_matches(' ');
        let depth = line.len() - key.len();
        let (key, value) = key.split_once(": ").unwrap_or((key.trim_end_matches(':'), ""));
        let (key, value) = (key.trim_matches(['\'', '"']), value.trim_matches(['\'', '"']));
        match depth {
            0 => is_importer = key == "importers",
            2 => folder = key.trim_start_matches("./").to_owned(),
            // Ranges, before format 6.
            4 => is_wanted = is_importer && key != "specifiers",
            6 => name = key.to_owned(),
            _ => {}
        }
        // Before format 6 the version stands right behind the name.
        let version = match depth {
            6 => value,
            8 if key == "version" => value,
            _ => continue,
        };
        let version = version.split(['(', '_']).next().unwrap_or_default();
        if is_wanted && !version.is_empty() {
            importers.entry(format!("{name} {version}")).or_default().push(folder.clone());
        }
    }
    importers
}

/// `@s/a 1.0.0` of `@s/a@1.0.0(b@2.0.0)`, and of `/@s/a/1.0.0_b@2.0.0` as it was before.
fn labelled_by_pnpm(key: &str) -> String {
    let key = key.trim_start_matches('/').split('(').next().unwrap_or_default();
    let scope = key.strip_prefix('@').and_then(|rest| rest.find('/')).map_or(0, |at| at + 2);
    let end = key.get(scope..).and_then(|rest| rest.find(['@', '/'])).map_or(key.len(), |at| scope + at);
    let (name, version) = key.split_at_checked(end).unwrap_or((key, ""));
    let version = version.trim_start_matches(['@', '/']).split('_').next().unwrap_or_default();
    format!("{name} {version}")
}

/// The ranges of a yarn.lock by what answers them.
fn answered(lock: &str) -> HashMap<(String, String), Vec<String>> {
    let reading = Kind::YarnLock.read(lock.as_bytes());
    let mut answered: HashMap<_, Vec<String>> = HashMap::new();
    for one in &reading.links.descriptors {
        let range = one.text.get(1..).and_then(|rest| rest.split_once('@'));
        if let Some(((_, range), package)) = range.zip(reading.packages.get(one.package as usize)) {
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
    fn what_berry_patches_by_itself_asks_by_the_range_below() {
        for (range, want) in [
            ("patch:a@npm%3A^1.0.0#optional!builtin<compat/a>", "npm:^1.0.0"),
            ("patch:@s/a@npm%3A>=1%20<2#~builtin<compat/a>", "patch:@s/a@npm%3A>=1%20<2#~builtin<compat/a>"),
            ("patch:@s/a@npm%3A>=1%20<2#optional!builtin<compat/a>", "npm:>=1 <2"),
            ("patch:a@npm%3A1.0.0#./a.patch", "patch:a@npm%3A1.0.0#./a.patch"),
            ("npm:^1.0.0", "npm:^1.0.0"),
        ] {
            assert_eq!(unpatched(range), want, "{range}");
        }
        let lock = |range: &str| {
            format!(
                "__metadata:\n  version: 8\n\n\"a@npm:^1.0.0\":\n  version: 1.0.0\n  resolution: \"a@npm:1.0.0\"\n  languageName: node\n  \
                 linkType: hard\n\n\"a@patch:a@npm%3A{range}#optional!builtin<compat/a>\":\n  version: 1.0.0\n  resolution: \
                 \"a@patch:a@npm%3A1.0.0#optional!builtin<compat/a>::version=1.0.0&hash=c3\"\n  languageName: node\n  linkType: hard\n"
            )
        };
        let move_on = step("1.0.0", "1.2.6");
        check(Kind::YarnLock, &lock("^1.0.0"), &move_on, &["^1.0.0"], ("", ""));
    }

    #[test]
    fn who_has_it_as_a_peer_keeps_nothing() {
        let lock = |peers: &str| {
            format!(
                "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      '@s/x':\n        specifier: 2.0.0\n        version: \
                 2.0.0(a@1.0.0)\n      a:\n        specifier: ^1.0.0\n        version: 1.0.0\n\npackages:\n\n  '@s/x@2.0.0':\n    resolution: \
                 {{integrity: sha512-aa}}\n{peers}\n  a@1.0.0:\n    resolution: {{integrity: sha512-aa}}\n\nsnapshots:\n\n  \
                 '@s/x@2.0.0(a@1.0.0)':\n    dependencies:\n      a: 1.0.0\n\n  a@1.0.0: {{}}\n"
            )
        };
        let move_on = step("1.0.0", "1.2.6");
        check(Kind::PnpmLock, &lock(""), &move_on, &[], ("", "@s/x 2.0.0"));
        check(Kind::PnpmLock, &lock("    peerDependencies:\n      a: ~1.0.0\n"), &move_on, &[], ("", ""));
        check(Kind::PnpmLock, &lock("    peerDependencies:\n      b: ~1.0.0\n"), &move_on, &[], ("", "@s/x 2.0.0"));
        for (key, want) in [
            ("x@2.0.0", "x 2.0.0"),
            ("/x@2.0.0(a@1.0.0)", "x 2.0.0"),
            ("/x/2.0.0_a@1.0.0", "x 2.0.0"),
            ("/@s/y/1.0.0", "@s/y 1.0.0"),
            ("@s/y@1.0.0", "@s/y 1.0.0"),
        ] {
            assert_eq!(labelled_by_pnpm(key), want, "{key}");
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
}
