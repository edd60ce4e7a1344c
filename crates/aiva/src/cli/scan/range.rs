//! Entries without a pin that can resolve to an affected version: what flags and exceptions leave of them, and whether they count
//! for the exit code. Pure.

use aiva_contracts::api::{DocumentInput, DocumentPossible, PackageScope};
use aiva_findings::exception::Judge;
use aiva_findings::fingerprint::Place;

use super::super::Scan;
use super::super::exit::Gate;
use super::reaches;

/// Every name of an advisory, the shown one first.
pub(super) fn names(advisory: &DocumentPossible) -> impl Iterator<Item = &str> + Clone {
    std::iter::once(advisory.id.as_str()).chain(advisory.aliases.iter().map(String::as_str))
}

/// Takes out what flags and exceptions leave out; says how many advisories about ranges for which reason.
pub(super) fn leave_out(
    scan: &Scan,
    service: &str,
    inputs: &mut [DocumentInput],
    judge: &mut Judge,
) -> Vec<(usize, &'static str)> {
    let (mut ignored, mut low, mut dev, mut accepted) = (0, 0, 0, 0);
    for DocumentInput { path, can_resolve, .. } in inputs {
        for entry in can_resolve.iter_mut() {
            let is_dev = scan.no_dev && matches!(entry.scope, PackageScope::Dev | PackageScope::Build);
            let place = Place { guard: "sca", service, path, package: &entry.name };
            entry.advisories.retain(|one| {
                // An exception for what a flag leaves out is in use all the same.
                let is_accepted = judge.cover(place, names(one)).is_some();
                let is_ignored = names(one).any(|name| scan.ignore.iter().any(|id| id == name));
                let is_low = scan.severity.is_some_and(|lowest| !reaches(one.severity, lowest));
                let counter = match (is_ignored, is_low, is_dev, is_accepted) {
                    (true, ..) => &mut ignored,
                    (_, true, ..) => &mut low,
                    (_, _, true, _) => &mut dev,
                    (_, _, _, true) => &mut accepted,
                    _ => return true,
                };
                *counter += 1;
                false
            });
        }
        can_resolve.retain(|entry| !entry.advisories.is_empty());
    }
    vec![
        (ignored, "possible, --ignore"),
        (low, "possible, --severity"),
        (dev, "possible, --no-dev"),
        (accepted, "possible, accepted by exceptions"),
    ]
}

/// Whether what a range can resolve to reaches the threshold and is new.
pub(super) fn any_counts(inputs: &[DocumentInput], gate: Gate) -> bool {
    new(inputs).any(|one| gate.counts(one.severity.as_str()))
}

/// Whether a range can resolve to something that it could not before.
pub(super) fn any_new(inputs: &[DocumentInput]) -> bool {
    new(inputs).next().is_some()
}

fn new(inputs: &[DocumentInput]) -> impl Iterator<Item = &DocumentPossible> {
    let entries = inputs.iter().flat_map(|input| &input.can_resolve);
    entries.flat_map(|entry| &entry.advisories).filter(|one| one.known != Some(true))
}
