//! Pools and pipelines: bounds, the two classic deadlocks, isolation, accounting.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aiva_chassis::panic::provoke;
use aiva_chassis::resilience::{Backoff, Verdict};
use aiva_chassis::shutdown::{Drained, Shutdown, Stage, Stop};
use aiva_chassis::workers::pipeline::Order;
use aiva_chassis::workers::pool::Refused;
use aiva_chassis::workers::{Failure, Pipeline, Pool, Settings};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Fault(&'static str);

fn stop() -> (Shutdown, Stop) {
    let shutdown = Shutdown::new();
    let stop = shutdown.stop(Stage::Work);
    (shutdown, stop)
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_or_waits_by_choice() {
    let (_shutdown, stop) = stop();
    let gate = Arc::new(Semaphore::new(0));
    let inside = gate.clone();
    let pool: Pool<u32, u32, Fault> = Pool::start("t-full", Settings::workers(1).queue(1), &stop, move |item, _| {
        let gate = inside.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(item)
        }
    });
    let running = pool.submit(1).await.unwrap();
    let waiting = pool.submit(2).await.unwrap(); // waits until the worker has taken item 1
    assert_eq!(pool.try_submit(3).unwrap_err(), Refused::Full(3));
    let patient = tokio::spawn({
        let pool = pool.clone();
        async move { pool.submit(4).await.unwrap().await.unwrap() }
    });
    gate.add_permits(3);
    assert_eq!((running.await.unwrap(), waiting.await.unwrap(), patient.await.unwrap()), (1, 2, 4));
}

/// The first classic bug: a worker that puts a failed item back into its own full queue waits for itself.
#[tokio::test(start_paused = true)]
async fn work_that_submits_to_its_own_full_pool_is_refused_instead_of_waiting_for_itself() {
    let (_shutdown, stop) = stop();
    let handle: Arc<std::sync::OnceLock<Pool<u32, usize, Fault>>> = Arc::default();
    let inner = handle.clone();
    let pool = Pool::start("t-own", Settings::workers(2).queue(2), &stop, move |item: u32, _| {
        let pool = inner.get().cloned();
        async move {
            let mut refused = 0;
            for _ in 0..10 {
                if item == 0 && pool.as_ref().unwrap().submit(1).await.is_err() {
                    refused += 1;
                }
            }
            Ok(refused)
        }
    });
    handle.set(pool.clone()).unwrap();
    let fifty = async {
        let mut refused = 0;
        for _ in 0..50 {
            refused += pool.submit(0).await.unwrap().await.unwrap();
        }
        refused
    };
    // The clock is paused: the time passes at once if everything waits for everything, and never otherwise.
    let refused = tokio::time::timeout(Duration::from_secs(300), fifty).await.expect("the pool waits for itself");
    assert!(refused > 0, "the queue holds 2, so most of 10 are refused");
    pool.close();
    pool.finished().await;
}

/// A retry stays with its worker, so a queue full of failing items drains.
#[tokio::test(start_paused = true)]
async fn failing_items_are_tried_again_without_the_queue() {
    let (_shutdown, stop) = stop();
    let tried = Arc::new(AtomicUsize::new(0));
    let counted = tried.clone();
    let judge = |fault: &Fault| if fault.0 == "transient" { Verdict::Transient } else { Verdict::Permanent };
    let settings = Settings::workers(1).queue(1).retry(3, Backoff::default(), judge);
    let pool: Pool<&'static str, (), Fault> = Pool::start("t-retry", settings, &stop, move |item, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { Err(Fault(item)) }
    });
    for _ in 0..5 {
        let failure = pool.submit("transient").await.unwrap().await.unwrap_err();
        assert!(matches!(failure, Failure::Failed { tries: 3, error: Fault("transient") }), "{failure:?}");
    }
    let failure = pool.submit("permanent").await.unwrap().await.unwrap_err();
    assert!(matches!(failure, Failure::Failed { tries: 1, .. }), "{failure:?}");
    assert_eq!(tried.load(Ordering::SeqCst), 5 * 3 + 1);
}

