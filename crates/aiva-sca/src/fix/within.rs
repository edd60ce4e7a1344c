//! Where a locked version can go of what those who ask for it allow, where they shut out the one that would end most.
//!
//! What such a version ends is mended; the rest is told with the version that it needs, and with who is in the way.

use super::aim::{Aim, Versions};
use super::ask::Move;
use super::{Case, Group};
use crate::advisory::Damage;

/// What only a version that others shut out would end.
#[derive(Debug)]
pub(super) struct Beyond<'a> {
    pub(super) case: Case<'a>,
    /// To that version.
    pub(super) step: Move,
}

/// Moves those versions of a group that are shut out to the best that is not, and returns what stays for that.
pub(super) fn narrow<'a>(
    group: &mut Group<'a>,
    versions: &Versions<'_>,
    is_shut: &dyn Fn(&Case<'a>, &Move) -> bool,
) -> Result<Vec<Beyond<'a>>, Damage> {
    let mut beyond = Vec::new();
    for (case, step) in group.cases.iter_mut().zip(&mut group.moves) {
        if !is_shut(case, step) {
            continue;
        }
        let allows = |to: &str| !is_shut(case, &Move { from: step.from.clone(), to: to.to_owned() });
        let Some(Aim { to: Some(to), stays, .. }) = versions.aim_among(&case.findings, &allows)? else { continue };
        let is_left = |finding: &&crate::finding::Finding| stays.contains(&finding.verdict.id);
        let (left, ended): (Vec<_>, Vec<_>) = case.findings.iter().copied().partition(is_left);
        if ended.is_empty() {
            continue;
        }
        let full = Move { from: step.from.clone(), to: std::mem::replace(&mut step.to, to) };
        if !left.is_empty() {
            beyond.push(Beyond { case: case.of(left), step: full });
        }
        case.findings = ended;
    }
    Ok(beyond)
}
