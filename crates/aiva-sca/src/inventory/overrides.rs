//! Overrides: the version that a manifest forces upon everybody who asks for a package. npm's and bun's `overrides`, yarn's
//! `resolutions`, `pnpm.overrides` and those of `pnpm-workspace.yaml`, uv's `override-dependencies`, pdm's `resolution.overrides`.
//!
//! One that holds for every copy takes the place of what the manifest asks for by the same name. One for some ranges of it is an
//! entry beside that. One for what a single package asks for, and one that refers to another entry, are listed and not judged.

use std::collections::HashMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::address::without_secret;
use super::json::{Json, Value};
use super::kind::Kind;
use super::reading::{Catalogued, Fault, Reading, quote};
use super::workspaces::Tell;
use super::{package_json, pnpm_overrides, pnpm_workspace, pyproject, uv_constraints};
use crate::package::{Ecosystem, NotJudged, Origin, Scope};

/// How deep overrides are followed.
const DEEPEST: usize = 16;

/// The table of pnpm's in a `package.json`.
pub(super) const OF_MANIFEST: &str = "pnpm.overrides";

/// That of yarn's, which pnpm read too.
pub(super) const OF_YARN: &str = "resolutions";

/// A version that is forced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Override {
    /// The table that it stands in: `overrides`, `pnpm.overrides`.
    pub(crate) table: &'static str,
    /// The package.
    pub(crate) name: String,
    /// What it is to be, as written.
    pub(crate) requirement: String,
    /// The line that says so, from 1.
    pub(crate) line: u32,
    /// For whom.
    pub(crate) reach: Reach,
    /// The file that it stands in, by its path, where that is not the one at hand.
    pub(crate) file: Option<Arc<str>>,
}

/// Who gets what an override says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Everybody.
    All,
    /// Those who ask for certain versions, or on certain machines.
    Some,
    /// What one package asks for.
    Below,
    /// What builds the project.
    Build,
}

impl Override {
    /// Whether it narrows only what is asked for.
    pub(crate) fn is_constraint(&self) -> bool {
        matches!(self.table, uv_constraints::ALL | uv_constraints::BUILD)
    }
}

/// What the tables of a `package.json` say.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) all: Vec<Override>,
    /// The version of pnpm, where it says that it is pnpm's.
    pub(super) pnpm: Option<u32>,
    /// Names with something else than a text, by line.
    odd: Vec<(String, u32)>,
}

