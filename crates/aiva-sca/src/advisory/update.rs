//! Downloads the public OSV exports, one zip an ecosystem, and goes on where an earlier download stopped. Of what is there
//! already only the records that changed are fetched, where the server lists them (`changes`) and they are few.
//!
//! Promises: a file is handed over only when it is as long as the server said; what arrived before a break is kept and
//! continued only if the server still has the very same file; an unchanged export is not downloaded again. Checks of the
//! zip itself (CRC of every entry) belong to the import that follows. Start reading at [`replace`] and [`download`].

mod changes;
mod download;
mod place;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use jiff::Timestamp;

use self::changes::Compared;
pub use self::download::{Export, Progress, download, keep};
use self::place::{Place, remove};
use super::{AmendError, AmendReport, Change, Fold, ImportError, ImportReport, Index, amend, fold, import};
use crate::package::Ecosystem;
use crate::ports::{Fetch, FetchError};
use crate::system::Distribution;

/// Where OSV publishes its exports (osv.dev, "Data dumps").
pub const PUBLIC_EXPORTS: &str = "https://osv-vulnerabilities.storage.googleapis.com";

/// How often one export is tried before giving up; every try continues the one before.
const TRIES: u32 = 4;

/// A download that brings next to nothing in this time is as good as broken: at that rate it would take days.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why an export could not be had.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The network or the server.
    #[error("cannot download {url}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// Why it failed.
        #[source]
        source: FetchError,
    },
    /// The server said one length and sent another, or more than anyone would publish.
    #[error("{url}: expected {expected} bytes, got {got}")]
    Length {
        /// What was asked for.
        url: String,
        /// What the server promised.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// The data directory.
    #[error("cannot write {path}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl UpdateError {
    /// Whether the server has no such export.
    fn is_not_there(&self) -> bool {
        matches!(self, Self::Fetch { source: FetchError::Status { status: 404 }, .. })
    }

    /// Whether there is no network at all, so that trying the next export is pointless.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Fetch { source: FetchError::Offline { .. }, .. })
    }
}

/// Where a server has a file of an ecosystem.
fn address(base: &str, ecosystem: Ecosystem, file: &str) -> String {
    format!("{}/{}/{file}", base.trim_end_matches('/'), ecosystem.osv_name().replace(' ', "%20"))
}

/// What a whole update did.
#[derive(Debug)]
pub struct Replaced {
    /// Exports that are the same as last time.
    pub unchanged: Vec<Ecosystem>,
    /// Ecosystems that this server does not offer: a mirror may have a few only. What the index has of them ages on.
    pub missing: Vec<Ecosystem>,
    /// What the import of whole exports did; `None` when there was none.
    pub report: Option<ImportReport>,
    /// What single records changed; `None` when none did.
    pub amended: Option<AmendReport>,
}

impl Replaced {
    /// The ecosystems of which anything is new.
    pub fn changed(&self) -> Vec<Ecosystem> {
        let imported = self.report.iter().flat_map(|report| &report.imported).map(|one| one.ecosystem);
        imported.chain(self.amended.iter().flat_map(|report| &report.amended).map(|one| one.ecosystem)).collect()
    }
}

