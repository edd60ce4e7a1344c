//! Several who change the same things at once, and what PostgreSQL alone can be asked or hold.

use std::collections::HashSet;
use std::sync::Arc;

use aiva_chassis::telemetry::metrics::metrics;
use aiva_contracts::api::{AcceptFinding, ScanState};
use aiva_findings::ports::{Attempt, FindingFilter, Refusal};
use aiva_store::{Database, Plain, StoreError, TxError};
use jiff::civil::date;

use crate::on_both_engines;
use crate::store::LOCK;
use crate::world::{World, seen, service};

on_both_engines!(
    rivals_change_a_service_one_after_the_other,
    one_key_is_one_piece_of_work,
    a_text_that_no_table_holds_is_found_nowhere,
    counters_are_there_before_anything_happened,
);

/// Runs the work as many times at once.
async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(work: impl Fn(u32) -> F) -> Vec<T> {
    let tasks: Vec<_> = (0..12).map(|n| tokio::spawn(work(n))).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

async fn rivals_change_a_service_one_after_the_other(world: World) {
    let scan = world.request(&[]).await;
    let (store, now, id) = (world.store.clone(), world.now(), scan.id);
    // Chunks of one scan that all see the same finding and each one of their own.
    let observed = at_once(move |n| {
        let store = store.clone();
        let own = seen(LOCK, "own", &[&format!("X-{n}")]);
        async move { store.observe(now, id, n, vec![seen(LOCK, "time", &["CVE-1"]), own]).await }
    })
    .await;
    assert!(observed.iter().all(Result::is_ok), "{observed:?}");
    assert_eq!(world.all().await.len(), 13);
    assert_eq!(world.store.scan(id).await.unwrap().changes.unwrap().opened, 13);

    // Of rivals who saw the same version one wins.
    let fingerprint = world.all().await[0].fingerprint.parse().unwrap();
    let version = world.store.finding(fingerprint).await.unwrap().finding.revision;
    let store = world.store.clone();
    let accepted = at_once(move |_| {
        let store = store.clone();
        let accept = AcceptFinding { owner: "ana".into(), reason: "r".into(), expires: date(2026, 12, 1) };
        async move { store.accept(now, fingerprint, accept, Arc::new(move |v| v == version), None).await }
    })
    .await;
    let stale = |outcome: &&Result<_, _>| matches!(outcome, Err(TxError::Refused(Refusal::Stale)));
    assert_eq!(accepted.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(accepted.iter().filter(stale).count(), 11);
    assert_eq!(world.store.exceptions(now).await.unwrap().len(), 1);

    // Of scans of one service the last one is left.
    let store = world.store.clone();
    let request = aiva_findings::ports::Request {
        service: "pay".into(),
        guard: aiva_contracts::api::Guard::Sca,
        paths: vec![],
        by: "ana".into(),
    };
    at_once(move |_| {
        let (store, request) = (store.clone(), request.clone());
        async move { store.request_scan(now, request, None).await.unwrap() }
    })
    .await;
    let waiting = aiva_findings::ports::ScanFilter { state: Some(ScanState::Requested), ..Default::default() };
    assert_eq!(world.store.scans(waiting, None, 100).await.unwrap().len(), 1);
}

async fn one_key_is_one_piece_of_work(world: World) {
    let (store, now) = (world.store.clone(), world.now());
    let made = at_once(move |_| {
        let store = store.clone();
        let attempt = Attempt { key: "ana/k".into(), request: [1; 32] };
        let request = aiva_findings::ports::Request {
            service: "pay".into(),
            guard: aiva_contracts::api::Guard::Sca,
            paths: vec![],
            by: "ana".into(),
        };
        async move { store.request_scan(now, request, Some(attempt)).await.unwrap().id }
    })
    .await;
    assert_eq!(made.into_iter().collect::<HashSet<_>>().len(), 1);
    assert_eq!(world.told().await, ["ScanRequested"]);
}

async fn a_text_that_no_table_holds_is_found_nowhere(world: World) {
    let nowhere = world.store.service("pa\0y".into()).await;
    assert!(matches!(nowhere, Err(TxError::Refused(Refusal::NotFound(_)))), "{nowhere:?}");
    for filter in [
        FindingFilter { text: Some("a\0".into()), ..FindingFilter::default() },
        FindingFilter { package: Some("\0".into()), ..FindingFilter::default() },
        FindingFilter { advisory: Some("\0".into()), ..FindingFilter::default() },
        FindingFilter { service: Some("\0".into()), ..FindingFilter::default() },
    ] {
        assert_eq!(world.store.findings(filter, None, 10).await.unwrap().1, 0);
    }
    let none = world.store.delete_exception(world.now(), "\0".into()).await;
    assert!(matches!(none, Err(TxError::Refused(Refusal::NotFound(_)))), "{none:?}");
    assert_eq!(world.store.services(None, Some("\0".into())).await.unwrap().len(), 0);
}

async fn counters_are_there_before_anything_happened(world: World) {
    let text = metrics().encode().unwrap();
    for aggregate in ["service", "scan", "finding", "exception"] {
        let line = format!("aiva_concurrency_conflicts_total{{aggregate=\"{aggregate}\"}}");
        assert!(text.contains(&line), "{line}");
    }
    let line =
        "aiva_invariant_violations_total{aggregate=\"finding\",invariant=\"what is accepted has an acceptance\"} 0";
    assert!(text.contains(line), "{text}");
    // What nobody saw is not there yet, and is no conflict; what somebody else changed is one.
    let before = metrics().conflict("service").get();
    let gone = world.store.delete_service(world.now(), "none".into(), Arc::new(|_| false)).await;
    assert!(matches!(gone, Err(TxError::Refused(Refusal::NotFound(_)))));
    let stale = world.store.delete_service(world.now(), "pay".into(), Arc::new(|_| false)).await;
    assert!(matches!(stale, Err(TxError::Refused(Refusal::Stale))));
    assert!(metrics().conflict("service").get() > before);
    world.store.create_service(world.now(), service("shop"), None).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_loses_runs_at_most_four_times_and_is_counted() {
    let Some(world) = World::postgres().await else { return };
    let Database::Postgres(db) = &world.db else { unreachable!("the world is on PostgreSQL") };
    let lose = "DO $$ BEGIN RAISE EXCEPTION 'lost' USING ERRCODE = '40001'; END $$";
    for (losses, runs, wins) in [(2, 3, true), (9, 4, false)] {
        let before = metrics().conflict("test-aggregate").get();
        let tries = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let outcome = db
            .write_of::<_, Plain, _>("test-aggregate", |tx| {
                let tries = Arc::clone(&tries);
                Box::pin(async move {
                    if tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < losses {
                        sqlx::raw_sql(lose).execute(tx).await?;
                    }
                    Ok(())
                })
            })
            .await;
        assert_eq!(outcome.is_ok(), wins, "{outcome:?}");
        assert!(wins || matches!(outcome, Err(TxError::Store(StoreError::Conflict(_)))));
        assert_eq!(tries.load(std::sync::atomic::Ordering::SeqCst), runs);
        assert_eq!(metrics().conflict("test-aggregate").get() - before, losses.min(4));
    }
}
