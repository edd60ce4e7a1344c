//! The outbox in SQLite.

use aiva_contracts::envelope::Envelope;
use aiva_store::StoreError;
use aiva_store::sqlite::announce;
use rusqlite::{Row, Transaction, params};
use uuid::Uuid;

use crate::publish::{Context, NewEvent};

/// Adds the events to the caller's transaction and says their ids.
///
/// # Errors
/// The store's fault; the transaction must not commit then.
pub fn append(tx: &Transaction<'_>, events: &[NewEvent], context: &Context) -> Result<Vec<Uuid>, StoreError> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO event_outbox
             (id, kind, source, subject, time, correlation_id, causation_id, schema_id, traceparent, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let mut ids = Vec::with_capacity(events.len());
    for event in events {
        let id = context.id();
        insert.execute(params![
            id.to_string(),
            event.kind,
            context.source,
            event.subject,
            context.now.as_microsecond(),
            context.correlation_id,
            context.causation_id.map(|id| id.to_string()),
            event.schema_id,
            context.traceparent,
            event.data,
        ])?;
        ids.push(id);
    }
    announce(tx);
    Ok(ids)
}

/// Reads the columns of `columns!`, which begin at `first`.
pub(crate) fn envelope(row: &Row<'_>, first: usize) -> Result<Envelope, rusqlite::Error> {
    let uuid = |text: String| Uuid::parse_str(&text).unwrap_or_default();
    Ok(Envelope {
        id: uuid(row.get(first)?),
        kind: row.get(first + 1)?,
        source: row.get(first + 2)?,
        subject: row.get(first + 3)?,
        time_unix_micros: row.get(first + 4)?,
        correlation_id: row.get(first + 5)?,
        causation_id: row.get::<_, Option<String>>(first + 6)?.map(uuid),
        schema_id: row.get(first + 7)?,
        traceparent: row.get(first + 8)?,
        data: row.get(first + 9)?,
    })
}
