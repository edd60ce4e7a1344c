//! One client's connection: its requests in their order, each judged for itself, up to a tunnel or its end.
//!
//! Promises: nothing is forwarded before it was judged; a fault ends the connection, because nobody knows where the next
//! message would begin; after a tunnel was refused no byte of the connection is read as a request; what the proxy says
//! itself reaches a client that is still sending. Start reading at [`Connection::serve`].

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aiva_outbound::{Reason, Scheme, Target};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::ahead::unless_gone;
use super::answer::Answer;
use super::body::{Body, Chunks};
use super::buffer::Buffer;
use super::exchange::Asked;
use super::fault::Fault;
use super::handles::Handle;
use super::head::{self, Form as HeadForm, Request};
use super::http2;
use super::judge::{Ask, Form, Peer, Presented, Ruling};
use super::limits::Claim;
use super::metrics::{Became, HEAD_MEMORY};
use super::socks::VERSION;
use super::stream::{Link, Stream};
use super::worker::Worker;
use super::write;

mod forward;
mod socks;
pub(super) mod tunnel;

use tunnel::Manner;
pub use tunnel::Tunnel;

/// How long a client that is still sending is listened to after the last answer.
const LINGER: Duration = Duration::from_secs(2);

/// A client's connection, between its requests.
pub struct Connection<'w> {
    /// The thread's own things.
    pub worker: &'w Worker,
    /// Who is connected.
    pub peer: &'w Peer,
    /// By which it can be told to end.
    pub handle: &'w Handle,
    /// The connection itself.
    pub stream: &'w mut Stream,
    /// What has been read and not yet understood.
    pub inbox: Vec<u8>,
}

/// What came of waiting for a head.
enum Waited {
    Head(usize),
    Socks,
    Gone,
    Slow,
    NoMemory,
    Fault(Fault),
}

/// What a connection becomes when its requests are over.
pub enum Onward {
    /// A tunnel.
    Tunnel(Box<Tunnel>),
    /// HTTP/2, with what was read of it.
    Http2(Vec<u8>),
}

/// What follows a request.
enum Next {
    Request,
    Close,
    Tunnel(Box<Tunnel>),
}

