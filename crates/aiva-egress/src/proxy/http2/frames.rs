//! Counts the frames that a client sends for their own sake, on their way to whoever reads them.
//!
//! Promises: bytes go through unchanged; of a frame only its length and type are looked at (RFC 9113 section 4.1), so that it
//! need not be understood twice. A PING, SETTINGS or PRIORITY costs its sender nothing and us an answer: a client that sends
//! more than [`BURST`], and [`EACH_SECOND`] after that, is flooding. Start reading at [`Frames::see`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::proxy::stream::Stream;

/// How many may come at once.
pub const BURST: u32 = 256;

/// How many may come each second, for long.
pub const EACH_SECOND: u32 = 20;

/// What a client says first, before any frame.
const PREFACE: usize = 24;

const HEADER: usize = 9;

/// Finds the frames in a stream of bytes.
#[derive(Debug)]
pub struct Frames {
    /// Bytes up to the next frame's header.
    skip: usize,
    header: [u8; HEADER],
    known: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self { skip: PREFACE, header: [0; HEADER], known: 0 }
    }
}

impl Frames {
    /// How many frames that only ask for an answer begin in these bytes, which follow those of the last call.
    pub fn see(&mut self, mut bytes: &[u8]) -> u32 {
        let mut control = 0;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = (HEADER - self.known).min(bytes.len());
            self.header[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
            self.known += taken;
            bytes = &bytes[taken..];
            if self.known == HEADER {
                let [high, middle, low, kind, ..] = self.header;
                self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.known = 0;
                control += u32::from(is_control(kind));
            }
        }
        control
    }
}

/// PRIORITY, SETTINGS, PING, and types that nobody has defined. DATA and HEADERS are bounded as streams, WINDOW_UPDATE answers
/// what we send, RST_STREAM is counted where streams end.
const fn is_control(kind: u8) -> bool {
    matches!(kind, 2 | 4 | 6 | 10..)
}

/// Whether the client floods.
#[derive(Debug, Clone, Default)]
pub struct Flood(Arc<AtomicBool>);

impl Flood {
    /// Whether it does.
    pub fn is_flooded(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A client's connection whose frames are counted. What was read of it before comes first.
#[derive(Debug)]
pub struct Watched {
    stream: Stream,
    inbox: Vec<u8>,
    at: usize,
    frames: Frames,
    left: u32,
    since: Instant,
    flood: Flood,
}

impl Watched {
    /// The connection, and who is told of a flood.
    pub fn new(stream: Stream, inbox: Vec<u8>) -> (Self, Flood) {
        let (flood, frames) = (Flood::default(), Frames::default());
        let watched = Self { stream, inbox, at: 0, frames, left: BURST, since: Instant::now(), flood: flood.clone() };
        (watched, flood)
    }

    fn see(&mut self, fresh: &[u8]) {
        let control = self.frames.see(fresh);
        if control == 0 {
            return;
        }
        let seconds = self.since.elapsed().as_secs();
        if seconds > 0 {
            let more = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(EACH_SECOND);
            (self.left, self.since) = (self.left.saturating_add(more).min(BURST), Instant::now());
        }
        match self.left.checked_sub(control) {
            Some(left) => self.left = left,
            None => self.flood.0.store(true, Ordering::Relaxed),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        if this.at < this.inbox.len() {
            let count = (this.inbox.len() - this.at).min(into.remaining());
            into.put_slice(&this.inbox[this.at..this.at + count]);
            this.at += count;
            if this.at == this.inbox.len() {
                (this.inbox, this.at) = (Vec::new(), 0);
            }
        } else {
            ready!(Pin::new(&mut this.stream).poll_read(context, into))?;
        }
        this.see(&into.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, length: usize) -> Vec<u8> {
        let bytes = length.to_be_bytes();
        let mut frame = bytes[bytes.len() - 3..].to_vec();
        frame.extend([kind, 0, 0, 0, 0, 0]);
        // A body that looks like headers of PING.
        frame.extend(std::iter::repeat_n(6, length));
        frame
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        for (kind, length) in [(4, 36), (0, 300), (6, 8), (1, 70_000), (8, 4), (3, 4), (2, 5), (99, 0), (9, 0)] {
            bytes.extend(frame(kind, length));
        }
        for size in [1, 2, 9, 10, 1000, bytes.len()] {
            let mut frames = Frames::default();
            let seen: u32 = bytes.chunks(size).map(|chunk| frames.see(chunk)).sum();
            assert_eq!(seen, 4, "SETTINGS, PING, PRIORITY and an unknown one, in pieces of {size}");
        }
    }
}
