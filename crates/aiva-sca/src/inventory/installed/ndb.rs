//! RPM's database in the form of SUSE (`Packages.db`; rpm's `lib/backend/ndb/rpmpkg.c`): slots that point at blobs.
//!
//! Little-endian. Each blob says its own length and which package it is of; one that contradicts its slot is damaged.

use super::sqlite::NotRead;

/// How the file begins.
pub(super) const MAGIC: &[u8] = b"RpmP";
const SLOT: &[u8] = b"Slot";
const BLOB: &[u8] = b"BlbS";
const PAGE: usize = 4096;
/// Slots, and the unit in which blobs are placed.
const UNIT: usize = 16;

/// Hands over the header of each package; `None` for one that is damaged.
pub(super) fn each(bytes: &[u8], take: &mut dyn FnMut(Option<&[u8]>)) -> Result<(), NotRead> {
    let pages = number(bytes, 12).ok_or(NotRead("it ends within its header"))?;
    let slots = pages.checked_mul(PAGE).and_then(|length| bytes.get(..length));
    let slots = slots.ok_or(NotRead("it is shorter than it says: it was cut off"))?;
    // The file's own header takes the place of two slots.
    for slot in slots.chunks_exact(UNIT).skip(2) {
        if !slot.starts_with(SLOT) {
            return Err(NotRead("a slot is damaged"));
        }
        let (package, place) = (number(slot, 4), number(slot, 8));
        if package == Some(0) {
            continue; // Free.
        }
        let blob = place.and_then(|place| bytes.get(place.checked_mul(UNIT)?..));
        let header = blob.filter(|blob| blob.starts_with(BLOB) && number(blob, 4) == package);
        take(header.and_then(|blob| blob.get(UNIT..UNIT.checked_add(number(blob, 12)?)?)));
    }
    Ok(())
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}
