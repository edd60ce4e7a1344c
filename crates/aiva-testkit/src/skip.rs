//! Says that a test was skipped, so that a green run cannot hide it.
//!
//! Promises: one line to standard error, and the same line appended to the file that `AIVA_TEST_SKIPS` names, which the
//! whole test run reads and closes with.

use std::fs::OpenOptions;
use std::io::Write;

/// Notes that a test could not run because `what` is missing.
#[expect(clippy::print_stderr, reason = "a test says so where the developer looks")]
pub fn skipped(what: &str, reason: &str) {
    let line = format!("AIVA-SKIPPED {what}: {}", reason.replace('\n', " "));
    eprintln!("{line}");
    if let Some(path) = std::env::var_os("AIVA_TEST_SKIPS") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        // One write, so that lines of several test processes do not mix.
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }
}
