//! What a plan says of the packages that move along with another one: whether they have the version that they go to.
//!
//! The move is not blocked. That nothing here knows a version does not mean that nobody released it.

use super::aim::Versions;
use super::desk::Draft;
use crate::advisory::Damage;

/// Those that move along of which neither an advisory nor a file here says that they have the version.
pub(super) fn unknown(draft: &Draft, versions: &Versions<'_>) -> Result<Vec<String>, Damage> {
    let Some(ecosystem) = draft.ecosystem else { return Ok(Vec::new()) };
    let mut unknown = Vec::new();
    for name in &draft.along {
        if !versions.knows(ecosystem, name, &draft.to)? {
            unknown.push(name.clone());
        }
    }
    Ok(unknown)
}
