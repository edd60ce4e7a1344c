//! What pip and its like leave beside an installed distribution: `METADATA` of `*.dist-info`, `PKG-INFO` of `*.egg-info` (PEP 376,
//! the core metadata specification).

use super::super::address::without_secret;
use super::super::door;
use super::super::json::{Json, Value};
use super::super::python;
use super::super::reading::{Fault, Reading};
use crate::package::{Ecosystem, Package, Source};
use crate::purl::pypi_name;

/// Reads the headers; what follows the first empty line is a description.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let (mut name, mut version, mut license, mut expression, mut line) = ("", "", "", "", 0);
    let mut ended = false;
    for (header, at) in text.lines().zip(1..) {
        if header.trim().is_empty() {
            ended = true;
            break;
        }
        let Some((key, value)) = header.split_once(':').filter(|_| !header.starts_with([' ', '\t'])) else { continue };
        match key {
            "Name" if name.is_empty() => (name, line) = (value.trim(), at),
            "Version" if version.is_empty() => version = value.trim(),
            "License" => license = value.trim(),
            "License-Expression" => expression = value.trim(),
            _ => {}
        }
    }
    if !ended && door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    }
    if name.is_empty() || version.is_empty() {
        reading.problem(line, "the metadata name no package and version");
        return reading.close();
    }
    let mut package = Package::new(Ecosystem::PyPi, pypi_name(name), version, line);
    let stated = if expression.is_empty() { license } else { expression };
    let is_stated = !stated.is_empty() && !stated.eq_ignore_ascii_case("unknown");
    package.licenses = is_stated.then(|| stated.to_owned()).into_iter().collect();
    reading.packages.push(package);
    reading.close()
}

/// Where a `direct_url.json` (PEP 610) says that a distribution was installed from: a repository, a folder or an archive. None of
/// these is the release of an index, whatever its name and version.
pub(crate) fn origin(text: &str) -> Result<Source, Fault> {
    let mut json = Json::new(text);
    if json.next() != Value::Object {
        return Err(Fault::new(
            json.line(),
            "where the distribution comes from cannot be understood: it begins with `{`",
        ));
    }
    let (mut url, mut kind) = (String::new(), String::new());
    json.object(|json, key, _| match &*key {
        "url" => {
            url = json.string()?.unwrap_or_default().into_owned();
            Ok(())
        }
        key => {
            if key.ends_with("_info") {
                key.clone_into(&mut kind);
            }
            json.skip()
        }
    })?;
    json.end()?;
    let address = without_secret(&url).into_owned();
    match kind.as_str() {
        _ if url.is_empty() => Err(Fault::new(1, "where the distribution comes from is not said: there is no address")),
        "vcs_info" => Ok(Source::Git(address)),
        "dir_info" => Ok(Source::Path(address)),
        // A file of the index itself, which somebody named by its address.
        _ if python::index(&url) == Source::Registry => Ok(Source::Registry),
        _ if url.starts_with("file:") => Ok(Source::Path(address)),
        _ => Ok(Source::Url(address)),
    }
}
