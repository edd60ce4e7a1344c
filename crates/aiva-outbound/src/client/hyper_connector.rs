//! A connector for hyper's own clients: the same checks, before every connection.
//!
//! What it cannot see it cannot check: a client that follows redirects by itself asks for a new connection at each hop, and
//! that is checked, but one that keeps idle connections by name uses them again without asking. The address of such a
//! connection was checked when it was opened. Methods and paths are not seen.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::Connected;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tower_service::Service;

use super::{Connection, Connector, Error};
use crate::engine::{Engine, Outcome};
use crate::judge::Question;
use crate::policy::Policy;
use crate::resolve::Resolver;
use crate::target::Target;

/// Connects hyper's clients. Made by [`super::Builder::build_connector`]; clones are the same.
#[derive(Clone)]
pub struct HyperConnector(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    policy: Arc<Policy>,
    resolver: Arc<dyn Resolver>,
    connector: Connector,
    limit: Duration,
}

impl HyperConnector {
    pub(super) fn new(
        engine: Arc<Engine>,
        policy: Arc<Policy>,
        resolver: Arc<dyn Resolver>,
        connector: Connector,
        limit: Duration,
    ) -> Self {
        Self(Arc::new(Inner { engine, policy, resolver, connector, limit }))
    }

    async fn connect(self, uri: Uri) -> Result<HyperStream, Error> {
        let Inner { engine, policy, resolver, connector, limit } = &*self.0;
        let text = uri.to_string();
        let target = Target::parse(&text).map_err(|reason| super::text_error(&text, reason))?;
        let verdict = engine.decide(policy, &**resolver, Question::new(&target)).await;
        match verdict.outcome {
            Outcome::Allowed => {}
            Outcome::Denied(denial) => return Err(Error::Denied { url: target.origin(), denial }),
            Outcome::Unresolved(error) => return Err(Error::Resolve(error)),
        }
        let opened = timeout(*limit, connector.open(&target, &verdict.connect_to)).await;
        let late = |_| Error::Timeout { to: target.origin(), stage: "connecting" };
        let (_, stream) = opened.map_err(late)??;
        Ok(HyperStream(TokioIo::new(stream)))
    }
}

impl Service<Uri> for HyperConnector {
    type Response = HyperStream;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HyperStream, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// A connection as hyper wants it.
pub struct HyperStream(TokioIo<Connection>);

impl hyper_util::client::legacy::connect::Connection for HyperStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for HyperStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for HyperStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
