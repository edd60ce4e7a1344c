//! Reads the head of a request or of an answer, strictly, and says where it ends.
//!
//! Promises: what is accepted is read alike by every other reader of HTTP/1 (held against `httparse` in tests), so nothing
//! can be smuggled past; what is refused has a [`Fault`] of its own; each byte is looked at a fixed number of times however
//! slowly it arrives. Pure: the caller brings the bytes.
//!
//! Start reading at [`end`], then [`Request::read`] and [`Response::read`].

use super::fault::Fault;

mod request;
mod response;

pub use request::{Form, Request};
pub use response::Response;

/// The longest head that is read, in bytes.
pub const MOST_BYTES: usize = 64 * 1024;

/// The most fields that are read.
pub const MOST_FIELDS: usize = 100;

/// Fields of a request that say who asks. They are never sent twice: another reader might believe the other one.
pub const IDENTIFYING: [&str; 2] = ["proxy-authorization", "aiva-decision-token"];

/// Which version of HTTP a message speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Closes after each exchange.
    Http10,
    /// Keeps the connection.
    Http11,
}

/// How the end of a body is found (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// So many bytes.
    Length(u64),
    /// Chunks up to an empty one.
    Chunked,
    /// All until the connection closes; only in answers.
    UntilClose,
}

impl Framing {
    /// Whether no byte of a body will come.
    pub fn is_empty(self) -> bool {
        matches!(self, Self::Empty | Self::Length(0))
    }
}

/// One field, as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'b> {
    /// A token.
    pub name: &'b [u8],
    /// Without surrounding white space; visible bytes, spaces and tabs only.
    pub value: &'b [u8],
}

impl Field<'_> {
    /// Whether it has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// Whether its name starts so.
    pub fn starts(&self, prefix: &str) -> bool {
        self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    }
}

/// Where the head ends, once all of it is there. `seen` is how many bytes an earlier call has looked at.
///
/// # Errors
/// As soon as the bytes can no longer become a head, not only at its end.
pub fn end(bytes: &[u8], seen: usize) -> Result<Option<usize>, Fault> {
    if bytes.first() == Some(&0x16) {
        return Err(Fault::Tls);
    }
    // Step back over a CR whose LF had not arrived, or over the CRLF that the empty line may complete.
    let from = seen.saturating_sub(3);
    let mut next = from;
    while let Some(found) = bytes.get(next..).and_then(|rest| memchr::memchr2(b'\r', b'\n', rest)) {
        let at = next + found;
        match (bytes[at], bytes.get(at + 1)) {
            (b'\r', Some(b'\n')) => {
                if at == 0 || bytes[..at].ends_with(b"\r\n") {
                    return if at + 2 <= MOST_BYTES { Ok(Some(at + 2)) } else { Err(Fault::HeadTooLong) };
                }
                next = at + 2;
            }
            (b'\r', None) => break,
            (b'\r', Some(_)) => return Err(Fault::BareCr),
            // The LF of a CR that stands before `from`.
            _ if at > 0 && bytes[at - 1] == b'\r' => next = at + 1,
            _ => return Err(Fault::BareLf),
        }
    }
    if bytes.len() >= MOST_BYTES { Err(Fault::HeadTooLong) } else { Ok(None) }
}

/// The first line, and the fields. `head` ends with the empty line that [`end`] found.
fn split(head: &[u8]) -> Result<(&[u8], Vec<Field<'_>>), Fault> {
    let mut lines = Lines(head);
    let first = lines.next().unwrap_or_default();
    if first.iter().any(|byte| byte.is_ascii_control()) {
        return Err(Fault::Control);
    }
    let mut fields = Vec::with_capacity(16);
    for line in lines {
        if line.is_empty() {
            break;
        }
        if fields.len() == MOST_FIELDS {
            return Err(Fault::TooManyFields);
        }
        fields.push(field(line)?);
    }
    Ok((first, fields))
}

/// Lines without their CRLF. [`end`] has made sure that CR and LF come only together.
struct Lines<'b>(&'b [u8]);

impl<'b> Iterator for Lines<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        let end = memchr::memchr(b'\r', self.0)?;
        let (line, rest) = self.0.split_at(end);
        self.0 = rest.get(2..).unwrap_or_default();
        Some(line)
    }
}

