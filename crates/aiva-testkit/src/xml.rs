//! Holds XML to a schema (XSD 1.0), by Python's lxml.
//!
//! Promises: a document that breaks a rule of the schema has a fault a rule; where there is no Python with lxml, the skip is said.
//! Nothing is fetched: a schema finds those that it imports beside it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

const SCRIPT: &str = "
import sys
from lxml import etree
schema = etree.XMLSchema(etree.parse(sys.argv[1]))
document = etree.fromstring(sys.stdin.buffer.read(), etree.XMLParser(no_network=True, huge_tree=True))
schema.validate(document)
for fault in schema.error_log:
    print(f'line {fault.line}: {fault.message}')
";

/// What is wrong with a document by a schema, or `None` where nobody can tell; the skip is said then.
///
/// # Panics
/// If the schema or the document cannot be read: that is a failure, not a skip.
pub fn faults(schema: &Path, document: &str) -> Option<Vec<String>> {
    let python = std::env::var("AIVA_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python).args(["-c", "import lxml"]).output();
    if !there.is_ok_and(|there| there.status.success()) {
        crate::skip::skipped("lxml", "Python does not have it; AIVA_TEST_PYTHON names one that does");
        return None;
    }
    let mut command = Command::new(&python);
    command.args(["-c", SCRIPT]).arg(schema).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a Python that was there a moment ago");
    let mut input = child.stdin.take().expect("it was asked to be piped");
    // Python reads all of it before it says anything.
    let written = input.write_all(document.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("a child can be waited for");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && written.is_ok(), "{}: {said}", schema.display());
    Some(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}
