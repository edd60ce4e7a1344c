//! `--baseline`: what was there before, from an earlier result or from a revision of the repository.
//!
//! A revision is read out of git's object store ([`tree`]), judged by the same advisories, and forgotten.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use aiva_contracts::api::{DocumentCanResolve, DocumentInput, DocumentPossible};
use aiva_findings::export::Document;
use aiva_findings::fingerprint::{Fingerprint, Place};
use aiva_findings::observation::Observation;
use aiva_sca::advisory::Index;
use aiva_sca::inventory;
use anyhow::{Context as _, Result};

use super::super::Scan;
use super::gap::{Gaps, NewGaps};
use super::{range, tree};
use crate::failure::Failure;
use crate::join;
use crate::look::{Columns, Keep, Look};
use crate::settings::{self, Found};

/// One thing that is or was there, a finding or what a range can resolve to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sight {
    /// Its identity.
    fingerprint: String,
    /// The same wherever its file is: what a file that was moved takes along.
    unplaced: String,
    version: String,
    kind: &'static str,
}

impl Sight {
    fn of_finding(service: &str, finding: &Observation) -> Self {
        let place = Place { guard: "sca", service, path: &finding.path, package: &finding.name };
        Self::new(place, finding.names(), &finding.version, finding.kind.as_str())
    }

    fn of_range(service: &str, path: &str, entry: &DocumentCanResolve, advisory: &DocumentPossible) -> Self {
        let place = Place { guard: "sca", service, path, package: &entry.name };
        Self::new(place, range::names(advisory), &entry.requirement, "possible")
    }

    fn new<'n>(
        place: Place<'_>,
        names: impl Iterator<Item = &'n str> + Clone,
        version: &str,
        kind: &'static str,
    ) -> Self {
        Self {
            fingerprint: Fingerprint::new(place, names.clone()).to_string(),
            unplaced: Fingerprint::new(Place { service: "", path: "", ..place }, names).to_string(),
            version: version.to_owned(),
            kind,
        }
    }

    fn elsewhere(&self) -> (&str, &str, &'static str) {
        (&self.unplaced, &self.version, self.kind)
    }
}

/// The identities of what ranges can resolve to: those of the findings that a pin would make of them.
fn of_ranges(service: &str, inputs: &[DocumentInput]) -> Vec<Sight> {
    let mut all = Vec::new();
    for input in inputs {
        for entry in &input.can_resolve {
            all.extend(entry.advisories.iter().map(|one| Sight::of_range(service, &input.path, entry, one)));
        }
    }
    all
}

/// What was there before.
#[derive(Default)]
pub(super) struct Before {
    sights: Vec<Sight>,
    gaps: Gaps,
}

impl Before {
    /// What of it is there now, at its place or in a file that was moved: then one that is gone answers for one that is new, if they
    /// are of the same package, version, advisory and kind.
    pub(super) fn against(
        self,
        service: &str,
        findings: impl Iterator<Item = Observation>,
        inputs: &[DocumentInput],
    ) -> Known {
        let now: HashSet<Sight> =
            findings.map(|finding| Sight::of_finding(service, &finding)).chain(of_ranges(service, inputs)).collect();
        let before: HashSet<Sight> = self.sights.into_iter().collect();
        let same: HashSet<String> = before.iter().map(|sight| sight.fingerprint.clone()).collect();
        let is_there: HashSet<&str> = now.iter().map(|sight| sight.fingerprint.as_str()).collect();
        let mut gone: HashMap<_, usize> = HashMap::new();
        for sight in before.iter().filter(|sight| !is_there.contains(sight.fingerprint.as_str())) {
            *gone.entry(sight.elsewhere()).or_default() += 1;
        }
        let mut new: Vec<&Sight> = now.iter().filter(|sight| !same.contains(&sight.fingerprint)).collect();
        // Where fewer are gone than are new, which of them is called new must not change from run to run.
        new.sort_by(|one, other| one.fingerprint.cmp(&other.fingerprint));
        let mut moved = HashSet::new();
        for sight in new {
            if let Some(count) = gone.get_mut(&sight.elsewhere()).filter(|count| **count > 0) {
                *count -= 1;
                moved.insert(sight.clone());
            }
        }
        let new_gaps = Gaps::of(inputs).since(&self.gaps);
        Known { same, moved, new_gaps }
    }
}

