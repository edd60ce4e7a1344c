//! The guard on a server: one advisory index that follows its file, downloads, and scans of a service's sources.
//!
//! The order of effects; what is decided is decided in [`crate::scan`] and [`crate::advisory`].

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiva_chassis::clock::SharedClock;
use aiva_contracts::api::{AdvisoryEcosystem, AdvisoryProgress, AdvisoryState, AdvisoryStatus};
use aiva_contracts::message::scan::v1 as message;
use jiff::tz::TimeZone;

use crate::advisory::update::{self, ReplaceError, Replaced};
use crate::advisory::{Index, OpenError};
use crate::checks::Checks;
use crate::finding::Finding;
use crate::inventory::{self, Inventory, WalkError};
use crate::left_out::LeftOut;
use crate::package::Input;
use crate::ports::Fetch;
use crate::report;
use crate::scan::{ScanResult, scan};
use crate::snapshot::Kept;

/// What the guard is made of.
pub struct Parts {
    /// The folder of the index.
    pub advisories: PathBuf,
    /// The folder that relative sources start from.
    pub base: PathBuf,
    /// Where exports are downloaded from.
    pub from: String,
    /// From which age on the advisories count as too old.
    pub max_age: Duration,
    /// How the sources are read: what is left out, and which registries are mirrors.
    pub reading: inventory::Options,
    /// What is looked at besides advisories.
    pub checks: Checks,
    /// Downloads.
    pub fetch: Arc<dyn Fetch>,
    /// The clock.
    pub clock: SharedClock,
}

/// The guard.
pub struct Service {
    parts: Parts,
    index: Mutex<Option<Arc<Index>>>,
    update: Mutex<Update>,
}

#[derive(Default)]
struct Update {
    running: bool,
    progress: Option<AdvisoryProgress>,
    problem: Option<String>,
}

/// Why a scan has no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing to judge by.
    #[error(transparent)]
    Index(#[from] OpenError),
    /// The index changed under the scan and is not to be trusted.
    #[error(transparent)]
    Damage(#[from] crate::advisory::Damage),
    /// A source is not there.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// What was uploaded is not there to be judged.
    #[error(
        "what upload {0} lists was not taken in, so new advisories cannot judge it; upload a scan of the service again, and see \
         `aiva events dead-letters` for what went wrong"
    )]
    ContentsMissing(String),
    /// There is nothing to read.
    #[error("the service has no source; name one in its description, or bring results with `aiva scan --upload`")]
    NoSource,
}

impl RunError {
    /// The stable word of `ScanFailed.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Index(OpenError::Missing(_)) => "advisories_missing",
            Self::Index(_) | Self::Damage(_) => "advisories_damaged",
            Self::ContentsMissing(_) => "contents_missing",
            Self::Walk(_) | Self::NoSource => "target_missing",
        }
    }
}

/// A finished scan.
pub struct Run {
    /// Everything that was read.
    pub inventory: Inventory,
    /// What it means.
    pub result: ScanResult,
    /// Findings of an earlier scan that hold still, because nothing was read anew.
    pub kept: Vec<message::ObservedFinding>,
    /// What of the advisories' findings is not told, because who uploaded the scan leaves it out. The result has it.
    pub left_out: LeftOut,
}

impl Run {
    /// The findings that are told, as the shared story has them.
    pub fn findings(&self) -> Vec<message::ObservedFinding> {
        let told = self.result.findings.iter().filter(|finding| !self.left_out.holds(finding));
        told.map(report::finding).chain(self.kept.iter().cloned()).collect()
    }

    /// What became of each input.
    pub fn inputs(&self) -> Vec<message::ObservedInput> {
        let possible = self.result.can_resolve.iter().cloned();
        let possible: Vec<_> = possible.filter_map(|entry| self.left_out.rest(entry)).collect();
        report::inputs(&self.inventory.inputs, &self.result.not_judged, &possible)
    }
}

impl Service {
    /// The guard, with its index where there is one.
    pub fn new(parts: Parts) -> Self {
        Self { parts, index: Mutex::default(), update: Mutex::default() }
    }

    /// The index in force; a file that was replaced is opened anew.
    pub fn index(&self) -> Result<Arc<Index>, OpenError> {
        let mut held = self.held();
        if let Some(index) = held.as_ref().filter(|index| !index.changed()) {
            return Ok(Arc::clone(index));
        }
        let index = Arc::new(Index::open(&self.parts.advisories)?);
        *held = Some(Arc::clone(&index));
        Ok(index)
    }

    /// The state of the advisories as the API tells it.
    pub fn status(&self) -> Result<AdvisoryStatus, OpenError> {
        let (updating, progress, problem) = {
            let update = self.updating();
            (update.running, update.progress.clone(), update.problem.clone())
        };
        let index = match self.index() {
            Ok(index) => index,
            Err(OpenError::Missing(_)) => {
                let (state, ecosystems) = (AdvisoryState::Missing, Vec::new());
                return Ok(AdvisoryStatus { state, updating, index_version: None, progress, problem, ecosystems });
            }
            Err(error) => return Err(error),
        };
        let status = index.status(self.parts.clock.now());
        let state = if status.age > self.parts.max_age { AdvisoryState::Stale } else { AdvisoryState::Current };
        let ecosystem = |held: crate::advisory::IndexedEcosystem| AdvisoryEcosystem {
            name: held.ecosystem.osv_name().to_owned(),
            records: held.records,
            withdrawn: held.withdrawn,
            imported_at: held.imported_at,
            newest: Some(held.newest_modified),
            origin: "OSV".to_owned(),
        };
        Ok(AdvisoryStatus {
            state,
            updating,
            index_version: Some(status.epoch),
            progress,
            problem,
            ecosystems: status.ecosystems.into_iter().map(ecosystem).collect(),
        })
    }

