//! What both engines promise below events: transactions, the inbox, leases, migrations.

use std::sync::Arc;
use std::time::Duration;

use aiva_chassis::panic;
use aiva_events::{inbox, log, outbox};
use aiva_store::lease::{self, Lease, Lost};
use aiva_store::migrate::{self, MigrateError, MigrationSet, Phase, Step};
use aiva_store::{Database, Plain, TxError};
use uuid::Uuid;

use crate::on_both_engines;
use crate::world::{IT, SETS, World, context, tick};

on_both_engines!(
    a_refusal_and_a_panic_leave_nothing_behind,
    one_of_many_claims_is_the_first,
    a_lease_has_one_holder_and_fences_the_last,
    migrations_are_applied_once_and_by_one,
    an_expanded_schema_is_accepted_and_a_contracted_one_is_not,
);

#[derive(Clone, Copy, PartialEq)]
enum How {
    Refuses,
    Panics,
}

#[derive(Debug, PartialEq)]
struct No;

async fn a_refusal_and_a_panic_leave_nothing_behind(world: World) {
    for how in [How::Refuses, How::Panics] {
        let outcome = match &world.database {
            Database::Sqlite(db) => {
                db.write(move |tx| {
                    outbox::sqlite::append(tx, &[tick("s", 0)], &context())?;
                    if how == How::Panics {
                        panic::provoke("inside a transaction");
                    }
                    Err::<(), _>(TxError::Refused(No))
                })
                .await
            }
            Database::Postgres(db) => {
                db.write(|tx| {
                    Box::pin(async move {
                        outbox::postgres::append(tx, &[tick("s", 0)], &context()).await?;
                        if how == How::Panics {
                            panic::provoke("inside a transaction");
                        }
                        Err::<(), _>(TxError::Refused(No))
                    })
                })
                .await
            }
        };
        match (how, outcome.unwrap_err()) {
            (How::Refuses, TxError::Refused(No)) | (How::Panics, TxError::Panicked) => {}
            (_, other) => panic!("{other:?}"),
        }
    }
    assert_eq!(log::end(&world.database).await.unwrap(), 0);
    world.append(&[("s", 1)]).await; // and the store goes on
    assert_ne!(log::end(&world.database).await.unwrap(), 0);
}

async fn claim(database: &Database, event: Uuid, keep: bool) -> bool {
    let outcome = match database {
        Database::Sqlite(db) => {
            db.write(move |tx| {
                let first = inbox::sqlite::claim(tx, "c", event)?;
                if keep { Ok(first) } else { Err(TxError::Refused(No)) }
            })
            .await
        }
        Database::Postgres(db) => {
            db.write(|tx| {
                Box::pin(async move {
                    let first = inbox::postgres::claim(tx, "c", event).await?;
                    if keep { Ok(first) } else { Err(TxError::Refused(No)) }
                })
            })
            .await
        }
    };
    outcome.unwrap_or(false)
}

async fn one_of_many_claims_is_the_first(world: World) {
    let event = Uuid::now_v7();
    assert!(!claim(&world.database, event, false).await); // rolled back with its transaction: it does not count
    let database = Arc::new(world.database.clone());
    let claims: Vec<_> = (0..16)
        .map(|_| {
            let database = Arc::clone(&database);
            tokio::spawn(async move { claim(&database, event, true).await })
        })
        .collect();
    let mut firsts = 0;
    for claim in claims {
        firsts += u32::from(claim.await.unwrap());
    }
    assert_eq!(firsts, 1);
}

async fn guarded(database: &Database, lease: &Lease) -> Result<(), TxError<Lost>> {
    let lease = lease.clone();
    match database {
        Database::Sqlite(db) => db.write(move |tx| lease::sqlite::guard(tx, &lease)).await,
        Database::Postgres(db) => {
            db.write(|tx| {
                let lease = lease.clone();
                Box::pin(async move { lease::postgres::guard(tx, &lease).await })
            })
            .await
        }
    }
}

