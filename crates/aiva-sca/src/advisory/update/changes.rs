//! Finds out which records of an ecosystem changed since they were taken in, from the list that OSV publishes beside its exports
//! (`modified_id.csv`: a time and an id a line), and fetches those alone.
//!
//! The list is compared with what the index knows of every record, so that nothing depends on an earlier update, on clocks, or on
//! the order of the list. A list that does not look right is no list: then the whole export is fetched. Start reading at
//! [`compare`].

use std::collections::HashSet;
use std::path::Path;

use futures_util::StreamExt as _;
use jiff::Timestamp;

use super::super::compile::seconds;
use super::super::index::Index;
use super::super::layout::{MAX_RECORD, Row, id_hash};
use super::super::{AmendError, Change};
use super::place::{Memory, Place, is_strong, read_memory, remove};
use super::{PATIENCE, Progress, ReplaceError, TRIES, UpdateError, address};
use crate::package::Ecosystem;
use crate::ports::{Answer, Fetch, FetchError, Request, Wanted};

/// The name of the list.
const LIST: &str = "modified_id.csv";
/// The largest list that is believed: npm's had some 10 MB in 2026.
const MAX_LIST: usize = 128 << 20;
/// From how many changed records on the whole export costs less: a part of all, but so many are always few, and so many never.
const FEW_OF: usize = 20;
const ALWAYS_FEW: usize = 64;
const NEVER_FEW: usize = 4_000;
/// Records that are fetched at once.
const AT_ONCE: usize = 16;

/// How the index stands to its source.
#[derive(Debug)]
pub(super) enum Compared {
    /// It has all that its source has.
    Same,
    /// It lacks these changes.
    Few(Vec<Change>),
    /// There is no list, or so much of it is new that the whole export is wanted.
    Unknown,
}

/// Compares what the index has of an ecosystem with the server's list, and fetches what is new.
pub(super) async fn compare(
    fetch: &dyn Fetch,
    base: &str,
    (index, folder): (&Index, &Path),
    ecosystem: Ecosystem,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Compared, ReplaceError> {
    let place = Place::new(folder, ecosystem);
    place.disk(std::fs::create_dir_all(folder))?;
    // Of an update that did not come to its end.
    place.disk(remove(&place.list_part_note))?;
    let url = address(base, ecosystem, LIST);
    let wanted = match read_memory(&place.list_note) {
        Some(memory) if memory.url == url => Wanted::IfChanged(memory.etag),
        _ => Wanted::Everything,
    };
    let mut total = 0;
    let mut count = |bytes: usize| {
        total += bytes as u64;
        progress(Progress { ecosystem, done: total, total: None });
    };
    let memory;
    let list = match whole(fetch, &Request { url: url.clone(), wanted }, MAX_LIST, &mut count).await {
        Ok(Whole::Unchanged) => return Ok(Compared::Same),
        Ok(Whole::Body { bytes, etag }) => {
            memory = etag.filter(|etag| is_strong(etag)).map(|etag| Memory { url, etag });
            bytes
        }
        Err(error) if error.is_not_there() => return Ok(Compared::Unknown),
        Err(error) => return Err(error.into()),
    };
    let known = index.known(ecosystem).map_err(AmendError::from)?;
    let Some(news) = std::str::from_utf8(&list).ok().and_then(|list| news(list, &known)) else {
        return Ok(Compared::Unknown);
    };
    let remember = || memory.iter().try_for_each(|memory| place.remember(memory, &place.list_part_note));
    if news.is_empty() {
        remember()?;
        keep(folder, ecosystem)?;
        return Ok(Compared::Same);
    }
    let few = (known.len() / FEW_OF).clamp(ALWAYS_FEW, NEVER_FEW);
    let News { changed, gone, newest } = news;
    if changed.len() > few || gone.len() > few {
        return Ok(Compared::Unknown);
    }
    let gone = index.ids(ecosystem, &gone).map_err(AmendError::from)?;
    let mut changes: Vec<Change> = gone.into_iter().map(|id| Change { id, modified: newest, record: None }).collect();
    let asked: Vec<_> =
        changed.into_iter().map(|(id, modified)| fetch_record(fetch, base, ecosystem, id, modified)).collect();
    let mut arriving = futures_util::stream::iter(asked).buffered(AT_ONCE);
    while let Some(change) = arriving.next().await {
        let change = change?;
        count(change.record.as_ref().map_or(0, Vec::len));
        changes.push(change);
    }
    remember()?;
    Ok(Compared::Few(changes))
}

async fn fetch_record(
    fetch: &dyn Fetch,
    base: &str,
    ecosystem: Ecosystem,
    id: String,
    modified: Timestamp,
) -> Result<Change, UpdateError> {
    let request = Request { url: address(base, ecosystem, &format!("{id}.json")), wanted: Wanted::Everything };
    let record = match whole(fetch, &request, MAX_RECORD, &mut |_| {}).await {
        Ok(Whole::Body { bytes, .. }) => Some(bytes),
        Ok(Whole::Unchanged) => None,
        // It went between the list and now.
        Err(error) if error.is_not_there() => None,
        Err(error) => return Err(error),
    };
    Ok(Change { id, modified, record })
}

/// Remembers that the index has what the list said that was compared with it last, so that an unchanged list is not read again.
pub(super) fn keep(folder: &Path, ecosystem: Ecosystem) -> Result<(), UpdateError> {
    let place = Place::new(folder, ecosystem);
    if read_memory(&place.list_part_note).is_some() {
        place.disk(std::fs::rename(&place.list_part_note, &place.list_note))?;
    }
    Ok(())
}

/// What a list says that the index does not know.
#[derive(Debug, PartialEq, Eq)]
struct News {
    /// Ids of new and changed records, with the time of the change.
    changed: Vec<(String, Timestamp)>,
    /// Hashes of the ids of records that count and are not in the list.
    gone: Vec<u64>,
    /// The last change of any record.
    newest: Timestamp,
}

impl News {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty()
    }
}

