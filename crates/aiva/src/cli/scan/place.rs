//! Finds the column of what was found: reads again only the files that have findings.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use aiva_findings::observation::Observation;
use aiva_sca::column::column;
use aiva_sca::package::Ecosystem;

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
    for (path, mut findings) in by_file {
        // What changed or went away since it was read has no column.
        let Some(text) = read(&folder.join(path)) else { continue };
        findings.sort_by_key(|finding| finding.line);
        let mut lines = text.lines().enumerate();
        let mut current: Option<(usize, &str)> = None;
        for finding in findings {
            let wanted = finding.line as usize - 1;
            while current.is_none_or(|(number, _)| number < wanted) {
                current = lines.next();
                if current.is_none() {
                    break;
                }
            }
            let line = current.filter(|(number, line)| *number == wanted && line.len() <= LONGEST);
            let ecosystem: Option<Ecosystem> = finding.ecosystem.parse().ok();
            finding.context.column = line.zip(ecosystem).and_then(|((_, line), of)| column(of, &finding.name, line));
        }
    }
}

fn read(path: &PathBuf) -> Option<String> {
    let metadata = fs::metadata(path).ok().filter(|metadata| metadata.is_file() && metadata.len() <= LARGEST)?;
    let bytes = fs::read(path).ok()?;
    (bytes.len() as u64 == metadata.len()).then(|| String::from_utf8(bytes).ok())?
}
