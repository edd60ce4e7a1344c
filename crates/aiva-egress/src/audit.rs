//! Takes records from the proxy's threads and has them written in groups.
//!
//! Promises: no record that was taken is ever dropped. Whoever decides first [reserves](Recorder::reserve) room; where there is none, it
//! waits, so that a store that cannot keep up slows the guard down instead of losing what it refused; it waits no longer than
//! it was told to, and then whoever decides either refuses or goes on without a record, as configured. What ends before its
//! second group is written once and whole; what stays open longer is written open and [ended](Open::end) later. Room is
//! given back when the disk has the record, not before. On the way of a request there is one short lock and no wait.
//!
//! Start reading at [`Recorder::reserve`]; [`Recorder::run`] is the writer.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use aiva_chassis::alert::{Alert, Alerts, Cause, Level};
use aiva_chassis::resilience::Backoff;
use aiva_chassis::shutdown::Stop;
use aiva_chassis::telemetry::metrics::metrics;
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use uuid::Uuid;

use crate::decision::{Ended, Record};
use crate::ports::{End, Group, Journal};

/// Records of decisions cannot be written. Its page is `docs/runbooks/egress-records.md`.
pub const RECORDS: Cause = Cause::new("egress-records");

/// After so many failures in a row people are told.
const FAILURES_TO_TELL: u32 = 3;

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

struct Entry(Mutex<State>);

enum State {
    /// The record is here, with its end or without.
    Here(Box<Record>),
    /// It was handed to the writer without its end.
    Open,
    /// It was handed to the writer with its end.
    Whole,
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

    /// Writes what comes until the stop begins, and then what is left. `seen` hears of every group that is on the disk.
    pub async fn run(&self, journal: &dyn Journal, alerts: Option<&Alerts>, seen: impl Fn(&Group), stop: Stop) {
        let Shared { settings, counters, wake, room, .. } = &*self.0;
        let mut tick = tokio::time::interval(settings.every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let is_last = tokio::select! {
                biased;
                () = stop.begun() => true,
                () = wake.notified() => false,
                _ = tick.tick() => false,
            };
            let (groups, waiting) = self.gather(is_last);
            counters.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
            for (group, rooms) in groups {
                let group = Arc::new(group);
                self.write(journal, alerts, &group).await;
                room.add_permits(rooms);
                seen(&group);
            }
            if is_last && self.0.queue().is_empty() {
                return;
            }
        }
    }

    /// Tries until it is written.
    async fn write(&self, journal: &dyn Journal, alerts: Option<&Alerts>, group: &Arc<Group>) {
        let Shared { settings, counters, .. } = &*self.0;
        let mut failures = 0;
        while let Err(error) = journal.write(Arc::clone(group)).await {
            failures += 1;
            counters.failures.inc();
            let records = group.len();
            tracing::error!(error = %error, records, failures, "records of egress decisions cannot be written");
            if let Some(alerts) = alerts.filter(|_| failures == FAILURES_TO_TELL) {
                let mut alert = Alert::new(Level::Error, RECORDS, "Records of egress decisions cannot be written");
                alert.text = format!(
                    "The store refuses them ({error}). They are kept in memory and tried again; when there is no more room \
                     for them, decisions wait, and then are refused or stand in the log only (egress.records.stalled)."
                );
                alerts.raise(alert);
            }
            tokio::time::sleep(settings.backoff.jittered(failures)).await;
        }
        if failures > 0 {
            tracing::info!(records = group.len(), failures, "records of egress decisions are written again");
        }
        counters.written.inc_by(group.len() as u64);
    }