impl Connection<'_> {
    /// Serves requests until the connection ends (`None`) or becomes something else.
    pub async fn serve(mut self) -> Option<Onward> {
        let settings = &self.worker.shared.settings;
        let mut timer = pin!(sleep_until(Instant::now() + settings.head_timeout));
        let mut claim = self.worker.shared.limits.head();
        let mut patience = settings.head_timeout;
        let mut is_first = true;
        loop {
            let waited = self.head(timer.as_mut(), patience, &mut claim).await;
            let next = match waited {
                // A client says so before anything else, or not at all.
                Waited::Head(_) if is_first && self.inbox.starts_with(http2::PREFACE) => {
                    return Some(Onward::Http2(self.inbox));
                }
                Waited::Head(end) => self.request(end, timer.as_mut()).await,
                Waited::Socks => self.socks(timer.as_mut()).await,
                Waited::Gone => return None,
                Waited::Slow => self.too_slow().await,
                Waited::NoMemory => self.no_memory().await,
                Waited::Fault(fault) => self.malformed(fault).await,
            };
            match next {
                Next::Request => (patience, is_first) = (settings.keep_alive, false),
                Next::Close => return None,
                Next::Tunnel(tunnel) => return Some(Onward::Tunnel(tunnel)),
            }
        }
    }

    /// Waits until a whole head is there: `patience` for its first byte, the head's own time for the rest of it.
    async fn head(&mut self, mut timer: Pin<&mut Sleep>, patience: Duration, claim: &mut Claim) -> Waited {
        let settings = &self.worker.shared.settings;
        let waiting_since = Instant::now();
        timer.as_mut().reset(waiting_since + if self.inbox.is_empty() { patience } else { settings.head_timeout });
        self.handle.waits();
        let mut seen = 0;
        loop {
            if self.inbox.first() == Some(&VERSION) {
                return if self.begins() { Waited::Socks } else { Waited::Gone };
            }
            match head::end(&self.inbox, seen) {
                Err(fault) => return Waited::Fault(fault),
                Ok(Some(end)) => {
                    claim.settle();
                    return if self.begins() { Waited::Head(end) } else { Waited::Gone };
                }
                Ok(None) => seen = self.inbox.len(),
            }
            let is_first = self.inbox.is_empty();
            if is_first && self.worker.is_stopping() {
                return Waited::Gone;
            }
            let read = poll_fn(|context| {
                if let Poll::Ready(read) = poll_more(context, self.stream, &mut self.inbox) {
                    return Poll::Ready(read);
                }
                // When the process stops, a request that has begun may still come in whole.
                if (is_first || !self.worker.is_stopping()) && self.handle.poll_ended(context).is_ready() {
                    return Poll::Ready(Some(0));
                }
                timer.as_mut().poll(context).map(|()| None)
            });
            match read.await {
                None if is_first => return Waited::Gone,
                None => return Waited::Slow,
                Some(0) => return Waited::Gone,
                Some(_) if !claim.grow(self.inbox.len()) => return Waited::NoMemory,
                Some(_) if is_first && patience > settings.head_timeout => {
                    timer.as_mut().reset(Instant::now() + settings.head_timeout);
                }
                Some(_) => {}
            }
        }
    }

    /// Whether the request that is there may begin: not if its place has become another's.
    fn begins(&self) -> bool {
        self.handle.is_busy() || self.worker.is_stopping()
    }

    /// One request whose head ends there.
    async fn request(&mut self, end: usize, timer: Pin<&mut Sleep>) -> Next {
        let mut inbox = std::mem::take(&mut self.inbox);
        let (head, rest) = inbox.split_at_mut(end);
        let request = match Request::read(head) {
            Ok(request) => request,
            Err(fault) => return self.malformed(fault).await,
        };
        match request.form {
            HeadForm::Absolute(url) => {
                let mut body = Body::new(request.framing, Chunks::Keep);
                let settled = match body.filter(rest) {
                    Ok(settled) => settled,
                    Err(fault) => return self.malformed(fault).await,
                };
                self.inbox = rest[settled.taken..].to_vec();
                let ask = Ask { form: Form::Request, method: request.method, text: url, target: plain(url) };
                match self.judge(&request, ask, body.is_done()).await {
                    None => self.gone(Form::Request),
                    Some(Ruling::Refuse(answer)) => self.refuse(&request, &answer, body.is_done()).await,
                    Some(Ruling::Allow(allowed)) => {
                        let bare = url.len() <= url.find("://").map_or(0, |at| at + 3) + authority_length(url);
                        let mut first = Vec::with_capacity(head.len() + settled.kept);
                        write::request(&mut first, &request, &allowed.target, bare);
                        first.extend_from_slice(&rest[..settled.kept]);
                        let asked = Asked {
                            head_only: request.method == "HEAD",
                            version: request.version,
                            keep_alive: request.keep_alive && !self.worker.is_stopping(),
                        };
                        let sending = forward::Sending {
                            first,
                            body,
                            sent: settled.kept as u64,
                            repeatable: request.is_repeatable(),
                        };
                        drop(inbox);
                        self.forward(asked, sending, *allowed, timer).await
                    }
                }
            }
            HeadForm::Connect(authority) => {
                self.inbox = rest.to_vec();
                let ask = Ask {
                    form: Form::Tunnel,
                    method: request.method,
                    text: authority,
                    target: Target::tunnel(authority),
                };
                match self.judge(&request, ask, true).await {
                    None => self.gone(Form::Tunnel),
                    Some(Ruling::Refuse(answer)) => {
                        self.worker.shared.counters.request(Form::Tunnel, Became::Refused);
                        self.decline(&answer, Manner::Connect).await
                    }
                    Some(Ruling::Allow(allowed)) => {
                        drop(inbox);
                        self.tunnel(*allowed, Manner::Connect).await
                    }
                }
            }
        }
    }

    /// `None` when the client has left meanwhile: a lookup may take its time, and nobody waits for it any more. Of a body
    /// that is under way (not `is_read`) nothing may be read here.
    async fn judge(&mut self, request: &Request<'_>, ask: Ask<'_>, is_read: bool) -> Option<Ruling> {
        let who = Presented {
            peer: self.peer,
            credentials: request.field("proxy-authorization"),
            token: request.field("aiva-decision-token"),
        };
        let judging = self.worker.shared.judge.judge(who, ask);
        match is_read {
            true => unless_gone(self.stream, &mut self.inbox, judging).await,
            false => Some(judging.await),
        }
    }

    /// The client left before anything was decided: there is nobody to answer, and nothing to record.
    fn gone(&self, form: Form) -> Next {
        self.worker.shared.counters.request(form, Became::Failed);
        self.worker.shared.counters.left.inc();
        Next::Close
    }

    /// A request was refused; the connection goes on where all of it has been read.
    async fn refuse(&mut self, request: &Request<'_>, answer: &Answer, is_read: bool) -> Next {
        self.worker.shared.counters.request(Form::Request, Became::Refused);
        if !is_read || !request.keep_alive || self.worker.is_stopping() {
            return self.say(answer, request.method == "HEAD").await;
        }
        self.say_and_stay(answer, request.method == "HEAD").await
    }

    /// Says something after which the connection goes on. A client that does not take it is not waited for.
    async fn say_and_stay(&mut self, answer: &Answer, head_only: bool) -> Next {
        match timeout(LINGER, self.stream.write_all(&answer.bytes(true, head_only))).await {
            Ok(Ok(())) => Next::Request,
            _ => Next::Close,
        }
    }

    async fn malformed(&mut self, fault: Fault) -> Next {
        self.worker.shared.counters.malformed(fault);
        let answer = self.worker.shared.judge.malformed(self.peer, Form::Request, fault).await;
        self.say(&answer, false).await
    }

    async fn too_slow(&mut self) -> Next {
        self.worker.shared.counters.slow.inc();
        let answer = Answer::failed(408, "head-timeout", "the request did not come in time", "http_request_error");
        self.say(&answer, false).await
    }

    async fn no_memory(&mut self) -> Next {
        self.worker.shared.counters.no_head_memory();
        let detail = "too many long requests are unfinished: try again";
        self.say(&Answer::failed(503, HEAD_MEMORY, detail, "proxy_internal_error").retry_after(1), false).await
    }

    /// Ends the connection after its last answer; where the client may still be sending, by listening for a while.
    async fn close(&mut self, is_read: bool) -> Next {
        if is_read {
            return Next::Close;
        }
        let drained = async {
            self.stream.shutdown().await?;
            let mut buffer = Buffer::take();
            while self.stream.read(&mut buffer).await? > 0 {}
            std::io::Result::Ok(())
        };
        let _over = timeout(LINGER, drained).await;
        Next::Close
    }

    /// Says the last thing on this connection. A client that is still sending is listened to for a while: closing at once
    /// would make its system throw the answer away.
    async fn say(&mut self, answer: &Answer, head_only: bool) -> Next {
        let bytes = answer.bytes(false, head_only);
        match timeout(LINGER, self.stream.write_all(&bytes)).await {
            Ok(Ok(())) => self.close(false).await,
            _ => Next::Close,
        }
    }
}

