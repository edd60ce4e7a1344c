//! Notices a client that leaves while something else is waited for.
//!
//! A client that hangs up shows only to who reads. So its connection is read while its answer is awaited, and what it sends
//! ahead is kept. One that has only stopped sending may still want its answer: it is waited with for [`FAREWELL`] more.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::time::{Sleep, sleep};

use super::buffer::Buffer;
use super::stream::Link;

/// What a client may send ahead; the rest waits in its system.
const MOST: usize = 16 * 1024;

/// How long a client that has stopped sending is waited with: most have left, a few only say that they have said all.
pub const FAREWELL: Duration = Duration::from_secs(5);

/// What a look at the client showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// It is there.
    Waits,
    /// It sends nothing more.
    Stopped,
    /// Its connection is broken.
    Gone,
}

/// Reads what the client sends ahead; it wakes the caller when there is more.
pub fn look<C: Link>(context: &mut Context<'_>, client: &mut C, ahead: &mut Vec<u8>) -> Client {
    while ahead.len() < MOST && client.poll_readable(context).is_ready() {
        let mut buffer = Buffer::take();
        let room = (MOST - ahead.len()).min(buffer.len());
        let mut into = ReadBuf::new(&mut buffer[..room]);
        match Pin::new(&mut *client).poll_read(context, &mut into) {
            Poll::Pending => break,
            Poll::Ready(Err(_)) => return Client::Gone,
            Poll::Ready(Ok(())) if into.filled().is_empty() => return Client::Stopped,
            Poll::Ready(Ok(())) => ahead.extend_from_slice(into.filled()),
        }
    }
    Client::Waits
}

/// Waits for work as long as the client does; `None` when it is gone.
pub async fn unless_gone<C: Link, T>(client: &mut C, ahead: &mut Vec<u8>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut leaves: Option<Pin<Box<Sleep>>> = None;
    poll_fn(move |context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        if leaves.is_none() {
            match look(context, client, ahead) {
                Client::Waits => return Poll::Pending,
                Client::Gone => return Poll::Ready(None),
                Client::Stopped => leaves = Some(Box::pin(sleep(FAREWELL))),
            }
        }
        match &mut leaves {
            Some(leaves) => leaves.as_mut().poll(context).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}
