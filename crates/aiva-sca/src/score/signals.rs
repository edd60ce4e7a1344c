//! EPSS scores and the KEV list: read as they are published (CSV, gzipped or not, and JSON), kept in one small file.
//!
//! The file is a table sorted by CVE with a checksum. It is replaced as a whole, so that no reader sees half of it, and it is a
//! help, not a judge: where it is missing or damaged, findings are the same, only their order is poorer.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::{fmt, fs, iter};

use jiff::civil::Date;
use libdeflater::Decompressor;
use rapidhash::v3::rapidhash_v3;
use serde::Deserialize;

use super::{Epss, Kev};

mod day;

/// Where FIRST publishes EPSS.
pub const PUBLIC_EPSS: &str = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz";

/// Where CISA publishes KEV.
pub const PUBLIC_KEV: &str = "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";

/// The file in the `advisories` folder of the data directory.
const FILE: &str = "signals.bin";

const MAGIC: &[u8; 8] = b"AIVASIG1";
const HEADER: usize = 16;
const ROW: usize = 24;
const NONE: u32 = u32::MAX;
/// The key of the row that has the days of the publications.
const NO_CVE: u64 = 0;

/// More than any publication unpacks to: EPSS had 11 MB in 2026.
pub const MOST_BYTES: usize = 256 << 20;

/// What EPSS and KEV say of a CVE.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Signal {
    /// The exploit prediction.
    pub epss: Option<Epss>,
    /// Whether it is known to be exploited.
    pub kev: Option<Kev>,
}

/// Which publication a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// FIRST's exploit prediction scores.
    Epss,
    /// CISA's known exploited vulnerabilities.
    Kev,
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Epss => "EPSS",
            Self::Kev => "KEV",
        })
    }
}

/// Why a publication was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// Damaged, or too much.
    #[error("cannot be unpacked: it is damaged, or larger than any publication")]
    Packed,
    /// Not as FIRST or CISA write it.
    #[error("is neither EPSS nor KEV as they are published")]
    Unknown,
    /// It has the right head and no usable row.
    #[error("has no usable row")]
    Empty,
    /// The data directory.
    #[error("cannot write {FILE}")]
    Disk(#[from] io::Error),
}

/// What was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Which publication.
    pub feed: Feed,
    /// Rows used.
    pub rows: usize,
    /// Rows that could not be read.
    pub bad: usize,
}

/// What the table has of one publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// CVEs.
    pub rows: usize,
    /// The day of the publication, where it says one.
    pub day: Option<Date>,
}

/// Whether a file looks like one of the publications, by its first bytes. Gzip is looked into.
pub fn is_signals(bytes: &[u8]) -> bool {
    unpacked(bytes).is_ok_and(|text| kind(&text).is_some())
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, SignalError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).to_vec());
    }
    // The last four bytes are the length (RFC 1952 §2.3.1).
    let length = bytes.last_chunk::<4>().map(|length| u32::from_le_bytes(*length) as usize);
    let length = length.filter(|length| *length <= MOST_BYTES).ok_or(SignalError::Packed)?;
    let mut text = vec![0; length];
    let written = Decompressor::new().gzip_decompress(bytes, &mut text).map_err(|_| SignalError::Packed)?;
    if written == length { Ok(text) } else { Err(SignalError::Packed) }
}

fn kind(text: &[u8]) -> Option<(Feed, bool)> {
    let head = String::from_utf8_lossy(text.get(..text.len().min(4096))?).to_lowercase();
    let start = head.trim_start();
    if start.starts_with('{') {
        return match () {
            () if head.contains("\"epss\"") => Some((Feed::Epss, true)),
            () if head.contains("\"cveid\"") && head.contains("\"vulnerabilities\"") => Some((Feed::Kev, true)),
            () => None,
        };
    }
    let first = start.lines().find(|line| !line.starts_with('#'))?.replace('"', "");
    match first {
        line if line.starts_with("cve,epss") => Some((Feed::Epss, false)),
        line if line.starts_with("cveid,") => Some((Feed::Kev, false)),
        _ => None,
    }
}

/// Takes a publication in; the rows of the other one stay.
pub fn import(bytes: &[u8], folder: &Path) -> Result<Taken, SignalError> {
    let text = unpacked(bytes)?;
    let (feed, is_json) = kind(&text).ok_or(SignalError::Unknown)?;
    let mut rows = Rows::default();
    match (feed, is_json) {
        (Feed::Epss, true) => epss_json(&text, &mut rows)?,
        (Feed::Epss, false) => epss_csv(&text, &mut rows),
        (Feed::Kev, true) => kev_json(&text, &mut rows)?,
        (Feed::Kev, false) => kev_csv(&text, &mut rows),
    }
    if rows.all.is_empty() {
        return Err(SignalError::Empty);
    }
    let taken = Taken { feed, rows: rows.all.len(), bad: rows.bad };
    let mut days = Days::default();
    if let Some(before) = Signals::open(folder) {
        days = before.days();
        for (key, signal) in before.all() {
            let row = rows.all.entry(key).or_default();
            match feed {
                Feed::Epss => row.kev = signal.kev,
                Feed::Kev => row.epss = signal.epss,
            }
        }
    }
    *days.of(feed) = day::of(&text, feed);
    write(&rows.all, days, folder)?;
    Ok(taken)
}