    /// What is to be written now, in groups with the room that each gives back, and how many records wait in all.
    fn gather(&self, is_last: bool) -> (Vec<(Group, usize)>, usize) {
        let jobs = std::mem::take(&mut *self.0.queue());
        let waiting = jobs.len();
        let (mut groups, mut group, mut rooms, mut later) = (Vec::new(), Group::default(), 0, Vec::new());
        for job in jobs {
            match job {
                Job::Whole(record) => group.records.push(*record),
                Job::Begun(entry, waited) => match entry.take(waited || is_last) {
                    Some(record) => group.records.push(*record),
                    None => {
                        later.push(Job::Begun(entry, true));
                        continue;
                    }
                },
                Job::End(end) => {
                    group.ends.push(*end);
                    // Its room was given back when it was written open.
                    rooms -= 1;
                }
            }
            rooms += 1;
            if group.len() >= self.0.settings.group {
                groups.push((std::mem::take(&mut group), usize::try_from(std::mem::take(&mut rooms)).unwrap_or(0)));
            }
        }
        if !group.is_empty() {
            groups.push((group, usize::try_from(rooms).unwrap_or(0)));
        }
        if !later.is_empty() {
            // Before what has come since: the end of a record must not overtake it.
            self.0.queue().splice(0..0, later);
        }
        (groups, waiting)
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Vec<Job>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record to write, if it has ended or is to be written open.
    fn take(&self, open: bool) -> Option<Box<Record>> {
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

/// Room for one record.
pub struct Slot {
    recorder: Option<Recorder>,
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

struct Counters {
    written: Counter,
    failures: Counter,
    stalled: Counter,
    denied: Counter,
    unrecorded: Counter,
    waiting: Gauge,
}

impl Counters {
    fn get() -> &'static Self {
        static COUNTERS: OnceLock<Counters> = OnceLock::new();
        COUNTERS.get_or_init(|| Self {
            written: metrics().register(
                "egress_records_written",
                "Rows written for records of egress decisions, their ends included",
                Counter::default(),
            ),
            failures: metrics().register(
                "egress_records_failures",
                "Groups of records that the store did not take, each try counted",
                Counter::default(),
            ),
            stalled: metrics().register(
                "egress_records_stalled",
                "Requests that had to wait because records wait for the store",
                Counter::default(),
            ),
            denied: metrics().register(
                "egress_records_denied",
                "Requests that were refused because there was no room for their record in time",
                Counter::default(),
            ),
            unrecorded: metrics().register(
                "egress_records_missing",
                "Decisions that stand in the log only, because there was no room for their record in time",
                Counter::default(),
            ),
            waiting: metrics().register(
                "egress_records_waiting",
                "Records in memory at the last look that are not on the disk yet",
                Gauge::default(),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use aiva_chassis::shutdown::{Shutdown, Stage};
    use aiva_store::StoreError;
    use async_trait::async_trait;

    use super::*;
    use crate::decision::{Form, Who};

    #[derive(Default)]
    struct Kept {
        groups: Mutex<Vec<Group>>,
        failures: Mutex<usize>,
    }

    #[async_trait]
    impl Journal for Kept {
        async fn write(&self, group: Arc<Group>) -> Result<(), StoreError> {
            let mut failures = self.failures.lock().unwrap();
            if *failures > 0 {
                *failures -= 1;
                return Err(StoreError::RolledBack);
            }
            self.groups.lock().unwrap().push((*group).clone());
            Ok(())
        }
    }

    fn record() -> Record {
        let who = Who { role: Arc::from("default"), caller: Arc::from("127.0.0.1") };
        Record::refused(Timestamp::UNIX_EPOCH, who, Form::Request, "allow_domains", "name-not-allowed")
    }

    struct Rig {
        recorder: Recorder,
        journal: Arc<Kept>,
        shutdown: Shutdown,
        writer: tokio::task::JoinHandle<()>,
    }

    /// Time is paused: it goes on when everybody waits.
    fn rig(room: usize, failures: usize) -> Rig {
        let patience = Duration::from_secs(60);
        let recorder = Recorder::new(Settings { room, patience, ..Settings::default() });
        let journal = Arc::new(Kept { failures: Mutex::new(failures), ..Kept::default() });
        let shutdown = Shutdown::new();
        let (writer, journal_of_it, stop) = (recorder.clone(), Arc::clone(&journal), shutdown.stop(Stage::Store));
        let writer = tokio::spawn(async move { writer.run(&*journal_of_it, None, |_| (), stop).await });
        Rig { recorder, journal, shutdown, writer }
    }

    impl Rig {
        /// What was written, in all and in how many groups.
        async fn written(self) -> (Group, usize) {
            self.shutdown.request();
            self.shutdown.drain(Duration::from_secs(60)).await;
            self.writer.await.unwrap();
            let groups = std::mem::take(&mut *self.journal.groups.lock().unwrap());
            let count = groups.len();
            let mut all = Group::default();
            for group in groups {
                all.records.extend(group.records);
                all.ends.extend(group.ends);
            }
            (all, count)
        }
    }

    async fn rounds(count: u32) {
        tokio::time::sleep(Settings::default().every * count).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_soon_is_written_once_and_whole() {
        let rig = rig(16, 0);
        let open = rig.recorder.reserve().await.unwrap().open(record());
        open.end(Ended { status: Some(200), ..Ended::default() });
        open.end(Ended { status: Some(500), ..Ended::default() });
        drop(open);
        let (all, _) = rig.written().await;
        assert_eq!((all.records.len(), all.ends.len()), (1, 0));
        assert_eq!(all.records[0].ended.as_ref().unwrap().status, Some(200));
    }

    #[tokio::test(start_paused = true)]
    async fn what_stays_open_is_written_open_and_ended_later() {
        let rig = rig(1, 0);
        let open = rig.recorder.reserve().await.unwrap().open(record());
        rounds(3).await;
        assert_eq!(rig.journal.groups.lock().unwrap()[0].records[0].ended, None);
        // Its room is free again, though it is still open.
        rig.recorder.reserve().await.unwrap().write(record());
        let id = open.id();
        drop(open);
        let (all, _) = rig.written().await;
        assert_eq!((all.records.len(), all.ends.len()), (2, 1));
        assert_eq!((all.ends[0].id, all.ends[0].ended.failure.as_deref()), (id, Some("abandoned")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_closed_for_its_opening_was_refused() {
        use crate::decision::{Finding, Outcome};
        let rig = rig(16, 0);
        let allowed = Record { outcome: Outcome::Allow, ..record() };
        let open = rig.recorder.reserve().await.unwrap().open(allowed);
        let finding = Finding { reason: "sni-mismatch".into(), what: "b.example".to_owned(), enforced: true };
        open.end(Ended { findings: vec![finding], ..Ended::default() });
        let (all, _) = rig.written().await;
        let Record { outcome, rule, reason, remedy, .. } = &all.records[0];
        assert_eq!((*outcome, &**rule, &**reason), (Outcome::Deny, "inspection", "sni-mismatch"));
        assert!(remedy.as_ref().unwrap().contains("inspection.sni "), "{remedy:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_buffer_makes_callers_wait_and_drops_nothing() {
        let rig = rig(4, 5);
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let recorder = rig.recorder.clone();
            callers.spawn(async move { recorder.reserve().await.unwrap().write(record()) });
        }
        tokio::task::yield_now().await;
        assert!(rig.recorder.0.queue().len() <= 4);
        callers.join_all().await;
        let (all, groups) = rig.written().await;
        assert_eq!(all.records.len(), 50);
        assert!(groups > 1);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_decides_waits_no_longer_than_it_may() {
        for stalled in [Stalled::Deny, Stalled::Log] {
            let recorder = Recorder::new(Settings { room: 1, stalled, ..Settings::default() });
            let counters = recorder.0.counters;
            let counted = || (counters.denied.get(), counters.unrecorded.get());
            let before = counted();
            let held = recorder.reserve().await.unwrap();
            assert_eq!(recorder.reserve().await.err(), Some(NoRoom(stalled)));
            let more = (counted().0 - before.0, counted().1 - before.1);
            assert_eq!(more, if stalled == Stalled::Deny { (1, 0) } else { (0, 1) });
            // Whoever gave up takes no room.
            drop(held);
            assert!(recorder.reserve().await.is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unused_slot_gives_its_room_back() {
        let recorder = Recorder::new(Settings { room: 1, ..Settings::default() });
        drop(recorder.reserve().await.unwrap());
        tokio::time::timeout(Duration::from_secs(1), recorder.reserve()).await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_writes_what_is_still_open() {
        let rig = rig(16, 2);
        let open = rig.recorder.reserve().await.unwrap().open(record());
        let (all, _) = rig.written().await;
        assert_eq!((all.records.len(), all.ends.len()), (1, 0));
        drop(open);
    }
}
