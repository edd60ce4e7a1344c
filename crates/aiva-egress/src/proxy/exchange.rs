//! One request to its origin and one answer back, over two connections that stand.
//!
//! Promises: the answer may begin before the request's body has ended; an answer that is malformed is never begun; what
//! came through when it ended is told, so that the caller knows whether it may try again, answer itself, or only close.
//!
//! Start reading at [`Exchange::run`].

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::ahead::{self, Client, FAREWELL};
use super::body::{Body, Chunks};
use super::buffer::Buffer;
use super::fault::Fault;
use super::head::{self, Framing, Response, Version};
use super::pump::{Jam, Pump};
use super::stream::Link;
use super::write::{self, Delivery};

/// More interim answers than this are no help to anybody.
const MOST_INTERIM: u8 = 16;

/// Bounds of one exchange.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// From the request to the answer's head.
    pub first_byte: Duration,
    /// Between two signs of life after that.
    pub idle: Duration,
    /// For all of it.
    pub total: Duration,
    /// The most bytes of the answer's body.
    pub answer: u64,
    /// The most bytes of the request's body.
    pub request: u64,
}

/// What the client asked, as far as the answer depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// Whether it was HEAD.
    pub head_only: bool,
    /// What the client speaks.
    pub version: Version,
    /// Whether its connection may stay open.
    pub keep_alive: bool,
}

/// Why an exchange failed.
#[derive(Debug)]
pub enum Trouble {
    /// The origin's connection broke.
    Origin(io::Error),
    /// The origin's answer is malformed or incomplete.
    Answer(Fault),
    /// The answer is larger than allowed.
    TooLarge,
    /// The answer did not begin, or did not go on, in time.
    Slow,
    /// The client's body is malformed.
    Request(Fault),
    /// The client's body is larger than allowed.
    RequestTooLarge,
    /// The client is gone.
    Client,
}

/// How an exchange ended.
#[derive(Debug)]
pub struct Outcome {
    /// What went wrong, if anything did.
    pub trouble: Option<Trouble>,
    /// The answer's status, once its head was read.
    pub status: Option<u16>,
    /// Whether the origin said anything at all.
    pub origin_spoke: bool,
    /// Whether the client got any byte of an answer.
    pub answered: bool,
    /// Bytes of the request's body and of the answer's.
    pub moved: (u64, u64),
    /// Whether the origin's connection may serve another request.
    pub origin_reusable: bool,
    /// Whether the client's connection may.
    pub client_reusable: bool,
    /// The client's next bytes that were read along with its body.
    pub rest: Vec<u8>,
}

/// An exchange under way.
pub struct Exchange {
    asked: Asked,
    upload: Pump,
    upload_broken: bool,
    /// Whether the answer may still be waited for although everything was sent.
    waits_again: bool,
    download: Pump,
    /// What is there of the answer's head; `None` once it has been read.
    head: Option<Vec<u8>>,
    seen: usize,
    interim: u8,
    limit: u64,
    status: Option<u16>,
    origin_spoke: bool,
    origin_keeps: bool,
    client_keeps: bool,
    /// What the client has sent while its answer was awaited.
    ahead: Vec<u8>,
    client_stopped: bool,
    /// When a client that has stopped sending counts as gone.
    leaves: Option<Instant>,
}

impl Exchange {
    /// `upload` holds the request's head and body.
    pub fn new(asked: Asked, upload: Pump, answer_limit: u64) -> Self {
        Self {
            asked,
            waits_again: !upload.has_read_all(),
            upload,
            upload_broken: false,
            download: Pump::new(Vec::new(), Body::new(Framing::Empty, Chunks::Keep), answer_limit),
            head: Some(Vec::new()),
            seen: 0,
            interim: 0,
            limit: answer_limit,
            status: None,
            origin_spoke: false,
            origin_keeps: false,
            client_keeps: asked.keep_alive,
            ahead: Vec::new(),
            client_stopped: false,
            leaves: None,
        }
    }

