//! What all callers of a role together may use, in this process.
//!
//! Promises: no lock; what was used outlives a reload that changes the limits; a tunnel gives its place back when it is
//! dropped, whatever became of it. Windows are fixed (the clock's time divided by the length), so that anybody can say
//! when the next one begins; a burst around the edge of two may be twice as large.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::role::Budgets;
use crate::proxy::judge::Form;

/// The limits of one role and what it has used.
pub struct Budget {
    window: u64,
    requests: Option<u64>,
    tunnels: Option<u64>,
    bytes: Option<u64>,
    used: Arc<Used>,
}

/// What a role has used.
#[derive(Default)]
pub struct Used {
    /// Which window the counters are of.
    window: AtomicU64,
    requests: AtomicU64,
    bytes: AtomicU64,
    tunnels: AtomicU64,
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
pub struct Tunnel(Arc<Used>);

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.0.tunnels.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Budget {
    /// As configured, on top of what was used before; `None` where nothing is limited.
    pub fn new(config: &Budgets, used: Option<Arc<Used>>) -> Option<Self> {
        let (requests, tunnels, bytes) = (config.requests, config.tunnels, config.bytes.map(|most| most.0));
        if requests.is_none() && tunnels.is_none() && bytes.is_none() {
            return None;
        }
        let window = u64::try_from(config.window.as_millis()).unwrap_or(u64::MAX).max(1);
        Some(Self { window, requests, tunnels, bytes, used: used.unwrap_or_default() })
    }

    /// What was used, for the next configuration.
    pub fn used(&self) -> Arc<Used> {
        Arc::clone(&self.used)
    }

    /// Counts a request or a tunnel; `now` is the time since 1970.
    ///
    /// # Errors
    /// When a limit is reached. The request is counted all the same.
    pub fn take(&self, form: Form, now: Duration) -> Result<Option<Tunnel>, Spent> {
        let left = self.turn(now);
        let spent = |over| Spent { over, retry_after: left };
        let requests = self.used.requests.fetch_add(1, Ordering::Relaxed);
        if self.requests.is_some_and(|most| requests >= most) {
            return Err(spent(Over::Requests));
        }
        if self.bytes.is_some_and(|most| self.used.bytes.load(Ordering::Relaxed) >= most) {
            return Err(spent(Over::Bytes));
        }
        match form {
            Form::Request => Ok(None),
            Form::Tunnel => {
                // From here on, dropping the place gives it back.
                let before = self.used.tunnels.fetch_add(1, Ordering::Relaxed);
                let place = Tunnel(Arc::clone(&self.used));
                match self.tunnels.is_some_and(|most| before >= most) {
                    true => Err(Spent { over: Over::Tunnels, retry_after: 1 }),
                    false => Ok(Some(place)),
                }
            }
        }
    }

    /// Counts bytes that went through.
    pub fn spend(&self, bytes: u64, now: Duration) {
        self.turn(now);
        self.used.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Begins a new window where the old one is over; the seconds until the next.
    fn turn(&self, now: Duration) -> u32 {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let (window, known) = (now / self.window, self.used.window.load(Ordering::Relaxed));
        // Only forward: a clock that is set back must not give a window twice.
        let turned = window > known
            && self.used.window.compare_exchange(known, window, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if turned {
            self.used.requests.store(0, Ordering::Relaxed);
            self.used.bytes.store(0, Ordering::Relaxed);
        }
        let left = self.window - now % self.window;
        u32::try_from(left.div_ceil(1000)).unwrap_or(u32::MAX)
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
    fn a_window_has_so_many_requests_and_the_next_one_as_many_again() {
        let budget = budget(Some(2), None, None);
        let over = |at| budget.take(Form::Request, AT(at)).err();
        assert_eq!([over(600), over(601)], [None, None]);
        assert_eq!(over(630), Some(Spent { over: Over::Requests, retry_after: 30 }));
        assert_eq!([over(660), over(661)], [None, None]);
        assert_eq!(over(662).map(|spent| spent.over), Some(Over::Requests));
        // The clock was set back: that is no new window.
        assert!(over(600).is_some());
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
        assert!(second.take(Form::Request, AT(61)).is_ok());
    }
}
