//! Carries a tunnel's bytes both ways until both sides are done.
//!
//! Promises: one side's end is passed on and the other may go on talking (half-close); a tunnel in which nothing stirs for
//! the idle time is closed; an idle one costs no buffer and only a small future. Start reading at [`Relay::run`].

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::proxy::body::{Body, Chunks};
use crate::proxy::head::Framing;
use crate::proxy::pump::{Jam, Pump};
use crate::proxy::stream::Link;

/// How a tunnel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Both sides said all they had.
    Closed,
    /// One side's connection broke.
    Broken,
    /// Nothing stirred for too long.
    Idle,
    /// It was open for as long as it may be.
    TooLong,
    /// It carried as many bytes as it may.
    TooMuch,
    /// The process goes down, or the policy no longer allows it.
    Ended,
}

impl End {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Broken => "broken",
            Self::Idle => "idle",
            Self::TooLong => "too-long",
            Self::TooMuch => "too-much",
            Self::Ended => "ended",
        }
    }
}

/// The bounds of one tunnel.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long nothing may stir; it may be up to half as long again until that is seen.
    pub idle: Duration,
    /// When it ends at the latest.
    pub until: Option<Instant>,
    /// The most bytes in each direction.
    pub bytes: u64,
}

/// Two directions between two connections.
pub struct Relay {
    up: Pump,
    down: Pump,
    up_closed: bool,
    down_closed: bool,
}

impl Relay {
    /// Starts with bytes that the client has sent already.
    pub fn new(first: Vec<u8>, bounds: &Bounds) -> Self {
        let endless = || Body::new(Framing::UntilClose, Chunks::Keep);
        let sent = first.len() as u64;
        let mut up = Pump::new(first, endless(), bounds.bytes);
        up.count(sent);
        let down = Pump::new(Vec::new(), endless(), bounds.bytes);
        Self { up, down, up_closed: false, down_closed: false }
    }

    /// Bytes from the client, and to it.
    pub fn moved(&self) -> (u64, u64) {
        (self.up.moved(), self.down.moved())
    }

    /// Carries until the end. `ended` resolves when somebody wants it to end, and says as what that counts.
    pub async fn run<C: Link, O: Link>(
        &mut self,
        client: &mut C,
        origin: &mut O,
        bounds: Bounds,
        ended: impl Future<Output = End>,
    ) -> End {
        let mut ended = pin!(ended);
        let mut timer = pin!(sleep_until(Instant::now() + bounds.idle / 2));
        let mut quiet = 0_u8;
        poll_fn(|context| {
            if let Poll::Ready(end) = self.poll_both(context, client, origin) {
                return Poll::Ready(end);
            }
            if let Poll::Ready(end) = ended.as_mut().poll(context) {
                return Poll::Ready(end);
            }
            self.poll_time(context, timer.as_mut(), &mut quiet, bounds)
        })
        .await
    }

    fn poll_both<C: Link, O: Link>(&mut self, context: &mut Context<'_>, client: &mut C, origin: &mut O) -> Poll<End> {
        let up = match self.up_closed {
            true => Poll::Ready(Ok(())),
            false => one_way(&mut self.up, context, client, origin, self.down_closed),
        };
        self.up_closed |= matches!(up, Poll::Ready(Ok(())));
        let down = match self.down_closed {
            true => Poll::Ready(Ok(())),
            false => one_way(&mut self.down, context, origin, client, self.up_closed),
        };
        self.down_closed |= matches!(down, Poll::Ready(Ok(())));
        match (up, down) {
            (Poll::Ready(Err(end)), _) | (_, Poll::Ready(Err(end))) => Poll::Ready(end),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(End::Closed),
            _ => Poll::Pending,
        }
    }

    /// Looks twice in each idle time whether anything has stirred: cheaper than to move a deadline with every byte.
    fn poll_time(
        &mut self,
        context: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        quiet: &mut u8,
        bounds: Bounds,
    ) -> Poll<End> {
        loop {
            ready!(timer.as_mut().poll(context));
            let now = Instant::now();
            if bounds.until.is_some_and(|until| now >= until) {
                return Poll::Ready(End::TooLong);
            }
            let stirred = self.up.has_stirred() | self.down.has_stirred();
            *quiet = if stirred { 0 } else { *quiet + 1 };
            if *quiet == 2 {
                return Poll::Ready(End::Idle);
            }
            let next = now + bounds.idle / 2;
            timer.as_mut().reset(bounds.until.map_or(next, |until| next.min(until)));
        }
    }
}

/// `is_last`: the other direction has ended, so both connections are closed right after this one.
fn one_way<R: Link, W: Link>(
    pump: &mut Pump,
    context: &mut Context<'_>,
    from: &mut R,
    to: &mut W,
    is_last: bool,
) -> Poll<Result<(), End>> {
    if let Err(jam) = ready!(pump.poll(context, from, to)) {
        return Poll::Ready(Err(match jam {
            Jam::TooMuch => End::TooMuch,
            Jam::Read(_) | Jam::Write(_) | Jam::Fault(_) => End::Broken,
        }));
    }
    if is_last && to.is_ended_by_closing() {
        return Poll::Ready(Ok(()));
    }
    match ready!(Pin::new(to).poll_shutdown(context)) {
        // The other side is gone already, which is what shutting down is for.
        Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(End::Broken)),
        _ => Poll::Ready(Ok(())),
    }
}
