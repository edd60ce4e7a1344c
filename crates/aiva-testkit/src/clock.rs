//! A clock that stands still until a test moves it.
//!
//! Promises: time changes only through [`FakeClock::set`] and [`FakeClock::advance`], at once for every clone, in either
//! direction. Intervals and deadlines are tokio's: use `#[tokio::test(start_paused = true)]` for those.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aiva_chassis::clock::{Clock, SharedClock};
use jiff::{SignedDuration, Timestamp};

/// A clock under the test's control; clones are the same clock.
#[derive(Debug, Clone)]
pub struct FakeClock(Arc<Mutex<Timestamp>>);

impl FakeClock {
    /// A clock that says `start`, in RFC 3339 (`2026-01-02T03:04:05Z`).
    ///
    /// # Panics
    /// If `start` is not a timestamp.
    pub fn at(start: &str) -> Self {
        Self(Arc::new(Mutex::new(start.parse().expect("the start is an RFC 3339 timestamp"))))
    }

    /// Moves the clock to `now`, forwards or back.
    pub fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Moves the clock forwards.
    pub fn advance(&self, by: Duration) {
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by).unwrap_or(Timestamp::MAX);
    }

    /// The clock as code under test wants it.
    pub fn shared(&self) -> SharedClock {
        Arc::new(self.clone())
    }
}

impl Default for FakeClock {
    /// The first second of 2026.
    fn default() -> Self {
        Self::at("2026-01-01T00:00:00Z")
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_only_when_told_and_for_every_clone() {
        let clock = FakeClock::default();
        let shared = clock.shared();
        assert_eq!(shared.now().to_string(), "2026-01-01T00:00:00Z");
        clock.advance(Duration::from_secs(90));
        assert_eq!(shared.now().to_string(), "2026-01-01T00:01:30Z");
        clock.set("2020-02-29T00:00:00Z".parse().unwrap());
        assert_eq!(shared.now().to_string(), "2020-02-29T00:00:00Z");
        clock.advance(Duration::MAX);
        assert_eq!(shared.now(), Timestamp::MAX);
    }
}
