//! What pip and its like leave beside an installed distribution: `METADATA` of `*.dist-info`, `PKG-INFO` of `*.egg-info` (PEP 376,
//! the core metadata specification).

use super::super::door;
use super::super::reading::Reading;
use crate::package::{Ecosystem, Package};
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
    package.licenses.extend((!stated.is_empty() && !stated.eq_ignore_ascii_case("unknown")).then(|| stated.to_owned()));
    reading.packages.push(package);
    reading.close()
}
