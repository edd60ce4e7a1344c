//! `vendor/modules.txt`: the modules whose packages are vendored.
//!
//! `go mod vendor` lists a module as `# path version`, with `=>` where it was replaced, and says `## explicit` of what a
//! `go.mod` asks for.

use super::door;
use super::graph::index;
use super::reading::{Reading, quote};
use crate::package::{Ecosystem, Package, Source};

/// Reads a `vendor/modules.txt`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut at: Option<usize> = None;
    for (number, line) in text.lines().enumerate() {
        let number = index(number + 1);
        if let Some(flags) = line.strip_prefix("## ") {
            if let Some(package) = at.and_then(|at| reading.packages.get_mut(at)) {
                package.direct = Some(flags.split(';').any(|flag| flag.trim() == "explicit"));
            }
        } else if let Some(module) = line.strip_prefix("# ") {
            at = module_line(module, number, &mut reading);
        } else if line.starts_with('#') || line.split_whitespace().count() > 1 {
            reading.problem(number, format!("not a line of a modules.txt: {}", quote(line)));
        }
    }
    if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    }
    reading.close()
}

/// `path version`, `path version => path version`, `path version => ./folder`; where the package stands in the list.
fn module_line(module: &str, line: u32, reading: &mut Reading) -> Option<usize> {
    let words: Vec<&str> = module.split_whitespace().collect();
    let (path, version, source) = match words.as_slice() {
        // A replacement of every version is repeated at the end; it is no module of its own.
        [_, "=>", ..] => return None,
        [path, version] => (*path, *version, Source::Registry),
        [_, _, "=>", path, version] => (*path, *version, Source::Registry),
        [path, version, "=>", folder] => (*path, *version, Source::Path((*folder).to_owned())),
        _ => {
            reading.problem(line, format!("not a module with its version: {}", quote(module)));
            return None;
        }
    };
    let Some(version) = version.strip_prefix('v').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) else {
        reading.problem(line, format!("not a version of a module: {}", quote(version)));
        return None;
    };
    let package = Package::new(Ecosystem::Go, path, version, line);
    reading.packages.push(Package { source, direct: Some(false), ..package });
    Some(reading.packages.len() - 1)
}
