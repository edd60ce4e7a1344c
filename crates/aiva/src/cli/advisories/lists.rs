//! The lists beside the advisories: EPSS scores and known exploited vulnerabilities.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use aiva_sca::ports::{Fetch, FetchError, Request, Wanted};
use aiva_sca::score::signals::{self, Feed, Held, SignalError, Signals, Taken};
use anyhow::Result;
use serde_json::{Value, json};

use super::super::table::{counted, grouped};
use super::super::terminal::{Terminal, complain};
use crate::failure::Failure;

/// Whether a path is one of the lists; what cannot be read is none, and the import of advisories says why.
pub(super) fn is_list(path: &Path) -> bool {
    let is_file =
        fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= signals::MOST_BYTES as u64);
    is_file && begins_like_one(path) && fs::read(path).is_ok_and(|bytes| signals::is_signals(&bytes))
}

/// A zip of advisories is not read twice to find out that it is none of these.
fn begins_like_one(path: &Path) -> bool {
    let mut start = [0; 2];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && &start != b"PK"
}

/// Takes one list in.
pub(super) fn import(path: &Path, folder: &Path, terminal: Terminal) -> Result<()> {
    let cannot = |error: SignalError| Failure::new(format!("{} was not imported", path.display())).because(error);
    let bytes = fs::read(path).map_err(|error| cannot(error.into()))?;
    said(signals::import(&bytes, folder).map_err(cannot)?, terminal);
    Ok(())
}

fn said(taken: Taken, terminal: Terminal) {
    terminal.note(&format!("{}  {}", taken.feed, counted(taken.rows, "row")));
    if taken.bad > 0 {
        complain(&format!("warning: {} of {} could not be read", counted(taken.bad, "row"), taken.feed));
    }
}

/// Downloads one list and takes it in. A failure is a warning: findings are the same without.
pub(super) async fn fetch(downloads: &impl Fetch, address: &str, folder: &Path, terminal: Terminal) {
    let warn = |reason: String| complain(&format!("warning: {address}: {reason}; the list from before stays in use"));
    match download(downloads, address).await {
        Ok(bytes) => match signals::import(&bytes, folder) {
            Ok(taken) => said(taken, terminal),
            Err(error) => warn(error.to_string()),
        },
        Err(error) => warn(error.to_string()),
    }
}

async fn download(downloads: &impl Fetch, address: &str) -> Result<Vec<u8>, FetchError> {
    let request = Request { url: address.to_owned(), wanted: Wanted::Everything };
    let mut fetched = downloads.fetch(&request).await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = fetched.body.chunk().await? {
        bytes.extend(chunk);
        if bytes.len() > signals::MOST_BYTES {
            return Err(FetchError::Refused("more than any list has".to_owned()));
        }
    }
    match fetched.length {
        Some(length) if length != bytes.len() as u64 => Err(FetchError::Interrupted("it ended early".to_owned())),
        _ => Ok(bytes),
    }
}

fn held(folder: &Path, feed: Feed) -> Option<Held> {
    Signals::open(folder)?.held(feed)
}

/// What there is of a list; null if nothing.
pub(super) fn as_json(folder: &Path, feed: Feed) -> Value {
    let of = |Held { rows, day }: Held| json!({ "records": rows, "day": day.map(|day| day.to_string()) });
    held(folder, feed).map_or(Value::Null, of)
}

/// Both lists, as rows below those of the advisories.
pub(super) fn status(folder: &Path, width: usize) -> String {
    let row = |feed: Feed| {
        let name = feed.to_string();
        match held(folder, feed) {
            None => format!("{name:<width$} {:>9}\n", "none"),
            Some(Held { rows, day }) => {
                let day = day.map_or_else(|| "of no known day".to_owned(), |day| day.to_string());
                format!("{name:<width$} {:>9} {:>9}  {day}\n", grouped(rows), "")
            }
        }
    };
    row(Feed::Epss) + &row(Feed::Kev)
}
