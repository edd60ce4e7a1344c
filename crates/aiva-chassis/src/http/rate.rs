//! How many requests are let in: so many per client address and so many for the whole service (GCRA).
//!
//! Memory is bounded whatever strangers send: when the table is full of clients that are active right now, newcomers share
//! one allowance per shard until some of the others have rested. IPv6 clients count by their /64.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};

/// A steady rate with room for a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a rest.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate; none, and so no limit, for zero a second. A burst of zero counts as one.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        Some(Self { per_second: NonZeroU32::new(per_second)?, burst })
    }

    fn quota(self) -> Quota {
        Quota::per_second(self.per_second).allow_burst(self.burst)
    }
}

/// The limits of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// For one client address.
    pub client: Option<Rate>,
    /// For all clients together.
    pub service: Option<Rate>,
    /// How many clients are told apart.
    pub clients: usize,
}

impl Default for Rates {
    fn default() -> Self {
        Self { client: Rate::new(50, 100), service: Rate::new(2_000, 4_000), clients: 65_536 }
    }
}

/// Counts what a long request asks for after it was let in, against the same limits: the messages of a stream, each like a
/// request of the same client. The stack puts one into every request over gRPC where there are limits.
#[derive(Clone)]
pub struct Admission(Arc<dyn Fn() -> Result<(), Duration> + Send + Sync>);

impl Admission {
    /// By whoever counts.
    pub fn new(admit: impl Fn() -> Result<(), Duration> + Send + Sync + 'static) -> Self {
        Self(Arc::new(admit))
    }

    /// Waits until one more may pass.
    pub async fn passed(&self) {
        while let Err(wait) = (self.0)() {
            tokio::time::sleep(wait).await;
        }
    }
}

const SHARDS: usize = 16;

/// Lets requests in or tells them how long to wait.
pub(crate) struct Limiter<C: Clock = DefaultClock> {
    clients: Option<RateLimiter<IpAddr, Table, C, NoOpMiddleware<C::Instant>>>,
    service: Option<RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>>,
    clock: C,
}

impl<C: Clock + Clone> Limiter<C> {
    pub(crate) fn new(rates: Rates, clock: C) -> Self {
        let table = |rate: Rate| Table::new(rates.clients, rate);
        Self {
            clients: rates.client.map(|rate| RateLimiter::new(rate.quota(), table(rate), clock.clone())),
            service: rates.service.map(|rate| RateLimiter::direct_with_clock(rate.quota(), clock.clone())),
            clock,
        }
    }

    /// The client's own limit comes first, so that one client cannot use up what belongs to all.
    pub(crate) fn admit(&self, client: Option<IpAddr>) -> Result<(), Duration> {
        if let (Some(client), Some(clients)) = (client, &self.clients) {
            let key = crowd(client);
            clients.check_key(&key).map_err(|until| until.wait_time_from(self.clock.now()))?;
        }
        let Some(service) = &self.service else { return Ok(()) };
        service.check().map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

/// The addresses that count as one client: one IPv4 address, or one IPv6 /64.
fn crowd(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// GCRA state by client, never more than `cap` entries a shard.
struct Table {
    shards: [Mutex<Shard>; SHARDS],
    hasher: std::hash::RandomState,
    cap: usize,
    /// What one request costs a client, in time.
    interval: u64,
}

#[derive(Default)]
struct Shard {
    arrivals: HashMap<IpAddr, Nanos>,
    /// What newcomers share while the shard is full.
    shared: Option<Nanos>,
}

impl Table {
    fn new(clients: usize, rate: Rate) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: std::hash::RandomState::new(),
            cap: clients.div_ceil(SHARDS).max(1),
            interval: Nanos::from(rate.quota().replenish_interval()).as_u64(),
        }
    }

    fn shard(&self, key: &IpAddr) -> &Mutex<Shard> {
        use std::hash::BuildHasher;
        let hash = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        &self.shards[hash]
    }
}

impl StateStore for Table {
    type Key = IpAddr;

