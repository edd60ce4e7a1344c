//! Which versions of a package the other packages of a lockfile ask for, where it says so: Composer's and Poetry's do.
//!
//! In both a package has one version for all, so what one of them shuts out nobody gets. A requirement that cannot be read proves nothing.

use std::collections::HashMap;

use serde_json::Value;
use toml_edit::{DocumentMut, Item};

use super::ask::Move;
use super::edit::holds;
use super::keep::{Keepers, Lock};
use crate::inventory::{Kind, composer_lock};
use crate::name::spelled;
use crate::package::Ecosystem;
use crate::purl::pypi_name;
use crate::version::Requirement;

/// What the packages of a lockfile ask for, by the package that is asked for.
pub(super) type Needs = HashMap<String, Vec<Need>>;

/// What one package of a lockfile asks for.
#[derive(Debug, Clone)]
pub(super) struct Need {
    /// `acme/web 1.2`
    who: String,
    /// The requirements as written. Where there are several, each is for some machines only.
    ranges: Vec<String>,
    /// Whether it may do without.
    is_optional: bool,
}

/// Who keeps a package where it is; `None` where the lockfile does not tell what its packages ask for.
pub(super) fn keepers(kind: Kind, lock: &Lock, name: &str, step: &Move) -> Option<Keepers> {
    let (ecosystem, read): (_, fn(&str) -> Option<Needs>) = match kind {
        Kind::ComposerLock => (Ecosystem::Packagist, composer),
        Kind::PoetryLock => (Ecosystem::PyPi, poetry),
        _ => return None,
    };
    let needs = lock.needs.get_or_init(|| read(lock.text.trim_start_matches('\u{feff}'))).as_ref()?;
    let needs = needs.get(&*spelled(ecosystem, name)).map(Vec::as_slice).unwrap_or_default();
    let mut keepers = Keepers { is_needed: !needs.is_empty(), ..Keepers::default() };
    for Need { who, ranges, is_optional } in needs {
        let allowed: Vec<Option<bool>> = ranges.iter().map(|range| allows(ecosystem, range, &step.to)).collect();
        if allowed.iter().all(|allowed| *allowed == Some(true)) {
            continue;
        }
        match allowed.iter().all(|allowed| *allowed == Some(false)) && !is_optional {
            true => keepers.sure.insert(format!("{who} asks for {name} {}", ranges.join(" or "))),
            false => keepers.unknown.insert(who.clone()),
        };
    }
    Some(keepers)
}

/// `None` where the requirement is not one that can be read.
fn allows(ecosystem: Ecosystem, range: &str, version: &str) -> Option<bool> {
    let mut allowed = false;
    // PEP 440 knows no alternatives, Poetry writes them all the same.
    for one in if ecosystem == Ecosystem::PyPi { range.split("||").collect() } else { vec![range] } {
        let one = if one.trim() == "*" && ecosystem == Ecosystem::PyPi { "" } else { one.trim() };
        Requirement::parse(ecosystem, one)?;
        allowed |= holds(ecosystem, one, version);
    }
    Some(allowed)
}

fn composer(lock: &str) -> Option<Needs> {
    let document: Value = serde_json::from_str(lock).ok()?;
    let text = |entry: &'_ Value, key: &str| -> String {
        entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let lists = ["packages", "packages-dev"].into_iter().filter_map(|list| document.get(list)?.as_array());
    let mut needs = Needs::new();
    for entry in lists.flatten() {
        let version = text(entry, "version");
        // As the reader has it: what a plan knows of the package goes by that.
        let who = format!("{} {}", text(entry, "name"), composer_lock::plain(&version));
        for (key, range) in entry.get("require").and_then(Value::as_object).into_iter().flatten() {
            let ranges = vec![range.as_str().unwrap_or_default().to_owned()];
            let need = Need { who: who.clone(), ranges, is_optional: false };
            needs.entry(spelled(Ecosystem::Packagist, key).into_owned()).or_default().push(need);
        }
    }
    Some(needs)
}