/// Compares a list with what is known, ascending by id; `None` if it is no list.
fn news(list: &str, known: &[Row]) -> Option<News> {
    let mut listed = HashSet::with_capacity(known.len());
    let mut news = News { changed: Vec::new(), gone: Vec::new(), newest: Timestamp::UNIX_EPOCH };
    for line in list.lines().filter(|line| !line.trim().is_empty()) {
        let (time, id) = line.split_once(',')?;
        let (time, id): (Timestamp, &str) = (time.trim().parse().ok()?, id.trim());
        if !is_plain(id) {
            return None;
        }
        news.newest = news.newest.max(time);
        let hash = id_hash(id);
        listed.insert(hash);
        let at = known.partition_point(|row| row.id < hash);
        let of_id = known.get(at..).unwrap_or_default().iter().take_while(|row| row.id == hash);
        // By the second: lists and records do not agree on how much finer a time is.
        if of_id.map(|row| row.modified).max().is_none_or(|modified| modified < seconds(time)) {
            news.changed.push((id.to_owned(), time));
        }
    }
    if listed.is_empty() {
        return None;
    }
    // What is newer than the list may be missing from an old copy of it.
    let newest = seconds(news.newest);
    let is_gone = |row: &&Row| row.spot().is_some() && row.modified <= newest && !listed.contains(&row.id);
    news.gone = known.iter().filter(is_gone).map(|row| row.id).collect();
    news.gone.dedup();
    Some(news)
}

/// Whether an id can stand in an address as it is.
fn is_plain(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    !id.is_empty() && id.len() <= 256 && id.bytes().all(plain) && !id.starts_with('.')
}

enum Whole {
    Unchanged,
    Body { bytes: Vec<u8>, etag: Option<String> },
}

/// A file that fits into memory; begun anew when it breaks off.
async fn whole(
    fetch: &dyn Fetch,
    request: &Request,
    most: usize,
    count: &mut (dyn FnMut(usize) + Send),
) -> Result<Whole, UpdateError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt(fetch, request, most, count).await {
            Err(UpdateError::Fetch { source, .. }) if source.is_transient() && tries < TRIES => {}
            other => return other,
        }
    }
}

