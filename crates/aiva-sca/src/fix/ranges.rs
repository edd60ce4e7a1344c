//! What a range can resolve to: its least version is raised to the least one that is safe.
//!
//! That is what is installed then; what else the range allows is told of as before. Only where an ecosystem takes the least version that a range allows, as NuGet does, and that one is affected: it is what is
//! installed, and nobody loses a choice. A version that floats (`1.*`) is what the newest is, and stays as it is written.

use std::collections::{BTreeMap, HashMap};

use super::aim::Versions;
use super::desk::Desk;
use super::{Case, kind_of};
use crate::advisory::Damage;
use crate::finding::Finding;
use crate::inventory::Kind;
use crate::package::{Ecosystem, Input};
use crate::purl::purl;
use crate::scan::Possible;

/// Ranges by file, line, package and requirement, each with why it was not raised or what it still allows, or nothing where it was raised
/// to where nothing is affected any more.
pub type Ranges = BTreeMap<RangeKey, Option<String>>;

/// A range by its file, line, package and requirement.
pub type RangeKey = (String, u32, String, String);

/// A range that can be raised.
pub(super) struct Range {
    pub(super) path: String,
    pub(super) name: String,
    /// As written.
    pub(super) requirement: String,
    /// The version that is to be its least.
    pub(super) to: String,
    /// What it still allows then, where that is affected in part.
    pub(super) still: Option<String>,
    /// What affects some of what it allows, in the form of findings.
    pub(super) findings: Vec<Finding>,
}

/// Those that can be raised.
pub(super) fn raisable(possible: &[Possible], versions: &Versions<'_>) -> Result<Vec<Range>, Damage> {
    let mut raisable = Vec::new();
    for one in possible.iter().filter(|one| is_least_taken(one)) {
        let to = versions.least_safe(one.ecosystem, &one.name, &one.requirement)?;
        raisable.extend(to.or_else(|| one.safe_from.clone()).map(|to| range(one, to)));
    }
    Ok(raisable)
}

/// Whether what is installed of a range is its least version, and that is affected.
fn is_least_taken(one: &Possible) -> bool {
    let requirement = one.requirement.trim();
    let is_named = !requirement.is_empty() && !requirement.contains(['*', '$']);
    one.ecosystem == Ecosystem::NuGet && is_named && one.is_least_affected
}

fn range(one: &Possible, to: String) -> Range {
    let finding = |verdict| Finding {
        verdict,
        ecosystem: one.ecosystem,
        name: one.name.clone().into(),
        version: one.requirement.clone().into(),
        purl: purl(one.ecosystem, &one.name, ""),
        path: one.path.as_str().into(),
        line: one.line,
        column: None,
        direct: Some(true),
        scope: one.scope,
        introduced: None,
    };
    let still = (one.safe_from.as_ref() != Some(&to)).then(|| {
        format!("raised to {to}, which is what is installed then; what it allows above that is affected in part")
    });
    Range {
        still,
        path: one.path.clone(),
        name: one.name.clone(),
        requirement: one.requirement.trim().to_owned(),
        to,
        findings: one.verdicts.iter().cloned().map(finding).collect(),
    }
}

/// Those that a list of uv's in the same file narrows, each with what is written there and the list.
pub(super) fn narrowed(
    possible: &[Possible],
    by_path: &HashMap<&str, &Input>,
    desk: &mut Desk<'_>,
) -> BTreeMap<RangeKey, (String, String)> {
    let is_narrowed = |one: &&Possible| {
        one.ecosystem == Ecosystem::PyPi
            && by_path.get(one.path.as_str()).copied().and_then(kind_of) == Some(Kind::PyProject)
    };
    let all = possible.iter().filter(is_narrowed).filter_map(|one| {
        let key = (one.path.clone(), one.line, one.name.clone(), one.requirement.clone());
        Some((key, desk.written(&one.path, &one.name, &one.requirement)?))
    });
    all.collect()
}

/// What became of the ranges among these cases.
pub(super) fn settled(cases: &[Case<'_>]) -> Ranges {
    let mut ranges = Ranges::new();
    for case in cases.iter().filter(|case| case.is_range) {
        for one in &case.findings {
            let key = (one.path.to_string(), one.line, one.name.to_string(), one.version.to_string());
            let why = case.stays.as_ref().map(|(_, reason)| reason);
            ranges.insert(key, why.or(case.still.as_ref()).cloned());
        }
    }
    ranges
}
