//! The writer that groups commits, and the readers beside it.

use std::sync::mpsc;

use aiva_chassis::panic;
use aiva_store::{Database, Plain, Sqlite, StoreError, TxError};

async fn open() -> (Sqlite, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let db = Sqlite::open(folder.path().join("it.db")).await.unwrap();
    let create = db.write::<_, Plain, _>(|tx| Ok(tx.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY)")?));
    create.await.unwrap();
    (db, folder)
}

async fn rows(db: &Sqlite) -> Vec<i64> {
    let read = db.read::<_, Plain, _>(|conn| {
        let mut select = conn.prepare("SELECT n FROM t ORDER BY n")?;
        Ok(select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    });
    read.await.unwrap()
}

/// Keeps the writer busy until the sender is dropped, so that what is written meanwhile becomes one group.
async fn hold(db: &Sqlite) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let db = db.clone();
    tokio::spawn(async move {
        db.write::<_, Plain, _>(move |_| {
            let _ = begun.send(());
            let _ = held.recv();
            Ok(())
        })
        .await
    });
    begins.await.unwrap();
    release
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_one_group_a_refusal_and_a_panic_take_back_only_themselves() {
    let (db, _folder) = open().await;
    let release = hold(&db).await;
    let writes: Vec<_> = (0..30)
        .map(|n: i64| {
            let db = db.clone();
            tokio::spawn(async move {
                db.write(move |tx| {
                    tx.execute("INSERT INTO t VALUES (?1)", [n])?;
                    match n % 3 {
                        0 => Ok(n),
                        1 => Err(TxError::Refused("no")),
                        _ => panic::provoke("in a group"),
                    }
                })
                .await
            })
        })
        .collect();
    drop(release);
    for (n, write) in writes.into_iter().enumerate() {
        match (n % 3, write.await.unwrap()) {
            (0, Ok(_)) | (1, Err(TxError::Refused("no"))) | (2, Err(TxError::Panicked)) => {}
            (_, other) => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(rows(&db).await, (0..30).filter(|n| n % 3 == 0).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_do_not_wait_and_see_only_what_is_committed() {
    let (db, _folder) = open().await;
    db.write::<_, Plain, _>(|tx| Ok(tx.execute("INSERT INTO t VALUES (1)", [])?)).await.unwrap();
    let release = hold(&db).await;
    let later = {
        let db = db.clone();
        tokio::spawn(async move { db.write::<_, Plain, _>(|tx| Ok(tx.execute("INSERT INTO t VALUES (2)", [])?)).await })
    };
    assert_eq!(rows(&db).await, [1]);
    drop(release);
    later.await.unwrap().unwrap();
    assert_eq!(rows(&db).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_caller_has_gone_is_not_begun() {
    let (db, _folder) = open().await;
    let release = hold(&db).await;
    let mut gone = Box::pin(db.write::<_, Plain, _>(|tx| Ok(tx.execute("INSERT INTO t VALUES (1)", [])?)));
    assert!(futures_poll(&mut gone).await.is_none()); // it is queued
    drop(gone);
    drop(release);
    db.write::<_, Plain, _>(|tx| Ok(tx.execute("INSERT INTO t VALUES (2)", [])?)).await.unwrap();
    assert_eq!(rows(&db).await, [2]);
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a_full_disk_is_said_and_the_store_goes_on() {
    let (db, _folder) = open().await;
    let full = db.write::<_, Plain, _>(|tx| {
        let pages: i64 = tx.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        tx.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        tx.execute_batch("CREATE TABLE big (b BLOB); INSERT INTO big VALUES (zeroblob(1000000))")?;
        Ok(())
    });
    match full.await {
        Err(error @ TxError::Store(StoreError::Full(_))) => assert!(error.is_transient()),
        other => panic!("{other:?}"),
    }
    assert!(!db.has_failed());
    let room = db.write::<_, Plain, _>(|tx| Ok(tx.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(()))?));
    room.await.unwrap();
    db.write::<_, Plain, _>(|tx| Ok(tx.execute("INSERT INTO t VALUES (1)", [])?)).await.unwrap();
    assert_eq!(rows(&db).await, [1]);
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not.db");
    std::fs::write(&path, "this is not a database, and long enough to have a header that is wrong".repeat(20)).unwrap();
    assert!(matches!(Sqlite::open(&path).await, Err(StoreError::Corrupt(_))));
    let nowhere = folder.path().join("no/such/folder/it.db");
    assert!(matches!(Sqlite::open(nowhere).await, Err(StoreError::Configuration(_))));
    assert!(matches!(Database::open("mysql://h/db").await, Err(StoreError::Configuration(_))));
}
