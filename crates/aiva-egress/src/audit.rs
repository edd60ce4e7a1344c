//! Takes records from the proxy's threads and has them written in groups.
//!
//! Promises: no record that was taken is ever dropped. Whoever decides first [reserves](Recorder::reserve) room; where there is none, it
//! waits, so that a store that cannot keep up slows the guard down instead of losing what it refused; it waits no longer than
//! it was told to, and then whoever decides either refuses or goes on without a record, as configured. What ends before its
//! second group is written once and whole; what stays open longer is written open and [ended](Open::end) later. Room is
//! given back when the disk has the record, not before. On the way of a request there is one short lock and no wait.
//!
//! Start reading at [`Recorder::reserve`]; `slot` is what it gives, [`Recorder::run`] is the writer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aiva_chassis::alert::Cause;
use aiva_chassis::resilience::Backoff;
use tokio::sync::{Notify, Semaphore};

use crate::decision::Record;
use crate::ports::End;

mod counters;
mod slot;
mod writer;

pub use slot::{Open, Slot};

use counters::Counters;
use slot::Entry;

/// Records of decisions cannot be written. Its page is `docs/runbooks/egress-records.md`.
pub const RECORDS: Cause = Cause::new("egress-records");

/// How records are gathered.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many records may wait for the disk.
    pub room: usize,
    /// The most rows of one transaction.
    pub group: usize,
    /// How long a record waits at most for others to be written with.
    pub every: Duration,
    /// How long whoever decides waits for room.
    pub patience: Duration,
    /// What then becomes of the decision.
    pub stalled: Stalled,
    /// The waits between tries to write.
    pub backoff: Backoff,
}

/// What becomes of a decision that there is no room for a record of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stalled {
    /// It is not made: the caller is told to try again.
    #[default]
    Deny,
    /// It is made, and stands in the log only.
    Log,
}

/// There was no room for a record in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("records wait for the store, and there is no room for another")]
pub struct NoRoom(pub Stalled);

impl Default for Settings {
    fn default() -> Self {
        Self {
            room: 16 * 1024,
            group: 500,
            every: Duration::from_millis(100),
            patience: Duration::from_secs(5),
            stalled: Stalled::Deny,
            backoff: Backoff { first: Duration::from_millis(100), most: Duration::from_secs(5) },
        }
    }
}

/// Takes records; clones share one buffer.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    settings: Settings,
    room: Semaphore,
    queue: Mutex<Vec<Job>>,
    wake: Notify,
    counters: &'static Counters,
}

enum Job {
    Whole(Box<Record>),
    /// `true` once a group has gone by without its end.
    Begun(Arc<Entry>, bool),
    End(Box<End>),
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Recorder {
    /// With an empty buffer. Nothing is written until somebody [runs](Self::run) it.
    pub fn new(settings: Settings) -> Self {
        let counters = Counters::get();
        let shared = Shared {
            settings,
            room: Semaphore::new(settings.room.clamp(1, Semaphore::MAX_PERMITS)),
            queue: Mutex::default(),
            wake: Notify::new(),
            counters,
        };
        Self(Arc::new(shared))
    }

    /// Room for one record; waits for it as long as it may. Dropped unused, the room is free again.
    ///
    /// # Errors
    /// When there is none in time; what then becomes of the decision.
    pub async fn reserve(&self) -> Result<Slot, NoRoom> {
        let Shared { settings, room, counters, .. } = &*self.0;
        if let Ok(room) = room.try_acquire() {
            room.forget();
        } else {
            counters.stalled.inc();
            let Ok(room) = tokio::time::timeout(settings.patience, room.acquire()).await else {
                match settings.stalled {
                    Stalled::Deny => &counters.denied,
                    Stalled::Log => &counters.unrecorded,
                }
                .inc();
                return Err(NoRoom(settings.stalled));
            };
            room.expect("the room is never closed").forget();
        }
        Ok(Slot { recorder: Some(self.clone()) })
    }

    fn push(&self, job: Job) {
        let mut queue = self.0.queue();
        queue.push(job);
        let is_full = queue.len() == self.0.settings.group;
        drop(queue);
        if is_full {
            self.0.wake.notify_one();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Vec<Job>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
