//! What only several writers at once can get wrong: PostgreSQL.

use std::pin::pin;
use std::task::Poll;

use aiva_events::{log, outbox};
use aiva_store::postgres::PostgresOptions;
use aiva_store::{Database, Plain, Postgres};

use crate::world::{Applier, World, context, hear, tick};

fn server(world: &World) -> &Postgres {
    match &world.database {
        Database::Postgres(postgres) => postgres,
        Database::Sqlite(_) => unreachable!("the world is on PostgreSQL"),
    }
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_not_passed_over() {
    let Some(world) = World::postgres().await else { return };
    let (applier, mut hears) = Applier::new(&world, Box::new(|_, _| Ok(())));
    let running = world.dispatch(applier);
    let mut early = server(&world).pool().begin().await.unwrap();
    outbox::postgres::append(&mut early, &[tick("early", 0)], &context()).await.unwrap();
    world.append(&[("late", 0)]).await; // a higher number, committed first
    assert_eq!(hear(&mut hears, 1).await, [("late".to_owned(), 0)]);
    early.commit().await.unwrap();
    assert_eq!(hear(&mut hears, 1).await, [("early".to_owned(), 0)]);
    running.stop().await;
}

#[tokio::test]
async fn a_restored_dump_is_delivered_from_where_it_was() {
    let Some(world) = World::postgres().await else { return };
    let (applier, mut hears) = Applier::new(&world, Box::new(|_, _| Ok(())));
    let running = world.dispatch(applier);
    world.append(&[("s", 0)]).await;
    hear(&mut hears, 1).await;
    running.stop().await;
    world.append(&[("s", 1)]).await;

    // What a dump and restore does to rows: the same values, written by new transactions of a new server.
    let copy = World::postgres().await.unwrap();
    for table in ["event_outbox", "event_consumers", "event_subjects", "event_inbox", "event_sequencer", "effects"] {
        let select = sqlx::AssertSqlSafe(format!("SELECT coalesce(json_agg(t)::text, '[]') FROM {table} t"));
        let rows: String = sqlx::query_scalar(select).fetch_one(server(&world).pool()).await.unwrap();
        let restore = format!(
            "INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::{table}, $1::json)"
        );
        sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}"))).execute(server(&copy).pool()).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(restore)).bind(rows).execute(server(&copy).pool()).await.unwrap();
    }
    sqlx::query(
        "SELECT setval(pg_get_serial_sequence('event_outbox', 'seq'), max(seq)), \
                 setval(pg_get_serial_sequence('effects', 'n'), 100) FROM event_outbox",
    )
    .execute(server(&copy).pool())
    .await
    .unwrap();
    copy.append(&[("s", 2)]).await;
    let (applier, mut hears) = Applier::new(&copy, Box::new(|_, _| Ok(())));
    let running = copy.dispatch(applier);
    assert_eq!(hear(&mut hears, 2).await, [("s".to_owned(), 1), ("s".to_owned(), 2)]);
    running.stop().await;
    assert_eq!(copy.effects().await.len(), 3);
    assert_eq!(log::end(&copy.database).await.unwrap(), 3);
}

/// Polls a future a few times, and lets go of it.
async fn give_up_after(polls: usize, work: impl Future) {
    let (mut work, mut left) = (pin!(work), polls);
    std::future::poll_fn(|context| {
        if left == 0 || work.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        left -= 1;
        Poll::Pending
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_transaction_open() {
    let Some(url) = aiva_testkit::postgres::database().await else { return };
    let other = Postgres::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE seen (n BIGINT)").execute(other.pool()).await.unwrap();
    let one = PostgresOptions { connections: 1, ..PostgresOptions::default() };
    let one = Postgres::connect_with(&url, one).await.unwrap();
    let insert = async |n: i64| {
        sqlx::query("INSERT INTO seen VALUES ($1)").bind(n).execute(one.pool()).await.unwrap();
        sqlx::query_scalar::<_, bool>("SELECT EXISTS (SELECT 1 FROM seen WHERE n = $1)")
            .bind(n)
            .fetch_one(other.pool())
            .await
            .unwrap()
    };
    for (number, polls) in (0..10).flat_map(|_| 0..8).enumerate() {
        let number = i64::try_from(number).unwrap();
        let write = one.write::<_, Plain, _>(|tx| {
            Box::pin(async move {
                sqlx::query("SELECT 1").execute(tx).await?;
                Ok(())
            })
        });
        give_up_after(polls, write).await;
        assert!(insert(number).await, "after a write of {polls} polls");
        give_up_after(polls, one.snapshot()).await;
        assert!(insert(-1 - number).await, "after a snapshot of {polls} polls");
    }
}
