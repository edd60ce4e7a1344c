//! What a plan says of the packages that move along with another one: whether they have the version that they go to.
//!
//! The move is not blocked. That nothing here knows a version does not mean that nobody released it.

use std::collections::BTreeSet;

use super::aim::Versions;
use super::desk::Draft;
use super::keep::spoken;
use crate::advisory::Damage;

/// The packages that move along; behind the last one it is said which of them are not known to have the version.
pub(super) fn told(draft: &Draft, versions: &Versions<'_>) -> Result<Vec<String>, Damage> {
    let mut told: Vec<String> = draft.along.iter().cloned().collect();
    let Some(ecosystem) = draft.ecosystem else { return Ok(told) };
    let mut unknown = BTreeSet::new();
    for name in &draft.along {
        if !versions.knows(ecosystem, name, &draft.to)? {
            unknown.insert(name.clone());
        }
    }
    let (is_all, is_one) = (unknown.len() == told.len(), unknown.len() == 1);
    if let Some(last) = told.last_mut().filter(|_| !unknown.is_empty()) {
        let who = if is_all && !is_one { "they".to_owned() } else { spoken(&unknown) };
        let verb = if is_one { "has" } else { "have" };
        last.push_str(&format!(" (nothing here says that {who} {verb} {}: look before you build)", draft.to));
    }
    Ok(told)
}
