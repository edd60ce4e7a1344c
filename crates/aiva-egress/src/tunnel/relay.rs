//! Carries a tunnel's bytes both ways until both sides are done.
//!
//! Promises: one side's end is passed on and the other may go on talking (half-close); a tunnel in which nothing stirs for
//! the idle time is closed; an idle one costs no buffer and only a small future. Mostly both sides end at nearly the same
//! time, and then closing says it all: so the first end is passed on one turn later. Start reading at [`Relay::run`].

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
    up: Way,
    down: Way,
    /// Whether the first end has had its turn.
    has_waited: bool,
}

/// One direction.
struct Way {
    pump: Pump,
    flow: Flow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Open,
    /// The sender has said all, and all of it is through; the receiver does not know that yet.
    Said,
    /// It does.
    Told,
}

/// What comes of moving what can be moved.
enum Step {
    End(End),
    /// One side has ended; the other may have as well by the next turn.
    Wait,
}

impl Relay {
    /// Starts with bytes that the client has sent already.
    pub fn new(first: Vec<u8>, bounds: &Bounds) -> Self {
        let endless = || Body::new(Framing::UntilClose, Chunks::Keep);
        let sent = first.len() as u64;
        let mut up = Pump::new(first, endless(), bounds.bytes);
        up.count(sent);
        let down = Pump::new(Vec::new(), endless(), bounds.bytes);
        let way = |pump| Way { pump, flow: Flow::Open };
        Self { up: way(up), down: way(down), has_waited: false }
    }

    /// Bytes from the client, and to it.
    pub fn moved(&self) -> (u64, u64) {
        (self.up.pump.moved(), self.down.pump.moved())
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
        loop {
            let step = poll_fn(|context| {
                match self.poll_ways(context, client, origin) {
                    Err(end) => return Poll::Ready(Step::End(end)),
                    Ok(Poll::Ready(step)) => return Poll::Ready(step),
                    Ok(Poll::Pending) => {}
                }
                if let Poll::Ready(end) = ended.as_mut().poll(context) {
                    return Poll::Ready(Step::End(end));
                }
                self.poll_time(context, timer.as_mut(), &mut quiet, bounds).map(Step::End)
            });
            match step.await {
                Step::End(end) => return end,
                Step::Wait => tokio::task::yield_now().await,
            }
        }
    }

    fn poll_ways<C: Link, O: Link>(
        &mut self,
        context: &mut Context<'_>,
        client: &mut C,
        origin: &mut O,
    ) -> Result<Poll<Step>, End> {
        self.up.moves(context, client, origin)?;
        self.down.moves(context, origin, client)?;
        let (up, down) = (self.up.flow, self.down.flow);
        if (up, down) == (Flow::Open, Flow::Open) {
            return Ok(Poll::Pending);
        }
        let is_over = up != Flow::Open && down != Flow::Open;
        if !is_over && !std::mem::replace(&mut self.has_waited, true) {
            return Ok(Poll::Ready(Step::Wait));
        }
        let up = (is_over && origin.is_ended_by_closing()) || self.up.tells(context, origin)?;
        let down = (is_over && client.is_ended_by_closing()) || self.down.tells(context, client)?;
        Ok(if is_over && up && down { Poll::Ready(Step::End(End::Closed)) } else { Poll::Pending })
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
            let stirred = self.up.pump.has_stirred() | self.down.pump.has_stirred();
            *quiet = if stirred { 0 } else { *quiet + 1 };
            if *quiet == 2 {
                return Poll::Ready(End::Idle);
            }
            let next = now + bounds.idle / 2;
            timer.as_mut().reset(bounds.until.map_or(next, |until| next.min(until)));
        }
    }
}

impl Way {
    /// Moves what can be moved.
    fn moves<R: Link, W: Link>(&mut self, context: &mut Context<'_>, from: &mut R, to: &mut W) -> Result<(), End> {
        if self.flow != Flow::Open {
            return Ok(());
        }
        match self.pump.poll(context, from, to) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.flow = Flow::Said,
            Poll::Ready(Err(Jam::TooMuch)) => return Err(End::TooMuch),
            Poll::Ready(Err(Jam::Read(_) | Jam::Write(_) | Jam::Fault(_))) => return Err(End::Broken),
        }
        Ok(())
    }

    /// Tells the receiver that no more comes, once that is so; whether it has been told.
    fn tells<W: Link>(&mut self, context: &mut Context<'_>, to: &mut W) -> Result<bool, End> {
        if self.flow != Flow::Said {
            return Ok(self.flow == Flow::Told);
        }
        match Pin::new(to).poll_shutdown(context) {
            Poll::Pending => return Ok(false),
            // The other side is gone already, which is what telling it is for.
            Poll::Ready(Err(error)) if error.kind() != io::ErrorKind::NotConnected => return Err(End::Broken),
            Poll::Ready(_) => self.flow = Flow::Told,
        }
        Ok(true)
    }
}