    /// Runs to the end. `timer` is the connection's own; its deadline is moved.
    pub async fn run<C: Link, O: Link>(
        mut self,
        client: &mut C,
        origin: &mut O,
        bounds: &Bounds,
        mut timer: Pin<&mut Sleep>,
    ) -> Outcome {
        let started = Instant::now();
        let ends = started + bounds.total;
        timer.as_mut().reset((started + bounds.first_byte).min(ends));
        let result = poll_fn(|context| {
            if let Poll::Ready(result) = self.poll_both(context, client, origin) {
                return Poll::Ready(result);
            }
            if self.client_stopped && self.leaves.is_none() {
                let leaves = Instant::now() + FAREWELL;
                self.leaves = Some(leaves);
                if timer.deadline() > leaves {
                    timer.as_mut().reset(leaves);
                }
            }
            loop {
                ready!(timer.as_mut().poll(context));
                let now = Instant::now();
                if self.head.is_some() && self.leaves.is_some_and(|leaves| leaves <= now) {
                    return Poll::Ready(Err(Trouble::Client));
                }
                let Some(more) = self.patience(bounds).filter(|_| now < ends) else {
                    return Poll::Ready(Err(Trouble::Slow));
                };
                timer.as_mut().reset((now + more).min(ends));
            }
        })
        .await;
        self.finish(result)
    }

    /// The time is over: how much more there is.
    fn patience(&mut self, bounds: &Bounds) -> Option<Duration> {
        let stirred = self.upload.has_stirred() | self.download.has_stirred();
        if self.head.is_some() && self.upload.is_done() {
            // A body that has just gone out gets the answer's time once more, since nobody noted when it ended.
            return std::mem::take(&mut self.waits_again).then_some(bounds.first_byte);
        }
        stirred.then_some(bounds.idle)
    }

    fn finish(self, result: Result<(), Trouble>) -> Outcome {
        let whole = self.upload.is_done();
        let moved = (self.upload.moved(), self.download.moved());
        Outcome {
            origin_reusable: result.is_ok() && whole && self.origin_keeps && self.download.is_clean(),
            client_reusable: result.is_ok() && whole && self.client_keeps,
            trouble: result.err(),
            status: self.status,
            origin_spoke: self.origin_spoke,
            // An interim answer that is through is none: the client still waits for the one that counts.
            answered: self.status.is_some() || !self.download.is_done(),
            moved,
            rest: [self.upload.into_rest(), self.ahead].concat(),
        }
    }

    fn poll_both<C: Link, O: Link>(
        &mut self,
        context: &mut Context<'_>,
        client: &mut C,
        origin: &mut O,
    ) -> Poll<Result<(), Trouble>> {
        if !self.upload_broken && !self.upload.is_done() {
            match self.upload.poll(context, client, origin) {
                Poll::Pending | Poll::Ready(Ok(())) => {}
                // The origin may have answered without reading on: look before giving up.
                Poll::Ready(Err(Jam::Write(_))) => self.upload_broken = true,
                Poll::Ready(Err(Jam::Read(_) | Jam::Fault(Fault::Truncated))) => {
                    return Poll::Ready(Err(Trouble::Client));
                }
                Poll::Ready(Err(Jam::Fault(fault))) => return Poll::Ready(Err(Trouble::Request(fault))),
                Poll::Ready(Err(Jam::TooMuch)) => return Poll::Ready(Err(Trouble::RequestTooLarge)),
            }
        }
        if self.head.is_some() && self.upload.is_done() && !self.client_stopped {
            self.poll_client(context, client)?;
        }
        self.poll_answer(context, client, origin)
    }

    /// While its answer is awaited a client may hang up, which shows only to who reads, or send its next request.
    fn poll_client<C: Link>(&mut self, context: &mut Context<'_>, client: &mut C) -> Result<(), Trouble> {
        match ahead::look(context, client, &mut self.ahead) {
            Client::Waits => {}
            Client::Stopped => self.client_stopped = true,
            Client::Gone => return Err(Trouble::Client),
        }
        Ok(())
    }

