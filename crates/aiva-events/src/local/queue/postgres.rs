//! A consumer's rows in PostgreSQL, and the sequencer that gives events their positions.

use std::sync::Arc;

use aiva_contracts::envelope::Envelope;
use aiva_store::{Plain, Postgres, StoreError, TxError, lease};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{ADMIT, Due, Ending, Queue, QueueError, RUN, Subject, firsts};
use crate::outbox::{columns, postgres::envelope};

/// Gives positions, in the order of writing, to all events that are visible and have none. The sequencer's row is locked
/// from before the look until the commit, so positions become visible in their order.
pub(super) async fn place(db: &Postgres) -> Result<(), StoreError> {
    let waiting = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM event_outbox WHERE position IS NULL)");
    if !waiting.fetch_one(db.pool()).await? {
        return Ok(());
    }
    let placed = db.write::<_, Plain, _>(|tx| {
        Box::pin(async move {
            let last: i64 =
                sqlx::query_scalar("SELECT last FROM event_sequencer FOR UPDATE").fetch_one(&mut *tx).await?;
            let place = sqlx::query(
                "UPDATE event_outbox o SET position = $1 + n.number
                 FROM (SELECT seq, row_number() OVER (ORDER BY seq) AS number
                       FROM event_outbox WHERE position IS NULL) n
                 WHERE o.seq = n.seq",
            );
            let placed = place.bind(last).execute(&mut *tx).await?.rows_affected();
            let next = last + i64::try_from(placed).unwrap_or(0);
            sqlx::query("UPDATE event_sequencer SET last = $1").bind(next).execute(&mut *tx).await?;
            Ok(())
        })
    });
    Ok(placed.await?)
}

/// Locks the consumer's row: admission and completion exclude each other. Says how far it has admitted.
async fn lock(tx: &mut PgConnection, queue: &Queue) -> Result<i64, QueueError> {
    if let Some(lease) = &queue.lease {
        lease::postgres::guard(tx, lease).await?;
    }
    let lock = sqlx::query_scalar("SELECT position FROM event_consumers WHERE consumer = $1 FOR UPDATE");
    Ok(lock.bind(queue.consumer).fetch_optional(tx).await?.unwrap_or(0))
}

pub(super) async fn admit(db: &Postgres, queue: Queue, now: i64) -> Result<bool, QueueError> {
    place(db).await?;
    let behind = sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT 1 FROM event_consumers WHERE consumer = $1)
             OR EXISTS (SELECT 1 FROM event_outbox
                        WHERE position > (SELECT position FROM event_consumers WHERE consumer = $1))",
    );
    if !behind.bind(queue.consumer).fetch_one(db.pool()).await? {
        return Ok(false);
    }
    let queue = Arc::new(queue);
    db.write(|tx| {
        let queue = Arc::clone(&queue);
        Box::pin(async move {
            sqlx::query("INSERT INTO event_consumers (consumer, position) VALUES ($1, 0) ON CONFLICT DO NOTHING")
                .bind(queue.consumer)
                .execute(&mut *tx)
                .await?;
            let cursor = lock(tx, &queue).await?;
            let select = sqlx::query(
                "SELECT position, subject, kind FROM event_outbox WHERE position > $1 ORDER BY position LIMIT $2",
            );
            let rows = select.bind(cursor).bind(ADMIT as i64).fetch_all(&mut *tx).await?;
            let seen = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
            let seen: Vec<(i64, &str, &str)> = seen.collect::<Result<_, sqlx::Error>>()?;
            let Some(last) = seen.last().map(|row| row.0) else { return Ok(false) };
            let (subjects, positions): (Vec<String>, Vec<i64>) =
                firsts(seen.iter().copied(), queue.types).into_iter().unzip();
            sqlx::query("UPDATE event_consumers SET position = $2 WHERE consumer = $1")
                .bind(queue.consumer)
                .bind(last)
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "INSERT INTO event_subjects (consumer, subject, state, done, due_at, attempts)
                 SELECT $1, n.subject, 'ready', n.position - 1, $4, 0
                 FROM unnest($2::text[], $3::bigint[]) AS n (subject, position) ON CONFLICT DO NOTHING",
            )
            .bind(queue.consumer)
            .bind(subjects)
            .bind(positions)
            .bind(now)
            .execute(&mut *tx)
            .await?;
            Ok(rows.len() == ADMIT)
        })
    })
    .await
}

