//! Downloads the public OSV exports, one zip an ecosystem, and goes on where an earlier download stopped. Of what is there
//! already only the records that changed are fetched, where the server lists them (`changes`) and they are few.
//!
//! Promises: a file is handed over only when it is as long as the server said; what arrived before a break is kept and
//! continued only if the server still has the very same file; an unchanged export is not downloaded again. Checks of the
//! zip itself (CRC of every entry) belong to the import that follows. Start reading at [`replace`] and [`download`].

mod changes;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::changes::Compared;
use super::{AmendError, AmendReport, Change, Fold, ImportError, ImportReport, Index, amend, fold, import};
use crate::package::Ecosystem;
use crate::ports::{Answer, Body, Fetch, FetchError, Fetched, Request, Wanted};
use crate::system::Distribution;

/// Where OSV publishes its exports (osv.dev, "Data dumps").
pub const PUBLIC_EXPORTS: &str = "https://osv-vulnerabilities.storage.googleapis.com";

/// How often one export is tried before giving up; every try continues the one before.
const TRIES: u32 = 4;

/// A download that brings less than [`LEAST`] in this time is as good as broken: at that rate it would take days.
const PATIENCE: Duration = Duration::from_secs(60);
const LEAST: u64 = 64 * 1024;

/// The largest export that is believed: npm's was 0.3 GB in 2026.
const MAX_BYTES: u64 = 8 << 30;

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

/// A download, as it goes on.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Whose export.
    pub ecosystem: Ecosystem,
    /// Bytes there.
    pub done: u64,
    /// Bytes in all, where the server says so.
    pub total: Option<u64>,
}

/// How a download ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Export {
    /// A new file to import; call [`keep`] afterwards.
    New(PathBuf),
    /// The same as was imported last.
    Unchanged,
}

/// What is remembered of a file beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    url: String,
    etag: String,
}

/// Downloads one ecosystem's export from `base` into `folder`.
pub async fn download(
    fetch: &dyn Fetch,
    base: &str,
    folder: &Path,
    ecosystem: Ecosystem,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Export, UpdateError> {
    let url = address(base, ecosystem, "all.zip");
    let place = Place::new(folder, ecosystem);
    place.disk(fs::create_dir_all(folder))?;
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt(fetch, &url, &place, &|done, total| progress(Progress { ecosystem, done, total })).await {
            Err(UpdateError::Fetch { source, .. }) if source.is_transient() && tries < TRIES => {}
            other => return other,
        }
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

/// Remembers that this export was imported, so that an unchanged one is not downloaded again, and removes the file.
pub fn keep(folder: &Path, ecosystem: Ecosystem) -> Result<(), UpdateError> {
    let place = Place::new(folder, ecosystem);
    if place.part_memory().is_some() {
        place.disk(fs::rename(&place.part_note, &place.kept_note))?;
    }
    // What a list said of the index before is nothing about this one.
    place.disk(remove(&place.list_note))?;
    place.disk(remove(&place.whole))
}

async fn attempt(
    fetch: &dyn Fetch,
    url: &str,
    place: &Place,
    progress: &(dyn Fn(u64, Option<u64>) + Sync),
) -> Result<Export, UpdateError> {
    let request = Request { url: url.to_owned(), wanted: place.wanted(url) };
    let failed = |source| UpdateError::Fetch { url: url.to_owned(), source };
    let fetched = match fetch.fetch(&request).await {
        // The part is no prefix of anything that the server has (RFC 9110 §15.5.17): begin anew, once.
        Err(FetchError::Status { status: 416 }) if matches!(request.wanted, Wanted::Rest { .. }) => {
            place.disk(remove(&place.part))?;
            let request = Request { url: url.to_owned(), wanted: Wanted::Everything };
            fetch.fetch(&request).await.map_err(failed)?
        }
        other => other.map_err(failed)?,
    };
    if fetched.answer == Answer::Unchanged {
        return Ok(if place.waits(url) { Export::New(place.whole.clone()) } else { Export::Unchanged });
    }
    receive(fetched, url, place, progress).await
}

async fn receive(
    fetched: Fetched,
    url: &str,
    place: &Place,
    progress: &(dyn Fn(u64, Option<u64>) + Sync),
) -> Result<Export, UpdateError> {
    let Fetched { answer, length, etag, mut body } = fetched;
    let failed = |source| UpdateError::Fetch { url: url.to_owned(), source };
    let (file, done) = place.open(answer, url)?;
    if let Some(etag) = etag.filter(|etag| is_strong(etag)) {
        place.remember(&Memory { url: url.to_owned(), etag }, &place.part_note)?;
    } else {
        place.disk(remove(&place.part_note))?;
    }
    let total = length.map(|rest| done.saturating_add(rest));
    progress(done, total);
    let mut part = Part { file, done, total, url, place, progress };
    loop {
        match tokio::time::timeout(PATIENCE, part.take(body.as_mut(), LEAST)).await {
            Err(_) => {
                let slow = format!("less than {} KiB came in {} seconds", LEAST / 1024, PATIENCE.as_secs());
                return Err(failed(FetchError::Interrupted(slow)));
            }
            Ok(taken) => {
                if taken? == Taken::TheLast {
                    break;
                }
            }
        }
    }
    if let Some(expected) = total
        && part.done < expected
    {
        // The server closed early; what came is good and the next try goes on from here.
        return Err(failed(FetchError::Interrupted(format!("{} of {expected} bytes came", part.done))));
    }
    place.disk(part.file.sync_all())?;
    place.disk(fs::rename(&place.part, &place.whole))?;
    Ok(Export::New(place.whole.clone()))
}

/// A download on its way into its file.
struct Part<'a> {
    file: fs::File,
    done: u64,
    total: Option<u64>,
    url: &'a str,
    place: &'a Place,
    progress: &'a (dyn Fn(u64, Option<u64>) + Sync),
}

/// Whether there is more to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Some,
    TheLast,
}

