//! Finds the column of what was found: reads again only the files that have findings.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use aiva_findings::observation::Observation;
use aiva_sca::column::column;
use aiva_sca::package::Ecosystem;
use rayon::prelude::*;

/// Larger files are not read a second time; nor are lines beyond this looked into: no person does.
const LARGEST: u64 = 64 * 1024 * 1024;
const LONGEST: usize = 4_096;

/// Sets the columns of findings in the files under `root`, which may be one file itself.
pub(super) fn add_columns(root: &Path, findings: &mut [Observation]) {
    let folder = if root.is_file() { root.parent().unwrap_or(Path::new("")) } else { root };
    let mut by_file: HashMap<String, Vec<&mut Observation>> = HashMap::new();
    for finding in findings.iter_mut().filter(|finding| finding.line > 0) {
        by_file.entry(finding.path.clone()).or_default().push(finding);
    }
    by_file.into_par_iter().for_each(|(path, mut findings)| {
        // What changed or went away since it was read has no column.
        let Some(text) = read(&folder.join(path)) else { return };
        findings.sort_by_key(|finding| finding.line);
        let mut lines = Lines { rest: &text, number: 0, current: None };
        for finding in findings {
            let line = lines.at(finding.line).filter(|line| line.len() <= LONGEST);
            let ecosystem: Option<Ecosystem> = finding.ecosystem.parse().ok();
            finding.context.column = line.zip(ecosystem).and_then(|(line, of)| column(of, &finding.name, line));
        }
    });
}

/// The lines of a file, each sought from the one before.
struct Lines<'t> {
    rest: &'t [u8],
    number: u32,
    current: Option<&'t [u8]>,
}

impl<'t> Lines<'t> {
    /// The line of this number, from 1; none before one that was asked for, and none that is no text.
    fn at(&mut self, number: u32) -> Option<&'t str> {
        while self.number < number {
            if self.rest.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
            let (line, rest) = self.rest.split_at(end);
            (self.current, self.rest) = (Some(line), rest.get(1..).unwrap_or_default());
            self.number += 1;
        }
        let line = self.current.filter(|_| self.number == number)?;
        std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()
    }
}

fn read(path: &PathBuf) -> Option<Vec<u8>> {
    let metadata = fs::metadata(path).ok().filter(|metadata| metadata.is_file() && metadata.len() <= LARGEST)?;
    let bytes = fs::read(path).ok()?;
    (bytes.len() as u64 == metadata.len()).then_some(bytes)
}
