//! `package.json` of a package in `node_modules`: what npm, yarn and pnpm put there.

use std::borrow::Cow;

use super::super::json::{Json, Value};
use super::super::reading::Reading;
use crate::package::{Ecosystem, Package};

/// Reads the name and version of an installed package.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a manifest: package.json begins with `{`");
    }
    let (mut name, mut version, mut license, mut at) = (Cow::Borrowed(""), Cow::Borrowed(""), None, 1);
    let outcome = json.object(|json, key, line| {
        match &*key {
            "name" => (name, at) = (json.string()?.unwrap_or_default(), line),
            "version" => version = json.string()?.unwrap_or_default(),
            "license" if json.next() == Value::Text => license = json.string()?,
            _ => json.skip()?,
        }
        Ok(())
    });
    if let Err(fault) = outcome.and_then(|()| json.end()) {
        reading.fault(fault);
    }
    if name.is_empty() || version.is_empty() {
        reading.problem(at, "it names no package and version");
        return reading.close();
    }
    let version = version.trim().trim_start_matches(['=', 'v']);
    let mut package = Package::new(Ecosystem::Npm, name, version, at);
    package.licenses = license.filter(|license| !license.is_empty()).map(Cow::into_owned).into_iter().collect();
    reading.packages.push(package);
    reading.close()
}
