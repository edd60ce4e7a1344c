//! Follows a body to its end, and leaves of chunked ones only what is canonical.
//!
//! Promises: a byte behind the body is never taken for a part of it; of a chunked body go on the sizes as sent, the data and
//! the empty last chunk, while extensions and trailer fields, which recipients read differently, are dropped in place; a
//! malformed chunk is a [`Fault`] before any byte of it goes on. Pure: works on the buffer that the bytes arrived in.
//!
//! Start reading at [`Body::filter`].

use super::fault::Fault;
use super::head::Framing;

/// The most digits of a chunk's size: no sum of two can overflow.
const MOST_DIGITS: u8 = 15;

/// The longest extension of one chunk.
const MOST_EXTENSION: u16 = 1024;

/// The longest trailer section.
const MOST_TRAILER: u16 = 8 * 1024;

/// Whether the chunks' frames go on, or only what is in them (to a client that speaks HTTP/1.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunks {
    /// Chunked goes on chunked.
    Keep,
    /// Only the data; the connection's end is the body's end.
    Open,
}

/// How far a body has come.
#[derive(Debug)]
pub struct Body {
    state: State,
    chunks: Chunks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Done,
    Length(u64),
    UntilClose,
    Size { digits: u8, value: u64 },
    Extension { length: u16, size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Line { length: u16 },
    Trailer { length: u16 },
    TrailerLf { length: u16 },
    LastLf,
}

/// What of a buffer is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filtered {
    /// So many bytes at the buffer's start belonged to the body.
    pub taken: usize,
    /// So many bytes at the buffer's start are now to go on; at most `taken`.
    pub kept: usize,
}

impl Body {
    /// A body that has not begun.
    pub fn new(framing: Framing, chunks: Chunks) -> Self {
        let state = match framing {
            Framing::Empty | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size { digits: 0, value: 0 },
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, chunks }
    }

