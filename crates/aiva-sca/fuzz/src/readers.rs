//! Holds the reader of one format to what every reader promises.

use aiva_sca::inventory::Kind;
use aiva_sca::package::Status;

/// Reads bytes as the file of this name.
pub(crate) fn check(file: &str, bytes: &[u8]) {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let reading = Kind::of(folder, name).expect("a target names a known file").read(bytes);
    assert!(reading.status == Status::Parsed || !reading.problems.is_empty(), "{file}: no reason given");
    assert!(reading.problems.len() <= 101, "{file}: problems are bounded");
    // UTF-16 has the byte of a line end in other places as well, so this is never too small.
    let lines = bytes.split(|byte| *byte == b'\n').count() as u32;
    for package in &reading.packages {
        assert!(!package.name.is_empty() && !package.version.is_empty(), "{file}: {package:?}");
        assert!((1..=lines).contains(&package.line), "{file}: {package:?} of {lines} lines");
    }
    for entry in &reading.not_judged {
        assert!(!entry.name.is_empty() && !entry.reason.is_empty(), "{file}: {entry:?}");
        assert!((1..=lines).contains(&entry.line), "{file}: {entry:?} of {lines} lines");
    }
    for problem in &reading.problems {
        assert!(problem.line <= lines, "{file}: {problem:?} of {lines} lines");
        assert!((1..1000).contains(&problem.message.chars().count()), "{file}: {problem:?}");
        assert!(!problem.message.contains(char::is_control), "{file}: a terminal would obey {problem:?}");
    }
}
