//! One package moved in a `Cargo.toml`, in every table that asks for it, that of a workspace too; the commands that move its lockfile;
//! and what the crates that are here ask for.

use std::collections::{BTreeSet, HashMap};

use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::ask::Move;
use super::edit::holds;
use super::entries::Spots;
use super::quoted;
use super::requirement::moved;
use crate::package::Ecosystem;

/// Brings a lockfile in line with manifests that were edited, and moves nothing else.
const RELOCK: &str = "cargo update --workspace";

/// What moves a crate in a lockfile that has these versions of it. Every such command brings the lockfile in line with the manifests as
/// well, so each is made to work also after the others ran: a version is named by what stays the same of it.
pub(super) fn update(name: &str, going: &[&Move], copies: &BTreeSet<&str>) -> String {
    let name = quoted(name);
    let commands = going.iter().map(|step| {
        let Some(line) = line(&step.from).filter(|own| line(&step.to) == Some(own)) else {
            return RELOCK.to_owned(); // the old version may stay for others, so its name would not be enough
        };
        let to = quoted(&step.to);
        let is_only = copies.iter().filter(|copy| self::line(copy) == Some(line)).count() < 2;
        match copies.len() {
            0 | 1 => format!("cargo update -p {name} --precise {to}"),
            // A release line does not name what comes before a release.
            _ if is_only && !step.from.contains('-') => format!("cargo update -p {name}@{line} --precise {to}"),
            _ => format!("cargo update -p {name}@{} --precise {to}", quoted(&step.from)),
        }
    });
    commands.collect::<BTreeSet<String>>().into_iter().collect::<Vec<_>>().join(" && ")
}

/// What compatible versions have in common, as cargo takes it behind a name: `1`, `0.2`, `0.0.3`.
fn line(version: &str) -> Option<&str> {
    let ends: Vec<usize> = version.match_indices(['.', '-', '+']).map(|(at, _)| at).collect();
    let part = |at: usize| {
        let start = at.checked_sub(1).map_or(Some(0), |before| ends.get(before).map(|end| end + 1))?;
        version.get(start..ends.get(at).copied().unwrap_or(version.len()))
    };
    let last = (0..3).find(|at| part(*at) != Some("0")).unwrap_or(2);
    let is_number = part(last).is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    version.get(..ends.get(last).copied().unwrap_or(version.len())).filter(|_| is_number)
}

/// The name and version of the crate that a `Cargo.toml` describes, as a step of a path.
pub(super) fn crate_of(text: &str) -> Option<String> {
    let document: DocumentMut = text.trim_start_matches('\u{feff}').parse().ok()?;
    let package = document.get("package")?.as_table_like()?;
    let field = |key: &str| package.get(key).and_then(Item::as_str);
    Some(format!("{} {}", field("name")?, field("version").unwrap_or("0.0.0")))
}

/// What a `Cargo.toml` asks for in plain text to be built, by crate.
pub(super) type Asks = HashMap<String, Vec<String>>;

/// Reads a `Cargo.toml` for what it asks for; nothing where it cannot be read.
pub(super) fn asks(text: &str) -> Asks {
    let mut asks = Asks::new();
    let Ok(document) = text.trim_start_matches('\u{feff}').parse::<DocumentMut>() else { return asks };
    let mut look = |above: &dyn TableLike| {
        for key in ["dependencies", "build-dependencies", "build_dependencies"] {
            let entries = above.get(key).and_then(Item::as_table_like);
            for (key, item) in entries.into_iter().flat_map(TableLike::iter) {
                let field = |key: &str| item.as_table_like().and_then(|table| table.get(key)).and_then(Item::as_str);
                let range = item.as_str().or_else(|| field("version")).map(str::to_owned);
                asks.entry(field("package").unwrap_or(key).to_owned()).or_default().extend(range);
            }
        }
    };
    look(document.as_table());
    let targets = document.get("target").and_then(Item::as_table_like);
    for (_, target) in targets.into_iter().flat_map(TableLike::iter) {
        if let Some(target) = target.as_table_like() {
            look(target);
        }
    }
    asks
}

/// What a `Cargo.toml` says of a crate, to those who build it: the requirement that shuts a version out while it allows the old one, or
/// `Some(None)` where every one allows it. `None` where it asks for nothing in plain text.
pub(super) fn shut_out(asks: &Asks, name: &str, step: &Move) -> Option<Option<String>> {
    let allows = |range: &String, version: &str| holds(Ecosystem::CratesIo, range, version);
    let meant: Vec<&String> = asks.get(name)?.iter().filter(|range| allows(range, &step.from)).collect();
    let shuts = meant.iter().find(|range| !allows(range, &step.to)).map(|range| (*range).clone());
    (!meant.is_empty()).then_some(shuts)
}