    /// Whether all of it has come.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The connection closed.
    ///
    /// # Errors
    /// [`Fault::Truncated`] when more was announced.
    pub fn close(&mut self) -> Result<(), Fault> {
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(Fault::Truncated),
        }
    }

    /// Takes the next bytes; what is to go on stands at the buffer's start afterwards.
    ///
    /// # Errors
    /// When a chunk is malformed. None of the buffer may go on then.
    pub fn filter(&mut self, bytes: &mut [u8]) -> Result<Filtered, Fault> {
        match &mut self.state {
            State::Done => Ok(Filtered { taken: 0, kept: 0 }),
            State::UntilClose => Ok(Filtered { taken: bytes.len(), kept: bytes.len() }),
            State::Length(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= taken as u64;
                if *left == 0 {
                    self.state = State::Done;
                }
                Ok(Filtered { taken, kept: taken })
            }
            _ => self.unchunk(bytes),
        }
    }

    fn unchunk(&mut self, bytes: &mut [u8]) -> Result<Filtered, Fault> {
        let keep_frames = self.chunks == Chunks::Keep;
        let (mut at, mut kept) = (0, 0);
        while at < bytes.len() && self.state != State::Done {
            if let State::Data { left } = &mut self.state {
                let there = bytes.len() - at;
                let taken = usize::try_from(*left).map_or(there, |left| left.min(there));
                if at != kept {
                    bytes.copy_within(at..at + taken, kept);
                }
                *left -= taken as u64;
                if *left == 0 {
                    self.state = State::DataCr;
                }
                (at, kept) = (at + taken, kept + taken);
                continue;
            }
            let byte = bytes[at];
            at += 1;
            let goes_on = self.step(byte)?;
            if goes_on && keep_frames {
                bytes[kept] = byte;
                kept += 1;
            }
        }
        Ok(Filtered { taken: at, kept })
    }

    /// One byte outside of the data; whether it is part of the canonical form.
    fn step(&mut self, byte: u8) -> Result<bool, Fault> {
        let (state, goes_on) = match (self.state, byte) {
            (State::Size { digits, value }, _) if byte.is_ascii_hexdigit() => {
                if digits == MOST_DIGITS {
                    return Err(Fault::ChunkSize);
                }
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                (State::Size { digits: digits + 1, value: value * 16 + digit }, true)
            }
            (State::Size { digits: 1.., value: size }, b'\r') => (State::SizeEnd { size }, true),
            (State::Size { digits: 1.., value: size }, b';' | b' ' | b'\t') => {
                (State::Extension { length: 0, size }, false)
            }
            (State::Size { .. }, _) => return Err(Fault::ChunkSize),
            (State::Extension { size, .. }, b'\r') => (State::SizeEnd { size }, true),
            (State::Extension { length, size }, b'\t' | b' '..=b'~' | 0x80..) if length < MOST_EXTENSION => {
                (State::Extension { length: length + 1, size }, false)
            }
            (State::Extension { .. }, _) => return Err(Fault::ChunkExtension),
            (State::SizeEnd { size: 0 }, b'\n') => (State::Line { length: 0 }, true),
            (State::SizeEnd { size }, b'\n') => (State::Data { left: size }, true),
            (State::SizeEnd { .. }, _) => return Err(Fault::ChunkSize),
            (State::DataCr, b'\r') => (State::DataLf, true),
            (State::DataLf, b'\n') => (State::Size { digits: 0, value: 0 }, true),
            (State::DataCr | State::DataLf, _) => return Err(Fault::ChunkEnd),
            (State::Line { .. }, b'\r') => (State::LastLf, true),
            (State::LastLf, b'\n') => (State::Done, true),
            // A line that starts with white space would continue the one before.
            (State::Line { length }, b'!'..=b'~') => (State::Trailer { length }, false),
            (State::Trailer { length }, b'\r') => (State::TrailerLf { length }, false),
            (State::Trailer { length }, b'\t' | b' '..=b'~' | 0x80..) if length < MOST_TRAILER => {
                (State::Trailer { length: length + 1 }, false)
            }
            // An empty trailer line costs as well, so that the section is bounded in lines too.
            (State::TrailerLf { length }, b'\n') if length < MOST_TRAILER => {
                (State::Line { length: length + 1 }, false)
            }
            (State::Line { .. } | State::LastLf | State::Trailer { .. } | State::TrailerLf { .. }, _) => {
                return Err(Fault::Trailer);
            }
            // Handled in bulk by the callers.
            (State::Done | State::Length(_) | State::UntilClose | State::Data { .. }, _) => (self.state, false),
        };
        self.state = state;
        Ok(goes_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes on of these bytes, in pieces of `step`, and what is left behind the body.
    fn pass(text: &str, chunks: Chunks, step: usize) -> Result<(String, String), Fault> {
        let mut body = Body::new(Framing::Chunked, chunks);
        let (mut out, mut rest) = (String::new(), text.as_bytes().to_vec());
        while !rest.is_empty() && !body.is_done() {
            let size = step.min(rest.len());
            let done = body.filter(&mut rest[..size])?;
            out.push_str(std::str::from_utf8(&rest[..done.kept]).unwrap());
            rest.drain(..done.taken);
        }
        body.close()?;
        Ok((out, String::from_utf8(rest).unwrap()))
    }

    #[test]
    fn chunks_go_on_in_canonical_form_however_they_arrive() {
        let rows = [
            ("5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello", ""),
            ("5;a=b;c=\"d\"\r\nhello\r\n00;x\r\n\r\nGET", "5\r\nhello\r\n00\r\n\r\n", "hello", "GET"),
            ("3  \r\nabc\r\n0\r\nX: y\r\nZ:\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "abc", ""),
            ("A\r\n0\r\n\r\n01234\r\n0\r\n\r\n", "A\r\n0\r\n\r\n01234\r\n0\r\n\r\n", "0\r\n\r\n01234", ""),
        ];
        for (text, framed, open, rest) in rows {
            for step in 1..=text.len() {
                let want = |out: &str| Ok((out.to_owned(), rest.to_owned()));
                assert_eq!(pass(text, Chunks::Keep, step), want(framed), "{text:?} by {step}");
                assert_eq!(pass(text, Chunks::Open, step), want(open), "{text:?} by {step}");
            }
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        let long = format!("5;{}\r\n", "a".repeat(2000));
        let trailers = format!("0\r\n{}", "X: y\r\n".repeat(9000));
        let rows = [
            ("\r\n", Fault::ChunkSize),
            (";a\r\n", Fault::ChunkSize),
            ("+5\r\n", Fault::ChunkSize),
            ("0x5\r\n", Fault::ChunkSize),
            ("5\n", Fault::ChunkSize),
            ("5\rx", Fault::ChunkSize),
            ("fffffffffffffffff\r\n", Fault::ChunkSize),
            ("5;a=\u{1}\r\n", Fault::ChunkExtension),
            ("5;a\n", Fault::ChunkExtension),
            (&long, Fault::ChunkExtension),
            ("5\r\nhelloX", Fault::ChunkEnd),
            ("5\r\nhello\rX", Fault::ChunkEnd),
            ("0\r\n X: y\r\n", Fault::Trailer),
            ("0\r\nX: \0\r\n", Fault::Trailer),
            ("0\r\n\rX", Fault::Trailer),
            (&trailers, Fault::Trailer),
            ("5\r\nhel", Fault::Truncated),
            ("5\r\nhello\r\n0\r\n", Fault::Truncated),
        ];
        for (text, want) in rows {
            for step in [1, 7, text.len()] {
                assert_eq!(pass(text, Chunks::Keep, step), Err(want), "{text:?} by {step}");
            }
        }
    }

    #[test]
    fn other_bodies_end_where_they_must() {
        let mut body = Body::new(Framing::Length(3), Chunks::Keep);
        assert_eq!(body.filter(&mut [b'a'; 2]), Ok(Filtered { taken: 2, kept: 2 }));
        assert_eq!(body.close(), Err(Fault::Truncated));
        assert_eq!(body.filter(&mut [b'a'; 2]), Ok(Filtered { taken: 1, kept: 1 }));
        assert!(body.is_done() && body.close().is_ok());
        let mut body = Body::new(Framing::UntilClose, Chunks::Keep);
        assert_eq!(body.filter(&mut [b'a'; 2]), Ok(Filtered { taken: 2, kept: 2 }));
        assert!(!body.is_done() && body.close().is_ok() && body.is_done());
        for framing in [Framing::Empty, Framing::Length(0)] {
            assert!(Body::new(framing, Chunks::Keep).is_done());
        }
    }
}
