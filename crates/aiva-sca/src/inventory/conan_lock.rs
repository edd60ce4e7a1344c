//! `conan.lock`, formats 0.4 (Conan 1, a graph) and 0.5 (Conan 2, lists): recipes of C and C++ libraries.
//!
//! A reference is `name/version@user/channel#revision`; one with user and channel is not Conan's public centre's.

use std::borrow::Cow;

use super::json::{Json, Value};
use super::reading::{Fault, Reading, quote};
use crate::package::{Ecosystem, Package, Scope, Source};

/// Reads a `conan.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: Conan's begins with `{`");
    }
    let mut version = None;
    let outcome = json.object(|json, key, line| match key.as_ref() {
        "version" => {
            version = json.string()?.map(|version| (line, version));
            Ok(())
        }
        "requires" | "python_requires" | "config_requires" => references(json, Scope::Runtime, &mut reading),
        "build_requires" => references(json, Scope::Build, &mut reading),
        "graph_lock" => graph(json, &mut reading),
        _ => json.skip(),
    });
    if let Some((line, version)) = version.as_ref().filter(|(_, version)| !matches!(&**version, "0.4" | "0.5")) {
        let message = format!("conan.lock format {} is not one that this release reads (0.4, 0.5)", quote(version));
        return Reading::unsupported(*line, message);
    }
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if version.is_none() => reading.problem(1, "no version of the format: Conan did not write this file"),
        Ok(()) => {}
    }
    reading.close()
}

fn references(json: &mut Json<'_>, scope: Scope, reading: &mut Reading) -> Result<(), Fault> {
    json.array(|json| {
        json.next();
        let line = json.line();
        if let Some(reference) = json.string()? {
            add(&reference, scope, None, line, reading);
        }
        Ok(())
    })
}

fn graph(json: &mut Json<'_>, reading: &mut Reading) -> Result<(), Fault> {
    json.object(|json, key, _| {
        if key != "nodes" {
            return json.skip();
        }
        json.object(|json, node, line| {
            let (mut reference, mut context) = (Cow::Borrowed(""), Cow::Borrowed(""));
            let mut at = line;
            json.object(|json, key, line| {
                match key.as_ref() {
                    "ref" => {
                        at = line;
                        reference = json.string()?.unwrap_or_default();
                    }
                    "context" => context = json.string()?.unwrap_or_default(),
                    _ => json.skip()?,
                }
                Ok(())
            })?;
            // Node 0 is the project itself, which may be without a name.
            if node != "0" && !reference.is_empty() {
                let scope = if context == "build" { Scope::Build } else { Scope::Runtime };
                add(&reference, scope, None, at, reading);
            }
            Ok(())
        })
    })
}

fn add(reference: &str, scope: Scope, direct: Option<bool>, line: u32, reading: &mut Reading) {
    let plain = reference.split(['#', '%', ':']).next().unwrap_or(reference);
    let (recipe, channel) = plain.split_once('@').unwrap_or((plain, ""));
    let Some((name, version)) =
        recipe.split_once('/').filter(|(name, version)| !name.is_empty() && !version.is_empty())
    else {
        return reading.problem(line, format!("not a reference to a recipe: {}", quote(reference)));
    };
    let source = match channel {
        "" | "_/_" => Source::Registry,
        channel => Source::PrivateRegistry(channel.to_owned()),
    };
    let package = Package::new(Ecosystem::ConanCenter, name, version, line);
    reading.packages.push(Package { scope, source, direct, ..package });
}
