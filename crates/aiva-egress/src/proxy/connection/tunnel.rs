//! Opens one allowed tunnel, looks at what it starts with, and carries it.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::super::ahead::unless_gone;
use super::super::answer::Answer;
use super::super::handles::Handle;
use super::super::judge::{self, Allowed, Finished, Form, Permit};
use super::super::metrics::{Became, Counters};
use super::super::origin::Origin;
use super::super::socks;
use super::super::stream::Stream;
use super::super::upstream::reach;
use super::forward::{told, unreachable};
use super::{Connection, Next};
use crate::tunnel::inspect::Opening;
use crate::tunnel::open;
use crate::tunnel::relay::{Bounds, End, Relay};

/// How the client asked for a tunnel, and is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// HTTP's CONNECT.
    Connect,
    /// SOCKS5.
    Socks,
}

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

impl Connection<'_> {
    /// `first` is what the client has sent behind its request, hoping that it is allowed.
    pub(super) async fn tunnel(&mut self, mut first: Vec<u8>, allowed: Allowed, manner: Manner) -> Next {
        let counters = self.worker.shared.counters;
        let connecting = reach(&*self.worker.shared.dial, &allowed);
        let Some(made) = unless_gone(self.stream, &mut first, connecting).await else {
            return self.left(Form::Tunnel, &allowed);
        };
        let (address, mut origin) = match made {
            Ok(made) => made,
            Err(error) => {
                counters.request(Form::Tunnel, Became::Failed);
                let answer = unreachable(&allowed, &error);
                let (failure, upstream) = (Some(answer.reason.clone()), told(&error));
                let status = Some(answer.status);
                allowed.permit.finish(&Finished { status, failure, upstream, ..Finished::default() });
                return self.decline(&answer, manner).await;
            }
        };
        let established = match manner {
            Manner::Connect => ESTABLISHED,
            Manner::Socks => &socks::reply(0),
        };
        if self.stream.write_all(established).await.is_err() {
            counters.request(Form::Tunnel, Became::Failed);
            allowed.permit.finish(&Finished {
                connected: Some(address),
                end: Some(End::Broken),
                ..Finished::default()
            });
            return Next::Close;
        }
        let mut opening = None;
        if !allowed.inspection.is_off() {
            let allows = |name: &str| allowed.permit.allows_name(name);
            let host = allowed.target.host();
            let seen = open::open(&allowed.inspection, host, allows, self.stream, &mut origin, &mut first).await;
            match seen {
                Ok(seen) if seen.is_refused() => return self.refuse_opening(&seen, address, &allowed).await,
                Ok(seen) => opening = Some(Box::new(seen)),
                Err(_) => {
                    counters.request(Form::Tunnel, Became::Failed);
                    let end = Some(End::Broken);
                    allowed.permit.finish(&Finished { connected: Some(address), end, ..Finished::default() });
                    return Next::Close;
                }
            }
        }
        counters.request(Form::Tunnel, Became::Done);
        Next::Tunnel(Box::new(Tunnel {
            origin,
            first,
            address,
            upstream: allowed.upstream.map(|upstream| Arc::clone(upstream.name())),
            permit: allowed.permit,
            bounds: allowed.bounds,
            opening,
        }))
    }

    /// There will be no tunnel; nothing more is read as a request.
    pub(super) async fn decline(&mut self, answer: &Answer, manner: Manner) -> Next {
        match manner {
            Manner::Connect => self.say(answer, false).await,
            Manner::Socks => match self.stream.write_all(&socks::reply(socks::code(answer))).await {
                Ok(()) => self.close(false).await,
                Err(_) => Next::Close,
            },
        }
    }

    async fn refuse_opening(&mut self, opening: &Opening, address: SocketAddr, allowed: &Allowed) -> Next {
        self.worker.shared.counters.request(Form::Tunnel, Became::Refused);
        let id = allowed.permit.id();
        let answer = |finding: &crate::tunnel::inspect::Finding| {
            let detail = format!("the tunnel may carry TLS for its own name only, not {}", finding.what);
            Answer::denied("inspection", finding.reason, &id, detail).bytes(false, false)
        };
        open::refuse(self.stream, opening, answer).await;
        let refused = opening.findings.iter().find(|finding| finding.enforced);
        allowed.permit.finish(&Finished {
            connected: Some(address),
            failure: refused.map(|finding| finding.reason.to_owned()),
            ..found(Some(opening))
        });
        self.close(false).await
    }
}

fn found(opening: Option<&Opening>) -> Finished {
    Finished {
        protocol: opening.map(|opening| opening.protocol),
        name: opening.and_then(|opening| opening.name.clone()),
        findings: opening.map(|opening| opening.findings.clone()).unwrap_or_default(),
        ..Finished::default()
    }
}

/// A tunnel that stands. Nothing of the request that opened it is left.
pub struct Tunnel {
    origin: Origin,
    first: Vec<u8>,
    address: SocketAddr,
    upstream: Option<Arc<str>>,
    permit: Arc<dyn Permit>,
    bounds: judge::Bounds,
    opening: Option<Box<Opening>>,
}

impl Tunnel {
    /// Carries it until it ends.
    pub async fn carry(mut self: Box<Self>, client: &mut Stream, handle: &Handle, counters: &Counters) {
        handle.carries(Arc::clone(&self.permit), self.address);
        // A policy that came while the tunnel was being opened has not seen it.
        if !self.permit.holds(self.address) {
            handle.end();
        }
        counters.tunnels.inc();
        let bounds = Bounds {
            idle: self.bounds.idle,
            until: self.bounds.tunnel.map(|longest| Instant::now() + longest),
            bytes: self.bounds.bytes,
        };
        let mut relay = Relay::new(std::mem::take(&mut self.first), &bounds);
        let end = relay.run(client, &mut self.origin, bounds, handle.ended()).await;
        counters.tunnels.dec();
        counters.ended(end);
        let (sent, received) = relay.moved();
        counters.sent.inc_by(sent);
        counters.received.inc_by(received);
        self.permit.finish(&Finished {
            connected: Some(self.address),
            upstream: self.upstream.as_deref().map(str::to_owned),
            status: Some(200),
            sent,
            received,
            end: Some(end),
            ..found(self.opening.as_deref())
        });
    }
}
