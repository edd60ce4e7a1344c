//! Slows down whoever tries credentials: five mistakes are free, then each one more doubles the wait, up to a minute.
//!
//! By client address (IPv6 by /64), in memory, bounded. The wait is short enough that a stranger behind the same address
//! cannot lock an operator out for long, and 256-bit secrets need no more.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aiva_chassis::clock::SharedClock;
use jiff::{SignedDuration, Timestamp};

const FREE: u32 = 5;
const LONGEST: i64 = 60;
/// Mistakes are forgotten after this time without another.
const MEMORY: SignedDuration = SignedDuration::from_mins(15);
const MOST: usize = 4096;

/// The recent mistakes.
#[derive(Debug)]
pub struct Throttle {
    clock: SharedClock,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

impl Failures {
    fn wait(&self) -> SignedDuration {
        let Some(over) = self.count.checked_sub(FREE) else { return SignedDuration::ZERO };
        SignedDuration::from_secs((1_i64 << over.min(6)).min(LONGEST))
    }
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, failures: Mutex::default() }
    }

    /// Whether this client may try now; else how long to wait.
    pub fn check(&self, client: IpAddr) -> Result<(), Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = failures.get(&network(client)) else { return Ok(()) };
        let left = found.wait() - self.clock.now().duration_since(found.last);
        if found.wait().is_zero() || !left.is_positive() { Ok(()) } else { Err(left.unsigned_abs()) }
    }

    /// A wrong credential came from this client.
    pub fn failed(&self, client: IpAddr) {
        let now = self.clock.now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MOST {
            failures.retain(|_, found| now.duration_since(found.last) < MEMORY);
        }
        if failures.len() >= MOST
            && let Some(oldest) = failures.iter().min_by_key(|(_, found)| found.last).map(|(key, _)| *key)
        {
            failures.remove(&oldest);
        }
        let found = failures.entry(network(client)).or_insert(Failures { count: 0, last: now });
        if now.duration_since(found.last) >= MEMORY {
            found.count = 0;
        }
        *found = Failures { count: found.count.saturating_add(1), last: now };
    }

    /// A right credential came from this client.
    pub fn succeeded(&self, client: IpAddr) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&network(client));
    }
}

fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}
