//! Forwards one allowed request, over a connection that waited or a new one.

use std::io;
use std::pin::Pin;

use tokio::time::Sleep;

use super::super::ahead::unless_gone;
use super::super::answer::Answer;
use super::super::body::{Body, Chunks};
use super::super::exchange::{self, Asked, Exchange, Outcome, Trouble};
use super::super::head::Framing;
use super::super::judge::{Allowed, Finished, Form};
use super::super::metrics::Became;
use super::super::origin::Origin;
use super::super::pool::Key;
use super::super::pump::Pump;
use super::super::upstream::{Trouble as UpstreamTrouble, Unreached, reach};
use super::super::worker::Worker;
use super::{Connection, Next};

/// The most bytes of a request's body, whatever the role says about answers.
const MOST_SENT: u64 = u64::MAX;

/// The word in the record of a request whose client did not wait.
pub(super) const CLIENT_GONE: &str = "client-gone";

/// What goes to the origin.
pub(super) struct Sending {
    /// The head, and what of the body came with it.
    pub(super) first: Vec<u8>,
    /// The rest of the body.
    pub(super) body: Body,
    /// How much of the body came with the head.
    pub(super) sent: u64,
    /// Whether it may be sent twice.
    pub(super) repeatable: bool,
}

impl Connection<'_> {
    pub(super) async fn forward(
        &mut self,
        asked: Asked,
        sending: Sending,
        allowed: Allowed,
        mut timer: Pin<&mut Sleep>,
    ) -> Next {
        let bounds = exchange::Bounds {
            first_byte: allowed.bounds.first_byte,
            idle: allowed.bounds.idle,
            total: allowed.bounds.request,
            answer: allowed.bounds.bytes,
            request: MOST_SENT,
        };
        let waiting = self.worker.pool.take(&allowed);
        let again = (waiting.is_some() && sending.repeatable).then(|| sending.first.clone());
        let reused = waiting.is_some();
        let (mut key, mut origin) = match waiting {
            Some(found) => found,
            None => {
                let connecting = connect_to(self.worker, &allowed);
                // Of a body that is under way nothing may be read here.
                let made = match sending.body.is_done() {
                    true => unless_gone(self.stream, &mut self.inbox, connecting).await,
                    false => Some(connecting.await),
                };
                match made {
                    Some(Ok(made)) => made,
                    Some(Err(error)) => return self.unreachable(asked, &sending, &allowed, &error).await,
                    None => return self.left(Form::Request, &allowed),
                }
            }
        };
        let is_read = sending.body.is_done();
        let mut upload = Pump::new(sending.first, sending.body, bounds.request);
        upload.count(sending.sent);
        let mut outcome =
            Exchange::new(asked, upload, bounds.answer).run(self.stream, &mut origin, &bounds, timer.as_mut()).await;
        // An idle connection may close in the very moment in which it is used.
        if let (Some(first), Some(Trouble::Origin(_)), false) = (again, &outcome.trouble, outcome.origin_spoke) {
            (key, origin) = match connect_to(self.worker, &allowed).await {
                Ok(made) => made,
                Err(error) => {
                    let sending = Sending { first, body: empty(), sent: 0, repeatable: false };
                    return self.unreachable(asked, &sending, &allowed, &error).await;
                }
            };
            let upload = Pump::new(first, empty(), bounds.request);
            let ahead = std::mem::take(&mut outcome.rest);
            outcome = Exchange::new(asked, upload, bounds.answer).run(self.stream, &mut origin, &bounds, timer).await;
            outcome.rest.splice(0..0, ahead);
        } else if reused && outcome.trouble.is_none() {
            self.worker.shared.counters.reused.inc();
        }
        self.finish(asked, outcome, is_read, key, origin, &allowed).await
    }

    /// The client left while a connection was being made for it.
    pub(super) fn left(&self, form: Form, allowed: &Allowed) -> Next {
        self.worker.shared.counters.request(form, Became::Failed);
        allowed.permit.finish(&Finished { failure: Some(CLIENT_GONE.to_owned()), ..Finished::default() });
        Next::Close
    }

    /// There is no connection to the origin.
    async fn unreachable(&mut self, asked: Asked, sending: &Sending, allowed: &Allowed, error: &Unreached) -> Next {
        self.worker.shared.counters.request(Form::Request, Became::Failed);
        let answer = unreachable(allowed, error);
        let failure = Some(answer.reason.clone());
        let upstream = told(error);
        allowed.permit.finish(&Finished { status: Some(answer.status), failure, upstream, ..Finished::default() });
        if !sending.body.is_done() || !asked.keep_alive {
            return self.say(&answer, asked.head_only).await;
        }
        self.say_and_stay(&answer, asked.head_only).await
    }

    async fn finish(
        &mut self,
        asked: Asked,
        outcome: Outcome,
        is_read: bool,
        key: Key,
        origin: Origin,
        allowed: &Allowed,
    ) -> Next {
        let counters = self.worker.shared.counters;
        let (sent, received) = outcome.moved;
        counters.sent.inc_by(sent);
        counters.received.inc_by(received);
        let mut finished = Finished {
            connected: Some(key.address),
            upstream: key.upstream.as_deref().map(str::to_owned),
            status: outcome.status,
            sent,
            received,
            ..Finished::default()
        };
        let Some(trouble) = &outcome.trouble else {
            counters.request(Form::Request, Became::Done);
            allowed.permit.finish(&finished);
            if outcome.origin_reusable {
                self.worker.pool.put(key, origin);
            }
            if outcome.client_reusable {
                self.inbox.extend_from_slice(&outcome.rest);
                return Next::Request;
            }
            return self.close(is_read && outcome.rest.is_empty()).await;
        };
        counters.request(Form::Request, Became::Failed);
        let answer = explain(trouble).with_id(&allowed.permit.id());
        finished.failure = Some(answer.reason.clone());
        match trouble {
            // Nobody is there to hear it.
            Trouble::Client => {
                allowed.permit.finish(&finished);
                Next::Close
            }
            _ if outcome.answered => {
                allowed.permit.finish(&finished);
                self.stream.abort();
                Next::Close
            }
            _ => {
                finished.status = Some(answer.status);
                allowed.permit.finish(&finished);
                self.say(&answer, asked.head_only).await
            }
        }
    }
}

