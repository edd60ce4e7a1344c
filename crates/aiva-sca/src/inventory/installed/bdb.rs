//! RPM's database as a Berkeley DB hash (`Packages`; `dbinc/db_page.h`): what rpm before 4.16 wrote, as in RHEL 8 and CentOS 7.
//!
//! Every page is looked at once, in the order of the file; a header that did not fit into its page is a chain of overflow pages,
//! each of which belongs to one header. In the byte order of the machine that wrote it.

use super::sqlite::NotRead;

const HASH: u32 = 0x0006_1561;
const HEADER: usize = 26;
/// Kinds of pages and of items on them.
const HASH_PAGE: u8 = 13;
const OLD_HASH_PAGE: u8 = 2;
const OVERFLOW_PAGE: u8 = 7;
const IN_PLACE: u8 = 1;
const ELSEWHERE: u8 = 3;
/// What is shorter is no header: rpm keeps its own counter as the value of key 0.
const SHORTEST: usize = 16;

/// Whether a file begins like one.
pub(super) fn is_hash(bytes: &[u8]) -> bool {
    File::open(bytes).is_some()
}

/// Hands over the header of each package; `None` for one that is damaged.
pub(super) fn each(bytes: &[u8], take: &mut dyn FnMut(Option<&[u8]>)) -> Result<(), NotRead> {
    let mut file = File::open(bytes).ok_or(NotRead("not a Berkeley DB hash"))?;
    if !(512..=65_536).contains(&file.page) || !file.page.is_power_of_two() {
        return Err(NotRead("its page size is wrong"));
    }
    let last = file.long(bytes, 32).ok_or(NotRead("it ends within its header"))? as usize;
    if last.checked_add(1).and_then(|pages| pages.checked_mul(file.page)).is_none_or(|length| bytes.len() < length) {
        return Err(NotRead("it is shorter than it says: it was cut off"));
    }
    file.used = vec![false; last + 1];
    for page in 1..=last {
        let bytes = file.page(page).ok_or(NotRead("a page lies outside the file"))?;
        if matches!(bytes.get(25), Some(&HASH_PAGE | &OLD_HASH_PAGE)) {
            file.items(bytes, take).ok_or(NotRead("a page is damaged"))?;
        }
    }
    Ok(())
}

struct File<'b> {
    bytes: &'b [u8],
    is_little: bool,
    page: usize,
    /// The overflow pages that belong to a header already.
    used: Vec<bool>,
}

impl<'b> File<'b> {
    fn open(bytes: &'b [u8]) -> Option<Self> {
        let magic: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
        let is_little = u32::from_le_bytes(magic) == HASH;
        if !is_little && u32::from_be_bytes(magic) != HASH {
            return None;
        }
        let mut file = Self { bytes, is_little, page: 0, used: Vec::new() };
        file.page = file.long(bytes, 20)? as usize;
        Some(file)
    }

    fn long(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn short(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if self.is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }.into())
    }

    fn page(&self, number: usize) -> Option<&'b [u8]> {
        let start = number.checked_mul(self.page)?;
        self.bytes.get(start..start.checked_add(self.page)?)
    }

    /// The values of a page: keys and values take turns, the first at the page's end.
    fn items(&mut self, page: &'b [u8], take: &mut dyn FnMut(Option<&[u8]>)) -> Option<()> {
        let count = self.short(page, 20)?;
        for value in (1..count).step_by(2) {
            let start = self.short(page, HEADER + value * 2)?;
            let end = self.short(page, HEADER + (value - 1) * 2)?;
            match *page.get(start)? {
                ELSEWHERE => {
                    let (first, length) = (self.long(page, start + 4)?, self.long(page, start + 8)?);
                    let header = self.chain(first as usize, length as usize);
                    take(header.as_deref());
                }
                IN_PLACE => {
                    let item = page.get(start + 1..end)?;
                    if item.len() >= SHORTEST {
                        take(Some(item));
                    }
                }
                _ => take(None),
            }
        }
        Some(())
    }

    /// What a chain of overflow pages holds.
    fn chain(&mut self, first: usize, length: usize) -> Option<Vec<u8>> {
        if length > self.bytes.len() {
            return None;
        }
        let mut header = Vec::with_capacity(length);
        let mut next = first;
        while header.len() < length {
            if std::mem::replace(self.used.get_mut(next)?, true) {
                return None;
            }
            let page = self.page(next).filter(|page| page.get(25) == Some(&OVERFLOW_PAGE))?;
            let here = (length - header.len()).min(self.page - HEADER).min(self.short(page, 22)?);
            if here == 0 {
                return None;
            }
            header.extend_from_slice(page.get(HEADER..HEADER + here)?);
            next = self.long(page, 16)? as usize;
        }
        Some(header)
    }
}
