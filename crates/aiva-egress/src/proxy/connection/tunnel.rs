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
use super::super::stream::Link;
use super::super::upstream::reach;
use super::super::worker::Worker;
use super::forward::{CLIENT_GONE, told, unreachable};
use super::{Connection, Next};
use crate::decision::INSPECTION;
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
    /// What the client has sent behind its request, hoping that it is allowed, is in the inbox.
    pub(super) async fn tunnel(&mut self, allowed: Allowed, manner: Manner) -> Next {
        let mut first = std::mem::take(&mut self.inbox);
        let reached = match reach_for(self.worker, self.stream, &mut first, &allowed).await {
            Ok(reached) => reached,
            Err(Unopened::Gone) => return Next::Close,
            Err(Unopened::Failed(answer)) => return self.decline(&answer, manner).await,
        };
        let established = match manner {
            Manner::Connect => ESTABLISHED,
            Manner::Socks => &socks::reply(0),
        };
        if self.stream.write_all(established).await.is_err() {
            broke(self.worker, reached.0, &allowed);
            return Next::Close;
        }
        match look_inside(self.worker, self.stream, self.handle, reached, first, allowed).await {
            Some(tunnel) => Next::Tunnel(tunnel),
            None => self.close(false).await,
        }
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
}

/// Why there is no connection for a tunnel.
pub(in crate::proxy) enum Unopened {
    /// The client left.
    Gone,
    /// This is to be said.
    Failed(Box<Answer>),
}

/// A connection for an allowed tunnel, as long as the client waits; what it sends meanwhile goes to `first`. Where there is
/// none, the permit has been told.
pub(in crate::proxy) async fn reach_for<C: Link>(
    worker: &Worker,
    client: &mut C,
    first: &mut Vec<u8>,
    allowed: &Allowed,
) -> Result<(SocketAddr, Origin), Unopened> {
    let counters = worker.shared.counters;
    match unless_gone(client, first, reach(&*worker.shared.dial, allowed)).await {
        Some(Ok(reached)) => Ok(reached),
        Some(Err(error)) => {
            counters.request(Form::Tunnel, Became::Failed);
            let answer = unreachable(allowed, &error);
            let (failure, upstream) = (Some(answer.reason.clone()), told(&error));
            let status = Some(answer.status);
            allowed.permit.finish(&Finished { status, failure, upstream, ..Finished::default() });
            Err(Unopened::Failed(Box::new(answer)))
        }
        None => {
            counters.request(Form::Tunnel, Became::Failed);
            allowed.permit.finish(&Finished { failure: Some(CLIENT_GONE.to_owned()), ..Finished::default() });
            Err(Unopened::Gone)
        }
    }
}

/// From now on a new policy ends the tunnel. One that came while it was being opened has not seen it.
fn watch(handle: &Handle, permit: &Arc<dyn Permit>, address: SocketAddr) {
    handle.carries(Arc::clone(permit), address);
    if !permit.holds(address) {
        handle.end();
    }
}

/// A side broke before the tunnel stood.
pub(in crate::proxy) fn broke(worker: &Worker, address: SocketAddr, allowed: &Allowed) {
    worker.shared.counters.request(Form::Tunnel, Became::Failed);
    let (connected, end) = (Some(address), Some(End::Broken));
    allowed.permit.finish(&Finished { connected, end, ..Finished::default() });
}

/// Looks at what a granted tunnel opens with, where the role wants that; `None` where that ends it, or a new policy does, of
/// which the permit and, as far as its language has words, the client have been told.
pub(in crate::proxy) async fn look_inside<C: Link>(
    worker: &Worker,
    client: &mut C,
    handle: &Handle,
    (address, mut origin): (SocketAddr, Origin),
    mut first: Vec<u8>,
    allowed: Allowed,
) -> Option<Box<Tunnel>> {
    let mut opening = None;
    if !allowed.inspection.is_off() {
        let allows = |name: &str| allowed.permit.allows_name(name);
        let host = allowed.target.host();
        watch(handle, &allowed.permit, address);
        let looking = open::open(&allowed.inspection, host, allows, client, &mut origin, &mut first);
        let looked = tokio::select! {
            biased;
            () = handle.ended() => {
                worker.shared.counters.request(Form::Tunnel, Became::Failed);
                let (connected, end) = (Some(address), Some(End::Ended));
                allowed.permit.finish(&Finished { connected, end, ..Finished::default() });
                return None;
            }
            looked = looking => looked,
        };
        match looked {
            Ok(seen) if seen.is_refused() => {
                refuse_opening(worker, client, &seen, address, &allowed).await;
                return None;
            }
            Ok(seen) => opening = Some(Box::new(seen)),
            Err(_) => {
                broke(worker, address, &allowed);
                return None;
            }
        }
    }
    worker.shared.counters.request(Form::Tunnel, Became::Done);
    Some(Box::new(Tunnel {
        origin,
        first,
        address,
        upstream: allowed.upstream.map(|upstream| Arc::clone(upstream.name())),
        permit: allowed.permit,
        bounds: allowed.bounds,
        opening,
    }))
}

async fn refuse_opening<C: Link>(
    worker: &Worker,
    client: &mut C,
    opening: &Opening,
    address: SocketAddr,
    allowed: &Allowed,
) {
    worker.shared.counters.request(Form::Tunnel, Became::Refused);
    let id = allowed.permit.id();
    let answer = |finding: &crate::tunnel::inspect::Finding| {
        let detail = format!("the tunnel may carry TLS for its own name only, not {}", finding.what);
        Answer::denied(INSPECTION, finding.reason, &id, detail).bytes(false, false)
    };
    open::refuse(client, opening, answer).await;
    let refused = opening.findings.iter().find(|finding| finding.enforced);
    allowed.permit.finish(&Finished {
        connected: Some(address),
        failure: refused.map(|finding| finding.reason.to_owned()),
        ..found(Some(opening))
    });
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
    /// Carries it until it ends; `ended` resolves when somebody wants it to.
    pub async fn carry<C: Link>(
        mut self: Box<Self>,
        client: &mut C,
        handle: &Handle,
        counters: &Counters,
        ended: impl Future<Output = End>,
    ) -> End {
        watch(handle, &self.permit, self.address);
        counters.tunnels.inc();
        let bounds = Bounds {
            idle: self.bounds.idle,
            until: self.bounds.tunnel.map(|longest| Instant::now() + longest),
            bytes: self.bounds.bytes,
        };
        let mut relay = Relay::new(std::mem::take(&mut self.first), &bounds);
        let end = relay.run(client, &mut self.origin, bounds, ended).await;
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
        end
    }
}
