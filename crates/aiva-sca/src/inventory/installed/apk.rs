//! apk's database (`apk-package(5)`, `apk-v2(5)`): a record a package, a letter a field, an empty line after each record.
//!
//! The origin is the package that others were split from; Alpine's advisories are about origins.

use super::super::door;
use super::super::reading::{Reading, quote};
use super::{Owned, origin};
use crate::package::{Ecosystem, Package};
use crate::system::{Distribution, System};

const OTHER: Ecosystem = Ecosystem::System(System::family(Distribution::OtherApk));

/// Reads `lib/apk/db/installed`; notes the files that packages own.
pub(crate) fn read(text: &str, owned: &mut Owned) -> Reading {
    let mut reading = Reading::default();
    let mut record = Record::default();
    for (line, at) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            std::mem::take(&mut record).close(&mut reading);
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            reading.problem(at, format!("not a field: {}", quote(line)));
            continue;
        };
        if record.line == 0 {
            record.line = at;
        }
        match key {
            "P" => (record.name, record.line) = (value, at),
            "V" => record.version = value,
            "o" => record.origin = value,
            "L" => record.license = value,
            "F" => record.folder = value,
            "R" => owned.add(&format!("{}/{value}", record.folder)),
            _ => {}
        }
    }
    record.close(&mut reading);
    if !text.trim().is_empty() && !text.ends_with("\n\n") {
        reading
            .problem(door::last_line(text), "the database does not end with an empty line: it may have been cut off");
    }
    reading.close()
}

#[derive(Default)]
struct Record<'t> {
    line: u32,
    name: &'t str,
    version: &'t str,
    origin: &'t str,
    license: &'t str,
    folder: &'t str,
}

impl Record<'_> {
    fn close(self, reading: &mut Reading) {
        if self.line == 0 {
            return;
        }
        if self.name.is_empty() || self.version.is_empty() {
            return reading.problem(self.line, "a package without a name or a version");
        }
        let mut package = Package::new(OTHER, self.name, self.version, self.line);
        package.origin = origin(&package, self.origin, self.version);
        package.licenses = (!self.license.is_empty()).then(|| self.license.to_owned()).into_iter().collect();
        reading.packages.push(package);
    }
}
