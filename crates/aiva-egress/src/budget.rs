//! What all callers of a role together may use, in this process.
//!
//! Promises: no lock; what was used outlives a reload that changes the limits; a tunnel gives its place back when it is
//! dropped, whatever became of it. The window slides: in no stretch of time as long as it more is let through than the
//! limit, bytes aside, which are known when they have gone. What is refused is not counted, so that whoever waits gets on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use self::sliding::{PARTS, Sliding};
use crate::config::role::Budgets;
use crate::proxy::judge::Form;

mod sliding;

/// The limits of one role and what it has used. Clones count together.
#[derive(Clone)]
pub struct Budget {
    requests: Option<u64>,
    tunnels: Option<u64>,
    bytes: Option<u64>,
    used: Arc<Used>,
}

/// What a role has used.
#[derive(Default)]
pub struct Used {
    /// Milliseconds of a part of the window; 0 where there is no window yet.
    part: u64,
    /// The latest part that was asked for: a clock that is set back stands still here.
    latest: AtomicU64,
    requests: Sliding,
    bytes: Sliding,
    tunnels: Arc<AtomicU64>,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Requests in this window.
    Requests,
    /// Bytes in this window.
    Bytes,
    /// Tunnels open at once.
    Tunnels,
}

impl Over {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Requests, Self::Bytes, Self::Tunnels];

    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requests => "budget-requests",
            Self::Bytes => "budget-bytes",
            Self::Tunnels => "budget-tunnels",
        }
    }
}

/// A refusal, and after how many seconds another try may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Which limit.
    pub over: Over,
    /// Seconds.
    pub retry_after: u32,
}

/// The place of one tunnel.
pub struct Tunnel(Arc<AtomicU64>);

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Budget {
    /// As configured, on top of what was used before; `None` where nothing is limited.
    pub fn new(config: &Budgets, used: Option<Arc<Used>>) -> Option<Self> {
        let (requests, tunnels, bytes) = (config.requests, config.tunnels, config.bytes.map(|most| most.0));
        if requests.is_none() && tunnels.is_none() && bytes.is_none() {
            return None;
        }
        let window = u64::try_from(config.window.as_millis()).unwrap_or(u64::MAX);
        let part = window.div_ceil(PARTS).max(1);
        let used = match used {
            Some(used) if used.part == part => used,
            // Parts of another length cannot be compared: the window begins anew. Tunnels that are open stay counted.
            before => {
                let tunnels = before.map(|used| Arc::clone(&used.tunnels)).unwrap_or_default();
                Arc::new(Used { part, tunnels, ..Used::default() })
            }
        };
        Some(Self { requests, tunnels, bytes, used })
    }

    /// What was used, for the next configuration.
    pub fn used(&self) -> Arc<Used> {
        Arc::clone(&self.used)
    }

    /// Counts a request or a tunnel; `now` is the time since 1970.
    ///
    /// # Errors
    /// When a limit is reached; then nothing is counted.
    pub fn take(&self, form: Form, now: Duration) -> Result<Option<Tunnel>, Spent> {
        let used = &*self.used;
        let part = used.turn(now);
        let spent = |over, counted: &Sliding, most| Spent { over, retry_after: used.wait(counted, part, most) };
        if let Some(most) = self.bytes.filter(|most| used.bytes.sum(part) >= *most) {
            return Err(spent(Over::Bytes, &used.bytes, most));
        }
        // From here on, dropping the place gives it back.
        let place = (form == Form::Tunnel).then(|| {
            let before = used.tunnels.fetch_add(1, Ordering::Relaxed);
            (before, Tunnel(Arc::clone(&used.tunnels)))
        });
        if place.as_ref().is_some_and(|(before, _)| self.tunnels.is_some_and(|most| *before >= most)) {
            return Err(Spent { over: Over::Tunnels, retry_after: 1 });
        }
        if let Some(most) = self.requests {
            // Counted first, so that of two at once only one can be the last.
            used.requests.add(part, 1);
            if used.requests.sum(part) > most {
                used.requests.take_back(part, 1);
                return Err(spent(Over::Requests, &used.requests, most));
            }
        }
        Ok(place.map(|(_, place)| place))
    }

    /// Counts bytes that went through.
    pub fn spend(&self, bytes: u64, now: Duration) {
        if self.bytes.is_some() {
            self.used.bytes.add(self.used.turn(now), bytes);
        }
    }
}