async fn a_lease_has_one_holder_and_fences_the_last(world: World) {
    let (db, clock) = (&world.database, &world.clock);
    let long = Duration::from_secs(3600);
    let ana = lease::take(db, clock, ("job", "ana"), long).await.unwrap().unwrap();
    assert_eq!(lease::take(db, clock, ("job", "bob"), long).await.unwrap(), None);
    assert!(lease::take(db, clock, ("other", "bob"), long).await.unwrap().is_some());
    guarded(db, &ana).await.unwrap();
    assert!(lease::renew(db, clock, &ana, Duration::ZERO).await.unwrap()); // it runs out now, and ana does not know
    let bob = lease::take(db, clock, ("job", "bob"), long).await.unwrap().unwrap();
    assert!(bob.token > ana.token);
    assert!(matches!(guarded(db, &ana).await, Err(TxError::Refused(Lost))));
    guarded(db, &bob).await.unwrap();
    assert!(!lease::renew(db, clock, &ana, long).await.unwrap());
    lease::release(db, clock, &bob).await.unwrap();
    assert!(lease::take(db, clock, ("job", "ana"), long).await.unwrap().unwrap().token > bob.token);
}

const NEXT: Step = Step {
    version: 2,
    name: "more",
    phase: Phase::Expand,
    sqlite: "ALTER TABLE effects ADD COLUMN more TEXT",
    postgres: "ALTER TABLE effects ADD COLUMN more TEXT",
};
const LAST: Step = Step {
    version: 3,
    name: "less",
    phase: Phase::Contract,
    sqlite: "ALTER TABLE effects DROP COLUMN number",
    postgres: "ALTER TABLE effects DROP COLUMN number",
};

async fn migrations_are_applied_once_and_by_one(world: World) {
    const NEWER: &[MigrationSet] =
        &[aiva_events::MIGRATIONS, MigrationSet { owner: "it", steps: &[IT.steps[0], NEXT] }];
    assert!(matches!(migrate::check(&world.database, NEWER).await, Err(MigrateError::Behind { missing: 1, .. })));
    let ups: Vec<_> = (0..4)
        .map(|_| {
            let (database, clock) = (world.database.clone(), world.clock.clone());
            tokio::spawn(async move { migrate::up(&database, NEWER, &clock).await.unwrap().len() })
        })
        .collect();
    let mut applied = 0;
    for up in ups {
        applied += up.await.unwrap();
    }
    assert_eq!(applied, 1);
    migrate::check(&world.database, NEWER).await.unwrap();
    assert!(migrate::status(&world.database, NEWER).await.unwrap().iter().all(|step| step.applied_at.is_some()));

    const BROKEN: &[MigrationSet] = &[MigrationSet {
        owner: "broken",
        steps: &[
            Step {
                version: 1,
                name: "good",
                sqlite: "CREATE TABLE halfway (a TEXT)",
                postgres: "CREATE TABLE halfway (a TEXT)",
                ..NEXT
            },
            Step { version: 2, name: "bad", sqlite: "CREATE NONSENSE", postgres: "CREATE NONSENSE", ..NEXT },
        ],
    }];
    migrate::up(&world.database, BROKEN, &world.clock).await.unwrap_err();
    let status = migrate::status(&world.database, BROKEN).await.unwrap();
    assert!(status.iter().filter(|step| step.owner == "broken").all(|step| step.applied_at.is_none()));
}

async fn an_expanded_schema_is_accepted_and_a_contracted_one_is_not(world: World) {
    const EXPANDED: &[MigrationSet] =
        &[aiva_events::MIGRATIONS, MigrationSet { owner: "it", steps: &[IT.steps[0], NEXT] }];
    const CONTRACTED: &[MigrationSet] =
        &[aiva_events::MIGRATIONS, MigrationSet { owner: "it", steps: &[IT.steps[0], NEXT, LAST] }];
    migrate::up(&world.database, EXPANDED, &world.clock).await.unwrap();
    migrate::check(&world.database, SETS).await.unwrap(); // the release before still runs
    let unknown = migrate::status(&world.database, SETS).await.unwrap();
    assert!(unknown.iter().any(|step| step.name == "more" && !step.known));
    migrate::up(&world.database, CONTRACTED, &world.clock).await.unwrap();
    assert!(matches!(migrate::check(&world.database, SETS).await, Err(MigrateError::Contracted { .. })));
    assert!(matches!(migrate::up(&world.database, SETS, &world.clock).await, Err(MigrateError::Contracted { .. })));
    let _: Option<Plain> = None;
}
