//! OSV records and zips on their way into the index, and the index file itself.

use std::fs;
use std::ops::Range;
use std::path::Path;

use aiva_sca::advisory::{self, ImportError, ImportReport, Index, osv};
use aiva_sca::package::Ecosystem;
use aiva_sca::version::Version;
use jiff::Timestamp;
use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

/// Reads a record and imports it as the only one.
pub(crate) fn record(bytes: &[u8]) {
    let parsed = osv::parse(bytes).map(|record| record.id.to_string()).ok();
    let report = import("RECORD.json", bytes);
    assert!(parsed.is_some() || report.is_err(), "what is no record was imported: {report:?}");
}

/// Imports a zip.
pub(crate) fn zip(bytes: &[u8]) {
    let _ = import("export.zip", bytes);
}

/// What was imported can be asked and is whole.
fn import(name: &str, bytes: &[u8]) -> Result<ImportReport, ImportError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, data) = (folder.path().join(name), folder.path().join("data"));
    fs::write(&file, bytes).expect("a file in it");
    let imported = advisory::import(&[file], &data, Timestamp::UNIX_EPOCH, &|_| {});
    match &imported {
        Ok(report) => {
            let index = Index::open(&data).expect("what was written can be opened");
            index.verify().expect("and is whole");
            assert_eq!(index.ecosystems().len(), report.imported.len(), "{report:?}");
        }
        Err(_) => assert!(Index::open(&data).is_err(), "a refused import leaves no index"),
    }
    imported
}

/// Opens the bytes as an index: as they are, and with every checksum made right, so that what lies behind them is met.
pub(crate) fn index(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    ask(folder.path(), bytes);
    let mut signed = bytes.to_vec();
    if sign(&mut signed).is_some() {
        ask(folder.path(), &signed);
    }
}

fn ask(folder: &Path, bytes: &[u8]) {
    fs::write(folder.join("advisories.index"), bytes).expect("a file in a temporary folder");
    let Ok(index) = Index::open(folder) else { return };
    let _ = (index.verify(), index.status(Timestamp::UNIX_EPOCH), index.built_at());
    for (ecosystem, name, version) in [
        (Ecosystem::CratesIo, "aliased", "0.3.1"),
        (Ecosystem::CratesIo, "two-ranges", "2.0.0"),
        (Ecosystem::Npm, "evil", "1.0.0"),
        (Ecosystem::PyPi, "sample-package", "1.0rc1"),
        (Ecosystem::Go, "stdlib", "1.20.0"),
    ] {
        let Ok(Some(entry)) = index.entry(ecosystem, name) else { continue };
        let parsed = Version::parse(ecosystem, version);
        for advisory in entry.advisories() {
            let _ = (advisory.affects(version, parsed.as_ref()), advisory.details());
        }
    }
}

/// Makes every checksum right that the file has a place for; `None` if it has no directory that could be read.
pub(crate) fn sign(bytes: &mut [u8]) -> Option<()> {
    let length = bytes.len() as u64;
    let number = |bytes: &[u8], at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let at = number(bytes, 40)?;
    let directory_place = place(at, number(bytes, 48)?)?;
    let directory: serde_json::Value = serde_json::from_slice(bytes.get(directory_place.clone())?).ok()?;
    for segment in directory.get("segments")?.as_array()? {
        let part = |name: &str| {
            let part = segment.get(name)?;
            place(part.get("offset")?.as_u64()?, part.get("length")?.as_u64()?)
        };
        if let (Some(hot), Some(pages)) = (part("hot"), part("pages")) {
            sign_pages(bytes, hot, pages);
        }
        if let Some(blocks) = part("blocks") {
            sign_blocks(bytes, blocks);
        }
    }
    bytes.get_mut(32..40)?.copy_from_slice(&length.to_le_bytes());
    let sum = sum(bytes.get(..56)?) ^ sum(bytes.get(directory_place)?).rotate_left(1);
    bytes.get_mut(56..64)?.copy_from_slice(&sum.to_le_bytes());
    Some(())
}

pub(crate) fn place(offset: u64, length: u64) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    Some(start..start.checked_add(usize::try_from(length).ok()?)?)
}

fn sign_pages(bytes: &mut [u8], hot: Range<usize>, pages: Range<usize>) {
    let Some(packages) = bytes.get(hot) else { return };
    let sums: Vec<u8> = packages.chunks(16 * 1024).flat_map(|page| sum(page).to_le_bytes()).collect();
    if let Some(there) = bytes.get_mut(pages).filter(|there| there.len() == sums.len()) {
        there.copy_from_slice(&sums);
    }
}

/// An entry is offset, packed length, length and checksum.
fn sign_blocks(bytes: &mut [u8], blocks: Range<usize>) {
    for at in blocks.step_by(24) {
        let Some(entry) = bytes.get(at..at + 24) else { return };
        let offset = u64::from_le_bytes(entry[..8].try_into().expect("eight bytes"));
        let packed = u32::from_le_bytes(entry[8..12].try_into().expect("four bytes"));
        let length = u32::from_le_bytes(entry[12..16].try_into().expect("four bytes"));
        let Some(block) = place(offset, packed.into()).and_then(|place| bytes.get(place)) else { continue };
        let signed = sum(block) ^ u64::from(length).rotate_left(17);
        bytes[at + 16..at + 24].copy_from_slice(&signed.to_le_bytes());
    }
}

/// The file's checksum, written down a second time so that a change of it is noticed.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    rapidhash_v3_seeded(bytes, &RapidSecrets::seed(0x4149_5641))
}
