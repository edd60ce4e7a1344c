//! A delta beside its base: the bytes are what has changed since an index that is known.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aiva_sca::advisory::{self, Change, Fold, Index};
use aiva_sca::package::Ecosystem;
use aiva_sca::version::Version;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::advisories::{place, sign, sum};

/// The base, which is whole.
const BASE: &[u8] = include_bytes!("../corpus/index/samples");

/// Opens the bytes as a delta of the base: as they are, and with every checksum made right and the base named, so that what lies
/// behind them is met.
pub(crate) fn check(bytes: &[u8]) {
    ask(bytes);
    if let Some(signed) = signed(bytes) {
        ask(&signed);
    }
}

fn ask(delta: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("a file in it");
    write("advisories.index", BASE);
    write("advisories.delta", delta);
    let Ok(index) = Index::open(folder.path()) else { return };
    answers(&index);
    drop(index);
    change(folder.path());
    let is_folded = advisory::fold(folder.path(), Fold::Always);
    // What says that it was put together is one index again, and whole.
    if matches!(is_folded, Ok(true)) {
        let folded = Index::open(folder.path()).expect("what was folded can be opened");
        folded.verify().expect("and is whole");
        answers(&folded);
    }
}

/// Whatever they are.
fn answers(index: &Index) {
    let _ = (index.verify(), index.status(Timestamp::UNIX_EPOCH), index.changed_since(0), index.changed_since(1));
    for (ecosystem, name, version) in [
        (Ecosystem::CratesIo, "aliased", "0.3.1"),
        (Ecosystem::CratesIo, "changed", "1.0.0"),
        (Ecosystem::CratesIo, "two-ranges", "2.0.0"),
        (Ecosystem::Npm, "evil", "1.0.0"),
    ] {
        let Ok(Some(entry)) = index.entry(ecosystem, name) else { continue };
        let parsed = Version::parse(ecosystem, version);
        for advisory in entry.advisories() {
            let _ = (advisory.affects(version, parsed.as_ref()), advisory.details());
        }
    }
}

/// Changes a record that the delta of the samples has, and one that it has not.
fn change(folder: &Path) {
    let record = json!({
        "id": "RUSTSEC-2026-0002",
        "modified": "2026-01-01T00:00:00Z",
        "affected": [{"package": {"ecosystem": "crates.io", "name": "changed"}, "versions": ["1.0.0"]}],
    });
    let change = |id: &str, record| Change { id: id.to_owned(), modified: Timestamp::UNIX_EPOCH, record };
    let text = serde_json::to_vec(&record).expect("a record is plain data");
    let changes = vec![change("RUSTSEC-2026-0002", Some(text)), change("RUSTSEC-2026-0001", None)];
    let _ = advisory::amend(folder, &BTreeMap::from([(Ecosystem::CratesIo, changes)]), &[], Timestamp::UNIX_EPOCH);
}

/// The bytes with their directory written anew behind them: it names the base, and every checksum in it is right. `None` if they
/// have no directory that could be read.
fn signed(bytes: &[u8]) -> Option<Vec<u8>> {
    let number = |bytes: &[u8], at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let there = place(number(bytes, 40)?, number(bytes, 48)?)?;
    let mut directory: Value = serde_json::from_slice(bytes.get(there)?).ok()?;
    *directory.get_mut("base")? = json!({"epoch": number(BASE, 16)?, "sum": number(BASE, 56)?});
    for segment in directory.get_mut("segments")?.as_array_mut()? {
        for way in ["/ids", "/over/spots", "/over/names"] {
            if let Some(part) = segment.pointer_mut(way) {
                seal(bytes, part);
            }
        }
    }
    let directory = serde_json::to_vec(&directory).ok()?;
    let mut signed = bytes.to_vec();
    signed.extend_from_slice(&directory);
    signed.get_mut(40..48)?.copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    signed.get_mut(48..56)?.copy_from_slice(&(directory.len() as u64).to_le_bytes());
    sign(&mut signed)?;
    Some(signed)
}

/// Makes the checksum of a part right, if it lies within the file.
fn seal(bytes: &[u8], part: &mut Value) {
    let number = |way: &str| part.pointer(way).and_then(Value::as_u64);
    let there = number("/place/offset").zip(number("/place/length"));
    let there = there.and_then(|(offset, length)| bytes.get(place(offset, length)?));
    if let (Some(there), Some(fields)) = (there, part.as_object_mut()) {
        fields.insert("sum".to_owned(), json!(sum(there)));
    }
}