    /// Downloads and imports what is new. `None` when an update runs already.
    pub async fn update(&self) -> Option<Result<Replaced, ReplaceError>> {
        {
            let mut update = self.updating();
            if update.running {
                return None;
            }
            *update = Update { running: true, ..Update::default() };
        }
        let ended = Ended(self);
        let progress = |p: update::Progress| {
            let total = p.total.unwrap_or(0);
            let ecosystem = Some(p.ecosystem.osv_name().to_owned());
            self.updating().progress = Some(AdvisoryProgress { ecosystem, done: p.done, total });
        };
        let Parts { fetch, from, advisories, clock, .. } = &self.parts;
        let outcome = update::replace(fetch.as_ref(), from, (advisories, &[]), clock.now(), &progress).await;
        if let Err(error) = &outcome {
            self.updating().problem = Some(chain(error));
        }
        drop(ended);
        Some(outcome)
    }

    /// Reads and judges the sources; blocks for as long as that takes.
    pub fn run(&self, sources: &[String], progress: &(dyn Fn(inventory::Progress) + Sync)) -> Result<Run, RunError> {
        if sources.is_empty() {
            // To have looked nowhere is not to have found nothing: that would close what others told of the service.
            return Err(RunError::NoSource);
        }
        let index = self.index()?;
        let mut all = Inventory::default();
        let mut facts = Vec::new();
        let today = self.parts.clock.now().to_zoned(TimeZone::UTC).date();
        for source in sources {
            let root = self.parts.base.join(source);
            let found = inventory::walk(&root, &self.parts.reading, progress)?;
            let prefix = prefix(source, &root);
            let found_besides = self.parts.checks.run(&root, &found.inputs, Some(&index), today);
            facts.extend(
                found_besides.into_iter().map(|fact| Finding { path: [&*prefix, &fact.path].concat().into(), ..fact }),
            );
            all.inputs.extend(found.inputs.into_iter().map(|input| below(&prefix, input)));
            all.ignored_lockfiles.extend(found.ignored_lockfiles.into_iter().map(|path| format!("{prefix}{path}")));
        }
        all.inputs.sort_by(|one, other| one.path.cmp(&other.path));
        // Two sources may overlap; a file counts once.
        all.inputs.dedup_by(|one, other| one.path == other.path);
        facts.sort_by(|one, other| (&one.path, one.line, &one.name).cmp(&(&other.path, other.line, &other.name)));
        facts.dedup();
        let result = scan(&all.inputs, &index)?.with(facts);
        Ok(Run { inventory: all, result, kept: Vec::new(), left_out: LeftOut::default() })
    }

    /// Judges what an earlier scan read; blocks for as long as that takes.
    pub fn judge_again(&self, kept: Kept) -> Result<Run, RunError> {
        let result = scan(&kept.inventory.inputs, self.index()?.as_ref())?;
        Ok(Run { inventory: kept.inventory, result, kept: kept.facts, left_out: kept.left_out })
    }

    /// Judges what an upload lists by the advisories of this server, so that it is known which of them change what is said of it.
    /// Where there are none that can be used, the next ones will.
    pub fn judge_first(&self, uploaded: Kept) -> Run {
        let Kept { inventory, facts, left_out } = uploaded;
        let judged = self.index().map_err(RunError::from).and_then(|index| Ok(scan(&inventory.inputs, &index)?));
        let result = judged.unwrap_or_else(|error| {
            tracing::warn!(error = %chain(&error), "what was uploaded is judged when there are advisories");
            ScanResult::unjudged()
        });
        Run { inventory, result, kept: facts, left_out }
    }

    fn held(&self) -> MutexGuard<'_, Option<Arc<Index>>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn updating(&self) -> MutexGuard<'_, Update> {
        self.update.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that no update runs any more, also when it was cancelled or panicked.
struct Ended<'s>(&'s Service);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut update = self.0.updating();
        update.running = false;
        update.progress = None;
    }
}

/// Paths are told relative to the configuration, as the catalogue names its sources: `services/checkout/`.
fn prefix(source: &str, root: &Path) -> String {
    let folder = if root.is_file() { Path::new(source).parent().unwrap_or(Path::new("")) } else { Path::new(source) };
    let parts = folder.components().filter_map(|part| match part {
        std::path::Component::CurDir => None,
        part => Some(part.as_os_str().to_string_lossy().trim_matches('/').to_owned()),
    });
    let joined = parts.collect::<Vec<_>>().join("/");
    if joined.is_empty() { joined } else { joined + "/" }
}

fn below(prefix: &str, mut input: Input) -> Input {
    input.path = format!("{prefix}{}", input.path);
    input
}

/// An error with its causes, for a person, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_as_the_catalogue_names_its_source() {
        let here = Path::new("/nowhere");
        for (source, want) in [(".", ""), ("./", ""), ("services/checkout", "services/checkout/"), ("./a/./b/", "a/b/")]
        {
            assert_eq!(prefix(source, here), want, "{source}");
        }
    }
}