/// Reads once into the inbox: how many bytes, `None` when the connection is broken (told as its end).
fn poll_more(context: &mut Context<'_>, stream: &mut Stream, inbox: &mut Vec<u8>) -> Poll<Option<usize>> {
    ready!(stream.poll_readable(context));
    let mut buffer = Buffer::take();
    // A head is never longer, and a body is read by whoever moves it.
    let room = (head::MOST_BYTES - inbox.len().min(head::MOST_BYTES - 1)).min(buffer.len());
    let mut into = ReadBuf::new(&mut buffer[..room]);
    match ready!(Pin::new(stream).poll_read(context, &mut into)) {
        Ok(()) => {
            inbox.extend_from_slice(into.filled());
            Poll::Ready(Some(into.filled().len()))
        }
        Err(_) => Poll::Ready(Some(0)),
    }
}

/// What may be asked of a plain forward proxy: `http`, and no credentials of the origin in the address.
fn plain(url: &str) -> Result<Target, Reason> {
    let target = Target::parse(url)?;
    match (target.scheme(), target.credentials()) {
        (Scheme::Https, _) => Err(Reason::Scheme),
        (_, Some(_)) => Err(Reason::Credentials),
        (Scheme::Http, None) => Ok(target),
    }
}

fn authority_length(url: &str) -> usize {
    let rest = url.find("://").map_or("", |at| &url[at + 3..]);
    rest.find(['/', '?']).unwrap_or(rest.len())
}
