//! What this run leaves out of its findings, for a server that judges them again. Pure.

use std::collections::BTreeSet;

use aiva_contracts::api::{DocumentFinding, DocumentLeftOut, DocumentRuledOut, Level};

use super::super::{Lowest, Scan};

/// What flags leave out, and the findings that VEX statements rule out; nothing where there is neither.
pub(super) fn left_out(scan: &Scan, suppressed: impl Iterator<Item = DocumentFinding>) -> Option<DocumentLeftOut> {
    // A statement is about a package, not about each file that names it.
    let ruled_out: BTreeSet<(String, Vec<String>)> = suppressed
        .map(|finding| (finding.purl, std::iter::once(finding.id).chain(finding.aliases).collect()))
        .collect();
    let said = DocumentLeftOut {
        ignore: scan.ignore.iter().filter(|id| (1..=200).contains(&id.len())).take(1000).cloned().collect(),
        unfixed: scan.ignore_unfixed.then_some(true),
        dev: scan.no_dev.then_some(true),
        lowest: scan.severity.map(level),
        ruled_out: ruled_out.into_iter().map(|(purl, names)| DocumentRuledOut { purl, names }).collect(),
    };
    let is_empty = said.ignore.is_empty() && said.ruled_out.is_empty();
    let is_unset = said.unfixed.is_none() && said.dev.is_none() && said.lowest.is_none();
    (!is_empty || !is_unset).then_some(said)
}

fn level(lowest: Lowest) -> Level {
    match lowest {
        Lowest::Low => Level::Low,
        Lowest::Medium => Level::Medium,
        Lowest::High => Level::High,
        Lowest::Critical => Level::Critical,
    }
}