async fn attempt(
    fetch: &dyn Fetch,
    request: &Request,
    most: usize,
    count: &mut (dyn FnMut(usize) + Send),
) -> Result<Whole, UpdateError> {
    let failed = |source| UpdateError::Fetch { url: request.url.clone(), source };
    let mut fetched = fetch.fetch(request).await.map_err(failed)?;
    if fetched.answer == Answer::Unchanged {
        return Ok(Whole::Unchanged);
    }
    let mut bytes = Vec::new();
    loop {
        let Ok(chunk) = tokio::time::timeout(PATIENCE, fetched.body.chunk()).await else {
            return Err(failed(FetchError::Interrupted(format!("nothing came in {} seconds", PATIENCE.as_secs()))));
        };
        let Some(chunk) = chunk.map_err(failed)? else { break };
        if bytes.len() + chunk.len() > most {
            let got = (bytes.len() + chunk.len()) as u64;
            return Err(UpdateError::Length { url: request.url.clone(), expected: most as u64, got });
        }
        count(chunk.len());
        bytes.extend_from_slice(&chunk);
    }
    match fetched.length {
        Some(expected) if expected > bytes.len() as u64 => {
            Err(failed(FetchError::Interrupted(format!("{} of {expected} bytes came", bytes.len()))))
        }
        Some(expected) if expected < bytes.len() as u64 => {
            Err(UpdateError::Length { url: request.url.clone(), expected, got: bytes.len() as u64 })
        }
        _ => Ok(Whole::Body { bytes, etag: fetched.etag }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::layout::{Spot, State};
    use super::*;

    fn row(id: &str, modified: &str, state: State) -> Row {
        Row { id: id_hash(id), modified: seconds(modified.parse().unwrap()), state }
    }

    fn known(rows: &[Row]) -> Vec<Row> {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows
    }

    #[track_caller]
    fn check(list: &str, known: &[Row], want: Option<(&[&str], &[&str])>) {
        let found = news(list, known);
        let found = found.map(|news| (news.changed.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), news.gone));
        let mut want = want.map(|(changed, gone)| {
            (
                changed.iter().map(ToString::to_string).collect::<Vec<_>>(),
                gone.iter().map(|id| id_hash(id)).collect::<Vec<_>>(),
            )
        });
        if let Some((_, gone)) = &mut want {
            gone.sort_unstable();
        }
        assert_eq!(found, want, "{list:?}");
    }

    #[test]
    fn a_list_tells_what_is_new_changed_and_gone() {
        let at = |block| State::At(Spot { block, offset: 0 });
        let rows = known(&[
            row("A-1", "2024-01-02T03:04:05Z", at(0)),
            row("A-2", "2024-01-02T03:04:05Z", at(1)),
            row("A-3", "2024-01-02T03:04:05Z", State::Withdrawn),
            row("A-4", "2026-01-02T03:04:05Z", at(2)),
        ]);
        let same = "2024-01-02T03:04:05Z,A-2\n2024-01-02T03:04:05.987654Z,A-1\n2024-01-02T03:04:05Z,A-3\n";
        check(same, &rows, Some((&[], &[]))); // the order is nothing, nor is a part of a second; A-4 is newer than the list
        check("2024-01-02T03:04:06Z,A-1\n2024-01-01T00:00:00Z,A-2\n", &rows, Some((&["A-1"], &[])));
        check("2024-01-02T03:04:06Z,B-1\r\n2024-01-02T03:04:05Z,A-1\r\n", &rows, Some((&["B-1"], &["A-2"])));
        check("2026-06-01T00:00:00Z,A-4\n", &rows, Some((&["A-4"], &["A-1", "A-2"])));
        for wrong in
            ["", "<html></html>", "id,modified\n", "2024-01-02T03:04:05Z,../../etc\n", "2024-01-02T03:04:05Z\n"]
        {
            check(wrong, &rows, None);
        }
    }
}