async fn connect_to(worker: &Worker, allowed: &Allowed) -> Result<(Key, Origin), Unreached> {
    let (address, origin) = reach(&*worker.shared.dial, allowed).await?;
    Ok((Key::of(allowed, address), origin))
}

fn empty() -> Body {
    Body::new(Framing::Empty, Chunks::Keep)
}

/// What a caller is told when no connection could be made; the addresses are the record's business.
pub(super) fn unreachable(allowed: &Allowed, unreached: &Unreached) -> Answer {
    let origin = allowed.target.origin();
    let (status, reason, what, proxy_error) = match unreached {
        Unreached::Direct(error) => direct(error),
        Unreached::Through(_, trouble) => through(trouble),
    };
    Answer::failed(status, reason, format!("{origin} is allowed but {what}"), proxy_error).with_id(&allowed.permit.id())
}

type Told = (u16, &'static str, &'static str, &'static str);

fn direct(error: &io::Error) -> Told {
    match error.kind() {
        io::ErrorKind::TimedOut => (504, "connect-timeout", "did not answer in time", "connection_timeout"),
        io::ErrorKind::ConnectionRefused => (502, "connection-refused", "refused the connection", "connection_refused"),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable => {
            (502, "unreachable", "cannot be reached from here", "destination_ip_unroutable")
        }
        _ => (502, "connect-failed", "could not be connected to", "destination_unavailable"),
    }
}

/// With which status it refused is for operators.
fn through(trouble: &UpstreamTrouble) -> Told {
    let (status, what, proxy_error) = match trouble {
        UpstreamTrouble::Unresolved(_) | UpstreamTrouble::Connect(_) => {
            (502, "the proxy on the way out cannot be reached", "destination_unavailable")
        }
        UpstreamTrouble::Tls(_) => (502, "TLS to the proxy on the way out fails", "tls_protocol_error"),
        UpstreamTrouble::Slow => (504, "the proxy on the way out did not answer in time", "connection_timeout"),
        UpstreamTrouble::Closed(_) => {
            (502, "the proxy on the way out closed without an answer", "connection_terminated")
        }
        UpstreamTrouble::Malformed => (502, "the proxy on the way out gave no sensible answer", "http_protocol_error"),
        UpstreamTrouble::Credentials => (502, "the proxy on the way out does not know us", "destination_unavailable"),
        UpstreamTrouble::Refused(_) => (502, "the proxy on the way out refused it", "destination_unavailable"),
    };
    (status, trouble.word(), what, proxy_error)
}

/// What operators are told of an upstream in the record.
pub(super) fn told(unreached: &Unreached) -> Option<String> {
    match unreached {
        Unreached::Direct(_) => None,
        Unreached::Through(upstream, UpstreamTrouble::Refused(status)) => {
            Some(format!("{}: {status}", upstream.name()))
        }
        Unreached::Through(upstream, UpstreamTrouble::Credentials) => Some(format!("{}: 407", upstream.name())),
        Unreached::Through(upstream, _) => Some(upstream.name().to_string()),
    }
}

fn explain(trouble: &Trouble) -> Answer {
    match trouble {
        Trouble::Origin(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Answer::failed(502, "origin-closed", "the origin closed without an answer", "http_response_incomplete")
        }
        Trouble::Origin(_) => {
            Answer::failed(502, "origin-broke", "the connection to the origin broke", "connection_terminated")
        }
        Trouble::Answer(fault) => Answer::bad_origin(*fault),
        Trouble::TooLarge => Answer::failed(
            502,
            "answer-too-large",
            "the origin's answer is larger than allowed",
            "http_response_body_size",
        ),
        Trouble::Slow => {
            Answer::failed(504, "origin-timeout", "the origin did not answer in time", "http_response_timeout")
        }
        Trouble::Request(fault) => Answer::malformed(*fault),
        Trouble::RequestTooLarge => {
            Answer::failed(413, "request-too-large", "the request is larger than allowed", "http_request_error")
        }
        Trouble::Client => Answer::failed(400, CLIENT_GONE, "the client has gone", "http_request_error"),
    }
}