    fn measure_and_replace<T, F, E>(&self, key: &IpAddr, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(arrival) = shard.arrivals.get_mut(key) {
            let (outcome, next) = decide(Some(*arrival))?;
            *arrival = next;
            return Ok(outcome);
        }
        let (outcome, next) = decide(None)?;
        if shard.arrivals.len() >= self.cap {
            // A newcomer's state is two intervals ahead of now; whoever is at most one ahead has rested, and forgetting
            // them changes nothing.
            let rested = next.as_u64().saturating_sub(self.interval);
            shard.arrivals.retain(|_, arrival| arrival.as_u64() > rested);
        }
        if shard.arrivals.len() < self.cap {
            shard.arrivals.insert(*key, next);
            return Ok(outcome);
        }
        let (outcome, next) = decide(shard.shared)?;
        shard.shared = Some(next);
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    impl governor::state::keyed::ShrinkableKeyedStateStore<IpAddr> for Table {
        fn retain_recent(&self, drop_below: Nanos) {
            for shard in &self.shards {
                shard.lock().unwrap().arrivals.retain(|_, arrival| *arrival >= drop_below);
            }
        }

        fn len(&self) -> usize {
            self.shards.iter().map(|shard| shard.lock().unwrap().arrivals.len()).sum()
        }

        fn is_empty(&self) -> bool {
            self.len() == 0
        }
    }

    fn limiter(rates: Rates) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Limiter::new(rates, clock.clone()), clock)
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    fn admitted(limiter: &Limiter<FakeRelativeClock>, client: &str, tries: usize) -> usize {
        (0..tries).filter(|_| limiter.admit(ip(client)).is_ok()).count()
    }

    #[test]
    fn a_client_has_its_burst_then_its_rate_and_is_told_how_long_to_wait() {
        let rates = Rates { client: Rate::new(10, 5), ..Rates::default() };
        let (limiter, clock) = limiter(rates);
        assert_eq!(admitted(&limiter, "203.0.113.1", 9), 5);
        assert_eq!(admitted(&limiter, "203.0.113.2", 9), 5); // nobody pays for another
        let wait = limiter.admit(ip("203.0.113.1")).unwrap_err();
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        clock.advance(Duration::from_millis(200));
        assert_eq!(admitted(&limiter, "203.0.113.1", 9), 2);
    }

    #[test]
    fn all_clients_share_the_limit_of_the_service() {
        let rates = Rates { service: Rate::new(1, 7), ..Rates::default() };
        let (limiter, _) = limiter(rates);
        let total: usize = (0..20).map(|n| admitted(&limiter, &format!("203.0.113.{n}"), 1)).sum();
        assert_eq!(total, 7);
        assert!(limiter.admit(None).is_err(), "calls inside the process count, too");
    }

    #[test]
    fn zero_turns_a_limit_off() {
        let (limiter, _) = limiter(Rates { client: Rate::new(0, 5), service: Rate::new(0, 5), clients: 4 });
        assert_eq!(admitted(&limiter, "203.0.113.1", 1000), 1000);
    }

    #[test]
    fn a_v6_client_cannot_hop_within_its_network() {
        let (limiter, _) = limiter(Rates { client: Rate::new(1, 3), ..Rates::default() });
        let total: usize = (0..20).map(|n| admitted(&limiter, &format!("2001:db8::{n:x}"), 1)).sum();
        assert_eq!(total, 3);
        assert_eq!(admitted(&limiter, "2001:db8:0:1::1", 9), 3);
    }

    #[test]
    fn memory_is_bounded_and_a_flood_of_newcomers_shares() {
        let rates = Rates { client: Rate::new(1, 2), service: Rate::new(1_000_000, 1_000_000), clients: SHARDS * 4 };
        let (limiter, clock) = limiter(rates);
        let flood = |from: u32| -> usize {
            (from..from + 10_000).filter(|n| limiter.admit(Some(IpAddr::V4((*n).into()))).is_ok()).count()
        };
        let first = flood(0x0b00_0000);
        assert!(limiter.clients.as_ref().unwrap().len() <= SHARDS * 4);
        assert!(first <= SHARDS * 4 + SHARDS * 2, "{first} strangers got in");
        clock.advance(Duration::from_secs(10));
        assert!(flood(0x0c00_0000) >= SHARDS * 4, "clients that rested make room");
        assert!(limiter.clients.as_ref().unwrap().len() <= SHARDS * 4);
    }
}
