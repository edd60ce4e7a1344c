//! Delivery: at least once, in order, applied once, and what happens to what fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use aiva_chassis::alert::{Alert, AlertSink, Alerts, Level, Message, SinkError};
use aiva_chassis::health::Health;
use aiva_chassis::shutdown::{Shutdown, Supervisor};
use aiva_chassis::{clock, panic};
use aiva_contracts::message::scan::v1::ScanStarted;
use aiva_events::dead_letter::{self, Filter, State};
use aiva_events::local::Standing;
use aiva_events::{HandleError, Handler, NewEvent, local, log};
use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};

use crate::on_both_engines;
use crate::world::{Applier, World, append, hear, tick, until};

on_both_engines!(
    every_event_is_applied_once_and_in_order,
    a_dead_letter_holds_its_subject_and_no_other,
    a_discarded_dead_letter_is_left_out,
    a_panic_is_a_failure_and_is_tried_again,
    a_restart_delivers_again_and_applies_once,
    a_long_handler_holds_up_no_other_subject,
    the_log_is_read_both_ways,
    what_is_not_handled_counts_as_lag,
    brief_events_are_removed_early_but_not_before_they_are_handled,
    events_from_before_the_first_start_are_delivered,
);

async fn every_event_is_applied_once_and_in_order(world: World) {
    let (applier, mut hears) = Applier::new(&world, Box::new(|_, _| Ok(())));
    let running = world.dispatch(applier);
    let writers = (0..8).map(|writer| {
        let database = world.database.clone();
        tokio::spawn(async move {
            for number in 0..20 {
                // Each writer has a subject of its own, in which order is promised, and one that all share.
                append(&database, vec![tick(&format!("w{writer}"), number), tick("shared", number)]).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    hear(&mut hears, 320).await;
    running.stop().await;
    let mut by_subject: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (subject, number) in world.effects().await {
        by_subject.entry(subject).or_default().push(number);
    }
    assert_eq!(by_subject.remove("shared").unwrap().len(), 160);
    assert_eq!(by_subject.len(), 8);
    for (subject, numbers) in by_subject {
        assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "{subject}");
    }
}

async fn a_dead_letter_holds_its_subject_and_no_other(world: World) {
    let broken = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&broken);
    let judge = move |subject: &str, number: u64| match (subject, number) {
        ("bad", 1) if flag.load(Ordering::SeqCst) => Err(HandleError::transient("the disk of the other side is full")),
        _ => Ok(()),
    };
    let (applier, mut hears) = Applier::new(&world, Box::new(judge));
    let standing = async |subject: &str| {
        local::standing(&world.database, "applier", &["aiva.test.v1.Ticked"], subject).await.unwrap()
    };
    world.append(&[("bad", 0), ("bad", 1), ("bad", 2), ("good", 0)]).await;
    assert_eq!((standing("bad").await, standing("nobody").await), (Standing::Coming, Standing::Done));
    let running = world.dispatch(applier);
    let mut heard = hear(&mut hears, 2).await;
    heard.sort();
    assert_eq!(heard, [("bad".to_owned(), 0), ("good".to_owned(), 0)]);

    let letters =
        until(|| async { some(dead_letter::list(&world.database, &Filter::default(), None, 10).await.unwrap()) });
    let letter = letters.await.remove(0);
    assert_eq!((letter.consumer.as_str(), letter.event.subject.as_str()), ("applier", "bad"));
    assert_eq!((letter.attempts, letter.state), (2, State::Waiting));
    assert!(letter.reason.contains("disk of the other side"), "{}", letter.reason);
    world.append(&[("bad", 3), ("good", 1)]).await;
    assert_eq!(hear(&mut hears, 1).await, [("good".to_owned(), 1)]); // and bad 2, bad 3 still wait
    assert_eq!(standing("bad").await, Standing::Stuck);
    until(|| async { (standing("good").await == Standing::Done).then_some(()) }).await;

    broken.store(false, Ordering::SeqCst);
    assert_eq!(dead_letter::redrive(&world.database, &Filter::one(letter.id)).await.unwrap(), 1);
    let after = hear(&mut hears, 3).await;
    assert_eq!(after, [("bad".to_owned(), 1), ("bad".to_owned(), 2), ("bad".to_owned(), 3)]);
    until(|| async { dead_letter::find(&world.database, letter.id).await.unwrap().is_none().then_some(()) }).await;
    until(|| async { (standing("bad").await == Standing::Done).then_some(()) }).await;
    running.stop().await;
}

struct Told(mpsc::UnboundedSender<Alert>);

#[async_trait]
impl AlertSink for Told {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn deliver(&self, message: &Message) -> Result<(), SinkError> {
        let _test_is_over = self.0.send(message.alert.clone());
        Ok(())
    }
}

#[tokio::test]
async fn people_are_told_of_a_dead_letter_once() {
    let world = World::sqlite().await;
    let (sender, mut told) = mpsc::unbounded_channel();
    let supervisor = Supervisor::new(Shutdown::new(), Health::new());
    let alerts = Alerts::builder(clock::system()).sink(Told(sender), Level::Info).start(&supervisor);
    let judge = |subject: &str, _| match subject {
        "good" => Ok(()),
        _ => Err(HandleError::permanent("it names nothing that is known")),
    };
    let (applier, mut hears) = Applier::new(&world, Box::new(judge));
    let running = world.dispatch_as(applier, |dispatcher| dispatcher.alerts(alerts));
    world.append(&[("bad", 0), ("worse", 0), ("good", 0)]).await;
    hear(&mut hears, 1).await;
    let alert = told.recv().await.unwrap();
    assert_eq!((alert.level, alert.cause), (Level::Error, local::DEAD_LETTER));
    assert_eq!(alert.about, "applier aiva.test.v1.Ticked");
    assert!(alert.text.contains("names nothing that is known"), "{}", alert.text);
    until(|| async {
        let letters = dead_letter::list(&world.database, &Filter::default(), None, 10).await.unwrap();
        (letters.len() == 2).then_some(())
    })
    .await;
    assert!(told.try_recv().is_err(), "the second of its kind waits for the window's summary");
    running.stop().await;
}

async fn a_discarded_dead_letter_is_left_out(world: World) {
    let judge = |_: &str, number: u64| if number == 0 { Err(HandleError::permanent("never")) } else { Ok(()) };
    let (applier, mut hears) = Applier::new(&world, Box::new(judge));
    let running = world.dispatch(applier);
    world.append(&[("s", 0), ("s", 1)]).await;
    let letters =
        until(|| async { some(dead_letter::list(&world.database, &Filter::default(), None, 10).await.unwrap()) });
    let id = letters.await[0].id;
    assert!(dead_letter::discard(&world.database, id, "the test wants it").await.unwrap());
    assert_eq!(hear(&mut hears, 1).await, [("s".to_owned(), 1)]);
    assert!(!dead_letter::discard(&world.database, id, "again").await.unwrap());
    assert_eq!(dead_letter::redrive(&world.database, &Filter::default()).await.unwrap(), 0);
    running.stop().await;
}

async fn a_panic_is_a_failure_and_is_tried_again(world: World) {
    let tries = AtomicU32::new(0);
    let judge = move |_: &str, _: u64| {
        if tries.fetch_add(1, Ordering::SeqCst) == 0 {
            panic::provoke("the first try panics");
        }
        Ok(())
    };
    let (applier, mut hears) = Applier::new(&world, Box::new(judge));
    let running = world.dispatch(applier);
    world.append(&[("s", 7)]).await;
    assert_eq!(hear(&mut hears, 1).await, [("s".to_owned(), 7)]);
    running.stop().await;
    assert_eq!(world.effects().await, [("s".to_owned(), 7)]);
}

async fn a_restart_delivers_again_and_applies_once(world: World) {
    world.append(&[("a", 0), ("a", 1), ("b", 0)]).await;
    let (applier, mut hears) = Applier::new(&world, Box::new(|_, _| Ok(())));
    let running = world.dispatch(applier);
    hear(&mut hears, 1).await; // applied, and perhaps not yet recorded
    running.abandon().await;
    world.append(&[("a", 2)]).await;
    let (applier, hears) = Applier::new(&world, Box::new(|_, _| Ok(())));
    let running = world.dispatch(applier);
    until(|| async { (world.effects().await.len() == 4).then_some(()) }).await;
    running.stop().await;
    drop(hears);
    let effects = world.effects().await;
    let of_a: Vec<_> = effects.iter().filter(|(subject, _)| subject == "a").map(|(_, number)| *number).collect();
    assert_eq!((of_a, effects.len()), (vec![0, 1, 2], 4));
}

/// Waits for leave to go on with the subject `slow`.
struct Slow {
    leave: Arc<Notify>,
    inner: Arc<Applier>,
}

#[async_trait]
impl Handler for Slow {
    fn consumer(&self) -> &'static str {
        "applier"
    }

    fn types(&self) -> &'static [&'static str] {
        self.inner.types()
    }

    async fn handle(&self, event: &aiva_contracts::envelope::Envelope) -> Result<(), HandleError> {
        if event.subject == "slow" {
            self.leave.notified().await;
        }
        self.inner.handle(event).await
    }
}

async fn a_long_handler_holds_up_no_other_subject(world: World) {
    let leave = Arc::new(Notify::new());
    let (inner, mut hears) = Applier::new(&world, Box::new(|_, _| Ok(())));
    let running = world.dispatch(Arc::new(Slow { leave: Arc::clone(&leave), inner }));
    world.append(&[("slow", 0), ("slow", 1)]).await;
    for number in 0..40 {
        world.append(&[("quick", number)]).await;
    }
    assert!(hear(&mut hears, 40).await.iter().all(|(subject, _)| subject == "quick"));
    leave.notify_one();
    assert_eq!(hear(&mut hears, 1).await, [("slow".to_owned(), 0)]);
    leave.notify_one();
    assert_eq!(hear(&mut hears, 1).await, [("slow".to_owned(), 1)]);
    running.stop().await;
}

async fn the_log_is_read_both_ways(world: World) {
    world.append(&[("a", 0), ("b", 1), ("a", 2)]).await;
    let all = log::Filter::default();
    let up = log::read(&world.database, &all, log::Direction::After(0), 10).await.unwrap();
    let subjects: Vec<_> = up.iter().map(|(_, event)| event.subject.as_str()).collect();
    assert_eq!(subjects, ["a", "b", "a"]);
    let down = log::read(&world.database, &all, log::Direction::Before(up[2].0), 1).await.unwrap();
    assert_eq!(down[0], up[1]);
    let of_a = log::Filter { subject: Some("a".into()), ..all };
    assert_eq!(log::read(&world.database, &of_a, log::Direction::Before(i64::MAX), 10).await.unwrap().len(), 2);
    assert_eq!(log::position(&world.database, up[1].1.id).await.unwrap(), Some(up[1].0));
    assert_eq!(log::end(&world.database).await.unwrap(), up[2].0);
    assert_eq!((up[0].1.source.as_str(), up[0].1.correlation_id.as_str()), ("aiva/test", "chain"));
}

async fn what_is_not_handled_counts_as_lag(world: World) {
    let types: &[&str] = &["aiva.test.v1.Ticked"];
    world.append(&[("bad", 0), ("bad", 1), ("good", 0)]).await;
    world.clock.advance(std::time::Duration::from_secs(90));
    let lag = local::lag(&world.database, &world.clock.shared(), "applier", types).await.unwrap();
    assert_eq!((lag.events, lag.seconds, lag.dead_letters), (3, 90, 0));
    let judge = |subject: &str, _: u64| if subject == "bad" { Err(HandleError::permanent("no")) } else { Ok(()) };
    let (applier, mut hears) = Applier::new(&world, Box::new(judge));
    let running = world.dispatch(applier);
    hear(&mut hears, 1).await;
    let settled = until(|| async {
        let lag = local::lag(&world.database, &world.clock.shared(), "applier", types).await.unwrap();
        (lag.events == 2 && lag.dead_letters == 1).then_some(lag)
    });
    assert_eq!(settled.await.seconds, 90);
    running.stop().await;
}

async fn brief_events_are_removed_early_but_not_before_they_are_handled(world: World) {
    let judge = |subject: &str, _: u64| if subject == "bad" { Err(HandleError::permanent("no")) } else { Ok(()) };
    let (applier, mut hears) = Applier::new(&world, Box::new(judge));
    let running = world.dispatch(applier);
    world.append(&[("good", 0), ("bad", 0), ("bad", 1), ("good", 1)]).await;
    hear(&mut hears, 2).await;
    until(|| async { some(dead_letter::list(&world.database, &Filter::default(), None, 10).await.unwrap()) }).await;
    running.stop().await;
    let left = async || {
        let page = log::read(&world.database, &log::Filter::default(), log::Direction::After(0), 10).await.unwrap();
        page.into_iter().map(|(_, event)| event.subject).collect::<Vec<_>>()
    };
    let hour = std::time::Duration::from_secs(3600);
    append(&world.database, vec![NewEvent::of(&ScanStarted::default(), "other")]).await;
    world.clock.advance(hour * 2);
    let (applier, _hears) = Applier::new(&world, Box::new(judge));
    let running = world.dispatch_as(applier, |dispatcher| dispatcher.brief("aiva.test.v1.Ticked", hour));
    until(|| async { (left().await == ["bad", "bad", "other"]).then_some(()) }).await;
    running.stop().await;
}

async fn events_from_before_the_first_start_are_delivered(world: World) {
    let ticks: Vec<_> = (0..2500).map(|number| tick(&format!("s{}", number % 3), number)).collect();
    append(&world.database, ticks).await; // more than one admission takes
    let (applier, mut hears) = Applier::new(&world, Box::new(|_, _| Ok(())));
    let running = world.dispatch(applier);
    hear(&mut hears, 2500).await;
    running.stop().await;
    assert_eq!(world.effects().await.len(), 2500);
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