/// Why a whole update did nothing: the index is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// A download.
    #[error(transparent)]
    Download(#[from] UpdateError),
    /// The import of what was downloaded.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// What is unchanged could not be noted as fresh.
    #[error(transparent)]
    Amend(#[from] AmendError),
    /// The task that imports was ended.
    #[error("the import was cut off")]
    Cancelled,
}

/// Brings every language, the distributions in `also` and those that the index in `dir` has already up to date: fetches the
/// records that changed, or whole exports where there is nothing to change or too much.
pub async fn replace(
    fetch: &dyn Fetch,
    base: &str,
    (dir, also): (&Path, &[Distribution]),
    now: Timestamp,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Replaced, ReplaceError> {
    let waiting = dir.join("downloads");
    let mut replaced = Replaced { unchanged: Vec::new(), missing: Vec::new(), report: None, amended: None };
    let mut nothing = None;
    let (mut new, mut changed) = (Vec::new(), BTreeMap::new());
    let index = Index::open(dir).ok();
    // All distributions together are several times what the languages are, and nobody runs them all.
    let wanted = |one: &Ecosystem| match one.system() {
        Some(system) => also.contains(&system.distribution()) || index.as_ref().is_some_and(|index| index.has(*one)),
        None => one.has_advisories(),
    };
    for ecosystem in Ecosystem::ALL.into_iter().filter(wanted) {
        match index.as_ref().filter(|index| index.is_amendable(ecosystem)) {
            Some(index) => match changes::compare(fetch, base, (index, &waiting), ecosystem, progress).await? {
                Compared::Same => {
                    replaced.unchanged.push(ecosystem);
                    continue;
                }
                Compared::Few(changes) => {
                    changed.insert(ecosystem, changes);
                    continue;
                }
                Compared::Unknown => {}
            },
            None => {
                // Whatever was imported once is gone or was replaced by a part, so "unchanged" would leave a hole.
                let place = Place::new(&waiting, ecosystem);
                place.disk(remove(&place.kept_note))?;
                place.disk(remove(&place.list_note))?;
            }
        }
        match download(fetch, base, &waiting, ecosystem, progress).await {
            Ok(Export::New(path)) => new.push((ecosystem, path)),
            Ok(Export::Unchanged) => replaced.unchanged.push(ecosystem),
            Err(error) if error.is_not_there() => {
                replaced.missing.push(ecosystem);
                nothing = Some(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    // A server that has none of them is no mirror.
    if let Some(error) = nothing.filter(|_| new.is_empty() && changed.is_empty() && replaced.unchanged.is_empty()) {
        return Err(error.into());
    }
    if !new.is_empty() {
        replaced.report = Some(take_in(&new, dir, now).await?);
    }
    // What is the same as before was compared today: it counts as fresh.
    if !changed.is_empty() || !replaced.unchanged.is_empty() {
        let report = change(changed, &replaced.unchanged, dir, now).await?;
        replaced.amended = Some(report).filter(|report| !report.amended.is_empty());
    }
    Ok(replaced)
}

/// Takes the changes in, and then sees to it that they do not pile up.
async fn change(
    changes: BTreeMap<Ecosystem, Vec<Change>>,
    unchanged: &[Ecosystem],
    dir: &Path,
    now: Timestamp,
) -> Result<AmendReport, ReplaceError> {
    let (folder, unchanged) = (dir.to_path_buf(), unchanged.to_vec());
    let changed: Vec<Ecosystem> = changes.keys().copied().collect();
    let work = tokio::task::spawn_blocking(move || {
        let report = amend(&folder, &changes, &unchanged, now)?;
        fold(&folder, Fold::IfDue)?;
        Ok::<_, AmendError>(report)
    });
    let report = work.await.map_err(|_| ReplaceError::Cancelled)??;
    for ecosystem in changed {
        changes::keep(&dir.join("downloads"), ecosystem)?;
    }
    Ok(report)
}

async fn take_in(new: &[(Ecosystem, PathBuf)], dir: &Path, now: Timestamp) -> Result<ImportReport, ReplaceError> {
    let (folder, fresh) = (dir.to_path_buf(), new.to_vec());
    let import = tokio::task::spawn_blocking(move || import_downloads(&fresh, &folder, now));
    let report = import.await.map_err(|_| ReplaceError::Cancelled)?.inspect_err(|_| {
        // What cannot be imported now never can: the next update downloads it again.
        new.iter().for_each(|(_, path)| drop(remove(path)));
    })?;
    for (ecosystem, _) in new {
        keep(&dir.join("downloads"), *ecosystem)?;
    }
    Ok(report)
}

/// Each export goes below a folder of its ecosystem's name, which tells the import what it must be.
fn import_downloads(new: &[(Ecosystem, PathBuf)], dir: &Path, now: Timestamp) -> Result<ImportReport, ReplaceError> {
    let staging = dir.join("downloads").join("staging");
    let disk = |result: io::Result<()>| result.map_err(|source| UpdateError::Disk { path: staging.clone(), source });
    disk(match fs::remove_dir_all(&staging) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    })?;
    let mut sources = Vec::new();
    for (ecosystem, path) in new {
        let folder = staging.join(ecosystem.osv_name());
        let staged = folder.join("all.zip");
        disk(fs::create_dir_all(&folder))?;
        disk(fs::hard_link(path, &staged).or_else(|_| fs::copy(path, &staged).map(drop)))?;
        sources.push(staged);
    }
    let report = import(&sources, dir, now, &|_| {})?;
    disk(fs::remove_dir_all(&staging))?;
    Ok(report)
}
