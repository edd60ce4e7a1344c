//! The recorder with a journal that keeps what it is given, on a paused clock.

use aiva_chassis::shutdown::{Shutdown, Stage};
use aiva_store::StoreError;
use async_trait::async_trait;
use jiff::Timestamp;

use super::*;
use crate::decision::{Ended, Form, Who};
use crate::ports::{Group, Journal};

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
