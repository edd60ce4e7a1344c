//! `Package.resolved`, formats 1 to 3: what Swift's package manager has pinned, by repository.
//!
//! A pin on a branch or a revision names no release, so it is listed as not judged.

use std::borrow::Cow;

use super::address::without_secret;
use super::json::{Json, Value};
use super::reading::{Fault, Reading, quote};
use crate::name::repository;
use crate::package::{Ecosystem, NotJudged, Package, Source};

/// The newest format that Swift writes.
const NEWEST: u32 = 3;

#[derive(Default)]
struct Pin<'a> {
    line: u32,
    identity: Option<Cow<'a, str>>,
    kind: Option<Cow<'a, str>>,
    location: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    other: Option<Cow<'a, str>>,
}

/// Reads a `Package.resolved`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a Package.resolved: Swift's begins with `{`");
    }
    let (mut format, mut has_pins) = (None, false);
    let outcome = json.object(|json, key, line| match key.as_ref() {
        "object" => json.object(|json, key, _| match key.as_ref() {
            "pins" => {
                has_pins = true;
                pins(json, &mut reading)
            }
            _ => json.skip(),
        }),
        "pins" => {
            has_pins = true;
            pins(json, &mut reading)
        }
        "version" => {
            format = json.number()?.map(|format| (format, line));
            Ok(())
        }
        _ => json.skip(),
    });
    if let Some((format, line)) = format.filter(|(format, _)| *format > NEWEST) {
        let message = format!("Package.resolved format {format} is newer than {NEWEST}, the newest this release reads");
        return Reading::unsupported(line, message);
    }
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if !has_pins || format.is_none() => {
            reading.problem(1, "no pins or no format version: Swift did not write this file");
        }
        Ok(()) => {}
    }
    reading.close()
}

fn pins(json: &mut Json<'_>, reading: &mut Reading) -> Result<(), Fault> {
    json.array(|json| {
        json.next();
        let mut pin = Pin { line: json.line(), ..Pin::default() };
        json.object(|json, key, line| {
            match key.as_ref() {
                "identity" | "package" => {
                    pin.line = line;
                    pin.identity = json.string()?;
                }
                "kind" => pin.kind = json.string()?,
                "location" | "repositoryURL" => pin.location = json.string()?,
                "state" => json.object(|json, key, _| {
                    match key.as_ref() {
                        "version" => pin.version = json.string()?,
                        "branch" | "revision" => pin.other = json.string()?.or(pin.other.take()),
                        _ => json.skip()?,
                    }
                    Ok(())
                })?,
                _ => json.skip()?,
            }
            Ok(())
        })?;
        pin.settle(reading);
        Ok(())
    })
}

impl Pin<'_> {
    fn settle(self, reading: &mut Reading) {
        let identity = self.identity.as_deref().unwrap_or_default();
        let location = without_secret(self.location.as_deref().unwrap_or_default());
        let (name, source) = match self.kind.as_deref() {
            Some("registry") => (identity.into(), Source::PrivateRegistry(identity.to_owned())),
            Some("localSourceControl" | "fileSystem") => (identity.into(), Source::Path(location.clone().into_owned())),
            _ => (repository(&location), Source::Registry),
        };
        if name.is_empty() {
            return reading.problem(self.line, format!("the pin {} says not where it comes from", quote(identity)));
        }
        match (&self.version, &self.other) {
            (Some(version), _) => {
                let package = Package::new(Ecosystem::SwiftUrl, name, version.as_ref(), self.line);
                reading.packages.push(Package { source, ..package });
            }
            (None, Some(other)) => {
                let reason = "a branch or a revision, not a released version";
                reading.not_judged.push(NotJudged::new(Ecosystem::SwiftUrl, name, other.as_ref(), self.line, reason));
            }
            (None, None) => reading.problem(self.line, format!("the pin {} has no version", quote(&name))),
        }
    }
}
