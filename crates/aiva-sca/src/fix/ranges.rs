//! What a range can resolve to: its least version is raised to the one from which on nothing that it allows is affected.
//!
//! Only where an ecosystem takes the least version that a range allows, as NuGet does, and that one is affected: it is what is
//! installed, and nobody loses a choice. A version that floats (`1.*`) is what the newest is, and stays as it is written.

use std::collections::BTreeMap;

use super::Case;
use crate::finding::Finding;
use crate::package::Ecosystem;
use crate::purl::purl;
use crate::scan::Possible;

/// Ranges by file, line, package and requirement, each with why it was not raised, or nothing where it was.
pub type Ranges = BTreeMap<(String, u32, String, String), Option<String>>;

/// A range that can be raised.
pub(super) struct Range {
    pub(super) path: String,
    pub(super) name: String,
    /// As written.
    pub(super) requirement: String,
    /// The version that is to be its least.
    pub(super) to: String,
    /// What affects some of what it allows, in the form of findings.
    pub(super) findings: Vec<Finding>,
}

/// Those that can be raised.
pub(super) fn raisable(possible: &[Possible]) -> Vec<Range> {
    possible.iter().filter_map(range).collect()
}

fn range(one: &Possible) -> Option<Range> {
    let requirement = one.requirement.trim();
    let is_least = one.ecosystem == Ecosystem::NuGet && !requirement.is_empty() && !requirement.contains(['*', '$']);
    let to = one.safe_from.clone().filter(|_| is_least && one.is_least_affected)?;
    let finding = |verdict| Finding {
        verdict,
        ecosystem: one.ecosystem,
        name: one.name.clone(),
        version: one.requirement.clone(),
        purl: purl(one.ecosystem, &one.name, ""),
        path: one.path.clone(),
        line: one.line,
        column: None,
        direct: Some(true),
        scope: one.scope,
        introduced: None,
    };
    Some(Range {
        path: one.path.clone(),
        name: one.name.clone(),
        requirement: requirement.to_owned(),
        to,
        findings: one.verdicts.iter().cloned().map(finding).collect(),
    })
}

/// What became of the ranges among these cases.
pub(super) fn settled(cases: &[Case<'_>]) -> Ranges {
    let mut ranges = Ranges::new();
    for case in cases.iter().filter(|case| case.is_range) {
        for one in &case.findings {
            let key = (one.path.clone(), one.line, one.name.clone(), one.version.clone());
            ranges.insert(key, case.stays.as_ref().map(|(_, reason)| reason.clone()));
        }
    }
    ranges
}