impl Part<'_> {
    /// Takes at least so many bytes, or what there is.
    async fn take(&mut self, body: &mut dyn Body, least: u64) -> Result<Taken, UpdateError> {
        let until = self.done.saturating_add(least);
        while self.done < until {
            let chunk = body.chunk().await;
            let Some(bytes) = chunk.map_err(|source| UpdateError::Fetch { url: self.url.to_owned(), source })? else {
                return Ok(Taken::TheLast);
            };
            self.place.disk(self.file.write_all(&bytes))?;
            self.done += bytes.len() as u64;
            let limit = self.total.unwrap_or(MAX_BYTES).min(MAX_BYTES);
            if self.done > limit {
                self.place.disk(remove(&self.place.part))?;
                return Err(UpdateError::Length { url: self.url.to_owned(), expected: limit, got: self.done });
            }
            (self.progress)(self.done, self.total);
        }
        Ok(Taken::Some)
    }
}

/// Only a strong tag says that two files are the same byte for byte (RFC 9110 §8.8.1).
fn is_strong(etag: &str) -> bool {
    etag.starts_with('"') && etag.len() > 2
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The files of one export.
struct Place {
    part: PathBuf,
    part_note: PathBuf,
    whole: PathBuf,
    kept_note: PathBuf,
    /// Of the list of changes: what was read last, and what of it is in the index.
    list_part_note: PathBuf,
    list_note: PathBuf,
}

impl Place {
    fn new(folder: &Path, ecosystem: Ecosystem) -> Self {
        let file = |ending: &str| folder.join(format!("{}.{ending}", ecosystem.osv_name()));
        Self {
            part: file("part"),
            part_note: file("part.json"),
            whole: file("zip"),
            kept_note: file("kept.json"),
            list_part_note: file("list.part.json"),
            list_note: file("list.json"),
        }
    }

    fn disk<T>(&self, result: io::Result<T>) -> Result<T, UpdateError> {
        result.map_err(|source| UpdateError::Disk { path: self.part.clone(), source })
    }

    fn part_memory(&self) -> Option<Memory> {
        read_memory(&self.part_note)
    }

    /// Whether a whole file from there waits to be imported, because another export broke or the process ended.
    fn waits(&self, url: &str) -> bool {
        self.whole.is_file() && self.part_memory().is_some_and(|memory| memory.url == url)
    }

    fn wanted(&self, url: &str) -> Wanted {
        let offset = fs::metadata(&self.part).map_or(0, |file| file.len());
        match self.part_memory() {
            Some(memory) if offset > 0 && memory.url == url => return Wanted::Rest { offset, etag: memory.etag },
            Some(memory) if self.waits(url) => return Wanted::IfChanged(memory.etag),
            _ => {}
        }
        match read_memory(&self.kept_note) {
            Some(memory) if memory.url == url => Wanted::IfChanged(memory.etag),
            _ => Wanted::Everything,
        }
    }

    /// The part file, positioned where the answer goes on, and how much is there.
    fn open(&self, answer: Answer, url: &str) -> Result<(fs::File, u64), UpdateError> {
        let there = fs::metadata(&self.part).map_or(0, |file| file.len());
        if answer == Answer::From(there) && there > 0 {
            let file = self.disk(fs::OpenOptions::new().append(true).open(&self.part))?;
            return Ok((file, there));
        }
        if let Answer::From(offset) = answer
            && offset > 0
        {
            // The server answers from another place than asked: what is there cannot be continued.
            self.disk(remove(&self.part))?;
            let source = FetchError::Interrupted(format!("asked for bytes from {there}, got them from {offset}"));
            return Err(UpdateError::Fetch { url: url.to_owned(), source });
        }
        self.disk(remove(&self.whole))?;
        Ok((self.disk(fs::File::create(&self.part))?, 0))
    }

    fn remember(&self, memory: &Memory, note: &Path) -> Result<(), UpdateError> {
        let text = serde_json::to_vec(memory).map_err(io::Error::other);
        self.disk(text.and_then(|text| fs::write(note, text)))
    }
}

fn read_memory(path: &Path) -> Option<Memory> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;

    /// A server with one file that breaks off after the given number of bytes, once for each number.
    struct Server {
        file: Vec<u8>,
        etag: &'static str,
        breaks: Mutex<Vec<usize>>,
        asked: Mutex<Vec<Wanted>>,
    }

    impl Server {
        fn new(file: &[u8], etag: &'static str, breaks: &[usize]) -> Self {
            Self { file: file.to_vec(), etag, breaks: Mutex::new(breaks.to_vec()), asked: Mutex::default() }
        }

        fn asked(&self) -> Vec<Wanted> {
            self.asked.lock().unwrap().clone()
        }
    }

    struct Bytes {
        rest: Vec<u8>,
        until: Option<usize>,
    }

    #[async_trait]
    impl Body for Bytes {
        async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
            match self.until.take() {
                Some(until) if until < self.rest.len() => {
                    let chunk = self.rest[..until].to_vec();
                    self.rest.clear();
                    self.until = Some(usize::MAX);
                    Ok(Some(chunk))
                }
                Some(usize::MAX) if self.rest.is_empty() => Err(FetchError::Interrupted("reset".to_owned())),
                _ if self.rest.is_empty() => Ok(None),
                _ => Ok(Some(std::mem::take(&mut self.rest))),
            }
        }
    }

    #[async_trait]
    impl Fetch for Server {
        async fn fetch(&self, request: &Request) -> Result<Fetched, FetchError> {
            assert_eq!(request.url, "https://osv.test/npm/all.zip");
            self.asked.lock().unwrap().push(request.wanted.clone());
            let until = self.breaks.lock().unwrap().pop();
            let (answer, rest) = match &request.wanted {
                Wanted::IfChanged(etag) if etag == self.etag => (Answer::Unchanged, Vec::new()),
                Wanted::Rest { offset, etag } if etag == self.etag => {
                    (Answer::From(*offset), self.file[usize::try_from(*offset).unwrap()..].to_vec())
                }
                _ => (Answer::Whole, self.file.clone()),
            };
            let body = Box::new(Bytes { rest: rest.clone(), until });
            Ok(Fetched { answer, length: Some(rest.len() as u64), etag: Some(self.etag.to_owned()), body })
        }
    }

    async fn run(server: &Server, folder: &Path) -> Result<Export, UpdateError> {
        download(server, "https://osv.test/", folder, Ecosystem::Npm, &|_| {}).await
    }

    #[tokio::test]
    async fn a_broken_download_goes_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(b"0123456789", "\"one\"", &[3, 4]);
        let export = run(&server, folder.path()).await.unwrap();
        let Export::New(path) = export else { panic!("{export:?}") };
        assert_eq!(fs::read(path).unwrap(), b"0123456789");
        let rest = |offset| Wanted::Rest { offset, etag: "\"one\"".to_owned() };
        assert_eq!(server.asked(), [Wanted::Everything, rest(4), rest(7)]);
    }

    #[tokio::test]
    async fn a_changed_file_is_never_sewn_to_the_old_part() {
        let folder = tempfile::tempdir().unwrap();
        let old = Server::new(b"old old old", "\"old\"", &[4, 4, 1, 1]);
        assert!(run(&old, folder.path()).await.is_err(), "gives up after its tries");
        let new = Server::new(b"new", "\"new\"", &[]);
        let Export::New(path) = run(&new, folder.path()).await.unwrap() else { panic!("a new file") };
        assert_eq!(fs::read(path).unwrap(), b"new");
    }

    #[tokio::test]
    async fn a_weak_tag_is_no_ground_to_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(b"0123456789", "W/\"weak\"", &[3]);
        let Export::New(path) = run(&server, folder.path()).await.unwrap() else { panic!("a new file") };
        assert_eq!(fs::read(path).unwrap(), b"0123456789");
        assert_eq!(server.asked(), [Wanted::Everything, Wanted::Everything]);
    }

    #[tokio::test]
    async fn what_was_imported_is_not_downloaded_again() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(b"0123456789", "\"one\"", &[]);
        assert!(matches!(run(&server, folder.path()).await, Ok(Export::New(_))));
        // Before the import is done nothing is remembered: a crash in between must not lose the update.
        assert!(matches!(run(&server, folder.path()).await, Ok(Export::New(_))));
        keep(folder.path(), Ecosystem::Npm).unwrap();
        assert!(matches!(run(&server, folder.path()).await, Ok(Export::Unchanged)));
    }

    #[tokio::test]
    async fn what_waits_for_its_import_is_not_downloaded_again() {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::new(b"0123456789", "\"one\"", &[]);
        for _ in 0..2 {
            let Export::New(path) = run(&server, folder.path()).await.unwrap() else { panic!("a file to import") };
            assert_eq!(fs::read(path).unwrap(), b"0123456789");
        }
        assert_eq!(server.asked(), [Wanted::Everything, Wanted::IfChanged("\"one\"".to_owned())]);
        let newer = Server::new(b"newer", "\"two\"", &[]);
        let Export::New(path) = run(&newer, folder.path()).await.unwrap() else { panic!("a file to import") };
        assert_eq!(fs::read(path).unwrap(), b"newer");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_trickles_is_left_but_one_that_is_slow_is_not() {
        /// A byte a second, or so many.
        struct Slow(usize, usize);
        #[async_trait]
        impl Body for Slow {
            async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let bytes = self.0.min(self.1);
                self.1 -= bytes;
                Ok((bytes > 0).then(|| vec![0; bytes]))
            }
        }
        #[async_trait]
        impl Fetch for Slow {
            async fn fetch(&self, _: &Request) -> Result<Fetched, FetchError> {
                let length = Some(self.1 as u64);
                Ok(Fetched { answer: Answer::Whole, length, etag: None, body: Box::new(Slow(self.0, self.1)) })
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let fetch = async |slow: Slow| download(&slow, "https://osv.test", folder.path(), Ecosystem::Go, &|_| {}).await;
        assert!(matches!(fetch(Slow(2_000, 1_000_000)).await, Ok(Export::New(_))));
        assert!(matches!(fetch(Slow(1, 30)).await, Ok(Export::New(_))), "a short one may take its time");
        let error = fetch(Slow(1_000, 1_000_000)).await.unwrap_err();
        let UpdateError::Fetch { source, .. } = error else { panic!("{error}") };
        assert_eq!(source, FetchError::Interrupted("less than 64 KiB came in 60 seconds".to_owned()));
    }

    #[tokio::test]
    async fn a_permanent_refusal_is_not_repeated() {
        struct Gone;
        #[async_trait]
        impl Fetch for Gone {
            async fn fetch(&self, _: &Request) -> Result<Fetched, FetchError> {
                Err(FetchError::Offline { host: "osv.test".to_owned(), reason: "no such name".to_owned() })
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let error = download(&Gone, "https://osv.test", folder.path(), Ecosystem::Go, &|_| {}).await.unwrap_err();
        assert!(error.is_offline());
        assert_eq!(error.to_string(), "cannot download https://osv.test/Go/all.zip");
    }
}
