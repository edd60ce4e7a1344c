//! A consumer's rows in SQLite.

use aiva_contracts::envelope::Envelope;
use aiva_store::{Plain, Sqlite, StoreError};
use rusqlite::{OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::{ADMIT, Due, Ending, Queue, QueueError, RUN, Subject, firsts};
use crate::outbox::{columns, sqlite::envelope};

impl Queue {
    fn types_json(&self) -> String {
        serde_json::to_string(self.types).unwrap_or_default()
    }
}

pub(super) async fn admit(db: &Sqlite, queue: Queue, now: i64) -> Result<bool, QueueError> {
    let look = queue.clone();
    let (cursor, seen) = db
        .read(move |conn| {
            let cursor: Option<i64> = conn
                .prepare_cached("SELECT position FROM event_consumers WHERE consumer = ?1")?
                .query_row([look.consumer], |row| row.get(0))
                .optional()?;
            let mut select = conn.prepare_cached(
                "SELECT position, subject, kind FROM event_outbox WHERE position > ?1 ORDER BY position LIMIT ?2",
            )?;
            let rows = select.query_map(params![cursor.unwrap_or(0), ADMIT as i64], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })?;
            Ok((cursor, rows.collect::<Result<Vec<_>, _>>()?))
        })
        .await?;
    let more = seen.len() == ADMIT;
    let last = seen.last().map(|row| row.0);
    let firsts = firsts(seen.iter().map(|(position, subject, kind)| (*position, &**subject, &**kind)), queue.types);
    // A few events that are not wanted are looked at again next time: cheaper than a commit for each.
    if cursor.is_some() && firsts.is_empty() && seen.len() < 100 {
        return Ok(false);
    }
    db.write(move |tx| {
        let to = last.unwrap_or(0);
        // Only this lane admits for the consumer: the data directory has one server, and the server one lane.
        tx.prepare_cached(
            "INSERT INTO event_consumers (consumer, position) VALUES (?1, ?2)
             ON CONFLICT (consumer) DO UPDATE SET position = max(position, ?2)",
        )?
        .execute(params![queue.consumer, to])?;
        let mut admit = tx.prepare_cached(
            "INSERT INTO event_subjects (consumer, subject, state, done, due_at, attempts)
             VALUES (?1, ?2, 'ready', ?3 - 1, ?4, 0) ON CONFLICT DO NOTHING",
        )?;
        for (subject, position) in &firsts {
            admit.execute(params![queue.consumer, subject, position, now])?;
        }
        Ok(more)
    })
    .await
}

pub(super) async fn due(
    db: &Sqlite,
    queue: Queue,
    (now, horizon): (i64, i64),
    limit: usize,
) -> Result<Due, QueueError> {
    db.read(move |conn| {
        let mut select = conn.prepare_cached(
            "SELECT subject, done, attempts, first_failed_at FROM event_subjects
             WHERE consumer = ?1 AND state = 'ready' AND (due_at <= ?2 OR due_at > ?3)
             ORDER BY due_at LIMIT ?4",
        )?;
        let subjects = select.query_map(params![queue.consumer, now, horizon, limit as i64], |row| {
            Ok(Subject { name: row.get(0)?, done: row.get(1)?, attempts: row.get(2)?, first_failed_at: row.get(3)? })
        })?;
        let subjects = subjects.collect::<Result<_, _>>()?;
        let next_at = conn
            .prepare_cached(
                "SELECT min(due_at) FROM event_subjects WHERE consumer = ?1 AND state = 'ready' AND due_at > ?2",
            )?
            .query_row(params![queue.consumer, now], |row| row.get(0))?;
        Ok(Due { subjects, next_at })
    })
    .await
}

