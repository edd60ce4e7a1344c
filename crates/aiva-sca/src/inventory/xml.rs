//! XML as manifests use it, told element by element with its line: nothing is built, no entity but XML's own is expanded.
//!
//! A document that was cut ends in a fault, because its root is not closed. Start reading at [`tell`].

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::reading::{Fault, quote};

/// How deep elements may be nested.
const DEEPEST: usize = 64;

/// The most bytes of text that one element may have: a version or a name, not a book.
const LONGEST: usize = 64 * 1024;

/// What is told about a document; the path ends in the element itself, names without their prefix.
pub(crate) trait Visit {
    /// An element begins; its attributes as `(name, value)`.
    fn open(&mut self, _path: &[String], _attributes: &[(String, String)], _line: u32) {}
    /// An element ends; the text that stands in it, trimmed, and the line on which it began.
    fn close(&mut self, path: &[String], text: &str, line: u32);
}

struct Open {
    text: String,
    line: u32,
}

/// Tells a document to a visitor.
pub(crate) fn tell(text: &str, visitor: &mut impl Visit) -> Result<(), Fault> {
    let mut reader = Reader::from_str(text);
    let mut lines = Lines { bytes: text.as_bytes(), at: 0, line: 1 };
    let (mut path, mut open): (Vec<String>, Vec<Open>) = (Vec::new(), Vec::new());
    let mut has_root = false;
    loop {
        let line = lines.at(reader.buffer_position());
        let event = reader.read_event().map_err(|error| Fault::new(line, format!("not XML: {error}")))?;
        match event {
            Event::Start(start) => {
                // The event begins where the text before it ended, so its own line is that of its `<`.
                enter(&start, line, visitor, &mut path)?;
                open.push(Open { text: String::new(), line });
                has_root = true;
            }
            Event::Empty(start) => {
                enter(&start, line, visitor, &mut path)?;
                visitor.close(&path, "", line);
                path.pop();
                has_root = true;
            }
            Event::End(_) => {
                if let Some(ended) = open.pop() {
                    visitor.close(&path, ended.text.trim(), ended.line);
                }
                path.pop();
            }
            Event::Text(more) => add(&mut open, &more.xml_content(XmlVersion::Explicit1_0), line)?,
            Event::CData(more) => add(&mut open, &more.xml_content(XmlVersion::Explicit1_0), line)?,
            Event::GeneralRef(entity) => {
                let known = match &*entity {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => entity.resolve_char_ref().ok().flatten(),
                };
                match known {
                    Some(char) => add(&mut open, char.encode_utf8(&mut [0; 4]), line)?,
                    None => return Err(Fault::new(line, format!("the entity {} is not XML's own", quote(&entity)))),
                }
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    match (open.last(), has_root) {
        (Some(unclosed), _) => {
            let name = path.last().map_or("", String::as_str);
            Err(Fault::new(unclosed.line, format!("<{name}> is not closed: the file may have been cut off")))
        }
        (None, false) => Err(Fault::new(1, "not XML: there is no element")),
        (None, true) => Ok(()),
    }
}

fn enter(start: &BytesStart<'_>, line: u32, visitor: &mut impl Visit, path: &mut Vec<String>) -> Result<(), Fault> {
    if path.len() >= DEEPEST {
        return Err(Fault::new(line, "nested too deeply"));
    }
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| Fault::new(line, format!("not XML: {error}")))?;
        let value = attribute.normalized_value(XmlVersion::Explicit1_0);
        let value = value.map_err(|error| Fault::new(line, format!("not XML: {error}")))?;
        attributes.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
    }
    path.push(start.local_name().as_ref().to_owned());
    visitor.open(path, &attributes, line);
    Ok(())
}

fn add(open: &mut [Open], more: &str, line: u32) -> Result<(), Fault> {
    let Some(last) = open.last_mut() else { return Ok(()) };
    if last.text.len() + more.len() > LONGEST {
        return Err(Fault::new(line, "an element with more text than any manifest has"));
    }
    last.text.push_str(more);
    Ok(())
}

/// Counts lines as the reader goes on.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

impl Lines<'_> {
    fn at(&mut self, position: u64) -> u32 {
        let to = usize::try_from(position).unwrap_or(usize::MAX).min(self.bytes.len());
        let passed = self.bytes.get(self.at..to).unwrap_or_default();
        let lines = memchr::memchr_iter(b'\n', passed).count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.at = self.at.max(to);
        self.line
    }
}

/// The value of an attribute, whatever the case of its name.
pub(crate) fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
