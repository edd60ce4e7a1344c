//! Just enough of SQLite's file format (sqlite.org, "Database File Format") to read one table's last column of bytes.
//!
//! Read from memory, so that the same code serves a folder and a layer of an image, and nothing a hostile file says is executed.
//! Every page is used at most once, which bounds the work by the file's own length; whatever contradicts that is a fault.

/// Why a file could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotRead(pub(super) &'static str);

/// How the file begins.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";
/// Deeper than any table that fits into a file.
const DEEPEST: u32 = 20;

/// A database in memory.
pub(super) struct File<'b> {
    bytes: &'b [u8],
    page: usize,
    /// What of a page holds content.
    usable: usize,
    used: Vec<bool>,
}

impl<'b> File<'b> {
    pub(super) fn open(bytes: &'b [u8]) -> Result<Self, NotRead> {
        let header =
            bytes.get(..100).filter(|header| header.starts_with(MAGIC)).ok_or(NotRead("not an SQLite file"))?;
        let page = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size if size >= 512 && size.is_power_of_two() => usize::from(size),
            _ => return Err(NotRead("its page size is wrong")),
        };
        let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]) as usize;
        if bytes.len() < pages.saturating_mul(page) || !bytes.len().is_multiple_of(page) {
            return Err(NotRead("it is shorter than it says: it was cut off"));
        }
        let usable = page - usize::from(header[20]);
        if usable < 480 {
            return Err(NotRead("its page size is wrong"));
        }
        Ok(Self { bytes, page, usable, used: vec![false; bytes.len() / page + 1] })
    }

    /// Hands over the last column of each row of a table, as bytes.
    pub(super) fn each(&mut self, table: &str, take: &mut dyn FnMut(&[u8])) -> Result<(), NotRead> {
        let mut root = None;
        self.walk(1, 0, &mut |row| {
            let columns = columns(row)?;
            let is_text = |at: usize, want: &str| columns.get(at).is_some_and(|column| *column == want.as_bytes());
            if is_text(0, "table") && is_text(1, table) {
                let page = columns.get(3).copied().unwrap_or_default();
                root = Some(page.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)));
            }
            Ok(())
        })?;
        let root = root.ok_or(NotRead("it has no table of packages"))?;
        self.walk(root, 0, &mut |row| {
            take(columns(row)?.last().copied().ok_or(NotRead("a row is empty"))?);
            Ok(())
        })
    }

    fn use_page(&mut self, number: u64) -> Result<&'b [u8], NotRead> {
        let number =
            usize::try_from(number).ok().filter(|number| *number > 0).ok_or(NotRead("a page has no number"))?;
        let used = self.used.get_mut(number).ok_or(NotRead("a page lies outside the file"))?;
        if std::mem::replace(used, true) {
            return Err(NotRead("a page is used twice"));
        }
        let start = (number - 1) * self.page;
        self.bytes.get(start..start + self.page).ok_or(NotRead("a page lies outside the file"))
    }

    /// Visits each row of the tree below a page.
    fn walk(
        &mut self,
        page: u64,
        depth: u32,
        row: &mut dyn FnMut(&[u8]) -> Result<(), NotRead>,
    ) -> Result<(), NotRead> {
        if depth > DEEPEST {
            return Err(NotRead("its tree is too deep"));
        }
        let bytes = self.use_page(page)?;
        let cut = NotRead("a page is damaged");
        let header = if page == 1 { 100 } else { 0 };
        let number = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]) as usize);
        let long = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let cells = number(header + 3).ok_or(cut)?;
        match bytes.get(header) {
            Some(0x05) => {
                for cell in 0..cells {
                    let at = number(header + 12 + cell * 2).ok_or(cut)?;
                    self.walk(long(at).ok_or(cut)?.into(), depth + 1, row)?;
                }
                self.walk(long(header + 8).ok_or(cut)?.into(), depth + 1, row)
            }
            Some(0x0D) => {
                for cell in 0..cells {
                    let at = number(header + 8 + cell * 2).ok_or(cut)?;
                    let mut rest = bytes.get(at..self.usable).ok_or(cut)?;
                    let length = usize::try_from(varint(&mut rest).ok_or(cut)?).map_err(|_| cut)?;
                    varint(&mut rest).ok_or(cut)?;
                    if length > self.bytes.len() {
                        return Err(cut);
                    }
                    row(&self.payload(rest, length)?)?;
                }
                Ok(())
            }
            _ => Err(NotRead("a page is of an unknown kind")),
        }
    }

    /// A row's bytes, with what did not fit on its page.
    fn payload(&mut self, local: &[u8], length: usize) -> Result<Vec<u8>, NotRead> {
        let cut = NotRead("a row is damaged");
        let most = self.usable - 35;
        if length <= most {
            return local.get(..length).map(<[u8]>::to_vec).ok_or(cut);
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let fitting = least + (length - least) % (self.usable - 4);
        let here = if fitting <= most { fitting } else { least };
        let mut row = local.get(..here).ok_or(cut)?.to_vec();
        let next = |bytes: &[u8]| Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?));
        let mut page = next(local.get(here..).ok_or(cut)?).ok_or(cut)?;
        while row.len() < length {
            let bytes = self.use_page(page.into())?;
            let wanted = (length - row.len()).min(self.usable - 4);
            row.extend_from_slice(bytes.get(4..4 + wanted).ok_or(cut)?);
            page = next(bytes).ok_or(cut)?;
        }
        Ok(row)
    }
}

/// The columns of a row ("Record Format"); integers as their big-endian bytes, constants as none.
fn columns(row: &[u8]) -> Result<Vec<&[u8]>, NotRead> {
    let cut = NotRead("a row is damaged");
    let mut rest = row;
    let length = usize::try_from(varint(&mut rest).ok_or(cut)?).map_err(|_| cut)?;
    let header = row.get(row.len() - rest.len()..length).ok_or(cut)?;
    let mut body = row.get(length..).ok_or(cut)?;
    let mut header = header;
    let mut columns = Vec::new();
    while !header.is_empty() {
        let kind = varint(&mut header).ok_or(cut)?;
        let size = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return Err(cut),
            _ => (kind - 12) / 2,
        };
        let (column, after) = usize::try_from(size).ok().and_then(|size| body.split_at_checked(size)).ok_or(cut)?;
        columns.push(column);
        body = after;
    }
    Ok(columns)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for place in 0..9 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if place == 8 {
            return Some(number << 8 | u64::from(*byte));
        }
        number = number << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
