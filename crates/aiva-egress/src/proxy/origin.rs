//! The connection to an origin: our own, or a tunnel through an upstream proxy that may itself be spoken to in TLS.
//!
//! Promises: what is only looked at (who speaks first in a tunnel) is read again by whoever reads next.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::stream::Link;

/// How much is read ahead to be looked at.
const AHEAD: usize = 4 * 1024;

/// A connection that leads to an origin.
#[derive(Debug)]
pub enum Origin {
    /// TCP.
    Tcp(TcpStream),
    /// TLS to an upstream.
    Tls(Box<Encrypted>),
}

/// TLS, and what was looked at of it.
#[derive(Debug)]
pub struct Encrypted {
    stream: TlsStream<TcpStream>,
    ahead: Vec<u8>,
}

impl From<TlsStream<TcpStream>> for Origin {
    fn from(stream: TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(Encrypted { stream, ahead: Vec::new() }))
    }
}

impl Origin {
    /// Looks at what comes next and leaves it there; 0 at the end.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn poll_peek(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => stream.poll_peek(context, into),
            Self::Tls(encrypted) => encrypted.poll_peek(context, into),
        }
    }

    /// Whether nothing has arrived, not even the end: it may serve another request.
    pub fn is_quiet(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        match self {
            Self::Tcp(stream) => {
                stream.poll_readable(&mut context).is_pending()
                    // It may only look readable, because the last read filled its buffer.
                    || stream.try_read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            // What TLS says to itself (tickets, key updates) is read here and is nothing to us.
            Self::Tls(encrypted) => {
                let mut byte = [0];
                encrypted.poll_peek(&mut context, &mut ReadBuf::new(&mut byte)).is_pending()
            }
        }
    }
}

impl Encrypted {
    fn poll_peek(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        if self.ahead.is_empty() {
            let mut bytes = [0; AHEAD];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            self.ahead.extend_from_slice(read.filled());
        }
        let count = self.ahead.len().min(into.remaining());
        into.put_slice(&self.ahead[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_read(&mut self, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let count = self.ahead.len().min(into.remaining());
        into.put_slice(&self.ahead[..count]);
        self.ahead.drain(..count);
        if self.ahead.is_empty() {
            self.ahead = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl Link for Origin {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(stream) => stream.poll_readable(context),
            // What is decrypted already says nothing to the socket: try.
            Self::Tls(_) => Poll::Ready(()),
        }
    }

    fn is_ended_by_closing(&self) -> bool {
        // TLS has a goodbye of its own.
        matches!(self, Self::Tcp(_))
    }
}

impl AsyncRead for Origin {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(encrypted) => encrypted.poll_read(context, into),
        }
    }
}

impl AsyncWrite for Origin {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(encrypted) => Pin::new(&mut encrypted.stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(encrypted) => Pin::new(&mut encrypted.stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(encrypted) => Pin::new(&mut encrypted.stream).poll_shutdown(context),
        }
    }
}
