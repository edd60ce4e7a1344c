//! Trying again: exponential backoff with jitter, inside a deadline.
//!
//! Promises: a retry never outlives the caller's deadline, never repeats what the caller says is permanent, and honours a
//! delay that the other side asked for. The last error is always handed back. Nothing here logs or counts; callers do.
//!
//! Start reading at [`retry`].

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// How long to wait between tries: doubling from `first` up to `most`, half of it random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The delay after the first failure.
    pub first: Duration,
    /// No delay is longer.
    pub most: Duration,
}

impl Backoff {
    /// The delay after failure number `failure` (from 1); `roll` in 0..1 chooses within the upper half.
    pub fn delay(&self, failure: u32, roll: f64) -> Duration {
        let doublings = failure.saturating_sub(1).min(30);
        let full = self.first.saturating_mul(1 << doublings).min(self.most);
        full.mul_f64(0.5 + 0.5 * roll.clamp(0.0, 1.0))
    }

    /// The same with a roll of this process's own dice.
    pub fn jittered(&self, failure: u32) -> Duration {
        self.delay(failure, roll())
    }
}

impl Default for Backoff {
    /// 100 ms doubling to 30 s.
    fn default() -> Self {
        Self { first: Duration::from_millis(100), most: Duration::from_secs(30) }
    }
}

/// Whether the same call again may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Never: give up now.
    Permanent,
    /// Perhaps, after the usual backoff.
    Transient,
    /// Perhaps, but not before this delay (`Retry-After`).
    After(Duration),
}

/// How often and how long to try.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Tries in all, the first included.
    pub tries: u32,
    /// The waits between them.
    pub backoff: Backoff,
    /// When to stop, whatever is left of the tries.
    pub deadline: Instant,
}

impl Retry {
    /// Three tries with the default backoff, all within `limit` from now.
    pub fn within(limit: Duration) -> Self {
        Self { tries: 3, backoff: Backoff::default(), deadline: Instant::now() + limit }
    }
}

/// Why [`retry`] gave up.
#[derive(Debug, thiserror::Error)]
pub enum RetryError<E> {
    /// The error is of the kind that does not go away.
    #[error("failed for good")]
    Permanent(#[source] E),
    /// All tries are used up; the last error.
    #[error("failed {tries} times")]
    Exhausted {
        /// How often it was tried.
        tries: u32,
        /// The last failure.
        #[source]
        last: E,
    },
    /// The deadline came first; the last error, if a try had ended at all.
    #[error("deadline passed after {tries} tries")]
    Deadline {
        /// How often it was tried, the cut-off try included.
        tries: u32,
        /// The last failure, if any.
        #[source]
        last: Option<E>,
    },
}

impl<E> RetryError<E> {
    /// The last error of the operation itself, if there was one.
    pub fn into_last(self) -> Option<E> {
        match self {
            Self::Permanent(last) | Self::Exhausted { last, .. } => Some(last),
            Self::Deadline { last, .. } => last,
        }
    }
}

/// Runs `operation` until it succeeds, is judged permanent, or tries or time run out. A try that is under way when the
/// deadline comes is dropped.
pub async fn retry<T, E, Fut>(
    plan: Retry,
    judge: impl Fn(&E) -> Verdict,
    mut operation: impl FnMut(u32) -> Fut,
) -> Result<T, RetryError<E>>
where
    Fut: Future<Output = Result<T, E>>,
    E: std::error::Error + 'static,
{
    let mut last = None;
    let mut tries = 0;
    loop {
        tries += 1;
        let Ok(outcome) = tokio::time::timeout_at(plan.deadline, operation(tries)).await else {
            return Err(RetryError::Deadline { tries, last });
        };
        let error = match outcome {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let wait = match judge(&error) {
            Verdict::Permanent => return Err(RetryError::Permanent(error)),
            Verdict::Transient => plan.backoff.jittered(tries),
            Verdict::After(asked) => asked,
        };
        if tries >= plan.tries {
            return Err(RetryError::Exhausted { tries, last: error });
        }
        if Instant::now() + wait >= plan.deadline {
            return Err(RetryError::Deadline { tries, last: Some(error) });
        }
        last = Some(error);
        tokio::time::sleep(wait).await;
    }
}

/// A random number in 0..1; a machine without randomness gets the middle.
fn roll() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Fault(&'static str);

    fn judge(fault: &Fault) -> Verdict {
        match fault.0 {
            "permanent" => Verdict::Permanent,
            "later" => Verdict::After(Duration::from_secs(7)),
            _ => Verdict::Transient,
        }
    }

    #[test]
    fn delays_double_up_to_the_most_and_keep_half() {
        let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(1) };
        for (failure, least, most) in
            [(1, 50, 100), (2, 100, 200), (4, 400, 800), (5, 500, 1000), (4_000_000, 500, 1000)]
        {
            assert_eq!(backoff.delay(failure, 0.0).as_millis(), least, "failure {failure}");
            assert_eq!(backoff.delay(failure, 1.0).as_millis(), most, "failure {failure}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn transient_faults_are_tried_again_and_permanent_ones_are_not() {
        let outcome = retry(Retry::within(Duration::from_secs(60)), judge, |tries| async move {
            if tries < 3 { Err(Fault("busy")) } else { Ok(tries) }
        })
        .await;
        assert_eq!(outcome.unwrap(), 3);
        let outcome: Result<(), _> =
            retry(Retry::within(Duration::from_secs(60)), judge, |_| async { Err(Fault("permanent")) }).await;
        assert!(matches!(outcome, Err(RetryError::Permanent(_))));
        let outcome: Result<(), _> =
            retry(Retry::within(Duration::from_secs(60)), judge, |_| async { Err(Fault("busy")) }).await;
        assert!(matches!(outcome, Err(RetryError::Exhausted { tries: 3, .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn no_try_outlives_the_deadline() {
        let started = Instant::now();
        let stuck: Result<(), _> =
            retry(Retry::within(Duration::from_secs(5)), judge, |_| std::future::pending::<Result<(), Fault>>()).await;
        assert!(matches!(stuck, Err(RetryError::Deadline { tries: 1, last: None })));
        assert_eq!(started.elapsed(), Duration::from_secs(5));

        // The other side asks for 7 s but only 5 are left: waiting would be for nothing.
        let asked: Result<(), _> =
            retry(Retry::within(Duration::from_secs(5)), judge, |_| async { Err(Fault("later")) }).await;
        assert!(matches!(asked, Err(RetryError::Deadline { tries: 1, last: Some(_) })));
        assert_eq!(started.elapsed(), Duration::from_secs(5));
    }
}
