//! `package.json`: what a Node project asks for.
//!
//! An exact version is a package, everything else is a range or comes from elsewhere. Peer dependencies are installed by npm from
//! version 7 on, so they count unless they are optional; in a lockfile's place they say nothing. What [`overrides`] force is judged
//! in the place of what is asked for.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::HashSet;

use smol_str::SmolStr;

use super::address::without_secret;
use super::graph::stronger;
use super::json::{Json, Value};
use super::npm_source::{exact, is_git, patched, source, table};
use super::overrides::{self, Scopes, Written};
use super::pnpm_overrides::Taken;
use super::reading::{Catalogued, Declared, Fault, Reading, quote};
use super::workspaces::{Alone, Tell};
use crate::name::{behind_npm, plain_range};
use crate::package::{Ecosystem, Licenses, NotJudged, Package, Scope, Source};

/// Reads a `package.json`.
pub(crate) fn read(text: &str) -> Reading {
    read_as(text, &Alone)
}

/// The same; of a member of a workspace nobody reads the overrides, and pnpm may leave something out.
pub(super) fn read_as(text: &str, tell: &dyn Tell) -> Reading {
    let mut reading = Reading::default();
    let (mut json, is_member) = (Json::new(text), LazyCell::new(|| tell.is_member()));
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a manifest: package.json begins with `{`");
    }
    let (mut peers, mut asked, mut written) = (Peers::default(), Vec::new(), Written::default());
    let outcome = json.object(|json, key, _| match key.as_ref() {
        "name" => {
            reading.links.name = json.string()?.map(Cow::into_owned);
            Ok(())
        }
        "workspaces" => members(json, &mut reading.links.members),
        overrides::MANAGER => written.note_manager(json),
        "peerDependenciesMeta" => json.object(|json, name, _| {
            json.object(|json, key, _| {
                if key != "optional" {
                    return json.skip();
                }
                if json.is_true()? {
                    peers.optional.insert(name.clone().into_owned());
                }
                Ok(())
            })
        }),
        key => match (table(key), overrides::table(json, key)) {
            (Some(scope), _) => json.object(|json, name, line| {
                match json.string()? {
                    Some(requirement) => {
                        let one = Declared::new(name, plain_range(requirement.trim()), scope, line);
                        if scope == Scope::Peer { peers.asked.push(one) } else { asked.push(one) }
                    }
                    None => reading.problem(line, format!("the requirement of {} is not a string", quote(&name))),
                }
                Ok(())
            }),
            (None, Some(table)) if !*is_member => overrides::read(json, table, &mut written),
            (None, _) => json.skip(),
        },
    });
    let outcome = outcome.and_then(|()| json.end());
    overrides::doubt(&mut reading, &written);
    written.settle_passed_over(&mut reading);
    let workspace = (!asked.is_empty() || !written.all.is_empty()).then(|| tell.pnpm()).flatten();
    // Of two tables of which one is taken neither leaves anything out for sure.
    let is_open = workspace.as_ref().is_some_and(|one| one.taken == Taken::Perhaps);
    let forced: HashSet<&str> = overrides::replaced(&written.all).collect();
    let left_out: HashSet<&str> = overrides::left_out(&written.all).filter(|_| !is_open).collect();
    let mut scopes = Scopes::new();
    peers.settle(&mut asked, &mut reading);
    reading.links.declared.reserve(asked.len());
    for one in asked {
        if !written.all.is_empty() {
            let scope = scopes.entry(one.name.clone()).or_insert(one.scope);
            *scope = stronger(*scope, one.scope);
        }
        let is_left_out = workspace.as_ref().is_some_and(|workspace| workspace.leaves_out(&one.name));
        let left_out = match (left_out.contains(&*one.name), is_left_out) {
            (true, _) => Some("pnpm leaves it out: pnpm.overrides say `-`"),
            (_, true) => Some("pnpm leaves it out: the overrides of pnpm-workspace.yaml say `-`"),
            _ => None,
        };
        if let Some(reason) = left_out {
            let entry = NotJudged::new(Ecosystem::Npm, &*one.name, without_secret(&one.requirement), one.line, reason);
            reading.not_judged.push(NotJudged { scope: one.scope, ..entry.settled() });
            reading.links.conditional.push(one.name.to_string());
            reading.links.declared.push(one);
            continue;
        }
        entry(&mut reading, one, &forced);
    }
    overrides::settle(&mut reading, &written.all, &scopes, &|one| overrides::called(one, is_open));
    reading.links.overridden.extend(written.all.iter().map(|one| one.name.clone()));
    if !(reading.packages.is_empty() && reading.not_judged.is_empty()) {
        tell.registries().settle(&mut reading);
    }
    reading.packages.sort_by_key(|package| package.line);
    reading.not_judged.sort_by_key(|entry| entry.line);
    if let Err(fault) = outcome {
        reading.fault(fault);
        if reading.packages.is_empty() && reading.not_judged.is_empty() {
            reading.links.declared.clear();
        }
    }
    reading.close()
}

/// The folders that a `package.json` calls members of its workspace, as patterns; what comes before it cannot be read on counts.
pub(super) fn members_of(text: &str) -> Vec<String> {
    let (mut json, mut all) = (Json::new(text), Vec::new());
    if json.next() == Value::Object {
        // That it cannot be read on is told of where it is read itself.
        let _ = json.object(|json, key, _| if key == "workspaces" { members(json, &mut all) } else { json.skip() });
    }
    all
}

