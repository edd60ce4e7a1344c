//! `pnpm-workspace.yaml`: what it forces. Its catalogs are read for those who ask for them, its members for those who may be some.

use std::borrow::Cow;
use std::collections::HashMap;

use super::find::Found;
use super::join::folder;
use super::kind::Kind;
use super::overrides::{self, Override, Scopes};
use super::pnpm_overrides::Taken;
use super::reading::{Catalogued, Links, Reading};
use super::workspaces::Tell;
use super::yaml::{self, Anchored, Visit};
use super::{door, ending};
use crate::package::{Ecosystem, NotJudged, Status};

/// How the overrides of this file are called.
pub(super) const TABLE: &str = "pnpm's overrides";

/// The same where `package.json` has some too.
const TABLE_SINCE: &str = "pnpm's overrides, as far as pnpm is 11 or later";

/// Reads a `pnpm-workspace.yaml`.
pub(crate) fn read(text: &str, tell: &dyn Tell) -> Reading {
    let mut reading = Reading::default();
    let (forced, fault) = yaml::tell(text, Forced::default);
    if let Some(fault) = fault {
        // The end of the text counts as a line of its own where it is cut.
        reading.problem(fault.line.min(door::last_line(text)), fault.message);
    }
    let taken = if forced.all.is_empty() { Taken::Yes } else { taken(tell) };
    if let Taken::No(reason) = taken {
        forced.all.iter().for_each(|one| overrides::pass_over(&mut reading, one, &reason));
        return reading.close();
    }
    for line in forced.aliases {
        reading.problem(line, "a YAML alias among the overrides, which is not followed");
    }
    let last = door::last_line(text);
    if let Some(open) = ending::open_line(text)
        && forced.all.last().is_some_and(|one| one.line == last)
        && !(ending::ends_whole(open) && forced.all.last().is_some_and(|one| ending::is_full(&one.requirement)))
    {
        ending::doubt(text, &mut reading);
    }
    let called = |_: &Override| if taken == Taken::Perhaps { TABLE_SINCE } else { TABLE };
    overrides::settle(&mut reading, &forced.all, &Scopes::new(), &called);
    // The catalog is this very file's, which is not put together here.
    for Catalogued { name, catalog, line, .. } in std::mem::take(&mut reading.links.catalogued) {
        let reason = "an override by a catalog of the workspace, which is not followed";
        reading.not_judged.push(NotJudged::new(Ecosystem::Npm, name, format!("catalog:{catalog}"), line, reason));
    }
    reading.close()
}

/// All that the overrides say, whether pnpm goes by them or not.
pub(super) fn overrides_of(text: &str) -> Vec<Override> {
    yaml::tell(text.trim_start_matches('\u{feff}'), Forced::default).0.all
}

/// Whether pnpm goes by the overrides.
pub(super) fn taken(tell: &dyn Tell) -> Taken {
    tell.pnpm().map_or(Taken::Yes, |workspace| workspace.taken.clone())
}

/// Forgets what a `pnpm-workspace.yaml` forces beside a lockfile of pnpm's that was read: the lockfile has the versions. What could
/// not be read of it is missing nowhere where the lockfile is whole.
pub(super) fn settle_locked(readings: &mut [(Found, Reading)]) {
    let is_lock = |found: &Found, reading: &Reading| {
        found.kind == Kind::PnpmLock && matches!(reading.status, Status::Parsed | Status::Partial)
    };
    let mut locked: HashMap<String, bool> = HashMap::new();
    for (found, reading) in readings.iter().filter(|(found, reading)| is_lock(found, reading)) {
        locked.insert(folder(&found.path).to_owned(), reading.status == Status::Parsed);
    }
    for (found, reading) in readings.iter_mut().filter(|(found, _)| found.kind == Kind::PnpmWorkspace) {
        match locked.get(folder(&found.path)) {
            Some(true) => *reading = Reading::default(),
            Some(false) => {
                reading.packages.clear();
                reading.not_judged.clear();
                reading.links = Links::default();
            }
            None => {}
        }
    }
}

/// The overrides of a `pnpm-workspace.yaml`.
#[derive(Default)]
struct Forced {
    all: Vec<Override>,
    /// The lines of aliases among them.
    aliases: Vec<u32>,
}

impl<'a> Visit<'a> for Forced {
    fn key(&mut self, _: yaml::Path<'_, 'a>, _: u32) {}

    fn scalar(&mut self, path: yaml::Path<'_, 'a>, value: Cow<'a, str>, line: u32) {
        if let [section, key] = path
            && section == "overrides"
        {
            let (name, requirement) = (overrides::overridden(key).to_owned(), value.trim().to_owned());
            let reach = overrides::reach(key);
            self.all.push(Override { table: TABLE, name, requirement, line, reach, file: None });
        }
    }

    fn reads_block(&self, path: yaml::Path<'_, 'a>) -> bool {
        path.first().is_some_and(|section| section == "overrides")
    }

    fn alias(&mut self, path: yaml::Path<'_, 'a>, _: Option<&Anchored<'a>>, line: u32) -> bool {
        if path.first().is_some_and(|section| section == "overrides") {
            self.aliases.push(line);
        }
        true // Elsewhere it says nothing that is read here.
    }
}
