//! `setup.cfg`: what a Python project asks for, as setuptools wrote it before `pyproject.toml`.
//!
//! `configparser`'s format: sections in brackets, a key, and the lines of its value indented below it. A file that only
//! configures tools names no dependency and says nothing; `file:` and `attr:` point elsewhere and are listed as not judged.

use super::ending;
use super::graph::index;
use super::python::normalise;
use super::reading::{Declared, Reading, quote};
use super::requirements::{Requirement, is_whole, no_requirement};
use crate::package::{Ecosystem, NotJudged, Scope};

/// Reads a `setup.cfg`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let (mut section, mut scope) = (String::new(), None);
    let mut last = None;
    for (number, line) in text.lines().enumerate() {
        let number = index(number + 1);
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            if let Some(scope) = scope {
                last = Some(content);
                requirement(content, scope, number, &mut reading);
            }
            continue;
        }
        (scope, last) = (None, None);
        if let Some(name) = content.strip_prefix('[') {
            match name.strip_suffix(']') {
                Some(name) => name.trim().clone_into(&mut section),
                None => {
                    section.clear();
                    reading.problem(number, "a section without its closing `]`: nothing of it is read");
                }
            }
            continue;
        }
        let Some((key, value)) = content.split_once(['=', ':']) else {
            reading.problem(
                number,
                format!(
                    "neither a key with its value (`key = value`) nor indented below one: {} is passed over",
                    quote(content)
                ),
            );
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        scope = match (section.as_str(), key) {
            ("options", "install_requires") => Some(Scope::Runtime),
            ("options", "setup_requires") => Some(Scope::Build),
            ("options", "tests_require") => Some(Scope::Dev),
            ("options.extras_require", _) => Some(Scope::Optional),
            ("metadata", "name") => {
                reading.links.name = Some(normalise(value).to_string());
                None
            }
            _ => None,
        };
        if let Some(scope) = scope.filter(|scope| !reading.links.stated.contains(scope)) {
            reading.links.stated.push(scope);
        }
        if let Some(scope) = scope.filter(|_| !value.is_empty()) {
            // On one line they stand between semicolons; what is a marker to whoever wrote it is no requirement.
            last = Some(value);
            for one in value.split(';').map(str::trim).filter(|one| !one.is_empty() && !is_marker(one)) {
                requirement(one, scope, number, &mut reading);
            }
        }
    }
    let is_versioned = reading.links.declared.iter().any(|declared| !declared.requirement.is_empty());
    if ending::open_line(text).is_some() && last.is_some_and(|last| !is_whole(last, is_versioned)) {
        ending::doubt(text, &mut reading);
    }
    reading.close()
}

/// Whether a text begins as a marker does.
fn is_marker(text: &str) -> bool {
    const NAMES: [&str; 7] = [
        "python_version",
        "python_full_version",
        "python_implementation",
        "sys_platform",
        "os_name",
        "platform_",
        "implementation_",
    ];
    // A package may be called `extra`, but its version has no quotes.
    let is_extra = || {
        text.strip_prefix("extra").is_some_and(|rest| rest.trim_start_matches(['=', '!', ' ']).starts_with(['"', '\'']))
    };
    NAMES.iter().any(|name| text.starts_with(name)) || is_extra()
}

fn requirement(text: &str, scope: Scope, line: u32, reading: &mut Reading) {
    if text.starts_with("file:") || text.starts_with("attr:") {
        let reason = "kept in another file, which setuptools reads when it builds";
        return reading.not_judged.push(NotJudged::new(Ecosystem::PyPi, "requirements", text, line, reason));
    }
    let plain = text.split(" #").next().unwrap_or(text).trim();
    let Some(requirement) = Requirement::parse(plain) else {
        return reading.problem(line, no_requirement(text));
    };
    reading.links.declared.push(Declared::new(normalise(requirement.name), requirement.specifiers, scope, line));
    requirement.note(reading, scope, Some(true), line);
}