/// The findings that are no news.
pub(super) struct Known {
    /// Their fingerprints.
    same: HashSet<String>,
    /// What is at another place than before.
    moved: HashSet<Sight>,
    /// What was not read or judged now, and was before or was not there.
    pub(super) new_gaps: NewGaps,
}

impl Known {
    /// Whether a finding was there before.
    pub(super) fn has(&self, service: &str, finding: &Observation) -> bool {
        self.holds(&Sight::of_finding(service, finding))
    }

    fn holds(&self, sight: &Sight) -> bool {
        self.same.contains(&sight.fingerprint) || self.moved.contains(sight)
    }

    /// Says of each advisory that a range can resolve to whether it was there before.
    pub(super) fn mark_ranges(&self, service: &str, inputs: &mut [DocumentInput]) {
        for DocumentInput { path, can_resolve, .. } in inputs {
            for entry in can_resolve {
                let known: Vec<bool> = entry
                    .advisories
                    .iter()
                    .map(|one| self.holds(&Sight::of_range(service, path, entry, one)))
                    .collect();
                entry.advisories.iter_mut().zip(known).for_each(|(one, known)| one.known = Some(known));
            }
        }
    }
}

/// What a file or a revision had. A file wins over a revision of the same name.
pub(super) fn before(
    baseline: &str,
    scan: &Scan,
    found: &Found,
    service: &str,
    index: Option<&Index>,
) -> Result<Before> {
    // A pipe is a file too, as a shell makes one of `<(aiva scan --format json)`.
    if fs::metadata(baseline).is_ok_and(|about| !about.is_dir()) {
        return of_file(Path::new(baseline), service);
    }
    let Some(index) = index else {
        return Err(Failure::new("without advisories a revision cannot be judged")
            .hint("run `aiva advisories update`, or give an earlier JSON result as the baseline")
            .into());
    };
    let folder = tempfile::tempdir().context("no temporary folder for the baseline")?;
    let root = tree::of_revision(baseline, &scan.path, folder.path())?;
    let options = found.loaded.config.sca.options(&scan.exclude);
    let Some(root) = root else { return Ok(Before::default()) };
    let checks = settings::checks(&found.loaded.config.sca);
    let look = Look::new(Some(index), &checks, Keep::Report, Columns::Unsought);
    let looked = look.walk(&root, &options, &|_| {}).context("the baseline could not be judged")?;
    // Licences are looked up where packages are installed, which is beside the present tree.
    let gathered = look.gather(looked, &scan.path, super::today());
    let mut sights = of_ranges(service, &gathered.inputs);
    sights
        .extend(gathered.findings.iter().map(|finding| Sight::of_finding(service, &join::outline(finding).bounded())));
    Ok(Before { sights, gaps: Gaps::of(&gathered.inputs) })
}

fn of_file(path: &Path, service: &str) -> Result<Before> {
    let name = path.display();
    let largest = inventory::Options::default().largest_file;
    let mut text = Vec::new();
    // A pipe does not tell how much it has.
    let read = fs::File::open(path).and_then(|file| file.take(largest + 1).read_to_end(&mut text));
    read.map_err(|error| Failure::new(format!("cannot read {name}")).because(error))?;
    if text.len() as u64 > largest {
        let limit = largest / (1024 * 1024);
        return Err(Failure::new(format!("{name} is larger than {limit} MiB, so it was not read")).into());
    }
    let document: Document = serde_json::from_slice(&text).map_err(|error| {
        Failure::new(format!("{name} is no earlier result"))
            .because(error)
            .hint("make one with `aiva scan --format json --output FILE`")
    })?;
    let (mut sights, gaps) = (of_ranges(service, &document.inputs), Gaps::of(&document.inputs));
    sights.extend(document.findings.into_iter().map(|finding| {
        // As it was said then: the service may have had another name.
        let fingerprint = finding.fingerprint.to_string();
        Sight { fingerprint, ..Sight::of_finding(service, &Observation::from(finding)) }
    }));
    Ok(Before { sights, gaps })
}
