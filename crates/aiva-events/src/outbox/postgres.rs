//! The outbox in PostgreSQL.

use aiva_contracts::envelope::Envelope;
use aiva_store::StoreError;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use uuid::Uuid;

use crate::publish::{Context, NewEvent};

/// The channel that a commit with events notifies.
pub(crate) const CHANNEL: &str = "aiva_events";

/// Adds the events to the caller's transaction and says their ids.
///
/// # Errors
/// The store's fault; the transaction must not commit then.
pub async fn append(tx: &mut PgConnection, events: &[NewEvent], context: &Context) -> Result<Vec<Uuid>, StoreError> {
    let ids: Vec<Uuid> = events.iter().map(|_| context.id()).collect();
    let insert = sqlx::query(
        "INSERT INTO event_outbox
             (id, kind, source, subject, time, correlation_id, causation_id, schema_id, traceparent, data)
         SELECT n.id, n.kind, $5, n.subject, $6, $7, $8, n.schema_id, $9, n.data
         FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $10::bigint[])
              WITH ORDINALITY AS n (id, kind, subject, data, schema_id, number)
         ORDER BY n.number",
    );
    insert
        .bind(ids.iter().map(Uuid::to_string).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.kind).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.subject.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.data.as_slice()).collect::<Vec<_>>())
        .bind(context.source)
        .bind(context.now.as_microsecond())
        .bind(&context.correlation_id)
        .bind(context.causation_id.map(|id| id.to_string()))
        .bind(&context.traceparent)
        .bind(events.iter().map(|event| i64::from(event.schema_id)).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    notify(tx).await?;
    Ok(ids)
}

/// Wakes the dispatchers and tails when the transaction commits.
pub(crate) async fn notify(tx: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(tx).await?;
    Ok(())
}

/// Reads the columns of `columns!`, which begin at `first`.
pub(crate) fn envelope(row: &PgRow, first: usize) -> Result<Envelope, sqlx::Error> {
    let uuid = |text: &str| Uuid::parse_str(text).unwrap_or_default();
    Ok(Envelope {
        id: uuid(row.try_get(first)?),
        kind: row.try_get(first + 1)?,
        source: row.try_get(first + 2)?,
        subject: row.try_get(first + 3)?,
        time_unix_micros: row.try_get(first + 4)?,
        correlation_id: row.try_get(first + 5)?,
        causation_id: row.try_get::<Option<&str>, _>(first + 6)?.map(uuid),
        schema_id: u32::try_from(row.try_get::<i64, _>(first + 7)?).unwrap_or_default(),
        traceparent: row.try_get(first + 8)?,
        data: row.try_get(first + 9)?,
    })
}