fn poetry(lock: &str) -> Option<Needs> {
    let document: DocumentMut = lock.parse().ok()?;
    let text =
        |entry: &toml_edit::Table, key: &str| entry.get(key).and_then(Item::as_str).unwrap_or_default().to_owned();
    let mut needs = Needs::new();
    for entry in document.get("package").and_then(Item::as_array_of_tables)?.iter() {
        let Some(dependencies) = entry.get("dependencies").and_then(Item::as_table_like) else { continue };
        let who = format!("{} {}", pypi_name(&text(entry, "name")), text(entry, "version"));
        for (key, asked) in dependencies.iter() {
            let mut need = Need { who: who.clone(), ranges: Vec::new(), is_optional: false };
            match asked.as_array() {
                Some(list) => list.iter().for_each(|one| need.add(&Item::Value(one.clone()))),
                None => need.add(asked),
            }
            needs.entry(pypi_name(key)).or_default().push(need);
        }
    }
    Some(needs)
}

impl Need {
    /// `">=1"` or `{version = ">=1", markers = "…", optional = true}`.
    fn add(&mut self, asked: &Item) {
        let table = asked.as_table_like();
        let version = table.map_or_else(|| asked.as_str(), |table| table.get("version").and_then(Item::as_str));
        self.is_optional |= table.is_some_and(|table| table.contains_key("optional") || table.contains_key("markers"));
        self.ranges.push(version.unwrap_or("?").to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::keep::spoken;
    use super::*;

    #[track_caller]
    fn check(kind: Kind, lock: &str, want: (&str, &str)) {
        let step = Move { from: "1.1.0".to_owned(), to: "1.2.6".to_owned() };
        let name = if kind == Kind::PoetryLock { "log" } else { "acme/log" };
        let got = keepers(kind, &Lock::new(lock.to_owned()), name, &step).unwrap();
        assert_eq!((spoken(&got.sure).as_str(), spoken(&got.unknown).as_str()), want, "{lock}");
    }

    #[test]
    fn composer_asks_by_constraints() {
        for (range, want) in [
            ("^1.0 || ^2.0", ("", "")),
            ("~0.5|^1.2", ("", "")),
            ("*", ("", "")),
            ("~1.1.0 || ^2.0", ("acme/web 1.2 asks for acme/log ~1.1.0 || ^2.0", "")),
            ("1.1.0", ("acme/web 1.2 asks for acme/log 1.1.0", "")),
            ("dev-main", ("", "acme/web 1.2")),
            ("self.version", ("", "acme/web 1.2")),
        ] {
            let package = format!(
                r#"{{"name": "acme/web", "version": "v1.2", "require": {{"php": ">=8", "Acme/Log": "{range}"}}}}"#
            );
            check(Kind::ComposerLock, &format!(r#"{{"packages": [{package}], "packages-dev": []}}"#), want);
            check(Kind::ComposerLock, &format!(r#"{{"packages": [], "packages-dev": [{package}]}}"#), want);
        }
    }

    #[test]
    fn poetry_asks_by_strings_tables_and_lists() {
        for (asked, want) in [
            ("\">=1.0\"", ("", "")),
            ("\"*\"", ("", "")),
            ("\">=1.0,<1.2 || >1.2\"", ("", "")),
            ("\">=1.0,<1.2\"", ("web 2.0 asks for log >=1.0,<1.2", "")),
            ("{version = \">=1.0,<1.2\", extras = [\"x\"]}", ("web 2.0 asks for log >=1.0,<1.2", "")),
            ("{version = \"<1.2\", markers = \"sys_platform == 'win32'\"}", ("", "web 2.0")), // perhaps not here
            ("{version = \"<1.2\", optional = true}", ("", "web 2.0")),
            ("[{version = \"<1.2\"}, {version = \">=1.2\"}]", ("", "web 2.0")),
            ("{git = \"https://x/y\"}", ("", "web 2.0")),
        ] {
            let lock =
                format!("[[package]]\nname = \"Web\"\nversion = \"2.0\"\n\n[package.dependencies]\nLog = {asked}\n");
            check(Kind::PoetryLock, &lock, want);
        }
    }

    #[test]
    fn a_lockfile_that_is_none_tells_nothing() {
        let step = Move { from: "1".to_owned(), to: "2".to_owned() };
        for (kind, lock) in [(Kind::ComposerLock, "{"), (Kind::PoetryLock, "[[package"), (Kind::CargoLock, "")] {
            assert_eq!(keepers(kind, &Lock::new(lock.to_owned()), "log", &step), None);
        }
    }
}
