//! RPM's database: a header of each package, as in the package file (rpm.org, "Package format V4").
//!
//! It comes in three forms, told apart by how they begin: SQLite (rpm 4.16 and later), Berkeley DB (before) and ndb (SUSE). Headers
//! are taken apart within bounds: every offset and count comes from the file.

use super::super::reading::Reading;
use super::sqlite::{self, NotRead};
use super::{Owned, bdb, ndb, origin};
use crate::package::{Ecosystem, Package};
use crate::system::{Distribution, System};

const OTHER: Ecosystem = Ecosystem::System(System::family(Distribution::OtherRpm));

/// What a header's entries are called (rpm's `rpmtag.h`).
const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
const LICENSE: u32 = 1014;
const SOURCE: u32 = 1044;
const FOLDER_OF: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const FOLDERS: u32 = 1118;

/// More entries and bytes than rpm itself takes.
const MOST_ENTRIES: usize = 65_536;

/// Reads a database; notes the files that packages own.
pub(crate) fn read(bytes: &[u8], owned: &mut Owned) -> Reading {
    let mut reading = Reading::default();
    let mut damaged = 0_u32;
    let mut take = |blob: Option<&[u8]>| match blob.and_then(Header::of).and_then(|header| package(&header, owned)) {
        Some(Some(package)) => reading.packages.push(package),
        Some(None) => {}
        None => damaged += 1,
    };
    let outcome = match bytes {
        bytes if bytes.starts_with(ndb::MAGIC) => ndb::each(bytes, &mut take),
        bytes if bytes.starts_with(sqlite::MAGIC) => {
            sqlite::File::open(bytes).and_then(|mut file| file.each("Packages", &mut |blob| take(Some(blob))))
        }
        bytes if bdb::is_hash(bytes) => bdb::each(bytes, &mut take),
        _ => Err(NotRead("it is in none of the forms that are known (SQLite, Berkeley DB, ndb)")),
    };
    if let Err(reason) = outcome {
        reading.problem(0, format!("the database could not be read to its end: {}", reason.0));
    }
    if damaged > 0 {
        reading.problem(0, format!("{damaged} packages could not be read: their headers are damaged"));
    }
    reading.packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    reading.close()
}

/// The package of a header: `None` where it is damaged, `Some(None)` where it is none (a key that packages are signed with).
fn package(header: &Header<'_>, owned: &mut Owned) -> Option<Option<Package>> {
    let text = |tag| header.texts(tag).next();
    let (name, version, release) = (text(NAME)?, text(VERSION)?, text(RELEASE)?);
    if name == "gpg-pubkey" {
        return Some(None);
    }
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let epoch = header.numbers(EPOCH).next().filter(|epoch| *epoch > 0);
    let full = |version: &str| epoch.map_or_else(|| version.to_owned(), |epoch| format!("{epoch}:{version}"));
    let mut package = Package::new(OTHER, name, full(&format!("{version}-{release}")), 1);
    // `openssl-3.0.7-25.el9.src.rpm`
    let source = text(SOURCE).and_then(|source| source.strip_suffix(".src.rpm"));
    let parts = source.and_then(|source| {
        let (rest, release) = source.rsplit_once('-')?;
        let (name, version) = rest.rsplit_once('-')?;
        Some((name, format!("{version}-{release}")))
    });
    if let Some((source, version)) = parts {
        package.origin = origin(&package, source, &full(&version));
    }
    package.licenses = text(LICENSE).filter(|license| !license.is_empty()).map(str::to_owned).into_iter().collect();
    let folders: Vec<&str> = header.texts(FOLDERS).collect();
    for (name, folder) in header.texts(BASE_NAMES).zip(header.numbers(FOLDER_OF)) {
        if let Some(folder) = folders.get(folder as usize) {
            owned.add(&format!("{folder}{name}"));
        }
    }
    Some(Some(package))
}

/// A header: an index of entries and the store that they point into.
struct Header<'b> {
    index: &'b [u8],
    store: &'b [u8],
}

impl<'b> Header<'b> {
    fn of(blob: &'b [u8]) -> Option<Self> {
        let (entries, rest) = (number(blob)? as usize, blob.get(4..)?);
        let (length, rest) = (number(rest)? as usize, rest.get(4..)?);
        if entries > MOST_ENTRIES {
            return None;
        }
        let (index, rest) = rest.split_at_checked(entries * 16)?;
        Some(Self { index, store: rest.get(..length)? })
    }

    /// An entry's bytes up to the store's end, its kind and count.
    fn entry(&self, tag: u32) -> Option<(&'b [u8], u32, usize)> {
        let entry = self.index.chunks_exact(16).find(|entry| number(entry) == Some(tag))?;
        let field = |at: usize| entry.get(at..).and_then(number);
        Some((self.store.get(field(8)? as usize..)?, field(4)?, field(12)? as usize))
    }

    /// Texts (kinds 6, 8 and 9), each closed by a zero.
    fn texts(&self, tag: u32) -> impl Iterator<Item = &'b str> {
        let (bytes, kind, count) = self.entry(tag).unwrap_or((&[], 0, 0));
        let count = if matches!(kind, 6 | 8 | 9) { count.min(bytes.len()) } else { 0 };
        let mut rest = bytes;
        (0..count).map_while(move |_| {
            let end = memchr::memchr(0, rest)?;
            let text = std::str::from_utf8(rest.get(..end)?).ok()?;
            rest = rest.get(end + 1..)?;
            Some(text)
        })
    }

    /// Numbers of four bytes (kind 4).
    fn numbers(&self, tag: u32) -> impl Iterator<Item = u32> {
        let (bytes, kind, count) = self.entry(tag).unwrap_or((&[], 0, 0));
        let count = if kind == 4 { count } else { 0 };
        bytes.chunks_exact(4).take(count).filter_map(number)
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?))
}
