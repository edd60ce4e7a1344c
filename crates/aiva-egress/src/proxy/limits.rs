//! How much the clients together may hold: connections, and bytes of unfinished heads.
//!
//! Promises: counters shared by all threads, given back when their holder is dropped, whatever became of it. When every place
//! is taken, a newcomer may [have the place](Limits::enter_instead) of one that was told to end.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A head up to this size needs no leave: ordinary requests are never refused for want of it.
const FREE_HEAD: usize = 8 * 1024;

/// How many may be in while those whose place they have are still on their way out.
const CHANGING: usize = 64;

/// The bounds.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Connections of all clients.
    pub connections: usize,
    /// Connections of one address.
    pub per_source: usize,
    /// Bytes of unfinished heads beyond the first 8 KiB of each, in all.
    pub head_bytes: usize,
}

/// What is in use.
pub struct Limits {
    most: Most,
    connections: AtomicUsize,
    head_bytes: AtomicUsize,
    sources: Mutex<HashMap<IpAddr, usize>>,
}

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Full {
    /// There are too many in all.
    Connections,
    /// There are too many from this address.
    Source,
}

impl Full {
    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connections => "connection-limit",
            Self::Source => "source-limit",
        }
    }
}

impl Limits {
    /// Nothing is in use.
    pub fn new(most: Most) -> Arc<Self> {
        let (connections, head_bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { most, connections, head_bytes, sources: Mutex::default() })
    }

    /// Takes a place for a connection.
    ///
    /// # Errors
    /// When there is none left.
    pub fn enter(self: &Arc<Self>) -> Result<Place, Full> {
        self.enter_up_to(self.most.connections)
    }

    fn enter_up_to(self: &Arc<Self>, most: usize) -> Result<Place, Full> {
        // From here on, dropping the place gives back what it has.
        let place = Place { limits: Arc::clone(self), source: None };
        match self.connections.fetch_add(1, Ordering::Relaxed) < most {
            true => Ok(place),
            false => Err(Full::Connections),
        }
    }

    /// Takes the place of one that was told to end and has not left yet.
    ///
    /// # Errors
    /// When too many are still on their way out.
    pub fn enter_instead(self: &Arc<Self>) -> Result<Place, Full> {
        self.enter_up_to(self.most.connections + CHANGING)
    }

    /// Whether this source may have one more.
    pub fn has_room_for(&self, source: IpAddr) -> bool {
        self.sources().get(&source).is_none_or(|count| *count < self.most.per_source)
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// A claim on memory for one head; it starts at nothing.
    pub fn head(self: &Arc<Self>) -> Claim {
        Claim { limits: Arc::clone(self), bytes: 0 }
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection.
pub struct Place {
    limits: Arc<Limits>,
    source: Option<IpAddr>,
}

impl Place {
    /// Counts the connection for its source as well, once that is known.
    ///
    /// # Errors
    /// When the source has no place left.
    pub fn name(&mut self, source: IpAddr) -> Result<(), Full> {
        let mut sources = self.limits.sources();
        let count = sources.entry(source).or_default();
        if *count >= self.limits.most.per_source {
            return Err(Full::Source);
        }
        *count += 1;
        drop(sources);
        self.source = Some(source);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.limits.connections.fetch_sub(1, Ordering::Relaxed);
        if let Some(source) = self.source {
            let mut sources = self.limits.sources();
            if let Some(count) = sources.get_mut(&source) {
                *count -= 1;
                if *count == 0 {
                    sources.remove(&source);
                }
            }
        }
    }
}

/// The memory of one unfinished head.
pub struct Claim {
    limits: Arc<Limits>,
    bytes: usize,
}

impl Claim {
    /// Grows to a head of `length` bytes; whether there was memory left for it.
    pub fn grow(&mut self, length: usize) -> bool {
        let wanted = length.saturating_sub(FREE_HEAD);
        let Some(more) = wanted.checked_sub(self.bytes).filter(|more| *more > 0) else { return true };
        if self.limits.head_bytes.fetch_add(more, Ordering::Relaxed) + more > self.limits.most.head_bytes {
            self.limits.head_bytes.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes = wanted;
        true
    }

    /// The head is read.
    pub fn settle(&mut self) {
        if self.bytes > 0 {
            self.limits.head_bytes.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let limits = Limits::new(Most { connections: 3, per_source: 2, head_bytes: 0 });
        let (one, two): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let enter = |source: IpAddr| limits.enter().and_then(|mut place| place.name(source).map(|()| place));
        let held = [enter(one).ok(), enter(one).ok()];
        assert_eq!(enter(one).err(), Some(Full::Source));
        let third = enter(two).ok();
        assert!(third.is_some());
        assert_eq!(limits.enter().err(), Some(Full::Connections));
        assert!(limits.has_room_for(two) && !limits.has_room_for(one));
        let instead: Vec<Place> = std::iter::from_fn(|| limits.enter_instead().ok()).take(1000).collect();
        assert_eq!(instead.len(), CHANGING, "those who leave are bounded as well");
        drop(instead);
        assert_eq!(limits.connections(), 3);
        drop((held, third));
        assert_eq!(limits.connections(), 0);
        assert!(limits.sources().is_empty());
    }

    #[test]
    fn long_heads_share_a_bounded_memory() {
        let limits = Limits::new(Most { connections: 1, per_source: 1, head_bytes: 10_000 });
        let (mut one, mut two) = (limits.head(), limits.head());
        assert!(one.grow(FREE_HEAD) && one.grow(FREE_HEAD + 6_000) && one.grow(FREE_HEAD));
        assert!(!two.grow(FREE_HEAD + 6_000), "the rest is not enough");
        drop(one);
        assert!(two.grow(FREE_HEAD + 6_000));
        two.settle();
        assert_eq!(limits.head_bytes.load(Ordering::Relaxed), 0);
    }
}