fn field(line: &[u8]) -> Result<Field<'_>, Fault> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Fault::ObsFold);
    }
    let length = line.iter().position(|byte| !is_token(*byte)).unwrap_or(line.len());
    match line.get(length) {
        Some(b':') if length > 0 => {}
        Some(b' ' | b'\t') => return Err(Fault::SpaceBeforeColon),
        Some(byte) if byte.is_ascii_control() => return Err(Fault::Control),
        _ => return Err(Fault::FieldName),
    }
    let (name, value) = line.split_at(length);
    let value = trim(&value[1..]);
    if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(Fault::Control);
    }
    Ok(Field { name, value })
}

/// Without spaces and tabs at both ends (OWS); other white space is not white space here.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = matches!(byte as u8,
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z'
                | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~');
            byte += 1;
        }
        table
    };
    TABLE[usize::from(byte)]
}

/// The members of a comma-separated list, in order, without empty ones.
fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|member| !member.is_empty())
}

/// What the fields say about the body: their one length and their one encoding.
#[derive(Default)]
struct Frame {
    length: Option<u64>,
    chunked: bool,
}

impl Frame {
    fn of(fields: &[Field<'_>]) -> Result<Self, Fault> {
        let mut frame = Self::default();
        for field in fields {
            if field.is("content-length") {
                if frame.length.is_some() {
                    return Err(Fault::ContentLength);
                }
                frame.length = Some(length(field.value)?);
            } else if field.is("transfer-encoding") {
                if frame.chunked || !field.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Fault::TransferEncoding);
                }
                frame.chunked = true;
            }
        }
        if frame.chunked && frame.length.is_some() {
            return Err(Fault::LengthAndEncoding);
        }
        Ok(frame)
    }
}

fn length(value: &[u8]) -> Result<u64, Fault> {
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return Err(Fault::ContentLength);
    }
    Ok(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// What `Connection` and `Proxy-Connection` say.
#[derive(Default)]
struct Connection<'b> {
    close: bool,
    keep: bool,
    named: Vec<&'b [u8]>,
}

impl<'b> Connection<'b> {
    fn of(fields: &[Field<'b>]) -> Self {
        let mut connection = Self::default();
        for field in fields.iter().filter(|field| field.is("connection") || field.is("proxy-connection")) {
            for member in members(field.value) {
                if member.eq_ignore_ascii_case(b"close") {
                    connection.close = true;
                } else if member.eq_ignore_ascii_case(b"keep-alive") {
                    connection.keep = true;
                } else {
                    connection.named.push(member);
                }
            }
        }
        connection
    }

    fn names(&self, field: &Field<'_>) -> bool {
        self.named.iter().any(|name| field.name.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_however_the_bytes_arrive() {
        let bytes = b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\nrest";
        let want = bytes.len() - 4;
        for step in 1..bytes.len() {
            let (mut there, mut seen) = (0, 0);
            let found = loop {
                there = (there + step).min(bytes.len());
                if let Some(found) = end(&bytes[..there], seen).unwrap() {
                    break found;
                }
                seen = there;
            };
            assert_eq!(found, want, "in steps of {step}");
        }
    }

    #[test]
    fn a_lost_cause_is_known_at_once() {
        let rows: &[(&[u8], Fault)] = &[
            (b"GET / HTTP/1.1\n", Fault::BareLf),
            (b"GET / HTTP/1.1\r\nX: a\rb", Fault::BareCr),
            (b"\x16\x03\x01\x02\x00", Fault::Tls),
            (&[b'a'; MOST_BYTES], Fault::HeadTooLong),
        ];
        for (bytes, want) in rows {
            assert_eq!(end(bytes, 0), Err(*want));
        }
        assert_eq!(end(b"GET / HTTP/1.1\r", 0), Ok(None));
        assert_eq!(end(b"", 0), Ok(None));
    }

    #[test]
    fn a_length_is_digits() {
        for (value, want) in [("0", Some(0)), ("0005", Some(5)), ("999999999999999999", Some(999_999_999_999_999_999))]
        {
            assert_eq!(length(value.as_bytes()).ok(), want, "{value}");
        }
        for value in ["", "+5", "-1", "5,5", "5 5", "0x5", "9999999999999999999"] {
            assert_eq!(length(value.as_bytes()), Err(Fault::ContentLength), "{value}");
        }
    }
}