/// The second classic bug: a send on the queue that the shutdown has just closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn submitting_while_the_pool_goes_down_loses_nothing_and_breaks_nothing() {
    for round in 0..50 {
        let (shutdown, stop) = stop();
        let done = Arc::new(AtomicUsize::new(0));
        let counted = done.clone();
        let pool: Pool<u32, (), Fault> = Pool::start("t-close", Settings::workers(3).queue(4), &stop, move |_, _| {
            let counted = counted.clone();
            async move {
                tokio::task::yield_now().await;
                counted.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        });
        let submitters: Vec<_> = (0..8)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    let mut taken = 0;
                    for item in 0..200 {
                        match pool.submit(item).await {
                            Ok(ticket) => {
                                taken += 1;
                                drop(ticket); // nobody has to wait for the outcome
                            }
                            Err(Refused::Closed(returned)) => {
                                assert_eq!(returned, item, "the item is handed back");
                                break;
                            }
                            Err(Refused::Full(_)) => unreachable!("submit waits"),
                        }
                    }
                    taken
                })
            })
            .collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        assert_eq!(shutdown.drain(Duration::from_secs(30)).await, Drained::Clean);
        let mut taken = 0;
        for submitter in submitters {
            taken += submitter.await.unwrap();
        }
        assert_eq!(done.load(Ordering::SeqCst), taken, "everything that was taken was done, nothing else");
        assert!(matches!(pool.try_submit(0), Err(Refused::Closed(0))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_its_own_item_only() {
    let (_shutdown, stop) = stop();
    let pool: Pool<u32, u32, Fault> = Pool::start("t-panic", Settings::workers(1), &stop, |item, _| async move {
        if item % 2 == 0 { provoke("even") } else { Ok(item) }
    });
    let blocking: Pool<u32, u32, Fault> = Pool::blocking("t-panic-blocking", Settings::workers(1), &stop, |item, _| {
        if item % 2 == 0 { provoke("even") } else { Ok(item) }
    });
    for item in 0..10 {
        for pool in [&pool, &blocking] {
            let outcome = pool.submit(item).await.unwrap().await;
            match item % 2 {
                0 => assert!(matches!(outcome, Err(Failure::Panicked))),
                _ => assert_eq!(outcome.unwrap(), item),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn cancelling_and_running_out_of_time_are_told_apart() {
    let (shutdown, stop) = stop();
    let settings = Settings::workers(2).limit(Duration::from_secs(5));
    let pool: Pool<(), (), Fault> = Pool::start("t-cancel", settings, &stop, |(), _| std::future::pending());
    let (slow, given_up) = (pool.submit(()).await.unwrap(), pool.submit(()).await.unwrap());
    given_up.cancel();
    assert!(matches!(given_up.await, Err(Failure::Cancelled)));
    assert!(matches!(slow.await, Err(Failure::TimedOut)));

    let endless: Pool<(), (), Fault> =
        Pool::start("t-cut", Settings::workers(1).limit(Duration::from_secs(9999)), &stop, |(), _| {
            std::future::pending()
        });
    let (running, waiting) = (endless.submit(()).await.unwrap(), endless.submit(()).await.unwrap());
    assert_eq!(shutdown.drain(Duration::from_secs(10)).await.left(), ["t-cut"]);
    assert!(matches!(running.await, Err(Failure::Cancelled)));
    assert!(matches!(waiting.await, Err(Failure::Cancelled)));
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_keeps_order_where_it_is_told_to_and_loses_no_error() {
    let pipeline = Pipeline::over(0..20u64, CancellationToken::new())
        .stage("t-slow-first", Settings::workers(8), Order::Kept, |item| async move {
            tokio::time::sleep(Duration::from_millis(100 - item)).await; // later items are done earlier
            match item {
                3 => Err(Fault("three")),
                4 => provoke("four"),
                _ => Ok(vec![item, item + 100]),
            }
        })
        .flatten()
        .stage_blocking("t-double", Settings::workers(4), Order::Kept, |item| Ok(item * 2));
    let progress = pipeline.progress();
    let report = pipeline.run().await;
    let want: Vec<u64> = (0..20).filter(|i| ![3, 4].contains(i)).flat_map(|i| [i * 2, (i + 100) * 2]).collect();
    assert_eq!(report.outputs, want);
    // Errors are in the report as they happened: item 4 panics before item 3 fails.
    let errors: Vec<String> = report.errors.iter().map(|e| format!("{e}: {}", e.failure)).collect();
    assert_eq!(errors, ["t-slow-first: item 4: internal error", "t-slow-first: item 3: failed after 1 tries"]);
    assert!(!report.cancelled);
    let stages: Vec<_> = progress.stages().iter().map(|s| (s.stage, s.started, s.finished, s.failed)).collect();
    assert_eq!(stages, [("t-slow-first", 20, 20, 2), ("t-double", 36, 36, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_free_stage_does_not_wait_for_the_slow_item() {
    let report = Pipeline::<u64, Fault>::over([50, 10, 30], CancellationToken::new())
        .stage("t-free", Settings::workers(3), Order::Free, |item| async move {
            tokio::time::sleep(Duration::from_millis(item)).await;
            Ok(item)
        })
        .batch(2)
        .run()
        .await;
    assert_eq!(report.outputs, [vec![10, 30], vec![50]]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_stage_holds_back_the_ones_before_it() {
    let (made, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (source, seen) = (made.clone(), most.clone());
    let done = Arc::new(AtomicUsize::new(0));
    let finished = done.clone();
    let items = (0..1000u32).inspect(move |_| {
        let ahead = source.fetch_add(1, Ordering::SeqCst) + 1 - finished.load(Ordering::SeqCst);
        seen.fetch_max(ahead, Ordering::SeqCst);
    });
    let report = Pipeline::<u32, Fault>::over(items, CancellationToken::new())
        .stage("t-quick", Settings::workers(4), Order::Kept, |item| async move { Ok(item) })
        .stage("t-slow", Settings::workers(2), Order::Kept, move |item| {
            let done = done.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                done.fetch_add(1, Ordering::SeqCst);
                Ok(item)
            }
        })
        .run()
        .await;
    assert_eq!(report.outputs, (0..1000).collect::<Vec<_>>());
    assert!(most.load(Ordering::SeqCst) <= 10, "{most:?} items were made ahead of the slow stage");
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_pipeline_stops_it_and_says_so() {
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    let report = Pipeline::<u32, Fault>::over(0.., cancel)
        .stage("t-endless", Settings::workers(2), Order::Kept, move |item| {
            let token = token.clone();
            async move {
                if item == 10 {
                    token.cancel();
                    std::future::pending::<()>().await;
                }
                Ok(item)
            }
        })
        .run()
        .await;
    assert!(report.cancelled && report.outputs.len() <= 10, "{:?}", report.outputs);
}

#[tokio::test(start_paused = true)]
async fn two_pipelines_become_one_with_all_their_errors() {
    let side = |from: u32| {
        Pipeline::over(from..from + 5, CancellationToken::new()).stage(
            "t-side",
            Settings::workers(2),
            Order::Free,
            |item| async move { if item % 5 == 0 { Err(Fault("first of its side")) } else { Ok(item) } },
        )
    };
    let report = side(0).merge(side(10)).run().await;
    assert_eq!(report.outputs.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([1, 2, 3, 4, 11, 12, 13, 14]));
    assert_eq!(report.errors.len(), 2);
}
