//! Downloads one export and goes on where an earlier download stopped.
//!
//! A file is handed over only when it is as long as the server said; what arrived before a break is kept, and continued only if the
//! server still has the very same file. Start reading at [`download`].

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::place::{Memory, Place, is_strong, remove};
use super::{PATIENCE, TRIES, UpdateError, address};
use crate::package::Ecosystem;
use crate::ports::{Answer, Body, Fetch, FetchError, Fetched, Request, Wanted};

/// What a download must bring in [`PATIENCE`].
const LEAST: u64 = 64 * 1024;

/// The largest export that is believed: npm's was 0.3 GB in 2026.
const MAX_BYTES: u64 = 8 << 30;

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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

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
