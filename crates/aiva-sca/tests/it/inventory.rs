//! Real lockfiles: every reader agrees with the package manager that wrote the file, and stays as it is (golden files).

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use aiva_sca::inventory::{Inventory, Options, walk};
use aiva_sca::package::{Input, Source, Status};

/// The folder of fixtures.
pub(crate) fn locks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/locks")
}

/// The inventory of a folder with default options.
pub(crate) fn take(root: &Path) -> Inventory {
    walk(root, &Options::default(), &|_| {}).unwrap()
}

fn source(source: &Source) -> String {
    match source {
        Source::Registry => "registry".to_owned(),
        other => format!("{other:?}"),
    }
}

/// An inventory as a person compares it.
pub(crate) fn picture(inputs: &[Input]) -> String {
    let mut out = String::new();
    for input in inputs {
        writeln!(out, "{} ({}): {}", input.path, input.kind, input.status.name()).unwrap();
        for p in &input.packages {
            let direct = match p.direct {
                Some(true) => "direct",
                Some(false) => "transitive",
                None => "unknown",
            };
            let licenses = if p.licenses.is_empty() { String::new() } else { format!(" {}", p.licenses.join(",")) };
            let (scope, source) = (p.scope.name(), source(&p.source));
            writeln!(out, "  {:>4} {} {} {direct} {scope} {source}{licenses}", p.line, p.name, p.version).unwrap();
        }
        for n in &input.not_judged {
            writeln!(out, "  {:>4} {} {:?} not judged: {}", n.line, n.name, n.requirement, n.reason).unwrap();
        }
        for p in &input.problems {
            writeln!(out, "  {:>4} problem: {}", p.line, p.message).unwrap();
        }
    }
    out
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(locks()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.join("manager.txt").is_file());
    cases.sort();
    assert!(cases.len() >= 35, "fixtures are missing: {}", cases.len());
    cases
}

#[test]
fn every_reader_agrees_with_the_manager_that_wrote_the_file() {
    for case in cases() {
        let inventory = take(&case);
        for input in &inventory.inputs {
            assert_eq!(input.status, Status::Parsed, "{}/{}: {:?}", case.display(), input.path, input.problems);
        }
        let list = std::fs::read_to_string(case.join("manager.txt")).unwrap();
        let want: BTreeSet<&str> = list.lines().collect();
        let packages: Vec<_> = inventory.inputs.iter().flat_map(|input| &input.packages).collect();
        let names: Vec<(String, bool)> = packages
            .iter()
            .map(|p| (format!("{} {}", p.name, p.version), matches!(p.source, Source::Path(_))))
            .collect();
        let got: BTreeSet<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        let missed: Vec<_> = want.difference(&got).collect();
        // Some managers leave the project's own folders out of their list.
        let invented: Vec<_> = names.iter().filter(|(name, own)| !own && !want.contains(name.as_str())).collect();
        assert!(
            missed.is_empty() && invented.is_empty(),
            "{}: missed {missed:?}, invented {invented:?}",
            case.display()
        );
        assert_eq!(names.len(), got.len(), "{}: a package is listed twice: {names:?}", case.display());
    }
}

#[test]
fn lines_scopes_and_sources_stay_as_they_are() {
    for case in cases() {
        let name = case.file_name().unwrap().to_str().unwrap();
        insta::assert_snapshot!(format!("locks_{name}"), picture(&take(&case).inputs));
    }
}