#[derive(Default)]
struct Rows {
    all: BTreeMap<u64, Signal>,
    bad: usize,
}

impl Rows {
    fn epss(&mut self, cve: &str, probability: &str, percentile: &str) {
        let share = |text: &str| text.trim().parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
        match (key(cve), share(probability), share(percentile)) {
            (Some(key), Some(probability), Some(percentile)) => {
                self.all.entry(key).or_default().epss = Some(Epss { probability, percentile });
            }
            _ => self.bad += 1,
        }
    }

    fn kev(&mut self, cve: &str, added: &str, ransomware: &str) {
        match (key(cve), added.trim().parse::<Date>().ok()) {
            (Some(key), Some(added)) => {
                let ransomware = ransomware.trim().eq_ignore_ascii_case("known");
                self.all.entry(key).or_default().kev = Some(Kev { added, ransomware });
            }
            _ => self.bad += 1,
        }
    }
}

/// A CVE as a number that sorts as its year and number do.
fn key(cve: &str) -> Option<u64> {
    let (year, number) = cve.trim().strip_prefix("CVE-")?.split_once('-')?;
    let key =
        u64::from(year.parse::<u16>().ok()?) << 48 | number.parse::<u64>().ok().filter(|number| *number < 1 << 48)?;
    (key != NO_CVE).then_some(key)
}

fn epss_csv(text: &[u8], rows: &mut Rows) {
    for record in whole_records(text, rows).skip(1) {
        let cell = |at: usize| record.get(at).unwrap_or_default();
        rows.epss(cell(0), cell(1), cell(2));
    }
}

fn kev_csv(text: &[u8], rows: &mut Rows) {
    let mut records = whole_records(text, rows);
    let Some(head) = records.next() else { return };
    let place = |name: &str| head.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
    let (cve, added, ransomware) = (place("cveID"), place("dateAdded"), place("knownRansomwareCampaignUse"));
    for record in records {
        let cell = |at: Option<usize>| at.and_then(|at| record.get(at)).unwrap_or_default();
        rows.kev(cell(cve), cell(added), cell(ransomware));
    }
}

/// The records of a CSV text without its comments; what is no record is an empty one. The last one of a text that was cut is
/// counted as bad: half a number is another number.
fn whole_records<'t>(text: &'t [u8], rows: &mut Rows) -> impl Iterator<Item = csv::StringRecord> + 't {
    let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).comment(Some(b'#')).from_reader(text);
    let mut records = reader.into_records().map(Result::unwrap_or_default).peekable();
    let has_open_quote = memchr::memchr_iter(b'"', text).count() % 2 == 1;
    let is_cut = has_open_quote || !text.ends_with(b"\n");
    rows.bad += usize::from(is_cut);
    iter::from_fn(move || records.next().filter(|_| !is_cut || records.peek().is_some()))
}

#[derive(Deserialize)]
struct EpssDocument {
    data: Vec<EpssRow>,
}

#[derive(Deserialize)]
struct EpssRow {
    cve: String,
    epss: serde_json::Value,
    percentile: serde_json::Value,
}

fn epss_json(text: &[u8], rows: &mut Rows) -> Result<(), SignalError> {
    let document: EpssDocument = serde_json::from_slice(text).map_err(|_| SignalError::Unknown)?;
    // FIRST writes the numbers as strings.
    let number = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for row in document.data {
        rows.epss(&row.cve, &number(&row.epss), &number(&row.percentile));
    }
    Ok(())
}

#[derive(Deserialize)]
struct KevDocument {
    vulnerabilities: Vec<KevRow>,
}

#[derive(Deserialize)]
struct KevRow {
    #[serde(rename = "cveID")]
    cve: String,
    #[serde(rename = "dateAdded")]
    added: String,
    #[serde(rename = "knownRansomwareCampaignUse", default)]
    ransomware: String,
}

fn kev_json(text: &[u8], rows: &mut Rows) -> Result<(), SignalError> {
    let document: KevDocument = serde_json::from_slice(text).map_err(|_| SignalError::Unknown)?;
    for row in document.vulnerabilities {
        rows.kev(&row.cve, &row.added, &row.ransomware);
    }
    Ok(())
}

