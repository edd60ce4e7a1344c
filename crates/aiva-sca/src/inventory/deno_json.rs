//! `deno.json` and `deno.jsonc`: the names that a deno project imports, and what stands behind them.
//!
//! `npm:chalk@5.3.0` is a pin, `npm:chalk@^5` a range. No public advisories name JSR's packages, and a file that is imported by
//! address has neither name nor version: both are listed as not judged. A file of the project is no dependency.

use std::collections::HashSet;

use super::address::without_secret;
use super::json::{Json, Value};
use super::npm_source::{exact, split_name};
use super::reading::{Declared, Fault, Reading, quote};
use crate::package::{Ecosystem, NotJudged, Package, Scope};

#[derive(Default)]
struct Config {
    reading: Reading,
    /// One package is often imported under several names.
    seen: HashSet<String>,
}

/// Reads a `deno.json`.
pub(crate) fn read(text: &str) -> Reading {
    let mut json = Json::relaxed(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a configuration of deno: it begins with `{`");
    }
    let mut config = Config::default();
    let outcome = json.object(|json, key, line| match key.as_ref() {
        "imports" => config.imports(json),
        "scopes" => json.object(|json, _, _| config.imports(json)),
        "importMap" => {
            if let Some(file) = json.string()? {
                config.reading.problem(line, format!("the imports are in {}, which is not read", quote(&file)));
            }
            Ok(())
        }
        _ => json.skip(),
    });
    let mut reading = config.reading;
    if let Err(fault) = outcome.and_then(|()| json.end()) {
        reading.fault(fault);
    }
    reading.close()
}

impl Config {
    fn imports(&mut self, json: &mut Json<'_>) -> Result<(), Fault> {
        json.object(|json, name, line| {
            match json.string()? {
                Some(target) => self.import(&target, line),
                None => self.reading.problem(line, format!("what {} stands for is not a string", quote(&name))),
            }
            Ok(())
        })
    }

    fn import(&mut self, target: &str, line: u32) {
        let not_judged = |name: &str, requirement: &str, reason: &'static str| {
            NotJudged::new(Ecosystem::Npm, name, requirement, line, reason)
        };
        if let Some(specifier) = target.strip_prefix("npm:") {
            let (name, range) = parts(specifier);
            if name.is_empty() {
                return self.reading.problem(line, format!("{} names no package", quote(target)));
            }
            if !self.seen.insert(format!("{name}@{range}")) {
                return;
            }
            self.reading.links.declared.push(Declared::new(name, range, Scope::Runtime, line));
            match exact(range) {
                Some(version) => {
                    let package = Package::new(Ecosystem::Npm, name, version, line);
                    self.reading.packages.push(Package { direct: Some(true), ..package });
                }
                None => self.reading.range(Ecosystem::Npm, name, range, Scope::Runtime, line),
            }
        } else if let Some(specifier) = target.strip_prefix("jsr:") {
            let (name, range) = parts(specifier);
            if name.is_empty() {
                return self.reading.problem(line, format!("{} names no package", quote(target)));
            }
            if self.seen.insert(format!("jsr:{name}@{range}")) {
                let reason = "from JSR, whose packages no public advisories name";
                self.reading.not_judged.push(not_judged(name, range, reason));
            }
        } else if target.starts_with("https://") || target.starts_with("http://") {
            let address = without_secret(target);
            if self.seen.insert(address.clone().into_owned()) {
                let reason = "imported by address: it has no package and no version";
                self.reading.not_judged.push(not_judged(&address, "", reason));
            }
        }
    }
}

/// `/@scope/name@^1/sub/path`: the name and the range, without the path behind them.
fn parts(specifier: &str) -> (&str, &str) {
    let specifier = specifier.trim_start_matches('/');
    let (name, rest) = split_name(specifier).unwrap_or((specifier, ""));
    let slashes = usize::from(name.starts_with('@'));
    let end = name.match_indices('/').nth(slashes).map_or(name.len(), |(at, _)| at);
    let range = rest.split('/').next().unwrap_or_default();
    (name.get(..end).unwrap_or(name), range)
}