/// `["packages/*"]` or yarn's `{"packages": [...]}`.
fn members(json: &mut Json<'_>, members: &mut Vec<String>) -> Result<(), Fault> {
    let mut globs = |json: &mut Json<'_>| {
        json.array(|json| {
            members.extend(json.string()?.map(Cow::into_owned));
            Ok(())
        })
    };
    match json.next() {
        Value::Object => json.object(|json, key, _| if key == "packages" { globs(json) } else { json.skip() }),
        _ => globs(json),
    }
}

/// Peer dependencies, which npm installs from version 7 on unless they are called optional, or are asked for in another table.
#[derive(Default)]
struct Peers {
    asked: Vec<Declared>,
    optional: HashSet<String>,
}

impl Peers {
    fn settle(self, asked: &mut Vec<Declared>, reading: &mut Reading) {
        if self.asked.is_empty() {
            return;
        }
        let known: HashSet<SmolStr> = asked.iter().map(|one| one.name.clone()).collect();
        for one in self.asked {
            if self.optional.contains(one.name.as_str()) || known.contains(one.name.as_str()) {
                reading.links.declared.push(one);
            } else {
                asked.push(one);
            }
        }
    }
}

/// Adds one dependency; what is forced is judged by the override in its place.
fn entry(reading: &mut Reading, one: Declared, forced: &HashSet<&str>) {
    if !forced.contains(&*one.name) {
        match one.requirement.strip_prefix("catalog:").map(str::trim) {
            Some(catalog) => {
                let catalog = if catalog.is_empty() { "default" } else { catalog }.to_owned();
                let name = one.name.clone();
                reading.links.catalogued.push(Catalogued { name, catalog, scope: one.scope, line: one.line });
            }
            None => ask(reading, &one.name, &one.requirement, one.scope, one.line),
        }
    }
    reading.links.declared.push(one);
}

/// Judges what is asked for, or says why it cannot be judged.
pub(super) fn ask(reading: &mut Reading, name: &str, requirement: &str, scope: Scope, line: u32) {
    let requirement = plain_range(requirement);
    let (real, range) = match requirement.strip_prefix("npm:").map(behind_npm) {
        Some((real, range)) => (real.unwrap_or(name), range),
        None => (name, requirement),
    };
    if let Some(version) = exact(range) {
        reading.alias(name, real, line);
        reading.packages.push(Package {
            ecosystem: Ecosystem::Npm,
            name: real.into(),
            version: version.into(),
            line,
            direct: Some(true),
            scope,
            source: Source::Registry,
            licenses: Licenses::default(),
            origin: None,
        });
        return;
    }
    if is_plain(range) {
        return reading.range(Ecosystem::Npm, real, requirement, scope, line);
    }
    // Shorter by each patch that lies in another one.
    if let Some((name, range)) = patched(range) {
        return ask(reading, &name, &range, scope, line);
    }
    let shown = without_secret(requirement).into_owned();
    if let Some(place) = ["workspace:", "link:", "portal:", "file:"].iter().find_map(|start| range.strip_prefix(start))
    {
        // The project's own folder: its manifest is an input of its own.
        return reading.outside(Ecosystem::Npm, real, Source::Path(place.to_owned()), line);
    }
    if is_address(range) {
        let source = match source(range) {
            source @ (Source::Git(_) | Source::PrivateRegistry(_) | Source::Path(_)) => source,
            Source::Url(address) if !address.contains(':') => Source::Git(address), // `owner/repository` of GitHub.
            source => source,
        };
        reading.outside(Ecosystem::Npm, real, source, line);
        let entry = NotJudged::new(Ecosystem::Npm, real, shown, line, "from an address, not from a registry");
        reading.not_judged.push(NotJudged { scope, ..entry });
    } else if is_tag(range) {
        let reason = "a tag that its publisher can move; a lockfile, or a range in its place, would say which versions";
        let entry = NotJudged::new(Ecosystem::Npm, real, shown, line, reason);
        reading.not_judged.push(NotJudged { scope, ..entry });
    } else {
        reading.range(Ecosystem::Npm, real, requirement, scope, line);
    }
}

/// Whether it can be neither a tag nor an address, as nearly all.
fn is_plain(range: &str) -> bool {
    !range.starts_with(|c: char| c.is_ascii_alphabetic()) && !range.bytes().any(|byte| matches!(byte, b':' | b'/'))
}

/// `latest`, `next`, `beta.1`: what is no range is a tag to npm.
fn is_tag(range: &str) -> bool {
    let begins = range.starts_with(|c: char| c.is_ascii_alphabetic()) && !matches!(range, "x" | "X");
    let is_version = range.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_wild = range.starts_with("x.") || range.starts_with("X.");
    begins && !is_version && !is_wild && !range.contains([' ', '|', '<', '>', '=', '^', '~', ':', '/'])
}

fn is_address(range: &str) -> bool {
    let shorthand = range.split_once('/').is_some_and(|(owner, _)| !owner.is_empty() && !owner.contains([' ', '|']));
    is_git(range)
        || matches!(source(range), Source::PrivateRegistry(_) | Source::Git(_))
        || range.contains("://")
        || shorthand
}