fn write(rows: &BTreeMap<u64, Signal>, days: Days, folder: &Path) -> io::Result<()> {
    let mut table = Vec::with_capacity((rows.len() + 1) * ROW);
    // In the place of a CVE that there cannot be: releases before this row read on as they did.
    table.extend(NO_CVE.to_be_bytes());
    let day = |day: Option<Date>| day.map_or(NONE, packed);
    [NONE, day(days.epss), NONE, day(days.kev)].iter().for_each(|number| table.extend(number.to_le_bytes()));
    for (key, signal) in rows {
        let millionths = |share: f64| (share * 1_000_000.0).round() as u32;
        let epss = signal.epss.map_or((NONE, NONE), |epss| (millionths(epss.probability), millionths(epss.percentile)));
        let kev = signal.kev.map_or((NONE, 0), |kev| (packed(kev.added), u32::from(kev.ransomware)));
        table.extend(key.to_be_bytes());
        [epss.0, epss.1, kev.0, kev.1].iter().for_each(|number| table.extend(number.to_le_bytes()));
    }
    let place = folder.join(FILE);
    let fresh = folder.join(format!("{FILE}.new"));
    let mut file = fs::File::create(&fresh)?;
    file.write_all(MAGIC)?;
    file.write_all(&rapidhash_v3(&table).to_le_bytes())?;
    file.write_all(&table)?;
    file.sync_all()?;
    fs::rename(fresh, place)
}

fn packed(date: Date) -> u32 {
    let part = |part: i8| u32::from(part.unsigned_abs());
    u32::from(date.year().unsigned_abs()) << 16 | part(date.month()) << 8 | part(date.day())
}

fn unpacked_date(number: u32) -> Option<Date> {
    let [day, month, low, high] = number.to_le_bytes();
    let year = i16::try_from(u16::from_le_bytes([low, high])).ok()?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The days of the publications, where they say one.
#[derive(Debug, Clone, Copy, Default)]
struct Days {
    epss: Option<Date>,
    kev: Option<Date>,
}

impl Days {
    fn of(&mut self, feed: Feed) -> &mut Option<Date> {
        match feed {
            Feed::Epss => &mut self.epss,
            Feed::Kev => &mut self.kev,
        }
    }
}

/// The table that scans ask.
#[derive(Debug, Clone)]
pub struct Signals(Vec<u8>);

impl Signals {
    /// Opens the table in the `advisories` folder; `None` where there is none that can be trusted.
    pub fn open(folder: &Path) -> Option<Self> {
        let bytes = fs::read(folder.join(FILE)).ok()?;
        let table = bytes.get(HEADER..)?;
        let sum = bytes.get(8..HEADER)?.try_into().ok().map(u64::from_le_bytes);
        let sound = bytes.starts_with(MAGIC) && sum == Some(rapidhash_v3(table)) && table.len().is_multiple_of(ROW);
        sound.then_some(Self(bytes))
    }

    /// What is known of a CVE.
    pub fn of(&self, cve: &str) -> Signal {
        let Some(key) = key(cve) else { return Signal::default() };
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.row(middle) {
                Some((at, signal)) if at == key => return signal,
                Some((at, _)) if at < key => low = middle + 1,
                _ => high = middle,
            }
        }
        Signal::default()
    }

    fn len(&self) -> usize {
        self.0.len().saturating_sub(HEADER) / ROW
    }

    fn row(&self, at: usize) -> Option<(u64, Signal)> {
        let start = HEADER + at * ROW;
        let row = self.0.get(start..start + ROW)?;
        let (key, numbers) = row.split_first_chunk::<8>()?;
        let number = |at: usize| numbers.get(at * 4..at * 4 + 4)?.try_into().ok().map(u32::from_le_bytes);
        let share = |number: u32| f64::from(number) / 1_000_000.0;
        let epss = Some((number(0)?, number(1)?)).filter(|(probability, _)| *probability != NONE);
        let epss = epss
            .map(|(probability, percentile)| Epss { probability: share(probability), percentile: share(percentile) });
        let added = Some(number(2)?).filter(|added| *added != NONE).and_then(unpacked_date);
        let kev = added.map(|added| Kev { added, ransomware: number(3) == Some(1) });
        Some((u64::from_be_bytes(*key), Signal { epss, kev }))
    }

    fn all(&self) -> impl Iterator<Item = (u64, Signal)> {
        (0..self.len()).filter_map(|at| self.row(at)).filter(|(key, _)| *key != NO_CVE)
    }

    /// What there is of a publication; `None` if nothing.
    pub fn held(&self, feed: Feed) -> Option<Held> {
        let has = |signal: &Signal| match feed {
            Feed::Epss => signal.epss.is_some(),
            Feed::Kev => signal.kev.is_some(),
        };
        let rows = self.all().filter(|(_, signal)| has(signal)).count();
        (rows > 0).then(|| Held { rows, day: *self.days().of(feed) })
    }

    /// The first row has them, since there are days.
    fn days(&self) -> Days {
        let number = |at: usize| self.0.get(HEADER + at..HEADER + at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let has_days = self.0.get(HEADER..HEADER + 8) == Some(&NO_CVE.to_be_bytes());
        let day = |at: usize| number(at).filter(|_| has_days).and_then(unpacked_date);
        Days { epss: day(12), kev: day(20) }
    }
}

#[cfg(test)]
mod tests;
