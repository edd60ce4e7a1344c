//! A client that speaks SOCKS5 instead of HTTP: greeting, perhaps a password, one request, then a tunnel.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use aiva_outbound::Target;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Sleep;

use super::super::ahead::unless_gone;
use super::super::fault::Fault;
use super::super::judge::{Ask, Form, Presented, Ruling};
use super::super::metrics::Became;
use super::super::socks::{self, Method, Reading, Wish};
use super::tunnel::Manner;
use super::{Connection, Next, poll_more};

impl Connection<'_> {
    /// Serves it; `timer` is the head's.
    pub(super) async fn socks(&mut self, mut timer: Pin<&mut Sleep>) -> Next {
        match self.negotiate(timer.as_mut()).await {
            Some(next) => next,
            // It stopped, took too long, or spoke something else: there is no word for that in SOCKS.
            None => Next::Close,
        }
    }

    async fn negotiate(&mut self, mut timer: Pin<&mut Sleep>) -> Option<Next> {
        let method = self.step(timer.as_mut(), socks::greeting).await?;
        self.stream.write_all(&[socks::VERSION, method as u8]).await.ok()?;
        let credentials = match method {
            Method::Unknown => return None,
            Method::Nothing => None,
            Method::Password => {
                let pair = self.step(timer.as_mut(), socks::password).await?;
                let credentials = format!("Basic {}", STANDARD.encode(pair)).into_bytes();
                let who = Presented { peer: self.peer, credentials: Some(&credentials), token: None };
                let is_stranger = self.worker.shared.judge.stranger(who, Form::Tunnel).await.is_some();
                // RFC 1929: any other status than 0 ends the connection.
                self.stream.write_all(&[1, u8::from(is_stranger)]).await.ok()?;
                if is_stranger {
                    self.worker.shared.counters.request(Form::Tunnel, Became::Refused);
                    return Some(self.close(false).await);
                }
                Some(credentials)
            }
        };
        let authority = match self.step(timer, socks::request).await? {
            Wish::Tunnel(authority) => authority,
            Wish::Other(code) => {
                self.worker.shared.counters.malformed(Fault::SocksCommand);
                let _told = self.worker.shared.judge.malformed(self.peer, Form::Tunnel, Fault::SocksCommand).await;
                self.stream.write_all(&socks::reply(code)).await.ok()?;
                return Some(self.close(false).await);
            }
        };
        let who = Presented { peer: self.peer, credentials: credentials.as_deref(), token: None };
        let ask = Ask { form: Form::Tunnel, method: "CONNECT", text: &authority, target: Target::tunnel(&authority) };
        let judging = self.worker.shared.judge.judge(who, ask);
        match unless_gone(self.stream, &mut self.inbox, judging).await {
            None => Some(self.gone(Form::Tunnel)),
            Some(Ruling::Allow(allowed)) => Some(self.tunnel(*allowed, Manner::Socks).await),
            Some(Ruling::Refuse(answer)) => {
                self.worker.shared.counters.request(Form::Tunnel, Became::Refused);
                Some(self.decline(&answer, Manner::Socks).await)
            }
        }
    }

    /// One step of the conversation.
    async fn step<T>(&mut self, mut timer: Pin<&mut Sleep>, read: impl Fn(&[u8]) -> Reading<T>) -> Option<T> {
        loop {
            match read(&self.inbox) {
                Reading::Complete(step, length) => {
                    self.inbox.drain(..length);
                    return Some(step);
                }
                Reading::Malformed => return None,
                Reading::Incomplete => {}
            }
            let more = poll_fn(|context| match poll_more(context, self.stream, &mut self.inbox) {
                Poll::Ready(read) => Poll::Ready(read.filter(|count| *count > 0)),
                Poll::Pending => timer.as_mut().poll(context).map(|()| None),
            });
            more.await?;
        }
    }
}
