//! Holds a tunnel's opening back until it was looked at.
//!
//! Promises: no byte of a refused opening reaches the other side; a side that says nothing is not waited for longer than
//! [`PATIENCE`], because TLS starts at once; what was held back goes on unchanged.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aiva_outbound::Host;
use tokio::io::{AsyncWriteExt as _, ReadBuf};
use tokio::time::timeout;

use super::hello;
use super::inspect::{ACCESS_DENIED, Finding, Inspection, Opening};
use super::sniff::Protocol;
use crate::proxy::buffer::Buffer;
use crate::proxy::origin::Origin;
use crate::proxy::stream::Link;

/// How long an opening may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Who spoke first.
enum First {
    Client,
    Server(Vec<u8>),
    Nobody,
}

/// Reads and judges the opening; `first` holds what the client has sent already, and all it has sent afterwards.
///
/// # Errors
/// When a connection breaks meanwhile.
pub async fn open<C: Link>(
    inspection: &Inspection,
    host: &Host,
    allows: impl Fn(&str) -> bool,
    client: &mut C,
    origin: &mut Origin,
    first: &mut Vec<u8>,
) -> io::Result<Opening> {
    let watched = timeout(PATIENCE, async {
        loop {
            if let Some(opening) = inspection.client(host, first, &allows) {
                return Ok(opening);
            }
            match poll_fn(|context| poll_first(context, client, origin, first)).await? {
                First::Client => {}
                First::Server(bytes) => return Ok(inspection.server(&bytes)),
                First::Nobody => return Ok(unfinished(inspection, first)),
            }
        }
    });
    watched.await.unwrap_or_else(|_| Ok(unfinished(inspection, first)))
}

/// The client stopped, or took too long, before its opening was whole. What nobody could judge is no TLS.
fn unfinished(inspection: &Inspection, first: &[u8]) -> Opening {
    let mut opening = Opening { protocol: Protocol::Unknown, name: None, findings: Vec::new() };
    if !first.is_empty() {
        opening.findings.extend(inspection.incomplete());
    }
    opening
}

fn poll_first<C: Link>(
    context: &mut Context<'_>,
    client: &mut C,
    origin: &mut Origin,
    first: &mut Vec<u8>,
) -> Poll<io::Result<First>> {
    // Longer than anything that is still undecided.
    let room = (2 * hello::MOST_BYTES).saturating_sub(first.len());
    if client.poll_readable(context).is_ready() {
        let mut buffer = Buffer::take();
        let room = room.min(buffer.len());
        let mut into = ReadBuf::new(&mut buffer[..room]);
        if let Poll::Ready(outcome) = Pin::new(client).poll_read(context, &mut into) {
            outcome?;
            let fresh = into.filled();
            first.extend_from_slice(fresh);
            return Poll::Ready(Ok(if fresh.is_empty() { First::Nobody } else { First::Client }));
        }
    }
    // Only looked at: what the server says goes on in its turn if the tunnel stays.
    let mut peeked = [0; super::sniff::ENOUGH];
    let mut into = ReadBuf::new(&mut peeked);
    let count = ready!(origin.poll_peek(context, &mut into))?;
    if count == 0 {
        return Poll::Ready(Ok(First::Nobody));
    }
    Poll::Ready(Ok(First::Server(into.filled().to_vec())))
}

/// Tells the client of a refusal in the language that it speaks, as far as that has one.
pub async fn refuse<C: Link>(client: &mut C, opening: &Opening, http: impl FnOnce(&Finding) -> Vec<u8>) {
    let bytes = match (opening.protocol, opening.findings.iter().find(|finding| finding.enforced)) {
        (Protocol::Tls, _) => ACCESS_DENIED.to_vec(),
        (Protocol::Http, Some(finding)) => http(finding),
        _ => return,
    };
    // The tunnel closes whether or not the client hears why.
    let _heard = timeout(PATIENCE, client.write_all(&bytes)).await;
}
