//! dpkg's database (`deb-control(5)`, `dpkg-query(1)`): a paragraph a package, with its source package where that differs.
//!
//! Packages that were removed and left only their configuration are passed over. dpkg ends every paragraph with an empty line, so
//! a database without one at its end was cut. Distroless images keep a paragraph a file, without that line.

use super::super::door;
use super::super::reading::{Reading, quote};
use super::origin;
use crate::package::{Ecosystem, Package};
use crate::system::{Distribution, System};

const OTHER: Ecosystem = Ecosystem::System(System::family(Distribution::OtherDpkg));

/// Reads `var/lib/dpkg/status`.
pub(crate) fn read(text: &str) -> Reading {
    let mut reading = read_part(text);
    if !text.trim().is_empty() && !text.ends_with("\n\n") {
        reading
            .problem(door::last_line(text), "the database does not end with an empty line: it may have been cut off");
    }
    reading.close()
}

/// Reads a file of `var/lib/dpkg/status.d`.
pub(crate) fn read_part(text: &str) -> Reading {
    let mut reading = Reading::default();
    let mut paragraph = Paragraph::default();
    for (line, at) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            std::mem::take(&mut paragraph).close(&mut reading);
        } else if line.starts_with([' ', '\t']) {
            // The continuation of a field; none of those that are read here has one.
        } else if let Some((key, value)) = line.split_once(':') {
            paragraph.field(key, value.trim(), at);
        } else {
            reading.problem(at, format!("not a field: {}", quote(line)));
        }
    }
    paragraph.close(&mut reading);
    if door::is_cut(text) {
        reading.problem(door::last_line(text), door::CUT);
    }
    reading.close()
}

#[derive(Default)]
struct Paragraph<'t> {
    line: u32,
    name: &'t str,
    version: &'t str,
    status: &'t str,
    source: &'t str,
}

impl<'t> Paragraph<'t> {
    fn field(&mut self, key: &str, value: &'t str, line: u32) {
        match key {
            "Package" => (self.name, self.line) = (value, line),
            "Version" => self.version = value,
            "Status" => self.status = value,
            "Source" => self.source = value,
            _ => {}
        }
        if self.line == 0 {
            self.line = line;
        }
    }

    fn close(self, reading: &mut Reading) {
        if self.line == 0 {
            return;
        }
        // `install ok installed`; files of status.d have no such field.
        let state = self.status.split_ascii_whitespace().nth(2).unwrap_or("installed");
        if matches!(state, "config-files" | "not-installed") {
            return;
        }
        if self.name.is_empty() || self.version.is_empty() {
            return reading.problem(self.line, "a package without a name or a version");
        }
        let mut package = Package::new(OTHER, self.name, self.version, self.line);
        // `openssl (3.0.11-1)`, or a name alone where the version is the same.
        let (source, rest) = self.source.split_once(' ').unwrap_or((self.source, ""));
        let version = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(self.version);
        // A signed kernel is a copy of what `linux` built, at the package's own version; the advisories are about `linux`.
        let is_signed = source == "linux-signed" || source.starts_with("linux-signed-");
        let (source, version) = if is_signed { ("linux", self.version) } else { (source, version) };
        package.origin = origin(&package, source, version);
        reading.packages.push(package);
    }
}
