//! The order of effects: a use case asks the store, then wakes those who follow scans.
//!
//! Start reading at [`Findings`].

use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::clock::SharedClock;
use aiva_chassis::http::Turns;
use aiva_contracts::api::{Guard, Scan};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::ports::{Done, Request};
use crate::store::Store;

/// So many large uploads are read and taken in at once; the others wait.
const LARGE_AT_ONCE: usize = 2;

/// An upload of more bytes than other bodies may have is large.
const SMALL: usize = 1 << 20;

/// So long an upload waits for its turn: well within the time that a request has.
const WAIT: Duration = Duration::from_secs(10);

/// All that can be asked of findings; clones share it.
#[derive(Debug, Clone)]
pub struct Findings {
    pub(crate) store: Store,
    clock: SharedClock,
    live: Arc<watch::Sender<u64>>,
    pub(crate) turns: Turns,
}

impl Findings {
    /// Findings in this store.
    pub fn new(store: Store, clock: SharedClock) -> Self {
        let turns = Turns::new(LARGE_AT_ONCE, SMALL, WAIT);
        Self { store, clock, live: Arc::new(watch::Sender::new(0)), turns }
    }

    /// Other turns for large uploads.
    #[must_use]
    pub fn with_turns(self, turns: Turns) -> Self {
        Self { turns, ..self }
    }

    /// The store, for what needs no more than one transaction.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Asks for a scan; with [`Request::by`] `start` or `schedule` for those that nobody asked for.
    pub async fn request_scan(&self, request: Request) -> Done<Scan> {
        let scan = self.store.request_scan(self.now(), request, None).await?;
        self.wake();
        Ok(scan)
    }

    /// Requests a scan of every service whose last one is a day old; answers how many.
    pub async fn schedule(&self, guard: Guard) -> Done<usize> {
        let due = self.store.due(self.now(), guard).await?;
        let count = due.len();
        for service in due {
            self.request_scan(Request { service, guard, paths: Vec::new(), by: "schedule".to_owned() }).await?;
        }
        Ok(count)
    }

    /// Resolves with every change of a scan that this process sees.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.live.subscribe()
    }

    /// A scan changed.
    pub(crate) fn wake(&self) {
        self.live.send_modify(|changes| *changes = changes.wrapping_add(1));
    }
}