pub(super) async fn due(
    db: &Postgres,
    queue: &Queue,
    (now, horizon): (i64, i64),
    limit: usize,
) -> Result<Due, QueueError> {
    let select = sqlx::query(
        "SELECT subject, done, attempts, first_failed_at FROM event_subjects
         WHERE consumer = $1 AND state = 'ready' AND (due_at <= $2 OR due_at > $3) ORDER BY due_at LIMIT $4",
    );
    let rows = select.bind(queue.consumer).bind(now).bind(horizon).bind(limit as i64).fetch_all(db.pool()).await?;
    let subject = |row: &sqlx::postgres::PgRow| {
        let attempts = u32::try_from(row.try_get::<i64, _>(2)?).unwrap_or(u32::MAX);
        Ok(Subject { name: row.try_get(0)?, done: row.try_get(1)?, attempts, first_failed_at: row.try_get(3)? })
    };
    let subjects = rows.iter().map(subject).collect::<Result<_, sqlx::Error>>()?;
    let next_at = sqlx::query_scalar(
        "SELECT min(due_at) FROM event_subjects WHERE consumer = $1 AND state = 'ready' AND due_at > $2",
    );
    Ok(Due { subjects, next_at: next_at.bind(queue.consumer).bind(now).fetch_one(db.pool()).await? })
}

pub(super) async fn events(
    db: &Postgres,
    queue: &Queue,
    subject: &Subject,
) -> Result<Vec<(i64, Envelope)>, QueueError> {
    let select = sqlx::query(concat!(
        "SELECT o.position, ",
        columns!(),
        " FROM event_outbox o
         WHERE o.subject = $1 AND o.position > $2
           AND o.position <= (SELECT position FROM event_consumers WHERE consumer = $3)
           AND o.kind = ANY($4)
         ORDER BY o.position LIMIT $5"
    ));
    let select = select.bind(&subject.name).bind(subject.done).bind(queue.consumer).bind(queue.types).bind(RUN as i64);
    let rows = select.fetch_all(db.pool()).await?;
    let events = rows.iter().map(|row| Ok((row.try_get(0)?, envelope(row, 1)?)));
    Ok(events.collect::<Result<_, sqlx::Error>>()?)
}

pub(super) async fn finish(
    db: &Postgres,
    queue: Queue,
    (subject, done): (String, i64),
    ending: Ending,
    now: i64,
) -> Result<(), QueueError> {
    let work = Arc::new((queue, subject, ending));
    db.write(|tx| {
        let work = Arc::clone(&work);
        Box::pin(async move {
            let (queue, subject, ending) = &*work;
            let cursor = lock(tx, queue).await?;
            let key = (queue.consumer, subject.as_str());
            sqlx::query(
                "UPDATE event_subjects SET done = $3, due_at = $4, attempts = 0, first_failed_at = NULL
                 WHERE consumer = $1 AND subject = $2",
            )
            .bind(key.0)
            .bind(key.1)
            .bind(done)
            .bind(now)
            .execute(&mut *tx)
            .await?;
            sqlx::query("DELETE FROM event_dead_letters WHERE consumer = $1 AND subject = $2 AND position <= $3")
                .bind(key.0)
                .bind(key.1)
                .bind(done)
                .execute(&mut *tx)
                .await?;
            match ending {
                Ending::Handled => remove_if_done(tx, queue, subject, (done, cursor)).await?,
                Ending::Retry { due_at, attempts, first_failed_at } => {
                    sqlx::query(
                        "UPDATE event_subjects SET due_at = $3, attempts = $4, first_failed_at = $5
                         WHERE consumer = $1 AND subject = $2",
                    )
                    .bind(key.0)
                    .bind(key.1)
                    .bind(due_at)
                    .bind(i64::from(*attempts))
                    .bind(first_failed_at)
                    .execute(&mut *tx)
                    .await?;
                }
                Ending::Dead { .. } => bury(tx, key, ending).await?,
            }
            Ok(())
        })
    })
    .await
}

