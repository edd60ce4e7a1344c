//! The wall clock as a value that is passed in, so that tests set the time.
//!
//! Promises: nothing in AIVA but [`SystemClock`] asks the machine what time it is. Intervals and deadlines are not here:
//! they use `tokio::time`, which tests can pause.

use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;

/// Tells what time it is. Successive answers may go backwards, as a machine's clock may.
pub trait Clock: Send + Sync + Debug {
    /// The current instant, in UTC.
    fn now(&self) -> Timestamp;
}

/// A clock as it is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The machine's clock, ready to be handed around.
pub fn system() -> SharedClock {
    Arc::new(SystemClock)
}
