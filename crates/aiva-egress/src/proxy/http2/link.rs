//! One stream as a connection of its own, so that everything that carries a connection's tunnel carries a stream's.
//!
//! Promises: it writes only what the client has room for, and gives the client room only for what was taken; before it was
//! granted nothing can be written. Start reading at [`H2Link::grant`].

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::proxy::answer::Answer;
use crate::proxy::stream::Link;

/// How much is handed over in one piece.
const MOST_PIECE: usize = 16 * 1024;

/// One stream.
pub(super) struct H2Link {
    from: RecvStream,
    respond: SendResponse<Bytes>,
    to: Option<Sender>,
    /// What has come and was not taken.
    piece: Bytes,
}

/// The way to the client. Shared with who watches for a reset.
#[derive(Clone)]
pub(super) struct Sender(Arc<Mutex<SendStream<Bytes>>>);

impl Sender {
    fn lock(&self) -> MutexGuard<'_, SendStream<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when the client has reset the stream, or its connection is gone.
    pub(super) async fn reset(&self) {
        poll_fn(|context| self.lock().poll_reset(context).map(drop)).await;
    }

    /// Ends the stream as broken, if it has not ended yet.
    pub(super) fn abort(&self, reason: Reason) {
        self.lock().send_reset(reason);
    }
}

impl H2Link {
    pub(super) fn new(from: RecvStream, respond: SendResponse<Bytes>) -> Self {
        Self { from, respond, to: None, piece: Bytes::new() }
    }

    /// Opens the tunnel.
    pub(super) fn grant(&mut self) -> Result<Sender, h2::Error> {
        let to = self.respond.send_response(Response::new(()), false)?;
        let sender = Sender(Arc::new(Mutex::new(to)));
        self.to = Some(sender.clone());
        Ok(sender)
    }

    /// Says no. A client that is gone does not hear it.
    pub(super) fn refuse(&mut self, answer: &Answer) -> Result<(), h2::Error> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
        for (name, value) in answer.fields() {
            let name = HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
                response.headers_mut().append(name, value);
            }
        }
        let mut to = self.respond.send_response(response, false)?;
        to.send_data(Bytes::from(answer.body()), true)
    }
}

impl Link for H2Link {
    fn poll_readable(&self, _context: &mut Context<'_>) -> Poll<()> {
        // Only a read can tell.
        Poll::Ready(())
    }
}

impl AsyncRead for H2Link {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.piece.is_empty() {
            match ready!(this.from.poll_data(context)) {
                Some(Ok(piece)) => this.piece = piece,
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = this.piece.len().min(into.remaining());
        into.put_slice(&this.piece[..count]);
        this.piece.advance(count);
        // What was taken makes room for as much.
        let _gone = this.from.flow_control().release_capacity(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Link {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(to) = &self.to else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let mut to = to.lock();
        let wanted = bytes.len().min(MOST_PIECE);
        to.reserve_capacity(wanted);
        let mut room = to.capacity();
        while room == 0 {
            room = match ready!(to.poll_capacity(context)) {
                Some(Ok(room)) => room,
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let count = wanted.min(room);
        to.send_data(Bytes::copy_from_slice(&bytes[..count]), false).map_err(broken)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection writes what it was given.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(to) = &self.to else { return Poll::Ready(Ok(())) };
        Poll::Ready(to.lock().send_data(Bytes::new(), true).map_err(broken))
    }
}

fn broken(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