impl Used {
    /// The part of the window that it is now.
    fn turn(&self, now: Duration) -> u64 {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX) / self.part.max(1);
        self.latest.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// The seconds after which there is room again, rounded up.
    fn wait(&self, counted: &Sliding, part: u64, most: u64) -> u32 {
        let parts = counted.parts_until_below(part, most);
        u32::try_from(parts.saturating_mul(self.part).div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use aiva_chassis::config::ByteSize;

    use super::*;

    fn budget(requests: Option<u64>, tunnels: Option<u64>, bytes: Option<u64>) -> Budget {
        let window = Duration::from_secs(60);
        Budget::new(&Budgets { window, requests, tunnels, bytes: bytes.map(ByteSize) }, None).unwrap()
    }

    const AT: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn no_window_wherever_it_begins_has_more_than_the_limit() {
        let budget = budget(Some(2), None, None);
        let over = |at| budget.take(Form::Request, AT(at)).err().map(|spent| spent.over);
        // Just before and just after the end of a minute of the clock.
        assert_eq!([over(658), over(659)], [None, None]);
        assert_eq!([over(660), over(690), over(717)], [Some(Over::Requests); 3]);
        // A sixteenth of the window late, and never early.
        assert_eq!([over(723), over(724), over(725)], [None, None, Some(Over::Requests)]);
        // The clock was set back: that is no new window.
        assert_eq!(over(600), Some(Over::Requests));
    }

    #[test]
    fn whoever_waits_as_long_as_it_is_told_gets_on() {
        let budget = budget(Some(2), None, None);
        assert!([600, 610].iter().all(|at| budget.take(Form::Request, AT(*at)).is_ok()));
        for at in 611..630 {
            let spent = budget.take(Form::Request, AT(at)).err().unwrap();
            assert!((660..=668).contains(&(at + u64::from(spent.retry_after))), "{at}: {spent:?}");
        }
        // All that was refused counts for nothing.
        assert!(budget.take(Form::Request, AT(668)).is_ok());
    }

    #[test]
    fn tunnels_give_their_places_back() {
        let budget = budget(None, Some(1), None);
        let first = budget.take(Form::Tunnel, AT(1)).ok().flatten();
        assert!(first.is_some());
        assert_eq!(budget.take(Form::Tunnel, AT(1)).err().map(|spent| spent.over), Some(Over::Tunnels));
        assert!(budget.take(Form::Request, AT(1)).is_ok());
        drop(first);
        assert!(budget.take(Form::Tunnel, AT(1)).is_ok());
    }

    #[test]
    fn bytes_are_counted_when_they_have_gone_through() {
        let first = budget(None, None, Some(100));
        assert!(first.take(Form::Request, AT(1)).is_ok());
        first.spend(100, AT(2));
        assert_eq!(first.take(Form::Request, AT(3)).err().map(|spent| spent.over), Some(Over::Bytes));
        // What was used outlives a reload.
        let window = AT(60);
        let wider = Budgets { window, requests: None, tunnels: None, bytes: Some(ByteSize(101)) };
        let second = Budget::new(&wider, Some(first.used())).unwrap();
        assert!(second.take(Form::Request, AT(4)).is_ok());
        second.spend(1, AT(5));
        assert!(second.take(Form::Request, AT(6)).is_err());
        assert!(second.take(Form::Request, AT(70)).is_ok());
        // Another window begins anew, with the tunnels that are open.
        let place = second.take(Form::Tunnel, AT(70)).ok().flatten();
        let other = Budgets { window: AT(30), requests: None, tunnels: Some(1), bytes: None };
        let third = Budget::new(&other, Some(second.used())).unwrap();
        assert_eq!(third.take(Form::Tunnel, AT(70)).err().map(|spent| spent.over), Some(Over::Tunnels));
        drop(place);
        assert!(third.take(Form::Tunnel, AT(70)).is_ok());
    }
}
