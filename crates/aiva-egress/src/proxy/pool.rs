//! Idle connections to origins, by role, host, port and the address that was checked.
//!
//! Promises: a connection is used again only for a request of the same role to the same host, whose own check allowed the
//! connection's address; one that has closed, or has anything to say, is never used; none waits longer than [`IDLE`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiva_outbound::Host;
use tokio::time::Instant;

use super::judge::Allowed;
use super::origin::Origin;

/// How long a connection waits for its next request.
pub const IDLE: Duration = Duration::from_secs(30);

/// How many wait for one key, and in all, in one thread.
const MOST_OF_ONE: usize = 256;
const MOST: usize = 1024;

/// Whom a connection serves and whom it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The role of the request that opened it.
    pub role: Arc<str>,
    /// The host that it was opened for.
    pub host: Host,
    /// Where it leads.
    pub address: SocketAddr,
    /// The upstream on its way.
    pub upstream: Option<Arc<str>>,
}

impl Key {
    /// Of a connection to this address for what was allowed.
    pub fn of(allowed: &Allowed, address: SocketAddr) -> Self {
        let upstream = allowed.upstream.as_ref().map(|upstream| Arc::clone(upstream.name()));
        Self { role: Arc::clone(&allowed.role), host: allowed.target.host().clone(), address, upstream }
    }
}

#[derive(Default)]
struct Idle {
    by_key: HashMap<Key, Vec<(Instant, Origin)>>,
    count: usize,
}

/// The idle connections of one thread.
#[derive(Default)]
pub struct Pool(Mutex<Idle>);

impl Pool {
    /// A connection to one of the allowed addresses that is still open; the one used last, because it is the likeliest.
    pub fn take(&self, allowed: &Allowed) -> Option<(Key, Origin)> {
        let mut idle = self.lock();
        if idle.count == 0 {
            return None;
        }
        let mut key = Key::of(allowed, *allowed.connect_to.first()?);
        for address in &allowed.connect_to {
            key.address = *address;
            while let Some((since, mut stream)) = idle.by_key.get_mut(&key).and_then(Vec::pop) {
                idle.count -= 1;
                if since.elapsed() < IDLE && stream.is_quiet() {
                    return Some((key, stream));
                }
            }
        }
        None
    }

    /// Keeps a connection whose answer was read to its end.
    pub fn put(&self, key: Key, stream: Origin) {
        let mut idle = self.lock();
        if idle.count >= MOST {
            return;
        }
        let waiting = idle.by_key.entry(key).or_default();
        if waiting.len() < MOST_OF_ONE {
            waiting.push((Instant::now(), stream));
            idle.count += 1;
        }
    }

    /// Lets go of what has waited too long or has closed.
    pub fn sweep(&self) {
        let mut idle = self.lock();
        let mut count = 0;
        idle.by_key.retain(|_, waiting| {
            waiting.retain_mut(|(since, stream)| since.elapsed() < IDLE && stream.is_quiet());
            count += waiting.len();
            !waiting.is_empty()
        });
        idle.count = count;
    }

    /// Lets go of all: the policy has changed.
    pub fn clear(&self) {
        *self.lock() = Idle::default();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lock().count
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
