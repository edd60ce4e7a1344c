//! `package.json`: what a Node project asks for.
//!
//! An exact version is a package, everything else is a range and not judged. Peer dependencies are the dependant's to
//! install, so they are declared but not listed.

use std::borrow::Cow;

use super::address::without_secret;
use super::json::{Json, Value};
use super::npm_source::{exact, is_git, source, split_name, table};
use super::reading::{Declared, Fault, Reading, quote};
use crate::package::{Ecosystem, NotJudged, Package, Scope, Source};

/// Reads a `package.json`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a manifest: package.json begins with `{`");
    }
    let outcome = json.object(|json, key, _| match key.as_ref() {
        "name" => {
            reading.links.name = json.string()?.map(Cow::into_owned);
            Ok(())
        }
        "workspaces" => members(json, &mut reading.links.members),
        key => match table(key) {
            Some(scope) => json.object(|json, name, line| {
                match json.string()? {
                    Some(requirement) => entry(&mut reading, &name, requirement.trim(), scope, line),
                    None => reading.problem(line, format!("the requirement of {} is not a string", quote(&name))),
                }
                Ok(())
            }),
            None => json.skip(),
        },
    });
    if let Err(fault) = outcome.and_then(|()| json.end()) {
        reading.fault(fault);
        if reading.packages.is_empty() && reading.not_judged.is_empty() {
            reading.links.declared.clear();
        }
    }
    reading.close()
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

fn entry(reading: &mut Reading, name: &str, requirement: &str, scope: Scope, line: u32) {
    let alias = requirement.strip_prefix("npm:");
    let (real, range) = match alias {
        Some(alias) => split_name(alias).unwrap_or((alias, "")),
        None => (name, requirement),
    };
    let declared = Declared { name: name.to_owned(), requirement: requirement.to_owned(), scope };
    reading.links.declared.push(declared);
    if scope == Scope::Peer {
        return;
    }
    if let Some(version) = exact(range) {
        reading.packages.push(Package {
            ecosystem: Ecosystem::Npm,
            name: real.to_owned(),
            version: version.to_owned(),
            line,
            direct: Some(true),
            scope,
            source: Source::Registry,
            licenses: Vec::new(),
            origin: None,
        });
        return;
    }
    let not_judged = |reason: &str| NotJudged {
        ecosystem: Ecosystem::Npm,
        name: real.to_owned(),
        requirement: without_secret(requirement).into_owned(),
        line,
        reason: reason.to_owned(),
        is_range: false,
        scope,
    };
    if ["workspace:", "link:", "portal:", "file:"].iter().any(|start| range.starts_with(start)) {
        return; // The project's own folder: its manifest is an input of its own.
    }
    if is_address(range) {
        reading.not_judged.push(not_judged("from an address, not from a registry"));
    } else {
        reading.range(Ecosystem::Npm, real.to_owned(), requirement.to_owned(), scope, line);
    }
}

fn is_address(range: &str) -> bool {
    let shorthand = range.split_once('/').is_some_and(|(owner, _)| !owner.is_empty() && !owner.contains([' ', '|']));
    is_git(range)
        || matches!(source(range), Source::PrivateRegistry(_) | Source::Git(_))
        || range.contains("://")
        || shorthand
}
