//! A client's connection, whatever it came over.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::server::TlsStream;

/// A connection that can say whether a read would find something, so that no buffer is held while it would not.
pub trait Link: AsyncRead + AsyncWrite + Unpin {
    /// Ready when a read is worth trying.
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()>;

    /// Whether closing it tells the other side all that shutting it down would.
    fn is_ended_by_closing(&self) -> bool {
        false
    }
}

impl Link for TcpStream {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        // An error shows at the read that follows.
        self.poll_read_ready(context).map(drop)
    }

    fn is_ended_by_closing(&self) -> bool {
        true
    }
}

/// What a client is connected by.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A socket in the file system.
    #[cfg(unix)]
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Makes the close that follows a visible failure: an answer that ends with the connection must not look whole.
    pub fn abort(&self) {
        let socket = match self {
            Self::Tcp(stream) => stream,
            #[cfg(unix)]
            Self::Unix(_) => return,
            // Without close_notify the end is no end.
            Self::Tls(_) => return,
        };
        let _unsupported = socket.set_zero_linger();
    }
}

impl Link for Stream {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Tcp(stream) => stream.poll_readable(context),
            #[cfg(unix)]
            Self::Unix(stream) => stream.poll_read_ready(context).map(drop),
            // What is decrypted already says nothing to the socket: try.
            Self::Tls(_) => Poll::Ready(()),
        }
    }

    fn is_ended_by_closing(&self) -> bool {
        // TLS has a goodbye of its own.
        !matches!(self, Self::Tls(_))
    }
}

macro_rules! each {
    ($this:expr, $stream:ident => $work:expr) => {
        match $this.get_mut() {
            Stream::Tcp($stream) => $work,
            #[cfg(unix)]
            Stream::Unix($stream) => $work,
            Stream::Tls($stream) => $work,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(context, into))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(context))
    }
}