    fn poll_answer<C: AsyncWrite + Unpin, O: Link>(
        &mut self,
        context: &mut Context<'_>,
        client: &mut C,
        origin: &mut O,
    ) -> Poll<Result<(), Trouble>> {
        loop {
            // Writes out what waits: interim answers, then the answer.
            let moved = ready!(self.download.poll(context, origin, client));
            moved.map_err(|jam| match jam {
                Jam::Read(error) => Trouble::Origin(error),
                Jam::Write(_) => Trouble::Client,
                Jam::Fault(fault) => Trouble::Answer(fault),
                Jam::TooMuch => Trouble::TooLarge,
            })?;
            if self.head.is_none() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_head(context, origin))?;
        }
    }

    /// Reads once, and as many heads as there are in what was read, up to the answer's own.
    fn poll_head<O: Link>(&mut self, context: &mut Context<'_>, origin: &mut O) -> Poll<Result<(), Trouble>> {
        ready!(origin.poll_readable(context));
        let mut buffer = Buffer::take();
        let mut into = ReadBuf::new(&mut buffer);
        ready!(Pin::new(origin).poll_read(context, &mut into)).map_err(Trouble::Origin)?;
        let fresh = into.filled_mut();
        if fresh.is_empty() {
            return Poll::Ready(Err(Trouble::Origin(io::ErrorKind::UnexpectedEof.into())));
        }
        self.origin_spoke = true;
        let mut earlier = self.head.take().unwrap_or_default();
        let unread = if earlier.is_empty() {
            self.heads(fresh)
        } else {
            earlier.extend_from_slice(fresh);
            self.heads(&mut earlier)
        };
        if let Some(unread) = unread? {
            self.head = Some(unread);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads heads; what is left of an unfinished one, or `None` when the answer's own head was there.
    fn heads(&mut self, mut bytes: &mut [u8]) -> Result<Option<Vec<u8>>, Trouble> {
        let mut out = Vec::new();
        let unread = loop {
            let Some(end) = head::end(bytes, self.seen).map_err(Trouble::Answer)? else {
                self.seen = bytes.len();
                break Some(bytes.to_vec());
            };
            self.seen = 0;
            let (head, rest) = bytes.split_at_mut(end);
            let method = if self.asked.head_only { "HEAD" } else { "GET" };
            let response = Response::read(head, method).map_err(Trouble::Answer)?;
            if response.is_interim() {
                self.interim += 1;
                if self.interim > MOST_INTERIM {
                    return Err(Trouble::Answer(Fault::StatusLine));
                }
                if self.asked.version == Version::Http11 {
                    write::interim(&mut out, &response);
                }
                bytes = rest;
                continue;
            }
            self.answer(&mut out, &response, rest)?;
            return Ok(None);
        };
        if !out.is_empty() {
            self.download = Pump::new(out, Body::new(Framing::Empty, Chunks::Keep), self.limit);
        }
        Ok(unread)
    }

    /// The answer's own head is there, with the start of its body. One that is too large as far as is known by now is not begun,
    /// so that the client can still be told.
    fn answer(&mut self, out: &mut Vec<u8>, response: &Response<'_>, rest: &mut [u8]) -> Result<(), Trouble> {
        let chunks = match self.asked.version {
            Version::Http10 => Chunks::Open,
            Version::Http11 => Chunks::Keep,
        };
        let mut body = Body::new(response.framing, chunks);
        let settled = body.filter(rest).map_err(Trouble::Answer)?;
        let announced = if let Framing::Length(length) = response.framing { length } else { 0 };
        if announced.max(settled.kept as u64) > self.limit {
            return Err(Trouble::TooLarge);
        }
        self.client_keeps = self.asked.keep_alive && response.framing != Framing::UntilClose && self.upload.is_done();
        // Bytes that nobody asked for make the connection useless.
        self.origin_keeps = response.keep_alive && settled.taken == rest.len();
        out.reserve(512 + settled.kept);
        write::response(out, response, Delivery { version: self.asked.version, keep_alive: self.client_keeps });
        out.extend_from_slice(&rest[..settled.kept]);
        self.status = Some(response.status);
        self.download = Pump::new(std::mem::take(out), body, self.limit);
        self.download.count(settled.kept as u64);
        Ok(())
    }
}
