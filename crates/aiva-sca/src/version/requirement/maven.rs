//! Maven's version ranges (`org.apache.maven.artifact.versioning.VersionRange`, "Dependency Version Requirement Specification"),
//! and gradle's prefixes (`1.3.+`), which name the same artifacts.
//!
//! A bare version is a soft requirement: what Maven takes for a direct dependency.

use super::super::MAX_LENGTH;
use super::Span;
use super::written::{between, bracketed, compared, key};
use crate::package::Ecosystem::Maven;

pub(super) fn parse(text: &str) -> Option<Vec<Span>> {
    let text = text.trim();
    if text.starts_with(['[', '(']) {
        return bracketed(Maven, text, |text| key(Maven, text));
    }
    if let Some(prefix) = text.strip_suffix('+') {
        return prefixed(prefix);
    }
    let is_version = !text.is_empty() && !text.contains([',', '[', ']', '(', ')', ' ', '$']);
    let is_newest = matches!(text, "LATEST" | "RELEASE") || text.starts_with("latest.");
    (is_version && !is_newest).then(|| key(Maven, text).map(|key| compared("=", key)))?
}

/// Everything that begins with it, from the earliest pre-release of its first version on.
fn prefixed(prefix: &str) -> Option<Vec<Span>> {
    if prefix.is_empty() {
        return Some(vec![super::everything()]);
    }
    let numbers = prefix.strip_suffix('.')?;
    let (head, last) = numbers.rsplit_once('.').map_or(("", numbers), |(head, last)| (head, last));
    let next = last.parse::<u64>().ok()?.checked_add(1)?;
    let first = |number: u64| {
        let dot = if head.is_empty() { "" } else { "." };
        let text = format!("{head}{dot}{number}-alpha-alpha-alpha");
        (text.len() <= MAX_LENGTH).then(|| key(Maven, &text))?
    };
    Some(between((first(next - 1)?, false), Some((first(next)?, false))))
}