async fn remove_if_done(
    tx: &mut PgConnection,
    queue: &Queue,
    subject: &str,
    (done, cursor): (i64, i64),
) -> Result<(), TxError<lease::Lost>> {
    sqlx::query(
        "DELETE FROM event_subjects WHERE consumer = $1 AND subject = $2 AND NOT EXISTS (
             SELECT 1 FROM event_outbox o
             WHERE o.subject = $2 AND o.position > $3 AND o.position <= $4 AND o.kind = ANY($5))",
    )
    .bind(queue.consumer)
    .bind(subject)
    .bind(done)
    .bind(cursor)
    .bind(queue.types)
    .execute(tx)
    .await?;
    Ok(())
}

async fn bury(tx: &mut PgConnection, key: (&str, &str), ending: &Ending) -> Result<(), TxError<lease::Lost>> {
    let Ending::Dead { position, reason, attempts, first_failed_at, now } = ending else { return Ok(()) };
    sqlx::query("UPDATE event_subjects SET state = 'dead' WHERE consumer = $1 AND subject = $2")
        .bind(key.0)
        .bind(key.1)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO event_dead_letters AS d
             (id, consumer, subject, position, reason, attempts, first_failed_at, last_failed_at, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting')
         ON CONFLICT (consumer, position) DO UPDATE
         SET reason = $5, attempts = d.attempts + $6, last_failed_at = $8, state = 'waiting'",
    )
    .bind(Uuid::now_v7().to_string())
    .bind(key.0)
    .bind(key.1)
    .bind(position)
    .bind(reason)
    .bind(i64::from(*attempts))
    .bind(first_failed_at)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// Whether a dead letter waits, and whether something is to be handled.
pub(super) async fn standing(db: &Postgres, queue: &Queue, subject: &str) -> Result<(bool, bool), StoreError> {
    let standing = sqlx::query(
        "SELECT EXISTS (SELECT 1 FROM event_subjects WHERE consumer = $1 AND subject = $2 AND state = 'dead'),
                EXISTS (SELECT 1 FROM event_outbox o
                        LEFT JOIN event_subjects s ON s.consumer = $1 AND s.subject = o.subject
                        WHERE o.subject = $2 AND o.kind = ANY($3)
                          AND (o.position IS NULL OR o.position > s.done
                               OR o.position > coalesce((SELECT position FROM event_consumers WHERE consumer = $1), 0)))",
    );
    let row = standing.bind(queue.consumer).bind(subject).bind(queue.types).fetch_one(db.pool()).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

pub(super) async fn lag(db: &Postgres, queue: &Queue) -> Result<(i64, Option<i64>, i64), StoreError> {
    let lag = sqlx::query(
        "SELECT count(*), min(o.time),
                (SELECT count(*) FROM event_dead_letters WHERE consumer = $1 AND state = 'waiting')
         FROM event_outbox o LEFT JOIN event_subjects s ON s.consumer = $1 AND s.subject = o.subject
         WHERE o.kind = ANY($2)
           AND (o.position IS NULL OR o.position > s.done
                OR o.position > coalesce((SELECT position FROM event_consumers WHERE consumer = $1), 0))",
    );
    let row = lag.bind(queue.consumer).bind(queue.types).fetch_one(db.pool()).await?;
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}
