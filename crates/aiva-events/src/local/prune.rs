//! Removes events that every consumer of this process is done with and that are older than the retention of their type.

use std::time::Duration;

use aiva_chassis::clock::SharedClock;
use aiva_chassis::shutdown::Stop;
use aiva_store::{Database, Plain, StoreError};
use rusqlite::params;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(600);

/// Most events removed in one transaction, so that writers do not wait for it.
const BATCH: i64 = 500;

/// What is removed, and when.
pub(super) struct Pruning {
    /// How long events are kept.
    pub(super) retention: Duration,
    /// How long those of some types are.
    pub(super) brief: Vec<(&'static str, Duration)>,
    /// Who has to be done with them.
    pub(super) consumers: Vec<String>,
}

impl Pruning {
    pub(super) async fn serve(self, database: Database, clock: SharedClock, stop: Stop) {
        loop {
            match self.look(&database, clock.now().as_microsecond()).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "old events were removed"),
                Err(error) => tracing::warn!(cause = ?error, "old events could not be removed; trying again later"),
            }
            if !stop.sleep(EVERY).await {
                return;
            }
        }
    }

    /// Removes what is old enough now and done, and says how many.
    async fn look(&self, database: &Database, now: i64) -> Result<u64, StoreError> {
        let before = |retention: Duration| now - i64::try_from(retention.as_micros()).unwrap_or(i64::MAX / 2);
        let mut removed = 0;
        for (kind, retention) in &self.brief {
            removed += events(database, before(*retention), Some(*kind), &self.consumers).await?;
        }
        let before = before(self.retention);
        removed += events(database, before, None, &self.consumers).await?;
        claims(database, before).await?;
        Ok(removed)
    }
}

/// Removes events that are older than `before` and done, of one type or of all, and says how many.
async fn events(
    database: &Database,
    before: i64,
    kind: Option<&'static str>,
    consumers: &[String],
) -> Result<u64, StoreError> {
    let mut removed = 0;
    loop {
        let batch = match database {
            Database::Sqlite(db) => {
                let consumers = serde_json::to_string(consumers).unwrap_or_default();
                db.write::<_, Plain, _>(move |tx| {
                    Ok(tx.prepare_cached(SQLITE)?.execute(params![before, consumers, BATCH, kind])?)
                })
                .await? as u64
            }
            Database::Postgres(db) => {
                let prune = sqlx::query(POSTGRES).bind(before).bind(consumers).bind(BATCH).bind(kind);
                prune.execute(db.pool()).await?.rows_affected()
            }
        };
        removed += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(removed);
        }
    }
}

/// Removes the claims of events that will not come again.
async fn claims(database: &Database, before: i64) -> Result<(), StoreError> {
    match database {
        Database::Sqlite(db) => {
            db.write::<_, Plain, _>(move |tx| Ok(tx.execute(CLAIMS_SQLITE, [before])?)).await?;
        }
        Database::Postgres(db) => {
            sqlx::query(CLAIMS_POSTGRES).bind(before).execute(db.pool()).await?;
        }
    }
    Ok(())
}

// A consumer that has not been seen yet has no row: then nothing is done for it, and nothing is removed.
const SQLITE: &str = "
DELETE FROM event_outbox WHERE position IN (
    SELECT o.position FROM event_outbox o
    WHERE o.time < ?1 AND (?4 IS NULL OR o.kind = ?4)
      AND o.position <= (SELECT min(coalesce(c.position, 0)) FROM json_each(?2) n
                         LEFT JOIN event_consumers c ON c.consumer = n.value)
      AND NOT EXISTS (SELECT 1 FROM event_subjects s WHERE s.subject = o.subject AND s.done < o.position
                      AND s.consumer IN (SELECT value FROM json_each(?2)))
    ORDER BY o.position LIMIT ?3)";

const POSTGRES: &str = "
DELETE FROM event_outbox WHERE position IN (
    SELECT o.position FROM event_outbox o
    WHERE o.time < $1 AND ($4::text IS NULL OR o.kind = $4)
      AND o.position <= (SELECT min(position) FROM event_consumers)
      AND o.position <= (SELECT min(coalesce(c.position, 0)) FROM unnest($2::text[]) AS n (consumer)
                         LEFT JOIN event_consumers c ON c.consumer = n.consumer)
      AND NOT EXISTS (SELECT 1 FROM event_subjects s WHERE s.subject = o.subject AND s.done < o.position)
    ORDER BY o.position LIMIT $3)";

// A claim is needed for as long as its event may come again.
const CLAIMS_SQLITE: &str = "
DELETE FROM event_inbox WHERE claimed_at < ?1
    AND NOT EXISTS (SELECT 1 FROM event_outbox o WHERE o.id = event_inbox.event_id)";

const CLAIMS_POSTGRES: &str = "
DELETE FROM event_inbox WHERE claimed_at < $1
    AND NOT EXISTS (SELECT 1 FROM event_outbox o WHERE o.id = event_inbox.event_id)";
