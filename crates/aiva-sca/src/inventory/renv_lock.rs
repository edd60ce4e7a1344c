//! `renv.lock`: the R packages of a project, with where each came from.

use std::borrow::Cow;

use super::address::without_secret;
use super::json::{Json, Value};
use super::reading::{Reading, quote};
use crate::package::{Ecosystem, Package, Source};

/// Reads a `renv.lock`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Reading::failed(json.line(), "not a lockfile: renv's begins with `{`");
    }
    let mut has_packages = false;
    let outcome = json.object(|json, key, _| {
        if key != "Packages" {
            return json.skip();
        }
        has_packages = true;
        json.object(|json, name, line| {
            let mut version = None;
            let (mut kind, mut address) = (Cow::Borrowed(""), Cow::Borrowed(""));
            json.object(|json, key, _| {
                match key.as_ref() {
                    "Version" => version = json.string()?,
                    "Source" => kind = json.string()?.unwrap_or_default(),
                    "Repository" | "RemoteUrl" | "RemoteRepo" => address = json.string()?.unwrap_or_default(),
                    _ => json.skip()?,
                }
                Ok(())
            })?;
            let Some(version) = version else {
                reading.problem(line, format!("{} has no version", quote(&name)));
                return Ok(());
            };
            let package = Package::new(Ecosystem::Cran, name, version, line);
            reading.packages.push(Package { source: source(&kind, &address), ..package });
            Ok(())
        })
    });
    match outcome.and_then(|()| json.end()) {
        Err(fault) => reading.fault(fault),
        Ok(()) if !has_packages => reading.problem(1, "no Packages: renv did not write this file"),
        Ok(()) => {}
    }
    reading.close()
}

/// A repository's name is whatever the user called it; CRAN's mirrors are called after it.
fn source(kind: &str, address: &str) -> Source {
    let address = || without_secret(address).into_owned();
    match kind {
        "Repository" | "CRAN" => match &*address() {
            "" | "CRAN" | "RSPM" | "P3M" | "PPM" | "CRAN_archive" => Source::Registry,
            other => Source::PrivateRegistry(other.to_owned()),
        },
        "" => Source::Registry,
        "Bioconductor" => Source::PrivateRegistry("Bioconductor".to_owned()),
        "Local" | "unknown" => Source::Path(address()),
        "URL" => Source::Url(address()),
        _ => Source::Git(address()),
    }
}
