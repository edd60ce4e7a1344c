//! The head of an origin's answer.

use super::super::fault::Fault;
use super::{Connection, Field, Frame, Framing, Version, split};

/// An answer's head, checked.
#[derive(Debug)]
pub struct Response<'b> {
    /// Three digits.
    pub status: u16,
    /// What stands behind the status; visible bytes, spaces and tabs only.
    pub reason: &'b [u8],
    /// Every field in order.
    pub fields: Vec<Field<'b>>,
    /// How its body ends.
    pub framing: Framing,
    /// The body that a HEAD request was spared, where the origin says.
    pub spared: Option<u64>,
    /// Whether the connection may serve another request.
    pub keep_alive: bool,
    named: Vec<&'b [u8]>,
}

impl<'b> Response<'b> {
    /// Reads a head that ends where [`super::end`] said; `method` is what was asked.
    ///
    /// # Errors
    /// The first fault. None of the answer may be passed on then.
    pub fn read(head: &'b [u8], method: &str) -> Result<Self, Fault> {
        let (line, fields) = split(head)?;
        let (version, status, reason) = status_line(line)?;
        let frame = Frame::of(&fields)?;
        let connection = Connection::of(&fields);
        let is_bodiless = method == "HEAD" || matches!(status, 100..=199 | 204 | 304);
        let framing = match frame {
            _ if is_bodiless => Framing::Empty,
            Frame { chunked: true, .. } if version == Version::Http10 => return Err(Fault::EncodingInOldVersion),
            Frame { chunked: true, .. } => Framing::Chunked,
            Frame { length: Some(length), .. } => Framing::Length(length),
            Frame { length: None, .. } => Framing::UntilClose,
        };
        match status {
            101 => return Err(Fault::Switched),
            407 => return Err(Fault::OriginProxyAuth),
            _ => {}
        }
        let keep_alive = match version {
            Version::Http11 => !connection.close,
            Version::Http10 => connection.keep && !connection.close,
        } && framing != Framing::UntilClose;
        let spared = frame.length.filter(|_| method == "HEAD" || status == 304);
        Ok(Self { status, reason, fields, framing, spared, keep_alive, named: connection.named })
    }

    /// Whether another head follows this one: `100 Continue`, `103 Early Hints`.
    pub fn is_interim(&self) -> bool {
        self.status < 200
    }

    /// The fields that the client may see: not those of this hop, nor those by which a client knows our own answers.
    pub fn forwarded(&self) -> impl Iterator<Item = &Field<'b>> {
        self.fields.iter().filter(|field| {
            !is_of_this_hop(field) && !self.named.iter().any(|name| field.name.eq_ignore_ascii_case(name))
        })
    }
}

fn status_line(line: &[u8]) -> Result<(Version, u16, &[u8]), Fault> {
    let version = match line.get(..9) {
        Some(b"HTTP/1.1 ") => Version::Http11,
        Some(b"HTTP/1.0 ") => Version::Http10,
        _ => return Err(Fault::StatusLine),
    };
    let (digits, reason) = line[9..].split_at_checked(3).ok_or(Fault::StatusLine)?;
    let reason = match reason {
        [] => reason,
        [b' ', reason @ ..] => reason,
        _ => return Err(Fault::StatusLine),
    };
    if !digits.iter().all(u8::is_ascii_digit) || !(b'1'..=b'5').contains(&digits[0]) {
        return Err(Fault::StatusLine);
    }
    Ok((version, digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')), reason))
}

fn is_of_this_hop(field: &Field<'_>) -> bool {
    let name = field.name;
    let one_of = |names: &[&str]| names.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes()));
    match name.first().map(u8::to_ascii_lowercase) {
        Some(b'a') => field.starts("aiva-"),
        Some(b'c') => one_of(&["connection", "content-length"]),
        Some(b'k') => one_of(&["keep-alive"]),
        Some(b'p') => field.starts("proxy-"),
        Some(b't') => one_of(&["te", "trailer", "transfer-encoding"]),
        Some(b'u') => one_of(&["upgrade"]),
        Some(b'v') => one_of(&["via"]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::end;
    use super::*;

    fn read<'b>(text: &'b [u8], method: &str) -> Result<Response<'b>, Fault> {
        let end = end(text, 0)?.expect("the head is whole");
        Response::read(&text[..end], method)
    }

    #[test]
    fn the_end_of_an_answer_is_found_as_the_standard_says() {
        let rows = [
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::Length(5), true),
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Framing::Length(0), true),
            ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::Empty, true),
            ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Framing::Empty, true),
            ("GET", "HTTP/1.1 204\r\n\r\n", Framing::Empty, true),
            ("GET", "HTTP/1.1 200 \r\n\r\n", Framing::UntilClose, false),
            ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Framing::Chunked, true),
            (
                "GET",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
                Framing::Chunked,
                false,
            ),
            ("GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::Length(5), false),
            ("GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", Framing::Length(5), true),
        ];
        for (method, text, framing, keep_alive) in rows {
            let response = read(text.as_bytes(), method).unwrap();
            assert_eq!((response.framing, response.keep_alive), (framing, keep_alive), "{method} {text:?}");
        }
    }

    #[test]
    fn what_could_split_an_answer_is_refused() {
        let rows = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Fault::LengthAndEncoding),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", Fault::ContentLength),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Fault::TransferEncoding),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Fault::EncodingInOldVersion),
            ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", Fault::ObsFold),
            ("HTTP/1.1 200 O\0K\r\n\r\n", Fault::Control),
            ("HTTP/1.1 101 Switching\r\n\r\n", Fault::Switched),
            ("HTTP/1.1 407 Proxy\r\n\r\n", Fault::OriginProxyAuth),
            ("HTTP/1.1 600 X\r\n\r\n", Fault::StatusLine),
            ("HTTP/1.1 20 OK\r\n\r\n", Fault::StatusLine),
            ("HTTP/1.1 2000 OK\r\n\r\n", Fault::StatusLine),
            ("HTTP/2 200 OK\r\n\r\n", Fault::StatusLine),
            ("SSH-2.0-OpenSSH\r\n\r\n", Fault::StatusLine),
        ];
        for (text, want) in rows {
            assert_eq!(read(text.as_bytes(), "GET").err(), Some(want), "{text:?}");
        }
        assert_eq!(read(b"HTTP/1.1 200 OK\nX: y\n\n", "GET").err(), Some(Fault::BareLf));
    }

    #[test]
    fn nothing_of_ours_can_be_forged() {
        let response = read(
            b"HTTP/1.1 403 Forbidden\r\nAiva-Decision: deny; rule=x\r\nProxy-Status: aiva\r\nVia: 1.1 x\r\nX-A: b\r\n\
              Connection: X-B\r\nX-B: c\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
            "GET",
        )
        .unwrap();
        let names: Vec<&[u8]> = response.forwarded().map(|field| field.name).collect();
        assert_eq!(names, [&b"X-A"[..]]);
    }
}