/// What a `Cargo.toml` asks for.
pub(super) fn cargo_toml(document: &Table, spots: &mut Spots) {
    tables(document, spots);
    if let Some(workspace) = document.get("workspace").and_then(Item::as_table_like) {
        table(workspace, "dependencies", spots);
    }
    if let Some(targets) = document.get("target").and_then(Item::as_table_like) {
        for target in targets.iter().filter_map(|(_, target)| target.as_table_like()) {
            tables(target, spots);
        }
    }
}

fn tables(above: &dyn TableLike, spots: &mut Spots) {
    for key in ["dependencies", "dev-dependencies", "dev_dependencies", "build-dependencies", "build_dependencies"] {
        table(above, key, spots);
    }
}

fn table(above: &dyn TableLike, key: &str, spots: &mut Spots) {
    let Some(entries) = above.get(key).and_then(Item::as_table_like) else { return };
    for (key, item) in entries.iter() {
        let renamed = item.as_table_like().and_then(|table| table.get("package")).and_then(Item::as_str);
        spots.item(renamed.unwrap_or(key), key, item, |old, to| moved(Ecosystem::CratesIo, old, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_works_after_the_others_too() {
        for (copies, moves, want) in [
            ("1.2.3", "1.2.3>1.2.6", "cargo update -p a --precise 1.2.6"),
            ("1.2.3 2.0.0", "2.0.0>2.0.1", "cargo update -p a@2 --precise 2.0.1"),
            (
                "1.2.3 2.0.0",
                "1.2.3>1.2.6 2.0.0>2.0.1",
                "cargo update -p a@1 --precise 1.2.6 && cargo update -p a@2 --precise 2.0.1",
            ),
            ("0.1.4 0.2.0 0.0.3", "0.2.0>0.2.9", "cargo update -p a@0.2 --precise 0.2.9"),
            ("0.1.40", "0.1.40>0.2.23", "cargo update --workspace"),
            ("0.0.3", "0.0.3>0.0.4", "cargo update --workspace"),
            (
                "0.1.40 1.0.0",
                "0.1.40>0.2.23 1.0.0>1.0.1",
                "cargo update --workspace && cargo update -p a@1 --precise 1.0.1",
            ),
            ("1.2.3 1.3.0", "1.2.3>1.2.6", "cargo update -p a@1.2.3 --precise 1.2.6"), // of two sources
            ("1.0.0-beta.1 2.0.0", "1.0.0-beta.1>1.0.0", "cargo update -p a@1.0.0-beta.1 --precise 1.0.0"),
            ("x", "x>1.0.0", "cargo update --workspace"),
        ] {
            let moves: Vec<Move> = moves
                .split(' ')
                .filter_map(|one| one.split_once('>'))
                .map(|(from, to)| Move { from: from.to_owned(), to: to.to_owned() })
                .collect();
            assert_eq!(update("a", &moves.iter().collect::<Vec<_>>(), &copies.split(' ').collect()), want, "{copies}");
        }
    }

    #[test]
    fn a_crate_that_is_here_says_what_it_asks_for() {
        let step = Move { from: "1.2.3".to_owned(), to: "1.2.6".to_owned() };
        for (line, want) in [
            ("[dependencies]\na = \"=1.2.3\"", Some(Some("=1.2.3"))),
            ("[dependencies]\na = \"1\"", Some(None)),
            ("[dependencies]\nb = { package = \"a\", version = \"~1.2.0, <1.2.5\" }", Some(Some("~1.2.0, <1.2.5"))),
            ("[target.'cfg(unix)'.dependencies]\na = \"=1.2.3\"", Some(Some("=1.2.3"))),
            ("[dependencies]\na = \"2\"", None),          // of another copy
            ("[dev-dependencies]\na = \"=1.2.3\"", None), // nobody else builds those
            ("[dependencies]\na.workspace = true", None),
            ("[dependencies", None),
        ] {
            let got = shut_out(&asks(line), "a", &step);
            assert_eq!(got.as_ref().map(Option::as_deref), want, "{line}");
        }
        assert_eq!(crate_of("[package]\nname = \"a\"\nversion = \"1.0.0\"\n").as_deref(), Some("a 1.0.0"));
    }
}
