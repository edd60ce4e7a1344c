//! The door that every file goes through: bytes become text, or a clear reason why they are none.
//!
//! A byte order mark is taken off, UTF-16 with its mark is converted (PowerShell writes requirements.txt so), and so is XML
//! that declares one of the old encodings of western Europe. Bytes that are not text, and files in the middle of a merge, are turned away: reading half of a conflict would name packages
//! that nobody has installed. So are files with more entries than memory should be spent on.

use std::borrow::Cow;

use super::reading::Fault;

/// Line ends, colons and commas together: ten times what the largest lockfile of a real project has. Each of them may become an
/// entry of some hundred bytes, so this bounds the memory that a small but dense file can ask for.
const MOST_MARKS: usize = 3_000_000;

/// The text of a file, or why there is none.
pub(crate) fn open(bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
    let text = text(bytes)?;
    if let Some(line) = conflict(&text) {
        let message = "merge conflict markers: resolve the conflict, then scan again";
        return Err(Fault::new(line, message));
    }
    Ok(text)
}

/// The same, be there a merge conflict or not.
pub(crate) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
    let text = decode(bytes)?;
    if text.len() > MOST_MARKS && memchr::memchr3_iter(b'\n', b':', b',', text.as_bytes()).nth(MOST_MARKS).is_some() {
        return Err(Fault::new(0, "more entries than any project has (over three million): not read"));
    }
    if let Some(at) = memchr::memchr(0, text.as_bytes()) {
        return Err(Fault::new(line_of(text.as_bytes(), at), "a NUL byte: this is binary data, not a text file"));
    }
    Ok(text)
}

fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        _ => utf8(bytes).or_else(|fault| western(bytes).map(Cow::Owned).ok_or(fault)),
    }
}

/// What windows-1252 has where Latin-1 has control signs.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text of XML that says that it is in Latin-1 or windows-1252; nothing if it says anything else. Line breaks stay where they are.
pub(crate) fn western(bytes: &[u8]) -> Option<String> {
    let windows = match encoding(bytes)?.as_str() {
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "us-ascii" | "ascii" => false,
        "windows-1252" | "cp1252" => true,
        _ => return None,
    };
    let char_of = |byte: &u8| match usize::from(*byte).checked_sub(0x80).and_then(|at| WINDOWS.get(at)) {
        Some(char) if windows => *char,
        _ => char::from(*byte), // Latin-1 is the beginning of Unicode.
    };
    Some(bytes.iter().map(char_of).collect())
}

/// The encoding that an XML declaration names, in small letters.
fn encoding(bytes: &[u8]) -> Option<String> {
    const LONGEST: usize = 256;
    let declaration = bytes.get(..bytes.len().min(LONGEST))?.strip_prefix(b"<?xml")?;
    let declaration = declaration.get(..memchr::memmem::find(declaration, b"?>")?)?;
    let (_, value) = std::str::from_utf8(declaration).ok()?.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (name, _) = value.get(1..)?.split_once(quote)?;
    Some(name.trim().to_ascii_lowercase())
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
        let line = line_of(bytes, error.valid_up_to());
        Fault::new(line, "not UTF-8 text: the file is binary or saved in another encoding")
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, Fault> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    match text {
        Ok(text) if bytes.len().is_multiple_of(2) => Ok(Cow::Owned(text)),
        _ => Err(Fault::new(1, "marked as UTF-16, but it is not: save the file as UTF-8")),
    }
}

fn line_of(bytes: &[u8], at: usize) -> u32 {
    let lines = memchr::memchr_iter(b'\n', bytes.get(..at).unwrap_or(bytes)).count();
    u32::try_from(lines + 1).unwrap_or(u32::MAX)
}

/// The line of the first merge conflict marker.
fn conflict(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    let begins = |at: &usize| *at == 0 || bytes.get(at - 1) == Some(&b'\n');
    memchr::memmem::find_iter(bytes, b"<<<<<<< ").find(begins).map(|at| line_of(bytes, at))
}

/// Whether a file that a tool always ends with a line break lacks it, so that its last line may be half a line.
pub(crate) fn is_cut(text: &str) -> bool {
    !text.is_empty() && !text.ends_with('\n')
}

/// What is said of such a file.
pub(crate) const CUT: &str = "the file does not end with a line break: it may have been cut off";

/// Whether a file ends with a key that has neither value nor children, as no tool leaves it.
pub(crate) fn ends_open(text: &str) -> bool {
    text.trim_end().ends_with(':')
}

/// What is said of such a file.
pub(crate) const OPEN: &str = "the file ends with a key without its value: it was cut off";

/// Whether a file ends with the header of a table of TOML in which nothing stands, as no tool leaves it.
pub(crate) fn ends_with_header(text: &str) -> bool {
    let last = text.trim_end().rsplit('\n').next().unwrap_or_default();
    last.starts_with('[') && last.ends_with(']')
}

/// What is said of such a file.
pub(crate) const EMPTY_TABLE: &str =
    "the file ends with the header of a table and nothing in it: it may have been cut off";

/// What is said where the last entry lacks what all others have, or what its tool always writes.
pub(crate) fn short(name: &str, what: &str) -> String {
    format!("{name:?} is the last in the file and has no {what}: the file may have been cut off")
}

/// How many lines there are, for a message about the end of the file.
pub(crate) fn last_line(text: &str) -> u32 {
    line_of(text.as_bytes(), text.trim_end_matches(['\n', '\r']).len())
}