pub(super) async fn events(db: &Sqlite, queue: Queue, subject: Subject) -> Result<Vec<(i64, Envelope)>, QueueError> {
    db.read(move |conn| {
        let mut select = conn.prepare_cached(concat!(
            "SELECT o.position, ",
            columns!(),
            " FROM event_outbox o
             WHERE o.subject = ?1 AND o.position > ?2
               AND o.position <= (SELECT position FROM event_consumers WHERE consumer = ?3)
               AND o.kind IN (SELECT value FROM json_each(?4))
             ORDER BY o.position LIMIT ?5"
        ))?;
        let wanted = params![subject.name, subject.done, queue.consumer, queue.types_json(), RUN as i64];
        let rows = select.query_map(wanted, |row| Ok((row.get(0)?, envelope(row, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    })
    .await
}

pub(super) async fn finish(
    db: &Sqlite,
    queue: Queue,
    (subject, done): (String, i64),
    ending: Ending,
    now: i64,
) -> Result<(), QueueError> {
    db.write(move |tx| {
        let key = (queue.consumer, subject.as_str());
        tx.prepare_cached(
            "UPDATE event_subjects SET done = ?3, due_at = ?4, attempts = 0, first_failed_at = NULL
             WHERE consumer = ?1 AND subject = ?2",
        )?
        .execute(params![key.0, key.1, done, now])?;
        tx.prepare_cached("DELETE FROM event_dead_letters WHERE consumer = ?1 AND subject = ?2 AND position <= ?3")?
            .execute(params![key.0, key.1, done])?;
        match ending {
            Ending::Handled => {
                tx.prepare_cached(
                    "DELETE FROM event_subjects WHERE consumer = ?1 AND subject = ?2 AND NOT EXISTS (
                         SELECT 1 FROM event_outbox o WHERE o.subject = ?2 AND o.position > ?3
                           AND o.position <= (SELECT position FROM event_consumers WHERE consumer = ?1)
                           AND o.kind IN (SELECT value FROM json_each(?4)))",
                )?
                .execute(params![key.0, key.1, done, queue.types_json()])?;
            }
            Ending::Retry { due_at, attempts, first_failed_at } => {
                tx.prepare_cached(
                    "UPDATE event_subjects SET due_at = ?3, attempts = ?4, first_failed_at = ?5
                     WHERE consumer = ?1 AND subject = ?2",
                )?
                .execute(params![key.0, key.1, due_at, attempts, first_failed_at])?;
            }
            Ending::Dead { position, reason, attempts, first_failed_at, now } => {
                let dead = Dead { position, reason: &reason, attempts, first_failed_at, now };
                bury(tx, key, &dead)?;
            }
        }
        Ok(())
    })
    .await
}

struct Dead<'a> {
    position: i64,
    reason: &'a str,
    attempts: u32,
    first_failed_at: i64,
    now: i64,
}

fn bury(tx: &Transaction<'_>, key: (&str, &str), dead: &Dead<'_>) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE event_subjects SET state = 'dead' WHERE consumer = ?1 AND subject = ?2")?
        .execute(params![key.0, key.1])?;
    let id = Uuid::now_v7().to_string();
    tx.prepare_cached(
        "INSERT INTO event_dead_letters
             (id, consumer, subject, position, reason, attempts, first_failed_at, last_failed_at, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'waiting')
         ON CONFLICT (consumer, position) DO UPDATE
         SET reason = ?5, attempts = attempts + ?6, last_failed_at = ?8, state = 'waiting'",
    )?
    .execute(params![
        id,
        key.0,
        key.1,
        dead.position,
        dead.reason,
        dead.attempts,
        dead.first_failed_at,
        dead.now
    ])?;
    Ok(())
}

/// Whether a dead letter waits, and whether something is to be handled.
pub(super) async fn standing(db: &Sqlite, queue: Queue, subject: String) -> Result<(bool, bool), StoreError> {
    let standing = db.read::<_, Plain, _>(move |conn| {
        let row = conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM event_subjects WHERE consumer = ?1 AND subject = ?2 AND state = 'dead'),
                        EXISTS (SELECT 1 FROM event_outbox o
                                LEFT JOIN event_subjects s ON s.consumer = ?1 AND s.subject = o.subject
                                WHERE o.subject = ?2 AND o.kind IN (SELECT value FROM json_each(?3))
                                  AND (o.position > coalesce((SELECT position FROM event_consumers WHERE consumer = ?1), 0)
                                       OR o.position > s.done))",
            )?
            .query_row(params![queue.consumer, subject, queue.types_json()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(row)
    });
    Ok(standing.await?)
}

pub(super) async fn lag(db: &Sqlite, queue: Queue) -> Result<(i64, Option<i64>, i64), StoreError> {
    let lag = db.read::<_, Plain, _>(move |conn| {
        let (events, oldest) = conn
            .prepare_cached(
                "SELECT count(*), min(o.time) FROM event_outbox o
                 LEFT JOIN event_subjects s ON s.consumer = ?1 AND s.subject = o.subject
                 WHERE o.kind IN (SELECT value FROM json_each(?2))
                   AND (o.position > coalesce((SELECT position FROM event_consumers WHERE consumer = ?1), 0)
                        OR o.position > s.done)",
            )?
            .query_row(params![queue.consumer, queue.types_json()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let dead = conn
            .prepare_cached("SELECT count(*) FROM event_dead_letters WHERE consumer = ?1 AND state = 'waiting'")?
            .query_row([queue.consumer], |row| row.get(0))?;
        Ok((events, oldest, dead))
    });
    Ok(lag.await?)
}