/// All that a manifest of this kind and role forces; nothing where it is of another kind, or cannot be read.
pub(crate) fn of_text(kind: Kind, text: &str, tell: &dyn Tell) -> Vec<Override> {
    match kind {
        Kind::PackageJson if tell.is_member() => Vec::new(),
        Kind::PackageJson => {
            let Written { mut all, pnpm, .. } = of_manifest(text);
            all.retain(|one| pnpm_overrides::passed_over(one, pnpm).is_none());
            all
        }
        Kind::PyProject => pyproject::overrides_of(text, tell),
        Kind::PnpmWorkspace => {
            let all = pnpm_workspace::overrides_of(text);
            if all.is_empty() || pnpm_workspace::taken(tell).may_be() { all } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// What the tables of a `package.json` say, whoever reads them; nothing where it cannot be read.
pub(super) fn of_manifest(text: &str) -> Written {
    let mut written = Written::default();
    let mut json = Json::new(text.trim_start_matches('\u{feff}'));
    let outcome = json.object(|json, key, _| match table(json, &key) {
        Some(table) => read(json, table, &mut written),
        None if key == MANAGER => written.note_manager(json),
        None => json.skip(),
    });
    outcome.map(|()| written).unwrap_or_default()
}

/// What says which tool of which version a `package.json` is for.
pub(super) const MANAGER: &str = "packageManager";

impl Written {
    /// Reads the value of [`MANAGER`].
    pub(super) fn note_manager(&mut self, json: &mut Json<'_>) -> Result<(), Fault> {
        self.pnpm = json.string()?.and_then(|manager| pnpm_overrides::version_of(&manager));
        Ok(())
    }

    /// Lists what the pnpm at hand does not go by, and forgets it.
    pub(super) fn settle_passed_over(&mut self, reading: &mut Reading) {
        let pnpm = self.pnpm;
        self.all.retain(|one| match pnpm_overrides::passed_over(one, pnpm) {
            Some(reason) => {
                pass_over(reading, one, &reason);
                false
            }
            None => true,
        });
    }
}

/// Whether the tool of a `package.json` reads this table of it.
pub(crate) fn is_read_table(text: &str, table: &str) -> bool {
    table == "overrides" || pnpm_overrides::reads_manifest(of_manifest(text).pnpm)
}

/// Lists an override that no tool goes by.
pub(super) fn pass_over(reading: &mut Reading, one: &Override, reason: &str) {
    let Override { name, requirement, line, .. } = one;
    let entry = NotJudged::new(Ecosystem::Npm, name, without_secret(requirement), *line, reason.to_owned());
    reading.not_judged.push(entry.settled());
}

/// What a key of `package.json` is called where it has overrides.
pub(super) fn table(json: &mut Json<'_>, key: &str) -> Option<&'static str> {
    match key {
        "overrides" => Some("overrides"),
        "resolutions" => Some(OF_YARN),
        "pnpm" if json.next() == Value::Object => Some(OF_MANIFEST),
        _ => None,
    }
}

/// Reads the value of such a key.
pub(super) fn read(json: &mut Json<'_>, table: &'static str, written: &mut Written) -> Result<(), Fault> {
    if table != OF_MANIFEST {
        return entries(json, table, None, 0, written);
    }
    json.object(|json, key, _| match key.as_ref() {
        "overrides" => entries(json, table, None, 0, written),
        _ => json.skip(),
    })
}

/// One level of a table; `above` is the package whose table it is, and who gets what is said of itself there.
fn entries(
    json: &mut Json<'_>,
    table: &'static str,
    above: Option<(&str, Reach)>,
    depth: usize,
    written: &mut Written,
) -> Result<(), Fault> {
    if depth == DEEPEST {
        return json.skip();
    }
    json.object(|json, key, line| {
        let (name, reach) = match above {
            // `.` in a package's own table is the package.
            Some(above) if key == "." => above,
            Some(_) => (overridden(&key), Reach::Below),
            None => (overridden(&key), reach(&key)),
        };
        if json.next() == Value::Object {
            let own = if depth == 0 { reach } else { Reach::Below };
            return entries(json, table, Some((name, own)), depth + 1, written);
        }
        let name = name.to_owned();
        match json.string()? {
            Some(text) => {
                let requirement = text.trim().to_owned();
                written.all.push(Override { table, name, requirement, line, reach, file: None });
            }
            None => written.odd.push((name, line)),
        }
        Ok(())
    })
}

/// The names in `overrides` as a lockfile repeats them.
pub(super) fn names(json: &mut Json<'_>, names: &mut Vec<String>) -> Result<(), Fault> {
    let mut written = Written::default();
    read(json, "overrides", &mut written)?;
    names.extend(written.all.into_iter().map(|one| one.name));
    Ok(())
}

/// The package that a key means: `a>b@1`, `a/**/b`, `@s/a/@s/b@npm:^1`.
pub(super) fn overridden(key: &str) -> &str {
    let last = parent(key).map_or(key, |(_, last)| last);
    let is_version = |at: &usize| last.get(..*at).is_some_and(|name| !name.is_empty() && !name.ends_with('/'));
    let end = last.rfind('@').filter(is_version);
    let path = last.get(..end.unwrap_or(last.len())).unwrap_or(last);
    let Some(slash) = path.rfind('/') else { return path };
    let before = path.get(..slash).unwrap_or_default();
    let scope = before.rfind('/').map_or(0, |at| at + 1);
    let is_scoped = before.get(scope..).is_some_and(|part| part.starts_with('@'));
    path.get(if is_scoped { scope } else { slash + 1 }..).unwrap_or(path)
}

/// Splits pnpm's `a>b`; the sign of a range (`a@>1`, `a@<1 || >2`) is another one.
fn parent(key: &str) -> Option<(&str, &str)> {
    let is_parent = |at: &usize| !matches!(key.as_bytes().get(at.wrapping_sub(1)), None | Some(b' ' | b'|' | b'@'));
    let at = memchr::memrchr_iter(b'>', key.as_bytes()).find(is_parent)?;
    Some((key.get(..at)?, key.get(at + 1..)?))
}

/// For whom the override of a key is.
pub(super) fn reach(key: &str) -> Reach {
    let name = overridden(key);
    // To yarn `**/a` is every copy.
    let plain = key.strip_prefix("**/").unwrap_or(key);
    match plain.strip_prefix(name) {
        Some("") => Reach::All,
        Some(_) => Reach::Some,
        None => Reach::Below,
    }
}

/// What a manifest asks for by name, for the overrides that take its place.
pub(super) type Scopes = HashMap<SmolStr, Scope>;

/// How the tables of a `package.json` are called; `is_open` is of one beside which a `pnpm-workspace.yaml` has overrides too.
pub(super) fn called(one: &Override, is_open: bool) -> &'static str {
    match one.table {
        OF_MANIFEST if is_open => "pnpm.overrides, as far as pnpm is 10 or older",
        OF_YARN if is_open => "resolutions, as far as pnpm is 10 or older",
        table => table,
    }
}

/// Lists what a `package.json` forces. `scopes` has what it asks for by name; `called` says how a table is called.
pub(super) fn settle(
    reading: &mut Reading,
    all: &[Override],
    scopes: &Scopes,
    called: &dyn Fn(&Override) -> &'static str,
) {
    for one in all {
        let scope = scopes.get(one.name.as_str()).copied();
        let (pins, open) = (reading.packages.len(), reading.not_judged.len());
        judge(reading, one, scope);
        mark(reading, (pins, open), called(one), scope.is_some());
    }
}

fn judge(reading: &mut Reading, one: &Override, scope: Option<Scope>) {
    let Override { table, name, requirement, line, reach, .. } = one;
    let asked = scope.unwrap_or_default();
    let mut list = |reason: &'static str| {
        let entry = NotJudged::new(Ecosystem::Npm, name, without_secret(requirement), *line, reason.to_owned());
        reading.not_judged.push(NotJudged { scope: asked, ..entry });
    };
    if requirement == "-" {
        // pnpm leaves the package out, also by what it reads of yarn's.
        if *table == "overrides" {
            list("an override by `-`, by which only pnpm's overrides leave a package out");
        }
        return;
    }
    if *reach == Reach::Below {
        return list("an override for what one package asks for: whether anybody gets it, a lockfile would say");
    }
    if let Some(other) = requirement.strip_prefix('$') {
        return match scope {
            // What the manifest asks for is judged where it stands.
            Some(_) if other == name => {}
            _ => list("an override by the version of another entry, which is not followed"),
        };
    }
    if requirement.starts_with("patch:") {
        return list("an override by a patched copy, not a released version");
    }
    if let Some(catalog) = requirement.strip_prefix("catalog:").map(str::trim) {
        let catalog = if catalog.is_empty() { "default" } else { catalog }.to_owned();
        let (name, line) = (name.clone(), *line);
        return reading.links.catalogued.push(Catalogued { name: name.into(), catalog, scope: asked, line });
    }
    package_json::ask(reading, name, requirement, asked, *line);
}

/// Says of what was added behind these places that it is forced, and whether the manifest asks for it as well.
pub(super) fn mark(reading: &mut Reading, (pins, open): (usize, usize), table: &str, is_asked: bool) {
    for package in reading.packages.iter_mut().skip(pins) {
        package.direct = is_asked.then_some(true);
        let forced_by = Some(table.into());
        package.origin = Some(Box::new(Origin { forced_by, ..Origin::default() }));
    }
    for entry in reading.not_judged.iter_mut().skip(open) {
        entry.forced_by = Some(table.into());
    }
}

/// Names that an override answers for, whatever the manifest asks for by them.
pub(super) fn replaced(all: &[Override]) -> impl Iterator<Item = &str> {
    let is_whole = |one: &&Override| one.reach == Reach::All && !one.requirement.starts_with(['$', '-']);
    all.iter().filter(is_whole).map(|one| one.name.as_str())
}

/// Names that pnpm leaves out, whoever asks for them.
pub(super) fn left_out(all: &[Override]) -> impl Iterator<Item = &str> {
    let is_pnpms = |one: &Override| matches!(one.table, OF_MANIFEST | pnpm_workspace::TABLE);
    let is_none = move |one: &&Override| is_pnpms(one) && one.reach == Reach::All && one.requirement == "-";
    all.iter().filter(is_none).map(|one| one.name.as_str())
}

/// Notes what is no text.
pub(super) fn doubt(reading: &mut Reading, written: &Written) {
    for (name, line) in &written.odd {
        reading.problem(*line, format!("the override of {} is not a string", quote(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_which_package_and_for_whom() {
        for (key, name, want) in [
            ("a", "a", Reach::All),
            ("@s/a", "@s/a", Reach::All),
            ("**/a", "a", Reach::All),
            ("**/@s/a", "@s/a", Reach::All),
            ("a@1", "a", Reach::Some),
            ("a@>1", "a", Reach::Some),
            ("a@<1 || >2", "a", Reach::Some),
            ("@s/a@^1", "@s/a", Reach::Some),
            ("a@npm:^1", "a", Reach::Some),
            ("b>a", "a", Reach::Below),
            ("b@1>a@>2", "a", Reach::Below),
            ("b/a", "a", Reach::Below),
            ("b/**/a", "a", Reach::Below),
            ("@s/b/@s/a", "@s/a", Reach::Below),
            (">", ">", Reach::All),
            ("", "", Reach::All),
        ] {
            assert_eq!((overridden(key), reach(key)), (name, want), "{key}");
        }
    }
}
