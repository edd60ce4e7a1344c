//! One stream: judged, opened, looked at and carried, with an end that the client can tell from any other.
//!
//! Start reading at [`serve`].

use std::sync::atomic::{AtomicBool, Ordering};

use aiva_outbound::Target;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, Request};
use tokio::io::AsyncWriteExt as _;

use super::link::H2Link;
use crate::proxy::ahead::unless_gone;
use crate::proxy::answer::Answer;
use crate::proxy::connection::tunnel::{self, Unopened};
use crate::proxy::fault::Fault;
use crate::proxy::head::IDENTIFYING;
use crate::proxy::judge::{Ask, Form, Peer, Presented, Ruling};
use crate::proxy::metrics::Became;
use crate::proxy::worker::{Worker, full};
use crate::tunnel::relay::End;

/// How a stream ended, as far as its connection cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was served to its end, or answered.
    Done,
    /// The client reset it before there was an answer.
    LeftEarly,
}

/// Serves one stream.
pub(super) async fn serve(
    worker: &Worker,
    peer: &Peer,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) -> Ended {
    let counters = worker.shared.counters;
    let (head, body) = request.into_parts();
    let mut link = H2Link::new(body, respond);
    let fault = match head.method {
        Method::CONNECT if head.headers.contains_key(CONTENT_LENGTH) => Some(Fault::ConnectBody),
        Method::CONNECT if head.headers.contains_key(TRANSFER_ENCODING) => Some(Fault::ConnectBody),
        Method::CONNECT if IDENTIFYING.iter().any(|name| head.headers.get_all(*name).iter().nth(1).is_some()) => {
            Some(Fault::CredentialsRepeated)
        }
        Method::CONNECT => None,
        _ => Some(Fault::Http2Request),
    };
    let authority = head.uri.authority().map(http::uri::Authority::as_str);
    let (fault, authority) = match (fault, authority) {
        (None, Some(authority)) => (None, authority),
        (fault, _) => (Some(fault.unwrap_or(Fault::ConnectTarget)), ""),
    };
    if let Some(fault) = fault {
        counters.malformed(fault);
        let answer = worker.shared.judge.malformed(peer, Form::Tunnel, fault).await;
        return answered(&mut link, &answer);
    }
    // It takes a place like a connection, and its origin has a file.
    let placed = worker.shared.limits.enter().and_then(|mut place| match peer.address {
        Some(source) => place.name(source.ip()).map(|()| place),
        None => Ok(place),
    });
    let _place = match placed {
        Ok(place) => place,
        Err(reason) => {
            counters.full(reason);
            return answered(&mut link, &full(reason));
        }
    };
    let [credentials, token] = IDENTIFYING.map(|name| head.headers.get(name).map(http::HeaderValue::as_bytes));
    let who = Presented { peer, credentials, token };
    let ask = Ask { form: Form::Tunnel, method: "CONNECT", text: authority, target: Target::tunnel(authority) };
    let mut first = Vec::new();
    let Some(ruling) = unless_gone(&mut link, &mut first, worker.shared.judge.judge(who, ask)).await else {
        counters.request(Form::Tunnel, Became::Failed);
        counters.left.inc();
        return Ended::LeftEarly;
    };
    let allowed = match ruling {
        Ruling::Allow(allowed) => *allowed,
        Ruling::Refuse(answer) => {
            counters.request(Form::Tunnel, Became::Refused);
            return answered(&mut link, &answer);
        }
    };
    let (address, origin) = match tunnel::reach_for(worker, &mut link, &mut first, &allowed).await {
        Ok(reached) => reached,
        Err(Unopened::Gone) => return Ended::LeftEarly,
        Err(Unopened::Failed(answer)) => return answered(&mut link, &answer),
    };
    let Ok(sender) = link.grant() else {
        tunnel::broke(worker, address, &allowed);
        return Ended::LeftEarly;
    };
    let registration = worker.register();
    let handle = &registration.handle;
    let looked = tunnel::look_inside(worker, &mut link, handle, (address, origin), first, allowed).await;
    let Some(tunnel) = looked else {
        // In order, so that what the client was told of it still arrives.
        let _gone = link.shutdown().await;
        return Ended::Done;
    };
    let reset = AtomicBool::new(false);
    let ended = async {
        tokio::select! {
            () = handle.ended() => End::Ended,
            // A client that has said all it had is seen to leave only here.
            () = sender.reset() => {
                reset.store(true, Ordering::Relaxed);
                End::Broken
            }
        }
    };
    let end = tunnel.carry(&mut link, handle, counters, ended).await;
    match end {
        End::Closed => {}
        _ if reset.load(Ordering::Relaxed) => {}
        // RFC 9113 section 8.5: what happens to the TCP connection is an error of this stream.
        End::Broken => sender.abort(Reason::CONNECT_ERROR),
        End::Idle | End::TooLong | End::TooMuch | End::Ended => sender.abort(Reason::CANCEL),
    }
    Ended::Done
}

fn answered(link: &mut H2Link, answer: &Answer) -> Ended {
    match link.refuse(answer) {
        Ok(()) => Ended::Done,
        Err(_) => Ended::LeftEarly,
    }
}
