//! Moves one direction's bytes from one connection to another, as far as its body goes.
//!
//! Promises: it waits for the receiver before it reads on, so what is under way is one buffer; while it waits for the
//! sender it holds none; it counts what it moves and stops at a limit. One task polls both directions of a connection, so
//! nothing is split or locked.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncWrite, ReadBuf};

use super::body::Body;
use super::buffer::Buffer;
use super::fault::Fault;
use super::stream::Link;

/// Why no more goes through.
#[derive(Debug)]
pub enum Jam {
    /// The sender's connection broke.
    Read(io::Error),
    /// The receiver's connection broke.
    Write(io::Error),
    /// The sender's bytes are malformed, or ended too early.
    Fault(Fault),
    /// More than may be moved.
    TooMuch,
}

/// One direction.
#[derive(Debug)]
pub struct Pump {
    /// What goes first: a head, and what of the body came with it.
    first: Vec<u8>,
    first_at: usize,
    buffer: Option<Buffer>,
    at: usize,
    end: usize,
    body: Body,
    moved: u64,
    limit: u64,
    /// What was read behind the body's end.
    rest: Vec<u8>,
    stirred: bool,
}

impl Pump {
    /// Moves `first`, then the rest of `body`; `limit` counts the bytes of the body as they are moved.
    pub fn new(first: Vec<u8>, body: Body, limit: u64) -> Self {
        let (rest, buffer) = (Vec::new(), None);
        Self { first, first_at: 0, buffer, at: 0, end: 0, body, moved: 0, limit, rest, stirred: false }
    }

    /// How many bytes of the body have come through, framing included.
    pub fn moved(&self) -> u64 {
        self.moved
    }

    /// Adds bytes that were moved by other means, such as with the head.
    pub fn count(&mut self, bytes: u64) {
        self.moved += bytes;
    }

    /// Whether bytes were read or written since the last time this was asked.
    pub fn has_stirred(&mut self) -> bool {
        std::mem::take(&mut self.stirred)
    }

    /// Whether nothing was read behind the body's end.
    pub fn is_clean(&self) -> bool {
        self.rest.is_empty()
    }

    /// What was read behind the body's end: the start of the sender's next message.
    pub fn into_rest(self) -> Vec<u8> {
        self.rest
    }

    /// Whether the body's end was reached and everything was handed on.
    pub fn is_done(&self) -> bool {
        self.body.is_done() && self.at == self.end && self.first_at == self.first.len()
    }

    /// Whether nothing is to be read any more.
    pub fn has_read_all(&self) -> bool {
        self.body.is_done()
    }

    /// Whether something waits to be written.
    fn is_full(&self) -> bool {
        self.at < self.end || self.first_at < self.first.len()
    }

    /// Moves what can be moved now; ready when all of it is through.
    pub fn poll<R: Link, W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
    ) -> Poll<Result<(), Jam>> {
        loop {
            ready!(self.poll_empty(context, to))?;
            if self.body.is_done() {
                return Pin::new(to).poll_flush(context).map_err(Jam::Write);
            }
            ready!(self.poll_fill(context, from))?;
        }
    }

    /// Writes what waits.
    fn poll_empty<W: AsyncWrite + Unpin>(&mut self, context: &mut Context<'_>, to: &mut W) -> Poll<Result<(), Jam>> {
        while self.is_full() {
            let is_first = self.first_at < self.first.len();
            let waiting = match &self.buffer {
                _ if is_first => &self.first[self.first_at..],
                Some(buffer) => &buffer[self.at..self.end],
                None => &[],
            };
            let written = ready!(Pin::new(&mut *to).poll_write(context, waiting)).map_err(Jam::Write)?;
            if written == 0 {
                return Poll::Ready(Err(Jam::Write(io::ErrorKind::WriteZero.into())));
            }
            self.stirred = true;
            if is_first {
                self.first_at += written;
                if self.first_at == self.first.len() {
                    (self.first, self.first_at) = (Vec::new(), 0);
                }
            } else {
                self.at += written;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once.
    fn poll_fill<R: Link>(&mut self, context: &mut Context<'_>, from: &mut R) -> Poll<Result<(), Jam>> {
        if from.poll_readable(context).is_pending() {
            self.buffer = None;
            return Poll::Pending;
        }
        let buffer = self.buffer.get_or_insert_with(Buffer::take);
        // Also behind the body's end: a read that fills less than it could saves the next one.
        let mut into = ReadBuf::new(buffer);
        match Pin::new(from).poll_read(context, &mut into) {
            Poll::Pending => {
                self.buffer = None;
                return Poll::Pending;
            }
            Poll::Ready(outcome) => outcome.map_err(Jam::Read)?,
        }
        let filled = into.filled_mut();
        self.stirred = true;
        if filled.is_empty() {
            self.buffer = None;
            return Poll::Ready(self.body.close().map_err(Jam::Fault));
        }
        let settled = self.body.filter(filled).map_err(Jam::Fault)?;
        self.rest.extend_from_slice(&filled[settled.taken..]);
        (self.at, self.end) = (0, settled.kept);
        self.moved += settled.kept as u64;
        Poll::Ready(if self.moved > self.limit { Err(Jam::TooMuch) } else { Ok(()) })
    }
}
