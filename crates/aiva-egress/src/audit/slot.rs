//! What whoever decides holds: room for a record, and then a record that has begun.
//!
//! Nothing is lost by being dropped: unused room is free again, and a record without an end ends as `abandoned`. A record's
//! end meets it in the buffer, where it has not been written yet, or follows it. Start reading at [`Slot`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Job, Recorder};
use crate::decision::{Ended, Record};
use crate::ports::End;

/// Room for one record.
pub struct Slot {
    pub(super) recorder: Option<Recorder>,
}

impl Slot {
    /// A record that is complete.
    pub fn write(mut self, record: Record) {
        if let Some(recorder) = self.recorder.take() {
            recorder.push(Job::Whole(Box::new(record)));
        }
    }

    /// A record whose end is to come.
    pub fn open(mut self, record: Record) -> Open {
        let recorder = self.recorder.take().expect("a slot is used once: both uses consume it");
        let (id, at, role, started) = (record.id, record.at, Arc::clone(&record.who.role), Instant::now());
        let entry = Arc::new(Entry(Mutex::new(State::Here(Box::new(record)))));
        recorder.push(Job::Begun(Arc::clone(&entry), false));
        Open { id, at, role, started, entry, recorder, has_ended: false.into() }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.0.room.add_permits(1);
        }
    }
}

/// A record that has begun. Dropped without an end, it ends as `abandoned`.
pub struct Open {
    id: Uuid,
    at: Timestamp,
    role: Arc<str>,
    started: Instant,
    entry: Arc<Entry>,
    recorder: Recorder,
    has_ended: std::sync::atomic::AtomicBool,
}

impl Open {
    /// The record's id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// It has ended like this; the duration is measured here. Only the first end counts.
    pub fn end(&self, ended: Ended) {
        if self.has_ended.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return;
        }
        let ended = Ended { duration: self.started.elapsed(), ..ended };
        let mut state = self.entry.state();
        match &mut *state {
            State::Here(record) => record.end(ended),
            State::Open => {
                *state = State::Whole;
                drop(state);
                let (id, at, role) = (self.id, self.at, Arc::clone(&self.role));
                self.recorder.push(Job::End(Box::new(End { id, at, role, ended })));
            }
            State::Whole => {}
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.end(Ended { failure: Some("abandoned".to_owned()), ..Ended::default() });
    }
}

/// A record on its way to the writer, shared with whoever will end it.
pub(super) struct Entry(Mutex<State>);

enum State {
    /// The record is here, with its end or without.
    Here(Box<Record>),
    /// It was handed to the writer without its end.
    Open,
    /// It was handed to the writer with its end.
    Whole,
}

impl Entry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record to write, if it has ended or is to be written open.
    pub(super) fn take(&self, open: bool) -> Option<Box<Record>> {
        let mut state = self.state();
        let State::Here(record) = &*state else { return None };
        let next = match (record.ended.is_some(), open) {
            (true, _) => State::Whole,
            (false, true) => State::Open,
            (false, false) => return None,
        };
        match std::mem::replace(&mut *state, next) {
            State::Here(record) => Some(record),
            State::Open | State::Whole => None,
        }
    }
}
